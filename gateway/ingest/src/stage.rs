//! Gathers messages into batches and takes each one from the inbox to its acknowledgements.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use measure::NodeKey;
use store::Position;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wire::{
    ACK_BYTES_MAX, Ack, COMMAND_BYTES_MAX, Command, READINGS_MAX, Request, Topic, TopicKind,
};

use crate::commit::{Committer, Kept};
use crate::intake::{Arrival, Frame, Intake, Sorted};
use crate::letters::{self, LETTERS_PER_LOOK_MAX};
use crate::link::{Delivered, Delivery, Gate};
use crate::ports::{Clock, DeadLetters, NodeState, Nodes, Outlets, Presence, Storage};
use crate::{Config, Error, Ports};

/// The most messages in one commit, fewer where they may hold more readings than the store takes at
/// once; the next ones go into the next.
pub const MESSAGES_PER_COMMIT_MAX: usize = 1_024;
/// The longest that a batch waits for more messages after its first one.
pub const LINGER_MAX: Duration = Duration::from_millis(50);

/// With so many messages a batch waits for no more: the commit is large enough to be worth its sync.
const MESSAGES_ENOUGH: usize = 128;

/// A reading is a CBOR array of three items or more, of a byte each at least.
const READING_BYTES_MIN: usize = 4;

/// How often a node may be asked for its birth.
const REBIRTH_QUIET: Duration = Duration::from_secs(10);
/// How often the same fault of the same sender may have a line.
const LOG_QUIET: Duration = Duration::from_secs(60);
/// How often it is looked for dead letters to take again.
const LETTERS_LOOK: Duration = Duration::from_secs(1);
/// How long to wait after a failed commit; doubled until [`COMMIT_RETRY_MAX`].
const COMMIT_RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two tries to commit.
const COMMIT_RETRY_MAX: Duration = Duration::from_secs(10);

pub(crate) struct Stage {
    intake: Intake,
    committer: Committer,
    dead_letters: Arc<dyn DeadLetters>,
    outlets: Arc<Outlets>,
    gate: Gate,
    clock: Clock,
    linger: Duration,
}

/// What is left to do when told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    GoesOn,
    Stopped,
}

/// The stage after a batch, with what is left to do.
type Processed = Result<(Box<Stage>, Flow), Error>;

/// Where the stage is: with a batch on its way to the disk, or free.
enum Work {
    Idle(Box<Stage>),
    Busy(JoinHandle<Processed>),
}

impl Work {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Busy(task) if !task.is_finished())
    }

    /// Waits until the batch at hand is done.
    async fn end(self) -> Processed {
        match self {
            Self::Idle(stage) => Ok((stage, Flow::GoesOn)),
            Self::Busy(task) => task.await.map_err(Error::Panicked)?,
        }
    }
}

/// A batch that is being gathered.
struct Gathered {
    messages: Vec<Delivered>,
    /// The most readings that they can hold.
    readings: usize,
}

impl Gathered {
    fn new(first: Delivered) -> Self {
        let readings = readings_max(&first);
        Self { messages: vec![first], readings }
    }

    fn push(&mut self, next: Delivered) {
        self.readings += readings_max(&next);
        self.messages.push(next);
    }

    fn has_room(&self) -> bool {
        self.messages.len() < MESSAGES_PER_COMMIT_MAX
            && self.readings + READINGS_MAX <= store::BATCH_SAMPLES_MAX
    }

    /// Waits for more for a while, or until there are enough.
    async fn linger(
        &mut self,
        linger: Duration,
        inbox: &mut mpsc::Receiver<Delivered>,
        stop: &CancellationToken,
    ) {
        let linger = tokio::time::sleep(linger);
        tokio::pin!(linger);
        while self.messages.len() < MESSAGES_ENOUGH && self.has_room() {
            tokio::select! {
                biased;
                next = inbox.recv() => match next {
                    Some(next) => self.push(next),
                    None => break,
                },
                () = &mut linger => break,
                () = stop.cancelled() => break,
            }
        }
    }

    /// Takes what comes until the batch before is done, and what is there by then.
    async fn outlast(&mut self, before: Work, inbox: &mut mpsc::Receiver<Delivered>) -> Processed {
        let before = before.end();
        tokio::pin!(before);
        let done = loop {
            let has_room = self.has_room();
            tokio::select! {
                biased;
                done = &mut before => break done,
                Some(next) = inbox.recv(), if has_room => self.push(next),
            }
        };
        while self.has_room()
            && let Ok(next) = inbox.try_recv()
        {
            self.push(next);
        }
        done
    }
}

