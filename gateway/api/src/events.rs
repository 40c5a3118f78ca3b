//! The event stream: what happened, gathered and written once, sent to every open page.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Held;
use axum::response::sse::{self, KeepAlive, Sse};
use futures_util::Stream;
use store::{Sample, SeriesId};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tracing::warn;

use crate::guard::{Asker, identify};
use crate::look::Look;
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::state::{Happening, Happenings};
use crate::types::Event;

/// The most event streams at once; one more is told to come again.
pub const STREAMS_MAX: usize = 256;

/// How many events a slow page may be behind; beyond it the oldest are dropped and the page is told
/// `lagged`.
pub const LINES_MAX: usize = 256;

/// How many events wait in one connection's own queue.
const QUEUE_MAX: usize = 16;

/// How long samples are gathered before they are sent: the latest of each channel.
const GATHER: Duration = Duration::from_millis(250);

/// The shortest time between two messages about alarms. The first one goes at once; in a flood of them
/// what comes within this time goes together.
const ALARMS_APART: Duration = Duration::from_millis(25);

/// How often the gateway's clock is sent.
const CLOCK_EVERY: Duration = Duration::from_secs(5);

/// How often a silent stream sends a comment, so that nothing between closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often a stream's session or token is checked: after it ends, the stream does.
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// One event, as JSON.
pub(crate) type Line = Arc<str>;

/// Gathers what happens and tells every open page, until shutdown.
pub(crate) async fn herald(shared: Arc<Shared>, Happenings(mut happenings): Happenings) {
    let mut gathered = Gathered::default();
    let mut clock = tokio::time::interval(CLOCK_EVERY);
    let mut gather = tokio::time::interval(GATHER);
    gather.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let alarms_due = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(alarms_due);
    let mut open = true;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            happening = happenings.recv(), if open => match happening {
                Some(happening) => gathered.add(&shared, happening),
                None => open = false,
            },
            () = &mut alarms_due, if gathered.has_alarms() => {
                tell(&shared, gathered.take_alarms()).await;
                alarms_due.set(tokio::time::sleep(ALARMS_APART));
            }
            _ = gather.tick(), if !gathered.is_empty() => {
                tell(&shared, std::mem::take(&mut gathered)).await;
            }
            _ = clock.tick() => {
                send(&shared, &Event::Clock { now_ms: shared.state.clock.now().millis() });
            }
        }
    }
}

#[derive(Default)]
struct Gathered {
    samples: HashMap<SeriesId, Sample>,
    /// What else happened, in order and without repeats.
    others: Vec<Other>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Other {
    Alarm(alarms::AlarmId),
    Node(measure::NodeKey),
    Configuration,
}

impl Other {
    fn is_alarm(&self) -> bool {
        matches!(self, Self::Alarm(_))
    }
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.others.is_empty()
    }

    fn has_alarms(&self) -> bool {
        self.others.iter().any(Other::is_alarm)
    }

    /// Takes what is to be told at once, and leaves the rest gathered.
    fn take_alarms(&mut self) -> Self {
        let others = std::mem::take(&mut self.others);
        let (alarms, others) = others.into_iter().partition(Other::is_alarm);
        self.others = others;
        Self { samples: HashMap::new(), others: alarms }
    }

    fn add(&mut self, shared: &Shared, happening: Happening) {
        let other = match happening {
            Happening::Samples(samples) => {
                for sample in samples {
                    let kept = self.samples.entry(sample.series).or_insert(sample);
                    if kept.time < sample.time {
                        *kept = sample;
                    }
                }
                return;
            }
            Happening::Alarm(id) => Other::Alarm(id),
            Happening::Node(node) => Other::Node(node),
            Happening::Configuration => Other::Configuration,
        };
        if !matches!(other, Other::Node(_)) {
            shared.overview.spoil();
        }
        if !self.others.contains(&other) {
            self.others.push(other);
        }
    }
}

async fn tell(shared: &Arc<Shared>, gathered: Gathered) {
    if shared.lines.receiver_count() == 0 {
        return;
    }
    let events = question(shared, move |shared| events(shared, &gathered)).await;
    match events {
        Ok(events) => events.iter().for_each(|event| send(shared, event)),
        Err(_) => {
            warn!("Could not tell the open pages what happened.");
            send(shared, &Event::Lagged);
        }
    }
}

fn events(shared: &Shared, gathered: &Gathered) -> Result<Vec<Event>, Refusal> {
    let look = Look::take(&shared.state)?;
    let mut events = Vec::new();
    // The look shows the newest sample, which is never older than the one that was told.
    let mut changed: Vec<_> = gathered.samples.keys().copied().collect();
    changed.sort_unstable();
    let channels =
        changed.into_iter().filter_map(|id| Some(look.channel(id, look.series.get(&id)?)));
    let channels: Vec<_> = channels.collect();
    if !channels.is_empty() {
        events.push(Event::Samples { channels });
    }
    for other in &gathered.others {
        match other {
            Other::Alarm(id) => {
                if let Some(alarm) = shared.state.registry.alarm(*id)? {
                    events.push(Event::Alarm { alarm: Box::new(look.alarm(&alarm)) });
                }
            }
            Other::Node(key) => events.push(Event::Node { node: look.node(key) }),
            Other::Configuration => events.push(Event::Configuration),
        }
    }
    Ok(events)
}

fn send(shared: &Shared, event: &Event) {
    match serde_json::to_string(event) {
        // Nobody listens: nobody misses it.
        Ok(line) => drop(shared.lines.send(line.into())),
        Err(error) => warn!(%error, "Could not write an event."),
    }
}

/// `GET /events`.
pub(crate) async fn stream(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Refusal> {
    let place = Arc::clone(&shared.streams).try_acquire_owned().map_err(|_| Refusal::busy())?;
    let lines = shared.lines.subscribe();
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(async move {
        let stop = shared.stop.clone();
        stop.run_until_cancelled(feed(shared, asker, lines, sender)).await;
        drop(place);
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive))
}

/// Feeds one stream until its reader goes, its session ends or the gateway stops.
async fn feed(
    shared: Arc<Shared>,
    asker: Asker,
    mut lines: broadcast::Receiver<Line>,
    sender: mpsc::Sender<Result<sse::Event, Infallible>>,
) {
    let mut check = tokio::time::interval(CHECK_EVERY);
    check.tick().await;
    let now = Event::Clock { now_ms: shared.state.clock.now().millis() };
    let mut next = serde_json::to_string(&now).ok().map(Line::from);
    loop {
        if let Some(line) = next.take()
            && sender.send(Ok(sse::Event::default().data(&*line))).await.is_err()
        {
            return;
        }
        tokio::select! {
            () = sender.closed() => return,
            _ = check.tick() => {
                if !matches!(identify(&shared, &asker.credential).await, Ok(Some(_))) {
                    return;
                }
            }
            line = lines.recv() => match line {
                Ok(line) => next = Some(line),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    next = serde_json::to_string(&Event::Lagged).ok().map(Line::from);
                }
                Err(broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}
