//! Bytes to messages. No bytes make it panic.

use heapless::{String, Vec};
use measure::{
    BootId, Fault, FlashId, Quality, Quantity, Scaled, Sequence, SequenceRange, Slug, Timestamp,
    Uptime,
};
use minicbor::Decoder;
use minicbor::data::Type;

use crate::encode::{Result, channels_are_unique, too_many};
use crate::{
    ACK_BYTES_MAX, ACK_RANGES_MAX, Ack, BIRTH_BYTES_MAX, Birth, Body, CHANNELS_MAX,
    CHUNK_BYTES_MAX, COMMAND_BYTES_MAX, Calibration, Channel, ChannelSettings, Chunk, Command,
    DEATH_BYTES_MAX, DETAIL_BYTES_MAX, Data, Death, Detail, Error, EventState, FIELDS_MAX,
    FIRMWARE_BYTES_MAX, FRAME_BYTES_MAX, GATEWAY_BYTES_MAX, GapReason, GatewayAddress, Limit,
    LocalEvent, OTA_BYTES_MAX, Outcome, READINGS_MAX, Request, SETTINGS_BYTES_MAX, SIGNATURE_BYTES,
    Sampled, Settings, Side, UpdateState, VERSION, key,
};

/// Reads a birth.
///
/// # Errors
/// Where the bytes are no birth of this version of the contract.
pub fn decode_birth(bytes: &[u8]) -> Result<Birth> {
    let (mut flash, mut boot, mut uptime, mut session) = (None, None, None, None);
    let (mut next, mut used, mut size) = (None, None, None);
    let (mut interval, mut due, mut firmware, mut channels) = (None, None, None, None);
    let (mut settings, mut rolled_back, mut heartbeat) = (0, None, None);
    let (mut target, mut release) = (None, 0);
    message(bytes, "BIRTH_BYTES_MAX", BIRTH_BYTES_MAX, |key, input| {
        match key {
            key::FLASH => flash = Some(u32_of(input, "flash")?),
            key::BOOT => boot = Some(u32_of(input, "boot")?),
            key::UPTIME => uptime = Some(u64_of(input)?),
            key::SESSION => session = Some(u32_of(input, "session")?),
            key::SEQUENCE => next = Some(u64_of(input)?),
            key::RING_USED => used = Some(u32_of(input, "ring used")?),
            key::RING_SIZE => size = Some(u32_of(input, "ring size")?),
            key::INTERVAL => interval = Some(u32_of(input, "interval")?),
            key::NEXT_DUE => due = Some(u32_of(input, "next due")?),
            key::FIRMWARE => firmware = Some(firmware_of(input)?),
            key::CHANNELS => channels = Some(channels_of(input)?),
            key::SETTINGS_REVISION => settings = u32_of(input, "settings")?,
            key::ROLLED_BACK => rolled_back = Some(u32_of(input, "rolled back")?),
            key::HEARTBEAT => heartbeat = Some(u32_of(input, "heartbeat")?),
            key::TARGET => target = Some(Slug::new(str_of(input)?)?),
            key::RELEASE => release = u32_of(input, "release")?,
            _ => return skip(input),
        }
        Ok(())
    })?;
    Ok(Birth {
        flash: FlashId(there(flash, "flash")?),
        boot: BootId(there(boot, "boot")?),
        session: there(session, "session")?,
        uptime: Uptime(there(uptime, "uptime")?),
        next_sequence: Sequence(there(next, "next sequence")?),
        ring_used: there(used, "ring used")?,
        ring_size: there(size, "ring size")?,
        interval_ms: there(interval, "interval")?,
        next_due_ms: due,
        firmware: there(firmware, "firmware")?,
        channels: there(channels, "channels")?,
        settings,
        rolled_back,
        heartbeat_ms: heartbeat,
        target,
        release,
    })
}

