//! An image on its way into the flash.

use embedded_storage_async::nor_flash::{MultiwriteNorFlash, NorFlash};
use measure::Uptime;
use sha2::{Digest as _, Sha256};
use wire::{CHUNK_BYTES_MAX, Chunk, Detail, UpdateState, detail};

use crate::Manifest;
use crate::progress::Progress;
use crate::want::Want;

/// How often a page of the slot may read back wrong; then the image is refused.
pub const PAGE_TRIES_MAX: u8 = 3;
/// How often an image may be there whole with a wrong hash; then it is refused until it is offered anew.
pub const IMAGE_TRIES_MAX: u8 = 3;
/// How often one image is given to the boot loader; then it never came up, and counts as rolled back.
pub const STAGES_MAX: u8 = 3;

/// What is compared or hashed at once, in bytes.
const PIECE_BYTES: usize = 64;

/// What the boot loader says of this start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// Nothing special, or it says nothing.
    Settled,
    /// The image is new and not told to stay yet: `embassy-boot` says `Swap`, ESP-IDF `PENDING_VERIFY`.
    Trial,
    /// A new image was there and did not stay: `embassy-boot` says `Revert`; with ESP-IDF the other slot
    /// is `ABORTED` or `INVALID`. Tell `embassy-boot` that this one is good before the next offer.
    Reverted,
}

/// Why an update could not go on. `D` and `P` are the errors of slot and progress region. The same call may
/// succeed later; what it was about begins anew at its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<D, P> {
    /// The slot failed.
    #[error("the update slot failed")]
    Slot(D),
    /// The progress region failed.
    #[error("the update's progress region failed")]
    Progress(P),
    /// The progress region read back wrong.
    #[error("the update's progress region reads back wrong")]
    Worn,
    /// The regions do not fit each other or the chunks.
    #[error("the update's flash layout is not possible: {0}")]
    Layout(&'static str),
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It begins from its first byte; what was under way before is given up.
    Anew,
    /// It is the one under way.
    Already,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// It is in the flash.
    Kept,
    /// It was not asked for: another release, another place, another length.
    Ignored,
    /// It read back wrong: its page begins anew.
    Wrong,
}

/// Whether there is more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Call again, after everything that is more urgent.
    More,
    /// Nothing.
    Done,
}

/// What the node says of its update: the fields of [`wire::Body::Update`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The release.
    pub release: u32,
    /// How far it has come.
    pub state: UpdateState,
    /// The first byte that is wanted; where none is, how many the node has.
    pub offset: u32,
    /// How many bytes are wanted.
    pub length: u16,
    /// Where it was refused: why.
    pub detail: Detail,
}

#[derive(Clone, Debug)]
enum Phase {
    Idle,
    Fetching { offset: u32, tries: u8 },
    Checking { offset: u32, hash: Sha256 },
    Staged,
    Refused(&'static str),
    RolledBack,
    Trial,
    Confirmed,
}

/// An image on its way into the slot `D`, with its progress in the region `P`.
///
/// A future that is dropped halfway costs at most the page that it was about.
#[derive(Debug)]
pub struct Updater<D, P> {
    slot: D,
    progress: Progress<P>,
    manifest: Option<Manifest>,
    image_tries: u8,
    phase: Phase,
    want: Want,
    is_unsaid: bool,
}

type Result<T, D, P> = core::result::Result<T, Error<D, P>>;

impl<D: NorFlash, P: MultiwriteNorFlash> Updater<D, P> {
    /// Takes up what was under way before the start. `running` is the release that runs.
    ///
    /// # Errors
    /// A failure of either region; `Layout` where pages and chunks do not fit.
    pub async fn open(
        slot: D,
        progress: P,
        running: u32,
        loader: Loader,
    ) -> Result<Self, D::Error, P::Error> {
        if D::ERASE_SIZE == 0 || !D::ERASE_SIZE.is_multiple_of(CHUNK_BYTES_MAX) {
            return Err(Error::Layout("a page of the slot is no whole number of chunks"));
        }
        if !CHUNK_BYTES_MAX.is_multiple_of(D::WRITE_SIZE)
            || !PIECE_BYTES.is_multiple_of(D::READ_SIZE)
        {
            return Err(Error::Layout("the word of the slot"));
        }
        let pages = slot.capacity() as u32 / D::ERASE_SIZE as u32;
        let progress = Progress::new(progress, pages)?;
        let (want, phase) = (Want::default(), Phase::Idle);
        let (manifest, image_tries, is_unsaid) = (None, 0, true);
        let mut this = Self { slot, progress, manifest, image_tries, phase, want, is_unsaid };
        this.take_up(running, loader).await.map_err(Error::Progress)?;
        Ok(this)
    }

