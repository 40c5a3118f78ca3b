//! The rules that a stage and a person's overrides make.

use alarms::{
    Bound, ChannelId, ConfirmedLimit, ConfirmedLimits, Level, RuleKind, Rules, Severity, Side,
    SourceClass, Threshold, Trip, ZoneChannel, rules_for,
};
use measure::{Quantity, Scaled, Slug};
use nursery::{Band, Day, Growing, LimitOverride, Limits, Names, Period, Stage, Zone, ZoneKind};

use crate::house::{lamps, site};

fn band(quantity: Quantity, period: Period, alarm: (i32, i32), class: SourceClass) -> Band {
    let limits = |(low, high): (i32, i32)| {
        let steps = quantity.steps_per_unit();
        Limits::new("alarm", quantity, Some(Scaled(low * steps)), Some(Scaled(high * steps)))
    };
    Band {
        quantity,
        period,
        target: limits(alarm).unwrap_or_default(),
        alarm: limits(alarm).unwrap_or_default(),
        target_class: class,
        alarm_class: Some(class),
        sources: vec!["RI12".into()],
        note: None,
        proxy: false,
    }
}

fn none() -> ConfirmedLimits {
    ConfirmedLimits::default()
}

fn names() -> Names {
    Names::new("一", "one").expect("a name")
}

fn stage(bands: Vec<Band>) -> Stage {
    Stage {
        id: Slug::new("one").expect("a slug"),
        order: 0,
        names: names(),
        note: None,
        duration: None,
        bands,
        guidance: Vec::new(),
    }
}

fn zone(day: Day, overrides: Vec<LimitOverride>) -> Zone {
    Zone {
        id: Slug::new("house-1").expect("a slug"),
        site: site().id,
        names: names(),
        kind: ZoneKind::House,
        growing: None,
        day,
        overrides,
        expected_interval_ms: 60_000,
    }
}

/// The levels of the limits of one channel of a quantity.
#[track_caller]
fn levels(
    quantity: Quantity,
    bands: Vec<Band>,
    overrides: Vec<LimitOverride>,
    day: Day,
) -> Vec<Level> {
    let channel = ZoneChannel {
        id: ChannelId(1),
        quantity,
        expected_interval_ms: None,
        asleep_ms: 0,
        is_derived: false,
    };
    let rules = rules_for(&site(), &zone(day, overrides), Some(&stage(bands)), &[channel], &none());
    assert!(Rules::new(vec![rules.clone()]).is_ok());
    let rules = rules.channels.into_iter().flat_map(|channel| channel.rules);
    rules.filter(|rule| rule.kind == RuleKind::Limit).flat_map(|rule| rule.levels).collect()
}

fn threshold(level: &Level) -> &Threshold {
    match &level.trip {
        Trip::Limit(threshold) => threshold,
        other => panic!("{other:?} is no limit"),
    }
}

fn value(bound: Option<&Bound>) -> Option<(i32, bool)> {
    bound.map(|bound| (bound.limit.0, bound.wakes))
}

fn set(period: Period, severity: Severity, limit: Option<i32>) -> LimitOverride {
    LimitOverride {
        quantity: Quantity::AirTemperature,
        side: Side::High,
        period,
        severity,
        limit: limit.map(|degrees| Scaled(degrees * 1_000)),
        on_delay_ms: None,
        off_delay_ms: None,
        deadband: None,
        reason: "this house".into(),
    }
}

#[test]
fn the_alarm_limits_of_day_and_night_make_one_rule() {
    let bands = vec![
        band(Quantity::AirTemperature, Period::Day, (12, 30), SourceClass::B),
        band(Quantity::AirTemperature, Period::Night, (10, 25), SourceClass::G),
    ];
    let levels = levels(Quantity::AirTemperature, bands, vec![], Day::Sun);
    assert_eq!(levels.len(), 2);
    let (low, high) = (threshold(&levels[0]), threshold(&levels[1]));
    assert_eq!((low.side, high.side), (Side::Low, Side::High));
    assert_eq!(value(low.day.as_ref()), Some((12_000, true)));
    assert_eq!(value(low.night.as_ref()), Some((10_000, false)));
    assert_eq!(value(high.night.as_ref()), Some((25_000, false)));
    assert_eq!((high.deadband, levels[1].severity), (Scaled(500), Severity::High));
    assert_eq!((levels[1].on_delay_ms, levels[1].off_delay_ms), (600_000, 600_000));
}

