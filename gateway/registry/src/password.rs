//! Passwords: argon2id, and the rules for a new one.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

use crate::Error;

/// The shortest password, in characters (NIST SP 800-63B, 2017, §5.1.1.2 asks for 8).
pub const PASSWORD_CHARACTERS_MIN: usize = 10;

/// The longest password, in bytes; a longer one is refused before it costs any work.
pub const PASSWORD_BYTES_MAX: usize = 256;

/// Checks a new password of `user`; `field` is what the request calls it.
pub(crate) fn check(field: &'static str, user: &str, password: &str) -> Result<(), Error> {
    let refused = |zh: String, en: String| Err(Error::refused(field, zh, en));
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        return refused(
            format!("密码至少要有 {PASSWORD_CHARACTERS_MIN} 个字符"),
            format!("a password must have at least {PASSWORD_CHARACTERS_MIN} characters"),
        );
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return refused(
            format!("密码不得超过 {PASSWORD_BYTES_MAX} 字节"),
            format!("a password must not have more than {PASSWORD_BYTES_MAX} bytes"),
        );
    }
    let names_user = password.to_lowercase().contains(&user.to_lowercase());
    if names_user && user.chars().count() >= 4 {
        return refused(
            "密码不得包含用户名".into(),
            "a password must not contain the user's name".into(),
        );
    }
    let mut characters: Vec<char> = password.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    if characters.len() < 5 {
        return refused(
            "密码至少要有 5 个不同的字符".into(),
            "a password must have at least 5 different characters".into(),
        );
    }
    Ok(())
}

/// Hashes a password with argon2id at the cost that OWASP asks for (19 MiB, 2 passes, 1 lane).
/// Takes tens of milliseconds on purpose.
pub(crate) fn hash(password: &str) -> Result<String, Error> {
    let salt = crate::secret::random::<16>()?;
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::broken("password hash", error.to_string()))
}

/// Returns whether the password is the one that was hashed. Takes the same time without a hash,
/// so that an answer doesn't tell which names exist.
pub(crate) fn verify(password: &str, hash: Option<&str>) -> Result<bool, Error> {
    // Made with `hash`; of a password that nobody knows.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWF0LWFsbC4uLg$\
                          mZ0Xw0pG2p3oQmJk5m7m0v1Y3o7J0m0o8mPzHq1dG2k";
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODY))
        .map_err(|error| Error::broken("password hash", error.to_string()))?;
    let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
    Ok(right && hash.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_that_was_hashed_is_right() {
        let hash = hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse", Some(&hash)).unwrap());
        assert!(!verify("correct horsf", Some(&hash)).unwrap());
        assert!(!verify("correct horse", None).unwrap());
    }

    #[test]
    fn a_weak_password_is_refused_with_its_reason() {
        for weak in ["short", "aaaaaaaaaaaa", "li-lei-li-lei", &"a1b2c".repeat(60)] {
            assert!(matches!(
                check("new", "li-lei", weak),
                Err(Error::Refused { field: "new", .. })
            ));
        }
        assert!(check("new", "li-lei", "苗床上的第一片叶子真绿").is_ok());
    }
}
