//! The self-test of a new image: it stays when it has done, once each, all that a node is for.

use measure::Uptime;

/// How long a new image has, in milliseconds since its start; then the node restarts and the boot loader
/// goes back. Time for several rounds of dialling.
pub const TRIAL_MS: u64 = 600_000;

/// What a new image has shown so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    began: Uptime,
    sampled: bool,
    connected: bool,
    born: bool,
}

/// What is to be done with the new image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Wait, at the longest until then.
    Wait(Uptime),
    /// It stays: tell the boot loader.
    Keep,
    /// It does not: restart without telling the boot loader.
    Reset,
}

impl Trial {
    /// Begins the trial.
    pub const fn new(now: Uptime) -> Self {
        Self { began: now, sampled: false, connected: false, born: false }
    }

    /// Notes that a round of readings is in flash.
    pub const fn sampled(&mut self) {
        self.sampled = true;
    }

    /// Notes that a broker took the node in.
    pub const fn connected(&mut self) {
        self.connected = true;
    }

    /// Notes that a gateway acknowledged the birth.
    pub const fn birth_acknowledged(&mut self) {
        self.born = true;
    }

    /// Returns what has not been seen yet, in a word for the log.
    pub const fn missing(&self) -> Option<&'static str> {
        match (self.sampled, self.connected, self.born) {
            (false, _, _) => Some("no reading"),
            (true, false, _) => Some("no broker"),
            (true, true, false) => Some("no gateway"),
            (true, true, true) => None,
        }
    }

    /// Returns what is to be done now.
    pub const fn verdict(&self, now: Uptime) -> Verdict {
        if self.missing().is_none() {
            Verdict::Keep
        } else if now.ms_since(self.began) >= TRIAL_MS {
            Verdict::Reset
        } else {
            Verdict::Wait(self.began.plus_ms(TRIAL_MS))
        }
    }
}
