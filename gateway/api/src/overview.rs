//! The houses on tiles, worst first.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering as Atomic};
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use measure::{Quantity, Timestamp};
use nursery::{SourceClass, Zone};
use registry::{Alarm, Which};
use store::{SeriesId, SeriesKey};

use crate::look::{Look, name};
use crate::problem::Refusal;
use crate::state::State;
use crate::types::{self, Edge, InputState, Severity, Side};
use crate::{bands, buckets, night, places};

/// How long an overview is sent again before it is made anew, in milliseconds of wall time; an alarm
/// or a change of the nursery makes it anew at once.
pub const OVERVIEW_FRESH_MS: i64 = 2_000;

/// The most channels on a tile.
pub const GLANCES_MAX: usize = 3;

/// The line on a tile: half hours of the last day.
const SPARK_STEP_MS: i64 = 1_800_000;
const SPARK_POINTS: usize = 48;

/// The last overview, as long as it is fresh.
#[derive(Default)]
pub(crate) struct Cache {
    made: Mutex<Option<Made>>,
    /// Counts what makes it stale at once.
    stale: AtomicU64,
}

struct Made {
    at: Timestamp,
    stale: u64,
    json: Bytes,
}

impl Cache {
    /// Says that the overview is out of date.
    pub(crate) fn spoil(&self) {
        self.stale.fetch_add(1, Atomic::AcqRel);
    }

    /// Returns the overview as JSON, made anew where it is not fresh. Whoever comes meanwhile waits for the
    /// one that is being made.
    pub(crate) fn get(&self, state: &State) -> Result<Bytes, Refusal> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, stale) = (state.wall.now(), self.stale.load(Atomic::Acquire));
        if let Some(it) = &*made
            && it.stale == stale
            && (0..OVERVIEW_FRESH_MS).contains(&wall.ms_since(it.at))
        {
            return Ok(it.json.clone());
        }
        let json =
            serde_json::to_vec(&overview(state)?).map_err(|error| Refusal::broken(&error))?;
        let json = Bytes::from(json);
        *made = Some(Made { at: wall, stale, json: json.clone() });
        Ok(json)
    }
}

fn overview(state: &State) -> Result<types::Overview, Refusal> {
    let look = Look::take(state)?;
    let open = Open::take(state, &look)?;
    let mut zones = look
        .nursery
        .zones
        .iter()
        .map(|zone| summary(state, &look, &open, zone))
        .collect::<Result<Vec<_>, _>>()?;
    zones.sort_by(worse_first);
    Ok(types::Overview {
        now_ms: look.now.millis(),
        zones,
        unacknowledged: open.unacknowledged,
        sites: places::sites(&look),
        night: night::since_evening(state, &look)?,
    })
}

/// The open alarms, by channel.
pub(crate) struct Open {
    by_channel: HashMap<u32, Vec<types::Alarm>>,
    unacknowledged: u32,
}

impl Open {
    pub(crate) fn take(state: &State, look: &Look) -> Result<Self, Refusal> {
        let alarms = state.registry.alarms(Which::Open, registry::ALARMS_PAGE_MAX)?;
        let wants = |alarm: &&Alarm| alarm.episode.wants_acknowledgement();
        let unacknowledged = alarms.iter().filter(wants).count() as u32;
        let mut by_channel: HashMap<u32, Vec<types::Alarm>> = HashMap::new();
        for alarm in &alarms {
            let channel = by_channel.entry(alarm.episode.channel().0).or_default();
            channel.push(look.alarm(alarm));
        }
        Ok(Self { by_channel, unacknowledged })
    }

    fn of(&self, id: SeriesId) -> &[types::Alarm] {
        self.by_channel.get(&id.0).map_or(&[], Vec::as_slice)
    }
}

