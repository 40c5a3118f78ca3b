//! A node as a real Cortex-M3 image: QEMU's machine `mps2-an385`, a TMP105 on its I2C bus, its
//! LAN9118, a file as flash.
//!
//! ```text
//!  TMP105 -- i2c/sbcon ------ sample task --+                   +-- link task -- link -- minimq
//!                                           +--> node::Node ---+       |                  |
//!  SHT4x, SCD4x, BH1750 ----- sample task --+    |       |          images     embassy-net -- lan9118
//!    (i2c/simulated)                           flash   ledger, outputs
//! ```
//!
//! The crates `sensors`, `node`, `update` and `wire` decide; this image gives them a clock (`time`), a
//! flash (`flash`), two buses (`i2c`), LEDs as outputs, a network (`net`, `link`), a watchdog and a
//! way out for the ledger (`ledger`, `host`). One task for each bus, so that a slow chip holds up no
//! other, and none of them waits for the network: the node is locked only while it works in its
//! flash. Idle, the processor sleeps (`executor`).
//!
//! The boot loader (`boot`) starts it from the active slot of the flash, and `run.sh` tells it who it
//! is by a page of that flash (`config`). It is not for real hardware as it stands: the flash is
//! memory, and the ledger and the random numbers go by semihosting.
#![no_std]
#![no_main]

// First, for its macro.
#[macro_use]
mod host;
mod config;
mod executor;
mod i2c;
mod images;
mod ledger;
mod link;
mod net;
mod outputs;
mod probes;
mod stack;
mod time;
mod uart;
mod watchdog;

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
use flash::Region;
use heapless::{String, Vec};
use measure::Uptime;
use node::{Found, IDENTITY_PAGES, Layout, Node, RoundReadings, Schedule, Start, Step, Taken};
use sensors::Probe;
use static_cell::{ConstStaticCell, StaticCell};

use crate::config::Config;
use crate::images::Images;
use crate::net::lan9118::{self, Lan9118};
use crate::probes::Probes;

/// Name and version of the firmware, in the birth.
const FIRMWARE: &str = concat!("mps2-an385 ", env!("CARGO_PKG_VERSION"));
const NODE_BYTES: u32 = flash::NODE.end - flash::NODE.start;
const RING_PAGES: usize = (NODE_BYTES / flash::PAGE_BYTES - IDENTITY_PAGES) as usize;
/// The least time between two frames of the backlog, in milliseconds: a live reading waits no
/// longer than this.
const BACKLOG_PAUSE_MS: u32 = 20;
/// The fault of the feature `break-sampling`: so many rounds, and then no more.
#[cfg(feature = "break-sampling")]
const BROKEN_ROUNDS: u32 = 5;

/// The node, which both the sampling tasks and the link use.
type Shared = Mutex<ThreadModeRawMutex, Node<Region, RING_PAGES>>;

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
    let images = images::open();
    let machine = probes::machine(config.modbus.is_some());
    if config.modbus.is_some() {
        // SAFETY: no critical section is open, and the handler of the interrupt is in place.
        unsafe { cortex_m::peripheral::NVIC::unmask(Irq(uart::IRQ)) };
    }
    let simulated = if config.simulated.is_some() { probes::simulated() } else { &mut [] };
    let first_simulated = probes::count(machine);
    let (node, interval_ms) = open(config, machine, simulated);
    let (stack, runner) = network();
    watchdog::start(interval_ms);
    executor::run(|spawner| {
        let enough = "each task is spawned as often as its pool is large";
        spawner.spawn(sample(node, images, machine, 0).expect(enough));
        if !simulated.is_empty() {
            spawner.spawn(sample(node, images, simulated, first_simulated).expect(enough));
        }
        spawner.spawn(network_task(runner).expect(enough));
        spawner.spawn(link_task(stack, config, node, images).expect(enough));
        spawner.spawn(images::run(images, node).expect(enough));
        spawner.spawn(watchdog::feed().expect(enough));
        spawner.spawn(stack::watch().expect(enough));
    })
}

