//! A public passport file of 2,010 accessions: nothing of it is kept where a row is faulty, or all but
//! the faulty rows, as asked; every fault is named, and what was kept comes out as it went in.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use harness::{Works, binary, repository, run};

const EXAMPLE: &str = "../shared/data/germinate-templates/germplasm/example-germplasm-mcpd.csv";
const ROWS: usize = 2_010;
/// Ten rows without an institute, and rows 2 and 8 with 60 seconds of arc in a coordinate.
const FAULTY: usize = 12;
const DESCRIPTORS: usize = 41;

pub(crate) fn tell() -> Result<()> {
    let file = repository().join(EXAMPLE);
    if !file.is_file() {
        println!("SKIPPED: the public MCPD example is not beside this repository");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let out = folder.path().join("out.csv");

    let refused = import(&works, &file, &[])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(65), "refused with {}: {said}", refused.status);
    for named in [
        ("row 2", "LATITUDE", "261060N"),
        ("row 2", "LONGITUDE", "0914360E"),
        ("row 8", "LONGITUDE", "0772560E"),
    ] {
        let (row, field, value) = named;
        let found = said
            .lines()
            .any(|line| line.contains(row) && line.contains(field) && line.contains(value));
        ensure!(found, "no line names {named:?}: {said}");
    }
    let without =
        said.lines().filter(|it| it.starts_with("row ") && it.contains(", INSTCODE,")).count();
    ensure!(without == FAULTY - 2, "{without} rows without INSTCODE are named: {said}");
    ensure!(kept(&works, &out)?.is_empty(), "something of a refused file was kept");

    let skipped = import(&works, &file, &["--skip-faulty"])?;
    let said = String::from_utf8_lossy(&skipped.stderr);
    ensure!(skipped.status.success(), "skipping ended with {}: {said}", skipped.status);
    let kept = kept(&works, &out)?;
    ensure!(kept.len() == ROWS - FAULTY, "{} accessions were kept", kept.len());
    let given = cells(&file)?;
    for (key, row) in &kept {
        ensure!(given.get(key) == Some(row), "{key:?} came out as {row:?}");
    }
    Ok(())
}

fn import(works: &Works, file: &Path, more: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(["germplasm", "import", "--data"]).arg(&works.data).args(more).arg(file);
    command.output().context("cannot start the import")
}

/// Returns what the gateway keeps, as it exports it.
fn kept(works: &Works, out: &Path) -> Result<BTreeMap<(String, String), Vec<String>>> {
    let mut command = Command::new(binary()?);
    run(command.args(["germplasm", "export", "--data"]).arg(&works.data).arg("-o").arg(out))?;
    cells(out)
}

/// Reads the descriptors of a passport file by institute and number.
fn cells(file: &Path) -> Result<BTreeMap<(String, String), Vec<String>>> {
    let mut reader = csv::Reader::from_path(file)?;
    let columns: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let at = |name: &str| columns.iter().position(|column| column == name);
    let (institute, number) = at("INSTCODE").zip(at("ACCENUMB")).context("no key in the header")?;
    let mut rows = BTreeMap::new();
    for row in reader.records() {
        let row = row?;
        let key = (row[institute].to_owned(), row[number].to_owned());
        rows.insert(key, row.iter().take(DESCRIPTORS).map(str::to_owned).collect());
    }
    Ok(rows)
}
