//! What a study is made of, gathered from the registry: the same for the page and for the command
//! line, so that both write the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use alarms::DayClock;
use export::Corrections;
use export::study::{BATCHES_MAX, LightOf, Study};
use exposure::{Light, Span};
use measure::{Slug, Timestamp};
use nursery::{Batch, Profile, Site, Source, Zone};
use quality::Calibrated;
use registry::{BatchState, Registry};
use store::Store;

/// The most batches that a refusal names as known.
const KNOWN_MAX: usize = 20;

/// What a study is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyAsked {
    /// The batches, as `SITE/BATCH`; every batch where there is none.
    pub batches: Vec<String>,
    /// From when; the first batch's start where absent.
    pub from: Option<Timestamp>,
    /// Until when; the last batch's end, or now, where absent.
    pub to: Option<Timestamp>,
}

/// Why a study can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A batch is not known.
    #[error("there is no batch `{asked}`; known are {}", listed(.known))]
    UnknownBatch {
        /// The batch as it was asked for.
        asked: String,
        /// Batches that are there, at most 20.
        known: Vec<String>,
    },
    /// There is no batch at all.
    #[error("there is no batch yet; add one first")]
    NoBatch,
    /// More batches were asked for than a study may have.
    #[error("a study of {0} batches is larger than {max}; name fewer", max = BATCHES_MAX)]
    TooManyBatches(usize),
    /// The span is empty.
    #[error("the span is empty: {from} must come before {to}")]
    EmptySpan {
        /// From when, RFC 3339.
        from: String,
        /// Until when, RFC 3339.
        to: String,
    },
    /// The registry could not be read.
    #[error("cannot read the registry")]
    Registry(#[from] registry::Error),
    /// The store could not be read.
    #[error("cannot read the store")]
    Store(#[from] store::Error),
}

fn listed(batches: &[String]) -> String {
    if batches.is_empty() { "none".to_owned() } else { batches.join(", ") }
}

/// Gathers what a study is made of. `now` ends the life of open batches.
///
/// # Errors
/// Any of [`StudyError`].
pub fn gather_study(
    registry: &Registry,
    store: &Calibrated,
    (profiles, sources): (Vec<Profile>, Vec<Source>),
    asked: &StudyAsked,
    now: Timestamp,
) -> Result<Study, StudyError> {
    let batches = batches(registry, &asked.batches)?;
    let started = batches.iter().map(|batch| batch.started).min();
    let ended = batches.iter().map(|batch| batch.end(now)).max();
    let (started, ended) = started.zip(ended).ok_or(StudyError::NoBatch)?;
    let (from, to) = (asked.from.unwrap_or(started), asked.to.unwrap_or(ended));
    if from >= to {
        let text = crate::look::rfc3339;
        return Err(StudyError::EmptySpan { from: text(from), to: text(to) });
    }
    let mut passports = Vec::new();
    let mut keys: Vec<&String> = batches.iter().filter_map(|it| it.accession.as_ref()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let found = registry.accession_id(key)?.map(|id| registry.accession(id)).transpose()?;
        passports.extend(found.flatten().map(|accession| accession.passport));
    }
    let (sites, zones) = (registry.sites()?, registry.zones()?);
    let light = light_of(&sites, &zones);
    Ok(Study {
        span: Span { from, to },
        batches,
        sites,
        zones,
        placed: registry.node_history()?,
        profiles,
        sources,
        series: store.series()?,
        passports,
        light,
        corrections: corrections(registry, store)?,
        readings_max: None,
    })
}

/// Returns how values of a store came about that nobody measured so.
///
/// # Errors
/// Where the registry can't be read.
pub fn corrections(
    registry: &Registry,
    store: &Calibrated,
) -> Result<Corrections, registry::Error> {
    let derivations = registry.derivations()?.into_iter().map(|it| (it.channel, it.inputs));
    Ok(Corrections {
        raw: Some(Arc::clone(store.raw())),
        versions: registry.calibrations()?,
        derivations: derivations.collect(),
    })
}

fn batches(registry: &Registry, asked: &[String]) -> Result<Vec<Batch>, StudyError> {
    if asked.is_empty() {
        let all = registry.batches(BatchState::All)?;
        return if all.len() > BATCHES_MAX {
            Err(StudyError::TooManyBatches(all.len()))
        } else {
            Ok(all)
        };
    }
    let mut names: Vec<&String> = asked.iter().collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > BATCHES_MAX {
        return Err(StudyError::TooManyBatches(names.len()));
    }
    let mut found = Vec::new();
    for name in names {
        let parts = name.split_once('/');
        let key = parts.and_then(|(site, id)| Slug::new(site).ok().zip(Slug::new(id).ok()));
        match key.map(|(site, id)| registry.batch(&site, &id)).transpose()?.flatten() {
            Some(batch) => found.push(batch),
            None => {
                let all = registry.batches(BatchState::All)?;
                let known = all.iter().take(KNOWN_MAX).map(|it| format!("{}/{}", it.site, it.id));
                let (asked, known) = (name.clone(), known.collect());
                return Err(StudyError::UnknownBatch { asked, known });
            }
        }
    }
    Ok(found)
}

/// Returns whether it is day in the zones: by sun or lamps. A day by measured light is the sun's here,
/// as it is for the bands of a chart. In a zone that nobody knows it is always day.
pub(crate) fn light_of(sites: &[Site], zones: &[Zone]) -> Box<LightOf> {
    let clock = |zone: &Zone| {
        let site = sites.iter().find(|site| site.id == zone.site)?;
        let clock = DayClock { site: site.clone(), day: zone.day.clone(), light: None };
        Some(((zone.site.clone(), zone.id.clone()), clock))
    };
    let clocks: Arc<BTreeMap<(Slug, Slug), DayClock>> =
        Arc::new(zones.iter().filter_map(clock).collect());
    Box::new(move |site, zone, at| {
        let Some(clock) = clocks.get(&(site.clone(), zone.clone())) else {
            return Light { day: true, until: Timestamp::MAX };
        };
        let phase = alarms::phase(clock, at);
        Light { day: phase.light, until: phase.until }
    })
}
