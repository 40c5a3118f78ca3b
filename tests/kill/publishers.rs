//! Publishers with ledgers: nodes that live in the campaign's own process and outlive every kill.
//!
//! Each keeps what it has taken until the gateway names it, as a node does: births, frames, resends,
//! reconnects over real MQTT. Unlike the image they cost next to nothing, so that a thousand kills fit
//! in half an hour.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use harness::{Entry, Ledger};
use measure::{
    BootId, FlashId, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp, Uptime,
};
use rumqttc::v5::{
    Client, Event, Incoming, MqttOptions,
    mqttbytes::{QoS, v5::Publish},
};
use wire::{Birth, Body, Channel, Data, Sampled, Topic, TopicKind};

/// Readings in a frame.
const READINGS_A_FRAME: u64 = 8;
/// How often a publisher takes a frame's readings.
const TAKE_EVERY: Duration = Duration::from_millis(100);
/// After this long without an acknowledgement everything open is sent again.
const RESEND_AFTER: Duration = Duration::from_secs(2);
/// The most frames that a publisher keeps; with so many open it takes no more.
const FRAMES_OPEN_MAX: usize = 400;
/// Frames under way without an acknowledgement, as a node has them; the next one waits.
const FRAMES_IN_FLIGHT_MAX: usize = 16;
/// How long a publisher listens before it looks at its clock.
const LISTEN: Duration = Duration::from_millis(20);
/// How long it waits before the next try.
const RETRY: Duration = Duration::from_millis(50);
/// Requests that the client queues.
const REQUESTS_MAX: usize = 2_048;

/// What all publishers share with the campaign.
#[derive(Default)]
pub(crate) struct Shared {
    /// No more readings are taken.
    pub(crate) is_closed: AtomicBool,
    /// Publishers end.
    pub(crate) is_over: AtomicBool,
    /// Frames that no acknowledgement has named.
    pub(crate) open: AtomicUsize,
}

/// A running publisher.
pub(crate) struct Publisher {
    /// The name of its node in the site.
    pub(crate) name: String,
    ledger: Arc<Mutex<Ledger>>,
    named: Arc<Mutex<BTreeSet<u64>>>,
    thread: JoinHandle<()>,
}

impl Publisher {
    /// Starts the node `works/NAME` with its secret; `number` draws its flash.
    pub(crate) fn start(
        name: &str,
        secret: &str,
        number: u32,
        mqtt: SocketAddr,
        shared: &Arc<Shared>,
    ) -> Result<Self> {
        let slug = |text: &str| Slug::new(text).map_err(|error| anyhow!("{text}: {error}"));
        let key = NodeKey { site: slug("works")?, node: slug(name)? };
        let mut options = MqttOptions::new(key.to_string(), mqtt.ip().to_string(), mqtt.port());
        options.set_credentials(key.to_string(), secret);
        options.set_keep_alive(Duration::from_secs(5));
        options.set_outgoing_inflight_upper_limit(512);
        let place = (Quantity::AirTemperature.name().to_owned(), "canopy".to_owned());
        let ledger = Arc::new(Mutex::new(Ledger {
            channels: BTreeMap::from([(0, place)]),
            ..Ledger::default()
        }));
        let named: Arc<Mutex<BTreeSet<u64>>> = Arc::default();
        let began = Instant::now();
        let utc = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let boot_utc = Timestamp::from_millis(i64::try_from(utc.as_millis())?);
        let node = Node {
            key,
            flash: FlashId(0x5EED_0000 + number),
            client: None,
            began,
            boot_utc: boot_utc.context("it is between 1970 and 9999")?,
            session: 0,
            next: 1,
            open: BTreeMap::new(),
            ledger: Arc::clone(&ledger),
            named: Arc::clone(&named),
            shared: Arc::clone(shared),
            is_up: false,
            upto: 0,
            taken: began,
            sent: began,
        };
        let (tell, told) = mpsc::channel();
        let listening = std::thread::spawn(move || listen(&options, &tell));
        let thread = std::thread::spawn(move || {
            node.live(&told);
            drop(told);
            drop(listening);
        });
        Ok(Self { name: name.to_owned(), ledger, named, thread })
    }

