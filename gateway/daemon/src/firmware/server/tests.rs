//! What follows from what nodes say.

use measure::{BootId, FlashId, Sequence, Slug, Uptime};
use people::Actor;

use super::*;

fn node() -> NodeKey {
    NodeKey { site: Slug::new("s").unwrap(), node: Slug::new("n1").unwrap() }
}

fn birth(target: &str, release: u32) -> Birth {
    Birth {
        flash: FlashId(1),
        boot: BootId(1),
        session: 1,
        uptime: Uptime(0),
        next_sequence: Sequence(0),
        ring_used: 0,
        ring_size: 10,
        interval_ms: 1_000,
        next_due_ms: None,
        firmware: "test".try_into().unwrap(),
        channels: Default::default(),
        settings: 0,
        rolled_back: None,
        heartbeat_ms: None,
        target: Some(Slug::new(target).unwrap()),
        release,
    }
}

fn book(state: RolloutState) -> Book {
    let mut book = Book::default();
    book.take(vec![Rollout {
        node: node(),
        release: ReleaseKey { target: Slug::new("board").unwrap(), number: 5 },
        state,
        had: 0,
        detail: String::new(),
        offered: Timestamp::MIN,
        by: Actor::CommandLine,
        changed: Timestamp::MIN,
    }]);
    book
}

fn state(book: &Book) -> RolloutState {
    book.rollouts[&node()].state
}

#[track_caller]
fn after_birth(before: RolloutState, release: u32, expect: RolloutState) {
    let mut book = book(before);
    book.born(&node(), &birth("board", release), Timestamp::MIN);
    assert_eq!(state(&book), expect);
    assert_eq!(book.unsaved().len(), usize::from(before != expect));
}

#[test]
fn the_release_of_a_birth_decides() {
    use RolloutState::{
        Cancelled, Confirmed, Offered, Refused, RolledBack, Staged, Trial, Wanting,
    };
    for before in [Offered, Wanting, Staged, Trial, RolledBack, Cancelled] {
        after_birth(before, 5, Confirmed);
    }
    for before in [Offered, Wanting, Staged, RolledBack, Refused, Cancelled] {
        after_birth(before, 4, before);
    }
    after_birth(Trial, 4, RolledBack);
    after_birth(Confirmed, 4, RolledBack);
    after_birth(Offered, 6, Refused);
    let mut book = book(Offered);
    book.born(&node(), &birth("other", 1), Timestamp::MIN);
    assert_eq!(state(&book), Refused);
    assert_eq!(book.rollouts[&node()].detail, "node is for other");
}

#[test]
fn an_open_offer_is_said_again_at_the_next_birth_and_a_closed_one_is_not() {
    let mut open = book(RolloutState::Wanting);
    assert!(open.take_unasked().is_empty(), "it fetches already");
    open.born(&node(), &birth("board", 4), Timestamp::MIN);
    assert_eq!(open.take_unasked().len(), 1);
    let (_, answer) = oneshot::channel();
    open.asked(node(), open.rollouts[&node()].release.clone(), answer);
    assert!(open.take_unasked().is_empty());
    let mut over = book(RolloutState::RolledBack);
    over.born(&node(), &birth("board", 4), Timestamp::MIN);
    assert!(
        over.take_unasked().is_empty(),
        "an image that was rolled back is offered by a person only"
    );
    assert_eq!(book(RolloutState::Offered).take_unasked().len(), 1);
}

#[test]
fn a_refusal_is_kept_with_the_nodes_word() {
    let mut book = book(RolloutState::Offered);
    let (tell, answer) = oneshot::channel();
    book.asked(node(), book.rollouts[&node()].release.clone(), answer);
    book.hear_answers(Timestamp::MIN);
    assert_eq!(state(&book), RolloutState::Offered);
    tell.send(Answer::Refused("signed by none of our keys".to_owned())).unwrap();
    book.hear_answers(Timestamp::MIN);
    assert_eq!(state(&book), RolloutState::Refused);
    assert_eq!(book.rollouts[&node()].detail, "signed by none of our keys");
}

#[test]
fn only_an_open_offer_is_served_and_the_newest_question_counts() {
    let want = |book: &mut Book, release, offset| {
        book.told(&node(), release, (UpdateState::Wanting, offset, 512), "", Timestamp::MIN);
        book.wants.iter().map(|it| it.offset).collect::<Vec<_>>()
    };
    let mut open = book(RolloutState::Offered);
    assert!(want(&mut open, 4, 0).is_empty(), "another release");
    assert_eq!(want(&mut open, 5, 0), [0]);
    assert_eq!(want(&mut open, 5, 512), [512]);
    assert_eq!((state(&open), open.rollouts[&node()].had), (RolloutState::Wanting, 512));
    for over in [RolloutState::Cancelled, RolloutState::Refused, RolloutState::RolledBack] {
        assert!(want(&mut book(over), 5, 0).is_empty());
    }
}

#[test]
fn bytes_beyond_the_image_are_not_served() {
    let image = [1, 2, 3];
    assert_eq!(slice(&image, 1, 2), Some(&[2, 3][..]));
    for (offset, length) in [(1, 3), (3, 1), (u32::MAX, 1), (0, 0), (0, 513)] {
        assert_eq!(slice(&image, offset, length), None);
    }
    assert_eq!(slice(&[0; 600], 0, 513), None);
}

#[test]
fn bandwidth_is_shared_by_all_nodes() {
    let now = clock::instant();
    assert_eq!(next_turn(now, OTA_BYTES_PER_SECOND) - now, Duration::from_secs(1));
    assert_eq!(next_turn(now, 0), now);
}
