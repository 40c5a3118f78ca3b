//! Channels that only make numbers: for thousands of nodes, where physics would cost more than the
//! flow that is to be loaded.

use measure::{Fault, Quantity, Scaled};
use sensors::{Outcome, Probe, Readings, Wait, failed};

use crate::noise::hash;

/// The most channels of one such node: what a birth can name. More are cut off.
pub(crate) const CHANNELS_MAX: usize = wire::CHANNELS_MAX;

/// What the channels measure in turn, with middle and swing in scaled steps.
const QUANTITIES: [(Quantity, i32, i32); 4] = [
    (Quantity::AirTemperature, 22_000, 3_000),
    (Quantity::RelativeHumidity, 8_000, 600),
    (Quantity::Co2, 600, 150),
    (Quantity::Illuminance, 120_000, 50_000),
];

/// Returns quantity and position number of each of `channels` channels.
pub(crate) fn load_channels(channels: usize) -> impl Iterator<Item = (Quantity, usize)> {
    (0..channels.min(CHANNELS_MAX)).map(|index| {
        let position = index / QUANTITIES.len() + 1;
        let quantity = QUANTITIES.get(index % QUANTITIES.len());
        (quantity.map_or(Quantity::AirTemperature, |(quantity, ..)| *quantity), position)
    })
}

pub(crate) fn load_probes(channels: usize, seed: u64) -> Vec<Box<dyn Probe + Send>> {
    let channels: Vec<_> = load_channels(channels).map(|(quantity, _)| quantity).collect();
    let probes = channels.chunks(QUANTITIES.len()).enumerate().map(|(index, quantities)| {
        let seed = hash(seed, index as u64);
        let probe = LoadProbe { quantities: quantities.to_vec(), seed, count: 0, started: false };
        Box::new(probe) as Box<dyn Probe + Send>
    });
    probes.collect()
}

struct LoadProbe {
    quantities: Vec<Quantity>,
    seed: u64,
    count: u64,
    started: bool,
}

impl Probe for LoadProbe {
    fn sensor(&self) -> &'static str {
        "load"
    }

    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.started = true;
        Ok(Wait { ms: 0 })
    }

    fn finish(&mut self) -> Outcome {
        if !core::mem::take(&mut self.started) {
            return Outcome::Done(failed(&self.quantities, Fault::NotReady));
        }
        self.count += 1;
        let phase = (self.count as f64 / 200.0 + (self.seed % 628) as f64 / 100.0).sin();
        let readings = self.quantities.iter().map(|quantity| {
            let known = QUANTITIES.iter().find(|(known, ..)| known == quantity);
            let (_, middle, swing) = known.copied().unwrap_or((*quantity, 0, 0));
            let noise = (hash(self.seed, self.count) % 11) as i32 - 5;
            (*quantity, Ok(Scaled(middle + (f64::from(swing) * phase) as i32 + noise)))
        });
        Outcome::Done(readings.collect::<Readings>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_gives_a_value_in_range() {
        let mut probes = load_probes(10, 3);
        let readings: Vec<_> = probes
            .iter_mut()
            .flat_map(|probe| {
                probe.start().unwrap();
                match probe.finish() {
                    Outcome::Done(readings) => readings.into_iter(),
                    Outcome::Again(_) => panic!("it is done at once"),
                }
            })
            .collect();
        assert_eq!(readings.len(), 10);
        assert_eq!(
            readings.iter().map(|(quantity, _)| *quantity).collect::<Vec<_>>(),
            load_channels(10).map(|(quantity, _)| quantity).collect::<Vec<_>>()
        );
        assert!(readings.iter().all(|(quantity, value)| value.unwrap().is_in_range(*quantity)));
        assert_eq!(load_channels(99).count(), CHANNELS_MAX);
    }
}
