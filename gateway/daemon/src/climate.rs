//! What is usual where a node stands, and since when: by the crops and stages of its zones.

use std::collections::{BTreeMap, HashMap};

use measure::{NodeKey, Quantity, Scaled, Slug, Timestamp};
use nursery::{Band, Batch, NodePlaced, Period, Profile, Stage, Zone, grows};
use quality::{Climate, Limits};
use registry::{Error, Registry};

/// Lower and upper limit of a quantity at a stage, each of which may be open.
type Ends = (Option<Scaled>, Option<Scaled>);

/// From when on what grew; `None`: nothing that is known.
type Stages<'a> = Vec<(Timestamp, Option<&'a Stage>)>;

/// The stages of every zone, and which nodes stood in which.
pub(crate) struct Climates<'a> {
    zones: HashMap<(Slug, Slug), Stages<'a>>,
    nodes: BTreeMap<NodeKey, Vec<NodePlaced>>,
}

impl<'a> Climates<'a> {
    /// Reads what grew where, for all time.
    pub(crate) fn read(
        registry: &Registry,
        zones: &[Zone],
        profiles: &'a [Profile],
    ) -> Result<Self, Error> {
        let mut found = HashMap::new();
        for zone in zones {
            let own = registry.grown(&zone.site, &zone.id)?;
            let batches = registry.batches_of_zone(&zone.site, &zone.id)?;
            let mut cuts: Vec<Timestamp> =
                own.iter().map(|it| it.from).chain(batches.iter().flat_map(changes)).collect();
            cuts.sort_unstable();
            cuts.dedup();
            let stage_at = |at: Timestamp| {
                let said = own.iter().take_while(|it| it.from <= at).last();
                let said = said.and_then(|it| it.growing.as_ref());
                let growing = grows(zone, said, &batches, profiles, at)?;
                let profile = profiles.iter().find(|it| it.crop == growing.crop)?;
                profile.stage(&growing.method, &growing.stage)
            };
            let stages = cuts.into_iter().map(|cut| (cut, stage_at(cut))).collect();
            found.insert((zone.site.clone(), zone.id.clone()), stages);
        }
        let mut nodes: BTreeMap<NodeKey, Vec<NodePlaced>> = BTreeMap::new();
        for placed in registry.node_history()? {
            nodes.entry(placed.node.clone()).or_default().push(placed);
        }
        Ok(Self { zones: found, nodes })
    }

    /// Returns the climate of a channel. Where a node first stood it has stood before, too.
    pub(crate) fn of(&self, node: &NodeKey, quantity: Quantity, limits: &Limits) -> Climate {
        let placed = self.nodes.get(node).map_or(&[][..], Vec::as_slice);
        if limits.climate_margin.is_none() {
            return Climate::default();
        }
        let ends = placed.iter().skip(1).map(|it| it.from).chain([Timestamp::MAX]);
        let mut changes = Vec::new();
        for (nth, (placed, end)) in placed.iter().zip(ends).enumerate() {
            let from = if nth == 0 { Timestamp::MIN } else { placed.from };
            let zone = placed.zone.as_ref().map(|zone| (node.site.clone(), zone.clone()));
            let stages = zone.and_then(|zone| self.zones.get(&zone)).map_or(&[][..], Vec::as_slice);
            let range = |stage: &Option<&Stage>| {
                let stage = stage.as_ref()?;
                limits.climate(ends_of(&stage.bands, quantity))
            };
            let before = stages.iter().take_while(|(at, _)| *at <= from).last();
            changes.push((from, before.and_then(|(_, stage)| range(stage))));
            let within = stages.iter().filter(|(at, _)| from < *at && *at < end);
            changes.extend(within.map(|(at, stage)| (*at, range(stage))));
        }
        Climate::new(changes)
    }
}

/// Returns when something about a batch changed.
fn changes(batch: &Batch) -> impl Iterator<Item = Timestamp> + '_ {
    let stages = batch.stages.iter().map(|it| it.from);
    let placements = batch.placements.iter().map(|it| it.from);
    stages.chain(placements).chain(batch.closed.iter().map(|it| it.at))
}

/// Returns the widest limits that a stage has for a quantity by day and by night: those of its alarms,
/// else of its targets. Open where a part of the day has none.
fn ends_of(bands: &[Band], quantity: Quantity) -> Ends {
    let bands: Vec<&Band> = bands.iter().filter(|band| band.quantity == quantity).collect();
    let covers = |period: Period| bands.iter().any(|band| band.period.overlaps(period));
    if !(covers(Period::Day) && covers(Period::Night)) {
        return (None, None);
    }
    let limits =
        || bands.iter().map(|band| if band.alarm.is_open() { band.target } else { band.alarm });
    let low = limits().map(|it| it.lo()).min_by_key(|low| low.map_or(i32::MIN, |low| low.0));
    let high = limits().map(|it| it.hi()).max_by_key(|high| high.map_or(i32::MAX, |high| high.0));
    (low.flatten(), high.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(period: &str, limits: &str) -> Band {
        let text = format!(
            r#"{{"quantity": "air_temperature", "period": "{period}", "target_class": "B",
                "alarm_class": "B", {limits}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[track_caller]
    fn check(bands: &[Band], low: Option<i32>, high: Option<i32>) {
        let ends = ends_of(bands, Quantity::AirTemperature);
        assert_eq!(ends, (low.map(Scaled), high.map(Scaled)));
    }

    #[test]
    fn the_widest_limits_of_day_and_night_make_the_climate_and_an_open_end_stays_open() {
        let day = band("day", r#""target": {"lo": 22, "hi": 28}, "alarm": {"lo": 12, "hi": 30}"#);
        let night =
            band("night", r#""target": {"lo": 15, "hi": 22}, "alarm": {"lo": 10, "hi": 25}"#);
        check(&[day.clone(), night], Some(10_000), Some(30_000));
        check(std::slice::from_ref(&day), None, None);
        let open = band("night", r#""target": {"lo": 15}, "alarm": {"lo": 10}"#);
        check(&[day, open], Some(10_000), None);
        let target = r#"{"quantity": "air_temperature", "target": {"lo": 5, "hi": 10}, "target_class": "G"}"#;
        check(&[serde_json::from_str(target).unwrap()], Some(5_000), Some(10_000));
        check(&[], None, None);
    }
}
