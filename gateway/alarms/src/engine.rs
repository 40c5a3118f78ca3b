//! The engine: one input, the state, and the transitions it makes.

use measure::{Marks, Quality, Timestamp};

use crate::hour::{self, Hour};
use crate::level::{Step, Verdict};
use crate::outcome::{
    Context, Judged, Moment, change_rule, conclude, of_gateway, operate as act, push,
    unshelve_when_due,
};
use crate::state::{AlarmState, ChannelState};
use crate::{
    Acknowledgement, Action, AlarmId, COMMENT_CHARS_MAX, ChannelRules, Input, InputState, Kind,
    Level, Presence, Rule, RuleKind, Rules, Sample, State, Transition,
};

/// Takes one input into the state and returns what happened to alarms because of it.
///
/// The same rules, state and input always give the same result. An input that concerns no alarm
/// returns nothing and allocates nothing.
pub fn evaluate(rules: &Rules, state: &mut State, input: &Input) -> Vec<Transition> {
    let mut out = Vec::new();
    match input {
        Input::Sample(sample) => judge(rules, state, sample, &mut out),
        Input::Tick { now } => {
            clear_shelf(state, *now, &mut out);
            for channel in rules.channels() {
                listen(channel, state, *now, &mut out);
            }
        }
        Input::Listening { now } => {
            for channel in state.channels.values_mut() {
                channel.heard = channel.heard.map(|heard| heard.max(*now));
                channel.changed = true;
            }
        }
        Input::Presence { channels, presence, at } => {
            for (_, channel) in channels.iter().filter_map(|id| rules.channel(*id)) {
                present(channel, state, *presence, *at, &mut out);
            }
        }
        Input::Operator { action, alarm, by, comment, at } => {
            let comment = comment.chars().take(COMMENT_CHARS_MAX).collect();
            let words = Acknowledgement { by: by.clone(), comment, at: *at };
            operate(state, *action, *alarm, words, &mut out);
        }
        Input::RulesChanged { now } => withdraw(rules, state, *now, &mut out),
    }
    out
}

/// Judges a sample by every rule of its channel.
fn judge(rules: &Rules, state: &mut State, sample: &Sample, out: &mut Vec<Transition>) {
    let Some(judging) = rules.judging(sample.channel) else { return };
    let State { next_alarm, channels, phases, .. } = state;
    let light = judging.clock.light.and_then(|id| channels.get(&id)?.light);
    let channel = channels.entry(sample.channel).or_default();
    channel.changed = true;
    let history = sample.marks.contains(Marks::HISTORY);
    if !history {
        hear(judging.channel, channel, sample, next_alarm, out);
    }
    if channel.judged.is_some_and(|judged| sample.time <= judged) {
        channel.late = channel.late.saturating_add(1);
        return;
    }
    let moment = moment(channel, sample, history);
    let gap_us = judging.channel.gap_us();
    let gap_since =
        |last: Option<Timestamp>| last.is_some_and(|last| moment.at.micros_since(last) > gap_us);
    let (limit_gap, fault_gap) = (gap_since(channel.valid), gap_since(channel.judged));
    let mut hour: Option<Hour> = None;
    for (rule, version, phased) in judging.rules() {
        let verdict = match (rule.kind, moment.value) {
            (RuleKind::Stale, _) | (RuleKind::Limit, None) => continue,
            (RuleKind::Limit, Some(value)) => {
                if phased && hour.is_none() {
                    hour = Some(hour::at(rules.stamp(), phases, &judging, light, moment.at));
                }
                hour::Verdicts::Limit { value, hour: hour.filter(|_| phased) }
            }
            (RuleKind::Fault, value) => hour::Verdicts::Fault { faulty: value.is_none() },
        };
        let gap = if rule.kind == RuleKind::Limit { limit_gap } else { fault_gap };
        let context = Context { rule, quantity: judging.channel.quantity, hour, moment };
        let alarm = alarm_of(channel, &context, version, out);
        let judged = step_all(alarm, &context, gap, |level| verdict.of(level));
        conclude(alarm, &context, judged, next_alarm, out);
    }
    channel.judged = Some(moment.at);
    if let Some(value) = moment.value {
        channel.valid = Some(moment.at);
        if let Some(threshold) = rules.light_threshold(sample.channel) {
            channel.light = Some(hour::light_after(channel.light, value, threshold, moment.at));
        }
    }
}

