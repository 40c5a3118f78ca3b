//! What the node keeps beside the ring, by key: who it is, its gaps, its settings.
//!
//! One page at a time is written, value after value; of two under one key the later one stands. A full
//! page gives way to the next one, to which the values are copied first: it gets its head last, so that a
//! power cut leaves the one page or the other. What older firmware kept in `sequential-storage`'s map is
//! read until the first value is written, and copied then.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use measure::{FlashId, Sequence};

use crate::Error;
use crate::item::{self, CHUNK_BYTES, Chunk, HEAD_BYTES, Look, Page, PageHead};
use crate::outbox::Result;

const MAGIC: [u8; 4] = [0xF7, b'M', b'K', 2];
/// Keys are below this.
pub(crate) const KEYS: usize = 16;

/// The pages, and where the next value goes.
pub(crate) struct Keep {
    from: u32,
    pages: u32,
    /// The page in force, by its number.
    page: Option<u32>,
    /// The last page of older firmware.
    old: Option<u32>,
    counter: u32,
    tail: u32,
    /// Something cannot be read that may have been a later value.
    is_doubtful: bool,
}

/// Where a value is: its item, and the length of its data with the key.
#[derive(Clone, Copy)]
struct Place {
    at: u32,
    length: usize,
}

impl Keep {
    /// Finds the page in force.
    pub(crate) async fn open<F: NorFlash>(
        flash: &mut F,
        pages: &Range<u32>,
    ) -> Result<Self, F::Error> {
        let count = (pages.len() / F::ERASE_SIZE) as u32;
        let is_whole =
            [pages.start, pages.end].iter().all(|at| at.is_multiple_of(F::ERASE_SIZE as u32));
        if count < 2 || !is_whole {
            return Err(Error::Layout("the identity needs at least two whole pages"));
        }
        let mut keep = Self {
            from: pages.start,
            pages: count,
            page: None,
            old: None,
            counter: 0,
            tail: 0,
            is_doubtful: false,
        };
        // Of older firmware: full pages, and whether the page before was one.
        let (mut full, mut follows_full) = (None, false);
        for page in 0..count {
            let was_full = follows_full;
            follows_full = false;
            match item::page(flash, keep.address::<F>(page), MAGIC).await.map_err(Error::Flash)? {
                Page::Headed(head) if keep.page.is_none() || head.counter > keep.counter => {
                    (keep.page, keep.counter) = (Some(page), head.counter);
                }
                Page::Old { is_closed: false } => keep.old = Some(page),
                Page::Old { is_closed: true } => {
                    follows_full = true;
                    // The last one of a row of full pages that does not go round the end.
                    if full.is_none() || was_full {
                        full = Some(page);
                    }
                }
                Page::Headed(_) | Page::Free => {}
            }
        }
        keep.old = keep.old.or(full);
        if let Some(page) = keep.page {
            keep.old = None;
            let at = keep.address::<F>(page);
            let end = at + F::ERASE_SIZE as u32;
            let mut next = at + HEAD_BYTES;
            loop {
                match item::look(flash, next, end, &mut []).await.map_err(Error::Flash)? {
                    Look::Item { next: after, .. } => next = after,
                    Look::Skip { next: after, is_damaged } => {
                        next = after;
                        keep.is_doubtful |= is_damaged;
                    }
                    Look::End => break,
                }
            }
            let is_blank = item::is_blank(flash, next, end).await.map_err(Error::Flash)?;
            keep.tail = if is_blank { next } else { end };
        }
        Ok(keep)
    }

    /// Returns whether a value may be older than the one that was saved last: the flash lost something.
    pub(crate) const fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    const fn address<F: NorFlash>(&self, page: u32) -> u32 {
        self.from + page * F::ERASE_SIZE as u32
    }

    /// Finds the values: of the page in force, or of all pages of older firmware.
    async fn find<F: NorFlash>(
        &self,
        flash: &mut F,
    ) -> core::result::Result<[Option<Place>; KEYS], F::Error> {
        let mut places = [None; KEYS];
        let word = item::word::<F>();
        if let Some(page) = self.page {
            let at = self.address::<F>(page);
            let end = at + F::ERASE_SIZE as u32;
            find_in(flash, at + HEAD_BYTES, end, &mut places).await?;
        } else if let Some(old) = self.old {
            for step in 1..=self.pages {
                let at = self.address::<F>((old + step) % self.pages);
                if let Page::Old { .. } = item::page(flash, at, MAGIC).await? {
                    let end = at + F::ERASE_SIZE as u32 - word;
                    find_in(flash, at + word, end, &mut places).await?;
                }
            }
        }
        Ok(places)
    }

