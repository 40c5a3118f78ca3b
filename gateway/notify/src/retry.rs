//! When a message that could not be sent is tried again, and when it is given up.

use measure::Timestamp;

/// How long after the first failure a message is tried again, in milliseconds; each further failure
/// doubles it.
pub const WAIT_FIRST_MS: i64 = 10_000;

/// The longest wait between two tries, in milliseconds.
pub const WAIT_MAX_MS: i64 = 600_000;

/// How long after it was made a message is given up, in milliseconds: it stays in the record as
/// failed, and the page says so.
pub const GIVE_UP_MS: i64 = 12 * 3_600_000;

/// After how many tries a message is given up, whatever the time.
pub const ATTEMPTS_MAX: u32 = 100;

/// Returns when to try again after the `attempts`th try has failed at `now`; `None` to give up.
/// `jitter` from 0 to 1 spreads the wait between three quarters and five quarters of itself, so that
/// many messages do not come back at once.
pub fn next(made: Timestamp, attempts: u32, now: Timestamp, jitter: f64) -> Option<Timestamp> {
    if attempts >= ATTEMPTS_MAX || now.ms_since(made) >= GIVE_UP_MS {
        return None;
    }
    let doublings = attempts.saturating_sub(1).min(16);
    let wait_ms = (WAIT_FIRST_MS << doublings).min(WAIT_MAX_MS);
    let spread = 0.75 + jitter.clamp(0.0, 1.0) / 2.0;
    Some(now.plus_ms((wait_ms as f64 * spread) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms).unwrap()
    }

    #[track_caller]
    fn check(attempts: u32, now_ms: i64, jitter: f64, expect_ms: Option<i64>) {
        assert_eq!(next(at(0), attempts, at(now_ms), jitter), expect_ms.map(at));
    }

    #[test]
    fn the_wait_doubles_up_to_its_maximum() {
        check(1, 0, 0.5, Some(10_000));
        check(2, 0, 0.5, Some(20_000));
        check(4, 0, 0.5, Some(80_000));
        check(7, 0, 0.5, Some(600_000));
        check(99, 0, 0.5, Some(600_000));
    }

    #[test]
    fn jitter_spreads_the_wait_and_nothing_else() {
        check(1, 0, 0.0, Some(7_500));
        check(1, 0, 1.0, Some(12_500));
        check(1, 0, 9.0, Some(12_500));
    }

    #[test]
    fn a_message_is_given_up_after_its_time_or_its_tries() {
        check(1, GIVE_UP_MS - 1, 0.5, Some(GIVE_UP_MS - 1 + 10_000));
        check(1, GIVE_UP_MS, 0.5, None);
        check(ATTEMPTS_MAX, 0, 0.5, None);
    }
}
