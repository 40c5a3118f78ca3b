//! Firmware: what there is, and how far each node has come with it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// `GET /firmware`: every release, and what every node was offered last.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Firmware {
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// By target, newest first.
    pub releases: Vec<FirmwareRelease>,
    /// By site and node; only nodes that were offered something.
    pub rollouts: Vec<FirmwareRollout>,
}

/// A release of a firmware, signed. `POST /firmware/releases` takes the bytes of a package (`.mpf`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct FirmwareRelease {
    /// What it is made for, such as `mps2-an385`.
    pub target: String,
    /// Counts up; a greater one is newer.
    pub release: u32,
    /// The version for people.
    pub version: String,
    /// The length of the image, in bytes.
    pub length: u32,
    /// SHA-256 of the image, in hexadecimal.
    pub sha256: String,
    /// Short name of the key that signed it. Which keys count, each node decides by those built into it.
    pub key: String,
    /// When it was added.
    #[ts(type = "number")]
    pub added_ms: i64,
    /// By whom.
    pub by: String,
}

/// How far a node has come with what it was offered last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirmwareState {
    /// It was offered and the node has not begun.
    Offered,
    /// The node fetches it.
    Wanting,
    /// The node has it whole and restarts into it.
    Staged,
    /// It runs and tests itself.
    Trial,
    /// The node runs it.
    Confirmed,
    /// It did not pass its test, and the one from before runs again.
    RolledBack,
    /// The node does not take it; `detail` says why.
    Refused,
    /// A person took the offer back.
    Cancelled,
}

/// What a node was offered last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct FirmwareRollout {
    /// The site's id.
    pub site: String,
    /// The node's id.
    pub node: String,
    /// What the release is made for.
    pub target: String,
    /// The release.
    pub release: u32,
    /// How far it has come.
    pub state: FirmwareState,
    /// How many bytes of the image the node has.
    pub had: u32,
    /// How many the image has.
    pub length: u32,
    /// Where it was refused: why, in the node's own short word.
    pub detail: String,
    /// When it was offered.
    #[ts(type = "number")]
    pub offered_ms: i64,
    /// By whom.
    pub by: String,
    /// When its state changed last.
    #[ts(type = "number")]
    pub changed_ms: i64,
}

/// `POST /nodes/{site}/{node}/firmware`: offers a release to a node. `DELETE` takes the offer back.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct FirmwareOffer {
    /// The release, of the node's own target.
    pub release: u32,
}
