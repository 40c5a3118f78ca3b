//! The module's flash: the regions of `partitions.csv`, found by their names in the partition table.
//!
//! There is one flash and there are several users of it (the node's ring, the update slot, the boot
//! loader's state); each of them has a [`Region`], which can reach nothing else. A call works at once
//! and holds the processor meanwhile: a word takes some 20 µs, an erase of a page some 45 ms.
//!
//! A brown-out resets the chip below about 2.5 V; the flash itself works down to 2.3 V or less
//! (by its type), so that a write ends before its supply does. What a cut leaves half done the
//! node finds and repairs at its next start.

use core::cell::RefCell;
use core::fmt;

use embassy_sync::blocking_mutex::CriticalSectionMutex;
use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::peripherals::FLASH;
use esp_storage::{FlashStorage, FlashStorageError};

/// The unit of an erase, in bytes.
pub(crate) const PAGE_BYTES: u32 = FlashStorage::SECTOR_SIZE;
/// The most pages of the ring: more of them in the partition table are left alone.
pub(crate) const RING_PAGES: usize = 300;

/// The flash, once [`open`] has taken it.
static STORAGE: CriticalSectionMutex<RefCell<Option<FlashStorage<'static>>>> =
    CriticalSectionMutex::new(RefCell::new(None));

/// Why the flash cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// The flash does not hold the partition table that this firmware was made for: this name is
    /// missing from it.
    Partition(&'static str),
    /// The partition table is damaged or not there.
    Table,
    /// The flash chip failed.
    Chip(FlashStorageError),
    /// A call from outside the region.
    OutOfRegion,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(name) => write!(f, "the partition table has no usable `{name}`"),
            Self::Table => f.write_str("there is no partition table"),
            Self::Chip(error) => write!(f, "the flash chip failed: {error:?}"),
            Self::OutOfRegion => f.write_str("a call from outside its region"),
        }
    }
}

impl NorFlashError for Error {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfRegion | Self::Chip(FlashStorageError::OutOfBounds) => {
                NorFlashErrorKind::OutOfBounds
            }
            Self::Chip(FlashStorageError::NotAligned) => NorFlashErrorKind::NotAligned,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// The regions that are this firmware's own business.
pub(crate) struct Regions {
    /// One page: who the node is.
    pub(crate) provision: Region,
    /// How far an update has come.
    pub(crate) update: Region,
    /// The update slots.
    pub(crate) slots: [Region; 2],
    /// The node's identity and its ring.
    pub(crate) node: Region,
}

/// Takes the flash and finds its regions. Call it once: a second call would panic in the driver.
// Its buffer is 3 KiB: not inlined, so that the tasks can use the stack again.
#[inline(never)]
pub(crate) fn open(flash: FLASH<'static>) -> Result<Regions, Error> {
    let mut storage = FlashStorage::new(flash);
    let mut buffer = [0; PARTITION_TABLE_MAX_LEN];
    let table = read_partition_table(&mut storage, &mut buffer).map_err(|_| Error::Table)?;
    let capacity = storage.capacity();
    let find = |name: &'static str, pages_min: u32| {
        let mut entries = table.iter();
        let entry = entries.find(|entry| entry.label_as_str() == name);
        let entry = entry.filter(|entry| {
            let end = entry.offset().saturating_add(entry.len());
            entry.len() >= pages_min * PAGE_BYTES && end as usize <= capacity
        });
        let region = entry.map(|entry| Region { start: entry.offset(), bytes: entry.len() });
        region.ok_or(Error::Partition(name))
    };
    let regions = Regions {
        provision: find("provision", 1)?,
        update: find("update", 2)?,
        slots: [find("ota_0", 2)?, find("ota_1", 2)?],
        node: find("node", node::IDENTITY_PAGES + 2)?,
    };
    STORAGE.lock(|cell| cell.replace(Some(storage)));
    Ok(regions)
}

/// Hands the whole flash to `work`, for the boot loader's own state.
pub(crate) fn with<T>(
    work: impl FnOnce(&mut FlashStorage<'static>) -> Result<T, Error>,
) -> Result<T, Error> {
    STORAGE.lock(|cell| match cell.borrow_mut().as_mut() {
        Some(storage) => work(storage),
        None => Err(Error::Table),
    })
}

/// A part of the flash, with offsets of its own.
#[derive(Debug)]
pub(crate) struct Region {
    start: u32,
    bytes: u32,
}

impl Region {
    /// Returns the size, in bytes.
    pub(crate) const fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Reads from `offset` on.
    pub(crate) fn read_now(&self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        let at = self.address(offset, bytes.len())?;
        with(|storage| storage.read_nor(at, bytes).map_err(Error::Chip))
    }

    fn address(&self, offset: u32, length: usize) -> Result<u32, Error> {
        let length = u32::try_from(length).map_err(|_| Error::OutOfRegion)?;
        match offset.checked_add(length) {
            Some(end) if end <= self.bytes => Ok(self.start + offset),
            _ => Err(Error::OutOfRegion),
        }
    }
}

impl ErrorType for Region {
    type Error = Error;
}

impl ReadNorFlash for Region {
    const READ_SIZE: usize = FlashStorage::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.read_now(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.bytes as usize
    }
}

impl NorFlash for Region {
    const WRITE_SIZE: usize = FlashStorage::WRITE_SIZE;
    const ERASE_SIZE: usize = FlashStorage::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        let length = to.checked_sub(from).ok_or(Error::OutOfRegion)?;
        let at = self.address(from, length as usize)?;
        with(|storage| storage.erase(at, at + length).map_err(Error::Chip))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let at = self.address(offset, bytes.len())?;
        with(|storage| storage.write_nor(at, bytes).map_err(Error::Chip))
    }
}

/// The flash types of these modules (no ECC) take a second write to a word, which clears more bits.
impl MultiwriteNorFlash for Region {}
