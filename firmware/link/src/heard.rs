//! A stream that notes when its peer was last heard.
//!
//! `minimq` asks a silent broker for a sign of life only while it sends nothing itself, so a node that
//! samples often would talk to nobody for as long as its buffers last.

use core::cell::Cell;

use embassy_time::Instant;
use embedded_io_async::{ErrorType, Read, Write};

/// A stream, and when a byte last came.
pub(crate) struct Heard<'c, S> {
    pub(crate) stream: S,
    pub(crate) at: &'c Cell<Instant>,
}

impl<S: ErrorType> ErrorType for Heard<'_, S> {
    type Error = S::Error;
}

impl<S: Read> Read for Heard<'_, S> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        let count = self.stream.read(buffer).await?;
        if count > 0 {
            self.at.set(Instant::now());
        }
        Ok(count)
    }
}

impl<S: Write> Write for Heard<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        self.stream.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.stream.flush().await
    }
}
