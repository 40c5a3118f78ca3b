//! E-mail over SMTP: one session a message, encrypted unless the configuration says otherwise.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use people::EmailAddress;

use crate::failure::{Failure, chain};
use crate::roots::roots;
use crate::{Letter, Secret};

/// How long the server may take over one command, and the whole session at most three times that.
pub const SEND_WAIT: Duration = Duration::from_secs(20);

/// How the session with the server is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// It begins in the clear and must turn to TLS before anything is said (port 587).
    Starttls,
    /// It is TLS from its first byte (port 465).
    Tls,
    /// It is not: for a server on the same machine.
    Plain,
}

/// Where e-mail goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailSettings {
    /// The server's name, which its certificate must bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the session is kept private.
    pub security: Security,
    /// Who messages come from.
    pub from: EmailAddress,
    /// The user and password at the server; none where it asks for none.
    pub login: Option<(String, Secret)>,
    /// An authority that is believed beside the machine's own, as PEM.
    pub ca_pem: Option<Vec<u8>>,
}

/// Why e-mail can't be sent as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// The sender's address is none.
    #[error("`{0}` can't be the sender of e-mail")]
    From(String),
    /// The file of the authority holds no certificate.
    #[error("the certificate authority's file holds no certificate in PEM")]
    Authority,
    /// The TLS library refused.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

/// The way out of e-mail.
#[derive(Clone)]
pub struct Email {
    server: String,
    from: Mailbox,
    domain: String,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Email {
    /// Checks the settings.
    ///
    /// # Errors
    /// Where they can't be used.
    pub fn new(settings: &EmailSettings) -> Result<Self, EmailError> {
        let address = settings.from.as_str().parse();
        let address = address.map_err(|_| EmailError::From(settings.from.as_str().to_owned()))?;
        let tls = || parameters(&settings.host, settings.ca_pem.as_deref());
        let tls = match settings.security {
            Security::Starttls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
            Security::Plain => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(SEND_WAIT));
        if let Some((user, password)) = &settings.login {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            transport = transport.credentials(credentials);
        }
        Ok(Self {
            server: format!("{}:{}", settings.host, settings.port),
            from: Mailbox::new(Some("Miaopu 苗圃".to_owned()), address),
            domain: settings.from.host().to_owned(),
            transport: transport.build(),
        })
    }

    /// Returns host and port.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Where it was not taken. What the server refuses for good (5xx) is final, but for a refused
    /// sign-in, which a corrected password mends.
    pub async fn send(&self, to: &EmailAddress, letter: &Letter) -> Result<(), Failure> {
        let message = self.message(to, letter)?;
        let sent = tokio::time::timeout(SEND_WAIT * 3, self.transport.send(message)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.judge(&error)),
            Err(_) => {
                let seconds = (SEND_WAIT * 3).as_secs();
                let server = &self.server;
                Err(Failure::passing(format!("{server} did not take it within {seconds} s")))
            }
        }
    }

    fn message(&self, to: &EmailAddress, letter: &Letter) -> Result<Message, Failure> {
        let broken = |error: &dyn std::error::Error| {
            Failure::permanent(format!("the message can't be written: {error}"))
        };
        let address =
            to.as_str().parse().map_err(|error| broken(&error as &dyn std::error::Error))?;
        let id = |message: &str| format!("<{message}@{}>", self.domain);
        let made = u64::try_from(letter.made.micros()).unwrap_or(0);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(&letter.subject)
            .message_id(Some(id(&letter.message)))
            .date(UNIX_EPOCH + Duration::from_micros(made))
            .header(ContentType::TEXT_PLAIN);
        if let Some(first) = &letter.thread {
            builder = builder.in_reply_to(id(first)).references(id(first));
        }
        let mut message = builder.body(letter.text.clone()).map_err(|error| broken(&error))?;
        // No vacation answers, please (RFC 3834 §5); and first in the list where it is urgent.
        let marks = [("Auto-Submitted", "auto-generated"), ("Importance", "high")];
        for (name, value) in marks.into_iter().take(if letter.is_urgent { 2 } else { 1 }) {
            let name = HeaderName::new_from_ascii_str(name);
            message.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
        }
        Ok(message)
    }

    fn judge(&self, error: &smtp::Error) -> Failure {
        let code = error.status().map(u16::from);
        let reason = format!("{}: {}", self.server, chain(error));
        // RFC 4954 §6: 530, 534, 535 and 538 are about the sign-in.
        let is_sign_in = matches!(code, Some(530 | 534 | 535 | 538));
        if error.is_permanent() && !is_sign_in {
            return Failure::permanent(reason);
        }
        Failure::passing(reason)
    }
}

fn parameters(host: &str, ca_pem: Option<&[u8]>) -> Result<TlsParameters, EmailError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = ca_pem {
        // Checked as the webhook's is, so that a file without a certificate is named.
        roots(Some(pem)).ok_or(EmailError::Authority)?;
        builder = builder
            .add_root_certificate(Certificate::from_pem(pem).map_err(|_| EmailError::Authority)?);
    }
    builder.build().map_err(|error| EmailError::Tls(chain(&error)))
}
