//! Whether the subscriptions live: each filter must bring something now and then.
//!
//! A broker may lose one subscription of a session and keep the others, and nothing tells. So at every
//! check the gateway publishes a probe under each filter, which the subscription must bring back to it.
//! A filter that brought nothing since the last check, neither a probe nor a message of a node, is
//! silent and is to be asked for again.

use std::time::Duration;

/// How often the subscriptions are looked after.
pub const SELF_CHECK: Duration = Duration::from_secs(30);

/// What stands for site and node in the topics of probes: no name that a node can have.
const NOBODY: &str = "_/_";

/// The state of each filter in this connection.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Whose probes: another gateway at the same broker has its own.
    owner: Vec<u8>,
    /// What is subscribed to, and whether it brought anything.
    filters: &'static [&'static str],
    heard: Vec<Heard>,
    /// Probes were published since the connection was made.
    is_probed: bool,
    /// Any probe ever came back.
    is_proven: bool,
    /// It was said that none does.
    is_told: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    since_look: bool,
}

/// What a look at the filters found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The filters that brought nothing.
    pub(crate) silent: Vec<&'static str>,
    /// No probe ever came back; said once.
    pub(crate) never_heard: bool,
}

impl Watch {
    pub(crate) fn new(owner: &str, filters: &'static [&'static str]) -> Self {
        Self {
            owner: owner.as_bytes().to_vec(),
            filters,
            heard: vec![Heard::default(); filters.len()],
            is_probed: false,
            is_proven: false,
            is_told: false,
        }
    }

    /// Returns what is subscribed to.
    pub(crate) fn filters(&self) -> &'static [&'static str] {
        self.filters
    }

    /// Begins with a new connection.
    pub(crate) fn begin(&mut self) {
        self.heard.fill(Heard::default());
        self.is_probed = false;
    }

    /// Notes what came; returns whether it was a probe, of whichever gateway.
    pub(crate) fn hear(&mut self, topic: &[u8], payload: &[u8]) -> bool {
        let place = self.filters.iter().position(|filter| topic.ends_with(last_level(filter)));
        let is_probe = middle(topic) == Some(NOBODY.as_bytes());
        let is_own = is_probe && payload == self.owner;
        self.is_proven |= is_own;
        // Another gateway's probe proves as much as a node's message does.
        if let Some(filter) = place.and_then(|place| self.heard.get_mut(place)) {
            filter.since_look = true;
        }
        is_probe
    }

    /// Returns which filters brought nothing since the last look. The first look after a connection
    /// finds nothing: its probes are still to be published.
    pub(crate) fn look(&mut self) -> Found {
        let mut found = Found::default();
        if self.is_probed {
            for (&filter, heard) in self.filters.iter().zip(&self.heard) {
                if !heard.since_look {
                    found.silent.push(filter);
                }
            }
            found.never_heard = !found.silent.is_empty() && !self.is_proven && !self.is_told;
            self.is_told |= found.never_heard;
        }
        self.heard.fill(Heard::default());
        self.is_probed = true;
        found
    }

    /// Returns the probes, one a filter.
    pub(crate) fn probes(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.filters.iter().map(|filter| (filter.replace("+/+", NOBODY), self.owner.clone()))
    }
}

fn last_level(filter: &str) -> &[u8] {
    filter.rfind('/').and_then(|at| filter.as_bytes().get(at..)).unwrap_or_default()
}

/// Returns what stands for site and node.
fn middle(topic: &[u8]) -> Option<&[u8]> {
    let rest = topic.strip_prefix(b"miaopu/1/")?;
    let end = rest.iter().rposition(|&byte| byte == b'/')?;
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::FILTERS;

    #[test]
    fn a_filter_that_brings_neither_probe_nor_message_is_silent() {
        let mut watch = Watch::new("me", &FILTERS);
        watch.begin();
        assert_eq!(watch.look(), Found::default());
        for (topic, payload) in watch.probes().collect::<Vec<_>>() {
            assert!(measure_none(&topic), "{topic} could be a node's");
            if !topic.ends_with("birth") {
                assert!(watch.hear(topic.as_bytes(), &payload));
            }
        }
        assert_eq!(watch.look(), Found { silent: vec![FILTERS[0]], never_heard: false });
        assert!(!watch.hear(b"miaopu/1/s/n/birth", b"of a node"));
        assert!(watch.hear(b"miaopu/1/_/_/data", b"another gateway"));
        assert_eq!(watch.look().silent, [FILTERS[2]]);
        watch.begin();
        assert_eq!(watch.look(), Found::default());
    }

    #[test]
    fn a_broker_that_returns_nothing_is_told_of_once() {
        let mut watch = Watch::new("me", &FILTERS);
        watch.look();
        assert!(watch.look().never_heard);
        assert_eq!(watch.look(), Found { silent: FILTERS.to_vec(), never_heard: false });
    }

    fn measure_none(topic: &str) -> bool {
        wire::Topic::parse(topic).is_err()
    }
}
