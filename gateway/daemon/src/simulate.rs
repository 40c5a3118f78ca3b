//! `miaopu node simulate`: plays nodes over MQTT where no hardware is at hand, each with the real node
//! firmware and a simulated house around it.

use std::{
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use host::{
    board::{Board, Counters},
    clock::Clock as BoardClock,
    fleet::{self, DemoOptions},
    link,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::SimulateArgs,
    clock::Clock,
    credentials, disk,
    failure::{Failure, OrFail},
    serve,
};

/// How long nodes may take to connect before a person is told what may be wrong.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Only what a person should see on the terminal.
const LOG: &str = "warn";

/// Plays one node a line of the credentials file until the process is told to stop.
pub(crate) fn run(arguments: &SimulateArgs) -> Result<(), Failure> {
    serve::start_log(&serve::filter_or(LOG), serve::format_or_text()?)?;
    let clock = Clock::system();
    let temporary = if arguments.flash.is_none() { Some(TemporaryFolder::make()?) } else { None };
    let own = arguments.flash.clone();
    let flash = own.or_else(|| temporary.as_ref().map(|folder| folder.0.clone()));
    if let Some(folder) = &flash {
        disk::make_private_folder(folder)
            .or_unavailable(format!("cannot make `{}`", folder.display()))?;
    }
    let boards = boards(arguments, flash, &clock)?;
    serve::runtime()?.block_on(play(arguments, boards, &clock))
}

fn boards(
    arguments: &SimulateArgs,
    flash_folder: Option<PathBuf>,
    clock: &Clock,
) -> Result<Vec<Board>, Failure> {
    let credentials = credentials::load(&arguments.credentials)?;
    if credentials.is_empty() {
        return Err(Failure::data(format!(
            "the credentials file `{}` names no node; `miaopu node add` prints a line for it",
            arguments.credentials.display()
        )));
    }
    let options = DemoOptions {
        seed: arguments.seed,
        live_from: clock.now(),
        interval: arguments.interval,
        history: None,
        faults: Vec::new(),
        flash_folder,
    };
    let nodes =
        credentials.iter().map(|(key, secret)| (key.clone(), link::Secret::new(secret.reveal())));
    Ok(fleet::lone_boards(&host::nursery::demo(), &options, nodes))
}

async fn play(arguments: &SimulateArgs, boards: Vec<Board>, clock: &Clock) -> Result<(), Failure> {
    let (stop, counters) = (CancellationToken::new(), Arc::new(Counters::default()));
    let nodes = boards.len() as u64;
    println!(
        "playing {nodes} nodes at {} every {:?}; Ctrl-C ends it",
        arguments.mqtt, arguments.interval
    );
    let told = tokio::spawn(tell(nodes, arguments.mqtt, Arc::clone(&counters), stop.clone()));
    let board_clock = BoardClock::new(clock.handle(), clock.speed());
    let address = arguments.mqtt.into();
    let playing = fleet::run_all(boards, address, board_clock, Arc::clone(&counters), stop.clone());
    tokio::pin!(playing);
    let played = tokio::select! {
        played = &mut playing => played,
        asked = serve::told_to_stop() => {
            stop.cancel();
            asked?;
            playing.await
        }
    };
    stop.cancel();
    played.or_unavailable("a simulated node cannot run")?;
    told.await.or_unavailable("the simulation ended early")?;
    println!("{} readings were taken", counters.recorded.load(Ordering::Relaxed));
    Ok(())
}

/// Says when all nodes are connected, and what may be wrong where they are not.
async fn tell(
    nodes: u64,
    mqtt: std::net::SocketAddr,
    counters: Arc<Counters>,
    stop: CancellationToken,
) {
    let connected = || counters.connections.load(Ordering::Relaxed).min(nodes);
    let all = async {
        while connected() < nodes {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::pin!(all);
    tokio::select! {
        () = stop.cancelled() => return,
        () = &mut all => {}
        () = tokio::time::sleep(PATIENCE) => {
            eprintln!(
                "{} of {nodes} nodes are connected to {mqtt}: does the gateway run there, and is each \
                 line of the credentials file the latest that `miaopu node add` printed?",
                connected()
            );
            if stop.run_until_cancelled(all).await.is_none() {
                return;
            }
        }
    }
    println!("all {nodes} nodes are connected");
}

/// A folder of this process that goes with it.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn make() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("miaopu-nodes-{}", std::process::id()));
        // It must not be there: what somebody else prepared is not to be trusted.
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.or_unavailable(format!("cannot make `{}`; name one with --flash", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(Path::new(&self.0)) {
            eprintln!("cannot remove `{}`: {error}", self.0.display());
        }
    }
}
