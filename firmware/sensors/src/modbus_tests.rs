//! A probe on a simulated line that never blocks.

extern crate std;

use core::convert::Infallible;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec as List;

use embedded_io::ErrorType;
use measure::Scaled;

use super::*;
use crate::{SOIL_MTEC_02, SOIL_SEN0601, STATION_SEN0657};

/// A port: what the probe will answer to each question, one list of bursts a question.
#[derive(Default)]
struct Port {
    stale: List<u8>,
    answers: VecDeque<List<List<u8>>>,
    arriving: VecDeque<List<u8>>,
    input: VecDeque<u8>,
    output: List<u8>,
    /// How many bytes the port takes before it is full, until the next look.
    room: usize,
    takes: usize,
}

impl ErrorType for Port {
    type Error = Infallible;
}

impl ReadReady for Port {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        self.input.extend(self.stale.drain(..));
        if self.input.is_empty() {
            // The next burst comes after this look.
            let burst = self.arriving.pop_front();
            let is_now = burst.is_some();
            self.input.extend(burst.unwrap_or_default());
            return Ok(is_now && !self.input.is_empty());
        }
        Ok(true)
    }
}

impl Read for Port {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        match (self.input.pop_front(), bytes) {
            (Some(byte), [to, ..]) => {
                *to = byte;
                Ok(1)
            }
            _ => Ok(0),
        }
    }
}

