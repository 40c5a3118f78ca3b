//! The boot loader of the board: embassy-boot over the flash's map.
//!
//! Most starts change nothing. After the image has marked an update, this swaps the two slots page
//! by page, through any number of power cuts; and where the new image did not mark itself as good
//! before the next start, it swaps them back. It verifies no signature: the image does, before it
//! marks. A swap is told on standard error.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m_semihosting::{debug, heprintln};
use embassy_boot::{BootLoader, BootLoaderConfig, State};
use flash::Region;

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: the loader runs alone, and each region is taken once.
    let active = unsafe { Region::take(flash::ACTIVE) };
    // SAFETY: as above.
    let dfu = unsafe { Region::take(flash::DFU) };
    // SAFETY: as above.
    let state = unsafe { Region::take(flash::STATE) };
    let mut loader = BootLoader::new(BootLoaderConfig { active, dfu, state });
    let mut page = [0; flash::PAGE_BYTES as usize];
    match loader.prepare_boot(&mut page) {
        Ok(State::Boot | State::DfuDetach) => {}
        Ok(State::Swap) => heprintln!("boot: the new image is in place, on trial"),
        Ok(State::Revert) => heprintln!("boot: the image before is back in place"),
        // What is in the slot is all there is.
        Err(error) => heprintln!("boot: {:?}", error),
    }
    start(flash::BASE + flash::ACTIVE.start)
}

/// Starts the image whose vectors lie at `vectors`.
fn start(vectors: u32) -> ! {
    // SAFETY: nothing else of the loader runs any more.
    let peripherals = unsafe { cortex_m::Peripherals::steal() };
    // SAFETY: the slot begins with the vectors of an image, on a border of 64 KiB.
    unsafe { peripherals.SCB.vtor.write(vectors) };
    // SAFETY: the first two words there are its stack and its entry; it sets up all else itself.
    unsafe { cortex_m::asm::bootload(vectors as *const u32) }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    heprintln!("boot: panic: {}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}
