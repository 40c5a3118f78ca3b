//! The very bytes that are shipped, in servers that others have made: InfluxDB 1.6 and VictoriaMetrics
//! from Debian. InfluxDB 1 reads the same line protocol; VictoriaMetrics has the write half of the
//! API of InfluxDB 2. Both are started here, on loopback, and told to report to nobody.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{DAY_MS, PATIENCE, batch, key, open};
use influx::standin::StandIn;
use influx::{Target, Token};
use measure::{
    Fault, FlashId, Marks, NodeKey, Quality, Quantity, Scaled, Sequence, Slug, Timestamp,
};
use serde_json::Value;
use store::{Sample, SeriesId, SeriesKey, Store as _, Taken};

/// A server of another maker, killed when it is dropped.
struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Peer {
    /// Starts a program, and waits until it answers; `None`, said aloud, where it is not installed.
    fn start(mut command: Command, address: SocketAddr, ready: &str) -> Option<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else {
            println!("SKIPPED: `{program}` is not installed");
            return None;
        };
        let peer = Self { child, address };
        for _ in 0..600 {
            if peer.ask("GET", ready, "").is_some_and(|(status, _)| status < 300) {
                return Some(peer);
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
        panic!("`{program}` did not answer within 30 s");
    }

    fn kill(&mut self) {
        // SIGKILL: it gets no chance to write anything more.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.get(9..12)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    #[track_caller]
    fn expect(&self, method: &str, path: &str, body: &str) -> String {
        let (status, answer) = self.ask(method, path, body).expect("an answer");
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn influxdb(dir: &Path, address: SocketAddr) -> Option<Peer> {
    let at = |part: &str| dir.join(part).display().to_string();
    let config = format!(
        "reporting-disabled = true\nbind-address = \"{}\"\n[meta]\ndir = \"{}\"\n[data]\n\
         dir = \"{}\"\nwal-dir = \"{}\"\n[http]\nbind-address = \"{address}\"\n\
         log-enabled = false\n[monitor]\nstore-enabled = false\n",
        free_port(),
        at("meta"),
        at("data"),
        at("wal")
    );
    let file = dir.join("influxdb.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("influxd");
    command.arg("-config").arg(file);
    Peer::start(command, address, "/ping")
}

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

/// Series and samples with the ends of every range.
fn ends() -> Vec<(SeriesKey, Vec<Sample>)> {
    let names = ["a", "-", "0-9-abcdefghijklmnopqrstuvwxyz-z", "site", "true", "1i"];
    let quantities = Quantity::ALL.into_iter().cycle();
    let mut all = Vec::new();
    for (index, (name, quantity)) in (1_u32..).zip(names.into_iter().zip(quantities)) {
        let node = NodeKey { site: slug("north"), node: slug(name) };
        let key = SeriesKey { node, position: slug(name), quantity };
        let readings = [
            Ok(Scaled(0)),
            Ok(Scaled(-1)),
            Ok(Scaled(i32::MAX)),
            Ok(Scaled(i32::MIN)),
            Err(Fault::Refused),
            Err(Fault::NotPresent),
            Ok(Scaled(23_500)),
        ];
        let samples = (0_i64..).zip(readings).map(|(n, reading)| Sample {
            series: SeriesId(index),
            time: Timestamp::from_millis(DAY_MS + n * 7).unwrap(),
            reading,
            quality: Quality::ALL[n as usize % Quality::ALL.len()],
            marks: Marks::from_bits(n as u8),
            taken: [
                None,
                Some(Taken { flash: FlashId(u32::MAX), sequence: Sequence(u64::MAX) }),
                Some(Taken { flash: FlashId(0), sequence: Sequence(i64::MAX as u64) }),
            ][n as usize % 3],
        });
        all.push((key, samples.collect()));
    }
    all
}

/// What a point of a sample must be, said anew and not by the encoder.
fn fields(sample: &Sample) -> [(&'static str, i64); 6] {
    let taken = sample.taken;
    [
        ("value", sample.reading.map_or(0, |value| i64::from(value.0))),
        ("fault", sample.reading.err().map_or(0, |fault| i64::from(fault.code()))),
        ("quality", i64::from(sample.quality.code())),
        ("marks", i64::from(sample.marks.bits())),
        ("flash", taken.map_or(-1, |taken| i64::from(taken.flash.0))),
        ("sequence", taken.map_or(0, |taken| taken.sequence.0 as i64)),
    ]
}

/// A point: its tags, its time in microseconds and its fields.
type Point = (Vec<String>, i64, Vec<(String, i64)>);

fn select(peer: &Peer) -> Vec<Point> {
    let query = "SELECT%20*%20FROM%20%22reading%22%20GROUP%20BY%20*";
    let answer = peer.expect("GET", &format!("/query?db=m&epoch=u&q={query}"), "");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let mut rows = Vec::new();
    for series in answer["results"][0]["series"].as_array().into_iter().flatten() {
        let tags: Vec<String> = ["node", "position", "quantity", "site"]
            .map(|tag| series["tags"][tag].as_str().unwrap().to_owned())
            .into();
        assert_eq!(series["tags"].as_object().unwrap().len(), 4);
        let columns = series["columns"].as_array().unwrap();
        for row in series["values"].as_array().unwrap() {
            let cells = columns.iter().zip(row.as_array().unwrap()).skip(1);
            let mut cells: Vec<(String, i64)> = cells
                .map(|(name, cell)| (name.as_str().unwrap().to_owned(), cell.as_i64().unwrap()))
                .collect();
            cells.sort();
            rows.push((tags.clone(), row[0].as_i64().unwrap(), cells));
        }
    }
    rows.sort();
    rows
}

#[test]
fn influxdb_1_reads_the_bytes_back_as_they_were_meant() {
    let dir = tempfile::tempdir().unwrap();
    let Some(peer) = influxdb(dir.path(), free_port()) else { return };
    peer.expect("POST", "/query?q=CREATE%20DATABASE%20m", "");
    let mut expect = Vec::new();
    for (key, samples) in ends() {
        let body = String::from_utf8(influx::encode(&key, &samples)).unwrap();
        // Twice: a point written again is the same point.
        for _ in 0..2 {
            peer.expect("POST", "/write?db=m&precision=u", &body);
        }
        let (site, node) = (key.node.site.to_string(), key.node.node.to_string());
        let tags = vec![node, key.position.to_string(), key.quantity.to_string(), site];
        for sample in samples {
            let mut cells = fields(&sample).map(|(name, number)| (name.to_owned(), number));
            cells.sort();
            expect.push((tags.clone(), sample.time.micros(), cells.to_vec()));
        }
    }
    expect.sort();
    assert_eq!(select(&peer), expect);
}

#[test]
fn influxdb_1_killed_in_mid_stream_has_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let address = free_port();
    let Some(mut peer) = influxdb(dir.path(), address) else { return };
    peer.expect("POST", "/query?q=CREATE%20DATABASE%20m", "");
    // The stand-in answers a write only when the real server has taken the same bytes.
    let server = StandIn::start();
    server.data().forward = Some((address, "/write?db=m&precision=u".to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let influx = open(folder.path(), &server);
    let series = influx.series_id(&key("a")).unwrap();
    let mut sent = 0;
    for _ in 0..3 {
        for _ in 0..40 {
            influx.commit(&batch(series, sent, 25)).unwrap();
            sent += 25;
        }
        peer.kill();
        influx.commit(&batch(series, sent, 25)).unwrap();
        sent += 25;
        peer = influxdb(dir.path(), address).unwrap();
    }
    assert!(influx.flush(PATIENCE).unwrap(), "{:?}", influx.shipping().borrow());
    let rows = select(&peer);
    let sequence =
        |cells: &[(String, i64)]| cells.iter().find(|cell| cell.0 == "sequence").unwrap().1;
    let mut sequences: Vec<i64> = rows.iter().map(|(_, _, cells)| sequence(cells)).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (0..sent as i64).collect::<Vec<_>>());
}

#[test]
fn the_write_api_of_victoria_metrics_takes_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let address = free_port();
    let mut command = Command::new("victoria-metrics");
    command
        .arg(format!("-httpListenAddr={address}"))
        .arg(format!("-storageDataPath={}", dir.path().display()))
        .arg("-retentionPeriod=100y")
        .arg("-loggerLevel=ERROR");
    let Some(peer) = Peer::start(command, address, "/health") else { return };
    let target =
        Target::new(&format!("http://{address}"), "any", "any", Token::new("none")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut expect = Vec::new();
    for (key, samples) in ends() {
        // Through `influxdb2`, compressed, as everything is shipped.
        runtime
            .block_on(influx::write_once(target.clone(), &influx::encode(&key, &samples)))
            .unwrap();
        for sample in samples {
            // It counts in milliseconds and in floating point, where flash and sequence do not fit.
            for (name, number) in fields(&sample).into_iter().take(4) {
                let series = format!("reading_{name} {} {}", key.node.node, key.quantity);
                expect.push((series, sample.time.millis(), number));
            }
        }
    }
    peer.expect("GET", "/internal/force_flush", "");
    let path = "/api/v1/export?match[]=%7B__name__=~%22reading_(value|fault|quality|marks)%22%7D";
    let mut found = Vec::new();
    for line in peer.expect("GET", path, "").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let metric = &line["metric"];
        let text = |name: &str| metric[name].as_str().unwrap();
        let series = format!("{} {} {}", text("__name__"), text("node"), text("quantity"));
        let times = line["timestamps"].as_array().unwrap().iter();
        for (time, value) in times.zip(line["values"].as_array().unwrap()) {
            let number = value.as_f64().unwrap() as i64;
            found.push((series.clone(), time.as_i64().unwrap(), number));
        }
    }
    expect.sort();
    found.sort();
    assert_eq!(found, expect);
}
