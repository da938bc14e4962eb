//! Opens connections to PostgreSQL. A provider call opens one or more connections, all of which have timeouts.

use crate::postgres::config::{Config, Password, ServerConfig};
use crate::postgres::failed::Failed;
use host_provider_api::Secret;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, NoTls};

/// Timeout of a connection attempt.
const CONNECT: Duration = Duration::from_secs(10);
/// The database for administrative connections.
pub(crate) const ADMIN_DATABASE: &str = "postgres";

/// Runs `work` on this thread, and fails if it takes longer than `limit`. Cancels the tasks that `work` has spawned.
pub(crate) fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let late = |_| {
            Failed::retry(
                "timeout",
                format!("no result after {} ms; the work may have taken effect", limit.as_millis()),
            )
        };
        tokio::time::timeout(limit, work).await.map_err(late)?
    });
    // `drop` would wait for a pending name resolution; `shutdown_background` does not.
    runtime.shutdown_background();
    done
}

pub(crate) fn runtime() -> Result<Runtime, Failed> {
    let built = Builder::new_current_thread().enable_io().enable_time().build();
    built.map_err(|error| Failed::retry("machine-unavailable", error.to_string()))
}

/// Connects to a database of a server as administrator.
pub(crate) async fn as_admin(
    config: &Config,
    server: &ServerConfig,
    password: &Secret,
    database: &str,
) -> Result<Client, Failed> {
    let millis = config.call_timeout.as_millis();
    // With this `search_path`, a tenant's objects can't shadow PostgreSQL's own tables and functions.
    let options = format!(
        "-c search_path=pg_catalog -c statement_timeout={millis} -c lock_timeout={millis} \
         -c idle_in_transaction_session_timeout={millis}"
    );
    let mut wanted = tokio_postgres::Config::new();
    wanted.user(&server.admin_user).password(password.expose()).dbname(database).options(options);
    open(config, wanted.host(&server.host).port(server.port), server.tls).await
}

/// Connects with the settings `wanted`, with TLS or unencrypted.
pub(crate) async fn open(config: &Config, wanted: &tokio_postgres::Config, tls: bool) -> Result<Client, Failed> {
    let mut wanted = found(config, wanted);
    wanted.connect_timeout(CONNECT).application_name("provisioner");
    wanted.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(Duration::from_secs(60));
    if tls {
        return by_tls(config, wanted.ssl_mode(SslMode::Require)).await;
    }
    let (client, connection) = wanted.ssl_mode(SslMode::Disable).connect(NoTls).await?;
    // A connection error also fails the client's next request, so it is ignored here.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Sets the configured address of the host, if there is one. The host name is kept, because the certificate must match
/// it.
fn found(config: &Config, wanted: &tokio_postgres::Config) -> tokio_postgres::Config {
    let [Host::Tcp(host)] = wanted.get_hosts() else { return wanted.clone() };
    let Some(address) = config.addresses.get(host) else { return wanted.clone() };
    let mut found = tokio_postgres::Config::new();
    found.host(host).hostaddr(address.ip()).port(address.port());
    if let Some(user) = wanted.get_user() {
        found.user(user);
    }
    if let Some(password) = wanted.get_password() {
        found.password(password);
    }
    if let Some(name) = wanted.get_dbname() {
        found.dbname(name);
    }
    if let Some(options) = wanted.get_options() {
        found.options(options);
    }
    found
}

async fn by_tls(config: &Config, wanted: &tokio_postgres::Config) -> Result<Client, Failed> {
    use std::sync::Arc;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unready = |error: String| Failed::retry("machine-unavailable", format!("TLS can't be set up: {error}"));
    let roots = roots(config.ca.as_deref()).map_err(unready)?;
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unready(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (client, connection) = wanted.connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls)).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

fn roots(ca: Option<&std::path::Path>) -> Result<rustls::RootCertStore, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca {
        let unread = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        for found in CertificateDer::pem_file_iter(file).map_err(|error| unread(&error))? {
            let certificate = found.map_err(|error| unread(&error))?;
            roots.add(certificate).map_err(|error| unread(&error))?;
        }
    }
    if roots.is_empty() { Err("the machine has no root certificates".to_owned()) } else { Ok(roots) }
}

/// Resolves the administrator's password.
pub(crate) fn password(
    server: &ServerConfig,
    resolve: impl FnOnce(&str) -> Result<Secret, host_provider_api::SecretError>,
) -> Result<Secret, Failed> {
    match &server.admin_password {
        Password::Plain(secret) => Ok(secret.clone()),
        Password::Reference(reference) => resolve(reference).map_err(Failed::from),
    }
}
