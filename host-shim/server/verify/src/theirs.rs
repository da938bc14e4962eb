//! The facts of Stripe's objects, and the claims that lead from an object to its account.

use crate::error::VerifyError;
use crate::facts::{Facts, Kind, facts, member, text};
use extension_contract::CONNECTED_ACCOUNT_CLAIMS;
use serde_json::{Value, json};

/// Metadata keys for the scope and the effect that requested an object, as the Stripe provider writes them.
const SCOPE: &str = "provisioner_scope";
const KEY: &str = "provisioner_key";

/// Name of the claims of Stripe's customers.
pub(crate) const CUSTOMER: &str = "stripe-customer";

/// An object of Stripe.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Theirs {
    /// The id by which a store knows the object.
    pub(crate) id: String,
    pub(crate) facts: Facts,
    /// Short keys of the claims of its account, most specific first.
    pub(crate) keys: Vec<String>,
    /// Name of the scope that requested it, if it carries our mark.
    pub(crate) scope: Option<String>,
    /// Key of the effect that requested it, if it carries our mark.
    pub(crate) effect: Option<String>,
}

/// Reads an object. Returns none for an object that no store records: a charge that moved no money.
pub(crate) fn read(kind: Kind, object: &Value) -> Result<Option<Theirs>, VerifyError> {
    let id = text(object, "id").ok_or(VerifyError::Malformed { kind, member: "id" })?;
    let keys = |names: &[(&str, Option<&str>)]| {
        names.iter().filter_map(|(name, id)| Some(format!("{name}:{}", (*id)?))).collect::<Vec<_>>()
    };
    let customer = (CUSTOMER, id_of(object, "customer"));
    let intent = ("stripe-payment-intent", id_of(object, "payment_intent"));
    let (id, facts, keys) = match kind {
        Kind::Subscription => (id, subscription(object), keys(&[("stripe-subscription", Some(id)), customer])),
        Kind::Invoice => (id, invoice(object), keys(&[("stripe-invoice", Some(id)), customer])),
        Kind::Payment => {
            let moved_money = text(object, "status") == Some("succeeded") && object["captured"] != json!(false);
            if !moved_money {
                return Ok(None);
            }
            let found = facts([("charge", json!(id)), ("amount_refunded", member(object, "amount_refunded"))]);
            (intent.1.unwrap_or(id), found, keys(&[intent, ("stripe-charge", Some(id)), customer]))
        }
        Kind::Refund => (id, refund(object), keys(&[intent, ("stripe-charge", id_of(object, "charge"))])),
        Kind::Transfer => {
            let connected = CONNECTED_ACCOUNT_CLAIMS.trim_end_matches(':');
            (id, transfer(object), keys(&[(connected, id_of(object, "destination"))]))
        }
    };
    let mark = |name| object.get("metadata").and_then(|metadata| text(metadata, name)).map(str::to_owned);
    Ok(Some(Theirs { id: id.to_owned(), facts, keys, scope: mark(SCOPE), effect: mark(KEY) }))
}

/// Returns the id in a member that contains either an id or an expanded object.
fn id_of<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    let value = object.get(name)?;
    value.as_str().or_else(|| text(value, "id"))
}

/// Converts seconds to milliseconds.
fn millis(seconds: &Value) -> Value {
    seconds.as_i64().map_or(Value::Null, |seconds| json!(seconds.saturating_mul(1_000)))
}

fn subscription(object: &Value) -> Facts {
    let mut found = facts([
        ("status", member(object, "status")),
        ("cancel_at_period_end", json!(object["cancel_at_period_end"].as_bool().unwrap_or(false))),
        ("cancel_at", millis(&object["cancel_at"])),
        ("trial_end", millis(&object["trial_end"])),
    ]);
    let items = &object["items"];
    // A list of at most ten items; the others are not compared.
    if items["has_more"] != json!(true)
        && let Some(list) = items["data"].as_array()
    {
        let mut list: Vec<&Value> = list.iter().collect();
        list.sort_by_key(|item| text(item, "id"));
        let item = |item: &&Value| {
            let own = &item["current_period_end"];
            let end = if own.is_null() { &object["current_period_end"] } else { own };
            item_fact(&item["price"]["id"], item["quantity"].as_u64().unwrap_or(0), &millis(end))
        };
        found.insert("items".to_owned(), list.iter().map(item).collect());
    }
    found
}

