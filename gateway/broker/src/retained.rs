//! Retained messages in memory, bounded in number and bytes. rmqtt's own default keeps none.
//!
//! Kept here are the births of the nodes, so that an ingest that connects later learns them. All
//! of it may be forgotten at any moment: the gateway keeps births of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmqtt::retain::RetainStorage;
use rmqtt::types::{Retain, TimedValue, TopicFilter, TopicName};

use crate::refusals::{Refusal, Refusals};

/// The most retained messages; a new topic beyond it is not kept, and counted.
pub const RETAINED_MESSAGES_MAX: usize = 20_000;
/// The most bytes of retained payloads; a message beyond it is not kept, and counted.
pub const RETAINED_BYTES_MAX: usize = 32 * 1024 * 1024;

pub(crate) struct Retained {
    kept: Mutex<Kept>,
    refusals: Arc<Refusals>,
}

#[derive(Default)]
struct Kept {
    messages: HashMap<TopicName, TimedValue<Retain>>,
    bytes: usize,
    messages_peak: usize,
}

impl Retained {
    pub(crate) fn new(refusals: Arc<Refusals>) -> Self {
        Self { kept: Mutex::default(), refusals }
    }

    fn with<T>(&self, use_kept: impl FnOnce(&mut Kept) -> T) -> T {
        use_kept(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Kept {
    fn remove(&mut self, topic: &str) {
        if let Some(old) = self.messages.remove(topic) {
            self.bytes -= old.value().publish.payload.len();
        }
    }

    /// Returns whether the message was kept.
    fn insert(&mut self, topic: &TopicName, retain: Retain, expiry: Option<Duration>) -> bool {
        let bytes = retain.publish.payload.len();
        if self.messages.len() >= RETAINED_MESSAGES_MAX || self.bytes + bytes > RETAINED_BYTES_MAX {
            self.messages.retain(|_, message| !message.is_expired());
            self.bytes = self.messages.values().map(|m| m.value().publish.payload.len()).sum();
        }
        if self.messages.len() >= RETAINED_MESSAGES_MAX || self.bytes + bytes > RETAINED_BYTES_MAX {
            return false;
        }
        self.bytes += bytes;
        self.messages.insert(topic.clone(), TimedValue::new(retain, expiry));
        self.messages_peak = self.messages_peak.max(self.messages.len());
        true
    }
}

#[async_trait::async_trait]
impl RetainStorage for Retained {
    fn enable(&self) -> bool {
        true
    }

    fn need_sync(&self) -> bool {
        false
    }

    async fn set(
        &self,
        topic: &TopicName,
        retain: Retain,
        _default_expiry: Option<Duration>,
    ) -> rmqtt::Result<()> {
        // The broker's limit is for messages that wait in a queue; a retained one ends only by the
        // publisher's own expiry (MQTT 5, section 3.3.2.3.3).
        let expiry = retain
            .publish
            .properties
            .as_ref()
            .and_then(|properties| properties.message_expiry_interval)
            .map(|seconds| Duration::from_secs(u64::from(seconds.get())));
        let client = retain.from.client_id.clone();
        let is_kept = self.with(|kept| {
            kept.remove(topic);
            retain.publish.payload.is_empty() || kept.insert(topic, retain, expiry)
        });
        if !is_kept {
            self.refusals.record(Refusal::RetainedFull, &client, topic);
        }
        Ok(())
    }

    async fn get(&self, filter: &TopicFilter) -> rmqtt::Result<Vec<(TopicName, Retain)>> {
        Ok(self.with(|kept| {
            kept.messages
                .iter()
                .filter(|(topic, message)| matches(filter, topic) && !message.is_expired())
                .map(|(topic, message)| (topic.clone(), message.value().clone()))
                .collect()
        }))
    }

    async fn count(&self) -> isize {
        self.with(|kept| isize::try_from(kept.messages.len()).unwrap_or(isize::MAX))
    }

    async fn max(&self) -> isize {
        self.with(|kept| isize::try_from(kept.messages_peak).unwrap_or(isize::MAX))
    }
}

/// Returns whether `filter` matches `topic` (MQTT 5, section 4.7). A leading wildcard does not
/// match topics that begin with `$`.
fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic_levels = topic.split('/');
    for filter_level in filter.split('/') {
        match (filter_level, topic_levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    topic_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &str, topic: &str, expect: bool) {
        assert_eq!(matches(filter, topic), expect, "{filter} on {topic}");
    }

    #[test]
    fn filters_match_as_mqtt_says() {
        check("miaopu/1/a/b/birth", "miaopu/1/a/b/birth", true);
        check("miaopu/1/+/+/birth", "miaopu/1/a/b/birth", true);
        check("miaopu/1/+/birth", "miaopu/1/a/b/birth", false);
        check("miaopu/1/+/+/birth", "miaopu/1/a/b/data", false);
        check("miaopu/1/+/+/birth/+", "miaopu/1/a/b/birth", false);
        // Section 4.7.1.2: "sport/#" also matches the singular "sport".
        check("sport/#", "sport", true);
        check("sport/#", "sport/tennis/player1", true);
        check("sport/+", "sport", false);
        check("+/+", "/finance", true);
        check("#", "$SYS/x", false);
        check("+/x", "$SYS/x", false);
        check("$SYS/#", "$SYS/x", true);
    }
}
