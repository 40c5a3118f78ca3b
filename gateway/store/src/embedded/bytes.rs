//! The frame around every stored record, and the integers inside.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, [`VERSION`] |
//! | n | payload |
//! | 4 | CRC-32 (IEEE) of version and payload, little endian |
//!
//! Integers are LEB128: seven bits a byte, the lowest first, the top bit set on all but the last;
//! signed ones are zigzag first (0, -1, 1, -2 become 0, 1, 2, 3).

/// The version of every record this code writes.
pub(super) const VERSION: u8 = 1;

/// What is wrong with a record that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage(pub(super) &'static str);

/// A record that is being written.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Begins a record.
    pub(super) fn new() -> Self {
        Self(vec![VERSION])
    }

    /// Ends the record and returns its bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let crc = crc32fast::hash(&self.0);
        self.0.extend_from_slice(&crc.to_le_bytes());
        self.0
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.unsigned(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn signed(&mut self, value: i64) {
        self.unsigned((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }
}

/// A record that is being read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Checks version and checksum of a record and begins to read it.
    pub(super) fn open(record: &'a [u8]) -> Result<Self, Damage> {
        let (body, crc) = record.split_last_chunk::<4>().ok_or(Damage("it is cut short"))?;
        let (version, payload) = body.split_first().ok_or(Damage("it is cut short"))?;
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return Err(Damage("its checksum is wrong"));
        }
        if *version != VERSION {
            return Err(Damage("its version is unknown"));
        }
        Ok(Self(payload))
    }

    /// Returns whether nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that nothing is left.
    pub(super) fn finish(self) -> Result<(), Damage> {
        if self.0.is_empty() { Ok(()) } else { Err(Damage("bytes are left over")) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damage> {
        let (first, rest) = self.0.split_first().ok_or(Damage("it ends early"))?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.length(usize::MAX)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Damage("it ends early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Reads a count that may be `max` at most.
    pub(super) fn length(&mut self, max: usize) -> Result<usize, Damage> {
        let length =
            usize::try_from(self.unsigned()?).map_err(|_| Damage("a count is too large"))?;
        if length > max { Err(Damage("a count is too large")) } else { Ok(length) }
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, Damage> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damage("a number is too large"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Damage> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_these_bytes() {
        let mut writer = Writer::new();
        writer.unsigned(300);
        writer.signed(-3);
        writer.bytes(b"ab");
        assert_eq!(writer.0, [VERSION, 0xAC, 0x02, 0x05, 0x02, b'a', b'b']);
    }

    #[test]
    fn a_changed_bit_is_found() {
        let mut writer = Writer::new();
        writer.signed(i64::MIN);
        let record = writer.finish();
        assert_eq!(Reader::open(&record).unwrap().signed(), Ok(i64::MIN));
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Reader::open(&damaged).is_err());
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(values in prop::collection::vec(any::<i64>(), 0..20)) {
            let mut writer = Writer::new();
            for &value in &values {
                writer.signed(value);
                writer.unsigned(value.cast_unsigned());
            }
            let record = writer.finish();
            let mut reader = Reader::open(&record).unwrap();
            for &value in &values {
                prop_assert_eq!(reader.signed(), Ok(value));
                prop_assert_eq!(reader.unsigned(), Ok(value.cast_unsigned()));
            }
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut reader = Reader(&bytes);
            while reader.unsigned().is_ok() && reader.bytes().is_ok() {}
        }
    }
}
