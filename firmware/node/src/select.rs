//! What of the ring is sent next, and when it was measured.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::{BootId, Sequence, SequenceRange, Timestamp, Uptime};
use wire::{Frame, GapReason, Head, LocalEvent, Pushed};

use crate::Error;
use crate::entry::{self, Round};
use crate::outbox::{Outbox, Result, hole};
use crate::ranges::{Freed, Gap};

/// The oldest that is neither freed nor under way.
pub(crate) enum Unsent {
    /// Sequences that will never come.
    Gap(Gap),
    /// Readings of this round, from this sequence on.
    Readings(Round, Sequence),
    /// The local event of this round, whose sequence is `Round::first`. [`Outbox::date`] dates it.
    Event(Round, LocalEvent),
}

/// When a boot began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) boot_utc: Option<Timestamp>,
    pub(crate) uncertain: bool,
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Outbox<F, PAGES> {
    /// Finds the oldest below `below` that `covered` does not hold.
    pub(crate) async fn oldest_unsent<const N: usize>(
        &mut self,
        covered: &Freed<N>,
        below: Sequence,
    ) -> Result<Option<Unsent>, F::Error> {
        let missing = |gap: Gap| {
            covered.first_missing(gap.range).map(|range| Unsent::Gap(Gap { range, ..gap }))
        };
        let mut previous: Option<Round> = None;
        let mut rounds = self.queue.iter().await?;
        while let Some(item) = rounds.next(&mut self.scratch.0).await? {
            let Some((round, _)) = entry::parse(&item) else { continue };
            if let Some(gap) = hole(previous.as_ref(), &round).and_then(missing) {
                return Ok(Some(gap));
            }
            if round.first >= below {
                return Ok(None);
            }
            if let Some(unsent) = round.range().and_then(|range| covered.first_missing(range)) {
                if let Some(event) = round.event {
                    return Ok(Some(Unsent::Event(round, event)));
                }
                return Ok(Some(Unsent::Readings(round, unsent.first)));
            }
            previous = Some(round);
        }
        let unused = self.boot_first.0.checked_sub(1).map(Sequence);
        let tail = unused.and_then(|last| SequenceRange::new(self.newest_end, last));
        Ok(tail.and_then(|range| missing(Gap { range, reason: GapReason::Unused })))
    }

    /// Writes a data frame into `buffer`: readings from `head.first` on, as many as belong together and
    /// find room. Returns its length and its sequences.
    pub(crate) async fn fill<const N: usize>(
        &mut self,
        round: &Round,
        head: &Head,
        covered: &Freed<N>,
        below: Sequence,
        buffer: &mut [u8],
    ) -> Result<(usize, SequenceRange), F::Error> {
        let mut frame = Frame::new(buffer, head)?;
        let mut next = head.first;
        let mut rounds = self.queue.iter().await?;
        'ring: while let Some(item) = rounds.next(&mut self.scratch.0).await? {
            let Some((other, readings)) = entry::parse(&item) else { continue };
            if other.end() <= next {
                continue;
            }
            let belongs = other.first <= next
                && other.boot == round.boot
                && other.boot_utc == round.boot_utc
                && other.history == round.history
                && other.event.is_none();
            if !belongs || next >= below {
                break;
            }
            for (sampled, sequence) in readings.zip(other.first.0..) {
                let sequence = Sequence(sequence);
                if sequence < next {
                    continue;
                }
                let alone = SequenceRange { first: sequence, last: sequence };
                if covered.first_missing(alone).is_none() || frame.push(&sampled)? == Pushed::Full {
                    break 'ring;
                }
                next = Sequence(sequence.0 + 1);
            }
        }
        let last = Sequence(next.0.saturating_sub(1));
        let range = SequenceRange::new(head.first, last).ok_or(Error::Damaged)?;
        Ok((frame.finish(), range))
    }

    /// Finds out when the boot of `round` began.
    ///
    /// Where it had a clock later on, that says it. Otherwise the boot is placed, with the other boots
    /// that never had one, just before the next boot that had: each of them lasted at least until its
    /// last reading. `own` is UTC at the start of the boot that runs now.
    pub(crate) async fn date(
        &mut self,
        round: &Round,
        own: Option<Timestamp>,
    ) -> Result<Dated, F::Error> {
        if round.boot_utc.is_some() {
            return Ok(Dated { boot_utc: round.boot_utc, uncertain: false });
        }
        if round.boot == self.identity.boot {
            return Ok(Dated { boot_utc: own, uncertain: false });
        }
        let mut back = Back { boot: round.boot, last: round.uptime, before_ms: 0 };
        let mut rounds = self.queue.iter().await?;
        while let Some(item) = rounds.next(&mut self.scratch.0).await? {
            let Some((later, _)) = entry::parse(&item) else { continue };
            if later.end() <= round.first {
                continue;
            }
            back.step(later.boot, later.uptime);
            let known = if later.boot == self.identity.boot { own } else { later.boot_utc };
            if let Some(boot_utc) = known {
                let boot_utc = boot_utc.plus_ms(-back.before_ms());
                return Ok(Dated { boot_utc: Some(boot_utc), uncertain: later.boot != round.boot });
            }
        }
        back.step(self.identity.boot, Uptime(0));
        Ok(Dated { boot_utc: own.map(|own| own.plus_ms(-back.before_ms())), uncertain: true })
    }
}

/// How long the boots without a clock lasted, from the one asked about up to the current one.
struct Back {
    boot: BootId,
    last: Uptime,
    before_ms: u64,
}

impl Back {
    fn step(&mut self, boot: BootId, uptime: Uptime) {
        if boot != self.boot {
            // One more, so that the last reading of a boot lies before the start of the next.
            self.before_ms = self.before_ms.saturating_add(self.last.0).saturating_add(1);
            self.boot = boot;
        }
        self.last = uptime;
    }

    fn before_ms(&self) -> i64 {
        i64::try_from(self.before_ms).unwrap_or(i64::MAX)
    }
}
