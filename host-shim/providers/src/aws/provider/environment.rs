//! The environment variables that tell a function or container where its database and its bucket are.

use crate::aws::provider::payload::{bad, needed, text};
use host_provider_api::{Call, CallOutcome};
use std::collections::BTreeMap;

/// Returns the variables from the configuration and those for the payload's database and bucket.
///
/// With `secret_in_environment`, the variable `DATABASE_SECRET` contains the plain value of the payload's
/// `database_secret`; otherwise `DATABASE_SECRET_REF` contains the reference.
pub(crate) fn variables(
    call: &Call,
    configured: &BTreeMap<String, String>,
    secret_in_environment: bool,
) -> Result<BTreeMap<String, String>, CallOutcome> {
    let mut out = configured.clone();
    if let Some(bucket) = text(call, "bucket")? {
        out.insert("BUCKET".to_owned(), bucket.to_owned());
    }
    if let Some(endpoint) = text(call, "database")? {
        out.extend(database(call, endpoint, secret_in_environment)?);
    }
    Ok(out)
}

/// Returns the variables with which the program connects to its database. Refuses a payload that is insufficient for a
/// connection: the program would run without its database.
fn database(call: &Call, endpoint: &str, secret_in_environment: bool) -> Result<Vec<(String, String)>, CallOutcome> {
    let address = endpoint.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    let (host, port) = address.ok_or_else(|| bad("database", endpoint, "`host:port`"))?;
    let reference = needed(call, "database_secret")?;
    let secret = match secret_in_environment {
        true => ("DATABASE_SECRET", call.secret(reference)?.expose().to_owned()),
        false => ("DATABASE_SECRET_REF", reference.to_owned()),
    };
    let variables = [
        ("DATABASE", endpoint.to_owned()),
        ("DATABASE_HOST", host.to_owned()),
        ("DATABASE_PORT", port.to_owned()),
        ("DATABASE_NAME", needed(call, "database_name")?.to_owned()),
        ("DATABASE_USER", needed(call, "database_user")?.to_owned()),
        secret,
    ];
    Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn whole() -> Value {
        json!({
            "database": "host:5432", "database_name": "d_1", "database_user": "r_1", "database_secret": "secret:vault/x",
            "bucket": "b",
        })
    }

    fn of(payload: Value, secret_in_environment: bool) -> Result<BTreeMap<String, String>, CallOutcome> {
        variables(&Call { payload, ..Call::default() }, &BTreeMap::new(), secret_in_environment)
    }

    #[test]
    fn a_database_that_the_program_could_not_reach_is_refused() {
        let environment = of(whole(), false).expect("an environment");
        let variable = |name: &str| environment.get(name).map(String::as_str);
        assert_eq!((variable("DATABASE_HOST"), variable("DATABASE_PORT")), (Some("host"), Some("5432")));
        assert_eq!((variable("DATABASE_NAME"), variable("DATABASE_USER")), (Some("d_1"), Some("r_1")));
        assert_eq!(variable("BUCKET"), Some("b"));
        for (member, value) in [
            ("database_name", Value::Null),
            ("database_user", json!("")),
            ("database_secret", Value::Null),
            ("database", json!("host")),
            ("database", json!("sqlite:abc")),
        ] {
            let mut payload = whole();
            payload[member] = value;
            let Err(CallOutcome::Refused { code, message }) = of(payload, false) else { panic!("{member} is refused") };
            assert!(code == "bad-payload" && message.starts_with(&format!("`{member}` is")), "{message}");
        }
    }

    #[test]
    fn a_secret_stays_a_reference_unless_configured_otherwise() {
        let environment = of(whole(), false).expect("an environment");
        assert_eq!(environment.get("DATABASE_SECRET_REF").map(String::as_str), Some("secret:vault/x"));
        assert_eq!(environment.get("DATABASE").map(String::as_str), Some("host:5432"));
        let unknown = of(whole(), true);
        assert!(matches!(unknown, Err(CallOutcome::Refused { code, .. }) if code == "secret-unknown"));
    }
}
