//! `miaopu demo`: everything on one machine, with a simulated nursery whose nodes run the real node
//! firmware over real MQTT.

mod stock;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use host::{
    board::{Counters, HistoryPlan},
    clock::Clock as BoardClock,
    fault::{FaultPlan, Kind},
    fleet::{self, DemoOptions},
    link,
    nursery::{Demo, HousePlan},
};
use indicatif::{ProgressBar, ProgressStyle};
use measure::{NodeKey, Slug, Timestamp};
use nursery::{
    Day, Growing, INTERVAL_MS_DEFAULT, Latitude, Longitude, Names, NodePlacement, Position, Site,
    TimeZone, Zone, ZoneKind,
};
use people::Actor;
use registry::{Plan, Registry};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{
    cli::DemoArgs,
    clock::Clock,
    commands,
    config::{self, Backend, Broker},
    failure::{Failure, OrFail},
    gateway::{self, Gateway, Settings},
    lan::Https,
    listen::Listen,
    serve,
};

/// How often a node of the demonstration samples.
const INTERVAL: Duration = Duration::from_secs(60);
/// The week that is brought in at the first start.
const HISTORY: HistoryPlan = HistoryPlan {
    length: Duration::from_secs(7 * 24 * 3_600),
    interval: Duration::from_secs(2 * 60),
};
/// How long before the start the crops were put into their houses.
const PLANTED_MS_BEFORE: i64 = 8 * 24 * 3_600 * 1_000;
/// When the mist valve fails, and how long until it is repaired, on the demonstration's clock.
const MIST_FAILS_AFTER: Duration = Duration::from_secs(5 * 60);
const MIST_IS_REPAIRED_AFTER: Duration = Duration::from_secs(22 * 60);
/// The usual ports of HTTPS where 443 needs rights, and of MQTT over TLS.
const HTTPS_PORT: u16 = 8443;
const MQTTS_PORT: u16 = 8883;
/// Only what a person should see on the terminal of a demonstration.
const LOG: &str = "warn";
/// The folder of the simulated nodes' flash in the data folder.
const FLASH_FOLDER: &str = "nodes";

/// Runs until the process is told to stop.
pub(crate) fn run(arguments: &DemoArgs) -> Result<(), Failure> {
    serve::start_log(&serve::filter_or(LOG), serve::format_or_text()?)?;
    let messages = match &arguments.config {
        None => config::Messages::default(),
        Some(path) => config::load_for_demo(path).map_err(|faults| {
            Failure::Configuration(commands::told(&path.display().to_string(), &faults))
        })?,
    };
    let data = gateway::open(&arguments.data, &Backend::Embedded)?;
    let start = gateway::start_time(data.store.as_ref(), Clock::system().now())?;
    let is_first = data.store.latest().or_unavailable("cannot read the store")?.is_empty();
    let clock = Clock::counted(start, arguments.speed);
    let demo = host::nursery::demo();
    let secrets =
        if arguments.empty { BTreeMap::new() } else { settle(&data.registry, &demo, clock.now())? };
    gateway::introduce(&data.registry)?;
    let settings = Settings {
        data: arguments.data.clone(),
        http: Listen::at(arguments.http),
        https: Https {
            listen: tls_door(arguments, arguments.https, HTTPS_PORT),
            names: Vec::new(),
            pages: None,
        },
        broker: Broker::Embedded {
            listen: Listen::at(arguments.mqtt),
            tls: tls_door(arguments, arguments.mqtts, MQTTS_PORT),
        },
        messages,
        thresholds: seeds::thresholds().or_unavailable("the thresholds are broken")?.0,
        keep: store::embedded::Policy::default(),
        demonstration: true,
    };
    serve::runtime()?.block_on(async {
        let gateway = gateway::start(settings, data, clock.clone()).await?;
        if let Some(http) = gateway.doors.http {
            println!("The dashboard is at http://{}/", shown(http));
        }
        println!("ready {}", gateway.doors);
        if !arguments.empty {
            populate(arguments, &demo, &secrets, &clock, is_first, &gateway)?;
        }
        gateway.until_told_to_stop().await
    })
}

