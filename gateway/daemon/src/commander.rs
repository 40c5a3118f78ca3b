//! Asks nodes to do something, until they answer.
//!
//! A command goes out at quality of service 0 and may be lost, so it is said again until its answer
//! comes: after [`RESEND`] with jitter, [`TRIES_MAX`] times. Then whoever asked is told that there was no
//! answer, or, where the command is as right tomorrow as today (settings, an interval, an update), it
//! waits for the node's next birth and begins anew.
//!
//! A node remembers only the id that it answered last, so one command at a time is on its way to a
//! node; the next one waits. Ids begin at a random number: after a restart of the gateway none is
//! taken for the one that a node answered last.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ingest::{Downlink, NodeEvent, Outlets};
use measure::NodeKey;
use tokio::{
    sync::{Notify, broadcast, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use wire::{COMMAND_BYTES_MAX, Command, Outcome, Request, TopicKind};

use crate::clock;

/// How long an answer may take before the command is said again, less than a quarter of it.
pub(crate) const RESEND: Duration = Duration::from_secs(10);
/// How often a command is said before it counts as not answered.
pub(crate) const TRIES_MAX: u32 = 6;
/// The most commands that wait for one node; one more is refused.
pub(crate) const COMMANDS_A_NODE_MAX: usize = 8;
/// How long the commander sleeps where nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The node does it.
    Done,
    /// The node understood it and will not; why, in the node's short word.
    Refused(String),
    /// The node's firmware does not know it.
    Unknown,
    /// The node did not answer.
    None,
}

/// A command that was taken on.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The id of the first try.
    pub(crate) id: u32,
    /// What becomes of it. Dropping this takes the command back.
    pub(crate) answer: oneshot::Receiver<Answer>,
}

/// Too many commands wait for this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// A handle on the commands of all nodes; each clone speaks of the same ones.
#[derive(Clone)]
pub(crate) struct Commander {
    waiting: Arc<Mutex<Waiting>>,
    woken: Arc<Notify>,
    downlink: Downlink,
}

struct Waiting {
    next_id: u32,
    nodes: BTreeMap<NodeKey, VecDeque<Pending>>,
}

struct Pending {
    id: u32,
    command: Command,
    tries: u32,
    /// When it is said next; `None`: at the next birth.
    due: Option<Instant>,
    tell: oneshot::Sender<Answer>,
}

impl Commander {
    /// Begins with this id, which is to be drawn at random.
    pub(crate) fn new(downlink: Downlink, first_id: u32) -> Self {
        let waiting = Waiting { next_id: first_id, nodes: BTreeMap::new() };
        Self { waiting: Arc::new(Mutex::new(waiting)), woken: Arc::default(), downlink }
    }

    /// Takes a command on; it goes out at once, unless another one is on its way to the node.
    ///
    /// # Errors
    /// `Busy` where [`COMMANDS_A_NODE_MAX`] commands wait for the node.
    pub(crate) fn ask(&self, node: &NodeKey, command: Command) -> Result<Asked, Busy> {
        let (tell, answer) = oneshot::channel();
        let mut waiting = self.lock();
        let id = waiting.next_id;
        let queue = waiting.nodes.entry(node.clone()).or_default();
        queue.retain(|pending| !pending.tell.is_closed());
        if queue.len() >= COMMANDS_A_NODE_MAX {
            return Err(Busy);
        }
        queue.push_back(Pending { id, command, tries: 0, due: Some(clock::instant()), tell });
        waiting.next_id = id.wrapping_add(1);
        drop(waiting);
        self.woken.notify_one();
        Ok(Asked { id, answer })
    }

