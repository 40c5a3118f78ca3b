//! A day without a link, and what comes after: the backlog drains and fresh readings do not wait for it.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use std::collections::BTreeMap;

use measure::Timestamp;
use sim::BenchOf;
use sim::gateway::Outgoing;
use wire::Body;

const DAY_MS: i64 = 86_400_000;
/// How long the link is busy with one message.
const MESSAGE_MS: i64 = 50;
/// Between two frames of backlog, as the boards have it.
const PAUSE_MS: u32 = 100;

/// A link whose answers take 50 ms to 2 s; of those to frames, one in ten is lost.
struct Link {
    draw: u64,
    /// When the link takes the next message.
    free: Timestamp,
    answers: BTreeMap<(Timestamp, u32), Outgoing>,
    count: u32,
}

/// What was seen of a drain.
#[derive(Debug, Default)]
struct Seen {
    /// The longest time from a sample to the link, in milliseconds, for readings taken with the link up.
    slowest_ms: i64,
    frames: u64,
    bytes_read: u64,
    most_read: u64,
    drained_ms: i64,
}

impl Link {
    fn new(now: Timestamp) -> Self {
        Self { draw: 0x2545_F491_4F6C_DD1D, free: now, answers: BTreeMap::new(), count: 0 }
    }

    fn draw(&mut self) -> u64 {
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
        self.draw
    }

    fn answer(&mut self, now: Timestamp, answer: Outgoing, may_be_lost: bool) {
        self.count += 1;
        if !may_be_lost || !self.draw().is_multiple_of(10) {
            let after = 50 + (self.draw() % 1_950) as i64;
            self.answers.insert((now.plus_ms(after), self.count), answer);
        }
    }

    fn next_answer(&self) -> Option<Timestamp> {
        self.answers.keys().next().map(|key| key.0)
    }
}

fn no_link_for_a_day(interval_ms: i64, ring_pages: u32) -> BenchOf<4_096> {
    let mut bench = BenchOf::new(8, ring_pages);
    bench.config.backlog_pause_ms = PAUSE_MS;
    bench.boot().unwrap();
    bench.connect().unwrap();
    bench.record().unwrap();
    bench.pump().unwrap();
    bench.disconnect();
    for _ in 0..DAY_MS / interval_ms {
        bench.wait(interval_ms);
        bench.record().unwrap();
    }
    bench
}

/// Lets the node talk until its backlog is gone. With `flap_ms`, the link breaks so often, for a third of
/// the time.
fn drain(bench: &mut BenchOf<4_096>, interval_ms: i64, flap_ms: Option<i64>) -> Seen {
    let began = bench.utc;
    let mut seen = Seen::default();
    let mut link = Link::new(began);
    let mut sample_at = began.plus_ms(interval_ms);
    let mut flap_at = flap_ms.map(|ms| began.plus_ms(ms));
    // Readings that were taken with the link up, by sequence, that the link has not seen.
    let mut fresh: BTreeMap<u64, Timestamp> = BTreeMap::new();
    bench.node().connected();
    bench.online = true;
    while bench.node().waiting() > 0 || bench.utc.ms_since(began) < 20 * interval_ms {
        assert!(bench.utc.ms_since(began) < DAY_MS, "it never ends: {seen:?}");
        if seen.drained_ms == 0 && bench.node().waiting() <= 64 {
            seen.drained_ms = bench.utc.ms_since(began);
        }
        let now = bench.now();
        let wake = bench.node().next_wake(now).filter(|_| bench.online);
        let wake = wake.map(|at| bench.booted.plus_ms(at.0 as i64).max(link.free));
        let next = [Some(sample_at), wake, link.next_answer(), flap_at];
        let next = next.into_iter().flatten().min().unwrap();
        bench.utc = bench.utc.max(next);
        if sample_at <= bench.utc {
            sample_at = sample_at.plus_ms(interval_ms);
            let first = bench.record().unwrap().first;
            if bench.online {
                fresh.extend((first.0..first.0 + 8).map(|sequence| (sequence, bench.utc)));
            }
        }
        if let Some(at) = flap_at
            && at <= bench.utc
        {
            let ms = flap_ms.unwrap_or_default();
            bench.online = !bench.online;
            if bench.online {
                bench.node().connected();
            } else {
                bench.node().disconnected();
                link.answers.clear();
                fresh.clear();
            }
            flap_at = Some(at.plus_ms(if bench.online { ms } else { ms / 2 }));
        }
        while let Some(entry) = link.answers.first_entry()
            && entry.key().0 <= bench.utc
        {
            let answer = entry.remove();
            bench.hear(&answer).unwrap();
        }
        if !bench.online || link.free > bench.utc {
            continue;
        }
        let before = bench.flash.bytes_read();
        let Some(sent) = bench.next().unwrap() else { continue };
        let read = bench.flash.bytes_read() - before;
        link.free = bench.utc.plus_ms(MESSAGE_MS);
        if sent.is("data")
            && let Body::Readings { first, readings, .. } = sent.data().body
        {
            for sequence in first.0..first.0 + readings.len() as u64 {
                if let Some(taken) = fresh.remove(&sequence) {
                    seen.slowest_ms = seen.slowest_ms.max(bench.utc.ms_since(taken));
                }
            }
            (seen.frames, seen.bytes_read) = (seen.frames + 1, seen.bytes_read + read);
            seen.most_read = seen.most_read.max(read);
        }
        for answer in bench.gateway.hear(&sent, bench.utc) {
            link.answer(bench.utc, answer, sent.is("data"));
        }
    }
    if let Some((_, taken)) = fresh.first_key_value() {
        seen.slowest_ms = seen.slowest_ms.max(bench.utc.ms_since(*taken));
    }
    println!("{interval_ms} ms, flapping {flap_ms:?}: {seen:?}");
    bench.nothing_is_lost();
    bench.nothing_is_unsaid();
    seen
}

#[track_caller]
fn check(interval_ms: i64, ring_pages: u32, flap_ms: Option<i64>, drained_minutes: i64) {
    let mut bench = no_link_for_a_day(interval_ms, ring_pages);
    let backlog = bench.node().waiting();
    assert_eq!(i64::from(backlog), DAY_MS / interval_ms * 8);
    let seen = drain(&mut bench, interval_ms, flap_ms);
    assert!(seen.slowest_ms <= interval_ms, "{seen:?}");
    assert!(seen.drained_ms <= drained_minutes * 60_000, "{seen:?}");
    // A frame carries a kilobyte.
    assert!(seen.bytes_read / seen.frames <= 3_000, "{seen:?}");
    assert!(seen.most_read <= 48 * 1_024, "{seen:?}");
    assert!(bench.gateway.gaps.is_empty(), "{:?}", bench.gateway.gaps);
}

#[test]
fn a_day_at_one_minute_comes_back_and_delays_nothing() {
    check(60_000, 252, None, 20);
}

#[test]
fn a_day_at_five_seconds_comes_back_and_delays_nothing() {
    check(5_000, 300, None, 60);
}

#[test]
fn a_link_that_breaks_every_minute_delays_nothing_either() {
    check(60_000, 252, Some(60_000), 30);
    check(5_000, 300, Some(47_000), 120);
}
