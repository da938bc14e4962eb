//! One request, to an address that may be asked.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Bytes that are read of an answer; what is longer is left.
pub const BODY_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of an answer's headers at most.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Where one provider of machines has its metadata in IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Limits of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long all of a request may take, name and body included.
    pub timeout: Duration,
}

impl Default for Config {
    /// Ten seconds.
    fn default() -> Self {
        Config { timeout: Duration::from_secs(10) }
    }
}

/// What came of a request.
pub(crate) enum Asked {
    Good,
    Bad,
    /// Nothing was asked, since nobody may be asked there; why, for operators.
    NotAllowed(String),
}

pub(crate) struct Asker {
    agent: Agent,
}

impl Asker {
    pub fn new(config: Config) -> Asker {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots = found.iter().map(|found| Certificate::from_der(found).to_owned());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::from(roots));
        let agent = Agent::config_builder()
            .timeout_global(Some(config.timeout))
            .max_redirects(0)
            .http_status_as_error(false)
            .max_response_header_size(HEADER_BYTES_MAX)
            // Through a proxy the address that is asked would be the proxy's to choose.
            .proxy(None)
            // A connection that is kept would answer for a server that takes no new ones.
            .max_idle_connections(0)
            .user_agent("health-probe")
            .tls_config(tls.build());
        Asker { agent: Agent::with_parts(agent.build(), DefaultConnector::default(), OutsideOnly::default()) }
    }

    pub fn ask(&self, url: &str) -> Asked {
        let answer = match self.agent.get(url).call() {
            Ok(answer) => answer,
            Err(ureq::Error::Other(error)) if error.is::<Inside>() => return Asked::NotAllowed(error.to_string()),
            Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => {
                return Asked::NotAllowed("`url` is no address".to_owned());
            }
            Err(_) => return Asked::Bad,
        };
        let is_good = answer.status().as_u16() < 400;
        let mut body = answer.into_body().into_reader().take(BODY_BYTES_MAX);
        // What breaks off or stands still in the middle is no answer.
        match std::io::copy(&mut body, &mut std::io::sink()) {
            Ok(_) if is_good => Asked::Good,
            _ => Asked::Bad,
        }
    }
}

/// An address of the machine's own link, where cloud providers have credentials.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} is of the machine's own link: expected one that others reach")]
struct Inside(IpAddr);

/// Finds addresses as usual and refuses those of the machine's own link, by whatever name they came.
#[derive(Debug, Default)]
struct OutsideOnly(DefaultResolver);

impl Resolver for OutsideOnly {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // Names under `localhost` are this machine, also where its resolver does not know them (RFC 6761).
        if uri.host().is_some_and(|host| host.ends_with(".localhost")) {
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
            let mut found = self.0.empty();
            found.push((Ipv4Addr::LOCALHOST, port).into());
            return Ok(found);
        }
        let found = self.0.resolve(uri, config, timeout)?;
        match found.iter().map(|address| address.ip()).find(|address| is_inside(*address)) {
            Some(address) => Err(ureq::Error::Other(Box::new(Inside(address)))),
            None => Ok(found),
        }
    }
}

fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_unspecified() || address.is_broadcast(),
        IpAddr::V6(address) => {
            // An IPv4 address may come dressed as one of IPv6, in either of two ways.
            let within = address.to_ipv4_mapped().or_else(|| address.to_ipv4().filter(|_| !address.is_loopback()));
            address.is_unicast_link_local()
                || address == METADATA_V6
                || within.is_some_and(|address| is_inside(IpAddr::V4(address)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_own_link_are_inside_however_they_are_written() {
        for inside in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
        ] {
            assert!(is_inside(inside.parse().expect("an address")), "{inside}");
        }
        for outside in ["127.0.0.1", "10.0.0.1", "93.184.216.34", "::1", "2606:2800:220:1::1", "169.253.255.255"] {
            assert!(!is_inside(outside.parse().expect("an address")), "{outside}");
        }
    }
}
