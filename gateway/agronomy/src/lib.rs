//! The science that judging a nursery needs: humidity of air, and where the sun stands.
//!
//! Pure functions on `f64` with the unit in the type or the name; each names its source and the
//! range in which it holds. No reading, no quality, no clock.

mod humidity;
pub mod sun;

pub use humidity::{
    Celsius, HumidityError, Kilopascals, RelativeHumidity, dew_point, saturation_vapour_pressure,
    vapour_pressure_deficit,
};
