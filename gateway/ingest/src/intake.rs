//! Sorts what arrived: births and deaths into the directory, data for the store, the rest away.
//!
//! Synchronous, and runs where it may block. What each message becomes:
//!
//! | message | becomes |
//! |---|---|
//! | no topic of ours, bytes that are no message | a dead letter |
//! | birth of a node that nobody added | refused with a line |
//! | birth, live | kept on disk, then acknowledged with the time |
//! | birth, live, older than the one known | ignored: a late repeat |
//! | birth, retained | kept where newer; never acknowledged, says nothing of presence |
//! | death of the known session or a later one | the node is offline |
//! | death of an older session; death or data, retained | ignored |
//! | data of a flash or boot without a birth | the node is asked for a birth; not acknowledged |
//! | data | a frame for the store |
//! | an event of a node's own judgement | kept by its port, then acknowledged like a reading |
//! | data with a channel that its birth does not have | below |
//!
//! A reading whose channel index is not in the birth can't be dated to a series, now or later: the
//! birth is the node's own word on that boot. Waiting for a better one would leave the reading at the
//! head of the node's ring for good, so the frame is put away as a dead letter, its other readings go
//! to the store, and once both are on disk the whole frame is acknowledged. Where the dead letter can't
//! be kept, only the stored readings are acknowledged and the node sends the frame again.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use measure::{NodeKey, Timestamp};
use tracing::{debug, warn};
use wire::{Ack, Birth, Body, Data, Death, Topic, TopicKind};

use crate::ports::{
    DEAD_LETTERS_PER_BATCH_MAX, DeadLetter, DeadLetters, Directory, NodeEvent, NodeState, Outlets,
    Presence,
};
use crate::quiet::Quiet;
use crate::ranges;

/// A message as it came from the broker.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) topic: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) is_retained: bool,
    pub(crate) received: Timestamp,
}

/// A data message whose birth is known.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) node: NodeKey,
    pub(crate) birth: Arc<Birth>,
    pub(crate) received: Timestamp,
    pub(crate) data: Data,
    /// Readings without a channel were not put away and must not be acknowledged.
    pub(crate) is_withheld: bool,
}

/// What a batch of arrivals became.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// For the store.
    pub(crate) frames: Vec<Frame>,
    /// Answers to births that are on disk; the time is filled in when they are sent.
    pub(crate) born: Vec<(NodeKey, Ack)>,
    /// Nodes to ask for a birth.
    pub(crate) rebirths: Vec<NodeKey>,
}

pub(crate) struct Intake {
    directory: Arc<dyn Directory>,
    dead_letters: Arc<dyn DeadLetters>,
    outlets: Arc<Outlets>,
    /// Nodes that were asked for a birth within the last while.
    asked: HashSet<NodeKey>,
    quiet: Quiet,
}

/// One batch on its way through [`Intake::sort`].
#[derive(Default)]
struct Sorting {
    sorted: Sorted,
    births: Vec<(NodeKey, Birth)>,
    answers: Vec<(NodeKey, Ack)>,
    letters: Vec<DeadLetter>,
    /// Places in `sorted.frames` of the frames that have a letter in `letters`.
    with_letter: Vec<usize>,
}

/// Why a message is put away.
struct Undeliverable(String);

impl From<wire::Error> for Undeliverable {
    fn from(error: wire::Error) -> Self {
        Self(error.to_string())
    }
}

impl Intake {
    pub(crate) fn new(
        directory: Arc<dyn Directory>,
        dead_letters: Arc<dyn DeadLetters>,
        outlets: Arc<Outlets>,
    ) -> Self {
        Self { directory, dead_letters, outlets, asked: HashSet::new(), quiet: Quiet::default() }
    }

    /// Lets nodes be asked for a birth again.
    pub(crate) fn ask_again(&mut self) {
        self.asked.clear();
    }

    /// Lets faults have a line again.
    pub(crate) fn speak_again(&mut self) {
        let silent = self.quiet.forget();
        if silent > 0 {
            warn!(messages = silent, "More messages of the same had no line of their own.");
        }
    }

    /// Sorts a batch of arrivals; births and dead letters are on disk when this returns.
    pub(crate) fn sort(&mut self, arrivals: &[Arrival]) -> Sorted {
        let mut sorting = Sorting::default();
        for arrival in arrivals {
            self.outlets.counters.messages.add(1);
            if let Err(Undeliverable(reason)) = self.sort_one(arrival, &mut sorting) {
                self.put_away(arrival, reason, &mut sorting);
            }
        }
        self.save_births(&mut sorting);
        self.save_letters(&mut sorting);
        sorting.sorted
    }

