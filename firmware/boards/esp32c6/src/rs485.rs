//! The RS485 port: UART1 with a driver-enable pin, shared by the probes of one line.
//!
//! Modbus has one master and one answer at a time, but a round starts all probes at once: each of
//! them waits here ([`Alone`]) until the one before it has finished.

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use esp_hal::Blocking;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::uart::{Config, Uart};
use measure::{Fault, Quantity};
use sensors::{Modbus, Outcome, Probe, Wait, failed};

use crate::pins;

/// The speed of the line: that of the probes' factory.
pub(crate) const BAUD: u32 = 9_600;
/// How long a probe waits for its turn before it asks again, in milliseconds.
const TURN_MS: u32 = 500;
/// The most turns that a probe waits for; then the line is `not_ready`.
const TURNS_MAX: u8 = 6;

/// The port, by a handle that each probe has.
#[derive(Clone, Copy)]
pub(crate) struct Port(&'static Shared);

struct Shared {
    line: RefCell<Line>,
    /// A probe has its turn.
    is_taken: Cell<bool>,
}

struct Line {
    uart: Uart<'static, Blocking>,
    driver: Output<'static>,
    /// Held high: the probes' supply is on while the node is awake.
    _power: Output<'static>,
}

/// The port failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

impl core::fmt::Display for Failed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the serial port failed")
    }
}

impl core::error::Error for Failed {}

impl embedded_io::Error for Failed {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::Other
    }
}

/// Opens the port and switches the probes on.
pub(crate) fn open(pins: pins::Rs485) -> Option<Port> {
    let uart = Uart::new(pins.port, Config::default().with_baudrate(BAUD)).ok()?;
    let uart = uart.with_tx(pins.send).with_rx(pins.receive);
    let driver = Output::new(pins.driver, Level::Low, OutputConfig::default());
    let power = Output::new(pins.power, Level::High, OutputConfig::default());
    let line = RefCell::new(Line { uart, driver, _power: power });
    Some(Port(Box::leak(Box::new(Shared { line, is_taken: Cell::new(false) }))))
}

impl ErrorType for Port {
    type Error = Failed;
}

impl Read for Port {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Failed> {
        self.0.line.borrow_mut().uart.read_buffered(bytes).map_err(|_| Failed)
    }
}

impl ReadReady for Port {
    fn read_ready(&mut self) -> Result<bool, Failed> {
        Ok(self.0.line.borrow_mut().uart.read_ready())
    }
}

impl Write for Port {
    /// Sends a question and lets go of the line: 8 bytes take 9 ms, in which the processor waits. It must
    /// be there in time, because a probe answers after 3.5 characters.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Failed> {
        let mut line = self.0.line.borrow_mut();
        let Line { uart, driver, .. } = &mut *line;
        driver.set_high();
        let sent = uart.write(bytes);
        let flushed = uart.flush();
        driver.set_low();
        flushed.map_err(|_| Failed)?;
        sent.map_err(|_| Failed)
    }

    fn flush(&mut self) -> Result<(), Failed> {
        Ok(())
    }
}

impl WriteReady for Port {
    fn write_ready(&mut self) -> Result<bool, Failed> {
        Ok(self.0.line.borrow_mut().uart.write_ready())
    }
}

/// A probe that shares its line.
pub(crate) struct Alone {
    probe: Modbus<Port>,
    port: Port,
    turn: Turn,
}

#[derive(Clone, Copy)]
enum Turn {
    Idle,
    Waiting { turns: u8 },
    Mine,
}

impl Alone {
    /// Takes a probe on this line.
    pub(crate) fn new(probe: Modbus<Port>, port: Port) -> Self {
        Self { probe, port, turn: Turn::Idle }
    }

    fn begin(&mut self) -> Result<Wait, Fault> {
        self.port.0.is_taken.set(true);
        self.turn = Turn::Mine;
        let started = self.probe.start();
        if started.is_err() {
            self.end();
        }
        started
    }

    fn end(&mut self) {
        if matches!(self.turn, Turn::Mine) {
            self.port.0.is_taken.set(false);
        }
        self.turn = Turn::Idle;
    }
}

impl Probe for Alone {
    fn sensor(&self) -> &'static str {
        self.probe.sensor()
    }

    fn quantities(&self) -> &[Quantity] {
        self.probe.quantities()
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.end();
        if !self.port.0.is_taken.get() {
            return self.begin();
        }
        self.turn = Turn::Waiting { turns: 0 };
        Ok(Wait { ms: TURN_MS })
    }

    fn finish(&mut self) -> Outcome {
        let outcome = match self.turn {
            Turn::Idle => Outcome::Done(failed(self.quantities(), Fault::NotReady)),
            Turn::Waiting { turns } if self.port.0.is_taken.get() => {
                if turns < TURNS_MAX {
                    self.turn = Turn::Waiting { turns: turns + 1 };
                    return Outcome::Again(Wait { ms: TURN_MS });
                }
                Outcome::Done(failed(self.quantities(), Fault::NotReady))
            }
            Turn::Waiting { .. } => match self.begin() {
                Ok(wait) => Outcome::Again(wait),
                Err(fault) => Outcome::Done(failed(self.quantities(), fault)),
            },
            Turn::Mine => self.probe.finish(),
        };
        if matches!(outcome, Outcome::Done(_)) {
            self.end();
        }
        outcome
    }
}
