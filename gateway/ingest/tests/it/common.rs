//! A gateway and its nodes on loopback: real brokers and clients, a store and a book in memory that
//! can be told to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use broker::{Broker, Gatekeeper, Rights};
use ingest::{
    Account, Config, DeadLetter, DeadLetters, Directory, LocalEpisodes, LocalEvent, Outlets,
    PortError, Ports, Secret, Unassessed,
};
use measure::{
    BootId, FlashId, NodeKey, Quality, Quantity, Scaled, Sequence, SequenceRange, Slug, Timestamp,
    Uptime,
};
use rumqttc::v5;
use rumqttc::v5::mqttbytes::QoS;
use store::{
    Batch, Columns, Committed, Gap, Origin, Part, Position, Sample, SeriesId, SeriesKey, Store,
};
use tokio_util::sync::CancellationToken;
use wire::{Ack, Birth, Body, Channel, Data, Death, Request, Sampled};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// How long a test waits for what must not come.
pub(crate) const NEVER: Duration = Duration::from_millis(300);
/// The gateway's clock, which stands still.
pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(NOW_MS).unwrap()
}

pub(crate) fn node_key(name: &str) -> NodeKey {
    NodeKey { site: Slug::new("s").unwrap(), node: Slug::new(name).unwrap() }
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    tokio::time::timeout(DEADLINE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never came: {what}"));
}

// ---------------------------------------------------------------------------------------- store

/// A store in memory that can be held up and made to fail.
#[derive(Default)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
    pub(crate) fault: Mutex<Option<Fault>>,
    /// How many commits are let through; `None` for all.
    gate: Mutex<Option<u32>>,
    opened: Condvar,
}

#[derive(Default)]
pub(crate) struct Kept {
    series: Vec<SeriesKey>,
    pub(crate) samples: BTreeMap<(NodeKey, FlashId, Sequence), Sample>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) commits: u64,
}

/// How the store fails.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Full,
    NoFreeTime(NodeKey),
}

impl Memory {
    /// Holds every commit up until [`Memory::open`].
    pub(crate) fn shut(&self) {
        self.let_through(Some(0));
    }

    pub(crate) fn open(&self) {
        self.let_through(None);
    }

    /// Lets so many commits through, and holds up the next one.
    pub(crate) fn let_through(&self, commits: Option<u32>) {
        *self.gate.lock().unwrap() = commits;
        self.opened.notify_all();
    }

