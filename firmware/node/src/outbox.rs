//! The readings that wait in flash until the gateway has them.
//!
//! A [`Ring`] of rounds and, beside it, a [`Keep`] with the identity, the gaps, the settings and the
//! limits that are broken. What the ring holds in order is the truth: everything else is rebuilt from it at
//! a start. The newest round always stays, so that its sequence is known after a power cut.
//!
//! Nothing is removed from the ring when it is acknowledged: each round says how far the acknowledged
//! ones reach, and a page is used again in its turn. Where what is in it still waits, it is given up, and
//! the gap is written down before the page goes.
//!
//! No future of this file may be dropped before it is done: the flash would be left in the middle.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::{BootId, FlashId, Quality, Reading, Sequence, SequenceRange, Timestamp, Uptime};
use wire::{EventState, GapReason, LocalEvent};

use crate::Error;
use crate::entry::{self, ENTRY_BYTES_MAX, Round};
use crate::keep::Keep;
use crate::ranges::{FREED_RANGES_MAX, Freed, GAPS_BYTES_MAX, Gap, Gaps};
use crate::ring::Ring;
use crate::select::{Cursor, DatedBoot};

/// Sequences reserved by one write of the identity; a start skips what is left of them.
pub const SEQUENCES_RESERVED: u64 = 256;
/// Where so many sequences were acknowledged and no round has said so, the identity says it; a start sends
/// fewer again.
const FLOOR_LAG_MAX: u64 = 1_024;
/// A round that so many pages one after the other do not take is refused.
const PAGES_TRIED_MAX: usize = 8;
/// The largest entry with its padding to the widest flash word that is supported.
pub(crate) const SCRATCH_BYTES: usize = 352;

const KEY_IDENTITY: u8 = 1;
const KEY_GAPS: u8 = 2;
/// Where firmware without settings kept the interval, 4 bytes: not to be used for anything else.
pub(crate) const KEY_OLD_INTERVAL: u8 = 3;
/// Which settings are in force; below it, the two places that they take turns in.
pub(crate) const KEY_SETTLED: u8 = 4;
pub(crate) const KEYS_SETTINGS: [u8; 2] = [5, 6];
/// The limits that are broken.
pub(crate) const KEY_EPISODES: u8 = 7;

pub(crate) type Result<T, E> = core::result::Result<T, Error<E>>;

/// The ring, and what is known of it.
pub(crate) struct Outbox<F: MultiwriteNorFlash, const PAGES: usize> {
    pub(crate) ring: Ring<F>,
    pub(crate) keep: Keep,
    pub(crate) identity: Identity,
    /// The sequence that the next reading will have.
    pub(crate) next: Sequence,
    /// `next` at the start of this boot: what lies between the newest round and it was never used.
    pub(crate) boot_first: Sequence,
    /// The sequence after the newest round of the ring.
    pub(crate) newest_end: Sequence,
    pub(crate) freed: Freed,
    /// The floor that a start would find.
    pub(crate) saved_floor: Sequence,
    pub(crate) gaps: Gaps,
    /// Where the backlog goes on.
    pub(crate) cursor: Option<Cursor>,
    /// The boot that was dated last.
    pub(crate) dated: Option<DatedBoot>,
    pub(crate) scratch: Scratch,
}

/// A buffer for one item, aligned for flash drivers that ask for it.
#[repr(align(4))]
pub(crate) struct Scratch(pub(crate) [u8; SCRATCH_BYTES]);

const _: () = assert!(SCRATCH_BYTES >= ENTRY_BYTES_MAX + 32 && SCRATCH_BYTES >= GAPS_BYTES_MAX);

/// Who the node is, written at each start and for each block of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) flash: FlashId,
    pub(crate) boot: BootId,
    /// No sequence from here on has been given.
    pub(crate) reserved: Sequence,
    /// All below was freed or given up when this was written.
    pub(crate) floor: Sequence,
}

/// Bytes of the identity: format, flash id, boot id, reserved, floor.
const IDENTITY_BYTES: usize = 25;
const IDENTITY_FORMAT: u8 = 1;

