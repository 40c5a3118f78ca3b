//! A contact: mains present, a door, a flow switch in the mist line. 1 is yes, 0 is no.
//!
//! The input is looked at every few milliseconds until it has been the same some times running; one
//! that never rests is a fault, not a guess. What happens between two samples is not seen.

use embedded_hal::digital::InputPin;
use measure::{Fault, Quantity, Scaled};

use crate::{Outcome, Probe, Wait, failed};

/// How often the input must be the same, one look after the other.
const LOOKS_EQUAL: u8 = 4;
/// Between two looks; four of them outlast the bounce of a reed or relay contact, some 5 ms.
const LOOK_WAIT: Wait = Wait { ms: 5 };
/// The most looks; an input that has not come to rest in 60 ms is faulty.
const LOOKS_MAX: u8 = 12;

/// Which level of the pin means yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Active {
    /// A high level: a contact to the supply, or an opto-coupler that lets go.
    High,
    /// A low level: a contact to ground with a pull-up.
    Low,
}

/// A contact on a pin.
#[derive(Debug)]
pub struct Contact<P> {
    pin: P,
    active: Active,
    quantities: [Quantity; 1],
    looking: Option<Looking>,
}

#[derive(Clone, Copy, Debug)]
struct Looking {
    is_high: bool,
    equal: u8,
    looks: u8,
}

impl<P: InputPin> Contact<P> {
    /// Returns the contact on this pin; `quantity` is one that is 1 or 0, such as `MainsPresent`.
    pub fn new(pin: P, active: Active, quantity: Quantity) -> Self {
        Self { pin, active, quantities: [quantity], looking: None }
    }

    /// Gives the pin back.
    pub fn release(self) -> P {
        self.pin
    }

    fn look(&mut self) -> Result<bool, Fault> {
        self.pin.is_high().map_err(|_| Fault::Bus)
    }
}

impl<P: InputPin> Probe for Contact<P> {
    fn sensor(&self) -> &'static str {
        "contact"
    }

    fn quantities(&self) -> &[Quantity] {
        &self.quantities
    }

    fn start(&mut self) -> Result<Wait, Fault> {
        self.looking = None;
        let is_high = self.look()?;
        self.looking = Some(Looking { is_high, equal: 1, looks: 1 });
        Ok(LOOK_WAIT)
    }

    fn finish(&mut self) -> Outcome {
        let done = |quantities: [Quantity; 1], reading| {
            Outcome::Done(quantities.into_iter().map(|quantity| (quantity, reading)).collect())
        };
        let Some(before) = self.looking.take() else {
            return Outcome::Done(failed(&self.quantities, Fault::NotReady));
        };
        let is_high = match self.look() {
            Ok(is_high) => is_high,
            Err(fault) => return done(self.quantities, Err(fault)),
        };
        let equal = if is_high == before.is_high { before.equal + 1 } else { 1 };
        if equal >= LOOKS_EQUAL {
            let is_yes = is_high == (self.active == Active::High);
            return done(self.quantities, Ok(Scaled(i32::from(is_yes))));
        }
        let looks = before.looks + 1;
        if looks >= LOOKS_MAX {
            return done(self.quantities, Err(Fault::NotReady));
        }
        self.looking = Some(Looking { is_high, equal, looks });
        Outcome::Again(LOOK_WAIT)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use embedded_hal_mock::eh1::MockError;
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
    use measure::Reading;
    use std::vec::Vec;

    use super::*;

    #[track_caller]
    fn check(levels: &str, active: Active, expect: Reading) {
        let look = |level| Transaction::get(if level == 'H' { State::High } else { State::Low });
        let looks: Vec<_> = levels.chars().map(look).collect();
        let mut probe = Contact::new(Mock::new(&looks), active, Quantity::DoorOpen);
        probe.start().unwrap();
        let readings = (0..crate::STEPS_MAX).find_map(|_| match probe.finish() {
            Outcome::Done(readings) => Some(readings),
            Outcome::Again(_) => None,
        });
        assert_eq!(readings.unwrap()[..], [(Quantity::DoorOpen, expect)]);
        probe.release().done();
    }

    #[test]
    fn a_contact_at_rest_takes_four_looks() {
        check("HHHH", Active::High, Ok(Scaled(1)));
        check("HHHH", Active::Low, Ok(Scaled(0)));
        check("LLLL", Active::High, Ok(Scaled(0)));
        check("LLLL", Active::Low, Ok(Scaled(1)));
    }

    #[test]
    fn a_bouncing_contact_is_waited_for() {
        check("HLHHLLLL", Active::Low, Ok(Scaled(1)));
        check("LLLHLLHHHH", Active::Low, Ok(Scaled(0)));
    }

    #[test]
    fn a_contact_that_never_rests_is_a_fault() {
        check("HLHLHLHLHLHL", Active::High, Err(Fault::NotReady));
    }

    #[test]
    fn a_pin_that_fails_is_the_bus() {
        let broken = Transaction::get(State::High)
            .with_error(MockError::Io(std::io::ErrorKind::NotConnected));
        let mut probe = Contact::new(Mock::new(&[broken]), Active::High, Quantity::MainsPresent);
        assert_eq!(probe.start(), Err(Fault::Bus));
        let nothing = failed(&[Quantity::MainsPresent], Fault::NotReady);
        assert_eq!(probe.finish(), Outcome::Done(nothing));
        probe.release().done();
    }
}
