//! What ingest needs of the rooms around it, and what it tells them.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use measure::{FlashId, NodeKey, Quantity, Scaled, Sequence, Slug, Timestamp};
use store::{Incoming, Position};
use tokio::sync::{broadcast, watch};
use wire::{Birth, EventState, Outcome, UpdateState};

use crate::downlink::Downlink;
use crate::inlet::Inlet;

/// The most events that wait for a slow reader of [`Outlets::events`]; beyond it the oldest are
/// gone for that reader, who is told so (`Lagged`) and reads [`Outlets::nodes`] instead.
pub const EVENTS_MAX: usize = 1_024;
/// The most dead letters put away with one batch; beyond it they are counted only.
pub const DEAD_LETTERS_PER_BATCH_MAX: usize = 16;

/// What a room around ingest answers when it cannot do what it was asked.
pub type PortError = Box<dyn StdError + Send + Sync>;

/// The gateway's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Knows which nodes there are, and keeps the last birth of each. May block on a database.
pub trait Directory: Send + Sync {
    /// Returns the last birth of each node that had one. Asked once, at the start.
    ///
    /// # Errors
    /// What the database says; ingest does not start then.
    fn load(&self) -> Result<Vec<(NodeKey, Birth)>, PortError>;

    /// Keeps births, each in place of the node's earlier one: on disk when this returns.
    ///
    /// # Errors
    /// What the database says; none of the births is acknowledged then, and their nodes come again.
    fn save(&self, births: &[(NodeKey, Birth)]) -> Result<(), PortError>;

    /// Returns whether the node was added by a person. Asked at every birth.
    ///
    /// # Errors
    /// What the database says; the birth is not acknowledged then.
    fn is_known(&self, node: &NodeKey) -> Result<bool, PortError>;
}

/// What could not be understood, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic, lossily as text where it is none.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// Why it was put away.
    pub reason: String,
    /// When it was received.
    pub time: Timestamp,
}

/// Keeps dead letters, a bounded number of them: the oldest is dropped. May block on a database.
pub trait DeadLetters: Send + Sync {
    /// Keeps letters: on disk when this returns.
    ///
    /// # Errors
    /// What the database says; the letters are counted and lost then, the flow goes on.
    fn put(&self, letters: &[DeadLetter]) -> Result<(), PortError>;

    /// Returns letters that a person wants to be taken again, with their numbers, oldest first, at most
    /// so many. Asked every second.
    ///
    /// # Errors
    /// What the database says; it is asked again.
    fn asked(&self, most: usize) -> Result<Vec<(i64, DeadLetter)>, PortError>;

    /// Notes what became of letters: in the store, or why not. They are not asked for any more then.
    ///
    /// # Errors
    /// What the database says; the letters are taken once more, which stores nothing twice.
    fn settle(&self, outcomes: &[(i64, Result<(), String>)]) -> Result<(), PortError>;
}

/// What a node judged itself, dated as its readings are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEvent {
    /// The node.
    pub node: NodeKey,
    /// The life of the flash that sequences count in.
    pub flash: FlashId,
    /// Its sequence; with node and flash its name for good.
    pub sequence: Sequence,
    /// The sequence of the event that raised the episode.
    pub episode: Sequence,
    /// Where on the node's bench.
    pub position: Slug,
    /// What was judged.
    pub quantity: Quantity,
    /// The number that the gateway gave the limit.
    pub rule: u32,
    /// What happened.
    pub state: EventState,
    /// When.
    pub at: Timestamp,
    /// The time is an estimate.
    pub uncertain: bool,
    /// The value that decided.
    pub value: Scaled,
    /// The outputs driven from here on, one bit each.
    pub outputs: u8,
    /// When the gateway received it.
    pub received: Timestamp,
}

/// Keeps what nodes judged themselves. May block on a database.
pub trait LocalEpisodes: Send + Sync {
    /// Keeps events: on disk when this returns. The same event comes again and again until its node has
    /// heard the acknowledgement, so one that is there already must change nothing.
    ///
    /// # Errors
    /// What the database says; none of the events is acknowledged then, and their nodes send them again.
    fn keep(&self, events: &[LocalEvent]) -> Result<(), PortError>;
}

/// Flags readings before they are kept. Called for each commit in turn, never twice at once.
pub trait Assess: Send + Sync {
    /// Puts the flag on each of the readings of one flash that are about to be kept, in the order of
    /// their frames; `None`: of a node without sequences. Only [`Sample::quality`](store::Sample) may
    /// change. Repeats are among them, and so may be readings that were given before and not kept.
    fn assess(&self, flash: Option<FlashId>, samples: &mut [Incoming]);

    /// Says whether what was given since this was last said is on disk now.
    fn settle(&self, kept: bool);
}

/// Leaves the flags as the nodes gave them.
#[derive(Clone, Copy, Debug)]
pub struct Unassessed;

impl Assess for Unassessed {
    fn assess(&self, _flash: Option<FlashId>, _samples: &mut [Incoming]) {}

    fn settle(&self, _kept: bool) {}
}

/// Whether a node is connected, as far as births and deaths say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing was heard since the gateway started.
    Unknown,
    /// It was born or sent data.
    Online,
    /// Its will was published.
    Offline,
}

