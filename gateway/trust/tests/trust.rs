//! The authority and its certificates as a client sees them: real handshakes, at any time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use measure::Timestamp;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    time_provider::TimeProvider,
    version::{TLS12, TLS13},
};
use trust::{Names, Pages, Renewal, Trust};

/// 2026-11-23T06:00:00Z.
const NOW_MS: i64 = 1_795_413_600_000;
const DAY_MS: i64 = 86_400_000;

fn at_day(day: i64) -> Timestamp {
    Timestamp::from_millis(NOW_MS + day * DAY_MS).unwrap()
}

fn names(extra: &[&str]) -> Names {
    let extra: Vec<String> = extra.iter().map(|&name| name.to_owned()).collect();
    Names::new("shed", &extra, ["192.168.1.5".parse().unwrap()])
}

fn open(folder: &Path, day: i64) -> Trust {
    trust::open(folder, &names(&[]), None, at_day(day)).unwrap()
}

#[derive(Debug)]
struct At(Timestamp);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.millis() / 1_000).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Shakes hands as a client that trusts only `ca_pem`, and returns the server's certificate.
fn shake(
    server: &Arc<ServerConfig>,
    ca_pem: &str,
    name: &str,
    now: Timestamp,
    tls13: bool,
) -> Result<CertificateDer<'static>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let version = if tls13 { &TLS13 } else { &TLS12 };
    let config = ClientConfig::builder_with_details(provider, Arc::new(At(now)))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(client.peer_certificates().unwrap().first().unwrap().clone().into_owned())
}

#[track_caller]
fn accepted(trust: &Trust, name: &str, now: Timestamp) -> CertificateDer<'static> {
    for server in [trust.https().unwrap(), trust.mqtt().unwrap()] {
        shake(&server, &trust.about().pem, name, now, false).unwrap();
        shake(&server, &trust.about().pem, name, now, true).unwrap();
    }
    shake(&trust.https().unwrap(), &trust.about().pem, name, now, true).unwrap()
}

#[track_caller]
fn refused(trust: &Trust, name: &str, now: Timestamp) {
    let error = shake(&trust.https().unwrap(), &trust.about().pem, name, now, true);
    assert!(matches!(error, Err(rustls::Error::InvalidCertificate(_))), "{error:?}");
}

fn mode(file: PathBuf) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_authority_is_made_once_and_only_its_owner_reads_the_keys() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tls");
    let first = open(&folder, 0);
    assert_eq!(mode(folder.clone()), 0o700);
    assert_eq!(mode(folder.join("ca.key")), 0o600);
    assert_eq!(mode(folder.join("server.pem")), 0o600);
    let (_, rest) = first.about().name.split_once("Miaopu ").unwrap();
    assert!(rest.len() == 4 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{rest}");
    assert_eq!(first.about().fingerprint_sha256.len(), 32 * 3 - 1);
    assert_eq!(first.about().expires, at_day(trust::AUTHORITY_DAYS));
    let shown = accepted(&first, "shed.local", at_day(0));
    let again = open(&folder, 1);
    assert_eq!(again.about(), first.about());
    assert_eq!(accepted(&again, "shed.local", at_day(1)), shown, "nothing is renewed for nothing");
}

#[test]
fn the_certificate_speaks_for_this_machine_and_for_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let trust = open(&dir.path().join("tls"), 0);
    for name in
        ["miaopu.internal", "localhost", "shed", "shed.local", "127.0.0.1", "::1", "192.168.1.5"]
    {
        accepted(&trust, name, at_day(0));
    }
    for name in ["other", "x.shed.local", "internal", "192.168.1.6", "::2"] {
        refused(&trust, name, at_day(0));
    }
    let other = open(&dir.path().join("other"), 0);
    let foreign = shake(&trust.https().unwrap(), &other.about().pem, "shed", at_day(0), true);
    assert!(foreign.is_err(), "another authority's certificate is refused");
}

#[test]
fn a_clock_a_little_behind_is_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let trust = open(&dir.path().join("tls"), 10);
    accepted(&trust, "shed", Timestamp::from_millis(at_day(9).millis() + 1_000).unwrap());
    refused(&trust, "shed", at_day(8));
    refused(&trust, "shed", at_day(10 + trust::SERVER_DAYS + 1));
}

