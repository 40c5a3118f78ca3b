//! `miaopu export --study`: what batches lived through beside the raw readings, into a new folder. The
//! same files, byte for byte, as the page gives in a ZIP.

use std::time::Duration;

use api::{StudyAsked, StudyError, gather_study};
use export::study::{Folder, Progress, Study, Summary, write};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use measure::Timestamp;
use quality::Calibrated;
use store::Store;

use crate::{
    calibrations::open_calibrated,
    cli::ExportArgs,
    clock::{Clock, Stopwatch},
    commands::{open_existing_registry, time},
    failure::{Failure, OrFail},
};

/// How long a study takes before its progress is shown.
const QUIET: Duration = Duration::from_secs(2);

/// Exports a study.
pub(crate) fn export(arguments: &ExportArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let store = open_calibrated(&arguments.data, &registry)?;
    let asked = StudyAsked {
        batches: arguments.batches.clone(),
        from: arguments.from.map(time).transpose()?,
        to: arguments.to.map(time).transpose()?,
    };
    let profiles = seeds::profiles().or_unavailable("cannot read the crop profiles")?;
    let sources = seeds::sources().or_unavailable("cannot read the sources")?;
    let now = now(&store)?;
    let study = gather_study(&registry, &store, (profiles, sources), &asked, now)
        .map_err(|error| refused(error, arguments))?;
    let span = study.span;
    let summary = put(&study, &store, arguments)?;
    let (from, to) = (instant(span.from), instant(span.to));
    eprintln!(
        "{} readings of {} channels and {} batches in `{}`; the same bytes again with \
         --from {from} --to {to}",
        summary.readings,
        summary.channels,
        summary.lived.len(),
        arguments.output.display()
    );
    Ok(())
}

/// Returns the time now: that of the newest reading where the nodes' clock is ahead, as that of a
/// demonstration is.
fn now(store: &dyn Store) -> Result<Timestamp, Failure> {
    let latest = store.latest().or_unavailable("cannot read the store")?;
    let newest = latest.iter().map(|sample| sample.time.plus_micros(1)).max();
    Ok(Clock::system().now().max(newest.unwrap_or(Timestamp::MIN)))
}

fn refused(error: StudyError, arguments: &ExportArgs) -> Failure {
    match error {
        StudyError::UnknownBatch { .. }
        | StudyError::TooManyBatches(_)
        | StudyError::EmptySpan { .. } => Failure::usage(error),
        StudyError::NoBatch => Failure::data(error),
        error => Failure::Unavailable(
            anyhow::Error::from(error)
                .context(format!("cannot read the data in `{}`", arguments.data.display())),
        ),
    }
}

fn put(study: &Study, store: &Calibrated, arguments: &ExportArgs) -> Result<Summary, Failure> {
    let output = &arguments.output;
    let what = format!("cannot export to `{}`", output.display());
    let mut shelf = Folder::begin(output).or_unavailable(&what)?;
    let bar = Bar::new().or_unavailable(&what)?;
    let written = write(study, store, &mut shelf, &mut |progress| bar.show(progress));
    bar.bar.finish_and_clear();
    match written {
        Ok(summary) => {
            shelf.finish().or_unavailable(&what)?;
            Ok(summary)
        }
        Err(error) => {
            if let Err(error) = shelf.discard() {
                eprintln!("cannot remove what was written beside `{}`: {error}", output.display());
            }
            Err(error).or_unavailable(&what)
        }
    }
}

/// Shows progress once a study takes long.
struct Bar {
    bar: ProgressBar,
    begun: Stopwatch,
}

impl Bar {
    fn new() -> anyhow::Result<Self> {
        let style =
            ProgressStyle::with_template("{bar:40} {pos}/{len}, {msg} readings, {eta} left")?;
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        Ok(Self { bar: bar.with_style(style), begun: Stopwatch::start() })
    }

    fn show(&self, progress: Progress) {
        if self.bar.is_hidden() && self.begun.seconds() > QUIET.as_secs_f64() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(progress.steps as u64);
        self.bar.set_position(progress.done as u64);
        self.bar.set_message(progress.readings.to_string());
    }
}

fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX).to_string()
}
