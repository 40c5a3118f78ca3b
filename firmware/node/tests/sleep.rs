//! A node on a battery: it samples without a link, connects now and then, and sleeps in between.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use measure::{Quality, Scaled, Timestamp, Uptime};
use node::{AWAKE_MS_MAX, Node, RETAINED_BYTES, Retained, Start};
use sim::{BenchOf, PAGES, flash::Chip};
use wire::{Command, GapReason, Limit, Settings, Side};

type Bench = BenchOf<4096>;
type TestNode = Node<Chip<4096>, PAGES>;

const INTERVAL_MS: u32 = 600_000;
const CONNECT_MS: u32 = 3_600_000;

fn settings(limits: &[Limit]) -> Settings {
    Settings {
        revision: 1,
        interval_ms: INTERVAL_MS,
        heartbeat_ms: None,
        connect_ms: Some(CONNECT_MS),
        gateways: Default::default(),
        channels: Default::default(),
        limits: limits.iter().copied().collect(),
    }
}

/// A node that sleeps, on a bench that only plays its gateway and its flash.
struct Sleeper {
    bench: Bench,
    retained: Option<Retained>,
    /// True time at uptime 0.
    booted: Timestamp,
    connections: u32,
    value: i32,
    awake_ms: i64,
}

impl Sleeper {
    fn new(limits: &[Limit]) -> Self {
        let mut bench = Bench::new(2, 12);
        bench.boot().unwrap();
        bench.connect().unwrap();
        let asked = bench.gateway.command(Command::Configure(settings(limits)));
        bench.hear(&asked).unwrap();
        bench.pump().unwrap();
        bench.disconnect();
        bench.connect().unwrap();
        assert!(bench.node().is_sleeper());
        let booted = bench.booted;
        Self { bench, retained: None, booted, connections: 0, value: 20_000, awake_ms: 0 }
    }

    fn now(&self) -> Uptime {
        Uptime(self.bench.utc.ms_since(self.booted) as u64)
    }

    fn node(&mut self) -> &mut TestNode {
        self.bench.node.as_mut().unwrap()
    }

    /// Wakes up, takes what is due, talks where it is due, and sleeps until the next time.
    fn once(&mut self, is_online: bool) {
        let woke = self.bench.utc;
        if let Some(retained) = self.retained.take() {
            let start = Start::Woken(&retained);
            assert_eq!(start.uptime(), self.now(), "uptime goes on");
            let (flash, config) = (self.bench.flash.clone(), self.bench.config.clone());
            let random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(woke.micros() as u64);
            self.bench.node = Some(sim::run(Node::open(flash, config, random, start)).unwrap());
        }
        let now = self.now();
        self.value += 1;
        let round = [0, 1].map(|channel| (channel, Ok(Scaled(self.value)), Quality::Good));
        // Woken for a connection between two rounds, it takes none.
        if self.node().may_sleep(now).is_none() {
            let taken = sim::run(self.node().take(now, &round)).unwrap();
            let (flash, first) = (self.node().flash_id().0, taken.recorded.unwrap().first.0);
            for (sequence, (channel, reading, _)) in (first..).zip(&taken.readings) {
                let taken = sim::Taken {
                    channel: *channel,
                    reading: *reading,
                    utc: self.bench.utc,
                    history: false,
                };
                assert_eq!(self.bench.taken.insert((flash, sequence), taken), None);
            }
        }
        self.bench.booted = self.booted;
        if is_online && self.node().is_link_due(now) {
            self.connections += 1;
            self.bench.connect().unwrap();
        }
        let mut now = self.now();
        let sleep_ms = loop {
            match self.node().may_sleep(now) {
                Some(sleep_ms) => break sleep_ms,
                None => {
                    self.bench.wait(1_000);
                    now = self.now();
                }
            }
        };
        self.awake_ms += self.bench.utc.ms_since(woke);
        let until = now.plus_ms(u64::from(sleep_ms));
        let retained = sim::run(self.node().retain(now, until)).unwrap();
        self.retained = Some(retained);
        self.bench.node = None;
        self.bench.wait(i64::from(sleep_ms));
    }

    /// The battery gives way in its sleep: what was retained is lost.
    fn brown_out(&mut self) {
        self.retained = None;
        self.bench.boot().unwrap();
        self.booted = self.bench.booted;
    }
}

