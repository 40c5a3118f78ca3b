//! A crop profile: by method and stage, the bands a crop wants and where harm begins.

use measure::{Quantity, Scaled, Slug};
use serde::{Deserialize, Serialize};

use crate::{Error, Names, SourceClass, ThermalTime};

/// The most stages of a method; a method with more is refused.
pub const STAGES_MAX: usize = 64;
/// The most bands of a stage; a stage with more is refused.
pub const BANDS_MAX: usize = 64;

/// What is known about a crop, by method and stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The crop, such as `rice`.
    #[serde(with = "crate::serial::slug")]
    pub crop: Slug,
    /// What people call it.
    pub names: Names,
    /// What a reader must know before trusting it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Names>,
    /// The ways it is raised or kept.
    pub methods: Vec<Method>,
    /// Between which temperatures it develops, where somebody has measured it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thermal_time: Vec<ThermalTime>,
}

/// One way to raise or keep a crop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// Its name in the profile, such as `tray`.
    #[serde(with = "crate::serial::slug")]
    pub id: Slug,
    /// What people call it.
    pub names: Names,
    /// Its stages, in their order.
    pub stages: Vec<Stage>,
}

/// One stage of a method. Its bands are complete: what holds for several stages stands in each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name in the method, such as `7-2-leaf`.
    #[serde(with = "crate::serial::slug")]
    pub id: Slug,
    /// Its place among the stages, counted from 0.
    pub order: u16,
    /// What people call it.
    pub names: Names,
    /// What its growers should know, such as that nothing has been filled in yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Names>,
    /// How long it takes, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<StageDuration>,
    /// What it wants, by quantity and period. None at all: nobody has filled it in.
    #[serde(default)]
    pub bands: Vec<Band>,
    /// What it wants that no channel measures: shade, photoperiod, seed moisture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guidance: Vec<Guidance>,
}

impl Profile {
    /// Returns a stage by its method and name.
    pub fn stage(&self, method: &Slug, stage: &Slug) -> Option<&Stage> {
        let method = self.methods.iter().find(|it| it.id == *method)?;
        method.stages.iter().find(|it| it.id == *stage)
    }

    /// Returns between which temperatures a stage develops; `None` where nobody has measured it.
    pub fn thermal_time(&self, method: &Slug, stage: &Slug) -> Option<&ThermalTime> {
        self.thermal_time.iter().find(|it| it.is_for(method, stage))
    }

    /// Checks that names are unique, orders rise and every band is sound.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        for (index, method) in self.methods.iter().enumerate() {
            let name = format!("method `{}/{}`", self.crop, method.id);
            if self.methods.iter().skip(index + 1).any(|other| other.id == method.id) {
                return Err(Error::Twice(name));
            }
            if method.stages.len() > STAGES_MAX {
                let count = method.stages.len();
                return Err(Error::TooMany { thing: name, what: "stages", count, max: STAGES_MAX });
            }
            for (index, stage) in method.stages.iter().enumerate() {
                let name = format!("stage `{}/{}/{}`", self.crop, method.id, stage.id);
                if method.stages.iter().skip(index + 1).any(|other| other.id == stage.id) {
                    return Err(Error::Twice(name));
                }
                if usize::from(stage.order) != index {
                    return Err(Error::Missing { thing: name, missing: "order of its own place" });
                }
                stage.check(name)?;
            }
        }
        let mut stages = self.thermal_time.iter().flat_map(|it| &it.applies).collect::<Vec<_>>();
        stages.sort_unstable();
        if let Some((twin, _)) = stages.iter().zip(stages.iter().skip(1)).find(|(a, b)| a == b) {
            return Err(Error::Twice(format!("the thermal time of `{}/{twin}`", self.crop)));
        }
        self.thermal_time.iter().try_for_each(ThermalTime::check)
    }
}

impl Stage {
    /// Returns the band of a quantity by day or by night: that of the very period, else that of
    /// all hours.
    pub fn band(&self, quantity: Quantity, period: Period) -> Option<&Band> {
        let of = |wanted: Period| {
            self.bands.iter().find(|band| band.quantity == quantity && band.period == wanted)
        };
        of(period).or_else(|| of(Period::All))
    }

