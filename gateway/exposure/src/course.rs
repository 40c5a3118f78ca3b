//! How a quantity went through the life of a batch, in buckets that begin with it: for a chart.

use agronomy::Cardinal;
use measure::{Quantity, Timestamp};
use nursery::Batch;

use crate::Error;
use crate::batch::{Span, stays};
use crate::channels::Channels;
use crate::house::{House, Stay};
use crate::sweep::pieces;
use crate::tally::{Piece, Tally, Wanted, steps_per_unit};

/// The most buckets of one course; those after are left out.
pub const BUCKETS_MAX: usize = 10_000;

/// A bucket of a course.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bucket {
    /// The least value; none where nothing stands.
    pub min: Option<f64>,
    /// The mean, weighted by time.
    pub mean: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
}

/// Returns the course of a quantity in a span, in buckets of `step_us` from its start on.
///
/// # Errors
/// Where a series can't be read.
pub fn course(
    house: &House<'_>,
    batch: &Batch,
    quantity: Quantity,
    span: Span,
    step_us: i64,
) -> Result<Vec<Bucket>, Error> {
    let step_us = step_us.clamp(1, i64::MAX / 4);
    let length_us = span.to.micros_since(span.from).max(0);
    let count = usize::try_from((length_us + step_us - 1) / step_us).unwrap_or(usize::MAX);
    let mut tallies = vec![Tally::default(); count.min(BUCKETS_MAX)];
    let wanted = Wanted::new(quantity, None, Cardinal::DEFAULT);
    let mut take = |piece: &Piece| {
        let mut at = piece.from;
        while at < piece.to {
            let index = at.micros_since(span.from).div_euclid(step_us);
            let until = span.from.plus_micros((index + 1).saturating_mul(step_us)).min(piece.to);
            let found = usize::try_from(index).ok().and_then(|index| tallies.get_mut(index));
            let Some(tally) = found else { return };
            tally.take(&wanted, &Piece { from: at, to: until, ..*piece });
            at = until.max(at.plus_micros(1));
        }
    };
    let asked = |channel| match quantity {
        Quantity::VapourPressureDeficit => {
            matches!(channel, Quantity::AirTemperature | Quantity::RelativeHumidity)
        }
        _ => channel == quantity,
    };
    for segment in stays(batch, span) {
        let mut channels = Channels::of(house, &Stay::from(&segment)).only(asked);
        for (_, part) in house.local_days((segment.from, segment.to)) {
            channels.read(part, &mut |part, stands| {
                let all: [(bool, Timestamp); 1] = [(true, part.1)];
                for (_, pieces) in
                    pieces(stands, &all).iter().filter(|(found, _)| *found == quantity)
                {
                    pieces.iter().for_each(&mut take);
                }
            })?;
        }
    }
    let steps = steps_per_unit(quantity);
    let bucket = |tally: &Tally| Bucket {
        min: tally.min.map(|it| it.units(steps)),
        mean: tally.mean(steps),
        max: tally.max.map(|it| it.units(steps)),
    };
    Ok(tallies.iter().map(bucket).collect())
}
