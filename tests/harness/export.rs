//! A fresh export, read back.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use measure::{Quantity, Scaled};
use serde_json::Value;

use crate::{binary, run};

/// One row of an export, as far as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The life of the node's flash.
    pub flash: String,
    /// The reading's sequence.
    pub sequence: u64,
    /// What was measured.
    pub quantity: String,
    /// Where on the node's bench.
    pub position: String,
    /// The raw value, or the fault's name.
    pub value: Result<i64, String>,
    /// The QARTOD flag.
    pub quality: u8,
}

/// Sequences that a node has given up, as an export declares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredGap {
    /// The life of the node's flash.
    pub flash: String,
    /// The first sequence.
    pub first: u64,
    /// The last sequence.
    pub last: u64,
    /// Why: `ring_full`, `unused` or `corrupt`.
    pub reason: String,
}

impl Exported {
    /// Returns the gaps that the dictionary declares for one node.
    pub fn gaps(&self, node: &str) -> Result<Vec<DeclaredGap>> {
        let gaps = self.dictionary.get("gaps").and_then(Value::as_array);
        let gaps = gaps.context("the dictionary lists gaps")?.iter();
        gaps.filter(|gap| gap.get("node").and_then(Value::as_str) == Some(node))
            .map(gap_of)
            .collect()
    }
}

fn gap_of(gap: &Value) -> Result<DeclaredGap> {
    let text = |key: &str| gap.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| gap.get(key).and_then(Value::as_u64);
    Ok(DeclaredGap {
        flash: text("flash").context("a gap has a flash")?,
        first: number("first_sequence").context("a gap has a first sequence")?,
        last: number("last_sequence").context("a gap has a last sequence")?,
        reason: text("reason").context("a gap has a reason")?,
    })
}

/// An export: its rows and its dictionary.
#[derive(Debug)]
pub struct Exported {
    /// The rows of one node.
    pub rows: Vec<Row>,
    /// The data dictionary.
    pub dictionary: Value,
}

/// Exports everything from the data folder with `miaopu export` and reads the rows of one node.
pub fn export(data: &Path, into: &Path, node: &str) -> Result<Exported> {
    run(std::process::Command::new(binary()?)
        .args(["export", "--from", "1970-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"])
        .arg("--data")
        .arg(data)
        .arg("-o")
        .arg(into))?;
    let mut dictionary = into.as_os_str().to_owned();
    dictionary.push(".dictionary.json");
    let dictionary: Value = serde_json::from_slice(&fs::read(dictionary)?)?;
    let derived = derived(&dictionary, node);
    let mut rows = Vec::new();
    let mut reader = csv::Reader::from_path(into)?;
    let headers = reader.headers()?.clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.with_context(|| format!("the export has no column `{name}`"))
    };
    let [at_node, at_quantity, at_position] =
        [column("node")?, column("quantity")?, column("position")?];
    let [at_value, at_fault, at_flash, at_sequence] =
        [column("value")?, column("fault")?, column("flash")?, column("sequence")?];
    let at_quality = column("quality")?;
    for record in reader.records() {
        let record = record?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        if cell(at_node) != node {
            continue;
        }
        // What the gateway computed was never taken by a node, so that no ledger has it.
        if derived.contains(&(cell(at_position).to_owned(), cell(at_quantity).to_owned())) {
            ensure!(cell(at_sequence).is_empty(), "a derived row has a sequence: {record:?}");
            continue;
        }
        let quantity: Quantity = cell(at_quantity).parse()?;
        let value = match cell(at_value) {
            "" => Err(cell(at_fault).to_owned()),
            text => Ok(i64::from(Scaled::from_f64(quantity, text.parse()?)?.0)),
        };
        rows.push(Row {
            flash: cell(at_flash).to_owned(),
            sequence: cell(at_sequence).parse().context("a node's row has a sequence")?,
            quantity: quantity.name().to_owned(),
            position: cell(at_position).to_owned(),
            value,
            quality: cell(at_quality).parse().context("a row has a flag")?,
        });
    }
    Ok(Exported { rows, dictionary })
}

/// Returns position and quantity of every series of a node that the gateway computed.
fn derived(dictionary: &Value, node: &str) -> BTreeSet<(String, String)> {
    let text =
        |it: &Value, key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let series = dictionary.get("series").and_then(Value::as_array).into_iter().flatten();
    let derived = |it: &&Value| it.get("derived_from").is_some() && text(it, "node") == node;
    series.filter(derived).map(|it| (text(it, "position"), text(it, "quantity"))).collect()
}