    /// Returns everything that it has taken.
    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the sequences that were acknowledged to it.
    pub(crate) fn named(&self) -> BTreeSet<u64> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until its thread has ended.
    pub(crate) fn end(self) -> Result<()> {
        self.thread.join().map_err(|_| anyhow!("the publisher {} panicked", self.name))
    }
}

/// The node itself: what survives a kill of everybody else.
struct Node {
    key: NodeKey,
    flash: FlashId,
    client: Option<Client>,
    began: Instant,
    boot_utc: Timestamp,
    session: u32,
    next: u64,
    /// Frames that were not named yet, by their first sequence; what is sent is made anew each time.
    open: BTreeMap<u64, Vec<Sampled>>,
    ledger: Arc<Mutex<Ledger>>,
    /// What was acknowledged.
    named: Arc<Mutex<BTreeSet<u64>>>,
    shared: Arc<Shared>,
    is_up: bool,
    /// The last frame that was sent since everything open was.
    upto: u64,
    taken: Instant,
    sent: Instant,
}

impl Node {
    fn live(mut self, told: &mpsc::Receiver<Heard>) {
        while !self.shared.is_over.load(Ordering::Relaxed) {
            match told.recv_timeout(LISTEN) {
                Ok(Heard::Up(client)) => self.greet(client),
                Ok(Heard::Down) => self.is_up = false,
                Ok(Heard::Message(message)) => self.hear(&message),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.take();
            if self.is_up && self.sent.elapsed() > RESEND_AFTER {
                self.send_all();
            }
        }
    }

    /// Takes readings where it is time: they are in the ledger before they are sent.
    fn take(&mut self) {
        let is_closed = self.shared.is_closed.load(Ordering::Relaxed);
        if is_closed || self.taken.elapsed() < TAKE_EVERY || self.open.len() >= FRAMES_OPEN_MAX {
            return;
        }
        self.taken = Instant::now();
        let uptime = self.uptime();
        let first = self.next;
        let readings: Vec<Sampled> = (0..READINGS_A_FRAME)
            .map(|nth| Sampled {
                channel: 0,
                uptime: Uptime(uptime + nth),
                reading: Ok(Scaled(value_of(first + nth))),
                quality: Quality::Good,
            })
            .collect();
        self.next += READINGS_A_FRAME;
        let entries = (first..).zip(&readings).map(|(sequence, reading)| Entry {
            flash: self.flash.to_string(),
            boot: 1,
            sequence,
            channel: 0,
            uptime_ms: reading.uptime.0,
            value: Ok(i64::from(value_of(sequence))),
            quality: None,
        });
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).entries.extend(entries);
        self.open.insert(first, readings);
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        self.send_next();
    }

