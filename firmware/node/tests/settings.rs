//! Settings from afar: refused by the field's name, tried, proven, given up, and never a mix of two.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use measure::{Scaled, Slug};
use node::{Action, SETTINGS_PROOF_MS};
use sim::BenchOf;
use wire::{Calibration, ChannelSettings, Command, Limit, Outcome, Settings, Side};

/// The settings must fit into one page.
type Bench = BenchOf<4096>;

fn settings(revision: u32) -> Settings {
    let moved = ChannelSettings {
        channel: 1,
        enabled: revision % 2 == 1,
        position: Some(Slug::new("tray-3").unwrap()),
        deadband: revision,
        calibration: Some(Calibration {
            number: revision,
            raw_low: Scaled(0),
            reference_low: Scaled(1),
            raw_high: Scaled(100),
            reference_high: Scaled(99),
        }),
    };
    let limit = Limit {
        rule: revision,
        channel: 0,
        side: Side::Low,
        threshold: Scaled(2_000),
        deadband: 500,
        on_delay_s: 60,
        off_delay_s: 60,
        outputs: 1,
    };
    Settings {
        revision,
        interval_ms: 1_000 * revision,
        heartbeat_ms: Some(600_000),
        connect_ms: None,
        gateways: [format!("gateway-{revision}:1883").as_str().try_into().unwrap()]
            .into_iter()
            .collect(),
        channels: [moved].into_iter().collect(),
        limits: [limit].into_iter().collect(),
    }
}

fn online() -> Bench {
    let mut bench = Bench::new(2, 6);
    bench.config.gateways = ["home:1883".try_into().unwrap()].into_iter().collect();
    bench.boot().unwrap();
    bench.connect().unwrap();
    bench
}

/// Sends settings and returns what the node answers.
fn configure(bench: &mut Bench, settings: Settings) -> (Outcome, String) {
    let asked = bench.gateway.command(Command::Configure(settings));
    bench.hear(&asked).unwrap();
    bench.pump().unwrap();
    (bench.gateway.answers.last().unwrap().1, bench.gateway.details.last().unwrap().clone())
}

/// Breaks the connection off and comes back.
fn reconnect(bench: &mut Bench) {
    bench.disconnect();
    bench.connect().unwrap();
}

fn check(bench: &mut Bench) -> Option<Action<'static>> {
    let now = bench.now();
    sim::run(bench.node().check(now)).unwrap()
}

fn gateways(bench: &mut Bench) -> Vec<String> {
    bench.node().gateways().map(String::from).collect()
}

/// Lets `ms` of trying go by without an answer; returns what the node asks for then.
fn try_for(bench: &mut Bench, ms: u32) -> Option<Action<'static>> {
    let mut left = i64::from(ms);
    while left > 0 {
        let step = left.min(1_000);
        bench.wait(step);
        left -= step;
        if let Some(action) = check(bench) {
            return Some(action);
        }
    }
    None
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Settings), expect: &str) {
    let mut bench = online();
    let mut wrong = settings(1);
    change(&mut wrong);
    assert_eq!(configure(&mut bench, wrong), (Outcome::Refused, expect.into()));
    assert!(bench.actions.is_empty());
    reconnect(&mut bench);
    assert_eq!(bench.gateway.births.last().unwrap().settings, 0);
}

#[test]
fn what_is_not_possible_is_refused_by_its_name() {
    refused(|one| one.revision = 0, "revision");
    refused(|one| one.heartbeat_ms = Some(999), "heartbeat_ms");
    refused(|one| one.connect_ms = Some(86_400_001), "connect_ms");
    refused(|one| one.channels[0].channel = 31, "channels[0]: no such channel");
    refused(|one| one.channels.push(one.channels[0].clone()).unwrap(), "channels[1]: stands twice");
    refused(|one| one.channels[0].deadband = u32::MAX, "channels[0].deadband");
    refused(
        |one| one.channels[0].calibration.as_mut().unwrap().raw_high = Scaled(0),
        "channels[0].calibration.raw",
    );
    refused(
        |one| one.channels[0].calibration.as_mut().unwrap().reference_low = Scaled(99),
        "channels[0].calibration.reference",
    );
    refused(
        |one| one.channels[0].calibration.as_mut().unwrap().reference_high = Scaled(10_001),
        "channels[0].calibration.reference_high",
    );
    refused(|one| one.limits.push(one.limits[0]).unwrap(), "limits[1].rule");
    refused(|one| one.limits[0].threshold = Scaled(i32::MAX), "limits[0].threshold");
    refused(|one| one.limits[0].deadband = u32::MAX, "limits[0].deadband");
    refused(|one| one.limits[0].channel = 2, "limits[0].channel: no such channel");
    for address in ["gateway", ":1883", "gateway:0", "gateway:65536", "ga teway:1", "gateway:+1"] {
        refused(|one| one.gateways.push(address.try_into().unwrap()).unwrap(), "gateways[1]");
    }
}

