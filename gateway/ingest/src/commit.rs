//! Frames into the store, and from there into acknowledgements.
//!
//! Synchronous, and runs where it may block. All frames of a batch go in one commit. Where the store
//! refuses because of one node (too many series, no free time), every node of the batch is committed
//! alone, so that only that one waits.
//!
//! What nodes judged themselves goes to its own port first, which keeps each event once whatever comes
//! twice; its sequences are acknowledged with the batch. A kill between leaves events on disk that were
//! not acknowledged: they come again and change nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use measure::{FlashId, NodeKey, Quality, SequenceRange, Timestamp, Uptime};
use store::{
    Batch, Committed, Error, Gap, GapReason, Incoming, Origin, Part, Position, Sample, SeriesId,
    SeriesKey, Store,
};
use tracing::warn;
use wire::{Ack, Body, Channel, Sampled};

use crate::dating;
use crate::intake::Frame;
use crate::ports::{Assess, Counters, LocalEpisodes, LocalEvent};
use crate::ranges;

pub(crate) struct Committer {
    store: Arc<dyn Store>,
    episodes: Arc<dyn LocalEpisodes>,
    assess: Arc<dyn Assess>,
    counters: Arc<Counters>,
    /// Bounded by the series that the store takes.
    series: HashMap<SeriesKey, SeriesId>,
}

/// What is on disk now.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Where the journal stands; `None` where nothing was committed.
    pub(crate) position: Option<Position>,
    /// What can be acknowledged, by node and flash.
    pub(crate) units: Vec<Acknowledgeable>,
}

/// Sequences of one flash that are on disk.
#[derive(Debug)]
pub(crate) struct Acknowledgeable {
    pub(crate) node: NodeKey,
    flash: FlashId,
    ranges: Vec<SequenceRange>,
    echo: Uptime,
}

impl Acknowledgeable {
    /// Returns the acknowledgements, with the gateway's time.
    pub(crate) fn acks(self, utc: Timestamp) -> Vec<Ack> {
        ranges::acknowledge(self.flash, self.ranges, utc, self.echo)
    }
}

/// Everything of one flash in a batch.
#[derive(Default)]
struct Unit {
    samples: Vec<Incoming>,
    gaps: Vec<Gap>,
    ranges: Vec<SequenceRange>,
    echo: Uptime,
}

type Units = BTreeMap<(NodeKey, FlashId), Unit>;