    pub(crate) fn fail(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(crate) fn with<T>(&self, read: impl FnOnce(&Kept) -> T) -> T {
        read(&self.kept.lock().unwrap())
    }

    pub(crate) fn count(&self) -> usize {
        self.with(|kept| kept.samples.len())
    }
}

impl Store for Memory {
    fn series_id(&self, key: &SeriesKey) -> Result<SeriesId, store::Error> {
        let mut kept = self.kept.lock().unwrap();
        let found = kept.series.iter().position(|known| known == key);
        let index = found.unwrap_or_else(|| {
            kept.series.push(key.clone());
            kept.series.len() - 1
        });
        Ok(SeriesId(u32::try_from(index).unwrap()))
    }

    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, store::Error> {
        Ok(self.with(|kept| (0..).map(SeriesId).zip(kept.series.iter().cloned()).collect()))
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, store::Error> {
        let gate = self.gate.lock().unwrap();
        let mut gate = self.opened.wait_while(gate, |commits| *commits == Some(0)).unwrap();
        *gate = gate.map(|commits| commits - 1);
        drop(gate);
        let fault = self.fault.lock().unwrap().clone();
        let mut kept = self.kept.lock().unwrap();
        let (mut new, mut repeated) = (0, 0);
        for part in &batch.parts {
            match (part, &fault) {
                (_, Some(Fault::Full)) => return Err(store::Error::Full),
                (
                    Part::Readings { origin: Origin::Node { node, .. }, samples },
                    Some(Fault::NoFreeTime(refused)),
                ) if node == refused => {
                    let sample = samples.first().unwrap().sample;
                    let (series, time) = (sample.series, sample.time);
                    return Err(store::Error::NoFreeTime { series, time });
                }
                _ => {}
            }
        }
        for part in &batch.parts {
            match part {
                Part::Readings { origin: Origin::Node { node, flash }, samples } => {
                    for incoming in samples {
                        let key = (node.clone(), *flash, incoming.sequence);
                        match kept.samples.entry(key) {
                            std::collections::btree_map::Entry::Vacant(slot) => {
                                slot.insert(incoming.sample);
                                new += 1;
                            }
                            std::collections::btree_map::Entry::Occupied(_) => repeated += 1,
                        }
                    }
                }
                Part::Readings { origin: Origin::Guest, .. } => {}
                Part::Gap(gap) => kept.gaps.push(gap.clone()),
                Part::Derived(_) | Part::Flags(_) => {}
            }
        }
        if new > 0 {
            kept.commits += 1;
        }
        let position = Position(kept.commits);
        Ok(Committed { position, kept: new, repeated, ..Committed::default() })
    }

    fn seen(&self, _: &NodeKey, _: FlashId) -> Result<Vec<SequenceRange>, store::Error> {
        Ok(Vec::new())
    }

    fn latest(&self) -> Result<Vec<Sample>, store::Error> {
        Ok(Vec::new())
    }

    fn scan(
        &self,
        _: SeriesId,
        _: Timestamp,
        _: Timestamp,
        _: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), store::Error> {
        Ok(())
    }

    fn downsample(
        &self,
        series: SeriesId,
        _: Timestamp,
        _: Timestamp,
        _: i64,
        _: Timestamp,
    ) -> Result<Columns, store::Error> {
        Err(store::Error::UnknownSeries(series))
    }

    fn journal(&self, _: Position, _: usize) -> Result<Vec<(Position, Vec<Sample>)>, store::Error> {
        Ok(Vec::new())
    }

    fn release(&self, _: Position) -> Result<(), store::Error> {
        Ok(())
    }

    fn last_position(&self) -> Result<Position, store::Error> {
        Ok(Position(self.with(|kept| kept.commits)))
    }

    fn gaps(&self, node: &NodeKey) -> Result<Vec<Gap>, store::Error> {
        Ok(self.with(|kept| kept.gaps.iter().filter(|gap| gap.node == *node).cloned().collect()))
    }
}

// ----------------------------------------------------------------------------------------- book

/// Births and dead letters in memory. Knows every node but those named `stranger…`.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) births: Mutex<BTreeMap<NodeKey, Birth>>,
    pub(crate) letters: Mutex<Vec<DeadLetter>>,
    /// What nodes judged, by node, flash and sequence.
    pub(crate) events: Mutex<BTreeMap<(NodeKey, FlashId, Sequence), LocalEvent>>,
    pub(crate) is_broken: Mutex<bool>,
    /// Letters that are to be taken again, by number, and what became of them.
    pub(crate) asked: Mutex<BTreeMap<i64, DeadLetter>>,
    pub(crate) outcomes: Mutex<Vec<(i64, Result<(), String>)>>,
}

impl Book {
    pub(crate) fn break_down(&self, is_broken: bool) {
        *self.is_broken.lock().unwrap() = is_broken;
    }

    fn check(&self) -> Result<(), PortError> {
        if *self.is_broken.lock().unwrap() { Err("the book is broken".into()) } else { Ok(()) }
    }

    pub(crate) fn reasons(&self) -> Vec<String> {
        self.letters.lock().unwrap().iter().map(|letter| letter.reason.clone()).collect()
    }
}

impl LocalEpisodes for Book {
    fn keep(&self, events: &[LocalEvent]) -> Result<(), PortError> {
        self.check()?;
        let mut kept = self.events.lock().unwrap();
        for event in events {
            let key = (event.node.clone(), event.flash, event.sequence);
            kept.entry(key).or_insert_with(|| event.clone());
        }
        Ok(())
    }
}

impl Directory for Book {
    fn load(&self) -> Result<Vec<(NodeKey, Birth)>, PortError> {
        self.check()?;
        Ok(self.births.lock().unwrap().clone().into_iter().collect())
    }