/// Returns the tile of a zone.
pub(crate) fn summary(
    state: &State,
    look: &Look,
    open: &Open,
    zone: &Zone,
) -> Result<types::ZoneSummary, Refusal> {
    let series = look.series_in(zone);
    let mut deviations: Vec<(f64, types::Deviation)> =
        series.iter().filter_map(|(id, key)| deviation(look, open, zone, *id, key)).collect();
    deviations.sort_by(|(a, one), (b, other)| worse(one, *a, other, *b));
    let worst = deviations.into_iter().next().map(|(_, deviation)| deviation);
    let mut alarms = types::AlarmCounts::default();
    for alarm in series.iter().flat_map(|(id, _)| open.of(*id)) {
        *match alarm.severity {
            Severity::Critical => &mut alarms.critical,
            Severity::High => &mut alarms.high,
            Severity::Medium => &mut alarms.medium,
            Severity::Low => &mut alarms.low,
        } += 1;
    }
    // A derived channel is silent with those that it is computed from, which are counted.
    let silent = |(id, key): &&(SeriesId, &SeriesKey)| {
        look.derived_from(key).is_none()
            && matches!(look.input(*id, key), InputState::Stale | InputState::Fault)
    };
    let shown = shown(&series, worst.as_ref().map(|worst| worst.channel));
    let channels = shown.into_iter().map(|(id, key)| glance(state, look, zone, id, key));
    let growing = look.growing(zone).and_then(|growing| look.stage(growing));
    let site_name = look.site(&zone.site).map(|site| name(&site.names));
    Ok(types::ZoneSummary {
        site: zone.site.to_string(),
        zone: zone.id.to_string(),
        name: name(&zone.names),
        site_name: site_name.unwrap_or_else(|| name(&zone.names)),
        crop: growing.map(|(profile, _)| name(&profile.names)),
        stage: growing.and_then(|(_, stage)| stage).map(|stage| name(&stage.names)),
        worst,
        alarms,
        channels: channels.collect::<Result<_, _>>()?,
        silent_channels: series.iter().filter(silent).count() as u32,
        newest_ms: series
            .iter()
            .filter_map(|(id, _)| look.latest(*id))
            .map(|sample| sample.time.millis())
            .max(),
    })
}

/// Returns how far a channel is outside its band, with that as a share of what it may vary.
fn deviation(
    look: &Look,
    open: &Open,
    zone: &Zone,
    id: SeriesId,
    key: &SeriesKey,
) -> Option<(f64, types::Deviation)> {
    // What is summed over a day is out of its band until the day is over.
    if key.quantity == Quantity::DailyLightIntegral {
        return None;
    }
    let band = bands::now(look, zone, id, key.quantity)?;
    let value = look.latest(id)?.reading.ok()?.to_f64(key.quantity);
    let fresh = matches!(look.input(id, key), InputState::Good | InputState::Uncertain);
    let (edge, side, by) = fresh.then(|| beyond(&band, value)).flatten()?;
    let on_side = |alarm: &&types::Alarm| {
        alarm.returned_ms.is_none() && alarm.side.is_none_or(|it| it == side)
    };
    let alarm = open.of(id).iter().filter(on_side).min_by_key(|alarm| rank(Some(alarm.severity)));
    let width = match (band.target_low, band.target_high) {
        (Some(low), Some(high)) if high > low => high - low,
        _ => (value.abs() * 0.1).max(1.0),
    };
    let deviation = types::Deviation {
        channel: id.0,
        quantity: key.quantity.name().to_owned(),
        unit: key.quantity.ucum().to_owned(),
        side,
        by,
        beyond: edge,
        since_ms: alarm.map(|alarm| alarm.started_ms),
        alarm: alarm.map(|alarm| alarm.id.clone()),
        severity: alarm.map(|alarm| alarm.severity),
    };
    Some((by / width, deviation))
}

/// Returns which edge a value has left, on which side, and by how much: of a limit the most severe
/// that was left, else of the target. A target of class D was computed from those of other quantities
/// (of vapour pressure deficit from the corners of temperature and humidity, of the day): it is drawn, but
/// a place is not wrong for it, because the bands that it was computed from say so by themselves.
fn beyond(band: &types::Band, value: f64) -> Option<(Edge, Side, f64)> {
    let over = |side: Side, edge: f64| match side {
        Side::High => value - edge,
        Side::Low => edge - value,
    };
    let limits = band.limits.iter().map(|limit| (limit.side, over(limit.side, limit.limit)));
    if let Some((side, by)) = limits.into_iter().find(|(_, by)| *by > 0.0) {
        return Some((Edge::Limit, side, by));
    }
    if band.target_class.as_deref() == Some(SourceClass::D.name()) {
        return None;
    }
    let target = [(Side::Low, band.target_low), (Side::High, band.target_high)];
    target.into_iter().find_map(|(side, edge)| {
        let by = over(side, edge?);
        (by > 0.0).then_some((Edge::Band, side, by))
    })
}

