//! Carries messages from the outbox to their recipients. One round does all that is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use alarms::{ChannelId, Kind};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use measure::Timestamp;
use people::UserName;
use registry::{Channel, Due, Error, Message, Registry, Tried};
use tracing::{info, warn};

use crate::{Failure, Letter, Office, Place, compose, recipients, retry, webhook_body};

/// How many deliveries are taken up at once; the others follow.
pub const DUE_MAX: usize = 64;

/// How many of them are sent at the same time.
pub const SENDS_MAX: usize = 4;

/// Finds where a channel stands.
pub type Places = Arc<dyn Fn(ChannelId) -> Option<Place> + Send + Sync>;

/// Tells a time.
type Tell = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The two clocks.
#[derive(Clone)]
pub struct Clocks {
    /// The nursery's.
    pub now: Tell,
    /// The wall's, which times tries and links.
    pub wall: Tell,
}

/// Carries messages.
pub struct Courier {
    registry: Arc<Registry>,
    office: Arc<Office>,
    places: Places,
    clocks: Clocks,
    jitter: Box<dyn FnMut() -> f64 + Send + Sync>,
    /// What was tried and could not be written down: nothing else is sent before it is, so that a
    /// full disk does not repeat messages.
    unwritten: BTreeMap<i64, Tried>,
}

impl Courier {
    /// Makes a courier; `jitter` draws a number from 0 to 1.
    pub fn new(
        registry: Arc<Registry>,
        office: Arc<Office>,
        places: Places,
        clocks: Clocks,
        jitter: impl FnMut() -> f64 + Send + Sync + 'static,
    ) -> Self {
        let jitter = Box::new(jitter);
        Self { registry, office, places, clocks, jitter, unwritten: BTreeMap::new() }
    }

    /// Fans out the outbox and sends whatever is due. Returns when there is something to do again;
    /// `None` where nothing waits.
    ///
    /// # Errors
    /// Where the registry can't be read or written; what was sent is written down by a later round.
    pub async fn round(&mut self) -> Result<Option<Timestamp>, Error> {
        self.write_down().await?;
        self.fan_out().await?;
        loop {
            let wall = (self.clocks.wall)();
            let due = self.ask(move |registry| registry.due_deliveries(wall, DUE_MAX)).await?;
            if due.is_empty() {
                return self.ask(Registry::next_delivery).await;
            }
            self.send_all(due).await;
            self.write_down().await?;
        }
    }

    /// Turns every message of the outbox into deliveries.
    async fn fan_out(&self) -> Result<(), Error> {
        let email = self.office.email.is_some();
        let webhook = self.office.webhook.as_ref().map(|webhook| webhook.host().to_owned());
        let wall = (self.clocks.wall)();
        self.ask(move |registry| {
            let waiting = registry.outbox()?;
            if waiting.is_empty() {
                return Ok(());
            }
            let people = registry.people()?;
            for Message { number, transition } in waiting {
                let to = if is_over(transition.kind) {
                    registry.told_of(transition.episode.id)?
                } else {
                    recipients(&people, email, webhook.as_deref())
                };
                registry.fan_out(number, &to, wall)?;
            }
            Ok(())
        })
        .await
    }

    /// Sends deliveries, some at the same time, and remembers how each ended.
    async fn send_all(&mut self, due: Vec<Due>) {
        let mut waiting = due.into_iter();
        let mut sending = FuturesUnordered::new();
        loop {
            while sending.len() < SENDS_MAX
                && let Some(due) = waiting.next()
            {
                let courier = Sender {
                    registry: Arc::clone(&self.registry),
                    office: Arc::clone(&self.office),
                    places: Arc::clone(&self.places),
                    wall: (self.clocks.wall)(),
                };
                sending.push(async move {
                    let sent = courier.send(&due).await;
                    (due, sent)
                });
            }
            let Some((due, sent)) = sending.next().await else { return };
            let tried = self.judge(&due, sent);
            self.unwritten.insert(due.delivery.number, tried);
        }
    }

