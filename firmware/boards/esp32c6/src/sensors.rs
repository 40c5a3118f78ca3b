//! The table of chips: what the provisioning page may say, and which driver reads it.
//!
//! | key | value | example |
//! |---|---|---|
//! | `board.i2c` | `chip@address:position`, by commas | `sht4x@0x44:canopy, scd4x@0x62:bench` |
//! | `board.onewire` | `code/medium:position`, by commas | `28ff641e8216046e/substrate:bench-1` |
//! | `board.rs485` | `model@address:position`, by commas | `sen0601@1:bench-1` |
//! | `board.inputs` | `kind:position` for inputs 1 to 4, by commas; `-` leaves one out | `mains:house, door:house, -, rain:roof` |
//! | `board.battery` | `top/bottom:position`, in ohms | `1000000/1000000:node` |
//! | `board.altitude_m` | of the house, for the CO2 chip | `620` |
//!
//! Chips of the I2C bus: `sht4x`, `sht3x`, `scd4x`, `bh1750`, `veml7700`, `lm75`, and
//! `ads1115+a+b+c+d` with what hangs on its inputs 0 to 3: `moisture`, `ph`, `wetness` or `none`. Media:
//! `air`, `substrate`, `water`, `surface`. Models: `sen0601`, `mtec02`, `sen0657`. Kinds: `mains`, `door`,
//! `mist`, `rain`, `wind`.
//!
//! An entry that is none of these is named in the log and left out; the node runs with the rest. The
//! channels stand in the order of the table above, so entries are added at an end of their list or the
//! channels behind them get new numbers (the birth says which is which).

use alloc::boxed::Box;
use core::cell::RefCell;

use embedded_hal_bus::i2c::RefCellDevice;
use esp_hal::Blocking;
use esp_hal::delay::Delay;
use esp_hal::gpio::{DriveMode, Flex, Input as Pin, InputConfig, OutputConfig, Pull};
use esp_hal::i2c::master::{Config as I2cConfig, I2c};
use esp_hal::time::Rate;
use heapless::Vec;
use measure::{Quantity, Slug};
use node::{PROBES_MAX, Provision};
use sensors::{
    Active, Ads1115, Anemometer, Battery, Bh1750, Chip, Contact, Ds18b20, Input, Lm75, Medium,
    Modbus, OneWirePin, Probe, RainGauge, Rom, SOIL_MTEC_02, SOIL_SEN0601, STATION_SEN0657, Scd4x,
    Sht3x, Sht4x, Table, Veml7700,
};
use wire::{CHANNELS_MAX, Channel};

use crate::inputs::{self, Line, Supply};
use crate::pins::{self, INPUTS};
use crate::{log, power, rs485};

/// The speed of the I2C bus, in kHz: cables of some metres in a wet house need the slow one.
const I2C_KHZ: u32 = 100;
/// A leaf wetness grid as this firmware expects it, in microvolts: dry, and wet.
const WETNESS_UV: (i32, i32) = (3_000_000, 1_000_000);

type Bus = RefCellDevice<'static, I2c<'static, Blocking>>;

/// The probes and the channels that they make, in the same order.
#[derive(Default)]
pub(crate) struct Sensors {
    pub(crate) probes: Vec<&'static mut dyn Probe, PROBES_MAX>,
    pub(crate) channels: Vec<Channel, CHANNELS_MAX>,
}

/// The parts of the chip that sensors hang on.
pub(crate) struct Ports {
    pub(crate) battery: pins::Battery,
    pub(crate) i2c: pins::Bus,
    pub(crate) inputs: [esp_hal::gpio::AnyPin<'static>; INPUTS],
    pub(crate) one_wire: esp_hal::gpio::AnyPin<'static>,
    pub(crate) rs485: pins::Rs485,
}

/// Returns what the provisioning page names. `count` is given each line on which pulses come.
pub(crate) fn build(
    provision: &Provision<'_>,
    ports: Ports,
    count: impl FnMut(Pin<'static>, &'static Line),
) -> Sensors {
    let mut sensors = Sensors::default();
    if let Some(list) = provision.board("i2c") {
        let altitude_m = provision.board("altitude_m").and_then(|text| text.parse().ok());
        sensors.add_i2c(list, ports.i2c, altitude_m);
    }
    if let Some(list) = provision.board("onewire") {
        sensors.add_one_wire(list, ports.one_wire);
    }
    if let Some(list) = provision.board("rs485") {
        sensors.add_rs485(list, ports.rs485);
    }
    if let Some(list) = provision.board("inputs") {
        sensors.add_inputs(list, ports.inputs, count);
    }
    if let Some(text) = provision.board("battery") {
        sensors.add_battery(text, ports.battery);
    }
    sensors
}

impl Sensors {
    fn add_i2c(&mut self, list: &str, pins: pins::Bus, altitude_m: Option<u16>) {
        let config = I2cConfig::default().with_frequency(Rate::from_khz(I2C_KHZ));
        let Ok(i2c) = I2c::new(pins.port, config) else { return unusable("i2c", "the bus") };
        let i2c: &'static RefCell<_> =
            Box::leak(Box::new(RefCell::new(i2c.with_sda(pins.sda).with_scl(pins.scl))));
        for entry in entries(list) {
            let found = split(entry, '@', parse_address).and_then(|(chip, address, position)| {
                let probe = i2c_chip(chip, address, RefCellDevice::new(i2c), altitude_m)?;
                Some((probe, position))
            });
            match found {
                Some((probe, position)) => self.add(probe, &[position]),
                None => unusable("i2c", entry),
            }
        }
    }

