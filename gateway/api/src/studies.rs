//! Studies: what a study's file would hold, and the file itself, sent while it is made.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::{RawQuery, State as Held};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderName};
use axum::response::IntoResponse;
use export::study::{FILES, Study, ZIP_READINGS_MAX, Zip};
use futures_util::stream;
use tokio::sync::mpsc;
use tracing::warn;

use crate::ask::{Body, instant};
use crate::exposures::told;
use crate::guard::OverTls;
use crate::look::{Look, rfc3339};
use crate::problem::Refusal;
use crate::routes::BASE;
use crate::server::{Shared, TURN_WAIT, blocking, question};
use crate::state::State;
use crate::study::{StudyAsked, StudyError, gather_study};
use crate::types;

/// How many studies are sent at once; one more is told to come again, so that slow readers leave
/// most of the questions' turns to others.
pub const EXPORTS_MAX: usize = 2;
/// How long a reader may leave a piece of a study lying before it is cut off.
pub const EXPORT_STALL_WAIT: Duration = Duration::from_secs(60);
/// How many rows of exposure a preview shows; those after are in the file only.
pub const PREVIEW_ROWS_MAX: usize = 200;

/// How many pieces wait for the reader.
const PIECES_MAX: usize = 4;
/// How large a piece is, in bytes.
const PIECE_BYTES: usize = 64 * 1_024;

/// `POST /studies/preview`.
pub(crate) async fn preview(
    Held(shared): Held<Arc<Shared>>,
    tls: OverTls,
    headers: HeaderMap,
    Body(asked): Body<types::StudyRequest>,
) -> Result<Json<types::StudyPreview>, Refusal> {
    let asked = StudyAsked {
        batches: asked.batches,
        from: instant("from", asked.from.as_deref())?,
        to: instant("to", asked.to.as_deref())?,
    };
    let base = base(tls, &headers);
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let study = gather(&shared.state, &look, &asked)?;
        let estimate = study.estimate(&*shared.state.store)?;
        refuse_too_large(estimate.readings)?;
        let mut rows = Vec::new();
        for (site, id, lived) in study.lived(&*shared.state.store)? {
            let found = study.batches.iter().find(|it| it.site == site && it.id == id);
            let Some(batch) = found else { continue };
            for row in lived.rows.iter().take(PREVIEW_ROWS_MAX - rows.len()) {
                let exposure = told(&look, batch, row);
                rows.push(types::StudyRow { batch: format!("{site}/{id}"), exposure });
            }
        }
        let (from, to) = (rfc3339(study.span.from), rfc3339(study.span.to));
        let url = url(&study, &from, &to);
        Ok(types::StudyPreview {
            span: types::Span { from_ms: study.span.from.millis(), to_ms: study.span.to.millis() },
            files: FILES.map(file).to_vec(),
            channels: u32::try_from(estimate.channels).unwrap_or(u32::MAX),
            readings: i64::try_from(estimate.readings).unwrap_or(i64::MAX),
            bytes: i64::try_from(estimate.bytes).unwrap_or(i64::MAX),
            gaps: u32::try_from(estimate.gaps).unwrap_or(u32::MAX),
            rows,
            commands: commands(&study, &format!("{base}{url}"), (&from, &to)),
            url,
            from,
            to,
        })
    })
    .await
    .map(Json)
}

/// `GET /studies/export`.
pub(crate) async fn export(
    Held(shared): Held<Arc<Shared>>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Refusal> {
    let asked = asked(query.as_deref().unwrap_or_default())?;
    let study = question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        let study = gather(&shared.state, &look, &asked)?;
        refuse_too_large(study.estimate(&*shared.state.store)?.readings)?;
        Ok(Study { readings_max: Some(ZIP_READINGS_MAX), ..study })
    })
    .await?;
    let name = file_name(&study);
    let (pieces, mut made) = mpsc::channel(PIECES_MAX);
    tokio::spawn(make(Arc::clone(&shared), study, pieces));
    // What fails before the first piece can still be told.
    let first = match made.recv().await {
        Some(Ok(first)) => first,
        Some(Err(refusal)) => return Err(refusal),
        None => return Err(Refusal::busy()),
    };
    let rest = stream::unfold(made, |mut made| async {
        let piece = made.recv().await?;
        Some((piece.map_err(|_| io::Error::other("the study could not be finished")), made))
    });
    let first = stream::iter([Ok(first)]);
    let body = HttpBody::from_stream(futures_util::StreamExt::chain(first, rest));
    let headers: [(HeaderName, String); 2] = [
        (CONTENT_TYPE, "application/zip".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, body))
}

type Pieces = mpsc::Sender<Result<Bytes, Refusal>>;

/// Makes a study when its turn has come, and hands it over piece by piece.
async fn make(shared: Arc<Shared>, study: Study, pieces: Pieces) {
    let failed = pieces.clone();
    let result = async {
        let Ok(_place) = shared.exports.try_acquire() else { return Err(Refusal::busy()) };
        let turn = tokio::time::timeout(TURN_WAIT, shared.questions.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Refusal::busy()) };
        let held = Arc::clone(&shared);
        let handle = tokio::runtime::Handle::current();
        blocking(move || {
            let store = Arc::clone(&held.state.store);
            let mut shelf = Zip::begin(Reader { held, handle, pieces, piece: Vec::new() });
            export::study::write(&study, &*store, &mut shelf, &mut |_| {})?;
            let mut reader = shelf.finish()?;
            reader.hand_over().map_err(export::Error::from)?;
            Ok(())
        })
        .await
    };
    if let Err(refusal) = result.await {
        // Where nobody reads any more, nobody needs to know.
        if failed.send(Err(refusal)).await.is_err() {
            warn!("A study was cut off: its reader went away or was too slow.");
        }
    }
}

