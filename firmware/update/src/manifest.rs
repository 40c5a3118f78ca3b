//! What is signed for an image: `manifest` of `miaopu.cddl`.

use heapless::String;
use measure::Slug;
use minicbor::encode::write::{Cursor, EndOfSlice};
use minicbor::{Decoder, Encoder};
use wire::MANIFEST_BYTES_MAX;

/// The longest version for people, in bytes; a longer one is refused.
pub const VERSION_BYTES_MAX: usize = 16;

/// A version for people: `0.2.0`.
pub type Version = String<VERSION_BYTES_MAX>;

const FORMAT: u8 = 1;

/// What is signed for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What the image is made for: `mps2-an385`.
    pub target: Slug,
    /// Counts up; a greater one is newer. Never 0.
    pub release: u32,
    /// For people; 1 to [`VERSION_BYTES_MAX`] bytes.
    pub version: Version,
    /// The length of the image, in bytes. Never 0.
    pub length: u32,
    /// The SHA-256 of the image.
    pub sha256: [u8; 32],
}

/// Why bytes are no manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest cannot be read: {0}")]
pub struct ManifestError(&'static str);

impl Manifest {
    /// Writes it and returns its length in bytes. [`MANIFEST_BYTES_MAX`] is enough for any.
    ///
    /// # Errors
    /// Where a field is none, or the buffer is too small.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, ManifestError> {
        self.check()?;
        let mut out = Encoder::new(Cursor::new(buffer));
        self.write(&mut out).map_err(|_| ManifestError("the buffer is too small"))?;
        Ok(out.writer().position())
    }

    fn write(
        &self,
        out: &mut Encoder<Cursor<&mut [u8]>>,
    ) -> Result<(), minicbor::encode::Error<EndOfSlice>> {
        out.map(6)?.u8(0)?.u8(FORMAT)?.u8(1)?.str(self.target.as_str())?;
        out.u8(2)?.u32(self.release)?.u8(3)?.str(&self.version)?;
        out.u8(4)?.u32(self.length)?.u8(5)?.bytes(&self.sha256)?;
        Ok(())
    }

    /// Reads one. Strict, because every byte of it is signed: these six keys in this order, nothing more.
    ///
    /// # Errors
    /// Where the bytes are another thing.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError("too long"));
        }
        let mut input = Decoder::new(bytes);
        let broken = |what| move |_: minicbor::decode::Error| ManifestError(what);
        if input.map().map_err(broken("no map"))? != Some(6) {
            return Err(ManifestError("not six keys"));
        }
        key(&mut input, 0)?;
        if input.u8().map_err(broken("format"))? != FORMAT {
            return Err(ManifestError("another format"));
        }
        key(&mut input, 1)?;
        let target = Slug::new(input.str().map_err(broken("target"))?);
        key(&mut input, 2)?;
        let release = input.u32().map_err(broken("release"))?;
        key(&mut input, 3)?;
        let version = Version::try_from(input.str().map_err(broken("version"))?);
        key(&mut input, 4)?;
        let length = input.u32().map_err(broken("length"))?;
        key(&mut input, 5)?;
        let sha256 = input.bytes().map_err(broken("sha256"))?.try_into();
        if input.position() != bytes.len() {
            return Err(ManifestError("bytes left over"));
        }
        let manifest = Self {
            target: target.map_err(|_| ManifestError("target"))?,
            release,
            version: version.map_err(|_| ManifestError("version"))?,
            length,
            sha256: sha256.map_err(|_| ManifestError("sha256"))?,
        };
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let fields = [
            (self.release != 0, "release 0"),
            (!self.version.is_empty(), "version"),
            (self.length != 0, "length 0"),
        ];
        match fields.into_iter().find(|(is_good, _)| !is_good) {
            Some((_, what)) => Err(ManifestError(what)),
            None => Ok(()),
        }
    }
}

fn key(input: &mut Decoder<'_>, expect: u8) -> Result<(), ManifestError> {
    match input.u8() {
        Ok(found) if found == expect => Ok(()),
        Ok(_) | Err(_) => Err(ManifestError("keys out of order")),
    }
}
