//! Readings as rows: one a reading, faults included, in the order of series and time.

use std::{io::Write, ops::ControlFlow};

use measure::{Marks, NodeKey, Scaled, Slug, Timestamp};
use serde::Serialize;
use store::{Gap, Sample, SeriesId, SeriesKey, Store};

use crate::Error;
use crate::corrections::{self, Corrections, Raw};

/// A column of the file.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Column {
    /// Its name in the header.
    pub name: &'static str,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it means, in English.
    pub description: &'static str,
    /// What it means, in Chinese.
    pub description_zh: &'static str,
}

pub(crate) const fn column(
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    description_zh: &'static str,
) -> Column {
    Column { name, kind, description, description_zh }
}

/// The columns, in their order.
pub const COLUMNS: [Column; 15] = [
    column(
        "time",
        "datetime",
        "When the reading was taken: RFC 3339, UTC, microseconds.",
        "读数时间：RFC 3339，UTC，微秒",
    ),
    column("site", "string", "The site.", "站点"),
    column(
        "zone",
        "string",
        "The zone that the node stands in now; empty where it is not placed.",
        "节点目前所在的分区；未安放则为空",
    ),
    column("node", "string", "The node.", "节点"),
    column(
        "position",
        "string",
        "Where on the node's bench the sensor is.",
        "传感器在苗床上的位置",
    ),
    column(
        "quantity",
        "string",
        "What was measured; see `quantities`.",
        "测量的量；见 `quantities`",
    ),
    column("unit", "string", "The UCUM code of the value's unit.", "数值单位的 UCUM 代码"),
    column(
        "value",
        "number",
        "The value as it was measured; empty where a fault stands in its place.",
        "实测值；有故障时为空",
    ),
    column(
        "fault",
        "string",
        "Why there is no value; see `faults`. Empty where there is one.",
        "没有数值的原因；见 `faults`",
    ),
    column(
        "quality",
        "integer",
        "The QARTOD flag: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing.",
        "QARTOD 质量标记：1 良好，2 未评估，3 可疑，4 不合格，9 缺失",
    ),
    column(
        "time_uncertain",
        "boolean",
        "1 where the node had no clock and the time is an estimate.",
        "节点当时没有时钟、时间为估计值时为 1",
    ),
    column(
        "shifted",
        "boolean",
        "1 where another reading stood at this time and this one was moved by microseconds.",
        "同一时刻已有读数而被顺延数微秒时为 1",
    ),
    column(
        "history",
        "boolean",
        "1 where the reading was recorded earlier and imported.",
        "事后导入的历史读数为 1",
    ),
    column(
        "flash",
        "string",
        "The life of the node's flash that the sequence counts in, hexadecimal; empty for guests.",
        "序号所属的节点闪存编号（十六进制）；外来节点为空",
    ),
    column(
        "sequence",
        "integer",
        "The number of the reading in that flash life: none is missing but the declared gaps.",
        "该闪存内的读数序号：除已声明的缺口外连续",
    ),
];

/// Which readings are exported: those of `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The first time, included.
    pub from: Timestamp,
    /// The last time, not included.
    pub to: Timestamp,
}

/// How far an export has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Series that are done.
    pub series_done: usize,
    /// Series in all.
    pub series: usize,
    /// Rows written so far.
    pub rows: u64,
}

/// What an export holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What was asked for.
    pub request: Request,
    /// Rows in all.
    pub rows: u64,
    /// The series that have rows, in the order of the file.
    pub series: Vec<SeriesSummary>,
    /// Readings that their nodes gave up, of every node with a series.
    pub gaps: Vec<Gap>,
    /// Series of which readings of the span are rolled up: they are whole from this time on.
    pub rolled_up: Vec<(SeriesKey, Timestamp)>,
    /// Whether a calibration holds somewhere in it.
    pub is_calibrated: bool,
}

/// What an export holds of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSummary {
    /// The series.
    pub key: SeriesKey,
    /// The zone its node stands in.
    pub zone: Option<Slug>,
    /// Its rows.
    pub rows: u64,
    /// Rows with a fault in place of a value.
    pub faults: u64,
    /// Time of its first row.
    pub first: Timestamp,
    /// Time of its last row.
    pub last: Timestamp,
}

