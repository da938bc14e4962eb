//! The parameters that Stripe has: `stripe.txt`, which `clients/parameters.py` writes from the annotations of Stripe's official library.
//! They distinguish a parameter that the sandbox lacks from a misspelt one, and a test compares the sandbox's own declarations with them.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

/// The JSON of each endpoint's parameters, by method and path; `clients/parameters.py` describes it.
static TABLE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("stripe.txt").lines();
    lines.filter_map(|line| line.split_at_checked(line.find(" {")?)).collect()
});

/// Returns the parameters of an endpoint; null if Stripe's library does not call it.
pub fn of(method: &str, path: &str) -> Value {
    let text = TABLE.get(format!("{method} {path}").as_str());
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Returns the number of endpoints in Stripe's library.
pub fn count() -> usize {
    TABLE.len()
}

/// Returns the general name of a parameter that Stripe's endpoint has: `items[][price]` for `items[3][price]`, with `*` for a name that the
/// caller chooses. Returns nothing if Stripe has no such parameter.
pub fn general_name(method: &str, path: &str, name: &str) -> Option<String> {
    let segments: Vec<&str> = name.split('[').map(|segment| segment.trim_end_matches(']')).collect();
    let (general, _) = find(&of(method, path), &segments)?;
    let (first, rest) = general.split_first()?;
    Some(rest.iter().fold((*first).to_owned(), |name, segment| format!("{name}[{segment}]")))
}

/// Returns the type of a parameter from the segments of its name, together with the segments of its general name.
pub fn find<'k, 's>(kind: &'k Value, segments: &[&'s str]) -> Option<(Vec<&'s str>, &'k Value)> {
    let Some((name, rest)) = segments.split_first() else { return Some((Vec::new(), kind)) };
    let (general, inner) = match kind {
        Value::Array(element) => ("", element.first()?),
        Value::Object(members) => match members.get("|").and_then(Value::as_array) {
            Some(types) => return types.iter().find_map(|kind| find(kind, segments)),
            None => match members.get(*name).or_else(|| members.get(&format!("{name}!"))) {
                Some(inner) => (*name, inner),
                None => ("*", members.get("*")?),
            },
        },
        _ => return None,
    };
    let (mut names, kind) = find(inner, rest)?;
    names.insert(0, general);
    Some((names, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_in_lists_maps_and_unions() {
        for (path, name, general) in [
            ("/v1/customers", "email", "email"),
            ("/v1/customers", "metadata[plan]", "metadata[*]"),
            ("/v1/subscriptions", "items[0][price_data][recurring]", "items[][price_data][recurring]"),
            ("/v1/prices", "currency_options[eur][tiers][1][up_to]", "currency_options[*][tiers][][up_to]"),
        ] {
            assert_eq!(general_name("POST", path, name).as_deref(), Some(general), "{path} {name}");
        }
        for (path, name) in [
            ("/v1/customers", "emial"),
            ("/v1/customers", "email[x]"),
            ("/v1/subscriptions", "items[0][prize]"),
            ("/v1/x", "a"),
        ] {
            assert_eq!(general_name("POST", path, name), None, "{path} {name}");
        }
    }
}
