//! Whether an image may be taken: who signed it, what it is for, and that it is newer.

use measure::Slug;
use wire::SIGNATURE_BYTES;

use crate::{Manifest, ManifestError};

/// The bytes of a public key.
pub const KEY_BYTES: usize = 32;

/// What the running image is, and what room there is for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    /// What this board's images are made for.
    pub target: Slug,
    /// The running release.
    pub release: u32,
    /// The longest image that the board can start, in bytes.
    pub slot_bytes: u32,
}

/// Why an image is not taken. As text it fits [`wire::Detail`] but for long names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None of our keys made the signature.
    #[error("signed by none of our keys")]
    Signature,
    /// What was signed is no manifest.
    #[error(transparent)]
    Manifest(ManifestError),
    /// It is made for other boards.
    #[error("made for {0}")]
    Target(Slug),
    /// It is the running release, or an older one.
    #[error("release {offered} is not above {running}")]
    Release {
        /// The one in the manifest.
        offered: u32,
        /// The one that runs.
        running: u32,
    },
    /// It is longer than the slot.
    #[error("{length} bytes, room for {slot_bytes}")]
    Length {
        /// The length in the manifest.
        length: u32,
        /// The longest that can be started.
        slot_bytes: u32,
    },
}

/// Checks an offered image, in this order: signature, form of the manifest, target, release, length.
/// Any of the keys may have signed it, so that a key can be replaced by an image that knows both.
///
/// # Errors
/// The first check that fails.
pub fn verify(
    manifest: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
    keys: &[[u8; KEY_BYTES]],
    ours: &Ours,
) -> Result<Manifest, Refusal> {
    if !keys.iter().any(|key| is_signed(manifest, signature, key)) {
        return Err(Refusal::Signature);
    }
    let manifest = Manifest::decode(manifest).map_err(Refusal::Manifest)?;
    if manifest.target != ours.target {
        return Err(Refusal::Target(manifest.target));
    }
    if manifest.release <= ours.release {
        let (offered, running) = (manifest.release, ours.release);
        return Err(Refusal::Release { offered, running });
    }
    if manifest.length > ours.slot_bytes {
        let (length, slot_bytes) = (manifest.length, ours.slot_bytes);
        return Err(Refusal::Length { length, slot_bytes });
    }
    Ok(manifest)
}

/// The order of the base point, little-endian (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Returns whether this key signed these bytes (Ed25519, RFC 8032 §5.1.7).
pub fn is_signed(bytes: &[u8], signature: &[u8; SIGNATURE_BYTES], key: &[u8; KEY_BYTES]) -> bool {
    // `salty` takes an S that was raised by the order as well; RFC 8032 does not.
    let (_, scalar) = signature.split_at(32);
    if !scalar.iter().rev().lt(ORDER.iter().rev()) {
        return false;
    }
    let Ok(key) = salty::PublicKey::try_from(key) else { return false };
    key.verify(bytes, &salty::Signature::from(signature)).is_ok()
}
