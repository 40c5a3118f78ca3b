//! The gateway on the LAN: its listeners for TLS, the certificate they show, and the addresses that
//! people and nodes are told.

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use api::{Reach, types::Endpoint};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};
use trust::{Names, Pages, Renewal, Trust};

use crate::{
    clock::Clock,
    failure::{Failure, OrFail as _},
    listen::{Doors, Listen},
};

/// How often the certificate, the names and the addresses are looked at: a phone that got the
/// gateway's new address from somebody shall not be turned away for long.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The authority is said to end from so many days before on.
const AUTHORITY_WARN_DAYS: i64 = 90;
/// The most addresses that are printed at the start.
const PRINTED_MAX: usize = 4;

/// HTTPS as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Https {
    /// Where it listens.
    pub(crate) listen: Listen,
    /// Names and addresses of the gateway that this machine does not know of itself.
    pub(crate) names: Vec<String>,
    /// A certificate of the district for the dashboard.
    pub(crate) pages: Option<Pages>,
}

/// What listens for TLS, bound, and the certificate for it.
pub(crate) struct Lan {
    trust: Option<Arc<Trust>>,
    extra: Vec<String>,
    https: Option<TcpListener>,
    mqtts: Option<TcpListener>,
}

impl Lan {
    /// Binds the listeners, and makes or opens the authority where one of them is not off.
    pub(crate) fn open(data: &Path, https: &Https, mqtts: Listen) -> Result<Self, Failure> {
        let extra = https.names.clone();
        let pages = https.pages.as_ref();
        let https = https.listen.bind("https", "https.listen or --https")?;
        let mqtts = mqtts.bind("mqtt over tls", "mqtt.tls.listen or --mqtts")?;
        if https.is_none() && mqtts.is_none() {
            return Ok(Self { trust: None, extra, https, mqtts });
        }
        let (names, now) = (trust::this_machine(&extra), Clock::system().now());
        let trust = trust::open(&data.join(trust::FOLDER), &names, pages, now);
        let trust = trust.or_unavailable("cannot speak TLS")?;
        for name in trust.refused(&names) {
            warn!(
                name,
                "The authority may not sign this name, which is none of a LAN; the certificate lacks \
                 it. It may sign the names that https.names held when it was made."
            );
        }
        let days = trust.about().expires.ms_since(now) / 86_400_000;
        if days < AUTHORITY_WARN_DAYS {
            error!(
                days,
                "The certificate authority ends soon. Stop the gateway, remove the folder `tls` of \
                 its data, start it, and let every phone and node trust the new authority."
            );
        }
        Ok(Self { trust: Some(Arc::new(trust)), extra, https, mqtts })
    }

    /// Returns where it listens for HTTPS and for MQTT over TLS.
    pub(crate) fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let address = |listener: &Option<TcpListener>| listener.as_ref()?.local_addr().ok();
        (address(&self.https), address(&self.mqtts))
    }

    /// Hands out the listener for MQTT, once.
    pub(crate) fn take_mqtts(&mut self) -> Result<Option<broker::Tls>, Failure> {
        let (Some(listener), Some(trust)) = (self.mqtts.take(), &self.trust) else {
            return Ok(None);
        };
        let config = trust.mqtt().or_unavailable("cannot speak MQTT over TLS")?;
        Ok(Some(broker::Tls { listener, config }))
    }

    /// Hands out the listeners of the API, once.
    pub(crate) fn take_listeners(
        &mut self,
        http: Option<TcpListener>,
    ) -> Result<api::Listeners, Failure> {
        let here = |listener: TcpListener| {
            listener
                .set_nonblocking(true)
                .and_then(|()| tokio::net::TcpListener::from_std(listener))
                .or_unavailable("cannot use a listener")
        };
        let https = match (self.https.take(), &self.trust) {
            (Some(listener), Some(trust)) => {
                Some((here(listener)?, trust.https().or_unavailable("cannot speak HTTPS")?))
            }
            _ => None,
        };
        Ok(api::Listeners { http: http.map(here).transpose()?, https })
    }

    /// Returns what people are shown of the authority.
    pub(crate) fn authority(&self) -> Option<api::Authority> {
        let trust = self.trust.as_ref()?;
        let about = trust.about().clone();
        Some(api::Authority {
            signs_pages: trust.signs_pages(),
            name: about.name,
            fingerprint_sha256: about.fingerprint_sha256,
            expires: about.expires,
            pem: about.pem,
        })
    }

    /// Keeps the certificate and the addresses up to date, and tells the addresses.
    pub(crate) fn follow(
        &self,
        tasks: &TaskTracker,
        doors: Doors,
        stop: CancellationToken,
    ) -> watch::Receiver<Arc<Reach>> {
        let (trust, extra) = (self.trust.clone(), self.extra.clone());
        let names = trust::this_machine(&extra);
        let (tell, told) = watch::channel(Arc::new(reach(&doors, &names, &extra)));
        tasks.spawn(async move {
            let look = || {
                let (trust, extra) = (trust.clone(), extra.clone());
                tokio::task::spawn_blocking(move || {
                    let names = trust::this_machine(&extra);
                    if let Some(trust) = &trust {
                        renew(trust, &names);
                    }
                    reach(&doors, &names, &extra)
                })
            };
            while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
                let Ok(now) = look().await else { continue };
                tell.send_if_modified(|told| {
                    let is_new = **told != now;
                    if is_new {
                        *told = Arc::new(now);
                    }
                    is_new
                });
            }
        });
        told
    }
}

