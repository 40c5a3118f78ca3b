//! The air in one house: balances of heat, water and carbon dioxide over a square metre of floor.
//!
//! The houses of the demonstration are closed factory rooms with an air handler, as growth rooms
//! have: it heats and cools (a heat pump), and dries all the time, giving the heat of condensation
//! back; mist adds the water again. That is why a failed mist valve shows within minutes in every
//! season. A tunnel of film behaves more gently and is not what this model describes.

use measure::Timestamp;

use crate::noise::unit;
use crate::weather::{Outdoors, Place, saturation_g_m3, weather};

/// One step of the model. It is the same at any speed, so that a run can be repeated exactly.
pub const STEP_S: i64 = 5;
/// The weather is looked up once in so many steps: it hardly changes in half a minute.
const WEATHER_STEPS: i64 = 6;
/// How long before its first reading a house is started, to have forgotten how it began.
pub const SPIN_UP_S: i64 = 12 * 3_600;

/// Heat of vaporisation at 20 °C, in J/g (FAO-56, equation 3-1: 2.45 MJ/kg).
const VAPORISATION_J_G: f64 = 2_450.0;
/// Volumetric heat capacity of air at sea level, in J/m³/K: 1.2 kg/m³ times 1005 J/kg/K.
const AIR_J_M3_K: f64 = 1_206.0;
/// Moles in a cubic metre of air at sea level and 20 °C.
const AIR_MOL_M3: f64 = 41.6;
/// The height in which pressure falls to 1/e, in m.
const SCALE_HEIGHT_M: f64 = 8_400.0;
/// Heat exchange of a bench's substrate with the air, and with the ground below, in W/m²/K.
const BENCH_W_M2_K: f64 = 6.0;
const GROUND_W_M2_K: f64 = 0.4;
/// Heat stored in 7 cm of wet substrate, in J/m²/K.
const SUBSTRATE_J_M2_K: f64 = 160_000.0;
/// The strongest root-zone heating, in W/m², and the band in which it works, in K.
const HEAT_MAT_W_M2: f64 = 80.0;
const HEAT_MAT_BAND_K: f64 = 0.5;
/// Share of the radiation passing the shade that warms air and canopy, and substrate.
const RADIATION_TO_AIR: f64 = 0.75;
const RADIATION_TO_SUBSTRATE: f64 = 0.08;
/// The heat pump works in proportion until the air is so far from its set point, in K.
const HEAT_PUMP_BAND_K: f64 = 0.8;
/// Vents begin to open so far above the set point, and are open after as much again, in K.
const VENT_START_K: f64 = 1.0;
/// An open door, with a porch behind it, changes the air so often, per hour.
const DOOR_PER_H: f64 = 4.0;
/// Evaporation from leaves and wet trays: conductance in the dark and what full light adds, in m/s;
/// half of that at this radiation, in W/m². Seedlings have small leaves and stomata that open in
/// light (Stanghellini 1987, "Transpiration of greenhouse crops").
const LEAF_DARK_M_S: f64 = 0.000_5;
const LEAF_LIGHT_M_S: f64 = 0.001_2;
const LEAF_LIGHT_HALF_W_M2: f64 = 60.0;
/// Mist evaporates whole in dry air and in part within this share of saturation; the rest wets.
const MIST_SLOW_SHARE: f64 = 0.06;
/// Condensation on the cover: conductance, in m/s, and how far the cover lies towards outside.
const COVER_M_S: f64 = 0.001_5;
const COVER_SHARE: f64 = 0.3;
/// The dryer's compressor adds so much to the heat of condensation that it gives back.
const DRYER_HEAT: f64 = 1.15;
/// Photosynthesis at most, in µmol/m²/s, its half light in µmol/m²/s and half CO2 in ppm; and what
/// roots and substrate breathe out at 20 °C, doubling every 10 K.
const UPTAKE_UMOL: f64 = 5.0;
const UPTAKE_HALF_LIGHT: f64 = 150.0;
const UPTAKE_HALF_PPM: f64 = 250.0;
const BREATH_UMOL: f64 = 1.6;
/// Photons of photosynthesis in a joule of sunlight, in µmol (McCree 1972; 4.57 times 0.45).
const PHOTONS_UMOL_J: f64 = 2.06;
/// Luminous efficacy of daylight, in lm/W (Littlefair 1985, mean of sky and sun).
const DAYLIGHT_LM_W: f64 = 110.0;

