//! What nodes are set to, how that stands, and what they are told to do.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// What a person sets on a node: one document, which replaces the one from before. The gateway adds the
/// limits that hold and sends both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// How often it samples, in milliseconds.
    pub interval_ms: u32,
    /// Report by exception: the longest silence of a channel, in milliseconds; absent: every reading.
    #[serde(default)]
    pub heartbeat_ms: Option<u32>,
    /// On a battery: how often it connects, in milliseconds; absent: it stays connected.
    #[serde(default)]
    pub connect_ms: Option<u32>,
    /// Whom it connects to, `host:port`; empty: as it was provisioned.
    #[serde(default)]
    pub gateways: Vec<String>,
    /// The channels that are not as the node was built.
    #[serde(default)]
    pub channels: Vec<NodeChannelSettings>,
    /// Whether it judges the limits that wake somebody by itself.
    #[serde(default = "yes")]
    pub local_limits: bool,
    /// Outputs of single limits. Otherwise critical and high ones drive the siren, others nothing.
    #[serde(default)]
    pub outputs: Vec<NodeOutputs>,
}

fn yes() -> bool {
    true
}

/// The settings of one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeChannelSettings {
    /// Its place in the node's list, from 0.
    pub channel: u8,
    /// Whether it is read.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Where it hangs; absent: as provisioned.
    #[serde(default)]
    pub position: Option<String>,
    /// With report by exception: a change of so much is reported, in the quantity's unit.
    #[serde(default)]
    pub deadband: Option<f64>,
    /// Absent: the factory's.
    #[serde(default)]
    pub calibration: Option<NodeCalibration>,
}

/// A straight line through two points, in the quantity's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeCalibration {
    /// Its number, from 1; a new measurement has a new one.
    pub number: u32,
    /// The first point: what the node said without a calibration.
    pub raw_low: f64,
    /// The first point: what is true.
    pub reference_low: f64,
    /// The second point, whose raw value is greater.
    pub raw_high: f64,
    /// The second point: what is true.
    pub reference_high: f64,
    /// Who measured it.
    pub measured_by: String,
    /// When: a date, `2026-11-23`.
    pub measured_on: String,
}

/// The outputs that one limit drives on the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeOutputs {
    /// The channel's place in the node's list.
    pub channel: u8,
    /// `high` or `low`.
    pub side: String,
    /// `critical`, `high`, `medium` or `low`.
    pub severity: String,
    /// One bit each: 1 siren, 2 relay 1, 4 relay 2 and so on.
    pub outputs: u8,
}

/// `POST /nodes/{site}/{node}/settings`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NodeSettingsChange {
    /// The settings, whole.
    pub settings: NodeSettings,
    /// Why; kept in the record of changes.
    pub why: String,
}

/// How a node's settings stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeSettingsState {
    /// Nobody set any: it works as it was built.
    None,
    /// The node has not taken them yet.
    Pending,
    /// The node works by them.
    Applied,
    /// The node refused them.
    Refused,
    /// The node could not reconnect with them and went back. They are not sent again until changed.
    RolledBack,
}

/// `GET /nodes/{site}/{node}/settings`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NodeStanding {
    /// What a person set; absent where nobody did.
    pub settings: Option<NodeSettings>,
    /// When.
    #[ts(type = "number | null")]
    pub set_ms: Option<i64>,
    /// By whom.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// How they stand.
    pub state: NodeSettingsState,
    /// Their revision; 0 where nothing was made of them yet.
    pub revision: u32,
    /// The revision that the node works by.
    pub in_force: Option<u32>,
    /// Where the node refused them: its word.
    pub detail: Option<String>,
    /// Why nothing could be made of them, where they no longer fit the node.
    pub fault: Option<super::Name>,
    /// The node's channels.
    pub channels: Vec<NodeChannel>,
    /// The limits that it judges itself.
    pub limits: Vec<NodeLimit>,
    /// Limits that found no room.
    pub limits_left: u32,
    /// What it was told to do last, newest first.
    pub commands: Vec<NodeCommandStanding>,
}

/// A channel as the node says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NodeChannel {
    /// Its place in the list, from 0.
    pub channel: u8,
    /// What it measures.
    pub quantity: String,
    /// In which unit.
    pub unit: String,
    /// Where.
    pub position: String,
    /// With which chip.
    pub sensor: String,
    /// The number of the calibration in force; 0 is the factory's.
    pub calibration: u32,
    /// Whether it is read.
    pub enabled: bool,
}

/// A limit that a node judges itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NodeLimit {
    /// Its number on the wire.
    pub rule: u32,
    /// The channel's place in the list.
    pub channel: u8,
    /// `high` or `low`.
    pub side: String,
    /// The limit, in the quantity's unit; itself still good.
    pub threshold: f64,
    /// How far inside a value is back.
    pub deadband: f64,
    /// For how many seconds it must be broken.
    pub on_delay_s: u16,
    /// For how many seconds it must be kept again.
    pub off_delay_s: u16,
    /// What it drives, one bit each.
    pub outputs: u8,
}

/// An episode that a node judged itself, link or no link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct LocalEpisode {
    /// The number of the limit on the wire.
    pub rule: u32,
    /// When it began; absent where that is not known any more.
    #[ts(type = "number | null")]
    pub raised_ms: Option<i64>,
    /// When it ended; absent while it lasts.
    #[ts(type = "number | null")]
    pub ended_ms: Option<i64>,
    /// It ended because the limit was taken away or the node restarted: nothing is known of the value.
    pub cancelled: bool,
    /// The node had no clock: times are estimates.
    pub uncertain: bool,
    /// The outputs that it drove, one bit each: 1 siren, 2 relay 1, 4 relay 2 and so on.
    pub outputs: u8,
}

/// What a node can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeCommand {
    /// Blink.
    Identify,
    /// Restart.
    Reboot,
    /// Say again what it is.
    Rebirth,
}

/// `POST /nodes/{site}/{node}/commands`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NodeAsk {
    /// What to do.
    pub command: NodeCommand,
    /// Why; kept in the record of changes.
    #[serde(default)]
    pub why: Option<String>,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeOutcome {
    /// No answer yet.
    Waiting,
    /// Done.
    Done,
    /// Understood and refused.
    Refused,
    /// Not known to its firmware.
    Unknown,
    /// No answer after the last try.
    NoAnswer,
}

/// A command and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct NodeCommandStanding {
    /// What was asked.
    pub command: NodeCommand,
    /// When.
    #[ts(type = "number")]
    pub asked_ms: i64,
    /// By whom.
    pub by: String,
    /// What became of it.
    pub outcome: NodeOutcome,
    /// The node's word, where it refused.
    pub detail: Option<String>,
}
