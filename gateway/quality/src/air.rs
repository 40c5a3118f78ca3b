//! Whether what several sensors at one place say of the same air can be true together.

use agronomy::{Celsius, RelativeHumidity};
use measure::{Quality, Quantity, Reading, Scaled, Timestamp};
use store::Sample;

use crate::rules::{Channel, is_of_air};

/// How far a dew point may lie above the temperature of its air, in degrees Celsius: what two
/// sensors of 0.2 °C and 1.8 % relative humidity can be off together (a proposal, class G).
pub const DEW_POINT_EXCESS_C: f64 = 1.0;

/// Another channel at the place, with its newest value.
pub(crate) struct Beside<'a> {
    pub(crate) channel: &'a Channel,
    pub(crate) time: Timestamp,
    pub(crate) value: Scaled,
}

/// Judges a reading by those that were taken with it at its place: none of two readings that
/// contradict each other is good. Not evaluated where none stands beside it.
pub(crate) fn judge<'a>(
    channel: &Channel,
    sample: &Sample,
    beside: impl Iterator<Item = Beside<'a>>,
) -> Quality {
    let Ok(value) = sample.reading else { return Quality::Missing };
    let half_ms = i64::from(channel.interval_ms) / 2;
    let mut air = Air::default();
    air.take(channel.key.quantity, value);
    let mut is_evaluated = false;
    for other in beside {
        if other.time.ms_since(sample.time).abs() <= half_ms {
            is_evaluated |= air.take(other.channel.key.quantity, other.value);
        }
    }
    if !is_evaluated {
        return Quality::NotEvaluated;
    }
    match air.is_possible() {
        None => Quality::NotEvaluated,
        Some(true) => Quality::Good,
        Some(false) => Quality::Suspect,
    }
}

/// What is known of the air at a place and time.
#[derive(Clone, Copy, Debug, Default)]
struct Air {
    temperature_c: Option<f64>,
    humidity_percent: Option<f64>,
    dew_point_c: Option<f64>,
    absolute_g_m3: Option<f64>,
    deficit_kpa: Option<f64>,
}

impl Air {
    /// Takes a value in; returns whether it says anything here.
    fn take(&mut self, quantity: Quantity, value: Scaled) -> bool {
        let slot = match quantity {
            Quantity::AirTemperature => &mut self.temperature_c,
            Quantity::RelativeHumidity => &mut self.humidity_percent,
            Quantity::DewPoint => &mut self.dew_point_c,
            Quantity::AbsoluteHumidity => &mut self.absolute_g_m3,
            Quantity::VapourPressureDeficit => &mut self.deficit_kpa,
            _ => return false,
        };
        *slot = Some(value.to_f64(quantity));
        is_of_air(quantity)
    }

    /// Returns whether air can be so; `None` where too little is known.
    fn is_possible(&self) -> Option<bool> {
        let air = Celsius::new(self.temperature_c?).ok()?;
        // What saturated air that is warmer by the tolerance has is the most that there can be.
        let warmest = air.offset(DEW_POINT_EXCESS_C).ok()?;
        let saturated = RelativeHumidity::new(100.0).ok()?;
        let most = agronomy::absolute_humidity_g_per_m3(warmest, saturated);
        let deficit = agronomy::saturation_vapour_pressure(warmest);
        let checks = [
            self.dew_point_c.map(|dew| dew <= warmest.degrees()),
            self.absolute_g_m3.map(|absolute| absolute <= most),
            self.deficit_kpa.map(|kpa| kpa <= deficit.0),
            self.dew_point_c.zip(self.humidity_percent).and_then(|(dew, percent)| {
                is_dew_point_of(dew, air, RelativeHumidity::new(percent).ok()?)
            }),
        ];
        let mut run = checks.into_iter().flatten().peekable();
        run.peek()?;
        Some(run.all(|is_so| is_so))
    }
}

/// Returns whether a dew point is that of air of this humidity, give or take what the sensors may be
/// off; `None` for air too dry for a hygrometer to tell.
fn is_dew_point_of(dew_c: f64, air: Celsius, humidity: RelativeHumidity) -> Option<bool> {
    /// Below it a hygrometer's own error moves the dew point by many degrees.
    const PERCENT_MIN: f64 = 20.0;
    /// How far the two may differ in degrees Celsius (a proposal, class G).
    const DIFFERENCE_C: f64 = 3.0;
    if humidity.percent() < PERCENT_MIN {
        return None;
    }
    let expected = agronomy::dew_point(air, humidity)?;
    Some((expected.degrees() - dew_c).abs() <= DIFFERENCE_C)
}

/// Returns the value of a reading that may be held against others.
pub(crate) fn usable(reading: Reading, quality: Quality) -> Option<Scaled> {
    reading.ok().filter(|_| !matches!(quality, Quality::Fail | Quality::Missing))
}
