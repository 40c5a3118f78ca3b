//! One sampling round as it lies in flash.
//!
//! Little-endian. At most [`ENTRY_BYTES_MAX`] bytes: 36 for the round and 7 for each reading. With the
//! 8 bytes that the queue adds, a round of 8 channels takes 100 bytes (12.5 a reading), one of 4
//! channels 72 (18 a reading).
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 1 | format, 1 |
//! | 1 | 1 | bit 0: `boot_utc` is known, bit 1: history |
//! | 2 | 1 | number of readings; 0: the boot's clock became known here |
//! | 3 | 1 | 0 |
//! | 4 | 4 | flash id |
//! | 8 | 4 | boot id |
//! | 12 | 8 | sequence of the first reading |
//! | 20 | 8 | uptime, in milliseconds |
//! | 28 | 8 | UTC at uptime 0, in microseconds since 1970; 0 where it is not known |
//! | 36 | 7 each | channel (1), quality flag (1), fault or 0 (1), value (4) |

use heapless::Vec;
use measure::{
    BootId, Fault, FlashId, Quality, Reading, Scaled, Sequence, SequenceRange, Timestamp, Uptime,
};
use wire::{CHANNELS_MAX, Sampled};

const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 36;
const READING_BYTES: usize = 7;
/// The largest entry, in bytes: all channels in one round.
pub const ENTRY_BYTES_MAX: usize = HEAD_BYTES + CHANNELS_MAX * READING_BYTES;

const HAS_UTC: u8 = 1;
const IS_HISTORY: u8 = 1 << 1;

/// What stands before the readings of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) flash: FlashId,
    pub(crate) boot: BootId,
    pub(crate) first: Sequence,
    /// Number of readings; 0 where the entry only brings the boot's clock.
    pub(crate) count: u8,
    pub(crate) uptime: Uptime,
    pub(crate) boot_utc: Option<Timestamp>,
    pub(crate) history: bool,
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

/// Returns how many bytes a round of `channels` readings takes in flash, queue and padding included.
pub const fn ring_bytes(channels: usize) -> usize {
    8 + (HEAD_BYTES + channels * READING_BYTES).next_multiple_of(4)
}

/// Writes a round. Readings beyond [`CHANNELS_MAX`] are refused by the caller.
pub(crate) fn emit(round: &Round, readings: &[(u8, Reading, Quality)]) -> Vec<u8, ENTRY_BYTES_MAX> {
    let flags = if round.boot_utc.is_some() { HAS_UTC } else { 0 }
        | if round.history { IS_HISTORY } else { 0 };
    let head = [FORMAT, flags, round.count, 0]
        .into_iter()
        .chain(round.flash.0.to_le_bytes())
        .chain(round.boot.0.to_le_bytes())
        .chain(round.first.0.to_le_bytes())
        .chain(round.uptime.0.to_le_bytes())
        .chain(round.boot_utc.map_or(0, Timestamp::micros).to_le_bytes());
    let reading = |(channel, reading, quality): &(u8, Reading, Quality)| {
        let (fault, value) = match reading {
            Ok(value) => (0, value.0),
            Err(fault) => (fault.code(), 0),
        };
        [*channel, quality.code(), fault].into_iter().chain(value.to_le_bytes())
    };
    head.chain(readings.iter().take(CHANNELS_MAX).flat_map(reading)).collect()
}

/// Reads a round and its readings, or `None` where the bytes are none.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Round, impl Iterator<Item = Sampled>)> {
    let ([format, flags, count, _], rest) = bytes.split_first_chunk::<4>()?;
    if *format != FORMAT {
        return None;
    }
    let (flash, rest) = rest.split_first_chunk::<4>()?;
    let (boot, rest) = rest.split_first_chunk::<4>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (uptime, rest) = rest.split_first_chunk::<8>()?;
    let (utc, rest) = rest.split_first_chunk::<8>()?;
    if rest.len() != usize::from(*count) * READING_BYTES {
        return None;
    }
    let utc = Timestamp::from_micros(i64::from_le_bytes(*utc));
    let round = Round {
        flash: FlashId(u32::from_le_bytes(*flash)),
        boot: BootId(u32::from_le_bytes(*boot)),
        first: Sequence(u64::from_le_bytes(*first)),
        count: *count,
        uptime: Uptime(u64::from_le_bytes(*uptime)),
        boot_utc: utc.filter(|_| flags & HAS_UTC != 0),
        history: flags & IS_HISTORY != 0,
    };
    let readings = rest.chunks_exact(READING_BYTES).map(move |bytes| sampled(bytes, round.uptime));
    Some((round, readings))
}

/// Reads one reading. The queue's checksum has passed, so an unknown code is one of a newer firmware.
fn sampled(bytes: &[u8], uptime: Uptime) -> Sampled {
    let mut head = [0; 3];
    let mut value = [0; 4];
    for (to, from) in head.iter_mut().chain(&mut value).zip(bytes) {
        *to = *from;
    }
    let [channel, quality, fault] = head;
    let reading = match fault {
        0 => Ok(Scaled(i32::from_le_bytes(value))),
        code => Err(Fault::from_code(code).unwrap_or(Fault::Device)),
    };
    let quality = Quality::from_code(quality).unwrap_or(Quality::NotEvaluated);
    Sampled { channel, uptime, reading, quality }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_comes_back_from_its_bytes() {
        let round = Round {
            flash: FlashId(0xDEAD_BEEF),
            boot: BootId(7),
            first: Sequence(u64::MAX - 2),
            count: 2,
            uptime: Uptime(61_000),
            boot_utc: Timestamp::from_micros(1_700_000_000_000_000),
            history: true,
        };
        let readings = [
            (3, Ok(Scaled(-196_000)), Quality::Good),
            (31, Err(Fault::Checksum), Quality::Missing),
        ];
        let bytes = emit(&round, &readings);
        assert_eq!(bytes.len(), 50);
        let (parsed, sampled) = parse(&bytes).unwrap();
        assert_eq!(parsed, round);
        let sampled: std::vec::Vec<_> =
            sampled.map(|one| (one.channel, one.reading, one.quality)).collect();
        assert_eq!(sampled, readings);
        assert!(parse(bytes.get(..49).unwrap()).is_none());
        assert_eq!(round.end(), Sequence(u64::MAX));
    }
}
