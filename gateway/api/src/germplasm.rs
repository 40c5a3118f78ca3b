//! Accessions: found, shown, imported from an MCPD file and given out as one.

use std::sync::Arc;
use std::time::Duration;

use ::germplasm::{FILE_BYTES_MAX, Field, FileError, Passport, Words};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State as Held};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use registry::{ACCESSIONS_PAGE_MAX, Faulty, Imported};

use crate::ask::{At, Query};
use crate::batches;
use crate::guard::Asker;
use crate::look::Look;
use crate::places::Before;
use crate::problem::Refusal;
use crate::server::{Shared, TURN_WAIT, blocking, question};
use crate::types;

/// The largest body of an import, in bytes; a larger one is refused.
pub const IMPORT_BYTES_MAX: usize = FILE_BYTES_MAX;
/// How many imports are taken in at once, each with its whole file in memory; one more waits.
pub const IMPORTS_MAX: usize = 2;
/// How long the file of an import may take to arrive; a slower one is refused.
pub const IMPORT_WAIT: Duration = Duration::from_secs(120);
/// The most faults, and the most hints, that an answer names; the counts say how many rows there are.
pub const IMPORT_FAULTS_MAX: usize = 1_000;
/// The accessions of a page that names no number.
const PAGE_DEFAULT: usize = 100;

const CSV: &str = "text/csv; charset=utf-8";

/// `GET /accessions`.
pub(crate) async fn list(
    Held(shared): Held<Arc<Shared>>,
    mut query: Query,
) -> Result<Json<types::Accessions>, Refusal> {
    let search = query.optional("search").unwrap_or_default();
    let limit = query.number("limit", PAGE_DEFAULT, (1, ACCESSIONS_PAGE_MAX))?;
    let after = query.number("after", 0, (0, i64::MAX as usize))?;
    query.end()?;
    question(&shared, move |shared| {
        let after = i64::try_from(after).ok().filter(|it| *it > 0);
        let found = shared.state.registry.accessions(&search, after, limit)?;
        Ok(types::Accessions {
            total: found.total,
            accessions: found.accessions.iter().map(told).collect(),
            next: found.next,
        })
    })
    .await
    .map(Json)
}

/// `GET /accessions/{id}`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    At(id): At<String>,
    query: Query,
) -> Result<Json<types::AccessionDetail>, Refusal> {
    query.end()?;
    question(&shared, move |shared| {
        let state = &shared.state;
        let number: Option<i64> = id.parse().ok();
        let found = number.map(|it| state.registry.accession(it)).transpose()?.flatten();
        let accession = found.ok_or_else(|| {
            Refusal::not_found(
                format!("没有编号为“{id}”的种质"),
                format!("there is no accession number `{id}`"),
            )
        })?;
        let raised = state.registry.batches_of_accession(accession.id)?;
        let look = Look::take(state)?;
        Ok(types::AccessionDetail {
            accession: told(&accession),
            descriptors: descriptors(&accession.passport),
            batches: batches::told_all(state, &look, &raised)?,
        })
    })
    .await
    .map(Json)
}

/// `GET /accessions/export`.
pub(crate) async fn export(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<impl IntoResponse, Refusal> {
    query.end()?;
    let csv = question(&shared, |shared| {
        let passports = shared.state.registry.passports()?;
        let mut csv = Vec::new();
        ::germplasm::write(&passports, &mut csv).map_err(|error| Refusal::broken(&error))?;
        Ok(csv)
    })
    .await?;
    let name = "attachment; filename=\"accessions.csv\"";
    Ok(([(CONTENT_TYPE, CSV), (CONTENT_DISPOSITION, name)], csv))
}

/// `POST /accessions/import`.
pub(crate) async fn import(
    Held(shared): Held<Arc<Shared>>,
    mut query: Query,
    asker: Asker,
    request: Request,
) -> Result<Json<types::Import>, Refusal> {
    let faulty = match query.optional("faulty").as_deref() {
        None | Some("refuse") => Faulty::Refuse,
        Some("skip") => Faulty::Skip,
        Some(other) => return Err(neither("faulty", other, "refuse", "skip")),
    };
    let check = match query.optional("check").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(neither("check", other, "true", "false")),
    };
    query.end()?;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    if !kind.eq_ignore_ascii_case("text/csv") {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_csv",
            "请求须为 CSV:请加上 Content-Type: text/csv",
            "the request must be CSV: send Content-Type: text/csv",
        ));
    }
    let turn = tokio::time::timeout(TURN_WAIT, shared.imports.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Refusal::busy()) };
    let bytes = body(request).await?;
    let sheet = blocking(move || ::germplasm::read(&bytes).map_err(|error| unreadable(&error)));
    let sheet = Arc::new(sheet.await?);
    let before = Before::look(&shared);
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let read = Arc::clone(&sheet);
    let imported = blocking(move || {
        Ok(if check {
            registry.preview_accessions(&read)?
        } else {
            let by = &asker.who.actor;
            registry.import_accessions(&read, faulty, (by, now), &mut |_| {})?
        })
    })
    .await?;
    if imported.applied && imported.is_change() {
        before.passed().await;
    }
    Ok(Json(outcome(&sheet, imported)))
}

