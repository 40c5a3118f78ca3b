//! Ranges of sequences, put together and dealt out into acknowledgements.

use measure::{FlashId, Sequence, SequenceRange, Timestamp, Uptime};
use wire::{ACK_RANGES_MAX, Ack};

/// Sorts ranges and joins those that overlap or follow each other.
pub(crate) fn join(mut ranges: Vec<SequenceRange>) -> Vec<SequenceRange> {
    ranges.sort_unstable();
    let mut joined: Vec<SequenceRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.first.0 <= last.last.0.saturating_add(1) => {
                last.last = last.last.max(range.last);
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// Returns the acknowledgements that name these ranges: as few as the limit of ranges allows.
pub(crate) fn acknowledge(
    flash: FlashId,
    ranges: Vec<SequenceRange>,
    utc: Timestamp,
    echo: Uptime,
) -> Vec<Ack> {
    join(ranges)
        .chunks(ACK_RANGES_MAX)
        .map(|chunk| Ack { flash, ranges: chunk.iter().copied().collect(), utc, echo })
        .collect()
}

/// Returns the range of `count` sequences from `first` on; `None` where there is no such range.
pub(crate) fn run_of(first: Sequence, count: usize) -> Option<SequenceRange> {
    let beyond = u64::try_from(count).ok()?.checked_sub(1)?;
    SequenceRange::new(first, Sequence(first.0.checked_add(beyond)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(pairs: &[(u64, u64)]) -> Vec<SequenceRange> {
        pairs
            .iter()
            .map(|&(first, last)| SequenceRange { first: Sequence(first), last: Sequence(last) })
            .collect()
    }

    #[track_caller]
    fn check(given: &[(u64, u64)], expect: &[(u64, u64)]) {
        assert_eq!(join(ranges(given)), ranges(expect));
    }

    #[test]
    fn neighbours_and_overlaps_become_one_range() {
        check(&[], &[]);
        check(&[(1, 3), (4, 6)], &[(1, 6)]);
        check(&[(4, 6), (1, 3)], &[(1, 6)]);
        check(&[(1, 9), (2, 3), (9, 10)], &[(1, 10)]);
        check(&[(1, 3), (5, 6)], &[(1, 3), (5, 6)]);
        check(&[(7, 7), (7, 7)], &[(7, 7)]);
        check(&[(0, u64::MAX), (5, 5)], &[(0, u64::MAX)]);
    }

    #[test]
    fn nine_holes_take_two_acknowledgements() {
        let holes: Vec<(u64, u64)> = (0..9).map(|n| (n * 10, n * 10 + 1)).collect();
        let acks = acknowledge(FlashId(1), ranges(&holes), Timestamp::MIN, Uptime(5));
        assert_eq!(acks.iter().map(|ack| ack.ranges.len()).collect::<Vec<_>>(), [8, 1]);
        assert!(acks.iter().all(|ack| ack.echo == Uptime(5)));
    }

    #[test]
    fn a_run_beyond_the_last_sequence_is_none() {
        assert_eq!(run_of(Sequence(5), 3), Some(ranges(&[(5, 7)])[0]));
        assert_eq!(run_of(Sequence(5), 0), None);
        assert_eq!(run_of(Sequence(u64::MAX), 1), Some(ranges(&[(u64::MAX, u64::MAX)])[0]));
        assert_eq!(run_of(Sequence(u64::MAX), 2), None);
    }
}
