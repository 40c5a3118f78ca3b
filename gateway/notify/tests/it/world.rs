//! A nursery of one house whose alarms are raised by real readings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use alarms::{
    Action, AlarmId, ChannelId, ConfirmedLimit, Input, Kind, Rules, Sample, State, Transition,
    ZoneChannel, evaluate, rules_for,
};
use measure::{Marks, Quality, Quantity, Scaled, Slug, Timestamp};
use notify::{Clocks, Courier, Email, EmailSettings, Office, Place, Secret, Security, Webhook};
use nursery::{Growing, Side, Site, Stage, Zone};
use people::{Actor, Contact, EmailAddress, Language, Role, UserName};
use registry::{Plan, Registry};
use serde_json::json;

use crate::smtp::Smtp;

pub(crate) const PASSWORD: &str = "first leaf of spring";
pub(crate) const ALARM: AlarmId = AlarmId(1);

pub(crate) struct World {
    pub(crate) registry: Arc<Registry>,
    pub(crate) file: PathBuf,
    class: &'static str,
    state: State,
    minute: i64,
    pub(crate) wall_ms: Arc<AtomicI64>,
    _dir: tempfile::TempDir,
}

pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_795_413_600_000 + minute * 60_000).unwrap()
}

pub(crate) fn name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

fn slug(text: &str) -> Slug {
    Slug::new(text).unwrap()
}

fn site() -> Site {
    let site = json!({
        "id": "nanchuan", "names": { "zh": "南川苗圃", "en": "Nanchuan nursery" },
        "position": { "latitude": 29.16, "longitude": 107.1 }, "time_zone": "Asia/Shanghai",
    });
    serde_json::from_value(site).unwrap()
}

fn zone() -> Zone {
    let zone = json!({
        "id": "house-1", "site": "nanchuan", "names": { "zh": "一号棚", "en": "House 1" },
        "kind": "house", "growing": { "crop": "rice", "method": "tray", "stage": "nursery" },
    });
    serde_json::from_value(zone).unwrap()
}

fn place(_: ChannelId) -> Option<Place> {
    let zone = zone();
    Some(Place {
        site: site(),
        zone: Some((zone.id.to_string(), zone.names)),
        node: "n1".into(),
        position: "canopy".into(),
    })
}

impl World {
    /// A nursery whose high limit of the air, 35 °C, has a source of this class.
    pub(crate) fn new(class: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(registry::FILE);
        let registry = Registry::open(&file).unwrap();
        let plan = Plan { sites: vec![site()], zones: vec![zone()], ..Plan::default() };
        registry.apply(&plan, &Actor::CommandLine, at(-60)).unwrap();
        Self {
            registry: Arc::new(registry),
            file,
            class,
            state: State::default(),
            minute: 0,
            wall_ms: Arc::new(AtomicI64::new(at(0).millis())),
            _dir: dir,
        }
    }

    pub(crate) fn add(&self, user: &str, language: Language) {
        let (name, by) = (name(user), Actor::CommandLine);
        self.registry.add_user(&name, Role::Technician, PASSWORD, &by, at(0)).unwrap();
        let email = Some(EmailAddress::new(&format!("{user}@example.com")).unwrap());
        let contact = Contact { email, language, wakes: true };
        self.registry.set_contact(&name, &contact, &by, at(0)).unwrap();
    }

    /// Opens the registry anew, as after a kill.
    pub(crate) fn reopen(&mut self) {
        self.registry = Arc::new(Registry::open(&self.file).unwrap());
        self.state = self.registry.alarm_engine().unwrap().unwrap_or_default().0;
    }

