//! Brokers that die: the embedded one, and a Mosquitto of our own under kill -9.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{DEADLINE, Gateway, Node, birth, embedded, eventually, range};
use measure::{FlashId, Sequence};

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
}

impl Mosquitto {
    /// Starts one; `None` where none is installed, which is said aloud, and fails where `CI=true`.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {}/\nautosave_interval 1\nuser root\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        match Self::spawn(&folder) {
            Ok(child) => Some(Self { child, folder, port }),
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

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_mosquitto_is_killed() {
    let Some(mut mosquitto) = Mosquitto::start() else { return };
    let gateway = Gateway::start(mosquitto.port).await;
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

#[tokio::test]
async fn a_gateway_that_was_away_finds_what_mosquitto_kept_for_it() {
    let Some(mosquitto) = Mosquitto::start() else { return };
    let gateway = Gateway::start(mosquitto.port).await;
    let mut node = Node::born(mosquitto.port, "waiting").await;
    let (store, book) = gateway.stop().await;
    for first in 1..=100 {
        node.send(&node.frame(first, 1)).await;
    }
    node.give_birth(&birth(7, 1, 2)).await;
    node.hears_nothing().await;
    let gateway = Gateway::begin(mosquitto.port, store, book);
    node.acknowledged(&[range(1, 100)]).await;
    assert_eq!(gateway.store.count(), 100);
}
