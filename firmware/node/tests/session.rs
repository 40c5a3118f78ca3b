//! What a node says in which order, and what it makes of the answers.
//!
//! What is known of brokers and clients that lose readings, and the test that holds the node to better:
//!
//! - A broker's PUBACK proves nothing (Mosquitto forgets its queue at a kill, drops all beyond 1,000):
//!   `a_broker_that_takes_and_forgets_loses_nothing`, `an_ack_frees_only_what_it_names`.
//! - An acknowledgement of a dead session confirms another message (packet numbers restart):
//!   `an_ack_of_an_earlier_session_is_by_sequence_and_sets_no_clock`; and of another flash:
//!   `an_ack_of_another_flash_is_ignored`.
//! - Redelivered, doubled and reordered acknowledgements: `acks_that_come_twice_or_late_change_nothing`,
//!   `an_ack_of_half_a_round_frees_that_half`, `an_ack_of_what_was_never_given_frees_nothing`.
//! - A session that the broker lost, with the retained birth: `a_lost_broker_session_costs_one_reconnect`,
//!   `a_gateway_that_does_not_know_the_node_gets_its_birth_again`.
//! - Pending commands are lost with a session, and come again by their id: `each_command_is_answered_and_done_once`.
//! - A late will of an old session: `the_will_names_the_session_that_is_about_to_begin`.
//! - Memory storage and limits of a store (`outbox.rs`), readings before the first clock (`dates.rs`), power
//!   cuts (`outbox.rs`, `model.rs`), alarms through a restart and in gaps (`limits.rs`), back-off (`Dialer`).

#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

mod sim;

use measure::{Sequence, SequenceRange, Timestamp, Uptime};
use node::{Action, Origin, RESEND_JITTER_MS, RESEND_MS};
use sim::{Bench, Sent};
use wire::{Body, Command, Outcome};

/// A bench with a link and a birth that is acknowledged.
fn online(channels: usize) -> Bench {
    let mut bench = Bench::new(channels, 8);
    bench.boot().unwrap();
    bench.connect().unwrap();
    bench
}

/// Takes all messages that the node has for now; the gateway hears none.
fn drain(bench: &mut Bench) -> Vec<Sent> {
    std::iter::from_fn(|| bench.next().unwrap()).collect()
}

/// The gateway acknowledges these sequences and no others.
fn ack(bench: &mut Bench, ranges: &[(u64, u64)]) {
    let ranges: Vec<SequenceRange> = ranges
        .iter()
        .map(|(first, last)| SequenceRange::new(Sequence(*first), Sequence(*last)).unwrap())
        .collect();
    let flash = bench.node().flash_id().0;
    let answer = bench.gateway.ack(flash, &ranges, bench.utc, Uptime(u64::MAX));
    bench.hear(&answer).unwrap();
}

#[test]
fn the_birth_goes_first_and_data_waits_for_its_answer() {
    let mut bench = Bench::new(2, 8);
    bench.boot().unwrap();
    bench.record().unwrap();
    assert!(drain(&mut bench).is_empty(), "nothing without a link");
    bench.gateway.acknowledges = false;
    bench.connect().unwrap();
    bench.wait(1_000);
    bench.record().unwrap();
    assert!(drain(&mut bench).is_empty(), "no data before the birth is answered");
    let birth = bench.gateway.births.last().unwrap();
    assert_eq!((birth.session, birth.next_sequence, birth.ring_used), (1, Sequence(2), 2));
    assert!(bench.gateway.readings.is_empty());

    bench.wait((RESEND_MS + RESEND_JITTER_MS) as i64);
    bench.gateway.acknowledges = true;
    bench.pump().unwrap();
    assert_eq!(bench.gateway.births.len(), 2, "the birth is said again");
    bench.nothing_is_lost();
}

#[test]
fn fresh_readings_overtake_a_backlog() {
    let mut bench = Bench::new(8, 12);
    bench.config.backlog_pause_ms = 2_000;
    bench.boot().unwrap();
    for _ in 0..40 {
        bench.wait(60_000);
        bench.record().unwrap();
    }
    bench.connect().unwrap();
    let backlog = |bench: &mut Bench| bench.node().waiting();
    assert!(backlog(&mut bench) > 100);
    for _ in 0..5 {
        bench.wait(50);
        let fresh = bench.record().unwrap();
        let sent = bench.next().unwrap().unwrap();
        assert_eq!(sent.range(), (fresh.first.0, fresh.first.0 + 7), "fresh readings go first");
        let answers = bench.gateway.hear(&sent, bench.utc);
        answers.iter().for_each(|answer| bench.hear(answer).unwrap());
        bench.pump().unwrap();
    }
    assert!(backlog(&mut bench) > 0);
    bench.pass(60).unwrap();
    bench.nothing_is_lost();
    assert_eq!(backlog(&mut bench), 0);
    assert_eq!(bench.gateway.repeats, 0, "nothing was sent twice");
}

