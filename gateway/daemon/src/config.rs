//! The configuration of `miaopu serve`: one table of keys, from which the file is read, every fault
//! is named with its key, and `miaopu check --explain` is printed.

mod backend;
mod keep;
mod messages;
mod outside;

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use store::embedded::Policy;
use toml::{Table, Value};
use trust::Pages;

use crate::{lan::Https, listen::Listen};

pub(crate) use backend::Backend;
pub(crate) use messages::{Messages, load_for_demo};

/// What a running gateway needs to know, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Folder of the data.
    pub(crate) data: PathBuf,
    /// Where the dashboard and the HTTP interface listen without TLS.
    pub(crate) http: Listen,
    /// Where they listen with it, and what for.
    pub(crate) https: Https,
    /// Which broker the nodes speak to.
    pub(crate) broker: Broker,
    /// How messages leave the gateway.
    pub(crate) messages: Messages,
    /// What readings are held against.
    pub(crate) thresholds: quality::Table,
    /// How long readings are kept.
    pub(crate) keep: Policy,
    /// Where readings are kept.
    pub(crate) backend: Backend,
    /// What is logged, as a `tracing` filter.
    pub(crate) log: String,
    /// How it is written.
    pub(crate) log_format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

impl LogFormat {
    /// Returns the format of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The broker between nodes and gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broker {
    /// The gateway's own.
    Embedded {
        /// Where it listens without TLS.
        listen: Listen,
        /// Where it listens with it.
        tls: Listen,
    },
    /// One outside, such as Mosquitto.
    Outside(Outside),
}

/// A broker outside, and who the gateway is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outside {
    /// Its name or address; a name is looked up at every connection.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// Which protocol is spoken with it.
    pub(crate) protocol: ingest::Protocol,
    /// The files of TLS; `None` for none.
    pub(crate) tls: Option<ingest::TlsFiles>,
    /// The name of the gateway's session.
    pub(crate) client_id: String,
    /// The user of the gateway's own session.
    pub(crate) username: Option<String>,
    /// The file whose first line is the password.
    pub(crate) password_file: Option<PathBuf>,
}

impl Broker {
    /// Returns where it listens for TLS.
    pub(crate) fn tls(&self) -> Listen {
        match self {
            Self::Embedded { tls, .. } => *tls,
            Self::Outside(_) => Listen::off(),
        }
    }

    /// Returns whether nodes may reach it without TLS.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Embedded { listen, .. } => listen.address.is_some(),
            Self::Outside(outside) => outside.tls.is_none(),
        }
    }
}

/// One key of the file.
struct Key {
    path: &'static str,
    default: Option<&'static str>,
    doc: &'static str,
}

