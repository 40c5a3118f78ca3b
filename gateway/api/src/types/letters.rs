//! Dead letters: messages that could not be understood.

use serde::Serialize;
use ts_rs::TS;
use utoipa::ToSchema;

/// `GET /dead-letters`: the newest first.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct DeadLetters {
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// How many are kept.
    #[ts(type = "number")]
    pub kept: u64,
    /// How many were dropped because newer ones came.
    #[ts(type = "number")]
    pub dropped: u64,
    /// The newest of them.
    pub letters: Vec<DeadLetter>,
}

/// A message that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct DeadLetter {
    /// Its number, for good.
    #[ts(type = "number")]
    pub number: i64,
    /// When it came.
    #[ts(type = "number")]
    pub received_ms: i64,
    /// The topic it came on.
    pub topic: String,
    /// What is wrong with it.
    pub reason: String,
    /// How long it was, in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
    /// What is kept of it, in hexadecimal.
    pub payload: String,
    /// It is kept as it came; one that was cut can't be taken again.
    pub whole: bool,
    /// What became of it.
    pub state: DeadLetterState,
    /// When it was taken again last.
    #[ts(type = "number | null")]
    pub tried_ms: Option<i64>,
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterState {
    /// Nobody has asked for anything.
    Kept,
    /// It is to be taken again, within seconds.
    Asked,
    /// It was taken again and is in the store.
    Replayed,
    /// It was taken again and is still not understood; `reason` says why.
    Refused,
}
