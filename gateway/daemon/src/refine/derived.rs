//! What no sensor measures, computed from air temperature and humidity at one place as they come.
//!
//! The last few readings of every place are remembered, so that a reading that follows in time costs no
//! question to the store. One that came late, or that was flagged since, has the span around it computed
//! from the store again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;

use alarms::ChannelId;
use anyhow::Result;
use api::Nursery;
use ingest::{NodeState, Nodes};
use measure::{NodeKey, Quantity, Slug, Timestamp};
use nursery::INTERVAL_MS_DEFAULT;
use quality::{Air, OF_AIR, Rules, SKEW_INTERVALS_MAX, derive};
use registry::{Derivation, Registry};
use store::{Sample, SeriesId, SeriesKey, Store};
use tracing::error;

/// The longest span that is computed from the store at once, in milliseconds: a day.
const PART_MS_MAX: i64 = 86_400_000;
/// How many times the reach of a reading is remembered.
const REMEMBERED_REACHES: i64 = 3;

/// What says which channels there are.
pub(super) struct Channels<'a> {
    pub(super) nursery: &'a Nursery,
    pub(super) rules: &'a Arc<Rules>,
    /// What nodes say that they measure and that is derived where nobody does.
    pub(super) measured: Vec<SeriesKey>,
}

/// Computes derived samples.
#[derive(Default)]
pub(super) struct Deriver {
    places: Vec<Place>,
    /// The place of each input.
    by_input: HashMap<SeriesId, usize>,
    /// What the places were made of.
    made_of: Option<MadeOf>,
}

#[derive(PartialEq, Eq)]
struct MadeOf {
    series: usize,
    /// What nodes say that they measure, where that is derived elsewhere.
    measured: Vec<SeriesKey>,
    intervals: Vec<(SeriesId, u32)>,
}

/// Temperature and humidity of the air at one place.
struct Place {
    temperature: SeriesId,
    humidity: SeriesId,
    interval_ms: u32,
    /// What is derived, and into which series.
    into: Vec<(Quantity, SeriesId)>,
    /// The last readings; `None` where they have to be read from the store.
    recent: Option<Recent>,
    /// From which time on the recent readings give numbers that are not committed yet.
    fresh: Option<Timestamp>,
    /// Spans of time that have to be computed from the store.
    touched: Vec<(Timestamp, Timestamp)>,
    /// The newest reading of each that the journal has brought.
    newest: [Option<Timestamp>; 2],
}

/// The last readings of a place: all from a time on, as far as the journal has brought them.
struct Recent {
    from: Timestamp,
    temperature: Vec<Sample>,
    humidity: Vec<Sample>,
}

/// A span of a place that is computed from the store.
pub(super) struct Part {
    place: usize,
    temperature: SeriesId,
    from: Timestamp,
    to: Timestamp,
}

impl Part {
    pub(super) fn series(&self) -> SeriesId {
        self.temperature
    }
}

impl Deriver {
    /// Forgets what is remembered of readings: the store knows better.
    pub(super) fn forget(&mut self) {
        for place in &mut self.places {
            place.recent = None;
        }
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        let recent = self.places.iter().filter_map(|place| place.recent.as_ref());
        recent.map(|recent| recent.temperature.len() + recent.humidity.len()).sum()
    }

