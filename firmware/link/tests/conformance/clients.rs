//! The two clients under test, each with a node that samples all the time, in a thread of its own.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_adapters::tokio_1::FromTokio;
use host::board::Counters;
use host::clock::Clock;
use host::flash::{Flash, PAGE_BYTES};
use host::fleet::{LoadOptions, load_boards, run_all};
use host::link::Secret;
use link::{Board, Dial, Event, Identity, Memory};
use measure::{NodeKey, Quality, Quantity, Scaled, Slug, Timestamp, Uptime};
use node::{Action, DIAL_PAUSE_MS_FIRST, Layout, Node, Origin, Start};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wire::{BIRTH_BYTES_MAX, Channel};

use crate::desk::Desk;

/// Between two rounds of readings, in real time.
const ROUND: Duration = Duration::from_millis(50);
/// Pages of the flash, and of its ring.
const FLASH_PAGES: usize = 40;
const RING_PAGES: usize = 36;
/// The pause before the first new try is no shorter than this, in milliseconds, and those after it
/// double: for minimq by what its board draws, for rumqttc half of the pause is certain.
pub(crate) const PAUSE_FLOOR_MS: u64 = 100;

/// A client under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// `link`: what chips run.
    Minimq,
    /// The link of `host`.
    Rumqttc,
}

/// A node with its client, ended with the test.
pub(crate) struct Running {
    counters: Arc<Counters>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    /// Starts the desk's node, to connect to `gateways`. rumqttc knows the first of them only.
    pub(crate) fn start(client: Client, desk: &Desk, gateways: &[SocketAddr]) -> Self {
        let (counters, stop) = (Arc::new(Counters::default()), CancellationToken::new());
        let (counted, stopped) = (Arc::clone(&counters), stop.clone());
        let (key, clock, gateways) = (desk.key.clone(), desk.clock.clone(), gateways.to_vec());
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                match client {
                    Client::Minimq => tokio::select! {
                        () = stopped.cancelled() => {}
                        () = run_minimq(&key, &gateways, &clock, &counted) => {}
                    },
                    Client::Rumqttc => run_rumqttc(key, gateways[0], clock, counted, stopped).await,
                }
            });
        });
        Self { counters, stop, thread: Some(thread) }
    }

    /// Returns how many readings are or were in the flash.
    pub(crate) fn recorded(&self) -> usize {
        self.counters.recorded.load(Ordering::Relaxed) as usize
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the node panicked");
        }
    }
}

async fn run_rumqttc(
    key: NodeKey,
    address: SocketAddr,
    clock: Clock,
    counters: Arc<Counters>,
    stop: CancellationToken,
) {
    let options = LoadOptions {
        site: key.site,
        nodes: 1,
        channels: 1,
        interval: ROUND.mul_f64(clock.speed()).max(Duration::from_millis(100)),
        seed: 1,
        live_from: clock.now(),
    };
    let boards = load_boards(&options, |_| Secret::new("secret"));
    run_all(boards, address.into(), clock, counters, stop).await.unwrap();
}

async fn run_minimq(key: &NodeKey, gateways: &[SocketAddr], clock: &Clock, counters: &Counters) {
    let channel = Channel {
        quantity: Quantity::AirTemperature,
        position: Slug::new("bench").unwrap(),
        sensor: Slug::new("load").unwrap(),
        calibration: 0,
        enabled: true,
    };
    let config = node::Config {
        key: key.clone(),
        firmware: "conformance".try_into().unwrap(),
        target: None,
        release: 0,
        channels: [channel].into_iter().collect(),
        interval_ms: 1_000,
        gateways: gateways.iter().map(|at| at.to_string().as_str().try_into().unwrap()).collect(),
        backlog_pause_ms: 0,
        layout: Layout::split(0..(FLASH_PAGES * PAGE_BYTES) as u32, PAGE_BYTES as u32),
    };
    let random = RandomState::new().build_hasher().finish();
    let flash = Flash::in_memory(FLASH_PAGES);
    let node: Node<Flash, RING_PAGES> =
        Node::open(flash, config, random, Start::Cold).await.unwrap();
    let node: Mutex<NoopRawMutex, _> = Mutex::new(node);
    let board = Bench {
        clock: clock.clone(),
        began: clock.now(),
        draws: AtomicU32::new(0),
        news: Notify::new(),
    };
    let mut memory = Box::new(Memory::<BIRTH_BYTES_MAX>::new());
    let (identity, mut tcp) = (Identity { key, secret: b"secret" }, Tcp);
    let samples = async {
        for value in 0.. {
            tokio::time::sleep(ROUND).await;
            let round = [(0, Ok(Scaled(value % 30_000)), Quality::Good)];
            node.lock().await.record(board.now(), &round, Origin::Live).await.unwrap();
            counters.recorded.fetch_add(1, Ordering::Relaxed);
            board.news.notify_one();
        }
    };
    tokio::select! {
        end = link::run(&board, &mut tcp, &node, identity, &mut memory) => panic!("{end:?}"),
        () = samples => {}
    }
}

/// The board of `link`.
struct Bench {
    clock: Clock,
    began: Timestamp,
    draws: AtomicU32,
    news: Notify,
}

impl Board for Bench {
    fn now(&self) -> Uptime {
        Uptime(u64::try_from(self.clock.now().ms_since(self.began)).unwrap())
    }

    /// Draws pauses of a fifth of their limit: 200, 400, 800 ... ms, as long as nothing holds.
    fn random(&self) -> u32 {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        (DIAL_PAUSE_MS_FIRST << draw.min(6)) / 5
    }

    async fn recorded(&self) {
        self.news.notified().await;
    }

    async fn act(&self, action: Action<'_>) {
        panic!("nobody asked for {action:?}");
    }

    fn tell(&self, event: Event<'_>) {
        println!("minimq: {event}");
    }
}

struct Tcp;

impl Dial for Tcp {
    type Error = io::Error;
    type Stream<'s> = FromTokio<TcpStream>;

    async fn dial(
        &mut self,
        gateway: &str,
        _: Option<Timestamp>,
    ) -> io::Result<FromTokio<TcpStream>> {
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        Ok(FromTokio::new(stream))
    }
}
