//! Flags readings before ingest keeps them, by what the nursery is like at that moment.
//!
//! The rules are made anew when the nursery has changed or a channel is heard for the first time. A
//! start takes up the state of every series from the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use api::Nursery;
use ingest::{Assess, Nodes, Outlets};
use measure::{FlashId, NodeKey, Quality, Quantity, Reading, Slug};
use nursery::Zone;
use quality::{Calibrated, Channel, OF_AIR, Rules, State, Table};
use registry::Registry;
use store::{Incoming, SeriesKey, Store};
use tokio::sync::watch;
use tracing::error;

use crate::climate::Climates;

/// The gateway's own judgement of readings.
pub(crate) struct Inspector {
    store: Arc<Calibrated>,
    registry: Arc<Registry>,
    outlets: Arc<Outlets>,
    table: Table,
    desk: Mutex<Desk>,
    rules: watch::Sender<Arc<Rules>>,
}

/// What changes from commit to commit.
struct Desk {
    nursery: watch::Receiver<Arc<Nursery>>,
    rules: Arc<Rules>,
    state: State,
    /// Series with a lower number were there when the rules were made.
    known: usize,
}

impl Inspector {
    /// Makes the first rules and takes up where the store stands.
    pub(crate) fn take_up(
        store: Arc<Calibrated>,
        registry: Arc<Registry>,
        outlets: Arc<Outlets>,
        nursery: watch::Receiver<Arc<Nursery>>,
        table: Table,
    ) -> Result<Self> {
        let desk = Desk { nursery, rules: Arc::default(), state: State::default(), known: 0 };
        let (desk, rules) = (Mutex::new(desk), watch::Sender::default());
        let inspector = Self { store, registry, outlets, table, desk, rules };
        {
            let mut desk = inspector.desk.lock().unwrap_or_else(PoisonError::into_inner);
            inspector.make_rules(&mut desk)?;
            let rules = Arc::clone(&desk.rules);
            for latest in inspector.store.latest()? {
                quality::prime(&rules, &mut desk.state, &*inspector.store, &latest)?;
            }
        }
        Ok(inspector)
    }

    /// Returns where the rules can be read that hold now.
    pub(crate) fn rules(&self) -> watch::Receiver<Arc<Rules>> {
        self.rules.subscribe()
    }

    fn make_rules(&self, desk: &mut Desk) -> Result<()> {
        let nursery = Arc::clone(&desk.nursery.borrow_and_update());
        let series = self.store.series()?;
        let climates = Climates::read(&self.registry, &nursery.zones, &nursery.profiles)
            .context("cannot read what grew where")?;
        let nodes = self.outlets.nodes.borrow();
        let zones: HashMap<(&Slug, &Slug), &Zone> =
            nursery.zones.iter().map(|zone| ((&zone.site, &zone.id), zone)).collect();
        let placed: HashMap<&NodeKey, &Slug> =
            nursery.nodes.iter().filter_map(|it| Some((&it.key, it.zone.as_ref()?))).collect();
        let channel = |key: &SeriesKey| {
            let zone = placed.get(&key.node).copied();
            let expected = zone.and_then(|zone| zones.get(&(&key.node.site, zone)));
            let limits = self.table.limits(key);
            let climate = climates.of(&key.node, key.quantity, &limits);
            let interval_ms = interval_ms(&nodes, key)
                .or(expected.map(|zone| zone.expected_interval_ms))
                .unwrap_or(nursery::INTERVAL_MS_DEFAULT);
            (zone.cloned(), interval_ms, limits, climate)
        };
        let measured = series.iter().filter(|(_, key)| is_measured(&nodes, key));
        let channels = measured.map(|(id, key)| {
            let (zone, interval_ms, limits, climate) = channel(key);
            Channel { series: *id, key: key.clone(), zone, interval_ms, limits, climate }
        });
        desk.rules = Arc::new(Rules::new(channels));
        desk.known = series.iter().map(|(id, _)| id.0 as usize + 1).max().unwrap_or(0);
        self.rules.send_replace(Arc::clone(&desk.rules));
        Ok(())
    }
}

impl Assess for Inspector {
    fn assess(&self, flash: Option<FlashId>, samples: &mut [Incoming]) {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |one: &Incoming| (one.sample.series.0 as usize) < desk.known;
        let is_new = !samples.iter().all(is_known);
        if (is_new || desk.nursery.has_changed().unwrap_or(false))
            && let Err(error) = self.make_rules(&mut desk)
        {
            // Readings go on being kept, by the rules of before.
            error!("Cannot make the rules that readings are judged by: {error:#}.");
        }
        let Desk { rules, state, .. } = &mut *desk;
        if self.store.is_as_taken() {
            return quality::assess(rules, state, flash, samples);
        }
        // A reading is judged by what it says once calibrated, and kept as it was taken.
        let taken: Vec<Reading> = samples.iter().map(|one| one.sample.reading).collect();
        for one in &mut *samples {
            one.sample = self.store.calibrated(one.sample);
        }
        quality::assess(rules, state, flash, samples);
        for (one, taken) in samples.iter_mut().zip(taken) {
            if one.sample.reading.is_err() && taken.is_ok() {
                one.sample.quality = Quality::Fail;
            }
            one.sample.reading = taken;
        }
    }

    fn settle(&self, kept: bool) {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.state.settle(kept);
    }
}

/// Returns how often a channel reports, as the birth of its node says.
fn interval_ms(nodes: &Nodes, key: &SeriesKey) -> Option<u32> {
    let birth = &nodes.get(&key.node)?.birth;
    Some(birth.heartbeat_ms.unwrap_or(0).max(birth.interval_ms))
}

/// Returns whether a node measures a series; what the gateway derives itself is not judged by what it
/// was derived from.
fn is_measured(nodes: &Nodes, key: &SeriesKey) -> bool {
    if !OF_AIR.contains(&key.quantity) && key.quantity != Quantity::DailyLightIntegral {
        return true;
    }
    let birth = nodes.get(&key.node).map(|state| &state.birth);
    birth.is_some_and(|birth| {
        let mut channels = birth.channels.iter();
        channels.any(|it| it.position == key.position && it.quantity == key.quantity)
    })
}
