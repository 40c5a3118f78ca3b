//! What batches lived through: the join by stage, a quantity from a batch's start on, and a site's day
//! on one sheet.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use export::study::Study;
use exposure::{Basis, Row, Span, course};
use measure::{Quantity, Slug, Timestamp};
use nursery::Batch;

use crate::ask::Query;
use crate::bands::Wanted;
use crate::batches::{self, Key, no_batch};
use crate::buckets::{POINTS_DEFAULT, POINTS_MAX, STEPS_MS};
use crate::look::{Look, name, shown_decimals};
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::state::State;
use crate::study::{StudyAsked, StudyError, gather_study};
use crate::types;

/// The longest course of a batch that may be asked for, in hours: twenty years. More is refused.
pub const COURSE_HOURS_MAX: usize = 175_680;

const HOUR_MS: i64 = 3_600_000;

/// `GET /batches/{site}/{batch}/exposure`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    key: Key,
    query: Query,
) -> Result<Json<types::BatchExposure>, Refusal> {
    query.end()?;
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let batch = find(&shared.state, &key)?;
        let now_ms = look.now.millis();
        // A batch that begins now has lived through nothing yet.
        let Some(study) = study_of(&shared.state, &look, &batch)? else {
            return Ok(types::BatchExposure { now_ms, rows: Vec::new() });
        };
        let lived = study.lived(&*shared.state.store)?;
        let rows = lived.iter().flat_map(|(.., lived)| &lived.rows);
        let rows = rows.map(|row| told(&look, &batch, row)).collect();
        Ok(types::BatchExposure { now_ms, rows })
    })
    .await
    .map(Json)
}

/// `GET /batches/{site}/{batch}/series`.
pub(crate) async fn series(
    Held(shared): Held<Arc<Shared>>,
    key: Key,
    mut query: Query,
) -> Result<Json<types::BatchSeries>, Refusal> {
    let quantity = quantity(query.optional("quantity").as_deref())?;
    let points = query.number("points", POINTS_DEFAULT, (1, POINTS_MAX))?;
    let hours = query.number("hours", COURSE_HOURS_MAX, (1, COURSE_HOURS_MAX))?;
    query.end()?;
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let batch = find(&shared.state, &key)?;
        let asked = batch.started.plus_ms(hours as i64 * HOUR_MS);
        let end = batch.end(look.now).min(asked).max(batch.started);
        let length_ms = end.ms_since(batch.started);
        let fits = |step: &&i64| length_ms <= **step * points as i64;
        let step_ms = STEPS_MS.iter().find(fits).or(STEPS_MS.last()).copied().unwrap_or(HOUR_MS);
        let mut found = Vec::new();
        if let Some(study) = study_of(&shared.state, &look, &batch)? {
            let span = Span { from: batch.started, to: end };
            let asked = study.at_site(&*shared.state.store, &batch.site, |house| {
                Ok(course(house, &batch, quantity, span, step_ms * 1_000)?)
            })?;
            found = asked.unwrap_or_default();
        }
        let starts = (0..).map(|index: i64| index * step_ms);
        Ok(types::BatchSeries {
            batch: batches::told(&shared.state, &look, &batch)?,
            quantity: quantity.name().to_owned(),
            unit: quantity.ucum().to_owned(),
            decimals: shown_decimals(quantity),
            step_ms,
            offset_ms: found.iter().zip(starts).map(|(_, start)| start).collect(),
            min: found.iter().map(|it| it.min).collect(),
            mean: found.iter().map(|it| it.mean).collect(),
            max: found.iter().map(|it| it.max).collect(),
            stages: stages(&look, &batch, quantity, end),
        })
    })
    .await
    .map(Json)
}

/// Returns the batch that a path names.
pub(crate) fn find(state: &State, key: &Key) -> Result<Batch, Refusal> {
    let (site, id) = &key.0;
    let slugs = Slug::new(site).ok().zip(Slug::new(id).ok());
    let found = slugs.map(|(site, id)| state.registry.batch(&site, &id)).transpose()?.flatten();
    found.ok_or_else(|| no_batch(site, id))
}

