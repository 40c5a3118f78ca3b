//! Tests of the engine as a whole.

mod basics;

use tempfile::TempDir;

use super::{Engine, Options};

/// Returns an empty directory.
fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Opens the engine in `dir`.
fn open(dir: &TempDir) -> Engine {
    Engine::open(dir.path(), Options::default()).unwrap()
}
