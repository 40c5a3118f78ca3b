//! `miaopu store copy`: every reading from one store into another, with a proof that both are equal.
//!
//! A copy may be stopped and begun again: what the target holds must be of the source, else nothing
//! is written at all. It ends with the count and the SHA-256 of all readings as both stores give
//! them back; an InfluxDB then answers alone, without the folder in front of it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use influx::Influx;
use measure::{Fault, FlashId, NodeKey, Timestamp};
use sha2::{Digest as _, Sha256};
use store::{Batch, Incoming, Origin, Part, Sample, SeriesId, SeriesKey, Store};

use crate::cli::StoreCopyArgs;
use crate::config::{self, Backend};
use crate::failure::{Failure, OrFail};
use crate::series::{self, INFLUX_FOLDER, STORE_FOLDER, Series};
use crate::{commands, serve};

/// How many readings travel in one commit.
const COMMIT_SAMPLES: usize = 8_192;
/// How long a store that cannot take more is given before the same commit comes again, and how often
/// it comes before the copy gives up: half an hour.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES_MAX: u32 = 3_600;
/// How long an InfluxDB may take for what waits for it, from one look to the next.
const SHIP_PATIENCE: Duration = Duration::from_secs(600);

/// One of the two stores.
struct Side {
    store: Arc<dyn Store>,
    /// The same, where it is in front of an InfluxDB.
    influx: Option<Arc<Influx>>,
    name: String,
}

/// What a store holds, to be compared.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    readings: u64,
    sha256: [u8; 32],
}

/// Copies, and proves it.
pub(crate) fn copy(arguments: &StoreCopyArgs) -> Result<(), Failure> {
    serve::start_log(&serve::filter_or("warn"), serve::format_or_text()?)?;
    let from = Side::open(&arguments.from, false)?;
    let to = Side::open(&arguments.to, true)?;
    let bar = progress_bar().or_unavailable("cannot show progress")?;
    let (readings, sha256) = copy_between(&from, &to, &bar)?;
    bar.finish_and_clear();
    for side in [&from, &to] {
        println!("{}: {readings} readings, SHA-256 {sha256}", side.name);
    }
    println!("equal");
    Ok(())
}

impl Side {
    /// Opens a store: a folder of data means the file in it, a file is a configuration.
    fn open(path: &Path, is_target: bool) -> Result<Self, Failure> {
        let name = path.display().to_string();
        if path.is_file() {
            let config = config::load(path)
                .map_err(|faults| Failure::Configuration(commands::told(&name, &faults)))?;
            if matches!(config.backend, Backend::Influx(_)) {
                let folder = config.data.join(INFLUX_FOLDER);
                return Ok(Self::new(series::open_for_copy(&folder, &config.backend)?, name));
            }
            return Self::of_folder(&config.data, is_target, name);
        }
        if path.extension().is_some_and(|extension| extension == "toml") {
            return Err(Failure::usage(format!("there is no configuration `{name}`")));
        }
        Self::of_folder(path, is_target, name)
    }

    fn of_folder(data: &Path, is_target: bool, name: String) -> Result<Self, Failure> {
        let folder = data.join(STORE_FOLDER);
        if is_target {
            return Ok(Self::new(series::open_for_copy(&folder, &Backend::Embedded)?, name));
        }
        let engine = store::embedded::Engine::open_read_only(&folder)
            .or_unavailable(format!("cannot read the store `{}`", folder.display()))?;
        Ok(Self { store: Arc::new(engine), influx: None, name })
    }

    fn new(series: Series, name: String) -> Self {
        match series {
            Series::Embedded(engine) => Self { store: engine, influx: None, name },
            Series::Influx(influx) => {
                Self { store: Arc::clone(&influx) as Arc<dyn Store>, influx: Some(influx), name }
            }
        }
    }

    /// Returns every series by its name.
    fn series(&self) -> Result<BTreeMap<SeriesKey, SeriesId>, Failure> {
        let series = self.store.series().or_unavailable(format!("cannot read `{}`", self.name))?;
        Ok(series.into_iter().map(|(id, key)| (key, id)).collect())
    }

    fn scan(
        &self,
        series: SeriesId,
        (from, to): (Timestamp, Timestamp),
        visit: &mut dyn FnMut(&Sample) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let what = || format!("cannot read series {series} of `{}`", self.name);
        self.store.scan(series, from, to, visit).or_unavailable(what())
    }

