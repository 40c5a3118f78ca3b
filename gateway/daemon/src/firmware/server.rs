//! Gives nodes the firmware that people offer them: asks, serves chunks, keeps how far each has come.
//!
//! What is offered stands in the registry, so that a restart, another process or the page take the same
//! path: this stage looks there every [`LOOK`]. A node asks for each chunk itself and keeps its own
//! place, so nothing of a transfer lives here but the newest question of each node.
//!
//! # Limits
//!
//! | what | limit | what happens there |
//! |---|---|---|
//! | [`OTA_BYTES_PER_SECOND`] | 64 KiB of image a second, all nodes together | questions wait their turn |
//! | [`WANTS_MAX`] | 256 nodes with a question | one more is not heard; the node asks again |
//! | [`IMAGES_HELD_MAX`] | 4 images in memory | the one used longest ago is read anew |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ingest::{Downlink, NodeEvent, Outlets};
use measure::{NodeKey, Timestamp};
use registry::{Registry, Release, ReleaseKey, Rollout, RolloutState};
use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use wire::{Birth, CHUNK_BYTES_MAX, Chunk, Command, OTA_BYTES_MAX, TopicKind, UpdateState};

use crate::clock::{self, Clock};
use crate::commander::{Answer, Asked, Commander};

/// How many bytes of images leave the gateway in a second, all nodes together: an update must not crowd
/// out readings.
pub(crate) const OTA_BYTES_PER_SECOND: u32 = 65_536;
/// How many nodes may have a question waiting; one more is not heard and asks again.
pub(crate) const WANTS_MAX: usize = 256;
/// How many images are held in memory.
pub(crate) const IMAGES_HELD_MAX: usize = 4;
/// How often the registry is looked at for new offers, and what nodes said is put there.
const LOOK: Duration = Duration::from_secs(2);

type Image = Arc<(Release, Vec<u8>)>;
type Note = (NodeKey, ReleaseKey, RolloutState, u32, String);

/// The stage.
pub(crate) struct Server {
    registry: Arc<Registry>,
    downlink: Downlink,
    commander: Commander,
    clock: Clock,
    images: VecDeque<Image>,
    book: Book,
}

/// What is known of every rollout, and what follows from what nodes say. No I/O.
#[derive(Default)]
struct Book {
    rollouts: BTreeMap<NodeKey, Rollout>,
    /// Nodes whose rollout is ahead of the registry.
    unsaved: BTreeSet<NodeKey>,
    /// Nodes to ask again: they were born with the offer still open.
    ask_again: BTreeSet<NodeKey>,
    asked: BTreeMap<NodeKey, Ask>,
    wants: VecDeque<Want>,
}

/// How the offer to a node stands with the commander.
struct Ask {
    release: ReleaseKey,
    offered: Timestamp,
    /// `None` once the node has answered that it takes it.
    answer: Option<oneshot::Receiver<Answer>>,
}

/// What a node asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Want {
    node: NodeKey,
    release: ReleaseKey,
    offset: u32,
    length: u16,
}

impl Server {
    /// Makes the stage.
    pub(crate) fn new(
        registry: Arc<Registry>,
        downlink: Downlink,
        commander: Commander,
        clock: Clock,
    ) -> Self {
        let (images, book) = (VecDeque::new(), Book::default());
        Self { registry, downlink, commander, clock, images, book }
    }

    /// Serves until told to stop.
    pub(crate) async fn run(mut self, outlets: Arc<Outlets>, stop: CancellationToken) {
        let mut events = outlets.events.subscribe();
        let (mut look, mut turn) = (clock::instant(), clock::instant());
        loop {
            let has_wants = !self.book.wants.is_empty();
            tokio::select! {
                () = stop.cancelled() => break,
                event = events.recv() => match event {
                    Ok(event) => self.heed(&outlets, event),
                    // Nodes ask again, and a birth is looked up below.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                () = tokio::time::sleep_until(turn), if has_wants => {
                    turn = next_turn(clock::instant(), self.serve().await);
                }
                () = tokio::time::sleep_until(look) => {
                    self.look(&outlets).await;
                    look = clock::instant() + LOOK;
                }
            }
        }
        self.save().await;
    }

