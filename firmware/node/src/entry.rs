//! One round as it lies in flash: readings, a clock mark or a local event.
//!
//! Format 2, at most [`ENTRY_BYTES_MAX`] bytes. Numbers are little-endian base 128 (LEB128, 7 bits a
//! byte, the top bit says that more follow); signed ones are zigzag first (0, -1, 1, -2, ...), so that
//! small numbers are short. A round of eight channels takes 50 to 60 bytes, the log's 8 come on top.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | high half: format, 2; bit 0: `boot_utc` is known, bit 1: history, bits 2 and 3: kind |
//! | 1 | number of sequences: the readings, 0 for a clock mark, 1 for an event |
//! | 4 | flash id |
//! | 1 to 5 | boot id |
//! | 1 to 10 | sequence of the first reading, or of the event |
//! | 1 to 10 | how far the floor lies below it: all below the floor is at the gateway or given up |
//! | 1 to 10 | uptime, in milliseconds |
//! | 0, 1 to 10 | UTC at uptime 0, in microseconds since 1970, signed; only where it is known |
//! | rest | by the kind |
//!
//! Kind 0, a round of readings, and for each of them:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | bits 0 to 4: channel, bit 5: a flag follows (else good), bit 6: a fault follows, not a value |
//! | 0, 1 | quality flag |
//! | 1 to 5 | value, signed; or 1 byte of fault |
//!
//! Kind 1, a clock mark: nothing. Kind 2, a local event, with the round's sequence and uptime:
//!
//! | bytes | what |
//! |---|---|
//! | 3 | channel, state, outputs |
//! | 1 to 5 | rule |
//! | 1 to 10 | how far the episode's sequence lies below the event's |
//! | 1 to 5 | value, signed |
//!
//! Format 1 is what earlier firmware wrote, and is read: 1, flags as above, count, 0, then flash id (4),
//! boot id (4), sequence (8), uptime (8), UTC (8), and for each reading channel, flag, fault or 0, value (4).

use heapless::Vec;
use measure::{
    BootId, Fault, FlashId, Quality, Reading, Scaled, Sequence, SequenceRange, Timestamp, Uptime,
};
use wire::{CHANNELS_MAX, EventState, LocalEvent, Sampled};

const FORMAT: u8 = 2 << 4;
const HAS_UTC: u8 = 1;
const IS_HISTORY: u8 = 1 << 1;
const KIND_SHIFT: u32 = 2;
const KIND_READINGS: u8 = 0;
const KIND_CLOCK: u8 = 1;
const KIND_EVENT: u8 = 2;

const CHANNEL_BITS: u8 = 0x1F;
const HAS_FLAG: u8 = 1 << 5;
const HAS_FAULT: u8 = 1 << 6;

const HEAD_BYTES_MAX: usize = 1 + 1 + 4 + 5 + 10 + 10 + 10 + 10;
const READING_BYTES_MAX: usize = 7;
/// The largest entry, in bytes: all channels in one round.
pub const ENTRY_BYTES_MAX: usize = HEAD_BYTES_MAX + CHANNELS_MAX * READING_BYTES_MAX;

/// Bytes of a head as it is in the second year of a node: boot id 2, sequence 4, floor 3, uptime 5, UTC 8.
const HEAD_BYTES_TYPICAL: usize = 1 + 1 + 4 + 2 + 4 + 3 + 5 + 8;
/// Bytes of a good reading whose value has at most 20 bits and a sign.
const READING_BYTES_TYPICAL: usize = 4;

const FORMAT_1: u8 = 1;
const READING_BYTES_1: usize = 7;

const _: () = assert!(CHANNELS_MAX <= CHANNEL_BITS as usize + 1);

/// What stands before the readings of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) flash: FlashId,
    pub(crate) boot: BootId,
    pub(crate) first: Sequence,
    /// Number of sequences; 0 where the entry only brings the boot's clock.
    pub(crate) count: u8,
    /// When this was written, all below was at the gateway or given up. Never above `first`; `None` in
    /// format 1, which does not say it.
    pub(crate) floor: Option<Sequence>,
    pub(crate) uptime: Uptime,
    pub(crate) boot_utc: Option<Timestamp>,
    pub(crate) history: bool,
    /// The event, where the round is one.
    pub(crate) event: Option<LocalEvent>,
}

impl Round {
    /// Returns the sequence after the last reading.
    pub(crate) const fn end(&self) -> Sequence {
        Sequence(self.first.0.saturating_add(self.count as u64))
    }

