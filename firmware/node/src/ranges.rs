//! Closed ranges of sequences: which ones the gateway has, and which ones the node gave up.

use heapless::Vec;
use measure::{Sequence, SequenceRange};
use wire::GapReason;

/// The most ranges of freed sequences kept apart; beyond, the smallest is forgotten and its readings are
/// sent again.
pub const FREED_RANGES_MAX: usize = 16;
/// The most gaps kept apart; beyond, two neighbours become one, for the graver of their reasons. Nothing
/// between them is lost by that: a gap here lies below everything that still waits.
pub const GAPS_MAX: usize = 16;

/// What the gateway has: everything below a floor, and some ranges above it.
#[derive(Clone, Debug)]
pub(crate) struct Freed<const N: usize = FREED_RANGES_MAX> {
    floor: u64,
    /// Above the floor, in order, no two of them touching.
    ranges: Vec<SequenceRange, N>,
}

impl<const N: usize> Freed<N> {
    pub(crate) const fn new(floor: Sequence) -> Self {
        Self { floor: floor.0, ranges: Vec::new() }
    }

    /// Returns the first sequence that is not freed.
    pub(crate) const fn floor(&self) -> Sequence {
        Sequence(self.floor)
    }

    /// Returns how many sequences from the floor to `end` are freed.
    pub(crate) fn above_floor(&self, end: Sequence) -> u64 {
        let upto = |range: &SequenceRange| range.last.0.saturating_add(1).min(end.0);
        self.ranges.iter().map(|range| upto(range).saturating_sub(range.first.0)).sum()
    }

    /// Raises the floor: all below is freed or given up.
    pub(crate) fn raise(&mut self, floor: Sequence) {
        self.floor = self.floor.max(floor.0);
        self.absorb();
    }

    /// Frees what `range` names.
    pub(crate) fn insert(&mut self, range: SequenceRange) {
        let (mut first, mut last) = (range.first.0.max(self.floor), range.last.0);
        if first > last {
            return;
        }
        self.ranges.retain(|known| {
            let touches =
                known.first.0 <= last.saturating_add(1) && first <= known.last.0.saturating_add(1);
            if touches {
                first = first.min(known.first.0);
                last = last.max(known.last.0);
            }
            !touches
        });
        if self.ranges.is_full()
            && let Some(smallest) = (0..self.ranges.len())
                .min_by_key(|index| self.ranges.get(*index).map(|r| r.last.0 - r.first.0))
        {
            self.ranges.remove(smallest);
        }
        let at = self.ranges.iter().take_while(|known| known.first.0 < first).count();
        let merged = SequenceRange { first: Sequence(first), last: Sequence(last) };
        // There is room: a range was removed where there was none.
        if self.ranges.insert(at, merged).is_err() {
            return;
        }
        self.absorb();
    }

    /// Returns the first part of `range` that is not freed.
    pub(crate) fn first_missing(&self, range: SequenceRange) -> Option<SequenceRange> {
        let mut first = range.first.0.max(self.floor);
        for known in &self.ranges {
            if known.last.0 < first {
                continue;
            }
            if known.first.0 > first {
                let last = range.last.0.min(known.first.0 - 1);
                return SequenceRange::new(Sequence(first), Sequence(last));
            }
            first = known.last.0 + 1;
        }
        SequenceRange::new(Sequence(first), range.last)
    }

    /// Returns these ranges with room for `M` of them, to which others can be added.
    pub(crate) fn widened<const M: usize>(&self) -> Freed<M> {
        Freed { floor: self.floor, ranges: self.ranges.iter().copied().take(M).collect() }
    }

    fn absorb(&mut self) {
        let floor = &mut self.floor;
        self.ranges.retain(|range| {
            let reached = range.first.0 <= *floor;
            if reached {
                *floor = (*floor).max(range.last.0.saturating_add(1));
            }
            !reached
        });
    }
}

/// A range of sequences that the node gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) range: SequenceRange,
    pub(crate) reason: GapReason,
}

/// The gaps that the gateway has not acknowledged, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps(Vec<Gap, GAPS_MAX>);

/// Bytes of one gap in flash: first, last, reason.
const GAP_BYTES: usize = 17;
/// Bytes of all gaps in flash.
pub(crate) const GAPS_BYTES_MAX: usize = GAPS_MAX * GAP_BYTES;

impl Gaps {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Gap> {
        self.0.iter().copied()
    }

    /// Returns the sequence after the last gap; 0 without any.
    pub(crate) fn end(&self) -> Sequence {
        let ends = self.0.iter().map(|gap| gap.range.last.0.saturating_add(1));
        Sequence(ends.max().unwrap_or(0))
    }

    /// Adds a gap; gaps of one reason that touch become one.
    pub(crate) fn add(&mut self, gap: Gap) {
        let touching = self.0.iter_mut().find(|known| {
            known.reason == gap.reason
                && known.range.first.0 <= gap.range.last.0.saturating_add(1)
                && gap.range.first.0 <= known.range.last.0.saturating_add(1)
        });
        if let Some(known) = touching {
            known.range = hull(known.range, gap.range);
            return;
        }
        if self.0.is_full() {
            self.merge_nearest();
        }
        let at = self.0.iter().take_while(|known| known.range.first < gap.range.first).count();
        // There is room: two became one where there was none.
        if self.0.insert(at, gap).is_err() {
            self.merge_nearest();
        }
    }

