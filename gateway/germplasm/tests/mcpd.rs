//! What is promised of reading and writing accessions: every fault by row and field, nothing lost.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on stops")]

use std::path::Path;

use germplasm::{
    COLUMNS_MAX, FILE_BYTES_MAX, Fault, Field, FileError, Passport, ROWS_MAX, read, write,
};
use proptest::prelude::*;

/// A public file of 2,010 rows, read where it lies and never copied.
const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/data/germinate-templates/germplasm/example-germplasm-mcpd.csv"
);

/// One row under the header of the wanted columns, beside what every row needs.
fn sheet(columns: &[(&str, &str)]) -> germplasm::Sheet {
    let names = columns.iter().map(|(name, _)| *name);
    let header: Vec<_> = ["INSTCODE", "ACCENUMB", "GENUS"].into_iter().chain(names).collect();
    let cells = columns.iter().map(|(_, cell)| *cell);
    let cells: Vec<_> = ["CHN999", "NC-1", "Camellia"].into_iter().chain(cells).collect();
    read(format!("{}\n{}\n", header.join(","), cells.join(",")).as_bytes()).unwrap()
}

fn told(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|it| format!("{} {} {}", it.row, it.field, it.value)).collect()
}

#[track_caller]
fn faulty(column: &str, values: &[&str]) {
    for value in values {
        let found = sheet(&[(column, value)]);
        assert_eq!(told(&found.faults), [format!("2 {column} {value}")]);
        assert!(found.rows.is_empty() && found.faulty == 1);
        let fault = &found.faults[0];
        for text in [&fault.message.zh, &fault.message.en, &fault.remedy.zh, &fault.remedy.en] {
            assert!(!text.is_empty());
        }
    }
}

#[track_caller]
fn sound(column: &str, values: &[&str]) {
    for value in values {
        let found = sheet(&[(column, value)]);
        assert_eq!(told(&found.faults), [""; 0], "{value}");
        assert_eq!(found.rows[0].passport.get(column.parse().unwrap()), *value);
    }
}

#[track_caller]
fn hinted(columns: &[(&str, &str)], expect: &[&str]) {
    let found = sheet(columns);
    assert_eq!(told(&found.faults), [""; 0]);
    let fields: Vec<_> = found.hints.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, expect, "{columns:?}");
}

#[test]
fn the_public_example_has_twelve_faulty_rows_and_loses_nothing_else() {
    if !Path::new(EXAMPLE).exists() {
        eprintln!("SKIPPED: {EXAMPLE} is absent, so the public MCPD example was not read");
        return;
    }
    let sheet = read(&std::fs::read(EXAMPLE).unwrap()).unwrap();
    assert_eq!((sheet.count, sheet.faulty, sheet.rows.len()), (2_010, 12, 1_998));
    assert_eq!((sheet.fields.len(), sheet.extra.len()), (41, 2));
    let (place, rest): (Vec<_>, Vec<_>) = sheet.faults.iter().partition(|it| it.row < 2_000);
    let place: Vec<_> = place.into_iter().cloned().collect();
    assert_eq!(
        told(&place),
        ["2 LATITUDE 261060N", "2 LONGITUDE 0914360E", "8 LONGITUDE 0772560E"]
    );
    assert!(place.iter().all(|it| it.message.en.contains("seconds above 59")));
    let without_institute: Vec<_> =
        rest.iter().filter(|it| it.field == "INSTCODE").map(|it| it.row).collect();
    assert_eq!(without_institute, (2_002..=2_011).collect::<Vec<_>>());

    let mut text = Vec::new();
    write(sheet.rows.iter().map(|it| &it.passport), &mut text).unwrap();
    let again = read(&text).unwrap();
    let passports = |sheet: &germplasm::Sheet| {
        sheet.rows.iter().map(|it| it.passport.clone()).collect::<Vec<_>>()
    };
    assert_eq!(passports(&again), passports(&sheet));
    assert_eq!(again.faulty, 0);
}

#[test]
fn what_every_accession_needs_is_asked_for() {
    let text = "INSTCODE,ACCENUMB,GENUS,REMARKS\n,,,x\nCHN999,A,Oryza,\n , ,\t,y\n";
    let sheet = read(text.as_bytes()).unwrap();
    assert_eq!((sheet.count, sheet.faulty), (3, 2));
    let fields: Vec<_> = sheet.faults.iter().map(|it| (it.row, it.field.as_str())).collect();
    let expect = |row| [(row, "INSTCODE"), (row, "ACCENUMB"), (row, "GENUS")];
    assert_eq!(fields, [expect(2), expect(4)].concat());
}

#[test]
fn an_accession_stands_once_in_a_file() {
    let text = "INSTCODE,ACCENUMB,GENUS\nCHN999,A,Oryza\nCHN998,A,Oryza\n\nCHN999,A,Camellia\n";
    let sheet = read(text.as_bytes()).unwrap();
    assert_eq!(told(&sheet.faults), ["5 ACCENUMB A"]);
    assert!(sheet.faults[0].message.en.contains("row 2"));
    assert_eq!(sheet.rows.len(), 2);
}