/// Reads a data message.
///
/// # Errors
/// Where the bytes are no data message of this version of the contract.
pub fn decode_data(bytes: &[u8]) -> Result<Data> {
    let (mut flash, mut boot, mut sent) = (None, None, None);
    let (mut first, mut boot_utc, mut uncertain, mut history) = (None, None, false, false);
    let (mut readings, mut ranges, mut reason) = (None, None, None);
    let (mut id, mut outcome, mut detail) = (None, None, Detail::new());
    let (mut event, mut release, mut state) = (None, None, None);
    let (mut offset, mut length) = (None, None);
    message(bytes, "FRAME_BYTES_MAX", FRAME_BYTES_MAX, |key, input| {
        match key {
            key::FLASH => flash = Some(u32_of(input, "flash")?),
            key::BOOT => boot = Some(u32_of(input, "boot")?),
            key::UPTIME => sent = Some(u64_of(input)?),
            key::SEQUENCE => first = Some(u64_of(input)?),
            key::UTC => boot_utc = Some(utc_of(input)?),
            key::UNCERTAIN => uncertain = bool_of(input)?,
            key::HISTORY => history = bool_of(input)?,
            key::READINGS => readings = Some(readings_of(input)?),
            key::RANGES => ranges = Some(ranges_of::<1>(input, "one range in a gap")?),
            key::REASON => {
                reason = Some(coded(input, GapReason::from_code, Error::UnknownReason)?);
            }
            key::ID => id = Some(u32_of(input, "id")?),
            key::OUTCOME => {
                outcome = Some(coded(input, Outcome::from_code, Error::UnknownOutcome)?);
            }
            key::DETAIL => detail = detail_of(input)?,
            key::EVENT => event = Some(event_of(input)?),
            key::RELEASE => release = Some(u32_of(input, "release")?),
            key::UPDATE_STATE => {
                state = Some(coded(input, UpdateState::from_code, Error::UnknownUpdate)?);
            }
            key::OFFSET => offset = Some(u32_of(input, "offset")?),
            key::LENGTH => length = Some(length_of(input)?),
            _ => return skip(input),
        }
        Ok(())
    })?;
    let body = match (readings, ranges, outcome, event, state) {
        (Some(readings), None, None, None, None) => {
            let first = Sequence(there(first, "first sequence")?);
            first
                .0
                .checked_add(readings.len() as u64)
                .ok_or(Error::OutOfRange("first sequence"))?;
            Body::Readings { first, boot_utc, uncertain, history, readings }
        }
        (None, Some(ranges), None, None, None) => Body::Gap {
            range: there(ranges.first().copied(), "range")?,
            reason: there(reason, "reason")?,
        },
        (None, None, Some(outcome), None, None) => {
            Body::Answer { id: there(id, "id")?, outcome, detail }
        }
        (None, None, None, Some(event), None) => Body::Event {
            sequence: Sequence(there(first, "sequence")?),
            boot_utc,
            uncertain,
            event,
        },
        (None, None, None, None, Some(state)) => Body::Update {
            release: there(release, "release")?,
            state,
            offset: there(offset, "offset")?,
            length: there(length, "length")?,
            detail,
        },
        _ => return Err(Error::Body),
    };
    Ok(Data {
        flash: FlashId(there(flash, "flash")?),
        boot: BootId(there(boot, "boot")?),
        sent: Uptime(there(sent, "sent")?),
        body,
    })
}

/// Reads a death.
///
/// # Errors
/// Where the bytes are no death of this version of the contract.
pub fn decode_death(bytes: &[u8]) -> Result<Death> {
    let (mut boot, mut session) = (None, None);
    message(bytes, "DEATH_BYTES_MAX", DEATH_BYTES_MAX, |key, input| {
        match key {
            key::BOOT => boot = Some(u32_of(input, "boot")?),
            key::SESSION => session = Some(u32_of(input, "session")?),
            _ => return skip(input),
        }
        Ok(())
    })?;
    Ok(Death { boot: BootId(there(boot, "boot")?), session: there(session, "session")? })
}