    /// Reads what is kept under `key` into `into` and returns its length; `None` where there is nothing,
    /// or more than finds room.
    pub(crate) async fn load<F: NorFlash>(
        &self,
        flash: &mut F,
        key: u8,
        into: &mut [u8],
    ) -> Result<Option<usize>, F::Error> {
        let places = self.find(flash).await.map_err(Error::Flash)?;
        let Some(place) = places.get(usize::from(key)).copied().flatten() else { return Ok(None) };
        let length = place.length - 1;
        let Some(into) = into.get_mut(..length) else { return Ok(None) };
        let data = place.at + item::item_bytes::<F>(0);
        let end = data + (place.length as u32).next_multiple_of(item::word::<F>());
        let (mut at, mut skipped, mut done) = (data, 1, 0);
        while at < end {
            let mut chunk = Chunk([0; CHUNK_BYTES]);
            let bytes = (end - at).min(CHUNK_BYTES as u32);
            let part = chunk.0.split_at_mut(bytes as usize).0;
            flash.read(at, part).await.map_err(Error::Flash)?;
            let rest = into.get_mut(done..).unwrap_or_default();
            let from = part.iter().skip(skipped);
            done += rest.iter_mut().zip(from).map(|(to, from)| *to = *from).count();
            (at, skipped) = (at + bytes, 0);
        }
        Ok(Some(length))
    }

    /// Keeps `bytes` under `key`, in place of what was there. A power cut leaves the one or the other.
    pub(crate) async fn save<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        bytes: &[u8],
    ) -> Result<(), F::Error> {
        let room = F::ERASE_SIZE as u32 - HEAD_BYTES;
        if usize::from(key) >= KEYS || item::item_bytes::<F>(bytes.len() + 1) > room {
            return Err(Error::Layout("a value is larger than a page"));
        }
        // What cannot be read is left behind with its page.
        if let Some(page) = self.page.filter(|_| !self.is_doubtful) {
            let end = self.address::<F>(page) + F::ERASE_SIZE as u32;
            let after = self.tail + item::item_bytes::<F>(bytes.len() + 1);
            if after <= end {
                let at = self.tail;
                self.tail = end;
                if item::write(flash, at, Some(key), bytes).await.is_ok_and(|taken| taken) {
                    self.tail = after;
                    return Ok(());
                }
            }
        }
        self.turn(flash, key, bytes).await
    }

    /// Goes on in the next page that takes all values.
    async fn turn<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: u8,
        bytes: &[u8],
    ) -> Result<(), F::Error> {
        let places = self.find(flash).await.map_err(Error::Flash)?;
        let from = self.page.or(self.old).unwrap_or(self.pages - 1);
        let mut failed = Error::Damaged;
        for step in 1..self.pages {
            let page = (from + step) % self.pages;
            match self.fill(flash, page, &places, key, bytes).await {
                Ok(Some(tail)) => {
                    (self.page, self.old, self.tail) = (Some(page), None, tail);
                    self.is_doubtful = false;
                    return Ok(());
                }
                Ok(None) => {}
                Err(error) => failed = Error::Flash(error),
            }
        }
        Err(failed)
    }

    /// Writes all values into `page` and makes it the one in force. Returns where the next value goes, or
    /// `None` where the flash did not take them.
    async fn fill<F: NorFlash>(
        &mut self,
        flash: &mut F,
        page: u32,
        places: &[Option<Place>; KEYS],
        key: u8,
        bytes: &[u8],
    ) -> core::result::Result<Option<u32>, F::Error> {
        let start = self.address::<F>(page);
        let end = start + F::ERASE_SIZE as u32;
        if !item::erase(flash, start).await? {
            return Ok(None);
        }
        let mut at = start + HEAD_BYTES;
        for (known, place) in places.iter().enumerate() {
            let Some(place) = place.filter(|_| known != usize::from(key)) else { continue };
            let length = item::item_bytes::<F>(place.length);
            if at + length > end || !item::copy(flash, place.at, at, length).await? {
                return Ok(None);
            }
            at += length;
        }
        let length = item::item_bytes::<F>(bytes.len() + 1);
        if at + length > end || !item::write(flash, at, Some(key), bytes).await? {
            return Ok(None);
        }
        self.counter = self.counter.wrapping_add(1);
        let head = PageHead { counter: self.counter, flash: FlashId(0), first: Sequence(0) };
        let is_taken = item::write_head(flash, start, MAGIC, &head).await?;
        Ok(is_taken.then_some(at + length))
    }
}

async fn find_in<F: NorFlash>(
    flash: &mut F,
    from: u32,
    end: u32,
    places: &mut [Option<Place>; KEYS],
) -> core::result::Result<(), F::Error> {
    let mut at = from;
    let word = item::word::<F>();
    loop {
        match item::look(flash, at, end, &mut []).await? {
            Look::Item { length, next } => {
                let mut chunk = Chunk([0; CHUNK_BYTES]);
                let first = chunk.0.split_at_mut(word as usize).0;
                flash.read(at + item::item_bytes::<F>(0), first).await?;
                let key = first.first().copied().map_or(KEYS, usize::from);
                if let Some(place) = places.get_mut(key).filter(|_| length > 0) {
                    *place = Some(Place { at, length });
                }
                at = next;
            }
            Look::Skip { next, .. } => at = next,
            Look::End => return Ok(()),
        }
    }
}
