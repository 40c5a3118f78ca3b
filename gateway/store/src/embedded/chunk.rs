//! A chunk: samples of one series and one UTC day, in the order of time, as one record.
//!
//! | bytes | what |
//! |---|---|
//! | unsigned | how many samples, 1 to [`CHUNK_SAMPLES_MAX`] |
//! | steps | time of each, in µs since 1970 |
//! | runs | fault of each, 0 for none |
//! | runs | quality of each, in QARTOD's number |
//! | runs | marks of each, in bits |
//! | column | value of each that is no fault, in the quantity's decimal steps |
//! | runs | 1 for each that a node has taken, 0 for a guest's |
//! | column | flash id of each that a node has taken |
//! | steps | sequence of each that a node has taken |
//!
//! A run is a byte and an unsigned count; runs end where every sample has its byte. Steps are the
//! first number and the usual difference between two, both signed, and a column of what each number
//! has beyond the first and one usual difference for each before it; none takes no byte. Records and
//! columns are those of [`bytes`](super::bytes) and [`column`](super::column).

use measure::{Fault, FlashId, Marks, Quality, Scaled, Sequence, Timestamp};

use super::bytes::{Damage, Reader, Writer};
use super::column;
use crate::{Sample, SeriesId, Taken};

/// The most samples in one chunk; a day with more becomes several chunks.
pub(super) const CHUNK_SAMPLES_MAX: usize = 4096;

const SECOND_US: i64 = 1_000_000;
/// One UTC day, in microseconds: no chunk reaches over its end.
pub(super) const DAY_US: i64 = 86_400_000_000;

/// The name of a chunk: its series, the second of its first sample, and a number among those that
/// share both. As one integer it sorts by series and time, and so do the tables of chunks.
///
/// | bits | what |
/// |---|---|
/// | 47 to 62 | series |
/// | 9 to 46 | seconds since 1970 of the first sample |
/// | 0 to 8 | number among equals |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChunkKey(pub(super) i64);

/// The most chunks of one series whose first samples share a second. They are merged long before.
pub(super) const EQUALS_MAX: i64 = 512;

impl ChunkKey {
    /// Returns the first key of those that begin in the second of `time_us`.
    pub(super) fn first(series: SeriesId, time_us: i64) -> Self {
        Self(i64::from(series.0) << 47 | time_us.div_euclid(1_000_000) << 9)
    }

    /// Returns the last key of those that begin in the second of `time_us`.
    pub(super) fn last(series: SeriesId, time_us: i64) -> Self {
        Self(Self::first(series, time_us).0 | (EQUALS_MAX - 1))
    }

    /// Returns the series.
    pub(super) fn series(self) -> SeriesId {
        SeriesId((self.0 >> 47) as u32)
    }

    /// Returns the second of the first sample, in µs: no sample of the chunk is earlier.
    pub(super) fn start_us(self) -> i64 {
        (self.0 >> 9 & ((1 << 38) - 1)) * 1_000_000
    }

    /// Returns the UTC day of every sample of the chunk, in days since 1970.
    pub(super) fn day(self) -> i64 {
        self.start_us() / DAY_US
    }
}

impl std::fmt::Display for ChunkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "chunk {} of series {}", self.0, self.series())
    }
}

/// Returns the record of `samples`, which are sorted by time.
pub(super) fn emit(samples: &[Sample]) -> Vec<u8> {
    let mut out = Writer::new();
    let times: Vec<i64> = samples.iter().map(|sample| sample.time.micros()).collect();
    out.unsigned(samples.len() as u64);
    write_steps(&mut out, &times);
    write_runs(&mut out, samples, |sample| sample.reading.err().map_or(0, Fault::code));
    write_runs(&mut out, samples, |sample| sample.quality.code());
    write_runs(&mut out, samples, |sample| sample.marks.bits());
    let values: Vec<i64> =
        samples.iter().filter_map(|s| s.reading.ok()).map(|value| i64::from(value.0)).collect();
    column::write(&mut out, &values);
    write_runs(&mut out, samples, |sample| u8::from(sample.taken.is_some()));
    let taken = || samples.iter().filter_map(|sample| sample.taken);
    let flashes: Vec<i64> = taken().map(|taken| i64::from(taken.flash.0)).collect();
    column::write(&mut out, &flashes);
    let sequences: Vec<i64> = taken().map(|taken| taken.sequence.0.cast_signed()).collect();
    write_steps(&mut out, &sequences);
    out.finish()
}

