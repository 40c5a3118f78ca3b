//! BH1750FVI: illuminance. Constants are those of ROHM's datasheet "BH1750FVI", revision D
//! (2011.11). The chip is read in one-time high-resolution mode and sleeps in between.

use embedded_hal::i2c::I2c;
use measure::{Fault, Quantity, Reading, Scaled};

use crate::bus::fault;
use crate::{Outcome, Probe, Readings, Wait, failed};

/// One-time H-resolution mode, then power down (page 5, "Instruction set architecture").
const ONE_TIME_HIGH_RESOLUTION: u8 = 0x20;
/// Change measurement time, high bits: `01000` and bits 7 to 5 (the same table).
const MEASUREMENT_TIME_HIGH: u8 = 0x40;
/// Change measurement time, low bits: `011` and bits 4 to 0 (the same table).
const MEASUREMENT_TIME_LOW: u8 = 0x60;
/// A measurement in H-resolution mode takes at most 180 ms (page 2, "Electrical characteristics"),
/// less with a shorter measurement time.
const MEASURE_WAIT: Wait = Wait { ms: 185 };

/// The measurement time for which 1.2 counts are one lux (page 11).
const TIME_DEFAULT: u8 = 69;
/// The shortest measurement time, for full sun: 1 count is 1.855 lx, up to 121 klx (page 11).
const TIME_SHORTEST: u8 = 31;
/// The count that cannot be told from any greater light.
const COUNT_SATURATED: u16 = u16::MAX;
/// In the short time, a count below this fits the default time again, with a tenth to spare.
const COUNT_DARK_AGAIN: u16 = 26_000;

const QUANTITIES: [Quantity; 1] = [Quantity::Illuminance];

/// A BH1750 on its bus. It takes the shortest measurement time by itself when the sun is too bright
/// for the default one, and measures again at once.
#[derive(Debug)]
pub struct Bh1750<I> {
    i2c: I,
    address: u8,
    time: u8,
    started: bool,
}

impl<I: I2c> Bh1750<I> {
    /// The address with ADDR low; with ADDR high it is 0x5C (page 10).
    pub const ADDRESS: u8 = 0x23;

    /// Returns the chip at `address` (0x23 or 0x5C). Nothing is sent yet.
    pub fn new(i2c: I, address: u8) -> Self {
        Self { i2c, address, time: TIME_DEFAULT, started: false }
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    /// Sends the measurement time too, every time: a chip that lost its supply has the default again.
    fn trigger(&mut self) -> Result<Wait, Fault> {
        for opcode in [
            MEASUREMENT_TIME_HIGH | self.time >> 5,
            MEASUREMENT_TIME_LOW | self.time & 0b1_1111,
            ONE_TIME_HIGH_RESOLUTION,
        ] {
            self.i2c.write(self.address, &[opcode]).map_err(fault)?;
        }
        self.started = true;
        Ok(MEASURE_WAIT)
    }

    fn read(&mut self) -> Result<u16, Fault> {
        let mut count = [0; 2];
        self.i2c.read(self.address, &mut count).map_err(fault)?;
        Ok(u16::from_be_bytes(count))
    }
}

impl<I: I2c> Probe for Bh1750<I> {
    fn sensor(&self) -> &'static str {
        "bh1750"
    }

    fn quantities(&self) -> &[Quantity] {
        &QUANTITIES
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.started = false;
        self.trigger()
    }

    fn finish(&mut self) -> Outcome {
        if !core::mem::take(&mut self.started) {
            return Outcome::Done(failed(&QUANTITIES, Fault::NotReady));
        }
        let reading = match self.read() {
            Ok(COUNT_SATURATED) if self.time == TIME_DEFAULT => {
                self.time = TIME_SHORTEST;
                match self.trigger() {
                    Ok(wait) => return Outcome::Again(wait),
                    Err(fault) => Err(fault),
                }
            }
            Ok(COUNT_SATURATED) => Err(Fault::Saturated),
            Ok(count) => {
                let reading = illuminance(count, self.time);
                if count < COUNT_DARK_AGAIN {
                    self.time = TIME_DEFAULT;
                }
                reading
            }
            Err(fault) => Err(fault),
        };
        Outcome::Done(Readings::from_iter([(Quantity::Illuminance, reading)]))
    }
}