#[test]
fn a_week_with_outages_and_brown_outs_loses_nothing_and_declares_no_gap_that_is_none() {
    let mut sleeper = Sleeper::new(&[]);
    let start = sleeper.bench.utc;
    let mut rounds = 0;
    while sleeper.bench.utc.ms_since(start) < 7 * 86_400_000 {
        let hour = sleeper.bench.utc.ms_since(start) / 3_600_000;
        // Two hours without a gateway each evening, and a whole day of it.
        let is_online = hour % 24 < 20 && !(72..96).contains(&hour);
        sleeper.once(is_online);
        rounds += 1;
        if rounds % 97 == 0 {
            sleeper.brown_out();
        }
    }
    // The rest is said.
    let connections = sleeper.connections;
    while sleeper.connections == connections {
        sleeper.once(true);
    }
    let rounds = sleeper.bench.taken.len() / 2;
    assert!((1_000..=1_025).contains(&rounds), "{rounds} rounds in a week of ten minutes each");
    let is_there = |key: &(u32, u64)| sleeper.bench.gateway.readings.contains_key(key);
    let missing = sleeper.bench.taken.keys().filter(|key| !is_there(key)).count();
    assert_eq!(missing, 0);
    let false_gaps = sleeper.bench.gateway.gaps.iter().filter(|gap| gap.2 != GapReason::Unused);
    assert_eq!(false_gaps.count(), 0);
    let unused = sleeper.bench.gateway.gaps.iter().map(|gap| gap.1);
    let unused: Vec<_> = unused.filter(|range| range.last.0 > 256).collect();
    assert!(unused.is_empty(), "no sequence was reserved in vain: {unused:?}");
    for (key, taken) in &sleeper.bench.taken {
        let stored = &sleeper.bench.gateway.readings[key];
        let off_ms = stored.utc.unwrap().ms_since(taken.utc).abs();
        assert!(stored.uncertain || off_ms < 5_000, "{key:?} is off by {off_ms} ms");
    }
    let connections = sleeper.connections;
    assert!((100..=160).contains(&connections), "{connections} connections");
    let shown = sleeper.awake_ms / 1_000;
    assert!(shown < 3_600, "awake for {shown} s of a week");
}

#[test]
fn the_birth_says_when_the_node_is_heard_again() {
    let mut sleeper = Sleeper::new(&[]);
    for _ in 0..20 {
        sleeper.once(true);
    }
    let births = &sleeper.bench.gateway.births;
    let due: Vec<_> = births.iter().rev().take(2).map(|birth| birth.next_due_ms).collect();
    assert_eq!(due, [Some(CONNECT_MS); 2]);
    let boots: Vec<_> = births.iter().map(|birth| birth.boot.0).collect();
    assert!(boots.iter().all(|boot| *boot == 1), "the boot goes on through sleep: {boots:?}");
    let sessions: Vec<_> = births.iter().map(|birth| birth.session).collect();
    assert!(sessions.is_sorted_by(|a, b| a < b), "{sessions:?}");
}

#[test]
fn where_no_gateway_answers_it_gives_up_soon() {
    let mut sleeper = Sleeper::new(&[]);
    sleeper.once(true);
    sleeper.awake_ms = 0;
    for _ in 0..12 {
        sleeper.once(false);
    }
    let awake_ms = sleeper.awake_ms as u64;
    assert!(awake_ms <= 3 * (AWAKE_MS_MAX + 1_000), "{awake_ms} ms in two hours");
}

#[test]
fn a_broken_limit_does_not_wait_for_the_next_connection_and_outlives_the_sleep() {
    let limit = Limit {
        rule: 7,
        channel: 0,
        side: Side::High,
        threshold: Scaled(30_000),
        deadband: 0,
        on_delay_s: 600,
        off_delay_s: 0,
        outputs: 1,
    };
    let mut sleeper = Sleeper::new(&[limit]);
    sleeper.once(true);
    sleeper.once(true);
    sleeper.value = 30_001;
    let connections = sleeper.connections;
    sleeper.once(true);
    assert!(sleeper.bench.gateway.events.is_empty(), "the on-delay goes on in its sleep");
    sleeper.once(true);
    assert_eq!(sleeper.bench.gateway.events.len(), 1);
    assert!(sleeper.connections > connections);
    sleeper.value = 20_000;
    sleeper.once(true);
    let events: Vec<_> = sleeper.bench.gateway.events.values().map(|one| one.event).collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].episode, events[1].episode);
}

#[test]
fn what_is_damaged_or_stale_counts_as_a_cold_start() {
    let mut sleeper = Sleeper::new(&[]);
    sleeper.once(true);
    let good = sleeper.retained.unwrap();
    let open = |sleeper: &Sleeper, retained: &Retained| {
        let (flash, config) = (sleeper.bench.flash.copy(), sleeper.bench.config.clone());
        sim::run(TestNode::open(flash, config, 1, Start::Woken(retained))).unwrap()
    };
    assert_eq!(open(&sleeper, &good).boot().0, 1);
    for at in (0..RETAINED_BYTES).step_by(7) {
        let mut damaged = good;
        damaged[at] ^= 0x10;
        assert_eq!(open(&sleeper, &damaged).boot().0, 2, "byte {at}");
        assert_eq!(Start::Woken(&damaged).uptime(), Uptime(0));
    }
    sleeper.once(true);
    assert_eq!(open(&sleeper, &good).boot().0, 2, "the flash has gone on since");
}
