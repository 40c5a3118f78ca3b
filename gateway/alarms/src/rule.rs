//! Rules: which channel is judged by which limits.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use measure::{Quantity, Scaled, Slug};
use nursery::{Day, Growing, Severity, Side, Site, SourceClass};
use serde::{Deserialize, Serialize};

/// The most levels of a rule: each severity on each side; a rule with more is refused.
pub const LEVELS_MAX: usize = 8;
/// Two samples further apart than this many expected intervals have a gap between them; a channel
/// that is silent for as long is stale.
pub const INTERVALS_UNTIL_GAP: i64 = 3;
/// No channel is called stale before this many milliseconds of silence.
pub const STALE_MS_MIN: i64 = 120_000;
/// How long after a change between day and night both limits count, in milliseconds (our
/// proposal, class G).
pub const PHASE_SETTLE_MS: i64 = 3_600_000;
/// An unacknowledged alarm that breaks again within this many milliseconds of its return is the
/// same episode (our proposal, class G).
pub const REOPEN_MS_DEFAULT: u32 = 3_600_000;

/// A channel: the store's number of its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub u32);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A rule: its channel, and its number among the channel's rules. Written `17.1`.
///
/// It stays the same when the rule's limits change, so an open alarm stays with its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId {
    /// The channel.
    pub channel: ChannelId,
    /// The number among the channel's rules.
    pub number: u16,
}

impl RuleId {
    /// The number of the rule that a channel's limits make.
    pub const LIMIT: u16 = 1;
    /// The number of the rule about a channel's silence.
    pub const STALE: u16 = 2;
    /// The number of the rule about a channel's faults.
    pub const FAULT: u16 = 3;
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.channel, self.number)
    }
}

impl FromStr for RuleId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.split_once('.')
            .and_then(|(channel, number)| {
                Some(Self {
                    channel: ChannelId(channel.parse().ok()?),
                    number: number.parse().ok()?,
                })
            })
            .ok_or_else(|| Error::RuleId(text.to_owned()))
    }
}

impl TryFrom<String> for RuleId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> Self {
        id.to_string()
    }
}

/// What a rule watches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// A value beyond a limit.
    Limit,
    /// A channel that is silent.
    Stale,
    /// A sensor that gives faults instead of values.
    Fault,
}

/// A rule of one channel. All its levels share one alarm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Which rule.
    pub id: RuleId,
    /// What it watches for.
    pub kind: RuleKind,
    /// Its levels, at most [`LEVELS_MAX`]; each pair of side and severity once.
    pub levels: Vec<Level>,
    /// Within how many milliseconds of its return an unacknowledged alarm reopens.
    pub reopen_ms: u32,
}

/// One level of a rule: how bad, when, and whom it wakes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Level {
    /// How bad it is.
    pub severity: Severity,
    /// When it trips.
    pub trip: Trip,
    /// For how many milliseconds it must hold before the level is active. For silence it is the
    /// silence itself.
    pub on_delay_ms: u32,
    /// For how many milliseconds it must be over before the level is not.
    pub off_delay_ms: u32,
}

/// When a level trips.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trip {
    /// A value lies beyond a limit.
    Limit(Threshold),
    /// Nothing has been heard for the level's on-delay.
    Silence {
        /// Whether it wakes people.
        wakes: bool,
    },
    /// The readings are faults.
    Fault {
        /// Whether it wakes people.
        wakes: bool,
    },
}

/// A limit, which may differ by day and by night.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Threshold {
    /// On which side of it harm lies.
    pub side: Side,
    /// The limit by day.
    pub day: Option<Bound>,
    /// The limit by night.
    pub night: Option<Bound>,
    /// How far back inside the limit a value must be to count as returned.
    pub deadband: Scaled,
}

/// A limit, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// Beyond this value, not at it, the limit is broken.
    pub limit: Scaled,
    /// Whether breaking it wakes people.
    pub wakes: bool,
    /// How good its source is; none for a limit that a person of the nursery has set.
    pub class: Option<SourceClass>,
    /// The sources of a profile's limit.
    pub sources: Vec<String>,
    /// Why a person has set it.
    pub reason: Option<String>,
    /// Who has confirmed a limit of a weak source for this nursery.
    pub confirmed_by: Option<String>,
}

