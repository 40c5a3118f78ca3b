//! Modbus RTU over RS485: any probe that a [`Table`] describes. The frames are those of "MODBUS over
//! Serial Line", version 1.02, section 2.5, and "MODBUS Application Protocol", version 1.1b3,
//! sections 6.3, 6.4 and 7.
//!
//! The serial port never blocks: it says whether it takes or has a byte, and keeps what arrives in
//! between, as a port with an interrupt or DMA does. It turns the RS485 driver by itself; the
//! request may come back as an echo. One master, one probe under way at a time.

use embedded_io::{Read, ReadReady, Write, WriteReady};
use heapless::Vec;
use measure::{Fault, Quantity, Reading};

use crate::probe::{in_range, nearest};
use crate::{Outcome, Probe, READINGS_MAX, Readings, Wait, failed};

/// The most registers of one question; a table with more is refused, which a test would tell.
pub const REGISTERS_MAX: u16 = 24;
/// The most questions of one table: with `LOOKS_MAX` looks each they fit [`crate::STEPS_MAX`].
pub const QUESTIONS_MAX: usize = 3;
/// A question: address, function, first register, count, checksum.
const QUESTION_BYTES: usize = 8;
/// The echo of a question and the longest answer: address, function, count, registers, checksum.
const BYTES_MAX: usize = QUESTION_BYTES + 5 + 2 * REGISTERS_MAX as usize;
/// How often an answer is looked for. The first look is when it should be there.
const LOOKS_MAX: u8 = 5;
/// How long a probe thinks before it answers, and between two further looks; 260 ms in all.
const ANSWER_WAIT_MS: u32 = 60;
const LOOK_WAIT: Wait = Wait { ms: 50 };
/// The most stale bytes that are thrown away before a question; a line that brings more babbles.
const STALE_BYTES_MAX: usize = 256;

/// How a value lies in its registers. Long ones have the high word first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One register, without a sign.
    U16,
    /// One register, two's complement.
    I16,
    /// Two registers, without a sign.
    U32,
    /// Two registers, two's complement.
    I32,
}

impl Kind {
    const fn registers(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 => 2,
        }
    }
}

/// What a value means from one reading to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is the reading.
    Value,
    /// It is a sum that grows: the reading is what was added since the one before. The first has
    /// none before it (`not_ready`); a sum that has shrunk was set back to 0 in between.
    Sum,
}

/// One quantity of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The register, or the first of two, by the address on the wire.
    pub register: u16,
    /// How the value lies there.
    pub kind: Kind,
    /// Numerator and denominator: the value times this is in steps of the quantity.
    pub scale: (i32, i32),
    /// What it measures.
    pub quantity: Quantity,
    /// Whether it is a value or a sum.
    pub meaning: Meaning,
}

/// How registers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Function {
    /// Read holding registers.
    Holding = 3,
    /// Read input registers.
    Input = 4,
}

/// One question, for the registers from the first field's to the last one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// How they are read.
    pub function: Function,
    /// What they mean, in the order of their registers.
    pub fields: &'static [Field],
}

impl Question {
    const fn first(&self) -> u16 {
        match self.fields {
            [first, ..] => first.register,
            [] => 0,
        }
    }

    const fn registers(&self) -> u16 {
        match self.fields {
            [.., last] => (last.register + last.kind.registers()).saturating_sub(self.first()),
            [] => 0,
        }
    }
}

/// What a model of probe is asked, and what its answers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name in a birth, a valid slug.
    pub sensor: &'static str,
    /// Its address as it comes from the factory.
    pub address: u8,
    /// Its bits per second as it comes from the factory, 8N1.
    pub baud: u32,
    /// The questions, at most [`QUESTIONS_MAX`]; those beyond are not asked.
    pub questions: &'static [Question],
}

impl Table {
    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.questions.iter().take(QUESTIONS_MAX).flat_map(|question| question.fields)
    }
}

/// A probe on its line.
#[derive(Debug)]
pub struct Modbus<S> {
    serial: S,
    table: &'static Table,
    address: u8,
    baud: u32,
    quantities: Vec<Quantity, READINGS_MAX>,
    /// The last value of each field that is a sum.
    sums: Vec<Option<i64>, READINGS_MAX>,
    exchange: Option<Exchange>,
    readings: Readings,
    received: Vec<u8, BYTES_MAX>,
}

/// A question under way.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    index: usize,
    sent: usize,
    looks: u8,
}

