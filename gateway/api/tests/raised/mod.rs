//! Batches over HTTP: begun, moved, staged, closed, and what that does to the bands of a house.

use people::Role;
use serde_json::{Value, json};

use crate::world::{MINUTE_MS, NOW_MS, World};

const HOUR_MS: i64 = 60 * MINUTE_MS;

fn rice(batch: &str, zone: &str, started_ms: i64) -> Value {
    json!({
        "site": "nanchuan", "batch": batch, "label": "早稻一批", "crop": "rice", "method": "tray",
        "zone": zone, "plants": 480, "started": started_ms.to_string(),
    })
}

#[track_caller]
fn post(world: &World, token: &str, path: &str, body: &Value, status: u16) -> Value {
    let answer = world.post(token, &format!("/api/v1{path}"), body);
    assert_eq!(answer.status, status, "{path}: {}", answer.body);
    answer.json()
}

#[test]
fn a_batch_is_begun_moved_staged_and_closed() {
    let world = World::start();
    let token = world.token(Role::Grower);
    let started = NOW_MS - 10 * HOUR_MS;
    let begun = post(&world, &token, "/batches", &rice("rice-1", "house-1", started), 201);
    assert_eq!(begun["stage"], "nursery", "the first stage of the method");
    assert_eq!(begun["crop_name"]["en"], "rice");
    assert_eq!((&begun["zone_name"]["en"], &begun["leads"]), (&json!("House 1"), &json!(true)));

    let path = "/batches/nanchuan/rice-1";
    let at = |hours: i64| (NOW_MS - hours * HOUR_MS).to_string();
    let to = json!({ "zone": "house-2", "position": "bench-3", "at": at(6), "reason": "light" });
    let moved = post(&world, &token, &format!("{path}/move"), &to, 200);
    assert_eq!((&moved["zone"], &moved["position"]), (&json!("house-2"), &json!("bench-3")));
    let stage = json!({ "stage": "hardening", "at": at(4) });
    let staged = post(&world, &token, &format!("{path}/stage"), &stage, 200);
    assert_eq!(staged["stage_since_ms"], NOW_MS - 4 * HOUR_MS);
    let end = json!({ "reason": "dispatched", "at": at(2) });
    let closed = post(&world, &token, &format!("{path}/close"), &end, 200);
    assert_eq!(closed["closed_reason"], "dispatched");
    assert_eq!((&closed["zone"], &closed["leads"]), (&Value::Null, &json!(false)));

    let detail = world.get(&token, &format!("/api/v1{path}")).json();
    let stages: Vec<_> = detail["stages"].as_array().unwrap().iter().collect();
    assert_eq!(stages[0]["to_ms"], NOW_MS - 4 * HOUR_MS);
    assert_eq!((&stages[1]["days_min"], &stages[1]["days_max"]), (&json!(3.0), &json!(5.0)));
    assert_eq!(stages[1]["to_ms"], NOW_MS - 2 * HOUR_MS);
    assert_eq!(detail["placements"][1]["to_ms"], NOW_MS - 2 * HOUR_MS);
    let told = |event: &Value| {
        let text = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
        (text("kind"), text("reason"), event["words"]["en"].as_str().unwrap().to_owned())
    };
    let events: Vec<_> = detail["events"].as_array().unwrap().iter().map(told).collect();
    let expect = [
        ("added", "-", "begun, 2026-11-23 04:00"),
        ("moved", "light", "moved to House 2, bench-3, 2026-11-23 08:00"),
        ("staged", "-", "entered the stage \"hardening\", 2026-11-23 10:00"),
        ("closed", "dispatched", "closed, 2026-11-23 12:00"),
    ];
    let expect = expect.map(|(kind, why, words)| (kind.into(), why.into(), words.into()));
    assert_eq!(events, expect);
    assert_eq!(detail["events"][0]["by"], "token:grower");
}

