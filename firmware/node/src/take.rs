//! A live round on its way into the flash: calibrated, judged, and kept where it says something new.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use measure::{Quality, Reading, Sequence, Uptime};
use wire::LocalEvent;

use crate::outbox::Result;
use crate::{Node, Origin, Recorded, RoundReadings};

/// The most events of limits in one round; a limit beyond is judged by the next round.
pub const EVENTS_AT_ONCE: usize = 4;
/// The most readings that are kept from the round before, for the corner of a chart; those beyond are
/// left out.
pub const CORNERS_AT_ONCE: usize = 8;

/// What came of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Readings of the round before that are in the flash from now on: the last ones before a jump. They
    /// come before `recorded`.
    pub before: Option<Recorded>,
    /// What `before` is about, as it was recorded.
    pub corners: Vec<(u8, Reading, Quality), CORNERS_AT_ONCE>,
    /// The readings that are in the flash from now on; `None` where none had to be kept.
    pub recorded: Option<Recorded>,
    /// What `recorded` is about, as it was recorded.
    pub readings: RoundReadings,
    /// The limits that were broken or kept again: in the flash too, after the readings.
    pub events: Vec<(Sequence, LocalEvent), EVENTS_AT_ONCE>,
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Takes a live round, started at `at`: calibrates and judges it, and writes what of it is new to the
    /// flash.
    ///
    /// # Errors
    /// As for [`Self::record`].
    pub async fn take(
        &mut self,
        at: Uptime,
        readings: &[(u8, Reading, Quality)],
    ) -> Result<Taken, F::Error> {
        let recorded = self.record(at, readings, Origin::Live).await?;
        let readings = readings.iter().copied().collect();
        Ok(Taken { recorded: Some(recorded), readings, ..Taken::default() })
    }

    /// Returns the outputs to drive now, link or no link: bit 0 the siren, bit 1 relay 1, and so on.
    pub fn outputs(&self) -> u8 {
        0
    }

    /// Returns whether the channel is to be read.
    pub fn is_enabled(&self, channel: u8) -> bool {
        self.birth.channels.get(usize::from(channel)).is_some_and(|channel| channel.enabled)
    }
}
