//! The form of the file of quality thresholds: what ships, and what a nursery sets instead.
//!
//! ```toml
//! [[limits]]
//! quantity = "air_temperature"
//! node = "nanchuan/bench-1"    # only of this node; absent: of all
//! position = "canopy"          # only here; absent: everywhere
//! range = { fail = [-80, 60], suspect = [-15, 50], class = "G" }
//! rate = { step = 3, in_s = 60, least = 2, class = "G" }
//! flat = { within = 0.1, suspect_min = 60, fail_min = 360, class = "G" }
//! spike = { suspect = 3, fail = 20, within_min = 15, class = "G" }
//! climate = { margin = 15, class = "G" }
//! twin = { accuracy = 0.8, class = "G" }
//! ```
//!
//! Values are in the unit of the quantity. A test that is not named stays as it is; `rate = false`
//! switches one off. In a nursery's own file classes and sources may be left out.

use std::fmt;
use std::marker::PhantomData;

use measure::qartod::{FlatLimit, GrossRange, RateLimit, SpikeLimit};
use measure::{NodeKey, Quantity, Slug};
use nursery::SourceClass;
use quality::{Row, Set, SpikeRule};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Error;

/// The most rows of a file; a file with more is refused.
pub const LIMITS_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    limits: Vec<RawLimits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    #[serde(with = "nursery::serial::quantity")]
    quantity: Quantity,
    node: Option<String>,
    #[serde(default, with = "nursery::serial::slug_option")]
    position: Option<Slug>,
    range: Option<RawRange>,
    rate: Option<Test<RawRate>>,
    flat: Option<Test<RawFlat>>,
    spike: Option<Test<RawSpike>>,
    climate: Option<Test<RawClimate>>,
    twin: Option<Test<RawTwin>>,
}

/// A test with its numbers, or `false`.
enum Test<T> {
    Off,
    On(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Test<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Seen<T> {
            type Value = Test<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the numbers of the test in braces, or `false` to switch it off")
            }

            fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<Test<T>, E> {
                if is_on {
                    return Err(E::invalid_value(de::Unexpected::Bool(is_on), &self));
                }
                Ok(Test::Off)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Test<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Test::On)
            }
        }

        deserializer.deserialize_any(Seen(PhantomData))
    }
}

