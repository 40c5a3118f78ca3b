//! A node over TLS, as a board would have it: `embedded-tls` and `minimq` over a real socket, the
//! node's own code, the gateway's broker, authority, ingest and store. Only chip and flash are played.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use broker::{Broker, Gatekeeper, Rights};
// The clock of minimq, which a board brings along.
use embassy_time as _;
use embedded_io_adapters::tokio_1::FromTokio;
use host::flash::{Flash, PAGE_BYTES};
use ingest::{
    Account, DeadLetter, DeadLetters, Directory, LocalEpisodes, LocalEvent, Outlets, PortError,
    Ports, Secret,
};
use measure::{NodeKey, Quality, Quantity, Scaled, Slug, Timestamp, Uptime};
use minimq::{Buffers, ConfigBuilder, Publication, QoS, Session, TopicFilter, Will};
use node::{Layout, Node, Origin, Start};
use rand_core::OsRng;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use store::{Store, embedded};
use tls::TlsError;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use trust::{Names, Trust};
use wire::{Birth, Channel, DEATH_BYTES_MAX};

/// 2026-11-23T06:00:00Z.
const NOW_MS: i64 = 1_795_413_600_000;
const DAY_MS: i64 = 86_400_000;
/// How long anything may take before a test fails.
const DEADLINE: Duration = Duration::from_secs(30);
/// Pages of the node's flash, and of its ring.
const FLASH_PAGES: usize = 16;
const RING_PAGES: usize = 12;
const SECRET: &str = "the-secret-of-bench-01";

/// The clock of `tls` is one for the machine, and so only one test at a time is a machine.
static MACHINE: Mutex<()> = Mutex::new(());

fn at_day(day: i64) -> Timestamp {
    Timestamp::from_millis(NOW_MS + day * DAY_MS).unwrap()
}

fn key() -> NodeKey {
    NodeKey { site: Slug::new("nanchuan").unwrap(), node: Slug::new("bench-01").unwrap() }
}

struct Doorman;

impl Gatekeeper for Doorman {
    fn admit(&self, _: &str, username: &str, password: &[u8]) -> Option<Rights> {
        match username {
            "gateway" => Some(Rights::Gateway),
            name => (name == key().to_string() && password == SECRET.as_bytes())
                .then(|| Rights::Node(key())),
        }
    }
}

struct Desk;

impl Directory for Desk {
    fn load(&self) -> Result<Vec<(NodeKey, Birth)>, PortError> {
        Ok(Vec::new())
    }

    fn save(&self, _: &[(NodeKey, Birth)]) -> Result<(), PortError> {
        Ok(())
    }

    fn is_known(&self, node: &NodeKey) -> Result<bool, PortError> {
        Ok(*node == key())
    }
}

impl LocalEpisodes for Desk {
    fn keep(&self, _: &[LocalEvent]) -> Result<(), PortError> {
        Ok(())
    }
}

impl DeadLetters for Desk {
    fn put(&self, letters: &[DeadLetter]) -> Result<(), PortError> {
        Err(format!("nothing here is garbled: {letters:?}").into())
    }

    fn asked(&self, _: usize) -> Result<Vec<(i64, DeadLetter)>, PortError> {
        Ok(Vec::new())
    }

    fn settle(&self, outcomes: &[(i64, Result<(), String>)]) -> Result<(), PortError> {
        Err(format!("nothing was asked for: {outcomes:?}").into())
    }
}

/// A gateway whose authority was made and whose certificate was issued on day 0.
struct Gateway {
    tls: SocketAddr,
    trust: Trust,
    store: Arc<embedded::Engine>,
    stop: CancellationToken,
    ingest: tokio::task::JoinHandle<Result<(), ingest::Error>>,
    _broker: Broker,
    _dir: tempfile::TempDir,
}

