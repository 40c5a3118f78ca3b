//! What follows from good readings that were taken together.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use measure::{Fault, Marks, Quality, Quantity, Reading, Scaled};
use quality::{Air, Lamp, OF_AIR, derive, derive_light};
use store::{Sample, SeriesId};

use support::{HOUR_MS, MINUTE_MS, at, incoming, stored};

const INTO: SeriesId = SeriesId(9);

fn sample(ms: i64, reading: Reading) -> Sample {
    let mut sample = stored(incoming(0, ms.unsigned_abs(), ms, reading));
    sample.quality = if reading.is_ok() { Quality::Good } else { Quality::Missing };
    sample
}

fn all(temperature: &[Sample], humidity: &[Sample], quantity: Quantity) -> Vec<Sample> {
    let air = Air { temperature, humidity, interval_ms: 60_000 };
    derive(&air, quantity, INTO, (at(-HOUR_MS), at(HOUR_MS)))
}

fn one(air: Sample, humidity: Sample, quantity: Quantity) -> Sample {
    all(&[air], &[humidity], quantity)[0]
}

/// The corners of the project's agronomy notes: FAO-56, and the vapour density of the ideal gas law.
#[test]
fn numbers_of_the_air_follow_the_tables() {
    for (milli_c, centi_percent, vpd_pa, dew_milli_c) in [
        (20_000, 9_500, 117, 19_174),
        (25_000, 6_000, 1_267, 16_696),
        (30_000, 5_000, 2_122, 18_438),
        (35_000, 9_000, 562, 33_107),
        (10_000, 2_500, 921, -9_091),
    ] {
        let pair = || (sample(0, Ok(Scaled(milli_c))), sample(10, Ok(Scaled(centi_percent))));
        let of = |quantity| {
            let (air, humidity) = pair();
            one(air, humidity, quantity).reading.unwrap().0
        };
        assert_eq!(of(Quantity::VapourPressureDeficit), vpd_pa);
        assert_eq!(of(Quantity::DewPoint), dew_milli_c);
    }
    let (air, humidity) = (sample(0, Ok(Scaled(25_000))), sample(0, Ok(Scaled(5_000))));
    let grams = one(air, humidity, Quantity::AbsoluteHumidity).reading.unwrap().0;
    // 11.5 g/m3: Sensirion, "Introduction to Humidity".
    assert!((1_145..=1_155).contains(&grams), "{grams}");
}

#[test]
fn a_number_has_the_time_of_its_temperature_and_the_worst_flag_and_the_marks_of_its_inputs() {
    let (mut air, mut humidity) = (sample(0, Ok(Scaled(20_000))), sample(400, Ok(Scaled(5_000))));
    let derived = one(air, humidity, Quantity::DewPoint);
    assert_eq!((derived.series, derived.time, derived.quality), (INTO, air.time, Quality::Good));
    assert_eq!((derived.marks, derived.taken), (Marks::NONE, None));
    humidity.quality = Quality::Suspect;
    air.marks = Marks::HISTORY.with(Marks::SHIFTED);
    humidity.marks = Marks::TIME_UNCERTAIN;
    let derived = one(air, humidity, Quantity::DewPoint);
    assert_eq!(derived.quality, Quality::Suspect);
    assert_eq!(derived.marks, Marks::HISTORY.with(Marks::TIME_UNCERTAIN));
}

#[test]
fn of_a_fault_or_a_failed_reading_follows_a_fault_and_of_none_nothing() {
    let (air, humidity) = (sample(0, Ok(Scaled(20_000))), sample(0, Ok(Scaled(5_000))));
    for quantity in OF_AIR {
        let fault = one(air, sample(0, Err(Fault::Bus)), quantity);
        assert_eq!((fault.reading, fault.quality), (Err(Fault::Bus), Quality::Missing));
        let failed = one(Sample { quality: Quality::Fail, ..air }, humidity, quantity);
        assert_eq!((failed.reading, failed.quality), (Err(Fault::OutOfRange), Quality::Missing));
        assert_eq!(all(&[air], &[], quantity), []);
        let far = sample(2 * MINUTE_MS + 1, Ok(Scaled(5_000)));
        assert_eq!(all(&[air], &[far], quantity), []);
        let near = sample(2 * MINUTE_MS, Ok(Scaled(5_000)));
        assert_eq!(all(&[air], &[near], quantity).len(), 1);
    }
    // Air without vapour has no dew point; a wet sensor's 103 % is saturated air.
    let dry = one(air, sample(0, Ok(Scaled(0))), Quantity::DewPoint);
    assert_eq!(dry.reading, Err(Fault::OutOfRange));
    let wet = one(air, sample(0, Ok(Scaled(10_300))), Quantity::VapourPressureDeficit);
    assert_eq!(wet.reading, Ok(Scaled(0)));
    let absurd = one(air, sample(0, Ok(Scaled(10_500))), Quantity::VapourPressureDeficit);
    assert_eq!(absurd.reading, Err(Fault::OutOfRange));
}

#[test]
fn the_nearest_humidity_counts_whatever_order_they_came_in() {
    let air = sample(0, Ok(Scaled(20_000)));
    let humidity: Vec<Sample> = [(-50_000, 1_000), (-20_000, 5_000), (30_000, 9_000)]
        .map(|(ms, percent)| sample(ms, Ok(Scaled(percent))))
        .to_vec();
    let expect = one(air, humidity[1], Quantity::DewPoint);
    assert_eq!(all(&[air], &humidity, Quantity::DewPoint), [expect]);
    let nearer = all(&[air], &humidity[2..], Quantity::DewPoint);
    assert_ne!(nearer[0].reading, expect.reading);
}

/// Samples a minute of one value in steps from one hour of a day to another.
fn light(value: i32, hours: std::ops::Range<i64>) -> Vec<Sample> {
    let minutes = hours.start * 60..hours.end * 60;
    minutes.map(|minute| sample(minute * MINUTE_MS, Ok(Scaled(value)))).collect()
}

fn day(light: &[Sample], lamp: Lamp) -> Option<Sample> {
    derive_light(light, lamp, 60_000, INTO, (at(0), at(24 * HOUR_MS)))
}

/// The project's agronomy notes: 20 h of 140 µmol/(m² s) are 10.08 mol/m².
#[test]
fn the_light_of_a_day_follows_the_table() {
    let samples = [light(1_400, 0..20), light(0, 20..24)].concat();
    let dli = day(&samples, Lamp::Ppfd).unwrap();
    assert_eq!((dli.reading, dli.quality), (Ok(Scaled(1_008)), Quality::Good));
    assert_eq!(dli.time, at(24 * HOUR_MS).plus_micros(-1));
    let lux = [light(75_600, 0..20), light(0, 20..24)].concat();
    let sun = Lamp::Illuminance { lux_per_micromole: 54.0 };
    assert_eq!(day(&lux, sun).unwrap().reading, Ok(Scaled(1_008)));
}

#[test]
fn a_day_with_holes_is_suspect_and_one_without_readings_has_no_number() {
    let dli = day(&light(1_400, 0..20), Lamp::Ppfd).unwrap();
    assert_eq!(dli.quality, Quality::Suspect);
    // Two minutes are bridged, not four hours.
    assert_eq!(dli.reading, Ok(Scaled(1_009)));
    assert_eq!(day(&[], Lamp::Ppfd), None);
    let mut failed = light(1_400, 0..20);
    failed.iter_mut().for_each(|sample| sample.quality = Quality::Fail);
    assert_eq!(day(&failed, Lamp::Ppfd), None);
}