#[test]
fn a_machine_without_a_clock_makes_what_holds_when_it_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tls");
    let epoch = Timestamp::from_millis(0).unwrap();
    let trust = trust::open(&folder, &names(&[]), None, epoch).unwrap();
    assert!(trust.about().expires > at_day(3_000));
    assert_eq!(trust.renew(&names(&[]), epoch).unwrap(), Renewal::Kept);
    // In November 2026 its first certificate, as if of New Year, has 39 days left; then 9.
    accepted(&trust, "shed", at_day(0));
    assert_eq!(trust.renew(&names(&[]), at_day(0)).unwrap(), Renewal::Kept);
    assert!(matches!(trust.renew(&names(&[]), at_day(30)).unwrap(), Renewal::Renewed(_)));
    accepted(&trust, "shed", at_day(60));
}

#[test]
fn renewal_swaps_the_certificate_of_a_listener_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let trust = open(&dir.path().join("tls"), 0);
    let server = trust.https().unwrap();
    let ca = trust.about().pem.clone();
    let old = shake(&server, &ca, "shed", at_day(0), true).unwrap();
    let last = trust::SERVER_DAYS - trust::RENEW_DAYS;
    assert_eq!(trust.renew(&names(&[]), at_day(last)).unwrap(), Renewal::Kept);
    let renewed = trust.renew(&names(&[]), at_day(last + 1)).unwrap();
    assert_eq!(renewed, Renewal::Renewed("the old one ends in 29 days".to_owned()));
    let new = shake(&server, &ca, "shed", at_day(last + 1), true).unwrap();
    assert_ne!(old, new);
    assert_eq!(trust.expires(), at_day(last + 1 + trust::SERVER_DAYS));
}

#[test]
fn a_new_address_renews_and_a_lost_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tls");
    let trust = open(&folder, 0);
    let moved = Names::new("shed", &[], ["10.0.0.9".parse().unwrap()]);
    refused(&trust, "10.0.0.9", at_day(0));
    let renewed = trust.renew(&moved, at_day(0)).unwrap();
    assert_eq!(renewed, Renewal::Renewed("this machine is also `10.0.0.9` now".to_owned()));
    accepted(&trust, "10.0.0.9", at_day(0));
    let fewer = Names::new("shed", &[], []);
    assert_eq!(trust.renew(&fewer, at_day(0)).unwrap(), Renewal::Kept);
    drop(trust);
    let again = trust::open(&folder, &moved, None, at_day(0)).unwrap();
    accepted(&again, "10.0.0.9", at_day(0));
}

#[test]
fn a_lost_or_damaged_server_certificate_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tls");
    let first = open(&folder, 0);
    let other = dir.path().join("other");
    drop(open(&other, 0));
    let foreign = fs::read_to_string(other.join("server.pem")).unwrap();
    let own = fs::read_to_string(folder.join("server.pem")).unwrap();
    let halves = [String::new(), "no PEM".to_owned(), own[..own.len() / 2].to_owned(), foreign];
    for text in halves {
        fs::write(folder.join("server.pem"), text).unwrap();
        let again = open(&folder, 0);
        assert_eq!(again.about(), first.about());
        accepted(&again, "shed", at_day(0));
    }
    fs::remove_file(folder.join("server.pem")).unwrap();
    accepted(&open(&folder, 0), "shed", at_day(0));
    assert_eq!(mode(folder.join("server.pem")), 0o600);
}

#[test]
fn an_authority_that_cannot_be_read_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tls");
    drop(open(&folder, 0));
    drop(open(&dir.path().join("other"), 0));
    let (crt, key) = (folder.join("ca.crt"), folder.join("ca.key"));
    let good = (fs::read(&crt).unwrap(), fs::read(&key).unwrap());
    let server = fs::read(folder.join("server.pem")).unwrap();
    let foreign = fs::read(dir.path().join("other/ca.key")).unwrap();
    type Damage<'a> = (&'a str, &'a Path, Option<&'a [u8]>);
    let damages: [Damage<'_>; 7] = [
        ("ca.crt", &crt, None),
        ("ca.key", &key, None),
        ("ca.crt", &crt, Some(b"")),
        ("ca.crt", &crt, Some(b"\xff\xff")),
        ("ca.key", &key, Some(b"-----BEGIN PRIVATE KEY-----\n")),
        ("ca.key", &key, Some(&foreign)),
        ("ca.crt", &crt, Some(&server)),
    ];
    for (name, file, bytes) in damages {
        match bytes {
            Some(bytes) => fs::write(file, bytes).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        let before: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
        let error = trust::open(&folder, &names(&[]), None, at_day(0)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("restore"), "{error}");
        let after: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(before, after, "nothing is written beside a damaged authority");
        fs::write(&crt, &good.0).unwrap();
        fs::write(&key, &good.1).unwrap();
    }
    accepted(&open(&folder, 0), "shed", at_day(0));
}

