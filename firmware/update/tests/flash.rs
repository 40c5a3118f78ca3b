//! The slot and its progress through power cuts at every byte that is written or erased.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails at once"
)]

mod sim;

use sha2::{Digest as _, Sha256};
use sim::{Flash, PAGE_BYTES, run};
use update::{Begun, Error, IMAGE_TRIES_MAX, Loader, Manifest, STAGES_MAX, Took, Updater, Work};
use wire::{Chunk, UpdateState};

use measure::{Slug, Uptime};

type Tested = Updater<Flash, Flash>;

/// Four pages of slot, three of image; the last chunk is short and no whole word.
fn image(seed: u8) -> Vec<u8> {
    (0..2 * PAGE_BYTES + 700 + 3)
        .map(|at| (at as u8).wrapping_mul(31) ^ seed ^ (at >> 8) as u8)
        .collect()
}

fn manifest(release: u32, image: &[u8]) -> Manifest {
    Manifest {
        target: Slug::new("test").unwrap(),
        release,
        version: "0.2.0".try_into().unwrap(),
        length: image.len() as u32,
        sha256: Sha256::digest(image).into(),
    }
}

fn open(slot: &Flash, progress: &Flash, running: u32, loader: Loader) -> Tested {
    run(Updater::open(slot.clone(), progress.clone(), running, loader)).unwrap()
}

fn chunk(release: u32, offset: u32, bytes: &[u8]) -> Chunk<'_> {
    Chunk { release, offset, bytes }
}

/// Gives what is wanted until nothing is, and checks it. Returns the furthest byte that was kept.
fn feed(
    updater: &mut Tested,
    release: u32,
    image: &[u8],
    kept: &mut u32,
) -> Result<(), Error<sim::PowerCut, sim::PowerCut>> {
    while let Some((offset, length)) = updater.wanted() {
        let bytes = &image[offset as usize..][..usize::from(length)];
        assert_eq!(run(updater.chunk(&chunk(release, offset, bytes)))?, Took::Kept);
        *kept = offset + u32::from(length);
    }
    while run(updater.work())? == Work::More {}
    Ok(())
}

fn fetch(
    slot: &Flash,
    progress: &Flash,
    (release, image): (u32, &[u8]),
    kept: &mut u32,
) -> Result<(), Error<sim::PowerCut, sim::PowerCut>> {
    let mut updater = run(Updater::open(slot.clone(), progress.clone(), 1, Loader::Settled))?;
    run(updater.begin(&manifest(release, image)))?;
    feed(&mut updater, release, image, kept)?;
    assert!(updater.is_staged());
    Ok(())
}

/// Bytes written and erased by the whole update.
fn whole() -> u64 {
    let (slot, progress) = (Flash::new(4), Flash::new(1));
    // The meter runs in both.
    let meter = slot.share_power(&progress);
    fetch(&slot, &progress, (2, &image(0)), &mut 0).unwrap();
    meter.spent()
}

#[test]
fn a_power_cut_at_any_byte_neither_skips_nor_spoils_a_page() {
    let (old, new, all) = (image(0x55), image(0), whole());
    for cut in 0..all {
        let (slot, progress) = (Flash::new(4), Flash::new(1));
        let meter = slot.share_power(&progress);
        // The slot holds another image of another update, marked whole.
        fetch(&slot, &progress, (9, &old), &mut 0).unwrap();
        let mut kept = 0;
        // A second cut hits the resumed update.
        for budget in [cut, (cut * 7919) % all] {
            meter.cut_after(Some(budget));
            let before = kept;
            let ended = fetch(&slot, &progress, (2, &new), &mut kept);
            meter.cut_after(None);
            let mut again = open(&slot, &progress, 1, Loader::Settled);
            if ended.is_ok() {
                continue;
            }
            let Some(known) = again.manifest().filter(|it| it.release == 2).cloned() else {
                // Cut before its record was there: it begins anew.
                kept = 0;
                continue;
            };
            let wanted = again.wanted().map_or(known.length, |(offset, _)| offset);
            let done = wanted as usize;
            assert_eq!(
                slot.bytes()[..done],
                new[..done],
                "cut at {cut}: bytes that are counted are wrong"
            );
            let page = PAGE_BYTES as u32;
            assert!(wanted >= kept / page * page, "cut at {cut}: {wanted} after {kept}, {before}");
            assert!(!again.is_staged(), "it is hashed again first");
            assert_eq!(run(again.begin(&known)).unwrap(), Begun::Already);
        }
        fetch(&slot, &progress, (2, &new), &mut kept).unwrap();
        assert_eq!(slot.bytes()[..new.len()], new[..], "cut at {cut}");
    }
}

