//! One connection: opened, subscribed, and then messages both ways until it breaks or is left.

use core::cell::Cell;
use core::fmt;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::mutex::Mutex;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::String;
use measure::{NodeKey, SLUG_BYTES_MAX, Uptime};
use minimq::{
    Buffers, ConfigBuilder, Connection, Error as MqttError, Op, PeerError, PubError, Publication,
    QoS, SubscriptionOptions, TopicFilter, Will,
};
use node::{Action, Node};
use wire::{DEATH_BYTES_MAX, TOPIC_BYTES_MAX, Topic, TopicKind};

use crate::broken::Broken;
use crate::heard::Heard;
use crate::{
    ANSWER_MS_MAX, Board, DIAL_MS_MAX, Dial, Event, GATEWAY_MS_MAX, Identity, KEEPALIVE_S,
    LAST_WORDS_MS, Memory, SILENCE_MS_MAX, STUCK_MS_MAX,
};

/// `SITE/NODE`, the user name.
const USER_BYTES_MAX: usize = 2 * SLUG_BYTES_MAX + 1;
/// The longest client identifier that minimq takes.
const CLIENT_BYTES_MAX: usize = 64;

/// Why a connection is left by the node itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    Reconnect,
    Reboot,
    Sleep(u32),
}

/// What a connection is held with.
pub(crate) struct Session<'c, B, M: RawMutex, F: MultiwriteNorFlash, const PAGES: usize> {
    pub(crate) board: &'c B,
    pub(crate) node: &'c Mutex<M, Node<F, PAGES>>,
    pub(crate) identity: Identity<'c>,
    pub(crate) gateway: &'c str,
    /// There is no other gateway to try.
    pub(crate) is_only: bool,
}

