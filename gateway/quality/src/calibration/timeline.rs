//! Which correction of a channel holds when.

use measure::Timestamp;

use super::{Correction, Version};

/// A span of time `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first time in it.
    pub from: Timestamp,
    /// The first time after it; [`Timestamp::MAX`] where it has no end.
    pub to: Timestamp,
}

/// From when which correction holds, until the next segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From when.
    pub from: Timestamp,
    /// The number of its version.
    pub number: u32,
    /// What holds.
    pub correction: Correction,
}

/// Which correction of one channel holds when: before the first segment none does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// In the order of time, no two from the same.
    segments: Vec<Segment>,
}

impl Timeline {
    /// Returns the timeline of the versions of one channel, in any order.
    pub fn of<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Self {
        let mut segments: Vec<Segment> = versions
            .into_iter()
            .filter(|version| version.withdrawn.is_none())
            .map(|it| Segment { from: it.from, number: it.number, correction: it.correction })
            .collect();
        // The latest of those that begin at the same time comes first, and stays.
        segments.sort_by_key(|it| (it.from, std::cmp::Reverse(it.number)));
        segments.dedup_by_key(|it| it.from);
        Self { segments }
    }

    /// Returns whether no correction ever holds.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns the segments, in the order of time.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Returns what holds at a time.
    pub fn at(&self, time: Timestamp) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.from <= time);
        after.checked_sub(1).and_then(|index| self.segments.get(index))
    }

    /// Returns the parts of `[from, to)` in each of which one thing holds, in the order of time.
    pub fn parts(&self, from: Timestamp, to: Timestamp) -> Vec<(Span, Option<Segment>)> {
        let first = self.segments.partition_point(|segment| segment.from <= from);
        let inner = self.segments.iter().skip(first).take_while(|segment| segment.from < to);
        let mut parts = Vec::new();
        let (mut begun, mut holds) = (from, self.at(from).copied());
        for segment in inner {
            parts.push((Span { from: begun, to: segment.from }, holds));
            (begun, holds) = (segment.from, Some(*segment));
        }
        if begun < to {
            parts.push((Span { from: begun, to }, holds));
        }
        parts
    }

    /// Returns the spans in which readings have another value by `other` than by this one, in the
    /// order of time.
    pub fn changed(&self, other: &Self) -> Vec<Span> {
        let both = self.segments.iter().chain(&other.segments);
        let mut edges: Vec<Timestamp> = both.map(|segment| segment.from).collect();
        edges.push(Timestamp::MIN);
        edges.sort_unstable();
        edges.dedup();
        let ends = edges.iter().skip(1).copied().chain([Timestamp::MAX]);
        let mut spans: Vec<Span> = Vec::new();
        let value = |timeline: &Self, at| {
            let correction = timeline.at(at).map(|segment| segment.correction);
            correction.filter(|correction| !correction.is_identity())
        };
        for (&from, to) in edges.iter().zip(ends) {
            if from == to || same(value(self, from), value(other, from)) {
                continue;
            }
            match spans.last_mut() {
                Some(last) if last.to == from => last.to = to,
                _ => spans.push(Span { from, to }),
            }
        }
        spans
    }
}

