//! Backup and restore of databases on servers that are not configured. The payload contains their connection settings.

use crate::postgres::backup::{BackupManifest, store_verified};
use crate::postgres::config::Config;
use crate::postgres::connect;
use crate::postgres::desired::bad;
use crate::postgres::failed::Failed;
use crate::postgres::observe::split;
use crate::postgres::process::DumpTarget;
use crate::postgres::restore::is_filled;
use host_provider_api::{Call, CallOutcome, Secret};
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::config::Host;

/// Host suffix of Supabase's databases.
const SUPABASE: &str = ".supabase.co";
const USUAL: &str = "postgres";
/// PostgreSQL's default port.
const PORT: u16 = 5432;

/// Builds the connection settings of a database from a payload. `secret` and `endpoint` are the names of payload
/// members. The secret is either the database's URL (`postgres://user:password@host/name`), whose host must match the
/// endpoint, or a password. With a password, the payload also has `user` and `name` (or `database`); on Supabase's
/// hosts both default to `postgres`.
pub(crate) fn foreign(
    call: &Call,
    payload: &Value,
    secret: &str,
    endpoint: &str,
) -> Result<tokio_postgres::Config, Failed> {
    let text = |member: &str| payload.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let nothing = Value::Null;
    let missing = |member: &str, expected: &str| bad(member, payload.get(member).unwrap_or(&nothing), expected);
    let (host, port) = split(text(endpoint).ok_or_else(|| missing(endpoint, "`host` or `host:port`"))?)
        .ok_or_else(|| missing(endpoint, "`host` or `host:port`"))?;
    let plain = call.secret(text(secret).ok_or_else(|| missing(secret, "a secret's reference"))?)?;
    if plain.expose().starts_with("postgres://") || plain.expose().starts_with("postgresql://") {
        // The parser's error may contain a part of the secret.
        let address = tokio_postgres::Config::from_str(plain.expose())
            .map_err(|_| Failed::refused("bad-secret", format!("`{secret}` is not the URL of a database")))?;
        let is_same = matches!(address.get_hosts(), [Host::Tcp(found)] if *found == host);
        let same_port = port.is_none_or(|port| address.get_ports().first().copied().unwrap_or(PORT) == port);
        if !is_same || !same_port {
            let problem = format!("`{secret}` is the URL of another server: expected {host}");
            return Err(Failed::refused("bad-secret", problem));
        }
        return Ok(address);
    }
    let mut address = tokio_postgres::Config::new();
    address.host(&host).port(port.unwrap_or(PORT)).password(plain.expose());
    // In Supabase's outputs, `name` is the project's name. In a migration's payload, `database` is the endpoint.
    let name = text("database").filter(|_| endpoint != "database").or_else(|| text("name"));
    // On other hosts, `postgres` may be the administrator, and the secret must not be tried as its password.
    let usual = |member: &str| match host.ends_with(SUPABASE) {
        true => Ok(USUAL),
        false => Err(missing(member, "a name, since the secret is not a URL")),
    };
    address.user(text("user").map_or_else(|| usual("user"), Ok)?).dbname(name.map_or_else(|| usual("name"), Ok)?);
    Ok(address)
}

/// Connects to a database on another server, with TLS unless that server is on this machine.
pub(crate) async fn open(config: &Config, wanted: tokio_postgres::Config) -> Result<tokio_postgres::Client, Failed> {
    connect::open(config, &wanted, !is_here(&wanted)).await
}

/// Returns true if the database is on this machine.
fn is_here(wanted: &tokio_postgres::Config) -> bool {
    wanted.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        _ => false,
    })
}

/// Returns the payload's `outputs`, if they contain the endpoint of a database.
fn outputs(call: &Call) -> Option<&Value> {
    call.payload.get("outputs").filter(|outputs| outputs.get("endpoint").is_some_and(Value::is_string))
}

/// A connected database on another server.
struct ForeignDatabase {
    inside: Client,
    target: DumpTarget,
}

async fn reach(config: &Config, call: &Call, outputs: &Value) -> Result<ForeignDatabase, Failed> {
    let wanted = foreign(call, outputs, "secret_ref", "endpoint")?;
    let target =
        target(&wanted).ok_or_else(|| bad("endpoint", outputs, "`host` or `host:port`, with a user and a name"))?;
    Ok(ForeignDatabase { inside: open(config, wanted).await?, target })
}

/// Converts connection settings to a target for `pg_dump` and `pg_restore`.
fn target(wanted: &tokio_postgres::Config) -> Option<DumpTarget> {
    let [Host::Tcp(host)] = wanted.get_hosts() else { return None };
    Some(DumpTarget {
        host: host.clone(),
        port: wanted.get_ports().first().copied().unwrap_or(PORT),
        user: wanted.get_user()?.to_owned(),
        password: Secret::new(String::from_utf8_lossy(wanted.get_password()?)),
        database: wanted.get_dbname()?.to_owned(),
        role: None,
        tls: !is_here(wanted),
    })
}

/// Backs up a database on another server. None if the payload has no endpoint of such a database.
pub(crate) async fn backup(config: &Config, call: &Call, until: Instant) -> Result<Option<CallOutcome>, Failed> {
    let Some(outputs) = outputs(call) else { return Ok(None) };
    let ForeignDatabase { inside, target } = reach(config, call, outputs).await?;
    let dump = async |snapshot: &str, draft: &Path| target.dump(config, Some(snapshot), Some(draft), until);
    store_verified(config, call, inside, until, dump).await.map(Some)
}

/// Restores a backup into an empty database on another server. None if the payload has no endpoint of such a database.
/// The restore is one transaction, so after a crash the database contains all of the backup or nothing.
pub(crate) async fn restore(
    config: &Config,
    call: &Call,
    (manifest, content_hash): (&BackupManifest, &str),
    until: Instant,
) -> Result<Option<CallOutcome>, Failed> {
    let Some(outputs) = outputs(call) else { return Ok(None) };
    let ForeignDatabase { inside, target } = reach(config, call, outputs).await?;
    let done = CallOutcome::Done(manifest.restore_outputs());
    if is_filled(&inside).await? {
        // The database has the backup's content if an earlier call restored it.
        return match target.dump(config, None, None, until)? == content_hash {
            true => Ok(Some(done)),
            false => Err(Failed::refused("not-empty", "the database is not empty: expected an empty one")),
        };
    }
    if !inside.query_typed_one("SELECT to_regnamespace('app') IS NOT NULL", &[]).await?.try_get::<_, bool>(0)? {
        inside.batch_execute("CREATE SCHEMA app").await?;
    }
    target.fill(config, &BackupManifest::file(config, &manifest.backup_id), until)?;
    if target.dump(config, None, None, until)? != content_hash {
        inside.batch_execute("DROP SCHEMA IF EXISTS app CASCADE").await?;
        return Err(Failed::retry("restore-differs", "the content of the database differs from the backup"));
    }
    Ok(Some(done))
}