#[test]
fn settings_are_answered_put_in_force_and_proven_by_a_new_session() {
    let mut bench = online();
    assert_eq!(configure(&mut bench, settings(1)), (Outcome::Done, String::new()));
    assert_eq!(bench.actions, [Action::Reconnect]);
    assert_eq!(bench.node().interval_ms(), 1_000);
    assert_eq!(gateways(&mut bench), ["gateway-1:1883"]);
    reconnect(&mut bench);
    let birth = bench.gateway.births.last().unwrap();
    assert_eq!((birth.settings, birth.rolled_back), (1, None));
    assert_eq!((birth.interval_ms, birth.heartbeat_ms), (1_000, Some(600_000)));
    assert_eq!(birth.channels[1].position.as_str(), "tray-3");
    assert_eq!((birth.channels[1].calibration, birth.channels[0].calibration), (1, 0));
    bench.disconnect();
    assert_eq!(try_for(&mut bench, 2 * SETTINGS_PROOF_MS), None, "they are proven");
    bench.boot().unwrap();
    assert_eq!(bench.node().interval_ms(), 1_000);
    bench.connect().unwrap();
    assert_eq!(bench.gateway.births.last().unwrap().settings, 1);
}

#[test]
fn a_birth_of_the_same_session_proves_nothing() {
    let mut bench = online();
    configure(&mut bench, settings(1));
    let asked = bench.gateway.command(Command::Rebirth);
    bench.hear(&asked).unwrap();
    bench.pump().unwrap();
    bench.disconnect();
    assert_eq!(try_for(&mut bench, SETTINGS_PROOF_MS), Some(Action::Reconnect));
}

#[test]
fn what_cannot_reconnect_is_given_up_in_time() {
    let mut bench = online();
    configure(&mut bench, settings(1));
    reconnect(&mut bench);
    configure(&mut bench, settings(2));
    bench.disconnect();
    assert_eq!(try_for(&mut bench, SETTINGS_PROOF_MS - 1_000), None);
    assert_eq!(bench.node().interval_ms(), 2_000);
    assert_eq!(try_for(&mut bench, 1_000), Some(Action::Reconnect));
    assert_eq!(bench.node().interval_ms(), 1_000);
    assert_eq!(gateways(&mut bench), ["gateway-1:1883"]);
    for _ in 0..2 {
        bench.connect().unwrap();
        let birth = bench.gateway.births.last().unwrap();
        assert_eq!((birth.settings, birth.rolled_back), (1, Some(2)));
        bench.boot().unwrap();
    }
    bench.connect().unwrap();
    assert_eq!(configure(&mut bench, settings(2)).0, Outcome::Done, "they may be tried again");
    reconnect(&mut bench);
    let birth = bench.gateway.births.last().unwrap();
    assert_eq!((birth.settings, birth.rolled_back), (2, None));
}

#[test]
fn the_first_settings_are_given_up_for_those_it_was_built_with() {
    let mut bench = online();
    configure(&mut bench, settings(1));
    bench.disconnect();
    assert_eq!(try_for(&mut bench, SETTINGS_PROOF_MS), Some(Action::Reconnect));
    assert_eq!(bench.node().interval_ms(), 60_000);
    assert_eq!(gateways(&mut bench), ["home:1883"]);
    bench.connect().unwrap();
    let birth = bench.gateway.births.last().unwrap();
    assert_eq!((birth.settings, birth.rolled_back), (0, Some(1)));
    assert_eq!(birth.channels[1].position.as_str(), "canopy");
    assert!(birth.channels[1].enabled);
}