    fn save(&self, births: &[(NodeKey, Birth)]) -> Result<(), PortError> {
        self.check()?;
        self.births.lock().unwrap().extend(births.iter().cloned());
        Ok(())
    }

    fn is_known(&self, node: &NodeKey) -> Result<bool, PortError> {
        Ok(!node.node.as_str().starts_with("stranger"))
    }
}

impl DeadLetters for Book {
    fn put(&self, letters: &[DeadLetter]) -> Result<(), PortError> {
        self.check()?;
        self.letters.lock().unwrap().extend(letters.iter().cloned());
        Ok(())
    }

    fn asked(&self, most: usize) -> Result<Vec<(i64, DeadLetter)>, PortError> {
        self.check()?;
        Ok(self.asked.lock().unwrap().clone().into_iter().take(most).collect())
    }

    fn settle(&self, outcomes: &[(i64, Result<(), String>)]) -> Result<(), PortError> {
        self.check()?;
        self.asked.lock().unwrap().retain(|number, _| outcomes.iter().all(|it| it.0 != *number));
        self.outcomes.lock().unwrap().extend(outcomes.iter().cloned());
        Ok(())
    }
}

// -------------------------------------------------------------------------------------- gateway

struct Doorman;

impl Gatekeeper for Doorman {
    fn admit(&self, _: &str, username: &str, _: &[u8]) -> Option<Rights> {
        match username.split_once('/') {
            Some((site, node)) => Some(Rights::Node(NodeKey {
                site: Slug::new(site).ok()?,
                node: Slug::new(node).ok()?,
            })),
            None => Some(Rights::Gateway),
        }
    }
}

pub(crate) fn embedded(port: u16) -> Broker {
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    broker::start(broker::Config { listen, tls: None, listener: None }, Arc::new(Doorman)).unwrap()
}

/// Hears for ingest what nodes publish, as the gateway's own broker does.
struct Ear(ingest::Inlet);

#[async_trait::async_trait]
impl broker::Listener for Ear {
    async fn hear(&self, topic: &str, payload: &bytes::Bytes) {
        let kind = topic.rsplit('/').next().unwrap();
        if ingest::HANDED_OVER.contains(&kind) {
            self.0.hand_over(topic, payload.clone()).await;
        }
    }
}

pub(crate) fn config(port: u16) -> Config {
    let account = Account { username: "gateway".to_owned(), password: Secret::new("any") };
    Config::new("127.0.0.1", port, Some(account))
}

pub(crate) fn ports(store: Arc<dyn Store>, book: Arc<Book>) -> Ports {
    let directory = Arc::clone(&book) as Arc<dyn Directory>;
    let episodes = Arc::clone(&book) as Arc<dyn LocalEpisodes>;
    Ports {
        store,
        directory,
        dead_letters: book,
        episodes,
        assess: Arc::new(Unassessed),
        clock: Arc::new(now),
    }
}

/// A running ingest, and what it works with.
pub(crate) struct Gateway {
    pub(crate) port: u16,
    pub(crate) store: Arc<Memory>,
    pub(crate) book: Arc<Book>,
    pub(crate) outlets: Arc<Outlets>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), ingest::Error>>,
}

impl Gateway {
    /// Starts ingest on a broker at this port and waits until it is subscribed.
    pub(crate) async fn start(port: u16) -> Self {
        let gateway = Self::begin(port, Arc::default(), Arc::default());
        gateway.is_up().await;
        gateway
    }

    /// Starts a broker that hands over what it hears, and ingest with it.
    pub(crate) async fn start_inside() -> (Broker, Self) {
        let outlets = Arc::new(Outlets::default());
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let ear = Arc::new(Ear(outlets.inlet.clone()));
        let broker = broker::Config { listen, tls: None, listener: Some(ear) };
        let broker = broker::start(broker, Arc::new(Doorman)).unwrap();
        let config = Config { handed_over: true, ..config(broker.address().port()) };
        let gateway = Self::begin_on(config, Arc::default(), Arc::default(), outlets);
        gateway.is_up().await;
        (broker, gateway)
    }

    pub(crate) fn begin(port: u16, store: Arc<Memory>, book: Arc<Book>) -> Self {
        Self::begin_with(config(port), store, book)
    }

