//! The refine stage: reads the store's journal behind a position of its own, finds out what can be said
//! of readings only afterwards, computes what no sensor measures, and commits both to the store.
//!
//! The same readings give the same flags and numbers, and what is there already is a repeat: so a stage
//! that was killed goes on from its last kept position and does some of its work again. That position
//! is therefore kept only now and then. What a calibration touches is computed again beside it, in
//! slices; how far that has come is kept with each.
//!
//! Derived numbers come back through the journal, where the alarm stage judges them as any channel's.

mod again;
mod derived;

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use api::Nursery;
use ingest::Outlets;
use quality::{Calibrated, Calibrations, Follower, Rules, Window, follow, joined, look_again};
use registry::{Registry, Topic};
use store::{BATCH_SAMPLES_MAX, Batch, Flag, Part, Position, Sample, Store};
use tokio::{
    sync::{Notify, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    clock::{Clock, Stopwatch},
    readers::Readers,
};
use derived::{Channels, Deriver, measured};

/// How often the journal is looked at: many readings at once cost less than one by one.
const TICK: Duration = Duration::from_millis(500);
/// The most commits of the journal in one step.
const COMMITS_A_STEP: usize = 4_096;
/// How often the position is kept, in seconds: so much is done again after a kill.
const KEEP_S: f64 = 5.0;
/// For how long touched spans are worked on in one step, in seconds, before the journal has its turn.
const AGAIN_S: f64 = 0.25;

/// Everything that the stage works with.
pub(crate) struct Refiner {
    pub(crate) store: Arc<Calibrated>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) outlets: Arc<Outlets>,
    pub(crate) nursery: watch::Receiver<Arc<Nursery>>,
    pub(crate) rules: watch::Receiver<Arc<Rules>>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) clock: Clock,
}

/// The stage with what it remembers; all of it can be found again in the store.
struct Stage {
    it: Refiner,
    follower: Follower,
    deriver: Deriver,
    position: Position,
    /// The last position that is kept, and when it was.
    kept: (Position, Stopwatch),
    /// The revision of the calibrations that hold in the store.
    calibrations: Option<u64>,
    /// Something may have to be computed again.
    is_touched: bool,
}

impl Stage {
    /// Takes up where the registry says that refining ended.
    fn take_up(it: Refiner) -> Result<Self> {
        let position = Position(it.registry.refined()?.unwrap_or_default());
        // A store that was begun anew counts from the start, whatever the registry remembers.
        let position = position.min(it.store.last_position()?);
        it.readers.refined(&*it.store, position)?;
        Ok(Self {
            it,
            follower: Follower::default(),
            deriver: Deriver::default(),
            position,
            kept: (position, Stopwatch::start()),
            calibrations: None,
            is_touched: true,
        })
    }

    fn step(&mut self) -> Result<()> {
        self.heed_calibrations()?;
        // Before the journal, which after a start brings again what is there: so what a calibration
        // touches is counted with it.
        if self.is_touched {
            self.is_touched = self.again()?;
        }
        self.catch_up()?;
        self.keep(false)
    }

    /// Lets those calibrations hold that the registry has; what they touch is computed again.
    fn heed_calibrations(&mut self) -> Result<()> {
        let revision = self.it.registry.revision(Topic::Calibrations)?;
        if self.calibrations == Some(revision) && self.it.store.unknown() == 0 {
            return Ok(());
        }
        self.it.store.set(&Calibrations::of(&self.it.registry.calibrations()?))?;
        if self.calibrations != Some(revision) {
            self.deriver.forget();
            self.is_touched = true;
        }
        self.calibrations = Some(revision);
        Ok(())
    }

    /// Takes in everything that the journal holds and was not taken in yet.
    fn catch_up(&mut self) -> Result<()> {
        loop {
            let commits = match self.it.store.journal(self.position, COMMITS_A_STEP) {
                Err(store::Error::Trimmed { after, oldest }) => {
                    warn!(%after, %oldest, "The journal begins after what was refined; refining goes on there.");
                    self.position = oldest;
                    continue;
                }
                read => read?,
            };
            let Some((last, _)) = commits.last() else { return Ok(()) };
            let last = *last;
            let samples: Vec<Sample> =
                commits.into_iter().flat_map(|(_, samples)| samples).collect();
            if !samples.is_empty() {
                self.take(&samples)?;
            }
            self.position = last;
            self.keep(false)?;
        }
    }

