//! Limits that the node judges itself: against a slow and obvious model, and through power cuts.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test panics where it fails")]

mod sim;

use measure::{Fault, Quality, Reading, Scaled, Sequence};
use proptest::prelude::*;
use sim::BenchOf;
use wire::{Command, EventState, Limit, LocalEvent, Outcome, Settings, Side};

/// The settings, the gaps and the episodes must fit into one page.
type Bench = BenchOf<4096>;

const SECOND_MS: i64 = 1_000;

fn limit(rule: u32) -> Limit {
    Limit {
        rule,
        channel: 0,
        side: Side::High,
        threshold: Scaled(30_000),
        deadband: 1_000,
        on_delay_s: 0,
        off_delay_s: 0,
        outputs: 1,
    }
}

fn settings(revision: u32, limits: &[Limit]) -> Settings {
    Settings {
        revision,
        interval_ms: 1_000,
        heartbeat_ms: Some(60_000),
        connect_ms: None,
        gateways: Default::default(),
        channels: Default::default(),
        limits: limits.iter().copied().collect(),
    }
}

fn configure(bench: &mut Bench, settings: Settings) {
    let asked = bench.gateway.command(Command::Configure(settings));
    bench.hear(&asked).unwrap();
    bench.pump().unwrap();
    assert_eq!(bench.gateway.answers.last().unwrap().1, Outcome::Done);
    bench.disconnect();
    bench.connect().unwrap();
}

fn watching(limits: &[Limit]) -> Bench {
    let mut bench = Bench::new(1, 8);
    bench.boot().unwrap();
    bench.connect().unwrap();
    configure(&mut bench, settings(1, limits));
    bench
}

fn take(bench: &mut Bench, reading: Reading) -> Vec<(Sequence, LocalEvent)> {
    bench.wait(SECOND_MS);
    let now = bench.now();
    sim::run(bench.node().take(now, &[(0, reading, Quality::Good)])).unwrap().events.to_vec()
}

fn states(events: &[(Sequence, LocalEvent)]) -> Vec<(u32, EventState)> {
    events.iter().map(|one| (one.1.rule, one.1.state)).collect()
}

/// What came to the gateway.
fn told(bench: &Bench) -> Vec<(u32, EventState, u64)> {
    let events = bench.gateway.events.values().map(|stored| stored.event);
    events.map(|one| (one.rule, one.state, one.episode.0)).collect()
}

/// One limit the slow way: all samples so far are looked at anew for each.
#[derive(Default)]
struct Model {
    samples: Vec<(u64, Option<i32>)>,
}

impl Model {
    /// Returns the states said at each sample.
    fn states(&self, limit: &Limit, interval_ms: u64) -> Vec<Option<EventState>> {
        let mut said = Vec::new();
        let mut is_raised = false;
        let mut from = 0;
        for now in 0..self.samples.len() {
            let wanted = |value: i32| {
                let (value, threshold) = (i64::from(value), i64::from(limit.threshold.0));
                let sign = if limit.side == Side::High { 1 } else { -1 };
                let beyond = sign * (value - threshold);
                if is_raised { beyond <= -i64::from(limit.deadband) } else { beyond > 0 }
            };
            let delay_s = if is_raised { limit.off_delay_s } else { limit.on_delay_s };
            // The unbroken span of wanted values that ends here; faults neither end nor lengthen it.
            let span = &self.samples[from..=now];
            let values: Vec<bool> = span.iter().filter_map(|one| one.1).map(wanted).collect();
            let wanted_values = values.iter().rev().take_while(|is| **is).count();
            let mut held_ms = 0;
            let mut left = wanted_values;
            for pair in (1..span.len()).rev() {
                if span[pair].1.is_none() {
                    continue;
                }
                if left <= 1 {
                    break;
                }
                left -= 1;
                let step = span[pair].0 - span[pair - 1].0;
                if span[pair - 1].1.is_some() && step <= 3 * interval_ms {
                    held_ms += step;
                }
            }
            let is_now = span.last().unwrap().1.is_some_and(wanted);
            if is_now && wanted_values > 0 && held_ms >= u64::from(delay_s) * 1_000 {
                is_raised = !is_raised;
                from = now + 1;
                said.push(Some(if is_raised { EventState::Raised } else { EventState::Returned }));
            } else {
                said.push(None);
            }
        }
        said
    }
}

