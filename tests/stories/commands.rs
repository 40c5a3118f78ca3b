//! The commands: what is wrong is named with its key, value and remedy, and the exit code says which
//! kind of fault it was.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use harness::{Works, binary, run};

pub(crate) fn tell() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let works = Works::build(folder.path())?;
    let data = works.data.to_string_lossy().into_owned();
    let data = data.as_str();
    let write = |name: &str, text: &str| -> Result<String> {
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path.to_string_lossy().into_owned())
    };

    check(&["--speed", "0"], 64, &["--speed", "0"])?;
    check(&["export", "--data", data], 64, &["--from"])?;
    check(&["--fault", "house=9,kind=none"], 64, &["none"])?;
    let config = write("bad.toml", "dta = 1\n[http]\nlisten = \"here\"\n")?;
    check(&["check", "--config", &config], 78, &["dta", "data: is required", "http.listen"])?;
    check(&["serve", "--config", &config], 78, &["3 faults"])?;
    check(&["check", "--config", "absent.toml"], 78, &["absent.toml"])?;
    let plan = write("bad-plan.toml", "[[zone]]\nsite = \"x\"\nid = \"A\"\n[[zoo]]\n")?;
    check(&["apply", "--data", data, &plan], 65, &["zoo", "zone `A`"])?;
    let nobody =
        ["node", "add", "--data", data, "--site", "works", "--node", "n", "--zone", "none"];
    check(&nobody, 65, &["none"])?;
    let recording = write(
        "bad.csv",
        "time,site,node,quantity,position,unit,value\n2025-01-01T00:00:00Z,works,bench,co2,c,%,3\n",
    )?;
    let credentials = works.credentials.to_string_lossy().into_owned();
    let replay = ["replay", &recording, "--mqtt", "127.0.0.1:9", "--credentials", &credentials];
    check(&replay, 65, &["line 2", "unit `%`", "[ppm]"])?;
    let before = ["export", "--data", data, "--from", "2026-01-02T00:00:00Z", "--to"];
    let export = [&before[..], &["2026-01-01T00:00:00Z", "-o", "x.csv"]].concat();
    check(&export, 64, &["must come before"])?;
    check(
        &["token", "new", "--data", "nowhere", "--name", "t", "--role", "viewer"],
        69,
        &["nowhere"],
    )?;

    applies_twice(&works, folder.path())?;
    explains_what_it_reads(folder.path())
}

#[track_caller]
fn check(arguments: &[&str], code: i32, names: &[&str]) -> Result<()> {
    let output = Command::new(binary()?).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{arguments:?}: {}: {said}", output.status);
    for name in names {
        ensure!(said.contains(name), "{arguments:?} does not name `{name}`: {said}");
    }
    Ok(())
}

fn applies_twice(works: &Works, folder: &Path) -> Result<()> {
    let plan = folder.join("plan.toml");
    let said = run(Command::new(binary()?).args(["apply", "--data"]).arg(&works.data).arg(plan))?;
    ensure!(said.trim() == "2 unchanged", "applied once more: {said}");
    Ok(())
}

fn explains_what_it_reads(folder: &Path) -> Result<()> {
    let explained = run(Command::new(binary()?).args(["check", "--explain"]))?;
    let config = folder.join("explained.toml");
    fs::write(&config, explained)?;
    run(Command::new(binary()?).args(["check", "--config"]).arg(&config))
        .map(drop)
        .context("what `check --explain` prints is no configuration")
}
