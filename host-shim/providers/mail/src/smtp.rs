//! A mail to a server, over connections that are kept.

use crate::config::{BadConfig, Password, Security, Smtp};
use host_provider_api::{Call, CallOutcome, Secret};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig, SmtpTransport};
use lettre::{Message, Transport};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(60);
/// Characters of what a server said that are told on, at most.
const SAID_MAX: usize = 200;

pub(crate) struct Server {
    smtp: Smtp,
    tls: Tls,
    /// The connections, with the password that they were made with.
    open: Mutex<Option<(Option<Secret>, SmtpTransport)>>,
}

impl Server {
    pub fn new(smtp: Smtp) -> Result<Server, BadConfig> {
        let bad = |field, expected| BadConfig { field, found: smtp.host.clone(), expected };
        let parameters = || {
            TlsParameters::new_rustls(smtp.host.clone()).map_err(|_| bad("host", "a name that a certificate can bear"))
        };
        let tls = match smtp.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::PlainOnLoopback if is_loopback(&smtp.host) => Tls::None,
            Security::PlainOnLoopback => return Err(bad("host", "this machine, since the connection is plain")),
        };
        Ok(Server { smtp, tls, open: Mutex::new(None) })
    }

    /// The server has taken the mail, or the answer says why not.
    pub fn deliver(&self, call: &Call, mail: &Message) -> Result<(), CallOutcome> {
        let password = match &self.smtp.login {
            None => None,
            Some((_, Password::Plain(secret))) => Some(secret.clone()),
            Some((_, Password::Reference(reference))) => Some(call.secret(reference).map_err(CallOutcome::from)?),
        };
        self.transport(password).send(mail).map(drop).map_err(|error| failed(&error))
    }

    fn transport(&self, password: Option<Secret>) -> SmtpTransport {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, transport)) = &*open
            && *of == password
        {
            return transport.clone();
        }
        let pool = PoolConfig::new().max_size(self.smtp.connections.max(1)).idle_timeout(IDLE);
        // Its other two constructors choose port and TLS themselves; both are set here.
        let mut builder = SmtpTransport::builder_dangerous(&self.smtp.host)
            .port(self.smtp.port)
            .tls(self.tls.clone())
            .timeout(Some(self.smtp.timeout))
            .pool_config(pool);
        if let (Some((user, _)), Some(password)) = (&self.smtp.login, &password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        let transport = builder.build();
        *open = Some((password, transport.clone()));
        transport
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the server refuses for good is refused; that it wants another login is the operator's to mend, and all else may pass.
fn failed(error: &Error) -> CallOutcome {
    let code = error.status().map(u16::from);
    // Servers like to repeat the address, which is personal and does not belong in a failure that is kept.
    let said = error.to_string();
    let said = said.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    let said: String = said.collect::<Vec<_>>().join(" ").chars().take(SAID_MAX).collect();
    match code {
        Some(530 | 534 | 535 | 538) => CallOutcome::retry("login-refused", said),
        Some(code) if (500..600).contains(&code) => CallOutcome::refused("mail-refused", said),
        Some(_) => CallOutcome::retry("mail-deferred", said),
        None => CallOutcome::retry("mail-unreachable", said),
    }
}
