//! `database.observe`: reports a database on our servers or, with `adopt`, adopts a database on another server.

use crate::postgres::config::Config;
use crate::postgres::connect::within;
use crate::postgres::ensure::{find_complete, size};
use crate::postgres::failed::Failed;
use crate::postgres::foreign::{foreign, open};
use crate::postgres::names::Names;
use crate::postgres::record::State;
use crate::postgres::servers::Servers;
use host_provider_api::{Call, CallOutcome};
use serde_json::{Value, json};

/// Time limit for connecting to a database that is being adopted, and for checking it.
const FOREIGN: std::time::Duration = std::time::Duration::from_secs(15);

/// Counts the relations in the schemas `public` and `app`, excluding those of extensions.
const FILLED: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                      WHERE n.nspname IN ('public', 'app') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
                      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";

pub(crate) fn observe(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    if call.payload.get("adopt") == Some(&json!(true)) {
        return adopt(config, call);
    }
    let names = Names::of(&call.resource_id())?;
    within(config.call_timeout, async {
        let servers = Servers::reach(config, call).await?;
        let Some((number, record)) = find_complete(&servers, call, &names).await? else {
            return Ok(CallOutcome::Done(json!({"exists": false})));
        };
        let server = &servers.0[number];
        if !server.has(&names).await?.1 {
            return Ok(CallOutcome::Done(json!({"exists": false})));
        }
        let bytes = size(server, &names).await?;
        Ok(CallOutcome::Done(json!({
            "exists": true,
            "state": if record.state == State::Suspended { "suspended" } else { "running" },
            "outputs": record.outputs(&server.settings.endpoint()),
            "bytes": bytes,
            "quota_bytes": record.quota,
            "is_over_quota": record.quota.is_some_and(|quota| bytes > quota),
        })))
    })
}

/// Adopts a database that a person created: it must be empty, and its server must accept the payload's credentials.
fn adopt(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    let nothing = Value::Null;
    let outputs = call.payload.get("outputs").unwrap_or(&nothing);
    let wanted = foreign(call, outputs, "secret_ref", "endpoint")?;
    let found = within(FOREIGN, async {
        let client = open(config, wanted).await?;
        Ok(client.query_typed_one(FILLED, &[]).await?.try_get::<_, i64>(0)?)
    });
    match found {
        Ok(0) => Ok(CallOutcome::Done(json!({"exists": true, "state": "running", "outputs": outputs}))),
        Ok(some) => {
            Err(Failed::refused("not-empty", format!("the database has {some} relations: expected an empty one")))
        }
        // A failed connection is refused, because a retry would keep the person waiting. A timeout is retried.
        Err(Failed(CallOutcome::Retry { code, message, .. }))
            if code == "database-unreachable" || code == "login-refused" =>
        {
            Err(Failed::refused("unreachable", message))
        }
        Err(other) => Err(other),
    }
}

/// Splits `host` or `host:port` into the host and the port. None if the host or the port is invalid.
pub(crate) fn split(endpoint: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match endpoint.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (endpoint, None),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_right = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name);
    is_right.then(|| (host.to_owned(), port))
}
