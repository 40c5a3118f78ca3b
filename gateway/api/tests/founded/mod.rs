//! The first hour over HTTP: a site, a zone with a crop, a node with its secret.

use people::Role;
use serde_json::{Value, json};

use crate::world::{World, node_key};

#[track_caller]
fn post(world: &World, token: &str, path: &str, body: &Value, status: u16) -> Value {
    let answer = world.post(token, &format!("/api/v1{path}"), body);
    assert_eq!(answer.status, status, "{path}: {}", answer.body);
    answer.json()
}

fn site() -> Value {
    json!({
        "site": "jinfo", "name": { "zh": "金佛山苗圃", "en": "Jinfo nursery" },
        "latitude_deg": 29.05, "longitude_deg": 107.18, "time_zone": "Asia/Shanghai",
    })
}

fn zone(growing: &Value) -> Value {
    json!({
        "site": "jinfo", "zone": "house-1", "name": { "zh": "一号棚", "en": "House 1" },
        "kind": "house", "growing": growing,
    })
}

#[test]
fn the_first_hour_leads_from_a_site_to_a_node_that_may_connect() {
    let world = World::start();
    let token = world.token(Role::Grower);
    let setup = || world.get(&token, "/api/v1/setup").json();
    assert_eq!((&setup()["sites"], &setup()["zones"]), (&json!(1), &json!(2)));
    assert_eq!((&setup()["nodes"], &setup()["heard"]), (&json!(2), &json!(0)));
    assert_eq!(setup()["readings"], false);

    let made = post(&world, &token, "/sites", &site(), 200);
    assert_eq!((&made["time_zone"], &made["zones"]), (&json!("Asia/Shanghai"), &json!([])));
    let empty = post(&world, &token, "/zones", &zone(&Value::Null), 200);
    assert_eq!(empty["growing"], Value::Null);
    assert_eq!((&setup()["zones"], &setup()["planted"]), (&json!(3), &json!(2)));
    let crops = world.get(&token, "/api/v1/crops").json();
    let method = &crops[0]["methods"][0];
    assert_eq!((&crops[0]["crop"], &method["method"]), (&json!("rice"), &json!("tray")));
    assert_eq!(method["stages"][1]["days_max"], 5.0);
    let growing = json!({ "crop": "rice", "method": "tray", "stage": "hardening" });
    let planted = post(&world, &token, "/zones", &zone(&growing), 200);
    assert_eq!(planted["growing"], growing);
    let sites = world.get(&token, "/api/v1/sites").json();
    assert_eq!(sites[0]["zones"][0]["growing"], growing, "sites are in order of their ids");
    assert_eq!(setup()["planted"], 3);

    let node = json!({ "site": "jinfo", "node": "bench-1", "zone": "house-1" });
    let secret = post(&world, &token, "/nodes", &node, 201);
    assert_eq!(secret["username"], "jinfo/bench-1");
    let password = secret["secret"].as_str().unwrap();
    assert_eq!(secret["credentials"], format!("jinfo/bench-1 {password}"));
    let mut key = node_key("bench-1");
    key.site = crate::world::slug("jinfo");
    assert!(world.registry.admits(&key, password).unwrap());
    assert_eq!(setup()["nodes"], 3);
    let renewed = post(&world, &token, "/nodes", &node, 201);
    assert!(renewed["secret"] != secret["secret"]);
    assert!(!world.registry.admits(&key, password).unwrap());

    world.measure("n1", measure::Quantity::AirTemperature, &[21.0]);
    assert_eq!((&setup()["heard"], &setup()["readings"]), (&json!(1), &json!(true)));
}

#[test]
fn changing_a_zone_keeps_its_day_and_its_limits() {
    let world = World::start();
    let token = world.token(Role::Grower);
    let before = world.registry.zones().unwrap();
    let mut house = before[0].clone();
    house.expected_interval_ms = 30_000;
    let plan = registry::Plan { zones: vec![house.clone()], ..registry::Plan::default() };
    let now = crate::world::at(crate::world::NOW_MS);
    world.registry.apply(&plan, &people::Actor::CommandLine, now).unwrap();
    let renamed = json!({
        "site": "nanchuan", "zone": "house-1", "name": { "zh": "茶棚", "en": "Tea house" },
        "kind": "house",
    });
    post(&world, &token, "/zones", &renamed, 200);
    let after = world.registry.zones().unwrap();
    assert_eq!(after[0].names.en(), "Tea house");
    assert_eq!((&after[0].day, after[0].expected_interval_ms), (&house.day, 30_000));
    assert_eq!(after[0].growing, None, "it is empty or told by batches");
}

#[test]
fn what_is_wrong_with_a_place_is_told_by_its_field() {
    let world = World::start();
    let token = world.token(Role::Grower);
    let refused = |path: &str, body: Value, status: u16, field: Option<&str>| {
        let problem = post(&world, &token, path, &body, status);
        assert_eq!(problem["field"].as_str(), field, "{problem}");
        assert!(!problem["message"]["zh"].as_str().unwrap().is_empty());
    };
    let with = |name: &str, value: Value| {
        let mut body = site();
        body[name] = value;
        body
    };
    refused("/sites", with("site", json!("Jin fo")), 422, Some("site"));
    refused("/sites", with("name", json!({ "zh": "金佛", "en": " " })), 422, Some("name"));
    refused("/sites", with("latitude_deg", json!(91.0)), 422, Some("latitude_deg"));
    refused("/sites", with("longitude_deg", json!(181.0)), 422, Some("longitude_deg"));
    refused("/sites", with("time_zone", json!("Asia/Nanchuan")), 422, Some("time_zone"));
    refused("/zones", zone(&Value::Null), 404, None);
    post(&world, &token, "/sites", &site(), 200);
    let growing = |stage: &str| json!({ "crop": "rice", "method": "tray", "stage": stage });
    refused("/zones", zone(&growing("sleep")), 422, Some("stage"));
    refused("/zones", zone(&growing("A b")), 422, Some("growing.stage"));
    let node = |node: &str| json!({ "site": "jinfo", "node": node, "zone": "house-9" });
    refused("/nodes", node("bench-1"), 404, None);
    refused("/nodes", node("bench/1"), 422, Some("node"));
    assert_eq!(world.registry.sites().unwrap().len(), 2);
}
