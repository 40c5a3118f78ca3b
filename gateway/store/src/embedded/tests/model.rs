//! Random lists of actions, on the engine and on a model that is slow and obvious.

use std::collections::{BTreeMap, BTreeSet};

use measure::{Fault, Reading, SequenceRange};
use proptest::prelude::*;

use super::*;
use crate::{Committed, Error, Flag, Gap, GapReason, Position, Taken};

const SERIES: usize = 4;
const FLASHES: [FlashId; 2] = [FlashId(1), FlashId(2)];

#[derive(Clone, Debug)]
enum Action {
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
}

#[derive(Clone, Debug)]
enum Piece {
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

fn any_pieces() -> impl Strategy<Value = Vec<Piece>> {
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
    ]
}

/// What the engine must hold.
#[derive(Default)]
struct Model {
    series: BTreeMap<usize, BTreeMap<i64, Sample>>,
    kept: BTreeSet<(usize, u64)>,
    given_up: BTreeSet<(usize, u64)>,
    journal: Vec<Vec<Sample>>,
    released: u64,
}

impl Model {
    fn commit(&mut self, ids: &[SeriesId], pieces: &[Piece]) -> Committed {
        let mut entry: Vec<Sample> = Vec::new();
        // What stands anew of what was there before this batch, and whether the journal tells.
        let mut anew: BTreeMap<(SeriesId, i64), (Sample, bool)> = BTreeMap::new();
        let newest: BTreeMap<SeriesId, i64> = self
            .series
            .iter()
            .filter_map(|(index, taken)| Some((ids[*index], *taken.last_key_value()?.0)))
            .collect();
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
        let position = Position(self.journal.len() as u64);
        Committed { position, kept, repeated, shifted, late, replaced, flagged, expired: 0 }
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

fn to_batch(ids: &[SeriesId], pieces: &[Piece]) -> Batch {
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

fn check(engine: &Engine, ids: &[SeriesId], model: &Model) {
    for (index, &id) in ids.iter().enumerate() {
        let expect: Vec<Sample> =
            model.series.get(&index).into_iter().flat_map(|s| s.values().copied()).collect();
        assert_eq!(scan(engine, id), expect, "series {index}");
        check_buckets(engine, id, &expect);
    }
    let latest = |index| model.series.get(&index).and_then(|s| s.values().next_back().copied());
    let expect: Vec<Sample> = (0..SERIES).filter_map(latest).collect();
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
fn check_buckets(engine: &Engine, id: SeriesId, samples: &[Sample]) {
    let from = Timestamp::from_micros(20_000 * DAY_MS * 1_000 + 59_999_999).unwrap();
    let to = from.plus_ms(DAY_MS + 61_000);
    let inside = || samples.iter().filter(|s| (from..to).contains(&s.time));
    for step_ms in [60_000, 3_600_000, 7_200_000, 2 * DAY_MS] {
        let columns = engine.downsample(id, from, to, step_ms, Timestamp::MIN).unwrap();
        for (index, &start) in columns.time_ms.iter().enumerate() {
            let of_bucket =
                inside().filter(|s| (start..start + step_ms).contains(&s.time.millis()));
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
