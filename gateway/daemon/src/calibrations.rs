//! `miaopu calibration add|list|withdraw`: how sensors read against a reference, on the data of a
//! gateway that runs or does not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::{CalibrationError, add_calibration, withdraw_calibration};
use measure::Timestamp;
use people::Actor;
use quality::calibration::{Correction, Span, Timeline, Touched, Version};
use quality::{Calibrated, Calibrations};
use registry::{NewCalibration, Registry};
use store::SeriesKey;

use crate::cli::{
    CalibrationAddArgs, CalibrationCommand, CalibrationListArgs, CalibrationWithdrawArgs,
};
use crate::clock::Clock;
use crate::commands::{open_existing_registry, time};
use crate::failure::{Failure, OrFail};
use crate::series;

/// Does what the command says.
pub(crate) fn run(command: &CalibrationCommand) -> Result<(), Failure> {
    match command {
        CalibrationCommand::Add(arguments) => add(arguments),
        CalibrationCommand::List(arguments) => list(arguments),
        CalibrationCommand::Withdraw(arguments) => withdraw(arguments),
    }
}

/// Opens the store of a data folder for reading, calibrated as its registry says.
///
/// # Errors
/// Where one of the two cannot be read.
pub(crate) fn open_calibrated(data: &Path, registry: &Registry) -> Result<Calibrated, Failure> {
    let store = series::open_read_only(data)?;
    let versions = registry.calibrations().or_unavailable("cannot read the calibrations")?;
    let calibrated = Calibrated::new(Arc::new(store), &Calibrations::of(&versions));
    calibrated.or_unavailable("cannot read the store")
}

fn add(arguments: &CalibrationAddArgs) -> Result<(), Failure> {
    let channel = &arguments.channel;
    let correction = match arguments.offset {
        Some(offset) => Correction::offset(channel.quantity, offset),
        None => Correction::through(channel.quantity, &arguments.points),
    };
    let correction = correction.map_err(|error| {
        let unit = channel.quantity.ucum();
        Failure::usage(format!("{error} / 校准值无效,请检查数值与单位({unit})"))
    })?;
    let by = arguments.by.clone().unwrap_or_else(|| Actor::CommandLine.to_string());
    let new = NewCalibration {
        channel: channel.clone(),
        from: time(arguments.from)?,
        correction,
        by: by.trim().to_owned(),
        note: arguments.note.trim().to_owned(),
    };
    let registry = open_existing_registry(&arguments.data)?;
    let store = open_calibrated(&arguments.data, &registry)?;
    let now = Clock::system().now();
    let (version, touched) = add_calibration(&registry, &store, &new, &Actor::CommandLine, now)
        .map_err(|error| refused(error, "cannot enter the calibration"))?;
    println!(
        "calibration {} of {channel}: {} from {} on / 校准 {} 已录入",
        version.number,
        said(&version),
        instant(version.from),
        version.number
    );
    tell(&touched);
    warn_of_both(&registry, channel)
}

fn withdraw(arguments: &CalibrationWithdrawArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let store = open_calibrated(&arguments.data, &registry)?;
    let (by, now) = (Actor::CommandLine, Clock::system().now());
    let why = arguments.why.trim();
    let (version, touched) =
        withdraw_calibration(&registry, &store, arguments.number, why, &by, now)
            .map_err(|error| refused(error, "cannot withdraw the calibration"))?;
    let number = version.number;
    println!("calibration {number} of {} is withdrawn / 校准 {number} 已撤回", version.channel);
    tell(&touched);
    Ok(())
}

fn refused(error: CalibrationError, what: &str) -> Failure {
    match error {
        CalibrationError::UnknownChannel { .. } | CalibrationError::Derived { .. } => {
            Failure::data(error)
        }
        CalibrationError::Registry(error) if !error.is_transient() => {
            Failure::Data(anyhow::Error::from(error).context(what.to_owned()))
        }
        error => Failure::Unavailable(anyhow::Error::from(error).context(what.to_owned())),
    }
}

/// Says what a change touches.
fn tell(touched: &Touched) {
    let Touched { spans, samples, derived } = touched;
    if spans.is_empty() {
        println!("no reading has another value by it / 没有读数因此改变");
        return;
    }
    for span in spans {
        println!("  {}", shown(*span));
    }
    println!(
        "{samples} readings and {derived} derived samples are stored there; a gateway computes them \
         again while it runs, and `miaopu calibration list` says what that was / 其中已存 {samples} 条\
         读数、{derived} 条派生值,由运行中的网关重新计算"
    );
}

