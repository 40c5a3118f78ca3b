//! What processes and threads use: memory, processor time, disk.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Clock ticks of /proc a second: `getconf CLK_TCK` is 100 on every Linux that we run on.
const TICKS_A_SECOND: f64 = 100.0;

/// Returns the greatest resident memory of a process so far, in MB.
pub(crate) fn peak_mb(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line.context("a process has a peak")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1_024.0 / 1e6)
}

/// Returns the processor time of a process so far, in seconds.
pub(crate) fn cpu_s(process: u32) -> Result<f64> {
    ticks(&fs::read_to_string(format!("/proc/{process}/stat"))?)
}

/// Returns the processor time of the threads of this process that have a name, in seconds.
pub(crate) fn cpu_of_threads_s(name: &str) -> Result<f64> {
    let mut sum = 0.0;
    for task in fs::read_dir("/proc/self/task")? {
        let folder = task?.path();
        // A thread may end between the two.
        let Ok(found) = fs::read_to_string(folder.join("comm")) else { continue };
        if found.trim() == name
            && let Ok(stat) = fs::read_to_string(folder.join("stat"))
        {
            sum += ticks(&stat)?;
        }
    }
    Ok(sum)
}

fn ticks(stat: &str) -> Result<f64> {
    // The name may hold spaces; what follows it does not (proc(5)).
    let rest = stat.rsplit_once(") ").context("a stat line")?.1;
    let field = |at: usize| rest.split(' ').nth(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = field(11).zip(field(12)).context("a stat line has times")?;
    Ok((user + system) / TICKS_A_SECOND)
}

/// Returns what lies under a folder, in bytes of whole blocks.
pub(crate) fn bytes_under(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum +=
            if metadata.is_dir() { bytes_under(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(sum)
}
