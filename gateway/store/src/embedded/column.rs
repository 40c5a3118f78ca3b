//! Columns of whole numbers, small on disk.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | kind: 0 all the same, 1 varints, 2 pco of 64 bits, 3 pco of 32 bits (since format 2) |
//! | signed | the first number |
//! | unsigned | kinds 1 to 3: the common factor of all differences to the first number |
//! | n | kind 1: the differences between neighbours, divided by the factor, signed |
//! | bytes | kinds 2 and 3: the differences to the first number, divided by the factor, as a pco file |
//!
//! How many numbers there are is known from outside; an empty column has no byte.

use pco::data_types::Number;
use pco::standalone::{simple_compress, simple_decompress_into};
use pco::{ChunkConfig, DeltaSpec, ModeSpec};

use super::bytes::{Damage, Reader, Writer};

const SAME: u8 = 0;
const VARINTS: u8 = 1;
const PCO: u8 = 2;
/// Read several times as fast as 64 bits, and a little smaller.
const PCO_32: u8 = 3;

/// Below this many numbers the fixed bytes of a pco file outweigh what it saves.
const PCO_NUMBERS_MIN: usize = 48;
/// pco's compression level: measured, 4 to 12 differ by less than 1 % on readings of a day.
const PCO_LEVEL: usize = 6;

/// Writes a column.
pub(super) fn write(out: &mut Writer, numbers: &[i64]) {
    let Some(&first) = numbers.first() else { return };
    let factor = numbers.iter().fold(0, |gcd, &n| greatest_divisor(gcd, n.abs_diff(first)));
    if factor == 0 {
        out.byte(SAME);
        out.signed(first);
        return;
    }
    let scaled = |n: i64| quotient(n, first, factor);
    if numbers.len() >= PCO_NUMBERS_MIN {
        let steps = || numbers.iter().map(|&n| scaled(n));
        let mode = if factor == 1 { ModeSpec::Auto } else { ModeSpec::Classic };
        // It refuses nothing but a bad configuration; if it ever did, varints hold any number.
        let narrow: Option<Vec<i32>> = steps().map(|step| i32::try_from(step).ok()).collect();
        let (kind, file) = match narrow {
            Some(narrow) => (PCO_32, compress(&narrow, mode)),
            None => (PCO, compress(&steps().collect::<Vec<i64>>(), mode)),
        };
        if let Some(file) = file {
            out.byte(kind);
            out.signed(first);
            out.unsigned(factor);
            out.bytes(&file);
            return;
        }
    }
    out.byte(VARINTS);
    out.signed(first);
    out.unsigned(factor);
    let mut before = 0_i64;
    for &n in numbers {
        let step = scaled(n);
        out.signed(step.wrapping_sub(before));
        before = step;
    }
}

/// Reads a column of `count` numbers; the caller bounds `count`.
pub(super) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, Damage> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let kind = reader.byte()?;
    let first = reader.signed()?;
    if kind == SAME {
        return Ok(vec![first; count]);
    }
    let factor = reader.unsigned()?.cast_signed();
    let mut steps = vec![0_i64; count];
    match kind {
        VARINTS => {
            let mut before = 0_i64;
            for step in &mut steps {
                before = before.wrapping_add(reader.signed()?);
                *step = before;
            }
        }
        PCO => decompress(reader.bytes()?, &mut steps)?,
        PCO_32 => {
            let mut narrow = vec![0_i32; count];
            decompress(reader.bytes()?, &mut narrow)?;
            steps = narrow.into_iter().map(i64::from).collect();
        }
        _ => return Err(Damage("a column is of an unknown kind")),
    }
    for step in &mut steps {
        *step = step.wrapping_mul(factor).wrapping_add(first);
    }
    Ok(steps)
}

/// Returns the smaller of two files: pco judges by a part of the numbers whether differences are
/// smaller than the numbers themselves, and so few of a day mislead it.
fn compress<T: Number>(numbers: &[T], mode: ModeSpec) -> Option<Vec<u8>> {
    let deltas = [DeltaSpec::Auto, DeltaSpec::TryConsecutive(1)];
    let files = deltas.into_iter().filter_map(|delta| {
        let config = ChunkConfig::default()
            .with_compression_level(PCO_LEVEL)
            .with_mode_spec(mode.clone())
            .with_delta_spec(delta);
        simple_compress(numbers, &config).ok()
    });
    files.min_by_key(Vec::len)
}

fn decompress<T: Number>(file: &[u8], numbers: &mut [T]) -> Result<(), Damage> {
    let progress =
        simple_decompress_into(file, numbers).map_err(|_| Damage("a pco column is unreadable"))?;
    if progress.n_processed == numbers.len() {
        Ok(())
    } else {
        Err(Damage("a pco column is short"))
    }
}

/// Returns `(n - first) / factor`, which is exact; as a wrapping number where it needs 64 bits.
fn quotient(n: i64, first: i64, factor: u64) -> i64 {
    let size = (n.abs_diff(first) / factor).cast_signed();
    if n < first { size.wrapping_neg() } else { size }
}

/// Returns the greatest common divisor, after Euclid.
pub(super) fn greatest_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(numbers: &[i64]) -> usize {
        let mut writer = Writer::new();
        write(&mut writer, numbers);
        let record = writer.finish();
        let mut reader = Reader::open(&record).unwrap();
        assert_eq!(read(&mut reader, numbers.len()).as_deref(), Ok(numbers));
        assert_eq!(reader.finish(), Ok(()));
        record.len()
    }

    #[test]
    fn the_ends_of_the_numbers_come_back() {
        check(&[i64::MIN, i64::MAX, 0, -1, 1]);
        check(&[i64::MAX, i64::MIN]);
        check(&[i64::MIN; 3]);
        check(&[]);
        let many: Vec<i64> =
            (0..200).map(|i| if i % 2 == 0 { i64::MIN + i } else { i64::MAX - i }).collect();
        check(&many);
    }

    #[test]
    fn a_common_factor_costs_nothing() {
        let fine: Vec<i64> = (0..1440).map(|i| (i * i) % 977).collect();
        let coarse: Vec<i64> = fine.iter().map(|n| n * 1_000 + 7).collect();
        assert!(check(&coarse) <= check(&fine) + 4);
    }

    #[test]
    fn a_constant_takes_a_few_bytes_whatever_its_length() {
        assert!(check(&[23_500; 4096]) < 12);
    }

    proptest! {
        #[test]
        fn any_numbers_come_back(
            numbers in prop::collection::vec(any::<i64>(), 0..120),
            factor in 1_i64..1_000,
        ) {
            check(&numbers);
            let scaled: Vec<i64> =
                numbers.iter().map(|n| (n % 1_000_000_000) * factor).collect();
            check(&scaled);
        }

        #[test]
        fn no_bytes_make_it_panic(
            kind in 0_u8..5,
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            count in 0_usize..300,
        ) {
            let mut writer = Writer::new();
            writer.byte(kind);
            writer.signed(5);
            writer.unsigned(1);
            writer.bytes(&bytes);
            let record = writer.finish();
            let mut reader = Reader::open(&record).unwrap();
            drop(read(&mut reader, count));
        }
    }
}