/// Where the numbers of a test are from.
trait Cited {
    fn cited(&self) -> (Option<SourceClass>, &[String]);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRange {
    fail: [f64; 2],
    suspect: Option<[f64; 2]>,
    class: Option<SourceClass>,
    #[serde(default)]
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRate {
    step: f64,
    in_s: u32,
    #[serde(default)]
    least: f64,
    class: Option<SourceClass>,
    #[serde(default)]
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlat {
    within: f64,
    suspect_min: u32,
    fail_min: Option<u32>,
    below: Option<f64>,
    class: Option<SourceClass>,
    #[serde(default)]
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpike {
    suspect: f64,
    fail: Option<f64>,
    within_min: u32,
    class: Option<SourceClass>,
    #[serde(default)]
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClimate {
    margin: f64,
    class: Option<SourceClass>,
    #[serde(default)]
    sources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTwin {
    accuracy: f64,
    class: Option<SourceClass>,
    #[serde(default)]
    sources: Vec<String>,
}

macro_rules! cited {
    ($($of:ty),*) => {$(
        impl Cited for $of {
            fn cited(&self) -> (Option<SourceClass>, &[String]) {
                (self.class, &self.sources)
            }
        }
    )*};
}

cited!(RawRange, RawRate, RawFlat, RawSpike, RawClimate, RawTwin);

/// A test of a row with its class and sources, for whoever checks them.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// Of which quantity.
    pub quantity: Quantity,
    /// Which test, as it is called in the file.
    pub test: &'static str,
    /// How good its source is.
    pub class: Option<SourceClass>,
    /// The sources, by their names in the list.
    pub sources: Vec<String>,
}

/// Reads a file of thresholds.
pub(crate) fn rows(name: &str, text: &str) -> Result<(Vec<Row>, Vec<Citation>), Error> {
    let raw: RawFile =
        toml::from_str(text).map_err(|source| Error::Form { name: name.to_owned(), source })?;
    if raw.limits.len() > LIMITS_MAX {
        let what = format!("{} rows; at most {LIMITS_MAX} are allowed", raw.limits.len());
        return Err(Error::Limits { name: name.to_owned(), what });
    }
    let (mut rows, mut cited) = (Vec::new(), Vec::new());
    for limits in raw.limits {
        let wrong = |what: String| Error::Limits {
            name: name.to_owned(),
            what: format!("limits of {}: {what}", limits.quantity),
        };
        rows.push(row(&limits, &mut cited).map_err(wrong)?);
    }
    Ok((rows, cited))
}

fn row(raw: &RawLimits, cited: &mut Vec<Citation>) -> Result<Row, String> {
    let units = Units(raw.quantity);
    let mut cite = |test, of: &dyn Cited| {
        let (class, sources) = of.cited();
        let (quantity, sources) = (raw.quantity, sources.to_vec());
        cited.push(Citation { quantity, test, class, sources });
    };
    if let Some(range) = &raw.range {
        cite("range", range);
    }
    let range = raw.range.as_ref().map(|range| units.range(range)).transpose()?;
    let set = Set {
        range,
        rate: on(&raw.rate, "rate", &mut cite, |rate| units.rate(rate))?,
        flat: on(&raw.flat, "flat", &mut cite, |flat| units.flat(flat))?,
        spike: on(&raw.spike, "spike", &mut cite, |spike| units.spike(spike))?,
        climate_margin: on(&raw.climate, "climate", &mut cite, |it| {
            units.size("climate.margin", it.margin)
        })?,
        accuracy: on(&raw.twin, "twin", &mut cite, |it| units.size("twin.accuracy", it.accuracy))?,
    };
    let node = raw.node.as_deref().map(node).transpose()?;
    Ok(Row { quantity: raw.quantity, node, position: raw.position.clone(), set })
}

fn on<T: Cited, U>(
    raw: &Option<Test<T>>,
    test: &'static str,
    cite: &mut impl FnMut(&'static str, &dyn Cited),
    read: impl Fn(&T) -> Result<U, String>,
) -> Result<Option<Option<U>>, String> {
    match raw {
        None => Ok(None),
        Some(Test::Off) => Ok(Some(None)),
        Some(Test::On(of)) => {
            cite(test, of);
            read(of).map(|read| Some(Some(read)))
        }
    }
}

fn node(text: &str) -> Result<NodeKey, String> {
    let wrong = || format!("node `{text}` is no `site/node` such as `nanchuan/bench-1`");
    let (site, node) = text.split_once('/').ok_or_else(wrong)?;
    let (site, node) = (Slug::new(site), Slug::new(node));
    Ok(NodeKey { site: site.map_err(|_| wrong())?, node: node.map_err(|_| wrong())? })
}

/// Numbers in the unit of a quantity, to its steps.
#[derive(Clone, Copy)]
struct Units(Quantity);

impl Units {
    fn steps(self, what: &str, value: f64) -> Result<i32, String> {
        let steps = (value * f64::from(self.0.steps_per_unit())).round();
        if steps.abs() < f64::from(i32::MAX) {
            Ok(steps as i32)
        } else {
            Err(format!("{what} is {value}; give a number that a sensor can read"))
        }
    }

    /// Reads a length, which is no less than one step.
    fn size(self, what: &str, value: f64) -> Result<u32, String> {
        let steps = self.steps(what, value)?;
        u32::try_from(steps).ok().filter(|steps| *steps > 0).ok_or_else(|| {
            let least = 1.0 / f64::from(self.0.steps_per_unit());
            format!("{what} is {value}; give at least {least} {}", self.0.ucum())
        })
    }

    fn ends(self, what: &str, [low, high]: [f64; 2]) -> Result<(i32, i32), String> {
        let ends = (self.steps(what, low)?, self.steps(what, high)?);
        if ends.0 > ends.1 {
            return Err(format!("{what} is [{low}, {high}]; give the lower end first"));
        }
        Ok(ends)
    }

    fn range(self, raw: &RawRange) -> Result<GrossRange, String> {
        let fail = self.ends("range.fail", raw.fail)?;
        let suspect = match raw.suspect {
            Some(suspect) => self.ends("range.suspect", suspect)?,
            None => fail,
        };
        if suspect.0 < fail.0 || suspect.1 > fail.1 {
            return Err("range.suspect leads out of range.fail; let it lie within".to_owned());
        }
        Ok(GrossRange { fail, suspect })
    }

    fn rate(self, raw: &RawRate) -> Result<RateLimit, String> {
        let least = match raw.least {
            0.0 => 0,
            least => self.size("rate.least", least)?,
        };
        let per_ms = ms("rate.in_s", raw.in_s, 1_000)?;
        Ok(RateLimit { steps: self.size("rate.step", raw.step)?, per_ms, least })
    }

    fn flat(self, raw: &RawFlat) -> Result<(FlatLimit, Option<i32>), String> {
        let suspect_ms = ms("flat.suspect_min", raw.suspect_min, 60_000)?;
        let fail_ms = raw.fail_min.map(|min| ms("flat.fail_min", min, 60_000)).transpose()?;
        if fail_ms.is_some_and(|fail_ms| fail_ms < suspect_ms) {
            return Err("flat.fail_min is less than flat.suspect_min; let it be longer".to_owned());
        }
        let below = raw.below.map(|below| self.steps("flat.below", below)).transpose()?;
        let tolerance = self.size("flat.within", raw.within)?;
        Ok((FlatLimit { tolerance, suspect_ms, fail_ms }, below))
    }

    fn spike(self, raw: &RawSpike) -> Result<SpikeRule, String> {
        let suspect = self.size("spike.suspect", raw.suspect)?;
        let fail = raw.fail.map(|fail| self.size("spike.fail", fail)).transpose()?;
        let limit = SpikeLimit { suspect, fail: fail.unwrap_or(u32::MAX) };
        Ok(SpikeRule { limit, within_ms: ms("spike.within_min", raw.within_min, 60_000)? })
    }
}

/// The longest time of a test, in milliseconds: a day, after which every series begins anew.
const TIME_MS_MAX: u32 = 86_400_000;

fn ms(what: &str, count: u32, unit_ms: u32) -> Result<u32, String> {
    count.checked_mul(unit_ms).filter(|ms| (1..=TIME_MS_MAX).contains(ms)).ok_or_else(|| {
        format!("{what} is {count}; give 1 to {}, which is a day", TIME_MS_MAX / unit_ms)
    })
}
