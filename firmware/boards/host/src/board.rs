//! One board: `node` with flash, sensors, link and clock, from power on until it is stopped.

use core::num::TryFromIntError;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use measure::{NodeKey, Slug, Timestamp, Uptime};
use node::{Action, Config, Layout, Node, Origin, Schedule, Start, Step};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use wire::{BIRTH_BYTES_MAX, Channel, DEATH_BYTES_MAX, Outcome};

use crate::clock::Clock;
use crate::flash::{self, Flash, PAGE_BYTES};
use crate::link::{Address, Link, LinkEvent, Message, Secret, Session, pause};
use crate::noise::{hash, key};
use crate::nursery::ChannelPlan;
use crate::physics::Outage;
use crate::sensing::{History, Sensing, Source};

/// The most pages that a flash may have here: 256 KiB.
pub const FLASH_PAGES_MAX: usize = 64;
/// The fewest: the identity's four, and two of ring.
pub const FLASH_PAGES_MIN: usize = 6;
/// History is recorded until so many readings wait for the gateway; then it waits too. More would not be
/// faster, as the node has few frames of backlog in flight.
const HISTORY_AHEAD_MAX: u32 = 1_024;
/// Rounds of history between two looks at the link.
const HISTORY_ROUNDS_AT_ONCE: usize = 32;
/// Where the link does not take a message, it is tried again after this time.
const STALLED_PAUSE: Duration = Duration::from_millis(50);
/// Where it takes none for so long, the broker acknowledges nothing, and is left.
const STUCK_MAX: Duration = Duration::from_secs(20);
/// A connection that broke before it lasted so long counts as a failed try, in milliseconds of its clock.
const HELD_MS: i64 = 10_000;
/// Before a restart that was asked for, the answer has so long to leave.
const LAST_WORDS_PAUSE: Duration = Duration::from_millis(200);
/// While settings are on trial, the node is asked so often whether it gives them up.
const TRIAL_CHECK_MS: u64 = 1_000;
/// After a failed flash the node is started again, but not in a tight loop.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

const FIRMWARE: &str = concat!("miaopu-host ", env!("CARGO_PKG_VERSION"));

/// What makes one board.
#[derive(Clone, Debug)]
pub struct Board {
    /// Whose it is.
    pub key: NodeKey,
    /// Its secret.
    pub secret: Secret,
    /// Its channels, in the order of its sensors' readings.
    pub channels: Vec<ChannelPlan>,
    /// Its sensors.
    pub source: Source,
    /// How often it samples when live, until a command changes it.
    pub interval: Duration,
    /// Its flash.
    pub flash: FlashPlace,
    /// What it brings in before it goes live.
    pub history: Option<HistoryPlan>,
    /// When it goes live.
    pub live_from: Timestamp,
    /// When its supply fails, and returns.
    pub power_cuts: Vec<Outage>,
    /// The chance of its chips.
    pub seed: u64,
}

/// Where a board's flash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlashPlace {
    /// Gone with the process.
    Memory {
        /// Its size.
        pages: usize,
    },
    /// A file that outlives the process. Two boards must not share it.
    File {
        /// The file.
        path: PathBuf,
        /// Its size.
        pages: usize,
    },
}

/// A past to be brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryPlan {
    /// How far back it goes.
    pub length: Duration,
    /// The time between two rounds.
    pub interval: Duration,
}

/// What boards have done so far, added up over all that share it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Readings that are in a flash.
    pub recorded: AtomicU64,
    /// Those of them that are history.
    pub history: AtomicU64,
    /// Messages handed to a link.
    pub published: AtomicU64,
    /// Connections that came about.
    pub connections: AtomicU64,
    /// Boards that are through with their history and sample live.
    pub live: AtomicU64,
}

