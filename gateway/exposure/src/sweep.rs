//! From what stands in single channels to the value of a quantity: one sweep over time.

use agronomy::{Celsius, RelativeHumidity, vapour_pressure_deficit};
use measure::{Quantity, Timestamp};

use crate::channels::Stands;
use crate::tally::{Mean, NANO, Piece, steps_per_unit};

/// A sample for as long as it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) value: i32,
}

/// A part of a zone's light: whether it is day, and until when. In order; the first begins with the
/// span.
pub(crate) type Lights = [(bool, Timestamp)];

/// Returns the pieces of every quantity, in the order of quantity and time, the derived vapour
/// pressure deficit included.
pub(crate) fn pieces(stands: Stands, lights: &Lights) -> Vec<(Quantity, Vec<Piece>)> {
    let mut all: Vec<(Quantity, Vec<Piece>)> = Vec::new();
    let mut by_quantity: std::collections::BTreeMap<Quantity, Vec<Stand>> = Default::default();
    for (quantity, stands) in stands {
        by_quantity.entry(quantity).or_default().extend(stands);
    }
    for (quantity, stands) in by_quantity {
        all.push((quantity, cut(means(&stands), lights)));
    }
    let of = |wanted| all.iter().find(|(quantity, _)| *quantity == wanted).map(|(_, it)| it);
    if let Some((air, humidity)) = of(Quantity::AirTemperature).zip(of(Quantity::RelativeHumidity))
    {
        all.push((Quantity::VapourPressureDeficit, deficit(air, humidity)));
    }
    all.sort_by_key(|(quantity, _)| *quantity);
    all
}

/// Returns the mean of what stands, from change to change.
fn means(stands: &[Stand]) -> Vec<Piece> {
    let mut changes: Vec<(Timestamp, i64, i32)> = Vec::with_capacity(stands.len() * 2);
    for stand in stands {
        changes.push((stand.from, i64::from(stand.value), 1));
        changes.push((stand.to, -i64::from(stand.value), -1));
    }
    changes.sort_unstable_by_key(|(at, ..)| *at);
    let mut pieces = Vec::new();
    let (mut sum, mut count, mut since) = (0_i64, 0_i32, Timestamp::MIN);
    for (at, value, channels) in changes {
        if at > since
            && let Ok(count) = u32::try_from(count)
            && count > 0
        {
            let value = Mean { sum, count };
            pieces.push(Piece { from: since, to: at, value, day: true });
        }
        (sum, count, since) = (sum + value, count + channels, at);
    }
    pieces
}

/// Returns pieces cut at dusk and dawn, each with its light.
fn cut(pieces: Vec<Piece>, lights: &Lights) -> Vec<Piece> {
    let mut lights = lights.iter().copied().peekable();
    let mut lit = Vec::with_capacity(pieces.len());
    for mut piece in pieces {
        while let Some((day, until)) = lights.peek().copied() {
            if until <= piece.from {
                lights.next();
                continue;
            }
            piece.day = day;
            if piece.to <= until {
                break;
            }
            lit.push(Piece { to: until, ..piece });
            piece.from = until;
        }
        lit.push(piece);
    }
    lit
}

/// Returns the vapour pressure deficit wherever both air temperature and humidity have a value.
fn deficit(air: &[Piece], humidity: &[Piece]) -> Vec<Piece> {
    let (mut air, mut humidity) = (air.iter().peekable(), humidity.iter().peekable());
    let mut pieces = Vec::new();
    while let (Some(warm), Some(wet)) = (air.peek(), humidity.peek()) {
        let (from, to) = (warm.from.max(wet.from), warm.to.min(wet.to));
        if from < to
            && let Some(value) = deficit_of(warm.value, wet.value)
        {
            pieces.push(Piece { from, to, value, day: warm.day });
        }
        if warm.to <= wet.to {
            air.next()
        } else {
            humidity.next()
        };
    }
    pieces
}

fn deficit_of(air: Mean, humidity: Mean) -> Option<Mean> {
    let air = Celsius::new(air.units(steps_per_unit(Quantity::AirTemperature))).ok()?;
    let percent = humidity.units(steps_per_unit(Quantity::RelativeHumidity));
    let humidity = RelativeHumidity::new(percent).ok()?;
    let kpa = vapour_pressure_deficit(air, humidity).0;
    Some(Mean { sum: (kpa * NANO as f64).round() as i64, count: 1 })
}