    fn add_one_wire(&mut self, list: &str, pin: esp_hal::gpio::AnyPin<'static>) {
        let mut pin = Flex::new(pin);
        pin.apply_output_config(
            &OutputConfig::default().with_drive_mode(DriveMode::OpenDrain).with_pull(Pull::Up),
        );
        pin.set_output_enable(true);
        pin.set_input_enable(true);
        let mut chain: Vec<(Rom, Medium), { sensors::READINGS_MAX }> = Vec::new();
        let mut positions: Vec<Slug, { sensors::READINGS_MAX }> = Vec::new();
        for entry in entries(list) {
            let found = split(entry, '/', medium).and_then(|(code, medium, position)| {
                chain.push((code.parse().ok()?, medium)).ok()?;
                positions.push(position).ok()
            });
            if found.is_none() {
                unusable("onewire", entry);
            }
        }
        if !chain.is_empty() {
            let bus = OneWirePin::new(pin, Delay::new());
            self.add(Box::leak(Box::new(Ds18b20::new(bus, &chain))), &positions);
        }
    }

    fn add_rs485(&mut self, list: &str, pins: pins::Rs485) {
        let Some(port) = rs485::open(pins) else { return unusable("rs485", "the port") };
        for entry in entries(list) {
            let found = split(entry, '@', |text| text.parse().ok());
            let found = found.and_then(|(name, address, position)| {
                // 1 to 247: MODBUS over Serial Line 1.02, section 2.2.
                Some((table(name)?, (1..=247).contains(&address).then_some(address)?, position))
            });
            match found {
                Some((table, address, position)) => {
                    let probe = Modbus::new(port, table).at(address, rs485::BAUD);
                    self.add(Box::leak(Box::new(rs485::Alone::new(probe, port))), &[position]);
                }
                None => unusable("rs485", entry),
            }
        }
    }

    fn add_inputs(
        &mut self,
        list: &str,
        pins: [esp_hal::gpio::AnyPin<'static>; INPUTS],
        mut count: impl FnMut(Pin<'static>, &'static Line),
    ) {
        for ((entry, pin), line) in entries(list).zip(pins).zip(&inputs::LINES) {
            if entry == "-" {
                continue;
            }
            let pin = Pin::new(pin, InputConfig::default().with_pull(Pull::Up));
            let contact = |pin, quantity| -> &'static mut dyn Probe {
                Box::leak(Box::new(Contact::new(pin, Active::Low, quantity)))
            };
            let Some((kind, position)) = entry.split_once(':') else {
                unusable("inputs", entry);
                continue;
            };
            let Ok(position) = Slug::new(position) else {
                unusable("inputs", entry);
                continue;
            };
            let probe: &'static mut dyn Probe = match kind {
                "mains" => contact(pin, Quantity::MainsPresent),
                "door" => contact(pin, Quantity::DoorOpen),
                "mist" => contact(pin, Quantity::MistFlow),
                "rain" => {
                    count(pin, line.rest(inputs::BUCKET_MS));
                    Box::leak(Box::new(RainGauge::new(line, RainGauge::<&Line>::TIP_SEN15901)))
                }
                "wind" => {
                    count(pin, line.rest(inputs::CUPS_MS));
                    let run = Anemometer::<&Line>::RUN_SEN15901;
                    Box::leak(Box::new(Anemometer::new(line, run, power::now)))
                }
                _ => {
                    unusable("inputs", entry);
                    continue;
                }
            };
            self.add(probe, &[position]);
        }
    }

