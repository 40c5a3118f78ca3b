//! Every message comes back from its bytes, and no bytes make a reader panic.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test panics where it fails")]

use measure::{
    BootId, Fault, FlashId, Quality, Quantity, Scaled, Sequence, SequenceRange, Slug, Timestamp,
    Uptime,
};
use proptest::prelude::*;
use wire::{
    Ack, Birth, Body, Calibration, Channel, ChannelSettings, Command, Data, Death, Error,
    EventState, GapReason, Limit, LocalEvent, Outcome, READINGS_MAX, Request, Sampled, Settings,
    Side, UpdateState,
};

fn slug() -> impl Strategy<Value = Slug> {
    "[a-z0-9-]{1,32}".prop_map(|name| Slug::new(&name).unwrap())
}

fn range() -> impl Strategy<Value = SequenceRange> {
    (any::<u64>(), any::<u64>()).prop_map(|(one, other)| SequenceRange {
        first: Sequence(one.min(other)),
        last: Sequence(one.max(other)),
    })
}

fn utc() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.micros()).prop_map(|micros| Timestamp::from_micros(micros).unwrap())
}

fn channel() -> impl Strategy<Value = Channel> {
    (prop::sample::select(&Quantity::ALL[..]), slug(), slug(), any::<u32>(), any::<bool>())
        .prop_map(|(quantity, position, sensor, calibration, enabled)| Channel {
            quantity,
            position,
            sensor,
            calibration,
            enabled,
        })
}

prop_compose! {
    fn birth()(
        numbers in any::<(u32, u32, u32, u64, u64, u32, u32, u32, Option<u32>)>(),
        more in (any::<(u32, Option<u32>, Option<u32>, u32)>(), prop::option::of(slug())),
        firmware in "[ -~]{0,32}",
        channels in prop::collection::vec(channel(), 0..=wire::CHANNELS_MAX),
    ) -> Birth {
        let (flash, boot, session, uptime, next, used, size, interval_ms, next_due_ms) = numbers;
        let mut unique: Vec<Channel> = Vec::new();
        for channel in channels {
            let same = |other: &Channel| {
                other.quantity == channel.quantity && other.position == channel.position
            };
            if !unique.iter().any(same) {
                unique.push(channel);
            }
        }
        Birth {
            flash: FlashId(flash),
            boot: BootId(boot),
            session,
            uptime: Uptime(uptime),
            next_sequence: Sequence(next),
            ring_used: used,
            ring_size: size,
            interval_ms,
            next_due_ms,
            settings: more.0.0,
            rolled_back: more.0.1,
            heartbeat_ms: more.0.2,
            release: more.0.3,
            target: more.1,
            firmware: firmware.as_str().try_into().unwrap(),
            channels: unique.into_iter().collect(),
        }
    }
}

fn sampled() -> impl Strategy<Value = (u8, u32, Result<i32, Fault>, Quality)> {
    let reading = prop_oneof![
        4 => any::<i32>().prop_map(Ok),
        4 => (20_000..25_000).prop_map(Ok),
        1 => prop::sample::select(&Fault::ALL[..]).prop_map(Err),
    ];
    let uptime = prop_oneof![Just(0_u32), 0_u32..100_000, any::<u32>()];
    (0..wire::CHANNELS_MAX as u8, uptime, reading, prop::sample::select(&Quality::ALL[..]))
}

fn readings() -> impl Strategy<Value = Body> {
    let head =
        (0..u64::MAX - READINGS_MAX as u64, prop::option::of(utc()), any::<bool>(), any::<bool>());
    (head, prop::collection::vec(sampled(), 0..READINGS_MAX)).prop_map(|(head, list)| {
        let (first, boot_utc, uncertain, history) = head;
        let mut uptime = 0_u64;
        let readings = list.into_iter().map(|(channel, after_ms, reading, quality)| {
            uptime += u64::from(after_ms);
            Sampled { channel, uptime: Uptime(uptime), reading: reading.map(Scaled), quality }
        });
        let readings = readings.collect();
        Body::Readings { first: Sequence(first), boot_utc, uncertain, history, readings }
    })
}