impl Bound {
    /// Returns whether it wakes nobody until a person of the nursery confirms it.
    pub fn needs_confirmation(&self) -> bool {
        self.confirmed_by.is_none() && self.class.is_some_and(SourceClass::needs_confirmation)
    }
}

impl Level {
    /// Returns the side of a limit; silence and faults count as high.
    pub fn side(&self) -> Side {
        match &self.trip {
            Trip::Limit(threshold) => threshold.side,
            Trip::Silence { .. } | Trip::Fault { .. } => Side::High,
        }
    }
}

/// The rules of one channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelRules {
    /// Which channel.
    pub channel: ChannelId,
    /// What it measures.
    pub quantity: Quantity,
    /// How often it is expected to report, in milliseconds.
    pub expected_interval_ms: u32,
    /// How long its node sleeps between two connections, in milliseconds: it is not stale for that.
    pub asleep_ms: u32,
    /// Its rules.
    pub rules: Vec<Rule>,
}

impl ChannelRules {
    /// Returns how far apart two samples may be without a gap between them, in microseconds.
    pub fn gap_us(&self) -> i64 {
        i64::from(self.expected_interval_ms) * INTERVALS_UNTIL_GAP * 1_000
    }

    /// Returns after how much silence the channel is stale, in milliseconds.
    pub fn stale_ms(&self) -> i64 {
        let silent_ms = i64::from(self.expected_interval_ms) * INTERVALS_UNTIL_GAP;
        silent_ms.max(STALE_MS_MIN) + i64::from(self.asleep_ms)
    }
}

/// What makes the day of a zone.
#[derive(Clone, Debug, PartialEq)]
pub struct DayClock {
    /// The site with its position and time zone.
    pub site: Site,
    /// Sun, lamps or measured light.
    pub day: Day,
    /// The channel that measures the light, where the day is by measured light and there is one.
    pub light: Option<ChannelId>,
}

/// The rules of one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneRules {
    /// The zone, unique in its site.
    pub zone: Slug,
    /// What its limits were made for; none where nothing grows.
    pub growing: Option<Growing>,
    /// Its day.
    pub clock: DayClock,
    /// Its channels.
    pub channels: Vec<ChannelRules>,
}

/// Every rule of a gateway, ready to judge.
#[derive(Clone, Debug)]
pub struct Rules {
    zones: Vec<ZoneRules>,
    /// Channel to its zone and its place in it.
    places: BTreeMap<ChannelId, Place>,
    /// Channels that tell a zone's day, with the threshold at which it begins.
    lights: BTreeMap<ChannelId, Scaled>,
    stamp: u64,
}

/// Where a channel stands, with what every sample needs.
#[derive(Clone, Debug)]
struct Place {
    zone: usize,
    index: usize,
    /// The version of each of its rules, in their order.
    versions: Vec<u32>,
    /// For each rule, whether a limit differs by day and by night.
    phased: Vec<bool>,
}

/// Why rules were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A rule's name is not of the form `17.1`.
    #[error("`{0}` is no rule; write the channel, a point and the number, as in `17.1`")]
    RuleId(String),
    /// A channel stands in two zones or twice in one.
    #[error("channel {0} is given twice")]
    ChannelTwice(ChannelId),
    /// A rule stands under another channel, or twice under its own.
    #[error("rule {0} is given twice, or not under its own channel")]
    RuleTwice(RuleId),
    /// A rule has too many levels, or one of them twice.
    #[error("rule {0} must have at most {max} levels, each side and severity once", max = LEVELS_MAX)]
    Levels(RuleId),
    /// A deadband is negative.
    #[error("rule {0} has a negative deadband")]
    Deadband(RuleId),
}

