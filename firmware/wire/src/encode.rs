//! Messages to bytes.

use measure::{BootId, FlashId, SequenceRange, Uptime};
use minicbor::Encoder;
use minicbor::encode::write::{Cursor, EndOfSlice};

use crate::{
    ACK_BYTES_MAX, Ack, BIRTH_BYTES_MAX, Birth, Body, COMMAND_BYTES_MAX, Channel, Command,
    DEATH_BYTES_MAX, Data, Death, Error, FRAME_BYTES_MAX, Frame, Head, Pushed, READINGS_MAX,
    Request, VERSION, key,
};

pub(crate) type Result<T, E = Error> = core::result::Result<T, E>;
type Out<'b> = Encoder<Cursor<&'b mut [u8]>>;
type Written<T = ()> = Result<T, minicbor::encode::Error<EndOfSlice>>;

/// Writes a birth and returns its length in bytes.
///
/// # Errors
/// `Error::ChannelTwice` where two channels are the same; `Error::Buffer` where `buffer` is too small:
/// [`BIRTH_BYTES_MAX`] is enough for any.
pub fn encode_birth(birth: &Birth, buffer: &mut [u8]) -> Result<usize> {
    channels_are_unique(&birth.channels)?;
    write(buffer, BIRTH_BYTES_MAX, |out| {
        out.map(11 + u64::from(birth.next_due_ms.is_some()))?;
        out.u8(key::VERSION)?.u8(VERSION)?;
        out.u8(key::FLASH)?.u32(birth.flash.0)?;
        out.u8(key::BOOT)?.u32(birth.boot.0)?;
        out.u8(key::UPTIME)?.u64(birth.uptime.0)?;
        out.u8(key::SESSION)?.u32(birth.session)?;
        out.u8(key::SEQUENCE)?.u64(birth.next_sequence.0)?;
        out.u8(key::RING_USED)?.u32(birth.ring_used)?;
        out.u8(key::RING_SIZE)?.u32(birth.ring_size)?;
        out.u8(key::INTERVAL)?.u32(birth.interval_ms)?;
        if let Some(due_ms) = birth.next_due_ms {
            out.u8(key::NEXT_DUE)?.u32(due_ms)?;
        }
        out.u8(key::FIRMWARE)?.str(&birth.firmware)?;
        out.u8(key::CHANNELS)?.array(birth.channels.len() as u64)?;
        birth.channels.iter().try_for_each(|channel| write_channel(out, channel))
    })
}

/// Writes a data message and returns its length in bytes.
///
/// # Errors
/// `Error::TooMany` where the readings do not fit into one frame, `Error::Order` where they are not in
/// order; `Error::Buffer` where `buffer` is too small: [`FRAME_BYTES_MAX`] is enough for any.
pub fn encode_data(data: &Data, buffer: &mut [u8]) -> Result<usize> {
    match &data.body {
        Body::Readings { first, boot_utc, uncertain, history, readings } => {
            let bytes = buffer.len();
            let head = Head {
                flash: data.flash,
                boot: data.boot,
                sent: data.sent,
                first: *first,
                boot_utc: *boot_utc,
                uncertain: *uncertain,
                history: *history,
            };
            let mut frame = Frame::new(buffer, &head)?;
            for sampled in readings {
                if frame.push(sampled)? == Pushed::Full {
                    return Err(match (frame.count() >= READINGS_MAX, bytes < FRAME_BYTES_MAX) {
                        (true, _) => too_many("READINGS_MAX", READINGS_MAX),
                        (false, true) => Error::Buffer { bytes },
                        (false, false) => too_many("FRAME_BYTES_MAX", FRAME_BYTES_MAX),
                    });
                }
            }
            Ok(frame.finish())
        }
        Body::Gap { range, reason } => {
            check_range(*range)?;
            write(buffer, FRAME_BYTES_MAX, |out| {
                data_head(out, 2, data.flash, data.boot, data.sent)?;
                out.u8(key::RANGES)?.array(1)?;
                write_range(out, *range)?;
                out.u8(key::REASON)?.u8(reason.code())?;
                Ok(())
            })
        }
        Body::Answer { id, outcome } => write(buffer, FRAME_BYTES_MAX, |out| {
            data_head(out, 2, data.flash, data.boot, data.sent)?;
            out.u8(key::ID)?.u32(*id)?.u8(key::OUTCOME)?.u8(outcome.code())?;
            Ok(())
        }),
    }
}

/// Writes a death and returns its length in bytes.
///
/// # Errors
/// `Error::Buffer` where `buffer` is too small: [`DEATH_BYTES_MAX`] is enough for any.
pub fn encode_death(death: &Death, buffer: &mut [u8]) -> Result<usize> {
    write(buffer, DEATH_BYTES_MAX, |out| {
        out.map(3)?.u8(key::VERSION)?.u8(VERSION)?;
        out.u8(key::BOOT)?.u32(death.boot.0)?.u8(key::SESSION)?.u32(death.session)?;
        Ok(())
    })
}

