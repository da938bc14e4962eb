//! Checks the address of an endpoint. Outside local mode, only `https` addresses on the public internet are allowed, so that an endpoint
//! cannot reach the server's own network.

pub(crate) use host_providers::http::is_private;
use std::net::IpAddr;
use ureq::http::Uri;

/// Maximum length of an address in bytes.
const BYTES_MAX: usize = 2_000;

/// The reason why an endpoint cannot have an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The string is not an address, or is too long.
    #[error("expected an address such as https://example.com/webhooks, of at most {BYTES_MAX} bytes")]
    Malformed,
    /// The address has a different scheme.
    #[error("expected https://")]
    NotHttps,
    /// The address contains a user or a password, which would be shown.
    #[error("expected an address without a user and a password")]
    Credentials,
    /// The address is in the server's own network.
    #[error("expected an address of the public internet")]
    Private,
}

/// Checks the address of an endpoint. With `is_local`, it may be on this machine and without TLS. Host names are checked when they are
/// resolved.
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

#[cfg(test)]
mod tests {
    use super::*;

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
