//! What is known of many samples without reading them: least, greatest, sum, count, worst quality.
//!
//! A chunk carries one summary for each UTC hour that it has samples of, as one record; a day that
//! was rolled up carries another one, of ten minutes each:
//!
//! | bytes | what |
//! |---|---|
//! | unsigned | the first slot, in hours (or ten minutes) since 1970 |
//! | signed | base: the least value of the first slot with a usable sample |
//! | unsigned | common factor of all that follows, each value taken less the base |
//! | unsigned | how many slots, 1 to 24 (or 144) |
//! | and for each slot: | |
//! | 1 | slots since the one before, less one for all but the first, times 8, plus the quality's place in `Quality::ALL`; unsigned for ten minutes |
//! | unsigned | how many samples are usable; what follows is left out where none is |
//! | signed | least value, less that of the slot before (of the first: less the base), by the factor |
//! | unsigned | greatest value, less the least, by the factor |
//! | unsigned | sum, less count times the least, by the factor |

use measure::{Quality, Scaled};

use super::bytes::{Damage, Reader, Writer};
use super::chunk::DAY_US;
use super::column::greatest_divisor;
use crate::Sample;

/// One hour, in microseconds: the step of the summaries.
pub(super) const HOUR_US: i64 = 3_600_000_000;

/// How long the slots of a record are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    Hour,
    TenMinutes,
}

impl Grain {
    /// Returns the length of a slot, in microseconds.
    pub(super) const fn us(self) -> i64 {
        match self {
            Self::Hour => HOUR_US,
            Self::TenMinutes => HOUR_US / 6,
        }
    }

    const fn slots_max(self) -> usize {
        (DAY_US / self.us()) as usize
    }
}

/// Least, greatest, sum and count of the usable samples, and the worst quality of all.
///
/// Usable is what is no fault and not flagged as failed. A fault counts as missing, whatever its
/// flag says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) count: u32,
    pub(super) min: i32,
    pub(super) max: i32,
    pub(super) sum: i64,
    pub(super) worst: Option<Quality>,
}

impl Summary {
    /// Counts one sample in.
    pub(super) fn add(&mut self, sample: &Sample) {
        let one = match sample.reading {
            Ok(Scaled(value)) if sample.quality != Quality::Fail => {
                let (count, sum) = (1, i64::from(value));
                Self { count, min: value, max: value, sum, worst: Some(sample.quality) }
            }
            Ok(_) => Self { worst: Some(sample.quality), ..Self::default() },
            Err(_) => Self { worst: Some(Quality::Missing), ..Self::default() },
        };
        self.merge(&one);
    }

    /// Counts another summary in.
    pub(super) fn merge(&mut self, other: &Self) {
        if other.count > 0 {
            let empty = self.count == 0;
            self.min = if empty { other.min } else { self.min.min(other.min) };
            self.max = if empty { other.max } else { self.max.max(other.max) };
            self.sum = self.sum.saturating_add(other.sum);
            self.count = self.count.saturating_add(other.count);
        }
        self.worst = self.worst.max(other.worst);
    }
}

/// The summary of one hour, or of ten minutes, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// How many of its length have passed since 1970.
    pub(super) slot: i64,
    /// What its samples come to.
    pub(super) summary: Summary,
}

/// Returns the summaries of `samples`, which are sorted by time.
pub(super) fn slots_of(samples: &[Sample], grain: Grain) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for sample in samples {
        let slot = sample.time.micros().div_euclid(grain.us());
        if slots.last().is_none_or(|last| last.slot != slot) {
            slots.push(Slot { slot, summary: Summary::default() });
        }
        if let Some(last) = slots.last_mut() {
            last.summary.add(sample);
        }
    }
    slots
}

/// Returns the record of `slots`, which are of one day and sorted.
pub(super) fn emit(slots: &[Slot], grain: Grain) -> Vec<u8> {
    let mut out = Writer::new();
    let usable = || slots.iter().map(|slot| slot.summary).filter(|summary| summary.count > 0);
    let base = usable().next().map_or(0, |summary| i64::from(summary.min));
    let factor =
        usable().flat_map(|summary| distances(&summary, base)).fold(0, greatest_divisor).max(1);
    let mut next = slots.first().map_or(0, |slot| slot.slot);
    out.unsigned(next.unsigned_abs());
    out.signed(base);
    out.unsigned(factor);
    out.unsigned(slots.len() as u64);
    let factor = factor.cast_signed();
    let mut least = base;
    for Slot { slot, summary } in slots {
        let worst = summary.worst.unwrap_or_default();
        let place = Quality::ALL.iter().position(|&quality| quality == worst).unwrap_or_default();
        let head = (slot - next).unsigned_abs() << 3 | place as u64;
        match grain {
            Grain::Hour => out.byte(head as u8),
            Grain::TenMinutes => out.unsigned(head),
        }
        next = slot + 1;
        out.unsigned(u64::from(summary.count));
        if summary.count > 0 {
            let min = i64::from(summary.min);
            out.signed((min - least) / factor);
            out.unsigned(((i64::from(summary.max) - min) / factor).unsigned_abs());
            let above = summary.sum - i64::from(summary.count) * min;
            out.unsigned((above / factor).unsigned_abs());
            least = min;
        }
    }
    out.finish()
}