    /// Returns the sequences of the readings; `None` where there are none.
    pub(crate) fn range(&self) -> Option<SequenceRange> {
        SequenceRange::new(self.first, Sequence(self.end().0.checked_sub(1)?))
    }
}

/// Returns how many bytes a round of `channels` readings typically takes in flash, log and padding
/// included: what the ring's room is guessed from.
pub const fn ring_bytes(channels: usize) -> usize {
    8 + (HEAD_BYTES_TYPICAL + channels * READING_BYTES_TYPICAL).next_multiple_of(4)
}

/// Writes a round. Readings beyond [`CHANNELS_MAX`] are refused by the caller.
pub(crate) fn emit(round: &Round, readings: &[(u8, Reading, Quality)]) -> Vec<u8, ENTRY_BYTES_MAX> {
    let kind = match (&round.event, round.count) {
        (Some(_), _) => KIND_EVENT,
        (None, 0) => KIND_CLOCK,
        (None, _) => KIND_READINGS,
    };
    let flags = if round.boot_utc.is_some() { HAS_UTC } else { 0 }
        | if round.history { IS_HISTORY } else { 0 };
    let mut out = Vec::new();
    // There is room for all of it: see `ENTRY_BYTES_MAX`.
    out.extend([FORMAT | kind << KIND_SHIFT | flags, round.count]);
    out.extend(round.flash.0.to_le_bytes());
    put(&mut out, u64::from(round.boot.0));
    put(&mut out, round.first.0);
    let floor = round.floor.unwrap_or(Sequence(0));
    put(&mut out, round.first.0.saturating_sub(floor.0));
    put(&mut out, round.uptime.0);
    if let Some(utc) = round.boot_utc {
        put(&mut out, zigzag(utc.micros()));
    }
    for (channel, reading, quality) in readings.iter().take(CHANNELS_MAX) {
        let flagged = *quality != Quality::Good;
        let flags =
            if flagged { HAS_FLAG } else { 0 } | if reading.is_err() { HAS_FAULT } else { 0 };
        out.extend([*channel & CHANNEL_BITS | flags]);
        out.extend(flagged.then_some(quality.code()));
        match reading {
            Ok(value) => put(&mut out, zigzag(i64::from(value.0))),
            Err(fault) => out.extend([fault.code()]),
        }
    }
    if let Some(event) = &round.event {
        out.extend([event.channel, event.state.code(), event.outputs]);
        put(&mut out, u64::from(event.rule));
        put(&mut out, round.first.0.saturating_sub(event.episode.0));
        put(&mut out, zigzag(i64::from(event.value.0)));
    }
    out
}

/// Reads a round and its readings, or `None` where the bytes are none.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Round, Readings<'_>)> {
    match bytes.first()? {
        &FORMAT_1 => parse_1(bytes),
        head if head & 0xF0 == FORMAT => parse_2(bytes),
        _ => None,
    }
}

fn parse_2(bytes: &[u8]) -> Option<(Round, Readings<'_>)> {
    let ([head, count], rest) = bytes.split_first_chunk::<2>()?;
    let (flash, rest) = rest.split_first_chunk::<4>()?;
    let mut input = Input(rest);
    let boot = BootId(u32::try_from(input.number()?).ok()?);
    let first = Sequence(input.number()?);
    let floor = Some(Sequence(first.0.checked_sub(input.number()?)?));
    let uptime = Uptime(input.number()?);
    let boot_utc = match head & HAS_UTC {
        0 => None,
        _ => Some(Timestamp::from_micros(unzigzag(input.number()?))?),
    };
    let mut round = Round {
        flash: FlashId(u32::from_le_bytes(*flash)),
        boot,
        first,
        count: *count,
        floor,
        uptime,
        boot_utc,
        history: head & IS_HISTORY != 0,
        event: None,
    };
    let readings = match (head >> KIND_SHIFT & 3, count) {
        (KIND_READINGS, _) => Readings { input, uptime, is_format_1: false },
        (KIND_CLOCK, 0) => Readings { input: Input(&[]), uptime, is_format_1: false },
        (KIND_EVENT, 1) => {
            let [channel, state, outputs] = [input.byte()?, input.byte()?, input.byte()?];
            round.event = Some(LocalEvent {
                channel,
                rule: u32::try_from(input.number()?).ok()?,
                episode: Sequence(first.0.checked_sub(input.number()?)?),
                state: EventState::from_code(state)?,
                uptime,
                value: Scaled(i32::try_from(unzigzag(input.number()?)).ok()?),
                outputs,
            });
            Readings { input: Input(&[]), uptime, is_format_1: false }
        }
        _ => return None,
    };
    // All readings are there, and nothing else: else it is not what was written.
    let expected = if round.event.is_some() { 0 } else { usize::from(*count) };
    let mut probe = readings.clone();
    let found = probe.by_ref().take(expected).count();
    (found == expected && probe.input.0.is_empty()).then_some((round, readings))
}

