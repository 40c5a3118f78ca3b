//! A batch: plants of one origin that are raised together, where they stood and at which stage.
//!
//! A batch holds its whole history, so that every question about it has one answer at any time. It
//! does not judge what its plants lived through (that is `exposure`).

use measure::{NodeKey, Slug, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Error, NAME_CHARS_MAX};

/// The most stages that a batch enters in its life; one more is refused.
pub const BATCH_STAGES_MAX: usize = 256;
/// The most placements of a batch in its life; one more is refused.
pub const BATCH_PLACEMENTS_MAX: usize = 1_024;
/// The longest name of an accession, `INSTCODE:ACCENUMB`, in characters; a longer one is refused.
pub const ACCESSION_CHARS_MAX: usize = 1_100;

/// Plants of one origin that are raised together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Its name, unique in the site.
    #[serde(with = "crate::serial::slug")]
    pub id: Slug,
    /// The site it belongs to; it never leaves it.
    #[serde(with = "crate::serial::slug")]
    pub site: Slug,
    /// What people call it.
    pub label: String,
    /// What it was raised from, as `INSTCODE:ACCENUMB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accession: Option<String>,
    /// The crop, such as `rice`.
    #[serde(with = "crate::serial::slug")]
    pub crop: Slug,
    /// The method, such as `tray`.
    #[serde(with = "crate::serial::slug")]
    pub method: Slug,
    /// How many plants, where counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plants: Option<u32>,
    /// When it was sown, struck or put in.
    #[serde(with = "crate::serial::micros")]
    pub started: Timestamp,
    /// When and why it ended; none while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// The stages in order of time: never empty, the first from `started`.
    pub stages: Vec<StageFrom>,
    /// Where it stood in order of time: never empty, the first from `started`.
    pub placements: Vec<PlacedFrom>,
}

/// How a batch ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// When.
    #[serde(with = "crate::serial::micros")]
    pub at: Timestamp,
    /// Why: dispatched, lost, discarded. Never blank.
    pub reason: String,
}

/// A stage from a time on, until the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageFrom {
    /// The stage, such as `7-2-leaf`.
    #[serde(with = "crate::serial::slug")]
    pub stage: Slug,
    /// From when.
    #[serde(with = "crate::serial::micros")]
    pub from: Timestamp,
}

/// A place from a time on, until the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedFrom {
    /// The zone, of the batch's own site.
    #[serde(with = "crate::serial::slug")]
    pub zone: Slug,
    /// The bench or tray, named as the channels' positions are.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::serial::slug_option")]
    pub position: Option<Slug>,
    /// From when.
    #[serde(with = "crate::serial::micros")]
    pub from: Timestamp,
}

/// A span of a batch's life at one stage in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The stage.
    pub stage: Slug,
    /// The zone.
    pub zone: Slug,
    /// The bench or tray.
    pub position: Option<Slug>,
    /// From when, included.
    pub from: Timestamp,
    /// Until when, not included; later than `from`.
    pub to: Timestamp,
}

/// Where a node stood from a time on, until the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlaced {
    /// The node.
    pub node: NodeKey,
    /// The zone, of the node's own site; none where it stood nowhere.
    pub zone: Option<Slug>,
    /// From when.
    pub from: Timestamp,
}

