//! What the registry promises of accessions, on a real file and across two openings of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use germplasm::{Field, Sheet};
use measure::Timestamp;
use people::Actor;
use registry::{ACCESSIONS_PAGE_MAX, Faulty, Imported, Registry};
use tempfile::TempDir;

const BY: &Actor = &Actor::CommandLine;

fn open() -> (TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::open(&dir.path().join(registry::FILE)).unwrap();
    (dir, registry)
}

fn sheet(rows: &str) -> Sheet {
    let text = format!("INSTCODE,ACCENUMB,GENUS,SPECIES,ACCENAME,COLLDATE,Bed\n{rows}");
    germplasm::read(text.as_bytes()).unwrap()
}

fn import(registry: &Registry, sheet: &Sheet, faulty: Faulty) -> Imported {
    registry.import_accessions(sheet, faulty, (BY, Timestamp::MIN), &mut |_| {}).unwrap()
}

const ROWS: &str = "CHN999,NC-2,Camellia,sinensis,大树茶,1959----,12\n\
                    CHN999,NC-10,Oryza,sativa,Nanchuan Mi,19591100,\n\
                    CHN998,NC-2,Camellia,sinensis,,,\n";
const FAULTY: &str = "CHN999,NC-3,,,,,\n";

#[test]
fn what_is_imported_is_there_with_every_cell() {
    let (dir, registry) = open();
    let done = import(&registry, &sheet(ROWS), Faulty::Refuse);
    assert_eq!(done, Imported { applied: true, added: 3, ..Imported::default() });
    let again = Registry::open(&dir.path().join(registry::FILE)).unwrap();
    let id = again.accession_id("CHN999:NC-2").unwrap().unwrap();
    let passport = again.accession(id).unwrap().unwrap().passport;
    assert_eq!(passport, sheet(ROWS).rows[0].passport);
    assert_eq!(passport.get(Field::CollDate), "1959----");
    assert_eq!(again.accession_id("CHN999:NC-3").unwrap(), None);
    assert_eq!(again.accession(99).unwrap(), None);
    assert_eq!(again.passports().unwrap().len(), 3);
}

#[test]
fn a_file_with_a_faulty_row_is_kept_but_for_that_or_not_at_all() {
    let (_dir, registry) = open();
    let faulty = sheet(&format!("{ROWS}{FAULTY}"));
    let refused = import(&registry, &faulty, Faulty::Refuse);
    assert_eq!(refused, Imported { applied: false, added: 3, ..Imported::default() });
    assert!(registry.passports().unwrap().is_empty() && registry.changes(0).unwrap().is_empty());
    let kept = import(&registry, &faulty, Faulty::Skip);
    assert_eq!((kept.applied, kept.added), (true, 3));
    assert_eq!(registry.passports().unwrap().len(), 3);
}

#[test]
fn importing_twice_changes_nothing_and_records_nothing() {
    let (_dir, registry) = open();
    import(&registry, &sheet(ROWS), Faulty::Refuse);
    let changes = registry.changes(0).unwrap();
    let told: Vec<_> = changes.iter().map(|it| (it.what.as_str(), it.subject.as_str())).collect();
    let expect = [
        ("accession.add", "CHN999:NC-2"),
        ("accession.add", "CHN999:NC-10"),
        ("accession.add", "CHN998:NC-2"),
        ("accession.import", "accessions"),
    ];
    assert_eq!(told, expect);
    assert!(changes[3].detail.contains("\"added\":3"));
    let again = import(&registry, &sheet(ROWS), Faulty::Refuse);
    assert_eq!(again, Imported { applied: true, unchanged: 3, ..Imported::default() });
    assert_eq!(registry.changes(0).unwrap().len(), changes.len());
}

#[test]
fn a_later_file_changes_only_the_columns_that_it_has() {
    let (_dir, registry) = open();
    import(&registry, &sheet(ROWS), Faulty::Refuse);
    let later = "INSTCODE,ACCENUMB,GENUS,ACCENAME,Bed\nCHN999,NC-2,Camellia,,14\n";
    let later = germplasm::read(later.as_bytes()).unwrap();
    assert_eq!(registry.preview_accessions(&later).unwrap().changed, 1);
    assert_eq!(import(&registry, &later, Faulty::Refuse).changed, 1);
    let id = registry.accession_id("CHN999:NC-2").unwrap().unwrap();
    let passport = registry.accession(id).unwrap().unwrap().passport;
    let cells = [Field::AcceName, Field::CollDate].map(|field| passport.get(field).to_owned());
    assert_eq!(cells, ["", "1959----"]);
    assert_eq!(passport.extra()["Bed"], "14");
}

#[test]
fn a_search_finds_every_word_in_any_case_page_by_page() {
    let (_dir, registry) = open();
    import(&registry, &sheet(ROWS), Faulty::Refuse);
    let found = |search: &str| {
        let page = registry.accessions(search, None, 10).unwrap();
        assert_eq!(page.total as usize, page.accessions.len());
        page.accessions.iter().map(|it| it.passport.key()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found(""), "CHN998:NC-2 CHN999:NC-10 CHN999:NC-2");
    assert_eq!(found("CAMELLIA chn999"), "CHN999:NC-2");
    assert_eq!(found("大树茶"), "CHN999:NC-2");
    assert_eq!(found("nanchuan"), "CHN999:NC-10");
    assert_eq!(found("%"), "");
    assert_eq!(found("' OR 1"), "");
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let page = registry.accessions("", after, 2).unwrap();
        assert_eq!(page.total, 3);
        keys.extend(page.accessions.iter().map(|it| it.passport.key()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(keys.join(" "), found(""));
    assert_eq!(registry.accessions("", None, usize::MAX).unwrap().next, None);
}

#[test]
fn a_page_is_never_longer_than_it_may_be() {
    let (_dir, registry) = open();
    let rows: String =
        (0..=ACCESSIONS_PAGE_MAX).map(|it| format!("CHN999,{it:05},Oryza,,,,\n")).collect();
    import(&registry, &sheet(&rows), Faulty::Refuse);
    let page = registry.accessions("", None, usize::MAX).unwrap();
    assert_eq!(page.accessions.len(), ACCESSIONS_PAGE_MAX);
    let rest = registry.accessions("", page.next, usize::MAX).unwrap();
    assert_eq!((rest.accessions.len(), rest.next), (1, None));
}
