//! The whole way with the engine that keeps readings on this machine's disk.

use std::ops::ControlFlow;
use std::sync::Arc;

use ingest::{Link, Outlets};
use measure::Timestamp;
use store::Store;
use store::embedded::{Engine, Options};
use tokio_util::sync::CancellationToken;

use crate::common::{Book, Node, config, embedded, eventually, ports, range};

#[tokio::test]
async fn what_was_acknowledged_is_on_disk_once() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(0);
    let port = broker.address().port();
    let engine: Arc<dyn Store> = Arc::new(Engine::open(folder.path(), Options::default()).unwrap());
    let (outlets, stop) = (Arc::new(Outlets::default()), CancellationToken::new());
    let ports = ports(Arc::clone(&engine), Arc::new(Book::default()));
    let running =
        tokio::spawn(ingest::run(config(port), ports, Arc::clone(&outlets), stop.clone()));
    eventually("the link", || outlets.health.borrow().link == Link::Up).await;
    let mut node = Node::born(port, "real").await;
    for _ in 0..2 {
        for first in (1..=901).step_by(100) {
            node.send(&node.frame(first, 100)).await;
        }
        node.acknowledged(&[range(1, 1_000)]).await;
    }
    assert_eq!(engine.seen(&node.key, node.flash).unwrap(), [range(1, 1_000)]);
    assert_eq!(outlets.counters.repeated.get(), 1_000);
    stop.cancel();
    running.await.unwrap().unwrap();
    drop(engine);

    let reader = Engine::open_read_only(folder.path()).unwrap();
    let (series, _) = reader.series().unwrap()[0].clone();
    let mut samples = 0;
    let mut count = |_: &store::Sample| {
        samples += 1;
        ControlFlow::Continue(())
    };
    reader.scan(series, Timestamp::MIN, Timestamp::MAX, &mut count).unwrap();
    assert_eq!(samples, 1_000);
}
