//! `miaopu backup` and `miaopu restore`: everything that a gateway cannot do without, in one folder,
//! taken while it runs.
//!
//! | in the backup | what it is |
//! |---|---|
//! | `registry.sqlite` | nursery, nodes, people, alarms, record of changes |
//! | `store/series.sqlite` | readings and journal |
//! | `tls/` | the gateway's own certificates and keys, where it has any |
//! | `MANIFEST.json` | every file with length and SHA-256, the positions, the versions |
//!
//! The registry is held first, then the store, each as one moment. What alarms have judged must lie
//! within the journal that the store's moment still holds, so that judging goes on after a restore
//! as after a restart. Not in it: the reserve, and the flash of simulated nodes, whose readings it
//! would bring back under sequences that were used again since.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cli::{BackupArgs, RestoreArgs},
    clock::Clock,
    disk::{self, WholeFolder},
    failure::{Failure, OrFail},
    manifest::{self, Entry, Manifest},
    series::{self, INFLUX_FOLDER, STORE_FOLDER},
};

/// The folder of certificates and keys in the data folder.
const TLS_FOLDER: &str = "tls";
/// How often the two moments are taken anew where they do not fit, and the pause between.
const TRIES_MAX: u32 = 20;
const TRY_PAUSE: Duration = Duration::from_millis(100);
/// Room beyond the files' own bytes that must be free: folders, manifest, blocks.
const ROOM_BYTES: u64 = 1 << 20;

/// Makes a backup, while the gateway runs or not.
pub(crate) fn backup(arguments: &BackupArgs) -> Result<(), Failure> {
    let (data, to) = (&arguments.data, &arguments.to);
    let what = format!("cannot back up `{}` to `{}`", data.display(), to.display());
    let manifest = write(data, to).or_unavailable(what)?;
    let bytes: u64 = manifest.files.iter().map(|entry| entry.bytes).sum();
    eprintln!(
        "{} files, {} MiB, up to position {} in `{}`",
        manifest.files.len(),
        bytes.div_ceil(1 << 20),
        manifest.store_position,
        to.display()
    );
    Ok(())
}

/// Two moments that fit together.
struct Moment {
    registry: registry::Snapshot,
    store: store::embedded::Snapshot,
}

fn hold(data: &Path) -> Result<Moment> {
    let registry_file = data.join(registry::FILE);
    if !registry_file.is_file() {
        bail!("there is no data in `{}`", data.display());
    }
    for _ in 0..TRIES_MAX {
        let registry = registry::Snapshot::take(&registry_file)?;
        let file = data.join(series::file_in(data));
        let store = store::embedded::Snapshot::take(file.parent().unwrap_or(data))?;
        let judged = registry.judged();
        if store.trimmed().0 <= judged && judged <= store.position().0 {
            return Ok(Moment { registry, store });
        }
        // The journal was trimmed between the two: judging went on in that moment.
        std::thread::sleep(TRY_PAUSE);
    }
    Err(anyhow!(
        "registry and store do not fit together; start the gateway once, so that it judges what it \
         has missed, and back up again"
    ))
}

fn write(data: &Path, to: &Path) -> Result<Manifest> {
    let folder = WholeFolder::begin(to)?;
    let moment = hold(data)?;
    let keys = files_below(data, Path::new(TLS_FOLDER))?;
    let key_bytes = keys.iter().map(|path| Ok(fs::metadata(data.join(path))?.len()));
    let bytes = moment.registry.bytes()
        + moment.store.bytes()
        + key_bytes.sum::<Result<u64>>().context("cannot read the keys")?;
    require_room(folder.path(), bytes)?;

    // Each byte is copied, then summed.
    let bar = progress_bar(2 * bytes)?;
    // Of a gateway over InfluxDB its own part: what a bucket holds is taken up at the next start.
    let store_file = series::file_in(data);
    if let Some(of) = store_file.parent() {
        disk::make_private_folder(&folder.path().join(of))?;
    }
    moment
        .registry
        .copy_to(&folder.path().join(registry::FILE), &mut |done| bar.set_position(done))
        .context("cannot copy the registry")?;
    let before = bar.position();
    moment
        .store
        .copy_to(&folder.path().join(&store_file), &mut |done| bar.set_position(before + done))
        .context("cannot copy the store")?;
    make_private(&folder.path().join(&store_file))?;
    for path in &keys {
        let target = folder.path().join(path);
        if let Some(parent) = target.parent() {
            disk::make_private_folder(parent)?;
        }
        disk::copy(&data.join(path), &target, &mut |read| bar.inc(read))
            .with_context(|| format!("cannot copy `{}`", path.display()))?;
    }
    let mut paths = vec![PathBuf::from(registry::FILE), store_file];
    paths.extend(keys);
    paths.sort();
    let files = paths.iter().map(|path| entry(folder.path(), path, &bar)).collect::<Result<_>>()?;
    let manifest = Manifest {
        miaopu_backup: manifest::FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made: made_at(),
        store_format: store::embedded::FORMAT,
        registry_schema: moment.registry.schema(),
        store_position: moment.store.position().0,
        judged_position: moment.registry.judged(),
        files,
    };
    seal(folder.path(), &manifest)?;
    folder.finish()?;
    bar.finish_and_clear();
    Ok(manifest)
}

/// Forces a file of the backup to disk, and reads it back for its sum.
fn entry(folder: &Path, path: &Path, bar: &ProgressBar) -> Result<Entry> {
    let (file, shown) = (folder.join(path), path.display().to_string());
    disk::sync(&file).with_context(|| format!("cannot write `{shown}` to disk"))?;
    let (sha256, bytes) = disk::sha256(&file, &mut |read| bar.inc(read))
        .with_context(|| format!("cannot read `{shown}` back"))?;
    Ok(Entry { path: shown, bytes, sha256 })
}

