//! A node for real benches: an ESP32-C6 on Wi-Fi, on mains or on a battery.
//!
//! ```text
//!  I2C, 1-Wire, RS485,        sample task --+                    +-- link task -- link -- TLS -- TCP
//!  inputs, battery (sensors)                +--> node::Node <----+                          |
//!                                           |       |            +-- images (updates)     wifi
//!  siren, relays (outputs) <----------------+    storage
//! ```
//!
//! The crates `sensors`, `node`, `link`, `update` and `wire` decide; this image gives them the chip:
//! which pin does what (`pins`), the table of chips (`sensors`, `inputs`, `rs485`), the flash
//! (`storage`), time and sleep (`power`), the network (`wifi`, `link`), the boot loader (`images`).
//! Who the node is and what hangs where stands in the provisioning page.
//!
//! It has been built, never run: there was no such chip, and QEMU has no model of one.
#![no_std]
#![no_main]

extern crate alloc;

mod images;
mod inputs;
mod link;
mod outputs;
mod panic;
mod pins;
mod power;
mod rs485;
mod sensors;
mod storage;
mod watchdog;
mod wifi;

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use ::link::{End, Identity};
use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use esp_hal::gpio::Output;
use esp_hal::rng::{Trng, TrngSource};
use esp_hal::system::software_reset;
use esp_hal::timer::timg::TimerGroup;
use heapless::String;
use node::{Layout, Node, Provision, Schedule, Start, Step};
use static_cell::StaticCell;
use wire::BIRTH_BYTES_MAX;

use crate::images::Images;
use crate::outputs::Outputs;
use crate::power::{Power, now};
use crate::sensors::{Ports, Sensors};
use crate::storage::{PAGE_BYTES, RING_PAGES, Region};

esp_bootloader_esp_idf::esp_app_desc!();

/// Name and version of the firmware, in the birth.
const FIRMWARE: &str = concat!("esp32c6 ", env!("CARGO_PKG_VERSION"));
/// The least time between two frames of the backlog, in milliseconds: a live reading waits no longer
/// than this.
const BACKLOG_PAUSE_MS: u32 = 20;
/// Memory for the radio and the probes, in bytes: in RAM that the boot loader has left, and in what is
/// this image's own. A station takes 47 to 57 KiB (documentation of esp-radio).
const HEAP_RECLAIMED_BYTES: usize = 64 * 1024;
const HEAP_BYTES: usize = 36 * 1024;
/// How long the probes of RS485 need after they are switched on, in milliseconds; `board.warmup_ms`.
const WARMUP_MS: u64 = 1_000;
/// How long a node that cannot sleep yet waits before it looks again, in milliseconds.
const AWAKE_MS: u64 = 200;
/// How long a node that cannot start says why before it tries again, in seconds.
const STOPPED_S: u32 = 10;

/// The node, which the tasks share.
type Shared = Mutex<CriticalSectionRawMutex, Node<Region, RING_PAGES>>;
/// Sleep and watchdog.
type Energy = Mutex<CriticalSectionRawMutex, Power>;
/// Siren and relays.
type Driven = Mutex<CriticalSectionRawMutex, Outputs>;

/// Tells the link that there is something to say.
static RECORDED: Signal<CriticalSectionRawMutex, ()> = Signal::new();
/// Tells the sampling task how often to sample, after other settings.
static INTERVAL_MS: Signal<CriticalSectionRawMutex, u32> = Signal::new();
/// Asks the lamp to blink.
static IDENTIFY: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// A round was sampled since this start: before that there is nothing to sleep on.
static IS_SAMPLED: AtomicBool = AtomicBool::new(false);

