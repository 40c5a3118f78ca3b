//! Topics: `miaopu/1/{site}/{node}/{kind}`.

use core::fmt;

use measure::{NodeKey, SLUG_BYTES_MAX, Slug};

use crate::Error;

/// The longest topic, in bytes: the longest names and the longest kind.
pub const TOPIC_BYTES_MAX: usize = 9 + SLUG_BYTES_MAX + 1 + SLUG_BYTES_MAX + 1 + 5;

const PREFIX: &str = "miaopu";
const VERSION: &str = "1";

/// A topic of one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    /// The site.
    pub site: Slug,
    /// The node, unique in its site.
    pub node: Slug,
    /// What is said there.
    pub kind: TopicKind,
}

/// What is said on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TopicKind {
    /// Node to gateway, retained: what the node is.
    Birth,
    /// Node to gateway: readings, gaps, answers to commands.
    Data,
    /// The node's will.
    Death,
    /// Gateway to node: what is on disk, and the time.
    Ack,
    /// Gateway to node: a command.
    Command,
    /// Gateway to node: a firmware update. No message of it is in version 1.
    Ota,
}

impl TopicKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Birth, Self::Data, Self::Death, Self::Ack, Self::Command, Self::Ota];

    /// Returns the last level of the topic.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Birth => "birth",
            Self::Data => "data",
            Self::Death => "death",
            Self::Ack => "ack",
            Self::Command => "cmd",
            Self::Ota => "ota",
        }
    }

    /// Returns whether the node is the one that publishes here; on the others it listens.
    pub const fn is_from_node(self) -> bool {
        matches!(self, Self::Birth | Self::Data | Self::Death)
    }
}

impl fmt::Display for TopicKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Topic {
    /// Returns the topic of this kind of `key`.
    pub fn new(key: &NodeKey, kind: TopicKind) -> Self {
        Self { site: key.site.clone(), node: key.node.clone(), kind }
    }

    /// Reads a topic.
    ///
    /// # Errors
    /// `Error::Topic` where it has another shape, `Error::Name` where a name in it is none.
    pub fn parse(topic: &str) -> Result<Self, Error> {
        let mut levels = topic.split('/');
        let mut next = || levels.next().ok_or(Error::Topic);
        if next()? != PREFIX || next()? != VERSION {
            return Err(Error::Topic);
        }
        let (site, node, kind) = (next()?, next()?, next()?);
        if levels.next().is_some() {
            return Err(Error::Topic);
        }
        let kind =
            TopicKind::ALL.into_iter().find(|known| known.name() == kind).ok_or(Error::Topic)?;
        Ok(Self { site: Slug::new(site)?, node: Slug::new(node)?, kind })
    }

    /// Returns whose topic it is.
    pub fn node_key(&self) -> NodeKey {
        NodeKey { site: self.site.clone(), node: self.node.clone() }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}/{VERSION}/{}/{}/{}", self.site, self.node, self.kind)
    }
}

impl core::str::FromStr for Topic {
    type Err = Error;

    fn from_str(topic: &str) -> Result<Self, Error> {
        Self::parse(topic)
    }
}
