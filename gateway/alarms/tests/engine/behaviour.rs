//! What the engine promises, one claim a test.

use crate::house::*;
use alarms::{
    Action, AlarmId, ChannelId, ChannelRules, Error, Input, InputState, Kind, Presence, Rule,
    RuleId, RuleKind, Rules, Severity, Side, State, StateName, Suppression, Transition, evaluate,
};
use measure::{Quality, Scaled};
use nursery::Day;

fn one_high() -> Rules {
    let both = (bound(30, true), bound(30, true));
    rules(vec![limit(Severity::High, Side::High, both, (600, 600))], Day::Sun)
}

#[track_caller]
fn check(rules: &Rules, inputs: &[Vec<Input>], expect: &[(Kind, i64)]) -> Vec<Transition> {
    let mut state = State::default();
    let transitions = run(rules, &mut state, &inputs.concat());
    assert_eq!(kinds(&transitions), expect);
    transitions
}

fn acknowledge(alarm: u64, seconds: i64) -> Input {
    Input::Operator {
        action: Action::Acknowledge,
        alarm: AlarmId(alarm),
        by: "li".into(),
        comment: "vent opened".into(),
        at: at(seconds),
    }
}

#[test]
fn a_limit_broken_for_the_on_delay_raises_once_and_returns_after_the_off_delay() {
    let inputs = [minutes(0, 600, 25.0), minutes(600, 1_800, 31.0), minutes(1_800, 3_600, 25.0)];
    let out = check(&one_high(), &inputs, &[(Kind::Raised, 1_200), (Kind::Returned, 2_400)]);
    let raised = &out[0].episode;
    assert_eq!((seconds(raised.started), seconds(raised.raised)), (600, 1_200));
    assert_eq!((seconds(raised.seen), raised.limit), (1_202, Some(Scaled(30_000))));
    assert_eq!((out[0].state, out[0].notify), (StateName::ActiveUnacknowledged, true));
    let returned = &out[1].episode;
    assert_eq!(returned.returned.map(seconds), Some(1_800));
    assert_eq!((out[1].state, out[1].notify), (StateName::ReturnedUnacknowledged, false));
    assert_eq!(returned.closed, None);
}

#[test]
fn the_value_at_the_limit_does_not_break_it() {
    check(&one_high(), &[minutes(0, 3_600, 30.0)], &[]);
}

#[test]
fn one_good_sample_starts_the_on_delay_anew() {
    let inputs = [minutes(0, 540, 31.0), minutes(540, 600, 29.9), minutes(600, 1_200, 31.0)];
    check(&one_high(), &inputs, &[]);
}

#[test]
fn a_value_in_the_deadband_has_not_returned() {
    let inputs = [minutes(0, 660, 31.0), minutes(660, 3_600, 29.6), minutes(3_600, 4_260, 29.5)];
    check(&one_high(), &inputs, &[(Kind::Raised, 600), (Kind::Returned, 4_200)]);
}

#[test]
fn a_limit_without_delay_raises_on_the_first_sample() {
    let out = check(
        &rules(four_levels(), Day::Sun),
        &[minutes(0, 60, 25.0), minutes(60, 120, 38.001)],
        &[(Kind::Raised, 60)],
    );
    assert_eq!(out[0].episode.severity, Severity::Critical);
    assert!(out[0].notify);
}

#[test]
fn a_worse_level_is_the_same_alarm_and_voids_the_acknowledgement() {
    let inputs = [
        minutes(0, 660, 31.0),
        vec![acknowledge(1, 660)],
        minutes(660, 720, 39.0),
        minutes(720, 1_080, 33.0),
        minutes(1_080, 1_800, 25.0),
    ];
    let out = check(
        &rules(four_levels(), Day::Sun),
        &inputs,
        &[
            (Kind::Raised, 600),
            (Kind::Acknowledged, 660),
            (Kind::Rose, 660),
            (Kind::Fell, 1_020),
            (Kind::Returned, 1_680),
        ],
    );
    assert!(out.iter().all(|one| one.episode.id == AlarmId(1)));
    let notified: Vec<_> = out.iter().map(|one| one.notify).collect();
    assert_eq!(notified, [false, false, true, false, false]);
    assert_eq!(out[1].state, StateName::ActiveAcknowledged);
    assert_eq!(out[2].state, StateName::ActiveUnacknowledged);
    assert_eq!(out[4].state, StateName::ReturnedUnacknowledged);
    let peak = out[4].episode.peak.map(|peak| (peak.value.0, seconds(peak.at)));
    assert_eq!(peak, Some((39_000, 660)));
}

