//! Accessions by their passport: MCPD v2.1, partial dates, and what is wrong with a row. Pure.
//!
//! Every cell is kept as the text that stands in the file, so that what is exported is what was
//! imported. What a cell means is read from that text whenever it is asked for. Keeping accessions is
//! `registry`'s, files are the caller's.
//!
//! MCPD is FAO/Bioversity Multi-Crop Passport Descriptors V.2.1 (Alercia, Diulgheroff and Mackay,
//! 2015), <https://hdl.handle.net/10568/69166>.

mod check;
mod code;
mod date;
mod field;
mod passport;
mod place;
mod problem;
mod sheet;
mod table;
mod write;

pub use code::meaning;
pub use date::PartialDate;
pub use field::Field;
pub use passport::{CELL_CHARS_MAX, NUMBER_CHARS_MAX, Passport};
pub use place::{latitude, longitude};
pub use problem::{Fault, FileError, Words};
pub use sheet::{
    COLUMNS_MAX, FAULTS_MAX, FILE_BYTES_MAX, ROWS_MAX, Row, Sheet, VALUE_CHARS_MAX, read,
};
pub use write::write;
