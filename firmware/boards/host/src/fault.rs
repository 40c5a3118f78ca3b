//! Faults on demand: `house=2,kind=stuck,after=60s,for=10m,quantity=air_temperature`.
//!
//! What is asked for, read from text; what it does to a chip, a bus, a valve or a node is done where
//! those are simulated.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use measure::{Quantity, Timestamp};

use crate::nursery::Demo;

/// When a fault begins that does not say: late enough for a good reading before it.
pub const AFTER_DEFAULT: Duration = Duration::from_secs(60);
/// How long a power cut lasts that does not say.
pub const POWER_CUT_DEFAULT: Duration = Duration::from_secs(30);
/// The longest duration that is read: ten years. A longer one is refused.
pub const DURATION_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

/// A fault asked for. Times count on the clock of the nodes, from when they go live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// The number of the house, from 1.
    pub house: usize,
    /// What fails.
    pub kind: Kind,
    /// When it fails.
    pub after: Duration,
    /// How long until it is repaired; never, where it does not say.
    pub lasts: Option<Duration>,
    /// Which quantity a stuck, drifting or spiking sensor measures.
    pub quantity: Option<Quantity>,
}

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sensor gives the value of the moment for ever.
    Stuck,
    /// A sensor goes further astray by the minute.
    Drift,
    /// A sensor gives a wild value now and then.
    Spike,
    /// The data line of a node's bus is held low: all its chips are gone.
    DeadBus,
    /// The mist valve stays shut.
    MistValve,
    /// A node loses its supply, and all it has not in flash.
    PowerCut,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Stuck, Self::Drift, Self::Spike, Self::DeadBus, Self::MistValve, Self::PowerCut];

    /// Returns the name on the command line, such as `mist-valve`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Drift => "drift",
            Self::Spike => "spike",
            Self::DeadBus => "dead-bus",
            Self::MistValve => "mist-valve",
            Self::PowerCut => "power-cut",
        }
    }

    /// Returns whether it befalls one sensor.
    pub const fn is_of_sensor(self) -> bool {
        matches!(self, Self::Stuck | Self::Drift | Self::Spike)
    }
}

impl FaultPlan {
    /// Returns the fault of this kind in this house, with the defaults of all else.
    pub fn new(house: usize, kind: Kind) -> Self {
        let quantity = kind.is_of_sensor().then_some(Quantity::AirTemperature);
        let lasts = (kind == Kind::PowerCut).then_some(POWER_CUT_DEFAULT);
        Self { house, kind, after: AFTER_DEFAULT, lasts, quantity }
    }

    /// Checks that the demonstration has the house and measures the quantity in it.
    ///
    /// # Errors
    /// `FaultError` naming what it has.
    pub fn check(&self, demo: &Demo) -> Result<(), FaultError> {
        let count = demo.houses.len();
        let plan = demo.houses.iter().find(|plan| plan.number == self.house);
        let plan = plan.ok_or(FaultError::House { value: self.house.to_string(), count })?;
        match self.quantity {
            Some(quantity) if !plan.measures(quantity) => {
                Err(FaultError::NotMeasured { quantity, house: self.house })
            }
            _ => Ok(()),
        }
    }

    /// Returns from when until when (not included) it holds, where the nodes go live at `live`.
    pub fn span(&self, live: Timestamp) -> (Timestamp, Timestamp) {
        let from = live.plus_micros(micros(self.after));
        let until = self.lasts.map_or(Timestamp::MAX, |lasts| from.plus_micros(micros(lasts)));
        (from, until)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { house, kind, after, lasts, quantity } = self;
        write!(f, "house={house},kind={},after={}ms", kind.name(), after.as_millis())?;
        if let Some(lasts) = lasts {
            write!(f, ",for={}ms", lasts.as_millis())?;
        }
        match quantity {
            Some(quantity) => write!(f, ",quantity={quantity}"),
            None => Ok(()),
        }
    }
}

