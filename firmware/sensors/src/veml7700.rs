//! VEML7700: illuminance up to full sun, and from it photosynthetic light where the lamp is known.
//! Constants are those of Vishay's datasheet "VEML7700", document 84286, and of its application note
//! AN84323 "Designing the VEML7700 into an application", revision of 6 March 2025.
//!
//! Lux are what an eye sees, not what a leaf uses: the factor between them hangs on the spectrum. So
//! without a [`LightSource`] there is no PPFD. Its own error is some 10 %; a quantum sensor does better.

use embedded_hal::i2c::I2c;
use measure::{Fault, Quantity, Reading, Scaled};

use crate::bus::fault;
use crate::{Outcome, Probe, Readings, Wait, failed};

/// The configuration register; words go low byte first (datasheet, table "Command registers").
const ALS_CONF: u8 = 0x00;
/// The result.
const ALS: u8 = 0x04;
/// The count that cannot be told from any greater light.
const COUNT_SATURATED: u16 = u16::MAX;
/// Above it the chip answers less than proportionally (AN84323, "Application-dependent lux
/// calculation"): at a low gain the correction undoes that, at gain 1 a lower one is taken.
const COUNT_LINEAR_MAX: u16 = 10_000;
/// Under it the next finer level has few enough counts.
const COUNT_DIM: u16 = 1_000;
/// Above it the correction holds, in lux (the same section).
const CORRECT_FROM_LX: f64 = 1_000.0;
/// The most changes of level in a measurement; then it stands as it is.
const CHANGES_MAX: u8 = 3;

/// Gain and integration time.
#[derive(Debug, PartialEq, Eq)]
struct Level {
    /// Gain in bits 12 and 11, integration time in bits 9 to 6 (table "Register 00H").
    configuration: u16,
    /// The resolution, in ten-thousandths of a lux (AN84323, table "Resolution").
    resolution: u16,
    is_low_gain: bool,
    /// Twice the integration time, since the first one may have begun with the level before, and
    /// the 2.5 ms of power-on.
    wait: Wait,
}

/// From bright to dim.
static LEVELS: [Level; 3] = [
    // Gain 1/8, 25 ms.
    Level { configuration: 0x1300, resolution: 21_504, is_low_gain: true, wait: Wait { ms: 60 } },
    // Gain 1/8, 100 ms.
    Level { configuration: 0x1000, resolution: 5_376, is_low_gain: true, wait: Wait { ms: 210 } },
    // Gain 1, 100 ms.
    Level { configuration: 0x0000, resolution: 672, is_low_gain: false, wait: Wait { ms: 210 } },
];
const LEVEL_FIRST: usize = 1;

/// The lamp, or the sun: how many lux are one µmol/m²/s of PPFD (Thimijan and Heins, 1983,
/// HortScience 18(6):818–822, table 3; between 400 and 700 nm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LightSource {
    /// Sun and sky.
    Daylight,
    /// High-pressure sodium lamps.
    HighPressureSodium,
    /// Metal halide lamps.
    MetalHalide,
    /// Fluorescent lamps, cool white.
    CoolWhiteFluorescent,
    /// Another lamp, such as an LED, whose factor was measured beside a quantum sensor: tenths of a
    /// lux for 1 µmol/m²/s.
    Measured(u16),
}

impl LightSource {
    const fn tenths_of_lux(self) -> u16 {
        match self {
            Self::Daylight => 540,
            Self::HighPressureSodium => 820,
            Self::MetalHalide => 710,
            Self::CoolWhiteFluorescent => 740,
            Self::Measured(tenths) => tenths,
        }
    }
}

const QUANTITIES: [Quantity; 2] = [Quantity::Illuminance, Quantity::Ppfd];

/// A VEML7700 on its bus. It draws 45 µA all the time; on a battery a BH1750 sleeps.
#[derive(Debug)]
pub struct Veml7700<I> {
    i2c: I,
    source: Option<LightSource>,
    level: usize,
    changes: Option<u8>,
}

impl<I: I2c> Veml7700<I> {
    /// The only address.
    pub const ADDRESS: u8 = 0x10;

    /// Returns the chip, which measures illuminance alone. Nothing is sent yet.
    pub fn new(i2c: I) -> Self {
        Self { i2c, source: None, level: LEVEL_FIRST, changes: None }
    }

    /// Returns the chip under this light, for which it gives PPFD too.
    #[must_use]
    pub fn under(mut self, source: LightSource) -> Self {
        self.source = Some(source);
        self
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    fn level(&self) -> &'static Level {
        LEVELS.get(self.level).unwrap_or(&LEVELS[LEVEL_FIRST])
    }

    fn trigger(&mut self) -> Result<Wait, Fault> {
        let level = self.level();
        let [low, high] = level.configuration.to_le_bytes();
        self.i2c.write(Self::ADDRESS, &[ALS_CONF, low, high]).map_err(fault)?;
        Ok(level.wait)
    }

