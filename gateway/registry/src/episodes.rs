//! Alarms: where the engine stands, each episode as it is now, and everything that happened to it.

use alarms::{
    AlarmId, ChannelId, ChannelState, Episode, Kind, STATE_VERSION, State, Suppression, Transition,
};
use measure::{Scaled, Timestamp};
use rusqlite::{OptionalExtension as _, Row, ToSql, Transaction, params};

use crate::deliveries::was_told;
use crate::{Error, Registry, parse, write};

/// The most messages that wait to be sent; one more drops the oldest, whose alarm stays in the
/// list.
pub const OUTBOX_MAX: usize = 10_000;

/// The most alarms that one call returns.
pub const ALARMS_PAGE_MAX: usize = 1_000;

/// The most transitions of one alarm that one call returns: the first ones.
pub const TIMELINE_MAX: usize = 1_000;

/// An alarm as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The episode.
    pub episode: Episode,
    /// The value of the sample that raised it; none for silence and faults.
    pub value: Option<Scaled>,
    /// What keeps it from notifying now.
    pub suppression: Suppression,
}

/// Which alarms to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Those that are not over, or that nobody knows of yet.
    #[default]
    Open,
    /// Those that nobody has acknowledged.
    Unacknowledged,
    /// Those whose condition holds.
    Active,
    /// Those that are over and known.
    Closed,
    /// All of them.
    All,
}

impl Which {
    const fn condition(self) -> &'static str {
        match self {
            Self::Open => "closed_us IS NULL",
            Self::Unacknowledged => "closed_us IS NULL AND wants",
            Self::Active => "closed_us IS NULL AND active",
            Self::Closed => "closed_us IS NOT NULL",
            Self::All => "1",
        }
    }
}

/// A message of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of its transition, by which it is taken out.
    pub number: i64,
    /// The transition that people are to be told of.
    pub transition: Transition,
}

impl Registry {
    /// Keeps what the alarm engine found, in one transaction: what changed of its state, the
    /// transitions, the messages to send, and the journal position that all of it comes from
    /// (invariant 6).
    ///
    /// # Errors
    /// Where the file can't be written: then nothing of it was kept, and `state` is ahead of the
    /// file. The caller goes on from [`Registry::alarm_engine`].
    pub fn commit_alarms(
        &self,
        transitions: &[Transition],
        state: &mut State,
        position: u64,
    ) -> Result<(), Error> {
        let next_alarm = state.next_alarm();
        self.write(|db| {
            let mut told = false;
            for transition in transitions {
                told |= keep(db, transition)?;
            }
            if told {
                let sql = "DELETE FROM outbox WHERE transition IN
                           (SELECT transition FROM outbox ORDER BY transition DESC
                            LIMIT -1 OFFSET ?1)";
                db.prepare_cached(sql)?.execute([OUTBOX_MAX as i64])?;
            }
            let sql = "INSERT INTO alarm_channel (channel, body) VALUES (?1, ?2)
                       ON CONFLICT (channel) DO UPDATE SET body = excluded.body";
            let mut query = db.prepare_cached(sql)?;
            for (channel, remembered) in state.take_changed() {
                query.execute(params![channel.0, write("alarm state", remembered)?])?;
            }
            let sql = "INSERT INTO alarm_engine (one, version, next_alarm, position)
                       VALUES (1, ?1, ?2, ?3)
                       ON CONFLICT (one) DO UPDATE SET version = excluded.version,
                           next_alarm = excluded.next_alarm, position = excluded.position";
            let row = params![STATE_VERSION, next_alarm.0 as i64, position as i64];
            db.prepare_cached(sql)?.execute(row)?;
            Ok(())
        })
    }

    /// Returns the alarm engine's state at the last commit, and the journal position up to which,
    /// included, it has judged; `None` before the first commit.
    ///
    /// # Errors
    /// Where the file can't be read, or was written by an engine of another version.
    pub fn alarm_engine(&self) -> Result<Option<(State, u64)>, Error> {
        self.read(|db| {
            let sql = "SELECT version, next_alarm, position FROM alarm_engine";
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let engine: Option<(u16, i64, i64)> =
                db.prepare_cached(sql)?.query_row([], read).optional()?;
            let Some((version, next_alarm, position)) = engine else { return Ok(None) };
            let mut query = db.prepare_cached("SELECT channel, body FROM alarm_channel")?;
            let mut rows = query.query([])?;
            let mut channels = Vec::new();
            while let Some(row) = rows.next()? {
                let remembered: ChannelState = parse("alarm state", &row.get::<_, String>(1)?)?;
                channels.push((ChannelId(row.get(0)?), remembered));
            }
            let state = State::from_records(version, AlarmId(next_alarm as u64), channels)
                .map_err(|error| Error::broken("alarm state", error))?;
            Ok(Some((state, position as u64)))
        })
    }

