//! Calibrations over HTTP: entered by who may, told with what they touch, seen in every answer.

use measure::Quantity;
use people::Role;
use serde_json::json;

use crate::world::{MINUTE_MS, NOW_MS, World};

#[test]
fn a_calibration_holds_at_once_and_says_what_it_touches() {
    let world = World::start();
    let (technician, viewer) = (world.token(Role::Technician), world.token(Role::Viewer));
    let series = world.measure("n1", Quantity::AirTemperature, &[20.0, 21.0, 22.0, 23.0]);
    let path = format!("/api/v1/channels/{series}/calibrations");
    let from = (NOW_MS - MINUTE_MS).to_string();
    let asked = json!({ "from": from, "offset": -0.5, "note": "ice point" });
    assert_eq!(world.post(&viewer, &path, &asked).status, 403);
    let added = world.post(&technician, &path, &asked);
    assert_eq!(added.status, 201, "{}", added.body);
    let added = added.json();
    assert_eq!((&added["readings"], &added["derived"]), (&json!(2), &json!(0)));
    assert_eq!(added["spans"], json!([{ "from_ms": NOW_MS - MINUTE_MS, "to_ms": null }]));

    let now = world.get(&viewer, &path).json();
    let known = &now["calibrations"][0];
    assert_eq!((&known["by"], &known["note"]), (&json!("token:technician"), &json!("ice point")));
    assert_eq!((&known["holds"], &known["work"][0]["done_ms"]), (&json!(true), &json!(null)));
    let channels = world.get(&viewer, "/api/v1/channels").json();
    let latest = channels.as_array().unwrap().iter().find(|it| it["id"] == json!(series.0));
    assert_eq!(latest.unwrap()["latest"]["value"], 22.5);
    let chart = world.get(
        &viewer,
        &format!(
            "/api/v1/channels/{series}/series?from={}&to={}&points=1",
            NOW_MS - 10 * MINUTE_MS,
            NOW_MS + MINUTE_MS
        ),
    );
    let max = chart.json()["max"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it.as_f64())
        .fold(0.0, f64::max);
    assert_eq!(max, 22.5);

    let number = &known["number"];
    let withdrawal = format!("/api/v1/calibrations/{number}/withdrawal");
    assert_eq!(world.post(&viewer, &withdrawal, &json!({ "why": "wrong" })).status, 403);
    assert_eq!(world.post(&technician, &withdrawal, &json!({ "why": "" })).status, 422);
    let gone = world.post(&technician, &withdrawal, &json!({ "why": "wrong bench" })).json();
    assert_eq!(
        (&gone["readings"], &gone["now"]["calibrations"][0]["holds"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(gone["now"]["calibrations"][0]["withdrawn"]["why"], "wrong bench");
    let recorded = world.registry.changes(0).unwrap();
    let by = |what: &str| recorded.iter().find(|it| it.what == what).unwrap().by.to_string();
    assert_eq!(by("calibration.add"), "token:technician");
    assert_eq!(by("calibration.withdraw"), "token:technician");
}

#[test]
fn what_makes_no_calibration_is_refused_with_field_and_remedy() {
    let world = World::start();
    let token = world.token(Role::Technician);
    let series = world.measure("n1", Quantity::RelativeHumidity, &[50.0]);
    let path = format!("/api/v1/channels/{series}/calibrations");
    let check = |asked: serde_json::Value, field: &str| {
        let refused = world.post(&token, &path, &asked);
        assert_eq!(
            (refused.status, &refused.json()["field"]),
            (422, &json!(field)),
            "{}",
            refused.body
        );
    };
    let point = |raw: f64, reference: f64| json!({ "raw": raw, "reference": reference });
    check(json!({ "from": "yesterday", "offset": 1.0 }), "from");
    check(json!({ "from": "0" }), "points");
    check(json!({ "from": "0", "offset": 1.0, "points": [point(1.0, 2.0)] }), "offset");
    check(json!({ "from": "0", "points": [point(1.0, 2.0), point(1.0, 3.0)] }), "points");
    check(json!({ "from": "0", "points": [point(1.0, 222.0)] }), "points");
    check(json!({ "from": "0", "offset": 1.0, "note": "x".repeat(401) }), "note");
    let nowhere = world.post(&token, "/api/v1/channels/999/calibrations", &json!({ "from": "0" }));
    assert_eq!(nowhere.status, 404);
}