    fn check(&self, name: String) -> Result<(), Error> {
        if self.bands.len() > BANDS_MAX {
            let count = self.bands.len();
            return Err(Error::TooMany { thing: name, what: "bands", count, max: BANDS_MAX });
        }
        for (index, band) in self.bands.iter().enumerate() {
            band.check()?;
            let twin = |other: &Band| {
                other.quantity == band.quantity && other.period.overlaps(band.period)
            };
            if self.bands.iter().skip(index + 1).any(twin) {
                return Err(Error::Twice(format!("the band of {} of {name}", band.quantity)));
            }
        }
        Ok(())
    }
}

/// When in the day a band holds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// By day and by night.
    #[default]
    All,
    /// By day, as the zone defines it.
    Day,
    /// By night.
    Night,
}

impl Period {
    /// Returns whether two periods have an hour in common.
    pub fn overlaps(self, other: Self) -> bool {
        self == other || self == Self::All || other == Self::All
    }

    /// Returns the name used in files and the API, such as `day`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Day => "day",
            Self::Night => "night",
        }
    }
}

/// A lower and an upper limit, each of which may be open. The lower never lies above the upper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    lo: Option<Scaled>,
    hi: Option<Scaled>,
}

impl Limits {
    /// No limit on either side.
    pub const OPEN: Self = Self { lo: None, hi: None };

    /// Checks two limits of `quantity`; `what` names them in the error.
    ///
    /// # Errors
    /// [`Error::Range`] outside the quantity's gross range, [`Error::Order`] in the wrong order.
    pub fn new(
        what: &'static str,
        quantity: Quantity,
        lo: Option<Scaled>,
        hi: Option<Scaled>,
    ) -> Result<Self, Error> {
        for value in [lo, hi].into_iter().flatten() {
            if !value.is_in_range(quantity) {
                return Err(Error::Range { what, quantity, value: value.to_f64(quantity) });
            }
        }
        ordered(what, quantity, lo, hi)?;
        Ok(Self { lo, hi })
    }

    /// Returns the lower limit.
    pub const fn lo(self) -> Option<Scaled> {
        self.lo
    }

    /// Returns the upper limit.
    pub const fn hi(self) -> Option<Scaled> {
        self.hi
    }

    /// Returns whether neither side has a limit.
    pub const fn is_open(self) -> bool {
        self.lo.is_none() && self.hi.is_none()
    }

    /// Returns whether a value lies within, both ends included.
    pub fn contains(self, value: Scaled) -> bool {
        self.lo.is_none_or(|lo| lo <= value) && self.hi.is_none_or(|hi| value <= hi)
    }
}

fn ordered(
    what: &'static str,
    quantity: Quantity,
    low: Option<Scaled>,
    high: Option<Scaled>,
) -> Result<(), Error> {
    match (low, high) {
        (Some(low), Some(high)) if low > high => Err(Error::Order {
            what,
            quantity: quantity.name().to_owned(),
            low: low.to_f64(quantity),
            high: high.to_f64(quantity),
        }),
        _ => Ok(()),
    }
}

/// Returns a value given in the unit of `quantity` in steps.
pub(crate) fn scaled(what: &'static str, quantity: Quantity, value: f64) -> Result<Scaled, Error> {
    Scaled::from_f64(quantity, value).map_err(|_| Error::Range { what, quantity, value })
}

/// What a stage wants of one quantity, and where harm begins.
///
/// In files the limits are in the quantity's own unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawBand", into = "RawBand")]
pub struct Band {
    /// Of which quantity.
    pub quantity: Quantity,
    /// When in the day.
    pub period: Period,
    /// Where the value should be. Outside it nothing is raised.
    pub target: Limits,
    /// Outside of this an alarm is due.
    pub alarm: Limits,
    /// How good the source of the target is.
    pub target_class: SourceClass,
    /// How good the source of the alarm limits is; none where there are none.
    pub alarm_class: Option<SourceClass>,
    /// The sources, by the names in the list of sources; empty where there is none (class G).
    pub sources: Vec<String>,
    /// What its reader should know.
    pub note: Option<Names>,
    /// It is taken from another species or place and only stands in.
    pub proxy: bool,
}

