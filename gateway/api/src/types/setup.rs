//! Making a nursery: sites, zones, crops to choose from, nodes with their secrets, and trust in the
//! gateway's own certificate authority.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use super::{Name, Role, SentMessage};

/// `GET /setup`: how far the first hour has come, and what to type next.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Setup {
    /// How many sites there are.
    pub sites: u32,
    /// How many zones there are.
    pub zones: u32,
    /// How many zones have a crop and a stage.
    pub planted: u32,
    /// How many nodes there are.
    pub nodes: u32,
    /// How many of them were heard.
    pub heard: u32,
    /// Whether any reading has come.
    pub readings: bool,
    /// Where nodes connect, TLS first.
    pub mqtt: Vec<Endpoint>,
    /// Where phones and desks of the LAN open the dashboard.
    pub https: Vec<Endpoint>,
}

/// An address that something can be reached at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Endpoint {
    /// Such as `mqtts://192.168.1.5:8883` or `https://miaopu.local:8443`.
    pub url: String,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// `GET /trust`: open to everyone, so that a phone can check whom it is about to trust.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Trust {
    /// Whether the gateway has an authority of its own.
    pub present: bool,
    /// The name in the authority's certificate.
    pub name: String,
    /// SHA-256 of the authority's certificate, in hexadecimal pairs with colons.
    pub fingerprint_sha256: String,
    /// Until when the authority's certificate holds.
    #[ts(type = "number")]
    pub expires_ms: i64,
    /// Where the certificate is downloaded, such as `/ca.crt`.
    pub download: String,
    /// Where the dashboard speaks TLS.
    pub https: Vec<Endpoint>,
}

/// `GET /crops`: one crop that profiles are shipped for.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Crop {
    /// The crop's id, such as `tea`.
    pub crop: String,
    /// The crop's name.
    pub name: Name,
    /// How it is raised.
    pub methods: Vec<CropMethod>,
}

/// A way of raising a crop.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct CropMethod {
    /// The method's id, such as `cutting`.
    pub method: String,
    /// The method's name.
    pub name: Name,
    /// Its stages, in their order.
    pub stages: Vec<CropStage>,
}

/// A stage of a method.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct CropStage {
    /// The stage's id, such as `1-root`.
    pub stage: String,
    /// The stage's name.
    pub name: Name,
    /// How many days it takes at least; absent where not known.
    pub days_min: Option<f64>,
    /// How many days it takes at most; absent where not known.
    pub days_max: Option<f64>,
}

/// What grows somewhere: ids of a crop, a method and a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct GrowingIds {
    /// The crop.
    pub crop: String,
    /// The method.
    pub method: String,
    /// The stage.
    pub stage: String,
}

/// `GET /sites`: a site.
#[derive(Clone, Debug, PartialEq, Serialize, TS, ToSchema)]
pub struct Site {
    /// The site's id.
    pub site: String,
    /// The site's name.
    pub name: Name,
    /// Degrees north.
    pub latitude_deg: f64,
    /// Degrees east.
    pub longitude_deg: f64,
    /// IANA time zone, such as `Asia/Shanghai`: days and nights are told in it.
    pub time_zone: String,
    /// Its zones.
    pub zones: Vec<SiteZone>,
}

/// A zone in the list of a site.
#[derive(Clone, Debug, PartialEq, Serialize, TS, ToSchema)]
pub struct SiteZone {
    /// The zone's id.
    pub zone: String,
    /// The zone's name.
    pub name: Name,
    /// What grows there by a batch or by the zone's own plan; absent where empty.
    pub growing: Option<GrowingIds>,
}

/// `POST /sites`: makes a site, or changes the one of that id.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct NewSite {
    /// The id: `[a-z0-9-]`, 1 to 32.
    pub site: String,
    /// The name.
    pub name: Name,
    /// Degrees north.
    pub latitude_deg: f64,
    /// Degrees east.
    pub longitude_deg: f64,
    /// IANA time zone.
    pub time_zone: String,
}

/// `POST /zones`: makes a zone, or changes name, kind and crop of the one of that id.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct NewZone {
    /// The site's id.
    pub site: String,
    /// The id: `[a-z0-9-]`, 1 to 32.
    pub zone: String,
    /// The name.
    pub name: Name,
    /// House or store room.
    pub kind: ZoneKind,
    /// What grows there; absent where empty or told by batches.
    #[serde(default)]
    pub growing: Option<GrowingIds>,
}

/// What a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ZoneKind {
    /// A place where plants grow.
    House,
    /// A place where germplasm is kept.
    StoreRoom,
}

/// `POST /nodes`: adds a node; a known one gets a new secret.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct NewNode {
    /// The site's id.
    pub site: String,
    /// The node's id: `[a-z0-9-]`, 1 to 32.
    pub node: String,
    /// The zone it stands in.
    pub zone: String,
}

/// The answer to `POST /nodes`: the only time that the secret is shown.
#[derive(Clone, Serialize, TS, ToSchema)]
pub struct NodeSecret {
    /// The MQTT user name, `SITE/NODE`.
    pub username: String,
    /// The MQTT password.
    pub secret: String,
    /// The line of a credentials file, `SITE/NODE SECRET`.
    pub credentials: String,
    /// Where it connects, TLS first.
    pub mqtt: Vec<Endpoint>,
}

/// A language that people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// Where and in which language a user is told of alarms. `POST /users/{user}/contact`, and
/// `POST /session/contact` for oneself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct Contact {
    /// The e-mail address; absent where there is none.
    pub email: Option<String>,
    /// The language that comes first in messages.
    pub language: Language,
    /// Whether alarms wake this user.
    pub wakes: bool,
}

/// `GET /notify`: how messages leave the gateway.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Notify {
    /// The channels that are configured.
    pub channels: Vec<NotifyChannel>,
    /// Who would be told of an alarm right now.
    pub people: Vec<NotifyPerson>,
    /// Messages that wait or are tried again.
    pub waiting: u32,
    /// Messages that were given up.
    pub failed: u32,
    /// Where links of messages lead.
    pub public_url: String,
}

/// A way that messages leave by.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct NotifyChannel {
    /// `email` or `webhook`.
    pub channel: String,
    /// Host and port; never a secret.
    pub server: String,
    /// When a message last went through.
    #[ts(type = "number | null")]
    pub last_sent_ms: Option<i64>,
    /// Why the last try failed; absent where it did not.
    pub error: Option<String>,
}

/// `POST /notify/test`: what became of the test messages, one a channel that is configured.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct NotifyTest {
    /// The messages: to the asker's e-mail, and to the webhook.
    pub results: Vec<SentMessage>,
}

/// Somebody who is told of alarms.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct NotifyPerson {
    /// The user.
    pub user: String,
    /// The role.
    pub role: Role,
    /// The address.
    pub email: String,
}
