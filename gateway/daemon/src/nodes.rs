//! What nodes are set to: made of what a person set and the limits that hold, and sent until each node
//! works by it.
//!
//! A revision is sent when it is made and at every birth that does not show it. One that the node
//! refused, or gave up because it could not reconnect with it, is not sent again until it changes.

mod merge;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alarms::ChannelId;
use api::{
    NodeBusy, NodeDesk, Nursery, SettingsFault,
    types::{
        Name, NodeChannel, NodeCommand, NodeCommandStanding, NodeLimit, NodeOutcome, NodeSettings,
        NodeSettingsState, NodeStanding,
    },
};
use ingest::Outlets;
use measure::{NodeKey, Timestamp};
use registry::Registry;
use store::{SeriesKey, Store};
use tokio::{sync::watch, task::JoinHandle, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wire::{Birth, Command, Settings};

use crate::commander::{Answer, Commander};
use merge::{Judged, Merged};

/// How often changes of settings, limits and births are looked for.
const TICK: Duration = Duration::from_secs(2);
/// The most commands of a node that are shown; the oldest is forgotten.
const COMMANDS_SHOWN_MAX: usize = 8;

/// Everything that is known of nodes' settings and commands.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) outlets: Arc<Outlets>,
    pub(crate) nursery: watch::Receiver<Arc<Nursery>>,
    pub(crate) commander: Commander,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    pub(crate) told: Mutex<BTreeMap<NodeKey, VecDeque<Arc<Told>>>>,
}

/// A command of a person.
pub(crate) struct Told {
    standing: Mutex<NodeCommandStanding>,
}

/// Settings that are to be sent: to whom, in which session of the node.
struct Wanted {
    node: NodeKey,
    settings: Settings,
    session: (u32, u32),
}

/// Settings that are being sent.
struct Sending {
    revision: u32,
    session: (u32, u32),
    task: JoinHandle<()>,
}

/// Makes and sends settings until told to stop.
pub(crate) async fn run(bench: Arc<Bench>, stop: CancellationToken) {
    let mut sending: BTreeMap<NodeKey, Sending> = BTreeMap::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let looking = Arc::clone(&bench);
        let wanted = match tokio::task::spawn_blocking(move || looking.wanted()).await {
            Ok(Ok(wanted)) => wanted,
            Ok(Err(cause)) => {
                warn!(%cause, "Cannot read the settings of nodes; they are read again.");
                continue;
            }
            Err(cause) => {
                error!(%cause, "The settings stage panicked; the gateway ends so that it starts anew.");
                stop.cancel();
                return;
            }
        };
        // What is in force, refused or replaced needs no sending.
        sending.retain(|node, it| {
            let is_wanted = wanted
                .iter()
                .any(|wanted| wanted.node == *node && wanted.settings.revision == it.revision);
            if !is_wanted {
                it.task.abort();
            }
            is_wanted
        });
        for wanted in wanted {
            // One that was answered in an earlier session and is not in force has to be sent anew; one that
            // was not answered yet is said again by the commander.
            let is_sent = sending
                .get(&wanted.node)
                .is_some_and(|it| !it.task.is_finished() || it.session == wanted.session);
            if !is_sent {
                send(&bench, wanted, &mut sending);
            }
        }
    }
    for it in sending.values() {
        it.task.abort();
    }
}

fn send(bench: &Arc<Bench>, wanted: Wanted, sending: &mut BTreeMap<NodeKey, Sending>) {
    let Wanted { node, settings, session } = wanted;
    let revision = settings.revision;
    let Ok(asked) = bench.commander.ask(&node, Command::Configure(settings)) else { return };
    let (bench, to) = (Arc::clone(bench), node.clone());
    let task = tokio::spawn(async move {
        match asked.answer.await {
            Ok(Answer::Done) => {
                info!(node = %to, id = asked.id, revision, "A node took its settings.");
            }
            Ok(Answer::Refused(detail)) => bench.refused(to, revision, detail).await,
            Ok(Answer::Unknown) => bench.refused(to, revision, "unknown command".to_owned()).await,
            Ok(Answer::None) | Err(_) => {}
        }
    });
    sending.insert(node, Sending { revision, session, task });
}