    /// Returns alarms: those that are not closed first, then the newest first, at most `limit` and
    /// [`ALARMS_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn alarms(&self, which: Which, limit: usize) -> Result<Vec<Alarm>, Error> {
        let sql = format!(
            "SELECT body, value, suppression FROM alarm WHERE {} ORDER BY closed_us IS NOT NULL, raised_us DESC, id DESC
             LIMIT ?1",
            which.condition()
        );
        self.episodes(&sql, &[&(limit.min(ALARMS_PAGE_MAX) as i64)])
    }

    /// Returns the alarms of a channel that were active at any time in `[from, to)`, newest first,
    /// at most [`ALARMS_PAGE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn alarms_of(
        &self,
        channel: ChannelId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Alarm>, Error> {
        let sql =
            "SELECT body, value, suppression FROM alarm WHERE channel = ?1 AND started_us < ?3
                   AND COALESCE(ended_us, ?3) >= ?2 ORDER BY raised_us DESC, id DESC LIMIT ?4";
        let (from, to, limit) = (from.micros(), to.micros(), ALARMS_PAGE_MAX as i64);
        self.episodes(sql, &[&channel.0, &from, &to, &limit])
    }

    /// Returns the alarms that were raised since `from`, newest first, at most `limit` of them, and
    /// how many there are.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn alarms_since(&self, from: Timestamp, limit: usize) -> Result<(Vec<Alarm>, u64), Error> {
        let sql = "SELECT body, value, suppression FROM alarm WHERE raised_us >= ?1
                   ORDER BY raised_us DESC, id DESC LIMIT ?2";
        let limit = limit.min(ALARMS_PAGE_MAX) as i64;
        let alarms = self.episodes(sql, &[&from.micros(), &limit])?;
        let count = self.read(|db| {
            let sql = "SELECT COUNT(*) FROM alarm WHERE raised_us >= ?1";
            let count: i64 =
                db.prepare_cached(sql)?.query_row([from.micros()], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })?;
        Ok((alarms, count))
    }

    /// Returns one alarm.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn alarm(&self, id: AlarmId) -> Result<Option<Alarm>, Error> {
        let Ok(id) = i64::try_from(id.0) else { return Ok(None) };
        Ok(self.episodes("SELECT body, value, suppression FROM alarm WHERE id = ?1", &[&id])?.pop())
    }

    /// Returns what happened to an alarm, oldest first, at most [`TIMELINE_MAX`].
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn transitions(&self, id: AlarmId) -> Result<Vec<Transition>, Error> {
        let Ok(id) = i64::try_from(id.0) else { return Ok(Vec::new()) };
        self.read(|db| {
            let sql = "SELECT body FROM transition WHERE alarm = ?1 ORDER BY number LIMIT ?2";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query(params![id, TIMELINE_MAX as i64])?;
            let mut transitions = Vec::new();
            while let Some(row) = rows.next()? {
                transitions.push(parse("transition", &row.get::<_, String>(0)?)?);
            }
            Ok(transitions)
        })
    }

    /// Returns the messages that wait to be sent, oldest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn outbox(&self) -> Result<Vec<Message>, Error> {
        self.read(|db| {
            let sql = "SELECT transition.number, transition.body FROM outbox
                       JOIN transition ON transition.number = outbox.transition
                       ORDER BY transition.number LIMIT ?1";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([OUTBOX_MAX as i64])?;
            let mut messages = Vec::new();
            while let Some(row) = rows.next()? {
                let transition = parse("transition", &row.get::<_, String>(1)?)?;
                messages.push(Message { number: row.get(0)?, transition });
            }
            Ok(messages)
        })
    }

    fn episodes(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<Alarm>, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query(values)?;
            let mut episodes = Vec::new();
            while let Some(row) = rows.next()? {
                let episode = parse("alarm", &row.get::<_, String>(0)?)?;
                let suppression: Option<String> = row.get(2)?;
                let suppression =
                    suppression.map(|body| parse("suppression", &body)).transpose()?;
                episodes.push(Alarm {
                    episode,
                    value: row.get::<_, Option<i32>>(1)?.map(Scaled),
                    suppression: suppression.unwrap_or_default(),
                });
            }
            Ok(episodes)
        })
    }
}

/// Keeps a transition. Returns whether people are to be told of it.
fn keep(db: &Transaction<'_>, transition: &Transition) -> Result<bool, Error> {
    let episode = &transition.episode;
    let id = i64::try_from(episode.id.0).map_err(|error| Error::broken("alarm number", error))?;
    // An episode whose rule is gone is closed without having returned.
    let ended = episode.returned.or(episode.closed);
    let sql = "INSERT INTO alarm (id, channel, active, wants, raised_us, started_us, ended_us,
                                  closed_us, value, body, suppression)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
               ON CONFLICT (id) DO UPDATE SET active = excluded.active, wants = excluded.wants,
                   raised_us = excluded.raised_us, started_us = excluded.started_us,
                   ended_us = excluded.ended_us, closed_us = excluded.closed_us,
                   body = excluded.body, suppression = excluded.suppression";
    let suppression = Some(&transition.suppression)
        .filter(|it| **it != Suppression::None && episode.closed.is_none())
        .map(|it| write("suppression", it))
        .transpose()?;
    db.prepare_cached(sql)?.execute(params![
        id,
        episode.channel().0,
        episode.active,
        episode.wants_acknowledgement(),
        episode.raised.micros(),
        episode.started.micros(),
        ended.map(Timestamp::micros),
        episode.closed.map(Timestamp::micros),
        transition.value.map(|value| value.0),
        write("alarm", episode)?,
        suppression,
    ])?;
    let kind = write("kind of transition", &transition.kind)?;
    let sql = "INSERT INTO transition (alarm, kind, at_us, seen_us, body)
               VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![
        id,
        kind.trim_matches('"'),
        transition.at.micros(),
        transition.seen.micros(),
        write("transition", transition)?,
    ])?;
    let number = db.last_insert_rowid();
    // Whoever was told that it began is told that it is over.
    let is_over = match transition.kind {
        Kind::Returned => true,
        Kind::Withdrawn => episode.returned.is_none(),
        _ => false,
    };
    let tell = transition.notify || (is_over && was_told(db, id)?);
    if tell {
        let sql = "INSERT INTO outbox (transition, alarm, made_us) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![number, id, transition.seen.micros()])?;
    }
    Ok(tell)
}