/// Returns whether two corrections give every raw value the same true one.
fn same(one: Option<Correction>, other: Option<Correction>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            let (a, b) = (one.points(), other.points());
            // Two offsets are one where they add the same, whatever point they were measured at.
            let shift = |point: super::Point| i64::from(point.reference.0) - i64::from(point.raw.0);
            match (a.1, b.1) {
                (None, None) => shift(a.0) == shift(b.0),
                _ => a == b,
            }
        }
        (one, other) => one.is_none() && other.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use measure::{NodeKey, Quantity, Scaled, Slug};
    use proptest::prelude::*;
    use store::SeriesKey;

    use super::super::Withdrawal;
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000).unwrap()
    }

    fn version(number: u32, from: i64, offset: f64, is_withdrawn: bool) -> Version {
        let slug = |name| Slug::new(name).unwrap();
        let quantity = Quantity::AirTemperature;
        let node = NodeKey { site: slug("s"), node: slug("n") };
        let withdrawal = || Withdrawal { at: at(0), by: String::new(), why: String::new() };
        Version {
            number,
            channel: SeriesKey { node, position: slug("canopy"), quantity },
            from: at(from),
            correction: Correction::offset(quantity, offset).unwrap(),
            by: String::new(),
            entered: at(0),
            note: String::new(),
            withdrawn: is_withdrawn.then(withdrawal),
        }
    }

    fn numbers(timeline: &Timeline) -> Vec<u32> {
        timeline.segments().iter().map(|segment| segment.number).collect()
    }

    #[test]
    fn a_later_version_replaces_the_one_that_begins_with_it_and_no_other() {
        let versions =
            [version(1, 100, 0.1, false), version(2, 200, 0.2, false), version(3, 100, 0.3, false)];
        let timeline = Timeline::of(&versions);
        assert_eq!(numbers(&timeline), [3, 2]);
        assert_eq!(timeline.at(at(99)), None);
        assert_eq!(timeline.at(at(100)).map(|it| it.number), Some(3));
        assert_eq!(timeline.at(at(5_000)).map(|it| it.number), Some(2));
    }

    #[test]
    fn a_withdrawn_version_counts_as_never_entered() {
        let [first, second] = [version(1, 100, 0.1, false), version(2, 100, 0.2, true)];
        assert_eq!(numbers(&Timeline::of([&first, &second])), [1]);
        assert!(Timeline::of([&second]).is_empty());
    }

    #[test]
    fn a_version_changes_what_lies_between_it_and_the_next() {
        let old = [version(1, 100, 0.1, false), version(2, 300, 0.2, false)];
        let mut new = old.to_vec();
        new.push(version(3, 200, 0.5, false));
        let span = |from, to| Span { from: at(from), to: at(to) };
        assert_eq!(Timeline::of(&old).changed(&Timeline::of(&new)), [span(200, 300)]);
        // Said again with the same offset, it changes nothing.
        new.push(version(4, 200, 0.5, false));
        assert!(Timeline::of(new.iter().take(3)).changed(&Timeline::of(&new)).is_empty());
        let none = Timeline::default();
        let all = Span { from: at(100), to: Timestamp::MAX };
        assert_eq!(none.changed(&Timeline::of(&old)), [all]);
        assert!(none.changed(&Timeline::of(&[version(1, 5, 0.0, false)])).is_empty());
    }

    fn some() -> impl Strategy<Value = Vec<Version>> {
        let one = (0..12_i64, 0..4_i32, any::<bool>());
        prop::collection::vec(one, 0..8).prop_map(|all| {
            let made = (1..).zip(all);
            made.map(|(number, (from, offset, is_withdrawn))| {
                version(number, from, f64::from(offset), is_withdrawn)
            })
            .collect()
        })
    }

    proptest! {
        #[test]
        fn what_changed_is_what_has_another_value(old in some(), new in some()) {
            let (old, new) = (Timeline::of(&old), Timeline::of(&new));
            let changed = old.changed(&new);
            for second in 0..14 {
                let value = |it: &Timeline| {
                    it.at(at(second)).map_or(Ok(Scaled(0)), |it| it.correction.value(Scaled(0)))
                };
                let is_in = changed.iter().any(|it| it.from <= at(second) && at(second) < it.to);
                prop_assert_eq!(is_in, value(&old) != value(&new), "second {}", second);
            }
        }

        #[test]
        fn parts_cover_a_span_once_and_hold_what_holds(
            versions in some(), from in 0..14_i64, length in 0..14_i64,
        ) {
            let timeline = Timeline::of(&versions);
            let parts = timeline.parts(at(from), at(from + length));
            let mut reached = at(from);
            for (span, holds) in &parts {
                prop_assert_eq!(span.from, reached);
                prop_assert!(span.from < span.to);
                prop_assert_eq!(*holds, timeline.at(span.from).copied());
                prop_assert_eq!(*holds, timeline.at(span.to.plus_micros(-1)).copied());
                reached = span.to;
            }
            prop_assert_eq!(reached, at(from + length));
        }
    }
}
