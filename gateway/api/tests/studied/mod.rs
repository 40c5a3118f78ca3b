//! What batches lived through over HTTP: by stage, from their start, a day on a sheet, and studies.

use std::io::Read as _;

use api::{StudyAsked, gather_study};
use measure::Quantity;
use people::Role;
use serde_json::{Value, json};

use crate::world::{Ask, MINUTE_MS, NOW_MS, World, at};

const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A house with two hours of readings, and two batches in it, the second in its second stage.
fn raised() -> (World, String) {
    let world = World::start();
    world.measure("n1", Quantity::AirTemperature, &[22.0; 121]);
    world.measure("n1", Quantity::RelativeHumidity, &[50.0; 121]);
    world.measure("n1", Quantity::SupplyVoltage, &[3.3; 121]);
    let token = world.token(Role::Admin);
    for (batch, hours) in [("rice-1", 2), ("rice-2", 1)] {
        let body = json!({
            "site": "nanchuan", "batch": batch, "crop": "rice", "method": "tray",
            "zone": "house-1", "started": (NOW_MS - hours * HOUR_MS).to_string(),
        });
        let begun = world.post(&token, "/api/v1/batches", &body);
        assert_eq!(begun.status, 201, "{}", begun.body);
    }
    let stage = json!({ "stage": "hardening", "at": (NOW_MS - 15 * MINUTE_MS).to_string() });
    let staged = world.post(&token, "/api/v1/batches/nanchuan/rice-2/stage", &stage);
    assert_eq!(staged.status, 200, "{}", staged.body);
    (world, token)
}

