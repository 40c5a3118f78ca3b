//! ADS1115: four analogue inputs, for probes that speak in volts: substrate moisture, pH, leaf
//! wetness, the supply behind a divider. Constants are those of TI's datasheet "ADS111x", SBAS444D
//! (January 2018). Single shots, one input after the other; the comparator is off.
//!
//! Each input is described by an [`Input`]: what it measures, with which gain, by which factory
//! line, and what a voltage outside the probe's own span means. A calibration of the single probe is
//! the node's, not the driver's.

use embedded_hal::i2c::I2c;
use heapless::Vec;
use measure::{Fault, Quantity, Reading};

use crate::bus::fault;
use crate::{Line, Outcome, Probe, Readings, Wait, failed};

/// Pointer to the conversion register (section 8.6.1, table 8-2 "Address pointer register").
const POINTER_CONVERSION: u8 = 0x00;
/// Pointer to the configuration register (the same table).
const POINTER_CONFIGURATION: u8 = 0x01;
/// Start a single conversion; read, no conversion runs (section 8.6.3, bit 15).
const OS: u16 = 1 << 15;
/// AIN0 against ground; each further input is one more (bits 14 to 12).
const MUX_AIN0: u16 = 0b100 << 12;
/// Single-shot mode, 16 samples a second, comparator off (bits 8, 7 to 5, 1 and 0). The slowest
/// rates average best; at 16 a conversion takes 62.5 ms, and four of them a quarter of a second.
const SINGLE_SHOT_16_SPS: u16 = 1 << 8 | 0b001 << 5 | 0b11;
/// The rate may be 10 % low, and waking up takes 25 µs (section 6.5, section 8.4.2.1).
const CONVERT_WAIT: Wait = Wait { ms: 71 };
/// How often a conversion that has not ended is asked again, and how long after.
const RETRIES_MAX: u8 = 2;
const RETRY_WAIT: Wait = Wait { ms: 10 };
/// The inputs of the chip.
pub const INPUTS_MAX: usize = 4;

/// The full scale of the converter (table 8-1, bits 11 to 9). No input may go above the supply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullScale {
    /// ±4.096 V in steps of 125 µV.
    V4,
    /// ±2.048 V in steps of 62.5 µV.
    V2,
    /// ±1.024 V in steps of 31.25 µV.
    V1,
}

impl FullScale {
    const fn bits(self) -> u16 {
        match self {
            Self::V4 => 0b001 << 9,
            Self::V2 => 0b010 << 9,
            Self::V1 => 0b011 << 9,
        }
    }

    const fn microvolts(self) -> i32 {
        match self {
            Self::V4 => 4_096_000,
            Self::V2 => 2_048_000,
            Self::V1 => 1_024_000,
        }
    }
}

/// What hangs on one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Which input, 0 to 3.
    pub pin: u8,
    /// What it measures.
    pub quantity: Quantity,
    /// The full scale that fits the probe's output.
    pub full_scale: FullScale,
    /// The least voltage that a working probe gives, in microvolts, and the fault of a lesser one:
    /// `Open` where a resistor pulls the input down, `Shorted` where the probe can't go so low.
    pub low: (i32, Fault),
    /// The greatest voltage that a working probe gives, and the fault of a greater one.
    pub high: (i32, Fault),
    /// The factory's two-point line.
    pub line: Line,
}

impl Input {
    /// A capacitive moisture probe on 5 V. DFRobot's guide for SEN0193 ("Calibration range") gives
    /// 520 counts in air and 260 in water, of 1,024 for 5 V: 2.54 and 1.27 V. A pull-down of 100 kΩ
    /// makes a cut wire read 0 V.
    pub const fn moisture_sen0193(pin: u8) -> Self {
        Self {
            pin,
            quantity: Quantity::SubstrateMoisture,
            full_scale: FullScale::V4,
            low: (500_000, Fault::Open),
            high: (3_100_000, Fault::Shorted),
            line: Line { from: (2_539_063, 0), to: (1_269_531, 10_000) },
        }
    }

