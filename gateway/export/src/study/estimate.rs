//! How large a study will be, without writing it.

use std::collections::BTreeSet;

use exposure::taken_spans;
use measure::{Slug, Timestamp};
use store::Store;

use crate::Error;
use crate::study::Study;

/// What a reading takes in a ZIP, in bytes, as measured on a simulated nursery.
const PACKED_BYTES_A_READING: u64 = 9;
/// What the other files take in a ZIP, in bytes, about.
const PACKED_BYTES_OF_THE_REST: u64 = 16_384;

/// How large a study will be, about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// How many channels take part.
    pub channels: usize,
    /// How many usable readings; readings with a fault come on top.
    pub readings: u64,
    /// How many bytes the ZIP will have.
    pub bytes: u64,
    /// How many gaps were declared within the span.
    pub gaps: usize,
}

impl Study {
    /// Returns how large the study will be, from the store's summaries.
    ///
    /// # Errors
    /// Where a series can't be read.
    pub fn estimate(&self, store: &dyn Store) -> Result<Estimate, Error> {
        let mut found = Estimate::default();
        let (mut channels, mut nodes) = (BTreeSet::new(), BTreeSet::new());
        let sites: BTreeSet<&Slug> = self.batches.iter().map(|batch| &batch.site).collect();
        for site in sites {
            let stays = self.stays(site);
            let spans = self.at_site(store, site, |house| Ok(taken_spans(house, &stays)))?;
            for span in spans.unwrap_or_default() {
                let Some((_, key)) = self.series.iter().find(|(id, _)| *id == span.series) else {
                    continue;
                };
                channels.insert(span.series);
                nodes.insert(&key.node);
                let failed = |source| Error::Store { series: key.to_string(), source };
                let whole_ms = span.to.ms_since(span.from).max(0) + 1;
                let origin: Timestamp = span.from;
                let columns = store
                    .downsample(span.series, span.from, span.to, whole_ms, origin)
                    .map_err(failed)?;
                found.readings += columns.count.iter().map(|count| u64::from(*count)).sum::<u64>();
            }
        }
        for node in nodes {
            let failed = |source| Error::Store { series: format!("{node}'s gaps"), source };
            let told = store.gaps(node).map_err(failed)?;
            let within = told.iter().filter(|it| self.span.from <= it.at && it.at < self.span.to);
            found.gaps += within.count();
        }
        found.channels = channels.len();
        found.bytes = found.readings * PACKED_BYTES_A_READING + PACKED_BYTES_OF_THE_REST;
        Ok(found)
    }
}