impl Identity {
    fn emit(&self) -> [u8; IDENTITY_BYTES] {
        let bytes = [IDENTITY_FORMAT]
            .into_iter()
            .chain(self.flash.0.to_le_bytes())
            .chain(self.boot.0.to_le_bytes())
            .chain(self.reserved.0.to_le_bytes())
            .chain(self.floor.0.to_le_bytes());
        let mut out = [0; IDENTITY_BYTES];
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        out
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let ([format], rest) = bytes.split_first_chunk::<1>()?;
        let (flash, rest) = rest.split_first_chunk::<4>()?;
        let (boot, rest) = rest.split_first_chunk::<4>()?;
        let (reserved, rest) = rest.split_first_chunk::<8>()?;
        let floor = rest.first_chunk::<8>()?;
        (*format == IDENTITY_FORMAT).then_some(Self {
            flash: FlashId(u32::from_le_bytes(*flash)),
            boot: BootId(u32::from_le_bytes(*boot)),
            reserved: Sequence(u64::from_le_bytes(*reserved)),
            floor: Sequence(u64::from_le_bytes(*floor)),
        })
    }
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Outbox<F, PAGES> {
    /// Writes a round to the flash and returns the sequence of its first reading. Where it fails, the
    /// readings do not count as taken and their sequences are never used.
    pub(crate) async fn push(
        &mut self,
        at: Uptime,
        boot_utc: Option<Timestamp>,
        history: bool,
        readings: &[(u8, Reading, Quality)],
    ) -> Result<Sequence, F::Error> {
        let first = self.next;
        let round = Round {
            flash: self.identity.flash,
            boot: self.identity.boot,
            first,
            count: readings.len() as u8,
            floor: None,
            uptime: at,
            boot_utc,
            history,
            event: None,
        };
        self.push_given(&round, readings).await
    }

    /// Writes a local event to the flash and returns its sequence. The episode of a raised event is
    /// that sequence; the uptime is `at`.
    pub(crate) async fn push_event(
        &mut self,
        at: Uptime,
        boot_utc: Option<Timestamp>,
        event: LocalEvent,
    ) -> Result<Sequence, F::Error> {
        let first = self.next;
        let episode = if event.state == EventState::Raised { first } else { event.episode };
        let round = Round {
            flash: self.identity.flash,
            boot: self.identity.boot,
            first,
            count: 1,
            floor: None,
            uptime: at,
            boot_utc,
            history: false,
            event: Some(LocalEvent { episode, uptime: at, ..event }),
        };
        self.push_given(&round, &[]).await
    }

    /// Writes a round that has sequences, from `self.next` on.
    async fn push_given(
        &mut self,
        round: &Round,
        readings: &[(u8, Reading, Quality)],
    ) -> Result<Sequence, F::Error> {
        let end = round.end();
        if end > self.identity.reserved {
            let reserved = Sequence(round.first.0 + SEQUENCES_RESERVED);
            self.save_identity(Identity { reserved, ..self.identity }).await?;
        }
        self.next = end;
        self.push_round(round, readings).await?;
        self.newest_end = end;
        Ok(round.first)
    }

    /// Writes that no more sequences are reserved than were given: a node that sleeps leaves no gap.
    pub(crate) async fn close_block(&mut self) -> Result<(), F::Error> {
        if self.identity.reserved == self.next && self.saved_floor == self.freed.floor() {
            return Ok(());
        }
        self.save_identity(Identity { reserved: self.next, ..self.identity }).await
    }

    /// Writes down that this boot's clock became known, for the readings from before.
    pub(crate) async fn push_clock(
        &mut self,
        at: Uptime,
        boot_utc: Timestamp,
    ) -> Result<(), F::Error> {
        let round = Round {
            flash: self.identity.flash,
            boot: self.identity.boot,
            first: self.next,
            count: 0,
            floor: None,
            uptime: at,
            boot_utc: Some(boot_utc),
            history: false,
            event: None,
        };
        self.push_round(&round, &[]).await?;
        self.newest_end = self.next;
        Ok(())
    }

    /// Frees what `range` names, in memory; [`Self::settle`] does it in flash.
    pub(crate) fn free(&mut self, range: SequenceRange) -> bool {
        let end = self.next.0.max(self.newest_end.0);
        if let Some(last) = end.checked_sub(1)
            && let Some(given) = SequenceRange::new(range.first, range.last.min(Sequence(last)))
        {
            self.freed.insert(given);
        }
        self.gaps.remove(range)
    }

    /// Returns whether nothing of `range` is left to acknowledge.
    pub(crate) fn is_done(&self, range: SequenceRange) -> bool {
        let touches = |gap: Gap| gap.range.first <= range.last && range.first <= gap.range.last;
        self.freed.first_missing(range).is_none() && !self.gaps.iter().any(touches)
    }

    /// Returns how many readings and events the gateway has not acknowledged; with those that were
    /// never taken, as long as the gap is not acknowledged either.
    pub(crate) fn waiting(&self) -> u32 {
        let above = self.newest_end.0.saturating_sub(self.freed.floor().0);
        u32::try_from(above.saturating_sub(self.freed.above_floor(self.newest_end)))
            .unwrap_or(u32::MAX)
    }

    /// Writes down what was freed, where a start would send much of it again.
    pub(crate) async fn settle(&mut self) -> Result<(), F::Error> {
        if self.freed.floor().0.saturating_sub(self.saved_floor.0) < FLOOR_LAG_MAX {
            return Ok(());
        }
        self.save_identity(self.identity).await
    }

    async fn push_round(
        &mut self,
        round: &Round,
        readings: &[(u8, Reading, Quality)],
    ) -> Result<(), F::Error> {
        let mut round = *round;
        let mut failed = Error::Damaged;
        self.ring.again();
        for _ in 0..PAGES_TRIED_MAX {
            // Room was made for it before, and the floor has risen then.
            round.floor = Some(self.freed.floor().min(round.first));
            let bytes = entry::emit(&round, readings);
            if !self.ring.has_room(bytes.len()) {
                if self.ring.following().is_none() {
                    break;
                }
                self.make_room().await?;
                match self.ring.begin(self.identity.flash, round.first).await {
                    Ok(true) => {
                        round.floor = Some(self.freed.floor().min(round.first));
                    }
                    Ok(false) => continue,
                    Err(error) => {
                        failed = Error::Flash(error);
                        continue;
                    }
                }
            }
            let bytes = entry::emit(&round, readings);
            match self.ring.append(&bytes).await {
                Ok(true) => {
                    let floor = round.floor.unwrap_or(self.saved_floor);
                    self.saved_floor = self.saved_floor.max(floor);
                    return Ok(());
                }
                Ok(false) => {}
                Err(error) => failed = Error::Flash(error),
            }
        }
        Err(failed)
    }

    /// Gives up what waits in the page that is written next. The gap is written down before the page
    /// goes, so that a power cut between leaves nothing unsaid: a start finishes what was begun.
    async fn make_room(&mut self) -> Result<(), F::Error> {
        let Some(page) = self.ring.following() else {
            return Err(Error::Damaged);
        };
        let before = self.freed.floor();
        let mut upto = before;
        let mut gave_up = false;
        let mut previous = Before::nothing(before);
        let mut walk = self.ring.start();
        // From the oldest entry to the first one after the page.
        while let Some(length) =
            self.ring.next(&mut walk, &mut self.scratch.0).await.map_err(Error::Flash)?
        {
            let bytes = self.scratch.0.get(..length).unwrap_or_default();
            let Some((round, _)) = entry::parse(bytes) else { continue };
            if round.flash != self.identity.flash || !previous.is_before(&round) {
                continue;
            }
            if let Some(gap) = previous.hole(&round, walk.is_damaged) {
                gave_up |= give_up(&self.freed, &mut self.gaps, gap);
            }
            upto = upto.max(round.first);
            if !self.ring.is_upto(walk.page(), page) {
                break;
            }
            if let Some(range) = round.range() {
                let gap = Gap { range, reason: GapReason::RingFull };
                gave_up |= give_up(&self.freed, &mut self.gaps, gap);
            }
            upto = upto.max(round.end());
            previous = Before::round(&round);
            walk.is_damaged = false;
        }
        if gave_up {
            self.save_gaps().await?;
        }
        self.freed.raise(upto);
        if self.cursor.as_ref().is_some_and(|cursor| cursor.walk.page() == page) {
            self.cursor = None;
        }
        // Else what is acknowledged and gone would look lost.
        if self.saved_floor < upto {
            self.save_identity(self.identity).await?;
        }
        Ok(())
    }

    /// Writes the identity, with the floor as it is now.
    pub(crate) async fn save_identity(&mut self, identity: Identity) -> Result<(), F::Error> {
        let identity = Identity { floor: self.freed.floor(), ..identity };
        self.save(KEY_IDENTITY, &identity.emit()).await?;
        self.identity = identity;
        self.saved_floor = identity.floor;
        Ok(())
    }

    pub(crate) async fn save_gaps(&mut self) -> Result<(), F::Error> {
        let bytes = self.gaps.emit();
        self.save(KEY_GAPS, &bytes).await
    }

    /// Keeps `bytes` under `key`, in place of what was there: a power cut leaves one or the other. At
    /// most what finds room in a page with everything else that is kept.
    pub(crate) async fn save(&mut self, key: u8, bytes: &[u8]) -> Result<(), F::Error> {
        self.keep.save(self.ring.flash(), key, bytes).await
    }

    /// Reads what is kept under `key` into `into` and returns its length; `None` where there is nothing,
    /// or more than finds room.
    pub(crate) async fn load(
        &mut self,
        key: u8,
        into: &mut [u8],
    ) -> Result<Option<usize>, F::Error> {
        self.keep.load(self.ring.flash(), key, into).await
    }
}

/// What the identity pages hold.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) identity: Option<Identity>,
    pub(crate) gaps: Gaps,
}

