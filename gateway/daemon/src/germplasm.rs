//! `miaopu germplasm import|export`: accessions in and out of MCPD v2.1 files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;

use ::germplasm::{FILE_BYTES_MAX, Fault, Sheet};
use indicatif::{ProgressBar, ProgressStyle};
use people::Actor;
use registry::{Faulty, Imported};

use crate::cli::{GermplasmExportArgs, GermplasmImportArgs};
use crate::clock::Clock;
use crate::commands::{open_existing_registry, open_registry};
use crate::failure::{Failure, OrFail};

/// How long an import runs before it shows how far it is, in milliseconds.
const QUIET_MS: i64 = 2_000;

/// Imports a file: all of it, all but its faulty rows, or nothing; names every fault.
pub(crate) fn import(arguments: &GermplasmImportArgs) -> Result<(), Failure> {
    let file = arguments.file.display();
    let bytes = read(&arguments.file).or_unavailable(format!("cannot read `{file}`"))?;
    let sheet = ::germplasm::read(&bytes).or_data(format!("cannot read `{file}`"))?;
    tell(&sheet);
    let registry = open_registry(&arguments.data)?;
    let faulty = if arguments.skip_faulty { Faulty::Skip } else { Faulty::Refuse };
    let failed = "cannot keep the accessions";
    let imported = if arguments.check {
        registry.preview_accessions(&sheet).or_unavailable(failed)?
    } else {
        let now = Clock::system().now();
        let mut bar = Bar { rows: sheet.rows.len(), began_ms: now.millis(), shown: None };
        let by = (&Actor::CommandLine, now);
        let imported = registry.import_accessions(&sheet, faulty, by, &mut |done| bar.set(done));
        bar.end();
        imported.or_data(failed)?
    };
    println!("{}", summary(&sheet, imported, arguments.check));
    if sheet.faulty > 0 && faulty == Faulty::Refuse {
        return Err(Failure::data(format!(
            "{} of {} rows of `{file}` are faulty, so nothing was kept; correct them, or keep the \
             others with --skip-faulty",
            sheet.faulty, sheet.count
        )));
    }
    Ok(())
}

/// Reads a file that is not larger than it may be, and one byte more of one that is.
pub(crate) fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Names every fault on a line, and what is odd once for all its rows.
pub(crate) fn tell(sheet: &Sheet) {
    for fault in &sheet.faults {
        eprintln!("{}", line(fault));
    }
    let mut odd: BTreeMap<(&str, &str), Vec<&Fault>> = BTreeMap::new();
    for hint in &sheet.hints {
        odd.entry((&hint.field, &hint.message.en)).or_default().push(hint);
    }
    for hints in odd.values() {
        let Some(first) = hints.first() else { continue };
        let more = match hints.len() {
            1 => String::new(),
            count => format!(" ({count} rows)"),
        };
        eprintln!("hint: {}{more}", line(first));
    }
}

/// Returns a fault as one line.
pub(crate) fn line(fault: &Fault) -> String {
    let Fault { row, field, value, message, remedy } = fault;
    format!(
        "row {row}, {field}, {value:?}: {} {}; {} {}",
        message.en, message.zh, remedy.en, remedy.zh
    )
}

fn summary(sheet: &Sheet, imported: Imported, check: bool) -> String {
    let would = if imported.applied { "" } else { "would be " };
    let done = match (imported.applied, check) {
        (true, _) => "imported",
        (false, true) => "checked only",
        (false, false) => "nothing imported",
    };
    let Imported { added, changed, unchanged, .. } = imported;
    format!(
        "{done}: {} rows, {would}{added} added, {changed} changed, {unchanged} unchanged, {} faulty",
        sheet.count, sheet.faulty
    )
}

/// A bar that shows itself only where an import takes its time.
struct Bar {
    rows: usize,
    began_ms: i64,
    shown: Option<ProgressBar>,
}