impl Rules {
    /// Checks rules and makes them ready.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(zones: Vec<ZoneRules>) -> Result<Self, Error> {
        let mut places = BTreeMap::new();
        let mut lights = BTreeMap::new();
        let mut hasher = Fnv::new();
        for (zone, rules) in zones.iter().enumerate() {
            if let (Day::MeasuredLight { threshold, .. }, Some(light)) =
                (&rules.clock.day, rules.clock.light)
            {
                lights.insert(light, *threshold);
            }
            format!("{:?}", rules.clock).hash(&mut hasher);
            for (index, channel) in rules.channels.iter().enumerate() {
                channel.hash(&mut hasher);
                let place = Place {
                    zone,
                    index,
                    versions: channel.rules.iter().map(version).collect(),
                    phased: channel.rules.iter().map(is_phased).collect(),
                };
                check(channel)?;
                if places.insert(channel.channel, place).is_some() {
                    return Err(Error::ChannelTwice(channel.channel));
                }
            }
        }
        Ok(Self { zones, places, lights, stamp: hasher.finish() })
    }

    /// Returns the zones with their rules.
    pub fn zones(&self) -> &[ZoneRules] {
        &self.zones
    }

    /// Returns a rule.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.channel(id.channel)?.1.rules.iter().find(|rule| rule.id == id)
    }

    /// Returns a channel's zone and rules.
    pub fn channel(&self, channel: ChannelId) -> Option<(&ZoneRules, &ChannelRules)> {
        let place = self.places.get(&channel)?;
        let zone = self.zones.get(place.zone)?;
        Some((zone, zone.channels.get(place.index)?))
    }

    /// Returns everything that judging a sample of a channel needs.
    pub(crate) fn judging(&self, channel: ChannelId) -> Option<Judging<'_>> {
        let place = self.places.get(&channel)?;
        let zone = self.zones.get(place.zone)?;
        let channel = zone.channels.get(place.index)?;
        Some(Judging {
            zone: place.zone,
            clock: &zone.clock,
            channel,
            versions: &place.versions,
            phased: &place.phased,
        })
    }

    /// Returns the threshold of the day that a channel's light tells, if it tells one.
    pub(crate) fn light_threshold(&self, channel: ChannelId) -> Option<Scaled> {
        if self.lights.is_empty() { None } else { self.lights.get(&channel).copied() }
    }

    /// Returns every channel that has rules.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &ChannelRules> {
        self.zones.iter().flat_map(|zone| &zone.channels)
    }

    /// Returns a number that differs between different sets of rules.
    pub(crate) const fn stamp(&self) -> u64 {
        self.stamp
    }
}

/// A channel's rules with what was worked out about them.
pub(crate) struct Judging<'a> {
    pub(crate) zone: usize,
    pub(crate) clock: &'a DayClock,
    pub(crate) channel: &'a ChannelRules,
    versions: &'a [u32],
    phased: &'a [bool],
}

impl<'a> Judging<'a> {
    /// Returns the rules with their version and whether they differ by day and night.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&'a Rule, u32, bool)> + use<'a> {
        let facts = self.versions.iter().zip(self.phased);
        self.channel
            .rules
            .iter()
            .zip(facts)
            .map(|(rule, (version, phased))| (rule, *version, *phased))
    }
}

fn check(channel: &ChannelRules) -> Result<(), Error> {
    for (index, rule) in channel.rules.iter().enumerate() {
        let twin = channel.rules.iter().skip(index + 1).any(|other| other.id == rule.id);
        if twin || rule.id.channel != channel.channel {
            return Err(Error::RuleTwice(rule.id));
        }
        let key = |level: &Level| (level.side(), level.severity);
        let levels = &rule.levels;
        let again = levels
            .iter()
            .enumerate()
            .any(|(index, one)| levels.iter().skip(index + 1).any(|other| key(one) == key(other)));
        if levels.len() > LEVELS_MAX || again {
            return Err(Error::Levels(rule.id));
        }
        let negative = |level: &Level| matches!(&level.trip, Trip::Limit(threshold) if threshold.deadband.0 < 0);
        if levels.iter().any(negative) {
            return Err(Error::Deadband(rule.id));
        }
    }
    Ok(())
}

fn is_phased(rule: &Rule) -> bool {
    rule.levels.iter().any(|level| match &level.trip {
        Trip::Limit(threshold) => threshold.day != threshold.night,
        Trip::Silence { .. } | Trip::Fault { .. } => false,
    })
}

/// Returns a number that changes when the rule does.
fn version(rule: &Rule) -> u32 {
    let mut hasher = Fnv::new();
    rule.hash(&mut hasher);
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

/// FNV-1a, 64 bits: unlike the standard hasher it gives the same number in every process.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
