//! What grows in a zone: what its leading batch is, or else what the zone itself says.

use measure::Timestamp;

use crate::{Batch, Growing, Profile, Zone, leading};

/// Returns the batch that gives a zone its bands at a time ([`leading`]), by the order of the stages
/// in the profiles.
pub fn leader<'a>(
    zone: &Zone,
    batches: impl IntoIterator<Item = &'a Batch>,
    profiles: &[Profile],
    at: Timestamp,
) -> Option<&'a Batch> {
    let here = batches.into_iter().filter(|batch| batch.site == zone.site);
    leading(here, &zone.id, at, |batch, stage| {
        let profile = profiles.iter().find(|profile| profile.crop == batch.crop)?;
        profile.stage(&batch.method, stage).map(|stage| stage.order)
    })
}

/// Returns what grows in a zone at a time: crop, method and stage of its leading batch, else `own`,
/// what the zone itself said then.
pub fn grows<'a>(
    zone: &Zone,
    own: Option<&Growing>,
    batches: impl IntoIterator<Item = &'a Batch>,
    profiles: &[Profile],
    at: Timestamp,
) -> Option<Growing> {
    let by_batch = leader(zone, batches, profiles, at).and_then(|batch| {
        Some(Growing {
            crop: batch.crop.clone(),
            method: batch.method.clone(),
            stage: batch.stage_at(at)?.clone(),
        })
    });
    by_batch.or_else(|| own.cloned())
}

#[cfg(test)]
mod tests {
    use measure::Slug;

    use super::*;
    use crate::{PlacedFrom, StageFrom};

    fn slug(name: &str) -> Slug {
        Slug::new(name).unwrap()
    }

    #[test]
    fn a_batch_goes_before_what_the_zone_says() {
        let zone: Zone = serde_json::from_str(
            r#"{"id": "house-1", "site": "here", "names": {"zh": "一号棚", "en": "House 1"},
                "kind": "house", "growing": {"crop": "tea", "method": "cutting", "stage": "1-root"}}"#,
        )
        .unwrap();
        let profile: Profile = serde_json::from_str(
            r#"{"crop": "rice", "names": {"zh": "水稻", "en": "rice"}, "methods": [
                {"id": "tray", "names": {"zh": "盘育", "en": "trays"}, "stages": [
                    {"id": "sow", "order": 0, "names": {"zh": "播种", "en": "sowing"}},
                    {"id": "leaf", "order": 1, "names": {"zh": "叶", "en": "leaf"}}]}]}"#,
        )
        .unwrap();
        let batch = |id: &str, site: &str, stage: &str, started: Timestamp| Batch {
            id: slug(id),
            site: slug(site),
            label: id.to_owned(),
            accession: None,
            crop: slug("rice"),
            method: slug("tray"),
            plants: None,
            started,
            closed: None,
            stages: vec![StageFrom { stage: slug(stage), from: started }],
            placements: vec![PlacedFrom { zone: slug("house-1"), position: None, from: started }],
        };
        let later = Timestamp::MIN.plus_ms(1_000);
        let batches = [
            batch("old", "here", "leaf", Timestamp::MIN),
            batch("young", "here", "sow", later),
            batch("foreign", "there", "sow", Timestamp::MIN),
        ];
        let grows = |batches: &[Batch], at| {
            grows(&zone, zone.growing.as_ref(), batches, std::slice::from_ref(&profile), at)
                .map(|it| it.stage.to_string())
        };
        assert_eq!(grows(&[], later).as_deref(), Some("1-root"));
        assert_eq!(grows(&batches, Timestamp::MIN).as_deref(), Some("leaf"));
        assert_eq!(grows(&batches, later).as_deref(), Some("sow"));
        let leader = leader(&zone, &batches, &[profile], later).map(|it| it.id.as_str());
        assert_eq!(leader, Some("young"));
    }
}
