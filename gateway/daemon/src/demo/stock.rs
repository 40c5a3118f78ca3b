//! What the demonstration raises: one accession a crop, and batches that stand in its houses.
//!
//! In every house the batch that leads is at the stage that the house is built for, so that bands and
//! alarms are those of the house. One rice batch has changed its stage and its house within the week
//! of history, and rice and tea have two batches each that began at different times.

use measure::{Slug, Timestamp};
use nursery::{Batch, PlacedFrom, StageFrom};
use people::Actor;
use registry::{BatchState, Deed, Faulty, Registry};

/// One accession a crop. The institute is made up, and every row says so.
const ACCESSIONS: &str = include_str!("accessions.csv");

const HOUR_MS: i64 = 3_600_000;

/// A batch as it is begun.
struct Begun {
    id: &'static str,
    label: &'static str,
    accession: &'static str,
    crop: &'static str,
    method: &'static str,
    stage: &'static str,
    zone: &'static str,
    plants: u32,
    hours_ago: i64,
}

const BATCHES: [Begun; 7] = [
    Begun {
        id: "blueberry-1",
        label: "蓝莓扦插 1 Blueberry cuttings 1",
        accession: "CHN999:NC-0002",
        crop: "blueberry",
        method: "cutting",
        stage: "2-root-mist",
        zone: "blueberry",
        plants: 2_400,
        hours_ago: 192,
    },
    Begun {
        id: "tea-1",
        label: "大树茶扦插 1 Ancient-tree tea cuttings 1",
        accession: "CHN999:NC-0003",
        crop: "tea",
        method: "cutting",
        stage: "1-root",
        zone: "tea",
        plants: 3_600,
        hours_ago: 192,
    },
    Begun {
        id: "coptis-1",
        label: "黄连实生苗 1 Coptis seedlings 1",
        accession: "CHN999:NC-0004",
        crop: "coptis",
        method: "seed",
        stage: "4-nursery",
        zone: "coptis",
        plants: 5_000,
        hours_ago: 192,
    },
    Begun {
        id: "bamboo-1",
        label: "方竹实生苗 1 Fangzhu seedlings 1",
        accession: "CHN999:NC-0005",
        crop: "bamboo",
        method: "seed",
        stage: "2-nursery",
        zone: "bamboo",
        plants: 1_200,
        hours_ago: 192,
    },
    Begun {
        id: "rice-1",
        label: "南川米秧盘 1 Nanchuan rice trays 1",
        accession: "CHN999:NC-0001",
        crop: "rice",
        method: "tray",
        stage: "6-to-1-leaf",
        zone: "rice",
        plants: 48_000,
        hours_ago: 156,
    },
    Begun {
        id: "tea-2",
        label: "大树茶扦插 2 Ancient-tree tea cuttings 2",
        accession: "CHN999:NC-0003",
        crop: "tea",
        method: "cutting",
        stage: "2-grow-on",
        zone: "tea",
        plants: 1_800,
        hours_ago: 120,
    },
    Begun {
        id: "rice-2",
        label: "南川米秧盘 2 Nanchuan rice trays 2",
        accession: "CHN999:NC-0001",
        crop: "rice",
        method: "tray",
        stage: "6-to-1-leaf",
        zone: "rice",
        plants: 52_000,
        hours_ago: 72,
    },
];

/// When the first rice batch had its second leaf, and when it made room in its house.
const SECOND_LEAF_HOURS_AGO: i64 = 60;
const MADE_ROOM_HOURS_AGO: i64 = 24;

/// Brings in accessions and batches where there are none yet; what people made of them stays.
pub(super) fn bring_in(registry: &Registry, site: &Slug, now: Timestamp) -> anyhow::Result<()> {
    if !registry.batches(BatchState::All)?.is_empty() {
        return Ok(());
    }
    let by = &Actor::Gateway;
    let sheet = germplasm::read(ACCESSIONS.as_bytes())?;
    let then = ago(now, 192);
    registry.import_accessions(&sheet, Faulty::Refuse, (by, then), &mut |_| {})?;
    for begun in &BATCHES {
        let batch = batch(site, begun, now)?;
        registry.add_batch(&batch, by, batch.started)?;
    }
    let (rice, bamboo) = (Slug::new("rice-1")?, Slug::new("bamboo")?);
    let deed = |hours: i64, why: Option<&'static str>| {
        let at = ago(now, hours);
        Deed { by, at, now: at, why }
    };
    let why = None;
    registry.stage_batch(
        (site, &rice),
        &Slug::new("7-2-leaf")?,
        deed(SECOND_LEAF_HOURS_AGO, why),
    )?;
    let why = Some("腾出绿化棚 room for the next trays");
    registry.move_batch((site, &rice), &bamboo, None, deed(MADE_ROOM_HOURS_AGO, why))?;
    Ok(())
}

