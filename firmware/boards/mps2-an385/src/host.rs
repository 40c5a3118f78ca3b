//! What the machine that runs the image gives it by semihosting: two output streams, files, random
//! bytes, an exit.
//!
//! One line is one call, so lines of two nodes on one terminal do not mix. Without a semihosting
//! host the image stops at its first line.

use core::fmt::{self, Write as _};
use core::sync::atomic::{AtomicUsize, Ordering};

use cortex_m_semihosting::{debug, nr, syscall};
use heapless::String;

/// The longest line, in bytes with its line feed; a longer one is cut.
const LINE_BYTES_MAX: usize = 256;

/// The longest path that [`File::open`] takes, in bytes; a longer one does not open.
const PATH_BYTES_MAX: usize = 128;

/// Where a line goes.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    /// Standard output: the ledger and what is needed to read it.
    Ledger,
    /// Standard error: what a person reads.
    Log,
}

/// The handles of both streams, opened at their first line; 0 is none.
static HANDLES: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// Writes one line, in one call.
pub(crate) fn line(stream: Stream, text: fmt::Arguments<'_>) {
    let mut line: String<LINE_BYTES_MAX> = String::new();
    if line.write_fmt(text).is_err() || line.len() == LINE_BYTES_MAX {
        line.truncate(line.floor_char_boundary(LINE_BYTES_MAX - 1));
    }
    if line.push('\n').is_ok()
        && let Some(console) = console(stream)
    {
        console.write(line.as_bytes());
    }
}

/// Writes one line to standard error.
macro_rules! log {
    ($($text:tt)*) => { $crate::host::line($crate::host::Stream::Log, format_args!($($text)*)) };
}

fn console(stream: Stream) -> Option<File> {
    let (handle, mode) = match stream {
        Stream::Ledger => (&HANDLES[0], nr::open::W_TRUNC),
        Stream::Log => (&HANDLES[1], nr::open::W_APPEND),
    };
    match handle.load(Ordering::Relaxed) {
        0 => {
            let file = File::open(":tt", mode)?;
            handle.store(file.0, Ordering::Relaxed);
            Some(file)
        }
        open => Some(File(open)),
    }
}

/// A file of the host. Left open: an image opens two, once.
pub(crate) struct File(usize);

impl File {
    /// Opens a file to read, or `None` where it cannot be opened.
    pub(crate) fn open_to_read(path: &str) -> Option<Self> {
        Self::open(path, nr::open::R_BINARY)
    }

    fn open(path: &str, mode: usize) -> Option<Self> {
        let mut name: String<{ PATH_BYTES_MAX + 1 }> = String::new();
        name.push_str(path).ok()?;
        name.push('\0').ok()?;
        // SAFETY: the block holds a pointer to `path.len()` bytes and the zero after them, and both
        // outlive the call.
        let handle = unsafe { syscall!(OPEN, name.as_ptr(), mode, path.len()) };
        (handle != usize::MAX).then_some(Self(handle))
    }

    /// Reads until the buffer is full or the file ends, and returns what was read.
    pub(crate) fn read<'a>(&self, buffer: &'a mut [u8]) -> &'a [u8] {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            // SAFETY: the host writes at most `rest.len()` bytes to `rest`, which is borrowed for
            // the call.
            let left = unsafe { syscall!(READ, self.0, rest.as_mut_ptr(), rest.len()) };
            match rest.len().checked_sub(left) {
                None | Some(0) => break,
                Some(count) => filled += count,
            }
        }
        buffer.get(..filled).unwrap_or_default()
    }

    /// Writes `bytes`; what the host does not take is dropped, for there is nowhere to say so.
    fn write(&self, bytes: &[u8]) {
        // SAFETY: the host reads `bytes.len()` bytes from `bytes`, which is borrowed for the call.
        unsafe { syscall!(WRITE, self.0, bytes.as_ptr(), bytes.len()) };
    }
}

/// Returns `N` random bytes of the host.
///
/// # Panics
/// Where the host has no `/dev/urandom`: a flash id that is not random could be another node's.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let file = File::open_to_read("/dev/urandom").expect("the host has /dev/urandom");
    assert_eq!(file.read(&mut bytes).len(), N, "/dev/urandom ended");
    bytes
}

/// The host's random numbers, as TLS takes them.
#[cfg(feature = "tls")]
pub(crate) struct Random;

#[cfg(feature = "tls")]
impl rand_core::CryptoRng for Random {}

#[cfg(feature = "tls")]
impl rand_core::RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(random())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(random())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let drawn: [u8; 8] = random();
            for (to, from) in part.iter_mut().zip(drawn) {
                *to = from;
            }
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// Ends QEMU with exit code 1.
pub(crate) fn fail() -> ! {
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}