#[test]
fn from_too_hot_to_too_cold_is_one_alarm() {
    let inputs = [minutes(0, 660, 31.0), vec![acknowledge(1, 650)], minutes(660, 1_320, 10.0)];
    let out = check(
        &rules(four_levels(), Day::Sun),
        &inputs,
        &[(Kind::Raised, 600), (Kind::Acknowledged, 650), (Kind::Rose, 1_260)],
    );
    assert_eq!((out[0].episode.side, out[2].episode.side), (Some(Side::High), Some(Side::Low)));
    assert_eq!(out[2].episode.peak.map(|peak| peak.value.0), Some(10_000));
    assert_eq!(out[2].state, StateName::ActiveUnacknowledged);
}

#[test]
fn an_alarm_that_was_acknowledged_closes_when_it_returns() {
    let inputs = [minutes(0, 660, 31.0), vec![acknowledge(1, 650)], minutes(660, 1_320, 25.0)];
    let out = check(
        &one_high(),
        &inputs,
        &[(Kind::Raised, 600), (Kind::Acknowledged, 650), (Kind::Returned, 1_260)],
    );
    assert_eq!(out[1].by.as_deref(), Some("li"));
    assert_eq!(out[1].comment.as_deref(), Some("vent opened"));
    assert_eq!(
        (out[2].state, out[2].episode.closed.map(seconds)),
        (StateName::Normal, Some(1_260))
    );
}

#[test]
fn an_alarm_that_returned_closes_when_it_is_acknowledged() {
    let inputs = [minutes(0, 660, 31.0), minutes(660, 1_320, 25.0), vec![acknowledge(1, 9_000)]];
    let out = check(
        &one_high(),
        &inputs,
        &[(Kind::Raised, 600), (Kind::Returned, 1_260), (Kind::Acknowledged, 9_000)],
    );
    assert_eq!(
        (out[2].state, out[2].episode.closed.map(seconds)),
        (StateName::Normal, Some(9_000))
    );
}

#[test]
fn what_nobody_waits_for_is_not_acknowledged_again() {
    let inputs = [
        minutes(0, 660, 31.0),
        vec![acknowledge(1, 650), acknowledge(1, 651), acknowledge(99, 652)],
    ];
    check(&one_high(), &inputs, &[(Kind::Raised, 600), (Kind::Acknowledged, 650)]);
}

#[test]
fn a_comment_changes_nothing_but_the_record() {
    let comment = Input::Operator {
        action: Action::Comment,
        alarm: AlarmId(1),
        by: "li".into(),
        comment: "x".repeat(alarms::COMMENT_CHARS_MAX + 1),
        at: at(650),
    };
    let inputs = [minutes(0, 660, 31.0), vec![comment]];
    let out = check(&one_high(), &inputs, &[(Kind::Raised, 600), (Kind::Commented, 650)]);
    assert_eq!(out[1].state, StateName::ActiveUnacknowledged);
    assert_eq!(out[1].comment.as_ref().map(String::len), Some(alarms::COMMENT_CHARS_MAX));
}