/// What is known of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeState {
    /// Its last birth.
    pub birth: Arc<Birth>,
    /// When the gateway received that birth; `None` where it is from an earlier run.
    pub born: Option<Timestamp>,
    /// Whether it is connected.
    pub presence: Presence,
    /// Since when; `None` where nothing was heard since the gateway started.
    pub since: Option<Timestamp>,
    /// When anything was last received of it, retained messages aside. Changes without waking the
    /// watchers.
    pub heard: Option<Timestamp>,
}

/// Every node that was ever born, by name.
pub type Nodes = BTreeMap<NodeKey, NodeState>;

/// What happened to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// It was born: its birth is in [`Outlets::nodes`].
    Birth {
        /// The node.
        node: NodeKey,
        /// When.
        at: Timestamp,
    },
    /// It is connected, and was not before.
    Online {
        /// The node.
        node: NodeKey,
        /// When.
        at: Timestamp,
    },
    /// Its connection broke.
    Offline {
        /// The node.
        node: NodeKey,
        /// When.
        at: Timestamp,
    },
    /// It answered a command.
    Answer {
        /// The node.
        node: NodeKey,
        /// The id of the command.
        id: u32,
        /// What became of it.
        outcome: Outcome,
        /// Where it was refused: what is wrong.
        detail: String,
        /// When.
        at: Timestamp,
    },
    /// It said how far an update has come, and which bytes it wants.
    Update {
        /// The node.
        node: NodeKey,
        /// The release.
        release: u32,
        /// How far it has come.
        state: UpdateState,
        /// The first byte that is wanted.
        offset: u32,
        /// How many; 0: none.
        length: u16,
        /// Where it was refused: why.
        detail: String,
        /// When.
        at: Timestamp,
    },
}

/// How the session with the broker stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not connected yet.
    Connecting,
    /// Connected and subscribed.
    Up,
    /// The connection broke or was refused; it is tried again.
    Down {
        /// Why.
        reason: String,
    },
}

/// How the store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The last commit succeeded.
    Good,
    /// Commits fail: nothing is acknowledged, the same batch is tried again, and the nodes keep
    /// their readings.
    Failing {
        /// Since when.
        since: Timestamp,
        /// What the store says.
        reason: String,
        /// Whether it may pass by itself.
        transient: bool,
    },
}

/// How ingest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The session with the broker.
    pub link: Link,
    /// The store.
    pub storage: Storage,
}

/// Where ingest tells what it does. Subscribe before [`run`](crate::run) takes it.
#[derive(Debug)]
pub struct Outlets {
    /// The position of the last commit.
    pub position: watch::Sender<Position>,
    /// What is known of every node. Wakes its watchers when a birth or a presence changes.
    pub nodes: watch::Sender<Nodes>,
    /// What happens to nodes, as it happens.
    pub events: broadcast::Sender<NodeEvent>,
    /// How ingest is.
    pub health: watch::Sender<Health>,
    /// What was counted.
    pub counters: Arc<Counters>,
    /// What other rooms say to nodes: the one way in.
    pub downlink: Downlink,
    /// Where a broker of this process hands over what nodes say. Its inbox is read by one
    /// [`run`](crate::run) only.
    pub inlet: Inlet,
}

impl Default for Outlets {
    fn default() -> Self {
        let counters = Arc::new(Counters::default());
        Self {
            position: watch::Sender::new(Position::default()),
            nodes: watch::Sender::new(Nodes::new()),
            events: broadcast::Sender::new(EVENTS_MAX),
            health: watch::Sender::new(Health { link: Link::Connecting, storage: Storage::Good }),
            inlet: Inlet::new(Arc::clone(&counters)),
            counters,
            downlink: Downlink::default(),
        }
    }
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages received.
    pub messages: Count,
    /// Events of nodes' own judgement put on disk, repeats included.
    pub local_events: Count,
    /// Samples that the store newly kept.
    pub kept: Count,
    /// Samples that the store had before.
    pub repeated: Count,
    /// Samples kept at the next free microsecond, because another one stood at their time.
    pub shifted: Count,
    /// Samples kept although their channel had a newer one already.
    pub late: Count,
    /// Commits.
    pub commits: Count,
    /// Commits that failed and were tried again.
    pub commit_failures: Count,
    /// Acknowledgements sent to nodes.
    pub acknowledgements: Count,
    /// Messages of other rooms that were said to nodes.
    pub said: Count,
    /// Messages of other rooms that found no connection and were dropped.
    pub unsaid: Count,
    /// Births that nodes were asked for.
    pub rebirths: Count,
    /// Messages that were not understood, whether there was room to keep them or not.
    pub dead_letters: Count,
    /// Dead letters that were taken again and are in the store now.
    pub letters_replayed: Count,
    /// Births refused because nobody added their node.
    pub unknown_nodes: Count,
    /// Messages refused because of a limit of the store: their nodes keep them.
    pub beyond_limit: Count,
    /// Messages that found the queue between broker and store full; their nodes send them again.
    pub overflows: Count,
    /// Connections made to the broker.
    pub connections: Count,
    /// Subscriptions asked for again because nothing came through them.
    pub resubscriptions: Count,
    /// Sessions at the broker that were given up because of a packet that can't be taken.
    pub poisoned_sessions: Count,
}

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Returns the count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}
