//! Sends one probe request. Requests to forbidden addresses are not sent.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Maximum bytes that are read of a response body. The rest is ignored.
pub const BODY_BYTES_MAX: u64 = 64 * 1024;
/// Maximum bytes of a response's headers.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// IPv6 address of AWS's instance metadata.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Limits of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Timeout of a whole request, including name resolution and body.
    pub timeout: Duration,
}

impl Default for Config {
    /// A timeout of ten seconds.
    fn default() -> Self {
        Config { timeout: Duration::from_secs(10) }
    }
}

/// Result of a request.
pub(crate) enum ProbeResult {
    Good,
    Bad,
    /// The address is forbidden or invalid, so no request was sent. Contains the reason for operators.
    NotAllowed(String),
}

pub(crate) struct HttpProbe {
    agent: Agent,
}

impl HttpProbe {
    pub fn new(config: Config) -> HttpProbe {
        let agent = Agent::config_builder()
            .timeout_global(Some(config.timeout))
            .max_redirects(0)
            .http_status_as_error(false)
            .max_response_header_size(HEADER_BYTES_MAX)
            // A proxy would resolve the name itself, so the address could not be checked.
            .proxy(None)
            // A request on a reused connection would succeed even if the server accepts no new connections.
            .max_idle_connections(0)
            .user_agent("health-probe")
            .tls_config(host_http::tls());
        HttpProbe { agent: Agent::with_parts(agent.build(), DefaultConnector::default(), GuardedResolver::default()) }
    }

    pub fn send(&self, url: &str) -> ProbeResult {
        let response = match self.agent.get(url).call() {
            Ok(response) => response,
            Err(ureq::Error::Other(error)) if error.is::<LinkLocalAddress>() => {
                return ProbeResult::NotAllowed(error.to_string());
            }
            Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => {
                return ProbeResult::NotAllowed("`url` is not a valid URL".to_owned());
            }
            Err(_) => return ProbeResult::Bad,
        };
        let is_good = response.status().as_u16() < 400;
        let mut body = response.into_body().into_reader().take(BODY_BYTES_MAX);
        // An incomplete body is a bad result.
        match std::io::copy(&mut body, &mut std::io::sink()) {
            Ok(_) if is_good => ProbeResult::Good,
            _ => ProbeResult::Bad,
        }
    }
}

/// A forbidden address, for example a link-local address, at which cloud providers serve credentials.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} is link-local: expected an address that is reachable from other machines")]
struct LinkLocalAddress(IpAddr);

/// Resolves names as usual, but fails if a resolved address is forbidden.
#[derive(Debug, Default)]
struct GuardedResolver(DefaultResolver);

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // Names under `localhost` mean this machine, even if the machine's resolver does not know them (RFC 6761).
        if uri.host().is_some_and(|host| host.ends_with(".localhost")) {
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
            let mut found = self.0.empty();
            found.push((Ipv4Addr::LOCALHOST, port).into());
            return Ok(found);
        }
        let found = self.0.resolve(uri, config, timeout)?;
        match found.iter().map(|address| address.ip()).find(|address| is_forbidden(*address)) {
            Some(address) => Err(ureq::Error::Other(Box::new(LinkLocalAddress(address)))),
            None => Ok(found),
        }
    }
}

fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_unspecified() || address.is_broadcast(),
        IpAddr::V6(address) => {
            // An IPv6 address can embed an IPv4 address in two formats.
            let within = address.to_ipv4_mapped().or_else(|| address.to_ipv4().filter(|_| !address.is_loopback()));
            address.is_unicast_link_local()
                || address == METADATA_V6
                || within.is_some_and(|address| is_forbidden(IpAddr::V4(address)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_forbidden_in_every_notation() {
        for forbidden in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
        ] {
            assert!(is_forbidden(forbidden.parse().expect("an address")), "{forbidden}");
        }
        for allowed in ["127.0.0.1", "10.0.0.1", "93.184.216.34", "::1", "2606:2800:220:1::1", "169.253.255.255"] {
            assert!(!is_forbidden(allowed.parse().expect("an address")), "{allowed}");
        }
    }
}
