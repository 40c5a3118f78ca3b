//! SCD40, SCD41 and SCD43: carbon dioxide. Constants are those of Sensirion's datasheet "SCD4x",
//! version 1.3 (September 2022); `get_ambient_pressure` came with later versions. Its temperature and humidity serve its own compensation and are not read out: the
//! chip warms itself by some degrees, and an SHT4x beside it does better.

use embedded_hal::i2c::I2c;
use measure::{Fault, Quantity, Reading, Scaled};

use crate::bus::{crc8, fault, fault_of_read, word};
use crate::{Outcome, Probe, Readings, Wait};

/// `stop_periodic_measurement`, 500 ms (section 3.5.3; all commands in table 9).
const STOP_PERIODIC: u16 = 0x3F86;
const STOP_WAIT: Wait = Wait { ms: 505 };
/// `set_automatic_self_calibration_enabled`, 1 ms (section 3.7.2).
const SET_SELF_CALIBRATION: u16 = 0x2416;
/// Off. Self-calibration takes the lowest reading of a week for fresh air of 400 ppm. A closed
/// nursery may not see fresh air for weeks: plants pull it below 400 by day, fungi and soil hold it
/// far above by night, and either would bend every later reading. Calibrate by hand instead.
const SELF_CALIBRATION_OFF: u16 = 0;
/// `get_automatic_self_calibration_enabled`, 1 ms (section 3.7.3).
const GET_SELF_CALIBRATION: u16 = 0x2313;
/// `set_ambient_pressure` with a word in hPa, and without one the question for it, 1 ms each
/// (section 3.6.5). The chip counts molecules: a percent of pressure is a percent of the reading, and
/// at 1,000 m the air is 11 % thinner. It may be sent while the chip measures.
const AMBIENT_PRESSURE: u16 = 0xE000;
/// `perform_forced_recalibration`, 400 ms (section 3.7.1).
const RECALIBRATE: u16 = 0x362F;
const RECALIBRATE_WAIT: Wait = Wait { ms: 405 };
/// The answer to a recalibration that failed; else the correction is the answer less
/// [`CORRECTION_ZERO`], in ppm (section 3.7.1).
const RECALIBRATION_FAILED: u16 = 0xFFFF;
const CORRECTION_ZERO: i32 = 0x8000;
/// The pressures that the chip takes, in hPa (section 3.6.5).
const PRESSURE_RANGE_HPA: core::ops::RangeInclusive<u16> = 700..=1_200;
/// `start_periodic_measurement`, a new value every 5 s (section 3.5.1).
const START_PERIODIC: u16 = 0x21B1;
const FIRST_WAIT: Wait = Wait { ms: 5_050 };
/// `get_data_ready_status`, 1 ms (section 3.8.2).
const DATA_READY: u16 = 0xE4B8;
/// No data is ready where these bits are all 0 (section 3.8.2).
const DATA_READY_MASK: u16 = 0x07FF;
/// `read_measurement`, 1 ms (section 3.5.2).
const READ_MEASUREMENT: u16 = 0xEC05;
/// An execution time of 1 ms, and one more because a clock in milliseconds may be about to tick.
const COMMAND_WAIT: Wait = Wait { ms: 2 };
/// How long to wait between two questions for data.
const READY_WAIT: Wait = Wait { ms: 1_300 };
/// The most questions for data: over 5 s in all, so that one must have come; then it is `not_ready`.
const READY_QUESTIONS_MAX: u8 = 5;

const QUANTITIES: [Quantity; 1] = [Quantity::Co2];

/// What was done last, and so what the next step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    Stopped,
    SelfCalibrationSet,
    SelfCalibrationAsked,
    PressureSet,
    PressureAsked,
    StoppedToRecalibrate { target_ppm: u16 },
    Recalibrating,
    Measuring { questions: u8 },
    Asked { questions: u8 },
    Requested,
}

/// An SCD4x on its bus. The first measurement sets the chip up and takes 5.6 s, later ones some
/// milliseconds: the chip measures by itself every 5 s.
#[derive(Debug)]
pub struct Scd4x<I> {
    i2c: I,
    set_up: bool,
    step: Step,
    pressure_hpa: u16,
    is_pressure_due: bool,
    recalibrate_to: Option<u16>,
    correction_ppm: Option<i32>,
}

impl<I: I2c> Scd4x<I> {
    /// The only address (section 3.3).
    pub const ADDRESS: u8 = 0x62;

