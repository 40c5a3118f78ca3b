//! What the engine remembers.

use std::collections::BTreeMap;

use measure::Timestamp;
use nursery::serial;
use serde::{Deserialize, Serialize};

use crate::level::LevelState;
use crate::{
    AlarmId, ChannelId, Episode, InputState, Level, Phase, Rule, RuleId, StateName, Suppression,
};

/// The version of the state's written form. Another one is refused on reading.
pub const STATE_VERSION: u16 = 1;

/// Everything the engine remembers. Written out and read back it goes on as if nothing had been.
///
/// It can be kept whole, or in records: [`State::next_alarm`] and one [`ChannelState`] a channel,
/// of which [`State::take_changed`] names those that have changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    #[serde(deserialize_with = "current_version")]
    version: u16,
    pub(crate) next_alarm: u64,
    pub(crate) channels: BTreeMap<ChannelId, ChannelState>,
    /// The day or night that each zone was last judged in; worked out again when it is not here.
    #[serde(skip)]
    pub(crate) phases: PhaseCache,
}

impl Default for State {
    fn default() -> Self {
        Self {
            version: STATE_VERSION,
            next_alarm: 1,
            channels: BTreeMap::new(),
            phases: PhaseCache::default(),
        }
    }
}

/// Why a state was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It was written by another version.
    #[error("alarm state version {0} is not {STATE_VERSION}")]
    Version(u16),
}

fn current_version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::deserialize(deserializer)? {
        STATE_VERSION => Ok(STATE_VERSION),
        other => Err(serde::de::Error::custom(StateError::Version(other))),
    }
}

impl State {
    /// Puts a state together from its records.
    ///
    /// # Errors
    /// [`StateError::Version`] where the records are of another version.
    pub fn from_records(
        version: u16,
        next_alarm: AlarmId,
        channels: impl IntoIterator<Item = (ChannelId, ChannelState)>,
    ) -> Result<Self, StateError> {
        if version != STATE_VERSION {
            return Err(StateError::Version(version));
        }
        let channels = channels.into_iter().collect();
        Ok(Self { next_alarm: next_alarm.0.max(1), channels, ..Self::default() })
    }

    /// Returns the number that the next episode will have.
    pub const fn next_alarm(&self) -> AlarmId {
        AlarmId(self.next_alarm)
    }

    /// Returns the channels that have changed since this was last called, with their records.
    pub fn take_changed(&mut self) -> impl Iterator<Item = (ChannelId, &ChannelState)> {
        self.channels.iter_mut().filter_map(|(id, channel)| {
            std::mem::take(&mut channel.changed).then_some((*id, &*channel))
        })
    }

    /// Returns what is remembered of a channel, if it was ever heard.
    pub fn channel(&self, channel: ChannelId) -> Option<&ChannelState> {
        self.channels.get(&channel)
    }

    /// Returns every episode that is active or waits for an acknowledgement, with its state.
    pub fn open(&self) -> impl Iterator<Item = (&Episode, StateName)> {
        self.channels
            .values()
            .flat_map(|channel| &channel.alarms)
            .filter_map(|alarm| alarm.open.as_deref().map(|episode| (episode, alarm.name())))
    }

    /// Returns what keeps an open episode from notifying.
    pub fn suppression(&self, id: AlarmId) -> Option<&Suppression> {
        let mut alarms = self.channels.values().flat_map(|channel| &channel.alarms);
        let is_it = |alarm: &&AlarmState| alarm.open.as_ref().is_some_and(|it| it.id == id);
        alarms.find(is_it).map(|alarm| &alarm.suppression)
    }

    /// Returns an open episode and its state.
    pub fn alarm(&self, id: AlarmId) -> Option<(&Episode, StateName)> {
        self.open().find(|(episode, _)| episode.id == id)
    }

    pub(crate) fn draw_alarm(next: &mut u64) -> AlarmId {
        let id = AlarmId(*next);
        *next += 1;
        id
    }
}

/// What the engine remembers of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelState {
    /// The newest sample that was judged, in event time.
    #[serde(with = "serial::micros_option")]
    pub(crate) judged: Option<Timestamp>,
    /// The newest of them that had a value.
    #[serde(with = "serial::micros_option")]
    pub(crate) valid: Option<Timestamp>,
    /// When it was last heard, on the gateway's time.
    #[serde(with = "serial::micros_option")]
    pub(crate) heard: Option<Timestamp>,
    /// Until when a sleeping node may be silent, on the gateway's time.
    #[serde(with = "serial::micros_option")]
    pub(crate) due: Option<Timestamp>,
    pub(crate) offline: bool,
    pub(crate) stale: bool,
    /// What the last judged sample said about the input.
    pub(crate) sampled: InputState,
    /// How many samples came late.
    pub(crate) late: u64,
    /// What a channel that tells a zone's day last said.
    pub(crate) light: Option<Light>,
    pub(crate) alarms: Vec<AlarmState>,
    /// Something here has changed since [`State::take_changed`].
    #[serde(skip)]
    pub(crate) changed: bool,
}

