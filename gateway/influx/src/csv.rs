//! A streaming reader of annotated CSV, the answer to a Flux query.
//!
//! Bytes go in as they come, rows come out; memory holds one record. Several tables with schemas of
//! their own, defaults, nulls, quoted line breaks and both kinds of line ends are understood after
//! the specification of annotated CSV. What is no annotated CSV, a row that does not fit its header,
//! an error of the server in the midst of rows and an answer that ends in a line are errors: no
//! question ever counts as answered with fewer rows than the server meant to send.

use csv_core::ReadRecordResult;
use measure::Timestamp;

use crate::Error;

/// The longest record, in bytes; a longer one is an error.
const RECORD_BYTES_MAX: usize = 1 << 20;
/// The most columns of a table; more are an error.
const COLUMNS_MAX: usize = 1_024;

/// Reads one answer.
pub struct Reader {
    core: csv_core::Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How much of `bytes` and `ends` the record under way has filled.
    filled: (usize, usize),
    /// The annotations of the table to come, and whether its header has been read.
    table: Table,
    /// The last byte of the answer so far.
    last: Option<u8>,
}

#[derive(Default)]
struct Table {
    datatype: Vec<String>,
    default: Vec<String>,
    /// The names of the columns; empty before the header.
    names: Vec<String>,
}

/// One row: its values by the names of their columns.
pub struct Row<'a> {
    table: &'a Table,
    record: &'a [String],
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            core: csv_core::Reader::new(),
            bytes: vec![0; 4_096],
            ends: vec![0; COLUMNS_MAX],
            filled: (0, 0),
            table: Table::default(),
            last: None,
        }
    }
}

fn broken(problem: impl Into<String>) -> Error {
    Error::Answer { problem: problem.into() }
}

impl Reader {
    /// Reads the next bytes of an answer and shows every row that they complete.
    ///
    /// # Errors
    /// [`Error::Answer`] and [`Error::Query`], and what `show` returns.
    pub fn feed(
        &mut self,
        mut input: &[u8],
        mut show: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.last = input.last().copied().or(self.last);
        while !input.is_empty() {
            let read = self.step(input, &mut show)?;
            input = input.get(read..).unwrap_or_default();
        }
        Ok(())
    }

    /// Says that the answer is over.
    ///
    /// # Errors
    /// [`Error::Answer`] where it ends in the midst of a line or of a table's head.
    pub fn finish(self) -> Result<(), Error> {
        let in_record = self.filled != (0, 0);
        if in_record || self.last.is_some_and(|last| last != b'\n') {
            return Err(broken("it ends in the midst of a line"));
        }
        if !self.table.datatype.is_empty() && self.table.names.is_empty() {
            return Err(broken("it ends in the head of a table"));
        }
        Ok(())
    }

    /// Takes some input in and returns how much.
    fn step(
        &mut self,
        input: &[u8],
        show: &mut impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let (bytes, ends) = self.filled;
        let (result, read, wrote, ended) = self.core.read_record(
            input,
            self.bytes.get_mut(bytes..).unwrap_or_default(),
            self.ends.get_mut(ends..).unwrap_or_default(),
        );
        self.filled = (bytes + wrote, ends + ended);
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            ReadRecordResult::OutputFull if self.bytes.len() < RECORD_BYTES_MAX => {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
            ReadRecordResult::OutputFull => {
                return Err(broken(format!("a line is longer than {RECORD_BYTES_MAX} bytes")));
            }
            ReadRecordResult::OutputEndsFull => {
                return Err(broken(format!("a table has more than {COLUMNS_MAX} columns")));
            }
            ReadRecordResult::Record => {
                let record = self.record()?;
                self.filled = (0, 0);
                self.take(&record, show)?;
            }
        }
        Ok(read)
    }

    fn record(&self) -> Result<Vec<String>, Error> {
        let mut record = Vec::new();
        let mut start = 0;
        for &end in self.ends.get(..self.filled.1).unwrap_or_default() {
            let field = self.bytes.get(start..end).unwrap_or_default();
            let text = std::str::from_utf8(field).map_err(|_| broken("it is not UTF-8"))?;
            record.push(text.to_owned());
            start = end;
        }
        Ok(record)
    }

    fn take(
        &mut self,
        record: &[String],
        show: &mut impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let first = record.first().map_or("", String::as_str);
        if first.starts_with('#') {
            // The first annotation begins a table of its own.
            if !self.table.names.is_empty() {
                self.table = Table::default();
            }
            match first {
                "#datatype" => self.table.datatype = record.to_vec(),
                "#default" => self.table.default = record.to_vec(),
                "#group" => {}
                other => return Err(broken(format!("it has the unknown annotation `{other}`"))),
            }
            return Ok(());
        }
        // An error in the midst of an answer may come as a table without annotations.
        if record.iter().any(|name| name == "error")
            && record.iter().any(|name| name == "reference")
        {
            let columns = record.len();
            self.table = Table { names: record.to_vec(), ..Table::default() };
            self.table.datatype = vec![String::new(); columns];
            return Ok(());
        }
        if self.table.datatype.is_empty() {
            let beginning: String = record.join(",").chars().take(80).collect();
            return Err(broken(format!("`{beginning}` is no annotated CSV")));
        }
        if record.len() != self.table.datatype.len() {
            return Err(broken(format!(
                "a line has {} columns where the table has {}",
                record.len(),
                self.table.datatype.len()
            )));
        }
        if self.table.names.is_empty() {
            self.table.names = record.to_vec();
            return Ok(());
        }
        // A table of errors has its message in a row like any other.
        let row = Row { table: &self.table, record };
        if let Some(message) = row.text("error") {
            return Err(query_error(message));
        }
        show(&row)
    }
}

fn query_error(message: &str) -> Error {
    Error::Query { message: message.chars().take(500).collect() }
}

impl Row<'_> {
    /// Returns a value as text, the default of its column where it is empty; `None` where it is
    /// null or there is no such column.
    pub fn text(&self, name: &str) -> Option<&str> {
        let at = self.table.names.iter().position(|column| column == name)?;
        let value = self.record.get(at).filter(|value| !value.is_empty());
        value.or(self.table.default.get(at)).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns a whole number.
    ///
    /// # Errors
    /// [`Error::Answer`] where it is null or no whole number.
    pub fn long(&self, name: &str) -> Result<i64, Error> {
        let text = self.required(name)?;
        text.parse().map_err(|_| broken(format!("column `{name}` has `{text}`, no whole number")))
    }

    /// Returns a time.
    ///
    /// # Errors
    /// [`Error::Answer`] where it is null, no RFC 3339 or before 1970.
    pub fn time(&self, name: &str) -> Result<Timestamp, Error> {
        let text = self.required(name)?;
        let time: Option<jiff::Timestamp> = text.parse().ok();
        time.and_then(|time| Timestamp::from_micros(time.as_microsecond()))
            .ok_or_else(|| broken(format!("column `{name}` has `{text}`, no time since 1970")))
    }

    fn required(&self, name: &str) -> Result<&str, Error> {
        self.text(name).ok_or_else(|| broken(format!("column `{name}` is null or missing")))
    }
}
