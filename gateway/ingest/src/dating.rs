//! When a reading was taken, in UTC: pure rules over what the node says and when it was received.
//!
//! 1. The node knows UTC at the start of the boot: that plus the reading's uptime.
//! 2. It does not: the time of receipt less the reading's age, uncertain.
//! 3. It says a time more than [`FUTURE_MAX_MS`] ahead of the gateway, or one before [`PAST_MIN_MS`]
//!    (a clock that was never set stands at 1970 or 2000, one that overflowed in 1900 or 1970): its
//!    clock is wrong, and rule 2 holds instead. What is recorded history may be as old as it likes.
//!
//! A clock that is wrong by less is believed: an hour too early looks like a backlog of an hour. Nothing
//! is lost by that, because the store keeps two readings of one time side by side.
//!
//! The age of a reading is known where it was taken in the boot that sends it. Of an earlier boot is
//! known only that it ended before this one began; its readings are placed in order just before that.

use measure::{BootId, Marks, Timestamp, Uptime};

/// How far ahead of the gateway's clock a node's time may lie; beyond it the node is not believed.
pub const FUTURE_MAX_MS: i64 = 120_000;

/// The first time that a node is believed to have measured now, in milliseconds since 1970: 2024-01-01,
/// before any node spoke this contract.
pub const PAST_MIN_MS: i64 = 1_704_067_200_000;

/// What a frame says of time, and when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The boot in which the readings were taken.
    pub(crate) boot: BootId,
    /// The boot that sent them.
    pub(crate) sender: BootId,
    /// When the frame was sent, since the start of the sending boot.
    pub(crate) sent: Uptime,
    /// When the gateway received it.
    pub(crate) received: Timestamp,
    /// UTC at uptime 0 of `boot`, where the node knows it.
    pub(crate) boot_utc: Option<Timestamp>,
    /// `boot_utc` is an estimate.
    pub(crate) uncertain: bool,
    /// The readings were recorded earlier and are brought in now.
    pub(crate) is_history: bool,
    /// The uptime of the last reading of the frame.
    pub(crate) last: Uptime,
}

/// Returns the time of a reading taken at `uptime`, and the marks that belong to it.
pub(crate) fn date(frame: &Frame, uptime: Uptime) -> (Timestamp, Marks) {
    if let Some(boot_utc) = frame.boot_utc {
        let time = boot_utc.plus_ms(ms(uptime.0));
        let is_plausible = frame.is_history || time.millis() >= PAST_MIN_MS;
        if is_plausible && time.ms_since(frame.received) <= FUTURE_MAX_MS {
            let marks = if frame.uncertain { Marks::TIME_UNCERTAIN } else { Marks::NONE };
            return (time, marks);
        }
    }
    (by_receipt(frame, uptime), Marks::TIME_UNCERTAIN)
}

fn by_receipt(frame: &Frame, uptime: Uptime) -> Timestamp {
    if frame.boot == frame.sender {
        return frame.received.plus_ms(-ms(frame.sent.ms_since(uptime)));
    }
    let sender_began = frame.received.plus_ms(-ms(frame.sent.0));
    sender_began.plus_ms(-ms(frame.last.ms_since(uptime)))
}

fn ms(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: i64 = 1_790_000_000_000;

    fn utc(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms).unwrap()
    }

    /// A frame of boot 7, sent 60 s after its start and received at noon.
    fn frame() -> Frame {
        Frame {
            boot: BootId(7),
            sender: BootId(7),
            sent: Uptime(60_000),
            received: utc(NOON_MS),
            boot_utc: None,
            uncertain: false,
            is_history: false,
            last: Uptime(50_000),
        }
    }

    #[track_caller]
    fn check(frame: Frame, uptime_ms: u64, time_ms: i64, marks: Marks) {
        assert_eq!(date(&frame, Uptime(uptime_ms)), (utc(time_ms), marks));
    }

    #[test]
    fn a_node_with_a_clock_dates_its_readings() {
        let frame = Frame { boot_utc: Some(utc(NOON_MS - 100_000)), ..frame() };
        check(frame, 50_000, NOON_MS - 50_000, Marks::NONE);
        check(Frame { uncertain: true, ..frame }, 50_000, NOON_MS - 50_000, Marks::TIME_UNCERTAIN);
    }

    #[test]
    fn without_a_clock_the_age_is_taken_off_the_receipt() {
        check(frame(), 50_000, NOON_MS - 10_000, Marks::TIME_UNCERTAIN);
        check(frame(), 60_000, NOON_MS, Marks::TIME_UNCERTAIN);
    }

    #[test]
    fn a_clock_two_minutes_ahead_is_believed_and_no_more() {
        let at = |ahead_ms| Frame { boot_utc: Some(utc(NOON_MS + ahead_ms - 50_000)), ..frame() };
        check(at(FUTURE_MAX_MS), 50_000, NOON_MS + FUTURE_MAX_MS, Marks::NONE);
        check(at(FUTURE_MAX_MS + 1), 50_000, NOON_MS - 10_000, Marks::TIME_UNCERTAIN);
    }

    #[test]
    fn a_clock_that_was_never_set_is_not_believed_unless_it_is_history() {
        let at = |ms: i64| Frame { boot_utc: Some(utc(ms - 50_000)), ..frame() };
        check(at(PAST_MIN_MS), 50_000, PAST_MIN_MS, Marks::NONE);
        check(at(PAST_MIN_MS - 1), 50_000, NOON_MS - 10_000, Marks::TIME_UNCERTAIN);
        // 1970, 2000, and what 2036 and 2106 wrap to in 32 bits of seconds.
        for ms in [50_000, 946_684_800_000, 61_505_152_000] {
            check(at(ms), 50_000, NOON_MS - 10_000, Marks::TIME_UNCERTAIN);
            check(Frame { is_history: true, ..at(ms) }, 50_000, ms, Marks::NONE);
        }
        // 2036-02-07 and 2106-02-07, where they come unwrapped.
        for ms in [2_085_978_496_000, 4_294_967_296_000] {
            check(at(ms), 50_000, NOON_MS - 10_000, Marks::TIME_UNCERTAIN);
        }
    }

    #[test]
    fn readings_of_an_earlier_boot_keep_their_order_before_this_one() {
        let earlier = Frame { boot: BootId(6), ..frame() };
        check(earlier, 50_000, NOON_MS - 60_000, Marks::TIME_UNCERTAIN);
        check(earlier, 40_000, NOON_MS - 70_000, Marks::TIME_UNCERTAIN);
    }

    #[test]
    fn absurd_uptimes_neither_panic_nor_lie_in_the_future() {
        for uptime in [0, u64::MAX] {
            for boot_utc in [None, Some(Timestamp::MIN), Some(Timestamp::MAX)] {
                for sender in [BootId(7), BootId(8)] {
                    let sent = Uptime(u64::MAX - uptime);
                    let frame = Frame { boot_utc, sender, sent, ..frame() };
                    let (time, _) = date(&frame, Uptime(uptime));
                    assert!(time.ms_since(utc(NOON_MS)) <= FUTURE_MAX_MS, "{frame:?} {uptime}");
                }
            }
        }
    }
}