fn any_limit() -> impl Strategy<Value = Limit> {
    (any::<bool>(), 0..3_u32, 0..4_u16, 0..4_u16).prop_map(|(is_high, deadband, on, off)| Limit {
        side: if is_high { Side::High } else { Side::Low },
        threshold: Scaled(20_000),
        deadband,
        on_delay_s: on,
        off_delay_s: off,
        ..limit(7)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_node_says_what_the_model_says(
        limit in any_limit(),
        samples in proptest::collection::vec((1..6_u64, 0..8_i32), 1..60),
    ) {
        let mut bench = watching(&[limit]);
        let mut model = Model::default();
        let mut said = Vec::new();
        for (seconds, value) in samples {
            // Around the threshold, and one in eight a fault.
            let value = (value != 7).then_some(20_000 + value - 3);
            bench.wait((seconds as i64 - 1) * SECOND_MS);
            let events = take(&mut bench, value.map(Scaled).ok_or(Fault::Bus));
            model.samples.push((bench.now().0, value));
            said.push(events.first().map(|one| one.1.state));
        }
        prop_assert_eq!(said, model.states(&limit, 1_000));
    }
}

#[test]
fn an_episode_has_one_number_from_its_beginning_to_its_end() {
    let mut bench = watching(&[limit(7)]);
    assert!(take(&mut bench, Ok(Scaled(30_000))).is_empty(), "the limit itself is good");
    let raised = take(&mut bench, Ok(Scaled(30_001)));
    let (first, event) = raised[0];
    assert_eq!((event.state, event.episode, event.outputs), (EventState::Raised, first, 1));
    assert_eq!(bench.node().outputs(), 1);
    assert!(take(&mut bench, Ok(Scaled(29_001))).is_empty(), "in the deadband");
    let returned = take(&mut bench, Ok(Scaled(29_000)))[0].1;
    assert_eq!(
        (returned.state, returned.episode, returned.outputs),
        (EventState::Returned, first, 0)
    );
    assert_eq!(bench.node().outputs(), 0);
    bench.pump().unwrap();
    let expect = [(7, EventState::Raised, first.0), (7, EventState::Returned, first.0)];
    assert_eq!(told(&bench), expect);
}

#[test]
fn outputs_are_driven_without_a_link_and_the_event_comes_later() {
    let mut bench =
        watching(&[limit(7), Limit { threshold: Scaled(31_000), outputs: 6, ..limit(8) }]);
    bench.disconnect();
    take(&mut bench, Ok(Scaled(30_500)));
    assert_eq!(bench.node().outputs(), 1);
    take(&mut bench, Ok(Scaled(31_500)));
    assert_eq!(bench.node().outputs(), 7);
    assert!(told(&bench).is_empty());
    bench.connect().unwrap();
    assert_eq!(told(&bench).len(), 2);
}

#[test]
fn an_event_goes_before_a_backlog() {
    let mut bench = watching(&[limit(7)]);
    bench.disconnect();
    for _ in 0..100 {
        bench.wait(SECOND_MS);
        bench.record().unwrap();
    }
    take(&mut bench, Ok(Scaled(30_001)));
    bench.node().connected();
    let birth = bench.next().unwrap().unwrap();
    let answers = bench.gateway.hear(&birth, bench.utc);
    answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    let first = bench.next().unwrap().unwrap();
    assert!(matches!(first.data().body, wire::Body::Event { .. }));
}

#[test]
fn silence_and_faults_neither_raise_nor_return() {
    let slow = Limit { on_delay_s: 3, off_delay_s: 3, ..limit(7) };
    let mut bench = watching(&[slow]);
    for _ in 0..10 {
        assert!(
            take(&mut bench, Ok(Scaled(31_000))).len() + take(&mut bench, Err(Fault::Bus)).len()
                == 0
        );
        bench.wait(3_600_000);
    }
    for expect in [0, 0, 0, 1] {
        assert_eq!(take(&mut bench, Ok(Scaled(31_000))).len(), expect);
    }
    bench.wait(3_600_000);
    take(&mut bench, Ok(Scaled(20_000)));
    bench.wait(3_600_000);
    assert!(take(&mut bench, Ok(Scaled(20_000))).is_empty());
    assert_eq!(bench.node().outputs(), 1);
}

#[test]
fn what_fails_the_gross_range_is_no_value() {
    let mut bench = watching(&[limit(7)]);
    assert!(take(&mut bench, Ok(Scaled(130_000))).is_empty());
}

#[test]
fn limits_beyond_what_a_round_can_say_are_said_by_the_next() {
    let many: Vec<Limit> = (1..=10).map(limit).collect();
    let mut bench = watching(&many);
    let said: Vec<usize> = (0..4).map(|_| take(&mut bench, Ok(Scaled(31_000))).len()).collect();
    assert_eq!(said, [4, 4, 2, 0]);
}

#[test]
fn an_episode_goes_on_through_a_restart() {
    let mut bench = watching(&[limit(7)]);
    let (first, _) = take(&mut bench, Ok(Scaled(31_000)))[0];
    bench.boot().unwrap();
    assert_eq!(bench.node().outputs(), 1, "at once, before any reading");
    assert!(take(&mut bench, Ok(Scaled(31_000))).is_empty(), "nobody is paged twice");
    let returned = take(&mut bench, Ok(Scaled(20_000)))[0].1;
    assert_eq!((returned.state, returned.episode), (EventState::Returned, first));
    bench.boot().unwrap();
    assert_eq!(bench.node().outputs(), 0);
    let again = take(&mut bench, Ok(Scaled(31_000)));
    assert_ne!(again[0].0, first);
    bench.connect().unwrap();
    assert_eq!(told(&bench).len(), 3);
}

#[test]
fn new_settings_cancel_limits_that_changed_or_went_and_no_others() {
    let mut bench = watching(&[limit(7), limit(8), limit(9)]);
    take(&mut bench, Ok(Scaled(31_000)));
    bench.pump().unwrap();
    let changed = Limit { threshold: Scaled(40_000), ..limit(8) };
    configure(&mut bench, settings(2, &[limit(7), changed]));
    let cancelled: Vec<_> =
        told(&bench).into_iter().filter(|one| one.1 == EventState::Cancelled).collect();
    let raised = |rule: u32| told(&bench).iter().find(|one| one.0 == rule).unwrap().2;
    let expect: Vec<_> = [8, 9].map(|rule| (rule, EventState::Cancelled, raised(rule))).into();
    assert_eq!(cancelled, expect);
    assert_eq!(states(&take(&mut bench, Ok(Scaled(20_000)))), [(7, EventState::Returned)]);
}

/// Raises and returns a limit with the power cut after so many words of flash. Whatever the cut
/// leaves, an episode that the gateway knows ends there, and none is known twice.
#[test]
fn a_power_cut_leaves_no_episode_without_its_event_and_none_open_that_ended() {
    for cut in 0..160 {
        let mut bench = watching(&[limit(7)]);
        bench.flash.cut_after(Some(cut));
        let now = bench.now();
        for (seconds, value) in [(1, 31_000), (2, 20_000), (3, 31_000), (4, 20_000)] {
            let at = now.plus_ms(seconds * 1_000);
            let round = [(0, Ok(Scaled(value)), Quality::Good)];
            if sim::run(bench.node().take(at, &round)).is_err() {
                break;
            }
        }
        bench.flash.cut_after(None);
        bench.wait(10_000);
        bench.boot().unwrap();
        bench.connect().unwrap();
        let is_driven = bench.node().outputs() != 0;
        let mut open = std::collections::BTreeSet::new();
        for (_, state, episode) in told(&bench) {
            let is_new = match state {
                EventState::Raised => open.insert(episode),
                EventState::Returned | EventState::Cancelled => open.remove(&episode),
            };
            assert!(is_new, "cut {cut}: {:?}", told(&bench));
        }
        assert_eq!(open.len(), usize::from(is_driven), "cut {cut}: {:?}", told(&bench));
        let said = take(&mut bench, Ok(Scaled(31_000)));
        assert_eq!(said.len(), usize::from(!is_driven), "cut {cut}");
    }
}
