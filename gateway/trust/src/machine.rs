//! The names and addresses that this machine has now.

use std::net::IpAddr;

use crate::names::Names;

/// Returns the names of this machine, with `extra` from the configuration. Addresses of one link
/// only (`fe80::`, `169.254.`) are left out: nobody types them, and they change.
pub fn this_machine(extra: &[String]) -> Names {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    let mut addresses: Vec<IpAddr> = match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.iter().map(if_addrs::Interface::ip).collect(),
        Err(error) => {
            tracing::warn!(%error, "Cannot list this machine's addresses; certificates lack them.");
            Vec::new()
        }
    };
    addresses.retain(|address| !is_of_one_link(*address));
    // The old kind first: it is what people type, and the first ones are kept where it is too much.
    addresses.sort();
    Names::new(&host, extra, addresses)
}

fn is_of_one_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_at_least_its_loopback() {
        let names = this_machine(&[]);
        assert!(names.dns().iter().any(|name| name == "localhost"));
        assert!(names.addresses().contains(&IpAddr::from([127, 0, 0, 1])));
    }
}
