//! What a chart is drawn from: buckets of equal length, as columns.

use measure::{Quality, Timestamp};

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

/// A span in which a series has no sample: from a sample, or the start of the question, to the next
/// sample, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// From when on a store still holds what of a series. Hours and days it holds for good.
///
/// Before `raw_from` a scan shows nothing, or what came late and was not rolled up yet; buckets are
/// made of roll-ups, of which one that is cut by an end of the span asked for is counted whole (but
/// nothing of a day whose samples all lie outside).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// Samples as they were taken: every one from then on.
    pub raw_from: Timestamp,
    /// Least, mean, greatest, count and worst quality of ten minutes each, UTC.
    pub ten_minutes_from: Timestamp,
}

impl Retained {
    /// Everything.
    pub const ALL: Self = Self { raw_from: Timestamp::MIN, ten_minutes_from: Timestamp::MIN };
}