#[test]
fn the_stage_of_the_leading_batch_gives_the_house_its_bands_then_and_now() {
    let world = World::start();
    let token = world.token(Role::Grower);
    world.measure("n1", measure::Quantity::AirTemperature, &[21.0]);
    let stage_told = || {
        let overview = world.get(&token, "/api/v1/overview").json();
        let zones = overview["zones"].as_array().unwrap().clone();
        let house = zones.into_iter().find(|it| it["zone"] == "house-1").unwrap();
        house["stage"]["en"].as_str().unwrap().to_owned()
    };
    assert_eq!(stage_told(), "nursery");
    let started = NOW_MS - 10 * HOUR_MS;
    post(&world, &token, "/batches", &rice("rice-1", "house-1", started), 201);
    let stage = json!({ "stage": "hardening", "at": (NOW_MS - 4 * HOUR_MS).to_string() });
    post(&world, &token, "/batches/nanchuan/rice-1/stage", &stage, 200);

    assert_eq!(stage_told(), "hardening", "the tile follows at once");
    let from = NOW_MS - 12 * HOUR_MS;
    let zone = |path: &str| world.get(&token, &format!("/api/v1/zones/nanchuan/{path}")).json();
    let detail = zone(&format!("house-1?from={from}&to={NOW_MS}"));
    let stages = detail["stages"].as_array().unwrap();
    let spans: Vec<_> = stages
        .iter()
        .map(|it| (it["stage"]["en"].as_str().unwrap(), it["span"]["from_ms"].as_i64().unwrap()))
        .collect();
    // Before the batch the zone's own word counts, which is the same stage.
    assert_eq!(spans, [("nursery", from), ("hardening", NOW_MS - 4 * HOUR_MS)]);
    let steps = detail["bands"][0]["steps"].as_array().unwrap();
    let last = steps.last().unwrap();
    assert_eq!(
        (&last["from_ms"], &last["band"]["target_high"]),
        (&json!(NOW_MS - 4 * HOUR_MS), &json!(20.0))
    );
    assert_eq!(detail["summary"]["stage"]["en"], "hardening");
    assert_eq!(detail["summary"]["worst"]["beyond"], "band");
    let batches = detail["batches"].as_array().unwrap();
    assert_eq!((batches.len(), &batches[0]["batch"]), (1, &json!("rice-1")));
    assert_eq!(zone("house-2")["summary"]["stage"]["en"], "nursery");
    assert!(zone("house-2")["batches"].as_array().unwrap().is_empty());

    let sites = world.get(&token, "/api/v1/sites").json();
    assert_eq!(sites[0]["zones"][0]["growing"]["stage"], "hardening");
    let overview = world.get(&token, "/api/v1/overview").json();
    assert_eq!(overview["sites"], sites);

    // A younger batch comes and leads; when it goes, the older one does again.
    post(&world, &token, "/batches", &rice("rice-2", "house-1", NOW_MS - HOUR_MS), 201);
    assert_eq!(zone("house-1")["summary"]["stage"]["en"], "nursery");
    let older = world.get(&token, "/api/v1/batches/nanchuan/rice-1").json();
    assert_eq!((&older["batch"]["leads"], &older["sisters"]), (&json!(false), &json!(["rice-2"])));
    post(&world, &token, "/batches/nanchuan/rice-2/close", &json!({ "reason": "lost" }), 200);
    assert_eq!(zone("house-1")["summary"]["stage"]["en"], "hardening");
}

#[test]
fn batches_are_listed_by_state_and_place() {
    let world = World::start();
    let token = world.token(Role::Grower);
    for (id, zone, hours) in [("a", "house-1", 3), ("b", "house-2", 2), ("c", "house-1", 1)] {
        post(&world, &token, "/batches", &rice(id, zone, NOW_MS - hours * HOUR_MS), 201);
    }
    post(&world, &token, "/batches/nanchuan/c/close", &json!({ "reason": "lost" }), 200);
    let ids = |query: &str| {
        let listed = world.get(&token, &format!("/api/v1/batches{query}")).json();
        let batches = listed["batches"].as_array().unwrap();
        batches.iter().map(|it| it["batch"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(""), "b a");
    assert_eq!(ids("?state=all"), "b a c");
    assert_eq!(ids("?state=closed&zone=house-1"), "c");
    assert_eq!(ids("?site=nanchuan&zone=house-1"), "a");
    assert_eq!(ids("?site=elsewhere"), "");
    assert_eq!(world.get(&token, "/api/v1/batches?state=gone").status, 422);
}

#[test]
fn what_cannot_be_done_to_a_batch_is_refused_with_its_field_in_both_languages() {
    let world = World::start();
    let token = world.token(Role::Grower);
    let begun = rice("rice-1", "house-1", NOW_MS - HOUR_MS);
    post(&world, &token, "/batches", &begun, 201);
    let refused = |path: &str, body: Value, status: u16, field: Option<&str>| {
        let problem = post(&world, &token, path, &body, status);
        assert_eq!(problem["field"].as_str(), field, "{problem}");
        assert!(!problem["message"]["zh"].as_str().unwrap().is_empty());
    };
    let with = |name: &str, value: Value| {
        let mut body = rice("rice-9", "house-1", NOW_MS - HOUR_MS);
        body[name] = value;
        body
    };
    refused("/batches", begun, 409, None);
    refused("/batches", with("batch", json!("Rice 9")), 422, Some("batch"));
    refused("/batches", with("crop", json!("banana")), 422, Some("crop"));
    refused("/batches", with("method", json!("air")), 422, Some("method"));
    refused("/batches", with("stage", json!("sleep")), 422, Some("stage"));
    refused("/batches", with("zone", json!("house-9")), 404, None);
    refused("/batches", with("accession", json!("CHN999:X")), 404, None);
    refused("/batches", with("accession", json!("X")), 422, Some("accession"));
    refused("/batches", with("started", json!("tomorrow")), 422, Some("started"));
    let ahead = (NOW_MS + HOUR_MS).to_string();
    refused("/batches", with("started", json!(ahead)), 422, Some("started"));
    let path = "/batches/nanchuan/rice-1";
    let early = (NOW_MS - 2 * HOUR_MS).to_string();
    refused(&format!("{path}/move"), json!({ "zone": "house-2", "at": early }), 422, Some("at"));
    refused(&format!("{path}/move"), json!({ "zone": "house-1" }), 422, Some("zone"));
    refused(&format!("{path}/stage"), json!({ "stage": "sleep" }), 422, Some("stage"));
    refused(&format!("{path}/close"), json!({ "reason": " " }), 422, Some("reason"));
    refused("/batches/nanchuan/none/close", json!({ "reason": "lost" }), 404, None);
    refused("/batches/nanchuan/none/stage", json!({ "stage": "nursery" }), 404, None);
    post(&world, &token, &format!("{path}/close"), &json!({ "reason": "lost" }), 200);
    refused(&format!("{path}/move"), json!({ "zone": "house-2" }), 422, Some("batch"));
    assert_eq!(world.get(&token, "/api/v1/batches/nanchuan/none").status, 404);
}
