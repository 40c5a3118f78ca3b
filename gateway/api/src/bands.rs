//! What a crop wants and where alarms begin, now and through a span.

use alarms::{Bound, ChannelId, ChannelRules, DayClock, RuleKind, Trip, ZoneChannel};
use measure::{Quantity, Scaled, Timestamp};
use nursery::{Period, Stage, Zone};
use store::SeriesId;

use crate::look::{Look, name, person};
use crate::types;

/// The longest span whose nights are told apart, in milliseconds: on a longer one no eye could. Then
/// no nights are sent, and bands are those of the day.
pub const NIGHTS_SPAN_MS_MAX: i64 = 62 * 86_400_000;

/// A zone's band of one quantity by day or by night.
pub(crate) struct Wanted<'a> {
    pub(crate) stage: Option<&'a Stage>,
    pub(crate) rules: Option<&'a ChannelRules>,
    pub(crate) quantity: Quantity,
}

impl Wanted<'_> {
    /// Returns the band and limits by day or by night; `None` where nobody wants anything.
    pub(crate) fn band(&self, look: &Look, light: bool) -> Option<types::Band> {
        let period = if light { Period::Day } else { Period::Night };
        let target = self.stage.and_then(|stage| stage.band(self.quantity, period));
        let units = |value: Scaled| value.to_f64(self.quantity);
        let mut sources: Vec<String> = Vec::new();
        let mut limits = Vec::new();
        for (severity, side, bound) in self.bounds(light) {
            sources.extend(bound.sources.iter().cloned());
            sources.extend(bound.reason.iter().cloned());
            limits.push(types::BandLimit {
                side: side.into(),
                severity: severity.into(),
                limit: units(bound.limit),
                wakes: bound.wakes,
                class: bound.class.map(|class| class.name().to_owned()),
                needs_confirmation: bound.needs_confirmation(),
                confirmed_by: bound.confirmed_by.as_deref().map(person),
            });
        }
        if target.is_none() && limits.is_empty() {
            return None;
        }
        sources.extend(target.iter().flat_map(|band| band.sources.iter().cloned()));
        sources.sort_unstable();
        sources.dedup();
        // Darkness at night is as it should be.
        let dark = !light && matches!(self.quantity, Quantity::Illuminance | Quantity::Ppfd);
        Some(types::Band {
            target_low: target.and_then(|band| band.target.lo()).filter(|_| !dark).map(units),
            target_high: target.and_then(|band| band.target.hi()).map(units),
            limits,
            target_class: target.map(|band| band.target_class.name().to_owned()),
            sources: sources.iter().map(|id| source(look, id)).collect(),
            note: target
                .and_then(|band| band.note.as_ref())
                .map(|it| format!("{} / {}", it.zh(), it.en())),
        })
    }

    /// Returns the limits in force, the most severe first.
    fn bounds(&self, light: bool) -> Vec<(nursery::Severity, nursery::Side, &Bound)> {
        let rules = self.rules.iter().flat_map(|it| &it.rules);
        let levels = rules.filter(|rule| rule.kind == RuleKind::Limit).flat_map(|it| &it.levels);
        let mut bounds: Vec<_> = levels
            .filter_map(|level| {
                let Trip::Limit(threshold) = &level.trip else { return None };
                let bound = if light { &threshold.day } else { &threshold.night };
                Some((level.severity, threshold.side, bound.as_ref()?))
            })
            .collect();
        bounds.sort_by_key(|(severity, side, _)| (std::cmp::Reverse(*severity), *side));
        bounds
    }
}

/// Returns how a source reads: its title where it is in the list.
fn source(look: &Look, id: &str) -> String {
    let known = look.nursery.sources.iter().find(|source| source.id == id);
    known.map_or_else(
        || id.to_owned(),
        |source| match source.year {
            Some(year) => format!("{id}: {} ({year})", source.title),
            None => format!("{id}: {}", source.title),
        },
    )
}

/// Returns the band of a channel as it is now.
pub(crate) fn now(
    look: &Look,
    zone: &Zone,
    id: SeriesId,
    quantity: Quantity,
) -> Option<types::Band> {
    let found = look.nursery.rules.channel(ChannelId(id.0));
    let stage = look.growing(zone).and_then(|growing| look.stage(growing)?.1);
    let light = found.is_none_or(|(rules, _)| alarms::phase(&rules.clock, look.now).light);
    Wanted { stage, rules: found.map(|(_, channel)| channel), quantity }.band(look, light)
}

/// What the asked span of a zone looks like behind its charts.
pub(crate) struct Backdrop {
    pub(crate) nights: Vec<types::Span>,
    pub(crate) stages: Vec<types::StageSpan>,
    pub(crate) bands: Vec<types::BandTrack>,
}

