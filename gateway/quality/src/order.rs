//! In which order the readings of a series were taken.
//!
//! A node counts what it takes, so its own count says which of two readings came first, whatever its
//! clock did in between: where the clock goes back an hour, the readings of that hour do not mix with
//! those that stand at the same times already. Readings without a count go by their time.
//!
//! A recording may have been sorted by time before it came here. Where two readings of it stand at the
//! same millisecond, two hours run through each other, and nobody can say which follows which: none of
//! them is held against its neighbours.

use std::collections::HashMap;

use measure::{FlashId, Marks, Timestamp};
use store::{Sample, Taken};

/// After a silence of so many milliseconds a series begins anew: a day. The judges' own clock wraps
/// around after 49 days.
pub const SILENCE_MS_MAX: i64 = 86_400_000;

/// The reading that was taken last, of those that were judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) time: Timestamp,
    pub(crate) taken: Option<Taken>,
    pub(crate) is_uncertain: bool,
    /// Another one stands at its time.
    is_paired: bool,
}

/// Where a reading stands beside the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It was taken after it.
    Next,
    /// It was taken after it, but what lies between is not known: the clock was set, all was silent, or
    /// two hours run through each other.
    Anew,
    /// It was taken before it, or is the very same.
    Late,
}

impl Newest {
    pub(crate) fn of(time: Timestamp, taken: Option<Taken>, marks: Marks) -> Self {
        let is_uncertain = marks.contains(Marks::TIME_UNCERTAIN);
        Self { time, taken, is_uncertain, is_paired: false }
    }

    /// Returns it as the one that others are to stand beside, after the one before.
    pub(crate) fn after(self, newest: Option<&Self>) -> Self {
        let is_paired = newest.is_some_and(|newest| newest.time.millis() == self.time.millis());
        Self { is_paired, ..self }
    }

    /// Returns where `self` stands beside the newest one before it.
    pub(crate) fn beside(&self, newest: Option<&Self>) -> Place {
        let Some(newest) = newest else { return Place::Anew };
        let is_ahead = self.time > newest.time;
        if let (Some(taken), Some(before)) = (self.taken, newest.taken)
            && taken.flash == before.flash
        {
            if taken.sequence <= before.sequence {
                return Place::Late;
            }
        } else if !is_ahead {
            return Place::Late;
        }
        let is_apart = self.time.ms_since(newest.time) > SILENCE_MS_MAX;
        let is_mixed = newest.is_paired || self.time.millis() == newest.time.millis();
        if !is_ahead || is_apart || is_mixed || self.is_uncertain != newest.is_uncertain {
            Place::Anew
        } else {
            Place::Next
        }
    }
}

/// Puts samples that stand in the order of time into the order in which they were taken: the lives of
/// a flash as they began, each by its count.
pub(crate) fn as_taken(samples: &[Sample]) -> Vec<&Sample> {
    let mut began: HashMap<Option<FlashId>, Timestamp> = HashMap::new();
    for sample in samples {
        let flash = sample.taken.map(|taken| taken.flash);
        let first = began.entry(flash).or_insert(sample.time);
        *first = sample.time.min(*first);
    }
    let key = |sample: &&Sample| {
        let flash = sample.taken.map(|taken| taken.flash);
        (began.get(&flash).copied(), flash, sample.taken.map(|taken| taken.sequence), sample.time)
    };
    let mut ordered: Vec<&Sample> = samples.iter().collect();
    ordered.sort_by_key(key);
    ordered
}
