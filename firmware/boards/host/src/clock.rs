//! The time a board lives in: the daemon's clock, which may run faster than the real one.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use measure::Timestamp;

/// The greatest speed: a day in under a minute and a half. A greater one is this one.
pub const SPEED_MAX: f64 = 1_000.0;

/// A handle on a clock. Copies tell the same time.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    speed: f64,
}

impl Clock {
    /// Returns the clock that `now` reads and that runs `speed` times as fast as the real one.
    pub fn new(now: Arc<dyn Fn() -> Timestamp + Send + Sync>, speed: f64) -> Self {
        let speed = if speed > 0.0 { speed.min(SPEED_MAX) } else { 1.0 };
        Self { now, speed }
    }

    /// Returns a clock that shows `start` now and goes on `speed` times as fast as the real one.
    pub fn starting_at(start: Timestamp, speed: f64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a board owns its clock")]
        let begun = std::time::Instant::now();
        let now = move || {
            let passed_us = begun.elapsed().as_secs_f64() * 1e6 * speed;
            start.plus_micros(passed_us as i64)
        };
        Self::new(Arc::new(now), speed)
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Returns how many times as fast as the real one it runs.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Waits until the clock shows `time`.
    pub async fn sleep_until(&self, time: Timestamp) {
        loop {
            let left_us = time.micros_since(self.now());
            if left_us <= 0 {
                return;
            }
            // The longest sleep, so that a clock that is set does not leave a node asleep.
            let real_s = (left_us as f64 / 1e6 / self.speed).min(3_600.0);
            tokio::time::sleep(Duration::from_secs_f64(real_s)).await;
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("speed", &self.speed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fast_clock_sleeps_short() {
        let start = Timestamp::from_millis(1_767_225_600_000).unwrap();
        let clock = Clock::starting_at(start, 1_000.0);
        let until = start.plus_ms(20_000);
        tokio::time::timeout(Duration::from_secs(5), clock.sleep_until(until)).await.unwrap();
        assert!(clock.now() >= until);
        clock.sleep_until(start).await;
    }
}
