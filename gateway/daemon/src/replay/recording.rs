//! A recorded series: a CSV file of readings, one a row or many.

use std::{collections::BTreeMap, path::Path};

use measure::{Fault, FlashId, NodeKey, Quantity, Reading, Scaled, Slug, Timestamp};
use sha2::{Digest, Sha256};

use super::{
    shape::{self, COLUMNS, Columns, Series, Shape},
    times::{Before, Times},
};
use crate::failure::{Failure, OrFail};

/// The most readings of a file; a longer one is refused, to be split by time.
const ROWS_MAX: usize = 20_000_000;
/// What stands in a cell without a reading, in capital letters or not, beside nothing at all.
const MISSING: [&str; 4] = ["nan", "na", "n/a", "null"];

/// How a file is read.
#[derive(Default)]
pub(super) struct How<'a> {
    /// The zone of times without an offset.
    pub(super) time_zone: Option<&'a str>,
    /// The text of the file that says what the columns are.
    pub(super) columns: Option<&'a str>,
}

/// What a file holds, by node.
#[derive(Debug)]
pub(crate) struct Recording {
    /// The readings of each node.
    pub(crate) nodes: BTreeMap<NodeKey, NodeRecording>,
    /// Readings in all, those left out included.
    pub(crate) rows: usize,
    /// Readings that repeat another one to the letter: the same series, time and value, where the clock
    /// was not set back between the two. They are one.
    pub(crate) repeats: usize,
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
pub(super) fn load(path: &Path, how: &How<'_>) -> Result<Recording, Failure> {
    let bytes = std::fs::read(path).or_unavailable(format!("cannot read `{}`", path.display()))?;
    parse(&bytes, how).map_err(|message| Failure::data(format!("`{}`, {message}", path.display())))
}

fn parse(bytes: &[u8], how: &How<'_>) -> Result<Recording, String> {
    let columns: Option<Columns> = how
        .columns
        .map(|text| toml::from_str(text).map_err(|error| format!("--columns: {error}")))
        .transpose()?;
    let zone = columns.as_ref().and_then(|it| it.time_zone.as_deref()).or(how.time_zone);
    let format = columns.as_ref().and_then(|it| it.format.as_deref());
    let times = Times::new(zone, format)?;
    // What the rows mean depends on all of this, so a replay that reads them otherwise is another one.
    let mut sum = Sha256::new().chain_update(bytes);
    if zone.is_some() || how.columns.is_some() {
        sum.update(times.words());
        sum.update(how.columns.unwrap_or_default());
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(shape::delimiter(bytes)).from_reader(bytes);
    let headers = reader.headers().map_err(|error| format!("header: {error}"))?;
    let shape = Shape::find(headers, columns.as_ref())?;
    let mut gathering =
        Gathering { times, series: BTreeMap::new(), nodes: BTreeMap::new(), rows: 0 };
    let mut record = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        let fault = |message: String| format!("line {line}: {message}");
        if !reader.read_record(&mut record).map_err(|error| fault(error.to_string()))? {
            break;
        }
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        match &shape {
            Shape::Long(places, fault_at) => {
                let fault_cell = fault_at.map_or("", cell);
                gathering.take_one(places.map(cell), fault_cell).map_err(fault)?;
            }
            Shape::Wide(time, series) => {
                gathering.take_many(cell(*time), series, cell).map_err(fault)?;
            }
        }
        if gathering.rows > ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} readings; split the file by time"));
        }
    }
    gathering.finish(sum)
}

/// A file on its way into a [`Recording`].
struct Gathering {
    times: Times,
    /// The channel of each series, and its reading before.
    series: BTreeMap<Series, (u8, Option<Before>)>,
    nodes: BTreeMap<NodeKey, NodeRecording>,
    rows: usize,
}

impl Gathering {
    fn take_one(
        &mut self,
        [time, site, node, quantity, position, unit, value]: [&str; COLUMNS.len()],
        fault: &str,
    ) -> Result<(), String> {
        let series = Series::named([site, node, quantity, position, unit])?;
        let text = if value.is_empty() { fault } else { value };
        let reading =
            parse_value(series.quantity, text).map_err(|words| format!("value {words}"))?;
        self.take(&series, time, "time", reading)
    }