#[test]
fn an_unacknowledged_alarm_reopens_within_its_window_and_makes_room_after_it() {
    let again =
        |from| [minutes(from, from + 660, 31.0), minutes(from + 660, from + 1_320, 25.0)].concat();
    let inputs = [again(0), again(2_400), minutes(3_720, 9_000, 25.0), again(9_000)];
    let out = check(
        &one_high(),
        &inputs,
        &[
            (Kind::Raised, 600),
            (Kind::Returned, 1_260),
            (Kind::Reopened, 3_000),
            (Kind::Returned, 3_660),
            (Kind::Superseded, 9_600),
            (Kind::Raised, 9_600),
            (Kind::Returned, 10_260),
        ],
    );
    let ids: Vec<_> = out.iter().map(|one| (one.episode.id.0, one.episode.count)).collect();
    assert_eq!(ids, [(1, 1), (1, 1), (1, 2), (1, 2), (1, 2), (2, 1), (2, 1)]);
    assert_eq!(out[4].episode.closed.map(seconds), Some(9_600));
}

#[test]
fn silence_is_no_violation() {
    // Nine minutes beyond the limit, then an hour of nothing, then beyond it again.
    let inputs = [minutes(0, 540, 31.0), minutes(4_140, 4_740, 31.0), minutes(4_740, 4_800, 31.0)];
    check(&one_high(), &inputs, &[(Kind::Raised, 4_740)]);
}

#[test]
fn silence_is_no_return() {
    // Nine minutes back inside, then an hour of nothing, then inside again.
    let inputs = [minutes(0, 660, 31.0), minutes(660, 1_200, 25.0), minutes(4_800, 5_460, 25.0)];
    check(&one_high(), &inputs, &[(Kind::Raised, 600), (Kind::Returned, 5_400)]);
}

#[test]
fn a_silent_channel_goes_stale_once_and_is_woken_about_later() {
    let ticks: Vec<Input> = (60..4_000).step_by(10).map(tick).collect();
    let inputs = [minutes(0, 60, 25.0), ticks, minutes(4_020, 4_080, 25.0)];
    let out = check(
        &one_high(),
        &inputs,
        &[(Kind::Raised, 190), (Kind::Rose, 1_810), (Kind::Returned, 4_022)],
    );
    assert!(out.iter().all(|one| one.episode.kind == RuleKind::Stale));
    assert_eq!(seconds(out[0].episode.started), 2);
    let notified: Vec<_> = out.iter().map(|one| one.notify).collect();
    assert_eq!(notified, [false, true, false]);
}

#[test]
fn a_channel_that_was_never_heard_is_not_stale() {
    check(&one_high(), &[vec![tick(100_000)]], &[]);
}

#[test]
fn an_alarm_stands_while_its_channel_is_stale() {
    let inputs = [minutes(0, 660, 31.0), vec![tick(700), tick(2_000)], minutes(2_040, 2_700, 25.0)];
    let out = check(
        &one_high(),
        &inputs,
        &[
            (Kind::Raised, 600),
            (Kind::WentStale, 2_000),
            (Kind::Raised, 2_000),
            (Kind::Refreshed, 2_042),
            (Kind::Returned, 2_042),
            (Kind::Returned, 2_640),
        ],
    );
    assert_eq!((out[1].episode.input, out[1].episode.active), (InputState::Stale, true));
    assert_eq!(out[3].episode.input, InputState::Good);
    assert_eq!((out[4].episode.kind, out[5].episode.kind), (RuleKind::Stale, RuleKind::Limit));
}

#[test]
fn a_node_that_goes_makes_its_channels_stale_at_once_and_data_make_them_fresh() {
    let presence = |presence, seconds| Input::Presence {
        channels: vec![CHANNEL, ChannelId(99)],
        presence,
        at: at(seconds),
    };
    let inputs = [
        minutes(0, 60, 25.0),
        vec![presence(Presence::Offline, 30), presence(Presence::Online, 40), tick(50)],
        minutes(60, 120, 25.0),
    ];
    check(&one_high(), &inputs, &[(Kind::Raised, 30), (Kind::Returned, 62)]);
}

#[test]
fn a_node_that_sleeps_is_not_stale_until_it_is_due() {
    let sleeping = Input::Presence {
        channels: vec![CHANNEL],
        presence: Presence::Sleeping { until: at(7_200) },
        at: at(10),
    };
    let offline =
        Input::Presence { channels: vec![CHANNEL], presence: Presence::Offline, at: at(20) };
    let inputs =
        [minutes(0, 60, 25.0), vec![sleeping, offline, tick(3_600), tick(7_380), tick(7_381)]];
    check(&one_high(), &inputs, &[(Kind::Raised, 7_381)]);
}

