//! Chips that QEMU has no model of, made up behind the same `embedded-hal` trait, so that their
//! drivers run unchanged.
//!
//! Each answers as its datasheet says (commands, checksums, refusals while busy), with values that
//! go slowly up and down with the uptime. They measure nothing: what they send is for tests and
//! demonstrations.

use embassy_time::Instant;
use embedded_hal::i2c::{
    ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation, SevenBitAddress,
};

/// A made-up chip: takes bytes, gives bytes, or refuses (`None`).
pub(crate) trait Chip {
    /// Its address.
    const ADDRESS: u8;

    /// Takes a command at `now_ms`.
    fn write(&mut self, now_ms: u64, bytes: &[u8]) -> Option<()>;

    /// Answers at `now_ms`.
    fn read(&mut self, now_ms: u64, bytes: &mut [u8]) -> Option<()>;
}

/// A bus with one made-up chip on it.
#[derive(Default)]
pub(crate) struct Simulated<C>(C);

impl<C> ErrorType for Simulated<C> {
    type Error = ErrorKind;
}

impl<C: Chip> I2c<SevenBitAddress> for Simulated<C> {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        let now_ms = Instant::now().as_millis();
        let refused = |source| ErrorKind::NoAcknowledge(source);
        if address != C::ADDRESS {
            return Err(refused(NoAcknowledgeSource::Address));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    self.0.write(now_ms, bytes).ok_or(refused(NoAcknowledgeSource::Data))?
                }
                Operation::Read(bytes) => {
                    self.0.read(now_ms, bytes).ok_or(refused(NoAcknowledgeSource::Address))?
                }
            }
        }
        Ok(())
    }
}

/// Sensirion SHT4x: 20 to 24 °C and 60 to 76 %, each over some minutes.
#[derive(Default)]
pub(crate) struct Sht4x {
    ready_ms: Option<u64>,
}

impl Chip for Sht4x {
    const ADDRESS: u8 = 0x44;

    fn write(&mut self, now_ms: u64, bytes: &[u8]) -> Option<()> {
        // Measure with high precision: up to 8.3 ms.
        self.ready_ms = (bytes == [0xFD]).then_some(now_ms + 9);
        self.ready_ms.map(|_| ())
    }

    fn read(&mut self, now_ms: u64, bytes: &mut [u8]) -> Option<()> {
        self.ready_ms.take_if(|ready| *ready <= now_ms)?;
        let temperature_mc = wave(now_ms, 420_000, 20_000, 24_000);
        let humidity_cpct = wave(now_ms, 540_000, 6_000, 7_600);
        let words =
            [(temperature_mc + 45_000) * 65_535 / 175_000, (humidity_cpct + 600) * 65_535 / 12_500];
        emit_words(words.map(|word| word as u16), bytes);
        Some(())
    }
}

/// Sensirion SCD4x: 430 to 690 ppm over a quarter of an hour, a new value every 5 s.
#[derive(Default)]
pub(crate) struct Scd4x {
    /// When the next value is there, while it measures by itself.
    ready_ms: Option<u64>,
    asked: Option<Question>,
    is_fixed: bool,
    pressure_hpa: u16,
}

/// What the next read answers.
enum Question {
    DataReady,
    Measurement,
    SelfCalibration,
    Pressure,
}

impl Scd4x {
    const PERIOD_MS: u64 = 5_000;

    fn is_ready(&self, now_ms: u64) -> bool {
        self.ready_ms.is_some_and(|ready| ready <= now_ms)
    }
}

impl Chip for Scd4x {
    const ADDRESS: u8 = 0x62;

