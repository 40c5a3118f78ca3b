//! Local events in the flash: through cuts, a full ring and a long time without a link.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use std::collections::BTreeMap;

use measure::{Quality, Scaled};
use sim::{Bench, TestError};
use wire::{Command, EventState, Limit, LocalEvent, Outcome, Settings, Side};

/// A node that watches one limit, and what it said that it has of events.
struct Watched {
    bench: Bench,
    events: BTreeMap<u64, LocalEvent>,
    rounds: i32,
}

fn watched(ring_pages: u32) -> Watched {
    let mut bench = Bench::new(1, ring_pages);
    bench.boot().unwrap();
    bench.connect().unwrap();
    let limit = Limit {
        rule: 7,
        channel: 0,
        side: Side::High,
        threshold: Scaled(30_000),
        deadband: 1_000,
        on_delay_s: 0,
        off_delay_s: 0,
        outputs: 1,
    };
    let settings = Settings {
        revision: 1,
        interval_ms: 60_000,
        heartbeat_ms: None,
        connect_ms: None,
        gateways: Default::default(),
        channels: Default::default(),
        limits: [limit].into_iter().collect(),
    };
    let asked = bench.gateway.command(Command::Configure(settings));
    bench.hear(&asked).unwrap();
    bench.pump().unwrap();
    assert_eq!(bench.gateway.answers.last().unwrap().1, Outcome::Done);
    bench.disconnect();
    bench.connect().unwrap();
    bench.disconnect();
    Watched { bench, events: BTreeMap::new(), rounds: 0 }
}

impl Watched {
    /// Takes rounds above and below the limit by turns, so that each brings an event.
    fn take(&mut self, rounds: u32) -> Result<(), TestError> {
        for _ in 0..rounds {
            self.rounds += 1;
            let value = if self.rounds % 2 == 1 { 40_000 } else { 20_000 };
            self.bench.wait(60_000);
            let now = self.bench.now();
            let round = [(0, Ok(Scaled(value + self.rounds)), Quality::Good)];
            let taken = sim::run(self.bench.node().take(now, &round))?;
            for (sequence, event) in taken.events {
                let before = self.events.insert(sequence.0, event);
                assert_eq!(before, None, "{sequence:?} was given twice");
            }
        }
        Ok(())
    }

    /// Comes back and compares: each event that was confirmed is at the gateway as it was, or given up.
    fn come_back(&mut self) {
        let Self { bench, events, .. } = self;
        bench.flash.cut_after(None);
        bench.wait(60_000);
        bench.boot().unwrap();
        let flash = bench.node().flash_id().0;
        bench.connect().unwrap();
        bench.pass(60).unwrap();
        for (sequence, event) in events {
            let key = (flash, *sequence);
            match bench.gateway.events.get(&key) {
                Some(stored) => assert_eq!(stored.event, *event),
                None => assert!(bench.gateway.is_dropped(key), "{key:?} is lost"),
            }
        }
        for ((_, sequence), stored) in &bench.gateway.events {
            let event = stored.event;
            match event.state {
                EventState::Raised => assert_eq!(event.episode.0, *sequence),
                EventState::Returned | EventState::Cancelled => {
                    assert!(event.episode.0 < *sequence, "{event:?}");
                }
            }
        }
        let last = bench.gateway.events.keys().chain(bench.gateway.readings.keys()).max();
        for sequence in 0..last.map_or(0, |key| key.1) {
            let key = (flash, sequence);
            let is_said = bench.gateway.readings.contains_key(&key)
                || bench.gateway.events.contains_key(&key)
                || bench.gateway.gap_of(key).is_some();
            assert!(is_said, "nobody knows what became of {sequence}");
        }
        assert_eq!(bench.node().waiting(), 0);
    }
}

#[test]
fn events_wait_for_the_link_with_the_readings() {
    let mut watched = watched(8);
    watched.take(30).unwrap();
    assert!(watched.events.len() >= 30, "{}", watched.events.len());
    let count = watched.events.len();
    watched.come_back();
    // The start itself ends an episode that was open.
    assert!(watched.bench.gateway.events.len() >= count);
    assert!(watched.bench.gateway.gaps.iter().all(|gap| gap.2 == wire::GapReason::Unused));
}

#[test]
fn a_full_ring_gives_events_up_like_readings() {
    let mut watched = watched(3);
    watched.take(200).unwrap();
    watched.come_back();
    let bench = &watched.bench;
    let dropped =
        |sequence: &&u64| bench.gateway.is_dropped((bench.gateway.births[0].flash.0, **sequence));
    assert!(watched.events.keys().filter(dropped).count() > 20);
}

#[test]
fn a_power_cut_at_any_word_keeps_every_event() {
    for torn in [false, true] {
        for cut in 0.. {
            let mut watched = watched(3);
            if torn {
                watched.bench.flash.tear(cut);
            }
            watched.bench.flash.cut_after(Some(cut));
            let ended = watched.take(30);
            watched.come_back();
            if ended.is_ok() {
                assert!(cut > 300, "only {cut} words were written");
                break;
            }
        }
    }
}
