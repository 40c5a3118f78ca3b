//! A zone: one house or store room, what grows in it, and when its day is.

use measure::{NodeKey, Quantity, Scaled, Slug};
use serde::{Deserialize, Serialize};

use crate::profile::scaled;
use crate::{Error, Names, Period, TimeOfDay};

/// The most lamp spans in a day; a schedule with more is refused.
pub const LAMP_SPANS_MAX: usize = 16;
/// The most overrides of a zone; a zone with more is refused.
pub const OVERRIDES_MAX: usize = 64;
/// The interval of a zone that names none, in milliseconds.
pub const INTERVAL_MS_DEFAULT: u32 = 60_000;
/// The shortest expected interval, in milliseconds; a shorter one is refused.
pub const INTERVAL_MS_MIN: u32 = 100;
/// The longest expected interval, in milliseconds: a day; a longer one is refused.
pub const INTERVAL_MS_MAX: u32 = 86_400_000;

/// A part of a site with one climate: a house, a chamber, a store room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its name, unique in the site.
    #[serde(with = "crate::serial::slug")]
    pub id: Slug,
    /// The site it belongs to.
    #[serde(with = "crate::serial::slug")]
    pub site: Slug,
    /// What people call it.
    pub names: Names,
    /// House or store room.
    pub kind: ZoneKind,
    /// What grows or is kept in it; none while it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growing: Option<Growing>,
    /// What makes its day.
    #[serde(default)]
    pub day: Day,
    /// Limits that a person has set instead of the profile's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<LimitOverride>,
    /// How often its channels are expected to report, in milliseconds.
    #[serde(default = "interval_ms_default")]
    pub expected_interval_ms: u32,
}

fn interval_ms_default() -> u32 {
    INTERVAL_MS_DEFAULT
}

impl Zone {
    /// Checks what the types of the fields cannot: the interval and the overrides.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let (low, high) = (INTERVAL_MS_MIN, INTERVAL_MS_MAX);
        if !(low..=high).contains(&self.expected_interval_ms) {
            return Err(Error::Number {
                what: "expected_interval_ms",
                value: f64::from(self.expected_interval_ms),
                low: f64::from(low),
                high: f64::from(high),
            });
        }
        if self.overrides.len() > OVERRIDES_MAX {
            return Err(Error::TooMany {
                thing: format!("zone `{}`", self.id),
                what: "overrides",
                count: self.overrides.len(),
                max: OVERRIDES_MAX,
            });
        }
        for (index, one) in self.overrides.iter().enumerate() {
            let same = |other: &&LimitOverride| {
                other.quantity == one.quantity
                    && other.side == one.side
                    && other.severity == one.severity
                    && other.period.overlaps(one.period)
            };
            if self.overrides.iter().skip(index + 1).find(same).is_some() {
                return Err(Error::Twice(format!(
                    "the {} {} limit of {}",
                    one.severity.name(),
                    one.side.name(),
                    one.quantity
                )));
            }
        }
        Ok(())
    }
}

/// What a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneKind {
    /// A place where plants grow.
    House,
    /// A place where seed or other germplasm is kept.
    StoreRoom,
}

/// Which crop is at which stage: names in a [`crate::Profile`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growing {
    /// The crop, such as `rice`.
    #[serde(with = "crate::serial::slug")]
    pub crop: Slug,
    /// The method, such as `tray`.
    #[serde(with = "crate::serial::slug")]
    pub method: Slug,
    /// The stage, such as `7-2-leaf`.
    #[serde(with = "crate::serial::slug")]
    pub stage: Slug,
}

/// What makes the day of a zone: bands differ between day and night.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", try_from = "RawDay", into = "RawDay")]
pub enum Day {
    /// From sunrise to sunset at the site.
    #[default]
    Sun,
    /// While the lamps are on, in the site's local time.
    Lamp {
        /// When they are on. None at all: it is always night.
        spans: Vec<LampSpan>,
    },
    /// While a light channel of the zone reads at least a threshold; the sun's day where that
    /// channel has nothing fresh.
    MeasuredLight {
        /// Which quantity: illuminance or PPFD.
        quantity: Quantity,
        /// From where on it is day. It is night again below half of it.
        threshold: Scaled,
    },
}

