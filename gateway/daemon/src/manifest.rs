//! `MANIFEST.json` of a backup: what belongs to it, each file with length and SHA-256, and which
//! versions wrote it. Written last, so that a backup without one is none.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, OrFail};

/// The name of the file.
pub(crate) const FILE: &str = "MANIFEST.json";
/// The format of a backup that this version writes, and the newest that it restores.
pub(crate) const FORMAT: u32 = 1;
/// The most files of a backup; more are refused.
const FILES_MAX: usize = 10_000;
/// The longest manifest, in bytes; a longer one is refused.
const BYTES_MAX: u64 = 4 << 20;

/// What belongs to a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The format of the backup.
    pub(crate) miaopu_backup: u32,
    /// The version of the program that made it.
    pub(crate) version: String,
    /// When it was made, as RFC 3339.
    pub(crate) made: String,
    /// The format of the store.
    pub(crate) store_format: i64,
    /// The version of the registry's tables.
    pub(crate) registry_schema: u32,
    /// The position of the last commit in the store.
    pub(crate) store_position: u64,
    /// The position up to which alarms were judged.
    pub(crate) judged_position: u64,
    /// The files, in the order of their paths.
    pub(crate) files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its path in the backup, and in the data folder.
    pub(crate) path: String,
    /// Its length.
    pub(crate) bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub(crate) sha256: String,
}

impl Entry {
    /// Returns the path, which stays below the folder that it is joined to.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(&self.path)
    }
}

/// What is read first: the rest of a newer manifest may look different.
#[derive(Deserialize)]
struct Versions {
    miaopu_backup: u32,
    #[serde(default)]
    version: String,
    #[serde(default)]
    store_format: i64,
    #[serde(default)]
    registry_schema: u32,
}

impl Manifest {
    /// Reads and checks the manifest of a backup.
    pub(crate) fn load(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let shown = path.display().to_string();
        let absent = || {
            format!(
                "cannot read `{shown}`; a folder without one is no backup, or one that was broken off"
            )
        };
        let found = fs::metadata(&path).or_unavailable(absent())?;
        if found.len() > BYTES_MAX {
            return Err(Failure::data(format!("`{shown}` is longer than {BYTES_MAX} bytes")));
        }
        let text = fs::read_to_string(&path).or_unavailable(absent())?;
        Self::parse(&text).map_err(|message| Failure::data(format!("`{shown}`: {message}")))
    }

    /// Checks the text of a manifest; an error says what is wrong with it and what to do.
    fn parse(text: &str) -> Result<Self, String> {
        let versions: Versions =
            serde_json::from_str(text).map_err(|error| format!("is no manifest: {error}"))?;
        let newer = |what: &str, found: i64, known: i64| {
            format!(
                "the backup was made by miaopu {}, whose {what} is {found}; this version knows {known} \
                 at most: update miaopu to restore it",
                versions.version
            )
        };
        if versions.miaopu_backup > FORMAT {
            return Err(newer("backup format", versions.miaopu_backup.into(), FORMAT.into()));
        }
        let known = store::embedded::FORMAT;
        if versions.store_format > known {
            return Err(newer("store format", versions.store_format, known));
        }
        let known = registry::SCHEMA;
        if versions.registry_schema > known {
            return Err(newer("registry", versions.registry_schema.into(), known.into()));
        }
        let manifest: Self =
            serde_json::from_str(text).map_err(|error| format!("is no manifest: {error}"))?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.files.len() > FILES_MAX {
            return Err(format!("names {} files; at most {FILES_MAX} belong", self.files.len()));
        }
        let mut seen = BTreeSet::new();
        for entry in &self.files {
            let path = &entry.path;
            let parts = Path::new(path).components();
            let is_below = parts.clone().all(|part| matches!(part, Component::Normal(_)));
            if path.is_empty() || !is_below || path == FILE {
                return Err(format!("names the file `{path}`, which has no place in a backup"));
            }
            if !seen.insert(path) {
                return Err(format!("names the file `{path}` twice"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let entry = |path: &str| Entry { path: path.to_owned(), bytes: 3, sha256: "ab".to_owned() };
        Manifest {
            miaopu_backup: FORMAT,
            version: "0.1.0".to_owned(),
            made: "2026-11-23T06:00:00Z".to_owned(),
            store_format: store::embedded::FORMAT,
            registry_schema: registry::SCHEMA,
            store_position: 9,
            judged_position: 8,
            files: vec![entry("registry.sqlite"), entry("tls/ca.key")],
        }
    }

    #[track_caller]
    fn check_refused(change: impl FnOnce(&mut Manifest), names: &str) {
        let mut manifest = manifest();
        change(&mut manifest);
        let text = serde_json::to_string(&manifest).unwrap();
        let message = Manifest::parse(&text).unwrap_err();
        assert!(message.contains(names), "{message}");
    }

    #[test]
    fn what_is_written_is_read() {
        let text = serde_json::to_string_pretty(&manifest()).unwrap();
        assert_eq!(Manifest::parse(&text), Ok(manifest()));
    }

    #[test]
    fn a_backup_of_a_newer_version_is_refused() {
        check_refused(|it| it.miaopu_backup += 1, "update miaopu");
        check_refused(|it| it.store_format += 1, "store format");
        check_refused(|it| it.registry_schema += 1, "registry");
        let newer = r#"{"miaopu_backup": 9, "version": "3.0.0", "parts": []}"#;
        assert!(Manifest::parse(newer).unwrap_err().contains("miaopu 3.0.0"));
    }

    #[test]
    fn no_file_lies_outside_of_the_folder() {
        for path in ["../x", "/etc/passwd", "tls/../../x", "", "./x/..", FILE] {
            check_refused(|it| it.files[0].path = path.to_owned(), "no place");
        }
        check_refused(|it| it.files[0].path = it.files[1].path.clone(), "twice");
    }

    #[test]
    fn garbage_is_no_manifest() {
        for text in ["", "{}", "[]", "{\"miaopu_backup\": 1}", "null"] {
            assert!(Manifest::parse(text).unwrap_err().contains("no manifest"), "{text}");
        }
    }
}
