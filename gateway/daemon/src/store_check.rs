//! `miaopu store check`: every record of the store looked at, its faults named, and repaired where
//! that is asked for.

use std::{path::Path, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use measure::Timestamp;
use store::embedded::{self, Checked, Engine, Fault, Record, Remedy, Repaired};
use store::{SeriesId, SeriesKey, Store as _};

use crate::{
    cli::StoreCheckArgs,
    clock::Stopwatch,
    failure::{Failure, OrFail},
    series,
};

/// How long a check takes before its progress is shown.
const QUIET: Duration = Duration::from_secs(2);

/// Checks the store, and repairs it where that is asked for.
pub(crate) fn check(arguments: &StoreCheckArgs) -> Result<(), Failure> {
    // In front of an InfluxDB stands a store of the same kind.
    let file = arguments.data.join(series::file_in(&arguments.data));
    let folder = file.parent().unwrap_or(&arguments.data).to_owned();
    let names = names(&folder);
    if arguments.repair { repair(&folder, &names) } else { look(&folder, &names) }
}

fn look(folder: &Path, names: &[(SeriesId, SeriesKey)]) -> Result<(), Failure> {
    let bar = Bar::new()?;
    let checked = embedded::check(folder, &mut |done, all| bar.show(done, all), &mut |fault| {
        bar.say(&describe(fault, names));
    });
    bar.0.finish_and_clear();
    let checked =
        checked.or_unavailable(format!("cannot check the store `{}`", folder.display()))?;
    say_checked(&checked);
    if checked.faults == 0 {
        return Ok(());
    }
    Err(Failure::data(format!(
        "the store `{}` has {} faults; stop the gateway, make a copy of the folder, and run `miaopu \
         store check --repair`",
        folder.display(),
        checked.faults
    )))
}

fn repair(folder: &Path, names: &[(SeriesId, SeriesKey)]) -> Result<(), Failure> {
    let bar = Bar::new()?;
    let mut lost = 0;
    let left = embedded::repair(folder, &mut |done, all| bar.show(done, all), &mut |repaired| {
        lost += repaired.lost_samples;
        bar.say(&describe_repair(repaired, names));
    });
    bar.0.finish_and_clear();
    let what = format!("cannot repair the store `{}`", folder.display());
    let left = left.or_unavailable(what)?;
    say_checked(&left);
    if lost > 0 {
        eprintln!(
            "at most {lost} readings are lost; what was found in their place is in `quarantine`"
        );
    }
    if left.faults == 0 {
        return Ok(());
    }
    Err(Failure::data(format!(
        "{} faults are left that cannot be repaired in place; restore a backup into a new folder",
        left.faults
    )))
}

fn say_checked(checked: &Checked) {
    eprintln!(
        "{} chunks with {} readings and {} journal entries: {} faults",
        checked.chunks, checked.samples, checked.entries, checked.faults
    );
}

/// Returns the names of the series, as far as the store can be opened.
fn names(folder: &Path) -> Vec<(SeriesId, SeriesKey)> {
    Engine::open_read_only(folder).and_then(|store| store.series()).unwrap_or_default()
}

/// Returns one line: what, of which series, from when to when, what is wrong, what can be done.
fn describe(fault: &Fault, names: &[(SeriesId, SeriesKey)]) -> String {
    let remedy = match fault.remedy {
        Remedy::Rebuild => "--repair computes it anew, nothing is lost",
        Remedy::SetAside => "--repair puts it aside into `quarantine`",
        Remedy::Restore => "restore a backup",
    };
    format!("{}; {remedy}", what_is_wrong(fault, names))
}

fn describe_repair(repaired: &Repaired, names: &[(SeriesId, SeriesKey)]) -> String {
    let done = match (repaired.done, repaired.fault.remedy, repaired.lost_samples) {
        (false, _, _) => "not repaired".to_owned(),
        (true, Remedy::SetAside, 0) => "put aside, no reading is lost".to_owned(),
        (true, Remedy::SetAside, lost) => format!("put aside, at most {lost} readings are lost"),
        (true, _, _) => "computed anew, nothing is lost".to_owned(),
    };
    format!("{}: {done}", what_is_wrong(&repaired.fault, names))
}

fn what_is_wrong(fault: &Fault, names: &[(SeriesId, SeriesKey)]) -> String {
    let record = match fault.record {
        Record::File => "the file".to_owned(),
        Record::Body(key) => format!("the readings of chunk {key}"),
        Record::Chunk(key) => format!("chunk {key}"),
        Record::TenMinutes(key) => format!("the ten minutes of chunk {key}"),
        Record::Journal(position) => format!("journal entry {position}"),
        Record::Flash(row) => format!("the sequences seen of flash {row}"),
        Record::Series => "the latest reading".to_owned(),
        Record::Progress => "how far the journal is sealed".to_owned(),
    };
    let of = fault.series.map_or_else(String::new, |id| {
        let name = names.iter().find(|(other, _)| *other == id);
        name.map_or_else(|| format!(" of series {id}"), |(_, key)| format!(" of {key}"))
    });
    let span = fault.span.map_or_else(String::new, |(from, to)| {
        format!(" from {} to {}", instant(from), instant(to))
    });
    format!("{record}{of}{span}: {}", fault.reason)
}

fn instant(time: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.micros())
        .map_or_else(|_| format!("{} µs", time.micros()), |time| time.to_string())
}

/// A bar that is shown once the check takes long.
struct Bar(ProgressBar, Stopwatch);

impl Bar {
    fn new() -> Result<Self, Failure> {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} chunks, {eta} left")
            .or_unavailable("cannot show progress")?;
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Ok(Self(bar.with_style(style), Stopwatch::start()))
    }

    fn show(&self, done: u64, all: u64) {
        if self.0.is_hidden() && self.1.seconds() > QUIET.as_secs_f64() {
            self.0.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.0.set_length(all);
        self.0.set_position(done);
    }

    /// Prints a line for a script to read, not into the bar.
    fn say(&self, line: &str) {
        self.0.suspend(|| println!("{line}"));
    }
}