/// How many rows pass between two reports of progress.
const ROWS_A_REPORT: u64 = 65_536;

/// Returns the columns of a file, in their order: two more where a calibration holds somewhere in it.
pub(crate) fn columns(is_calibrated: bool) -> Vec<Column> {
    let more = is_calibrated.then_some(corrections::COLUMNS);
    COLUMNS.into_iter().chain(more.into_iter().flatten()).collect()
}

/// Writes every reading of the request as CSV, each after its calibration. Memory does not grow with the number of rows.
///
/// # Errors
/// [`Error::EmptySpan`], or where the store can't be read or the file not written.
pub fn write_rows(
    store: &dyn Store,
    corrections: &Corrections,
    request: Request,
    zone_of: &dyn Fn(&NodeKey) -> Option<Slug>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, Error> {
    if request.from >= request.to {
        return Err(Error::EmptySpan);
    }
    let list = |source| Error::Store { series: "list".to_owned(), source };
    let mut all = store.series().map_err(list)?;
    all.sort_by(|(_, one), (_, other)| one.cmp(other));
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    let span = (request.from, request.to);
    let is_calibrated = all.iter().any(|(_, key)| corrections.hold(key, span));
    writer.write_record(columns(is_calibrated).iter().map(|column| column.name))?;
    let (rows, series, gaps, rolled_up) = (0, Vec::new(), Vec::new(), Vec::new());
    let mut summary = Summary { request, rows, series, gaps, rolled_up, is_calibrated };
    let mut nodes: Vec<&NodeKey> = Vec::new();
    for (done, (id, key)) in all.iter().enumerate() {
        let mut report = |rows| progress(Progress { series_done: done, series: all.len(), rows });
        report(summary.rows);
        let zone = zone_of(&key.node);
        let mut row = Row::new(key, zone.as_ref(), is_calibrated);
        let of = (store, corrections, request);
        let found =
            write_series(of, (*id, key, zone.clone()), &mut row, &mut writer, &mut |rows| {
                report(summary.rows + rows);
            })?;
        if let Some(found) = found {
            summary.rows += found.rows;
            summary.series.push(found);
        }
        let failed = |source| Error::Store { series: key.to_string(), source };
        let raw_from = store.retained(*id).map_err(failed)?.raw_from;
        if raw_from > request.from {
            summary.rolled_up.push((key.clone(), raw_from));
        }
        if nodes.last() != Some(&&key.node) {
            nodes.push(&key.node);
            let failed = |source| Error::Store { series: format!("{}'s gaps", key.node), source };
            summary.gaps.extend(store.gaps(&key.node).map_err(failed)?);
        }
    }
    writer.flush()?;
    progress(Progress { series_done: all.len(), series: all.len(), rows: summary.rows });
    Ok(summary)
}

/// Writes one series; `None` where it has no reading in the span.
fn write_series(
    (store, corrections, request): (&dyn Store, &Corrections, Request),
    (id, key, zone): (SeriesId, &SeriesKey, Option<Slug>),
    row: &mut Row<'_>,
    writer: &mut csv::Writer<&mut dyn Write>,
    report: &mut dyn FnMut(u64),
) -> Result<Option<SeriesSummary>, Error> {
    let mut found: Option<SeriesSummary> = None;
    let mut failed = None;
    let visit = &mut |sample: &Sample, raw: Option<Raw>| {
        if let Err(error) = row.write(sample, raw, writer) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        let summary = found.get_or_insert_with(|| SeriesSummary {
            key: key.clone(),
            zone: zone.clone(),
            rows: 0,
            faults: 0,
            first: sample.time,
            last: sample.time,
        });
        summary.rows += 1;
        summary.faults += u64::from(sample.reading.is_err());
        summary.last = sample.time;
        if summary.rows.is_multiple_of(ROWS_A_REPORT) {
            report(summary.rows);
        }
        ControlFlow::Continue(())
    };
    corrections
        .scan(store, (id, key), (request.from, request.to), visit)
        .map_err(|source| Error::Store { series: key.to_string(), source })?;
    failed.map_or(Ok(found), Err)
}

/// One row, with what all rows of its series share written once.
pub(crate) struct Row<'a> {
    key: &'a SeriesKey,
    zone: &'a str,
    /// Whether what values were before their calibration has columns of its own.
    is_calibrated: bool,
    text: String,
}

