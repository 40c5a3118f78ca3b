//! Flags readings before they are kept: once, as they come.
//!
//! The flag of a reading is that of its node and of the tests here, combined. A reading that is newer
//! than all that were judged is held against everything; a late one against the ranges alone, because
//! what it should be compared with is in the store ([`crate::refine`] does that).

use measure::{FlashId, Quality, Timestamp};
use store::{Incoming, Sample, SeriesId, Store, Taken};

use crate::air;
use crate::judged::{Found, Track};
use crate::order::{Newest, Place, as_taken};
use crate::rules::{Placed, Rules};

/// How far back a start looks for the state of a series, in milliseconds, one after the other, until
/// it finds a reading from which on the state is certain. Beyond the last it begins where it looks.
const LOOK_BACK_MS: [i64; 3] = [3 * 3_600_000, 30 * 3_600_000, 8 * 86_400_000];

/// How far a clock may have been set back so that a start still knows what followed what, in
/// milliseconds: twelve hours, more than a time zone that was mistaken. So much more is read than is
/// looked back on, because what is read is cut off by time, and what was taken right after a clock had
/// been set back further would stand before the cut. Beyond, a start may begin a run of values that
/// are the same too late or too early, and the flat line test says so until the run ends.
const SET_BACK_MS_MAX: i64 = 12 * 3_600_000;

/// What is remembered of all series: about a hundred bytes each.
#[derive(Debug, Default)]
pub struct State {
    /// By the number of the series, which is dense.
    tracks: Vec<Track>,
    /// What stood there before the readings that are being committed.
    before: Vec<(SeriesId, Track)>,
    /// By the number of the series: the batch in which `before` was last added to.
    noted: Vec<u64>,
    batch: u64,
}

impl State {
    /// Says what became of the readings that were assessed since this was last said: where they were
    /// not kept, they will come again and be judged as if for the first time.
    pub fn settle(&mut self, kept: bool) {
        for (series, track) in self.before.drain(..) {
            if let Some(slot) = self.tracks.get_mut(series.0 as usize)
                && !kept
            {
                *slot = track;
            }
        }
        self.batch += 1;
    }

    fn track(&self, series: SeriesId) -> Option<&Track> {
        self.tracks.get(series.0 as usize)
    }

    fn set(&mut self, series: SeriesId, track: Track) {
        self.make_room(series);
        if let Some(slot) = self.tracks.get_mut(series.0 as usize) {
            *slot = track;
        }
    }

    fn make_room(&mut self, series: SeriesId) {
        let number = series.0 as usize;
        if self.tracks.len() <= number {
            self.tracks.resize(number + 1, Track::default());
            self.noted.resize(number + 1, 0);
        }
    }

    fn track_mut(&mut self, series: SeriesId) -> Option<&mut Track> {
        self.make_room(series);
        let number = series.0 as usize;
        let (track, noted) = (self.tracks.get_mut(number)?, self.noted.get_mut(number)?);
        if *noted != self.batch + 1 {
            *noted = self.batch + 1;
            self.before.push((series, *track));
        }
        Some(track)
    }
}

/// Puts the combined flag on readings that are about to be kept. Readings of one flash, or of guests
/// (`None`); in any order, though only in the order in which they were taken each is held against
/// the one before it. The readings themselves stay as they are.
///
/// Of a series that the rules do not name the node's flag stays.
pub fn assess(rules: &Rules, state: &mut State, flash: Option<FlashId>, samples: &mut [Incoming]) {
    for Incoming { sequence, sample } in samples {
        let taken = flash.map(|flash| Taken { flash, sequence: *sequence });
        assess_one(rules, state, taken, sample);
    }
}

