//! From the conditions of the levels to the one alarm of the rule, and its transitions.

use measure::{Fault, Quantity, Scaled, Timestamp};
use nursery::{Severity, Side};

use crate::hour::{self, Hour};
use crate::level::further;
use crate::state::AlarmState;
use crate::{
    Acknowledgement, Action, Episode, InputState, Kind, Level, Rule, RuleKind, SHELVE_MS_MAX,
    State, Suppression, Transition, Trip,
};

/// When something happened, and what was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) seen: Timestamp,
    pub(crate) value: Option<Scaled>,
    pub(crate) fault: Option<Fault>,
    pub(crate) history: bool,
    pub(crate) input: InputState,
}

/// What a rule is judged with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) quantity: Quantity,
    pub(crate) hour: Option<Hour>,
    pub(crate) moment: Moment,
}

/// What became of the levels; bits count the levels of the rule.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judged {
    /// The limit of these is broken now.
    pub(crate) beyond: u8,
    /// These have just become active.
    pub(crate) risen: u8,
    /// The value is back since then, where a level has just returned.
    pub(crate) inside: Option<Timestamp>,
    /// When it began, where that is not the first violating sample.
    pub(crate) started: Option<Timestamp>,
}

/// What the active levels come to: the worst of the side that counts.
struct Worst<'a> {
    side: Side,
    level: &'a Level,
}

/// Makes one alarm of the levels and tells what happened to it.
pub(crate) fn conclude(
    alarm: &mut AlarmState,
    context: &Context<'_>,
    judged: Judged,
    next_alarm: &mut u64,
    out: &mut Vec<Transition>,
) {
    let was_active = alarm.open.as_ref().is_some_and(|episode| episode.active);
    let is_active = alarm.levels.iter().any(|level| level.condition.is_active());
    if !was_active && !is_active {
        return;
    }
    match worst(alarm, context.rule, judged) {
        Some(worst) if was_active => go_on(alarm, context, &worst, judged, out),
        Some(worst) => raise(alarm, context, &worst, judged, next_alarm, out),
        None => give_back(alarm, context, judged, out),
    }
}

/// Returns the worst active level: of the side that has just become active, else of the side the
/// alarm is on, else of the other.
fn worst<'a>(alarm: &AlarmState, rule: &'a Rule, judged: Judged) -> Option<Worst<'a>> {
    let levels = || rule.levels.iter().zip(&alarm.levels).enumerate();
    let active = |side: Side| {
        levels()
            .filter(|(_, (level, kept))| kept.condition.is_active() && level.side() == side)
            .max_by_key(|(_, (level, _))| level.severity)
            .map(|(_, (level, _))| Worst { side, level })
    };
    let current = alarm.open.as_ref().filter(|it| it.active).and_then(|it| it.side);
    let risen_other = levels()
        .filter(|(index, _)| judged.risen & (1 << index) != 0)
        .map(|(_, (level, _))| level)
        .filter(|level| Some(level.side()) != current)
        .max_by_key(|level| level.severity)
        .map(Level::side);
    [risen_other, current, Some(Side::High), Some(Side::Low)].into_iter().flatten().find_map(active)
}

/// Returns whether a level of a side has just become active.
fn risen_on(rule: &Rule, judged: Judged, side: Side) -> bool {
    let mut levels = rule.levels.iter().enumerate();
    levels.any(|(index, level)| level.side() == side && judged.risen & (1 << index) != 0)
}

/// Raises a new episode, or the one that nobody has acknowledged again.
fn raise(
    alarm: &mut AlarmState,
    context: &Context<'_>,
    worst: &Worst<'_>,
    judged: Judged,
    next_alarm: &mut u64,
    out: &mut Vec<Transition>,
) {
    let moment = &context.moment;
    if let Some(episode) = &mut alarm.open {
        let away_us = episode.returned.map_or(0, |returned| moment.at.micros_since(returned));
        if moment.history || away_us < i64::from(context.rule.reopen_ms) * 1_000 {
            episode.active = true;
            episode.returned = None;
            // Only on the shelf does one wait here that was acknowledged before it broke again.
            episode.acknowledged = None;
            episode.count = episode.count.saturating_add(1);
            take_level(alarm, context, worst);
            push(alarm, moment, Kind::Reopened, out);
            return;
        }
        episode.closed = Some(moment.at);
        push(alarm, moment, Kind::Superseded, out);
    }
    let since = alarm.levels.iter().filter(|level| level.side == worst.side);
    let started = since.filter_map(|level| level.condition.since()).min();
    alarm.open = Some(Box::new(Episode {
        id: State::draw_alarm(next_alarm),
        rule: context.rule.id,
        kind: context.rule.kind,
        quantity: context.quantity,
        side: None,
        severity: Severity::Low,
        limit: None,
        wakes: false,
        started: judged.started.or(started).unwrap_or(moment.at),
        raised: moment.at,
        seen: moment.seen,
        last: moment.at,
        peak: None,
        active: true,
        acknowledged: None,
        returned: None,
        closed: None,
        count: 1,
        history: moment.history,
        input: moment.input,
    }));
    take_level(alarm, context, worst);
    push(alarm, moment, Kind::Raised, out);
}

