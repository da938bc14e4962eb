//! Decides which addresses a request may reach if a customer has chosen its URL: those of the public internet, so that
//! the URL cannot reach the server's own network, plus the networks that an operator lists.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that requests may reach: those of the public internet, and these networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach(Vec<IpNet>);

/// A network that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a network: expected one such as 10.0.0.0/8 or fd00::/8")]
pub struct BadNetwork(String);

impl Reach {
    /// Returns the addresses of the public internet.
    pub fn public() -> Reach {
        Reach::default()
    }

    /// Returns the addresses of the public internet and of this machine.
    pub fn with_this_machine() -> Reach {
        let own = [(IpAddr::from([127, 0, 0, 0]), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)];
        Reach(own.into_iter().filter_map(|(address, bits)| IpNet::new(address, bits).ok()).collect())
    }

    /// Adds networks such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// Fails if a text is not a network.
    pub fn and(mut self, networks: &[String]) -> Result<Reach, BadNetwork> {
        for text in networks {
            self.0.push(text.parse().map_err(|_| BadNetwork(text.clone()))?);
        }
        Ok(self)
    }

    /// Returns true if a request may reach an address.
    pub fn allows(&self, address: IpAddr) -> bool {
        !is_private(address) || self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }
}

/// Returns true if an address is outside the public internet.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        // This network, carriers' shared addresses, protocols and relays, benchmarks, and reserved ranges.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    // An IPv4 address within an IPv6 address: mapped, compatible, NAT64 or 6to4.
    let [.., high, low] = parts;
    let last = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let by_6to4 = Ipv4Addr::from((u32::from(parts[1]) << 16) | u32::from(parts[2]));
    let is_embedded = parts[..5] == [0; 5] || parts[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    // Global unicast addresses are 2000::/3, except documentation and Teredo.
    let is_global = parts[0] & 0xe000 == 0x2000 && parts[..2] != [0x2001, 0xdb8] && parts[..2] != [0x2001, 0];
    match is_embedded {
        true => is_private_v4(last),
        false => !is_global || (parts[0] == 0x2002 && is_private_v4(by_6to4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_reached() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "240.0.0.1",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "::7f00:1",
            "fe80::1",
            "fd00::1",
            "fc00::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "2002:a00:1::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(is_private(private.parse().expect("an address")), "{private}");
        }
        for public in
            ["93.184.216.34", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "64:ff9b::101:101"]
        {
            assert!(!is_private(public.parse().expect("an address")), "{public}");
        }
    }

    #[test]
    fn networks_of_the_operator_are_reached_in_every_notation() {
        let reach = |reach: &Reach, address: &str| reach.allows(address.parse().expect("an address"));
        let listed = Reach::public().and(&["10.1.0.0/16".to_owned(), "fd12::/16".to_owned()]).expect("networks");
        for (address, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("fd12::1", true),
            ("93.184.216.34", true),
            ("10.2.0.1", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("169.254.169.254", false),
            ("fd00:ec2::254", false),
        ] {
            assert_eq!(reach(&listed, address), expected, "{address}");
        }
        let own = Reach::with_this_machine();
        assert!(reach(&own, "127.0.0.1") && reach(&own, "::1") && reach(&own, "::ffff:127.1.2.3"));
        assert!(!reach(&own, "10.1.2.3") && !reach(&own, "0.0.0.0") && !reach(&own, "169.254.169.254"));
        let bad = Reach::public().and(&["10.1.2.3/33".to_owned()]).expect_err("no network").to_string();
        assert_eq!(bad, "`10.1.2.3/33` is not a network: expected one such as 10.0.0.0/8 or fd00::/8");
    }
}