/// What a house is built of and equipped with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Build {
    /// Mean height, in m.
    pub height_m: f64,
    /// Heat loss through cover and walls, in W per m² of floor and K.
    pub loss_w_m2_k: f64,
    /// Heat stored in air, benches and plants, in J per m² of floor and K.
    pub capacity_j_m2_k: f64,
    /// Share of the light that passes cover and shade.
    pub light_share: f64,
    /// Air changes per hour of the closed house.
    pub leakage_per_h: f64,
    /// Air changes per hour that open vents add.
    pub vents_per_h: f64,
    /// The strongest heating and cooling, in W/m².
    pub heat_pump_w_m2: f64,
    /// Air changes per hour through the dryer, which never stops.
    pub dryer_per_h: f64,
    /// Relative humidity of the dried air at the house's temperature, as a share.
    pub dryer_outlet_share: f64,
    /// What open mist nozzles give, in g/m²/s.
    pub mist_g_m2_s: f64,
}

/// What the controllers of a house aim at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aims {
    /// Air temperature by day, in °C.
    pub day_c: f64,
    /// Air temperature by night, in °C.
    pub night_c: f64,
    /// Root-zone heating keeps the substrate at least so warm, in °C.
    pub substrate_c: f64,
    /// The mist valve opens below this relative humidity, in percent...
    pub mist_on_percent: f64,
    /// ... and closes above this one.
    pub mist_off_percent: f64,
}

/// What it is like inside, where the sensors hang.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Indoors {
    /// Air temperature, in °C.
    pub air_c: f64,
    /// Water vapour, in g/m³; never above saturation.
    pub vapour_g_m3: f64,
    /// Carbon dioxide, in ppm.
    pub co2_ppm: f64,
    /// Substrate temperature, in °C.
    pub substrate_c: f64,
    /// Illuminance over the canopy, in lx.
    pub illuminance_lx: f64,
    /// Whether the mist valve is open.
    pub is_misting: bool,
}

impl Indoors {
    /// Returns the relative humidity, in percent.
    pub fn humidity_percent(&self) -> f64 {
        100.0 * self.vapour_g_m3 / saturation_g_m3(self.air_c)
    }
}

/// When the mist valve is stuck shut, in microseconds of UTC: from, and until (not included).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The valve shuts.
    pub from: Timestamp,
    /// The valve is repaired.
    pub until: Timestamp,
}

/// A house and its air at one moment. It goes forward only.
#[derive(Clone, Debug)]
pub struct House {
    build: Build,
    aims: Aims,
    place: Place,
    weather_seed: u64,
    seed: u64,
    step: i64,
    outdoors: Outdoors,
    indoors: Indoors,
    outages: Vec<Outage>,
}

impl House {
    /// Returns a house that has run for [`SPIN_UP_S`] when `ready_at` comes. `seed` is the house's,
    /// `weather_seed` that of all houses of its site.
    pub fn new(
        build: Build,
        aims: Aims,
        place: Place,
        weather_seed: u64,
        seed: u64,
        ready_at: Timestamp,
    ) -> Self {
        let step = step_of(ready_at) - SPIN_UP_S / STEP_S;
        let outdoors = weather(&place, weather_seed, time_of(step));
        let indoors = Indoors {
            air_c: aims.day_c,
            vapour_g_m3: saturation_g_m3(aims.day_c) * aims.mist_on_percent / 100.0,
            co2_ppm: outdoors.co2_ppm,
            substrate_c: aims.substrate_c,
            illuminance_lx: 0.0,
            is_misting: false,
        };
        Self {
            build,
            aims,
            place,
            weather_seed,
            seed,
            step,
            outdoors,
            indoors,
            outages: Vec::new(),
        }
    }

    /// Has the mist valve stuck shut at these times, and at no others.
    pub fn set_outages(&mut self, outages: Vec<Outage>) {
        self.outages = outages;
    }

    /// Goes on until `time`, in whole steps; a time that has passed changes nothing. How the way is
    /// cut into calls makes no difference.
    pub fn advance_to(&mut self, time: Timestamp) {
        let last = step_of(time);
        while self.step < last {
            self.advance();
        }
    }

    /// Returns the air in the house.
    pub fn indoors(&self) -> &Indoors {
        &self.indoors
    }

