//! Removes passwords from addresses and outputs, because stored data must not contain passwords. Secrets are references
//! that the host resolves.

use super::json::Object;
use serde_json::Value;

/// Names of parameters and members that hold a password.
const PARAMETERS: [&str; 4] = ["password", "passwd", "pass", "pwd"];

/// Returns whether an address contains a password: `postgres://user:password@host`, `postgres://host/db?password=x`.
pub(crate) fn has_password(text: &str) -> bool {
    without_password(text).is_some()
}

/// Returns an address without its password; `None` if the address contains no password.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let user = authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host)));
    let authority = user.map_or_else(|| authority.to_owned(), |(name, host)| format!("{name}@{host}"));
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let is_password = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default();
        PARAMETERS.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let parameters = || query.iter().flat_map(|query| query.split('&'));
    let all = parameters().count();
    let kept: Vec<&str> = parameters().filter(|part| !is_password(part)).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    let is_changed = user.is_some() || all > kept.len();
    is_changed.then(|| format!("{scheme}://{authority}{path}{query}"))
}

/// Removes passwords from a provider's outputs: from addresses, and members that are named as a password and are not a
/// reference.
pub(crate) fn without_passwords(mut outputs: Object) -> Object {
    let is_plain = |value: &Value| value.as_str().is_none_or(|text| !text.starts_with("secret:"));
    outputs.retain(|name, value| !(PARAMETERS.contains(&name.to_lowercase().as_str()) && is_plain(value)));
    outputs.values_mut().for_each(clean);
    outputs
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(clean) = without_password(text) {
                *text = clean;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(members) => *members = without_passwords(std::mem::take(members)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // covers: ORC-18
    #[test]
    fn only_the_password_of_an_address_is_removed() {
        for (text, clean) in [
            ("postgres://u:p@db.example/postgres", Some("postgres://u@db.example/postgres")),
            ("postgres://u:p:q@db.example:5432", Some("postgres://u@db.example:5432")),
            ("postgres://db.example/x?password=p", Some("postgres://db.example/x")),
            ("postgres://db.example/x?sslmode=require&PWD=p&a=b", Some("postgres://db.example/x?sslmode=require&a=b")),
            ("postgres://u:p@db.example/x?pass=q", Some("postgres://u@db.example/x")),
            ("postgres://u@db.example/x?sslmode=require", None),
            ("https://db.example/a:b@c", None),
            ("db.example", None),
            ("secret:database/1", None),
            ("https://a.example/?", None),
        ] {
            assert_eq!(without_password(text).as_deref(), clean, "{text}");
        }
    }

    #[test]
    fn members_named_as_a_password_are_kept_only_as_references() {
        let answered = json!({
            "endpoint": "postgres://u:p@db.example", "password": "hunter2", "pwd": "secret:held",
            "replicas": [{"url": "postgres://u:p@r.example", "Password": 7}], "port": 5432,
        });
        let kept = json!({
            "endpoint": "postgres://u@db.example", "pwd": "secret:held", "replicas": [{"url": "postgres://u@r.example"}],
            "port": 5432,
        });
        assert_eq!(json!(without_passwords(answered.as_object().cloned().expect("an object"))), kept);
    }
}
