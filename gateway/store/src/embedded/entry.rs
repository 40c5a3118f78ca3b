//! A journal entry: what one commit has newly kept, as one record.
//!
//! | bytes | what |
//! |---|---|
//! | unsigned | how many ranges of sequences |
//! | and for each range: | |
//! | unsigned | row of the flash |
//! | unsigned | first sequence |
//! | unsigned | last sequence, less the first |
//! | unsigned | how many samples, at most [`BATCH_SAMPLES_MAX`] |
//! | and for each sample: | |
//! | signed | series, less that of the sample before |
//! | signed | time in µs, less that of the sample before |
//! | 1 | 0 for a value, else the fault; plus 128 where a node has taken it |
//! | 1 | marks, times 16, plus quality in QARTOD's number |
//! | signed | the value, left out for a fault |
//! | signed | flash id, less that of the sample before, left out for a guest's |
//! | signed | sequence, less that of the sample before, left out for a guest's |
//!
//! Since format 2, and only where any sample stands anew, two more lists follow, each a count and
//! samples as above, the first of which counts from nothing again: those that stand in place of
//! others, then those whose quality alone has changed, whole.

use measure::{Fault, FlashId, Marks, Quality, Scaled, Sequence, Timestamp};

use super::bytes::{Damage, Reader, Writer};
use crate::{BATCH_SAMPLES_MAX, Sample, SeriesId, Taken};

/// The most ranges in one entry: each sample brings at most one, each gap at most the holes of a
/// full set, and batches are bounded; a record that claims more is damaged.
const RANGES_MAX: usize = 1 << 24;

/// Set in the byte of the fault where flash id and sequence follow.
const TAKEN: u8 = 0x80;
/// What the first sample of an entry counts from.
const START: Taken = Taken { flash: FlashId(0), sequence: Sequence(0) };

/// What one commit has newly kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Sequences that count as seen from now on.
    pub(super) seen: Vec<Seen>,
    /// The samples, at the times they are kept at.
    pub(super) samples: Vec<Sample>,
    /// Derived samples that stand in place of others from now on.
    pub(super) replaced: Vec<Sample>,
    /// Samples whose quality is another from now on, as they are now.
    pub(super) flagged: Vec<Sample>,
}

impl Entry {
    /// Returns whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.samples.is_empty() && !self.stands_anew()
    }

    /// Returns what the journal answers: what is new of it, then what stands in place of others.
    pub(super) fn into_answer(mut self) -> Vec<Sample> {
        self.samples.append(&mut self.replaced);
        self.samples
    }

    fn stands_anew(&self) -> bool {
        !self.replaced.is_empty() || !self.flagged.is_empty()
    }
}

/// A range of sequences of the flash in a row of the table of flashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) flash: i64,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Returns the record of an entry.
pub(super) fn emit(entry: &Entry) -> Vec<u8> {
    let mut out = Writer::new();
    out.unsigned(entry.seen.len() as u64);
    for seen in &entry.seen {
        out.unsigned(seen.flash.cast_unsigned());
        out.unsigned(seen.first);
        out.unsigned(seen.last - seen.first);
    }
    write_samples(&mut out, &entry.samples);
    if entry.stands_anew() {
        write_samples(&mut out, &entry.replaced);
        write_samples(&mut out, &entry.flagged);
    }
    out.finish()
}

fn write_samples(out: &mut Writer, samples: &[Sample]) {
    out.unsigned(samples.len() as u64);
    let (mut series, mut time, mut before) = (0_i64, 0_i64, START);
    for sample in samples {
        out.signed(i64::from(sample.series.0) - series);
        out.signed(sample.time.micros() - time);
        series = i64::from(sample.series.0);
        time = sample.time.micros();
        let taken = if sample.taken.is_some() { TAKEN } else { 0 };
        out.byte(sample.reading.err().map_or(0, Fault::code) | taken);
        out.byte(sample.marks.bits() << 4 | sample.quality.code());
        if let Ok(value) = sample.reading {
            out.signed(i64::from(value.0));
        }
        if let Some(taken) = sample.taken {
            out.signed(i64::from(taken.flash.0) - i64::from(before.flash.0));
            out.signed(taken.sequence.0.wrapping_sub(before.sequence.0).cast_signed());
            before = taken;
        }
    }
}

