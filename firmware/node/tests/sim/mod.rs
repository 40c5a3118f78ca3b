//! A flash chip, a gateway and a node between them, all under a clock that the test turns.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test panics where it fails")]
#![expect(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod flash;
pub(crate) mod gateway;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use flash::{Chip, PAGE_BYTES, PowerCut};
use gateway::{Gateway, Outgoing};
use measure::{NodeKey, Quality, Quantity, Reading, Scaled, Sequence, Slug, Timestamp, Uptime};
use node::{Action, Config, Error, Layout, Node, Origin, Recorded};
use wire::Channel;

pub(crate) const PAGES: usize = 512;
pub(crate) type TestNode = Node<Chip<PAGE_BYTES>, PAGES>;
pub(crate) type TestError = Error<PowerCut>;
/// A bench with small pages, which turn over soon.
pub(crate) type Bench = BenchOf<PAGE_BYTES>;

/// 2023-11-14T22:13:20Z.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000).unwrap();

/// Runs a future whose flash never makes it wait.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the simulated flash never waits"),
    }
}

pub(crate) fn config(channels: usize, ring_pages: u32, page_bytes: u32) -> Config {
    let quantities = [
        Quantity::AirTemperature,
        Quantity::RelativeHumidity,
        Quantity::Co2,
        Quantity::Illuminance,
        Quantity::SubstrateTemperature,
        Quantity::SubstrateMoisture,
        Quantity::SubstrateEc,
        Quantity::SubstratePh,
    ];
    let channel = |quantity: &Quantity| Channel {
        quantity: *quantity,
        position: Slug::new("canopy").unwrap(),
        sensor: Slug::new("sht4x").unwrap(),
        calibration: 0,
        enabled: true,
    };
    let page = page_bytes;
    Config {
        key: NodeKey { site: Slug::new("nanchuan").unwrap(), node: Slug::new("bench-7").unwrap() },
        firmware: "test-1".try_into().unwrap(),
        target: None,
        release: 0,
        channels: quantities.iter().take(channels).map(channel).collect(),
        interval_ms: 60_000,
        gateways: heapless::Vec::new(),
        backlog_pause_ms: 0,
        layout: Layout::split(0..(4 + ring_pages) * page, page),
    }
}

/// One reading as the node said that it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) channel: u8,
    pub(crate) reading: Reading,
    pub(crate) utc: Timestamp,
    pub(crate) history: bool,
}

/// A node on its bench.
pub(crate) struct BenchOf<const PAGE: usize> {
    pub(crate) flash: Chip<PAGE>,
    pub(crate) config: Config,
    pub(crate) node: Option<Node<Chip<PAGE>, PAGES>>,
    pub(crate) gateway: Gateway,
    /// True time.
    pub(crate) utc: Timestamp,
    /// True time of the last boot.
    pub(crate) booted: Timestamp,
    pub(crate) boots: u64,
    pub(crate) online: bool,
    /// What the node said that it has, by flash id and sequence.
    pub(crate) taken: BTreeMap<(u32, u64), Taken>,
    /// What it was given and did not confirm.
    pub(crate) tried: Vec<Taken>,
    pub(crate) actions: Vec<Action<'static>>,
    /// Bytes of images that were given to the board: release, offset, bytes.
    pub(crate) chunks: Vec<(u32, u32, Vec<u8>)>,
    pub(crate) value: i32,
}

impl<const PAGE: usize> BenchOf<PAGE> {
    pub(crate) fn new(channels: usize, ring_pages: u32) -> Self {
        let config = config(channels, ring_pages, PAGE as u32);
        Self {
            flash: Chip::new(4 + ring_pages),
            config,
            node: None,
            gateway: Gateway::new(),
            utc: START,
            booted: START,
            boots: 0,
            online: false,
            taken: BTreeMap::new(),
            tried: Vec::new(),
            actions: Vec::new(),
            chunks: Vec::new(),
            value: 0,
        }
    }