impl Bench {
    async fn refused(self: Arc<Self>, node: NodeKey, revision: u32, detail: String) {
        warn!(%node, revision, %detail, "A node refused its settings.");
        let kept = tokio::task::spawn_blocking(move || {
            self.registry.refuse_node_settings(&node, revision, &detail)
        });
        match kept.await {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => warn!(%cause, "Cannot keep that a node refused its settings."),
            Err(cause) => error!(%cause, "Keeping a refusal panicked."),
        }
    }

    /// Makes every node's settings anew where the content changed; returns those not in force.
    fn wanted(&self) -> Result<Vec<Wanted>, registry::Error> {
        let mut wanted = Vec::new();
        let kept = self.registry.node_settings()?;
        if kept.is_empty() {
            return Ok(wanted);
        }
        for record in kept {
            let Some(birth) = self.birth(&record.node) else { continue };
            let Ok(set) = serde_json::from_str::<NodeSettings>(&record.body) else { continue };
            let Ok(Merged { mut settings, .. }) = self.merged(&record.node, &set, &birth) else {
                continue;
            };
            let Ok(content) = merge::content(&settings) else { continue };
            // A registry that was restored counts on from what the node has seen.
            let seen = birth.settings.max(birth.rolled_back.unwrap_or(0));
            let least = if seen > record.revision { seen.saturating_add(1) } else { 1 };
            let is_same = record.content.as_deref() == Some(&content[..]);
            settings.revision = if is_same && record.revision >= least {
                record.revision
            } else {
                self.registry.make_node_settings(&record.node, &content, least)?
            };
            let is_new = settings.revision != record.revision;
            if is_new || state(&record, &birth) == NodeSettingsState::Pending {
                let session = (birth.boot.0, birth.session);
                wanted.push(Wanted { node: record.node, settings, session });
            }
        }
        Ok(wanted)
    }

    fn birth(&self, node: &NodeKey) -> Option<Arc<Birth>> {
        self.outlets.nodes.borrow().get(node).map(|state| Arc::clone(&state.birth))
    }

    fn merged(
        &self,
        node: &NodeKey,
        set: &NodeSettings,
        birth: &Birth,
    ) -> Result<Merged, SettingsFault> {
        let nursery = Arc::clone(&self.nursery.borrow());
        let series = self.store.series().unwrap_or_default();
        let judged: Vec<Judged<'_>> = (0..)
            .zip(&birth.channels)
            .filter_map(|(channel, it)| {
                let is_it = |key: &SeriesKey| {
                    key.node == *node && key.position == it.position && key.quantity == it.quantity
                };
                let (id, _) = series.iter().find(|(_, key)| is_it(key))?;
                let (zone, rules) = nursery.rules.channel(ChannelId(id.0))?;
                Some(Judged { channel, zone, rules })
            })
            .collect();
        merge::merge(set, birth, &judged, (self.clock)())
    }

    fn commands(&self, node: &NodeKey) -> Vec<NodeCommandStanding> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.get(node).into_iter().flatten();
        told.map(|it| it.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }
}

/// Checks settings where no gateway runs: all but how many limits find room.
///
/// # Errors
/// The first fault.
pub(crate) fn check_alone(set: &NodeSettings, birth: &Birth) -> Result<(), SettingsFault> {
    merge::merge(set, birth, &[], Timestamp::MIN).map(drop)
}

impl NodeDesk for Bench {
    fn check(&self, node: &NodeKey, settings: &NodeSettings) -> Result<(), SettingsFault> {
        let Some(birth) = self.birth(node) else {
            let words = Name {
                zh: "该节点还没有上线过，不知道它有哪些通道；请先让它连接一次".to_owned(),
                en: "this node was never heard, so its channels are not known; let it connect once"
                    .to_owned(),
            };
            return Err(SettingsFault { field: String::new(), words });
        };
        self.merged(node, settings, &birth).map(drop)
    }

