//! As much of HTTP/1.1 as a client of InfluxDB needs, one thread a connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    query: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) retry_after: Option<u32>,
    /// The connection breaks before the answer.
    pub(super) broken: bool,
    /// The connection breaks after so many bytes of the body.
    pub(super) cut: Option<usize>,
    pub(super) late: Duration,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
    }

    pub(super) fn unpacked(&self) -> Result<Vec<u8>, String> {
        match self.header("content-encoding") {
            None | Some("identity") => Ok(self.body.clone()),
            Some("gzip") => {
                let mut body = Vec::new();
                let mut reader = flate2::read::GzDecoder::new(self.body.as_slice());
                reader.read_to_end(&mut body).map_err(|error| error.to_string())?;
                Ok(body)
            }
            Some(other) => Err(format!("unknown encoding {other}")),
        }
    }
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).unwrap_or_default();
                out.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn serve(mut stream: TcpStream, answer: impl Fn(&Request) -> Response) {
    let Ok(reading) = stream.try_clone() else { return };
    let mut reader = BufReader::new(reading);
    while let Some(request) = read(&mut reader) {
        let response = answer(&request);
        std::thread::sleep(response.late);
        if response.broken || write(&mut stream, &response).is_err() || response.cut.is_some() {
            drop(stream.shutdown(std::net::Shutdown::Both));
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = || -> Option<String> {
        let mut text = String::new();
        let read = reader.read_line(&mut text).ok()?;
        (read > 0).then(|| text.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = Vec::new();
    loop {
        let text = line()?;
        let Some((key, value)) = text.split_once(':') else { break };
        headers.push((key.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, query, headers, body: Vec::new() };
    if request.header("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            request.body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

/// Answers in chunks, as InfluxDB does, so that a broken answer is one without its last chunk.
fn write(stream: &mut TcpStream, response: &Response) -> std::io::Result<()> {
    let status = response.status;
    let mut head = format!("HTTP/1.1 {status} x\r\nX-Influxdb-Version: v2.7.12\r\n");
    if let Some(seconds) = response.retry_after {
        head.push_str(&format!("Retry-After: {seconds}\r\n"));
    }
    if status == 204 {
        head.push_str("\r\n");
        return stream.write_all(head.as_bytes());
    }
    let kind =
        if status == 200 { "text/csv; charset=utf-8" } else { "application/json; charset=utf-8" };
    head.push_str(&format!("Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"));
    stream.write_all(head.as_bytes())?;
    let body = response
        .cut
        .map_or(&response.body[..], |cut| &response.body[..cut.min(response.body.len())]);
    for chunk in body.chunks(4_099) {
        write!(stream, "{:x}\r\n", chunk.len())?;
        stream.write_all(chunk)?;
        stream.write_all(b"\r\n")?;
    }
    if response.cut.is_none() {
        stream.write_all(b"0\r\n\r\n")?;
    }
    stream.flush()
}

/// Posts a body and returns the status of the answer.
pub(super) fn post(address: SocketAddr, path: &str, body: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {length}\r\n\r\n").ok()?;
    stream.write_all(body).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.get(9..12)?.parse().ok()
}
