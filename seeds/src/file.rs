//! The form of a profile's file, and how what holds for several stages gets into each of them.

use measure::Slug;
use nursery::{
    Band, Guidance, Method, Names, Profile, Source, SourceClass, Span, Stage, StageDuration,
    ThermalTime,
};
use serde::Deserialize;

use crate::Error;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    #[serde(with = "nursery::serial::slug")]
    crop: Slug,
    names: Names,
    note: Option<Names>,
    method: Vec<RawMethod>,
    #[serde(default)]
    shared: Vec<RawShared>,
    #[serde(default)]
    thermal_time: Vec<ThermalTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMethod {
    #[serde(with = "nursery::serial::slug")]
    id: Slug,
    names: Names,
    stage: Vec<RawStage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStage {
    #[serde(with = "nursery::serial::slug")]
    id: Slug,
    names: Names,
    note: Option<Names>,
    duration: Option<RawDuration>,
    #[serde(default)]
    band: Vec<Band>,
    #[serde(default)]
    guidance: Vec<Guidance>,
}

/// What holds for several stages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShared {
    /// For which: `method/stage`.
    applies: Vec<String>,
    #[serde(default)]
    band: Vec<Band>,
    #[serde(default)]
    guidance: Vec<Guidance>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDuration {
    unit: Unit,
    target: Span,
    #[serde(default)]
    alarm: Span,
    target_class: SourceClass,
    alarm_class: Option<SourceClass>,
    #[serde(default)]
    sources: Vec<String>,
    note: Option<Names>,
    #[serde(default)]
    proxy: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    H,
    D,
}

impl Unit {
    fn hours(self, span: Span) -> Span {
        let factor = match self {
            Self::H => 1.0,
            Self::D => 24.0,
        };
        Span { lo: span.lo.map(|it| it * factor), hi: span.hi.map(|it| it * factor) }
    }
}

/// Reads a profile, puts shared parts into their stages, and checks everything.
pub(crate) fn profile(name: &str, text: &str, sources: &[Source]) -> Result<Profile, Error> {
    let raw: RawProfile =
        toml::from_str(text).map_err(|source| Error::Form { name: name.to_owned(), source })?;
    let mut profile = Profile {
        crop: raw.crop,
        names: raw.names,
        note: raw.note,
        methods: raw.method.into_iter().map(method).collect(),
        thermal_time: raw.thermal_time,
    };
    for shared in &raw.shared {
        for path in &shared.applies {
            let stage = find(&mut profile, path)
                .ok_or_else(|| Error::Stage { name: name.to_owned(), stage: path.clone() })?;
            share(stage, shared);
        }
    }
    let applies = profile.thermal_time.iter().flat_map(|it| it.applies.clone());
    for path in applies.collect::<Vec<_>>() {
        if find(&mut profile, &path).is_none() {
            return Err(Error::Stage { name: name.to_owned(), stage: path });
        }
    }
    profile.check().map_err(|source| Error::Invalid { name: name.to_owned(), source })?;
    match unknown_source(&profile, sources) {
        Some(id) => Err(Error::Source { name: name.to_owned(), id }),
        None => Ok(profile),
    }
}

fn method(raw: RawMethod) -> Method {
    let stages = raw.stage.into_iter().zip(0..).map(|(raw, order)| stage(raw, order)).collect();
    Method { id: raw.id, names: raw.names, stages }
}

fn stage(raw: RawStage, order: u16) -> Stage {
    let duration = raw.duration.map(|raw| StageDuration {
        target_h: raw.unit.hours(raw.target),
        alarm_h: raw.unit.hours(raw.alarm),
        target_class: raw.target_class,
        alarm_class: raw.alarm_class,
        sources: raw.sources,
        note: raw.note,
        proxy: raw.proxy,
    });
    Stage {
        id: raw.id,
        order,
        names: raw.names,
        note: raw.note,
        duration,
        bands: raw.band,
        guidance: raw.guidance,
    }
}

fn find<'a>(profile: &'a mut Profile, path: &str) -> Option<&'a mut Stage> {
    let (method, stage) = path.split_once('/')?;
    let method = profile.methods.iter_mut().find(|it| it.id.as_str() == method)?;
    method.stages.iter_mut().find(|it| it.id.as_str() == stage)
}

