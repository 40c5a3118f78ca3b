//! Pulses: the tipping bucket of a rain gauge, and the cups of an anemometer. A board counts them in
//! an interrupt; here a count becomes millimetres of rain or metres per second.

use measure::{Fault, Quantity, Reading, Uptime};

use crate::probe::{in_range, nearest};
use crate::{Clock, Outcome, Probe, Readings, Wait, failed};

/// A counter that an interrupt feeds and that nothing sets back. A reed contact bounces: the board
/// lets no two pulses count within some milliseconds (a bucket 50, cups 5).
pub trait PulseCounter {
    /// Returns how many pulses there were since the start, modulo 2³².
    fn count(&mut self) -> u32;
}

/// There is nothing to wait for.
const NO_WAIT: Wait = Wait { ms: 0 };

/// A tipping bucket. Each reading is the rain since the reading before; the first is the rain since
/// the start.
#[derive(Debug)]
pub struct RainGauge<C> {
    counter: C,
    /// Rain of one tip, in tenths of a micrometre.
    tip: u32,
    counted: u32,
    /// What the last reading was too coarse to tell, in tenths of a micrometre.
    rest: i64,
    started: bool,
}

const RAINFALL: [Quantity; 1] = [Quantity::Rainfall];
/// A step of rain is 0.01 mm.
const RAIN_STEP: i64 = 100;

impl<C: PulseCounter> RainGauge<C> {
    /// A tip of 0.2794 mm (SparkFun SEN-15901 and Misol WH-SP-RG: data sheet "Weather Sensor
    /// Assembly p/n 80422", section "Rain gauge").
    pub const TIP_SEN15901: u32 = 2_794;
    /// A tip of 0.2 mm, as most gauges of 200 mm opening have it.
    pub const TIP_0_2_MM: u32 = 2_000;

    /// Returns the gauge; a tip is `tip` tenths of a micrometre of rain.
    pub fn new(mut counter: C, tip: u32) -> Self {
        let counted = counter.count();
        Self { counter, tip, counted, rest: 0, started: false }
    }
}

impl<C: PulseCounter> Probe for RainGauge<C> {
    fn sensor(&self) -> &'static str {
        "rain-gauge"
    }

    fn quantities(&self) -> &[Quantity] {
        &RAINFALL
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.started = true;
        Ok(NO_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        if !core::mem::take(&mut self.started) {
            return Outcome::Done(failed(&RAINFALL, Fault::NotReady));
        }
        let count = self.counter.count();
        let tips = count.wrapping_sub(self.counted);
        self.counted = count;
        let rain = i64::from(tips) * i64::from(self.tip) + self.rest;
        self.rest = rain % RAIN_STEP;
        let reading = in_range(Quantity::Rainfall, rain / RAIN_STEP);
        Outcome::Done(Readings::from_iter([(Quantity::Rainfall, reading)]))
    }
}

/// A cup anemometer. Each reading is the mean wind since the reading before, which the first has
/// not: it is `not_ready`.
#[derive(Debug)]
pub struct Anemometer<C> {
    counter: C,
    clock: Clock,
    /// Wind that passes for one pulse, in tenths of a millimetre.
    run: u32,
    before: Option<(Uptime, u32)>,
    started: bool,
}

const WIND_SPEED: [Quantity; 1] = [Quantity::WindSpeed];
/// Under this time since the reading before there are too few pulses for a mean.
const WIND_MS_MIN: u64 = 1_000;

impl<C: PulseCounter> Anemometer<C> {
    /// 2.4 km/h for a pulse in a second (the same data sheet, section "Anemometer"), which is
    /// 0.6667 m of wind.
    pub const RUN_SEN15901: u32 = 6_667;

    /// Returns the anemometer; a pulse is `run` tenths of a millimetre of wind.
    pub fn new(counter: C, run: u32, clock: Clock) -> Self {
        Self { counter, clock, run, before: None, started: false }
    }

    fn wind(&mut self) -> Reading {
        let (now, count) = ((self.clock)(), self.counter.count());
        let before = *self.before.get_or_insert((now, count));
        let ms = now.ms_since(before.0);
        if ms < WIND_MS_MIN {
            return Err(Fault::NotReady);
        }
        self.before = Some((now, count));
        let run = i64::from(count.wrapping_sub(before.1)) * i64::from(self.run);
        // Tenths of a millimetre per millisecond are 10 steps of 0.01 m/s.
        in_range(
            Quantity::WindSpeed,
            nearest(run.saturating_mul(10), i64::try_from(ms).unwrap_or(i64::MAX)),
        )
    }
}

