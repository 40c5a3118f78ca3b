//! What comes out: episodes of alarms and their transitions.

use measure::{Fault, Quantity, Scaled, Timestamp};
use nursery::{Severity, Side, serial};
use serde::{Deserialize, Serialize};

use crate::{ChannelId, InputState, RuleId, RuleKind};

/// The longest comment, in characters; what is longer is cut.
pub const COMMENT_CHARS_MAX: usize = 2_000;

/// One episode of an alarm, from its raising until it is over and known to somebody. Never given
/// twice by one gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlarmId(pub u64);

/// Everything about one episode of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Which episode.
    pub id: AlarmId,
    /// The rule that raised it.
    pub rule: RuleId,
    /// What the rule watches for.
    pub kind: RuleKind,
    /// What the channel measures.
    #[serde(with = "serial::quantity")]
    pub quantity: Quantity,
    /// Which side of the limit is broken; none for silence and faults.
    pub side: Option<Side>,
    /// How bad it is, at the worst level that is active; the last one, once returned.
    pub severity: Severity,
    /// The limit of that level, in steps, as it was when the level was reached.
    #[serde(with = "serial::steps_option")]
    pub limit: Option<Scaled>,
    /// Whether that level wakes people.
    pub wakes: bool,
    /// When the limit was first broken: the first violating sample, in event time (for silence:
    /// when the channel was last heard, in the gateway's time).
    #[serde(with = "serial::micros")]
    pub started: Timestamp,
    /// When the on-delay was met, in event time (for silence: the gateway's time).
    #[serde(with = "serial::micros")]
    pub raised: Timestamp,
    /// When the gateway saw it.
    #[serde(with = "serial::micros")]
    pub seen: Timestamp,
    /// The newest sample judged while it was active.
    #[serde(with = "serial::micros")]
    pub last: Timestamp,
    /// The value furthest beyond, since `started`.
    pub peak: Option<Peak>,
    /// Whether the condition is active.
    pub active: bool,
    /// Who knows of it, since its last rise.
    pub acknowledged: Option<Acknowledgement>,
    /// When the value was back for good: the first sample inside, in event time.
    #[serde(with = "serial::micros_option")]
    pub returned: Option<Timestamp>,
    /// When it was over and known to somebody (event time or the acknowledgement's).
    #[serde(with = "serial::micros_option")]
    pub closed: Option<Timestamp>,
    /// How many times it was raised, reopenings included.
    pub count: u32,
    /// It comes from history: it wakes nobody and needs no acknowledgement.
    pub history: bool,
    /// How far its input can be trusted.
    pub input: InputState,
}

impl Episode {
    /// Returns the channel.
    pub const fn channel(&self) -> ChannelId {
        self.rule.channel
    }

    /// Returns whether it waits for somebody to acknowledge it.
    pub const fn wants_acknowledgement(&self) -> bool {
        !self.history && self.acknowledged.is_none() && self.closed.is_none()
    }
}

/// The value furthest beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peak {
    /// The value, in steps.
    #[serde(with = "serial::steps")]
    pub value: Scaled,
    /// When, in event time.
    #[serde(with = "serial::micros")]
    pub at: Timestamp,
}

/// Who knows of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// In their words.
    pub comment: String,
    /// When, on the gateway's time.
    #[serde(with = "serial::micros")]
    pub at: Timestamp,
}

/// Why an alarm may not notify. Evaluation goes on under each of them (invariant 8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Suppression {
    /// Nothing keeps it.
    #[default]
    None,
    /// A person has put it aside.
    Shelved {
        /// Until when, on the gateway's time; never longer than the shelf's maximum.
        #[serde(with = "serial::micros")]
        until: Timestamp,
        /// It ends as soon as the condition is normal.
        one_shot: bool,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Another condition makes it meaningless.
    ByDesign {
        /// The rule that is active.
        inhibitor: RuleId,
    },
    /// A technician has taken it out of service.
    OutOfService {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Until when, on the gateway's time.
        #[serde(with = "serial::micros")]
        until: Timestamp,
    },
}

