//! SHT30, SHT31 and SHT35: temperature and humidity of the air. Constants are those of Sensirion's
//! datasheet "SHT3x-DIS", version 7 (December 2022). Single shots without clock stretching; the
//! alert mode is not used. After each measurement the status register is read, because a heater that
//! was left on makes the air look warm and dry.

use embedded_hal::i2c::I2c;
use measure::{Fault, Quantity, Reading};

use crate::bus::{fault, fault_of_read, word};
use crate::probe::{in_range, nearest};
use crate::{Outcome, Probe, Readings, Wait, failed};

/// Single shot, high repeatability, no clock stretching (section 4.3, table 9).
const MEASURE_HIGH_REPEATABILITY: [u8; 2] = [0x24, 0x00];
/// A high-repeatability measurement takes at most 15.5 ms (section 2.2, table 4).
const MEASURE_WAIT: Wait = Wait { ms: 17 };
/// Read out the status register (section 4.11, table 17).
const READ_STATUS: [u8; 2] = [0xF3, 0x2D];
/// Clear the status register (section 4.11, table 19).
const CLEAR_STATUS: [u8; 2] = [0x30, 0x41];
/// Switch the heater off (section 4.10, table 16).
const HEATER_OFF: [u8; 2] = [0x30, 0x66];
/// The heater is on (section 4.11, table 18, bit 13).
const STATUS_HEATER: u16 = 1 << 13;
/// The chip was reset since the register was last cleared (bit 4).
const STATUS_RESET: u16 = 1 << 4;
/// The last command was not processed (bit 1).
const STATUS_REFUSED: u16 = 1 << 1;
/// The last write came with a wrong checksum (bit 0).
const STATUS_CHECKSUM: u16 = 1;

const QUANTITIES: [Quantity; 2] = [Quantity::AirTemperature, Quantity::RelativeHumidity];

/// An SHT3x on its bus.
#[derive(Debug)]
pub struct Sht3x<I> {
    i2c: I,
    address: u8,
    started: bool,
}

impl<I: I2c> Sht3x<I> {
    /// The address with ADDR low; with ADDR high it is 0x45 (section 4, table 8).
    pub const ADDRESS: u8 = 0x44;

    /// Returns the chip at `address` (0x44 or 0x45). Nothing is sent yet.
    pub fn new(i2c: I, address: u8) -> Self {
        Self { i2c, address, started: false }
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    fn measurement(&mut self) -> Result<Readings, Fault> {
        let mut answer = [0; 6];
        self.i2c.read(self.address, &mut answer).map_err(fault_of_read)?;
        self.check_status()?;
        let [t_high, t_low, t_crc, rh_high, rh_low, rh_crc] = answer;
        Ok(Readings::from_iter([
            (Quantity::AirTemperature, word([t_high, t_low, t_crc]).and_then(temperature)),
            (Quantity::RelativeHumidity, word([rh_high, rh_low, rh_crc]).and_then(humidity)),
        ]))
    }

    /// Refuses a measurement that the chip itself says is none, and puts right what was wrong.
    fn check_status(&mut self) -> Result<(), Fault> {
        let mut status = [0; 3];
        self.i2c.write_read(self.address, &READ_STATUS, &mut status).map_err(fault)?;
        let status = word(status)?;
        if status & STATUS_HEATER != 0 {
            self.i2c.write(self.address, &HEATER_OFF).map_err(fault)?;
            return Err(Fault::NotReady);
        }
        if status & (STATUS_RESET | STATUS_REFUSED | STATUS_CHECKSUM) != 0 {
            self.i2c.write(self.address, &CLEAR_STATUS).map_err(fault)?;
        }
        match status {
            _ if status & STATUS_CHECKSUM != 0 => Err(Fault::Checksum),
            _ if status & STATUS_REFUSED != 0 => Err(Fault::Refused),
            _ => Ok(()),
        }
    }
}

impl<I: I2c> Probe for Sht3x<I> {
    fn sensor(&self) -> &'static str {
        "sht3x"
    }

