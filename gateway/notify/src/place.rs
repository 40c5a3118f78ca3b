//! Where a channel stands, in people's words.

use nursery::{Names, Site};

/// Where a channel stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The site, with the time of its people.
    pub site: Site,
    /// The zone's id and name; none where its node is not placed.
    pub zone: Option<(String, Names)>,
    /// The node's id.
    pub node: String,
    /// Where on the node's bench.
    pub position: String,
}