/// Reads an acknowledgement.
///
/// # Errors
/// Where the bytes are no acknowledgement of this version of the contract.
pub fn decode_ack(bytes: &[u8]) -> Result<Ack> {
    let (mut flash, mut ranges, mut utc, mut echo) = (None, None, None, None);
    message(bytes, "ACK_BYTES_MAX", ACK_BYTES_MAX, |key, input| {
        match key {
            key::FLASH => flash = Some(u32_of(input, "flash")?),
            key::RANGES => ranges = Some(ranges_of(input, "ACK_RANGES_MAX")?),
            key::UTC => utc = Some(utc_of(input)?),
            key::UPTIME => echo = Some(u64_of(input)?),
            _ => return skip(input),
        }
        Ok(())
    })?;
    Ok(Ack {
        flash: FlashId(there(flash, "flash")?),
        ranges: there(ranges, "ranges")?,
        utc: there(utc, "utc")?,
        echo: Uptime(there(echo, "echo")?),
    })
}

/// Reads a command.
///
/// # Errors
/// Where the bytes are no command of this version of the contract. `Error::UnknownCommand` and
/// `Error::BadCommand` name the id under which the sender waits for an answer.
pub fn decode_command(bytes: &[u8]) -> Result<Request> {
    let (mut id, mut code, mut argument) = (None, None, None);
    let (mut settings, mut manifest, mut signature) = (None, None, None);
    message(bytes, "COMMAND_BYTES_MAX", COMMAND_BYTES_MAX, |key, input| {
        match key {
            key::ID => id = Some(u32_of(input, "id")?),
            key::COMMAND => code = Some(u64_of(input)?),
            // Its type depends on the command; only a number is known so far.
            key::ARGUMENT if is_unsigned(input) => argument = Some(u64_of(input)?),
            key::SETTINGS => {
                let at = input.position();
                skip(input)?;
                settings = bytes.get(at..input.position());
            }
            key::MANIFEST => manifest = Some(bytes_of(input)?),
            key::SIGNATURE => signature = Some(bytes_of(input)?),
            _ => return skip(input),
        }
        Ok(())
    })?;
    let id = there(id, "id")?;
    let code = there(code, "command")?;
    let bad = |what| Error::BadCommand { id, what };
    let command = match u8::try_from(code) {
        Ok(key::command::REBIRTH) => Command::Rebirth,
        Ok(key::command::IDENTIFY) => Command::Identify,
        Ok(key::command::INTERVAL) => Command::Interval(
            argument.and_then(|ms| u32::try_from(ms).ok()).ok_or(bad("argument"))?,
        ),
        Ok(key::command::REBOOT) => Command::Reboot,
        Ok(key::command::CONFIGURE) => {
            let settings = settings.ok_or(bad("settings"))?;
            Command::Configure(decode_settings(settings).map_err(|error| bad(name_of(error)))?)
        }
        Ok(key::command::UPDATE) => {
            let manifest = manifest.and_then(|bytes| Vec::from_slice(bytes).ok());
            let signature =
                signature.and_then(|bytes| <[u8; SIGNATURE_BYTES]>::try_from(bytes).ok());
            Command::Update {
                manifest: manifest.ok_or(bad("manifest"))?,
                signature: signature.ok_or(bad("signature"))?,
            }
        }
        _ => return Err(Error::UnknownCommand { id, code }),
    };
    Ok(Request { id, command })
}

