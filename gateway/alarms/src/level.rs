//! The condition of one level: normal, pending on, active, pending off.

use measure::{Scaled, Timestamp};
use nursery::{Severity, Side, serial};
use serde::{Deserialize, Serialize};

use crate::Peak;

/// The condition axis of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// The limit is kept.
    #[default]
    Normal,
    /// It is broken, not yet for as long as the on-delay.
    PendingOn {
        /// Since the first violating sample.
        #[serde(with = "serial::micros")]
        since: Timestamp,
    },
    /// It was broken for the on-delay, and is not back yet.
    Active {
        /// Since the first violating sample.
        #[serde(with = "serial::micros")]
        since: Timestamp,
    },
    /// It is back, not yet for as long as the off-delay.
    PendingOff {
        /// The first violating sample.
        #[serde(with = "serial::micros")]
        since: Timestamp,
        /// The first sample inside again.
        #[serde(with = "serial::micros")]
        inside: Timestamp,
    },
}

/// What a sample says about a level. A value in the deadband says neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The limit is broken.
    Beyond,
    /// It is neither broken nor is the value back.
    Between,
    /// The value is back inside by more than the deadband.
    Inside,
}

/// One step of a level in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) at: Timestamp,
    pub(crate) verdict: Verdict,
    pub(crate) on_delay_us: i64,
    pub(crate) off_delay_us: i64,
    /// There is a gap between the sample before and this one.
    pub(crate) gap: bool,
}

impl Condition {
    /// Returns whether the level is active, pending off included.
    pub(crate) const fn is_active(self) -> bool {
        matches!(self, Self::Active { .. } | Self::PendingOff { .. })
    }

    /// Returns when the violation began, if there is one.
    pub(crate) const fn since(self) -> Option<Timestamp> {
        match self {
            Self::Normal => None,
            Self::PendingOn { since } | Self::Active { since } | Self::PendingOff { since, .. } => {
                Some(since)
            }
        }
    }

    /// Returns the condition after a step.
    pub(crate) fn after(self, step: Step) -> Self {
        let Step { at, verdict, on_delay_us, off_delay_us, gap } = step;
        let beyond = |since: Timestamp| {
            if at.micros_since(since) >= on_delay_us {
                Self::Active { since }
            } else {
                Self::PendingOn { since }
            }
        };
        let inside = |since: Timestamp, inside: Timestamp| {
            if at.micros_since(inside) >= off_delay_us {
                Self::Normal
            } else {
                Self::PendingOff { since, inside }
            }
        };
        match (self, verdict) {
            (Self::Normal, Verdict::Beyond) => beyond(at),
            (Self::Normal | Self::PendingOn { .. }, Verdict::Between | Verdict::Inside) => {
                Self::Normal
            }
            (Self::PendingOn { since }, Verdict::Beyond) => beyond(if gap { at } else { since }),
            (
                Self::Active { since } | Self::PendingOff { since, .. },
                Verdict::Beyond | Verdict::Between,
            ) => Self::Active { since },
            (Self::Active { since }, Verdict::Inside) => inside(since, at),
            (Self::PendingOff { since, inside: first }, Verdict::Inside) => {
                inside(since, if gap { at } else { first })
            }
        }
    }
}

/// One level of an alarm, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LevelState {
    pub(crate) side: Side,
    pub(crate) severity: Severity,
    pub(crate) condition: Condition,
    /// The value furthest beyond since the violation began.
    pub(crate) peak: Option<Peak>,
}

impl LevelState {
    pub(crate) const fn new(side: Side, severity: Severity) -> Self {
        Self { side, severity, condition: Condition::Normal, peak: None }
    }

    /// Moves on by a step and remembers the peak. Returns since when the value is back, where the
    /// level has returned by this step.
    pub(crate) fn step(&mut self, step: Step, value: Option<Scaled>) -> Option<Timestamp> {
        let before = self.condition;
        self.condition = before.after(step);
        if self.condition == Condition::Normal {
            self.peak = None;
            return match before {
                Condition::PendingOff { inside, .. } if !step.gap => Some(inside),
                Condition::PendingOff { .. } | Condition::Active { .. } => Some(step.at),
                Condition::Normal | Condition::PendingOn { .. } => None,
            };
        }
        // After a gap a pending violation is a new one.
        if self.condition.since() != before.since() {
            self.peak = None;
        }
        if let Some(value) = value {
            self.peak = further(self.side, self.peak, Some(Peak { value, at: step.at }));
        }
        None
    }

    /// Makes the level active without a step.
    pub(crate) const fn activate(&mut self, since: Timestamp) {
        self.condition = Condition::Active { since };
    }
}

/// Returns which of two values lies further beyond; of equals the first.
pub(crate) fn further(side: Side, one: Option<Peak>, other: Option<Peak>) -> Option<Peak> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let beyond = match side {
                Side::High => other.value > one.value,
                Side::Low => other.value < one.value,
            };
            Some(if beyond { other } else { one })
        }
        (one, other) => one.or(other),
    }
}