/// Adds what a stage does not have itself: its own band of a quantity goes before a shared one.
fn share(stage: &mut Stage, shared: &RawShared) {
    let own: Vec<_> = stage.bands.iter().map(|band| band.quantity).collect();
    stage.bands.extend(shared.band.iter().filter(|it| !own.contains(&it.quantity)).cloned());
    let own: Vec<_> = stage.guidance.iter().map(|it| it.variable.clone()).collect();
    stage.guidance.extend(shared.guidance.iter().filter(|it| !own.contains(&it.variable)).cloned());
}

fn unknown_source(profile: &Profile, sources: &[Source]) -> Option<String> {
    let stages = profile.methods.iter().flat_map(|method| &method.stages);
    let thermal = profile.thermal_time.iter().flat_map(|it| &it.sources);
    let named = stages.flat_map(|stage| {
        let bands = stage.bands.iter().flat_map(|it| &it.sources);
        let guidance = stage.guidance.iter().flat_map(|it| &it.sources);
        bands.chain(guidance).chain(stage.duration.iter().flat_map(|it| &it.sources))
    });
    named.chain(thermal).find(|id| !sources.iter().any(|source| source.id == **id)).cloned()
}

#[cfg(test)]
mod tests {
    use measure::Quantity;
    use nursery::Period;

    use super::*;

    const FILE: &str = r#"
        crop = "rice"
        names = { zh = "水稻", en = "Rice" }
        [[method]]
        id = "tray"
        names = { zh = "秧盘", en = "Tray" }
        [[method.stage]]
        id = "one"
        names = { zh = "一", en = "One" }
        [method.stage.duration]
        unit = "d"
        target = { lo = 2, hi = 3 }
        target_class = "C"
        [[method.stage.band]]
        quantity = "co2"
        target = { lo = 400, hi = 600 }
        target_class = "A"
        sources = ["X1"]
        [[method.stage]]
        id = "two"
        names = { zh = "二", en = "Two" }
        [[shared]]
        applies = ["tray/one", "tray/two"]
        [[shared.band]]
        quantity = "co2"
        target = { lo = 380, hi = 800 }
        target_class = "G"
        [[shared.band]]
        quantity = "substrate_ph"
        target = { lo = 4.5, hi = 5.5 }
        target_class = "G"
    "#;

    fn sources() -> Vec<Source> {
        let x1 = Source {
            id: "X1".into(),
            title: "a paper".into(),
            year: None,
            address: None,
            class: SourceClass::A,
        };
        vec![x1]
    }

    fn slug(name: &str) -> Slug {
        Slug::new(name).unwrap()
    }

    #[test]
    fn a_stage_s_own_band_goes_before_a_shared_one() {
        let profile = profile("rice", FILE, &sources()).unwrap();
        let hi = |stage: &str, quantity| {
            let stage = profile.stage(&slug("tray"), &slug(stage)).unwrap();
            stage.band(quantity, Period::Day).and_then(|band| band.target.hi()).unwrap().0
        };
        assert_eq!((hi("one", Quantity::Co2), hi("two", Quantity::Co2)), (600, 800));
        assert_eq!(
            (hi("one", Quantity::SubstratePh), hi("two", Quantity::SubstratePh)),
            (550, 550)
        );
    }

    #[test]
    fn a_duration_is_kept_in_hours() {
        let profile = profile("rice", FILE, &sources()).unwrap();
        let stage = profile.stage(&slug("tray"), &slug("one")).unwrap();
        let target = stage.duration.as_ref().unwrap().target_h;
        assert_eq!(target, Span { lo: Some(48.0), hi: Some(72.0) });
    }

    #[track_caller]
    fn check(from: &str, to: &str, expect: &str) {
        let error = profile("rice", &FILE.replace(from, to), &sources()).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let text = format!("{error}: {}", source.unwrap_or_default());
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn what_is_wrong_in_a_file_is_named() {
        check("tray/two", "tray/three", "no stage `tray/three`");
        let thermal = "[[thermal_time]]\napplies = [\"tray/three\"]\nbase_c = 10\nclass = \"G\"\n";
        check("[[shared]]", &format!("{thermal}[[shared]]"), "no stage `tray/three`");
        let thermal = thermal.replace("three", "two").replace("10", "70");
        check("[[shared]]", &format!("{thermal}[[shared]]"), "the base temperature");
        check("X1", "X2", "unknown source `X2`");
        check("\"substrate_ph\"", "\"co2\"", "the band of co2 of stage `rice/tray/two`");
        check("hi = 600", "hi = 300", "400 must not lie above 300");
        check("quantity = \"co2\"", "quantity = \"co3\"", "co3");
        check("unit = \"d\"", "unit = \"w\"", "unknown variant");
        check("crop =", "colour = 1\ncrop =", "unknown field `colour`");
    }
}
