//! A node's bus: simulated chips behind `embedded_hal::i2c::I2c`, in the air of a house.
//!
//! The real drivers of `sensors` run on it unchanged. Here are also the faults of chips and wires.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_hal::i2c::{
    Error as I2cError, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation,
};
use measure::{Quantity, Timestamp};
use sensors::{Bh1750, Lm75, Medium, Probe, Scd4x, Sht4x};

use crate::chips::{self, Around, SimulatedChip};
use crate::fault::Kind;
use crate::noise::{hash, key, normal, unit};
use crate::nursery::{Chip, NodePlan};
use crate::physics::{House, Indoors};

/// A drifting sensor moves so far in a minute, and no further than so far, in its unit.
fn drift(quantity: Quantity) -> (f64, f64) {
    match quantity {
        Quantity::RelativeHumidity => (-2.0, 40.0),
        Quantity::Co2 => (60.0, 4_000.0),
        Quantity::Illuminance => (-500.0, 20_000.0),
        _ => (0.6, 15.0),
    }
}

/// A spike is so high, in the quantity's unit.
fn spike(quantity: Quantity) -> f64 {
    match quantity {
        Quantity::RelativeHumidity => -45.0,
        Quantity::Co2 => 3_500.0,
        Quantity::Illuminance => 30_000.0,
        _ => 18.0,
    }
}
/// One measurement in so many is a spike.
const SPIKE_SHARE: f64 = 0.125;

/// A fault of a sensor or of the wires of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireFault {
    /// [`Kind::Stuck`], [`Kind::Drift`], [`Kind::Spike`] or [`Kind::DeadBus`]; others do nothing.
    pub kind: Kind,
    /// The quantity that a failing sensor measures.
    pub quantity: Option<Quantity>,
    /// It begins.
    pub from: Timestamp,
    /// It is repaired.
    pub until: Timestamp,
}

/// The house, the time, and what hangs on the wires.
struct Bench {
    now: Timestamp,
    house: House,
    chips: Vec<Hanging>,
    faults: Vec<WireFault>,
}

/// A chip, its address, and what is its own: errors within its data sheet, from its seed.
struct Hanging {
    address: u8,
    chip: SimulatedChip,
    seed: u64,
    is_at_bench: bool,
    /// What it measured when it got stuck.
    stuck: Option<Around>,
}

/// A handle on the bus; copies are the same bus.
#[derive(Clone)]
pub struct Bus {
    bench: Arc<Mutex<Bench>>,
}

/// A bus, and the drivers of the chips on it, in the order of the plan.
pub struct Wired {
    /// The bus.
    pub bus: Bus,
    /// The drivers.
    pub probes: Vec<Box<dyn Probe + Send>>,
}

/// Hangs the chips of `plan` into `house` and puts the drivers beside them.
pub fn wire_up(
    plan: &NodePlan,
    house: House,
    seed: u64,
    now: Timestamp,
    faults: Vec<WireFault>,
) -> Wired {
    let mut hanging = Vec::new();
    for chip in &plan.chips {
        let name = format!("{}/{}/{}", plan.key, chip.position, chip.chip.sensor());
        let (address, simulated) = match chip.chip {
            Chip::Sht4x => (0x44, SimulatedChip::Sht4x(chips::Sht4x::default())),
            Chip::Scd4x => (0x62, SimulatedChip::Scd4x(chips::Scd4x::default())),
            Chip::Bh1750 => (0x23, SimulatedChip::Bh1750(chips::Bh1750::default())),
            Chip::Tmp105 => (0x48, SimulatedChip::Tmp105(chips::Tmp105::default())),
        };
        hanging.push(Hanging {
            address,
            chip: simulated,
            seed: hash(seed, key(&name)),
            is_at_bench: chip.position.as_str() == "bench",
            stuck: None,
        });
    }
    let bus = Bus { bench: Arc::new(Mutex::new(Bench { now, house, chips: hanging, faults })) };
    let probes = plan.chips.iter().map(|chip| probe(chip.chip, bus.clone())).collect();
    Wired { bus, probes }
}