    fn sort_one(&mut self, arrival: &Arrival, into: &mut Sorting) -> Result<(), Undeliverable> {
        let text = std::str::from_utf8(&arrival.topic)
            .map_err(|_| Undeliverable("the topic is no text".to_owned()))?;
        let topic = Topic::parse(text)?;
        let node = topic.node_key();
        match topic.kind {
            TopicKind::Birth => {
                let birth = wire::decode_birth(&arrival.payload)?;
                self.take_birth(node, birth, arrival, into);
            }
            TopicKind::Death => {
                let death = wire::decode_death(&arrival.payload)?;
                if !arrival.is_retained {
                    self.take_death(&node, death, arrival.received);
                }
            }
            TopicKind::Data => {
                let data = wire::decode_data(&arrival.payload)?;
                if !arrival.is_retained {
                    self.take_data(node, data, arrival, into)?;
                }
            }
            TopicKind::Ack | TopicKind::Command | TopicKind::Ota => {
                debug!(%node, "Ignored a message that the gateway itself sends.");
            }
        }
        Ok(())
    }

    fn take_birth(&mut self, node: NodeKey, birth: Birth, arrival: &Arrival, into: &mut Sorting) {
        match self.directory.is_known(&node) {
            Ok(true) => {}
            Ok(false) => {
                self.outlets.counters.unknown_nodes.add(1);
                if self.quiet.may_speak("unknown node", &node.to_string()) {
                    warn!(%node, "Refused the birth of a node that nobody added.");
                }
                return;
            }
            Err(error) => {
                warn!(%node, %error, "Cannot ask the directory for a node; its birth waits.");
                return;
            }
        }
        let known = self.outlets.nodes.borrow().get(&node).map(|state| Arc::clone(&state.birth));
        if let Some(known) = known
            && is_stale(&birth, &known, arrival.is_retained)
        {
            debug!(%node, boot = %birth.boot, session = birth.session, "Ignored an older birth.");
            return;
        }
        if !arrival.is_retained {
            let (flash, echo) = (birth.flash, birth.uptime);
            let ranges = Default::default();
            into.answers.push((node.clone(), Ack { flash, ranges, utc: arrival.received, echo }));
        }
        self.remember(&node, &birth, arrival);
        into.births.push((node, birth));
    }

    /// Puts a birth into what is known, and says so.
    fn remember(&self, node: &NodeKey, birth: &Birth, arrival: &Arrival) {
        let at = arrival.received;
        let birth = Arc::new(birth.clone());
        let mut was_online = false;
        self.outlets.nodes.send_modify(|nodes| {
            let before = nodes.remove(node);
            was_online = before.as_ref().is_some_and(|state| state.presence == Presence::Online);
            let state = if arrival.is_retained {
                NodeState {
                    birth,
                    born: None,
                    presence: before.as_ref().map_or(Presence::Unknown, |state| state.presence),
                    since: before.as_ref().and_then(|state| state.since),
                    heard: before.as_ref().and_then(|state| state.heard),
                }
            } else {
                let since = before.filter(|_| was_online).and_then(|state| state.since);
                NodeState {
                    birth,
                    born: Some(at),
                    presence: Presence::Online,
                    since: Some(since.unwrap_or(at)),
                    heard: Some(at),
                }
            };
            nodes.insert(node.clone(), state);
        });
        if !arrival.is_retained {
            self.tell(NodeEvent::Birth { node: node.clone(), at });
            if !was_online {
                self.tell(NodeEvent::Online { node: node.clone(), at });
            }
        }
    }

    fn take_death(&self, node: &NodeKey, death: Death, at: Timestamp) {
        let is_new = self.outlets.nodes.send_if_modified(|nodes| match nodes.get_mut(node) {
            Some(state)
                if (death.boot, death.session) >= (state.birth.boot, state.birth.session)
                    && state.presence != Presence::Offline =>
            {
                state.presence = Presence::Offline;
                state.since = Some(at);
                true
            }
            _ => false,
        });
        if is_new {
            self.tell(NodeEvent::Offline { node: node.clone(), at });
        } else {
            debug!(%node, boot = %death.boot, session = death.session, "Ignored a late death.");
        }
    }