#[test]
fn the_time_in_which_the_gateway_was_down_is_no_silence() {
    let inputs = [
        minutes(0, 60, 25.0),
        vec![Input::Listening { now: at(36_000) }, tick(36_100), tick(36_200)],
    ];
    check(&one_high(), &inputs, &[(Kind::Raised, 36_200)]);
}

#[test]
fn a_faulty_sensor_is_its_own_alarm_and_moves_no_limit() {
    let faults = (660..1_320).step_by(60).map(fault).collect();
    let inputs = [minutes(0, 660, 31.0), faults, minutes(1_320, 1_380, 31.0)];
    let out = check(
        &one_high(),
        &inputs,
        &[(Kind::Raised, 600), (Kind::Raised, 780), (Kind::Returned, 1_320)],
    );
    assert_eq!((out[1].episode.rule, out[1].fault), (FAULT, Some(measure::Fault::Bus)));
    assert_eq!(out[2].episode.rule, FAULT);
}

#[test]
fn a_value_that_failed_its_test_is_no_value() {
    let failed = |seconds: i64| match degrees(seconds, 60.0) {
        Input::Sample(mut sample) => {
            sample.quality = Quality::Fail;
            Input::Sample(sample)
        }
        other => other,
    };
    let inputs = [(0..180).step_by(60).map(failed).collect()];
    let out = check(&rules(four_levels(), Day::Sun), &inputs, &[(Kind::Raised, 120)]);
    assert_eq!(out[0].episode.rule, FAULT);
}

#[test]
fn a_suspect_value_is_judged_and_its_input_called_uncertain() {
    let mut state = State::default();
    let rules = rules(four_levels(), Day::Sun);
    let Input::Sample(mut sample) = degrees(0, 60.0) else { panic!("a sample") };
    sample.quality = Quality::Suspect;
    let out = evaluate(&rules, &mut state, &Input::Sample(sample));
    assert_eq!(kinds(&out), [(Kind::Raised, 0)]);
    assert_eq!(out[0].episode.input, InputState::Uncertain);
    assert_eq!(state.channel(CHANNEL).unwrap().input(), InputState::Uncertain);
}

#[test]
fn a_late_sample_raises_nothing_but_proves_life() {
    let mut state = State::default();
    let rules = rules(four_levels(), Day::Sun);
    let mut late = degrees(300, 60.0);
    if let Input::Sample(sample) = &mut late {
        sample.seen = at(1_000);
    }
    let inputs = [minutes(0, 660, 25.0), vec![late], vec![tick(1_100)]].concat();
    assert_eq!(run(&rules, &mut state, &inputs), []);
    let channel = state.channel(CHANNEL).unwrap();
    assert_eq!(
        (channel.late(), channel.judged(), channel.heard()),
        (1, Some(at(600)), Some(at(1_000)))
    );
}

#[test]
fn history_is_recorded_and_wakes_nobody() {
    let inputs = [minutes(0, 660, 40.0), minutes(660, 1_320, 25.0)]
        .map(|inputs| inputs.into_iter().map(history).collect::<Vec<_>>());
    let out = check(
        &rules(four_levels(), Day::Sun),
        &inputs,
        &[(Kind::Raised, 0), (Kind::Fell, 960), (Kind::Returned, 1_260)],
    );
    assert!(out.iter().all(|one| one.episode.history && !one.notify));
    assert_eq!((out[0].state, out[2].state), (StateName::ActiveAcknowledged, StateName::Normal));
    assert!(out[2].episode.closed.is_some());
}

#[test]
fn history_does_not_make_a_channel_fresh_or_stale() {
    let old = minutes(0, 600, 25.0).into_iter().map(history).collect();
    check(&one_high(), &[old, vec![tick(100_000)]], &[]);
}