/// Reads the samples of a record back.
pub(super) fn parse(series: SeriesId, record: &[u8]) -> Result<Vec<Sample>, Damage> {
    let mut reader = Reader::open(record)?;
    let times = read_times(&mut reader)?;
    let count = times.len();
    let faults = read_runs(&mut reader, count)?;
    let qualities = read_runs(&mut reader, count)?;
    let marks = read_runs(&mut reader, count)?;
    let sound = faults.iter().filter(|&&fault| fault == 0).count();
    let mut values = column::read(&mut reader, sound)?.into_iter();
    let by_node = read_runs(&mut reader, count)?;
    let count_taken = by_node.iter().filter(|&&by_node| by_node == 1).count();
    let flashes = column::read(&mut reader, count_taken)?;
    let mut taken = flashes.into_iter().zip(read_steps(&mut reader, count_taken)?);
    reader.finish()?;
    let mut samples = Vec::with_capacity(count);
    let flags = faults.into_iter().zip(qualities).zip(marks).zip(by_node);
    for (time, (((fault, quality), marks), by_node)) in times.into_iter().zip(flags) {
        let reading = if fault == 0 {
            let value = values.next().and_then(|value| i32::try_from(value).ok());
            Ok(Scaled(value.ok_or(Damage("a value is too large"))?))
        } else {
            Err(Fault::from_code(fault).ok_or(Damage("a fault is unknown"))?)
        };
        let time = Timestamp::from_micros(time).ok_or(Damage("a time is out of range"))?;
        let quality = Quality::from_code(quality).ok_or(Damage("a quality is unknown"))?;
        let marks = Marks::from_bits(marks);
        let taken = if by_node == 1 { taken.next().map(to_taken).transpose()? } else { None };
        samples.push(Sample { series, time, reading, quality, marks, taken });
    }
    Ok(samples)
}

fn read_times(reader: &mut Reader<'_>) -> Result<Vec<i64>, Damage> {
    let count = reader.length(CHUNK_SAMPLES_MAX)?;
    let times = read_steps(reader, count)?;
    if times.is_sorted_by(|a, b| a < b) { Ok(times) } else { Err(Damage("times are not sorted")) }
}

fn to_taken((flash, sequence): (i64, i64)) -> Result<Taken, Damage> {
    let flash = u32::try_from(flash).map_err(|_| Damage("a flash id is out of range"))?;
    Ok(Taken { flash: FlashId(flash), sequence: Sequence(sequence.cast_unsigned()) })
}

fn write_steps(out: &mut Writer, numbers: &[i64]) {
    let Some(&first) = numbers.first() else { return };
    let usual = usual_step(numbers);
    out.signed(first);
    out.signed(usual);
    let mut due = first;
    let mut beyond = Vec::with_capacity(numbers.len());
    for number in numbers {
        beyond.push(number.wrapping_sub(due));
        due = due.wrapping_add(usual);
    }
    column::write(out, &beyond);
}

fn read_steps(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, Damage> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let mut due = reader.signed()?;
    let usual = reader.signed()?;
    let mut numbers = column::read(reader, count)?;
    for number in &mut numbers {
        *number = number.wrapping_add(due);
        due = due.wrapping_add(usual);
    }
    Ok(numbers)
}

/// Returns the step from which the numbers stray least: the median of the differences between
/// neighbours, or the same as a whole second of microseconds. A node with a regular schedule then
/// leaves only its jitter to be stored, which is less than the jitter of the differences.
fn usual_step(numbers: &[i64]) -> i64 {
    let pairs = numbers.iter().zip(numbers.iter().skip(1));
    let mut steps: Vec<i64> = pairs.map(|(a, b)| b.wrapping_sub(*a)).collect();
    let middle = steps.len() / 2;
    if steps.is_empty() {
        return 0;
    }
    let median = *steps.select_nth_unstable(middle).1;
    // The median of jittering steps is off by a little, which adds up over a day.
    let whole = median.saturating_add(SECOND_US / 2).div_euclid(SECOND_US).wrapping_mul(SECOND_US);
    if spread(numbers, whole) < spread(numbers, median) { whole } else { median }
}

/// Returns between which distances numbers lie from a line with this step, from end to end.
fn spread(numbers: &[i64], step: i64) -> u64 {
    let (mut least, mut most, mut due) = (0_i64, 0_i64, numbers.first().copied().unwrap_or(0));
    for number in numbers {
        let beyond = number.wrapping_sub(due);
        (least, most) = (least.min(beyond), most.max(beyond));
        due = due.wrapping_add(step);
    }
    most.abs_diff(least)
}