impl Stage {
    pub(crate) async fn new(
        config: &Config,
        ports: Ports,
        outlets: Arc<Outlets>,
        gate: Gate,
    ) -> Result<Self, Error> {
        let directory = Arc::clone(&ports.directory);
        let births = blocking(move || directory.load()).await?.map_err(Error::Directory)?;
        let nodes: Nodes = births
            .into_iter()
            .map(|(node, birth)| {
                let birth = Arc::new(birth);
                let presence = Presence::Unknown;
                (node, NodeState { birth, born: None, presence, since: None, heard: None })
            })
            .collect();
        outlets.nodes.send_replace(nodes);
        let counters = Arc::clone(&outlets.counters);
        let dead_letters = Arc::clone(&ports.dead_letters);
        Ok(Self {
            dead_letters,
            intake: Intake::new(ports.directory, ports.dead_letters, Arc::clone(&outlets)),
            committer: Committer::new(ports.store, ports.episodes, ports.assess, counters),
            outlets,
            gate,
            clock: ports.clock,
            linger: config.linger.min(LINGER_MAX),
        })
    }

    /// Takes batches until told to stop, or until the session is gone.
    ///
    /// While one batch is on its way to the disk the next one is gathered, so that a slow disk makes
    /// larger commits and not a longer queue.
    pub(crate) async fn run(
        self,
        mut inbox: mpsc::Receiver<Delivered>,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let mut ask_again = every(REBIRTH_QUIET);
        let mut speak_again = every(LOG_QUIET);
        let mut look = every(LETTERS_LOOK);
        // What is due once the batch under way is done.
        let (mut may_ask, mut may_speak, mut may_look) = (false, false, false);
        let linger = self.linger;
        let mut work = Work::Idle(Box::new(self));
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => return work.end().await.map(drop),
                _ = ask_again.tick() => {
                    may_ask = true;
                    continue;
                }
                _ = speak_again.tick() => {
                    may_speak = true;
                    continue;
                }
                _ = look.tick() => {
                    may_look = work.is_busy();
                    if !may_look {
                        let (stage, flow) = work.end().await?;
                        if flow == Flow::Stopped {
                            return Ok(());
                        }
                        work = Work::Idle(stage.take_letters_again().await?);
                    }
                    continue;
                }
                first = inbox.recv() => first,
            };
            let Some(first) = first else { return work.end().await.map(drop) };
            let mut batch = Gathered::new(first);
            batch.linger(linger, &mut inbox, &stop).await;
            let (mut stage, flow) = batch.outlast(work, &mut inbox).await?;
            if flow == Flow::Stopped {
                return Ok(());
            }
            if std::mem::take(&mut may_ask) {
                stage.intake.ask_again();
            }
            if std::mem::take(&mut may_speak) {
                stage.intake.speak_again();
            }
            if std::mem::take(&mut may_look) {
                stage = stage.take_letters_again().await?;
            }
            let stop = stop.clone();
            let process = async move { stage.process(batch.messages, &stop).await };
            work = Work::Busy(tokio::spawn(process));
        }
    }

    /// Takes dead letters again that somebody asked for.
    async fn take_letters_again(self: Box<Self>) -> Result<Box<Self>, Error> {
        let (stage, position) = blocking(move || {
            let mut stage = self;
            let position = stage.retake();
            (stage, position)
        })
        .await?;
        stage.announce(position);
        Ok(stage)
    }

    /// Returns the position of the last commit, if there was one.
    fn retake(&mut self) -> Option<Position> {
        let asked = match self.dead_letters.asked(LETTERS_PER_LOOK_MAX) {
            Ok(asked) => asked,
            Err(error) => {
                warn!(%error, "Cannot look for dead letters to take again.");
                return None;
            }
        };
        let (mut position, mut outcomes) = (None, Vec::with_capacity(asked.len()));
        for (number, letter) in asked {
            let found = letters::frame(&letter, &self.outlets.nodes.borrow());
            let outcome = match found.map(|frame| self.committer.commit(&[frame])) {
                Err(reason) => Err(reason),
                Ok(Ok(kept)) if kept.units.is_empty() => {
                    Err("the store refuses it; the log says why".to_owned())
                }
                Ok(Ok(kept)) => {
                    position = kept.position.or(position);
                    self.outlets.counters.letters_replayed.add(1);
                    Ok(())
                }
                Ok(Err(error)) => {
                    warn!(%error, number, "The store takes no dead letter now; it is tried again.");
                    break;
                }
            };
            outcomes.push((number, outcome));
        }
        if !outcomes.is_empty()
            && let Err(error) = self.dead_letters.settle(&outcomes)
        {
            let letters = outcomes.len();
            warn!(%error, letters, "Cannot note what became of dead letters; they are taken once more.");
        }
        position
    }

    async fn process(
        self: Box<Self>,
        batch: Vec<Delivered>,
        stop: &CancellationToken,
    ) -> Processed {
        let (arrivals, deliveries) = parted(batch);
        let (mut stage, sorted) = blocking(move || {
            let mut stage = self;
            let sorted = stage.intake.sort(&arrivals);
            (stage, sorted)
        })
        .await?;
        let Sorted { frames, born, rebirths } = sorted;
        stage.answer_births(born).await;
        stage.ask_for_births(rebirths).await;
        #[cfg(feature = "break-ack")]
        let deliveries = stage.acknowledge_unstored(&frames, deliveries).await;
        if !frames.is_empty() {
            let kept = match stage.commit(frames, stop).await? {
                (same, Some(kept)) => {
                    stage = same;
                    kept
                }
                (same, None) => return Ok((same, Flow::Stopped)),
            };
            stage.settle(deliveries).await;
            stage.acknowledge(kept).await;
        } else {
            stage.settle(deliveries).await;
        }
        Ok((stage, Flow::GoesOn))
    }

    /// The fault of the feature `break-ack`: acknowledges first, and commits three seconds later.
    #[cfg(feature = "break-ack")]
    async fn acknowledge_unstored(
        &self,
        frames: &[Frame],
        deliveries: Vec<Delivery>,
    ) -> Vec<Delivery> {
        self.settle(deliveries).await;
        for frame in frames {
            let wire::Body::Readings { first, readings, .. } = &frame.data.body else { continue };
            let last = measure::Sequence(first.0 + readings.len().saturating_sub(1) as u64);
            let ranges = vec![measure::SequenceRange { first: *first, last }];
            let (flash, echo) = (frame.data.flash, frame.data.sent);
            for ack in crate::ranges::acknowledge(flash, ranges, (self.clock)(), echo) {
                self.send_ack(&frame.node, &ack).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        Vec::new()
    }

    /// Commits until it succeeds; `None` where it was told to stop before that.
    async fn commit(
        self: Box<Self>,
        frames: Vec<Frame>,
        stop: &CancellationToken,
    ) -> Result<(Box<Self>, Option<Kept>), Error> {
        let frames = Arc::new(frames);
        let mut stage = self;
        let mut retry = COMMIT_RETRY_MIN;
        loop {
            let batch = Arc::clone(&frames);
            let (same, result) = blocking(move || {
                let result = stage.committer.commit(&batch);
                (stage, result)
            })
            .await?;
            stage = same;
            match result {
                Ok(kept) => {
                    stage.say_good();
                    return Ok((stage, Some(kept)));
                }
                Err(error) => stage.say_failing(&error),
            }
            tokio::select! {
                () = tokio::time::sleep(retry) => {}
                () = stop.cancelled() => return Ok((stage, None)),
            }
            retry = (retry * 2).min(COMMIT_RETRY_MAX);
        }
    }

    fn say_good(&self) {
        self.outlets.health.send_if_modified(|health| {
            let is_news = health.storage != Storage::Good;
            if is_news {
                info!("The store takes readings again.");
                health.storage = Storage::Good;
            }
            is_news
        });
    }

    fn say_failing(&self, cause: &store::Error) {
        self.outlets.counters.commit_failures.add(1);
        let (now, reason, transient) = ((self.clock)(), cause.to_string(), cause.is_transient());
        self.outlets.health.send_if_modified(|health| {
            let since = match &health.storage {
                Storage::Failing { reason: same, .. } if *same == reason => return false,
                Storage::Failing { since, .. } => *since,
                Storage::Good => now,
            };
            error!(%reason, transient, "The store takes no readings; the nodes keep them.");
            health.storage = Storage::Failing { since, reason, transient };
            true
        });
    }

    async fn settle(&self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            self.gate.settle(delivery).await;
        }
    }

    async fn answer_births(&self, born: Vec<(NodeKey, Ack)>) {
        // Of several births of a node in one batch only the last one waits for an answer.
        let last: BTreeMap<NodeKey, Ack> = born.into_iter().collect();
        for (node, ack) in last {
            self.send_ack(&node, &Ack { utc: (self.clock)(), ..ack }).await;
        }
    }

    /// Tells how far the journal is now.
    fn announce(&self, position: Option<Position>) {
        let Some(position) = position else { return };
        self.outlets.position.send_if_modified(|known| {
            let is_news = *known != position;
            *known = position;
            is_news
        });
    }

    async fn acknowledge(&self, kept: Kept) {
        self.announce(kept.position);
        for unit in kept.units {
            let node = unit.node.clone();
            for ack in unit.acks((self.clock)()) {
                self.send_ack(&node, &ack).await;
            }
        }
    }

    async fn send_ack(&self, node: &NodeKey, ack: &Ack) {
        let mut buffer = [0; ACK_BYTES_MAX];
        let payload = match wire::encode_ack(ack, &mut buffer) {
            Ok(bytes) => buffer.get(..bytes).unwrap_or_default(),
            Err(error) => {
                error!(%node, %error, "Cannot write an acknowledgement.");
                return;
            }
        };
        let topic = Topic::new(node, TopicKind::Ack).to_string();
        if self.gate.publish(&topic, payload).await {
            self.outlets.counters.acknowledgements.add(1);
        }
    }

    async fn ask_for_births(&self, nodes: Vec<NodeKey>) {
        for node in nodes {
            // A node does nothing when it is asked under the id that it answered last, so the id
            // has to differ from one run of the gateway to the next.
            let id = u32::try_from((self.clock)().millis() & i64::from(u32::MAX)).unwrap_or(0);
            let mut buffer = [0; COMMAND_BYTES_MAX];
            let request = Request { id, command: Command::Rebirth };
            match wire::encode_command(&request, &mut buffer) {
                Ok(bytes) => {
                    let topic = Topic::new(&node, TopicKind::Command).to_string();
                    let payload = buffer.get(..bytes).unwrap_or_default();
                    if self.gate.publish(&topic, payload).await {
                        self.outlets.counters.rebirths.add(1);
                    }
                }
                Err(error) => warn!(%node, %error, "Cannot write a command."),
            }
        }
    }
}

