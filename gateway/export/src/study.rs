//! A study: what some batches lived through, beside the very readings it was computed from, with all
//! that anybody needs to compute it again.
//!
//! Files of CSV, a dictionary and SHA-256 sums, put on a [`Shelf`]: a folder or a ZIP. Nothing in them
//! depends on when, where or onto which shelf they were written.
//!
//! # Numbers
//! Readings have the decimals of their quantity, exactly. Everything computed has six, rounded half to
//! even from the nearest double; a value that rounds to nothing is `0.000000`.

mod definitions;
mod dictionary;
mod estimate;
mod series;
mod shelf;
mod tables;

use std::io::Write;

use exposure::{House, Light, Lived, Span, Stay, lived, stays};
use germplasm::Passport;
use measure::{Slug, Timestamp};
use nursery::{Batch, INTERVAL_MS_DEFAULT, NodePlaced, Profile, Site, Source, Zone};
use store::{SeriesId, SeriesKey, Store};

use crate::{Corrections, Digest, Error};

pub use definitions::{FILES, FileWords};
pub use estimate::Estimate;
pub use shelf::{Folder, Shelf, Zip};

/// The most batches of one study; with more it is refused.
pub const BATCHES_MAX: usize = 200;
/// The most readings of one ZIP; with more it is refused. A folder has no such limit.
pub const ZIP_READINGS_MAX: u64 = 10_000_000;

/// Whether it is day in a zone of a site at a time, and until when.
pub type LightOf = dyn Fn(&Slug, &Slug, Timestamp) -> Light + Send + Sync;

/// What a study is made of.
pub struct Study {
    /// The span that is exported; batches count while they live in it.
    pub span: Span,
    /// The batches, in any order.
    pub batches: Vec<Batch>,
    /// The sites of the batches.
    pub sites: Vec<Site>,
    /// The zones of those sites.
    pub zones: Vec<Zone>,
    /// Where nodes stood, oldest first.
    pub placed: Vec<NodePlaced>,
    /// The crop profiles.
    pub profiles: Vec<Profile>,
    /// The sources that they name.
    pub sources: Vec<Source>,
    /// Every series.
    pub series: Vec<(SeriesId, SeriesKey)>,
    /// The accessions that the batches were raised from.
    pub passports: Vec<Passport>,
    /// Whether it is day.
    pub light: Box<LightOf>,
    /// How values came about that nobody measured so.
    pub corrections: Corrections,
    /// The most readings; with more the study fails. None for as many as there are.
    pub readings_max: Option<u64>,
}

/// How far a study has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Steps that are done: a batch joined, a span of a series written.
    pub done: usize,
    /// Steps in all, as far as is known yet.
    pub steps: usize,
    /// Readings written so far.
    pub readings: u64,
}

/// What a study holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// What each batch lived through, in the order of the files.
    pub lived: Vec<(Slug, Slug, Lived)>,
    /// How many readings.
    pub readings: u64,
    /// How many channels have readings in it.
    pub channels: usize,
    /// How many gaps were declared in it.
    pub gaps: usize,
    /// How many bytes all files have, unpacked.
    pub bytes: u64,
}

impl Study {
    /// Returns what every batch lived through, by site and batch.
    ///
    /// # Errors
    /// [`Error::EmptySpan`], [`Error::TooManyBatches`], or where a series can't be read.
    pub fn lived(&self, store: &dyn Store) -> Result<Vec<(Slug, Slug, Lived)>, Error> {
        self.lived_telling(store, &mut |_| {})
    }

