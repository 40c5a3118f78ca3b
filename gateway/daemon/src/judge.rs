//! The alarm stage: reads the store's journal, judges it, and commits what it found together with the
//! journal position in one transaction. A restart takes the same path as a normal day.
//!
//! A transition is committed before anybody hears of it. Where readings change no alarm, what the engine
//! remembers of them waits in memory for the next tick: one transaction a second and not one for each
//! commit of the store. After a crash those readings are read again from the journal, which is released
//! only up to what is committed.

use std::{sync::Arc, time::Duration};

use alarms::{ChannelId, Input, Presence, State, Transition, evaluate};
use anyhow::{Context, Result};
use api::{Announcer, Happening, Nursery, Order, OrderError};
use ingest::{NodeEvent, Outlets};
use measure::{NodeKey, Timestamp};
use registry::Registry;
use store::{Position, Sample, Store};
use tokio::{
    sync::{Notify, broadcast::error::RecvError, mpsc, watch},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{clock::Clock, picture::Painter, readers::Readers};

/// How often silence is judged and changes by commands are looked for.
const TICK: Duration = Duration::from_secs(1);
/// The most commits of the journal that are judged in one transaction of the registry.
const COMMITS_A_STEP: usize = 256;

/// Everything that the stage works with.
pub(crate) struct Judge {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    painter: Painter,
    nursery: watch::Sender<Arc<Nursery>>,
    announcer: Announcer,
    clock: Clock,
    readers: Arc<Readers>,
    state: State,
    /// Up to where the journal is judged.
    position: Position,
    /// Up to where that is in the registry's file, and the journal needed no more.
    kept: Position,
    /// The state is ahead of the registry's file, which refused it: it must be read again from there
    /// before anything more is judged.
    ahead: bool,
    /// The registry could not be written.
    failing: watch::Sender<bool>,
    /// Rung after each commit: somebody may have to be told.
    committed: Arc<Notify>,
}

impl Judge {
    /// Takes up where the registry says that judging ended, and paints the first picture.
    pub(crate) fn take_up(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        mut painter: Painter,
        announcer: Announcer,
        clock: Clock,
        readers: Arc<Readers>,
    ) -> Result<Self> {
        let picture = painter.repaint()?.context("the first picture is always new")?;
        let (state, position) = registry.alarm_engine()?.unwrap_or_default();
        // A store that was begun anew counts from the start, whatever the registry remembers.
        let position = Position(position).min(store.last_position()?);
        let mut judge = Self {
            store,
            registry,
            painter,
            nursery: watch::Sender::new(Arc::new(picture)),
            announcer,
            clock,
            readers,
            state,
            position,
            kept: position,
            ahead: false,
            failing: watch::Sender::new(false),
            committed: Arc::default(),
        };
        judge.readers.judged(&*judge.store, position)?;
        let now = judge.clock.now();
        judge.judge(&[Input::RulesChanged { now }, Input::Listening { now }])?;
        Ok(judge)
    }

    /// Returns where the picture of the nursery can be read.
    pub(crate) fn nursery(&self) -> watch::Receiver<Arc<Nursery>> {
        self.nursery.subscribe()
    }

    /// Returns whether the registry refuses what was judged.
    pub(crate) fn failing(&self) -> watch::Receiver<bool> {
        self.failing.subscribe()
    }

    /// Returns what is rung when something that people may have to be told of is on disk.
    pub(crate) fn committed(&self) -> Arc<Notify> {
        Arc::clone(&self.committed)
    }

    /// Judges everything that the journal holds and was not judged yet.
    fn catch_up(&mut self) -> Result<()> {
        loop {
            let commits = match self.store.journal(self.position, COMMITS_A_STEP) {
                // A registry from before: what it missed is in the store, but nobody can be told.
                Err(store::Error::Trimmed { after, oldest }) => {
                    error!(%after, %oldest, "The registry is older than the journal; judging goes on after it.");
                    (self.position, self.kept) = (oldest, oldest);
                    continue;
                }
                read => read?,
            };
            let Some((last, _)) = commits.last() else { return Ok(()) };
            let last = *last;
            self.heed_new_channels(commits.iter().flat_map(|(_, samples)| samples))?;
            let seen = self.clock.now();
            let rules = Arc::clone(&self.nursery.borrow());
            let mut transitions = Vec::new();
            for sample in commits.iter().flat_map(|(_, samples)| samples) {
                let input = Input::Sample(alarms::Sample {
                    channel: ChannelId(sample.series.0),
                    time: sample.time,
                    reading: sample.reading,
                    quality: sample.quality,
                    marks: sample.marks,
                    seen,
                });
                transitions.extend(evaluate(&rules.rules, &mut self.state, &input));
            }
            self.position = last;
            if !transitions.is_empty() {
                self.commit(&transitions)?;
            }
            for (_, samples) in commits {
                self.announcer.tell(Happening::Samples(samples));
            }
        }
    }

    /// A channel that is heard for the first time is judged by its rules from its first sample on.
    fn heed_new_channels<'a>(&mut self, samples: impl Iterator<Item = &'a Sample>) -> Result<()> {
        if samples.into_iter().any(|sample| !self.painter.knows(sample.series)) {
            self.repaint()?;
        }
        Ok(())
    }

    fn repaint(&mut self) -> Result<()> {
        let Some(picture) = self.painter.repaint()? else { return Ok(()) };
        self.nursery.send_replace(Arc::new(picture));
        let now = self.clock.now();
        self.judge(&[Input::RulesChanged { now }])?;
        self.announcer.tell(Happening::Configuration);
        Ok(())
    }

    /// Judges inputs that come from elsewhere than the journal, and commits what they lead to.
    fn judge(&mut self, inputs: &[Input]) -> Result<Vec<Transition>> {
        let rules = Arc::clone(&self.nursery.borrow());
        let transitions: Vec<Transition> = inputs
            .iter()
            .flat_map(|input| evaluate(&rules.rules, &mut self.state, input))
            .collect();
        if !transitions.is_empty() {
            self.commit(&transitions)?;
        }
        Ok(transitions)
    }

    fn commit(&mut self, transitions: &[Transition]) -> Result<()> {
        let position = self.position;
        let committed = self.registry.commit_alarms(transitions, &mut self.state, position.0);
        self.failing.send_if_modified(|failing| {
            std::mem::replace(failing, committed.is_err()) != committed.is_err()
        });
        self.ahead = committed.is_err();
        committed?;
        if self.kept != position {
            self.readers.judged(&*self.store, position)?;
            self.kept = position;
        }
        if !transitions.is_empty() {
            self.committed.notify_one();
        }
        for transition in transitions {
            info!(
                alarm = transition.episode.id.0,
                kind = ?transition.kind,
                rule = %transition.episode.rule,
                "An alarm changed."
            );
            self.announcer.tell(Happening::Alarm(transition.episode.id));
        }
        Ok(())
    }

    /// Goes on from what the registry's file holds, where the state was ahead of it.
    fn fall_back(&mut self) -> Result<()> {
        if self.ahead {
            let (state, position) = self.registry.alarm_engine()?.unwrap_or_default();
            (self.state, self.position) = (state, Position(position));
            self.kept = self.position;
            self.ahead = false;
        }
        Ok(())
    }

    fn presence(&mut self, node: &NodeKey, presence: Presence, at: Timestamp) -> Result<()> {
        let series = self.store.series()?;
        let channels = series
            .iter()
            .filter(|(_, key)| key.node == *node)
            .map(|(id, _)| ChannelId(id.0))
            .collect();
        self.judge(&[Input::Presence { channels, presence, at }])?;
        self.announcer.tell(Happening::Node(node.clone()));
        Ok(())
    }

    fn heed(&mut self, event: NodeEvent) -> Result<()> {
        match event {
            NodeEvent::Online { node, at } => self.presence(&node, Presence::Online, at),
            NodeEvent::Offline { node, at } => self.presence(&node, Presence::Offline, at),
            NodeEvent::Birth { node, .. } => {
                self.announcer.tell(Happening::Node(node));
                self.repaint()
            }
            NodeEvent::Answer { node, id, outcome, detail, .. } => {
                info!(%node, id, ?outcome, detail, "A node answered a command.");
                Ok(())
            }
            NodeEvent::Update { .. } => Ok(()),
        }
    }

    /// Carries out what a person asked for; answered only when it is on disk.
    fn carry_out(&mut self, order: Order) {
        let input = Input::Operator {
            action: order.action,
            alarm: order.alarm,
            by: order.by,
            comment: order.comment,
            at: self.clock.now(),
        };
        let answer = match self.judge(&[input]) {
            // What had no effect was done before: an alarm that is acknowledged stays so.
            Ok(transitions)
                if transitions.is_empty() && self.state.alarm(order.alarm).is_none() =>
            {
                Err(OrderError::NotOpen)
            }
            Ok(_) => Ok(()),
            Err(error) => {
                error!("Could not keep what a person did to an alarm: {error:#}.");
                Err(OrderError::Unavailable)
            }
        };
        if order.answer.send(answer).is_err() {
            info!(alarm = order.alarm.0, "Whoever answered an alarm did not wait; it is kept.");
        }
    }

    fn tick(&mut self) -> Result<()> {
        self.repaint()?;
        self.catch_up()?;
        let now = self.clock.now();
        self.judge(&[Input::Tick { now }])?;
        self.keep()
    }

    /// Commits what was judged and has changed no alarm.
    fn keep(&mut self) -> Result<()> {
        if self.kept == self.position { Ok(()) } else { self.commit(&[]) }
    }
}

