//! The chain against chips simulated at the level of the pin, in microseconds.

extern crate std;

use core::cell::RefCell;
use core::convert::Infallible;
use std::rc::Rc;
use std::vec;
use std::vec::Vec as List;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use measure::Scaled;

use super::*;
use crate::OneWirePin;

/// The line and the chips on it. The master's edges come with the time; each slot is told by how
/// long it was low.
#[derive(Default)]
struct Line {
    now_us: u64,
    low_since: Option<u64>,
    /// Until when a chip holds the line low.
    held_until: u64,
    is_grounded: bool,
    chips: List<Chip>,
    /// The master's bits since the reset.
    written: List<bool>,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Command,
    Search {
        bit: usize,
        phase: u8,
    },
    Match,
    Function,
    Read {
        bit: usize,
    },
    Idle,
}

struct Chip {
    rom: [u8; 8],
    scratchpad: [u8; 9],
    selected: bool,
    converted: Option<i16>,
    keeps_supply: bool,
    is_deaf: bool,
    flips_bit: Option<usize>,
}

fn with_crc<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    bytes[N - 1] = crc8(&bytes[..N - 1]);
    bytes
}

fn chip(serial: u8, temperature: i16) -> Chip {
    Chip {
        rom: with_crc([0x28, serial, 0x5A, serial ^ 0xFF, 0, 0, 0x80, 0]),
        scratchpad: with_crc([0x50, 0x05, 0x4B, 0x46, 0x1F, 0xFF, 0x0C, 0x10, 0]),
        selected: true,
        converted: Some(temperature),
        keeps_supply: true,
        is_deaf: false,
        flips_bit: None,
    }
}

fn bit(bytes: &[u8], index: usize) -> bool {
    bytes[index / 8] >> (index % 8) & 1 != 0
}

impl Line {
    /// The line has gone low: a chip that has a 0 to say holds it.
    fn on_fall(&mut self) {
        let index = match self.state {
            State::Search { bit, phase } if phase < 2 => {
                let zero = self
                    .chips
                    .iter()
                    .any(|chip| chip.selected && self::bit(&chip.rom, bit) == (phase == 1));
                if zero {
                    self.held_until = self.now_us + 30;
                }
                return;
            }
            State::Read { bit } => bit,
            _ => return,
        };
        let zero = self.chips.iter().any(|chip| {
            let sent = bit(&chip.scratchpad, index) ^ (chip.flips_bit == Some(index));
            chip.selected && !sent
        });
        if zero {
            self.held_until = self.now_us + 30;
        }
    }

    fn on_rise(&mut self, low_us: u64) {
        if low_us >= 480 {
            self.state = State::Command;
            self.written.clear();
            for chip in &mut self.chips {
                chip.selected = !chip.is_deaf;
            }
            if self.chips.iter().any(|chip| !chip.is_deaf) {
                self.held_until = self.now_us + 150;
            }
            return;
        }
        if low_us == 0 {
            return;
        }
        assert!((1..=15).contains(&low_us) || (60..=120).contains(&low_us), "{low_us} us");
        self.on_slot(low_us <= 15);
    }

    fn on_slot(&mut self, one: bool) {
        match self.state {
            State::Search { bit, phase: 2 } => {
                for chip in &mut self.chips {
                    chip.selected &= self::bit(&chip.rom, bit) == one;
                }
                self.state =
                    if bit == 63 { State::Idle } else { State::Search { bit: bit + 1, phase: 0 } };
            }
            State::Search { bit, phase } => self.state = State::Search { bit, phase: phase + 1 },
            State::Read { bit } => {
                self.state = if bit == 71 { State::Idle } else { State::Read { bit: bit + 1 } };
            }
            State::Idle => {}
            State::Command | State::Match | State::Function => {
                self.written.push(one);
                self.on_bits();
            }
        }
    }

    fn bytes(&self) -> List<u8> {
        let byte =
            |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.written.chunks_exact(8).map(byte).collect()
    }