/// Where the bytes of a study go: to whoever asked for it.
struct Reader {
    held: Arc<Shared>,
    handle: tokio::runtime::Handle,
    pieces: Pieces,
    piece: Vec<u8>,
}

impl Reader {
    fn hand_over(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        let sent = async {
            let sent = tokio::time::timeout(EXPORT_STALL_WAIT, self.pieces.send(Ok(piece)));
            self.held.stop.run_until_cancelled(sent).await
        };
        match self.handle.block_on(sent) {
            Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(_))) => Err(io::ErrorKind::BrokenPipe.into()),
            Some(Err(_)) => Err(io::ErrorKind::TimedOut.into()),
            None => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gather(state: &State, look: &Look, asked: &StudyAsked) -> Result<Study, Refusal> {
    if asked.batches.is_empty() {
        return Err(StudyError::NoBatch.into());
    }
    let known = (look.nursery.profiles.clone(), look.nursery.sources.clone());
    Ok(gather_study(&state.registry, &state.calibrated, known, asked, look.now)?)
}

fn refuse_too_large(readings: u64) -> Result<(), Refusal> {
    let max = ZIP_READINGS_MAX;
    if readings > max { Err(export::Error::TooManyReadings { max }.into()) } else { Ok(()) }
}

/// Reads the query: `batch` once a batch, `from`, `to`.
fn asked(query: &str) -> Result<StudyAsked, Refusal> {
    let mut asked = StudyAsked::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let twice = || {
            Refusal::field(
                &name,
                format!("参数“{name}”出现了两次,只保留一个"),
                format!("parameter `{name}` is given twice; give it once"),
            )
        };
        match &*name {
            "batch" => asked.batches.push(value.into_owned()),
            "from" if asked.from.is_none() => asked.from = instant("from", Some(&value))?,
            "to" if asked.to.is_none() => asked.to = instant("to", Some(&value))?,
            "from" | "to" => return Err(twice()),
            other => {
                return Err(Refusal::field(
                    other,
                    format!("这里没有参数“{other}”,请删去或检查拼写"),
                    format!(
                        "there is no parameter `{other}` here; remove it or check its spelling"
                    ),
                ));
            }
        }
    }
    Ok(asked)
}

fn file(words: export::study::FileWords) -> types::StudyFile {
    let name = words.name.to_owned();
    let words = types::Name { zh: words.zh.to_owned(), en: words.en.to_owned() };
    types::StudyFile { name, words }
}

fn file_name(study: &Study) -> String {
    let day = |at| rfc3339(at).chars().take(10).collect::<String>();
    format!("miaopu-study-{}-{}.zip", day(study.span.from), day(study.span.to))
}

fn names(study: &Study) -> Vec<String> {
    let mut names: Vec<String> =
        study.batches.iter().map(|it| format!("{}/{}", it.site, it.id)).collect();
    names.sort_unstable();
    names
}

fn url(study: &Study, from: &str, to: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in names(study) {
        query.append_pair("batch", &name);
    }
    query.append_pair("from", from).append_pair("to", to);
    format!("{BASE}/studies/export?{}", query.finish())
}

/// Returns where this gateway is for who asks, such as `https://192.168.1.20:8443`. A host that is no
/// name of a host is left out, so that a command line holds nothing that a shell would run.
fn base(tls: OverTls, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | ':' | '[' | ']');
    let host = if !host.is_empty() && host.chars().all(plain) { host } else { "GATEWAY" };
    format!("{}://{host}", if tls.0 { "https" } else { "http" })
}

/// The same request for programs. Everything in them is of slugs, times and a host's name.
fn commands(study: &Study, url: &str, (from, to): (&str, &str)) -> types::StudyCommands {
    let batches: Vec<String> = names(study).iter().map(|name| format!("--batch {name}")).collect();
    types::StudyCommands {
        curl: format!("curl -fsS -H \"Authorization: Bearer $MIAOPU_TOKEN\" -o study.zip '{url}'"),
        python: format!(
            "import os, urllib.request\n\
             request = urllib.request.Request('{url}')\n\
             request.add_header('Authorization', 'Bearer ' + os.environ['MIAOPU_TOKEN'])\n\
             with urllib.request.urlopen(request) as answer, open('study.zip', 'wb') as file:\n    \
             file.write(answer.read())"
        ),
        r: format!(
            "download.file('{url}', 'study.zip', mode = 'wb',\n              \
             headers = c(Authorization = paste('Bearer', Sys.getenv('MIAOPU_TOKEN'))))"
        ),
        miaopu: format!(
            "miaopu export --study -o study --data miaopu-data {} --from {from} --to {to}",
            batches.join(" ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, tls: bool, expect: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        assert_eq!(base(OverTls(tls), &headers), expect);
    }

    #[test]
    fn a_host_that_a_shell_would_run_is_left_out_of_command_lines() {
        check("192.168.1.20:8443", true, "https://192.168.1.20:8443");
        check("[::1]:8080", false, "http://[::1]:8080");
        check("x'; rm -rf ~; '", false, "http://GATEWAY");
        check("$(id)", true, "https://GATEWAY");
    }
}
