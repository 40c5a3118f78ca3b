//! A site of nodes over real MQTT 5 by the wire contract: a birth first, then frames of eight
//! readings, at most eight of them unacknowledged, each sent again until it is acknowledged.
//!
//! What a node published and what was acknowledged to it is counted here; after a drain both are the
//! same, and the store must hold every sequence once.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bytes::Bytes;
use measure::{
    BootId, FlashId, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp, Uptime,
};
use rumqttc::v5::mqttbytes::v5::Packet;
use tokio::sync::Notify;
use wire::{BIRTH_BYTES_MAX, Birth, Channel, FRAME_BYTES_MAX, Frame, Head, Pushed, Sampled, Topic};

use crate::session::Session;

/// Readings in a frame, one of each channel.
pub(crate) const READINGS: u64 = CHANNELS.len() as u64;
/// Frames without an acknowledgement, as `node` has it.
const WINDOW: usize = 8;
/// After this long a frame is sent again. A node waits 30 s; a measurement is over by then.
const RESEND: Duration = Duration::from_secs(5);
/// How long the last frames may take to be acknowledged.
const DRAIN: Duration = Duration::from_secs(60);
/// How often a waiting node looks for what is to be sent again, and whether it is over.
const LOOK: Duration = Duration::from_millis(200);

/// What the channels measure: the mean and the swing of their values, scaled.
pub(crate) const CHANNELS: [(Quantity, i32, i32); 8] = [
    (Quantity::AirTemperature, 22_000, 6_000),
    (Quantity::RelativeHumidity, 6_500, 1_500),
    (Quantity::Co2, 500, 120),
    (Quantity::Illuminance, 150_000, 140_000),
    (Quantity::SubstrateTemperature, 20_000, 2_000),
    (Quantity::SubstrateMoisture, 3_500, 300),
    (Quantity::SubstrateEc, 900, 200),
    (Quantity::SubstratePh, 550, 40),
];
/// What the temperature is where an alarm is wanted, in thousandths of a degree: above the limit.
const HOT: i32 = 40_000;
const FLASH: FlashId = FlashId(7);
const BOOT: BootId = BootId(1);

/// How the nodes publish.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) broker: SocketAddr,
    /// Names and, where the broker wants them, secrets.
    pub(crate) nodes: Vec<(NodeKey, Option<String>)>,
    /// Time between two frames of a node; `None`: as fast as they are acknowledged.
    pub(crate) pace: Option<Duration>,
    /// Whether acknowledgements come by MQTT; otherwise by [`stored`].
    pub(crate) acknowledged: bool,
    /// Now, at the start.
    pub(crate) now: Timestamp,
}

/// What is known of one node.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Frames published.
    pub(crate) frames: AtomicU64,
    /// Frames known to be stored.
    pub(crate) stored: AtomicU64,
    /// Whether its next readings are above the limit.
    pub(crate) is_hot: AtomicBool,
    /// When the first one above the limit was published.
    pub(crate) hot_since: Mutex<Option<Instant>>,
    resent: AtomicU64,
    news: Notify,
}

/// Nodes that publish.
pub(crate) struct Feed {
    pub(crate) books: Arc<Vec<Book>>,
    stop: Arc<AtomicU8>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// The nodes take readings and publish.
const FLOWS: u8 = 0;
/// They take no more, and wait until all are stored.
const DRAINS: u8 = 1;
/// They leave at once.
const LEAVES: u8 = 2;

/// Returns the books of nodes that are about to start.
pub(crate) fn books(nodes: usize) -> Arc<Vec<Book>> {
    Arc::new((0..nodes).map(|_| Book::default()).collect())
}

impl Feed {
    /// Starts the nodes on a thread of their own; returns when all of them are connected and born.
    pub(crate) fn start(plan: Plan, books: Arc<Vec<Book>>) -> Result<Self> {
        let stop = Arc::new(AtomicU8::new(FLOWS));
        let (told, tell) = std::sync::mpsc::channel();
        let thread = {
            let (books, stop) = (Arc::clone(&books), Arc::clone(&stop));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let work = move || runtime.block_on(publish(plan, books, stop, told));
            std::thread::Builder::new().name("publisher".to_owned()).spawn(work)?
        };
        let mut feed = Self { books, stop, thread: Some(thread) };
        match tell.recv_timeout(DRAIN) {
            Ok(()) => Ok(feed),
            Err(_) => {
                feed.end(LEAVES)?;
                bail!("the nodes were not all born within {DRAIN:?}")
            }
        }
    }

