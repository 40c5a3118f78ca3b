//! How sensors read against a reference: every version for good, which of them were withdrawn, and
//! what of the stored readings still has to be computed again since.

use measure::{Quantity, Scaled, Timestamp};
use people::Actor;
use quality::calibration::{
    Channel, Correction, Point, Span, Timeline, Touched, VERSIONS_MAX, Version, Withdrawal,
};
use rusqlite::{OptionalExtension as _, Params, Row, Transaction, params};
use serde_json::{Value, json};

use crate::audit::{Done, record};
use crate::{Error, Registry, Topic, node_key, slug, time, touch};

/// The longest note of a calibration, and the longest reason to withdraw one, in characters; longer
/// ones are refused.
pub const CALIBRATION_NOTE_CHARS_MAX: usize = 400;
/// The longest name of who measured a calibration, in characters; a longer one is refused.
pub const CALIBRATION_BY_CHARS_MAX: usize = 64;

/// A calibration that is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCalibration {
    /// The channel.
    pub channel: Channel,
    /// From when it holds.
    pub from: Timestamp,
    /// What it says.
    pub correction: Correction,
    /// Who measured it.
    pub by: String,
    /// With what; may be empty.
    pub note: String,
}

/// A span of a channel that is computed again, and how far that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalibration {
    /// Its number: counts up.
    pub number: i64,
    /// The calibration that was entered or withdrawn.
    pub calibration: u32,
    /// The channel.
    pub channel: Channel,
    /// The span.
    pub span: Span,
    /// All before it is done.
    pub next: Timestamp,
    /// What was done so far.
    pub recomputed: Recomputed,
    /// When it was done as a whole.
    pub done: Option<Timestamp>,
}

/// A series that no node measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The series.
    pub channel: Channel,
    /// The channels that it is computed from.
    pub inputs: Vec<Channel>,
}

/// What was computed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recomputed {
    /// Readings that were looked at.
    pub samples: u64,
    /// Readings whose flag has become another one.
    pub flags: u64,
    /// Derived samples that have become others.
    pub derived: u64,
}

