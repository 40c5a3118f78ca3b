//! Dead letters: messages that could not be understood, kept so that somebody can find out why, and
//! taken again by the gateway where somebody asks for it.

use measure::Timestamp;
use people::Actor;
use rusqlite::{OptionalExtension as _, Row, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, time};

/// The most dead letters; one more drops the oldest, and counts it.
pub const DEAD_LETTERS_MAX: usize = 10_000;

/// How much of a dead letter's payload, topic and reason is kept, in bytes each; the rest is cut. A
/// letter whose payload was cut can't be taken again. Nodes send at most 1 KiB in a message of data.
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

/// A dead letter as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLetter {
    /// Its number: counts up, for good.
    pub number: i64,
    /// The letter, with the reason that was found last.
    pub letter: DeadLetter,
    /// How long the payload was before it was cut, in bytes.
    pub bytes: u64,
    /// What became of it.
    pub state: LetterState,
    /// When it was taken again last.
    pub tried: Option<Timestamp>,
}

impl KeptLetter {
    /// Returns whether the payload is there as it came.
    pub fn is_whole(&self) -> bool {
        self.bytes == self.letter.payload.len() as u64
    }
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterState {
    /// Nobody has asked for anything.
    Kept,
    /// It is to be taken again, which the running gateway does within seconds.
    Asked,
    /// It was taken again and is in the store.
    Replayed,
    /// It was taken again and is still not understood.
    Refused,
}

impl LetterState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Kept, Self::Asked, Self::Replayed, Self::Refused];

    /// Returns its name, such as `replayed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Asked => "asked",
            Self::Replayed => "replayed",
            Self::Refused => "refused",
        }
    }
}

/// Which dead letters are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichLetters {
    /// The one of this number.
    One(i64),
    /// All of them; to be taken again: all whole ones that were not taken yet.
    All,
}

const COLUMNS: &str = "number, received_us, topic, reason, payload, bytes, state, tried_us";

