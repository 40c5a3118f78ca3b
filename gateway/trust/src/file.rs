//! Files that are there whole or not at all, and keys that only their owner reads.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner.
    Owner = 0o600,
    /// Everybody.
    All = 0o644,
}

/// Writes a new file and has it on disk when it returns.
pub(crate) fn write_new(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(readers as u32).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Writes a file in the place of an older one: a power cut leaves the one or the other.
pub(crate) fn replace(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
    let beside = path.with_extension("new");
    remove_if_there(&beside)?;
    write_new(&beside, text, readers)?;
    fs::rename(&beside, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder, empty, that only its owner enters.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    DirBuilder::new().mode(0o700).recursive(true).create(path)
}

/// Has the names in a folder on disk when it returns.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