/// Why a board cannot run. A missing broker is no error: it is waited for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flash file.
    #[error("the flash file `{path}` cannot be used")]
    FlashFile {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The size of the flash.
    #[error("a flash has {FLASH_PAGES_MIN} to {FLASH_PAGES_MAX} pages, not {pages}")]
    FlashPages {
        /// What was asked for.
        pages: usize,
    },
    /// A duration that a node cannot have.
    #[error("`{0}` is longer than a node can count")]
    Interval(&'static str, #[source] TryFromIntError),
    /// More channels than a node can have, or a name that is too long.
    #[error("node {key} has more channels than a birth can name")]
    Channels {
        /// The node.
        key: NodeKey,
    },
    /// What the node refused.
    #[error("node {key} did not start")]
    Node {
        /// The node.
        key: NodeKey,
        /// Why.
        source: node::Error<flash::Error>,
    },
}

type NodeResult<T> = Result<T, node::Error<flash::Error>>;
type HostNode = Node<Flash, FLASH_PAGES_MAX>;

/// Runs a board until `stop`.
///
/// # Errors
/// [`Error`], at the start only: later faults are logged and lived through.
pub async fn run(
    board: Board,
    address: Address,
    clock: Clock,
    counters: Arc<Counters>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let flash = open_flash(&board.flash)?;
    let mut running = Running::new(&board, address, clock, counters, stop)?;
    loop {
        let node = open_node(&board, flash.clone())?;
        let end = running.power_on(node).await;
        let since = match end {
            End::Stopped => return Ok(()),
            End::Reboot => running.clock.now(),
            End::Flash => {
                tokio::time::sleep(RESTART_PAUSE).await;
                running.clock.now()
            }
            End::PowerCut(until) => {
                info!(node = %board.key, "A simulated power cut takes the node down.");
                tokio::select! {
                    () = running.clock.sleep_until(until) => {}
                    () = running.stop.cancelled() => return Ok(()),
                }
                running.clock.now()
            }
        };
        running.reset(since);
    }
}

#[expect(clippy::disallowed_methods, reason = "a board waits for its broker in real time")]
fn now_real() -> Instant {
    Instant::now()
}

fn open_flash(place: &FlashPlace) -> Result<Flash, Error> {
    let (FlashPlace::Memory { pages } | FlashPlace::File { pages, .. }) = place;
    if !(FLASH_PAGES_MIN..=FLASH_PAGES_MAX).contains(pages) {
        return Err(Error::FlashPages { pages: *pages });
    }
    match place {
        FlashPlace::Memory { pages } => Ok(Flash::in_memory(*pages)),
        FlashPlace::File { path, pages } => Flash::in_file(path, *pages)
            .map_err(|source| Error::FlashFile { path: path.display().to_string(), source }),
    }
}

fn open_node(board: &Board, flash: Flash) -> Result<HostNode, Error> {
    let (FlashPlace::Memory { pages } | FlashPlace::File { pages, .. }) = board.flash;
    let too_many = || Error::Channels { key: board.key.clone() };
    let channels = board.channels.iter().map(|plan| {
        let sensor = Slug::new(plan.sensor).ok()?;
        let ChannelPlan { quantity, position, .. } = plan.clone();
        Some(Channel { quantity, position, sensor, calibration: 0, enabled: true })
    });
    let channels: Vec<_> = channels.collect::<Option<_>>().ok_or_else(too_many)?;
    let config = Config {
        key: board.key.clone(),
        firmware: FIRMWARE.try_into().unwrap_or_default(),
        target: None,
        release: 0,
        channels: channels.as_slice().try_into().map_err(|_| too_many())?,
        interval_ms: interval_ms("interval", board.interval)?,
        // The link has the address: there is only the one broker.
        gateways: Default::default(),
        backlog_pause_ms: 0,
        layout: Layout::split(0..(pages * PAGE_BYTES) as u32, PAGE_BYTES as u32),
    };
    at_once(Node::open(flash, config, random(), Start::Cold))
        .map_err(|source| Error::Node { key: board.key.clone(), source })
}

fn interval_ms(name: &'static str, interval: Duration) -> Result<u32, Error> {
    u32::try_from(interval.as_millis()).map_err(|error| Error::Interval(name, error))
}

/// Returns a new number each time. It must not come from the seed: a second flash with the id of the
/// first would have its readings taken for repeats.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Runs a future of the node to its end. The flash here never waits, so it has come at once; and the
/// futures of `sequential-storage` cannot move between threads, so they must not outlive a step.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// How a time of being powered ended.
enum End {
    Stopped,
    /// The supply is gone until then.
    PowerCut(Timestamp),
    /// Asked for by a command.
    Reboot,
    /// The flash holds what cannot be read: a start repairs it.
    Flash,
}

/// What outlives a boot, and the state of the one that runs.
struct Running<'b> {
    board: &'b Board,
    address: Address,
    clock: Clock,
    counters: Arc<Counters>,
    stop: CancellationToken,
    /// When uptime 0 was. With a history that is where the history begins.
    powered_at: Timestamp,
    source: Source,
    phase: Phase,
    link: Option<Link>,
    is_open: bool,
    /// When the link came about.
    opened_at: Timestamp,
    /// When the link last took a message, or had none to take.
    took_at: Instant,
    failures: u32,
    is_reboot_due: bool,
    /// The connection is to be broken off once all is said.
    is_reconnect_due: bool,
}

