//! The way in for a broker of this very process: it hands births and data over as nodes publish them,
//! so that they need not be written to a session of our own, read from it and acknowledged on it.
//!
//! Nothing else is different: they wait in the same inbox, in the order in which their node said them,
//! and are acknowledged to their node after the commit. The broker may answer a node's PUBLISH as soon
//! as its message is handed over, since a node frees only what the gateway itself has acknowledged.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use wire::TopicKind;

use crate::intake::Arrival;
use crate::link::{Delivered, INBOX_MESSAGES_MAX};
use crate::ports::{Clock, Counters};

/// What a broker hands over, as last levels of topics; the rest goes through the session.
pub const HANDED_OVER: [&str; 2] = [TopicKind::Birth.name(), TopicKind::Data.name()];
/// How long a message waits for room in a full inbox, and its node's connection with it; then it is
/// turned away and counted, and its node sends it again.
pub const INLET_PATIENCE: Duration = Duration::from_millis(250);

/// Takes messages from a broker of this process; each clone leads to the same inbox.
#[derive(Clone, Debug)]
pub struct Inlet(Arc<Inbox>);

struct Inbox {
    sender: mpsc::Sender<Delivered>,
    /// Taken by the one who reads it.
    receiver: Mutex<Option<mpsc::Receiver<Delivered>>>,
    clock: OnceLock<Clock>,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("room", &self.sender.capacity()).finish_non_exhaustive()
    }
}

impl Inlet {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let (sender, receiver) = mpsc::channel(INBOX_MESSAGES_MAX);
        let receiver = Mutex::new(Some(receiver));
        Self(Arc::new(Inbox { sender, receiver, clock: OnceLock::new(), counters }))
    }

    /// Takes a message of a topic that ends in one of [`HANDED_OVER`]. Whether its sender may publish
    /// there was asked before.
    pub async fn hand_over(&self, topic: &str, payload: Bytes) {
        let place = tokio::time::timeout(INLET_PATIENCE, self.0.sender.reserve()).await;
        match (place, self.0.clock.get()) {
            (Ok(Ok(place)), Some(clock)) => {
                let topic = Bytes::copy_from_slice(topic.as_bytes());
                let arrival = Arrival { topic, payload, is_retained: false, received: clock() };
                place.send(Delivered::Message { arrival, delivery: None });
            }
            // A full inbox, or nobody who reads it: yet, or any more.
            _ => self.0.counters.overflows.add(1),
        }
    }

    /// Returns both ends of the inbox; `None` where it is read already.
    pub(crate) fn open(
        &self,
        clock: &Clock,
    ) -> Option<(mpsc::Sender<Delivered>, mpsc::Receiver<Delivered>)> {
        let receiver = self.0.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // Only whoever took the receiver comes here.
        drop(self.0.clock.set(Arc::clone(clock)));
        Some((self.0.sender.clone(), receiver))
    }
}

#[cfg(test)]
mod tests {
    use measure::Timestamp;

    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_is_turned_away_and_counted() {
        let counters = Arc::new(Counters::default());
        let inlet = Inlet::new(Arc::clone(&counters));
        let clock: Clock = Arc::new(|| Timestamp::MIN);
        let (_sender, mut inbox) = inlet.open(&clock).unwrap();
        for _ in 0..INBOX_MESSAGES_MAX {
            inlet.hand_over("miaopu/1/a/b/data", Bytes::new()).await;
        }
        assert_eq!(counters.overflows.get(), 0);
        inlet.hand_over("miaopu/1/a/b/data", Bytes::new()).await;
        assert_eq!(counters.overflows.get(), 1);
        assert!(inbox.recv().await.is_some());
        inlet.hand_over("miaopu/1/a/b/data", Bytes::new()).await;
        assert_eq!(counters.overflows.get(), 1);
    }

    #[tokio::test]
    async fn an_inbox_has_one_reader() {
        let inlet = Inlet::new(Arc::default());
        let clock: Clock = Arc::new(|| Timestamp::MIN);
        assert!(inlet.open(&clock).is_some());
        assert!(inlet.open(&clock).is_none());
    }
}
