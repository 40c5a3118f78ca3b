//! What the link crate asks of its board: streams over Wi-Fi, the time, and what an action does.

#[cfg(feature = "tls")]
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use embassy_executor::Spawner;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError, TcpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::Duration;
use esp_hal::peripherals::WIFI;
use esp_hal::rng::Rng;
use link::{Board, Dial, Event};
use measure::{Timestamp, Uptime};
use node::Action;

use crate::images::{self, Images};
use crate::{IDENTIFY, RECORDED, Shared, configured, log, power, watchdog, wifi};

/// The socket's buffers, in bytes: one TLS record and what MQTT adds; a message and the next.
const RECEIVED_BYTES: usize = 2_048;
const TO_SEND_BYTES: usize = 2_048;
/// How long the peer may leave sent bytes unacknowledged; then the connection counts as broken.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Opens connections over Wi-Fi, and starts the radio for the first of them: a node that only wakes up to
/// sample leaves it off.
pub(crate) struct Wireless {
    /// `None` once it is started.
    radio: Option<(WIFI<'static>, wifi::Settings)>,
    stack: Option<Stack<'static>>,
    spawner: Spawner,
    received: [u8; RECEIVED_BYTES],
    to_send: [u8; TO_SEND_BYTES],
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// The radio is off.
    Radio,
    /// It is no `host:port`.
    Address,
    /// The name server does not know the host.
    Name,
    /// The gateway does not answer.
    Tcp(#[expect(dead_code, reason = "it is told by `Debug`")] ConnectError),
}

impl Wireless {
    /// Returns the radio, off.
    pub(crate) fn new(radio: WIFI<'static>, settings: wifi::Settings, spawner: Spawner) -> Self {
        Self {
            radio: Some((radio, settings)),
            stack: None,
            spawner,
            received: [0; RECEIVED_BYTES],
            to_send: [0; TO_SEND_BYTES],
        }
    }

    fn stack(&mut self) -> Option<Stack<'static>> {
        if let Some((radio, settings)) = self.radio.take() {
            match wifi::start(radio, &settings) {
                Ok(network) => {
                    self.stack = Some(network.stack);
                    crate::carry(self.spawner, network);
                }
                Err(error) => log!("wifi: {error}"),
            }
        }
        self.stack
    }
}

impl Dial for Wireless {
    type Error = NoConnection;
    type Stream<'s> = TcpSocket<'s>;

    async fn dial(
        &mut self,
        gateway: &str,
        _utc: Option<Timestamp>,
    ) -> Result<TcpSocket<'_>, NoConnection> {
        let stack = self.stack().ok_or(NoConnection::Radio)?;
        stack.wait_config_up().await;
        let (host, port) = gateway.rsplit_once(':').ok_or(NoConnection::Address)?;
        let port = port.parse().map_err(|_| NoConnection::Address)?;
        let address = match host.parse::<Ipv4Addr>() {
            Ok(address) => address.into(),
            Err(_) => {
                let found = stack.dns_query(host, DnsQueryType::A).await;
                let found = found.map_err(|_| NoConnection::Name)?;
                *found.first().ok_or(NoConnection::Name)?
            }
        };
        let mut socket = TcpSocket::new(stack, &mut self.received, &mut self.to_send);
        socket.set_timeout(Some(SILENCE_MAX));
        let endpoint = IpEndpoint::new(address, port);
        socket.connect(endpoint).await.map_err(NoConnection::Tcp)?;
        Ok(socket)
    }
}

/// This board, to its link.
pub(crate) struct Here {
    pub(crate) node: &'static Shared,
    pub(crate) images: &'static Images,
}

impl Board for Here {
    fn now(&self) -> Uptime {
        power::now()
    }

    fn random(&self) -> u32 {
        Rng::new().random()
    }

    async fn recorded(&self) {
        RECORDED.wait().await;
    }

    async fn act(&self, action: Action<'_>) {
        match action {
            Action::Identify => IDENTIFY.signal(()),
            Action::Configured | Action::Reconnect => configured(self.node).await,
            // The link ends and the node restarts.
            Action::Reboot => {}
            Action::Offer { id, manifest, signature } => {
                let (outcome, detail) = images::offer(self.images, &manifest, &signature).await;
                self.node.lock().await.answer(id, outcome, detail);
                RECORDED.signal(());
            }
            Action::Chunk(chunk) => images::chunk(self.images, &chunk).await,
        }
    }

    fn went_round(&self) {
        watchdog::note(|vitals| vitals.linked(power::now()));
    }

    fn tell(&self, event: Event<'_>) {
        if matches!(event, Event::Up { .. }) {
            images::linked();
        }
        log!("{event}");
    }
}

/// The generator for keys of TLS. There is no handshake without the radio, and with it the generator is
/// a true one (ESP32-C6 technical reference manual, chapter "Random Number Generator").
#[cfg(feature = "tls")]
pub(crate) struct Keys;

#[cfg(feature = "tls")]
impl Keys {
    fn generator() -> esp_hal::rng::Trng {
        esp_hal::rng::Trng::try_new().expect("a handshake goes over the radio, which is a source")
    }
}

#[cfg(feature = "tls")]
impl rand_core::RngCore for Keys {
    fn next_u32(&mut self) -> u32 {
        Self::generator().random()
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_u32(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        Self::generator().read(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(feature = "tls")]
impl rand_core::CryptoRng for Keys {}

/// Returns the bytes of base64 text (RFC 4648, section 4); `None` for what is none.
#[cfg(feature = "tls")]
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            // The byte that is full now; what is above it was taken before.
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}