impl Kept {
    pub(crate) async fn read<F: MultiwriteNorFlash>(
        keep: &Keep,
        flash: &mut F,
        scratch: &mut Scratch,
    ) -> Result<Self, F::Error> {
        let mut kept = Self::default();
        if let Some(length) = keep.load(flash, KEY_IDENTITY, &mut scratch.0).await? {
            kept.identity = Identity::parse(scratch.0.get(..length).unwrap_or_default());
        }
        if let Some(length) = keep.load(flash, KEY_GAPS, &mut scratch.0).await? {
            kept.gaps = Gaps::parse(scratch.0.get(..length).unwrap_or_default());
        }
        Ok(kept)
    }
}

/// What lies before a round in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// The sequence after the last one.
    pub(crate) end: Sequence,
    /// Its boot; `None` where nothing is left of it.
    pub(crate) boot: Option<BootId>,
}

impl Before {
    /// All below `floor` is acknowledged or given up, and nothing else is known.
    pub(crate) const fn nothing(floor: Sequence) -> Self {
        Self { end: floor, boot: None }
    }

    pub(crate) const fn round(round: &Round) -> Self {
        Self { end: round.end(), boot: Some(round.boot) }
    }

    /// Returns whether `round` comes after it. One that does not was written twice, or is in a page that
    /// could not be erased.
    pub(crate) fn is_before(&self, round: &Round) -> bool {
        self.boot.is_none() || round.first >= self.end
    }

    /// Returns the sequences between this and `round`, if there are any.
    ///
    /// A hole is what a boot had reserved when the power went, or else what the flash lost.
    pub(crate) fn hole(&self, round: &Round, is_damaged: bool) -> Option<Gap> {
        let last = round.first.0.checked_sub(1)?;
        let range = SequenceRange::new(self.end, Sequence(last))?;
        let is_unused = !is_damaged && self.boot.is_some_and(|boot| boot != round.boot);
        let reason = if is_unused { GapReason::Unused } else { GapReason::Corrupt };
        Some(Gap { range, reason })
    }
}

/// Adds to the gaps what of `gap` is not freed, and returns whether that is anything.
fn give_up(freed: &Freed<FREED_RANGES_MAX>, gaps: &mut Gaps, gap: Gap) -> bool {
    let mut rest = Some(gap.range);
    let mut is_any = false;
    while let Some(range) = rest
        && let Some(missing) = freed.first_missing(range)
    {
        gaps.add(Gap { range: missing, reason: gap.reason });
        is_any = true;
        rest = SequenceRange::new(Sequence(missing.last.0.saturating_add(1)), range.last);
    }
    is_any
}
