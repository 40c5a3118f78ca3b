//! Dead letters: messages that could not be understood, kept so that somebody can find out why.

use measure::Timestamp;
use rusqlite::params;

use crate::{Error, Registry, time};

/// The most dead letters; one more drops the oldest.
pub const DEAD_LETTERS_MAX: usize = 10_000;

/// How much of a dead letter's payload, topic and reason is kept, in bytes each; the rest is cut.
pub const DEAD_LETTER_BYTES_MAX: usize = 2_048;

/// A message that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// When it came.
    pub received: Timestamp,
    /// The topic it came on.
    pub topic: String,
    /// What is wrong with it.
    pub reason: String,
    /// What it held, cut to [`DEAD_LETTER_BYTES_MAX`].
    pub payload: Vec<u8>,
}

impl Registry {
    /// Keeps dead letters in one transaction, and drops the oldest beyond [`DEAD_LETTERS_MAX`].
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn add_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), Error> {
        self.write(|db| {
            let sql = "INSERT INTO dead_letter (received_us, topic, reason, payload)
                       VALUES (?1, ?2, ?3, ?4)";
            for letter in letters {
                let payload =
                    letter.payload.get(..DEAD_LETTER_BYTES_MAX).unwrap_or(&letter.payload);
                let row = params![
                    letter.received.micros(),
                    cut(&letter.topic),
                    cut(&letter.reason),
                    payload
                ];
                db.prepare_cached(sql)?.execute(row)?;
            }
            let sql = "DELETE FROM dead_letter
                       WHERE number <= (SELECT MAX(number) FROM dead_letter) - ?1";
            db.prepare_cached(sql)?.execute([DEAD_LETTERS_MAX as i64])?;
            Ok(())
        })
    }

    /// Returns the newest dead letters, newest first, at most `limit`.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.read(|db| {
            let sql = "SELECT received_us, topic, reason, payload FROM dead_letter
                       ORDER BY number DESC LIMIT ?1";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([limit.min(DEAD_LETTERS_MAX) as i64])?;
            let mut letters = Vec::new();
            while let Some(row) = rows.next()? {
                letters.push(DeadLetter {
                    received: time(row.get(0)?)?,
                    topic: row.get(1)?,
                    reason: row.get(2)?,
                    payload: row.get(3)?,
                });
            }
            Ok(letters)
        })
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(DEAD_LETTER_BYTES_MAX)).unwrap_or(text)
}
