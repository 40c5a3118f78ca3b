//! A node on a battery: what it remembers while it sleeps, and when it may.
//!
//! It samples every interval, out of deep sleep and without a link, and connects every
//! [`wire::Settings::connect_ms`], at once where a limit was broken or is kept again, and while settings
//! are on trial. It sleeps again when all is said and acknowledged, or when no gateway has answered for
//! [`AWAKE_MS_MAX`]. Uptime, boot and session go on. Before it sleeps it gives back the sequences that it
//! had reserved, so that a sleep that ends in a power cut leaves no gap.
//!
//! What goes on from [`Retained`]: uptime, clock, sequences, the last command that was answered, what a
//! trial has left, the state of QARTOD's tests and of report by exception, the delays of the limits. What
//! comes from flash again: settings, the episodes of broken limits, gaps and what is not acknowledged.
//! What is forgotten: readings in memory to be sent first (they come from flash), ranges acknowledged out
//! of order (they are sent again), an update's report (the board has it).

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use measure::qartod::Run;
use measure::{BootId, Fault, FlashId, Quality, Reading, Scaled, Sequence, Uptime};
use wire::{CHANNELS_MAX, LIMITS_MAX, Outcome};

use crate::Node;
use crate::clock::{CLOCK_BYTES, Clock};
use crate::judge::Seen;
use crate::limits::Phase;
use crate::node::{Answer, Link};
use crate::outbox::Result;
use crate::recover::Resumed;

/// Bytes of memory that must outlive deep sleep.
pub const RETAINED_BYTES: usize = HEAD_BYTES
    + CLOCK_BYTES
    + CHANNELS_MAX * CHANNEL_BYTES
    + LIMITS_MAX * LIMIT_BYTES
    + size_of::<u32>();
/// A sleeping node stays awake for so long after it woke up or last heard its gateway, in milliseconds.
pub const AWAKE_MS_MAX: u64 = 30_000;

const MAGIC: u32 = u32::from_le_bytes(*b"mpR1");
const HEAD_BYTES: usize = 84;
const CHANNEL_BYTES: usize = 48;
const LIMIT_BYTES: usize = 18;

/// What [`Node::retain`] writes and [`Start::Woken`] reads: keep it in memory that deep sleep spares.
pub type Retained = [u8; RETAINED_BYTES];

/// How a node starts.
#[derive(Clone, Copy, Debug)]
pub enum Start<'r> {
    /// After a power cut or a reset: a new boot.
    Cold,
    /// After deep sleep: the boot goes on. What is damaged or another node's counts as [`Self::Cold`].
    Woken(&'r Retained),
}

impl Start<'_> {
    /// Returns the uptime that the sleep was to end at; 0 where there was none. The board's clock goes on
    /// from there, later by what the sleep took longer.
    pub fn uptime(&self) -> Uptime {
        match self {
            Self::Cold => Uptime(0),
            Self::Woken(retained) => head(retained).map_or(Uptime(0), |head| head.until),
        }
    }

    pub(crate) fn resumed(&self) -> Option<(Head, &Retained)> {
        match self {
            Self::Cold => None,
            Self::Woken(retained) => head(retained).map(|head| (head, *retained)),
        }
    }
}

/// What stands before the rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) resumed: Resumed,
    pub(crate) until: Uptime,
    session: u32,
    recorded_at: Uptime,
    sample_due: Uptime,
    connect_due: Uptime,
    settings: u32,
    trial_ms: u32,
    has_undated: bool,
    is_urgent: bool,
    answered: Option<(u32, Outcome)>,
    random: u32,
}

fn head(retained: &Retained) -> Option<Head> {
    let (body, sum) = retained.split_last_chunk::<4>()?;
    let mut from = Reader(body);
    if u32::from_le_bytes(*sum) != crc32(body) || from.u32() != MAGIC {
        return None;
    }
    Some(Head {
        resumed: Resumed {
            flash: FlashId(from.u32()),
            boot: BootId(from.u32()),
            next: Sequence(from.u64()),
            boot_first: Sequence(from.u64()),
        },
        until: Uptime(from.u64()),
        session: from.u32(),
        recorded_at: Uptime(from.u64()),
        sample_due: Uptime(from.u64()),
        connect_due: Uptime(from.u64()),
        settings: from.u32(),
        trial_ms: from.u32(),
        has_undated: from.u8() != 0,
        is_urgent: from.u8() != 0,
        answered: {
            let (is_some, id, outcome) = (from.u8() != 0, from.u32(), from.u8());
            Outcome::from_code(outcome).filter(|_| is_some).map(|outcome| (id, outcome))
        },
        random: from.u32(),
    })
}