#[test]
fn what_was_not_asked_for_is_ignored_and_a_repeat_is_harmless() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    let mut updater = open(&slot, &progress, 1, Loader::Settled);
    assert_eq!(run(updater.chunk(&chunk(2, 0, &new[..512]))).unwrap(), Took::Ignored);
    run(updater.begin(&manifest(2, &new))).unwrap();
    let mut take = |release, offset: usize, length: usize| {
        let bytes = &new[offset..offset + length];
        run(updater.chunk(&chunk(release, offset as u32, bytes))).unwrap()
    };
    assert_eq!(take(3, 0, 512), Took::Ignored, "another release");
    assert_eq!(take(2, 512, 512), Took::Ignored, "another place");
    assert_eq!(take(2, 0, 511), Took::Ignored, "another length");
    assert_eq!(take(2, 0, 512), Took::Kept);
    let erased = slot.erases();
    assert_eq!(take(2, 0, 512), Took::Ignored, "a repeat");
    assert_eq!(take(2, 512, 512), Took::Kept);
    assert_eq!(slot.erases(), erased);
    feed(&mut updater, 2, &new, &mut 0).unwrap();
    assert!(updater.is_staged());
    assert_eq!(slot.erases(), 3, "each page of the image once, none ahead");
}

#[test]
fn a_newer_offer_gives_up_the_older_and_the_same_one_goes_on() {
    let (slot, progress, first, second) = (Flash::new(4), Flash::new(1), image(1), image(2));
    let mut updater = open(&slot, &progress, 1, Loader::Settled);
    run(updater.begin(&manifest(2, &first))).unwrap();
    run(updater.chunk(&chunk(2, 0, &first[..512]))).unwrap();
    assert_eq!(run(updater.begin(&manifest(2, &first))).unwrap(), Begun::Already);
    assert_eq!(updater.wanted(), Some((512, 512)));
    assert_eq!(run(updater.begin(&manifest(3, &second))).unwrap(), Begun::Anew);
    assert_eq!(updater.wanted(), Some((0, 512)));
    assert_eq!(run(updater.chunk(&chunk(2, 0, &first[..512]))).unwrap(), Took::Ignored);
    feed(&mut updater, 3, &second, &mut 0).unwrap();
    assert_eq!(slot.bytes()[..second.len()], second[..]);
    let mut long = manifest(4, &second);
    long.length = 4 * PAGE_BYTES as u32 + 1;
    assert!(matches!(run(updater.begin(&long)), Err(Error::Layout(_))));
}

#[test]
fn an_image_that_is_not_what_was_signed_is_never_staged() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    let mut wrong = new.clone();
    wrong[900] ^= 1;
    let mut updater = open(&slot, &progress, 1, Loader::Settled);
    run(updater.begin(&manifest(2, &new))).unwrap();
    for tries in 1..=IMAGE_TRIES_MAX {
        feed(&mut updater, 2, &wrong, &mut 0).unwrap();
        assert!(!updater.is_staged());
        assert_eq!(updater.wanted().is_some(), tries < IMAGE_TRIES_MAX);
        // The count outlives a restart.
        updater = open(&slot, &progress, 1, Loader::Settled);
    }
    let word = updater.say(Uptime(0), 0).unwrap();
    assert_eq!((word.state, word.release), (UpdateState::Refused, 2));
    assert!(!word.detail.is_empty());
    assert_eq!(updater.say(Uptime(1), 0), None, "once in a session");
    updater.linked();
    assert!(updater.say(Uptime(2), 0).is_some());
    // A person may offer it once more.
    assert_eq!(run(updater.begin(&manifest(2, &new))).unwrap(), Begun::Anew);
    feed(&mut updater, 2, &new, &mut 0).unwrap();
    assert!(updater.is_staged());
}

