//! Secrets: drawn at random, shown once, kept as a hash.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest as _, Sha256};

use crate::Error;

/// A secret that was just drawn. Prints as `***`; [`Secret::reveal`] shows it, once and on purpose.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Draws a secret of 256 bits that nothing keeps.
    ///
    /// # Errors
    /// Where the operating system gives no randomness.
    pub fn drawn() -> Result<Self, Error> {
        Self::draw("")
    }

    /// Draws 256 bits, written in 52 characters after `prefix`.
    pub(crate) fn draw(prefix: &str) -> Result<Self, Error> {
        Ok(Self(format!("{prefix}{}", base32(&random::<32>()?))))
    }

    /// Draws a password of 100 bits that a person can type: four groups of five characters.
    pub(crate) fn draw_password() -> Result<Self, Error> {
        let text = base32(&random::<13>()?);
        let groups: Vec<&str> = (0..4).filter_map(|i| text.get(i * 5..i * 5 + 5)).collect();
        Ok(Self(groups.join("-")))
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Returns the SHA-256 of a drawn secret. Enough for 256 random bits; a person's password needs
/// argon2.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Returns whether two hashes are the same, in a time that doesn't depend on where they differ.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).fold(0, |differs, (x, y)| black_box(differs | (x ^ y))) == 0
}

/// Draws 128 bits that name something and are no secret, in 26 letters and digits.
pub(crate) fn draw_id() -> Result<String, Error> {
    Ok(base32(&random::<16>()?))
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Randomness)?;
    Ok(bytes)
}

/// Writes bytes in the lower-case letters and digits of RFC 4648 base32, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(&mut out, ALPHABET, buffer >> bits);
        }
    }
    if bits > 0 {
        push(&mut out, ALPHABET, buffer << (5 - bits));
    }
    out
}

fn push(out: &mut String, alphabet: &[u8; 32], bits: u32) {
    if let Some(letter) = alphabet.get((bits & 31) as usize) {
        out.push(char::from(*letter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(b""), "");
        assert_eq!(base32(b"f"), "my");
        assert_eq!(base32(b"fo"), "mzxq");
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
    }

    #[test]
    fn secrets_differ_and_do_not_print() {
        let (a, b) = (Secret::draw("mp_").unwrap(), Secret::draw("mp_").unwrap());
        assert!(a != b && a.reveal().len() == 3 + 52);
        assert_eq!(format!("{a:?}"), "***");
        assert_eq!(Secret::draw_password().unwrap().reveal().len(), 23);
    }

    #[test]
    fn only_equal_hashes_are_the_same() {
        assert!(same(&hash("a"), &hash("a")));
        assert!(!same(&hash("a"), &hash("b")));
        assert!(!same(&hash("a"), &[]));
    }
}
