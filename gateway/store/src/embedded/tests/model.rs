//! Random lists of actions, on the engine and on a model that is slow and obvious.

use std::collections::{BTreeMap, BTreeSet};

use measure::{Fault, Reading, SequenceRange};
use proptest::prelude::*;

use super::super::{Keep, LetGo, Policy};
use super::*;
use crate::{Committed, Error, Flag, Gap, GapReason, Position, Retained, Taken};

pub(super) const SERIES: usize = 4;
const FLASHES: [FlashId; 2] = [FlashId(1), FlashId(2)];

#[derive(Clone, Debug)]
pub(super) enum Action {
    Commit(Vec<Piece>),
    /// Commits again what the commit of this index, modulo their number, brought.
    Again(usize),
    Checkpoint,
    /// So many transactions of a checkpoint succeed, then the process dies.
    Die(u32),
    /// So many transactions of a checkpoint succeed, then the disk is full for a while.
    Stumble(u32),
    /// A commit on a full disk.
    Full(Vec<Piece>),
    Reopen,
    Release(u64),
    /// Samples are kept for so many days, roll-ups of ten minutes for so many more.
    Retain(u64, u64),
    /// The same, but so many transactions of it succeed, then the process dies.
    RetainAndDie(u64, u64, u32),
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// Flash, first sequence, readings.
    Node(usize, u64, Vec<(usize, i64, Reading)>),
    Guest(Vec<(usize, i64, Reading)>),
    /// Flash, first sequence, how many more.
    Gap(usize, u64, u64),
    Derived(Vec<(usize, i64, Reading, Quality)>),
    Flags(Vec<(usize, i64, Quality)>),
}

/// Few enough times that readings meet, over three days and both sides of a midnight.
fn any_time_us() -> impl Strategy<Value = i64> {
    (0_i64..3, 0_i64..4, 0_i64..3).prop_map(|(day, minute, micro)| {
        (20_000 + day) * DAY_MS * 1_000 + minute * 60_000_000 - 1 + micro
    })
}

fn any_readings() -> impl Strategy<Value = Vec<(usize, i64, Reading)>> {
    let reading = prop_oneof![
        9 => (0_i32..4).prop_map(|value| Ok(Scaled(value))),
        1 => Just(Err(Fault::Bus)),
    ];
    prop::collection::vec((0..SERIES - 1, any_time_us(), reading), 1..12)
}

fn any_quality() -> impl Strategy<Value = Quality> {
    prop::sample::select(&[Quality::Good, Quality::Suspect, Quality::Fail])
}

fn any_derived() -> impl Strategy<Value = Vec<(usize, i64, Reading, Quality)>> {
    let value = prop_oneof![
        9 => (0_i32..3).prop_map(|value| Ok(Scaled(value))),
        1 => Just(Err(Fault::Bus)),
    ];
    // The last series is read by no node, so that much stands anew in it.
    let index = prop_oneof![4 => Just(SERIES - 1), 1 => 0..SERIES];
    prop::collection::vec((index, any_time_us(), value, any_quality()), 1..12)
}

fn any_flags() -> impl Strategy<Value = Vec<(usize, i64, Quality)>> {
    prop::collection::vec((0..SERIES, any_time_us(), any_quality()), 1..12)
}

pub(super) fn any_pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        6 => (0..FLASHES.len(), 0_u64..150, any_readings())
            .prop_map(|(flash, first, readings)| Piece::Node(flash, first, readings)),
        2 => any_readings().prop_map(Piece::Guest),
        1 => (0..FLASHES.len(), 0_u64..150, 0_u64..20)
            .prop_map(|(flash, first, more)| Piece::Gap(flash, first, more)),
        3 => any_derived().prop_map(Piece::Derived),
        3 => any_flags().prop_map(Piece::Flags),
    ];
    prop::collection::vec(piece, 1..4)
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => any_pieces().prop_map(Action::Commit),
        2 => any::<usize>().prop_map(Action::Again),
        2 => Just(Action::Checkpoint),
        2 => (0_u32..8).prop_map(Action::Die),
        2 => (0_u32..8).prop_map(Action::Stumble),
        1 => any_pieces().prop_map(Action::Full),
        1 => Just(Action::Reopen),
        1 => (0_u64..40).prop_map(Action::Release),
        1 => (0_u64..4, 0_u64..3).prop_map(|(raw, more)| Action::Retain(raw, more)),
        1 => (0_u64..4, 0_u64..3, 0_u32..8)
            .prop_map(|(raw, more, left)| Action::RetainAndDie(raw, more, left)),
    ]
}

