//! What other rooms say to nodes: commands and parts of updates, at QoS 0 through the one session.
//!
//! A queue and a task that empties it, beside the stage, so that a slow disk holds back no command.
//! What finds no connection is dropped and counted: whoever needs an answer asks again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use measure::NodeKey;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wire::{COMMAND_BYTES_MAX, OTA_BYTES_MAX, Topic, TopicKind};

use crate::link::Gate;
use crate::ports::Counters;

/// The most messages to nodes that wait to be written; one more is refused.
pub const DOWNLINK_MESSAGES_MAX: usize = 256;

/// A handle on what is said to nodes; each clone speaks into the same queue.
#[derive(Clone, Debug, Default)]
pub struct Downlink(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<VecDeque<Said>>,
    more: Notify,
}

#[derive(Debug)]
struct Said {
    topic: String,
    payload: Vec<u8>,
}

/// Why a message to a node is not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// [`DOWNLINK_MESSAGES_MAX`] messages wait; try again later.
    #[error("{DOWNLINK_MESSAGES_MAX} messages to nodes wait already")]
    Full,
    /// The node would refuse it.
    #[error("a message of {bytes} bytes on `{kind}`, where {most} are the most")]
    TooLong {
        /// Where it was to go.
        kind: TopicKind,
        /// Its length.
        bytes: usize,
        /// The longest there.
        most: usize,
    },
    /// Other rooms speak on `cmd` and `ota` only.
    #[error("`{0}` is not for other rooms to speak on")]
    Topic(TopicKind),
}

impl Downlink {
    /// Says a message to a node on `cmd` or `ota`. It may be lost on the way: nothing tells.
    ///
    /// # Errors
    /// [`Unsent`] where it is not tried at all.
    pub fn publish(&self, node: &NodeKey, kind: TopicKind, payload: &[u8]) -> Result<(), Unsent> {
        let most = match kind {
            TopicKind::Command => COMMAND_BYTES_MAX,
            TopicKind::Ota => OTA_BYTES_MAX,
            TopicKind::Birth | TopicKind::Data | TopicKind::Death | TopicKind::Ack => {
                return Err(Unsent::Topic(kind));
            }
        };
        let bytes = payload.len();
        if bytes > most {
            return Err(Unsent::TooLong { kind, bytes, most });
        }
        let said = Said { topic: Topic::new(node, kind).to_string(), payload: payload.to_vec() };
        {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= DOWNLINK_MESSAGES_MAX {
                return Err(Unsent::Full);
            }
            waiting.push_back(said);
        }
        self.0.more.notify_one();
        Ok(())
    }

    fn next(&self) -> Option<Said> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Writes what is said until told to stop.
    pub(crate) async fn run(self, gate: Gate, counters: Arc<Counters>, stop: CancellationToken) {
        loop {
            while let Some(Said { topic, payload }) = self.next() {
                let is_sent = tokio::select! {
                    is_sent = gate.publish(&topic, &payload) => is_sent,
                    () = stop.cancelled() => return,
                };
                if is_sent { &counters.said } else { &counters.unsaid }.add(1);
            }
            tokio::select! {
                () = self.0.more.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeKey {
        NodeKey {
            site: measure::Slug::new("east").expect("a slug"),
            node: measure::Slug::new("n1").expect("a slug"),
        }
    }

    #[test]
    fn a_full_queue_refuses_one_more_and_keeps_the_order() {
        let downlink = Downlink::default();
        for nth in 0..DOWNLINK_MESSAGES_MAX {
            let nth = u8::try_from(nth % 256).expect("it is below 256");
            assert_eq!(downlink.publish(&node(), TopicKind::Command, &[nth]), Ok(()));
        }
        assert_eq!(downlink.publish(&node(), TopicKind::Command, &[0]), Err(Unsent::Full));
        let first = downlink.next().expect("it waits");
        assert_eq!((first.topic.as_str(), first.payload), ("miaopu/1/east/n1/cmd", vec![0]));
        assert_eq!(downlink.next().expect("it waits").payload, [1]);
        assert_eq!(downlink.publish(&node(), TopicKind::Ota, &[9]), Ok(()));
    }

    #[test]
    fn what_a_node_would_refuse_is_not_tried() {
        let downlink = Downlink::default();
        let long = vec![0; OTA_BYTES_MAX + 1];
        let (kind, bytes, most) = (TopicKind::Ota, OTA_BYTES_MAX + 1, OTA_BYTES_MAX);
        let refused = Err(Unsent::TooLong { kind, bytes, most });
        assert_eq!(downlink.publish(&node(), kind, &long), refused);
        assert_eq!(downlink.publish(&node(), TopicKind::Command, &long), Ok(()));
        for kind in [TopicKind::Birth, TopicKind::Data, TopicKind::Death, TopicKind::Ack] {
            assert_eq!(downlink.publish(&node(), kind, &[]), Err(Unsent::Topic(kind)));
        }
    }
}
