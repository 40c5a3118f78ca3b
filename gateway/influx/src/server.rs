//! The server: what is written by the crate `influxdb2`, and what is asked by ourselves.
//!
//! How we live with the faults of `influxdb2` 0.5: lines are encoded and compressed here, because its
//! encoder lets line breaks through and it compresses nothing else; time-outs are set on the client
//! that it is handed; a path in the address is refused, because it would drop it; and where it
//! reports 429 or 503 without the header that says how long to wait, an empty write asks for that.

use std::io::Write as _;
use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use influxdb2::api::write::TimestampPrecision;
use influxdb2::{ClientBuilder, RequestError};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde_json::{Value, json};

use crate::Error;

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a write may take until it is answered; then it is tried again.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// How long a query may be silent.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How much of what a server says about an error is kept.
const MESSAGE_CHARS_MAX: usize = 300;
/// The most of an error's body that is read.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// The longest that a server may make us wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A token of the server. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Returns the token, without the white space around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Which bucket of which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    org: String,
    bucket: String,
    token: Token,
}

impl Target {
    /// Checks where to ship to.
    ///
    /// # Errors
    /// [`Error::Url`] and [`Error::Setting`] say what is wrong.
    pub fn new(url: &str, org: &str, bucket: &str, token: Token) -> Result<Self, Error> {
        let refused = |problem| Error::Url { url: url.to_owned(), problem };
        let parsed =
            Url::parse(url).map_err(|_| refused("is no address such as http://127.0.0.1:8086"))?;
        if !["http", "https"].contains(&parsed.scheme()) || !parsed.has_host() {
            return Err(refused("is no address such as http://127.0.0.1:8086"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some()
        {
            // Not shown: it may be a secret.
            let url = "the address".to_owned();
            let problem = "holds a user, a password or a query: the token has a file of its own";
            return Err(Error::Url { url, problem });
        }
        if parsed.path() != "/" || parsed.fragment().is_some() {
            return Err(refused(
                "has a path, which the client of InfluxDB drops: give the server a name or a port \
                 of its own",
            ));
        }
        for (what, value) in [("organization", org), ("bucket", bucket), ("token", &token.0)] {
            if value.trim().is_empty() {
                return Err(Error::Setting { what, problem: "is empty" });
            }
            if value.chars().any(char::is_control) {
                return Err(Error::Setting { what, problem: "holds a control character" });
            }
        }
        if !token.0.is_ascii() {
            return Err(Error::Setting { what: "token", problem: "holds more than ASCII" });
        }
        Ok(Self { url: parsed, org: org.to_owned(), bucket: bucket.to_owned(), token })
    }

    /// Returns the address, for messages.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Returns the bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns where it ships to, in one line without a secret.
    pub(crate) fn place(&self) -> String {
        format!("{}{} / {}", self.url, self.org, self.bucket)
    }
}

/// The two clients of a server.
pub(crate) struct Server {
    pub(crate) target: Target,
    writes: influxdb2::Client,
    plain: reqwest::Client,
}

/// An answer to a query, as it comes.
pub(crate) struct Answer {
    response: Response,
    url: String,
}

impl Server {
    pub(crate) fn new(target: Target) -> Result<Self, Error> {
        let problem = |error: &dyn std::fmt::Display| Error::Away {
            url: target.url.to_string(),
            problem: format!("no client could be made: {error}"),
        };
        // HTTP/1.1 says where a body ends, so that a broken one is known.
        // The authorities that this machine believes are read only where they are needed.
        let is_tls = target.url.scheme() == "https";
        let base = || {
            let client = reqwest::Client::builder().connect_timeout(CONNECT_MAX).http1_only();
            client.tls_built_in_root_certs(is_tls)
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let for_writes = base().timeout(WRITE_MAX).default_headers(headers);
        let writes = ClientBuilder::with_builder(
            for_writes,
            target.url.as_str(),
            &target.org,
            &target.token.0,
        )
        .build()
        .map_err(|error| problem(&error))?;
        let plain = base().build().map_err(|error| problem(&error))?;
        Ok(Self { target, writes, plain })
    }

    fn away(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        Error::Away { url: self.target.url.to_string(), problem: chain(error) }
    }

    /// Writes lines of line protocol in microseconds.
    pub(crate) async fn write(&self, lines: &[u8]) -> Result<(), Error> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let body = gzip.write_all(lines).and_then(|()| gzip.finish());
        let body = body.map_err(|error| self.away(&error))?;
        let (bytes, target) = (body.len(), &self.target);
        let written = self.writes.write_line_protocol_with_precision(
            &target.org,
            &target.bucket,
            body,
            TimestampPrecision::Microseconds,
        );
        match written.await {
            Ok(()) => Ok(()),
            Err(RequestError::Http { status, text }) => match status.as_u16() {
                413 => Err(Error::TooLarge { bytes }),
                429 | 503 => {
                    let after = self.ask_how_long().await;
                    Err(Error::Busy { status: status.as_u16(), after })
                }
                _ => Err(self.refusal(status, &text, true)),
            },
            Err(RequestError::ReqwestProcessing { source }) => {
                Err(self.away(&source.without_url()))
            }
            Err(error) => Err(self.away(&error)),
        }
    }

    /// Writes lines and nothing else.
    pub(crate) async fn write_once(target: Target, lines: &[u8]) -> Result<(), Error> {
        Self::new(target)?.write(lines).await
    }

    /// Asks a busy server how long to wait.
    async fn ask_how_long(&self) -> Option<Duration> {
        let answer = self.request("write").timeout(CONNECT_MAX).send().await.ok()?;
        let after = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
        let seconds = Duration::from_secs(after.trim().parse().ok()?);
        Some(seconds.min(RETRY_AFTER_MAX))
    }

    fn request(&self, what: &str) -> reqwest::RequestBuilder {
        let target = &self.target;
        let mut url = target.url.clone();
        url.set_path(&format!("/api/v2/{what}"));
        let mut request = self
            .plain
            .post(url)
            .header("Authorization", format!("Token {}", target.token.0))
            .query(&[("org", &target.org)]);
        if what == "write" {
            request = request.query(&[("bucket", target.bucket.as_str()), ("precision", "us")]);
        }
        request
    }

    /// Asks a Flux query.
    pub(crate) async fn query(&self, flux: &str) -> Result<Answer, Error> {
        let body = json!({
            "type": "flux",
            "query": flux,
            "dialect": {
                "header": true,
                "delimiter": ",",
                "annotations": ["datatype", "group", "default"],
                "commentPrefix": "#",
                "dateTimeFormat": "RFC3339Nano",
            },
        });
        let request = self
            .request("query")
            .header("Content-Type", "application/json")
            .header("Accept", "application/csv")
            .body(body.to_string());
        let sent = tokio::time::timeout(SILENCE_MAX, request.send()).await;
        let response = match sent {
            Err(_) => return Err(self.silent()),
            Ok(Err(error)) => return Err(self.away(&error.without_url())),
            Ok(Ok(response)) => response,
        };
        if response.status() == StatusCode::OK {
            return Ok(Answer { response, url: self.target.url.to_string() });
        }
        let status = response.status();
        if [429, 503].contains(&status.as_u16()) {
            return Err(Error::Busy { status: status.as_u16(), after: None });
        }
        let text = self.message_of(response).await?;
        Err(self.refusal(status, &text, false))
    }

    async fn message_of(&self, mut response: Response) -> Result<String, Error> {
        let mut body = Vec::new();
        let read = async {
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() >= MESSAGE_BYTES_MAX {
                    break;
                }
            }
            Ok::<_, reqwest::Error>(())
        };
        match tokio::time::timeout(SILENCE_MAX, read).await {
            Err(_) => Err(self.silent()),
            Ok(Err(error)) => Err(self.away(&error.without_url())),
            Ok(Ok(())) => Ok(String::from_utf8_lossy(&body).into_owned()),
        }
    }

    fn silent(&self) -> Error {
        Error::Away {
            url: self.target.url.to_string(),
            problem: format!("silent for {} s", SILENCE_MAX.as_secs()),
        }
    }

    /// Says what a refusal means. Only what carries the JSON of InfluxDB speaks of points.
    fn refusal(&self, status: StatusCode, text: &str, points: bool) -> Error {
        let json: Option<Value> = serde_json::from_str(text).ok();
        let said = json.as_ref().and_then(|json| json.get("message")).and_then(Value::as_str);
        let message: String = said.unwrap_or(text).chars().take(MESSAGE_CHARS_MAX).collect();
        let is_influx = json.as_ref().is_some_and(|json| json.get("code").is_some());
        let (org, bucket) = (self.target.org.clone(), self.target.bucket.clone());
        match status.as_u16() {
            401 | 403 => Error::Token { status: status.as_u16(), bucket },
            404 if is_influx => Error::NotFound { org, bucket, message },
            400 | 422 if is_influx && points => Error::Points { status: status.as_u16(), message },
            400 if is_influx => Error::Query { message },
            500..=599 => {
                let problem = format!("HTTP {}: {message}", status.as_u16());
                Error::Away { url: self.target.url.to_string(), problem }
            }
            status => Error::Odd { status, message },
        }
    }
}

impl Answer {
    /// Returns the next bytes; `None` at the end that the server meant.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let away = |problem| Error::Away { url: self.url.clone(), problem };
        match tokio::time::timeout(SILENCE_MAX, self.response.chunk()).await {
            Err(_) => Err(away(format!("silent for {} s", SILENCE_MAX.as_secs()))),
            Ok(Err(error)) => Err(away(chain(&error.without_url()))),
            Ok(Ok(chunk)) => Ok(chunk.map(|bytes| bytes.to_vec())),
        }
    }
}

/// Returns an error with its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
