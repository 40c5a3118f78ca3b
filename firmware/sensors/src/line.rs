//! The straight line by which a voltage becomes a quantity, in integers.

use measure::{Fault, Quantity, Reading};

use crate::probe::{in_range, nearest};

/// A value beyond the quantity's range by this part of the line's own span or less is cropped to the
/// range, as 100.4 % of moisture from a probe in water; beyond that it is a fault.
const CROP_PART: i64 = 20;

/// A two-point line from the voltage at an input, in microvolts, to steps of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// One point: microvolts, and the steps they stand for.
    pub from: (i32, i32),
    /// The other point.
    pub to: (i32, i32),
}

impl Line {
    /// Returns the line of a voltage behind a divider of two resistors, in ohms, in millivolts.
    pub const fn divider(top_ohm: u32, bottom_ohm: u32) -> Self {
        let (mut bottom, mut both) = (bottom_ohm as u64, bottom_ohm as u64 + top_ohm as u64);
        // Beyond 2 MΩ the last digit of a resistance says nothing.
        while bottom * 1_000 > i32::MAX as u64 || both > i32::MAX as u64 {
            (bottom, both) = (bottom / 10, both / 10);
        }
        // As many millivolts at the input as the lower resistor has ohms, in microvolts.
        Self { from: (0, 0), to: (bottom as i32 * 1_000, both as i32) }
    }

    /// Returns the reading that this voltage stands for.
    ///
    /// # Errors
    /// `OutOfRange` where it lies well outside what the quantity can be, or the two points are one.
    pub fn reading(self, quantity: Quantity, microvolts: i32) -> Reading {
        let ((u0, y0), (u1, y1)) = (self.from, self.to);
        let [u0, y0, u1, y1] = [u0, y0, u1, y1].map(i64::from);
        if u0 == u1 {
            return Err(Fault::OutOfRange);
        }
        let steps = y0 + nearest((i64::from(microvolts) - u0) * (y1 - y0), u1 - u0);
        let (low, high) = quantity.range();
        let cropped = steps.clamp(i64::from(low), i64::from(high));
        let crop_max = (y1 - y0).abs() / CROP_PART;
        in_range(quantity, if (steps - cropped).abs() <= crop_max { cropped } else { steps })
    }
}

#[cfg(test)]
mod tests {
    use measure::Scaled;

    use super::*;

    const MOISTURE: Line = Line { from: (2_540_000, 0), to: (1_270_000, 10_000) };

    #[test]
    fn both_points_and_the_middle_lie_on_it() {
        for (uv, steps) in [(2_540_000, 0), (1_270_000, 10_000), (1_905_000, 5_000)] {
            assert_eq!(MOISTURE.reading(Quantity::SubstrateMoisture, uv), Ok(Scaled(steps)));
        }
    }

    #[test]
    fn a_little_beyond_the_range_is_cropped_and_more_is_a_fault() {
        let moisture = |uv| MOISTURE.reading(Quantity::SubstrateMoisture, uv);
        assert_eq!(moisture(2_600_000), Ok(Scaled(0)));
        assert_eq!(moisture(1_210_000), Ok(Scaled(10_000)));
        assert_eq!(moisture(2_610_000), Err(Fault::OutOfRange));
        assert_eq!(moisture(0), Err(Fault::OutOfRange));
        assert_eq!(moisture(i32::MIN), Err(Fault::OutOfRange));
    }

    #[test]
    fn a_line_of_one_point_is_none() {
        let point = Line { from: (1, 1), to: (1, 2) };
        assert_eq!(point.reading(Quantity::SupplyVoltage, 1), Err(Fault::OutOfRange));
    }

    #[test]
    fn a_divider_gives_the_voltage_above_it() {
        // 100 kΩ over 22 kΩ: 12.2 V at the top are 2.2 V at the input.
        let line = Line::divider(100_000, 22_000);
        assert_eq!(line.reading(Quantity::SupplyVoltage, 2_200_000), Ok(Scaled(12_200)));
        let large = Line::divider(10_000_000, 10_000_000);
        assert_eq!(large.reading(Quantity::SupplyVoltage, 1_500_000), Ok(Scaled(3_000)));
        let none = Line::divider(1, 0).reading(Quantity::SupplyVoltage, 1);
        assert_eq!(none, Err(Fault::OutOfRange));
    }
}