impl Batch {
    /// Checks what the types of the fields cannot: texts, limits, and that times are in order.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let thing = || self.to_string();
        text(thing, "label", &self.label, NAME_CHARS_MAX)?;
        if let Some(accession) = &self.accession {
            text(thing, "accession", accession, ACCESSION_CHARS_MAX)?;
            let parts = accession.split_once(':');
            if parts.is_none_or(|(inst, number)| inst.is_empty() || number.is_empty()) {
                return Err(Error::Accession(accession.clone()));
            }
        }
        self.check_history("stages", BATCH_STAGES_MAX, self.stages.iter().map(|it| it.from))?;
        let placed = self.placements.iter().map(|it| it.from);
        self.check_history("placements", BATCH_PLACEMENTS_MAX, placed)?;
        if let Some(closed) = &self.closed {
            text(thing, "reason to be closed", &closed.reason, NAME_CHARS_MAX)?;
            self.not_before("closed", self.last_change(), closed.at)?;
        }
        Ok(())
    }

    /// Returns the end of its life: when it was closed, else `now`.
    pub fn end(&self, now: Timestamp) -> Timestamp {
        self.closed.as_ref().map_or(now, |closed| closed.at)
    }

    /// Returns its life until `until`, cut at every change of stage or place, in order.
    pub fn segments(&self, until: Timestamp) -> Vec<Segment> {
        let end = self.end(until).min(until);
        let changes = self.stages.iter().map(|it| it.from);
        let mut cuts: Vec<Timestamp> = changes
            .chain(self.placements.iter().map(|it| it.from))
            .chain([end])
            .filter(|cut| *cut <= end)
            .collect();
        cuts.sort_unstable();
        cuts.dedup();
        let spans = cuts.iter().zip(cuts.iter().skip(1));
        let segment = |(from, to): (&Timestamp, &Timestamp)| {
            let stage = last_from(&self.stages, *from, |it| it.from)?;
            let placed = last_from(&self.placements, *from, |it| it.from)?;
            Some(Segment {
                stage: stage.stage.clone(),
                zone: placed.zone.clone(),
                position: placed.position.clone(),
                from: *from,
                to: *to,
            })
        };
        spans.filter_map(segment).collect()
    }

    /// Returns its stage at a time; `None` before it was begun and from its end on.
    pub fn stage_at(&self, at: Timestamp) -> Option<&Slug> {
        let lives = self.lives_at(at);
        last_from(&self.stages, at, |it| it.from).filter(|_| lives).map(|it| &it.stage)
    }

    /// Returns where it stood at a time; `None` before it was begun and from its end on.
    pub fn zone_at(&self, at: Timestamp) -> Option<&PlacedFrom> {
        let lives = self.lives_at(at);
        last_from(&self.placements, at, |it| it.from).filter(|_| lives)
    }

    /// Moves it to another place. At the time of its last move, that one is put right instead.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Before`] its last move, [`Error::Already`] there, or
    /// [`Error::TooMany`].
    pub fn move_to(
        &mut self,
        zone: Slug,
        position: Option<Slug>,
        at: Timestamp,
    ) -> Result<(), Error> {
        let last = self.placements.last();
        self.check_change("moved", last.map(|it| it.from), at)?;
        if last.is_some_and(|last| last.zone == zone && last.position == position) {
            let place = match &position {
                Some(position) => format!("{zone}, {position}"),
                None => zone.to_string(),
            };
            return Err(Error::Already { thing: self.to_string(), what: "in", value: place });
        }
        if last.is_some_and(|last| last.from == at) {
            self.placements.pop();
        }
        self.has_room("placements", self.placements.len(), BATCH_PLACEMENTS_MAX)?;
        self.placements.push(PlacedFrom { zone, position, from: at });
        Ok(())
    }

    /// Lets it enter a stage. At the time when it entered its last one, that one is put right instead.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Before`] its last stage, [`Error::Already`] at it, or
    /// [`Error::TooMany`].
    pub fn enter(&mut self, stage: Slug, at: Timestamp) -> Result<(), Error> {
        let last = self.stages.last();
        self.check_change("put at a stage", last.map(|it| it.from), at)?;
        if last.is_some_and(|last| last.stage == stage) {
            let (thing, value) = (self.to_string(), stage.to_string());
            return Err(Error::Already { thing, what: "at", value });
        }
        if last.is_some_and(|last| last.from == at) {
            self.stages.pop();
        }
        self.has_room("stages", self.stages.len(), BATCH_STAGES_MAX)?;
        self.stages.push(StageFrom { stage, from: at });
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`Error::Closed`] where it is, [`Error::Before`] its last change, or [`Error::Text`] for a
    /// blank or overlong reason.
    pub fn close(&mut self, at: Timestamp, reason: &str) -> Result<(), Error> {
        self.check_change("closed", Some(self.last_change()), at)?;
        let reason = reason.trim();
        text(|| self.to_string(), "reason to be closed", reason, NAME_CHARS_MAX)?;
        self.closed = Some(Closed { at, reason: reason.to_owned() });
        Ok(())
    }

    fn lives_at(&self, at: Timestamp) -> bool {
        self.started <= at && self.closed.as_ref().is_none_or(|closed| at < closed.at)
    }

    fn last_change(&self) -> Timestamp {
        let staged = self.stages.last().map_or(self.started, |it| it.from);
        self.placements.last().map_or(staged, |it| it.from.max(staged))
    }

    /// Returns since when it stands in the zone without a break, as of `at`.
    fn in_zone_since(&self, zone: &Slug, at: Timestamp) -> Option<Timestamp> {
        self.zone_at(at)?;
        let until = self.placements.iter().take_while(|it| it.from <= at);
        let mut since = None;
        for placed in until {
            since = if placed.zone == *zone { since.or(Some(placed.from)) } else { None };
        }
        since
    }

    fn check_change(
        &self,
        what: &'static str,
        last: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<(), Error> {
        if self.closed.is_some() {
            return Err(Error::Closed(self.to_string()));
        }
        self.not_before(what, last.unwrap_or(self.started), at)
    }

    fn not_before(&self, what: &'static str, last: Timestamp, at: Timestamp) -> Result<(), Error> {
        if at < last {
            return Err(Error::Before { thing: self.to_string(), what, at, last });
        }
        Ok(())
    }

    fn has_room(&self, what: &'static str, count: usize, max: usize) -> Result<(), Error> {
        if count >= max {
            let (thing, count) = (self.to_string(), count + 1);
            return Err(Error::TooMany { thing, what, count, max });
        }
        Ok(())
    }

    fn check_history(
        &self,
        what: &'static str,
        max: usize,
        mut times: impl ExactSizeIterator<Item = Timestamp>,
    ) -> Result<(), Error> {
        let count = times.len();
        if count > max {
            return Err(Error::TooMany { thing: self.to_string(), what, count, max });
        }
        if times.next() != Some(self.started) {
            let missing = match what {
                "stages" => "stage from its start on",
                _ => "place from its start on",
            };
            return Err(Error::Missing { thing: self.to_string(), missing });
        }
        let mut last = self.started;
        for at in times {
            self.not_before(what, last.plus_micros(1), at)?;
            last = at;
        }
        Ok(())
    }
}