    fn heed(&mut self, outlets: &Outlets, event: NodeEvent) {
        let now = self.clock.now();
        match event {
            NodeEvent::Birth { node, .. } => {
                let birth = outlets.nodes.borrow().get(&node).map(|state| Arc::clone(&state.birth));
                if let Some(birth) = birth {
                    self.book.born(&node, &birth, now);
                }
            }
            NodeEvent::Update { node, release, state, offset, length, detail, .. } => {
                self.book.told(&node, release, (state, offset, length), &detail, now);
            }
            NodeEvent::Online { .. } | NodeEvent::Offline { .. } | NodeEvent::Answer { .. } => {}
        }
    }

    /// Puts what nodes said into the registry, takes from it what people offered, and asks nodes.
    async fn look(&mut self, outlets: &Outlets) {
        self.book.hear_answers(self.clock.now());
        self.save().await;
        if self.book.unsaved.is_empty() {
            let registry = Arc::clone(&self.registry);
            match tokio::task::spawn_blocking(move || registry.rollouts()).await {
                Ok(Ok(rollouts)) => self.book.take(rollouts),
                Ok(Err(error)) => error!(%error, "Firmware waits: the registry can't be read."),
                Err(error) => error!(%error, "Reading the rollouts panicked."),
            }
        }
        for (node, key) in self.book.take_unasked() {
            // What a node is, is known from its birth; without one it could not be heard either.
            let birth = outlets.nodes.borrow().get(&node).map(|state| Arc::clone(&state.birth));
            let Some(birth) = birth else { continue };
            self.book.born(&node, &birth, self.clock.now());
            if self.book.is_open(&node) {
                self.ask(node, key).await;
            }
        }
    }

    async fn ask(&mut self, node: NodeKey, key: ReleaseKey) {
        let Some(image) = self.image(&key).await else { return };
        let release = &image.0;
        let Ok(manifest) = release.manifest.as_slice().try_into() else {
            warn!(%node, "The manifest of a release is longer than a command may be.");
            return;
        };
        let command = Command::Update { manifest, signature: release.signature };
        let Ok(Asked { answer, .. }) = self.commander.ask(&node, command) else {
            debug!(%node, "Other commands wait for the node; the offer comes later.");
            return;
        };
        info!(%node, release = key.number, "Offered firmware.");
        self.book.asked(node, key, answer);
    }

    /// Sends one chunk; returns how many bytes left.
    async fn serve(&mut self) -> u32 {
        let Some(want) = self.book.wants.pop_front() else { return 0 };
        let Some(image) = self.image(&want.release).await else { return 0 };
        let Some(bytes) = slice(&image.1, want.offset, want.length) else {
            debug!(node = %want.node, want.offset, "A node asks for bytes that there are not.");
            return 0;
        };
        let mut buffer = [0; OTA_BYTES_MAX];
        let chunk = Chunk { release: want.release.number, offset: want.offset, bytes };
        let sent = bytes.len();
        let Ok(length) = wire::encode_chunk(&chunk, &mut buffer) else { return 0 };
        let payload = buffer.get(..length).unwrap_or_default();
        if let Err(error) = self.downlink.publish(&want.node, TopicKind::Ota, payload) {
            debug!(node = %want.node, %error, "A chunk was not sent; the node asks again.");
        }
        u32::try_from(sent).unwrap_or(u32::MAX)
    }

