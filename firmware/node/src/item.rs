//! Items in a page of flash, and the page's head: bytes that prove themselves.
//!
//! Nothing here trusts the flash. What is written is read back and compared; a page is erased, and looked
//! at, right before it is written anew, never relied on to be blank from before: an erase that lost its
//! power halfway leaves any mixture of old and erased words. A page that does not take its bytes is
//! given up by the caller, who goes on in the next one.
//!
//! An item, as `sequential-storage` 8 lays it down (its `item.rs`), so that what older firmware wrote is
//! read by the same code:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | checksum of the data; 0: removed (only by older firmware) |
//! | 2 | length of the data |
//! | 2 | checksum of the length |
//! | to the flash's word | padding |
//! | length | data |
//! | to the flash's word | padding |
//!
//! The head of a page, [`HEAD_BYTES`] in front of its items:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | whose page it is; the first byte has one zero, the start mark of older firmware at least four |
//! | 4 | counter: the page with the greatest one is the youngest |
//! | 4 | flash id |
//! | 8 | the sequence with which the page begins |
//! | 8 | 0 |
//! | 4 | checksum of the 28 bytes |

use embedded_storage_async::nor_flash::NorFlash;
use measure::{FlashId, Sequence};

/// Bytes of the head of a page.
pub(crate) const HEAD_BYTES: u32 = 32;
/// Bytes in front of an item's data, before padding.
const ITEM_HEAD_BYTES: usize = 8;
/// Bytes that are written, compared and copied at once; every flash word up to here is supported.
pub(crate) const CHUNK_BYTES: usize = 64;
/// A page that is not blank after so many erases is worn.
const ERASES_MAX: u32 = 2;
/// The marks of the crate that older firmware used: a byte of which so many bits are 0.
const OLD_MARK_ZEROS: u32 = 4;

/// Returns the unit in which the flash is read and written.
pub(crate) const fn word<F: NorFlash>() -> u32 {
    if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE as u32 } else { F::READ_SIZE as u32 }
}

/// Returns how many bytes an item with so much data takes.
pub(crate) const fn item_bytes<F: NorFlash>(length: usize) -> u32 {
    (ITEM_HEAD_BYTES as u32).next_multiple_of(word::<F>())
        + (length as u32).next_multiple_of(word::<F>())
}

/// A few bytes, aligned for flash drivers that ask for it.
#[repr(align(4))]
pub(crate) struct Chunk(pub(crate) [u8; CHUNK_BYTES]);

/// What stands at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// An item with data of this length, and where the next one is.
    Item { length: usize, next: u32 },
    /// None. `is_damaged` where there was one once, as far as can be told: one that the power cut
    /// short has no last word.
    Skip { next: u32, is_damaged: bool },
    /// Nothing was written here.
    End,
}

/// Looks at `at`, in a page whose items end at `end`, and reads the data into `into`. Data that does not
/// find room there is checked only.
pub(crate) async fn look<F: NorFlash>(
    flash: &mut F,
    at: u32,
    end: u32,
    into: &mut [u8],
) -> Result<Look, F::Error> {
    let word = word::<F>();
    let data_at = at + item_bytes::<F>(0);
    if data_at > end {
        return Ok(Look::End);
    }
    let mut chunk = Chunk([0xFF; CHUNK_BYTES]);
    let head = part(&mut chunk.0, data_at - at);
    flash.read(at, head).await?;
    if head.iter().all(|byte| *byte == 0xFF) {
        return Ok(Look::End);
    }
    let [c0, c1, c2, c3, l0, l1, s0, s1, ..] = chunk.0;
    let length = u16::from_le_bytes([l0, l1]);
    let data_end = data_at + u32::from(length).next_multiple_of(word);
    if u16::from_le_bytes([s0, s1]) != length_sum([l0, l1]) || data_end > end {
        // The power went in the head, unless something follows it.
        let mut next = Chunk([0xFF; CHUNK_BYTES]);
        let next = part(&mut next.0, word.min(end - data_at));
        flash.read(data_at, next).await?;
        let is_damaged = next.iter().any(|byte| *byte != 0xFF);
        return Ok(Look::Skip { next: at + word, is_damaged });
    }
    let sum = u32::from_le_bytes([c0, c1, c2, c3]);
    if sum == 0 {
        return Ok(Look::Skip { next: data_end, is_damaged: false });
    }
    let length = usize::from(length);
    let mut found = Sum::new();
    let mut last_is_blank = false;
    let fits = into.get_mut(..(data_end - data_at) as usize);
    if let Some(data) = fits {
        flash.read(data_at, data).await?;
        found.add(data.get(..length).unwrap_or_default());
        let last = data.len().saturating_sub(word as usize);
        last_is_blank = data.get(last..).is_some_and(|word| word.iter().all(|byte| *byte == 0xFF));
    } else {
        let (mut from, mut left) = (data_at, length);
        while from < data_end {
            let part = part(&mut chunk.0, data_end - from);
            flash.read(from, part).await?;
            found.add(part.get(..left.min(CHUNK_BYTES)).unwrap_or_default());
            last_is_blank = part.ends_with(&[0xFF; 4]);
            from += part.len() as u32;
            left = left.saturating_sub(CHUNK_BYTES);
        }
    }
    Ok(if found.get() == sum {
        Look::Item { length, next: data_end }
    } else {
        Look::Skip { next: data_end, is_damaged: !last_is_blank }
    })
}

