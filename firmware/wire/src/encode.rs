//! Messages to bytes.

use measure::{BootId, FlashId, SequenceRange, Uptime};
use minicbor::Encoder;
use minicbor::encode::write::{Cursor, EndOfSlice};

use crate::{
    ACK_BYTES_MAX, Ack, BIRTH_BYTES_MAX, Birth, Body, CHUNK_BYTES_MAX, COMMAND_BYTES_MAX, Channel,
    ChannelSettings, Chunk, Command, DEATH_BYTES_MAX, Data, Death, Error, FRAME_BYTES_MAX, Frame,
    Head, Limit, LocalEvent, OTA_BYTES_MAX, Pushed, READINGS_MAX, Request, SETTINGS_BYTES_MAX,
    Settings, VERSION, key,
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
        let optional = [
            birth.next_due_ms.is_some(),
            birth.settings != 0,
            birth.rolled_back.is_some(),
            birth.heartbeat_ms.is_some(),
            birth.target.is_some(),
            birth.release != 0,
        ];
        out.map(11 + optional.into_iter().map(u64::from).sum::<u64>())?;
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
        birth.channels.iter().try_for_each(|channel| write_channel(out, channel))?;
        if birth.settings != 0 {
            out.u8(key::SETTINGS_REVISION)?.u32(birth.settings)?;
        }
        if let Some(heartbeat_ms) = birth.heartbeat_ms {
            out.u8(key::HEARTBEAT)?.u32(heartbeat_ms)?;
        }
        if let Some(revision) = birth.rolled_back {
            out.u8(key::ROLLED_BACK)?.u32(revision)?;
        }
        if let Some(target) = &birth.target {
            out.u8(key::TARGET)?.str(target.as_str())?;
        }
        if birth.release != 0 {
            out.u8(key::RELEASE)?.u32(birth.release)?;
        }
        Ok(())
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
        Body::Answer { id, outcome, detail } => write(buffer, FRAME_BYTES_MAX, |out| {
            data_head(out, 2 + said(detail), data.flash, data.boot, data.sent)?;
            out.u8(key::ID)?.u32(*id)?.u8(key::OUTCOME)?.u8(outcome.code())?;
            write_detail(out, detail)
        }),
        Body::Event { sequence, boot_utc, uncertain, event } => {
            write(buffer, FRAME_BYTES_MAX, |out| {
                let fields = 2 + u64::from(boot_utc.is_some()) + u64::from(*uncertain);
                data_head(out, fields, data.flash, data.boot, data.sent)?;
                out.u8(key::SEQUENCE)?.u64(sequence.0)?;
                if let Some(utc) = boot_utc {
                    out.u8(key::UTC)?.i64(utc.micros())?;
                }
                if *uncertain {
                    out.u8(key::UNCERTAIN)?.bool(true)?;
                }
                out.u8(key::EVENT)?;
                write_event(out, event)
            })
        }
        Body::Update { release, state, offset, length, detail } => {
            write(buffer, FRAME_BYTES_MAX, |out| {
                data_head(out, 4 + said(detail), data.flash, data.boot, data.sent)?;
                out.u8(key::RELEASE)?.u32(*release)?.u8(key::UPDATE_STATE)?.u8(state.code())?;
                out.u8(key::OFFSET)?.u32(*offset)?.u8(key::LENGTH)?.u16(*length)?;
                write_detail(out, detail)
            })
        }
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
/// `Error::TooMany` where settings are longer than [`SETTINGS_BYTES_MAX`]; `Error::Buffer` where
/// `buffer` is too small: [`COMMAND_BYTES_MAX`] is enough for any.
pub fn encode_command(request: &Request, buffer: &mut [u8]) -> Result<usize> {
    if let Command::Configure(settings) = &request.command {
        encode_settings(settings, &mut [0; SETTINGS_BYTES_MAX])?;
    }
    write(buffer, COMMAND_BYTES_MAX, |out| {
        use key::command;
        let (code, fields) = match request.command {
            Command::Rebirth => (command::REBIRTH, 0),
            Command::Identify => (command::IDENTIFY, 0),
            Command::Interval(_) => (command::INTERVAL, 1),
            Command::Reboot => (command::REBOOT, 0),
            Command::Configure(_) => (command::CONFIGURE, 1),
            Command::Update { .. } => (command::UPDATE, 2),
        };
        out.map(3 + fields)?.u8(key::VERSION)?.u8(VERSION)?;
        out.u8(key::ID)?.u32(request.id)?.u8(key::COMMAND)?.u8(code)?;
        match &request.command {
            Command::Interval(ms) => {
                out.u8(key::ARGUMENT)?.u32(*ms)?;
            }
            Command::Configure(settings) => {
                out.u8(key::SETTINGS)?;
                write_settings(out, settings)?;
            }
            Command::Update { manifest, signature } => {
                out.u8(key::MANIFEST)?.bytes(manifest)?.u8(key::SIGNATURE)?.bytes(signature)?;
            }
            Command::Rebirth | Command::Identify | Command::Reboot => {}
        }
        Ok(())
    })
}

/// Writes settings alone, as they stand in a command, and returns their length in bytes.
///
/// # Errors
/// `Error::TooMany` where they are longer than [`SETTINGS_BYTES_MAX`]; `Error::Buffer` where `buffer` is
/// too small.
pub fn encode_settings(settings: &Settings, buffer: &mut [u8]) -> Result<usize> {
    write(buffer, SETTINGS_BYTES_MAX, |out| write_settings(out, settings)).map_err(|error| {
        match error {
            Error::Buffer { bytes } if bytes >= SETTINGS_BYTES_MAX => {
                too_many("SETTINGS_BYTES_MAX", SETTINGS_BYTES_MAX)
            }
            error => error,
        }
    })
}

/// Writes a part of an image and returns its length in bytes.
///
/// # Errors
/// `Error::TooMany` where it has more bytes than [`CHUNK_BYTES_MAX`]; `Error::Buffer` where `buffer` is
/// too small: [`OTA_BYTES_MAX`] is enough for any.
pub fn encode_chunk(chunk: &Chunk<'_>, buffer: &mut [u8]) -> Result<usize> {
    if chunk.bytes.len() > CHUNK_BYTES_MAX {
        return Err(too_many("CHUNK_BYTES_MAX", CHUNK_BYTES_MAX));
    }
    write(buffer, OTA_BYTES_MAX, |out| {
        out.map(4)?.u8(key::VERSION)?.u8(VERSION)?;
        out.u8(key::RELEASE)?.u32(chunk.release)?.u8(key::OFFSET)?.u32(chunk.offset)?;
        out.u8(key::BYTES)?.bytes(chunk.bytes)?;
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
    use key::channel::{CALIBRATION, ENABLED, POSITION, QUANTITY, SENSOR};
    out.map(3 + u64::from(channel.calibration != 0) + u64::from(!channel.enabled))?;
    out.u8(QUANTITY)?.u8(channel.quantity.code())?;
    out.u8(POSITION)?.str(channel.position.as_str())?;
    out.u8(SENSOR)?.str(channel.sensor.as_str())?;
    if channel.calibration != 0 {
        out.u8(CALIBRATION)?.u32(channel.calibration)?;
    }
    if !channel.enabled {
        out.u8(ENABLED)?.bool(false)?;
    }
    Ok(())
}

fn said(detail: &str) -> u64 {
    u64::from(!detail.is_empty())
}

fn write_detail(out: &mut Out<'_>, detail: &str) -> Written {
    if !detail.is_empty() {
        out.u8(key::DETAIL)?.str(detail)?;
    }
    Ok(())
}

fn write_event(out: &mut Out<'_>, event: &LocalEvent) -> Written {
    use key::event::{CHANNEL, EPISODE, OUTPUTS, RULE, STATE, UPTIME, VALUE};
    out.map(7)?.u8(CHANNEL)?.u8(event.channel)?.u8(RULE)?.u32(event.rule)?;
    out.u8(EPISODE)?.u64(event.episode.0)?.u8(STATE)?.u8(event.state.code())?;
    out.u8(UPTIME)?.u64(event.uptime.0)?.u8(VALUE)?.i32(event.value.0)?;
    out.u8(OUTPUTS)?.u8(event.outputs)?;
    Ok(())
}

fn write_settings(out: &mut Out<'_>, settings: &Settings) -> Written {
    use key::settings::{CHANNELS, CONNECT, GATEWAYS, HEARTBEAT, INTERVAL, LIMITS, REVISION};
    let optional = [
        settings.heartbeat_ms.is_some(),
        settings.connect_ms.is_some(),
        !settings.gateways.is_empty(),
        !settings.channels.is_empty(),
        !settings.limits.is_empty(),
    ];
    out.map(2 + optional.into_iter().map(u64::from).sum::<u64>())?;
    out.u8(REVISION)?.u32(settings.revision)?.u8(INTERVAL)?.u32(settings.interval_ms)?;
    if let Some(ms) = settings.heartbeat_ms {
        out.u8(HEARTBEAT)?.u32(ms)?;
    }
    if let Some(ms) = settings.connect_ms {
        out.u8(CONNECT)?.u32(ms)?;
    }
    if !settings.gateways.is_empty() {
        out.u8(GATEWAYS)?.array(settings.gateways.len() as u64)?;
        settings.gateways.iter().try_for_each(|address| out.str(address).map(|_| ()))?;
    }
    if !settings.channels.is_empty() {
        out.u8(CHANNELS)?.array(settings.channels.len() as u64)?;
        settings.channels.iter().try_for_each(|channel| write_channel_settings(out, channel))?;
    }
    if !settings.limits.is_empty() {
        out.u8(LIMITS)?.array(settings.limits.len() as u64)?;
        settings.limits.iter().try_for_each(|limit| write_limit(out, limit))?;
    }
    Ok(())
}

fn write_channel_settings(out: &mut Out<'_>, settings: &ChannelSettings) -> Written {
    use key::channel_settings::{CALIBRATION, CHANNEL, DEADBAND, ENABLED, POSITION};
    let optional = [
        !settings.enabled,
        settings.position.is_some(),
        settings.deadband != 0,
        settings.calibration.is_some(),
    ];
    out.map(1 + optional.into_iter().map(u64::from).sum::<u64>())?;
    out.u8(CHANNEL)?.u8(settings.channel)?;
    if !settings.enabled {
        out.u8(ENABLED)?.bool(false)?;
    }
    if let Some(position) = &settings.position {
        out.u8(POSITION)?.str(position.as_str())?;
    }
    if settings.deadband != 0 {
        out.u8(DEADBAND)?.u32(settings.deadband)?;
    }
    if let Some(calibration) = &settings.calibration {
        out.u8(CALIBRATION)?.array(5)?.u32(calibration.number)?;
        out.i32(calibration.raw_low.0)?.i32(calibration.reference_low.0)?;
        out.i32(calibration.raw_high.0)?.i32(calibration.reference_high.0)?;
    }
    Ok(())
}

fn write_limit(out: &mut Out<'_>, limit: &Limit) -> Written {
    out.array(8)?.u32(limit.rule)?.u8(limit.channel)?.u8(limit.side.code())?;
    out.i32(limit.threshold.0)?.u32(limit.deadband)?;
    out.u16(limit.on_delay_s)?.u16(limit.off_delay_s)?.u8(limit.outputs)?;
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