/// Says something on the USB serial port. Never a secret.
macro_rules! log {
    ($($word:tt)*) => { esp_println::println!($($word)*) };
}
pub(crate) use log;

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    let mut chip = esp_hal::init(esp_hal::Config::default());
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: HEAP_RECLAIMED_BYTES);
    esp_alloc::heap_allocator!(size: HEAP_BYTES);
    let random = {
        // The converter's noise; the radio, the other source, is still off.
        let _source = TrngSource::new(chip.RNG.reborrow(), chip.ADC1.reborrow());
        let random = Trng::try_new().map_or_else(|_| 0, |random| u64::from(random.random()) << 32);
        random | u64::from(esp_hal::rng::Rng::new().random())
    };
    let pins = pins::deal(chip);
    esp_rtos::start(TimerGroup::new(pins.timers).timer0, pins.switch);
    let (power, retained) = Power::start(pins.rtc, pins.low_power);

    let regions = storage::open(pins.flash).unwrap_or_else(|error| stop("flash", error));
    let provision = provision(&regions.provision);
    let ports = Ports {
        battery: pins.battery,
        i2c: pins.i2c,
        inputs: pins.inputs,
        one_wire: pins.one_wire,
        rs485: pins.rs485,
    };
    let enough = "each task is spawned as often as its pool is large";
    let sensors = sensors::build(provision, ports, |pin, line| {
        spawner.spawn(inputs::count(pin, line).expect(enough));
    });
    let settings =
        wifi::Settings::new(provision).unwrap_or_else(|error| stop("provisioning", error));

    let images = images::open(regions.slots, regions.update).await;
    let start = retained.as_ref().map_or(Start::Cold, Start::Woken);
    let Sensors { probes, channels } = sensors;
    let node = open(provision, channels, regions.node, random, start).await;
    let (interval_ms, outputs) = {
        let node = node.lock().await;
        (node.interval_ms(), node.outputs())
    };
    watchdog::start(interval_ms);

    static ENERGY: StaticCell<Energy> = StaticCell::new();
    static DRIVEN: StaticCell<Driven> = StaticCell::new();
    let energy: &'static Energy = ENERGY.init(Mutex::new(power));
    let mut siren = Outputs::new(pins.outputs);
    siren.drive(outputs);
    let driven: &'static Driven = DRIVEN.init(Mutex::new(siren));
    let warmup_ms = provision.board("rs485").map_or(0, |_| {
        provision.board("warmup_ms").and_then(|text| text.parse().ok()).unwrap_or(WARMUP_MS)
    });

    let wireless = link::Wireless::new(pins.radio, settings, spawner);
    spawner.spawn(watchdog::feed(energy).expect(enough));
    spawner.spawn(sample(node, images, driven, probes, warmup_ms).expect(enough));
    spawner.spawn(images::run(images, node).expect(enough));
    spawner.spawn(lamp(outputs::lamp(pins.lamp)).expect(enough));
    spawner
        .spawn(link_task(link::Here { node, images }, wireless, provision, energy).expect(enough));
}

/// Reads who the node is. It stays in memory for good.
fn provision(region: &Region) -> &'static Provision<'static> {
    static PAGE: StaticCell<[u8; PAGE_BYTES as usize]> = StaticCell::new();
    static PROVISION: StaticCell<Provision<'static>> = StaticCell::new();
    let page = PAGE.init([0; PAGE_BYTES as usize]);
    region.read_now(0, page).unwrap_or_else(|error| stop("flash", error));
    let provision = Provision::parse(page).unwrap_or_else(|error| stop("provisioning", error));
    if provision.tls && !cfg!(feature = "tls") {
        stop("provisioning", "`tls=on`, but this image was built without the feature `tls`");
    }
    PROVISION.init(provision)
}

/// Reads the flash, begins a boot or goes on with it, and says so.
async fn open(
    provision: &Provision<'_>,
    channels: heapless::Vec<wire::Channel, { wire::CHANNELS_MAX }>,
    flash: Region,
    random: u64,
    start: Start<'_>,
) -> &'static Shared {
    static NODE: StaticCell<Shared> = StaticCell::new();
    let bytes = flash.bytes().min((node::IDENTITY_PAGES + RING_PAGES as u32) * PAGE_BYTES);
    let config = node::Config {
        key: provision.key.clone(),
        firmware: String::try_from(FIRMWARE).expect("the name fits"),
        target: images::takes_updates().then(images::target),
        release: images::RELEASE,
        channels,
        interval_ms: provision.interval_ms,
        gateways: provision.gateways.clone(),
        backlog_pause_ms: BACKLOG_PAUSE_MS,
        layout: Layout::split(0..bytes, PAGE_BYTES),
    };
    let node = match Node::open(flash, config, random, start).await {
        Ok(node) => node,
        Err(error) => stop("node", error),
    };
    log!(
        "start: node={} flash={} boot={} uptime_ms={} interval_ms={} waiting={}",
        provision.key,
        node.flash_id(),
        node.boot(),
        now().0,
        node.interval_ms(),
        node.waiting()
    );
    NODE.init(Mutex::new(node))
}

/// Says what a node cannot start without, and starts again: a person may be writing the flash.
fn stop(what: &str, error: impl fmt::Display) -> ! {
    log!("{what}: {error}");
    esp_hal::delay::Delay::new().delay_millis(STOPPED_S * 1_000);
    software_reset()
}

