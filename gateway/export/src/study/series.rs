//! The readings of a study: of every channel that counts, while its node stood where a batch stood,
//! and for as long before as a reading may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::ops::ControlFlow;

use exposure::{TakenSpan, taken_spans};
use measure::{FlashId, NodeKey, Slug};
use store::{Gap, Sample, SeriesKey, Store};

use crate::corrections::Raw;
use crate::rows::{Row, columns};
use crate::study::{Progress, Study};
use crate::{Error, SeriesSummary};

/// How many readings pass between two reports of progress.
const ROWS_A_REPORT: u64 = 65_536;

/// What was written.
#[derive(Default)]
pub(super) struct Written {
    pub(super) readings: u64,
    /// Whether a calibration holds somewhere in the file.
    pub(super) is_calibrated: bool,
    /// What the file holds of each series, in its order. The zone is left out: there may be several.
    pub(super) series: Vec<SeriesSummary>,
    /// The zones whose readings it holds.
    pub(super) zones: BTreeSet<(Slug, Slug)>,
    /// The channels that count at some time, with readings or without.
    pub(super) channels: BTreeSet<SeriesKey>,
    /// The nodes that take part, with readings or without.
    pub(super) nodes: BTreeSet<NodeKey>,
    /// The first and the last sequence of each flash.
    sequences: BTreeMap<(NodeKey, FlashId), (u64, u64)>,
}

pub(super) fn write(
    study: &Study,
    store: &dyn Store,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Written, Error> {
    let mut spans: Vec<(&SeriesKey, TakenSpan)> = Vec::new();
    let sites: BTreeSet<&Slug> = study.batches.iter().map(|batch| &batch.site).collect();
    for site in sites {
        let stays = study.stays(site);
        let taken = study.at_site(store, site, |house| Ok(taken_spans(house, &stays)))?;
        for span in taken.unwrap_or_default() {
            let key = study.series.iter().find(|(id, _)| *id == span.series);
            spans.extend(key.map(|(_, key)| (key, span)));
        }
    }
    spans.sort_by_key(|(key, span)| (*key, span.from));
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    let holds =
        |(key, span): &(&SeriesKey, TakenSpan)| study.corrections.hold(key, (span.from, span.to));
    let is_calibrated = spans.iter().any(holds);
    writer.write_record(columns(is_calibrated).iter().map(|column| column.name))?;
    let mut written = Written { is_calibrated, ..Written::default() };
    for (done, (key, span)) in spans.iter().enumerate() {
        let mut tell = |readings| progress(Progress { done, steps: spans.len(), readings });
        tell(written.readings);
        span_of(study, store, (key, span), &mut writer, &mut written, &mut tell)?;
    }
    writer.flush()?;
    let (done, readings) = (spans.len(), written.readings);
    progress(Progress { done, steps: done, readings });
    Ok(written)
}

fn span_of(
    study: &Study,
    store: &dyn Store,
    (key, span): (&SeriesKey, &TakenSpan),
    writer: &mut csv::Writer<&mut dyn Write>,
    written: &mut Written,
    tell: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let mut row = Row::new(key, Some(&span.zone), written.is_calibrated);
    let mut failed = None;
    written.channels.insert(key.clone());
    written.nodes.insert(key.node.clone());
    written.zones.insert((key.node.site.clone(), span.zone.clone()));
    let visit = &mut |sample: &Sample, raw: Option<Raw>| {
        let max = study.readings_max.unwrap_or(u64::MAX);
        let room = if written.readings < max {
            row.write(sample, raw, writer)
        } else {
            Err(Error::TooManyReadings { max })
        };
        if let Err(error) = room {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        written.take(key, sample);
        if written.readings.is_multiple_of(ROWS_A_REPORT) {
            tell(written.readings);
        }
        ControlFlow::Continue(())
    };
    study
        .corrections
        .scan(store, (span.series, key), (span.from, span.to), visit)
        .map_err(|source| Error::Store { series: key.to_string(), source })?;
    failed.map_or(Ok(()), Err)
}

impl Written {
    fn take(&mut self, key: &SeriesKey, sample: &Sample) {
        self.readings += 1;
        if self.series.last().is_none_or(|last| last.key != *key) {
            self.series.push(SeriesSummary {
                key: key.clone(),
                zone: None,
                rows: 0,
                faults: 0,
                first: sample.time,
                last: sample.time,
            });
        }
        if let Some(summary) = self.series.last_mut() {
            summary.rows += 1;
            summary.faults += u64::from(sample.reading.is_err());
            summary.last = sample.time;
        }
        if let Some(taken) = sample.taken {
            let number = taken.sequence.0;
            let ends =
                self.sequences.entry((key.node.clone(), taken.flash)).or_insert((number, number));
            *ends = (ends.0.min(number), ends.1.max(number));
        }
    }
}

/// Returns the gaps that nodes of the study have declared in it: those between the first and the last
/// reading of a flash, and those that were told of within the span.
pub(super) fn gaps(study: &Study, store: &dyn Store, written: &Written) -> Result<Vec<Gap>, Error> {
    let mut found = Vec::new();
    for node in &written.nodes {
        let failed = |source| Error::Store { series: format!("{node}'s gaps"), source };
        found.extend(store.gaps(node).map_err(failed)?.into_iter().filter(|gap| {
            let ends = written.sequences.get(&(node.clone(), gap.flash));
            let between = ends.is_some_and(|(first, last)| {
                *first < gap.range.last.0 && gap.range.first.0 < *last
            });
            between || (study.span.from <= gap.at && gap.at < study.span.to)
        }));
    }
    Ok(found)
}
