//! The JSON that the API speaks. The dashboard's TypeScript and the OpenAPI document are made from
//! these types; a test fails when the committed files are stale.
//!
//! Times are RFC 3339 strings in UTC at the edges that people script, and whole milliseconds since
//! 1970 (`*_ms`) in columns that a chart draws. Numbers carry their unit beside them.

mod batches;
mod calibrations;
mod exposures;
mod firmware;
mod letters;
mod night;
mod nodes;
mod setup;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

pub use batches::{
    Accession, AccessionDetail, Accessions, Batch, BatchClose, BatchDetail, BatchEvent, BatchMove,
    BatchPlacement, BatchStage, BatchStageChange, Batches, Descriptor, Import, ImportFault,
    NewBatch,
};
pub use calibrations::{
    Calibration, CalibrationPoint, CalibrationSpan, CalibrationTouched, CalibrationWithdrawal,
    CalibrationWithdrawn, CalibrationWork, Calibrations, NewCalibration,
};
pub use exposures::{
    BatchExposure, BatchSeries, Exposure, Integral, OffsetStage, Sheet, SheetQuantity, SheetZone,
    StudyCommands, StudyFile, StudyPreview, StudyRequest, StudyRow,
};
pub use firmware::{Firmware, FirmwareOffer, FirmwareRelease, FirmwareRollout, FirmwareState};
pub use letters::{DeadLetter, DeadLetterState, DeadLetters};
pub use night::{
    AnswerCard, AnswerToken, ConfirmLimit, NewNote, Night, Note, Notes, SentMessage, Shelve,
    Shelving,
};
pub use nodes::{
    LocalEpisode, NodeAsk, NodeCalibration, NodeChannel, NodeChannelSettings, NodeCommand,
    NodeCommandStanding, NodeLimit, NodeOutcome, NodeOutputs, NodeSettings, NodeSettingsChange,
    NodeSettingsState, NodeStanding,
};
pub use setup::{
    Contact, Crop, CropMethod, CropStage, Endpoint, GrowingIds, Language, NewNode, NewSite,
    NewZone, NodeSecret, Notify, NotifyChannel, NotifyPerson, NotifyTest, Setup, Site, SiteZone,
    Trust, ZoneKind,
};

/// A name in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Name {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// `GET /health`: open to everyone, says nothing about the nursery.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Health {
    /// `ok`, or `degraded` where a part does not work.
    pub status: HealthStatus,
    /// Version of the gateway.
    pub version: String,
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// How many times faster than the wall the clock runs; 1 outside a demonstration.
    pub speed: f64,
    /// Whether this is the demonstration nursery.
    pub demonstration: bool,
    /// What does not work, by part, in a person's words.
    pub troubles: Vec<Name>,
}

/// How well the gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Everything works.
    Ok,
    /// Something does not.
    Degraded,
}

/// `POST /session`: sign in.
#[derive(Clone, Deserialize, TS, ToSchema)]
pub struct SignIn {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: String,
}

/// `GET /session`: who is signed in.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Session {
    /// The user's or the token's name.
    pub user: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the password is the printed first one and waits to be changed.
    pub must_change_password: bool,
    /// The rights of the role, so that the page shows only what will work.
    pub rights: Vec<Right>,
    /// Where the user is told of alarms; absent for a token.
    pub contact: Option<Contact>,
}

/// `POST /session/password`: change one's own password.
#[derive(Clone, Deserialize, TS, ToSchema)]
pub struct PasswordChange {
    /// The password until now.
    pub old: String,
    /// The new one, of at least 10 characters.
    pub new: String,
}

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything that is not about people.
    Viewer,
    /// Answers alarms.
    Technician,
    /// Runs the nursery.
    Grower,
    /// Exports trials.
    Researcher,
    /// May do everything.
    Admin,
}

/// A right that a role has or lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Read series, alarms, zones and nodes.
    Read,
    /// Acknowledge and comment on alarms.
    AnswerAlarms,
    /// Change zones, crops, stages and limits.
    RunNursery,
    /// Export data.
    Export,
    /// Import and change accessions.
    CurateGermplasm,
    /// Add nodes.
    ManageNodes,
    /// Add users and tokens.
    ManagePeople,
}