/// Judges until told to stop. What fails is tried again with the next tick. `changed` is rung when the
/// registry's nursery was changed in this process.
pub(crate) async fn run(
    mut judge: Judge,
    outlets: Arc<Outlets>,
    mut orders: mpsc::Receiver<Order>,
    changed: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut positions = outlets.position.subscribe();
    let mut events = outlets.events.subscribe();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let work = tokio::select! {
            () = stop.cancelled() => break,
            Some(order) = orders.recv() => Work::Order(order),
            event = events.recv() => match event {
                Ok(event) => Work::Node(event),
                // The next tick finds whatever the lost events said.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => break,
            },
            changed = positions.changed() => match changed {
                Ok(()) => Work::Journal,
                Err(_) => break,
            },
            () = changed.notified() => Work::Tick,
            _ = ticks.tick() => Work::Tick,
        };
        let worked = tokio::task::spawn_blocking(move || {
            judge.work(work);
            judge
        });
        judge = match worked.await {
            Ok(judge) => judge,
            Err(error) => {
                error!(%error, "The alarm stage panicked; the gateway ends so that it starts anew.");
                stop.cancel();
                return;
            }
        };
    }
    info!(position = judge.position.0, "Judging ended.");
}

/// One thing to do.
enum Work {
    Journal,
    Tick,
    Node(NodeEvent),
    Order(Order),
}

impl Judge {
    fn work(&mut self, work: Work) {
        let done = self.fall_back().and_then(|()| match work {
            Work::Journal => self.catch_up(),
            Work::Tick => self.tick(),
            Work::Node(event) => self.heed(event),
            // One that is dropped on an error above is answered as unavailable by that.
            Work::Order(order) => {
                self.carry_out(order);
                Ok(())
            }
        });
        if let Err(error) = done {
            error!("Judging failed and is tried again: {error:#}.");
        }
    }
}
