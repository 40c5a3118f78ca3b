//! The limits of the broker, and how they differ between a node's session and the gateway's.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use rmqtt::codec::types::Publish;
use rmqtt::fitter::{DefaultFitter, Fitter, FitterManager};
use rmqtt::types::{ConnectInfo, Disconnect, FitterType, Id, ListenerConfig};

use crate::hooks::Accounts;
use crate::rights::Rights;

/// The largest packet, in bytes; the connection that sends a larger one is closed.
pub const PACKET_BYTES_MAX: u32 = 16 * 1024;
/// The most sessions, connected or waiting; a further client is refused as "server unavailable".
pub const SESSIONS_MAX: usize = 10_000;
/// The most unacknowledged messages on the way to one node; the next one waits in its queue.
pub const NODE_INFLIGHT_MAX: u16 = 32;
/// The most messages that wait for one node; beyond it the oldest is dropped and counted. Nothing
/// is lost: an acknowledgement is given again when the node sends again.
pub const NODE_QUEUE_MESSAGES_MAX: usize = 64;
/// The most unacknowledged messages on the way to the gateway; the next one waits in its queue.
pub const GATEWAY_INFLIGHT_MAX: u16 = 1_024;
/// The most messages that wait for the gateway, 8 MiB of full frames; beyond it the oldest is
/// dropped and counted. Nothing is lost: its node sends it again.
pub const GATEWAY_QUEUE_MESSAGES_MAX: usize = 8_192;
/// The most subscriptions of one session; a further one is refused.
pub const SUBSCRIPTIONS_MAX: usize = 16;
/// The longest client id, in bytes; a longer one is refused.
pub const CLIENT_ID_BYTES_MAX: usize = 96;
/// The longest keep-alive, in seconds. MQTT 5 clients are told this one instead, older clients are
/// refused; a keep-alive of 0 is refused, because such a client would never be found dead.
pub const KEEP_ALIVE_S_MAX: u16 = 1_200;
/// The longest that the session of a client that left is kept; then it and its queue are dropped.
pub const SESSION_EXPIRY_MAX: Duration = Duration::from_secs(3_600);
/// The longest that a message waits for its subscriber; then it is dropped and counted.
pub const MESSAGE_EXPIRY: Duration = Duration::from_secs(3_600);
/// The longest that a client may take from its first bytes to its session; then it is cut off. Over
/// TLS also the longest for the handshake, and from there to the first bytes.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that writing to a client may take; then it is cut off.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// The most clients between their first bytes and their session; the next ones wait.
pub const HANDSHAKES_MAX: usize = 500;
/// The most connections that the system holds before they are accepted.
pub const BACKLOG_MAX: i32 = 1_024;

/// Chooses the limits of each session by the account behind it.
pub(crate) struct Limits(pub(crate) Accounts);

impl FitterManager for Limits {
    fn create(&self, connect: Arc<ConnectInfo>, id: Id, listener: ListenerConfig) -> FitterType {
        let is_gateway = connect
            .username()
            .and_then(|username| self.0.rights(username))
            .is_some_and(|rights| *rights == Rights::Gateway);
        let receive_max = match connect.as_ref() {
            ConnectInfo::V3(..) => None,
            ConnectInfo::V5(_, connect) => connect.receive_max,
        };
        let common = DefaultFitter::new(connect, id, listener);
        if is_gateway { Arc::new(GatewayFitter { common, receive_max }) } else { Arc::new(common) }
    }
}

/// The limits of the gateway's own session: longer queues than a node's, else the same.
struct GatewayFitter {
    common: DefaultFitter,
    receive_max: Option<NonZeroU16>,
}

impl Fitter for GatewayFitter {
    fn keep_alive(&self, keep_alive: &mut u16) -> rmqtt::Result<u16> {
        self.common.keep_alive(keep_alive)
    }

    fn max_mqueue_len(&self) -> usize {
        GATEWAY_QUEUE_MESSAGES_MAX
    }

    fn mqueue_rate_limit(&self) -> (NonZeroU32, Duration) {
        self.common.mqueue_rate_limit()
    }

    fn max_inflight(&self) -> NonZeroU16 {
        let ours = NonZeroU16::new(GATEWAY_INFLIGHT_MAX).unwrap_or(NonZeroU16::MIN);
        self.receive_max.map_or(ours, |theirs| theirs.min(ours))
    }

    fn session_expiry_interval(&self, disconnect: Option<&Disconnect>) -> Duration {
        self.common.session_expiry_interval(disconnect)
    }

    fn message_expiry_interval(&self, publish: &Publish) -> Duration {
        self.common.message_expiry_interval(publish)
    }

    fn max_client_topic_aliases(&self) -> u16 {
        self.common.max_client_topic_aliases()
    }

    fn max_server_topic_aliases(&self) -> u16 {
        self.common.max_server_topic_aliases()
    }
}