const KEYS: &[Key] = &[
    Key {
        path: "data",
        default: None,
        doc: "Folder of the data. Required. Created where it is absent; one gateway at a time uses it.",
    },
    Key {
        path: "http.listen",
        default: Some("127.0.0.1:8080"),
        doc: "Address and port of the dashboard and the HTTP interface without TLS, or `off`. Port 0\n\
              picks a free one. Leave it to this machine: over a network passwords can be read.",
    },
    Key {
        path: "https.listen",
        default: Some("0.0.0.0:8443"),
        doc: "Address and port of the same over TLS, or `off`. The certificate is of the gateway's own\n\
              authority (`tls` in the data folder), which phones trust once: docs/lan-https.md.\n\
              Where the key is absent and the port is taken, a free one is picked.",
    },
    Key {
        path: "https.names",
        default: None,
        doc: "Names and addresses that the gateway has beside this machine's own, separated by commas,\n\
              such as `gateway.farm.cn, 203.0.113.7`. Names outside a LAN must stand here when the\n\
              authority is made: it signs no others.",
    },
    Key {
        path: "https.certificate",
        default: None,
        doc: "PEM file of a certificate of your own to show to browsers, with those between it and its\n\
              root. Taken up anew when it changes. Only beside `https.key`.",
    },
    Key {
        path: "https.key",
        default: None,
        doc: "PEM file of its key. Only beside `https.certificate`.",
    },
    Key {
        path: "mqtt.listen",
        default: Some("127.0.0.1:1883"),
        doc: "Address and port of the gateway's own broker without TLS, or `off`. Not allowed beside\n\
              `mqtt.broker`.",
    },
    Key {
        path: "mqtt.broker",
        default: None,
        doc: "Name or address and port of an outside broker to use in place of the gateway's own, such as\n\
              `broker.farm.cn:8883`. Its access rules are its own: let each node reach only\n\
              `miaopu/1/SITE/NODE/#`, and the gateway all of `miaopu/1/#`: docs/delivery.md.",
    },
    Key {
        path: "mqtt.protocol",
        default: Some("5"),
        doc: "Which MQTT the gateway speaks with the outside broker: `5` or `3.1.1`. Nodes need not speak\n\
              the same. Only beside `mqtt.broker`.",
    },
    Key {
        path: "mqtt.security",
        default: None,
        doc: "`tls` or `plain`. `tls` where absent and one of the files of `mqtt.tls` is given, else\n\
              `plain`, which whoever listens on the way can read. Only beside `mqtt.broker`.",
    },
    Key {
        path: "mqtt.client_id",
        default: Some(ingest::CLIENT_ID),
        doc: "The name of the gateway's session at the outside broker, another one for each gateway there.\n\
              The broker keeps the session by it. Only beside `mqtt.broker`.",
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
        path: "mqtt.tls.listen",
        default: Some("0.0.0.0:8883"),
        doc: "Address and port of the gateway's own broker over TLS, or `off`. Nodes trust the\n\
              gateway's authority and ask for the name `miaopu.internal`. Where the key is absent and\n\
              the port is taken, a free one is picked. Not allowed beside `mqtt.broker`.",
    },
    Key {
        path: "mqtt.tls.ca_file",
        default: None,
        doc: "PEM file of the authorities that may have signed the outside broker's certificate; those\n\
              that this machine believes where absent. Only beside `mqtt.broker`.",
    },
    Key {
        path: "mqtt.tls.certificate",
        default: None,
        doc: "PEM file of the gateway's certificate for an outside broker that asks for one, with those\n\
              between it and its root. Only beside `mqtt.tls.key`.",
    },
    Key {
        path: "mqtt.tls.key",
        default: None,
        doc: "PEM file of its key. Only beside `mqtt.tls.certificate`.",
    },
    Key {
        path: "notify.public_url",
        default: None,
        doc: "Where the links of messages lead: the dashboard as phones reach it, such as\n\
              `https://192.168.1.5:8443`. The gateway's own address where absent.",
    },
    Key {
        path: "notify.email.server",
        default: None,
        doc: "Host and port of the server that takes e-mail, such as `smtp.example.com:587`. Without it\n\
              alarms are not told by e-mail.",
    },
    Key {
        path: "notify.email.security",
        default: Some("starttls"),
        doc: "`starttls` (port 587), `tls` (port 465), `plain` for a server on this machine, or\n\
              `plain-anywhere`: passwords and links can then be read on the way.",
    },
    Key {
        path: "notify.email.from",
        default: None,
        doc: "The address that messages come from. Required beside `notify.email.server`.",
    },
    Key {
        path: "notify.email.username",
        default: None,
        doc: "User at that server. Only beside `notify.email.password_file`.",
    },
    Key {
        path: "notify.email.password_file",
        default: None,
        doc: "File whose first line is the password of that user.",
    },
    Key {
        path: "notify.email.ca_file",
        default: None,
        doc: "PEM file of an authority that the server's certificate may be of, beside those that this\n\
              machine believes.",
    },
    Key {
        path: "notify.webhook.url",
        default: None,
        doc: "Address that is told of alarms by signed requests (www.standardwebhooks.com), such as\n\
              `https://alarms.example.com/miaopu`. `http://` is read and not changed on the way.",
    },
    Key {
        path: "notify.webhook.secret_file",
        default: None,
        doc: "File whose first line is the key of the signature: `whsec_` and base64 of 24 to 64 bytes.\n\
              Required beside `notify.webhook.url`.",
    },
    Key {
        path: "notify.webhook.ca_file",
        default: None,
        doc: "PEM file of an authority that the receiver's certificate may be of, beside those that this\n\
              machine believes.",
    },
    Key {
        path: "quality.limits",
        default: None,
        doc: "File of thresholds that readings are held against in place of those that ship, for a\n\
              quantity, a node or one channel: docs/quality.md. A flag never changes a reading.",
    },
    Key {
        path: "store.keep_raw",
        default: Some("forever"),
        doc: "How long readings are kept as they were taken, such as `2y`, `12w` or `90d`, by whole UTC\n\
              days. Then roll-ups of ten minutes and of hours stand for them: least, mean, greatest,\n\
              count and worst quality. Hours, and days made of them, are kept for good.",
    },
    Key {
        path: "store.keep_ten_minutes",
        default: Some("forever"),
        doc: "How long roll-ups of ten minutes are kept; at least as long as readings.",
    },
    Key {
        path: "store.keep_raw_of",
        default: None,
        doc: "Quantities whose readings are kept for another time, such as `co2 = 1y, ppfd = 90d`.",
    },
    Key {
        path: "store.kind",
        default: Some("embedded"),
        doc: "Where readings are kept: `embedded`, in a file among the data, or `influx`, in an\n\
              InfluxDB 2 (docs/influxdb.md). `miaopu store copy` moves them.",
    },
    Key {
        path: "store.url",
        default: None,
        doc: "Address of the InfluxDB, without a path, such as `http://127.0.0.1:8086`. This and the\n\
              next three are required beside `store.kind = \"influx\"`.",
    },
    Key { path: "store.org", default: None, doc: "Its organization." },
    Key { path: "store.bucket", default: None, doc: "Its bucket, for this gateway alone." },
    Key {
        path: "store.token_file",
        default: None,
        doc: "File whose first line is a token that may read and write the bucket.",
    },
    Key {
        path: "log.filter",
        default: Some("info"),
        doc: "What is logged: error, warn, info, debug or trace, or a filter by room such as\n\
              `info,ingest=debug`.",
    },
    Key {
        path: "log.format",
        default: Some("text"),
        doc: "How lines are written: `text` for people, or `json`, one object a line with time, level,\n\
              target and fields, for programs.",
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
    parse(&read(path)?)
}

fn read(path: &Path) -> Result<String, Vec<Fault>> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read `{}`: {error}", path.display());
        vec![Fault { key: String::new(), message }]
    })
}

