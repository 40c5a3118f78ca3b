//! QARTOD's tests as small streaming judges in integers, for nodes and for the gateway.
//!
//! After IOOS, "Manual for Real-Time Quality Control of Water Level Data", version 2.0 (2021), tests 4
//! (gross range), 6 (spike), 7 (rate of change) and 8 (flat line), as `ioos_qc` 3.0.0 has them: the flags
//! of its own test vectors are this file's tests. Values are [`Scaled`] steps of one quantity, times are
//! milliseconds that may wrap around after 49 days.
//!
//! # Default thresholds
//!
//! Of [`Thresholds::of`]. Class after the reference table of the sources: B a published rule in use, D a
//! datasheet, G a guess of ours, to be tuned on the nursery's own data. The gross range is
//! [`Quantity::range`].
//!
//! | quantity | rate, and the least step that counts | flat line (suspect) | class |
//! |---|---|---|---|
//! | air temperature | 3 °C/min, 2 °C | within 0.1 °C for 60 min | B: Zahumenský (2004), WMO |
//! | relative humidity | 10 %/min, 10 % | within 1 % for 60 min, but not at 95 % or more | B; the waiver G |
//! | substrate temperature | 0.5 °C/min, 0.5 °C | none | B/G |
//! | CO₂ | 500 ppm/min, 500 ppm | within 1 ppm for 60 min | G |
//! | substrate moisture | 0.1 (10 %) in 10 min, 10 % | none: dry and wet ends are plateaus | G |
//! | air pressure | none | within 0.1 hPa for 60 min | B |
//! | illuminance, PPFD, irradiance | none: clouds and lamps | none: nights are zero | D |
//! | pH, EC and all others | none | none | - |
//!
//! Substrate moisture rises faster while it is irrigated: that is suspect here, "of high interest", and no
//! more. Nothing but the gross range makes a value fail by default.

use crate::{Quality, Quantity, Reading, Scaled};

/// Returns the one flag of several tests: the highest of missing < not evaluated < good < suspect < fail,
/// as `ioos_qc` combines them: a test that was not run takes nothing from one that was.
pub fn combined(flags: impl IntoIterator<Item = Quality>) -> Quality {
    let rank = |flag: &Quality| match flag {
        Quality::Missing => 0,
        Quality::NotEvaluated => 1,
        Quality::Good => 2,
        Quality::Suspect => 3,
        Quality::Fail => 4,
    };
    flags.into_iter().max_by_key(rank).unwrap_or(Quality::NotEvaluated)
}

/// Test 4: the sensor cannot read outside of `fail`, and seldom does outside of `suspect`. Both ends of
/// both belong to the good side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrossRange {
    /// What the sensor can read.
    pub fail: (i32, i32),
    /// What it reads in practice.
    pub suspect: (i32, i32),
}

impl GrossRange {
    /// Returns the range of a quantity, with no narrower one.
    pub const fn of(quantity: Quantity) -> Self {
        Self { fail: quantity.range(), suspect: quantity.range() }
    }

    /// Judges a reading.
    pub fn judge(&self, reading: Reading) -> Quality {
        let is_in = |(low, high): (i32, i32), value: i32| (low..=high).contains(&value);
        match reading {
            Err(_) => Quality::Missing,
            Ok(Scaled(value)) if !is_in(self.fail, value) => Quality::Fail,
            Ok(Scaled(value)) if !is_in(self.suspect, value) => Quality::Suspect,
            Ok(_) => Quality::Good,
        }
    }
}

/// Test 7: how fast a value can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So many steps ...
    pub steps: u32,
    /// ... in so many milliseconds; the allowance grows and shrinks with the time between two values.
    pub per_ms: u32,
    /// But a change of so many steps is always allowed: it is the noise between two quick samples.
    pub least: u32,
}

/// The value before, to judge the rate by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Its steps and its time in milliseconds.
    pub before: Option<(i32, u32)>,
}

