//! The weather outside: a pure function of the site, a seed and the time.
//!
//! A climate by its mean, its yearly and daily swing, and slow bounded noise; no front, no snow. It
//! is tuned to Nanchuan (29.2° N, 107.1° E; 16.6 °C mean, 7 °C in January, 27 °C in July, cloudy).

use core::f64::consts::TAU;

use measure::Timestamp;

use crate::noise::smooth;

/// Where a nursery stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees north.
    pub latitude_deg: f64,
    /// Degrees east.
    pub longitude_deg: f64,
    /// Metres above the sea.
    pub altitude_m: f64,
}

/// What it is like outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outdoors {
    /// Air temperature, in °C.
    pub air_c: f64,
    /// Water vapour, in g/m³.
    pub vapour_g_m3: f64,
    /// Global radiation on a horizontal plane, in W/m².
    pub radiation_w_m2: f64,
    /// Elevation of the sun, in degrees; negative by night.
    pub sun_elevation_deg: f64,
    /// Carbon dioxide, in ppm.
    pub co2_ppm: f64,
    /// Temperature of the ground, in °C.
    pub ground_c: f64,
}

/// Mean temperature of the year at `ALTITUDE_M`, half the yearly swing, and its warmest day.
const YEAR_MEAN_C: f64 = 16.6;
const YEAR_SWING_C: f64 = 10.4;
const YEAR_WARMEST_DAY: f64 = 203.0;
const ALTITUDE_M: f64 = 560.0;
/// The free air cools by 6.5 K a kilometre (ICAO standard atmosphere).
const LAPSE_K_M: f64 = 0.006_5;
const SECONDS_PER_DAY: f64 = 86_400.0;
const DAYS_PER_YEAR: f64 = 365.25;

/// Returns the weather at `time`.
pub fn weather(place: &Place, seed: u64, time: Timestamp) -> Outdoors {
    let days = time.micros() as f64 / 1e6 / SECONDS_PER_DAY;
    let year_day = days.rem_euclid(DAYS_PER_YEAR);
    // 1970 began at midnight in Greenwich; 15° of longitude are an hour.
    let local_hour = ((days + place.longitude_deg / 360.0) * 24.0).rem_euclid(24.0);
    let elevation = sun_elevation_deg(place, days);

    // 0 is a blue sky, 1 an overcast one; Nanchuan has few of the former.
    let cloud = (0.62 + 0.55 * smooth(seed ^ 1, days / 2.3) + 0.25 * smooth(seed ^ 2, days * 5.0))
        .clamp(0.0, 1.0);
    let passing = (1.0 - cloud) * cloud * smooth(seed ^ 3, days * 360.0);
    let radiation =
        clear_sky_w_m2(elevation) * (1.0 - 0.75 * (cloud + passing).clamp(0.0, 1.0).powf(3.4));

    let height = LAPSE_K_M * (place.altitude_m - ALTITUDE_M);
    let season = (TAU * (year_day - YEAR_WARMEST_DAY) / DAYS_PER_YEAR).cos();
    let spell = 4.0 * smooth(seed ^ 4, days / 3.1) + 1.0 * smooth(seed ^ 5, days * 3.0);
    let base = YEAR_MEAN_C - height + YEAR_SWING_C * season + spell;
    let swing = 2.0 + 3.2 * (1.0 - cloud);
    let air_c = base + swing * (TAU * (local_hour - 15.0) / 24.0).cos();

    // Nights reach the dew point, clear afternoons fall to half of saturation.
    let dew_c = base - 2.2 - 2.5 * (1.0 - cloud) + 1.2 * smooth(seed ^ 6, days * 1.7);
    let vapour = saturation_g_m3(dew_c).min(0.99 * saturation_g_m3(air_c));
    Outdoors {
        air_c,
        vapour_g_m3: vapour,
        radiation_w_m2: radiation,
        sun_elevation_deg: elevation,
        co2_ppm: 425.0 + 8.0 * smooth(seed ^ 7, days * 2.0),
        ground_c: YEAR_MEAN_C - height + 0.5 * YEAR_SWING_C * season,
    }
}

/// Returns the water vapour that air of this temperature can hold, in g/m³: the Magnus form of
/// Alduchov and Eskridge (1996), "Improved Magnus form approximation of saturation vapor pressure",
/// Journal of Applied Meteorology 35(4), 601, equation 21, -40 to 50 °C; with the gas law (461.5
/// J/kg/K).
pub fn saturation_g_m3(air_c: f64) -> f64 {
    let pressure_pa = 610.94 * (17.625 * air_c / (air_c + 243.04)).exp();
    pressure_pa / (0.461_5 * (air_c + 273.15))
}

