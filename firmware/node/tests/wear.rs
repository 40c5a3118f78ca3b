//! Pages that wear out: the readings go on into others, and nothing is lost that was confirmed.

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use node::Error;
use sim::Bench;
use sim::flash::{PAGE_BYTES, Wear};

const WAYS: [Wear; 5] =
    [Wear::Stuck(0), Wear::Stuck(60), Wear::Deaf(2), Wear::Deaf(40), Wear::Refuses];

/// Samples and talks for so many rounds, with the link down every now and then, and a start in between.
fn months(bench: &mut Bench, rounds: u32) {
    bench.boot().unwrap();
    for round in 0..rounds {
        match round % 97 {
            0 => bench.connect().unwrap(),
            60 => bench.disconnect(),
            80 => bench.boot().unwrap(),
            _ => {}
        }
        bench.wait(60_000);
        bench.record().unwrap();
        if bench.online {
            bench.pump().unwrap();
        }
    }
    bench.boot().unwrap();
    bench.connect().unwrap();
    bench.record().unwrap();
    bench.pass(60).unwrap();
    bench.nothing_is_lost();
    bench.nothing_is_unsaid();
}

#[test]
fn a_worn_page_of_the_ring_is_passed_over() {
    for way in WAYS {
        for page in 4..12 {
            let mut bench = Bench::new(2, 8);
            bench.flash.wear(page, 2, way);
            months(&mut bench, 600);
            let dropped =
                bench.gateway.gaps.iter().filter(|gap| gap.2 == wire::GapReason::RingFull);
            assert_eq!(dropped.count(), 0, "{way:?}: no page was given up that was waited for");
        }
    }
}

#[test]
fn half_of_the_pages_may_be_worn() {
    for way in WAYS {
        let mut bench = Bench::new(2, 8);
        for page in [4, 5, 6, 9] {
            bench.flash.wear(page, 1, way);
        }
        months(&mut bench, 600);
    }
}

#[test]
fn a_worn_page_of_the_identity_is_passed_over() {
    for way in WAYS {
        for page in 0..4 {
            let mut bench = Bench::new(2, 8);
            bench.flash.wear(page, 1, way);
            months(&mut bench, 600);
            assert_eq!(bench.boots, 8);
            assert_eq!(bench.gateway.births.last().unwrap().boot.0, 8, "{way:?} of page {page}");
        }
    }
}

#[test]
fn a_cut_at_any_word_loses_nothing_on_worn_pages_either() {
    for way in WAYS {
        for cut in (0..3_000).step_by(7) {
            let mut bench = Bench::new(2, 4);
            bench.flash.wear(5, 1, way);
            bench.flash.wear(1, 1, way);
            bench.flash.tear(cut);
            bench.flash.cut_after(Some(cut));
            let ended = (0..60).try_for_each(|round| {
                if round % 20 == 0 {
                    bench.boot()?;
                }
                bench.wait(60_000);
                bench.record().map(drop)
            });
            assert!(matches!(ended, Ok(()) | Err(Error::Flash(_))), "{ended:?}");
            bench.flash.cut_after(None);
            bench.wait(60_000);
            bench.boot().unwrap();
            bench.connect().unwrap();
            bench.record().unwrap();
            bench.pass(60).unwrap();
            bench.nothing_is_lost();
            bench.nothing_is_unsaid();
        }
    }
}

#[test]
fn a_flash_that_is_worn_all_over_says_so_and_keeps_what_it_has() {
    // A deaf bit that the bytes do not need goes unnoticed, and does no harm.
    for way in [Wear::Stuck(0), Wear::Stuck(60), Wear::Refuses] {
        let mut bench = Bench::new(2, 3);
        (4..7).for_each(|page| bench.flash.wear(page, 1, way));
        bench.boot().unwrap();
        let refused = (0..200).find_map(|_| bench.record().err());
        assert!(matches!(refused, Some(Error::Damaged | Error::Flash(_))), "{way:?} {refused:?}");
        // What it had confirmed is there.
        bench.connect().unwrap();
        bench.pass(60).unwrap();
        bench.nothing_is_lost();
    }
}

#[test]
fn the_pages_wear_evenly() {
    let mut bench = Bench::new(8, 8);
    months(&mut bench, 2_000);
    let pages = bench.flash.erases_max();
    // 2,000 rounds of some 60 bytes, in 8 pages in turn.
    let turns = 2_000 * 60 / (8 * PAGE_BYTES as u32);
    assert!(pages <= turns * 2, "one page was erased {pages} times, of {turns} turns");
}