fn event() -> impl Strategy<Value = Body> {
    let who = (0..wire::CHANNELS_MAX as u8, any::<u32>(), any::<u64>());
    let what =
        (prop::sample::select(&EventState::ALL[..]), any::<u64>(), any::<i32>(), any::<u8>());
    let head = (any::<u64>(), prop::option::of(utc()), any::<bool>());
    (head, who, what).prop_map(
        |(head, (channel, rule, episode), (state, uptime, value, outputs))| {
            let event = LocalEvent {
                channel,
                rule,
                episode: Sequence(episode),
                state,
                uptime: Uptime(uptime),
                value: Scaled(value),
                outputs,
            };
            Body::Event { sequence: Sequence(head.0), boot_utc: head.1, uncertain: head.2, event }
        },
    )
}

fn update() -> impl Strategy<Value = Body> {
    let numbers = (any::<u32>(), any::<u32>(), 0..=wire::CHUNK_BYTES_MAX as u16);
    let state = prop::sample::select(&UpdateState::ALL[..]);
    (numbers, state, "[ -~]{0,48}").prop_map(|((release, offset, length), state, detail)| {
        let detail = wire::detail(format_args!("{detail}"));
        Body::Update { release, state, offset, length, detail }
    })
}

fn data() -> impl Strategy<Value = Data> {
    let body = prop_oneof![
        6 => readings(),
        1 => (range(), prop::sample::select(&GapReason::ALL[..]))
            .prop_map(|(range, reason)| Body::Gap { range, reason }),
        1 => (any::<u32>(), prop::sample::select(&Outcome::ALL[..]), "[ -~]{0,48}").prop_map(
            |(id, outcome, detail)| Body::Answer {
                id,
                outcome,
                detail: wire::detail(format_args!("{detail}")),
            }
        ),
        1 => event(),
        1 => update(),
    ];
    (any::<(u32, u32, u64)>(), body).prop_map(|((flash, boot, sent), body)| Data {
        flash: FlashId(flash),
        boot: BootId(boot),
        sent: Uptime(sent),
        body,
    })
}

