//! Where and in which language a person is told of alarms.

use core::fmt;
use core::str::FromStr;

/// The longest e-mail address, in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets); a longer one
/// is refused.
pub const EMAIL_BYTES_MAX: usize = 254;

/// The longest part before the `@`, in bytes (RFC 5321 §4.5.3.1.1); a longer one is refused.
pub const EMAIL_LOCAL_BYTES_MAX: usize = 64;

/// A language that people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Language {
    /// Returns the name used in files, commands and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zh => "zh",
            Self::En => "en",
        }
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, UnknownLanguage> {
        match name {
            "zh" => Ok(Self::Zh),
            "en" => Ok(Self::En),
            other => Err(UnknownLanguage(other.into())),
        }
    }
}

/// A name that is no language's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no language; languages are zh and en")]
pub struct UnknownLanguage(pub String);

/// An e-mail address that can stand in a header and an SMTP command as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

/// A text that is no e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no e-mail address such as li@example.com, of letters without accents")]
pub struct EmailError(pub String);

impl EmailAddress {
    /// Checks an address.
    ///
    /// # Errors
    /// Where it has no name or no host, is too long, or has a character that a header or an SMTP
    /// command would read as something else.
    pub fn new(text: &str) -> Result<Self, EmailError> {
        let refused = || EmailError(text.chars().take(EMAIL_BYTES_MAX).collect());
        let (local, host) = text.split_once('@').ok_or_else(refused)?;
        let plain = |c: char| c.is_ascii_graphic() && !"<>()[]\\,;:\"@".contains(c);
        let dots = |part: &str| part.split('.').all(|piece| !piece.is_empty());
        let of_host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let right = text.len() <= EMAIL_BYTES_MAX
            && local.len() <= EMAIL_LOCAL_BYTES_MAX
            && local.chars().all(plain)
            && dots(local)
            && host.chars().all(of_host)
            && dots(host);
        if right { Ok(Self(text.to_owned())) } else { Err(refused()) }
    }

    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what stands behind the `@`.
    pub fn host(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, host)| host)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where and in which language a person is told of alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The address; none where the person has none.
    pub email: Option<EmailAddress>,
    /// The language that comes first.
    pub language: Language,
    /// Whether alarms wake this person.
    pub wakes: bool,
}

impl Default for Contact {
    /// Nowhere yet; Chinese first; to be woken once there is an address.
    fn default() -> Self {
        Self { email: None, language: Language::Zh, wakes: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: bool) {
        assert_eq!(EmailAddress::new(text).is_ok(), expect, "{text:?}");
    }

    #[test]
    fn an_address_is_a_name_and_a_host() {
        check("li@example.com", true);
        check("li.lei+miaopu@mail.nanchuan-nursery.cn", true);
        check("root@localhost", true);
        check("li", false);
        check("@example.com", false);
        check("li@", false);
        check("li@a@b", false);
        check("li..lei@example.com", false);
        check("李@example.com", false);
        check(&format!("{}@example.com", "a".repeat(65)), false);
        check(&format!("a@{}", "b".repeat(EMAIL_BYTES_MAX)), false);
    }

    #[test]
    fn an_address_can_smuggle_nothing_into_a_header() {
        check("li@example.com\r\nBcc: all@example.com", false);
        check("li@example.com>", false);
        check("li@example.com, han@example.com", false);
        check("li @example.com", false);
        check("li@exam ple.com", false);
    }
}
