//! What the drivers share: bus errors as faults, and Sensirion's checksum.

use embedded_hal::i2c::{Error, ErrorKind, NoAcknowledgeSource};
use measure::Fault;

/// Returns the fault that a bus error stands for: nobody acknowledged the address, or all else.
/// Some buses cannot tell which byte was not acknowledged; a missing chip is by far the likelier.
pub(crate) fn fault(error: impl Error) -> Fault {
    match error.kind() {
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address | NoAcknowledgeSource::Unknown) => {
            Fault::NotPresent
        }
        _ => Fault::Bus,
    }
}

/// Returns the fault of a failed read from a Sensirion chip that has just acknowledged a command:
/// it refuses its address while it is still busy (SHT4x datasheet 4.3, SCD4x datasheet 3.4).
pub(crate) fn fault_of_read(error: impl Error) -> Fault {
    match fault(error) {
        Fault::NotPresent => Fault::NotReady,
        other => other,
    }
}

/// Returns the big-endian word of `[high, low, checksum]`.
///
/// # Errors
/// `Checksum` where the third byte does not fit.
pub(crate) fn word([high, low, checksum]: [u8; 3]) -> Result<u16, Fault> {
    if crc8([high, low]) == checksum {
        Ok(u16::from_be_bytes([high, low]))
    } else {
        Err(Fault::Checksum)
    }
}

/// Returns Sensirion's CRC-8: polynomial 0x31, start 0xFF, not reflected, no final XOR
/// (SHT4x datasheet, table "Data checksum properties"; the same in the SCD4x datasheet).
pub(crate) fn crc8(bytes: [u8; 2]) -> u8 {
    let mut crc = 0xFF_u8;
    for byte in bytes {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x31 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_datasheet_comes_out() {
        // Both datasheets give CRC(0xBEEF) = 0x92.
        assert_eq!(crc8([0xBE, 0xEF]), 0x92);
        assert_eq!(word([0xBE, 0xEF, 0x92]), Ok(0xBEEF));
        assert_eq!(word([0xBE, 0xEE, 0x92]), Err(Fault::Checksum));
    }

    #[test]
    fn a_chip_that_does_not_answer_is_not_present_and_all_else_is_the_bus() {
        let nack = |source| ErrorKind::NoAcknowledge(source);
        assert_eq!(fault(nack(NoAcknowledgeSource::Address)), Fault::NotPresent);
        assert_eq!(fault(nack(NoAcknowledgeSource::Unknown)), Fault::NotPresent);
        assert_eq!(fault(nack(NoAcknowledgeSource::Data)), Fault::Bus);
        for kind in [ErrorKind::Bus, ErrorKind::ArbitrationLoss, ErrorKind::Overrun] {
            assert_eq!(fault(kind), Fault::Bus);
            assert_eq!(fault_of_read(kind), Fault::Bus);
        }
        assert_eq!(fault_of_read(nack(NoAcknowledgeSource::Address)), Fault::NotReady);
    }
}