    async fn take_up(
        &mut self,
        running: u32,
        loader: Loader,
    ) -> core::result::Result<(), P::Error> {
        let Some(header) = self.progress.header().await? else { return Ok(()) };
        let manifest = header.manifest;
        let is_ours = manifest.length as usize <= self.slot.capacity();
        if manifest.release < running || !is_ours {
            return Ok(());
        }
        self.image_tries = header.tries;
        self.phase = if manifest.release == running {
            if loader == Loader::Trial { Phase::Trial } else { Phase::Idle }
        } else if loader == Loader::Reverted || self.progress.is_rolled_back().await? {
            self.progress.mark_rolled_back().await?;
            Phase::RolledBack
        } else if header.tries >= IMAGE_TRIES_MAX {
            Phase::Refused(REFUSED)
        } else {
            let of = manifest.length.div_ceil(D::ERASE_SIZE as u32);
            match self.progress.pages(of).await? {
                pages if pages >= of => Phase::checking(),
                pages => Phase::Fetching { offset: pages * D::ERASE_SIZE as u32, tries: 0 },
            }
        };
        self.manifest = Some(manifest);
        Ok(())
    }

    /// Begins with an image that [`verify`](crate::verify) has let through, or goes on with it. Erases
    /// the progress region, but nothing of the slot.
    ///
    /// # Errors
    /// A failure of the progress region; `Layout` where the image is longer than the slot.
    pub async fn begin(&mut self, manifest: &Manifest) -> Result<Begun, D::Error, P::Error> {
        let is_under_way =
            matches!(self.phase, Phase::Fetching { .. } | Phase::Checking { .. } | Phase::Staged);
        if is_under_way && self.manifest.as_ref() == Some(manifest) {
            self.linked();
            return Ok(Begun::Already);
        }
        if manifest.length as usize > self.slot.capacity() {
            return Err(Error::Layout("the image is longer than the slot"));
        }
        self.start(manifest.clone(), 0).await?;
        Ok(Begun::Anew)
    }

    async fn start(&mut self, manifest: Manifest, tries: u8) -> Result<(), D::Error, P::Error> {
        self.enter(Phase::Idle);
        self.manifest = None;
        if !self.progress.begin(&manifest, tries).await.map_err(Error::Progress)? {
            return Err(Error::Worn);
        }
        self.manifest = Some(manifest);
        self.image_tries = tries;
        self.enter(if tries < IMAGE_TRIES_MAX {
            Phase::Fetching { offset: 0, tries: 0 }
        } else {
            Phase::Refused(REFUSED)
        });
        Ok(())
    }

    /// Notes that a new session with a gateway has begun: what is wanted is asked for at once, and what
    /// became of the last image is said again.
    pub fn linked(&mut self) {
        self.want = Want::default();
        self.is_unsaid = true;
    }

