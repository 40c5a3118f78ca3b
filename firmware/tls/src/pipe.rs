//! What lies between the socket and TLS, so that whoever reads or writes TLS may stop at any byte.
//!
//! `embedded-tls` reads a record's header into a local variable and its body after it, and forgets that
//! it has sealed a record before it is written: a future of it that is dropped in between has lost bytes.
//! So it never sees the socket. It reads from and writes to this memory, where a record can be read once
//! all of it is there, and where there is always room for one: each of its futures either ends at its
//! first poll or waits before the first byte of a record. The socket is waited for outside of TLS
//! ([`Pipe::fill`], [`Pipe::drain`]), with all counts kept here.

use core::cell::RefCell;
use core::convert::Infallible;
use core::future::{pending, poll_fn};
use core::task::Poll;

use embedded_io_async::{Error as _, ErrorType, Read, Write};
use embedded_tls::TlsError;

use crate::{RECEIVE_BYTES, SEND_BYTES};

/// Bytes of a record's header: kind, version, length (RFC 8446, section 5.1).
const HEADER_BYTES: usize = 5;
/// Bytes that are carried to or from the socket at once.
const CARRIED_BYTES: usize = 256;

/// Bytes that come in at one end and go out at the other.
#[derive(Debug)]
struct Queue<const BYTES: usize> {
    bytes: [u8; BYTES],
    /// `start..end` has come in and has not gone out.
    start: usize,
    end: usize,
}

impl<const BYTES: usize> Queue<BYTES> {
    const fn new() -> Self {
        Self { bytes: [0; BYTES], start: 0, end: 0 }
    }

    fn waiting(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes in what there is room for, and returns how many bytes.
    fn push(&mut self, bytes: &[u8]) -> usize {
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let count = copy(bytes, room);
        self.end += count;
        count
    }

    /// The first `count` bytes have gone out.
    fn pop(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }
}

/// The bytes of one connection on their way.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// At most one record, from its first byte.
    received: RefCell<Queue<RECEIVE_BYTES>>,
    to_send: RefCell<Queue<SEND_BYTES>>,
}

impl Pipe {
    pub(crate) const fn new() -> Self {
        Self { received: RefCell::new(Queue::new()), to_send: RefCell::new(Queue::new()) }
    }

    /// Forgets all bytes.
    pub(crate) fn clear(&self) {
        self.received.borrow_mut().pop(usize::MAX / 2);
        self.to_send.borrow_mut().pop(usize::MAX / 2);
    }

    /// Waits until the socket has taken all that was written. May be dropped at any time.
    pub(crate) async fn drain(&self, socket: &mut impl Write) -> Result<(), TlsError> {
        let mut carried = [0; CARRIED_BYTES];
        loop {
            let count = copy(self.to_send.borrow().waiting(), &mut carried);
            let bytes = carried.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            match socket.write(bytes).await.map_err(|error| TlsError::Io(error.kind()))? {
                0 => return Err(TlsError::IoError),
                written => self.to_send.borrow_mut().pop(written),
            }
        }
    }

    /// Waits until a record is whole, and returns whether one is: `false` at the socket's end. May be
    /// dropped at any time.
    pub(crate) async fn fill(&self, socket: &mut impl Read) -> Result<bool, TlsError> {
        let mut carried = [0; CARRIED_BYTES];
        loop {
            let missing = missing(&self.received.borrow())?;
            if missing == 0 {
                return Ok(true);
            }
            let room = carried.get_mut(..missing.min(CARRIED_BYTES)).unwrap_or_default();
            let count = socket.read(room).await.map_err(|error| TlsError::Io(error.kind()))?;
            let bytes = room.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(false);
            }
            self.received.borrow_mut().push(bytes);
        }
    }

    /// Carries bytes both ways for a handshake, which writes before it waits. Ends with an error only.
    pub(crate) async fn carry<S: Read + Write>(
        &self,
        socket: &mut S,
    ) -> Result<Infallible, TlsError> {
        loop {
            self.drain(socket).await?;
            socket.flush().await.map_err(|error| TlsError::Io(error.kind()))?;
            if !self.fill(socket).await? {
                return Err(TlsError::IoError);
            }
            turn().await;
        }
    }
}

/// Returns how many bytes the record at hand lacks.
fn missing(received: &Queue<RECEIVE_BYTES>) -> Result<usize, TlsError> {
    // A record that is handed out in part was whole.
    if received.start > 0 {
        return Ok(0);
    }
    let waiting = received.waiting();
    let whole = match waiting {
        [_, _, _, high, low, ..] => HEADER_BYTES + usize::from(u16::from_be_bytes([*high, *low])),
        _ => HEADER_BYTES,
    };
    if whole > RECEIVE_BYTES {
        return Err(TlsError::InsufficientSpace);
    }
    Ok(whole.saturating_sub(waiting.len()))
}

/// Lets the other half of a task have its turn.
async fn turn() {
    let mut had = false;
    poll_fn(|context| {
        if core::mem::replace(&mut had, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    from.len().min(to.len())
}

/// The end of the pipe that TLS holds.
#[derive(Debug)]
pub(crate) struct End<'m>(pub(crate) &'m Pipe);

impl ErrorType for End<'_> {
    type Error = Infallible;
}

impl Read for End<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            let mut received = self.0.received.borrow_mut();
            // Whoever polls again has filled the pipe before; nobody is to be woken. A record that is too
            // large ends in `fill`.
            if received.waiting().is_empty() || !matches!(missing(&received), Ok(0)) {
                return Poll::Pending;
            }
            let count = copy(received.waiting(), buffer);
            received.pop(count);
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for End<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let count = self.0.to_send.borrow_mut().push(bytes);
        // Full only in a handshake, which `carry` goes on with.
        if count == 0 && !bytes.is_empty() { pending().await } else { Ok(count) }
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
