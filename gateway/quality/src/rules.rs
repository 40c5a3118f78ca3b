//! Which channels there are, what each is held against, and who stands beside it.

use std::collections::HashMap;

use measure::{NodeKey, Quantity, Slug, Timestamp};
use store::{SeriesId, SeriesKey};

use crate::Limits;

/// The most twins that a channel is compared with; those with the greater numbers are left out.
pub const TWINS_MAX: usize = 64;
/// The most times at which the climate of a channel changes; the earliest are left out.
pub const CLIMATES_MAX: usize = 1_024;

/// A channel of a node, as it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Its series.
    pub series: SeriesId,
    /// Node, position and quantity.
    pub key: SeriesKey,
    /// The zone where its node stands.
    pub zone: Option<Slug>,
    /// How often it reports, in milliseconds.
    pub interval_ms: u32,
    /// What it is held against.
    pub limits: Limits,
    /// What is usual for what grows there, and when.
    pub climate: Climate,
}

/// What is usual where a channel stands, by crop and stage: from which time on which range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Climate {
    /// In the order of time; `None`: nobody knows.
    spans: Vec<(Timestamp, Option<(i32, i32)>)>,
}

impl Climate {
    /// Returns a climate from its changes, in any order: from a time on a range in steps, both ends
    /// included, or nothing known. Before the first of them nothing is known.
    pub fn new(changes: impl IntoIterator<Item = (Timestamp, Option<(i32, i32)>)>) -> Self {
        let mut spans: Vec<_> = changes.into_iter().collect();
        spans.sort_by_key(|(from, _)| *from);
        let beyond = spans.len().saturating_sub(CLIMATES_MAX);
        spans.drain(..beyond);
        Self { spans }
    }

    /// Returns the range at a time.
    pub fn at(&self, time: Timestamp) -> Option<(i32, i32)> {
        let after = self.spans.partition_point(|(from, _)| *from <= time);
        self.spans.get(after.checked_sub(1)?)?.1
    }
}

/// All channels, and who stands beside whom.
#[derive(Debug, Default)]
pub struct Rules {
    /// By the number of the series, which is dense.
    channels: Vec<Option<Placed>>,
}

/// A channel among the others.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) channel: Channel,
    /// Others of the node that have a flat line of their own.
    pub(crate) siblings: Vec<SeriesId>,
    /// Others at the very place that say something of the same air.
    pub(crate) air: Vec<SeriesId>,
    /// Others of the quantity in the zone.
    pub(crate) twins: Vec<SeriesId>,
}

impl Rules {
    /// Puts channels together.
    pub fn new(channels: impl IntoIterator<Item = Channel>) -> Self {
        let mut placed: Vec<Option<Placed>> = Vec::new();
        for channel in channels {
            let number = channel.series.0 as usize;
            if placed.len() <= number {
                placed.resize_with(number + 1, || None);
            }
            if let Some(slot) = placed.get_mut(number) {
                let (siblings, air, twins) = Default::default();
                *slot = Some(Placed { channel, siblings, air, twins });
            }
        }
        let groups = Groups::of(placed.iter().flatten().map(|placed| &placed.channel));
        for one in placed.iter_mut().flatten() {
            groups.fill(one);
        }
        Self { channels: placed }
    }

    /// Returns a channel; `None` where nothing is known of the series.
    pub fn channel(&self, series: SeriesId) -> Option<&Channel> {
        self.placed(series).map(|placed| &placed.channel)
    }

    pub(crate) fn placed(&self, series: SeriesId) -> Option<&Placed> {
        self.channels.get(series.0 as usize)?.as_ref()
    }
}

/// Whether the quantity says something of the water in the air, or of its temperature.
pub(crate) fn is_of_air(quantity: Quantity) -> bool {
    matches!(
        quantity,
        Quantity::AirTemperature
            | Quantity::RelativeHumidity
            | Quantity::DewPoint
            | Quantity::AbsoluteHumidity
            | Quantity::VapourPressureDeficit
    )
}

/// Channels by what they have in common.
#[derive(Default)]
struct Groups {
    nodes: HashMap<NodeKey, Vec<SeriesId>>,
    places: HashMap<(NodeKey, Slug), Vec<SeriesId>>,
    zones: HashMap<(Slug, Slug, Quantity), Vec<SeriesId>>,
}

impl Groups {
    fn of<'a>(channels: impl Iterator<Item = &'a Channel>) -> Self {
        let mut groups = Self::default();
        for channel in channels {
            let key = &channel.key;
            if channel.limits.node.flat.is_some() {
                groups.nodes.entry(key.node.clone()).or_default().push(channel.series);
            }
            if is_of_air(key.quantity) {
                let place = (key.node.clone(), key.position.clone());
                groups.places.entry(place).or_default().push(channel.series);
            }
            if let Some(zone) = zone_of(channel) {
                groups.zones.entry(zone).or_default().push(channel.series);
            }
        }
        groups
    }

    fn fill(&self, placed: &mut Placed) {
        let (series, key) = (placed.channel.series, &placed.channel.key);
        let others = |group: Option<&Vec<SeriesId>>| -> Vec<SeriesId> {
            group.into_iter().flatten().copied().filter(|other| *other != series).collect()
        };
        if placed.channel.limits.node.flat.is_some() {
            placed.siblings = others(self.nodes.get(&key.node));
        }
        if is_of_air(key.quantity) {
            placed.air = others(self.places.get(&(key.node.clone(), key.position.clone())));
        }
        if let Some(zone) = zone_of(&placed.channel) {
            placed.twins = others(self.zones.get(&zone));
            placed.twins.truncate(TWINS_MAX);
        }
    }
}

/// Returns what twins of a channel share; `None` where it has none by its nature or its place.
fn zone_of(channel: &Channel) -> Option<(Slug, Slug, Quantity)> {
    channel.limits.accuracy?;
    let zone = channel.zone.clone()?;
    Some((channel.key.node.site.clone(), zone, channel.key.quantity))
}