#[test]
fn codes_are_those_of_the_lists() {
    sound("SAMPSTAT", &["100", "300", "423", "600", "999"]);
    faulty("SAMPSTAT", &["301", "wild", "100;300", " 100"]);
    sound("COLLSRC", &["11", "62", "99"]);
    faulty("COLLSRC", &["29", "110"]);
    sound("STORAGE", &["10", "13;20", "99"]);
    faulty("STORAGE", &["14", "13 20"]);
    assert_eq!(told(&sheet(&[("STORAGE", "13;21;20")]).faults), ["2 STORAGE 21"]);
    sound("MLSSTAT", &["0", "1", "99"]);
    faulty("MLSSTAT", &["2", "yes"]);
}

#[test]
fn institutes_and_countries_have_their_shape() {
    sound("DONORCODE", &["CHN001", "MEX2011"]);
    faulty("DONORCODE", &["CHN01", "chn001", "CH0001", "CHN00001", "南川001"]);
    sound("DUPLSITE", &["NLD037;CHN001"]);
    assert_eq!(told(&sheet(&[("DUPLSITE", "NLD037;nowhere")]).faults), ["2 DUPLSITE nowhere"]);
    sound("ORIGCTY", &["CHN", "SUN"]);
    faulty("ORIGCTY", &["CN", "China", "chn", "中国人"]);
}

#[test]
fn dates_may_be_partial_but_not_impossible() {
    sound("COLLDATE", &["19591120", "1959----", "19591100", "195911--"]);
    faulty("COLLDATE", &["1959", "1959-11-20", "19591320", "19590230", "1959--20"]);
    faulty("ACQDATE", &["20.11.1959"]);
}

#[test]
fn places_lie_on_earth() {
    sound("LATITUDE", &["290954N", "2909--N", "29----N", "900000S"]);
    faulty("LATITUDE", &["261060N", "266000N", "910000N", "290954E", "29.1"]);
    sound("LONGITUDE", &["1070605E", "107----E"]);
    faulty("LONGITUDE", &["0914360E", "107060E", "1810000W"]);
    sound("DECLATITUDE", &["29.165", "-90"]);
    faulty("DECLATITUDE", &["91", "29°", "1e1", "NaN"]);
    faulty("DECLONGITUDE", &["180.1", "107 E"]);
    sound("ELEVATION", &["-154", "1681.9605713"]);
    faulty("ELEVATION", &["9001", "1200 m"]);
    faulty("COORDUNCERT", &["-1", "near"]);
}

#[test]
fn what_is_odd_is_kept_and_told() {
    let datum = ("COORDDATUM", "WGS84");
    hinted(&[("DECLATITUDE", "29.1"), ("DECLONGITUDE", "107.1"), datum], &[]);
    hinted(&[("DECLATITUDE", "29.1"), ("DECLONGITUDE", "107.1")], &["DECLATITUDE"]);
    hinted(
        &[("DECLATITUDE", "29.1"), ("DECLONGITUDE", "107.1"), ("COORDDATUM", "gcj02")],
        &["COORDDATUM"],
    );
    hinted(&[("LATITUDE", "2909--N"), datum], &["LATITUDE"]);
    hinted(
        &[
            ("DECLATITUDE", "29.5"),
            ("LATITUDE", "290954N"),
            ("DECLONGITUDE", "107.1"),
            ("LONGITUDE", "1070600E"),
            datum,
        ],
        &["DECLATITUDE"],
    );
    hinted(&[("COLLCODE", "CHN001"), ("COLLNAME", "Tea institute")], &["COLLNAME"]);
    hinted(&[("COLLNAME", "Tea institute")], &[]);
    hinted(&[("SPECIES", "Sinensis")], &["SPECIES"]);
    hinted(&[("ACCENAME", "dashucha")], &["ACCENAME"]);
    hinted(&[("ACCENAME", "大树茶; 古茶")], &["ACCENAME"]);
    hinted(&[("OTHERNUMB", "1000456")], &["OTHERNUMB"]);
    hinted(&[("OTHERNUMB", ":1000456;CHN001:7")], &[]);
    hinted(&[("SAMPSTAT", "999")], &["SAMPSTAT"]);
    hinted(&[("SAMPSTAT", "999"), ("REMARKS", "SAMPSTAT:escaped tea")], &[]);
}

#[test]
fn columns_that_the_standard_does_not_know_are_kept() {
    let found = sheet(&[("Entity type", "Accession"), ("origcty", "CHN")]);
    assert_eq!(told(&found.hints), ["1 Entity type Entity type"]);
    assert_eq!(found.rows[0].passport.extra()["Entity type"], "Accession");
    assert_eq!(found.rows[0].passport.get(Field::OrigCty), "CHN");
}