    fn rules(&self) -> Rules {
        let stage = json!({
            "id": "nursery", "order": 0, "names": { "zh": "育苗", "en": "nursery" },
            "bands": [{ "quantity": "air_temperature", "target": { "lo": 20.0, "hi": 28.0 },
                        "alarm": { "hi": 35.0 }, "target_class": "A", "alarm_class": self.class }],
        });
        let stage: Stage = serde_json::from_value(stage).unwrap();
        let channel = ZoneChannel {
            id: ChannelId(1),
            quantity: Quantity::AirTemperature,
            expected_interval_ms: None,
            asleep_ms: 0,
            is_derived: false,
        };
        let confirmed = self.registry.confirmed_limits().unwrap();
        let rules = rules_for(&site(), &zone(), Some(&stage), &[channel], &confirmed);
        Rules::new(vec![rules]).unwrap()
    }

    /// Takes readings of so many minutes and returns what happened.
    pub(crate) fn minutes(&mut self, count: i64, degrees: f64) -> Vec<Transition> {
        let rules = self.rules();
        let mut transitions = Vec::new();
        for _ in 0..count {
            self.minute += 1;
            let time = at(self.minute);
            let input = Input::Sample(Sample {
                channel: ChannelId(1),
                time,
                reading: Ok(Scaled::from_f64(Quantity::AirTemperature, degrees).unwrap()),
                quality: Quality::Good,
                marks: Marks::NONE,
                seen: time,
            });
            transitions.extend(evaluate(&rules, &mut self.state, &input));
        }
        self.registry.commit_alarms(&transitions, &mut self.state, 1).unwrap();
        transitions
    }

    pub(crate) fn act(&mut self, action: Action) {
        let input = Input::Operator {
            action,
            alarm: ALARM,
            by: "user:li".into(),
            comment: "the probe is being moved".into(),
            at: at(self.minute),
        };
        let rules = self.rules();
        let transitions = evaluate(&rules, &mut self.state, &input);
        self.registry.commit_alarms(&transitions, &mut self.state, 1).unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(self.minute)
    }

    /// Gets too hot until the alarm is raised.
    pub(crate) fn raise(&mut self) {
        let kinds: Vec<_> = self.minutes(12, 38.2).iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [Kind::Raised]);
    }

    pub(crate) fn confirm(&self) {
        let limit = ConfirmedLimit {
            site: slug("nanchuan"),
            growing: Growing { crop: slug("rice"), method: slug("tray"), stage: slug("nursery") },
            quantity: Quantity::AirTemperature,
            side: Side::High,
            limit: Scaled(35_000),
            by: String::new(),
        };
        let by = Actor::User(name("li"));
        self.registry.confirm_limit(&limit, "our house, our plants", &by, self.now()).unwrap();
    }

    pub(crate) fn pass_ms(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn courier(&self, office: Office) -> Courier {
        let wall = Arc::clone(&self.wall_ms);
        let now = self.now();
        let clocks = Clocks {
            now: Arc::new(move || now),
            wall: Arc::new(move || Timestamp::from_millis(wall.load(Ordering::SeqCst)).unwrap()),
        };
        Courier::new(Arc::clone(&self.registry), Arc::new(office), Arc::new(place), clocks, || 0.5)
    }
}

pub(crate) fn settings(server: &Smtp) -> EmailSettings {
    EmailSettings {
        host: "127.0.0.1".into(),
        port: server.address.port(),
        security: Security::Plain,
        from: EmailAddress::new("miaopu@nursery.example").unwrap(),
        login: None,
        ca_pem: None,
    }
}

pub(crate) fn login(settings: EmailSettings, password: &str) -> EmailSettings {
    EmailSettings { login: Some(("miaopu".into(), Secret::new(password))), ..settings }
}

pub(crate) fn by_mail(settings: &EmailSettings) -> Office {
    office(Some(Email::new(settings).unwrap()), None)
}

pub(crate) fn office(email: Option<Email>, webhook: Option<Webhook>) -> Office {
    Office { email, webhook, public_url: "https://miaopu.example:8443".into() }
}

/// Every byte that the registry has on disk.
pub(crate) fn bytes(file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    bytes.extend(std::fs::read(file.with_extension("sqlite-wal")).unwrap_or_default());
    bytes
}