/// Reads settings alone, as they stand in a command and in a node's flash.
///
/// # Errors
/// Where the bytes are no settings of this version of the contract. Whether a node can work by them is
/// the node's to say.
pub fn decode_settings(bytes: &[u8]) -> Result<Settings> {
    use key::settings::{CHANNELS, CONNECT, GATEWAYS, HEARTBEAT, INTERVAL, LIMITS, REVISION};
    if bytes.len() > SETTINGS_BYTES_MAX {
        return Err(too_many("SETTINGS_BYTES_MAX", SETTINGS_BYTES_MAX));
    }
    let mut input = Decoder::new(bytes);
    let (mut revision, mut interval, mut heartbeat, mut connect) = (None, None, None, None);
    let (mut gateways, mut channels, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    map(&mut input, |key, input| {
        match key {
            REVISION => revision = Some(u32_of(input, "revision")?),
            INTERVAL => interval = Some(u32_of(input, "interval")?),
            HEARTBEAT => heartbeat = Some(u32_of(input, "heartbeat")?),
            CONNECT => connect = Some(u32_of(input, "connect")?),
            GATEWAYS => gateways = list(input, "GATEWAYS_MAX", gateway_of)?,
            CHANNELS => channels = list(input, "CHANNELS_MAX", channel_settings_of)?,
            LIMITS => limits = list(input, "LIMITS_MAX", limit_of)?,
            _ => return skip(input),
        }
        Ok(())
    })?;
    if input.position() != bytes.len() {
        return Err(Error::Trailing { at: input.position() });
    }
    Ok(Settings {
        revision: there(revision, "revision")?,
        interval_ms: there(interval, "interval")?,
        heartbeat_ms: heartbeat,
        connect_ms: connect,
        gateways,
        channels,
        limits,
    })
}

/// Reads a part of an image.
///
/// # Errors
/// Where the bytes are no such part of this version of the contract.
pub fn decode_chunk(bytes: &[u8]) -> Result<Chunk<'_>> {
    let (mut release, mut offset, mut part) = (None, None, None);
    message(bytes, "OTA_BYTES_MAX", OTA_BYTES_MAX, |key, input| {
        match key {
            key::RELEASE => release = Some(u32_of(input, "release")?),
            key::OFFSET => offset = Some(u32_of(input, "offset")?),
            key::BYTES => part = Some(bytes_of(input)?),
            _ => return skip(input),
        }
        Ok(())
    })?;
    let bytes: &[u8] = there(part, "bytes")?;
    if bytes.len() > CHUNK_BYTES_MAX {
        return Err(too_many("CHUNK_BYTES_MAX", CHUNK_BYTES_MAX));
    }
    let offset = there(offset, "offset")?;
    if bytes.is_empty()
        || u32::try_from(bytes.len()).ok().and_then(|n| offset.checked_add(n)).is_none()
    {
        return Err(Error::OutOfRange("offset"));
    }
    Ok(Chunk { release: there(release, "release")?, offset, bytes })
}

/// Reads one map: the version first, then each key into `field`, then nothing more.
fn message<'b>(
    bytes: &'b [u8],
    limit_name: &'static str,
    limit: usize,
    mut field: impl FnMut(u8, &mut Decoder<'b>) -> Result<()>,
) -> Result<()> {
    if bytes.len() > limit {
        return Err(too_many(limit_name, limit));
    }
    let mut input = Decoder::new(bytes);
    let mut version = false;
    map(&mut input, |key, input| {
        if !version {
            if key != key::VERSION {
                return Err(Error::Missing("version"));
            }
            let found = u64_of(input)?;
            if found != u64::from(VERSION) {
                return Err(Error::Version(found));
            }
            version = true;
            return Ok(());
        }
        field(key, input)
    })?;
    if !version {
        return Err(Error::Missing("version"));
    }
    if input.position() != bytes.len() {
        return Err(Error::Trailing { at: input.position() });
    }
    Ok(())
}

/// Reads a map of definite length, refusing a small key that stands twice. Greater keys are skipped.
fn map<'b>(
    input: &mut Decoder<'b>,
    mut field: impl FnMut(u8, &mut Decoder<'b>) -> Result<()>,
) -> Result<()> {
    let at = input.position();
    let count = input.map().map_err(malformed(at))?.ok_or(Error::Malformed { at })?;
    if count > FIELDS_MAX as u64 {
        return Err(too_many("FIELDS_MAX", FIELDS_MAX));
    }
    let mut seen = 0_u64;
    for _ in 0..count {
        match u64_of(input)? {
            key @ 0..64 => {
                if seen & (1 << key) != 0 {
                    return Err(Error::Twice(key));
                }
                seen |= 1 << key;
                field(key as u8, input)?;
            }
            _ => skip(input)?,
        }
    }
    Ok(())
}

