//! The words of a study: its files, their columns, and how every number was computed.

use crate::rows::{Column, column};

/// A file of a study, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileWords {
    /// Its name.
    pub name: &'static str,
    /// What it holds, in English.
    pub en: &'static str,
    /// What it holds, in Chinese.
    pub zh: &'static str,
}

const fn file(name: &'static str, en: &'static str, zh: &'static str) -> FileWords {
    FileWords { name, en, zh }
}

/// The files of a study, in their order.
pub const FILES: [FileWords; 8] = [
    file(
        "exposure.csv",
        "What each batch lived through, by stage and quantity, and over all stages",
        "各批次各阶段、各测量量的经历，以及全程合计",
    ),
    file("days.csv", "The same by local day", "按当地日统计的同样内容"),
    file(
        "batches.csv",
        "The segments of each batch: at which stage and where it stood, from when to when",
        "各批次的分段：何时起止、处于什么阶段、放在哪里",
    ),
    file("nights.csv", "The nights of each zone", "各分区的夜间"),
    file(
        "series.csv",
        "The raw readings that it was all computed from",
        "计算所依据的全部原始读数",
    ),
    file(
        "accessions.csv",
        "The accessions that the batches were raised from, as MCPD v2.1",
        "批次来源的种质登记，MCPD v2.1 格式",
    ),
    file(
        "dictionary.json",
        "Columns, units, quality flags, faults, targets with source and class, gaps, definitions",
        "列、单位、质量标记、故障、目标及其出处和等级、缺口、定义",
    ),
    file("SHA256SUMS", "SHA-256 sums for `sha256sum -c`", "SHA-256 校验和，供 `sha256sum -c` 使用"),
];

/// Returns the columns of a file; none where it is no table of ours.
pub(super) fn columns(name: &str, is_calibrated: bool) -> Vec<Column> {
    match name {
        "exposure.csv" => EXPOSURE.to_vec(),
        "days.csv" => DAYS.to_vec(),
        "batches.csv" => BATCHES.to_vec(),
        "nights.csv" => NIGHTS.to_vec(),
        "series.csv" => crate::rows::columns(is_calibrated)
            .into_iter()
            .map(|it| match it.name {
                "zone" => column(
                    "zone",
                    "string",
                    "The zone that the node stood in when the reading was taken.",
                    "取得读数时节点所在的分区",
                ),
                _ => it,
            })
            .collect(),
        _ => Vec::new(),
    }
}

const SITE: Column = column("site", "string", "The site.", "站点");
const BATCH: Column = column("batch", "string", "The batch, unique in its site.", "批次");
const ZONE: Column = column("zone", "string", "The zone.", "分区");
const QUANTITY: Column =
    column("quantity", "string", "The quantity; see `quantities`.", "测量量；见 `quantities`");
const UNIT: Column = column(
    "unit",
    "string",
    "The UCUM code of min, mean and max.",
    "最小、平均、最大值的 UCUM 单位",
);
const FROM: Column =
    column("from", "datetime", "From when, included: RFC 3339, UTC.", "起（含）：RFC 3339，UTC");
const TO: Column = column(
    "to",
    "datetime",
    "Until when, not included: RFC 3339, UTC.",
    "止（不含）：RFC 3339，UTC",
);
const HOURS: Column =
    column("hours", "number", "Hours that the batch spent there.", "批次在其中的小时数");
const COVERAGE: Column = column(
    "coverage",
    "number",
    "The share of those hours with a value, 0 to 1.",
    "其中有可用数值的时间比例，0 到 1",
);
const MIN: Column = column("min", "number", "The least value.", "最小值");
const MEAN: Column = column("mean", "number", "The mean, weighted by time.", "按时间加权的平均值");
const MAX: Column = column("max", "number", "The greatest value.", "最大值");
const BELOW: Column = column(
    "hours_below",
    "number",
    "Hours below the target; empty where it has no lower edge.",
    "低于目标的小时数；无下限时为空",
);
const ABOVE: Column = column(
    "hours_above",
    "number",
    "Hours above the target; empty where it has no upper edge.",
    "高于目标的小时数；无上限时为空",
);
const KIND: Column = column(
    "integral_kind",
    "string",
    "thermal_time, light_integral or vpd_hours; empty where the quantity has none.",
    "thermal_time（积温）、light_integral（光积分）或 vpd_hours（VPD 小时）；无则为空",
);
const INTEGRAL: Column =
    column("integral", "number", "The integral over the covered time.", "有数值时间内的积分");
