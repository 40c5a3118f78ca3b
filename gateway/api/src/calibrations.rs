//! How channels' sensors read against a reference: what is known, what is entered, what is withdrawn.
//! The same for the page and for the command line, so that both say what a change touches.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use measure::{Quantity, Timestamp};
use people::Actor;
use quality::Calibrations;
use quality::calibration::{Channel, Correction, Span, Timeline, Touched, Version};
use registry::{NewCalibration, Registry};
use store::{SeriesId, SeriesKey, Store};

use crate::ask::{At, Body, Query, instant};
use crate::guard::Asker;
use crate::look::person;
use crate::problem::Refusal;
use crate::server::{Shared, blocking, question};
use crate::types;

/// The most channels that a refusal names as known.
const KNOWN_MAX: usize = 20;

/// Why a calibration was not entered or withdrawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The store has no such channel.
    #[error("there is no channel `{asked}`; known are {}", .known.join(", "))]
    UnknownChannel {
        /// The channel as it was asked for.
        asked: String,
        /// Channels of the node or, where it has none, of all, at most 20.
        known: Vec<String>,
    },
    /// The channel is computed from others.
    #[error("{channel} is computed from {}; calibrate those", .inputs.join(" and "))]
    Derived {
        /// The channel.
        channel: String,
        /// What it is computed from.
        inputs: Vec<String>,
    },
    /// The registry refused, or could not be read.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The store could not be read.
    #[error("cannot read the store")]
    Store(#[from] store::Error),
}

/// Enters a calibration, which holds from its commit on, and says what it touches.
///
/// # Errors
/// Any of [`CalibrationError`].
pub fn add_calibration(
    registry: &Registry,
    store: &dyn Store,
    new: &NewCalibration,
    by: &Actor,
    now: Timestamp,
) -> Result<(Version, Touched), CalibrationError> {
    known(store, &new.channel)?;
    let derivations = registry.derivations()?;
    if let Some(it) = derivations.iter().find(|it| it.channel == new.channel) {
        let inputs = it.inputs.iter().map(Channel::to_string).collect();
        return Err(CalibrationError::Derived { channel: new.channel.to_string(), inputs });
    }
    let mut versions = registry.calibrations_of(&new.channel)?;
    let before = Timeline::of(&versions);
    versions.push(Version {
        // Greater than all, as the registry will number it.
        number: u32::MAX,
        channel: new.channel.clone(),
        from: new.from,
        correction: new.correction,
        by: String::new(),
        entered: now,
        note: String::new(),
        withdrawn: None,
    });
    let spans = before.changed(&Timeline::of(&versions));
    let touched = touched(registry, store, &new.channel, spans)?;
    Ok((registry.add_calibration(new, &touched, by, now)?, touched))
}

