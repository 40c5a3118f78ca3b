//! A recorded series: a CSV file with the columns time,site,node,quantity,position,unit,value.

use std::{collections::BTreeMap, path::Path};

use measure::{Fault, FlashId, NodeKey, Quantity, Reading, Scaled, Slug, Timestamp};
use sha2::{Digest, Sha256};

use crate::failure::{Failure, OrFail};

/// The most rows of a file; a longer one is refused, to be split by time.
const ROWS_MAX: usize = 20_000_000;
/// The columns, which the header must name; their order is free.
const COLUMNS: [&str; 7] = ["time", "site", "node", "quantity", "position", "unit", "value"];

/// What a file holds, by node.
#[derive(Debug)]
pub(crate) struct Recording {
    /// The readings of each node.
    pub(crate) nodes: BTreeMap<NodeKey, NodeRecording>,
    /// Rows in all.
    pub(crate) rows: usize,
}

/// How often a channel's clock may have been set back in a file, and among how many of its rows once.
/// A file whose times go back more often is in no order at all, and is put into that of time.
const SET_BACK_MAX: (usize, usize) = (16, 100);

/// The readings of one node in the order of their time; what was recorded after the clock had been set
/// back stands after what was recorded before.
#[derive(Debug)]
pub(crate) struct NodeRecording {
    /// Drawn from the file's content: the same file replayed again is known by it.
    pub(crate) flash: FlashId,
    /// Its channels.
    pub(crate) channels: Vec<(Quantity, Slug)>,
    /// Time, index of the channel, and the reading.
    pub(crate) readings: Vec<(Timestamp, u8, Reading)>,
}

/// Reads a file whole and checks every row.
///
/// # Errors
/// The first faulty row, with its line, column, value and the remedy.
pub(crate) fn load(path: &Path) -> Result<Recording, Failure> {
    let bytes = std::fs::read(path).or_unavailable(format!("cannot read `{}`", path.display()))?;
    parse(&bytes).map_err(|message| Failure::data(format!("`{}`, {message}", path.display())))
}

fn parse(bytes: &[u8]) -> Result<Recording, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let headers = reader.headers().map_err(|error| format!("header: {error}"))?;
    let mut columns = [0; COLUMNS.len()];
    for (at, name) in columns.iter_mut().zip(COLUMNS) {
        let found = headers.iter().position(|header| header.trim() == name);
        *at = found.ok_or_else(|| {
            format!("header: the column `{name}` is missing; there must be {}", COLUMNS.join(","))
        })?;
    }
    let sum = Sha256::digest(bytes);
    let mut recording = Recording { nodes: BTreeMap::new(), rows: 0 };
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        let fault = |message: String| format!("line {line}: {message}");
        if !reader.read_record(&mut record).map_err(|error| fault(error.to_string()))? {
            break;
        }
        let cells = columns.map(|at| record.get(at).unwrap_or_default().trim());
        recording.take(cells, &sum).map_err(fault)?;
        if recording.rows > ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} rows; split the file by time"));
        }
    }
    for node in recording.nodes.values_mut() {
        node.sort();
    }
    Ok(recording)
}

impl Recording {
    fn take(
        &mut self,
        [time, site, node, quantity, position, unit, value]: [&str; 7],
        sum: &[u8],
    ) -> Result<(), String> {
        let slug = |column: &str, text: &str| {
            Slug::new(text).map_err(|error| format!("{column} `{text}`: {error}"))
        };
        let key = NodeKey { site: slug("site", site)?, node: slug("node", node)? };
        let quantity: Quantity =
            quantity.parse().map_err(|error| format!("quantity `{quantity}`: {error}"))?;
        if unit != quantity.ucum() {
            let ucum = quantity.ucum();
            return Err(format!("unit `{unit}`: {quantity} is given in `{ucum}`; convert it"));
        }
        let time = parse_time(time)?;
        let reading = parse_value(quantity, value)?;
        let place = (quantity, slug("position", position)?);
        let node =
            self.nodes.entry(key).or_insert_with_key(|key| NodeRecording::new(flash_of(sum, key)));
        let channel = match node.channels.iter().position(|channel| *channel == place) {
            Some(index) => index,
            None => {
                node.channels.push(place);
                node.channels.len() - 1
            }
        };
        if channel >= wire::CHANNELS_MAX {
            let max = wire::CHANNELS_MAX;
            return Err(format!("a node has at most {max} channels; give some another node"));
        }
        let channel = u8::try_from(channel).map_err(|_| "too many channels".to_owned())?;
        node.readings.push((time, channel, reading));
        self.rows += 1;
        Ok(())
    }
}

impl NodeRecording {
    fn new(flash: FlashId) -> Self {
        Self { flash, channels: Vec::new(), readings: Vec::new() }
    }

