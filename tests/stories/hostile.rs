//! Garbage, strangers and trespassers: refused or quarantined with a clear line, and the flow goes on.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, ensure};
use fastrand::Rng;
use harness::{Gateway, Image, Ledger, Works, export, free_port, wait_for};
use rumqttc::v5::{
    Client, Connection, Event, MqttOptions,
    mqttbytes::{QoS, v5::Packet},
};

/// Garbled messages on each topic.
const GARBLED: usize = 200;

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let _gateway = Gateway::start(&works.settings(mqtt))?;
    let ledger: Arc<Mutex<Ledger>> = Arc::default();
    let _image = Image::start(&works.image(mqtt, 500), &ledger)?;
    let secret = second_node(&works)?;

    ensure!(!is_admitted(mqtt, "works/bench", "wrong"), "a wrong password was admitted");
    ensure!(!is_admitted(mqtt, "works/nobody", &secret), "a stranger was admitted");
    ensure!(is_admitted(mqtt, "works/other", &secret), "a node was not admitted");
    // Another node's topics, the gateway's own, and one that is nobody's.
    for topic in ["miaopu/1/works/bench/data", "miaopu/1/works/other/ack", "elsewhere"] {
        send(mqtt, &secret, topic, &[b"\xA0".to_vec()]);
    }
    let mut rng = Rng::with_seed(7);
    for kind in ["birth", "data", "death"] {
        let garbled: Vec<Vec<u8>> =
            (0..GARBLED).map(|_| (0..rng.usize(..600)).map(|_| rng.u8(..)).collect()).collect();
        send(mqtt, &secret, &format!("miaopu/1/works/other/{kind}"), &garbled);
    }
    the_flow_goes_on(&works, &ledger)?;
    let log = fs::read_to_string(works.folder.join("gateway.log"))?;
    for name in ["works/other", "works/nobody"] {
        ensure!(log.contains(name), "the log does not name {name}");
    }
    ensure!(!log.contains(&secret), "the log holds a secret");
    ensure!(log.lines().count() < 500, "{} lines of log: a flood", log.lines().count());
    Ok(())
}

/// Adds the node `works/other` and returns its secret.
fn second_node(works: &Works) -> Result<String> {
    let line = harness::run(
        std::process::Command::new(harness::binary()?)
            .args(["node", "add", "--site", "works", "--node", "other", "--zone", "house"])
            .arg("--data")
            .arg(&works.data),
    )?;
    Ok(line.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

fn connect(mqtt: SocketAddr, user: &str, secret: &str) -> (Client, Connection) {
    let id = user.replace('/', "-");
    let mut options = MqttOptions::new(id, mqtt.ip().to_string(), mqtt.port());
    options.set_credentials(user, secret);
    options.set_keep_alive(Duration::from_secs(10));
    Client::new(options, 1_000)
}

fn is_admitted(mqtt: SocketAddr, user: &str, secret: &str) -> bool {
    let (_client, mut connection) = connect(mqtt, user, secret);
    let first = connection.iter().next();
    matches!(first, Some(Ok(Event::Incoming(Packet::ConnAck(_)))))
}

/// Publishes as `works/other`; being thrown out is an answer too.
fn send(mqtt: SocketAddr, secret: &str, topic: &str, payloads: &[Vec<u8>]) {
    let (client, mut connection) = connect(mqtt, "works/other", secret);
    for payload in payloads {
        if client.publish(topic, QoS::AtLeastOnce, false, payload.clone()).is_err() {
            return;
        }
    }
    let mut answered = 0;
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(Packet::PubAck(_))) => answered += 1,
            Ok(_) => {}
            Err(_) => return,
        }
        if answered >= payloads.len() {
            return;
        }
    }
}

/// What the image takes from now on arrives.
fn the_flow_goes_on(works: &Works, ledger: &Mutex<Ledger>) -> Result<()> {
    let count = || ledger.lock().unwrap_or_else(PoisonError::into_inner).entries.len();
    let before = count();
    wait_for("more readings of the image", Duration::from_secs(60), || {
        Ok((count() > before + 20).then_some(()))
    })?;
    let said = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let verdict = wait_for("its readings in the store", Duration::from_secs(60), || {
        let exported = export(&works.data, &works.folder.join("export.csv"), "bench")?;
        let verdict = said.judge(&exported.rows);
        Ok((verdict.lost == 0).then_some(verdict))
    })?;
    ensure!(verdict.doubled == 0, "doubled: {verdict:?}");
    Ok(())
}