    /// Says what is due and heeds answers until told to stop.
    pub(crate) async fn run(self, outlets: Arc<Outlets>, stop: CancellationToken) {
        let mut events = outlets.events.subscribe();
        loop {
            let due = self.say_due(clock::instant());
            let nap = due.map_or(IDLE, |due| due.saturating_duration_since(clock::instant()));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(nap) => {}
                () = self.woken.notified() => {}
                event = events.recv() => match event {
                    Ok(event) => self.heed(event),
                    // A lost answer comes again with the next try.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says every command that is due; returns when the next one is.
    fn say_due(&self, now: Instant) -> Option<Instant> {
        let mut waiting = self.lock();
        let mut next: Option<Instant> = None;
        for (node, queue) in &mut waiting.nodes {
            queue.retain(|pending| !pending.tell.is_closed());
            // Those that wait for a birth hold nobody up.
            while let Some(at) = queue.iter().position(|pending| pending.due.is_some()) {
                let Some(pending) = queue.get_mut(at) else { break };
                let due = pending.due.unwrap_or(now);
                if due > now {
                    next = Some(next.map_or(due, |known| known.min(due)));
                    break;
                }
                if pending.tries < TRIES_MAX {
                    self.say(node, pending, now);
                } else if waits_for_a_birth(&pending.command) {
                    (pending.due, pending.tries) = (None, 0);
                    debug!(%node, id = pending.id, "A command waits for the node's next birth.");
                } else if let Some(pending) = queue.remove(at) {
                    info!(%node, id = pending.id, "A node did not answer a command.");
                    answer(pending, Answer::None);
                }
            }
        }
        waiting.nodes.retain(|_, queue| !queue.is_empty());
        next
    }

    fn say(&self, node: &NodeKey, pending: &mut Pending, now: Instant) {
        let mut buffer = [0; COMMAND_BYTES_MAX];
        let request = Request { id: pending.id, command: pending.command.clone() };
        let written = wire::encode_command(&request, &mut buffer);
        let payload = written.map(|bytes| buffer.get(..bytes).unwrap_or_default());
        match payload {
            Ok(payload) => {
                if let Err(error) = self.downlink.publish(node, TopicKind::Command, payload) {
                    warn!(%node, %error, "Could not say a command; it is tried again.");
                }
            }
            Err(error) => warn!(%node, %error, "Cannot write a command."),
        }
        pending.tries += 1;
        pending.due = Some(now + RESEND + jitter(pending.id, pending.tries));
    }

    fn heed(&self, event: NodeEvent) {
        let mut waiting = self.lock();
        match event {
            NodeEvent::Answer { node, id, outcome, detail, .. } => {
                let Some(queue) = waiting.nodes.get_mut(&node) else { return };
                let at = queue.iter().position(|pending| pending.id == id);
                let Some(pending) = at.and_then(|at| queue.remove(at)) else { return };
                answer(
                    pending,
                    match outcome {
                        Outcome::Done => Answer::Done,
                        Outcome::Refused => Answer::Refused(detail),
                        Outcome::Unknown => Answer::Unknown,
                    },
                );
            }
            NodeEvent::Birth { node, .. } => {
                for pending in waiting.nodes.get_mut(&node).into_iter().flatten() {
                    if waits_for_a_birth(&pending.command) {
                        (pending.due, pending.tries) = (Some(clock::instant()), 0);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Returns whether a command is as right at the node's next birth as now.
fn waits_for_a_birth(command: &Command) -> bool {
    match command {
        Command::Interval(_) | Command::Configure(_) | Command::Update { .. } => true,
        // Whoever wanted to see it blink has gone.
        Command::Rebirth | Command::Identify | Command::Reboot => false,
    }
}

fn answer(pending: Pending, answer: Answer) {
    // Whoever asked may have gone; the node has done it all the same.
    drop(pending.tell.send(answer));
}

/// Returns up to a quarter of [`RESEND`], so that many nodes are not asked in step.
fn jitter(id: u32, tries: u32) -> Duration {
    let mixed = id.wrapping_mul(0x9E37_79B9).wrapping_add(tries.wrapping_mul(0x85EB_CA6B));
    RESEND / 4 * (mixed >> 24) / 256
}

#[cfg(test)]
mod tests;
