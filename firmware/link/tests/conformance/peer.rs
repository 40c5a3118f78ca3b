//! A broker that misbehaves on command, with the desk behind it: MQTT 5, one thread a connection.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::desk::Desk;

/// What the peer does on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// CONNACK with this reason, and the end.
    Refuse(u8),
    /// Takes everything in and says nothing.
    Silent,
    /// The same, after CONNACK and SUBACK.
    SilentOnceSubscribed,
    /// The end after CONNACK.
    CloseAfterConnack,
    /// The end after SUBACK.
    CloseAfterSuback,
    /// Serves, but gives the desk only what comes after so many messages with data.
    Serve(Puback, usize),
}

/// When a message is acknowledged by the broker itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Puback {
    AtOnce,
    /// When the second message after it has come.
    Late,
    Never,
}

/// When a connection came, and when it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) came: Instant,
    pub(crate) ended: Option<Instant>,
}

/// A peer, ended with the test.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
    is_over: Arc<AtomicBool>,
}

#[expect(clippy::disallowed_methods, reason = "the peer notes how long it was left alone")]
fn now() -> Instant {
    Instant::now()
}

impl Peer {
    /// Listens; `script` says what to do on each connection, counted from 0.
    pub(crate) fn start(
        desk: Arc<Desk>,
        script: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let (noted, ended) = (Arc::clone(&spans), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (stream, desk, noted) = (stream.unwrap(), desk.clone(), noted.clone());
                let index = {
                    let mut spans = noted.lock().unwrap();
                    spans.push(Span { came: now(), ended: None });
                    spans.len() - 1
                };
                let act = script(index);
                thread::spawn(move || {
                    // The node may leave at any time.
                    drop(serve(&stream, act, &desk));
                    noted.lock().unwrap()[index].ended = Some(now());
                });
            }
        });
        Self { address, spans, is_over }
    }

    /// Returns the connections so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: &TcpStream, act: Act, desk: &Desk) -> io::Result<()> {
    if matches!(act, Act::Silent) {
        return io::copy(&mut stream, &mut io::sink()).map(drop);
    }
    let (mut owed, mut data) = (VecDeque::new(), 0);
    loop {
        let (kind, body) = packet(stream)?;
        match kind >> 4 {
            CONNECT => {
                let reason = if let Act::Refuse(reason) = act { reason } else { 0 };
                send(stream, 0x20, &[0, reason, 0])?;
                if matches!(act, Act::Refuse(_) | Act::CloseAfterConnack) {
                    return Ok(());
                }
            }
            SUBSCRIBE => {
                // One code for each of the three topics.
                send(stream, 0x90, &[body[0], body[1], 0, 1, 1, 1])?;
                match act {
                    Act::CloseAfterSuback => return Ok(()),
                    Act::SilentOnceSubscribed => {
                        return io::copy(&mut stream, &mut io::sink()).map(drop);
                    }
                    _ => {}
                }
            }
            PUBLISH => {
                let Act::Serve(puback, lost) = act else { return Ok(()) };
                assert_eq!(kind & 0b110, 0b010, "a node publishes with QoS 1");
                let (topic, rest) = body[2..].split_at(usize::from(be(&body)));
                let topic = std::str::from_utf8(topic).unwrap();
                // Packet identifier, no properties, payload.
                assert_eq!(rest[2], 0, "a node sends no properties");
                owed.push_back([rest[0], rest[1]]);
                let lag = if puback == Puback::Late { 2 } else { 0 };
                while puback != Puback::Never && owed.len() > lag {
                    send(stream, 0x40, &owed.pop_front().unwrap())?;
                }
                data += usize::from(topic.ends_with("/data"));
                if topic.ends_with("/data") && data <= lost {
                    continue;
                }
                for (topic, payload) in desk.take(topic, &rest[3..]) {
                    let mut message = (topic.len() as u16).to_be_bytes().to_vec();
                    message.extend(topic.as_bytes());
                    message.push(0);
                    message.extend(payload);
                    send(stream, 0x30, &message)?;
                }
            }
            PINGREQ => send(stream, 0xD0, &[])?,
            DISCONNECT => return Ok(()),
            _ => {}
        }
    }
}

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;

fn be(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

/// Reads a packet: its first byte, and what follows its length.
fn packet(mut stream: &TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let kind = byte[0];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7F) << shift;
        shift += 7;
        if byte[0] < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

fn send(mut stream: &TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
    let mut bytes = vec![kind];
    let mut length = body.len();
    loop {
        let more = if length >= 0x80 { 0x80 } else { 0 };
        bytes.push((length & 0x7F) as u8 | more);
        length >>= 7;
        if more == 0 {
            break;
        }
    }
    bytes.extend(body);
    stream.write_all(&bytes)
}