/// Writes the manifest, when everything else is on disk.
fn seal(folder: &Path, manifest: &Manifest) -> Result<()> {
    sync_folders(folder, manifest)?;
    let mut text = serde_json::to_string_pretty(manifest)?;
    text.push('\n');
    let path = folder.join(manifest::FILE);
    fs::write(&path, text).context("cannot write the manifest")?;
    make_private(&path)?;
    disk::sync(&path).context("cannot write the manifest to disk")
}

fn sync_folders(folder: &Path, manifest: &Manifest) -> Result<()> {
    for entry in &manifest.files {
        for parent in entry.path().ancestors().skip(1) {
            disk::sync(&folder.join(parent))
                .with_context(|| format!("cannot write `{}` to disk", parent.display()))?;
        }
    }
    Ok(())
}

fn made_at() -> String {
    let now = Clock::system().now();
    jiff::Timestamp::from_microsecond(now.micros())
        .map_or_else(|_| String::new(), |at| format!("{at:.0}"))
}

fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot make `{}` private", path.display()))
}

/// Returns the files below a folder of the data, by their paths in the data. Links are passed over:
/// what they point to is not the gateway's own.
fn files_below(data: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let reading = || format!("cannot look into `{}`", folder.display());
    let entries = match fs::read_dir(data.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(reading),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(reading)?;
        let (kind, path) = (entry.file_type().with_context(reading)?, entry.file_name());
        let path = folder.join(path);
        if kind.is_dir() {
            found.extend(files_below(data, &path)?);
        } else if kind.is_file() && path.extension().is_none_or(|ending| ending != "partial") {
            found.push(path);
        } else if kind.is_symlink() {
            eprintln!("`{}` is a link and is not backed up", path.display());
        }
    }
    Ok(found)
}

fn require_room(folder: &Path, bytes: u64) -> Result<()> {
    let needed = bytes + ROOM_BYTES;
    let free = disk::free_bytes(folder).context("cannot ask how full the disk is")?;
    if free < needed {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        bail!(
            "the disk of `{}` has {} MiB free and {} MiB are needed; make room, or name a folder on \
             another disk",
            folder.display(),
            mib(free),
            mib(needed)
        );
    }
    Ok(())
}

fn progress_bar(bytes: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {eta} left")?;
    let bar = ProgressBar::new(bytes).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

/// Brings a backup into a new data folder: all of it, or nothing.
pub(crate) fn restore(arguments: &RestoreArgs) -> Result<(), Failure> {
    let (from, data) = (&arguments.from, &arguments.data);
    let manifest = Manifest::load(from)?;
    let what = || format!("cannot restore `{}` into `{}`", from.display(), data.display());
    let is_free = disk::is_free(data).or_unavailable(what())?;
    if !is_free {
        return Err(Failure::usage(format!(
            "the data folder `{}` is not empty; a restore never mixes with what is there: name one that \
             is absent or empty",
            data.display()
        )));
    }
    let bytes: u64 = manifest.files.iter().map(|entry| entry.bytes).sum();
    let bar = progress_bar(2 * bytes).or_unavailable(what())?;
    verify(from, &manifest, &bar)?;
    bring_in(from, data, &manifest, bytes, &bar).or_unavailable(what())?;
    bar.finish_and_clear();
    eprintln!(
        "`{}` holds the backup of {}, up to position {}",
        data.display(),
        manifest.made,
        manifest.store_position
    );
    Ok(())
}

/// Compares every file with the manifest, before anything is written.
fn verify(from: &Path, manifest: &Manifest, bar: &ProgressBar) -> Result<(), Failure> {
    let series = [STORE_FOLDER, INFLUX_FOLDER].map(|of| format!("{of}/{}", store::embedded::FILE));
    for required in [&[registry::FILE.to_owned()][..], &series] {
        if !manifest.files.iter().any(|entry| required.contains(&entry.path)) {
            return Err(Failure::data(format!("the backup lacks `{}`", required.join("` or `"))));
        }
    }
    for entry in &manifest.files {
        let shown = &entry.path;
        let (sha256, bytes) = disk::sha256(&from.join(entry.path()), &mut |read| bar.inc(read))
            .or_data(format!("cannot read `{shown}` of the backup"))?;
        if (&sha256, bytes) != (&entry.sha256, entry.bytes) {
            return Err(Failure::data(format!(
                "`{shown}` of the backup is damaged: {bytes} bytes with SHA-256 {sha256}, where the \
                 manifest says {} bytes with {}; use another backup",
                entry.bytes, entry.sha256
            )));
        }
    }
    Ok(())
}

fn bring_in(
    from: &Path,
    data: &Path,
    manifest: &Manifest,
    bytes: u64,
    bar: &ProgressBar,
) -> Result<()> {
    let folder = WholeFolder::begin(data)?;
    require_room(folder.path(), bytes)?;
    for entry in &manifest.files {
        let path = entry.path();
        let target = folder.path().join(&path);
        if let Some(parent) = target.parent() {
            disk::make_private_folder(parent)?;
        }
        let (sha256, _) = disk::copy(&from.join(&path), &target, &mut |read| bar.inc(read))
            .with_context(|| format!("cannot copy `{}`", entry.path))?;
        if sha256 != entry.sha256 {
            bail!("`{}` changed while it was copied", entry.path);
        }
    }
    sync_folders(folder.path(), manifest)?;
    folder.finish()
}
