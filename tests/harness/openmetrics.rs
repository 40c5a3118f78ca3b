//! A strict reader of OpenMetrics text: what it takes, Prometheus takes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

/// What was collected: every sample by its name and labels as they are written.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Metrics {
    /// Reads a whole exposition.
    ///
    /// # Errors
    /// Where it breaks a rule: an unknown or scattered family, a name without its suffix, a label that
    /// is not quoted, a value that is no number, a bucket less than the one before, a missing end.
    pub fn parse(text: &str) -> Result<Self> {
        let mut metrics = Self::default();
        let body = text.strip_suffix("# EOF\n").context("the text does not end in `# EOF`")?;
        let mut family = String::new();
        for line in body.lines() {
            metrics.line(line, &mut family).with_context(|| format!("line `{line}`"))?;
        }
        metrics.check_histograms()?;
        Ok(metrics)
    }

    fn line(&mut self, line: &str, family: &mut String) -> Result<()> {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (kind, name) = (words.next(), words.next());
            let (Some(kind), Some(name), Some(said)) = (kind, name, words.next()) else {
                bail!("a comment that is none of HELP, TYPE, UNIT");
            };
            ensure!(is_name(name), "`{name}` is no name");
            if name != family {
                ensure!(!self.kinds.contains_key(name), "the family `{name}` is scattered");
                self.kinds.insert(name.to_owned(), String::new());
                name.clone_into(family);
            }
            match kind {
                "HELP" => ensure!(!said.is_empty(), "an empty help"),
                "UNIT" => ensure!(name.ends_with(&format!("_{said}")), "the name lacks its unit"),
                "TYPE" => {
                    let known = ["counter", "gauge", "histogram", "info"].contains(&said);
                    ensure!(known, "an unknown type");
                    self.kinds.insert(name.to_owned(), said.to_owned());
                }
                _ => bail!("a comment that is none of HELP, TYPE, UNIT"),
            }
            return Ok(());
        }
        let (series, value) = line.rsplit_once(' ').context("no value")?;
        let name = series.split('{').next().unwrap_or_default();
        labels(series)?;
        let suffixes: &[&str] = match self.kinds.get(family).map(String::as_str) {
            Some("counter") => &["_total"],
            Some("gauge") => &[""],
            Some("histogram") => &["_bucket", "_sum", "_count"],
            Some("info") => &["_info"],
            _ => bail!("a sample before its TYPE"),
        };
        let is_of = suffixes.iter().any(|suffix| name == format!("{family}{suffix}"));
        ensure!(is_of, "no sample of the family `{family}`");
        let value: f64 = value.parse().context("the value is no number")?;
        ensure!(self.samples.insert(series.to_owned(), value).is_none(), "told twice");
        Ok(())
    }

    /// Buckets are cumulative, end in +Inf, and count what `_count` counts.
    fn check_histograms(&self) -> Result<()> {
        let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (series, value) in &self.samples {
            let Some((name, rest)) = series.split_once("_bucket{") else { continue };
            let parts = labels(&format!("x{{{rest}"))?;
            let le = parts.iter().find(|(key, _)| key == "le").context("a bucket without `le`")?;
            let others = parts.iter().filter(|(key, _)| key != "le");
            let others: Vec<_> = others.map(|(key, value)| format!("{key}=\"{value}\"")).collect();
            let at = if le.1 == "+Inf" { f64::INFINITY } else { le.1.parse()? };
            let labels =
                if others.is_empty() { String::new() } else { format!("{{{}}}", others.join(",")) };
            buckets.entry(format!("{name}_count{labels}")).or_default().push((at, *value));
        }
        for (count, mut found) in buckets {
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            ensure!(found.is_sorted_by(|a, b| a.1 <= b.1), "`{count}`: buckets shrink");
            let last = found.last().context("a bucket is there")?;
            ensure!(last.0.is_infinite(), "`{count}`: no bucket +Inf");
            ensure!(self.samples.get(&count) == Some(&last.1), "`{count}` is not its last bucket");
        }
        Ok(())
    }

    /// Returns one sample, by name and labels as they are written.
    ///
    /// # Errors
    /// Where it was not collected.
    pub fn get(&self, series: &str) -> Result<f64> {
        let found = self.samples.get(series).copied();
        found.with_context(|| format!("`{series}` was not collected"))
    }

    /// Returns the names of all families.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// Returns every value of a label, over all samples.
    ///
    /// # Errors
    /// Where a label can't be read.
    pub fn values_of(&self, label: &str) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for series in self.samples.keys() {
            let own = labels(series)?.into_iter().filter(|(key, _)| key == label);
            found.extend(own.map(|(_, value)| value));
        }
        Ok(found)
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Reads `name{key="value",...}`.
fn labels(series: &str) -> Result<Vec<(String, String)>> {
    let Some((name, rest)) = series.split_once('{') else {
        ensure!(is_name(series), "`{series}` is no name");
        return Ok(Vec::new());
    };
    ensure!(is_name(name), "`{name}` is no name");
    let mut rest = rest.strip_suffix('}').context("labels without an end")?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"").context("a label that is not quoted")?;
        ensure!(is_name(key), "`{key}` is no label");
        let (mut value, mut end) = (String::new(), None);
        let mut escaped = false;
        for (at, letter) in after.char_indices() {
            match letter {
                _ if escaped => {
                    ensure!(['\\', '"', 'n'].contains(&letter), "an unknown escape");
                    value.push(letter);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at);
                    break;
                }
                other => value.push(other),
            }
        }
        let end = end.context("a label without an end")?;
        rest = after.get(end + 1..).unwrap_or_default();
        if let Some(next) = rest.strip_prefix(',') {
            ensure!(!next.is_empty(), "a comma too many");
            rest = next;
        } else {
            ensure!(rest.is_empty(), "labels without a comma between");
        }
        ensure!(found.iter().all(|(known, _)| known != key), "the label `{key}` twice");
        found.push((key.to_owned(), value));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_b Some help.\n# TYPE a_b counter\na_b_total{c=\"d\\\"\"} 3\n\
        # HELP h_seconds Long.\n# TYPE h_seconds histogram\n# UNIT h_seconds seconds\n\
        h_seconds_sum 1.5\nh_seconds_count 2\nh_seconds_bucket{le=\"1.0\"} 1\n\
        h_seconds_bucket{le=\"+Inf\"} 2\n# EOF\n";

    #[test]
    fn what_keeps_the_rules_is_read() {
        let metrics = Metrics::parse(GOOD).unwrap();
        assert_eq!(metrics.get("a_b_total{c=\"d\\\"\"}").unwrap(), 3.0);
        assert_eq!(metrics.families().collect::<Vec<_>>(), ["a_b", "h_seconds"]);
    }

    #[test]
    fn what_breaks_a_rule_is_refused() {
        let changes = [
            ("# EOF\n", ""),
            ("a_b_total", "a_b"),
            ("c=\"d\\\"\"", "c=d"),
            (" 3\n", " three\n"),
            ("counter", "number"),
            ("le=\"1.0\"} 1", "le=\"1.0\"} 5"),
            ("h_seconds_count 2", "h_seconds_count 3"),
            ("h_seconds_sum 1.5", "h_seconds_sum 1.5\nh_seconds_sum 1.5"),
            ("# UNIT h_seconds seconds", "# UNIT h_seconds bytes"),
            ("# TYPE a_b counter\n", ""),
        ];
        for (from, to) in changes {
            assert!(GOOD.contains(from), "{from}");
            assert!(Metrics::parse(&GOOD.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }
}
