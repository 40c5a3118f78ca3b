//! Signed requests to a program, after Standard Webhooks: one connection a request, no redirects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use measure::Timestamp;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracing::debug;

use crate::failure::{Failure, chain};
use crate::roots::roots;
use crate::sign::SigningKey;

/// How long one request may take from connecting to the end of its answer.
const REQUEST_WAIT: Duration = Duration::from_secs(20);

/// How much of an answer's body is read, in bytes; what is longer is left unread.
pub const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// Where requests go and what signs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// `https://…`, or `http://…` for a program on the same network.
    pub url: String,
    /// The key that both sides have.
    pub key: SigningKey,
    /// An authority that is believed beside the machine's own, as PEM.
    pub ca_pem: Option<Vec<u8>>,
}

/// Why a webhook can't be used as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The address is none that requests can be sent to.
    #[error(
        "`{0}` is no address such as https://alarms.example.com/miaopu, without a password in it"
    )]
    Url(String),
    /// The file of the authority holds no certificate.
    #[error("the certificate authority's file holds no certificate in PEM")]
    Authority,
    /// The TLS library refused.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
}

/// A program that is told of alarms.
#[derive(Clone)]
pub struct Webhook {
    host: String,
    port: u16,
    authority: String,
    path: String,
    key: SigningKey,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Webhook {
    /// Checks the settings.
    ///
    /// # Errors
    /// Where they can't be used.
    pub fn new(settings: &WebhookSettings) -> Result<Self, WebhookError> {
        let refused = || WebhookError::Url(settings.url.clone());
        let uri: Uri = settings.url.parse().map_err(|_| refused())?;
        let authority = uri.authority().ok_or_else(refused)?;
        if authority.as_str().contains('@') {
            return Err(WebhookError::Url("https://…@…".to_owned()));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refused()),
        };
        let tls = if secure {
            let roots = roots(settings.ca_pem.as_deref()).ok_or(WebhookError::Authority)?;
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| WebhookError::Tls(error.to_string()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let name = ServerName::try_from(host.clone()).map_err(|_| refused())?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self {
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.to_string(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            key: settings.key.clone(),
            host,
            tls,
        })
    }

    /// Returns the host that requests go to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns host and port; nothing of the path, which may hold a secret.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Sends a message; `wall` stands in the signature.
    ///
    /// # Errors
    /// Where it was not taken. An answer of 4xx, but for 408, 425 and 429, and a redirect are final.
    pub async fn send(&self, message: &str, wall: Timestamp, body: &Value) -> Result<(), Failure> {
        let id = format!("msg_{message}");
        let body = body.to_string().into_bytes();
        let seconds = wall.millis().div_euclid(1_000);
        let request = Request::post(&self.path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("miaopu/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header(HeaderName::from_static("webhook-id"), &id)
            .header(HeaderName::from_static("webhook-timestamp"), seconds)
            .header(HeaderName::from_static("webhook-signature"), self.key.sign(&id, wall, &body))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::permanent(chain(&error)))?;
        let status = tokio::time::timeout(REQUEST_WAIT, self.ask(request)).await;
        let server = self.server();
        let status = status.unwrap_or_else(|_| {
            let seconds = REQUEST_WAIT.as_secs();
            Err(Failure::passing(format!("{server} did not answer within {seconds} s")))
        })?;
        judge(status, &server)
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, Failure> {
        let failed = |error: &dyn std::error::Error, server: &str| {
            Failure::passing(format!("{server}: {error}"))
        };
        let server = self.server();
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| failed(&error, &server))?;
        match &self.tls {
            Some((tls, name)) => {
                let stream = tls
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| failed(&error, &server))?;
                exchange(stream, request).await
            }
            None => exchange(stream, request).await,
        }
        .map_err(|error| Failure::passing(format!("{server}: {}", chain(&error))))
    }
}

/// Sends one request over a stream and returns the answer's status.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    request: Request<Full<Bytes>>,
) -> Result<StatusCode, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        // Read so that the other side sees an orderly end; what it says is not needed, and a body
        // that is too long or breaks off changes nothing about the status.
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        if let Err(error) = body.collect().await {
            debug!(%error, "Did not read all of a webhook's answer.");
        }
        Ok(status)
    };
    // The connection ends once the answer is read and its sender gone. Where it breaks before, the
    // answer fails too, and says why.
    let (status, _ended) = tokio::join!(answer, connection);
    status
}

fn judge(status: StatusCode, server: &str) -> Result<(), Failure> {
    if status.is_success() {
        return Ok(());
    }
    let may_pass =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    let reason = format!("{server} answered {status}");
    if status.is_redirection() {
        return Err(Failure::permanent(format!("{reason}; redirects are not followed")));
    }
    if status.is_client_error() && !may_pass.contains(&status) {
        return Err(Failure::permanent(reason));
    }
    Err(Failure::passing(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(url: &str) -> Result<Webhook, WebhookError> {
        let key = SigningKey::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        Webhook::new(&WebhookSettings { url: url.to_owned(), key, ca_pem: None })
    }

    #[track_caller]
    fn check(url: &str, expect: Option<&str>) {
        assert_eq!(webhook(url).ok().map(|it| it.server()).as_deref(), expect, "{url}");
    }

    #[test]
    fn an_address_has_a_scheme_a_host_and_no_password() {
        check("https://alarms.example.com/miaopu", Some("alarms.example.com:443"));
        check("http://192.168.1.5:9000/x?y=z", Some("192.168.1.5:9000"));
        check("https://[::1]:8443", Some("::1:8443"));
        check("ftp://example.com", None);
        check("example.com/x", None);
        check("https://li:secret@example.com/", None);
        let error = webhook("https://li:secret@example.com/").err().map(|it| it.to_string());
        assert!(!error.unwrap().contains("secret"));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_final_is_not() {
        let permanent = |code: u16| {
            judge(StatusCode::from_u16(code).unwrap(), "x").err().map(|it| it.is_permanent)
        };
        assert_eq!(permanent(204), None);
        for code in [408, 425, 429, 500, 503] {
            assert_eq!(permanent(code), Some(false), "{code}");
        }
        for code in [301, 308, 400, 401, 404, 410] {
            assert_eq!(permanent(code), Some(true), "{code}");
        }
    }
}
