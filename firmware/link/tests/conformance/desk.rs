//! The gateway of these tests: it keeps what comes, acknowledges it, and gives orders. It works behind
//! Mosquitto and within the scripted peer alike.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use host::clock::Clock;
use host::fleet::load_key;
use measure::{FlashId, NodeKey, Sequence, SequenceRange, Slug, Timestamp, Uptime};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio_util::sync::CancellationToken;
use wire::{Ack, Body, Request, Topic, TopicKind};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(58);
/// Between two looks at what has come.
const LOOK: Duration = Duration::from_millis(20);
/// A birth that names so few readings has nothing left from before.
const RING_USED_MAX: u32 = 60;

/// What has come so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The session of each birth, in the order of their coming.
    pub(crate) sessions: Vec<u32>,
    /// Readings that waited in the flash at the last birth.
    ring_used: u32,
    /// By sequence; each is given once, whatever comes again.
    pub(crate) kept: BTreeMap<(FlashId, Sequence), Option<i32>>,
    /// Readings that came again.
    pub(crate) repeats: usize,
    gaps: Vec<SequenceRange>,
}

/// A gateway's desk.
pub(crate) struct Desk {
    pub(crate) key: NodeKey,
    pub(crate) clock: Clock,
    seen: Mutex<Seen>,
    orders: Mutex<Vec<Vec<u8>>>,
}

impl Desk {
    /// Returns the desk of one node, whose time runs `speed` times as fast as the real one.
    pub(crate) fn new(speed: f64) -> Arc<Self> {
        let noon = Timestamp::from_millis(1_782_907_200_000).unwrap();
        Arc::new(Self {
            key: load_key(&Slug::new("test").unwrap(), 1),
            clock: Clock::starting_at(noon, speed),
            seen: Mutex::default(),
            orders: Mutex::default(),
        })
    }

    /// Takes a message in and returns what is to be published: its acknowledgement, and orders.
    pub(crate) fn take(&self, topic: &str, payload: &[u8]) -> Vec<(String, Vec<u8>)> {
        let topic = Topic::parse(topic).unwrap();
        assert_eq!(topic.node_key(), self.key);
        let ack = self.keep(&topic, payload).map(|ack| {
            let mut buffer = [0; wire::ACK_BYTES_MAX];
            let length = wire::encode_ack(&ack, &mut buffer).unwrap();
            (TopicKind::Ack, buffer[..length].to_vec())
        });
        let is_said = matches!(topic.kind, TopicKind::Birth | TopicKind::Data);
        let orders =
            if is_said { std::mem::take(&mut *self.orders.lock().unwrap()) } else { Vec::new() };
        let orders = orders.into_iter().map(|order| (TopicKind::Command, order));
        ack.into_iter()
            .chain(orders)
            .map(|(kind, bytes)| (Topic::new(&self.key, kind).to_string(), bytes))
            .collect()
    }

    fn keep(&self, topic: &Topic, payload: &[u8]) -> Option<Ack> {
        let mut seen = self.seen.lock().unwrap();
        let ack = |flash, echo: Uptime, range: Option<SequenceRange>| {
            Some(Ack { flash, ranges: range.into_iter().collect(), utc: self.clock.now(), echo })
        };
        match topic.kind {
            TopicKind::Birth => {
                let birth = wire::decode_birth(payload).unwrap();
                seen.sessions.push(birth.session);
                seen.ring_used = birth.ring_used;
                ack(birth.flash, birth.uptime, None)
            }
            TopicKind::Data => {
                let data = wire::decode_data(payload).unwrap();
                let range = match data.body {
                    Body::Readings { first, readings, .. } => {
                        for (sampled, sequence) in readings.iter().zip(first.0..) {
                            let value = sampled.reading.ok().map(|value| value.0);
                            let before = seen.kept.insert((data.flash, Sequence(sequence)), value);
                            assert!(before.is_none_or(|before| before == value), "{sequence}");
                            seen.repeats += usize::from(before.is_some());
                        }
                        SequenceRange::new(first, Sequence(first.0 + readings.len() as u64 - 1))
                    }
                    Body::Gap { range, .. } => {
                        seen.gaps.push(range);
                        Some(range)
                    }
                    Body::Answer { .. } | Body::Event { .. } | Body::Update { .. } => return None,
                };
                ack(data.flash, data.sent, range)
            }
            _ => None,
        }
    }

