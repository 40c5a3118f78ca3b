//! What a calibration touches, computed again in slices: the flags of the channel and of its twins, and
//! the numbers that are derived from it. Nothing else is, and what comes out the same is not written.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::Result;
use measure::{Quality, Timestamp};
use quality::{Rules, Window, refine};
use registry::Recalibration;
use store::{Flag, Sample, SeriesId, Store};
use tracing::{error, info};

use super::derived::scan;
use super::{AGAIN_S, Stage, Stopwatch};

/// How long a slice is, in milliseconds: a day. How far a span has come is kept after each.
const SLICE_MS: i64 = 86_400_000;

impl Stage {
    /// Works on what is touched for a while; returns whether something is left.
    pub(super) fn again(&mut self) -> Result<bool> {
        let since = Stopwatch::start();
        for mut work in self.it.registry.open_recalibrations()? {
            self.follow_channels()?;
            while !self.slice(&mut work)? {
                if since.seconds() > AGAIN_S {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Computes the next slice of a span again; returns whether it was the last.
    fn slice(&mut self, work: &mut Recalibration) -> Result<bool> {
        let store = &*self.it.store;
        let series = store.series()?.into_iter().find(|(_, key)| *key == work.channel);
        let first = match series {
            Some((id, _)) => first(store, id, (work.next, work.span.to))?.map(|first| (id, first)),
            None => None,
        };
        let Some((id, from)) = first else {
            // What comes from now on is computed with what holds now.
            let now = self.it.clock.now();
            work.next = work.span.to;
            self.it.registry.advance_recalibration(work, Some(now))?;
            let done = work.recomputed;
            info!(channel = %work.channel, calibration = work.calibration, ?done, "What a calibration touches was computed again.");
            return Ok(true);
        };
        let window = Window { series: id, from, to: from.plus_ms(SLICE_MS).min(work.span.to) };
        let rules = Arc::clone(&self.it.rules.borrow());
        let flags = match self.flags_anew(&rules, &window) {
            Err(error) if !error.is_transient() => {
                error!(channel = %work.channel, %error, "Cannot look at readings again; their flags stay.");
                Vec::new()
            }
            flags => flags?,
        };
        work.recomputed.samples += count(store, &window)?;
        work.recomputed.flags += self.commit_flags(&flags)?;
        self.deriver.touch(id, (window.from, window.to.plus_micros(-1)));
        for flag in &flags {
            self.deriver.touch(flag.series, (flag.time, flag.time));
        }
        work.recomputed.derived += self.derive()?;
        work.next = window.to;
        self.it.registry.advance_recalibration(work, None)?;
        Ok(false)
    }

    /// Returns the flags of a window as they are by calibrated values, where they are others than those
    /// that stand: of the channel itself, and of its twins, which are held against it.
    fn flags_anew(&self, rules: &Rules, window: &Window) -> Result<Vec<Flag>, store::Error> {
        let Some(channel) = rules.channel(window.series) else { return Ok(Vec::new()) };
        let quantity = channel.key.quantity;
        let twins = rules.related(window.series).filter(|related| {
            rules.channel(*related).is_some_and(|it| it.key.quantity == quantity)
        });
        let mut flags = Vec::new();
        for series in std::iter::once(window.series).chain(twins) {
            flags.extend(self.flags_of(rules, &Window { series, ..*window })?);
        }
        Ok(flags)
    }

    fn flags_of(&self, rules: &Rules, window: &Window) -> Result<Vec<Flag>, store::Error> {
        let store = &*self.it.store;
        let span = window.to_read(rules);
        let mut samples: BTreeMap<SeriesId, Vec<Sample>> = BTreeMap::new();
        for series in std::iter::once(window.series).chain(rules.related(window.series)) {
            if let Entry::Vacant(entry) = samples.entry(series) {
                entry.insert(scan(store, series, span)?);
            }
        }
        // A flag that stands was found by another value. Nodes run the same tests as are run here.
        for sample in samples.get_mut(&window.series).into_iter().flatten() {
            if sample.reading.is_ok() && window.contains(sample.time) {
                sample.quality = Quality::Good;
            }
        }
        let found = refine(rules, window, &samples);
        let found: HashMap<Timestamp, Quality> =
            found.into_iter().map(|flag| (flag.time, flag.quality)).collect();
        let own = scan(&**store.raw(), window.series, (window.from, window.to))?;
        let flag = |sample: &Sample| {
            let quality = found.get(&sample.time).copied().unwrap_or(Quality::Good);
            let is_other = sample.reading.is_ok() && quality != sample.quality;
            is_other.then_some(Flag { series: sample.series, time: sample.time, quality })
        };
        Ok(own.iter().filter_map(flag).collect())
    }
}

/// Returns when the first reading of a span was taken.
fn first(
    store: &dyn Store,
    series: SeriesId,
    (from, to): (Timestamp, Timestamp),
) -> Result<Option<Timestamp>, store::Error> {
    let mut first = None;
    store.scan(series, from, to, &mut |sample| {
        first = Some(sample.time);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

fn count(store: &dyn Store, window: &Window) -> Result<u64, store::Error> {
    let mut count = 0;
    store.scan(window.series, window.from, window.to, &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}
