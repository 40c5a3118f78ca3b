//! Names esp-hal's linker script, and writes down what is built in for updates.
//!
//! | variable | what | without it |
//! |---|---|---|
//! | `MIAOPU_UPDATE_KEY` | public Ed25519 keys of the signers, hex, a comma in between | every offer is refused |
//! | `MIAOPU_RELEASE` | the number of the release; a greater one is newer | 1 |

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("release.rs"), release()?)?;
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=MIAOPU_UPDATE_KEY");
    println!("cargo:rerun-if-env-changed=MIAOPU_RELEASE");
    println!("cargo:rustc-link-arg-bins=-Tlinkall.x");
    Ok(())
}

fn release() -> io::Result<String> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    let number = env::var("MIAOPU_RELEASE").unwrap_or_else(|_| "1".into());
    let number: u32 = number.parse().map_err(|_| wrong("MIAOPU_RELEASE is no whole number"))?;
    let keys = env::var("MIAOPU_UPDATE_KEY").unwrap_or_default();
    let keys: Option<Vec<_>> = keys.split(',').filter(|key| !key.is_empty()).map(key).collect();
    let keys = keys.ok_or_else(|| wrong("MIAOPU_UPDATE_KEY is not 64 hexadecimal digits a key"))?;
    Ok(format!(
        "/// The number of the release.\npub(crate) const RELEASE: u32 = {number};\n\
         /// The keys of the signers.\nconst KEYS: &[[u8; update::KEY_BYTES]] = &{keys:?};\n"
    ))
}

fn key(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.len() == 64 && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    digits.then(|| (0..64).step_by(2).map(byte).collect())?
}
