//! The keys of messages: where links lead, e-mail, the webhook.

use std::{net::IpAddr, path::Path};

use notify::{EmailSettings, Secret, Security, SigningKey, WebhookSettings};
use people::EmailAddress;

use super::{Fault, KEYS, Reader, table};

/// How messages leave the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Messages {
    /// Where the links of messages lead; where the gateway is reached, where absent.
    pub(crate) public_url: Option<String>,
    /// E-mail, where it is configured.
    pub(crate) email: Option<EmailSettings>,
    /// The webhook, where it is configured.
    pub(crate) webhook: Option<WebhookSettings>,
}

/// Reads the keys of a configuration that the options of `miaopu demo` do not cover.
///
/// # Errors
/// Every fault that it has; a key that an option covers is one.
pub(crate) fn load_for_demo(path: &Path) -> Result<Messages, Vec<Fault>> {
    let text = super::read(path)?;
    let table = table(&text)?;
    let mut reader = Reader { table: &table, faults: Vec::new() };
    reader.name_unknown_keys();
    for key in KEYS.iter().filter(|key| !key.path.starts_with("notify.")) {
        if reader.value(key.path).is_some() {
            reader.fault(
                key.path,
                "is no key of a demonstration: `miaopu demo --help` has an option",
            );
        }
    }
    let messages = reader.messages();
    if reader.faults.is_empty() { Ok(messages) } else { Err(reader.faults) }
}

