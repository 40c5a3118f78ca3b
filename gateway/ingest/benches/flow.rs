//! How many readings a second go from nodes through the embedded broker to the disk and back as
//! acknowledgements: nodes, broker, ingest and engine all on this machine.
#![expect(clippy::unwrap_used, reason = "a measurement may panic")]

#[path = "../tests/it/common.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Book, Node, config, embedded, eventually, ports, range};
use ingest::{Link, Outlets};
use store::Store;
use store::embedded::{Engine, Journal, Options};
use tokio_util::sync::CancellationToken;

/// How long is measured for each size of frame.
const SPAN: Duration = Duration::from_secs(5);
/// Frames that a node has under way.
const WINDOW: u64 = 8;

#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn instant() -> Instant {
    Instant::now()
}

async fn send_for(port: u16, number: usize, readings: usize, span: Duration) {
    let mut node = Node::born(port, &format!("n{readings}-{number}")).await;
    let began = instant();
    let mut first = 1;
    let window = u64::try_from(readings).unwrap() * WINDOW;
    while began.elapsed() < span {
        for nth in 0..WINDOW {
            node.send(&node.frame(first + nth * window / WINDOW, readings)).await;
        }
        node.acknowledged(&[range(first, first + window - 1)]).await;
        first += window;
    }
}

#[tokio::main]
async fn main() {
    // `cargo test` builds and starts this too, but does not ask for a measurement.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    for (nodes, readings) in [(20, 1), (20, 8), (20, 100), (200, 8)] {
        let folder = tempfile::tempdir().unwrap();
        let broker = embedded(0);
        let port = broker.address().port();
        let options = Options { journal: Journal::UntilSealed, ..Options::default() };
        let engine: Arc<dyn Store> = Arc::new(Engine::open(folder.path(), options).unwrap());
        let (outlets, stop) = (Arc::new(Outlets::default()), CancellationToken::new());
        let ports = ports(engine, Arc::new(Book::default()));
        let running =
            tokio::spawn(ingest::run(config(port), ports, Arc::clone(&outlets), stop.clone()));
        eventually("the link", || outlets.health.borrow().link == Link::Up).await;
        let began = instant();
        let mut senders = tokio::task::JoinSet::new();
        for number in 0..nodes {
            senders.spawn(send_for(port, number, readings, SPAN));
        }
        senders.join_all().await;
        let (seconds, counters) = (began.elapsed().as_secs_f64(), &outlets.counters);
        println!(
            "{nodes:4} nodes, {readings:3} readings a frame: {:8.0} readings/s, {:6.0} frames/s, \
             {:4.0} readings/commit",
            counters.kept.get() as f64 / seconds,
            counters.messages.get() as f64 / seconds,
            counters.kept.get() as f64 / counters.commits.get() as f64,
        );
        stop.cancel();
        running.await.unwrap().unwrap();
    }
}
