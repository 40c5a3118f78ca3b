//! DS18B20: up to eight thermometers on one wire, in substrate, water or under the open sky.
//! Constants are those of Maxim's datasheet "DS18B20", 19-7487 revision 6 (July 2019).
//!
//! All convert at once; then each is read by its own ROM code, one in a step, so that no step holds
//! the processor for more than 13 ms. The codes are given, not searched at each start: a probe that is
//! missing keeps its channel and is `not_present` there, and the others keep theirs.

use heapless::Vec;
use measure::{Fault, Quantity, Reading};

use crate::onewire::{OneWire, Rom, crc8};
use crate::probe::{in_range, nearest};
use crate::{Medium, Outcome, Probe, READINGS_MAX, Readings, Wait, failed};

/// Address every chip at once ("ROM commands").
const SKIP_ROM: u8 = 0xCC;
/// Address one chip by its code ("ROM commands").
const MATCH_ROM: u8 = 0x55;
/// Convert the temperature ("DS18B20 function commands", table 3).
const CONVERT: u8 = 0x44;
/// Write the two alarm bytes and the configuration (table 3).
const WRITE_SCRATCHPAD: u8 = 0x4E;
/// Read the nine bytes of the scratchpad (table 3).
const READ_SCRATCHPAD: u8 = 0xBE;
/// The alarm bytes, which are not used, as they come from the factory; then 12 bits (figure 10).
const SETTINGS: [u8; 3] = [0x4B, 0x46, CONFIGURATION_12_BITS];
const CONFIGURATION_12_BITS: u8 = 0x7F;
/// A conversion to 12 bits takes at most 750 ms (table 2).
const CONVERT_WAIT: Wait = Wait { ms: 755 };
/// Between two chips the node may do something else.
const NEXT_WAIT: Wait = Wait { ms: 1 };
/// What the register holds after power-on, 85 °C (table 1): the chip has lost its supply since it was
/// told to convert. No bench is that hot.
const POWER_ON: u16 = 0x0550;

/// A chain of DS18B20 on one bus.
#[derive(Debug)]
pub struct Ds18b20<B> {
    bus: B,
    roms: Vec<Rom, READINGS_MAX>,
    quantities: Vec<Quantity, READINGS_MAX>,
    readings: Option<Readings>,
}

impl<B: OneWire> Ds18b20<B> {
    /// The family code of the chip ("64-bit lasered ROM code").
    pub const FAMILY: u8 = 0x28;

    /// Returns the chain of these chips, in this order; those beyond [`READINGS_MAX`] are left out.
    /// [`OneWire::search`] tells which codes are there, in an order that does not change.
    pub fn new(bus: B, chain: &[(Rom, Medium)]) -> Self {
        let chain = chain.iter().take(READINGS_MAX);
        Self {
            bus,
            roms: chain.clone().map(|(rom, _)| *rom).collect(),
            quantities: chain.map(|(_, medium)| medium.quantity()).collect(),
            readings: None,
        }
    }

    /// Gives the bus back.
    pub fn release(self) -> B {
        self.bus
    }

    fn convert(&mut self) -> Result<(), Fault> {
        self.bus.reset()?;
        self.bus.write(&[SKIP_ROM, WRITE_SCRATCHPAD])?;
        self.bus.write(&SETTINGS)?;
        self.bus.reset()?;
        self.bus.write(&[SKIP_ROM, CONVERT])
    }

    fn read(&mut self, rom: Rom, quantity: Quantity) -> Reading {
        let mut scratchpad = [0; 9];
        self.bus.reset()?;
        self.bus.write(&[MATCH_ROM])?;
        self.bus.write(&rom.bytes())?;
        self.bus.write(&[READ_SCRATCHPAD])?;
        self.bus.read(&mut scratchpad)?;
        temperature(scratchpad, quantity)
    }
}

impl<B: OneWire> Probe for Ds18b20<B> {
    fn sensor(&self) -> &'static str {
        "ds18b20"
    }

    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.readings = None;
        self.convert()?;
        self.readings = Some(Readings::new());
        Ok(CONVERT_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        let Some(mut readings) = self.readings.take() else {
            return Outcome::Done(failed(&self.quantities, Fault::NotReady));
        };
        let next = readings.len();
        if let (Some(&rom), Some(&quantity)) = (self.roms.get(next), self.quantities.get(next)) {
            let reading = self.read(rom, quantity);
            readings.extend([(quantity, reading)]);
        }
        if readings.len() >= self.roms.len() {
            return Outcome::Done(readings);
        }
        self.readings = Some(readings);
        Outcome::Again(NEXT_WAIT)
    }
}

/// Returns the temperature of a scratchpad, in millidegrees Celsius: a two's complement of 1/16 °C in
/// its first two bytes (figure 4).
fn temperature(scratchpad: [u8; 9], quantity: Quantity) -> Reading {
    let [low, high, _, _, configuration, ..] = scratchpad;
    match scratchpad {
        // Nobody pulls the line: this chip is not there, though another gave its presence.
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] => return Err(Fault::NotPresent),
        // Its checksum would fit; but byte 5 is always 0xFF (figure 9), so the line is held low.
        [0, 0, 0, 0, 0, 0, 0, 0, 0] => return Err(Fault::Shorted),
        _ if crc8(&scratchpad) != 0 => return Err(Fault::Checksum),
        _ => {}
    }
    let raw = u16::from_le_bytes([low, high]);
    if raw == POWER_ON {
        return Err(Fault::NotReady);
    }
    if configuration != CONFIGURATION_12_BITS {
        return Err(Fault::Refused);
    }
    in_range(quantity, nearest(i64::from(raw.cast_signed()) * 1_000, 16))
}

#[cfg(test)]
#[path = "ds18b20_tests.rs"]
mod tests;