fn get(world: &World, token: &str, path: &str) -> Value {
    let answer = world.get(token, &format!("/api/v1{path}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn row<'a>(rows: &'a Value, stage: Option<&str>, quantity: &str) -> &'a Value {
    let rows = rows.as_array().unwrap();
    let found = rows.iter().find(|it| it["stage"].as_str() == stage && it["quantity"] == quantity);
    found.unwrap_or_else(|| panic!("no {stage:?} {quantity} in {rows:?}"))
}

#[test]
fn what_a_batch_lived_through_is_told_by_stage() {
    let (world, token) = raised();
    let told = get(&world, &token, "/batches/nanchuan/rice-2/exposure");
    assert_eq!(told["now_ms"], NOW_MS);
    let first = row(&told["rows"], Some("nursery"), "air_temperature");
    assert_eq!((&first["hours"], &first["coverage"]), (&json!(0.75), &json!(1.0)));
    assert_eq!((&first["mean"], &first["unit"]), (&json!(22.0), &json!("Cel")));
    assert_eq!(first["stage_name"]["en"], "nursery");
    assert_eq!(first["sources"], json!(["n1/canopy"]));
    let whole = row(&told["rows"], None, "air_temperature");
    let thermal = &whole["integral"];
    assert_eq!((&thermal["kind"], &thermal["value"]), (&json!("thermal_time"), &json!(0.5)));
    assert_eq!((&thermal["a_day"], &thermal["days"]), (&Value::Null, &json!(0)));
    let basis = thermal["basis"]["en"].as_str().unwrap();
    assert!(basis.contains("base 10 °C") && basis.contains("class G"), "{basis}");
    let deficit = row(&told["rows"], None, "vapour_pressure_deficit");
    // FAO-56: half of 2.6439 kPa at 22 °C.
    assert!((deficit["mean"].as_f64().unwrap() - 1.321_9).abs() < 1e-3, "{deficit}");
    let quantities: Vec<_> = told["rows"].as_array().unwrap().iter().collect();
    assert!(quantities.iter().all(|it| it["quantity"] != "supply_voltage"));
    let none = world.get(&token, "/api/v1/batches/nanchuan/rice-9/exposure");
    assert_eq!((none.status, none.body.contains("rice-9")), (404, true));
}

#[test]
fn a_batch_is_drawn_from_its_start_on() {
    let (world, token) = raised();
    let path = "/batches/nanchuan/rice-2/series?quantity=air_temperature&points=60";
    let told = get(&world, &token, path);
    assert_eq!((&told["step_ms"], &told["batch"]["batch"]), (&json!(MINUTE_MS), &json!("rice-2")));
    let offsets = told["offset_ms"].as_array().unwrap();
    assert_eq!((offsets.len(), &offsets[0], &offsets[59]), (60, &json!(0), &json!(59 * MINUTE_MS)));
    assert!(told["mean"].as_array().unwrap().iter().all(|it| *it == 22.0));
    let stages = told["stages"].as_array().unwrap();
    assert_eq!(stages[1]["span"], json!({ "from_ms": 45 * MINUTE_MS, "to_ms": 60 * MINUTE_MS }));
    let first_hour = get(&world, &token, "/batches/nanchuan/rice-1/series?hours=1");
    assert_eq!(first_hour["stages"][0]["span"]["to_ms"], HOUR_MS);
    let wrong = world.get(&token, "/api/v1/batches/nanchuan/rice-1/series?quantity=warmth");
    assert_eq!((wrong.status, &wrong.json()["field"]), (422, &json!("quantity")));
}

#[test]
fn a_site_s_day_is_on_one_sheet() {
    let (world, token) = raised();
    let note = json!({ "site": "nanchuan", "text": "second valve drips" });
    assert!(world.post(&token, "/api/v1/notes", &note).status < 300);
    let sheet = get(&world, &token, "/sheet?site=nanchuan&date=2026-11-23");
    assert_eq!(
        (&sheet["date"], &sheet["site_name"]["en"]),
        (&json!("2026-11-23"), &json!("Nanchuan nursery"))
    );
    assert_eq!(
        sheet["span"]["to_ms"].as_i64(),
        sheet["span"]["from_ms"].as_i64().map(|it| it + 24 * HOUR_MS)
    );
    assert_eq!(sheet["notes"][0]["text"], "second valve drips");
    let zones = sheet["zones"].as_array().unwrap();
    let house = zones.iter().find(|it| it["zone"] == "house-1").unwrap();
    assert_eq!(house["batches"].as_array().unwrap().len(), 2);
    let air = row_of(house, "air_temperature");
    assert_eq!(
        (&air["mean"], &air["day_mean"], &air["night_mean"]),
        (&json!(22.0), &json!(22.0), &Value::Null)
    );
    // Two hours of the fourteen that the day has until now.
    assert!((air["coverage"].as_f64().unwrap() - 2.0 / 14.0).abs() < 1e-9, "{air}");
    assert_eq!(get(&world, &token, "/sheet")["date"], "2026-11-23", "today, of the first site");
    let empty = get(&world, &token, "/sheet?date=2026-11-25");
    assert_eq!(empty["zones"][0]["quantities"], json!([]), "a day that has not come");
    for (path, status) in [("/sheet?date=monday", 422), ("/sheet?site=mars", 404)] {
        assert_eq!(world.get(&token, &format!("/api/v1{path}")).status, status, "{path}");
    }
}

fn row_of<'a>(house: &'a Value, quantity: &str) -> &'a Value {
    let quantities = house["quantities"].as_array().unwrap();
    quantities.iter().find(|it| it["quantity"] == quantity).unwrap()
}