impl Reader<'_> {
    pub(super) fn messages(&mut self) -> Messages {
        Messages { public_url: self.public_url(), email: self.email(), webhook: self.webhook() }
    }

    fn public_url(&mut self) -> Option<String> {
        let text = self.text("notify.public_url")?;
        let url = text.trim_end_matches('/');
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_url = |rest: &str| {
            !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || "#?@".contains(c))
        };
        if rest.is_some_and(is_url) {
            return Some(url.to_owned());
        }
        let message = format!("`{text}` is no address such as https://miaopu.example.com");
        self.fault("notify.public_url", message);
        None
    }

    fn email(&mut self) -> Option<EmailSettings> {
        const OTHERS: [&str; 5] = [
            "notify.email.security",
            "notify.email.from",
            "notify.email.username",
            "notify.email.password_file",
            "notify.email.ca_file",
        ];
        if self.value("notify.email.server").is_none() {
            for key in OTHERS {
                if self.value(key).is_some() {
                    self.fault(key, "needs `notify.email.server` beside it");
                }
            }
            return None;
        }
        let server = self.text("notify.email.server").and_then(|text| self.server(&text));
        let security = self.security(server.as_ref().map(|(host, _)| host.as_str()));
        let from = self.from();
        let login = self.login();
        let ca_pem = self.bytes("notify.email.ca_file");
        let (host, port) = server?;
        let (security, from) = (security?, from?);
        let settings = EmailSettings { host, port, security, from, login, ca_pem };
        if let Err(error) = notify::Email::new(&settings) {
            self.fault("notify.email.ca_file", error.to_string());
        }
        Some(settings)
    }

    fn server(&mut self, text: &str) -> Option<(String, u16)> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| {
            let host = host.trim_matches(['[', ']']);
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty() && !host.contains(char::is_whitespace))
                .then(|| (host.to_owned(), port))
        });
        if parts.is_none() {
            let message = format!("`{text}` is no host with a port, such as smtp.example.com:587");
            self.fault("notify.email.server", message);
        }
        parts
    }

    fn security(&mut self, host: Option<&str>) -> Option<Security> {
        let key = "notify.email.security";
        let text = self.text_or_default(key)?;
        match text.as_str() {
            "starttls" => Some(Security::Starttls),
            "tls" => Some(Security::Tls),
            "plain-anywhere" => Some(Security::Plain),
            "plain" => {
                if host.is_some_and(|host| !is_this_machine(host)) {
                    self.fault(
                        key,
                        "`plain` is for a server on this machine: over a network, passwords and \
                         links could be read. Use `starttls` or `tls`; `plain-anywhere` if you must",
                    );
                }
                Some(Security::Plain)
            }
            other => {
                let message =
                    format!("`{other}` is none of starttls, tls, plain and plain-anywhere");
                self.fault(key, message);
                None
            }
        }
    }

    fn from(&mut self) -> Option<EmailAddress> {
        let key = "notify.email.from";
        let text = self.required(key)?;
        match EmailAddress::new(&text) {
            Ok(address) => Some(address),
            Err(error) => {
                self.fault(key, error.to_string());
                None
            }
        }
    }

    fn login(&mut self) -> Option<(String, Secret)> {
        let username = self.text("notify.email.username");
        let password = self.first_line("notify.email.password_file");
        match (username, password) {
            (Some(username), Some(password)) => Some((username, Secret::new(password))),
            (Some(_), None) if self.value("notify.email.password_file").is_none() => {
                self.fault("notify.email.username", "needs `notify.email.password_file` beside it");
                None
            }
            (None, Some(_)) => {
                self.fault("notify.email.password_file", "needs `notify.email.username` beside it");
                None
            }
            _ => None,
        }
    }

    fn webhook(&mut self) -> Option<WebhookSettings> {
        if self.value("notify.webhook.url").is_none() {
            for key in ["notify.webhook.secret_file", "notify.webhook.ca_file"] {
                if self.value(key).is_some() {
                    self.fault(key, "needs `notify.webhook.url` beside it");
                }
            }
            return None;
        }
        let url = self.text("notify.webhook.url");
        if self.value("notify.webhook.secret_file").is_none() {
            self.fault("notify.webhook.secret_file", "is required beside `notify.webhook.url`");
        }
        let secret = self.first_line("notify.webhook.secret_file");
        let key = secret.and_then(|text| match SigningKey::new(&text) {
            Ok(key) => Some(key),
            Err(error) => {
                self.fault("notify.webhook.secret_file", error.to_string());
                None
            }
        });
        let ca_pem = self.bytes("notify.webhook.ca_file");
        let settings = WebhookSettings { url: url?, key: key?, ca_pem };
        match notify::Webhook::new(&settings) {
            Ok(_) => Some(settings),
            Err(error @ notify::WebhookError::Url(_)) => {
                self.fault("notify.webhook.url", error.to_string());
                None
            }
            Err(error) => {
                self.fault("notify.webhook.ca_file", error.to_string());
                None
            }
        }
    }

    fn first_line(&mut self, key: &'static str) -> Option<String> {
        let text = String::from_utf8(self.bytes(key)?).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            self.fault(key, "names a file whose first line is empty");
            return None;
        }
        Some(line.to_owned())
    }

    fn bytes(&mut self, key: &'static str) -> Option<Vec<u8>> {
        let path = self.text(key)?;
        match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.fault(key, format!("cannot read `{path}`: {error}"));
                None
            }
        }
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "first leaf\nmore\n").unwrap();
        std::fs::write(folder.path().join("key"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
            .unwrap();
        std::fs::write(folder.path().join("empty"), "").unwrap();
        folder
    }

    fn config(folder: &tempfile::TempDir, text: &str) -> String {
        let path = folder.path().display().to_string();
        format!("data = \"d\"\n{}", text.replace("{F}", &path))
    }

    #[track_caller]
    fn faulty_keys(text: &str, expect: &[&str]) {
        let folder = folder();
        let faults = parse(&config(&folder, text)).expect_err("the configuration is faulty");
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, expect, "{faults:?}");
    }

    #[test]
    fn both_channels_are_read_and_no_secret_is_printed() {
        let folder = folder();
        let text = "[notify]\npublic_url = \"https://miaopu.example/\"\n[notify.email]\n\
             server = \"smtp.example.com:587\"\nfrom = \"miaopu@example.com\"\n\
             username = \"miaopu\"\npassword_file = \"{F}/password\"\n[notify.webhook]\n\
             url = \"https://hook.example/x\"\nsecret_file = \"{F}/key\"\n";
        let text = config(&folder, text);
        let messages = parse(&text).unwrap().messages;
        let email = messages.email.as_ref().unwrap();
        assert_eq!((email.host.as_str(), email.port), ("smtp.example.com", 587));
        assert_eq!(email.security, Security::Starttls);
        assert_eq!(email.login, Some(("miaopu".to_owned(), Secret::new("first leaf"))));
        assert_eq!(messages.public_url.as_deref(), Some("https://miaopu.example"));
        assert!(messages.webhook.is_some());
        let printed = format!("{messages:#?}");
        assert!(!printed.contains("first leaf") && !printed.contains("MfKQ"), "{printed}");
    }

    #[test]
    fn without_a_word_about_them_there_are_no_messages() {
        assert_eq!(parse("data = \"d\"").unwrap().messages, Messages::default());
    }

    #[test]
    fn every_fault_of_messages_is_named_with_its_key() {
        faulty_keys(
            "[notify]\npublic_url = \"miaopu.example\"\n[notify.email]\nserver = \"smtp\"\n\
             security = \"ssl\"\nfrom = \"li\"\nusername = \"li\"\n[notify.webhook]\nurl = \"x\"",
            &[
                "notify.public_url",
                "notify.email.server",
                "notify.email.security",
                "notify.email.from",
                "notify.email.username",
                "notify.webhook.secret_file",
            ],
        );
        faulty_keys(
            "[notify.email]\nfrom = \"x\"\n[notify.webhook]\nsecret_file = \"{F}/key\"\nnothing = 1",
            &["notify.webhook.nothing", "notify.email.from", "notify.webhook.secret_file"],
        );
        faulty_keys(
            "[notify.webhook]\nurl = \"ftp://x/\"\nsecret_file = \"{F}/key\"",
            &["notify.webhook.url"],
        );
        for file in ["empty", "missing", "password"] {
            let text = "[notify.webhook]\nurl = \"https://x/\"\nsecret_file = \"{F}/";
            let text = format!("{text}{file}\"");
            faulty_keys(&text, &["notify.webhook.secret_file"]);
        }
    }

    #[test]
    fn an_unprotected_session_stays_on_this_machine_unless_somebody_insists() {
        let with = |server: &str, security: &str| {
            let text = format!(
                "data = \"d\"\n[notify.email]\nserver = \"{server}\"\nsecurity = \"{security}\"\n\
                 from = \"miaopu@example.com\""
            );
            parse(&text).map(|config| config.messages.email.unwrap().security)
        };
        assert_eq!(with("127.0.0.1:25", "plain"), Ok(Security::Plain));
        assert_eq!(with("[::1]:25", "plain"), Ok(Security::Plain));
        assert_eq!(with("192.168.1.5:25", "plain-anywhere"), Ok(Security::Plain));
        let faults = with("192.168.1.5:25", "plain").unwrap_err();
        assert_eq!(faults.first().unwrap().key, "notify.email.security");
    }

    #[test]
    fn a_demonstration_takes_the_keys_that_its_options_do_not_cover() {
        let folder = folder();
        let path = folder.path().join("demo.toml");
        std::fs::write(&path, "[notify]\npublic_url = \"http://a.example:1\"").unwrap();
        let messages = load_for_demo(&path).unwrap();
        assert_eq!(messages.public_url.as_deref(), Some("http://a.example:1"));
        std::fs::write(&path, "data = \"d\"\n[notify]\nx = 1").unwrap();
        let keys: Vec<_> = load_for_demo(&path).unwrap_err().into_iter().map(|it| it.key).collect();
        assert_eq!(keys, ["notify.x", "data"]);
    }
}