impl Rate {
    /// Judges a reading taken at `at_ms`: suspect where it is too far from the one before. The first one,
    /// and the first after a fault, is good: there is nothing to hold it against.
    pub fn judge(&mut self, limit: &RateLimit, at_ms: u32, reading: Reading) -> Quality {
        let before = core::mem::replace(&mut self.before, reading.ok().map(|one| (one.0, at_ms)));
        match (reading, before) {
            (Err(_), _) => Quality::Missing,
            (Ok(_), None) => Quality::Good,
            (Ok(Scaled(value)), Some((before, before_ms))) => {
                let passed_ms = u64::from(at_ms.wrapping_sub(before_ms));
                let change = u64::from(value.abs_diff(before));
                let allowed = u64::from(limit.steps) * passed_ms;
                // Multiplied out: change / passed > steps / per_ms.
                let is_fast = change.saturating_mul(u64::from(limit.per_ms)) > allowed;
                if is_fast && change > u64::from(limit.least) {
                    Quality::Suspect
                } else {
                    Quality::Good
                }
            }
        }
    }
}

/// Test 8: for how long a value can stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlatLimit {
    /// Values that differ by less than so many steps are the same.
    pub tolerance: u32,
    /// From so many milliseconds on it is suspect.
    pub suspect_ms: u32,
    /// From so many on it fails; `None`: never.
    pub fail_ms: Option<u32>,
}

/// The values of late that were the same: when they began, the least and the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flat {
    /// What it goes by; `None` before the first value.
    pub run: Option<Run>,
}

/// Values that are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When they began, or as long ago as counts.
    pub since_ms: u32,
    /// The time of the last one.
    pub last_ms: u32,
    /// The least of them.
    pub low: i32,
    /// The greatest.
    pub high: i32,
}

impl Flat {
    /// Judges a reading taken at `at_ms`.
    ///
    /// `ioos_qc` looks back over a window of so many whole sampling intervals as the time has; this one
    /// keeps no window but the run of values that are the same. A value that leaves the run begins a new
    /// one, so that on a slow drift it may flag later than the window, and never earlier. A fault is no
    /// end of a run; silence for longer than the suspect time is.
    pub fn judge(&mut self, limit: &FlatLimit, at_ms: u32, reading: Reading) -> Quality {
        let Ok(Scaled(value)) = reading else { return Quality::Missing };
        let new = Run { since_ms: at_ms, last_ms: at_ms, low: value, high: value };
        let Some(mut run) = self.run else {
            self.run = Some(new);
            return Quality::Good;
        };
        let step_ms = at_ms.wrapping_sub(run.last_ms);
        run = Run { last_ms: at_ms, low: run.low.min(value), high: run.high.max(value), ..run };
        let is_flat = run.high.abs_diff(run.low) < limit.tolerance && step_ms <= limit.suspect_ms;
        if !is_flat {
            self.run = Some(new);
            return Quality::Good;
        }
        let longest_ms = limit.fail_ms.unwrap_or(limit.suspect_ms).max(limit.suspect_ms);
        let passed_ms = at_ms.wrapping_sub(run.since_ms).min(longest_ms);
        // No run is remembered as longer than it must be, so that the clock may wrap.
        run.since_ms = at_ms.wrapping_sub(passed_ms);
        self.run = Some(run);
        // A whole number of intervals fits into the time once another one would not.
        let is_over = |ms: u32| u64::from(passed_ms) + u64::from(step_ms) > u64::from(ms);
        if limit.fail_ms.is_some_and(is_over) {
            Quality::Fail
        } else if is_over(limit.suspect_ms) {
            Quality::Suspect
        } else {
            Quality::Good
        }
    }
}

/// Test 6: how far a value can be from the mean of its neighbours, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpikeLimit {
    /// Beyond, it is suspect.
    pub suspect: u32,
    /// Beyond, it fails.
    pub fail: u32,
}

