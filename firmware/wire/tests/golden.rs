//! The bytes of every message, both ways, and what is refused.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test panics where it fails")]

use measure::{
    BootId, Fault, FlashId, NodeKey, Quality, Quantity, Scaled, Sequence, SequenceRange, Slug,
    Timestamp, Uptime,
};
use wire::{
    Ack, Birth, Body, Calibration, Channel, ChannelSettings, Chunk, Command, Data, Death, Detail,
    Error, EventState, Frame, GapReason, Head, Limit, LocalEvent, Outcome, Pushed, Request,
    Sampled, Settings, Side, Topic, TopicKind, UpdateState,
};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Emits into a buffer of 0xA5: exactly the golden bytes, and nothing touched behind them.
#[track_caller]
fn check<T: PartialEq + core::fmt::Debug>(
    message: &T,
    golden: &str,
    encode: fn(&T, &mut [u8]) -> Result<usize, Error>,
    decode: fn(&[u8]) -> Result<T, Error>,
) {
    let golden = bytes(golden);
    let mut buffer = [0xA5; 4096];
    let length = encode(message, &mut buffer).unwrap();
    assert_eq!(hex(&buffer[..length]), hex(&golden));
    assert!(buffer[length..].iter().all(|byte| *byte == 0xA5), "bytes behind the message changed");
    assert_eq!(decode(&golden).as_ref(), Ok(message));
    for short in 0..length {
        assert!(encode(message, &mut [0xA5; 4096][..short]).is_err(), "a buffer of {short} bytes");
        assert!(decode(&golden[..short]).is_err(), "cut to {short} bytes");
    }
    let mut long = golden.clone();
    long.push(0);
    assert!(matches!(decode(&long), Err(Error::Trailing { .. } | Error::TooMany { .. })));
}

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

fn range(first: u64, last: u64) -> SequenceRange {
    SequenceRange::new(Sequence(first), Sequence(last)).unwrap()
}

const UTC: Timestamp = Timestamp::from_micros(1_700_000_000_000_000).unwrap();

fn birth() -> Birth {
    let channel = |quantity, position, calibration| Channel {
        quantity,
        position: slug(position),
        sensor: slug("sht4x"),
        calibration,
        enabled: true,
    };
    Birth {
        flash: FlashId(0xDEAD_BEEF),
        boot: BootId(7),
        session: 2,
        uptime: Uptime(1_500),
        next_sequence: Sequence(4_096),
        ring_used: 12,
        ring_size: 8_000,
        interval_ms: 60_000,
        next_due_ms: None,
        settings: 0,
        rolled_back: None,
        heartbeat_ms: None,
        target: None,
        release: 0,
        firmware: "miaopu 0.1.0".try_into().unwrap(),
        channels: [
            channel(Quantity::AirTemperature, "canopy", 0),
            channel(Quantity::RelativeHumidity, "tray-3", 5),
        ]
        .into_iter()
        .collect(),
    }
}

fn sampled(channel: u8, uptime: u64, value: i32) -> Sampled {
    let reading = Ok(Scaled(value));
    Sampled { channel, uptime: Uptime(uptime), reading, quality: Quality::Good }
}

fn data() -> Data {
    let fault = Sampled {
        reading: Err(Fault::Checksum),
        quality: Quality::Missing,
        ..sampled(1, 120_000, 0)
    };
    let suspect = Sampled { quality: Quality::Suspect, ..sampled(0, 120_000, 23_510) };
    Data {
        flash: FlashId(0xDEAD_BEEF),
        boot: BootId(7),
        sent: Uptime(120_100),
        body: Body::Readings {
            first: Sequence(4_096),
            boot_utc: Some(UTC),
            uncertain: false,
            history: false,
            readings: [sampled(0, 60_000, 23_500), sampled(1, 60_000, 6_512), suspect, fault]
                .into_iter()
                .collect(),
        },
    }
}