/// `GET /overview`: the houses, worst first.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Overview {
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// The houses and store rooms, worst first.
    pub zones: Vec<ZoneSummary>,
    /// Open alarms that nobody has acknowledged, all zones together.
    pub unacknowledged: u32,
    /// The sites, for their names and time zones.
    pub sites: Vec<Site>,
    /// What happened since yesterday evening, and what was left for the morning.
    pub night: Night,
}

/// A house or store room on one tile.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct ZoneSummary {
    /// The site's id.
    pub site: String,
    /// The zone's id, unique in its site.
    pub zone: String,
    /// The zone's name.
    pub name: Name,
    /// The site's name.
    pub site_name: Name,
    /// The crop, absent where none was named.
    pub crop: Option<Name>,
    /// The stage of the crop.
    pub stage: Option<Name>,
    /// The worst that is wrong here, absent where all is well.
    pub worst: Option<Deviation>,
    /// Open alarms by severity.
    pub alarms: AlarmCounts,
    /// The three or so channels worth showing, in the order of the tile.
    pub channels: Vec<ChannelGlance>,
    /// Channels that are stale or faulted.
    pub silent_channels: u32,
    /// The newest reading of the zone; absent where there is none.
    #[ts(type = "number | null")]
    pub newest_ms: Option<i64>,
}

/// How far a channel is outside its band.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Deviation {
    /// The channel.
    pub channel: u32,
    /// What it measures, such as `relative_humidity`.
    pub quantity: String,
    /// UCUM unit.
    pub unit: String,
    /// Above or below.
    pub side: Side,
    /// How far beyond the band or limit, in the unit; never negative.
    pub by: f64,
    /// Which edge was left: the band the crop wants, or an alarm limit.
    pub beyond: Edge,
    /// Since when; absent where not known.
    #[ts(type = "number | null")]
    pub since_ms: Option<i64>,
    /// The worst open alarm on it.
    pub alarm: Option<String>,
    /// Severity of that alarm.
    pub severity: Option<Severity>,
}

/// Which edge of what the crop wants was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The target band.
    Band,
    /// An alarm limit.
    Limit,
}

/// Above or below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Above the upper edge.
    High,
    /// Below the lower edge.
    Low,
}

/// Open alarms by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct AlarmCounts {
    /// Lethal soon.
    pub critical: u32,
    /// Damage.
    pub high: u32,
    /// Growth suffers.
    pub medium: u32,
    /// Advice.
    pub low: u32,
}

/// A channel on a tile: now, and the last day as a small line.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct ChannelGlance {
    /// The channel with its latest sample.
    pub channel: Channel,
    /// The band and limits in force now.
    pub band: Option<Band>,
    /// Mean of each half hour of the last 24 h, oldest first; null where there is nothing.
    pub sparkline: Vec<Option<f64>>,
}

/// `GET /channels`: a quantity measured at a place.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Channel {
    /// The channel's id.
    pub id: u32,
    /// The site's id.
    pub site: String,
    /// The zone its node stands in; absent where the node was not placed.
    pub zone: Option<String>,
    /// The node's id.
    pub node: String,
    /// Where on the node's bench.
    pub position: String,
    /// What it measures, such as `air_temperature`.
    pub quantity: String,
    /// UCUM unit.
    pub unit: String,
    /// Decimal places worth showing.
    pub decimals: u8,
    /// The latest sample by event time; absent where there is none yet.
    pub latest: Option<Latest>,
    /// Good, stale or faulted.
    pub input: InputState,
    /// The channels that it is computed from, as `node/position/quantity`; empty where it is measured.
    pub derived_from: Vec<String>,
}

/// The latest sample of a channel.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Latest {
    /// When, RFC 3339.
    pub time: String,
    /// When, in milliseconds since 1970.
    #[ts(type = "number")]
    pub time_ms: i64,
    /// The value in the channel's unit; absent where a fault stands in its place.
    pub value: Option<f64>,
    /// The fault, such as `not_present`.
    pub fault: Option<String>,
    /// The QARTOD flag, such as `good`.
    pub quality: String,
}

/// What can be said of a channel's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InputState {
    /// Fresh values.
    Good,
    /// Fresh values of doubtful quality.
    Uncertain,
    /// Silent for too long.
    Stale,
    /// The sensor reports a fault.
    Fault,
    /// Nothing has come yet.
    Waiting,
}