/// Parts a batch into what is to be sorted and what is to be confirmed to the broker, both in order.
fn parted(batch: Vec<Delivered>) -> (Vec<Arrival>, Vec<Delivery>) {
    let (mut arrivals, mut deliveries) = (Vec::new(), Vec::new());
    for message in batch {
        match message {
            Delivered::Message { arrival, delivery } => {
                arrivals.push(arrival);
                deliveries.extend(delivery);
            }
            Delivered::TurnedAway(turned_away) => deliveries.extend(turned_away),
        }
    }
    (arrivals, deliveries)
}

/// Returns how many readings a message may hold, known before it is decoded.
fn readings_max(delivered: &Delivered) -> usize {
    match delivered {
        Delivered::Message { arrival, .. } => {
            (arrival.payload.len() / READING_BYTES_MIN).clamp(1, READINGS_MAX)
        }
        Delivered::TurnedAway(_) => 0,
    }
}

/// Runs what may block on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::Panicked)
}

/// Ticks in real time, first after one whole period.
fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.reset();
    interval
}

#[cfg(test)]
mod tests {
    use measure::{BootId, FlashId, Quality, Scaled, Sequence, Timestamp, Uptime};
    use wire::{FRAME_BYTES_MAX, Frame as Out, Head, Pushed, Sampled};

    use super::*;

    #[test]
    fn no_frame_holds_more_readings_than_it_is_counted_for() {
        let mut buffer = [0; FRAME_BYTES_MAX];
        let head = Head {
            flash: FlashId(0),
            boot: BootId(0),
            sent: Uptime(0),
            first: Sequence(0),
            boot_utc: None,
            uncertain: false,
            history: false,
        };
        for wanted in 1..=READINGS_MAX {
            // The shortest readings that there are: nothing changes between them.
            let mut out = Out::new(&mut buffer, &head).unwrap();
            let reading = Ok(Scaled(0));
            let (channel, uptime, quality) = (0, Uptime(0), Quality::Good);
            for _ in 0..wanted {
                let pushed = out.push(&Sampled { channel, uptime, reading, quality }).unwrap();
                assert_eq!(pushed, Pushed::Taken);
            }
            let length = out.finish();
            let payload = buffer[..length].to_vec().into();
            let (topic, received) = (bytes::Bytes::new(), Timestamp::MIN);
            let arrival = Arrival { topic, payload, is_retained: false, received };
            let delivered = Delivered::Message { arrival, delivery: None };
            assert!(readings_max(&delivered) >= wanted, "{wanted}");
        }
    }
}
