//! A stand-in for an InfluxDB 2 in tests: strict where a server is, and faulty on demand.
//!
//! It knows nothing of this room's encoder and reader. Lines are read after the published grammar
//! of line protocol, queries by a small interpreter of Flux, answers are written after the published
//! specification of annotated CSV, and refusals carry the JSON that the API documents. It keeps its
//! points in memory, also while it is "killed", as a server keeps its disk.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a stand-in in tests may panic")]

mod flux;
mod http;
mod line;
mod table;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response};
pub use line::{Point, Value, parse as parse_line};

/// What goes wrong with the next request of a kind.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered so, with `Retry-After` in seconds, and nothing is done.
    Status(u16, Option<u32>),
    /// It is done, but the connection breaks before the answer.
    DoneButBroken,
    /// Its answer breaks off after so many bytes, though more were announced.
    Cut(usize),
    /// Its answer ends after so many bytes, in due form.
    Short(usize),
    /// It is answered with this body and status 200.
    Body(String),
    /// It is answered late.
    Late(Duration),
}

pub type Series = (String, BTreeMap<String, String>);

/// What the server keeps.
#[derive(Default)]
pub struct Data {
    pub points: BTreeMap<Series, BTreeMap<i64, BTreeMap<String, Value>>>,
    /// How many lines were taken, repeats too.
    pub lines: u64,
    pub write_faults: VecDeque<Fault>,
    pub query_faults: VecDeque<Fault>,
    /// A server that has to take every body too, and under which path, before it counts as written.
    pub forward: Option<(SocketAddr, String)>,
    /// The queries asked.
    pub queries: BTreeSet<String>,
    /// Points before this time, in nanoseconds, are beyond the bucket's retention.
    pub retained_from_ns: i64,
    /// The longest body taken, unpacked.
    pub body_bytes_max: usize,
    /// What an empty write is told.
    pub busy: Option<(u16, Option<u32>)>,
    /// Whether every body was compressed.
    pub all_gzip: bool,
}

struct Inner {
    data: Mutex<Data>,
    stop: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
    requests: AtomicU64,
}

/// A running stand-in.
pub struct StandIn {
    inner: Arc<Inner>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

pub const ORG: &str = "nursery";
pub const BUCKET: &str = "miao pu/苗圃";
pub const TOKEN: &str = "s3cr3t-token==";

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for StandIn {
    fn default() -> Self {
        Self::start()
    }
}

impl StandIn {
    pub fn start() -> Self {
        let data = Data {
            body_bytes_max: usize::MAX,
            all_gzip: true,
            retained_from_ns: i64::MIN,
            ..Data::default()
        };
        let inner = Inner {
            data: Mutex::new(data),
            stop: AtomicBool::new(true),
            open: Mutex::default(),
            requests: AtomicU64::new(0),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut stand_in = Self { inner: Arc::new(inner), address, thread: None };
        stand_in.revive();
        stand_in
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn data(&self) -> MutexGuard<'_, Data> {
        locked(&self.inner.data)
    }

    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::SeqCst)
    }

    /// Breaks every connection and takes no new one.
    pub fn kill(&mut self) {
        self.inner.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        for stream in locked(&self.inner.open).drain(..) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Takes connections again, at the same address.
    pub fn revive(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.address = listener.local_addr().unwrap();
        self.inner.stop.store(false, Ordering::SeqCst);
        let inner = Arc::clone(&self.inner);
        self.thread = Some(std::thread::spawn(move || {
            for stream in listener.incoming() {
                if inner.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                locked(&inner.open).push(stream.try_clone().unwrap());
                let inner = Arc::clone(&inner);
                std::thread::spawn(move || {
                    let serve = |request: &Request| {
                        inner.requests.fetch_add(1, Ordering::SeqCst);
                        inner.serve(request)
                    };
                    http::serve(stream, serve);
                });
            }
        }));
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.kill();
    }
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "code": code, "message": message }).to_string();
    Response { status, body: body.into_bytes(), ..Response::default() }
}

impl Inner {
    fn serve(&self, request: &Request) -> Response {
        if request.header("authorization") != Some(&format!("Token {TOKEN}")) {
            return refused(401, "unauthorized", "unauthorized access");
        }
        if request.parameter("org").as_deref() != Some(ORG) {
            let org = request.parameter("org").unwrap_or_default();
            return refused(404, "not found", &format!("organization name \"{org}\" not found"));
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/api/v2/write") => self.write(request),
            ("POST", "/api/v2/query") => self.query(request),
            _ => refused(404, "not found", "path not found"),
        }
    }

    fn fault_status(status: u16, after: Option<u32>) -> Response {
        let (code, message) = match status {
            413 => ("request too large", "cannot read data: request body too large"),
            429 => {
                ("too many requests", "org 0000000000000001 has exceeded limited_write plan limit")
            }
            503 => ("unavailable", "the server is temporarily unable to accept requests"),
            _ => ("internal error", "unexpected error writing points to database: timeout"),
        };
        Response { retry_after: after, ..refused(status, code, message) }
    }

