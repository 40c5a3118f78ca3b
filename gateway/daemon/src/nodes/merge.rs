//! What a person set and the limits that hold, made into the settings that a node is sent: pure.
//!
//! # Which limits
//! Those of the node's channels that wake somebody, as they hold at the moment: by day or by night,
//! and for [`alarms::PHASE_SETTLE_MS`] after the change the wider of the two, as the gateway judges. A
//! day by measured light is known to the alarm engine only, so there the wider one holds all day. The
//! gravest come first; beyond [`wire::LIMITS_MAX`] they are left to the gateway.
//!
//! # Numbers of limits
//! `channel << 8 | severity << 4 | side`, so that a limit keeps its number for as long as the node has
//! the channel, whatever its value.

use alarms::{Bound, ChannelRules, RuleKind, Threshold, Trip, ZoneRules};
use api::{
    SettingsFault,
    types::{Name, NodeCalibration, NodeChannelSettings, NodeSettings},
};
use measure::{Quantity, Scaled, Slug, Timestamp};
use nursery::{Day, Severity, Side};
use wire::{Birth, Calibration, ChannelSettings, Limit, Settings};

/// The shortest interval that a node samples at, in milliseconds.
const INTERVAL_MS_MIN: u32 = 100;
/// The longest interval, heartbeat and sleep, in milliseconds: a day.
const INTERVAL_MS_MAX: u32 = 86_400_000;
/// What a limit drives where nobody chose: the siren for a grave one, nothing for others.
const SIREN: u8 = 1;

/// The rules of a channel of the birth.
pub(crate) struct Judged<'r> {
    pub(crate) channel: u8,
    pub(crate) zone: &'r ZoneRules,
    pub(crate) rules: &'r ChannelRules,
}

/// The settings of a node under revision 1, and how many limits found no room.
pub(crate) struct Merged {
    pub(crate) settings: Settings,
    pub(crate) left: usize,
}

/// Makes the settings.
///
/// # Errors
/// The first field that is no good, with what to do.
pub(crate) fn merge(
    set: &NodeSettings,
    birth: &Birth,
    judged: &[Judged<'_>],
    now: Timestamp,
) -> Result<Merged, SettingsFault> {
    let span = |field: &str, ms: u32, least: u32| {
        if (least..=INTERVAL_MS_MAX).contains(&ms) {
            return Ok(ms);
        }
        Err(fault(
            field,
            format!("{ms} 毫秒不可用；请填 {least} 到 {INTERVAL_MS_MAX} 毫秒"),
            format!("{ms} ms is no good; choose {least} to {INTERVAL_MS_MAX} ms"),
        ))
    };
    let interval_ms = span("interval_ms", set.interval_ms, INTERVAL_MS_MIN)?;
    let longer = |field, ms: Option<u32>| ms.map(|ms| span(field, ms, interval_ms)).transpose();
    let (limits, left) =
        if set.local_limits { limits(set, judged, now) } else { Default::default() };
    let mut settings = Settings {
        revision: 1,
        interval_ms,
        heartbeat_ms: longer("heartbeat_ms", set.heartbeat_ms)?,
        connect_ms: longer("connect_ms", set.connect_ms)?,
        gateways: Default::default(),
        channels: Default::default(),
        limits,
    };
    for (nth, address) in set.gateways.iter().enumerate() {
        let field = format!("gateways[{nth}]");
        let address = gateway(&field, address)?;
        settings.gateways.push(address).map_err(|_| too_many("gateways", wire::GATEWAYS_MAX))?;
    }
    for (nth, channel) in set.channels.iter().enumerate() {
        let channel = channel_settings(&format!("channels[{nth}]"), channel, birth)?;
        if settings.channels.iter().any(|it| it.channel == channel.channel) {
            return Err(fault(
                &format!("channels[{nth}].channel"),
                format!("通道 {} 写了两次；请只留一次", channel.channel),
                format!("channel {} stands twice; keep one", channel.channel),
            ));
        }
        let full = |_| too_many("channels", wire::CHANNELS_MAX);
        settings.channels.push(channel).map_err(full)?;
    }
    outputs_exist(set, birth)?;
    fits(&settings)?;
    Ok(Merged { settings, left })
}

/// Returns the settings' bytes under revision 1: what tells one content from another.
pub(crate) fn content(settings: &Settings) -> Result<Vec<u8>, wire::Error> {
    let mut buffer = vec![0; 4 * wire::SETTINGS_BYTES_MAX];
    let bytes = wire::encode_settings(settings, &mut buffer)?;
    buffer.truncate(bytes);
    Ok(buffer)
}

fn fits(settings: &Settings) -> Result<(), SettingsFault> {
    let most = wire::SETTINGS_BYTES_MAX;
    let bytes = match content(settings) {
        Ok(content) if content.len() <= most => return Ok(()),
        Ok(content) => content.len().to_string(),
        Err(_) => format!("> {most}"),
    };
    Err(fault(
        "",
        format!("设置共 {bytes} 字节，节点最多接收 {most} 字节；请减少网关、校准或本地限值"),
        format!(
            "the settings take {bytes} bytes, and a node takes {most}; leave out gateways, \
             calibrations or local limits"
        ),
    ))
}

fn gateway(field: &str, address: &str) -> Result<wire::GatewayAddress, SettingsFault> {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let is_address = port.is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok_and(|port| port > 0)
            && host.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-'))
    });
    let fitting = wire::GatewayAddress::try_from(address).ok().filter(|_| is_address);
    fitting.ok_or_else(|| {
        let most = wire::GATEWAY_BYTES_MAX;
        fault(
            field,
            format!("“{address}”不是网关地址；请写如 192.168.1.10:1883，至多 {most} 字节"),
            format!(
                "`{address}` is no gateway; write such as 192.168.1.10:1883, {most} bytes at most"
            ),
        )
    })
}

