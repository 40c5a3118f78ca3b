//! A gateway that stores what it decodes and acknowledges what it stored, as far as the test lets it.

use std::collections::{BTreeMap, BTreeSet};

use measure::{Reading, SequenceRange, Timestamp, Uptime};
use wire::{Ack, Birth, Body, GapReason, Request, Topic, TopicKind};

use super::Sent;

/// A message to the node.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

/// A reading as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) boot: u32,
    pub(crate) channel: u8,
    pub(crate) reading: Reading,
    pub(crate) utc: Option<Timestamp>,
    pub(crate) uncertain: bool,
    pub(crate) history: bool,
}

/// An event as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) boot: u32,
    pub(crate) event: wire::LocalEvent,
    pub(crate) utc: Option<Timestamp>,
    pub(crate) uncertain: bool,
}

pub(crate) struct Gateway {
    pub(crate) births: Vec<Birth>,
    pub(crate) known: BTreeSet<u32>,
    pub(crate) readings: BTreeMap<(u32, u64), Stored>,
    pub(crate) events: BTreeMap<(u32, u64), StoredEvent>,
    /// In the order in which they came, with repeats.
    pub(crate) order: Vec<u64>,
    pub(crate) repeats: u64,
    pub(crate) gaps: Vec<(u32, SequenceRange, GapReason)>,
    pub(crate) answers: Vec<(u32, wire::Outcome)>,
    /// What was said with them.
    pub(crate) details: Vec<String>,
    /// How an update comes along, as the node said it.
    pub(crate) updates: Vec<Body>,
    /// Whether births, readings and gaps are acknowledged.
    pub(crate) acknowledges: bool,
    pub(crate) latency_ms: i64,
    next_id: u32,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Self {
            births: Vec::new(),
            known: BTreeSet::new(),
            readings: BTreeMap::new(),
            events: BTreeMap::new(),
            order: Vec::new(),
            repeats: 0,
            gaps: Vec::new(),
            answers: Vec::new(),
            details: Vec::new(),
            updates: Vec::new(),
            acknowledges: true,
            latency_ms: 0,
            next_id: 1,
        }
    }

    pub(crate) fn hear(&mut self, sent: &Sent, utc: Timestamp) -> Vec<Outgoing> {
        let topic = Topic::parse(&sent.topic).unwrap();
        assert_eq!(topic.node_key().to_string(), "nanchuan/bench-7");
        match topic.kind {
            TopicKind::Birth => {
                assert!(sent.retain);
                let birth = wire::decode_birth(&sent.payload).unwrap();
                self.known.insert(birth.flash.0);
                let ack = self.ack(birth.flash.0, &[], utc, birth.uptime);
                self.births.push(birth);
                self.acknowledged(ack)
            }
            TopicKind::Data => {
                assert!(!sent.retain && sent.payload.len() <= wire::FRAME_BYTES_MAX);
                self.data(&wire::decode_data(&sent.payload).unwrap(), utc)
            }
            kind => panic!("a node does not publish {kind}"),
        }
    }

    fn data(&mut self, data: &wire::Data, utc: Timestamp) -> Vec<Outgoing> {
        if !self.known.contains(&data.flash.0) {
            return vec![self.command(wire::Command::Rebirth)];
        }
        let range = match &data.body {
            Body::Answer { id, outcome, detail } => {
                self.answers.push((*id, *outcome));
                self.details.push(detail.as_str().into());
                return Vec::new();
            }
            Body::Update { .. } => {
                self.updates.push(data.body.clone());
                return Vec::new();
            }
            Body::Event { sequence, boot_utc, uncertain, event } => {
                let stored = StoredEvent {
                    boot: data.boot.0,
                    event: *event,
                    utc: boot_utc.map(|utc| utc.plus_ms(event.uptime.0 as i64)),
                    uncertain: *uncertain,
                };
                let key = (data.flash.0, sequence.0);
                let before = self.events.entry(key).or_insert(stored);
                assert_eq!(
                    before.event, stored.event,
                    "sequence {sequence:?} stands for two events"
                );
                SequenceRange::new(*sequence, *sequence).unwrap()
            }
            Body::Gap { range, reason } => {
                self.gaps.push((data.flash.0, *range, *reason));
                *range
            }
            Body::Readings { first, boot_utc, uncertain, history, readings } => {
                assert!(!readings.is_empty());
                for (sampled, sequence) in readings.iter().zip(first.0..) {
                    let stored = Stored {
                        boot: data.boot.0,
                        channel: sampled.channel,
                        reading: sampled.reading,
                        utc: boot_utc.map(|utc| utc.plus_ms(sampled.uptime.0 as i64)),
                        uncertain: *uncertain,
                        history: *history,
                    };
                    self.order.push(sequence);
                    self.repeats +=
                        u64::from(self.readings.contains_key(&(data.flash.0, sequence)));
                    let before = self.readings.entry((data.flash.0, sequence)).or_insert(stored);
                    assert_eq!(
                        (before.channel, before.reading),
                        (stored.channel, stored.reading),
                        "sequence {sequence} stands for two readings"
                    );
                }
                let last = measure::Sequence(first.0 + readings.len() as u64 - 1);
                SequenceRange::new(*first, last).unwrap()
            }
        };
        let ack = self.ack(data.flash.0, &[range], utc, data.sent);
        self.acknowledged(ack)
    }

    fn acknowledged(&self, ack: Outgoing) -> Vec<Outgoing> {
        if self.acknowledges { vec![ack] } else { Vec::new() }
    }

    pub(crate) fn ack(
        &self,
        flash: u32,
        ranges: &[SequenceRange],
        utc: Timestamp,
        echo: Uptime,
    ) -> Outgoing {
        let ranges = ranges.iter().copied().collect();
        let ack = Ack { flash: measure::FlashId(flash), ranges, utc, echo };
        let mut buffer = [0; wire::ACK_BYTES_MAX];
        let length = wire::encode_ack(&ack, &mut buffer).unwrap();
        Outgoing { topic: "miaopu/1/nanchuan/bench-7/ack".into(), payload: buffer[..length].into() }
    }

    pub(crate) fn command(&mut self, command: wire::Command) -> Outgoing {
        self.next_id += 1;
        self.command_as(self.next_id, command)
    }

    pub(crate) fn command_as(&mut self, id: u32, command: wire::Command) -> Outgoing {
        let mut buffer = [0; wire::COMMAND_BYTES_MAX];
        let length = wire::encode_command(&Request { id, command }, &mut buffer).unwrap();
        Outgoing { topic: "miaopu/1/nanchuan/bench-7/cmd".into(), payload: buffer[..length].into() }
    }

    pub(crate) fn gap_of(&self, key: (u32, u64)) -> Option<GapReason> {
        let holds = |gap: &&(u32, SequenceRange, GapReason)| {
            gap.0 == key.0 && gap.1.contains(measure::Sequence(key.1))
        };
        self.gaps.iter().find(holds).map(|gap| gap.2)
    }

    /// Whether the node has said that it dropped this reading because its ring was full.
    pub(crate) fn is_dropped(&self, key: (u32, u64)) -> bool {
        self.gap_of(key) == Some(GapReason::RingFull)
    }
}
