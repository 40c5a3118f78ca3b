//! A file of accessions: what can be kept of it, what is wrong with it, and what is odd.

use std::collections::HashMap;

use crate::check::{check, fault, words_of_missing};
use crate::table::Rows;
use crate::{Fault, Field, FileError, Passport, Words};

/// The largest file, in bytes; a larger one is refused.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// The most rows of a file, without its header and blank ones; a file with more is refused.
pub const ROWS_MAX: usize = 100_000;
/// The most columns of a file; a file with more is refused.
pub const COLUMNS_MAX: usize = 256;
/// The most faults, and the most hints, that are told; what is more is only counted.
pub const FAULTS_MAX: usize = 50_000;
/// How many characters of a value a fault shows.
pub const VALUE_CHARS_MAX: usize = 100;

/// A file of accessions as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The descriptors that the file has a column for. Those that it hasn't are left as they are kept.
    pub fields: Vec<Field>,
    /// The columns that MCPD does not know, by their name; they are kept too.
    pub extra: Vec<String>,
    /// The rows without a fault, in their order.
    pub rows: Vec<Row>,
    /// How many rows there are, without the header and blank ones.
    pub count: u32,
    /// How many of them have a fault.
    pub faulty: u32,
    /// What is wrong, by row: the first [`FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// What is odd but kept, by row: the first [`FAULTS_MAX`].
    pub hints: Vec<Fault>,
}

/// A row that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row as a spreadsheet counts: the header is row 1.
    pub number: u32,
    /// Its cells, those of the columns that the file has.
    pub passport: Passport,
}

/// A column of the file.
enum Column {
    Known(Field),
    Extra(String),
    Nameless,
}

/// Reads an MCPD CSV and checks every row.
///
/// # Errors
/// Where the file is no such table at all; what is wrong with rows stands in the sheet.
pub fn read(bytes: &[u8]) -> Result<Sheet, FileError> {
    let text = decode(bytes)?;
    let mut rows = Rows::new(text);
    let (_, header) = rows.next().ok_or(FileError::Empty)??;
    let mut sheet = Sheet::default();
    let columns = columns(&header, &mut sheet)?;
    let mut first: HashMap<String, u32> = HashMap::new();
    for row in rows {
        let (number, cells) = row?;
        if cells.iter().all(|it| it.trim().is_empty()) {
            continue;
        }
        if sheet.count as usize == ROWS_MAX {
            return Err(FileError::TooManyRows);
        }
        sheet.count += 1;
        let mut faults = Vec::new();
        let passport = passport(number, cells, &columns, &mut faults, &mut sheet.hints);
        check(number, &passport, &mut faults, &mut sheet.hints);
        faults.extend(twice(number, &passport, &mut first));
        sheet.hints.truncate(FAULTS_MAX);
        if faults.is_empty() {
            sheet.rows.push(Row { number, passport });
        } else {
            sheet.faulty += 1;
            sheet.faults.extend(faults);
            sheet.faults.truncate(FAULTS_MAX);
        }
    }
    Ok(sheet)
}

fn decode(bytes: &[u8]) -> Result<&str, FileError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(FileError::TooLarge(bytes.len()));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(FileError::Workbook);
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(FileError::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let byte = error.valid_up_to();
        // A letter stands in for the byte, so that the row it is in has begun.
        let before = bytes.get(..byte).and_then(|it| std::str::from_utf8(it).ok());
        let before = format!("{}x", before.unwrap_or_default());
        let row =
            Rows::new(&before).filter_map(|it| it.map(|(row, _)| row).map_or_else(row_of, Some));
        FileError::NotUtf8 { byte, row: row.last().unwrap_or(1) }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Returns the row that a fault of the table names.
fn row_of(error: FileError) -> Option<u32> {
    match error {
        FileError::Quote { row } | FileError::TooManyColumns { row } => Some(row),
        _ => None,
    }
}

fn columns(header: &[String], sheet: &mut Sheet) -> Result<Vec<Column>, FileError> {
    if let [only] = header
        && let Some(separator) = [';', '\t'].into_iter().find(|it| only.contains(*it))
    {
        return Err(FileError::Separator(separator));
    }
    let mut columns = Vec::new();
    for name in header {
        let name = name.trim();
        let twice = || FileError::Twice(name.to_owned());
        columns.push(match Field::of_code(name) {
            Some(field) if sheet.fields.contains(&field) => return Err(twice()),
            Some(field) => {
                sheet.fields.push(field);
                Column::Known(field)
            }
            None if name.is_empty() => Column::Nameless,
            None if sheet.extra.iter().any(|it| it == name) => return Err(twice()),
            None => {
                sheet.extra.push(name.to_owned());
                sheet.hints.push(unknown_column(name));
                Column::Extra(name.to_owned())
            }
        });
    }
    let required = [Field::InstCode, Field::AcceNumb, Field::Genus];
    let missing: Vec<_> =
        required.iter().filter(|it| !sheet.fields.contains(it)).map(|it| it.code()).collect();
    if missing.is_empty() { Ok(columns) } else { Err(FileError::Missing(missing)) }
}

fn unknown_column(name: &str) -> Fault {
    fault(
        1,
        name,
        name,
        Words::new("这一列不是 MCPD v2.1 的描述符", "the column is no descriptor of MCPD v2.1"),
        Words::new(
            "原样保存并导出;若列名写错,请改正后再导入",
            "it is kept and exported as it is; where the name is misspelled, correct it and import again",
        ),
    )
}

/// Puts the cells of a row under their columns.
fn passport(
    row: u32,
    cells: Vec<String>,
    columns: &[Column],
    faults: &mut Vec<Fault>,
    hints: &mut Vec<Fault>,
) -> Passport {
    let mut passport = Passport::default();
    let (found, expected) = (cells.len(), columns.len());
    if found < expected {
        hints.push(fault(
            row,
            "",
            "",
            Words::new(
                format!("该行有 {found} 格,表头有 {expected} 列"),
                format!("the row has {found} cells, the header {expected} columns"),
            ),
            Words::new("缺少的格按空格处理", "the cells that are missing count as empty"),
        ));
    }
    for (index, cell) in cells.into_iter().enumerate() {
        match columns.get(index) {
            Some(Column::Known(field)) => passport.set(*field, cell),
            Some(Column::Extra(name)) => passport.set_extra(name, cell),
            Some(Column::Nameless) | None if cell.trim().is_empty() => {}
            Some(Column::Nameless) | None => faults.push(fault(
                row,
                &format!("#{}", index + 1),
                &cell,
                Words::new("这一格上方没有列名", "no column name stands above this cell"),
                Words::new(
                    "请补上列名,或删去这一格;也可能是前面的格里有未加引号的逗号",
                    "name the column or clear the cell; a comma before it may lack its quotation marks",
                ),
            )),
        }
    }
    passport
}

/// Returns a fault where the accession stood in an earlier row.
fn twice(row: u32, passport: &Passport, first: &mut HashMap<String, u32>) -> Option<Fault> {
    let (institute, number) = (passport.get(Field::InstCode), passport.get(Field::AcceNumb));
    if institute.is_empty() || number.is_empty() {
        return None;
    }
    let earlier = *first.entry(passport.key()).or_insert(row);
    (earlier != row).then(|| {
        fault(
            row,
            Field::AcceNumb.code(),
            number,
            Words::new(
                format!("{institute} 的这个编号已在第 {earlier} 行出现"),
                format!("this number of {institute} stands in row {earlier} already"),
            ),
            words_of_missing(Field::AcceNumb),
        )
    })
}
