//! An MQTT 5 client that costs little: the codec of rumqttc on a socket, without its event loop, so
//! that a whole site of nodes fits beside what is measured. What is queued is written in one go.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::{
    Error, QoS,
    v5::{Connect, ConnectReturnCode, Filter, Login, Packet, Publish, Subscribe},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// A node's keep-alive, in seconds.
const KEEP_ALIVE_S: u16 = 120;
/// Room for what one read brings.
const INPUT_BYTES: usize = 4_096;

pub(crate) struct Session {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
    packet_id: u16,
}

impl Session {
    /// Connects with a clean start and subscribes to one topic, where there is one.
    pub(crate) async fn open(
        address: SocketAddr,
        client_id: String,
        login: Option<(String, String)>,
        topic: Option<&str>,
    ) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect a node")?;
        stream.set_nodelay(true)?;
        let (input, output) = (BytesMut::with_capacity(INPUT_BYTES), BytesMut::new());
        let mut session = Self { stream, input, output, packet_id: 0 };
        let login = login.map(|(username, password)| Login { username, password });
        let connect =
            Connect { keep_alive: KEEP_ALIVE_S, client_id, clean_start: true, properties: None };
        session.queue(&Packet::Connect(connect, None, login))?;
        session.flush().await?;
        match session.next().await? {
            Packet::ConnAck(answer) if answer.code == ConnectReturnCode::Success => {}
            other => bail!("a node was not let in: {other:?}"),
        }
        if let Some(topic) = topic {
            let mut subscribe =
                Subscribe::new(Filter::new(topic.to_owned(), QoS::AtMostOnce), None);
            subscribe.pkid = session.next_id();
            session.queue(&Packet::Subscribe(subscribe))?;
            session.flush().await?;
            let answer = session.next().await?;
            ensure!(matches!(answer, Packet::SubAck(_)), "no subscription: {answer:?}");
        }
        Ok(session)
    }

    /// Queues a message at QoS 1.
    pub(crate) fn publish(&mut self, topic: &Bytes, payload: &[u8], retain: bool) -> Result<()> {
        let mut publish = Publish::new("", QoS::AtLeastOnce, Bytes::copy_from_slice(payload), None);
        publish.topic = topic.clone();
        publish.retain = retain;
        publish.pkid = self.next_id();
        self.queue(&Packet::Publish(publish))
    }

    fn next_id(&mut self) -> u16 {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet_id
    }

    fn queue(&mut self, packet: &Packet) -> Result<()> {
        match packet.write(&mut self.output, None) {
            Ok(_) => Ok(()),
            Err(error) => bail!("cannot write a packet: {error}"),
        }
    }

    /// Writes what is queued.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.output.clear();
        }
        Ok(())
    }

    /// Waits for bytes; may be dropped while it waits.
    pub(crate) async fn read(&mut self) -> Result<()> {
        self.input.reserve(INPUT_BYTES);
        ensure!(self.stream.read_buf(&mut self.input).await? > 0, "the broker hung up");
        Ok(())
    }

    /// Returns a packet that has been read whole.
    pub(crate) fn take(&mut self) -> Result<Option<Packet>> {
        match Packet::read(&mut self.input, None) {
            Ok(packet) => Ok(Some(packet)),
            Err(Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => bail!("cannot read a packet: {error}"),
        }
    }

    async fn next(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            self.read().await?;
        }
    }
}