    fn judge(&mut self, due: &Due, sent: Result<(), Failure>) -> Tried {
        let delivery = &due.delivery;
        let (alarm, channel) = (due.transition.episode.id.0, delivery.to.channel.name());
        let Err(failure) = sent else {
            info!(alarm, channel, message = %delivery.message, "Sent a message.");
            return Tried::Sent;
        };
        let wall = (self.clocks.wall)();
        let attempts = delivery.attempts.saturating_add(1);
        let next = retry::next(delivery.made, attempts, wall, (self.jitter)());
        match next.filter(|_| !failure.is_permanent) {
            Some(next) => {
                warn!(alarm, channel, attempts, reason = %failure, "A message is tried again.");
                Tried::Again { next, reason: failure.reason }
            }
            None => {
                tracing::error!(alarm, channel, attempts, reason = %failure, "Gave a message up.");
                Tried::Failed { reason: failure.reason }
            }
        }
    }

    async fn write_down(&mut self) -> Result<(), Error> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let times = ((self.clocks.wall)(), (self.clocks.now)());
        let tried = self.unwritten.clone();
        self.ask(move |registry| {
            tried.iter().try_for_each(|(number, tried)| registry.record_try(*number, tried, times))
        })
        .await?;
        self.unwritten.clear();
        Ok(())
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Registry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        ask(&self.registry, question).await
    }
}

/// What sending one delivery needs.
struct Sender {
    registry: Arc<Registry>,
    office: Arc<Office>,
    places: Places,
    wall: Timestamp,
}

impl Sender {
    async fn send(&self, due: &Due) -> Result<(), Failure> {
        let channel = due.transition.episode.channel();
        let places = Arc::clone(&self.places);
        let place = ask(&self.registry, move |_| Ok(places(channel))).await;
        let place = place.ok().flatten().ok_or_else(|| {
            Failure::passing(format!("it is not known where channel {channel} stands"))
        })?;
        match due.delivery.to.channel {
            Channel::Email => self.mail(due, &place).await,
            Channel::Webhook => {
                let webhook = self.office.webhook.as_ref().ok_or_else(not_configured)?;
                let body = webhook_body(&due.transition, &place, &self.office.public_url);
                webhook.send(&due.delivery.message, self.wall, &body).await
            }
        }
    }

    async fn mail(&self, due: &Due, place: &Place) -> Result<(), Failure> {
        let email = self.office.email.as_ref().ok_or_else(not_configured)?;
        let name = due.delivery.to.name.clone();
        let person = ask(&self.registry, move |registry| registry.person(&name)).await;
        let person = person.map_err(|error| Failure::passing(error.to_string()))?;
        let address = person.as_ref().and_then(|person| person.contact.email.as_ref());
        let (Some(person), Some(address)) = (&person, address) else {
            return Err(Failure::permanent("the user is gone, or has no e-mail address any more"));
        };
        let link = self.link(due, &person.user).await?;
        let (subject, text) = compose(&due.transition, place, person.contact.language, &link);
        let letter = Letter {
            message: due.delivery.message.clone(),
            thread: due.thread.clone(),
            subject,
            text,
            made: due.delivery.made,
            is_urgent: !is_over(due.transition.kind),
        };
        email.send(address, &letter).await
    }

    /// Returns where the message leads: to the page that answers the alarm, or, where it is over, to
    /// the one that shows it. Each try has a link of its own, because only its hash is kept.
    async fn link(&self, due: &Due, user: &UserName) -> Result<String, Failure> {
        let (alarm, base) = (due.transition.episode.id, &self.office.public_url);
        if is_over(due.transition.kind) {
            return Ok(format!("{base}/alarms/{}", alarm.0));
        }
        let (user, message, wall) = (user.clone(), due.delivery.message.clone(), self.wall);
        let token =
            ask(&self.registry, move |registry| registry.draw_link(alarm, &user, &message, wall));
        let token = token.await.map_err(|error| Failure::passing(error.to_string()))?;
        Ok(format!("{base}/answer#{}", token.reveal()))
    }
}

fn not_configured() -> Failure {
    Failure::permanent("the channel is not configured any more")
}

const fn is_over(kind: Kind) -> bool {
    matches!(kind, Kind::Returned | Kind::Withdrawn)
}

/// Asks the registry on a thread for what blocks.
async fn ask<T: Send + 'static>(
    registry: &Arc<Registry>,
    question: impl FnOnce(&Registry) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let registry = Arc::clone(registry);
    match tokio::task::spawn_blocking(move || question(&registry)).await {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
