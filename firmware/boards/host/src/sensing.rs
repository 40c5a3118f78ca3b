//! Where readings come from: the live sensors of a board, and the history that it brings in first.

use measure::{Timestamp, Uptime};
use node::{RoundReadings, Schedule, Step};
use sensors::Probe;

use crate::bus::{Bus, WireFault, wire_up};
use crate::load::load_probes;
use crate::nursery::NodePlan;
use crate::physics::{House, Outage};

/// What a node's sensors are.
#[derive(Clone, Debug)]
pub enum Source {
    /// Chips on a bus in a house.
    House(Box<HouseSource>),
    /// So many channels that only make numbers, for load.
    Load {
        /// The channels, up to [`wire::CHANNELS_MAX`].
        channels: usize,
    },
}

/// Chips in a house, and what fails there.
#[derive(Clone, Debug)]
pub struct HouseSource {
    /// Which chips hang where.
    pub plan: NodePlan,
    /// The house. All nodes of one house get equal ones, and so see the same air.
    pub house: House,
    /// When the mist valve is stuck shut.
    pub outages: Vec<Outage>,
    /// What fails on this node's wires.
    pub faults: Vec<WireFault>,
}

/// Sensors with their drivers.
pub(crate) struct Sensing {
    bus: Option<Bus>,
    probes: Vec<Box<dyn Probe + Send>>,
}

impl Sensing {
    pub(crate) fn new(source: &Source, seed: u64, now: Timestamp) -> Self {
        match source {
            Source::House(source) => {
                let HouseSource { plan, house, outages, faults } = source.as_ref();
                let mut house = house.clone();
                house.set_outages(outages.clone());
                let wired = wire_up(plan, house, seed, now, faults.clone());
                Self { bus: Some(wired.bus), probes: wired.probes }
            }
            Source::Load { channels } => Self { bus: None, probes: load_probes(*channels, seed) },
        }
    }

    /// Does what is due at `uptime`, which is `now`, with the real drivers.
    pub(crate) fn poll(&mut self, schedule: &mut Schedule, uptime: Uptime, now: Timestamp) -> Step {
        if let Some(bus) = &self.bus {
            bus.advance_to(now);
        }
        let mut probes: Vec<&mut dyn Probe> = Vec::with_capacity(self.probes.len());
        for probe in &mut self.probes {
            probes.push(probe.as_mut());
        }
        schedule.poll(uptime, &mut probes)
    }

    /// Returns `source` with its house as far as it has come.
    pub(crate) fn carry_on(&self, source: &Source) -> Source {
        match (source, &self.bus) {
            (Source::House(source), Some(bus)) => {
                let source = HouseSource { house: bus.house(), ..source.as_ref().clone() };
                Source::House(Box::new(source))
            }
            (source, _) => source.clone(),
        }
    }
}

/// A past that is told through the same drivers, as fast as it is asked for.
pub(crate) struct History {
    sensing: Sensing,
    schedule: Schedule,
    start: Timestamp,
    uptime: Uptime,
    end: Uptime,
}

impl History {
    /// Returns the past from `start` until `live` (not included), a round every `interval_ms`. No fault
    /// befalls it: they count from `live`.
    pub(crate) fn new(
        source: &Source,
        seed: u64,
        start: Timestamp,
        live: Timestamp,
        interval_ms: u32,
    ) -> Self {
        let healthy = match source {
            Source::House(source) => Source::House(Box::new(HouseSource {
                outages: Vec::new(),
                faults: Vec::new(),
                ..source.as_ref().clone()
            })),
            Source::Load { channels } => Source::Load { channels: *channels },
        };
        Self {
            sensing: Sensing::new(&healthy, seed, start),
            schedule: Schedule::new(interval_ms, Uptime(0)),
            start,
            uptime: Uptime(0),
            end: Uptime(u64::try_from(live.ms_since(start)).unwrap_or(0)),
        }
    }

    /// Returns the next round and when it was, since `start`; `None` when the past is over.
    pub(crate) fn next_round(&mut self) -> Option<(Uptime, RoundReadings)> {
        while self.uptime < self.end {
            let passed_ms = i64::try_from(self.uptime.0).unwrap_or(i64::MAX);
            let now = self.start.plus_ms(passed_ms);
            match self.sensing.poll(&mut self.schedule, self.uptime, now) {
                Step::Round { at, readings } => return Some((at, readings)),
                Step::Wait(until) => self.uptime = until.max(self.uptime.plus_ms(1)),
            }
        }
        None
    }

    /// Returns `source` with its house as the past has left it.
    pub(crate) fn carry_on(&self, source: &Source) -> Source {
        self.sensing.carry_on(source)
    }
}