fn parse_1(bytes: &[u8]) -> Option<(Round, Readings<'_>)> {
    let ([_, flags, count, _], rest) = bytes.split_first_chunk::<4>()?;
    let (flash, rest) = rest.split_first_chunk::<4>()?;
    let (boot, rest) = rest.split_first_chunk::<4>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (uptime, rest) = rest.split_first_chunk::<8>()?;
    let (utc, rest) = rest.split_first_chunk::<8>()?;
    if rest.len() != usize::from(*count) * READING_BYTES_1 {
        return None;
    }
    let utc = Timestamp::from_micros(i64::from_le_bytes(*utc));
    let round = Round {
        flash: FlashId(u32::from_le_bytes(*flash)),
        boot: BootId(u32::from_le_bytes(*boot)),
        first: Sequence(u64::from_le_bytes(*first)),
        count: *count,
        floor: None,
        uptime: Uptime(u64::from_le_bytes(*uptime)),
        boot_utc: utc.filter(|_| flags & HAS_UTC != 0),
        history: flags & IS_HISTORY != 0,
        event: None,
    };
    let input = Input(rest);
    Some((round, Readings { input, uptime: round.uptime, is_format_1: true }))
}

/// The readings of a round, one after the other.
#[derive(Clone)]
pub(crate) struct Readings<'b> {
    input: Input<'b>,
    uptime: Uptime,
    is_format_1: bool,
}

impl Iterator for Readings<'_> {
    type Item = Sampled;

    /// The log's checksum has passed, so an unknown code is one of a newer firmware.
    fn next(&mut self) -> Option<Sampled> {
        let (channel, quality, reading) = if self.is_format_1 {
            let [channel, quality, fault] =
                [self.input.byte()?, self.input.byte()?, self.input.byte()?];
            let (value, rest) = self.input.0.split_first_chunk::<4>()?;
            self.input.0 = rest;
            let value = Scaled(i32::from_le_bytes(*value));
            (channel, quality, if fault == 0 { Ok(value) } else { Err(fault) })
        } else {
            let head = self.input.byte()?;
            let flag = if head & HAS_FLAG == 0 { None } else { Some(self.input.byte()?) };
            let reading = if head & HAS_FAULT == 0 {
                Ok(Scaled(i32::try_from(unzigzag(self.input.number()?)).ok()?))
            } else {
                Err(self.input.byte()?)
            };
            (head & CHANNEL_BITS, flag.unwrap_or(Quality::Good.code()), reading)
        };
        Some(Sampled {
            channel,
            uptime: self.uptime,
            reading: reading.map_err(|code| Fault::from_code(code).unwrap_or(Fault::Device)),
            quality: Quality::from_code(quality).unwrap_or(Quality::NotEvaluated),
        })
    }
}