/// Why a fault asked for cannot be made. Each says what would do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A part without `=`.
    #[error("`{part}` is not key=value; write it like house=2,kind=mist-valve,after=60s")]
    NoValue {
        /// The part.
        part: String,
    },
    /// A key that is none.
    #[error("unknown key `{key}`; there are house, kind, after, for and quantity")]
    Key {
        /// The key.
        key: String,
    },
    /// A key that stands twice.
    #[error("`{key}` stands twice; leave one of them out")]
    Twice {
        /// The key.
        key: String,
    },
    /// A key that must be there and is not.
    #[error("`{key}` is missing; add {example}")]
    Missing {
        /// The key.
        key: &'static str,
        /// How it could look.
        example: &'static str,
    },
    /// No such house.
    #[error("house=`{value}`: the houses are numbered from 1 to {count}")]
    House {
        /// What was given.
        value: String,
        /// How many there are.
        count: usize,
    },
    /// No number of a house at all.
    #[error("house=`{value}`: give the number of a house, counted from 1, such as house=2")]
    HouseNumber {
        /// What was given.
        value: String,
    },
    /// No such kind.
    #[error("kind=`{value}`: there are stuck, drift, spike, dead-bus, mist-valve and power-cut")]
    Kind {
        /// What was given.
        value: String,
    },
    /// No duration.
    #[error("{key}=`{value}`: {error}")]
    Duration {
        /// `after` or `for`.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        error: DurationError,
    },
    /// No such quantity.
    #[error("quantity=`{value}`: {}", measure::UnknownQuantity)]
    Quantity {
        /// What was given.
        value: String,
    },
    /// A quantity for a fault that is not one sensor's.
    #[error("quantity goes with stuck, drift and spike only; leave it out for {}", kind.name())]
    QuantityUnused {
        /// The kind.
        kind: Kind,
    },
    /// A quantity that nothing measures there.
    #[error(
        "quantity=`{quantity}`: house {house} does not measure it; it measures \
             air_temperature, relative_humidity, co2, illuminance and substrate_temperature"
    )]
    NotMeasured {
        /// The quantity.
        quantity: Quantity,
        /// The house.
        house: usize,
    },
}

impl FromStr for FaultPlan {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let parts = Parts::parse(text)?;
        let missing = |key, example| FaultError::Missing { key, example };
        let house = parts.house.ok_or(missing("house", "house=2"))?;
        let house = house
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| FaultError::HouseNumber { value: house.to_owned() })?;
        let kind = parts.kind.ok_or(missing("kind", "kind=mist-valve"))?;
        let kind = Kind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| FaultError::Kind { value: kind.to_owned() })?;
        let mut fault = Self::new(house, kind);
        if let Some(value) = parts.after {
            fault.after = duration("after", value)?;
        }
        if let Some(value) = parts.lasts {
            fault.lasts = Some(duration("for", value)?);
        }
        if let Some(value) = parts.quantity {
            if !kind.is_of_sensor() {
                return Err(FaultError::QuantityUnused { kind });
            }
            let quantity =
                value.parse().map_err(|_| FaultError::Quantity { value: value.to_owned() })?;
            fault.quantity = Some(quantity);
        }
        Ok(fault)
    }
}

/// The values by their keys.
#[derive(Default)]
struct Parts<'a> {
    house: Option<&'a str>,
    kind: Option<&'a str>,
    after: Option<&'a str>,
    lasts: Option<&'a str>,
    quantity: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn parse(text: &'a str) -> Result<Self, FaultError> {
        let mut parts = Self::default();
        for part in text.split(',') {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| FaultError::NoValue { part: part.to_owned() })?;
            let (key, value) = (key.trim(), value.trim());
            let slot = match key {
                "house" => &mut parts.house,
                "kind" => &mut parts.kind,
                "after" => &mut parts.after,
                "for" => &mut parts.lasts,
                "quantity" => &mut parts.quantity,
                _ => return Err(FaultError::Key { key: key.to_owned() }),
            };
            if slot.replace(value).is_some() {
                return Err(FaultError::Twice { key: key.to_owned() });
            }
        }
        Ok(parts)
    }
}