#[test]
fn an_unacknowledged_backlog_leaves_room_for_fresh_readings() {
    let mut bench = Bench::new(8, 12);
    bench.boot().unwrap();
    for _ in 0..60 {
        bench.wait(60_000);
        bench.record().unwrap();
    }
    bench.connect().unwrap();
    bench.disconnect();
    bench.gateway.acknowledges = true;
    bench.node().connected();
    let birth = bench.next().unwrap().unwrap();
    let answers = bench.gateway.hear(&birth, bench.utc);
    answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    for _ in 0..node::FRAMES_IN_FLIGHT_MAX {
        bench.wait(1_000);
        bench.record().unwrap();
        bench.record().unwrap();
    }
    let frames = drain(&mut bench).len();
    assert!(frames <= node::BACKLOG_IN_FLIGHT_MAX + 1, "{frames}");
    let fresh = bench.record().unwrap();
    assert_eq!(bench.next().unwrap().unwrap().range().0, fresh.first.0);
    for _ in 0..20 {
        bench.record().unwrap();
    }
    let frames = frames + 1 + drain(&mut bench).len();
    assert!(frames <= node::FRAMES_IN_FLIGHT_MAX, "{frames} frames under way");
}

#[test]
fn an_ack_frees_only_what_it_names() {
    let mut bench = online(2);
    bench.gateway.acknowledges = false;
    for _ in 0..4 {
        bench.wait(1_000);
        bench.record().unwrap();
        drain(&mut bench);
    }
    ack(&mut bench, &[(2, 3), (6, 7)]);
    bench.disconnect();
    bench.gateway.acknowledges = true;
    bench.gateway.order.clear();
    bench.connect().unwrap();
    assert_eq!(bench.gateway.order, [0, 1, 4, 5]);
    assert_eq!(bench.node().waiting(), 0);
}

#[test]
fn an_ack_of_half_a_round_frees_that_half() {
    let mut bench = online(4);
    bench.record().unwrap();
    drain(&mut bench);
    ack(&mut bench, &[(1, 2)]);
    bench.disconnect();
    bench.connect().unwrap();
    assert_eq!(bench.gateway.order, [0, 3]);
    assert_eq!(bench.node().waiting(), 0);
}

#[test]
fn an_ack_of_what_was_never_given_frees_nothing() {
    let mut bench = online(2);
    ack(&mut bench, &[(0, u64::MAX)]);
    bench.record().unwrap();
    bench.pump().unwrap();
    ack(&mut bench, &[(0, u64::MAX)]);
    bench.record().unwrap();
    drain(&mut bench);
    bench.disconnect();
    bench.connect().unwrap();
    assert_eq!(bench.gateway.order, [0, 1, 2, 3]);
}

#[test]
fn an_ack_of_another_flash_is_ignored() {
    let mut bench = online(2);
    bench.gateway.acknowledges = false;
    bench.record().unwrap();
    drain(&mut bench);
    let flash = bench.node().flash_id().0;
    let range = SequenceRange::new(Sequence(0), Sequence(1)).unwrap();
    let answer = bench.gateway.ack(flash ^ 1, &[range], bench.utc, Uptime(0));
    bench.hear(&answer).unwrap();
    assert_eq!(bench.node().waiting(), 2);
    bench.disconnect();
    bench.gateway.acknowledges = true;
    bench.connect().unwrap();
    assert_eq!(bench.gateway.order, [0, 1]);
}

