//! A nursery's worth of readings, the same every time, to fill a store with.
//!
//! Nodes of eight channels, one reading a minute and channel, up to 200 ms late; a daily wave plus
//! noise, in hundredths. What the engine was chosen on (see `reference/storage.md` of the design)
//! had the same shape, so that sizes and times can be compared.

use measure::{
    FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, SlugError, Timestamp,
};

use crate::{Batch, Error, Incoming, Origin, Part, Position, Sample, SeriesId, SeriesKey, Store};

/// Channels of a node: what they measure, the mean, the half height of the wave, and the noise.
const CHANNELS: [(Quantity, f64, f64, f64); 8] = [
    (Quantity::AirTemperature, 22.0, 6.0, 0.2),
    (Quantity::RelativeHumidity, 65.0, 15.0, 0.8),
    (Quantity::SubstrateEc, 450.0, 80.0, 6.0),
    (Quantity::Ppfd, 300.0, 290.0, 12.0),
    (Quantity::SubstrateMoisture, 35.0, 3.0, 0.1),
    (Quantity::SubstrateTemperature, 20.0, 3.0, 0.06),
    (Quantity::VapourPressureDeficit, 1.8, 0.2, 0.04),
    (Quantity::SupplyVoltage, 3.7, 0.2, 0.02),
];

/// How much to fill in.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Nodes, of eight series each.
    pub nodes: u32,
    /// The first minute.
    pub start: Timestamp,
    /// How many minutes.
    pub minutes: u32,
    /// How many minutes of all nodes make one commit; at most 16,384 readings may.
    pub minutes_per_commit: u32,
}

/// Commits a load in the order of time and returns how many readings were kept. The journal is
/// released as it goes; `progress` hears of every commit.
///
/// # Errors
/// What the store says.
pub fn fill(
    store: &dyn Store,
    load: &Load,
    mut progress: impl FnMut(Position),
) -> Result<u64, Error> {
    let mut nodes = Vec::new();
    for index in 0..load.nodes {
        let node = node(index).unwrap_or_else(|_| unreachable!("the name is a slug"));
        nodes.push((node.clone(), series_of(store, &node)?));
    }
    let mut kept = 0;
    for from in (0..load.minutes).step_by(load.minutes_per_commit.max(1) as usize) {
        let to = load.minutes.min(from + load.minutes_per_commit.max(1));
        let parts = (0..).zip(&nodes).map(|(index, (node, ids))| {
            let incoming = |minute| {
                let sequences = u64::from(minute) * CHANNELS.len() as u64..;
                let samples = (0..).zip(ids).map(move |(channel, &series)| {
                    reading(load.start, index * 8 + channel, channel as usize, minute, series)
                });
                sequences.zip(samples)
            };
            let samples = (from..to)
                .flat_map(incoming)
                .map(|(sequence, sample)| Incoming { sequence: Sequence(sequence), sample })
                .collect();
            let origin = Origin::Node { node: node.clone(), flash: FlashId(index) };
            Part::Readings { origin, samples }
        });
        let committed = store.commit(&Batch { parts: parts.collect() })?;
        store.release(committed.position)?;
        kept += committed.kept;
        progress(committed.position);
    }
    Ok(kept)
}

fn node(index: u32) -> Result<NodeKey, SlugError> {
    Ok(NodeKey { site: Slug::new("load")?, node: Slug::new(&format!("n{index}"))? })
}

fn series_of(store: &dyn Store, node: &NodeKey) -> Result<Vec<SeriesId>, Error> {
    let position = Slug::new("bench").unwrap_or_else(|_| unreachable!("the name is a slug"));
    CHANNELS
        .iter()
        .map(|&(quantity, ..)| {
            let (node, position) = (node.clone(), position.clone());
            store.series_id(&SeriesKey { node, position, quantity })
        })
        .collect()
}

/// Returns a reading: always the same for the same series and minute.
fn reading(start: Timestamp, number: u32, channel: usize, minute: u32, series: SeriesId) -> Sample {
    let (quantity, mean, height, noise) =
        CHANNELS.get(channel).copied().unwrap_or((Quantity::Co2, 0.0, 0.0, 0.0));
    let random = mix(u64::from(number) << 32 | u64::from(minute));
    let late_ms = i64::from(minute) * 60_000 + i64::from(number / 8) * 37 + (random % 200) as i64;
    let turn = f64::from(minute % 1_440) / 1_440.0 * std::f64::consts::TAU;
    let swing = ((random >> 16) % 2_001) as f64 / 1_000.0 - 1.0;
    let value = mean + height * (turn + f64::from(number) * 0.01).sin() + noise * swing;
    let hundredths = (value * 100.0).round() as i32;
    let scaled = if quantity.decimals() == 3 { hundredths * 10 } else { hundredths };
    Sample {
        series,
        time: start.plus_ms(late_ms),
        reading: Ok(Scaled(scaled)),
        quality: Quality::Good,
        marks: Marks::NONE,
        taken: None,
    }
}

/// Returns a well mixed number (splitmix64, Steele and others 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
