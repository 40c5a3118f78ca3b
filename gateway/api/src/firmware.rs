//! Firmware of nodes: packages taken in, offered, and how far each node has come. The daemon's firmware
//! stage finds what is offered in the registry.

use std::sync::Arc;
use std::time::Duration;

use ::release::{PACKAGE_BYTES_MAX, Package, PublicKey};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State as Held};
use axum::http::StatusCode;
use measure::{NodeKey, Slug};
use registry::{Registry, Release, ReleaseKey, Rollout, RolloutState};

use crate::ask::{At, Body, Query, slug};
use crate::guard::Asker;
use crate::problem::Refusal;
use crate::server::{Shared, TURN_WAIT, blocking, question};
use crate::types::{self, FirmwareState};

/// The largest body of a package, in bytes; a larger one is refused.
pub const FIRMWARE_BYTES_MAX: usize = PACKAGE_BYTES_MAX;
/// How long a package may take to arrive; a slower one is refused.
pub const FIRMWARE_WAIT: Duration = Duration::from_secs(120);

type Key = At<(String, String)>;

/// `GET /firmware`.
pub(crate) async fn list(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<Json<types::Firmware>, Refusal> {
    query.end()?;
    question(&shared, |shared| {
        let registry = &shared.state.registry;
        let releases = registry.releases()?;
        let rollouts = registry.rollouts()?;
        Ok(types::Firmware {
            now_ms: shared.state.clock.now().millis(),
            rollouts: rollouts.iter().map(|it| rollout(it, &releases)).collect(),
            releases: releases.iter().map(release).collect(),
        })
    })
    .await
    .map(Json)
}

/// `POST /firmware/releases`.
pub(crate) async fn add(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
    asker: Asker,
    request: Request,
) -> Result<(StatusCode, Json<types::FirmwareRelease>), Refusal> {
    query.end()?;
    // As many at once as accessions are imported, each whole in memory.
    let turn = tokio::time::timeout(TURN_WAIT, shared.imports.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Refusal::busy()) };
    let bytes = body(request).await?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let added = blocking(move || {
        let package = Package::parse(&bytes)
            .map_err(|error| Refusal::field("package", error.zh, error.en))?;
        let manifest = &package.manifest;
        let release = Release {
            key: ReleaseKey { target: manifest.target.clone(), number: manifest.release },
            version: manifest.version.as_str().to_owned(),
            length: manifest.length,
            sha256: manifest.sha256,
            manifest: package.signed.clone(),
            signature: package.signature,
            signer: package.key.0,
            added: now,
            by: asker.who.actor,
        };
        registry.add_release(&release, &package.image)?;
        Ok(release)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(release(&added))))
}