/// Returns what a sample says, and notes how far the channel's input can be trusted.
fn moment(channel: &mut ChannelState, sample: &Sample, history: bool) -> Moment {
    let usable = !matches!(sample.quality, Quality::Fail | Quality::Missing);
    let value = sample.reading.ok().filter(|_| usable);
    let doubtful =
        sample.quality == Quality::Suspect || sample.marks.contains(Marks::TIME_UNCERTAIN);
    channel.sampled = match value {
        None => InputState::Fault,
        Some(_) if doubtful => InputState::Uncertain,
        Some(_) => InputState::Good,
    };
    Moment {
        at: sample.time,
        seen: sample.seen,
        value,
        fault: sample.reading.err(),
        history,
        input: channel.input(),
    }
}

/// Returns the alarm of a rule, brought up to the rule's version.
fn alarm_of<'a>(
    channel: &'a mut ChannelState,
    context: &Context<'_>,
    version: u32,
    out: &mut Vec<Transition>,
) -> &'a mut AlarmState {
    let rule = context.rule;
    let known = channel.alarms.iter().position(|alarm| alarm.number == rule.id.number);
    let index = known.unwrap_or_else(|| {
        channel.alarms.push(AlarmState::new(rule, version));
        channel.alarms.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "the index was found or pushed just above")]
    let alarm = &mut channel.alarms[index];
    if alarm.version != version {
        alarm.follow(rule, version);
        change_rule(alarm, context, out);
    }
    alarm
}

/// Moves every level of an alarm on by one verdict.
fn step_all(
    alarm: &mut AlarmState,
    context: &Context<'_>,
    gap: bool,
    verdict: impl Fn(&Level) -> Verdict,
) -> Judged {
    let mut judged = Judged::default();
    let moment = &context.moment;
    for (index, (level, kept)) in context.rule.levels.iter().zip(&mut alarm.levels).enumerate() {
        let step = Step {
            at: moment.at,
            verdict: verdict(level),
            on_delay_us: i64::from(level.on_delay_ms) * 1_000,
            off_delay_us: i64::from(level.off_delay_ms) * 1_000,
            gap,
        };
        let before = kept.condition.is_active();
        let inside = kept.step(step, moment.value);
        judged.inside = judged.inside.max(inside);
        let bit = 1_u8 << index;
        judged.beyond |= if step.verdict == Verdict::Beyond { bit } else { 0 };
        judged.risen |= if kept.condition.is_active() && !before { bit } else { 0 };
    }
    judged
}

/// Notes that a channel was heard; its silence is over.
fn hear(
    rules: &ChannelRules,
    channel: &mut ChannelState,
    sample: &Sample,
    next_alarm: &mut u64,
    out: &mut Vec<Transition>,
) {
    channel.heard = channel.heard.max(Some(sample.seen));
    channel.offline = false;
    if !channel.stale {
        return;
    }
    channel.stale = false;
    let moment = of_gateway(sample.seen, channel.input());
    refresh(channel, &moment, Kind::Refreshed, out);
    for rule in rules.rules.iter().filter(|rule| rule.kind == RuleKind::Stale) {
        let context = Context { rule, quantity: rules.quantity, hour: None, moment };
        if let Some(alarm) = channel.alarms.iter_mut().find(|it| it.number == rule.id.number) {
            let judged = step_all(alarm, &context, false, |_| Verdict::Inside);
            conclude(alarm, &context, judged, next_alarm, out);
        }
    }
}

/// Tells the open alarms of a channel, but for those about silence, what became of their input.
fn refresh(channel: &mut ChannelState, moment: &Moment, kind: Kind, out: &mut Vec<Transition>) {
    for alarm in &mut channel.alarms {
        if let Some(episode) = &mut alarm.open
            && episode.kind != RuleKind::Stale
            && episode.active
        {
            episode.input = moment.input;
            push(alarm, moment, kind, out);
        }
    }
}