#[test]
fn a_frame_without_an_answer_is_sent_again_after_half_a_minute() {
    let mut bench = online(2);
    bench.record().unwrap();
    let first = drain(&mut bench);
    let sent_at = bench.now();
    let wake = |bench: &mut Bench| {
        let now = bench.now();
        bench.node().next_wake(now).unwrap()
    };
    let due = wake(&mut bench);
    assert!(due >= sent_at.plus_ms(RESEND_MS));
    assert!(due <= sent_at.plus_ms(RESEND_MS + RESEND_JITTER_MS));
    bench.wait(due.ms_since(sent_at) as i64 - 1);
    assert!(drain(&mut bench).is_empty());
    bench.wait(1);
    let [again] = &drain(&mut bench)[..] else { panic!("not sent again") };
    assert_eq!(again.range(), first[0].range());
}

#[test]
fn resends_of_two_nodes_do_not_come_at_once() {
    let due = |boots: u64| {
        let mut bench = Bench::new(1, 8);
        bench.boots = boots;
        bench.boot().unwrap();
        bench.connect().unwrap();
        bench.record().unwrap();
        drain(&mut bench);
        let now = bench.now();
        bench.node().next_wake(now).unwrap()
    };
    assert_ne!(due(1), due(2));
}

#[test]
fn a_publish_that_the_client_refused_is_handed_out_again() {
    let mut bench = Bench::new(2, 8);
    bench.boot().unwrap();
    bench.record().unwrap();
    bench.node().connected();
    assert!(bench.next().unwrap().unwrap().is("birth"));
    bench.node().publish_failed();
    bench.pump().unwrap();
    bench.record().unwrap();
    let refused = bench.next().unwrap().unwrap();
    bench.node().publish_failed();
    let again = bench.next().unwrap().unwrap();
    assert_eq!(refused.range(), again.range());
}

#[test]
fn the_will_names_the_session_that_is_about_to_begin() {
    let mut bench = Bench::new(1, 8);
    bench.boot().unwrap();
    for session in 1..4 {
        let mut buffer = [0; wire::DEATH_BYTES_MAX];
        let will = bench.node().will(&mut buffer).unwrap();
        assert_eq!(will.topic, "miaopu/1/nanchuan/bench-7/death");
        assert!(!will.retain);
        let death = wire::decode_death(will.payload).unwrap();
        bench.connect().unwrap();
        let birth = bench.gateway.births.last().unwrap();
        assert_eq!((death.boot, death.session), (birth.boot, session));
        assert_eq!(birth.session, session);
        bench.disconnect();
    }
}

#[test]
fn a_gateway_that_does_not_know_the_node_gets_its_birth_again() {
    let mut bench = online(2);
    bench.gateway.known.clear();
    bench.record().unwrap();
    bench.pump().unwrap();
    assert_eq!(bench.gateway.births.len(), 2);
    assert_eq!(bench.gateway.births[1].session, 1, "it is the same session");
    bench.pass(60).unwrap();
    bench.nothing_is_lost();
    assert_eq!(bench.gateway.answers.last().map(|one| one.1), Some(Outcome::Done));
}

#[test]
fn each_command_is_answered_and_done_once() {
    let mut bench = online(2);
    for command in [Command::Identify, Command::Interval(5_000), Command::Reboot] {
        let asked = bench.gateway.command(command);
        bench.hear(&asked).unwrap();
        bench.hear(&asked).unwrap();
        bench.pump().unwrap();
    }
    assert_eq!(bench.actions, [Action::Identify, Action::Configured, Action::Reboot]);
    assert_eq!(bench.gateway.answers.len(), 6);
    assert!(bench.gateway.answers.iter().all(|answer| answer.1 == Outcome::Done));
}

#[test]
fn an_interval_is_remembered_and_an_impossible_one_refused() {
    let mut bench = online(2);
    let asked = bench.gateway.command(Command::Interval(0));
    bench.hear(&asked).unwrap();
    let asked = bench.gateway.command(Command::Interval(5_000));
    bench.hear(&asked).unwrap();
    bench.pump().unwrap();
    let outcomes: Vec<Outcome> = bench.gateway.answers.iter().map(|answer| answer.1).collect();
    assert_eq!(outcomes, [Outcome::Refused, Outcome::Done]);
    assert_eq!(bench.gateway.births.last().unwrap().interval_ms, 5_000);
    bench.boot().unwrap();
    assert_eq!(bench.node().interval_ms(), 5_000);
}

#[test]
fn an_unknown_command_is_answered_as_such() {
    let mut bench = online(2);
    let payload = vec![0xA3, 0, 1, 18, 7, 19, 23];
    let topic = "miaopu/1/nanchuan/bench-7/cmd".into();
    bench.hear(&sim::gateway::Outgoing { topic, payload }).unwrap();
    bench.pump().unwrap();
    assert_eq!(bench.gateway.answers, [(7, Outcome::Unknown)]);
}

