//! A real browser: small scripts for Playwright, run by node.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use harness::repository;
use serde_json::Value;

/// Runs `tests/stories/SCRIPT` with arguments, calls `watching` when it says that it watches, and
/// returns the JSON that it prints last.
pub(crate) fn browse(
    script: &str,
    arguments: &[&str],
    watching: impl FnOnce() -> Result<()>,
) -> Result<Value> {
    let mut child = Command::new("node")
        .arg(repository().join("tests/stories").join(script))
        .args(arguments)
        .current_dir(repository().join("dashboard"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node")?;
    let output = child.stdout.take().context("its output is piped")?;
    let mut watching = Some(watching);
    let mut last = String::new();
    for line in BufReader::new(output).lines() {
        last = line?;
        if last == "watching"
            && let Some(watching) = watching.take()
        {
            watching()?;
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "{script} ended with {status}, after `{last}`");
    serde_json::from_str(&last).with_context(|| format!("`{last}` is no JSON"))
}