    fn sort(&mut self) {
        // By channel: its rows, how often its time went back, and its last time.
        let mut channels = vec![(0_usize, 0_usize, Timestamp::MIN); self.channels.len()];
        let mut turns = Vec::with_capacity(self.readings.len());
        for (time, channel, _) in &self.readings {
            let turn = channels.get_mut(usize::from(*channel)).map_or(0, |(rows, turns, last)| {
                *rows += 1;
                *turns += usize::from(*time < *last);
                *last = *time;
                *turns
            });
            turns.push(turn);
        }
        let (max, rows_a_turn) = SET_BACK_MAX;
        let is_ordered =
            channels.iter().all(|(rows, turns, _)| *turns <= max && turns * rows_a_turn <= *rows);
        let turn_of = |turn: usize| if is_ordered { turn } else { 0 };
        let mut sorted: Vec<_> =
            turns.into_iter().map(turn_of).zip(self.readings.drain(..)).collect();
        sorted.sort_by_key(|(turn, (time, ..))| (*turn, *time));
        self.readings.extend(sorted.into_iter().map(|(_, reading)| reading));
    }
}

fn flash_of(sum: &[u8], key: &NodeKey) -> FlashId {
    let drawn = Sha256::new().chain_update(sum).chain_update(key.to_string()).finalize();
    let mut bytes = [0; 4];
    bytes.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
    FlashId(u32::from_be_bytes(bytes))
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| format!("time `{text}` is no RFC 3339 time such as 2026-05-01T06:00:00Z"))?;
    Timestamp::from_micros(time.as_microsecond())
        .ok_or_else(|| format!("time `{text}` does not lie between 1970 and 9999"))
}

/// An empty value is a reading that is missing; a fault's name stands for that fault.
fn parse_value(quantity: Quantity, text: &str) -> Result<Reading, String> {
    if text.is_empty() {
        return Ok(Err(Fault::NotPresent));
    }
    if let Ok(fault) = text.parse() {
        return Ok(Err(fault));
    }
    let value: f64 = text.parse().map_err(|_| {
        let faults = Fault::ALL.map(Fault::name).join(", ");
        format!("value `{text}` is neither a number nor empty nor one of {faults}")
    })?;
    Scaled::from_f64(quantity, value).map(Ok).map_err(|error| format!("value `{text}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "time,site,node,quantity,position,unit,value\n";

    #[track_caller]
    fn check_fault(row: &str, words: &str) {
        let message = parse(format!("{HEADER}{row}\n").as_bytes()).expect_err("the row is faulty");
        assert!(message.contains("line 2") && message.contains(words), "{message}");
    }

    #[test]
    fn rows_are_sorted_by_node_and_time() {
        let text = format!(
            "{HEADER}2026-01-01T00:01:00Z,s,n,air_temperature,canopy,Cel,21.5\n\
             2026-01-01T00:00:00Z,s,n,relative_humidity,canopy,%,\n"
        );
        let recording = parse(text.as_bytes()).unwrap();
        let node = recording.nodes.values().next().unwrap();
        assert_eq!((recording.rows, node.channels.len()), (2, 2));
        assert_eq!(node.readings[0].2, Err(Fault::NotPresent));
        assert_eq!(node.readings[1].2, Ok(Scaled(21_500)));
    }

    /// Two channels, the second one after the first; the clock goes back 90 minutes after two hours.
    #[test]
    fn what_was_recorded_after_the_clock_was_set_back_stays_behind() {
        let at = |minute: i64| if minute < 120 { minute } else { minute - 90 };
        let rows = |what: &str, base: i64| {
            let row = |minute: i64| {
                let time = jiff::Timestamp::from_second(1_767_225_600 + at(minute) * 60).unwrap();
                format!("{time},s,n,{what},{}\n", base + minute)
            };
            (0..240).map(row).collect::<String>()
        };
        let text = rows("co2,c,[ppm]", 0) + &rows("air_pressure,c,hPa", 400);
        let recording = parse(format!("{HEADER}{text}").as_bytes()).unwrap();
        let node = recording.nodes.values().next().unwrap();
        let of_co2 = node.readings.iter().filter(|(_, channel, _)| *channel == 0);
        let values: Vec<i32> = of_co2.map(|(.., reading)| reading.unwrap().0).collect();
        assert_eq!(values, (0..240).collect::<Vec<i32>>());
        let channels: Vec<u8> = node.readings.iter().map(|(_, channel, _)| *channel).collect();
        assert!(channels.chunks(2).all(|pair| pair == [0, 1]), "{channels:?}");
    }

    #[test]
    fn a_faulty_row_is_named_with_its_value_and_the_remedy() {
        check_fault("yesterday,s,n,air_temperature,c,Cel,1", "time `yesterday`");
        check_fault("2026-01-01T00:00:00Z,s,n,warmth,c,Cel,1", "air_temperature");
        check_fault("2026-01-01T00:00:00Z,s,n,air_temperature,c,degF,1", "`Cel`");
        check_fault("2026-01-01T00:00:00Z,s,n,relative_humidity,c,%,120", "between 0 and 100");
        check_fault("2026-01-01T00:00:00Z,s,n,relative_humidity,c,%,wet", "neither a number");
        check_fault("2026-01-01T00:00:00Z,s,n,co2", "fields");
    }

    #[test]
    fn the_same_file_has_the_same_flash_and_another_has_another() {
        let row = |value| format!("{HEADER}2026-01-01T00:00:00Z,s,n,co2,c,[ppm],{value}\n");
        let flash =
            |text: &str| parse(text.as_bytes()).unwrap().nodes.values().next().unwrap().flash;
        assert_eq!(flash(&row(400)), flash(&row(400)));
        assert_ne!(flash(&row(400)), flash(&row(401)));
    }
}