#[test]
fn an_episode_of_history_that_goes_on_goes_live() {
    let old = minutes(0, 660, 31.0).into_iter().map(history).collect();
    let inputs = [old, minutes(660, 780, 31.0)];
    let out = check(&one_high(), &inputs, &[(Kind::Raised, 600), (Kind::WentLive, 660)]);
    assert_eq!((out[0].notify, out[1].notify), (false, true));
    assert_eq!(out[1].state, StateName::ActiveUnacknowledged);
    assert_eq!((out[1].episode.id, seconds(out[1].episode.started)), (AlarmId(1), 0));
}

#[test]
fn an_episode_of_history_that_is_over_returns_as_history() {
    let old = minutes(0, 660, 31.0).into_iter().map(history).collect();
    let inputs = [old, minutes(660, 1_320, 25.0)];
    let out = check(&one_high(), &inputs, &[(Kind::Raised, 600), (Kind::Returned, 1_260)]);
    assert!(out[1].episode.history);
}

fn day_and_night() -> Rules {
    let high = (bound(30, true), bound(25, true));
    let low = (bound(15, true), bound(10, true));
    let levels = vec![
        limit(Severity::High, Side::High, high, (600, 600)),
        limit(Severity::High, Side::Low, low, (600, 600)),
    ];
    rules(levels, lamps())
}

const HOUR: i64 = 3_600;

#[test]
fn nightfall_raises_nothing_by_itself() {
    // 28 degrees are well by day; the house has an hour and the on-delay to cool down.
    let inputs = [minutes(12 * HOUR, 19 * HOUR, 28.0), minutes(19 * HOUR, 20 * HOUR, 24.0)];
    check(&day_and_night(), &inputs, &[]);
    let stays = [minutes(12 * HOUR, 20 * HOUR, 28.0)];
    check(&day_and_night(), &stays, &[(Kind::Raised, 19 * HOUR + 600)]);
}

#[test]
fn nightfall_returns_nothing_by_itself() {
    // 12 degrees are too cold by day and well by night.
    let inputs = [minutes(12 * HOUR, 20 * HOUR, 12.0)];
    check(
        &day_and_night(),
        &inputs,
        &[(Kind::Raised, 12 * HOUR + 600), (Kind::Returned, 19 * HOUR + 600)],
    );
}

#[test]
fn the_limit_that_is_named_is_that_of_the_hour() {
    let out = check(
        &day_and_night(),
        &[minutes(22 * HOUR, 23 * HOUR, 28.0)],
        &[(Kind::Raised, 22 * HOUR + 600)],
    );
    assert_eq!(out[0].episode.limit, Some(Scaled(25_000)));
}

#[test]
fn where_a_night_has_no_limit_the_alarm_of_the_day_ends_with_it() {
    let levels = vec![limit(Severity::High, Side::High, (bound(30, true), None), (600, 600))];
    let inputs = [minutes(12 * HOUR, 22 * HOUR, 31.0)];
    check(
        &rules(levels, lamps()),
        &inputs,
        &[(Kind::Raised, 12 * HOUR + 600), (Kind::Returned, 19 * HOUR + 600)],
    );
}

#[test]
fn a_rule_that_changes_keeps_its_alarm_and_judges_by_the_new_limit() {
    let both = |degrees| (bound(degrees, true), bound(degrees, true));
    let changed = rules(vec![limit(Severity::High, Side::High, both(35), (600, 600))], Day::Sun);
    let mut state = State::default();
    let mut out = run(&one_high(), &mut state, &minutes(0, 660, 31.0));
    out.extend(evaluate(&changed, &mut state, &Input::RulesChanged { now: at(660) }));
    out.extend(run(&changed, &mut state, &minutes(660, 1_320, 31.0)));
    let expect = [(Kind::Raised, 600), (Kind::RuleChanged, 660), (Kind::Returned, 1_260)];
    assert_eq!(kinds(&out), expect);
}

