//! What a nursery is: sites, zones and batches, what grows where, and the bands each stage wants.
//!
//! Pure data with checks: no I/O, no clock. It does not judge (that is `alarms`), does not keep
//! (that is `registry`) and holds no numbers of its own (those are `seeds`).

mod batch;
mod error;
mod grows;
mod names;
mod profile;
pub mod serial;
mod site;
mod source;
mod thermal;
mod zone;

pub use batch::{
    ACCESSION_CHARS_MAX, BATCH_PLACEMENTS_MAX, BATCH_STAGES_MAX, Batch, Closed, NodePlaced,
    PlacedFrom, Segment, StageFrom, leading,
};
pub use error::Error;
pub use grows::{grows, leader};
pub use names::{NAME_CHARS_MAX, Names};
pub use profile::{
    BANDS_MAX, Band, Guidance, Limits, Method, Period, Profile, STAGES_MAX, Span, Stage,
    StageDuration,
};
pub use site::{Latitude, Longitude, Position, Site, TimeOfDay, TimeZone};
pub use source::{Source, SourceClass};
pub use thermal::ThermalTime;
pub use zone::{
    Day, Growing, INTERVAL_MS_DEFAULT, INTERVAL_MS_MAX, INTERVAL_MS_MIN, LAMP_SPANS_MAX, LampSpan,
    LimitOverride, NodePlacement, OVERRIDES_MAX, Severity, Side, Zone, ZoneKind,
};
