//! The demonstration nursery: five houses, one for each crop group, their nodes and their channels.
//!
//! Plain descriptions that the daemon turns into zones and credentials, and [`crate::board::run`]
//! into running nodes. The bands that the houses are steered into are those of the crop profiles
//! in `seeds`; a test runs a year against the alarm limits.

use measure::{NodeKey, Quantity, Slug};

use crate::physics::{Aims, Build};
use crate::weather::Place;

/// The demonstration: one site.
#[derive(Clone, Debug, PartialEq)]
pub struct Demo {
    /// The site's name in topics.
    pub site: Slug,
    /// The site's name for people, in Chinese and in English.
    pub name: Name,
    /// Where it stands.
    pub place: Place,
    /// Its time zone, as IANA names it.
    pub time_zone: &'static str,
    /// Its houses, in the order of their numbers.
    pub houses: Vec<HousePlan>,
}

/// A name for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

/// A house: what grows in it, how it is built, and which nodes hang in it.
#[derive(Clone, Debug, PartialEq)]
pub struct HousePlan {
    /// Counted from 1, as in `--fault house=2`.
    pub number: usize,
    /// The zone that the house is, unique in the site.
    pub zone: Slug,
    /// Its name for people.
    pub name: Name,
    /// Crop, method and stage of what grows in it, as the crop profiles name them.
    pub stage: Stage,
    /// How it is built.
    pub build: Build,
    /// What its controllers aim at.
    pub aims: Aims,
    /// Its nodes.
    pub nodes: Vec<NodePlan>,
}

/// A stage of a crop, by the names of the crop profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `rice`
    pub crop: &'static str,
    /// `tray`
    pub method: &'static str,
    /// `7-2-leaf`
    pub stage: &'static str,
}

/// A node and the chips on its bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePlan {
    /// Its name.
    pub key: NodeKey,
    /// Its chips, in the order of its channels.
    pub chips: Vec<ChipPlan>,
}

/// A chip of a node, and where it hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipPlan {
    /// Which chip.
    pub chip: Chip,
    /// Where it hangs.
    pub position: Slug,
}

/// A chip of which the bus has a simulation and `sensors` a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// Air temperature and relative humidity.
    Sht4x,
    /// Carbon dioxide.
    Scd4x,
    /// Illuminance.
    Bh1750,
    /// Substrate temperature.
    Tmp105,
}

impl Chip {
    /// Returns what it measures, in the order of its readings.
    pub fn quantities(self) -> &'static [Quantity] {
        match self {
            Self::Sht4x => &[Quantity::AirTemperature, Quantity::RelativeHumidity],
            Self::Scd4x => &[Quantity::Co2],
            Self::Bh1750 => &[Quantity::Illuminance],
            Self::Tmp105 => &[Quantity::SubstrateTemperature],
        }
    }

    /// Returns its name in a birth.
    pub fn sensor(self) -> &'static str {
        match self {
            Self::Sht4x => "sht4x",
            Self::Scd4x => "scd4x",
            Self::Bh1750 => "bh1750",
            Self::Tmp105 => "tmp105",
        }
    }
}

/// A channel of a node: what the gateway will know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPlan {
    /// What it measures.
    pub quantity: Quantity,
    /// Where.
    pub position: Slug,
    /// With what.
    pub sensor: &'static str,
}

impl NodePlan {
    /// Returns whether one of its chips measures `quantity`.
    pub fn measures(&self, quantity: Quantity) -> bool {
        self.chips.iter().any(|plan| plan.chip.quantities().contains(&quantity))
    }

    /// Returns the channels, in the order of the birth.
    pub fn channels(&self) -> Vec<ChannelPlan> {
        let of_chip = |chip: &ChipPlan| {
            let ChipPlan { chip, position } = chip.clone();
            chip.quantities().iter().map(move |quantity| ChannelPlan {
                quantity: *quantity,
                position: position.clone(),
                sensor: chip.sensor(),
            })
        };
        self.chips.iter().flat_map(of_chip).collect()
    }
}

impl HousePlan {
    /// Returns whether a chip of one of its nodes measures `quantity`.
    pub fn measures(&self, quantity: Quantity) -> bool {
        self.nodes.iter().any(|node| node.measures(quantity))
    }
}