impl<S: Read + ReadReady + Write + WriteReady> Modbus<S> {
    /// Returns the probe that `table` describes, at its own address and speed.
    pub fn new(serial: S, table: &'static Table) -> Self {
        let quantities: Vec<_, READINGS_MAX> =
            table.fields().take(READINGS_MAX).map(|field| field.quantity).collect();
        Self {
            serial,
            table,
            address: table.address,
            baud: table.baud,
            sums: quantities.iter().map(|_| None).collect(),
            quantities,
            exchange: None,
            readings: Readings::new(),
            received: Vec::new(),
        }
    }

    /// Returns the probe at another address (1 to 247) and speed.
    #[must_use]
    pub fn at(mut self, address: u8, baud: u32) -> Self {
        (self.address, self.baud) = (address, baud);
        self
    }

    /// Gives the port back.
    pub fn release(self) -> S {
        self.serial
    }

    /// Returns how long so many bytes take, of 11 bits at most, in milliseconds.
    fn bytes_ms(&self, bytes: usize) -> u32 {
        (bytes as u32 * 11 * 1_000).div_ceil(self.baud.max(1))
    }

    fn question_bytes(&self, question: &Question) -> [u8; QUESTION_BYTES] {
        let [first_high, first_low] = question.first().to_be_bytes();
        let [count_high, count_low] = question.registers().to_be_bytes();
        let function = question.function as u8;
        let asked = [self.address, function, first_high, first_low, count_high, count_low];
        let [a, b, c, d, e, f] = asked;
        let [low, high] = crc16(&asked).to_le_bytes();
        [a, b, c, d, e, f, low, high]
    }

    /// Begins the question with this number.
    fn ask(&mut self, index: usize) -> Result<Wait, Fault> {
        let Some(question) = self.table.questions.get(index) else { return Err(Fault::NotReady) };
        if question.registers() > REGISTERS_MAX {
            return Err(Fault::Refused);
        }
        self.received.clear();
        self.exchange = None;
        self.drain()?;
        let mut exchange = Exchange { index, sent: 0, looks: 0 };
        self.send(&mut exchange, question)?;
        self.exchange = Some(exchange);
        let bytes = QUESTION_BYTES + 5 + 2 * usize::from(question.registers());
        Ok(Wait { ms: self.bytes_ms(bytes) + ANSWER_WAIT_MS })
    }

    /// Throws away what came after the last answer.
    fn drain(&mut self) -> Result<(), Fault> {
        for _ in 0..STALE_BYTES_MAX {
            if !self.serial.read_ready().map_err(|_| Fault::Bus)? {
                return Ok(());
            }
            self.serial.read(&mut [0]).map_err(|_| Fault::Bus)?;
        }
        Err(Fault::Bus)
    }