/// Judges the silence of a channel at a time of the gateway's clock.
fn listen(rules: &ChannelRules, state: &mut State, now: Timestamp, out: &mut Vec<Transition>) {
    let State { next_alarm, channels, .. } = state;
    let Some(channel) = channels.get_mut(&rules.channel) else { return };
    // A channel that was never heard is not silent: it has not begun.
    let Some(heard) = channel.heard else { return };
    let since = channel.due.map_or(heard, |due| heard.max(due));
    let silence_us = now.micros_since(since);
    if !channel.offline && silence_us <= rules.stale_ms() * 1_000 {
        return;
    }
    let moment = of_gateway(now, InputState::Stale);
    if !channel.stale {
        channel.stale = true;
        channel.changed = true;
        refresh(channel, &moment, Kind::WentStale, out);
    }
    let offline = channel.offline;
    for rule in rules.rules.iter().filter(|rule| rule.kind == RuleKind::Stale) {
        let least = rule.levels.iter().map(|level| level.severity).min();
        let is_silent = |level: &Level| {
            (offline && Some(level.severity) == least)
                || silence_us > i64::from(level.on_delay_ms) * 1_000
        };
        let alarm = stale_alarm(channel, rule);
        let waits = |(level, active): (&Level, bool)| !active && is_silent(level);
        let active = alarm.levels.iter().map(|level| level.condition.is_active());
        if !rule.levels.iter().zip(active).any(waits) {
            continue;
        }
        let mut judged = Judged { started: Some(since), ..Judged::default() };
        for (index, (level, kept)) in rule.levels.iter().zip(&mut alarm.levels).enumerate() {
            if !kept.condition.is_active() && is_silent(level) {
                kept.activate(since);
                judged.risen |= 1 << index;
                judged.beyond |= 1 << index;
            }
        }
        let context = Context { rule, quantity: rules.quantity, hour: None, moment };
        conclude(alarm, &context, judged, next_alarm, out);
        channel.changed = true;
    }
}

/// Returns the alarm of a rule about silence. Its delays are read at each tick, so a changed rule
/// needs no word about it.
fn stale_alarm<'a>(channel: &'a mut ChannelState, rule: &Rule) -> &'a mut AlarmState {
    let known = channel.alarms.iter().position(|alarm| alarm.number == rule.id.number);
    let index = known.unwrap_or_else(|| {
        channel.alarms.push(AlarmState::new(rule, 0));
        channel.alarms.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "the index was found or pushed just above")]
    let alarm = &mut channel.alarms[index];
    alarm.follow(rule, 0);
    alarm
}

fn present(
    rules: &ChannelRules,
    state: &mut State,
    presence: Presence,
    at: Timestamp,
    out: &mut Vec<Transition>,
) {
    let Some(channel) = state.channels.get_mut(&rules.channel) else { return };
    channel.changed = true;
    match presence {
        Presence::Online => channel.offline = false,
        Presence::Sleeping { until } => {
            channel.offline = false;
            channel.due = channel.due.max(Some(until));
        }
        // A node that sleeps is expected to be gone until it is due.
        Presence::Offline => channel.offline = channel.due.is_none_or(|due| due <= at),
    }
    listen(rules, state, at, out);
}

fn operate(
    state: &mut State,
    action: Action,
    id: AlarmId,
    words: Acknowledgement,
    out: &mut Vec<Transition>,
) {
    for channel in state.channels.values_mut() {
        let is_it = |alarm: &&mut AlarmState| alarm.open.as_ref().is_some_and(|it| it.id == id);
        if let Some(alarm) = channel.alarms.iter_mut().find(is_it) {
            channel.changed = true;
            act(alarm, action, words, out);
            return;
        }
    }
}

/// Takes what has lain on the shelf for its time off it.
fn clear_shelf(state: &mut State, now: Timestamp, out: &mut Vec<Transition>) {
    for channel in state.channels.values_mut() {
        for alarm in channel.alarms.iter_mut().filter(|alarm| alarm.is_shelved()) {
            unshelve_when_due(alarm, now, out);
            channel.changed |= !alarm.is_shelved();
        }
    }
}

/// Closes the alarms whose rule is gone.
fn withdraw(rules: &Rules, state: &mut State, now: Timestamp, out: &mut Vec<Transition>) {
    for (id, channel) in &mut state.channels {
        let listed = rules.channel(*id).map_or(&[][..], |(_, channel)| &channel.rules);
        let moment = of_gateway(now, channel.input());
        let before = channel.alarms.len();
        channel.alarms.retain_mut(|alarm| {
            let keep = listed.iter().any(|rule| rule.id.number == alarm.number);
            if let (false, Some(episode)) = (keep, &mut alarm.open) {
                (episode.active, episode.closed) = (false, Some(now));
                push(alarm, &moment, Kind::Withdrawn, out);
            }
            keep
        });
        channel.changed |= channel.alarms.len() != before;
    }
}