    /// Returns the chip for the standard pressure at sea level. Nothing is sent yet.
    pub fn new(i2c: I) -> Self {
        Self {
            i2c,
            set_up: false,
            step: Step::Idle,
            pressure_hpa: pressure_hpa(0),
            is_pressure_due: false,
            recalibrate_to: None,
            correction_ppm: None,
        }
    }

    /// Returns the chip for the mean pressure at this height above the sea, in metres.
    #[must_use]
    pub fn at_altitude(mut self, metres: u16) -> Self {
        self.set_pressure(pressure_hpa(metres));
        self
    }

    /// Tells the pressure of the air, in hPa, as a barometer beside it has just read it; beyond
    /// what the chip takes (700 to 1,200 hPa) the nearest that it does. The next measurement sends
    /// it and reads it back.
    pub fn set_pressure(&mut self, hpa: u16) {
        let hpa = hpa.clamp(*PRESSURE_RANGE_HPA.start(), *PRESSURE_RANGE_HPA.end());
        self.is_pressure_due |= hpa != self.pressure_hpa;
        self.pressure_hpa = hpa;
    }

    /// Asks for a forced recalibration: the air around the chip has `target_ppm` now, and it has
    /// measured there for at least three minutes (section 3.7.1). The next measurement does it and
    /// has no value (`not_ready`); it fails with `refused` where the chip would not.
    pub fn recalibrate(&mut self, target_ppm: u16) {
        self.recalibrate_to = Some(target_ppm);
        self.correction_ppm = None;
    }

    /// Returns by how much the last recalibration has moved the readings, in ppm, once it is done.
    pub fn correction_ppm(&self) -> Option<i32> {
        self.correction_ppm
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    fn command(&mut self, command: u16, then: Step, wait: Wait) -> Result<Wait, Fault> {
        self.i2c.write(Self::ADDRESS, &command.to_be_bytes()).map_err(fault)?;
        self.step = then;
        Ok(wait)
    }

    fn set(&mut self, command: u16, argument: u16, then: Step, wait: Wait) -> Result<Wait, Fault> {
        let [high, low] = command.to_be_bytes();
        let argument = argument.to_be_bytes();
        let bytes = [high, low, argument[0], argument[1], crc8(argument)];
        self.i2c.write(Self::ADDRESS, &bytes).map_err(fault)?;
        self.step = then;
        Ok(wait)
    }

    fn answer(&mut self) -> Result<u16, Fault> {
        let mut answer = [0; 3];
        self.i2c.read(Self::ADDRESS, &mut answer).map_err(fault_of_read)?;
        word(answer)
    }

    /// Takes the step after `self.step`: a wait, or the reading where it was the last.
    fn advance(&mut self) -> Result<Result<Wait, Scaled>, Fault> {
        let wait = match core::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle => Err(Fault::NotReady),
            Step::Stopped => {
                let then = Step::SelfCalibrationSet;
                self.set(SET_SELF_CALIBRATION, SELF_CALIBRATION_OFF, then, COMMAND_WAIT)
            }
            Step::SelfCalibrationSet => {
                self.command(GET_SELF_CALIBRATION, Step::SelfCalibrationAsked, COMMAND_WAIT)
            }
            Step::SelfCalibrationAsked => {
                if self.answer()? != SELF_CALIBRATION_OFF {
                    return Err(Fault::Refused);
                }
                self.set(AMBIENT_PRESSURE, self.pressure_hpa, Step::PressureSet, COMMAND_WAIT)
            }
            Step::PressureSet => self.command(AMBIENT_PRESSURE, Step::PressureAsked, COMMAND_WAIT),
            Step::PressureAsked => self.after_pressure(),
            Step::StoppedToRecalibrate { target_ppm } => {
                self.set(RECALIBRATE, target_ppm, Step::Recalibrating, RECALIBRATE_WAIT)
            }
            Step::Recalibrating => Err(self.after_recalibration()),
            Step::Measuring { questions } => {
                let asked = Step::Asked { questions: questions + 1 };
                self.command(DATA_READY, asked, COMMAND_WAIT)
            }
            Step::Asked { questions } => self.after_question(questions),
            Step::Requested => return self.read_measurement().map(Err),
        };
        wait.map(Ok)
    }