#[test]
fn garbage_and_foreign_topics_are_errors_and_change_nothing() {
    let mut bench = online(2);
    bench.record().unwrap();
    for (topic, payload) in [
        ("miaopu/1/nanchuan/bench-7/ack", &[0xFF, 0x00][..]),
        ("miaopu/1/nanchuan/bench-7/ack", &[]),
        ("miaopu/1/nanchuan/bench-8/ack", &[0xA0]),
        ("miaopu/1/nanchuan/bench-7/birth", &[0xA0]),
        ("miaopu/1/nanchuan/bench-7/ota", &[0xA0]),
        ("other", &[0xA0]),
    ] {
        let message = sim::gateway::Outgoing { topic: topic.into(), payload: payload.into() };
        assert!(bench.hear(&message).is_err(), "{topic}");
    }
    bench.pump().unwrap();
    bench.nothing_is_lost();
}

#[test]
fn readings_that_the_node_does_not_have_are_refused() {
    let mut bench = online(2);
    let good = measure::Quality::Good;
    let one = (2, Ok(measure::Scaled(1)), good);
    let now = bench.now();
    let result = sim::run(bench.node().record(now, &[one], Origin::Live));
    assert!(matches!(result, Err(node::Error::Channel(2))));
    let result = sim::run(bench.node().record(now, &[], Origin::Live));
    assert!(matches!(result, Err(node::Error::Round { count: 0, .. })));
}

#[test]
fn history_is_marked_and_does_not_overtake() {
    let mut bench = online(2);
    bench.record_as(Origin::History).unwrap();
    bench.record().unwrap();
    bench.pump().unwrap();
    assert_eq!(bench.gateway.order, [2, 3, 0, 1]);
    bench.nothing_is_lost();
}

#[test]
fn a_node_with_nothing_to_do_sleeps_until_it_has() {
    let mut bench = online(2);
    let wake = |bench: &mut Bench| {
        let now = bench.now();
        bench.node().next_wake(now)
    };
    assert_eq!(wake(&mut bench), None);
    bench.record().unwrap();
    assert_eq!(wake(&mut bench), Some(bench.now()));
    bench.pump().unwrap();
    assert_eq!(wake(&mut bench), None);
    bench.disconnect();
    bench.record().unwrap();
    assert_eq!(wake(&mut bench), None);
}

#[test]
fn next_wake_never_promises_what_next_publish_does_not_have() {
    let mut bench = Bench::new(8, 12);
    bench.config.backlog_pause_ms = 300;
    bench.boot().unwrap();
    for _ in 0..40 {
        bench.record().unwrap();
    }
    bench.node().connected();
    for _ in 0..200 {
        let now = bench.now();
        let Some(wake) = bench.node().next_wake(now) else { break };
        bench.wait(wake.ms_since(now) as i64);
        let Some(sent) = bench.next().unwrap() else { continue };
        let answers = bench.gateway.hear(&sent, bench.utc);
        answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    }
    bench.nothing_is_lost();
    assert_eq!(bench.node().waiting(), 0);
}

#[test]
fn a_frame_carries_many_rounds() {
    let mut bench = Bench::new(4, 12);
    bench.boot().unwrap();
    for _ in 0..60 {
        bench.wait(60_000);
        bench.record().unwrap();
    }
    bench.connect().unwrap();
    bench.disconnect();
    bench.node().connected();
    let birth = bench.next().unwrap().unwrap();
    let answers = bench.gateway.hear(&birth, bench.utc);
    answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    for _ in 0..40 {
        bench.wait(60_000);
        bench.record().unwrap();
    }
    let frames = drain(&mut bench);
    let readings = |sent: &Sent| match sent.data().body {
        Body::Readings { readings, .. } => readings.len(),
        _ => 0,
    };
    assert!(
        frames.iter().map(readings).max() >= Some(90),
        "{:?}",
        frames.iter().map(readings).collect::<Vec<_>>()
    );
}