    fn uptime(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn greet(&mut self, client: Client) {
        self.is_up = true;
        self.session += 1;
        for kind in [TopicKind::Ack, TopicKind::Command] {
            let topic = Topic::new(&self.key, kind).to_string();
            // Without room the silence that follows makes it try again with the next connection.
            drop(client.try_subscribe(topic, QoS::AtLeastOnce));
        }
        self.client = Some(client);
        self.give_birth();
        self.send_all();
    }

    fn give_birth(&self) {
        let (Ok(position), Ok(sensor)) = (Slug::new("canopy"), Slug::new("ledger")) else { return };
        let channel = Channel {
            quantity: Quantity::AirTemperature,
            position,
            sensor,
            calibration: 0,
            enabled: true,
        };
        let birth = Birth {
            flash: self.flash,
            boot: BootId(1),
            session: self.session,
            uptime: Uptime(self.uptime()),
            next_sequence: Sequence(self.next),
            ring_used: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            ring_size: u32::try_from(FRAMES_OPEN_MAX).unwrap_or(u32::MAX),
            interval_ms: 100,
            next_due_ms: None,
            settings: 0,
            rolled_back: None,
            heartbeat_ms: None,
            target: None,
            release: 0,
            firmware: "ledger".parse().unwrap_or_default(),
            channels: [channel].into_iter().collect(),
        };
        let mut bytes = vec![0; wire::BIRTH_BYTES_MAX];
        if let Ok(length) = wire::encode_birth(&birth, &mut bytes) {
            bytes.truncate(length);
            self.publish(TopicKind::Birth, true, bytes);
        }
    }

    fn send_all(&mut self) {
        self.sent = Instant::now();
        self.upto = 0;
        self.send_next();
    }

    /// Sends what is next, as long as not too much is under way.
    fn send_next(&mut self) {
        for (first, readings) in self.open.iter().take(FRAMES_IN_FLIGHT_MAX) {
            if *first > self.upto {
                self.send(*first, readings);
            }
        }
        let last = self.open.keys().take(FRAMES_IN_FLIGHT_MAX).next_back().copied();
        self.upto = self.upto.max(last.unwrap_or_default());
    }

    fn send(&self, first: u64, readings: &[Sampled]) {
        if !self.is_up {
            return;
        }
        let body = Body::Readings {
            first: Sequence(first),
            boot_utc: Some(self.boot_utc),
            uncertain: false,
            history: false,
            readings: readings.iter().cloned().collect(),
        };
        let (flash, boot, sent) = (self.flash, BootId(1), Uptime(self.uptime()));
        let mut bytes = vec![0; wire::FRAME_BYTES_MAX];
        if let Ok(length) = wire::encode_data(&Data { flash, boot, sent, body }, &mut bytes) {
            bytes.truncate(length);
            self.publish(TopicKind::Data, false, bytes);
        }
    }

    fn publish(&self, kind: TopicKind, is_retained: bool, bytes: Vec<u8>) {
        let topic = Topic::new(&self.key, kind).to_string();
        if let Some(client) = &self.client {
            // What finds no room is sent again: it stays open until it is named.
            drop(client.try_publish(topic, QoS::AtLeastOnce, is_retained, bytes));
        }
    }

    fn hear(&mut self, message: &Publish) {
        if message.topic.ends_with(b"/cmd") {
            self.give_birth();
            return;
        }
        let Ok(ack) = wire::decode_ack(&message.payload) else { return };
        if ack.flash != self.flash {
            return;
        }
        let before = self.open.len();
        let mut names = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        self.open.retain(|first, readings| {
            let last = first + readings.len() as u64 - 1;
            let is_open = !ack
                .ranges
                .iter()
                .any(|range| range.contains(Sequence(*first)) && range.contains(Sequence(last)));
            if !is_open {
                names.extend(*first..=last);
            }
            is_open
        });
        drop(names);
        let named = before - self.open.len();
        self.shared.open.fetch_sub(named, Ordering::Relaxed);
        if named > 0 {
            self.sent = Instant::now();
            self.send_next();
        }
    }
}

/// What the broker says to a publisher.
enum Heard {
    Up(Client),
    Down,
    Message(Box<Publish>),
}

/// Connects, and polls, until nobody listens any more. On a thread of its own, because a poll that is
/// dropped halfway leaves a message counted as under way that was never written. Each connection has a
/// client of its own: rumqttc 0.25 keeps its last packet id, and fails at every connection from then on
/// where that lies above what the next broker lets be under way.
fn listen(options: &MqttOptions, tell: &mpsc::Sender<Heard>) {
    loop {
        let (client, mut connection) = Client::new(options.clone(), REQUESTS_MAX);
        while let Ok(Ok(event)) = connection.recv() {
            let heard = match event {
                Event::Incoming(Incoming::ConnAck(_)) => Heard::Up(client.clone()),
                Event::Incoming(Incoming::Publish(message)) => Heard::Message(Box::new(message)),
                _ => continue,
            };
            if tell.send(heard).is_err() {
                return;
            }
        }
        if tell.send(Heard::Down).is_err() {
            return;
        }
        std::thread::sleep(RETRY);
    }
}

/// The value of a sequence, in thousandths of a degree: a reading stored under another's is seen.
fn value_of(sequence: u64) -> i32 {
    20_000 + i32::try_from(sequence % 7_919).unwrap_or(0)
}
