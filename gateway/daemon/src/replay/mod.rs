//! `miaopu replay`: recorded readings go through real MQTT, as if their nodes sent them now.
//!
//! Each node of the file speaks the wire contract over a connection of its own, with its own
//! credentials, and every reading is marked as history. A file that was replayed before is known by
//! its content, so that replaying it again stores nothing twice.

mod player;
mod recording;
mod shape;
mod times;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use measure::NodeKey;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    cli::ReplayArgs,
    credentials::{self, Secret},
    failure::{Failure, OrFail},
};
use recording::{How, Recording};

/// How many nodes are replayed side by side; the others wait.
const NODES_AT_ONCE: usize = 32;

/// Replays a file and waits until every reading of it is acknowledged.
pub(crate) fn run(arguments: &ReplayArgs) -> Result<(), Failure> {
    let columns = match &arguments.columns {
        None => None,
        Some(path) => Some(
            std::fs::read_to_string(path)
                .or_unavailable(format!("cannot read `{}`", path.display()))?,
        ),
    };
    let how = How { time_zone: arguments.time_zone.as_deref(), columns: columns.as_deref() };
    let recording = recording::load(&arguments.file, &how)?;
    let secrets = credentials::load(&arguments.credentials)?;
    if let Some(missing) = recording.nodes.keys().find(|key| !secrets.contains_key(key)) {
        return Err(Failure::data(format!(
            "`{}` has no line for the node {missing}; add what `miaopu node add` prints",
            arguments.credentials.display()
        )));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_unavailable("cannot start the threads")?;
    let (rows, repeats) = (recording.rows, recording.repeats);
    let acknowledged = runtime.block_on(play(arguments, recording, secrets))?;
    println!("replayed {rows} readings, {acknowledged} acknowledged");
    if repeats > 0 {
        println!("{repeats} of them repeat another one to the letter and count once with it");
    }
    Ok(())
}

async fn play(
    arguments: &ReplayArgs,
    recording: Recording,
    mut secrets: BTreeMap<NodeKey, Secret>,
) -> Result<u64, Failure> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} readings, {eta} left")
        .or_unavailable("cannot draw the progress bar")?;
    let bar = ProgressBar::new((recording.rows - recording.repeats) as u64).with_style(style);
    let places = Arc::new(Semaphore::new(NODES_AT_ONCE));
    // The rate is shared evenly: a node sends one reading each `pause` on average.
    let nodes = u32::try_from(recording.nodes.len().clamp(1, NODES_AT_ONCE)).unwrap_or(1);
    let pause = arguments.rate.map(|rate| Duration::from_secs(1) * nodes / rate);
    let mut players = JoinSet::new();
    for (key, node) in recording.nodes {
        let Some(secret) = secrets.remove(&key) else { continue };
        let (places, bar, address) = (Arc::clone(&places), bar.clone(), arguments.mqtt);
        players.spawn(async move {
            let _place = places.acquire_owned().await.or_unavailable("no place is left")?;
            player::play(key, node, secret, address, pause, &bar).await
        });
    }
    let mut acknowledged = 0;
    while let Some(played) = players.join_next().await {
        acknowledged += played.or_unavailable("a player stopped")??;
    }
    bar.finish_and_clear();
    Ok(acknowledged)
}
