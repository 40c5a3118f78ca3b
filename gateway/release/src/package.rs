//! A package: an image with who made it for what.

use minicbor::Decoder;
use sha2::{Digest as _, Sha256};
use update::{Manifest, is_signed};

use crate::{Error, KeyPair, PublicKey};

/// The longest image, in bytes; a longer one is refused.
pub const IMAGE_BYTES_MAX: usize = 4 << 20;
/// The longest package, in bytes; a longer one is refused.
pub const PACKAGE_BYTES_MAX: usize = IMAGE_BYTES_MAX + 512;

/// An image that was signed, whole and as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// What the signed bytes say.
    pub manifest: Manifest,
    /// The signed bytes.
    pub signed: Vec<u8>,
    /// The signature of them.
    pub signature: [u8; 64],
    /// The image.
    pub image: Vec<u8>,
    /// Whose signature it is.
    pub key: PublicKey,
}

impl Package {
    /// Signs an image. Length and hash of the manifest are made here.
    ///
    /// # Errors
    /// Where the image is empty or too long, or the manifest is none.
    pub fn sign(mut manifest: Manifest, image: Vec<u8>, key: &KeyPair) -> Result<Self, Error> {
        if image.is_empty() || image.len() > IMAGE_BYTES_MAX {
            return Err(length(image.len()));
        }
        manifest.length = u32::try_from(image.len()).map_err(|_| length(image.len()))?;
        manifest.sha256 = Sha256::digest(&image).into();
        let mut signed = vec![0; 128];
        let count = manifest.encode(&mut signed).map_err(|error| {
            Error::new(
                format!("无法写出固件清单({error});请检查 --release 和 --version"),
                format!("{error}; check --release and --version"),
            )
        })?;
        signed.truncate(count);
        let signature = key.sign(&signed);
        Ok(Self { manifest, signed, signature, image, key: key.public() })
    }

    /// Reads a package and checks that it is whole: its image is what the manifest says, and its
    /// signature is that of the key in it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (signed, signature, image, key) = fields(bytes).ok_or_else(|| {
            Error::new(
                "不是固件包;请用 miaopu firmware sign 生成 .mpf 文件",
                "this is no firmware package; `miaopu firmware sign` makes an .mpf file",
            )
        })?;
        if image.is_empty() || image.len() > IMAGE_BYTES_MAX {
            return Err(length(image.len()));
        }
        let again = ("请重新生成固件包", "sign the image again");
        let manifest = Manifest::decode(signed).map_err(|error| {
            Error::new(
                format!("固件清单无法读取({error});{}", again.0),
                format!("{error}; {}", again.1),
            )
        })?;
        let (said, found) = (manifest.length as usize, image.len());
        if said != found {
            return Err(Error::new(
                format!("清单写明 {said} 字节,镜像却有 {found} 字节;{}", again.0),
                format!("the manifest says {said} bytes and the image has {found}; {}", again.1),
            ));
        }
        if Sha256::digest(image).as_slice() != manifest.sha256 {
            return Err(Error::new(
                format!("镜像与清单的 SHA-256 不符,文件已损坏;{}", again.0),
                format!(
                    "the image has another SHA-256 than the manifest says: the file is damaged; {}",
                    again.1
                ),
            ));
        }
        if !is_signed(signed, &signature, &key.0) {
            return Err(Error::new(
                format!("签名不是密钥 {} 的;{}", key.id(), again.0),
                format!("the signature is not that of the key {}; {}", key.id(), again.1),
            ));
        }
        Ok(Self { manifest, signed: signed.to_vec(), signature, image: image.to_vec(), key })
    }

    /// Returns the bytes of its file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.image.len() + 512);
        out.push(0x84);
        for part in [&self.signed[..], &self.signature, &self.image, &self.key.0] {
            // A byte string with a length of four bytes; IMAGE_BYTES_MAX fits.
            out.push(0x5A);
            out.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(part);
        }
        out
    }
}

/// Manifest, signature, image and key.
type Fields<'b> = (&'b [u8], [u8; 64], &'b [u8], PublicKey);

fn fields(bytes: &[u8]) -> Option<Fields<'_>> {
    if bytes.len() > PACKAGE_BYTES_MAX {
        return None;
    }
    let mut input = Decoder::new(bytes);
    (input.array().ok()? == Some(4)).then_some(())?;
    let signed = input.bytes().ok()?;
    let signature = input.bytes().ok()?.try_into().ok()?;
    let image = input.bytes().ok()?;
    let key = PublicKey(input.bytes().ok()?.try_into().ok()?);
    (input.position() == bytes.len()).then_some((signed, signature, image, key))
}

fn length(bytes: usize) -> Error {
    Error::new(
        format!("镜像有 {bytes} 字节;须为 1 到 {IMAGE_BYTES_MAX} 字节"),
        format!("the image has {bytes} bytes; 1 to {IMAGE_BYTES_MAX} can be sent"),
    )
}

#[cfg(test)]
mod tests {
    use measure::Slug;
    use proptest::prelude::*;

    use super::*;

    fn package() -> Package {
        let (key, _) = KeyPair::draw().unwrap();
        let manifest = Manifest {
            target: Slug::new("mps2-an385").unwrap(),
            release: 8,
            version: "0.2.0".try_into().unwrap(),
            length: 1,
            sha256: [0; 32],
        };
        Package::sign(manifest, vec![7; 1000], &key).unwrap()
    }

    #[test]
    fn a_package_comes_back_as_it_was_and_a_changed_byte_is_found() {
        let package = package();
        let bytes = package.bytes();
        assert_eq!(Package::parse(&bytes), Ok(package));
        for at in 0..bytes.len() {
            // Any byte of it, and each of the image's ends.
            if (200..1100).contains(&at) && at % 97 != 0 {
                continue;
            }
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(Package::parse(&wrong).is_err(), "byte {at}");
            assert!(Package::parse(&bytes[..at]).is_err());
        }
    }

    #[test]
    fn a_key_is_read_from_its_file_and_its_public_half_from_its_text() {
        let (key, text) = KeyPair::draw().unwrap();
        let again = KeyPair::parse(&text).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
        assert!("00".parse::<PublicKey>().is_err());
        assert!("zz".repeat(32).parse::<PublicKey>().is_err());
        assert!(KeyPair::parse("nothing").is_err());
    }

    /// Made by `openssl genpkey -algorithm ed25519`: test 1 of RFC 8032 §7.1.
    #[test]
    fn a_key_of_openssl_is_read() {
        let text = "-----BEGIN PRIVATE KEY-----\n\
                    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                    -----END PRIVATE KEY-----\n";
        let public = KeyPair::parse(text).unwrap().public().to_string();
        assert_eq!(public, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(Package::parse(&bytes).is_err());
        }
    }
}