const INTEGRAL_UNIT: Column =
    column("integral_unit", "string", "Its UCUM code.", "积分的 UCUM 单位");

pub(super) const EXPOSURE: [Column; 24] = [
    SITE,
    BATCH,
    column("stage", "string", "The stage; empty for all stages together.", "阶段；全程合计为空"),
    QUANTITY,
    UNIT,
    FROM,
    TO,
    HOURS,
    COVERAGE,
    MIN,
    MEAN,
    MAX,
    BELOW,
    ABOVE,
    KIND,
    INTEGRAL,
    INTEGRAL_UNIT,
    column(
        "a_day",
        "number",
        "The integral's mean over the whole days that are covered well enough; for light the daily light integral.",
        "覆盖充分的整日的日均积分；对光照即日光积分",
    ),
    column("a_day_unit", "string", "Its UCUM code.", "日均积分的 UCUM 单位"),
    column("days", "integer", "How many days `a_day` is made of.", "`a_day` 所含天数"),
    column(
        "base",
        "number",
        "The base temperature of thermal time, in Cel; empty where stages differ.",
        "积温的下限温度，Cel；各阶段不同时为空",
    ),
    column(
        "upper",
        "number",
        "The upper temperature of thermal time, in Cel; empty where there is none.",
        "积温的上限温度，Cel；没有则为空",
    ),
    column(
        "basis_class",
        "string",
        "The class of the source of base and upper; G is our proposal.",
        "下限和上限温度的出处等级；G 为建议值",
    ),
    column(
        "channels",
        "string",
        "What it was measured by: node/position, separated by blanks.",
        "测量通道：节点/位置，以空格分隔",
    ),
];

pub(super) const DAYS: [Column; 19] = [
    SITE,
    BATCH,
    column("date", "date", "The local day of the site.", "站点当地日期"),
    column("day_hours", "number", "How many hours that day has.", "当日小时数"),
    column(
        "stages",
        "string",
        "The stages of that day, in order, separated by blanks.",
        "当日经历的阶段，依次以空格分隔",
    ),
    QUANTITY,
    UNIT,
    FROM,
    TO,
    HOURS,
    COVERAGE,
    MIN,
    MEAN,
    MAX,
    BELOW,
    ABOVE,
    KIND,
    INTEGRAL,
    INTEGRAL_UNIT,
];

pub(super) const BATCHES: [Column; 11] = [
    SITE,
    BATCH,
    column("label", "string", "What people call it.", "名称"),
    column(
        "accession",
        "string",
        "What it was raised from, as INSTCODE:ACCENUMB; see accessions.csv.",
        "来源种质 INSTCODE:ACCENUMB；见 accessions.csv",
    ),
    column("crop", "string", "The crop.", "作物"),
    column("method", "string", "The method.", "方式"),
    column("stage", "string", "The stage; see `stages`.", "阶段；见 `stages`"),
    ZONE,
    column(
        "position",
        "string",
        "The bench or tray; empty where not named.",
        "苗床或秧盘；未注明为空",
    ),
    FROM,
    TO,
];

pub(super) const NIGHTS: [Column; 4] = [SITE, ZONE, FROM, TO];