#[test]
fn an_override_replaces_the_limit_of_its_period_and_wakes() {
    let bands = vec![band(Quantity::AirTemperature, Period::All, (12, 30), SourceClass::G)];
    let overrides = vec![set(Period::Day, Severity::High, Some(33))];
    let levels = levels(Quantity::AirTemperature, bands, overrides, Day::Sun);
    let high = threshold(&levels[1]);
    assert_eq!(value(high.day.as_ref()), Some((33_000, true)));
    assert_eq!(value(high.night.as_ref()), Some((30_000, false)));
    assert_eq!(high.day.as_ref().and_then(|it| it.reason.as_deref()), Some("this house"));
}

#[test]
fn a_lethal_limit_needs_no_delay() {
    let overrides = vec![set(Period::All, Severity::Critical, Some(35))];
    let levels = levels(Quantity::AirTemperature, vec![], overrides, Day::Sun);
    assert_eq!(levels.len(), 1);
    assert_eq!((levels[0].severity, levels[0].on_delay_ms), (Severity::Critical, 0));
    assert_eq!(value(threshold(&levels[0]).night.as_ref()), Some((35_000, true)));
}

#[test]
fn an_override_may_take_a_limit_away() {
    let bands = vec![band(Quantity::AirTemperature, Period::All, (12, 30), SourceClass::B)];
    let overrides = vec![set(Period::All, Severity::High, None)];
    let levels = levels(Quantity::AirTemperature, bands, overrides, Day::Sun);
    assert_eq!(levels.iter().map(Level::side).collect::<Vec<_>>(), [Side::Low]);
}

#[test]
fn darkness_is_too_dark_under_lamps_only() {
    let dark = |day: Day| {
        let bands = vec![band(Quantity::Ppfd, Period::All, (35, 200), SourceClass::B)];
        let levels = levels(Quantity::Ppfd, bands, vec![], day);
        let low = levels.into_iter().find(|level| level.side() == Side::Low);
        low.map(|level| {
            let threshold = threshold(&level);
            (value(threshold.day.as_ref()), value(threshold.night.as_ref()), threshold.deadband)
        })
    };
    assert_eq!(dark(Day::Sun), None);
    assert_eq!(dark(lamps()), Some((Some((350, true)), None, Scaled(82))));
}

#[test]
fn a_running_daily_light_integral_is_not_judged() {
    let bands = vec![band(Quantity::DailyLightIntegral, Period::All, (5, 14), SourceClass::B)];
    assert_eq!(levels(Quantity::DailyLightIntegral, bands, vec![], Day::Sun), []);
}

