//! The node: its state, what it records, and its link. `say` and `hear` are the other half.

use core::fmt::Write as _;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::{String, Vec};
use measure::{BootId, FlashId, Quality, Reading, Sequence, Timestamp, Uptime};
use wire::{
    Birth, CHANNELS_MAX, Chunk, Death, Detail, GATEWAYS_MAX, GatewayAddress, LIMITS_MAX,
    LocalEvent, MANIFEST_BYTES_MAX, Outcome, SIGNATURE_BYTES, Sampled, TOPIC_BYTES_MAX, Topic,
    TopicKind, UpdateState,
};

use crate::clock::Clock;
use crate::flight::Flight;
use crate::limits::Watched;
use crate::outbox::{Outbox, Result};
use crate::settings::{Settled, Trial};
use crate::{EVENTS_AT_ONCE, INTERVAL_MS_MAX, INTERVAL_MS_MIN, judge};

/// The most readings kept in memory to be sent before any backlog; older ones are sent from flash.
pub const FRESH_READINGS_MAX: usize = 64;
/// The most answers to commands that wait; the oldest is dropped, and the gateway asks again.
pub const ANSWERS_MAX: usize = 4;
/// The MQTT quality of service of everything a node publishes, and of its subscriptions and its will.
pub const QOS: u8 = 1;

/// A node, with the flash that it owns and a ring of at most `PAGES` pages.
///
/// It takes 10,800 bytes on a 32-bit chip.
pub struct Node<F: MultiwriteNorFlash, const PAGES: usize> {
    pub(crate) outbox: Outbox<F, PAGES>,
    pub(crate) key: measure::NodeKey,
    /// What is published at the next birth; its session is the one that runs or ran last.
    pub(crate) birth: Birth,
    /// Whom to connect to as the board was provisioned, and as the settings say.
    pub(crate) built_gateways: Vec<GatewayAddress, GATEWAYS_MAX>,
    pub(crate) gateways: Vec<GatewayAddress, GATEWAYS_MAX>,
    pub(crate) built_interval_ms: u32,
    pub(crate) connect_ms: Option<u32>,
    /// The settings give a channel another position than the birth that is kept here.
    pub(crate) has_positions: bool,
    pub(crate) settled: Settled,
    pub(crate) settings_crc: u32,
    pub(crate) trial: Option<Trial>,
    pub(crate) channels: Vec<judge::Channel, CHANNELS_MAX>,
    pub(crate) limits: Vec<Watched, LIMITS_MAX>,
    pub(crate) fresh_events: Vec<FreshEvent, EVENTS_AT_ONCE>,
    /// Of a sleeping node: what was due when, and that an event does not wait for it.
    pub(crate) sample_due: Uptime,
    pub(crate) connect_due: Uptime,
    pub(crate) heard_at: Uptime,
    pub(crate) is_urgent: bool,
    pub(crate) link: Link,
    pub(crate) clock: Clock,
    pub(crate) fresh: Fresh,
    pub(crate) flight: Flight,
    /// There may be something unsent in the ring.
    pub(crate) has_backlog: bool,
    pub(crate) backlog_at: Uptime,
    pub(crate) backlog_pause_ms: u32,
    /// This boot has recorded readings without knowing the time.
    pub(crate) has_undated: bool,
    pub(crate) recorded_at: Uptime,
    pub(crate) answers: Vec<Answer, ANSWERS_MAX>,
    pub(crate) answered: Option<Answer>,
    pub(crate) update: Option<Update>,
    pub(crate) published: Option<Published>,
    pub(crate) random: u32,
}

/// Whether there is a connection, and how far the birth has come in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Down,
    BirthDue,
    BirthSent { at: Uptime, due: Uptime },
    Up,
}

/// What was handed out last, so that it can be taken back.
#[derive(Clone, Debug)]
pub(crate) enum Published {
    Birth,
    Answer(Answer),
    Update(Update),
    Frame,
}

/// The answer to a command.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) id: u32,
    pub(crate) outcome: Outcome,
    pub(crate) detail: Detail,
}

