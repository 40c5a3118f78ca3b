//! From MQTT to durable: how many readings a second, ours and the peers', on the same feed.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::Gateway;

use crate::bridge::{Bridge, Sink};
use crate::feed::{Feed, Plan, READINGS};
use crate::peers::{Database, Kind, mosquitto};
use crate::site::{Site, names};
use crate::table::{Better, Table};
use crate::{Arguments, feed, now, usage};

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long a gateway and a peer are fed before they are killed.
const KILL_AFTER: Duration = Duration::from_secs(3);
/// Readings a second that must hold for long.
pub(crate) const SUSTAINED: f64 = 50_000.0;
/// How many times InfluxDB's readings a second.
const INFLUX_TIMES: f64 = 3.0;
/// The most memory of a gateway, in MB.
const MEMORY_MB: f64 = 150.0;

/// The name of the threads that play the nodes.
const PUBLISHER: &str = "publisher";
/// How often it is looked whether anything was stored.
const LOOK: Duration = Duration::from_millis(50);

/// What a run has come to.
pub(crate) struct Rate {
    readings_a_second: f64,
    /// Processor time for each frame by who used it, in microseconds.
    cost_us: Vec<(String, f64)>,
    /// The longest time in which nothing was stored.
    stalled: Duration,
}

impl Rate {
    /// Returns the processor time for each reading of all but the publisher, in microseconds.
    fn cost_of_a_reading_us(&self) -> f64 {
        let others = self.cost_us.iter().filter(|(who, _)| who != PUBLISHER);
        others.map(|(_, cost)| cost).sum::<f64>() / READINGS as f64
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (rate, stalled) = (self.readings_a_second, self.stalled.as_millis());
        write!(f, "{rate:.0} readings/s, longest pause {stalled} ms; processor time a frame:")?;
        self.cost_us.iter().try_for_each(|(who, cost)| write!(f, " {who} {cost:.1} µs"))
    }
}

/// Lets a feed flow and measures what is stored meanwhile, and who worked for it.
fn measure(feed: &Feed, span: Duration, processes: &[(&str, u32)]) -> Result<Rate> {
    std::thread::sleep(WARM_UP);
    let work = || -> Result<Vec<(String, f64)>> {
        let mut work = vec![(PUBLISHER.to_owned(), usage::cpu_of_threads_s(PUBLISHER)?)];
        let bridge = usage::cpu_of_threads_s("bridge")?;
        if bridge > 0.0 {
            work.push(("bridge".to_owned(), bridge));
        }
        for (name, process) in processes {
            work.push(((*name).to_owned(), usage::cpu_s(*process)?));
        }
        Ok(work)
    };
    let (began, before, first) = (Instant::now(), work()?, feed.readings_stored());
    let (mut stalled, mut moved, mut known) = (Duration::ZERO, began, first);
    while began.elapsed() < span {
        std::thread::sleep(LOOK.min(span.saturating_sub(began.elapsed())));
        let stored = feed.readings_stored();
        if stored > known {
            (moved, known) = (Instant::now(), stored);
        }
        stalled = stalled.max(moved.elapsed());
    }
    let (after, last, took) = (work()?, feed.readings_stored(), began.elapsed());
    let frames = ((last - first) / READINGS).max(1) as f64;
    let cost = before
        .into_iter()
        .zip(after)
        .map(|((who, before), (_, after))| (who, (after - before) * 1e6 / frames));
    let readings_a_second = (last - first) as f64 / took.as_secs_f64();
    Ok(Rate { readings_a_second, cost_us: cost.collect(), stalled })
}

fn frames_of(feed: &Feed) -> Vec<u64> {
    feed.books.iter().map(|book| book.stored.load(Relaxed)).collect()
}

pub(crate) fn plan(site: &Site, gateway: &Gateway, pace: Option<Duration>) -> Plan {
    let nodes = site.nodes.clone();
    Plan { broker: gateway.mqtt, nodes, pace, acknowledged: true, now: now() }
}

/// Returns the time between two frames of a node at a rate of the whole site.
pub(crate) fn pace(nodes: usize, readings_a_second: f64) -> Duration {
    Duration::from_secs_f64(nodes as f64 * READINGS as f64 / readings_a_second)
}

/// As fast as it goes; then everything is there once.
pub(crate) fn ours(arguments: &Arguments, table: &mut Table) -> Result<Rate> {
    println!("from MQTT to durable, ours");
    let site = Site::build(arguments.nodes)?;
    let gateway = site.gateway()?;
    let feed = Feed::start(plan(&site, &gateway, None), feed::books(arguments.nodes))?;
    let rate = measure(&feed, arguments.span(), &[("gateway", gateway.id())])?;
    let memory = usage::peak_mb(gateway.id())?;
    let resent = feed.resent();
    let books = Arc::clone(&feed.books);
    let published = feed.drain()?;
    drop(gateway);
    let frames: Vec<u64> = books.iter().map(|book| book.frames.load(Relaxed)).collect();
    let kept = site.check(&frames, true)?;
    ensure!(kept == published, "{published} readings published, {kept} in the store");
    table.note(format!("ours: {rate}; {published} published, all stored once; {resent} frames sent again; at most {memory:.0} MB"));
    if arguments.only.is_none() {
        table.row(
            "memory of the gateway at full speed, against the limit",
            (memory, MEMORY_MB),
            "MB",
            Better::Lower,
        );
    }
    Ok(rate)
}

