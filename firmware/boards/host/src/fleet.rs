//! Many boards at once: the demonstration nursery, and nodes for load.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use measure::{NodeKey, Slug, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Counters, Error, FlashPlace, HistoryPlan, run};
use crate::bus::WireFault;
use crate::clock::Clock;
use crate::fault::{FaultError, FaultPlan, Kind};
use crate::link::{Address, Secret};
use crate::load::load_channels;
use crate::noise::hash;
use crate::nursery::{ChannelPlan, Chip, ChipPlan, Demo, HousePlan, NodePlan};
use crate::physics::{House, Outage};
use crate::sensing::{HouseSource, Source};

/// Pages of a demonstration node's flash: 256 KiB, over two days of a round a minute.
const DEMO_FLASH_PAGES: usize = 64;
/// Pages of a load node's flash: 64 KiB.
const LOAD_FLASH_PAGES: usize = 16;
/// The shortest interval of a lone board with a CO2 chip, whose single shot takes five seconds.
const CO2_INTERVAL_MIN: Duration = Duration::from_secs(6);
/// The most nodes of one load; more are cut off.
pub const LOAD_NODES_MAX: usize = 20_000;
/// The pause between the starts of two boards, so that a thousand do not connect in one moment.
const START_PAUSE: Duration = Duration::from_millis(1);

/// How the demonstration is run.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Weather, doors, chips: all chance comes from it.
    pub seed: u64,
    /// When the nodes go live: now, on the demonstration's clock.
    pub live_from: Timestamp,
    /// How often a node samples when live.
    pub interval: Duration,
    /// What is brought in first.
    pub history: Option<HistoryPlan>,
    /// What fails.
    pub faults: Vec<FaultPlan>,
    /// Where the nodes keep their flash; in memory, where there is no folder.
    pub flash_folder: Option<PathBuf>,
}

/// Returns the boards of the demonstration, in the order of its houses and nodes.
///
/// # Errors
/// `FaultError` where a fault names a house or quantity that the demonstration does not have.
pub fn demo_boards(
    demo: &Demo,
    options: &DemoOptions,
    secret_of: impl Fn(&NodeKey) -> Secret,
) -> Result<Vec<Board>, FaultError> {
    for fault in &options.faults {
        fault.check(demo)?;
    }
    let back = options.history.map_or(Duration::ZERO, |history| history.length);
    let back_ms = i64::try_from(back.as_millis()).unwrap_or(i64::MAX);
    let ready_at = options.live_from.plus_ms(-back_ms);
    let mut boards = Vec::new();
    for plan in &demo.houses {
        let seed = hash(options.seed, plan.number as u64);
        let house = House::new(plan.build, plan.aims, demo.place, options.seed, seed, ready_at);
        for node in &plan.nodes {
            let faults = Faults::of(plan, node, options);
            let source = HouseSource {
                plan: node.clone(),
                house: house.clone(),
                outages: faults.mist,
                faults: faults.wires,
            };
            boards.push(Board {
                key: node.key.clone(),
                secret: secret_of(&node.key),
                channels: node.channels(),
                source: Source::House(Box::new(source)),
                interval: options.interval,
                flash: flash_place(options, &node.key),
                history: options.history,
                live_from: options.live_from,
                power_cuts: faults.power_cuts,
                seed,
            });
        }
    }
    Ok(boards)
}

/// Returns boards for nodes that stand in no nursery of ours: each hangs in a house of its own, built
/// as those of the demonstration are, one after the other, with one of each chip of such a house that
/// is quick enough for the interval.
pub fn lone_boards(
    demo: &Demo,
    options: &DemoOptions,
    nodes: impl Iterator<Item = (NodeKey, Secret)>,
) -> Vec<Board> {
    let board = |((index, (key, secret)), plan): ((usize, (NodeKey, Secret)), &HousePlan)| {
        let seed = hash(options.seed, index as u64);
        let ready_at = options.live_from;
        let house = House::new(plan.build, plan.aims, demo.place, options.seed, seed, ready_at);
        let node = NodePlan { key: key.clone(), chips: lone_chips(plan, options.interval) };
        let (outages, faults) = (Vec::new(), Vec::new());
        let channels = node.channels();
        let source = HouseSource { plan: node, house, outages, faults };
        Board {
            flash: flash_place(options, &key),
            key,
            secret,
            channels,
            source: Source::House(Box::new(source)),
            interval: options.interval,
            history: None,
            live_from: options.live_from,
            power_cuts: Vec::new(),
            seed,
        }
    };
    nodes.enumerate().zip(demo.houses.iter().cycle()).map(board).collect()
}

/// One of each chip of a house, on one bus. A round with a CO2 chip takes longer than
/// [`CO2_INTERVAL_MIN`] allows, so that with a shorter interval there is none.
fn lone_chips(plan: &HousePlan, interval: Duration) -> Vec<ChipPlan> {
    let mut chips: Vec<ChipPlan> = Vec::new();
    for found in plan.nodes.iter().flat_map(|node| &node.chips) {
        let is_slow = found.chip == Chip::Scd4x && interval < CO2_INTERVAL_MIN;
        if !is_slow && chips.iter().all(|known| known.chip != found.chip) {
            chips.push(found.clone());
        }
    }
    chips
}

