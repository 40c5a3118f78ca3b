//! Users and tokens, for admins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Held;
use axum::http::StatusCode;
use people::{Contact, UserName};

use crate::ask::{At, Body};
use crate::guard::Asker;
use crate::messages;
use crate::problem::Refusal;
use crate::server::{Shared, TURN_WAIT, blocking};
use crate::types::{NewToken, NewUser, Token, TokenSecret, Tokens, User, Users};

/// `GET /users`.
pub(crate) async fn users(Held(shared): Held<Arc<Shared>>) -> Result<Json<Users>, Refusal> {
    let registry = Arc::clone(&shared.state.registry);
    let (users, people) = blocking(move || Ok((registry.users()?, registry.people()?))).await?;
    let contact = |user: &registry::User| {
        let person = people.iter().find(|person| person.user == user.name);
        person.map(|person| person.contact.clone()).unwrap_or_default()
    };
    Ok(Json(Users { users: users.iter().map(|it| user(it, &contact(it))).collect() }))
}

/// `POST /users`.
pub(crate) async fn add_user(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<NewUser>,
) -> Result<(StatusCode, Json<User>), Refusal> {
    let name = checked("user", asked.user)?;
    let turn = tokio::time::timeout(TURN_WAIT, shared.passwords.acquire()).await;
    let Ok(Ok(_turn)) = turn else { return Err(Refusal::busy()) };
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let contact = asked.contact.as_ref().map(|it| messages::checked("contact.email", it));
    let contact = contact.transpose()?;
    let added = blocking(move || {
        let (role, by) = (asked.role.into(), &asker.who.actor);
        let added = registry.add_user(&name, role, &asked.password, by, now)?;
        if let Some(contact) = &contact {
            registry.set_contact(&name, contact, by, now)?;
        }
        Ok(user(&added, &contact.unwrap_or_default()))
    });
    Ok((StatusCode::CREATED, Json(added.await?)))
}

/// `DELETE /users/{user}`.
pub(crate) async fn remove_user(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(user): At<String>,
) -> Result<StatusCode, Refusal> {
    let name = checked("user", user)?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    blocking(move || Ok(registry.remove_user(&name, &asker.who.actor, now)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /tokens`.
pub(crate) async fn tokens(Held(shared): Held<Arc<Shared>>) -> Result<Json<Tokens>, Refusal> {
    let registry = Arc::clone(&shared.state.registry);
    let tokens = blocking(move || Ok(registry.tokens()?)).await?;
    let tokens = tokens.into_iter().map(|token| Token {
        name: token.name.to_string(),
        role: token.role.into(),
        created_ms: token.created.millis(),
    });
    Ok(Json(Tokens { tokens: tokens.collect() }))
}

/// `POST /tokens`.
pub(crate) async fn add_token(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    Body(asked): Body<NewToken>,
) -> Result<(StatusCode, Json<TokenSecret>), Refusal> {
    let name = checked("name", asked.name)?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    let kept = name.to_string();
    let secret = blocking(move || {
        Ok(registry.add_token(&name, asked.role.into(), &asker.who.actor, now)?)
    });
    let secret = secret.await?.reveal().to_owned();
    Ok((StatusCode::CREATED, Json(TokenSecret { name: kept, role: asked.role, secret })))
}

/// `DELETE /tokens/{name}`.
pub(crate) async fn remove_token(
    Held(shared): Held<Arc<Shared>>,
    asker: Asker,
    At(name): At<String>,
) -> Result<StatusCode, Refusal> {
    let name = checked("name", name)?;
    let (registry, now) = (Arc::clone(&shared.state.registry), shared.state.clock.now());
    blocking(move || Ok(registry.remove_token(&name, &asker.who.actor, now)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn user(user: &registry::User, contact: &Contact) -> User {
    User {
        user: user.name.to_string(),
        role: user.role.into(),
        must_change_password: user.must_change_password,
        created_ms: user.created.millis(),
        contact: messages::shown(contact),
    }
}

fn checked(field: &str, name: String) -> Result<UserName, Refusal> {
    UserName::new(name).map_err(|error| {
        Refusal::field(
            field,
            "名称须为 1 到 64 个可见字符,首尾不得有空格",
            format!("{field}: {error}"),
        )
    })
}