/// What the engine must hold.
#[derive(Clone, Default)]
pub(super) struct Model {
    series: BTreeMap<usize, BTreeMap<i64, Sample>>,
    kept: BTreeSet<(usize, u64)>,
    given_up: BTreeSet<(usize, u64)>,
    pub(super) journal: Vec<Vec<Sample>>,
    pub(super) released: u64,
    /// What is raw no longer, by series; and from when on samples and ten minutes are kept.
    rolled: BTreeMap<usize, Vec<Sample>>,
    retained: BTreeMap<usize, Retained>,
    /// The sample with the greatest time of each series, whatever became of it.
    latest: BTreeMap<usize, Sample>,
}

impl Model {
    pub(super) fn commit(&mut self, ids: &[SeriesId], pieces: &[Piece]) -> Committed {
        let mut entry: Vec<Sample> = Vec::new();
        // What stands anew of what was there before this batch, and whether the journal tells.
        let mut anew: BTreeMap<(SeriesId, i64), (Sample, bool)> = BTreeMap::new();
        let newest: BTreeMap<SeriesId, i64> =
            self.latest.iter().map(|(index, sample)| (ids[*index], sample.time.micros())).collect();
        let raw_from: Vec<i64> = (0..SERIES)
            .map(|index| self.retained.get(&index).map_or(0, |it| it.raw_from.micros()))
            .collect();
        let mut expired = 0;
        let (mut repeated, mut shifted, mut changed) = (0, 0, false);
        let (mut replaced, mut flagged) = (0, 0);
        let place = |entry: &mut Vec<Sample>, anew: &mut BTreeMap<_, _>, sample: Sample, told| {
            let new = entry
                .iter_mut()
                .find(|other| (other.series, other.time) == (sample.series, sample.time));
            match new {
                Some(new) => *new = sample,
                None => {
                    let key = (sample.series, sample.time.micros());
                    let told = told || anew.get(&key).is_some_and(|&(_, told)| told);
                    anew.insert(key, (sample, told));
                }
            }
        };
        for piece in pieces {
            match piece {
                Piece::Node(flash, first, readings) => {
                    for (sequence, &(index, time_us, reading)) in (*first..).zip(readings) {
                        if !self.kept.insert((*flash, sequence)) {
                            repeated += 1;
                            continue;
                        }
                        self.given_up.remove(&(*flash, sequence));
                        let taken = self.series.entry(index).or_default();
                        let free = (time_us..).find(|time| !taken.contains_key(time)).unwrap();
                        shifted += u64::from(free != time_us);
                        let sequence = Sequence(sequence);
                        let taken = Some(Taken { flash: FLASHES[*flash], sequence });
                        entry.push(self.keep(ids, index, (time_us, free), reading, taken));
                    }
                }
                Piece::Guest(readings) => {
                    for &(index, time_us, reading) in readings {
                        if time_us < raw_from[index] {
                            expired += 1;
                            continue;
                        }
                        let taken = self.series.entry(index).or_default();
                        let free = (time_us..).find(|time| !taken.contains_key(time)).unwrap();
                        let repeat = taken.range(time_us..free).any(|(&time, sample)| {
                            let here = time == time_us || sample.marks.contains(Marks::SHIFTED);
                            here && sample.reading == reading
                        });
                        if repeat {
                            repeated += 1;
                        } else {
                            shifted += u64::from(free != time_us);
                            entry.push(self.keep(ids, index, (time_us, free), reading, None));
                        }
                    }
                }
                Piece::Derived(samples) => {
                    for &(index, time_us, reading, quality) in samples {
                        if time_us < raw_from[index] {
                            expired += 1;
                            continue;
                        }
                        let derived = Sample { reading, quality, ..sample(ids[index], time_us, 0) };
                        let taken = self.series.entry(index).or_default();
                        match taken.insert(time_us, derived) {
                            None => entry.push(derived),
                            Some(there) if there == derived => repeated += 1,
                            Some(there) if there.taken.is_some() => {
                                taken.insert(time_us, there);
                                repeated += 1;
                            }
                            Some(_) => {
                                replaced += 1;
                                place(&mut entry, &mut anew, derived, true);
                            }
                        }
                    }
                }
                Piece::Flags(flags) => {
                    for &(index, time_us, quality) in flags {
                        if time_us < raw_from[index] {
                            expired += 1;
                            continue;
                        }
                        let there = self.series.entry(index).or_default().get_mut(&time_us);
                        if let Some(there) = there.filter(|there| there.quality != quality) {
                            there.quality = quality;
                            flagged += 1;
                            place(&mut entry, &mut anew, *there, false);
                        }
                    }
                }
                Piece::Gap(flash, first, more) => {
                    for sequence in *first..=first + more {
                        if !self.kept.contains(&(*flash, sequence)) {
                            changed |= self.given_up.insert((*flash, sequence));
                        }
                    }
                }
            }
        }
        let kept = entry.len() as u64;
        let is_late = |sample: &&Sample| {
            newest.get(&sample.series).is_some_and(|newest| *newest > sample.time.micros())
        };
        let late = entry.iter().filter(is_late).count() as u64;
        if kept > 0 || changed || !anew.is_empty() {
            entry.extend(anew.values().filter(|(_, told)| *told).map(|(sample, _)| *sample));
            self.journal.push(entry);
        }
        for (index, taken) in &self.series {
            let newest = taken.values().next_back();
            let before = self.latest.get(index).map_or(i64::MIN, |it| it.time.micros());
            if let Some(newest) = newest.filter(|newest| newest.time.micros() >= before) {
                self.latest.insert(*index, *newest);
            }
        }
        let position = Position(self.journal.len() as u64);
        Committed { position, kept, repeated, shifted, late, replaced, flagged, expired }
    }

