//! The quantities a nursery measures: name, UCUM unit, resolution and physical range.

use core::fmt;

/// A physical quantity. The discriminant is its number on the wire and on disk and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Quantity {
    /// Temperature of the air, in degrees Celsius.
    AirTemperature = 1,
    /// Relative humidity of the air over liquid water, in percent.
    RelativeHumidity = 2,
    /// Carbon dioxide mole fraction of the air, in parts per million.
    Co2 = 3,
    /// Illuminance on a horizontal plane, in lux.
    Illuminance = 4,
    /// Temperature of the substrate, in degrees Celsius.
    SubstrateTemperature = 5,
    /// Volumetric water content of the substrate, in percent.
    SubstrateMoisture = 6,
    /// Electrical conductivity of the substrate solution at 25 °C, in millisiemens per centimetre.
    SubstrateEc = 7,
    /// Acidity of the substrate solution, in pH units.
    SubstratePh = 8,
    /// Photosynthetic photon flux density, in micromoles per square metre and second.
    Ppfd = 9,
    /// Vapour pressure deficit of the air, in kilopascals.
    VapourPressureDeficit = 10,
    /// Daily light integral, in moles per square metre and day.
    DailyLightIntegral = 11,
    /// Temperature of the irrigation water, in degrees Celsius.
    WaterTemperature = 12,
    /// Supply voltage of a node, in volts.
    SupplyVoltage = 13,
    /// Wetness of a leaf-like surface, in percent of the fully wet sensor.
    LeafWetness = 14,
    /// Solar irradiance on a horizontal plane, in watts per square metre.
    SolarIrradiance = 15,
    /// Rain since the reading before, in millimetres.
    Rainfall = 16,
    /// Speed of the wind, in metres per second.
    WindSpeed = 17,
    /// Direction that the wind comes from, in degrees clockwise from north.
    WindDirection = 18,
    /// Pressure of the air at the station, in hectopascals.
    AirPressure = 19,
    /// Temperature of a leaf-like surface under the open sky, which meets frost first, in degrees
    /// Celsius.
    SurfaceTemperature = 20,
    /// Whether the mains supply is there: 1 or 0.
    MainsPresent = 21,
    /// Whether a door or a vent is open: 1 or 0.
    DoorOpen = 22,
    /// Whether water flows in the mist line: 1 or 0.
    MistFlow = 23,
    /// Dew point of the air over liquid water, in degrees Celsius.
    DewPoint = 24,
    /// Mass of water vapour in a volume of air, in grams per cubic metre.
    AbsoluteHumidity = 25,
}

/// What is fixed about a quantity.
struct Facts {
    name: &'static str,
    ucum: &'static str,
    decimals: u8,
    /// Gross range after QARTOD: outside it no working sensor of the kind reads, in scaled units.
    range: (i32, i32),
}

impl Quantity {
    /// Every quantity, in the order of its number.
    pub const ALL: [Self; 25] = [
        Self::AirTemperature,
        Self::RelativeHumidity,
        Self::Co2,
        Self::Illuminance,
        Self::SubstrateTemperature,
        Self::SubstrateMoisture,
        Self::SubstrateEc,
        Self::SubstratePh,
        Self::Ppfd,
        Self::VapourPressureDeficit,
        Self::DailyLightIntegral,
        Self::WaterTemperature,
        Self::SupplyVoltage,
        Self::LeafWetness,
        Self::SolarIrradiance,
        Self::Rainfall,
        Self::WindSpeed,
        Self::WindDirection,
        Self::AirPressure,
        Self::SurfaceTemperature,
        Self::MainsPresent,
        Self::DoorOpen,
        Self::MistFlow,
        Self::DewPoint,
        Self::AbsoluteHumidity,
    ];

