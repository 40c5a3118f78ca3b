//! Child processes and waiting.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// Returns the root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Returns the `miaopu` that `MIAOPU_BINARY` names, or the one that was built beside the running test.
pub fn binary() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("MIAOPU_BINARY") {
        return Ok(PathBuf::from(named));
    }
    let mut folder = std::env::current_exe().context("a test knows its own path")?;
    while folder.pop() {
        let found = folder.join("miaopu");
        if found.is_file() {
            return Ok(found);
        }
    }
    bail!("`miaopu` is not built: run `cargo build --release -p daemon` first")
}

/// Returns a port of the loopback that is free now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// With its standard error, where it does not start or exits non-zero.
pub fn run(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}: {}", String::from_utf8_lossy(&stderr));
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// Asks again and again until the answer is `Some`.
///
/// # Errors
/// Where it is still `None` after `patience`; `what` names what was waited for.
pub fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if began.elapsed() > patience {
            bail!("waited {patience:?} in vain for {what}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