#[test]
fn a_restart_neither_proves_nor_prolongs_a_trial() {
    let mut bench = online();
    configure(&mut bench, settings(1));
    bench.disconnect();
    let mut tried_ms = 0;
    let mut boots = 0;
    // Each boot tries for a minute: some seconds are lost at the cut, and a boot costs some.
    while bench.node().interval_ms() == 1_000 {
        assert!(boots < 6, "after {tried_ms} ms");
        try_for(&mut bench, 61_000);
        tried_ms += 61_000;
        bench.boot().unwrap();
        boots += 1;
    }
    assert!(boots >= 4);
    assert_eq!(bench.node().interval_ms(), 60_000);
}

#[test]
fn settings_with_which_it_restarts_again_and_again_are_given_up() {
    let mut bench = online();
    configure(&mut bench, settings(1));
    for _ in 0..30 {
        bench.boot().unwrap();
    }
    assert_eq!(bench.node().interval_ms(), 60_000);
}

#[test]
fn a_revision_stands_for_one_content() {
    let mut bench = online();
    configure(&mut bench, settings(3));
    reconnect(&mut bench);
    bench.actions.clear();
    assert_eq!(configure(&mut bench, settings(3)), (Outcome::Done, String::new()));
    assert!(bench.actions.is_empty(), "there is nothing to prove");
    let other = Settings { interval_ms: 5_000, ..settings(3) };
    assert_eq!(
        configure(&mut bench, other),
        (Outcome::Refused, "revision: 3 says otherwise".into())
    );
    assert_eq!(
        configure(&mut bench, settings(2)),
        (Outcome::Refused, "revision: 3 is in force".into())
    );
}

#[test]
fn an_interval_by_command_holds_until_other_settings_come() {
    let mut bench = online();
    configure(&mut bench, settings(1));
    reconnect(&mut bench);
    let asked = bench.gateway.command(Command::Interval(7_000));
    bench.hear(&asked).unwrap();
    bench.pump().unwrap();
    let birth = bench.gateway.births.last().unwrap();
    assert_eq!((birth.settings, birth.interval_ms), (1, 7_000));
    bench.boot().unwrap();
    assert_eq!(bench.node().interval_ms(), 7_000);
    bench.connect().unwrap();
    configure(&mut bench, settings(2));
    assert_eq!(bench.node().interval_ms(), 2_000);
    bench.disconnect();
    try_for(&mut bench, SETTINGS_PROOF_MS);
    assert_eq!(bench.node().interval_ms(), 7_000, "as it was before");
}

/// Cuts the power after each word that a change of settings writes.
#[test]
fn a_power_cut_leaves_the_old_settings_or_the_new_ones_whole() {
    let mut outcomes = [0, 0];
    let mut cut = 0;
    loop {
        let mut bench = online();
        configure(&mut bench, settings(1));
        reconnect(&mut bench);
        let asked = bench.gateway.command(Command::Configure(settings(2)));
        bench.flash.cut_after(Some(cut));
        let is_done = bench.hear(&asked).is_ok();
        bench.flash.cut_after(None);
        bench.boot().unwrap();
        bench.connect().unwrap();
        let birth = bench.gateway.births.last().unwrap().clone();
        let revision = birth.settings;
        assert_eq!(birth.interval_ms, 1_000 * revision, "cut {cut}");
        assert_eq!(birth.channels[1].calibration, revision, "cut {cut}");
        assert_eq!(birth.channels[1].enabled, revision % 2 == 1, "cut {cut}");
        assert_eq!(birth.rolled_back, None);
        assert_eq!(gateways(&mut bench), [format!("gateway-{revision}:1883")]);
        outcomes[revision as usize - 1] += 1;
        if is_done {
            assert_eq!(revision, 2);
            break;
        }
        cut += 1;
    }
    assert!(outcomes[0] > 10 && outcomes[1] > 0, "{outcomes:?}");
}
