//! SHT40, SHT41, SHT43 and SHT45: temperature and humidity of the air. Constants are those of
//! Sensirion's datasheet "SHT4x", version 6.
//!
//! Long hours near saturation, as under a mist line, make a polymer sensor creep: it reads some
//! percent too wet for hours after. With a [`Clock`] the driver heats the chip for a second when it
//! has been that wet for an hour, and once an hour as long as it stays so. It measures first and
//! heats after, and withholds (`not_ready`) what would come before the chip has cooled.

use embedded_hal::i2c::I2c;
use measure::{Fault, Quantity, Reading, Scaled, Uptime};

use crate::bus::{fault, fault_of_read, word};
use crate::{Clock, Outcome, Probe, Readings, Wait, failed};

/// Measure both with high precision (section 4.5, table "Command overview").
const MEASURE_HIGH_PRECISION: u8 = 0xFD;
/// A high-precision measurement takes at most 8.3 ms (table 4 "System timing specifications").
const MEASURE_WAIT: Wait = Wait { ms: 10 };
/// Temperature word and humidity word, each with its checksum (section 4.4).
const ANSWER_BYTES: usize = 6;

/// Activate the heater with 200 mW for 1 s (section 4.5, table "Command overview").
const HEAT_STRONG_LONG: u8 = 0x39;
/// How long such a pulse lasts at most (section 2.3, table 4).
const HEAT_MS: u64 = 1_100;
/// The air is wet enough to creep, in hundredths of a percent.
const HEAT_HUMIDITY: i32 = 9_500;
/// How long it must be so without a drier reading, and the least time between two pulses.
const HEAT_WET_MS: u64 = 3_600_000;
/// The heater is for air below 65 °C (section 4.9), in millidegrees Celsius.
const HEAT_TEMPERATURE: i32 = 65_000;
/// How long a reading is withheld after the start of a pulse: some ten times the response time of
/// temperature and humidity, 2 s and 4 s to 63 % (tables 1 and 2), and under a minute, so that a node
/// that samples each minute misses none.
const HEAT_COOL_MS: u64 = 50_000;
// The heater may be on for a tenth of the time (section 4.9).
const _: () = assert!(HEAT_MS * 10 <= HEAT_WET_MS);

const QUANTITIES: [Quantity; 2] = [Quantity::AirTemperature, Quantity::RelativeHumidity];

/// An SHT4x on its bus.
#[derive(Debug)]
pub struct Sht4x<I> {
    i2c: I,
    address: u8,
    started: bool,
    heater: Option<Heater>,
}

/// When the heater is due.
#[derive(Debug)]
struct Heater {
    clock: Clock,
    wet_since: Option<Uptime>,
    heated: Option<Uptime>,
}

impl<I: I2c> Sht4x<I> {
    /// The address of the types -A and -AD1B (section 4.2).
    pub const ADDRESS: u8 = 0x44;

    /// Returns the chip at `address` (0x44, 0x45 or 0x46, by its type). Nothing is sent yet.
    pub fn new(i2c: I, address: u8) -> Self {
        Self { i2c, address, started: false, heater: None }
    }