/// The band a crop wants and its alarm limits; each edge may be absent.
#[derive(Clone, Debug, PartialEq, Serialize, TS, ToSchema)]
pub struct Band {
    /// Lower edge of what the crop wants.
    pub target_low: Option<f64>,
    /// Upper edge of what the crop wants.
    pub target_high: Option<f64>,
    /// Limits, most severe first.
    pub limits: Vec<BandLimit>,
    /// Class of the source of the target, `A` to `G`.
    pub target_class: Option<String>,
    /// Where the numbers come from.
    pub sources: Vec<String>,
    /// A remark in both languages, such as that another species stands in.
    pub note: Option<String>,
}

/// One alarm limit.
#[derive(Clone, Debug, PartialEq, Serialize, TS, ToSchema)]
pub struct BandLimit {
    /// Above or below.
    pub side: Side,
    /// How severe.
    pub severity: Severity,
    /// The limit in the channel's unit.
    pub limit: f64,
    /// Whether it wakes people; a class C or G limit does not until it is confirmed.
    pub wakes: bool,
    /// Class of the source of the limit.
    pub class: Option<String>,
    /// Whether it wakes nobody until somebody of this nursery confirms it.
    pub needs_confirmation: bool,
    /// Who has confirmed it.
    pub confirmed_by: Option<String>,
}

/// `GET /zones/{site}/{zone}?from&to`: a house with what its charts need.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct ZoneDetail {
    /// The tile.
    pub summary: ZoneSummary,
    /// Every channel of the zone.
    pub channels: Vec<Channel>,
    /// Per quantity, the band through the asked span: one step per change of day, night or stage.
    pub bands: Vec<BandTrack>,
    /// Nights in the asked span.
    pub nights: Vec<Span>,
    /// Stages in the asked span.
    pub stages: Vec<StageSpan>,
    /// How day and night are told apart here: `sun`, `lamp` or `measured_light`.
    pub day_source: String,
    /// Open and recent alarms that touch the asked span.
    pub alarms: Vec<Alarm>,
    /// Nodes placed here.
    pub nodes: Vec<Node>,
    /// Batches that stood here in the asked span, the leading one first.
    pub batches: Vec<Batch>,
}

/// The band of one quantity through time.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BandTrack {
    /// The quantity.
    pub quantity: String,
    /// Steps in time order; each holds until the next.
    pub steps: Vec<BandStep>,
}

/// A band from a time on.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BandStep {
    /// From when.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// The band; absent where none applies.
    pub band: Option<Band>,
}

/// A span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Span {
    /// From, included.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// To, not included.
    #[ts(type = "number")]
    pub to_ms: i64,
}

/// A stage through time.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct StageSpan {
    /// When.
    pub span: Span,
    /// The stage.
    pub stage: Name,
}

/// `GET /channels/{id}/series?from&to&points`: columns for a chart.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Series {
    /// The channel.
    pub channel: u32,
    /// UCUM unit of the value columns.
    pub unit: String,
    /// Width of a bucket; buckets widen to whole roll-up steps.
    #[ts(type = "number")]
    pub step_ms: i64,
    /// Start of each bucket.
    #[ts(type = "number[]")]
    pub time_ms: Vec<i64>,
    /// Least value; null where there is none.
    pub min: Vec<Option<f64>>,
    /// Mean value; null where there is none.
    pub mean: Vec<Option<f64>>,
    /// Greatest value; null where there is none.
    pub max: Vec<Option<f64>>,
    /// How many values.
    pub count: Vec<u32>,
    /// The worst QARTOD number of the bucket; null where there is nothing.
    pub quality: Vec<Option<u8>>,
}

/// Severity of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// ■ Plants die soon.
    Critical,
    /// ▲ Plants are damaged.
    High,
    /// ● Growth suffers.
    Medium,
    /// ◆ Advice.
    Low,
}

/// ISA-18.2 state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// B: active, nobody has acknowledged.
    Unacknowledged,
    /// C: active, acknowledged.
    Acknowledged,
    /// D: returned to normal before anyone acknowledged.
    ReturnedUnacknowledged,
    /// A: over.
    Normal,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// A limit was left.
    Limit,
    /// A channel is silent.
    Stale,
    /// A sensor reports a fault.
    Fault,
    /// A node is offline.
    Offline,
}

