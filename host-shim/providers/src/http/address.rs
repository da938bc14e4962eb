//! Decides which addresses may receive a secret or be trusted to answer.

use url::{Host, Url};

/// True for an address with TLS, or on this machine, without a user and a fragment. At any other address, anybody on the network path could
/// read what is sent, or answer in its place.
pub fn is_address(text: &str) -> bool {
    let Some(url) = Url::parse(text).ok().filter(Url::has_host) else { return false };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_own(&url));
    is_safe && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
}

/// True for an address on this machine.
pub(crate) fn is_of_this_machine(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| is_own(&url))
}

fn is_own(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_tls_or_is_of_this_machine() {
        for text in ["https://example.com/b/x", "http://127.0.0.1:80/x/", "http://localhost/x", "http://[::1]:1/x"] {
            assert!(is_address(text), "{text}");
        }
        for text in [
            "http://example.com/b/x",
            "http://127.0.0.1.example.com/x",
            "http://localhost.example.com/x",
            "ftp://localhost/x",
            "https://user@example.com/x",
            "https://:key@example.com/x",
            "https://example.com/x#y",
            "example.com/x",
        ] {
            assert!(!is_address(text), "{text}");
        }
    }
}