    /// Returns the chip with its heater in use against creep. A pulse draws up to 100 mA for a
    /// second (section 2.2, table 3), so a board that cannot give that leaves it out.
    #[must_use]
    pub fn with_heater(mut self, clock: Clock) -> Self {
        self.heater = Some(Heater { clock, wet_since: None, heated: None });
        self
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    fn read(&mut self) -> Result<[u8; ANSWER_BYTES], Fault> {
        let mut answer = [0; ANSWER_BYTES];
        self.i2c.read(self.address, &mut answer).map_err(fault_of_read)?;
        Ok(answer)
    }

    /// Starts a pulse where one is due after these readings. One that the chip did not take is due
    /// again after the next.
    fn heat(&mut self, temperature: Reading, humidity: Reading) {
        let (Some(heater), Ok(humidity)) = (&mut self.heater, humidity) else { return };
        let now = (heater.clock)();
        if humidity.0 < HEAT_HUMIDITY {
            heater.wet_since = None;
            return;
        }
        let wet_ms = now.ms_since(*heater.wet_since.get_or_insert(now));
        let is_cool = temperature.is_ok_and(|value| value.0 < HEAT_TEMPERATURE);
        if wet_ms >= HEAT_WET_MS
            && is_cool
            && self.i2c.write(self.address, &[HEAT_STRONG_LONG]).is_ok()
        {
            (heater.wet_since, heater.heated) = (Some(now), Some(now));
        }
    }
}

impl Heater {
    fn is_cooling(&self) -> bool {
        self.heated.is_some_and(|heated| (self.clock)().ms_since(heated) < HEAT_COOL_MS)
    }
}

impl<I: I2c> Probe for Sht4x<I> {
    fn sensor(&self) -> &'static str {
        "sht4x"
    }

