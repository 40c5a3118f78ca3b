//! What a nursery is: sites and zones, what grows in them, and the bands that each stage wants.
//!
//! Pure data with checks: no I/O, no clock. It does not judge (that is `alarms`), does not keep
//! (that is `registry`) and holds no numbers of its own (those are `seeds`).

mod error;
mod names;
mod profile;
pub mod serial;
mod site;
mod source;
mod zone;

pub use error::Error;
pub use names::{NAME_CHARS_MAX, Names};
pub use profile::{
    BANDS_MAX, Band, Guidance, Limits, Method, Period, Profile, STAGES_MAX, Span, Stage,
    StageDuration,
};
pub use site::{Latitude, Longitude, Position, Site, TimeOfDay, TimeZone};
pub use source::{Source, SourceClass};
pub use zone::{
    Day, Growing, INTERVAL_MS_DEFAULT, INTERVAL_MS_MAX, INTERVAL_MS_MIN, LAMP_SPANS_MAX, LampSpan,
    LimitOverride, NodePlacement, OVERRIDES_MAX, Severity, Side, Zone, ZoneKind,
};
