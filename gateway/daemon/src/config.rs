//! The configuration of `miaopu serve`: one table of keys, from which the file is read, every fault
//! is named with its key, and `miaopu check --explain` is printed.

use std::{
    collections::BTreeSet,
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
};

use toml::{Table, Value};

/// What a running gateway needs to know, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Folder of the data.
    pub(crate) data: PathBuf,
    /// Where the dashboard and the HTTP interface listen.
    pub(crate) http: SocketAddr,
    /// Which broker the nodes speak to.
    pub(crate) broker: Broker,
    /// What is logged, as a `tracing` filter.
    pub(crate) log: String,
}

/// The broker between nodes and gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broker {
    /// The gateway's own.
    Embedded {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// One outside, such as Mosquitto.
    Outside {
        /// Its address.
        address: SocketAddr,
        /// The user of the gateway's own session.
        username: Option<String>,
        /// The file whose first line is the password.
        password_file: Option<PathBuf>,
    },
}

/// One key of the file.
struct Key {
    path: &'static str,
    default: Option<&'static str>,
    doc: &'static str,
}

const KEYS: [Key; 7] = [
    Key {
        path: "data",
        default: None,
        doc: "Folder of the data. Required. Created where it is absent; one gateway at a time uses it.",
    },
    Key {
        path: "http.listen",
        default: Some("127.0.0.1:8080"),
        doc: "Address and port of the dashboard and the HTTP interface. Port 0 picks a free one.",
    },
    Key {
        path: "mqtt.listen",
        default: Some("127.0.0.1:1883"),
        doc: "Address and port of the gateway's own broker. Not allowed beside `mqtt.broker`.",
    },
    Key {
        path: "mqtt.broker",
        default: None,
        doc: "Address and port of an outside broker (MQTT 5) to use in place of the gateway's own.\n\
              Its access rules are its own: let each node reach only `miaopu/1/SITE/NODE/#`.",
    },
    Key {
        path: "mqtt.username",
        default: None,
        doc: "User of the gateway at the outside broker. Only beside `mqtt.broker`.",
    },
    Key {
        path: "mqtt.password_file",
        default: None,
        doc: "File whose first line is the password of that user. Only beside `mqtt.username`.",
    },
    Key {
        path: "log.filter",
        default: Some("info"),
        doc: "What is logged: error, warn, info, debug or trace, or a filter by room such as\n\
              `info,ingest=debug`.",
    },
];

/// One fault of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The key at fault; empty where the file as a whole can't be read.
    pub(crate) key: String,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.key, self.message)
        }
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// Every fault that it has, in the order of the keys.
pub(crate) fn load(path: &Path) -> Result<Config, Vec<Fault>> {
    let whole = |message| vec![Fault { key: String::new(), message }];
    let text = std::fs::read_to_string(path)
        .map_err(|error| whole(format!("cannot read `{}`: {error}", path.display())))?;
    parse(&text)
}

/// Checks the text of a configuration file.
///
/// # Errors
/// Every fault that it has, in the order of the keys.
pub(crate) fn parse(text: &str) -> Result<Config, Vec<Fault>> {
    let table: Table = toml::from_str(text).map_err(|error: toml::de::Error| {
        vec![Fault { key: String::new(), message: format!("not TOML: {error}").trim().to_owned() }]
    })?;
    let mut reader = Reader { table: &table, faults: Vec::new() };
    reader.name_unknown_keys();
    let config = reader.config();
    if reader.faults.is_empty() { config.ok_or_else(Vec::new) } else { Err(reader.faults) }
}

/// Writes a configuration with every key, its default and what it means.
pub(crate) fn explain() -> String {
    let mut out = String::from(
        "# Configuration of `miaopu serve --config FILE`. Lines with `# key =` show the default.\n",
    );
    let mut section = "";
    for key in &KEYS {
        let (of, name) = key.path.split_once('.').unwrap_or(("", key.path));
        if of != section {
            section = of;
            out.push_str(&format!("\n[{of}]\n"));
        }
        for line in key.doc.lines() {
            out.push_str(&format!("# {line}\n"));
        }
        match key.default {
            Some(default) => out.push_str(&format!("# {name} = \"{default}\"\n")),
            None if name == "data" => out.push_str("data = \"/var/lib/miaopu\"\n"),
            None => out.push_str(&format!("# {name} = \"…\"\n")),
        }
    }
    out
}