    /// Returns the weather around it.
    pub fn outdoors(&self) -> &Outdoors {
        &self.outdoors
    }

    fn advance(&mut self) {
        self.step += 1;
        let now = time_of(self.step);
        if self.step % WEATHER_STEPS == 0 {
            self.outdoors = weather(&self.place, self.weather_seed, now);
        }
        let is_mist_shut =
            self.outages.iter().any(|outage| outage.from <= now && now < outage.until);
        let humidity = self.indoors.humidity_percent();
        self.indoors.is_misting = !is_mist_shut
            && if self.indoors.is_misting {
                humidity < self.aims.mist_off_percent
            } else {
                humidity < self.aims.mist_on_percent
            };
        let is_door_open = is_door_open(self.seed, self.step, self.outdoors.sun_elevation_deg);
        step(&self.build, &self.aims, &self.place, &self.outdoors, is_door_open, &mut self.indoors);
    }
}

fn step_of(time: Timestamp) -> i64 {
    time.micros().div_euclid(STEP_S * 1_000_000)
}

fn time_of(step: i64) -> Timestamp {
    Timestamp::MIN.plus_micros(step.saturating_mul(STEP_S * 1_000_000))
}

/// People come by day, about once an hour, and hold the door open for half a minute to two minutes.
fn is_door_open(seed: u64, step: i64, sun_elevation_deg: f64) -> bool {
    const SLOT_STEPS: i64 = 600 / STEP_S;
    if sun_elevation_deg < 5.0 {
        return false;
    }
    let slot = step.div_euclid(SLOT_STEPS).cast_unsigned();
    let open_steps = (30.0 + 90.0 * unit(seed ^ 0xD00F, slot)) / STEP_S as f64;
    unit(seed ^ 0xD002, slot) < 0.17 && (step.rem_euclid(SLOT_STEPS) as f64) < open_steps
}

/// Returns the temperature that the controllers aim at: it moves from night to day while the sun
/// climbs from 2° below the horizon to 12° above it, and back.
fn set_point_c(aims: &Aims, sun_elevation_deg: f64) -> f64 {
    let share = ((sun_elevation_deg + 2.0) / 14.0).clamp(0.0, 1.0);
    aims.night_c + (aims.day_c - aims.night_c) * share
}

