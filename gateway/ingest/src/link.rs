//! The session with the broker: connects, subscribes, hands messages on, sends acknowledgements.
//!
//! What rumqttc 0.25 leaves to its user, and where it is done; `docs/delivery.md` names the test of
//! each:
//! - Messages of a dead connection are still yielded after the next one is made, and packet ids start
//!   again where the broker lost the session: an acknowledgement of the old message would confirm
//!   another, unstored one. So the events are cleared when a connection breaks, and every delivery
//!   carries the epoch of its connection; [`Gate`] refuses what is older.
//! - An acknowledgement that waits in the request channel when the connection breaks is dropped under
//!   the gate's lock, before the next epoch begins.
//! - Only QoS 0 is published, so that no outgoing message waits for packet ids or for the broker's
//!   window, and nothing is taken for said because it was written. Nothing is lost: a node that misses
//!   an acknowledgement sends again.
//! - The task that polls never waits for another one: a full queue turns a message away. It is
//!   confirmed in its turn, because a broker may break with a client that confirms out of order.
//! - A broker may lose single subscriptions of a session that it keeps. So each one is asked for after
//!   every connection, the answer is checked filter by filter, and [`Watch`] looks whether they live.
//! - A packet that can't be taken would come again with every connection: the session that holds it is
//!   given up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::Config;
use crate::intake::Arrival;
use crate::line::{self, Broken, Client, Heard, Line, Retained};
use crate::ports::{Clock, Link, Outlets};
use crate::watch::Watch;

/// What ingest subscribes to, all of it at QoS 1.
pub const FILTERS: [&str; 3] = ["miaopu/1/+/+/birth", "miaopu/1/+/+/data", "miaopu/1/+/+/death"];
/// What it subscribes to where the broker hands births and data over itself.
pub const FILTERS_BESIDE_INLET: [&str; 1] = ["miaopu/1/+/+/death"];
/// The most messages between the broker and the store; beyond it a message is turned away and its
/// node sends it again. More than [`RECEIVE_MAX`](line::RECEIVE_MAX), so that this takes a broker that
/// breaks its word, or one that speaks MQTT 3.1.1 and has no limit of its own.
pub const INBOX_MESSAGES_MAX: usize = 2_048;

/// How long the broker may take to answer a subscription; then the connection is made anew.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait before the first new try; doubled until [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// The shortest wait after a packet that can't be taken: who sends one again and again costs no more
/// than a connection in this time.
const POISON_RETRY_MIN: Duration = Duration::from_secs(1);
/// How long a request that found no room waits before it is tried again.
const REQUEST_RETRY: Duration = Duration::from_millis(2);
/// How long the last words to the broker may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(500);

/// A message that the broker wants acknowledged: in which connection, under which packet id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    epoch: u64,
    packet: u16,
}

/// What goes from the broker to the store, in the order in which it came.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// A message with what the broker wants for it; `None` at QoS 0.
    Message { arrival: Arrival, delivery: Option<Delivery> },
    /// Messages for which there was no room: only to be confirmed to the broker, in their turn.
    TurnedAway(VecDeque<Delivery>),
}

