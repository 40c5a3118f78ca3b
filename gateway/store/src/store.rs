//! The contract that every store keeps.

use std::ops::ControlFlow;

use measure::{FlashId, NodeKey, SequenceRange, Timestamp};

use crate::{
    Batch, Columns, Committed, Error, Gap, Position, Retained, Sample, SeriesId, SeriesKey, Silence,
};

/// The most samples in one answer of [`Store::journal`], rounded up to a whole commit: the rest
/// comes with the next question.
pub const JOURNAL_ANSWER_SAMPLES_MAX: usize = 65_536;
/// The most silences in one answer of [`Store::silences`]: the earliest are given; the others come
/// with a question that begins at the end of the last one.
pub const SILENCES_ANSWER_MAX: usize = 10_000;
/// The most gaps in one answer of [`Store::gaps`]: the latest are given, older ones left out.
pub const GAPS_ANSWER_MAX: usize = 10_000;

/// What [`Store::at`] looks through first, and how many times as much next: most questions are
/// answered by the last minutes, and a series that is silent costs little more than one scan.
const AT_WINDOW_MS: i64 = 3_600_000;
const AT_WINDOW_GROWTH: i64 = 24;

/// Keeps samples for good and answers questions about them.
///
/// Every method may be called from any thread and may block on the disk. Any time is allowed in any
/// order: a reading from days ago is as welcome as the newest one.
pub trait Store: Send + Sync {
    /// Returns the number of a series, which is created and on disk where it is new.
    ///
    /// # Errors
    /// [`Error::TooManySeries`], or what the backend says.
    fn series_id(&self, key: &SeriesKey) -> Result<SeriesId, Error>;

    /// Returns every series in the order of its number.
    ///
    /// # Errors
    /// What the backend says.
    fn series(&self) -> Result<Vec<(SeriesId, SeriesKey)>, Error>;

    /// Keeps a batch: all of it is on disk when this returns, or nothing where it fails.
    ///
    /// Repeats are dropped: of a node by flash id and sequence, of a guest by series, time and
    /// reading. A reading whose time is taken is kept at the next free microsecond, with
    /// [`Marks::SHIFTED`](measure::Marks::SHIFTED). Derived samples and flags change what stands, in
    /// the order of the batch's parts. A batch that changes nothing writes nothing.
    ///
    /// # Errors
    /// Where the error [is transient](Error::is_transient), the same batch may be committed again.
    fn commit(&self, batch: &Batch) -> Result<Committed, Error>;

    /// Returns the sequences of a flash that are on disk or that its node gave up, in order.
    ///
    /// # Errors
    /// What the backend says.
    fn seen(&self, node: &NodeKey, flash: FlashId) -> Result<Vec<SequenceRange>, Error>;

    /// Returns for each series that has any the sample with the greatest event time, in the order
    /// of the series' numbers.
    ///
    /// # Errors
    /// What the backend says.
    fn latest(&self) -> Result<Vec<Sample>, Error>;

