//! A small nursery behind a real listener: real store, real registry, real alarm engine.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use alarms::{ChannelId, Input, Rules, ZoneChannel, evaluate, rules_for};
use api::{Announcer, Clock, Happening, Nursery, Order, OrderError, State};
use measure::{Marks, NodeKey, Quality, Quantity, Reading, Scaled, Sequence, Slug, Timestamp};
use nursery::{NodePlacement, Profile, Site, Zone};
use people::{Actor, Role, UserName};
use registry::{BatchState, Plan, Registry};
use serde_json::{Value, json};
use store::embedded::{Engine, Options};
use store::{Batch, Incoming, Origin, Part, Sample, SeriesId, SeriesKey, Store};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

/// 2026-11-23T06:00:00Z, 14:00 in Nanchuan.
pub(crate) const NOW_MS: i64 = 1_795_413_600_000;
pub(crate) const MINUTE_MS: i64 = 60_000;

/// A running API with everything behind it.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) trust: trust::Trust,
    pub(crate) registry: Arc<Registry>,
    pub(crate) registry_file: std::path::PathBuf,
    pub(crate) store: Arc<Engine>,
    pub(crate) calibrated: Arc<quality::Calibrated>,
    pub(crate) announcer: Announcer,
    pub(crate) stop: CancellationToken,
    rules: Rules,
    now_us: Arc<AtomicI64>,
    served: Option<tokio::task::JoinHandle<()>>,
    runtime: tokio::runtime::Runtime,
    _presence: watch::Sender<Arc<api::Presence>>,
    _troubles: watch::Sender<Vec<api::types::Name>>,
    _dir: tempfile::TempDir,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What a request shows and says.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) cookie: Option<&'a str>,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<&'a str>,
}

pub(crate) fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms).unwrap()
}

pub(crate) fn name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

/// The system's clock, by which clients check dates.
#[expect(clippy::disallowed_methods, reason = "the client of these tests asks the system's clock")]
pub(crate) fn today() -> Timestamp {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    at(i64::try_from(since_1970.as_millis()).unwrap())
}

/// Makes an authority for a machine that is called `shed`.
pub(crate) fn authority(folder: &std::path::Path) -> trust::Trust {
    trust::open(folder, &trust::Names::new("shed", &[], []), None, today()).unwrap()
}

impl World {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry_file = dir.path().join(registry::FILE);
        let registry = Arc::new(Registry::open(&registry_file).unwrap());
        let store = Arc::new(Engine::open(dir.path(), Options::default()).unwrap());
        let (sites, zones, profiles) = plan();
        let placements = ["n1", "n2"]
            .iter()
            .zip(&zones)
            .map(|(node, zone)| NodePlacement { node: node_key(node), zone: zone.id.clone() });
        let plan = Plan {
            sites: sites.clone(),
            zones: zones.clone(),
            placements: placements.collect(),
            ..Plan::default()
        };
        registry.apply(&plan, &Actor::CommandLine, at(NOW_MS - 86_400_000)).unwrap();
        let rules = rules(&*store, &sites, &zones, &profiles);
        let nursery = Nursery {
            nodes: registry.nodes().unwrap(),
            sites,
            zones,
            batches: vec![],
            profiles,
            sources: vec![],
            confirmed: alarms::ConfirmedLimits::default(),
            derivations: std::collections::BTreeMap::new(),
            rules: rules.clone(),
        };
        let now_us = Arc::new(AtomicI64::new(NOW_MS * 1_000));
        let clock = {
            let now_us = Arc::clone(&now_us);
            Clock::new(Arc::new(move || {
                Timestamp::from_micros(now_us.load(Ordering::SeqCst)).unwrap()
            }))
        };
        let (nursery_sender, nursery) = watch::channel(Arc::new(nursery));
        let changed = Arc::new(Notify::new());
        let (presence_sender, presence) = watch::channel(Arc::default());
        let (troubles_sender, troubles) = watch::channel(vec![]);
        let (announcer, happenings) = api::announcements();
        let (desk, orders) = api::alarm_desk();
        let trust = authority(&dir.path().join("tls"));
        let https = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        https.set_nonblocking(true).unwrap();
        let https_address = https.local_addr().unwrap();
        let endpoint = |url: String, tls| api::types::Endpoint { url, tls };
        let reach = api::Reach {
            mqtt: vec![],
            https: vec![
                endpoint(format!("https://{https_address}"), true),
                endpoint("http://127.0.0.1:1".to_owned(), false),
            ],
        };
        let about = trust.about().clone();
        let authority = api::Authority {
            signs_pages: true,
            name: about.name,
            fingerprint_sha256: about.fingerprint_sha256,
            expires: about.expires,
            pem: about.pem,
        };
        let calibrated = quality::Calibrated::new(
            Arc::clone(&store) as Arc<dyn Store>,
            &quality::Calibrations::default(),
        );
        let calibrated = Arc::new(calibrated.unwrap());
        let state = State {
            store: Arc::clone(&calibrated) as Arc<dyn Store>,
            calibrated: Arc::clone(&calibrated),
            recalibrated: Arc::default(),
            registry: Arc::clone(&registry),
            clock: clock.clone(),
            wall: clock,
            nursery,
            changed: Arc::clone(&changed),
            presence,
            troubles,
            desk,
            nodes: Arc::new(Bench::default()),
            office: Arc::new(office()),
            meters: api::Meters::default(),
            speed: 1.0,
            demonstration: false,
            reach: watch::channel(Arc::new(reach)).1,
            authority: Some(authority),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let https = {
            let _inside = runtime.enter();
            (tokio::net::TcpListener::from_std(https).unwrap(), trust.https().unwrap())
        };
        let served = runtime.spawn(api::run(
            api::Listeners { http: Some(listener), https: Some(https) },
            state,
            happenings,
            stop.clone(),
        ));
        runtime.spawn_blocking({
            let (registry, rules) = (Arc::clone(&registry), rules.clone());
            let announcer = announcer.clone();
            let now_us = Arc::clone(&now_us);
            move || alarm_stage(orders, &registry, &rules, &announcer, &now_us)
        });
        runtime.spawn(paint(nursery_sender, Arc::clone(&registry), changed, stop.clone()));
        Self {
            address,
            https: https_address,
            trust,
            registry,
            registry_file,
            store,
            calibrated,
            announcer,
            stop,
            rules,
            now_us,
            served: Some(served),
            runtime,
            _presence: presence_sender,
            _troubles: troubles_sender,
            _dir: dir,
        }
    }

