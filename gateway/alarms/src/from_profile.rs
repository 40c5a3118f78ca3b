//! The rules that a zone's stage and a person's overrides make.

use measure::{Quantity, Scaled};
use nursery::{Band, Day, Growing, LimitOverride, Period, Severity, Side, Site, Stage, Zone};

use crate::{
    Bound, ChannelId, ChannelRules, ConfirmedLimits, DayClock, Level, REOPEN_MS_DEFAULT, Rule,
    RuleId, RuleKind, STALE_MS_MIN, Threshold, Trip, ZoneRules,
};

/// For how many milliseconds a limit of the climate must be broken.
pub const ON_DELAY_MS_DEFAULT: u32 = 600_000;
/// For how many milliseconds a value must be back.
pub const OFF_DELAY_MS_DEFAULT: u32 = 600_000;
/// After how many milliseconds of silence or faults people are woken (our proposal, class G).
const BLIND_MS: u32 = 1_800_000;
/// For how many milliseconds readings must be faults before that is an alarm (class G).
const FAULT_MS: u32 = 120_000;

/// A channel that stands in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneChannel {
    /// Which channel.
    pub id: ChannelId,
    /// What it measures.
    pub quantity: Quantity,
    /// How often it reports, in milliseconds, where its node says so; else as the zone expects.
    pub expected_interval_ms: Option<u32>,
    /// How long its node sleeps between two connections, in milliseconds; 0 for one that stays
    /// connected. It is silent no earlier than [`crate::INTERVALS_UNTIL_GAP`] intervals after that.
    pub asleep_ms: u32,
    /// It is computed from others, whose silence and faults are alarms of their own.
    pub is_derived: bool,
}

/// Returns the rules of a zone: for each of its measured channels one of silence, one of faults, and
/// for each channel one of the limits that the stage's bands and the zone's overrides give its quantity.
///
/// A band's alarm limit makes a level of severity high that needs [`ON_DELAY_MS_DEFAULT`]; outside
/// the target alone nothing is raised. A limit whose source is weak wakes nobody
/// ([`nursery::SourceClass::needs_confirmation`]). An override replaces the level of its side and
/// severity in its period, and wakes; a critical one needs no delay unless it names one.
///
/// A weak limit wakes where `confirmed` holds it for what grows in the zone and its very value.
///
/// No rule is made of a band for the daily light integral, which only a finished day can break,
/// and no lower limit of light outside of lamp hours, when darkness is as it should be.
pub fn rules_for(
    site: &Site,
    zone: &Zone,
    stage: Option<&Stage>,
    channels: &[ZoneChannel],
    confirmed: &ConfirmedLimits,
) -> ZoneRules {
    let growing = stage.and_then(|stage| {
        let Growing { crop, method, .. } = zone.growing.clone()?;
        Some(Growing { crop, method, stage: stage.id.clone() })
    });
    let light = match zone.day {
        Day::MeasuredLight { quantity, .. } => {
            let mut lights = channels.iter().filter(|channel| channel.quantity == quantity);
            lights.next().map(|channel| channel.id)
        }
        Day::Sun | Day::Lamp { .. } => None,
    };
    let wanted = Wanted {
        bands: stage.map_or(&[][..], |stage| &stage.bands),
        zone,
        growing: growing.as_ref(),
        confirmed,
    };
    let channel_rules = |channel: &ZoneChannel| {
        let interval_ms = channel.expected_interval_ms.unwrap_or(zone.expected_interval_ms);
        let id = |number| RuleId { channel: channel.id, number };
        let mut rules = Vec::new();
        if !channel.is_derived {
            rules.push(blind(id(RuleId::STALE), RuleKind::Stale, interval_ms, channel.asleep_ms));
            rules.push(blind(id(RuleId::FAULT), RuleKind::Fault, interval_ms, 0));
        }
        let levels = limits(channel.quantity, &wanted);
        if !levels.is_empty() {
            let kind = RuleKind::Limit;
            let reopen_ms = REOPEN_MS_DEFAULT;
            rules.insert(0, Rule { id: id(RuleId::LIMIT), kind, levels, reopen_ms });
        }
        ChannelRules {
            channel: channel.id,
            quantity: channel.quantity,
            expected_interval_ms: interval_ms,
            asleep_ms: channel.asleep_ms,
            rules,
        }
    };
    ZoneRules {
        zone: zone.id.clone(),
        clock: DayClock { site: site.clone(), day: zone.day.clone(), light },
        channels: channels.iter().map(channel_rules).collect(),
        growing,
    }
}

/// What the limits of a zone are made of.
struct Wanted<'a> {
    bands: &'a [Band],
    zone: &'a Zone,
    growing: Option<&'a Growing>,
    confirmed: &'a ConfirmedLimits,
}

/// Returns the rule about a channel that is silent, or gives faults.
fn blind(id: RuleId, kind: RuleKind, interval_ms: u32, asleep_ms: u32) -> Rule {
    let gap_ms = i64::from(interval_ms) * crate::INTERVALS_UNTIL_GAP;
    let silent_ms = gap_ms.max(STALE_MS_MIN) + i64::from(asleep_ms);
    let stale_ms = u32::try_from(silent_ms).unwrap_or(u32::MAX);
    let trip = |wakes| match kind {
        RuleKind::Stale => Trip::Silence { wakes },
        RuleKind::Fault | RuleKind::Limit => Trip::Fault { wakes },
    };
    let first_ms = if kind == RuleKind::Stale { stale_ms } else { FAULT_MS };
    let level = |severity, wakes, on_delay_ms| Level {
        severity,
        trip: trip(wakes),
        on_delay_ms,
        off_delay_ms: 0,
    };
    let levels = vec![
        level(Severity::Medium, false, first_ms),
        level(Severity::High, true, BLIND_MS.max(first_ms)),
    ];
    Rule { id, kind, levels, reopen_ms: REOPEN_MS_DEFAULT }
}