/// How an update comes along, as the board tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The number of the release.
    pub release: u32,
    /// How far it has come.
    pub state: UpdateState,
    /// The first byte that is wanted; where none is, how many the node has.
    pub offset: u32,
    /// How many bytes are wanted, at most [`wire::CHUNK_BYTES_MAX`]; 0: none.
    pub length: u16,
    /// Where it was refused: why.
    pub detail: Detail,
}

/// The newest readings, in memory too, so that they can go before any backlog.
pub(crate) struct Fresh {
    pub(crate) first: Sequence,
    pub(crate) boot_utc: Option<Timestamp>,
    pub(crate) readings: Vec<Sampled, FRESH_READINGS_MAX>,
}

/// An event, in memory too, so that it can go before anything else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreshEvent {
    pub(crate) sequence: Sequence,
    pub(crate) boot_utc: Option<Timestamp>,
    pub(crate) event: LocalEvent,
}

/// Whether readings were taken now or brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Taken now: sent before any backlog.
    Live,
    /// Recorded earlier and brought in now: they wake nobody.
    History,
}

/// Readings that are in the flash: from here on they count as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The sequence of the first; the others follow one by one.
    pub first: Sequence,
    /// How many.
    pub count: u8,
    /// When they were taken: what was given, or the time of the round before where that is later.
    pub uptime: Uptime,
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish<'b> {
    /// The topic.
    pub topic: String<TOPIC_BYTES_MAX>,
    /// The bytes.
    pub payload: &'b [u8],
    /// Always [`QOS`].
    pub qos: u8,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

