//! What time it is, from the gateway's answers and their round trips.

use measure::{Timestamp, Uptime};

/// How far a node's oscillator drifts, in parts per million: an answer ages by it.
const DRIFT_PPM: u64 = 100;
/// A better answer moves the clock only where it is off by more than this, so that readings of one span
/// share a frame.
const STEP_MS_MIN: u64 = 20;

/// The clock of one boot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    best: Option<Best>,
    /// UTC at uptime 0 as it was first known: readings from before are dated by it, now and later.
    first: Option<Timestamp>,
    /// The time given to the newest reading: the next one does not come before it.
    last: Option<(Uptime, Timestamp)>,
}

/// The best answer so far.
#[derive(Clone, Copy, Debug)]
struct Best {
    boot_utc: Timestamp,
    /// How far off it may be, in microseconds, when it came.
    error_us: u64,
    at: Uptime,
}

/// The bytes of [`Clock::emit`].
pub(crate) const CLOCK_BYTES: usize = 49;

impl Clock {
    /// Writes the clock as it is remembered through a sleep: which of them there are (1), then UTC at
    /// uptime 0, error and age of the best answer, the first answer, and the last reading (8 each).
    pub(crate) fn emit(&self) -> [u8; CLOCK_BYTES] {
        let parts = u8::from(self.best.is_some())
            | u8::from(self.first.is_some()) << 1
            | u8::from(self.last.is_some()) << 2;
        let micros = |utc: Option<Timestamp>| utc.map_or(0, |utc| utc.micros() as u64);
        let words = [
            micros(self.best.map(|best| best.boot_utc)),
            self.best.map_or(0, |best| best.error_us),
            self.best.map_or(0, |best| best.at.0),
            micros(self.first),
            self.last.map_or(0, |last| last.0.0),
            micros(self.last.map(|last| last.1)),
        ];
        let bytes = [parts].into_iter().chain(words.into_iter().flat_map(u64::to_le_bytes));
        let mut out = [0; CLOCK_BYTES];
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        out
    }

    /// Reads what [`Self::emit`] wrote; what cannot be is left out.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let parts = bytes.first().copied().unwrap_or(0);
        let mut words = bytes.get(1..).unwrap_or_default().as_chunks::<8>().0.iter();
        let mut word = || words.next().map_or(0, |word| u64::from_le_bytes(*word));
        let utc = |word: u64| i64::try_from(word).ok().and_then(Timestamp::from_micros);
        let (boot_utc, error_us, at) = (utc(word()), word(), Uptime(word()));
        let best = boot_utc.map(|boot_utc| Best { boot_utc, error_us, at });
        let first = utc(word());
        let last_at = Uptime(word());
        let last = utc(word()).map(|last| (last_at, last));
        Self {
            best: best.filter(|_| parts & 1 != 0),
            first: first.filter(|_| parts & 2 != 0),
            last: last.filter(|_| parts & 4 != 0),
        }
    }

    /// Returns UTC at uptime 0 as it was first known.
    pub(crate) const fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// Takes the gateway's `utc`, which answers what was sent at `echo`.
    ///
    /// The answer was written at some time in the round trip: half of it is the best guess, and half of
    /// it the greatest error. A worse answer than the one there is, aged by the drift, changes nothing.
    pub(crate) fn answer(&mut self, now: Uptime, echo: Uptime, utc: Timestamp) {
        let round_trip_us = now.ms_since(echo).saturating_mul(1_000);
        let error_us = (round_trip_us / 2).max(1_000);
        let since_boot_us = now.0.saturating_mul(1_000).saturating_sub(round_trip_us / 2);
        let boot_utc = utc.plus_micros(-i64::try_from(since_boot_us).unwrap_or(i64::MAX));
        let Some(best) = &mut self.best else {
            self.best = Some(Best { boot_utc, error_us, at: now });
            self.first = Some(boot_utc);
            return;
        };
        let aged_us = best.error_us + now.ms_since(best.at).saturating_mul(DRIFT_PPM) / 1_000;
        if error_us >= aged_us {
            return;
        }
        let off_us = boot_utc.micros_since(best.boot_utc).unsigned_abs();
        *best = if off_us > STEP_MS_MIN * 1_000 {
            Best { boot_utc, error_us, at: now }
        } else {
            Best { boot_utc: best.boot_utc, error_us: error_us + off_us, at: now }
        };
    }

    /// Returns UTC at uptime 0 for a reading taken at `at`, which is not before the one stamped last.
    ///
    /// Where the clock was set back, the reading follows the last one by as little as there is: the order
    /// of readings is never turned round.
    pub(crate) fn stamp(&mut self, at: Uptime) -> Option<Timestamp> {
        let since_boot_us = i64::try_from(at.0.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let best = self.best?.boot_utc;
        let boot_utc = match self.last {
            Some((last_at, last)) => {
                let follows_us = if at > last_at { 1_000 } else { 0 };
                best.max(last.plus_micros(follows_us).plus_micros(-since_boot_us))
            }
            None => best,
        };
        self.last = Some((at, boot_utc.plus_micros(since_boot_us)));
        Some(boot_utc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_700_000_000_000).unwrap();

    #[test]
    fn half_the_round_trip_is_taken_off() {
        let mut clock = Clock::default();
        clock.answer(Uptime(10_400), Uptime(10_000), NOON);
        assert_eq!(clock.stamp(Uptime(10_200)), Some(NOON.plus_ms(-10_200)));
    }

    #[test]
    fn a_faster_answer_wins_over_a_slower_one() {
        let mut clock = Clock::default();
        clock.answer(Uptime(4_000), Uptime(0), NOON);
        clock.answer(Uptime(5_000), Uptime(4_990), NOON);
        let fast = NOON.plus_ms(-4_995);
        assert_eq!(clock.stamp(Uptime(5_000)), Some(fast));
        clock.answer(Uptime(9_000), Uptime(6_000), NOON);
        assert_eq!(clock.stamp(Uptime(9_000)), Some(fast), "slow ones change nothing");
        assert_eq!(clock.first(), Some(NOON.plus_ms(-2_000)));
    }

    #[test]
    fn an_old_answer_gives_way_as_the_oscillator_drifts() {
        let mut clock = Clock::default();
        clock.answer(Uptime(10), Uptime(0), NOON);
        let day_ms = 86_400_000;
        let gateway = NOON.plus_ms(day_ms + 5_000);
        clock.answer(Uptime(day_ms as u64 + 100), Uptime(day_ms as u64), gateway);
        assert_eq!(clock.stamp(Uptime(day_ms as u64 + 50)), Some(gateway.plus_ms(-day_ms - 50)));
    }

    #[test]
    fn a_clock_set_back_does_not_turn_readings_round() {
        let mut clock = Clock::default();
        clock.answer(Uptime(4_000), Uptime(0), NOON);
        let at = |clock: &mut Clock, ms: u64| {
            clock.stamp(Uptime(ms)).unwrap().plus_ms(i64::try_from(ms).unwrap())
        };
        let before = at(&mut clock, 5_000);
        clock.answer(Uptime(5_010), Uptime(5_000), NOON);
        let after = at(&mut clock, 5_100);
        assert_eq!(after, before.plus_ms(1));
        assert!(at(&mut clock, 8_000) > after);
    }
}
