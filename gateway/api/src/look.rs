//! One look at the whole nursery: series, latest samples, places and sessions at one moment, and how
//! they read in the API's own types.

use std::collections::HashMap;
use std::sync::Arc;

use alarms::{ChannelId, Episode, RuleKind, STALE_MS_MIN};
use measure::{Marks, NodeKey, Quality, Quantity, Scaled, Slug, Timestamp};
use nursery::{Batch, Growing, Names, Profile, Site, Stage, TimeZone, Zone, grows};
use people::Actor;
use registry::Alarm;
use store::{Sample, SeriesId, SeriesKey};

use crate::night;
use crate::problem::Refusal;
use crate::state::{NodePresence, Nursery, Presence, State};
use crate::types;

/// One look at the whole nursery.
pub(crate) struct Look {
    pub(crate) now: Timestamp,
    pub(crate) nursery: Arc<Nursery>,
    presence: Arc<Presence>,
    pub(crate) series: HashMap<SeriesId, SeriesKey>,
    latest: HashMap<SeriesId, Sample>,
    zone_of: HashMap<NodeKey, Slug>,
    /// What grows in a zone now, by site and zone.
    growing: HashMap<(Slug, Slug), Growing>,
}

impl Look {
    /// Looks. Blocks for as long as the store's memory takes to read.
    pub(crate) fn take(state: &State) -> Result<Self, Refusal> {
        let nursery = Arc::clone(&state.nursery.borrow());
        let presence = Arc::clone(&state.presence.borrow());
        let placed =
            nursery.nodes.iter().filter_map(|node| Some((node.key.clone(), node.zone.clone()?)));
        Ok(Self {
            now: state.clock.now(),
            series: state.store.series()?.into_iter().collect(),
            latest: state.store.latest()?.into_iter().map(|it| (it.series, it)).collect(),
            zone_of: placed.collect(),
            growing: growing(&nursery),
            nursery,
            presence,
        })
    }

    pub(crate) fn site(&self, site: &Slug) -> Option<&Site> {
        self.nursery.sites.iter().find(|it| it.id == *site)
    }

    pub(crate) fn zone(&self, site: &Slug, zone: &Slug) -> Option<&Zone> {
        self.nursery.zones.iter().find(|it| it.site == *site && it.id == *zone)
    }

    pub(crate) fn zone_of(&self, node: &NodeKey) -> Option<&Slug> {
        self.zone_of.get(node)
    }

    /// Returns what grows in a zone now, by its leading batch or by what the zone says.
    pub(crate) fn growing(&self, zone: &Zone) -> Option<&Growing> {
        self.growing.get(&(zone.site.clone(), zone.id.clone()))
    }

    /// Returns the profile and the stage of what grows somewhere.
    pub(crate) fn stage(&self, growing: &Growing) -> Option<(&Profile, Option<&Stage>)> {
        let profile = self.nursery.profiles.iter().find(|it| it.crop == growing.crop)?;
        Some((profile, profile.stage(&growing.method, &growing.stage)))
    }

    /// Returns the series of a zone, by place, quantity and number.
    pub(crate) fn series_in(&self, zone: &Zone) -> Vec<(SeriesId, &SeriesKey)> {
        let here = |key: &SeriesKey| {
            key.node.site == zone.site && self.zone_of(&key.node) == Some(&zone.id)
        };
        let mut series: Vec<_> =
            self.series.iter().filter(|(_, key)| here(key)).map(|(id, key)| (*id, key)).collect();
        series.sort_by_key(|(id, key)| (key.quantity, &key.node, &key.position, *id));
        series
    }

    pub(crate) fn latest(&self, id: SeriesId) -> Option<&Sample> {
        self.latest.get(&id)
    }

    /// Returns how far a channel's data can be trusted now.
    pub(crate) fn input(&self, id: SeriesId, key: &SeriesKey) -> types::InputState {
        let Some(latest) = self.latest(id) else { return types::InputState::Waiting };
        let rules = self.nursery.rules.channel(ChannelId(id.0));
        let stale_ms = rules.map_or(STALE_MS_MIN, |(_, channel)| channel.stale_ms());
        let offline = self.presence(&key.node).is_some_and(|it| it.online == Some(false));
        if offline || self.now.ms_since(latest.time) > stale_ms {
            return types::InputState::Stale;
        }
        match (latest.reading, latest.quality) {
            (Err(_), _) | (_, Quality::Fail | Quality::Missing) => types::InputState::Fault,
            (Ok(_), Quality::Suspect) => types::InputState::Uncertain,
            (Ok(_), _) if latest.marks.contains(Marks::TIME_UNCERTAIN) => {
                types::InputState::Uncertain
            }
            (Ok(_), Quality::Good | Quality::NotEvaluated) => types::InputState::Good,
        }
    }