    /// Takes bytes that were asked for, and ignores all others. Erases one page of the slot at most, and
    /// writes one chunk.
    ///
    /// # Errors
    /// A failure of the flash; the page begins anew.
    pub async fn chunk(&mut self, chunk: &Chunk<'_>) -> Result<Took, D::Error, P::Error> {
        let Phase::Fetching { offset, tries } = self.phase else { return Ok(Took::Ignored) };
        let Some(manifest) = &self.manifest else { return Ok(Took::Ignored) };
        let wanted = length_at(manifest, offset);
        if chunk.release != manifest.release
            || chunk.offset != offset
            || chunk.bytes.len() != usize::from(wanted)
        {
            return Ok(Took::Ignored);
        }
        let (page_bytes, length) = (D::ERASE_SIZE as u32, manifest.length);
        let page = offset / page_bytes;
        // Until the chunk is in, its page counts as not begun.
        self.phase = Phase::Fetching { offset: page * page_bytes, tries };
        self.want = Want::default();
        if offset.is_multiple_of(page_bytes) {
            let end = offset + page_bytes;
            self.slot.erase(offset, end).await.map_err(Error::Slot)?;
        }
        if !self.put(offset, chunk.bytes).await.map_err(Error::Slot)? {
            let tries = tries + 1;
            self.phase = Phase::Fetching { offset: page * page_bytes, tries };
            if tries >= PAGE_TRIES_MAX {
                self.refuse().await?;
            }
            return Ok(Took::Wrong);
        }
        let next = offset + u32::from(wanted);
        let is_page_done = next.is_multiple_of(page_bytes) || next == length;
        if is_page_done {
            self.progress.mark_page(page).await.map_err(Error::Progress)?;
        }
        let tries = if is_page_done { 0 } else { tries };
        self.phase = if next == length {
            Phase::checking()
        } else {
            Phase::Fetching { offset: next, tries }
        };
        Ok(Took::Kept)
    }

    /// Writes bytes into erased flash; returns whether they read back as they are.
    async fn put(&mut self, offset: u32, bytes: &[u8]) -> core::result::Result<bool, D::Error> {
        let mut padded = [0xFF; CHUNK_BYTES_MAX];
        let length = bytes.len().next_multiple_of(D::WRITE_SIZE).min(CHUNK_BYTES_MAX);
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from;
        }
        let padded = padded.split_at(length).0;
        self.slot.write(offset, padded).await?;
        let mut at = offset;
        for piece in padded.chunks(PIECE_BYTES) {
            let mut back = [0; PIECE_BYTES];
            // A whole piece lies in the page, whose size it divides.
            self.slot.read(at, &mut back).await?;
            if back.split_at(piece.len()).0 != piece {
                return Ok(false);
            }
            at += PIECE_BYTES as u32;
        }
        Ok(true)
    }

    /// Does a piece of what does not wait for the link: hashes one page of the image.
    ///
    /// # Errors
    /// A failure of the flash; call again.
    pub async fn work(&mut self) -> Result<Work, D::Error, P::Error> {
        let Phase::Checking { offset, hash } = &mut self.phase else { return Ok(Work::Done) };
        let Some(manifest) = &self.manifest else { return Ok(Work::Done) };
        let end = manifest.length.min(*offset + D::ERASE_SIZE as u32);
        while *offset < end {
            let mut piece = [0; PIECE_BYTES];
            self.slot.read(*offset, &mut piece).await.map_err(Error::Slot)?;
            let count = (end - *offset).min(PIECE_BYTES as u32);
            hash.update(piece.split_at(count as usize).0);
            *offset += count;
        }
        if *offset < manifest.length {
            return Ok(Work::More);
        }
        if hash.clone().finalize().as_slice() == manifest.sha256 {
            self.stage().await?;
        } else {
            let (manifest, tries) = (manifest.clone(), self.image_tries + 1);
            self.start(manifest, tries).await?;
        }
        Ok(Work::Done)
    }