impl<C: PulseCounter> Probe for Anemometer<C> {
    fn sensor(&self) -> &'static str {
        "anemometer"
    }

    fn quantities(&self) -> &[Quantity] {
        &WIND_SPEED
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.started = true;
        Ok(NO_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        if !core::mem::take(&mut self.started) {
            return Outcome::Done(failed(&WIND_SPEED, Fault::NotReady));
        }
        let reading = self.wind();
        Outcome::Done(Readings::from_iter([(Quantity::WindSpeed, reading)]))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::cell::Cell;
    use measure::Scaled;

    use super::*;

    std::thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    fn clock() -> Uptime {
        Uptime(NOW.get())
    }

    impl PulseCounter for &Cell<u32> {
        fn count(&mut self) -> u32 {
            self.get()
        }
    }

    fn measure(probe: &mut dyn Probe) -> Reading {
        probe.start().unwrap();
        match probe.finish() {
            Outcome::Done(readings) => readings[0].1,
            Outcome::Again(_) => panic!("one step is enough"),
        }
    }

    #[test]
    fn tips_become_the_rain_since_the_reading_before() {
        let count = Cell::new(7);
        let mut gauge = RainGauge::new(&count, RainGauge::<&Cell<u32>>::TIP_0_2_MM);
        assert_eq!(measure(&mut gauge), Ok(Scaled(0)));
        count.set(12);
        assert_eq!(measure(&mut gauge), Ok(Scaled(100)));
        assert_eq!(measure(&mut gauge), Ok(Scaled(0)));
    }

    #[test]
    fn no_part_of_a_tip_is_lost_between_readings() {
        let count = Cell::new(0);
        let mut gauge = RainGauge::new(&count, RainGauge::<&Cell<u32>>::TIP_SEN15901);
        let mut sum = 0;
        for tips in 1..=1_000 {
            count.set(tips);
            sum += measure(&mut gauge).unwrap().0;
        }
        assert_eq!(sum, 27_940);
    }

    #[test]
    fn a_counter_that_comes_round_goes_on() {
        let count = Cell::new(u32::MAX);
        let mut gauge = RainGauge::new(&count, RainGauge::<&Cell<u32>>::TIP_0_2_MM);
        count.set(1);
        assert_eq!(measure(&mut gauge), Ok(Scaled(40)));
    }

    #[test]
    fn more_rain_than_falls_is_out_of_range() {
        let count = Cell::new(0);
        let mut gauge = RainGauge::new(&count, RainGauge::<&Cell<u32>>::TIP_0_2_MM);
        count.set(1_000_000);
        assert_eq!(measure(&mut gauge), Err(Fault::OutOfRange));
        assert_eq!(measure(&mut gauge), Ok(Scaled(0)));
    }

    #[test]
    fn pulses_in_a_time_become_the_mean_wind() {
        let count = Cell::new(0);
        NOW.set(5_000);
        let mut cups = Anemometer::new(&count, Anemometer::<&Cell<u32>>::RUN_SEN15901, clock);
        assert_eq!(measure(&mut cups), Err(Fault::NotReady));
        NOW.set(65_000);
        count.set(60);
        // One pulse in a second is 2.4 km/h.
        assert_eq!(measure(&mut cups), Ok(Scaled(67)));
        NOW.set(65_500);
        assert_eq!(measure(&mut cups), Err(Fault::NotReady));
        NOW.set(75_000);
        count.set(210);
        assert_eq!(measure(&mut cups), Ok(Scaled(1_000)));
        NOW.set(76_000);
        count.set(1_000_000);
        assert_eq!(measure(&mut cups), Err(Fault::OutOfRange));
    }

    #[test]
    fn without_a_start_there_is_nothing_to_read() {
        let count = Cell::new(0);
        let mut gauge = RainGauge::new(&count, 1);
        let mut cups = Anemometer::new(&count, 1, clock);
        assert_eq!(gauge.finish(), Outcome::Done(failed(&RAINFALL, Fault::NotReady)));
        assert_eq!(cups.finish(), Outcome::Done(failed(&WIND_SPEED, Fault::NotReady)));
    }
}