impl Bar {
    fn set(&mut self, done: usize) {
        if let Some(bar) = &self.shown {
            bar.set_position(done as u64);
            return;
        }
        let waited_ms = Clock::system().now().millis() - self.began_ms;
        if done.is_multiple_of(64) && waited_ms > QUIET_MS {
            let style = ProgressStyle::with_template("{bar:40} row {pos}/{len}, {eta} left");
            self.shown = style.ok().map(|it| ProgressBar::new(self.rows as u64).with_style(it));
        }
    }

    fn end(self) {
        if let Some(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}

/// Exports every accession into a file, whole or not at all.
pub(crate) fn export(arguments: &GermplasmExportArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let passports = registry.passports().or_unavailable("cannot read the accessions")?;
    let file = &arguments.output;
    let failed = format!("cannot write `{}`", file.display());
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let write = || -> std::io::Result<()> {
        let mut to = BufWriter::new(File::create(partial)?);
        ::germplasm::write(&passports, &mut to)?;
        to.flush()?;
        to.get_ref().sync_all()?;
        fs::rename(partial, file)
    };
    let written = write();
    if written.is_err()
        && let Err(error) = fs::remove_file(partial)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        eprintln!("cannot remove `{}`: {error}", partial.display());
    }
    written.or_unavailable(failed)?;
    eprintln!("{} accessions in `{}`", passports.len(), file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "INSTCODE,ACCENUMB,GENUS,LATITUDE,LONGITUDE,COORDDATUM\n\
                        CHN999,NC-1,Camellia,290954N,1070605E,WGS84\n\
                        CHN999,NC-2,Camellia,261060N,1070605E,WGS84\n";

    fn arguments(dir: &Path) -> GermplasmImportArgs {
        let file = dir.join("accessions.csv");
        fs::write(&file, ROWS).unwrap();
        GermplasmImportArgs { data: dir.join("data"), file, skip_faulty: false, check: false }
    }

    fn kept(dir: &Path) -> usize {
        open_registry(&dir.join("data")).unwrap().passports().unwrap().len()
    }

    #[test]
    fn one_faulty_row_keeps_the_file_out_unless_it_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let refuse = arguments(dir.path());
        let failure = import(&refuse).unwrap_err();
        assert!(
            matches!(&failure, Failure::Data(error) if error.to_string().contains("1 of 2 rows"))
        );
        assert_eq!(kept(dir.path()), 0);
        let skip = GermplasmImportArgs { skip_faulty: true, check: true, ..refuse };
        import(&skip).unwrap();
        assert_eq!(kept(dir.path()), 0, "a check keeps nothing");
        import(&GermplasmImportArgs { check: false, ..skip }).unwrap();
        assert_eq!(kept(dir.path()), 1);
        let output = dir.path().join("out.csv");
        export(&GermplasmExportArgs { data: dir.path().join("data"), output: output.clone() })
            .unwrap();
        let sheet = ::germplasm::read(&fs::read(output).unwrap()).unwrap();
        assert_eq!((sheet.rows.len(), sheet.faulty), (1, 0));
        assert!(!dir.path().join("out.csv.partial").exists());
    }

    #[test]
    fn a_fault_is_told_with_row_field_value_and_remedy() {
        let sheet = ::germplasm::read(ROWS.as_bytes()).unwrap();
        let line = line(&sheet.faults[0]);
        assert!(line.starts_with("row 3, LATITUDE, \"261060N\": has seconds above 59 "), "{line}");
        assert!(line.contains("; minutes and seconds run from 00 to 59"), "{line}");
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_kind() {
        let dir = tempfile::tempdir().unwrap();
        let mut wrong = arguments(dir.path());
        fs::write(&wrong.file, "a;b\n").unwrap();
        assert!(matches!(import(&wrong), Err(Failure::Data(_))));
        wrong.file = dir.path().join("gone.csv");
        assert!(matches!(import(&wrong), Err(Failure::Unavailable(_))));
        let nowhere = GermplasmExportArgs { data: dir.path().join("none"), output: wrong.file };
        assert!(matches!(export(&nowhere), Err(Failure::Unavailable(_))));
    }
}