/// Returns what the factor has to divide.
fn distances(summary: &Summary, base: i64) -> [u64; 3] {
    let min = i64::from(summary.min);
    let above = summary.sum - i64::from(summary.count) * min;
    [min - base, i64::from(summary.max) - min, above].map(i64::unsigned_abs)
}

/// Reads the summaries of a record back.
pub(super) fn parse(record: &[u8], grain: Grain) -> Result<Vec<Slot>, Damage> {
    let mut reader = Reader::open(record)?;
    let far = Damage("a slot is out of range");
    let first = i64::try_from(reader.unsigned()?).map_err(|_| far)?;
    let mut next = if first < i64::MAX / DAY_US { first } else { return Err(far) };
    let base = reader.signed()?;
    let factor = reader.unsigned()?.cast_signed();
    let count = reader.length(grain.slots_max())?;
    let mut least = base;
    let mut slots = Vec::with_capacity(count);
    for _ in 0..count {
        let head = match grain {
            Grain::Hour => usize::from(reader.byte()?),
            Grain::TenMinutes => reader.length(Grain::TenMinutes.slots_max() << 3)?,
        };
        let slot = next + (head >> 3) as i64;
        next = slot + 1;
        let worst = Quality::ALL.get(head & 7).ok_or(Damage("a quality is unknown"))?;
        let count = reader.length(u32::MAX as usize)? as u32;
        let mut summary = Summary { worst: Some(*worst), count, ..Summary::default() };
        if count > 0 {
            least = least.wrapping_add(reader.signed()?.wrapping_mul(factor));
            let spread = reader.unsigned()?.cast_signed().wrapping_mul(factor);
            let above = reader.unsigned()?.cast_signed().wrapping_mul(factor);
            let value = |n: i64| i32::try_from(n).map_err(|_| Damage("a value is too large"));
            summary.min = value(least)?;
            summary.max = value(least.wrapping_add(spread))?;
            summary.sum = (i64::from(count) * least).wrapping_add(above);
        }
        slots.push(Slot { slot, summary });
    }
    reader.finish()?;
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use measure::{Fault, Marks, Reading, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::SeriesId;

    fn sample(time_us: i64, reading: Reading, quality: Quality) -> Sample {
        let time = Timestamp::from_micros(time_us).unwrap();
        Sample { series: SeriesId(1), time, reading, quality, marks: Marks::NONE, taken: None }
    }

    #[test]
    fn faults_and_failed_readings_show_in_the_quality_alone() {
        let mut summary = Summary::default();
        summary.add(&sample(0, Ok(Scaled(5)), Quality::Good));
        summary.add(&sample(1, Ok(Scaled(-90)), Quality::Fail));
        assert_eq!(summary.worst, Some(Quality::Fail));
        summary.add(&sample(2, Err(Fault::Bus), Quality::Good));
        let expect = Summary { count: 1, min: 5, max: 5, sum: 5, worst: Some(Quality::Missing) };
        assert_eq!(summary, expect);
    }

    fn any_day() -> impl Strategy<Value = Vec<Sample>> {
        let reading = (any::<i32>(), 0..9_usize, 1..1_000_i32);
        prop::collection::btree_map(0..DAY_US, reading, 1..150).prop_map(|day| {
            day.into_iter()
                .map(|(time, (value, kind, factor))| match kind {
                    0 => sample(time, Err(Fault::Device), Quality::Missing),
                    1 => sample(time, Ok(Scaled(value)), Quality::Fail),
                    2 => sample(time, Ok(Scaled(value)), Quality::Suspect),
                    _ => sample(time, Ok(Scaled(value / 100_000 * factor)), Quality::Good),
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn slots_come_back_and_add_up(samples in any_day()) {
            let mut direct = Summary::default();
            samples.iter().for_each(|sample| direct.add(sample));
            for grain in [Grain::Hour, Grain::TenMinutes] {
                let slots = slots_of(&samples, grain);
                prop_assert_eq!(parse(&emit(&slots, grain), grain), Ok(slots.clone()));
                let mut merged = Summary::default();
                slots.iter().for_each(|slot| merged.merge(&slot.summary));
                prop_assert_eq!(direct, merged);
            }
        }

        #[test]
        fn no_payload_makes_it_panic(payload in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut writer = Writer::new();
            for byte in payload {
                writer.byte(byte);
            }
            let record = writer.finish();
            drop(parse(&record, Grain::Hour));
            drop(parse(&record, Grain::TenMinutes));
        }
    }
}