    fn on_bits(&mut self) {
        if !self.written.len().is_multiple_of(8) {
            return;
        }
        match (self.state, &self.bytes()[..]) {
            (State::Command, [0xF0]) => self.state = State::Search { bit: 0, phase: 0 },
            (State::Command, [0xCC]) => self.begin(State::Function),
            (State::Command, [0x55]) => self.begin(State::Match),
            (State::Match, rom) if rom.len() == 8 => {
                for chip in &mut self.chips {
                    chip.selected &= chip.rom[..] == *rom;
                }
                self.begin(State::Function);
            }
            (State::Function, [0x44]) => {
                for chip in self.chips.iter_mut().filter(|chip| chip.selected && chip.keeps_supply)
                {
                    if let Some(raw) = chip.converted {
                        let [low, high] = raw.to_le_bytes();
                        (chip.scratchpad[0], chip.scratchpad[1]) = (low, high);
                        chip.scratchpad = with_crc(chip.scratchpad);
                    }
                }
                self.state = State::Idle;
            }
            (State::Function, [0x4E, high, low, configuration]) => {
                for chip in self.chips.iter_mut().filter(|chip| chip.selected) {
                    chip.scratchpad[2..5].copy_from_slice(&[*high, *low, *configuration]);
                    chip.scratchpad = with_crc(chip.scratchpad);
                }
                self.state = State::Idle;
            }
            (State::Function, [0xBE]) => self.state = State::Read { bit: 0 },
            _ => {}
        }
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.written.clear();
    }
}

#[derive(Clone, Default)]
struct Pin(Rc<RefCell<Line>>);

impl ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        let mut line = self.0.borrow_mut();
        line.low_since = Some(line.now_us);
        line.on_fall();
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        let mut line = self.0.borrow_mut();
        if let Some(since) = line.low_since.take() {
            let low_us = line.now_us - since;
            line.on_rise(low_us);
        }
        Ok(())
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        let line = self.0.borrow();
        Ok(!line.is_grounded && line.low_since.is_none() && line.now_us >= line.held_until)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        self.is_high().map(|high| !high)
    }
}

impl DelayNs for Pin {
    fn delay_ns(&mut self, ns: u32) {
        self.0.borrow_mut().now_us += u64::from(ns).div_ceil(1_000);
    }
}

fn line(chips: List<Chip>) -> Pin {
    let pin = Pin::default();
    pin.0.borrow_mut().chips = chips;
    pin
}

fn bus(pin: &Pin) -> OneWirePin<Pin, Pin> {
    OneWirePin::new(pin.clone(), pin.clone())
}

fn measure(probe: &mut Ds18b20<OneWirePin<Pin, Pin>>) -> List<Reading> {
    let outcome = probe.start();
    if let Err(fault) = outcome {
        return failed(probe.quantities(), fault).iter().map(|(_, reading)| *reading).collect();
    }
    for _ in 0..crate::STEPS_MAX {
        if let Outcome::Done(readings) = probe.finish() {
            return readings.iter().map(|(_, reading)| *reading).collect();
        }
    }
    panic!("it never ends");
}

/// Measures a chain of `expect.len()` chips, numbered from 1, on this line.
#[track_caller]
fn check(pin: &Pin, expect: &[Reading]) {
    let roms = (1..=expect.len()).map(|serial| Rom::new(chip(serial as u8, 0).rom).unwrap());
    let chain: List<_> = roms.map(|rom| (rom, Medium::Substrate)).collect();
    let mut probe = Ds18b20::new(bus(pin), &chain);
    assert_eq!(measure(&mut probe), expect);
}

#[test]
fn the_table_of_the_datasheet_comes_out() {
    // Table 1 "Temperature/data relationship", without 85 °C.
    for (raw, expect) in [
        (0x07D0_u16, 125_000),
        (0x0191, 25_063),
        (0x00A2, 10_125),
        (0x0008, 500),
        (0x0000, 0),
        (0xFFF8, -500),
        (0xFF5E, -10_125),
        (0xFE6F, -25_063),
        (0xFC90, -55_000),
    ] {
        check(&line(vec![chip(1, raw.cast_signed())]), &[Ok(Scaled(expect))]);
    }
}

#[test]
fn the_power_on_value_is_refused() {
    let mut unfed = chip(2, 400);
    unfed.keeps_supply = false;
    check(&line(vec![chip(1, 400), unfed]), &[Ok(Scaled(25_000)), Err(Fault::NotReady)]);
}

#[test]
fn a_missing_member_has_its_own_fault_and_the_others_keep_their_channels() {
    let chips = vec![chip(3, 48), chip(1, 16)];
    check(&line(chips), &[Ok(Scaled(1_000)), Err(Fault::NotPresent), Ok(Scaled(3_000))]);
}

#[test]
fn a_short_and_an_empty_bus_are_told_apart() {
    let pin = line(vec![chip(1, 16)]);
    pin.0.borrow_mut().is_grounded = true;
    check(&pin, &[Err(Fault::Shorted)]);
    check(&line(vec![]), &[Err(Fault::NotPresent)]);
    let shorted_later = temperature([0; 9], Quantity::SubstrateTemperature);
    assert_eq!(shorted_later, Err(Fault::Shorted));
}