impl Gateway {
    /// Starts one whose clock shows `now` and stands still, on a machine with `names`.
    async fn start(now: Timestamp, names: &Names) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trust = trust::open(&dir.path().join("tls"), names, None, at_day(0)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tls = listener.local_addr().unwrap();
        let config = broker::Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: Some(broker::Tls { listener, config: trust.mqtt().unwrap() }),
            listener: None,
        };
        let broker = broker::start(config, Arc::new(Doorman)).unwrap();
        let store =
            Arc::new(embedded::Engine::open(dir.path(), embedded::Options::default()).unwrap());
        let ports = Ports {
            store: Arc::clone(&store) as Arc<dyn Store>,
            directory: Arc::new(Desk),
            dead_letters: Arc::new(Desk),
            episodes: Arc::new(Desk),
            assess: Arc::new(ingest::Unassessed),
            clock: Arc::new(move || now),
        };
        let own = Account { username: "gateway".to_owned(), password: Secret::new("any") };
        let (stop, outlets) = (CancellationToken::new(), Arc::new(Outlets::default()));
        let config = ingest::Config::new("127.0.0.1", broker.address().port(), Some(own));
        let ingest = tokio::spawn(ingest::run(config, ports, Arc::clone(&outlets), stop.clone()));
        let mut health = outlets.health.subscribe();
        let up = health.wait_for(|health| health.link == ingest::Link::Up);
        drop(tokio::time::timeout(DEADLINE, up).await.unwrap().unwrap());
        Self { tls, trust, store, stop, ingest, _broker: broker, _dir: dir }
    }

    fn authority(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.trust.about().pem.as_bytes()).unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.ingest.await.unwrap().unwrap();
    }
}

fn names() -> Names {
    Names::new("shed", &[], ["192.168.1.5".parse().unwrap()])
}

async fn node() -> Node<Flash, RING_PAGES> {
    let channel = Channel {
        quantity: Quantity::AirTemperature,
        position: Slug::new("bench").unwrap(),
        sensor: Slug::new("sht4x").unwrap(),
        calibration: 0,
        enabled: true,
    };
    let config = node::Config {
        key: key(),
        firmware: heapless::String::try_from("tls-proof 0").unwrap(),
        target: None,
        release: 0,
        channels: [channel].into_iter().collect(),
        interval_ms: 60_000,
        gateways: Default::default(),
        backlog_pause_ms: 0,
        layout: Layout::split(
            0..u32::try_from(FLASH_PAGES * PAGE_BYTES).unwrap(),
            u32::try_from(PAGE_BYTES).unwrap(),
        ),
    };
    Node::open(Flash::in_memory(FLASH_PAGES), config, 0x5EED_0001_0000_0001, Start::Cold)
        .await
        .unwrap()
}

/// Shakes hands with what listens there.
async fn shake<'m>(
    address: SocketAddr,
    memory: &'m mut tls::Memory,
    authority: &[u8],
    name: &str,
) -> Result<tls::Connection<'m, FromTokio<TcpStream>>, TlsError> {
    let socket = FromTokio::new(TcpStream::connect(address).await.unwrap());
    let opened = tls::open(socket, memory, authority, name, OsRng);
    tokio::time::timeout(DEADLINE, opened).await.unwrap()
}

