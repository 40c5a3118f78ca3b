//! What a batch lived through, by stage and by day.

use measure::Timestamp;
use nursery::{Batch, Profile, Segment};

use crate::Error;
use crate::channels::Channels;
use crate::days::Days;
use crate::house::{House, Stay};
use crate::row::{DayRow, Row};
use crate::sweep::pieces;

/// The most days of a batch's life that are joined at once: twenty years. A longer span is refused.
pub const SPAN_DAYS_MAX: i64 = 7_320;

const US_A_DAY: i64 = 86_400_000_000;

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when, included.
    pub from: Timestamp,
    /// Until when, not included.
    pub to: Timestamp,
}

/// What a batch lived through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lived {
    /// By stage, in the order of its life, and quantity; then over all stages, by quantity.
    pub rows: Vec<Row>,
    /// By local day and quantity.
    pub days: Vec<DayRow>,
}

/// Returns the segments of a batch that lie in a span, cut at its ends.
pub fn stays(batch: &Batch, span: Span) -> Vec<Segment> {
    let cut = batch.segments(span.to).into_iter().map(|it| {
        let (from, to) = (it.from.max(span.from), it.to.min(span.to));
        Segment { from, to, ..it }
    });
    cut.filter(|it| it.from < it.to).collect()
}

/// Returns what a batch lived through in a span.
///
/// Bands and thermal time are those of its own stage in `profile`. Memory does not grow with the
/// number of samples; it does with the number of days.
///
/// # Errors
/// [`Error::TooLong`] for more than [`SPAN_DAYS_MAX`] days, or where a series can't be read.
pub fn lived(
    house: &House<'_>,
    batch: &Batch,
    profile: Option<&Profile>,
    span: Span,
) -> Result<Lived, Error> {
    lived_with(house, batch, profile, span, |channels| channels)
}

/// As [`lived`], with channels that may hold fewer samples at once.
fn lived_with<'a>(
    house: &'a House<'a>,
    batch: &Batch,
    profile: Option<&Profile>,
    span: Span,
    adjust: impl Fn(Channels<'a>) -> Channels<'a>,
) -> Result<Lived, Error> {
    let segments = stays(batch, span);
    let ends = segments.first().zip(segments.last());
    let days = ends.map_or(0, |(first, last)| last.to.micros_since(first.from) / US_A_DAY);
    if days > SPAN_DAYS_MAX {
        return Err(Error::TooLong { what: batch.to_string(), days, max: SPAN_DAYS_MAX });
    }
    let mut sums = Days::new(house, batch, profile);
    for segment in &segments {
        let stage = sums.stage(&segment.stage);
        let stay = Stay::from(segment);
        let mut channels = adjust(Channels::of(house, &stay));
        for (day, part) in house.local_days((segment.from, segment.to)) {
            sums.enter((day, part), stage, channels.quantities(part));
            channels.read(part, &mut |part, stands| {
                let lights = house.lights(&segment.zone, part);
                for (quantity, pieces) in pieces(stands, &lights) {
                    sums.take(stage, quantity, &pieces);
                }
            })?;
        }
    }
    let (rows, days) = sums.finish();
    Ok(Lived { rows, days })
}

impl From<&Segment> for Stay {
    fn from(segment: &Segment) -> Self {
        let Segment { zone, position, from, to, .. } = segment.clone();
        Self { zone, position, from, to }
    }
}

#[cfg(test)]
mod tests;