    /// Returns how many readings are known to be stored.
    pub(crate) fn readings_stored(&self) -> u64 {
        self.books.iter().map(|book| book.stored.load(Relaxed)).sum::<u64>() * READINGS
    }

    /// Returns how many readings were published.
    pub(crate) fn readings_published(&self) -> u64 {
        self.books.iter().map(|book| book.frames.load(Relaxed)).sum::<u64>() * READINGS
    }

    /// Returns how many frames were sent again.
    pub(crate) fn resent(&self) -> u64 {
        self.books.iter().map(|book| book.resent.load(Relaxed)).sum()
    }

    /// Stops taking readings, waits until all are stored, and returns how many there are.
    pub(crate) fn drain(mut self) -> Result<u64> {
        self.end(DRAINS)?;
        let (published, stored) = (self.readings_published(), self.readings_stored());
        ensure!(published == stored, "{published} readings published, {stored} acknowledged");
        Ok(published)
    }

    /// Leaves at once, whatever is not acknowledged.
    pub(crate) fn abandon(mut self) {
        // That its broker is gone is no news.
        if let Err(error) = self.end(LEAVES) {
            drop(error);
        }
    }

    fn end(&mut self, how: u8) -> Result<()> {
        self.stop.store(how, Relaxed);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().map_err(|_| anyhow!("the publisher panicked"))?
    }
}

/// Notes that frames of a node are stored, where the broker does not say so.
pub(crate) fn stored(book: &Book, frames: u64) {
    book.stored.fetch_add(frames, Relaxed);
    book.news.notify_one();
}

async fn publish(
    plan: Plan,
    books: Arc<Vec<Book>>,
    stop: Arc<AtomicU8>,
    told: std::sync::mpsc::Sender<()>,
) -> Result<()> {
    let mut born = Vec::new();
    for (number, (key, secret)) in plan.nodes.iter().enumerate() {
        let node = Node::born(&plan, number, key, secret.clone(), Arc::clone(&books));
        born.push(node.await.with_context(|| format!("node {key}"))?);
    }
    ensure!(told.send(()).is_ok(), "nobody waits for the nodes");
    let began = Instant::now();
    let mut nodes = tokio::task::JoinSet::new();
    for node in born {
        nodes.spawn(node.run(plan.pace, began, Arc::clone(&stop)));
    }
    while let Some(ended) = nodes.join_next().await {
        ended??;
    }
    Ok(())
}

struct Flying {
    frame: u64,
    sent: Instant,
}

struct Node {
    number: usize,
    books: Arc<Vec<Book>>,
    session: Session,
    data: Bytes,
    acknowledged: bool,
    boot_utc: Timestamp,
    born: Instant,
    flying: VecDeque<Flying>,
    /// Frames handed out; with `base` the time of the next one.
    next: u64,
    uptime_ms: u64,
    /// When each frame that flies was taken, so that it is the same when it is sent again.
    taken: VecDeque<(u64, u64, bool)>,
}

impl Node {
    async fn born(
        plan: &Plan,
        number: usize,
        key: &NodeKey,
        secret: Option<String>,
        books: Arc<Vec<Book>>,
    ) -> Result<Self> {
        let topic = |kind| Topic::new(key, kind).to_string();
        let ack = topic(wire::TopicKind::Ack);
        let client = key.to_string().replace('/', "-");
        let login = secret.map(|secret| (key.to_string(), secret));
        let subscribed = plan.acknowledged.then_some(&*ack);
        let mut session = Session::open(plan.broker, client, login, subscribed).await?;
        let mut buffer = [0; BIRTH_BYTES_MAX];
        let length = wire::encode_birth(&birth()?, &mut buffer)?;
        let payload = buffer.get(..length).unwrap_or_default();
        session.publish(&Bytes::from(topic(wire::TopicKind::Birth)), payload, true)?;
        session.flush().await?;
        let mut is_known = false;
        while !is_known {
            session.read().await?;
            while let Some(packet) = session.take()? {
                is_known |= match packet {
                    Packet::PubAck(_) => !plan.acknowledged,
                    Packet::Publish(_) => true,
                    _ => false,
                };
            }
        }
        let data = Bytes::from(topic(wire::TopicKind::Data));
        Ok(Self {
            number,
            books,
            session,
            data,
            acknowledged: plan.acknowledged,
            // An hour old, so that readings at full speed are never of the future.
            boot_utc: plan.now.plus_ms(-3_600_000),
            born: Instant::now(),
            flying: VecDeque::new(),
            next: 0,
            uptime_ms: 0,
            taken: VecDeque::new(),
        })
    }

