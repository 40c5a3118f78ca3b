//! From what a sensor says to what is true: a straight line through two points.

use measure::{Fault, Reading, Scaled};
use wire::Calibration;

/// Returns the true value of `raw`, rounded to the nearest step, halves away from zero.
///
/// # Errors
/// `OutOfRange` where the line leads out of 32 bits. What is outside of the quantity's gross range and
/// fits is kept, and its flag says so.
pub(crate) fn calibrated(line: &Calibration, raw: Scaled) -> Reading {
    let distance = i64::from(raw.0) - i64::from(line.raw_low.0);
    let rise = i64::from(line.reference_high.0) - i64::from(line.reference_low.0);
    let run = i64::from(line.raw_high.0) - i64::from(line.raw_low.0);
    // A product beyond 63 bits over a run of at most 32 is beyond 31 bits.
    let product = distance.checked_mul(rise).ok_or(Fault::OutOfRange)?;
    let twice = product.checked_mul(2).ok_or(Fault::OutOfRange)?;
    let half = if product < 0 { -run } else { run };
    let steps = twice.checked_add(half).and_then(|sum| sum.checked_div(2 * run));
    let value = steps.and_then(|steps| steps.checked_add(i64::from(line.reference_low.0)));
    let value = value.and_then(|value| i32::try_from(value).ok());
    value.map(Scaled).ok_or(Fault::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(raw: (i32, i32), reference: (i32, i32)) -> Calibration {
        Calibration {
            number: 1,
            raw_low: Scaled(raw.0),
            reference_low: Scaled(reference.0),
            raw_high: Scaled(raw.1),
            reference_high: Scaled(reference.1),
        }
    }

    #[test]
    fn the_line_goes_through_its_points_and_beyond_them() {
        let ph = line((400, 700), (401, 686));
        for (raw, expect) in [(400, 401), (700, 686), (1_000, 971), (100, 116), (550, 544)] {
            assert_eq!(calibrated(&ph, Scaled(raw)), Ok(Scaled(expect)), "{raw}");
        }
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        let half = line((0, 2), (0, 1));
        for (raw, expect) in [(1, 1), (3, 2), (-1, -1), (-3, -2), (4, 2)] {
            assert_eq!(calibrated(&half, Scaled(raw)), Ok(Scaled(expect)), "{raw}");
        }
    }

    #[test]
    fn what_leaves_32_bits_is_a_fault() {
        let steep = line((0, 1), (0, 2_000_000));
        assert_eq!(calibrated(&steep, Scaled(1_073)), Ok(Scaled(2_146_000_000)));
        for raw in [1_074, i32::MAX, i32::MIN] {
            assert_eq!(calibrated(&steep, Scaled(raw)), Err(Fault::OutOfRange));
        }
        let extreme = line((i32::MIN, i32::MAX), (i32::MAX, i32::MIN));
        assert_eq!(calibrated(&extreme, Scaled(i32::MIN)), Ok(Scaled(i32::MAX)));
        assert_eq!(calibrated(&line((1, 1), (0, 5)), Scaled(3)), Err(Fault::OutOfRange));
    }
}
