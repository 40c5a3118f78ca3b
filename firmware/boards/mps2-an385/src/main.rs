//! A node as a real Cortex-M3 image: QEMU's machine `mps2-an385`, a TMP105 on its I2C bus, its
//! LAN9118, a file as flash.
//!
//! ```text
//!  TMP105 -- i2c/sbcon ------ sample task --+                   +-- link task -- link -- minimq
//!                                           +--> node::Node ---+                          |
//!  SHT4x, SCD4x, BH1750 ----- sample task --+    |       |              embassy-net -- net/lan9118
//!    (i2c/simulated)                           flash   ledger
//! ```
//!
//! The crates `sensors`, `node` and `wire` decide; this image gives them a clock (`time`), a flash
//! (`flash`), two buses (`i2c`), a network (`net`, `link`) and a way out for the ledger (`ledger`,
//! `host`). One task for each bus, so that a slow chip holds up no other, and none of them waits
//! for the network: the node is locked only while it works in its flash. Idle, the processor sleeps
//! (`executor`).
//!
//! `run.sh` starts it and tells it who it is (`config`). It is not for real hardware as it stands:
//! the flash is memory and the ledger, the configuration and the random numbers come by
//! semihosting.
#![no_std]
#![no_main]

mod config;
mod executor;
mod flash;
mod host;
mod i2c;
mod ledger;
mod link;
mod net;
mod time;

use core::fmt;
use core::panic::PanicInfo;

use embassy_futures::block_on;
use embassy_futures::select::{Either, select};
use embassy_net::{DhcpConfig, Runner, Stack, StackResources};
use embassy_sync::blocking_mutex::raw::ThreadModeRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::Watch;
use embassy_time::{Instant, Timer};
use heapless::{String, Vec};
use measure::{Slug, Uptime};
use node::{IDENTITY_PAGES, Layout, Node, Schedule, Start, Step};
use sensors::{Bh1750, Chip, Lm75, Medium, Probe, Scd4x, Sht4x};
use static_cell::{ConstStaticCell, StaticCell};
use wire::{CHANNELS_MAX, Channel};

use crate::config::Config;
use crate::flash::Flash;
use crate::i2c::sbcon::Sbcon;
use crate::i2c::simulated::{self, Simulated};
use crate::net::lan9118::{self, Lan9118};

/// Name and version of the firmware, in the birth.
const FIRMWARE: &str = concat!("mps2-an385 ", env!("CARGO_PKG_VERSION"));
const RING_PAGES: usize = (flash::BYTES / flash::PAGE_BYTES - IDENTITY_PAGES) as usize;
/// The least time between two frames of the backlog, in milliseconds: a live reading waits no
/// longer than this.
const BACKLOG_PAUSE_MS: u32 = 20;

/// The node, which both the sampling tasks and the link use.
type Shared = Mutex<ThreadModeRawMutex, Node<Flash, RING_PAGES>>;
type NodeError = node::Error<flash::Misuse>;
/// The chips of one bus.
type Probes = &'static mut [&'static mut dyn Probe];

/// Tells the link that there are readings to send.
static RECORDED: Signal<ThreadModeRawMutex, ()> = Signal::new();
/// Tells the sampling tasks how often to sample, after a command.
static INTERVAL_MS: Watch<ThreadModeRawMutex, u32, 2> = Watch::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    time::start();
    // SAFETY: no critical section is open, and the handler of the interrupt is in place.
    unsafe { cortex_m::peripheral::NVIC::unmask(Irq(time::IRQ)) };
    let config = configure();
    let machine = machine_probes();
    let simulated = if config.simulated.is_some() { simulated_probes() } else { &mut [] };
    let first_simulated = machine.iter().map(|probe| probe.quantities().len() as u8).sum();
    let node = open(config, machine, simulated);
    let (stack, runner) = network();
    executor::run(|spawner| {
        let enough = "each task is spawned as often as its pool is large";
        spawner.spawn(sample(node, machine, 0).expect(enough));
        if !simulated.is_empty() {
            spawner.spawn(sample(node, simulated, first_simulated).expect(enough));
        }
        spawner.spawn(network_task(runner).expect(enough));
        spawner.spawn(link_task(stack, config, node).expect(enough));
    })
}

fn configure() -> &'static Config {
    static CONFIG: StaticCell<Config> = StaticCell::new();
    CONFIG.init(config::load().unwrap_or_else(|error| stop("config", error)))
}

/// The fault of the feature `break-flash`: every start erases what was kept.
#[cfg(feature = "break-flash")]
fn forget(mut flash: Flash) -> Flash {
    use embedded_storage_async::nor_flash::NorFlash as _;
    if block_on(flash.erase(0, flash::BYTES)).is_err() {
        log!("flash: cannot be erased");
    }
    flash
}

