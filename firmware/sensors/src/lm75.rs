//! LM75 and TMP105: one temperature, of air, substrate or water. Constants are those of TI's
//! datasheets "LM75B" (SNIS153) and "TMP105" (SBOS648). Thresholds and the alert pin are not used.

use embedded_hal::i2c::I2c;
use measure::{Fault, Quantity, Reading, Scaled};

use crate::bus::fault;
use crate::{Medium, Outcome, Probe, Readings, Wait, failed};

/// The pointer to the temperature register (TMP105, table 3 "Pointer addresses"; LM75, 7.5.1).
const POINTER_TEMPERATURE: u8 = 0x00;
/// The pointer to the configuration register (the same tables).
const POINTER_CONFIGURATION: u8 = 0x01;

/// Which chip it is: they differ in resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// LM75: 9 bits, 0.5 °C.
    Lm75,
    /// TMP105 and its kin (TMP75, TMP175): 12 bits, 0.0625 °C.
    Tmp105,
}

impl Chip {
    /// Continuous conversion, at full resolution. TMP105, table 6 "Configuration register":
    /// R1 R0 = 11 in bits 6 and 5 for 12 bits. LM75, table 7.5.3: all zero.
    const fn configuration(self) -> u8 {
        match self {
            Self::Lm75 => 0x00,
            Self::Tmp105 => 0x60,
        }
    }

    /// The bits of the temperature register that carry it; the others are undefined in an LM75.
    const fn mask(self) -> u16 {
        match self {
            Self::Lm75 => 0xFF80,
            Self::Tmp105 => 0xFFF0,
        }
    }

    /// The longest conversion: LM75 300 ms (6.5 "Electrical characteristics"), TMP105 320 ms (table
    /// 8 "Resolution"). It is waited for every time: after a loss of supply the register holds 0 °C
    /// until the first one, and that would be a false frost.
    const fn wait(self) -> Wait {
        match self {
            Self::Lm75 => Wait { ms: 310 },
            Self::Tmp105 => Wait { ms: 330 },
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Lm75 => "lm75",
            Self::Tmp105 => "tmp105",
        }
    }
}

/// An LM75 or TMP105 on its bus.
#[derive(Debug)]
pub struct Lm75<I> {
    i2c: I,
    address: u8,
    chip: Chip,
    quantities: [Quantity; 1],
    started: bool,
}

impl<I: I2c> Lm75<I> {
    /// The address with A2, A1 and A0 low; each of them adds its bit (TMP105, table 9).
    pub const ADDRESS: u8 = 0x48;

    /// Returns the chip at `address` (0x48 to 0x4F). Nothing is sent yet.
    pub fn new(i2c: I, address: u8, chip: Chip, medium: Medium) -> Self {
        Self { i2c, address, chip, quantities: [medium.quantity()], started: false }
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    fn read(&mut self) -> Reading {
        let mut register = [0; 2];
        self.i2c.write_read(self.address, &[POINTER_TEMPERATURE], &mut register).map_err(fault)?;
        let [quantity] = self.quantities;
        let value = temperature(register, self.chip);
        if value.is_in_range(quantity) { Ok(value) } else { Err(Fault::OutOfRange) }
    }
}

impl<I: I2c> Probe for Lm75<I> {
    fn sensor(&self) -> &'static str {
        self.chip.name()
    }

    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.started = false;
        let configuration = [POINTER_CONFIGURATION, self.chip.configuration()];
        self.i2c.write(self.address, &configuration).map_err(fault)?;
        self.started = true;
        Ok(self.chip.wait())
    }

    fn finish(&mut self) -> Outcome {
        if !core::mem::take(&mut self.started) {
            return Outcome::Done(failed(&self.quantities, Fault::NotReady));
        }
        let reading = self.read();
        let [quantity] = self.quantities;
        Outcome::Done(Readings::from_iter([(quantity, reading)]))
    }
}