/// One time in which the same thing grew.
struct Era<'a> {
    from: Timestamp,
    to: Timestamp,
    stage: Option<&'a Stage>,
    /// The rules of that time's stage; the rules in force for what grows now.
    rules: Vec<ChannelRules>,
}

/// Returns nights, stages and bands of a zone in `[from, to)`; `grown` is what grew in it then.
pub(crate) fn backdrop(
    look: &Look,
    zone: &Zone,
    grown: &[registry::Grown],
    (from, to): (Timestamp, Timestamp),
) -> Backdrop {
    let eras = eras(look, zone, grown, (from, to));
    let clock = look
        .nursery
        .rules
        .zones()
        .iter()
        .find(|rules| rules.zone == zone.id && rules.clock.site.id == zone.site);
    let nights = clock.map_or_else(Vec::new, |rules| nights(&rules.clock, from, to));
    let mut quantities: Vec<_> =
        look.series_in(zone).into_iter().map(|(_, key)| key.quantity).collect();
    quantities.dedup();
    let bands = quantities.into_iter().map(|quantity| types::BandTrack {
        quantity: quantity.name().to_owned(),
        steps: steps(look, &eras, &nights, quantity),
    });
    let bands = bands.filter(|track| track.steps.iter().any(|step| step.band.is_some())).collect();
    let stages = eras.iter().filter_map(|era| {
        let span = types::Span { from_ms: era.from.millis(), to_ms: era.to.millis() };
        Some(types::StageSpan { span, stage: name(&era.stage?.names) })
    });
    let stages = stages.collect();
    let nights = nights
        .into_iter()
        .map(|(from, to)| types::Span { from_ms: from.millis(), to_ms: to.millis() });
    Backdrop { nights: nights.collect(), stages, bands }
}

fn nights(clock: &DayClock, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    if to.ms_since(from) > NIGHTS_SPAN_MS_MAX {
        return Vec::new();
    }
    alarms::nights(clock, from, to)
}

fn eras<'a>(
    look: &'a Look,
    zone: &Zone,
    grown: &[registry::Grown],
    (from, to): (Timestamp, Timestamp),
) -> Vec<Era<'a>> {
    let mut eras = Vec::new();
    for (index, one) in grown.iter().enumerate() {
        let until = grown.get(index + 1).map_or(Timestamp::MAX, |next| next.from);
        let (start, end) = (one.from.max(from), until.min(to));
        if start >= end {
            continue;
        }
        let mut then = zone.clone();
        then.growing = one.growing.clone();
        let stage = one.growing.as_ref().and_then(|growing| look.stage(growing)?.1);
        let rules = rules(look, &then, stage);
        eras.push(Era { from: start, to: end, stage, rules });
    }
    eras
}

/// Returns the rules that a zone has with what grew in it then.
fn rules(look: &Look, zone: &Zone, stage: Option<&Stage>) -> Vec<ChannelRules> {
    let Some(site) = look.site(&zone.site) else { return Vec::new() };
    let channels: Vec<_> = look
        .series_in(zone)
        .into_iter()
        .map(|(id, key)| ZoneChannel {
            id: ChannelId(id.0),
            quantity: key.quantity,
            expected_interval_ms: None,
            asleep_ms: 0,
            is_derived: false,
        })
        .collect();
    alarms::rules_for(site, zone, stage, &channels, &look.nursery.confirmed).channels
}

/// Returns the band of a quantity through the eras, one step a change.
fn steps(
    look: &Look,
    eras: &[Era<'_>],
    nights: &[(Timestamp, Timestamp)],
    quantity: Quantity,
) -> Vec<types::BandStep> {
    let mut steps: Vec<types::BandStep> = Vec::new();
    let mut push = |at: Timestamp, band: Option<types::Band>| {
        if steps.last().is_none_or(|last| last.band != band) {
            steps.push(types::BandStep { from_ms: at.millis(), band });
        }
    };
    let mut covered = None;
    for era in eras {
        let rules = era.rules.iter().find(|it| it.quantity == quantity);
        let wanted = Wanted { stage: era.stage, rules, quantity };
        let (day, night) = (wanted.band(look, true), wanted.band(look, false));
        if covered.is_some_and(|end| end < era.from) {
            push(covered.unwrap_or(era.from), None);
        }
        covered = Some(era.to);
        let mut at = era.from;
        for (dusk, dawn) in nights {
            let (dusk, dawn) = ((*dusk).max(era.from), (*dawn).min(era.to));
            if dusk >= dawn {
                continue;
            }
            if at < dusk {
                push(at, day.clone());
            }
            push(dusk, night.clone());
            at = dawn;
        }
        if at < era.to {
            push(at, day);
        }
    }
    steps
}