    fn take(&mut self, samples: &[Sample]) -> Result<()> {
        self.follow_channels()?;
        let rules = Arc::clone(&self.it.rules.borrow());
        let windows = joined(follow(&rules, &mut self.follower, samples));
        let mut flags = Vec::new();
        for window in &windows {
            flags.extend(self.look(&rules, window)?);
        }
        self.commit_flags(&flags)?;
        self.deriver.take(samples);
        for flag in &flags {
            self.deriver.touch(flag.series, (flag.time, flag.time));
        }
        self.derive().map(drop)
    }

    /// Learns of channels that are new, and of nodes that measure something else than before.
    fn follow_channels(&mut self) -> Result<()> {
        let (nursery, rules) = (self.it.nursery.borrow().clone(), self.it.rules.borrow().clone());
        let measured = measured(&self.it.outlets.nodes.borrow());
        let channels = Channels { nursery: &nursery, rules: &rules, measured };
        self.deriver.follow_channels(&*self.it.store, &self.it.registry, &channels)
    }

    /// Looks at a window again; one that cannot be read is told of and left as it is.
    fn look(&self, rules: &Rules, window: &Window) -> Result<Vec<Flag>> {
        match look_again(rules, &*self.it.store, window) {
            Err(error) if !error.is_transient() => {
                error!(series = %window.series, %error, "Cannot look at readings again; their flags stay.");
                Ok(Vec::new())
            }
            looked => Ok(looked?),
        }
    }

    /// Commits flags; returns how many have become others.
    fn commit_flags(&self, flags: &[Flag]) -> Result<u64> {
        let mut flagged = 0;
        for some in flags.chunks(BATCH_SAMPLES_MAX) {
            let batch = Batch { parts: vec![Part::Flags(some.to_vec())] };
            flagged += self.it.store.commit(&batch)?.flagged;
        }
        Ok(flagged)
    }

    /// Computes what was touched, and commits it; returns how many samples are there newly or anew.
    fn derive(&mut self) -> Result<u64> {
        let mut derived = self.deriver.fresh();
        let mut changed = 0;
        let store = &*self.it.store;
        let mut commit = |derived: &mut Vec<Sample>, least: usize| -> Result<()> {
            while derived.len() > least {
                let rest = derived.split_off(derived.len().min(BATCH_SAMPLES_MAX));
                let some = std::mem::replace(derived, rest);
                let done = store.commit(&Batch { parts: vec![Part::Derived(some)] })?;
                changed += done.kept + done.replaced;
            }
            Ok(())
        };
        while let Some(part) = self.deriver.next_touched() {
            match self.deriver.derive(store, &part, &mut derived) {
                Err(error) if !error.is_transient() => {
                    error!(series = %part.series(), %error, "Cannot read what numbers are computed from; they stay as they are.");
                }
                done => done?,
            }
            commit(&mut derived, BATCH_SAMPLES_MAX)?;
        }
        commit(&mut derived, 0)?;
        self.deriver.settle(store)?;
        Ok(changed)
    }

    /// Keeps the position where it is time to, or at the end.
    fn keep(&mut self, at_once: bool) -> Result<()> {
        let (kept, since) = self.kept;
        if self.position == kept || !(at_once || since.seconds() >= KEEP_S) {
            return Ok(());
        }
        self.it.registry.set_refined(self.position.0)?;
        self.kept = (self.position, Stopwatch::start());
        self.it.readers.refined(&*self.it.store, self.position)?;
        Ok(())
    }
}

/// Refines until told to stop. What fails is tried again with the next tick. `recalibrated` is rung when
/// calibrations were changed in this process; changes by commands are found within a tick.
pub(crate) async fn run(refiner: Refiner, recalibrated: Arc<Notify>, stop: CancellationToken) {
    let mut stage = match Stage::take_up(refiner) {
        Ok(stage) => stage,
        Err(error) => {
            error!("Refining cannot begin: {error:#}. The gateway ends so that it starts anew.");
            stop.cancel();
            return;
        }
    };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut goes_on = true;
    while goes_on {
        tokio::select! {
            () = stop.cancelled() => goes_on = false,
            () = recalibrated.notified() => {}
            _ = ticks.tick() => {}
        }
        let worked = tokio::task::spawn_blocking(move || {
            let done = if goes_on { stage.step() } else { stage.keep(true) };
            if let Err(error) = done {
                // What was half done is found again in the store.
                stage.deriver.forget();
                error!("Refining failed and is tried again: {error:#}.");
            }
            stage
        });
        stage = match worked.await {
            Ok(stage) => stage,
            Err(error) => {
                error!(%error, "The refine stage panicked; the gateway ends so that it starts anew.");
                stop.cancel();
                return;
            }
        };
    }
    info!(position = stage.position.0, "Refining ended.");
}

#[cfg(test)]
mod tests;