impl Demo {
    /// Returns the nodes of all houses.
    pub fn nodes(&self) -> impl Iterator<Item = (&HousePlan, &NodePlan)> {
        self.houses.iter().flat_map(|house| house.nodes.iter().map(move |node| (house, node)))
    }

    /// Returns the number of the house whose mist valve fails when nothing else is asked for: the next
    /// seed fails the next house.
    pub fn failing_house(&self, seed: u64) -> usize {
        let count = self.houses.len().max(1) as u64;
        usize::try_from(seed % count).unwrap_or(0) + 1
    }
}

/// Returns the demonstration nursery at the foot of the Jinfo mountain in Nanchuan.
pub fn demo() -> Demo {
    let site = slug("nanchuan");
    let houses = [rice(), blueberry(), tea(), coptis(), bamboo()]
        .into_iter()
        .enumerate()
        .map(|(index, house)| house.into_plan(&site, index + 1))
        .collect();
    Demo {
        site,
        name: Name { zh: "南川育苗工厂", en: "Nanchuan seedling factory" },
        place: Place { latitude_deg: 29.10, longitude_deg: 107.15, altitude_m: 900.0 },
        time_zone: "Asia/Shanghai",
        houses,
    }
}

/// A house as the table below gives it.
struct Preset {
    zone: &'static str,
    name: Name,
    stage: Stage,
    build: Build,
    aims: Aims,
}

impl Preset {
    fn into_plan(self, site: &Slug, number: usize) -> HousePlan {
        let node = |suffix: &str, chips: &[(Chip, &str)]| NodePlan {
            key: NodeKey { site: site.clone(), node: slug(&format!("{}-{suffix}", self.zone)) },
            chips: chips
                .iter()
                .map(|(chip, position)| ChipPlan { chip: *chip, position: slug(position) })
                .collect(),
        };
        let nodes = vec![
            node(
                "air",
                &[(Chip::Sht4x, "canopy"), (Chip::Scd4x, "canopy"), (Chip::Bh1750, "canopy")],
            ),
            node("bench", &[(Chip::Sht4x, "bench"), (Chip::Tmp105, "tray")]),
        ];
        HousePlan {
            number,
            zone: slug(self.zone),
            name: self.name,
            stage: self.stage,
            build: self.build,
            aims: self.aims,
            nodes,
        }
    }
}

/// A closed room of glass and foam with a strong air handler; each house changes what it needs.
const ROOM: Build = Build {
    height_m: 3.0,
    loss_w_m2_k: 3.5,
    capacity_j_m2_k: 45_000.0,
    light_share: 0.3,
    leakage_per_h: 0.5,
    vents_per_h: 5.0,
    heat_pump_w_m2: 550.0,
    dryer_per_h: 16.0,
    dryer_outlet_share: 0.3,
    mist_g_m2_s: 0.4,
};

fn rice() -> Preset {
    Preset {
        zone: "rice",
        name: Name { zh: "水稻绿化棚", en: "Rice greening house" },
        stage: Stage { crop: "rice", method: "tray", stage: "6-to-1-leaf" },
        build: Build { light_share: 0.4, dryer_outlet_share: 0.2, ..ROOM },
        aims: Aims {
            day_c: 23.5,
            night_c: 18.0,
            substrate_c: 19.0,
            mist_on_percent: 68.0,
            mist_off_percent: 73.0,
        },
    }
}

fn blueberry() -> Preset {
    Preset {
        zone: "blueberry",
        name: Name { zh: "蓝莓扦插喷雾棚", en: "Blueberry mist house" },
        stage: Stage { crop: "blueberry", method: "cutting", stage: "2-root-mist" },
        build: Build { light_share: 0.17, dryer_outlet_share: 0.4, ..ROOM },
        aims: Aims {
            day_c: 22.8,
            night_c: 19.0,
            substrate_c: 22.0,
            mist_on_percent: 89.0,
            mist_off_percent: 93.5,
        },
    }
}

fn tea() -> Preset {
    Preset {
        zone: "tea",
        name: Name { zh: "古树茶扦插棚", en: "Ancient-tree tea cutting house" },
        stage: Stage { crop: "tea", method: "cutting", stage: "1-root" },
        build: Build { light_share: 0.25, dryer_outlet_share: 0.35, ..ROOM },
        aims: Aims {
            day_c: 24.5,
            night_c: 21.5,
            substrate_c: 22.5,
            mist_on_percent: 83.0,
            mist_off_percent: 87.0,
        },
    }
}

