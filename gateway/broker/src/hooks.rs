//! rmqtt's questions to us: may this client in, may it publish, may it subscribe; and its news of
//! what it dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmqtt::codec::types::MQTT_LEVEL_5;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookManager, HookResult, Parameter, ReturnType, Type};
use rmqtt::net::MqttError;
use rmqtt::session::Session;
use rmqtt::types::{
    AuthResult, ConnectInfo, LastWill, Publish, PublishAclResult, Reason, Subscribe,
    SubscribeReturn,
};

use crate::refusals::{Refusal, Refusals};
use crate::rights::Rights;
use crate::{GATEWAY_CLIENT_PREFIX, Gatekeeper, Listener};

/// The rights of each account that was admitted since the start, by user name. Bounded by the
/// number of accounts that the gatekeeper knows.
#[derive(Clone, Default)]
pub(crate) struct Accounts(Arc<Mutex<HashMap<String, Arc<Rights>>>>);

impl Accounts {
    pub(crate) fn rights(&self, username: &str) -> Option<Arc<Rights>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(username).cloned()
    }

    fn admit(&self, username: String, rights: Arc<Rights>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(username, rights);
    }
}

#[derive(Clone)]
pub(crate) struct Hooks {
    pub(crate) context: ServerContext,
    pub(crate) gatekeeper: Arc<dyn Gatekeeper>,
    pub(crate) accounts: Accounts,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) listener_of_nodes: Option<Arc<dyn Listener>>,
}

impl Hooks {
    /// Registers every hook that is answered here.
    pub(crate) async fn register(self, manager: &dyn HookManager) {
        let register = manager.register();
        for kind in [
            Type::ClientAuthenticate,
            Type::MessagePublishCheckAcl,
            Type::ClientSubscribeCheckAcl,
            Type::MessageDropped,
            Type::ClientDisconnected,
        ] {
            register.add(kind, Box::new(self.clone())).await;
        }
        register.start().await;
    }

    async fn authenticate(&self, connect: &ConnectInfo) -> AuthResult {
        let client = connect.client_id().to_string();
        let username = connect.username().map(ToString::to_string).unwrap_or_default();
        let Some(rights) = self.ask_gatekeeper(connect, &client, &username).await else {
            self.refusals.record(Refusal::BadCredentials, &client, &username);
            return AuthResult::BadUsernameOrPassword;
        };
        if self.is_foreign_client_id(connect, &rights).await {
            self.refusals.record(Refusal::ForeignClientId, &client, &username);
            return AuthResult::NotAuthorized;
        }
        // rmqtt publishes a will without asking for its rights, so they are checked here.
        if let Some(topic) = connect.last_will().as_ref().map(will_topic)
            && !rights.may_publish(topic)
        {
            self.refusals.record(Refusal::ForeignWill, &client, topic);
            return AuthResult::NotAuthorized;
        }
        self.accounts.admit(username, Arc::new(rights));
        AuthResult::Allow(false, None)
    }

    async fn ask_gatekeeper(
        &self,
        connect: &ConnectInfo,
        client: &str,
        username: &str,
    ) -> Option<Rights> {
        let password = connect.password()?.clone();
        let (client, username) = (client.to_owned(), username.to_owned());
        let gatekeeper = Arc::clone(&self.gatekeeper);
        // The gatekeeper may read a database; a panic in it refuses the client.
        tokio::task::spawn_blocking(move || gatekeeper.admit(&client, &username, &password))
            .await
            .ok()?
    }

    /// Returns whether the client id is the gateway's, or is in use by another account: whoever
    /// takes a client id over ends the other's session.
    async fn is_foreign_client_id(&self, connect: &ConnectInfo, rights: &Rights) -> bool {
        if *rights != Rights::Gateway && connect.client_id().starts_with(GATEWAY_CLIENT_PREFIX) {
            return true;
        }
        let entry = self.context.extends.shared().await.entry(connect.id().clone());
        entry.session().is_some_and(|session| session.id.username.as_ref() != connect.username())
    }

    fn rights_of(&self, session: &Session) -> Option<Arc<Rights>> {
        self.accounts.rights(session.id.username.as_deref()?)
    }

