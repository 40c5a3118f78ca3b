//! The arrows between the rooms: what the manifests say is what ARCHITECTURE.md says, both ways.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use toml::Table;

/// Rooms without a clock, a socket or an executor.
const PURE: [&str; 11] = [
    "measure", "wire", "sensors", "node", "agronomy", "quality", "nursery", "people", "alarms",
    "exposure", "export",
];
/// What a pure room must not use.
const IMPURE: [&str; 6] = ["tokio", "rumqttc", "rmqtt", "axum", "tokio-util", "embassy-time"];
/// The rooms that write SQL.
const SQL: [&str; 2] = ["registry", "store"];

struct Room {
    folder: PathBuf,
    uses: BTreeSet<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests live in the workspace")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(path: impl AsRef<Path>) -> Table {
    toml::from_str(&read(path)).expect("a manifest is TOML")
}

/// Every room by its name: the members of the workspace, and the boards with one of their own.
fn rooms() -> BTreeMap<String, Room> {
    let workspace = manifest("Cargo.toml");
    let folders = |key: &str| {
        let listed = workspace["workspace"].get(key).and_then(toml::Value::as_array);
        listed.into_iter().flatten().filter_map(toml::Value::as_str).map(PathBuf::from)
    };
    let mut found = BTreeMap::new();
    for folder in folders("members").chain(folders("exclude")) {
        let manifest = manifest(folder.join("Cargo.toml"));
        let name = manifest["package"]["name"].as_str().expect("a package has a name");
        let uses = manifest.get("dependencies").and_then(toml::Value::as_table);
        let uses = uses.into_iter().flat_map(|table| table.keys().cloned()).collect();
        found.insert(name.to_owned(), Room { folder, uses });
    }
    found
}

/// The table of ARCHITECTURE.md: lines `| room | arrows, … |` below the heading "Arrows".
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("ARCHITECTURE.md");
    let (_, rest) = text.split_once("## Arrows").expect("ARCHITECTURE.md has a part `## Arrows`");
    let part = rest.split("\n## ").next().expect("a split has a first part");
    let mut found = BTreeMap::new();
    for line in part.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let name = cells.next().expect("a row has a room").trim_matches('`').to_owned();
        let uses = cells.next().expect("a row has arrows").split(", ");
        let uses = uses.map(|arrow| arrow.trim_matches('`').to_owned());
        let uses = uses.filter(|arrow| !arrow.is_empty() && arrow != "—").collect();
        assert!(found.insert(name.clone(), uses).is_none(), "`{name}` stands twice");
    }
    found
}

#[test]
fn the_manifests_have_exactly_the_arrows_of_the_table() {
    let rooms = rooms();
    let documented = documented();
    let names: BTreeSet<_> = rooms.keys().collect();
    assert_eq!(names, documented.keys().collect(), "rooms in the manifests, and in the table");
    for (name, room) in &rooms {
        let arrows: BTreeSet<String> = room
            .uses
            .iter()
            .filter(|used| *used != "measure" && rooms.contains_key(*used))
            .cloned()
            .collect();
        assert_eq!(arrows, documented[name], "arrows of `{name}`: in its manifest, in the table");
    }
}

#[test]
fn firmware_never_uses_the_gateway() {
    let rooms = rooms();
    for (name, room) in rooms.iter().filter(|(_, room)| room.folder.starts_with("firmware")) {
        for used in room.uses.iter().filter_map(|used| rooms.get(used)) {
            assert!(used.folder.starts_with("firmware"), "`{name}` uses {}", used.folder.display());
        }
    }
}

#[test]
fn pure_rooms_have_no_clock_and_no_socket() {
    let rooms = rooms();
    for name in PURE {
        for forbidden in IMPURE {
            assert!(!rooms[name].uses.contains(forbidden), "`{name}` uses `{forbidden}`");
        }
    }
}

#[test]
fn sql_stays_in_its_two_rooms() {
    for (name, room) in rooms() {
        let allowed = SQL.contains(&name.as_str());
        assert!(allowed || !room.uses.contains("rusqlite"), "`{name}` uses rusqlite");
    }
}

#[test]
fn nobody_uses_the_daemon() {
    for (name, room) in rooms() {
        assert!(name == "tests" || !room.uses.contains("daemon"), "`{name}` uses the daemon");
    }
}

#[test]
fn every_folder_of_the_design_is_a_room_or_holds_rooms() {
    for (name, room) in rooms() {
        let entry = ["src/lib.rs", "src/main.rs", "architecture.rs"];
        let file = entry.iter().map(|file| root().join(&room.folder).join(file));
        let file = file.into_iter().find(|file| file.is_file());
        let file = file.unwrap_or_else(|| panic!("`{name}` has no source"));
        let text = fs::read_to_string(&file).expect("a source can be read");
        assert!(text.starts_with("//! "), "{} does not say what it is", file.display());
    }
}

#[test]
fn every_trap_of_delivery_has_the_test_that_its_row_names() {
    let text = read("docs/delivery.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains(".rs` `"));
    let mut count = 0;
    for row in rows {
        let named: Vec<&str> = row.rsplit('|').nth(1).expect("a row ends").split('`').collect();
        let [_, file, _, name, _] = named[..] else { panic!("no file and test: {row}") };
        let source = read(file);
        assert!(source.contains(&format!("fn {name}(")), "`{file}` has no test `{name}`");
        count += 1;
    }
    assert!(count > 20, "only {count} rows");
}
