//! The join: what batches lived through, days on a sheet, two batches on one chart, and studies.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use super::{Alarm, Band, Batch, Name, Note, Span};

/// `GET /batches/{site}/{batch}/exposure`.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BatchExposure {
    /// The gateway's clock: open stages count until then.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// One row a stage and quantity, and with `stage` absent one over all stages.
    pub rows: Vec<Exposure>,
}

/// What a batch lived through in one stage, of one quantity.
#[derive(Clone, Debug, PartialEq, Serialize, TS, ToSchema)]
pub struct Exposure {
    /// The stage's id; absent for all stages together.
    pub stage: Option<String>,
    /// The stage's name.
    pub stage_name: Option<Name>,
    /// The quantity, such as `air_temperature` or `vapour_pressure_deficit`.
    pub quantity: String,
    /// UCUM unit.
    pub unit: String,
    /// Decimal places worth showing.
    pub decimals: u8,
    /// From when.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// Until when.
    #[ts(type = "number")]
    pub to_ms: i64,
    /// How many hours the batch stood in a zone within it.
    pub hours: f64,
    /// The share of those hours with a usable value, 0 to 1.
    pub coverage: f64,
    /// Least value.
    pub min: Option<f64>,
    /// Mean over the covered time.
    pub mean: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Hours below what the stage wants; absent where it names no lower edge.
    pub hours_below: Option<f64>,
    /// Hours above what the stage wants; absent where it names no upper edge.
    pub hours_above: Option<f64>,
    /// The integral that the quantity is known by: thermal time, light or VPD hours.
    pub integral: Option<Integral>,
    /// The nodes and positions it was measured by.
    pub sources: Vec<String>,
}

/// An integral over time.
#[derive(Clone, Debug, PartialEq, Serialize, TS, ToSchema)]
pub struct Integral {
    /// `thermal_time`, `light_integral` or `vpd_hours`.
    pub kind: String,
    /// The value over the covered time; nothing is filled in.
    pub value: f64,
    /// UCUM unit: `Cel.d`, `mol/m2` or `kPa.h`.
    pub unit: String,
    /// Its mean a day over the days that are covered well enough; for light the daily light integral.
    pub a_day: Option<f64>,
    /// UCUM unit of `a_day`.
    pub a_day_unit: String,
    /// How many days `a_day` is made of.
    pub days: u32,
    /// Base temperature of thermal time and what else it was computed with.
    pub basis: Option<Name>,
}

/// `GET /batches/{site}/{batch}/series?quantity&points&hours`: a batch's quantity from its start on.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct BatchSeries {
    /// The batch.
    pub batch: Batch,
    /// The quantity.
    pub quantity: String,
    /// UCUM unit.
    pub unit: String,
    /// Decimal places worth showing.
    pub decimals: u8,
    /// Width of a bucket.
    #[ts(type = "number")]
    pub step_ms: i64,
    /// Start of each bucket, counted from the batch's start.
    #[ts(type = "number[]")]
    pub offset_ms: Vec<i64>,
    /// Least value; null where there is none.
    pub min: Vec<Option<f64>>,
    /// Mean value; null where there is none.
    pub mean: Vec<Option<f64>>,
    /// Greatest value; null where there is none.
    pub max: Vec<Option<f64>>,
    /// The stages that it went through, as offsets from the start.
    pub stages: Vec<OffsetStage>,
}

/// A stage on an axis that begins with the batch.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct OffsetStage {
    /// From and to, counted from the batch's start.
    pub span: Span,
    /// The stage's name.
    pub name: Name,
    /// What the stage wants of the quantity by day; absent where it names nothing.
    pub band: Option<Band>,
}

/// `GET /sheet?site&date`: a site's day on one sheet of paper. The day is the site's own.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Sheet {
    /// The site's id.
    pub site: String,
    /// The site's name.
    pub site_name: Name,
    /// The day, such as `2026-11-23`.
    pub date: String,
    /// The day's span.
    pub span: Span,
    /// When this was made, on the gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// The houses and store rooms by name.
    pub zones: Vec<SheetZone>,
    /// What people wrote down that day.
    pub notes: Vec<Note>,
}

/// A zone on the daily sheet.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct SheetZone {
    /// The zone's id.
    pub zone: String,
    /// The zone's name.
    pub name: Name,
    /// What grows there, such as `黄连 · 育苗`.
    pub crop: Option<Name>,
    /// The stage.
    pub stage: Option<Name>,
    /// The batches that stood there.
    pub batches: Vec<Batch>,
    /// Its quantities.
    pub quantities: Vec<SheetQuantity>,
    /// The alarms that were active that day.
    pub alarms: Vec<Alarm>,
}

/// A quantity on the daily sheet.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct SheetQuantity {
    /// The quantity.
    pub quantity: String,
    /// UCUM unit.
    pub unit: String,
    /// Decimal places worth showing.
    pub decimals: u8,
    /// The share of the day with a usable value, 0 to 1.
    pub coverage: f64,
    /// Least value.
    pub min: Option<f64>,
    /// Mean value.
    pub mean: Option<f64>,
    /// Mean while it was day.
    pub day_mean: Option<f64>,
    /// Mean while it was night.
    pub night_mean: Option<f64>,
    /// Greatest value.
    pub max: Option<f64>,
    /// Hours below what the stage wants; absent where it names no lower edge.
    pub hours_below: Option<f64>,
    /// Hours above what the stage wants; absent where it names no upper edge.
    pub hours_above: Option<f64>,
    /// Thermal time, light or VPD hours of the day.
    pub integral: Option<Integral>,
}

/// `POST /studies/preview`: what a study's file would hold. `GET /studies/export` with the same as
/// query (`batch=SITE/BATCH` once a batch, `from`, `to`) gives it as a ZIP.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct StudyRequest {
    /// The batches, as `SITE/BATCH`.
    pub batches: Vec<String>,
    /// From when, RFC 3339; the first batch's start where absent.
    #[serde(default)]
    pub from: Option<String>,
    /// Until when, RFC 3339; the last batch's end, or now, where absent.
    #[serde(default)]
    pub to: Option<String>,
}

/// What a study's file would hold.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct StudyPreview {
    /// The span that is exported, fixed: ask for it again and get the same bytes.
    pub span: Span,
    /// From and to as the command lines have them.
    pub from: String,
    /// From and to as the command lines have them.
    pub to: String,
    /// The files of the ZIP.
    pub files: Vec<StudyFile>,
    /// How many channels take part.
    pub channels: u32,
    /// How many readings, about.
    #[ts(type = "number")]
    pub readings: i64,
    /// How many bytes, about.
    #[ts(type = "number")]
    pub bytes: i64,
    /// How many gaps nodes have declared in it.
    pub gaps: u32,
    /// The exposure rows as the file would have them, at most 200.
    pub rows: Vec<StudyRow>,
    /// Where the ZIP is, such as `/api/v1/studies/export?…`.
    pub url: String,
    /// The same request as command lines.
    pub commands: StudyCommands,
}

/// One exposure row of a study.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct StudyRow {
    /// The batch, as `SITE/BATCH`.
    pub batch: String,
    /// The exposure.
    pub exposure: Exposure,
}

/// A file of a study.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct StudyFile {
    /// Its name in the ZIP.
    pub name: String,
    /// What it holds.
    pub words: Name,
}

/// The same request for programs; none holds a secret.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct StudyCommands {
    /// For a shell.
    pub curl: String,
    /// For Python.
    pub python: String,
    /// For R.
    pub r: String,
    /// For the machine of the gateway.
    pub miaopu: String,
}