fn renew(trust: &Trust, names: &Names) {
    match trust.renew(names, Clock::system().now()) {
        Ok(Renewal::Kept) => {}
        Ok(Renewal::Renewed(reason)) => {
            info!(reason, "Took up a new certificate; connections go on.");
        }
        Err(failure) => {
            let failure = anyhow::Error::from(failure);
            error!(error = %format!("{failure:#}"), "Cannot renew the certificate; the old one is shown.");
        }
    }
}

/// Prints where people open the dashboard on the LAN, and what they compare before they trust it.
pub(crate) fn announce(reach: &Reach, authority: Option<&api::Authority>) {
    let secured = reach.https.iter().filter(|endpoint| endpoint.tls);
    for (index, endpoint) in secured.take(PRINTED_MAX).enumerate() {
        match authority.filter(|authority| index == 0 && authority.signs_pages) {
            Some(authority) => {
                println!("{}/  CA SHA-256 {}", endpoint.url, authority.fingerprint_sha256);
            }
            None => println!("{}/", endpoint.url),
        }
    }
}

/// Returns every address that the gateway can be reached at, TLS first.
fn reach(doors: &Doors, names: &Names, extra: &[String]) -> Reach {
    let endpoints = |scheme: &str, tls: bool, door: Option<SocketAddr>| {
        let hosts = door.map(|door| hosts(door.ip(), names, extra)).unwrap_or_default();
        let port = door.map_or(0, |door| door.port());
        hosts
            .into_iter()
            .map(|host| Endpoint { url: format!("{scheme}://{host}:{port}"), tls })
            .collect::<Vec<_>>()
    };
    let both = |plain: &str, door, secured: &str, tls_door| {
        [endpoints(secured, true, tls_door), endpoints(plain, false, door)].concat()
    };
    Reach {
        mqtt: both("mqtt", doors.mqtt, "mqtts", doors.mqtts),
        https: both("http", doors.http, "https", doors.https),
    }
}

/// Returns the hosts of a listener: what the configuration names, then the addresses of the LAN,
/// then the machine's own name, which only some networks know.
fn hosts(ip: IpAddr, names: &Names, extra: &[String]) -> Vec<String> {
    let shown = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    if !ip.is_unspecified() {
        return vec![shown(ip)];
    }
    let named = names
        .dns()
        .iter()
        .filter(|name| extra.iter().any(|extra| extra.eq_ignore_ascii_case(name)));
    let addresses = names
        .addresses()
        .iter()
        // The wildcard of IPv6 takes both kinds.
        .filter(|address| !address.is_loopback() && (ip.is_ipv6() || address.is_ipv4()))
        .map(|address| shown(*address));
    let local = names.dns().iter().filter(|name| name.ends_with(".local"));
    let mut hosts: Vec<String> = Vec::new();
    for host in named.cloned().chain(addresses).chain(local.cloned()).chain(["localhost".into()]) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_tls_first_and_those_of_the_lan_before_the_machines_own() {
        let extra = ["gw.farm.example".to_owned()];
        let addresses = ["192.168.1.5", "127.0.0.1", "fd00::5"].map(|text| text.parse().unwrap());
        let names = Names::new("shed", &extra, addresses);
        let doors = Doors {
            http: Some("127.0.0.1:8080".parse().unwrap()),
            mqtt: None,
            https: Some("0.0.0.0:8443".parse().unwrap()),
            mqtts: Some("[::]:8883".parse().unwrap()),
        };
        let reach = reach(&doors, &names, &extra);
        let urls = |endpoints: &[Endpoint]| -> Vec<String> {
            endpoints.iter().map(|endpoint| endpoint.url.clone()).collect()
        };
        assert_eq!(
            urls(&reach.https),
            [
                "https://gw.farm.example:8443",
                "https://192.168.1.5:8443",
                "https://shed.local:8443",
                "https://localhost:8443",
                "http://127.0.0.1:8080",
            ]
        );
        assert!(reach.mqtt.iter().all(|endpoint| endpoint.tls));
        assert!(urls(&reach.mqtt).contains(&"mqtts://[fd00::5]:8883".to_owned()));
    }
}
