//! The name of a thing in both languages.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The longest name or note, in characters; a longer one is refused.
pub const NAME_CHARS_MAX: usize = 400;

/// A name or note in Chinese and English. Neither is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Names {
    zh: String,
    en: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    zh: String,
    en: String,
}

impl Names {
    /// Checks the two names; space at their ends is dropped.
    ///
    /// # Errors
    /// [`Error::Name`] where one is blank or longer than [`NAME_CHARS_MAX`].
    pub fn new(zh: &str, en: &str) -> Result<Self, Error> {
        let check = |language: &'static str, name: &str| {
            let trimmed = name.trim();
            if trimmed.is_empty() || trimmed.chars().count() > NAME_CHARS_MAX {
                return Err(Error::Name { language, name: name.to_owned() });
            }
            Ok(trimmed.to_owned())
        };
        Ok(Self { zh: check("zh", zh)?, en: check("en", en)? })
    }

    /// Returns the Chinese name.
    pub fn zh(&self) -> &str {
        &self.zh
    }

    /// Returns the English name.
    pub fn en(&self) -> &str {
        &self.en
    }
}

impl TryFrom<Raw> for Names {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self, Error> {
        Self::new(&raw.zh, &raw.en)
    }
}

impl From<Names> for Raw {
    fn from(names: Names) -> Self {
        Self { zh: names.zh, en: names.en }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_there_in_both_languages() {
        assert_eq!(
            Names::new(" 水稻 ", "rice").map(|names| names.zh().to_owned()),
            Ok("水稻".into())
        );
        assert!(matches!(Names::new("水稻", "  "), Err(Error::Name { language: "en", .. })));
        let long = "稻".repeat(NAME_CHARS_MAX + 1);
        assert!(matches!(Names::new(&long, "rice"), Err(Error::Name { language: "zh", .. })));
    }
}
