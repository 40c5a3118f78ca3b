//! Sites, zones, crops and new nodes: what the first hour makes, and what pages choose from.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use measure::{NodeKey, Slug};
use nursery::{
    Day, Growing, INTERVAL_MS_DEFAULT, Latitude, Longitude, Names, Position, Profile, Site, Stage,
    TimeZone, Zone, ZoneKind,
};
use people::Actor;
use registry::Plan;
use tokio::sync::{Notify, watch};

use crate::ask::{Body, Query, slug};
use crate::guard::Asker;
use crate::look::{Look, name};
use crate::problem::Refusal;
use crate::server::{Shared, blocking, question};
use crate::state::Nursery;
use crate::types;

/// How long an answer to a change waits for the gateway's picture of the nursery to show it; then it is
/// given anyway.
pub const PICTURE_WAIT: Duration = Duration::from_secs(3);

/// The gateway's picture as it was before a change.
pub(crate) struct Before {
    nursery: watch::Receiver<Arc<Nursery>>,
    changed: Arc<Notify>,
}

impl Before {
    pub(crate) fn look(shared: &Shared) -> Self {
        let mut nursery = shared.state.nursery.clone();
        nursery.mark_unchanged();
        Self { nursery, changed: Arc::clone(&shared.state.changed) }
    }

    /// Waits until the picture is another one, so that whoever made the change sees it on every page.
    pub(crate) async fn passed(mut self) {
        self.changed.notify_one();
        // A gateway that is slow, or ends, shows the change later; it is on disk.
        drop(tokio::time::timeout(PICTURE_WAIT, self.nursery.changed()).await);
    }
}

