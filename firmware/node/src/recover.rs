//! A start: what the flash holds, and who the node is by it.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::{BootId, FlashId, Sequence, SequenceRange};
use sequential_storage::Error as StorageError;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use wire::GapReason;

use crate::Error;
use crate::config::Layout;
use crate::entry::{self, Round};
use crate::outbox::{
    Identity, Kept, Outbox, Queue, Result, SCRATCH_BYTES, SEQUENCES_RESERVED, Scratch, read_kept,
};
use crate::ranges::{Freed, Gap, Gaps};

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
    fn fits(&self, kept: &Kept, found: &Found) -> bool {
        let is_known = kept.identity.is_some_and(|known| {
            known.flash == self.flash && known.boot == self.boot && known.reserved >= self.next
        });
        let is_newest = found.newest.is_none_or(|newest| {
            newest.flash == self.flash && newest.boot <= self.boot && newest.end() <= self.next
        });
        is_known && is_newest && self.boot_first <= self.next
    }
}

/// What a pass over the ring found.
#[derive(Default)]
struct Found {
    first: Option<Round>,
    newest: Option<Round>,
    boot_max: u32,
    readings: u32,
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Outbox<F, PAGES> {
    /// Reads the flash and begins a new boot, or goes on with the one that `resumed` names where the flash
    /// bears it out. Where nothing at all can be read, the flash is formatted and gets `fresh_id`. Returns
    /// whether the boot goes on.
    pub(crate) async fn open(
        flash: F,
        layout: Layout,
        fresh_id: FlashId,
        resumed: Option<Resumed>,
    ) -> Result<(Self, bool), F::Error> {
        let mut scratch = Scratch([0; SCRATCH_BYTES]);
        let mut queue = queue(flash, &layout)?;
        let kept = read_kept(queue.flash(), &layout, &mut scratch).await?;
        let (found, is_lost) = match survey(&mut queue, kept.identity, &mut scratch).await {
            Ok(found) => (found, false),
            Err(StorageError::Storage { value }) => return Err(Error::Flash(value)),
            Err(_) => {
                // The ring is beyond repair: it is emptied, and the gap says so.
                queue.erase_all().await?;
                let flash = queue.destroy().0;
                queue = self::queue(flash, &layout)?;
                (Found::default(), true)
            }
        };
        if let Some(resumed) = resumed.filter(|one| !is_lost && one.fits(&kept, &found))
            && let Kept { identity: Some(identity), gaps } = kept
        {
            let floor = found.first.map_or(identity.floor, |round| round.first);
            let mut outbox = Self {
                queue,
                layout,
                identity,
                next: resumed.next,
                boot_first: resumed.boot_first,
                newest_end: found.newest.map_or(floor, |round| round.end()),
                used: found.readings,
                freed: Freed::new(floor),
                gaps,
                scratch,
            };
            outbox.finish_dropping().await?;
            return Ok((outbox, true));
        }
        let (identity, mut gaps) = begin_boot(kept, &found, fresh_id);
        let next = identity.reserved;
        let mut floor = found.first.map_or(identity.floor, |round| round.first);
        if found.newest.is_none()
            && let Some(last) = next.0.checked_sub(1)
            && let Some(range) = SequenceRange::new(floor, Sequence(last))
        {
            // The newest round never leaves the ring. Without one, either none was ever written, or the
            // flash lost them.
            let none_yet = !is_lost && next.0 <= SEQUENCES_RESERVED;
            let reason = if none_yet { GapReason::Unused } else { GapReason::Corrupt };
            gaps.add(Gap { range, reason });
            floor = next;
        }
        let mut outbox = Self {
            queue,
            layout,
            identity,
            next,
            boot_first: next,
            newest_end: found.newest.map_or(floor, |round| round.end()),
            used: found.readings,
            freed: Freed::new(floor),
            gaps,
            scratch,
        };
        // The gap first: the identity's floor passes over it.
        if found.newest.is_none() {
            outbox.save_gaps().await?;
        }
        outbox.save_identity(Identity { floor, ..identity }).await?;
        outbox.finish_dropping().await?;
        Ok((outbox, false))
    }

    /// A power cut may have come after the gap of a full ring was written and before the rounds went.
    async fn finish_dropping(&mut self) -> Result<(), F::Error> {
        let given_up = self
            .gaps
            .iter()
            .filter(|gap| gap.reason == GapReason::RingFull)
            .map(|gap| gap.range.last);
        let Some(last) = given_up.max() else { return Ok(()) };
        let upto = Sequence(last.0.saturating_add(1));
        if upto > self.freed.floor() {
            self.freed.raise(upto);
            self.settle().await?;
        }
        Ok(())
    }
}

fn queue<F: MultiwriteNorFlash, const PAGES: usize>(
    flash: F,
    layout: &Layout,
) -> Result<Queue<F, PAGES>, F::Error> {
    let config = QueueConfig::try_new(layout.ring.clone())
        .map_err(|_| Error::Layout("the ring needs whole pages"))?;
    let pages = layout.ring.len() / F::ERASE_SIZE;
    if !(2..=PAGES).contains(&pages) {
        return Err(Error::Layout("the ring needs 2 to PAGES pages"));
    }
    let capacity = flash.capacity() as u64;
    if u64::from(layout.ring.end.max(layout.identity.end)) > capacity {
        return Err(Error::Layout("the flash is smaller than the layout"));
    }
    let cache = Cache::new(ArrayPageStates::new(), ArrayPagePointers::new(), Uncached);
    Ok(QueueStorage::new(flash, config, cache))
}

/// Reads the whole ring once. Rounds of another flash life are removed: a format was cut short.
async fn survey<F: MultiwriteNorFlash, const PAGES: usize>(
    queue: &mut Queue<F, PAGES>,
    identity: Option<Identity>,
    scratch: &mut Scratch,
) -> core::result::Result<Found, StorageError<F::Error>> {
    let mut found = Found::default();
    let mut rounds = queue.iter().await?;
    while let Some(item) = rounds.next(&mut scratch.0).await? {
        let Some(round) = entry::parse(&item).map(|(round, _)| round) else { continue };
        if identity.is_some_and(|identity| identity.flash != round.flash) {
            item.pop().await?;
            continue;
        }
        found.first.get_or_insert(round);
        found.newest = Some(round);
        found.boot_max = found.boot_max.max(round.boot.0);
        found.readings = found.readings.saturating_add(u32::from(round.count));
    }
    Ok(found)
}

/// Decides who the node is.
fn begin_boot(kept: Kept, found: &Found, fresh_id: FlashId) -> (Identity, Gaps) {
    let identity = match (kept.identity, found.newest) {
        (Some(known), newest) => Identity {
            boot: BootId(known.boot.0.max(found.boot_max).saturating_add(1)),
            reserved: newest.map_or(known.reserved, |newest| known.reserved.max(newest.end())),
            ..known
        },
        // The identity pages are gone. Whatever was reserved when they were written was at most one
        // block beyond the newest round.
        (None, Some(newest)) => Identity {
            flash: newest.flash,
            boot: BootId(found.boot_max.saturating_add(1)),
            reserved: Sequence(newest.end().0.saturating_add(2 * SEQUENCES_RESERVED)),
            floor: newest.first,
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