/// The two readings before. It judges the middle one of three, so it is for whoever can wait: a node has
/// sent it by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spike {
    before: Option<Reading>,
    middle: Option<Reading>,
}

impl Spike {
    /// Takes a reading in and judges the one before it; `None` where there is none.
    pub fn judge(&mut self, limit: &SpikeLimit, reading: Reading) -> Option<Quality> {
        let flag = self.flag(limit, Some(reading));
        self.before = self.middle;
        self.middle = Some(reading);
        flag
    }

    /// Judges the last reading, which has no neighbour after it.
    pub fn finish(self) -> Option<Quality> {
        self.flag(&SpikeLimit { suspect: 0, fail: 0 }, None)
    }

    fn flag(&self, limit: &SpikeLimit, after: Option<Reading>) -> Option<Quality> {
        let Ok(Scaled(value)) = self.middle? else { return Some(Quality::Missing) };
        let (Some(Ok(before)), Some(Ok(after))) = (self.before, after) else {
            return Some(Quality::NotEvaluated);
        };
        // Twice the distance from the mean: no half is lost.
        let twice = 2 * i64::from(value) - i64::from(before.0) - i64::from(after.0);
        let is_beyond = |steps: u32| twice.unsigned_abs() > 2 * u64::from(steps);
        Some(if is_beyond(limit.fail) {
            Quality::Fail
        } else if is_beyond(limit.suspect) {
            Quality::Suspect
        } else {
            Quality::Good
        })
    }
}

/// What a quantity's values are held against when nobody says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Test 4.
    pub range: GrossRange,
    /// Test 7; `None`: not run.
    pub rate: Option<RateLimit>,
    /// Test 8; `None`: not run.
    pub flat: Option<FlatLimit>,
    /// Test 8 is not run from this value on; the run is forgotten there.
    pub flat_below: Option<i32>,
}

const HOUR_MS: u32 = 3_600_000;
const MINUTE_MS: u32 = 60_000;

impl Thresholds {
    /// Returns the defaults of a quantity, as in the table of this file.
    pub const fn of(quantity: Quantity) -> Self {
        const fn rate(steps: u32, per_ms: u32, least: u32) -> Option<RateLimit> {
            Some(RateLimit { steps, per_ms, least })
        }
        const fn hour(tolerance: u32) -> Option<FlatLimit> {
            Some(FlatLimit { tolerance, suspect_ms: HOUR_MS, fail_ms: None })
        }
        let (rate, flat, flat_below) = match quantity {
            Quantity::AirTemperature => (rate(3_000, MINUTE_MS, 2_000), hour(100), None),
            Quantity::RelativeHumidity => (rate(1_000, MINUTE_MS, 1_000), hour(100), Some(9_500)),
            Quantity::SubstrateTemperature => (rate(500, MINUTE_MS, 500), None, None),
            Quantity::Co2 => (rate(500, MINUTE_MS, 500), hour(1), None),
            Quantity::SubstrateMoisture => (rate(1_000, 10 * MINUTE_MS, 1_000), None, None),
            Quantity::AirPressure => (None, hour(10), None),
            _ => (None, None, None),
        };
        Self { range: GrossRange::of(quantity), rate, flat, flat_below }
    }
}

/// The judge of one channel: gross range, rate and flat line, as a node can run them on the newest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judge {
    /// The value before.
    pub rate: Rate,
    /// The values of late.
    pub flat: Flat,
}

/// What each test of a [`Judge`] says of one reading; `None`: not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// Test 4.
    pub range: Quality,
    /// Test 7.
    pub rate: Option<Quality>,
    /// Test 8.
    pub flat: Option<Quality>,
}

impl Verdicts {
    /// Returns the one flag of all that were run.
    pub fn combined(self) -> Quality {
        combined([Some(self.range), self.rate, self.flat].into_iter().flatten())
    }
}

