//! Ed25519 keys: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

use crate::Error;

/// What stands before the seed in a PKCS#8 key without its public half (RFC 8410 §7).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A key that signs. Never printed.
pub struct KeyPair(Ed25519KeyPair);

/// The public half, as it is built into images. As text: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; update::KEY_BYTES]);

impl KeyPair {
    /// Draws a key; returns it with its file's text.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn draw() -> Result<(Self, String), Error> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| {
            Error::new(
                "系统没有给出随机数;请稍后再试",
                "the system gave no random numbers; try again",
            )
        })?;
        let der = [&PKCS8_HEAD[..], &seed].concat();
        let text = format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(der));
        Ok((Self::parse(&text)?, text))
    }

    /// Reads a key's file.
    ///
    /// # Errors
    /// Where it is no Ed25519 key in PEM.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let none = || {
            Error::new(
                "不是 PEM 格式的 Ed25519 私钥;请用 miaopu firmware key 生成",
                "this is no Ed25519 private key in PEM; `miaopu firmware key` makes one",
            )
        };
        let body =
            text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).ok_or_else(none)?;
        let body: String = body.0.split_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| none())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| none())
    }

    /// Returns the public half.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; update::KEY_BYTES];
        for (to, from) in key.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(key)
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        for (to, from) in signature.iter_mut().zip(self.0.sign(bytes).as_ref()) {
            *to = *from;
        }
        signature
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public().id())
    }
}

impl PublicKey {
    /// Returns its short name: the first 16 hexadecimal digits of its SHA-256.
    pub fn id(&self) -> String {
        Sha256::digest(self.0).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut key = [0; update::KEY_BYTES];
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        let bytes: Option<Vec<u8>> = pairs.collect();
        let bytes = bytes.filter(|bytes| bytes.len() == key.len()).ok_or_else(|| {
            Error::new(
                format!("“{text}”不是公钥;公钥为 64 位十六进制数字"),
                format!("`{text}` is no public key, which has 64 hexadecimal digits"),
            )
        })?;
        key.copy_from_slice(&bytes);
        Ok(Self(key))
    }
}