    /// Gives an order, as bytes on the topic of commands, when the node says something next.
    pub(crate) fn order(&self, bytes: Vec<u8>) {
        self.orders.lock().unwrap().push(bytes);
    }

    fn order_birth(&self, id: u32) {
        let mut buffer = [0; wire::COMMAND_BYTES_MAX];
        let request = Request { id, command: wire::Command::Rebirth };
        let length = wire::encode_command(&request, &mut buffer).unwrap();
        self.order(buffer[..length].to_vec());
    }

    /// Waits until what has come is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_met: impl Fn(&Seen) -> bool) -> Seen {
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            let seen = self.seen.lock().unwrap().clone();
            if is_met(&seen) {
                return seen;
            }
            thread::sleep(LOOK);
        }
        let seen = self.seen.lock().unwrap();
        let last = seen.kept.keys().next_back();
        let (kept, births) = (seen.kept.len(), &seen.sessions);
        panic!("waited in vain for {what}: {kept} kept up to {last:?}, births {births:?}");
    }

    /// Waits until the `recorded` readings are here, and the node has freed what was acknowledged.
    /// Nothing is missing, and nothing was given up.
    #[track_caller]
    pub(crate) fn until_all(&self, recorded: usize) -> Seen {
        // The sequences of a new flash count from 0.
        let seen = self.until("all readings", |seen| {
            let last = seen.kept.keys().next_back();
            let is_whole = last.is_some_and(|(_, last)| last.0 + 1 == seen.kept.len() as u64);
            is_whole && seen.kept.len() >= recorded
        });
        assert_eq!(seen.gaps, [], "readings were given up");
        for id in 1.. {
            let births = self.until("readings", |_| true).sessions.len();
            self.order_birth(id);
            let seen = self.until("the birth", |seen| seen.sessions.len() > births);
            if seen.ring_used <= RING_USED_MAX {
                break;
            }
            assert!(id < 50, "{} readings wait in the flash", seen.ring_used);
            thread::sleep(LOOK);
        }
        seen
    }
}

/// Mosquitto in its default configuration, on a port of its own, ended with the test.
pub(crate) struct Mosquitto {
    process: Child,
    pub(crate) address: SocketAddr,
}

/// Returns an address at which nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Mosquitto {
    /// Starts it with nothing but a listener that lets everyone in; `None`, and said so, where there is
    /// no Mosquitto.
    pub(crate) fn start(address: SocketAddr) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mosquitto.conf");
        let text = format!("listener {} {}\nallow_anonymous true\n", address.port(), address.ip());
        std::fs::write(&file, text).unwrap();
        let started = ["/usr/sbin/mosquitto", "mosquitto"].iter().find_map(|path| {
            Command::new(path).arg("-c").arg(&file).stderr(Stdio::null()).spawn().ok()
        });
        let Some(process) = started else {
            println!("SKIPPED: mosquitto is not installed");
            return None;
        };
        let mosquitto = Self { process, address };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return Some(mosquitto);
            }
            thread::sleep(LOOK);
        }
        panic!("mosquitto does not listen");
    }
}

impl Drop for Mosquitto {
    /// `kill -9`.
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The desk's own client of a broker.
pub(crate) struct Clerk {
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Clerk {
    pub(crate) fn start(desk: Arc<Desk>, address: SocketAddr) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = serve(&desk, address) => {}
                }
            });
        });
        Self { stop, thread: Some(thread) }
    }
}

async fn serve(desk: &Desk, address: SocketAddr) {
    let mut options = MqttOptions::new("gateway", address.ip().to_string(), address.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 1_000);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                client.try_subscribe("miaopu/1/#", QoS::AtLeastOnce).unwrap();
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let kind = Topic::parse(std::str::from_utf8(&publish.topic).unwrap()).unwrap().kind;
                if !matches!(kind, TopicKind::Birth | TopicKind::Data | TopicKind::Death) {
                    continue;
                }
                let topic = std::str::from_utf8(&publish.topic).unwrap();
                for (topic, bytes) in desk.take(topic, &publish.payload) {
                    client.try_publish(topic, QoS::AtLeastOnce, false, bytes).unwrap();
                }
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // What it died of is printed; the test waits in vain then, and fails.
            drop(thread.join());
        }
    }
}
