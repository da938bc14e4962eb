//! Looks at a database, ours or one that a person made elsewhere.

use crate::config::Config;
use crate::connect::{self, within};
use crate::ensure::{look, size};
use crate::failed::Failed;
use crate::names::Names;
use crate::record::State;
use crate::servers::Servers;
use crate::wish::bad;
use host_providers::{Answer, Call};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::str::FromStr;
use tokio_postgres::config::Host;

/// How long a database that a person names may take to answer.
const FOREIGN: std::time::Duration = std::time::Duration::from_secs(15);

/// Relations that a tenant would have made; those of extensions are there from the start.
const FILLED: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                      WHERE n.nspname IN ('public', 'app') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
                      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";

pub(crate) fn observe(config: &Config, call: &Call) -> Result<Answer, Failed> {
    if call.payload.get("adopt") == Some(&json!(true)) {
        return adopt(call);
    }
    let names = Names::of(&call.resource_id())?;
    within(config.call_timeout, async {
        let servers = Servers::reach(config, call).await?;
        let Some((number, record)) = look(&servers, call, &names).await? else {
            return Ok(Answer::Done(json!({"exists": false})));
        };
        let server = &servers.0[number];
        let bytes = size(server, &names).await?;
        Ok(Answer::Done(json!({
            "exists": true,
            "state": if record.state == State::Suspended { "suspended" } else { "running" },
            "outputs": record.outputs(&server.settings.endpoint()),
            "bytes": bytes,
            "quota_bytes": record.quota,
            "is_over_quota": record.quota.is_some_and(|quota| bytes > quota),
        })))
    })
}

/// A database that a person made: it must be reached with what was told, and be empty.
fn adopt(call: &Call) -> Result<Answer, Failed> {
    let nothing = Value::Null;
    let outputs = call.payload.get("outputs").unwrap_or(&nothing);
    let wanted = foreign(call, outputs, "secret_ref", "endpoint")?;
    let found = within(FOREIGN, async {
        let client = open(wanted).await?;
        Ok(client.query_typed_one(FILLED, &[]).await?.try_get::<_, i64>(0)?)
    });
    match found {
        Ok(0) => Ok(Answer::Done(json!({"exists": true, "state": "running", "outputs": outputs}))),
        Ok(some) => {
            Err(Failed::refused("not-empty", format!("the database has {some} relations: expected an empty one")))
        }
        // Who told it waits for the answer, so what can't be reached is no database. Silence says nothing.
        Err(Failed(Answer::Retry { code, message, .. }))
            if code == "database-unreachable" || code == "login-refused" =>
        {
            Err(Failed::refused("unreachable", message))
        }
        Err(other) => Err(other),
    }
}

/// How to reach a database by what a payload tells: a secret that is its address (`postgres://user:password@host/name`), whose host
/// must be the one that was told openly; or a password, with `user` and `name` beside it.
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
        let same_port = port.is_none_or(|port| address.get_ports().first().copied().unwrap_or(5432) == port);
        if !is_same || !same_port {
            let problem = format!("`{secret}` is the address of another server: expected {host}");
            return Err(Failed::refused("bad-secret", problem));
        }
        return Ok(address);
    }
    let mut address = tokio_postgres::Config::new();
    address.host(host).port(port.unwrap_or(5432)).password(plain.expose());
    address.user(text("user").ok_or_else(|| missing("user", "a name, since the secret is no address"))?);
    address.dbname(text("name").ok_or_else(|| missing("name", "a name, since the secret is no address"))?);
    Ok(address)
}

/// A connection to a database that is not on our servers: by TLS unless it is on this machine.
pub(crate) async fn open(mut wanted: tokio_postgres::Config) -> Result<tokio_postgres::Client, Failed> {
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        _ => false,
    };
    let tls = !wanted.get_hosts().iter().all(is_here);
    connect::open(&mut wanted, tls).await
}

/// `host` or `host:port`.
pub(crate) fn split(endpoint: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match endpoint.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (endpoint, None),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_right = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name);
    is_right.then(|| (host.to_owned(), port))
}