fn configure() -> &'static Config {
    static CONFIG: StaticCell<Config> = StaticCell::new();
    CONFIG.init(config::load().unwrap_or_else(|error| stop("config", error)))
}

/// The fault of the features `break-flash` and `break-sequence`: every start erases what was kept.
#[cfg(any(feature = "break-flash", feature = "break-sequence"))]
fn forget(mut flash: Region) -> Region {
    use embedded_storage_async::nor_flash::NorFlash as _;
    if block_on(flash.erase(0, NODE_BYTES)).is_err() {
        log!("flash: cannot be erased");
    }
    flash
}

/// Returns what draws the flash id. With the feature `break-sequence` it is always the same, so that
/// an erased flash gives its sequences once more.
fn luck() -> u64 {
    if cfg!(feature = "break-sequence") { 0x5EED } else { u64::from_le_bytes(host::random()) }
}

/// Reads the flash, begins a boot and says so. Returns the interval too, in milliseconds.
// Here and not in a task, and not inlined: it takes much stack once, which the tasks then use again.
#[inline(never)]
fn open(
    config: &Config,
    machine: &[&mut dyn Probe],
    simulated: &[&mut dyn Probe],
) -> (&'static Shared, u32) {
    let mut channels = Vec::new();
    let (tmp105, soil) = machine.split_at_checked(1).unwrap_or((machine, &[]));
    probes::add_channels(&mut channels, tmp105, &config.tmp105);
    if let Some(position) = &config.modbus {
        probes::add_channels(&mut channels, soil, position);
    }
    if let Some(position) = &config.simulated {
        probes::add_channels(&mut channels, simulated, position);
    }
    ledger::channels(&channels);
    let node_config = node::Config {
        key: config.key.clone(),
        firmware: String::try_from(FIRMWARE).expect("the name fits"),
        target: images::takes_updates().then(images::target),
        release: images::RELEASE,
        channels,
        interval_ms: config.interval_ms,
        gateways: config.gateways.clone(),
        backlog_pause_ms: BACKLOG_PAUSE_MS,
        layout: Layout::split(0..NODE_BYTES, flash::PAGE_BYTES),
    };
    // SAFETY: called once; a second call would panic at the cell above.
    let flash = unsafe { Region::take(flash::NODE) };
    #[cfg(any(feature = "break-flash", feature = "break-sequence"))]
    let flash = forget(flash);
    let node = build(flash, node_config);
    let opened = node.get_mut();
    begin(opened);
    let (flash, boot, interval_ms) = (opened.flash_id(), opened.boot(), opened.interval_ms());
    ledger::node(&config.key, flash, boot);
    log!(
        "start: node={} flash={flash} boot={boot} interval_ms={interval_ms} waiting={} gateways={}",
        config.key,
        opened.waiting(),
        opened.gateways().count()
    );
    outputs::drive(opened.outputs());
    (node, interval_ms)
}

// The futures of this flash are ready at once, so nothing is waited for. None of these is inlined, so
// that the stack of one is free again for the next one.
#[inline(never)]
fn build(flash: Region, config: node::Config) -> &'static mut Shared {
    static NODE: StaticCell<Shared> = StaticCell::new();
    let found = read(flash, &config);
    NODE.init_with(|| Mutex::new(Node::new(found, config)))
}

#[inline(never)]
fn read(flash: Region, config: &node::Config) -> Found<Region, RING_PAGES> {
    match block_on(Found::read(flash, config, luck(), Start::Cold)) {
        Ok((found, _)) => found,
        Err(error) => stop("flash", error),
    }
}

#[inline(never)]
fn begin(node: &mut Node<Region, RING_PAGES>) {
    block_on(node.begin(Start::Cold)).unwrap_or_else(|error| stop("flash", error));
}