/// At a given rate for a given time: nothing may pile up.
pub(crate) fn sustained(arguments: &Arguments, table: &mut Table) -> Result<()> {
    let span = Duration::from_secs_f64(arguments.minutes * 60.0);
    println!("{SUSTAINED} readings/s for {span:?}");
    let site = Site::build(arguments.nodes)?;
    let gateway = site.gateway()?;
    let feed = Feed::start(
        plan(&site, &gateway, Some(pace(arguments.nodes, SUSTAINED))),
        feed::books(arguments.nodes),
    )?;
    let rate = measure(&feed, span, &[("gateway", gateway.id())])?;
    let memory = usage::peak_mb(gateway.id())?;
    let behind = feed.readings_published() - feed.readings_stored();
    let resent = feed.resent();
    let books = Arc::clone(&feed.books);
    let published = feed.drain()?;
    drop(gateway);
    let frames: Vec<u64> = books.iter().map(|book| book.frames.load(Relaxed)).collect();
    site.check(&frames, true)?;
    table.note(format!("sustained: {rate}; {published} published, all stored once; {behind} on their way at the end; {resent} frames sent again"));
    let name =
        format!("sustained for {:.1} minutes, against the number to reach", arguments.minutes);
    // What the clock rounds off is no shortfall.
    table.row(name, (rate.readings_a_second, SUSTAINED * 0.995), "readings/s", Better::Higher);
    table.row(
        "memory of the gateway meanwhile, against the limit",
        (memory, MEMORY_MB),
        "MB",
        Better::Lower,
    );
    Ok(())
}

/// Kills the gateway at full speed and starts it again.
fn killed(arguments: &Arguments) -> Result<(f64, u64)> {
    let site = Site::build(arguments.nodes)?;
    let mut gateway = site.gateway()?;
    let feed = Feed::start(plan(&site, &gateway, None), feed::books(arguments.nodes))?;
    std::thread::sleep(KILL_AFTER);
    gateway.kill()?;
    let frames = frames_of(&feed);
    feed.abandon();
    let began = Instant::now();
    let again = site.gateway()?;
    let took = began.elapsed().as_secs_f64();
    drop(again);
    site.check(&frames, false)?;
    Ok((took, 0))
}

/// A peer on the same feed, and killed at the end.
struct Peer {
    rate: Rate,
    memory_mb: f64,
    /// From kill -9 to an answer, and how many readings that it had acknowledged are gone.
    killed: Option<(f64, u64)>,
}

fn peer(arguments: &Arguments, kind: Option<Kind>) -> Result<Peer> {
    let folder = tempfile::tempdir()?;
    let (broker, address) = mosquitto(folder.path())?;
    let database = kind.map(|kind| Database::start(kind, folder.path())).transpose()?.map(Arc::new);
    let nodes = names(arguments.nodes)?.into_iter().map(|key| (key, None)).collect();
    // The bridge is there first: Mosquitto forgets what nobody subscribed to.
    let plan = Plan { broker: address, nodes, pace: None, acknowledged: false, now: now() };
    let sink = database.clone().map_or(Sink::Null, Sink::Database);
    let books = feed::books(arguments.nodes);
    let bridge = Bridge::start(address, &sink, Arc::clone(&books))?;
    let feed = Feed::start(plan, books)?;
    let mut processes = vec![("mosquitto", broker.id())];
    if let Some(database) = &database {
        processes.push((database.kind.name(), database.id()?));
    }
    let rate = measure(&feed, arguments.span(), &processes)?;
    let mut memory_mb = usage::peak_mb(broker.id())?;
    let mut killed = None;
    drop(sink);
    if let Some(database) = &database {
        memory_mb += usage::peak_mb(database.id()?)?;
        bridge.halt();
        database.kill()?;
        bridge.stop()?;
        let stored = feed.readings_stored();
        let began = Instant::now();
        database.start_again()?;
        let took = began.elapsed().as_secs_f64();
        killed = Some((took, stored.saturating_sub(database.count()?)));
    } else {
        bridge.stop()?;
    }
    feed.abandon();
    Ok(Peer { rate, memory_mb, killed })
}

/// The peers on the same feed, and what comes of it for the table.
pub(crate) fn peers(arguments: &Arguments, own: &Rate, table: &mut Table) -> Result<()> {
    let ours = own.readings_a_second;
    println!("from MQTT to durable, the bridge into nothing");
    let null = peer(arguments, None)?;
    table.note(format!("the bridge's own ceiling, into nothing: {}", null.rate));
    let (restart, lost) = killed(arguments)?;
    for kind in Kind::ALL {
        let name = kind.name();
        println!("from MQTT to durable, {name}");
        let peer = peer(arguments, Some(kind))?;
        let theirs = peer.rate.readings_a_second;
        table.note(format!(
            "Mosquitto + bridge + {name}: {}; at most {:.0} MB without the bridge",
            peer.rate, peer.memory_mb
        ));
        table.row(
            format!("MQTT to durable, against {name}"),
            (ours, theirs),
            "readings/s",
            Better::Higher,
        );
        let costs = (own.cost_of_a_reading_us(), peer.rate.cost_of_a_reading_us());
        table.row(
            format!("processor time a reading, against all of {name}'s"),
            costs,
            "µs",
            Better::Lower,
        );
        if kind == Kind::Influx {
            let name = format!("MQTT to durable, against {INFLUX_TIMES} times {name}");
            table.row(name, (ours, INFLUX_TIMES * theirs), "readings/s", Better::Higher);
        }
        if let Some((their_restart, their_lost)) = peer.killed {
            let ours = (lost as f64, their_lost as f64);
            table.row(
                format!("acknowledged, then lost by kill -9, against {name}"),
                ours,
                "readings",
                Better::Lower,
            );
            let ours = (restart, their_restart);
            table.row(format!("from kill -9 to service, against {name}"), ours, "s", Better::Lower);
        }
    }
    Ok(())
}