impl Committer {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        episodes: Arc<dyn LocalEpisodes>,
        assess: Arc<dyn Assess>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { store, episodes, assess, counters, series: HashMap::new() }
    }

    /// Commits frames; what it returns is on disk.
    ///
    /// # Errors
    /// What the store says, unless one node alone is the cause. The same frames may be given again:
    /// what was committed before is a repeat then.
    pub(crate) fn commit(&mut self, frames: &[Frame]) -> Result<Kept, Error> {
        let mut units = Units::new();
        let keeps_events = self.keep_events(frames);
        for frame in frames {
            if matches!(frame.data.body, Body::Event { .. }) && !keeps_events {
                continue;
            }
            match self.add(frame, &mut units) {
                Err(error) if is_about_one_node(&error) => self.refuse(&frame.node, &error),
                other => other?,
            }
        }
        if units.is_empty() {
            return Ok(Kept::default());
        }
        for ((_, flash), unit) in &mut units {
            self.assess.assess(Some(*flash), &mut unit.samples);
        }
        let kept = self.keep(units);
        // A node that alone was refused counts as kept: its readings come again and are late then.
        self.assess.settle(kept.is_ok());
        kept
    }

    fn keep(&mut self, units: Units) -> Result<Kept, Error> {
        let whole = Batch { parts: units.iter().flat_map(|(of, unit)| unit.parts(of)).collect() };
        if whole.parts.is_empty() {
            let units = units.into_iter().map(|(of, unit)| unit.acknowledge(of)).collect();
            return Ok(Kept { position: None, units });
        }
        match self.store.commit(&whole) {
            Ok(committed) => {
                self.count(&committed);
                let position = Some(committed.position);
                let units = units.into_iter().map(|(of, unit)| unit.acknowledge(of)).collect();
                Ok(Kept { position, units })
            }
            Err(error) if is_about_one_node(&error) => self.commit_each(units),
            Err(error) => Err(error),
        }
    }

    /// Keeps the events among the frames; returns whether they are on disk.
    fn keep_events(&self, frames: &[Frame]) -> bool {
        let events: Vec<LocalEvent> = frames.iter().filter_map(event).collect();
        if events.is_empty() {
            return true;
        }
        match self.episodes.keep(&events) {
            Ok(()) => {
                self.counters.local_events.add(events.len() as u64);
                true
            }
            Err(error) => {
                warn!(%error, events = events.len(), "Cannot keep what nodes judged; it comes again.");
                false
            }
        }
    }

    fn commit_each(&mut self, units: Units) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        for (of, unit) in units {
            let parts: Vec<Part> = unit.parts(&of).collect();
            if parts.is_empty() {
                kept.units.push(unit.acknowledge(of));
                continue;
            }
            match self.store.commit(&Batch { parts }) {
                Ok(committed) => {
                    self.count(&committed);
                    kept.position = Some(committed.position);
                    kept.units.push(unit.acknowledge(of));
                }
                Err(error) if is_about_one_node(&error) => self.refuse(&of.0, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }

    fn count(&self, committed: &Committed) {
        self.counters.commits.add(1);
        self.counters.kept.add(committed.kept);
        self.counters.repeated.add(committed.repeated);
        self.counters.shifted.add(committed.shifted);
        self.counters.late.add(committed.late);
    }

    /// The node is not acknowledged and comes again at its own pace, so each time may have a line.
    fn refuse(&self, node: &NodeKey, error: &Error) {
        self.counters.beyond_limit.add(1);
        warn!(%node, %error, "The store refuses readings of a node; the node keeps them.");
    }

    fn add(&mut self, frame: &Frame, units: &mut Units) -> Result<(), Error> {
        let (mut samples, mut ranges, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
        match &frame.data.body {
            Body::Readings { first, readings, .. } => {
                let channels = self.channels(frame, readings)?;
                for (sampled, nth) in readings.iter().zip(0..) {
                    let sequence = measure::Sequence(first.0.saturating_add(nth));
                    if let Some(series) =
                        channels.get(usize::from(sampled.channel)).copied().flatten()
                    {
                        samples.push(Incoming { sequence, sample: sample(frame, sampled, series) });
                    } else if frame.is_withheld {
                        continue;
                    }
                    ranges.push(SequenceRange { first: sequence, last: sequence });
                }
            }
            Body::Gap { range, reason } => {
                ranges.push(*range);
                gaps.push(Gap {
                    node: frame.node.clone(),
                    flash: frame.data.flash,
                    range: *range,
                    reason: gap_reason(*reason),
                    at: frame.received,
                });
            }
            Body::Event { sequence, event, .. } => {
                let is_known = usize::from(event.channel) < frame.birth.channels.len();
                if is_known || !frame.is_withheld {
                    ranges.push(SequenceRange { first: *sequence, last: *sequence });
                }
            }
            Body::Answer { .. } | Body::Update { .. } => return Ok(()),
        }
        let unit = units.entry((frame.node.clone(), frame.data.flash)).or_default();
        unit.samples.append(&mut samples);
        unit.gaps.append(&mut gaps);
        unit.ranges.append(&mut ranges);
        unit.echo = frame.data.sent;
        Ok(())
    }

    /// Returns the series of each channel that occurs in the readings.
    fn channels(
        &mut self,
        frame: &Frame,
        readings: &[Sampled],
    ) -> Result<Vec<Option<SeriesId>>, Error> {
        let mut series = vec![None; frame.birth.channels.len()];
        for sampled in readings {
            let index = usize::from(sampled.channel);
            if let (Some(slot @ None), Some(channel)) =
                (series.get_mut(index), frame.birth.channels.get(index))
            {
                *slot = Some(self.series(&frame.node, channel)?);
            }
        }
        Ok(series)
    }

    fn series(&mut self, node: &NodeKey, channel: &Channel) -> Result<SeriesId, Error> {
        let key = SeriesKey {
            node: node.clone(),
            position: channel.position.clone(),
            quantity: channel.quantity,
        };
        if let Some(&id) = self.series.get(&key) {
            return Ok(id);
        }
        let id = self.store.series_id(&key)?;
        self.series.insert(key, id);
        Ok(id)
    }
}

impl Unit {
    fn parts<'unit>(
        &'unit self,
        (node, flash): &(NodeKey, FlashId),
    ) -> impl Iterator<Item = Part> + use<'unit> {
        let readings = (!self.samples.is_empty()).then(|| Part::Readings {
            origin: Origin::Node { node: node.clone(), flash: *flash },
            samples: self.samples.clone(),
        });
        readings.into_iter().chain(self.gaps.iter().cloned().map(Part::Gap))
    }

    fn acknowledge(self, (node, flash): (NodeKey, FlashId)) -> Acknowledgeable {
        Acknowledgeable { node, flash, ranges: self.ranges, echo: self.echo }
    }
}