const BIRTH: &str = "ab 00 01 01 1a deadbeef 02 07 03 19 05dc 04 02 06 19 1000 0c 0c 0d 19 1f40 \
    0e 19 ea60 10 6c 6d69616f707520302e312e30 11 82 \
    a3 00 01 01 66 63616e6f7079 02 65 7368743478 \
    a4 00 02 01 66 747261792d33 02 65 7368743478 03 05";
const DATA: &str = "a7 00 01 01 1a deadbeef 02 07 03 1a 0001d524 06 19 1000 05 1b 00060a24181e4000 \
    08 98 04 83 00 19 ea60 19 5bcc 83 01 00 19 1970 84 00 19 ea60 0a 03 85 01 00 f6 09 03";
const GAP: &str = "a6 00 01 01 05 02 09 03 18 64 07 81 82 00 19 01ff 09 01";
const ANSWER: &str = "a6 00 01 01 05 02 09 03 18 64 12 18 2a 15 01";
const DEATH: &str = "a3 00 01 02 07 04 02";
const ACK: &str = "a5 00 01 01 05 03 19 05dc 05 1b 00060a24181e4000 07 82 82 00 09 82 14 18 1e";
const INTERVAL: &str = "a4 00 01 12 18 2a 13 03 14 19 1388";

#[test]
fn a_birth_has_these_bytes() {
    check(&birth(), BIRTH, wire::encode_birth, wire::decode_birth);
    let sleeping = Birth { next_due_ms: Some(3_600_000), ..birth() };
    let mut buffer = [0; 256];
    let length = wire::encode_birth(&sleeping, &mut buffer).unwrap();
    assert_eq!(wire::decode_birth(&buffer[..length]), Ok(sleeping));
}

#[test]
fn readings_have_these_bytes() {
    check(&data(), DATA, wire::encode_data, wire::decode_data);
}

#[test]
fn a_gap_has_these_bytes() {
    let body = Body::Gap { range: range(0, 511), reason: GapReason::RingFull };
    let gap = Data { flash: FlashId(5), boot: BootId(9), sent: Uptime(100), body };
    check(&gap, GAP, wire::encode_data, wire::decode_data);
}

#[test]
fn an_answer_has_these_bytes() {
    let body = Body::Answer { id: 42, outcome: Outcome::Refused, detail: Detail::new() };
    let answer = Data { flash: FlashId(5), boot: BootId(9), sent: Uptime(100), body };
    check(&answer, ANSWER, wire::encode_data, wire::decode_data);
}

#[test]
fn a_death_has_these_bytes() {
    let death = Death { boot: BootId(7), session: 2 };
    check(&death, DEATH, wire::encode_death, wire::decode_death);
}

#[test]
fn an_ack_has_these_bytes() {
    let ranges = [range(0, 9), range(20, 30)].into_iter().collect();
    let ack = Ack { flash: FlashId(5), ranges, utc: UTC, echo: Uptime(1_500) };
    check(&ack, ACK, wire::encode_ack, wire::decode_ack);
}

#[test]
fn commands_have_these_bytes() {
    for (command, golden) in [
        (Command::Rebirth, "a3 00 01 12 18 2a 13 01"),
        (Command::Identify, "a3 00 01 12 18 2a 13 02"),
        (Command::Interval(5_000), INTERVAL),
        (Command::Reboot, "a3 00 01 12 18 2a 13 04"),
    ] {
        check(&Request { id: 42, command }, golden, wire::encode_command, wire::decode_command);
    }
}

// The golden bytes from here on were made by another implementation of CBOR (cbor2 of Python).
const SETTLED_BIRTH: &str = "b00001011adeadbeef0207031905dc0402061910000c0c0d191f400e19ea60106c6d69616f707520302e312e \
    301182a30001016663616e6f707902657368743478a500020166747261792d3302657368743478030504f416 \
    03171a000dbba018180418196a6d7073322d616e333835181a02";
