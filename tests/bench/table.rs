//! The rows that a run has measured: a table for people, `target/bench.json` for scripts.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

/// Which of two numbers is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// The greatest ratio that is told.
const RATIO_MAX: f64 = 1_000.0;

#[derive(Debug)]
struct Row {
    name: String,
    ours: f64,
    theirs: f64,
    unit: &'static str,
    ratio: f64,
}

/// What was measured, in its order.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a row: our number, the peer's or the one to reach, and which is better.
    pub(crate) fn row(
        &mut self,
        name: impl Into<String>,
        (ours, theirs): (f64, f64),
        unit: &'static str,
        better: Better,
    ) {
        let ratio = ratio(ours, theirs, better);
        let row = Row { name: name.into(), ours, theirs, unit, ratio };
        println!("  {}", line(&row));
        self.rows.push(row);
    }

    /// Adds what was measured beside the rows: a ceiling, a load, what somebody used.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        println!("  {note}");
        self.notes.push(note);
    }

    /// Prints everything once more, and writes the file.
    pub(crate) fn finish(&self, file: &Path) -> Result<()> {
        println!("\n{:58} {:>12} {:>12} {:12} {:>7}", "name", "ours", "theirs", "unit", "ratio");
        for row in &self.rows {
            println!("{}", line(row));
        }
        println!();
        for note in &self.notes {
            println!("{note}");
        }
        let rows: Vec<Value> = self.rows.iter().map(as_json).collect();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&json!({ "rows": rows, "notes": self.notes }))?;
        Ok(fs::write(file, format!("{text}\n"))?)
    }
}

/// Returns how many times as good ours is.
fn ratio(ours: f64, theirs: f64, better: Better) -> f64 {
    let (good, bad) = match better {
        Better::Higher => (ours, theirs),
        Better::Lower => (theirs, ours),
    };
    // Nothing lost against nothing lost is as good; against something it is a thousand times as good.
    if good == bad { 1.0 } else { (good / bad).min(RATIO_MAX) }
}

fn line(row: &Row) -> String {
    let Row { name, ours, theirs, unit, ratio } = row;
    let shown = |number: f64| match number.abs() {
        size if size >= 1_000.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.3}"),
    };
    format!("{name:58} {:>12} {:>12} {unit:12} {ratio:>7.2}", shown(*ours), shown(*theirs))
}

fn as_json(row: &Row) -> Value {
    let Row { name, ours, theirs, unit, ratio } = row;
    json!({ "name": name, "ours": ours, "theirs": theirs, "unit": unit, "ratio": ratio })
}

/// Returns the value below which this part of the sorted values lies.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_more_always_means_that_ours_is_as_good() {
        assert_eq!(ratio(30.0, 10.0, Better::Higher), 3.0);
        assert_eq!(ratio(10.0, 30.0, Better::Lower), 3.0);
        assert!(ratio(10.0, 30.0, Better::Higher) < 1.0);
        assert_eq!(ratio(0.0, 5.0, Better::Lower), RATIO_MAX);
        assert_eq!(ratio(5.0, 0.0, Better::Lower), 0.0);
        assert_eq!(ratio(0.0, 0.0, Better::Lower), 1.0);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), 100.0);
        assert_eq!(percentile(&values, 0.99), 198.0);
        assert_eq!(percentile(&values, 1.0), 200.0);
    }
}