#[test]
fn a_row_of_another_length_is_told() {
    let text = "INSTCODE,ACCENUMB,GENUS,REMARKS,\nCHN999,A,Oryza\nCHN999,B,Oryza,x,,\n\
                CHN999,C,Oryza,two, words\n";
    let sheet = read(text.as_bytes()).unwrap();
    assert_eq!(told(&sheet.hints), ["2  "]);
    assert_eq!(told(&sheet.faults), ["4 #5  words"]);
    assert_eq!(sheet.rows.len(), 2);
}

#[test]
fn rows_are_counted_as_a_spreadsheet_counts_them() {
    let text = "\u{feff}INSTCODE,ACCENUMB,GENUS,REMARKS\r\nCHN999,A,Oryza,\"two\r\nlines\"\r\n\r\n\
                ,,,\r\nCHN999,B,Oryza,\r\nCHN999,B,Oryza,\r\n";
    let sheet = read(text.as_bytes()).unwrap();
    assert_eq!(sheet.rows.iter().map(|it| it.number).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(sheet.rows[0].passport.get(Field::Remarks), "two\r\nlines");
    assert_eq!(told(&sheet.faults), ["6 ACCENUMB B"]);
}

#[track_caller]
fn refused(bytes: &[u8], expect: FileError) {
    let error = read(bytes).unwrap_err();
    assert_eq!(error, expect);
    assert!(!error.message().zh.is_empty() && !error.remedy().zh.is_empty());
    assert!(error.to_string().contains(&error.remedy().en));
}

#[test]
fn a_file_that_is_no_such_table_is_refused_with_what_to_do() {
    refused(b"", FileError::Empty);
    refused(b"\xef\xbb\xbf", FileError::Empty);
    refused(b"PK\x03\x04rest", FileError::Workbook);
    refused(b"\xff\xfeI\0", FileError::Utf16);
    // "南" in GBK, in the third row.
    let mut gbk = b"INSTCODE,ACCENUMB,GENUS\n\"a\nb\",,\nCHN999,".to_vec();
    gbk.extend([0xc4, 0xcf]);
    refused(&gbk, FileError::NotUtf8 { byte: 39, row: 3 });
    refused(b"INSTCODE;ACCENUMB;GENUS\n", FileError::Separator(';'));
    refused(b"INSTCODE\tACCENUMB\tGENUS\n", FileError::Separator('\t'));
    refused(b"INSTCODE,ACCENUMB,GENUS,instcode\n", FileError::Twice("instcode".into()));
    refused(b"INSTCODE,x,x,ACCENUMB,GENUS\n", FileError::Twice("x".into()));
    refused(b"INSTCODE,NUMBER\n", FileError::Missing(vec!["ACCENUMB", "GENUS"]));
    refused(b"INSTCODE,ACCENUMB,GENUS\nCHN999,\"A,Oryza\n", FileError::Quote { row: 2 });
    let wide = format!("INSTCODE,ACCENUMB,GENUS\n{}", ",".repeat(COLUMNS_MAX));
    refused(wide.as_bytes(), FileError::TooManyColumns { row: 2 });
    let large = vec![b'\n'; FILE_BYTES_MAX + 1];
    refused(&large, FileError::TooLarge(FILE_BYTES_MAX + 1));
    let long = format!("INSTCODE,ACCENUMB,GENUS\n{}", "a,b,c\n".repeat(ROWS_MAX + 1));
    refused(long.as_bytes(), FileError::TooManyRows);
}

fn cell() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 ,;:\"\n\ré南茶-]{0,12}"
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).map_or(true, |sheet| sheet.rows.is_empty()));
    }

    #[test]
    fn no_cells_panic(cells in prop::collection::vec((0_usize..41, cell()), 0..12)) {
        let mut passport = Passport::default();
        for (field, value) in cells {
            passport.set(Field::ALL[field], value);
        }
        let mut text = Vec::new();
        write([&passport], &mut text).unwrap();
        let sheet = read(&text).unwrap();
        prop_assert_eq!(sheet.faulty as usize + sheet.rows.len(), sheet.count as usize);
    }

    #[test]
    fn what_was_imported_is_exported_with_identical_cells(
        texts in prop::collection::vec(prop::collection::vec(cell(), 8), 1..5),
    ) {
        let free = [
            Field::Puid, Field::CollNumb, Field::CollSite, Field::Ancest, Field::Remarks,
            Field::AcceName, Field::OtherNumb,
        ];
        let passport = |(index, cells): (usize, &Vec<String>)| {
            let mut passport = Passport::default();
            passport.set(Field::InstCode, "CHN999");
            passport.set(Field::AcceNumb, format!("NC-{index}"));
            passport.set(Field::Genus, "Oryza");
            for (field, cell) in free.iter().zip(cells) {
                passport.set(*field, cell.as_str());
            }
            passport.set_extra("苗圃", cells[7].as_str());
            passport
        };
        let passports: Vec<_> = texts.iter().enumerate().map(passport).collect();
        let mut text = Vec::new();
        write(&passports, &mut text).unwrap();
        let sheet = read(&text).unwrap();
        prop_assert_eq!(sheet.faults, vec![]);
        let read: Vec<_> = sheet.rows.into_iter().map(|it| it.passport).collect();
        prop_assert_eq!(read, passports);
    }
}