/// One connection of a node, as a board carries it: TLS with the time that the node knows, MQTT 5
/// with its credentials, birth, data, acknowledgements; it ends when the node has nothing to say.
async fn speak(
    node: &mut Node<Flash, RING_PAGES>,
    now: Uptime,
    gateway: &Gateway,
    authority: &[u8],
    secret: &str,
) -> Result<(), String> {
    tls::set_time(node.boot_utc().map(|boot| boot.plus_ms(i64::try_from(now.0).unwrap())));
    let mut records = tls::Memory::new();
    let socket = shake(gateway.tls, &mut records, authority, tls::SERVER_NAME).await;
    let socket = socket.map_err(|error| format!("{error:?}"))?;
    let (mut received, mut to_send, mut death) = ([0; 512], [0; 4_096], [0; DEATH_BYTES_MAX]);
    let will = node.will(&mut death).unwrap();
    let subscriptions = node.subscriptions();
    let user = key().to_string();
    let will = Will::new(&will.topic, will.payload, &[]).unwrap().qos(QoS::AtLeastOnce);
    let config = ConfigBuilder::new(Buffers::new(&mut received, &mut to_send))
        .client_id(&user)
        .unwrap()
        .auth(&user, secret.as_bytes())
        .unwrap()
        .will(will)
        .unwrap()
        .keepalive_interval(10);
    let mut session = Session::new(config);
    let mut mqtt = session.connect(socket).await.map_err(|error| format!("{error:?}"))?;
    let options = minimq::SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
    let filters = subscriptions.each_ref().map(|topic| TopicFilter::new(topic).options(options));
    let asked = mqtt.subscribe(&filters, &[]).await.unwrap();
    while mqtt.is_pending(&asked) {
        mqtt.poll().await.unwrap();
    }
    node.connected();
    let mut buffer = [0; wire::BIRTH_BYTES_MAX];
    loop {
        while mqtt.can_publish(QoS::AtLeastOnce) {
            let Some(publish) = node.next_publish(now, &mut buffer).await.unwrap() else { break };
            let message = Publication::bytes(&publish.topic, publish.payload);
            let message = message.qos(QoS::AtLeastOnce);
            let message = if publish.retain { message.retain() } else { message };
            mqtt.publish(message).await.unwrap();
        }
        if node.boot_utc().is_some() && node.waiting() == 0 {
            break;
        }
        let heard = tokio::time::timeout(DEADLINE, mqtt.poll()).await.unwrap().unwrap();
        if let Some(message) = heard {
            node.receive(now, message.topic(), message.payload()).await.unwrap();
        }
    }
    node.disconnected();
    Ok(())
}

async fn take_a_reading(node: &mut Node<Flash, RING_PAGES>, at: Uptime) {
    let reading = Ok(Scaled(2_150));
    node.record(at, &[(0, reading, Quality::Good)], Origin::Live).await.unwrap();
}

fn kept(gateway: &Gateway) -> Vec<Timestamp> {
    gateway.store.latest().unwrap().iter().map(|sample| sample.time).collect()
}