/// `GET /alarms?state=open|unacknowledged|active|closed|all`: one episode.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Alarm {
    /// The episode's id.
    pub id: String,
    /// What it is about.
    pub kind: AlarmKind,
    /// Its state.
    pub state: AlarmState,
    /// How severe it is now.
    pub severity: Severity,
    /// The site's id.
    pub site: String,
    /// The zone's id.
    pub zone: Option<String>,
    /// The zone's name.
    pub zone_name: Option<Name>,
    /// The node's id.
    pub node: Option<String>,
    /// The channel.
    pub channel: Option<u32>,
    /// Where on the node's bench.
    pub position: Option<String>,
    /// The quantity.
    pub quantity: Option<String>,
    /// UCUM unit of the values.
    pub unit: Option<String>,
    /// Above or below, for a limit.
    pub side: Option<Side>,
    /// The limit in force.
    pub limit: Option<f64>,
    /// The value that raised it.
    pub value: Option<f64>,
    /// The worst value so far.
    pub peak: Option<f64>,
    /// The latest value of the channel.
    pub current: Option<f64>,
    /// First sample beyond the limit, RFC 3339.
    pub started: String,
    /// First sample beyond the limit.
    #[ts(type = "number")]
    pub started_ms: i64,
    /// When the on-delay was met.
    #[ts(type = "number")]
    pub raised_ms: i64,
    /// When it returned to normal.
    #[ts(type = "number | null")]
    pub returned_ms: Option<i64>,
    /// Who acknowledged.
    pub acknowledged_by: Option<String>,
    /// When it was acknowledged.
    #[ts(type = "number | null")]
    pub acknowledged_ms: Option<i64>,
    /// What was said with the acknowledgement.
    pub comment: Option<String>,
    /// Whether it wakes people.
    pub wakes: bool,
    /// Whether it comes from imported or late data.
    pub history: bool,
    /// Class of the limit's source.
    pub class: Option<String>,
    /// Whether the channel has no fresh data, so that the state is frozen.
    pub input: InputState,
    /// Its shelving; absent where it is not shelved.
    pub shelved: Option<Shelving>,
}

/// `GET /alarms`.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Alarms {
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// The alarms: open ones first, then the newest first.
    pub alarms: Vec<Alarm>,
    /// Whether there are more than were sent.
    pub more: bool,
}

/// `GET /alarms/{id}`.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct AlarmDetail {
    /// The alarm.
    pub alarm: Alarm,
    /// What to check, in both languages.
    pub check: Name,
    /// What to do, in both languages.
    pub action: Name,
    /// What happened, oldest first.
    pub timeline: Vec<AlarmEvent>,
    /// Who was told, oldest first.
    pub messages: Vec<SentMessage>,
    /// Notes about it, oldest first.
    pub notes: Vec<Note>,
    /// What the node judged itself on this channel meanwhile, newest first.
    pub local: Vec<LocalEpisode>,
}

/// One line of an alarm's timeline.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct AlarmEvent {
    /// What happened.
    pub kind: AlarmEventKind,
    /// When, in the data's time.
    #[ts(type = "number")]
    pub at_ms: i64,
    /// When the gateway learnt of it.
    #[ts(type = "number")]
    pub seen_ms: i64,
    /// Who did it.
    pub by: Option<String>,
    /// What was said.
    pub comment: Option<String>,
    /// The value then.
    pub value: Option<f64>,
    /// The severity from then on.
    pub severity: Option<Severity>,
}

/// What happened to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmEventKind {
    /// It was raised.
    Raised,
    /// Its severity rose or fell.
    Changed,
    /// It returned to normal.
    Returned,
    /// It broke again within the same episode.
    Reopened,
    /// Somebody acknowledged it.
    Acknowledged,
    /// Somebody commented.
    Commented,
    /// Its channel fell silent or faulted.
    InputLost,
    /// Its channel speaks again.
    InputRestored,
    /// An alarm of recorded data goes on in live data.
    WentLive,
    /// Its limits changed; it is judged by the new ones from then on.
    RuleChanged,
    /// Somebody shelved it.
    Shelved,
    /// Its shelving is over.
    Unshelved,
    /// It is over.
    Closed,
}

