//! How far an update has come, in flash pages of its own.
//!
//! # Bytes
//!
//! | from | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `MPU1` |
//! | 4 | 1 | images of this manifest that arrived whole with a wrong hash |
//! | 5 | 1 | length of the manifest |
//! | 6 | 2 | 0xFF |
//! | 8 | 128 | the manifest, then 0xFF |
//! | 136 | 8 | the first bytes of the SHA-256 of all before |
//! | 144 | 16 | 0xFF |
//! | 160 | [`STAGES_MAX`] marks | the image was given to the boot loader |
//! | then | 1 mark | the boot loader went back from it |
//! | then | a mark a page of the slot | the page is written and was read back |
//!
//! A mark is one word of the flash: zeros where it is set. One that a power cut left halfway is not
//! set, and is written again: hence a flash that allows it.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use sha2::{Digest as _, Sha256};
use wire::MANIFEST_BYTES_MAX;

use crate::updater::STAGES_MAX;
use crate::{Error, Manifest};

const MAGIC: [u8; 4] = *b"MPU1";
const MANIFEST_AT: usize = 8;
const SUM_AT: usize = MANIFEST_AT + MANIFEST_BYTES_MAX;
const SUM_BYTES: usize = 8;
/// A whole number of the largest words.
const HEADER_BYTES: usize = 160;
/// The largest word of a flash, in bytes.
const WORD_BYTES_MAX: usize = 32;

/// The region.
#[derive(Debug)]
pub(crate) struct Progress<P>(P);

/// What it is about.
pub(crate) struct Header {
    pub(crate) manifest: Manifest,
    pub(crate) tries: u8,
}

impl<P: MultiwriteNorFlash> Progress<P> {
    /// Takes the region for a slot of so many pages.
    pub(crate) fn new<D>(flash: P, pages: u32) -> Result<Self, Error<D, P::Error>> {
        let word = P::WRITE_SIZE;
        let marks = pages as usize + STAGES_MAX as usize + 1;
        if word == 0 || !WORD_BYTES_MAX.is_multiple_of(word) {
            return Err(Error::Layout("the word of the progress region"));
        }
        if flash.capacity() < HEADER_BYTES + marks * word {
            return Err(Error::Layout("the progress region is too small for the slot"));
        }
        Ok(Self(flash))
    }

    /// Returns what is under way, or `None` where nothing is or its record is damaged.
    pub(crate) async fn header(&mut self) -> Result<Option<Header>, P::Error> {
        let mut bytes = [0; HEADER_BYTES];
        self.0.read(0, &mut bytes).await?;
        Ok(read(&bytes))
    }

    /// Forgets all from before, and begins with this one.
    pub(crate) async fn begin(&mut self, manifest: &Manifest, tries: u8) -> Result<bool, P::Error> {
        let page = P::ERASE_SIZE as u32;
        let pages = self.0.capacity() as u32 / page;
        // The header goes first, so that it never stands over marks of which some are gone.
        for index in 0..pages {
            self.0.erase(index * page, (index + 1) * page).await?;
        }
        let Some(bytes) = written(manifest, tries) else { return Ok(false) };
        self.0.write(0, &bytes).await?;
        let mut back = [0; HEADER_BYTES];
        self.0.read(0, &mut back).await?;
        Ok(back == bytes)
    }

    /// Returns how often the image was given to the boot loader.
    pub(crate) async fn stages(&mut self) -> Result<u8, P::Error> {
        let mut count = 0;
        while count < STAGES_MAX && self.is_set(u32::from(count)).await? {
            count += 1;
        }
        Ok(count)
    }

    pub(crate) async fn mark_stage(&mut self, before: u8) -> Result<(), P::Error> {
        self.set(u32::from(before)).await
    }

    pub(crate) async fn is_rolled_back(&mut self) -> Result<bool, P::Error> {
        self.is_set(u32::from(STAGES_MAX)).await
    }

    pub(crate) async fn mark_rolled_back(&mut self) -> Result<(), P::Error> {
        self.set(u32::from(STAGES_MAX)).await
    }

    /// Returns how many pages of the slot, from its first on, are good.
    pub(crate) async fn pages(&mut self, of: u32) -> Result<u32, P::Error> {
        let mut count = 0;
        while count < of && self.is_set(u32::from(STAGES_MAX) + 1 + count).await? {
            count += 1;
        }
        Ok(count)
    }

    pub(crate) async fn mark_page(&mut self, page: u32) -> Result<(), P::Error> {
        self.set(u32::from(STAGES_MAX) + 1 + page).await
    }

    async fn is_set(&mut self, mark: u32) -> Result<bool, P::Error> {
        let mut word = [0xFF; WORD_BYTES_MAX];
        let word = word.split_at_mut(P::WRITE_SIZE).0;
        self.0.read(place::<P>(mark), word).await?;
        Ok(word.iter().all(|byte| *byte == 0))
    }

    async fn set(&mut self, mark: u32) -> Result<(), P::Error> {
        let word = [0; WORD_BYTES_MAX];
        self.0.write(place::<P>(mark), word.split_at(P::WRITE_SIZE).0).await
    }
}

const fn place<P: MultiwriteNorFlash>(mark: u32) -> u32 {
    HEADER_BYTES as u32 + mark * P::WRITE_SIZE as u32
}

fn written(manifest: &Manifest, tries: u8) -> Option<[u8; HEADER_BYTES]> {
    let mut bytes = [0xFF; HEADER_BYTES];
    let (said, rest) = bytes.split_at_mut(SUM_AT);
    let (head, body) = said.split_at_mut(MANIFEST_AT);
    let length = manifest.encode(body).ok()?;
    let fields = [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], tries, u8::try_from(length).ok()?];
    head.get_mut(..fields.len())?.copy_from_slice(&fields);
    rest.get_mut(..SUM_BYTES)?.copy_from_slice(Sha256::digest(said).get(..SUM_BYTES)?);
    Some(bytes)
}

fn read(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
    let (said, rest) = bytes.split_at(SUM_AT);
    let (head, body) = said.split_at(MANIFEST_AT);
    let is_whole = rest.get(..SUM_BYTES)? == Sha256::digest(said).get(..SUM_BYTES)?;
    if !is_whole || !head.starts_with(&MAGIC) {
        return None;
    }
    let (tries, length) = (*head.get(4)?, usize::from(*head.get(5)?));
    Some(Header { manifest: Manifest::decode(body.get(..length)?).ok()?, tries })
}
