//! Annotated CSV as its published specification and API examples show it, cut up in every way.
//!
//! The examples are those of docs.influxdata.com ("Annotated CSV", "Query with the InfluxDB API").

use influx::{CsvReader, Error};

/// Feeds an answer in pieces of a length and returns `result table: column` of every row.
fn read(answer: &str, piece: usize, column: &str) -> Result<Vec<String>, Error> {
    let mut rows = Vec::new();
    let mut reader = CsvReader::default();
    for bytes in answer.as_bytes().chunks(piece) {
        reader.feed(bytes, |row| {
            let text = |name| row.text(name).unwrap_or("null");
            rows.push(format!("{} {}: {}", text("result"), text("table"), text(column)));
            Ok(())
        })?;
    }
    reader.finish().map(|()| rows)
}

#[track_caller]
fn check(answer: &str, column: &str, expect: &[&str]) {
    for answer in [answer.to_owned(), answer.replace('\n', "\r\n")] {
        for piece in [1, 2, 7, 64, 100_000] {
            let rows = read(&answer, piece, column).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(rows, expect, "in pieces of {piece}");
        }
    }
}

#[track_caller]
fn refused(answer: &str, expect: &str) {
    for piece in [1, 5, 100_000] {
        let error = read(answer, piece, "_value").expect_err("it is refused").to_string();
        assert!(error.contains(expect), "{error}");
    }
}

const TABLES: &str = "\
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,string,string,double
#group,false,false,true,true,false,true,false,false
#default,my-result,,,,,,,
,result,table,_start,_stop,_time,region,host,_value
,,0,2018-05-08T20:50:00Z,2018-05-08T20:51:00Z,2018-05-08T20:50:00Z,east,A,15.43
,,0,2018-05-08T20:50:00Z,2018-05-08T20:51:00Z,2018-05-08T20:50:20Z,east,B,59.25
,,0,2018-05-08T20:50:00Z,2018-05-08T20:51:00Z,2018-05-08T20:50:40Z,east,C,52.62
,,1,2018-05-08T20:50:00Z,2018-05-08T20:51:00Z,2018-05-08T20:50:00Z,west,A,62.73
,,1,2018-05-08T20:50:00Z,2018-05-08T20:51:00Z,2018-05-08T20:50:20Z,west,B,12.83
,,1,2018-05-08T20:50:00Z,2018-05-08T20:51:00Z,2018-05-08T20:50:40Z,west,C,51.62

";

const TWO_RESULTS: &str = "\
#datatype,string,long,dateTime:RFC3339,string,double
#group,false,false,false,true,false
#default,mean,,,,
,result,table,_time,location,_value
,,0,2022-01-01T00:00:00Z,\"bench, \"\"7\"\"
left\",1

#datatype,string,long,dateTime:RFC3339,string,long
#group,false,false,false,true,false
#default,count,,,nowhere,
,result,table,_time,location,_value
,,0,2022-01-01T00:00:00Z,,
,,0,2022-01-01T00:01:00Z,x,7

";

#[test]
fn tables_of_the_specification_are_read() {
    let expect = ["15.43", "59.25", "52.62"].map(|value| format!("my-result 0: {value}"));
    let other = ["62.73", "12.83", "51.62"].map(|value| format!("my-result 1: {value}"));
    let all: Vec<&str> = expect.iter().chain(&other).map(String::as_str).collect();
    check(TABLES, "_value", &all);
}

#[test]
fn results_have_schemas_of_their_own_and_nulls_are_nulls() {
    check(TWO_RESULTS, "_value", &["mean 0: 1", "count 0: null", "count 0: 7"]);
}

#[test]
fn defaults_and_quoted_line_breaks_are_values() {
    let rows = read(TWO_RESULTS, 3, "location").unwrap();
    assert_eq!(rows, ["mean 0: bench, \"7\"\nleft", "count 0: nowhere", "count 0: x"]);
}

#[test]
fn an_empty_answer_has_no_rows() {
    for answer in ["", "\r\n", "\n\n"] {
        assert_eq!(read(answer, 1, "_value").unwrap(), [""; 0]);
    }
}

#[test]
fn a_server_error_in_a_table_is_an_error() {
    refused(
        "#datatype,string,long\n,error,reference\n,Failed to parse query,897\n",
        "could not answer: Failed to parse query",
    );
    let late = format!(
        "{TABLES}#datatype,string,string\n#group,true,true\n#default,,\n\
        ,error,reference\n,\"runtime error: window, too many\",\n\n"
    );
    refused(&late, "runtime error: window, too many");
    let bare = format!("{TABLES}error,reference\nengine: context deadline exceeded,\n");
    refused(&bare, "context deadline exceeded");
}

#[test]
fn what_is_no_annotated_csv_is_an_error() {
    refused("<html><body>502 Bad Gateway</body></html>\n", "is no annotated CSV");
    refused("{\"code\":\"invalid\"}\n", "is no annotated CSV");
    refused(",result,table,_value\n,,0,1\n", "is no annotated CSV");
    refused("#nonsense,a\n", "unknown annotation");
    refused(&TABLES.replace(",west,A,62.73", ",west,A"), "has 8 columns where the table has 9");
}

/// The promise behind: an answer that was cut is never an answer with fewer rows. Only a cut at the
/// end of a whole line can't be seen here; the transport, which counts bytes, sees that one.
#[test]
fn an_answer_cut_in_a_line_is_an_error() {
    let whole = TABLES.replace('\n', "\r\n");
    for at in 1..whole.len() {
        let cut = &whole[..at];
        let result = read(cut, 11, "_value");
        let in_head = at < whole.find(",result").unwrap() + ",result".len();
        if !cut.ends_with('\n') || in_head {
            assert!(result.is_err(), "cut after {at} bytes: {result:?}");
        }
    }
}

#[test]
fn no_bytes_make_it_panic() {
    use proptest::prelude::*;
    let pieces = [
        "#datatype,",
        "#group,",
        "#default,",
        "long",
        "\n",
        "\r\n",
        ",",
        "\"",
        "error",
        "reference",
        "x",
        "苗",
        "#",
        "\0",
    ];
    let texts = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60);
    proptest!(|(texts in texts, piece in 1_usize..9)| {
        drop(read(&texts.concat(), piece, "_value"));
    });
}

#[test]
fn numbers_and_times_are_checked() {
    let head = "#datatype,string,long,dateTime:RFC3339Nano,long\n#default,_result,,,\n\
        ,result,table,_time,_value\n";
    let ask = |line: &str| {
        let mut found = Err(Error::TooLarge { bytes: 0 });
        let mut reader = CsvReader::default();
        reader.feed(format!("{head}{line}\n").as_bytes(), |row| {
            found = row.long("_value").and_then(|value| Ok((row.time("_time")?, value)));
            Ok(())
        })?;
        reader.finish()?;
        found.map(|(time, value)| (time.micros(), value))
    };
    assert_eq!(ask(",,0,2025-01-01T00:00:00.000001Z,-3").unwrap(), (1_735_689_600_000_001, -3));
    assert_eq!(ask(",,0,1970-01-01T00:00:00Z,9223372036854775807").unwrap().1, i64::MAX);
    for line in [
        ",,0,2025-01-01T00:00:00Z,1.5",
        ",,0,yesterday,1",
        ",,0,1969-12-31T23:59:59Z,1",
        ",,0,2025-01-01T00:00:00Z,",
        ",,0,,1",
    ] {
        assert!(ask(line).is_err(), "{line}");
    }
}