fn channel_settings(
    field: &str,
    set: &NodeChannelSettings,
    birth: &Birth,
) -> Result<ChannelSettings, SettingsFault> {
    let known = birth.channels.get(usize::from(set.channel));
    let quantity =
        known.ok_or_else(|| no_channel(&format!("{field}.channel"), set.channel, birth))?;
    let quantity = quantity.quantity;
    let position = set.position.as_deref().map(|name| {
        Slug::new(name).map_err(|_| {
            fault(
                &format!("{field}.position"),
                format!("“{name}”不是位置名；请用小写字母、数字和连字符，至多 32 个"),
                format!("`{name}` is no position; use a-z, 0-9 and -, 32 at most"),
            )
        })
    });
    let deadband = set.deadband.map(|value| {
        let field = format!("{field}.deadband");
        let steps = steps(&field, value, quantity)?;
        u32::try_from(steps.0).map_err(|_| {
            fault(
                &field,
                format!("{value} 不可用；变化阈值不得小于 0"),
                format!("{value} is no good; a deadband is 0 or more"),
            )
        })
    });
    let calibration = set.calibration.as_ref();
    let calibration =
        calibration.map(|it| line(&format!("{field}.calibration"), it, quantity)).transpose()?;
    Ok(ChannelSettings {
        channel: set.channel,
        enabled: set.enabled,
        position: position.transpose()?,
        deadband: deadband.transpose()?.unwrap_or(0),
        calibration,
    })
}

fn line(
    field: &str,
    set: &NodeCalibration,
    quantity: Quantity,
) -> Result<Calibration, SettingsFault> {
    let of = |name: &str, value| steps(&format!("{field}.{name}"), value, quantity);
    let line = Calibration {
        number: set.number,
        raw_low: of("raw_low", set.raw_low)?,
        reference_low: of("reference_low", set.reference_low)?,
        raw_high: of("raw_high", set.raw_high)?,
        reference_high: of("reference_high", set.reference_high)?,
    };
    if line.number == 0 {
        let (zh, en) = ("0 是出厂校准；请从 1 开始编号", "0 is the factory's; count from 1");
        return Err(fault(&format!("{field}.number"), zh, en));
    }
    if set.measured_by.trim().is_empty() {
        let (zh, en) = ("请写明由谁测量", "say who measured it");
        return Err(fault(&format!("{field}.measured_by"), zh, en));
    }
    if set.measured_on.parse::<jiff::civil::Date>().is_err() {
        return Err(fault(
            &format!("{field}.measured_on"),
            format!("“{}”不是日期；请写如 2026-11-23", set.measured_on),
            format!("`{}` is no date; write such as 2026-11-23", set.measured_on),
        ));
    }
    if line.raw_low >= line.raw_high {
        return Err(fault(
            &format!("{field}.raw_high"),
            format!("{} 须大于低点的 {}；请交换两点或重新测量", set.raw_high, set.raw_low),
            format!(
                "{} must be above the low point's {}; swap the points or measure again",
                set.raw_high, set.raw_low
            ),
        ));
    }
    Ok(line)
}

/// Returns a value in the quantity's steps.
fn steps(field: &str, value: f64, quantity: Quantity) -> Result<Scaled, SettingsFault> {
    let steps = (value * f64::from(quantity.steps_per_unit())).round();
    if steps.is_finite() && steps >= f64::from(i32::MIN) && steps <= f64::from(i32::MAX) {
        return Ok(Scaled(steps as i32));
    }
    Err(fault(
        field,
        format!("{value} 超出 {} 的范围", quantity.name()),
        format!("{value} is beyond what {} can be", quantity.name()),
    ))
}

