//! When to ask for the next bytes.

use measure::Uptime;

/// How long a chunk is waited for before it is asked for again, in milliseconds.
pub const WANT_RESEND_MS: u64 = 5_000;
/// At most so much later, drawn at random, so that nodes do not ask all at once; in milliseconds.
pub const WANT_JITTER_MS: u64 = 1_000;
/// How often it is asked so; then every [`WANT_SLOW_MS`], until a chunk or a new session comes.
pub const WANTS_QUICK_MAX: u8 = 12;
/// How long is waited then, in milliseconds.
pub const WANT_SLOW_MS: u64 = 60_000;

/// When it was asked last, and how often in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Want {
    again: Option<Uptime>,
    vain: u8,
}

impl Want {
    /// Returns whether to ask now, and then counts as asked.
    pub(crate) fn is_due(&mut self, now: Uptime, random: u64) -> bool {
        if self.again.is_some_and(|again| now < again) {
            return false;
        }
        let ms = if self.vain < WANTS_QUICK_MAX { WANT_RESEND_MS } else { WANT_SLOW_MS };
        self.vain = self.vain.saturating_add(1);
        self.again = Some(now.plus_ms(ms + random % (WANT_JITTER_MS + 1)));
        true
    }

    pub(crate) const fn next(&self) -> Option<Uptime> {
        self.again
    }
}