/// Moves the air of a house on by one step.
fn step(
    build: &Build,
    aims: &Aims,
    place: &Place,
    out: &Outdoors,
    is_door_open: bool,
    air: &mut Indoors,
) {
    let dt_s = STEP_S as f64;
    let thinness = (-place.altitude_m / SCALE_HEIGHT_M).exp();
    let saturation = saturation_g_m3(air.air_c);
    let light = build.light_share * out.radiation_w_m2;
    let set_point = set_point_c(aims, out.sun_elevation_deg);

    // Air exchanged with outside, in m³ per m² of floor and second.
    let vents = if out.air_c < air.air_c - 1.0 {
        ((air.air_c - set_point - VENT_START_K) / VENT_START_K).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let door = if is_door_open { DOOR_PER_H } else { 0.0 };
    let changes_per_h = build.leakage_per_h + build.vents_per_h * vents + door;
    let exchange = build.height_m * changes_per_h / 3_600.0;

    // Water, in g/m²/s.
    let deficit = (saturation - air.vapour_g_m3).max(0.0);
    let mist_share = (deficit / (MIST_SLOW_SHARE * saturation)).min(1.0);
    let mist = if air.is_misting { build.mist_g_m2_s * mist_share } else { 0.0 };
    let leaves =
        (LEAF_DARK_M_S + LEAF_LIGHT_M_S * light / (light + LEAF_LIGHT_HALF_W_M2)) * deficit;
    let dried = build.height_m * build.dryer_per_h / 3_600.0
        * (air.vapour_g_m3 - build.dryer_outlet_share * saturation).max(0.0);
    let cover_c = air.air_c - COVER_SHARE * (air.air_c - out.air_c).max(0.0);
    let cover = COVER_M_S * (air.vapour_g_m3 - saturation_g_m3(cover_c)).max(0.0);
    let exchanged = exchange * (air.vapour_g_m3 - out.vapour_g_m3);
    let vapour =
        air.vapour_g_m3 + (mist + leaves - dried - cover - exchanged) * dt_s / build.height_m;

    // Heat, in W/m².
    let pump = ((set_point - air.air_c) / HEAT_PUMP_BAND_K).clamp(-1.0, 1.0) * build.heat_pump_w_m2;
    let to_bench = BENCH_W_M2_K * (air.air_c - air.substrate_c);
    let heat = RADIATION_TO_AIR * light + pump
        - (build.loss_w_m2_k + AIR_J_M3_K * thinness * exchange) * (air.air_c - out.air_c)
        - VAPORISATION_J_G * (mist + leaves)
        + VAPORISATION_J_G * (DRYER_HEAT * dried + (1.0 - COVER_SHARE) * cover)
        - to_bench;
    let mat =
        ((aims.substrate_c - air.substrate_c) / HEAT_MAT_BAND_K).clamp(0.0, 1.0) * HEAT_MAT_W_M2;
    let to_ground = GROUND_W_M2_K * (air.substrate_c - out.ground_c);
    air.air_c += heat * dt_s / build.capacity_j_m2_k;
    air.substrate_c +=
        (RADIATION_TO_SUBSTRATE * light + mat + to_bench - to_ground) * dt_s / SUBSTRATE_J_M2_K;

    // What is above saturation falls out as fog at once, and warms the air.
    let fog = (vapour - saturation_g_m3(air.air_c)).max(0.0);
    air.air_c += fog * build.height_m * VAPORISATION_J_G / build.capacity_j_m2_k;
    air.vapour_g_m3 = (vapour - fog).max(0.0);

    // Carbon dioxide, in µmol/m²/s.
    let photons = PHOTONS_UMOL_J * light;
    let uptake = UPTAKE_UMOL * photons / (photons + UPTAKE_HALF_LIGHT) * air.co2_ppm
        / (air.co2_ppm + UPTAKE_HALF_PPM);
    let breath = BREATH_UMOL * 2_f64.powf((air.substrate_c - 20.0) / 10.0);
    let moles = AIR_MOL_M3 * thinness * build.height_m;
    air.co2_ppm +=
        ((breath - uptake) / moles - changes_per_h / 3_600.0 * (air.co2_ppm - out.co2_ppm)) * dt_s;
    air.illuminance_lx = DAYLIGHT_LM_W * light;
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { latitude_deg: 29.1, longitude_deg: 107.1, altitude_m: 0.0 };
    const NOON: Timestamp = match Timestamp::from_millis(1_782_017_400_000) {
        Some(time) => time,
        None => Timestamp::MIN,
    };
    /// Nothing passes: no heat, air, light or water.
    const SEALED: Build = Build {
        height_m: 3.0,
        loss_w_m2_k: 0.0,
        capacity_j_m2_k: 45_000.0,
        light_share: 0.0,
        leakage_per_h: 0.0,
        vents_per_h: 0.0,
        heat_pump_w_m2: 0.0,
        dryer_per_h: 0.0,
        dryer_outlet_share: 0.3,
        mist_g_m2_s: 0.3,
    };
    const AIMS: Aims = Aims {
        day_c: 22.0,
        night_c: 18.0,
        substrate_c: 0.0,
        mist_on_percent: 80.0,
        mist_off_percent: 85.0,
    };

    fn outside(air_c: f64, radiation_w_m2: f64) -> Outdoors {
        Outdoors {
            air_c,
            vapour_g_m3: 0.7 * saturation_g_m3(air_c),
            radiation_w_m2,
            sun_elevation_deg: if radiation_w_m2 > 0.0 { 40.0 } else { -40.0 },
            co2_ppm: 425.0,
            ground_c: 20.0,
        }
    }

    fn inside(humidity_percent: f64) -> Indoors {
        Indoors {
            air_c: 20.0,
            vapour_g_m3: saturation_g_m3(20.0) * humidity_percent / 100.0,
            co2_ppm: 425.0,
            substrate_c: 20.0,
            illuminance_lx: 0.0,
            is_misting: false,
        }
    }

    /// Lets `steps` pass and returns what became of the air.
    fn after(build: &Build, out: &Outdoors, mut air: Indoors, steps: usize) -> Indoors {
        for _ in 0..steps {
            step(build, &AIMS, &PLACE, out, false, &mut air);
        }
        air
    }

    #[test]
    fn a_sealed_house_keeps_its_energy_when_leaves_evaporate() {
        let before = inside(40.0);
        let air = after(&SEALED, &outside(20.0, 0.0), before, 200);
        assert!(air.vapour_g_m3 > before.vapour_g_m3 && air.air_c < before.air_c);
        let energy = |air: &Indoors| {
            SEALED.capacity_j_m2_k * air.air_c
                + SUBSTRATE_J_M2_K * air.substrate_c
                + VAPORISATION_J_G * SEALED.height_m * air.vapour_g_m3
        };
        // What the ground gives is known to within a watt: it is all that is not sealed.
        let ground_j = GROUND_W_M2_K * 200.0 * STEP_S as f64;
        assert!((energy(&air) - energy(&before)).abs() < ground_j);
    }

    #[test]
    fn heat_goes_from_warm_to_cold_and_the_sun_warms() {
        let leaky = Build { loss_w_m2_k: 4.0, leakage_per_h: 0.5, ..SEALED };
        let lit = Build { light_share: 0.5, ..SEALED };
        let air_c = |build: &Build, out: Outdoors| after(build, &out, inside(70.0), 20).air_c;
        let sealed = air_c(&SEALED, outside(20.0, 0.0));
        assert!(air_c(&leaky, outside(0.0, 0.0)) < sealed - 0.1);
        assert!(air_c(&leaky, outside(40.0, 0.0)) > sealed + 0.1);
        assert!(air_c(&lit, outside(20.0, 800.0)) > sealed + 0.1);
    }

    #[test]
    fn the_heat_pump_reaches_its_set_point_from_both_sides() {
        let build = Build { heat_pump_w_m2: 300.0, ..SEALED };
        for start_c in [10.0, 30.0] {
            let air = Indoors { air_c: start_c, ..inside(50.0) };
            let air = after(&build, &outside(20.0, 0.0), air, 2_000);
            assert!((air.air_c - AIMS.night_c).abs() < 0.5, "{}", air.air_c);
        }
    }

    #[test]
    fn mist_moistens_and_cools_and_never_fills_beyond_saturation() {
        let misting = Indoors { is_misting: true, ..inside(60.0) };
        let one = after(&SEALED, &outside(20.0, 0.0), misting, 10);
        assert!(one.humidity_percent() > 65.0 && one.air_c < 19.5);
        for cold_c in [-10.0, 5.0, 20.0] {
            let build = Build { loss_w_m2_k: 8.0, ..SEALED };
            let mut air = misting;
            for _ in 0..5_000 {
                air = after(&build, &outside(cold_c, 0.0), air, 1);
                assert!(air.humidity_percent() <= 100.0 + 1e-9);
            }
            assert!(air.humidity_percent() > 95.0);
        }
    }

    #[test]
    fn the_dryer_dries_to_its_outlet_and_gives_the_heat_back() {
        let build = Build { dryer_per_h: 16.0, ..SEALED };
        let air = after(&build, &outside(20.0, 0.0), inside(90.0), 120);
        assert!(air.humidity_percent() < 60.0 && air.humidity_percent() > 30.0);
        assert!(air.air_c > 20.0);
    }

    #[test]
    fn carbon_dioxide_falls_by_day_and_rises_by_night() {
        let build = Build { light_share: 0.5, leakage_per_h: 0.5, heat_pump_w_m2: 400.0, ..SEALED };
        let ppm = |radiation| after(&build, &outside(20.0, radiation), inside(80.0), 1_400).co2_ppm;
        assert!(ppm(800.0) < 400.0);
        assert!(ppm(0.0) > 450.0);
    }

    #[test]
    fn how_the_way_is_cut_makes_no_difference() {
        let build = Build { light_share: 0.3, heat_pump_w_m2: 400.0, dryer_per_h: 12.0, ..SEALED };
        let house = House::new(build, AIMS, PLACE, 1, 2, NOON);
        let (mut once, mut often) = (house.clone(), house);
        once.advance_to(NOON.plus_ms(7_200_000));
        for ms in (0..=7_200_000).step_by(1_237) {
            often.advance_to(NOON.plus_ms(ms));
        }
        often.advance_to(NOON.plus_ms(7_200_000));
        assert_eq!(once.indoors(), often.indoors());
        often.advance_to(NOON);
        assert_eq!(once.indoors(), often.indoors());
    }
}