    fn quantities(&self) -> &[Quantity] {
        &QUANTITIES
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.started = false;
        if self.heater.as_ref().is_some_and(Heater::is_cooling) {
            return Err(Fault::NotReady);
        }
        self.i2c.write(self.address, &[MEASURE_HIGH_PRECISION]).map_err(fault)?;
        self.started = true;
        Ok(MEASURE_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        if !core::mem::take(&mut self.started) {
            return Outcome::Done(failed(&QUANTITIES, Fault::NotReady));
        }
        let [t_high, t_low, t_crc, rh_high, rh_low, rh_crc] = match self.read() {
            Ok(answer) => answer,
            Err(fault) => return Outcome::Done(failed(&QUANTITIES, fault)),
        };
        // Each word has a checksum of its own, so a bad one spoils only its own quantity.
        let temperature = word([t_high, t_low, t_crc]).and_then(temperature);
        let humidity = word([rh_high, rh_low, rh_crc]).map(humidity);
        self.heat(temperature, humidity);
        Outcome::Done(Readings::from_iter([
            (Quantity::AirTemperature, temperature),
            (Quantity::RelativeHumidity, humidity),
        ]))
    }
}

/// Returns -45 + 175 · raw / 65535, in millidegrees Celsius (section 4.6, equation 2).
fn temperature(raw: u16) -> Reading {
    let value = Scaled(rounded(i64::from(raw) * 175_000, 65_535) - 45_000);
    if value.is_in_range(Quantity::AirTemperature) { Ok(value) } else { Err(Fault::OutOfRange) }
}

/// Returns -6 + 125 · raw / 65535, in hundredths of a percent (section 4.6, equation 1). The
/// formula can leave 0 to 100 %; the datasheet then asks to crop it, as here.
fn humidity(raw: u16) -> Scaled {
    let value = rounded(i64::from(raw) * 12_500, 65_535) - 600;
    Scaled(value.clamp(0, 10_000))
}

/// Returns the nearest whole number to a quotient that is not negative.
fn rounded(dividend: i64, divisor: i64) -> i32 {
    i32::try_from((dividend + divisor / 2) / divisor).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::bus::crc8;

    const ADDRESS: u8 = 0x44;

    fn answer(t: u16, rh: u16) -> Vec<u8> {
        let (t, rh) = (t.to_be_bytes(), rh.to_be_bytes());
        vec![t[0], t[1], crc8(t), rh[0], rh[1], crc8(rh)]
    }

    #[track_caller]
    fn check(bus: &[Transaction], expect: [Reading; 2]) {
        let mut probe = Sht4x::new(Mock::new(bus), ADDRESS);
        let readings = match probe.start() {
            Ok(wait) => {
                assert!(wait.ms >= 9);
                match probe.finish() {
                    Outcome::Done(readings) => readings,
                    Outcome::Again(_) => panic!("one step is enough"),
                }
            }
            Err(fault) => failed(probe.quantities(), fault),
        };
        assert_eq!(readings.len(), 2);
        assert_eq!(readings[0], (Quantity::AirTemperature, expect[0]));
        assert_eq!(readings[1], (Quantity::RelativeHumidity, expect[1]));
        probe.release().done();
    }

    fn start() -> Transaction {
        Transaction::write(ADDRESS, vec![0xFD])
    }

    #[test]
    fn words_become_temperature_and_humidity() {
        // 0x6666 is two fifths of 65535: -45 + 70 and -6 + 50.
        check(
            &[start(), Transaction::read(ADDRESS, answer(0x6666, 0x6666))],
            [Ok(Scaled(25_000)), Ok(Scaled(4_400))],
        );
    }

    #[test]
    fn frost_is_below_zero() {
        check(
            &[start(), Transaction::read(ADDRESS, answer(0x3A00, 0x8000))],
            [Ok(Scaled(-5_351)), Ok(Scaled(5_650))],
        );
    }

    #[test]
    fn humidity_is_cropped_to_what_air_can_hold() {
        check(
            &[start(), Transaction::read(ADDRESS, answer(0x6666, 0xFFFF))],
            [Ok(Scaled(25_000)), Ok(Scaled(10_000))],
        );
        check(
            &[start(), Transaction::read(ADDRESS, answer(0x6666, 0))],
            [Ok(Scaled(25_000)), Ok(Scaled(0))],
        );
    }

    #[test]
    fn a_temperature_that_no_chip_survives_is_out_of_range() {
        check(
            &[start(), Transaction::read(ADDRESS, answer(0xFFFF, 0x8000))],
            [Err(Fault::OutOfRange), Ok(Scaled(5_650))],
        );
    }

    #[test]
    fn a_bad_checksum_spoils_its_own_quantity_only() {
        let mut bytes = answer(0x6666, 0x6666);
        bytes[5] ^= 1;
        check(
            &[start(), Transaction::read(ADDRESS, bytes)],
            [Ok(Scaled(25_000)), Err(Fault::Checksum)],
        );
        let mut bytes = answer(0x6666, 0x6666);
        bytes[0] ^= 0x80;
        check(
            &[start(), Transaction::read(ADDRESS, bytes)],
            [Err(Fault::Checksum), Ok(Scaled(4_400))],
        );
    }

    #[test]
    fn each_bus_error_has_its_fault() {
        let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let all = |fault| [Err(fault), Err(fault)];
        check(&[start().with_error(nack)], all(Fault::NotPresent));
        check(&[start().with_error(ErrorKind::ArbitrationLoss)], all(Fault::Bus));
        let read = || Transaction::read(ADDRESS, answer(0, 0));
        check(&[start(), read().with_error(nack)], all(Fault::NotReady));
        check(&[start(), read().with_error(ErrorKind::Bus)], all(Fault::Bus));
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Sht4x::new(Mock::new(&[]), ADDRESS);
        assert_eq!(probe.finish(), Outcome::Done(failed(&QUANTITIES, Fault::NotReady)));
        probe.release().done();
    }

    std::thread_local! {
        static NOW: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
    }

    fn clock() -> Uptime {
        Uptime(NOW.get())
    }

    /// Measures once a minute, each time with the bus transactions and readings that belong to it.
    #[track_caller]
    fn check_hours(rounds: &[(Vec<Transaction>, [Reading; 2])]) {
        NOW.set(0);
        let bus: Vec<_> = rounds.iter().flat_map(|(bus, _)| bus.clone()).collect();
        let mut probe = Sht4x::new(Mock::new(&bus), ADDRESS).with_heater(clock);
        for (minute, (_, expect)) in rounds.iter().enumerate() {
            let readings = match probe.start().map(|_| probe.finish()) {
                Ok(Outcome::Done(readings)) => readings,
                Ok(Outcome::Again(_)) => panic!("one step is enough"),
                Err(fault) => failed(&QUANTITIES, fault),
            };
            assert_eq!([readings[0].1, readings[1].1], *expect, "minute {minute}");
            NOW.set(NOW.get() + 60_000);
        }
        probe.release().done();
    }

    /// 25 °C and 96 %: (96 + 6) / 125 · 65535 = 53 476.6.
    const WET: u16 = 53_477;

    fn round(rh: u16, expect: i32) -> (Vec<Transaction>, [Reading; 2]) {
        let bus = vec![start(), Transaction::read(ADDRESS, answer(0x6666, rh))];
        (bus, [Ok(Scaled(25_000)), Ok(Scaled(expect))])
    }

    fn heat() -> Transaction {
        Transaction::write(ADDRESS, vec![0x39])
    }

    #[test]
    fn after_a_wet_hour_the_chip_is_heated_once_an_hour_and_no_minute_is_lost() {
        let mut rounds = vec![round(WET, 9_600); 122];
        rounds[60].0.push(heat());
        rounds[120].0.push(heat());
        check_hours(&rounds);
    }

    #[test]
    fn a_drier_reading_begins_the_hour_anew() {
        let mut rounds = vec![round(WET, 9_600); 100];
        rounds[59] = round(0x6666, 4_400);
        check_hours(&rounds);
    }

    #[test]
    fn a_pulse_that_was_not_taken_is_sent_again() {
        let mut rounds = vec![round(WET, 9_600); 70];
        rounds[60].0.push(heat().with_error(ErrorKind::Bus));
        rounds[61].0.push(heat());
        check_hours(&rounds);
    }

    #[test]
    fn while_the_chip_cools_its_readings_are_withheld() {
        NOW.set(0);
        let read = || Transaction::read(ADDRESS, answer(0x6666, WET));
        let bus = [start(), read(), start(), read(), heat(), start(), read()];
        let mut probe = Sht4x::new(Mock::new(&bus), ADDRESS).with_heater(clock);
        for (at, expect) in [
            (0, Ok(MEASURE_WAIT)),
            (3_600_000, Ok(MEASURE_WAIT)),
            (3_610_000, Err(Fault::NotReady)),
            (3_649_999, Err(Fault::NotReady)),
            (3_650_000, Ok(MEASURE_WAIT)),
        ] {
            NOW.set(at);
            assert_eq!(probe.start(), expect);
            if expect.is_ok() {
                assert!(matches!(probe.finish(), Outcome::Done(_)));
            }
        }
        probe.release().done();
    }

    #[test]
    fn every_word_converts_as_the_published_crate_does() {
        use embedded_hal_mock::eh1::delay::NoopDelay;
        for raw in (0..=u16::MAX).step_by(251).chain([u16::MAX]) {
            let bus = [start(), Transaction::read(ADDRESS, answer(raw, raw))];
            let mut other = sht4x::Sht4x::new(Mock::new(&bus));
            let theirs = other.measure(sht4x::Precision::High, &mut NoopDelay).unwrap();
            other.destroy().done();
            let celsius = theirs.temperature_celsius().to_num::<f64>();
            if let Ok(ours) = temperature(raw) {
                let ours = ours.to_f64(Quantity::AirTemperature);
                // They cut the quotient to 1/65536, which is up to 175/65536 too cold; we round to
                // the nearest millidegree.
                assert!(
                    (ours - celsius).abs() < 175.0 / 65_536.0 + 0.000_51,
                    "{raw}: {ours} and {celsius}"
                );
            }
            let percent = theirs.humidity_percent().to_num::<f64>().clamp(0.0, 100.0);
            let ours = humidity(raw).to_f64(Quantity::RelativeHumidity);
            assert!(
                (ours - percent).abs() < 125.0 / 65_536.0 + 0.005_1,
                "{raw}: {ours} and {percent}"
            );
        }
    }
}
