//! Outputs of a successful call without a script, derived from the effect's key and the names in its payload.

use crate::call::Call;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Prefix of the references that the scripted provider makes up: there is no secret behind them.
pub const SIMULATED_SECRET: &str = "secret:scripted/";

/// The resources that providers create, each with the outputs that every provider of it returns.
const OF_RESOURCES: [(&str, &[&str]); 5] = [
    ("bucket", &["bucket", "id"]),
    ("cdn", &["domain", "id"]),
    ("database", &["endpoint", "id", "name", "secret_ref", "user"]),
    ("domain", &["domain", "id"]),
    ("function", &["arn", "url"]),
];

/// Returns the outputs that every provider of a resource returns; none for a business's own resource.
pub fn outputs_of(resource: &str) -> Option<&'static [&'static str]> {
    OF_RESOURCES.iter().find(|(name, _)| *name == resource).map(|(_, outputs)| *outputs)
}

/// Returns the first 12 hex digits of the SHA-256 of an effect's key; every derived id ends with them.
pub fn short_hash(key: &str) -> String {
    hex::encode(&Sha256::digest(key.as_bytes())[..6])
}

/// Returns the outputs of a successful call. A string in the payload, for example `name`, `bucket` or `domain`,
/// replaces the derived output of the same name. An unknown kind has the outputs `{}`; `ensure` of an unknown resource
/// has the output `id`.
pub fn derived_outputs(call: &Call) -> Value {
    let hash = short_hash(&call.key);
    let outputs = match call.kind.as_str() {
        "database.ensure" => {
            let name = call.text("name").map_or_else(|| format!("db_{hash}"), str::to_owned);
            json!({
                "id": format!("db-{hash}"),
                "endpoint": format!("{hash}.db.invalid:5432"),
                "name": name,
                "user": format!("u_{hash}"),
                "secret_ref": format!("secret:database/{hash}"),
            })
        }
        "database.backup" => json!({"backup_id": format!("backup-{hash}"), "verified": true}),
        "bucket.ensure" => {
            let bucket =
                call.text("bucket").or(call.text("name")).map_or_else(|| format!("bucket-{hash}"), str::to_owned);
            json!({"id": format!("bkt-{hash}"), "bucket": bucket})
        }
        "function.ensure" => json!({
            "arn": format!("arn:aws:lambda:eu-central-1:000000000000:function:fn-{hash}"),
            "url": format!("https://{hash}.fn.invalid"),
        }),
        "cdn.ensure" => json!({"id": format!("cdn-{hash}"), "domain": format!("{hash}.cdn.invalid")}),
        "domain.ensure" => json!({"id": format!("dom-{hash}"), "domain": format!("{hash}.invalid")}),
        "secret.ensure" => json!({
            "ref": format!("{SIMULATED_SECRET}{hash}"),
            "sha256": hex::encode(Sha256::digest(call.key.as_bytes())),
        }),
        "user.invite" => json!({"link": format!("{SIMULATED_SECRET}{hash}")}),
        "mail.send" => json!({"message_id": format!("<{hash}@mail.invalid>")}),
        "stripe.checkout.create" | "stripe.checkout.session.create" => json!({
            "session_id": format!("cs_{hash}"),
            "url": format!("https://checkout.invalid/c/cs_{hash}"),
        }),
        "stripe.portal.create" => {
            json!({"id": format!("bps_{hash}"), "url": format!("https://billing.invalid/p/{hash}")})
        }
        "stripe.account.create" => json!({"id": format!("acct_{hash}")}),
        "stripe.account.link" => json!({"url": format!("https://connect.invalid/setup/{hash}")}),
        "stripe.invoice.create" => json!({"id": format!("in_{hash}")}),
        "stripe.transfer.create" => json!({"id": format!("tr_{hash}")}),
        "stripe.customer.create" => json!({"id": format!("cus_{hash}")}),
        "stripe.product.create" => json!({"id": format!("prod_{hash}")}),
        "stripe.price.create" => json!({"id": price_id(call).unwrap_or_else(|| format!("price_{hash}"))}),
        "stripe.promotion_code.create" => {
            json!({"promotion_code": format!("promo_{}", call.text("code").unwrap_or(&hash))})
        }
        "stripe.payment.create" => json!({"id": format!("pi_{hash}")}),
        "stripe.refund.create" => json!({"id": format!("re_{hash}")}),
        _ if call.is_resource_call() && call.verb() == "ensure" => json!({"id": format!("{}-{hash}", call.resource())}),
        _ => json!({}),
    };
    with_payload_names(outputs, &call.payload)
}

/// Returns a readable id for a price: `price_studio_month_1200`.
fn price_id(call: &Call) -> Option<String> {
    let (product, amount) = (call.text("product")?, call.payload.get("unit_amount")?.as_i64()?);
    let interval = call.text("interval").unwrap_or("once");
    Some(format!("price_{product}_{interval}_{amount}"))
}

fn with_payload_names(outputs: Value, payload: &Value) -> Value {
    let Value::Object(mut members) = outputs else { return outputs };
    let none = Map::new();
    let given = payload.as_object().unwrap_or(&none);
    for (name, value) in &mut members {
        if let Some(text @ Value::String(_)) = given.get(name) {
            *value = text.clone();
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(kind: &str, key: &str, payload: Value) -> Value {
        derived_outputs(&Call { kind: kind.into(), key: key.into(), payload, ..Call::default() })
    }

    #[test]
    fn outputs_derive_from_the_key_and_names_of_the_payload_win() {
        let a = outputs("database.ensure", "inst/1/database", json!({}));
        assert_eq!(a, outputs("database.ensure", "inst/1/database", json!({"size": "small"})));
        assert_ne!(a, outputs("database.ensure", "inst/2/database", json!({})));
        let named = outputs("database.ensure", "inst/1/database", json!({"name": "acme"}));
        assert_eq!((&named["name"], &named["endpoint"]), (&json!("acme"), &a["endpoint"]));
        assert_eq!(outputs("bucket.ensure", "k", json!({"name": "acme-files"}))["bucket"], "acme-files");
    }

    #[test]
    fn the_outputs_of_each_resource_are_those_that_its_calls_give() {
        for (resource, names) in OF_RESOURCES {
            let given = outputs(&format!("{resource}.ensure"), "inst/1/it", json!({}));
            let given: Vec<&String> = given.as_object().expect("an object").keys().collect();
            assert_eq!(given, names, "{resource}");
        }
        assert_eq!(outputs_of("queue"), None);
    }

    #[test]
    fn an_unknown_kind_has_no_outputs_and_an_unknown_resource_has_an_id() {
        assert_eq!(outputs("stripe.credit.create", "k", json!({})), json!({}));
        assert_eq!(outputs("queue.ensure", "k", json!({}))["id"], format!("queue-{}", short_hash("k")));
    }
}
