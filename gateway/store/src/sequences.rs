//! A set of sequences, kept as closed ranges.

use measure::{Sequence, SequenceRange};

/// A set of sequences as closed ranges, sorted, never touching each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceSet {
    ranges: Vec<(u64, u64)>,
}

impl SequenceSet {
    /// Returns how many separate ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Returns the ranges in order, both ends included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().copied()
    }

    /// Returns the ranges in order.
    pub(crate) fn to_ranges(&self) -> Vec<SequenceRange> {
        self.iter()
            .filter_map(|(first, last)| SequenceRange::new(Sequence(first), Sequence(last)))
            .collect()
    }

    /// Returns whether `sequence` belongs to the set.
    pub(crate) fn contains(&self, sequence: u64) -> bool {
        let after = self.ranges.partition_point(|&(first, _)| first <= sequence);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|r| sequence <= r.1)
    }

    /// Adds `first` to `last`, both included.
    pub(crate) fn insert(&mut self, first: u64, last: u64) {
        // The common case: the next sequence of a node that has lost nothing.
        if let Some(end) = self.ranges.last_mut()
            && first > end.0
            && first <= end.1.saturating_add(1)
        {
            end.1 = end.1.max(last);
            return;
        }
        let from = self.ranges.partition_point(|r| r.1.saturating_add(1) < first);
        let until = self.ranges.partition_point(|r| r.0 <= last.saturating_add(1));
        let touched = self.ranges.get(from..until).unwrap_or_default();
        let start = touched.first().map_or(first, |r| r.0.min(first));
        let end = touched.last().map_or(last, |r| r.1.max(last));
        self.ranges.splice(from..until.max(from), [(start, end)]);
    }

    /// Takes `first` to `last` out, both included.
    pub(crate) fn remove(&mut self, first: u64, last: u64) {
        let from = self.ranges.partition_point(|r| r.1 < first);
        let until = self.ranges.partition_point(|r| r.0 <= last);
        let mut rest = Vec::new();
        for &(start, end) in self.ranges.get(from..until).unwrap_or_default() {
            if start < first {
                rest.push((start, first - 1));
            }
            if end > last {
                rest.push((last + 1, end));
            }
        }
        self.ranges.splice(from..until.max(from), rest);
    }

    /// Returns the parts of `first` to `last` that the set does not hold.
    pub(crate) fn missing(&self, first: u64, last: u64) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut next = first;
        let from = self.ranges.partition_point(|r| r.1 < first);
        for &(start, end) in self.ranges.get(from..).unwrap_or_default() {
            if start > last {
                break;
            }
            if start > next {
                missing.push((next, start - 1));
            }
            match end.checked_add(1) {
                Some(after) => next = next.max(after),
                None => return missing,
            }
        }
        if next <= last {
            missing.push((next, last));
        }
        missing
    }

    /// Returns the `count` oldest holes between the ranges.
    pub(crate) fn oldest_holes(&self, count: usize) -> Vec<(u64, u64)> {
        let pairs = self.ranges.iter().zip(self.ranges.iter().skip(1));
        pairs.take(count).map(|(left, right)| (left.1 + 1, right.0 - 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_plain_set_holds(
            edits in prop::collection::vec((any::<bool>(), 0_u64..60, 0_u64..12), 0..40),
            asked in (0_u64..60, 0_u64..20),
        ) {
            let (mut set, mut model) = (SequenceSet::default(), BTreeSet::new());
            for (add, first, more) in edits {
                let last = first + more;
                if add {
                    set.insert(first, last);
                    model.extend(first..=last);
                } else {
                    set.remove(first, last);
                    model.retain(|s| !(first..=last).contains(s));
                }
            }
            let held: Vec<u64> = set.iter().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(held, model.iter().copied().collect::<Vec<_>>());
            prop_assert!((0..80).all(|s| set.contains(s) == model.contains(&s)));
            // Ranges never touch, so that their number is the number of holes and one.
            prop_assert!(set.ranges.windows(2).all(|w| w[0].1 + 1 < w[1].0));
            let (first, last) = (asked.0, asked.0 + asked.1);
            let missing: Vec<u64> =
                set.missing(first, last).into_iter().flat_map(|(a, b)| a..=b).collect();
            let expect: Vec<u64> = (first..=last).filter(|s| !model.contains(s)).collect();
            prop_assert_eq!(missing, expect);
        }
    }

    #[test]
    fn the_last_sequences_there_are_can_be_held() {
        let mut set = SequenceSet::default();
        set.insert(u64::MAX, u64::MAX);
        set.insert(u64::MAX - 1, u64::MAX - 1);
        set.insert(0, 0);
        assert_eq!(set.iter().collect::<Vec<_>>(), [(0, 0), (u64::MAX - 1, u64::MAX)]);
        assert_eq!(set.missing(0, u64::MAX), [(1, u64::MAX - 2)]);
        set.insert(0, u64::MAX);
        assert_eq!(set.missing(0, u64::MAX), []);
        assert_eq!(set.len(), 1);
    }
}