    pub(crate) fn token(&self, role: Role) -> String {
        let secret =
            self.registry.add_token(&name(role.name()), role, &Actor::CommandLine, at(NOW_MS));
        secret.unwrap().reveal().to_owned()
    }

    /// Returns the crop profiles, as the program carries them.
    pub(crate) fn profiles(&self) -> Vec<Profile> {
        plan().2
    }

    pub(crate) fn pass_ms(&self, ms: i64) {
        self.now_us.fetch_add(ms * 1_000, Ordering::SeqCst);
    }

    /// Commits readings of a node's first place and has them judged, one a minute until now.
    pub(crate) fn measure(&self, node: &str, quantity: Quantity, values: &[f64]) -> SeriesId {
        let key = SeriesKey { node: node_key(node), position: slug("canopy"), quantity };
        let series = self.store.series_id(&key).unwrap();
        let first_ms = NOW_MS - (values.len() as i64 - 1) * MINUTE_MS;
        let samples = values.iter().enumerate().map(|(index, value)| {
            let time = at(first_ms + index as i64 * MINUTE_MS);
            let reading: Reading = Ok(Scaled::from_f64(quantity, *value).unwrap());
            let (quality, marks) = (Quality::Good, Marks::NONE);
            let sample = Sample { series, time, reading, quality, marks, taken: None };
            Incoming { sequence: Sequence(0), sample }
        });
        let samples: Vec<_> = samples.collect();
        self.judge(&samples);
        let parts = vec![Part::Readings { origin: Origin::Guest, samples: samples.clone() }];
        self.store.commit(&Batch { parts }).unwrap();
        let samples = samples.iter().map(|incoming| incoming.sample).collect();
        self.announcer.tell(Happening::Samples(samples));
        series
    }

    fn judge(&self, samples: &[Incoming]) {
        let engine = self.registry.alarm_engine().unwrap();
        let (mut state, position) = engine.unwrap_or_default();
        let mut transitions = Vec::new();
        for Incoming { sample, .. } in samples {
            let sample = alarms::Sample {
                channel: ChannelId(sample.series.0),
                time: sample.time,
                reading: sample.reading,
                quality: sample.quality,
                marks: sample.marks,
                seen: sample.time,
            };
            transitions.extend(evaluate(&self.rules, &mut state, &Input::Sample(sample)));
        }
        self.registry.commit_alarms(&transitions, &mut state, position + 1).unwrap();
        for transition in transitions {
            self.announcer.tell(Happening::Alarm(transition.episode.id));
        }
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Answer {
        self.ask("GET", path, Ask { token: Some(token), ..Ask::default() })
    }

    pub(crate) fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        let body = body.to_string();
        self.ask("POST", path, Ask { token: Some(token), body: Some(&body), ..Ask::default() })
    }