/// Reads an entry back.
pub(super) fn parse(record: &[u8]) -> Result<Entry, Damage> {
    let mut reader = Reader::open(record)?;
    let mut entry = Entry::default();
    for _ in 0..reader.length(RANGES_MAX)? {
        let flash = reader.unsigned()?.cast_signed();
        let first = reader.unsigned()?;
        let last = first.checked_add(reader.unsigned()?).ok_or(Damage("a range is too long"))?;
        entry.seen.push(Seen { flash, first, last });
    }
    entry.samples = read_samples(&mut reader)?;
    if !reader.is_at_end() {
        entry.replaced = read_samples(&mut reader)?;
        entry.flagged = read_samples(&mut reader)?;
    }
    reader.finish()?;
    Ok(entry)
}

fn read_samples(reader: &mut Reader<'_>) -> Result<Vec<Sample>, Damage> {
    let (mut series, mut time, mut before) = (0_i64, 0_i64, START);
    let mut samples = Vec::new();
    for _ in 0..reader.length(BATCH_SAMPLES_MAX)? {
        series = series.wrapping_add(reader.signed()?);
        time = time.wrapping_add(reader.signed()?);
        samples.push(read_sample(reader, series, time, &mut before)?);
    }
    Ok(samples)
}

fn read_sample(
    reader: &mut Reader<'_>,
    series: i64,
    time: i64,
    before: &mut Taken,
) -> Result<Sample, Damage> {
    let series = SeriesId(u32::try_from(series).map_err(|_| Damage("a series is out of range"))?);
    let time = Timestamp::from_micros(time).ok_or(Damage("a time is out of range"))?;
    let first = reader.byte()?;
    let fault = first & !TAKEN;
    let flags = reader.byte()?;
    let quality = Quality::from_code(flags & 0x0F).ok_or(Damage("a quality is unknown"))?;
    let marks = Marks::from_bits(flags >> 4);
    let reading = if fault == 0 {
        let value = i32::try_from(reader.signed()?).map_err(|_| Damage("a value is too large"))?;
        Ok(Scaled(value))
    } else {
        Err(Fault::from_code(fault).ok_or(Damage("a fault is unknown"))?)
    };
    let mut taken = None;
    if first & TAKEN != 0 {
        let flash = i64::from(before.flash.0).wrapping_add(reader.signed()?);
        let flash = u32::try_from(flash).map_err(|_| Damage("a flash id is out of range"))?;
        let sequence = before.sequence.0.wrapping_add(reader.signed()?.cast_unsigned());
        *before = Taken { flash: FlashId(flash), sequence: Sequence(sequence) };
        taken = Some(*before);
    }
    Ok(Sample { series, time, reading, quality, marks, taken })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_has_these_bytes() {
        let sample = |series, time_us, reading, quality, marks, sequence: Option<u64>| Sample {
            series: SeriesId(series),
            time: Timestamp::from_micros(time_us).unwrap(),
            reading,
            quality,
            marks,
            taken: sequence.map(|s| Taken { flash: FlashId(4), sequence: Sequence(s) }),
        };
        let entry = Entry {
            seen: vec![Seen { flash: 1, first: 300, last: 301 }],
            samples: vec![
                sample(2, 64, Ok(Scaled(-1)), Quality::Good, Marks::NONE, Some(300)),
                sample(1, 63, Err(Fault::Bus), Quality::Missing, Marks::SHIFTED, None),
            ],
            ..Entry::default()
        };
        let record = emit(&entry);
        let expect = [1, 1, 1, 0xAC, 2, 1, 2, 4, 0x80, 1, 0x80, 1, 1, 8, 0xD8, 4, 1, 1, 2, 0x29];
        assert_eq!(record[..record.len() - 4], expect);
        assert_eq!(parse(&record), Ok(entry));
        let entry = Entry {
            replaced: vec![sample(3, 64, Ok(Scaled(2)), Quality::Suspect, Marks::NONE, None)],
            flagged: vec![sample(1, 63, Ok(Scaled(1)), Quality::Fail, Marks::NONE, Some(5))],
            ..Entry::default()
        };
        let record = emit(&entry);
        let expect = [1, 0, 0, 1, 6, 0x80, 1, 0, 3, 4, 1, 2, 0x7E, 0x80, 4, 2, 8, 10];
        assert_eq!(record[..record.len() - 4], expect);
        assert_eq!(parse(&record), Ok(entry));
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(payload in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut writer = Writer::new();
            for byte in payload {
                writer.byte(byte);
            }
            drop(parse(&writer.finish()));
        }
    }
}