/// Writes an item whose data is `key`, if any, and `bytes`. Returns whether it can be read back.
pub(crate) async fn write<F: NorFlash>(
    flash: &mut F,
    at: u32,
    key: Option<u8>,
    bytes: &[u8],
) -> Result<bool, F::Error> {
    let data = || key.into_iter().chain(bytes.iter().copied());
    let length = (bytes.len() + usize::from(key.is_some())) as u16;
    let mut sum = Sum::new();
    data().for_each(|byte| sum.add(&[byte]));
    let padding = item_bytes::<F>(0) as usize - ITEM_HEAD_BYTES;
    let mut all = (sum.get().to_le_bytes().into_iter())
        .chain(length.to_le_bytes())
        .chain(length_sum(length.to_le_bytes()).to_le_bytes())
        .chain(core::iter::repeat_n(0xFF, padding))
        .chain(data());
    let mut at = at;
    loop {
        // The padding at the end is 0: a word that is still erased says that the power went before it.
        let mut chunk = Chunk([0; CHUNK_BYTES]);
        let filled = chunk.0.iter_mut().zip(&mut all).map(|(to, from)| *to = from).count();
        if filled == 0 {
            return Ok(true);
        }
        let part = part(&mut chunk.0, (filled as u32).next_multiple_of(word::<F>()));
        if !write_proven(flash, at, part).await? {
            return Ok(false);
        }
        at += part.len() as u32;
    }
}

/// Copies `bytes` bytes, whole words. Returns whether they can be read back.
pub(crate) async fn copy<F: NorFlash>(
    flash: &mut F,
    from: u32,
    to: u32,
    bytes: u32,
) -> Result<bool, F::Error> {
    let mut done = 0;
    while done < bytes {
        let mut chunk = Chunk([0; CHUNK_BYTES]);
        let part = part(&mut chunk.0, bytes - done);
        flash.read(from + done, part).await?;
        if !write_proven(flash, to + done, part).await? {
            return Ok(false);
        }
        done += part.len() as u32;
    }
    Ok(true)
}

async fn write_proven<F: NorFlash>(flash: &mut F, at: u32, bytes: &[u8]) -> Result<bool, F::Error> {
    flash.write(at, bytes).await?;
    let mut chunk = Chunk([0; CHUNK_BYTES]);
    let back = part(&mut chunk.0, bytes.len() as u32);
    flash.read(at, back).await?;
    Ok(back == bytes)
}

/// Erases the page at `at` and returns whether it is blank then.
pub(crate) async fn erase<F: NorFlash>(flash: &mut F, at: u32) -> Result<bool, F::Error> {
    let end = at + F::ERASE_SIZE as u32;
    for _ in 0..ERASES_MAX {
        flash.erase(at, end).await?;
        if is_blank(flash, at, end).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether nothing was written between two addresses.
pub(crate) async fn is_blank<F: NorFlash>(
    flash: &mut F,
    from: u32,
    to: u32,
) -> Result<bool, F::Error> {
    let mut at = from;
    while at < to {
        let mut chunk = Chunk([0; CHUNK_BYTES]);
        let part = part(&mut chunk.0, to - at);
        flash.read(at, part).await?;
        if part.iter().any(|byte| *byte != 0xFF) {
            return Ok(false);
        }
        at += part.len() as u32;
    }
    Ok(true)
}

/// What stands at the start of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageHead {
    pub(crate) counter: u32,
    pub(crate) flash: FlashId,
    pub(crate) first: Sequence,
}

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// One with a head.
    Headed(PageHead),
    /// One of older firmware; its last mark is there where it was full.
    Old { is_closed: bool },
    /// Blank, or nothing that is known.
    Free,
}

