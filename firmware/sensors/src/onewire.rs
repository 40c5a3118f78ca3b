//! A 1-Wire bus on one open-drain pin, by delays: reset, bits, and the search for who is there.
//! Timings are those of Maxim's (now Analog Devices') application note 126 "1-Wire communication
//! through software", table 1, standard speed; the search is that of application note 187. A bit
//! takes 70 µs of the processor, a search 14 ms for each probe. There is no strong pull-up, so every
//! chip needs its supply wire.

use core::fmt;
use core::str::FromStr;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};
use heapless::Vec;
use measure::Fault;

use crate::READINGS_MAX;

/// Search for the ROM codes of the bus (DS18B20 datasheet 19-7487 rev 6, "ROM commands").
const SEARCH_ROM: u8 = 0xF0;

/// The 64 bits that no two 1-Wire chips share: family, serial number, checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rom([u8; 8]);

impl Rom {
    /// Returns the ROM code with these bytes, family first, as they come over the wire.
    ///
    /// # Errors
    /// `Checksum` where the last byte does not fit the others.
    pub fn new(bytes: [u8; 8]) -> Result<Self, Fault> {
        if crc8(&bytes) == 0 { Ok(Self(bytes)) } else { Err(Fault::Checksum) }
    }

    /// Returns the bytes, family first.
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// Returns the kind of the chip: 0x28 is a DS18B20.
    pub const fn family(self) -> u8 {
        let [family, ..] = self.0;
        family
    }
}

impl fmt::Display for Rom {
    /// Sixteen hexadecimal digits, family first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Rom {
    type Err = Fault;

    /// Reads what `Display` writes: `out_of_range` for other text, `checksum` for a mistyped code.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let mut bytes = [0; 8];
        if text.len() != 16 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Fault::OutOfRange);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or(Fault::OutOfRange)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| Fault::OutOfRange)?;
        }
        Self::new(bytes)
    }
}

/// A 1-Wire bus: bits, and the reset that begins each exchange.
pub trait OneWire {
    /// Resets the bus.
    ///
    /// # Errors
    /// `Shorted` where the line is held low before or after, `NotPresent` where no chip answers,
    /// `Bus` where the pin itself fails.
    fn reset(&mut self) -> Result<(), Fault>;

    /// Writes a bit.
    ///
    /// # Errors
    /// `Bus` where the pin itself fails.
    fn write_bit(&mut self, bit: bool) -> Result<(), Fault>;

    /// Reads a bit; where nobody answers it is 1.
    ///
    /// # Errors
    /// `Bus` where the pin itself fails.
    fn read_bit(&mut self) -> Result<bool, Fault>;

    /// Writes bytes, lowest bit first.
    ///
    /// # Errors
    /// As [`Self::write_bit`].
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        for byte in bytes {
            for bit in 0..8 {
                self.write_bit(byte >> bit & 1 != 0)?;
            }
        }
        Ok(())
    }

    /// Reads as many bytes, lowest bit first.
    ///
    /// # Errors
    /// As [`Self::read_bit`].
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        for byte in bytes {
            *byte = 0;
            for bit in 0..8 {
                *byte |= u8::from(self.read_bit()?) << bit;
            }
        }
        Ok(())
    }

    /// Returns the ROM codes of all chips, least first, so that the order is the same after every
    /// start; those beyond [`READINGS_MAX`] are left out.
    ///
    /// # Errors
    /// Those of [`Self::reset`]; `Checksum` where a code came garbled, `Bus` where chips vanished
    /// amid the search.
    fn search(&mut self) -> Result<Vec<Rom, READINGS_MAX>, Fault> {
        let mut found = Vec::new();
        let (mut code, mut last_choice) = ([0; 8], None);
        loop {
            let choice = next_rom(self, &mut code, last_choice)?;
            if found.push(Rom::new(code)?).is_err() {
                break;
            }
            last_choice = choice;
            if choice.is_none() {
                break;
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Goes down the tree of codes once, right after `last_choice` and as before above it; returns the
/// last bit where it went left and could go right (application note 187, figure 1).
fn next_rom<B: OneWire + ?Sized>(
    bus: &mut B,
    code: &mut [u8; 8],
    last_choice: Option<u8>,
) -> Result<Option<u8>, Fault> {
    bus.reset()?;
    bus.write(&[SEARCH_ROM])?;
    let mut choice = None;
    let mut position = 0_u8;
    for byte in code.iter_mut() {
        for bit in 0..8 {
            let (is_one, is_zero) = (bus.read_bit()?, bus.read_bit()?);
            let right = match (is_one, is_zero) {
                (true, true) => return Err(Fault::Bus),
                (false, false) => match last_choice {
                    Some(last) if position < last => *byte >> bit & 1 != 0,
                    last => last == Some(position),
                },
                (right, _) => right,
            };
            if !is_one && !is_zero && !right {
                choice = Some(position);
            }
            *byte = *byte & !(1 << bit) | u8::from(right) << bit;
            bus.write_bit(right)?;
            position += 1;
        }
    }
    Ok(choice)
}

/// Returns Maxim's CRC-8: polynomial 0x31 reflected, start 0 (application note 27). Bytes followed
/// by their checksum give 0.
pub(crate) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        let step = |crc: u8, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0x8C };
        (0..8).fold(crc ^ byte, step)
    })
}

/// A bus made of one open-drain pin with a pull-up of 4.7 kΩ (2.2 kΩ on a long cable).
///
/// An interrupt of some 15 µs amid a bit spoils it, which the checksums tell; a board that has longer
/// ones masks them in its `delay`.
#[derive(Debug)]
pub struct OneWirePin<P, D> {
    pin: P,
    delay: D,
}

impl<P: InputPin + OutputPin, D: DelayNs> OneWirePin<P, D> {
    /// Returns the bus on this pin, which is open-drain: high lets go of the line.
    pub fn new(pin: P, delay: D) -> Self {
        Self { pin, delay }
    }

    fn pull(&mut self) -> Result<(), Fault> {
        self.pin.set_low().map_err(|_| Fault::Bus)
    }

    fn release(&mut self) -> Result<(), Fault> {
        self.pin.set_high().map_err(|_| Fault::Bus)
    }

    fn is_high(&mut self) -> Result<bool, Fault> {
        self.pin.is_high().map_err(|_| Fault::Bus)
    }
}

impl<P: InputPin + OutputPin, D: DelayNs> OneWire for OneWirePin<P, D> {
    fn reset(&mut self) -> Result<(), Fault> {
        self.release()?;
        self.delay.delay_us(10);
        if !self.is_high()? {
            return Err(Fault::Shorted);
        }
        self.pull()?;
        self.delay.delay_us(480);
        self.release()?;
        self.delay.delay_us(70);
        let is_present = !self.is_high()?;
        self.delay.delay_us(410);
        match (is_present, self.is_high()?) {
            (_, false) => Err(Fault::Shorted),
            (false, true) => Err(Fault::NotPresent),
            (true, true) => Ok(()),
        }
    }

    fn write_bit(&mut self, bit: bool) -> Result<(), Fault> {
        let (low_us, high_us) = if bit { (6, 64) } else { (60, 10) };
        self.pull()?;
        self.delay.delay_us(low_us);
        self.release()?;
        self.delay.delay_us(high_us);
        Ok(())
    }

    fn read_bit(&mut self) -> Result<bool, Fault> {
        self.pull()?;
        self.delay.delay_us(6);
        self.release()?;
        self.delay.delay_us(9);
        let bit = self.is_high()?;
        self.delay.delay_us(55);
        Ok(bit)
    }
}