fn coptis() -> Preset {
    Preset {
        zone: "coptis",
        name: Name { zh: "黄连育苗棚", en: "Coptis nursery house" },
        stage: Stage { crop: "coptis", method: "seed", stage: "4-nursery" },
        build: Build { light_share: 0.16, loss_w_m2_k: 2.5, dryer_outlet_share: 0.28, ..ROOM },
        aims: Aims {
            day_c: 15.5,
            night_c: 12.0,
            substrate_c: 11.0,
            mist_on_percent: 77.0,
            mist_off_percent: 82.0,
        },
    }
}

fn bamboo() -> Preset {
    Preset {
        zone: "bamboo",
        name: Name { zh: "金佛山方竹育苗棚", en: "Jinfo fangzhu bamboo house" },
        stage: Stage { crop: "bamboo", method: "seed", stage: "2-nursery" },
        build: Build { light_share: 0.3, dryer_outlet_share: 0.28, ..ROOM },
        aims: Aims {
            day_c: 20.0,
            night_c: 15.5,
            substrate_c: 15.0,
            mist_on_percent: 79.0,
            mist_off_percent: 84.0,
        },
    }
}

#[expect(
    clippy::expect_used,
    reason = "the names are those of this file, and a test builds them all"
)]
fn slug(name: &str) -> Slug {
    Slug::new(name).expect("the names of this file are slugs")
}

#[cfg(test)]
mod tests {
    use measure::Timestamp;

    use super::*;
    use crate::noise::hash;
    use crate::physics::{House, Outage, STEP_S};

    /// Alarm limits of the stage by day and by night, and the band for both (crop profiles).
    struct Limits {
        day_c: (f64, f64),
        night_c: (f64, f64),
        substrate_c: (f64, f64),
        humidity_percent: (f64, f64),
        band_percent: (f64, f64),
    }

    fn limits(zone: &str) -> Limits {
        let any = (-30.0, 60.0);
        let limits = |day_c, night_c, substrate_c, humidity_percent, band_percent| Limits {
            day_c,
            night_c,
            substrate_c,
            humidity_percent,
            band_percent,
        };
        match zone {
            // The tighter of 6_to_1_leaf and 7_2_leaf.
            "rice" => limits((12.0, 28.0), (10.0, 25.0), any, (50.0, 90.0), (60.0, 80.0)),
            "blueberry" => {
                limits((15.0, 30.0), (13.0, 24.0), (16.0, 28.0), (75.0, 101.0), (85.0, 98.0))
            }
            "tea" => limits((10.0, 35.0), (10.0, 35.0), (10.0, 30.0), (70.0, 101.0), (80.0, 90.0)),
            "coptis" => limits((5.0, 25.0), (-2.0, 18.0), any, (60.0, 98.0), (70.0, 90.0)),
            _ => limits((-2.0, 30.0), (-2.0, 30.0), any, (60.0, 101.0), (75.0, 90.0)),
        }
    }

    fn house(plan: &HousePlan, seed: u64, from: Timestamp) -> House {
        House::new(plan.build, plan.aims, demo().place, seed, hash(seed, plan.number as u64), from)
    }

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR: Timestamp = match Timestamp::from_micros(1_767_225_600_000_000) {
        Some(time) => time,
        None => Timestamp::MIN,
    };
    const YEAR_S: i64 = 365 * 86_400;
    /// The shortest on-delay of a non-lethal rule, in seconds.
    const ON_DELAY_S: i64 = 600;

