//! A live round: calibrated, flagged as QARTOD flags, and kept where it says something new.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use measure::{Fault, Quality, Reading, Scaled};
use node::Taken;
use sim::BenchOf;
use wire::{Calibration, ChannelSettings, Command, Outcome, Settings};

/// The settings, the gaps and the episodes must fit into one page.
type Bench = BenchOf<4096>;

const MINUTE_MS: i64 = 60_000;

fn settings(revision: u32) -> Settings {
    Settings {
        revision,
        interval_ms: 60_000,
        heartbeat_ms: None,
        connect_ms: None,
        gateways: Default::default(),
        channels: Default::default(),
        limits: Default::default(),
    }
}

fn channel(channel: u8) -> ChannelSettings {
    ChannelSettings { channel, enabled: true, position: None, deadband: 0, calibration: None }
}

/// A bench that works by `settings`.
fn configured(channels: usize, settings: Settings) -> Bench {
    let mut bench = Bench::new(channels, 8);
    bench.boot().unwrap();
    bench.connect().unwrap();
    let asked = bench.gateway.command(Command::Configure(settings));
    bench.hear(&asked).unwrap();
    bench.pump().unwrap();
    assert_eq!(bench.gateway.answers.last().unwrap().1, Outcome::Done);
    bench.disconnect();
    bench
}

fn take(bench: &mut Bench, readings: &[Reading]) -> Taken {
    bench.wait(MINUTE_MS);
    let now = bench.now();
    let round: Vec<_> =
        (0..).zip(readings).map(|(index, one)| (index, *one, Quality::Good)).collect();
    sim::run(bench.node().take(now, &round)).unwrap()
}

/// Air temperatures, in steps; what of each round was kept, with the corner before it.
#[track_caller]
fn check(bench: &mut Bench, values: &[i32], expect: &[&[i32]]) {
    let kept: Vec<Vec<i32>> = values
        .iter()
        .map(|value| {
            let taken = take(bench, &[Ok(Scaled(*value))]);
            let both = taken.corners.iter().chain(&taken.readings);
            both.map(|one| one.1.unwrap().0).collect()
        })
        .collect();
    assert_eq!(kept, expect);
}

#[test]
fn without_settings_each_reading_is_kept() {
    let mut bench = Bench::new(1, 8);
    bench.boot().unwrap();
    check(&mut bench, &[20_000, 20_000, 20_000], &[&[20_000], &[20_000], &[20_000]]);
}

#[test]
fn with_a_heartbeat_only_what_is_new_is_kept() {
    let deadband = ChannelSettings { deadband: 500, ..channel(0) };
    let by_exception = Settings {
        heartbeat_ms: Some(300_000),
        channels: [deadband].into_iter().collect(),
        ..settings(1)
    };
    let mut bench = configured(1, by_exception);
    check(
        &mut bench,
        &[20_000, 20_100, 20_499, 20_500, 20_400, 20_300, 20_200, 20_100, 20_300],
        // The first, then the jump with its corner, then the heartbeat after five minutes.
        &[&[20_000], &[], &[], &[20_499, 20_500], &[], &[], &[], &[], &[20_300]],
    );
}

#[test]
fn a_corner_has_the_time_at_which_it_was_taken() {
    let by_exception = Settings { heartbeat_ms: Some(3_600_000), ..settings(1) };
    let mut bench = configured(1, by_exception);
    take(&mut bench, &[Ok(Scaled(20_000))]);
    take(&mut bench, &[Ok(Scaled(20_000))]);
    let before = bench.now();
    let taken = take(&mut bench, &[Ok(Scaled(20_001))]);
    assert_eq!(taken.before.unwrap().uptime, before);
    assert_eq!(taken.recorded.unwrap().uptime, bench.now());
    assert_eq!(taken.recorded.unwrap().first.0, taken.before.unwrap().first.0 + 1);
    assert_eq!(taken.corners, [(0, Ok(Scaled(20_000)), Quality::Good)]);
}

#[test]
fn a_change_of_fault_or_flag_is_always_kept() {
    let deadband = ChannelSettings { deadband: 100_000, ..channel(0) };
    let by_exception = Settings {
        heartbeat_ms: Some(3_600_000),
        channels: [deadband].into_iter().collect(),
        ..settings(1)
    };
    let mut bench = configured(1, by_exception);
    let rounds: [(Reading, bool); 8] = [
        (Ok(Scaled(20_000)), true),
        (Ok(Scaled(20_000)), false),
        (Err(Fault::Bus), true),
        (Err(Fault::Bus), false),
        (Err(Fault::Checksum), true),
        (Ok(Scaled(20_000)), true),
        // Too fast: another flag.
        (Ok(Scaled(30_000)), true),
        (Ok(Scaled(30_000)), true),
    ];
    for (at, (reading, is_kept)) in rounds.into_iter().enumerate() {
        assert_eq!(take(&mut bench, &[reading]).recorded.is_some(), is_kept, "round {at}");
    }
}

#[test]
fn readings_carry_the_flags_of_their_quantity() {
    let mut bench = Bench::new(2, 8);
    bench.boot().unwrap();
    let flags = |taken: Taken| taken.readings.iter().map(|one| one.2.code()).collect::<Vec<_>>();
    let mut round =
        |air: i32, humidity: i32| flags(take(&mut bench, &[Ok(Scaled(air)), Ok(Scaled(humidity))]));
    assert_eq!(round(20_000, 5_000), [1, 1]);
    assert_eq!(round(23_001, 6_001), [3, 3]);
    assert_eq!(round(126_000, 10_001), [4, 4]);
    for minute in 0..60 {
        let expect = if minute < 3 { None } else { Some(1) };
        let flag = round(20_000, 9_700)[0];
        assert!(expect.is_none_or(|expect| flag == expect), "minute {minute}");
    }
    assert_eq!(round(20_000, 9_700), [3, 1], "an hour the same; wet air may be");
}

#[test]
fn a_calibration_comes_before_the_flag() {
    let line = Calibration {
        number: 7,
        raw_low: Scaled(0),
        reference_low: Scaled(1_000),
        raw_high: Scaled(20_000),
        reference_high: Scaled(21_500),
    };
    let own = ChannelSettings { calibration: Some(line), ..channel(0) };
    let mut bench =
        configured(1, Settings { channels: [own].into_iter().collect(), ..settings(1) });
    assert_eq!(take(&mut bench, &[Ok(Scaled(10_000))]).readings[0].1, Ok(Scaled(11_250)));
    let hot = take(&mut bench, &[Ok(Scaled(122_000))]);
    assert_eq!(hot.readings[0], (0, Ok(Scaled(126_050)), Quality::Fail));
    bench.connect().unwrap();
    assert_eq!(bench.gateway.births.last().unwrap().channels[0].calibration, 7);
}

#[test]
fn a_channel_that_is_switched_off_is_not_recorded() {
    let off = ChannelSettings { enabled: false, ..channel(1) };
    let mut bench =
        configured(2, Settings { channels: [off].into_iter().collect(), ..settings(1) });
    assert!(bench.node().is_enabled(0) && !bench.node().is_enabled(1));
    let taken = take(&mut bench, &[Ok(Scaled(20_000)), Ok(Scaled(5_000))]);
    assert_eq!(taken.readings.len(), 1);
    assert_eq!(taken.recorded.unwrap().count, 1);
    bench.connect().unwrap();
    assert!(!bench.gateway.births.last().unwrap().channels[1].enabled);
}