    pub(crate) fn now(&self) -> Uptime {
        Uptime(self.utc.ms_since(self.booted) as u64)
    }

    pub(crate) fn wait(&mut self, ms: i64) {
        self.utc = self.utc.plus_ms(ms);
    }

    /// Cuts the power and starts again; true where the node came up.
    pub(crate) fn boot(&mut self) -> Result<(), TestError> {
        self.node = None;
        self.online = false;
        self.boots += 1;
        self.booted = self.utc;
        let random = 0x1234_5678_9ABC_DEF0_u64.wrapping_mul(self.boots) ^ 0x5555;
        self.node = Some(run(Node::open(
            self.flash.clone(),
            self.config.clone(),
            random,
            node::Start::Cold,
        ))?);
        Ok(())
    }

    pub(crate) fn node(&mut self) -> &mut Node<Chip<PAGE>, PAGES> {
        self.node.as_mut().expect("the node is up")
    }

    /// Records one round with a value for each channel that no other reading has.
    pub(crate) fn record(&mut self) -> Result<Recorded, TestError> {
        self.record_as(Origin::Live)
    }

    pub(crate) fn record_as(&mut self, origin: Origin) -> Result<Recorded, TestError> {
        let now = self.now();
        let round: Vec<(u8, Reading, Quality)> = (0..self.config.channels.len())
            .map(|channel| {
                self.value += 1;
                (channel as u8, Ok(Scaled(self.value)), Quality::Good)
            })
            .collect();
        let history = origin == Origin::History;
        let taken = |one: &(u8, Reading, Quality)| Taken {
            channel: one.0,
            reading: one.1,
            utc: self.utc,
            history,
        };
        let taken: Vec<Taken> = round.iter().map(taken).collect();
        let node = self.node.as_mut().expect("the node is up");
        match run(node.record(now, &round, origin)) {
            Ok(recorded) => {
                let flash = node.flash_id().0;
                for (one, sequence) in taken.into_iter().zip(recorded.first.0..) {
                    let before = self.taken.insert((flash, sequence), one);
                    assert_eq!(before, None, "sequence {sequence} was given twice");
                }
                Ok(recorded)
            }
            Err(error) => {
                self.tried.extend(taken);
                Err(error)
            }
        }
    }

    pub(crate) fn connect(&mut self) -> Result<(), TestError> {
        self.node().connected();
        self.online = true;
        self.pump()
    }

    pub(crate) fn disconnect(&mut self) {
        self.online = false;
        self.node().disconnected();
    }

    /// Takes the next message from the node, without giving it to the gateway.
    pub(crate) fn next(&mut self) -> Result<Option<Sent>, TestError> {
        let now = self.now();
        let mut buffer = [0; wire::BIRTH_BYTES_MAX];
        let publish = run(self.node().next_publish(now, &mut buffer))?;
        Ok(publish.map(|publish| {
            assert_eq!(publish.qos, 1);
            Sent {
                topic: publish.topic.as_str().into(),
                payload: publish.payload.to_vec(),
                retain: publish.retain,
            }
        }))
    }

    pub(crate) fn hear(&mut self, message: &Outgoing) -> Result<(), TestError> {
        let now = self.now();
        let action = match run(self.node().receive(now, &message.topic, &message.payload))? {
            None => return Ok(()),
            Some(Action::Chunk(chunk)) => {
                self.chunks.push((chunk.release, chunk.offset, chunk.bytes.to_vec()));
                return Ok(());
            }
            Some(Action::Identify) => Action::Identify,
            Some(Action::Configured) => Action::Configured,
            Some(Action::Reconnect) => Action::Reconnect,
            Some(Action::Reboot) => Action::Reboot,
            Some(Action::Offer { id, manifest, signature }) => {
                Action::Offer { id, manifest, signature }
            }
        };
        self.actions.push(action);
        Ok(())
    }