const CONFIGURE: &str = "a4000112182a13051821a700030119ea60021a000dbba0031a0036ee800482713139322e3136382e312e3130 \
    3a313838336d67772e6c6f63616c3a383838330582a300000318320485071864001961a81960e0a3000101f4 \
    0266747261792d330682880900021988b81901f4183c19012c01880a00013907cf1901f4000003";
const UPDATE: &str = "a5000112182b1306182243a1000118235840000102030405060708090a0b0c0d0e0f10111213141516171819 \
    1a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
const EVENT: &str = "a700010105020903186406191267051b00060a24181e4000181ca7000001090219126703010419ee48051989 \
    1c0601";
const WANTING: &str = "a8000101050209031864181a02181d01181e190400181f190200";
const REFUSED: &str = "a700010105020903186412182a1501181b736c696d6974735b325d2e7468726573686f6c64";
const CHUNK: &str = "a40001181a02181e190400182043010203";

fn settings() -> Settings {
    let limit = |rule, side, threshold, off_delay_s, outputs| Limit {
        rule,
        channel: 0,
        side,
        threshold: Scaled(threshold),
        deadband: 500,
        on_delay_s: if outputs == 1 { 60 } else { 0 },
        off_delay_s,
        outputs,
    };
    let calibration = Calibration {
        number: 7,
        raw_low: Scaled(100),
        reference_low: Scaled(0),
        raw_high: Scaled(25_000),
        reference_high: Scaled(24_800),
    };
    let channel = |channel| ChannelSettings {
        channel,
        enabled: channel == 0,
        position: (channel == 1).then(|| slug("tray-3")),
        deadband: if channel == 0 { 50 } else { 0 },
        calibration: (channel == 0).then_some(calibration),
    };
    Settings {
        revision: 3,
        interval_ms: 60_000,
        heartbeat_ms: Some(900_000),
        connect_ms: Some(3_600_000),
        gateways: ["192.168.1.10:1883", "gw.local:8883"]
            .map(|at| at.try_into().unwrap())
            .into_iter()
            .collect(),
        channels: [channel(0), channel(1)].into_iter().collect(),
        limits: [limit(9, Side::High, 35_000, 300, 1), limit(10, Side::Low, -2_000, 0, 3)]
            .into_iter()
            .collect(),
    }
}

#[test]
fn a_birth_with_settings_and_a_release_has_these_bytes() {
    let mut settled = birth();
    settled.channels[1].enabled = false;
    let settled = Birth {
        settings: 3,
        heartbeat_ms: Some(900_000),
        rolled_back: Some(4),
        target: Some(slug("mps2-an385")),
        release: 2,
        ..settled
    };
    check(&settled, SETTLED_BIRTH, wire::encode_birth, wire::decode_birth);
}

#[test]
fn settings_and_an_update_have_these_bytes() {
    let command = Command::Configure(settings());
    check(&Request { id: 42, command }, CONFIGURE, wire::encode_command, wire::decode_command);
    let signature = core::array::from_fn(|n| n as u8);
    let command = Command::Update { manifest: [0xA1, 0, 1].into_iter().collect(), signature };
    check(&Request { id: 43, command }, UPDATE, wire::encode_command, wire::decode_command);
    let mut alone = [0; wire::SETTINGS_BYTES_MAX];
    let length = wire::encode_settings(&settings(), &mut alone).unwrap();
    assert!(CONFIGURE.replace(' ', "").ends_with(&hex(&alone[..length])), "the same bytes alone");
    assert_eq!(wire::decode_settings(&alone[..length]), Ok(settings()));
}