fn readings_of(input: &mut Decoder<'_>) -> Result<Vec<Sampled, READINGS_MAX>> {
    let count = array(input, "READINGS_MAX", READINGS_MAX)?;
    let mut readings = Vec::new();
    let mut uptime = 0_u64;
    let mut values = [0_i64; CHANNELS_MAX];
    for _ in 0..count {
        let at = input.position();
        let parts = input.array().map_err(malformed(at))?.ok_or(Error::Malformed { at })?;
        let channel = u64_of(input)?;
        let value = usize::try_from(channel)
            .ok()
            .and_then(|channel| values.get_mut(channel))
            .ok_or(too_many("CHANNELS_MAX", CHANNELS_MAX))?;
        uptime = uptime.checked_add(u64_of(input)?).ok_or(Error::OutOfRange("uptime"))?;
        let (reading, quality) = match parts {
            3 => (Ok(scaled(input, value)?), Quality::Good),
            4 => (Ok(scaled(input, value)?), quality(input)?),
            5 => {
                let at = input.position();
                input.null().map_err(malformed(at))?;
                let quality = quality(input)?;
                (Err(coded(input, Fault::from_code, Error::UnknownFault)?), quality)
            }
            _ => return Err(Error::Malformed { at }),
        };
        let sampled = Sampled { channel: channel as u8, uptime: Uptime(uptime), reading, quality };
        push(&mut readings, sampled, "READINGS_MAX")?;
    }
    Ok(readings)
}

fn scaled(input: &mut Decoder<'_>, value: &mut i64) -> Result<Scaled> {
    let at = input.position();
    let delta = input.i64().map_err(malformed(at))?;
    *value = value.checked_add(delta).ok_or(Error::OutOfRange("value"))?;
    i32::try_from(*value).map(Scaled).map_err(|_| Error::OutOfRange("value"))
}

fn quality(input: &mut Decoder<'_>) -> Result<Quality> {
    coded(input, Quality::from_code, Error::UnknownQuality)
}

fn channels_of(input: &mut Decoder<'_>) -> Result<Vec<Channel, CHANNELS_MAX>> {
    let count = array(input, "CHANNELS_MAX", CHANNELS_MAX)?;
    let mut channels = Vec::new();
    for _ in 0..count {
        push(&mut channels, channel_of(input)?, "CHANNELS_MAX")?;
    }
    channels_are_unique(&channels)?;
    Ok(channels)
}

fn channel_of(input: &mut Decoder<'_>) -> Result<Channel> {
    use key::channel::{CALIBRATION, ENABLED, POSITION, QUANTITY, SENSOR};
    let (mut quantity, mut position, mut sensor) = (None, None, None);
    let (mut calibration, mut enabled) = (0, true);
    map(input, |key, input| {
        match key {
            QUANTITY => quantity = Some(coded(input, Quantity::from_code, Error::UnknownQuantity)?),
            POSITION => position = Some(Slug::new(str_of(input)?)?),
            SENSOR => sensor = Some(Slug::new(str_of(input)?)?),
            CALIBRATION => calibration = u32_of(input, "calibration")?,
            ENABLED => enabled = bool_of(input)?,
            _ => return skip(input),
        }
        Ok(())
    })?;
    Ok(Channel {
        quantity: there(quantity, "quantity")?,
        position: there(position, "position")?,
        sensor: there(sensor, "sensor")?,
        calibration,
        enabled,
    })
}

fn event_of(input: &mut Decoder<'_>) -> Result<LocalEvent> {
    use key::event::{CHANNEL, EPISODE, OUTPUTS, RULE, STATE, UPTIME, VALUE};
    let (mut channel, mut rule, mut episode, mut state) = (None, None, None, None);
    let (mut uptime, mut value, mut outputs) = (None, None, None);
    map(input, |key, input| {
        match key {
            CHANNEL => channel = Some(channel_index_of(input)?),
            RULE => rule = Some(u32_of(input, "rule")?),
            EPISODE => episode = Some(u64_of(input)?),
            STATE => state = Some(coded(input, EventState::from_code, Error::UnknownEvent)?),
            UPTIME => uptime = Some(u64_of(input)?),
            VALUE => value = Some(scaled_of(input, "value")?),
            OUTPUTS => outputs = Some(u8_of(input, "outputs")?),
            _ => return skip(input),
        }
        Ok(())
    })?;
    Ok(LocalEvent {
        channel: there(channel, "channel")?,
        rule: there(rule, "rule")?,
        episode: Sequence(there(episode, "episode")?),
        state: there(state, "state")?,
        uptime: Uptime(there(uptime, "uptime")?),
        value: there(value, "value")?,
        outputs: there(outputs, "outputs")?,
    })
}

