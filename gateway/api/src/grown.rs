//! What grew in a zone through a span: its leading batch's stages, and between batches what the zone
//! itself said.

use measure::Timestamp;
use nursery::{Batch, Growing, Zone, grows};
use registry::Grown;

use crate::look::Look;

/// Returns what grew in a zone in `[from, to)`, oldest first, one item a change. `own` is what the zone
/// said of itself, `batches` are those that ever stood in it.
pub(crate) fn through(
    look: &Look,
    zone: &Zone,
    own: &[Grown],
    batches: &[Batch],
    (from, to): (Timestamp, Timestamp),
) -> Vec<Grown> {
    let lived: Vec<&Batch> =
        batches.iter().filter(|it| it.started < to && from < it.end(Timestamp::MAX)).collect();
    let changes = lived.iter().flat_map(|batch| {
        let stages = batch.stages.iter().map(|it| it.from);
        let placements = batch.placements.iter().map(|it| it.from);
        stages.chain(placements).chain(batch.closed.iter().map(|it| it.at))
    });
    let mut cuts: Vec<Timestamp> = changes
        .chain(own.iter().map(|it| it.from))
        .filter(|cut| *cut < to)
        .map(|cut| cut.max(from))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut grown: Vec<Grown> = Vec::new();
    for cut in cuts {
        let said = own_at(own, cut);
        let batches = lived.iter().copied();
        let growing = grows(zone, said, batches, &look.nursery.profiles, cut);
        if grown.last().is_none_or(|last| last.growing != growing) {
            grown.push(Grown { from: cut, growing });
        }
    }
    grown
}

fn own_at(own: &[Grown], at: Timestamp) -> Option<&Growing> {
    own.iter().take_while(|it| it.from <= at).last()?.growing.as_ref()
}