async fn body(request: Request) -> Result<Bytes, Refusal> {
    let read = tokio::time::timeout(IMPORT_WAIT, Bytes::from_request(request, &())).await;
    let incomplete = || {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "incomplete",
            "文件没有完整到达,请重试",
            "the file did not arrive whole; send it again",
        )
    };
    let read = read.map_err(|_| incomplete())?;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => unreadable(&FileError::TooLarge(IMPORT_BYTES_MAX + 1)),
        _ => incomplete(),
    })
}

fn unreadable(error: &FileError) -> Refusal {
    let (message, remedy) = (error.message(), error.remedy());
    let status = match error {
        FileError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let code =
        if status == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "unreadable_file" };
    let (zh, en) = (format!("{};{}", message.zh, remedy.zh), error.to_string());
    Refusal::new(status, code, zh, en)
}

fn neither(field: &str, found: &str, one: &str, other: &str) -> Refusal {
    Refusal::field(
        field,
        format!("{field} 须为 {one} 或 {other},而不是“{found}”"),
        format!("{field} must be {one} or {other}, not `{found}`"),
    )
}

fn outcome(sheet: &::germplasm::Sheet, imported: Imported) -> types::Import {
    let told = |faults: &[::germplasm::Fault]| {
        let fault = |it: &::germplasm::Fault| types::ImportFault {
            row: it.row,
            field: it.field.clone(),
            value: it.value.clone(),
            message: words(it.message.clone()),
            remedy: words(it.remedy.clone()),
        };
        faults.iter().take(IMPORT_FAULTS_MAX).map(fault).collect()
    };
    types::Import {
        applied: imported.applied,
        rows: sheet.count,
        added: imported.added,
        changed: imported.changed,
        unchanged: imported.unchanged,
        faulty: sheet.faulty,
        faults: told(&sheet.faults),
        hints: told(&sheet.hints),
    }
}

fn told(accession: &registry::Accession) -> types::Accession {
    let passport = &accession.passport;
    let given = |field| Some(passport.get(field).to_owned()).filter(|it| !it.is_empty());
    types::Accession {
        id: accession.id,
        key: passport.key(),
        institute: passport.get(Field::InstCode).to_owned(),
        number: passport.get(Field::AcceNumb).to_owned(),
        name: given(Field::AcceName),
        crop: given(Field::CropName),
        taxon: passport.taxon(),
        origin: given(Field::OrigCty),
        batches: accession.batches,
    }
}

/// Returns every descriptor in the standard's order, then the columns that the standard does not know.
fn descriptors(passport: &Passport) -> Vec<types::Descriptor> {
    let known = Field::ALL.iter().map(|field| {
        let value = passport.get(*field);
        types::Descriptor {
            code: field.code().to_owned(),
            name: words(field.name()),
            value: value.to_owned(),
            meaning: ::germplasm::meaning(*field, value).map(words),
        }
    });
    let extra = passport.extra().iter().map(|(column, value)| types::Descriptor {
        code: column.clone(),
        name: types::Name { zh: column.clone(), en: column.clone() },
        value: value.clone(),
        meaning: None,
    });
    known.chain(extra).collect()
}

fn words(words: Words) -> types::Name {
    types::Name { zh: words.zh, en: words.en }
}
