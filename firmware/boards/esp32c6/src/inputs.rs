//! Inputs beside the buses: pulses counted in interrupts, and the voltage of the supply.

use core::sync::atomic::{AtomicU32, Ordering};

use embassy_time::Timer;
use esp_hal::Blocking;
use esp_hal::analog::adc::{Adc, AdcCalCurve, AdcConfig, AdcPin, Attenuation};
use esp_hal::gpio::Input;
use esp_hal::peripherals::{ADC1, GPIO0};
use measure::Fault;
use sensors::{Millivolts, PulseCounter};

use crate::pins::{self, INPUTS};

/// How long a tipping bucket rests after a pulse, in milliseconds: its contact bounces.
pub(crate) const BUCKET_MS: u32 = 50;
/// The same of an anemometer: 5 ms allow 200 pulses a second, far beyond any wind.
pub(crate) const CUPS_MS: u32 = 5;
/// The most looks at the converter; a conversion takes some 50 µs.
const LOOKS_MAX: u32 = 10_000;
/// The end of the converter's range at 12 dB, in millivolts (ESP32-C6 datasheet, table 5-8).
const RANGE_MV: u16 = 3_300;

/// The lines on which pulses may come.
pub(crate) static LINES: [Line; INPUTS] = [const { Line::new() }; INPUTS];

/// The pulses of one line.
pub(crate) struct Line {
    count: AtomicU32,
    rest_ms: AtomicU32,
}

impl Line {
    const fn new() -> Self {
        Self { count: AtomicU32::new(0), rest_ms: AtomicU32::new(0) }
    }

    /// Sets for how long nothing counts after a pulse.
    pub(crate) fn rest(&'static self, ms: u32) -> &'static Self {
        self.rest_ms.store(ms, Ordering::Relaxed);
        self
    }
}

impl PulseCounter for &'static Line {
    fn count(&mut self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Counts the closings of a contact to ground, for ever.
#[embassy_executor::task(pool_size = INPUTS)]
pub(crate) async fn count(mut pin: Input<'static>, line: &'static Line) -> ! {
    loop {
        pin.wait_for_falling_edge().await;
        line.count.fetch_add(1, Ordering::Relaxed);
        Timer::after_millis(u64::from(line.rest_ms.load(Ordering::Relaxed))).await;
    }
}

type Calibrated = AdcCalCurve<ADC1<'static>>;

/// The supply's divider at the converter.
pub(crate) struct Supply {
    adc: Adc<'static, ADC1<'static>, Blocking>,
    pin: AdcPin<GPIO0<'static>, ADC1<'static>, Calibrated>,
}

impl Supply {
    /// Takes the converter, with the calibration that the factory burnt into the chip.
    pub(crate) fn new(pins: pins::Battery) -> Self {
        let mut config = AdcConfig::new();
        let pin = config.enable_pin_with_cal(pins.pin, Attenuation::_11dB);
        Self { adc: Adc::new(pins.adc, config), pin }
    }
}

impl Millivolts for Supply {
    fn millivolts(&mut self) -> Result<u32, Fault> {
        for _ in 0..LOOKS_MAX {
            match self.adc.read_oneshot(&mut self.pin) {
                Ok(mv) if mv >= RANGE_MV => return Err(Fault::Saturated),
                Ok(mv) => return Ok(u32::from(mv)),
                Err(_) => {}
            }
        }
        Err(Fault::Device)
    }
}
