//! What the local folder knows beside its engine: how far was shipped, what to ship again, and what
//! the server refused.
//!
//! | file | what |
//! |---|---|
//! | `influx.json` | the bucket, how far the journal is on the server, and before when the folder may lack samples |
//! | `touched` | a line `series time` for each sample that was changed in place since it was shipped |
//! | `aside.jsonl` | a JSON object a line for each point that the server refused for good |

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use measure::{Fault, FlashId, Marks, Quality, Scaled, Sequence, Timestamp};
use serde_json::{Value, json};
use store::{Position, Sample, SeriesId, Taken};

use crate::Error;

/// The format of `influx.json` that this version writes and reads.
const FORMAT: u64 = 1;
/// The most samples that may wait to be shipped again; with more, commits that change samples are
/// refused with [`store::Error::Backlog`], which is transient.
pub(crate) const TOUCHED_MAX: usize = 1_000_000;
/// The most points put aside. Beyond, shipping stops with [`Error::AsideFull`] until somebody has
/// looked into it; nothing is lost, because what is not shipped stays in the journal.
pub(crate) const ASIDE_MAX: usize = 100_000;

/// How far shipping is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Where it ships to: address, organization and bucket.
    pub(crate) place: String,
    /// The journal up to here is on the server.
    pub(crate) shipped: Position,
    /// Before this time the folder may lack samples that the server has.
    pub(crate) floor: Timestamp,
}

/// The files of a folder beside its engine.
pub(crate) struct Notes {
    dir: PathBuf,
    touched_file: File,
    pub(crate) touched: BTreeSet<(SeriesId, Timestamp)>,
    pub(crate) aside: BTreeMap<(SeriesId, Timestamp), Sample>,
}

pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> store::Error {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull => store::Error::Full,
        _ => store::Error::Io { action, path, source },
    }
}

/// Reads how far shipping is; `None` in a new folder.
pub(crate) fn load_state(dir: &Path) -> Result<Option<State>, store::Error> {
    let path = dir.join("influx.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("read", &path)(error)),
    };
    let broken = |problem: &str| Error::Folder { file: "influx.json", problem: problem.to_owned() };
    let value: Value = serde_json::from_str(&text).map_err(|_| broken("is no JSON"))?;
    let format = value.get("format").and_then(Value::as_u64).unwrap_or(0);
    if format > FORMAT {
        let problem = format!("has format {format}, newer than {FORMAT}, the newest known");
        return Err(Error::Folder { file: "influx.json", problem }.into());
    }
    let state = (|| {
        Some(State {
            place: value.get("place")?.as_str()?.to_owned(),
            shipped: Position(value.get("shipped")?.as_u64()?),
            floor: Timestamp::from_micros(value.get("floor_us")?.as_i64()?)?,
        })
    })();
    Ok(Some(state.ok_or_else(|| broken("lacks a value"))?))
}

/// Writes how far shipping is; it is on disk when this returns.
pub(crate) fn store_state(dir: &Path, state: &State) -> Result<(), store::Error> {
    let (path, new) = (dir.join("influx.json"), dir.join("influx.json.new"));
    let value = json!({
        "format": FORMAT,
        "place": state.place,
        "shipped": state.shipped.0,
        "floor_us": state.floor.micros(),
    });
    let mut file = File::create(&new).map_err(io("create", &new))?;
    file.write_all(value.to_string().as_bytes()).map_err(io("write", &new))?;
    file.sync_all().map_err(io("write", &new))?;
    fs::rename(&new, &path).map_err(io("replace", &path))?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io("write", dir))
}

impl Notes {
    pub(crate) fn open(dir: &Path) -> Result<Self, store::Error> {
        let path = dir.join("touched");
        let mut options = File::options();
        let mut touched_file =
            options.create(true).read(true).append(true).open(&path).map_err(io("open", &path))?;
        let mut text = Vec::new();
        touched_file.read_to_end(&mut text).map_err(io("read", &path))?;
        // A line that a power cut has torn was never followed by a commit.
        let touched =
            String::from_utf8_lossy(&text).split_inclusive('\n').filter_map(touch).collect();
        if text.last().is_some_and(|last| *last != b'\n') {
            touched_file.write_all(b"\n").map_err(io("write", &path))?;
        }
        Ok(Self { dir: dir.to_owned(), touched_file, touched, aside: load_aside(dir)? })
    }

