//! Who is told of which transition on which channel, and how far that has come.
//!
//! Tries are timed by the wall, also where the nursery's clock runs faster.

use std::collections::BTreeMap;

use alarms::{AlarmId, Transition};
use measure::Timestamp;
use people::Actor;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::audit::{Done, record};
use crate::{Error, Registry, parse, secret, time};

/// The most deliveries that wait; one more gives the oldest up.
pub const WAITING_MAX: usize = 10_000;

/// The most deliveries that are over and kept; one more drops the oldest.
pub const DELIVERIES_MAX: usize = 50_000;

/// The longest reason of a failure that is kept, in characters; what is longer is cut.
pub const REASON_CHARS_MAX: usize = 300;

/// A way that messages leave by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// E-mail to a user.
    Email,
    /// A signed request to a program.
    Webhook,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 2] = [Self::Email, Self::Webhook];

    /// Returns the name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }
}

/// To whom a message goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient {
    /// On which channel.
    pub channel: Channel,
    /// A user's name, or the webhook's host.
    pub name: String,
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is sent, or tried again, when its time comes.
    Waiting,
    /// It was taken by the server on the other side.
    Sent,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// Returns the name used in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// A message to one recipient about one transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub number: i64,
    /// To whom.
    pub to: Recipient,
    /// What every repeat carries; of letters and digits.
    pub message: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made, wall time.
    pub made: Timestamp,
    /// When it is tried next, wall time; of no meaning once it is over.
    pub next: Timestamp,
    /// When it was over, on the nursery's clock.
    pub done: Option<Timestamp>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// A delivery whose time has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The delivery.
    pub delivery: Delivery,
    /// What it tells of.
    pub transition: Transition,
    /// The first message about the same alarm to the same recipient, where this is not it.
    pub thread: Option<String>,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It was taken.
    Sent,
    /// It failed and is tried again.
    Again {
        /// When, wall time.
        next: Timestamp,
        /// Why it failed.
        reason: String,
    },
    /// It is given up.
    Failed {
        /// Why.
        reason: String,
    },
}

/// How a channel has fared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRecord {
    /// When a message last went through, on the nursery's clock.
    pub sent: Option<Timestamp>,
    /// Why the last try failed; none where it did not.
    pub error: Option<String>,
}

const COLUMNS: &str = "delivery.number, delivery.channel, delivery.recipient, delivery.message,
    delivery.state, delivery.attempts, delivery.made_us, delivery.next_us, delivery.done_us,
    delivery.error";

impl Registry {
    /// Turns a message of the outbox into deliveries, in one transaction: it is out of the outbox
    /// exactly when they are there. One that is out already changes nothing.
    ///
    /// # Errors
    /// Where the file can't be written; then the message is still in the outbox.
    pub fn fan_out(&self, number: i64, to: &[Recipient], wall: Timestamp) -> Result<(), Error> {
        self.write(|db| {
            let sql = "DELETE FROM outbox WHERE transition = ?1 RETURNING alarm";
            let alarm: Option<i64> =
                db.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
            let Some(alarm) = alarm else { return Ok(()) };
            let sql = "INSERT INTO delivery (transition, alarm, channel, recipient, message, state,
                                             attempts, made_us, next_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', 0, ?6, ?6)
                       ON CONFLICT DO NOTHING";
            for to in to {
                let message = secret::draw_id()?;
                let row =
                    params![number, alarm, to.channel.name(), to.name, message, wall.micros()];
                db.prepare_cached(sql)?.execute(row)?;
            }
            bound(db)
        })
    }