    /// A pH probe with its amplifier. DFRobot's library for SEN0161-V2 begins with 1,500 mV at pH 7
    /// and 2,032.44 mV at pH 4, at 25 °C. The amplifier never reaches either rail.
    pub const fn ph_sen0161(pin: u8) -> Self {
        Self {
            pin,
            quantity: Quantity::SubstratePh,
            full_scale: FullScale::V4,
            low: (100_000, Fault::Open),
            high: (3_100_000, Fault::Shorted),
            line: Line { from: (1_500_000, 700), to: (2_032_440, 400) },
        }
    }

    /// A resistive wetness grid below a resistor of `series_ohm` to 3.3 V, read at the grid: dry it
    /// insulates and the input is near 3.3 V; wet it conducts and the input falls. Dry and wet are
    /// those of the grid that hangs there, measured once, in microvolts. A cut wire can't be told
    /// from a dry grid; a voltage of nearly 0 is a short, for water leaves some kΩ.
    pub const fn leaf_wetness(pin: u8, dry_uv: i32, wet_uv: i32) -> Self {
        Self {
            pin,
            quantity: Quantity::LeafWetness,
            full_scale: FullScale::V4,
            low: (20_000, Fault::Shorted),
            high: (3_500_000, Fault::Saturated),
            line: Line { from: (dry_uv, 0), to: (wet_uv, 10_000) },
        }
    }

    /// The supply behind a divider of two resistors, in ohms.
    pub const fn supply(pin: u8, top_ohm: u32, bottom_ohm: u32) -> Self {
        Self {
            pin,
            quantity: Quantity::SupplyVoltage,
            full_scale: FullScale::V4,
            low: (10_000, Fault::Open),
            high: (i32::MAX, Fault::Saturated),
            line: Line::divider(top_ohm, bottom_ohm),
        }
    }

    const fn configuration(&self) -> u16 {
        OS | MUX_AIN0 | (self.pin as u16 & 0b11) << 12 | self.full_scale.bits() | SINGLE_SHOT_16_SPS
    }

    /// Returns what the conversion register stands for.
    fn reading(&self, register: [u8; 2]) -> Reading {
        let count = i16::from_be_bytes(register);
        if count == i16::MAX || count == i16::MIN {
            return Err(Fault::Saturated);
        }
        let microvolts = i64::from(count) * i64::from(self.full_scale.microvolts()) / 32_768;
        let microvolts = i32::try_from(microvolts).map_err(|_| Fault::OutOfRange)?;
        if microvolts < self.low.0 {
            return Err(self.low.1);
        }
        if microvolts > self.high.0 {
            return Err(self.high.1);
        }
        self.line.reading(self.quantity, microvolts)
    }
}

/// An ADS1115 on its bus.
#[derive(Debug)]
pub struct Ads1115<I> {
    i2c: I,
    address: u8,
    inputs: Vec<Input, INPUTS_MAX>,
    quantities: Vec<Quantity, INPUTS_MAX>,
    running: Option<Running>,
}

/// What the inputs before the one that is converting have brought.
#[derive(Clone, Debug, Default)]
struct Running {
    readings: Readings,
    retries: u8,
}

impl<I: I2c> Ads1115<I> {
    /// The address with ADDR at ground; 0x49 at the supply, 0x4A at SDA, 0x4B at SCL (table 7-2).
    pub const ADDRESS: u8 = 0x48;

    /// Returns the chip at `address` with these inputs, at most [`INPUTS_MAX`]. Nothing is sent yet.
    pub fn new(i2c: I, address: u8, inputs: &[Input]) -> Self {
        let inputs: Vec<_, INPUTS_MAX> = inputs.iter().take(INPUTS_MAX).copied().collect();
        let quantities = inputs.iter().map(|input| input.quantity).collect();
        Self { i2c, address, inputs, quantities, running: None }
    }

    /// Gives the bus back.
    pub fn release(self) -> I {
        self.i2c
    }

    fn convert(&mut self, input: &Input) -> Result<(), Fault> {
        let [high, low] = input.configuration().to_be_bytes();
        self.i2c.write(self.address, &[POINTER_CONFIGURATION, high, low]).map_err(fault)
    }

