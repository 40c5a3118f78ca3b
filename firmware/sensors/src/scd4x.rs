//! SCD40, SCD41 and SCD43: carbon dioxide. Constants are those of Sensirion's datasheet "SCD4x",
//! version 1.3 (September 2022). Its temperature and humidity serve its own compensation and are not read out: the
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
const READY_WAIT: Wait = Wait { ms: 1_000 };
/// The most questions for data: over 5 s in all, so that one must have come; then it is `not_ready`.
const READY_QUESTIONS_MAX: u8 = 6;

const QUANTITIES: [Quantity; 1] = [Quantity::Co2];

/// What was done last, and so what the next step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Idle,
    Stopped,
    Configured,
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
}

impl<I: I2c> Scd4x<I> {
    /// The only address (section 3.3).
    pub const ADDRESS: u8 = 0x62;

    /// Returns the chip. Nothing is sent yet.
    pub fn new(i2c: I) -> Self {
        Self { i2c, set_up: false, step: Step::Idle }
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

    fn disable_self_calibration(&mut self) -> Result<Wait, Fault> {
        let [high, low] = SET_SELF_CALIBRATION.to_be_bytes();
        let argument = SELF_CALIBRATION_OFF.to_be_bytes();
        let bytes = [high, low, argument[0], argument[1], crc8(argument)];
        self.i2c.write(Self::ADDRESS, &bytes).map_err(fault)?;
        self.step = Step::Configured;
        Ok(COMMAND_WAIT)
    }

    /// Takes the step after `self.step`: a wait, or `None` and the reading where it was the last.
    fn advance(&mut self) -> Result<Result<Wait, Scaled>, Fault> {
        match core::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle => Err(Fault::NotReady),
            Step::Stopped => self.disable_self_calibration().map(Ok),
            Step::Configured => {
                let measuring = Step::Measuring { questions: 0 };
                let wait = self.command(START_PERIODIC, measuring, FIRST_WAIT)?;
                self.set_up = true;
                Ok(Ok(wait))
            }
            Step::Measuring { questions } => {
                let asked = Step::Asked { questions: questions + 1 };
                self.command(DATA_READY, asked, COMMAND_WAIT).map(Ok)
            }
            Step::Asked { questions } => self.after_question(questions).map(Ok),
            Step::Requested => self.read_measurement().map(Err),
        }
    }

