//! The API over TLS: a client that trusts only the gateway's authority, as a phone does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use trust::{Names, Renewal};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::PASSWORD;
use super::world::{World, authority, name, today};

type Response = ureq::http::Response<ureq::Body>;

/// Finds every name at one address, as the DNS of a LAN might.
#[derive(Debug)]
struct Everywhere(SocketAddr);

impl Resolver for Everywhere {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push(self.0);
        Ok(found)
    }
}

/// A client that trusts the authority of `ca_pem` and no other.
fn agent(ca_pem: &str) -> ureq::Agent {
    config(ca_pem).new_agent()
}

/// The same, which finds every name at `address`.
fn agent_at(address: SocketAddr, ca_pem: &str) -> ureq::Agent {
    ureq::Agent::with_parts(config(ca_pem), DefaultConnector::default(), Everywhere(address))
}

fn config(ca_pem: &str) -> ureq::config::Config {
    let der = rustls::pki_types::CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(vec![Certificate::from_der(&der).to_owned()])))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .timeout_global(Some(Duration::from_secs(20)))
        .tls_config(tls)
        .build()
}

fn get(agent: &ureq::Agent, url: &str, cookie: Option<&str>) -> Result<Response, ureq::Error> {
    let request = agent.get(url);
    let request = match cookie {
        Some(cookie) => request.header("cookie", cookie),
        None => request,
    };
    request.call()
}

/// Signs in and returns the cookie as the answer sets it.
fn sign_in(agent: &ureq::Agent, base: &str, origin: &str) -> (u16, String) {
    let body = json!({"user": "root", "password": PASSWORD}).to_string();
    let request = agent.post(format!("{base}/api/v1/session"));
    let request = request.header("origin", origin).header("content-type", "application/json");
    let response = request.send(body).unwrap();
    let cookie = response.headers().get("set-cookie").map(|it| it.to_str().unwrap().to_owned());
    (response.status().as_u16(), cookie.unwrap_or_default())
}

fn with_root() -> World {
    let world = World::start();
    let who = people::Actor::CommandLine;
    world.registry.add_user(&name("root"), people::Role::Admin, PASSWORD, &who, today()).unwrap();
    world
}

