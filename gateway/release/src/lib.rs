//! Firmware packages and the keys that sign them: bytes to values and back, no I/O.
//!
//! # The package file, `.mpf`
//!
//! One CBOR array of definite length:
//!
//! | place | what |
//! |---|---|
//! | 0 | the manifest, a byte string of at most 128 bytes: CBOR of `manifest` in `miaopu.cddl` |
//! | 1 | the signature of exactly these bytes (Ed25519, RFC 8032), a byte string of 64 |
//! | 2 | the image, a byte string of at most [`IMAGE_BYTES_MAX`] |
//! | 3 | the public key that the signature is checked with, a byte string of 32 |
//!
//! The key in a package says who signed it and no more: a node takes what one of the keys built into it
//! has signed, whatever stands here.
//!
//! # Limits
//!
//! | what | limit | what happens there |
//! |---|---|---|
//! | [`IMAGE_BYTES_MAX`] | 4 MiB of image | refused |
//! | [`PACKAGE_BYTES_MAX`] | 4 MiB + 512 bytes of package | refused |

mod key;
mod package;

pub use key::{KeyPair, PublicKey};
pub use package::{IMAGE_BYTES_MAX, PACKAGE_BYTES_MAX, Package};

/// Why bytes are no package or no key, for people: what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{en}")]
pub struct Error {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Error {
    pub(crate) fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}
