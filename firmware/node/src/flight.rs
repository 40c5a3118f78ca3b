//! The frames that are under way: sent, and not acknowledged yet.

use heapless::Vec;
use measure::{SequenceRange, Uptime};

use crate::ranges::Freed;

/// The most frames under way; the next one waits for an acknowledgement or a time-out.
pub const FRAMES_IN_FLIGHT_MAX: usize = 8;
/// The most of them that are backlog: the rest is kept free for fresh readings.
pub const BACKLOG_IN_FLIGHT_MAX: usize = 4;
/// A frame without an acknowledgement is sent again after this time, in milliseconds.
pub const RESEND_MS: u64 = 30_000;
/// And up to this much later, at random, so that a thousand nodes don't come at once.
pub const RESEND_JITTER_MS: u64 = 10_000;

/// One frame under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flying {
    pub(crate) range: SequenceRange,
    pub(crate) sent: Uptime,
    pub(crate) due: Uptime,
    pub(crate) is_backlog: bool,
}

/// All frames under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flight(Vec<Flying, FRAMES_IN_FLIGHT_MAX>);

impl Flight {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.is_full()
    }

    pub(crate) fn has_room_for_backlog(&self) -> bool {
        !self.is_full()
            && self.0.iter().filter(|frame| frame.is_backlog).count() < BACKLOG_IN_FLIGHT_MAX
    }

    /// Takes a frame in; the caller has asked whether there is room.
    pub(crate) fn add(&mut self, frame: Flying) {
        if self.0.push(frame).is_err() {
            // It is not followed then, and comes again as backlog.
            self.0.clear();
        }
    }

    /// Forgets all frames: the link is down.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets the frame that was added last.
    pub(crate) fn undo(&mut self) {
        self.0.pop();
    }

    /// Forgets frames for which the time is over and returns whether there were any.
    pub(crate) fn expire(&mut self, now: Uptime) -> bool {
        let before = self.0.len();
        self.0.retain(|frame| frame.due > now);
        self.0.len() < before
    }

    /// Returns when the next frame's time is over.
    pub(crate) fn next_due(&self) -> Option<Uptime> {
        self.0.iter().map(|frame| frame.due).min()
    }

    /// Returns whether a frame was sent exactly then.
    pub(crate) fn was_sent_at(&self, sent: Uptime) -> bool {
        self.0.iter().any(|frame| frame.sent == sent)
    }

    /// Forgets frames of which nothing is left to acknowledge.
    pub(crate) fn land(&mut self, is_done: impl Fn(SequenceRange) -> bool) {
        self.0.retain(|frame| !is_done(frame.range));
    }

    /// Returns whether one of the frames touches `range`.
    pub(crate) fn touches(&self, range: SequenceRange) -> bool {
        self.0
            .iter()
            .any(|frame| frame.range.first <= range.last && range.first <= frame.range.last)
    }

    /// Adds what is under way to what is freed.
    pub(crate) fn cover<const N: usize>(&self, covered: &mut Freed<N>) {
        self.0.iter().for_each(|frame| covered.insert(frame.range));
    }
}
