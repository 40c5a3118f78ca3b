//! How fast passwords may be tried. Counts failures by person and address together, by address and
//! by person; the wait doubles with each failure beyond the free ones. A person's own count waits
//! least, so that a stranger who fails on purpose can't lock the person out for long.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

/// How many counts are kept of each kind; beyond it the one that failed longest ago is forgotten.
pub const THROTTLE_KEYS_MAX: usize = 4_096;

/// Failures by one person from one address before the first wait.
pub const PAIR_FREE: u32 = 5;

/// Failures from one address before the first wait.
pub const ADDRESS_FREE: u32 = 20;

/// Failures of one person from anywhere before the first wait.
pub const USER_FREE: u32 = 50;

/// The longest wait of an address, in milliseconds; further failures don't lengthen it.
pub const WAIT_MAX_MS: u64 = 300_000;

/// The longest wait of a person at an address that has not failed itself, in milliseconds.
pub const WAIT_USER_MAX_MS: u64 = 10_000;

/// After this long without a failure a count starts again from nothing, in milliseconds.
const FORGET_MS: u64 = 3_600_000;

/// The counts of failed sign-ins. Times are milliseconds of any clock that doesn't step.
#[derive(Debug, Default)]
pub struct Throttle {
    pairs: Counts<(String, IpAddr)>,
    addresses: Counts<IpAddr>,
    users: Counts<String>,
}

impl Throttle {
    /// Returns how long this person must wait at this address before the next try, in
    /// milliseconds; 0 where a try is free.
    pub fn wait_ms(&self, user: &str, address: IpAddr, now_ms: u64) -> u64 {
        let network = network(address);
        let pair = self.pairs.wait_ms(&(user.to_owned(), network), PAIR_FREE, WAIT_MAX_MS, now_ms);
        let address = self.addresses.wait_ms(&network, ADDRESS_FREE, WAIT_MAX_MS, now_ms);
        let user = self.users.wait_ms(&user.to_owned(), USER_FREE, WAIT_USER_MAX_MS, now_ms);
        pair.max(address).max(user)
    }

    /// Counts a failure.
    pub fn failed(&mut self, user: &str, address: IpAddr, now_ms: u64) {
        let network = network(address);
        self.pairs.count((user.to_owned(), network), now_ms);
        self.addresses.count(network, now_ms);
        self.users.count(user.to_owned(), now_ms);
    }

    /// Takes back the last failure, which was counted before the password was checked, and forgets
    /// this person's failures at this address: the password was right.
    pub fn succeeded(&mut self, user: &str, address: IpAddr) {
        let network = network(address);
        self.pairs.0.remove(&(user.to_owned(), network));
        self.addresses.take_back(&network);
        self.users.take_back(&user.to_owned());
    }
}

/// Who has an IPv6 address has its whole /64, so all of it counts as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Clone, Copy, Debug)]
struct Count {
    failures: u32,
    last_ms: u64,
}

#[derive(Debug)]
struct Counts<K>(HashMap<K, Count>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Counts<K> {
    fn wait_ms(&self, key: &K, free: u32, max_ms: u64, now_ms: u64) -> u64 {
        let Some(count) = self.0.get(key) else { return 0 };
        let passed_ms = now_ms.saturating_sub(count.last_ms);
        if count.failures < free || passed_ms > FORGET_MS {
            return 0;
        }
        let doublings = (count.failures - free).min(20);
        (1_000_u64 << doublings).min(max_ms).saturating_sub(passed_ms)
    }

    fn count(&mut self, key: K, now_ms: u64) {
        if !self.0.contains_key(&key) && self.0.len() >= THROTTLE_KEYS_MAX {
            self.forget_one(now_ms);
        }
        let count = self.0.entry(key).or_insert(Count { failures: 0, last_ms: now_ms });
        if now_ms.saturating_sub(count.last_ms) > FORGET_MS {
            count.failures = 0;
        }
        count.failures = count.failures.saturating_add(1);
        count.last_ms = now_ms;
    }

    fn take_back(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            count.failures = count.failures.saturating_sub(1);
            if count.failures == 0 {
                self.0.remove(key);
            }
        }
    }

    fn forget_one(&mut self, now_ms: u64) {
        self.0.retain(|_, count| now_ms.saturating_sub(count.last_ms) <= FORGET_MS);
        if self.0.len() < THROTTLE_KEYS_MAX {
            return;
        }
        let oldest =
            self.0.iter().min_by_key(|(_, count)| count.last_ms).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn fail(throttle: &mut Throttle, user: &str, address: IpAddr, times: u32) {
        for _ in 0..times {
            throttle.failed(user, address, 0);
        }
    }

    #[test]
    fn a_few_mistakes_cost_nothing_and_then_the_wait_doubles() {
        let mut throttle = Throttle::default();
        fail(&mut throttle, "li", HERE, PAIR_FREE - 1);
        assert_eq!(throttle.wait_ms("li", HERE, 0), 0);
        throttle.failed("li", HERE, 0);
        assert_eq!(throttle.wait_ms("li", HERE, 0), 1_000);
        throttle.failed("li", HERE, 0);
        assert_eq!(throttle.wait_ms("li", HERE, 0), 2_000);
        assert_eq!(throttle.wait_ms("li", HERE, 1_500), 500);
        fail(&mut throttle, "li", HERE, 40);
        assert_eq!(throttle.wait_ms("li", HERE, 0), WAIT_MAX_MS);
    }

    #[test]
    fn a_stranger_cannot_lock_a_person_out() {
        let mut throttle = Throttle::default();
        let stranger = "192.0.2.7".parse().unwrap();
        fail(&mut throttle, "admin", stranger, 1_000);
        assert_eq!(throttle.wait_ms("admin", stranger, 0), WAIT_MAX_MS);
        assert!(throttle.wait_ms("admin", HERE, 0) <= WAIT_USER_MAX_MS);
    }

    #[test]
    fn trying_many_names_from_one_network_waits_too() {
        let mut throttle = Throttle::default();
        for i in 0..40 {
            throttle.failed(&format!("user{i}"), format!("2001:db8::{i:x}").parse().unwrap(), 0);
        }
        assert!(throttle.wait_ms("other", "2001:db8::ffff".parse().unwrap(), 0) > 0);
        assert_eq!(throttle.wait_ms("other", HERE, 0), 0);
    }

    #[test]
    fn the_right_password_and_an_hour_of_quiet_forgive() {
        let mut throttle = Throttle::default();
        fail(&mut throttle, "li", HERE, PAIR_FREE + 2);
        assert_eq!(throttle.wait_ms("li", HERE, FORGET_MS + 1), 0);
        throttle.succeeded("li", HERE);
        assert_eq!(throttle.wait_ms("li", HERE, 0), 0);
        for _ in 0..100 {
            throttle.failed("li", HERE, 0);
            throttle.succeeded("li", HERE);
        }
        assert_eq!(throttle.wait_ms("li", HERE, 0), 0);
    }

    #[test]
    fn the_counts_are_bounded() {
        let mut throttle = Throttle::default();
        for i in 0..(THROTTLE_KEYS_MAX as u64 + 100) {
            throttle.failed(&format!("user{i}"), HERE, i);
        }
        assert_eq!(throttle.users.0.len(), THROTTLE_KEYS_MAX);
        assert!(!throttle.users.0.contains_key("user0"));
    }
}
