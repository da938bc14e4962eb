//! Sends mails to an SMTP server over pooled connections.

use crate::mail::DEFERRED;
use crate::mail::config::{BadConfig, Password, Security, Smtp};
use host_provider_api::{Call, CallOutcome, Secret};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig, SmtpTransport};
use lettre::{Message, Transport};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Time after which an idle connection is closed.
const IDLE: Duration = Duration::from_secs(60);
/// Maximum number of characters of a server's message in an outcome.
const MESSAGE_CHARS_MAX: usize = 200;

pub(crate) struct Server {
    smtp: Smtp,
    tls: Tls,
    /// The connection pool, with the password that it uses.
    pool: Mutex<Option<(Option<Secret>, SmtpTransport)>>,
}

impl Server {
    pub fn new(smtp: Smtp) -> Result<Server, BadConfig> {
        let bad = |field, expected| BadConfig { field, found: smtp.host.clone(), expected };
        let parameters = || {
            TlsParameters::new_rustls(smtp.host.clone()).map_err(|_| bad("host", "a valid host name of a certificate"))
        };
        let tls = match smtp.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::PlainOnLoopback if is_loopback(&smtp.host) => Tls::None,
            Security::PlainOnLoopback => {
                return Err(bad("host", "this machine, since the connection is not encrypted"));
            }
        };
        Ok(Server { smtp, tls, pool: Mutex::new(None) })
    }

    /// Sends the mail.
    pub fn deliver(&self, call: &Call, mail: &Message) -> Result<(), CallOutcome> {
        let password = match &self.smtp.login {
            None => None,
            Some((_, Password::Plain(secret))) => Some(secret.clone()),
            Some((_, Password::Reference(reference))) => Some(call.secret(reference).map_err(CallOutcome::from)?),
        };
        self.transport(password).send(mail).map(drop).map_err(|error| failed(&error))
    }

    fn transport(&self, password: Option<Secret>) -> SmtpTransport {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, transport)) = &*pool
            && *of == password
        {
            return transport.clone();
        }
        let pool_config = PoolConfig::new().max_size(self.smtp.connections.max(1)).idle_timeout(IDLE);
        // The other constructors choose the port and the encryption themselves.
        let mut builder = SmtpTransport::builder_dangerous(&self.smtp.host)
            .port(self.smtp.port)
            .tls(self.tls.clone())
            .timeout(Some(self.smtp.timeout))
            .pool_config(pool_config);
        if let (Some((user, _)), Some(password)) = (&self.smtp.login, &password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        let transport = builder.build();
        *pool = Some((password, transport.clone()));
        transport
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns the outcome of a failed delivery. Permanent errors are refused, except login errors, which the operator can
/// fix. Login errors and all other errors are retried.
fn failed(error: &Error) -> CallOutcome {
    let code = error.status().map(u16::from);
    // Servers often repeat the address, which is personal data and must not be stored with the failure.
    let message = error.to_string();
    let message = message.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    let message: String = message.collect::<Vec<_>>().join(" ").chars().take(MESSAGE_CHARS_MAX).collect();
    match code {
        Some(530 | 534 | 535 | 538) => CallOutcome::retry("login-refused", message),
        Some(code) if (500..600).contains(&code) => CallOutcome::refused("mail-refused", message),
        // The server closes the connection.
        None | Some(421) => CallOutcome::retry("mail-unreachable", message),
        Some(_) => CallOutcome::retry(DEFERRED, message),
    }
}
