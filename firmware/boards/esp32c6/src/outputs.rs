//! What the node drives: siren, relays and the lamp. The node decides ([`node::Node::outputs`]), link
//! or no link; this file only carries it to the pins.

use embassy_time::Timer;
use esp_hal::gpio::{AnyPin, DriveMode, Level, Output, OutputConfig};

use crate::pins::OUTPUTS;

/// How often the lamp blinks to be found, and how long it is on and off, in milliseconds.
const BLINKS: u32 = 20;
const BLINK_MS: u64 = 250;

/// Siren and relays.
pub(crate) struct Outputs([Output<'static>; OUTPUTS]);

impl Outputs {
    /// Takes the pins, all off.
    pub(crate) fn new(pins: [AnyPin<'static>; OUTPUTS]) -> Self {
        Self(pins.map(|pin| Output::new(pin, Level::Low, OutputConfig::default())))
    }

    /// Drives the outputs: bit 0 the siren, bit 1 relay 1, bit 2 relay 2.
    pub(crate) fn drive(&mut self, bits: u8) {
        for (bit, output) in self.0.iter_mut().enumerate() {
            output.set_level(if bits >> bit & 1 == 1 { Level::High } else { Level::Low });
        }
    }
}

/// Takes the lamp, dark.
pub(crate) fn lamp(pin: AnyPin<'static>) -> Output<'static> {
    let config = OutputConfig::default().with_drive_mode(DriveMode::OpenDrain);
    Output::new(pin, Level::High, config)
}

/// Blinks for ten seconds.
pub(crate) async fn blink(lamp: &mut Output<'static>) {
    for _ in 0..BLINKS {
        lamp.set_low();
        Timer::after_millis(BLINK_MS).await;
        lamp.set_high();
        Timer::after_millis(BLINK_MS).await;
    }
}