/// Returns the register in millidegrees Celsius, to the nearest, halves away from zero. It is a
/// two's complement of 1/256 °C whose lowest bits are not there (TMP105, table 5).
fn temperature(register: [u8; 2], chip: Chip) -> Scaled {
    let steps = i32::from((u16::from_be_bytes(register) & chip.mask()).cast_signed());
    let half = if steps < 0 { -128 } else { 128 };
    Scaled((steps * 1_000 + half) / 256)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;

    use super::*;

    const ADDRESS: u8 = 0x48;

    fn start(chip: Chip) -> Transaction {
        Transaction::write(ADDRESS, vec![0x01, if chip == Chip::Tmp105 { 0x60 } else { 0x00 }])
    }

    fn read(register: u16) -> Transaction {
        Transaction::write_read(ADDRESS, vec![0x00], register.to_be_bytes().to_vec())
    }

    #[track_caller]
    fn check_bus(bus: &[Transaction], chip: Chip, medium: Medium, expect: Reading) {
        let mut probe = Lm75::new(Mock::new(bus), ADDRESS, chip, medium);
        let outcome = match probe.start() {
            Ok(_) => probe.finish(),
            Err(fault) => Outcome::Done(failed(probe.quantities(), fault)),
        };
        assert_eq!(outcome, Outcome::Done(Readings::from_iter([(medium.quantity(), expect)])));
        probe.release().done();
    }

    #[track_caller]
    fn check(chip: Chip, register: u16, expect: i32) {
        let bus = [start(chip), read(register)];
        check_bus(&bus, chip, Medium::Substrate, Ok(Scaled(expect)));
    }

    #[test]
    fn twelve_bits_come_out_as_in_the_datasheet() {
        // TMP105, table 5 "12-bit temperature data format".
        check(Chip::Tmp105, 0x6400, 100_000);
        check(Chip::Tmp105, 0x5000, 80_000);
        check(Chip::Tmp105, 0x4B00, 75_000);
        check(Chip::Tmp105, 0x3200, 50_000);
        check(Chip::Tmp105, 0x1900, 25_000);
        check(Chip::Tmp105, 0x0040, 250);
        check(Chip::Tmp105, 0x0000, 0);
        check(Chip::Tmp105, 0xFFC0, -250);
        check(Chip::Tmp105, 0xE700, -25_000);
        check(Chip::Tmp105, 0xC900, -55_000);
    }

    #[test]
    fn nine_bits_ignore_the_undefined_ones() {
        // LM75, table "Temperature register format": 25 °C, 0.5 °C, -0.5 °C, -25 °C, -55 °C.
        check(Chip::Lm75, 0x1900 | 0x7F, 25_000);
        check(Chip::Lm75, 0x0080 | 0x15, 500);
        check(Chip::Lm75, 0xFF80 | 0x2A, -500);
        check(Chip::Lm75, 0xE700 | 0x7F, -25_000);
        check(Chip::Lm75, 0xC900, -55_000);
    }

    #[test]
    fn what_the_medium_cannot_have_is_out_of_range() {
        let bus = [start(Chip::Tmp105), read(0xE700)];
        check_bus(&bus, Chip::Tmp105, Medium::Water, Err(Fault::OutOfRange));
        let bus = [start(Chip::Tmp105), read(0x7FF0)];
        check_bus(&bus, Chip::Tmp105, Medium::Air, Err(Fault::OutOfRange));
    }

    #[test]
    fn each_bus_error_has_its_fault() {
        let chip = Chip::Lm75;
        let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let check = |bus: &[Transaction], fault| check_bus(bus, chip, Medium::Air, Err(fault));
        check(&[start(chip).with_error(nack)], Fault::NotPresent);
        check(&[start(chip).with_error(ErrorKind::Bus)], Fault::Bus);
        check(&[start(chip), read(0).with_error(nack)], Fault::NotPresent);
        check(&[start(chip), read(0).with_error(ErrorKind::Overrun)], Fault::Bus);
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Lm75::new(Mock::new(&[]), ADDRESS, Chip::Lm75, Medium::Air);
        assert!(matches!(probe.finish(), Outcome::Done(readings)
            if readings.first() == Some(&(Quantity::AirTemperature, Err(Fault::NotReady)))));
        probe.release().done();
    }

    #[test]
    fn every_nine_bit_value_converts_as_the_published_crate_does() {
        for register in (0..=u16::MAX).step_by(0x80) {
            let bus = [read(register)];
            let mut other = ::lm75::Lm75::new(Mock::new(&bus), ::lm75::Address::default());
            let theirs = other.read_temperature().unwrap();
            other.destroy().done();
            let ours = temperature(register.to_be_bytes(), Chip::Lm75);
            assert_eq!(ours.to_f64(Quantity::AirTemperature), f64::from(theirs));
        }
    }
}
