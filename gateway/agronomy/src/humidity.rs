//! Water vapour in air, and what it means to a leaf.

use crate::saturation::saturated_at_c;
use crate::{
    Celsius, DayExtremes, Error, Formula, Kilopascals, RelativeHumidity,
    saturation_vapour_pressure, saturation_vapour_pressure_by,
};

/// Converts a vapour pressure in hPa over an absolute temperature into g/m³: the molar mass of
/// water over the gas constant, rounded as Sensirion prints it.
const GRAMS_KELVIN_PER_HPA: f64 = 216.7;

/// Returns the vapour pressure of air, in kPa.
///
/// From FAO-56 equation 11 and the definition of relative humidity (FAO-56 equation 10).
pub fn vapour_pressure(air: Celsius, humidity: RelativeHumidity) -> Kilopascals {
    Kilopascals(saturation_vapour_pressure(air).0 * humidity.share())
}

/// Returns the vapour pressure of air from its dew point, in kPa.
///
/// FAO-56 equation 14.
pub fn vapour_pressure_at_dew_point(dew_point: Celsius) -> Kilopascals {
    saturation_vapour_pressure(dew_point)
}

/// Returns the vapour pressure of a day, in kPa, from its extremes of temperature and humidity: the
/// greatest humidity belongs to the least temperature.
///
/// FAO-56 equation 17.
///
/// # Errors
/// [`Error::Order`] where the least humidity lies above the greatest.
pub fn mean_vapour_pressure(
    day: DayExtremes,
    least: RelativeHumidity,
    greatest: RelativeHumidity,
) -> Result<Kilopascals, Error> {
    if least > greatest {
        let (lower, higher) = ("the least humidity of a day", "its greatest");
        let (low, high) = (least.percent(), greatest.percent());
        return Err(Error::Order { lower, low, higher, high, unit: "%" });
    }
    let (night, noon) = (vapour_pressure(day.min(), greatest), vapour_pressure(day.max(), least));
    Ok(Kilopascals((night.0 + noon.0) / 2.0))
}

/// Returns the vapour pressure deficit of air, in kPa: how much more vapour it could hold.
///
/// From FAO-56 equation 11 and the definition of relative humidity (FAO-56 equation 10). Of the
/// air, not of a leaf, whose temperature differs.
pub fn vapour_pressure_deficit(air: Celsius, humidity: RelativeHumidity) -> Kilopascals {
    Kilopascals(saturation_vapour_pressure(air).0 * (1.0 - humidity.share()))
}

/// What drives vapour between a leaf and the air.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LeafDeficit {
    /// Vapour leaves the leaf, or nothing moves: by how much the inside of the leaf exceeds the
    /// air.
    Deficit(Kilopascals),
    /// The leaf is colder than the dew point: water condenses on it. By how much the air exceeds
    /// what can stay vapour at the leaf; always above 0.
    Condensation(Kilopascals),
}

impl LeafDeficit {
    /// Returns the deficit in kPa, below 0 where water condenses.
    pub const fn signed_kpa(self) -> f64 {
        match self {
            Self::Deficit(Kilopascals(kpa)) => kpa,
            Self::Condensation(Kilopascals(kpa)) => -kpa,
        }
    }
}

/// Returns the vapour pressure deficit between a leaf and the air around it, in kPa. The inside of
/// the leaf is saturated. A leaf of the temperature of the air has the deficit of the air.
///
/// Jones 2013, Plants and Microclimate (3rd edition), doi:10.1017/CBO9780511845727, with FAO-56
/// equation 11.
pub fn leaf_vapour_pressure_deficit(
    air: Celsius,
    humidity: RelativeHumidity,
    leaf: Celsius,
) -> LeafDeficit {
    let deficit = if leaf == air {
        vapour_pressure_deficit(air, humidity).0
    } else {
        saturation_vapour_pressure(leaf).0 - vapour_pressure(air, humidity).0
    };
    if deficit < 0.0 {
        LeafDeficit::Condensation(Kilopascals(-deficit))
    } else {
        LeafDeficit::Deficit(Kilopascals(deficit))
    }
}

/// Returns the dew point of air, or `None` for air so dry that it has none above -200 °C.
///
/// FAO-56 equation 11 solved for temperature. Within 0.1 °C of the Magnus form from -10 to 50 °C.
pub fn dew_point(air: Celsius, humidity: RelativeHumidity) -> Option<Celsius> {
    dew_point_by(Formula::Fao56, air, humidity)
}

