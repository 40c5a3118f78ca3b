//! A message that the gateway can't understand is put away, listed, shown, taken again while the gateway
//! runs, refused in words, and dropped; with a broker outside that speaks MQTT 3.1.1.

use std::{net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use harness::{Client, Gateway, Mosquitto, Works, binary, free_port, run, wait_for};
use rumqttc::{Event, MqttOptions, Packet, QoS};

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let mqtt = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let _broker = Mosquitto::start(folder.path(), mqtt)?;
    let mut settings = works.settings(mqtt);
    settings.outside = true;
    let gateway = Gateway::start_with(&settings, "protocol = \"3.1.1\"\n", &[])?;
    let client = Client::new(gateway.http, &works.token("technician")?);

    let topic = "miaopu/1/works/bench/data";
    for payload in ["not a message", "another"] {
        publish(mqtt, topic, payload)?;
    }
    let letters = |arguments: &[&str]| {
        let mut command = Command::new(binary().unwrap_or_default());
        command.arg("dead-letters").args(arguments).arg("--data").arg(&works.data);
        command
    };
    let listed = wait_for("both letters", Duration::from_secs(20), || {
        let said = run(&mut letters(&["list"]))?;
        Ok(said.contains("2 of 2 shown").then_some(said))
    })?;
    ensure!(listed.contains(topic) && listed.contains("kept"), "{listed}");
    let shown = run(&mut letters(&["show", "1"]))?;
    ensure!(shown.contains("6e 6f 74 20 61"), "the bytes are not shown: {shown}");

    let again = letters(&["replay", "1"]).output()?;
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    ensure!(said.contains("1 is still not understood"), "{said}");
    ensure!(again.status.code() == Some(65), "it ended with {}", again.status);
    let answer = client.get("/dead-letters")?;
    let first = answer["letters"].as_array().and_then(|all| all.last().cloned());
    let first = first.context("the letter is listed")?;
    ensure!(first["state"] == "refused" && first["number"] == 1, "{first}");

    ensure!(run(&mut letters(&["drop", "1"]))?.contains("1 dead letters dropped"));
    ensure!(letters(&["show", "1"]).output()?.status.code() == Some(65), "it is gone");
    ensure!(run(&mut letters(&["drop", "--all"]))?.contains("1 dead letters dropped"));
    ensure!(letters(&["replay"]).output()?.status.code() == Some(64), "which ones?");
    Ok(())
}

/// Publishes as a stranger would, in MQTT 3.1.1, and waits until the broker has it.
fn publish(mqtt: SocketAddr, topic: &str, payload: &str) -> Result<()> {
    let mut options = MqttOptions::new("stranger", mqtt.ip().to_string(), mqtt.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut connection) = rumqttc::Client::new(options, 10);
    client.publish(topic, QoS::AtLeastOnce, false, payload)?;
    for event in connection.iter() {
        if matches!(event?, Event::Incoming(Packet::PubAck(_))) {
            return Ok(());
        }
    }
    anyhow::bail!("the broker did not answer")
}
