//! `miaopu node settings` and `miaopu node provision`: what a person says to one node from a shell.
//!
//! The page that `provision` writes is one page of flash, 4096 bytes:
//!
//! ```text
//! miaopu-provision-1 sha256=<64 hexadecimal digits, of all bytes after this line up to the first 0xFF>
//! site=nanchuan
//! node=bench-01
//! secret=…
//! gateways=192.0.2.7:8883,gateway.example:8883
//! interval_ms=60000
//! tls=on
//! ca=<base64 of the certificate in DER>
//! wifi_ssid=…
//! wifi_password=…
//! ```
//!
//! and 0xFF from there on, as erased flash is.

use std::{fmt::Write as _, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _};

use people::Actor;
use sha2::{Digest as _, Sha256};

use crate::{
    cli::{NodeProvisionArgs, NodeSettingsArgs},
    clock::Clock,
    commands::open_existing_registry,
    failure::{Failure, OrFail},
    nodes,
};

/// The bytes of the page; what does not fit is refused.
const PAGE_BYTES: usize = 4_096;

/// Shows or sets what a node is set to.
pub(crate) fn settings(arguments: &NodeSettingsArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let (node, reading) = (&arguments.node, "cannot read the registry");
    let Some(path) = &arguments.file else {
        let kept = registry.node_settings().or_unavailable(reading)?;
        let Some(kept) = kept.into_iter().find(|it| it.node == *node) else {
            println!("# {node} has no settings: it works as it was built");
            return Ok(());
        };
        println!("# {node}: revision {}, set by {}: {}", kept.revision, kept.by, kept.why);
        if let Some(detail) = &kept.refused {
            println!("# refused by the node: {detail}");
        }
        let set: api::types::NodeSettings =
            serde_json::from_str(&kept.body).or_data("cannot read the kept settings")?;
        print!("{}", toml::to_string(&set).or_data("cannot write the settings")?);
        return Ok(());
    };
    let what = format!("cannot read `{}`", path.display());
    let text = fs::read_to_string(path).or_unavailable(what)?;
    let set: api::types::NodeSettings =
        toml::from_str(&text).or_data(format!("`{}` are no settings", path.display()))?;
    let births = registry.births().or_unavailable(reading)?;
    let birth = births.iter().find(|it| it.node == *node).ok_or_else(|| {
        Failure::usage(format!(
            "{node} was never heard, so its channels are not known; let it connect once"
        ))
    })?;
    let birth = wire::decode_birth(&birth.frame).or_data(format!("the birth of {node} is old"))?;
    if let Err(fault) = nodes::check_alone(&set, &birth) {
        let (file, field, words) = (path.display(), fault.field, fault.words.en);
        return Err(Failure::Data(anyhow::anyhow!("`{file}`: {field}: {words}")));
    }
    let body = serde_json::to_string(&set).or_data("cannot write the settings")?;
    let why = arguments.why.as_deref().unwrap_or_default();
    registry
        .set_node_settings(node, &body, why, &Actor::CommandLine, Clock::system().now())
        .or_data(format!("cannot set {node}"))?;
    println!("{node} is set; it takes this when the gateway next hears it");
    Ok(())
}