/// Reads the flash, begins a boot and says so.
// Here and not in a task, and not inlined: it takes 28 KiB of stack once, which the tasks then use
// again.
#[inline(never)]
fn open(
    config: &Config,
    machine: &[&mut dyn Probe],
    simulated: &[&mut dyn Probe],
) -> &'static Shared {
    static NODE: StaticCell<Shared> = StaticCell::new();
    let mut channels = Vec::new();
    add_channels(&mut channels, machine, &config.tmp105);
    if let Some(position) = &config.simulated {
        add_channels(&mut channels, simulated, position);
    }
    ledger::channels(&channels);
    let node_config = node::Config {
        key: config.key.clone(),
        firmware: String::try_from(FIRMWARE).expect("the name fits"),
        target: None,
        release: 0,
        channels,
        interval_ms: config.interval_ms,
        gateways: Vec::new(),
        backlog_pause_ms: BACKLOG_PAUSE_MS,
        layout: Layout::split(0..flash::BYTES, flash::PAGE_BYTES),
    };
    // SAFETY: called once; a second call would panic at the cell above.
    let flash = unsafe { Flash::take() };
    #[cfg(feature = "break-flash")]
    let flash = forget(flash);
    let random = u64::from_le_bytes(host::random());
    // The futures of this flash are ready at once, so nothing is waited for.
    let node = NODE.init_with(|| {
        let opened = block_on(Node::open(flash, node_config, random, Start::Cold));
        Mutex::new(opened.unwrap_or_else(|error| stop("flash", error)))
    });
    let (flash, boot) = (node.get_mut().flash_id(), node.get_mut().boot());
    ledger::node(&config.key, flash, boot);
    log!(
        "start: node={} flash={flash} boot={boot} interval_ms={} waiting={} broker={}",
        config.key,
        node.get_mut().interval_ms(),
        node.get_mut().waiting(),
        config.broker
    );
    node
}

/// Ends the image because of what it cannot start without.
fn stop(what: &str, error: impl fmt::Display) -> ! {
    log!("{what}: {error}");
    host::fail()
}

fn machine_probes() -> Probes {
    static TMP105: StaticCell<Lm75<Sbcon>> = StaticCell::new();
    static PROBES: StaticCell<[&'static mut dyn Probe; 1]> = StaticCell::new();
    // SAFETY: called once, or the cells below would panic.
    let bus = unsafe { Sbcon::take() };
    let tmp105 = Lm75::new(bus, Lm75::<Sbcon>::ADDRESS, Chip::Tmp105, Medium::Air);
    PROBES.init([TMP105.init(tmp105)])
}

fn simulated_probes() -> Probes {
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

/// Appends the channels of `probes`, in the order in which [`Schedule`] counts them.
fn add_channels(
    channels: &mut Vec<Channel, CHANNELS_MAX>,
    probes: &[&mut dyn Probe],
    position: &Slug,
) {
    for probe in probes.iter() {
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

/// Samples the chips of one bus, whose channels count from `first_channel`.
#[embassy_executor::task(pool_size = 2)]
async fn sample(node: &'static Shared, probes: Probes, first_channel: u8) -> ! {
    let mut interval = INTERVAL_MS.receiver().expect("there is one for each such task");
    let mut schedule = Schedule::new(node.lock().await.interval_ms(), now());
    loop {
        let (at, mut readings) = match schedule.poll(now(), probes) {
            Step::Round { at, readings } => (at, readings),
            Step::Wait(until) => {
                let until = Timer::at(Instant::from_millis(until.0));
                if let Either::First(interval_ms) = select(interval.changed(), until).await {
                    schedule.set_interval(now(), interval_ms);
                }
                continue;
            }
        };
        for (channel, ..) in &mut readings {
            *channel += first_channel;
        }
        // The line follows the flash under one lock, so the link cannot send a reading before its
        // line.
        let mut node = node.lock().await;
        match node.take(at, &readings).await {
            Ok(taken) => {
                let (flash, boot) = (node.flash_id(), node.boot());
                if let Some(before) = taken.before {
                    ledger::recorded(flash, boot, before, &taken.corners);
                }
                if let Some(recorded) = taken.recorded {
                    ledger::recorded(flash, boot, recorded, &taken.readings);
                }
            }
            Err(error) => log!("flash: {} readings not taken: {error}", readings.len()),
        }
        RECORDED.signal(());
    }
}

/// Sets up the card and the network on it, with an address by DHCP.
fn network() -> (Stack<'static>, Runner<'static, &'static mut Lan9118>) {
    static CARD: ConstStaticCell<Lan9118> = ConstStaticCell::new(Lan9118::new());
    static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();
    let card = CARD.take();
    card.init().unwrap_or_else(|error| stop("network", error));
    // SAFETY: no critical section is open, and the handler of the interrupt is in place.
    unsafe { cortex_m::peripheral::NVIC::unmask(Irq(lan9118::IRQ)) };
    embassy_net::new(
        card,
        embassy_net::Config::dhcpv4(DhcpConfig::default()),
        RESOURCES.init(StackResources::new()),
        u64::from_le_bytes(host::random()),
    )
}

#[embassy_executor::task]
async fn network_task(mut runner: Runner<'static, &'static mut Lan9118>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn link_task(stack: Stack<'static>, config: &'static Config, node: &'static Shared) -> ! {
    static MEMORY: ConstStaticCell<link::Memory> = ConstStaticCell::new(link::Memory::new());
    link::run(stack, config, node, MEMORY.take()).await
}

/// Returns the time since the image started.
fn now() -> Uptime {
    Uptime(Instant::now().as_millis())
}

/// An interrupt of the machine.
#[derive(Clone, Copy)]
struct Irq(u16);

// SAFETY: the numbers are `time::IRQ` and `lan9118::IRQ`, which the machine has and which never
// change.
unsafe impl cortex_m::interrupt::InterruptNumber for Irq {
    fn number(self) -> u16 {
        self.0
    }
}

// SAFETY: cortex-m-rt asks for `unsafe` because the handler may break into anything; the two it
// calls touch only their own device and what critical sections and atomics guard.
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(irq: i16) {
    match u16::try_from(irq) {
        Ok(lan9118::IRQ) => lan9118::on_interrupt(),
        Ok(time::IRQ) => time::on_interrupt(),
        _ => panic!("no handler for interrupt {irq}"),
    }
}

// SAFETY: it prints and does not return to what broke.
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    log!("fault: {frame:?}");
    host::fail()
}

/// A panic is a line and the end of QEMU with exit code 1: a node that hung on would look like a
/// quiet one.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    log!("panic: {info}");
    host::fail()
}
