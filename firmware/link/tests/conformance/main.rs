//! What every client of a node must do, whoever the broker is: the same cases for `link` (minimq, on
//! chips) and for `host` (rumqttc), against Mosquitto where it does, and against a peer that misbehaves
//! on command where Mosquitto would not. Times are only waited for; the one that is measured is a pause
//! that must not be shorter than drawn.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod clients;
mod desk;
mod peer;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clients::{Client, PAUSE_FLOOR_MS, Running};
use desk::{Clerk, Desk, Mosquitto, free_address};
use peer::{Act, Peer, Puback};

/// What a well-behaved peer does.
const SERVE: Act = Act::Serve(Puback::AtOnce, 0);
/// The node's clock where its own time-outs are waited for: 30 s are 1.5 s.
const FAST: f64 = 20.0;

/// What a peer does on each connection, counted from 0.
type Script = fn(usize) -> Act;

/// Runs a case for each client, at once.
fn both(case: fn(Client)) {
    thread::scope(|scope| {
        let cases = [Client::Minimq, Client::Rumqttc].map(|client| {
            let named = thread::Builder::new().name(format!("{client:?}"));
            named.spawn_scoped(scope, move || case(client)).unwrap()
        });
        let ended = cases.map(|case| case.join().is_ok());
        assert_eq!(ended, [true; 2], "minimq, rumqttc");
    });
}

/// Runs a node against a scripted peer until it has connected so many times, and all that it recorded
/// is delivered and freed.
fn through(client: Client, speed: f64, script: Script, connections: usize) -> Peer {
    let desk = Desk::new(speed);
    let peer = Peer::start(Arc::clone(&desk), script);
    let node = Running::start(client, &desk, &[peer.address]);
    desk.until("the last connection", |seen| {
        peer.spans().len() >= connections && seen.kept.len() > 10
    });
    desk.until_all(node.recorded() + 10);
    peer
}

/// Each of the first `tries` connections came after a longer pause than the one before it.
#[track_caller]
fn check_pauses(peer: &Peer, tries: usize) {
    let spans = peer.spans();
    assert_eq!(spans.len(), tries + 1, "one try too many: {spans:?}");
    for (failed, pair) in spans.windows(2).enumerate() {
        let pause = pair[1].came.duration_since(pair[0].ended.unwrap());
        let floor = Duration::from_millis(PAUSE_FLOOR_MS << failed);
        assert!(pause >= floor, "after {} failed tries: {pause:?}", failed + 1);
    }
}

#[test]
fn a_birth_is_answered_and_data_are_acknowledged_and_freed() {
    both(|client| {
        let desk = Desk::new(1.0);
        let Some(broker) = Mosquitto::start(free_address()) else { return };
        let _clerk = Clerk::start(Arc::clone(&desk), broker.address);
        let node = Running::start(client, &desk, &[broker.address]);
        desk.until("readings", |seen| seen.kept.len() > 10);
        let seen = desk.until_all(node.recorded() + 80);
        assert!(seen.sessions.iter().all(|session| *session == seen.sessions[0]), "one session");
    });
}

#[test]
fn a_broker_that_is_killed_and_forgets_costs_nothing() {
    both(|client| {
        let desk = Desk::new(1.0);
        let address = free_address();
        let Some(mut broker) = Mosquitto::start(address) else { return };
        let _clerk = Clerk::start(Arc::clone(&desk), address);
        let node = Running::start(client, &desk, &[address]);
        for births in 1..=2 {
            let kept = desk.until("now", |_| true).kept.len();
            desk.until("readings of this session", |seen| {
                seen.sessions.len() >= births && seen.kept.len() > kept + 10
            });
            drop(broker);
            // Recorded while there is nobody.
            let recorded = node.recorded();
            while node.recorded() < recorded + 10 {
                thread::sleep(Duration::from_millis(10));
            }
            broker = Mosquitto::start(address).unwrap();
        }
        let seen = desk.until_all(node.recorded() + 20);
        assert!(seen.sessions.len() >= 3, "{:?}", seen.sessions);
    });
}

