//! The board's part of the link: TCP over its card, and what an action does here. The session itself
//! is the crate `link`'s.

use core::net::SocketAddrV4;

use ::link::{Board, Dial, End, Event, Identity};
use embassy_net::Stack;
use embassy_net::tcp::{ConnectError, TcpSocket};
use embassy_time::Duration;
use measure::{BootId, Timestamp, Uptime};
use node::{Action, Publish};
use wire::FRAME_BYTES_MAX;

use crate::config::Config;
use crate::images::{self, Images};
use crate::{RECORDED, Shared, configured, host, ledger, now, watchdog};

/// How long the peer may leave sent bytes unacknowledged; then the connection counts as broken.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The memory of the link.
pub(crate) struct Memory {
    tcp: Sockets,
    #[cfg(feature = "tls")]
    records: tls::Memory,
    /// With room for a frame, or the birth, which is shorter with this node's channels.
    session: ::link::Memory<FRAME_BYTES_MAX>,
}

struct Sockets {
    received: [u8; 1024],
    to_send: [u8; 2048],
}

impl Memory {
    /// Returns the memory, empty.
    pub(crate) const fn new() -> Self {
        Self {
            tcp: Sockets { received: [0; 1024], to_send: [0; 2048] },
            #[cfg(feature = "tls")]
            records: tls::Memory::new(),
            session: ::link::Memory::new(),
        }
    }
}

/// Carries what the node says and hears, for ever.
pub(crate) async fn run(
    stack: Stack<'static>,
    config: &'static Config,
    node: &'static Shared,
    images: &'static Images,
    memory: &'static mut Memory,
) -> ! {
    let Memory { tcp, session, .. } = memory;
    let dial = Card { stack, sockets: tcp };
    #[cfg(feature = "tls")]
    let dial = ::link::Secure {
        inner: dial,
        authority: config.authority(),
        random: host::Random,
        memory: &mut memory.records,
    };
    let mut dial = dial;
    let board = Here { node, images };
    let identity = Identity { key: &config.key, secret: config.secret.as_bytes() };
    loop {
        match ::link::run(&board, &mut dial, node, identity, session).await {
            End::Reboot => {
                log!("restart: a command asks for it");
                cortex_m::peripheral::SCB::sys_reset()
            }
            // This board is never on a battery: it stays awake, and connects anew when it is time.
            End::Sleep(ms) => embassy_time::Timer::after_millis(u64::from(ms)).await,
        }
    }
}

/// TCP over the card.
struct Card {
    stack: Stack<'static>,
    sockets: &'static mut Sockets,
}

/// Why there is no connection.
#[derive(Debug)]
enum DialError {
    /// The gateway's address is no IPv4 address with a port.
    Address,
    /// TCP's own reason.
    Tcp(#[expect(dead_code, reason = "its text is its debug form")] ConnectError),
}

impl Dial for Card {
    type Error = DialError;
    type Stream<'s> = TcpSocket<'s>;

    async fn dial(
        &mut self,
        gateway: &str,
        _utc: Option<Timestamp>,
    ) -> Result<TcpSocket<'_>, DialError> {
        // The fault of the feature `break-trial`.
        if cfg!(feature = "break-trial") {
            return Err(DialError::Address);
        }
        let address: SocketAddrV4 = gateway.parse().map_err(|_| DialError::Address)?;
        self.stack.wait_config_up().await;
        let Sockets { received, to_send } = self.sockets;
        let mut socket = TcpSocket::new(self.stack, received, to_send);
        socket.set_timeout(Some(SILENCE_MAX));
        socket.connect(address).await.map_err(DialError::Tcp)?;
        Ok(socket)
    }
}

/// What the link asks of this board.
struct Here {
    node: &'static Shared,
    images: &'static Images,
}

impl Board for Here {
    fn now(&self) -> Uptime {
        now()
    }

    fn random(&self) -> u32 {
        u32::from_le_bytes(host::random())
    }

    async fn recorded(&self) {
        RECORDED.wait().await;
    }

    async fn up(&self) {
        images::linked(self.images).await;
    }

    async fn act(&self, action: Action<'_>) {
        match action {
            Action::Configured | Action::Reconnect => configured(self.node).await,
            Action::Identify => log!("identify: this is the node"),
            Action::Reboot => {}
            Action::Offer { id, manifest, signature } => {
                let (outcome, detail) = images::offer(self.images, &manifest, &signature).await;
                self.node.lock().await.answer(id, outcome, detail);
            }
            Action::Chunk(chunk) => images::chunk(self.images, &chunk).await,
        }
    }

    fn sending(&self, boot: BootId, publish: &Publish<'_>) {
        ledger::sending(boot, publish);
    }

    fn went_round(&self) {
        watchdog::note(|vitals| vitals.linked(now()));
    }

    fn tell(&self, event: Event<'_>) {
        log!("{event}");
    }
}
