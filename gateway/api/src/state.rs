//! What the daemon hands in: everything that the API answers from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use alarms::{Action, AlarmId, ConfirmedLimits, Rules};
use measure::{NodeKey, Timestamp};
use nursery::{Batch, Profile, Site, Source, Zone};
use registry::Registry;
use store::{Sample, SeriesKey, Store};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::warn;

use crate::clock::Clock;
use crate::metrics::Meters;
use crate::nodes::NodeDesk;
use crate::types::{Endpoint, Name};

/// How many happenings wait to be told to the event streams; beyond it they are dropped and every
/// reader is told to read again.
pub const HAPPENINGS_MAX: usize = 1_024;

/// How many orders wait for the alarm engine; one more waits with its request.
pub const ORDERS_MAX: usize = 64;

/// Everything that the API answers from.
pub struct State {
    /// The readings, calibrated.
    pub store: Arc<dyn Store>,
    /// The same store, to let other calibrations hold.
    pub calibrated: Arc<quality::Calibrated>,
    /// Rung when calibrations were changed here, so that what they touch is computed again at once.
    pub recalibrated: Arc<Notify>,
    /// Sites, zones, nodes, people and alarms.
    pub registry: Arc<Registry>,
    /// The nursery's clock, which a demonstration may run faster.
    pub clock: Clock,
    /// The wall's clock: sessions and waits run on it at any speed.
    pub wall: Clock,
    /// Sites, zones, profiles and rules as they are now.
    pub nursery: watch::Receiver<Arc<Nursery>>,
    /// Rung when the registry's nursery was changed here, so that `nursery` follows at once; what another
    /// process changes is found within a second.
    pub changed: Arc<Notify>,
    /// What is known of the nodes' sessions.
    pub presence: watch::Receiver<Arc<Presence>>,
    /// What does not work, in a person's words; empty where all is well.
    pub troubles: watch::Receiver<Vec<Name>>,
    /// Where people's answers to alarms are carried out.
    pub desk: AlarmDesk,
    /// What nodes are set to and told to do.
    pub nodes: Arc<dyn NodeDesk>,
    /// The channels that messages leave by, and where their links lead.
    pub office: Arc<notify::Office>,
    /// What is measured, and where the rest is asked for.
    pub meters: Meters,
    /// How many times faster than the wall `clock` runs; 1 outside a demonstration.
    pub speed: f64,
    /// Whether this is the demonstration nursery.
    pub demonstration: bool,
    /// Where nodes and people reach the gateway, TLS first; follows the machine's addresses.
    pub reach: watch::Receiver<Arc<Reach>>,
    /// The gateway's own certificate authority; `None` where no listener speaks TLS.
    pub authority: Option<Authority>,
}

impl State {
    /// Returns when the nursery's clock will show what the wall's shows at `wall`.
    pub(crate) fn on_nursery_clock(&self, wall: Timestamp) -> Timestamp {
        let ahead_us = wall.micros_since(self.wall.now()) as f64 * self.speed;
        self.clock.now().plus_micros(ahead_us as i64)
    }
}

/// Where the gateway is reached, TLS first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Where nodes connect.
    pub mqtt: Vec<Endpoint>,
    /// Where the dashboard is.
    pub https: Vec<Endpoint>,
}

/// The gateway's own certificate authority, as people are shown it before they trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Whether the dashboard's certificate is its; else a certificate of the district is used, and
    /// only nodes need this one.
    pub signs_pages: bool,
    /// The name in its certificate.
    pub name: String,
    /// SHA-256 of its certificate, in hexadecimal pairs with colons.
    pub fingerprint_sha256: String,
    /// Until when it holds.
    pub expires: Timestamp,
    /// The certificate, as PEM.
    pub pem: String,
}

/// Sites, zones, nodes, profiles and rules: one consistent picture, replaced whole.
#[derive(Clone, Debug)]
pub struct Nursery {
    /// The sites.
    pub sites: Vec<Site>,
    /// The zones, each with what it says of itself.
    pub zones: Vec<Zone>,
    /// The batches that are not closed.
    pub batches: Vec<Batch>,
    /// The nodes and where they stand.
    pub nodes: Vec<registry::Node>,
    /// The crop profiles.
    pub profiles: Vec<Profile>,
    /// The sources that profiles name.
    pub sources: Vec<Source>,
    /// The weak limits that people of this nursery have confirmed.
    pub confirmed: ConfirmedLimits,
    /// The series that are computed, each with those that it is computed from.
    pub derivations: BTreeMap<SeriesKey, Vec<SeriesKey>>,
    /// The rules made from them, which the alarm engine judges by.
    pub rules: Rules,
}