impl Registry {
    /// Returns every version of every calibration, by number; the withdrawn ones too.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn calibrations(&self) -> Result<Vec<Version>, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(&select("TRUE"))?;
            versions(query.query([])?)
        })
    }

    /// Returns every version of a channel's calibration, by number; the withdrawn ones too.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn calibrations_of(&self, channel: &Channel) -> Result<Vec<Version>, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(&select(OF_CHANNEL))?;
            versions(query.query(named(channel))?)
        })
    }

    /// Returns the version of this number.
    ///
    /// # Errors
    /// `Unknown`, or where the file can't be read.
    pub fn calibration(&self, number: u32) -> Result<Version, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(&select("c.number = ?1"))?;
            versions(query.query([number])?)?.pop().ok_or_else(|| unknown(number))
        })
    }

    /// Keeps a calibration and what has to be computed again because of it, in one transaction.
    /// `touched` is what the caller has found to be touched; it goes into the record of changes.
    ///
    /// # Errors
    /// `Refused` for a text that is too long, for one version too many, and where the channel's
    /// calibrations have changed since `touched` was found; or a failure of the file.
    pub fn add_calibration(
        &self,
        new: &NewCalibration,
        touched: &Touched,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Version, Error> {
        check_text("by", &new.by, 1, CALIBRATION_BY_CHARS_MAX)?;
        check_text("note", &new.note, 0, CALIBRATION_NOTE_CHARS_MAX)?;
        self.write(|db| {
            let mut all = of_channel(db, &new.channel)?;
            if all.len() >= VERSIONS_MAX {
                return Err(Error::refused(
                    "channel",
                    format!("该通道已有 {VERSIONS_MAX} 次校准,不能再多"),
                    format!("{} has {VERSIONS_MAX} calibrations; that is the most", new.channel),
                ));
            }
            let before = Timeline::of(&all);
            let number = insert(db, new, now)?;
            let version = Version {
                number,
                channel: new.channel.clone(),
                from: new.from,
                correction: new.correction,
                by: new.by.clone(),
                entered: now,
                note: new.note.clone(),
                withdrawn: None,
            };
            all.push(version.clone());
            let spans = before.changed(&Timeline::of(&all));
            keep(db, &version, &spans, touched)?;
            let subject = new.channel.to_string();
            let done = Done::new("calibration.add", &subject);
            record(db, now, by, done, &detail(&version, touched))?;
            touch(db, Topic::Calibrations)?;
            Ok(version)
        })
    }

    /// Says that a calibration does not hold after all: what holds is then as if it had never been
    /// entered. It stays in the file.
    ///
    /// # Errors
    /// `Unknown`, `Refused` where it is withdrawn already, for a text that is too long, and where the
    /// channel's calibrations have changed since `touched` was found; or a failure of the file.
    pub fn withdraw_calibration(
        &self,
        number: u32,
        why: &str,
        touched: &Touched,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Version, Error> {
        check_text("why", why, 1, CALIBRATION_NOTE_CHARS_MAX)?;
        self.write(|db| {
            let sql = select("c.number = ?1");
            let found = versions(db.prepare_cached(&sql)?.query([number])?)?.pop();
            let found = found.ok_or_else(|| unknown(number))?;
            if found.withdrawn.is_some() {
                return Err(Error::refused(
                    "number",
                    format!("校准 {number} 已经撤回"),
                    format!("calibration {number} is withdrawn already"),
                ));
            }
            let mut all = of_channel(db, &found.channel)?;
            let before = Timeline::of(&all);
            let said = Withdrawal { at: now, by: by.to_string(), why: why.to_owned() };
            let sql = "INSERT INTO calibration_withdrawal (number, at_us, by, why)
                       VALUES (?1, ?2, ?3, ?4)";
            db.execute(sql, params![number, now.micros(), said.by, said.why])?;
            let version = Version { withdrawn: Some(said), ..found };
            all.retain(|it| it.number != number);
            let spans = before.changed(&Timeline::of(&all));
            keep(db, &version, &spans, touched)?;
            let subject = version.channel.to_string();
            let done = Done { what: "calibration.withdraw", subject: &subject, why: Some(why) };
            record(db, now, by, done, &detail(&version, touched))?;
            touch(db, Topic::Calibrations)?;
            Ok(version)
        })
    }

    /// Returns what still has to be computed again, oldest first.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn open_recalibrations(&self) -> Result<Vec<Recalibration>, Error> {
        self.recalibrations("done_us IS NULL", [])
    }

    /// Returns what was or is computed again because of a calibration, oldest first: when it was
    /// entered, and when it was withdrawn.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn recalibrations_of(&self, calibration: u32) -> Result<Vec<Recalibration>, Error> {
        self.recalibrations("calibration = ?1", [calibration])
    }

    fn recalibrations(&self, which: &str, of: impl Params) -> Result<Vec<Recalibration>, Error> {
        self.read(|db| {
            let sql = format!(
                "SELECT r.number, r.calibration, c.site, c.node, c.position, c.quantity,
                        r.from_us, r.to_us, r.next_us, r.samples, r.flags, r.derived, r.done_us
                 FROM recalibration r JOIN calibration c ON c.number = r.calibration
                 WHERE r.{which} ORDER BY r.number"
            );
            let mut query = db.prepare_cached(&sql)?;
            let mut rows = query.query(of)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let count = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
                found.push(Recalibration {
                    number: row.get(0)?,
                    calibration: row.get(1)?,
                    channel: channel(row, 2)?,
                    span: Span { from: time(row.get(6)?)?, to: time(row.get(7)?)? },
                    next: time(row.get(8)?)?,
                    recomputed: Recomputed {
                        samples: count(9)?,
                        flags: count(10)?,
                        derived: count(11)?,
                    },
                    done: row.get::<_, Option<i64>>(12)?.map(time).transpose()?,
                });
            }
            Ok(found)
        })
    }

    /// Keeps how far a recalibration has come, `now` for one that is done as a whole: that goes into
    /// the record of changes, with what was done.
    ///
    /// # Errors
    /// A failure of the file.
    pub fn advance_recalibration(
        &self,
        it: &Recalibration,
        done: Option<Timestamp>,
    ) -> Result<(), Error> {
        let Recomputed { samples, flags, derived } = it.recomputed;
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.write(|db| {
            let sql = "UPDATE recalibration SET next_us = ?2, samples = ?3, flags = ?4,
                           derived = ?5, done_us = ?6
                       WHERE number = ?1 AND done_us IS NULL";
            let (next, at) = (it.next.micros(), done.map(Timestamp::micros));
            let row = params![it.number, next, count(samples), count(flags), count(derived), at];
            let changed = db.prepare_cached(sql)?.execute(row)?;
            if let (Some(now), 1) = (done, changed) {
                let subject = it.channel.to_string();
                let detail = json!({
                    "calibration": it.calibration, "span": shown(it.span),
                    "readings": samples, "flags": flags, "derived": derived,
                });
                let done = Done::new("calibration.recompute", &subject);
                record(db, now, &Actor::Gateway, done, &detail)?;
            }
            Ok(())
        })
    }

    /// Returns every series that is computed from others, with what it is computed from.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn derivations(&self) -> Result<Vec<Derivation>, Error> {
        self.read(|db| {
            let sql = "SELECT site, node, position, quantity, inputs FROM derivation
                       ORDER BY site, node, position, quantity";
            let mut query = db.prepare_cached(sql)?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let inputs: Vec<[String; 4]> =
                    crate::parse("derivation", &row.get::<_, String>(4)?)?;
                let inputs = inputs.iter().map(channel_of).collect::<Result<_, _>>()?;
                found.push(Derivation { channel: channel(row, 0)?, inputs });
            }
            Ok(found)
        })
    }

    /// Keeps which channels some series are computed from, before their first samples are.
    ///
    /// # Errors
    /// A failure of the file.
    pub fn set_derivations(&self, all: &[Derivation]) -> Result<(), Error> {
        self.write(|db| {
            for it in all {
                let inputs: Vec<_> = it.inputs.iter().map(named).collect();
                let inputs = crate::write("derivation", &inputs)?;
                let [site, node, position, quantity] = named(&it.channel);
                let sql = "INSERT INTO derivation (site, node, position, quantity, inputs)
                           VALUES (?1, ?2, ?3, ?4, ?5)
                           ON CONFLICT DO UPDATE SET inputs = excluded.inputs";
                db.prepare_cached(sql)?.execute(params![site, node, position, quantity, inputs])?;
            }
            Ok(())
        })
    }

    /// Returns up to which journal position the refine stage has come; `None` before it began.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn refined(&self) -> Result<Option<u64>, Error> {
        self.read(|db| {
            let sql = "SELECT position FROM refine";
            let read = |row: &Row<'_>| row.get::<_, i64>(0);
            Ok(db.prepare_cached(sql)?.query_row([], read).optional()?.map(i64::cast_unsigned))
        })
    }

    /// Keeps up to which journal position the refine stage has come.
    ///
    /// # Errors
    /// A failure of the file.
    pub fn set_refined(&self, position: u64) -> Result<(), Error> {
        self.write(|db| {
            let sql = "INSERT INTO refine (only, position) VALUES (1, ?1)
                       ON CONFLICT (only) DO UPDATE SET position = excluded.position";
            db.prepare_cached(sql)?.execute([position.cast_signed()])?;
            Ok(())
        })
    }
}

