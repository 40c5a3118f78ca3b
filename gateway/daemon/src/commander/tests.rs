//! What goes out, when, and who is told.

use ingest::NodeEvent;
use measure::{Slug, Timestamp};

use super::*;

fn node() -> NodeKey {
    NodeKey { site: Slug::new("east").expect("a slug"), node: Slug::new("n1").expect("a slug") }
}

fn commander() -> Commander {
    Commander::new(Downlink::default(), u32::MAX)
}

/// The longest that may lie between two tries.
const STEP: Duration = Duration::from_secs(13);

fn answered(commander: &Commander, id: u32, outcome: Outcome) {
    let (at, detail) = (Timestamp::MIN, "why".to_owned());
    commander.heed(NodeEvent::Answer { node: node(), id, outcome, detail, at });
}

/// Returns the id of the command on its way and how often it was said.
fn under_way(commander: &Commander) -> Vec<(u32, u32)> {
    let waiting = commander.lock();
    let queue = waiting.nodes.get(&node()).into_iter().flatten();
    queue.filter(|it| it.tries > 0).map(|it| (it.id, it.tries)).collect()
}

#[test]
fn a_command_is_said_six_times_and_then_counts_as_not_answered() {
    let commander = commander();
    let mut asked = commander.ask(&node(), Command::Identify).expect("there is room");
    let mut now = clock::instant();
    for tries in 1..=TRIES_MAX {
        let due = commander.say_due(now).expect("it is said again");
        assert_eq!(under_way(&commander), [(u32::MAX, tries)]);
        assert!(due >= now + RESEND && due < now + RESEND * 5 / 4, "{:?}", due - now);
        assert_eq!(commander.say_due(due - Duration::from_millis(1)), Some(due));
        now = due;
    }
    assert!(asked.answer.try_recv().is_err());
    assert_eq!(commander.say_due(now), None);
    assert_eq!(asked.answer.try_recv(), Ok(Answer::None));
}

#[test]
fn an_answer_ends_it_and_lets_the_next_one_go() {
    let commander = commander();
    let mut first = commander.ask(&node(), Command::Reboot).expect("there is room");
    let mut next = commander.ask(&node(), Command::Identify).expect("there is room");
    assert_eq!((first.id, next.id), (u32::MAX, 0));
    let now = clock::instant();
    commander.say_due(now);
    assert_eq!(under_way(&commander), [(u32::MAX, 1)]);
    answered(&commander, 77, Outcome::Done);
    assert!(first.answer.try_recv().is_err());
    answered(&commander, u32::MAX, Outcome::Done);
    assert_eq!(first.answer.try_recv(), Ok(Answer::Done));
    commander.say_due(now);
    assert_eq!(under_way(&commander), [(0, 1)]);
    answered(&commander, 0, Outcome::Refused);
    assert_eq!(next.answer.try_recv(), Ok(Answer::Refused("why".to_owned())));
}

#[test]
fn what_is_right_tomorrow_waits_for_the_next_birth_and_holds_nobody_up() {
    let commander = commander();
    let mut slow = commander.ask(&node(), Command::Interval(60_000)).expect("there is room");
    let mut now = clock::instant();
    for _ in 0..=TRIES_MAX {
        commander.say_due(now);
        now += STEP;
    }
    assert!(under_way(&commander).is_empty());
    assert_eq!(commander.say_due(now + STEP * 100), None);
    let mut quick = commander.ask(&node(), Command::Identify).expect("there is room");
    commander.say_due(now);
    assert_eq!(under_way(&commander), [(0, 1)]);
    answered(&commander, 0, Outcome::Unknown);
    assert_eq!(quick.answer.try_recv(), Ok(Answer::Unknown));
    commander.heed(NodeEvent::Birth { node: node(), at: Timestamp::MIN });
    commander.say_due(clock::instant());
    assert_eq!(under_way(&commander), [(u32::MAX, 1)]);
    answered(&commander, u32::MAX, Outcome::Done);
    assert_eq!(slow.answer.try_recv(), Ok(Answer::Done));
}

#[test]
fn a_ninth_command_is_refused_until_one_is_taken_back() {
    let commander = commander();
    let mut asked: Vec<Asked> = (0..COMMANDS_A_NODE_MAX)
        .map(|_| commander.ask(&node(), Command::Identify).expect("there is room"))
        .collect();
    assert!(matches!(commander.ask(&node(), Command::Identify), Err(Busy)));
    asked.pop();
    assert!(commander.ask(&node(), Command::Identify).is_ok());
}