struct Reader<'a> {
    table: &'a Table,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn config(&mut self) -> Option<Config> {
        let data = self.required("data").map(PathBuf::from);
        let http = self.address("http.listen");
        let broker = self.broker();
        let log = self.log();
        Some(Config { data: data?, http: http?, broker: broker?, log: log? })
    }

    fn broker(&mut self) -> Option<Broker> {
        if self.text("mqtt.broker").is_none() {
            for key in ["mqtt.username", "mqtt.password_file"] {
                if self.text(key).is_some() {
                    self.fault(key, "goes with an outside broker: set `mqtt.broker`, or remove it");
                }
            }
            return self.address("mqtt.listen").map(|listen| Broker::Embedded { listen });
        }
        if self.text("mqtt.listen").is_some() {
            self.fault("mqtt.listen", "stands beside `mqtt.broker`: remove one of the two");
        }
        let username = self.text("mqtt.username");
        let password_file = self.text("mqtt.password_file").map(PathBuf::from);
        if password_file.is_some() && username.is_none() {
            self.fault("mqtt.password_file", "needs `mqtt.username` beside it");
        }
        if let Some(file) = password_file.as_deref().filter(|file| !file.is_file()) {
            let message = format!("`{}` is no file that can be read", file.display());
            self.fault("mqtt.password_file", message);
        }
        let address = self.address("mqtt.broker")?;
        Some(Broker::Outside { address, username, password_file })
    }

    fn log(&mut self) -> Option<String> {
        let filter = self.text_or_default("log.filter")?;
        match filter.parse::<tracing_subscriber::EnvFilter>() {
            Ok(_) => Some(filter),
            Err(error) => {
                self.fault("log.filter", format!("`{filter}` is no log filter: {error}"));
                None
            }
        }
    }

    fn required(&mut self, path: &'static str) -> Option<String> {
        let text = self.text(path);
        if self.value(path).is_none() {
            self.fault(path, "is required; `miaopu check --explain` shows an example");
        }
        text
    }

    fn address(&mut self, path: &'static str) -> Option<SocketAddr> {
        let text = self.text_or_default(path)?;
        match text.to_socket_addrs().map(|mut found| found.next()) {
            Ok(Some(address)) => Some(address),
            Ok(None) | Err(_) => {
                let message = format!("`{text}` is no address with a port, such as 127.0.0.1:8080");
                self.fault(path, message);
                None
            }
        }
    }

    fn text_or_default(&mut self, path: &'static str) -> Option<String> {
        match self.value(path) {
            Some(_) => self.text(path),
            None => KEYS.iter().find(|key| key.path == path)?.default.map(str::to_owned),
        }
    }

    fn text(&mut self, path: &'static str) -> Option<String> {
        match self.value(path)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::String(_) => {
                self.fault(path, "is empty");
                None
            }
            other => {
                let message = format!("`{other}` is no text; put it in quotes");
                self.fault(path, message);
                None
            }
        }
    }

    fn value(&self, path: &str) -> Option<&Value> {
        match path.split_once('.') {
            None => self.table.get(path),
            Some((section, name)) => self.table.get(section)?.as_table()?.get(name),
        }
    }

    fn name_unknown_keys(&mut self) {
        let sections: BTreeSet<&str> =
            KEYS.iter().filter_map(|key| Some(key.path.split_once('.')?.0)).collect();
        let mut found = Vec::new();
        for (name, value) in self.table {
            match value {
                Value::Table(table) if sections.contains(name.as_str()) => {
                    found.extend(table.keys().map(|key| format!("{name}.{key}")));
                }
                _ => found.push(name.clone()),
            }
        }
        for path in found {
            if KEYS.iter().all(|key| key.path != path) {
                let known: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
                let message = format!("unknown key; known are {}", known.join(", "));
                self.faults.push(Fault { key: path, message });
            }
        }
    }

    fn fault(&mut self, key: &str, message: impl Into<String>) {
        let fault = Fault { key: key.to_owned(), message: message.into() };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn faulty_keys(text: &str, expect: &[&str]) {
        let faults = parse(text).expect_err("the configuration is faulty");
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, expect, "{faults:?}");
    }

    #[test]
    fn the_data_folder_alone_is_enough() {
        let config = parse("data = \"d\"").unwrap();
        assert_eq!(config.http.port(), 8080);
        assert!(matches!(config.broker, Broker::Embedded { listen } if listen.port() == 1883));
    }

    #[test]
    fn every_fault_is_named_with_its_key() {
        faulty_keys(
            "dta = \"d\"\n[http]\nlisten = \"nowhere\"\nport = 1\n[mqtt]\nusername = \"u\"\n[log]\nfilter = 3",
            &["dta", "http.port", "data", "http.listen", "mqtt.username", "log.filter"],
        );
    }

    #[test]
    fn two_brokers_are_one_too_many() {
        faulty_keys(
            "data = \"d\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\nbroker = \"127.0.0.1:1883\"",
            &["mqtt.listen"],
        );
    }

    #[test]
    fn a_section_that_is_no_section_is_a_fault() {
        faulty_keys("data = \"d\"\nhttp = 3", &["http"]);
    }

    #[test]
    fn what_explain_prints_is_a_configuration() {
        let config = parse(&explain()).unwrap();
        assert_eq!(config.data, Path::new("/var/lib/miaopu"));
    }
}
