//! When to sample: every probe once in an interval, each started, waited for and finished.

use heapless::Vec;
use measure::{Fault, Quality, Reading, Uptime};
use sensors::{Outcome, Probe, Readings, STEPS_MAX};
use wire::CHANNELS_MAX;

/// The most probes of one node; [`Schedule::poll`] leaves those beyond alone.
pub const PROBES_MAX: usize = 16;

/// What one round of all probes brought: channel, reading and what the gross-range test says of it.
///
/// Channels count through the probes in their order, and through the quantities of each.
pub type RoundReadings = Vec<(u8, Reading, Quality), CHANNELS_MAX>;

/// When the next round is due, and how far the one that runs has come.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval_ms: u32,
    due: Uptime,
    running: Option<Running>,
}

/// A round under way.
#[derive(Clone, Debug)]
struct Running {
    at: Uptime,
    probes: Vec<Progress, PROBES_MAX>,
}

/// How far one probe has come in a round.
#[derive(Clone, Debug)]
enum Progress {
    Waiting { until: Uptime, steps: u8 },
    Done(Readings),
}

/// What the board does next.
#[expect(clippy::large_enum_variant, reason = "there is no allocator to box the readings with")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing until then.
    Wait(Uptime),
    /// Record these readings, and poll again.
    Round {
        /// When the round was started.
        at: Uptime,
        /// What it brought.
        readings: RoundReadings,
    },
}

impl Schedule {
    /// Returns a schedule whose first round is due at `now`.
    pub fn new(interval_ms: u32, now: Uptime) -> Self {
        Self { interval_ms: interval_ms.max(1), due: now, running: None }
    }

    /// Changes the interval; the next round comes one interval after `now`. A round under way goes on.
    pub fn set_interval(&mut self, now: Uptime, interval_ms: u32) {
        self.interval_ms = interval_ms.max(1);
        self.due = now.plus_ms(u64::from(self.interval_ms));
    }

    /// Returns when [`Self::poll`] has something to do.
    pub fn next_wake(&self) -> Uptime {
        let Some(running) = &self.running else { return self.due };
        let waiting = running.probes.iter().filter_map(|progress| match progress {
            Progress::Waiting { until, .. } => Some(*until),
            Progress::Done(_) => None,
        });
        waiting.min().unwrap_or(running.at)
    }

    /// Starts and finishes what is due. Call it with the same probes in the same order each time.
    ///
    /// After a stall there is one round, not one for each tick that was missed, and the ticks keep
    /// their phase.
    pub fn poll(&mut self, now: Uptime, probes: &mut [&mut dyn Probe]) -> Step {
        let running = match &mut self.running {
            Some(running) => running,
            None if now < self.due => return Step::Wait(self.due),
            None => {
                let interval_ms = u64::from(self.interval_ms);
                let missed = now.ms_since(self.due) / interval_ms;
                self.due = self.due.plus_ms(interval_ms.saturating_mul(missed + 1));
                self.running.insert(start(now, probes))
            }
        };
        for (progress, probe) in running.probes.iter_mut().zip(probes.iter_mut()) {
            go_on(progress, now, *probe);
        }
        let is_done = running.probes.iter().all(|one| matches!(one, Progress::Done(_)));
        if !is_done {
            return Step::Wait(self.next_wake());
        }
        let step = Step::Round { at: running.at, readings: gather(&running.probes) };
        self.running = None;
        step
    }
}

fn start(now: Uptime, probes: &mut [&mut dyn Probe]) -> Running {
    let begin = |probe: &mut &mut dyn Probe| match probe.start() {
        Ok(wait) => Progress::Waiting { until: now.plus_ms(u64::from(wait.ms)), steps: 0 },
        Err(fault) => Progress::Done(sensors::failed(probe.quantities(), fault)),
    };
    Running { at: now, probes: probes.iter_mut().take(PROBES_MAX).map(begin).collect() }
}

fn go_on(progress: &mut Progress, now: Uptime, probe: &mut dyn Probe) {
    let Progress::Waiting { until, steps } = progress else { return };
    if now < *until {
        return;
    }
    *progress = match probe.finish() {
        Outcome::Done(readings) => Progress::Done(readings),
        // A driver that breaks its promise does not hold the others.
        Outcome::Again(_) if *steps >= STEPS_MAX => {
            Progress::Done(sensors::failed(probe.quantities(), Fault::NotReady))
        }
        Outcome::Again(wait) => {
            Progress::Waiting { until: now.plus_ms(u64::from(wait.ms)), steps: *steps + 1 }
        }
    };
}

fn gather(probes: &[Progress]) -> RoundReadings {
    let readings = probes.iter().flat_map(|progress| match progress {
        Progress::Done(readings) => readings.as_slice(),
        Progress::Waiting { .. } => &[],
    });
    let judged = readings.take(CHANNELS_MAX).enumerate().map(|(channel, (quantity, reading))| {
        // QARTOD test 4, gross range.
        let quality = match reading {
            Ok(value) if value.is_in_range(*quantity) => Quality::Good,
            Ok(_) => Quality::Fail,
            Err(_) => Quality::Missing,
        };
        (channel as u8, *reading, quality)
    });
    judged.collect()
}
