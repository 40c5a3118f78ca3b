//! A writer that sums up what passes through it.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use sha2::{Digest as _, Sha256};

/// Passes bytes on and keeps their SHA-256.
pub struct Digest<W> {
    inner: W,
    sum: Sha256,
    bytes: u64,
}

impl<W: Write> Digest<W> {
    /// Starts with nothing summed up.
    pub fn new(inner: W) -> Self {
        Self { inner, sum: Sha256::new(), bytes: 0 }
    }

    /// Returns the writer, the sum as 64 hexadecimal digits, and how many bytes passed.
    pub fn finish(self) -> (W, String, u64) {
        let mut hex = String::with_capacity(64);
        for byte in self.sum.finalize() {
            write!(hex, "{byte:02x}").expect("a string takes everything");
        }
        (self.inner, hex, self.bytes)
    }
}

impl<W: Write> Write for Digest<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        let (passed, _) = bytes.split_at(written.min(bytes.len()));
        self.sum.update(passed);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_fips_180() {
        let mut digest = Digest::new(Vec::new());
        digest.write_all(b"abc").unwrap();
        let (bytes, hex, count) = digest.finish();
        assert_eq!((bytes.as_slice(), count), (b"abc".as_slice(), 3));
        assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