    /// Lets go of what lies before a boundary, by whole days.
    fn retain(&mut self, retained: BTreeMap<usize, Retained>) {
        for (index, it) in &retained {
            let taken = self.series.entry(*index).or_default();
            let kept = taken.split_off(&it.raw_from.micros());
            self.rolled.entry(*index).or_default().extend(taken.values());
            *taken = kept;
        }
        self.retained = retained;
    }

    fn keep(
        &mut self,
        ids: &[SeriesId],
        index: usize,
        (time_us, free): (i64, i64),
        reading: Reading,
        taken: Option<Taken>,
    ) -> Sample {
        let marks = if free == time_us { Marks::NONE } else { Marks::SHIFTED };
        let kept = Sample { reading, marks, taken, ..sample(ids[index], free, 0) };
        self.series.entry(index).or_default().insert(free, kept);
        kept
    }
}

pub(super) fn to_batch(ids: &[SeriesId], pieces: &[Piece]) -> Batch {
    let incoming = |first: u64, readings: &[(usize, i64, Reading)]| -> Vec<Incoming> {
        (first..)
            .zip(readings)
            .map(|(sequence, &(index, time_us, reading))| Incoming {
                sequence: Sequence(sequence),
                sample: Sample { reading, ..sample(ids[index], time_us, 0) },
            })
            .collect()
    };
    let part = |piece: &Piece| match piece {
        Piece::Node(flash, first, readings) => Part::Readings {
            origin: Origin::Node { node: node(), flash: FLASHES[*flash] },
            samples: incoming(*first, readings),
        },
        Piece::Guest(readings) => {
            Part::Readings { origin: Origin::Guest, samples: incoming(0, readings) }
        }
        Piece::Derived(samples) => {
            let derived = |&(index, time_us, reading, quality): &(usize, i64, Reading, Quality)| {
                Sample { reading, quality, ..sample(ids[index], time_us, 0) }
            };
            Part::Derived(samples.iter().map(derived).collect())
        }
        Piece::Flags(flags) => {
            let flag = |&(index, time_us, quality): &(usize, i64, Quality)| Flag {
                series: ids[index],
                time: Timestamp::from_micros(time_us).unwrap(),
                quality,
            };
            Part::Flags(flags.iter().map(flag).collect())
        }
        Piece::Gap(flash, first, more) => Part::Gap(Gap {
            node: node(),
            flash: FLASHES[*flash],
            range: SequenceRange::new(Sequence(*first), Sequence(first + more)).unwrap(),
            reason: GapReason::RingFull,
            at: Timestamp::MIN,
        }),
    };
    Batch { parts: pieces.iter().map(part).collect() }
}

fn sequences(ranges: impl IntoIterator<Item = SequenceRange>) -> Vec<u64> {
    ranges.into_iter().flat_map(|range| range.first.0..=range.last.0).collect()
}

