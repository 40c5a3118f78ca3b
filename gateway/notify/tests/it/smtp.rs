//! A small SMTP server (RFC 5321) that keeps what it is given as it came.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// How the server behaves.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// It offers STARTTLS with this certificate.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// It wants this user and password.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// It refuses every recipient with this code.
    pub(crate) refuses: Option<u16>,
    /// It takes so many messages and drops the line before it says so.
    pub(crate) drops: usize,
}

/// What it was given.
#[derive(Default)]
pub(crate) struct Seen {
    /// Messages, each as it came.
    pub(crate) messages: Vec<Mail>,
    /// Messages whose arrival it did not confirm.
    pub(crate) unconfirmed: Vec<Mail>,
    /// Every line that came in the clear.
    pub(crate) clear: Vec<String>,
    /// How often somebody connected.
    pub(crate) sessions: usize,
}

pub(crate) struct Smtp {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Seen>>,
    pub(crate) manner: Arc<Mutex<Manner>>,
}

impl Smtp {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, manner) = (Arc::<Mutex<Seen>>::default(), Arc::new(Mutex::new(manner)));
        tokio::spawn({
            let (seen, manner) = (Arc::clone(&seen), Arc::clone(&manner));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    seen.lock().unwrap().sessions += 1;
                    let (seen, manner) = (Arc::clone(&seen), Arc::clone(&manner));
                    tokio::spawn(async move { greet(stream, &seen, &manner).await.ok() });
                }
            }
        });
        Self { address, seen, manner }
    }

    pub(crate) fn messages(&self) -> Vec<Mail> {
        self.seen.lock().unwrap().messages.clone()
    }
}

type Shared<T> = Arc<Mutex<T>>;

async fn greet(
    stream: TcpStream,
    seen: &Shared<Seen>,
    manner: &Shared<Manner>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test ESMTP\r\n").await?;
    if talk(&mut stream, seen, manner, false).await? {
        let tls = manner.lock().unwrap().tls.clone().unwrap();
        let stream = TlsAcceptor::from(tls).accept(stream.into_inner()).await?;
        talk(&mut BufReader::new(stream), seen, manner, true).await?;
    }
    Ok(())
}

/// Holds one session; returns whether it shall turn to TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    seen: &Shared<Seen>,
    manner: &Shared<Manner>,
    secret: bool,
) -> std::io::Result<bool> {
    let mut admitted = manner.lock().unwrap().login.is_none();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        if !secret {
            seen.lock().unwrap().clear.push(line.trim_end().to_owned());
        }
        let now = manner.lock().unwrap().clone();
        let verb = line.trim_end().split(' ').next().unwrap_or("").to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => {
                let mut lines = vec!["250-test"];
                lines.extend((now.tls.is_some() && !secret).then_some("250-STARTTLS"));
                lines.extend(now.login.is_some().then_some("250-AUTH PLAIN"));
                lines.push("250 8BITMIME");
                lines.join("\r\n")
            }
            "STARTTLS" => {
                stream.write_all(b"220 go\r\n").await?;
                return Ok(true);
            }
            "AUTH" => {
                let (user, password) = now.login.unwrap();
                let right = STANDARD.encode(format!("\0{user}\0{password}"));
                admitted = line.trim_end().ends_with(&right);
                (if admitted { "235 welcome" } else { "535 wrong password" }).to_owned()
            }
            "RCPT" => match now.refuses {
                Some(code) => format!("{code} not here"),
                None if !admitted => "530 sign in first".to_owned(),
                None => "250 ok".to_owned(),
            },
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mail = Mail(data(stream).await?);
                if now.drops > 0 {
                    manner.lock().unwrap().drops -= 1;
                    seen.lock().unwrap().unconfirmed.push(mail);
                    return Ok(false);
                }
                seen.lock().unwrap().messages.push(mail);
                "250 taken".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

async fn data<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
) -> std::io::Result<String> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(raw);
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Mail(pub(crate) String);

impl Mail {
    /// A header, unfolded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let start = format!("{}:", name.to_lowercase());
        let mut lines = unfolded.lines().filter(|it| it.to_lowercase().starts_with(&start));
        let found = lines.next().map(|line| line[start.len()..].trim().to_owned());
        assert!(lines.next().is_none(), "{name} stands twice");
        found
    }

    /// The subject, decoded after RFC 2047.
    pub(crate) fn subject(&self) -> String {
        let raw = self.header("Subject").unwrap();
        assert!(raw.is_ascii(), "{raw}");
        let mut out = Vec::new();
        let mut rest = raw.as_str();
        while let Some(start) = rest.find("=?") {
            let between = &rest[..start];
            if !between.trim().is_empty() {
                out.extend_from_slice(between.as_bytes());
            }
            let mut parts = rest[start + 2..].splitn(4, '?');
            assert_eq!(parts.next().unwrap().to_lowercase(), "utf-8");
            let (how, text) = (parts.next().unwrap(), parts.next().unwrap());
            match how {
                "b" | "B" => out.extend(STANDARD.decode(text).unwrap()),
                other => panic!("encoding {other}"),
            }
            rest = parts.next().unwrap().strip_prefix('=').unwrap();
        }
        out.extend_from_slice(rest.as_bytes());
        String::from_utf8(out).unwrap()
    }

    /// The text, decoded.
    pub(crate) fn text(&self) -> String {
        let body = self.0.split_once("\r\n\r\n").unwrap().1;
        let how = self.header("Content-Transfer-Encoding").unwrap();
        let bytes = match how.as_str() {
            "base64" => STANDARD.decode(body.replace("\r\n", "")).unwrap(),
            "quoted-printable" => unquoted(body),
            other => panic!("encoding {other}"),
        };
        String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
    }
}

fn unquoted(body: &str) -> Vec<u8> {
    let body = body.replace("=\r\n", "");
    let mut bytes = body.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'=' {
            let pair = [bytes.next().unwrap(), bytes.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    out
}
