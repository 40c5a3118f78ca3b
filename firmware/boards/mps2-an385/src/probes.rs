//! The chips of the two buses and the channels that they make.

use heapless::Vec;
use measure::Slug;
use sensors::{Bh1750, Chip, Lm75, Medium, Modbus, Probe, SOIL_SEN0601, Scd4x, Sht4x};
use static_cell::StaticCell;
use wire::{CHANNELS_MAX, Channel};

use crate::i2c::sbcon::Sbcon;
use crate::i2c::simulated::{self, Simulated};
use crate::uart::Uart;

/// The chips of one bus.
pub(crate) type Probes = &'static mut [&'static mut dyn Probe];

/// Returns the chip of the machine's bus, and the soil probe on its serial line where there is one.
/// Call it once.
pub(crate) fn machine(is_soil: bool) -> Probes {
    static TMP105: StaticCell<Lm75<Sbcon>> = StaticCell::new();
    static SOIL: StaticCell<Modbus<Uart>> = StaticCell::new();
    static PROBES: StaticCell<Vec<&'static mut dyn Probe, 2>> = StaticCell::new();
    // SAFETY: called once, or the cells below would panic.
    let bus = unsafe { Sbcon::take() };
    let tmp105 = Lm75::new(bus, Lm75::<Sbcon>::ADDRESS, Chip::Tmp105, Medium::Air);
    let probes = PROBES.init(Vec::from_iter([TMP105.init(tmp105) as &'static mut dyn Probe]));
    if is_soil {
        // SAFETY: called once, as above.
        let uart = unsafe { Uart::take(SOIL_SEN0601.baud) };
        probes.extend([SOIL.init(Modbus::new(uart, &SOIL_SEN0601)) as &'static mut dyn Probe]);
    }
    probes
}

/// Returns the made-up chips. Call it once.
pub(crate) fn simulated() -> Probes {
    type Bus<C> = Simulated<C>;
    static SHT4X: StaticCell<Sht4x<Bus<simulated::Sht4x>>> = StaticCell::new();
    static SCD4X: StaticCell<Scd4x<Bus<simulated::Scd4x>>> = StaticCell::new();
    static BH1750: StaticCell<Bh1750<Bus<simulated::Bh1750>>> = StaticCell::new();
    static PROBES: StaticCell<[&'static mut dyn Probe; 3]> = StaticCell::new();
    let sht4x = Sht4x::new(Simulated::default(), Sht4x::<Bus<simulated::Sht4x>>::ADDRESS);
    let scd4x = Scd4x::new(Simulated::default());
    let bh1750 = Bh1750::new(Simulated::default(), Bh1750::<Bus<simulated::Bh1750>>::ADDRESS);
    PROBES.init([SHT4X.init(sht4x), SCD4X.init(scd4x), BH1750.init(bh1750)])
}

/// Returns how many channels `probes` have.
pub(crate) fn count(probes: &[&mut dyn Probe]) -> u8 {
    probes.iter().map(|probe| probe.quantities().len() as u8).sum()
}

/// Appends the channels of `probes`, in the order in which [`node::Schedule`] counts them.
pub(crate) fn add_channels(
    channels: &mut Vec<Channel, CHANNELS_MAX>,
    probes: &[&mut dyn Probe],
    position: &Slug,
) {
    for probe in probes {
        let sensor = Slug::new(probe.sensor()).expect("a probe's name is a slug");
        channels.extend(probe.quantities().iter().map(|quantity| Channel {
            quantity: *quantity,
            position: position.clone(),
            sensor: sensor.clone(),
            calibration: 0,
            enabled: true,
        }));
    }
}
