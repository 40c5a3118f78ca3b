//! The running gateway: broker, ingest, store, alarm stage and API, joined by bounded channels.
//!
//! Started from the disk outwards and stopped the other way round.

use std::{
    net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use api::{NodePresence, Presence, types::Name};
use ingest::{Health, Link, Outlets, Ports, Storage};
use measure::Timestamp;
use quality::{Calibrated, Calibrations};
use registry::Registry;
use store::{Store, embedded};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use crate::{
    clock::Clock,
    commander::Commander,
    commands::open_registry,
    config::{Backend, Broker as BrokerConfig, Messages, Outside},
    credentials::Secret,
    failure::{Failure, OrFail},
    firmware,
    inspect::Inspector,
    judge::{self, Judge},
    lan::{self, Https, Lan},
    listen::{Doors, Listen},
    messages::{self, Post},
    metrics::Gauges,
    nodes::{self, Bench},
    notice::Crier,
    picture::Painter,
    ports::{Desk, Ear, GATEWAY_USER, Gate},
    readers::Readers,
    refine::{self, Refiner},
    reserve::{self, Reserve},
    retention,
    series::{self, Series},
    serve,
    watched::Watched,
};

/// How long the start waits for the session with the broker before it says `ready` without it.
const LINK_PATIENCE: Duration = Duration::from_secs(10);

/// How a gateway is started.
pub(crate) struct Settings {
    /// Folder of the data.
    pub(crate) data: PathBuf,
    pub(crate) http: Listen,
    pub(crate) https: Https,
    pub(crate) broker: BrokerConfig,
    pub(crate) messages: Messages,
    /// What readings are held against.
    pub(crate) thresholds: quality::Table,
    pub(crate) keep: embedded::Policy,
    pub(crate) demonstration: bool,
}

/// What is open before anything runs: the data of the gateway.
pub(crate) struct Data {
    pub(crate) store: Arc<dyn Store>,
    /// The same, by its kind: what only one of them can do.
    pub(crate) series: Series,
    pub(crate) registry: Arc<Registry>,
    pub(crate) reserve: Arc<Reserve>,
}

/// A running gateway.
pub(crate) struct Gateway {
    /// Where it listens.
    pub(crate) doors: Doors,
    /// Where this machine itself reaches the gateway's own broker without TLS.
    pub(crate) mqtt: Option<SocketAddr>,
    /// Ends everything.
    pub(crate) stop: CancellationToken,
    tasks: TaskTracker,
    /// Lives as long as the gateway; stops when it is dropped.
    _broker: Option<broker::Broker>,
}

/// Opens store and registry; one gateway at a time has them.
pub(crate) fn open(data: &std::path::Path, backend: &Backend) -> Result<Data, Failure> {
    std::fs::create_dir_all(data)
        .or_unavailable(format!("cannot make the data folder `{}`", data.display()))?;
    // First of all: on a full disk nothing else could be opened.
    let reserve = Reserve::prepare(data);
    let registry = Arc::new(open_registry(data)?);
    let series = series::open(data, backend)?;
    let full = Arc::clone(&reserve);
    registry.on_full(Arc::new(move || full.give_up()));
    Ok(Data { store: series.store(), series, registry, reserve })
}

/// Prints the password of the first start, once.
pub(crate) fn introduce(registry: &Registry) -> Result<(), Failure> {
    let now = Clock::system().now();
    let first = registry.first_admin(now).or_unavailable("cannot make the first account")?;
    if let Some(password) = first {
        println!("user: admin   one-time password: {}", password.reveal());
        println!("It is shown once: only its hash is kept. Change it after signing in.");
    }
    Ok(())
}

/// Starts everything and returns when nodes and people can connect.
pub(crate) async fn start(
    settings: Settings,
    data: Data,
    clock: Clock,
) -> Result<Gateway, Failure> {
    let Data { store: raw, series, registry, reserve } = data;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let outlets = Arc::new(Outlets::default());
    let (announcer, happenings) = api::announcements();
    let (desk, orders) = api::alarm_desk();
    let changed = Arc::new(Notify::new());

    let http = settings.http.bind("http", "http.listen or --http")?;
    let mut lan = Lan::open(&settings.data, &settings.https, settings.broker.tls())?;
    let (https, mqtts) = lan.addresses();

    let watched = Arc::new(Watched::new(Arc::clone(&raw), Arc::clone(&reserve)));
    let calibrated = calibrated(&registry, Arc::clone(&watched) as Arc<dyn Store>)?;
    let store = Arc::clone(&calibrated) as Arc<dyn Store>;
    let (readers, recalibrated) = (Arc::new(Readers::default()), Arc::new(Notify::new()));
    let painter = Painter::new(Arc::clone(&store), Arc::clone(&registry), Arc::clone(&outlets));
    let painter = painter.or_unavailable("cannot read the nursery")?;
    let judge = {
        let (store, registry, clock) = (Arc::clone(&store), Arc::clone(&registry), clock.clone());
        Judge::take_up(store, registry, painter, announcer, clock, Arc::clone(&readers))
            .or_unavailable("cannot take up the alarms")?
    };

    let inspector = {
        let (store, registry) = (Arc::clone(&calibrated), Arc::clone(&registry));
        let outlets = Arc::clone(&outlets);
        Inspector::take_up(store, registry, outlets, judge.nursery(), settings.thresholds)
            .or_unavailable("cannot take up the judgement of readings")?
    };
    let inspector = Arc::new(inspector);

    let (broker, mqtt, ingest_config) = {
        let ear = Ear(outlets.inlet.clone());
        broker(&settings.broker, lan.take_mqtts()?, &registry, ear)?
    };
    let doors = Doors {
        http: http.as_ref().and_then(|listener| listener.local_addr().ok()),
        mqtt: mqtt.filter(|_| settings.broker.is_open()),
        https,
        mqtts,
    };
    // An outside broker is no door of ours, and is warned of where it is looked up.
    Doors { mqtt: doors.mqtt.filter(|_| broker.is_some()), ..doors }.warn_of_plain();

    let reach = lan.follow(&tasks, doors, stop.clone());
    let found = reach.borrow().https.first().map(|endpoint| endpoint.url.clone());
    let office = Arc::new(messages::office(&settings.messages, found)?);
    let post = Post::new(
        (Arc::clone(&store), Arc::clone(&registry)),
        judge.nursery(),
        Arc::clone(&office),
        &clock,
        judge.committed(),
    );
    let troubles = {
        let unshipped = series::troubles(&tasks, &series, stop.clone());
        let (unwell, unsent) = ((judge.failing(), reserve.short()), (post.troubles(), unshipped));
        troubles(&tasks, &outlets, unwell, unsent, stop.clone())
    };
    let crier = Crier {
        registry: Arc::clone(&registry),
        office: Arc::clone(&office),
        wall: Clock::system().handle(),
    };
    tasks.spawn(crier.run(reserve.short(), stop.clone()));
    let gauges = Gauges {
        store: Arc::clone(&store),
        registry: Arc::clone(&registry),
        outlets: Arc::clone(&outlets),
        refusals: broker.as_ref().map(broker::Broker::refusals),
        commits: watched.durations(),
        reserve: Arc::clone(&reserve),
        troubles: troubles.clone(),
        started: Clock::system().now(),
    };
    let commander = Commander::new(outlets.downlink.clone(), random_id()?);
    tasks.spawn(commander.clone().run(Arc::clone(&outlets), stop.clone()));
    let firmware = firmware::Server::new(
        Arc::clone(&registry),
        outlets.downlink.clone(),
        commander.clone(),
        clock.clone(),
    );
    tasks.spawn(firmware.run(Arc::clone(&outlets), stop.clone()));
    let bench = Arc::new(Bench {
        store: Arc::clone(&store),
        registry: Arc::clone(&registry),
        outlets: Arc::clone(&outlets),
        nursery: judge.nursery(),
        commander,
        clock: clock.handle(),
        told: Mutex::default(),
    });
    tasks.spawn(nodes::run(Arc::clone(&bench), stop.clone()));
    let refiner = Refiner {
        store: Arc::clone(&calibrated),
        registry: Arc::clone(&registry),
        outlets: Arc::clone(&outlets),
        nursery: judge.nursery(),
        rules: inspector.rules(),
        readers,
        clock: clock.clone(),
    };
    let state = api::State {
        store: Arc::clone(&store),
        calibrated,
        recalibrated: Arc::clone(&recalibrated),
        registry: Arc::clone(&registry),
        clock: api::Clock::new(clock.handle()),
        wall: api::Clock::new(Clock::system().handle()),
        nursery: judge.nursery(),
        changed: Arc::clone(&changed),
        presence: presence(&tasks, &outlets, stop.clone()),
        troubles,
        desk,
        nodes: bench,
        meters: api::Meters::new(vec![Box::new(gauges)]),
        speed: clock.speed(),
        demonstration: settings.demonstration,
        office,
        reach,
        authority: lan.authority(),
    };
    let desk = Arc::new(Desk { registry, reserve: Arc::clone(&reserve), clock: clock.handle() });
    let ports = Ports {
        store: watched,
        directory: Arc::clone(&desk) as Arc<dyn ingest::Directory>,
        dead_letters: Arc::clone(&desk) as Arc<dyn ingest::DeadLetters>,
        episodes: desk,
        assess: inspector,
        clock: clock.handle(),
    };
    tasks.spawn(reserve::watch_over(reserve, stop.clone()));
    if let Series::Embedded(engine) = series {
        tasks.spawn(retention::run(engine, settings.keep, clock.clone(), stop.clone()));
    }
    spawn_post(&tasks, post, stop.clone());
    tasks.spawn(judge::run(judge, Arc::clone(&outlets), orders, changed, stop.clone()));
    tasks.spawn(refine::run(refiner, recalibrated, stop.clone()));
    spawn_ingest(&tasks, ingest_config, ports, Arc::clone(&outlets), stop.clone());
    let api_stop = stop.clone();
    lan::announce(&state.reach.borrow(), state.authority.as_ref());
    let listeners = lan.take_listeners(http)?;
    tasks.spawn(api::run(listeners, state, happenings, api_stop));
    await_link(&outlets).await;
    let mqtt = broker.as_ref().map(broker::Broker::address);
    Ok(Gateway { doors, mqtt, stop, tasks, _broker: broker })
}

impl Gateway {
    /// Waits until somebody asks the process to end, and ends in order.
    pub(crate) async fn until_told_to_stop(self) -> Result<(), Failure> {
        tokio::select! {
            asked = serve::told_to_stop() => asked?,
            () = self.stop.cancelled() => {
                self.end().await;
                return Err(Failure::unavailable("a part of the gateway failed; see the log above"));
            }
        }
        self.end().await;
        Ok(())
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Returns the store with the calibrations that the registry has.
fn calibrated(registry: &Registry, store: Arc<dyn Store>) -> Result<Arc<Calibrated>, Failure> {
    let versions = registry.calibrations().or_unavailable("cannot read the calibrations")?;
    let calibrated = Calibrated::new(store, &Calibrations::of(&versions));
    Ok(Arc::new(calibrated.or_unavailable("cannot read the store")?))
}

/// Draws the id of the first command.
fn random_id() -> Result<u32, Failure> {
    getrandom::u32().or_unavailable("cannot draw a random number")
}

/// Starts the embedded broker, or says how the outside one is reached.
fn broker(
    config: &BrokerConfig,
    tls: Option<broker::Tls>,
    registry: &Arc<Registry>,
    ear: Ear,
) -> Result<(Option<broker::Broker>, Option<SocketAddr>, ingest::Config), Failure> {
    let account = |username: &str, password: &str| ingest::Account {
        username: username.to_owned(),
        password: ingest::Secret::new(password),
    };
    match config {
        BrokerConfig::Embedded { listen, .. } => {
            let password = registry::Secret::drawn().or_unavailable("cannot draw a password")?;
            let own = account(GATEWAY_USER, password.reveal());
            let own_password = Secret::from(password.reveal().to_owned());
            let gate = Arc::new(Gate { registry: Arc::clone(registry), own_password });
            // Switched off, it is still there for the gateway itself and for what comes over TLS.
            let inside = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listen = listen.address.unwrap_or(inside);
            let what =
                format!("cannot start the broker on {listen}; is it taken? choose another address");
            let config = broker::Config { listen, tls, listener: Some(Arc::new(ear)) };
            let broker = broker::start(config, gate).or_unavailable(what)?;
            let at = broker.address();
            let host =
                if at.ip().is_unspecified() { "127.0.0.1".to_owned() } else { at.ip().to_string() };
            let own = ingest::Config::new(host, at.port(), Some(own));
            Ok((Some(broker), Some(at), ingest::Config { handed_over: true, ..own }))
        }
        BrokerConfig::Outside(outside) => {
            let password = match &outside.password_file {
                None => String::new(),
                Some(file) => {
                    let what = format!("cannot read `{}`", file.display());
                    let text = std::fs::read_to_string(file).or_unavailable(what)?;
                    text.lines().next().unwrap_or_default().to_owned()
                }
            };
            let account = outside.username.as_deref().map(|user| account(user, &password));
            let tls = outside.tls.as_ref().map(ingest::Tls::load).transpose();
            let tls = tls.or_unavailable("cannot speak TLS with the broker of `mqtt.broker`")?;
            let config = ingest::Config {
                client_id: outside.client_id.clone(),
                protocol: outside.protocol,
                tls,
                ..ingest::Config::new(&outside.host, outside.port, account)
            };
            Ok((None, outside_address(outside), config))
        }
    }
}

/// Returns where an outside broker is, for the ready line and the page of addresses: `None` where its
/// name is not known now. The session looks it up itself, at every connection.
fn outside_address(outside: &Outside) -> Option<SocketAddr> {
    let at = format!("{}:{}", outside.host, outside.port);
    let found = at.to_socket_addrs().ok().and_then(|mut found| found.next());
    if found.is_none() {
        warn!(broker = %at, "The broker's name is not known here now; it is looked up again.");
    }
    if outside.tls.is_none() && found.is_none_or(|at| !at.ip().is_loopback()) {
        warn!(
            broker = %at,
            "`mqtt.broker` is spoken to without TLS: whoever listens on the way reads the password. \
             Set `mqtt.security = \"tls\"`."
        );
    }
    found
}

fn spawn_ingest(
    tasks: &TaskTracker,
    config: ingest::Config,
    ports: Ports,
    outlets: Arc<Outlets>,
    stop: CancellationToken,
) {
    tasks.spawn(async move {
        if let Err(error) = ingest::run(config, ports, outlets, stop.clone()).await {
            error!(%error, "Ingest ended; the gateway ends so that it starts anew.");
            stop.cancel();
        }
    });
}

fn spawn_post(tasks: &TaskTracker, post: Post, stop: CancellationToken) {
    tasks.spawn(async move {
        if let Err(error) = tokio::spawn(post.run(stop.clone())).await {
            error!(%error, "The message stage panicked; the gateway ends so that it starts anew.");
            stop.cancel();
        }
    });
}

async fn await_link(outlets: &Outlets) {
    let mut health = outlets.health.subscribe();
    let up = health.wait_for(|health| health.link == Link::Up);
    match tokio::time::timeout(LINK_PATIENCE, up).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => {
            warn!("The broker is not reached yet; it is tried again for as long as it takes.");
        }
    }
}

/// Keeps what the API knows of the nodes' sessions up to date.
fn presence(
    tasks: &TaskTracker,
    outlets: &Outlets,
    stop: CancellationToken,
) -> watch::Receiver<Arc<Presence>> {
    let mut nodes = outlets.nodes.subscribe();
    let (tell, told) = watch::channel(Arc::default());
    tasks.spawn(async move {
        loop {
            let presence: Presence = nodes
                .borrow_and_update()
                .iter()
                .map(|(key, state)| (key.clone(), node_presence(state)))
                .collect();
            tell.send_replace(Arc::new(presence));
            tokio::select! {
                () = stop.cancelled() => return,
                changed = nodes.changed() => if changed.is_err() { return },
            }
        }
    });
    told
}

fn node_presence(state: &ingest::NodeState) -> NodePresence {
    NodePresence {
        online: match state.presence {
            ingest::Presence::Unknown => None,
            ingest::Presence::Online => Some(true),
            ingest::Presence::Offline => Some(false),
        },
        firmware: Some(state.birth.firmware.as_str().to_owned()),
        birth: state.born,
        interval_ms: Some(state.birth.interval_ms),
        waiting: Some(state.birth.ring_used),
        next_due: state.born.zip(state.birth.next_due_ms).map(|(at, ms)| at.plus_ms(ms.into())),
        release: Some(state.birth.release),
        target: state.birth.target.clone(),
        settings: Some(state.birth.settings),
    }
}

/// Puts what does not work into a person's words.
fn troubles(
    tasks: &TaskTracker,
    outlets: &Outlets,
    (mut failing, mut short): (watch::Receiver<bool>, watch::Receiver<bool>),
    (mut unsent, mut unshipped): (watch::Receiver<Vec<Name>>, watch::Receiver<Vec<Name>>),
    stop: CancellationToken,
) -> watch::Receiver<Vec<Name>> {
    let mut health = outlets.health.subscribe();
    let (tell, told) = watch::channel(Vec::new());
    tasks.spawn(async move {
        loop {
            let is_short = *short.borrow_and_update();
            let health_now = health.borrow_and_update().clone();
            let now = named(&health_now, *failing.borrow_and_update(), is_short);
            let now = now.into_iter().chain(unsent.borrow_and_update().clone());
            let now = now.chain(unshipped.borrow_and_update().clone()).collect();
            tell.send_replace(now);
            tokio::select! {
                () = stop.cancelled() => return,
                changed = unsent.changed() => if changed.is_err() { return },
                changed = unshipped.changed() => if changed.is_err() { return },
                changed = health.changed() => if changed.is_err() { return },
                changed = failing.changed() => if changed.is_err() { return },
                changed = short.changed() => if changed.is_err() { return },
            }
        }
    });
    told
}

fn named(health: &Health, judging_fails: bool, is_short: bool) -> Vec<Name> {
    let name = |zh: String, en: String| Name { zh, en };
    let mut troubles = Vec::new();
    if let Link::Down { reason } = &health.link {
        troubles.push(name(
            format!("与 MQTT 代理的连接中断，读数暂存于节点：{reason}"),
            format!("The MQTT broker can't be reached; nodes keep their readings: {reason}"),
        ));
    }
    if is_short {
        let mib = reserve::FREE_BYTES_NEEDED >> 20;
        troubles.push(name(
            format!(
                "网关磁盘已满：新读数暂存于节点，报警与处理记录仍会保存；请清理磁盘，至少留出 {mib} MiB"
            ),
            format!(
                "The gateway's disk is full: new readings stay in the nodes, alarms and answers are \
                 still kept. Make room on the disk: {mib} MiB at least."
            ),
        ));
    } else if let Storage::Failing { reason, .. } = &health.storage {
        troubles.push(name(
            format!("读数无法写入磁盘，暂存于节点；请检查磁盘空间：{reason}"),
            format!("Readings can't be written; nodes keep them. Check the disk: {reason}"),
        ));
    }
    if judging_fails {
        troubles.push(name(
            "报警无法写入磁盘；请检查磁盘空间".to_owned(),
            "Alarms can't be written. Check the disk.".to_owned(),
        ));
    }
    troubles
}

/// Returns the time from which a counted clock may run: never before what is stored.
pub(crate) fn start_time(store: &dyn Store, now: Timestamp) -> Result<Timestamp, Failure> {
    let latest = store.latest().or_unavailable("cannot read the store")?;
    let newest = latest.iter().map(|sample| sample.time).max();
    Ok(newest.map_or(now, |newest| now.max(newest.plus_ms(1_000))))
}
