//! Accessions over HTTP: a file is checked, imported, found, shown and given out again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use people::Role;
use serde_json::{Value, json};

use crate::world::{Answer, Ask, NOW_MS, World};

const FILE: &str = "\u{feff}INSTCODE,ACCENUMB,GENUS,SPECIES,CROPNAME,ACCENAME,COLLDATE,SAMPSTAT,Bed\r\n\
    CHN999,NC-1,Oryza,sativa,rice,\"Nanchuan Mi, early\",1959----,300,A\r\n\
    CHN999,NC-2,Camellia,sinensis,tea,大树茶,19591100,100,\r\n";
const FAULTY: &str = "CHN999,NC-3,Camellia,sinensis,tea,,19591350,100,\r\n";

fn send(world: &World, token: &str, query: &str, body: &str) -> Answer {
    let headers = [("content-type", "text/csv; charset=utf-8")];
    let ask = Ask { token: Some(token), headers: &headers, body: Some(body), ..Ask::default() };
    world.ask("POST", &format!("/api/v1/accessions/import{query}"), ask)
}

fn counts(answer: &Answer) -> (bool, [u64; 5]) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    let count = |name: &str| told[name].as_u64().unwrap();
    let counts = ["rows", "added", "changed", "unchanged", "faulty"].map(count);
    (told["applied"].as_bool().unwrap(), counts)
}

#[test]
fn a_file_is_checked_refused_or_kept_but_for_its_faulty_rows() {
    let world = World::start();
    let token = world.token(Role::Researcher);
    let file = format!("{FILE}{FAULTY}");
    let checked = send(&world, &token, "?faulty=skip&check=true", &file);
    assert_eq!(counts(&checked), (false, [3, 2, 0, 0, 1]));
    let fault = &checked.json()["faults"][0];
    assert_eq!((&fault["row"], &fault["field"]), (&json!(4), &json!("COLLDATE")));
    assert_eq!(fault["value"], "19591350");
    assert!(!fault["remedy"]["zh"].as_str().unwrap().is_empty());
    assert_eq!(checked.json()["hints"][0]["field"], "Bed");
    assert_eq!(counts(&send(&world, &token, "", &file)), (false, [3, 2, 0, 0, 1]));
    assert!(world.registry.passports().unwrap().is_empty());
    assert_eq!(counts(&send(&world, &token, "?faulty=skip", &file)), (true, [3, 2, 0, 0, 1]));
    assert_eq!(counts(&send(&world, &token, "", FILE)), (true, [2, 0, 0, 2, 0]));
    let record = world.registry.changes(0).unwrap();
    let by: Vec<_> = record.iter().filter(|it| it.what.starts_with("accession.")).collect();
    assert_eq!(by.len(), 3);
    assert!(by.iter().all(|it| it.by.to_string() == "token:researcher"));
}

#[test]
fn an_accession_is_found_and_shown_with_every_descriptor() {
    let world = World::start();
    let token = world.token(Role::Grower);
    send(&world, &token, "", FILE);
    let batch = json!({
        "site": "nanchuan", "batch": "rice-1", "crop": "rice", "method": "tray",
        "accession": "CHN999:NC-1", "zone": "house-1", "started": NOW_MS.to_string(),
    });
    assert_eq!(world.post(&token, "/api/v1/batches", &batch).status, 201);
    let get = |path: &str| world.get(&token, &format!("/api/v1/accessions{path}")).json();
    let page = get("?limit=1");
    assert_eq!((&page["total"], &page["accessions"][0]["key"]), (&json!(2), &json!("CHN999:NC-1")));
    assert_eq!(page["accessions"][0]["batches"], 1);
    let next = page["next"].as_i64().unwrap();
    let rest = get(&format!("?limit=1&after={next}"));
    assert_eq!((&rest["accessions"][0]["number"], &rest["next"]), (&json!("NC-2"), &Value::Null));
    let found = get("?search=%E5%A4%A7%E6%A0%91%E8%8C%B6");
    assert_eq!(found["accessions"][0]["taxon"], "Camellia sinensis");

    let id = page["accessions"][0]["id"].as_i64().unwrap();
    let detail = get(&format!("/{id}"));
    let descriptors = detail["descriptors"].as_array().unwrap();
    assert_eq!(descriptors.len(), 42);
    let of = |code: &str| descriptors.iter().find(|it| it["code"] == code).unwrap();
    assert_eq!(of("ACCENAME")["value"], "Nanchuan Mi, early");
    assert_eq!(of("COLLDATE")["meaning"]["en"], "1959, month and day not known");
    assert_eq!(of("SAMPSTAT")["meaning"]["zh"], "地方品种(农家种)");
    assert_eq!((&of("PUID")["value"], &of("Bed")["value"]), (&json!(""), &json!("A")));
    assert_eq!(detail["batches"][0]["accession_id"], id);
    for missing in ["/999", "/x"] {
        assert_eq!(world.get(&token, &format!("/api/v1/accessions{missing}")).status, 404);
    }
}

#[test]
fn what_was_imported_comes_out_as_it_went_in() {
    let world = World::start();
    let token = world.token(Role::Researcher);
    send(&world, &token, "", FILE);
    let answer = world.get(&token, "/api/v1/accessions/export");
    assert!(answer.header("content-type").starts_with("text/csv"));
    assert!(answer.header("content-disposition").contains("accessions.csv"));
    let cells = |text: &str| {
        let sheet = germplasm::read(text.as_bytes()).unwrap();
        sheet.rows.into_iter().map(|it| it.passport).collect::<Vec<_>>()
    };
    assert_eq!(cells(&answer.body), cells(FILE));
}

#[test]
fn a_large_file_is_taken_and_a_larger_one_refused() {
    let world = World::start();
    let token = world.token(Role::Researcher);
    let row = |number: usize| format!("CHN999,{number},Oryza,{}\n", "x".repeat(1_000));
    let mut file = "INSTCODE,ACCENUMB,GENUS,REMARKS\n".to_owned();
    file.extend((0..3_000).map(row));
    assert_eq!(
        counts(&send(&world, &token, "?check=true", &file)),
        (false, [3_000, 3_000, 0, 0, 0])
    );
    // It is refused by what its head says, before any of it is taken in.
    let mut stream = TcpStream::connect(world.address).unwrap();
    let head = format!(
        "POST /api/v1/accessions/import HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: text/csv\r\ncontent-length: {}\r\n\r\n",
        api::IMPORT_BYTES_MAX + 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // Every other route keeps its own, smaller maximum.
    let body = json!({ "site": "x".repeat(api::BODY_BYTES_MAX) });
    let token = world.token(Role::Grower);
    assert_eq!(world.post(&token, "/api/v1/batches", &body).status, 413);
}

#[test]
fn what_is_no_such_file_is_refused_with_what_to_do() {
    let world = World::start();
    let token = world.token(Role::Researcher);
    let refused = |query: &str, body: &str, status: u16, words: &str| {
        let answer = send(&world, &token, query, body);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.json()["message"]["en"].as_str().unwrap().contains(words));
    };
    refused("", "", 422, "empty");
    refused("", "a;b;c\n", 422, "semicolons");
    refused("", "INSTCODE,ACCENUMB\n", 422, "no column GENUS");
    refused("?faulty=maybe", FILE, 422, "refuse or skip");
    refused("?check=1", FILE, 422, "true or false");
    let json = world.post(&token, "/api/v1/accessions/import", &json!({}));
    assert_eq!((json.status, &json.json()["code"]), (415, &json!("not_csv")));
    assert!(world.registry.passports().unwrap().is_empty());
}