    async fn stage(&mut self) -> Result<(), D::Error, P::Error> {
        let before = self.progress.stages().await.map_err(Error::Progress)?;
        if before >= STAGES_MAX {
            self.progress.mark_rolled_back().await.map_err(Error::Progress)?;
            self.enter(Phase::RolledBack);
            return Ok(());
        }
        self.progress.mark_stage(before).await.map_err(Error::Progress)?;
        self.enter(Phase::Staged);
        Ok(())
    }

    async fn refuse(&mut self) -> Result<(), D::Error, P::Error> {
        if let Some(manifest) = self.manifest.clone() {
            self.start(manifest, IMAGE_TRIES_MAX).await?;
        }
        Ok(())
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.linked();
    }

    /// Returns whether the image is there whole and as signed: mark it for the boot loader and restart,
    /// once [`Self::say`] has been carried to the gateway.
    pub const fn is_staged(&self) -> bool {
        matches!(self.phase, Phase::Staged)
    }

    /// Returns whether this very start is a trial of the image that runs.
    pub const fn is_trial(&self) -> bool {
        matches!(self.phase, Phase::Trial)
    }

    /// Returns whether bytes are coming in or being checked: a battery node stays awake.
    pub const fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Fetching { .. } | Phase::Checking { .. } | Phase::Staged)
    }

    /// Notes that the boot loader was told that the running image stays.
    pub fn confirmed(&mut self) {
        if self.is_trial() {
            self.enter(Phase::Confirmed);
        }
    }

    /// Returns what is to be said now. What is wanted comes again until a chunk comes; all else once in a
    /// session.
    pub fn say(&mut self, now: Uptime, random: u64) -> Option<Word> {
        let manifest = self.manifest.as_ref()?;
        let (state, offset, length, why) = match &self.phase {
            Phase::Idle | Phase::Checking { .. } => return None,
            Phase::Fetching { offset, .. } => {
                if !self.want.is_due(now, random) {
                    return None;
                }
                (UpdateState::Wanting, *offset, length_at(manifest, *offset), "")
            }
            Phase::Staged => (UpdateState::Staged, manifest.length, 0, ""),
            Phase::Refused(why) => (UpdateState::Refused, 0, 0, *why),
            Phase::RolledBack => (UpdateState::RolledBack, 0, 0, ""),
            Phase::Trial => (UpdateState::Trial, manifest.length, 0, ""),
            Phase::Confirmed => (UpdateState::Confirmed, manifest.length, 0, ""),
        };
        if state != UpdateState::Wanting && !core::mem::take(&mut self.is_unsaid) {
            return None;
        }
        let detail = detail(format_args!("{why}"));
        Some(Word { release: manifest.release, state, offset, length, detail })
    }

    /// Returns the bytes that are wanted, if any: where they begin, and how many.
    pub fn wanted(&self) -> Option<(u32, u16)> {
        match (&self.phase, &self.manifest) {
            (Phase::Fetching { offset, .. }, Some(manifest)) => {
                Some((*offset, length_at(manifest, *offset)))
            }
            _ => None,
        }
    }

    /// Returns when [`Self::say`] has something by itself; `None`: not before something else happens.
    pub fn next_wake(&self, now: Uptime) -> Option<Uptime> {
        match self.phase {
            Phase::Idle | Phase::Checking { .. } => None,
            Phase::Fetching { .. } => Some(self.want.next().unwrap_or(now)),
            _ => self.is_unsaid.then_some(now),
        }
    }

    /// Returns the manifest of the image that was offered last, as far as it concerns this release.
    pub const fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Gives the slot back for the boot loader's own updater.
    pub fn slot_mut(&mut self) -> &mut D {
        &mut self.slot
    }
}

impl Phase {
    fn checking() -> Self {
        Self::Checking { offset: 0, hash: Sha256::new() }
    }
}

const REFUSED: &str = "the image does not come through whole";

fn length_at(manifest: &Manifest, offset: u32) -> u16 {
    let left = manifest.length.saturating_sub(offset);
    // At most 512.
    left.min(CHUNK_BYTES_MAX as u32) as u16
}
