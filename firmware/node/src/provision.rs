//! The page with which a node is told who it is: written once by a person's tool, read at each start.
//!
//! ```text
//! miaopu-provision-1 sha256=<64 hexadecimal digits>
//! site=nanchuan
//! node=bench-01
//! secret=...
//! gateways=192.0.2.7:1883,gateway.example:1883
//! interval_ms=60000
//! tls=off
//! ```
//!
//! UTF-8 in lines that end with `\n`. The digest is of all bytes after the first line up to the first byte
//! 0xFF (erased flash), or to the end of the page. Besides the keys above, which must be there (`tls` may
//! be left out: `off`), there are `ca` (base64 of the authority's certificate in DER, on one line),
//! `wifi_ssid`, `wifi_password`, and `board.` with anything after it, which the board reads itself. Any
//! other key, and a key that stands twice, is an error that names its line. Empty lines are skipped.

use core::fmt;

use heapless::Vec;
use measure::{NodeKey, Slug};
use sha2::{Digest as _, Sha256};
use wire::{GATEWAYS_MAX, GatewayAddress};

use crate::node::check_interval;
use crate::valid::is_address;

/// The longest secret, in bytes; a longer one is refused.
pub const SECRET_BYTES_MAX: usize = 64;

const FIRST_LINE: &[u8] = b"miaopu-provision-1 sha256=";
const DIGEST_DIGITS: usize = 64;

/// What a node is told. It borrows from its page.
#[derive(Clone)]
pub struct Provision<'p> {
    /// Whose node it is.
    pub key: NodeKey,
    /// Its secret. Never printed.
    pub secret: &'p str,
    /// Whom to connect to.
    pub gateways: Vec<GatewayAddress, GATEWAYS_MAX>,
    /// How often to sample until settings change it, in milliseconds.
    pub interval_ms: u32,
    /// Whether the link is encrypted.
    pub tls: bool,
    /// The authority's certificate, base64 of DER.
    pub ca: Option<&'p str>,
    /// The name of the Wi-Fi.
    pub wifi_ssid: Option<&'p str>,
    /// Its password. Never printed.
    pub wifi_password: Option<&'p str>,
    text: &'p str,
}

/// Why a page is none. It quotes no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisionError {
    /// Not a page of this kind, or an erased one.
    #[error("there is no provisioning page")]
    Missing,
    /// The digest is another one: the page was not written to its end, or has aged.
    #[error("the provisioning page has another checksum")]
    Checksum,
    /// Bytes that are no text.
    #[error("the provisioning page is no text")]
    Text,
    /// A line without `=`, with an unknown key, or with one that stood before. The first line is 1.
    #[error("line {0} of the provisioning page is not one of its keys")]
    Line(usize),
    /// A key that is not there, or whose value cannot be one.
    #[error("`{0}` of the provisioning page is not there or not possible")]
    Value(&'static str),
}

impl<'p> Provision<'p> {
    /// Reads a page.
    ///
    /// # Errors
    /// [`ProvisionError`]
    pub fn parse(page: &'p [u8]) -> Result<Self, ProvisionError> {
        use ProvisionError::{Text, Value};
        let text = core::str::from_utf8(checked(page)?).map_err(|_| Text)?;
        check_lines(text)?;
        let value = |key: &'static str| value_of(text, key);
        let needed = |key: &'static str| value(key).filter(|one| !one.is_empty()).ok_or(Value(key));
        let slug = |key: &'static str| Slug::new(needed(key)?).map_err(|_| Value(key));
        let secret = needed("secret")?;
        if secret.len() > SECRET_BYTES_MAX {
            return Err(Value("secret"));
        }
        let interval_ms = needed("interval_ms")?.parse().ok().and_then(check_interval);
        let tls = match value("tls") {
            None | Some("off") => false,
            Some("on") => true,
            Some(_) => return Err(Value("tls")),
        };
        let ca = value("ca");
        if ca.is_some_and(|ca| !is_base64(ca)) || (tls && ca.is_none()) {
            return Err(Value("ca"));
        }
        Ok(Self {
            key: NodeKey { site: slug("site")?, node: slug("node")? },
            secret,
            gateways: addresses(needed("gateways")?).ok_or(Value("gateways"))?,
            interval_ms: interval_ms.ok_or(Value("interval_ms"))?,
            tls,
            ca,
            wifi_ssid: value("wifi_ssid"),
            wifi_password: value("wifi_password"),
            text,
        })
    }

    /// Returns the value of `board.{key}`, which is the board's own business.
    pub fn board(&self, key: &str) -> Option<&'p str> {
        let mut lines = self.text.lines();
        lines.find_map(|line| {
            let (name, value) = line.strip_prefix("board.")?.split_once('=')?;
            (name == key).then_some(value)
        })
    }
}

/// Says who it is and where it connects; secret and password stay out of every log.
impl fmt::Debug for Provision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provision")
            .field("key", &self.key)
            .field("gateways", &self.gateways)
            .field("interval_ms", &self.interval_ms)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Returns what follows the first line, where the digest agrees.
fn checked(page: &[u8]) -> Result<&[u8], ProvisionError> {
    use ProvisionError::{Checksum, Missing};
    let rest = page.strip_prefix(FIRST_LINE).ok_or(Missing)?;
    let (digits, rest) = rest.split_at_checked(DIGEST_DIGITS).ok_or(Missing)?;
    let rest = rest.strip_prefix(b"\n").ok_or(Missing)?;
    let end = rest.iter().position(|byte| *byte == 0xFF).unwrap_or(rest.len());
    let body = rest.get(..end).unwrap_or_default();
    let digest = Sha256::digest(body);
    let expect = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
    let told = digits.iter().map(|digit| char::from(*digit).to_digit(16));
    if told.eq(expect.map(|nibble| Some(u32::from(nibble)))) { Ok(body) } else { Err(Checksum) }
}

const KEYS: [&str; 9] = [
    "site",
    "node",
    "secret",
    "gateways",
    "interval_ms",
    "tls",
    "ca",
    "wifi_ssid",
    "wifi_password",
];

fn check_lines(text: &str) -> Result<(), ProvisionError> {
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let wrong = ProvisionError::Line(at + 2);
        let (key, _) = line.split_once('=').ok_or(wrong)?;
        let is_known =
            KEYS.contains(&key) || key.strip_prefix("board.").is_some_and(|own| !own.is_empty());
        let mut before = text.lines().take(at).filter_map(|line| line.split_once('='));
        if !is_known || before.any(|(other, _)| other == key) {
            return Err(wrong);
        }
    }
    Ok(())
}

fn value_of<'p>(text: &'p str, key: &str) -> Option<&'p str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn addresses(list: &str) -> Option<Vec<GatewayAddress, GATEWAYS_MAX>> {
    let mut all = Vec::new();
    for address in list.split(',').filter(|address| !address.is_empty()) {
        let address = is_address(address).then(|| GatewayAddress::try_from(address).ok())??;
        all.push(address).ok()?;
    }
    (!all.is_empty()).then_some(all)
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !digits.is_empty()
        && digits.bytes().all(is_digit)
        && text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
}
