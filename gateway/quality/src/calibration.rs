//! Calibration: from what a sensor says to what is true, by when that holds.
//!
//! A [`Correction`] is a straight line through one or two points that a person has measured against a
//! reference, in whole steps of the quantity: exact, no floating point. A [`Version`] says from when it
//! holds and who says so. The versions of a channel make its [`Timeline`], in which a later version
//! takes the place of an earlier one that begins at the same time, and of nothing else.
//!
//! Not here: who keeps versions (`registry`), and readings (`store`), which stay as they were taken.

mod timeline;

use measure::{Fault, Quality, Quantity, Reading, Scaled, Timestamp};
use store::Sample;

pub use store::SeriesKey as Channel;
pub use timeline::{Segment, Span, Timeline};

/// The most versions of one channel; one more is refused by whoever keeps them. Two a week for
/// nineteen years.
pub const VERSIONS_MAX: usize = 2_000;

/// What a sensor said, and what was true then, in steps of its quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// What the sensor said, before any calibration of the gateway.
    pub raw: Scaled,
    /// What the reference said.
    pub reference: Scaled,
}

/// A straight line from what a sensor says to what is true.
///
/// `reference_low + (raw - raw_low) * (reference_high - reference_low) / (raw_high - raw_low)`, the
/// product rounded to the nearest step, halves away from zero. With one point the line has the slope
/// 1: an offset. Nodes round the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    low: Point,
    /// Its raw value is greater than that of the first.
    high: Option<Point>,
}

/// Why no line can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LineError {
    /// A value is no number, or the sensor or the quantity cannot have it.
    #[error("{value} is no value of {quantity}, which lies between {low} and {high} {unit}")]
    NoValue {
        /// The value.
        value: f64,
        /// The quantity.
        quantity: Quantity,
        /// The least that there is.
        low: f64,
        /// The most that there is.
        high: f64,
        /// Their unit, as a UCUM code.
        unit: &'static str,
    },
    /// An offset is no number, or larger than the whole range of the quantity.
    #[error("an offset of {offset} is no number, or wider than the range of {quantity}")]
    NoOffset {
        /// The offset.
        offset: f64,
        /// The quantity.
        quantity: Quantity,
    },
    /// Neither one nor two points.
    #[error("{0} points; give one, or two that lie apart")]
    Points(usize),
    /// Both points have the same raw value, in the resolution of the quantity.
    #[error("both points have the raw value {0}; measure two that lie apart")]
    SameRaw(f64),
    /// Both points have the same reference: every reading would become it.
    #[error("both points have the reference {0}; measure two that lie apart")]
    SameReference(f64),
}

impl Correction {
    /// Returns the correction that adds `offset`, in the unit of the quantity.
    ///
    /// # Errors
    /// `NoOffset`.
    pub fn offset(quantity: Quantity, offset: f64) -> Result<Self, LineError> {
        let (low, high) = quantity.range();
        let steps = (offset * f64::from(quantity.steps_per_unit())).round();
        if !(0.0..=f64::from(high) - f64::from(low)).contains(&steps.abs()) {
            return Err(LineError::NoOffset { offset, quantity });
        }
        let reference = Scaled(steps as i32);
        Ok(Self { low: Point { raw: Scaled(0), reference }, high: None })
    }

    /// Returns the correction through one or two points `(raw, reference)`, in the unit of the
    /// quantity, in any order.
    ///
    /// # Errors
    /// Why there is no such line.
    pub fn through(quantity: Quantity, points: &[(f64, f64)]) -> Result<Self, LineError> {
        let scaled = |value: f64| {
            Scaled::from_f64(quantity, value).map_err(|_| {
                let (low, high) = quantity.range();
                LineError::NoValue {
                    value,
                    quantity,
                    low: Scaled(low).to_f64(quantity),
                    high: Scaled(high).to_f64(quantity),
                    unit: quantity.ucum(),
                }
            })
        };
        let point = |&(raw, reference): &(f64, f64)| -> Result<Point, LineError> {
            Ok(Point { raw: scaled(raw)?, reference: scaled(reference)? })
        };
        match points {
            [one] => Ok(Self { low: point(one)?, high: None }),
            [one, two] => {
                let (one, two) = (point(one)?, point(two)?);
                if one.raw == two.raw {
                    return Err(LineError::SameRaw(one.raw.to_f64(quantity)));
                }
                if one.reference == two.reference {
                    return Err(LineError::SameReference(one.reference.to_f64(quantity)));
                }
                let (low, high) = if one.raw < two.raw { (one, two) } else { (two, one) };
                Ok(Self { low, high: Some(high) })
            }
            other => Err(LineError::Points(other.len())),
        }
    }