    fn a_year_without_faults(zone: &str, seed: u64) {
        let demo = demo();
        let plan = demo.houses.iter().find(|house| house.zone.as_str() == zone).unwrap();
        let limits = limits(zone);
        let mut house = house(plan, seed, NEW_YEAR);
        let mut beyond_s = 0;
        let (mut in_band, mut count) = (0, 0);
        let mut seen = [(f64::MAX, f64::MIN); 4];
        for second in (0..YEAR_S).step_by(STEP_S as usize) {
            house.advance_to(NEW_YEAR.plus_ms(second * 1_000));
            let (air, out) = (*house.indoors(), *house.outdoors());
            let humidity = air.humidity_percent();
            assert!(humidity <= 100.0 + 1e-9);
            let (low_c, high_c) =
                if out.sun_elevation_deg > 0.0 { limits.day_c } else { limits.night_c };
            let inside = |value: f64, (low, high): (f64, f64)| low <= value && value <= high;
            let is_fine = inside(air.air_c, (low_c, high_c))
                && inside(humidity, limits.humidity_percent)
                && inside(air.substrate_c, limits.substrate_c)
                && inside(air.co2_ppm, (300.0, 1_500.0));
            beyond_s = if is_fine { 0 } else { beyond_s + STEP_S };
            assert!(
                beyond_s < ON_DELAY_S / 2,
                "{zone} on day {}: {air:?} under {out:?}",
                second / 86_400
            );
            in_band += i64::from(inside(humidity, limits.band_percent));
            count += 1;
            for (seen, value) in
                seen.iter_mut().zip([air.air_c, humidity, air.substrate_c, air.co2_ppm])
            {
                *seen = (seen.0.min(value), seen.1.max(value));
            }
        }
        println!("{zone}: air, humidity, substrate, CO2 {seen:.1?}; in band {in_band}/{count}");
        assert!(in_band * 1_000 >= count * 995, "{zone} is in its band {in_band} of {count}");
    }

    /// Fails the valve at every hour of one day in nine, and returns the longest time until the
    /// humidity is a point below the alarm limit.
    fn a_failed_valve_shows(zone: &str, seed: u64) {
        let demo = demo();
        let plan = demo.houses.iter().find(|house| house.zone.as_str() == zone).unwrap();
        let (limit, _) = limits(zone).humidity_percent;
        let mut house = house(plan, seed, NEW_YEAR);
        let mut slowest = (0, 0);
        let mut least_margin = f64::MAX;
        for hour in (0..365 * 24).filter(|hour| (hour / 24) % 9 == 0) {
            let from = NEW_YEAR.plus_ms(hour * 3_600_000);
            house.advance_to(from);
            let mut failing = house.clone();
            failing.set_outages(vec![Outage { from, until: Timestamp::MAX }]);
            let falls = |second: &i64| {
                failing.advance_to(from.plus_ms(second * 1_000));
                failing.indoors().humidity_percent() < limit - 1.0
            };
            let second = (0..3_600).step_by(10).find(falls).unwrap_or(3_600);
            slowest = slowest.max((second, hour));
            for minute in 10..40 {
                failing.advance_to(from.plus_ms(minute * 60_000));
                least_margin = least_margin.min(limit - failing.indoors().humidity_percent());
            }
        }
        println!("{zone}: slowest fall {slowest:?} s and hour, least margin {least_margin:.1} %");
        assert!(slowest.0 <= 480, "{zone}: {slowest:?}");
        assert!(least_margin >= 2.0, "{zone} stays {least_margin} % below its limit");
    }

    macro_rules! for_each_house {
        ($($zone:ident)*) => { $( mod $zone {
            #[test]
            fn stays_within_its_limits_for_a_year() {
                super::a_year_without_faults(stringify!($zone), 20);
            }

            #[test]
            fn shows_a_failed_mist_valve_at_any_hour() {
                super::a_failed_valve_shows(stringify!($zone), 3);
            }
        } )* };
    }

    for_each_house!(rice blueberry tea coptis bamboo);

    #[test]
    fn names_are_unique_and_channels_have_their_own_place() {
        let demo = demo();
        assert_eq!(demo.houses.len(), 5);
        let mut keys: Vec<_> = demo.nodes().map(|(_, node)| node.key.clone()).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 10);
        for (_, node) in demo.nodes() {
            let mut places: Vec<_> = node
                .channels()
                .into_iter()
                .map(|channel| (channel.quantity, channel.position))
                .collect();
            let count = places.len();
            places.sort();
            places.dedup();
            assert_eq!(places.len(), count);
        }
    }

    #[test]
    fn another_seed_fails_another_house() {
        let demo = demo();
        for seed in 0..20 {
            assert!((1..=5).contains(&demo.failing_house(seed)));
        }
        for seed in 0..20 {
            assert_ne!(demo.failing_house(seed), demo.failing_house(seed + 1));
        }
    }
}
