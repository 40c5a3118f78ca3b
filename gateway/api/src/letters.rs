//! Dead letters: listed, taken again, dropped. Ingest finds in the registry what is asked for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use registry::{KeptLetter, LetterState, WhichLetters};

use crate::ask::{At, Query};
use crate::guard::Asker;
use crate::problem::Refusal;
use crate::server::{Shared, blocking, question};
use crate::types::{self, DeadLetterState};

/// The most dead letters in one answer.
pub const LETTERS_PAGE_MAX: usize = 500;
/// How many there are where nothing is said.
const LETTERS_PAGE: usize = 100;

/// `GET /dead-letters`.
pub(crate) async fn list(
    Held(shared): Held<Arc<Shared>>,
    mut query: Query,
) -> Result<Json<types::DeadLetters>, Refusal> {
    let limit = query.number("limit", LETTERS_PAGE, (1, LETTERS_PAGE_MAX))?;
    query.end()?;
    question(&shared, move |shared| {
        let registry = &shared.state.registry;
        let (kept, dropped) = registry.count_dead_letters()?;
        Ok(types::DeadLetters {
            now_ms: shared.state.clock.now().millis(),
            kept,
            dropped,
            letters: registry.dead_letters(limit)?.iter().map(letter).collect(),
        })
    })
    .await
    .map(Json)
}

/// `POST /dead-letters/{number}/replay`.
pub(crate) async fn replay(
    Held(shared): Held<Arc<Shared>>,
    At(number): At<String>,
    asker: Asker,
) -> Result<(StatusCode, Json<types::DeadLetter>), Refusal> {
    let number = numbered(&number)?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let asked = blocking(move || {
        registry.ask_for_replay(WhichLetters::One(number), &asker.who.actor, now)?;
        let kept = registry.dead_letter(number)?;
        kept.as_ref().map(letter).ok_or_else(|| unknown(&number.to_string()))
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(asked)))
}

/// `DELETE /dead-letters/{number}`.
pub(crate) async fn discard(
    Held(shared): Held<Arc<Shared>>,
    At(number): At<String>,
    asker: Asker,
) -> Result<StatusCode, Refusal> {
    let number = numbered(&number)?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    blocking(move || {
        registry.drop_dead_letters(WhichLetters::One(number), &asker.who.actor, now)?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn numbered(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| unknown(text))
}

fn unknown(number: &str) -> Refusal {
    Refusal::not_found(
        format!("没有编号为“{number}”的死信；全部见 GET /api/v1/dead-letters"),
        format!("there is no dead letter `{number}`; GET /api/v1/dead-letters lists all"),
    )
}

fn letter(it: &KeptLetter) -> types::DeadLetter {
    let hex = |payload: &[u8]| payload.iter().map(|byte| format!("{byte:02x}")).collect();
    types::DeadLetter {
        number: it.number,
        received_ms: it.letter.received.millis(),
        topic: it.letter.topic.clone(),
        reason: it.letter.reason.clone(),
        bytes: it.bytes,
        payload: hex(&it.letter.payload),
        whole: it.is_whole(),
        state: match it.state {
            LetterState::Kept => DeadLetterState::Kept,
            LetterState::Asked => DeadLetterState::Asked,
            LetterState::Replayed => DeadLetterState::Replayed,
            LetterState::Refused => DeadLetterState::Refused,
        },
        tried_ms: it.tried.map(measure::Timestamp::millis),
    }
}