/// Follows an active episode: its level, its peak, and whether it goes live.
fn go_on(
    alarm: &mut AlarmState,
    context: &Context<'_>,
    worst: &Worst<'_>,
    judged: Judged,
    out: &mut Vec<Transition>,
) {
    let moment = &context.moment;
    let Some(episode) = &mut alarm.open else { return };
    if episode.history && !moment.history && judged.beyond != 0 {
        (episode.history, episode.acknowledged, episode.seen) = (false, None, moment.seen);
        push(alarm, moment, Kind::WentLive, out);
    }
    let Some(episode) = &mut alarm.open else { return };
    let side_changed = episode.side.is_some_and(|side| side != worst.side);
    let before = episode.severity;
    if side_changed {
        episode.peak = None;
    }
    // What only remains when something else returned is no news, whichever side it is on.
    let is_new = risen_on(context.rule, judged, worst.side);
    if is_new && (side_changed || worst.level.severity > before) {
        episode.acknowledged = None;
        take_level(alarm, context, worst);
        push(alarm, moment, Kind::Rose, out);
    } else if side_changed || worst.level.severity != before {
        take_level(alarm, context, worst);
        push(alarm, moment, Kind::Fell, out);
    } else {
        follow(alarm, moment, worst.side);
    }
}

/// Ends the activity of an episode, and the episode where nobody needs to acknowledge it.
fn give_back(
    alarm: &mut AlarmState,
    context: &Context<'_>,
    judged: Judged,
    out: &mut Vec<Transition>,
) {
    let moment = &context.moment;
    let Some(episode) = &mut alarm.open else { return };
    episode.active = false;
    episode.returned = Some(judged.inside.unwrap_or(moment.at));
    (episode.last, episode.input) = (moment.at, moment.input);
    alarm.close_if_over(moment.at);
    push(alarm, moment, Kind::Returned, out);
    if matches!(alarm.suppression, Suppression::Shelved { one_shot: true, .. }) {
        unshelve(alarm, moment, out);
    }
}

/// Puts the alarm on a level.
fn take_level(alarm: &mut AlarmState, context: &Context<'_>, worst: &Worst<'_>) {
    let is_limit = context.rule.kind == RuleKind::Limit;
    let (limit, wakes) = match &worst.level.trip {
        Trip::Limit(threshold) => hour::bound(threshold, context.hour)
            .map_or((None, false), |bound| (Some(bound.limit), bound.wakes)),
        Trip::Silence { wakes } | Trip::Fault { wakes } => (None, *wakes),
    };
    if let Some(episode) = &mut alarm.open {
        episode.side = is_limit.then_some(worst.side);
        episode.severity = worst.level.severity;
        (episode.limit, episode.wakes) = (limit, wakes);
    }
    follow(alarm, &context.moment, worst.side);
}

/// Tells that the rule of an open alarm has changed. Where its limit was confirmed meanwhile, it
/// wakes from now on, and does so at once if it is active and nobody knows of it.
pub(crate) fn change_rule(
    alarm: &mut AlarmState,
    context: &Context<'_>,
    out: &mut Vec<Transition>,
) {
    let Some(episode) = &mut alarm.open else { return };
    let own =
        |level: &&Level| Some(level.side()) == episode.side && level.severity == episode.severity;
    let bounds = context.rule.levels.iter().find(own).map(|level| match &level.trip {
        Trip::Limit(threshold) => [threshold.day.as_ref(), threshold.night.as_ref()],
        Trip::Silence { .. } | Trip::Fault { .. } => [None, None],
    });
    let mut bounds = bounds.into_iter().flatten().flatten();
    let bound = bounds.find(|bound| Some(bound.limit) == episode.limit);
    let before = episode.wakes;
    episode.wakes = bound.map_or(before, |bound| bound.wakes);
    let is_news = !before && episode.wakes && episode.active && episode.wants_acknowledgement();
    push(alarm, &context.moment, Kind::RuleChanged, out);
    if let (true, Some(transition)) = (is_news, out.last_mut()) {
        transition.notify = alarm.suppression == Suppression::None && !context.moment.history;
    }
}