    fn read(&mut self, pointer: u8) -> Result<[u8; 2], Fault> {
        let mut register = [0; 2];
        self.i2c.write_read(self.address, &[pointer], &mut register).map_err(fault)?;
        Ok(register)
    }

    /// Returns the reading of the input that converts, or `None` while it still does.
    fn converted(&mut self, input: &Input) -> Result<Option<Reading>, Fault> {
        let state = u16::from_be_bytes(self.read(POINTER_CONFIGURATION)?);
        if state & OS == 0 {
            return Ok(None);
        }
        // A chip that lost its supply has its own settings again, and so another input.
        if state != input.configuration() {
            return Err(Fault::NotReady);
        }
        let register = self.read(POINTER_CONVERSION)?;
        Ok(Some(input.reading(register)))
    }

    /// Takes the next step; a fault is the chip's and spoils all inputs that have no reading yet.
    fn advance(&mut self, running: &mut Running) -> Result<Option<Wait>, Fault> {
        let next = running.readings.len();
        let Some(input) = self.inputs.get(next).copied() else { return Ok(None) };
        let Some(reading) = self.converted(&input)? else {
            running.retries += 1;
            let is_late = running.retries > RETRIES_MAX;
            return if is_late { Err(Fault::NotReady) } else { Ok(Some(RETRY_WAIT)) };
        };
        running.readings.extend([(input.quantity, reading)]);
        let Some(input) = self.inputs.get(next + 1).copied() else { return Ok(None) };
        self.convert(&input)?;
        Ok(Some(CONVERT_WAIT))
    }
}

