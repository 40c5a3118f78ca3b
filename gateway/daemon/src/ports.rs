//! The registry as the other rooms want to see it: who may connect, who was born, what was garbled.

use std::sync::Arc;

use broker::{Gatekeeper, Rights};
use ingest::{DeadLetters, Directory, Inlet, LocalEpisodes, PortError};
use measure::{NodeKey, Slug, Timestamp};
use registry::Registry;
use tracing::error;
use wire::Birth;

use crate::{credentials::Secret, reserve::Reserve};

/// The user name of the gateway's own session at its own broker. No node can have it: a node's holds
/// a `/`.
pub(crate) const GATEWAY_USER: &str = "gateway";

/// Admits nodes by the registry, and the gateway itself by a password drawn at its start.
pub(crate) struct Gate {
    pub(crate) registry: Arc<Registry>,
    pub(crate) own_password: Secret,
}

impl Gatekeeper for Gate {
    fn admit(&self, client_id: &str, username: &str, password: &[u8]) -> Option<Rights> {
        if username == GATEWAY_USER {
            let own = password == self.own_password.reveal().as_bytes();
            return own.then_some(Rights::Gateway);
        }
        let (site, node) = username.split_once('/')?;
        let key = NodeKey { site: Slug::new(site).ok()?, node: Slug::new(node).ok()? };
        let secret = std::str::from_utf8(password).ok()?;
        match self.registry.admits(&key, secret) {
            Ok(admitted) => admitted.then_some(Rights::Node(key)),
            Err(error) => {
                error!(%error, client = client_id, "Cannot look up a node; it is refused for now.");
                None
            }
        }
    }
}

/// Hands what nodes say to ingest, without a session between broker and ingest.
pub(crate) struct Ear(pub(crate) Inlet);

#[async_trait::async_trait]
impl broker::Listener for Ear {
    async fn hear(&self, topic: &str, payload: &bytes::Bytes) {
        let kind = topic.rsplit('/').next().unwrap_or_default();
        if ingest::HANDED_OVER.contains(&kind) {
            self.0.hand_over(topic, payload.clone()).await;
        }
    }
}

/// Births and dead letters, kept by the registry.
pub(crate) struct Desk {
    pub(crate) registry: Arc<Registry>,
    pub(crate) reserve: Arc<Reserve>,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Directory for Desk {
    fn load(&self) -> Result<Vec<(NodeKey, Birth)>, PortError> {
        let mut found = Vec::new();
        for kept in self.registry.births()? {
            match wire::decode_birth(&kept.frame) {
                Ok(birth) => found.push((kept.node, birth)),
                // An older version's: the node is asked for another one.
                Err(error) => {
                    error!(%error, node = %kept.node, "Cannot read a kept birth; it is asked for again.");
                }
            }
        }
        Ok(found)
    }

    fn save(&self, births: &[(NodeKey, Birth)]) -> Result<(), PortError> {
        for (node, birth) in births {
            let mut frame = vec![0; wire::BIRTH_BYTES_MAX];
            let length = wire::encode_birth(birth, &mut frame)?;
            frame.truncate(length);
            let received = (self.clock)();
            self.registry.save_birth(&registry::Birth { node: node.clone(), received, frame })?;
        }
        Ok(())
    }

    fn is_known(&self, node: &NodeKey) -> Result<bool, PortError> {
        Ok(self.registry.knows_node(node)?)
    }
}

impl DeadLetters for Desk {
    fn put(&self, letters: &[ingest::DeadLetter]) -> Result<(), PortError> {
        if self.reserve.is_short() {
            return Err("the disk is full, and what is left of it is for alarms and people".into());
        }
        let letters: Vec<registry::DeadLetter> = letters
            .iter()
            .map(|letter| registry::DeadLetter {
                received: letter.time,
                topic: letter.topic.clone(),
                reason: letter.reason.clone(),
                payload: letter.payload.clone(),
            })
            .collect();
        Ok(self.registry.add_dead_letters(&letters)?)
    }

    fn asked(&self, most: usize) -> Result<Vec<(i64, ingest::DeadLetter)>, PortError> {
        let asked = self.registry.dead_letters_asked(most)?;
        Ok(asked
            .into_iter()
            .map(|it| {
                let registry::DeadLetter { received, topic, reason, payload } = it.letter;
                (it.number, ingest::DeadLetter { topic, payload, reason, time: received })
            })
            .collect())
    }

    fn settle(&self, outcomes: &[(i64, Result<(), String>)]) -> Result<(), PortError> {
        Ok(self.registry.settle_dead_letters(outcomes, (self.clock)())?)
    }
}

impl LocalEpisodes for Desk {
    fn keep(&self, events: &[ingest::LocalEvent]) -> Result<(), PortError> {
        let state = |state| match state {
            wire::EventState::Raised => registry::LocalState::Raised,
            wire::EventState::Returned => registry::LocalState::Returned,
            wire::EventState::Cancelled => registry::LocalState::Cancelled,
        };
        let events: Vec<registry::LocalEvent> = events
            .iter()
            .map(|event| registry::LocalEvent {
                node: event.node.clone(),
                flash: event.flash,
                sequence: event.sequence,
                episode: event.episode,
                position: event.position.clone(),
                quantity: event.quantity,
                rule: event.rule,
                state: state(event.state),
                at: event.at,
                uncertain: event.uncertain,
                value: event.value,
                outputs: event.outputs,
                received: event.received,
            })
            .collect();
        Ok(self.registry.keep_local_events(&events)?)
    }
}
