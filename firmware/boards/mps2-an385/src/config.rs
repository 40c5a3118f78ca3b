//! What a node is told at its start: where the broker is, who it is, how often it samples, where
//! its chips hang.
//!
//! A text file of the host, whose path is the last word of the image's command line. `run.sh`
//! writes it.
//!
//! | key | value | default |
//! |---|---|---|
//! | `broker` | IPv4 address and port | - |
//! | `site`, `node` | names, `[a-z0-9-]{1,32}` | - |
//! | `secret` | the node's password; never printed | - |
//! | `interval_ms` | time between two samples, 100 to 86 400 000 | 5000 |
//! | `tmp105` | position of the machine's TMP105 | `canopy` |
//! | `simulated` | position of the made-up chips, `none` for no such chips | `bench` |

use core::fmt;
use core::net::SocketAddrV4;

use heapless::String;
use measure::{NodeKey, Slug};
use node::{INTERVAL_MS_MAX, INTERVAL_MS_MIN};

use crate::host;

/// The longest configuration, in bytes; the rest of a longer one is not read and its last line
/// likely refused.
const FILE_BYTES_MAX: usize = 1024;
/// The longest command line, in bytes; with a longer one the image ends.
const COMMAND_LINE_BYTES_MAX: usize = 256;
/// The longest secret, in bytes; a longer one is refused.
const SECRET_BYTES_MAX: usize = 128;

/// A checked configuration.
pub(crate) struct Config {
    /// Where the broker listens.
    pub(crate) broker: SocketAddrV4,
    /// Who the node is.
    pub(crate) key: NodeKey,
    /// The node's password.
    pub(crate) secret: Secret,
    /// How often it samples, in milliseconds.
    pub(crate) interval_ms: u32,
    /// Where the TMP105 hangs.
    pub(crate) tmp105: Slug,
    /// Where the simulated chips hang; `None` for no such chips.
    pub(crate) simulated: Option<Slug>,
}

/// A password, which does not print.
pub(crate) struct Secret(String<SECRET_BYTES_MAX>);

impl Secret {
    /// Returns the password, for the broker alone.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Why there is no configuration. Names the key, never the value: it may be the secret.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line does not end in a path that opens.
    NoFile,
    /// The file is no UTF-8.
    NotText,
    /// The line, counted from 1, is not `key=value` with a known key.
    UnknownLine(usize),
    /// The value of this key is not what the table above asks for.
    BadValue(&'static str),
    /// This key has no default and is not there.
    Missing(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str("the command line names no readable configuration file"),
            Self::NotText => f.write_str("the configuration is no UTF-8 text"),
            Self::UnknownLine(number) => {
                write!(f, "line {number} of the configuration has no known key")
            }
            Self::BadValue(key) => write!(f, "`{key}` of the configuration has a bad value"),
            Self::Missing(key) => write!(f, "`{key}` is missing from the configuration"),
        }
    }
}

/// Reads the configuration that the command line names.
pub(crate) fn load() -> Result<Config, Error> {
    let mut line = [0; COMMAND_LINE_BYTES_MAX];
    let path = host::command_line(&mut line).and_then(|line| line.split_whitespace().next_back());
    let file = path.and_then(host::File::open_to_read).ok_or(Error::NoFile)?;
    let mut text = [0; FILE_BYTES_MAX];
    parse(str::from_utf8(file.read(&mut text)).map_err(|_| Error::NotText)?)
}

fn parse(text: &str) -> Result<Config, Error> {
    let mut broker = None;
    let (mut site, mut node, mut secret) = (None, None, None);
    let mut interval_ms = 5_000;
    let mut tmp105 = Slug::new("canopy").map_err(|_| Error::BadValue("tmp105"))?;
    let mut simulated = Slug::new("bench").ok();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let unknown = Error::UnknownLine(index + 1);
        let Some((key, value)) = line.split_once('=') else { return Err(unknown) };
        match key {
            "broker" => broker = Some(value.parse().map_err(|_| Error::BadValue("broker"))?),
            "site" => site = Some(slug("site", value)?),
            "node" => node = Some(slug("node", value)?),
            "secret" => {
                let value = String::try_from(value).map_err(|_| Error::BadValue("secret"))?;
                secret = Some(Secret(value));
            }
            "interval_ms" => {
                interval_ms = value
                    .parse()
                    .ok()
                    .filter(|ms| (INTERVAL_MS_MIN..=INTERVAL_MS_MAX).contains(ms))
                    .ok_or(Error::BadValue("interval_ms"))?;
            }
            "tmp105" => tmp105 = slug("tmp105", value)?,
            "simulated" if value == "none" => simulated = None,
            "simulated" => simulated = Some(slug("simulated", value)?),
            _ => return Err(unknown),
        }
    }
    Ok(Config {
        broker: broker.ok_or(Error::Missing("broker"))?,
        key: NodeKey {
            site: site.ok_or(Error::Missing("site"))?,
            node: node.ok_or(Error::Missing("node"))?,
        },
        secret: secret.ok_or(Error::Missing("secret"))?,
        interval_ms,
        tmp105,
        simulated,
    })
}

fn slug(key: &'static str, value: &str) -> Result<Slug, Error> {
    Slug::new(value).map_err(|_| Error::BadValue(key))
}
