//! Who may touch which topic: a pure rule over the session's account and the topic, no I/O.

use measure::NodeKey;

/// The first two levels of every topic of this project; nothing outside may be touched.
pub const TOPIC_ROOT: &str = "miaopu/1";

/// The last level of the topics that a node may publish to.
const NODE_PUBLISHES: [&str; 3] = ["birth", "data", "death"];
/// The last level of the topics that a node may subscribe to.
const NODE_SUBSCRIBES: [&str; 3] = ["ack", "cmd", "ota"];

/// What an admitted session may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// A node: its own topics, and each of them in one direction only.
    Node(NodeKey),
    /// The gateway's own ingest: everything below [`TOPIC_ROOT`].
    Gateway,
}

impl Rights {
    /// Returns whether a session may publish to `topic`. Holds for its will too.
    pub fn may_publish(&self, topic: &str) -> bool {
        match self {
            Self::Node(node) => own_kind(node, topic).is_some_and(|k| NODE_PUBLISHES.contains(&k)),
            Self::Gateway => is_below_root(topic) && !topic.contains(['+', '#']),
        }
    }

    /// Returns whether a session may subscribe to `filter`.
    ///
    /// A node's filter must name one topic; a wildcard is refused even where it would match
    /// nothing else, so that the rule can be read off the list above.
    pub fn may_subscribe(&self, filter: &str) -> bool {
        match self {
            Self::Node(node) => {
                own_kind(node, filter).is_some_and(|k| NODE_SUBSCRIBES.contains(&k))
            }
            Self::Gateway => is_below_root(filter),
        }
    }
}

/// Returns the last level of `topic` where the levels before it are those of `node`.
fn own_kind<'topic>(node: &NodeKey, topic: &'topic str) -> Option<&'topic str> {
    topic
        .strip_prefix(TOPIC_ROOT)?
        .strip_prefix('/')?
        .strip_prefix(node.site.as_str())?
        .strip_prefix('/')?
        .strip_prefix(node.node.as_str())?
        .strip_prefix('/')
}

fn is_below_root(topic: &str) -> bool {
    topic.strip_prefix(TOPIC_ROOT).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use measure::Slug;

    use super::*;

    fn node() -> Rights {
        Rights::Node(NodeKey {
            site: Slug::new("nanchuan").unwrap(),
            node: Slug::new("bench-1").unwrap(),
        })
    }

    #[track_caller]
    fn check(rights: &Rights, topic: &str, publish: bool, subscribe: bool) {
        assert_eq!(rights.may_publish(topic), publish, "publish {topic}");
        assert_eq!(rights.may_subscribe(topic), subscribe, "subscribe {topic}");
    }

    #[test]
    fn a_node_speaks_on_three_topics_and_listens_on_three() {
        for kind in ["birth", "data", "death"] {
            check(&node(), &format!("miaopu/1/nanchuan/bench-1/{kind}"), true, false);
        }
        for kind in ["ack", "cmd", "ota"] {
            check(&node(), &format!("miaopu/1/nanchuan/bench-1/{kind}"), false, true);
        }
    }

    #[test]
    fn a_node_touches_nothing_else() {
        for topic in [
            "",
            "#",
            "+",
            "/",
            "$SYS/#",
            "miaopu/1/#",
            "miaopu/1/nanchuan/bench-1",
            "miaopu/1/nanchuan/bench-1/",
            "miaopu/1/nanchuan/bench-1/#",
            "miaopu/1/nanchuan/bench-1/+",
            "miaopu/1/nanchuan/bench-1/data/more",
            "miaopu/1/nanchuan/bench-1/DATA",
            "miaopu/1/nanchuan/bench-10/data",
            "miaopu/1/nanchuan/bench-10/ack",
            "miaopu/1/nanchuan/bench/data",
            "miaopu/1/nanchuan/+/ack",
            "miaopu/1/+/bench-1/ack",
            "miaopu/1/elsewhere/bench-1/data",
            "miaopu/2/nanchuan/bench-1/data",
            "miaopu/11/nanchuan/bench-1/data",
            "x/miaopu/1/nanchuan/bench-1/data",
            "/miaopu/1/nanchuan/bench-1/data",
            "$share/g/miaopu/1/nanchuan/bench-1/ack",
        ] {
            check(&node(), topic, false, false);
        }
    }

    #[test]
    fn the_gateway_has_the_whole_tree_and_no_more() {
        check(&Rights::Gateway, "miaopu/1/nanchuan/bench-1/ack", true, true);
        check(&Rights::Gateway, "miaopu/1/+/+/data", false, true);
        check(&Rights::Gateway, "miaopu/1/#", false, true);
        for topic in
            ["#", "miaopu/#", "miaopu/1", "miaopu/10/a", "$SYS/broker", "$share/g/miaopu/1/#"]
        {
            check(&Rights::Gateway, topic, false, false);
        }
    }
}