fn ago(now: Timestamp, hours: i64) -> Timestamp {
    now.plus_ms(-hours * HOUR_MS)
}

fn batch(site: &Slug, begun: &Begun, now: Timestamp) -> anyhow::Result<Batch> {
    let started = ago(now, begun.hours_ago);
    let stage = StageFrom { stage: Slug::new(begun.stage)?, from: started };
    let placed = PlacedFrom { zone: Slug::new(begun.zone)?, position: None, from: started };
    Ok(Batch {
        id: Slug::new(begun.id)?,
        site: site.clone(),
        label: begun.label.to_owned(),
        accession: Some(begun.accession.to_owned()),
        crop: Slug::new(begun.crop)?,
        method: Slug::new(begun.method)?,
        plants: Some(begun.plants),
        started,
        closed: None,
        stages: vec![stage],
        placements: vec![placed],
    })
}

#[cfg(test)]
mod tests {
    use nursery::grows;

    use super::*;

    fn settled() -> (tempfile::TempDir, Registry, host::nursery::Demo, Timestamp) {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(&dir.path().join(registry::FILE)).unwrap();
        let demo = host::nursery::demo();
        let now = Timestamp::from_millis(1_795_413_600_000).unwrap();
        super::super::settle(&registry, &demo, now).unwrap();
        (dir, registry, demo, now)
    }

    #[test]
    fn every_house_keeps_the_stage_that_it_is_built_for_through_the_week() {
        let (_dir, registry, demo, now) = settled();
        let profiles = seeds::profiles().unwrap();
        let batches = registry.batches(BatchState::All).unwrap();
        for zone in registry.zones().unwrap() {
            let house = demo.houses.iter().find(|it| it.zone == zone.id).unwrap();
            for hours in 0..=24 * 7 {
                let at = ago(now, hours);
                let own = zone.growing.as_ref();
                let growing = grows(&zone, own, &batches, &profiles, at).unwrap();
                assert_eq!(growing.stage.as_str(), house.stage.stage, "{} {hours} h ago", zone.id);
                assert_eq!(growing.crop.as_str(), house.stage.crop);
            }
            let leader = nursery::leader(&zone, &batches, &profiles, now);
            assert!(leader.is_some(), "{} has a batch", zone.id);
        }
    }

    #[test]
    fn every_batch_names_a_stage_and_an_accession_that_there_is() {
        let (_dir, registry, _, _) = settled();
        let profiles = seeds::profiles().unwrap();
        let batches = registry.batches(BatchState::All).unwrap();
        for batch in &batches {
            let profile = profiles.iter().find(|it| it.crop == batch.crop).unwrap();
            for entered in &batch.stages {
                assert!(profile.stage(&batch.method, &entered.stage).is_some(), "{batch}");
            }
            let accession = registry.accession_id(batch.accession.as_deref().unwrap());
            assert!(accession.unwrap().is_some(), "{batch}");
        }
        let moved = batches.iter().find(|it| it.id.as_str() == "rice-1").unwrap();
        assert_eq!((moved.stages.len(), moved.placements.len()), (2, 2));
    }

    #[test]
    fn the_accessions_are_sound_and_say_that_they_are_made_up() {
        let sheet = germplasm::read(ACCESSIONS.as_bytes()).unwrap();
        assert_eq!((sheet.faults, sheet.hints), (vec![], vec![]));
        assert_eq!(sheet.rows.len(), 5);
        assert!(sheet.rows.iter().all(|row| {
            row.passport.get(germplasm::Field::Remarks).contains("made up for the demonstration")
        }));
    }

    #[test]
    fn a_second_start_changes_nothing() {
        let (_dir, registry, demo, now) = settled();
        let before = registry.batches(BatchState::All).unwrap();
        super::super::settle(&registry, &demo, now.plus_ms(HOUR_MS)).unwrap();
        assert_eq!(registry.batches(BatchState::All).unwrap(), before);
        assert_eq!(registry.passports().unwrap().len(), 5);
    }
}