/// Samples all probes, every interval.
#[embassy_executor::task]
async fn sample(
    node: &'static Shared,
    images: &'static Images,
    driven: &'static Driven,
    mut probes: heapless::Vec<&'static mut dyn ::sensors::Probe, { node::PROBES_MAX }>,
    warmup_ms: u64,
) -> ! {
    Timer::after_millis(warmup_ms).await;
    let mut schedule = Schedule::new(node.lock().await.interval_ms(), now());
    loop {
        let (at, mut readings) = match schedule.poll(now(), &mut probes) {
            Step::Round { at, readings } => (at, readings),
            Step::Wait(until) => {
                let until = Timer::at(power::instant(until));
                if let Either::First(interval_ms) = select(INTERVAL_MS.wait(), until).await {
                    schedule.set_interval(now(), interval_ms);
                }
                continue;
            }
        };
        let outputs = {
            let mut node = node.lock().await;
            readings.retain(|(channel, ..)| node.is_enabled(*channel));
            if let Err(error) = node.take(at, &readings).await {
                log!("flash: {} readings not taken: {error}", readings.len());
            }
            node.outputs()
        };
        driven.lock().await.drive(outputs);
        watchdog::note(|vitals| vitals.sampled(now()));
        images::sampled(images).await;
        IS_SAMPLED.store(true, Ordering::Relaxed);
        RECORDED.signal(());
    }
}

/// Takes the settings that are in force now.
async fn configured(node: &Shared) {
    let interval_ms = node.lock().await.interval_ms();
    watchdog::note(|vitals| vitals.set_interval(now(), interval_ms));
    INTERVAL_MS.signal(interval_ms);
    log!("settings: interval_ms={interval_ms}");
}

/// Blinks when asked.
#[embassy_executor::task]
async fn lamp(mut lamp: Output<'static>) -> ! {
    loop {
        IDENTIFY.wait().await;
        outputs::blink(&mut lamp).await;
    }
}

/// Talks to the gateway until the node sleeps or restarts.
#[embassy_executor::task]
async fn link_task(
    board: link::Here,
    wireless: link::Wireless,
    provision: &'static Provision<'static>,
    energy: &'static Energy,
) -> ! {
    static MEMORY: StaticCell<::link::Memory<BIRTH_BYTES_MAX>> = StaticCell::new();
    let memory = MEMORY.init(::link::Memory::new());
    let identity = Identity { key: &provision.key, secret: provision.secret.as_bytes() };
    #[cfg(feature = "tls")]
    let mut dial = secure(wireless, provision);
    #[cfg(not(feature = "tls"))]
    let mut dial = wireless;
    loop {
        match ::link::run(&board, &mut dial, board.node, identity, memory).await {
            End::Reboot => {
                log!("restart: a command asks for it");
                software_reset()
            }
            End::Sleep(ms) => {
                let is_free = !images::is_busy(board.images).await;
                if is_free && ms >= power::SLEEP_MS_MIN && IS_SAMPLED.load(Ordering::Relaxed) {
                    sleep(board.node, energy, ms).await;
                }
                Timer::after_millis(AWAKE_MS).await;
            }
        }
    }
}

#[cfg(feature = "tls")]
fn secure(
    wireless: link::Wireless,
    provision: &Provision<'_>,
) -> ::link::Secure<'static, link::Wireless, link::Keys> {
    static MEMORY: StaticCell<tls::Memory> = StaticCell::new();
    static AUTHORITY: StaticCell<alloc::vec::Vec<u8>> = StaticCell::new();
    let authority = provision.tls.then(|| {
        let der = provision.ca.and_then(link::base64);
        let der = der.unwrap_or_else(|| stop("provisioning", "`ca` is no base64"));
        AUTHORITY.init(der).as_slice()
    });
    let memory = MEMORY.init(tls::Memory::new());
    ::link::Secure { inner: wireless, authority, random: link::Keys, memory }
}

/// Sleeps, unless the flash does not take what must stay.
async fn sleep(node: &Shared, energy: &Energy, ms: u32) {
    let mut node = node.lock().await;
    let until = now().plus_ms(u64::from(ms));
    match node.retain(now(), until).await {
        Ok(retained) => {
            log!("sleep: {ms} ms");
            energy.lock().await.sleep(&retained, ms)
        }
        Err(error) => log!("flash: cannot sleep: {error}"),
    }
}

/// Gives the network its tasks.
fn carry(spawner: Spawner, network: wifi::Network) {
    let enough = "the radio is started once";
    let wifi::Network { runner, controller, .. } = network;
    spawner.spawn(network_task(runner).expect(enough));
    spawner.spawn(wifi_task(controller).expect(enough));
}

#[embassy_executor::task]
async fn network_task(mut runner: embassy_net::Runner<'static, esp_radio::wifi::Interface>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn wifi_task(controller: esp_radio::wifi::WifiController<'static>) -> ! {
    wifi::keep_joined(controller).await
}