/// Writes an acknowledgement and returns its length in bytes.
///
/// # Errors
/// `Error::Range` where a range ends before it begins; `Error::Buffer` where `buffer` is too small:
/// [`ACK_BYTES_MAX`] is enough for any.
pub fn encode_ack(ack: &Ack, buffer: &mut [u8]) -> Result<usize> {
    ack.ranges.iter().try_for_each(|range| check_range(*range))?;
    write(buffer, ACK_BYTES_MAX, |out| {
        out.map(5)?.u8(key::VERSION)?.u8(VERSION)?;
        out.u8(key::FLASH)?.u32(ack.flash.0)?;
        out.u8(key::UPTIME)?.u64(ack.echo.0)?;
        out.u8(key::UTC)?.i64(ack.utc.micros())?;
        out.u8(key::RANGES)?.array(ack.ranges.len() as u64)?;
        ack.ranges.iter().try_for_each(|range| write_range(out, *range))
    })
}

/// Writes a command and returns its length in bytes.
///
/// # Errors
/// `Error::Buffer` where `buffer` is too small: [`COMMAND_BYTES_MAX`] is enough for any.
pub fn encode_command(request: &Request, buffer: &mut [u8]) -> Result<usize> {
    write(buffer, COMMAND_BYTES_MAX, |out| {
        let (code, argument) = match request.command {
            Command::Rebirth => (key::command::REBIRTH, None),
            Command::Identify => (key::command::IDENTIFY, None),
            Command::Interval(ms) => (key::command::INTERVAL, Some(ms)),
            Command::Reboot => (key::command::REBOOT, None),
        };
        out.map(3 + u64::from(argument.is_some()))?.u8(key::VERSION)?.u8(VERSION)?;
        out.u8(key::ID)?.u32(request.id)?.u8(key::COMMAND)?.u8(code)?;
        if let Some(argument) = argument {
            out.u8(key::ARGUMENT)?.u32(argument)?;
        }
        Ok(())
    })
}

/// Writes the map header for `fields` keys beyond the four that every data message has, and those.
pub(crate) fn data_head(
    out: &mut Out<'_>,
    fields: u64,
    flash: FlashId,
    boot: BootId,
    sent: Uptime,
) -> Written {
    out.map(4 + fields)?.u8(key::VERSION)?.u8(VERSION)?;
    out.u8(key::FLASH)?.u32(flash.0)?;
    out.u8(key::BOOT)?.u32(boot.0)?;
    out.u8(key::UPTIME)?.u64(sent.0)?;
    Ok(())
}

pub(crate) fn buffer_error(_end: minicbor::encode::Error<EndOfSlice>, bytes: usize) -> Error {
    Error::Buffer { bytes }
}

pub(crate) const fn too_many(limit_name: &'static str, limit: usize) -> Error {
    Error::TooMany { limit_name, limit }
}

pub(crate) fn channels_are_unique(channels: &[Channel]) -> Result<()> {
    for (index, channel) in channels.iter().enumerate() {
        let same = |other: &Channel| {
            other.quantity == channel.quantity && other.position == channel.position
        };
        if channels.iter().take(index).any(same) {
            return Err(Error::ChannelTwice { index });
        }
    }
    Ok(())
}

fn write(
    buffer: &mut [u8],
    limit: usize,
    message: impl FnOnce(&mut Out<'_>) -> Written,
) -> Result<usize> {
    let bytes = buffer.len().min(limit);
    let mut out = Encoder::new(Cursor::new(buffer.split_at_mut(bytes).0));
    message(&mut out).map_err(|error| buffer_error(error, bytes))?;
    Ok(out.writer().position())
}

fn write_channel(out: &mut Out<'_>, channel: &Channel) -> Written {
    use key::channel::{CALIBRATION, POSITION, QUANTITY, SENSOR};
    out.map(3 + u64::from(channel.calibration != 0))?;
    out.u8(QUANTITY)?.u8(channel.quantity.code())?;
    out.u8(POSITION)?.str(channel.position.as_str())?;
    out.u8(SENSOR)?.str(channel.sensor.as_str())?;
    if channel.calibration != 0 {
        out.u8(CALIBRATION)?.u32(channel.calibration)?;
    }
    Ok(())
}

fn write_range(out: &mut Out<'_>, range: SequenceRange) -> Written {
    out.array(2)?.u64(range.first.0)?.u64(range.last.0)?;
    Ok(())
}

fn check_range(range: SequenceRange) -> Result<()> {
    let SequenceRange { first, last } = range;
    if last < first {
        return Err(Error::Range { first: first.0, last: last.0 });
    }
    Ok(())
}