    /// Returns the next readings of a series, from a time on.
    fn page(&self, series: SeriesId, from: Timestamp) -> Result<Vec<Sample>, Failure> {
        let mut samples = Vec::with_capacity(COMMIT_SAMPLES);
        self.scan(series, (from, Timestamp::MAX), &mut |sample| {
            samples.push(*sample);
            if samples.len() < COMMIT_SAMPLES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        Ok(samples)
    }

    /// Commits, as often as it takes, and lets the journal go: nobody judges it.
    fn commit(&self, batch: &Batch) -> Result<(), Failure> {
        let what = || format!("cannot write to `{}`", self.name);
        for _ in 0..TRIES_MAX {
            match self.store.commit(batch) {
                Ok(committed) => {
                    return self.store.release(committed.position).or_unavailable(what());
                }
                Err(error) if error.is_transient() && !matches!(error, store::Error::Full) => {
                    tracing::debug!(%error, "The target takes no more just now.");
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(error).or_unavailable(what()),
            }
        }
        Err(Failure::unavailable(format!("`{}` took nothing for half an hour", self.name)))
    }

    /// Waits until an InfluxDB has everything, and lets it answer alone from now on.
    fn settle(&self) -> Result<(), Failure> {
        let Some(influx) = &self.influx else { return Ok(()) };
        let what = || format!("cannot ship to `{}`", self.name);
        loop {
            let before = influx.shipping().borrow().shipped;
            if influx.flush(SHIP_PATIENCE).or_unavailable(what())? {
                break;
            }
            let now = influx.shipping().borrow().clone();
            if now.shipped == before {
                return Err(Failure::unavailable(format!(
                    "InfluxDB took nothing for 10 minutes ({:?}); mend it and copy again: what it has \
                     is kept",
                    now.trouble
                )));
            }
        }
        influx.forget_here().or_unavailable(what()).map(drop)
    }
}

/// Copies everything; returns the count and the sum of the readings on both sides.
fn copy_between(from: &Side, to: &Side, bar: &ProgressBar) -> Result<(u64, String), Failure> {
    let source = from.series()?;
    // First of all, before anything is written, that the target holds nothing else.
    let mut begun = BTreeMap::new();
    for (key, id) in to.series()? {
        bar.set_message(format!("looks at {key}"));
        let last = check_subset(from, to, &key, source.get(&key).copied(), id)?;
        begun.extend(last.map(|last| (key, last)));
    }
    bar.set_length(2 * source.len() as u64);
    for (key, &id) in &source {
        bar.set_message(format!("copies {key}"));
        copy_series(from, to, key, id, begun.get(key).copied())?;
        bar.inc(1);
    }
    let nodes: std::collections::BTreeSet<&NodeKey> = source.keys().map(|key| &key.node).collect();
    for node in &nodes {
        copy_gaps(from, to, node)?;
    }
    bar.set_message("waits for the target");
    to.settle()?;
    let (mut readings, mut whole) = (0, Sha256::new());
    let target = to.series()?;
    for (key, &id) in &source {
        bar.set_message(format!("compares {key}"));
        let sum = sum(from, key, id)?;
        let other = match target.get(key) {
            Some(&id) => Some(self::sum(to, key, id)?),
            None => None,
        };
        if other.as_ref().unwrap_or(&NOTHING) != &sum && (other.is_some() || sum.readings > 0) {
            return Err(Failure::data(format!(
                "{key} is not the same: `{}` has {} readings, `{}` has {}; copy again, and compare \
                 with `miaopu store check`",
                from.name,
                sum.readings,
                to.name,
                other.map_or(0, |other| other.readings)
            )));
        }
        readings += sum.readings;
        whole.update(sum.sha256);
        bar.inc(1);
    }
    let digits = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((readings, digits))
}

const NOTHING: Sum = Sum { readings: 0, sha256: [0; 32] };

/// Sums one series up: its name, then each reading with all that is known of it.
fn sum(side: &Side, key: &SeriesKey, series: SeriesId) -> Result<Sum, Failure> {
    let (mut readings, mut sha) = (0, Sha256::new());
    sha.update(format!("{key}\n"));
    side.scan(series, (Timestamp::MIN, Timestamp::MAX), &mut |sample| {
        readings += 1;
        sha.update(sample.time.micros().to_le_bytes());
        sha.update([sample.reading.err().map_or(0, Fault::code)]);
        sha.update(sample.reading.map_or(0, |value| value.0).to_le_bytes());
        sha.update([sample.quality.code(), sample.marks.bits(), u8::from(sample.taken.is_some())]);
        let taken = sample.taken.map_or((0, 0), |taken| (taken.flash.0, taken.sequence.0));
        sha.update(taken.0.to_le_bytes());
        sha.update(taken.1.to_le_bytes());
        ControlFlow::Continue(())
    })?;
    Ok(Sum { readings, sha256: sha.finalize().into() })
}

/// Refuses a target that holds what the source does not. Returns the last time up to which it holds
/// all of the source, `None` where it has to be copied from its beginning.
fn check_subset(
    from: &Side,
    to: &Side,
    key: &SeriesKey,
    source: Option<SeriesId>,
    target: SeriesId,
) -> Result<Option<Timestamp>, Failure> {
    let refused = |sample: &Sample| {
        Failure::data(format!(
            "`{}` holds a reading that `{}` does not: {key} at {} µs; name an empty target",
            to.name,
            from.name,
            sample.time.micros()
        ))
    };
    let (mut next, mut is_prefix, mut last) = (Timestamp::MIN, true, None);
    loop {
        let page = to.page(target, next)?;
        let Some((first, end)) = page.first().zip(page.last().map(|sample| sample.time)) else {
            break;
        };
        let source = source.ok_or_else(|| refused(first))?;
        let mut wanted = page.iter().peekable();
        from.scan(source, (next, end.plus_micros(1)), &mut |sample| {
            let same = |wanted: &&&Sample| Sample { series: wanted.series, ..*sample } == ***wanted;
            match wanted.peek() {
                Some(there) if same(&there) => drop(wanted.next()),
                Some(there) if there.time <= sample.time => return ControlFlow::Break(()),
                // The source has one that the target lacks.
                _ => is_prefix = false,
            }
            ControlFlow::Continue(())
        })?;
        if let Some(other) = wanted.next() {
            return Err(refused(other));
        }
        last = Some(end);
        next = end.plus_micros(1);
    }
    Ok(last.filter(|_| is_prefix))
}

fn copy_series(
    from: &Side,
    to: &Side,
    key: &SeriesKey,
    id: SeriesId,
    begun: Option<Timestamp>,
) -> Result<(), Failure> {
    let target =
        to.store.series_id(key).or_unavailable(format!("cannot write to `{}`", to.name))?;
    let mut next = begun.map_or(Timestamp::MIN, |last| last.plus_micros(1));
    loop {
        let page = from.page(id, next)?;
        let Some(last) = page.last() else { return Ok(()) };
        next = last.time.plus_micros(1);
        let mut by_flash: BTreeMap<FlashId, Vec<Incoming>> = BTreeMap::new();
        let mut others = Vec::new();
        for sample in page {
            let sample = Sample { series: target, ..sample };
            match sample.taken {
                Some(taken) => {
                    let incoming = Incoming { sequence: taken.sequence, sample };
                    by_flash.entry(taken.flash).or_default().push(incoming);
                }
                // Guests' readings too: so they stand at their time, and a second time changes nothing.
                None => others.push(sample),
            }
        }
        let mut parts = Vec::new();
        for (flash, samples) in by_flash {
            let origin = Origin::Node { node: key.node.clone(), flash };
            parts.push(Part::Readings { origin, samples });
        }
        if !others.is_empty() {
            parts.push(Part::Derived(others));
        }
        to.commit(&Batch { parts })?;
    }
}

fn copy_gaps(from: &Side, to: &Side, node: &NodeKey) -> Result<(), Failure> {
    let gaps = |side: &Side| {
        side.store.gaps(node).or_unavailable(format!("cannot read the gaps of `{}`", side.name))
    };
    let source = gaps(from)?;
    if source.is_empty() {
        return Ok(());
    }
    to.commit(&Batch { parts: source.iter().cloned().map(Part::Gap).collect() })?;
    if gaps(to)? == source {
        Ok(())
    } else {
        Err(Failure::data(format!("the gaps of {node} are not the same in `{}`", to.name)))
    }
}

fn progress_bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left")?;
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use influx::standin::{BUCKET, ORG, StandIn, TOKEN};
    use influx::{Options, Target, Token};
    use measure::{Marks, Quality, Quantity, Scaled, Sequence, SequenceRange, Slug};
    use store::embedded::{self, Engine};
    use store::{Gap, GapReason, load};

    use super::*;

    fn embedded(dir: &Path) -> Side {
        let engine = Engine::open(dir, embedded::Options::default()).unwrap();
        Side { store: Arc::new(engine), influx: None, name: "file".to_owned() }
    }

    fn over(dir: &Path, server: &StandIn) -> Side {
        let target = Target::new(&server.url(), ORG, BUCKET, Token::new(TOKEN)).unwrap();
        let influx = Influx::open(dir, target, Options::default()).unwrap();
        Side::new(Series::Influx(Arc::new(influx)), "bucket".to_owned())
    }

    fn slug(name: &str) -> Slug {
        Slug::new(name).unwrap()
    }

    /// Fills a store with readings of nodes, faults, a guest's reading and a gap.
    fn fill(side: &Side) {
        let start = Timestamp::from_millis(1_735_689_600_000).unwrap();
        let load = load::Load { nodes: 2, start, minutes: 200, minutes_per_commit: 50 };
        load::fill(&*side.store, &load, |_| ()).unwrap();
        let node = NodeKey { site: slug("load"), node: slug("guest") };
        let key = SeriesKey { node: node.clone(), position: slug("a"), quantity: Quantity::Co2 };
        let series = side.store.series_id(&key).unwrap();
        let sample = |micros, reading| Sample {
            series,
            time: start.plus_micros(micros),
            reading,
            quality: Quality::Suspect,
            marks: Marks::HISTORY,
            taken: None,
        };
        let samples =
            [sample(0, Ok(Scaled(1))), sample(0, Ok(Scaled(2))), sample(5, Err(Fault::Bus))];
        let samples = samples.map(|sample| Incoming { sequence: Sequence(0), sample }).to_vec();
        let range = SequenceRange::new(Sequence(3), Sequence(7)).unwrap();
        let gap = Gap { node, flash: FlashId(1), range, reason: GapReason::RingFull, at: start };
        let parts = vec![Part::Readings { origin: Origin::Guest, samples }, Part::Gap(gap)];
        side.commit(&Batch { parts }).unwrap();
    }

    #[test]
    fn a_copy_goes_there_and_back_and_is_equal() {
        let (one, two, three) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        let server = StandIn::start();
        let file = embedded(one.path());
        fill(&file);
        let bucket = over(two.path(), &server);
        let bar = ProgressBar::hidden();
        let (readings, sum) = copy_between(&file, &bucket, &bar).unwrap();
        assert_eq!(readings, 2 * 8 * 200 + 3);
        let back = embedded(three.path());
        assert_eq!(copy_between(&bucket, &back, &bar).unwrap(), (readings, sum.clone()));
        // Once more changes nothing, and comes to the same.
        let lines = server.data().lines;
        assert_eq!(copy_between(&file, &bucket, &bar).unwrap(), (readings, sum));
        assert_eq!(server.data().lines, lines);
    }

    #[test]
    fn a_copy_that_was_stopped_goes_on() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = embedded(one.path());
        fill(&file);
        let target = embedded(two.path());
        for (key, id) in file.series().unwrap().iter().take(3) {
            let part: Vec<Sample> = file.page(*id, Timestamp::MIN).unwrap();
            let series = target.store.series_id(key).unwrap();
            let half = part.iter().take(part.len() / 2).map(|sample| {
                let sequence = sample.taken.map_or(Sequence(0), |taken| taken.sequence);
                Incoming { sequence, sample: Sample { series, ..*sample } }
            });
            let flash = part[0].taken.map(|taken| taken.flash);
            let origin =
                flash.map_or(Origin::Guest, |flash| Origin::Node { node: key.node.clone(), flash });
            let samples = half.collect();
            target.commit(&Batch { parts: vec![Part::Readings { origin, samples }] }).unwrap();
        }
        let (readings, _) = copy_between(&file, &target, &ProgressBar::hidden()).unwrap();
        assert_eq!(readings, 2 * 8 * 200 + 3);
    }

    #[test]
    fn a_target_with_anything_else_is_left_as_it_is() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (file, target) = (embedded(one.path()), embedded(two.path()));
        fill(&file);
        fill(&target);
        let series = target.series().unwrap();
        let (key, id) = series.iter().next_back().unwrap();
        let first = target.page(*id, Timestamp::MIN).unwrap()[0];
        let other = Sample { time: first.time.plus_micros(77), taken: None, ..first };
        target.commit(&Batch { parts: vec![Part::Derived(vec![other])] }).unwrap();
        let before = target.store.last_position().unwrap();
        let refused = copy_between(&file, &target, &ProgressBar::hidden()).unwrap_err();
        let text = refused.error().to_string();
        assert!(text.contains(&key.to_string()) && text.contains("name an empty target"), "{text}");
        assert_eq!(target.store.last_position().unwrap(), before);
        // The other way round it is a part of the same, and becomes the whole.
        copy_between(&target, &file, &ProgressBar::hidden()).unwrap();
    }
}
