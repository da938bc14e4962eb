//! Sends one message. Outside local mode, no request goes to an address in the server's own network, whatever its name resolves to.

use crate::webhooks::address::is_private;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Time for a whole request.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The answer to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// HTTP status; none if there is no answer.
    pub status: Option<u16>,
    /// Why there is no answer.
    pub error: Option<Failure>,
}

/// Why a message has no answer. The log shows the name to whoever created the endpoint, so it reveals nothing about other machines:
/// neither which names and ports the server's own network has, nor the contents of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing was reached: the name resolves to no address on the public internet, or nothing answers there.
    NotReached,
    /// No secure connection could be established.
    Tls,
    /// There was no answer in time.
    Timeout,
    /// The answer is not HTTP.
    NotHttp,
    /// The server could not sign the message.
    NotSigned,
}

impl Failure {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Failure::NotReached => "not-reached",
            Failure::Tls => "tls",
            Failure::Timeout => "timeout",
            Failure::NotHttp => "not-http",
            Failure::NotSigned => "not-signed",
        }
    }

    fn of(error: &ureq::Error) -> Failure {
        match error {
            ureq::Error::Timeout(_) => Failure::Timeout,
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Failure::Tls,
            // rustls wraps its errors, such as those about a certificate.
            ureq::Error::Io(error) if is_of_tls(error) => Failure::Tls,
            ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..) => Failure::NotHttp,
            _ => Failure::NotReached,
        }
    }
}

fn is_of_tls(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
}

/// Sends messages. Tests use their own implementation.
pub trait Transport: Send + Sync {
    /// Sends a body with headers to an address, once.
    fn send(&self, url: &str, headers: &[(&str, String)], body: &str) -> Sent;
}

/// Sends messages over HTTP.
pub struct HttpSender(Agent);

impl HttpSender {
    /// Creates a sender. With `is_local`, it can also reach this machine and its network.
    pub fn new(is_local: bool) -> HttpSender {
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            // A redirect could lead anywhere, and nobody who sends webhooks has a use for one.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // A proxy would resolve the name itself, so the address could not be checked.
            .proxy(None)
            .max_idle_connections(0)
            .user_agent(concat!("provisioner/", env!("CARGO_PKG_VERSION")))
            .tls_config(host_providers::http::tls());
        let resolver = PublicResolver { inner: DefaultResolver::default(), is_local };
        HttpSender(Agent::with_parts(config.build(), DefaultConnector::default(), resolver))
    }
}

impl Transport for HttpSender {
    fn send(&self, url: &str, headers: &[(&str, String)], body: &str) -> Sent {
        let mut request = self.0.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match request.send(body) {
            // The body of an answer is not read.
            Ok(answer) => Sent { status: Some(answer.status().as_u16()), error: None },
            Err(error) => Sent { status: None, error: Some(Failure::of(&error)) },
        }
    }
}

/// A name is unknown, or resolves to an address that is not on the public internet. The error does not say which, since that would
/// reveal the names in the server's own network.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address of the public internet")]
struct NoPublicAddress;

/// Resolves names, and leaves out addresses that are not public.
#[derive(Debug)]
struct PublicResolver {
    inner: DefaultResolver,
    is_local: bool,
}

impl Resolver for PublicResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout);
        if self.is_local {
            return found;
        }
        // The connection goes to one of these addresses; the name is not resolved again.
        match found {
            Ok(found) if found.iter().all(|address| !is_private(address.ip())) => Ok(found),
            Ok(_) | Err(ureq::Error::HostNotFound | ureq::Error::Io(_)) => {
                Err(ureq::Error::Other(Box::new(NoPublicAddress)))
            }
            Err(other) => Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn a_name_that_leads_to_this_machine_is_not_reached_unless_the_server_is_local() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("http://localhost:{port}/hooks");
        let sent = HttpSender::new(false).send(&url, &[], "{}");
        assert_eq!(sent.status, None);
        // No label of a name has more than 63 letters, so no server is asked for this one.
        let unknown = HttpSender::new(false).send(&format!("http://{}.example/hooks", "a".repeat(64)), &[], "{}");
        assert_eq!(sent, unknown, "nobody learns which names the own network has");
        assert_eq!(sent.error, Some(Failure::NotReached));
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut bytes = [0; 4096];
            let mut text = String::new();
            while !text.ends_with("{\"a\":1}") {
                let read = stream.read(&mut bytes).expect("bytes");
                text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
            stream
                .write_all(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
                .expect("written");
            text.to_lowercase()
        });
        let sent = HttpSender::new(true).send(
            &format!("http://127.0.0.1:{port}/hooks"),
            &[("webhook-id", "msg_1".into())],
            "{\"a\":1}",
        );
        assert_eq!(sent, Sent { status: Some(302), error: None }, "a redirect is not followed");
        let text = answering.join().expect("an answer");
        assert!(text.starts_with("post /hooks ") && text.contains("webhook-id: msg_1"), "{text}");
    }

    #[test]
    fn the_log_says_nothing_of_the_machine_that_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, send) =
            (HttpSender::new(true), |sender: &HttpSender, url: String| sender.send(&url, &[], "{}").error);
        let answering = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().expect("a connection");
                stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n").expect("written");
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        assert_eq!(send(&sender, format!("http://127.0.0.1:{port}/")), Some(Failure::NotHttp));
        assert_eq!(send(&sender, format!("https://127.0.0.1:{port}/")), Some(Failure::Tls));
        answering.join().expect("two connections");
        assert_eq!(send(&sender, format!("http://127.0.0.1:{port}/")), Some(Failure::NotReached), "a closed port");
        assert_eq!(send(&sender, format!("http://{}.example/", "a".repeat(64))), Some(Failure::NotReached));
    }
}
