//! What the broker refused: counters for the daemon, and one log line for each kind and client in
//! a while, so that a misbehaving client can't fill the disk with its own story.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::warn;

/// How long a refusal of the same kind and client stays without another line.
pub(crate) const LOG_QUIET: Duration = Duration::from_secs(60);
/// The most clients and kinds remembered within [`LOG_QUIET`]; beyond it refusals are counted only.
const LOG_KEYS_MAX: usize = 1_024;
/// The longest client id, topic or reason that a line repeats; the rest is cut off.
const LOG_TEXT_MAX: usize = 120;

/// Why the broker said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Refusal {
    /// User name or password missing, unknown or wrong.
    BadCredentials,
    /// The client id belongs to another account.
    ForeignClientId,
    /// The will goes to a topic that the account may not publish to.
    ForeignWill,
    /// A message to a topic that the account may not publish to.
    ForeignPublish,
    /// A subscription that the account may not have.
    ForeignSubscribe,
    /// A packet beyond the size limit; its connection was closed.
    Oversize,
    /// Bytes that are no MQTT; their connection was closed.
    Malformed,
    /// A subscriber's queue was full and its oldest message was dropped.
    QueueFull,
    /// A message waited for its subscriber beyond the limit and was dropped.
    Expired,
    /// A retained message found no room and was not kept.
    RetainedFull,
    /// No TLS came about at the TLS port: plain MQTT, a client that does not trust the authority, or
    /// one that fell silent.
    TlsFailed,
}

impl Refusal {
    /// Every kind, in the order of the counters.
    pub const ALL: [Self; 11] = [
        Self::BadCredentials,
        Self::ForeignClientId,
        Self::ForeignWill,
        Self::ForeignPublish,
        Self::ForeignSubscribe,
        Self::Oversize,
        Self::Malformed,
        Self::QueueFull,
        Self::Expired,
        Self::RetainedFull,
        Self::TlsFailed,
    ];

    /// Returns the name used in logs and metrics, such as `bad_credentials`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadCredentials => "bad_credentials",
            Self::ForeignClientId => "foreign_client_id",
            Self::ForeignWill => "foreign_will",
            Self::ForeignPublish => "foreign_publish",
            Self::ForeignSubscribe => "foreign_subscribe",
            Self::Oversize => "oversize",
            Self::Malformed => "malformed",
            Self::QueueFull => "queue_full",
            Self::Expired => "expired",
            Self::RetainedFull => "retained_full",
            Self::TlsFailed => "tls_failed",
        }
    }
}

/// Counts refusals since the start of the broker.
#[derive(Debug, Default)]
pub struct Refusals {
    counts: [AtomicU64; Refusal::ALL.len()],
    logged: Mutex<Logged>,
}

#[derive(Debug, Default)]
struct Logged {
    keys: HashSet<(Refusal, String)>,
    silent: u64,
}

impl Refusals {
    /// Returns how many refusals of the kind there were.
    pub fn count(&self, refusal: Refusal) -> u64 {
        self.counts.get(refusal as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Counts a refusal, and says so in one line unless the same client had one just now.
    pub(crate) fn record(&self, refusal: Refusal, client: &str, what: &str) {
        if let Some(count) = self.counts.get(refusal as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let client = cut(client);
        if logged.keys.len() >= LOG_KEYS_MAX || !logged.keys.insert((refusal, client.clone())) {
            logged.silent += 1;
            return;
        }
        drop(logged);
        warn!(refusal = refusal.name(), %client, what = %cut(what), "Refused by the broker.");
    }

    /// Forgets who had a line, and says how many refusals had none. Called every [`LOG_QUIET`].
    pub(crate) fn let_speak_again(&self) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = std::mem::take(&mut logged.silent);
        logged.keys.clear();
        drop(logged);
        if silent > 0 {
            warn!(refusals = silent, "Refused more of the same without a line for each.");
        }
    }
}

/// Returns `text` cut to [`LOG_TEXT_MAX`] characters, control characters escaped: a client chooses
/// its id, and must not be able to write lines of its own into the log.
fn cut(text: &str) -> String {
    text.chars().take(LOG_TEXT_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_counter_of_its_own() {
        let refusals = Refusals::default();
        for (index, kind) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            for _ in 0..=index {
                refusals.record(kind, "client", "topic");
            }
        }
        for (index, kind) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusals.count(kind), index as u64 + 1);
        }
    }

    #[test]
    fn a_flood_of_clients_is_remembered_up_to_the_limit() {
        let refusals = Refusals::default();
        for client in 0..LOG_KEYS_MAX + 10 {
            refusals.record(Refusal::BadCredentials, &client.to_string(), "");
        }
        let logged = refusals.logged.lock().unwrap();
        assert_eq!((logged.keys.len(), logged.silent), (LOG_KEYS_MAX, 10));
    }

    #[test]
    fn a_client_cannot_write_its_own_log_lines() {
        assert_eq!(cut("a\nWARN b"), "a\\nWARN b");
        assert_eq!(cut(&"x".repeat(500)).len(), LOG_TEXT_MAX);
    }
}