pub(super) fn check(engine: &Engine, ids: &[SeriesId], model: &Model) {
    for (index, &id) in ids.iter().enumerate() {
        let expect: Vec<Sample> =
            model.series.get(&index).into_iter().flat_map(|s| s.values().copied()).collect();
        assert_eq!(scan(engine, id), expect, "series {index}");
        let none = Vec::new();
        let rolled = model.rolled.get(&index).unwrap_or(&none);
        let retained = model.retained.get(&index).copied().unwrap_or(Retained::ALL);
        assert_eq!(engine.retained(id).unwrap(), retained);
        check_buckets(engine, id, &expect, rolled, retained);
    }
    let expect: Vec<Sample> = model.latest.values().copied().collect();
    assert_eq!(engine.latest().unwrap(), expect);
    for (index, flash) in FLASHES.into_iter().enumerate() {
        let of = |set: &BTreeSet<(usize, u64)>| -> BTreeSet<u64> {
            set.iter().filter(|(flash, _)| *flash == index).map(|(_, s)| *s).collect()
        };
        let given_up = of(&model.given_up);
        let seen: Vec<u64> = of(&model.kept).union(&given_up).copied().collect();
        assert_eq!(sequences(engine.seen(&node(), flash).unwrap()), seen);
        let gaps = engine.gaps(&node()).unwrap();
        let gaps = gaps.into_iter().filter(|gap| gap.flash == flash).map(|gap| gap.range);
        assert_eq!(sequences(gaps), given_up.into_iter().collect::<Vec<_>>());
    }
    let (first, last) = (model.released, model.journal.len() as u64);
    assert_eq!(engine.last_position().unwrap(), Position(last));
    let entries = engine.journal(Position(first), usize::MAX).unwrap();
    let expect = (first + 1..).map(Position).zip(model.journal[first as usize..].to_vec());
    assert_eq!(entries, expect.collect::<Vec<_>>());
}

/// Every step from a minute to two days counts what a plain loop counts, in a span cut askew.
fn check_buckets(
    engine: &Engine,
    id: SeriesId,
    raw: &[Sample],
    rolled: &[Sample],
    retained: Retained,
) {
    let from = Timestamp::from_micros(20_000 * DAY_MS * 1_000 + 59_999_999).unwrap();
    let to = from.plus_ms(DAY_MS + 61_000);
    for step_ms in [60_000, 600_000, 3_600_000, 7_200_000, 2 * DAY_MS] {
        let columns = engine.downsample(id, from, to, step_ms, Timestamp::MIN);
        // Of what was rolled up, ten minutes that the span cuts count whole, or hours.
        let grain_ms = |sample: &Sample| {
            let kept = sample.time.micros() / 86_400_000_000 * 86_400_000_000;
            let is_hourly = kept < retained.ten_minutes_from.micros() || step_ms >= 3_600_000;
            if is_hourly { 3_600_000 } else { 600_000 }
        };
        let meets = |sample: &&Sample| {
            let grain_us = grain_ms(sample) * 1_000;
            let start = sample.time.micros() / grain_us * grain_us;
            start < to.micros() && from.micros() < start + grain_us
        };
        // Of a day whose samples all lie outside nothing counts.
        let day = |sample: &Sample| sample.time.micros() / 86_400_000_000;
        let of_day = |other: &Sample| {
            let times = rolled.iter().filter(|s| day(s) == day(other)).map(|s| s.time.micros());
            let (least, last) = (times.clone().min().unwrap(), times.max().unwrap());
            least / 1_000_000 <= (to.micros() - 1) / 1_000_000 && last >= from.micros()
        };
        let rolled: Vec<Sample> =
            rolled.iter().filter(|s| of_day(s)).filter(meets).copied().collect();
        if let Some(coarse) = rolled.iter().find(|sample| grain_ms(sample) > step_ms) {
            let refused = columns.map(|_| "buckets").unwrap_err();
            let Error::Coarser { kept_ms, .. } = refused else { panic!("{refused:?}") };
            assert!(kept_ms > step_ms && grain_ms(coarse) > step_ms, "{kept_ms}");
            continue;
        }
        let columns = columns.unwrap();
        let inside = || raw.iter().filter(|s| (from..to).contains(&s.time)).chain(&rolled);
        let total: usize =
            inside().filter(|s| s.reading.is_ok() && s.quality != Quality::Fail).count();
        assert_eq!(columns.count.iter().sum::<u32>() as usize, total, "in steps of {step_ms}");
        for (index, &start) in columns.time_ms.iter().enumerate() {
            let bucket = start..start + step_ms;
            let of_bucket = inside().filter(|s| bucket.contains(&s.time.millis()));
            let usable = of_bucket.clone().filter(|s| s.quality != Quality::Fail);
            let values: Vec<i32> = usable.filter_map(|s| s.reading.ok()).map(|v| v.0).collect();
            assert_eq!(columns.count[index] as usize, values.len());
            assert_eq!(columns.min[index], values.iter().min().map(|v| f64::from(*v)));
            assert_eq!(columns.max[index], values.iter().max().map(|v| f64::from(*v)));
            let worst = of_bucket.map(|s| s.reading.map_or(Quality::Missing, |_| s.quality)).max();
            assert_eq!(columns.quality[index], worst);
        }
    }
}