const OF_CHANNEL: &str = "c.site = ?1 AND c.node = ?2 AND c.position = ?3 AND c.quantity = ?4";

fn select(which: &str) -> String {
    format!(
        "SELECT c.number, c.site, c.node, c.position, c.quantity, c.from_us, c.raw_low,
                c.reference_low, c.raw_high, c.reference_high, c.by, c.note, c.entered_us,
                w.at_us, w.by, w.why
         FROM calibration c LEFT JOIN calibration_withdrawal w ON w.number = c.number
         WHERE {which} ORDER BY c.number"
    )
}

fn named(channel: &Channel) -> [&str; 4] {
    let Channel { node, position, quantity } = channel;
    [node.site.as_str(), node.node.as_str(), position.as_str(), quantity.name()]
}

fn of_channel(db: &Transaction<'_>, channel: &Channel) -> Result<Vec<Version>, Error> {
    versions(db.prepare_cached(&select(OF_CHANNEL))?.query(named(channel))?)
}

fn unknown(number: u32) -> Error {
    Error::Unknown { what: "calibration", name: number.to_string() }
}

fn insert(db: &Transaction<'_>, new: &NewCalibration, now: Timestamp) -> Result<u32, Error> {
    let (low, high) = new.correction.points();
    let [site, node, position, quantity] = named(&new.channel);
    let sql = "INSERT INTO calibration (site, node, position, quantity, from_us, raw_low,
                   reference_low, raw_high, reference_high, by, note, entered_us)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let from = new.from.micros();
    let (low_raw, low_reference) = (low.raw.0, low.reference.0);
    let (high_raw, high_reference) = (high.map(|it| it.raw.0), high.map(|it| it.reference.0));
    let points = params![
        site,
        node,
        position,
        quantity,
        from,
        low_raw,
        low_reference,
        high_raw,
        high_reference,
        new.by,
        new.note,
        now.micros(),
    ];
    db.execute(sql, points)?;
    u32::try_from(db.last_insert_rowid()).map_err(|error| Error::broken("calibration", error))
}

