//! The SCD4x against the bytes of its datasheet and the published crate.

extern crate std;

use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::i2c::{Mock, Transaction};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::failed;

const ADDRESS: u8 = 0x62;
const NACK: ErrorKind = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);

fn write(bytes: &[u8]) -> Transaction {
    Transaction::write(ADDRESS, bytes.to_vec())
}

fn set_up() -> Vec<Transaction> {
    [vec![write(&[0x3F, 0x86])], configure(0, 1_013), vec![write(&[0x21, 0xB1])]].concat()
}

fn configure(self_calibration: u16, hpa: u16) -> Vec<Transaction> {
    let off = vec![
        write(&[0x24, 0x16, 0, 0, 0x81]),
        write(&[0x23, 0x13]),
        Transaction::read(ADDRESS, with_crc(self_calibration)),
    ];
    [off, pressure(hpa, hpa)].concat()
}

fn pressure(set: u16, answer: u16) -> Vec<Transaction> {
    let set = [vec![0xE0, 0x00], with_crc(set)].concat();
    let answer = Transaction::read(ADDRESS, with_crc(answer));
    vec![write(&set), write(&[0xE0, 0x00]), answer]
}

fn with_crc(word: u16) -> Vec<u8> {
    let [high, low] = word.to_be_bytes();
    vec![high, low, crc8([high, low])]
}

fn question(status: [u8; 3]) -> Vec<Transaction> {
    vec![write(&[0xE4, 0xB8]), Transaction::read(ADDRESS, status.to_vec())]
}

const READY: [u8; 3] = [0x80, 0x06, 0x04];
const EMPTY: [u8; 3] = [0x80, 0x00, 0xA2];

/// The example of section 3.5.2: 500 ppm, 25 °C, 37 %.
fn answer() -> Vec<u8> {
    vec![0x01, 0xF4, 0x33, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C]
}

fn value(answer: Vec<u8>) -> Vec<Transaction> {
    vec![write(&[0xEC, 0x05]), Transaction::read(ADDRESS, answer)]
}

fn measure(probe: &mut Scd4x<Mock>) -> Reading {
    probe.start()?;
    for _ in 0..crate::STEPS_MAX {
        if let Outcome::Done(readings) = probe.finish() {
            assert_eq!(readings.len(), 1);
            return readings[0].1;
        }
    }
    panic!("it takes more steps than allowed");
}

#[track_caller]
fn check(bus: &[Vec<Transaction>], expect: &[Reading]) {
    let mut probe = Scd4x::new(Mock::new(&bus.concat()));
    for expect in expect {
        assert_eq!(measure(&mut probe), *expect);
    }
    probe.release().done();
}

#[test]
fn the_example_of_the_datasheet_comes_out() {
    check(&[set_up(), question(READY), value(answer())], &[Ok(Scaled(500))]);
}

#[test]
fn it_is_set_up_once() {
    let once = [question(READY), value(answer())].concat();
    check(&[set_up(), once.clone(), once.clone(), once], &[Ok(Scaled(500)); 3]);
}

#[test]
fn data_that_comes_late_is_waited_for() {
    let late = [question(EMPTY), question(EMPTY), question(READY)].concat();
    check(&[set_up(), late, value(answer())], &[Ok(Scaled(500))]);
}

#[test]
fn a_chip_that_never_has_data_is_set_up_again() {
    let silent = vec![question(EMPTY); 5].concat();
    check(
        &[set_up(), silent, set_up(), question(READY), value(answer())],
        &[Err(Fault::NotReady), Ok(Scaled(500))],
    );
}

#[test]
fn a_bad_checksum_is_a_fault_and_the_next_reading_is_good() {
    let mut bad = answer();
    bad[2] ^= 1;
    let good = [question(READY), value(answer())].concat();
    check(
        &[set_up(), question(READY), value(bad), good.clone()],
        &[Err(Fault::Checksum), Ok(Scaled(500))],
    );
    check(
        &[set_up(), question([0x80, 0x06, 0x05]), good],
        &[Err(Fault::Checksum), Ok(Scaled(500))],
    );
}

#[test]
fn a_setting_that_the_chip_did_not_take_is_refused() {
    let stop = || vec![write(&[0x3F, 0x86])];
    let on = configure(1, 1_013)[..3].to_vec();
    check(&[stop(), on], &[Err(Fault::Refused)]);
    let off = configure(0, 1_013)[..3].to_vec();
    check(&[stop(), off, pressure(1_013, 0)], &[Err(Fault::Refused)]);
}

