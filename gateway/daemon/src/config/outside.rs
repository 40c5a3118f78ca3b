//! The keys of `[mqtt]`: the gateway's own broker, or one outside and how it is reached.

use std::net::Ipv6Addr;

use super::{Broker, Outside, Reader};

/// Keys that only make sense beside `mqtt.broker`.
const OF_OUTSIDE: [&str; 8] = [
    "mqtt.username",
    "mqtt.password_file",
    "mqtt.protocol",
    "mqtt.security",
    "mqtt.client_id",
    "mqtt.tls.ca_file",
    "mqtt.tls.certificate",
    "mqtt.tls.key",
];
/// The longest client id: what every broker of MQTT 3.1.1 and 5 must take is 23 bytes, and those in use
/// take far more.
const CLIENT_ID_BYTES_MAX: usize = 128;

impl Reader<'_> {
    pub(super) fn broker(&mut self) -> Option<Broker> {
        if self.text("mqtt.broker").is_none() {
            for key in OF_OUTSIDE {
                if self.text(key).is_some() {
                    self.fault(key, "goes with an outside broker: set `mqtt.broker`, or remove it");
                }
            }
            let (listen, tls) = (self.listen("mqtt.listen"), self.listen("mqtt.tls.listen"));
            return Some(Broker::Embedded { listen: listen?, tls: tls? });
        }
        for key in ["mqtt.listen", "mqtt.tls.listen"] {
            if self.text(key).is_some() {
                self.fault(key, "stands beside `mqtt.broker`: remove one of the two");
            }
        }
        let username = self.text("mqtt.username");
        let password_file = self.file("mqtt.password_file");
        if password_file.is_some() && username.is_none() {
            self.fault("mqtt.password_file", "needs `mqtt.username` beside it");
        }
        let (protocol, client_id) = (self.protocol(), self.client_id());
        let tls = self.outside_tls();
        let (host, port) = self.host_and_port("mqtt.broker")?;
        if tls.is_some() && host.starts_with('[') {
            let message = format!("`{host}` can't be proven over TLS; give the broker's name");
            self.fault("mqtt.broker", message);
        }
        Some(Broker::Outside(Outside {
            host,
            port,
            protocol: protocol?,
            tls,
            client_id: client_id?,
            username,
            password_file,
        }))
    }

    fn protocol(&mut self) -> Option<ingest::Protocol> {
        let name = self.text_or_default("mqtt.protocol")?;
        match name.as_str() {
            "5" => Some(ingest::Protocol::V5),
            "3.1.1" => Some(ingest::Protocol::V311),
            _ => {
                self.fault("mqtt.protocol", format!("`{name}` is neither `5` nor `3.1.1`"));
                None
            }
        }
    }

    fn client_id(&mut self) -> Option<String> {
        let id = self.text_or_default("mqtt.client_id")?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if id.len() > CLIENT_ID_BYTES_MAX || !id.bytes().all(is_plain) {
            let message = format!(
                "`{id}` is no client id of at most {CLIENT_ID_BYTES_MAX} letters, digits, `-`, `_` and `.`"
            );
            self.fault("mqtt.client_id", message);
            return None;
        }
        Some(id)
    }

    fn outside_tls(&mut self) -> Option<ingest::TlsFiles> {
        let ca = self.file("mqtt.tls.ca_file");
        let identity = match (self.file("mqtt.tls.certificate"), self.file("mqtt.tls.key")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) => {
                self.fault("mqtt.tls.certificate", "needs `mqtt.tls.key` beside it");
                None
            }
            (None, Some(_)) => {
                self.fault("mqtt.tls.key", "needs `mqtt.tls.certificate` beside it");
                None
            }
            (None, None) => None,
        };
        let has_files = ca.is_some() || identity.is_some();
        let is_tls = match self.text("mqtt.security").as_deref() {
            None => has_files,
            Some("tls") => true,
            Some("plain") => {
                if has_files {
                    self.fault(
                        "mqtt.security",
                        "is `plain` beside files of `mqtt.tls`: remove one",
                    );
                }
                false
            }
            Some(other) => {
                self.fault("mqtt.security", format!("`{other}` is neither `tls` nor `plain`"));
                false
            }
        };
        is_tls.then_some(ingest::TlsFiles { ca, identity })
    }

    /// Reads a name or an address and a port; an address of IPv6 keeps its brackets.
    fn host_and_port(&mut self, path: &'static str) -> Option<(String, u16)> {
        let text = self.text(path)?;
        let is_name = |host: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !host.is_empty() && host.len() <= 253 && host.bytes().all(is_plain)
        };
        let is_ipv6 = |host: &str| {
            let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            inside.is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok())
        };
        let found = text.rsplit_once(':').and_then(|(host, port)| {
            let port: u16 = port.parse().ok().filter(|&port| port != 0)?;
            (is_name(host) || is_ipv6(host)).then(|| (host.to_owned(), port))
        });
        if found.is_none() {
            let message =
                format!("`{text}` is no name or address with a port, such as broker.farm.cn:8883");
            self.fault(path, message);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Broker, parse};
    use ingest::{Protocol, TlsFiles};

    fn outside(keys: &str) -> super::Outside {
        match parse(&format!("data = \"d\"\n[mqtt]\n{keys}")).unwrap().broker {
            Broker::Outside(outside) => outside,
            Broker::Embedded { .. } => panic!("a broker of its own"),
        }
    }

    #[track_caller]
    fn check_fault(keys: &str, key: &str, words: &str) {
        let faults = parse(&format!("data = \"d\"\n[mqtt]\n{keys}")).expect_err("it is faulty");
        let found = faults.iter().any(|fault| fault.key == key && fault.message.contains(words));
        assert!(found, "{faults:?}");
    }

    #[test]
    fn a_broker_outside_is_reached_by_name_and_over_tls_with_the_machines_authorities() {
        let found = outside("broker = \"broker.farm.cn:8883\"\nsecurity = \"tls\"");
        assert_eq!((found.host.as_str(), found.port), ("broker.farm.cn", 8883));
        assert_eq!(found.tls, Some(TlsFiles::default()));
        assert_eq!((found.protocol, found.client_id.as_str()), (Protocol::V5, ingest::CLIENT_ID));
        let found = outside("broker = \"[::1]:1883\"\nprotocol = \"3.1.1\"\nclient_id = \"east\"");
        assert_eq!((found.host.as_str(), found.protocol), ("[::1]", Protocol::V311));
        assert_eq!((found.tls, found.client_id.as_str()), (None, "east"));
    }

    #[test]
    fn a_file_of_an_authority_is_enough_to_ask_for_tls() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path();
        let found = outside(&format!("broker = \"b:1\"\ntls = {{ ca_file = {path:?} }}"));
        assert_eq!(found.tls, Some(TlsFiles { ca: Some(path.to_owned()), identity: None }));
    }

    #[test]
    fn faults_of_an_outside_broker_are_named_with_their_keys() {
        let beside = "broker = \"b:1\"\n";
        check_fault("broker = \"b\"", "mqtt.broker", "`b` is no name or address with a port");
        check_fault("broker = \"b:0\"", "mqtt.broker", "`b:0`");
        check_fault("broker = \"::1:1883\"", "mqtt.broker", "`::1:1883`");
        check_fault("broker = \"mqtt://b:1\"", "mqtt.broker", "`mqtt://b:1`");
        check_fault(
            "broker = \"[::1]:1\"\nsecurity = \"tls\"",
            "mqtt.broker",
            "give the broker's name",
        );
        check_fault(&format!("{beside}protocol = \"4\""), "mqtt.protocol", "`4`");
        check_fault(&format!("{beside}protocol = 5"), "mqtt.protocol", "no text");
        check_fault(&format!("{beside}security = \"ssl\""), "mqtt.security", "`ssl`");
        check_fault(&format!("{beside}client_id = \"a b\""), "mqtt.client_id", "`a b`");
        let tls = |key: &str| format!("{beside}tls = {{ {key} = \"/nowhere\" }}");
        check_fault(&tls("ca_file"), "mqtt.tls.ca_file", "`/nowhere`");
        check_fault(&tls("key"), "mqtt.tls.key", "needs `mqtt.tls.certificate`");
        check_fault(&tls("certificate"), "mqtt.tls.certificate", "needs `mqtt.tls.key`");
        check_fault(
            &format!("security = \"plain\"\n{}", tls("ca_file")),
            "mqtt.security",
            "remove one",
        );
        check_fault("protocol = \"5\"", "mqtt.protocol", "goes with an outside broker");
        check_fault("tls = { ca_file = \"/nowhere\" }", "mqtt.tls.ca_file", "goes with an outside");
    }
}