/// Runs a machine: a runtime, and the clock of `tls` unset.
fn machine(test: impl Future<Output = ()>) {
    let _one = MACHINE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    tls::set_time(None);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

#[test]
fn a_node_without_a_clock_gets_one_over_tls_and_is_acknowledged_and_checks_dates_from_then_on() {
    machine(async {
        let gateway = Gateway::start(at_day(1), &names()).await;
        let authority = gateway.authority();
        let mut node = node().await;
        take_a_reading(&mut node, Uptime(1_000)).await;
        assert_eq!(node.boot_utc(), None);
        speak(&mut node, Uptime(5_000), &gateway, &authority, SECRET).await.unwrap();
        assert_eq!(node.waiting(), 0, "the gateway has named the reading");
        assert_eq!(kept(&gateway), [at_day(1).plus_ms(-4_000)]);
        // The clock has come; the certificate of yesterday holds.
        let boot = node.boot_utc().unwrap();
        assert!(boot.ms_since(at_day(1).plus_ms(-5_000)).abs() < 1_000, "{boot:?}");
        take_a_reading(&mut node, Uptime(60_000)).await;
        speak(&mut node, Uptime(61_000), &gateway, &authority, SECRET).await.unwrap();
        assert_eq!(node.waiting(), 0);
        gateway.end().await;
    });
}

#[test]
fn a_certificate_that_has_ended_is_accepted_once_and_refused_when_the_clock_has_come() {
    machine(async {
        let late = at_day(trust::SERVER_DAYS + 1);
        let gateway = Gateway::start(late, &names()).await;
        let authority = gateway.authority();
        let mut node = node().await;
        take_a_reading(&mut node, Uptime(1_000)).await;
        speak(&mut node, Uptime(5_000), &gateway, &authority, SECRET).await.unwrap();
        assert!(node.boot_utc().is_some());
        take_a_reading(&mut node, Uptime(60_000)).await;
        let refused = speak(&mut node, Uptime(61_000), &gateway, &authority, SECRET).await;
        assert_eq!(refused, Err("InvalidCertificate".to_owned()));
        assert_eq!(node.waiting(), 1, "the reading waits in the flash");
        // Renewed at the gateway, nothing changed at the node.
        assert!(matches!(gateway.trust.renew(&names(), late), Ok(trust::Renewal::Renewed(_))));
        speak(&mut node, Uptime(62_000), &gateway, &authority, SECRET).await.unwrap();
        assert_eq!(node.waiting(), 0);
        gateway.end().await;
    });
}

#[test]
fn another_authority_another_name_and_a_wrong_secret_are_refused() {
    machine(async {
        let gateway = Gateway::start(at_day(1), &names()).await;
        let authority = gateway.authority();
        let dir = tempfile::tempdir().unwrap();
        let other = trust::open(&dir.path().join("tls"), &names(), None, at_day(0)).unwrap();
        let other = CertificateDer::from_pem_slice(other.about().pem.as_bytes()).unwrap();
        let mut node = node().await;
        let refused = speak(&mut node, Uptime(1_000), &gateway, &other, SECRET).await;
        assert_eq!(refused, Err("InvalidCertificate".to_owned()));
        let mut memory = tls::Memory::new();
        let refused = shake(gateway.tls, &mut memory, &authority, "other.internal").await;
        assert!(matches!(refused, Err(TlsError::InvalidCertificate)));
        let refused = speak(&mut node, Uptime(1_000), &gateway, &authority, "wrong").await;
        assert!(refused.clone().unwrap_err().contains("BadUsernameOrPassword"), "{refused:?}");
        assert_eq!(node.boot_utc(), None);
        gateway.end().await;
    });
}

#[test]
fn a_name_that_is_only_an_address_is_refused_although_the_certificate_holds_it() {
    machine(async {
        let gateway = Gateway::start(at_day(1), &names()).await;
        let authority = gateway.authority();
        for name in ["127.0.0.1", "192.168.1.5"] {
            let mut memory = tls::Memory::new();
            let refused = shake(gateway.tls, &mut memory, &authority, name).await.err();
            assert!(matches!(refused, Some(TlsError::InvalidCertificate)), "{name}: {refused:?}");
        }
        for name in [tls::SERVER_NAME, "shed", "shed.local"] {
            let mut memory = tls::Memory::new();
            assert!(shake(gateway.tls, &mut memory, &authority, name).await.is_ok(), "{name}");
        }
        gateway.end().await;
    });
}

#[test]
fn the_largest_certificate_of_a_gateway_fits_into_a_node() {
    machine(async {
        let long = |number: usize| format!("{number}{}.local", "n".repeat(56));
        let extra: Vec<String> = (0..trust::DNS_NAMES_MAX).map(long).collect();
        let addresses = (0..trust::ADDRESSES_MAX as u16)
            .map(|last| std::net::IpAddr::from([0xfd00, 1, 2, 3, 4, 5, 6, last]));
        let names = Names::new(&"h".repeat(57), &extra, addresses);
        assert_eq!(names.dns().len(), trust::DNS_NAMES_MAX);
        assert_eq!(names.addresses().len(), trust::ADDRESSES_MAX);
        assert_eq!(names.dns().first().unwrap(), tls::SERVER_NAME);
        let gateway = Gateway::start(at_day(1), &names).await;
        let authority = gateway.authority();
        let mut node = node().await;
        take_a_reading(&mut node, Uptime(1_000)).await;
        speak(&mut node, Uptime(5_000), &gateway, &authority, SECRET).await.unwrap();
        assert_eq!(node.waiting(), 0);
        gateway.end().await;
    });
}
