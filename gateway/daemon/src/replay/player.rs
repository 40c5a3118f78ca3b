//! One node of a recording: birth, frames, acknowledgements, over one MQTT connection.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use indicatif::ProgressBar;
use measure::{BootId, NodeKey, Quality, Sequence, SequenceRange, Timestamp, Uptime};
use rumqttc::v5::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions,
    mqttbytes::{QoS, v5::Packet},
};
use tokio::time::timeout;
use wire::{
    BIRTH_BYTES_MAX, Birth, Channel, FRAME_BYTES_MAX, Frame, Head, Pushed, READINGS_MAX, Sampled,
    Topic, TopicKind,
};

use super::recording::NodeRecording;
use crate::{credentials::Secret, failure::Failure};

/// Frames under way without an acknowledgement; the next one waits.
const FRAMES_IN_FLIGHT_MAX: usize = 16;
/// After this long without any acknowledgement everything in flight is sent again.
const RESEND_AFTER: Duration = Duration::from_secs(10);
/// How often in a row nothing may be acknowledged before the replay gives up.
const SILENCES_MAX: u32 = 6;
/// How many connections in a row may fail before the replay gives up.
const CONNECTIONS_FAILED_MAX: u32 = 10;
/// The wait before the next connection.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// Requests that the client queues; more wait.
const REQUESTS_MAX: usize = 64;

/// A frame that is under way.
struct InFlight {
    range: SequenceRange,
    bytes: Vec<u8>,
}

struct Player<'a> {
    key: NodeKey,
    recording: NodeRecording,
    client: AsyncClient,
    bar: &'a ProgressBar,
    /// How long one reading takes at the rate that was asked for.
    pause: Option<Duration>,
    /// Index of the next reading to frame; its sequence is one more.
    next: usize,
    in_flight: VecDeque<InFlight>,
    acknowledged: u64,
    session: u32,
}

/// Sends every reading of a node and returns how many were acknowledged: all.
///
/// # Errors
/// [`Failure::Unavailable`] where the broker refuses or the gateway falls silent.
pub(super) async fn play(
    key: NodeKey,
    recording: NodeRecording,
    secret: Secret,
    address: SocketAddr,
    pause: Option<Duration>,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let mut options = MqttOptions::new(
        format!("{}-{}-replay", key.site, key.node),
        address.ip().to_string(),
        address.port(),
    );
    options.set_credentials(key.to_string(), secret.reveal());
    options.set_keep_alive(Duration::from_secs(60));
    // By default the client makes room for 65,535 messages in flight, 13 MB a node.
    options.set_outgoing_inflight_upper_limit(FRAMES_IN_FLIGHT_MAX as u16 + 4);
    let (client, events) = AsyncClient::new(options, REQUESTS_MAX);
    let player = Player {
        key,
        recording,
        client,
        bar,
        pause,
        next: 0,
        in_flight: VecDeque::new(),
        acknowledged: 0,
        session: 0,
    };
    player.run(events).await
}