    fn write(&self, request: &Request) -> Response {
        let mut data = locked(&self.data);
        let bucket = request.parameter("bucket").unwrap_or_default();
        if bucket != BUCKET {
            return refused(404, "not found", &format!("bucket \"{bucket}\" not found"));
        }
        if request.body.is_empty() {
            // No write, but the question how long to wait: it hears what the last write did.
            return match data.busy.take() {
                Some((status, after)) => Self::fault_status(status, after),
                None => refused(400, "invalid", "no data"),
            };
        }
        let fault = data.write_faults.pop_front();
        if let Some(Fault::Status(status, after)) = fault {
            data.busy = after.map(|after| (status, Some(after)));
            return Self::fault_status(status, after);
        }
        let scale = match request.parameter("precision").as_deref() {
            None | Some("ns") => 1,
            Some("us") => 1_000,
            Some("ms") => 1_000_000,
            Some("s") => 1_000_000_000,
            Some(other) => {
                return refused(400, "invalid", &format!("invalid precision: {other}"));
            }
        };
        data.all_gzip &= request.header("content-encoding") == Some("gzip");
        let body = match request.unpacked() {
            Ok(body) if body.len() > data.body_bytes_max => {
                return Self::fault_status(413, None);
            }
            Ok(body) => body,
            Err(error) => return refused(400, "invalid", &error),
        };
        let Ok(text) = String::from_utf8(body) else {
            return refused(400, "invalid", "not UTF-8");
        };
        if let Some((address, path)) = &data.forward
            && http::post(*address, path, text.as_bytes()) != Some(204)
        {
            return Self::fault_status(503, None);
        }
        let answer = data.take(&text, scale);
        match fault {
            Some(Fault::DoneButBroken) => Response { broken: true, ..answer },
            Some(Fault::Late(late)) => Response { late, ..answer },
            Some(Fault::Body(body)) => {
                Response { status: 200, body: body.into_bytes(), ..Response::default() }
            }
            _ => answer,
        }
    }

    fn query(&self, request: &Request) -> Response {
        let mut data = locked(&self.data);
        let body: serde_json::Value = match serde_json::from_slice(&request.body) {
            Ok(body) => body,
            Err(error) => return refused(400, "invalid", &format!("failed to decode: {error}")),
        };
        if request.header("content-type") != Some("application/json") {
            return refused(400, "invalid", "invalid content type");
        }
        let fault = data.query_faults.pop_front();
        if let Some(Fault::Status(status, after)) = fault {
            return Self::fault_status(status, after);
        }
        let query = body["query"].as_str().unwrap_or_default().to_owned();
        data.queries.insert(query.clone());
        let answer = match flux::run(&query, &data) {
            Ok(results) => Response {
                status: 200,
                body: table::emit(&results).into_bytes(),
                ..Response::default()
            },
            Err(flux::Refused::Bucket(name)) => refused(
                404,
                "not found",
                &format!("failed to initialize execute state: could not find bucket \"{name}\""),
            ),
            Err(flux::Refused::Query(message)) => refused(400, "invalid", &message),
        };
        match fault {
            Some(Fault::Cut(at)) => Response { cut: Some(at), ..answer },
            Some(Fault::Short(at)) => {
                let mut answer = answer;
                answer.body.truncate(at);
                answer
            }
            Some(Fault::DoneButBroken) => Response { broken: true, ..answer },
            Some(Fault::Late(late)) => Response { late, ..answer },
            Some(Fault::Body(body)) => Response { body: body.into_bytes(), ..answer },
            _ => answer,
        }
    }
}

impl Data {
    /// Takes lines as a server does: what cannot be read refuses all, what is too old only itself.
    fn take(&mut self, text: &str, scale: i64) -> Response {
        let mut points = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match line::parse(line) {
                Ok(point) => points.push(point),
                Err(why) => {
                    return refused(400, "invalid", &format!("unable to parse '{line}': {why}"));
                }
            }
        }
        let mut dropped = 0;
        for point in points {
            let Some(time) = point.time.and_then(|time| time.checked_mul(scale)) else {
                return refused(400, "invalid", "unable to parse: time outside range");
            };
            if time < self.retained_from_ns {
                dropped += 1;
                continue;
            }
            self.lines += 1;
            let series = (point.measurement, point.tags);
            self.points.entry(series).or_default().entry(time).or_default().extend(point.fields);
        }
        if dropped > 0 {
            let message = format!(
                "failure writing points to database: partial write: points beyond retention \
                 policy dropped={dropped}"
            );
            return refused(422, "unprocessable entity", &message);
        }
        Response { status: 204, ..Response::default() }
    }
}
