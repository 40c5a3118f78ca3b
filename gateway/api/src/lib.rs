//! HTTP, event stream and sign-in. Owns the JSON types and their TypeScript.
//!
//! No rule of the nursery is judged here and nothing is written but through `registry` and the
//! alarm stage. [`run`] serves a bound listener from what the daemon hands in as [`State`].

mod answers;
mod ask;
mod bands;
mod batches;
mod buckets;
mod calibrations;
mod charts;
mod clock;
mod convert;
mod events;
mod exposures;
mod firmware;
mod folk;
mod germplasm;
mod grown;
mod guard;
mod inbox;
mod letters;
mod look;
mod messages;
mod metrics;
mod night;
mod nodes;
mod overview;
mod pages;
mod places;
mod problem;
mod routes;
mod secure;
mod server;
mod session;
mod sheet;
mod state;
mod studies;
mod study;
mod trust;
pub mod types;
pub mod typescript;

pub use ask::{BODY_BYTES_MAX, BODY_WAIT};
pub use bands::NIGHTS_SPAN_MS_MAX;
pub use batches::SISTERS_MAX;
pub use buckets::{POINTS_DEFAULT, POINTS_MAX, STEPS_MS};
pub use calibrations::{CalibrationError, add_calibration, withdraw_calibration};
pub use clock::Clock;
pub use events::{LINES_MAX, STREAMS_MAX};
pub use exposures::COURSE_HOURS_MAX;
pub use firmware::{FIRMWARE_BYTES_MAX, FIRMWARE_WAIT};
pub use germplasm::{IMPORT_BYTES_MAX, IMPORT_FAULTS_MAX, IMPORT_WAIT, IMPORTS_MAX};
pub use guard::{COOKIE_NAME, REQUESTS_MAX, SECURE_COOKIE_NAME};
pub use inbox::ORDER_WAIT;
pub use letters::LETTERS_PAGE_MAX;
pub use messages::TESTS_MAX;
pub use metrics::Meters;
pub use night::NIGHT_ALARMS_MAX;
pub use nodes::{NODE_WHY_CHARS_MAX, NodeBusy, NodeDesk, SettingsFault};
pub use overview::{GLANCES_MAX, OVERVIEW_FRESH_MS};
pub use places::PICTURE_WAIT;
pub use routes::{BASE, openapi, openapi_text};
pub use secure::TLS_WAIT;
pub use server::{
    CONNECTIONS_MAX, HEAD_BYTES_MAX, HEAD_WAIT, Listeners, PASSWORDS_MAX, QUESTIONS_MAX,
    SHUTDOWN_WAIT, TURN_WAIT, run,
};
pub use state::{
    AlarmDesk, Announcer, Authority, HAPPENINGS_MAX, Happening, Happenings, NodePresence, Nursery,
    ORDERS_MAX, Order, OrderError, Presence, Reach, State, alarm_desk, announcements,
};
pub use studies::{EXPORT_STALL_WAIT, EXPORTS_MAX, PREVIEW_ROWS_MAX};
pub use study::{StudyAsked, StudyError, corrections, gather_study};
