//! The numbers of one quantity over one span, as they leave this room.

use agronomy::{light_integral, photon_flux_of_sunlight};
use measure::{Quantity, Slug, Timestamp};
use nursery::SourceClass;

use crate::tally::{Tally, steps_per_unit};

/// How much of a day must have a value for the day to count in a mean a day, in percent.
pub const DAY_COVERAGE_MIN_PERCENT: i64 = 90;

const US_A_HOUR: f64 = 3_600e6;

/// What was lived through of one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The stage; none for all stages together.
    pub stage: Option<Slug>,
    /// The quantity.
    pub quantity: Quantity,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// How many microseconds of it were spent there.
    pub time_us: i64,
    /// How many of them have a value.
    pub covered_us: i64,
    /// The least value, in the unit of the quantity.
    pub min: Option<f64>,
    /// The mean, weighted by time.
    pub mean: Option<f64>,
    /// The greatest value.
    pub max: Option<f64>,
    /// How many microseconds lie below the target; none where it has no lower edge.
    pub below_us: Option<i64>,
    /// How many microseconds lie above the target; none where it has no upper edge.
    pub above_us: Option<i64>,
    /// The integral that the quantity is known by.
    pub integral: Option<Integral>,
    /// The channels that it was measured by, as `node/position`, in order.
    pub channels: Vec<String>,
}

impl Row {
    /// Returns the hours that were spent.
    pub fn hours(&self) -> f64 {
        hours(self.time_us)
    }

    /// Returns the share of them that has a value, 0 to 1.
    pub fn coverage(&self) -> f64 {
        if self.time_us > 0 { self.covered_us as f64 / self.time_us as f64 } else { 0.0 }
    }

    /// Returns the hours below the target.
    pub fn hours_below(&self) -> Option<f64> {
        self.below_us.map(hours)
    }

    /// Returns the hours above the target.
    pub fn hours_above(&self) -> Option<f64> {
        self.above_us.map(hours)
    }
}

fn hours(us: i64) -> f64 {
    us as f64 / US_A_HOUR
}

/// What was lived through of one quantity on one local day of the site.
#[derive(Clone, Debug, PartialEq)]
pub struct DayRow {
    /// The day, since 1970-01-01.
    pub day: i32,
    /// The stages of that day, in order.
    pub stages: Vec<Slug>,
    /// The numbers.
    pub row: Row,
}

/// An integral over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Integral {
    /// Which.
    pub kind: IntegralKind,
    /// Its value over the covered time.
    pub value: f64,
    /// Its mean a day over the whole days that are covered well enough; none where there is none.
    pub a_day: Option<f64>,
    /// How many days those are.
    pub days: u32,
    /// What it was computed with.
    pub basis: Basis,
}

/// Which integral a quantity is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegralKind {
    /// Warmth above the base temperature.
    ThermalTime,
    /// Photons on a square metre.
    LightIntegral,
    /// Vapour pressure deficit over time.
    VpdHours,
}

impl IntegralKind {
    /// Returns the integral of a quantity; `None` where it has none.
    pub const fn of(quantity: Quantity) -> Option<Self> {
        match quantity {
            Quantity::AirTemperature | Quantity::SubstrateTemperature => Some(Self::ThermalTime),
            Quantity::Ppfd | Quantity::Illuminance => Some(Self::LightIntegral),
            Quantity::VapourPressureDeficit => Some(Self::VpdHours),
            _ => None,
        }
    }

    /// Returns the name used in files and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThermalTime => "thermal_time",
            Self::LightIntegral => "light_integral",
            Self::VpdHours => "vpd_hours",
        }
    }

    /// Returns the UCUM code of its unit.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::ThermalTime => "Cel.d",
            Self::LightIntegral => "mol/m2",
            Self::VpdHours => "kPa.h",
        }
    }

    /// Returns the UCUM code of its unit a day.
    pub const fn unit_a_day(self) -> &'static str {
        match self {
            Self::ThermalTime => "Cel.d/d",
            Self::LightIntegral => "mol/m2/d",
            Self::VpdHours => "kPa.h/d",
        }
    }
}

/// What an integral was computed with.
#[derive(Clone, Debug, PartialEq)]
pub enum Basis {
    /// Nothing but the values.
    Values,
    /// Illuminance taken for sunlight, at 54 lx for 1 µmol/(m² s).
    Sunlight,
    /// The temperatures that a crop's development was counted between.
    Cardinal {
        /// The base temperature, in °C.
        base_c: f64,
        /// The upper temperature, in °C.
        upper_c: Option<f64>,
        /// The class of their source.
        class: SourceClass,
        /// The sources; empty where the base is the default of class G.
        sources: Vec<String>,
    },
    /// The temperatures of each stage; they differ.
    EachStage,
}

/// What a row is about.
pub(crate) struct Head {
    pub(crate) stage: Option<Slug>,
    pub(crate) quantity: Quantity,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) time_us: i64,
    /// Whether the target names a lower and an upper edge.
    pub(crate) edges: (bool, bool),
    pub(crate) channels: Vec<String>,
    pub(crate) basis: Basis,
}

impl Head {
    /// Puts the numbers to what they are about; `whole_days` are the sums of that many days.
    pub(crate) fn row(self, tally: &Tally, (whole_days, days): (&Tally, u32)) -> Row {
        let Self { stage, quantity, from, to, time_us, edges, channels, basis } = self;
        let steps = steps_per_unit(quantity);
        let integral = IntegralKind::of(quantity).map(|kind| Integral {
            kind,
            value: integral(kind, quantity, tally),
            a_day: (days > 0).then(|| integral(kind, quantity, whole_days) / f64::from(days)),
            days,
            basis,
        });
        Row {
            stage,
            quantity,
            from,
            to,
            time_us,
            covered_us: tally.covered_us,
            min: tally.min.map(|min| min.units(steps)),
            mean: tally.mean(steps),
            max: tally.max.map(|max| max.units(steps)),
            below_us: edges.0.then_some(tally.below_us),
            above_us: edges.1.then_some(tally.above_us),
            integral,
            channels,
        }
    }
}

fn integral(kind: IntegralKind, quantity: Quantity, tally: &Tally) -> f64 {
    let seconds = tally.unit_us(steps_per_unit(quantity)) / 1e6;
    match kind {
        IntegralKind::ThermalTime => tally.degree_days(),
        IntegralKind::LightIntegral if quantity == Quantity::Illuminance => {
            light_integral(photon_flux_of_sunlight(1.0), seconds)
        }
        IntegralKind::LightIntegral => light_integral(1.0, seconds),
        IntegralKind::VpdHours => seconds / 3_600.0,
    }
}
