//! Whether settings are possible for this node. The detail names the field, with its place in the list.

use measure::{Quantity, Scaled};
use wire::{Calibration, Channel, ChannelSettings, Detail, Limit, Settings, detail};

use crate::node::check_interval;

/// The longest heartbeat and the longest time between two connections, in milliseconds: a day.
pub const SILENCE_MS_MAX: u32 = 86_400_000;

/// Says what is wrong with `settings`.
pub(crate) fn check(settings: &Settings, channels: &[Channel]) -> Result<(), Detail> {
    let interval_ms = settings.interval_ms;
    let is_silence = |ms: &u32| (interval_ms..=SILENCE_MS_MAX).contains(ms);
    let wrong = |name: &str| Err(detail(format_args!("{name}")));
    if settings.revision == 0 {
        return wrong("revision");
    }
    if check_interval(interval_ms).is_none() {
        return wrong("interval_ms");
    }
    if !settings.heartbeat_ms.as_ref().is_none_or(is_silence) {
        return wrong("heartbeat_ms");
    }
    if !settings.connect_ms.as_ref().is_none_or(is_silence) {
        return wrong("connect_ms");
    }
    for (at, gateway) in settings.gateways.iter().enumerate() {
        if !is_address(gateway) {
            return Err(detail(format_args!("gateways[{at}]")));
        }
    }
    for (at, one) in settings.channels.iter().enumerate() {
        let Some(channel) = channels.get(usize::from(one.channel)) else {
            return Err(detail(format_args!("channels[{at}]: no such channel")));
        };
        if settings.channels.iter().take(at).any(|other| other.channel == one.channel) {
            return Err(detail(format_args!("channels[{at}]: stands twice")));
        }
        check_channel(one, channel.quantity)
            .map_err(|field| detail(format_args!("channels[{at}].{field}")))?;
    }
    check_positions(settings, channels)?;
    for (at, limit) in settings.limits.iter().enumerate() {
        let is_twice = settings.limits.iter().take(at).any(|other| other.rule == limit.rule);
        let quantity = channels.get(usize::from(limit.channel)).map(|channel| channel.quantity);
        check_limit(limit, is_twice, quantity)
            .map_err(|field| detail(format_args!("limits[{at}].{field}")))?;
    }
    Ok(())
}

/// Returns whether this is `host:port`.
pub(crate) fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    !host.is_empty()
        && host.bytes().all(is_part)
        && is_port
        && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn check_channel(one: &ChannelSettings, quantity: Quantity) -> Result<(), &'static str> {
    if one.deadband > width(quantity) {
        return Err("deadband");
    }
    let Some(line) = &one.calibration else { return Ok(()) };
    let Calibration { number, raw_low, raw_high, reference_low, reference_high } = line;
    let is_value = |value: &Scaled| value.is_in_range(quantity);
    let fields = [
        ("calibration.number", *number != 0),
        ("calibration.raw", raw_low < raw_high),
        ("calibration.reference_low", is_value(reference_low)),
        ("calibration.reference_high", is_value(reference_high)),
        // A line without a slope would call every value the same.
        ("calibration.reference", reference_low != reference_high),
    ];
    fields.into_iter().find(|field| !field.1).map_or(Ok(()), |field| Err(field.0))
}

/// A position and a quantity name a series for good: two channels cannot have the same.
fn check_positions(settings: &Settings, channels: &[Channel]) -> Result<(), Detail> {
    let position = |index: usize, built: &Channel| {
        let own = settings.channels.iter().find(|one| usize::from(one.channel) == index);
        own.and_then(|one| one.position.clone()).unwrap_or_else(|| built.position.clone())
    };
    for (at, one) in settings.channels.iter().enumerate() {
        let (Some(wanted), Some(own)) = (&one.position, channels.get(usize::from(one.channel)))
        else {
            continue;
        };
        let mut others = channels.iter().enumerate();
        let is_taken = others.any(|(index, other)| {
            index != usize::from(one.channel)
                && other.quantity == own.quantity
                && position(index, other) == *wanted
        });
        if is_taken {
            return Err(detail(format_args!("channels[{at}].position")));
        }
    }
    Ok(())
}

fn check_limit(
    limit: &Limit,
    is_twice: bool,
    quantity: Option<Quantity>,
) -> Result<(), &'static str> {
    if is_twice {
        return Err("rule");
    }
    let Some(quantity) = quantity else { return Err("channel: no such channel") };
    if !limit.threshold.is_in_range(quantity) {
        return Err("threshold");
    }
    if limit.deadband > width(quantity) {
        return Err("deadband");
    }
    Ok(())
}

fn width(quantity: Quantity) -> u32 {
    let (low, high) = quantity.range();
    high.abs_diff(low)
}
