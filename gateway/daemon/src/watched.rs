//! The store as ingest sees it: its commits are timed, and a full disk gives the reserve up.

use std::{ops::ControlFlow, sync::Arc};

use measure::{FlashId, NodeKey, SequenceRange, Timestamp};
use prometheus_client::metrics::histogram::Histogram;
use store::{
    Batch, Columns, Committed, Error, Gap, Position, Retained, Sample, SeriesId, SeriesKey,
    Silence, Store,
};

use crate::{clock::Stopwatch, reserve::Reserve};

/// The longest duration of each bucket, in seconds: an SSD lies at the front, an SD card behind.
const BUCKETS_S: [f64; 10] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// A store whose commits are watched.
pub(crate) struct Watched {
    inner: Arc<dyn Store>,
    reserve: Arc<Reserve>,
    durations: Histogram,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Store>, reserve: Arc<Reserve>) -> Self {
        Self { inner, reserve, durations: Histogram::new(BUCKETS_S) }
    }

    /// Returns a handle on how long commits took, in seconds.
    pub(crate) fn durations(&self) -> Histogram {
        self.durations.clone()
    }

    /// Lets nothing new in while the disk is too full: what is left of it is for alarms and people.
    fn guard<T>(&self, write: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        if self.reserve.is_short() {
            return Err(Error::Full);
        }
        let written = write();
        if matches!(written, Err(Error::Full)) {
            self.reserve.give_up();
        }
        written
    }
}

impl Store for Watched {
    fn series_id(&self, key: &SeriesKey) -> Result<SeriesId, Error> {
        self.guard(|| self.inner.series_id(key))
    }

    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, Error> {
        self.inner.series()
    }

    fn commit(&self, batch: &Batch) -> Result<Committed, Error> {
        self.guard(|| {
            let stopwatch = Stopwatch::start();
            let committed = self.inner.commit(batch);
            self.durations.observe(stopwatch.seconds());
            committed
        })
    }

    fn seen(&self, node: &NodeKey, flash: FlashId) -> Result<Vec<SequenceRange>, Error> {
        self.inner.seen(node, flash)
    }

    fn latest(&self) -> Result<Vec<Sample>, Error> {
        self.inner.latest()
    }

    fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.inner.scan(series, from, to, visit)
    }

    fn downsample(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        step_ms: i64,
        origin: Timestamp,
    ) -> Result<Columns, Error> {
        self.inner.downsample(series, from, to, step_ms, origin)
    }

    fn at(
        &self,
        series: SeriesId,
        time: Timestamp,
        age_max_ms: i64,
    ) -> Result<Option<Sample>, Error> {
        self.inner.at(series, time, age_max_ms)
    }

    fn silences(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        longer_than_ms: i64,
    ) -> Result<Vec<Silence>, Error> {
        self.inner.silences(series, from, to, longer_than_ms)
    }

    fn retained(&self, series: SeriesId) -> Result<Retained, Error> {
        self.inner.retained(series)
    }

    fn journal(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Vec<Sample>)>, Error> {
        self.inner.journal(after, limit)
    }

    fn release(&self, upto: Position) -> Result<(), Error> {
        self.inner.release(upto)
    }

    fn last_position(&self) -> Result<Position, Error> {
        self.inner.last_position()
    }

    fn gaps(&self, node: &NodeKey) -> Result<Vec<Gap>, Error> {
        self.inner.gaps(node)
    }
}