fn table(text: &str) -> Result<Table, Vec<Fault>> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        vec![Fault { key: String::new(), message: format!("not TOML: {error}").trim().to_owned() }]
    })
}

/// Checks the text of a configuration file.
///
/// # Errors
/// Every fault that it has, in the order of the keys.
pub(crate) fn parse(text: &str) -> Result<Config, Vec<Fault>> {
    let table = table(text)?;
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
    for key in KEYS {
        let (of, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
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
        let (http, https) = (self.listen("http.listen"), self.https());
        let broker = self.broker();
        let messages = self.messages();
        let backend = self.backend();
        let thresholds = self.thresholds();
        let keep = self.keep();
        let log = self.log();
        let log_format = self.log_format();
        Some(Config {
            data: data?,
            http: http?,
            https: https?,
            broker: broker?,
            messages,
            backend: backend?,
            thresholds: thresholds?,
            keep: keep?,
            log: log?,
            log_format: log_format?,
        })
    }

    fn https(&mut self) -> Option<Https> {
        let listen = self.listen("https.listen");
        let names = self.text("https.names").unwrap_or_default();
        let names: Vec<String> = names
            .split(',')
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect();
        let pages = match (self.file("https.certificate"), self.file("https.key")) {
            (Some(certificate), Some(key)) => Some(Pages { certificate, key }),
            (Some(_), None) => {
                self.fault("https.certificate", "needs `https.key` beside it");
                None
            }
            (None, Some(_)) => {
                self.fault("https.key", "needs `https.certificate` beside it");
                None
            }
            (None, None) => None,
        };
        Some(Https { listen: listen?, names, pages })
    }

    /// Reads a listener. Only what the file asks for must be had as it stands there; a usual port
    /// for TLS that is taken is replaced by a free one.
    fn listen(&mut self, path: &'static str) -> Option<Listen> {
        let text = self.text_or_default(path)?;
        let is_asked_for =
            self.value(path).is_some() || !path.contains("tls") && path != "https.listen";
        match text.parse::<Listen>() {
            Ok(listen) => Some(Listen { firm: is_asked_for, ..listen }),
            Err(message) => {
                self.fault(path, message);
                None
            }
        }
    }

    /// Reads what ships, and what the file of the nursery sets instead.
    fn thresholds(&mut self) -> Option<quality::Table> {
        let path = "quality.limits";
        let read = match self.text(path) {
            None => seeds::thresholds().map(|(table, _)| table),
            Some(file) => match std::fs::read_to_string(&file) {
                Ok(text) => seeds::thresholds_with(&file, &text),
                Err(error) => {
                    self.fault(path, format!("`{file}` can't be read: {error}"));
                    return None;
                }
            },
        };
        match read {
            Ok(table) => Some(table),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let cause = cause.map(|cause| format!(": {}", cause.trim())).unwrap_or_default();
                self.fault(path, format!("{error}{cause}"));
                None
            }
        }
    }

    /// Reads the path of a file, which must be there.
    fn file(&mut self, path: &'static str) -> Option<PathBuf> {
        let file = PathBuf::from(self.text(path)?);
        if !file.is_file() {
            self.fault(path, format!("`{}` is no file that can be read", file.display()));
        }
        Some(file)
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

    fn log_format(&mut self) -> Option<LogFormat> {
        let name = self.text_or_default("log.format")?;
        let format = LogFormat::named(&name);
        if format.is_none() {
            self.fault("log.format", format!("`{name}` is neither `text` nor `json`"));
        }
        format
    }

    fn required(&mut self, path: &'static str) -> Option<String> {
        let text = self.text(path);
        if self.value(path).is_none() {
            self.fault(path, "is required; `miaopu check --explain` shows an example");
        }
        text
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
        let (sections, name) = path.rsplit_once('.').unwrap_or(("", path));
        let sections = sections.split('.').filter(|section| !section.is_empty());
        let table = sections
            .into_iter()
            .try_fold(self.table, |table, section| table.get(section).and_then(Value::as_table));
        table?.get(name)
    }

    fn name_unknown_keys(&mut self) {
        let sections: BTreeSet<&str> = KEYS.iter().flat_map(|key| sections_of(key.path)).collect();
        let mut found = Vec::new();
        list_keys(self.table, "", &sections, &mut found);
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

/// Returns the sections that a key stands in: `a` and `a.b` for `a.b.c`.
fn sections_of(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.match_indices('.').filter_map(|(at, _)| path.get(..at))
}

/// Lists the paths of all keys in the file; what is no known section counts as a key.
fn list_keys(table: &Table, of: &str, sections: &BTreeSet<&str>, found: &mut Vec<String>) {
    for (name, value) in table {
        let path = if of.is_empty() { name.clone() } else { format!("{of}.{name}") };
        match value {
            Value::Table(table) if sections.contains(path.as_str()) => {
                list_keys(table, &path, sections, found);
            }
            _ => found.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    pub(super) fn faulty_keys(text: &str, expect: &[&str]) {
        let faults = parse(text).expect_err("the configuration is faulty");
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, expect, "{faults:?}");
    }

    #[test]
    fn the_data_folder_alone_is_enough() {
        let config = parse("data = \"d\"").unwrap();
        let address = |text: &str| text.parse().unwrap();
        assert_eq!(config.http, Listen::at(address("127.0.0.1:8080")));
        assert_eq!(config.https.listen, Listen::near(address("0.0.0.0:8443")));
        assert_eq!(
            config.broker,
            Broker::Embedded {
                listen: Listen::at(address("127.0.0.1:1883")),
                tls: Listen::near(address("0.0.0.0:8883")),
            }
        );
    }

    #[test]
    fn listeners_are_moved_and_switched_off() {
        let config = parse(
            "data = \"d\"\n[http]\nlisten = \"off\"\n[https]\nlisten = \"127.0.0.1:1\"\n\
             names = \"a.lan, 10.0.0.1,\"\n[mqtt]\nlisten = \"0.0.0.0:2\"\n[mqtt.tls]\nlisten = \"off\"",
        );
        let config = config.unwrap();
        assert_eq!(config.http, Listen::off());
        assert_eq!(config.https.listen, Listen::at("127.0.0.1:1".parse().unwrap()));
        assert_eq!(config.https.names, ["a.lan", "10.0.0.1"]);
        let listen = Listen::at("0.0.0.0:2".parse().unwrap());
        assert_eq!(config.broker, Broker::Embedded { listen, tls: Listen::off() });
    }

    #[test]
    fn faults_of_tls_are_named_with_their_keys() {
        faulty_keys(
            "data = \"d\"\n[https]\nlisten = \"on\"\ncertificate = \"/nowhere.pem\"\n[mqtt.tls]\nport = 1",
            &["mqtt.tls.port", "https.listen", "https.certificate", "https.certificate"],
        );
        faulty_keys(
            "data = \"d\"\n[mqtt]\nbroker = \"127.0.0.1:1\"\n[mqtt.tls]\nlisten = \"127.0.0.1:0\"",
            &["mqtt.tls.listen"],
        );
        faulty_keys("data = \"d\"\n[mqtt]\ntls = 3", &["mqtt.tls"]);
    }

    #[test]
    fn every_fault_is_named_with_its_key() {
        faulty_keys(
            "dta = \"d\"\n[http]\nlisten = \"nowhere\"\nport = 1\n[mqtt]\nusername = \"u\"\n[log]\nfilter = 3",
            &["dta", "http.port", "data", "http.listen", "mqtt.username", "log.filter"],
        );
    }

    #[test]
    fn thresholds_of_the_nursery_go_before_those_that_ship() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("limits.toml");
        let config = format!("data = \"d\"\n[quality]\nlimits = \"{}\"", file.display());
        faulty_keys(&config, &["quality.limits"]);
        std::fs::write(&file, "[[limits]]\nquantity = \"co2\"\nrate = true").unwrap();
        faulty_keys(&config, &["quality.limits"]);
        std::fs::write(&file, "[[limits]]\nquantity = \"co2\"\nrate = false").unwrap();
        let (own, shipped) = (parse(&config).unwrap(), parse("data = \"d\"").unwrap());
        assert_eq!(own.thresholds.rows().len(), shipped.thresholds.rows().len() + 1);
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