    async fn image(&mut self, key: &ReleaseKey) -> Option<Image> {
        if let Some(at) = self.images.iter().position(|image| image.0.key == *key) {
            let image = self.images.remove(at)?;
            self.images.push_back(Arc::clone(&image));
            return Some(image);
        }
        let (registry, wanted) = (Arc::clone(&self.registry), key.clone());
        let read = tokio::task::spawn_blocking(move || registry.release(&wanted)).await;
        match read {
            Ok(Ok(Some(found))) => {
                let image = Arc::new(found);
                if self.images.len() >= IMAGES_HELD_MAX {
                    self.images.pop_front();
                }
                self.images.push_back(Arc::clone(&image));
                Some(image)
            }
            Ok(Ok(None)) => None,
            Ok(Err(error)) => {
                error!(%error, "Firmware waits: the registry can't be read.");
                None
            }
            Err(error) => {
                error!(%error, "Reading a release panicked.");
                None
            }
        }
    }

    async fn save(&mut self) {
        let notes = self.book.unsaved();
        if notes.is_empty() {
            return;
        }
        let (registry, now) = (Arc::clone(&self.registry), self.clock.now());
        let saved = tokio::task::spawn_blocking(move || registry.note_rollouts(&notes, now)).await;
        match saved {
            Ok(Ok(())) => self.book.unsaved.clear(),
            Ok(Err(error)) => error!(%error, "How far nodes have come can't be kept; tried again."),
            Err(error) => error!(%error, "Keeping how far nodes have come panicked."),
        }
    }
}

impl Book {
    /// Takes the rollouts as the registry has them.
    fn take(&mut self, rollouts: Vec<Rollout>) {
        self.rollouts = rollouts.into_iter().map(|it| (it.node.clone(), it)).collect();
        let rollouts = &self.rollouts;
        // A command whose offer is over, or is another one now, is taken back.
        self.asked.retain(|node, ask| {
            rollouts.get(node).is_some_and(|it| {
                it.state.is_open() && it.release == ask.release && it.offered == ask.offered
            })
        });
    }

    fn is_open(&self, node: &NodeKey) -> bool {
        self.rollouts.get(node).is_some_and(|it| it.state.is_open())
    }

    /// Returns whom to ask: who was offered something and was not asked, and who was born since.
    fn take_unasked(&mut self) -> Vec<(NodeKey, ReleaseKey)> {
        let again = std::mem::take(&mut self.ask_again);
        self.rollouts
            .values()
            .filter(|it| {
                let is_new = it.state == RolloutState::Offered || again.contains(&it.node);
                it.state.is_open() && is_new && !self.asked.contains_key(&it.node)
            })
            .map(|it| (it.node.clone(), it.release.clone()))
            .collect()
    }

    fn asked(&mut self, node: NodeKey, release: ReleaseKey, answer: oneshot::Receiver<Answer>) {
        let Some(offered) = self.rollouts.get(&node).map(|it| it.offered) else { return };
        self.asked.insert(node, Ask { release, offered, answer: Some(answer) });
    }

