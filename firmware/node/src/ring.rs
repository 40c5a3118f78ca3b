//! The pages of the ring: entries one after the other, read from any place on.
//!
//! Pages are used in turn, each erased right before. The youngest is the one with the greatest counter;
//! the oldest is the next one in turn that has a head. A page that is worn is passed over, in every
//! turn anew. Pages of older firmware, without heads, are read as they are and are the oldest ones.

use embedded_storage_async::nor_flash::NorFlash;
use measure::{FlashId, Sequence};

use crate::entry::{self, Round};
use crate::item::{self, HEAD_BYTES, Look, Page, PageHead};

const MAGIC: [u8; 4] = [0xF7, b'M', b'R', 2];

/// The pages, and where the next entry goes.
pub(crate) struct Ring<F> {
    flash: F,
    from: u32,
    pages: u32,
    /// The page that is written, by its number; `None` before the first.
    youngest: Option<u32>,
    /// The greatest counter of any page.
    counter: u32,
    /// Where the next entry goes, in the youngest page; its end where there is no more room.
    tail: u32,
    /// Pages in turn after the youngest that did not take their bytes.
    passed: u32,
}

/// A place between two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    page: u32,
    /// The counter of the page, or of the last one before it that had one.
    counter: u32,
    /// Where the next entry may be; 0: the page was not looked at yet.
    at: u32,
    end: u32,
    /// Since the last entry, something was passed that the flash lost.
    pub(crate) is_damaged: bool,
}

impl Walk {
    /// Returns the number of the page.
    pub(crate) const fn page(&self) -> u32 {
        self.page
    }
}

/// What the youngest pages hold.
#[derive(Default)]
pub(crate) struct Newest {
    pub(crate) round: Option<Round>,
    /// There are bytes that are no entries any more.
    pub(crate) is_damaged: bool,
}

impl<F: NorFlash> Ring<F> {
    pub(crate) const fn new(flash: F, from: u32, pages: u32) -> Self {
        Self { flash, from, pages, youngest: None, counter: 0, tail: 0, passed: 0 }
    }

    pub(crate) const fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    pub(crate) fn into_flash(self) -> F {
        self.flash
    }

    const fn address(&self, page: u32) -> u32 {
        self.from + page * F::ERASE_SIZE as u32
    }

    const fn after(&self, page: u32) -> u32 {
        if page + 1 >= self.pages { 0 } else { page + 1 }
    }

    /// Finds the youngest page and its end. Pages of another flash life than `life` are none; without
    /// one, the youngest page says whose ring it is. Reads the head of each page, and two or three pages
    /// whole.
    pub(crate) async fn find(
        &mut self,
        life: Option<FlashId>,
        scratch: &mut [u8],
    ) -> Result<Newest, F::Error> {
        let mut youngest: Option<(u32, PageHead)> = None;
        let mut old: Option<(u32, Sequence)> = None;
        let mut is_damaged = false;
        for page in 0..self.pages {
            let at = self.address(page);
            match item::page(&mut self.flash, at, MAGIC).await? {
                Page::Headed(head) => {
                    self.counter = self.counter.max(head.counter);
                    let is_ours = life.is_none_or(|life| life == head.flash);
                    if is_ours && youngest.is_none_or(|(_, known)| known.counter < head.counter) {
                        youngest = Some((page, head));
                    }
                }
                Page::Old { .. } => {
                    let first = self.first_in(page, life, scratch).await?;
                    is_damaged |= first.is_none();
                    if let Some(first) = first
                        && old.is_none_or(|(_, known)| known < first)
                    {
                        old = Some((page, first));
                    }
                }
                // What is behind a head that was cut short is blank.
                Page::Free if is_damaged => {}
                Page::Free => {
                    let items = at + HEAD_BYTES;
                    let end = at + F::ERASE_SIZE as u32;
                    is_damaged = !item::is_blank(&mut self.flash, items, end).await?;
                }
            }
        }
        self.youngest = youngest.map(|(page, _)| page).or(old.map(|(page, _)| page));
        let Some(mut page) = self.youngest else {
            return Ok(Newest { round: None, is_damaged });
        };
        self.tail = self.address(page) + F::ERASE_SIZE as u32;
        let mut newest = Newest { round: None, is_damaged };
        for step in 0..self.pages {
            let mut walk = self.at_page(page);
            if self.enter(&mut walk).await? {
                let (round, damaged) = self.last_in(&mut walk, life, scratch).await?;
                newest.is_damaged |= damaged;
                newest.round = round;
            }
            if step == 0 && youngest.is_some() {
                let end = self.address(page) + F::ERASE_SIZE as u32;
                if item::is_blank(&mut self.flash, walk.at, end).await? {
                    self.tail = walk.at;
                }
            }
            if newest.round.is_some() {
                break;
            }
            page = if page == 0 { self.pages - 1 } else { page - 1 };
        }
        Ok(newest)
    }