impl Registry {
    /// Keeps dead letters in one transaction, and drops the oldest beyond [`DEAD_LETTERS_MAX`].
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn add_dead_letters(&self, letters: &[DeadLetter]) -> Result<(), Error> {
        self.write(|db| {
            let sql = "INSERT INTO dead_letter (received_us, topic, reason, payload, bytes)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            for letter in letters {
                let payload =
                    letter.payload.get(..DEAD_LETTER_BYTES_MAX).unwrap_or(&letter.payload);
                let row = params![
                    letter.received.micros(),
                    cut(&letter.topic),
                    cut(&letter.reason),
                    payload,
                    letter.payload.len() as i64,
                ];
                db.prepare_cached(sql)?.execute(row)?;
            }
            let sql = "DELETE FROM dead_letter WHERE number IN
                       (SELECT number FROM dead_letter ORDER BY number DESC LIMIT -1 OFFSET ?1)";
            let dropped = db.prepare_cached(sql)?.execute([DEAD_LETTERS_MAX as i64])?;
            if dropped > 0 {
                let sql = "UPDATE dead_letters_dropped SET count = count + ?1";
                db.prepare_cached(sql)?.execute([dropped as i64])?;
            }
            Ok(())
        })
    }

    /// Returns the newest dead letters, newest first, at most `limit`.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<KeptLetter>, Error> {
        let most = limit.min(DEAD_LETTERS_MAX) as i64;
        self.letters("ORDER BY number DESC LIMIT ?1", most)
    }

    /// Returns one dead letter; `None` where it is not there, or not any more.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn dead_letter(&self, number: i64) -> Result<Option<KeptLetter>, Error> {
        Ok(self.letters("WHERE number = ?1", number)?.pop())
    }

    /// Returns the dead letters that are to be taken again, oldest first, at most `limit`.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn dead_letters_asked(&self, limit: usize) -> Result<Vec<KeptLetter>, Error> {
        let most = limit.min(DEAD_LETTERS_MAX) as i64;
        self.letters("WHERE state = 'asked' ORDER BY number LIMIT ?1", most)
    }

    fn letters(&self, which: &str, value: i64) -> Result<Vec<KeptLetter>, Error> {
        self.read(|db| {
            let mut query =
                db.prepare_cached(&format!("SELECT {COLUMNS} FROM dead_letter {which}"))?;
            let mut rows = query.query([value])?;
            let mut letters = Vec::new();
            while let Some(row) = rows.next()? {
                letters.push(kept(row)?);
            }
            Ok(letters)
        })
    }

    /// Returns how many dead letters are kept, and how many were dropped for newer ones.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn count_dead_letters(&self) -> Result<(u64, u64), Error> {
        self.read(|db| {
            let sql = "SELECT (SELECT COUNT(*) FROM dead_letter), count FROM dead_letters_dropped";
            let counts: Option<(i64, i64)> =
                db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (kept, dropped) = counts.unwrap_or_default();
            Ok((kept.unsigned_abs(), dropped.unsigned_abs()))
        })
    }

    /// Asks the gateway to take dead letters again; returns how many.
    ///
    /// # Errors
    /// `Unknown` for one that is not there, `Refused` for one that was cut, or a failure of the file.
    pub fn ask_for_replay(
        &self,
        which: WhichLetters,
        by: &Actor,
        now: Timestamp,
    ) -> Result<u64, Error> {
        if let WhichLetters::One(number) = which {
            let kept = self.dead_letter(number)?.ok_or_else(|| unknown(number))?;
            if !kept.is_whole() {
                let (has, of) = (kept.letter.payload.len(), kept.bytes);
                return Err(Error::refused(
                    "number",
                    format!(
                        "第 {number} 号死信共 {of} 字节，只保留了前 {has} 字节，无法重放；可删除"
                    ),
                    format!(
                        "only {has} of the {of} bytes of dead letter {number} are kept, so it can't be \
                         replayed; drop it"
                    ),
                ));
            }
        }
        self.change_letters(
            which,
            "letter.replay",
            "UPDATE dead_letter SET state = 'asked' WHERE bytes = length(payload)",
            "AND state IN ('kept', 'refused')",
            (by, now),
        )
    }

    /// Drops dead letters for good; returns how many.
    ///
    /// # Errors
    /// `Unknown` for one that is not there, or a failure of the file.
    pub fn drop_dead_letters(
        &self,
        which: WhichLetters,
        by: &Actor,
        now: Timestamp,
    ) -> Result<u64, Error> {
        if let WhichLetters::One(number) = which
            && self.dead_letter(number)?.is_none()
        {
            return Err(unknown(number));
        }
        self.change_letters(which, "letter.drop", "DELETE FROM dead_letter WHERE 1", "", (by, now))
    }

    fn change_letters(
        &self,
        which: WhichLetters,
        what: &'static str,
        sql: &str,
        of_all: &str,
        (by, now): (&Actor, Timestamp),
    ) -> Result<u64, Error> {
        self.write(|db| {
            let (count, subject) = match which {
                WhichLetters::One(number) => {
                    let sql = format!("{sql} AND number = ?1");
                    (db.execute(&sql, [number])?, number.to_string())
                }
                WhichLetters::All => {
                    (db.execute(&format!("{sql} {of_all}"), [])?, "all".to_owned())
                }
            };
            if count > 0 {
                record(db, now, by, Done::new(what, &subject), &json!({ "letters": count }))?;
            }
            Ok(count as u64)
        })
    }

    /// Notes what became of dead letters that were taken again: stored, or why not.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn settle_dead_letters(
        &self,
        outcomes: &[(i64, Result<(), String>)],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(|db| {
            let sql = "UPDATE dead_letter SET state = ?2, tried_us = ?3,
                           reason = COALESCE(?4, reason)
                       WHERE number = ?1 AND state = 'asked'";
            for (number, outcome) in outcomes {
                let state = match outcome {
                    Ok(()) => LetterState::Replayed,
                    Err(_) => LetterState::Refused,
                };
                let reason = outcome.as_ref().err().map(|reason| cut(reason));
                let row = params![number, state.name(), now.micros(), reason];
                db.prepare_cached(sql)?.execute(row)?;
            }
            Ok(())
        })
    }
}

fn kept(row: &Row<'_>) -> Result<KeptLetter, Error> {
    let (state, bytes): (String, i64) = (row.get(6)?, row.get(5)?);
    let state = LetterState::ALL.into_iter().find(|known| known.name() == state);
    let tried: Option<i64> = row.get(7)?;
    Ok(KeptLetter {
        number: row.get(0)?,
        letter: DeadLetter {
            received: time(row.get(1)?)?,
            topic: row.get(2)?,
            reason: row.get(3)?,
            payload: row.get(4)?,
        },
        bytes: bytes.unsigned_abs(),
        state: state.ok_or_else(|| Error::broken("state of a letter", "unknown"))?,
        tried: tried.map(time).transpose()?,
    })
}

fn unknown(number: i64) -> Error {
    Error::Unknown { what: "dead letter", name: number.to_string() }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(DEAD_LETTER_BYTES_MAX)).unwrap_or(text)
}