    fn read(&mut self) -> Result<u16, Fault> {
        let mut count = [0; 2];
        self.i2c.write_read(Self::ADDRESS, &[ALS], &mut count).map_err(fault)?;
        Ok(u16::from_le_bytes(count))
    }

    /// Returns the level that fits this count better, if there is one.
    fn better_level(&self, count: u16) -> Option<usize> {
        let is_bright = match self.level().is_low_gain {
            true => count == COUNT_SATURATED,
            false => count > COUNT_LINEAR_MAX,
        };
        if is_bright {
            self.level.checked_sub(1)
        } else if count < COUNT_DIM {
            Some(self.level + 1).filter(|level| *level < LEVELS.len())
        } else {
            None
        }
    }

    /// Takes the next step: a wait, or the reading of the illuminance.
    fn advance(&mut self, changes: u8) -> Result<Result<Wait, f64>, Fault> {
        let count = self.read()?;
        if let Some(level) = self.better_level(count).filter(|_| changes < CHANGES_MAX) {
            self.level = level;
            let wait = self.trigger()?;
            self.changes = Some(changes + 1);
            return Ok(Ok(wait));
        }
        if count == COUNT_SATURATED {
            return Err(Fault::Saturated);
        }
        Ok(Err(illuminance_lx(count, self.level())))
    }
}

impl<I: I2c> Probe for Veml7700<I> {
    fn sensor(&self) -> &'static str {
        "veml7700"
    }

    fn quantities(&self) -> &[Quantity] {
        let [illuminance @ .., _] = &QUANTITIES;
        if self.source.is_some() { &QUANTITIES } else { illuminance }
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.changes = None;
        let wait = self.trigger()?;
        self.changes = Some(0);
        Ok(wait)
    }

    fn finish(&mut self) -> Outcome {
        let Some(changes) = self.changes.take() else {
            return Outcome::Done(failed(self.quantities(), Fault::NotReady));
        };
        let lux = match self.advance(changes) {
            Ok(Ok(wait)) => return Outcome::Again(wait),
            Ok(Err(lux)) => lux,
            Err(fault) => return Outcome::Done(failed(self.quantities(), fault)),
        };
        let illuminance = steps(Quantity::Illuminance, lux);
        let mut readings = Readings::from_iter([(Quantity::Illuminance, illuminance)]);
        if let Some(source) = self.source {
            let ppfd = lux * 10.0 / f64::from(source.tenths_of_lux());
            let reading = illuminance.and_then(|_| steps(Quantity::Ppfd, ppfd));
            readings.extend([(Quantity::Ppfd, reading)]);
        }
        Outcome::Done(readings)
    }
}

/// Returns the light of a count, in lux, corrected where it must be (AN84323, the polynomial for
/// gains 1/4 and 1/8).
fn illuminance_lx(count: u16, level: &Level) -> f64 {
    let lux = f64::from(count) * f64::from(level.resolution) / 10_000.0;
    if !level.is_low_gain || lux <= CORRECT_FROM_LX {
        return lux;
    }
    lux * (1.002_3 + lux * (8.148_8e-5 + lux * (-9.392_4e-9 + lux * 6.013_5e-13)))
}