impl<F: MultiwriteNorFlash, const PAGES: usize> Node<F, PAGES> {
    /// Returns whether the node sleeps between its samples and connects only now and then.
    pub fn is_sleeper(&self) -> bool {
        self.connect_ms.is_some()
    }

    /// Returns whether a connection is due now: always, but for a sleeping node.
    pub fn is_link_due(&self, now: Uptime) -> bool {
        !self.is_sleeper() || now >= self.connect_due || self.is_urgent || self.trial.is_some()
    }

    /// Returns for how long to sleep, in milliseconds, once there is nothing left to do: the round that
    /// was due is taken, and all is said, or nobody answers.
    pub fn may_sleep(&self, now: Uptime) -> Option<u32> {
        self.connect_ms?;
        let has_given_up = now.ms_since(self.heard_at) >= AWAKE_MS_MAX;
        let is_talking = self.link != Link::Down || self.is_link_due(now);
        let is_busy = now >= self.sample_due || (is_talking && !self.has_said_all());
        if is_busy && !has_given_up {
            return None;
        }
        // The sample of a round that does not come to its end waits for the next one.
        let sample = later(self.sample_due, self.birth.interval_ms, now);
        let until = sample.min(self.next_connect(now));
        Some(u32::try_from(until.ms_since(now)).unwrap_or(u32::MAX).max(1))
    }

    /// Returns what must be remembered through a sleep that ends at `slept_until`. The node is done with
    /// after that: what is still taken or said is not remembered.
    ///
    /// # Errors
    /// `Error::Flash` and `Error::Damaged` where the flash did not take what must stay.
    pub async fn retain(&mut self, now: Uptime, slept_until: Uptime) -> Result<Retained, F::Error> {
        self.outbox.close_block().await?;
        self.connect_due = self.next_connect(now);
        self.sample_due = later(self.sample_due, self.birth.interval_ms, now);
        Ok(self.write_retained(slept_until))
    }

    /// Returns when the connection after this one is due.
    pub(crate) fn next_connect(&self, now: Uptime) -> Uptime {
        let Some(connect_ms) = self.connect_ms else { return now };
        later(self.connect_due, connect_ms, now)
    }

    /// A round was started.
    pub(crate) fn sampled(&mut self, at: Uptime) {
        self.sample_due = later(self.sample_due, self.birth.interval_ms, at);
    }

    /// The gateway has answered.
    pub(crate) fn heard(&mut self, now: Uptime) {
        self.heard_at = self.heard_at.max(now);
    }

    fn has_said_all(&self) -> bool {
        self.link == Link::Up
            && self.answers.is_empty()
            && self.update.is_none()
            && self.fresh.readings.is_empty()
            && self.fresh_events.is_empty()
            && self.flight.is_empty()
            && self.outbox.gaps.iter().next().is_none()
            && self.waiting() == 0
    }

    fn write_retained(&self, until: Uptime) -> Retained {
        let mut retained = [0; RETAINED_BYTES];
        let Some((body, sum)) = retained.split_last_chunk_mut::<4>() else { return retained };
        let mut to = Writer(body);
        to.u32(MAGIC);
        to.u32(self.birth.flash.0);
        to.u32(self.birth.boot.0);
        to.u64(self.outbox.next.0);
        to.u64(self.outbox.boot_first.0);
        to.u64(until.0);
        to.u32(self.birth.session);
        to.u64(self.recorded_at.0);
        to.u64(self.sample_due.0);
        to.u64(self.connect_due.0);
        to.u32(self.birth.settings);
        to.u32(self.trial.map_or(0, |trial| trial.left_ms));
        to.u8(u8::from(self.has_undated));
        to.u8(u8::from(self.is_urgent));
        to.u8(u8::from(self.answered.is_some()));
        to.u32(self.answered.as_ref().map_or(0, |answer| answer.id));
        to.u8(self.answered.as_ref().map_or(0, |answer| answer.outcome.code()));
        to.u32(self.random);
        to.bytes(&self.clock.emit());
        for channel in &self.channels {
            let rate = channel.tests.rate.before;
            to.u8(u8::from(rate.is_some()));
            let (value, at_ms) = rate.unwrap_or_default();
            to.u32(value as u32);
            to.u32(at_ms);
            let run = channel.tests.flat.run;
            to.u8(u8::from(run.is_some()));
            let run = run.unwrap_or(Run { since_ms: 0, last_ms: 0, low: 0, high: 0 });
            [run.since_ms, run.last_ms, run.low as u32, run.high as u32]
                .into_iter()
                .for_each(|word| to.u32(word));
            to.seen(channel.kept);
            to.seen(channel.passed);
        }
        to.skip((CHANNELS_MAX - self.channels.len()) * CHANNEL_BYTES);
        for watched in &self.limits {
            to.u8(watched.phase as u8);
            to.u32(watched.held_ms);
            to.u8(u8::from(watched.seen_ms.is_some()));
            to.u32(watched.seen_ms.unwrap_or(0));
            to.u64(watched.episode.0);
        }
        *sum = crc32(body).to_le_bytes();
        retained
    }

