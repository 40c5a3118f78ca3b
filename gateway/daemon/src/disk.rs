//! The disk below the data: how much is free, what is forced down, and folders that are there whole
//! or not at all.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufReader, Read as _, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

/// What is read at once.
const CHUNK_BYTES: usize = 256 * 1_024;
/// Whoever writes a folder holds this file in it locked.
const LOCK: &str = ".lock";

/// Returns how many bytes a program may still write on the disk that holds `path`.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Returns how many bytes the files of a folder have, those of its folders aside.
pub(crate) fn bytes_in(folder: &Path) -> io::Result<u64> {
    bytes_with_prefix(folder, "")
}

/// Returns how many bytes the files of a folder have whose names begin so.
pub(crate) fn bytes_with_prefix(folder: &Path, prefix: &str) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            continue;
        }
        match entry.metadata() {
            Ok(found) if found.is_file() => bytes += found.len(),
            Ok(_) => {}
            // One that was removed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Returns whether a folder is absent or empty.
pub(crate) fn is_free(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Returns the SHA-256 of a file in hexadecimal, and its length; `progress` is told of every part.
pub(crate) fn sha256(path: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<(String, u64)> {
    pour(path, &mut io::sink(), progress)
}

/// Copies a file, readable by its owner only and forced to disk; returns SHA-256 and length of what
/// was written.
pub(crate) fn copy(
    from: &Path,
    to: &Path,
    progress: &mut dyn FnMut(u64),
) -> io::Result<(String, u64)> {
    let mut file = File::options().create_new(true).write(true).mode(0o600).open(to)?;
    let sum = pour(from, &mut file, progress)?;
    file.sync_all()?;
    Ok(sum)
}

fn pour(
    from: &Path,
    to: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> io::Result<(String, u64)> {
    let mut file = BufReader::with_capacity(CHUNK_BYTES, File::open(from)?);
    let (mut sum, mut bytes) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        let part = chunk.get(..read).unwrap_or_default();
        sum.update(part);
        to.write_all(part)?;
        bytes += read as u64;
        progress(read as u64);
    }
    let hex = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hex, bytes))
}

/// Forces a file, or the names in a folder, to disk.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a folder that only its owner can enter.
pub(crate) fn make_private_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A folder that is written under another name beside its own, `NAME.partial`, and gets its own when
/// it is whole. What is dropped before that is removed; what a kill left is removed by the next one.
#[derive(Debug)]
pub(crate) struct WholeFolder {
    target: PathBuf,
    partial: PathBuf,
    lock: Option<File>,
}

impl WholeFolder {
    /// Begins a folder that is absent or empty until now.
    pub(crate) fn begin(target: &Path) -> Result<Self> {
        let shown = target.display();
        if !is_free(target).with_context(|| format!("cannot look into `{shown}`"))? {
            bail!("`{shown}` is not empty; name a folder that is absent or empty");
        }
        let name = target.file_name().with_context(|| format!("`{shown}` has no name"))?;
        let mut partial_name = name.to_owned();
        partial_name.push(".partial");
        let partial = target.with_file_name(partial_name);
        if let Some(parent) = target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot make `{}`", parent.display()))?;
        }
        let making = || format!("cannot make `{}`", partial.display());
        make_private_folder(&partial).with_context(making)?;
        let path = partial.join(LOCK);
        let options = File::options().create(true).truncate(false).write(true).clone();
        let lock = options.open(&path).with_context(making)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another miaopu is writing `{shown}`"),
            Err(TryLockError::Error(error)) => return Err(error).with_context(making),
        }
        for entry in fs::read_dir(&partial).with_context(making)? {
            let entry = entry.with_context(making)?;
            let left = entry.path();
            let removed = match entry.file_type().with_context(making)? {
                kind if kind.is_dir() => fs::remove_dir_all(&left),
                _ if entry.file_name() == LOCK => Ok(()),
                _ => fs::remove_file(&left),
            };
            removed.with_context(|| format!("cannot remove `{}`", left.display()))?;
        }
        Ok(Self { target: target.to_owned(), partial, lock: Some(lock) })
    }

    /// Returns where it is written.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Forces it to disk and gives it its name.
    pub(crate) fn finish(mut self) -> Result<()> {
        let naming = || format!("cannot finish `{}`", self.target.display());
        fs::remove_file(self.partial.join(LOCK)).with_context(naming)?;
        sync(&self.partial).with_context(naming)?;
        fs::rename(&self.partial, &self.target).with_context(naming)?;
        self.lock = None;
        let parent = self.target.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new("."))).with_context(naming)
    }
}

impl Drop for WholeFolder {
    fn drop(&mut self) {
        // Without the lock it is finished, and has its own name.
        if self.lock.is_some()
            && let Err(error) = fs::remove_dir_all(&self.partial)
        {
            eprintln!("cannot remove `{}`: {error}", self.partial.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b");
        let folder = WholeFolder::begin(&target).unwrap();
        fs::write(folder.path().join("one"), "1").unwrap();
        drop(folder);
        assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 0);
        let folder = WholeFolder::begin(&target).unwrap();
        fs::write(folder.path().join("one"), "1").unwrap();
        assert!(!target.exists());
        folder.finish().unwrap();
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
        let refused = WholeFolder::begin(&target).unwrap_err().to_string();
        assert!(refused.contains("is not empty"), "{refused}");
    }

    #[test]
    fn what_a_kill_left_is_removed_and_what_another_writes_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        let left = dir.path().join("a.partial/tls");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("key"), "1").unwrap();
        let folder = WholeFolder::begin(&target).unwrap();
        assert!(!left.exists());
        let refused = WholeFolder::begin(&target).unwrap_err().to_string();
        assert!(refused.contains("another miaopu"), "{refused}");
        folder.finish().unwrap();
        assert!(target.is_dir() && !folder_named(dir.path(), "a.partial"));
    }

    fn folder_named(dir: &Path, name: &str) -> bool {
        dir.join(name).exists()
    }

    #[test]
    fn the_sum_is_that_of_sha256() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "abc").unwrap();
        let (sum, bytes) = copy(&from, &to, &mut |_| {}).unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((bytes, sha256(&to, &mut |_| {}).unwrap()), (3, (sum, 3)));
    }
}