/// Returns count / 1.2 · 69 / time, in tenths of a lux, to the nearest (page 11).
fn illuminance(count: u16, time: u8) -> Reading {
    let (dividend, divisor) = (u64::from(count) * 50 * 69, u64::from(time) * 6);
    let tenths = (dividend + divisor / 2) / divisor;
    i32::try_from(tenths).map(Scaled).map_err(|_| Fault::OutOfRange)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const ADDRESS: u8 = 0x23;

    fn write(opcode: u8) -> Transaction {
        Transaction::write(ADDRESS, vec![opcode])
    }

    /// 69 = 0b010_00101 and 31 = 0b000_11111.
    fn start(time: u8) -> Vec<Transaction> {
        match time {
            TIME_DEFAULT => vec![write(0x42), write(0x65), write(0x20)],
            _ => vec![write(0x40), write(0x7F), write(0x20)],
        }
    }

    fn read(count: u16) -> Transaction {
        Transaction::read(ADDRESS, count.to_be_bytes().to_vec())
    }

    fn measure(probe: &mut Bh1750<Mock>) -> Reading {
        probe.start()?;
        for _ in 0..crate::STEPS_MAX {
            if let Outcome::Done(readings) = probe.finish() {
                assert_eq!(readings.len(), 1);
                return readings[0].1;
            }
        }
        panic!("it never ends");
    }

    #[track_caller]
    fn check(bus: Vec<Vec<Transaction>>, expect: Reading) {
        let mut probe = Bh1750::new(Mock::new(&bus.concat()), ADDRESS);
        assert_eq!(measure(&mut probe), expect);
        probe.release().done();
    }

    #[test]
    fn the_example_of_the_datasheet_comes_out() {
        // Page 7: 0x8390 is 28067 lx.
        check(vec![start(69), vec![read(0x8390)]], Ok(Scaled(280_667)));
        check(vec![start(69), vec![read(0)]], Ok(Scaled(0)));
        check(vec![start(69), vec![read(1)]], Ok(Scaled(8)));
    }

    #[test]
    fn full_sun_is_measured_again_in_a_shorter_time() {
        // 43 119 counts / 1.2 · 69 / 31 = 79 978.8 lx.
        let bus = vec![start(69), vec![read(0xFFFF)], start(31), vec![read(43_119)]];
        check(bus, Ok(Scaled(799_788)));
    }

    #[test]
    fn after_full_sun_the_fine_steps_come_back() {
        let bus = [
            start(69),
            vec![read(0xFFFF)],
            start(31),
            vec![read(40_000)],
            start(31),
            vec![read(12_000)],
            start(69),
            vec![read(12_000)],
        ];
        let mut probe = Bh1750::new(Mock::new(&bus.concat()), ADDRESS);
        assert_eq!(measure(&mut probe), Ok(Scaled(741_935)));
        assert_eq!(measure(&mut probe), Ok(Scaled(222_581)));
        assert_eq!(measure(&mut probe), Ok(Scaled(100_000)));
        probe.release().done();
    }

    #[test]
    fn beyond_full_sun_it_is_saturated() {
        let bus = vec![start(69), vec![read(0xFFFF)], start(31), vec![read(0xFFFF)]];
        check(bus, Err(Fault::Saturated));
    }

    #[test]
    fn each_bus_error_has_its_fault() {
        let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        check(vec![vec![write(0x42).with_error(nack)]], Err(Fault::NotPresent));
        check(
            vec![vec![write(0x42), write(0x65), write(0x20).with_error(ErrorKind::Bus)]],
            Err(Fault::Bus),
        );
        check(vec![start(69), vec![read(0).with_error(nack)]], Err(Fault::NotPresent));
        check(
            vec![start(69), vec![read(0xFFFF)], vec![write(0x40).with_error(ErrorKind::Bus)]],
            Err(Fault::Bus),
        );
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Bh1750::new(Mock::new(&[]), ADDRESS);
        assert_eq!(probe.finish(), Outcome::Done(failed(&QUANTITIES, Fault::NotReady)));
        probe.release().done();
    }

    #[test]
    fn every_count_converts_as_the_published_crate_does() {
        use bh1750_embedded::{Address, Bh1750 as Other, MeasurementTime, Resolution};
        use embedded_hal_mock::eh1::delay::NoopDelay;
        for count in (0..u16::MAX).step_by(509) {
            for time in [TIME_DEFAULT, TIME_SHORTEST] {
                let bus = [start(time), vec![read(count)]].concat();
                let mut other = Other::new(Mock::new(&bus), NoopDelay, Address::Low);
                other.set_measurement_time(MeasurementTime::new(time).unwrap()).unwrap();
                let theirs = f64::from(other.one_time_measurement(Resolution::High).unwrap());
                other.destroy().done();
                let ours = illuminance(count, time).unwrap().to_f64(Quantity::Illuminance);
                // Theirs is a 32-bit float: 7 digits.
                assert!((ours - theirs).abs() < 0.051 + ours * 2e-7, "{count}: {ours}, {theirs}");
            }
        }
    }
}
