//! The bridge that somebody would write to bring our nodes' frames into a database: rumqttc with
//! manual acknowledgements, our own decoder of frames, line protocol.
//!
//! As good as we can make it: a session of MQTT 5 with 1,024 messages under way; two threads that
//! each take all that waits, up to 1,024 frames, and post it in one request over a connection that is
//! kept, while the other one waits for its answer; everything but time and value of a line is written
//! once for each channel; numbers are formatted without floating point; a message is acknowledged to
//! the broker after the database has answered. Which frames are stored is told to the nodes through
//! memory: with us the same goes over MQTT, so this favours the peer.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use wire::{Body, Data};

use crate::feed::{self, Book};
use crate::peers::Database;

/// As many messages on the way as our own session has.
const RECEIVE_MAX: u16 = 1_024;
/// The most frames in one request.
const FRAMES_MAX: usize = 1_024;
/// How long a request waits for more frames after its first one, as ours does.
const LINGER: Duration = Duration::from_millis(20);
/// Requests that may be under way at a time.
const WRITERS: usize = 2;
/// How often a waiting thread looks whether it is over.
const LOOK: Duration = Duration::from_millis(100);

/// Where lines go.
#[derive(Clone)]
pub(crate) enum Sink {
    /// Nowhere: they are written into memory and forgotten.
    Null,
    Database(Arc<Database>),
}

/// A running bridge.
pub(crate) struct Bridge {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Bridge {
    /// Connects to the broker; `books` are those of the nodes, by the number in their names.
    pub(crate) fn start(broker: SocketAddr, sink: &Sink, books: Arc<Vec<Book>>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (inbox, arrivals) = sync_channel(2 * FRAMES_MAX);
        let arrivals = Arc::new(Mutex::new(arrivals));
        let mut options = MqttOptions::new("bridge", broker.ip().to_string(), broker.port());
        let mut properties = ConnectProperties::new();
        properties.receive_maximum = Some(RECEIVE_MAX);
        options.set_connect_properties(properties).set_manual_acks(true);
        let mut network = options.network_options();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        let (client, events) = AsyncClient::new(options, 2 * usize::from(RECEIVE_MAX));
        let (told, subscribed) = sync_channel(1);
        let mut threads = Vec::new();
        {
            let (client, stop) = (client.clone(), Arc::clone(&stop));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let work = move || runtime.block_on(listen(client, events, inbox, told, stop));
            threads.push(std::thread::Builder::new().name("bridge".to_owned()).spawn(work)?);
        }
        for _ in 0..WRITERS {
            let writer = Writer {
                client: client.clone(),
                sink: sink.clone(),
                books: Arc::clone(&books),
                lines: HashMap::new(),
            };
            let (arrivals, stop) = (Arc::clone(&arrivals), Arc::clone(&stop));
            let work = move || writer.run(&arrivals, &stop);
            threads.push(std::thread::Builder::new().name("bridge".to_owned()).spawn(work)?);
        }
        subscribed.recv_timeout(Duration::from_secs(10)).context("the bridge did not subscribe")?;
        Ok(Self { stop, threads })
    }

