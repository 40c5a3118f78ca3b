//! Brokers that die: the embedded one, and a Mosquitto of our own under kill -9.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{DEADLINE, Gateway, Node, birth, config, embedded, eventually, range};
use ingest::{Link, Protocol, Tls, TlsFiles};
use measure::{FlashId, Sequence};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

#[tokio::test]
async fn the_flow_survives_a_broker_that_forgets_everything() {
    let broker = embedded(0);
    let port = broker.address().port();
    let gateway = Gateway::start(port).await;
    let mut node = Node::born(port, "tough").await;
    node.send(&node.frame(1, 5)).await;
    node.acknowledged(&[range(1, 5)]).await;
    tokio::task::spawn_blocking(move || broker.stop()).await.unwrap();
    let _broker = embedded(port);
    let connections = &gateway.outlets.counters.connections;
    eventually("a second connection", || connections.get() >= 2).await;
    send_all(&mut node, 6..=10).await;
    assert_eq!(gateway.store.count(), 10);
}

/// Sends single readings until each is acknowledged, as a node does: again after a while.
async fn send_all(node: &mut Node, sequences: std::ops::RangeInclusive<u64>) {
    let mut open: std::collections::BTreeSet<u64> = sequences.collect();
    tokio::time::timeout(4 * DEADLINE, async {
        while !open.is_empty() {
            for &sequence in &open {
                node.send(&node.frame(sequence, 1)).await;
            }
            let resend = tokio::time::sleep(Duration::from_millis(700));
            tokio::pin!(resend);
            while !open.is_empty() {
                tokio::select! {
                    ack = node.ack() => open.retain(|&sequence| {
                        !ack.ranges.iter().any(|range| range.contains(Sequence(sequence)))
                    }),
                    () = &mut resend => break,
                }
            }
        }
    })
    .await
    .expect("not everything was acknowledged");
}

/// A Mosquitto with its default limits, killed when dropped.
struct Mosquitto {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
    /// Where it listens with TLS, as `localhost`, and asks for a certificate.
    tls_port: u16,
}