/// Keeps samples for `raw` days, and ten minutes for `more` days more.
fn policy(raw: u64, more: u64) -> Policy {
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    let usual = Keep { raw: days(raw), ten_minutes: days(raw + more) };
    Policy { usual, of: Vec::new() }
}

/// Makes a pass to its end and takes over what it has let go of.
fn retain(engine: &Engine, ids: &[SeriesId], model: &mut Model, policy: &Policy) {
    let gone = engine.retain(policy, Timestamp::MAX).unwrap();
    assert_eq!(gone.damaged_days, 0);
    let retained = |id: &SeriesId| engine.retained(*id).unwrap();
    model.retain(ids.iter().map(retained).enumerate().collect());
    assert_eq!(engine.retain(policy, Timestamp::MAX).unwrap(), LetGo::default(), "one is enough");
}

/// Makes a checkpoint of which so many transactions succeed.
fn checkpoint_until(engine: &Engine, transactions: u32) {
    fail_after(engine, transactions);
    match engine.checkpoint() {
        Ok(()) | Err(Error::Full) => {}
        Err(error) => panic!("{error}"),
    }
}

fn run(actions: Vec<Action>) {
    let dir = directory();
    let mut engine = open(&dir);
    let ids: Vec<SeriesId> = (0..SERIES).map(|index| series(&engine, index)).collect();
    let mut model = Model::default();
    let mut commits: Vec<Vec<Piece>> = Vec::new();
    for (index, action) in actions.into_iter().enumerate() {
        match action {
            Action::Commit(pieces) => {
                let found = engine.commit(&to_batch(&ids, &pieces)).unwrap();
                assert_eq!(found, model.commit(&ids, &pieces));
                commits.push(pieces);
            }
            Action::Again(index) => {
                let Some(pieces) = commits.get(index % commits.len().max(1)) else { continue };
                let found = engine.commit(&to_batch(&ids, pieces)).unwrap();
                assert_eq!(found, model.commit(&ids, pieces));
            }
            Action::Checkpoint => engine.checkpoint().unwrap(),
            Action::Die(transactions) => {
                checkpoint_until(&engine, transactions);
                check(&engine, &ids, &model);
                drop(engine);
                engine = open(&dir);
            }
            Action::Stumble(transactions) => {
                checkpoint_until(&engine, transactions);
                engine.shared.writing().unwrap().writer().fail_after = None;
            }
            Action::Full(pieces) => {
                fail_after(&engine, 0);
                let refused = engine.commit(&to_batch(&ids, &pieces));
                assert!(matches!(&refused, Err(error) if error.is_transient()), "{refused:?}");
                engine.shared.writing().unwrap().writer().fail_after = None;
            }
            Action::Reopen => {
                drop(engine);
                engine = open(&dir);
            }
            Action::Retain(raw, more) => retain(&engine, &ids, &mut model, &policy(raw, more)),
            Action::RetainAndDie(raw, more, transactions) => {
                fail_after(&engine, transactions);
                match engine.retain(&policy(raw, more), Timestamp::MAX) {
                    Ok(_) | Err(Error::Full) => {}
                    Err(error) => panic!("{error}"),
                }
                // Half of it is rolled up: each reading counts once, here or there.
                let days = |id: &SeriesId| {
                    let (from, to) = (20_000 * DAY_MS * 1_000, 20_004 * DAY_MS * 1_000);
                    let [from, to] = [from, to].map(|us| Timestamp::from_micros(us).unwrap());
                    engine.downsample(*id, from, to, DAY_MS, from).unwrap().count
                };
                let before: Vec<_> = ids.iter().map(days).collect();
                drop(engine);
                engine = open(&dir);
                let days = |id: &SeriesId| {
                    let (from, to) = (20_000 * DAY_MS * 1_000, 20_004 * DAY_MS * 1_000);
                    let [from, to] = [from, to].map(|us| Timestamp::from_micros(us).unwrap());
                    engine.downsample(*id, from, to, DAY_MS, from).unwrap().count
                };
                assert_eq!(ids.iter().map(days).collect::<Vec<_>>(), before);
                retain(&engine, &ids, &mut model, &policy(raw, more));
            }
            Action::Release(position) => {
                let upto = position.min(model.journal.len() as u64);
                engine.release(Position(upto)).unwrap();
                model.released = model.released.max(upto);
            }
        }
        check(&engine, &ids, &model);
        // Now and then another process beside it, before memory is in any chunk.
        if index % 4 == 3 {
            check(&Engine::open_read_only(dir.path()).unwrap(), &ids, &model);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn the_engine_holds_what_the_model_holds(actions in prop::collection::vec(any_action(), 1..40)) {
        run(actions);
    }
}
