//! Sends one probe request. Requests to forbidden addresses are not sent.

use crate::http::Reach;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Maximum number of bytes read from a response body. The rest is ignored.
pub const BODY_BYTES_MAX: u64 = 64 * 1024;
/// Maximum size of a response's headers in bytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Limits of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Timeout of a whole request, including name resolution and body.
    pub timeout: Duration,
    /// The addresses that a request may reach. They are restricted because a URL can contain data from a customer.
    pub reach: Reach,
}

impl Default for Config {
    /// A timeout of ten seconds, and only addresses of the public internet.
    fn default() -> Self {
        Config { timeout: Duration::from_secs(10), reach: Reach::public() }
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
            .tls_config(crate::http::tls());
        let resolver = GuardedResolver { inner: DefaultResolver::default(), reach: config.reach };
        HttpProbe { agent: Agent::with_parts(agent.build(), DefaultConnector::default(), resolver) }
    }

    pub fn send(&self, url: &str) -> ProbeResult {
        let response = match self.agent.get(url).call() {
            Ok(response) => response,
            Err(ureq::Error::Other(error)) if error.is::<PrivateAddress>() => {
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

/// An address outside the public internet, such as the one at which cloud providers serve credentials.
#[derive(Debug, thiserror::Error)]
#[error(
    "the address {0} is private: expected one of the public internet, or of `http.networks` in the provider settings"
)]
struct PrivateAddress(IpAddr);

/// Resolves names as usual, but fails if a resolved address may not be reached.
#[derive(Debug)]
struct GuardedResolver {
    inner: DefaultResolver,
    reach: Reach,
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // Names under `localhost` mean this machine, even if the machine's resolver does not know them (RFC 6761).
        let found = if uri.host().is_some_and(|host| host.ends_with(".localhost")) {
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
            let mut found = self.inner.empty();
            found.push((Ipv4Addr::LOCALHOST, port).into());
            found
        } else {
            self.inner.resolve(uri, config, timeout)?
        };
        // The connection goes to one of these addresses: the name is not resolved again.
        match found.iter().map(|address| address.ip()).find(|address| !self.reach.allows(*address)) {
            Some(address) => Err(ureq::Error::Other(Box::new(PrivateAddress(address)))),
            None => Ok(found),
        }
    }
}
