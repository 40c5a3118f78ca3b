//! A data frame under construction: readings go straight into the buffer until it is full.

use measure::{BootId, FlashId, Sequence, Timestamp, Uptime};
use minicbor::Encoder;
use minicbor::encode::write::Cursor;

use crate::encode::{Result, buffer_error, data_head};
use crate::{CHANNELS_MAX, Error, FRAME_BYTES_MAX, READINGS_MAX, Sampled, key};

/// The longest reading: array header, channel, two 64-bit deltas, quality and fault.
const READING_BYTES_MAX: usize = 32;
/// An array header with its length in a byte of its own, so that it can be filled in at the end.
const ARRAY_LENGTH_FOLLOWS: u8 = 0x98;

/// What stands before the readings of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The life of the flash that the sequences count in.
    pub flash: FlashId,
    /// The boot in which the readings were taken.
    pub boot: BootId,
    /// When the frame is sent, since the start of the boot that sends it.
    pub sent: Uptime,
    /// The sequence of the first reading; the others follow one by one.
    pub first: Sequence,
    /// UTC at uptime 0 of `boot`, where the node knows it.
    pub boot_utc: Option<Timestamp>,
    /// `boot_utc` is an estimate.
    pub uncertain: bool,
    /// The readings are history.
    pub history: bool,
}

/// What became of a reading that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a reading that found no room belongs into the next frame"]
pub enum Pushed {
    /// It is in the frame.
    Taken,
    /// The frame is full and unchanged: close it, and open the next one with this reading.
    Full,
}

/// A data frame that is being filled.
#[derive(Debug)]
pub struct Frame<'b> {
    buffer: &'b mut [u8],
    count_at: usize,
    used: usize,
    count: u8,
    uptime: Uptime,
    values: [i32; CHANNELS_MAX],
}

impl<'b> Frame<'b> {
    /// Begins a frame in `buffer`, of which at most [`FRAME_BYTES_MAX`] bytes are used.
    ///
    /// # Errors
    /// `Error::Buffer` where not even the head finds room.
    pub fn new(buffer: &'b mut [u8], head: &Head) -> Result<Self> {
        let bytes = buffer.len().min(FRAME_BYTES_MAX);
        let buffer = buffer.split_at_mut(bytes).0;
        let too_small = |_| Error::Buffer { bytes };
        let mut out = Encoder::new(Cursor::new(&mut *buffer));
        let optional = [head.boot_utc.is_some(), head.uncertain, head.history];
        let fields = 2 + optional.into_iter().map(u64::from).sum::<u64>();
        data_head(&mut out, fields, head.flash, head.boot, head.sent).map_err(too_small)?;
        (|| {
            out.u8(key::SEQUENCE)?.u64(head.first.0)?;
            if let Some(utc) = head.boot_utc {
                out.u8(key::UTC)?.i64(utc.micros())?;
            }
            if head.uncertain {
                out.u8(key::UNCERTAIN)?.bool(true)?;
            }
            if head.history {
                out.u8(key::HISTORY)?.bool(true)?;
            }
            out.u8(key::READINGS)?;
            Ok(())
        })()
        .map_err(too_small)?;
        let at = out.writer().position();
        *buffer.get_mut(at).ok_or(Error::Buffer { bytes })? = ARRAY_LENGTH_FOLLOWS;
        *buffer.get_mut(at + 1).ok_or(Error::Buffer { bytes })? = 0;
        Ok(Self {
            buffer,
            count_at: at + 1,
            used: at + 2,
            count: 0,
            uptime: Uptime(0),
            values: [0; CHANNELS_MAX],
        })
    }

    /// Adds the next reading, or says that the frame is full.
    ///
    /// # Errors
    /// `Error::Order` where it was taken before the one that precedes it, `Error::TooMany` where its
    /// channel is none of [`CHANNELS_MAX`]. The frame is unchanged then.
    pub fn push(&mut self, sampled: &Sampled) -> Result<Pushed> {
        if usize::from(self.count) >= READINGS_MAX {
            return Ok(Pushed::Full);
        }
        if sampled.uptime < self.uptime {
            return Err(Error::Order { index: usize::from(self.count) });
        }
        let before = self
            .values
            .get_mut(usize::from(sampled.channel))
            .ok_or(Error::TooMany { limit_name: "CHANNELS_MAX", limit: CHANNELS_MAX })?;
        let mut bytes = [0; READING_BYTES_MAX];
        let mut out = Encoder::new(Cursor::new(&mut bytes[..]));
        write_reading(&mut out, sampled, self.uptime, *before)
            .map_err(|error| buffer_error(error, READING_BYTES_MAX))?;
        let length = out.writer().position();
        let end = self.used + length;
        let (Some(room), Some(reading)) =
            (self.buffer.get_mut(self.used..end), bytes.get(..length))
        else {
            return Ok(Pushed::Full);
        };
        room.copy_from_slice(reading);
        if let Ok(value) = sampled.reading {
            *before = value.0;
        }
        self.used = end;
        self.uptime = sampled.uptime;
        self.count += 1;
        Ok(Pushed::Taken)
    }

    /// Returns how many readings are in the frame.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Closes the frame and returns its length in bytes.
    pub fn finish(self) -> usize {
        if let Some(count) = self.buffer.get_mut(self.count_at) {
            *count = self.count;
        }
        self.used
    }
}

type Written =
    core::result::Result<(), minicbor::encode::Error<minicbor::encode::write::EndOfSlice>>;

fn write_reading(
    out: &mut Encoder<Cursor<&mut [u8]>>,
    sampled: &Sampled,
    uptime_before: Uptime,
    value_before: i32,
) -> Written {
    let good = sampled.quality == measure::Quality::Good;
    out.array(match sampled.reading {
        Err(_) => 5,
        Ok(_) if good => 3,
        Ok(_) => 4,
    })?;
    out.u8(sampled.channel)?.u64(sampled.uptime.ms_since(uptime_before))?;
    match sampled.reading {
        Ok(value) => out.i64(i64::from(value.0) - i64::from(value_before))?,
        Err(_) => out.null()?,
    };
    if sampled.reading.is_err() || !good {
        out.u8(sampled.quality.code())?;
    }
    if let Err(fault) = sampled.reading {
        out.u8(fault.code())?;
    }
    Ok(())
}