fn preview(world: &World, token: &str, batches: &[&str]) -> Value {
    let answer = world.post(token, "/api/v1/studies/preview", &json!({ "batches": batches }));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn download(world: &World, token: &str, url: &str) -> (String, Vec<u8>) {
    let headers = [("accept-encoding", "gzip")];
    let ask = Ask { token: Some(token), headers: &headers, ..Ask::default() };
    let answer = world.begin("GET", url, ask);
    assert_eq!(answer.status(), 200);
    let text = |name| answer.headers().get(name).map_or("", |it| it.to_str().unwrap()).to_owned();
    assert_eq!(
        (text("content-type").as_str(), text("content-encoding").as_str()),
        ("application/zip", "")
    );
    let disposition = text("content-disposition");
    let mut bytes = Vec::new();
    answer.into_body().into_reader().read_to_end(&mut bytes).unwrap();
    (disposition, bytes)
}

#[test]
fn a_study_is_the_same_bytes_from_the_page_and_from_the_command_line() {
    let (world, token) = raised();
    let told = preview(&world, &token, &["nanchuan/rice-2", "nanchuan/rice-1"]);
    assert_eq!((&told["channels"], &told["gaps"]), (&json!(2), &json!(0)));
    // From two hours ago on; the reading of this very minute is not in it.
    assert_eq!(told["readings"], 2 * 120);
    assert_eq!(told["files"].as_array().unwrap().len(), 8);
    assert_eq!(told["rows"][0]["batch"], "nanchuan/rice-1");
    let url = told["url"].as_str().unwrap();
    world.pass_ms(HOUR_MS);
    let (disposition, bytes) = download(&world, &token, url);
    assert_eq!(disposition, "attachment; filename=\"miaopu-study-2026-11-23-2026-11-23.zip\"");
    assert_eq!(download(&world, &token, url).1, bytes);
    let nursery: Value = get(&world, &token, "/crops");
    assert!(nursery.is_array());
    let asked = StudyAsked {
        batches: vec!["nanchuan/rice-1".to_owned(), "nanchuan/rice-2".to_owned()],
        from: Some(at(NOW_MS - 2 * HOUR_MS)),
        to: Some(at(NOW_MS)),
    };
    let known = (world.profiles(), Vec::new());
    let study =
        gather_study(&world.registry, &world.calibrated, known, &asked, at(NOW_MS)).unwrap();
    let mut shelf = export::study::Zip::begin(Vec::new());
    export::study::write(&study, &*world.calibrated, &mut shelf, &mut |_| {}).unwrap();
    assert!(shelf.finish().unwrap() == bytes, "other bytes from the command line");
}

#[test]
fn the_command_lines_of_a_study_hold_no_secret() {
    let (world, token) = raised();
    let told = preview(&world, &token, &["nanchuan/rice-1"]);
    for (name, line) in told["commands"].as_object().unwrap() {
        let line = line.as_str().unwrap();
        assert!(!line.contains(&token), "{name}: {line}");
        assert!(name == "miaopu" || line.contains("MIAOPU_TOKEN"), "{name}: {line}");
        assert!(line.contains("rice-1"), "{name}: {line}");
    }
    let curl = told["commands"]["curl"].as_str().unwrap();
    let whole = format!("'http://{}{}'", world.address, told["url"].as_str().unwrap());
    assert!(curl.contains(&whole), "{curl} lacks {whole}");
}

#[test]
fn a_study_that_cannot_be_is_refused_with_the_remedy() {
    let (world, token) = raised();
    let export = |query: &str| world.get(&token, &format!("/api/v1/studies/export?{query}"));
    let check = |query: &str, field: &str, names: &str| {
        let answer = export(query);
        assert_eq!(answer.status, 422, "{query}: {}", answer.body);
        assert_eq!(answer.json()["field"], field, "{query}");
        let message = answer.json()["message"]["en"].as_str().unwrap().to_owned();
        assert!(message.contains(names), "{query}: {message}");
    };
    check("batch=nanchuan/rice-9", "batches", "nanchuan/rice-2, nanchuan/rice-1");
    check("", "batches", "at least one");
    check("batch=nanchuan/rice-1&to=2026-11-23T00:00:00Z", "from", "must come before");
    check("batch=nanchuan/rice-1&from=0&from=1", "from", "twice");
    check("batch=nanchuan/rice-1&form=0", "form", "no parameter");
    check("batch=nanchuan/rice-1&from=yesterday", "from", "RFC 3339");
    let many: Vec<String> =
        (0..=export::study::BATCHES_MAX).map(|it| format!("s/b-{it}")).collect();
    let body = json!({ "batches": many });
    let refused = world.post(&token, "/api/v1/studies/preview", &body);
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("batches")));
    let technician = world.token(Role::Technician);
    let url = preview(&world, &token, &["nanchuan/rice-1"])["url"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&technician, &url).status, 403);
}
