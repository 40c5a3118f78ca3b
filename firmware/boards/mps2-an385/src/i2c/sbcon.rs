//! The I2C bus of the machine: Arm's SBCon block, two lines that software moves.

use core::ptr::{read_volatile, write_volatile};

use embedded_hal::i2c::{
    ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation, SevenBitAddress,
};

/// The bus of shield 1, where QEMU puts a chip that names no bus.
const SHIELD1: usize = 0x4002_A000;
/// Lines to release (write) and their levels (read).
const SET: usize = 0;
/// Lines to pull down (write).
const CLEAR: usize = 4;
const SCL: u32 = 1;
const SDA: u32 = 2;

/// A quarter of a bit at 250 kHz, in clocks of the 25 MHz core.
const QUARTER_BIT_CLOCKS: u32 = 25;

/// The bus of shield 1, at 250 kHz. Clock stretching is not waited for: no chip of QEMU does it.
pub(crate) struct Sbcon(());

impl Sbcon {
    /// Returns the bus, idle.
    ///
    /// # Safety
    /// Call it once: two would pull the same lines.
    pub(crate) unsafe fn take() -> Self {
        let bus = Self(());
        bus.release(SCL | SDA);
        bus
    }

    fn release(&self, lines: u32) {
        // SAFETY: a register of the SBCon block, which `take` makes ours alone.
        unsafe { write_volatile((SHIELD1 + SET) as *mut u32, lines) }
        cortex_m::asm::delay(QUARTER_BIT_CLOCKS);
    }

    fn pull(&self, lines: u32) {
        // SAFETY: as above.
        unsafe { write_volatile((SHIELD1 + CLEAR) as *mut u32, lines) }
        cortex_m::asm::delay(QUARTER_BIT_CLOCKS);
    }

    fn is_sda_high(&self) -> bool {
        // SAFETY: as above; reading has no effect.
        let lines = unsafe { read_volatile((SHIELD1 + SET) as *const u32) };
        lines & SDA != 0
    }

    fn start(&self) {
        self.release(SDA);
        self.release(SCL);
        self.pull(SDA);
        self.pull(SCL);
    }

    fn stop(&self) {
        self.pull(SDA);
        self.release(SCL);
        self.release(SDA);
    }

    fn write_bit(&self, bit: bool) {
        if bit {
            self.release(SDA)
        } else {
            self.pull(SDA)
        }
        self.release(SCL);
        self.pull(SCL);
    }

    fn read_bit(&self) -> bool {
        self.release(SDA);
        self.release(SCL);
        let bit = self.is_sda_high();
        self.pull(SCL);
        bit
    }

    /// Writes a byte and returns whether the chip has acknowledged it.
    fn write_byte(&self, byte: u8) -> bool {
        for shift in (0..8).rev() {
            self.write_bit(byte >> shift & 1 != 0);
        }
        !self.read_bit()
    }

    fn read_byte(&self, acknowledge: bool) -> u8 {
        let byte = (0..8).fold(0, |byte, _| byte << 1 | u8::from(self.read_bit()));
        self.write_bit(!acknowledge);
        byte
    }

    fn run(
        &self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), NoAcknowledgeSource> {
        let mut previous_reads = None;
        let mut rest = operations.iter_mut().peekable();
        while let Some(operation) = rest.next() {
            let reads = matches!(operation, Operation::Read(_));
            // Operations in the same direction are one transfer.
            if previous_reads.replace(reads) != Some(reads) {
                self.start();
                if !self.write_byte(address << 1 | u8::from(reads)) {
                    return Err(NoAcknowledgeSource::Address);
                }
            }
            match operation {
                Operation::Write(bytes) => {
                    if !bytes.iter().all(|byte| self.write_byte(*byte)) {
                        return Err(NoAcknowledgeSource::Data);
                    }
                }
                Operation::Read(bytes) => {
                    let goes_on = matches!(rest.peek(), Some(Operation::Read(_)));
                    let count = bytes.len();
                    for (index, byte) in bytes.iter_mut().enumerate() {
                        *byte = self.read_byte(index + 1 != count || goes_on);
                    }
                }
            }
        }
        Ok(())
    }
}

impl ErrorType for Sbcon {
    type Error = ErrorKind;
}

impl I2c<SevenBitAddress> for Sbcon {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        let result = self.run(address, operations).map_err(ErrorKind::NoAcknowledge);
        self.stop();
        result
    }
}
