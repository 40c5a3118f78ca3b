//! The limits of weak sources that people of a nursery have confirmed as right for it.

use std::collections::BTreeMap;

use measure::{Quantity, Scaled, Slug};
use nursery::{Growing, Side};

/// A limit that a person has confirmed for a crop and stage at a site. It holds for this very value:
/// where the shipped one changes later, the confirmation has lapsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmedLimit {
    /// The site.
    pub site: Slug,
    /// The crop, method and stage.
    pub growing: Growing,
    /// The quantity.
    pub quantity: Quantity,
    /// The side.
    pub side: Side,
    /// The value, in steps.
    pub limit: Scaled,
    /// Who.
    pub by: String,
}

/// Every confirmed limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfirmedLimits(BTreeMap<(String, String), String>);

impl ConfirmedLimits {
    /// Returns who has confirmed a limit at a site, if somebody has.
    pub fn by(
        &self,
        site: &Slug,
        growing: &Growing,
        limit: (Quantity, Side, Scaled),
    ) -> Option<&str> {
        if self.0.is_empty() { None } else { self.0.get(&key(site, growing, limit)) }
            .map(String::as_str)
    }
}

impl FromIterator<ConfirmedLimit> for ConfirmedLimits {
    fn from_iter<I: IntoIterator<Item = ConfirmedLimit>>(limits: I) -> Self {
        let entry = |it: ConfirmedLimit| {
            (key(&it.site, &it.growing, (it.quantity, it.side, it.limit)), it.by)
        };
        Self(limits.into_iter().map(entry).collect())
    }
}

fn key(
    site: &Slug,
    growing: &Growing,
    (quantity, side, limit): (Quantity, Side, Scaled),
) -> (String, String) {
    let Growing { crop, method, stage } = growing;
    let what = format!("{} {} {}", quantity.name(), side.name(), limit.0);
    (site.to_string(), format!("{crop}/{method}/{stage} {what}"))
}