    /// Goes on where the sleep began; the settings are in force already.
    pub(crate) fn resume(&mut self, head: &Head, retained: &Retained) {
        self.birth.session = head.session;
        self.recorded_at = head.recorded_at;
        self.sample_due = head.sample_due;
        self.connect_due = head.connect_due;
        self.heard_at = head.until;
        self.has_undated = head.has_undated;
        self.is_urgent = head.is_urgent;
        self.random = head.random | 1;
        self.answered =
            head.answered.map(|(id, outcome)| Answer { id, outcome, detail: wire::Detail::new() });
        if let Some(trial) = &mut self.trial {
            trial.session = head.session;
            trial.left_ms = trial.left_ms.min(head.trial_ms);
            trial.seen = head.until;
        }
        let body = retained.get(HEAD_BYTES..).unwrap_or_default();
        let (clock, body) = body.split_at(CLOCK_BYTES.min(body.len()));
        self.clock = Clock::parse(clock);
        if head.settings != self.birth.settings {
            return;
        }
        let (channels, limits) = body.split_at((CHANNELS_MAX * CHANNEL_BYTES).min(body.len()));
        for (channel, bytes) in self.channels.iter_mut().zip(channels.chunks(CHANNEL_BYTES)) {
            let mut from = Reader(bytes);
            let (is_some, value, at_ms) = (from.u8() != 0, from.u32() as i32, from.u32());
            channel.tests.rate.before = is_some.then_some((value, at_ms));
            let is_some = from.u8() != 0;
            let (since_ms, last_ms) = (from.u32(), from.u32());
            let (low, high) = (from.u32() as i32, from.u32() as i32);
            channel.tests.flat.run = is_some.then_some(Run { since_ms, last_ms, low, high });
            channel.kept = from.seen();
            channel.passed = from.seen();
        }
        for (watched, bytes) in self.limits.iter_mut().zip(limits.chunks(LIMIT_BYTES)) {
            let mut from = Reader(bytes);
            let phase = match from.u8() {
                1 => Phase::Breaking,
                2 => Phase::Raised,
                3 => Phase::Returning,
                _ => Phase::Kept,
            };
            let (held_ms, is_some, seen_ms) = (from.u32(), from.u8() != 0, from.u32());
            let episode = Sequence(from.u64());
            // The list in flash has said which limits are raised; only the delays are remembered here.
            let is_raised = matches!(phase, Phase::Raised | Phase::Returning);
            if is_raised == watched.is_raised() && (!is_raised || episode == watched.episode) {
                watched.phase = phase;
                watched.held_ms = held_ms;
                watched.seen_ms = is_some.then_some(seen_ms);
            }
        }
    }
}

/// Returns the first time after `now` that lies whole steps of `step_ms` from `due`.
fn later(due: Uptime, step_ms: u32, now: Uptime) -> Uptime {
    if due > now {
        return due;
    }
    let step_ms = u64::from(step_ms.max(1));
    due.plus_ms((now.ms_since(due) / step_ms + 1) * step_ms)
}

/// Returns the CRC-32 of ISO 3309 (as of zip): few bytes, and seldom, so bit by bit.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0xEDB8_8320 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// Writes little-endian numbers; what does not fit is left out.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.0);
        let (to, rest) = rest.split_at_mut(bytes.len().min(rest.len()));
        to.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.0 = rest;
    }

    fn skip(&mut self, count: usize) {
        let rest = core::mem::take(&mut self.0);
        self.0 = rest.split_at_mut(count.min(rest.len())).1;
    }

    fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Eleven bytes.
    fn seen(&mut self, seen: Option<Seen>) {
        let (value, fault) = match seen.map(|seen| seen.reading()) {
            Some(Ok(value)) => (value.0, 0),
            Some(Err(fault)) => (0, fault.code()),
            None => (0, 0),
        };
        // No flag has the number 0.
        self.u8(seen.map_or(0, |seen| seen.quality.code()));
        self.u8(fault);
        self.u32(value as u32);
        self.u32(seen.map_or(0, |seen| seen.at_ms));
        self.skip(1);
    }
}

/// Reads little-endian numbers; 0 beyond the end.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((bytes, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *bytes
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn seen(&mut self) -> Option<Seen> {
        let (quality, fault) = (Quality::from_code(self.u8()), self.u8());
        let (value, at_ms) = (Scaled(self.u32() as i32), self.u32());
        self.u8();
        let reading: Reading = Fault::from_code(fault).map_or(Ok(value), Err);
        quality.map(|quality| Seen::new(at_ms, reading, quality))
    }
}