#[test]
fn a_flash_that_reads_back_wrong_is_tried_three_times_and_refused() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    slot.stick(700);
    let mut updater = open(&slot, &progress, 1, Loader::Settled);
    run(updater.begin(&manifest(2, &new))).unwrap();
    let mut wrong = 0;
    while let Some((offset, length)) = updater.wanted() {
        let bytes = &new[offset as usize..][..usize::from(length)];
        if run(updater.chunk(&chunk(2, offset, bytes))).unwrap() == Took::Wrong {
            wrong += 1;
            assert_eq!(updater.wanted().map(|(at, _)| at), (wrong < 3).then_some(0));
        }
    }
    assert_eq!(wrong, 3);
    let mut again = open(&slot, &progress, 1, Loader::Settled);
    assert_eq!(again.say(Uptime(0), 0).unwrap().state, UpdateState::Refused);
}

#[test]
fn an_image_that_was_reverted_is_not_started_again() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    fetch(&slot, &progress, (2, &new), &mut 0).unwrap();
    // The loader swaps and swaps back: the slot holds the image as before.
    for loader in [Loader::Reverted, Loader::Settled] {
        let mut updater = open(&slot, &progress, 1, loader);
        while run(updater.work()).unwrap() == Work::More {}
        assert!(!updater.is_staged());
        assert_eq!(updater.say(Uptime(0), 0).unwrap().state, UpdateState::RolledBack);
    }
}

#[test]
fn an_image_that_never_comes_up_is_started_three_times_where_the_loader_says_nothing() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    fetch(&slot, &progress, (2, &new), &mut 0).unwrap();
    for _ in 1..STAGES_MAX {
        let mut updater = open(&slot, &progress, 1, Loader::Settled);
        while run(updater.work()).unwrap() == Work::More {}
        assert!(updater.is_staged());
    }
    let mut updater = open(&slot, &progress, 1, Loader::Settled);
    while run(updater.work()).unwrap() == Work::More {}
    assert_eq!(updater.say(Uptime(0), 0).unwrap().state, UpdateState::RolledBack);
}

#[test]
fn the_new_image_says_trial_and_then_confirmed() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    fetch(&slot, &progress, (2, &new), &mut 0).unwrap();
    let mut updater = open(&slot, &progress, 2, Loader::Trial);
    assert!(updater.is_trial() && !updater.is_staged());
    assert_eq!(updater.say(Uptime(0), 0).unwrap().state, UpdateState::Trial);
    updater.confirmed();
    assert_eq!(updater.say(Uptime(1), 0).unwrap().state, UpdateState::Confirmed);
    let mut later = open(&slot, &progress, 2, Loader::Settled);
    assert_eq!((later.say(Uptime(0), 0), later.wanted()), (None, None));
    // One that is older than what runs is no business of it.
    let mut newer = open(&slot, &progress, 3, Loader::Settled);
    assert_eq!((newer.say(Uptime(0), 0), newer.wanted()), (None, None));
}

#[test]
fn bytes_are_asked_for_every_five_seconds_then_every_minute() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    let mut updater = open(&slot, &progress, 1, Loader::Settled);
    run(updater.begin(&manifest(2, &new))).unwrap();
    let mut now = Uptime(1_000);
    for nth in 1..=20_u64 {
        let word = updater.say(now, nth * 777).unwrap();
        assert_eq!((word.state, word.offset, word.length), (UpdateState::Wanting, 0, 512));
        let next = updater.next_wake(now).unwrap();
        let span = if nth <= 12 { 5_000..=6_000 } else { 60_000..=61_000 };
        assert!(span.contains(&next.ms_since(now)), "{nth}: {next}");
        assert_eq!(updater.say(Uptime(next.0 - 1), 0), None);
        now = next;
    }
    updater.linked();
    assert!(updater.say(now, 0).is_some(), "a new session is asked at once");
    run(updater.chunk(&chunk(2, 0, &new[..512]))).unwrap();
    assert_eq!(
        updater.say(now, 0).unwrap().offset,
        512,
        "after a chunk the next is asked for at once"
    );
}

#[test]
fn a_record_that_was_damaged_is_none() {
    let (slot, progress, new) = (Flash::new(4), Flash::new(1), image(0));
    fetch(&slot, &progress, (2, &new), &mut 0).unwrap();
    let sound = progress.bytes();
    for at in 0..160 {
        progress.restore(&sound);
        progress.damage(at);
        let updater = open(&slot, &progress, 1, Loader::Settled);
        // Behind the sum nothing is said.
        assert_eq!(updater.manifest().is_some(), at >= 144, "byte {at}");
    }
}