#[test]
fn an_event_an_update_and_a_refusal_have_these_bytes() {
    let data = |body| Data { flash: FlashId(5), boot: BootId(9), sent: Uptime(100), body };
    let event = LocalEvent {
        channel: 0,
        rule: 9,
        episode: Sequence(4_711),
        state: EventState::Raised,
        uptime: Uptime(61_000),
        value: Scaled(35_100),
        outputs: 1,
    };
    let (sequence, boot_utc) = (Sequence(4_711), Some(UTC));
    let event = data(Body::Event { sequence, boot_utc, uncertain: false, event });
    check(&event, EVENT, wire::encode_data, wire::decode_data);
    let (release, state, offset, length) = (2, UpdateState::Wanting, 1_024, 512);
    let wanting = data(Body::Update { release, state, offset, length, detail: Detail::new() });
    check(&wanting, WANTING, wire::encode_data, wire::decode_data);
    let detail = wire::detail(format_args!("limits[{}].threshold", 2));
    let refused = data(Body::Answer { id: 42, outcome: Outcome::Refused, detail });
    check(&refused, REFUSED, wire::encode_data, wire::decode_data);
}

#[test]
fn a_part_of_an_image_has_these_bytes() {
    let chunk = Chunk { release: 2, offset: 1_024, bytes: &[1, 2, 3] };
    let mut buffer = [0xA5; wire::OTA_BYTES_MAX];
    let length = wire::encode_chunk(&chunk, &mut buffer).unwrap();
    assert_eq!(hex(&buffer[..length]), hex(&bytes(CHUNK)));
    assert_eq!(wire::decode_chunk(&bytes(CHUNK)), Ok(chunk));
    for short in 0..length {
        assert!(wire::encode_chunk(&chunk, &mut [0; wire::OTA_BYTES_MAX][..short]).is_err());
        assert!(wire::decode_chunk(&bytes(CHUNK)[..short]).is_err());
    }
    let largest = Chunk { release: u32::MAX, offset: 0, bytes: &[7; wire::CHUNK_BYTES_MAX] };
    let length = wire::encode_chunk(&largest, &mut buffer).unwrap();
    assert_eq!(wire::decode_chunk(&buffer[..length]), Ok(largest));
    let empty = CHUNK.replace("43010203", "40");
    assert_eq!(wire::decode_chunk(&bytes(&empty)), Err(Error::OutOfRange("offset")));
    let beyond = CHUNK.replace("190400", "1affffffff");
    assert_eq!(wire::decode_chunk(&bytes(&beyond)), Err(Error::OutOfRange("offset")));
}

#[test]
fn a_command_that_cannot_be_read_names_its_id_and_what_is_wrong() {
    let bad = |from: &str, to: &str, what| {
        assert!(CONFIGURE.replace(' ', "").contains(from), "{from}");
        let damaged = CONFIGURE.replace(' ', "").replace(from, to);
        refuses(wire::decode_command, &damaged, Error::BadCommand { id: 42, what });
    };
    bad("0119ea60", "016161", "settings");
    bad("880900021988b8", "880900031988b8", "side");
    bad("66747261792d33", "66547261792d33", "position");
    let (head, _) = CONFIGURE.split_once("0682880900").unwrap_or_default();
    let limits = format!("{head}0691{}", "88000001000000 0000".repeat(17));
    refuses(wire::decode_command, &limits, Error::BadCommand { id: 42, what: "LIMITS_MAX" });
    let without = "a4 00 01 12 18 2a 13 05 14 01";
    refuses(wire::decode_command, without, Error::BadCommand { id: 42, what: "settings" });
    let signature = UPDATE.replace(' ', "").replace("23584000", "23583f");
    refuses(wire::decode_command, &signature, Error::BadCommand { id: 43, what: "signature" });
    let interval = "a4 00 01 12 18 2a 13 03 14 1b 0000000100000000";
    refuses(wire::decode_command, interval, Error::BadCommand { id: 42, what: "argument" });
}

