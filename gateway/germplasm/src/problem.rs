//! What is wrong with a row or with a whole file, in both languages and with what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sheet::{COLUMNS_MAX, FILE_BYTES_MAX, ROWS_MAX};

/// A text in Chinese and English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Words {
    /// Puts the two texts together.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// What is wrong, or only odd, in one field of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The row as a spreadsheet counts: the header is row 1.
    pub row: u32,
    /// The column's name.
    pub field: String,
    /// The value, cut after [`crate::VALUE_CHARS_MAX`] characters.
    pub value: String,
    /// What is wrong.
    pub message: Words,
    /// What to do.
    pub remedy: Words,
}

/// Why a file can't be read as a table of accessions at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It has more than [`FILE_BYTES_MAX`] bytes.
    TooLarge(usize),
    /// It is a spreadsheet workbook or another packed file.
    Workbook,
    /// It is UTF-16.
    Utf16,
    /// It is not UTF-8.
    NotUtf8 {
        /// The offset of the first byte that is none, counted from 0.
        byte: usize,
        /// The row that it stands in.
        row: u32,
    },
    /// It has no header.
    Empty,
    /// It is parted by something else than commas.
    Separator(char),
    /// A quoted cell does not end, or text follows its end.
    Quote {
        /// The row that it begins in.
        row: u32,
    },
    /// It has more than [`ROWS_MAX`] rows.
    TooManyRows,
    /// A row has more than [`COLUMNS_MAX`] cells.
    TooManyColumns {
        /// The row.
        row: u32,
    },
    /// The header names a column twice.
    Twice(String),
    /// The header lacks columns that every accession needs.
    Missing(Vec<&'static str>),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message().en, self.remedy().en)
    }
}

impl FileError {
    /// Returns what is wrong.
    pub fn message(&self) -> Words {
        match self {
            Self::TooLarge(bytes) => Words::new(
                format!("文件有 {bytes} 字节,最多 {FILE_BYTES_MAX}"),
                format!("the file has {bytes} bytes, more than {FILE_BYTES_MAX}"),
            ),
            Self::Workbook => Words::new(
                "这是电子表格工作簿(xlsx、ods 等),不是 CSV",
                "the file is a spreadsheet workbook, not a CSV",
            ),
            Self::Utf16 => Words::new("文件是 UTF-16 编码", "the file is UTF-16"),
            Self::NotUtf8 { byte, row } => Words::new(
                format!("文件不是 UTF-8 编码:第 {row} 行,字节 {byte}"),
                format!("the file is not UTF-8: row {row}, byte {byte}"),
            ),
            Self::Empty => Words::new("文件是空的", "the file is empty"),
            Self::Separator(found) => {
                let (zh, en) =
                    if *found == '\t' { ("制表符", "tabs") } else { ("分号", "semicolons") };
                Words::new(
                    format!("各列以{zh}分隔,不是逗号"),
                    format!("the columns are parted by {en}, not by commas"),
                )
            }
            Self::Quote { row } => Words::new(
                format!("第 {row} 行有引号没有正确结束"),
                format!("a quoted cell of row {row} does not end as it should"),
            ),
            Self::TooManyRows => Words::new(
                format!("文件超过 {ROWS_MAX} 行"),
                format!("the file has more than {ROWS_MAX} rows"),
            ),
            Self::TooManyColumns { row } => Words::new(
                format!("第 {row} 行超过 {COLUMNS_MAX} 列"),
                format!("row {row} has more than {COLUMNS_MAX} columns"),
            ),
            Self::Twice(name) => Words::new(
                format!("表头中列 `{name}` 出现两次"),
                format!("the header has the column `{name}` twice"),
            ),
            Self::Missing(names) => Words::new(
                format!("表头缺少列 {}", names.join("、")),
                format!("the header has no column {}", names.join(", ")),
            ),
        }
    }

    /// Returns what to do.
    pub fn remedy(&self) -> Words {
        match self {
            Self::TooLarge(_) | Self::TooManyRows => Words::new(
                "请分成几个文件,每个都带表头",
                "split it into several files, each with the header",
            ),
            Self::Workbook | Self::Utf16 | Self::NotUtf8 { .. } => Words::new(
                "请在电子表格中另存为“CSV UTF-8(逗号分隔)”",
                "save it as UTF-8: in a spreadsheet, save as \"CSV UTF-8 (comma delimited)\"",
            ),
            Self::Separator(_) => {
                Words::new("请另存为逗号分隔的 CSV", "save it as CSV that is parted by commas")
            }
            Self::Empty | Self::Missing(_) => Words::new(
                "第一行须是 MCPD v2.1 的列名,至少 INSTCODE、ACCENUMB、GENUS",
                "the first row must hold the column names of MCPD v2.1, at least INSTCODE, ACCENUMB and GENUS",
            ),
            Self::Quote { .. } => Words::new(
                "单元格中的引号须写成两个,整格再用引号括起",
                "write a quotation mark inside a cell twice, and quote the whole cell",
            ),
            Self::TooManyColumns { .. } => {
                Words::new("请删去多余的列", "remove the columns that are too many")
            }
            Self::Twice(_) => {
                Words::new("请删去或改名其中一列", "remove one of the two columns or rename it")
            }
        }
    }
}
