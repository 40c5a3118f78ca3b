//! Firmware updates on the node: who signed an image, how its bytes come into the flash, and whether it
//! stays. No I/O but the flash, no clock, no randomness, no allocation.
//!
//! ```text
//! let mut updater = Updater::open(slot, progress, RELEASE, loader).await?;   // once, at the start
//! // Action::Offer{id, manifest, signature} of the node:
//! match verify(manifest, signature, KEYS, &Ours { target, release: RELEASE, slot_bytes }) {
//!     Ok(manifest) => { updater.begin(&manifest).await?; /* answer done */ }
//!     Err(refusal) => { /* answer refused, wire::detail(format_args!("{refusal}")) */ }
//! }
//! // Action::Chunk(chunk): updater.chunk(&chunk, now).await?
//! // After each session's first acknowledgement: updater.linked().
//! // Whenever nothing else is to do:
//! while updater.work().await? == Work::More { /* let sampling and the link go first */ }
//! if let Some(word) = updater.say(now, random) { /* node.report_update(word) */ }
//! if updater.is_staged() { /* said; mark the slot for the boot loader, restart */ }
//! ```
//!
//! # What the boot loader needs
//!
//! - `embassy-boot`: the slot is its DFU partition, one page ([`Updater`]'s `D::ERASE_SIZE`) larger than the
//!   active one, because a swap shifts the pages by one. `Ours::slot_bytes` is the size of the ACTIVE one.
//!   Both begin and end at a page. Image bytes are padded with 0xFF to the word that is written at once
//!   (`D::WRITE_SIZE`); the padding is neither signed nor hashed. The loader itself verifies nothing:
//!   `mark_updated` only where [`Updater::is_staged`].
//! - ESP-IDF: the slot is the OTA partition that does not run; `slot_bytes` is its size.
//! - The progress region is neither of the loader's partitions: it outlives the swap.
//!
//! # What a power cut does
//!
//! A page of the slot counts when it was written whole, read back and marked in the progress region. At
//! the next start the first page without a mark is wanted again from its beginning, and erased before
//! it is written; at most one page comes twice. The image is hashed from flash before it is staged,
//! so that whatever a cut left cannot be started.
//!
//! # Limits
//!
//! | what | limit | what happens there |
//! |---|---|---|
//! | [`wire::MANIFEST_BYTES_MAX`] | 128 bytes of manifest | refused |
//! | [`wire::CHUNK_BYTES_MAX`] | 512 bytes in a chunk | others than the one asked for are ignored |
//! | [`WANT_RESEND_MS`] | 5 s without a chunk | asked again, 0 to 1 s later |
//! | [`WANTS_QUICK_MAX`] | 12 questions in vain | then one every [`WANT_SLOW_MS`] = 60 s |
//! | [`PAGE_TRIES_MAX`] | 3 times a page that reads back wrong | refused: the slot is worn |
//! | [`IMAGE_TRIES_MAX`] | 3 whole images with a wrong hash | refused until it is offered anew |
//! | [`STAGES_MAX`] | 3 starts of one image | rolled back: it never came up |
//! | [`TRIAL_MS`] | 10 min for the self-test | the node restarts, the loader goes back |
//!
//! # Memory
//!
//! An [`Updater`] takes less than 512 bytes; its futures hold a chunk once more, and a signature takes
//! 9 KiB of stack for its verification.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod manifest;
mod progress;
mod trial;
mod updater;
mod verify;
mod want;

pub use manifest::{Manifest, ManifestError, VERSION_BYTES_MAX, Version};
pub use trial::{TRIAL_MS, Trial, Verdict};
pub use updater::{
    Begun, Error, IMAGE_TRIES_MAX, Loader, PAGE_TRIES_MAX, STAGES_MAX, Took, Updater, Word, Work,
};
pub use verify::{KEY_BYTES, Ours, Refusal, is_signed, verify};
pub use want::{WANT_JITTER_MS, WANT_RESEND_MS, WANT_SLOW_MS, WANTS_QUICK_MAX};
