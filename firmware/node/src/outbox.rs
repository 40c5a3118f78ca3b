//! The readings that wait in flash until the gateway has them.
//!
//! A ring of rounds (`sequential-storage`'s queue) and, beside it, a small map with the identity, the
//! gaps, the settings and the limits that are broken. What the ring holds in order is the truth: everything else is rebuilt from it
//! at a start. The newest round always stays, so that its sequence is known after a power cut.
//!
//! No future of this file may be dropped before it is done: the flash would be left in the middle.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::{BootId, FlashId, Quality, Reading, Sequence, SequenceRange, Timestamp, Uptime};
use sequential_storage::Error as StorageError;
use sequential_storage::cache::page_pointers::ArrayPagePointers;
use sequential_storage::cache::page_states::ArrayPageStates;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use sequential_storage::queue::QueueStorage;
use wire::{EventState, GapReason, LocalEvent, SETTINGS_BYTES_MAX};

use crate::Error;
use crate::config::Layout;
use crate::entry::{self, ENTRY_BYTES_MAX, Round};
use crate::ranges::{FREED_RANGES_MAX, Freed, GAPS_BYTES_MAX, Gap, Gaps};

/// Sequences reserved by one write of the identity; a start skips what is left of them.
pub const SEQUENCES_RESERVED: u64 = 256;
/// Rounds given up at once when the ring is full.
const DROPPED_AT_ONCE: usize = 16;
/// The largest item in flash with its key, rounded up to the widest flash word that is supported.
pub(crate) const SCRATCH_BYTES: usize = 1_088;

const KEY_IDENTITY: u8 = 1;
const KEY_GAPS: u8 = 2;
/// Which settings are in force; below it, the two places that they take turns in.
pub(crate) const KEY_SETTLED: u8 = 3;
pub(crate) const KEYS_SETTINGS: [u8; 2] = [4, 5];
/// The limits that are broken.
pub(crate) const KEY_EPISODES: u8 = 6;

pub(crate) type Result<T, E> = core::result::Result<T, Error<E>>;
pub(crate) type Queue<F, const PAGES: usize> =
    QueueStorage<F, Cache<ArrayPageStates<PAGES>, ArrayPagePointers<PAGES>, Uncached>>;

/// The ring, and what is known of it.
pub(crate) struct Outbox<F: MultiwriteNorFlash, const PAGES: usize> {
    pub(crate) queue: Queue<F, PAGES>,
    pub(crate) layout: Layout,
    pub(crate) identity: Identity,
    /// The sequence that the next reading will have.
    pub(crate) next: Sequence,
    /// `next` at the start of this boot: what lies between the newest round and it was never used.
    pub(crate) boot_first: Sequence,
    /// The sequence after the newest round of the ring.
    pub(crate) newest_end: Sequence,
    /// Readings in the ring.
    pub(crate) used: u32,
    pub(crate) freed: Freed,
    pub(crate) gaps: Gaps,
    pub(crate) scratch: Scratch,
}

/// A buffer for one item, aligned for flash drivers that ask for it.
#[repr(align(4))]
pub(crate) struct Scratch(pub(crate) [u8; SCRATCH_BYTES]);

