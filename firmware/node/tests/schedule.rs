//! When probes are started and finished, and what becomes of a stall or a chip that hangs.

use measure::{Fault, Quality, Quantity, Scaled, Uptime};
use node::{RoundReadings, Schedule, Step};
use sensors::{Outcome, Probe, Readings, Wait};

/// A chip that takes as long as the test wants.
struct Chip {
    quantities: &'static [Quantity],
    start: Result<u32, Fault>,
    steps: u8,
    value: i32,
    starts: u32,
    left: u8,
}

impl Chip {
    fn new(quantities: &'static [Quantity], ms: u32, steps: u8, value: i32) -> Self {
        Self { quantities, start: Ok(ms), steps, value, starts: 0, left: 0 }
    }
}

impl Probe for Chip {
    fn sensor(&self) -> &'static str {
        "chip"
    }

    fn quantities(&self) -> &[Quantity] {
        self.quantities
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.starts += 1;
        self.left = self.steps;
        self.start.map(|ms| Wait { ms })
    }

    fn finish(&mut self) -> Outcome {
        if self.left > 0 {
            self.left = self.left.saturating_sub(1);
            return Outcome::Again(Wait { ms: 10 });
        }
        let readings: Readings =
            self.quantities.iter().map(|quantity| (*quantity, Ok(Scaled(self.value)))).collect();
        Outcome::Done(readings)
    }
}

const AIR: &[Quantity] = &[Quantity::AirTemperature, Quantity::RelativeHumidity];
const CO2: &[Quantity] = &[Quantity::Co2];

/// Polls at each wake-up until a round is there; returns it and how often it polled.
fn round(
    schedule: &mut Schedule,
    now: &mut Uptime,
    probes: &mut [&mut dyn Probe],
) -> (Uptime, RoundReadings, u32) {
    for polls in 1.. {
        match schedule.poll(*now, probes) {
            Step::Round { at, readings } => return (at, readings, polls),
            Step::Wait(until) => {
                assert!(until > *now, "a wait that is over already");
                assert_eq!(until, schedule.next_wake());
                *now = until;
            }
        }
    }
    unreachable!("the loop has no end")
}

#[test]
fn every_probe_is_started_waited_for_and_finished() {
    let mut air = Chip::new(AIR, 9, 0, 5_000);
    let mut co2 = Chip::new(CO2, 5_000, 3, 420);
    let mut schedule = Schedule::new(60_000, Uptime(0));
    let mut now = Uptime(0);
    let (at, readings, polls) = round(&mut schedule, &mut now, &mut [&mut air, &mut co2]);
    assert_eq!((at, now), (Uptime(0), Uptime(5_030)));
    assert_eq!(polls, 6, "once at each wake-up and no more");
    let expect = [
        (0, Ok(Scaled(5_000)), Quality::Good),
        (1, Ok(Scaled(5_000)), Quality::Good),
        (2, Ok(Scaled(420)), Quality::Good),
    ];
    assert_eq!(readings, expect);
    assert_eq!(schedule.next_wake(), Uptime(60_000));
    assert_eq!((air.starts, co2.starts), (1, 1));
}

#[test]
fn a_stall_brings_one_round_and_keeps_the_phase() {
    let mut air = Chip::new(AIR, 9, 0, 1);
    let mut schedule = Schedule::new(60_000, Uptime(0));
    let mut now = Uptime(0);
    round(&mut schedule, &mut now, &mut [&mut air]);
    now = Uptime(200_000);
    let (at, ..) = round(&mut schedule, &mut now, &mut [&mut air]);
    assert_eq!(at, Uptime(200_000));
    assert_eq!(air.starts, 2);
    let (at, ..) = round(&mut schedule, &mut now, &mut [&mut air]);
    assert_eq!(at, Uptime(240_000));
}

#[test]
fn a_chip_that_does_not_start_is_a_fault_of_each_quantity() {
    let mut air = Chip::new(AIR, 9, 0, 1);
    air.start = Err(Fault::NotPresent);
    let mut co2 = Chip::new(CO2, 0, 0, 420);
    let mut schedule = Schedule::new(60_000, Uptime(0));
    let (_, readings, _) = round(&mut schedule, &mut Uptime(0), &mut [&mut air, &mut co2]);
    let missing = Err(Fault::NotPresent);
    assert_eq!(
        readings,
        [
            (0, missing, Quality::Missing),
            (1, missing, Quality::Missing),
            (2, Ok(Scaled(420)), Quality::Good)
        ]
    );
}

#[test]
fn a_chip_that_hangs_does_not_hold_the_others_for_ever() {
    let mut air = Chip::new(AIR, 9, 0, 1);
    let mut hung = Chip::new(CO2, 1, u8::MAX, 420);
    let mut schedule = Schedule::new(60_000, Uptime(0));
    let (_, readings, _) = round(&mut schedule, &mut Uptime(0), &mut [&mut air, &mut hung]);
    assert_eq!(readings[2].1, Err(Fault::NotReady));
    assert_eq!(readings[0].1, Ok(Scaled(1)));
}

#[test]
fn a_value_outside_the_gross_range_fails() {
    let mut air = Chip::new(AIR, 9, 0, 20_000);
    let mut schedule = Schedule::new(60_000, Uptime(0));
    let (_, readings, _) = round(&mut schedule, &mut Uptime(0), &mut [&mut air]);
    assert_eq!((readings[0].2, readings[1].2), (Quality::Good, Quality::Fail));
}

#[test]
fn a_new_interval_counts_from_now() {
    let mut air = Chip::new(AIR, 9, 0, 1);
    let mut schedule = Schedule::new(60_000, Uptime(0));
    let mut now = Uptime(0);
    round(&mut schedule, &mut now, &mut [&mut air]);
    schedule.set_interval(Uptime(10_000), 5_000);
    assert_eq!(schedule.next_wake(), Uptime(15_000));
    let (at, ..) = round(&mut schedule, &mut now, &mut [&mut air]);
    assert_eq!(at, Uptime(15_000));
}