/// What a board is doing beside its link.
enum Phase {
    History(Box<History>),
    Live { sensing: Sensing, schedule: Box<Schedule> },
}

impl<'b> Running<'b> {
    fn new(
        board: &'b Board,
        address: Address,
        clock: Clock,
        counters: Arc<Counters>,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let source = board.source.clone();
        let now = clock.now();
        let (powered_at, phase) = match board.history {
            Some(HistoryPlan { length, interval }) => {
                let back_ms = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
                let start = board.live_from.plus_ms(-back_ms);
                let interval_ms = interval_ms("history interval", interval)?.max(1);
                let history =
                    History::new(&source, board.seed, start, board.live_from, interval_ms);
                (start, Phase::History(Box::new(history)))
            }
            None => (now, live(&source, board, now)),
        };
        if matches!(phase, Phase::Live { .. }) {
            counters.live.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Self {
            board,
            address,
            clock,
            counters,
            stop,
            powered_at,
            source,
            phase,
            link: None,
            is_open: false,
            opened_at: now,
            took_at: now_real(),
            failures: 0,
            is_reboot_due: false,
            is_reconnect_due: false,
        })
    }

    /// Forgets all that a chip loses without supply.
    fn reset(&mut self, now: Timestamp) {
        self.link = None;
        self.is_open = false;
        self.failures = 0;
        self.is_reboot_due = false;
        self.is_reconnect_due = false;
        if let Phase::Live { sensing, .. } = &self.phase {
            self.source = sensing.carry_on(&self.source);
            self.powered_at = now;
            self.phase = live(&self.source, self.board, now);
        }
    }

    fn uptime(&self, now: Timestamp) -> Uptime {
        Uptime(u64::try_from(now.ms_since(self.powered_at)).unwrap_or(0))
    }

    /// Runs one boot.
    async fn power_on(&mut self, mut node: HostNode) -> End {
        if let Phase::Live { schedule, .. } = &mut self.phase {
            **schedule = Schedule::new(node.interval_ms(), Uptime(0));
        }
        match self.boot(&mut node).await {
            Ok(end) => end,
            Err(error) => {
                warn!(node = %self.board.key, %error, "Restarted a node whose flash failed.");
                End::Flash
            }
        }
    }

    async fn boot(&mut self, node: &mut HostNode) -> NodeResult<End> {
        self.connect(node, Duration::ZERO)?;
        loop {
            let now = self.clock.now();
            if let Some(until) = self.power_cut(now) {
                return Ok(End::PowerCut(until));
            }
            self.measure(node, now)?;
            let is_stalled = self.say(node)?;
            if is_stalled && now_real().duration_since(self.took_at) >= STUCK_MAX {
                debug!(node = %self.board.key, "The broker acknowledges nothing; it is left.");
                self.reconnect(node)?;
            }
            if self.is_reboot_due {
                tokio::time::sleep(LAST_WORDS_PAUSE).await;
                return Ok(End::Reboot);
            }
            if let Some(action) = at_once(node.check(self.uptime(self.clock.now())))? {
                self.act(self.uptime(self.clock.now()), node, action);
            }
            if self.is_reconnect_due && !is_stalled {
                self.is_reconnect_due = false;
                tokio::time::sleep(LAST_WORDS_PAUSE).await;
                node.disconnected();
                self.connect(node, Duration::ZERO)?;
            }
            if let Some(end) = self.rest(node, is_stalled).await? {
                return Ok(end);
            }
        }
    }