#[test]
fn the_node_is_small() {
    let node = size_of::<node::Node<sim::flash::Flash, 32>>();
    assert!(node <= 11 * 1024, "{node} bytes");
    // What the calls take besides, on the stack or in a task.
    let mut bench = online(2);
    let now = bench.now();
    let mut buffer = [0; 1024];
    let open = sim::TestNode::open(bench.flash.clone(), bench.config.clone(), 1, node::Start::Cold);
    let open = size_of_val(&open);
    let publish = size_of_val(&bench.node().next_publish(now, &mut buffer));
    let record = size_of_val(&bench.node().record(now, &[], Origin::Live));
    let receive = size_of_val(&bench.node().receive(now, "", &[]));
    println!("node {node} open {open} publish {publish} record {record} receive {receive}");
    assert!(open <= 24 * 1024 && publish.max(record) <= 3 * 1024 && receive <= 7 * 1024);
}

#[test]
fn the_first_reading_is_dated_by_the_answer_to_the_birth() {
    let mut bench = Bench::new(1, 8);
    bench.gateway.latency_ms = 40;
    bench.wait(5_000);
    bench.boot().unwrap();
    bench.wait(1_234);
    bench.record().unwrap();
    let truth = bench.utc;
    bench.connect().unwrap();
    let stored = bench.gateway.readings.values().next().unwrap();
    let utc: Timestamp = stored.utc.unwrap();
    assert!(utc.ms_since(truth).abs() <= 1, "{utc:?} {truth:?}");
    assert!(!stored.uncertain);
}

/// Takes all messages as a broker does that confirms them and is killed before it passes them on.
#[test]
fn a_broker_that_takes_and_forgets_loses_nothing() {
    let mut bench = online(4);
    for _ in 0..20 {
        bench.wait(1_000);
        bench.record().unwrap();
        assert!(!drain(&mut bench).is_empty());
        bench.disconnect();
        bench.node().connected();
        let birth = bench.next().unwrap().unwrap();
        let answers = bench.gateway.hear(&birth, bench.utc);
        answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    }
    assert_eq!(bench.node().waiting(), 80);
    bench.pass(120).unwrap();
    bench.nothing_is_lost();
    assert_eq!(bench.node().waiting(), 0);
}

#[test]
fn an_ack_of_an_earlier_session_is_by_sequence_and_sets_no_clock() {
    let mut bench = Bench::new(2, 8);
    bench.boot().unwrap();
    bench.record().unwrap();
    let flash = bench.node().flash_id().0;
    let range = SequenceRange::new(Sequence(0), Sequence(1)).unwrap();
    // The echo is of a message that this session did not send, and its clock a day off.
    let wrong = bench.utc.plus_ms(86_400_000);
    let stale = bench.gateway.ack(flash, &[range], wrong, Uptime(77));
    bench.node().connected();
    bench.next().unwrap().unwrap();
    bench.hear(&stale).unwrap();
    assert_eq!(bench.node().boot_utc(), None, "no clock from it");
    assert!(bench.next().unwrap().is_none(), "and the birth still waits for its own answer");
    assert_eq!(bench.node().waiting(), 0, "but what is on disk is on disk");
}

#[test]
fn acks_that_come_twice_or_late_change_nothing() {
    let mut bench = online(2);
    bench.gateway.acknowledges = false;
    let mut sent = Vec::new();
    for _ in 0..3 {
        bench.wait(1_000);
        bench.record().unwrap();
        sent.extend(drain(&mut bench));
    }
    bench.gateway.acknowledges = true;
    let answers: Vec<_> =
        sent.iter().rev().flat_map(|sent| bench.gateway.hear(sent, bench.utc)).collect();
    for answer in answers.iter().chain(&answers).chain(answers.iter().rev()) {
        bench.hear(answer).unwrap();
    }
    assert_eq!(bench.node().waiting(), 0);
    assert!(drain(&mut bench).is_empty());
    bench.record().unwrap();
    bench.pump().unwrap();
    answers.iter().for_each(|answer| bench.hear(answer).unwrap());
    bench.nothing_is_lost();
    assert_eq!(bench.gateway.repeats, 0);
}

#[test]
fn a_lost_broker_session_costs_one_reconnect() {
    let mut bench = online(2);
    bench.gateway.acknowledges = false;
    bench.record().unwrap();
    drain(&mut bench);
    bench.disconnect();
    // Broker and gateway know nothing any more: no retained birth, no session.
    bench.gateway.known.clear();
    bench.gateway.acknowledges = true;
    bench.connect().unwrap();
    bench.nothing_is_lost();
    assert_eq!(bench.node().waiting(), 0);
}