/// One span of lamp light. A span that ends at or before its start ends on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LampSpan {
    /// When the lamps go on.
    pub on: TimeOfDay,
    /// When they go off.
    pub off: TimeOfDay,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
enum RawDay {
    Sun,
    Lamp {
        spans: Vec<LampSpan>,
    },
    MeasuredLight {
        #[serde(with = "crate::serial::quantity")]
        quantity: Quantity,
        threshold: f64,
    },
}

impl TryFrom<RawDay> for Day {
    type Error = Error;

    fn try_from(raw: RawDay) -> Result<Self, Error> {
        match raw {
            RawDay::Sun => Ok(Self::Sun),
            RawDay::Lamp { spans } => {
                if spans.len() > LAMP_SPANS_MAX {
                    return Err(Error::TooMany {
                        thing: "the lamp schedule".into(),
                        what: "spans",
                        count: spans.len(),
                        max: LAMP_SPANS_MAX,
                    });
                }
                match spans.iter().find(|span| span.on == span.off) {
                    Some(span) => Err(Error::LampSpan(span.on.to_string())),
                    None => Ok(Self::Lamp { spans }),
                }
            }
            RawDay::MeasuredLight { quantity, threshold } => {
                if !matches!(quantity, Quantity::Illuminance | Quantity::Ppfd) {
                    return Err(Error::Missing {
                        thing: format!("a day measured by {quantity}"),
                        missing: "light: use illuminance or ppfd",
                    });
                }
                let threshold = scaled("threshold", quantity, threshold)?;
                Ok(Self::MeasuredLight { quantity, threshold })
            }
        }
    }
}

impl From<Day> for RawDay {
    fn from(day: Day) -> Self {
        match day {
            Day::Sun => Self::Sun,
            Day::Lamp { spans } => Self::Lamp { spans },
            Day::MeasuredLight { quantity, threshold } => {
                Self::MeasuredLight { quantity, threshold: threshold.to_f64(quantity) }
            }
        }
    }
}

/// How bad it is when a limit is broken, from the least to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// To be looked at during the day.
    Medium,
    /// Harm within hours.
    High,
    /// Death within minutes to hours.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Returns the name used in files and the API, such as `critical`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// On which side of a limit it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The value is too low.
    Low,
    /// The value is too high.
    High,
}

impl Side {
    /// Returns the name used in files and the API, `low` or `high`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }
}

/// A limit that a person has set for a zone, instead of or beside the profile's.
///
/// It replaces the profile's limit of the same quantity, side, severity and period (a profile's
/// limits have severity high). It counts as confirmed: it wakes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawOverride", into = "RawOverride")]
pub struct LimitOverride {
    /// Which quantity.
    pub quantity: Quantity,
    /// On which side.
    pub side: Side,
    /// By day, by night or always.
    pub period: Period,
    /// How bad breaking it is.
    pub severity: Severity,
    /// The limit; `None` takes the profile's limit away.
    pub limit: Option<Scaled>,
    /// How long the limit must be broken, in milliseconds; by default 10 minutes, or 0 for a
    /// critical limit.
    pub on_delay_ms: Option<u32>,
    /// How long the value must be back, in milliseconds; by default 10 minutes.
    pub off_delay_ms: Option<u32>,
    /// How far back inside the limit the value must be; by default the quantity's own.
    pub deadband: Option<Scaled>,
    /// Why, in the words of the person who set it.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOverride {
    #[serde(with = "crate::serial::quantity")]
    quantity: Quantity,
    side: Side,
    #[serde(default)]
    period: Period,
    severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_delay_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    off_delay_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadband: Option<f64>,
    reason: String,
}

impl TryFrom<RawOverride> for LimitOverride {
    type Error = Error;