/// Keeps what has to be computed again, where it is what the caller has told people.
fn keep(
    db: &Transaction<'_>,
    version: &Version,
    spans: &[Span],
    touched: &Touched,
) -> Result<(), Error> {
    if touched.spans != spans {
        return Err(Error::refused(
            "channel",
            "该通道的校准刚被他人更改,请重试",
            format!("the calibrations of {} have just changed; try again", version.channel),
        ));
    }
    let sql = "INSERT INTO recalibration (calibration, from_us, to_us, next_us)
               VALUES (?1, ?2, ?3, ?2)";
    for span in spans {
        let row = params![version.number, span.from.micros(), span.to.micros()];
        db.prepare_cached(sql)?.execute(row)?;
    }
    Ok(())
}

fn check_text(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), Error> {
    let length = text.trim().chars().count();
    if (min..=max).contains(&length) {
        return Ok(());
    }
    Err(Error::refused(
        field,
        format!("{field} 须为 {min} 到 {max} 个字,而不是 {length} 个"),
        format!("{field} must have {min} to {max} characters, not {length}"),
    ))
}

fn versions(mut rows: rusqlite::Rows<'_>) -> Result<Vec<Version>, Error> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(version(row)?);
    }
    Ok(found)
}

fn version(row: &Row<'_>) -> Result<Version, Error> {
    let steps = |index| row.get::<_, Option<i32>>(index).map(|steps| steps.map(Scaled));
    let point = |raw, reference| -> Result<Option<Point>, Error> {
        let both = steps(raw)?.zip(steps(reference)?);
        Ok(both.map(|(raw, reference)| Point { raw, reference }))
    };
    let broken = || Error::broken("calibration", "its points make no line");
    let low = point(6, 7)?.ok_or_else(broken)?;
    let correction = Correction::from_points(low, point(8, 9)?).ok_or_else(broken)?;
    let withdrawn = row.get::<_, Option<i64>>(13)?.map(time).transpose()?;
    Ok(Version {
        number: row.get(0)?,
        channel: channel(row, 1)?,
        from: time(row.get(5)?)?,
        correction,
        by: row.get(10)?,
        note: row.get(11)?,
        entered: time(row.get(12)?)?,
        withdrawn: match withdrawn {
            Some(at) => Some(Withdrawal { at, by: row.get(14)?, why: row.get(15)? }),
            None => None,
        },
    })
}

/// Reads a channel from four columns of a row.
fn channel(row: &Row<'_>, first: usize) -> Result<Channel, Error> {
    let text = |index: usize| row.get::<_, String>(first + index);
    channel_of(&[text(0)?, text(1)?, text(2)?, text(3)?])
}

fn channel_of([site, node, position, quantity]: &[String; 4]) -> Result<Channel, Error> {
    let quantity: Quantity =
        quantity.parse().map_err(|_| Error::broken("quantity", format!("`{quantity}` is none")))?;
    Ok(Channel { node: node_key(site, node)?, position: slug(position)?, quantity })
}

fn shown(span: Span) -> Value {
    let to = (span.to < Timestamp::MAX).then(|| span.to.micros());
    json!({ "from_us": span.from.micros(), "to_us": to })
}

/// Returns what the record of changes says of a calibration: enough to make it anew.
fn detail(version: &Version, touched: &Touched) -> Value {
    let quantity = version.channel.quantity;
    let point = |it: Point| json!({ "raw": it.raw.to_f64(quantity), "reference": it.reference.to_f64(quantity) });
    let (low, high) = version.correction.points();
    let points: Vec<Value> = [Some(low), high].into_iter().flatten().map(point).collect();
    json!({
        "calibration": version.number, "from_us": version.from.micros(), "points": points,
        "measured_by": version.by, "note": version.note,
        "touched": {
            "spans": touched.spans.iter().copied().map(shown).collect::<Vec<_>>(),
            "readings": touched.samples, "derived": touched.derived,
        },
    })
}
