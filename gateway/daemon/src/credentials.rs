//! The credentials file: one line `SITE/NODE SECRET` a node, with `#` comments and empty lines.

use std::{collections::BTreeMap, fmt, path::Path};

use measure::{NodeKey, Slug};

use crate::failure::{Failure, OrFail};

/// The most bytes of a credentials file; a larger one is refused.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A secret, which never prints.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Returns the secret itself, for the one place that sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads a credentials file.
pub(crate) fn load(path: &Path) -> Result<BTreeMap<NodeKey, Secret>, Failure> {
    let what = || format!("cannot read the credentials file `{}`", path.display());
    let size = std::fs::metadata(path).or_unavailable(what())?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::data(format!(
            "the credentials file `{}` has {size} bytes; at most {FILE_BYTES_MAX} are read",
            path.display()
        )));
    }
    let text = std::fs::read_to_string(path).or_unavailable(what())?;
    parse(&text).map_err(|(line, message)| {
        Failure::data(format!("credentials file `{}`, line {line}: {message}", path.display()))
    })
}

fn parse(text: &str) -> Result<BTreeMap<NodeKey, Secret>, (usize, String)> {
    let mut found = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = |message: String| (index + 1, message);
        let mut words = line.split_whitespace();
        let (Some(name), Some(secret), None) = (words.next(), words.next(), words.next()) else {
            return Err(fault("must be `SITE/NODE SECRET`".to_owned()));
        };
        let key = node_key(name).map_err(fault)?;
        if found.insert(key.clone(), Secret(secret.to_owned())).is_some() {
            return Err(fault(format!("names the node {key} a second time")));
        }
    }
    Ok(found)
}

fn node_key(name: &str) -> Result<NodeKey, String> {
    let (site, node) = name.split_once('/').ok_or_else(|| format!("`{name}` must be SITE/NODE"))?;
    let slug = |part: &str| Slug::new(part).map_err(|error| format!("`{part}`: {error}"));
    Ok(NodeKey { site: slug(site)?, node: slug(node)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_fault(text: &str, line: usize, names: &str) {
        let (found, message) = parse(text).expect_err("the file is faulty");
        assert_eq!(found, line, "{message}");
        assert!(message.contains(names), "{message}");
    }

    #[test]
    fn comments_and_empty_lines_are_passed_over() {
        let found = parse("# demo\n\ndemo/bench-1 s3cret\n").unwrap();
        let (key, secret) = found.iter().next().unwrap();
        assert_eq!((key.to_string().as_str(), secret.reveal()), ("demo/bench-1", "s3cret"));
    }

    #[test]
    fn a_faulty_line_is_named() {
        check_fault("demo/a x\ndemo/b", 2, "SITE/NODE SECRET");
        check_fault("demo x", 1, "`demo` must be SITE/NODE");
        check_fault("demo/A x", 1, "`A`");
        check_fault("d/a x\nd/a y", 2, "second time");
    }

    #[test]
    fn a_secret_never_prints() {
        let found = parse("demo/bench-1 s3cret").unwrap();
        assert!(!format!("{found:?}").contains("s3cret"));
    }
}