fn gateway_of(input: &mut Decoder<'_>) -> Result<GatewayAddress> {
    String::try_from(str_of(input)?).map_err(|_| too_many("GATEWAY_BYTES_MAX", GATEWAY_BYTES_MAX))
}

fn channel_settings_of(input: &mut Decoder<'_>) -> Result<ChannelSettings> {
    use key::channel_settings::{CALIBRATION, CHANNEL, DEADBAND, ENABLED, POSITION};
    let (mut channel, mut enabled, mut position) = (None, true, None);
    let (mut deadband, mut calibration) = (0, None);
    map(input, |key, input| {
        match key {
            CHANNEL => channel = Some(channel_index_of(input)?),
            ENABLED => enabled = bool_of(input)?,
            POSITION => position = Some(Slug::new(str_of(input)?)?),
            DEADBAND => deadband = u32_of(input, "deadband")?,
            CALIBRATION => calibration = Some(calibration_of(input)?),
            _ => return skip(input),
        }
        Ok(())
    })?;
    let channel = there(channel, "channel")?;
    Ok(ChannelSettings { channel, enabled, position, deadband, calibration })
}

fn calibration_of(input: &mut Decoder<'_>) -> Result<Calibration> {
    parts(input, 5)?;
    Ok(Calibration {
        number: u32_of(input, "calibration")?,
        raw_low: scaled_of(input, "calibration")?,
        reference_low: scaled_of(input, "calibration")?,
        raw_high: scaled_of(input, "calibration")?,
        reference_high: scaled_of(input, "calibration")?,
    })
}

fn limit_of(input: &mut Decoder<'_>) -> Result<Limit> {
    parts(input, 8)?;
    Ok(Limit {
        rule: u32_of(input, "rule")?,
        channel: channel_index_of(input)?,
        side: coded(input, Side::from_code, Error::UnknownSide)?,
        threshold: scaled_of(input, "threshold")?,
        deadband: u32_of(input, "deadband")?,
        on_delay_s: u16_of(input, "on-delay")?,
        off_delay_s: u16_of(input, "off-delay")?,
        outputs: u8_of(input, "outputs")?,
    })
}

/// Says in a word what of a command could not be read.
fn name_of(error: Error) -> &'static str {
    match error {
        Error::Missing(name) | Error::OutOfRange(name) => name,
        Error::TooMany { limit_name, .. } => limit_name,
        Error::UnknownSide(_) => "side",
        Error::Name(_) => "position",
        _ => "settings",
    }
}

fn ranges_of<const N: usize>(
    input: &mut Decoder<'_>,
    limit_name: &'static str,
) -> Result<Vec<SequenceRange, N>> {
    const { assert!(N <= ACK_RANGES_MAX) };
    let count = array(input, limit_name, N)?;
    let mut ranges = Vec::new();
    for _ in 0..count {
        let at = input.position();
        if input.array().map_err(malformed(at))? != Some(2) {
            return Err(Error::Malformed { at });
        }
        let (first, last) = (u64_of(input)?, u64_of(input)?);
        let range = SequenceRange::new(Sequence(first), Sequence(last))
            .ok_or(Error::Range { first, last })?;
        push(&mut ranges, range, limit_name)?;
    }
    Ok(ranges)
}

fn firmware_of(input: &mut Decoder<'_>) -> Result<String<FIRMWARE_BYTES_MAX>> {
    String::try_from(str_of(input)?).map_err(|_| too_many("FIRMWARE_BYTES_MAX", FIRMWARE_BYTES_MAX))
}

fn utc_of(input: &mut Decoder<'_>) -> Result<Timestamp> {
    let at = input.position();
    let micros = input.i64().map_err(malformed(at))?;
    Timestamp::from_micros(micros).ok_or(Error::OutOfRange("utc"))
}

fn coded<T>(
    input: &mut Decoder<'_>,
    from_code: impl FnOnce(u8) -> Option<T>,
    unknown: impl FnOnce(u64) -> Error,
) -> Result<T> {
    let code = u64_of(input)?;
    u8::try_from(code).ok().and_then(from_code).ok_or_else(|| unknown(code))
}