    /// Finds the places anew where channels, births or intervals have changed.
    ///
    /// # Errors
    /// What store and registry say.
    pub(super) fn follow_channels(
        &mut self,
        store: &dyn Store,
        registry: &Registry,
        channels: &Channels<'_>,
    ) -> Result<()> {
        let series = store.series()?;
        let measured = channels.measured.clone();
        let interval = |(id, key): &(SeriesId, SeriesKey)| {
            let counts = matches!(key.quantity, Quantity::AirTemperature);
            counts.then(|| (*id, channels.interval_ms(*id)))
        };
        let intervals = series.iter().filter_map(interval).collect();
        let made_of = MadeOf { series: series.len(), measured, intervals };
        if self.made_of.as_ref() == Some(&made_of) {
            return Ok(());
        }
        let mut found = places(&series, channels);
        let derivations = wanted(&series, &found, registry, &made_of.measured)?;
        registry.set_derivations(&derivations.new)?;
        for (place, into) in found.iter_mut().zip(derivations.by_place) {
            for channel in into {
                match store.series_id(&channel) {
                    Ok(id) => place.into.push((channel.quantity, id)),
                    Err(error) if !error.is_transient() => {
                        error!(%channel, %error, "Cannot keep what is computed; it is left out.");
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        found.retain(|place| !place.into.is_empty());
        for old in self.places.drain(..) {
            let is_it = |place: &&mut Place| place.temperature == old.temperature;
            if let Some(place) = found.iter_mut().find(is_it) {
                // What was touched and not computed yet stays so; the rest is read again.
                place.touched = old.touched;
                place.newest = old.newest;
                if place.interval_ms == old.interval_ms && place.humidity == old.humidity {
                    place.recent = old.recent;
                }
            }
        }
        self.places = found;
        self.by_input = HashMap::new();
        for (index, place) in self.places.iter().enumerate() {
            self.by_input.insert(place.temperature, index);
            self.by_input.insert(place.humidity, index);
        }
        // The series that were made just now are counted with the next look.
        self.made_of = Some(MadeOf { series: store.series()?.len(), ..made_of });
        Ok(())
    }

    /// Takes in what the journal brings. Samples of derived series are passed over.
    pub(super) fn take(&mut self, samples: &[Sample]) {
        for sample in samples {
            let index = self.by_input.get(&sample.series);
            if let Some(place) = index.and_then(|index| self.places.get_mut(*index)) {
                place.take(sample);
            }
        }
    }

    /// Says that a channel's readings have become others, from one time to another, both included.
    pub(super) fn touch(&mut self, series: SeriesId, (from, to): (Timestamp, Timestamp)) {
        let index = self.by_input.get(&series);
        if let Some(place) = index.and_then(|index| self.places.get_mut(*index)) {
            place.touch(series, (from, to));
        }
    }

    /// Returns what the recent readings give newly.
    pub(super) fn fresh(&mut self) -> Vec<Sample> {
        let mut derived = Vec::new();
        for place in &mut self.places {
            place.derive_fresh(&mut derived);
        }
        derived
    }

    /// Takes out a span that has to be computed from the store.
    pub(super) fn next_touched(&mut self) -> Option<Part> {
        let touched = |place: &Place| !place.touched.is_empty();
        let index = self.places.iter().position(touched)?;
        let place = self.places.get_mut(index)?;
        place.join_touched();
        let (from, to) = place.touched.pop()?;
        let cut = from.plus_ms(PART_MS_MAX).min(to);
        if cut < to {
            place.touched.push((cut, to));
        }
        Some(Part { place: index, temperature: place.temperature, from, to: cut })
    }

    /// Computes a span from the store.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn derive(
        &self,
        store: &dyn Store,
        part: &Part,
        derived: &mut Vec<Sample>,
    ) -> Result<(), store::Error> {
        let Some(place) = self.places.get(part.place) else { return Ok(()) };
        let reach_ms = place.reach_ms();
        let temperature = scan(store, place.temperature, (part.from, part.to))?;
        if temperature.is_empty() {
            return Ok(());
        }
        let (from, to) = (part.from.plus_ms(-reach_ms), part.to.plus_ms(reach_ms).plus_micros(1));
        let humidity = scan(store, place.humidity, (from, to))?;
        place.derive(&temperature, &humidity, (part.from, part.to), derived);
        Ok(())
    }

    /// Reads what is remembered of the places that have to, once all that was touched is computed.
    ///
    /// # Errors
    /// What the store says.
    pub(super) fn settle(&mut self, store: &dyn Store) -> Result<(), store::Error> {
        for place in &mut self.places {
            place.settle(store)?;
        }
        Ok(())
    }
}

impl Place {
    fn reach_ms(&self) -> i64 {
        SKEW_INTERVALS_MAX * i64::from(self.interval_ms)
    }

    fn take(&mut self, sample: &Sample) {
        let is_temperature = sample.series == self.temperature;
        let [temperature, humidity] = &mut self.newest;
        let newest = if is_temperature { temperature } else { humidity };
        let before = *newest;
        *newest = before.max(Some(sample.time));
        let reach_ms = self.reach_ms();
        let follows = before.is_none_or(|before| before < sample.time);
        let Some(recent) = self.recent.as_mut().filter(|recent| {
            follows && before.is_some() && recent.from <= sample.time.plus_ms(-reach_ms)
        }) else {
            return self.touch(sample.series, (sample.time, sample.time));
        };
        let from = if is_temperature {
            recent.temperature.push(*sample);
            sample.time
        } else {
            // Of two that are as near the earlier one counts, so that it begins behind the middle.
            let last = recent.humidity.last().map(|last| last.time);
            recent.humidity.push(*sample);
            let middle = last
                .map(|last| last.plus_micros(sample.time.micros_since(last) / 2).plus_micros(1));
            middle.unwrap_or(Timestamp::MIN).max(sample.time.plus_ms(-reach_ms))
        };
        self.fresh = Some(self.fresh.map_or(from, |fresh| fresh.min(from)));
    }

    /// What is said of a temperature changes the number at its time, of a humidity those within reach.
    fn touch(&mut self, series: SeriesId, (from, to): (Timestamp, Timestamp)) {
        let reach_ms = if series == self.temperature { 0 } else { self.reach_ms() };
        let to = to.plus_ms(reach_ms).plus_micros(1);
        self.touched.push((from.plus_ms(-reach_ms), to));
        self.recent = None;
        // What was about to be computed from memory is computed from the store as well.
        if let Some((fresh, newest)) = self.fresh.take().zip(self.newest.first().copied().flatten())
        {
            self.touched.push((fresh, newest.plus_micros(1)));
        }
    }

    fn derive_fresh(&mut self, derived: &mut Vec<Sample>) {
        let (Some(from), Some(recent)) = (self.fresh.take(), self.recent.take()) else { return };
        let span = (from, Timestamp::MAX);
        self.derive(&recent.temperature, &recent.humidity, span, derived);
        let keep_ms = REMEMBERED_REACHES * self.reach_ms();
        let newest = self.newest.iter().flatten().max().copied().unwrap_or(Timestamp::MIN);
        let mut recent = recent;
        recent.from = recent.from.max(newest.plus_ms(-keep_ms));
        let (from, mut temperature, mut humidity) =
            (recent.from, recent.temperature, recent.humidity);
        temperature.retain(|sample| sample.time >= from);
        humidity.retain(|sample| sample.time >= from);
        self.recent = Some(Recent { from, temperature, humidity });
    }

    fn derive(
        &self,
        temperature: &[Sample],
        humidity: &[Sample],
        span: (Timestamp, Timestamp),
        derived: &mut Vec<Sample>,
    ) {
        let air = Air { temperature, humidity, interval_ms: self.interval_ms };
        for (quantity, into) in &self.into {
            derived.extend(derive(&air, *quantity, *into, span));
        }
    }

    /// Puts the touched spans in order and together, the last of them first.
    fn join_touched(&mut self) {
        self.touched.sort_unstable();
        self.touched.dedup_by(|next, last| {
            let joins = next.0 <= last.1;
            if joins {
                last.1 = last.1.max(next.1);
            }
            joins
        });
    }

    /// Reads the last readings, as far as the journal has brought them: what the store holds beyond is
    /// still to come that way.
    fn settle(&mut self, store: &dyn Store) -> Result<(), store::Error> {
        let [Some(temperature), Some(humidity)] = self.newest else { return Ok(()) };
        if self.recent.is_some() || !self.touched.is_empty() {
            return Ok(());
        }
        let newest = temperature.max(humidity);
        let from = newest.plus_ms(-REMEMBERED_REACHES * self.reach_ms());
        let upto = |time: Timestamp| (from, time.plus_micros(1));
        let read = |series, newest: Timestamp| match from <= newest {
            true => scan(store, series, upto(newest)),
            false => Ok(Vec::new()),
        };
        self.recent = Some(Recent {
            from,
            temperature: read(self.temperature, temperature)?,
            humidity: read(self.humidity, humidity)?,
        });
        Ok(())
    }
}

impl Channels<'_> {
    fn interval_ms(&self, series: SeriesId) -> u32 {
        let judged = self.rules.channel(series).map(|channel| channel.interval_ms);
        let expected = || {
            let rules = self.nursery.rules.channel(ChannelId(series.0));
            rules.map(|(_, channel)| channel.expected_interval_ms)
        };
        judged.or_else(expected).unwrap_or(INTERVAL_MS_DEFAULT).max(1)
    }
}

/// Returns what nodes say that they measure and that is derived where nobody does.
pub(super) fn measured(births: &Nodes) -> Vec<SeriesKey> {
    let of = |(node, state): (&NodeKey, &NodeState)| {
        let derived = state.birth.channels.iter().filter(|it| OF_AIR.contains(&it.quantity));
        let key = |it: &wire::Channel| SeriesKey {
            node: node.clone(),
            position: it.position.clone(),
            quantity: it.quantity,
        };
        derived.filter(|it| it.enabled).map(key).collect::<Vec<_>>()
    };
    let mut measured: Vec<SeriesKey> = births.iter().flat_map(of).collect();
    measured.sort_unstable();
    measured
}

/// Returns every place with temperature and humidity of the air, with nothing to derive into yet.
fn places(series: &[(SeriesId, SeriesKey)], channels: &Channels<'_>) -> Vec<Place> {
    let mut inputs: HashMap<(&NodeKey, &Slug), [Option<SeriesId>; 2]> = HashMap::new();
    for (id, key) in series {
        let which = match key.quantity {
            Quantity::AirTemperature => 0,
            Quantity::RelativeHumidity => 1,
            _ => continue,
        };
        let both = match inputs.entry((&key.node, &key.position)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert([None, None]),
        };
        if let Some(slot) = both.get_mut(which) {
            *slot = Some(*id);
        }
    }
    let place = |both: [Option<SeriesId>; 2]| {
        let [Some(temperature), Some(humidity)] = both else { return None };
        Some(Place {
            temperature,
            humidity,
            interval_ms: channels.interval_ms(temperature),
            into: Vec::new(),
            recent: None,
            fresh: None,
            touched: Vec::new(),
            newest: [None, None],
        })
    };
    let mut places: Vec<Place> = inputs.into_values().filter_map(place).collect();
    places.sort_by_key(|place| place.temperature);
    places
}

/// What is derived.
struct Wanted {
    /// Of each place.
    by_place: Vec<Vec<SeriesKey>>,
    /// What the registry does not know yet.
    new: Vec<Derivation>,
}

/// Returns what is derived at places: all but what somebody measures there.
fn wanted(
    series: &[(SeriesId, SeriesKey)],
    places: &[Place],
    registry: &Registry,
    measured: &[SeriesKey],
) -> Result<Wanted> {
    let keys: HashMap<SeriesId, &SeriesKey> = series.iter().map(|(id, key)| (*id, key)).collect();
    let there: HashMap<&SeriesKey, SeriesId> = series.iter().map(|(id, key)| (key, *id)).collect();
    let known: HashMap<SeriesKey, Vec<SeriesKey>> =
        registry.derivations()?.into_iter().map(|it| (it.channel, it.inputs)).collect();
    let mut wanted = Wanted { by_place: Vec::new(), new: Vec::new() };
    for place in places {
        let mut into = Vec::new();
        let inputs = keys.get(&place.temperature).zip(keys.get(&place.humidity));
        if let Some((temperature, humidity)) = inputs {
            for quantity in OF_AIR {
                let channel = SeriesKey { quantity, ..(*temperature).clone() };
                let is_ours = known.contains_key(&channel) || !there.contains_key(&channel);
                if !is_ours || measured.contains(&channel) {
                    continue;
                }
                let inputs = vec![(*temperature).clone(), (*humidity).clone()];
                if known.get(&channel) != Some(&inputs) {
                    wanted.new.push(Derivation { channel: channel.clone(), inputs });
                }
                into.push(channel);
            }
        }
        wanted.by_place.push(into);
    }
    Ok(wanted)
}

pub(super) fn scan(
    store: &dyn Store,
    series: SeriesId,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Sample>, store::Error> {
    let mut samples = Vec::new();
    store.scan(series, from, to, &mut |sample| {
        samples.push(*sample);
        ControlFlow::Continue(())
    })?;
    Ok(samples)
}