#[test]
fn refused_credentials_are_tried_again_after_pauses_that_grow() {
    both(|client| {
        const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
        let script = |index| if index < 4 { Act::Refuse(BAD_USER_NAME_OR_PASSWORD) } else { SERVE };
        check_pauses(&through(client, 1.0, script, 5), 4);
    });
}

#[test]
fn a_connection_that_ends_right_after_connack_is_tried_again_after_pauses_that_grow() {
    both(|client| {
        let script = |index| if index < 4 { Act::CloseAfterConnack } else { SERVE };
        check_pauses(&through(client, 1.0, script, 5), 4);
    });
}

#[test]
fn a_connection_that_ends_right_after_suback_is_tried_again_after_pauses_that_grow() {
    both(|client| {
        let script = |index| if index < 4 { Act::CloseAfterSuback } else { SERVE };
        check_pauses(&through(client, 1.0, script, 5), 4);
    });
}

/// For `link` only: the simulated board knows one address.
#[test]
fn where_the_first_gateway_is_dead_the_second_one_is_used() {
    let desk = Desk::new(1.0);
    let peer = Peer::start(Arc::clone(&desk), |_| SERVE);
    let gateways = [free_address(), peer.address];
    let node = Running::start(Client::Minimq, &desk, &gateways);
    desk.until("readings", |seen| seen.kept.len() > 10);
    desk.until_all(node.recorded() + 10);
}

#[test]
fn a_bad_peer_that_says_nothing_more_is_given_up() {
    both(|client| {
        // 40 s, for two keepalives of the simulated board; by its name it begins first.
        let scripts: [(f64, Script); 3] = [
            (1.0, |index| if index < 1 { Act::Silent } else { SERVE }),
            (1.0, |index| if index < 1 { Act::SilentOnceSubscribed } else { SERVE }),
            // Delivers, shows signs of life, and never says that it has a message.
            (FAST, |index| if index < 1 { Act::Serve(Puback::Never, 0) } else { SERVE }),
        ];
        thread::scope(|scope| {
            for (speed, script) in scripts {
                scope.spawn(move || through(client, speed, script, 2));
            }
        });
    });
}

#[test]
fn late_acknowledgements_of_the_broker_cost_nothing() {
    both(|client| {
        let peer = through(client, 1.0, |_| Act::Serve(Puback::Late, 0), 1);
        assert_eq!(peer.spans().len(), 1, "a late one is no reason to leave");
    });
}

#[test]
fn what_a_broker_has_acknowledged_and_lost_is_sent_again_on_the_same_connection() {
    both(|client| {
        let peer = through(client, FAST, |_| Act::Serve(Puback::AtOnce, 5), 1);
        assert_eq!(peer.spans().len(), 1, "the node's own time brings it again");
    });
}

/// Longer than either client announces that it takes.
const TOO_LONG: usize = 6_000;

#[test]
fn a_message_that_is_too_long_is_dropped_by_the_broker_and_the_connection_stands() {
    both(|client| {
        let desk = Desk::new(1.0);
        let Some(broker) = Mosquitto::start(free_address()) else { return };
        let _clerk = Clerk::start(Arc::clone(&desk), broker.address);
        let node = Running::start(client, &desk, &[broker.address]);
        desk.until("readings", |seen| seen.kept.len() > 10);
        desk.order(vec![0; TOO_LONG]);
        let seen = desk.until_all(node.recorded() + 40);
        assert!(seen.sessions.iter().all(|session| *session == seen.sessions[0]), "one session");
    });
}

#[test]
fn a_message_that_is_too_long_and_comes_all_the_same_costs_no_reading() {
    both(|client| {
        let desk = Desk::new(1.0);
        let peer = Peer::start(Arc::clone(&desk), |_| SERVE);
        let node = Running::start(client, &desk, &[peer.address]);
        desk.until("readings", |seen| seen.kept.len() > 10);
        desk.order(vec![0; TOO_LONG]);
        desk.until("another connection", |_| peer.spans().len() > 1);
        desk.until_all(node.recorded() + 40);
    });
}