    fn add_battery(&mut self, text: &str, pins: pins::Battery) {
        let found = split(text.trim(), '/', |text| text.parse().ok());
        let found =
            found.and_then(|(top, bottom, position)| Some((top.parse().ok()?, bottom, position)));
        match found {
            Some((top, bottom, position)) => {
                let probe = Battery::new(Supply::new(pins), top, bottom);
                self.add(Box::leak(Box::new(probe)), &[position]);
            }
            None => unusable("battery", text),
        }
    }

    /// Adds a probe whose channels hang at these positions; the last one holds for the rest.
    fn add(&mut self, probe: &'static mut dyn Probe, positions: &[Slug]) {
        let count = probe.quantities().len();
        let sensor = Slug::new(probe.sensor());
        let (Ok(sensor), Some(last)) = (sensor, positions.last()) else { return };
        if self.probes.is_full() || self.channels.len() + count > CHANNELS_MAX {
            return unusable("channels", sensor.as_str());
        }
        let places = positions.iter().chain(core::iter::repeat(last));
        let channels = probe.quantities().iter().zip(places).map(|(quantity, position)| Channel {
            quantity: *quantity,
            position: position.clone(),
            sensor: sensor.clone(),
            calibration: 0,
            enabled: true,
        });
        self.channels.extend(channels);
        self.probes.extend([probe]);
    }
}

/// Returns the driver of an I2C chip.
fn i2c_chip(
    chip: &str,
    address: u8,
    bus: Bus,
    altitude_m: Option<u16>,
) -> Option<&'static mut dyn Probe> {
    let (name, rest) = chip.split_once('+').unwrap_or((chip, ""));
    let probe: &'static mut dyn Probe = match name {
        "sht4x" => Box::leak(Box::new(Sht4x::new(bus, address).with_heater(power::now))),
        "sht3x" => Box::leak(Box::new(Sht3x::new(bus, address))),
        "scd4x" if address == Scd4x::<Bus>::ADDRESS => {
            let chip = Scd4x::new(bus);
            Box::leak(Box::new(match altitude_m {
                Some(metres) => chip.at_altitude(metres),
                None => chip,
            }))
        }
        "bh1750" => Box::leak(Box::new(Bh1750::new(bus, address))),
        "veml7700" if address == Veml7700::<Bus>::ADDRESS => {
            Box::leak(Box::new(Veml7700::new(bus)))
        }
        "lm75" => Box::leak(Box::new(Lm75::new(bus, address, Chip::Lm75, Medium::Air))),
        "ads1115" => {
            let mut wired: Vec<Input, { sensors::INPUTS_MAX }> = Vec::new();
            for (pin, kind) in (0..).zip(rest.split('+')) {
                let input = match kind {
                    "moisture" => Input::moisture_sen0193(pin),
                    "ph" => Input::ph_sen0161(pin),
                    "wetness" => Input::leaf_wetness(pin, WETNESS_UV.0, WETNESS_UV.1),
                    "none" => continue,
                    _ => return None,
                };
                wired.push(input).ok()?;
            }
            if wired.is_empty() {
                return None;
            }
            Box::leak(Box::new(Ads1115::new(bus, address, &wired)))
        }
        _ => return None,
    };
    Some(probe)
}

fn table(name: &str) -> Option<&'static Table> {
    match name {
        "sen0601" => Some(&SOIL_SEN0601),
        "mtec02" => Some(&SOIL_MTEC_02),
        "sen0657" => Some(&STATION_SEN0657),
        _ => None,
    }
}

fn medium(name: &str) -> Option<Medium> {
    match name {
        "air" => Some(Medium::Air),
        "substrate" => Some(Medium::Substrate),
        "water" => Some(Medium::Water),
        "surface" => Some(Medium::Surface),
        _ => None,
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Splits `first<mark>second:position`.
fn split<T>(
    entry: &str,
    mark: char,
    second: impl Fn(&str) -> Option<T>,
) -> Option<(&str, T, Slug)> {
    let (what, position) = entry.rsplit_once(':')?;
    let (first, text) = what.split_once(mark)?;
    Some((first, second(text)?, Slug::new(position).ok()?))
}

/// Returns a 7-bit address that a chip may have (0x08 to 0x77), written as `0x44`.
fn parse_address(text: &str) -> Option<u8> {
    let address = u8::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
    (0x08..=0x77).contains(&address).then_some(address)
}

/// Says which word of the provisioning page is not understood.
fn unusable(key: &str, entry: &str) {
    log!("provisioning: board.{key}: `{entry}` is left out: not known or not possible");
}