    fn take_many<'row>(
        &mut self,
        time: &str,
        series: &[(Series, String, usize)],
        cell: impl Fn(usize) -> &'row str,
    ) -> Result<(), String> {
        for (series, name, at) in series {
            let reading = parse_value(series.quantity, cell(*at))
                .map_err(|words| format!("column `{name}`, value {words}"))?;
            self.take(series, time, "time", reading)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        series: &Series,
        time: &str,
        column: &str,
        reading: Reading,
    ) -> Result<(), String> {
        if !self.series.contains_key(series) {
            let channel = self.add_channel(series)?;
            self.series.insert(series.clone(), (channel, None));
        }
        let Some((channel, before)) = self.series.get_mut(series) else { return Ok(()) };
        let time = self.times.parse(time, *before).map_err(|words| format!("{column} {words}"))?;
        *before = Some(Before::next(*before, time));
        if let Some(node) = self.nodes.get_mut(&series.node) {
            node.readings.push((time, *channel, reading));
        }
        self.rows += 1;
        Ok(())
    }

    fn add_channel(&mut self, series: &Series) -> Result<u8, String> {
        let node = self.nodes.entry(series.node.clone()).or_insert_with(|| NodeRecording {
            flash: FlashId(0),
            channels: Vec::new(),
            readings: Vec::new(),
        });
        let max = wire::CHANNELS_MAX;
        let index = node.channels.len();
        let channel = u8::try_from(index).ok().filter(|_| index < max).ok_or_else(|| {
            format!("{} has more than {max} channels; give some another node", series.node)
        })?;
        node.channels.push((series.quantity, series.position.clone()));
        Ok(channel)
    }

    /// Orders the readings of each node, leaves repeats out and draws the flashes.
    fn finish(mut self, mut sum: Sha256) -> Result<Recording, String> {
        let mut repeats = 0;
        for node in self.nodes.values_mut() {
            let turns = node.sort();
            let before = node.readings.len();
            let mut is_repeat = node.repeats(&turns).into_iter();
            node.readings.retain(|_| !is_repeat.next().unwrap_or_default());
            repeats += before - node.readings.len();
        }
        // Sequences count what is left: where that is less, an earlier version counted otherwise.
        if repeats > 0 {
            sum.update(b"without repeats");
        }
        let sum = sum.finalize();
        for (key, node) in &mut self.nodes {
            node.flash = flash_of(&sum, key);
        }
        Ok(Recording { nodes: self.nodes, rows: self.rows, repeats })
    }
}

impl NodeRecording {
    /// Returns of each reading whether one before it is the same to the letter. What was recorded after
    /// the clock had been set back repeats nothing from before: it is another reading of the same time.
    fn repeats(&self, turns: &[usize]) -> Vec<bool> {
        let place = |index: &usize| {
            let reading = self.readings.get(*index).map(|(time, channel, _)| (*time, *channel));
            (turns.get(*index), reading)
        };
        let mut order: Vec<usize> = (0..self.readings.len()).collect();
        order.sort_by_key(place);
        let mut repeats = vec![false; order.len()];
        for at_one_time in order.chunk_by(|a, b| place(a) == place(b)) {
            let mut known: Vec<Reading> = Vec::with_capacity(at_one_time.len());
            for &index in at_one_time {
                let Some((.., reading)) = self.readings.get(index) else { continue };
                if !known.contains(reading) {
                    known.push(*reading);
                } else if let Some(repeat) = repeats.get_mut(index) {
                    *repeat = true;
                }
            }
        }
        repeats
    }

    /// Orders the readings; returns of each how often its channel's clock had been set back before.
    fn sort(&mut self) -> Vec<usize> {
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
        let (turns, readings): (Vec<usize>, Vec<_>) = sorted.into_iter().unzip();
        self.readings = readings;
        turns
    }
}

fn flash_of(sum: &[u8], key: &NodeKey) -> FlashId {
    let drawn = Sha256::new().chain_update(sum).chain_update(key.to_string()).finalize();
    let mut bytes = [0; 4];
    bytes.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
    FlashId(u32::from_be_bytes(bytes))
}

