//! The certificate authority: made once, kept for ten years, and read with care.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use measure::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use crate::{
    error::Error,
    file::{self, Readers},
    names::Names,
    server::{BACKDATED_MS, CLOCK_MIN_MS, DAY_MS, set_validity},
};

/// How long an authority holds, in days: ten years, so that phones trust it once.
pub const AUTHORITY_DAYS: i64 = 3_650;

pub(crate) const CERTIFICATE: &str = "ca.crt";
pub(crate) const KEY: &str = "ca.key";

/// The domains below which the authority may speak, besides the names that it was made with: those
/// that only a LAN has. A stolen key is worth nothing outside.
const DOMAINS: [&str; 5] = ["localhost", "local", "internal", "lan", "home.arpa"];

/// The addresses that it may speak for: those that only a LAN, a link, a machine or a provider's
/// own net has (RFC 1918, 3927, 1122, 6598, 4193, 4291).
const SUBNETS: [([u8; 4], u8); 6] = [
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([169, 254, 0, 0], 16),
    ([127, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
];

/// What people are told of the authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The name in its certificate, such as `Miaopu 3FA9`.
    pub name: String,
    /// SHA-256 of its certificate, in upper-case hexadecimal pairs with colons.
    pub fingerprint_sha256: String,
    /// Until when it holds.
    pub expires: Timestamp,
    /// Its certificate, as PEM.
    pub pem: String,
}

/// The authority, ready to sign.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    about: About,
    permitted: Option<Permitted>,
}

impl core::fmt::Debug for Authority {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Authority").field("about", &self.about).finish_non_exhaustive()
    }
}

/// What the name constraints of the authority permit (RFC 5280, section 4.2.1.10).
#[derive(Debug, Default)]
struct Permitted {
    domains: Vec<String>,
    /// Address and mask, as bytes of equal length.
    subnets: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Makes an authority in a folder that is not there yet. The folder appears whole or not at all.
pub(crate) fn make(folder: &Path, names: &Names, now: Timestamp) -> Result<Authority, Error> {
    let mut random = [0; 2];
    getrandom::fill(&mut random).map_err(Error::Random)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let name = format!("Miaopu {:04X}", u16::from_be_bytes(random));
    let pem = params(&name, names, now).self_signed(&key)?.pem();

    let beside = folder.with_extension("new");
    let put = |name: &str, text: &str, readers| {
        let file = beside.join(name);
        file::write_new(&file, text, readers).map_err(|source| Error::write(&file, source))
    };
    file::make_folder(&beside).map_err(|source| Error::write(&beside, source))?;
    put(KEY, &key.serialize_pem(), Readers::Owner)?;
    put(CERTIFICATE, &pem, Readers::All)?;
    let place = || {
        file::sync_folder(&beside)?;
        fs::rename(&beside, folder)?;
        folder.parent().filter(|it| !it.as_os_str().is_empty()).map_or(Ok(()), file::sync_folder)
    };
    place().map_err(|source| Error::write(folder, source))?;
    load(folder)
}

fn params(name: &str, names: &Names, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // A machine without a clock of its own must not make an authority that has ended when it gets
    // one.
    let from_ms = now.millis().max(CLOCK_MIN_MS);
    let to_ms = from_ms + AUTHORITY_DAYS * DAY_MS;
    set_validity(&mut params, now.millis() - BACKDATED_MS, to_ms);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let domains = DOMAINS.iter().copied().chain(names.dns().iter().map(String::as_str));
    let mut permitted: Vec<GeneralSubtree> =
        domains.map(|domain| GeneralSubtree::DnsName(domain.to_owned())).collect();
    let mut subnets: Vec<CidrSubnet> =
        SUBNETS.iter().map(|(net, bits)| CidrSubnet::from_v4_prefix(*net, *bits)).collect();
    subnets.push(CidrSubnet::from_v6_prefix(prefix(0xfc00), 7));
    subnets.push(CidrSubnet::from_v6_prefix(prefix(0xfe80), 10));
    subnets.extend(names.addresses().iter().map(|address| match address {
        IpAddr::V4(_) => CidrSubnet::from_addr_prefix(*address, 32),
        IpAddr::V6(_) => CidrSubnet::from_addr_prefix(*address, 128),
    }));
    permitted.extend(subnets.into_iter().map(GeneralSubtree::IpAddress));
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    params
}

fn prefix(first: u16) -> [u8; 16] {
    std::net::Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0).octets()
}