impl<I: I2c> Probe for Ads1115<I> {
    fn sensor(&self) -> &'static str {
        "ads1115"
    }

    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.running = None;
        if let Some(input) = self.inputs.first().copied() {
            self.convert(&input)?;
        }
        self.running = Some(Running::default());
        Ok(CONVERT_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        let Some(mut running) = self.running.take() else {
            return Outcome::Done(failed(&self.quantities, Fault::NotReady));
        };
        match self.advance(&mut running) {
            Ok(Some(wait)) => {
                self.running = Some(running);
                return Outcome::Again(wait);
            }
            Ok(None) => {}
            Err(fault) => {
                let missing = self.quantities.get(running.readings.len()..).unwrap_or_default();
                running.readings.extend(failed(missing, fault));
            }
        }
        Outcome::Done(running.readings)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
    use measure::Scaled;
    use std::vec;
    use std::vec::Vec as List;

    use super::*;

    const ADDRESS: u8 = 0x48;
    const INPUTS: [Input; 4] = [
        Input::moisture_sen0193(0),
        Input::ph_sen0161(1),
        Input::leaf_wetness(2, 3_200_000, 800_000),
        Input::supply(3, 100_000, 22_000),
    ];

    /// Bits of the datasheet: OS 1, MUX 1xx, PGA 001, single shot, DR 001, comparator 11.
    fn configuration(pin: u8) -> [u8; 2] {
        [0b1100_0011 | pin << 4, 0b0010_0011]
    }

    fn start(pin: u8) -> Transaction {
        let [high, low] = configuration(pin);
        Transaction::write(ADDRESS, vec![0x01, high, low])
    }

    fn state(bits: [u8; 2]) -> Transaction {
        Transaction::write_read(ADDRESS, vec![0x01], bits.to_vec())
    }

    fn value(count: i16) -> Transaction {
        Transaction::write_read(ADDRESS, vec![0x00], count.to_be_bytes().to_vec())
    }

    fn one(pin: u8, count: i16) -> List<Transaction> {
        vec![start(pin), state(configuration(pin)), value(count)]
    }

    #[track_caller]
    fn check(bus: &[List<Transaction>], inputs: &[Input], expect: &[Reading]) {
        let mut probe = Ads1115::new(Mock::new(&bus.concat()), ADDRESS, inputs);
        let readings = match probe.start() {
            Err(fault) => failed(probe.quantities(), fault),
            Ok(_) => (0..crate::STEPS_MAX)
                .find_map(|_| match probe.finish() {
                    Outcome::Done(readings) => Some(readings),
                    Outcome::Again(_) => None,
                })
                .unwrap(),
        };
        let expect = inputs.iter().zip(expect).map(|(input, reading)| (input.quantity, *reading));
        assert_eq!(readings, expect.collect::<Readings>());
        probe.release().done();
    }

    #[test]
    fn four_inputs_are_four_quantities() {
        // Counts of 125 µV: 1.905 V, 1.5 V, 2.0 V, 2.2 V.
        let bus = [one(0, 15_240), one(1, 12_000), one(2, 16_000), one(3, 17_600)];
        let expect = [4_994, 700, 5_000, 12_200].map(|steps| Ok(Scaled(steps)));
        check(&bus, &INPUTS, &expect);
    }

    #[test]
    fn open_short_and_rail_have_their_faults() {
        let [moisture, ph, leaf, supply] = INPUTS;
        for (input, count, fault) in [
            (moisture, 0, Fault::Open),
            (moisture, 25_000, Fault::Shorted),
            (ph, -3, Fault::Open),
            (leaf, 100, Fault::Shorted),
            (leaf, 29_000, Fault::Saturated),
            (supply, 10, Fault::Open),
            (supply, i16::MAX, Fault::Saturated),
            (supply, i16::MIN, Fault::Saturated),
            // 3 V are well dryer than air: a probe that is no such probe.
            (moisture, 24_000, Fault::OutOfRange),
        ] {
            check(&[one(input.pin, count)], &[input], &[Err(fault)]);
        }
    }

    #[test]
    fn a_fault_amid_the_inputs_leaves_those_before() {
        let nack = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        let bus = [one(0, 15_240), vec![start(1).with_error(nack)]];
        let expect = [Ok(Scaled(4_994)), Err(Fault::NotPresent)];
        check(&bus, &INPUTS[..2], &expect);
        check(&[vec![start(0).with_error(nack)]], &INPUTS[..2], &[Err(Fault::NotPresent); 2]);
        let bus = vec![start(0), state(configuration(0)), value(0).with_error(ErrorKind::Bus)];
        check(&[bus], &INPUTS[..2], &[Err(Fault::Bus); 2]);
    }

    #[test]
    fn a_conversion_that_does_not_end_is_not_ready() {
        let busy = || state([configuration(0)[0] & 0x7F, configuration(0)[1]]);
        let late = vec![start(0), busy(), busy(), state(configuration(0)), value(15_240)];
        check(&[late], &INPUTS[..1], &[Ok(Scaled(4_994))]);
        check(&[vec![start(0), busy(), busy(), busy()]], &INPUTS[..1], &[Err(Fault::NotReady)]);
    }

    #[test]
    fn a_chip_that_lost_its_supply_is_not_believed() {
        // Section 8.6.3: the register is 0x8583 after reset.
        check(&[vec![start(0), state([0x85, 0x83])]], &INPUTS[..1], &[Err(Fault::NotReady)]);
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let mut probe = Ads1115::new(Mock::new(&[]), ADDRESS, &INPUTS);
        let nothing = failed(&INPUTS.map(|input| input.quantity), Fault::NotReady);
        assert_eq!(probe.finish(), Outcome::Done(nothing));
        probe.release().done();
    }

    #[test]
    fn the_published_crate_sends_the_same_configuration() {
        use ads1x1x::{Ads1x1x, DataRate16Bit, FullScaleRange, TargetAddr, channel};
        let bus = [
            Transaction::write(ADDRESS, vec![0x01, 0x85, 0x23]),
            Transaction::write(ADDRESS, vec![0x01, 0x83, 0x23]),
            Transaction::write_read(ADDRESS, vec![0x01], vec![0x83, 0x23]),
            Transaction::write(ADDRESS, vec![0x01, configuration(2)[0], configuration(2)[1]]),
        ];
        let mut other = Ads1x1x::new_ads1115(Mock::new(&bus), TargetAddr::default());
        other.set_data_rate(DataRate16Bit::Sps16).unwrap();
        other.set_full_scale_range(FullScaleRange::Within4_096V).unwrap();
        assert!(other.read(channel::SingleA2).is_err());
        other.destroy_ads1115().done();
    }
}
