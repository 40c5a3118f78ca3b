//! Tables, and how an answer carries them: annotated CSV after its published specification.

use std::collections::{BTreeMap, BTreeSet};

use super::Value;

/// A table: columns that all its rows share, and the rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) group: BTreeMap<String, Value>,
    pub(super) rows: Vec<BTreeMap<String, Value>>,
}

/// The tables of one `yield`.
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) tables: Vec<Table>,
}

fn datatype(value: &Value) -> &'static str {
    match value {
        Value::Float(_) => "double",
        Value::Integer(_) => "long",
        Value::Unsigned(_) => "unsignedLong",
        Value::String(_) => "string",
        Value::Boolean(_) => "boolean",
        Value::Time(_) => "dateTime:RFC3339Nano",
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Float(number) => number.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::String(text) if text.contains([',', '"', '\r', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Value::String(text) => text.clone(),
        Value::Time(ns) => {
            let time = jiff::Timestamp::from_nanosecond(i128::from(*ns)).unwrap();
            time.to_string()
        }
    }
}

/// Returns an answer. Tables of one schema follow each other; a new schema has a new head; a result
/// ends in an empty line.
pub(super) fn emit(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for outcome in outcomes {
        let mut head = String::new();
        let filled = outcome.tables.iter().filter(|table| !table.rows.is_empty());
        for (number, table) in filled.enumerate() {
            let names: BTreeSet<&String> =
                table.rows.iter().flat_map(BTreeMap::keys).chain(table.group.keys()).collect();
            let value = |name: &String, row: &BTreeMap<String, Value>| {
                row.get(name).or_else(|| table.group.get(name)).cloned()
            };
            let first = |name: &String| table.rows.iter().find_map(|row| value(name, row)).unwrap();
            let types: Vec<&str> = names.iter().map(|name| datatype(&first(name))).collect();
            let groups: Vec<String> =
                names.iter().map(|name| table.group.contains_key(*name).to_string()).collect();
            let columns: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            let this = format!(
                "#datatype,string,long,{}\r\n#group,false,false,{}\r\n#default,{},,{}\r\n\
                 ,result,table,{}\r\n",
                types.join(","),
                groups.join(","),
                outcome.name,
                ",".repeat(names.len().saturating_sub(1)),
                columns.join(",")
            );
            if this != head {
                if !head.is_empty() {
                    out.push_str("\r\n");
                }
                out.push_str(&this);
                head = this;
            }
            for row in &table.rows {
                let cells: Vec<String> = names
                    .iter()
                    .map(|name| value(name, row).map_or(String::new(), |value| cell(&value)))
                    .collect();
                out.push_str(&format!(",,{number},{}\r\n", cells.join(",")));
            }
        }
        if !head.is_empty() {
            out.push_str("\r\n");
        }
    }
    if out.is_empty() { "\r\n".to_owned() } else { out }
}
