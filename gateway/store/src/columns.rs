//! What a chart is drawn from: buckets of equal length, as columns.

use measure::Quality;

/// The most buckets in one answer; a question for more is refused with
/// [`Error::TooManyBuckets`](crate::Error::TooManyBuckets).
pub const BUCKETS_MAX: usize = 100_000;

/// Buckets of equal length, one entry a bucket in every column, the empty ones too.
///
/// A reading that is a fault, or whose quality is [`Quality::Fail`], is in no `min`, `mean`, `max`
/// or `count`; it shows in `quality` alone, a fault always as [`Quality::Missing`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The length of a bucket, in milliseconds.
    pub step_ms: i64,
    /// The start of each bucket, in milliseconds since 1970.
    pub time_ms: Vec<i64>,
    /// The least value, in the unit of the quantity; `None` where no reading is usable.
    pub min: Vec<Option<f64>>,
    /// The mean of the values, in the unit of the quantity.
    pub mean: Vec<Option<f64>>,
    /// The greatest value, in the unit of the quantity.
    pub max: Vec<Option<f64>>,
    /// How many readings `min`, `mean` and `max` are made of.
    pub count: Vec<u32>,
    /// The worst quality of any reading; `None` where there is no reading at all.
    pub quality: Vec<Option<Quality>>,
}
