//! Which pin does what: the table of the README, as code. Change it here for another wiring.
//!
//! | GPIO | use | note |
//! |---|---|---|
//! | 0 | battery through a divider | ADC1 channel 0; 2 × 1 MΩ and 100 nF |
//! | 1, 2, 3, 4 | inputs 1 to 4: contacts or pulses | to ground, pull-up inside |
//! | 6, 7 | I2C data, clock | 4.7 kΩ to 3.3 V |
//! | 10 | 1-Wire | 4.7 kΩ to 3.3 V |
//! | 11 | power of the RS485 probes | high: on |
//! | 15 | lamp | low: on |
//! | 18, 19, 20 | RS485: send, receive, driver enable | UART1 |
//! | 21 | siren | high: on; 10 kΩ to ground |
//! | 22, 23 | relay 1, relay 2 | high: on; 10 kΩ to ground |
//! | 12, 13 | USB: flashing and log | |
//! | 8, 9, 15, 4, 5 | strapping pins | 8 and 9 stay free; 9 low at reset: download |

use esp_hal::gpio::{AnyPin, Pin as _};
use esp_hal::peripherals::{
    ADC1, FLASH, FROM_CPU_INTR0, GPIO0, I2C0, LPWR, Peripherals, RTC_TIMER, TIMG0, UART1, WIFI,
};

/// The inputs for contacts and pulses.
pub(crate) const INPUTS: usize = 4;
/// The outputs that a limit can drive: the siren and two relays.
pub(crate) const OUTPUTS: usize = 3;

/// The chip, by what its parts are for.
pub(crate) struct Pins {
    pub(crate) battery: Battery,
    pub(crate) flash: FLASH<'static>,
    pub(crate) i2c: Bus,
    pub(crate) inputs: [AnyPin<'static>; INPUTS],
    pub(crate) lamp: AnyPin<'static>,
    pub(crate) low_power: LPWR<'static>,
    pub(crate) one_wire: AnyPin<'static>,
    pub(crate) outputs: [AnyPin<'static>; OUTPUTS],
    pub(crate) radio: WIFI<'static>,
    pub(crate) rs485: Rs485,
    pub(crate) rtc: RTC_TIMER<'static>,
    pub(crate) switch: FROM_CPU_INTR0<'static>,
    pub(crate) timers: TIMG0<'static>,
}

/// The measured supply.
pub(crate) struct Battery {
    pub(crate) adc: ADC1<'static>,
    pub(crate) pin: GPIO0<'static>,
}

/// The I2C bus.
pub(crate) struct Bus {
    pub(crate) port: I2C0<'static>,
    pub(crate) sda: AnyPin<'static>,
    pub(crate) scl: AnyPin<'static>,
}

/// The RS485 port.
pub(crate) struct Rs485 {
    pub(crate) port: UART1<'static>,
    pub(crate) send: AnyPin<'static>,
    pub(crate) receive: AnyPin<'static>,
    pub(crate) driver: AnyPin<'static>,
    pub(crate) power: AnyPin<'static>,
}

/// Deals the chip's parts out.
pub(crate) fn deal(chip: Peripherals) -> Pins {
    Pins {
        battery: Battery { adc: chip.ADC1, pin: chip.GPIO0 },
        flash: chip.FLASH,
        i2c: Bus { port: chip.I2C0, sda: chip.GPIO6.degrade(), scl: chip.GPIO7.degrade() },
        inputs: [
            chip.GPIO1.degrade(),
            chip.GPIO2.degrade(),
            chip.GPIO3.degrade(),
            chip.GPIO4.degrade(),
        ],
        lamp: chip.GPIO15.degrade(),
        low_power: chip.LPWR,
        one_wire: chip.GPIO10.degrade(),
        outputs: [chip.GPIO21.degrade(), chip.GPIO22.degrade(), chip.GPIO23.degrade()],
        radio: chip.WIFI,
        rs485: Rs485 {
            port: chip.UART1,
            send: chip.GPIO18.degrade(),
            receive: chip.GPIO19.degrade(),
            driver: chip.GPIO20.degrade(),
            power: chip.GPIO11.degrade(),
        },
        rtc: chip.RTC_TIMER,
        switch: chip.FROM_CPU_INTR0,
        timers: chip.TIMG0,
    }
}