    fn book(&self) -> Result<&Book> {
        self.books.get(self.number).context("a node has a book")
    }

    async fn run(
        mut self,
        pace: Option<Duration>,
        began: Instant,
        stop: Arc<AtomicU8>,
    ) -> Result<()> {
        // The nodes of a site do not speak at the same moment.
        let phase = pace.map(|pace| pace * self.number as u32 / self.books.len() as u32);
        let mut over: Option<Instant> = None;
        let books = Arc::clone(&self.books);
        let book = books.get(self.number).context("a node has a book")?;
        loop {
            let now = Instant::now();
            match stop.load(Relaxed) {
                FLOWS => {}
                DRAINS => over = over.or(Some(now)),
                _ => return Ok(()),
            }
            if let Some(over) = over
                && (self.in_flight()? == 0 || now.duration_since(over) > DRAIN)
            {
                return Ok(());
            }
            let due = |next: u64| match (pace, phase) {
                (Some(pace), Some(phase)) => began + phase + pace.mul_f64(next as f64),
                _ => began,
            };
            while over.is_none() && self.in_flight()? < WINDOW && due(self.next) <= now {
                self.send_next(pace.is_some(), now)?;
            }
            self.send_again(now)?;
            self.session.flush().await?;
            let has_room = over.is_none() && self.in_flight()? < WINDOW;
            let until = if has_room { due(self.next).min(now + LOOK) } else { now + LOOK };
            tokio::select! {
                read = self.session.read() => read?,
                () = book.news.notified() => {}
                () = tokio::time::sleep_until(until.into()) => {}
            }
            while let Some(packet) = self.session.take()? {
                self.heed(&packet)?;
            }
        }
    }

    fn in_flight(&self) -> Result<usize> {
        if self.acknowledged {
            return Ok(self.flying.len());
        }
        let stored = self.book()?.stored.load(Relaxed);
        Ok(usize::try_from(self.next.saturating_sub(stored))?)
    }

    fn send_next(&mut self, paced: bool, now: Instant) -> Result<()> {
        let wall_ms = 3_600_000 + now.duration_since(self.born).as_millis() as u64;
        let next_ms = self.uptime_ms + READINGS;
        self.uptime_ms = if paced { next_ms.max(wall_ms) } else { next_ms };
        let frame = self.next;
        self.next += 1;
        let is_hot = {
            let book = self.book()?;
            book.frames.store(frame + 1, Relaxed);
            let is_hot = book.is_hot.load(Relaxed);
            if is_hot {
                let mut since = book.hot_since.lock().unwrap_or_else(PoisonError::into_inner);
                since.get_or_insert(now);
            }
            is_hot
        };
        self.taken.push_back((frame, self.uptime_ms, is_hot));
        self.put(frame, self.uptime_ms, is_hot)?;
        if self.acknowledged {
            self.flying.push_back(Flying { frame, sent: now });
        } else {
            self.taken.clear();
        }
        Ok(())
    }

