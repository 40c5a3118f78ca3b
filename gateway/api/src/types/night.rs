//! The technician's night and the grower's morning: shelving, notes, links in messages, limits that
//! wait to be confirmed.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

use super::{Alarm, Name, Side};

/// An alarm's shelving: it is judged as ever and wakes nobody. `POST /alarms/{id}/unshelve`, with an
/// [`super::AlarmComment`], ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Shelving {
    /// Until when.
    #[ts(type = "number")]
    pub until_ms: i64,
    /// Whether it also ends when the alarm returns to normal.
    pub one_shot: bool,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// `POST /alarms/{id}/shelve`.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct Shelve {
    /// Until when, RFC 3339 or milliseconds since 1970; at most 24 hours from now.
    pub until: String,
    /// Whether it also ends when the alarm returns to normal.
    #[serde(default)]
    pub one_shot: bool,
    /// Why. Never empty.
    pub reason: String,
}

/// A message about an alarm.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct SentMessage {
    /// `email` or `webhook`.
    pub channel: String,
    /// To whom: a user's name, or the webhook's host.
    pub to: String,
    /// `waiting`, `sent` or `failed`.
    pub state: String,
    /// When it was sent, or is tried next.
    #[ts(type = "number | null")]
    pub at_ms: Option<i64>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// `POST /answers/look` and `POST /answers`: the token of a message's link.
#[derive(Clone, Deserialize, TS, ToSchema)]
pub struct AnswerToken {
    /// What stands behind `#` in the link.
    pub token: String,
}

/// What the page behind a message's link shows.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct AnswerCard {
    /// The gateway's clock.
    #[ts(type = "number")]
    pub now_ms: i64,
    /// The alarm.
    pub alarm: Alarm,
    /// The site's name.
    pub site_name: Name,
    /// IANA time zone of the site, in which the page tells times.
    pub time_zone: String,
    /// What to check.
    pub check: Name,
    /// What to do.
    pub action: Name,
    /// Who the link was sent to, and answers.
    pub user: String,
    /// Until when the link opens.
    #[ts(type = "number")]
    pub expires_ms: i64,
    /// Whether the link was used: the button is gone.
    pub used: bool,
}

/// A note that somebody leaves for the next shift. `POST /notes/{id}/done` puts it away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS, ToSchema)]
pub struct Note {
    /// Its number.
    #[ts(type = "number")]
    pub id: i64,
    /// The site's id.
    pub site: String,
    /// The zone's id, where it is about one.
    pub zone: Option<String>,
    /// The alarm's id, where it is about one.
    pub alarm: Option<String>,
    /// What was written.
    pub text: String,
    /// Who.
    pub by: String,
    /// When.
    #[ts(type = "number")]
    pub at_ms: i64,
    /// Who has read it and put it away.
    pub done_by: Option<String>,
    /// When.
    #[ts(type = "number | null")]
    pub done_ms: Option<i64>,
}

/// `POST /notes`.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct NewNote {
    /// The site's id.
    pub site: String,
    /// The zone's id, where it is about one.
    #[serde(default)]
    pub zone: Option<String>,
    /// The alarm's id, where it is about one.
    #[serde(default)]
    pub alarm: Option<String>,
    /// What to say: 1 to 2,000 characters.
    pub text: String,
}

/// `GET /notes?state=open|all`: notes, the newest first, at most 200.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Notes {
    /// The notes.
    pub notes: Vec<Note>,
}

/// What happened since yesterday evening; part of the overview.
#[derive(Clone, Debug, Serialize, TS, ToSchema)]
pub struct Night {
    /// Since when: 18:00 of the site's time before.
    #[ts(type = "number")]
    pub from_ms: i64,
    /// The alarms that were raised since, the newest first, at most 50.
    pub alarms: Vec<Alarm>,
    /// How many were raised.
    pub raised: u32,
    /// How many people were told of.
    pub told: u32,
    /// Notes that nobody has put away.
    pub notes: Vec<Note>,
}

/// `POST /limits/confirm`: a limit of class C or G is right for this nursery, and wakes from now on.
#[derive(Clone, Debug, Deserialize, TS, ToSchema)]
pub struct ConfirmLimit {
    /// The site's id.
    pub site: String,
    /// The zone whose crop and stage it belongs to.
    pub zone: String,
    /// The quantity.
    pub quantity: String,
    /// Above or below.
    pub side: Side,
    /// The limit, as the page showed it: another one is refused.
    pub limit: f64,
    /// Why it is right here. Never empty.
    pub reason: String,
}