#[test]
fn a_derived_channel_is_held_against_its_limits_and_leaves_silence_to_its_inputs() {
    let class = SourceClass::A;
    let quantity = Quantity::VapourPressureDeficit;
    let bands = vec![band(quantity, Period::All, (1, 2), class)];
    let channel = |is_derived| ZoneChannel {
        id: ChannelId(1),
        quantity,
        expected_interval_ms: None,
        asleep_ms: 0,
        is_derived,
    };
    let kinds = |is_derived| {
        let channels = [channel(is_derived)];
        let made = rules_for(
            &site(),
            &zone(Day::Sun, vec![]),
            Some(&stage(bands.clone())),
            &channels,
            &none(),
        );
        let rules = made.channels.into_iter().flat_map(|it| it.rules);
        rules.map(|rule| rule.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(true), [RuleKind::Limit]);
    assert_eq!(kinds(false), [RuleKind::Limit, RuleKind::Stale, RuleKind::Fault]);
}

#[test]
fn every_channel_is_watched_for_silence_and_faults() {
    let slow = ZoneChannel {
        id: ChannelId(3),
        quantity: Quantity::SupplyVoltage,
        expected_interval_ms: Some(900_000),
        asleep_ms: 0,
        is_derived: false,
    };
    let rules = rules_for(&site(), &zone(Day::Sun, vec![]), None, &[slow], &none());
    let kinds: Vec<_> = rules.channels[0].rules.iter().map(|rule| rule.kind).collect();
    assert_eq!(kinds, [RuleKind::Stale, RuleKind::Fault]);
    let stale = &rules.channels[0].rules[0];
    assert_eq!(stale.levels[0].on_delay_ms, 2_700_000);
    assert_eq!(stale.levels[1].on_delay_ms, 2_700_000);
}

#[test]
fn the_channel_that_measures_the_light_is_found() {
    let day = Day::MeasuredLight { quantity: Quantity::Illuminance, threshold: Scaled(500) };
    let channel = |id, quantity| ZoneChannel {
        id: ChannelId(id),
        quantity,
        expected_interval_ms: None,
        asleep_ms: 0,
        is_derived: false,
    };
    let channels = [channel(1, Quantity::Co2), channel(2, Quantity::Illuminance)];
    let rules = rules_for(&site(), &zone(day, vec![]), None, &channels, &none());
    assert_eq!(rules.clock.light, Some(ChannelId(2)));
}

/// Whether the high limit by day wakes, and by whom it was confirmed.
#[track_caller]
fn check_confirmed(class: SourceClass, change: impl Fn(&mut ConfirmedLimit), expect: Option<&str>) {
    let growing = Growing {
        crop: Slug::new("rice").expect("a slug"),
        method: Slug::new("tray").expect("a slug"),
        stage: Slug::new("one").expect("a slug"),
    };
    let mut confirmed = ConfirmedLimit {
        site: site().id,
        growing: growing.clone(),
        quantity: Quantity::AirTemperature,
        side: Side::High,
        limit: Scaled(30_000),
        by: "li".into(),
    };
    change(&mut confirmed);
    let mut zone = zone(Day::Sun, vec![]);
    zone.growing = Some(growing);
    let bands = vec![band(Quantity::AirTemperature, Period::All, (12, 30), class)];
    let channel = ZoneChannel {
        id: ChannelId(1),
        quantity: Quantity::AirTemperature,
        expected_interval_ms: None,
        asleep_ms: 0,
        is_derived: false,
    };
    let confirmed = [confirmed].into_iter().collect();
    let rules = rules_for(&site(), &zone, Some(&stage(bands)), &[channel], &confirmed);
    let channels = rules.channels.iter().flat_map(|channel| &channel.rules);
    let levels: Vec<_> = channels.flat_map(|rule| &rule.levels).collect();
    let [low, high, ..] = levels.as_slice() else { panic!("{levels:?}") };
    let (low, high) = (threshold(low), threshold(high));
    let high = high.day.as_ref().expect("a high limit");
    let wakes_anyway = !class.needs_confirmation();
    assert_eq!(high.confirmed_by.as_deref(), expect);
    assert_eq!(high.wakes, wakes_anyway || expect.is_some());
    assert_eq!(high.needs_confirmation(), !high.wakes);
    assert_eq!(
        low.day.as_ref().map(|it| it.wakes),
        Some(wakes_anyway),
        "the other side is its own"
    );
}

#[test]
fn a_weak_limit_wakes_once_somebody_of_the_nursery_has_confirmed_it() {
    check_confirmed(SourceClass::G, |_| {}, Some("li"));
    check_confirmed(SourceClass::C, |_| {}, Some("li"));
    check_confirmed(SourceClass::B, |_| {}, None);
}

#[test]
fn a_confirmation_holds_for_its_value_and_its_stage_alone() {
    check_confirmed(SourceClass::G, |it| it.limit = Scaled(29_999), None);
    check_confirmed(SourceClass::G, |it| it.side = Side::Low, None);
    check_confirmed(SourceClass::G, |it| it.quantity = Quantity::Co2, None);
    let other = || Slug::new("two").expect("a slug");
    check_confirmed(SourceClass::G, |it| it.growing.stage = other(), None);
    check_confirmed(SourceClass::G, |it| it.growing.method = other(), None);
    check_confirmed(SourceClass::G, |it| it.growing.crop = other(), None);
    check_confirmed(SourceClass::G, |it| it.site = other(), None);
}