/// Returns the compared form of an item of a subscription.
pub(crate) fn item_fact(price: &Value, quantity: u64, period_end: &Value) -> Value {
    json!({"price": price, "quantity": quantity, "period_end": period_end})
}

fn invoice(object: &Value) -> Facts {
    let parent = &object["parent"]["subscription_details"];
    let subscription = id_of(object, "subscription").or_else(|| id_of(parent, "subscription"));
    facts([
        ("status", member(object, "status")),
        ("currency", member(object, "currency")),
        ("total", member(object, "total")),
        ("amount_due", member(object, "amount_due")),
        ("amount_paid", member(object, "amount_paid")),
        ("subscription", json!(subscription)),
    ])
}

fn refund(object: &Value) -> Facts {
    let status = match text(object, "status") {
        // Before it had a status, a refund counted as done; a cancelled one returned its money to us.
        None => "succeeded",
        Some("canceled") => "failed",
        Some(status) => status,
    };
    facts([("status", json!(status)), ("amount", member(object, "amount")), ("currency", member(object, "currency"))])
}

fn transfer(object: &Value) -> Facts {
    facts([
        ("amount", member(object, "amount")),
        ("currency", member(object, "currency")),
        ("destination", json!(id_of(object, "destination"))),
        ("amount_reversed", json!(object["amount_reversed"].as_i64().unwrap_or(0))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(kind: Kind, object: &Value) -> Theirs {
        read(kind, object).expect("well-formed").expect("a compared object")
    }

    #[test]
    fn the_claims_of_an_object_lead_to_its_account() {
        let charge = json!({"id": "ch_1", "status": "succeeded", "payment_intent": {"id": "pi_1"}, "customer": "cus_1",
            "amount_refunded": 5});
        let payment = read_one(Kind::Payment, &charge);
        assert_eq!(payment.id, "pi_1");
        assert_eq!(payment.keys, ["stripe-payment-intent:pi_1", "stripe-charge:ch_1", "stripe-customer:cus_1"]);
        let transfer = json!({"id": "tr_1", "destination": "acct_1", "metadata": {SCOPE: "shop/test/user:a"}});
        let transfer = read_one(Kind::Transfer, &transfer);
        assert_eq!(
            (transfer.keys, transfer.scope.as_deref()),
            (vec!["connected-account:acct_1".to_owned()], Some("shop/test/user:a"))
        );
    }

    #[test]
    fn a_charge_that_moved_no_money_is_not_compared() {
        for charge in
            [json!({"id": "ch_1", "status": "failed"}), json!({"id": "ch_1", "status": "succeeded", "captured": false})]
        {
            assert_eq!(read(Kind::Payment, &charge).expect("well-formed"), None, "{charge}");
        }
        assert_eq!(
            read_one(Kind::Payment, &json!({"id": "ch_1", "status": "succeeded"})).id,
            "ch_1",
            "without an intent"
        );
        assert!(matches!(read(Kind::Refund, &json!({})), Err(VerifyError::Malformed { member: "id", .. })));
    }

    #[test]
    fn the_period_of_an_item_is_its_own_or_that_of_the_subscription() {
        let item =
            |id: &str, own: Value| json!({"id": id, "price": {"id": "p"}, "quantity": 2, "current_period_end": own});
        let object = json!({"id": "sub_1", "current_period_end": 7, "cancel_at": 3,
            "items": {"data": [item("si_2", json!(9)), item("si_1", Value::Null)]}});
        let found = read_one(Kind::Subscription, &object).facts;
        let fact = |end: i64| json!({"price": "p", "quantity": 2, "period_end": end});
        assert_eq!(found["items"], json!([fact(7_000), fact(9_000)]), "in order of their ids");
        assert_eq!((&found["cancel_at"], &found["trial_end"]), (&json!(3_000), &Value::Null));
        let cut = json!({"id": "sub_1", "items": {"data": [], "has_more": true}});
        assert!(!read_one(Kind::Subscription, &cut).facts.contains_key("items"), "a list that was cut is not compared");
    }
}
