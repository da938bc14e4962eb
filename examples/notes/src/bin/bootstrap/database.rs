//! The connection to the instance's own database on PostgreSQL.

use notes::{Database, StorageError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Timeout of a connection attempt.
const CONNECT: Duration = Duration::from_secs(10);
/// Timeout of the question whether a connection still works.
const CHECK: Duration = Duration::from_secs(2);
/// Idle time after which a connection is checked before it is used: Lambda stops the program between requests.
const IDLE: Duration = Duration::from_secs(1);
/// The role's setting `default_transaction_read_only` accompanies refused writes and would also refuse to delete. The
/// role's rights say what it may write.
const OPTIONS: &str = "-c default_transaction_read_only=off";

/// The instance's table of notes. The names of columns are the same as in the local provider.
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS notes (
    name text PRIMARY KEY,
    text text NOT NULL,
    changed bigint NOT NULL,
    file_name text,
    file_kind text,
    file_bytes bigint
)";

/// Reasons why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server can't be reached, or refuses the role.
    #[error("can't connect to {address}: {error}")]
    Refused {
        /// Host and port.
        address: String,
        /// Cause.
        error: String,
    },
    /// The server did not respond.
    #[error("can't connect to {0}: no answer within 10 s")]
    Late(String),
    /// The server's certificate is not accepted.
    #[error(
        "can't connect to {address} by TLS: {error}; if an own authority has signed the server's certificate, set \
         `DATABASE_CA` to the path of a PEM file with the authority's certificate"
    )]
    Certificate {
        /// Host and port.
        address: String,
        /// Cause.
        error: rustls::Error,
    },
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The file of authorities can't be used.
    #[error("`DATABASE_CA` is `{path}`: expected a PEM file with certificates ({error})")]
    Authorities {
        /// Value of the variable.
        path: String,
        /// Cause.
        error: String,
    },
}

/// A connection that is kept between requests and replaced if it breaks.
pub struct Connection {
    settings: Database,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    client: Arc<Client>,
    used: Instant,
}

impl Connection {
    pub fn new(settings: Database) -> Connection {
        Connection { settings, kept: Mutex::new(None) }
    }

    /// Returns a working connection to a database that has the table.
    pub async fn client(&self) -> Result<Arc<Client>, StorageError> {
        let mut kept = self.kept.lock().await;
        if let Some(Kept { client, used }) = kept.as_mut()
            && works(client, *used).await
        {
            *used = Instant::now();
            return Ok(client.clone());
        }
        // A broken connection must not stay if the new one fails.
        *kept = None;
        let client = Arc::new(connect(&self.settings).await.map_err(StorageError::database)?);
        make_table(&client).await.map_err(not_written)?;
        *kept = Some(Kept { client: client.clone(), used: Instant::now() });
        Ok(client)
    }
}

async fn works(client: &Client, used: Instant) -> bool {
    // The connection's task reads first whether the server has ended the connection.
    tokio::task::yield_now().await;
    if client.is_closed() || used.elapsed() < IDLE {
        return !client.is_closed();
    }
    matches!(tokio::time::timeout(CHECK, client.check_connection()).await, Ok(Ok(())))
}

/// Creates the table if it is missing. Where it exists, nothing is written: the role may not be allowed to.
async fn make_table(client: &Client) -> Result<(), tokio_postgres::Error> {
    let exists = client.query_one("SELECT to_regclass('notes') IS NOT NULL", &[]).await?;
    match exists.try_get(0)? {
        true => Ok(()),
        // Two first requests at the same time would both create it, and one would fail.
        false => {
            let locked = format!("SELECT pg_advisory_xact_lock(hashtextextended('notes', 0)); {SCHEMA}");
            client.batch_execute(&locked).await
        }
    }
}

async fn connect(settings: &Database) -> Result<Client, ConnectError> {
    let mut config = Config::new();
    config.host(&settings.host).port(settings.port).dbname(&settings.name);
    config.user(&settings.user).password(&settings.password).application_name("notes").options(OPTIONS);
    config.connect_timeout(CONNECT);
    // An operator who sets `DATABASE_CA` expects TLS. Otherwise the server decides.
    config.ssl_mode(if settings.authorities.is_some() { SslMode::Require } else { SslMode::Prefer });
    let connector = MakeRustlsConnect::new(tls(settings.authorities.as_deref())?);
    let address = || format!("{}:{}", settings.host, settings.port);
    let attempt = tokio::time::timeout(CONNECT, config.connect(connector)).await;
    let connected = attempt.map_err(|_| ConnectError::Late(address()))?;
    let (client, connection) = connected.map_err(|error| refused(address(), &error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("the connection to the database has ended: {}", described(&error));
        }
    });
    Ok(client)
}

fn refused(address: String, error: &tokio_postgres::Error) -> ConnectError {
    match certificate_error(error) {
        Some(error) => ConnectError::Certificate { address, error },
        None => ConnectError::Refused { address, error: described(error) },
    }
}

/// Returns the error of TLS among the causes.
fn certificate_error(error: &tokio_postgres::Error) -> Option<rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(found) = cause {
        let inner = found.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let of_io = inner.and_then(|error| error.downcast_ref::<rustls::Error>());
        if let Some(found @ rustls::Error::InvalidCertificate(_)) = found.downcast_ref().or(of_io) {
            return Some(found.clone());
        }
        cause = found.source();
    }
    None
}

/// Returns an error with its causes. `tokio_postgres::Error` alone often says no more than `db error`.
fn described(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(found) = cause {
        text.push_str(": ");
        text.push_str(&found.to_string());
        cause = found.source();
    }
    text
}

/// Converts an error of a statement.
pub fn failed(error: tokio_postgres::Error) -> StorageError {
    StorageError::database(described(&error))
}

/// Converts an error of a statement that writes: a full database is one whose rights to write the provider has taken away.
pub fn not_written(error: tokio_postgres::Error) -> StorageError {
    let refusals = [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::READ_ONLY_SQL_TRANSACTION];
    match error.code() {
        Some(code) if refusals.contains(code) => StorageError::Full,
        _ => failed(error),
    }
}

/// Returns settings of TLS with the machine's authorities and those of the file.
fn tls(authorities: Option<&Path>) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = authorities {
        let unusable = |error: String| ConnectError::Authorities { path: path.display().to_string(), error };
        let found = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
        let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| unusable(error.to_string()))?;
        let (added, _) = roots.add_parsable_certificates(found);
        if added == 0 {
            return Err(unusable("no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
