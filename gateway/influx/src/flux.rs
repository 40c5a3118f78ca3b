//! The questions that a server is asked: a closed set of Flux queries.
//!
//! Times are integers, so that no text of a time can be read differently. Every string is escaped,
//! though only the bucket's name can hold what must be.

use measure::Timestamp;
use store::SeriesKey;

use crate::line::{FIELDS, MEASUREMENT, SERVER_END};

/// Returns a Flux string literal.
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // `${` would begin an expression.
            '$' => out.push_str("\\x24"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn range(bucket: &str, from: Timestamp, to: Timestamp) -> String {
    let ns = |time: Timestamp| time.min(SERVER_END).micros() * 1_000;
    format!(
        "from(bucket: {})\n  |> range(start: time(v: {}), stop: time(v: {}))\n",
        text(bucket),
        ns(from),
        ns(to)
    )
}

fn series(key: &SeriesKey) -> String {
    format!(
        "  |> filter(fn: (r) => r._measurement == {} and r.site == {} and r.node == {} and \
         r.position == {} and r.quantity == {})\n",
        text(MEASUREMENT),
        text(key.node.site.as_str()),
        text(key.node.node.as_str()),
        text(key.position.as_str()),
        text(key.quantity.name())
    )
}

const PIVOT: &str =
    "  |> pivot(rowKey: [\"_time\"], columnKey: [\"_field\"], valueColumn: \"_value\")\n";

/// Asks for every series that has a point.
pub fn known(bucket: &str) -> String {
    format!(
        "{}  |> filter(fn: (r) => r._measurement == {} and r._field == \"sequence\")\n  \
         |> last()\n  |> keep(columns: [\"site\", \"node\", \"position\", \"quantity\", \"_time\"])\n",
        range(bucket, Timestamp::MIN, SERVER_END),
        text(MEASUREMENT)
    )
}

/// Asks for the time of the first point of a series in `[from, to)`.
pub fn first(bucket: &str, key: &SeriesKey, from: Timestamp, to: Timestamp) -> String {
    format!(
        "{}{}  |> filter(fn: (r) => r._field == \"sequence\")\n  |> first()\n  \
         |> keep(columns: [\"_time\"])\n",
        range(bucket, from, to),
        series(key)
    )
}

/// Asks for the points of a series in `[from, to)`, in the order of time.
pub fn page(bucket: &str, key: &SeriesKey, from: Timestamp, to: Timestamp) -> String {
    let fields = FIELDS.map(text).join(", ");
    format!(
        "{}{}{PIVOT}  |> keep(columns: [\"_time\", {fields}])\n  |> sort(columns: [\"_time\"])\n",
        range(bucket, from, to),
        series(key)
    )
}

/// Asks for the points of a series in `[from, to)` in buckets: five results, named after what they
/// hold. Buckets begin at `offset_us` plus a whole number of steps of `every_us`.
pub fn buckets(
    bucket: &str,
    key: &SeriesKey,
    (from, to): (Timestamp, Timestamp),
    every_us: i64,
    offset_us: i64,
) -> String {
    let window = |input: &str, function: &str, column: &str, name: &str| {
        format!(
            "{input}\n  |> aggregateWindow(every: {every_us}us, offset: {offset_us}us, \
             fn: {function}, column: \"{column}\", timeSrc: \"_start\", createEmpty: false)\n  \
             |> keep(columns: [\"_time\", \"{column}\"])\n  |> yield(name: \"{name}\")\n"
        )
    };
    let mut query = format!(
        "readings = {}{}  |> filter(fn: (r) => r._field == \"value\" or r._field == \"fault\" or \
         r._field == \"quality\")\n{PIVOT}\
         usable = readings\n  |> filter(fn: (r) => r.fault == 0 and r.quality != 4)\n\
         worst = readings\n  \
         |> map(fn: (r) => ({{r with worst: if r.fault != 0 then 9 else r.quality}}))\n",
        range(bucket, from, to),
        series(key)
    );
    for function in ["min", "max", "sum", "count"] {
        query.push_str(&window("usable", function, "value", function));
    }
    query.push_str(&window("worst", "max", "worst", "worst"));
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_bucket_ends_its_string() {
        assert_eq!(text("a\"b\\c${d}\n\r\te"), r#""a\"b\\c\x24{d}\n\r\te""#);
        assert_eq!(text("苗圃"), "\"苗圃\"");
    }
}