/// Where a listener for TLS is: as asked for, or else at its usual port.
fn tls_door(arguments: &DemoArgs, asked: Option<Listen>, port: u16) -> Listen {
    let ip = if arguments.lan { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    asked.unwrap_or(Listen::near((ip, port).into()))
}

/// An address that a browser can open.
fn shown(address: std::net::SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

/// Makes site, houses and nodes, and returns the nodes' new secrets.
fn settle(
    registry: &Registry,
    demo: &Demo,
    now: Timestamp,
) -> Result<BTreeMap<NodeKey, link::Secret>, Failure> {
    let plan = plan(demo).map_err(Failure::Data)?;
    // The crops stood there before the week that is brought in.
    let planted = now.plus_ms(-PLANTED_MS_BEFORE);
    registry
        .apply(&plan, &Actor::Gateway, planted)
        .or_unavailable("cannot make the demonstration nursery")?;
    stock::bring_in(registry, &demo.site, now)
        .or_unavailable("cannot bring in the demonstration's batches")?;
    demo.nodes()
        .map(|(house, node)| {
            let secret = registry
                .add_node(&node.key, &house.zone, &Actor::Gateway, now)
                .or_unavailable("cannot add a demonstration node")?;
            Ok((node.key.clone(), link::Secret::new(secret.reveal())))
        })
        .collect()
}

fn plan(demo: &Demo) -> anyhow::Result<Plan> {
    let site = Site {
        id: demo.site.clone(),
        names: Names::new(demo.name.zh, demo.name.en)?,
        position: Position {
            latitude: Latitude::new(demo.place.latitude_deg)?,
            longitude: Longitude::new(demo.place.longitude_deg)?,
        },
        time_zone: TimeZone::new(demo.time_zone)?,
    };
    let zones = demo.houses.iter().map(|house| zone(demo, house)).collect::<anyhow::Result<_>>()?;
    let placements = demo
        .nodes()
        .map(|(house, node)| NodePlacement { node: node.key.clone(), zone: house.zone.clone() })
        .collect();
    Ok(Plan { sites: vec![site], zones, placements, ..Plan::default() })
}

fn zone(demo: &Demo, house: &HousePlan) -> anyhow::Result<Zone> {
    Ok(Zone {
        id: house.zone.clone(),
        site: demo.site.clone(),
        names: Names::new(house.name.zh, house.name.en)?,
        kind: ZoneKind::House,
        growing: Some(Growing {
            crop: Slug::new(house.stage.crop)?,
            method: Slug::new(house.stage.method)?,
            stage: Slug::new(house.stage.stage)?,
        }),
        day: Day::Sun,
        overrides: Vec::new(),
        expected_interval_ms: INTERVAL_MS_DEFAULT,
    })
}

/// Starts the simulated nodes: first their week, then live.
fn populate(
    arguments: &DemoArgs,
    demo: &Demo,
    secrets: &BTreeMap<NodeKey, link::Secret>,
    clock: &Clock,
    is_first: bool,
    gateway: &Gateway,
) -> Result<(), Failure> {
    let flash_folder = arguments.data.join(FLASH_FOLDER);
    make_folder(&flash_folder)?;
    let options = DemoOptions {
        seed: arguments.seed,
        live_from: clock.now(),
        interval: INTERVAL,
        history: is_first.then_some(HISTORY),
        faults: faults(arguments, demo),
        flash_folder: Some(flash_folder),
    };
    let secret_of =
        |key: &NodeKey| secrets.get(key).cloned().unwrap_or_else(|| link::Secret::new(""));
    let boards = fleet::demo_boards(demo, &options, secret_of).map_err(Failure::usage)?;
    let counters = Arc::new(Counters::default());
    if is_first {
        tokio::spawn(show_history(demo.clone(), Arc::clone(&counters), gateway.stop.clone()));
    }
    let board_clock = BoardClock::new(clock.handle(), clock.speed());
    let own_broker =
        gateway.mqtt.ok_or_else(|| Failure::unavailable("no broker of its own runs"))?;
    let (address, stop) = (own_broker.into(), gateway.stop.clone());
    tokio::spawn(async move {
        if let Err(error) =
            fleet::run_all(boards, address, board_clock, counters, stop.clone()).await
        {
            error!(%error, "A node of the demonstration stopped.");
            stop.cancel();
        }
    });
    Ok(())
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).or_unavailable(format!("cannot make `{}`", folder.display()))
}

/// What fails: what was asked for, or else one mist valve for a while.
fn faults(arguments: &DemoArgs, demo: &Demo) -> Vec<FaultPlan> {
    if arguments.no_faults {
        return Vec::new();
    }
    if !arguments.faults.is_empty() {
        return arguments.faults.clone();
    }
    let mut fault = FaultPlan::new(demo.failing_house(arguments.seed), Kind::MistValve);
    fault.after = MIST_FAILS_AFTER;
    fault.lasts = Some(MIST_IS_REPAIRED_AFTER);
    vec![fault]
}

/// Shows how far the week is.
async fn show_history(demo: Demo, counters: Arc<Counters>, stop: CancellationToken) {
    let rounds = HISTORY.length.as_secs() / HISTORY.interval.as_secs();
    let channels: usize = demo.nodes().map(|(_, node)| node.channels().len()).sum();
    let template = "bringing in a week of history {bar:30} {percent} %";
    let Ok(style) = ProgressStyle::with_template(template) else { return };
    let bar = ProgressBar::new(rounds * channels as u64).with_style(style);
    let nodes = demo.nodes().count() as u64;
    while counters.live.load(Ordering::Relaxed) < nodes && !stop.is_cancelled() {
        bar.set_position(counters.history.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bar.finish_and_clear();
}