    fn lived_telling(
        &self,
        store: &dyn Store,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<(Slug, Slug, Lived)>, Error> {
        if self.span.from >= self.span.to {
            return Err(Error::EmptySpan);
        }
        let (count, max) = (self.batches.len(), BATCHES_MAX);
        if count > max {
            return Err(Error::TooManyBatches { count, max });
        }
        let mut all = Vec::new();
        for batch in self.batches() {
            let profile = self.profile(batch);
            let found = self.at_site(store, &batch.site, |house| {
                lived(house, batch, profile, self.span).map_err(Error::from)
            })?;
            all.push((batch.site.clone(), batch.id.clone(), found.unwrap_or_default()));
            progress(all.len());
        }
        Ok(all)
    }

    /// Returns the batches by site and name.
    fn batches(&self) -> Vec<&Batch> {
        let mut batches: Vec<&Batch> = self.batches.iter().collect();
        batches.sort_by_key(|batch| (&batch.site, &batch.id));
        batches.dedup_by_key(|batch| (&batch.site, &batch.id));
        batches
    }

    fn profile(&self, batch: &Batch) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.crop == batch.crop)
    }

    fn zone(&self, site: &Slug, zone: &Slug) -> Option<&Zone> {
        self.zones.iter().find(|it| it.site == *site && it.id == *zone)
    }

    /// Returns the stays of every batch of a site.
    fn stays(&self, site: &Slug) -> Vec<Stay> {
        let batches = self.batches.iter().filter(|batch| batch.site == *site);
        batches.flat_map(|batch| stays(batch, self.span)).map(|it| Stay::from(&it)).collect()
    }

    /// Asks something of a site as the join sees it; `None` where nobody knows the site.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn at_site<T>(
        &self,
        store: &dyn Store,
        site: &Slug,
        ask: impl FnOnce(&House<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(found) = self.sites.iter().find(|it| it.id == *site) else { return Ok(None) };
        let interval_ms = |zone: &Slug| {
            self.zone(site, zone).map_or(INTERVAL_MS_DEFAULT, |it| it.expected_interval_ms)
        };
        let light = |zone: &Slug, at| (self.light)(site, zone, at);
        ask(&House {
            store,
            site,
            series: &self.series,
            placed: &self.placed,
            expected_interval_ms: &interval_ms,
            light: &light,
            time_zone: &found.time_zone,
        })
        .map(Some)
    }
}

/// Writes a study onto a shelf. Memory does not grow with the number of readings.
///
/// # Errors
/// Any of [`Error`]; the shelf then holds something incomplete.
pub fn write(
    study: &Study,
    store: &dyn Store,
    shelf: &mut dyn Shelf,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, Error> {
    let steps = study.batches.len();
    let lived = study.lived_telling(store, &mut |done| {
        progress(Progress { done, steps, readings: 0 });
    })?;
    let mut sums = Sums::default();
    sums.file(shelf, "exposure.csv", &mut |out| tables::exposure(&lived, out))?;
    sums.file(shelf, "days.csv", &mut |out| tables::days(study, &lived, out))?;
    sums.file(shelf, "batches.csv", &mut |out| tables::batches(study, out))?;
    sums.file(shelf, "nights.csv", &mut |out| tables::nights(study, out))?;
    let mut written = series::Written::default();
    sums.file(shelf, "series.csv", &mut |out| {
        written = series::write(study, store, out, &mut |mut now| {
            now.done += steps;
            now.steps += steps;
            progress(now);
        })?;
        Ok(())
    })?;
    sums.file(shelf, "accessions.csv", &mut |out| tables::accessions(study, out))?;
    let gaps = series::gaps(study, store, &written)?;
    let dictionary = dictionary::dictionary(study, &lived, &written, &gaps);
    sums.file(shelf, "dictionary.json", &mut |out| {
        serde_json::to_writer_pretty(&mut *out, &dictionary).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
        Ok(())
    })?;
    let lines = sums.lines;
    shelf.file("SHA256SUMS", &mut |out| Ok(out.write_all(lines.as_bytes())?))?;
    Ok(Summary {
        lived,
        readings: written.readings,
        channels: written.series.len(),
        gaps: gaps.len(),
        bytes: sums.bytes + lines.len() as u64,
    })
}

/// The sums of the files as they are written, in the form that `sha256sum -c` reads.
#[derive(Default)]
struct Sums {
    lines: String,
    bytes: u64,
}

impl Sums {
    fn file(
        &mut self,
        shelf: &mut dyn Shelf,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut sum, mut bytes) = (String::new(), 0);
        shelf.file(name, &mut |out| {
            let mut digest = Digest::new(out);
            write(&mut digest)?;
            digest.flush()?;
            (_, sum, bytes) = digest.finish();
            Ok(())
        })?;
        self.lines.push_str(&format!("{sum}  {name}\n"));
        self.bytes += bytes;
        Ok(())
    }
}