    fn quantities(&self) -> &[Quantity] {
        &QUANTITIES
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.started = false;
        self.i2c.write(self.address, &MEASURE_HIGH_REPEATABILITY).map_err(fault)?;
        self.started = true;
        Ok(MEASURE_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        if !core::mem::take(&mut self.started) {
            return Outcome::Done(failed(&QUANTITIES, Fault::NotReady));
        }
        let measured = self.measurement();
        Outcome::Done(measured.unwrap_or_else(|fault| failed(&QUANTITIES, fault)))
    }
}

/// Returns -45 + 175 · raw / 65535, in millidegrees Celsius (section 4.13).
fn temperature(raw: u16) -> Reading {
    in_range(Quantity::AirTemperature, nearest(i64::from(raw) * 175_000, 65_535) - 45_000)
}

/// Returns 100 · raw / 65535, in hundredths of a percent (section 4.13).
fn humidity(raw: u16) -> Reading {
    in_range(Quantity::RelativeHumidity, nearest(i64::from(raw) * 10_000, 65_535))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use measure::Scaled;
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::bus::crc8;

    const ADDRESS: u8 = 0x44;
    const NACK: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

    fn words(words: &[u16]) -> Vec<u8> {
        let emit = |word: &u16| {
            let [high, low] = word.to_be_bytes();
            [high, low, crc8([high, low])]
        };
        words.iter().flat_map(emit).collect()
    }

    fn start() -> Transaction {
        Transaction::write(ADDRESS, vec![0x24, 0x00])
    }

    fn read(t: u16, rh: u16) -> Transaction {
        Transaction::read(ADDRESS, words(&[t, rh]))
    }

    fn status(status: u16) -> Transaction {
        Transaction::write_read(ADDRESS, vec![0xF3, 0x2D], words(&[status]))
    }

    fn write(bytes: [u8; 2]) -> Transaction {
        Transaction::write(ADDRESS, bytes.to_vec())
    }

    #[track_caller]
    fn check(bus: &[Transaction], expect: [Reading; 2]) {
        let mut probe = Sht3x::new(Mock::new(bus), ADDRESS);
        let outcome = match probe.start() {
            Ok(wait) => {
                assert!(wait.ms >= 16);
                probe.finish()
            }
            Err(fault) => Outcome::Done(failed(probe.quantities(), fault)),
        };
        let expect = QUANTITIES.into_iter().zip(expect).collect();
        assert_eq!(outcome, Outcome::Done(expect));
        probe.release().done();
    }

    #[test]
    fn words_become_temperature_and_humidity() {
        let fifths = [Ok(Scaled(25_000)), Ok(Scaled(4_000))];
        check(&[start(), read(0x6666, 0x6666), status(0)], fifths);
        check(
            &[start(), read(0x3A00, 0xFFFF), status(0)],
            [Ok(Scaled(-5_351)), Ok(Scaled(10_000))],
        );
    }

    #[test]
    fn a_temperature_that_no_chip_survives_is_out_of_range() {
        check(&[start(), read(0xFFFF, 0), status(0)], [Err(Fault::OutOfRange), Ok(Scaled(0))]);
    }

    #[test]
    fn a_heater_left_on_spoils_the_reading_and_is_switched_off() {
        let bus = [start(), read(0x6666, 0x6666), status(0x2000), write([0x30, 0x66])];
        check(&bus, [Err(Fault::NotReady); 2]);
    }

    #[test]
    fn a_command_that_the_chip_did_not_take_is_no_measurement() {
        let bus = |bits| [start(), read(0x6666, 0x6666), status(bits), write([0x30, 0x41])];
        check(&bus(0x0002), [Err(Fault::Refused); 2]);
        check(&bus(0x0001), [Err(Fault::Checksum); 2]);
        // After power-on the register says "reset detected" and "alert pending": no fault.
        check(&bus(0x8010), [Ok(Scaled(25_000)), Ok(Scaled(4_000))]);
    }

    #[test]
    fn a_bad_checksum_spoils_its_own_quantity_only() {
        let mut bytes = words(&[0x6666, 0x6666]);
        bytes[5] ^= 1;
        let bus = [start(), Transaction::read(ADDRESS, bytes), status(0)];
        check(&bus, [Ok(Scaled(25_000)), Err(Fault::Checksum)]);
    }

    #[test]
    fn each_bus_error_has_its_fault() {
        let all = |fault| [Err(fault), Err(fault)];
        let good = || read(0x6666, 0x6666);
        check(&[start().with_error(NACK)], all(Fault::NotPresent));
        check(&[start().with_error(ErrorKind::Bus)], all(Fault::Bus));
        check(&[start(), good().with_error(NACK)], all(Fault::NotReady));
        check(&[start(), good().with_error(ErrorKind::Bus)], all(Fault::Bus));
        check(&[start(), good(), status(0).with_error(ErrorKind::Bus)], all(Fault::Bus));
        let garbled = Transaction::write_read(ADDRESS, vec![0xF3, 0x2D], vec![0, 0, 0]);
        check(&[start(), good(), garbled], all(Fault::Checksum));
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Sht3x::new(Mock::new(&[]), ADDRESS);
        assert_eq!(probe.finish(), Outcome::Done(failed(&QUANTITIES, Fault::NotReady)));
        probe.release().done();
    }

    #[test]
    fn every_word_converts_as_the_published_crate_does() {
        use embedded_hal_mock::eh1::delay::NoopDelay;
        for raw in (0..=u16::MAX).step_by(251).chain([u16::MAX]) {
            let mut bus = Mock::new(&[
                write([0x30, 0xA2]),
                Transaction::transaction_start(ADDRESS),
                write([0x2C, 0x0D]),
                read(raw, raw),
                Transaction::transaction_end(ADDRESS),
            ]);
            let mut other = embedded_sht3x::Sht3x::new(&mut bus, ADDRESS, NoopDelay).unwrap();
            let theirs = other.single_measurement().unwrap();
            bus.done();
            if let Ok(ours) = temperature(raw) {
                let ours = ours.to_f64(Quantity::AirTemperature);
                assert!((ours - f64::from(theirs.temperature.0)).abs() < 0.000_6, "{raw}");
            }
            let ours = humidity(raw).unwrap().to_f64(Quantity::RelativeHumidity);
            assert!((ours - f64::from(theirs.relative_humidity.value())).abs() < 0.005_1, "{raw}");
        }
    }
}