impl<'a> Row<'a> {
    pub(crate) fn new(key: &'a SeriesKey, zone: Option<&'a Slug>, is_calibrated: bool) -> Self {
        let (zone, text) = (zone.map_or("", Slug::as_str), String::new());
        Self { key, zone, is_calibrated, text }
    }

    pub(crate) fn write(
        &mut self,
        sample: &Sample,
        raw: Option<Raw>,
        writer: &mut csv::Writer<&mut dyn Write>,
    ) -> Result<(), Error> {
        let SeriesKey { node, position, quantity } = self.key;
        let mut text = |args: std::fmt::Arguments<'_>| -> Result<(), csv::Error> {
            self.text.clear();
            std::fmt::Write::write_fmt(&mut self.text, args).expect("a string takes everything");
            writer.write_field(&self.text)
        };
        text(format_args!("{:.6}", instant(sample.time)))?;
        text(format_args!("{}", node.site))?;
        text(format_args!("{}", self.zone))?;
        text(format_args!("{}", node.node))?;
        text(format_args!("{position}"))?;
        text(format_args!("{quantity}"))?;
        text(format_args!("{}", quantity.ucum()))?;
        match sample.reading {
            Ok(value) => {
                text(format_args!("{}", Decimal { value, decimals: quantity.decimals() }))?;
                text(format_args!(""))?;
            }
            Err(fault) => {
                text(format_args!(""))?;
                text(format_args!("{fault}"))?;
            }
        }
        text(format_args!("{}", sample.quality.code()))?;
        for mark in [Marks::TIME_UNCERTAIN, Marks::SHIFTED, Marks::HISTORY] {
            text(format_args!("{}", u8::from(sample.marks.contains(mark))))?;
        }
        match sample.taken {
            Some(taken) => {
                text(format_args!("{}", taken.flash))?;
                text(format_args!("{}", taken.sequence))?;
            }
            None => {
                text(format_args!(""))?;
                text(format_args!(""))?;
            }
        }
        if self.is_calibrated {
            match raw.and_then(|raw| raw.reading.ok()) {
                Some(value) => {
                    text(format_args!("{}", Decimal { value, decimals: quantity.decimals() }))?;
                }
                None => text(format_args!(""))?,
            }
            match raw {
                Some(raw) => text(format_args!("{}", raw.number))?,
                None => text(format_args!(""))?,
            }
        }
        writer.write_record(None::<&[u8]>)?;
        Ok(())
    }
}

/// A scaled value in decimal, exactly.
struct Decimal {
    value: Scaled,
    decimals: u8,
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = 10_u32.pow(u32::from(self.decimals));
        let sign = if self.value.0 < 0 { "-" } else { "" };
        let (whole, part) =
            (self.value.0.unsigned_abs() / steps, self.value.0.unsigned_abs() % steps);
        match self.decimals {
            0 => write!(f, "{sign}{whole}"),
            decimals => write!(f, "{sign}{whole}.{part:0width$}", width = usize::from(decimals)),
        }
    }
}

/// Returns the time for printing.
pub(crate) fn instant(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(time.micros())
        .expect("1970 to 9999 is within what jiff can tell")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: i32, decimals: u8, expect: &str) {
        assert_eq!(Decimal { value: Scaled(value), decimals }.to_string(), expect);
    }

    #[test]
    fn values_are_written_exactly() {
        check(23_500, 3, "23.500");
        check(-12_006, 3, "-12.006");
        check(-6, 3, "-0.006");
        check(412, 0, "412");
        check(i32::MIN, 1, "-214748364.8");
    }

    #[test]
    fn times_are_written_with_microseconds() {
        let time = Timestamp::from_micros(1_700_000_000_000_001).unwrap();
        assert_eq!(format!("{:.6}", instant(time)), "2023-11-14T22:13:20.000001Z");
    }
}