/// Looks at the page at `at`, which is `magic`'s if it has a head.
pub(crate) async fn page<F: NorFlash>(
    flash: &mut F,
    at: u32,
    magic: [u8; 4],
) -> Result<Page, F::Error> {
    let mut chunk = Chunk([0; CHUNK_BYTES]);
    let bytes = part(&mut chunk.0, HEAD_BYTES);
    flash.read(at, bytes).await?;
    if let Some(head) = parse_head(bytes, magic) {
        return Ok(Page::Headed(head));
    }
    let is_marked = |byte: Option<&u8>| byte.is_some_and(|b| b.count_zeros() >= OLD_MARK_ZEROS);
    if !is_marked(bytes.first()) {
        return Ok(Page::Free);
    }
    let word = word::<F>();
    let last = part(&mut chunk.0, word);
    flash.read(at + F::ERASE_SIZE as u32 - word, last).await?;
    Ok(Page::Old { is_closed: is_marked(last.last()) })
}

fn parse_head(bytes: &[u8], magic: [u8; 4]) -> Option<PageHead> {
    let rest = bytes.strip_prefix(&magic)?;
    let (counter, rest) = rest.split_first_chunk::<4>()?;
    let (flash, rest) = rest.split_first_chunk::<4>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (_, rest) = rest.split_first_chunk::<8>()?;
    let mut sum = Sum::new();
    sum.add(bytes.get(..28)?);
    (u32::from_le_bytes(*rest.first_chunk::<4>()?) == sum.get()).then_some(PageHead {
        counter: u32::from_le_bytes(*counter),
        flash: FlashId(u32::from_le_bytes(*flash)),
        first: Sequence(u64::from_le_bytes(*first)),
    })
}

/// Writes the head of the page at `at` and returns whether it can be read back.
pub(crate) async fn write_head<F: NorFlash>(
    flash: &mut F,
    at: u32,
    magic: [u8; 4],
    head: &PageHead,
) -> Result<bool, F::Error> {
    let mut chunk = Chunk([0; CHUNK_BYTES]);
    let bytes = magic
        .into_iter()
        .chain(head.counter.to_le_bytes())
        .chain(head.flash.0.to_le_bytes())
        .chain(head.first.0.to_le_bytes());
    chunk.0.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    let mut sum = Sum::new();
    sum.add(part(&mut chunk.0, 28));
    let tail = chunk.0.iter_mut().skip(28);
    tail.zip(sum.get().to_le_bytes()).for_each(|(to, from)| *to = from);
    write_proven(flash, at, part(&mut chunk.0, HEAD_BYTES)).await
}

/// Returns the first bytes of a chunk, at most so many.
fn part(chunk: &mut [u8; CHUNK_BYTES], bytes: u32) -> &mut [u8] {
    let bytes = (bytes as usize).min(CHUNK_BYTES);
    chunk.split_at_mut(bytes).0
}

/// The checksum of an item's data: CRC-32C, begun at 0xEEEE_EEEE, never 0 and never with 0xFF or 0 as its
/// first byte (`sequential-storage`, `adapted_crc32`).
struct Sum(u32);

impl Sum {
    const fn new() -> Self {
        Self(0xEEEE_EEEE)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            for _ in 0..8 {
                self.0 = self.0 >> 1 ^ if self.0 & 1 == 1 { 0x82F6_3B78 } else { 0 };
            }
        }
    }

    const fn get(&self) -> u32 {
        match !self.0 {
            0 => 1,
            sum if sum & 0xFF == 0 || sum & 0xFF == 0xFF => sum ^ 1,
            sum => sum,
        }
    }
}

/// The checksum of an item's length: CRC-16F/4.2, never 0xFFFF (`sequential-storage`, `crc16`).
fn length_sum(length: [u8; 2]) -> u16 {
    let mut sum = 0xFFFF_u16;
    for byte in length {
        sum ^= u16::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 == 1 { 0x1A2E } else { 0 };
        }
    }
    if sum == 0 { 0xFFFE } else { !sum }
}