impl std::fmt::Display for Batch {
    /// Names it for errors, such as ``batch `nanchuan/rice-12` ``.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "batch `{}/{}`", self.site, self.id)
    }
}

/// Returns the batch that gives a zone its bands at a time: the youngest by the order of its stage,
/// then the one that has stood there longest, then by id. `None` where no open batch stands there.
///
/// The batches are those of the zone's own site. A stage that `order_of` does not know counts as older
/// than all others.
pub fn leading<'a>(
    batches: impl Iterator<Item = &'a Batch>,
    zone: &Slug,
    at: Timestamp,
    order_of: impl Fn(&Batch, &Slug) -> Option<u16>,
) -> Option<&'a Batch> {
    let standing = batches.filter_map(|batch| {
        let stage = batch.stage_at(at)?;
        let since = batch.in_zone_since(zone, at)?;
        let order = order_of(batch, stage).map_or(u32::MAX, u32::from);
        Some((order, since, &batch.id, batch))
    });
    standing.min_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2))).map(|(.., batch)| batch)
}

fn last_from<T>(history: &[T], at: Timestamp, from: impl Fn(&T) -> Timestamp) -> Option<&T> {
    history.iter().take_while(|it| from(it) <= at).last()
}

fn text(
    thing: impl Fn() -> String,
    what: &'static str,
    value: &str,
    max: usize,
) -> Result<(), Error> {
    if value.trim().is_empty() || value.chars().count() > max {
        return Err(Error::Text { thing: thing(), what, value: value.to_owned(), max });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