/// Returns the study of one batch's whole life; `None` where it has only begun.
fn study_of(state: &State, look: &Look, batch: &Batch) -> Result<Option<Study>, Refusal> {
    let asked =
        StudyAsked { batches: vec![format!("{}/{}", batch.site, batch.id)], from: None, to: None };
    let known = (look.nursery.profiles.clone(), look.nursery.sources.clone());
    match gather_study(&state.registry, &state.calibrated, known, &asked, look.now) {
        Ok(study) => Ok(Some(study)),
        Err(StudyError::EmptySpan { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn quantity(asked: Option<&str>) -> Result<Quantity, Refusal> {
    let asked = asked.unwrap_or(Quantity::AirTemperature.name());
    Quantity::ALL.into_iter().find(|it| it.name() == asked).ok_or_else(|| {
        let known: Vec<_> = Quantity::ALL.iter().map(|it| it.name()).collect();
        let known = known.join(", ");
        Refusal::field(
            "quantity",
            format!("没有测量量“{asked}”;可用的有 {known}"),
            format!("there is no quantity `{asked}`; known are {known}"),
        )
    })
}

/// Returns the stages of a batch as offsets from its start, with what each wants by day.
fn stages(
    look: &Look,
    batch: &Batch,
    quantity: Quantity,
    end: Timestamp,
) -> Vec<types::OffsetStage> {
    let profile = look.nursery.profiles.iter().find(|it| it.crop == batch.crop);
    let mut stages: Vec<types::OffsetStage> = Vec::new();
    for (index, entered) in batch.stages.iter().enumerate() {
        let next = batch.stages.get(index + 1).map(|it| it.from);
        let until = next.unwrap_or(Timestamp::MAX).min(end);
        if entered.from >= until {
            continue;
        }
        let stage = profile.and_then(|it| it.stage(&batch.method, &entered.stage));
        let span = types::Span {
            from_ms: entered.from.ms_since(batch.started),
            to_ms: until.ms_since(batch.started),
        };
        let known = || types::Name { zh: entered.stage.to_string(), en: entered.stage.to_string() };
        let wanted = Wanted { stage, rules: None, quantity };
        let name = stage.map_or_else(known, |it| name(&it.names));
        stages.push(types::OffsetStage { span, name, band: wanted.band(look, true) });
    }
    stages
}

/// Returns an exposure in the API's own type.
pub(crate) fn told(look: &Look, batch: &Batch, row: &Row) -> types::Exposure {
    let profile = look.nursery.profiles.iter().find(|it| it.crop == batch.crop);
    let stage_name = row.stage.as_ref().map(|stage| {
        let known = profile.and_then(|it| it.stage(&batch.method, stage));
        let same = || types::Name { zh: stage.to_string(), en: stage.to_string() };
        known.map_or_else(same, |it| name(&it.names))
    });
    types::Exposure {
        stage: row.stage.as_ref().map(Slug::to_string),
        stage_name,
        quantity: row.quantity.name().to_owned(),
        unit: row.quantity.ucum().to_owned(),
        decimals: shown_decimals(row.quantity),
        from_ms: row.from.millis(),
        to_ms: row.to.millis(),
        hours: row.hours(),
        coverage: row.coverage(),
        min: row.min,
        mean: row.mean,
        max: row.max,
        hours_below: row.hours_below(),
        hours_above: row.hours_above(),
        integral: integral(row),
        sources: row.channels.clone(),
    }
}

/// Returns the integral of a row in the API's own type.
pub(crate) fn integral(row: &Row) -> Option<types::Integral> {
    row.integral.as_ref().map(|it| types::Integral {
        kind: it.kind.name().to_owned(),
        value: it.value,
        unit: it.kind.unit().to_owned(),
        a_day: it.a_day,
        a_day_unit: it.kind.unit_a_day().to_owned(),
        days: it.days,
        basis: basis(&it.basis),
    })
}

fn basis(basis: &Basis) -> Option<types::Name> {
    let (zh, en) = match basis {
        Basis::Values => return None,
        Basis::Sunlight => (
            "由照度按日光折算:54 lx 合 1 µmol/(m²·s);灯光下只是估计".to_owned(),
            "from illuminance as of sunlight, 54 lx for 1 µmol/(m² s); under lamps an estimate"
                .to_owned(),
        ),
        Basis::EachStage => (
            "各阶段用各自的下限和上限温度".to_owned(),
            "each stage by its own base and upper temperature".to_owned(),
        ),
        Basis::Cardinal { base_c, upper_c, class, sources } => {
            let (zh_upper, en_upper) = upper_c.map_or_else(Default::default, |upper| {
                (format!(",上限 {upper} °C"), format!(", upper {upper} °C"))
            });
            let (zh_source, en_source) = if sources.is_empty() {
                (
                    format!("{class} 级建议值,该作物没有可引用的数值"),
                    format!("a proposal of class {class}: nothing is cited for this crop"),
                )
            } else {
                let sources = sources.join(", ");
                (format!("{class} 级,{sources}"), format!("class {class}, {sources}"))
            };
            (
                format!("下限温度 {base_c} °C{zh_upper}({zh_source})"),
                format!("base {base_c} °C{en_upper} ({en_source})"),
            )
        }
    };
    Some(types::Name { zh, en })
}

impl From<StudyError> for Refusal {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::UnknownBatch { ref asked, ref known } => {
                let list = known.join(", ");
                Self::field(
                    "batches",
                    format!("没有批次“{asked}”;已有的批次:{list}"),
                    format!("there is no batch `{asked}`; known are: {list}"),
                )
            }
            StudyError::NoBatch => {
                Self::field("batches", "请至少选择一个批次", "name at least one batch")
            }
            StudyError::TooManyBatches(count) => {
                let max = export::study::BATCHES_MAX;
                Self::field(
                    "batches",
                    format!("{count} 个批次超过了上限 {max},请减少"),
                    format!("{count} batches are more than {max}; name fewer"),
                )
            }
            StudyError::EmptySpan { ref from, ref to } => Self::field(
                "from",
                format!("时段为空:{from} 须早于 {to}"),
                format!("the span is empty: {from} must come before {to}"),
            ),
            StudyError::Registry(error) => error.into(),
            StudyError::Store(error) => error.into(),
        }
    }
}

impl From<exposure::Error> for Refusal {
    fn from(error: exposure::Error) -> Self {
        match error {
            exposure::Error::Store { source, .. } => source.into(),
            exposure::Error::TooLong { days, max, .. } => Self::field(
                "from",
                format!("时段有 {days} 天,超过 {max} 天;请缩短时段"),
                format!("the span has {days} days, more than {max}; name a shorter one"),
            ),
            other => Self::broken(&other),
        }
    }
}

impl From<export::Error> for Refusal {
    fn from(error: export::Error) -> Self {
        match error {
            export::Error::Exposure(error) => error.into(),
            export::Error::Store { source, .. } => source.into(),
            export::Error::TooManyReadings { max } => Self::field(
                "batches",
                format!(
                    "读数超过 {max} 条;请减少批次、缩短时段,或在网关主机上使用 miaopu export --study"
                ),
                format!(
                    "there are more than {max} readings; name fewer batches or a shorter span, or use \
                     `miaopu export --study` on the gateway's machine"
                ),
            ),
            export::Error::TooManyBatches { count, .. } => StudyError::TooManyBatches(count).into(),
            other => Self::broken(&other),
        }
    }
}