    fn power_cut(&self, now: Timestamp) -> Option<Timestamp> {
        let is_out = |cut: &&Outage| cut.from <= now && now < cut.until;
        self.board.power_cuts.iter().find(is_out).map(|cut| cut.until)
    }

    /// Records what is due: history while there is some, live readings after.
    fn measure(&mut self, node: &mut HostNode, now: Timestamp) -> NodeResult<()> {
        let uptime = self.uptime(now);
        let schedule_ms = node.interval_ms();
        let history = match &mut self.phase {
            Phase::Live { sensing, schedule } => {
                while let Step::Round { at, readings } = sensing.poll(schedule, uptime, now) {
                    let taken = at_once(node.take(at, &readings))?;
                    let counts = [taken.before, taken.recorded].into_iter().flatten();
                    let count = counts.map(|recorded| u64::from(recorded.count)).sum();
                    self.counters.recorded.fetch_add(count, Ordering::Relaxed);
                }
                return Ok(());
            }
            Phase::History(history) => history,
        };
        // Without a clock the node could not date them.
        if node.boot_utc().is_none() {
            return Ok(());
        }
        for _ in 0..HISTORY_ROUNDS_AT_ONCE {
            if node.waiting() >= HISTORY_AHEAD_MAX {
                return Ok(());
            }
            let Some((at, readings)) = history.next_round() else {
                self.go_live(schedule_ms, now);
                return Ok(());
            };
            let recorded = at_once(node.record(at, &readings, Origin::History))?;
            self.counters.recorded.fetch_add(u64::from(recorded.count), Ordering::Relaxed);
            self.counters.history.fetch_add(u64::from(recorded.count), Ordering::Relaxed);
        }
        Ok(())
    }

    fn go_live(&mut self, interval_ms: u32, now: Timestamp) {
        if let Phase::History(history) = &self.phase {
            self.source = history.carry_on(&self.source);
        }
        let sensing = Sensing::new(&self.source, self.board.seed, now);
        let schedule = Box::new(Schedule::new(interval_ms, self.uptime(now)));
        self.phase = Phase::Live { sensing, schedule };
        self.counters.live.fetch_add(1, Ordering::Relaxed);
        debug!(node = %self.board.key, "The history is told; the node is live.");
    }

