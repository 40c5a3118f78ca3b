//! What a batch lived through: the join of series × placement × stage. Pure over a
//! [`store::Store`]: no clock, no network.
//!
//! # Definition
//! Whoever has the raw samples, the segments of the batch, where nodes stood, the nights and the
//! bands can compute every number again.
//!
//! - A sample is *usable* where it has a value and its quality is neither fail (4) nor missing (9).
//! - A usable sample *stands* from its time until the next sample of its channel, usable or not, but
//!   at most for the hold of the zone that it was taken in ([`hold_us`]), and only while its node
//!   stays in that zone. One that was taken before a segment counts into it while it stands.
//! - A node's first known place counts for all time before it too: recorded readings are brought in
//!   after the fact.
//! - At each instant the value of a quantity is the mean of the standing values of the channels of
//!   that quantity whose node stood in the zone then. Where the placement of the batch names a
//!   position, and a channel of that quantity and position stood in the zone then, only such
//!   channels count.
//! - *Hours* are time in segments; *coverage* is the share of them with a value. Nothing is filled in.
//! - The mean is weighted by time; least and greatest value are those of the mean of the channels.
//! - Hours below and above are against the target band of the batch's own stage, by day or by night
//!   as the zone's light has it then. At night no light is too little.
//! - Vapour pressure deficit is computed at each instant from the values of air temperature and
//!   relative humidity, and rounded to 1e-9 kPa. A channel that measures it is not joined, nor is
//!   the supply voltage of a node.
//! - Thermal time is the integral of max(0, min(T, upper) - base), rounded to 1e-9 °C at each
//!   instant, of air and substrate temperature, in degree-days.
//! - The light integral is that of PPFD; of illuminance at 54 lx for 1 µmol/(m² s), as sunlight has.
//! - A day is a local day of the site. The mean a day is over the whole days that the batch spent in
//!   the stage, or its life, and that have a value for [`DAY_COVERAGE_MIN_PERCENT`] % of their time.
//!
//! Time is counted in whole microseconds and values as whole steps, so that a sum does not depend on
//! how the work was cut into pieces, and stages add up to the whole.

mod batch;
mod channels;
mod course;
mod days;
mod error;
mod house;
mod row;
mod stay;
mod sweep;
mod tally;

pub use agronomy::{BASE_C_DEFAULT, SUN_LUX_PER_MICROMOLE};
pub use batch::{Lived, SPAN_DAYS_MAX, Span, lived, stays};
pub use channels::{SAMPLES_AT_ONCE_MAX, TakenSpan, taken_spans};
pub use course::{BUCKETS_MAX, Bucket, course};
pub use error::Error;
pub use house::{HOLD_MS_MIN, House, Light, Stay, hold_us};
pub use row::{Basis, DAY_COVERAGE_MIN_PERCENT, DayRow, Integral, IntegralKind, Row};
pub use stay::{StayRow, stay};
