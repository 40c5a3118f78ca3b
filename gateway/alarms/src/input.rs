//! What is given to the engine.

use measure::{Marks, Quality, Reading, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AlarmId, ChannelId};

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A sample came from the store's journal.
    Sample(Sample),
    /// Time has passed on the gateway's clock. Once a second is enough.
    Tick {
        /// The gateway's time.
        now: Timestamp,
    },
    /// The gateway has started to listen, or listens again: silence is counted from here on, and
    /// nobody is called silent for the time in which nobody listened.
    Listening {
        /// The gateway's time.
        now: Timestamp,
    },
    /// A node has come, gone or said that it sleeps.
    Presence {
        /// The channels of the node.
        channels: Vec<ChannelId>,
        /// What became of it.
        presence: Presence,
        /// The gateway's time.
        at: Timestamp,
    },
    /// A person has acted.
    Operator {
        /// What they did.
        action: Action,
        /// To which alarm.
        alarm: AlarmId,
        /// Who.
        by: String,
        /// In their words; longer ones are cut at [`crate::COMMENT_CHARS_MAX`].
        comment: String,
        /// The gateway's time.
        at: Timestamp,
    },
    /// The rules given with this input are new. Alarms whose rule is gone are withdrawn; the
    /// others are judged by the new limits from their next sample on.
    RulesChanged {
        /// The gateway's time.
        now: Timestamp,
    },
}

/// A sample of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Whose.
    pub channel: ChannelId,
    /// Event time.
    pub time: Timestamp,
    /// The value, or the fault in its place.
    pub reading: Reading,
    /// How far it can be trusted.
    pub quality: Quality,
    /// History is judged as history.
    pub marks: Marks,
    /// When the gateway saw it, on the gateway's time.
    pub seen: Timestamp,
}

/// What a node's session tells about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is connected. That alone proves no data: staleness ends with a sample.
    Online,
    /// Its session has ended: its channels are stale at once.
    Offline,
    /// It sleeps and will report by this time; its silence counts from then.
    Sleeping {
        /// When it will report.
        until: Timestamp,
    },
}

/// What a person did to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They know of it and see to it. Without effect where nothing waits for it.
    Acknowledge,
    /// They say something about it.
    Comment,
    /// They put it aside, for the reason in their comment: it is judged as ever and notifies nobody.
    /// Longer than [`SHELVE_MS_MAX`] is cut to it; without effect where the end is not in the future.
    Shelve {
        /// Until when, on the gateway's time.
        until: Timestamp,
        /// It also ends when the condition is back to normal.
        one_shot: bool,
    },
    /// They take it from the shelf before its time. Without effect where it is not shelved.
    Unshelve,
}

/// The longest that an alarm may be shelved at once, in milliseconds; longer is cut to it.
pub const SHELVE_MS_MAX: i64 = 86_400_000;

/// How far the input of a rule can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputState {
    /// Fresh and sound.
    #[default]
    Good,
    /// Fresh; the value is suspect or its time an estimate.
    Uncertain,
    /// Nothing fresh: conditions stand as they were.
    Stale,
    /// Fresh, but faults instead of values: conditions stand as they were.
    Fault,
}