#[test]
fn settings_longer_than_their_limit_are_not_written() {
    let mut long = settings();
    let channel = long.channels[1].clone();
    let position = Some(slug(&"p".repeat(32)));
    long.channels = (0..32)
        .map(|n| ChannelSettings { channel: n, position: position.clone(), ..channel.clone() })
        .collect();
    let limit = wire::SETTINGS_BYTES_MAX;
    let too_long = Error::TooMany { limit_name: "SETTINGS_BYTES_MAX", limit };
    assert_eq!(wire::encode_settings(&long, &mut [0; 4096]), Err(too_long));
    let request = Request { id: 1, command: Command::Configure(long) };
    assert_eq!(wire::encode_command(&request, &mut [0; 4096]), Err(too_long));
    let text = "é".repeat(40);
    assert!(wire::detail(format_args!("{text}")).len() <= wire::DETAIL_BYTES_MAX);
}

#[track_caller]
fn refuses<T: PartialEq + core::fmt::Debug>(
    decode: fn(&[u8]) -> Result<T, Error>,
    golden: &str,
    expect: Error,
) {
    assert_eq!(decode(&bytes(golden)), Err(expect));
}

#[test]
fn an_unknown_key_is_skipped_with_its_value() {
    let death = Ok(Death { boot: BootId(7), session: 2 });
    for more in [
        "a4 00 01 18 64 a1 61 61 82 01 02 02 07 04 02",
        "a4 00 01 02 07 04 02 1a 0001 0000 f6",
        "a4 00 01 02 07 16 5f 41 00 41 01 ff 04 02",
        "a4 00 01 02 07 16 9f 01 02 ff 04 02",
    ] {
        assert_eq!(wire::decode_death(&bytes(more)), death, "{more}");
    }
}

#[test]
fn an_unknown_code_is_refused_by_its_number() {
    let unknown = |from: &str, to: &str, golden: &str| {
        assert!(golden.contains(from));
        golden.replace(from, to)
    };
    let quantity = unknown("a3 00 01 01 66", "a3 00 18 63 01 66", BIRTH);
    refuses(wire::decode_birth, &quantity, Error::UnknownQuantity(99));
    let fault = unknown("f6 09 03", "f6 09 18 63", DATA);
    refuses(wire::decode_data, &fault, Error::UnknownFault(99));
    let quality = unknown("0a 03 85", "0a 05 85", DATA);
    refuses(wire::decode_data, &quality, Error::UnknownQuality(5));
    let reason = unknown("09 01", "09 19 0101", GAP);
    refuses(wire::decode_data, &reason, Error::UnknownReason(257));
    let outcome = unknown("15 01", "15 03", ANSWER);
    refuses(wire::decode_data, &outcome, Error::UnknownOutcome(3));
    let command = unknown("13 03 14 19 1388", "13 17 14 60", INTERVAL);
    refuses(wire::decode_command, &command, Error::UnknownCommand { id: 42, code: 23 });
}

#[test]
fn what_is_no_message_of_this_version_is_refused() {
    let death = wire::decode_death;
    refuses(death, "a3 00 02 02 07 04 02", Error::Version(2));
    refuses(death, "a3 02 07 00 01 04 02", Error::Missing("version"));
    refuses(death, "a2 00 01 02 07", Error::Missing("session"));
    refuses(death, "a4 00 01 02 07 02 07 04 02", Error::Twice(2));
    refuses(death, "bf 00 01 02 07 04 02 ff", Error::Malformed { at: 0 });
    refuses(death, "a3 00 01 02 1b 0000000100000000 04 02", Error::OutOfRange("boot"));
    refuses(death, "a3 00 01 02 20 04 02", Error::Malformed { at: 4 });
    refuses(wire::decode_data, "a4 00 01 01 05 02 09 03 18 64", Error::Body);
    refuses(
        wire::decode_data,
        &GAP.replace("82 00 19 01ff", "82 02 01"),
        Error::Range { first: 2, last: 1 },
    );
    refuses(
        wire::decode_ack,
        &ACK.replace("00060a24181e4000", "7fffffffffffffff"),
        Error::OutOfRange("utc"),
    );
    let twice = BIRTH.replace("a4 00 02 01 66 747261792d33", "a4 00 01 01 66 63616e6f7079");
    refuses(wire::decode_birth, &twice, Error::ChannelTwice { index: 1 });
    let name = BIRTH.replace("66 747261792d33", "66 547261792d33");
    refuses(wire::decode_birth, &name, Error::Name(measure::SlugError::Character('T')));
}

