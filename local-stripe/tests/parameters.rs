//! Compares the parameters that the sandbox declares with those that Stripe's official library has.

#![allow(clippy::unwrap_used)]

use local_stripe::api::{Route, routes};
use local_stripe::params::{Field, ParamKind, known};
use serde_json::Value;

/// Parameters that the library lacks, because later API versions removed them or because the library does not call the endpoint with them: the
/// beginning of the endpoint, and the parameter.
const NOT_IN_THE_LIBRARY: &[(&str, &str)] = &[];

/// Adds to `wrong` what a declaration says otherwise than Stripe.
fn compare(route: &Route, name: &str, kind: &ParamKind, stripe: &Value, wrong: &mut Vec<String>) {
    let endpoint = format!("{} {}", route.method, route.path);
    if let Some(types) = stripe.get("|").and_then(Value::as_array) {
        // One of the types must fit.
        let fits = types.iter().any(|stripe| {
            let mut wrong = Vec::new();
            compare(route, name, kind, stripe, &mut wrong);
            wrong.is_empty()
        });
        if !fits {
            wrong.push(format!("{endpoint} {name}: {kind:?} fits none of {stripe}"));
        }
        return;
    }
    let plain = stripe.as_str().unwrap_or_default();
    let words: Vec<&str> = plain.strip_prefix('=').map(|words| words.split('|').collect()).unwrap_or_default();
    let fits = match kind {
        ParamKind::Off => true,
        ParamKind::Map(fields) => {
            if stripe.is_object() && stripe.get("*").is_none() {
                members(route, name, fields, stripe, wrong);
            }
            stripe.is_object()
        }
        ParamKind::IdOr(fields) => {
            if stripe.is_object() {
                members(route, name, fields, stripe, wrong);
            }
            stripe.is_object() || plain == "text"
        }
        ParamKind::ByCurrency(fields) => match stripe.get("*") {
            Some(stripe) => {
                members(route, &format!("{name}[*]"), fields, stripe, wrong);
                true
            }
            None => false,
        },
        ParamKind::List(inner) => match stripe.as_array().and_then(|element| element.first()) {
            Some(stripe) => {
                compare(route, &format!("{name}[]"), inner, stripe, wrong);
                true
            }
            None => false,
        },
        ParamKind::Metadata => stripe.get("*").is_some(),
        ParamKind::Bool => plain == "bool",
        ParamKind::OneOf(own) => plain == "text" || own.iter().all(|word| words.contains(word)),
        ParamKind::Int(..) | ParamKind::Time => plain == "int",
        ParamKind::IntOr(_, _, own) | ParamKind::TimeOr(own) => {
            plain == "int" || own.iter().all(|word| words.contains(word))
        }
        ParamKind::Decimal => plain == "number" || plain == "text",
        ParamKind::Text | ParamKind::Currency | ParamKind::Email | ParamKind::Url => {
            plain == "text" || plain == "file" || !words.is_empty()
        }
    };
    if !fits {
        wrong.push(format!("{endpoint} {name}: {kind:?} is not {stripe}"));
    }
}

/// Compares the members of an object, or an endpoint's parameters.
fn members(route: &Route, prefix: &str, fields: &[Field], stripe: &Value, wrong: &mut Vec<String>) {
    let endpoint = format!("{} {}", route.method, route.path);
    for field in fields {
        let name = if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}[{}]", field.name) };
        let is_known = NOT_IN_THE_LIBRARY.iter().any(|(begin, known)| endpoint.starts_with(begin) && *known == name);
        match known::find(stripe, &[field.name]) {
            Some((_, stripe)) => compare(route, &name, &field.kind, stripe, wrong),
            None if is_known => {}
            None => wrong.push(format!("{endpoint} {name}: not in the library")),
        }
    }
}

#[test]
fn every_declared_parameter_is_one_of_stripe_s_with_its_type() {
    let mut wrong = Vec::new();
    for route in routes().filter(|route| route.path.starts_with("/v1/")) {
        let stripe = known::of(route.method, route.path);
        if stripe.is_null() {
            wrong.push(format!("{} {}: no endpoint of the library", route.method, route.path));
        } else {
            members(route, "", route.fields, &stripe, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}\n{} differences", wrong.join("\n"), wrong.len());
}