#[test]
fn the_pressure_follows_the_barometer_without_a_new_set_up() {
    let first = [question(READY), value(answer())].concat();
    let set_up = [vec![write(&[0x3F, 0x86])], configure(0, 899), vec![write(&[0x21, 0xB1])]];
    let bus = [set_up.concat(), first.clone(), pressure(905, 905), first.clone(), first];
    let mut probe = Scd4x::new(Mock::new(&bus.concat())).at_altitude(1_000);
    assert_eq!(measure(&mut probe), Ok(Scaled(500)));
    probe.set_pressure(905);
    assert_eq!(measure(&mut probe), Ok(Scaled(500)));
    probe.set_pressure(905);
    assert_eq!(measure(&mut probe), Ok(Scaled(500)));
    probe.release().done();
}

#[test]
fn heights_have_the_pressure_of_the_standard_atmosphere() {
    for (metres, hpa) in [(0, 1_013), (250, 984), (1_000, 899), (1_750, 820), (3_000, 701)] {
        assert!(pressure_hpa(metres).abs_diff(hpa) <= 1, "{metres}");
    }
    assert_eq!(pressure_hpa(u16::MAX), 701);
}

/// The example of section 3.7.1: 480 ppm, and the answer 0x7FCE is -50 ppm.
fn recalibrate(answer: u16) -> Vec<Transaction> {
    vec![
        write(&[0x3F, 0x86]),
        write(&[0x36, 0x2F, 0x01, 0xE0, 0xB4]),
        Transaction::read(ADDRESS, with_crc(answer)),
    ]
}

#[test]
fn a_recalibration_says_its_correction_and_the_chip_is_set_up_again() {
    let good = [set_up(), question(READY), value(answer())].concat();
    for (word, fault, correction) in
        [(0x7FCE, Fault::NotReady, Some(-50)), (0xFFFF, Fault::Refused, None)]
    {
        let bus = [recalibrate(word), good.clone()].concat();
        let mut probe = Scd4x::new(Mock::new(&bus));
        probe.recalibrate(480);
        assert_eq!(measure(&mut probe), Err(fault));
        assert_eq!(probe.correction_ppm(), correction);
        assert_eq!(measure(&mut probe), Ok(Scaled(500)));
        probe.release().done();
    }
}

#[test]
fn no_air_has_no_carbon_dioxide() {
    let zero = vec![0, 0, 0x81, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C];
    check(&[set_up(), question(READY), value(zero)], &[Err(Fault::OutOfRange)]);
    let beyond = [0x9C, 0x41];
    let beyond = [&beyond[..], &[crc8(beyond)], &answer()[3..]].concat();
    check(&[set_up(), question(READY), value(beyond)], &[Err(Fault::OutOfRange)]);
}

#[test]
fn each_bus_error_has_its_fault_and_sets_it_up_anew() {
    let [stop, configure, .., begin] = &set_up()[..] else { panic!("too few") };
    let (stop, configure) = (stop.clone(), configure.clone());
    let settings = self::configure(0, 1_013);
    let again = [set_up(), question(READY), value(answer())].concat();
    for (bus, fault) in [
        (vec![stop.clone().with_error(NACK)], Fault::NotPresent),
        (vec![stop.clone(), configure.clone().with_error(NACK)], Fault::NotPresent),
        (
            [vec![stop.clone()], settings.clone(), vec![begin.clone().with_error(ErrorKind::Bus)]]
                .concat(),
            Fault::Bus,
        ),
        (
            [
                vec![stop.clone()],
                settings.clone(),
                vec![
                    begin.clone(),
                    write(&[0xE4, 0xB8]),
                    Transaction::read(ADDRESS, READY.to_vec()).with_error(NACK),
                ],
            ]
            .concat(),
            Fault::NotReady,
        ),
    ] {
        check(&[bus, again.clone()], &[Err(fault), Ok(Scaled(500))]);
    }
}

#[test]
fn without_a_start_there_is_nothing_to_read() {
    let mut probe = Scd4x::new(Mock::new(&[]));
    assert_eq!(probe.finish(), Outcome::Done(failed(&QUANTITIES, Fault::NotReady)));
    probe.release().done();
}

#[test]
fn every_concentration_is_read_as_the_published_crate_reads_it() {
    use embedded_hal_mock::eh1::delay::NoopDelay;
    for ppm in (1..=40_000_u16).step_by(997) {
        let bytes = ppm.to_be_bytes();
        let bytes = [&bytes[..], &[crc8(bytes)], &answer()[3..]].concat();
        let mut other = ::scd4x::Scd4x::new(Mock::new(&value(bytes)), NoopDelay);
        let theirs = other.measurement().unwrap().co2;
        other.destroy().done();
        assert_eq!(concentration(ppm), Ok(Scaled(i32::from(theirs))));
    }
}