    /// Lets node and gateway talk until nobody has anything to say. Each message takes `latency_ms`.
    pub(crate) fn pump(&mut self) -> Result<(), TestError> {
        for _ in 0..10_000 {
            let Some(sent) = self.next()? else { return Ok(()) };
            self.wait(self.gateway.latency_ms);
            let answers = self.gateway.hear(&sent, self.utc);
            self.wait(self.gateway.latency_ms);
            for answer in answers {
                self.hear(&answer)?;
            }
        }
        panic!("node and gateway never stop talking");
    }

    /// Lets time go by in seconds, talking all the while.
    pub(crate) fn pass(&mut self, seconds: i64) -> Result<(), TestError> {
        for _ in 0..seconds {
            self.wait(1_000);
            self.pump()?;
        }
        Ok(())
    }

    /// Every reading that the node has said to have is at the gateway, as it was taken, or in a gap that
    /// says that the ring was full; and nothing else is there but what the node was given.
    #[track_caller]
    pub(crate) fn nothing_is_lost(&self) {
        for (key, taken) in &self.taken {
            match self.gateway.readings.get(key) {
                Some(stored) => assert_eq!(
                    (stored.channel, stored.reading, stored.history),
                    (taken.channel, taken.reading, taken.history),
                    "{key:?}"
                ),
                None => assert!(self.gateway.is_dropped(*key), "{key:?} {taken:?} is lost"),
            }
        }
        for (key, stored) in &self.gateway.readings {
            if !self.taken.contains_key(key) {
                let was_tried = self.tried.iter().any(|tried| tried.reading == stored.reading);
                assert!(was_tried, "{key:?} {stored:?} was never taken");
            }
        }
    }

    /// No reading came that the node had given up. Only for a gateway that heard nothing before the ring
    /// was full.
    #[track_caller]
    pub(crate) fn nothing_comes_that_was_given_up(&self) {
        let given_up = self.gateway.readings.keys().find(|key| self.gateway.is_dropped(**key));
        assert_eq!(given_up, None, "a reading and a gap have the same sequence");
    }

    /// No two gaps overlap, but where one has grown before it was acknowledged; and none but that of a
    /// full ring names a reading that came.
    #[track_caller]
    pub(crate) fn no_hole_is_said_twice(&self) {
        let mut gaps: Vec<_> = self.gateway.gaps.clone();
        gaps.sort_by_key(|(flash, range, _)| (*flash, *range));
        gaps.dedup();
        for pair in gaps.windows(2) {
            let [(flash, one, _), (other_flash, other, _)] = pair else { continue };
            let has_grown = one.first == other.first || one.last == other.last;
            assert!(flash != other_flash || one.last < other.first || has_grown, "{pair:?}");
        }
        for key in self.gateway.readings.keys() {
            let gap = self.gateway.gap_of(*key);
            assert!(matches!(gap, None | Some(wire::GapReason::RingFull)), "{key:?} {gap:?}");
        }
    }

    /// Every sequence that the node has given is a reading or in a gap at the gateway.
    #[track_caller]
    pub(crate) fn nothing_is_unsaid(&mut self) {
        let flash = self.node().flash_id().0;
        let last = self.taken.range((flash, 0)..=(flash, u64::MAX)).next_back().unwrap().0.1;
        for sequence in 0..=last {
            let key = (flash, sequence);
            let is_said =
                self.gateway.readings.contains_key(&key) || self.gateway.gap_of(key).is_some();
            let is_said = is_said || self.gateway.events.contains_key(&key);
            assert!(is_said, "nobody knows what became of sequence {sequence}");
        }
    }
}

/// A message of the node.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) retain: bool,
}

impl Sent {
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.topic.ends_with(kind)
    }

    #[track_caller]
    pub(crate) fn data(&self) -> wire::Data {
        wire::decode_data(&self.payload).unwrap()
    }

    /// The first and last sequence of the readings.
    #[track_caller]
    pub(crate) fn range(&self) -> (u64, u64) {
        match self.data().body {
            wire::Body::Readings { first: Sequence(first), readings, .. } => {
                (first, first + readings.len() as u64 - 1)
            }
            other => panic!("not readings: {other:?}"),
        }
    }
}