    /// Returns the correction with these points, as [`Correction::points`] gave them; `None` where
    /// they make no line.
    pub fn from_points(low: Point, high: Option<Point>) -> Option<Self> {
        let rises = high.is_none_or(|high| high.raw > low.raw && high.reference != low.reference);
        rises.then_some(Self { low, high })
    }

    /// Returns its points: the low one, and the high one where there are two.
    pub const fn points(&self) -> (Point, Option<Point>) {
        (self.low, self.high)
    }

    /// Returns whether nothing is changed by it.
    pub fn is_identity(&self) -> bool {
        let holds = |point: Point| point.raw == point.reference;
        holds(self.low) && self.high.is_none_or(holds)
    }

    /// Returns whether a greater raw value means a smaller true one.
    pub fn falls(&self) -> bool {
        self.rise_and_run().0 < 0
    }

    /// Returns how steep the line is: true steps for one raw step.
    pub fn gain(&self) -> f64 {
        let (rise, run) = self.rise_and_run();
        rise as f64 / run as f64
    }

    fn rise_and_run(&self) -> (i64, i64) {
        self.high.map_or((1, 1), |high| {
            let apart = |one: Scaled, two: Scaled| i64::from(one.0) - i64::from(two.0);
            (apart(high.reference, self.low.reference), apart(high.raw, self.low.raw))
        })
    }

    /// Returns the true value of `raw`.
    ///
    /// # Errors
    /// `OutOfRange` where the line leads out of 32 bits. What is outside of the quantity's gross range
    /// and fits is kept, and [`Correction::corrected`] flags it.
    pub fn value(&self, raw: Scaled) -> Reading {
        let (rise, run) = self.rise_and_run();
        // At most 2^32 times 2^32, which 128 bits hold with the rounding.
        let distance = i128::from(raw.0) - i128::from(self.low.raw.0);
        let product = distance * i128::from(rise);
        let half = if product < 0 { -i128::from(run) } else { i128::from(run) };
        let steps = (2 * product + half) / (2 * i128::from(run));
        let value = steps + i128::from(self.low.reference.0);
        i32::try_from(value).map(Scaled).map_err(|_| Fault::OutOfRange)
    }

    /// Returns where the line leads from a value between two steps, such as a mean, in steps.
    pub(crate) fn line(&self, raw_steps: f64) -> f64 {
        let (low, reference) = (f64::from(self.low.raw.0), f64::from(self.low.reference.0));
        if self.high.is_none() {
            // No product, so that whole steps stay exact.
            return raw_steps + (reference - low);
        }
        reference + (raw_steps - low) * self.gain()
    }

    /// Returns a sample as it is after the correction. A fault stays what it is. A value beyond 32
    /// bits becomes the fault `OutOfRange`, one beyond the quantity's gross range is flagged as failed.
    #[must_use]
    pub fn corrected(&self, quantity: Quantity, sample: Sample) -> Sample {
        let Ok(raw) = sample.reading else { return sample };
        let reading = self.value(raw);
        let quality = match reading {
            Err(_) => Quality::Missing,
            Ok(value) if !value.is_in_range(quantity) => sample.quality.worst(Quality::Fail),
            Ok(_) => sample.quality,
        };
        Sample { reading, quality, ..sample }
    }
}

/// A correction of one channel, with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number: counts up over all channels, so that a later one is greater.
    pub number: u32,
    /// The channel.
    pub channel: Channel,
    /// From when it holds; until the next one of the channel does.
    pub from: Timestamp,
    /// The correction.
    pub correction: Correction,
    /// Who measured it.
    pub by: String,
    /// When it was entered.
    pub entered: Timestamp,
    /// What it was measured with, such as the number of a certificate; may be empty.
    pub note: String,
    /// That and why it does not hold after all; it then counts as if it had never been entered.
    pub withdrawn: Option<Withdrawal>,
}

/// That a version does not hold after all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// When that was said.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: String,
}

/// What another calibration touches: which spans of its channel, and what is stored in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Where readings have another value by it.
    pub spans: Vec<Span>,
    /// How many readings of the channel are stored there.
    pub samples: u64,
    /// How many samples that are computed from them are stored there.
    pub derived: u64,
}

#[cfg(test)]
mod tests {
    use measure::{Marks, Timestamp};
    use proptest::prelude::*;
    use store::SeriesId;

    use super::*;

    fn line(points: [(i32, i32); 2]) -> Correction {
        let point = |(raw, reference)| Point { raw: Scaled(raw), reference: Scaled(reference) };
        let [low, high] = points.map(point);
        Correction::from_points(low, Some(high)).unwrap()
    }

    fn sample(reading: Reading) -> Sample {
        Sample {
            series: SeriesId(0),
            time: Timestamp::MIN,
            reading,
            quality: Quality::Good,
            marks: Marks::NONE,
            taken: None,
        }
    }