    pub(crate) fn channel(&self, id: SeriesId, key: &SeriesKey) -> types::Channel {
        types::Channel {
            id: id.0,
            site: key.node.site.to_string(),
            zone: self.zone_of(&key.node).map(Slug::to_string),
            node: key.node.node.to_string(),
            position: key.position.to_string(),
            quantity: key.quantity.name().to_owned(),
            unit: key.quantity.ucum().to_owned(),
            decimals: shown_decimals(key.quantity),
            latest: self.latest(id).map(|sample| latest(sample, key.quantity)),
            input: self.input(id, key),
            derived_from: self
                .derived_from(key)
                .map(|inputs| inputs.iter().map(within).collect())
                .unwrap_or_default(),
        }
    }

    /// Returns what a series is computed from; `None` where it is measured.
    pub(crate) fn derived_from(&self, key: &SeriesKey) -> Option<&[SeriesKey]> {
        self.nursery.derivations.get(key).map(Vec::as_slice)
    }

    /// Returns every channel, by number.
    pub(crate) fn channels(&self) -> Vec<types::Channel> {
        let mut channels: Vec<_> =
            self.series.iter().map(|(id, key)| self.channel(*id, key)).collect();
        channels.sort_unstable_by_key(|channel| channel.id);
        channels
    }

    pub(crate) fn alarm(&self, alarm: &Alarm) -> types::Alarm {
        let episode = &alarm.episode;
        let id = SeriesId(episode.channel().0);
        let key = self.series.get(&id);
        let zone_id = key.and_then(|key| self.zone_of(&key.node));
        let zone = key.zip(zone_id).and_then(|(key, zone)| self.zone(&key.node.site, zone));
        let units = |value: Scaled| value.to_f64(episode.quantity);
        let limits = episode.kind == RuleKind::Limit;
        let latest = self.latest(id).and_then(|sample| sample.reading.ok());
        types::Alarm {
            id: episode.id.0.to_string(),
            kind: types::AlarmKind::from(episode.kind),
            state: alarm_state(episode),
            severity: episode.severity.into(),
            site: key.map_or_else(String::new, |key| key.node.site.to_string()),
            zone: zone_id.map(Slug::to_string),
            zone_name: zone.map(|zone| name(&zone.names)),
            node: key.map(|key| key.node.node.to_string()),
            channel: Some(episode.channel().0),
            position: key.map(|key| key.position.to_string()),
            quantity: Some(episode.quantity.name().to_owned()),
            unit: Some(episode.quantity.ucum().to_owned()),
            side: episode.side.map(types::Side::from),
            limit: episode.limit.map(units),
            value: alarm.value.map(units),
            peak: episode.peak.map(|peak| units(peak.value)),
            current: latest.map(units),
            started: rfc3339(episode.started),
            started_ms: episode.started.millis(),
            raised_ms: episode.raised.millis(),
            returned_ms: episode.returned.map(Timestamp::millis),
            acknowledged_by: episode.acknowledged.as_ref().map(|it| person(&it.by)),
            acknowledged_ms: episode.acknowledged.as_ref().map(|it| it.at.millis()),
            comment: episode.acknowledged.as_ref().map(|it| it.comment.clone()),
            wakes: episode.wakes,
            history: episode.history,
            class: if limits { self.class(episode) } else { None },
            input: episode.input.into(),
            shelved: night::shelving(&alarm.suppression),
        }
    }

    /// Returns the class of the source of the limit that is in force at an alarm's level.
    fn class(&self, episode: &Episode) -> Option<String> {
        let rule = self.nursery.rules.rule(episode.rule)?;
        let level = rule.levels.iter().find(|level| {
            level.severity == episode.severity && Some(level.side()) == episode.side
        })?;
        let alarms::Trip::Limit(threshold) = &level.trip else { return None };
        let bounds = [&threshold.day, &threshold.night];
        let bound = bounds.into_iter().flatten().find(|it| Some(it.limit) == episode.limit)?;
        bound.class.map(|class| class.name().to_owned())
    }

    /// Returns which node, position and quantity a channel is.
    pub(crate) fn series_key(&self, channel: ChannelId) -> Option<&SeriesKey> {
        self.series.get(&SeriesId(channel.0))
    }

    pub(crate) fn presence(&self, node: &NodeKey) -> Option<&NodePresence> {
        self.presence.get(node)
    }

    pub(crate) fn node(&self, key: &NodeKey) -> types::Node {
        let samples = self.series.iter().filter(|(_, it)| it.node == *key);
        let times = samples.filter_map(|(id, _)| self.latest(*id)).map(|it| it.time);
        self.node_with(key, times.max())
    }

    fn node_with(&self, key: &NodeKey, newest: Option<Timestamp>) -> types::Node {
        let presence = self.presence(key);
        types::Node {
            site: key.site.to_string(),
            node: key.node.to_string(),
            zone: self.zone_of(key).map(Slug::to_string),
            online: presence.and_then(|it| it.online),
            firmware: presence.and_then(|it| it.firmware.clone()),
            birth_ms: presence.and_then(|it| it.birth).map(Timestamp::millis),
            newest_ms: newest.map(Timestamp::millis),
            interval_ms: presence.and_then(|it| it.interval_ms).map(i64::from),
            waiting: presence.and_then(|it| it.waiting),
            next_due_ms: presence.and_then(|it| it.next_due).map(Timestamp::millis),
            release: presence.and_then(|it| it.release),
            settings: presence.and_then(|it| it.settings),
        }
    }