/// Returns the dew point of air by a formula, or `None` for air so dry that it has none above
/// -200 °C. Over liquid water, also below 0 °C.
///
/// The formula solved for temperature; sources and ranges are those of each [`Formula`].
pub fn dew_point_by(formula: Formula, air: Celsius, humidity: RelativeHumidity) -> Option<Celsius> {
    if humidity.percent() >= 100.0 {
        return Some(air);
    }
    if humidity.percent() <= 0.0 {
        return None;
    }
    let degrees = saturated_at_c(formula, air, humidity.share());
    // Rounding may not put it above the air.
    Celsius::new(degrees.min(air.degrees())).ok()
}

/// Returns by how many kelvins air must cool down until its vapour condenses; `None` for air
/// without a dew point.
pub fn dew_point_depression(
    formula: Formula,
    air: Celsius,
    humidity: RelativeHumidity,
) -> Option<f64> {
    Some(air.degrees() - dew_point_by(formula, air, humidity)?.degrees())
}

/// Returns the mass of vapour in air, in g/m³.
///
/// The ideal gas law with FAO-56 equation 11; Sensirion, application note "Introduction to
/// Humidity". Within 0.5 % from -10 to 50 °C.
pub fn absolute_humidity_g_per_m3(air: Celsius, humidity: RelativeHumidity) -> f64 {
    GRAMS_KELVIN_PER_HPA * vapour_pressure(air, humidity).0 * 10.0 / air.kelvin()
}