#[test]
fn a_value_that_leaves_32_bits_is_refused() {
    let overflow = "a6 00 01 01 05 02 09 03 18 64 06 00 08 82 83 00 00 1a 7fffffff 83 00 00 01";
    refuses(wire::decode_data, overflow, Error::OutOfRange("value"));
    let uptime =
        "a6 00 01 01 05 02 09 03 18 64 06 00 08 82 83 00 1b ffffffffffffffff 00 83 00 01 00";
    refuses(wire::decode_data, uptime, Error::OutOfRange("uptime"));
    let sequence = "a6 00 01 01 05 02 09 03 18 64 06 1b ffffffffffffffff 08 81 83 00 00 00";
    refuses(wire::decode_data, sequence, Error::OutOfRange("first sequence"));
}

#[test]
fn every_limit_is_enforced_by_its_name() {
    let too_many = |limit_name, limit| Error::TooMany { limit_name, limit };
    let long = |limit: usize| vec![0; limit + 1];
    assert_eq!(wire::decode_birth(&long(3000)), Err(too_many("BIRTH_BYTES_MAX", 3000)));
    assert_eq!(wire::decode_data(&long(1024)), Err(too_many("FRAME_BYTES_MAX", 1024)));
    assert_eq!(wire::decode_death(&long(32)), Err(too_many("DEATH_BYTES_MAX", 32)));
    assert_eq!(wire::decode_ack(&long(256)), Err(too_many("ACK_BYTES_MAX", 256)));
    assert_eq!(wire::decode_command(&long(1152)), Err(too_many("COMMAND_BYTES_MAX", 1152)));

    let head = "a6 00 01 01 05 02 09 03 18 64 06 00 08";
    let readings = format!("{head} 98 81");
    refuses(wire::decode_data, &readings, too_many("READINGS_MAX", 128));
    let channel = format!("{head} 81 83 18 20 00 00");
    refuses(wire::decode_data, &channel, too_many("CHANNELS_MAX", 32));
    refuses(wire::decode_ack, &ACK.replace("07 82", "07 89"), too_many("ACK_RANGES_MAX", 8));
    refuses(wire::decode_birth, &BIRTH.replace("11 82", "11 98 21"), too_many("CHANNELS_MAX", 32));
    refuses(wire::decode_death, "b8 21 00 01", too_many("FIELDS_MAX", 32));
    let name = format!("10 78 21 {}", "61".repeat(33));
    let firmware = BIRTH.replace("10 6c 6d69616f707520302e312e30", &name);
    refuses(wire::decode_birth, &firmware, too_many("FIRMWARE_BYTES_MAX", 32));
}

#[test]
fn the_largest_birth_fits_its_limit() {
    let position = |n: usize| slug(&format!("{n:032}"));
    let quantities = Quantity::ALL;
    let channels = (0..wire::CHANNELS_MAX).map(|n| Channel {
        quantity: quantities[n % quantities.len()],
        position: position(n),
        sensor: position(n),
        calibration: u32::MAX,
        enabled: false,
    });
    let largest = Birth {
        flash: FlashId(u32::MAX),
        boot: BootId(u32::MAX),
        session: u32::MAX,
        uptime: Uptime(u64::MAX),
        next_sequence: Sequence(u64::MAX),
        ring_used: u32::MAX,
        ring_size: u32::MAX,
        interval_ms: u32::MAX,
        next_due_ms: Some(u32::MAX),
        settings: u32::MAX,
        rolled_back: Some(u32::MAX),
        heartbeat_ms: Some(u32::MAX),
        target: Some(position(0)),
        release: u32::MAX,
        firmware: "f".repeat(32).as_str().try_into().unwrap(),
        channels: channels.collect(),
    };
    let mut buffer = [0; wire::BIRTH_BYTES_MAX];
    let length = wire::encode_birth(&largest, &mut buffer).unwrap();
    assert_eq!(wire::decode_birth(&buffer[..length]), Ok(largest));
}

