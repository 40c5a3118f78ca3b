//! What is promised of the webhook.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use notify::{Office, SigningKey, Webhook, WebhookSettings};
use registry::DeliveryState;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::hook::{Asked, Hook};
use crate::world::*;

/// 24 bytes.
const KEY: &[u8; 24] = b"twenty-four bytes secret";

fn hooked(hook: &Hook) -> Office {
    let key = SigningKey::new(&format!("whsec_{}", STANDARD.encode(KEY))).unwrap();
    let url = format!("http://{}/alarms?from=miaopu", hook.address);
    let webhook = Webhook::new(&WebhookSettings { url, key, ca_pem: None }).unwrap();
    office(None, Some(webhook))
}

/// HMAC-SHA256 from its definition (RFC 2104), for keys of at most 64 bytes.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = block.map(|byte| byte ^ 0x36);
    let outer = block.map(|byte| byte ^ 0x5c);
    let inner = Sha256::new().chain_update(inner).chain_update(text).finalize();
    Sha256::new().chain_update(outer).chain_update(inner).finalize().to_vec()
}

fn verify(asked: &Asked) {
    let (id, time) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
    let signed = [format!("{id}.{time}.").as_bytes(), &asked.body].concat();
    let expect = format!("v1,{}", STANDARD.encode(hmac(KEY, &signed)));
    assert_eq!(asked.header("webhook-signature"), expect);
}

#[tokio::test]
async fn the_webhook_is_told_everything_under_a_signature_that_anyone_with_the_key_can_check() {
    let hook = Hook::start(&["204 No Content"]).await;
    let mut world = World::new("B");
    world.raise();
    world.courier(hooked(&hook)).round().await.unwrap();
    let [asked] = hook.asked().try_into().unwrap();
    verify(&asked);
    assert!(asked.head.starts_with("POST /alarms?from=miaopu HTTP/1.1"), "{}", asked.head);
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.header("host"), hook.address.to_string());
    assert_eq!(asked.header("webhook-timestamp"), (at(0).millis() / 1_000).to_string());
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(
        (&body["type"], &body["timestamp"]),
        (&json!("alarm.raised"), &json!("2026-11-23T06:11:00Z"))
    );
    let data = &body["data"];
    assert_eq!(data["zone"], json!({ "id": "house-1", "zh": "一号棚", "en": "House 1" }));
    assert_eq!(
        (&data["value"], &data["limit"], &data["unit"]),
        (&json!(38.2), &json!(35.0), &json!("Cel"))
    );
    assert_eq!((&data["severity"], &data["side"]), (&json!("high"), &json!("high")));
    assert_eq!(data["started_ms"], at(1).millis());
    assert_eq!(data["link"], "https://miaopu.example:8443/alarms/1");
    assert!(data["action"]["zh"].as_str().unwrap().starts_with("打开通风"));
    assert_eq!(world.registry.deliveries(ALARM).unwrap()[0].to.name, "127.0.0.1");

    world.minutes(12, 25.0);
    world.courier(hooked(&hook)).round().await.unwrap();
    let body: Value = serde_json::from_slice(&hook.asked()[1].body).unwrap();
    assert_eq!((&body["type"], &body["data"]["value"]), (&json!("alarm.returned"), &json!(25.0)));
}

#[tokio::test]
async fn a_webhook_that_is_down_is_asked_again_with_the_same_id() {
    let hook = Hook::start(&["503 Down", "429 Slow down", "200 OK"]).await;
    let mut world = World::new("B");
    world.raise();
    let mut courier = world.courier(hooked(&hook));
    for _ in 0..3 {
        courier.round().await.unwrap();
        world.pass_ms(60_000);
    }
    let asked = hook.asked();
    asked.iter().for_each(verify);
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|it| it.header("webhook-id") == asked[0].header("webhook-id")));
    assert!(asked.iter().all(|it| it.body == asked[0].body));
    assert_ne!(asked[0].header("webhook-timestamp"), asked[1].header("webhook-timestamp"));
    let delivery = world.registry.deliveries(ALARM).unwrap().pop().unwrap();
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Sent, 3));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_refusal_is_final() {
    for answer in ["302 Found\r\nlocation: http://127.0.0.1:1/", "401 Unauthorized"] {
        let hook = Hook::start(&[answer]).await;
        let mut world = World::new("B");
        world.raise();
        let mut courier = world.courier(hooked(&hook));
        assert_eq!(courier.round().await.unwrap(), None);
        world.pass_ms(3_600_000);
        courier.round().await.unwrap();
        assert_eq!(hook.asked().len(), 1, "{answer}");
        let delivery = world.registry.deliveries(ALARM).unwrap().pop().unwrap();
        assert_eq!(delivery.state, DeliveryState::Failed);
        assert!(delivery.error.unwrap().contains(&answer[..3]));
    }
}