impl Band {
    /// Checks that the target lies within the alarm limits and that every limit has a class.
    ///
    /// # Errors
    /// [`Error::Order`] where a target limit lies outside the alarm limit, [`Error::Missing`]
    /// where alarm limits have no class or nothing is limited at all.
    pub fn check(&self) -> Result<(), Error> {
        ordered("alarm and target", self.quantity, self.alarm.lo, self.target.lo)?;
        ordered("target and alarm", self.quantity, self.target.hi, self.alarm.hi)?;
        let missing = |missing| {
            Err(Error::Missing { thing: format!("the band of {}", self.quantity), missing })
        };
        if self.target.is_open() && self.alarm.is_open() {
            return missing("limit at all");
        }
        if !self.alarm.is_open() && self.alarm_class.is_none() {
            return missing("alarm_class");
        }
        Ok(())
    }
}

/// Two ends in a file: `[22, 28]`, or with an open end `{ lo = 16 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The lower end, or open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<f64>,
    /// The upper end, or open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<f64>,
}

impl Span {
    fn is_open(&self) -> bool {
        self.lo.is_none() && self.hi.is_none()
    }

    fn limits(self, what: &'static str, quantity: Quantity) -> Result<Limits, Error> {
        let end = |value: Option<f64>| value.map(|it| scaled(what, quantity, it)).transpose();
        Limits::new(what, quantity, end(self.lo)?, end(self.hi)?)
    }

    fn of(limits: Limits, quantity: Quantity) -> Self {
        let units = |value: Scaled| value.to_f64(quantity);
        Self { lo: limits.lo.map(units), hi: limits.hi.map(units) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBand {
    #[serde(with = "crate::serial::quantity")]
    quantity: Quantity,
    #[serde(default)]
    period: Period,
    #[serde(default, skip_serializing_if = "Span::is_open")]
    target: Span,
    #[serde(default, skip_serializing_if = "Span::is_open")]
    alarm: Span,
    target_class: SourceClass,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alarm_class: Option<SourceClass>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Names>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    proxy: bool,
}

impl TryFrom<RawBand> for Band {
    type Error = Error;

    fn try_from(raw: RawBand) -> Result<Self, Error> {
        let band = Self {
            quantity: raw.quantity,
            period: raw.period,
            target: raw.target.limits("target", raw.quantity)?,
            alarm: raw.alarm.limits("alarm", raw.quantity)?,
            target_class: raw.target_class,
            alarm_class: raw.alarm_class,
            sources: raw.sources,
            note: raw.note,
            proxy: raw.proxy,
        };
        band.check()?;
        Ok(band)
    }
}

impl From<Band> for RawBand {
    fn from(band: Band) -> Self {
        Self {
            quantity: band.quantity,
            period: band.period,
            target: Span::of(band.target, band.quantity),
            alarm: Span::of(band.alarm, band.quantity),
            target_class: band.target_class,
            alarm_class: band.alarm_class,
            sources: band.sources,
            note: band.note,
            proxy: band.proxy,
        }
    }
}

/// How long a stage takes, in hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageDuration {
    /// How long it should take.
    pub target_h: Span,
    /// Outside of this something is wrong.
    #[serde(default, skip_serializing_if = "Span::is_open")]
    pub alarm_h: Span,
    /// How good the source of the target is.
    pub target_class: SourceClass,
    /// How good the source of the alarm limits is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_class: Option<SourceClass>,
    /// The sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What its reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Names>,
    /// It is taken from another species or place and only stands in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxy: bool,
}

/// What a stage wants that no channel of ours measures. Shown to people, never judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    /// What it is about, such as `shade`.
    pub variable: String,
    /// What people call it.
    pub names: Names,
    /// The unit as the source gives it; empty for a plain instruction.
    #[serde(default)]
    pub unit: String,
    /// Where it should be.
    #[serde(default, skip_serializing_if = "Span::is_open")]
    pub target: Span,
    /// Outside of this harm begins.
    #[serde(default, skip_serializing_if = "Span::is_open")]
    pub alarm: Span,
    /// How good the source of the target is.
    pub target_class: SourceClass,
    /// How good the source of the alarm limits is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_class: Option<SourceClass>,
    /// The sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What its reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Names>,
    /// It is taken from another species or place and only stands in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxy: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAND: &str = r#"{"quantity": "air_temperature", "period": "day",
        "target": {"lo": 22, "hi": 28}, "alarm": {"lo": 12, "hi": 30},
        "target_class": "B", "alarm_class": "B", "sources": ["RI12"]}"#;