impl ChannelState {
    /// Returns how far the channel's data can be trusted.
    pub const fn input(&self) -> InputState {
        if self.stale { InputState::Stale } else { self.sampled }
    }

    /// Returns the time of the newest sample judged.
    pub const fn judged(&self) -> Option<Timestamp> {
        self.judged
    }

    /// Returns when the channel was last heard, on the gateway's time.
    pub const fn heard(&self) -> Option<Timestamp> {
        self.heard
    }

    /// Returns how many samples came late and were not judged.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Returns the state of one of the channel's rules.
    pub fn state_name(&self, rule: RuleId) -> StateName {
        let alarm = self.alarms.iter().find(|alarm| alarm.number == rule.number);
        alarm.map_or(StateName::Normal, AlarmState::name)
    }
}

/// The day that a light channel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Light {
    pub(crate) light: bool,
    /// Since when it is so.
    #[serde(with = "serial::micros")]
    pub(crate) since: Timestamp,
    /// The newest sample that said so.
    #[serde(with = "serial::micros")]
    pub(crate) at: Timestamp,
}

/// The four axes of one rule's alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AlarmState {
    /// The rule's number on its channel.
    pub(crate) number: u16,
    /// The version of the rule it was last judged by.
    pub(crate) version: u32,
    pub(crate) levels: Vec<LevelState>,
    pub(crate) open: Option<Box<Episode>>,
    pub(crate) latched: bool,
    pub(crate) suppression: Suppression,
}

impl AlarmState {
    pub(crate) fn new(rule: &Rule, version: u32) -> Self {
        let fresh = |level: &Level| LevelState::new(level.side(), level.severity);
        Self {
            number: rule.id.number,
            version,
            levels: rule.levels.iter().map(fresh).collect(),
            open: None,
            latched: false,
            suppression: Suppression::None,
        }
    }

    /// Takes over the levels of a rule: those it had before keep their condition.
    pub(crate) fn follow(&mut self, rule: &Rule, version: u32) {
        let is_same = |(level, kept): (&Level, &LevelState)| {
            level.side() == kept.side && level.severity == kept.severity
        };
        let same_levels = rule.levels.len() == self.levels.len()
            && rule.levels.iter().zip(&self.levels).all(is_same);
        self.version = version;
        if same_levels {
            return;
        }
        let kept = std::mem::take(&mut self.levels);
        let keep = |level: &Level| {
            let known = kept.iter().find(|kept| is_same((level, kept)));
            known.cloned().unwrap_or_else(|| LevelState::new(level.side(), level.severity))
        };
        self.levels = rule.levels.iter().map(keep).collect();
    }

    pub(crate) const fn is_shelved(&self) -> bool {
        matches!(self.suppression, Suppression::Shelved { .. })
    }

    /// Closes an episode that is over and known. One on the shelf stays until it is off it, so that
    /// what is shelved can be seen and taken from there.
    pub(crate) fn close_if_over(&mut self, at: Timestamp) {
        let keep = self.latched || self.is_shelved();
        if let Some(episode) = &mut self.open
            && !(episode.active || episode.wants_acknowledgement() || keep)
        {
            episode.closed = Some(at);
        }
    }

    pub(crate) fn name(&self) -> StateName {
        StateName::of(self.open.as_deref(), self.latched, &self.suppression)
    }
}

/// The phases last worked out, by the place of the zone in the rules they belong to.
#[derive(Clone, Debug, Default)]
pub(crate) struct PhaseCache {
    stamp: u64,
    phases: Vec<Option<Phase>>,
}

impl PhaseCache {
    /// Returns the phase of a zone at a time, from the cache or by `work_out`.
    pub(crate) fn get(
        &mut self,
        stamp: u64,
        zone: usize,
        at: Timestamp,
        work_out: impl FnOnce() -> Phase,
    ) -> Phase {
        if self.stamp != stamp {
            (self.stamp, self.phases) = (stamp, Vec::new());
        }
        if self.phases.len() <= zone {
            self.phases.resize(zone + 1, None);
        }
        match self.phases.get_mut(zone) {
            Some(Some(phase)) if phase.contains(at) => *phase,
            Some(slot) => *slot.insert(work_out()),
            None => work_out(),
        }
    }
}