/// Lets requests to the broker through while the connection that they belong to lives.
#[derive(Clone)]
pub(crate) struct Gate {
    client: Client,
    connection: Arc<Mutex<Connection>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    epoch: u64,
    is_up: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passed {
    /// It will be written.
    Through,
    /// Its connection is gone, and it with it.
    Void,
    /// No room now.
    Full,
}

impl Gate {
    fn with_connection<T>(&self, act: impl FnOnce(&mut Connection) -> T) -> T {
        act(&mut self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Acknowledges a delivery to the broker, unless its connection is gone.
    pub(crate) async fn settle(&self, delivery: Delivery) {
        while self.try_settle(delivery) == Passed::Full {
            tokio::time::sleep(REQUEST_RETRY).await;
        }
    }

    fn try_settle(&self, delivery: Delivery) -> Passed {
        self.with_connection(|connection| {
            if connection.epoch != delivery.epoch {
                Passed::Void
            } else if self.client.try_ack(delivery.packet) {
                Passed::Through
            } else {
                Passed::Full
            }
        })
    }

    /// Publishes at QoS 0; returns whether there was a connection to publish to.
    pub(crate) async fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        loop {
            let passed = self.with_connection(|connection| {
                if !connection.is_up {
                    return Passed::Void;
                }
                if self.client.try_publish(topic, payload) { Passed::Through } else { Passed::Full }
            });
            match passed {
                Passed::Through => return true,
                Passed::Void => return false,
                Passed::Full => tokio::time::sleep(REQUEST_RETRY).await,
            }
        }
    }
}

/// The polling side of the session.
pub(crate) struct Session {
    line: Line,
    desk: Desk,
    check: Duration,
    retry: Duration,
    /// The session held a packet that can't be taken.
    is_poisoned: bool,
}

/// What becomes of what the broker says.
struct Desk {
    gate: Gate,
    inbox: mpsc::Sender<Delivered>,
    /// Deliveries that found no room. Bounded: a broker has 65,535 packet ids.
    turned_away: VecDeque<Delivery>,
    outlets: Arc<Outlets>,
    clock: Clock,
    watch: Watch,
    is_subscribed: bool,
    /// Which filters the subscriptions under way are for, the eldest first.
    asked: VecDeque<Vec<&'static str>>,
}

/// Opens a session; nothing is connected before [`Session::run`] polls. `None` where the outlets serve
/// another one.
pub(crate) fn open(
    config: &Config,
    outlets: Arc<Outlets>,
    clock: Clock,
) -> Option<(Session, Gate, mpsc::Receiver<Delivered>)> {
    let (client, line) = line::open(config);
    let gate = Gate { client, connection: Arc::default() };
    let (inbox, arrivals) = outlets.inlet.open(&clock)?;
    let filters = if config.handed_over { &FILTERS_BESIDE_INLET[..] } else { &FILTERS[..] };
    let desk = Desk {
        gate: gate.clone(),
        inbox,
        turned_away: VecDeque::new(),
        outlets,
        clock,
        watch: Watch::new(&config.client_id, filters),
        is_subscribed: false,
        asked: VecDeque::new(),
    };
    let check = config.self_check;
    let session = Session { line, desk, check, retry: RETRY_MIN, is_poisoned: false };
    Some((session, gate, arrivals))
}

impl Session {
    /// Polls until told to stop; connects again for as long as it takes.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let broken = tokio::select! {
                broken = self.live() => broken,
                () = stop.cancelled() => break,
            };
            self.break_off(broken);
            tokio::select! {
                () = tokio::time::sleep(self.retry) => {}
                () = stop.cancelled() => {}
            }
            self.retry = (self.retry * 2).min(RETRY_MAX);
        }
        self.say_farewell().await;
    }

    /// Polls one connection until it breaks; returns why.
    async fn live(&mut self) -> Broken {
        let answer_due = tokio::time::sleep(SUBSCRIBE_TIMEOUT);
        tokio::pin!(answer_due);
        let mut check = tokio::time::interval(self.check);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        check.reset();
        let inbox = self.desk.inbox.clone();
        let desk = &mut self.desk;
        desk.is_subscribed = false;
        self.line.keep_session(!self.is_poisoned);
        loop {
            // Polled to its end: a poll that is dropped halfway may have taken a request with it.
            let polled = self.line.poll();
            tokio::pin!(polled);
            let heard = loop {
                tokio::select! {
                    heard = &mut polled => break heard,
                    () = &mut answer_due, if !desk.is_subscribed => {
                        return Broken::off("the broker did not answer the subscription");
                    }
                    _ = check.tick(), if desk.is_subscribed => {
                        if let Err(reason) = desk.look_after_subscriptions() {
                            return Broken::off(reason);
                        }
                    }
                    Ok(room) = inbox.reserve(), if !desk.turned_away.is_empty() => {
                        room.send(Delivered::TurnedAway(std::mem::take(&mut desk.turned_away)));
                    }
                }
            };
            let taken = match heard {
                Ok(Heard::Connected { session_present }) => {
                    self.is_poisoned = false;
                    desk.greet(session_present)
                }
                Ok(Heard::Subscribed(answers)) => {
                    desk.take_answer(&answers).inspect(|()| self.retry = RETRY_MIN)
                }
                Ok(Heard::Message { topic, payload, is_retained, packet }) => {
                    let received = (desk.clock)();
                    desk.pass_on(Arrival { topic, payload, is_retained, received }, packet);
                    Ok(())
                }
                Ok(Heard::Farewell | Heard::Other) => Ok(()),
                Err(broken) => return broken,
            };
            if let Err(reason) = taken {
                return Broken::off(reason);
            }
        }
    }

    /// Ends the epoch: whatever belongs to the broken connection is forgotten or refused from here.
    fn break_off(&mut self, broken: Broken) {
        let line = &mut self.line;
        self.desk.gate.with_connection(|connection| {
            connection.epoch += 1;
            connection.is_up = false;
            line.forget();
        });
        self.desk.turned_away.clear();
        self.desk.asked.clear();
        let Broken { reason, is_poison } = broken;
        if is_poison {
            self.is_poisoned = true;
            self.retry = self.retry.max(POISON_RETRY_MIN);
            self.desk.outlets.counters.poisoned_sessions.add(1);
            warn!(
                %reason,
                "The broker sent a packet that can't be taken; its session is given up, and nodes \
                 send again what waited in it."
            );
        } else {
            warn!(%reason, "Lost the broker; trying again.");
        }
        self.desk.outlets.health.send_modify(|health| health.link = Link::Down { reason });
    }

    /// Takes leave of the broker where there is a connection, so that the session is kept in order.
    async fn say_farewell(mut self) {
        let gate = &self.desk.gate;
        if gate.with_connection(|connection| connection.is_up) && gate.client.try_disconnect() {
            let written = async {
                while let Ok(heard) = self.line.poll().await {
                    if matches!(heard, Heard::Farewell) {
                        break;
                    }
                }
            };
            drop(tokio::time::timeout(FAREWELL_TIMEOUT, written).await);
        }
    }
}