    pub(crate) fn ask(&self, method: &str, path: &str, ask: Ask<'_>) -> Answer {
        let response = self.begin(method, path, ask);
        let (parts, mut body) = response.into_parts();
        let body = body.read_to_string().unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Sends a request and returns as soon as its head is answered.
    pub(crate) fn begin(
        &self,
        method: &str,
        path: &str,
        ask: Ask<'_>,
    ) -> ureq::http::Response<ureq::Body> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .allow_non_standard_methods(true)
            .build()
            .new_agent();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        if let Some(token) = ask.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(cookie) = ask.cookie {
            request = request.header("cookie", format!("{}={cookie}", api::COOKIE_NAME));
        }
        if ask.body.is_some() && !ask.headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        match ask.body {
            Some(body) => agent.run(request.body(body.to_owned()).unwrap()),
            None => agent.run(request.body(()).unwrap()),
        }
        .unwrap()
    }

    /// Opens the event stream and returns its events as they come.
    pub(crate) fn events(&self, token: &str) -> impl Iterator<Item = Value> + use<> {
        let ask = Ask { token: Some(token), ..Ask::default() };
        let body = self.begin("GET", "/api/v1/events", ask).into_body();
        let lines = BufReader::new(body.into_reader()).lines();
        lines.map_while(Result::ok).filter_map(|line| {
            let json = line.strip_prefix("data: ").or_else(|| line.strip_prefix("data:"))?;
            Some(serde_json::from_str(json).unwrap())
        })
    }

    /// Stops the API and waits until it has ended.
    pub(crate) fn end(&mut self) {
        self.stop.cancel();
        if let Some(served) = self.served.take() {
            self.runtime.block_on(served).unwrap();
        }
    }
}

/// What the daemon's painter does when the nursery was changed; rules stay as they are.
async fn paint(
    nursery: watch::Sender<Arc<Nursery>>,
    registry: Arc<Registry>,
    changed: Arc<Notify>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(changed.notified()).await.is_some() {
        let picture = Nursery {
            sites: registry.sites().unwrap(),
            zones: registry.zones().unwrap(),
            batches: registry.batches(BatchState::Open).unwrap(),
            nodes: registry.nodes().unwrap(),
            confirmed: registry.confirmed_limits().unwrap(),
            ..Nursery::clone(&nursery.borrow())
        };
        nursery.send_replace(Arc::new(picture));
    }
    nursery.closed().await;
}

/// What the daemon's alarm stage does with people's answers.
fn alarm_stage(
    mut orders: mpsc::Receiver<Order>,
    registry: &Registry,
    rules: &Rules,
    announcer: &Announcer,
    now_us: &AtomicI64,
) {
    while let Some(Order { action, alarm, by, comment, answer }) = orders.blocking_recv() {
        let (mut state, position) = registry.alarm_engine().unwrap().unwrap_or_default();
        let at = Timestamp::from_micros(now_us.load(Ordering::SeqCst)).unwrap();
        let input = Input::Operator { action, alarm, by, comment, at };
        let transitions = evaluate(rules, &mut state, &input);
        let open = !transitions.is_empty() || state.alarm(alarm).is_some();
        registry.commit_alarms(&transitions, &mut state, position).unwrap();
        announcer.tell(Happening::Alarm(alarm));
        answer.send(if open { Ok(()) } else { Err(OrderError::NotOpen) }).unwrap();
    }
}

/// The webhook is configured and leads to a program that takes everything.
fn office() -> notify::Office {
    let hook = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", hook.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in hook.incoming().map_while(Result::ok) {
            let mut head = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while head.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    let key = notify::SigningKey::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let settings = notify::WebhookSettings { url, key, ca_pem: None };
    let webhook = notify::Webhook::new(&settings).unwrap();
    let public_url = "https://miaopu.example:8443".to_owned();
    notify::Office { email: None, webhook: Some(webhook), public_url }
}

pub(crate) fn node_key(node: &str) -> NodeKey {
    NodeKey { site: slug("nanchuan"), node: slug(node) }
}