/// Light beyond what the quantity can have is a dazzled chip.
fn steps(quantity: Quantity, value: f64) -> Reading {
    Scaled::from_f64(quantity, value).map_err(|_| Fault::Saturated)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const ADDRESS: u8 = 0x10;
    const BRIGHT: u16 = 0x1300;
    const MIDDLE: u16 = 0x1000;
    const DIM: u16 = 0x0000;

    fn start(configuration: u16) -> Transaction {
        let [low, high] = configuration.to_le_bytes();
        Transaction::write(ADDRESS, vec![0x00, low, high])
    }

    fn read(count: u16) -> Transaction {
        Transaction::write_read(ADDRESS, vec![0x04], count.to_le_bytes().to_vec())
    }

    fn measure(probe: &mut Veml7700<Mock>) -> Vec<Reading> {
        let readings = match probe.start() {
            Err(fault) => failed(probe.quantities(), fault),
            Ok(_) => (0..crate::STEPS_MAX)
                .find_map(|_| match probe.finish() {
                    Outcome::Done(readings) => Some(readings),
                    Outcome::Again(_) => None,
                })
                .unwrap(),
        };
        readings.iter().map(|(_, reading)| *reading).collect()
    }

    #[track_caller]
    fn check(bus: &[Transaction], expect: Reading) {
        let mut probe = Veml7700::new(Mock::new(bus));
        assert_eq!(measure(&mut probe), [expect]);
        probe.release().done();
    }

    #[test]
    fn counts_become_lux() {
        // The application note's own example: 1480 counts at gain 1 and 100 ms are 99.5 lx; that
        // level is reached from the middle one, where they are 185.
        let bus = [start(MIDDLE), read(185), start(DIM), read(1_480)];
        check(&bus, Ok(Scaled(995)));
        check(&[start(MIDDLE), read(0), start(DIM), read(0)], Ok(Scaled(0)));
        check(&[start(MIDDLE), read(1_860)], Ok(Scaled(9_999)));
    }

    #[test]
    fn bright_light_is_corrected() {
        // 20 000 lx uncorrected are 96 216 - 75 139.2 + 32 595.2 + 20 046 = 73 718 lx.
        let lux = illuminance_lx(37_203, &LEVELS[1]);
        assert!((lux - 73_718.0).abs() < 10.0, "{lux}");
        let before = illuminance_lx(1_860, &LEVELS[1]);
        assert!(illuminance_lx(1_861, &LEVELS[1]) > before);
        check(&[start(MIDDLE), read(37_203)], Ok(Scaled(737_221)));
    }

    #[test]
    fn the_level_follows_the_light_and_stays() {
        let bus = [
            start(MIDDLE),
            read(20),
            start(DIM),
            read(160),
            start(DIM),
            read(10_001),
            start(MIDDLE),
            read(1_250),
            start(MIDDLE),
            read(1_250),
        ];
        let mut probe = Veml7700::new(Mock::new(&bus));
        assert_eq!(measure(&mut probe), [Ok(Scaled(108))]);
        assert_eq!(measure(&mut probe), [Ok(Scaled(6_720))]);
        assert_eq!(measure(&mut probe), [Ok(Scaled(6_720))]);
        probe.release().done();
    }

    #[test]
    fn beyond_the_brightest_level_it_is_saturated() {
        let full = || read(0xFFFF);
        check(&[start(MIDDLE), full(), start(BRIGHT), full()], Err(Fault::Saturated));
        check(&[start(MIDDLE), full(), start(BRIGHT), read(20_000)], Err(Fault::Saturated));
    }

    #[test]
    fn flickering_light_does_not_hold_the_node() {
        let bus = [
            start(MIDDLE),
            read(500),
            start(DIM),
            read(20_000),
            start(MIDDLE),
            read(500),
            start(DIM),
            read(20_000),
        ];
        check(&bus, Ok(Scaled(13_440)));
    }

    #[test]
    fn photosynthetic_light_needs_its_source() {
        for (source, ppfd) in [
            (LightSource::Daylight, 185),
            (LightSource::HighPressureSodium, 122),
            (LightSource::MetalHalide, 141),
            (LightSource::CoolWhiteFluorescent, 135),
            (LightSource::Measured(625), 160),
        ] {
            let bus = [start(MIDDLE), read(1_860)];
            let mut probe = Veml7700::new(Mock::new(&bus)).under(source);
            assert_eq!(probe.quantities(), QUANTITIES);
            assert_eq!(measure(&mut probe), [Ok(Scaled(9_999)), Ok(Scaled(ppfd))]);
            probe.release().done();
        }
        let bus = [start(MIDDLE), read(1_860)];
        let mut probe = Veml7700::new(Mock::new(&bus)).under(LightSource::Measured(0));
        assert_eq!(measure(&mut probe), [Ok(Scaled(9_999)), Err(Fault::Saturated)]);
        probe.release().done();
        let probe = Veml7700::new(Mock::new(&[]));
        assert_eq!(probe.quantities(), [Quantity::Illuminance]);
        probe.release().done();
    }

    #[test]
    fn each_bus_error_has_its_fault() {
        let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        check(&[start(MIDDLE).with_error(nack)], Err(Fault::NotPresent));
        check(&[start(MIDDLE), read(0).with_error(ErrorKind::Bus)], Err(Fault::Bus));
        let bus = [start(MIDDLE), read(0), start(DIM).with_error(ErrorKind::ArbitrationLoss)];
        check(&bus, Err(Fault::Bus));
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Veml7700::new(Mock::new(&[]));
        let nothing = failed(&QUANTITIES[..1], Fault::NotReady);
        assert_eq!(probe.finish(), Outcome::Done(nothing));
        probe.release().done();
    }

    #[test]
    fn the_published_crate_reads_the_same() {
        use veml7700::{Gain, IntegrationTime, convert_raw_als_to_lux};
        for count in (0..=u16::MAX).step_by(257) {
            for (level, gain, time) in [
                (0, Gain::OneEighth, IntegrationTime::_25ms),
                (1, Gain::OneEighth, IntegrationTime::_100ms),
                (2, Gain::One, IntegrationTime::_100ms),
            ] {
                let theirs = f64::from(convert_raw_als_to_lux(time, gain, count));
                let ours = illuminance_lx(count, &LEVELS[level]);
                // Theirs has 32-bit floats and approximate powers.
                assert!((ours - theirs).abs() <= 2e-3 * ours, "{count}: {ours}, {theirs}");
            }
        }
    }
}