impl WriteReady for Port {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        let ready = self.room > 0;
        if !ready {
            self.room = self.takes;
        }
        Ok(ready)
    }
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        self.output.extend(&bytes[..taken]);
        if self.output.len().is_multiple_of(QUESTION_BYTES) {
            self.arriving = self.answers.pop_front().unwrap_or_default().into();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn port(answers: List<List<List<u8>>>) -> Port {
    Port { answers: answers.into(), room: 64, takes: 64, ..Port::default() }
}

fn with_crc(bytes: &[u8]) -> List<u8> {
    [bytes, &crc16(bytes).to_le_bytes()].concat()
}

fn registers(values: &[u16]) -> List<u8> {
    let bytes = values.iter().flat_map(|value| value.to_be_bytes());
    with_crc(&[1, 3, values.len() as u8 * 2].into_iter().chain(bytes).collect::<List<_>>())
}

fn measure(probe: &mut Modbus<Port>) -> List<Reading> {
    let readings = match probe.start() {
        Err(fault) => failed(probe.quantities(), fault),
        Ok(_) => (0..crate::STEPS_MAX)
            .find_map(|_| match probe.finish() {
                Outcome::Done(readings) => Some(readings),
                Outcome::Again(wait) => {
                    assert!(wait.ms > 0);
                    None
                }
            })
            .unwrap(),
    };
    let quantities: List<_> = readings.iter().map(|(quantity, _)| *quantity).collect();
    assert_eq!(quantities, probe.quantities());
    readings.iter().map(|(_, reading)| *reading).collect()
}

#[track_caller]
fn check(port: Port, expect: [Reading; 3]) -> Port {
    let mut probe = Modbus::new(port, &SOIL_SEN0601);
    assert_eq!(measure(&mut probe), expect);
    probe.release()
}

/// The example of the SEN0601's document, section 3: 65.8 %, -10.1 °C, 1,000 µS/cm.
const QUESTION: [u8; 8] = [0x01, 0x03, 0x00, 0x00, 0x00, 0x03, 0x05, 0xCB];
const ANSWER: [u8; 11] = [0x01, 0x03, 0x06, 0x02, 0x92, 0xFF, 0x9B, 0x03, 0xE8, 0xD8, 0x0F];
const MEANT: [Reading; 3] = [Ok(Scaled(6_580)), Ok(Scaled(-10_100)), Ok(Scaled(1_000))];

fn all(fault: Fault) -> [Reading; 3] {
    [Err(fault); 3]
}

#[test]
fn the_example_of_the_document_comes_out() {
    let port = check(port(vec![vec![ANSWER.to_vec()]]), MEANT);
    assert_eq!(port.output, QUESTION);
}

#[test]
fn an_echo_is_thrown_away_and_stale_bytes_too() {
    let mut noisy = port(vec![vec![[&QUESTION[..], &ANSWER].concat()]]);
    noisy.stale = vec![0x55; 100];
    check(noisy, MEANT);
    let mut babbling = port(vec![]);
    babbling.stale = vec![0x55; STALE_BYTES_MAX + 1];
    check(babbling, all(Fault::Bus));
    // Nobody but ourselves.
    check(port(vec![vec![QUESTION.to_vec()]]), all(Fault::NotPresent));
}

#[test]
fn an_answer_in_pieces_and_a_port_of_one_byte_only_take_longer() {
    let pieces = ANSWER.chunks(4).map(<[u8]>::to_vec);
    let bursts = pieces.flat_map(|piece| [piece, vec![]]).collect();
    check(port(vec![bursts]), MEANT);
    let mut narrow = port(vec![vec![ANSWER.to_vec()]]);
    (narrow.room, narrow.takes) = (3, 3);
    check(narrow, MEANT);
    let mut stuck = port(vec![]);
    (stuck.room, stuck.takes) = (3, 0);
    check(stuck, all(Fault::Bus));
}

#[test]
fn silence_short_garbled_and_strange_answers_have_their_faults() {
    let answer = |bytes: &[u8]| port(vec![vec![bytes.to_vec()]]);
    check(answer(&[]), all(Fault::NotPresent));
    check(answer(&ANSWER[..7]), all(Fault::Bus));
    for index in 0..ANSWER.len() {
        let mut garbled = ANSWER;
        garbled[index] ^= 0x10;
        check(answer(&garbled), all(Fault::Checksum));
    }
    check(answer(&with_crc(&[2, 3, 6, 0, 0, 0, 0, 0, 0])), all(Fault::Bus));
    check(answer(&with_crc(&[1, 4, 6, 0, 0, 0, 0, 0, 0])), all(Fault::Bus));
    check(answer(&with_crc(&[1, 3, 2, 0, 0, 0, 0, 0, 0])), all(Fault::Bus));
}

#[test]
fn an_exception_is_a_refusal() {
    // "MODBUS Application Protocol", section 7: code 2 is "illegal data address".
    check(port(vec![vec![with_crc(&[1, 0x83, 2])]]), all(Fault::Refused));
    check(port(vec![vec![vec![1, 0x83, 2, 0, 0]]]), all(Fault::Checksum));
}

#[test]
fn what_no_substrate_has_is_out_of_range() {
    let wet = registers(&[1_001, 250, 20_001]);
    check(
        port(vec![vec![wet]]),
        [Err(Fault::OutOfRange), Ok(Scaled(25_000)), Err(Fault::OutOfRange)],
    );
}

#[test]
fn another_address_is_asked_and_other_scales_are_meant() {
    let values = with_crc(&[7, 3, 6, 0xFF, 0x05, 0x07, 0x1D, 0x07, 0x1D]);
    let mut probe = Modbus::new(port(vec![vec![values]]), &SOIL_MTEC_02).at(7, 4_800);
    // Section 5.3: 0xFF05 is -2.51 °C (the manual's own sum loses a hundredth), 0x071D is 18.21 %.
    assert_eq!(measure(&mut probe), [Ok(Scaled(-2_510)), Ok(Scaled(1_821)), Ok(Scaled(1_821))]);
    assert_eq!(probe.release().output[0], 7);
}

#[test]
fn the_station_outside_has_seven_quantities_and_its_rain_is_what_was_added() {
    let answer = |rain: u16| {
        let mut values = [0; 16];
        (values[0], values[3], values[4], values[5]) = (34, 270, 812, 0xFFE7);
        (values[9], values[13], values[15]) = (931, rain, 412);
        vec![registers(&values)]
    };
    let mut probe = Modbus::new(port(vec![answer(120), answer(134), answer(3)]), &STATION_SEN0657);
    let expect = |rain| {
        let others = [340, 270, 8_120, -2_500, 93_100].map(|steps| Ok(Scaled(steps)));
        [&others[..], &[rain, Ok(Scaled(4_120))]].concat()
    };
    assert_eq!(measure(&mut probe), expect(Err(Fault::NotReady)));
    assert_eq!(measure(&mut probe), expect(Ok(Scaled(140))));
    assert_eq!(measure(&mut probe), expect(Ok(Scaled(30))));
}

static TWO_QUESTIONS: Table = Table {
    sensor: "two",
    address: 1,
    baud: 9_600,
    questions: &[
        Question {
            function: Function::Input,
            fields: &[Field {
                register: 8,
                kind: Kind::U32,
                scale: (1, 100),
                quantity: Quantity::SolarIrradiance,
                meaning: Meaning::Value,
            }],
        },
        Question {
            function: Function::Holding,
            fields: &[Field {
                register: 2,
                kind: Kind::I32,
                scale: (1, 1),
                quantity: Quantity::SurfaceTemperature,
                meaning: Meaning::Value,
            }],
        },
    ],
};

#[test]
fn long_values_and_two_questions() {
    let first = with_crc(&[1, 4, 4, 0x00, 0x01, 0x86, 0xA0]);
    let second = with_crc(&[1, 3, 4, 0xFF, 0xFF, 0xFF, 0x38]);
    let bus = port(vec![vec![first.clone()], vec![second]]);
    let mut probe = Modbus::new(bus, &TWO_QUESTIONS);
    assert_eq!(measure(&mut probe), [Ok(Scaled(1_000)), Ok(Scaled(-200))]);
    let mut probe = Modbus::new(port(vec![vec![first]]), &TWO_QUESTIONS);
    assert_eq!(measure(&mut probe), [Ok(Scaled(1_000)), Err(Fault::NotPresent)]);
}

#[test]
fn every_table_fits_the_limits() {
    for table in [&SOIL_SEN0601, &SOIL_MTEC_02, &STATION_SEN0657] {
        assert!(measure::Slug::new(table.sensor).is_ok());
        assert!(table.questions.len() <= QUESTIONS_MAX && table.fields().count() <= READINGS_MAX);
        for question in table.questions {
            assert!((1..=REGISTERS_MAX).contains(&question.registers()));
            assert!(question.fields.is_sorted_by_key(|field| field.register));
        }
    }
    const { assert!(QUESTIONS_MAX * LOOKS_MAX as usize <= crate::STEPS_MAX as usize) };
}

#[test]
fn without_a_start_there_is_nothing_to_read() {
    let mut probe = Modbus::new(port(vec![]), &SOIL_SEN0601);
    let nothing = failed(probe.quantities(), Fault::NotReady);
    assert_eq!(probe.finish(), Outcome::Done(nothing));
}

#[test]
fn the_published_crate_asks_and_understands_the_same() {
    use rmodbus::{ModbusProto, client::ModbusRequest};
    for count in 1..=12_u16 {
        let mut theirs = ModbusRequest::new(1, ModbusProto::Rtu);
        let mut asked: Vec<u8, 256> = Vec::new();
        theirs.generate_get_holdings(count * 7, count, &mut asked).unwrap();
        assert_eq!(crc16(&asked[..6]).to_le_bytes(), asked[6..]);
        let values: List<u16> = (0..count).map(|index| index * 4_567).collect();
        let answer = registers(&values);
        let mut parsed: Vec<u16, 128> = Vec::new();
        theirs.parse_u16(&answer, &mut parsed).unwrap();
        let ours = parse(&answer, asked[..].try_into().unwrap(), count).unwrap().unwrap();
        let ours: List<u16> =
            ours.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        assert_eq!((ours, &parsed[..]), (values.clone(), &values[..]));
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut state = 1_u64;
    for length in 0..400_usize {
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let bytes: List<u8> = (0..length % 90).map(|_| random() & 0x8F).collect();
        let mut probe = Modbus::new(port(vec![vec![bytes]]), &STATION_SEN0657);
        assert_eq!(measure(&mut probe).len(), 7);
    }
}
