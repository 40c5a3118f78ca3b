//! The one clock of the gateway. Nothing else in the gateway reads the time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use measure::Timestamp;

/// A clock that runs with the wall's, or faster for a demonstration.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    source: Source,
    /// The latest time told: a wall that is set back must not make two readings swap places.
    told_micros: Arc<AtomicI64>,
}

/// Returns now, for what is timed by the wall at any speed of the nursery's clock.
#[expect(clippy::disallowed_methods, reason = "the daemon is where the clock is read")]
pub(crate) fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// How far the wall may be set back before the clock follows it instead of standing still.
const STEP_BACK_MAX: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
enum Source {
    /// The system's clock, with whatever steps it makes.
    System,
    /// Counted from a start, at a speed.
    Counted { start: Timestamp, since: Instant, speed: f64 },
}

impl Clock {
    /// Returns the system's clock.
    pub(crate) fn system() -> Self {
        Self { source: Source::System, told_micros: Arc::default() }
    }

    /// Returns a clock that tells `start` now and then runs `speed` times as fast as the wall.
    #[expect(clippy::disallowed_methods, reason = "the daemon is where the clock is read")]
    pub(crate) fn counted(start: Timestamp, speed: f64) -> Self {
        let source = Source::Counted { start, since: Instant::now(), speed };
        Self { source, told_micros: Arc::default() }
    }

    /// Returns how many times faster than the wall the clock runs.
    pub(crate) fn speed(&self) -> f64 {
        match self.source {
            Source::System => 1.0,
            Source::Counted { speed, .. } => speed,
        }
    }

    /// Returns the time now. Stands still while the system's clock is set back a little.
    pub(crate) fn now(&self) -> Timestamp {
        let read = self.read();
        let told = self.told_micros.fetch_max(read.micros(), Ordering::AcqRel);
        let behind = told - read.micros();
        if behind <= 0 {
            return read;
        }
        if behind > i64::try_from(STEP_BACK_MAX.as_micros()).unwrap_or(i64::MAX) {
            self.told_micros.store(read.micros(), Ordering::Release);
            return read;
        }
        Timestamp::from_micros(told).unwrap_or(read)
    }

    #[expect(clippy::disallowed_methods, reason = "the daemon is where the clock is read")]
    fn read(&self) -> Timestamp {
        match &self.source {
            Source::System => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
                Timestamp::MIN.plus_micros(micros)
            }
            Source::Counted { start, since, speed } => {
                // Exact to a microsecond for the 285 years in which an f64 counts them.
                let micros = since.elapsed().as_secs_f64() * speed * 1e6;
                start.plus_micros(micros as i64)
            }
        }
    }

    /// Returns the clock as the handle that the rooms take.
    pub(crate) fn handle(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

/// Measures how long something takes, on a clock that nobody can set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to measure.
    #[expect(clippy::disallowed_methods, reason = "the daemon is where the clock is read")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns how many seconds have passed.
    pub(crate) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_clock_starts_where_it_was_told_and_runs_faster() {
        let start = Timestamp::from_millis(1_000_000).unwrap();
        let clock = Clock::counted(start, 600.0);
        std::thread::sleep(Duration::from_millis(20));
        let passed_ms = clock.now().ms_since(start);
        assert!(passed_ms >= 12_000, "{passed_ms}");
    }

    #[test]
    fn the_clock_never_runs_backwards_by_a_little() {
        let clock = Clock::system();
        let told = clock.read().plus_ms(1_000);
        clock.told_micros.store(told.micros(), Ordering::Release);
        assert_eq!(clock.now(), told);
        clock.told_micros.store(told.plus_ms(3_600_000).micros(), Ordering::Release);
        assert!(clock.now() < told.plus_ms(1));
    }
}