    #[test]
    fn two_points_make_a_line_through_them_and_beyond() {
        let ph = Correction::through(Quantity::SubstratePh, &[(7.0, 6.86), (4.0, 4.01)]).unwrap();
        for (raw, expect) in [(400, 401), (700, 686), (1_000, 971), (100, 116), (550, 544)] {
            assert_eq!(ph.value(Scaled(raw)), Ok(Scaled(expect)), "{raw}");
        }
    }

    #[test]
    fn one_point_is_an_offset_and_both_ways_to_say_it_agree() {
        let said = Correction::offset(Quantity::AirTemperature, -0.3).unwrap();
        let shown = Correction::through(Quantity::AirTemperature, &[(25.3, 25.0)]).unwrap();
        for raw in [-40_000, 0, 25_300, i32::MAX] {
            assert_eq!(said.value(Scaled(raw)), Ok(Scaled(raw - 300)));
            assert_eq!(said.value(Scaled(raw)), shown.value(Scaled(raw)));
        }
        assert_eq!(said.value(Scaled(i32::MIN)), Err(Fault::OutOfRange));
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let half = line([(0, 0), (2, 1)]);
        for (raw, expect) in [(1, 1), (3, 2), (-1, -1), (-3, -2), (4, 2)] {
            assert_eq!(half.value(Scaled(raw)), Ok(Scaled(expect)), "{raw}");
        }
    }

    #[test]
    fn nothing_saturates_in_silence() {
        let quantity = Quantity::RelativeHumidity;
        let add = Correction::offset(quantity, 5.0).unwrap();
        let beyond = add.corrected(quantity, sample(Ok(Scaled(9_600))));
        assert_eq!((beyond.reading, beyond.quality), (Ok(Scaled(10_100)), Quality::Fail));
        let steep = line([(0, 0), (1, 2_000_000)]);
        let lost = steep.corrected(quantity, sample(Ok(Scaled(2_000))));
        assert_eq!((lost.reading, lost.quality), (Err(Fault::OutOfRange), Quality::Missing));
        let fault = Sample { quality: Quality::Missing, ..sample(Err(Fault::Bus)) };
        assert_eq!(add.corrected(quantity, fault), fault);
    }

    #[test]
    fn what_makes_no_line_is_refused_with_its_value() {
        let quantity = Quantity::SubstratePh;
        let refused =
            |points: &[(f64, f64)]| Correction::through(quantity, points).unwrap_err().to_string();
        assert!(refused(&[(4.0, 4.01), (4.004, 7.0)]).contains("raw value 4;"));
        assert!(refused(&[(4.0, 7.0), (7.0, 7.0)]).contains("reference 7;"));
        assert!(refused(&[(4.0, 17.0)]).contains("17 is no value of substrate_ph"));
        assert!(refused(&[(f64::NAN, 7.0)]).contains("NaN is no value"));
        assert!(refused(&[]).contains("0 points"));
        assert!(Correction::offset(quantity, f64::INFINITY).is_err());
        assert!(Correction::offset(quantity, -15.0).is_err());
        assert!(Correction::offset(quantity, 0.0).unwrap().is_identity());
    }

    proptest! {
        #[test]
        fn no_value_panics_and_the_order_of_values_is_kept_or_turned(
            points in any::<[(i32, i32); 2]>(), one in any::<i32>(), two in any::<i32>(),
        ) {
            let point =
                |(raw, reference)| Point { raw: Scaled(raw), reference: Scaled(reference) };
            let [low, high] = points.map(point);
            let Some(line) = Correction::from_points(low, Some(high)) else { return Ok(()) };
            prop_assert_eq!(line.value(low.raw), Ok(low.reference));
            prop_assert_eq!(line.value(high.raw), Ok(high.reference));
            if let (Ok(a), Ok(b)) = (line.value(Scaled(one)), line.value(Scaled(two))) {
                let (a, b) = if line.falls() { (b, a) } else { (a, b) };
                prop_assert_eq!(a.max(b) == b, one <= two || a == b);
            }
        }

        #[test]
        fn a_value_is_the_nearest_step_to_the_line(
            run in 1..5_000_i32, rise in -5_000..5_000_i32, raw in -1_000_000..1_000_000_i32,
        ) {
            prop_assume!(rise != 0);
            let line = line([(0, 0), (run, rise)]);
            let exact = f64::from(raw) * f64::from(rise) / f64::from(run);
            let Ok(Scaled(value)) = line.value(Scaled(raw)) else { return Ok(()) };
            prop_assert!((f64::from(value) - exact).abs() <= 0.5 + 1e-6);
        }
    }
}