    fn take_data(
        &mut self,
        node: NodeKey,
        data: Data,
        arrival: &Arrival,
        into: &mut Sorting,
    ) -> Result<(), Undeliverable> {
        let Some(birth) = self.hear(&node, &data, arrival.received) else {
            if self.asked.insert(node.clone()) {
                debug!(%node, flash = %data.flash, boot = %data.boot, "Asks for a birth.");
                into.sorted.rebirths.push(node);
            }
            return Ok(());
        };
        let mut has_letter = false;
        match &data.body {
            Body::Answer { id, outcome, detail } => {
                let (id, outcome, at) = (*id, *outcome, arrival.received);
                let detail = detail.as_str().to_owned();
                self.tell(NodeEvent::Answer { node, id, outcome, detail, at });
                return Ok(());
            }
            Body::Update { release, state, offset, length, detail } => {
                let (release, state, at) = (*release, *state, arrival.received);
                let (offset, length) = (*offset, *length);
                let detail = detail.as_str().to_owned();
                self.tell(NodeEvent::Update { node, release, state, offset, length, detail, at });
                return Ok(());
            }
            Body::Gap { .. } => {}
            Body::Event { event, .. } => {
                let channels = birth.channels.len();
                if usize::from(event.channel) >= channels {
                    let reason = format!("channel {} of {channels} in the birth", event.channel);
                    has_letter = self.put_away(arrival, reason, into);
                    if has_letter {
                        into.with_letter.push(into.sorted.frames.len());
                    }
                }
            }
            Body::Readings { first, readings, .. } => {
                if readings.is_empty() {
                    return Ok(());
                }
                if ranges::run_of(*first, readings.len()).is_none() {
                    return Err(Undeliverable("sequences beyond the last one".to_owned()));
                }
                let channels = birth.channels.len();
                let unknown = readings.iter().find(|r| usize::from(r.channel) >= channels);
                if let Some(unknown) = unknown {
                    let reason = format!("channel {} of {channels} in the birth", unknown.channel);
                    has_letter = self.put_away(arrival, reason, into);
                    if has_letter {
                        into.with_letter.push(into.sorted.frames.len());
                    }
                }
            }
        }
        let received = arrival.received;
        into.sorted.frames.push(Frame { node, birth, received, data, is_withheld: !has_letter });
        Ok(())
    }

    /// Notes that a node was heard; returns the birth that its data belongs to, where it is known.
    fn hear(&self, node: &NodeKey, data: &Data, at: Timestamp) -> Option<Arc<Birth>> {
        let mut birth = None;
        let is_new = self.outlets.nodes.send_if_modified(|nodes| {
            let Some(state) = nodes.get_mut(node) else { return false };
            state.heard = Some(at);
            if state.birth.flash != data.flash || data.boot > state.birth.boot {
                return false;
            }
            birth = Some(Arc::clone(&state.birth));
            // After a death only a birth brings a node back: late data must not.
            let is_new = state.presence == Presence::Unknown;
            if is_new {
                state.presence = Presence::Online;
                state.since = Some(at);
            }
            is_new
        });
        if is_new {
            self.tell(NodeEvent::Online { node: node.clone(), at });
        }
        birth
    }

    /// Puts a message on the pile of dead letters; returns whether there was room.
    fn put_away(&mut self, arrival: &Arrival, reason: String, into: &mut Sorting) -> bool {
        self.outlets.counters.dead_letters.add(1);
        let topic: String = String::from_utf8_lossy(&arrival.topic).into_owned();
        if self.quiet.may_speak("dead letter", &topic) {
            warn!(%topic, bytes = arrival.payload.len(), %reason, "Put a message away.");
        }
        let has_room = into.letters.len() < DEAD_LETTERS_PER_BATCH_MAX;
        if has_room {
            let (payload, time) = (arrival.payload.to_vec(), arrival.received);
            into.letters.push(DeadLetter { topic, payload, reason, time });
        }
        has_room
    }

    fn save_births(&self, sorting: &mut Sorting) {
        if sorting.births.is_empty() {
            return;
        }
        match self.directory.save(&sorting.births) {
            Ok(()) => sorting.sorted.born = std::mem::take(&mut sorting.answers),
            Err(error) => {
                let births = sorting.births.len();
                warn!(%error, births, "Cannot keep births; their nodes will come again.");
            }
        }
    }

    fn save_letters(&self, sorting: &mut Sorting) {
        if sorting.letters.is_empty() {
            return;
        }
        if let Err(error) = self.dead_letters.put(&sorting.letters) {
            warn!(%error, letters = sorting.letters.len(), "Cannot keep dead letters.");
            for &place in &sorting.with_letter {
                if let Some(frame) = sorting.sorted.frames.get_mut(place) {
                    frame.is_withheld = true;
                }
            }
        }
    }

    fn tell(&self, event: NodeEvent) {
        // Without a reader there is nobody to tell; the state is in `nodes` all the same.
        drop(self.outlets.events.send(event));
    }
}

/// Returns whether a birth says nothing new beside the one that is known.
///
/// Boots are counted in the flash, so births of two flashes have no order: a live one is the newer,
/// a retained one may be any age and is left alone, for data of its flash will ask for it.
fn is_stale(birth: &Birth, known: &Birth, is_retained: bool) -> bool {
    if birth.flash != known.flash {
        return is_retained;
    }
    let (new, old) = ((birth.boot, birth.session), (known.boot, known.session));
    if is_retained { new <= old } else { new < old }
}