impl<B: Board, M: RawMutex, F: MultiwriteNorFlash, const PAGES: usize> Session<'_, B, M, F, PAGES> {
    /// Connects and carries messages until the connection breaks or is left. `answered` is when the
    /// gateway first answered.
    pub(crate) async fn hold<D: Dial, const MESSAGE: usize>(
        &self,
        dial: &mut D,
        memory: &mut Memory<MESSAGE>,
        answered: &mut Option<Uptime>,
    ) -> Result<Leave, Broken> {
        let utc = {
            let boot_utc = self.node.lock().await.boot_utc();
            let uptime_ms = i64::try_from(self.board.now().0).unwrap_or(i64::MAX);
            boot_utc.map(|boot| boot.plus_ms(uptime_ms))
        };
        let stream = within(DIAL_MS_MAX, "connection", dial.dial(self.gateway, utc)).await?;
        let stream = stream.map_err(|error| Broken::new(format_args!("no stream: {error:?}")))?;

        let mut death = [0; DEATH_BYTES_MAX];
        let (will, topics) = {
            let node = self.node.lock().await;
            (node.will(&mut death)?, node.subscriptions())
        };
        let heard = Cell::new(Instant::now());
        let user = user_name(self.identity.key);
        let config = ConfigBuilder::new(Buffers::new(&mut memory.received, &mut memory.to_send))
            .client_id(&client_id(self.identity.key))?
            .auth(&user, self.identity.secret)?
            .will(Will::new(&will.topic, will.payload, &[])?.qos(QoS::AtLeastOnce))?
            .keepalive_interval(KEEPALIVE_S);
        let mut session = minimq::Session::new(config);
        let stream = Heard { stream, at: &heard };
        let mut mqtt = within(ANSWER_MS_MAX, "handshake", session.connect(stream)).await??;
        within(ANSWER_MS_MAX, "subscription", subscribe(&mut mqtt, &topics)).await??;
        self.node.lock().await.connected();
        self.board.up().await;
        self.board.tell(Event::Up { gateway: self.gateway });
        let leave = self.carry(&mut mqtt, &heard, &mut memory.message, answered).await?;
        self.board.tell(Event::Leaving);
        // The connection ends either way.
        if within(ANSWER_MS_MAX, "farewell", mqtt.disconnect()).await.is_err() {
            self.board.tell(Event::Dropped { reason: "the broker does not hear the farewell" });
        }
        Ok(leave)
    }

    async fn carry<S: Read + Write>(
        &self,
        mqtt: &mut Connection<'_, '_, S>,
        heard: &Cell<Instant>,
        buffer: &mut [u8],
        answered: &mut Option<Uptime>,
    ) -> Result<Leave, Broken> {
        let began = Instant::now();
        let mut leave: Option<(Instant, Leave)> = None;
        let mut stuck_at = began + Duration::from_millis(STUCK_MS_MAX);
        let leaving = |why| Some((Instant::now() + Duration::from_millis(LAST_WORDS_MS), why));
        loop {
            self.board.went_round();
            let Said { has_room, any } = self.publish_due(mqtt, buffer).await?;
            if has_room || any {
                stuck_at = Instant::now() + Duration::from_millis(STUCK_MS_MAX);
            }
            let now = self.board.now();
            let (action, wake, sleep) = {
                let mut node = self.node.lock().await;
                (node.check(now).await?, node.next_wake(now), node.may_sleep(now))
            };
            if let Some(action) = action
                && let Some(why) = self.act(action).await
            {
                leave = leaving(why);
            }
            if leave.is_none()
                && let Some(ms) = sleep
            {
                leave = leaving(Leave::Sleep(ms));
            }
            let is_said = has_room && mqtt.session().is_publish_quiescent();
            if let Some((at, why)) = leave
                && (is_said || Instant::now() >= at)
            {
                return Ok(why);
            }
            let silent_at = heard.get() + Duration::from_millis(SILENCE_MS_MAX);
            if Instant::now() >= silent_at {
                return Err(Broken::new(format_args!("the broker has fallen silent")));
            }
            if Instant::now() >= stuck_at {
                return Err(Broken::new(format_args!("the broker acknowledges nothing")));
            }
            let unanswered_at = (answered.is_none() && !self.is_only)
                .then(|| began + Duration::from_millis(GATEWAY_MS_MAX));
            if unanswered_at.is_some_and(|at| Instant::now() >= at) {
                return Err(Broken::new(format_args!("no gateway answers behind the broker")));
            }
            // Without room only an answer of the broker helps: neither a reading nor the time must wake
            // us then.
            let wake = wake.filter(|_| has_room);
            let wake = wake.map(|at| Instant::now() + Duration::from_millis(at.ms_since(now)));
            let stuck = (!has_room).then_some(stuck_at);
            let others = [leave.map(|(at, _)| at), unanswered_at, stuck];
            let due = others.into_iter().flatten().chain(wake).fold(silent_at, Instant::min);
            let recorded = async {
                if has_room { self.board.recorded().await } else { core::future::pending().await }
            };
            // The connection comes first: `select3` leaves the others unpolled once one is ready.
            let message = match select3(mqtt.poll(), recorded, Timer::at(due)).await {
                Either3::First(Ok(Some(message))) => message,
                Either3::First(Ok(None)) | Either3::Second(()) | Either3::Third(()) => continue,
                // The broker has refused one message; the node sends it again, and the connection
                // stands.
                Either3::First(Err(error @ MqttError::Peer(PeerError::Rejected(_)))) => {
                    self.board.tell(Event::Dropped { reason: Broken::from(error).as_str() });
                    continue;
                }
                Either3::First(Err(error)) => return Err(error.into()),
            };
            let is_ack = is_ack(message.topic());
            let received = {
                let now = self.board.now();
                self.node.lock().await.receive(now, message.topic(), message.payload()).await
            };
            let action = match received {
                Ok(action) => action,
                Err(error @ node::Error::Wire(_)) => {
                    self.board.tell(Event::Dropped { reason: Broken::from(error).as_str() });
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if is_ack && answered.is_none() {
                *answered = Some(self.board.now());
            }
            if let Some(action) = action
                && let Some(why) = self.act(action).await
            {
                leave = leaving(why);
            }
        }
    }

    /// Lets the board act, and returns whether the connection is to be left for it.
    async fn act(&self, action: Action<'_>) -> Option<Leave> {
        let leave = match action {
            Action::Reconnect => Some(Leave::Reconnect),
            Action::Reboot => Some(Leave::Reboot),
            _ => None,
        };
        self.board.act(action).await;
        leave
    }

    /// Publishes what is due.
    async fn publish_due<S: Read + Write>(
        &self,
        mqtt: &mut Connection<'_, '_, S>,
        buffer: &mut [u8],
    ) -> Result<Said, Broken> {
        let mut any = false;
        while mqtt.can_publish(QoS::AtLeastOnce) {
            let (publish, boot) = {
                let mut node = self.node.lock().await;
                match node.next_publish(self.board.now(), buffer).await? {
                    Some(publish) => (publish, node.boot()),
                    None => return Ok(Said { has_room: true, any }),
                }
            };
            self.board.sending(boot, &publish);
            let message = Publication::bytes(&publish.topic, publish.payload).qos(QoS::AtLeastOnce);
            let message = if publish.retain { message.retain() } else { message };
            match within(ANSWER_MS_MAX, "write", mqtt.publish(message)).await? {
                Ok(_) => any = true,
                Err(error) => {
                    self.node.lock().await.publish_failed();
                    let is_full = matches!(
                        error,
                        PubError::Payload(())
                            | PubError::Session(MqttError::NotReady | MqttError::Resource(_))
                    );
                    // With messages under way their answers make room; without any there never will be.
                    if !is_full || mqtt.session().is_publish_quiescent() {
                        return Err(error.into());
                    }
                    break;
                }
            }
        }
        Ok(Said { has_room: false, any })
    }
}

/// What came of saying what was due.
struct Said {
    /// There was room for all of it.
    has_room: bool,
    /// Something was said.
    any: bool,
}

async fn subscribe<S: Read + Write>(
    mqtt: &mut Connection<'_, '_, S>,
    topics: &[String<TOPIC_BYTES_MAX>; 3],
) -> Result<(), Broken> {
    let options = SubscriptionOptions::default().maximum_qos(QoS::AtLeastOnce);
    let filters = topics.each_ref().map(|topic| TopicFilter::new(topic).options(options));
    let operation: Op = mqtt.subscribe(&filters, &[]).await?;
    // A message that comes before the birth can only be an answer to an earlier session, and is dropped.
    while mqtt.is_pending(&operation) {
        mqtt.poll().await?;
    }
    Ok(())
}

fn is_ack(topic: &str) -> bool {
    Topic::parse(topic).is_ok_and(|topic| topic.kind == TopicKind::Ack)
}

/// Returns what comes within `limit_ms`, or that there was no answer to `what`.
async fn within<T>(
    limit_ms: u64,
    what: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, Broken> {
    let timed = with_timeout(Duration::from_millis(limit_ms), future).await;
    timed.map_err(|_| Broken::new(format_args!("no answer to the {what}")))
}

fn user_name(key: &NodeKey) -> String<USER_BYTES_MAX> {
    let mut name = String::new();
    fmt::write(&mut name, format_args!("{key}")).expect("two slugs and a slash fit");
    name
}

/// Returns the client identifier: the user name, but for the two longest names without its slash, for
/// which there is no room; no other node's identifier is as long and without a slash.
fn client_id(key: &NodeKey) -> String<CLIENT_BYTES_MAX> {
    let (site, node) = (key.site.as_str(), key.node.as_str());
    let slash = if site.len() + node.len() < CLIENT_BYTES_MAX { "/" } else { "" };
    let mut id = String::new();
    fmt::write(&mut id, format_args!("{site}{slash}{node}")).expect("two slugs fit");
    id
}
