//! The reserve: room on the disk that is kept for the day on which it is full.
//!
//! A full disk must not silence the gateway: alarms, people's answers and the record of changes are
//! written all the same, into the room that the reserve gives up. Readings are not: their nodes keep
//! them, and they flow again once there is room for a new reserve and as much again.
//!
//! | free disk | reserve | readings |
//! |---|---|---|
//! | at least [`FREE_BYTES_LOW`] | kept | flow |
//! | less, or a write found no room | given up at once | stopped, the nodes keep them |
//! | still less than [`FREE_BYTES_NEEDED`] | none | stopped |
//! | at least [`FREE_BYTES_NEEDED`] | made anew | flow |

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::fs::{FallocateFlags, fallocate};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::disk;

/// The name of the reserve in the data folder.
pub(crate) const FILE: &str = "reserve";
/// How much is kept back, in bytes.
pub(crate) const RESERVE_BYTES: u64 = 16 << 20;
/// With less free than this the reserve is given up, before anything has failed to be written.
pub(crate) const FREE_BYTES_LOW: u64 = 4 << 20;
/// With so much free the reserve is made anew and readings flow again.
pub(crate) const FREE_BYTES_NEEDED: u64 = 2 * RESERVE_BYTES;
/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The reserve of a data folder.
#[derive(Debug)]
pub(crate) struct Reserve {
    folder: PathBuf,
    path: PathBuf,
    bytes: Sizes,
    /// Held while the file is made or removed.
    changing: Mutex<()>,
    short: watch::Sender<bool>,
}

/// The three limits; tests have smaller ones.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    reserve: u64,
    low: u64,
    needed: u64,
}

const SIZES: Sizes =
    Sizes { reserve: RESERVE_BYTES, low: FREE_BYTES_LOW, needed: FREE_BYTES_NEEDED };

impl Reserve {
    /// Makes the reserve of a data folder where there is room for it, or takes up the one that is
    /// there. Where the disk is full already it is given up, so that the gateway can start at all.
    pub(crate) fn prepare(folder: &Path) -> Arc<Self> {
        let reserve = Arc::new(Self::new(folder, SIZES));
        reserve.look();
        reserve
    }

    fn new(folder: &Path, bytes: Sizes) -> Self {
        let (folder, path) = (folder.to_owned(), folder.join(FILE));
        let short = watch::Sender::new(false);
        Self { folder, path, bytes, changing: Mutex::new(()), short }
    }

    /// Returns the data folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns whether the reserve is there in full.
    pub(crate) fn is_present(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| found.len() >= self.bytes.reserve)
    }

    /// Returns whether the disk is too full for readings.
    pub(crate) fn is_short(&self) -> bool {
        *self.short.borrow()
    }

    /// Returns where is told whether the disk is too full for readings.
    pub(crate) fn short(&self) -> watch::Receiver<bool> {
        self.short.subscribe()
    }

    /// Gives the reserve up, because something found no room on the disk.
    pub(crate) fn give_up(&self) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.short.send_replace(true) {
            return;
        }
        let was_there = match fs::remove_file(&self.path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                error!(%error, file = %self.path.display(), "Cannot give up the reserve.");
                false
            }
        };
        error!(
            reserve_given_up = was_there,
            free_bytes = disk::free_bytes(&self.folder).unwrap_or(0),
            needed_bytes = self.bytes.needed,
            folder = %self.folder.display(),
            "The disk is full: readings are stopped and stay in the nodes; alarms and people's \
             answers are still written. Make room on the disk."
        );
    }

    /// Looks at the disk, and gives the reserve up or makes it anew as it demands.
    pub(crate) fn look(&self) {
        let free = match disk::free_bytes(&self.folder) {
            Ok(free) => free,
            Err(error) => {
                warn!(%error, folder = %self.folder.display(), "Cannot ask how full the disk is.");
                return;
            }
        };
        let (is_short, is_present) = (self.is_short(), self.is_present());
        if is_present && !is_short {
            if free < self.bytes.low {
                self.give_up();
            }
        } else if free < self.bytes.needed {
            if !is_short {
                self.give_up();
            }
        } else {
            self.make_anew(is_short);
        }
    }

    fn make_anew(&self, is_short: bool) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match make(&self.path, self.bytes.reserve) {
            Ok(()) => {
                self.short.send_replace(false);
                if is_short {
                    info!("There is room on the disk again: the reserve is made, readings flow.");
                }
            }
            Err(error) => {
                warn!(%error, file = %self.path.display(), "Cannot make the reserve; tried again.");
            }
        }
    }
}

/// Looks at the disk every second until told to stop.
pub(crate) async fn watch_over(reserve: Arc<Reserve>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(looks.tick()).await.is_some() {
        let reserve = Arc::clone(&reserve);
        // A disk may take its time to answer.
        if let Err(error) = tokio::task::spawn_blocking(move || reserve.look()).await {
            error!(%error, "Looking at the disk panicked.");
        }
    }
}

/// Makes a file that has its blocks on the disk: all of it, or nothing.
fn make(path: &Path, bytes: u64) -> io::Result<()> {
    let made = allocate(path, bytes);
    if made.is_err() {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    made
}

fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let options = File::options().create(true).truncate(true).write(true).mode(0o600).clone();
    let mut file = options.open(path)?;
    if fallocate(&file, FallocateFlags::empty(), 0, bytes).is_err() {
        // A file system that knows no such thing, or no room: writing tells which.
        let zeros = vec![0; 1 << 20];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(zeros.len() as u64);
            file.write_all(zeros.get(..part as usize).unwrap_or_default())?;
            left -= part;
        }
    }
    file.sync_all()?;
    let found = file.metadata()?;
    if found.len() < bytes || found.blocks() * 512 < bytes {
        return Err(io::Error::other("the file system keeps no room for it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Sizes = Sizes { reserve: 1 << 20, low: 0, needed: 2 << 20 };

    fn reserve(folder: &Path, sizes: Sizes) -> Reserve {
        Reserve::new(folder, sizes)
    }

    #[test]
    fn a_reserve_has_its_blocks_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = reserve(folder.path(), SMALL);
        reserve.look();
        let found = fs::metadata(folder.path().join(FILE)).unwrap();
        assert!(found.blocks() * 512 >= SMALL.reserve && found.len() == SMALL.reserve);
        assert_eq!(found.mode() & 0o077, 0);
        assert!(reserve.is_present() && !reserve.is_short());
    }

    #[test]
    fn it_is_given_up_at_once_and_made_anew_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = reserve(folder.path(), SMALL);
        reserve.look();
        let mut told = reserve.short();
        assert!(!*told.borrow_and_update());
        reserve.give_up();
        assert!(!reserve.is_present() && *told.borrow_and_update());
        reserve.look();
        assert!(reserve.is_present() && !*told.borrow_and_update());
    }

    #[test]
    fn a_low_disk_gives_it_up_before_a_write_fails() {
        let folder = tempfile::tempdir().unwrap();
        reserve(folder.path(), SMALL).look();
        let low = reserve(folder.path(), Sizes { low: u64::MAX, needed: u64::MAX, ..SMALL });
        assert!(low.is_present());
        low.look();
        assert!(!low.is_present() && low.is_short());
        // Nothing has changed, so nothing changes.
        low.look();
        assert!(!low.is_present() && low.is_short());
    }

    #[test]
    fn a_reserve_that_finds_no_room_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no-such-folder").join(FILE);
        assert!(make(&path, 1).is_err());
        assert!(!path.exists());
    }
}