#[test]
fn a_frame_says_when_it_is_full_and_stays_whole() {
    let head = Head {
        flash: FlashId(1),
        boot: BootId(1),
        sent: Uptime(0),
        first: Sequence(0),
        boot_utc: None,
        uncertain: false,
        history: false,
    };
    // Wide deltas fill the bytes first, narrow ones the count.
    for (step, after_ms, expect) in [(2_000_000_000, 100_000, 60..120), (1, 10, 128..129)] {
        let mut buffer = [0xA5; 2048];
        let mut frame = Frame::new(&mut buffer, &head).unwrap();
        let mut n = 0;
        let reading =
            |n: i32| sampled(0, after_ms * n as u64, if n % 2 == 0 { step } else { -step });
        while frame.push(&reading(n)).unwrap() == Pushed::Taken {
            n += 1;
        }
        assert!(expect.contains(&n), "{n} readings");
        let length = frame.finish();
        assert!(length <= wire::FRAME_BYTES_MAX);
        let Ok(Data { body: Body::Readings { readings, .. }, .. }) =
            wire::decode_data(&buffer[..length])
        else {
            panic!("not readings")
        };
        assert!(readings.iter().copied().eq((0..n).map(reading)));
        assert!(buffer[length..].iter().all(|byte| *byte == 0xA5));
    }
}

#[test]
fn a_frame_refuses_what_would_not_be_in_order() {
    let mut buffer = [0; 128];
    let Body::Readings { first, boot_utc, .. } = data().body else { panic!("no readings") };
    let head = Head {
        flash: FlashId(1),
        boot: BootId(1),
        sent: Uptime(0),
        first,
        boot_utc,
        uncertain: true,
        history: true,
    };
    let mut frame = Frame::new(&mut buffer, &head).unwrap();
    assert_eq!(frame.push(&sampled(0, 10, 1)), Ok(Pushed::Taken));
    assert_eq!(frame.push(&sampled(0, 9, 1)), Err(Error::Order { index: 1 }));
    assert!(matches!(frame.push(&sampled(32, 10, 1)), Err(Error::TooMany { .. })));
    assert_eq!(frame.count(), 1);
}

#[test]
fn a_topic_leads_back_to_its_node() {
    let key = NodeKey { site: slug("nanchuan"), node: slug("bench-7") };
    for kind in TopicKind::ALL {
        let topic = Topic::new(&key, kind);
        assert_eq!(topic.to_string(), format!("miaopu/1/nanchuan/bench-7/{kind}"));
        assert_eq!(topic.to_string().parse(), Ok(topic.clone()));
        assert_eq!(topic.node_key(), key);
    }
    for wrong in [
        "",
        "miaopu/1/a/b",
        "miaopu/1/a/b/birth/",
        "miaopu/2/a/b/birth",
        "/miaopu/1/a/b/birth",
        "miaopu/1/a/b/nothing",
    ] {
        assert_eq!(Topic::parse(wrong), Err(Error::Topic), "{wrong}");
    }
    assert!(matches!(Topic::parse("miaopu/1/+/b/birth"), Err(Error::Name(_))));
    let longest = slug(&"x".repeat(32));
    let longest = Topic { site: longest.clone(), node: longest, kind: TopicKind::Death };
    assert_eq!(longest.to_string().len(), wire::TOPIC_BYTES_MAX);
}