    /// Notes that samples are about to be changed in place; on disk when this returns.
    pub(crate) fn touch(
        &mut self,
        samples: impl Iterator<Item = (SeriesId, Timestamp)>,
    ) -> Result<(), store::Error> {
        let new: Vec<_> = samples.filter(|sample| !self.touched.contains(sample)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let total = self.touched.len() + new.len();
        if total > TOUCHED_MAX {
            let line = 24;
            return Err(store::Error::Backlog {
                bytes: total as u64 * line,
                max: TOUCHED_MAX as u64 * line,
            });
        }
        let mut text = String::new();
        for (series, time) in &new {
            text.push_str(&format!("{series} {}\n", time.micros()));
        }
        let path = self.dir.join("touched");
        self.touched_file.write_all(text.as_bytes()).map_err(io("write", &path))?;
        self.touched_file.sync_data().map_err(io("write", &path))?;
        self.touched.extend(new);
        Ok(())
    }

    /// Forgets what was shipped again.
    pub(crate) fn untouch(
        &mut self,
        shipped: &BTreeSet<(SeriesId, Timestamp)>,
    ) -> Result<(), store::Error> {
        self.touched.retain(|sample| !shipped.contains(sample));
        if self.touched.is_empty() {
            let path = self.dir.join("touched");
            self.touched_file.set_len(0).map_err(io("empty", &path))?;
            self.touched_file.sync_data().map_err(io("write", &path))?;
        }
        Ok(())
    }

    /// Puts a sample aside that the server refused for good.
    pub(crate) fn put_aside(&mut self, sample: &Sample, why: &str) -> Result<(), store::Error> {
        let key = (sample.series, sample.time);
        if self.aside.get(&key) == Some(sample) {
            return Ok(());
        }
        if self.aside.len() >= ASIDE_MAX {
            return Err(Error::AsideFull { count: self.aside.len() }.into());
        }
        let path = self.dir.join("aside.jsonl");
        let line = json!({
            "series": sample.series.0,
            "time_us": sample.time.micros(),
            "value": sample.reading.ok().map(|value| value.0),
            "fault": sample.reading.err().map(Fault::code),
            "quality": sample.quality.code(),
            "marks": sample.marks.bits(),
            "flash": sample.taken.map(|taken| taken.flash.0),
            "sequence": sample.taken.map(|taken| taken.sequence.0),
            "why": why,
        });
        let mut file =
            File::options().create(true).append(true).open(&path).map_err(io("open", &path))?;
        file.write_all(format!("{line}\n").as_bytes()).map_err(io("write", &path))?;
        file.sync_data().map_err(io("write", &path))?;
        self.aside.insert(key, *sample);
        Ok(())
    }
}

fn touch(line: &str) -> Option<(SeriesId, Timestamp)> {
    let (series, time) = line.strip_suffix('\n')?.split_once(' ')?;
    Some((SeriesId(series.parse().ok()?), Timestamp::from_micros(time.parse().ok()?)?))
}

fn load_aside(dir: &Path) -> Result<BTreeMap<(SeriesId, Timestamp), Sample>, store::Error> {
    let path = dir.join("aside.jsonl");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(io("read", &path)(error)),
    };
    let mut aside = BTreeMap::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let Some(line) = line.strip_suffix('\n') else {
            // A power cut has torn it; the point is refused and put aside once more.
            let whole = (text.len() - line.len()) as u64;
            let cut = File::options().write(true).open(&path).and_then(|file| file.set_len(whole));
            cut.map_err(io("cut", &path))?;
            continue;
        };
        let sample = serde_json::from_str(line).ok().and_then(|value: Value| parse(&value));
        let Some(sample) = sample else {
            let problem = format!("has no sample in line {number}");
            return Err(Error::Folder { file: "aside.jsonl", problem }.into());
        };
        aside.insert((sample.series, sample.time), sample);
    }
    Ok(aside)
}

fn parse(value: &Value) -> Option<Sample> {
    let number = |name| value.get(name).and_then(Value::as_i64);
    let small = |name| number(name).and_then(|number| u8::try_from(number).ok());
    let taken = match number("flash") {
        Some(flash) => Some(Taken {
            flash: FlashId(u32::try_from(flash).ok()?),
            sequence: Sequence(value.get("sequence")?.as_u64()?),
        }),
        None => None,
    };
    Some(Sample {
        series: SeriesId(u32::try_from(number("series")?).ok()?),
        time: Timestamp::from_micros(number("time_us")?)?,
        reading: match small("fault") {
            Some(fault) => Err(Fault::from_code(fault)?),
            None => Ok(Scaled(i32::try_from(number("value")?).ok()?)),
        },
        quality: Quality::from_code(small("quality")?)?,
        marks: Marks::from_bits(small("marks")?),
        taken,
    })
}
