//! Boards against a real broker (Mosquitto, of its own, on a free port) and a gateway made of a few
//! lines: what it acknowledges counts as kept. Skipped, and said so, where Mosquitto is missing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; what fails here fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use host::board::{Counters, HistoryPlan};
use host::clock::Clock;
use host::fleet::{DemoOptions, LoadOptions, demo_boards, load_boards, run_all};
use host::link::Secret;
use host::nursery::demo;
use measure::{BootId, FlashId, NodeKey, Sequence, SequenceRange, Slug, Timestamp, Uptime};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wire::{Ack, Body, Topic, TopicKind};

const PATIENCE: Duration = Duration::from_secs(60);

/// Mosquitto, ended with the test.
struct Broker {
    process: Child,
    address: SocketAddr,
}

impl Broker {
    /// Starts on `address`, or on a free port; `None` where there is no Mosquitto here.
    fn start(address: Option<SocketAddr>) -> Option<Self> {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = address.unwrap_or_else(free);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n",
            address.port()
        );
        std::fs::write(&file, text).unwrap();
        let paths = ["mosquitto", "/usr/sbin/mosquitto"];
        let process = paths.iter().find_map(|path| {
            Command::new(path).arg("-c").arg(&file).stderr(Stdio::null()).spawn().ok()
        });
        let Some(process) = process else {
            println!("SKIPPED: no mosquitto on this machine");
            return None;
        };
        for _ in 0..200 {
            if TcpStream::connect(address).is_ok() {
                return Some(Self { process, address });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("mosquitto does not listen");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A reading as it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    time: Timestamp,
    channel: u8,
    history: bool,
    boot: BootId,
    value: Option<i32>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    births: usize,
    deaths: usize,
    /// By node and sequence. Each is given once, whatever comes again.
    kept: BTreeMap<(String, FlashId, Sequence), Kept>,
    gaps: Vec<SequenceRange>,
}

/// Keeps what comes and acknowledges it.
struct Gateway {
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Gateway {
    fn start(address: SocketAddr, clock: Clock) -> Self {
        Self::start_with(address, move || clock.now())
    }

    /// Starts one whose clock may say anything.
    fn start_with(
        address: SocketAddr,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let (sender, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(async move {
            let mut options = MqttOptions::new("gateway", address.ip().to_string(), address.port());
            options.set_keep_alive(Duration::from_secs(5));
            let (client, mut events) = AsyncClient::new(options, 1_000);
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        client.try_subscribe("miaopu/1/#", QoS::AtLeastOnce).unwrap();
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic = std::str::from_utf8(&publish.topic).unwrap();
                        let topic = Topic::parse(topic).unwrap();
                        let mut answer = None;
                        sender.send_modify(|seen| {
                            answer = keep(seen, &topic, &publish.payload, &now);
                        });
                        if let Some(ack) = answer {
                            let mut buffer = [0; wire::ACK_BYTES_MAX];
                            let length = wire::encode_ack(&ack, &mut buffer).unwrap();
                            let topic = Topic::new(&topic.node_key(), TopicKind::Ack).to_string();
                            let bytes = buffer[..length].to_vec();
                            client.try_publish(topic, QoS::AtLeastOnce, false, bytes).unwrap();
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Self { seen, task }
    }

    async fn until(&mut self, what: &str, is_met: impl FnMut(&Seen) -> bool) -> Seen {
        let met = timeout(PATIENCE, self.seen.wait_for(is_met)).await;
        met.unwrap_or_else(|_| panic!("waited in vain for {what}")).unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn keep(
    seen: &mut Seen,
    topic: &Topic,
    payload: &[u8],
    now: &dyn Fn() -> Timestamp,
) -> Option<Ack> {
    let ack = |flash, echo: Uptime, ranges: Option<SequenceRange>| {
        Some(Ack { flash, ranges: ranges.into_iter().collect(), utc: now(), echo })
    };
    match topic.kind {
        TopicKind::Birth => {
            let birth = wire::decode_birth(payload).unwrap();
            seen.births += 1;
            ack(birth.flash, birth.uptime, None)
        }
        TopicKind::Data => {
            let data = wire::decode_data(payload).unwrap();
            match data.body {
                Body::Readings { first, boot_utc, history, readings, .. } => {
                    for (sampled, sequence) in readings.iter().zip(first.0..) {
                        let kept = Kept {
                            time: boot_utc.unwrap().plus_ms(sampled.uptime.0 as i64),
                            channel: sampled.channel,
                            history,
                            boot: data.boot,
                            value: sampled.reading.ok().map(|value| value.0),
                        };
                        let key = (topic.node_key().to_string(), data.flash, Sequence(sequence));
                        let before = seen.kept.insert(key, kept);
                        assert!(before.is_none_or(|before| before.value == kept.value));
                    }
                    let last = Sequence(first.0 + readings.len() as u64 - 1);
                    ack(data.flash, data.sent, SequenceRange::new(first, last))
                }
                Body::Gap { range, .. } => {
                    seen.gaps.push(range);
                    ack(data.flash, data.sent, Some(range))
                }
                Body::Answer { .. } | Body::Event { .. } | Body::Update { .. } => None,
            }
        }
        TopicKind::Death => {
            wire::decode_death(payload).unwrap();
            seen.deaths += 1;
            None
        }
        _ => None,
    }
}

/// 2026-07-01T12:00:00Z.
fn noon() -> Timestamp {
    Timestamp::from_millis(1_782_907_200_000).unwrap()
}

fn options(live_from: Timestamp) -> DemoOptions {
    DemoOptions {
        seed: 1,
        live_from,
        interval: Duration::from_secs(10),
        history: None,
        faults: vec![],
        flash_folder: None,
    }
}

fn no_secret(_: &NodeKey) -> Secret {
    Secret::new("none")
}

/// All sequences of a node from its first to its last are kept or declared as a gap.
#[track_caller]
fn check_no_hole(seen: &Seen) {
    let mut nodes: BTreeMap<(&String, FlashId), BTreeSet<u64>> = BTreeMap::new();
    for (node, flash, sequence) in seen.kept.keys() {
        nodes.entry((node, *flash)).or_default().insert(sequence.0);
    }
    for (node, sequences) in nodes {
        let (first, last) = (*sequences.first().unwrap(), *sequences.last().unwrap());
        for sequence in first..=last {
            let is_gap = seen.gaps.iter().any(|gap| gap.contains(Sequence(sequence)));
            assert!(sequences.contains(&sequence) || is_gap, "{node:?} lacks {sequence}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_week_comes_first_and_then_the_nodes_are_live() {
    let Some(broker) = Broker::start(None) else { return };
    let live_from = noon();
    let clock = Clock::starting_at(live_from, 10.0);
    let mut gateway = Gateway::start(broker.address, clock.clone());
    let history =
        HistoryPlan { length: Duration::from_secs(7 * 86_400), interval: Duration::from_secs(300) };
    let options = DemoOptions { history: Some(history), ..options(live_from) };
    let boards = demo_boards(&demo(), &options, no_secret).unwrap();
    let expected: usize = boards.iter().map(|board| 2_016 * board.channels.len()).sum();
    let counters = Arc::new(Counters::default());
    let stop = CancellationToken::new();
    let begun = clock.now();
    let fleet = tokio::spawn(run_all(
        boards,
        broker.address.into(),
        clock.clone(),
        counters.clone(),
        stop.clone(),
    ));
    let told = |seen: &Seen| seen.kept.values().filter(|kept| kept.history).count();
    gateway.until("the week", |seen| told(seen) >= expected).await;
    let took_ms = clock.now().ms_since(begun) as f64 / clock.speed();
    println!("{expected} readings of history in {took_ms:.0} ms");
    let live_count = |seen: &Seen| {
        let live = seen.kept.iter().filter(|(_, kept)| !kept.history);
        live.map(|((node, ..), _)| node.clone()).collect::<BTreeSet<_>>().len()
    };
    let seen = gateway.until("live readings of all", |seen| live_count(seen) == 10).await;
    assert_eq!(told(&seen), expected);
    for kept in seen.kept.values() {
        // The clock is right to half a round trip, ten times over.
        let slack_ms = if kept.history { 2_000 } else { 0 };
        assert_eq!(kept.history, kept.time < live_from.plus_ms(slack_ms), "{kept:?}");
        assert!(kept.time <= clock.now().plus_ms(2_000));
    }
    check_no_hole(&seen);
    assert_eq!(counters.live.load(Ordering::Relaxed), 10);
    stop.cancel();
    fleet.await.unwrap().unwrap();
    gateway.until("the wills", |seen| seen.deaths >= 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_costs_nothing() {
    let Some(broker) = Broker::start(None) else { return };
    let address = broker.address;
    let clock = Clock::starting_at(noon(), 10.0);
    let mut gateway = Gateway::start(address, clock.clone());
    let load = LoadOptions {
        site: Slug::new("test").unwrap(),
        nodes: 20,
        channels: 7,
        interval: Duration::from_secs(1),
        seed: 1,
        live_from: noon(),
    };
    let counters = Arc::new(Counters::default());
    let stop = CancellationToken::new();
    let boards = load_boards(&load, no_secret);
    let fleet =
        tokio::spawn(run_all(boards, address.into(), clock, counters.clone(), stop.clone()));
    gateway.until("first readings", |seen| seen.kept.len() > 2_000).await;
    drop(broker);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let _broker = Broker::start(Some(address)).unwrap();
    let before = counters.recorded.load(Ordering::Relaxed) as usize;
    let seen = gateway
        .until("all readings from before", |seen| {
            seen.births >= 40 && seen.kept.len() > before + 3_000
        })
        .await;
    check_no_hole(&seen);
    assert!(counters.connections.load(Ordering::Relaxed) >= 40);
    stop.cancel();
    fleet.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_no_reading() {
    let Some(broker) = Broker::start(None) else { return };
    let live_from = noon();
    let clock = Clock::starting_at(live_from, 60.0);
    let mut gateway = Gateway::start(broker.address, clock.clone());
    let folder = tempfile::tempdir().unwrap();
    let faults = vec!["house=3,kind=power-cut,after=2m,for=1m".parse().unwrap()];
    let flash_folder = Some(folder.path().to_owned());
    let options = DemoOptions { faults, flash_folder, ..options(live_from) };
    let boards = demo_boards(&demo(), &options, no_secret).unwrap();
    let stop = CancellationToken::new();
    let fleet = tokio::spawn(run_all(
        boards,
        broker.address.into(),
        clock,
        Arc::new(Counters::default()),
        stop.clone(),
    ));
    let boots = |seen: &Seen| {
        let boots = seen.kept.iter().map(|((node, ..), kept)| (node.clone(), kept.boot));
        boots.collect::<BTreeSet<_>>().len()
    };
    let seen = gateway.until("two more boots", |seen| boots(seen) >= 12).await;
    check_no_hole(&seen);
    let (from, until) = (live_from.plus_ms(125_000), live_from.plus_ms(175_000));
    let dark = seen.kept.iter().filter(|((node, ..), _)| node.contains("/tea-"));
    let dark: Vec<_> = dark.filter(|(_, kept)| kept.time > from && kept.time < until).collect();
    assert!(dark.is_empty(), "{dark:?}");
    stop.cancel();
    fleet.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_an_hour_or_forward_loses_and_doubles_nothing() {
    let Some(broker) = Broker::start(None) else { return };
    let clock = Clock::starting_at(noon(), 10.0);
    let off_ms = Arc::new(AtomicI64::new(0));
    let (shifted, of_gateway) = (Arc::clone(&off_ms), clock.clone());
    let now = move || of_gateway.now().plus_ms(shifted.load(Ordering::Relaxed));
    let mut gateway = Gateway::start_with(broker.address, now);
    let load = LoadOptions {
        site: Slug::new("test").unwrap(),
        nodes: 3,
        channels: 2,
        interval: Duration::from_secs(1),
        seed: 1,
        live_from: noon(),
    };
    let stop = CancellationToken::new();
    let boards = load_boards(&load, no_secret);
    let counters = Arc::new(Counters::default());
    let fleet = tokio::spawn(run_all(boards, broker.address.into(), clock, counters, stop.clone()));
    // The nodes take their time from the gateway, whose clock is set back, forward, and right again.
    let mut before = 0;
    for off_hours in [0, -1, 1, 0] {
        off_ms.store(off_hours * 3_600_000, Ordering::Relaxed);
        let more = gateway.until("more readings", |seen| seen.kept.len() >= before + 120).await;
        before = more.kept.len();
    }
    stop.cancel();
    fleet.await.unwrap().unwrap();
    let seen = gateway.seen.borrow().clone();
    assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    check_no_hole(&seen);
    // Whatever the gateway's clock says, a node never turns the order of its readings round.
    let mut last: BTreeMap<(&String, u8), Timestamp> = BTreeMap::new();
    for ((node, ..), kept) in &seen.kept {
        let before = last.insert((node, kept.channel), kept.time);
        assert!(before.is_none_or(|before| before <= kept.time), "{kept:?} after {before:?}");
    }
}
