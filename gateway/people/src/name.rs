//! The name of a user or a token.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of a user or token, in characters; a longer one is refused.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// The name of a user or token: 1 to 64 characters of any script, none of them a control
/// character, none of them blank at the ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    /// Checks a name.
    ///
    /// # Errors
    /// `NameError` where it is empty, too long, or holds what a page or a log could not show.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.chars().count() > NAME_CHARACTERS_MAX {
            return Err(NameError::TooLong);
        }
        if name.trim() != name {
            return Err(NameError::Blank);
        }
        if name.chars().any(|c| c.is_control() || is_invisible(c)) {
            return Err(NameError::Control);
        }
        Ok(Self(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that turn or hide text, so that one name could look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UserName {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

/// Why a name is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has no character.
    #[error("a name must have 1 to 64 characters")]
    Empty,
    /// It has more than [`NAME_CHARACTERS_MAX`] characters.
    #[error("a name must not be longer than 64 characters")]
    TooLong,
    /// It begins or ends with a blank.
    #[error("a name must not begin or end with a blank")]
    Blank,
    /// It holds a control character or an invisible one.
    #[error("a name must hold visible characters only")]
    Control,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: Option<NameError>) {
        assert_eq!(UserName::new(name).err(), expect);
    }

    #[test]
    fn a_name_of_any_script_is_one() {
        check("admin", None);
        check("李 雷", None);
        check(&"李".repeat(64), None);
    }

    #[test]
    fn what_a_page_could_not_show_is_no_name() {
        check("", Some(NameError::Empty));
        check(&"a".repeat(65), Some(NameError::TooLong));
        check(" admin", Some(NameError::Blank));
        check("ad\nmin", Some(NameError::Control));
        check("admin\u{200B}", Some(NameError::Control));
    }
}