/// What a message asks of the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'p> {
    /// Make the node seen.
    Identify,
    /// Other settings are in force: take [`Node::interval_ms`] and [`Node::is_enabled`] anew.
    Configured,
    /// The same, and they are to be proven by a new connection, or were given up: once
    /// [`Node::next_publish`] has nothing left, break the connection off and connect anew, to
    /// [`Node::gateways`].
    Reconnect,
    /// Restart, once [`Node::next_publish`] has nothing left: the answer goes first.
    Reboot,
    /// A new image is offered. The board decides, and says so with [`Node::answer`] under `id`.
    Offer {
        /// The id to answer under.
        id: u32,
        /// What is signed.
        manifest: Vec<u8, MANIFEST_BYTES_MAX>,
        /// The signature.
        signature: [u8; SIGNATURE_BYTES],
    },
    /// Bytes of an image, which may be others than those that were wanted.
    Chunk(Chunk<'p>),
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Returns the life of the flash that the sequences count in.
    pub fn flash_id(&self) -> FlashId {
        self.birth.flash
    }

    /// Returns this boot.
    pub fn boot(&self) -> BootId {
        self.birth.boot
    }

    /// Returns how often to sample, in milliseconds: as configured, or as settings or a command say.
    pub fn interval_ms(&self) -> u32 {
        self.birth.interval_ms
    }

    /// Returns how many readings wait in the flash.
    pub fn waiting(&self) -> u32 {
        self.outbox.waiting()
    }

    /// Returns UTC at uptime 0, once the gateway has told it.
    pub fn boot_utc(&self) -> Option<Timestamp> {
        self.clock.first()
    }

    /// Returns the flash, for a board that counts its writes.
    pub fn flash(&mut self) -> &mut F {
        self.outbox.ring.flash()
    }

    /// Ends the node and returns the flash.
    pub fn close(self) -> F {
        self.outbox.ring.into_flash()
    }

    /// Writes one round of readings, taken at `at`, to the flash. They count as taken once this has
    /// returned; a full ring drops its oldest readings for them.
    ///
    /// # Errors
    /// `Error::Channel` and `Error::Round` where the readings are none of this node's; `Error::Flash` and
    /// `Error::Damaged` where the flash did not take them: they are lost then, and their sequences are
    /// reported as a gap.
    pub async fn record(
        &mut self,
        at: Uptime,
        readings: &[(u8, Reading, Quality)],
        origin: Origin,
    ) -> Result<Recorded, F::Error> {
        self.check_round(readings)?;
        let at = at.max(self.recorded_at);
        let boot_utc = self.clock.stamp(at);
        let first = match self.outbox.push(at, boot_utc, origin == Origin::History, readings).await
        {
            Ok(first) => first,
            Err(error) => {
                self.has_backlog = true;
                return Err(error);
            }
        };
        self.recorded_at = at;
        self.has_undated |= boot_utc.is_none();
        match origin {
            Origin::History => self.has_backlog = true,
            Origin::Live if self.fresh.add(first, at, boot_utc, readings) => {}
            Origin::Live => self.has_backlog = true,
        }
        Ok(Recorded { first, count: readings.len() as u8, uptime: at })
    }

    /// Returns the topics to subscribe to.
    pub fn subscriptions(&self) -> [String<TOPIC_BYTES_MAX>; 3] {
        [self.topic(TopicKind::Ack), self.topic(TopicKind::Command), self.topic(TopicKind::Ota)]
    }

    /// Returns the will of the next session: set it at the connection, not retained.
    ///
    /// # Errors
    /// `Error::Wire` where `buffer` has fewer than [`wire::DEATH_BYTES_MAX`] bytes.
    pub fn will<'b>(&self, buffer: &'b mut [u8]) -> Result<Publish<'b>, F::Error> {
        let death = Death { boot: self.birth.boot, session: self.birth.session.wrapping_add(1) };
        let length = wire::encode_death(&death, buffer)?;
        Ok(self.publish(TopicKind::Death, buffer, length))
    }

    /// The node is connected and subscribed: its birth is due.
    pub fn connected(&mut self) {
        self.birth.session = self.birth.session.wrapping_add(1);
        self.link = Link::BirthDue;
        self.flight.clear();
        self.has_backlog = true;
    }

    /// The connection is gone. What was not acknowledged is sent again in the next one.
    pub fn disconnected(&mut self) {
        self.link = Link::Down;
        self.flight.clear();
        self.has_backlog = true;
    }

    pub(crate) fn publish<'b>(
        &self,
        kind: TopicKind,
        buffer: &'b mut [u8],
        length: usize,
    ) -> Publish<'b> {
        let payload = buffer.get(..length).unwrap_or_default();
        Publish { topic: self.topic(kind), payload, qos: QOS, retain: false }
    }

    fn topic(&self, kind: TopicKind) -> String<TOPIC_BYTES_MAX> {
        let mut topic = String::new();
        write!(topic, "{}", Topic::new(&self.key, kind))
            .expect("no topic is longer than its limit");
        topic
    }
}

impl Fresh {
    /// Takes readings in and returns whether the ones before them are still here; else those are backlog.
    fn add(
        &mut self,
        first: Sequence,
        at: Uptime,
        boot_utc: Option<Timestamp>,
        readings: &[(u8, Reading, Quality)],
    ) -> bool {
        let follows = self.first.0 + self.readings.len() as u64 == first.0;
        let fits = self.readings.len() + readings.len() <= FRESH_READINGS_MAX;
        let stays = self.readings.is_empty() || (follows && fits && self.boot_utc == boot_utc);
        if !stays {
            self.readings.clear();
        }
        if self.readings.is_empty() {
            self.first = first;
            self.boot_utc = boot_utc;
        }
        self.readings.extend(readings.iter().map(|(channel, reading, quality)| Sampled {
            channel: *channel,
            uptime: at,
            reading: *reading,
            quality: *quality,
        }));
        stays
    }

    /// Removes the first `count`.
    pub(crate) fn remove(&mut self, count: usize) {
        let count = count.min(self.readings.len());
        self.readings.rotate_left(count);
        self.readings.truncate(self.readings.len() - count);
        self.first.0 += count as u64;
    }
}

pub(crate) fn check_interval(ms: u32) -> Option<u32> {
    (INTERVAL_MS_MIN..=INTERVAL_MS_MAX).contains(&ms).then_some(ms)
}