fn probe(chip: Chip, bus: Bus) -> Box<dyn Probe + Send> {
    match chip {
        Chip::Sht4x => Box::new(Sht4x::new(bus, Sht4x::<Bus>::ADDRESS)),
        Chip::Scd4x => Box::new(Scd4x::new(bus)),
        Chip::Bh1750 => Box::new(Bh1750::new(bus, Bh1750::<Bus>::ADDRESS)),
        Chip::Tmp105 => {
            Box::new(Lm75::new(bus, Lm75::<Bus>::ADDRESS, sensors::Chip::Tmp105, Medium::Substrate))
        }
    }
}

impl Bus {
    /// Moves the house and the chips on to `now`.
    pub fn advance_to(&self, now: Timestamp) {
        let mut bench = self.lock();
        bench.now = now;
        bench.house.advance_to(now);
    }

    /// Returns what it is truly like in the house.
    pub fn indoors(&self) -> Indoors {
        *self.lock().house.indoors()
    }

    /// Returns the house as it is now, to hang other chips into it.
    pub fn house(&self) -> House {
        self.lock().house.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Bench> {
        // The bench is changed in single assignments: it is whole even after a panic elsewhere.
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error on the simulated wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError(ErrorKind);

impl I2cError for WireError {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl ErrorType for Bus {
    type Error = WireError;
}

impl I2c for Bus {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), WireError> {
        let mut bench = self.lock();
        let now = bench.now;
        let holds = |fault: &WireFault| fault.from <= now && now < fault.until;
        let faults: Vec<_> = bench.faults.iter().copied().filter(holds).collect();
        if faults.iter().any(|fault| fault.kind == Kind::DeadBus) {
            return Err(WireError(ErrorKind::Bus));
        }
        let nobody = WireError(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address));
        let indoors = *bench.house.indoors();
        let chip = bench.chips.iter_mut().find(|chip| chip.address == address).ok_or(nobody)?;
        let around = chip.around(now, &indoors, &faults);
        for operation in operations {
            let done = match operation {
                Operation::Write(bytes) => chip.chip.write(bytes, &around),
                Operation::Read(bytes) => chip.chip.read(bytes, &around),
            };
            done.map_err(|_| nobody)?;
        }
        Ok(())
    }
}

impl Hanging {
    /// Returns what the chip feels: its place in the house, its own error and noise, and its fault.
    fn around(&mut self, now: Timestamp, air: &Indoors, faults: &[WireFault]) -> Around {
        let place = if self.is_at_bench { 0.2 * (air.substrate_c - air.air_c) } else { 0.0 };
        let is_bench = f64::from(u8::from(self.is_at_bench));
        // Half of the typical error of the data sheet, and its repeatability.
        let own = |part, error: f64| error * normal(self.seed, part);
        let moment = now.micros().cast_unsigned();
        let noise = |part, sigma: f64| sigma * normal(hash(self.seed, part), moment);
        let mut around = Around {
            now,
            air_c: air.air_c + place + own(1, 0.07) + noise(1, 0.02),
            humidity_percent: air.humidity_percent()
                + 0.8 * is_bench
                + own(2, 0.5)
                + noise(2, 0.06),
            co2_ppm: air.co2_ppm * (1.0 + own(3, 0.015)) + own(4, 12.0) + noise(3, 4.0),
            illuminance_lx: air.illuminance_lx * (1.0 + own(5, 0.05)) * (1.0 + noise(4, 0.01)),
            substrate_c: air.substrate_c + own(6, 0.12) + noise(5, 0.02),
        };
        let is_stuck = faults.iter().any(|fault| fault.kind == Kind::Stuck);
        let held = if is_stuck { *self.stuck.get_or_insert(around) } else { around };
        if !is_stuck {
            self.stuck = None;
        }
        for fault in faults {
            let Some(quantity) = fault.quantity else { continue };
            let minutes = now.ms_since(fault.from) as f64 / 60_000.0;
            let (drift_per_minute, drift_max) = drift(quantity);
            let is_spike = unit(hash(self.seed, 9), moment / 1_000) < SPIKE_SHARE;
            let value = around.of(quantity);
            *value = match fault.kind {
                Kind::Stuck => *{ held }.of(quantity),
                Kind::Drift => *value + (drift_per_minute * minutes).clamp(-drift_max, drift_max),
                Kind::Spike if is_spike => *value + spike(quantity),
                _ => *value,
            };
        }
        around
    }
}

impl Around {
    fn of(&mut self, quantity: Quantity) -> &mut f64 {
        match quantity {
            Quantity::RelativeHumidity => &mut self.humidity_percent,
            Quantity::Co2 => &mut self.co2_ppm,
            Quantity::Illuminance => &mut self.illuminance_lx,
            Quantity::SubstrateTemperature => &mut self.substrate_c,
            _ => &mut self.air_c,
        }
    }
}

#[cfg(test)]
mod tests {
    use measure::{Fault, Reading};
    use sensors::{Outcome, STEPS_MAX};

    use super::*;
    use crate::nursery::{HousePlan, demo};

    /// 2026-06-21T04:50:00Z: noon in Nanchuan.
    const NOON: Timestamp = match Timestamp::from_millis(1_782_017_400_000) {
        Some(time) => time,
        None => Timestamp::MIN,
    };

    fn wired(house: usize, node: usize, faults: Vec<WireFault>) -> (Wired, HousePlan) {
        let demo = demo();
        let plan = demo.houses[house - 1].clone();
        let house = House::new(plan.build, plan.aims, demo.place, 1, 1, NOON);
        let wired = wire_up(&plan.nodes[node], house, 1, NOON, faults);
        wired.bus.advance_to(NOON);
        (wired, plan)
    }

    /// Measures with each driver; returns the readings and how long it took.
    fn measure(wired: &mut Wired, start: Timestamp) -> (Vec<(Quantity, Reading)>, i64) {
        let mut all = Vec::new();
        let mut now = start;
        for probe in &mut wired.probes {
            wired.bus.advance_to(now);
            let mut wait = match probe.start() {
                Ok(wait) => wait,
                Err(fault) => {
                    all.extend(sensors::failed(probe.quantities(), fault));
                    continue;
                }
            };
            for step in 0..=STEPS_MAX {
                assert!(step < STEPS_MAX);
                now = now.plus_ms(i64::from(wait.ms));
                wired.bus.advance_to(now);
                match probe.finish() {
                    Outcome::Again(again) => wait = again,
                    Outcome::Done(readings) => {
                        all.extend(readings);
                        break;
                    }
                }
            }
        }
        (all, now.ms_since(start))
    }

    fn value(readings: &[(Quantity, Reading)], quantity: Quantity) -> f64 {
        let (_, reading) = readings.iter().find(|(other, _)| *other == quantity).unwrap();
        reading.unwrap().to_f64(quantity)
    }

    #[test]
    fn the_real_drivers_read_what_the_house_has() {
        for house in 1..=5 {
            let (mut air, _) = wired(house, 0, vec![]);
            let truth = air.bus.indoors();
            let (readings, first_ms) = measure(&mut air, NOON);
            assert!((value(&readings, Quantity::AirTemperature) - truth.air_c).abs() < 0.5);
            let humidity = value(&readings, Quantity::RelativeHumidity);
            assert!((humidity - truth.humidity_percent()).abs() < 4.0);
            assert!((value(&readings, Quantity::Co2) - truth.co2_ppm).abs() < 100.0);
            let light = value(&readings, Quantity::Illuminance);
            assert!((light - truth.illuminance_lx).abs() < 0.3 * truth.illuminance_lx, "{light}");
            assert!(first_ms > 5_000);
            let (readings, later_ms) = measure(&mut air, NOON.plus_ms(60_000));
            assert_eq!(readings.len(), 4);
            assert!(readings.iter().all(|(_, reading)| reading.is_ok()));
            assert!(later_ms < 500);

            let (mut bench, _) = wired(house, 1, vec![]);
            let (readings, _) = measure(&mut bench, NOON);
            let substrate = value(&readings, Quantity::SubstrateTemperature);
            assert!((substrate - truth.substrate_c).abs() < 0.8);
            assert_eq!(readings.len(), 3);
        }
    }

    #[test]
    fn a_chip_that_is_asked_too_soon_has_nothing() {
        let (mut air, _) = wired(1, 0, vec![]);
        for probe in &mut air.probes {
            probe.start().unwrap();
            let first = probe.finish();
            match probe.sensor() {
                // The chip gives its last count, as the real one does.
                "bh1750" => assert!(matches!(first, Outcome::Done(_))),
                "scd4x" => assert_eq!(
                    first,
                    Outcome::Done(sensors::failed(probe.quantities(), Fault::NotPresent))
                ),
                _ => assert_eq!(
                    first,
                    Outcome::Done(sensors::failed(probe.quantities(), Fault::NotReady))
                ),
            }
        }
    }

    fn fault(kind: Kind, quantity: Option<Quantity>) -> Vec<WireFault> {
        let (from, until) = (NOON.plus_ms(60_000), NOON.plus_ms(660_000));
        vec![WireFault { kind, quantity, from, until }]
    }

    #[test]
    fn a_dead_bus_takes_all_chips_and_gives_them_back() {
        let (mut air, _) = wired(2, 0, fault(Kind::DeadBus, None));
        assert!(measure(&mut air, NOON).0.iter().all(|(_, reading)| reading.is_ok()));
        let (readings, _) = measure(&mut air, NOON.plus_ms(60_000));
        assert_eq!(readings.len(), 4);
        assert!(readings.iter().all(|(_, reading)| *reading == Err(Fault::Bus)));
        let (readings, _) = measure(&mut air, NOON.plus_ms(660_000));
        assert!(readings.iter().all(|(_, reading)| reading.is_ok()));
    }

    #[test]
    fn a_stuck_sensor_repeats_itself_and_its_neighbours_go_on() {
        let (mut air, _) = wired(2, 0, fault(Kind::Stuck, Some(Quantity::RelativeHumidity)));
        let mut at = |minute: i64| measure(&mut air, NOON.plus_ms(minute * 60_000)).0;
        let (first, second, after) = (at(2), at(9), at(12));
        let humidity = Quantity::RelativeHumidity;
        assert_eq!(value(&first, humidity), value(&second, humidity));
        assert_ne!(value(&first, humidity), value(&after, humidity));
        let air = Quantity::AirTemperature;
        assert_ne!(value(&first, air), value(&second, air));
    }

    #[test]
    fn a_drifting_sensor_goes_astray_and_comes_back_when_repaired() {
        let (mut air, _) = wired(2, 0, fault(Kind::Drift, Some(Quantity::AirTemperature)));
        let mut off = |minute: i64| {
            let readings = measure(&mut air, NOON.plus_ms(minute * 60_000)).0;
            value(&readings, Quantity::AirTemperature) - air.bus.indoors().air_c
        };
        assert!(off(1).abs() < 0.5);
        assert!((5.0..7.0).contains(&off(10)));
        assert!(off(11).abs() < 0.5);
    }

    #[test]
    fn a_spiking_sensor_is_right_most_of_the_time() {
        let mut faults = fault(Kind::Spike, Some(Quantity::AirTemperature));
        faults[0].until = Timestamp::MAX;
        let (mut air, _) = wired(2, 0, faults);
        let spikes = (1..=200).filter(|round: &i64| {
            let readings = measure(&mut air, NOON.plus_ms(60_000 + round * 7_003)).0;
            value(&readings, Quantity::AirTemperature) - air.bus.indoors().air_c > 10.0
        });
        assert!((8..60).contains(&spikes.count()));
    }
}
