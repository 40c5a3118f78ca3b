//! A start: what the flash holds, and who the node is by it.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::{BootId, FlashId, Sequence, SequenceRange};
use wire::GapReason;

use crate::Error;
use crate::config::Layout;
use crate::entry::{self, Round};
use crate::keep::Keep;
use crate::outbox::{Identity, Kept, Outbox, Result, SCRATCH_BYTES, SEQUENCES_RESERVED, Scratch};
use crate::ranges::{Freed, Gap, Gaps};
use crate::ring::Ring;

/// What a node that slept knows of the boot that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resumed {
    pub(crate) flash: FlashId,
    pub(crate) boot: BootId,
    pub(crate) next: Sequence,
    pub(crate) boot_first: Sequence,
}

impl Resumed {
    /// Returns whether this is what the flash holds: nothing came in between.
    fn fits(&self, kept: &Kept, newest: Option<&Round>) -> bool {
        let is_known = kept.identity.is_some_and(|known| {
            known.flash == self.flash && known.boot == self.boot && known.reserved >= self.next
        });
        let is_newest = newest.is_none_or(|newest| {
            newest.flash == self.flash && newest.boot <= self.boot && newest.end() <= self.next
        });
        is_known && is_newest && self.boot_first <= self.next
    }
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Outbox<F, PAGES> {
    /// Reads the flash and begins a new boot, or goes on with the one that `resumed` names where the flash
    /// bears it out. Where nothing at all can be read, a new life begins, with `fresh_id`. Returns whether
    /// the boot goes on.
    pub(crate) async fn open(
        flash: F,
        layout: Layout,
        fresh_id: FlashId,
        resumed: Option<Resumed>,
    ) -> Result<(Self, bool), F::Error> {
        let mut scratch = Scratch([0; SCRATCH_BYTES]);
        let mut ring = ring::<F, PAGES>(flash, &layout)?;
        let keep = Keep::open(ring.flash(), &layout.identity).await?;
        let kept = Kept::read(&keep, ring.flash(), &mut scratch).await?;
        let life = kept.identity.map(|identity| identity.flash);
        let found = ring.find(life, &mut scratch.0).await.map_err(Error::Flash)?;
        let newest = found.round;
        let floor =
            floor(&mut ring, &kept, newest.as_ref(), &mut scratch).await.map_err(Error::Flash)?;
        let goes_on = resumed.filter(|one| one.fits(&kept, newest.as_ref()));
        let is_doubtful = keep.is_doubtful();
        let (identity, gaps) = match (goes_on, kept) {
            (Some(_), Kept { identity: Some(identity), gaps }) => (identity, gaps),
            (_, kept) => begin_boot(kept, newest.as_ref(), is_doubtful, fresh_id),
        };
        let (next, boot_first) = match goes_on {
            Some(resumed) => (resumed.next, resumed.boot_first),
            None => (identity.reserved, identity.reserved),
        };
        let mut outbox = Self {
            ring,
            keep,
            identity,
            next,
            boot_first,
            newest_end: newest.map_or(floor, |round| round.end()),
            freed: Freed::new(floor),
            saved_floor: floor,
            gaps,
            cursor: None,
            dated: None,
            scratch,
        };
        if goes_on.is_some() {
            return Ok((outbox, true));
        }
        if newest.is_none()
            && let Some(last) = next.0.checked_sub(1)
            && let Some(range) = SequenceRange::new(floor, Sequence(last))
        {
            // The newest round never leaves the ring. Without one, either none was ever written, or the
            // flash lost them.
            let none_yet = !found.is_damaged && next.0 <= SEQUENCES_RESERVED;
            let reason = if none_yet { GapReason::Unused } else { GapReason::Corrupt };
            outbox.gaps.add(Gap { range, reason });
            outbox.freed.raise(next);
            outbox.newest_end = next;
            // The gap first: the identity's floor passes over it.
            outbox.save_gaps().await?;
        }
        outbox.save_identity(identity).await?;
        Ok((outbox, false))
    }
}

fn ring<F: MultiwriteNorFlash, const PAGES: usize>(
    flash: F,
    layout: &Layout,
) -> Result<Ring<F>, F::Error> {
    let is_whole = |at: u32| at.is_multiple_of(F::ERASE_SIZE as u32);
    if !is_whole(layout.ring.start) || !is_whole(layout.ring.end) {
        return Err(Error::Layout("the ring needs whole pages"));
    }
    let pages = layout.ring.len() / F::ERASE_SIZE;
    if !(2..=PAGES).contains(&pages) {
        return Err(Error::Layout("the ring needs 2 to PAGES pages"));
    }
    let capacity = flash.capacity() as u64;
    if u64::from(layout.ring.end.max(layout.identity.end)) > capacity {
        return Err(Error::Layout("the flash is smaller than the layout"));
    }
    Ok(Ring::new(flash, layout.ring.start, pages as u32))
}

/// Finds out below which sequence all is acknowledged or given up: as the identity or the newest round
/// says it; and what was given up below it, where the power went before the page did. Older firmware
/// removed rounds from the ring instead: there the oldest one says it.
async fn floor<F: MultiwriteNorFlash>(
    ring: &mut Ring<F>,
    kept: &Kept,
    newest: Option<&Round>,
    scratch: &mut Scratch,
) -> core::result::Result<Sequence, F::Error> {
    let mut floor = kept.identity.map_or(Sequence(0), |identity| identity.floor);
    floor = newest.and_then(|newest| newest.floor).map_or(floor, |newest| newest.max(floor));
    floor = floor.max(kept.gaps.end());
    let Some(Round { flash, floor: None, .. }) = newest else { return Ok(floor) };
    let mut walk = ring.start();
    while let Some(length) = ring.next(&mut walk, &mut scratch.0).await? {
        let bytes = scratch.0.get(..length).unwrap_or_default();
        if let Some((oldest, _)) = entry::parse(bytes).filter(|(one, _)| one.flash == *flash) {
            return Ok(floor.max(oldest.first));
        }
    }
    Ok(floor)
}

/// Decides who the node is.
fn begin_boot(
    kept: Kept,
    newest: Option<&Round>,
    is_doubtful: bool,
    fresh_id: FlashId,
) -> (Identity, Gaps) {
    let newest_end = newest.map_or(Sequence(0), Round::end);
    let newest_boot = newest.map_or(0, |newest| newest.boot.0);
    // A gap that was written down, of a start that was cut short, may name sequences beyond the identity.
    let gaps_end = kept.gaps.end();
    let identity = match (kept.identity, newest) {
        (Some(known), _) => {
            // What cannot be read may have been a later identity, which reserved one block more.
            let is_doubtful = is_doubtful || known.reserved < newest_end;
            let skipped = if is_doubtful { 2 * SEQUENCES_RESERVED } else { 0 };
            let boots = if is_doubtful { 2 } else { 1 };
            Identity {
                boot: BootId(known.boot.0.max(newest_boot).saturating_add(boots)),
                reserved: Sequence(known.reserved.max(newest_end).0.saturating_add(skipped))
                    .max(gaps_end),
                ..known
            }
        }
        // The identity pages are gone. Whatever was reserved when they were written was at most one
        // block beyond the newest round.
        (None, Some(newest)) => Identity {
            flash: newest.flash,
            boot: BootId(newest_boot.saturating_add(2)),
            reserved: Sequence(newest_end.0.saturating_add(2 * SEQUENCES_RESERVED)).max(gaps_end),
            floor: newest.floor.unwrap_or(newest.first),
        },
        (None, None) => {
            let identity = Identity {
                flash: fresh_id,
                boot: BootId(1),
                reserved: Sequence(0),
                floor: Sequence(0),
            };
            return (identity, Gaps::default());
        }
    };
    (identity, kept.gaps)
}
