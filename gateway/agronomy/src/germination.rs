//! How long seed takes to germinate at a temperature.

use crate::{Celsius, Error};

/// The temperatures between which a seed germinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GerminationCardinals {
    base: Celsius,
    ceiling: Celsius,
    optimum: Celsius,
}

impl GerminationCardinals {
    /// Rice of two highland cultivars of Sarawak (Biris and Bario Sederhana): 10, 32 and 43 °C.
    ///
    /// Malaysian Applied Biology (MAB), article 2630 at jms.mabjournal.com, which gives the optimum
    /// as 32 to 33 °C. Not of any rice of Nanchuan.
    pub const RICE: Self = Self {
        base: Celsius::known(10.0),
        optimum: Celsius::known(32.0),
        ceiling: Celsius::known(43.0),
    };

    /// Checks the base, the optimum and the ceiling temperature.
    ///
    /// # Errors
    /// [`Error::Order`] where they do not rise.
    pub fn new(base: Celsius, optimum: Celsius, ceiling: Celsius) -> Result<Self, Error> {
        let rises = |lower, low: Celsius, higher, high: Celsius| {
            let (low, high) = (low.degrees(), high.degrees());
            let error = Error::Order { lower, low, higher, high, unit: "°C" };
            if low < high { Ok(()) } else { Err(error) }
        };
        rises("the base temperature", base, "the optimum", optimum)?;
        rises("the optimum", optimum, "the ceiling temperature", ceiling)?;
        Ok(Self { base, ceiling, optimum })
    }
}

/// How much warmth half of a seed lot needs to germinate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GerminationTime {
    /// Between the base and the optimum temperature, in °C d above the base.
    pub below_optimum_c_d: f64,
    /// Between the optimum and the ceiling, in °C d below the ceiling; none where nobody has
    /// measured it.
    pub above_optimum_c_d: Option<f64>,
}

/// Returns how many hours seed takes to germinate at a constant temperature; `None` where it does
/// not, or where nobody has measured it.
///
/// Garcia-Huidobro, Monteith and Squire 1982, Journal of Experimental Botany 33:288–296, equations
/// 1 and 2, doi:10.1093/jxb/33.2.288: the rate rises in proportion to the temperature above the
/// base up to the optimum and falls in proportion to that below the ceiling. Seed that has water
/// enough.
///
/// # Errors
/// [`Error::OutOfRange`] for a thermal time that is not above 0 and at most 10,000 °C d.
pub fn germination_hours(
    air: Celsius,
    cardinals: GerminationCardinals,
    time: GerminationTime,
) -> Result<Option<f64>, Error> {
    let check = |value| {
        crate::error::within("a thermal time of germination", "°C d", value, f64::MIN_POSITIVE, 1e4)
    };
    let below = check(time.below_optimum_c_d)?;
    let above = time.above_optimum_c_d.map(check).transpose()?;
    let t = air.degrees();
    let (base, ceiling) = (cardinals.base.degrees(), cardinals.ceiling.degrees());
    if t <= base || t >= ceiling {
        return Ok(None);
    }
    if t <= cardinals.optimum.degrees() {
        return Ok(Some(24.0 * below / (t - base)));
    }
    Ok(above.map(|above| 24.0 * above / (ceiling - t)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(degrees: f64) -> Celsius {
        Celsius::new(degrees).unwrap()
    }

    fn hours(air: f64, below: f64, above: Option<f64>) -> Option<f64> {
        let time = GerminationTime { below_optimum_c_d: below, above_optimum_c_d: above };
        germination_hours(of(air), GerminationCardinals::RICE, time).unwrap()
    }

    /// The project's agronomy notes: rice of 53 °C d (Biris) and of 62 (Bario Sederhana), in hours.
    #[test]
    fn rice_follows_the_table() {
        for (air, biris, bario) in [
            (15.0, 254.0, 298.0),
            (20.0, 127.0, 149.0),
            (25.0, 85.0, 99.0),
            (30.0, 64.0, 74.0),
            (32.0, 58.0, 68.0),
        ] {
            assert!((hours(air, 53.0, None).unwrap() - biris).abs() <= 0.5);
            assert!((hours(air, 62.0, None).unwrap() - bario).abs() <= 0.5);
        }
    }

    #[test]
    fn seed_rests_in_cold_and_heat_and_nothing_is_guessed_above_the_optimum() {
        for air in [-5.0, 10.0, 43.0, 50.0] {
            assert_eq!(hours(air, 53.0, Some(28.0)), None, "{air}");
        }
        assert_eq!(hours(38.0, 53.0, None), None);
        assert_eq!(hours(39.0, 53.0, Some(28.0)), Some(168.0));
    }

    #[test]
    fn what_is_no_thermal_time_is_refused() {
        for wrong in [f64::NAN, 0.0, -53.0, f64::INFINITY] {
            let time = GerminationTime { below_optimum_c_d: wrong, above_optimum_c_d: None };
            assert!(germination_hours(of(20.0), GerminationCardinals::RICE, time).is_err());
        }
        let crossed = GerminationCardinals::new(of(10.0), of(43.0), of(32.0));
        assert!(matches!(crossed, Err(Error::Order { .. })));
    }

    proptest! {
        #[test]
        fn warmth_up_to_the_optimum_is_never_slower(
            air in 10.1..32.0_f64, less in 0.0..20.0_f64, need in 1.0..200.0_f64,
        ) {
            let warm = hours(air, need, None).unwrap();
            prop_assert!(warm.is_finite() && warm > 0.0);
            if let Some(cool) = hours(air - less, need, None) {
                prop_assert!(cool >= warm);
            }
        }
    }
}
