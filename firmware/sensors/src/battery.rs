//! The supply of the node: the voltage at an input of the processor, behind a divider.

use measure::{Fault, Quantity};

use crate::{Line, Outcome, Probe, Readings, Wait, failed};

/// An input of the processor that measures a voltage.
pub trait Millivolts {
    /// Returns the voltage at the pin, in millivolts, calibrated as the chip allows.
    ///
    /// # Errors
    /// `Saturated` at the end of the converter's range, `Device` where it fails.
    fn millivolts(&mut self) -> Result<u32, Fault>;
}

/// How many conversions are averaged: a radio that just sent leaves a dip.
const CONVERSIONS: u8 = 8;
/// Between two of them.
const CONVERT_WAIT: Wait = Wait { ms: 2 };
/// Under this the pin hangs free: the node itself runs on more.
const OPEN_MV: u32 = 100;

const QUANTITIES: [Quantity; 1] = [Quantity::SupplyVoltage];

/// The supply behind a divider.
#[derive(Debug)]
pub struct Battery<A> {
    input: A,
    line: Line,
    running: Option<(u8, u32)>,
}

impl<A: Millivolts> Battery<A> {
    /// Returns the supply at this input, behind `top_ohm` over `bottom_ohm`; 0 over 1 for none.
    pub fn new(input: A, top_ohm: u32, bottom_ohm: u32) -> Self {
        Self { input, line: Line::divider(top_ohm, bottom_ohm), running: None }
    }

    fn voltage(&self, sum_mv: u32) -> measure::Reading {
        let mean_mv = sum_mv / u32::from(CONVERSIONS);
        if mean_mv < OPEN_MV {
            return Err(Fault::Open);
        }
        let sum_mv = i32::try_from(sum_mv).map_err(|_| Fault::OutOfRange)?;
        let microvolts = sum_mv.checked_mul(1_000 / i32::from(CONVERSIONS));
        self.line.reading(Quantity::SupplyVoltage, microvolts.ok_or(Fault::OutOfRange)?)
    }
}

impl<A: Millivolts> Probe for Battery<A> {
    fn sensor(&self) -> &'static str {
        "battery"
    }

    fn quantities(&self) -> &[Quantity] {
        &QUANTITIES
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.running = Some((0, 0));
        Ok(CONVERT_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        let Some((done, sum_mv)) = self.running.take() else {
            return Outcome::Done(failed(&QUANTITIES, Fault::NotReady));
        };
        let sum_mv = match self.input.millivolts() {
            Ok(millivolts) => sum_mv.saturating_add(millivolts),
            Err(fault) => return Outcome::Done(failed(&QUANTITIES, fault)),
        };
        if done + 1 < CONVERSIONS {
            self.running = Some((done + 1, sum_mv));
            return Outcome::Again(CONVERT_WAIT);
        }
        let reading = self.voltage(sum_mv);
        Outcome::Done(Readings::from_iter([(Quantity::SupplyVoltage, reading)]))
    }
}

#[cfg(test)]
mod tests {
    use measure::{Reading, Scaled};

    use super::*;

    struct Pin(&'static [Result<u32, Fault>]);

    impl Millivolts for Pin {
        fn millivolts(&mut self) -> Result<u32, Fault> {
            let (first, rest) = self.0.split_first().ok_or(Fault::Device)?;
            self.0 = rest;
            *first
        }
    }

    #[track_caller]
    fn check(conversions: &'static [Result<u32, Fault>], expect: Reading) {
        let mut probe = Battery::new(Pin(conversions), 100_000, 100_000);
        probe.start().unwrap();
        let readings = (0..crate::STEPS_MAX).find_map(|_| match probe.finish() {
            Outcome::Done(readings) => Some(readings),
            Outcome::Again(_) => None,
        });
        assert_eq!(readings.unwrap()[..], [(Quantity::SupplyVoltage, expect)]);
    }

    #[test]
    fn eight_conversions_are_averaged_and_the_divider_undone() {
        check(&[Ok(1_850); 8], Ok(Scaled(3_700)));
        check(
            &[
                Ok(1_850),
                Ok(1_850),
                Ok(1_450),
                Ok(1_850),
                Ok(2_250),
                Ok(1_850),
                Ok(1_850),
                Ok(1_850),
            ],
            Ok(Scaled(3_700)),
        );
    }

    #[test]
    fn a_pin_that_hangs_free_is_open_and_other_faults_stay() {
        check(&[Ok(12); 8], Err(Fault::Open));
        check(&[Ok(1_850), Err(Fault::Saturated)], Err(Fault::Saturated));
        check(&[], Err(Fault::Device));
        check(&[Ok(u32::MAX); 8], Err(Fault::OutOfRange));
        check(&[Ok(40_000); 8], Err(Fault::OutOfRange));
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Battery::new(Pin(&[]), 0, 1);
        assert_eq!(probe.finish(), Outcome::Done(failed(&QUANTITIES, Fault::NotReady)));
    }
}