    /// Returns every node that is placed, connected, or has readings.
    pub(crate) fn nodes(&self) -> Vec<types::Node> {
        let mut newest: HashMap<&NodeKey, Timestamp> = HashMap::new();
        for (id, key) in &self.series {
            if let Some(sample) = self.latest(*id) {
                let time = newest.entry(&key.node).or_insert(sample.time);
                *time = sample.time.max(*time);
            }
        }
        let placed = self.nursery.nodes.iter().map(|node| &node.key);
        let heard = self.presence.keys().chain(self.series.values().map(|key| &key.node));
        let mut keys: Vec<_> = placed.chain(heard).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(|key| self.node_with(key, newest.get(key).copied())).collect()
    }
}

/// Returns the name of a channel within its site.
fn within(key: &SeriesKey) -> String {
    format!("{}/{}/{}", key.node.node, key.position, key.quantity)
}

/// Returns what grows in every zone now.
fn growing(nursery: &Nursery) -> HashMap<(Slug, Slug), Growing> {
    let mut standing: HashMap<(&Slug, &Slug), Vec<&Batch>> = HashMap::new();
    for batch in &nursery.batches {
        if let Some(placed) = batch.placements.last() {
            standing.entry((&batch.site, &placed.zone)).or_default().push(batch);
        }
    }
    let in_zone = |zone: &Zone| {
        let batches = standing.get(&(&zone.site, &zone.id)).into_iter().flatten().copied();
        // Nothing of a batch lies in the future.
        let (own, at) = (zone.growing.as_ref(), Timestamp::MAX);
        let growing = grows(zone, own, batches, &nursery.profiles, at)?;
        Some(((zone.site.clone(), zone.id.clone()), growing))
    };
    nursery.zones.iter().filter_map(in_zone).collect()
}

/// How many decimals are worth showing; a store of thousandths shows tenths of a degree.
pub(crate) const fn shown_decimals(quantity: Quantity) -> u8 {
    match quantity {
        Quantity::AirTemperature
        | Quantity::RelativeHumidity
        | Quantity::SubstrateTemperature
        | Quantity::SubstrateMoisture
        | Quantity::WaterTemperature
        | Quantity::SurfaceTemperature
        | Quantity::DewPoint
        | Quantity::AbsoluteHumidity
        | Quantity::Rainfall
        | Quantity::WindSpeed
        | Quantity::AirPressure => 1,
        Quantity::SubstrateEc
        | Quantity::SubstratePh
        | Quantity::VapourPressureDeficit
        | Quantity::DailyLightIntegral
        | Quantity::SupplyVoltage => 2,
        Quantity::Co2
        | Quantity::Illuminance
        | Quantity::Ppfd
        | Quantity::LeafWetness
        | Quantity::SolarIrradiance => 0,
        _ => quantity.decimals(),
    }
}

fn latest(sample: &Sample, quantity: Quantity) -> types::Latest {
    types::Latest {
        time: rfc3339(sample.time),
        time_ms: sample.time.millis(),
        value: sample.reading.ok().map(|value| value.to_f64(quantity)),
        fault: sample.reading.err().map(|fault| fault.name().to_owned()),
        quality: sample.quality.name().to_owned(),
    }
}

fn alarm_state(episode: &Episode) -> types::AlarmState {
    match (episode.active, episode.wants_acknowledgement()) {
        (true, true) => types::AlarmState::Unacknowledged,
        (true, false) => types::AlarmState::Acknowledged,
        (false, true) => types::AlarmState::ReturnedUnacknowledged,
        (false, false) => types::AlarmState::Normal,
    }
}

/// Returns the name that people know an actor by.
pub(crate) fn person(by: &str) -> String {
    match by.parse() {
        Ok(Actor::User(name)) => name.to_string(),
        Ok(Actor::Token(_) | Actor::CommandLine | Actor::Gateway) | Err(_) => by.to_owned(),
    }
}

pub(crate) fn name(names: &Names) -> types::Name {
    types::Name { zh: names.zh().to_owned(), en: names.en().to_owned() }
}

/// Writes a time as a clock of the place shows it; in UTC where the place is not known.
pub(crate) fn local(zone: Option<&TimeZone>, at: Timestamp) -> String {
    zone.map_or_else(|| rfc3339(at), |zone| zone.written(at))
}

/// Writes a time as RFC 3339 in UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    // jiff ends a day before our own latest time does.
    jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let at = |millis| rfc3339(Timestamp::from_millis(millis).unwrap());
        assert_eq!(at(1_500), "1970-01-01T00:00:01.5Z");
        assert_eq!(rfc3339(Timestamp::MAX).get(..5), Some("9999-"));
    }

    #[test]
    fn people_are_shown_by_their_name_and_programs_as_what_they_are() {
        assert_eq!(person("user:李雷"), "李雷");
        assert_eq!(person("token:ci"), "token:ci");
    }
}
