//! Where the gateway listens: what was asked for, and what came about.

use std::{
    fmt,
    io::ErrorKind,
    net::{SocketAddr, TcpListener, ToSocketAddrs as _},
    str::FromStr,
};

use tracing::warn;

use crate::failure::{Failure, OrFail as _};

/// The word that switches a listener off.
const OFF: &str = "off";

/// A listener as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// The address; `None` is off.
    pub(crate) address: Option<SocketAddr>,
    /// Whether it must be this port. Else a free one is taken where this one is not free.
    pub(crate) firm: bool,
}

impl Listen {
    /// Returns a listener that must be at this address.
    pub(crate) const fn at(address: SocketAddr) -> Self {
        Self { address: Some(address), firm: true }
    }

    /// Returns a listener that nobody asked for, at this address or another port of it.
    pub(crate) const fn near(address: SocketAddr) -> Self {
        Self { address: Some(address), firm: false }
    }

    /// Returns no listener.
    pub(crate) const fn off() -> Self {
        Self { address: None, firm: true }
    }

    /// Binds the listener; `what` and `setting` name it in messages.
    pub(crate) fn bind(self, what: &str, setting: &str) -> Result<Option<TcpListener>, Failure> {
        let Some(address) = self.address else { return Ok(None) };
        let bound = match TcpListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && !self.firm => {
                let found = TcpListener::bind((address.ip(), 0));
                if let Some(found) = found.as_ref().ok().and_then(|it| it.local_addr().ok()) {
                    warn!(
                        %address, %found,
                        "The usual port for {what} is taken; took a free one. Set {setting} to choose."
                    );
                }
                found
            }
            bound => bound,
        };
        let what = format!(
            "cannot listen for {what} on {address}; is it taken? choose another with {setting}"
        );
        bound.or_unavailable(what).map(Some)
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == OFF {
            return Ok(Self::off());
        }
        let found = text.to_socket_addrs().ok().and_then(|mut found| found.next());
        found.map(Self::at).ok_or_else(|| {
            format!("`{text}` is neither `off` nor an address with a port, such as 127.0.0.1:8080")
        })
    }
}

/// Where the gateway came to listen; `None` is off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub(crate) http: Option<SocketAddr>,
    pub(crate) mqtt: Option<SocketAddr>,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) mqtts: Option<SocketAddr>,
}

impl fmt::Display for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (between, name, door) in [("", "http", self.http), (" ", "mqtt", self.mqtt)] {
            match door {
                Some(address) => write!(f, "{between}{name}={address}")?,
                None => write!(f, "{between}{name}={OFF}")?,
            }
        }
        for (name, door) in [("https", self.https), ("mqtts", self.mqtts)] {
            if let Some(address) = door {
                write!(f, " {name}={address}")?;
            }
        }
        Ok(())
    }
}

impl Doors {
    /// Warns of what can be heard on the LAN.
    pub(crate) fn warn_of_plain(&self) {
        for (address, setting) in [(self.http, "http.listen"), (self.mqtt, "mqtt.listen")] {
            if let Some(address) = address.filter(|it| !it.ip().is_loopback()) {
                warn!(
                    %address,
                    "{setting} is open to other machines without TLS: whoever listens on the way \
                     reads passwords. Bind it to 127.0.0.1 and use https and mqtts."
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_where_it_was_asked_for_and_else_another_is_found() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = Listen::at(address).bind("https", "https.listen").unwrap_err();
        let text = format!("{:#}", error.error());
        assert!(text.contains(&address.to_string()) && text.contains("https.listen"), "{text}");
        let found = Listen::near(address).bind("https", "https.listen").unwrap().unwrap();
        assert_ne!(found.local_addr().unwrap(), address);
        assert!(Listen::off().bind("https", "https.listen").unwrap().is_none());
    }

    #[test]
    fn the_ready_line_names_plain_doors_always_and_tls_where_it_is() {
        let at = |text: &str| Some(text.parse().unwrap());
        let doors =
            Doors { http: at("127.0.0.1:1"), mqtt: None, https: at("0.0.0.0:3"), mqtts: None };
        assert_eq!(doors.to_string(), "http=127.0.0.1:1 mqtt=off https=0.0.0.0:3");
    }

    #[test]
    fn off_and_addresses_are_read() {
        assert_eq!("off".parse(), Ok(Listen::off()));
        assert_eq!("127.0.0.1:1".parse(), Ok(Listen::at("127.0.0.1:1".parse().unwrap())));
        assert!("nowhere".parse::<Listen>().is_err());
    }
}