    fn standing(&self, node: &NodeKey) -> Result<NodeStanding, registry::Error> {
        let record = self.registry.node_settings()?.into_iter().find(|it| it.node == *node);
        let birth = self.birth(node);
        let set = record.as_ref().and_then(|it| serde_json::from_str(&it.body).ok());
        let merged = set.as_ref().zip(birth.as_ref()).map(|(set, it)| self.merged(node, set, it));
        let (merged, fault) = match merged {
            Some(Ok(merged)) => (Some(merged), None),
            Some(Err(fault)) => (None, Some(fault.words)),
            None => (None, None),
        };
        let state = match (&record, &birth) {
            (None, _) => NodeSettingsState::None,
            (Some(_), None) => NodeSettingsState::Pending,
            (Some(record), Some(birth)) => state(record, birth),
        };
        let limits = birth.as_ref().zip(merged.as_ref()).map(|(birth, it)| limits(birth, it));
        Ok(NodeStanding {
            settings: set,
            set_ms: record.as_ref().map(|it| it.set.millis()),
            by: record.as_ref().map(|it| it.by.clone()),
            why: record.as_ref().map(|it| it.why.clone()),
            state,
            revision: record.as_ref().map_or(0, |it| it.revision),
            in_force: birth.as_ref().map(|it| it.settings),
            detail: record.as_ref().and_then(|it| it.refused.clone()),
            fault,
            channels: birth.as_ref().map(|it| channels(it)).unwrap_or_default(),
            limits: limits.unwrap_or_default(),
            limits_left: merged.map_or(0, |it| u32::try_from(it.left).unwrap_or(u32::MAX)),
            commands: self.commands(node),
        })
    }

    fn command(&self, node: &NodeKey, command: NodeCommand, by: &str) -> Result<(), NodeBusy> {
        let wire = match command {
            NodeCommand::Identify => Command::Identify,
            NodeCommand::Reboot => Command::Reboot,
            NodeCommand::Rebirth => Command::Rebirth,
        };
        let asked = self.commander.ask(node, wire).map_err(|_| NodeBusy)?;
        info!(%node, id = asked.id, ?command, by, "A node is told what to do.");
        let (asked_ms, outcome) = ((self.clock)().millis(), NodeOutcome::Waiting);
        let standing =
            NodeCommandStanding { command, asked_ms, by: by.to_owned(), outcome, detail: None };
        let told = Arc::new(Told { standing: Mutex::new(standing) });
        {
            let mut all = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let list = all.entry(node.clone()).or_default();
            list.push_front(Arc::clone(&told));
            list.truncate(COMMANDS_SHOWN_MAX);
        }
        // Called where it may block, which is inside of the runtime all the same.
        tokio::spawn(async move {
            let (outcome, detail) = match asked.answer.await {
                Ok(Answer::Done) => (NodeOutcome::Done, None),
                Ok(Answer::Refused(detail)) => (NodeOutcome::Refused, Some(detail)),
                Ok(Answer::Unknown) => (NodeOutcome::Unknown, None),
                Ok(Answer::None) | Err(_) => (NodeOutcome::NoAnswer, None),
            };
            let mut standing = told.standing.lock().unwrap_or_else(PoisonError::into_inner);
            (standing.outcome, standing.detail) = (outcome, detail);
        });
        Ok(())
    }
}

fn state(record: &registry::NodeSettings, birth: &Birth) -> NodeSettingsState {
    if record.refused.is_some() {
        NodeSettingsState::Refused
    } else if record.revision > 0 && birth.rolled_back == Some(record.revision) {
        NodeSettingsState::RolledBack
    } else if record.revision > 0 && birth.settings == record.revision {
        NodeSettingsState::Applied
    } else {
        NodeSettingsState::Pending
    }
}

fn channels(birth: &Birth) -> Vec<NodeChannel> {
    let channel = |(channel, it): (u8, &wire::Channel)| NodeChannel {
        channel,
        quantity: it.quantity.name().to_owned(),
        unit: it.quantity.ucum().to_owned(),
        position: it.position.to_string(),
        sensor: it.sensor.to_string(),
        calibration: it.calibration,
        enabled: it.enabled,
    };
    (0..).zip(&birth.channels).map(channel).collect()
}

fn limits(birth: &Birth, merged: &Merged) -> Vec<NodeLimit> {
    let limit = |it: &wire::Limit| {
        let quantity = birth.channels.get(usize::from(it.channel))?.quantity;
        let side = match it.side {
            wire::Side::Low => "low",
            wire::Side::High => "high",
        };
        let deadband = measure::Scaled(i32::try_from(it.deadband).unwrap_or(i32::MAX));
        Some(NodeLimit {
            rule: it.rule,
            channel: it.channel,
            side: side.to_owned(),
            threshold: it.threshold.to_f64(quantity),
            deadband: deadband.to_f64(quantity),
            on_delay_s: it.on_delay_s,
            off_delay_s: it.off_delay_s,
            outputs: it.outputs,
        })
    };
    merged.settings.limits.iter().filter_map(limit).collect()
}
