//! Dead letters that are taken again.

use crate::common::{
    Fault, Gateway, Node, birth, bytes, embedded, eventually, now, range, sampled,
};
use ingest::DeadLetter;
use measure::{BootId, FlashId, Quantity, Sequence, Slug, Uptime};
use wire::{Birth, Body, Data, Death, Outcome};

fn frame(first: u64, channels: &[u8]) -> Data {
    let readings = channels.iter().zip(1..).map(|(&channel, nth)| sampled(channel, nth, 20_000));
    Data {
        flash: FlashId(7),
        boot: BootId(1),
        sent: Uptime(60_000),
        body: Body::Readings {
            first: Sequence(first),
            boot_utc: Some(now().plus_ms(-60_000)),
            uncertain: false,
            history: false,
            readings: readings.collect(),
        },
    }
}

/// The birth with a third channel.
fn with_more_channels() -> Birth {
    let mut birth = birth(7, 2, 1);
    let mut third = birth.channels[0].clone();
    (third.quantity, third.position) = (Quantity::Co2, Slug::new("roof").unwrap());
    assert!(birth.channels.push(third).is_ok());
    birth
}

fn ask(gateway: &Gateway, letters: Vec<DeadLetter>) {
    let mut asked = gateway.book.asked.lock().unwrap();
    asked.extend((1..).zip(letters));
}

async fn settled(gateway: &Gateway) -> Vec<(i64, Result<(), String>)> {
    eventually("the outcome", || gateway.book.asked.lock().unwrap().is_empty()).await;
    std::mem::take(&mut gateway.book.outcomes.lock().unwrap())
}

#[tokio::test]
async fn a_letter_that_is_good_now_is_stored_once() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "grown").await;
    node.send(&frame(1, &[0, 2, 1])).await;
    node.acknowledged(&[range(1, 3)]).await;
    assert_eq!(gateway.store.count(), 2);
    let letters = gateway.book.letters.lock().unwrap().clone();
    ask(&gateway, letters.clone());
    let still = Err("channel 2 of 2 in the birth".to_owned());
    assert_eq!(settled(&gateway).await, [(1, still)]);

    node.give_birth(&with_more_channels()).await;
    node.ack().await;
    for _ in 0..2 {
        ask(&gateway, letters.clone());
        assert_eq!(settled(&gateway).await, [(1, Ok(()))]);
        assert_eq!(gateway.store.count(), 3);
    }
    // It is in the journal, and its node is told nothing: the echo in the letter is old.
    assert_eq!(*gateway.outlets.position.borrow(), store::Position(2));
    node.hears_nothing().await;
    assert_eq!(gateway.outlets.counters.letters_replayed.get(), 2);
    assert_eq!(gateway.book.letters.lock().unwrap().len(), 1, "it makes no letter of a letter");
}

#[tokio::test]
async fn a_letter_waits_for_a_store_that_fails() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let mut node = Node::born(gateway.port, "patient").await;
    let payload = bytes(&node.frame(1, 4), wire::encode_data);
    let topic = "miaopu/1/s/patient/data".to_owned();
    gateway.store.fail(Some(Fault::Full));
    ask(&gateway, vec![DeadLetter { topic, payload, reason: String::new(), time: now() }]);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert!(gateway.book.outcomes.lock().unwrap().is_empty());
    gateway.store.fail(None);
    assert_eq!(settled(&gateway).await, [(1, Ok(()))]);
    assert_eq!(gateway.store.count(), 4);
    node.send(&node.frame(1, 4)).await;
    node.acknowledged(&[range(1, 4)]).await;
    assert_eq!(gateway.store.count(), 4);
}

#[tokio::test]
async fn what_belongs_to_its_moment_or_is_garbled_is_refused_in_words() {
    let broker = embedded(0);
    let gateway = Gateway::start(broker.address().port()).await;
    let node = Node::born(gateway.port, "moment").await;
    let letter = |topic: &str, payload: Vec<u8>| DeadLetter {
        topic: topic.to_owned(),
        payload,
        reason: "of old".to_owned(),
        time: now(),
    };
    let body = Body::Answer { id: 1, outcome: Outcome::Done, detail: Default::default() };
    let answer = Data { flash: FlashId(7), boot: BootId(1), sent: Uptime(5), body };
    let other_flash = Data { flash: FlashId(8), ..node.frame(1, 1) };
    let death = bytes(&Death { boot: BootId(1), session: 1 }, wire::encode_death);
    let data = "miaopu/1/s/moment/data";
    let encoded = |data: &Data| bytes(data, wire::encode_data);
    let cases = [
        (letter("elsewhere", vec![]), ""),
        (letter(data, vec![0xFF; 9]), ""),
        (letter(data, encoded(&answer)), "of its moment"),
        (letter("miaopu/1/s/moment/death", death), "of its moment"),
        (letter(data, encoded(&other_flash)), "no birth of s/moment"),
        (letter("miaopu/1/s/nobody/data", encoded(&node.frame(1, 1))), "no birth of s/nobody"),
        (letter(data, encoded(&frame(1, &[]))), ""),
    ];
    let (letters, words): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    ask(&gateway, letters);
    let outcomes = settled(&gateway).await;
    assert_eq!(outcomes.len(), words.len());
    for ((number, outcome), words) in outcomes.iter().zip(words) {
        let reason = outcome.as_ref().expect_err("it is refused");
        assert!(!reason.is_empty() && reason.contains(words), "{number}: {reason}");
    }
    assert_eq!((gateway.store.count(), gateway.book.letters.lock().unwrap().len()), (0, 0));
    let presence = gateway.outlets.nodes.borrow()[&node.key].presence;
    assert_eq!(presence, ingest::Presence::Online, "an old death says nothing");
}