/// Returns the levels of a quantity's limits.
fn limits(quantity: Quantity, wanted: &Wanted<'_>) -> Vec<Level> {
    let mut levels = Vec::new();
    for severity in Severity::ALL {
        for side in [Side::Low, Side::High] {
            levels.extend(level(quantity, side, severity, wanted));
        }
    }
    levels
}

fn level(quantity: Quantity, side: Side, severity: Severity, wanted: &Wanted<'_>) -> Option<Level> {
    let set = |period: Period| {
        wanted.zone.overrides.iter().find(|it| {
            (it.quantity, it.side, it.severity) == (quantity, side, severity)
                && it.period.overlaps(period)
        })
    };
    let (set_day, set_night) = (set(Period::Day), set(Period::Night));
    let bound = |period: Period, set: Option<&LimitOverride>| match set {
        Some(set) => set.limit.map(|limit| of_person(limit, set)),
        None if severity == Severity::High => of_profile(quantity, side, period, wanted),
        None => None,
    };
    let (day, night) = (bound(Period::Day, set_day), bound(Period::Night, set_night));
    if day.is_none() && night.is_none() {
        return None;
    }
    let named = |read: fn(&LimitOverride) -> Option<u32>| {
        set_day.and_then(read).or(set_night.and_then(read))
    };
    let set_deadband = |set: Option<&LimitOverride>| set.and_then(|set| set.deadband);
    let deadband = set_deadband(set_day)
        .or(set_deadband(set_night))
        .unwrap_or_else(|| deadband(quantity, wanted.bands, day.as_ref().or(night.as_ref())));
    let on_delay_default = if severity == Severity::Critical { 0 } else { ON_DELAY_MS_DEFAULT };
    Some(Level {
        severity,
        trip: Trip::Limit(Threshold { side, day, night, deadband }),
        on_delay_ms: named(|set| set.on_delay_ms).unwrap_or(on_delay_default),
        off_delay_ms: named(|set| set.off_delay_ms).unwrap_or(OFF_DELAY_MS_DEFAULT),
    })
}

fn of_person(limit: Scaled, set: &LimitOverride) -> Bound {
    let reason = Some(set.reason.clone());
    Bound { limit, wakes: true, class: None, sources: Vec::new(), reason, confirmed_by: None }
}

fn of_profile(
    quantity: Quantity,
    side: Side,
    period: Period,
    wanted: &Wanted<'_>,
) -> Option<Bound> {
    if quantity == Quantity::DailyLightIntegral {
        return None;
    }
    let is_light = matches!(quantity, Quantity::Illuminance | Quantity::Ppfd);
    let by_lamp = matches!(wanted.zone.day, Day::Lamp { .. });
    if is_light && side == Side::Low && !(by_lamp && period == Period::Day) {
        return None;
    }
    let of = |period: Period| {
        wanted.bands.iter().find(|band| band.quantity == quantity && band.period == period)
    };
    let band = of(period).or_else(|| of(Period::All))?;
    let limit = match side {
        Side::Low => band.alarm.lo(),
        Side::High => band.alarm.hi(),
    }?;
    let class = band.alarm_class?;
    let confirmed_by = wanted.growing.filter(|_| class.needs_confirmation()).and_then(|growing| {
        let by = wanted.confirmed.by(&wanted.zone.site, growing, (quantity, side, limit));
        by.map(str::to_owned)
    });
    let wakes = !class.needs_confirmation() || confirmed_by.is_some();
    let sources = band.sources.clone();
    Some(Bound { limit, wakes, class: Some(class), sources, reason: None, confirmed_by })
}

/// Returns how far back inside a limit a value must be, after the project's IoT study: 0.5 °C,
/// 3 %RH, 50 ppm, 0.05 kPa, and 5 % of the span of the limits of any other quantity.
fn deadband(quantity: Quantity, bands: &[Band], bound: Option<&Bound>) -> Scaled {
    let units = match quantity {
        Quantity::AirTemperature
        | Quantity::SubstrateTemperature
        | Quantity::WaterTemperature
        | Quantity::SurfaceTemperature
        | Quantity::DewPoint => 0.5,
        Quantity::RelativeHumidity => 3.0,
        Quantity::Co2 => 50.0,
        Quantity::VapourPressureDeficit => 0.05,
        _ => {
            let span = bands.iter().filter(|band| band.quantity == quantity).find_map(|band| {
                let ends = |limits: nursery::Limits| Some(limits.hi()?.0 - limits.lo()?.0);
                ends(band.alarm).or(ends(band.target))
            });
            // Where neither pair of limits is closed, the limit itself stands for the span.
            let span = span.or(bound.map(|bound| bound.limit.0.abs())).unwrap_or(0);
            return Scaled(span / 20);
        }
    };
    Scaled((units * f64::from(quantity.steps_per_unit())).round() as i32)
}