fn flash_place(options: &DemoOptions, key: &NodeKey) -> FlashPlace {
    let pages = DEMO_FLASH_PAGES;
    match &options.flash_folder {
        None => FlashPlace::Memory { pages },
        Some(folder) => {
            let path = folder.join(format!("{}.{}.flash", key.site, key.node));
            FlashPlace::File { path, pages }
        }
    }
}

/// The faults of one node.
struct Faults {
    mist: Vec<Outage>,
    wires: Vec<WireFault>,
    power_cuts: Vec<Outage>,
}

impl Faults {
    fn of(house: &HousePlan, node: &NodePlan, options: &DemoOptions) -> Self {
        let mut faults = Self { mist: Vec::new(), wires: Vec::new(), power_cuts: Vec::new() };
        let own = options.faults.iter().filter(|fault| fault.house == house.number);
        for fault in own {
            let (from, until) = fault.span(options.live_from);
            match fault.kind {
                Kind::MistValve => faults.mist.push(Outage { from, until }),
                // The whole house is without supply.
                Kind::PowerCut => faults.power_cuts.push(Outage { from, until }),
                kind if is_hit(house, node, fault) => {
                    faults.wires.push(WireFault { kind, quantity: fault.quantity, from, until });
                }
                Kind::Stuck | Kind::Drift | Kind::Spike | Kind::DeadBus => {}
            }
        }
        faults
    }
}

/// A fault of wires or of a sensor hits one node: the first that it can.
fn is_hit(house: &HousePlan, node: &NodePlan, fault: &FaultPlan) -> bool {
    let mut nodes = house.nodes.iter();
    let first = match fault.quantity {
        None => nodes.next(),
        Some(quantity) => nodes.find(|node| node.measures(quantity)),
    };
    first.is_some_and(|first| first.key == node.key)
}

/// Nodes that only make numbers.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Their site.
    pub site: Slug,
    /// How many, up to [`LOAD_NODES_MAX`].
    pub nodes: usize,
    /// Channels of each, up to 32.
    pub channels: usize,
    /// How often each samples.
    pub interval: Duration,
    /// The chance of their numbers.
    pub seed: u64,
    /// When they begin.
    pub live_from: Timestamp,
}

/// Returns the name of the load node of this number, counted from 1.
pub fn load_key(site: &Slug, number: usize) -> NodeKey {
    NodeKey { site: site.clone(), node: slug(&format!("load-{number:05}")) }
}

/// Returns boards for load.
pub fn load_boards(options: &LoadOptions, secret_of: impl Fn(&NodeKey) -> Secret) -> Vec<Board> {
    let channels: Vec<_> = load_channels(options.channels)
        .map(|(quantity, position)| ChannelPlan {
            quantity,
            position: slug(&format!("p-{position}")),
            sensor: "load",
        })
        .collect();
    let board = |number: usize| {
        let key = load_key(&options.site, number);
        Board {
            secret: secret_of(&key),
            key,
            channels: channels.clone(),
            source: Source::Load { channels: options.channels },
            interval: options.interval,
            flash: FlashPlace::Memory { pages: LOAD_FLASH_PAGES },
            history: None,
            live_from: options.live_from,
            power_cuts: Vec::new(),
            seed: hash(options.seed, number as u64),
        }
    };
    (1..=options.nodes.min(LOAD_NODES_MAX)).map(board).collect()
}

/// Runs boards until `stop`, one task for each.
///
/// # Errors
/// The first board that cannot run; the others are stopped then.
pub async fn run_all(
    boards: Vec<Board>,
    address: Address,
    clock: Clock,
    counters: Arc<Counters>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut tasks = JoinSet::new();
    for board in boards {
        tasks.spawn(run(board, address.clone(), clock.clone(), counters.clone(), stop.clone()));
        tokio::time::sleep(START_PAUSE).await;
    }
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                result = result.and(Err(error));
                stop.cancel();
            }
            Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
            // Cancelled: nobody does that to these tasks.
            Err(_) => {}
        }
    }
    result
}

#[expect(clippy::expect_used, reason = "the names are put together here from slug characters")]
fn slug(name: &str) -> Slug {
    Slug::new(name).expect("a short name of a-z, 0-9 and hyphens")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_nodes_measure_what_they_have_time_for() {
        let options = |interval| DemoOptions {
            seed: 1,
            live_from: Timestamp::MIN,
            interval,
            history: None,
            faults: Vec::new(),
            flash_folder: None,
        };
        let demo = crate::nursery::demo();
        let names = (1..=7).map(|number| load_key(&demo.site, number));
        let nodes: Vec<_> = names.map(|key| (key, Secret::new("x"))).collect();
        let quantities = |interval| -> Vec<usize> {
            let boards = lone_boards(&demo, &options(interval), nodes.iter().cloned());
            boards.iter().map(|board| board.channels.len()).collect()
        };
        assert_eq!(quantities(Duration::from_secs(5)), [4; 7]);
        assert_eq!(quantities(Duration::from_secs(6)), [5; 7]);
    }
}
