//! Alarms as a process plant has them: `(rules, state, input) -> transitions`.
//!
//! Pure: no clock, no I/O, no thread. The caller keeps [`State`] and the transitions in one
//! transaction with the journal position they came from; a restart goes on from there and gives
//! the same transitions as if nothing had happened. It does not send messages (that is `notify`).
//!
//! # The four axes
//! After OPC UA Part 9, projected to the names of ISA-18.2 ([`StateName`]): *condition* (normal,
//! pending on, active at a level, pending off), *acknowledgement*, *suppression* and *input*.
//! Every level of a rule ([`Level`]) has its own condition; the alarm of the rule is active while
//! any level is, at the worst of them. High and low limits of a channel are levels of one rule.
//!
//! # Time
//! Limits and faults are judged in event time, at samples: an on-delay that is over is noticed at
//! the next sample, because nothing says that the limit was broken until then. Silence runs on the
//! gateway's time, at ticks. A sample that is not newer than the last one judged on its channel is
//! late: it proves that the node lives, is counted, and is judged by nobody here.
//!
//! # Silence
//! Silence is neither a violation nor a return. Between two valid samples further apart than
//! [`INTERVALS_UNTIL_GAP`] expected intervals lies a gap: a pending violation and a pending return
//! start anew after it, an active alarm stays active.
//!
//! # Faults
//! A reading with a fault, or one that failed its quality test, is no value: it moves no limit's
//! condition. It raises the channel's fault alarm.
//!
//! # The shelf
//! A person may put an open alarm aside ([`Action::Shelve`]), for a reason and until a time at most
//! [`SHELVE_MS_MAX`] away. It is judged as ever; nothing about it notifies, its return does as ever.
//! It is off the shelf when a person says so, at the first tick of its time, or, one-shot, when it
//! returns. Where it is active then, it is unacknowledged and notifies once.
//!
//! # Day and night
//! A limit may differ by day and by night. For [`PHASE_SETTLE_MS`] after the change the wider of
//! the two limits raises and the narrower one lets return, so that the change itself does neither;
//! the house has that long to follow. After it the limit of the hour counts alone, and where it
//! has none, the level returns.
//!
//! # History
//! Samples marked as history are judged by the same rules in the same order of event time; their
//! episodes are marked `history`, need no acknowledgement and never notify. An episode that is
//! still active when the first live sample breaks a limit of it goes live ([`Kind::WentLive`]):
//! from then on it notifies and wants acknowledgement. If the live samples are back inside, it
//! returns as history. History that lies before what was judged already is late like any sample.

mod confirmed;
mod daylight;
mod engine;
mod episode;
mod from_profile;
mod hour;
mod input;
mod level;
mod outcome;
mod rule;
mod state;

pub use confirmed::{ConfirmedLimit, ConfirmedLimits};
pub use daylight::{Phase, nights, phase};
pub use engine::evaluate;
pub use episode::{
    Acknowledgement, AlarmId, COMMENT_CHARS_MAX, Episode, Kind, Peak, StateName, Suppression,
    Transition,
};
pub use from_profile::{OFF_DELAY_MS_DEFAULT, ON_DELAY_MS_DEFAULT, ZoneChannel, rules_for};
pub use input::{Action, Input, InputState, Presence, SHELVE_MS_MAX, Sample};
pub use nursery::{Severity, Side, SourceClass};
pub use rule::{
    Bound, ChannelId, ChannelRules, DayClock, Error, INTERVALS_UNTIL_GAP, LEVELS_MAX, Level,
    PHASE_SETTLE_MS, REOPEN_MS_DEFAULT, Rule, RuleId, RuleKind, Rules, STALE_MS_MIN, Threshold,
    Trip, ZoneRules,
};
pub use state::{ChannelState, STATE_VERSION, State, StateError};
