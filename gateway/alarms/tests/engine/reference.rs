//! A slow and obvious model of the engine, written from the state table and not from the code.
//!
//! It keeps every sample that was judged and looks back over all of them at each step: a level is
//! active once an unbroken run of samples beyond its limit is as long as the on-delay, and until
//! an unbroken run inside it is as long as the off-delay. It shares only types with `alarms`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the model is meant to be read, and to fail loudly where it is wrong"
)]

use alarms::{
    Action, AlarmId, Input, Kind, Level, Presence, Rule, RuleKind, Rules, Sample, Severity, Side,
    State, StateName, Threshold, Transition, Trip, evaluate,
};
use measure::{Marks, Quality};
use proptest::prelude::*;

use crate::house::*;

/// What of a transition the model tells.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    kind: Kind,
    rule: u16,
    alarm: u64,
    at_s: i64,
    side: Option<Side>,
    severity: Severity,
    started_s: i64,
    returned_s: Option<i64>,
    peak: Option<i32>,
    count: u32,
    state: StateName,
    notify: bool,
    history: bool,
}

fn told(transition: &Transition) -> Told {
    let episode = &transition.episode;
    Told {
        kind: transition.kind,
        rule: episode.rule.number,
        alarm: episode.id.0,
        at_s: seconds(transition.at),
        side: episode.side,
        severity: episode.severity,
        started_s: seconds(episode.started),
        returned_s: episode.returned.map(seconds),
        peak: episode.peak.map(|peak| peak.value.0),
        count: episode.count,
        state: transition.state,
        notify: transition.notify,
        history: episode.history,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Says {
    Beyond,
    Between,
    Inside,
}

/// One thing that a rule judged.
#[derive(Clone)]
struct Point {
    at_s: i64,
    value: Option<i32>,
    /// For each level of the rule.
    says: Vec<Says>,
    /// A gap lies before it.
    gap: bool,
    /// For each level, whether it was active after this.
    active: Vec<bool>,
}

#[derive(Clone)]
struct Alarm {
    id: u64,
    side: Option<Side>,
    severity: Severity,
    wakes: bool,
    started_s: i64,
    peak: Option<i32>,
    active: bool,
    acknowledged: bool,
    returned_s: Option<i64>,
    count: u32,
    history: bool,
}

impl Alarm {
    fn waits(&self) -> bool {
        !self.history && !self.acknowledged
    }

    fn state(&self) -> StateName {
        match (self.active, self.waits()) {
            (true, true) => StateName::ActiveUnacknowledged,
            (true, false) => StateName::ActiveAcknowledged,
            (false, true) => StateName::ReturnedUnacknowledged,
            (false, false) => StateName::Normal,
        }
    }
}

/// The model of one rule.
struct Judge {
    rule: Rule,
    points: Vec<Point>,
    alarm: Option<Alarm>,
    /// Until when it is shelved, and whether only until it returns.
    shelf: Option<(i64, bool)>,
}

struct Model {
    judges: Vec<Judge>,
    next_alarm: u64,
    judged_s: Option<i64>,
    valid_s: Option<i64>,
    heard_s: Option<i64>,
    due_s: Option<i64>,
    offline: bool,
    stale: bool,
    out: Vec<Told>,
}

const GAP_S: i64 = 3 * INTERVAL_S;

/// Day is from 06:00 to 18:00; the first hour of each half both limits count.
fn says(threshold: &Threshold, value: i32, at_s: i64) -> Says {
    let second = at_s.rem_euclid(86_400);
    let day = (6 * 3_600..18 * 3_600).contains(&second);
    let since = if day { second - 6 * 3_600 } else { (second - 18 * 3_600).rem_euclid(86_400) };
    let of = |bound: &Option<alarms::Bound>| bound.as_ref().map(|bound| bound.limit.0);
    let (by_day, by_night) = (of(&threshold.day), of(&threshold.night));
    let limits: Vec<Option<i32>> = match (since >= 3_600, day) {
        (true, true) => vec![by_day],
        (true, false) => vec![by_night],
        (false, _) => vec![by_day, by_night],
    };
    let deadband = threshold.deadband.0;
    let breaks = |limit: i32| match threshold.side {
        Side::High => value > limit,
        Side::Low => value < limit,
    };
    let is_back = |limit: i32| match threshold.side {
        Side::High => value <= limit - deadband,
        Side::Low => value >= limit + deadband,
    };
    if limits.iter().all(|limit| limit.is_some_and(breaks)) {
        Says::Beyond
    } else if limits.iter().all(|limit| limit.is_none_or(is_back)) {
        Says::Inside
    } else {
        Says::Between
    }
}

/// The limit that is named, and whether it wakes: here all levels wake or do not as a whole.
fn wakes(level: &Level) -> bool {
    match &level.trip {
        Trip::Limit(threshold) => {
            threshold.day.as_ref().or(threshold.night.as_ref()).is_some_and(|bound| bound.wakes)
        }
        Trip::Silence { wakes } | Trip::Fault { wakes } => *wakes,
    }
}

fn side(level: &Level) -> Side {
    match &level.trip {
        Trip::Limit(threshold) => threshold.side,
        _ => Side::High,
    }
}

impl Judge {
    /// Looks back from the last point: since when all points say the same without a gap.
    fn run_since(&self, level: usize, what: Says) -> Option<i64> {
        let mut since = None;
        for point in self.points.iter().rev() {
            if point.says[level] != what {
                break;
            }
            since = Some(point.at_s);
            if point.gap {
                break;
            }
        }
        since
    }

    /// When the violation began because of which a level is pending or active at the last point.
    fn violated_since(&self, level: usize) -> Option<i64> {
        let last = self.points.last()?;
        if !last.active[level] {
            return self.run_since(level, Says::Beyond);
        }
        // The point that made it active, and the run that led to it.
        let raised = self.points.iter().rposition(|point| !point.active[level]);
        let raised = raised.map_or(0, |before| before + 1);
        let mut since = self.points[raised].at_s;
        for index in (0..=raised).rev() {
            if self.points[index].says[level] != Says::Beyond {
                break;
            }
            since = self.points[index].at_s;
            if self.points[index].gap {
                break;
            }
        }
        Some(since)
    }

    fn started_s(&self, wanted: Side) -> i64 {
        let levels = 0..self.rule.levels.len();
        levels
            .filter(|level| side(&self.rule.levels[*level]) == wanted)
            .filter_map(|level| self.violated_since(level))
            .min()
            .unwrap()
    }

    fn peak_since(&self, wanted: Side, since_s: i64) -> Option<i32> {
        let values =
            self.points.iter().filter(|point| point.at_s >= since_s).filter_map(|it| it.value);
        if wanted == Side::High { values.max() } else { values.min() }
    }
}

impl Model {
    fn new(rules: &Rules) -> Self {
        let channel = &rules.zones()[0].channels[0];
        let judge = |rule: &Rule| Judge {
            rule: rule.clone(),
            points: Vec::new(),
            alarm: None,
            shelf: None,
        };
        Self {
            judges: channel.rules.iter().map(judge).collect(),
            next_alarm: 1,
            judged_s: None,
            valid_s: None,
            heard_s: None,
            due_s: None,
            offline: false,
            stale: false,
            out: Vec::new(),
        }
    }

    fn take(&mut self, input: &Input) {
        match input {
            Input::Sample(sample) => self.sample(sample),
            Input::Tick { now } => {
                for judge in 0..self.judges.len() {
                    let up = self.judges[judge].shelf.is_some_and(|(end, _)| end <= seconds(*now));
                    if up {
                        self.off_the_shelf(judge, seconds(*now));
                    }
                }
                self.listen(seconds(*now));
            }
            Input::Listening { now } => {
                self.heard_s = self.heard_s.map(|heard| heard.max(seconds(*now)));
            }
            Input::Presence { presence, at, .. } if self.heard_s.is_some() => {
                match presence {
                    Presence::Online => self.offline = false,
                    Presence::Offline => {
                        self.offline = self.due_s.is_none_or(|due| due <= seconds(*at));
                    }
                    Presence::Sleeping { until } => {
                        self.offline = false;
                        self.due_s = self.due_s.max(Some(seconds(*until)));
                    }
                }
                self.listen(seconds(*at));
            }
            Input::Operator { action, alarm, at, .. } => {
                let is_it = |judge: &Judge| judge.alarm.as_ref().is_some_and(|it| it.id == alarm.0);
                if let Some(judge) = self.judges.iter().position(is_it) {
                    self.operate(judge, *action, seconds(*at));
                }
            }
            _ => {}
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let at_s = seconds(sample.time);
        let history = sample.marks.contains(Marks::HISTORY);
        if !history {
            let seen_s = seconds(sample.seen);
            self.heard_s = self.heard_s.max(Some(seen_s));
            self.offline = false;
            if std::mem::take(&mut self.stale) {
                self.tell_open(seen_s, Kind::Refreshed);
                let stale = self.judges.iter().position(|it| it.rule.kind == RuleKind::Stale);
                let stale = stale.unwrap();
                let count = self.judges[stale].rule.levels.len();
                self.point(stale, seen_s, None, vec![Says::Inside; count], false, false);
            }
        }
        if self.judged_s.is_some_and(|judged| at_s <= judged) {
            return;
        }
        let value = sample.reading.ok().filter(|_| sample.quality != Quality::Fail).map(|it| it.0);
        let far = |last: Option<i64>| last.is_some_and(|last| at_s - last > GAP_S);
        for judge in 0..self.judges.len() {
            let levels = &self.judges[judge].rule.levels;
            let (says, gap) = match (self.judges[judge].rule.kind, value) {
                (RuleKind::Limit, Some(value)) => {
                    let says = levels.iter().map(|level| match &level.trip {
                        Trip::Limit(threshold) => says(threshold, value, at_s),
                        _ => Says::Inside,
                    });
                    (says.collect(), far(self.valid_s))
                }
                (RuleKind::Fault, value) => {
                    let says = if value.is_none() { Says::Beyond } else { Says::Inside };
                    (vec![says; levels.len()], far(self.judged_s))
                }
                _ => continue,
            };
            self.point(judge, at_s, value, says, gap, history);
        }
        self.judged_s = Some(at_s);
        if value.is_some() {
            self.valid_s = Some(at_s);
        }
    }

    /// Adds a point to a rule and tells what becomes of its alarm.
    fn point(
        &mut self,
        judge: usize,
        at_s: i64,
        value: Option<i32>,
        says: Vec<Says>,
        gap: bool,
        history: bool,
    ) {
        let it = &mut self.judges[judge];
        let count = it.rule.levels.len();
        let before = it.points.last().map_or(vec![false; count], |last| last.active.clone());
        let beyond = says.contains(&Says::Beyond);
        let mut returned_s = None;
        it.points.push(Point { at_s, value, says, gap, active: before.clone() });
        let mut active = before.clone();
        for (index, level) in it.rule.levels.iter().enumerate() {
            let long = |since: Option<i64>, delay_ms: u32| {
                since.is_some_and(|since| at_s - since >= i64::from(delay_ms) / 1_000)
            };
            if before[index] {
                let inside = it.run_since(index, Says::Inside);
                if long(inside, level.off_delay_ms) {
                    active[index] = false;
                    returned_s = returned_s.max(inside);
                }
            } else {
                active[index] = long(it.run_since(index, Says::Beyond), level.on_delay_ms);
            }
        }
        let last = it.points.len() - 1;
        it.points[last].active = active.clone();
        self.conclude(judge, at_s, &before, &active, returned_s, beyond, history, None);
    }

    #[expect(clippy::too_many_arguments, reason = "the model says everything in one place")]
    fn conclude(
        &mut self,
        judge: usize,
        at_s: i64,
        before: &[bool],
        active: &[bool],
        returned_s: Option<i64>,
        beyond: bool,
        history: bool,
        started_s: Option<i64>,
    ) {
        let it = &self.judges[judge];
        let levels = &it.rule.levels;
        let was_active = it.alarm.as_ref().is_some_and(|alarm| alarm.active);
        if !active.contains(&true) {
            if was_active {
                let alarm = self.judges[judge].alarm.as_mut().unwrap();
                alarm.active = false;
                alarm.returned_s = Some(returned_s.unwrap());
                self.tell(judge, at_s, Kind::Returned, history);
                if self.judges[judge].shelf.is_some_and(|(_, one_shot)| one_shot) {
                    self.off_the_shelf(judge, at_s);
                }
            }
            return;
        }
        let has = |wanted: Side, among: &dyn Fn(usize) -> bool| {
            (0..levels.len()).any(|index| side(&levels[index]) == wanted && among(index))
        };
        let current = it.alarm.as_ref().filter(|alarm| alarm.active).and_then(|it| it.side);
        let current = if it.rule.kind == RuleKind::Limit { current } else { Some(Side::High) };
        let new = |index: usize| active[index] && !before[index];
        let new_high = has(Side::High, &new) && current != Some(Side::High);
        let new_low = has(Side::Low, &new) && current != Some(Side::Low);
        let on = if new_high {
            Side::High
        } else if new_low {
            Side::Low
        } else if current.is_some_and(|side| has(side, &|index| active[index])) {
            current.unwrap()
        } else if has(Side::High, &|index| active[index]) {
            Side::High
        } else {
            Side::Low
        };
        let worst = (0..levels.len())
            .filter(|index| active[*index] && side(&levels[*index]) == on)
            .max_by_key(|index| levels[*index].severity)
            .unwrap();
        let is_new = (0..levels.len()).any(|index| new(index) && side(&levels[index]) == on);
        let (severity, wakes) = (levels[worst].severity, wakes(&levels[worst]));
        let shown = (it.rule.kind == RuleKind::Limit).then_some(on);
        let began_s = started_s.unwrap_or_else(|| it.started_s(on));
        let peak = it.peak_since(on, began_s).filter(|_| it.rule.kind != RuleKind::Fault);
        let reopen_s = i64::from(it.rule.reopen_ms) / 1_000;
        if !was_active {
            let open = self.judges[judge].alarm.clone();
            if let Some(alarm) = open {
                if history || at_s - alarm.returned_s.unwrap() < reopen_s {
                    let further = |one: Option<i32>, two: Option<i32>| match on {
                        _ if one.is_none() || two.is_none() => one.or(two),
                        Side::High => one.max(two),
                        Side::Low => one.min(two),
                    };
                    let peak = further(alarm.peak, peak);
                    let count = alarm.count + 1;
                    let again = Alarm {
                        side: shown,
                        severity,
                        wakes,
                        peak,
                        active: true,
                        acknowledged: false,
                        returned_s: None,
                        count,
                        ..alarm
                    };
                    self.judges[judge].alarm = Some(again);
                    self.tell(judge, at_s, Kind::Reopened, history);
                    return;
                }
                self.judges[judge].alarm.as_mut().unwrap().acknowledged = true;
                self.tell(judge, at_s, Kind::Superseded, history);
            }
            let id = self.next_alarm;
            self.next_alarm += 1;
            self.judges[judge].alarm = Some(Alarm {
                id,
                side: shown,
                severity,
                wakes,
                started_s: began_s,
                peak,
                active: true,
                acknowledged: false,
                returned_s: None,
                count: 1,
                history,
            });
            self.tell(judge, at_s, Kind::Raised, history);
            return;
        }
        let alarm = self.judges[judge].alarm.as_mut().unwrap();
        if alarm.history && !history && beyond {
            alarm.history = false;
            alarm.acknowledged = false;
            self.tell(judge, at_s, Kind::WentLive, history);
        }
        let alarm = self.judges[judge].alarm.as_mut().unwrap();
        let crossed = alarm.side != shown;
        let before = alarm.severity;
        (alarm.side, alarm.severity, alarm.wakes) = (shown, severity, wakes);
        alarm.peak = match (crossed, alarm.peak, peak) {
            (false, Some(one), Some(two)) if on == Side::High => Some(one.max(two)),
            (false, Some(one), Some(two)) => Some(one.min(two)),
            (false, one, None) => one,
            (_, _, two) => two,
        };
        if is_new && (crossed || severity > before) {
            alarm.acknowledged = false;
            self.tell(judge, at_s, Kind::Rose, history);
        } else if crossed || severity != before {
            self.tell(judge, at_s, Kind::Fell, history);
        }
    }

    fn listen(&mut self, now_s: i64) {
        let Some(heard) = self.heard_s else { return };
        let since = heard.max(self.due_s.unwrap_or(heard));
        let silence = now_s - since;
        if !self.offline && silence <= GAP_S {
            return;
        }
        if !self.stale {
            self.stale = true;
            self.tell_open(now_s, Kind::WentStale);
        }
        let judge = self.judges.iter().position(|it| it.rule.kind == RuleKind::Stale).unwrap();
        let it = &mut self.judges[judge];
        let count = it.rule.levels.len();
        let before = it.points.last().map_or(vec![false; count], |last| last.active.clone());
        let mut active = before.clone();
        let least = it.rule.levels.iter().map(|level| level.severity).min().unwrap();
        for (index, level) in it.rule.levels.iter().enumerate() {
            active[index] |= silence > i64::from(level.on_delay_ms) / 1_000
                || (self.offline && level.severity == least);
        }
        if active != before {
            let says = vec![Says::Beyond; count];
            let point =
                Point { at_s: now_s, value: None, says, gap: false, active: active.clone() };
            it.points.push(point);
            self.conclude(judge, now_s, &before, &active, None, true, false, Some(since));
        }
    }

    fn operate(&mut self, judge: usize, action: Action, at_s: i64) {
        let it = &mut self.judges[judge];
        let alarm = it.alarm.as_mut().unwrap();
        match action {
            Action::Acknowledge if alarm.waits() => {
                alarm.acknowledged = true;
                self.tell(judge, at_s, Kind::Acknowledged, false);
            }
            Action::Shelve { until, one_shot } if seconds(until) > at_s => {
                it.shelf = Some((seconds(until).min(at_s + 86_400), one_shot));
                self.tell(judge, at_s, Kind::Shelved, false);
            }
            Action::Unshelve if it.shelf.is_some() => self.off_the_shelf(judge, at_s),
            _ => {}
        }
    }

    /// It shows the state of its axes again; an active one is news.
    fn off_the_shelf(&mut self, judge: usize, at_s: i64) {
        let it = &mut self.judges[judge];
        it.shelf = None;
        let alarm = it.alarm.as_mut().unwrap();
        alarm.acknowledged &= !alarm.active;
        self.tell(judge, at_s, Kind::Unshelved, false);
    }

    fn tell_open(&mut self, at_s: i64, kind: Kind) {
        for judge in 0..self.judges.len() {
            let it = &self.judges[judge];
            let open = it.alarm.as_ref().is_some_and(|alarm| alarm.active);
            if it.rule.kind != RuleKind::Stale && open {
                self.tell(judge, at_s, kind, false);
            }
        }
    }

    /// Records what happened; an alarm that is over and waits for nobody leaves.
    fn tell(&mut self, judge: usize, at_s: i64, kind: Kind, history: bool) {
        let it = &mut self.judges[judge];
        let alarm = it.alarm.clone().unwrap();
        let worse = match kind {
            Kind::Unshelved => alarm.active,
            _ => matches!(kind, Kind::Raised | Kind::Reopened | Kind::Rose | Kind::WentLive),
        };
        let state = if it.shelf.is_some() { StateName::Shelved } else { alarm.state() };
        self.out.push(Told {
            kind,
            rule: it.rule.id.number,
            alarm: alarm.id,
            at_s,
            side: alarm.side,
            severity: alarm.severity,
            started_s: alarm.started_s,
            returned_s: alarm.returned_s,
            peak: alarm.peak,
            count: alarm.count,
            state,
            notify: worse && alarm.wakes && !alarm.history && !history && it.shelf.is_none(),
            history: alarm.history,
        });
        if state == StateName::Normal {
            it.alarm = None;
        }
    }
}

fn house() -> Rules {
    let levels = vec![
        limit(Severity::High, Side::High, (bound(30, false), bound(26, false)), (600, 600)),
        limit(Severity::Critical, Side::High, (bound(38, true), bound(38, true)), (0, 300)),
        limit(Severity::Medium, Side::High, (bound(28, false), None), (1_200, 0)),
        limit(Severity::High, Side::Low, (bound(14, false), bound(10, false)), (600, 600)),
        limit(Severity::Critical, Side::Low, (bound(5, true), bound(5, true)), (0, 300)),
    ];
    rules(levels, lamps())
}

/// One step of a random history, in seconds after the step before.
#[derive(Clone, Debug)]
enum Happens {
    Value { after_s: i64, degrees: f64, history: bool },
    Fault { after_s: i64 },
    Stays { degrees: f64, count: i64 },
    Late { before_s: i64, degrees: f64 },
    Again,
    Silence { s: i64 },
    Tick,
    Offline,
    Online,
    Sleeping { s: i64 },
    Listening,
    Acknowledge { newest: u64 },
    Shelve { newest: u64, s: i64, one_shot: bool },
    Unshelve { newest: u64 },
}

fn temperature() -> impl Strategy<Value = f64> {
    let special = [4.9, 5.0, 9.9, 10.5, 13.0, 14.5, 20.0, 25.4, 26.0, 28.5, 29.6, 30.0, 31.0];
    prop_oneof![
        3 => prop::sample::select(special.to_vec()),
        1 => prop::sample::select(vec![38.0, 38.1, 37.4, 45.0, 0.0]),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    let after =
        prop_oneof![6 => Just(60_i64), 2 => 1_i64..180, 1 => 180_i64..185, 1 => 181_i64..900];
    prop_oneof![
        6 => (after.clone(), temperature(), prop::bool::weighted(0.15))
            .prop_map(|(after_s, degrees, history)| Happens::Value { after_s, degrees, history }),
        6 => (temperature(), 5_i64..25).prop_map(|(degrees, count)| Happens::Stays { degrees, count }),
        2 => after.prop_map(|after_s| Happens::Fault { after_s }),
        1 => (0_i64..900, temperature())
            .prop_map(|(before_s, degrees)| Happens::Late { before_s, degrees }),
        1 => Just(Happens::Again),
        1 => (100_i64..9_000).prop_map(|s| Happens::Silence { s }),
        3 => Just(Happens::Tick),
        1 => Just(Happens::Offline),
        1 => Just(Happens::Online),
        1 => (0_i64..3_000).prop_map(|s| Happens::Sleeping { s }),
        1 => Just(Happens::Listening),
        2 => (0_u64..3).prop_map(|newest| Happens::Acknowledge { newest }),
        3 => (0_u64..3, -60_i64..7_200, any::<bool>())
            .prop_map(|(newest, s, one_shot)| Happens::Shelve { newest, s, one_shot }),
        1 => (0_u64..3).prop_map(|newest| Happens::Unshelve { newest }),
    ]
}

/// Lays steps out in time, from a start in the day.
fn inputs(start_s: i64, steps: &[Happens]) -> Vec<Input> {
    let mut now_s = start_s;
    let mut last = None;
    let mut out = Vec::new();
    let presence =
        |presence, now_s| Input::Presence { channels: vec![CHANNEL], presence, at: at(now_s + 2) };
    let operate = |action, index: usize, newest: u64, now_s| Input::Operator {
        action,
        alarm: AlarmId((index as u64 / 6).saturating_sub(newest)),
        by: "li".into(),
        comment: String::new(),
        at: at(now_s + 2),
    };
    for (index, step) in steps.iter().enumerate() {
        match step {
            Happens::Value { after_s, degrees: value, history: old } => {
                now_s += after_s;
                let input = degrees(now_s, *value);
                out.push(if *old { history(input) } else { input });
                last = out.last().cloned();
            }
            Happens::Fault { after_s } => {
                now_s += after_s;
                out.push(fault(now_s));
            }
            Happens::Stays { degrees: value, count } => {
                out.extend(minutes(now_s + 60, now_s + 60 * (count + 1), *value));
                now_s += 60 * count;
            }
            Happens::Late { before_s, degrees: value } => {
                if let Input::Sample(sample) = degrees(now_s - before_s, *value) {
                    out.push(Input::Sample(Sample { seen: at(now_s + 2), ..sample }));
                }
            }
            Happens::Again => out.extend(last.clone()),
            Happens::Silence { s } => now_s += s,
            Happens::Tick => out.push(tick(now_s + 2)),
            Happens::Offline => out.push(presence(Presence::Offline, now_s)),
            Happens::Online => out.push(presence(Presence::Online, now_s)),
            Happens::Sleeping { s } => {
                out.push(presence(Presence::Sleeping { until: at(now_s + s) }, now_s));
            }
            Happens::Listening => out.push(Input::Listening { now: at(now_s + 2) }),
            Happens::Acknowledge { newest } => {
                out.push(operate(Action::Acknowledge, index, *newest, now_s));
            }
            Happens::Shelve { newest, s, one_shot } => {
                let action = Action::Shelve { until: at(now_s + s), one_shot: *one_shot };
                out.push(operate(action, index, *newest, now_s));
            }
            Happens::Unshelve { newest } => {
                out.push(operate(Action::Unshelve, index, *newest, now_s));
            }
        }
    }
    out
}

fn histories() -> impl Strategy<Value = Vec<Input>> {
    (0_i64..86_400, prop::collection::vec(happens(), 1..40))
        .prop_map(|(start_s, steps)| inputs(start_s, &steps))
}

proptest! {
    #[test]
    fn an_obvious_model_tells_the_same(inputs in histories()) {
        let rules = house();
        let (mut state, mut model) = (State::default(), Model::new(&rules));
        for input in &inputs {
            let from = model.out.len();
            model.take(input);
            let mut out: Vec<_> = evaluate(&rules, &mut state, input).iter().map(told).collect();
            // Which rule's alarm is told of first does not matter.
            out.sort_by_key(|it| it.rule);
            model.out[from..].sort_by_key(|it| it.rule);
            prop_assert_eq!(&out[..], &model.out[from..], "at {:?}", input);
        }
    }

    #[test]
    fn a_restart_at_any_input_changes_nothing(inputs in histories()) {
        let rules = house();
        let mut state = State::default();
        let mut kept = State::default();
        for input in &inputs {
            let text = serde_json::to_string(&kept).unwrap();
            kept = serde_json::from_str(&text).unwrap();
            let expect = evaluate(&rules, &mut state, input);
            prop_assert_eq!(evaluate(&rules, &mut kept, input), expect);
        }
    }

    #[test]
    fn what_is_late_or_repeated_changes_no_limit(inputs in histories(), again in 0_usize..60) {
        let rules = house();
        let mut state = State::default();
        let samples = |input: &&Input| matches!(input, Input::Sample(_));
        for input in inputs.iter().filter(samples) {
            evaluate(&rules, &mut state, input);
        }
        for input in inputs.iter().filter(samples).skip(again) {
            let out = evaluate(&rules, &mut state, input);
            prop_assert_eq!(out, vec![], "{:?}", input);
        }
    }

    #[test]
    fn an_interval_that_was_lost_raises_and_resolves_nothing(
        inputs in histories(),
        from in 0_usize..200,
        lost_s in (GAP_S + 1)..20_000,
    ) {
        // Only samples: their loss must raise nothing but what ticks would say of silence.
        let samples: Vec<Sample> = inputs
            .iter()
            .filter_map(|input| match input {
                Input::Sample(sample) if !sample.marks.contains(Marks::HISTORY) => Some(*sample),
                _ => None,
            })
            .collect();
        let Some(first) = samples.get(from) else { return Ok(()) };
        let end = first.time.plus_ms(lost_s * 1_000);
        let rules = house();
        let mut state = State::default();
        let before = samples.iter().take(from);
        for sample in before {
            evaluate(&rules, &mut state, &Input::Sample(*sample));
        }
        let rest = samples.iter().skip(from).filter(|sample| sample.time >= end);
        let mut resumed: Option<measure::Timestamp> = None;
        for sample in rest {
            let resumed = *resumed.get_or_insert(sample.time);
            for transition in evaluate(&rules, &mut state, &Input::Sample(*sample)) {
                if transition.kind == Kind::Superseded {
                    continue; // It only makes room for what is raised next.
                }
                let since_ms = transition.at.ms_since(resumed);
                let rule = rules.rule(transition.episode.rule).unwrap();
                let at_once = rule.levels.iter().any(|level| match transition.kind {
                    Kind::Returned | Kind::Fell => level.off_delay_ms == 0,
                    _ => level.on_delay_ms == 0 && level.severity == transition.episode.severity,
                });
                // A level that needs a delay has it in samples after the loss.
                let least_ms = rule.levels.iter().map(|level| match transition.kind {
                    Kind::Returned | Kind::Fell => level.off_delay_ms,
                    _ => level.on_delay_ms,
                });
                let least_ms = least_ms.filter(|ms| *ms > 0).min().unwrap_or(0);
                prop_assert!(
                    at_once || since_ms >= i64::from(least_ms),
                    "{:?} {} ms after the loss",
                    transition.kind,
                    since_ms
                );
            }
        }
    }
}