/// Warns where a node applies a calibration of its own before the gateway's.
fn warn_of_both(registry: &Registry, channel: &SeriesKey) -> Result<(), Failure> {
    let on_node = on_nodes(registry)?.get(channel).copied().unwrap_or(0);
    if on_node != 0 {
        eprintln!(
            "warning: {channel} is calibrated on its node as well (number {on_node}); the gateway's \
             calibration is applied to what the node sends. Measure RAW on the gateway, or remove one \
             of the two / 注意:该通道在节点上已有校准 {on_node},网关的校准会叠加在节点发来的数值上;\
             请以网关显示的数值作为 RAW,或去掉其中一个"
        );
    }
    Ok(())
}

/// Returns the numbers of the calibrations that nodes apply themselves.
fn on_nodes(registry: &Registry) -> Result<BTreeMap<SeriesKey, u32>, Failure> {
    let mut found = BTreeMap::new();
    for birth in registry.births().or_unavailable("cannot read the registry")? {
        // One that cannot be read any more says nothing.
        let Ok(frame) = wire::decode_birth(&birth.frame) else { continue };
        for it in frame.channels.iter().filter(|it| it.calibration != 0) {
            let (node, position) = (birth.node.clone(), it.position.clone());
            found.insert(SeriesKey { node, position, quantity: it.quantity }, it.calibration);
        }
    }
    Ok(found)
}

fn list(arguments: &CalibrationListArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let reading = "cannot read the calibrations";
    let all = registry.calibrations().or_unavailable(reading)?;
    let on_nodes = on_nodes(&registry)?;
    let mut by_channel: BTreeMap<&SeriesKey, Vec<&Version>> = BTreeMap::new();
    for version in &all {
        if arguments.channel.as_ref().is_none_or(|channel| *channel == version.channel) {
            by_channel.entry(&version.channel).or_default().push(version);
        }
    }
    if by_channel.is_empty() {
        println!("no calibration / 没有校准");
    }
    for (channel, versions) in by_channel {
        let timeline = Timeline::of(versions.iter().copied());
        println!("{channel}");
        if let Some(number) = on_nodes.get(channel) {
            println!(
                "  its node applies calibration {number} before / 节点先应用自己的校准 {number}"
            );
        }
        for version in versions {
            println!("  {}", line(version, &timeline));
            let work = registry.recalibrations_of(version.number).or_unavailable(reading)?;
            for work in work {
                let done = work.recomputed;
                let state = match work.done {
                    Some(at) => format!("computed again at {}", instant(at)),
                    None => "waits for a gateway / 等待网关计算".to_owned(),
                };
                println!(
                    "    {}: {state}: {} readings, {} flags, {} derived",
                    shown(work.span),
                    done.samples,
                    done.flags,
                    done.derived
                );
            }
        }
    }
    Ok(())
}

fn line(version: &Version, timeline: &Timeline) -> String {
    let holds = timeline.segments().iter().any(|it| it.number == version.number);
    let state = match &version.withdrawn {
        Some(it) => format!("withdrawn at {} by {}: {}", instant(it.at), it.by, it.why),
        None if holds => "holds / 有效".to_owned(),
        None => "replaced / 已被取代".to_owned(),
    };
    let note = if version.note.is_empty() { "" } else { ", " };
    format!(
        "{}: {} from {}, by {}{note}{}, entered {}: {state}",
        version.number,
        said(version),
        instant(version.from),
        version.by,
        version.note,
        instant(version.entered)
    )
}

/// Returns a correction in words.
fn said(version: &Version) -> String {
    let quantity = version.channel.quantity;
    let unit = quantity.ucum();
    match version.correction.points() {
        (low, None) => {
            let steps = i64::from(low.reference.0) - i64::from(low.raw.0);
            let offset = steps as f64 / f64::from(quantity.steps_per_unit());
            format!("{offset:+} {unit}")
        }
        (low, Some(high)) => {
            let pair = |it: quality::calibration::Point| {
                format!("{}={}", it.raw.to_f64(quantity), it.reference.to_f64(quantity))
            };
            format!("{} and {} {unit}", pair(low), pair(high))
        }
    }
}

fn shown(span: Span) -> String {
    match span.to {
        Timestamp::MAX => format!("{} and after", instant(span.from)),
        to => format!("{} to {}", instant(span.from), instant(to)),
    }
}

fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX).to_string()
}