/// Ends the image because of what it cannot start without.
fn stop(what: &str, error: impl fmt::Display) -> ! {
    log!("{what}: {error}");
    host::fail()
}

/// Samples the chips of one bus, whose channels count from `first_channel`.
#[embassy_executor::task(pool_size = 2)]
async fn sample(
    node: &'static Shared,
    images: &'static Images,
    probes: Probes,
    first_channel: u8,
) -> ! {
    let mut interval = INTERVAL_MS.receiver().expect("there is one for each such task");
    let mut schedule = Schedule::new(node.lock().await.interval_ms(), now());
    #[cfg(feature = "break-sampling")]
    let mut rounds = 0;
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
        take(&mut *node.lock().await, at, &mut readings);
        watchdog::note(|vitals| vitals.sampled(now()));
        images::sampled(images).await;
        RECORDED.signal(());
        #[cfg(feature = "break-sampling")]
        {
            rounds += 1;
            if rounds >= BROKEN_ROUNDS {
                core::future::pending::<()>().await;
            }
        }
    }
}

/// Takes a round, drives what follows from it, and says so.
///
/// The lines follow the flash under the caller's lock, so the link cannot send a reading before its
/// line.
// The futures of this flash are ready at once, so nothing is waited for. Run to its end here, it takes
// stack while it runs, and no room in the tasks.
#[inline(never)]
fn take(node: &mut Node<Region, RING_PAGES>, at: Uptime, readings: &mut RoundReadings) {
    readings.retain(|(channel, ..)| node.is_enabled(*channel));
    match block_on(node.take(at, readings)) {
        Ok(taken) => tell(node, &taken),
        Err(error) => log!("flash: {} readings not taken: {error}", readings.len()),
    }
    outputs::drive(node.outputs());
}

fn tell(node: &Node<Region, RING_PAGES>, taken: &Taken) {
    let (flash, boot) = (node.flash_id(), node.boot());
    if let Some(before) = taken.before {
        ledger::recorded(flash, boot, before, &taken.corners);
    }
    if let Some(recorded) = taken.recorded {
        ledger::recorded(flash, boot, recorded, &taken.readings);
    }
    for (sequence, event) in &taken.events {
        ledger::event(flash, boot, *sequence, event);
    }
}

/// Takes the settings that are in force now.
async fn configured(node: &Shared) {
    let interval_ms = {
        let node = node.lock().await;
        outputs::drive(node.outputs());
        node.interval_ms()
    };
    watchdog::note(|vitals| vitals.set_interval(now(), interval_ms));
    INTERVAL_MS.sender().send(interval_ms);
    log!("settings: interval_ms={interval_ms}");
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
async fn link_task(
    stack: Stack<'static>,
    config: &'static Config,
    node: &'static Shared,
    images: &'static Images,
) -> ! {
    static MEMORY: ConstStaticCell<link::Memory> = ConstStaticCell::new(link::Memory::new());
    link::run(stack, config, node, images, MEMORY.take()).await
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
        Ok(uart::IRQ) => uart::on_interrupt(),
        _ => panic!("no handler for interrupt {irq}"),
    }
}

/// The watchdog's first expiry; the second one resets.
// SAFETY: it prints and touches nothing else.
#[cortex_m_rt::exception]
unsafe fn NonMaskableInt() {
    log!("watchdog: not fed; the machine restarts");
}

// SAFETY: it prints and does not return to what broke.
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    log!("fault: pc={:x} lr={:x} xpsr={:x}", frame.pc(), frame.lr(), frame.xpsr());
    host::fail()
}

/// A panic is a line and the end of QEMU with exit code 1: a node that hung on would look like a
/// quiet one.
///
/// The line has addresses for `addr2line`, not the message: the texts of all panics and what formats
/// them would take 25 KiB of the flash.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    log!("panic: called from {:x?}", stack::callers());
    host::fail()
}