fn plan() -> (Vec<Site>, Vec<Zone>, Vec<Profile>) {
    let site = json!({
        "id": "nanchuan", "names": { "zh": "南川苗圃", "en": "Nanchuan nursery" },
        "position": { "latitude": 29.16, "longitude": 107.1 }, "time_zone": "Asia/Shanghai",
    });
    let zone = |id: &str, zh: &str, en: &str| {
        json!({
            "id": id, "site": "nanchuan", "names": { "zh": zh, "en": en }, "kind": "house",
            "growing": { "crop": "rice", "method": "tray", "stage": "nursery" },
            "day": { "by": "sun" },
        })
    };
    let profile = json!({
        "crop": "rice", "names": { "zh": "水稻", "en": "rice" },
        "methods": [{
            "id": "tray", "names": { "zh": "盘育", "en": "trays" },
            "stages": [{
                "id": "nursery", "order": 0, "names": { "zh": "育苗", "en": "nursery" },
                "bands": [
                    { "quantity": "air_temperature", "period": "day",
                      "target": { "lo": 22.0, "hi": 28.0 }, "alarm": { "lo": 10.0, "hi": 35.0 },
                      "target_class": "A", "alarm_class": "B", "sources": ["RI01"] },
                    { "quantity": "air_temperature", "period": "night",
                      "target": { "lo": 16.0, "hi": 22.0 }, "alarm": { "lo": 8.0, "hi": 35.0 },
                      "target_class": "A", "alarm_class": "B", "sources": ["RI01"] },
                    { "quantity": "relative_humidity",
                      "target": { "lo": 70.0, "hi": 90.0 }, "alarm": { "lo": 40.0, "hi": 98.0 },
                      "target_class": "C", "alarm_class": "C", "sources": ["RI02"] },
                ],
            }, {
                "id": "hardening", "order": 1, "names": { "zh": "炼苗", "en": "hardening" },
                "duration": { "target_h": { "lo": 72.0, "hi": 120.0 }, "target_class": "G" },
                "bands": [
                    { "quantity": "air_temperature",
                      "target": { "lo": 12.0, "hi": 20.0 }, "target_class": "G" },
                ],
            }],
        }],
    });
    let read = |value: Value| serde_json::from_value(value).unwrap();
    let zones = vec![
        serde_json::from_value(zone("house-1", "一号棚", "House 1")).unwrap(),
        serde_json::from_value(zone("house-2", "二号棚", "House 2")).unwrap(),
    ];
    (vec![serde_json::from_value(site).unwrap()], zones, vec![read(profile)])
}

/// Makes the rules, and with them the channels' numbers.
fn rules(store: &dyn Store, sites: &[Site], zones: &[Zone], profiles: &[Profile]) -> Rules {
    let confirmed = alarms::ConfirmedLimits::default();
    let zones = ["n1", "n2"].iter().zip(zones).map(|(node, zone)| {
        let channels = [Quantity::AirTemperature, Quantity::RelativeHumidity].map(|quantity| {
            let key = SeriesKey { node: node_key(node), position: slug("canopy"), quantity };
            let id = ChannelId(store.series_id(&key).unwrap().0);
            ZoneChannel {
                id,
                quantity,
                expected_interval_ms: None,
                asleep_ms: 0,
                is_derived: false,
            }
        });
        let growing = zone.growing.as_ref().unwrap();
        let stage = profiles[0].stage(&growing.method, &growing.stage);
        rules_for(&sites[0], zone, stage, &channels, &confirmed)
    });
    Rules::new(zones.collect()).unwrap()
}

/// Nodes that take any settings of a second and longer, and any command.
#[derive(Default)]
struct Bench {
    told: std::sync::Mutex<Vec<api::types::NodeCommandStanding>>,
}

impl api::NodeDesk for Bench {
    fn check(
        &self,
        _: &NodeKey,
        settings: &api::types::NodeSettings,
    ) -> Result<(), api::SettingsFault> {
        if settings.interval_ms >= 1_000 {
            return Ok(());
        }
        let words = api::types::Name { zh: "太短".to_owned(), en: "too short".to_owned() };
        Err(api::SettingsFault { field: "interval_ms".to_owned(), words })
    }

    fn standing(&self, _: &NodeKey) -> Result<api::types::NodeStanding, registry::Error> {
        Ok(api::types::NodeStanding {
            settings: None,
            set_ms: None,
            by: None,
            why: None,
            state: api::types::NodeSettingsState::None,
            revision: 0,
            in_force: None,
            detail: None,
            fault: None,
            channels: Vec::new(),
            limits: Vec::new(),
            limits_left: 0,
            commands: self.told.lock().unwrap().clone(),
        })
    }

    fn command(
        &self,
        _: &NodeKey,
        command: api::types::NodeCommand,
        by: &str,
    ) -> Result<(), api::NodeBusy> {
        let outcome = api::types::NodeOutcome::Waiting;
        let (by, asked_ms, detail) = (by.to_owned(), 0, None);
        let told = api::types::NodeCommandStanding { command, asked_ms, by, outcome, detail };
        self.told.lock().unwrap().push(told);
        Ok(())
    }
}