/// Bytes that are read from the front.
#[derive(Clone)]
struct Input<'b>(&'b [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

fn put(out: &mut Vec<u8, ENTRY_BYTES_MAX>, mut number: u64) {
    while number > 0x7F {
        out.extend([number as u8 | 0x80]);
        number >>= 7;
    }
    out.extend([number as u8]);
}

const fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round() -> Round {
        Round {
            flash: FlashId(0xDEAD_BEEF),
            boot: BootId(7),
            first: Sequence(u64::MAX - 2),
            count: 2,
            floor: Some(Sequence(u64::MAX - 300)),
            uptime: Uptime(61_000),
            boot_utc: Timestamp::from_micros(1_700_000_000_000_000),
            history: true,
            event: None,
        }
    }

    #[track_caller]
    fn comes_back(round: &Round, readings: &[(u8, Reading, Quality)]) -> usize {
        let bytes = emit(round, readings);
        let (parsed, sampled) = parse(&bytes).unwrap();
        assert_eq!(parsed, *round);
        let sampled: std::vec::Vec<_> =
            sampled.map(|one| (one.channel, one.reading, one.quality)).collect();
        assert_eq!(sampled, readings);
        for cut in 0..bytes.len() {
            assert!(parse(bytes.get(..cut).unwrap()).is_none(), "cut to {cut} bytes");
        }
        bytes.len()
    }

    #[test]
    fn a_round_comes_back_from_its_bytes() {
        let readings = [
            (3, Ok(Scaled(-196_000)), Quality::Good),
            (31, Err(Fault::Checksum), Quality::Missing),
        ];
        comes_back(&round(), &readings);
        assert_eq!(round().end(), Sequence(u64::MAX));
        let small = Round { first: Sequence(300), floor: Some(Sequence(299)), ..round() };
        assert_eq!(
            emit(&Round { boot_utc: None, history: false, ..small }, &readings),
            [
                0x20, 2, 0xEF, 0xBE, 0xAD, 0xDE, 7, 0xAC, 0x02, 1, 0xC8, 0xDC,
                0x03, // the head
                0x03, 0xBF, 0xF6, 0x17, // -196,000 is 391,999
                0x7F, 9, 3,
            ]
        );
    }

    #[test]
    fn a_round_of_eight_channels_is_short() {
        let readings: std::vec::Vec<_> =
            (0..8).map(|channel| (channel, Ok(Scaled(25_000)), Quality::Good)).collect();
        let round =
            Round { first: Sequence(1 << 27), count: 8, floor: Some(Sequence(1 << 27)), ..round() };
        assert_eq!(comes_back(&round, &readings), 55);
        assert_eq!(ring_bytes(8), 68);
    }

    #[test]
    fn every_flag_fault_and_value_comes_back() {
        for quality in Quality::ALL {
            for fault in (1..=u8::MAX).filter_map(Fault::from_code) {
                comes_back(&round(), &[(0, Ok(Scaled(1)), quality), (1, Err(fault), quality)]);
            }
        }
        for value in [i32::MIN, -1, 0, 1, 63, 64, i32::MAX] {
            comes_back(&Round { count: 1, ..round() }, &[(31, Ok(Scaled(value)), Quality::Good)]);
        }
    }

    #[test]
    fn a_clock_mark_and_an_event_come_back() {
        comes_back(&Round { count: 0, history: false, ..round() }, &[]);
        for state in EventState::ALL {
            let event = LocalEvent {
                channel: 31,
                rule: u32::MAX,
                episode: Sequence(5),
                state,
                uptime: round().uptime,
                value: Scaled(i32::MIN),
                outputs: 0x81,
            };
            comes_back(&Round { count: 1, event: Some(event), ..round() }, &[]);
        }
    }

    #[test]
    fn the_largest_round_fits() {
        let widest = Round {
            boot: BootId(u32::MAX),
            first: Sequence(u64::MAX - 32),
            count: 32,
            floor: Some(Sequence(0)),
            uptime: Uptime(u64::MAX),
            boot_utc: Timestamp::from_micros(i64::from(i32::MIN)),
            ..round()
        };
        let readings: std::vec::Vec<_> =
            (0..32).map(|channel| (channel, Ok(Scaled(i32::MIN)), Quality::Fail)).collect();
        assert!(comes_back(&widest, &readings) <= ENTRY_BYTES_MAX);
    }

    #[test]
    fn an_entry_of_the_firmware_before_is_read() {
        let mut bytes = std::vec![1, 1, 2, 0];
        bytes.extend(9_u32.to_le_bytes());
        bytes.extend(7_u32.to_le_bytes());
        bytes.extend(40_u64.to_le_bytes());
        bytes.extend(61_000_u64.to_le_bytes());
        bytes.extend(1_700_000_000_000_000_i64.to_le_bytes());
        bytes.extend([3, Quality::Good.code(), 0]);
        bytes.extend((-196_000_i32).to_le_bytes());
        bytes.extend([4, Quality::Missing.code(), Fault::Checksum.code(), 0, 0, 0, 0]);
        let (round, readings) = parse(&bytes).unwrap();
        assert_eq!((round.flash, round.boot), (FlashId(9), BootId(7)));
        assert_eq!((round.first, round.end()), (Sequence(40), Sequence(42)));
        assert_eq!(round.boot_utc, Timestamp::from_micros(1_700_000_000_000_000));
        let readings: std::vec::Vec<_> =
            readings.map(|one| (one.channel, one.reading, one.quality)).collect();
        assert_eq!(
            readings,
            [(3, Ok(Scaled(-196_000)), Quality::Good), (4, Err(Fault::Checksum), Quality::Missing)]
        );
        assert!(parse(bytes.get(..49).unwrap()).is_none());
    }
}
