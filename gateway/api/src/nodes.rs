//! What nodes are set to and told to do. The daemon's [`NodeDesk`] knows the nodes; who may ask is
//! checked here, and every change is recorded with who, when and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use measure::NodeKey;
use registry::Registry;

use crate::ask::{At, Body, Query, slug};
use crate::guard::Asker;
use crate::places::Before;
use crate::problem::Refusal;
use crate::server::{Shared, blocking, question};
use crate::types;

/// The longest reason for a change of settings, in characters; a longer one is refused.
pub const NODE_WHY_CHARS_MAX: usize = 400;

/// A fault in settings: where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFault {
    /// The field, such as `channels[2].deadband`.
    pub field: String,
    /// In words.
    pub words: types::Name,
}

/// Too many commands wait for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeBusy;

/// Knows the nodes: implemented by the daemon. May block on a database.
pub trait NodeDesk: Send + Sync {
    /// Checks settings against what the node is and the limits that hold.
    ///
    /// # Errors
    /// The first fault.
    fn check(&self, node: &NodeKey, settings: &types::NodeSettings) -> Result<(), SettingsFault>;

    /// Returns how a node's settings and commands stand.
    ///
    /// # Errors
    /// What the registry says.
    fn standing(&self, node: &NodeKey) -> Result<types::NodeStanding, registry::Error>;

    /// Tells a node to do something; the outcome shows in [`NodeDesk::standing`].
    ///
    /// # Errors
    /// `NodeBusy` where too much waits for it.
    fn command(
        &self,
        node: &NodeKey,
        command: types::NodeCommand,
        by: &str,
    ) -> Result<(), NodeBusy>;
}

type Key = At<(String, String)>;

fn key(At((site, node)): Key) -> Result<NodeKey, Refusal> {
    Ok(NodeKey { site: slug("site", &site)?, node: slug("node", &node)? })
}

fn known(registry: &Registry, node: &NodeKey) -> Result<(), Refusal> {
    if registry.knows_node(node)? {
        return Ok(());
    }
    Err(registry::Error::Unknown { what: "node", name: node.to_string() }.into())
}

/// `GET /nodes/{site}/{node}/settings`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    at: Key,
    query: Query,
) -> Result<Json<types::NodeStanding>, Refusal> {
    query.end()?;
    let node = key(at)?;
    question(&shared, move |shared| {
        known(&shared.state.registry, &node)?;
        Ok(shared.state.nodes.standing(&node)?)
    })
    .await
    .map(Json)
}

/// `POST /nodes/{site}/{node}/settings`.
pub(crate) async fn set(
    Held(shared): Held<Arc<Shared>>,
    at: Key,
    asker: Asker,
    Body(asked): Body<types::NodeSettingsChange>,
) -> Result<Json<types::NodeStanding>, Refusal> {
    let node = key(at)?;
    let why = asked.why.trim().to_owned();
    if why.is_empty() || why.chars().count() > NODE_WHY_CHARS_MAX {
        return Err(Refusal::field(
            "why",
            format!("请用 1 到 {NODE_WHY_CHARS_MAX} 个字说明原因"),
            format!("say why, in 1 to {NODE_WHY_CHARS_MAX} characters"),
        ));
    }
    let before = Before::look(&shared);
    let (state, now) = (Arc::clone(&shared), shared.state.clock.now());
    let kept = node.clone();
    blocking(move || {
        let (registry, desk) = (&state.state.registry, &state.state.nodes);
        known(registry, &kept)?;
        desk.check(&kept, &asked.settings).map_err(|fault| {
            Refusal::field(&format!("settings.{}", fault.field), fault.words.zh, fault.words.en)
        })?;
        let body =
            serde_json::to_string(&asked.settings).map_err(|error| Refusal::broken(&error))?;
        Ok(registry.set_node_settings(&kept, &body, &why, &asker.who.actor, now)?)
    })
    .await?;
    before.passed().await;
    question(&shared, move |shared| Ok(shared.state.nodes.standing(&node)?)).await.map(Json)
}

/// `POST /nodes/{site}/{node}/commands`.
pub(crate) async fn command(
    Held(shared): Held<Arc<Shared>>,
    at: Key,
    asker: Asker,
    Body(asked): Body<types::NodeAsk>,
) -> Result<(StatusCode, Json<types::NodeStanding>), Refusal> {
    let node = key(at)?;
    let (state, now) = (Arc::clone(&shared), shared.state.clock.now());
    let standing = blocking(move || {
        let name = match asked.command {
            types::NodeCommand::Identify => "identify",
            types::NodeCommand::Reboot => "reboot",
            types::NodeCommand::Rebirth => "rebirth",
        };
        let why = asked.why.as_deref().map(str::trim).filter(|why| !why.is_empty());
        let by = &asker.who.actor;
        state.state.registry.record_node_command(&node, name, why, by, now)?;
        let told = state.state.nodes.command(&node, asked.command, &by.to_string());
        told.map_err(|NodeBusy| {
            Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "node_busy",
                "该节点还有多条命令没有应答,请等一分钟再试",
                "too many commands wait for this node; try again in a minute",
            )
        })?;
        Ok(state.state.nodes.standing(&node)?)
    })
    .await?;
    Ok((StatusCode::ACCEPTED, Json(standing)))
}