    async fn first_in(
        &mut self,
        page: u32,
        life: Option<FlashId>,
        scratch: &mut [u8],
    ) -> Result<Option<Sequence>, F::Error> {
        let mut walk = self.at_page(page);
        if !self.enter(&mut walk).await? {
            return Ok(None);
        }
        while let Some(length) = self.next_in(&mut walk, scratch).await? {
            if let Some(round) = parsed(scratch, length, life) {
                return Ok(Some(round.first));
            }
        }
        Ok(None)
    }

    async fn last_in(
        &mut self,
        walk: &mut Walk,
        life: Option<FlashId>,
        scratch: &mut [u8],
    ) -> Result<(Option<Round>, bool), F::Error> {
        let mut last = None;
        while let Some(length) = self.next_in(walk, scratch).await? {
            last = parsed(scratch, length, life).or(last);
        }
        Ok((last, walk.is_damaged))
    }

    const fn at_page(&self, page: u32) -> Walk {
        Walk { page, counter: 0, at: 0, end: 0, is_damaged: false }
    }

    /// Looks at the page of `walk` and returns whether there are entries to be read in it. A page that is
    /// older than the one before it is a worn one, which could not be erased.
    async fn enter(&mut self, walk: &mut Walk) -> Result<bool, F::Error> {
        let at = self.address(walk.page);
        let end = at + F::ERASE_SIZE as u32;
        let word = item::word::<F>();
        (walk.at, walk.end) = match item::page(&mut self.flash, at, MAGIC).await? {
            Page::Headed(head) if head.counter >= walk.counter => {
                walk.counter = head.counter;
                (at + HEAD_BYTES, end)
            }
            Page::Old { .. } if walk.counter == 0 => (at + word, end - word),
            Page::Headed(_) | Page::Old { .. } | Page::Free => return Ok(false),
        };
        Ok(true)
    }

    async fn next_in(
        &mut self,
        walk: &mut Walk,
        scratch: &mut [u8],
    ) -> Result<Option<usize>, F::Error> {
        loop {
            match item::look(&mut self.flash, walk.at, walk.end, scratch).await? {
                Look::Item { length, next } => {
                    walk.at = next;
                    return Ok(Some(length));
                }
                Look::Skip { next, is_damaged } => {
                    walk.at = next;
                    walk.is_damaged |= is_damaged;
                }
                Look::End => return Ok(None),
            }
        }
    }

    /// Returns the place before the oldest entry.
    pub(crate) fn start(&self) -> Walk {
        self.at_page(self.youngest.map_or(0, |page| self.after(page)))
    }

    /// Reads the entry after `walk` into `scratch` and returns its length; `None` at the end of the ring,
    /// where the walk waits for the next one.
    pub(crate) async fn next(
        &mut self,
        walk: &mut Walk,
        scratch: &mut [u8],
    ) -> Result<Option<usize>, F::Error> {
        let Some(youngest) = self.youngest else { return Ok(None) };
        loop {
            if (walk.at != 0 || self.enter(walk).await?)
                && let Some(length) = self.next_in(walk, scratch).await?
            {
                return Ok(Some(length));
            }
            if walk.page == youngest {
                return Ok(None);
            }
            walk.page = self.after(walk.page);
            walk.at = 0;
        }
    }

