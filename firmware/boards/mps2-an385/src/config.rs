//! What a node is told: its provisioning page in flash, which `run.sh` writes.
//!
//! The keys that all nodes have are [`node::Provision`]'s. The board's own:
//!
//! | key | value | default |
//! |---|---|---|
//! | `board.tmp105` | position of the machine's TMP105 | `canopy` |
//! | `board.simulated` | position of the made-up chips, `none` for no such chips | `bench` |
//! | `board.modbus` | position of the soil probe on the serial line, `none` for no such | `none` |

use core::fmt;

use flash::Region;
use heapless::Vec;
use measure::{NodeKey, Slug};
use node::{Provision, ProvisionError};
use wire::{GATEWAYS_MAX, GatewayAddress};

/// A checked configuration.
pub(crate) struct Config {
    /// Who the node is.
    pub(crate) key: NodeKey,
    /// The node's password.
    pub(crate) secret: Secret,
    /// Whom to connect to, until settings say otherwise.
    pub(crate) gateways: Vec<GatewayAddress, GATEWAYS_MAX>,
    /// How often it samples, in milliseconds.
    pub(crate) interval_ms: u32,
    /// The gateway's authority (DER), where the link is over TLS.
    #[cfg(feature = "tls")]
    authority: Option<Vec<u8, { tls::CERTIFICATE_BYTES_MAX }>>,
    /// Where the TMP105 hangs.
    pub(crate) tmp105: Slug,
    /// Where the simulated chips hang; `None` for no such chips.
    pub(crate) simulated: Option<Slug>,
    /// Where the soil probe on the serial line sits; `None` for no such.
    pub(crate) modbus: Option<Slug>,
}

/// A password, which does not print. It stays in its page of the flash.
pub(crate) struct Secret(&'static str);

impl Secret {
    /// Returns the password, for the broker alone.
    pub(crate) const fn as_bytes(&self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

/// Why there is no configuration. Names the key, never the value: it may be the secret.
#[derive(Debug)]
pub(crate) enum Error {
    /// The page is none.
    Page(ProvisionError),
    /// The value of this key is no position.
    BadValue(&'static str),
    /// This image has no TLS.
    #[cfg(not(feature = "tls"))]
    Tls,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(error) => write!(f, "{error}"),
            Self::BadValue(key) => write!(f, "`{key}` of the provisioning has a bad value"),
            #[cfg(not(feature = "tls"))]
            Self::Tls => f.write_str("`tls` of the provisioning is on, and this image has none"),
        }
    }
}

/// Reads the provisioning page.
pub(crate) fn load() -> Result<Config, Error> {
    // SAFETY: no part of the image takes this region, so nothing writes there while it runs.
    let page = unsafe { Region::mapped(flash::PROVISION) };
    let provision = Provision::parse(page).map_err(Error::Page)?;
    #[cfg(not(feature = "tls"))]
    if provision.tls {
        return Err(Error::Tls);
    }
    #[cfg(feature = "tls")]
    let authority = match provision.ca.filter(|_| provision.tls) {
        None => None,
        Some(ca) => Some(tls::from_base64(ca).ok_or(Error::BadValue("ca"))?),
    };
    let slug = |key, name, default| {
        Slug::new(provision.board(key).unwrap_or(default)).map_err(|_| Error::BadValue(name))
    };
    let tmp105 = slug("tmp105", "board.tmp105", "canopy")?;
    let simulated = match provision.board("simulated") {
        Some("none") => None,
        _ => Some(slug("simulated", "board.simulated", "bench")?),
    };
    let modbus = match provision.board("modbus") {
        None | Some("none") => None,
        Some(_) => Some(slug("modbus", "board.modbus", "bench")?),
    };
    Ok(Config {
        #[cfg(feature = "tls")]
        authority,
        tmp105,
        simulated,
        modbus,
        secret: Secret(provision.secret),
        interval_ms: provision.interval_ms,
        gateways: provision.gateways,
        key: provision.key,
    })
}

#[cfg(feature = "tls")]
impl Config {
    /// Returns the gateway's authority, or `None` where the link is without TLS.
    pub(crate) fn authority(&self) -> Option<&[u8]> {
        self.authority.as_deref()
    }
}