#[test]
fn the_overview_over_tls_is_for_who_signed_in_over_tls() {
    let world = with_root();
    let agent = agent(&world.trust.about().pem);
    let (secure, plain) = (format!("https://{}", world.https), format!("http://{}", world.address));
    let (status, cookie) = sign_in(&agent, &secure, &secure);
    assert_eq!(status, 200);
    assert!(cookie.starts_with("__Host-miaopu_session="), "{cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.to_ascii_lowercase().contains("domain"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let overview = format!("{secure}/api/v1/overview");
    assert_eq!(get(&agent, &overview, Some(pair)).unwrap().status(), 200);
    assert_eq!(get(&agent, &overview, None).unwrap().status(), 401);
    // On plain HTTP the same session counts for nothing, under neither name.
    let secret = pair.split_once('=').unwrap().1;
    let overview = format!("{plain}/api/v1/overview");
    assert_eq!(get(&agent, &overview, Some(pair)).unwrap().status(), 401);
    let (status, cookie) = sign_in(&agent, &plain, &plain);
    assert!(status == 200 && !cookie.contains("Secure"), "{cookie}");
    let plain_pair = cookie.split(';').next().unwrap();
    assert!(plain_pair.starts_with("miaopu_session=") && !plain_pair.contains(secret));
    assert_eq!(get(&agent, &overview, Some(plain_pair)).unwrap().status(), 200);
    let overview = format!("{secure}/api/v1/overview");
    assert_eq!(get(&agent, &overview, Some(plain_pair)).unwrap().status(), 401);
}

#[test]
fn another_page_may_not_sign_anybody_in_over_tls_either() {
    let world = with_root();
    let agent = agent(&world.trust.about().pem);
    let secure = format!("https://{}", world.https);
    let plain = format!("http://{}", world.address);
    for origin in [plain.as_str(), "https://elsewhere.example", "null"] {
        assert_eq!(sign_in(&agent, &secure, origin).0, 403, "{origin}");
    }
}

#[test]
fn a_certificate_for_another_name_or_of_another_authority_is_refused() {
    let world = World::start();
    let agent = agent_at(world.https, &world.trust.about().pem);
    let health = |host: &str| format!("https://{host}:{}/api/v1/health", world.https.port());
    for host in ["127.0.0.1", "localhost", "shed.local"] {
        assert_eq!(get(&agent, &health(host), None).unwrap().status(), 200, "{host}");
    }
    for host in ["other.local", "127.0.0.2"] {
        let refused = get(&agent, &health(host), None).unwrap_err().to_string();
        assert!(refused.contains("not valid for name"), "{refused}");
    }
    let dir = tempfile::tempdir().unwrap();
    let other = authority(&dir.path().join("tls"));
    let agent = agent_at(world.https, &other.about().pem);
    let refused = get(&agent, &health("shed.local"), None).unwrap_err().to_string();
    assert!(refused.contains("UnknownIssuer") || refused.contains("BadSignature"), "{refused}");
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let world = World::start();
    let agent = agent_at(world.https, &world.trust.about().pem);
    let url = format!("https://barn.local:{}/api/v1/health", world.https.port());
    assert!(get(&agent, &url, None).is_err());
    let moved = Names::new("barn", &[], []);
    assert!(matches!(world.trust.renew(&moved, today()).unwrap(), Renewal::Renewed(_)));
    assert_eq!(get(&agent, &url, None).unwrap().status(), 200);
}

#[test]
fn the_authority_is_open_to_everyone_on_both_listeners() {
    let world = World::start();
    let agent = agent(&world.trust.about().pem);
    let about = world.trust.about();
    for base in [format!("http://{}", world.address), format!("https://{}", world.https)] {
        let mut answer = get(&agent, &format!("{base}/ca.crt"), None).unwrap();
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/x-x509-ca-cert");
        assert!(header("content-disposition").contains("miaopu-ca.crt"));
        assert_eq!(answer.body_mut().read_to_string().unwrap(), about.pem);
        let mut answer = get(&agent, &format!("{base}/api/v1/trust"), None).unwrap();
        let trust: Value = answer.body_mut().read_json().unwrap();
        assert_eq!(
            trust,
            json!({
                "present": true,
                "name": about.name,
                "fingerprint_sha256": about.fingerprint_sha256,
                "expires_ms": about.expires.millis(),
                "download": "/ca.crt",
                "https": [{"url": format!("https://{}", world.https), "tls": true}],
            })
        );
    }
}

/// Says plain bytes to the TLS port and returns what is answered.
fn say(world: &World, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(world.https).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn plain_http_at_the_tls_port_is_shown_the_way_and_nothing_else() {
    let world = World::start();
    let answer = say(&world, b"GET /houses?x=1 HTTP/1.1\r\nHost: 192.168.1.5:8443\r\n\r\n");
    let answer = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 307"), "{answer}");
    assert!(answer.contains("location: https://192.168.1.5:8443/houses?x=1\r\n"), "{answer}");
    for host in ["", "Host: a b\r\n", "Host: \x01\r\n"] {
        let request = format!("GET /api/v1/health HTTP/1.1\r\n{host}\r\n");
        let answer = String::from_utf8(say(&world, request.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[test]
fn bytes_that_are_no_tls_harm_nobody() {
    let world = World::start();
    for bytes in [&b"\x16\x03\x01\xff\xff"[..], b"\x16\x03\x01\x00\x05hello", b"\x00", b"\r\n"] {
        let mut stream = TcpStream::connect(world.https).unwrap();
        stream.write_all(bytes).unwrap();
        drop(stream);
    }
    let agent = agent(&world.trust.about().pem);
    let health = format!("https://{}/api/v1/health", world.https);
    assert_eq!(get(&agent, &health, None).unwrap().status(), 200);
}
