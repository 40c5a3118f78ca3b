//! The words of messages: quantities, severities, units and numbers as people read them.

use alarms::Severity;
use measure::{Quantity, Scaled};
use people::Language;

/// A text in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// Chinese.
    pub zh: &'static str,
    /// English.
    pub en: &'static str,
}

impl Words {
    /// Returns the text in a language.
    pub const fn of(self, language: Language) -> &'static str {
        match language {
            Language::Zh => self.zh,
            Language::En => self.en,
        }
    }
}

const fn words(zh: &'static str, en: &'static str) -> Words {
    Words { zh, en }
}

/// Returns what people call a quantity.
pub const fn quantity_name(quantity: Quantity) -> Words {
    match quantity {
        Quantity::AirTemperature => words("空气温度", "air temperature"),
        Quantity::RelativeHumidity => words("空气湿度", "relative humidity"),
        Quantity::Co2 => words("二氧化碳", "CO₂"),
        Quantity::Illuminance => words("光照度", "illuminance"),
        Quantity::SubstrateTemperature => words("基质温度", "substrate temperature"),
        Quantity::SubstrateMoisture => words("基质含水量", "substrate moisture"),
        Quantity::SubstrateEc => words("基质电导率", "substrate EC"),
        Quantity::SubstratePh => words("基质酸碱度", "substrate pH"),
        Quantity::Ppfd => words("光合光量子通量", "PPFD"),
        Quantity::VapourPressureDeficit => words("饱和水汽压差", "vapour pressure deficit"),
        Quantity::DailyLightIntegral => words("日光照积分", "daily light integral"),
        Quantity::WaterTemperature => words("水温", "water temperature"),
        Quantity::SupplyVoltage => words("供电电压", "supply voltage"),
        Quantity::LeafWetness => words("叶面湿润度", "leaf wetness"),
        Quantity::SolarIrradiance => words("太阳辐射", "solar radiation"),
        Quantity::Rainfall => words("雨量", "rain"),
        Quantity::WindSpeed => words("风速", "wind speed"),
        Quantity::WindDirection => words("风向", "wind direction"),
        Quantity::AirPressure => words("气压", "air pressure"),
        Quantity::SurfaceTemperature => words("叶面温度", "surface temperature"),
        Quantity::MainsPresent => words("市电", "mains supply"),
        Quantity::DoorOpen => words("门或窗", "door or vent"),
        Quantity::MistFlow => words("喷雾水流", "mist flow"),
        Quantity::DewPoint => words("露点温度", "dew point"),
        Quantity::AbsoluteHumidity => words("绝对湿度", "absolute humidity"),
        _ => words("读数", "reading"),
    }
}

/// Returns a unit as people write it; programs get the UCUM code.
pub fn unit_shown(quantity: Quantity) -> &'static str {
    match quantity.ucum() {
        "Cel" => "°C",
        "[ppm]" => "ppm",
        "[pH]" => "pH",
        "umol/m2/s" => "µmol/m²/s",
        "mol/m2/d" => "mol/m²/d",
        "W/m2" => "W/m²",
        "g/m3" => "g/m³",
        "deg" => "°",
        // A contact is there or not; it has no unit.
        "1" => "",
        other => other,
    }
}

/// Returns what people call a severity.
pub(crate) const fn severity_name(severity: Severity) -> Words {
    match severity {
        Severity::Critical => words("严重", "Critical"),
        Severity::High => words("高", "High"),
        Severity::Medium => words("中", "Medium"),
        Severity::Low => words("低", "Low"),
    }
}

/// Writes a value with as many decimals as are worth reading; where that would look like `beside`,
/// which it is not, with all of them.
pub(crate) fn number(value: Scaled, beside: Option<Scaled>, quantity: Quantity) -> String {
    let decimals = usize::from(quantity.decimals());
    let shown = decimals.min(match quantity {
        Quantity::Co2
        | Quantity::Illuminance
        | Quantity::Ppfd
        | Quantity::LeafWetness
        | Quantity::SolarIrradiance => 0,
        Quantity::AirTemperature
        | Quantity::RelativeHumidity
        | Quantity::SubstrateTemperature
        | Quantity::SubstrateMoisture
        | Quantity::WaterTemperature
        | Quantity::SurfaceTemperature
        | Quantity::DewPoint
        | Quantity::AbsoluteHumidity
        | Quantity::Rainfall
        | Quantity::WindSpeed
        | Quantity::AirPressure => 1,
        _ => 2,
    });
    let write = |value: Scaled, decimals: usize| format!("{:.decimals$}", value.to_f64(quantity));
    let short = write(value, shown);
    let is_alike = beside.is_some_and(|it| it != value && write(it, shown) == short);
    if is_alike { write(value, decimals) } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantity_has_a_name_in_both_languages() {
        for quantity in Quantity::ALL {
            let Words { zh, en } = quantity_name(quantity);
            assert!(zh != "读数" && en != "reading", "{quantity:?}");
        }
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let write = |value, beside: Option<i32>| {
            number(Scaled(value), beside.map(Scaled), Quantity::AirTemperature)
        };
        assert_eq!(write(38_213, Some(35_000)), "38.2");
        assert_eq!(write(35_000, None), "35.0");
        assert_eq!(write(35_004, Some(35_000)), "35.004", "beyond the limit, and seen to be");
        assert_eq!(number(Scaled(1_200), None, Quantity::Co2), "1200");
    }
}