#[test]
fn every_flipped_bit_is_seen() {
    for flipped in 0..72 {
        let mut noisy = chip(1, 400);
        noisy.flips_bit = Some(flipped);
        check(&line(vec![noisy]), &[Err(Fault::Checksum)]);
    }
}

#[test]
fn a_chip_that_keeps_another_resolution_is_refused() {
    let scratchpad = with_crc([0x91, 0x01, 0x4B, 0x46, 0x1F, 0xFF, 0x0C, 0x10, 0]);
    assert_eq!(temperature(scratchpad, Quantity::WaterTemperature), Err(Fault::Refused));
}

#[test]
fn what_the_medium_cannot_have_is_out_of_range() {
    let scratchpad = with_crc([0x6F, 0xFE, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10, 0]);
    assert_eq!(temperature(scratchpad, Quantity::WaterTemperature), Err(Fault::OutOfRange));
    assert_eq!(temperature(scratchpad, Quantity::SurfaceTemperature), Ok(Scaled(-25_063)));
}

#[test]
fn the_search_finds_all_eight_in_the_same_order() {
    let serials = [0x71, 0x02, 0xE4, 0x01, 0x80, 0x81, 0x33, 0x07];
    let pin = line(serials.map(|serial| chip(serial, 0)).into());
    let found = bus(&pin).search().unwrap();
    let mut expect = serials.map(|serial| Rom::new(chip(serial, 0).rom).unwrap());
    expect.sort();
    assert_eq!(found[..], expect);
    pin.0.borrow_mut().chips.reverse();
    assert_eq!(bus(&pin).search().unwrap()[..], expect);
    assert!(found.iter().all(|rom| rom.family() == Ds18b20::<OneWirePin<Pin, Pin>>::FAMILY));
    assert_eq!(bus(&line(vec![])).search(), Err(Fault::NotPresent));
}

#[test]
fn nine_chips_are_eight_readings() {
    let pin = line((1..=9).map(|serial| chip(serial, 0)).collect());
    assert_eq!(bus(&pin).search().unwrap().len(), READINGS_MAX);
}

#[test]
fn codes_are_written_as_they_are_read() {
    let rom = Rom::new(chip(7, 0).rom).unwrap();
    assert_eq!(std::format!("{rom}").parse(), Ok(rom));
    assert_eq!("28075af800008000".parse::<Rom>(), Err(Fault::Checksum));
    assert_eq!("28-07".parse::<Rom>(), Err(Fault::OutOfRange));
    assert_eq!("苗圃苗圃苗".parse::<Rom>(), Err(Fault::OutOfRange));
}

#[test]
fn the_checksum_of_the_application_note_comes_out() {
    // Application note 27, figure 5: the code A2 00 00 00 01 B8 1C 02.
    assert_eq!(crc8(&[0x02, 0x1C, 0xB8, 0x01, 0, 0, 0]), 0xA2);
}

#[test]
fn without_a_start_there_is_nothing_to_read() {
    let rom = Rom::new(chip(1, 0).rom).unwrap();
    let mut probe = Ds18b20::new(bus(&line(vec![])), &[(rom, Medium::Water)]);
    let nothing = failed(&[Quantity::WaterTemperature], Fault::NotReady);
    assert_eq!(probe.finish(), Outcome::Done(nothing));
}

#[test]
fn the_published_crate_reads_the_same_from_the_same_chips() {
    use onewire::{DS18B20, DeviceSearch, OneWire as Other};
    for raw in (-880..=2_000).step_by(37) {
        let pin = line(vec![chip(9, raw)]);
        check(&line(vec![chip(1, raw)]), &[Ok(Scaled(nearest(i64::from(raw) * 1_000, 16) as i32))]);
        let (mut delay, mut theirs) = (pin.clone(), pin.clone());
        let mut wire = Other::new(&mut theirs, false);
        let mut search = DeviceSearch::new();
        let device = wire.search_next(&mut search, &mut delay).unwrap().unwrap();
        assert_eq!(device.address, chip(9, 0).rom);
        let sensor = DS18B20::new(device).unwrap();
        sensor.measure_temperature(&mut wire, &mut delay).unwrap();
        let read = sensor.read_temperature(&mut wire, &mut delay).unwrap();
        assert_eq!(read.cast_signed(), raw);
    }
}