    /// Returns the start of the last page, from the oldest on, that begins at `sequence` or before it.
    /// Reads the heads of the pages up to there.
    pub(crate) async fn seek(
        &mut self,
        sequence: Sequence,
        scratch: &mut [u8],
    ) -> Result<Walk, F::Error> {
        let mut walk = self.start();
        let mut best = walk;
        let Some(youngest) = self.youngest else { return Ok(best) };
        loop {
            let at = self.address(walk.page);
            let first = match item::page(&mut self.flash, at, MAGIC).await? {
                Page::Headed(head) if head.counter >= walk.counter => {
                    walk.counter = head.counter;
                    Some(head.first)
                }
                Page::Old { .. } if walk.counter == 0 => {
                    self.first_in(walk.page, None, scratch).await?
                }
                Page::Headed(_) | Page::Old { .. } | Page::Free => None,
            };
            match first {
                Some(first) if first > sequence => return Ok(best),
                Some(_) => best = Walk { at: 0, ..walk },
                None => {}
            }
            if walk.page == youngest {
                return Ok(best);
            }
            walk.page = self.after(walk.page);
        }
    }

    /// Returns whether an entry of so many bytes finds room in the youngest page.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.youngest.is_some_and(|page| {
            let end = self.address(page) + F::ERASE_SIZE as u32;
            self.tail + item::item_bytes::<F>(length) <= end
        })
    }

    /// Returns the page that is written next; `None` where all but the youngest are worn.
    pub(crate) fn following(&self) -> Option<u32> {
        let from = self.youngest.map_or(0, |page| self.after(page));
        let page = (from + self.passed) % self.pages.max(1);
        (self.passed < self.pages && Some(page) != self.youngest).then_some(page)
    }

    /// Tries the pages again that were passed over.
    pub(crate) const fn again(&mut self) {
        self.passed = 0;
    }

    /// Returns whether, from the oldest on, `page` does not come after `other`.
    pub(crate) fn is_upto(&self, page: u32, other: u32) -> bool {
        let start = self.start().page;
        let steps = |page: u32| (page + self.pages - start) % self.pages.max(1);
        steps(page) <= steps(other)
    }

    /// Begins the page that [`Self::following`] names; what is in it is lost. Returns whether the flash
    /// took it. Where not, the page is passed over.
    pub(crate) async fn begin(
        &mut self,
        flash: FlashId,
        first: Sequence,
    ) -> Result<bool, F::Error> {
        let Some(page) = self.following() else { return Ok(false) };
        let at = self.address(page);
        self.passed += 1;
        self.counter = self.counter.wrapping_add(1);
        let head = PageHead { counter: self.counter, flash, first };
        if !item::erase(&mut self.flash, at).await?
            || !item::write_head(&mut self.flash, at, MAGIC, &head).await?
        {
            return Ok(false);
        }
        self.youngest = Some(page);
        self.tail = at + HEAD_BYTES;
        self.passed = 0;
        Ok(true)
    }

    /// Writes an entry for which there is room. Returns whether the flash took it; where not, the page is
    /// given up with what is in it so far, which stays readable.
    pub(crate) async fn append(&mut self, bytes: &[u8]) -> Result<bool, F::Error> {
        let at = self.tail;
        // Whatever happens, nothing is written twice to one place.
        self.tail = self.youngest.map_or(0, |page| self.address(page) + F::ERASE_SIZE as u32);
        if !item::write(&mut self.flash, at, None, bytes).await? {
            return Ok(false);
        }
        self.tail = at + item::item_bytes::<F>(bytes.len());
        Ok(true)
    }
}

fn parsed(scratch: &[u8], length: usize, life: Option<FlashId>) -> Option<Round> {
    let (round, _) = entry::parse(scratch.get(..length)?)?;
    life.is_none_or(|life| life == round.flash).then_some(round)
}