impl Broken {
    fn off(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_poison: false }
    }
}

impl Desk {
    /// Asks for every subscription: a broker may have lost single ones of a session that it kept.
    fn greet(&mut self, session_present: bool) -> Result<(), String> {
        self.outlets.counters.connections.add(1);
        self.gate.with_connection(|connection| connection.is_up = true);
        info!(session_present, "Connected to the broker.");
        self.watch.begin();
        self.subscribe(self.watch.filters().to_vec(), Retained::Always)
    }

    fn subscribe(&mut self, filters: Vec<&'static str>, retained: Retained) -> Result<(), String> {
        if !self.gate.client.try_subscribe(&filters, retained) {
            return Err("no room for the subscription".to_owned());
        }
        self.asked.push_back(filters);
        Ok(())
    }

    fn take_answer(&mut self, answers: &[Result<(), String>]) -> Result<(), String> {
        let asked = self.asked.pop_front().unwrap_or_default();
        if answers.len() != asked.len() {
            let (got, of) = (answers.len(), asked.len());
            return Err(format!("the broker answered {got} of {of} subscriptions"));
        }
        let refused = asked.iter().zip(answers).find_map(|(filter, answer)| {
            answer.as_ref().err().map(|why| format!("subscription refused: `{filter}`: {why}"))
        });
        if let Some(refused) = refused {
            return Err(refused);
        }
        self.is_subscribed = true;
        self.outlets.health.send_if_modified(|health| {
            let is_news = health.link != Link::Up;
            health.link = Link::Up;
            is_news
        });
        Ok(())
    }

    fn look_after_subscriptions(&mut self) -> Result<(), String> {
        if !self.asked.is_empty() {
            return Err("the broker did not answer the subscription".to_owned());
        }
        let found = self.watch.look();
        if !found.silent.is_empty() {
            self.subscribe(found.silent.clone(), Retained::IfNew)?;
            self.outlets.counters.resubscriptions.add(found.silent.len() as u64);
            warn!(filters = ?found.silent, "A subscription seems lost; asked for it again.");
        }
        if found.never_heard {
            warn!(
                "The broker does not return what the gateway publishes on `miaopu/1/+/+/birth`, `data` \
                 and `death`: let its user publish there, so that a lost subscription is noticed."
            );
        }
        for (topic, payload) in self.watch.probes() {
            // Without room for it, the subscription is asked for once more than needed.
            if !self.gate.client.try_publish(&topic, &payload) {
                break;
            }
        }
        Ok(())
    }

    fn pass_on(&mut self, arrival: Arrival, packet: Option<u16>) {
        let epoch = self.gate.with_connection(|connection| connection.epoch);
        let delivery = packet.map(|packet| Delivery { epoch, packet });
        if self.watch.hear(&arrival.topic, &arrival.payload) {
            self.turn_away(delivery);
            return;
        }
        if self.say_turned_away()
            && self.inbox.try_send(Delivered::Message { arrival, delivery }).is_ok()
        {
            return;
        }
        self.outlets.counters.overflows.add(1);
        // The broker must not wait for it for good. Its node does: it was not acknowledged to the node.
        self.turn_away(delivery);
    }

    fn turn_away(&mut self, delivery: Option<Delivery>) {
        self.turned_away.extend(delivery);
    }

    /// Puts what was turned away in its place before the next message; returns whether there was room.
    fn say_turned_away(&mut self) -> bool {
        if self.turned_away.is_empty() {
            return true;
        }
        let Ok(room) = self.inbox.try_reserve() else { return false };
        room.send(Delivered::TurnedAway(std::mem::take(&mut self.turned_away)));
        true
    }
}