    /// Shows every sample of a series in `[from, to)` to `visit`, in the order of time, until it
    /// breaks. Memory does not grow with the span.
    ///
    /// # Errors
    /// [`Error::UnknownSeries`], [`Error::Corrupt`] or what the backend says.
    fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), Error>;

    /// Returns the samples of a series in `[from, to)` as buckets of `step_ms`.
    ///
    /// Buckets begin at `origin` plus a whole number of steps, before it too; the first holds
    /// `from`, the last the microsecond before `to`. What lies outside of `[from, to)` is not
    /// counted, so that the first and the last bucket may be partial. Every bucket is there.
    /// Whole hours are read from summaries; [`Columns`] says what is counted.
    ///
    /// # Errors
    /// [`Error::TooManyBuckets`], [`Error::UnknownSeries`], [`Error::Corrupt`],
    /// [`Error::Coarser`] where the buckets do not fit to what is left of the span ([`Retained`]),
    /// or what the backend says.
    fn downsample(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        step_ms: i64,
        origin: Timestamp,
    ) -> Result<Columns, Error>;

    /// Returns the last sample of a series at or before `time` that is at most `age_max_ms` older.
    /// (At [`Timestamp::MAX`], which no span includes, the last one before it.)
    ///
    /// # Errors
    /// As [`Store::scan`].
    fn at(
        &self,
        series: SeriesId,
        time: Timestamp,
        age_max_ms: i64,
    ) -> Result<Option<Sample>, Error> {
        let age_max_ms = age_max_ms.max(0);
        let (mut window_ms, mut end) = (AT_WINDOW_MS.min(age_max_ms), time.plus_micros(1));
        loop {
            let from = time.plus_ms(-window_ms);
            let mut found = None;
            let mut visit = |sample: &Sample| {
                found = Some(*sample);
                ControlFlow::Continue(())
            };
            self.scan(series, from, end, &mut visit)?;
            if found.is_some() || window_ms == age_max_ms {
                return Ok(found);
            }
            end = from;
            window_ms = window_ms.saturating_mul(AT_WINDOW_GROWTH).min(age_max_ms);
        }
    }

    /// Returns the spans of `[from, to)` longer than `longer_than_ms` in which a series has no
    /// sample, of any quality, in the order of time: at most [`SILENCES_ANSWER_MAX`]. None begins
    /// before [`Retained::raw_from`]: of what was rolled up it can no longer be told.
    ///
    /// # Errors
    /// As [`Store::scan`].
    fn silences(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        longer_than_ms: i64,
    ) -> Result<Vec<Silence>, Error> {
        let longest_us = longer_than_ms.max(0).saturating_mul(1_000);
        let from = from.max(self.retained(series)?.raw_from);
        let (mut silences, mut since) = (Vec::new(), from);
        let mut until = |time: Timestamp| {
            if time.micros_since(since) > longest_us {
                silences.push(Silence { from: since, to: time });
            }
            since = time;
            silences.len() < SILENCES_ANSWER_MAX
        };
        let mut visit = |sample: &Sample| {
            if until(sample.time) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        self.scan(series, from, to, &mut visit)?;
        if from < to && silences.len() < SILENCES_ANSWER_MAX && to.micros_since(since) > longest_us
        {
            silences.push(Silence { from: since, to });
        }
        Ok(silences)
    }

    /// Returns from when on the store still holds what of a series; everything, unless it was told
    /// to let go of what is old.
    ///
    /// # Errors
    /// [`Error::UnknownSeries`], or what the backend says.
    fn retained(&self, series: SeriesId) -> Result<Retained, Error> {
        self.scan(series, Timestamp::MIN, Timestamp::MIN, &mut |_| ControlFlow::Break(()))?;
        Ok(Retained::ALL)
    }

    /// Returns what the commits after a position have newly kept, as it was kept, oldest first.
    ///
    /// At most `limit` commits and about [`JOURNAL_ANSWER_SAMPLES_MAX`] samples; nothing where
    /// `after` is the last position. A commit that brought gaps or flags alone has no samples;
    /// derived samples that stand in place of others are among them.
    ///
    /// # Errors
    /// [`Error::Trimmed`] where commits after `after` were released and are gone.
    fn journal(&self, after: Position, limit: usize)
    -> Result<Vec<(Position, Vec<Sample>)>, Error>;

    /// Says that the journal up to a position, itself included, is needed no more.
    ///
    /// # Errors
    /// What the backend says.
    fn release(&self, upto: Position) -> Result<(), Error>;

    /// Returns the position of the last commit; 0 before the first.
    ///
    /// # Errors
    /// What the backend says.
    fn last_position(&self) -> Result<Position, Error>;

    /// Returns what a node gave up and what has not come after all, by flash and sequence.
    ///
    /// # Errors
    /// What the backend says.
    fn gaps(&self, node: &NodeKey) -> Result<Vec<Gap>, Error>;
}