    fn after_question(&mut self, questions: u8) -> Result<Wait, Fault> {
        let mut status = [0; 3];
        self.i2c.read(Self::ADDRESS, &mut status).map_err(fault_of_read)?;
        if word(status)? & DATA_READY_MASK != 0 {
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
        let started = if self.set_up {
            self.command(DATA_READY, Step::Asked { questions: 1 }, COMMAND_WAIT)
        } else {
            // A chip that outlived a restart of its node still measures, and refuses to be set up.
            self.command(STOP_PERIODIC, Step::Stopped, STOP_WAIT)
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

/// Returns the first word of the answer, which is in ppm (section 3.5.2). The chip gives 0 where it
/// has no value; no air is without carbon dioxide.
fn concentration(ppm: u16) -> Reading {
    let value = Scaled(i32::from(ppm));
    if ppm == 0 || !value.is_in_range(Quantity::Co2) { Err(Fault::OutOfRange) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::failed;

    const ADDRESS: u8 = 0x62;
    const NACK: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

    fn write(bytes: &[u8]) -> Transaction {
        Transaction::write(ADDRESS, bytes.to_vec())
    }

    fn set_up() -> Vec<Transaction> {
        vec![write(&[0x3F, 0x86]), write(&[0x24, 0x16, 0, 0, 0x81]), write(&[0x21, 0xB1])]
    }

    fn question(status: [u8; 3]) -> Vec<Transaction> {
        vec![write(&[0xE4, 0xB8]), Transaction::read(ADDRESS, status.to_vec())]
    }

    const READY: [u8; 3] = [0x80, 0x06, 0x04];
    const EMPTY: [u8; 3] = [0x80, 0x00, 0xA2];

    /// The example of section 3.5.2: 500 ppm, 25 °C, 37 %.
    fn answer() -> Vec<u8> {
        vec![0x01, 0xF4, 0x33, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C]
    }

    fn value(answer: Vec<u8>) -> Vec<Transaction> {
        vec![write(&[0xEC, 0x05]), Transaction::read(ADDRESS, answer)]
    }

    fn measure(probe: &mut Scd4x<Mock>) -> Reading {
        probe.start()?;
        for _ in 0..crate::STEPS_MAX {
            if let Outcome::Done(readings) = probe.finish() {
                assert_eq!(readings.len(), 1);
                return readings[0].1;
            }
        }
        panic!("it takes more steps than allowed");
    }

    #[track_caller]
    fn check(bus: &[Vec<Transaction>], expect: &[Reading]) {
        let mut probe = Scd4x::new(Mock::new(&bus.concat()));
        for expect in expect {
            assert_eq!(measure(&mut probe), *expect);
        }
        probe.release().done();
    }

    #[test]
    fn the_example_of_the_datasheet_comes_out() {
        check(&[set_up(), question(READY), value(answer())], &[Ok(Scaled(500))]);
    }

    #[test]
    fn it_is_set_up_once() {
        let once = [question(READY), value(answer())].concat();
        check(&[set_up(), once.clone(), once.clone(), once], &[Ok(Scaled(500)); 3]);
    }

    #[test]
    fn data_that_comes_late_is_waited_for() {
        let late = [question(EMPTY), question(EMPTY), question(READY)].concat();
        check(&[set_up(), late, value(answer())], &[Ok(Scaled(500))]);
    }

    #[test]
    fn a_chip_that_never_has_data_is_set_up_again() {
        let silent = vec![question(EMPTY); 6].concat();
        check(
            &[set_up(), silent, set_up(), question(READY), value(answer())],
            &[Err(Fault::NotReady), Ok(Scaled(500))],
        );
    }

    #[test]
    fn a_bad_checksum_is_a_fault_and_the_next_reading_is_good() {
        let mut bad = answer();
        bad[2] ^= 1;
        let good = [question(READY), value(answer())].concat();
        check(
            &[set_up(), question(READY), value(bad), good.clone()],
            &[Err(Fault::Checksum), Ok(Scaled(500))],
        );
        check(
            &[set_up(), question([0x80, 0x06, 0x05]), good],
            &[Err(Fault::Checksum), Ok(Scaled(500))],
        );
    }

    #[test]
    fn no_air_has_no_carbon_dioxide() {
        let zero = vec![0, 0, 0x81, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C];
        check(&[set_up(), question(READY), value(zero)], &[Err(Fault::OutOfRange)]);
        let beyond = [0x9C, 0x41];
        let beyond = [&beyond[..], &[crc8(beyond)], &answer()[3..]].concat();
        check(&[set_up(), question(READY), value(beyond)], &[Err(Fault::OutOfRange)]);
    }

    #[test]
    fn each_bus_error_has_its_fault_and_sets_it_up_anew() {
        let [stop, configure, begin] = <[Transaction; 3]>::try_from(set_up()).unwrap();
        let again = [set_up(), question(READY), value(answer())].concat();
        for (bus, fault) in [
            (vec![stop.clone().with_error(NACK)], Fault::NotPresent),
            (vec![stop.clone(), configure.clone().with_error(NACK)], Fault::NotPresent),
            (
                vec![stop.clone(), configure.clone(), begin.clone().with_error(ErrorKind::Bus)],
                Fault::Bus,
            ),
            (
                vec![
                    stop,
                    configure,
                    begin,
                    write(&[0xE4, 0xB8]),
                    Transaction::read(ADDRESS, READY.to_vec()).with_error(NACK),
                ],
                Fault::NotReady,
            ),
        ] {
            check(&[bus, again.clone()], &[Err(fault), Ok(Scaled(500))]);
        }
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Scd4x::new(Mock::new(&[]));
        assert_eq!(probe.finish(), Outcome::Done(failed(&QUANTITIES, Fault::NotReady)));
        probe.release().done();
    }

    #[test]
    fn every_concentration_is_read_as_the_published_crate_reads_it() {
        use embedded_hal_mock::eh1::delay::NoopDelay;
        for ppm in (1..=40_000_u16).step_by(997) {
            let bytes = ppm.to_be_bytes();
            let bytes = [&bytes[..], &[crc8(bytes)], &answer()[3..]].concat();
            let mut other = ::scd4x::Scd4x::new(Mock::new(&value(bytes)), NoopDelay);
            let theirs = other.measurement().unwrap().co2;
            other.destroy().done();
            assert_eq!(concentration(ppm), Ok(Scaled(i32::from(theirs))));
        }
    }
}