    #[test]
    fn a_band_comes_back_as_it_was_written() {
        let band: Band = serde_json::from_str(BAND).unwrap();
        assert_eq!(band.alarm.hi(), Some(Scaled(30_000)));
        let text = serde_json::to_string(&band).unwrap();
        assert_eq!(serde_json::from_str::<Band>(&text).unwrap(), band);
    }

    #[track_caller]
    fn check(from: &str, to: &str, message: &str) {
        let error = serde_json::from_str::<Band>(&BAND.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }

    #[test]
    fn a_band_whose_numbers_contradict_is_refused() {
        check("22", "29", "29 must not lie above 28");
        check("12", "23", "23 must not lie above 22");
        check("30", "27", "28 must not lie above 27");
        check("30", "300", "300 is outside the range of air_temperature");
        check(r#""alarm_class": "B", "#, "", "alarm_class");
        check(r#""B", "a"#, r#""E", "a"#, "`E` is no source class");
    }

    fn stage(id: &str, order: u16, bands: Vec<Band>) -> Stage {
        Stage {
            id: Slug::new(id).unwrap(),
            order,
            names: Names::new("一", "one").unwrap(),
            note: None,
            duration: None,
            bands,
            guidance: Vec::new(),
        }
    }

    fn profile(stages: Vec<Stage>) -> Profile {
        let names = Names::new("水稻", "rice").unwrap();
        Profile {
            crop: Slug::new("rice").unwrap(),
            names: names.clone(),
            note: None,
            methods: vec![Method { id: Slug::new("tray").unwrap(), names, stages }],
            thermal_time: Vec::new(),
        }
    }

    #[test]
    fn a_band_of_the_period_goes_before_that_of_all_hours() {
        let day: Band = serde_json::from_str(BAND).unwrap();
        let stage = stage("one", 0, vec![day.clone()]);
        assert_eq!(stage.band(Quantity::AirTemperature, Period::Day), Some(&day));
        assert_eq!(stage.band(Quantity::AirTemperature, Period::Night), None);
        assert_eq!(stage.band(Quantity::Co2, Period::Day), None);
    }

    #[test]
    fn a_profile_names_each_stage_and_band_once() {
        let day: Band = serde_json::from_str(BAND).unwrap();
        let all = Band { period: Period::All, ..day.clone() };
        let night = Band { period: Period::Night, ..day.clone() };
        let good = profile(vec![stage("a", 0, vec![day.clone(), night]), stage("b", 1, vec![])]);
        assert_eq!(good.check(), Ok(()));
        assert!(good.stage(&Slug::new("tray").unwrap(), &Slug::new("b").unwrap()).is_some());
        let twice = profile(vec![stage("a", 0, vec![]), stage("a", 1, vec![])]);
        assert!(matches!(twice.check(), Err(Error::Twice(_))));
        let overlap = profile(vec![stage("a", 0, vec![day, all])]);
        assert!(matches!(overlap.check(), Err(Error::Twice(_))));
        let order = profile(vec![stage("a", 1, vec![])]);
        assert!(matches!(order.check(), Err(Error::Missing { .. })));
    }
}