fn sample(frame: &Frame, sampled: &Sampled, series: SeriesId) -> Sample {
    let (mut boot_utc, mut uncertain, mut marks) = (None, false, measure::Marks::NONE);
    let (mut last, mut is_history) = (sampled.uptime, false);
    if let Body::Readings { boot_utc: utc, uncertain: is_estimate, history, readings, .. } =
        &frame.data.body
    {
        (boot_utc, uncertain) = (*utc, *is_estimate);
        last = readings.last().map_or(last, |reading| reading.uptime);
        is_history = *history;
        if is_history {
            marks = measure::Marks::HISTORY;
        }
    }
    let of = dating::Frame {
        boot: frame.data.boot,
        sender: frame.birth.boot,
        sent: frame.data.sent,
        received: frame.received,
        boot_utc,
        uncertain,
        is_history,
        last,
    };
    let (time, dated) = dating::date(&of, sampled.uptime);
    let quality = if sampled.reading.is_err() { Quality::Missing } else { sampled.quality };
    let (reading, marks) = (sampled.reading, marks.with(dated));
    Sample { series, time, reading, quality, marks, taken: None }
}

/// Returns what the node judged itself, dated as a reading; `None` for any other frame, and for a
/// channel that its birth does not have.
fn event(frame: &Frame) -> Option<LocalEvent> {
    let Body::Event { sequence, boot_utc, uncertain, event } = &frame.data.body else {
        return None;
    };
    let channel = frame.birth.channels.get(usize::from(event.channel))?;
    let of = dating::Frame {
        boot: frame.data.boot,
        sender: frame.birth.boot,
        sent: frame.data.sent,
        received: frame.received,
        boot_utc: *boot_utc,
        uncertain: *uncertain,
        is_history: false,
        last: event.uptime,
    };
    let (at, marks) = dating::date(&of, event.uptime);
    Some(LocalEvent {
        node: frame.node.clone(),
        flash: frame.data.flash,
        sequence: *sequence,
        episode: event.episode,
        position: channel.position.clone(),
        quantity: channel.quantity,
        rule: event.rule,
        state: event.state,
        at,
        uncertain: marks != measure::Marks::NONE,
        value: event.value,
        outputs: event.outputs,
        received: frame.received,
    })
}

fn gap_reason(reason: wire::GapReason) -> GapReason {
    match reason {
        wire::GapReason::RingFull => GapReason::RingFull,
        wire::GapReason::Unused => GapReason::Unused,
        wire::GapReason::Corrupt => GapReason::Corrupt,
    }
}

/// Returns whether other nodes' readings can be committed all the same.
fn is_about_one_node(error: &Error) -> bool {
    matches!(
        error,
        Error::TooManySeries { .. } | Error::NoFreeTime { .. } | Error::UnknownSeries(_)
    )
}