    fn send(&mut self, exchange: &mut Exchange, question: &Question) -> Result<(), Fault> {
        let bytes = self.question_bytes(question);
        while let Some(rest @ [_, ..]) = bytes.get(exchange.sent..) {
            if !self.serial.write_ready().map_err(|_| Fault::Bus)? {
                break;
            }
            match self.serial.write(rest) {
                Ok(0) | Err(_) => return Err(Fault::Bus),
                Ok(sent) => exchange.sent += sent,
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Fault> {
        let mut byte = [0];
        while !self.received.is_full() && self.serial.read_ready().map_err(|_| Fault::Bus)? {
            if self.serial.read(&mut byte).map_err(|_| Fault::Bus)? == 0 {
                return Ok(());
            }
            self.received.extend(byte);
        }
        Ok(())
    }

    /// Looks for the answer: a wait, or `None` once it is there and read.
    fn look(&mut self, mut exchange: Exchange) -> Result<Option<Wait>, Fault> {
        let Some(question) = self.table.questions.get(exchange.index) else { return Ok(None) };
        self.send(&mut exchange, question)?;
        self.receive()?;
        let asked = self.question_bytes(question);
        let answer = self.received.strip_prefix(&asked).unwrap_or(&self.received);
        if let Some(registers) = parse(answer, asked, question.registers())? {
            for field in question.fields {
                let sum = self.sums.get_mut(self.readings.len());
                let reading = value(field, question.first(), registers, sum);
                self.readings.extend([(field.quantity, reading)]);
            }
            return Ok(None);
        }
        exchange.looks += 1;
        if exchange.looks < LOOKS_MAX {
            self.exchange = Some(exchange);
            return Ok(Some(LOOK_WAIT));
        }
        // Half a question is the port's fault, half an answer the line's, and none the probe's.
        match (exchange.sent < QUESTION_BYTES, answer) {
            (false, []) => Err(Fault::NotPresent),
            _ => Err(Fault::Bus),
        }
    }
}

impl<S: Read + ReadReady + Write + WriteReady> Probe for Modbus<S> {
    fn sensor(&self) -> &'static str {
        self.table.sensor
    }

    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.readings.clear();
        self.ask(0)
    }

    fn finish(&mut self) -> Outcome {
        let Some(exchange) = self.exchange.take() else {
            return Outcome::Done(failed(&self.quantities, Fault::NotReady));
        };
        let gone_on = match self.look(exchange) {
            Ok(Some(wait)) => Ok(wait),
            Ok(None) if exchange.index + 1 < self.table.questions.len().min(QUESTIONS_MAX) => {
                self.ask(exchange.index + 1)
            }
            Ok(None) => return Outcome::Done(core::mem::take(&mut self.readings)),
            Err(fault) => Err(fault),
        };
        match gone_on {
            Ok(wait) => Outcome::Again(wait),
            Err(fault) => {
                // What was not asked or not answered shares the fault; what was answered stays.
                let missing = self.quantities.get(self.readings.len()..).unwrap_or_default();
                self.readings.extend(failed(missing, fault));
                Outcome::Done(core::mem::take(&mut self.readings))
            }
        }
    }
}

/// Returns the bytes of the registers in an answer, or `None` while it is not complete.
fn parse(
    answer: &[u8],
    asked: [u8; QUESTION_BYTES],
    registers: u16,
) -> Result<Option<&[u8]>, Fault> {
    let [address, function, ..] = asked;
    if let [from, refused, _code, low, high, ..] = *answer
        && (from, refused) == (address, function | 0x80)
    {
        let is_whole =
            answer.get(..3).is_some_and(|bytes| crc16(bytes).to_le_bytes() == [low, high]);
        return Err(if is_whole { Fault::Refused } else { Fault::Checksum });
    }
    let bytes = usize::from(registers) * 2;
    let Some((frame, _)) = answer.split_at_checked(bytes + 5) else { return Ok(None) };
    let Some((body, checksum)) = frame.split_last_chunk::<2>() else { return Ok(None) };
    if crc16(body).to_le_bytes() != *checksum {
        return Err(Fault::Checksum);
    }
    match body {
        [from, of, count, data @ ..]
            if (*from, *of) == (address, function) && usize::from(*count) == bytes =>
        {
            Ok(Some(data))
        }
        // Whole, but not what was asked: two probes have one address, or another master speaks.
        _ => Err(Fault::Bus),
    }
}

fn value(field: &Field, first: u16, registers: &[u8], sum: Option<&mut Option<i64>>) -> Reading {
    let start = usize::from(field.register.saturating_sub(first)) * 2;
    let bytes = registers.get(start..).ok_or(Fault::Bus)?;
    let (numerator, denominator) = field.scale;
    let raw = match (field.kind, bytes) {
        (Kind::U16, [a, b, ..]) => i64::from(u16::from_be_bytes([*a, *b])),
        (Kind::I16, [a, b, ..]) => i64::from(i16::from_be_bytes([*a, *b])),
        (Kind::U32, [a, b, c, d, ..]) => i64::from(u32::from_be_bytes([*a, *b, *c, *d])),
        (Kind::I32, [a, b, c, d, ..]) => i64::from(i32::from_be_bytes([*a, *b, *c, *d])),
        _ => return Err(Fault::Bus),
    };
    let raw = match (field.meaning, sum) {
        (Meaning::Value, _) => raw,
        (Meaning::Sum, None) => return Err(Fault::NotReady),
        (Meaning::Sum, Some(sum)) => match sum.replace(raw) {
            None => return Err(Fault::NotReady),
            Some(before) if before > raw => raw,
            Some(before) => raw - before,
        },
    };
    in_range(field.quantity, nearest(raw * i64::from(numerator), i64::from(denominator)))
}

/// Returns Modbus' CRC-16: polynomial 0x8005 reflected, start 0xFFFF; sent low byte first
/// ("MODBUS over Serial Line", section 2.5.1.2 and appendix B).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        let step = |crc: u16, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xA001 };
        (0..8).fold(crc ^ u16::from(*byte), step)
    })
}

#[cfg(test)]
#[path = "modbus_tests.rs"]
mod tests;