    /// Removes what `range` names and returns whether that changed anything.
    pub(crate) fn remove(&mut self, range: SequenceRange) -> bool {
        let mut changed = false;
        let mut kept: Vec<Gap, GAPS_MAX> = Vec::new();
        for gap in &self.0 {
            let Gap { range: SequenceRange { first, last }, reason } = *gap;
            if range.last < first || last < range.first {
                // It was in a list of the same size.
                if kept.push(*gap).is_err() {
                    return changed;
                }
                continue;
            }
            changed = true;
            let below = range
                .first
                .0
                .checked_sub(1)
                .and_then(|end| SequenceRange::new(first, Sequence(end)));
            let above = range
                .last
                .0
                .checked_add(1)
                .and_then(|start| SequenceRange::new(Sequence(start), last));
            for range in [below, above].into_iter().flatten() {
                if kept.push(Gap { range, reason }).is_err() {
                    // No room to cut a gap in two: it stays whole and is acknowledged another time.
                    return false;
                }
            }
        }
        self.0 = kept;
        changed
    }

    /// Two neighbours become one, best of the same reason. See [`GAPS_MAX`].
    fn merge_nearest(&mut self) {
        let pairs = self.0.iter().zip(self.0.iter().skip(1)).enumerate();
        let nearest = pairs.min_by_key(|(_, (one, other))| {
            (one.reason != other.reason, other.range.first.0.saturating_sub(one.range.last.0))
        });
        let Some((index, (one, other))) = nearest else { return };
        // Of two reasons the graver one stands: readings that were taken, readings that may have been.
        let reason = [GapReason::RingFull, GapReason::Corrupt]
            .into_iter()
            .find(|graver| [one.reason, other.reason].contains(graver))
            .unwrap_or(GapReason::Unused);
        let merged = Gap { range: hull(one.range, other.range), reason };
        self.0.remove(index + 1);
        if let Some(slot) = self.0.get_mut(index) {
            *slot = merged;
        }
    }

    /// Writes the gaps as bytes for the flash.
    pub(crate) fn emit(&self) -> Vec<u8, GAPS_BYTES_MAX> {
        let gap_bytes = |gap: &Gap| {
            let first = gap.range.first.0.to_le_bytes();
            let last = gap.range.last.0.to_le_bytes();
            first.into_iter().chain(last).chain([gap.reason.code()])
        };
        self.0.iter().flat_map(gap_bytes).collect()
    }

    /// Reads gaps from the flash; what is none ends the list.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let gap = |bytes: &[u8]| {
            let (first, rest) = bytes.split_first_chunk::<8>()?;
            let (last, rest) = rest.split_first_chunk::<8>()?;
            let first = Sequence(u64::from_le_bytes(*first));
            let last = Sequence(u64::from_le_bytes(*last));
            let reason = GapReason::from_code(*rest.first()?)?;
            Some(Gap { range: SequenceRange::new(first, last)?, reason })
        };
        Self(bytes.chunks_exact(GAP_BYTES).take(GAPS_MAX).map_while(gap).collect())
    }
}

fn hull(one: SequenceRange, other: SequenceRange) -> SequenceRange {
    SequenceRange { first: one.first.min(other.first), last: one.last.max(other.last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, last: u64) -> SequenceRange {
        SequenceRange::new(Sequence(first), Sequence(last)).unwrap()
    }

    #[test]
    fn the_floor_rises_over_ranges_that_it_reaches() {
        let mut freed = Freed::<FREED_RANGES_MAX>::new(Sequence(10));
        freed.insert(range(20, 29));
        freed.insert(range(40, 49));
        assert_eq!(freed.floor(), Sequence(10));
        assert_eq!(freed.first_missing(range(15, 45)), Some(range(15, 19)));
        assert_eq!(freed.first_missing(range(25, 45)), Some(range(30, 39)));
        assert_eq!(freed.first_missing(range(42, 45)), None);
        freed.insert(range(0, 19));
        assert_eq!(freed.floor(), Sequence(30));
        freed.insert(range(30, 39));
        assert_eq!(freed.floor(), Sequence(50));
    }

    #[test]
    fn too_many_ranges_forget_the_smallest_and_nothing_else() {
        let mut freed = Freed::<FREED_RANGES_MAX>::new(Sequence(0));
        for n in 1..=FREED_RANGES_MAX as u64 {
            freed.insert(range(n * 100, n * 100 + 10 + n));
        }
        freed.insert(range(5_000, 5_100));
        assert_eq!(freed.first_missing(range(100, 111)), Some(range(100, 111)));
        for n in 2..=FREED_RANGES_MAX as u64 {
            assert_eq!(freed.first_missing(range(n * 100, n * 100 + 10 + n)), None);
        }
        assert_eq!(freed.first_missing(range(5_000, 5_100)), None);
    }

    #[test]
    fn an_acknowledged_part_of_a_gap_leaves_the_rest() {
        let mut gaps = Gaps::default();
        gaps.add(Gap { range: range(0, 9), reason: GapReason::RingFull });
        gaps.add(Gap { range: range(10, 19), reason: GapReason::RingFull });
        gaps.add(Gap { range: range(20, 29), reason: GapReason::Corrupt });
        assert_eq!(gaps.iter().count(), 2);
        assert!(gaps.remove(range(5, 6)));
        assert!(!gaps.remove(range(5, 6)));
        let left: std::vec::Vec<_> = gaps.iter().map(|gap| gap.range).collect();
        assert_eq!(left, [range(0, 4), range(7, 19), range(20, 29)]);
        assert_eq!(Gaps::parse(&gaps.emit()), gaps);
    }

    #[test]
    fn too_many_gaps_cover_more_but_never_less() {
        let mut gaps = Gaps::default();
        for n in 0..40 {
            gaps.add(Gap { range: range(n * 10, n * 10 + 3), reason: GapReason::RingFull });
        }
        assert_eq!(gaps.iter().count(), GAPS_MAX);
        for n in 0..40 {
            assert!(gaps.iter().any(|gap| gap.range.contains(Sequence(n * 10 + 3))));
        }
    }
}