/// Returns the channels worth a place on the tile: one a quantity, in the order that growers look,
/// the worst one among them.
fn shown<'a>(
    series: &[(SeriesId, &'a SeriesKey)],
    worst: Option<u32>,
) -> Vec<(SeriesId, &'a SeriesKey)> {
    const ORDER: [Quantity; 21] = [
        Quantity::AirTemperature,
        Quantity::RelativeHumidity,
        Quantity::SubstrateMoisture,
        Quantity::Co2,
        Quantity::VapourPressureDeficit,
        Quantity::Ppfd,
        Quantity::Illuminance,
        Quantity::SubstrateTemperature,
        Quantity::WaterTemperature,
        Quantity::SubstrateEc,
        Quantity::SurfaceTemperature,
        Quantity::LeafWetness,
        Quantity::WindSpeed,
        Quantity::Rainfall,
        Quantity::SolarIrradiance,
        Quantity::MainsPresent,
        Quantity::DoorOpen,
        Quantity::MistFlow,
        Quantity::AirPressure,
        Quantity::DewPoint,
        Quantity::AbsoluteHumidity,
    ];
    let worst = series.iter().find(|(id, _)| Some(id.0) == worst);
    let mut shown: Vec<(SeriesId, &SeriesKey)> = Vec::new();
    for quantity in ORDER {
        let is_worst = worst.filter(|(_, key)| key.quantity == quantity);
        let first = series.iter().find(|(_, key)| key.quantity == quantity);
        shown.extend(is_worst.or(first));
    }
    let rest = worst.filter(|worst| !shown.iter().take(GLANCES_MAX).any(|it| it.0 == worst.0));
    shown.truncate(if rest.is_some() { GLANCES_MAX - 1 } else { GLANCES_MAX });
    shown.extend(rest);
    shown
}

fn glance(
    state: &State,
    look: &Look,
    zone: &Zone,
    id: SeriesId,
    key: &SeriesKey,
) -> Result<types::ChannelGlance, Refusal> {
    let span_ms = SPARK_STEP_MS * SPARK_POINTS as i64;
    let zone_of_time = look.site(&zone.site).map(|site| &site.time_zone);
    let origin = buckets::origin(zone_of_time, look.now, SPARK_STEP_MS);
    let columns = state.store.downsample(
        id,
        look.now.plus_ms(-span_ms),
        look.now.plus_micros(1),
        SPARK_STEP_MS,
        origin,
    )?;
    // The span begins within a half hour, so there is one bucket more than it has half hours.
    let sparkline = columns.mean.into_iter().rev().take(SPARK_POINTS).rev().collect();
    let band = bands::now(look, zone, id, key.quantity);
    Ok(types::ChannelGlance { channel: look.channel(id, key), band, sparkline })
}

fn rank(severity: Option<Severity>) -> u8 {
    match severity {
        Some(Severity::Critical) => 0,
        Some(Severity::High) => 1,
        Some(Severity::Medium) => 2,
        Some(Severity::Low) => 3,
        None => 4,
    }
}

fn worse(one: &types::Deviation, a: f64, other: &types::Deviation, b: f64) -> Ordering {
    let key = |it: &types::Deviation| (rank(it.severity), it.beyond == Edge::Band);
    key(one).cmp(&key(other)).then(b.total_cmp(&a))
}

/// Open alarms by severity, then what is beyond a limit, then beyond the band, then what is silent,
/// then what is well; among equals by name.
fn worse_first(one: &types::ZoneSummary, other: &types::ZoneSummary) -> Ordering {
    let counts = |it: &types::ZoneSummary| {
        let alarms = it.alarms;
        [alarms.critical, alarms.high, alarms.medium, alarms.low]
    };
    let edge = |it: &types::ZoneSummary| match it.worst.as_ref().map(|worst| worst.beyond) {
        Some(Edge::Limit) => 0,
        Some(Edge::Band) => 1,
        None => 2,
    };
    let by_alarms = counts(other).cmp(&counts(one));
    let by_name = || (&one.site, &one.zone).cmp(&(&other.site, &other.zone));
    by_alarms
        .then_with(|| edge(one).cmp(&edge(other)))
        .then_with(|| (other.silent_channels > 0).cmp(&(one.silent_channels > 0)))
        .then_with(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band() -> types::Band {
        let limit = |side, severity, limit| types::BandLimit {
            side,
            severity,
            limit,
            wakes: true,
            class: None,
            needs_confirmation: false,
            confirmed_by: None,
        };
        types::Band {
            target_low: Some(20.0),
            target_high: Some(28.0),
            limits: vec![
                limit(Side::High, Severity::Critical, 38.0),
                limit(Side::High, Severity::High, 33.0),
                limit(Side::Low, Severity::High, 10.0),
            ],
            target_class: None,
            sources: vec![],
            note: None,
        }
    }

    #[track_caller]
    fn check(value: f64, expect: Option<(Edge, Side, f64)>) {
        assert_eq!(beyond(&band(), value), expect);
    }

    #[test]
    fn a_target_that_was_computed_from_others_makes_no_place_wrong() {
        let computed = types::Band { target_class: Some("D".to_owned()), ..band() };
        assert_eq!(beyond(&computed, 30.0), None);
        assert_eq!(beyond(&computed, 35.0), Some((Edge::Limit, Side::High, 2.0)));
    }

    #[test]
    fn the_most_severe_edge_that_was_left_is_named() {
        check(24.0, None);
        check(28.0, None);
        check(30.0, Some((Edge::Band, Side::High, 2.0)));
        check(35.0, Some((Edge::Limit, Side::High, 2.0)));
        check(40.0, Some((Edge::Limit, Side::High, 2.0)));
        check(9.0, Some((Edge::Limit, Side::Low, 1.0)));
    }
}