/// Gives a node a new secret and writes its page.
pub(crate) fn provision(arguments: &NodeProvisionArgs) -> Result<(), Failure> {
    let registry = open_existing_registry(&arguments.data)?;
    let key = &arguments.node;
    let nodes = registry.nodes().or_unavailable("cannot read the registry")?;
    let zone =
        nodes.into_iter().find(|it| it.key == *key).and_then(|it| it.zone).ok_or_else(|| {
            Failure::usage(format!(
                "there is no node {key} in a zone; add it with `miaopu node add`"
            ))
        })?;
    // All that can be wrong is found before the old secret stops to work.
    let (ca, password) = (certificate(arguments)?, password(arguments)?);
    let lines = |secret: &str| {
        let mut text = format!(
            "site={}\nnode={}\nsecret={secret}\ngateways={}\ninterval_ms={}\ntls={}\n",
            key.site,
            key.node,
            arguments.gateways.join(","),
            arguments.interval.as_millis(),
            if arguments.tls { "on" } else { "off" },
        );
        let more = [
            ("ca", ca.as_deref()),
            ("wifi_ssid", arguments.wifi_ssid.as_deref()),
            ("wifi_password", password.as_deref()),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                text.push_str(&format!("{name}={value}\n"));
            }
        }
        text
    };
    for address in &arguments.gateways {
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        if !address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_port(port)) {
            return Err(Failure::usage(format!("--gateways: `{address}` is no host:port")));
        }
    }
    if arguments.gateways.len() > wire::GATEWAYS_MAX {
        let most = wire::GATEWAYS_MAX;
        return Err(Failure::usage(format!("--gateways: a node knows {most} at most")));
    }
    page(&lines(&"-".repeat(64)))?;
    let mut options = fs::OpenOptions::new();
    let what = || format!("cannot write `{}`", arguments.out.display());
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&arguments.out)
        .or_unavailable(what())?;
    let secret = registry
        .add_node(key, &zone, &Actor::CommandLine, Clock::system().now())
        .or_data(format!("cannot give {key} a new secret"))?;
    let page = page(&lines(secret.reveal()))?;
    file.write_all(&page).and_then(|()| file.sync_all()).or_unavailable(what())?;
    eprintln!(
        "`{}` holds the secret of {key}: write it to the board's provisioning page and delete it.",
        arguments.out.display()
    );
    Ok(())
}

/// Returns the certificate as base64 of its DER, which is what a PEM holds between its two lines.
fn certificate(arguments: &NodeProvisionArgs) -> Result<Option<String>, Failure> {
    let Some(path) = &arguments.ca else { return Ok(None) };
    let text =
        fs::read_to_string(path).or_unavailable(format!("cannot read `{}`", path.display()))?;
    let body = text.split_once("-----BEGIN CERTIFICATE-----").map(|(_, rest)| rest);
    let body = body.and_then(|rest| rest.split_once("-----END CERTIFICATE-----"));
    let base64: Option<String> = body.map(|(it, _)| it.split_whitespace().collect());
    let base64 = base64.filter(|it| !it.is_empty());
    let missing = || Failure::usage(format!("--ca: `{}` holds no certificate", path.display()));
    base64.map(Some).ok_or_else(missing)
}

fn password(arguments: &NodeProvisionArgs) -> Result<Option<String>, Failure> {
    let Some(path) = &arguments.wifi_password_file else { return Ok(None) };
    let text =
        fs::read_to_string(path).or_unavailable(format!("cannot read `{}`", path.display()))?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

/// Puts the lines under their digest into a page.
fn page(lines: &str) -> Result<Vec<u8>, Failure> {
    if lines.chars().any(|it| it.is_control() && it != '\n') {
        return Err(Failure::usage("a name or password holds a control character"));
    }
    let mut digest = String::new();
    for byte in Sha256::digest(lines.as_bytes()) {
        write!(digest, "{byte:02x}").or_data("cannot write a digest")?;
    }
    let mut page = format!("miaopu-provision-1 sha256={digest}\n{lines}").into_bytes();
    if page.len() > PAGE_BYTES {
        let bytes = page.len();
        return Err(Failure::usage(format!("the page takes {bytes} bytes of {PAGE_BYTES}")));
    }
    page.resize(PAGE_BYTES, 0xFF);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_whole_page_of_flash_under_its_digest() {
        let page = page("site=a\nnode=b\n").unwrap();
        assert_eq!(page.len(), PAGE_BYTES);
        let text = page.split(|byte| *byte == 0xFF).next().unwrap();
        // The digest is sha256sum's of the two lines.
        let expect = "miaopu-provision-1 sha256=1d24fdc0f11e45b6a47667e861d0155f33f503df2f2d8cbdb94e6d1a41126bec\nsite=a\nnode=b\n";
        assert_eq!(std::str::from_utf8(text).unwrap(), expect);
        assert!(super::page(&"x".repeat(PAGE_BYTES)).is_err());
        assert!(super::page("wifi_password=a\rb\n").is_err());
    }
}
