//! Whom to connect to next, and after what pause.
//!
//! The first gateway is home. A node tries its gateways in their order, and each round of failures
//! doubles the pause that it may take; the pause itself is drawn anew between 0 and that ("full jitter"),
//! so that a thousand nodes that lost one broker do not come back as one. A connection that held counts
//! as the end of the trouble: when it breaks, the node comes home, that is to the first gateway, at once
//! but for the first jitter. It does not leave a gateway that holds in order to come home: the district's
//! gateways hand a site over by breaking the connection off.
//!
//! Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog (2015): full jitter does the
//! least work of the schemes that it compares.

/// The first pause is drawn below this, in milliseconds.
pub const DIAL_PAUSE_MS_FIRST: u32 = 500;
/// No pause is longer, in milliseconds.
pub const DIAL_PAUSE_MS_MAX: u32 = 30_000;

/// The next gateway to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Its place among [`crate::Node::gateways`].
    pub index: usize,
    /// How long to wait before, in milliseconds.
    pub pause_ms: u32,
}

/// The pacing of connections. All boards share it.
#[derive(Clone, Debug, Default)]
pub struct Dialer {
    /// The place to try next.
    index: usize,
    /// Tries since a connection held; `None` before the first try after a start.
    failures: Option<u32>,
}

impl Dialer {
    /// Returns a dialer that has tried nothing yet: its first try comes without a pause.
    pub const fn new() -> Self {
        Self { index: 0, failures: None }
    }

    /// Returns what to try next, of so many `gateways`; `random` spreads the pause.
    pub fn next(&mut self, random: u32, gateways: usize) -> Dial {
        let gateways = gateways.max(1);
        if self.index >= gateways {
            self.index = 0;
        }
        let Some(failures) = self.failures else {
            self.failures = Some(0);
            return Dial { index: self.index, pause_ms: 0 };
        };
        // The pause grows when all of them have failed once more.
        let rounds = failures / u32::try_from(gateways).unwrap_or(u32::MAX);
        let ceiling =
            DIAL_PAUSE_MS_FIRST.saturating_mul(1 << rounds.min(16)).min(DIAL_PAUSE_MS_MAX);
        Dial { index: self.index, pause_ms: random % (ceiling + 1) }
    }

    /// The connection did not come about, or broke before it held.
    pub fn failed(&mut self) {
        self.index = self.index.saturating_add(1);
        self.failures = Some(self.failures.unwrap_or(0).saturating_add(1));
    }

    /// The connection holds: its birth was answered. Call it as often as you like.
    pub fn held(&mut self) {
        self.index = 0;
        self.failures = Some(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_does_not_wait() {
        assert_eq!(Dialer::new().next(u32::MAX, 2), Dial { index: 0, pause_ms: 0 });
    }

    #[test]
    fn pauses_double_by_rounds_of_all_gateways_up_to_their_limit() {
        let mut dialer = Dialer::new();
        dialer.next(0, 2);
        let mut longest = std::vec::Vec::new();
        for tried in 1..40 {
            dialer.failed();
            // The greatest pause: the modulus is odd or even, so it is searched.
            let pauses = (0..=DIAL_PAUSE_MS_MAX).map(|random| dialer.next(random, 2).pause_ms);
            longest.push(pauses.max().unwrap_or(0));
            assert_eq!(dialer.next(0, 2), Dial { index: tried % 2, pause_ms: 0 });
        }
        assert_eq!(longest.get(..6), Some(&[500, 1_000, 1_000, 2_000, 2_000, 4_000][..]));
        assert_eq!(longest.last(), Some(&DIAL_PAUSE_MS_MAX));
    }

    #[test]
    fn it_comes_home_after_a_connection_that_held_elsewhere() {
        let mut dialer = Dialer::new();
        for _ in 0..9 {
            dialer.next(7, 3);
            dialer.failed();
        }
        assert_eq!(dialer.next(7, 3).index, 0);
        dialer.failed();
        assert_eq!(dialer.next(7, 3).index, 1);
        dialer.held();
        let home = dialer.next(u32::MAX, 3);
        assert_eq!(home.index, 0);
        assert!(home.pause_ms <= DIAL_PAUSE_MS_FIRST);
    }

    #[test]
    fn a_list_that_became_shorter_begins_anew() {
        let mut dialer = Dialer::new();
        for _ in 0..3 {
            dialer.next(0, 4);
            dialer.failed();
        }
        assert_eq!(dialer.next(0, 2).index, 0);
        assert_eq!(dialer.next(0, 0).index, 0);
    }
}
