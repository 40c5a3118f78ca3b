//! The science that a nursery needs: humidity of air, warmth, light and chill over time, wet
//! leaves, solutions, seed in store, and where the sun stands.
//!
//! Pure functions on `f64` with the unit in the type or the name; each names its source and the
//! range in which it holds. No reading, no quality, no clock. What is no temperature, humidity,
//! wind or seed is refused by the type or with an [`Error`] that names it; whatever is taken gives
//! a finite number. An hour without temperature or wetness is `None` and is counted, never taken
//! for 0.
//!
//! | what | source | range in which it holds |
//! |---|---|---|
//! | [`saturation_vapour_pressure`], [`vapour_pressure_deficit`], [`dew_point`] | FAO-56 equations 10 and 11 (1998) | -10 to 50 °C |
//! | [`saturation_vapour_pressure_by`], [`dew_point_by`], [`dew_point_depression`] | FAO-56, Buck 1996, Magnus by Sensirion | with each [`Formula`] |
//! | [`saturation_vapour_pressure_over_ice`] | Buck 1996 | -80 to 0 °C |
//! | [`leaf_vapour_pressure_deficit`], [`absolute_humidity_g_per_m3`] | Jones 2013; the gas law | -10 to 50 °C |
//! | [`mean_saturation_vapour_pressure`], [`mean_vapour_pressure`], [`saturation_slope_kpa_per_c`] | FAO-56 equations 12, 17, 13 | days; as above |
//! | [`air_pressure`], [`air_pressure_fao56`] | ASHRAE 2017; FAO-56 equation 7 | -500 to 11,000 m |
//! | [`psychrometric_constant_kpa_per_c`], [`vapour_pressure_of_bulbs`], [`wet_bulb`] | FAO-56 equations 8, 15, 16 | above freezing |
//! | [`photon_flux`], [`photon_flux_of_global_radiation`], [`daily_light_integral`] | Apogee; Thimijan and Heins 1983; Knauer 2018 | the lamp that is named |
//! | [`effective_temperature`], [`effective_temperature_cut`], [`take_warm_hour`] | McMaster and Wilhelm 1997; Zalom 1983; Roltsch 1999 | where rate goes with warmth |
//! | [`mean_degree_days`], [`degree_days`] | McMaster and Wilhelm 1997; Zalom 1983 | days known by their extremes |
//! | [`germination_hours`] | Garcia-Huidobro 1982; rice of two cultivars | between base and ceiling |
//! | [`is_chill_hour`] | Weinberger 1950, Bennett 1949 | peach, cold winters |
//! | [`utah_chill_units`] | Richardson 1974 | peach, Utah |
//! | [`mainland_chill_units`] | Mainland, North Carolina | blueberry, North Carolina |
//! | [`chill_portions`] | Fishman 1987, Erez 1990, chillR 0.77 | peach; warm winters too |
//! | [`growing_degree_hours`] | Anderson 1986 | sour cherry, 4 to 36 °C |
//! | [`Winter`] by [`take_hour`]: all five, hour by hour | the same | the same |
//! | [`is_wet_by_humidity`], [`is_wet_by_depression`], [`is_wet_by_cart`] | Sentelhas 2008; Gleason 1994 | crops in the open |
//! | [`botrytis_of_strawberry`], [`anthracnose_of_strawberry`] | Bulger 1987; Wilson 1990 | strawberry fruit; 5 to 30, 4 to 35 °C |
//! | [`wetness_needed_hours`] | Magarey 2005 | a fungus whose numbers are known |
//! | [`heat_index`] | Rothfusz 1990 | people in the shade, 27 to 44 °C |
//! | [`conductivity_at_25_c`] | Ma 2011 | 3 to 47 °C |
//! | [`nernst_slope_mv_per_ph`], [`ph_compensated`] | Nernst | liquid water; the electrode alone |
//! | [`viability_after`], [`days_to_viability`], [`half_viability_days`] | Ellis and Roberts 1980; Ellis and Hong 2007 | orthodox seed, 2 to 25 %, -20 to 90 °C |
//! | [`sun`] | Meeus 1998 | 1901 to 2099 |
//!
//! How a sensor turns its counts into these quantities is its driver's, in `sensors`.

mod chill;
mod degree_days;
mod dynamic;
mod electrochemistry;
mod error;
mod germination;
mod heat_index;
mod humidity;
mod infection;
mod light;
mod psychrometer;
mod saturation;
pub mod sun;
mod thermal;
mod units;
mod viability;
mod wetness;
mod winter;

pub use chill::{
    Freezing, growing_degree_hours, is_chill_hour, mainland_chill_units, utah_chill_units,
};
pub use degree_days::{Curve, Interpretation, degree_days, mean_degree_days};
pub use dynamic::{Intermediate, chill_portions};
pub use electrochemistry::{
    CONDUCTIVITY_C, Compensation, conductivity_at_25_c, nernst_slope_mv_per_ph, ph_compensated,
};
pub use error::Error;
pub use germination::{GerminationCardinals, GerminationTime, germination_hours};
pub use heat_index::{HEAT_INDEX_AIR_C_MAX, heat_index};
pub use humidity::{
    LeafDeficit, absolute_humidity_g_per_m3, dew_point, dew_point_by, dew_point_depression,
    leaf_vapour_pressure_deficit, mean_vapour_pressure, relative_humidity, vapour_pressure,
    vapour_pressure_at_dew_point, vapour_pressure_deficit,
};
pub use infection::{
    Infection, Pathogen, anthracnose_of_strawberry, botrytis_of_strawberry, wetness_needed_hours,
};
pub use light::{
    Lamp, LuxPerMicromole, SUN_LUX_PER_MICROMOLE, daily_light_integral, light_integral,
    photon_flux, photon_flux_of_global_radiation, photon_flux_of_sunlight,
};
pub use psychrometer::{
    ALTITUDE_M_MAX, ALTITUDE_M_MIN, Ventilation, air_pressure, air_pressure_fao56,
    psychrometric_constant_kpa_per_c, vapour_pressure_of_bulbs, wet_bulb,
};
pub use saturation::{
    Formula, mean_saturation_vapour_pressure, saturation_slope_kpa_per_c,
    saturation_vapour_pressure, saturation_vapour_pressure_by, saturation_vapour_pressure_over_ice,
};
pub use thermal::{
    BASE_C_DEFAULT, Cardinal, Cutoff, ThermalSum, effective_temperature, effective_temperature_cut,
    take_warm_hour,
};
pub use units::{
    Celsius, DayExtremes, Kilopascals, RelativeHumidity, TEMPERATURE_C_MAX, TEMPERATURE_C_MIN,
};
pub use viability::{
    SEED_MOISTURE_PERCENT, STORE_C, SeedStore, VIABILITY_PERCENT, ViabilityConstants,
    days_of_a_probit, days_to_viability, half_viability_days, percent_of_probit, probit,
    viability_after, viability_of_test,
};
pub use wetness::{
    DRY_HOURS_JOINED, WET_DEPRESSION_K, WET_HUMIDITY_PERCENT, WetPeriod, Wetness, is_wet_by_cart,
    is_wet_by_depression, is_wet_by_humidity, take_wetness,
};
pub use winter::{MAINLAND_KEPT, Winter, take_hour};