    /// Returns who was told of an alarm, or is about to be.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn told_of(&self, alarm: AlarmId) -> Result<Vec<Recipient>, Error> {
        self.read(|db| {
            let sql = "SELECT DISTINCT channel, recipient FROM delivery
                       WHERE alarm = ?1 AND state <> 'failed' ORDER BY channel, recipient";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([i64::try_from(alarm.0).unwrap_or(i64::MAX)])?;
            let mut told = Vec::new();
            while let Some(row) = rows.next()? {
                let (channel, name): (String, String) = (row.get(0)?, row.get(1)?);
                told.push(Recipient { channel: channel_of(&channel)?, name });
            }
            Ok(told)
        })
    }

    /// Returns deliveries whose time has come, oldest first, at most `limit`. Of one alarm and one
    /// recipient only the first that waits: what came later is told later.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn due_deliveries(&self, wall: Timestamp, limit: usize) -> Result<Vec<Due>, Error> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS}, transition.body,
                     (SELECT first.message FROM delivery AS first
                      WHERE first.alarm = delivery.alarm AND first.channel = delivery.channel
                        AND first.recipient = delivery.recipient AND first.number < delivery.number
                      ORDER BY first.number LIMIT 1)
                 FROM delivery JOIN transition ON transition.number = delivery.transition
                 WHERE delivery.state = 'waiting' AND delivery.next_us <= ?1 AND NOT EXISTS
                     (SELECT 1 FROM delivery AS before WHERE before.alarm = delivery.alarm
                      AND before.state = 'waiting' AND before.channel = delivery.channel
                      AND before.recipient = delivery.recipient
                      AND before.number < delivery.number)
                 ORDER BY delivery.number LIMIT ?2"
            );
            let mut query = db.prepare_cached(&sql)?;
            let mut rows = query.query(params![wall.micros(), limit as i64])?;
            let mut due = Vec::new();
            while let Some(row) = rows.next()? {
                let transition = parse("transition", &row.get::<_, String>(10)?)?;
                due.push(Due { delivery: read(row)?, transition, thread: row.get(11)? });
            }
            Ok(due)
        })
    }

    /// Returns when the next delivery is due, wall time; `None` where none waits.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn next_delivery(&self) -> Result<Option<Timestamp>, Error> {
        self.read(|db| {
            let sql = "SELECT MIN(next_us) FROM delivery WHERE state = 'waiting'";
            let next: Option<i64> = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            next.map(time).transpose()
        })
    }

    /// Keeps how a try ended: `wall` times the tries, `now` is the nursery's.
    ///
    /// # Errors
    /// Where the file can't be written; then the delivery is tried once more, as the same message.
    pub fn record_try(
        &self,
        number: i64,
        tried: &Tried,
        (wall, now): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        let cut = |reason: &str| reason.chars().take(REASON_CHARS_MAX).collect::<String>();
        let (state, next, done, error) = match tried {
            Tried::Sent => (DeliveryState::Sent, None, Some(now), None),
            Tried::Again { next, reason } => {
                (DeliveryState::Waiting, Some(*next), None, Some(cut(reason)))
            }
            Tried::Failed { reason } => (DeliveryState::Failed, None, Some(now), Some(cut(reason))),
        };
        let sql = "UPDATE delivery SET state = ?2, attempts = attempts + 1, tried_us = ?3,
                       next_us = COALESCE(?4, next_us), done_us = ?5, error = ?6
                   WHERE number = ?1 AND state = 'waiting'";
        self.write(|db| {
            let (next, done) = (next.map(Timestamp::micros), done.map(Timestamp::micros));
            let row = params![number, state.name(), wall.micros(), next, done, error];
            db.prepare_cached(sql)?.execute(row)?;
            Ok(())
        })
    }

    /// Returns the messages about an alarm, oldest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn deliveries(&self, alarm: AlarmId) -> Result<Vec<Delivery>, Error> {
        self.read(|db| {
            let sql =
                format!("SELECT {COLUMNS} FROM delivery WHERE alarm = ?1 ORDER BY number LIMIT ?2");
            let mut query = db.prepare_cached(&sql)?;
            let alarm = i64::try_from(alarm.0).unwrap_or(i64::MAX);
            let mut rows = query.query(params![alarm, crate::TIMELINE_MAX as i64])?;
            let mut deliveries = Vec::new();
            while let Some(row) = rows.next()? {
                deliveries.push(read(row)?);
            }
            Ok(deliveries)
        })
    }

    /// Returns how many deliveries wait, and how many were given up and are kept.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn delivery_counts(&self) -> Result<(u64, u64), Error> {
        self.read(|db| Ok((count(db, DeliveryState::Waiting)?, count(db, DeliveryState::Failed)?)))
    }

    /// Returns how a channel has fared.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn channel_record(&self, channel: Channel) -> Result<ChannelRecord, Error> {
        self.read(|db| {
            let sql = "SELECT MAX(done_us) FROM delivery WHERE channel = ?1 AND state = 'sent'";
            let sent: Option<i64> =
                db.prepare_cached(sql)?.query_row([channel.name()], |row| row.get(0))?;
            let sql = "SELECT error FROM delivery WHERE channel = ?1 AND tried_us IS NOT NULL
                       ORDER BY tried_us DESC, number DESC LIMIT 1";
            let error: Option<Option<String>> =
                db.prepare_cached(sql)?.query_row([channel.name()], |row| row.get(0)).optional()?;
            Ok(ChannelRecord { sent: sent.map(time).transpose()?, error: error.flatten() })
        })
    }

    /// Puts on record that somebody sent test messages, and what became of them: channel and state.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn record_notify_test(
        &self,
        results: &[(String, String)],
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), Error> {
        let detail: BTreeMap<_, _> = results.iter().cloned().collect();
        self.write(|db| record(db, now, by, Done::new("notify.test", "messages"), &detail))
    }

    /// Returns how many of the alarms that were raised since `from` somebody was told of.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn told_since(&self, from: Timestamp) -> Result<u64, Error> {
        self.read(|db| {
            let sql = "SELECT COUNT(*) FROM alarm WHERE raised_us >= ?1 AND EXISTS
                       (SELECT 1 FROM delivery WHERE delivery.alarm = alarm.id
                        AND delivery.state = 'sent')";
            let told: i64 = db.prepare_cached(sql)?.query_row([from.micros()], |row| row.get(0))?;
            Ok(told.unsigned_abs())
        })
    }
}

