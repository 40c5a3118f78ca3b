//! Power cuts: what the disk held at every sync, and anything it may have held in between.
//!
//! SQLite promises that what was written before a sync is on disk after it, and of what was written
//! since the disk may hold any sectors, old or new, in any order, and any length of a file that was
//! growing. So the files are copied at each sync, and between two copies sectors are drawn. What is
//! opened from that must be what the model holds before or after, whole, and take the same batch
//! again. (Errors of the sync itself, and a full disk, are in `faults` and in the story
//! `full_disk`; a file that changes by itself is in `check`.)

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::model::{Action, Model, Piece, SERIES, any_pieces, check, to_batch};
use super::*;
use crate::Position;

/// What a disk writes as a whole.
const SECTOR: usize = 512;
/// How many disks are drawn between two syncs.
const DRAWN: u64 = 2;

/// The files at a sync.
#[derive(Clone, Default, PartialEq, Eq)]
struct Image {
    file: Vec<u8>,
    log: Vec<u8>,
}

impl Image {
    fn of(file: &Path) -> Self {
        let log = fs::read(file.with_extension("sqlite-wal")).unwrap_or_default();
        Self { file: fs::read(file).unwrap_or_default(), log }
    }

    fn put(&self, file: &Path) {
        fs::write(file, &self.file).unwrap();
        fs::write(file.with_extension("sqlite-wal"), &self.log).unwrap();
    }

    /// Returns a disk whose power was cut between two syncs.
    fn torn(&self, next: &Self, random: &mut u64) -> Self {
        Self { file: torn(&self.file, &next.file, random), log: torn(&self.log, &next.log, random) }
    }
}

fn draw(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    *random >> 33
}

fn torn(old: &[u8], new: &[u8], random: &mut u64) -> Vec<u8> {
    if old == new {
        return old.to_vec();
    }
    let (short, long) = (old.len().min(new.len()), old.len().max(new.len()));
    let sectors = (long - short).div_ceil(SECTOR) as u64;
    let length = (short + (draw(random) % (sectors + 1)) as usize * SECTOR).min(long);
    // All that is new up to somewhere, or each sector for itself.
    let in_order = draw(random).is_multiple_of(2);
    let until = draw(random) as usize % (long + 1);
    let mut disk = vec![0; length];
    for (index, sector) in disk.chunks_mut(SECTOR).enumerate() {
        let start = index * SECTOR;
        let is_new = if in_order { start < until } else { draw(random).is_multiple_of(2) };
        let from = if is_new { new } else { old };
        // Past its end a file that grows holds nothing, or what another file has left there.
        let from = from.get(start..).unwrap_or_default();
        let held = from.len().min(sector.len());
        sector[..held].copy_from_slice(&from[..held]);
    }
    disk
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => any_pieces().prop_map(Action::Commit),
        2 => Just(Action::Checkpoint),
        1 => (0_u64..20).prop_map(Action::Release),
    ]
}

fn run(actions: Vec<Action>, seed: u64) {
    let dir = directory();
    let file: PathBuf = super::super::database::path(dir.path());
    let engine = open(&dir);
    let ids: Vec<SeriesId> = (0..SERIES).map(|index| series(&engine, index)).collect();
    let images = Arc::new(Mutex::new(vec![Image::of(&file)]));
    let (pushed, watched) = (Arc::clone(&images), file);
    let after_sync = move || pushed.lock().unwrap().push(Image::of(&watched));
    engine.shared.writing().unwrap().writer().after_sync = Some(Box::new(after_sync));
    // The model after each image, and what the commit brought that made it.
    let mut models: Vec<(Model, Option<Vec<Piece>>)> = vec![(Model::default(), None)];
    for action in actions {
        let mut model = models.last().unwrap().0.clone();
        let brought = match action {
            Action::Commit(pieces) => {
                assert_eq!(
                    engine.commit(&to_batch(&ids, &pieces)).unwrap(),
                    model.commit(&ids, &pieces)
                );
                Some(pieces)
            }
            Action::Release(position) => {
                let upto = position.min(model.journal.len() as u64);
                engine.release(Position(upto)).unwrap();
                model.released = model.released.max(upto);
                None
            }
            _ => {
                engine.checkpoint().unwrap();
                None
            }
        };
        let count = images.lock().unwrap().len();
        models.resize(count, (model.clone(), brought.clone()));
        // What was released counts from now on: the next checkpoint may trim it.
        models.last_mut().unwrap().0.released = model.released;
    }
    drop(engine);
    let images = images.lock().unwrap();
    let mut random = seed;
    for (at, pair) in images.windows(2).enumerate() {
        for _ in 0..DRAWN {
            let disk = directory();
            pair[0].torn(&pair[1], &mut random).put(&super::super::database::path(disk.path()));
            let ((before, _), (after, brought)) = (&models[at], &models[at + 1]);
            let released = before.released.max(after.released);
            let (mut before, mut after) = (before.clone(), after.clone());
            (before.released, after.released) = (released, released);
            let engine = open(&disk);
            let last = engine.last_position().unwrap().0;
            if last == before.journal.len() as u64 {
                before.released = before.released.min(last);
                check(&engine, &ids, &before);
                // It was not acknowledged, so it comes again.
                if let Some(pieces) = brought {
                    engine.commit(&to_batch(&ids, pieces)).unwrap();
                }
            }
            check(&engine, &ids, &after);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(8) })]

    #[test]
    fn a_power_cut_leaves_what_was_acknowledged_and_whole_commits(
        actions in prop::collection::vec(any_action(), 4..20),
        seed in any::<u64>(),
    ) {
        run(actions, seed);
    }
}