#[test]
fn an_alarm_whose_rule_is_gone_is_withdrawn() {
    let mut state = State::default();
    run(&one_high(), &mut state, &minutes(0, 660, 31.0));
    let none = Rules::new(Vec::new()).unwrap();
    let out = evaluate(&none, &mut state, &Input::RulesChanged { now: at(700) });
    assert_eq!(kinds(&out), [(Kind::Withdrawn, 700)]);
    assert_eq!(out[0].episode.closed.map(seconds), Some(700));
    assert_eq!(state.open().count(), 0);
}

#[test]
fn an_open_alarm_is_found_by_its_number() {
    let mut state = State::default();
    run(&one_high(), &mut state, &minutes(0, 660, 31.0));
    let (episode, name) = state.alarm(AlarmId(1)).unwrap();
    assert_eq!((episode.rule, name), (LIMIT, StateName::ActiveUnacknowledged));
    assert_eq!(state.channel(CHANNEL).unwrap().state_name(LIMIT), name);
    assert!(state.alarm(AlarmId(2)).is_none());
    assert_eq!(name.letter(), 'B');
}

#[test]
fn measured_light_makes_the_day_until_it_is_silent() {
    let high = (bound(30, true), bound(25, true));
    let levels = vec![limit(Severity::High, Side::High, high, (600, 600))];
    let light = ChannelId(8);
    let threshold = Scaled(500);
    let base = rules(levels, Day::MeasuredLight { quantity: measure::Quantity::Ppfd, threshold });
    let mut zone = base.zones()[0].clone();
    zone.clock.light = Some(light);
    let channel = &zone.channels[0];
    zone.channels.push(ChannelRules {
        channel: light,
        quantity: measure::Quantity::Ppfd,
        rules: Vec::new(),
        ..channel.clone()
    });
    let rules = Rules::new(vec![zone]).unwrap();
    let lit = |second: i64, value: i32| match sample(second, Ok(Scaled(value))) {
        Input::Sample(sample) => Input::Sample(alarms::Sample { channel: light, ..sample }),
        other => other,
    };
    let both = |from: i64, to: i64, value: i32, air: f64| -> Vec<Input> {
        (from..to).step_by(60).flat_map(|s| [lit(s, value), degrees(s, air)]).collect()
    };
    // At 18:00 UTC it is night in Nanchuan; lamps burn, so 28 degrees are well.
    let from = 18 * HOUR;
    let mut state = State::default();
    assert_eq!(run(&rules, &mut state, &both(from, from + 2 * HOUR, 900, 28.0)), []);
    // Half the threshold is still day, and less than that night; then the change must settle.
    assert_eq!(run(&rules, &mut state, &both(from + 2 * HOUR, from + 3 * HOUR, 250, 28.0)), []);
    let out = run(&rules, &mut state, &both(from + 3 * HOUR, from + 5 * HOUR, 0, 28.0));
    assert_eq!(kinds(&out), [(Kind::Raised, from + 4 * HOUR + 600)]);
}

#[test]
fn a_state_in_records_is_the_whole_state() {
    let mut state = State::default();
    let rules = rules(four_levels(), Day::Sun);
    run(&rules, &mut state, &minutes(0, 660, 31.0));
    let records: Vec<_> = state.take_changed().map(|(id, channel)| (id, channel.clone())).collect();
    assert_eq!(records.len(), 1);
    assert_eq!(state.take_changed().count(), 0);
    let again = State::from_records(alarms::STATE_VERSION, state.next_alarm(), records).unwrap();
    let text = |state: &State| serde_json::to_string(state).unwrap();
    assert_eq!(text(&again), text(&state));
    run(&rules, &mut state, &minutes(660, 720, 31.0));
    assert_eq!(state.take_changed().count(), 1);
    assert!(State::from_records(99, AlarmId(1), []).is_err());
}

