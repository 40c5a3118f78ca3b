//! One log line for each fault and sender in a while, so that a broken node can't fill the disk.

use std::collections::HashSet;

/// The most faults and senders remembered within one quiet span; the rest is counted only.
const KEYS_MAX: usize = 1_024;

/// Remembers what had a line, until it is told to forget.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    keys: HashSet<(&'static str, String)>,
    silent: u64,
}

impl Quiet {
    /// Returns whether this fault of this sender may have a line now.
    pub(crate) fn may_speak(&mut self, fault: &'static str, sender: &str) -> bool {
        if self.keys.len() < KEYS_MAX && self.keys.insert((fault, sender.to_owned())) {
            return true;
        }
        self.silent += 1;
        false
    }

    /// Lets everyone have a line again; returns how many had none.
    pub(crate) fn forget(&mut self) -> u64 {
        self.keys.clear();
        std::mem::take(&mut self.silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_one_line_until_forgotten() {
        let mut quiet = Quiet::default();
        assert!(quiet.may_speak("garbage", "a"));
        assert!(!quiet.may_speak("garbage", "a"));
        assert!(quiet.may_speak("garbage", "b") && quiet.may_speak("other", "a"));
        assert_eq!(quiet.forget(), 1);
        assert!(quiet.may_speak("garbage", "a"));
    }

    #[test]
    fn a_thousand_senders_are_remembered_and_no_more() {
        let mut quiet = Quiet::default();
        let spoken = (0..2_000).filter(|n| quiet.may_speak("garbage", &n.to_string())).count();
        assert_eq!((spoken, quiet.keys.len()), (KEYS_MAX, KEYS_MAX));
    }
}