fn ack() -> impl Strategy<Value = Ack> {
    let ranges = prop::collection::vec(range(), 0..=wire::ACK_RANGES_MAX);
    (any::<(u32, u64)>(), ranges, utc()).prop_map(|((flash, echo), ranges, utc)| Ack {
        flash: FlashId(flash),
        ranges: ranges.into_iter().collect(),
        utc,
        echo: Uptime(echo),
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let numbers = any::<(u32, u32, Option<u32>, Option<u32>)>();
    let gateways = prop::collection::vec("[ -~]{1,64}", 0..=wire::GATEWAYS_MAX);
    let index = 0..wire::CHANNELS_MAX as u8;
    let raw = any::<Option<(u32, i32, i32, i32, i32)>>();
    let channel = (index.clone(), any::<bool>(), prop::option::of(slug()), any::<u32>(), raw);
    let channel = channel.prop_map(|(channel, enabled, position, deadband, points)| {
        let calibration = points.map(|(number, raw_low, low, raw_high, high)| Calibration {
            number,
            raw_low: Scaled(raw_low),
            reference_low: Scaled(low),
            raw_high: Scaled(raw_high),
            reference_high: Scaled(high),
        });
        ChannelSettings { channel, enabled, position, deadband, calibration }
    });
    let judged = (prop::sample::select(&Side::ALL[..]), any::<i32>(), any::<u32>());
    let limit = (any::<u32>(), index, judged, any::<(u16, u16, u8)>());
    let limit = limit.prop_map(|(rule, channel, (side, threshold, deadband), rest)| {
        let (threshold, (on_delay_s, off_delay_s, outputs)) = (Scaled(threshold), rest);
        Limit { rule, channel, side, threshold, deadband, on_delay_s, off_delay_s, outputs }
    });
    let channels = prop::collection::vec(channel, 0..=wire::CHANNELS_MAX);
    let limits = prop::collection::vec(limit, 0..=wire::LIMITS_MAX);
    (numbers, gateways, channels, limits).prop_map(|(numbers, gateways, channels, limits)| {
        let (revision, interval_ms, heartbeat_ms, connect_ms) = numbers;
        Settings {
            revision,
            interval_ms,
            heartbeat_ms,
            connect_ms,
            gateways: gateways.iter().map(|at| at.as_str().try_into().unwrap()).collect(),
            channels: channels.into_iter().collect(),
            limits: limits.into_iter().collect(),
        }
    })
}

fn request() -> impl Strategy<Value = Request> {
    let command = prop_oneof![
        Just(Command::Rebirth),
        Just(Command::Identify),
        any::<u32>().prop_map(Command::Interval),
        Just(Command::Reboot),
        settings().prop_map(Command::Configure),
        (prop::collection::vec(any::<u8>(), 1..=wire::MANIFEST_BYTES_MAX), any::<u8>()).prop_map(
            |(manifest, byte)| Command::Update {
                manifest: manifest.into_iter().collect(),
                signature: [byte; wire::SIGNATURE_BYTES],
            }
        ),
    ];
    (any::<u32>(), command).prop_map(|(id, command)| Request { id, command })
}

fn comes_back<T: PartialEq + core::fmt::Debug>(
    message: &T,
    encode: fn(&T, &mut [u8]) -> Result<usize, Error>,
    decode: fn(&[u8]) -> Result<T, Error>,
) -> Result<(), TestCaseError> {
    let mut buffer = [0xA5; 4096];
    match encode(message, &mut buffer) {
        Ok(length) => {
            prop_assert_eq!(&decode(&buffer[..length]).unwrap(), message);
            prop_assert!(buffer[length..].iter().all(|byte| *byte == 0xA5));
        }
        // Readings that do not fit into one frame, settings that do not fit into one command.
        Err(Error::TooMany { limit_name: "FRAME_BYTES_MAX" | "SETTINGS_BYTES_MAX", .. }) => {}
        Err(error) => prop_assert!(false, "{error}"),
    }
    Ok(())
}

fn decode_all(bytes: &[u8]) {
    wire::decode_birth(bytes).ok();
    wire::decode_data(bytes).ok();
    wire::decode_death(bytes).ok();
    wire::decode_ack(bytes).ok();
    wire::decode_command(bytes).ok();
    wire::decode_settings(bytes).ok();
    wire::decode_chunk(bytes).ok();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_birth_comes_back(message in birth()) {
        comes_back(&message, wire::encode_birth, wire::decode_birth)?;
    }

    #[test]
    fn data_comes_back(message in data()) {
        comes_back(&message, wire::encode_data, wire::decode_data)?;
    }

    #[test]
    fn a_death_comes_back(boot: u32, session: u32) {
        let message = Death { boot: BootId(boot), session };
        comes_back(&message, wire::encode_death, wire::decode_death)?;
    }

    #[test]
    fn an_ack_comes_back(message in ack()) {
        comes_back(&message, wire::encode_ack, wire::decode_ack)?;
    }

    #[test]
    fn a_command_comes_back(message in request()) {
        comes_back(&message, wire::encode_command, wire::decode_command)?;
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
        decode_all(&bytes);
    }

    /// Bytes that are nearly right reach further than random ones.
    #[test]
    fn no_damage_makes_a_reader_panic(
        message in data(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut buffer = [0; wire::FRAME_BYTES_MAX];
        let length = wire::encode_data(&message, &mut buffer).unwrap_or(wire::FRAME_BYTES_MAX);
        let bytes = &mut buffer[..length];
        for (index, value) in damage {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        decode_all(bytes);
        let cut = cut.index(bytes.len());
        decode_all(&bytes[..cut]);
    }

    #[test]
    fn no_text_makes_the_topic_reader_panic(text in ".{0,100}") {
        wire::Topic::parse(&text).ok();
        wire::Topic::parse(&format!("miaopu/1/{text}")).ok();
    }
}