    fn hear_answers(&mut self, now: Timestamp) {
        let mut refused = Vec::new();
        self.asked.retain(|node, ask| {
            let Some(answer) = &mut ask.answer else { return true };
            match answer.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => return true,
                Ok(Answer::Done) => {
                    ask.answer = None;
                    return true;
                }
                Ok(Answer::Refused(detail)) => refused.push((node.clone(), detail)),
                Ok(Answer::Unknown) => refused.push((node.clone(), "knows no updates".to_owned())),
                Ok(Answer::None) | Err(oneshot::error::TryRecvError::Closed) => {}
            }
            false
        });
        for (node, detail) in refused {
            self.set(&node, RolloutState::Refused, None, &detail, now);
        }
    }

    /// Heeds what a node says of itself at its birth.
    fn born(&mut self, node: &NodeKey, birth: &Birth, now: Timestamp) {
        let Some(rollout) = self.rollouts.get(node) else { return };
        let (key, state) = (rollout.release.clone(), rollout.state);
        let is_for_it = birth.target.as_ref() == Some(&key.target);
        match (birth.release.cmp(&key.number), state) {
            (_, state) if !is_for_it && state.is_open() => {
                let made_for = birth.target.as_ref().map_or("no updates", |it| it.as_str());
                self.set(
                    node,
                    RolloutState::Refused,
                    None,
                    &format!("node is for {made_for}"),
                    now,
                );
            }
            (std::cmp::Ordering::Equal, _) if is_for_it => {
                self.set(node, RolloutState::Confirmed, None, "", now);
            }
            (std::cmp::Ordering::Greater, state) if state.is_open() => {
                let detail = format!("it runs release {}", birth.release);
                self.set(node, RolloutState::Refused, None, &detail, now);
            }
            (std::cmp::Ordering::Less, RolloutState::Trial | RolloutState::Confirmed) => {
                self.set(node, RolloutState::RolledBack, None, "", now);
            }
            (std::cmp::Ordering::Less, state) if state.is_open() => {
                // One that is still on its way is said again by the commander itself.
                if self.asked.get(node).is_some_and(|ask| ask.answer.is_none()) {
                    self.asked.remove(node);
                }
                self.ask_again.insert(node.clone());
            }
            _ => {}
        }
    }

    /// Heeds what a node says of its update.
    fn told(
        &mut self,
        node: &NodeKey,
        release: u32,
        (state, offset, length): (UpdateState, u32, u16),
        detail: &str,
        now: Timestamp,
    ) {
        let Some(rollout) = self.rollouts.get(node).filter(|it| it.release.number == release)
        else {
            return;
        };
        let (key, is_open) = (rollout.release.clone(), rollout.state.is_open());
        let state = match state {
            // An offer that was taken back, or is over, is served no more.
            UpdateState::Wanting if !is_open => return,
            UpdateState::Wanting => {
                self.want(Want { node: node.clone(), release: key, offset, length });
                RolloutState::Wanting
            }
            UpdateState::Staged => RolloutState::Staged,
            UpdateState::Trial => RolloutState::Trial,
            UpdateState::Confirmed => RolloutState::Confirmed,
            UpdateState::RolledBack => RolloutState::RolledBack,
            UpdateState::Refused => RolloutState::Refused,
        };
        self.set(node, state, Some(offset), detail, now);
    }

    /// Keeps the newest question of each node.
    fn want(&mut self, want: Want) {
        if let Some(older) = self.wants.iter_mut().find(|it| it.node == want.node) {
            *older = want;
        } else if self.wants.len() < WANTS_MAX {
            self.wants.push_back(want);
        }
    }

    fn set(
        &mut self,
        node: &NodeKey,
        state: RolloutState,
        had: Option<u32>,
        detail: &str,
        now: Timestamp,
    ) {
        let Some(rollout) = self.rollouts.get_mut(node) else { return };
        let had = had.unwrap_or(rollout.had);
        if (rollout.state, rollout.had, rollout.detail.as_str()) == (state, had, detail) {
            return;
        }
        if rollout.state != state {
            info!(%node, release = rollout.release.number, state = state.name(), detail, "Firmware.");
            rollout.changed = now;
        }
        (rollout.state, rollout.had) = (state, had);
        detail.clone_into(&mut rollout.detail);
        self.unsaved.insert(node.clone());
    }

    fn unsaved(&self) -> Vec<Note> {
        let rollouts = self.unsaved.iter().filter_map(|node| self.rollouts.get(node));
        rollouts
            .map(|it| (it.node.clone(), it.release.clone(), it.state, it.had, it.detail.clone()))
            .collect()
    }
}

/// Returns the bytes that are asked for; `None` where the image has none there, or too many are wanted.
fn slice(image: &[u8], offset: u32, length: u16) -> Option<&[u8]> {
    let (start, length) = (usize::try_from(offset).ok()?, usize::from(length));
    if length == 0 || length > CHUNK_BYTES_MAX {
        return None;
    }
    image.get(start..start.checked_add(length)?)
}

/// Returns when the next chunk may leave.
fn next_turn(now: Instant, bytes: u32) -> Instant {
    now + Duration::from_micros(u64::from(bytes) * 1_000_000 / u64::from(OTA_BYTES_PER_SECOND))
}

#[cfg(test)]
mod tests;