/// How every number was computed, in English and in Chinese.
pub(super) const DEFINITIONS: [(&str, &str); 12] = [
    (
        "A reading is usable where it has a value and its quality is neither 4 (fail) nor 9 (missing).",
        "有数值且质量标记不是 4（不合格）或 9（缺失）的读数为可用读数。",
    ),
    (
        "A usable reading stands from its time until the next reading of its channel, usable or not, but at most for the hold of its zone (`hold_s`: 15 min, or three expected intervals where that is longer), and only while its node stays in the zone that it was taken in. One taken before a segment counts into it while it stands; series.csv begins one hold before each stay for that.",
        "可用读数从其时刻起有效，直到同一通道的下一个读数（无论是否可用），但最长不超过分区的保持时间（`hold_s`：15 分钟，或三个预期间隔，取较长者），且仅在节点留在该分区期间有效。分段开始前的读数在有效期内计入；为此 series.csv 从每次停留前一个保持时间开始。",
    ),
    (
        "Where nodes stood: `node_placements`. A node's first place counts for all time before it too, because recorded readings are brought in after the fact.",
        "节点的位置见 `node_placements`。节点的第一个位置也适用于之前的全部时间，因为历史读数可事后导入。",
    ),
    (
        "At each instant the value of a quantity is the arithmetic mean of the standing readings of the channels of that quantity whose node stood in the zone then. Where the segment names a position and the node of a channel of that quantity and position stood in the zone then, only such channels count.",
        "任一时刻某测量量的值，是当时节点位于该分区的各通道有效读数的算术平均。若分段注明位置，且当时分区内有该位置的同类通道，则只计这些通道。",
    ),
    (
        "hours is the time in segments; coverage is the share of it with a value. Nothing is filled in.",
        "hours 为各分段的时间；coverage 为其中有数值的比例。不作任何插补。",
    ),
    (
        "mean is weighted by time; min and max are those of the mean of the channels.",
        "mean 按时间加权；min 和 max 取各通道平均值的最小和最大。",
    ),
    (
        "hours_below and hours_above are against the target of the batch's own stage (`stages`), that of the very period where there is one, else that of all hours. Night is what nights.csv has, day the rest. At night no illuminance or ppfd is too little.",
        "hours_below 和 hours_above 以批次自身阶段的目标（`stages`）为准：有分昼夜的用相应目标，否则用全天目标。夜间见 nights.csv，其余为白天。夜间的照度和 PPFD 不算过低。",
    ),
    (
        "vapour_pressure_deficit is computed at each instant from the values of air_temperature and relative_humidity (`constants`) and rounded to 1e-9 kPa; vpd_hours is its integral. A channel that measures it is not joined, nor is supply_voltage.",
        "vapour_pressure_deficit 由同一时刻的气温和相对湿度计算（见 `constants`），舍入到 1e-9 kPa；vpd_hours 为其积分。直接测量该量的通道和 supply_voltage 不参与统计。",
    ),
    (
        "thermal_time is the integral of max(0, min(T, upper) - base) over the covered time, of air and substrate temperature, in degree-days (McMaster and Wilhelm 1997, equation 1, at every instant). base and upper stand in `stages` with their source; where nobody has cited any, base is 10 Cel, a proposal of class G.",
        "thermal_time 为有数值时间内 max(0, min(T, upper) - base) 的积分（气温和基质温度，单位 Cel.d；McMaster 和 Wilhelm 1997 公式 1，逐时刻）。base 和 upper 及其出处见 `stages`；没有可引用值时 base 为 10 Cel，属 G 级建议值。",
    ),
    (
        "light_integral is the integral of ppfd; of illuminance at 54 lx for 1 umol/m2/s, which holds for sunlight alone (Apogee Instruments): under lamps it is an estimate.",
        "light_integral 为 ppfd 的积分；照度按 54 lx 折合 1 umol/m2/s，仅适用于日光（Apogee Instruments），灯光下只是估计。",
    ),
    (
        "A day is a local day of the site. a_day is over the days that the batch spent whole in the stage (or in its life) and that have a value for at least 90 % of their time.",
        "日为站点当地日。a_day 只计批次整日处于该阶段（或全程）且至少 90 % 时间有数值的日子。",
    ),
    (
        "Time is summed in whole microseconds and values in whole steps of their quantity, so that stages add up to the whole.",
        "时间按整微秒、数值按各量的最小步长累加，因此各阶段之和等于全程。",
    ),
];
