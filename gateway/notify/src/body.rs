//! The body of a webhook's request.

use alarms::{Kind, RuleKind, Transition};
use measure::Timestamp;
use serde_json::{Value, json};

use crate::{Place, advice, quantity_name};

/// Returns the JSON that the webhook is told of a transition, after Standard Webhooks: `type`,
/// `timestamp` (RFC 3339, when the gateway saw it) and `data`:
///
/// | field | what it is |
/// |---|---|
/// | `alarm` | the alarm's number, a text |
/// | `event` | `raised`, `reopened`, `rose`, `went_live`, `unshelved`, `rule_changed`, `returned`, `withdrawn` |
/// | `severity` | `critical`, `high`, `medium`, `low` |
/// | `kind` | `limit`, `stale` or `fault` |
/// | `site`, `zone` | id and name in both languages; `zone` is null where the node is not placed |
/// | `node`, `position` | where the sensor is |
/// | `quantity`, `quantity_name`, `unit` | what is measured, and the UCUM code of every value here |
/// | `side`, `value`, `limit`, `peak` | `high` or `low`, and numbers; null where there is none |
/// | `fault` | the sensor's fault, such as `bus`; null where there is none |
/// | `started_ms`, `raised_ms`, `returned_ms` | milliseconds since 1970 |
/// | `check`, `action` | what to check and do, in both languages |
/// | `link` | the alarm's page, which asks who opens it to sign in |
///
/// `type` is `alarm.raised` for whatever wants attention and `alarm.returned` for what is over.
pub fn webhook_body(transition: &Transition, place: &Place, public_url: &str) -> Value {
    let episode = &transition.episode;
    let units = |value: measure::Scaled| value.to_f64(episode.quantity);
    let advice = advice::of(episode);
    let quantity = quantity_name(episode.quantity);
    let is_over = matches!(transition.kind, Kind::Returned | Kind::Withdrawn);
    let value = transition.value.filter(|_| episode.kind == RuleKind::Limit);
    json!({
        "type": if is_over { "alarm.returned" } else { "alarm.raised" },
        "timestamp": rfc3339(transition.seen),
        "data": {
            "alarm": episode.id.0.to_string(),
            "event": transition.kind,
            "severity": episode.severity.name(),
            "kind": episode.kind,
            "site": {
                "id": place.site.id.as_str(),
                "zh": place.site.names.zh(),
                "en": place.site.names.en(),
            },
            "zone": place.zone.as_ref().map(|(id, names)| {
                json!({ "id": id, "zh": names.zh(), "en": names.en() })
            }),
            "node": place.node,
            "position": place.position,
            "quantity": episode.quantity.name(),
            "quantity_name": { "zh": quantity.zh, "en": quantity.en },
            "unit": episode.quantity.ucum(),
            "side": episode.side.map(|side| side.name()),
            "value": value.map(units),
            "limit": episode.limit.map(units),
            "peak": episode.peak.map(|peak| units(peak.value)),
            "fault": transition.fault.map(|fault| fault.name()),
            "started_ms": episode.started.millis(),
            "raised_ms": episode.raised.millis(),
            "returned_ms": episode.returned.map(Timestamp::millis),
            "check": { "zh": advice.check.zh, "en": advice.check.en },
            "action": { "zh": advice.action.zh, "en": advice.action.en },
            "link": format!("{public_url}/alarms/{}", episode.id.0),
        },
    })
}

/// The body that tries out whether requests arrive.
pub(crate) fn test_body(wall: Timestamp, public_url: &str) -> Value {
    json!({
        "type": "test",
        "timestamp": rfc3339(wall),
        "data": { "zh": "苗圃测试消息", "en": "a test message of Miaopu", "link": public_url },
    })
}

/// Writes a time as RFC 3339 in UTC.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    // jiff ends a day before our own latest time does.
    jiff::Timestamp::from_microsecond(at.micros()).unwrap_or(jiff::Timestamp::MAX).to_string()
}