fn duration(key: &'static str, value: &str) -> Result<Duration, FaultError> {
    parse_duration(value).map_err(|error| FaultError::Duration {
        key,
        value: value.to_owned(),
        error,
    })
}

/// Why a duration cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// No number and unit.
    #[error("write a whole number and a unit: ms, s, m, h or d, such as 90s")]
    Form,
    /// Longer than [`DURATION_MAX`].
    #[error("at most 3660d")]
    TooLong,
}

/// Reads a duration such as `90s`, `5m` or `2h`.
fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(DurationError::Form)?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(DurationError::Form),
    };
    if number.is_empty() {
        return Err(DurationError::Form);
    }
    let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
    let duration = number.checked_mul(unit_ms).map(Duration::from_millis);
    duration.filter(|duration| *duration <= DURATION_MAX).ok_or(DurationError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nursery::demo;

    #[track_caller]
    fn refused(text: &str, says: &str) {
        let error = text.parse::<FaultPlan>().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }

    #[test]
    fn a_fault_is_read_with_its_defaults() {
        let fault: FaultPlan = "house=2,kind=stuck,after=60s".parse().unwrap();
        let expect = FaultPlan {
            house: 2,
            kind: Kind::Stuck,
            after: Duration::from_secs(60),
            lasts: None,
            quantity: Some(Quantity::AirTemperature),
        };
        assert_eq!(fault, expect);
        let cut: FaultPlan = "kind=power-cut,house=1".parse().unwrap();
        assert_eq!((cut.after, cut.lasts), (AFTER_DEFAULT, Some(POWER_CUT_DEFAULT)));
    }

    #[test]
    fn a_fault_is_written_as_it_is_read() {
        for kind in Kind::ALL {
            let fault =
                FaultPlan { lasts: Some(Duration::from_secs(600)), ..FaultPlan::new(3, kind) };
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        let spike = "house=4,kind=spike,after=5m,for=2h,quantity=co2".parse::<FaultPlan>().unwrap();
        assert_eq!(spike.quantity, Some(Quantity::Co2));
        assert_eq!(spike.lasts, Some(Duration::from_secs(7_200)));
        assert_eq!(spike.to_string().parse(), Ok(spike));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_what_would_do() {
        refused("", "`` is not key=value");
        refused("house=2", "`kind` is missing; add kind=mist-valve");
        refused("kind=stuck", "`house` is missing; add house=2");
        refused("house=0,kind=stuck", "house=`0`: give the number of a house");
        refused("house=two,kind=stuck", "house=`two`");
        refused("house=1,kind=broken", "kind=`broken`: there are stuck, drift");
        refused("house=1,kind=stuck,when=5s", "unknown key `when`");
        refused("house=1,kind=stuck,house=2", "`house` stands twice");
        refused("house=1,kind=stuck,after=60", "after=`60`: write a whole number and a unit");
        refused("house=1,kind=stuck,after=s", "after=`s`");
        refused("house=1,kind=stuck,for=-5s", "for=`-5s`");
        refused("house=1,kind=stuck,for=99999999999999999999d", "at most 3660d");
        refused("house=1,kind=stuck,for=4000d", "at most 3660d");
        refused("house=1,kind=stuck,quantity=temp", "quantity=`temp`: unknown quantity; known are");
        refused("house=1,kind=mist-valve,quantity=co2", "leave it out for mist-valve");
    }

    #[test]
    fn a_fault_must_fit_the_nursery() {
        let demo = demo();
        assert_eq!(FaultPlan::new(5, Kind::DeadBus).check(&demo), Ok(()));
        let error = FaultPlan::new(6, Kind::DeadBus).check(&demo).unwrap_err().to_string();
        assert!(error.contains("house=`6`: the houses are numbered from 1 to 5"), "{error}");
        let ppfd: FaultPlan = "house=1,kind=drift,quantity=ppfd".parse().unwrap();
        let error = ppfd.check(&demo).unwrap_err().to_string();
        assert!(error.contains("house 1 does not measure it"), "{error}");
    }
}
