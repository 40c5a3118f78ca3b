//! The science that a nursery needs: humidity of air, warmth and light over time, and where the sun
//! stands.
//!
//! Pure functions on `f64` with the unit in the type or the name; each names its source and the
//! range in which it holds. No reading, no quality, no clock.

mod humidity;
mod light;
pub mod sun;
mod thermal;

pub use humidity::{
    Celsius, HumidityError, Kilopascals, RelativeHumidity, dew_point, saturation_vapour_pressure,
    vapour_pressure_deficit,
};
pub use light::{SUN_LUX_PER_MICROMOLE, light_integral, photon_flux_of_sunlight};
pub use thermal::{BASE_C_DEFAULT, Cardinal, effective_temperature};