fn array(input: &mut Decoder<'_>, limit_name: &'static str, limit: usize) -> Result<u64> {
    let at = input.position();
    let count = input.array().map_err(malformed(at))?.ok_or(Error::Malformed { at })?;
    if count > limit as u64 {
        return Err(too_many(limit_name, limit));
    }
    Ok(count)
}

fn push<T, const N: usize>(list: &mut Vec<T, N>, item: T, limit_name: &'static str) -> Result<()> {
    list.push(item).map_err(|_| too_many(limit_name, N))
}

fn u64_of(input: &mut Decoder<'_>) -> Result<u64> {
    let at = input.position();
    input.u64().map_err(malformed(at))
}

fn list<T, const N: usize>(
    input: &mut Decoder<'_>,
    limit_name: &'static str,
    mut item: impl FnMut(&mut Decoder<'_>) -> Result<T>,
) -> Result<Vec<T, N>> {
    let count = array(input, limit_name, N)?;
    let mut items = Vec::new();
    for _ in 0..count {
        push(&mut items, item(input)?, limit_name)?;
    }
    Ok(items)
}

/// Reads the header of an array of exactly so many items.
fn parts(input: &mut Decoder<'_>, count: u64) -> Result<()> {
    let at = input.position();
    if input.array().map_err(malformed(at))? == Some(count) {
        Ok(())
    } else {
        Err(Error::Malformed { at })
    }
}

fn channel_index_of(input: &mut Decoder<'_>) -> Result<u8> {
    let index = u64_of(input)?;
    if index < CHANNELS_MAX as u64 {
        Ok(index as u8)
    } else {
        Err(too_many("CHANNELS_MAX", CHANNELS_MAX))
    }
}

fn scaled_of(input: &mut Decoder<'_>, name: &'static str) -> Result<Scaled> {
    let at = input.position();
    let value = input.i64().map_err(malformed(at))?;
    i32::try_from(value).map(Scaled).map_err(|_| Error::OutOfRange(name))
}

fn detail_of(input: &mut Decoder<'_>) -> Result<Detail> {
    String::try_from(str_of(input)?).map_err(|_| too_many("DETAIL_BYTES_MAX", DETAIL_BYTES_MAX))
}

fn length_of(input: &mut Decoder<'_>) -> Result<u16> {
    let length = u64_of(input)?;
    if length > CHUNK_BYTES_MAX as u64 {
        return Err(too_many("CHUNK_BYTES_MAX", CHUNK_BYTES_MAX));
    }
    Ok(length as u16)
}

fn bytes_of<'b>(input: &mut Decoder<'b>) -> Result<&'b [u8]> {
    let at = input.position();
    input.bytes().map_err(malformed(at))
}

fn u8_of(input: &mut Decoder<'_>, name: &'static str) -> Result<u8> {
    u8::try_from(u64_of(input)?).map_err(|_| Error::OutOfRange(name))
}

fn u16_of(input: &mut Decoder<'_>, name: &'static str) -> Result<u16> {
    u16::try_from(u64_of(input)?).map_err(|_| Error::OutOfRange(name))
}

fn u32_of(input: &mut Decoder<'_>, name: &'static str) -> Result<u32> {
    u32::try_from(u64_of(input)?).map_err(|_| Error::OutOfRange(name))
}

fn bool_of(input: &mut Decoder<'_>) -> Result<bool> {
    let at = input.position();
    input.bool().map_err(malformed(at))
}

fn str_of<'b>(input: &mut Decoder<'b>) -> Result<&'b str> {
    let at = input.position();
    input.str().map_err(malformed(at))
}

fn is_unsigned(input: &Decoder<'_>) -> bool {
    matches!(input.datatype(), Ok(Type::U8 | Type::U16 | Type::U32 | Type::U64))
}

fn skip(input: &mut Decoder<'_>) -> Result<()> {
    let at = input.position();
    input.skip().map_err(malformed(at))
}

fn there<T>(field: Option<T>, name: &'static str) -> Result<T> {
    field.ok_or(Error::Missing(name))
}

/// The reader's own error says in words what `at` says in a number.
fn malformed(at: usize) -> impl Fn(minicbor::decode::Error) -> Error {
    move |_| Error::Malformed { at }
}