    /// Publishes what the node has to say. Returns whether the link did not take it.
    fn say(&mut self, node: &mut HostNode) -> NodeResult<bool> {
        let Some(link) = self.link.as_ref().filter(|_| self.is_open) else { return Ok(false) };
        let mut buffer = [0; BIRTH_BYTES_MAX];
        loop {
            // Each message carries the time at which it is sent.
            let uptime = self.uptime(self.clock.now());
            let Some(publish) = at_once(node.next_publish(uptime, &mut buffer))? else {
                self.took_at = now_real();
                return Ok(false);
            };
            if !link.publish(&publish.topic, publish.payload, publish.retain) {
                node.publish_failed();
                return Ok(true);
            }
            self.took_at = now_real();
            self.counters.published.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sleeps until there is something to do, and takes in what the link brings.
    async fn rest(&mut self, node: &mut HostNode, is_stalled: bool) -> NodeResult<Option<End>> {
        let now = self.clock.now();
        let wake = self.next_wake(node, now);
        let clock = self.clock.clone();
        let wait = async {
            if is_stalled {
                tokio::time::sleep(STALLED_PAUSE).await;
            }
            match wake {
                Some(wake) => clock.sleep_until(wake).await,
                None => core::future::pending().await,
            }
        };
        let event = async {
            match &mut self.link {
                Some(link) => link.next().await,
                None => core::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Ok(Some(End::Stopped)),
            event = event => self.take_in(node, event),
            () = wait => Ok(None),
        }
    }

    fn next_wake(&self, node: &HostNode, now: Timestamp) -> Option<Timestamp> {
        let uptime = self.uptime(now);
        let in_utc =
            |uptime: Uptime| self.powered_at.plus_ms(i64::try_from(uptime.0).unwrap_or(i64::MAX));
        let measure = match &self.phase {
            Phase::Live { schedule, .. } => Some(schedule.next_wake()),
            Phase::History(_) => {
                let has_room = node.boot_utc().is_some() && node.waiting() < HISTORY_AHEAD_MAX;
                has_room.then_some(uptime)
            }
        };
        let say = if self.is_open { node.next_wake(uptime) } else { None };
        // Settings on trial are given up in time.
        let trial = node.is_on_trial().then(|| uptime.plus_ms(TRIAL_CHECK_MS));
        let cut = self.board.power_cuts.iter().map(|cut| cut.from).filter(|from| *from > now).min();
        measure.into_iter().chain(say).chain(trial).map(in_utc).chain(cut).min()
    }

    fn take_in(&mut self, node: &mut HostNode, event: LinkEvent) -> NodeResult<Option<End>> {
        match event {
            LinkEvent::Open => {
                self.is_open = true;
                self.opened_at = self.clock.now();
                self.took_at = now_real();
                self.counters.connections.fetch_add(1, Ordering::Relaxed);
                node.connected();
                Ok(None)
            }
            LinkEvent::Broken(error) => {
                debug!(node = %self.board.key, ?error, "The link broke; it is opened again.");
                self.reconnect(node)?;
                Ok(None)
            }
            LinkEvent::Message(Message { topic, payload }) => {
                let uptime = self.uptime(self.clock.now());
                match at_once(node.receive(uptime, &topic, &payload)) {
                    Ok(Some(action)) => Ok(self.act(uptime, node, action)),
                    Ok(None) => Ok(None),
                    Err(node::Error::Wire(error)) => {
                        warn!(node = %self.board.key, topic, %error, "Dropped a message.");
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Connects anew after a pause, which grows until a connection holds.
    fn reconnect(&mut self, node: &mut HostNode) -> NodeResult<()> {
        if self.is_open {
            node.disconnected();
            if self.clock.now().ms_since(self.opened_at) >= HELD_MS {
                self.failures = 0;
            }
        }
        let seed = hash(self.board.seed, key(&self.board.key.to_string()));
        let pause = pause(self.failures, seed);
        self.failures = self.failures.saturating_add(1);
        self.connect(node, pause)
    }

    fn act(&mut self, uptime: Uptime, node: &mut HostNode, action: Action<'_>) -> Option<End> {
        match action {
            Action::Identify => {
                info!(node = %self.board.key, "The node blinks.");
                None
            }
            Action::Configured | Action::Reconnect => {
                self.is_reconnect_due |= action == Action::Reconnect;
                if let Phase::Live { schedule, .. } = &mut self.phase {
                    schedule.set_interval(uptime, node.interval_ms());
                }
                None
            }
            Action::Offer { id, .. } => {
                node.answer(id, Outcome::Refused, wire::detail(format_args!("no updates here")));
                None
            }
            Action::Chunk(_) => None,
            Action::Reboot => {
                self.is_reboot_due = true;
                None
            }
        }
    }

    /// Connects to the first gateway that the node's settings name, else to the board's own.
    fn connect(&mut self, node: &HostNode, pause: Duration) -> NodeResult<()> {
        let mut buffer = [0; DEATH_BYTES_MAX];
        let will = node.will(&mut buffer)?;
        let will =
            Message { topic: will.topic.as_str().to_owned(), payload: will.payload.to_vec() };
        let topics = node.subscriptions().iter().map(|topic| topic.as_str().to_owned()).collect();
        let session = Session { will, topics };
        self.is_open = false;
        let Board { key, secret, .. } = self.board;
        let named = node.gateways().next().and_then(|address| address.rsplit_once(':'));
        let named = named.and_then(|(host, port)| {
            Some(Address { host: host.to_owned(), port: port.parse().ok()? })
        });
        let address = named.as_ref().unwrap_or(&self.address);
        self.link = Some(Link::open(address, key, secret, session, pause));
        Ok(())
    }
}

/// Returns a board's live phase at its power on; the interval is set when the node has been opened.
fn live(source: &Source, board: &Board, now: Timestamp) -> Phase {
    let sensing = Sensing::new(source, board.seed, now);
    let schedule = Box::new(Schedule::new(node::INTERVAL_MS_MAX, Uptime(0)));
    Phase::Live { sensing, schedule }
}
