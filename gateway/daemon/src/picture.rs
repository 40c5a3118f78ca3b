//! The nursery in one consistent picture: sites, zones, batches, nodes, profiles and the rules made of
//! them. The leading batch of a zone chooses its stage.
//!
//! Built anew when a command or a person has changed the registry, and when a channel is heard for
//! the first time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alarms::{ChannelId, Rules, ZoneChannel, rules_for};
use anyhow::{Context, Result};
use api::Nursery;
use ingest::Outlets;
use measure::{NodeKey, Quantity, Slug, Timestamp};
use nursery::{Batch, Profile, Source, Stage, Zone, grows};
use registry::{BatchState, Registry, Topic};
use store::{SeriesId, SeriesKey, Store};

/// Builds pictures and knows whether the last one is still right.
pub(crate) struct Painter {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    outlets: Arc<Outlets>,
    profiles: Vec<Profile>,
    sources: Vec<Source>,
    /// What the last picture was made of.
    painted: Option<Painted>,
}

#[derive(PartialEq, Eq)]
struct Painted {
    nursery: u64,
    nodes: u64,
    rhythms: BTreeMap<NodeKey, Rhythm>,
    series: usize,
}

/// When a node is to be heard, as its birth says.
#[derive(PartialEq, Eq)]
struct Rhythm {
    /// The longest time between two readings of a channel, in milliseconds: the heartbeat where it
    /// reports by exception.
    silence_ms: u32,
    /// For how long it sleeps between two connections, in milliseconds.
    asleep_ms: u32,
    /// Channels that are switched off: nothing is expected of them.
    off: BTreeSet<(Slug, Quantity)>,
}

impl Rhythm {
    fn of(birth: &wire::Birth) -> Self {
        let off = birth.channels.iter().filter(|it| !it.enabled);
        Self {
            silence_ms: birth.heartbeat_ms.unwrap_or(0).max(birth.interval_ms),
            asleep_ms: birth.next_due_ms.unwrap_or(0),
            off: off.map(|it| (it.position.clone(), it.quantity)).collect(),
        }
    }
}

impl Painter {
    /// Reads the profiles that the program carries.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        outlets: Arc<Outlets>,
    ) -> Result<Self> {
        let profiles = seeds::profiles().context("the crop profiles are broken")?;
        let sources = seeds::sources().context("the sources are broken")?;
        Ok(Self { store, registry, outlets, profiles, sources, painted: None })
    }

    /// Returns whether a series was there when the last picture was made.
    pub(crate) fn knows(&self, series: SeriesId) -> bool {
        self.painted.as_ref().is_some_and(|painted| (series.0 as usize) < painted.series)
    }

    /// Returns a new picture where the last one is out of date.
    pub(crate) fn repaint(&mut self) -> Result<Option<Nursery>> {
        let mut series = self.store.series()?;
        let now = Painted {
            nursery: self.registry.revision(Topic::Nursery)?,
            nodes: self.registry.revision(Topic::Nodes)?,
            rhythms: self.rhythms(),
            // Numbers are dense, so that the count says which are known.
            series: series.iter().map(|(id, _)| id.0 as usize + 1).max().unwrap_or(0),
        };
        if self.painted.as_ref() == Some(&now) {
            return Ok(None);
        }
        series.sort_by_key(|(id, _)| *id);
        let derivations: BTreeMap<SeriesKey, Vec<SeriesKey>> =
            self.registry.derivations()?.into_iter().map(|it| (it.channel, it.inputs)).collect();
        let nodes = self.registry.nodes()?;
        let zone_of: BTreeMap<&NodeKey, &Slug> =
            nodes.iter().filter_map(|node| Some((&node.key, node.zone.as_ref()?))).collect();
        let mut channels: BTreeMap<(&Slug, &Slug), Vec<ZoneChannel>> = BTreeMap::new();
        for (id, key) in &series {
            let Some(zone) = zone_of.get(&key.node) else { continue };
            let rhythm = now.rhythms.get(&key.node);
            if rhythm.is_some_and(|it| it.off.contains(&(key.position.clone(), key.quantity))) {
                continue;
            }
            channels.entry((&key.node.site, zone)).or_default().push(ZoneChannel {
                id: ChannelId(id.0),
                quantity: key.quantity,
                expected_interval_ms: rhythm.map(|it| it.silence_ms),
                asleep_ms: rhythm.map_or(0, |it| it.asleep_ms),
                is_derived: derivations.contains_key(key),
            });
        }
        let sites = self.registry.sites()?;
        let zones = self.registry.zones()?;
        let batches = self.registry.batches(BatchState::Open)?;
        let confirmed = self.registry.confirmed_limits()?;
        let rules = zones
            .iter()
            .filter_map(|zone| {
                let site = sites.iter().find(|site| site.id == zone.site)?;
                let channels = channels.get(&(&zone.site, &zone.id)).map_or(&[][..], Vec::as_slice);
                let grown = self.grown(zone, &batches);
                Some(rules_for(site, &grown, self.stage(&grown), channels, &confirmed))
            })
            .collect();
        let rules = Rules::new(rules)?;
        let (profiles, sources) = (self.profiles.clone(), self.sources.clone());
        self.painted = Some(now);
        Ok(Some(Nursery {
            sites,
            zones,
            batches,
            nodes,
            profiles,
            sources,
            confirmed,
            derivations,
            rules,
        }))
    }

    fn rhythms(&self) -> BTreeMap<NodeKey, Rhythm> {
        let nodes = self.outlets.nodes.borrow();
        nodes.iter().map(|(key, state)| (key.clone(), Rhythm::of(&state.birth))).collect()
    }

    /// Returns a zone with what grows in it now: nothing of a batch lies in the future.
    fn grown(&self, zone: &Zone, batches: &[Batch]) -> Zone {
        let own = zone.growing.as_ref();
        let growing = grows(zone, own, batches, &self.profiles, Timestamp::MAX);
        Zone { growing, ..zone.clone() }
    }

    fn stage(&self, zone: &Zone) -> Option<&Stage> {
        let growing = zone.growing.as_ref()?;
        let profile = self.profiles.iter().find(|profile| profile.crop == growing.crop)?;
        profile.stage(&growing.method, &growing.stage)
    }
}
