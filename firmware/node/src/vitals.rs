//! Whether the watchdog may be fed: only while sampling and the link both make progress.
//!
//! A task that hangs on a bus or in a socket stops its part, the other goes on, and the node would look
//! alive for ever. A broken link is no reason to restart, a link task that does nothing is: it counts as
//! progress that it tried, sent or waited for something that comes to its end.

use measure::Uptime;

/// Sampling is late when the next round has not come so long after two intervals, in milliseconds: the
/// slowest chip and a full flash's housekeeping fit in.
pub const SAMPLING_LATE_MS: u64 = 60_000;
/// The link task is late when it has not gone round for so long, in milliseconds: six times
/// [`crate::DIAL_PAUSE_MS_MAX`], the longest time for which it waits with reason.
pub const LINK_LATE_MS: u64 = 180_000;

/// What a board's watchdog goes by.
#[derive(Clone, Copy, Debug)]
pub struct Vitals {
    interval_ms: u32,
    sampled: Uptime,
    linked: Uptime,
}

impl Vitals {
    /// Returns the signs of life of a node that starts now and samples every `interval_ms`.
    pub const fn new(now: Uptime, interval_ms: u32) -> Self {
        Self { interval_ms, sampled: now, linked: now }
    }

    /// The node samples at another interval, from now on.
    pub fn set_interval(&mut self, now: Uptime, interval_ms: u32) {
        self.interval_ms = interval_ms;
        self.sampled = self.sampled.max(now);
    }

    /// A round is in the flash, or was refused by it: either way it has come to its end.
    pub fn sampled(&mut self, now: Uptime) {
        self.sampled = self.sampled.max(now);
    }

    /// The link task went round: it tried to connect, sent, heard, or waited and woke up again.
    pub fn linked(&mut self, now: Uptime) {
        self.linked = self.linked.max(now);
    }

    /// Returns whether both have gone on in time.
    pub fn may_feed(&self, now: Uptime) -> bool {
        let sampling_ms = 2 * u64::from(self.interval_ms) + SAMPLING_LATE_MS;
        now.ms_since(self.sampled) <= sampling_ms && now.ms_since(self.linked) <= LINK_LATE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fed_while_both_go_on() {
        let mut vitals = Vitals::new(Uptime(0), 60_000);
        for at in (0..86_400_000).step_by(60_000).map(Uptime) {
            assert!(vitals.may_feed(at), "{at}");
            vitals.sampled(at);
            vitals.linked(at);
        }
    }

    #[test]
    fn it_is_not_fed_when_sampling_hangs() {
        let mut vitals = Vitals::new(Uptime(0), 60_000);
        vitals.linked(Uptime(180_001));
        assert!(vitals.may_feed(Uptime(180_000)));
        assert!(!vitals.may_feed(Uptime(180_001)));
        vitals.sampled(Uptime(180_001));
        assert!(vitals.may_feed(Uptime(180_001)));
    }

    #[test]
    fn it_is_not_fed_when_the_link_task_hangs() {
        let mut vitals = Vitals::new(Uptime(0), 1_000);
        vitals.sampled(Uptime(LINK_LATE_MS + 1));
        assert!(!vitals.may_feed(Uptime(LINK_LATE_MS + 1)));
        vitals.linked(Uptime(LINK_LATE_MS));
        assert!(vitals.may_feed(Uptime(LINK_LATE_MS + 1)));
    }

    #[test]
    fn a_longer_interval_gives_more_time() {
        let mut vitals = Vitals::new(Uptime(0), 1_000);
        vitals.set_interval(Uptime(50_000), 3_600_000);
        vitals.linked(Uptime(7_000_000));
        assert!(vitals.may_feed(Uptime(7_000_000)));
    }
}