/// The names of ISA-18.2 for the state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// A: nothing is wrong and nothing waits.
    Normal,
    /// B: it is wrong and nobody has said that they know.
    ActiveUnacknowledged,
    /// C: it is wrong and somebody knows.
    ActiveAcknowledged,
    /// D: it was wrong and nobody has said that they know.
    ReturnedUnacknowledged,
    /// E: it was wrong, is latched, and nobody has said that they know.
    LatchedUnacknowledged,
    /// F: it was wrong, is latched, and somebody knows.
    LatchedAcknowledged,
    /// G: put aside by a person.
    Shelved,
    /// H: made meaningless by another condition.
    SuppressedByDesign,
    /// I: taken out of service.
    OutOfService,
}

impl StateName {
    /// Every name, in the order of its letter.
    pub const ALL: [Self; 9] = [
        Self::Normal,
        Self::ActiveUnacknowledged,
        Self::ActiveAcknowledged,
        Self::ReturnedUnacknowledged,
        Self::LatchedUnacknowledged,
        Self::LatchedAcknowledged,
        Self::Shelved,
        Self::SuppressedByDesign,
        Self::OutOfService,
    ];

    /// Returns the letter of the state diagram of ISA-18.2.
    pub const fn letter(self) -> char {
        match self {
            Self::Normal => 'A',
            Self::ActiveUnacknowledged => 'B',
            Self::ActiveAcknowledged => 'C',
            Self::ReturnedUnacknowledged => 'D',
            Self::LatchedUnacknowledged => 'E',
            Self::LatchedAcknowledged => 'F',
            Self::Shelved => 'G',
            Self::SuppressedByDesign => 'H',
            Self::OutOfService => 'I',
        }
    }

    /// Projects the axes to a name.
    pub(crate) fn of(episode: Option<&Episode>, latched: bool, suppression: &Suppression) -> Self {
        match suppression {
            Suppression::Shelved { .. } => return Self::Shelved,
            Suppression::ByDesign { .. } => return Self::SuppressedByDesign,
            Suppression::OutOfService { .. } => return Self::OutOfService,
            Suppression::None => {}
        }
        let wants = episode.is_some_and(Episode::wants_acknowledgement);
        let active = episode.is_some_and(|episode| episode.active);
        match (active, latched, wants) {
            (true, _, true) => Self::ActiveUnacknowledged,
            (true, _, false) => Self::ActiveAcknowledged,
            (false, true, true) => Self::LatchedUnacknowledged,
            (false, true, false) => Self::LatchedAcknowledged,
            (false, false, true) => Self::ReturnedUnacknowledged,
            (false, false, false) => Self::Normal,
        }
    }
}

/// What has happened to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A new episode.
    Raised,
    /// An unacknowledged episode broke again within its window.
    Reopened,
    /// It has become worse, or the other side of the limits is newly broken: an acknowledgement is
    /// void.
    Rose,
    /// It has become less bad: a level has returned, and others remain.
    Fell,
    /// The value is back.
    Returned,
    /// Somebody knows.
    Acknowledged,
    /// Somebody said something.
    Commented,
    /// Nothing fresh has come since; the condition stands as it was.
    WentStale,
    /// Data come again.
    Refreshed,
    /// An episode of history goes on in live data.
    WentLive,
    /// A returned episode that nobody acknowledged made room for a new one.
    Superseded,
    /// The rule has changed; it is judged by the new one from here on.
    RuleChanged,
    /// Its rule is gone.
    Withdrawn,
    /// A person has put it aside.
    Shelved,
    /// It is off the shelf again: by a person, by its time, or by its return. Where it is active it
    /// is unacknowledged from here on.
    Unshelved,
}

/// One change of an alarm. Appended to the record, never altered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What happened.
    pub kind: Kind,
    /// When, in event time; in the gateway's time for silence and for what people did.
    #[serde(with = "serial::micros")]
    pub at: Timestamp,
    /// When the gateway saw it.
    #[serde(with = "serial::micros")]
    pub seen: Timestamp,
    /// The value of the sample that caused it.
    #[serde(with = "serial::steps_option")]
    pub value: Option<Scaled>,
    /// The fault of the sample that caused it.
    #[serde(with = "serial::fault_option")]
    pub fault: Option<Fault>,
    /// Who did it.
    pub by: Option<String>,
    /// In their words.
    pub comment: Option<String>,
    /// The state afterwards.
    pub state: StateName,
    /// What keeps it from notifying, afterwards. Absent in what was written before there was a shelf.
    #[serde(default)]
    pub suppression: Suppression,
    /// Whether people are to be told: it has become worse, wakes, is live, and nothing keeps it.
    pub notify: bool,
    /// The episode as it is afterwards.
    pub episode: Episode,
}
