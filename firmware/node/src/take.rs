//! A live round on its way into the flash: calibrated, judged, and kept where it says something new.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Vec;
use measure::{Fault, Quality, Reading, Sequence, Uptime};
use wire::{CHANNELS_MAX, LocalEvent};

use crate::judge::{Seen, Verdict};
use crate::outbox::Result;
use crate::{Error, Node, Origin, Recorded, RoundReadings};

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
    /// flash. Readings of channels that are switched off are left out.
    ///
    /// # Errors
    /// As for [`Self::record`].
    pub async fn take(
        &mut self,
        at: Uptime,
        readings: &[(u8, Reading, Quality)],
    ) -> Result<Taken, F::Error> {
        self.check_round(readings)?;
        self.sampled(at);
        let at = at.max(self.recorded_at);
        let mut taken = Taken::default();
        let mut judged = RoundReadings::new();
        let before_at = self.judge_round(at, readings, &mut judged, &mut taken);
        if !taken.corners.is_empty() {
            taken.before = Some(self.record(before_at, &taken.corners, Origin::Live).await?);
        }
        if !taken.readings.is_empty() {
            taken.recorded = Some(self.record(at, &taken.readings, Origin::Live).await?);
        }
        for (channel, reading, quality) in &taken.readings {
            if let Some(channel) = self.channels.get_mut(usize::from(*channel)) {
                channel.keep(Seen::new(at.0 as u32, *reading, *quality));
            }
        }
        self.judge_limits(at, &judged, &mut taken).await?;
        Ok(taken)
    }

    /// Returns the outputs to drive now, link or no link: bit 0 the siren, bit 1 relay 1, and so on.
    pub fn outputs(&self) -> u8 {
        self.limits.iter().fold(0, |all, watched| all | watched.outputs())
    }

    /// Returns whether the channel is to be read.
    pub fn is_enabled(&self, channel: u8) -> bool {
        self.birth.channels.get(usize::from(channel)).is_some_and(|channel| channel.enabled)
    }

    /// Refuses readings that are none of this node's.
    pub(crate) fn check_round(&self, readings: &[(u8, Reading, Quality)]) -> Result<(), F::Error> {
        if readings.is_empty() || readings.len() > CHANNELS_MAX {
            return Err(Error::Round { count: readings.len(), max: CHANNELS_MAX });
        }
        let channels = self.birth.channels.len();
        match readings.iter().find(|one| usize::from(one.0) >= channels) {
            Some((channel, ..)) => Err(Error::Channel(*channel)),
            None => Ok(()),
        }
    }

    /// Calibrates, flags and weighs; returns when the readings before the jumps were taken.
    fn judge_round(
        &mut self,
        at: Uptime,
        readings: &[(u8, Reading, Quality)],
        judged: &mut RoundReadings,
        taken: &mut Taken,
    ) -> Uptime {
        let at_ms = at.0 as u32;
        let heartbeat = self.birth.heartbeat_ms.map(|ms| (ms, self.birth.interval_ms));
        let mut before_at = at;
        for (index, raw, _) in readings {
            let place = usize::from(*index);
            let (Some(channel), Some(told)) =
                (self.channels.get_mut(place), self.birth.channels.get(place))
            else {
                continue;
            };
            if !told.enabled {
                continue;
            }
            let (reading, quality) = channel.judge(told.quantity, at_ms, *raw);
            judged.extend([(*index, reading, quality)]);
            let seen = Seen::new(at_ms, reading, quality);
            let verdict = channel.weigh(heartbeat, &seen);
            if let Verdict::KeepBoth(before) = verdict {
                let ago_ms = u64::from(at_ms.wrapping_sub(before.at_ms));
                let then = Uptime(at.0.saturating_sub(ago_ms));
                // One round has one time, and rounds follow each other: another one is left out.
                let fits = then >= self.recorded_at
                    && (taken.corners.is_empty() || then == before_at)
                    && !taken.corners.is_full();
                if fits {
                    before_at = then;
                    taken.corners.extend([(*index, before.reading(), before.quality)]);
                }
            }
            if verdict == Verdict::Pass {
                channel.passed = Some(seen);
            } else {
                // If the flash fails, the next one is a first one.
                channel.kept = None;
                channel.passed = None;
                taken.readings.extend([(*index, reading, quality)]);
            }
        }
        before_at
    }

    async fn judge_limits(
        &mut self,
        at: Uptime,
        judged: &RoundReadings,
        taken: &mut Taken,
    ) -> Result<(), F::Error> {
        for index in 0..self.limits.len() {
            let Some(watched) = self.limits.get(index).copied() else { continue };
            let mut own = judged.iter().filter(|one| one.0 == watched.limit.channel);
            let Some((_, reading, quality)) = own.next() else { continue };
            // What cannot be true is no value to judge by.
            let reading = if *quality == Quality::Fail { Err(Fault::OutOfRange) } else { *reading };
            let (next, said) = watched.step(at.0 as u32, reading, self.birth.interval_ms);
            match (said, reading) {
                (Some(state), Ok(value)) if !taken.events.is_full() => {
                    let event = self.tell_limit(at, index, next, state, value).await?;
                    taken.events.extend([event]);
                }
                (Some(_), _) => {}
                (None, _) => {
                    if let Some(watched) = self.limits.get_mut(index) {
                        *watched = next;
                    }
                }
            }
        }
        Ok(())
    }
}