#[test]
fn what_a_power_cut_left_of_a_first_start_is_no_authority() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tls");
    fs::create_dir(dir.path().join("tls.new")).unwrap();
    fs::write(dir.path().join("tls.new/ca.key"), "half").unwrap();
    accepted(&open(&folder, 0), "shed", at_day(0));
    assert!(!dir.path().join("tls.new").exists());
}

#[test]
fn the_authority_speaks_for_the_lan_and_the_names_it_was_made_with() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("tls");
    let with = names(&["gateway.farm.example", "203.0.113.7"]);
    let trust = trust::open(&folder, &with, None, at_day(0)).unwrap();
    accepted(&trust, "gateway.farm.example", at_day(0));
    accepted(&trust, "203.0.113.7", at_day(0));
    // A bank's name is left out, with a warning: one with it would be refused as a whole.
    let later = names(&["bank.example", "8.8.8.8", "10.9.8.7", "store.lan"]);
    assert_eq!(trust.refused(&later), ["bank.example"]);
    assert!(matches!(trust.renew(&later, at_day(0)).unwrap(), Renewal::Renewed(_)));
    for name in ["10.9.8.7", "store.lan", "shed.local"] {
        accepted(&trust, name, at_day(0));
    }
    refused(&trust, "bank.example", at_day(0));
    refused(&trust, "8.8.8.8", at_day(0));
    assert_eq!(trust.renew(&later, at_day(0)).unwrap(), Renewal::Kept);
}

#[test]
fn no_certificate_outlives_its_authority_nor_is_asked_for_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let trust = open(&dir.path().join("tls"), 0);
    let near = trust::AUTHORITY_DAYS - 10;
    assert!(matches!(trust.renew(&names(&[]), at_day(near)).unwrap(), Renewal::Renewed(_)));
    assert_eq!(trust.expires(), trust.about().expires);
    assert_eq!(trust.renew(&names(&[]), at_day(near)).unwrap(), Renewal::Kept);
}

#[test]
fn the_districts_certificate_is_shown_to_people_and_taken_up_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let district = open(&dir.path().join("district"), 0);
    let pages = |name: &str| {
        let bundle = dir.path().join(name).join("server.pem");
        Pages { certificate: bundle.clone(), key: bundle }
    };
    let folder = dir.path().join("tls");
    let trust = trust::open(&folder, &names(&[]), Some(&pages("district")), at_day(0)).unwrap();
    assert!(!trust.signs_pages());
    let ca = &district.about().pem;
    let old = shake(&trust.https().unwrap(), ca, "shed", at_day(0), true).unwrap();
    shake(&trust.mqtt().unwrap(), &trust.about().pem, "miaopu.internal", at_day(0), true).unwrap();
    assert_eq!(trust.renew(&names(&[]), at_day(0)).unwrap(), Renewal::Kept);
    // Half of a change: the old one is shown on.
    let bundle = dir.path().join("district/server.pem");
    fs::write(&bundle, "half").unwrap();
    assert!(trust.renew(&names(&[]), at_day(0)).unwrap_err().to_string().contains("server.pem"));
    assert_eq!(shake(&trust.https().unwrap(), ca, "shed", at_day(0), true).unwrap(), old);
    fs::remove_file(&bundle).unwrap();
    drop(open(&dir.path().join("district"), 0));
    assert!(matches!(trust.renew(&names(&[]), at_day(0)).unwrap(), Renewal::Renewed(_)));
    assert_ne!(shake(&trust.https().unwrap(), ca, "shed", at_day(0), true).unwrap(), old);
}

#[test]
fn a_districts_key_of_another_certificate_is_an_error_with_the_keys_file() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        drop(open(&dir.path().join(name), 0));
    }
    let pages = Pages {
        certificate: dir.path().join("a/server.pem"),
        key: dir.path().join("b/server.pem"),
    };
    let error = trust::open(&dir.path().join("tls"), &names(&[]), Some(&pages), at_day(0));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("b/server.pem") && error.contains("https.key"), "{error}");
}
