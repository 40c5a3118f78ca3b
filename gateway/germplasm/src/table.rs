//! CSV as RFC 4180 has it, row by row as a spreadsheet counts them.
//!
//! The `csv` crate skips blank lines without counting them and lets a quote that never ends swallow
//! the rest of the file; here every fault names its row, so neither will do. A test holds this reader
//! against that crate.

use crate::FileError;
use crate::sheet::COLUMNS_MAX;

/// The rows of a text, each with its number, the first being 1.
pub(crate) struct Rows<'a> {
    rest: &'a str,
    row: u32,
}

/// What stands behind a cell.
enum End {
    Comma,
    Row,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, row: 0 }
    }

    fn row(&mut self) -> Result<Vec<String>, FileError> {
        let mut cells = Vec::new();
        loop {
            let (cell, end) = self.cell()?;
            if cells.len() == COLUMNS_MAX {
                return Err(FileError::TooManyColumns { row: self.row });
            }
            cells.push(cell);
            if matches!(end, End::Row) {
                return Ok(cells);
            }
        }
    }

    fn cell(&mut self) -> Result<(String, End), FileError> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\n', '\r']).unwrap_or(self.rest.len());
            let (cell, rest) = self.rest.split_at(end);
            self.rest = rest;
            let end = self.end().unwrap_or(End::Row);
            return Ok((cell.to_owned(), end));
        };
        let fault = FileError::Quote { row: self.row };
        let mut cell = String::new();
        let mut rest = quoted;
        loop {
            let (part, behind) = rest.split_once('"').ok_or_else(|| fault.clone())?;
            cell.push_str(part);
            match behind.strip_prefix('"') {
                Some(more) => {
                    cell.push('"');
                    rest = more;
                }
                None => {
                    self.rest = behind;
                    return self.end().map(|end| (cell, end)).ok_or(fault);
                }
            }
        }
    }

    /// Takes what ends a cell; `None` where something else stands there.
    fn end(&mut self) -> Option<End> {
        for (mark, end) in
            [(",", End::Comma), ("\r\n", End::Row), ("\n", End::Row), ("\r", End::Row)]
        {
            if let Some(rest) = self.rest.strip_prefix(mark) {
                self.rest = rest;
                return Some(end);
            }
        }
        self.rest.is_empty().then_some(End::Row)
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<(u32, Vec<String>), FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.row = self.row.saturating_add(1);
        let cells = self.row();
        if cells.is_err() {
            self.rest = "";
        }
        Some(cells.map(|cells| (self.row, cells)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(u32, &[&str])]) {
        let rows: Vec<_> = Rows::new(text).map(Result::unwrap).collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(row, cells)| (*row, cells.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()))
            .collect();
        assert_eq!(rows, expect);
    }

    #[test]
    fn rows_end_as_any_system_ends_them() {
        check("a,b\nc,d", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        check("a,b\r\nc,d\r\n", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        check("a,b\rc,\r", &[(1, &["a", "b"]), (2, &["c", ""])]);
        check("a,", &[(1, &["a", ""])]);
        check("", &[]);
    }

    #[test]
    fn a_blank_row_counts_and_a_quoted_newline_does_not() {
        check("a\n\n\"b\nb\",c\nd", &[(1, &["a"]), (2, &[""]), (3, &["b\nb", "c"]), (4, &["d"])]);
    }

    #[test]
    fn quotes_are_doubled_inside_quotes_and_plain_elsewhere() {
        check("\"a \"\"b\"\", c\",5\" pot", &[(1, &["a \"b\", c", "5\" pot"])]);
    }

    #[test]
    fn a_quote_that_does_not_end_is_told_by_its_row() {
        let fault = |text| Rows::new(text).find_map(Result::err);
        assert_eq!(fault("a\n\"b\nc\nd"), Some(FileError::Quote { row: 2 }));
        assert_eq!(fault("a\nb\n\"c\"d,e"), Some(FileError::Quote { row: 3 }));
        let wide = format!("a\n{}", ",".repeat(COLUMNS_MAX));
        assert_eq!(fault(&wide), Some(FileError::TooManyColumns { row: 2 }));
        assert_eq!(Rows::new("\"a\nb").count(), 1);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a,\"\r\n é]{0,40}|.{0,40}") {
            prop_assert!(Rows::new(&text).count() <= text.len());
        }

        #[test]
        fn it_reads_what_the_csv_crate_writes(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n é]{0,6}", 2..5), 0..6),
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let read: Vec<_> = Rows::new(&text).map(|row| row.unwrap().1).collect();
            prop_assert_eq!(read, rows);
        }
    }
}
