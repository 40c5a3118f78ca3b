//! The data dictionary beside an export: what every column, unit, flag and gap means.

use std::collections::BTreeSet;

use measure::{Fault, Quality, Quantity};
use serde_json::{Value, json};

use crate::corrections::Corrections;
use crate::rows::{Summary, columns, instant};

/// Returns the dictionary of an export. Nothing in it depends on when or where it was made.
pub fn dictionary(summary: &Summary, corrections: &Corrections, sha256: &str) -> Value {
    let used: BTreeSet<Quantity> =
        summary.series.iter().map(|series| series.key.quantity).collect();
    let mut dictionary = json!({
        "format": "miaopu-readings",
        "format_version": 1,
        "from": instant(summary.request.from),
        "to": instant(summary.request.to),
        "rows": summary.rows,
        "sha256": sha256,
        "encoding": "CSV after RFC 4180, UTF-8, comma, LF",
        "columns": columns(summary.is_calibrated),
        "quantities": used.into_iter().map(quantity).collect::<Vec<_>>(),
        "quality_flags": {
            "standard": "IOOS QARTOD, Manual for Real-Time Oceanographic Data Quality Control Flags, version 1.2, 2020",
            "flags": Quality::ALL.map(|flag| json!({ "code": flag.code(), "name": flag.name() })),
        },
        "faults": Fault::ALL.map(Fault::name),
        "series": summary.series.iter().map(|series| json!({
            "site": series.key.node.site.as_str(),
            "zone": series.zone.as_ref().map(measure::Slug::as_str),
            "node": series.key.node.node.as_str(),
            "position": series.key.position.as_str(),
            "quantity": series.key.quantity.name(),
            "unit": series.key.quantity.ucum(),
            "rows": series.rows,
            "faults": series.faults,
            "first": instant(series.first),
            "last": instant(series.last),
        })).collect::<Vec<_>>(),
        "gaps": summary.gaps.iter().map(|gap| json!({
            "site": gap.node.site.as_str(),
            "node": gap.node.node.as_str(),
            "flash": gap.flash.to_string(),
            "first_sequence": gap.range.first.0,
            "last_sequence": gap.range.last.0,
            "reason": gap.reason.name(),
            "told": instant(gap.at),
        })).collect::<Vec<_>>(),
    });
    let rolled_up = summary.rolled_up.iter().map(|(key, raw_from)| {
        json!({
            "site": key.node.site.as_str(),
            "node": key.node.node.as_str(),
            "position": key.position.as_str(),
            "quantity": key.quantity.name(),
            "readings_from": instant(*raw_from),
        })
    });
    if let Some(fields) = dictionary.as_object_mut().filter(|_| !summary.rolled_up.is_empty()) {
        fields.insert("rolled_up".to_owned(), rolled_up.collect());
    }
    let Some(fields) = dictionary.as_object_mut() else { return dictionary };
    if summary.is_calibrated {
        let channels = summary.series.iter().map(|series| &series.key);
        let span = (summary.request.from, summary.request.to);
        fields.insert("calibrations".to_owned(), corrections.told(channels, span).into());
    }
    let told = fields.get_mut("series").and_then(Value::as_array_mut).into_iter().flatten();
    for (told, summary) in told.zip(&summary.series) {
        if let Some((told, inputs)) =
            told.as_object_mut().zip(corrections.derived_from(&summary.key))
        {
            told.insert("derived_from".to_owned(), inputs.into());
        }
    }
    dictionary
}

pub(crate) fn quantity(quantity: Quantity) -> Value {
    let (low, high) = quantity.range();
    let unit = |steps| measure::Scaled(steps).to_f64(quantity);
    json!({
        "name": quantity.name(),
        "unit": quantity.ucum(),
        "unit_system": "UCUM",
        "decimals": quantity.decimals(),
        "gross_range": [unit(low), unit(high)],
    })
}