/// An empty value is a reading that is missing, as are `NaN`, `NA`, `N/A` and `null`; a fault's name
/// stands for that fault.
fn parse_value(quantity: Quantity, text: &str) -> Result<Reading, String> {
    if text.is_empty() || MISSING.iter().any(|it| text.eq_ignore_ascii_case(it)) {
        return Ok(Err(Fault::NotPresent));
    }
    if let Ok(fault) = text.parse() {
        return Ok(Err(fault));
    }
    let value: f64 = text.parse().map_err(|_| {
        let faults = Fault::ALL.map(Fault::name).join(", ");
        let comma = if text.contains(',') { "; write the decimal point as `.`" } else { "" };
        format!("`{text}` is neither a number nor empty nor one of {faults}{comma}")
    })?;
    Scaled::from_f64(quantity, value).map(Ok).map_err(|error| format!("`{text}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Recording, String> {
        super::parse(bytes, &How::default())
    }

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
        assert_eq!(recording.repeats, 0);
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

    #[test]
    fn what_repeats_another_reading_to_the_letter_is_one_reading() {
        let at = |minute: u32, value: &str| {
            format!("2026-01-01T00:0{minute}:00Z,s,n,co2,c,[ppm],{value}\n")
        };
        let text = format!(
            "{HEADER}{}{}{}{}{}",
            at(1, "400"),
            at(2, "400"),
            at(1, "400"),
            at(1, "401"),
            at(1, "NaN")
        );
        let recording = parse(text.as_bytes()).unwrap();
        assert_eq!((recording.rows, recording.repeats), (5, 1));
        let node = recording.nodes.values().next().unwrap();
        let values: Vec<_> = node.readings.iter().map(|(.., reading)| *reading).collect();
        let [first, other, later] =
            [400, 401, 400].map(|ppm| Ok(Scaled::from_f64(Quantity::Co2, f64::from(ppm)).unwrap()));
        assert_eq!(values, [first, other, Err(Fault::NotPresent), later]);
    }

    #[test]
    fn a_steady_value_in_the_hour_after_the_clock_was_set_back_is_a_reading_of_its_own() {
        let row = |minute: i64| {
            let time = jiff::Timestamp::from_second(1_767_225_600 + minute * 60).unwrap();
            format!("{time},s,n,co2,c,[ppm],400\n")
        };
        let text: String = (0..120).chain(60..180).map(row).collect();
        let recording = parse(format!("{HEADER}{text}").as_bytes()).unwrap();
        let node = recording.nodes.values().next().unwrap();
        assert_eq!((recording.rows, recording.repeats, node.readings.len()), (240, 0, 240));
    }

    #[test]
    fn an_export_is_a_recording() {
        let text = "time,site,zone,node,position,quantity,unit,value,fault,quality\n\
                    2026-01-01T00:00:00Z,s,z,n,c,co2,[ppm],,checksum,9\n\
                    2026-01-01T00:01:00Z,s,z,n,c,co2,[ppm],400,,1\n";
        let recording = parse(text.as_bytes()).unwrap();
        let node = recording.nodes.values().next().unwrap();
        assert_eq!(node.readings[0].2, Err(Fault::Checksum));
        assert!(node.readings[1].2.is_ok());
    }

    const COLUMNS_FILE: &str = r#"
        time = "Time"
        format = "%Y-%m-%d %H:%M"
        time_zone = "Europe/Amsterdam"
        [[series]]
        column = "Tair"
        site = "s"
        node = "n"
        quantity = "air_temperature"
        position = "c"
        unit = "Cel"
        [[series]]
        column = "RH"
        site = "s"
        node = "n"
        quantity = "relative_humidity"
        position = "c"
        unit = "%"
    "#;

    fn wide(rows: &str) -> Result<Recording, String> {
        let text = format!("\u{feff}Time;Tair;Other;RH\n{rows}");
        super::parse(text.as_bytes(), &How { columns: Some(COLUMNS_FILE), time_zone: None })
    }

    #[test]
    fn many_readings_a_row_go_in_through_the_hour_that_comes_twice() {
        let recording = wide(
            "2025-10-26 01:30;20.0;x;50\n2025-10-26 02:30;20.1;x;50\n2025-10-26 02:30;20.2;x;\n2025-10-26 03:30;20.3;x;na\n",
        );
        let recording = recording.unwrap();
        let node = recording.nodes.values().next().unwrap();
        let found: Vec<_> = node
            .readings
            .iter()
            .map(|(time, channel, reading)| (time.millis() / 60_000, *channel, reading.is_ok()))
            .collect();
        let first = 1_761_438_600 / 60;
        assert_eq!(
            found,
            [
                (first - 60, 0, true),
                (first - 60, 1, true),
                (first, 0, true),
                (first, 1, true),
                (first + 60, 0, true),
                (first + 60, 1, false),
                (first + 120, 0, true),
                (first + 120, 1, false),
            ]
        );
    }

    #[test]
    fn a_faulty_cell_of_many_is_named_with_its_column_value_and_remedy() {
        let check = |rows: &str, words: &[&str]| {
            let message = wide(rows).expect_err("a cell is faulty");
            assert!(words.iter().all(|it| message.contains(it)), "{message}");
        };
        check("2025-10-26 02:30;20,1;x;50\n", &["line 2", "`Tair`", "`20,1`", "decimal point"]);
        check("2025-10-26 02:30;20.1;x;150\n", &["line 2", "`RH`", "`150`", "between 0 and 100"]);
        check("26.10.2025;20.1;x;50\n", &["line 2", "time `26.10.2025`", "`%Y-%m-%d %H:%M`"]);
        check("2025-03-30 02:30;1;x;1\n", &["line 2", "never was in Europe/Amsterdam"]);
        let told = |columns: &str| {
            super::parse(b"Time,Tair\n", &How { columns: Some(columns), time_zone: None })
                .unwrap_err()
        };
        assert!(told(COLUMNS_FILE).contains("no column `RH`; there are Time,Tair"));
        assert!(told(&COLUMNS_FILE.replace("\"Cel\"", "\"degF\"")).contains("`Tair`: unit `degF`"));
        assert!(told("time = 3").contains("--columns"));
    }

    #[test]
    fn rows_that_are_read_otherwise_are_another_recording() {
        let text = format!("{HEADER}2026-01-01T00:00:00,s,n,co2,c,[ppm],400\n");
        let flash = |zone| {
            let how = How { columns: None, time_zone: Some(zone) };
            let recording = super::parse(text.as_bytes(), &how).unwrap();
            recording.nodes.values().next().unwrap().flash
        };
        assert_eq!(flash("Asia/Shanghai"), flash("Asia/Shanghai"));
        assert_ne!(flash("Asia/Shanghai"), flash("Etc/GMT-1"));
    }
}