/// Returns the relative humidity of air of a vapour pressure.
///
/// FAO-56 equation 10.
///
/// # Errors
/// [`Error::OutOfRange`] for a vapour pressure below 0, above saturation by more than 1e-9 of it,
/// or for what is no number.
pub fn relative_humidity(air: Celsius, vapour: Kilopascals) -> Result<RelativeHumidity, Error> {
    let percent = 100.0 * vapour.0 / saturation_vapour_pressure_by(Formula::Fao56, air).0;
    let rounded = if percent > 100.0 && percent <= 100.0 + 1e-7 { 100.0 } else { percent };
    RelativeHumidity::new(rounded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(value: f64, expect: f64, tolerance: f64) {
        assert!((value - expect).abs() <= tolerance, "{value} is not {expect}");
    }

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    fn humid(percent: f64) -> RelativeHumidity {
        RelativeHumidity::new(percent).unwrap()
    }

    /// The table of the project's agronomy notes, four decimals.
    #[test]
    fn deficit_dew_point_and_absolute_humidity_follow_the_table() {
        for (air, percent, deficit, dew_fao56, dew_magnus, grams) in [
            (20.0, 95.0, 0.1169, 19.1741, 19.1736, 16.4206),
            (22.0, 95.0, 0.1322, 21.1612, 21.1610, 18.4412),
            (24.0, 85.0, 0.4476, 21.3201, 21.3201, 18.4965),
            (25.0, 60.0, 1.2671, 16.6956, 16.6931, 13.8143),
            (25.0, 50.0, 1.5839, 13.8576, 13.8516, 11.5119),
            (30.0, 50.0, 2.1215, 18.4381, 18.4409, 15.1653),
            (35.0, 90.0, 0.5623, 33.1070, 33.1105, 35.5863),
            (10.0, 25.0, 0.9210, -9.0907, -9.1641, 2.3495),
        ] {
            let (air, humidity) = (of(air), humid(percent));
            near(vapour_pressure_deficit(air, humidity).0, deficit, 5.1e-5);
            near(dew_point(air, humidity).unwrap().degrees(), dew_fao56, 5.1e-5);
            let magnus = dew_point_by(Formula::Magnus, air, humidity).unwrap();
            near(magnus.degrees(), dew_magnus, 5.1e-5);
            near(absolute_humidity_g_per_m3(air, humidity), grams, 5.1e-5);
            let depression = dew_point_depression(Formula::Fao56, air, humidity).unwrap();
            near(depression, air.degrees() - dew_fao56, 5.1e-5);
        }
    }

    /// Sensirion's published dew points, made with the Magnus form.
    #[test]
    fn dew_point_is_the_sensor_maker_s() {
        for (air, percent, expect) in [(25.0, 10.0, -8.77), (50.0, 90.0, 47.90)] {
            let by = |formula| dew_point_by(formula, of(air), humid(percent)).unwrap().degrees();
            near(by(Formula::Magnus), expect, 5.1e-3);
            near(by(Formula::Fao56), expect, 0.1);
            near(by(Formula::Buck1996), expect, 0.1);
        }
    }

    /// ASHRAE's dew points as psychrolib 2.5.0 prints them, within 0.02 °C above freezing.
    #[test]
    fn dew_point_agrees_with_ashrae() {
        for (air, percent, expect) in
            [(20.0, 50.0, 9.272_4), (25.0, 60.0, 16.701_1), (30.0, 90.0, 28.177_1)]
        {
            for formula in [Formula::Fao56, Formula::Buck1996, Formula::Magnus] {
                let dew = dew_point_by(formula, of(air), humid(percent)).unwrap();
                near(dew.degrees(), expect, 0.02);
            }
        }
    }

    /// PyETo's tests: FAO-56 examples 5 (equation 17) and its dew point case (equation 14).
    #[test]
    fn vapour_pressures_are_those_of_fao_56() {
        let day = DayExtremes::new(of(18.0), of(25.0)).unwrap();
        near(mean_vapour_pressure(day, humid(54.0), humid(82.0)).unwrap().0, 1.70, 5e-3);
        assert!(mean_vapour_pressure(day, humid(82.0), humid(54.0)).is_err());
        near(vapour_pressure_at_dew_point(of(14.8)).0, 1.68, 5e-3);
    }

    /// The project's agronomy notes; the first two and the third match published tables.
    #[test]
    fn a_leaf_s_deficit_follows_the_table() {
        for (air, percent, leaf, expect) in [
            (26.0, 60.0, 24.0, 0.9671),
            (30.0, 50.0, 28.0, 1.6584),
            (25.0, 60.0, 23.0, 0.9088),
            (25.0, 80.0, 22.0, 0.1097),
            (25.0, 80.0, 27.0, 1.0311),
        ] {
            let leaf = leaf_vapour_pressure_deficit(of(air), humid(percent), of(leaf));
            assert!(matches!(leaf, LeafDeficit::Deficit(_)));
            near(leaf.signed_kpa(), expect, 5.1e-5);
        }
    }

    #[test]
    fn a_leaf_below_the_dew_point_is_wet_and_one_without_offset_is_as_the_air() {
        let (air, humidity) = (of(25.0), humid(80.0));
        let dew = dew_point(air, humidity).unwrap();
        let cold = leaf_vapour_pressure_deficit(air, humidity, dew.offset(-0.5).unwrap());
        assert!(matches!(cold, LeafDeficit::Condensation(Kilopascals(kpa)) if kpa > 0.0));
        assert!(cold.signed_kpa() < 0.0);
        let same = leaf_vapour_pressure_deficit(air, humidity, air.offset(0.0).unwrap());
        assert_eq!(same, LeafDeficit::Deficit(vapour_pressure_deficit(air, humidity)));
    }

    #[test]
    fn air_without_vapour_has_no_dew_point_and_saturated_air_has_its_own() {
        for formula in [Formula::Fao56, Formula::Buck1996, Formula::Magnus] {
            assert_eq!(dew_point_by(formula, of(20.0), humid(0.0)), None);
            assert_eq!(dew_point_by(formula, of(20.0), humid(1e-300)), None);
            assert_eq!(dew_point_by(formula, of(20.0), humid(100.0)), Some(of(20.0)));
        }
        assert_eq!(vapour_pressure_deficit(of(20.0), humid(100.0)), Kilopascals(0.0));
    }

    #[test]
    fn a_vapour_pressure_above_saturation_is_refused() {
        assert!(relative_humidity(of(20.0), Kilopascals(2.5)).is_err());
        assert!(relative_humidity(of(20.0), Kilopascals(-0.1)).is_err());
        assert!(relative_humidity(of(20.0), Kilopascals(f64::NAN)).is_err());
    }

    proptest! {
        #[test]
        fn dew_point_never_lies_above_the_air(
            air in -40.0..60.0_f64, percent in 0.01..=100.0_f64,
        ) {
            let (air, humidity) = (of(air), humid(percent));
            let dew = dew_point(air, humidity).unwrap();
            prop_assert!(dew <= air);
            let actual = vapour_pressure_at_dew_point(dew);
            let deficit = vapour_pressure_deficit(air, humidity);
            let whole = saturation_vapour_pressure(air);
            prop_assert!((actual.0 + deficit.0 - whole.0).abs() < 1e-9);
            let back = relative_humidity(air, actual).unwrap().percent();
            prop_assert!((back - percent).abs() < 1e-6);
        }

        #[test]
        fn any_air_and_leaf_have_finite_numbers(
            air in -200.0..=200.0_f64, leaf in -200.0..=200.0_f64, percent in 0.0..=100.0_f64,
        ) {
            let (air, leaf, humidity) = (of(air), of(leaf), humid(percent));
            prop_assert!(vapour_pressure_deficit(air, humidity).0 >= 0.0);
            prop_assert!(absolute_humidity_g_per_m3(air, humidity).is_finite());
            let signed = leaf_vapour_pressure_deficit(air, humidity, leaf).signed_kpa();
            prop_assert!(signed.is_finite());
            for formula in [Formula::Fao56, Formula::Buck1996, Formula::Magnus] {
                if let Some(kelvins) = dew_point_depression(formula, air, humidity) {
                    prop_assert!((0.0..=400.0).contains(&kelvins));
                }
            }
        }
    }
}
