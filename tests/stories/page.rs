//! A real browser: small scripts for Playwright, run by node.

use std::process::Command;

use anyhow::{Context, Result};
use harness::{repository, run};
use serde_json::Value;

/// Runs `tests/stories/SCRIPT` with arguments and returns the JSON that it prints last.
pub(crate) fn browse(script: &str, arguments: &[&str]) -> Result<Value> {
    let printed = run(Command::new("node")
        .arg(repository().join("tests/stories").join(script))
        .args(arguments)
        .current_dir(repository().join("dashboard")))?;
    let last = printed.lines().last().context("the script printed nothing")?;
    serde_json::from_str(last).with_context(|| format!("`{last}` is no JSON"))
}