fn assess_one(rules: &Rules, state: &mut State, taken: Option<Taken>, sample: &mut Sample) {
    let Some(placed) = rules.placed(sample.series) else { return };
    let at = Newest::of(sample.time, taken, sample.marks);
    let Some(track) = state.track_mut(sample.series) else { return };
    let found = track.judge(&placed.channel, at, sample.reading);
    if sample.reading.is_err() {
        sample.quality = Quality::Missing;
        return;
    }
    let is_vouched_for = is_vouched_for(placed, state, &found);
    sample.quality = found.combined(sample.quality, is_vouched_for);
    if found.place != Place::Late && !placed.air.is_empty() {
        let beside = placed.air.iter().filter_map(|&other| {
            let (track, channel) = (state.track(other)?, rules.channel(other)?);
            Some(air::Beside { channel, time: track.newest?.time, value: track.value? })
        });
        let air = air::judge(&placed.channel, sample, beside);
        sample.quality = measure::qartod::combined([sample.quality, air]);
    }
}

/// Returns whether another channel of the node has moved since this one stands almost still: the
/// node is alive then, and its house as even as this sensor says.
fn is_vouched_for(placed: &Placed, state: &State, found: &Found) -> bool {
    found.flat.is_some_and(|flat| {
        let moved = |other: &SeriesId| {
            let varied = state.track(*other).and_then(|track| track.varied);
            varied.is_some_and(|varied| varied > flat.since)
        };
        flat.may_be_vouched_for() && placed.siblings.iter().any(moved)
    })
}

/// Brings the state of the series of `latest`, its latest sample in the store, to where it stood when
/// that was kept. A start that does so before the first reading of a node comes gives the same flags
/// as no start, but for readings that had come late, and where a clock was set back again and again by
/// more than is looked back.
///
/// # Errors
/// What the store says.
pub fn prime(
    rules: &Rules,
    state: &mut State,
    store: &dyn Store,
    latest: &Sample,
) -> Result<(), store::Error> {
    let Some(placed) = rules.placed(latest.series) else { return Ok(()) };
    // So far back a movement of this series can speak for a sibling.
    let siblings = placed.siblings.iter().filter_map(|other| rules.channel(*other));
    let all = siblings.chain([&placed.channel]);
    let heard_ms = all.map(|it| i64::from(it.limits.flat_ms())).max().unwrap_or(0);
    let least_ms = 2 * heard_ms;
    for back_ms in LOOK_BACK_MS {
        let known_from = latest.time.plus_ms(-back_ms.max(least_ms));
        let span = (known_from.plus_ms(-SET_BACK_MS_MAX), latest.time.plus_micros(1));
        let samples = crate::scan(store, latest.series, span)?;
        let mut track = Track::default();
        let mut certain: Option<Timestamp> = None;
        for sample in as_taken(&samples) {
            let at = Newest::of(sample.time, sample.taken, sample.marks);
            let before = track;
            let found = track.judge(&placed.channel, at, sample.reading);
            // Of an earlier one it is not known whether the next that was read was taken next.
            let is_followed = before.newest.is_some_and(|newest| newest.time >= known_from);
            if is_followed && starts_for_certain(placed, &before, &track, &found) {
                let is_anew = found.place == Place::Anew;
                let from = if is_anew { Timestamp::MIN } else { sample.time };
                certain = Some(certain.map_or(from, |certain| certain.min(from)));
            }
        }
        let newest = track.newest.map_or(Timestamp::MIN, |newest| newest.time);
        let is_certain = certain.is_some_and(|from| from <= newest.plus_ms(-heard_ms));
        state.set(latest.series, track);
        if is_certain {
            break;
        }
    }
    Ok(())
}

/// Returns whether what is remembered after a reading is the same whatever was remembered before it.
fn starts_for_certain(placed: &Placed, before: &Track, after: &Track, found: &Found) -> bool {
    let limits = placed.channel.limits.node;
    let Some(flat) = limits.flat else {
        // Nothing but the run of a flat line reaches further back than one reading.
        return true;
    };
    let Some(value) = after.value else { return false };
    if limits.flat_below.is_some_and(|waived| value.0 >= waived) {
        return true;
    }
    match (found.place, before.newest, before.value) {
        (Place::Late, ..) => false,
        (Place::Anew, newest, _) => newest.is_some(),
        (Place::Next, Some(newest), Some(last)) => {
            let silent_ms = after.newest.map_or(0, |after| after.time.ms_since(newest.time));
            value.0.abs_diff(last.0) >= flat.tolerance || silent_ms > i64::from(flat.suspect_ms)
        }
        (Place::Next, ..) => false,
    }
}
