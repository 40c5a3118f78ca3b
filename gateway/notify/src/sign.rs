//! The signature of a webhook's request, after Standard Webhooks 1.0.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use measure::Timestamp;
use sha2::Sha256;

/// The shortest and the longest key, in bytes; another one is refused (Standard Webhooks, "Symmetric
/// signatures").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that signs requests. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

/// Why a text is no signing key. The text itself is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// It does not begin with `whsec_`, or what follows is no base64.
    #[error("the key must be `whsec_` and then base64")]
    Form,
    /// It is too short or too long.
    #[error("the key must have 24 to 64 bytes behind `whsec_`, in base64")]
    Length,
}

impl SigningKey {
    /// Reads a key as `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// Where it is not of that form.
    pub fn new(text: &str) -> Result<Self, SigningKeyError> {
        let base64 = text.trim().strip_prefix("whsec_").ok_or(SigningKeyError::Form)?;
        let key = STANDARD.decode(base64).map_err(|_| SigningKeyError::Form)?;
        if KEY_BYTES.contains(&key.len()) { Ok(Self(key)) } else { Err(SigningKeyError::Length) }
    }

    /// Returns the signature of a request: `v1,` and the base64 of HMAC-SHA256 over
    /// `id.timestamp.body`, the timestamp in whole seconds since 1970.
    pub(crate) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let seconds = at.millis().div_euclid(1_000);
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard_s_own_example() {
        // The test vector of the standard's reference libraries.
        let key = SigningKey::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let at = Timestamp::from_millis(1_614_265_330_000).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_has_its_form_and_its_length() {
        assert_eq!(SigningKey::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Err(SigningKeyError::Form));
        assert_eq!(SigningKey::new("whsec_?"), Err(SigningKeyError::Form));
        assert_eq!(SigningKey::new("whsec_aGVsbG8="), Err(SigningKeyError::Length));
        let key = SigningKey::new(" whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        assert_eq!(format!("{key:?}"), "***");
    }
}