fn outputs_exist(set: &NodeSettings, birth: &Birth) -> Result<(), SettingsFault> {
    for (nth, it) in set.outputs.iter().enumerate() {
        let field = format!("outputs[{nth}]");
        if usize::from(it.channel) >= birth.channels.len() {
            return Err(no_channel(&format!("{field}.channel"), it.channel, birth));
        }
        if !["high", "low"].contains(&it.side.as_str()) {
            let en = format!("`{}` is no side; write high or low", it.side);
            let zh = format!("“{}”不可用；请写 high 或 low", it.side);
            return Err(fault(&format!("{field}.side"), zh, en));
        }
        if !Severity::ALL.iter().any(|known| known.name() == it.severity) {
            let en =
                format!("`{}` is no severity; write critical, high, medium or low", it.severity);
            let zh = format!("“{}”不可用；请写 critical、high、medium 或 low", it.severity);
            return Err(fault(&format!("{field}.severity"), zh, en));
        }
    }
    Ok(())
}

type Limits = heapless::Vec<Limit, { wire::LIMITS_MAX }>;

fn limits(set: &NodeSettings, judged: &[Judged<'_>], now: Timestamp) -> (Limits, usize) {
    let is_off = |channel| set.channels.iter().any(|it| it.channel == channel && !it.enabled);
    let mut found: Vec<(Severity, Limit)> = Vec::new();
    for it in judged.iter().filter(|it| !is_off(it.channel)) {
        let levels = it.rules.rules.iter().filter(|rule| rule.kind == RuleKind::Limit);
        for level in levels.flat_map(|rule| &rule.levels) {
            let Trip::Limit(threshold) = &level.trip else { continue };
            let Some(bound) = holding(threshold, it.zone, now).filter(|bound| bound.wakes) else {
                continue;
            };
            let (side, severity) = (threshold.side, level.severity);
            let chosen = set.outputs.iter().find(|of| {
                (of.channel, of.side.as_str(), of.severity.as_str())
                    == (it.channel, side.name(), severity.name())
            });
            let usual = if severity >= Severity::High { SIREN } else { 0 };
            let limit = Limit {
                rule: number(it.channel, severity, side),
                channel: it.channel,
                side: match side {
                    Side::Low => wire::Side::Low,
                    Side::High => wire::Side::High,
                },
                threshold: bound.limit,
                deadband: threshold.deadband.0.unsigned_abs(),
                on_delay_s: seconds(level.on_delay_ms),
                off_delay_s: seconds(level.off_delay_ms),
                outputs: chosen.map_or(usual, |of| of.outputs),
            };
            found.push((severity, limit));
        }
    }
    found.sort_by_key(|(severity, limit)| (std::cmp::Reverse(*severity), limit.rule));
    let left = found.len().saturating_sub(wire::LIMITS_MAX);
    (found.into_iter().map(|(_, limit)| limit).take(wire::LIMITS_MAX).collect(), left)
}

/// Returns the number of a limit on the wire.
pub(crate) fn number(channel: u8, severity: Severity, side: Side) -> u32 {
    let severity = Severity::ALL.iter().take_while(|it| **it != severity).count() as u32 + 1;
    let side = match side {
        Side::Low => 1,
        Side::High => 2,
    };
    u32::from(channel) << 8 | severity << 4 | side
}

/// Returns the limit that holds now, as the alarm engine would raise by it.
fn holding<'t>(threshold: &'t Threshold, zone: &ZoneRules, now: Timestamp) -> Option<&'t Bound> {
    let phase = alarms::phase(&zone.clock, now);
    let is_settling = now.ms_since(phase.from) < alarms::PHASE_SETTLE_MS;
    let is_unsure = matches!(zone.clock.day, Day::MeasuredLight { .. });
    if is_settling || is_unsure {
        let (day, night) = (threshold.day.as_ref()?, threshold.night.as_ref()?);
        let day_is_wider = match threshold.side {
            Side::Low => day.limit <= night.limit,
            Side::High => day.limit >= night.limit,
        };
        return Some(if day_is_wider { day } else { night });
    }
    if phase.light { threshold.day.as_ref() } else { threshold.night.as_ref() }
}

fn seconds(ms: u32) -> u16 {
    u16::try_from(ms.div_ceil(1_000)).unwrap_or(u16::MAX)
}

fn no_channel(field: &str, channel: u8, birth: &Birth) -> SettingsFault {
    let channels = birth.channels.len();
    fault(
        field,
        format!("节点没有通道 {channel}；它有 {channels} 个，从 0 数起"),
        format!("the node has no channel {channel}; it has {channels}, counted from 0"),
    )
}

fn too_many(field: &str, most: usize) -> SettingsFault {
    fault(field, format!("至多 {most} 个；请删去多余的"), format!("{most} at most; leave some out"))
}

fn fault(field: &str, zh: impl Into<String>, en: impl Into<String>) -> SettingsFault {
    SettingsFault { field: field.to_owned(), words: Name { zh: zh.into(), en: en.into() } }
}

#[cfg(test)]
mod tests;