    const fn facts(self) -> Facts {
        const fn facts(
            name: &'static str,
            ucum: &'static str,
            decimals: u8,
            range: (i32, i32),
        ) -> Facts {
            Facts { name, ucum, decimals, range }
        }
        match self {
            // -200 °C: a cryogenic store over liquid nitrogen reads -196 °C.
            Self::AirTemperature => facts("air_temperature", "Cel", 3, (-200_000, 125_000)),
            Self::RelativeHumidity => facts("relative_humidity", "%", 2, (0, 10_000)),
            Self::Co2 => facts("co2", "[ppm]", 0, (0, 40_000)),
            Self::Illuminance => facts("illuminance", "lx", 1, (0, 2_000_000)),
            Self::SubstrateTemperature => {
                facts("substrate_temperature", "Cel", 3, (-55_000, 125_000))
            }
            Self::SubstrateMoisture => facts("substrate_moisture", "%", 2, (0, 10_000)),
            Self::SubstrateEc => facts("substrate_ec", "mS/cm", 3, (0, 20_000)),
            Self::SubstratePh => facts("substrate_ph", "[pH]", 2, (0, 1_400)),
            Self::Ppfd => facts("ppfd", "umol/m2/s", 1, (0, 30_000)),
            Self::VapourPressureDeficit => facts("vapour_pressure_deficit", "kPa", 3, (0, 20_000)),
            Self::DailyLightIntegral => facts("daily_light_integral", "mol/m2/d", 2, (0, 10_000)),
            Self::WaterTemperature => facts("water_temperature", "Cel", 3, (-10_000, 100_000)),
            Self::SupplyVoltage => facts("supply_voltage", "V", 3, (0, 60_000)),
            Self::LeafWetness => facts("leaf_wetness", "%", 2, (0, 10_000)),
            Self::SolarIrradiance => facts("solar_irradiance", "W/m2", 1, (0, 20_000)),
            Self::Rainfall => facts("rainfall", "mm", 2, (0, 50_000)),
            Self::WindSpeed => facts("wind_speed", "m/s", 2, (0, 10_000)),
            Self::WindDirection => facts("wind_direction", "deg", 0, (0, 360)),
            Self::AirPressure => facts("air_pressure", "hPa", 2, (30_000, 110_000)),
            Self::SurfaceTemperature => facts("surface_temperature", "Cel", 3, (-100_000, 125_000)),
            Self::MainsPresent => facts("mains_present", "1", 0, (0, 1)),
            Self::DoorOpen => facts("door_open", "1", 0, (0, 1)),
            Self::MistFlow => facts("mist_flow", "1", 0, (0, 1)),
            // As far as the air temperature's: saturated air has its dew point there.
            Self::DewPoint => facts("dew_point", "Cel", 3, (-200_000, 125_000)),
            // Saturated air of 70 °C holds 198 g/m3.
            Self::AbsoluteHumidity => facts("absolute_humidity", "g/m3", 2, (0, 20_000)),
        }
    }

    /// Returns the number of the quantity on the wire and on disk.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the quantity with this number, or `None` where no such quantity is known.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|quantity| quantity.code() == code)
    }

    /// Returns the name used in files, topics and the API, such as `air_temperature`.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Returns the unit as a UCUM code, such as `Cel`.
    pub const fn ucum(self) -> &'static str {
        self.facts().ucum
    }

    /// Returns how many decimal places a scaled value of this quantity carries.
    pub const fn decimals(self) -> u8 {
        self.facts().decimals
    }

    /// Returns how many scaled steps make one unit: 1000 for a quantity with three decimals.
    pub const fn steps_per_unit(self) -> i32 {
        10_i32.pow(self.decimals() as u32)
    }

    /// Returns the gross range (QARTOD test 4) in scaled steps, both ends included.
    pub const fn range(self) -> (i32, i32) {
        self.facts().range
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for Quantity {
    type Err = UnknownQuantity;

    fn from_str(name: &str) -> Result<Self, UnknownQuantity> {
        Self::ALL.into_iter().find(|quantity| quantity.name() == name).ok_or(UnknownQuantity)
    }
}

/// A name that is none of the known quantities'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownQuantity;

impl fmt::Display for UnknownQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown quantity; known are ")?;
        for (index, quantity) in Quantity::ALL.into_iter().enumerate() {
            write!(f, "{}{quantity}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownQuantity {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_back_to_their_quantity() {
        for quantity in Quantity::ALL {
            assert_eq!(quantity.name().parse(), Ok(quantity));
            assert_eq!(Quantity::from_code(quantity.code()), Some(quantity));
            let (low, high) = quantity.range();
            assert!(low < high);
        }
        assert_eq!(Quantity::from_code(0), None);
        assert_eq!("temperature".parse::<Quantity>(), Err(UnknownQuantity));
    }
}
