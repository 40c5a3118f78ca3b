//! Limits of weak sources that people of the nursery have confirmed.

use alarms::{ConfirmedLimit, ConfirmedLimits};
use measure::{Quantity, Scaled, Timestamp};
use nursery::{Growing, Side};
use people::Actor;
use rusqlite::{Row, params};
use serde_json::json;

use crate::audit::{Done, record};
use crate::{Error, Registry, Topic, slug, touch};

/// The most confirmed limits; one more is refused.
pub const CONFIRMATIONS_MAX: usize = 10_000;

impl Registry {
    /// Keeps that a limit is right at a site; confirming it once more changes who and why.
    ///
    /// # Errors
    /// `Unknown` for the site, `Refused` for too many, or a failure of the file.
    pub fn confirm_limit(
        &self,
        limit: &ConfirmedLimit,
        why: &str,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), Error> {
        let site = limit.site.as_str();
        self.write(|db| {
            if !db.prepare_cached("SELECT 1 FROM site WHERE site = ?1")?.exists([site])? {
                return Err(Error::Unknown { what: "site", name: site.to_owned() });
            }
            let Growing { crop, method, stage } = &limit.growing;
            let sql = "INSERT INTO confirmation (site, crop, method, stage, quantity, side, steps,
                                                 by, why, at_us)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                       ON CONFLICT DO UPDATE SET by = excluded.by, why = excluded.why,
                           at_us = excluded.at_us";
            db.execute(
                sql,
                params![
                    site,
                    crop.as_str(),
                    method.as_str(),
                    stage.as_str(),
                    limit.quantity.name(),
                    limit.side.name(),
                    limit.limit.0,
                    by.to_string(),
                    why,
                    now.micros(),
                ],
            )?;
            let count: i64 =
                db.query_row("SELECT COUNT(*) FROM confirmation", [], |row| row.get(0))?;
            if count > CONFIRMATIONS_MAX as i64 {
                return Err(Error::refused(
                    "limit",
                    format!("已确认 {CONFIRMATIONS_MAX} 个限值,不能再多"),
                    format!("{CONFIRMATIONS_MAX} limits are confirmed already; that is the most"),
                ));
            }
            let detail = json!({
                "quantity": limit.quantity.name(), "side": limit.side.name(),
                "limit": limit.limit.to_f64(limit.quantity), "steps": limit.limit.0,
            });
            let subject = format!("{site}/{crop}/{method}/{stage}");
            let done = Done { what: "limit.confirm", subject: &subject, why: Some(why) };
            record(db, now, by, done, &detail)?;
            touch(db, Topic::Nursery)
        })
    }

    /// Returns every confirmed limit.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn confirmed_limits(&self) -> Result<ConfirmedLimits, Error> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT site, crop, method, stage, quantity, side, steps, by FROM confirmation",
            )?;
            let mut rows = query.query([])?;
            let mut limits = Vec::new();
            while let Some(row) = rows.next()? {
                limits.push(read(row)?);
            }
            Ok(limits.into_iter().collect())
        })
    }
}

fn read(row: &Row<'_>) -> Result<ConfirmedLimit, Error> {
    let name = |index: usize| slug(&row.get::<_, String>(index)?);
    let quantity: String = row.get(4)?;
    let quantity = Quantity::ALL
        .into_iter()
        .find(|it| it.name() == quantity)
        .ok_or_else(|| Error::broken("quantity", format!("`{quantity}` is none")))?;
    let side: String = row.get(5)?;
    let side = [Side::Low, Side::High]
        .into_iter()
        .find(|it| it.name() == side)
        .ok_or_else(|| Error::broken("side", format!("`{side}` is none")))?;
    Ok(ConfirmedLimit {
        site: name(0)?,
        growing: Growing { crop: name(1)?, method: name(2)?, stage: name(3)? },
        quantity,
        side,
        limit: Scaled(row.get(6)?),
        by: row.get(7)?,
    })
}