/// Reads the authority, and is sure that certificate and key belong together.
pub(crate) fn load(folder: &Path) -> Result<Authority, Error> {
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let read = |name: &str| {
        fs::read_to_string(file(name)).map_err(|source| Error::read(&file(name), folder, source))
    };
    let (pem, key) = (read(CERTIFICATE)?, read(KEY)?);
    let damaged = |what: &str| Error::damaged(&file(CERTIFICATE), what);
    let der = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| damaged(&format!("holds no certificate ({error})")))?;
    let key = KeyPair::from_pem(&key)
        .map_err(|error| Error::damaged(&file(KEY), format!("holds no private key ({error})")))?;
    let (_, parsed) = X509Certificate::from_der(&der)
        .map_err(|error| damaged(&format!("holds no certificate ({error})")))?;
    if !parsed.is_ca() {
        return Err(damaged("is no authority's certificate"));
    }
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err(Error::damaged(&file(KEY), format!("is not the key of `{CERTIFICATE}`")));
    }
    let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let expires_ms = parsed.validity().not_after.timestamp().saturating_mul(1_000);
    let about = About {
        name: name.unwrap_or("Miaopu").to_owned(),
        fingerprint_sha256: fingerprint(&der),
        expires: Timestamp::from_millis(expires_ms)
            .ok_or_else(|| damaged("has no end that a calendar knows"))?,
        pem,
    };
    let permitted =
        permitted(&parsed).map_err(|()| damaged("has name constraints that can't be read"))?;
    let issuer = Issuer::from_ca_cert_der(&der, key)
        .map_err(|error| damaged(&format!("can't be signed with ({error})")))?;
    Ok(Authority { issuer, der, about, permitted })
}

fn permitted(certificate: &X509Certificate<'_>) -> Result<Option<Permitted>, ()> {
    let Some(constraints) = certificate.name_constraints().map_err(|_| ())? else {
        return Ok(None);
    };
    let mut found = Permitted::default();
    for subtree in constraints.value.permitted_subtrees.iter().flatten() {
        match &subtree.base {
            GeneralName::DNSName(domain) => {
                found.domains.push(domain.trim_start_matches('.').to_ascii_lowercase());
            }
            GeneralName::IPAddress(bytes) if bytes.len() % 2 == 0 => {
                let (address, mask) = bytes.split_at(bytes.len() / 2);
                found.subnets.push((address.to_vec(), mask.to_vec()));
            }
            _ => {}
        }
    }
    Ok(Some(found))
}

fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

impl Authority {
    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Returns whether a certificate was signed with the authority's key.
    pub(crate) fn has_signed(&self, certificate: &X509Certificate<'_>) -> bool {
        X509Certificate::from_der(&self.der).is_ok_and(|(_, own)| {
            certificate.issuer() == own.subject()
                && certificate.verify_signature(Some(own.public_key())).is_ok()
        })
    }

    /// Returns the names that it may speak for: a certificate with another one is refused whole.
    pub(crate) fn permits(&self, names: &Names) -> Names {
        match &self.permitted {
            None => names.clone(),
            Some(permitted) => {
                names.filtered(|name| permitted.has_name(name), |it| permitted.has_address(it))
            }
        }
    }

    /// Returns the DNS names that it may not speak for.
    pub(crate) fn refused<'n>(&self, names: &'n Names) -> Vec<&'n str> {
        let permitted = self.permits(names);
        let refused = names.dns().iter().filter(|name| !permitted.dns().contains(name));
        refused.map(String::as_str).collect()
    }
}

impl Permitted {
    fn has_name(&self, name: &str) -> bool {
        self.domains.iter().any(|domain| {
            name.strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    fn has_address(&self, address: IpAddr) -> bool {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        self.subnets.iter().any(|(net, mask)| {
            net.len() == bytes.len()
                && bytes
                    .iter()
                    .zip(net)
                    .zip(mask)
                    .all(|((byte, net), mask)| byte & mask == net & mask)
        })
    }
}
