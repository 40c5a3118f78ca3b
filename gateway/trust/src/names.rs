//! The names and addresses that a certificate speaks for.

use std::net::IpAddr;

/// The name that nodes ask for whatever address they connect to, so that they need no DNS and the
/// gateway may move. Below `.internal`, which is never in the public DNS (ICANN, 2024-07-29).
pub const NODE_NAME: &str = "miaopu.internal";

/// The most DNS names in a certificate; further ones are left out. With [`ADDRESSES_MAX`] it keeps
/// the certificate below the 1,536 bytes that a node has for it.
pub const DNS_NAMES_MAX: usize = 8;

/// The most addresses in a certificate; further ones are left out.
pub const ADDRESSES_MAX: usize = 16;

/// The longest DNS name that a node compares, in bytes; a longer one is left out.
const DNS_NAME_BYTES_MAX: usize = 64;

/// Names and addresses, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Names {
    /// Returns the names of a machine: those that never change, its host name, `extra` (names or
    /// addresses), and its addresses. What is no name is left out, and so is what is too much.
    pub fn new(host: &str, extra: &[String], addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut names = Self::default();
        // First: a node looks at the first three only.
        names.add_dns(NODE_NAME);
        for name in extra {
            match name.parse() {
                Ok(address) => names.add_address(address),
                Err(_) => names.add_dns(name),
            }
        }
        names.add_dns(host);
        let label = host.split('.').next().unwrap_or(host);
        names.add_dns(&format!("{label}.local"));
        names.add_dns("localhost");
        names.add_address(IpAddr::from([127, 0, 0, 1]));
        names.add_address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        for address in addresses {
            names.add_address(address);
        }
        names
    }

    /// Returns names and addresses as a certificate has them.
    pub(crate) fn exactly(dns: Vec<String>, addresses: Vec<IpAddr>) -> Self {
        Self { dns, addresses }
    }

    /// Returns the DNS names, [`NODE_NAME`] first.
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// Returns the addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Returns the first name or address that `self` has and `other` lacks.
    pub(crate) fn first_missing_in(&self, other: &Self) -> Option<String> {
        let name = self.dns.iter().find(|name| !other.dns.contains(name)).cloned();
        name.or_else(|| {
            let address = self.addresses.iter().find(|it| !other.addresses.contains(it));
            address.map(ToString::to_string)
        })
    }

    /// Returns those that `keep_dns` and `keep_address` let through.
    pub(crate) fn filtered(
        &self,
        keep_dns: impl Fn(&str) -> bool,
        keep_address: impl Fn(IpAddr) -> bool,
    ) -> Self {
        Self {
            dns: self.dns.iter().filter(|name| keep_dns(name)).cloned().collect(),
            addresses: self.addresses.iter().copied().filter(|it| keep_address(*it)).collect(),
        }
    }

    fn add_dns(&mut self, name: &str) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if is_dns_name(&name) && !self.dns.contains(&name) && self.dns.len() < DNS_NAMES_MAX {
            self.dns.push(name);
        }
    }

    fn add_address(&mut self, address: IpAddr) {
        let is_new = !self.addresses.contains(&address) && self.addresses.len() < ADDRESSES_MAX;
        if is_new && !address.is_unspecified() && !address.is_multicast() {
            self.addresses.push(address);
        }
    }
}

/// Returns whether a certificate may hold the name: letters, digits and hyphens in labels.
pub(crate) fn is_dns_name(name: &str) -> bool {
    name.len() <= DNS_NAME_BYTES_MAX
        && name.parse::<IpAddr>().is_err()
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_machine_has_its_names_once_and_the_nodes_name_first() {
        let extra = ["Gateway.Farm.CN".to_owned(), "203.0.113.7".to_owned(), "bad name".to_owned()];
        let names = Names::new("shed", &extra, addresses(&["192.168.1.5", "127.0.0.1"]));
        assert_eq!(
            names.dns(),
            ["miaopu.internal", "gateway.farm.cn", "shed", "shed.local", "localhost"]
        );
        let expect = addresses(&["203.0.113.7", "127.0.0.1", "::1", "192.168.1.5"]);
        assert_eq!(names.addresses(), expect);
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        for host in ["", "温室", "a_b", "-a", "1.2.3.4", &"a".repeat(70)] {
            let names = Names::new(host, &[], []);
            let expect_local = is_dns_name(&format!("{}.local", host.split('.').next().unwrap()));
            assert_eq!(names.dns().len(), 2 + usize::from(expect_local), "{host}");
        }
    }

    #[test]
    fn too_much_is_left_out() {
        let many: Vec<IpAddr> = (0..100).map(|last| IpAddr::from([10, 0, 0, last])).collect();
        let extra: Vec<String> = (0..100).map(|number| format!("n{number}.local")).collect();
        let names = Names::new("shed", &extra, many);
        assert_eq!(names.dns().len(), DNS_NAMES_MAX);
        assert_eq!(names.addresses().len(), ADDRESSES_MAX);
        assert_eq!(names.dns()[0], NODE_NAME);
    }
}