    /// Tells it that what it writes to goes now.
    pub(crate) fn halt(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Ends it, and says what went wrong with it.
    pub(crate) fn stop(self) -> Result<()> {
        self.stop.store(true, Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("the bridge panicked"))??;
        }
        Ok(())
    }
}

async fn listen(
    client: AsyncClient,
    mut events: rumqttc::v5::EventLoop,
    inbox: SyncSender<Publish>,
    told: SyncSender<()>,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    while !stop.load(Relaxed) {
        let Ok(event) = tokio::time::timeout(LOOK, events.poll()).await else { continue };
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let filter = Filter::new("miaopu/1/+/+/data", QoS::AtLeastOnce);
                client.try_subscribe_many([filter])?;
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => told.send(())?,
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if inbox.send(publish).is_err() {
                    break;
                }
            }
            Ok(_) => {}
            Err(_) if stop.load(Relaxed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

struct Writer {
    client: AsyncClient,
    sink: Sink,
    books: Arc<Vec<Book>>,
    /// What stands before the value in a line, by topic and channel; and the node's number.
    lines: HashMap<bytes::Bytes, (usize, Vec<String>)>,
}

impl Writer {
    fn run(mut self, arrivals: &Mutex<Receiver<Publish>>, stop: &AtomicBool) -> Result<()> {
        let (mut batch, mut lines) = (Vec::new(), String::new());
        while !stop.load(Relaxed) {
            gather(arrivals, &mut batch);
            if batch.is_empty() {
                continue;
            }
            lines.clear();
            let mut frames = vec![0_u64; self.books.len()];
            for publish in &batch {
                let number = self.write_lines(publish, &mut lines)?;
                if let Some(count) = frames.get_mut(number) {
                    *count += 1;
                }
            }
            if let Sink::Database(database) = &self.sink
                && let Err(error) = database.write(&lines)
            {
                // Killed on purpose, at the end of a measurement.
                return if stop.load(Relaxed) { Ok(()) } else { Err(error) };
            }
            for publish in batch.drain(..) {
                while self.client.try_ack(&publish).is_err() && !stop.load(Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            for (book, frames) in self.books.iter().zip(frames).filter(|(_, frames)| *frames > 0) {
                feed::stored(book, frames);
            }
        }
        Ok(())
    }

    fn write_lines(&mut self, publish: &Publish, out: &mut String) -> Result<usize> {
        let data: Data = wire::decode_data(&publish.payload)?;
        let (number, prefixes) = match self.lines.get(&publish.topic) {
            Some(known) => known,
            None => {
                let topic = std::str::from_utf8(&publish.topic)?;
                let node = topic.split('/').nth(3).context("a topic names its node")?;
                let number = node.strip_prefix('n').context("a node has a number")?.parse()?;
                let prefix = |(quantity, _, _): &(measure::Quantity, i32, i32)| {
                    format!("r,node={node},position=bench,quantity={} v=", quantity.name())
                };
                let prefixes = feed::CHANNELS.iter().map(prefix).collect();
                self.lines.entry(publish.topic.clone()).or_insert((number, prefixes))
            }
        };
        let Body::Readings { boot_utc, readings, .. } = &data.body else { return Ok(*number) };
        let boot_ms = boot_utc.context("the frame is dated")?.millis();
        for sampled in readings {
            let channel = usize::from(sampled.channel);
            let Some((prefix, (quantity, ..))) =
                prefixes.get(channel).zip(feed::CHANNELS.get(channel))
            else {
                continue;
            };
            let Ok(value) = sampled.reading else { continue };
            out.push_str(prefix);
            write_decimal(out, value.0, quantity.decimals());
            writeln!(out, " {}", boot_ms + sampled.uptime.0 as i64)?;
        }
        Ok(*number)
    }
}

/// Takes all that waits, and what comes within the linger.
fn gather(arrivals: &Mutex<Receiver<Publish>>, batch: &mut Vec<Publish>) {
    let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let Ok(first) = arrivals.recv_timeout(LOOK) else { return };
    batch.push(first);
    let until = Instant::now() + LINGER;
    while batch.len() < FRAMES_MAX {
        match arrivals.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(next) => batch.push(next),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Writes a scaled number with its decimals.
pub(crate) fn write_decimal(out: &mut String, scaled: i32, decimals: u8) {
    let step = 10_u32.pow(u32::from(decimals));
    let (whole, rest) = (scaled.unsigned_abs() / step, scaled.unsigned_abs() % step);
    let sign = if scaled < 0 { "-" } else { "" };
    let width = usize::from(decimals);
    let written = if decimals == 0 {
        write!(out, "{sign}{whole}")
    } else {
        write!(out, "{sign}{whole}.{rest:0width$}")
    };
    debug_assert!(written.is_ok(), "a String takes any text");
}