impl Player<'_> {
    async fn run(mut self, mut events: EventLoop) -> Result<u64, Failure> {
        let total = self.recording.readings.len() as u64;
        let (mut silences, mut failed_connections) = (0, 0);
        while self.acknowledged < total {
            match timeout(RESEND_AFTER, events.poll()).await {
                Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    failed_connections = 0;
                    self.greet()?;
                }
                Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                    if self.take_acknowledgement(&publish.payload) {
                        silences = 0;
                        self.fill().await?;
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    failed_connections += 1;
                    self.judge_connection(&error, failed_connections)?;
                    tokio::time::sleep(RECONNECT_AFTER).await;
                }
                Err(_) => {
                    silences += 1;
                    if silences > SILENCES_MAX {
                        return Err(
                            self.unavailable("the gateway acknowledges nothing; is it running?")
                        );
                    }
                    self.greet()?;
                }
            }
        }
        // The last acknowledgement may be gone from the queue before the socket knows.
        if self.client.try_disconnect().is_ok() {
            while timeout(RECONNECT_AFTER, events.poll()).await.is_ok_and(|event| event.is_ok()) {}
        }
        Ok(self.acknowledged)
    }

    fn judge_connection(&self, error: &ConnectionError, failed: u32) -> Result<(), Failure> {
        match error {
            ConnectionError::ConnectionRefused(reason) => {
                Err(self.unavailable(format!("the broker refuses the node: {reason:?}")))
            }
            _ if failed >= CONNECTIONS_FAILED_MAX => {
                Err(self.unavailable(format!("cannot reach the broker: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Subscribes, says who is there, and sends again what is under way.
    fn greet(&mut self) -> Result<(), Failure> {
        self.session += 1;
        let subscription = Topic::new(&self.key, TopicKind::Ack).to_string();
        self.client
            .try_subscribe(subscription, QoS::AtLeastOnce)
            .map_err(|error| self.unavailable(error))?;
        let mut bytes = vec![0; BIRTH_BYTES_MAX];
        let length = wire::encode_birth(&self.birth()?, &mut bytes)
            .map_err(|error| self.unavailable(error))?;
        bytes.truncate(length);
        self.publish(TopicKind::Birth, bytes)?;
        for frame in &self.in_flight {
            self.publish(TopicKind::Data, frame.bytes.clone())?;
        }
        Ok(())
    }

    fn birth(&self) -> Result<Birth, Failure> {
        let slug = |text: &str| measure::Slug::new(text).map_err(|error| self.unavailable(error));
        let sensor = slug("replay")?;
        let channels = self.recording.channels.iter().map(|(quantity, position)| Channel {
            quantity: *quantity,
            position: position.clone(),
            sensor: sensor.clone(),
            calibration: 0,
            enabled: true,
        });
        let waiting = self.recording.readings.len() - self.next;
        Ok(Birth {
            flash: self.recording.flash,
            boot: BootId(1),
            session: self.session,
            uptime: Uptime(0),
            next_sequence: Sequence(self.next as u64 + 1),
            ring_used: u32::try_from(waiting).unwrap_or(u32::MAX),
            ring_size: u32::try_from(self.recording.readings.len()).unwrap_or(u32::MAX),
            interval_ms: 60_000,
            next_due_ms: None,
            firmware: concat!("replay ", env!("CARGO_PKG_VERSION")).parse().unwrap_or_default(),
            channels: channels.collect(),
            settings: 0,
            rolled_back: None,
            heartbeat_ms: None,
            target: None,
            release: 0,
        })
    }

    /// Takes an acknowledgement; returns whether it was one of this recording.
    fn take_acknowledgement(&mut self, payload: &[u8]) -> bool {
        let Ok(ack) = wire::decode_ack(payload) else { return false };
        if ack.flash != self.recording.flash {
            return false;
        }
        self.in_flight.retain(|frame| {
            let covered = ack
                .ranges
                .iter()
                .any(|range| range.contains(frame.range.first) && range.contains(frame.range.last));
            if covered {
                let count = frame.range.last.0 - frame.range.first.0 + 1;
                self.acknowledged += count;
                self.bar.inc(count);
            }
            !covered
        });
        true
    }

    /// Sends frames until enough are under way.
    async fn fill(&mut self) -> Result<(), Failure> {
        while self.in_flight.len() < FRAMES_IN_FLIGHT_MAX
            && self.next < self.recording.readings.len()
        {
            let frame = self.frame()?;
            let count = u32::try_from(frame.range.last.0 - frame.range.first.0 + 1).unwrap_or(1);
            self.publish(TopicKind::Data, frame.bytes.clone())?;
            self.in_flight.push_back(frame);
            if let Some(pause) = self.pause {
                // The connection rests meanwhile: a frame holds no more than about a second's
                // readings, so that this ends well within the keep-alive.
                tokio::time::sleep(pause * count).await;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Puts the next readings into a frame: as many as fit and are whole milliseconds apart.
    fn frame(&mut self) -> Result<InFlight, Failure> {
        let rest = self.recording.readings.get(self.next..).unwrap_or_default();
        let Some((begin, ..)) = rest.first().copied() else {
            return Err(self.unavailable("nothing is left to send"));
        };
        let first = Sequence(self.next as u64 + 1);
        let mut bytes = vec![0; FRAME_BYTES_MAX];
        let head = Head {
            flash: self.recording.flash,
            boot: BootId(1),
            sent: Uptime(0),
            first,
            boot_utc: Some(begin),
            uncertain: false,
            history: true,
        };
        let mut frame = Frame::new(&mut bytes, &head).map_err(|error| self.unavailable(error))?;
        for (time, channel, reading) in rest.iter().take(self.readings_a_frame()) {
            let Some(uptime) = whole_ms(begin, *time) else { break };
            let quality = if reading.is_ok() { Quality::NotEvaluated } else { Quality::Missing };
            let sampled = Sampled { channel: *channel, uptime, reading: *reading, quality };
            match frame.push(&sampled).map_err(|error| self.unavailable(error))? {
                Pushed::Taken => {}
                Pushed::Full => break,
            }
        }
        let count = frame.count();
        let length = frame.finish();
        bytes.truncate(length);
        self.next += count;
        Ok(InFlight { range: SequenceRange { first, last: Sequence(self.next as u64) }, bytes })
    }

    fn readings_a_frame(&self) -> usize {
        let a_second = |pause: Duration| 1.0 / pause.as_secs_f64();
        self.pause.map_or(READINGS_MAX, |pause| (a_second(pause) as usize).clamp(1, READINGS_MAX))
    }

    fn publish(&self, kind: TopicKind, bytes: Vec<u8>) -> Result<(), Failure> {
        let topic = Topic::new(&self.key, kind).to_string();
        self.client
            .try_publish(topic, QoS::AtLeastOnce, false, bytes)
            .map_err(|error| self.unavailable(error))
    }

    fn unavailable(&self, what: impl std::fmt::Display) -> Failure {
        Failure::unavailable(format!("replay of {}: {what}", self.key))
    }
}

/// Returns the time since `begin`, where it is a whole number of milliseconds.
fn whole_ms(begin: Timestamp, time: Timestamp) -> Option<Uptime> {
    let micros = u64::try_from(time.micros_since(begin)).ok()?;
    micros.is_multiple_of(1_000).then_some(Uptime(micros / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_between_milliseconds_begin_a_frame_of_their_own() {
        let begin = Timestamp::from_micros(5_000).unwrap();
        assert_eq!(whole_ms(begin, begin.plus_micros(2_000)), Some(Uptime(2)));
        assert_eq!(whole_ms(begin, begin.plus_micros(2_001)), None);
        assert_eq!(whole_ms(begin, begin.plus_micros(-1_000)), None);
    }
}
