//! Clocks as they are handed in: this room reads none of its own.

use std::fmt;
use std::sync::Arc;

use measure::Timestamp;

/// A clock that the daemon handed in.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// Wraps what tells the time.
    pub fn new(tell: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self(tell)
    }

    /// Returns the time now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