fn write_runs(out: &mut Writer, samples: &[Sample], byte: impl Fn(&Sample) -> u8) {
    for run in samples.chunk_by(|a, b| byte(a) == byte(b)) {
        out.byte(run.first().map_or(0, &byte));
        out.unsigned(run.len() as u64);
    }
}

fn read_runs(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u8>, Damage> {
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        let byte = reader.byte()?;
        let length = reader.length(count - bytes.len())?;
        if length == 0 {
            return Err(Damage("a run is empty"));
        }
        bytes.resize(bytes.len() + length, byte);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use measure::Reading;
    use proptest::prelude::*;

    use super::*;

    const SERIES: SeriesId = SeriesId(7);

    pub(crate) fn any_reading() -> impl Strategy<Value = Reading> {
        prop_oneof![
            8 => (-200_000_i32..200_000).prop_map(|value| Ok(Scaled(value))),
            1 => any::<i32>().prop_map(|value| Ok(Scaled(value))),
            1 => (0..Fault::ALL.len()).prop_map(|index| Err(Fault::ALL[index])),
        ]
    }

    fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
        let taken = (0_u32..3, any::<u64>())
            .prop_map(|(flash, sequence)| to_taken((flash.into(), sequence.cast_signed())));
        let taken = prop::option::of(taken.prop_map(Result::unwrap));
        let sample = (1_i64..90_000_000, any_reading(), 0..Quality::ALL.len(), 0_u8..8, taken);
        prop::collection::vec(sample, 1..200).prop_map(|parts| {
            let mut time = 1_700_000_000_000_000;
            let mut samples = Vec::new();
            for (step, reading, quality, marks, taken) in parts {
                time += step;
                samples.push(Sample {
                    series: SERIES,
                    time: Timestamp::from_micros(time).unwrap(),
                    reading,
                    quality: Quality::ALL[quality],
                    marks: Marks::from_bits(marks),
                    taken,
                });
            }
            samples
        })
    }

    fn day_of_minutes(jitter_ms: i64) -> Vec<Sample> {
        (0..1440_i64)
            .map(|minute| {
                let noise = (minute * 7_919) % 401 - 200;
                let value = (minute as f64 / 229.0).sin() * 6_000.0 + 22_000.0;
                let late = (minute * 6_151) % (jitter_ms + 1);
                Sample {
                    series: SERIES,
                    time: Timestamp::from_millis(1_735_689_600_000 + minute * 60_000 + late)
                        .unwrap(),
                    reading: Ok(Scaled((value as i32 + noise as i32) / 10 * 10)),
                    quality: Quality::Good,
                    marks: Marks::NONE,
                    taken: Some(Taken { flash: FlashId(9), sequence: Sequence(minute as u64 * 8) }),
                }
            })
            .collect()
    }

    #[test]
    fn a_day_of_minutes_takes_about_two_bytes_a_sample() {
        let punctual = emit(&day_of_minutes(0)).len() as f64 / 1440.0;
        let jittering = emit(&day_of_minutes(200)).len() as f64 / 1440.0;
        assert!(punctual < 1.2, "{punctual} bytes a sample");
        assert!(jittering < 2.2, "{jittering} bytes a sample");
    }

    #[test]
    fn a_few_samples_take_a_few_bytes() {
        let size = emit(&day_of_minutes(0)[..15]).len();
        assert!(size < 60, "{size} bytes");
    }

    #[test]
    fn a_key_sorts_by_series_and_time() {
        let key = ChunkKey::last(SeriesId(65_535), Timestamp::MAX.micros());
        assert!(key.0 > 0);
        assert_eq!(key.series(), SeriesId(65_535));
        assert_eq!(key.start_us(), Timestamp::MAX.micros() / 1_000_000 * 1_000_000);
        assert!(key < ChunkKey(i64::MAX));
        assert!(
            ChunkKey::last(SERIES, 5 * DAY_US) < ChunkKey::first(SERIES, 5 * DAY_US + 1_000_000)
        );
        assert!(ChunkKey::last(SERIES, Timestamp::MAX.micros()) < ChunkKey::first(SeriesId(8), 0));
        assert_eq!(ChunkKey::first(SERIES, 5 * DAY_US).day(), 5);
    }

    proptest! {
        #[test]
        fn samples_come_back(samples in any_samples()) {
            prop_assert_eq!(parse(SERIES, &emit(&samples)), Ok(samples));
        }

        #[test]
        fn no_payload_makes_it_panic(payload in prop::collection::vec(any::<u8>(), 0..120)) {
            let mut writer = Writer::new();
            for byte in payload {
                writer.byte(byte);
            }
            drop(parse(SERIES, &writer.finish()));
        }
    }
}
