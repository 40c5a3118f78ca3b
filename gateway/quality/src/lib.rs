//! How far readings can be trusted, and what they say once that is known: calibration, flags before
//! they are kept, flags found afterwards, and the numbers that follow from good readings.
//!
//! Pure: no clock, no socket. What was measured stays in the store as it was taken; everything here
//! stands beside it. The tests themselves are `measure::qartod`'s, which nodes run as well; the
//! thresholds are `seeds`' and the nursery's.
//!
//! | test | when | what it does |
//! |---|---|---|
//! | gross range | before the commit | fail outside of what the sensor can read, suspect outside of practice |
//! | climatology | before the commit | suspect outside of what is usual for crop and stage, if that is known |
//! | rate, flat line | before the commit | suspect; a flat line fails only after a time that a nursery sets |
//! | consistency of the air | before the commit | suspect where sensors at one place contradict each other |
//! | spike | with the next reading | suspect or fail |
//! | late readings | when they come | everything, in the order in which they were taken |
//! | twins | afterwards | suspect after an hour of disagreement in one zone |

mod air;
mod assess;
mod calibrated;
pub mod calibration;
mod derive;
mod follow;
mod judged;
mod limits;
mod order;
mod refine;
mod rules;
mod table;
mod twin;

use std::ops::ControlFlow;

use measure::Timestamp;
use store::{Sample, SeriesId, Store};

pub use air::DEW_POINT_EXCESS_C;
pub use assess::{State, assess, prime};
pub use calibrated::{Calibrated, Calibrations};
pub use derive::{
    Air, DAY_COVERAGE_MIN_PERCENT, Lamp, OF_AIR, SKEW_INTERVALS_MAX, derive, derive_light,
};
pub use follow::{Follower, follow};
pub use limits::{Limits, SpikeRule};
pub use order::SILENCE_MS_MAX;
pub use refine::{WINDOW_MS_MAX, Window, joined, look_again, refine};
pub use rules::{CLIMATES_MAX, Channel, Climate, Rules, TWINS_MAX};
pub use table::{Row, Set, Table};
pub use twin::TWIN_MS;

/// Returns the samples of a series in `[from, to)`, in the order of time.
pub(crate) fn scan(
    store: &dyn Store,
    series: SeriesId,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Sample>, store::Error> {
    let mut samples = Vec::new();
    store.scan(series, from, to, &mut |sample| {
        samples.push(*sample);
        ControlFlow::Continue(())
    })?;
    Ok(samples)
}