    pub(crate) fn begin_with(config: Config, store: Arc<Memory>, book: Arc<Book>) -> Self {
        Self::begin_on(config, store, book, Arc::default())
    }

    fn begin_on(
        config: Config,
        store: Arc<Memory>,
        book: Arc<Book>,
        outlets: Arc<Outlets>,
    ) -> Self {
        let (port, stop) = (config.port, CancellationToken::new());
        let ports = ports(Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&book));
        let task = tokio::spawn(ingest::run(config, ports, Arc::clone(&outlets), stop.clone()));
        Self { port, store, book, outlets, stop, task }
    }

    pub(crate) async fn is_up(&self) {
        let health = self.outlets.health.subscribe();
        eventually("the link", || health.borrow().link == ingest::Link::Up).await;
    }

    /// Stops ingest in order.
    pub(crate) async fn stop(mut self) -> (Arc<Memory>, Arc<Book>) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, &mut self.task).await.unwrap().unwrap().unwrap();
        (Arc::clone(&self.store), Arc::clone(&self.book))
    }
}

impl Drop for Gateway {
    /// Lets a commit go that is held up: a failing test would wait for its thread for ever.
    fn drop(&mut self) {
        self.store.open();
    }
}

// ----------------------------------------------------------------------------------------- node

/// A node that speaks real MQTT and does only what it is told.
pub(crate) struct Node {
    pub(crate) key: NodeKey,
    pub(crate) flash: FlashId,
    pub(crate) boot: BootId,
    client: v5::AsyncClient,
    messages: tokio::sync::mpsc::Receiver<v5::mqttbytes::v5::Publish>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn birth(flash: u32, boot: u32, session: u32) -> Birth {
    let channel = |quantity| Channel {
        quantity,
        position: Slug::new("canopy").unwrap(),
        sensor: Slug::new("sht4x").unwrap(),
        calibration: 0,
        enabled: true,
    };
    Birth {
        flash: FlashId(flash),
        boot: BootId(boot),
        session,
        uptime: Uptime(1_000),
        next_sequence: Sequence(1),
        ring_used: 0,
        ring_size: 1_000,
        interval_ms: 60_000,
        next_due_ms: None,
        settings: 0,
        rolled_back: None,
        heartbeat_ms: None,
        target: None,
        release: 0,
        firmware: "test 1".try_into().unwrap(),
        channels: [channel(Quantity::AirTemperature), channel(Quantity::RelativeHumidity)]
            .into_iter()
            .collect(),
    }
}

pub(crate) fn sampled(channel: u8, uptime_ms: u64, value: i32) -> Sampled {
    Sampled {
        channel,
        uptime: Uptime(uptime_ms),
        reading: Ok(Scaled(value)),
        quality: Quality::Good,
    }
}

pub(crate) fn range(first: u64, last: u64) -> SequenceRange {
    SequenceRange { first: Sequence(first), last: Sequence(last) }
}

pub(crate) fn bytes<M>(
    message: &M,
    encode: impl Fn(&M, &mut [u8]) -> Result<usize, wire::Error>,
) -> Vec<u8> {
    let mut buffer = vec![0; 4_096];
    let length = encode(message, &mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

impl Node {
    /// Connects a node and waits until it hears its acknowledgements and commands. Reconnects.
    pub(crate) async fn connect(port: u16, name: &str) -> Self {
        let key = node_key(name);
        let mut options = v5::MqttOptions::new(key.to_string(), "127.0.0.1", port);
        options.set_credentials(key.to_string(), "any");
        options.set_keep_alive(Duration::from_secs(5));
        // rumqttc keeps 13 MB of slots for 65,535 messages in flight otherwise.
        options.set_outgoing_inflight_upper_limit(64);
        let (client, mut eventloop) = v5::AsyncClient::new(options, 1_024);
        let (sender, messages) = tokio::sync::mpsc::channel(4_096);
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let topics = ["ack", "cmd"].map(|kind| {
            let path = format!("miaopu/1/{key}/{kind}");
            v5::mqttbytes::v5::Filter::new(path, QoS::AtLeastOnce)
        });
        let subscriber = client.clone();
        let task = tokio::spawn(async move {
            let mut ready = Some(ready);
            loop {
                match eventloop.poll().await {
                    Ok(v5::Event::Incoming(v5::Incoming::ConnAck(_))) => {
                        subscriber.try_subscribe_many(topics.clone()).unwrap();
                    }
                    Ok(v5::Event::Incoming(v5::Incoming::SubAck(_))) => {
                        if let Some(ready) = ready.take() {
                            ready.send(()).unwrap();
                        }
                    }
                    Ok(v5::Event::Incoming(v5::Incoming::Publish(publish))) => {
                        if sender.send(publish).await.is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        tokio::time::timeout(DEADLINE, is_ready).await.unwrap().unwrap();
        Self { key, flash: FlashId(7), boot: BootId(1), client, messages, task }
    }

    /// Connects and is born, flash 7, boot 1, session 1.
    pub(crate) async fn born(port: u16, name: &str) -> Self {
        let mut node = Self::connect(port, name).await;
        node.give_birth(&birth(7, 1, 1)).await;
        let ack = node.ack().await;
        assert_eq!((ack.ranges.len(), ack.utc, ack.echo), (0, now(), Uptime(1_000)));
        node
    }

    pub(crate) async fn publish(&self, kind: &str, is_retained: bool, payload: Vec<u8>) {
        let topic = format!("miaopu/1/{}/{kind}", self.key);
        self.client.publish(topic, QoS::AtLeastOnce, is_retained, payload).await.unwrap();
    }

    pub(crate) async fn give_birth(&self, birth: &Birth) {
        self.publish("birth", true, bytes(birth, wire::encode_birth)).await;
    }

    pub(crate) async fn die(&self, boot: u32, session: u32) {
        let death = Death { boot: BootId(boot), session };
        self.publish("death", false, bytes(&death, wire::encode_death)).await;
    }

    /// A frame of `count` air temperatures from sequence `first` on, a minute ago.
    pub(crate) fn frame(&self, first: u64, count: usize) -> Data {
        let readings = (0..count).map(|n| sampled(0, 2_000 + n as u64, 20_000 + n as i32));
        Data {
            flash: self.flash,
            boot: self.boot,
            sent: Uptime(60_000),
            body: Body::Readings {
                first: Sequence(first),
                boot_utc: Some(now().plus_ms(-60_000)),
                uncertain: false,
                history: false,
                readings: readings.collect(),
            },
        }
    }

    pub(crate) async fn send(&self, data: &Data) {
        self.publish("data", false, bytes(data, wire::encode_data)).await;
    }

    async fn message(&mut self) -> v5::mqttbytes::v5::Publish {
        tokio::time::timeout(DEADLINE, self.messages.recv()).await.expect("no message").unwrap()
    }

    /// Waits for the next message, which must be an acknowledgement.
    pub(crate) async fn ack(&mut self) -> Ack {
        let message = self.message().await;
        assert!(message.topic.ends_with(b"/ack"), "{message:?}");
        wire::decode_ack(&message.payload).unwrap()
    }

    /// Waits for the next message, which must be a command.
    pub(crate) async fn command(&mut self) -> Request {
        let message = self.message().await;
        assert!(message.topic.ends_with(b"/cmd"), "{message:?}");
        wire::decode_command(&message.payload).unwrap()
    }

    /// Waits until these sequences are acknowledged, in as many acknowledgements as it takes.
    pub(crate) async fn acknowledged(&mut self, ranges: &[SequenceRange]) {
        let mut open: BTreeSet<Sequence> =
            ranges.iter().flat_map(|r| (r.first.0..=r.last.0).map(Sequence)).collect();
        while !open.is_empty() {
            let ack = self.ack().await;
            assert_eq!(ack.flash, self.flash);
            open.retain(|sequence| !ack.ranges.iter().any(|range| range.contains(*sequence)));
        }
    }

    /// Fails where anything comes within a while.
    pub(crate) async fn hears_nothing(&mut self) {
        if let Ok(message) = tokio::time::timeout(NEVER, self.messages.recv()).await {
            panic!("heard {message:?}");
        }
    }
}
