//! What of the ring is sent next, and when it was measured.
//!
//! The ring is read on from where the last frame ended. Only where something before that is to be sent
//! again, or far more was acknowledged than was read, the place is looked for anew: by the heads of the
//! pages, 32 bytes each.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::{BootId, Sequence, SequenceRange, Timestamp, Uptime};
use wire::{Frame, GapReason, Head, LocalEvent, Pushed};

use crate::Error;
use crate::entry::{self, Round};
use crate::outbox::{Before, Outbox, Result};
use crate::ranges::{Freed, Gap};
use crate::ring::Walk;

/// Where more sequences than this are acknowledged ahead, a look at the heads of the pages is shorter than
/// reading on.
const READ_ON_MAX: u64 = 2_048;

/// The oldest that is neither freed nor under way.
pub(crate) enum Unsent {
    /// Sequences that will never come.
    Gap(Gap),
    /// Readings of this round, from this sequence on.
    Readings(Round, Sequence),
    /// The local event of this round, whose sequence is `Round::first`. [`Outbox::date`] dates it.
    Event(Round, LocalEvent),
}

/// A place in the ring, and what is known of the one before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pub(crate) walk: Walk,
    pub(crate) before: Before,
}

/// When a boot began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dated {
    pub(crate) boot_utc: Option<Timestamp>,
    pub(crate) uncertain: bool,
}

/// The same, and which boot it was; with the time at which this boot began, as it was known then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatedBoot {
    boot: BootId,
    own: Option<Timestamp>,
    dated: Dated,
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Outbox<F, PAGES> {
    /// Returns a place in the ring before which everything is covered.
    async fn resume(&mut self, covered: Sequence) -> Result<Cursor, F::Error> {
        if let Some(cursor) = self.cursor
            && (cursor.before.end.0..=cursor.before.end.0.saturating_add(READ_ON_MAX))
                .contains(&covered.0)
        {
            return Ok(cursor);
        }
        let walk = self.ring.seek(covered, &mut self.scratch.0).await.map_err(Error::Flash)?;
        Ok(Cursor { walk, before: Before::nothing(self.freed.floor()) })
    }

    /// Reads the round at the cursor, which goes on behind it.
    async fn step(&mut self, cursor: &mut Cursor) -> Result<Option<(Round, usize)>, F::Error> {
        let Self { ring, scratch, identity, .. } = self;
        while let Some(length) =
            ring.next(&mut cursor.walk, &mut scratch.0).await.map_err(Error::Flash)?
        {
            let bytes = scratch.0.get(..length).unwrap_or_default();
            match entry::parse(bytes) {
                Some((round, _))
                    if round.flash == identity.flash && cursor.before.is_before(&round) =>
                {
                    return Ok(Some((round, length)));
                }
                Some(_) => {}
                None => cursor.walk.is_damaged = true,
            }
        }
        Ok(None)
    }

    /// Finds the oldest below `below` that `covered` does not hold.
    pub(crate) async fn oldest_unsent<const N: usize>(
        &mut self,
        covered: &Freed<N>,
        below: Sequence,
    ) -> Result<Option<Unsent>, F::Error> {
        let missing = |gap: Gap| {
            covered.first_missing(gap.range).map(|range| Unsent::Gap(Gap { range, ..gap }))
        };
        let mut cursor = self.resume(covered.floor()).await?;
        loop {
            self.cursor = Some(cursor);
            let Some((round, _)) = self.step(&mut cursor).await? else { break };
            if let Some(gap) = cursor.before.hole(&round, cursor.walk.is_damaged).and_then(missing)
            {
                return Ok(Some(gap));
            }
            if round.first >= below {
                return Ok(None);
            }
            if let Some(unsent) = round.range().and_then(|range| covered.first_missing(range)) {
                return Ok(Some(match round.event {
                    Some(event) => Unsent::Event(round, event),
                    None => Unsent::Readings(round, unsent.first),
                }));
            }
            cursor.pass(&round);
        }
        self.cursor = Some(cursor);
        let unused = self.boot_first.0.checked_sub(1).map(Sequence);
        let tail = unused.and_then(|last| SequenceRange::new(self.newest_end, last));
        let is_damaged = cursor.walk.is_damaged;
        let reason = if is_damaged { GapReason::Corrupt } else { GapReason::Unused };
        Ok(tail.and_then(|range| missing(Gap { range, reason })))
    }

    /// Writes a data frame into `buffer`: readings from `head.first` on, as many as belong together and
    /// find room, of the round that [`Self::oldest_unsent`] has just found. Returns its length and its
    /// sequences.
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
        let Some(mut cursor) = self.cursor else { return Err(Error::Damaged) };
        'ring: while let Some((other, length)) = self.step(&mut cursor).await? {
            let belongs = other.first <= next
                && other.boot == round.boot
                && other.boot_utc == round.boot_utc
                && other.history == round.history
                && other.event.is_none();
            if !belongs || next >= below {
                break;
            }
            let bytes = self.scratch.0.get(..length).unwrap_or_default();
            let Some((_, readings)) = entry::parse(bytes) else { break };
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
            cursor.pass(&other);
            self.cursor = Some(cursor);
        }
        let last = Sequence(next.0.saturating_sub(1));
        let range = SequenceRange::new(head.first, last).ok_or(Error::Damaged)?;
        Ok((frame.finish(), range))
    }

    /// Finds out when the boot of `round`, which [`Self::oldest_unsent`] has just found, began.
    ///
    /// Where it had a clock later on, that says it. Otherwise the boot is placed, with the other boots
    /// that never had one, just before the next boot that had: each of them lasted at least until its
    /// last reading. `own` is UTC at the start of the boot that runs now. For each boot without a clock,
    /// the ring is read once up to the next clock.
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
        if let Some(known) = self.dated.filter(|one| one.boot == round.boot && one.own == own) {
            return Ok(known.dated);
        }
        let dated = self.date_anew(round, own).await?;
        self.dated = Some(DatedBoot { boot: round.boot, own, dated });
        Ok(dated)
    }

    async fn date_anew(
        &mut self,
        round: &Round,
        own: Option<Timestamp>,
    ) -> Result<Dated, F::Error> {
        let mut back = Back { boot: round.boot, last: round.uptime, before_ms: 0 };
        let Some(mut cursor) = self.cursor else { return Err(Error::Damaged) };
        while let Some((later, _)) = self.step(&mut cursor).await? {
            cursor.pass(&later);
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

impl Cursor {
    fn pass(&mut self, round: &Round) {
        self.before = Before::round(round);
        self.walk.is_damaged = false;
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