    fn try_from(raw: RawOverride) -> Result<Self, Error> {
        let quantity = raw.quantity;
        if raw.reason.trim().is_empty() {
            return Err(Error::Missing {
                thing: format!("the override of {quantity}"),
                missing: "reason",
            });
        }
        let (low, high) = quantity.range();
        let span = f64::from(high - low) / f64::from(quantity.steps_per_unit());
        let deadband = raw.deadband.map(|units| {
            if (0.0..=span).contains(&units) {
                Ok(Scaled((units * f64::from(quantity.steps_per_unit())).round() as i32))
            } else {
                Err(Error::Number { what: "deadband", value: units, low: 0.0, high: span })
            }
        });
        Ok(Self {
            quantity,
            side: raw.side,
            period: raw.period,
            severity: raw.severity,
            limit: raw.limit.map(|units| scaled("limit", quantity, units)).transpose()?,
            on_delay_ms: raw.on_delay_ms,
            off_delay_ms: raw.off_delay_ms,
            deadband: deadband.transpose()?,
            reason: raw.reason,
        })
    }
}

impl From<LimitOverride> for RawOverride {
    fn from(it: LimitOverride) -> Self {
        let units = |value: Scaled| value.to_f64(it.quantity);
        Self {
            quantity: it.quantity,
            side: it.side,
            period: it.period,
            severity: it.severity,
            limit: it.limit.map(units),
            on_delay_ms: it.on_delay_ms,
            off_delay_ms: it.off_delay_ms,
            deadband: it.deadband.map(units),
            reason: it.reason,
        }
    }
}

/// Which zone a node stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlacement {
    /// The node.
    pub node: NodeKey,
    /// The zone, of the node's own site.
    pub zone: Slug,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = r#"{
        "id": "house-2", "site": "nanchuan", "names": {"zh": "二号棚", "en": "House 2"},
        "kind": "house",
        "growing": {"crop": "rice", "method": "tray", "stage": "7-2-leaf"},
        "day": {"by": "lamp", "spans": [{"on": "06:00", "off": "22:00"}]},
        "overrides": [{"quantity": "air_temperature", "side": "high", "severity": "critical",
                       "limit": 35.0, "reason": "probe at canopy height"}]
    }"#;

    #[test]
    fn a_zone_comes_back_as_it_was_written() {
        let zone: Zone = serde_json::from_str(ZONE).unwrap();
        assert_eq!(zone.expected_interval_ms, INTERVAL_MS_DEFAULT);
        assert_eq!(zone.overrides[0].limit, Some(Scaled(35_000)));
        assert_eq!(zone.check(), Ok(()));
        let text = serde_json::to_string(&zone).unwrap();
        assert_eq!(serde_json::from_str::<Zone>(&text).unwrap(), zone);
    }

    #[track_caller]
    fn check(from: &str, to: &str, message: &str) {
        let error = serde_json::from_str::<Zone>(&ZONE.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("house-2", "House 2", "`House 2`");
        check("22:00", "22:60", "22:60");
        check("22:00", "06:00", "06:00");
        check("35.0", "350.0", "350");
        check("probe at canopy height", " ", "reason");
        check("air_temperature", "temperature", "known are");
        check("\"kind\"", "\"sort\": 1, \"kind\"", "unknown field");
    }

    #[test]
    fn the_same_limit_is_not_set_twice() {
        let mut zone: Zone = serde_json::from_str(ZONE).unwrap();
        let mut again = zone.overrides[0].clone();
        again.period = Period::Night;
        zone.overrides.push(again);
        assert!(matches!(zone.check(), Err(Error::Twice(_))));
        zone.overrides[0].period = Period::Day;
        assert_eq!(zone.check(), Ok(()));
    }

    #[test]
    fn an_interval_of_nothing_is_refused() {
        let mut zone: Zone = serde_json::from_str(ZONE).unwrap();
        zone.expected_interval_ms = 0;
        assert!(matches!(zone.check(), Err(Error::Number { what: "expected_interval_ms", .. })));
    }
}