/// What is known of the nodes' sessions.
pub type Presence = HashMap<NodeKey, NodePresence>;

/// What is known of one node's session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodePresence {
    /// Whether it is connected; `None` where it was not heard since the gateway started.
    pub online: Option<bool>,
    /// Its firmware, from its latest birth.
    pub firmware: Option<String>,
    /// When its latest birth came.
    pub birth: Option<Timestamp>,
    /// How often it samples, in milliseconds.
    pub interval_ms: Option<u32>,
    /// How many readings waited in its flash at its latest birth.
    pub waiting: Option<u32>,
    /// Of a sleeping node: when it said that it will be heard next.
    pub next_due: Option<Timestamp>,
    /// The number of its firmware's release.
    pub release: Option<u32>,
    /// What its images are made for, where it takes updates.
    pub target: Option<measure::Slug>,
    /// The revision of the settings that it works by.
    pub settings: Option<u32>,
}

/// Something that happened and that open pages shall know.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Samples were kept.
    Samples(Vec<Sample>),
    /// An alarm changed, and the registry holds it as it is now.
    Alarm(AlarmId),
    /// A node came or went.
    Node(NodeKey),
    /// Zones, crops, nodes or limits changed, and `State::nursery` holds them already.
    Configuration,
}

/// Where the daemon's stages tell what happened. Never waits.
#[derive(Clone, Debug)]
pub struct Announcer(mpsc::Sender<Happening>);

/// What the stages told, for [`crate::run`].
#[derive(Debug)]
pub struct Happenings(pub(crate) mpsc::Receiver<Happening>);

/// Makes the way from the stages to the event streams.
pub fn announcements() -> (Announcer, Happenings) {
    let (sender, receiver) = mpsc::channel(HAPPENINGS_MAX);
    (Announcer(sender), Happenings(receiver))
}

impl Announcer {
    /// Tells what happened. Where too much waits it is dropped: pages lose a live update that the
    /// next one of its channel makes up for, and nothing is lost on disk.
    pub fn tell(&self, happening: Happening) {
        match self.0.try_send(happening) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                warn!("Dropped a live update: the event streams are behind.");
            }
        }
    }
}

/// Something that a person does to an alarm. The alarm stage carries it out, commits it to the
/// registry, and only then answers.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub action: Action,
    /// To which alarm.
    pub alarm: AlarmId,
    /// Who, as [`people::Actor`] prints.
    pub by: String,
    /// In their words.
    pub comment: String,
    /// Where the answer goes, once the alarm is on disk as it is now.
    pub answer: oneshot::Sender<Result<(), OrderError>>,
}

/// Why an order was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The alarm is not open: it is over, or there never was one.
    #[error("the alarm is not open")]
    NotOpen,
    /// It could not be committed; the same order may work later.
    #[error("the order could not be kept")]
    Unavailable,
}

/// Where people's answers to alarms are handed in.
#[derive(Clone, Debug)]
pub struct AlarmDesk(mpsc::Sender<Order>);

/// Makes the way from the API to the alarm stage, which answers every order it receives.
pub fn alarm_desk() -> (AlarmDesk, mpsc::Receiver<Order>) {
    let (sender, receiver) = mpsc::channel(ORDERS_MAX);
    (AlarmDesk(sender), receiver)
}

impl AlarmDesk {
    pub(crate) async fn hand_in(
        &self,
        action: Action,
        alarm: AlarmId,
        by: String,
        comment: String,
    ) -> Result<(), OrderError> {
        let (answer, answered) = oneshot::channel();
        let order = Order { action, alarm, by, comment, answer };
        self.0.send(order).await.map_err(|_| OrderError::Unavailable)?;
        answered.await.unwrap_or(Err(OrderError::Unavailable))
    }
}