/// Withdraws a calibration and says what that touches.
///
/// # Errors
/// Any of [`CalibrationError`].
pub fn withdraw_calibration(
    registry: &Registry,
    store: &dyn Store,
    number: u32,
    why: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<(Version, Touched), CalibrationError> {
    let channel = registry.calibration(number)?.channel;
    let mut versions = registry.calibrations_of(&channel)?;
    let before = Timeline::of(&versions);
    versions.retain(|it| it.number != number);
    let spans = before.changed(&Timeline::of(&versions));
    let touched = touched(registry, store, &channel, spans)?;
    Ok((registry.withdraw_calibration(number, why, &touched, by, now)?, touched))
}

fn known(store: &dyn Store, channel: &Channel) -> Result<(), CalibrationError> {
    let series = store.series()?;
    if series.iter().any(|(_, key)| key == channel) {
        return Ok(());
    }
    let of_node = || series.iter().filter(|(_, key)| key.node == channel.node);
    let all = || series.iter();
    let mut known: Vec<String> = if of_node().next().is_some() {
        of_node().map(|(_, key)| key.to_string()).collect()
    } else {
        all().map(|(_, key)| key.to_string()).collect()
    };
    known.sort_unstable();
    known.truncate(KNOWN_MAX);
    if known.is_empty() {
        known.push("none".to_owned());
    }
    Err(CalibrationError::UnknownChannel { asked: channel.to_string(), known })
}

/// Counts what is stored of a channel, and of what is derived from it, in some spans.
fn touched(
    registry: &Registry,
    store: &dyn Store,
    channel: &Channel,
    spans: Vec<Span>,
) -> Result<Touched, CalibrationError> {
    let numbers: BTreeMap<SeriesKey, SeriesId> =
        store.series()?.into_iter().map(|(id, key)| (key, id)).collect();
    let count = |key: &SeriesKey| -> Result<u64, store::Error> {
        let Some(id) = numbers.get(key) else { return Ok(0) };
        let mut count = 0;
        for span in &spans {
            store.scan(*id, span.from, span.to, &mut |_| {
                count += 1;
                ControlFlow::Continue(())
            })?;
        }
        Ok(count)
    };
    let samples = count(channel)?;
    let mut derived = 0;
    for derivation in registry.derivations()? {
        if derivation.inputs.contains(channel) {
            derived += count(&derivation.channel)?;
        }
    }
    Ok(Touched { spans, samples, derived })
}

/// `GET /channels/{id}/calibrations`.
pub(crate) async fn list(
    Held(shared): Held<Arc<Shared>>,
    At(id): At<String>,
    query: Query,
) -> Result<Json<types::Calibrations>, Refusal> {
    query.end()?;
    question(&shared, move |shared| {
        let (id, key) = find(shared, &id)?;
        told(shared, id, &key)
    })
    .await
    .map(Json)
}

/// `POST /channels/{id}/calibrations`.
pub(crate) async fn add(
    Held(shared): Held<Arc<Shared>>,
    At(id): At<String>,
    asker: Asker,
    Body(asked): Body<types::NewCalibration>,
) -> Result<(StatusCode, Json<types::CalibrationTouched>), Refusal> {
    let now = shared.state.clock.now();
    let answer = change(&shared, move |shared| {
        let (id, channel) = find(shared, &id)?;
        let from = instant("from", Some(&asked.from))?
            .ok_or_else(|| Refusal::field("from", "请填写起始时间", "say from when it holds"))?;
        let correction = correction(channel.quantity, &asked)?;
        let actor = &asker.who.actor;
        let by = person(&actor.to_string());
        let note = asked.note.trim().to_owned();
        let new = NewCalibration { channel: channel.clone(), from, correction, by, note };
        let (version, touched) =
            add_calibration(&shared.state.registry, &*shared.state.store, &new, actor, now)?;
        Ok((id, channel, version.number, touched))
    })
    .await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `POST /calibrations/{number}/withdrawal`.
pub(crate) async fn withdraw(
    Held(shared): Held<Arc<Shared>>,
    At(number): At<String>,
    asker: Asker,
    Body(asked): Body<types::CalibrationWithdrawal>,
) -> Result<Json<types::CalibrationTouched>, Refusal> {
    let now = shared.state.clock.now();
    change(&shared, move |shared| {
        let (registry, store) = (&shared.state.registry, &*shared.state.store);
        let number: u32 = number.parse().map_err(|_| {
            Refusal::not_found(
                format!("没有编号为“{number}”的校准"),
                format!("there is no calibration `{number}`"),
            )
        })?;
        let (why, by) = (asked.why.trim(), &asker.who.actor);
        let (version, touched) = withdraw_calibration(registry, store, number, why, by, now)?;
        let series = store.series()?.into_iter().find(|(_, key)| *key == version.channel);
        let (id, channel) = series.ok_or_else(|| {
            Refusal::not_found(
                format!("没有通道“{}”", version.channel),
                format!("there is no channel `{}`", version.channel),
            )
        })?;
        Ok((id, channel, number, touched))
    })
    .await
    .map(Json)
}

/// Makes a change, lets it hold here at once, and has what it touches computed again.
async fn change(
    shared: &Arc<Shared>,
    make: impl FnOnce(&Shared) -> Result<(SeriesId, SeriesKey, u32, Touched), Refusal> + Send + 'static,
) -> Result<types::CalibrationTouched, Refusal> {
    let held = Arc::clone(shared);
    blocking(move || {
        let (id, channel, number, touched) = make(&held)?;
        let versions = held.state.registry.calibrations()?;
        held.state.calibrated.set(&Calibrations::of(&versions))?;
        held.state.recalibrated.notify_one();
        Ok(types::CalibrationTouched {
            number,
            spans: touched.spans.iter().map(span).collect(),
            readings: touched.samples,
            derived: touched.derived,
            now: told(&held, id, &channel)?,
        })
    })
    .await
}

fn find(shared: &Shared, id: &str) -> Result<(SeriesId, SeriesKey), Refusal> {
    let number: Option<u32> = id.parse().ok();
    let series = shared.state.store.series()?;
    let found = series.into_iter().find(|(it, _)| Some(it.0) == number);
    found.ok_or_else(|| match number {
        Some(number) => Refusal::no_channel(number),
        None => Refusal::not_found(
            format!("没有编号为“{id}”的通道;所有通道见 GET /api/v1/channels"),
            format!("there is no channel `{id}`; GET /api/v1/channels lists all"),
        ),
    })
}

fn correction(quantity: Quantity, asked: &types::NewCalibration) -> Result<Correction, Refusal> {
    let points: Vec<(f64, f64)> = asked.points.iter().map(|it| (it.raw, it.reference)).collect();
    let (field, made) = match (asked.offset, points.as_slice()) {
        (Some(offset), []) => ("offset", Correction::offset(quantity, offset)),
        (None, points) => ("points", Correction::through(quantity, points)),
        (Some(_), _) => {
            return Err(Refusal::field(
                "offset",
                "偏移量与校准点只能填一种",
                "give either an offset or points, not both",
            ));
        }
    };
    made.map_err(|error| {
        let (zh, unit) =
            ("请给出一个偏移量,或一到两个相距足够远、在量程之内的校准点", quantity.ucum());
        Refusal::field(field, format!("{zh}({unit}):{error}"), error.to_string())
    })
}

/// Returns the calibrations of a channel as they are now.
fn told(shared: &Shared, id: SeriesId, key: &SeriesKey) -> Result<types::Calibrations, Refusal> {
    let registry = &shared.state.registry;
    let versions = registry.calibrations_of(key)?;
    let timeline = Timeline::of(&versions);
    let mut calibrations = Vec::new();
    for version in versions.iter().rev() {
        let work = registry.recalibrations_of(version.number)?;
        calibrations.push(calibration(version, &timeline, &work));
    }
    let node = shared.state.nodes.standing(&key.node)?;
    let here = node
        .channels
        .iter()
        .find(|it| it.position == key.position.as_str() && it.quantity == key.quantity.name());
    Ok(types::Calibrations {
        channel: id.0,
        unit: key.quantity.ucum().to_owned(),
        on_node: here.map_or(0, |it| it.calibration),
        calibrations,
    })
}

fn calibration(
    version: &Version,
    timeline: &Timeline,
    work: &[registry::Recalibration],
) -> types::Calibration {
    let quantity = version.channel.quantity;
    let segments = timeline.segments();
    let place = segments.iter().position(|segment| segment.number == version.number);
    let next = place.and_then(|place| segments.get(place + 1));
    let (low, high) = version.correction.points();
    let points = [Some(low), high].into_iter().flatten().map(|it| types::CalibrationPoint {
        raw: it.raw.to_f64(quantity),
        reference: it.reference.to_f64(quantity),
    });
    types::Calibration {
        number: version.number,
        from_ms: version.from.millis(),
        to_ms: next.map(|it| it.from.millis()),
        holds: place.is_some(),
        points: points.collect(),
        gain: version.correction.gain(),
        by: version.by.clone(),
        entered_ms: version.entered.millis(),
        note: version.note.clone(),
        withdrawn: version.withdrawn.as_ref().map(|it| types::CalibrationWithdrawn {
            at_ms: it.at.millis(),
            by: person(&it.by),
            why: it.why.clone(),
        }),
        work: work.iter().map(done).collect(),
    }
}

fn done(work: &registry::Recalibration) -> types::CalibrationWork {
    let types::CalibrationSpan { from_ms, to_ms } = span(&work.span);
    let registry::Recomputed { samples, flags, derived } = work.recomputed;
    let done_ms = work.done.map(Timestamp::millis);
    types::CalibrationWork { from_ms, to_ms, readings: samples, flags, derived, done_ms }
}

fn span(span: &Span) -> types::CalibrationSpan {
    let to_ms = (span.to < Timestamp::MAX).then(|| span.to.millis());
    types::CalibrationSpan { from_ms: span.from.millis(), to_ms }
}

impl From<CalibrationError> for Refusal {
    fn from(error: CalibrationError) -> Self {
        match error {
            CalibrationError::Registry(error) => error.into(),
            CalibrationError::Store(error) => error.into(),
            CalibrationError::UnknownChannel { ref asked, .. } => {
                Self::not_found(format!("没有通道“{asked}”"), error.to_string())
            }
            CalibrationError::Derived { ref channel, ref inputs } => Self::field(
                "channel",
                format!("“{channel}”由 {} 计算得出,请校准这些通道", inputs.join("、")),
                error.to_string(),
            ),
        }
    }
}