impl Mosquitto {
    /// Starts one; `None` where none is installed, which is said aloud, and fails where `CI=true`.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let [port, tls_port] = [free(), free()].map(|it| it.local_addr().unwrap().port());
        let at = folder.path();
        certify(at);
        let config = format!(
            "persistence true\npersistence_location {at}/\nautosave_interval 1\nuser root\n\
             listener {port} 127.0.0.1\nallow_anonymous true\n\
             listener {tls_port} localhost\nallow_anonymous true\ncafile {at}/ca.pem\n\
             certfile {at}/broker.pem\nkeyfile {at}/broker.key\nrequire_certificate true\n",
            at = at.display()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        match Self::spawn(&folder) {
            Ok(child) => Some(Self { child, folder, port, tls_port }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "mosquitto is missing");
                eprintln!("SKIPPED: mosquitto is not installed");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn spawn(folder: &tempfile::TempDir) -> std::io::Result<Child> {
        let config = folder.path().join("mosquitto.conf");
        let start = |program| {
            Command::new(program)
                .arg("-c")
                .arg(&config)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        };
        start("mosquitto").or_else(|_| start("/usr/sbin/mosquitto"))
    }

    /// Says how it is reached with TLS.
    fn over_tls(&self) -> ingest::Config {
        let file = |name| self.folder.path().join(name);
        let identity = Some((file("gateway.pem"), file("gateway.key")));
        let files = TlsFiles { ca: Some(file("ca.pem")), identity };
        let tls = Some(Tls::load(&files).unwrap());
        ingest::Config { tls, ..ingest::Config::new("localhost", self.tls_port, None) }
    }

    fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.folder).unwrap();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Writes an authority and what it signed: the broker's certificate and the gateway's.
fn certify(folder: &Path) {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    write("ca.pem", authority.pem());
    let issuer = Issuer::new(params, key);
    for name in ["broker", "gateway"] {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        write(&format!("{name}.pem"), params.signed_by(&key, &issuer).unwrap().pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_mosquitto_is_killed() {
    for protocol in [Protocol::V5, Protocol::V311] {
        for is_tls in [false, true] {
            let Some(mut mosquitto) = Mosquitto::start() else { return };
            let config = if is_tls { mosquitto.over_tls() } else { config(mosquitto.port) };
            let config = ingest::Config { protocol, ..config };
            let gateway = Gateway::begin_with(config, Arc::default(), Arc::default());
            gateway.is_up().await;
            let mut node = Node::born(mosquitto.port, "outdoors").await;
            let flow = async {
                for tens in 0..40 {
                    send_all(&mut node, tens * 10 + 1..=tens * 10 + 10).await;
                }
                node
            };
            let kills = async {
                for _ in 0..3 {
                    tokio::time::sleep(Duration::from_millis(400)).await;
                    mosquitto.kill_and_start();
                }
            };
            let (node, ()) = tokio::join!(flow, kills);
            assert_eq!(gateway.store.count(), 400);
            let kept = gateway.store.with(|kept| kept.samples.keys().cloned().collect::<Vec<_>>());
            assert!(kept.iter().all(|(key, flash, _)| *key == node.key && *flash == FlashId(7)));
            assert!(gateway.outlets.counters.connections.get() >= 2, "no kill was felt");
        }
    }
}

#[tokio::test]
async fn a_gateway_that_was_away_finds_what_mosquitto_kept_for_it() {
    for protocol in [Protocol::V5, Protocol::V311] {
        let Some(mosquitto) = Mosquitto::start() else { return };
        let config = ingest::Config { protocol, ..mosquitto.over_tls() };
        let gateway = Gateway::begin_with(config.clone(), Arc::default(), Arc::default());
        gateway.is_up().await;
        let mut node = Node::born(mosquitto.port, "waiting").await;
        let (store, book) = gateway.stop().await;
        for first in 1..=100 {
            node.send(&node.frame(first, 1)).await;
        }
        node.give_birth(&birth(7, 1, 2)).await;
        node.hears_nothing().await;
        let gateway = Gateway::begin_with(config, store, book);
        node.acknowledged(&[range(1, 100)]).await;
        assert_eq!(gateway.store.count(), 100);
    }
}

#[tokio::test]
async fn every_subscription_of_a_real_broker_is_seen_to_live() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let embedded = embedded(0);
    for (port, protocol) in [
        (mosquitto.port, Protocol::V5),
        (mosquitto.port, Protocol::V311),
        (embedded.address().port(), Protocol::V5),
        (embedded.address().port(), Protocol::V311),
    ] {
        let self_check = Duration::from_millis(100);
        let config = ingest::Config { protocol, self_check, ..config(port) };
        let gateway = Gateway::begin_with(config, Arc::default(), Arc::default());
        gateway.is_up().await;
        let mut node = Node::born(port, &format!("seen-{port}")).await;
        tokio::time::sleep(10 * self_check).await;
        node.send(&node.frame(1, 2)).await;
        node.acknowledged(&[range(1, 2)]).await;
        let counters = &gateway.outlets.counters;
        let counts = (counters.resubscriptions.get(), counters.dead_letters.get());
        assert_eq!(counts, (0, 0), "{protocol:?} at {port}");
        assert_eq!(counters.connections.get(), 1);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_broker_that_the_authority_did_not_sign_is_not_spoken_to() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let strangers = tempfile::tempdir().unwrap();
    certify(strangers.path());
    let stranger = TlsFiles { ca: Some(strangers.path().join("ca.pem")), identity: None };
    let by_address =
        |host: &str, config: ingest::Config| ingest::Config { host: host.to_owned(), ..config };
    let faults = [
        // Another authority; another name than the certificate's; no certificate of our own.
        ingest::Config { tls: Some(Tls::load(&stranger).unwrap()), ..mosquitto.over_tls() },
        by_address("127.0.0.1", mosquitto.over_tls()),
        ingest::Config {
            tls: Some(
                Tls::load(&TlsFiles {
                    ca: Some(mosquitto.folder.path().join("ca.pem")),
                    identity: None,
                })
                .unwrap(),
            ),
            ..mosquitto.over_tls()
        },
    ];
    for config in faults {
        for protocol in [Protocol::V5, Protocol::V311] {
            let config = ingest::Config { protocol, ..config.clone() };
            let gateway = Gateway::begin_with(config, Arc::default(), Arc::default());
            let health = gateway.outlets.health.subscribe();
            eventually("the refusal", || matches!(health.borrow().link, Link::Down { .. })).await;
            assert_eq!(gateway.outlets.counters.connections.get(), 0);
        }
    }
}

#[test]
fn tls_files_that_hold_something_else_are_named() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let file = |name: &str| folder.path().join(name);
    let words = |ca: &str, certificate: &str, key: &str| {
        let identity = Some((file(certificate), file(key)));
        let files = TlsFiles { ca: Some(file(ca)), identity };
        Tls::load(&files).unwrap_err().to_string()
    };
    assert!(words("nowhere.pem", "gateway.pem", "gateway.key").contains("nowhere.pem"));
    assert!(words("broker.key", "gateway.pem", "gateway.key").contains("broker.key"));
    assert!(words("ca.pem", "gateway.key", "gateway.key").contains("no certificate in PEM"));
    assert!(words("ca.pem", "gateway.pem", "gateway.pem").contains("no private key in PEM"));
    assert!(words("ca.pem", "gateway.pem", "broker.key").contains("can't be used"));
}
