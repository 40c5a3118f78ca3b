//! Numbers that no sensor measures: what the air holds, and how much light a day brought.
//!
//! Made of good inputs that were taken together. Where one of them is a fault or failed, the number is
//! a fault as well, so that nobody takes silence for health; where one is not there, neither is the
//! number. It carries the worst flag of its inputs, and that its time is an estimate or its readings
//! were history. The same samples give the same numbers, whatever order they came in.

use agronomy::{Celsius, RelativeHumidity};
use measure::{Fault, Marks, Quality, Quantity, Reading, Scaled, Timestamp};
use store::{Sample, SeriesId};

use crate::twin::nearest;

/// What is derived of the temperature and the humidity of the air, into the series of the place where
/// the temperature is measured.
pub const OF_AIR: [Quantity; 3] =
    [Quantity::VapourPressureDeficit, Quantity::DewPoint, Quantity::AbsoluteHumidity];
/// How many intervals two inputs may lie apart.
pub const SKEW_INTERVALS_MAX: i64 = 2;
/// How much of a day must be covered for its light to be good, in percent; with less it is suspect.
pub const DAY_COVERAGE_MIN_PERCENT: i64 = 90;

/// Up to here a humidity is that of saturated air, read by a wet sensor (guideline of ZAMG, as quoted in
/// public quality control code).
const CREEP_MAX_PERCENT: f64 = 104.0;

/// Temperature and humidity of the air at one place, each in the order of time.
#[derive(Clone, Copy, Debug)]
pub struct Air<'a> {
    /// Samples of the air temperature.
    pub temperature: &'a [Sample],
    /// Samples of the relative humidity.
    pub humidity: &'a [Sample],
    /// How often both report, in milliseconds.
    pub interval_ms: u32,
}

impl Air<'_> {
    /// Returns how far away a reading of one of them can change a number at the time of the other, in
    /// milliseconds: so far around a new reading numbers must be derived again.
    pub fn reach_ms(&self) -> i64 {
        SKEW_INTERVALS_MAX * i64::from(self.interval_ms)
    }
}

/// Derives a quantity of [`OF_AIR`] at each temperature in `[from, to)`, from the humidity nearest to
/// it. For the right numbers at the edges, samples must reach [`Air::reach_ms`] beyond both ends.
pub fn derive(
    air: &Air<'_>,
    quantity: Quantity,
    into: SeriesId,
    (from, to): (Timestamp, Timestamp),
) -> Vec<Sample> {
    let within = |sample: &&Sample| from <= sample.time && sample.time < to;
    let at = |temperature: &Sample| {
        let humidity = nearest(air.humidity, temperature.time)?;
        let apart_ms = humidity.time.ms_since(temperature.time).abs();
        (apart_ms <= air.reach_ms()).then(|| one(temperature, humidity, quantity, into))
    };
    air.temperature.iter().filter(within).filter_map(at).collect()
}

fn one(temperature: &Sample, humidity: &Sample, quantity: Quantity, into: SeriesId) -> Sample {
    let input = |sample: &Sample| match sample.quality {
        Quality::Fail => Err(Fault::OutOfRange),
        _ => sample.reading,
    };
    let reading = input(temperature).and_then(|air| {
        let humidity = input(humidity)?;
        of_air(quantity, air, humidity)
    });
    derived(into, temperature.time, reading, [temperature, humidity])
}

/// Returns a quantity of the air.
fn of_air(quantity: Quantity, air: Scaled, humidity: Scaled) -> Reading {
    let air = Celsius::new(air.to_f64(Quantity::AirTemperature)).map_err(|_| Fault::OutOfRange)?;
    let percent = humidity.to_f64(Quantity::RelativeHumidity);
    let percent = if percent <= CREEP_MAX_PERCENT { percent.min(100.0) } else { percent };
    let humidity = RelativeHumidity::new(percent).map_err(|_| Fault::OutOfRange)?;
    let value = match quantity {
        Quantity::VapourPressureDeficit => Some(agronomy::vapour_pressure_deficit(air, humidity).0),
        Quantity::DewPoint => agronomy::dew_point(air, humidity).map(Celsius::degrees),
        Quantity::AbsoluteHumidity => Some(agronomy::absolute_humidity_g_per_m3(air, humidity)),
        _ => None,
    };
    let value = value.ok_or(Fault::OutOfRange)?;
    Scaled::from_f64(quantity, value).map_err(|_| Fault::OutOfRange)
}

fn derived<'a>(
    series: SeriesId,
    time: Timestamp,
    reading: Reading,
    inputs: impl IntoIterator<Item = &'a Sample>,
) -> Sample {
    let (mut quality, mut marks) = (Quality::Good, Marks::NONE);
    for input in inputs {
        quality = quality.worst(input.quality);
        for mark in [Marks::TIME_UNCERTAIN, Marks::HISTORY] {
            if input.marks.contains(mark) {
                marks = marks.with(mark);
            }
        }
    }
    if reading.is_err() {
        quality = Quality::Missing;
    }
    Sample { series, time, reading, quality, marks, taken: None }
}

/// What a light channel measures, and what photons that makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lamp {
    /// It measures photons.
    Ppfd,
    /// It measures lux, of light with so many lux for one µmol/(m² s): [`agronomy::SUN_LUX_PER_MICROMOLE`]
    /// for sunlight.
    Illuminance {
        /// Lux for one µmol/(m² s).
        lux_per_micromole: f64,
    },
}

/// Derives the light of one finished day, or photoperiod, `[from, to)`, from the samples of a light
/// channel in it: one number, one microsecond before the end. `None` where no sample is usable.
///
/// A reading holds until the next, at most [`SKEW_INTERVALS_MAX`] intervals. Where less than
/// [`DAY_COVERAGE_MIN_PERCENT`] of the day is covered the number is less than what fell and suspect.
pub fn derive_light(
    light: &[Sample],
    lamp: Lamp,
    interval_ms: u32,
    into: SeriesId,
    (from, to): (Timestamp, Timestamp),
) -> Option<Sample> {
    let held_ms = SKEW_INTERVALS_MAX * i64::from(interval_ms);
    let usable = |sample: &&Sample| {
        let is_sound = !matches!(sample.quality, Quality::Fail | Quality::Missing);
        from <= sample.time && sample.time < to && is_sound && sample.reading.is_ok()
    };
    let used: Vec<&Sample> = light.iter().filter(usable).collect();
    let ends = used.iter().skip(1).map(|sample| sample.time).chain([to]);
    let (mut moles, mut covered_ms) = (0.0, 0);
    for (sample, end) in used.iter().zip(ends) {
        let ms = end.ms_since(sample.time).min(held_ms);
        let value = sample.reading.ok()?;
        let micromoles = match lamp {
            Lamp::Ppfd => value.to_f64(Quantity::Ppfd),
            Lamp::Illuminance { lux_per_micromole } => {
                value.to_f64(Quantity::Illuminance) / lux_per_micromole
            }
        };
        moles += agronomy::light_integral(micromoles, ms as f64 / 1_000.0);
        covered_ms += ms;
    }
    let first = used.first()?;
    let quantity = Quantity::DailyLightIntegral;
    let reading = Scaled::from_f64(quantity, moles).map_err(|_| Fault::OutOfRange);
    let mut sample = derived(into, to.plus_micros(-1), reading, used.iter().copied());
    let is_whole = covered_ms * 100 >= to.ms_since(from) * DAY_COVERAGE_MIN_PERCENT;
    if !is_whole && sample.reading.is_ok() {
        sample.quality = sample.quality.worst(Quality::Suspect);
    }
    debug_assert!(first.time < to);
    Some(sample)
}
