//! Batches and accessions: what is raised, from what, where, and at which stage.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use super::Name;

/// `GET /batches?state=open|closed|all&site&zone`.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Batches {
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// The batches: open ones first, then the newest first.
    pub batches: Vec<Batch>,
}

/// A batch: plants of one origin that are raised together.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Batch {
    /// The site's id.
    pub site: String,
    /// The batch's id, unique in its site.
    pub batch: String,
    /// What people call it.
    pub label: String,
    /// The accession that it was raised from, as `INSTCODE:ACCENUMB`.
    pub accession: Option<String>,
    /// The accession's number in this gateway, for links.
    #[ts(type = "number | null")]
    pub accession_id: Option<i64>,
    /// The crop's id.
    pub crop: String,
    /// The crop's name.
    pub crop_name: Name,
    /// The method's id.
    pub method: String,
    /// The method's name.
    pub method_name: Name,
    /// The stage's id, now or when it was closed.
    pub stage: String,
    /// The stage's name.
    pub stage_name: Name,
    /// Since when it is at this stage.
    #[ts(type = "number")]
    pub stage_since_ms: i64,
    /// The zone it stands in; absent where it stands nowhere.
    pub zone: Option<String>,
    /// The zone's name.
    pub zone_name: Option<Name>,
    /// The bench or tray.
    pub position: Option<String>,
    /// How many plants.
    pub plants: Option<u32>,
    /// When it was sown, struck or put in.
    #[ts(type = "number")]
    pub started_ms: i64,
    /// When it was closed.
    #[ts(type = "number | null")]
    pub closed_ms: Option<i64>,
    /// Why it was closed.
    pub closed_reason: Option<String>,
    /// Whether its stage gives its zone the bands that are charted and judged.
    pub leads: bool,
}

/// `GET /batches/{site}/{batch}`.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BatchDetail {
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// The batch.
    pub batch: Batch,
    /// Every stage of its method, in order, with when it was there.
    pub stages: Vec<BatchStage>,
    /// Where it stood, oldest first.
    pub placements: Vec<BatchPlacement>,
    /// What people did to it, oldest first.
    pub events: Vec<BatchEvent>,
    /// The ids of other batches of the same crop, the newest first.
    pub sisters: Vec<String>,
}

/// A stage of a batch's method.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BatchStage {
    /// The stage's id.
    pub stage: String,
    /// The stage's name.
    pub name: Name,
    /// Since when; absent where the batch was never there.
    #[ts(type = "number | null")]
    pub from_ms: Option<i64>,
    /// Until when; absent where it is there now or never was.
    #[ts(type = "number | null")]
    pub to_ms: Option<i64>,
    /// How many days it takes at least; absent where not known.
    pub days_min: Option<f64>,
    /// How many days it takes at most; absent where not known.
    pub days_max: Option<f64>,
}

/// Where a batch stood.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BatchPlacement {
    /// The zone.
    pub zone: String,
    /// The zone's name.
    pub zone_name: Name,
    /// The bench or tray.
    pub position: Option<String>,
    /// Since when.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// Until when; absent where it stands there now.
    #[ts(type = "number | null")]
    pub to_ms: Option<i64>,
}

/// Something that was done to a batch.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BatchEvent {
    /// `added`, `moved`, `staged`, `closed`, or `changed` by a plan.
    pub kind: String,
    /// When it was recorded.
    #[ts(type = "number")]
    pub recorded_ms: i64,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// What, in both languages.
    pub words: Name,
}

