//! Which addresses may an endpoint have? Outside of local mode only `https` and only addresses of the public internet, so that nobody
//! reaches the server's own network through it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ureq::http::Uri;

/// Maximum length of an address in bytes.
const BYTES_MAX: usize = 2_000;

/// The reason why an address cannot be one of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is no address, or too long.
    #[error("expected an address such as https://example.com/webhooks, of at most {BYTES_MAX} bytes")]
    Malformed,
    /// The address has another scheme.
    #[error("expected https://")]
    NotHttps,
    /// The address has a user or a password, which would be shown.
    #[error("expected an address without a user and a password")]
    Credentials,
    /// The address is one of the server's own network.
    #[error("expected an address of the public internet")]
    Private,
}

/// Checks the address of an endpoint. With `is_local`, it may be on this machine and without TLS. Names are checked when they are resolved.
///
/// # Errors
/// Fails if the address may not be used.
pub fn check_url(url: &str, is_local: bool) -> Result<(), UrlError> {
    let uri: Uri = url.parse().map_err(|_| UrlError::Malformed)?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(UrlError::Malformed) };
    let host = authority.host();
    if url.len() > BYTES_MAX || host.is_empty() || url.contains('#') || !["http", "https"].contains(&scheme) {
        return Err(UrlError::Malformed);
    }
    if authority.as_str().contains('@') {
        return Err(UrlError::Credentials);
    }
    if is_local {
        return Ok(());
    }
    if scheme != "https" {
        return Err(UrlError::NotHttps);
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_own = host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    match is_own || literal.is_ok_and(is_private) {
        true => Err(UrlError::Private),
        false => Ok(()),
    }
}

/// Returns true if an address is not one of the public internet.
pub(crate) fn is_private(address: IpAddr) -> bool {
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
        // This network, the shared addresses of carriers, protocols and relays, benchmarks, and what is reserved.
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    // An IPv4 address within an IPv6 address: mapped, compatible, by NAT64, or 6to4.
    let [.., high, low] = parts;
    let last = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let by_6to4 = Ipv4Addr::from((u32::from(parts[1]) << 16) | u32::from(parts[2]));
    let is_embedded = parts[..5] == [0; 5] || parts[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    // Global unicast addresses are 2000::/3, without documentation and Teredo.
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
    fn an_endpoint_has_a_public_address_by_https_unless_the_server_is_local() {
        assert_eq!(check_url("https://example.com/hooks?x=1", false), Ok(()));
        for (url, expected) in [
            ("http://example.com/hooks", UrlError::NotHttps),
            ("https://127.0.0.1/hooks", UrlError::Private),
            ("https://[::1]/hooks", UrlError::Private),
            ("https://LOCALHOST:8080/", UrlError::Private),
            ("https://api.localhost/", UrlError::Private),
            ("https://user:password@example.com/", UrlError::Credentials),
            ("ftp://example.com/", UrlError::Malformed),
            ("https://example.com/#part", UrlError::Malformed),
            ("example.com", UrlError::Malformed),
            ("", UrlError::Malformed),
        ] {
            assert_eq!(check_url(url, false), Err(expected), "{url}");
        }
        assert_eq!(check_url("http://127.0.0.1:4000/hooks", true), Ok(()));
        assert_eq!(check_url("https://user@127.0.0.1/", true), Err(UrlError::Credentials));
    }
}