/// Draws what a message carries so that a repeat can be told from news: 26 letters and digits.
///
/// # Errors
/// Where the operating system gives no randomness.
pub fn message_id() -> Result<String, Error> {
    secret::draw_id()
}

fn count(db: &Connection, state: DeliveryState) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) FROM delivery WHERE state = ?1";
    let count: i64 = db.prepare_cached(sql)?.query_row([state.name()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Keeps the limits of what waits and what is over.
fn bound(db: &Transaction<'_>) -> Result<(), Error> {
    let sql = "UPDATE delivery SET state = 'failed', error = ?2, done_us = made_us
               WHERE state = 'waiting' AND number IN
               (SELECT number FROM delivery WHERE state = 'waiting' ORDER BY number DESC
                LIMIT -1 OFFSET ?1)";
    let reason = "too many messages were waiting";
    db.prepare_cached(sql)?.execute(params![WAITING_MAX as i64, reason])?;
    let sql = "DELETE FROM delivery WHERE state <> 'waiting' AND number <=
               (SELECT number FROM delivery ORDER BY number DESC LIMIT 1 OFFSET ?1)";
    db.prepare_cached(sql)?.execute([DELIVERIES_MAX as i64])?;
    Ok(())
}

/// Returns whether somebody was told of an alarm, or is about to be.
pub(crate) fn was_told(db: &Transaction<'_>, alarm: i64) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM outbox WHERE alarm = ?1
               UNION ALL SELECT 1 FROM delivery WHERE alarm = ?1 AND state <> 'failed'";
    Ok(db.prepare_cached(sql)?.exists([alarm])?)
}

fn channel_of(name: &str) -> Result<Channel, Error> {
    let found = Channel::ALL.into_iter().find(|channel| channel.name() == name);
    found.ok_or_else(|| Error::broken("channel", format!("`{name}` is none")))
}

fn read(row: &Row<'_>) -> Result<Delivery, Error> {
    let channel: String = row.get(1)?;
    let state: String = row.get(4)?;
    let state = [DeliveryState::Waiting, DeliveryState::Sent, DeliveryState::Failed]
        .into_iter()
        .find(|it| it.name() == state)
        .ok_or_else(|| Error::broken("delivery", format!("`{state}` is no state")))?;
    Ok(Delivery {
        number: row.get(0)?,
        to: Recipient { channel: channel_of(&channel)?, name: row.get(2)? },
        message: row.get(3)?,
        state,
        attempts: row.get(5)?,
        made: time(row.get(6)?)?,
        next: time(row.get(7)?)?,
        done: row.get::<_, Option<i64>>(8)?.map(time).transpose()?,
        error: row.get(9)?,
    })
}
