//! Messages: who is told, how they leave the gateway, whether they arrive.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use people::{Contact, EmailAddress, Language, UserName};
use registry::{Channel, Delivery, DeliveryState, Person};

use crate::ask::{At, Body, Query};
use crate::guard::Asker;
use crate::problem::Refusal;
use crate::server::{Shared, question};
use crate::state::State;
use crate::types;

/// How many test messages are under way at once; one more is told to come again.
pub const TESTS_MAX: usize = 1;

/// `GET /notify`.
pub(crate) async fn show(
    Held(shared): Held<Arc<Shared>>,
    query: Query,
) -> Result<Json<types::Notify>, Refusal> {
    query.end()?;
    question(&shared, |shared| notify(&shared.state)).await.map(Json)
}

fn notify(state: &State) -> Result<types::Notify, Refusal> {
    let (registry, office) = (&state.registry, &state.office);
    let mut channels = Vec::new();
    for channel in Channel::ALL {
        let Some(server) = office.server(channel) else { continue };
        let record = registry.channel_record(channel)?;
        channels.push(types::NotifyChannel {
            channel: channel.name().to_owned(),
            server,
            last_sent_ms: record.sent.map(|at| at.millis()),
            error: record.error,
        });
    }
    let people = registry.people()?;
    let told = ::notify::recipients(&people, office.email.is_some(), None);
    let person = |name: &str| people.iter().find(|person| person.user.as_str() == name);
    let shown = told.iter().filter_map(|to| {
        let person = person(&to.name)?;
        Some(types::NotifyPerson {
            user: person.user.to_string(),
            role: person.role.into(),
            email: person.contact.email.as_ref()?.to_string(),
        })
    });
    let (waiting, failed) = registry.delivery_counts()?;
    Ok(types::Notify {
        channels,
        people: shown.collect(),
        waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        failed: u32::try_from(failed).unwrap_or(u32::MAX),
        public_url: office.public_url.clone(),
    })
}

/// `POST /notify/test`.
pub(crate) async fn test(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
) -> Result<Json<types::NotifyTest>, Refusal> {
    let office = Arc::clone(&shared.state.office);
    if Channel::ALL.into_iter().all(|channel| office.server(channel).is_none()) {
        return Err(Refusal::new(
            StatusCode::CONFLICT,
            "not_configured",
            "网关还没有配置消息通道;请在配置文件中填写 [notify.email] 或 [notify.webhook]",
            "the gateway has no way to send messages; set [notify.email] or [notify.webhook] in its \
             configuration",
        ));
    }
    let Ok(_turn) = shared.tests.try_acquire() else { return Err(Refusal::busy()) };
    let user = asker.user().ok().map(UserName::to_string);
    let person: Option<Person> = match user {
        Some(user) => {
            question(&shared, move |shared| Ok(shared.state.registry.person(&user)?)).await?
        }
        None => None,
    };
    let message = registry::message_id()?;
    let results = office.test(person.as_ref(), &message, shared.state.wall.now()).await;
    let now = shared.state.clock.now();
    let mut shown: Vec<_> = results
        .iter()
        .map(|result| types::SentMessage {
            channel: result.channel.name().to_owned(),
            to: result.to.clone(),
            state: if result.outcome.is_ok() { "sent" } else { "failed" }.to_owned(),
            at_ms: result.outcome.is_ok().then(|| now.millis()),
            attempts: 1,
            error: result.outcome.as_ref().err().map(|failure| failure.reason.clone()),
        })
        .collect();
    if office.email.is_some() && !results.iter().any(|it| it.channel == Channel::Email) {
        shown.push(types::SentMessage {
            channel: Channel::Email.name().to_owned(),
            to: person.map_or_else(String::new, |person| person.user.to_string()),
            state: "failed".to_owned(),
            at_ms: None,
            attempts: 0,
            error: Some("您还没有邮箱地址 / you have no e-mail address yet".to_owned()),
        });
    }
    let told: Vec<_> = shown.iter().map(|it| (it.channel.clone(), it.state.clone())).collect();
    question(&shared, move |shared| {
        Ok(shared.state.registry.record_notify_test(&told, &asker.who.actor, now)?)
    })
    .await?;
    Ok(Json(types::NotifyTest { results: shown }))
}

/// `POST /users/{user}/contact`.
pub(crate) async fn set_contact(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(user): At<String>,
    Body(asked): Body<types::Contact>,
) -> Result<Json<types::Contact>, Refusal> {
    let name = UserName::new(user.clone()).map_err(|_| {
        Refusal::not_found(format!("没有名为“{user}”的用户"), format!("there is no user `{user}`"))
    })?;
    keep(&shared, asker, name, asked).await
}

/// `POST /session/contact`.
pub(crate) async fn set_own_contact(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<types::Contact>,
) -> Result<Json<types::Contact>, Refusal> {
    let name = asker.user()?.clone();
    // Whoever has seen the first password must not be told of alarms in its owner's stead.
    if asker.who.must_change_password {
        return Err(Refusal::password_first());
    }
    keep(&shared, asker, name, asked).await
}

async fn keep(
    shared: &Arc<Shared>,
    asker: Asker,
    name: UserName,
    asked: types::Contact,
) -> Result<Json<types::Contact>, Refusal> {
    let contact = checked("email", &asked)?;
    let kept = shown(&contact);
    question(shared, move |shared| {
        let now = shared.state.clock.now();
        Ok(shared.state.registry.set_contact(&name, &contact, &asker.who.actor, now)?)
    })
    .await?;
    Ok(Json(kept))
}

/// Checks a contact; `field` is what the request calls its address.
pub(crate) fn checked(field: &str, asked: &types::Contact) -> Result<Contact, Refusal> {
    let email = asked.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
    let email = email.map(EmailAddress::new).transpose().map_err(|error| {
        Refusal::field(
            field,
            "邮箱地址有误,应形如 li@example.com,且不含中文或空格",
            format!("{field}: {error}"),
        )
    })?;
    let language = match asked.language {
        types::Language::Zh => Language::Zh,
        types::Language::En => Language::En,
    };
    Ok(Contact { email, language, wakes: asked.wakes })
}

/// Returns a contact in the API's own types.
pub(crate) fn shown(contact: &Contact) -> types::Contact {
    types::Contact {
        email: contact.email.as_ref().map(EmailAddress::to_string),
        language: match contact.language {
            Language::Zh => types::Language::Zh,
            Language::En => types::Language::En,
        },
        wakes: contact.wakes,
    }
}

/// Returns a message about an alarm in the API's own types.
pub(crate) fn sent(state: &State, delivery: &Delivery) -> types::SentMessage {
    let at = match delivery.state {
        DeliveryState::Waiting => Some(state.on_nursery_clock(delivery.next)),
        DeliveryState::Sent | DeliveryState::Failed => delivery.done,
    };
    types::SentMessage {
        channel: delivery.to.channel.name().to_owned(),
        to: delivery.to.name.clone(),
        state: delivery.state.name().to_owned(),
        at_ms: at.map(|at| at.millis()),
        attempts: delivery.attempts,
        error: delivery.error.clone(),
    }
}