impl Judge {
    /// Judges a reading taken at `at_ms`.
    pub fn judge(&mut self, thresholds: &Thresholds, at_ms: u32, reading: Reading) -> Quality {
        self.each(thresholds, at_ms, reading).combined()
    }

    /// Judges a reading taken at `at_ms`, and says so test by test.
    pub fn each(&mut self, thresholds: &Thresholds, at_ms: u32, reading: Reading) -> Verdicts {
        let range = thresholds.range.judge(reading);
        let rate = thresholds.rate.map(|limit| self.rate.judge(&limit, at_ms, reading));
        let is_waived = |waived: i32| reading.is_ok_and(|value| value.0 >= waived);
        let flat = if thresholds.flat_below.is_some_and(is_waived) {
            self.flat = Flat::default();
            None
        } else {
            thresholds.flat.map(|limit| self.flat.judge(&limit, at_ms, reading))
        };
        Verdicts { range, rate, flat }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::Fault;

    /// Hundred-thousandths, so that every value of the vectors is whole.
    fn readings(values: &[f64]) -> Vec<Reading> {
        let scaled = |value: &f64| {
            if value.is_nan() {
                Err(Fault::NotReady)
            } else {
                Ok(Scaled((value * 1e5).round() as i32))
            }
        };
        values.iter().map(scaled).collect()
    }

    fn codes(flags: impl IntoIterator<Item = Quality>) -> Vec<u8> {
        flags.into_iter().map(Quality::code).collect()
    }

    const NONE: f64 = f64::NAN;
    const STEP_MS: u32 = 15 * MINUTE_MS;

    fn rates(values: &[f64]) -> Vec<u8> {
        let limit = RateLimit { steps: 500_000, per_ms: STEP_MS, least: 0 };
        let mut rate = Rate::default();
        // The clock wraps in the middle.
        let ticks = (0..).map(|tick: u32| (u32::MAX - 3 * STEP_MS).wrapping_add(tick * STEP_MS));
        codes(ticks.zip(readings(values)).map(|(at, one)| rate.judge(&limit, at, one)))
    }

    fn spikes(values: &[f64]) -> Vec<u8> {
        let limit = SpikeLimit { suspect: 2_500_000, fail: 5_000_000 };
        let mut spike = Spike::default();
        let mut flags: Vec<_> =
            readings(values).into_iter().filter_map(|one| spike.judge(&limit, one)).collect();
        flags.extend(spike.finish());
        codes(flags)
    }

    #[test]
    fn gross_range_as_ioos_qc() {
        let test = GrossRange { fail: (0, 500_000), suspect: (100_000, 400_000) };
        let flags = readings(&[1., 2., 3., 4., 8.]).into_iter().map(|one| test.judge(one));
        assert_eq!(codes(flags), [1, 1, 1, 1, 4]);
        assert_eq!(test.judge(Ok(Scaled(450_000))), Quality::Suspect);
    }

    #[test]
    fn spike_as_ioos_qc() {
        let flags = spikes(&[10., 12., 999.99, 13., 15., 40., 9., 9.]);
        assert_eq!(flags, [2, 4, 4, 4, 1, 3, 1, 2]);
    }

    #[test]
    fn spike_with_gaps_as_ioos_qc() {
        let values = [10., 12., 999.99, 13., 15., 40., 9., 9., NONE, 10., 10., 999.99, 10., NONE];
        assert_eq!(spikes(&values), [2, 4, 4, 4, 1, 3, 1, 2, 9, 2, 4, 4, 2, 9]);
    }

    #[test]
    fn rate_as_ioos_qc() {
        let values = [
            2., 10., 2.1, 3., 4., 5., 7., 10., 0., 2., 2.2, 2., 1., 2., 3., 90., 91., 92., 93., 1.,
            2., 3., 4., 5.,
        ];
        let flags = [1, 3, 3, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 3, 1, 1, 1, 1];
        assert_eq!(rates(&values), flags);
    }

    #[test]
    fn rate_with_gaps_as_ioos_qc() {
        assert_eq!(rates(&[2., 10., 2., 3., NONE, NONE, 7., 10.]), [1, 3, 3, 1, 9, 9, 1, 1]);
    }

    #[test]
    fn flat_line_as_ioos_qc() {
        let limit = FlatLimit { tolerance: 1_000, suspect_ms: 3_000_000, fail_ms: Some(4_800_000) };
        let values =
            [1., 2., 2.0001, 2., 2.0001, 2., 2.0001, 2., 4., 5., 3., 3.0001, 3.0005, 3.00001];
        let mut flat = Flat::default();
        let ticks = (0..).map(|tick: u32| (u32::MAX - 5 * STEP_MS).wrapping_add(tick * STEP_MS));
        let flags = ticks.zip(readings(&values)).map(|(at, one)| flat.judge(&limit, at, one));
        assert_eq!(codes(flags), [1, 1, 1, 1, 3, 3, 4, 4, 1, 1, 1, 1, 1, 3]);
    }

    #[test]
    fn the_combined_flag_has_the_order_of_ioos_qc() {
        use Quality::{Fail, Good, Missing, NotEvaluated, Suspect};
        let order = [Missing, NotEvaluated, Good, Suspect, Fail];
        for (rank, flag) in order.into_iter().enumerate() {
            for other in order.into_iter().take(rank + 1) {
                assert_eq!(combined([flag, other]), flag);
                assert_eq!(combined([other, flag]), flag);
            }
        }
        assert_eq!(combined([]), NotEvaluated);
    }

    #[test]
    fn the_rate_scales_with_the_time_and_leaves_noise_alone() {
        let thresholds = Thresholds::of(Quantity::AirTemperature);
        let flag = |ms: u32, change: i32| {
            let mut judge = Judge::default();
            judge.judge(&thresholds, 0, Ok(Scaled(20_000)));
            judge.judge(&thresholds, ms, Ok(Scaled(20_000 + change)))
        };
        assert_eq!(flag(MINUTE_MS, 3_000), Quality::Good);
        assert_eq!(flag(MINUTE_MS, -3_001), Quality::Suspect);
        assert_eq!(flag(10 * MINUTE_MS, 29_000), Quality::Good);
        assert_eq!(flag(1_000, 2_000), Quality::Good);
        assert_eq!(flag(1_000, 2_001), Quality::Suspect);
        assert_eq!(flag(1_000, 120_000), Quality::Fail);
    }

    #[test]
    fn a_humidity_at_the_dew_point_may_stand_still_and_one_below_not() {
        let thresholds = Thresholds::of(Quantity::RelativeHumidity);
        let last = |value: i32| {
            let mut judge = Judge::default();
            let flags = (0..=60).map(|minute| {
                judge.judge(
                    &thresholds,
                    minute * MINUTE_MS,
                    Ok(Scaled(value + (minute as i32 & 1))),
                )
            });
            flags.last()
        };
        assert_eq!(last(9_500), Some(Quality::Good));
        assert_eq!(last(9_300), Some(Quality::Suspect));
    }

    #[test]
    fn a_dark_night_is_no_flat_line() {
        let thresholds = Thresholds::of(Quantity::Illuminance);
        let mut judge = Judge::default();
        for minute in 0..600 {
            assert_eq!(judge.judge(&thresholds, minute * MINUTE_MS, Ok(Scaled(0))), Quality::Good);
        }
    }

    #[test]
    fn a_fault_is_missing_and_silence_ends_a_flat_run() {
        let thresholds = Thresholds::of(Quantity::Co2);
        let mut judge = Judge::default();
        assert_eq!(judge.judge(&thresholds, 0, Ok(Scaled(420))), Quality::Good);
        assert_eq!(judge.judge(&thresholds, 1, Err(Fault::Bus)), Quality::Missing);
        assert_eq!(judge.judge(&thresholds, HOUR_MS + 1, Ok(Scaled(420))), Quality::Good);
    }
}