/// `GET /setup`.
pub(crate) async fn setup(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<Json<types::Setup>, Refusal> {
    query.end()?;
    question(&shared, |shared| {
        let look = Look::take(&shared.state)?;
        let reach = shared.state.reach.borrow().clone();
        let planted =
            |zone: &&Zone| look.growing(zone).and_then(|growing| look.stage(growing)?.1).is_some();
        let nodes = look.nodes();
        let placed = nodes.iter().filter(|it| it.zone.is_some());
        let heard = placed.clone().filter(|it| it.newest_ms.is_some() || it.birth_ms.is_some());
        Ok(types::Setup {
            sites: look.nursery.sites.len() as u32,
            zones: look.nursery.zones.len() as u32,
            planted: look.nursery.zones.iter().filter(planted).count() as u32,
            nodes: placed.count() as u32,
            heard: heard.count() as u32,
            readings: nodes.iter().any(|it| it.newest_ms.is_some()),
            mqtt: reach.mqtt.clone(),
            https: reach.https.clone(),
        })
    })
    .await
    .map(Json)
}

/// `GET /crops`.
pub(crate) async fn crops(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<Json<Vec<types::Crop>>, Refusal> {
    query.end()?;
    let nursery = Arc::clone(&shared.state.nursery.borrow());
    Ok(Json(nursery.profiles.iter().map(crop).collect()))
}

fn crop(profile: &Profile) -> types::Crop {
    let stage = |stage: &Stage| {
        let (days_min, days_max) = days(stage);
        let (stage, name) = (stage.id.to_string(), name(&stage.names));
        types::CropStage { stage, name, days_min, days_max }
    };
    let methods = profile.methods.iter().map(|method| types::CropMethod {
        method: method.id.to_string(),
        name: name(&method.names),
        stages: method.stages.iter().map(stage).collect(),
    });
    types::Crop {
        crop: profile.crop.to_string(),
        name: name(&profile.names),
        methods: methods.collect(),
    }
}

/// Returns how many days a stage takes at least and at most, where known.
pub(crate) fn days(stage: &Stage) -> (Option<f64>, Option<f64>) {
    let span = stage.duration.as_ref().map(|it| it.target_h).unwrap_or_default();
    (span.lo.map(|hours| hours / 24.0), span.hi.map(|hours| hours / 24.0))
}

/// `GET /sites`.
pub(crate) async fn list(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<Json<Vec<types::Site>>, Refusal> {
    query.end()?;
    question(&shared, |shared| Ok(sites(&Look::take(&shared.state)?))).await.map(Json)
}

/// Returns every site with its zones.
pub(crate) fn sites(look: &Look) -> Vec<types::Site> {
    look.nursery.sites.iter().map(|site| told(look, site)).collect()
}

fn told(look: &Look, site: &Site) -> types::Site {
    let zones = look.nursery.zones.iter().filter(|zone| zone.site == site.id);
    types::Site {
        site: site.id.to_string(),
        name: name(&site.names),
        latitude_deg: site.position.latitude.degrees(),
        longitude_deg: site.position.longitude.degrees(),
        time_zone: site.time_zone.name().to_owned(),
        zones: zones.map(|zone| told_zone(zone, look.growing(zone))).collect(),
    }
}

fn told_zone(zone: &Zone, growing: Option<&Growing>) -> types::SiteZone {
    let growing = growing.map(|it| types::GrowingIds {
        crop: it.crop.to_string(),
        method: it.method.to_string(),
        stage: it.stage.to_string(),
    });
    types::SiteZone { zone: zone.id.to_string(), name: name(&zone.names), growing }
}

/// `POST /sites`.
pub(crate) async fn put_site(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<types::NewSite>,
) -> Result<Json<types::Site>, Refusal> {
    let site = Site {
        id: slug("site", &asked.site)?,
        names: names(&asked.name)?,
        position: Position {
            latitude: Latitude::new(asked.latitude_deg).map_err(|error| {
                let zh = format!("纬度须在 -90 到 90 之间,而不是 {}", asked.latitude_deg);
                Refusal::field("latitude_deg", zh, error.to_string())
            })?,
            longitude: Longitude::new(asked.longitude_deg).map_err(|error| {
                let zh = format!("经度须在 -180 到 180 之间,而不是 {}", asked.longitude_deg);
                Refusal::field("longitude_deg", zh, error.to_string())
            })?,
        },
        time_zone: TimeZone::new(&asked.time_zone).map_err(|error| {
            let zh = format!("“{}”不是 IANA 时区;请写如 Asia/Shanghai", asked.time_zone);
            Refusal::field("time_zone", zh, error.to_string())
        })?,
    };
    apply(&shared, asker, Plan { sites: vec![site.clone()], ..Plan::default() }).await?;
    question(&shared, move |shared| Ok(told(&Look::take(&shared.state)?, &site))).await.map(Json)
}

/// `POST /zones`.
pub(crate) async fn put_zone(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<types::NewZone>,
) -> Result<Json<types::SiteZone>, Refusal> {
    let (site, id) = (slug("site", &asked.site)?, slug("zone", &asked.zone)?);
    let names = names(&asked.name)?;
    let kind = match asked.kind {
        types::ZoneKind::House => ZoneKind::House,
        types::ZoneKind::StoreRoom => ZoneKind::StoreRoom,
    };
    let nursery = Arc::clone(&shared.state.nursery.borrow());
    let growing = asked.growing.map(|it| growing(&nursery.profiles, &it)).transpose()?;
    let registry = Arc::clone(&shared.state.registry);
    let zone = blocking(move || {
        let known = registry.zones()?.into_iter().find(|it| it.site == site && it.id == id);
        // What is not asked for stays as it is.
        let (day, overrides, expected_interval_ms) = known.map_or_else(
            || (Day::Sun, Vec::new(), INTERVAL_MS_DEFAULT),
            |it| (it.day, it.overrides, it.expected_interval_ms),
        );
        Ok(Zone { id, site, names, kind, growing, day, overrides, expected_interval_ms })
    })
    .await?;
    apply(&shared, asker, Plan { zones: vec![zone.clone()], ..Plan::default() }).await?;
    question(&shared, move |shared| {
        let look = Look::take(&shared.state)?;
        Ok(told_zone(&zone, look.growing(&zone).or(zone.growing.as_ref())))
    })
    .await
    .map(Json)
}

async fn apply(shared: &Arc<Shared>, asker: Asker, plan: Plan) -> Result<(), Refusal> {
    let before = Before::look(shared);
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let applied = blocking(move || Ok(registry.apply(&plan, &asker.who.actor, now)?)).await?;
    if applied.is_change() {
        before.passed().await;
        shared.overview.spoil();
    }
    Ok(())
}

/// `POST /nodes`.
pub(crate) async fn add_node(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<types::NewNode>,
) -> Result<(StatusCode, Json<types::NodeSecret>), Refusal> {
    let key = NodeKey { site: slug("site", &asked.site)?, node: slug("node", &asked.node)? };
    let zone = slug("zone", &asked.zone)?;
    let before = Before::look(&shared);
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let by: Actor = asker.who.actor;
    let username = key.to_string();
    let secret = blocking(move || Ok(registry.add_node(&key, &zone, &by, now)?)).await?;
    before.passed().await;
    shared.overview.spoil();
    let secret = secret.reveal().to_owned();
    let credentials = format!("{username} {secret}");
    let mqtt = shared.state.reach.borrow().mqtt.clone();
    let answer = types::NodeSecret { username, secret, credentials, mqtt };
    Ok((StatusCode::CREATED, Json(answer)))
}

fn names(asked: &types::Name) -> Result<Names, Refusal> {
    Names::new(&asked.zh, &asked.en).map_err(|error| {
        Refusal::field("name", "中文名和英文名都须有 1 到 400 个字", error.to_string())
    })
}

/// Checks that a profile knows the crop, the method and the stage.
fn growing(profiles: &[Profile], asked: &types::GrowingIds) -> Result<Growing, Refusal> {
    let growing = Growing {
        crop: slug("growing.crop", &asked.crop)?,
        method: slug("growing.method", &asked.method)?,
        stage: slug("growing.stage", &asked.stage)?,
    };
    stage(profiles, &growing.crop, &growing.method, &growing.stage)?;
    Ok(growing)
}

/// Returns the method of a crop, or refuses and names those that there are.
pub(crate) fn method<'a>(
    profiles: &'a [Profile],
    crop: &Slug,
    method: &Slug,
) -> Result<&'a nursery::Method, Refusal> {
    let list =
        |names: Vec<&Slug>| names.into_iter().map(Slug::as_str).collect::<Vec<_>>().join(", ");
    let profile = profiles.iter().find(|it| it.crop == *crop).ok_or_else(|| {
        let known = list(profiles.iter().map(|it| &it.crop).collect());
        Refusal::field(
            "crop",
            format!("没有作物“{crop}”;可选:{known}"),
            format!("there is no crop `{crop}`; known are {known}"),
        )
    })?;
    profile.methods.iter().find(|it| it.id == *method).ok_or_else(|| {
        let known = list(profile.methods.iter().map(|it| &it.id).collect());
        Refusal::field(
            "method",
            format!("作物“{crop}”没有方式“{method}”;可选:{known}"),
            format!("the crop `{crop}` has no method `{method}`; known are {known}"),
        )
    })
}

/// Returns a stage, or refuses and names those that there are.
pub(crate) fn stage<'a>(
    profiles: &'a [Profile],
    crop: &Slug,
    method_id: &Slug,
    stage: &Slug,
) -> Result<&'a Stage, Refusal> {
    let method = method(profiles, crop, method_id)?;
    method.stages.iter().find(|it| it.id == *stage).ok_or_else(|| {
        let known = method.stages.iter().map(|it| it.id.as_str()).collect::<Vec<_>>().join(", ");
        Refusal::field(
            "stage",
            format!("“{crop}/{method_id}”没有阶段“{stage}”;可选:{known}"),
            format!("`{crop}/{method_id}` has no stage `{stage}`; known are {known}"),
        )
    })
}