    async fn check_publish(&self, session: &Session, publish: &Publish) -> PublishAclResult {
        let rights = self.rights_of(session);
        if rights.as_ref().is_some_and(|rights| rights.may_publish(&publish.topic)) {
            if let (Some(listener), Some(Rights::Node(_))) =
                (&self.listener_of_nodes, rights.as_deref())
            {
                listener.hear(&publish.topic, &publish.payload).await;
            }
            return PublishAclResult::allow();
        }
        self.refusals.record(Refusal::ForeignPublish, &session.id.client_id, &publish.topic);
        // MQTT 3.1.1 has no way to refuse one message but to close the connection; an
        // acknowledgement would be a lie.
        let is_v5 = session.protocol().await.is_ok_and(|level| level == MQTT_LEVEL_5);
        PublishAclResult::rejected(!is_v5, Some("topic is not yours".into()))
    }

    fn check_subscribe(&self, session: &Session, subscribe: &Subscribe) -> SubscribeReturn {
        let filter = &subscribe.topic_filter;
        if self.rights_of(session).is_some_and(|rights| rights.may_subscribe(filter)) {
            return SubscribeReturn::new_success(subscribe.opts.qos(), None);
        }
        self.refusals.record(Refusal::ForeignSubscribe, &session.id.client_id, filter);
        SubscribeReturn::new_failure(SubscribeAckReason::NotAuthorized)
    }
}

#[async_trait::async_trait]
impl Handler for Hooks {
    async fn hook(&self, parameter: &Parameter, answer: Option<HookResult>) -> ReturnType {
        match parameter {
            Parameter::ClientAuthenticate(connect) => {
                (false, Some(HookResult::AuthResult(self.authenticate(connect).await)))
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                let result = self.check_publish(session, publish).await;
                (false, Some(HookResult::PublishAclResult(result)))
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                let result = self.check_subscribe(session, subscribe);
                (false, Some(HookResult::SubscribeAclResult(result)))
            }
            Parameter::MessageDropped(to, from, publish, reason) => {
                let client = to.as_ref().map_or(&from.client_id, |to| &to.client_id);
                if let Some(refusal) = dropped(reason) {
                    self.refusals.record(refusal, client, &publish.topic);
                }
                (true, answer)
            }
            Parameter::ClientDisconnected(session, reason) => {
                if let Some(refusal) = broken(reason) {
                    self.refusals.record(refusal, &session.id.client_id, &reason.to_string());
                }
                (true, answer)
            }
            _ => (true, answer),
        }
    }
}

fn will_topic<'connect>(will: &LastWill<'connect>) -> &'connect str {
    match will {
        LastWill::V3(will) => &will.topic,
        LastWill::V5(will) => &will.topic,
    }
}

/// Returns what a dropped message counts as; refused publishes were counted where they were.
fn dropped(reason: &Reason) -> Option<Refusal> {
    match reason {
        Reason::MessageQueueFull => Some(Refusal::QueueFull),
        Reason::MessageExpiration => Some(Refusal::Expired),
        _ => None,
    }
}

/// The texts by which rmqtt 0.24 says that a packet could not be decoded: the typed error is lost
/// on its way to the hook (`rmqtt_codec::error::DecodeError`).
const MALFORMED_TEXTS: [&str; 8] = [
    "Invalid protocol",
    "Invalid length",
    "Malformed packet",
    "Unsupported packet type",
    "Packet id is required",
    "Invalid topic filter",
    "Invalid topic name",
    "utf8 error",
];

/// Returns what the end of a connection counts as, where the client's bytes were the cause.
fn broken(reason: &Reason) -> Option<Refusal> {
    match reason {
        Reason::Reasons(reasons) => reasons.iter().find_map(broken),
        Reason::Error(text) if text.starts_with("Max size exceeded") => Some(Refusal::Oversize),
        Reason::Error(text) if MALFORMED_TEXTS.iter().any(|known| text.starts_with(known)) => {
            Some(Refusal::Malformed)
        }
        Reason::ProtocolError(_)
        | Reason::MqttError(MqttError::Decode(_) | MqttError::Protocol(_)) => {
            Some(Refusal::Malformed)
        }
        _ => None,
    }
}
