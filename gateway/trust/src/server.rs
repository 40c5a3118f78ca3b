//! The certificate that the listeners show: issued, kept, and renewed before it ends.

use std::{fs, net::IpAddr, path::Path, sync::Arc, time::Duration};

use measure::Timestamp;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use crate::{
    authority::Authority,
    error::Error,
    file::{self, Readers},
    names::{NODE_NAME, Names},
};

/// How long a server certificate holds, in days. Phones refuse more than 825 days.
pub const SERVER_DAYS: i64 = 365;

/// It is renewed where fewer days are left.
pub const RENEW_DAYS: i64 = 30;

pub(crate) const DAY_MS: i64 = 86_400_000;

/// A certificate begins so long before it is made: clocks of phones and nodes may be behind.
pub(crate) const BACKDATED_MS: i64 = DAY_MS;

/// A clock before 2026-01-01 is not set; what is made then holds as if it were made on that day.
pub(crate) const CLOCK_MIN_MS: i64 = 1_767_225_600_000;

const FILE: &str = "server.pem";

/// A certificate with its key, and what has to be known to renew it.
#[derive(Debug)]
pub(crate) struct Leaf {
    certified: Arc<CertifiedKey>,
    names: Names,
    begins: Timestamp,
    expires: Timestamp,
}

impl Leaf {
    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }

    pub(crate) fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Reads the certificate that is kept; `None` where there is none of this authority. A lost or
/// damaged one is no harm: another is issued.
pub(crate) fn load(folder: &Path, authority: &Authority) -> Option<Leaf> {
    let text = fs::read_to_string(folder.join(FILE)).ok()?;
    parse(&text, authority)
}

fn parse(text: &str, authority: &Authority) -> Option<Leaf> {
    let der = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    if !authority.has_signed(&parsed) {
        return None;
    }
    let time = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_millis(time.timestamp().saturating_mul(1_000))
    };
    let (mut dns, mut addresses) = (Vec::new(), Vec::new());
    for name in &parsed.subject_alternative_name().ok()??.value.general_names {
        match name {
            GeneralName::DNSName(name) => dns.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => addresses.push(address(bytes)?),
            _ => {}
        }
    }
    let (begins, expires) =
        (time(parsed.validity().not_before)?, time(parsed.validity().not_after)?);
    let certified = CertifiedKey::from_der(vec![der.clone()], key, &ring::default_provider());
    let certified = Arc::new(certified.ok()?);
    Some(Leaf { certified, names: Names::exactly(dns, addresses), begins, expires })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let old = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    old.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// Returns why a certificate has to be renewed, in lower case; `None` where it holds. A name that
/// is gone is no reason: it leaves with the next certificate.
pub(crate) fn due(
    leaf: &Leaf,
    authority: &Authority,
    names: &Names,
    now: Timestamp,
) -> Option<String> {
    if let Some(name) = authority.permits(names).first_missing_in(&leaf.names) {
        return Some(format!("this machine is also `{name}` now"));
    }
    // One that can't be had longer is not asked for again and again.
    let longest = expires_ms(authority, now) - DAY_MS;
    let left_ms = leaf.expires.ms_since(now);
    if left_ms < RENEW_DAYS * DAY_MS && leaf.expires.millis() < longest {
        return Some(format!("the old one ends in {} days", left_ms / DAY_MS));
    }
    let begins_ms = leaf.begins.ms_since(now);
    if begins_ms > 0 && now.millis() >= CLOCK_MIN_MS {
        return Some("the old one begins in the future".to_owned());
    }
    None
}

/// Issues a certificate, and has it on disk before it is shown.
pub(crate) fn issue(
    folder: &Path,
    authority: &Authority,
    names: &Names,
    now: Timestamp,
) -> Result<Leaf, Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, NODE_NAME);
    let names = authority.permits(names);
    for name in names.dns() {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    params.subject_alt_names.extend(names.addresses().iter().copied().map(SanType::IpAddress));
    set_validity(&mut params, now.millis() - BACKDATED_MS, expires_ms(authority, now));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, authority.issuer())?;
    let text = format!("{}{}", certificate.pem(), key.serialize_pem());
    let file = folder.join(FILE);
    file::replace(&file, &text, Readers::Owner).map_err(|source| Error::write(&file, source))?;
    parse(&text, authority).ok_or_else(|| Error::damaged(&file, "can't be read as it was written"))
}

fn expires_ms(authority: &Authority, now: Timestamp) -> i64 {
    let from_ms = now.millis().max(CLOCK_MIN_MS);
    (from_ms + SERVER_DAYS * DAY_MS).min(authority.about().expires.millis())
}

/// Sets from when until when a certificate holds.
pub(crate) fn set_validity(params: &mut CertificateParams, from_ms: i64, to_ms: i64) {
    let at = |ms: i64| date_time_ymd(1970, 1, 1) + Duration::from_millis(ms.max(0).unsigned_abs());
    (params.not_before, params.not_after) = (at(from_ms), at(to_ms));
}