const _: () = assert!(
    SCRATCH_BYTES >= ENTRY_BYTES_MAX
        && SCRATCH_BYTES >= GAPS_BYTES_MAX + 33
        && SCRATCH_BYTES >= SETTINGS_BYTES_MAX + 33
);

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
            floor: self.freed.floor().min(first),
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
            floor: self.freed.floor().min(first),
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
            self.save_identity(Identity { reserved, floor: self.freed.floor(), ..self.identity })
                .await?;
        }
        self.next = end;
        self.push_round(round, readings).await?;
        self.newest_end = end;
        self.used = self.used.saturating_add(u32::from(round.count));
        Ok(round.first)
    }

    /// Writes that no more sequences are reserved than were given: a node that sleeps leaves no gap.
    pub(crate) async fn close_block(&mut self) -> Result<(), F::Error> {
        let identity = Identity { reserved: self.next, floor: self.freed.floor(), ..self.identity };
        if identity == self.identity { Ok(()) } else { self.save_identity(identity).await }
    }

    /// Keeps `bytes` under `key`, one that this file does not use itself, in place of what was there. At most
    /// [`SETTINGS_BYTES_MAX`] bytes.
    pub(crate) async fn save(&mut self, key: u8, bytes: &[u8]) -> Result<(), F::Error> {
        let config =
            MapConfig::<&mut F>::try_new(self.layout.identity.clone()).map_err(|_| BAD_IDENTITY)?;
        let mut scratch = [0; SETTINGS_BYTES_MAX + 64];
        let mut map =
            MapStorage::<u8, _, _>::new(self.queue.flash(), config, Cache::new_uncached());
        Ok(map.store_item(&mut scratch, &key, &bytes).await?)
    }

    /// Reads what is kept under `key` into `into` and returns its length; `None` where there is nothing,
    /// or more than finds room.
    pub(crate) async fn load(
        &mut self,
        key: u8,
        into: &mut [u8],
    ) -> Result<Option<usize>, F::Error> {
        let config =
            MapConfig::<&mut F>::try_new(self.layout.identity.clone()).map_err(|_| BAD_IDENTITY)?;
        let mut scratch = [0; SETTINGS_BYTES_MAX + 64];
        let mut map =
            MapStorage::<u8, _, _>::new(self.queue.flash(), config, Cache::new_uncached());
        let Some(bytes) = map.fetch_item::<&[u8]>(&mut scratch, &key).await? else {
            return Ok(None);
        };
        let Some(room) = into.get_mut(..bytes.len()) else { return Ok(None) };
        room.copy_from_slice(bytes);
        Ok(Some(bytes.len()))
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
            floor: self.freed.floor().min(self.next),
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

    /// Removes from the front of the ring what is freed.
    ///
    /// A round goes when the one after it begins at the floor or below: so the newest one stays, and one
    /// before a hole stays until the hole is acknowledged too.
    pub(crate) async fn settle(&mut self) -> Result<(), F::Error> {
        let floor = self.freed.floor();
        let (mut seen, mut removable) = (0_u32, 0);
        let mut rounds = self.queue.iter().await?;
        while let Some(item) = rounds.next(&mut self.scratch.0).await? {
            match entry::parse(&item) {
                Some((round, _)) if round.first > floor => break,
                Some(_) => removable = seen,
                None => {}
            }
            seen += 1;
        }
        let mut rounds = self.queue.iter().await?;
        for _ in 0..removable {
            let Some(item) = rounds.next(&mut self.scratch.0).await? else { break };
            let count = entry::parse(&item).map_or(0, |(round, _)| round.count);
            item.pop().await?;
            self.used = self.used.saturating_sub(u32::from(count));
        }
        Ok(())
    }

    async fn push_round(
        &mut self,
        round: &Round,
        readings: &[(u8, Reading, Quality)],
    ) -> Result<(), F::Error> {
        let bytes = entry::emit(round, readings);
        loop {
            match self.queue.push(&bytes, false).await {
                Ok(()) => return Ok(()),
                Err(StorageError::FullStorage) => self.make_room().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives up the oldest rounds. The gap is written down before they go, so that a power cut between
    /// leaves nothing unsaid: a start finishes what was begun.
    async fn make_room(&mut self) -> Result<(), F::Error> {
        let before = self.freed.floor();
        let mut upto = before;
        let mut previous: Option<Round> = None;
        let mut rounds = self.queue.iter().await?;
        let mut count = 0;
        while count < DROPPED_AT_ONCE
            && let Some(item) = rounds.next(&mut self.scratch.0).await?
        {
            count += 1;
            let Some((round, _)) = entry::parse(&item) else { continue };
            if round.end() >= self.newest_end {
                break;
            }
            if let Some(gap) = hole(previous.as_ref(), &round) {
                give_up(&self.freed, &mut self.gaps, gap);
            }
            if let Some(range) = round.range() {
                give_up(&self.freed, &mut self.gaps, Gap { range, reason: GapReason::RingFull });
            }
            upto = upto.max(round.end());
            previous = Some(round);
        }
        if upto == before {
            return Err(Error::Layout("the ring has no room for two rounds"));
        }
        self.save_gaps().await?;
        self.freed.raise(upto);
        self.settle().await
    }

    pub(crate) async fn save_identity(&mut self, identity: Identity) -> Result<(), F::Error> {
        self.store(KEY_IDENTITY, &identity.emit()).await?;
        self.identity = identity;
        Ok(())
    }

    pub(crate) async fn save_gaps(&mut self) -> Result<(), F::Error> {
        let bytes = self.gaps.emit();
        self.store(KEY_GAPS, &bytes).await
    }

    /// Reads what [`Self::store`] kept under `key`.
    pub(crate) async fn fetch(&mut self, key: u8) -> Result<Option<&[u8]>, F::Error> {
        let config =
            MapConfig::<&mut F>::try_new(self.layout.identity.clone()).map_err(|_| BAD_IDENTITY)?;
        let mut map =
            MapStorage::<u8, _, _>::new(self.queue.flash(), config, Cache::new_uncached());
        Ok(map.fetch_item::<&[u8]>(&mut self.scratch.0, &key).await?)
    }

    /// Keeps `value` under `key`, in place of what was there: a power cut leaves one or the other.
    pub(crate) async fn store(&mut self, key: u8, value: &[u8]) -> Result<(), F::Error> {
        let config =
            MapConfig::<&mut F>::try_new(self.layout.identity.clone()).map_err(|_| BAD_IDENTITY)?;
        let mut map =
            MapStorage::<u8, _, _>::new(self.queue.flash(), config, Cache::new_uncached());
        Ok(map.store_item(&mut self.scratch.0, &key, &value).await?)
    }
}

const BAD_IDENTITY: BadIdentity = BadIdentity;

/// The layout's identity pages do not fit the flash.
struct BadIdentity;

impl<E> From<BadIdentity> for Error<E> {
    fn from(BadIdentity: BadIdentity) -> Self {
        Self::Layout("the identity needs at least two whole pages")
    }
}

/// What the identity pages hold.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) identity: Option<Identity>,
    pub(crate) gaps: Gaps,
}

/// Reads the identity pages; what cannot be read is erased.
pub(crate) async fn read_kept<F: MultiwriteNorFlash>(
    flash: &mut F,
    layout: &Layout,
    scratch: &mut Scratch,
) -> Result<Kept, F::Error> {
    let config = MapConfig::<&mut F>::try_new(layout.identity.clone()).map_err(|_| BAD_IDENTITY)?;
    let mut map = MapStorage::<u8, _, _>::new(flash, config, Cache::new_uncached());
    let mut kept = Kept::default();
    for key in [KEY_IDENTITY, KEY_GAPS] {
        match map.fetch_item::<&[u8]>(&mut scratch.0, &key).await {
            Ok(None) => {}
            Ok(Some(bytes)) => match key {
                KEY_IDENTITY => kept.identity = Identity::parse(bytes),
                _ => kept.gaps = Gaps::parse(bytes),
            },
            Err(StorageError::Storage { value }) => return Err(Error::Flash(value)),
            Err(_) => {
                map.erase_all().await?;
                return Ok(Kept::default());
            }
        }
    }
    Ok(kept)
}

/// Returns the sequences between two rounds that follow each other in the ring, if there are any.
///
/// Rounds leave the ring at its front only, so a hole in it is either what a boot had reserved when the
/// power went, or what the flash lost.
pub(crate) fn hole(previous: Option<&Round>, round: &Round) -> Option<Gap> {
    let previous = previous?;
    let last = round.first.0.checked_sub(1)?;
    let range = SequenceRange::new(previous.end(), Sequence(last))?;
    let reason = if previous.boot == round.boot { GapReason::Corrupt } else { GapReason::Unused };
    Some(Gap { range, reason })
}

/// Adds to the gaps what of `gap` is not freed.
fn give_up(freed: &Freed<FREED_RANGES_MAX>, gaps: &mut Gaps, gap: Gap) {
    let mut rest = Some(gap.range);
    while let Some(range) = rest
        && let Some(missing) = freed.first_missing(range)
    {
        gaps.add(Gap { range: missing, reason: gap.reason });
        rest = SequenceRange::new(Sequence(missing.last.0.saturating_add(1)), range.last);
    }
}
