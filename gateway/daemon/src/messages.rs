//! The message stage: woken by the alarm stage's commits and by its own timer, it has the courier of
//! `notify` send what is due. What it is ahead of its commit is in the registry already, so that it
//! may be killed at any time.

use std::{sync::Arc, time::Duration};

use alarms::ChannelId;
use api::{Nursery, types::Name};
use notify::{Clocks, Courier, Office, Place};
use registry::{Channel, Registry};
use store::{SeriesId, Store};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    clock::Clock,
    config::Messages,
    failure::{Failure, OrFail},
};

/// How long the stage rests at most, so that what another process has changed is found.
const REST: Duration = Duration::from_secs(30);
/// How long it rests where the registry could not be read or written.
const REST_AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How long a message that is under way may take to end when the gateway ends.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What the stage works with.
pub(crate) struct Post {
    courier: Courier,
    registry: Arc<Registry>,
    office: Arc<Office>,
    wall: Clock,
    woken: Arc<Notify>,
    troubles: watch::Sender<Vec<Name>>,
}

/// Makes the channels that are configured; `reached` is where the gateway is found by itself.
pub(crate) fn office(settings: &Messages, reached: Option<String>) -> Result<Office, Failure> {
    let email = settings.email.as_ref().map(notify::Email::new).transpose();
    let webhook = settings.webhook.as_ref().map(notify::Webhook::new).transpose();
    let found = reached.unwrap_or_else(|| "http://localhost".to_owned());
    let public_url = settings.public_url.clone().unwrap_or(found);
    Ok(Office {
        email: email.or_unavailable("cannot send e-mail as configured")?,
        webhook: webhook.or_unavailable("cannot use the webhook as configured")?,
        public_url: public_url.trim_end_matches('/').to_owned(),
    })
}

impl Post {
    /// Makes the stage. `woken` is rung by commits of the alarm stage.
    pub(crate) fn new(
        (store, registry): (Arc<dyn Store>, Arc<Registry>),
        nursery: watch::Receiver<Arc<Nursery>>,
        office: Arc<Office>,
        clock: &Clock,
        woken: Arc<Notify>,
    ) -> Self {
        let wall = Clock::system();
        let clocks = Clocks { now: clock.handle(), wall: wall.handle() };
        let places = Arc::new(move |channel| place(store.as_ref(), &nursery.borrow(), channel));
        let courier =
            Courier::new(Arc::clone(&registry), Arc::clone(&office), places, clocks, jitter);
        Self { courier, registry, office, wall, woken, troubles: watch::Sender::default() }
    }

    /// Returns what keeps messages from their readers, in a person's words.
    pub(crate) fn troubles(&self) -> watch::Receiver<Vec<Name>> {
        self.troubles.subscribe()
    }

    /// Carries messages until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let done = {
                let mut round = std::pin::pin!(self.courier.round());
                tokio::select! {
                    done = &mut round => done,
                    () = stop.cancelled() => {
                        // One that is cut off here is sent once more at the next start, as the same.
                        drop(tokio::time::timeout(LAST_WAIT, round).await);
                        return;
                    }
                }
            };
            let rest = match done {
                Ok(next) => {
                    let now = self.wall.now();
                    let wait_ms = next.map_or(i64::MAX, |next| next.ms_since(now)).max(0);
                    REST.min(Duration::from_millis(wait_ms.unsigned_abs()))
                }
                Err(error) => {
                    error!(%error, "Messages wait: the registry can't be read or written.");
                    REST_AFTER_FAILURE
                }
            };
            self.tell_troubles().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.woken.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    async fn tell_troubles(&self) {
        let (registry, office) = (Arc::clone(&self.registry), Arc::clone(&self.office));
        let asked = tokio::task::spawn_blocking(move || troubles(&registry, &office)).await;
        let now = asked.unwrap_or_default();
        self.troubles.send_if_modified(|before| {
            let is_new = *before != now;
            if is_new {
                info!(channels = now.len(), "Channels that do not work.");
                *before = now;
            }
            is_new
        });
    }
}

/// Says which channel's last message did not go through. Health is open to everyone: neither server
/// nor reason is named.
fn troubles(registry: &Registry, office: &Office) -> Vec<Name> {
    let mut troubles = Vec::new();
    for channel in Channel::ALL {
        if office.server(channel).is_none() {
            continue;
        }
        let (zh, en) = match (channel, registry.channel_record(channel)) {
            (_, Ok(record)) if record.error.is_none() => continue,
            (Channel::Email, _) => (
                "报警邮件发不出去;原因见“设置”中的消息",
                "Alarms don't go out by e-mail; Settings, Messages says why.",
            ),
            (Channel::Webhook, _) => (
                "报警推送(webhook)发不出去;原因见“设置”中的消息",
                "Alarms don't go out by webhook; Settings, Messages says why.",
            ),
        };
        troubles.push(Name { zh: zh.to_owned(), en: en.to_owned() });
    }
    troubles
}

/// Finds where a channel stands.
fn place(store: &dyn Store, nursery: &Nursery, channel: ChannelId) -> Option<Place> {
    let series = store.series().ok()?;
    let (_, key) = series.into_iter().find(|(id, _)| *id == SeriesId(channel.0))?;
    let site = nursery.sites.iter().find(|site| site.id == key.node.site)?.clone();
    let node = nursery.nodes.iter().find(|node| node.key == key.node);
    let zone = node.and_then(|node| node.zone.as_ref()).and_then(|zone| {
        nursery.zones.iter().find(|it| it.site == key.node.site && it.id == *zone)
    });
    Some(Place {
        site,
        zone: zone.map(|zone| (zone.id.to_string(), zone.names.clone())),
        node: key.node.node.to_string(),
        position: key.position.to_string(),
    })
}

/// Draws a number from 0 to 1. That retries spread needs no better randomness than the standard
/// hasher's keys.
fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let drawn = RandomState::new().hash_one(0_u8);
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_lies_between_0_and_1_and_varies() {
        let drawn: Vec<f64> = (0..100).map(|_| jitter()).collect();
        assert!(drawn.iter().all(|it| (0.0..1.0).contains(it)));
        assert!(drawn.iter().any(|it| *it < 0.4) && drawn.iter().any(|it| *it > 0.6));
    }

    #[test]
    fn links_lead_where_the_configuration_says_or_else_where_the_gateway_is() {
        let url = |set: Option<&str>, reached: Option<&str>| {
            let settings = Messages { public_url: set.map(str::to_owned), ..Messages::default() };
            office(&settings, reached.map(str::to_owned)).unwrap().public_url
        };
        assert_eq!(url(Some("https://a"), Some("https://b:8443")), "https://a");
        assert_eq!(url(None, Some("https://b:8443/")), "https://b:8443");
    }
}