/// `DELETE /firmware/releases/{target}/{release}`.
pub(crate) async fn remove(
    Held(shared): Held<Arc<Shared>>,
    At((target, number)): Key,
    asker: Asker,
) -> Result<StatusCode, Refusal> {
    let number = number.parse().map_err(|_| {
        Refusal::not_found(
            format!("没有编号为“{number}”的固件版本;所有版本见 GET /api/v1/firmware"),
            format!("there is no release `{number}`; GET /api/v1/firmware lists all"),
        )
    })?;
    let key = ReleaseKey { target: slug("target", &target)?, number };
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    blocking(move || Ok(registry.remove_release(&key, &asker.who.actor, now)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /nodes/{site}/{node}/firmware`.
pub(crate) async fn offer(
    Held(shared): Held<Arc<Shared>>,
    at: Key,
    asker: Asker,
    Body(asked): Body<types::FirmwareOffer>,
) -> Result<(StatusCode, Json<types::FirmwareRollout>), Refusal> {
    let node = key(at)?;
    let presence = shared.state.presence.borrow().get(&node).cloned().unwrap_or_default();
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let offered = blocking(move || {
        if !registry.knows_node(&node)? {
            return Err(registry::Error::Unknown { what: "node", name: node.to_string() }.into());
        }
        let target = presence.target.ok_or_else(|| takes_none(&node))?;
        let running = presence.release.unwrap_or_default();
        if asked.release <= running {
            return Err(Refusal::field(
                "release",
                format!("节点已运行版本 {running};请提供更高的版本,而不是 {}", asked.release),
                format!(
                    "the node runs release {running}; offer a greater one, not {}",
                    asked.release
                ),
            ));
        }
        let key = ReleaseKey { target, number: asked.release };
        let offered = registry.offer_release(&node, &key, &asker.who.actor, now)?;
        told(&registry, &offered)
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(offered)))
}

/// `DELETE /nodes/{site}/{node}/firmware`.
pub(crate) async fn cancel(
    Held(shared): Held<Arc<Shared>>,
    at: Key,
    asker: Asker,
) -> Result<Json<types::FirmwareRollout>, Refusal> {
    let node = key(at)?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    blocking(move || {
        let cancelled = registry.cancel_rollout(&node, &asker.who.actor, now)?;
        told(&registry, &cancelled)
    })
    .await
    .map(Json)
}

fn key(At((site, node)): Key) -> Result<NodeKey, Refusal> {
    Ok(NodeKey { site: slug("site", &site)?, node: slug("node", &node)? })
}

fn takes_none(node: &NodeKey) -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "takes_no_updates",
        format!("节点“{node}”从未上线,或其固件不支持远程升级;请先接通,或用线缆刷写一次"),
        format!(
            "the node `{node}` has never reported, or its firmware takes no updates; switch it on, or \
             flash it by cable once"
        ),
    )
}

async fn body(request: Request) -> Result<Bytes, Refusal> {
    let read = tokio::time::timeout(FIRMWARE_WAIT, Bytes::from_request(request, &())).await;
    let incomplete = || {
        Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "incomplete",
            "固件包没有完整到达,请重试",
            "the package did not arrive whole; send it again",
        )
    };
    let read = read.map_err(|_| incomplete())?;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("固件包超过 {FIRMWARE_BYTES_MAX} 字节;请核对文件"),
            format!("a package has at most {FIRMWARE_BYTES_MAX} bytes; is it the right file?"),
        ),
        _ => incomplete(),
    })
}

fn told(registry: &Registry, it: &Rollout) -> Result<types::FirmwareRollout, Refusal> {
    Ok(rollout(it, &registry.releases()?))
}

fn release(it: &Release) -> types::FirmwareRelease {
    types::FirmwareRelease {
        target: it.key.target.to_string(),
        release: it.key.number,
        version: it.version.clone(),
        length: it.length,
        sha256: it.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        key: PublicKey(it.signer).id(),
        added_ms: it.added.millis(),
        by: it.by.to_string(),
    }
}

fn rollout(it: &Rollout, releases: &[Release]) -> types::FirmwareRollout {
    let of = releases.iter().find(|release| release.key == it.release);
    types::FirmwareRollout {
        site: name(&it.node.site),
        node: name(&it.node.node),
        target: name(&it.release.target),
        release: it.release.number,
        state: match it.state {
            RolloutState::Offered => FirmwareState::Offered,
            RolloutState::Wanting => FirmwareState::Wanting,
            RolloutState::Staged => FirmwareState::Staged,
            RolloutState::Trial => FirmwareState::Trial,
            RolloutState::Confirmed => FirmwareState::Confirmed,
            RolloutState::RolledBack => FirmwareState::RolledBack,
            RolloutState::Refused => FirmwareState::Refused,
            RolloutState::Cancelled => FirmwareState::Cancelled,
        },
        had: it.had,
        length: of.map_or(0, |release| release.length),
        detail: it.detail.clone(),
        offered_ms: it.offered.millis(),
        by: it.by.to_string(),
        changed_ms: it.changed.millis(),
    }
}

fn name(slug: &Slug) -> String {
    slug.as_str().to_owned()
}