    fn write(&mut self, now_ms: u64, bytes: &[u8]) -> Option<()> {
        let (command, argument) = bytes.split_first_chunk()?;
        self.asked = None;
        match u16::from_be_bytes(*command) {
            0x3F86 => self.ready_ms = None, // stop_periodic_measurement
            0x21B1 if self.ready_ms.is_none() => self.ready_ms = Some(now_ms + Self::PERIOD_MS),
            // set_automatic_self_calibration_enabled, and the question for it.
            0x2416 if self.ready_ms.is_none() => self.is_fixed = argument == [0, 0, 0x81],
            0x2313 if self.ready_ms.is_none() => self.asked = Some(Question::SelfCalibration),
            // set_ambient_pressure, and the question for it.
            0xE000 => match argument {
                [high, low, _] => self.pressure_hpa = u16::from_be_bytes([*high, *low]),
                _ => self.asked = Some(Question::Pressure),
            },
            0xE4B8 => self.asked = Some(Question::DataReady),
            0xEC05 if self.is_ready(now_ms) => self.asked = Some(Question::Measurement),
            _ => return None,
        }
        Some(())
    }

    fn read(&mut self, now_ms: u64, bytes: &mut [u8]) -> Option<()> {
        match self.asked.take()? {
            Question::SelfCalibration => emit_words([u16::from(!self.is_fixed)], bytes),
            Question::Pressure => emit_words([self.pressure_hpa], bytes),
            Question::DataReady => {
                emit_words([if self.is_ready(now_ms) { 0x8006 } else { 0x8000 }], bytes);
            }
            Question::Measurement => {
                self.ready_ms = Some(now_ms + Self::PERIOD_MS);
                let co2_ppm = wave(now_ms, 900_000, 430, 690) as u16;
                emit_words([co2_ppm, 0x6666, 0x6666], bytes);
            }
        }
        Some(())
    }
}

/// ROHM BH1750: 2 to 42 klx within 20 minutes.
pub(crate) struct Bh1750 {
    /// The measurement time register.
    time: u8,
    ready_ms: Option<u64>,
}

impl Default for Bh1750 {
    fn default() -> Self {
        Self { time: 69, ready_ms: None }
    }
}

impl Chip for Bh1750 {
    const ADDRESS: u8 = 0x23;

    fn write(&mut self, now_ms: u64, bytes: &[u8]) -> Option<()> {
        let [opcode] = *bytes else { return None };
        match opcode {
            0x20 => self.ready_ms = Some(now_ms + 180),
            0x40..=0x47 => self.time = self.time & 0b1_1111 | opcode << 5,
            0x60..=0x7F => self.time = self.time & 0b1110_0000 | opcode & 0b1_1111,
            _ => return None,
        }
        Some(())
    }

    fn read(&mut self, now_ms: u64, bytes: &mut [u8]) -> Option<()> {
        self.ready_ms.take_if(|ready| *ready <= now_ms)?;
        let light_lx = wave(now_ms, 1_200_000, 2_000, 42_000);
        let count = (light_lx * 12 / 10 * u64::from(self.time) / 69).min(u64::from(u16::MAX));
        emit(&(count as u16).to_be_bytes(), bytes);
        Some(())
    }
}

/// Returns a value that goes from `low` to `high` and back in each period.
fn wave(now_ms: u64, period_ms: u64, low: u64, high: u64) -> u64 {
    let phase = now_ms % period_ms;
    let rise = phase.min(period_ms - phase) * 2;
    low + (high - low) * rise / period_ms
}

/// Writes words as Sensirion's chips do: high byte, low byte, checksum.
fn emit_words<const N: usize>(words: [u16; N], bytes: &mut [u8]) {
    for (word, bytes) in words.iter().zip(bytes.chunks_mut(3)) {
        let [high, low] = word.to_be_bytes();
        emit(&[high, low, crc8([high, low])], bytes);
    }
}

/// Copies as much as fits; a read past the answer leaves what was there, as an idle bus does.
fn emit(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Returns Sensirion's checksum: polynomial 0x31, start 0xFF.
fn crc8(bytes: [u8; 2]) -> u8 {
    bytes.iter().fold(0xFF, |crc, byte| {
        (0..8).fold(
            crc ^ byte,
            |crc: u8, _| {
                if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 0x31 }
            },
        )
    })
}