/// `POST /alarms/{id}/acknowledge` and `/comment`.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct AlarmComment {
    /// What the person says; may be empty when acknowledging. At most 2,000 characters.
    #[serde(default)]
    pub comment: String,
}

/// A node.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Node {
    /// The site's id.
    pub site: String,
    /// The node's id.
    pub node: String,
    /// The zone it stands in.
    pub zone: Option<String>,
    /// Whether it is connected; absent where it was never heard.
    pub online: Option<bool>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// Its latest birth.
    #[ts(type = "number | null")]
    pub birth_ms: Option<i64>,
    /// The newest reading.
    #[ts(type = "number | null")]
    pub newest_ms: Option<i64>,
    /// How often it samples.
    #[ts(type = "number | null")]
    pub interval_ms: Option<i64>,
    /// Readings waiting in its flash at its last birth.
    pub waiting: Option<u32>,
    /// Of a sleeping node: when it said that it will be heard next.
    #[ts(type = "number | null")]
    pub next_due_ms: Option<i64>,
    /// The number of its firmware's release; 0 before the first.
    pub release: Option<u32>,
    /// The revision of the settings that it works by; 0: as it was built.
    pub settings: Option<u32>,
}

/// An event of `GET /events`, one JSON object per server-sent `data:` line.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The gateway's clock, every 5 s of wall time, so that ages are right at any speed.
    Clock {
        /// The gateway's clock.
        #[ts(type = "number")]
        now_ms: i64,
    },
    /// New samples: the latest of each channel that changed.
    Samples {
        /// The channels, with their latest.
        channels: Vec<Channel>,
    },
    /// An alarm changed.
    Alarm {
        /// The alarm as it is now.
        alarm: Box<Alarm>,
    },
    /// A node came or went.
    Node {
        /// The node as it is now.
        node: Node,
    },
    /// Zones, crops or limits changed: read them again.
    Configuration,
    /// Events were dropped because this reader was slow: read everything again.
    Lagged,
}

/// The body of every error answer.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Problem {
    /// A name for programs, such as `not_found`.
    pub code: String,
    /// What is wrong and what to do, for people, in both languages.
    pub message: Name,
    /// The field at fault.
    pub field: Option<String>,
}

/// `GET /users`: who may sign in.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Users {
    /// The users, by name.
    pub users: Vec<User>,
}

/// A user.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct User {
    /// The name to sign in with.
    pub user: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the password waits to be changed.
    pub must_change_password: bool,
    /// Since when the user exists.
    #[ts(type = "number")]
    pub created_ms: i64,
    /// Where the user is told of alarms.
    pub contact: Contact,
}

/// `POST /users`: add a user.
#[derive(Clone, Deserialize, TS, ToSchema)]
pub struct NewUser {
    /// The name to sign in with: 1 to 64 characters, without blanks at its ends.
    pub user: String,
    /// What the user may do.
    pub role: Role,
    /// The first password, of at least 10 characters; the user changes it at the first sign-in.
    pub password: String,
    /// Where the user is told of alarms; nowhere where absent.
    #[serde(default)]
    pub contact: Option<Contact>,
}

/// `GET /tokens`: the bearer tokens for programs, without their secrets.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Tokens {
    /// The tokens, by name.
    pub tokens: Vec<Token>,
}

/// A bearer token for a program.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Token {
    /// The token's name.
    pub name: String,
    /// What the program may do.
    pub role: Role,
    /// Since when the token exists.
    #[ts(type = "number")]
    pub created_ms: i64,
}

/// `POST /tokens`: add a token.
#[derive(Clone, Deserialize, TS, ToSchema)]
pub struct NewToken {
    /// The token's name: 1 to 64 characters, without blanks at its ends.
    pub name: String,
    /// What the program may do.
    pub role: Role,
}

/// The answer to `POST /tokens`: the only time that the secret is shown.
#[derive(Clone, Serialize, TS, ToSchema)]
pub struct TokenSecret {
    /// The token's name.
    pub name: String,
    /// What the program may do.
    pub role: Role,
    /// What the program sends as `Authorization: Bearer …`.
    pub secret: String,
}