/// Takes the newest sample and the peak of the levels into the episode.
fn follow(alarm: &mut AlarmState, moment: &Moment, side: Side) {
    let Some(episode) = &mut alarm.open else { return };
    (episode.last, episode.input) = (moment.at, moment.input);
    for level in alarm.levels.iter().filter(|level| level.side == side) {
        episode.peak = further(side, episode.peak, level.peak);
    }
}

/// Takes in what a person did to an alarm.
pub(crate) fn operate(
    alarm: &mut AlarmState,
    action: Action,
    words: Acknowledgement,
    out: &mut Vec<Transition>,
) {
    let Some(episode) = &mut alarm.open else { return };
    let moment = of_gateway(words.at, episode.input);
    let before = out.len();
    match action {
        Action::Comment => push(alarm, &moment, Kind::Commented, out),
        Action::Acknowledge if episode.wants_acknowledgement() => {
            episode.acknowledged = Some(words.clone());
            alarm.close_if_over(words.at);
            push(alarm, &moment, Kind::Acknowledged, out);
        }
        Action::Shelve { until, one_shot } if until > words.at => {
            let until = until.min(words.at.plus_ms(SHELVE_MS_MAX));
            let (by, reason) = (words.by.clone(), words.comment.clone());
            alarm.suppression = Suppression::Shelved { until, one_shot, by, reason };
            push(alarm, &moment, Kind::Shelved, out);
        }
        Action::Unshelve if alarm.is_shelved() => unshelve(alarm, &moment, out),
        Action::Acknowledge | Action::Shelve { .. } | Action::Unshelve => {}
    }
    if let Some(transition) = out.get_mut(before) {
        (transition.by, transition.comment) = (Some(words.by), Some(words.comment));
    }
}

/// Takes an alarm from the shelf when its time is up.
pub(crate) fn unshelve_when_due(alarm: &mut AlarmState, now: Timestamp, out: &mut Vec<Transition>) {
    let Suppression::Shelved { until, .. } = alarm.suppression else { return };
    if until <= now {
        let input = alarm.open.as_ref().map(|episode| episode.input).unwrap_or_default();
        unshelve(alarm, &of_gateway(now, input), out);
    }
}

/// Takes an alarm from the shelf. An active one is news: nobody knows of it, whoever acknowledged
/// it meanwhile (ISA-18.2, from G to B).
fn unshelve(alarm: &mut AlarmState, moment: &Moment, out: &mut Vec<Transition>) {
    alarm.suppression = Suppression::None;
    let Some(episode) = &mut alarm.open else { return };
    if episode.active {
        episode.acknowledged = None;
    }
    alarm.close_if_over(moment.at);
    push(alarm, moment, Kind::Unshelved, out);
}

/// Returns the moment of what happens by the gateway's clock and not by a sample.
pub(crate) const fn of_gateway(at: Timestamp, input: InputState) -> Moment {
    Moment { at, seen: at, value: None, fault: None, history: false, input }
}

/// Appends a transition of an alarm's open episode; a closed episode leaves the alarm with it.
pub(crate) fn push(alarm: &mut AlarmState, moment: &Moment, kind: Kind, out: &mut Vec<Transition>) {
    let Some(episode) = alarm.open.take() else { return };
    if episode.closed.is_none() {
        alarm.open = Some(episode.clone());
    }
    let worse = match kind {
        Kind::Raised | Kind::Reopened | Kind::Rose | Kind::WentLive => true,
        Kind::Unshelved => episode.active,
        _ => false,
    };
    let live = !episode.history && !moment.history;
    out.push(Transition {
        kind,
        at: moment.at,
        seen: moment.seen,
        value: moment.value,
        fault: moment.fault,
        by: None,
        comment: None,
        state: alarm.name(),
        suppression: alarm.suppression.clone(),
        notify: worse && live && episode.wakes && alarm.suppression == Suppression::None,
        episode: *episode,
    });
}