/// `POST /batches`.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct NewBatch {
    /// The site's id.
    pub site: String,
    /// The id: `[a-z0-9-]`, 1 to 32, unique in its site.
    pub batch: String,
    /// What people call it; the id where absent.
    #[serde(default)]
    pub label: Option<String>,
    /// The accession, as `INSTCODE:ACCENUMB`.
    #[serde(default)]
    pub accession: Option<String>,
    /// The crop's id.
    pub crop: String,
    /// The method's id.
    pub method: String,
    /// The stage's id; the method's first where absent.
    #[serde(default)]
    pub stage: Option<String>,
    /// The zone it is put in.
    pub zone: String,
    /// The bench or tray.
    #[serde(default)]
    pub position: Option<String>,
    /// How many plants.
    #[serde(default)]
    pub plants: Option<u32>,
    /// When it was sown, struck or put in: RFC 3339 or milliseconds; now where absent.
    #[serde(default)]
    pub started: Option<String>,
}

/// `POST /batches/{site}/{batch}/move`.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct BatchMove {
    /// The zone it goes to.
    pub zone: String,
    /// The bench or tray.
    #[serde(default)]
    pub position: Option<String>,
    /// When, RFC 3339; now where absent, never before its last move, never in the future.
    #[serde(default)]
    pub at: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `POST /batches/{site}/{batch}/stage`.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct BatchStageChange {
    /// The stage it has reached.
    pub stage: String,
    /// When, RFC 3339; now where absent, never before its last stage, never in the future.
    #[serde(default)]
    pub at: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `POST /batches/{site}/{batch}/close`.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct BatchClose {
    /// Why: dispatched, lost, discarded and the like. Never empty.
    pub reason: String,
    /// When, RFC 3339; now where absent.
    #[serde(default)]
    pub at: Option<String>,
}

/// `GET /accessions?search&limit&after`.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Accessions {
    /// How many match in all.
    pub total: u32,
    /// The accessions by institute and number.
    pub accessions: Vec<Accession>,
    /// What to send as `after` for the next page; absent on the last.
    #[ts(type = "number | null")]
    pub next: Option<i64>,
}

/// An accession in a list.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Accession {
    /// Its number in this gateway.
    #[ts(type = "number")]
    pub id: i64,
    /// `INSTCODE:ACCENUMB`.
    pub key: String,
    /// INSTCODE.
    pub institute: String,
    /// ACCENUMB.
    pub number: String,
    /// ACCENAME.
    pub name: Option<String>,
    /// CROPNAME.
    pub crop: Option<String>,
    /// Genus, species and subtaxa.
    pub taxon: String,
    /// ORIGCTY.
    pub origin: Option<String>,
    /// How many batches were raised from it.
    pub batches: u32,
}

/// `GET /accessions/{id}`.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct AccessionDetail {
    /// The accession.
    pub accession: Accession,
    /// Every MCPD descriptor in the standard's order, empty ones too; then the file's own columns.
    pub descriptors: Vec<Descriptor>,
    /// The batches raised from it.
    pub batches: Vec<Batch>,
}

/// One MCPD descriptor of an accession.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Descriptor {
    /// Its code, such as `COLLDATE`.
    pub code: String,
    /// What it is.
    pub name: Name,
    /// The value as it stands in the file; empty where missing.
    pub value: String,
    /// What the value says, where it is a code or a partial date.
    pub meaning: Option<Name>,
}

/// `POST /accessions/import?faulty=refuse|skip&check=true|false`: the body is the CSV.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Import {
    /// Whether anything was kept; never with `check=true`.
    pub applied: bool,
    /// Rows of the file without its header.
    pub rows: u32,
    /// Rows that are new.
    pub added: u32,
    /// Rows that differ from what was there.
    pub changed: u32,
    /// Rows that were there already.
    pub unchanged: u32,
    /// Rows with a fault.
    pub faulty: u32,
    /// The faults by row, at most 1,000.
    pub faults: Vec<ImportFault>,
    /// What is odd but kept, at most 1,000.
    pub hints: Vec<ImportFault>,
}

/// What is wrong in one field of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct ImportFault {
    /// The row as a spreadsheet counts: the header is row 1.
    pub row: u32,
    /// The descriptor, such as `LATITUDE`.
    pub field: String,
    /// The value.
    pub value: String,
    /// What is wrong.
    pub message: Name,
    /// What to do.
    pub remedy: Name,
}
