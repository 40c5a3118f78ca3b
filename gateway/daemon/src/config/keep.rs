//! `[store]`: how long readings are kept before roll-ups stand for them.

use std::time::Duration;

use measure::Quantity;
use store::embedded::{Keep, Policy};

use super::Reader;

/// The word for what never goes.
const FOR_GOOD: &str = "forever";
const DAY: Duration = Duration::from_secs(86_400);
/// A year is never shorter than one of the calendar.
const YEAR_DAYS: u32 = 366;

impl Reader<'_> {
    /// Reads how long what is kept.
    pub(super) fn keep(&mut self) -> Option<Policy> {
        let raw = self.span("store.keep_raw");
        let ten_minutes = self.span("store.keep_ten_minutes");
        let of = self.of_quantities();
        let usual = Keep { raw: raw?, ten_minutes: ten_minutes? };
        let of: Vec<(Quantity, Keep)> =
            of?.into_iter().map(|(of, raw)| (of, Keep { raw, ..usual })).collect();
        let is_too_short = |keep: &Keep| match (keep.raw, keep.ten_minutes) {
            (Some(raw), Some(ten_minutes)) => ten_minutes < raw,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_too_short(&usual) || of.iter().any(|(_, keep)| is_too_short(keep)) {
            let message = "is shorter than readings themselves are kept: make it at least as long";
            self.fault("store.keep_ten_minutes", message);
            return None;
        }
        Some(Policy { usual, of })
    }

    fn span(&mut self, path: &'static str) -> Option<Option<Duration>> {
        let text = self.text_or_default(path)?;
        let span = span(&text);
        if span.is_none() {
            self.fault(path, not_a_span(&text));
        }
        span
    }

    fn of_quantities(&mut self) -> Option<Vec<(Quantity, Option<Duration>)>> {
        const KEY: &str = "store.keep_raw_of";
        let Some(text) = self.text(KEY) else { return Some(Vec::new()) };
        let mut of: Vec<(Quantity, Option<Duration>)> = Vec::new();
        let mut is_sound = true;
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            let (name, value) = (name.trim(), value.trim());
            let quantity = Quantity::ALL.into_iter().find(|quantity| quantity.name() == name);
            match (quantity, span(value)) {
                (Some(quantity), Some(_)) if of.iter().any(|(other, _)| *other == quantity) => {
                    self.fault(KEY, format!("`{name}` stands there twice"));
                    is_sound = false;
                }
                (Some(quantity), Some(span)) => of.push((quantity, span)),
                (None, _) => {
                    let message = format!("`{name}` is no quantity; write such as `co2 = 1y`");
                    self.fault(KEY, message);
                    is_sound = false;
                }
                (_, None) => {
                    self.fault(KEY, not_a_span(value));
                    is_sound = false;
                }
            }
        }
        is_sound.then_some(of)
    }
}

fn not_a_span(text: &str) -> String {
    format!(
        "`{text}` is no span; write days, weeks or years such as 90d, 12w or 2y, or `{FOR_GOOD}`"
    )
}

/// Reads a span of at least a day, such as `90d`, `12w` or `2y`; the inner `None` is for good.
fn span(text: &str) -> Option<Option<Duration>> {
    if text == FOR_GOOD {
        return Some(None);
    }
    let at = text.len().checked_sub(1)?;
    let (number, unit) = (text.get(..at)?, text.get(at..)?);
    let days_each = match unit {
        "d" => 1,
        "w" => 7,
        "y" => YEAR_DAYS,
        _ => return None,
    };
    let days = number.parse::<u32>().ok()?.checked_mul(days_each).filter(|days| *days > 0)?;
    DAY.checked_mul(days).map(Some)
}

#[cfg(test)]
mod tests {
    use super::super::{parse, tests::faulty_keys};
    use super::*;

    fn days(days: u32) -> Option<Duration> {
        Some(DAY * days)
    }

    #[test]
    fn everything_is_kept_unless_the_file_says_otherwise() {
        assert!(parse("data = \"d\"").unwrap().keep.keeps_all());
        let text = "data = \"d\"\n[store]\nkeep_raw = \"2y\"\nkeep_ten_minutes = \"5y\"\n\
                    keep_raw_of = \"co2 = 90d, ppfd = 12w,\"";
        let keep = parse(text).unwrap().keep;
        assert_eq!(keep.usual, Keep { raw: days(732), ten_minutes: days(1_830) });
        assert_eq!(keep.keep(Quantity::Co2).raw, days(90));
        assert_eq!(keep.keep(Quantity::Ppfd), Keep { raw: days(84), ten_minutes: days(1_830) });
    }

    #[test]
    fn a_span_that_is_none_is_named() {
        for text in ["", "2", "y", "0d", "-1d", "2 y", "99999999999y", "1.5y", "两年"] {
            assert_eq!(span(text), None, "{text}");
        }
        faulty_keys("data = \"d\"\n[store]\nkeep_raw = \"soon\"", &["store.keep_raw"]);
        faulty_keys("data = \"d\"\n[store]\nkeep_raw_of = \"love = 2y\"", &["store.keep_raw_of"]);
        faulty_keys("data = \"d\"\n[store]\nkeep_raw_of = \"co2\"", &["store.keep_raw_of"]);
        let twice = "data = \"d\"\n[store]\nkeep_raw_of = \"co2=2y,co2=3y\"";
        faulty_keys(twice, &["store.keep_raw_of"]);
    }

    #[test]
    fn roll_ups_are_kept_as_long_as_readings() {
        for text in [
            "keep_raw = \"2y\"\nkeep_ten_minutes = \"1y\"",
            "keep_ten_minutes = \"1y\"",
            "keep_raw = \"1y\"\nkeep_ten_minutes = \"1y\"\nkeep_raw_of = \"co2 = 2y\"",
        ] {
            faulty_keys(&format!("data = \"d\"\n[store]\n{text}"), &["store.keep_ten_minutes"]);
        }
    }
}