/// Returns the elevation of the sun: declination and equation of time after Spencer (1971), "Fourier
/// series representation of the position of the sun", Search 2(5), 172; to about 0.3°.
fn sun_elevation_deg(place: &Place, days: f64) -> f64 {
    let year = TAU * (days.rem_euclid(DAYS_PER_YEAR)) / DAYS_PER_YEAR;
    let declination = 0.006_918 - 0.399_912 * year.cos() + 0.070_257 * year.sin()
        - 0.006_758 * (2.0 * year).cos()
        + 0.000_907 * (2.0 * year).sin()
        - 0.002_697 * (3.0 * year).cos()
        + 0.001_48 * (3.0 * year).sin();
    let equation_min = 229.18
        * (0.000_075 + 0.001_868 * year.cos()
            - 0.032_077 * year.sin()
            - 0.014_615 * (2.0 * year).cos()
            - 0.040_849 * (2.0 * year).sin());
    let solar_days = days + place.longitude_deg / 360.0 + equation_min / 1_440.0;
    let hour_angle = TAU * (solar_days.rem_euclid(1.0) - 0.5);
    let latitude = place.latitude_deg.to_radians();
    (latitude.sin() * declination.sin() + latitude.cos() * declination.cos() * hour_angle.cos())
        .asin()
        .to_degrees()
}

/// Returns the radiation under a blue sky, in W/m²: Haurwitz (1945), "Insolation in relation to
/// cloudiness and cloud density", Journal of Meteorology 2(3), 154. The factor for clouds above is
/// that of Kasten and Czeplak (1980), <https://doi.org/10.1016/0038-092X(80)90391-6>, equation 6.
fn clear_sky_w_m2(elevation_deg: f64) -> f64 {
    let height = elevation_deg.to_radians().sin();
    if height <= 0.0 { 0.0 } else { 1_098.0 * height * (-0.057 / height).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANCHUAN: Place = Place { latitude_deg: 29.16, longitude_deg: 107.1, altitude_m: 560.0 };

    fn at(year_day: i64, utc_hour: f64) -> Timestamp {
        // 2026-01-01T00:00:00Z.
        let start = 1_767_225_600_000_000;
        let micros = start + year_day * 86_400_000_000 + (utc_hour * 3.6e9) as i64;
        Timestamp::from_micros(micros).expect("a time of this century")
    }

    #[track_caller]
    fn check_sun(year_day: i64, utc_hour: f64, expect_deg: f64) {
        let elevation = weather(&NANCHUAN, 1, at(year_day, utc_hour)).sun_elevation_deg;
        assert!((elevation - expect_deg).abs() < 0.7, "{elevation}");
    }

    #[test]
    fn the_sun_stands_where_the_almanac_has_it() {
        // Greatest elevation: 90 - 29.16 + declination (23.44 and -23.44, 0 at the equinox); noon is
        // at 12 h - 107.1°/15 h - equation of time.
        check_sun(171, 4.88, 84.3);
        check_sun(354, 4.83, 37.4);
        check_sun(78, 4.99, 60.6);
    }

    #[test]
    fn the_year_is_that_of_nanchuan() {
        let mean = |from: i64, to: i64| {
            let hours = (from * 24..to * 24).map(|hour| {
                (1..=8).map(|seed| weather(&NANCHUAN, seed, at(0, hour as f64)).air_c).sum::<f64>()
                    / 8.0
            });
            hours.sum::<f64>() / ((to - from) * 24) as f64
        };
        assert!((mean(0, 365) - 16.6).abs() < 0.8);
        assert!((mean(0, 31) - 7.0).abs() < 2.0);
        assert!((mean(181, 212) - 27.0).abs() < 2.0);
    }

    #[test]
    fn the_air_outside_is_never_above_saturation_and_the_night_is_dark() {
        for step in 0..20_000 {
            let out = weather(&NANCHUAN, 5, at(0, f64::from(step) * 0.43));
            assert!(out.vapour_g_m3 > 0.0 && out.vapour_g_m3 < saturation_g_m3(out.air_c));
            assert_eq!(out.radiation_w_m2 > 0.0, out.sun_elevation_deg > 0.0);
            assert!((-15.0..42.0).contains(&out.air_c), "{}", out.air_c);
            assert!(out.radiation_w_m2 < 1_100.0);
        }
    }

    #[test]
    fn saturation_is_that_of_the_tables() {
        // Smithsonian Meteorological Tables, 6th edition, table 108: g/m³ over water.
        for (air_c, expect) in [(0.0, 4.847), (10.0, 9.399), (20.0, 17.30), (30.0, 30.38)] {
            assert!((saturation_g_m3(air_c) - expect).abs() < 0.004 * expect);
        }
    }
}