    fn send_again(&mut self, now: Instant) -> Result<()> {
        for at in 0..self.flying.len() {
            let Some(flying) = self.flying.get_mut(at) else { continue };
            if now.duration_since(flying.sent) < RESEND {
                continue;
            }
            flying.sent = now;
            let frame = flying.frame;
            let taken = self.taken.iter().find(|taken| taken.0 == frame).copied();
            let (_, uptime_ms, is_hot) = taken.context("what flies was taken")?;
            self.put(frame, uptime_ms, is_hot)?;
            self.book()?.resent.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    fn put(&mut self, frame: u64, uptime_ms: u64, is_hot: bool) -> Result<()> {
        let mut buffer = [0; FRAME_BYTES_MAX];
        let head = Head {
            flash: FLASH,
            boot: BOOT,
            sent: Uptime(uptime_ms + READINGS),
            first: Sequence(frame * READINGS + 1),
            boot_utc: Some(self.boot_utc),
            uncertain: false,
            history: false,
        };
        let mut out = Frame::new(&mut buffer, &head)?;
        for (channel, &(_, mean, swing)) in (0_u8..).zip(&CHANNELS) {
            let noise = mix((self.number as u64) << 48 | frame << 8 | u64::from(channel));
            let turn = (uptime_ms as f64 / 86_400_000.0 * std::f64::consts::TAU).sin();
            let spread = (noise % 41) as i32 - 20;
            let value = if is_hot && channel == 0 {
                HOT
            } else {
                mean + (f64::from(swing) * turn) as i32 + spread
            };
            let sampled = Sampled {
                channel,
                uptime: Uptime(uptime_ms + u64::from(channel)),
                reading: Ok(Scaled(value)),
                quality: Quality::Good,
            };
            ensure!(out.push(&sampled)? == Pushed::Taken, "eight readings fit into a frame");
        }
        let length = out.finish();
        self.session.publish(&self.data, buffer.get(..length).unwrap_or_default(), false)
    }

    fn heed(&mut self, packet: &Packet) -> Result<()> {
        match packet {
            Packet::Publish(publish) => {
                let ack = wire::decode_ack(&publish.payload)?;
                ensure!(ack.flash == FLASH, "an acknowledgement of another flash");
                let mut freed = 0;
                for range in &ack.ranges {
                    self.flying.retain(|flying| {
                        let first = flying.frame * READINGS + 1;
                        let is_there =
                            range.first.0 <= first && first + READINGS - 1 <= range.last.0;
                        freed += u64::from(is_there);
                        !is_there
                    });
                }
                let oldest = self.flying.iter().map(|flying| flying.frame).min();
                self.taken.retain(|taken| oldest.is_some_and(|oldest| taken.0 >= oldest));
                self.book()?.stored.fetch_add(freed, Relaxed);
            }
            Packet::Disconnect(_) => bail!("the broker hung up: {packet:?}"),
            _ => {}
        }
        Ok(())
    }
}

fn birth() -> Result<Birth> {
    let mut channels = heapless::Vec::new();
    for (quantity, ..) in CHANNELS {
        let channel = Channel {
            quantity,
            position: Slug::new("bench")?,
            sensor: Slug::new("load")?,
            calibration: 0,
            enabled: true,
        };
        ensure!(channels.push(channel).is_ok(), "eight channels fit into a birth");
    }
    Ok(Birth {
        flash: FLASH,
        boot: BOOT,
        session: 1,
        uptime: Uptime(3_600_000),
        next_sequence: Sequence(1),
        ring_used: 0,
        ring_size: 100_000,
        interval_ms: 60_000,
        next_due_ms: None,
        firmware: "load 1".try_into().map_err(|_| anyhow!("a short name"))?,
        channels,
        settings: 0,
        rolled_back: None,
        heartbeat_ms: None,
        target: None,
        release: 1,
    })
}

/// Returns a well mixed number (splitmix64, Steele and others 2014).
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
