//! How a channel's sensor reads against a reference.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// What the sensor said, and what was true then, in the unit of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrationPoint {
    /// What the sensor said, before any calibration of the gateway.
    pub raw: f64,
    /// What the reference said.
    pub reference: f64,
}

/// `POST /channels/{id}/calibrations`: either `offset`, or one or two `points`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCalibration {
    /// From when it holds, until the next one does: RFC 3339, or milliseconds since 1970.
    pub from: String,
    /// What is added to every reading, in the unit of the channel.
    #[serde(default)]
    pub offset: Option<f64>,
    /// One point makes an offset, two make a straight line.
    #[serde(default)]
    pub points: Vec<CalibrationPoint>,
    /// With what it was measured, such as the number of a certificate; may be empty.
    #[serde(default)]
    pub note: String,
}

/// `POST /calibrations/{number}/withdrawal`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrationWithdrawal {
    /// Why it does not hold after all.
    pub why: String,
}

/// That a calibration was withdrawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CalibrationWithdrawn {
    /// When.
    #[ts(type = "number")]
    pub at_ms: i64,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
}

/// A span of a channel that was or is computed again, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CalibrationWork {
    /// From when.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// Until when; absent where it has no end.
    #[ts(type = "number | null")]
    pub to_ms: Option<i64>,
    /// Readings that were looked at so far.
    #[ts(type = "number")]
    pub readings: u64,
    /// Readings whose flag has become another one.
    #[ts(type = "number")]
    pub flags: u64,
    /// Derived samples that have become others.
    #[ts(type = "number")]
    pub derived: u64,
    /// When it was done as a whole; absent while it is not.
    #[ts(type = "number | null")]
    pub done_ms: Option<i64>,
}

/// A version of a channel's calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Calibration {
    /// Its number: a later one is greater.
    pub number: u32,
    /// From when it holds.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// Until when it holds; absent where nothing follows.
    #[ts(type = "number | null")]
    pub to_ms: Option<i64>,
    /// Whether it ever holds: it is neither withdrawn nor replaced by a later one from the same time.
    pub holds: bool,
    /// Its points, one or two. An offset is the point whose raw value is 0.
    pub points: Vec<CalibrationPoint>,
    /// True steps for one raw step; 1 for an offset.
    pub gain: f64,
    /// Who measured it.
    pub by: String,
    /// When it was entered.
    #[ts(type = "number")]
    pub entered_ms: i64,
    /// With what it was measured.
    pub note: String,
    /// That and why it was withdrawn; absent where it was not.
    pub withdrawn: Option<CalibrationWithdrawn>,
    /// What was or is computed again because of it.
    pub work: Vec<CalibrationWork>,
}

/// `GET /channels/{id}/calibrations`: the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct Calibrations {
    /// The channel's id.
    pub channel: u32,
    /// UCUM unit of the points.
    pub unit: String,
    /// The number of the calibration that the node itself applies, before the gateway's; 0 for none.
    pub on_node: u32,
    /// Every version, the withdrawn ones too.
    pub calibrations: Vec<Calibration>,
}

/// A span in which readings have another value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CalibrationSpan {
    /// From when.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// Until when; absent where it has no end.
    #[ts(type = "number | null")]
    pub to_ms: Option<i64>,
}

/// What a calibration that was entered or withdrawn touches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct CalibrationTouched {
    /// The calibration.
    pub number: u32,
    /// Where readings have another value since.
    pub spans: Vec<CalibrationSpan>,
    /// How many readings are stored there.
    #[ts(type = "number")]
    pub readings: u64,
    /// How many samples that are derived from the channel are stored there.
    #[ts(type = "number")]
    pub derived: u64,
    /// The channel's calibrations as they are now.
    pub now: Calibrations,
}
