//! A database that is not on our servers: reached by what a payload tells, saved and brought back.

use crate::backup::{Kept, keep};
use crate::config::Config;
use crate::connect;
use crate::failed::Failed;
use crate::observe::split;
use crate::process::Way;
use crate::restore::is_filled;
use crate::wish::bad;
use host_provider_api::{Call, CallOutcome, Secret};
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::config::Host;

/// What the hosts of Supabase's databases end with, and their user and database.
const SUPABASE: &str = ".supabase.co";
const USUAL: &str = "postgres";
/// The port that PostgreSQL has unless somebody says so.
const PORT: u16 = 5432;

/// How to reach a database by what a payload tells: a secret that is its address (`postgres://user:password@host/name`), whose host
/// must be the one that was told openly; or a password, with `user` and `name` (or `database`) beside it, each `postgres` if it
/// isn't told and the host is Supabase's.
pub(crate) fn foreign(
    call: &Call,
    told: &Value,
    secret: &str,
    endpoint: &str,
) -> Result<tokio_postgres::Config, Failed> {
    let text = |member: &str| told.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let nothing = Value::Null;
    let missing = |member: &str, expected: &str| bad(member, told.get(member).unwrap_or(&nothing), expected);
    let (host, port) = split(text(endpoint).ok_or_else(|| missing(endpoint, "`host` or `host:port`"))?)
        .ok_or_else(|| missing(endpoint, "`host` or `host:port`"))?;
    let plain = call.secret(text(secret).ok_or_else(|| missing(secret, "a secret's reference"))?)?;
    if plain.expose().starts_with("postgres://") || plain.expose().starts_with("postgresql://") {
        // The parser's error would name the part that it stumbled over.
        let address = tokio_postgres::Config::from_str(plain.expose())
            .map_err(|_| Failed::refused("bad-secret", format!("`{secret}` is no address of a database")))?;
        let is_same = matches!(address.get_hosts(), [Host::Tcp(found)] if *found == host);
        let same_port = port.is_none_or(|port| address.get_ports().first().copied().unwrap_or(PORT) == port);
        if !is_same || !same_port {
            let problem = format!("`{secret}` is the address of another server: expected {host}");
            return Err(Failed::refused("bad-secret", problem));
        }
        return Ok(address);
    }
    let mut address = tokio_postgres::Config::new();
    address.host(&host).port(port.unwrap_or(PORT)).password(plain.expose());
    // Supabase's outputs have a project's name under `name`; in a step's payload `database` is the endpoint.
    let name = text("database").filter(|_| endpoint != "database").or_else(|| text("name"));
    // Elsewhere these may be an administrator's, whose password nobody may try.
    let usual = |member: &str| match host.ends_with(SUPABASE) {
        true => Ok(USUAL),
        false => Err(missing(member, "a name, since the secret is no address")),
    };
    address.user(text("user").map_or_else(|| usual("user"), Ok)?).dbname(name.map_or_else(|| usual("name"), Ok)?);
    Ok(address)
}

/// A connection to a database that is not on our servers: by TLS unless it is on this machine.
pub(crate) async fn open(config: &Config, wanted: tokio_postgres::Config) -> Result<tokio_postgres::Client, Failed> {
    connect::open(config, &wanted, !is_here(&wanted)).await
}

/// Whether it is on this machine.
fn is_here(wanted: &tokio_postgres::Config) -> bool {
    wanted.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        _ => false,
    })
}

/// The outputs of a database that a payload names, if it is none of ours: `database.backup` and `database.restore` have them.
fn outputs(call: &Call) -> Option<&Value> {
    call.payload.get("outputs").filter(|outputs| outputs.get("endpoint").is_some_and(Value::is_string))
}

/// A database elsewhere, reached.
struct Reached {
    inside: Client,
    way: Way,
}

async fn reach(config: &Config, call: &Call, outputs: &Value) -> Result<Reached, Failed> {
    let wanted = foreign(call, outputs, "secret_ref", "endpoint")?;
    let way = way(&wanted).ok_or_else(|| bad("endpoint", outputs, "`host` or `host:port`, with a user and a name"))?;
    Ok(Reached { inside: open(config, wanted).await?, way })
}

/// The same for the programs that dump and restore.
fn way(wanted: &tokio_postgres::Config) -> Option<Way> {
    let [Host::Tcp(host)] = wanted.get_hosts() else { return None };
    Some(Way {
        host: host.clone(),
        port: wanted.get_ports().first().copied().unwrap_or(PORT),
        user: wanted.get_user()?.to_owned(),
        password: Secret::new(String::from_utf8_lossy(wanted.get_password()?)),
        database: wanted.get_dbname()?.to_owned(),
        role: None,
        tls: !is_here(wanted),
    })
}

/// Saves a database elsewhere as one of ours is saved; none if the payload names none.
pub(crate) async fn backup(config: &Config, call: &Call, until: Instant) -> Result<Option<CallOutcome>, Failed> {
    let Some(outputs) = outputs(call) else { return Ok(None) };
    let Reached { inside, way } = reach(config, call, outputs).await?;
    let dump = async |snapshot: &str, draft: &Path| way.dump(config, Some(snapshot), Some(draft), until);
    keep(config, call, inside, until, dump).await.map(Some)
}

/// Brings a backup back into a database elsewhere that is empty; none if the payload names none. It comes in one transaction, so
/// what is found after a crash is either nothing or all of it.
pub(crate) async fn restore(
    config: &Config,
    call: &Call,
    (kept, says): (&Kept, &str),
    until: Instant,
) -> Result<Option<CallOutcome>, Failed> {
    let Some(outputs) = outputs(call) else { return Ok(None) };
    let Reached { inside, way } = reach(config, call, outputs).await?;
    let done = CallOutcome::Done(kept.brought_back());
    if is_filled(&inside).await? {
        // The same call may come again, when it has done its work.
        return match way.dump(config, None, None, until)? == says {
            true => Ok(Some(done)),
            false => Err(Failed::refused("not-empty", "the database has something in it: expected an empty one")),
        };
    }
    if !inside.query_typed_one("SELECT to_regnamespace('app') IS NOT NULL", &[]).await?.try_get::<_, bool>(0)? {
        inside.batch_execute("CREATE SCHEMA app").await?;
    }
    way.fill(config, &Kept::file(config, &kept.backup_id), until)?;
    if way.dump(config, None, None, until)? != says {
        inside.batch_execute("DROP SCHEMA IF EXISTS app CASCADE").await?;
        return Err(Failed::retry("restore-differs", "what the database has is not what the backup says"));
    }
    Ok(Some(done))
}
