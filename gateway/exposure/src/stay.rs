//! What a zone was like in a span, whatever stands in it, by day and by night: for a daily sheet.

use std::collections::BTreeMap;

use measure::{Quantity, Slug};
use nursery::Profile;

use crate::Error;
use crate::channels::Channels;
use crate::days::{basis, cardinal};
use crate::house::{House, Stay};
use crate::row::{Head, Row};
use crate::sweep::pieces;
use crate::tally::{Tally, Wanted, steps_per_unit};

/// What a zone was like, of one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct StayRow {
    /// Day and night together. It names no stage and has no mean a day.
    pub row: Row,
    /// The mean while it was day.
    pub day_mean: Option<f64>,
    /// The mean while it was night.
    pub night_mean: Option<f64>,
}

#[derive(Default)]
struct Sums {
    all: Tally,
    day: Tally,
    night: Tally,
}

/// Returns what a zone was like during a stay, by quantity. The stage is that of `growing`: profile,
/// method and stage.
///
/// # Errors
/// Where a series can't be read.
pub fn stay(
    house: &House<'_>,
    stay: &Stay,
    growing: Option<(&Profile, &Slug, &Slug)>,
) -> Result<Vec<StayRow>, Error> {
    let none = Slug::new("none").unwrap_or_else(|_| unreachable!("the name is a slug"));
    let stage = growing.and_then(|(profile, method, stage)| profile.stage(method, stage));
    let (profile, method, name) =
        growing.map_or((None, &none, &none), |(profile, method, it)| (Some(profile), method, it));
    let (cardinal, thermal) = cardinal(profile, method, name);
    let mut channels = Channels::of(house, stay);
    let span = (stay.from, stay.to);
    let mut names: BTreeMap<Quantity, Vec<String>> = BTreeMap::new();
    for (quantity, name) in channels.quantities(span) {
        names.entry(quantity).or_default().push(name);
    }
    let of = |quantity| names.get(&quantity).cloned();
    if let Some((air, wet)) = of(Quantity::AirTemperature).zip(of(Quantity::RelativeHumidity)) {
        let mut both = [air, wet].concat();
        both.sort_unstable();
        both.dedup();
        names.insert(Quantity::VapourPressureDeficit, both);
    }
    let mut sums: BTreeMap<Quantity, Sums> =
        names.keys().map(|quantity| (*quantity, Sums::default())).collect();
    let wanted = |quantity| Wanted::new(quantity, stage, cardinal);
    for (_, part) in house.local_days(span) {
        channels.read(part, &mut |part, stands| {
            for (quantity, pieces) in pieces(stands, &house.lights(&stay.zone, part)) {
                let wanted = wanted(quantity);
                let sums = sums.entry(quantity).or_default();
                for piece in &pieces {
                    sums.all.take(&wanted, piece);
                    let lit = if piece.day { &mut sums.day } else { &mut sums.night };
                    lit.take(&wanted, piece);
                }
            }
        })?;
    }
    let rows = sums.into_iter().map(|(quantity, sums)| {
        let head = Head {
            stage: None,
            quantity,
            from: stay.from,
            to: stay.to,
            time_us: stay.to.micros_since(stay.from),
            edges: wanted(quantity).has_edges(),
            channels: names.get(&quantity).cloned().unwrap_or_default(),
            basis: basis(quantity, &thermal),
        };
        let steps = steps_per_unit(quantity);
        StayRow {
            row: head.row(&sums.all, (&Tally::default(), 0)),
            day_mean: sums.day.mean(steps),
            night_mean: sums.night.mean(steps),
        }
    });
    Ok(rows.collect())
}