    fn after_pressure(&mut self) -> Result<Wait, Fault> {
        if self.answer()? != self.pressure_hpa {
            return Err(Fault::Refused);
        }
        self.is_pressure_due = false;
        if self.set_up {
            return self.command(DATA_READY, Step::Asked { questions: 1 }, COMMAND_WAIT);
        }
        let wait = self.command(START_PERIODIC, Step::Measuring { questions: 0 }, FIRST_WAIT)?;
        self.set_up = true;
        Ok(wait)
    }

    fn after_recalibration(&mut self) -> Fault {
        match self.answer() {
            Ok(RECALIBRATION_FAILED) => Fault::Refused,
            Ok(answer) => {
                self.correction_ppm = Some(i32::from(answer) - CORRECTION_ZERO);
                Fault::NotReady
            }
            Err(fault) => fault,
        }
    }

    fn after_question(&mut self, questions: u8) -> Result<Wait, Fault> {
        if self.answer()? & DATA_READY_MASK != 0 {
            return self.command(READ_MEASUREMENT, Step::Requested, COMMAND_WAIT);
        }
        if questions >= READY_QUESTIONS_MAX {
            return Err(Fault::NotReady);
        }
        self.step = Step::Measuring { questions };
        Ok(READY_WAIT)
    }

    fn read_measurement(&mut self) -> Reading {
        let mut answer = [0; 9];
        self.i2c.read(Self::ADDRESS, &mut answer).map_err(fault_of_read)?;
        let [co2_high, co2_low, co2_crc, ..] = answer;
        concentration(word([co2_high, co2_low, co2_crc])?)
    }
}

impl<I: I2c> Probe for Scd4x<I> {
    fn sensor(&self) -> &'static str {
        "scd4x"
    }

    fn quantities(&self) -> &[Quantity] {
        &QUANTITIES
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.step = Step::Idle;
        let recalibrate_to = self.recalibrate_to.take();
        let started = match recalibrate_to {
            Some(target_ppm) => {
                self.set_up = false;
                self.command(STOP_PERIODIC, Step::StoppedToRecalibrate { target_ppm }, STOP_WAIT)
            }
            None if self.set_up && self.is_pressure_due => {
                self.set(AMBIENT_PRESSURE, self.pressure_hpa, Step::PressureSet, COMMAND_WAIT)
            }
            None if self.set_up => {
                self.command(DATA_READY, Step::Asked { questions: 1 }, COMMAND_WAIT)
            }
            // A chip that outlived a restart of its node still measures, and refuses to be set up.
            None => self.command(STOP_PERIODIC, Step::Stopped, STOP_WAIT),
        };
        self.set_up &= started.is_ok();
        started
    }

    fn finish(&mut self) -> Outcome {
        let reading = match self.advance() {
            Ok(Ok(wait)) => return Outcome::Again(wait),
            Ok(Err(value)) => Ok(value),
            Err(fault) => {
                // A bad checksum or value says nothing against the set-up; a silent chip may have
                // lost its supply, and with it the measurement.
                self.set_up &= matches!(fault, Fault::Checksum | Fault::OutOfRange);
                Err(fault)
            }
        };
        Outcome::Done(Readings::from_iter([(Quantity::Co2, reading)]))
    }
}

/// Returns the mean pressure of the air at this height above the sea, in hPa: the U.S. Standard
/// Atmosphere 1976, part 4, table I, at every 500 m and straight in between, which is less than
/// 1 hPa off. Above 3,000 m it is that of 3,000 m, the end of the chip's own range.
pub const fn pressure_hpa(metres: u16) -> u16 {
    const STEP_M: u16 = 500;
    // 1013.25, 954.61, 898.76, 845.59, 795.01, 746.92 and 701.21 hPa.
    let (low, high) = match metres / STEP_M {
        0 => (1_013, 955),
        1 => (955, 899),
        2 => (899, 846),
        3 => (846, 795),
        4 => (795, 747),
        5 => (747, 701),
        _ => (701, 701),
    };
    low - ((low - high) * (metres % STEP_M) + STEP_M / 2) / STEP_M
}

/// Returns the first word of the answer, which is in ppm (section 3.5.2). The chip gives 0 where it
/// has no value; no air is without carbon dioxide.
fn concentration(ppm: u16) -> Reading {
    let value = Scaled(i32::from(ppm));
    if ppm == 0 || !value.is_in_range(Quantity::Co2) { Err(Fault::OutOfRange) } else { Ok(value) }
}

#[cfg(test)]
#[path = "scd4x_tests.rs"]
mod tests;