#[test]
fn a_state_of_another_version_is_refused() {
    let text = serde_json::to_string(&State::default()).unwrap();
    let other = text.replace("\"version\":1", "\"version\":2");
    let error = serde_json::from_str::<State>(&other).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn a_transition_comes_back_as_it_was_written() {
    let mut state = State::default();
    for transition in run(&one_high(), &mut state, &minutes(0, 660, 31.0)) {
        let text = serde_json::to_string(&transition).unwrap();
        assert_eq!(serde_json::from_str::<Transition>(&text).unwrap(), transition);
    }
}

#[test]
fn rules_that_contradict_are_refused() {
    let [stale, fault] = blind_rules();
    let zone = |rules: Vec<Rule>| {
        let mut zone = one_high().zones()[0].clone();
        zone.channels[0].rules = rules;
        Rules::new(vec![zone]).map(|_| ())
    };
    assert_eq!(zone(vec![stale.clone(), fault.clone()]), Ok(()));
    assert_eq!(zone(vec![stale.clone(), stale.clone()]), Err(Error::RuleTwice(STALE)));
    let mut twice = fault.clone();
    twice.levels.push(fault.levels[0].clone());
    assert_eq!(zone(vec![twice]), Err(Error::Levels(FAULT)));
    let mut other = fault;
    other.id.channel = ChannelId(1);
    assert_eq!(zone(vec![other.clone()]), Err(Error::RuleTwice(other.id)));
    let zones = one_high().zones().to_vec();
    let again = [zones.clone(), zones].concat();
    assert_eq!(Rules::new(again).map(|_| ()), Err(Error::ChannelTwice(CHANNEL)));
    assert_eq!("7.1".parse(), Ok(LIMIT));
    assert_eq!(LIMIT.to_string(), "7.1");
    assert_eq!("7".parse::<RuleId>(), Err(Error::RuleId("7".into())));
}

fn shelve(alarm: u64, at_s: i64, until_s: i64, one_shot: bool) -> Input {
    Input::Operator {
        action: Action::Shelve { until: at(until_s), one_shot },
        alarm: AlarmId(alarm),
        by: "li".into(),
        comment: "probe is being moved".into(),
        at: at(at_s),
    }
}

fn unshelve(alarm: u64, at_s: i64) -> Input {
    let Input::Operator { alarm, by, comment, at, .. } = acknowledge(alarm, at_s) else { panic!() };
    Input::Operator { action: Action::Unshelve, alarm, by, comment, at }
}

fn notified(transitions: &[Transition]) -> Vec<bool> {
    transitions.iter().map(|one| one.notify).collect()
}

#[test]
fn what_is_shelved_is_judged_and_notifies_nobody_but_its_return_is_told() {
    let inputs = [
        minutes(0, 660, 31.0),
        vec![shelve(1, 660, 90_000, false)],
        minutes(660, 720, 39.0),
        minutes(720, 2_000, 25.0),
        minutes(2_000, 2_700, 31.0),
    ];
    let out = check(
        &rules(four_levels(), Day::Sun),
        &inputs,
        &[
            (Kind::Raised, 600),
            (Kind::Shelved, 660),
            (Kind::Rose, 660),
            (Kind::Fell, 1_020),
            (Kind::Returned, 1_320),
            (Kind::Reopened, 2_600),
        ],
    );
    assert_eq!(notified(&out), [false; 6], "39 degrees would have woken");
    assert!(out[1..].iter().all(|one| one.state == StateName::Shelved));
    assert_eq!(out[1].comment.as_deref(), Some("probe is being moved"));
    assert_eq!(out[5].episode.id, AlarmId(1));
}

#[test]
fn a_shelf_ends_at_its_time_and_what_is_active_then_is_news_once() {
    let inputs = [
        minutes(0, 660, 31.0),
        vec![shelve(1, 660, 3_600, false), acknowledge(1, 700)],
        minutes(660, 3_600, 31.0),
        vec![tick(3_599), tick(3_600), tick(3_601)],
    ];
    let out = check(
        &one_high(),
        &inputs,
        &[
            (Kind::Raised, 600),
            (Kind::Shelved, 660),
            (Kind::Acknowledged, 700),
            (Kind::Unshelved, 3_600),
        ],
    );
    assert_eq!(notified(&out), [true, false, false, true]);
    assert_eq!((out[3].state, out[3].by.as_deref()), (StateName::ActiveUnacknowledged, None));
}

#[test]
fn what_returned_on_the_shelf_and_is_known_is_over_when_it_leaves_it() {
    let inputs = [
        minutes(0, 660, 31.0),
        vec![shelve(1, 660, 7_200, false), acknowledge(1, 700)],
        minutes(660, 2_000, 25.0),
        vec![unshelve(1, 2_100), unshelve(1, 2_200)],
    ];
    let out = check(
        &one_high(),
        &inputs,
        &[
            (Kind::Raised, 600),
            (Kind::Shelved, 660),
            (Kind::Acknowledged, 700),
            (Kind::Returned, 1_260),
            (Kind::Unshelved, 2_100),
        ],
    );
    assert_eq!((out[3].state, out[3].episode.closed), (StateName::Shelved, None));
    assert_eq!((out[4].state, out[4].notify), (StateName::Normal, false));
    assert_eq!(out[4].episode.closed.map(seconds), Some(2_100));
    assert_eq!(out[4].by.as_deref(), Some("li"));
}

#[test]
fn a_one_shot_shelf_ends_with_the_return() {
    let inputs = [
        minutes(0, 660, 31.0),
        vec![shelve(1, 660, 80_000, true)],
        minutes(660, 2_000, 25.0),
        minutes(2_000, 2_700, 31.0),
    ];
    let out = check(
        &one_high(),
        &inputs,
        &[
            (Kind::Raised, 600),
            (Kind::Shelved, 660),
            (Kind::Returned, 1_260),
            (Kind::Unshelved, 1_260),
            (Kind::Reopened, 2_600),
        ],
    );
    assert_eq!(notified(&out), [true, false, false, false, true]);
    assert_eq!(out[3].state, StateName::ReturnedUnacknowledged);
}

#[test]
fn nobody_shelves_for_longer_than_the_maximum_or_into_the_past() {
    let inputs = [
        minutes(0, 660, 31.0),
        vec![shelve(1, 660, 660, false), shelve(1, 661, 999_999, false)],
        vec![tick(661 + 86_399)],
    ];
    let mut state = State::default();
    let out = run(&one_high(), &mut state, &inputs.concat());
    let shelved: Vec<_> = kinds(&out).into_iter().filter(|it| it.0 == Kind::Shelved).collect();
    assert_eq!(shelved, [(Kind::Shelved, 661)]);
    let until = match state.suppression(AlarmId(1)) {
        Some(Suppression::Shelved { until, .. }) => seconds(*until),
        other => panic!("{other:?}"),
    };
    assert_eq!(until, 661 + 86_400);
    let out = run(&one_high(), &mut state, &[tick(661 + 86_400)]);
    assert_eq!(kinds(&out), [(Kind::Unshelved, 661 + 86_400)]);
}

#[test]
fn a_limit_that_is_confirmed_while_it_is_broken_wakes_once() {
    let weak = |wakes| {
        let both = (bound(30, wakes), bound(30, wakes));
        rules(vec![limit(Severity::High, Side::High, both, (600, 600))], Day::Sun)
    };
    let mut state = State::default();
    let out = run(&weak(false), &mut state, &minutes(0, 660, 31.0));
    assert_eq!((kinds(&out), out[0].notify), (vec![(Kind::Raised, 600)], false));
    let out = run(&weak(true), &mut state, &minutes(660, 900, 31.0));
    assert_eq!((kinds(&out), out[0].notify), (vec![(Kind::RuleChanged, 660)], true));
    assert!(out[0].episode.wakes);
}

/// Written by the first version of the engine, before there was a shelf: too hot since midnight, and
/// raised.
const STATE_1: &str = include_str!("state-1.json");

#[test]
fn a_state_that_the_first_version_wrote_goes_on() {
    let mut state: State = serde_json::from_str(STATE_1).expect("a state of version 1");
    let out = run(&one_high(), &mut state, &[shelve(1, 660, 3_600, false)]);
    assert_eq!(kinds(&out), [(Kind::Shelved, 660)]);
    let out = run(&one_high(), &mut state, &minutes(660, 1_320, 25.0));
    assert_eq!(kinds(&out), [(Kind::RuleChanged, 660), (Kind::Returned, 1_260)]);
}
