//! Where is the database? Reads the address of a store, and opens connections to it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};

/// Schema of the store's tables, unless the address names another.
const SCHEMA: &str = "provisioner";
/// Longest wait of a statement for a lock.
const LOCK: Duration = Duration::from_secs(10);
/// Longest time that a transaction may be open without a statement: a host that hangs must not hold up others for ever.
const IDLE: Duration = Duration::from_secs(60);

/// The reason why a database cannot be used as a store. No text has a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is wrong.
    #[error("address of the store: {0}")]
    Address(String),
    /// The database was not reached, or refused the connection.
    #[error("cannot connect to PostgreSQL: {0}")]
    Unreachable(String),
    /// This machine cannot open connections.
    #[error("cannot open connections: {0}")]
    Machine(String),
    /// The database was written by a newer version of this program.
    #[error("schema version {found} is newer than the newest supported version {known}")]
    TooNew {
        /// The database's version.
        found: i32,
        /// Newest version that this program supports.
        known: i32,
    },
    /// The database was written by an older version of this program, and may only be read.
    #[error(
        "schema version {found} is older than {known}: start the server once, which brings the database up to date"
    )]
    TooOld {
        /// The database's version.
        found: i32,
        /// Version that this program reads.
        known: i32,
    },
    /// The server is too old.
    #[error("PostgreSQL {found} is too old: expected 15 or newer")]
    OldServer {
        /// Version of the server, for example `14.2`.
        found: String,
    },
    /// The encoding of the database is not UTF-8.
    #[error("the database has the encoding {found}: expected UTF8")]
    Encoding {
        /// The encoding.
        found: String,
    },
    /// A statement failed.
    #[error("PostgreSQL: {0}")]
    Sql(String),
}

impl From<host_store::StoreError> for OpenError {
    fn from(error: host_store::StoreError) -> Self {
        OpenError::Sql(error.to_string())
    }
}

/// The address of a store: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME&sslmode=MODE`.
///
/// `sslmode` is `disable`, `prefer` or `require`; on TCP the default is `require`, with a certificate for the host name. On a
/// Unix socket there is no TLS.
#[derive(Clone)]
pub struct Settings {
    config: Config,
    schema: String,
    /// Options of the address, beside those of this program.
    own_options: Option<String>,
    /// PEM file with certificate authorities to trust beside the machine's.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only for TLS"))]
    ca: Option<std::path::PathBuf>,
}

/// Writes the hosts, the database and the schema; no password.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<String> = (self.config.get_hosts().iter())
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        write!(f, "postgres {} at {}", self.config.get_dbname().unwrap_or_default(), hosts.join(","))?;
        if self.schema == SCHEMA { Ok(()) } else { write!(f, ", schema {}", self.schema) }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Settings {
    type Err = OpenError;

    fn from_str(address: &str) -> Result<Self, OpenError> {
        let (rest, query) = address.split_once('?').unwrap_or((address, ""));
        let (mut schema, mut ca, mut mode, mut kept) = (SCHEMA.to_owned(), None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("schema", name)) => name.clone_into(&mut schema),
                Some(("sslrootcert", file)) => ca = Some(file.into()),
                Some(("sslmode", name)) => mode = Some(name),
                _ => kept.push(pair),
            }
        }
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            let is_first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
            is_first && name.len() <= 63 && bytes.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        };
        if !is_name(&schema) {
            return Err(OpenError::Address(format!(
                "schema `{schema}`: expected a name of at most 63 lower case letters, digits and `_`"
            )));
        }
        let address = if kept.is_empty() { rest.to_owned() } else { format!("{rest}?{}", kept.join("&")) };
        // The library's error would quote the address, which may have a password.
        let mut config: Config = address
            .parse()
            .map_err(|_| OpenError::Address("expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`".to_owned()))?;
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let mode = match mode {
            Some("disable") => SslMode::Disable,
            Some("prefer") => SslMode::Prefer,
            Some("require" | "verify-full") => SslMode::Require,
            None if is_local => SslMode::Disable,
            None => SslMode::Require,
            Some(other) => {
                let text = format!("sslmode `{other}`: expected `disable`, `prefer`, `require` or `verify-full`");
                return Err(OpenError::Address(text));
            }
        };
        config.ssl_mode(mode).connect_timeout(Duration::from_secs(5));
        config.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(Duration::from_secs(30));
        let own_options = config.get_options().map(str::to_owned);
        Ok(Settings { config, schema: String::new(), own_options, ca }.in_schema(&schema))
    }
}

impl Settings {
    /// Returns the schema of the store's tables.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns the settings for another schema of the database. The name has no spaces, quotes and backslashes.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Settings {
        // Plans are made once: those with the values of a call are no better here, and making them costs more than running them.
        // A host that is gone without a word must not keep its locks for the hours of the server's own setting.
        let options = format!(
            "-c search_path=\"{schema}\" -c lock_timeout={} -c idle_in_transaction_session_timeout={} -c jit=off \
             -c plan_cache_mode=force_generic_plan -c default_transaction_isolation=read\\ committed \
             -c client_min_messages=warning -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
            LOCK.as_millis(),
            IDLE.as_millis()
        );
        let options = self.own_options.as_ref().map_or_else(|| options.clone(), |own| format!("{options} {own}"));
        let mut config = self.config.clone();
        config.options(options).application_name(format!("provisioner {schema}"));
        Settings { config, schema: schema.to_owned(), ..self.clone() }
    }

    /// Opens a connection, and returns it with the task that drives it.
    pub(crate) async fn connect(&self) -> Result<(Client, JoinHandle<()>), OpenError> {
        if self.config.get_ssl_mode() != SslMode::Disable {
            return self.connect_by_tls().await;
        }
        let (client, connection) = self.config.connect(NoTls).await.map_err(unreachable)?;
        // An error of the connection also fails the next request, so it is ignored here.
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }

    #[cfg(feature = "tls")]
    async fn connect_by_tls(&self) -> Result<(Client, JoinHandle<()>), OpenError> {
        let tls = crate::tls::settings(self.ca.as_deref())?;
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
        let (client, connection) = self.config.connect(tls).await.map_err(unreachable)?;
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }

    #[cfg(not(feature = "tls"))]
    async fn connect_by_tls(&self) -> Result<(Client, JoinHandle<()>), OpenError> {
        std::future::ready(Err(OpenError::Address(
            "the host asks for TLS, but this program is built without the feature `tls`: add `sslmode=disable` if the network is trusted"
                .to_owned(),
        )))
        .await
    }
}

fn unreachable(error: tokio_postgres::Error) -> OpenError {
    use std::error::Error;
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    OpenError::Unreachable(format!("{error}{cause}"))
}
