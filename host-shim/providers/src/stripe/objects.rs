//! Lists Stripe objects of one kind, one page at a time.

use crate::stripe::api::Api;
use crate::stripe::config::Mode;
use crate::stripe::failure::Failed;
use crate::stripe::payload::is_id;
use crate::stripe::provider::Stripe;
use crate::stripe::recovery::data;
use host_provider_api::{OBJECTS_MAX, ObjectKind, ObjectList, ObjectListError, ObjectPage, ObjectQuery, ObjectsOf};
use serde_json::Value;

/// Returns the path of a kind's list.
fn path(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Subscription => "/subscriptions",
        ObjectKind::Invoice => "/invoices",
        ObjectKind::PaymentIntent => "/payment_intents",
        ObjectKind::Charge => "/charges",
        ObjectKind::Refund => "/refunds",
        ObjectKind::Transfer => "/transfers",
    }
}

/// Returns the parameter that selects the objects, and its value.
fn selection(kind: ObjectKind, of: &ObjectsOf) -> Result<Option<(&'static str, &str)>, ObjectListError> {
    use ObjectKind::{Charge, Invoice, PaymentIntent, Refund, Subscription, Transfer};
    let (by, id) = match (kind, of) {
        (_, ObjectsOf::All) => return Ok(None),
        (Subscription | Invoice | PaymentIntent | Charge, ObjectsOf::Customer(id)) => ("customer", id),
        (Charge | Refund, ObjectsOf::PaymentIntent(id)) => ("payment_intent", id),
        (Refund, ObjectsOf::Charge(id)) => ("charge", id),
        (Transfer, ObjectsOf::Destination(id)) => ("destination", id),
        (_, other) => {
            let by = match other {
                ObjectsOf::All => "nothing",
                ObjectsOf::Customer(_) => "customer",
                ObjectsOf::PaymentIntent(_) => "payment_intent",
                ObjectsOf::Charge(_) => "charge",
                ObjectsOf::Destination(_) => "destination",
            };
            let expected = match kind {
                Subscription | Invoice | PaymentIntent => "customer",
                Charge => "customer or payment_intent",
                Refund => "payment_intent or charge",
                Transfer => "destination",
            };
            return Err(ObjectListError::Selection { kind, by, expected });
        }
    };
    match is_id(id) {
        true => Ok(Some((by, id))),
        false => Err(ObjectListError::Id { member: by }),
    }
}

/// Lists the account's own objects. The objects of connected accounts are not listed.
impl ObjectList for Stripe {
    fn objects(&self, query: &ObjectQuery) -> Result<ObjectPage, ObjectListError> {
        if query.limit == 0 || query.limit > OBJECTS_MAX {
            return Err(ObjectListError::Limit(query.limit));
        }
        if query.after.as_deref().is_some_and(|after| !is_id(after)) {
            return Err(ObjectListError::Id { member: "after" });
        }
        let selection = selection(query.kind, &query.of)?;
        let (limit, since) = (query.limit.to_string(), query.since_s.to_string());
        let mut parameters = vec![("limit", limit.as_str())];
        parameters.extend(selection);
        parameters.extend((query.since_s > 0).then_some(("created[gte]", since.as_str())));
        // Without this parameter, the list omits ended subscriptions.
        parameters.extend((query.kind == ObjectKind::Subscription).then_some(("status", "all")));
        parameters.extend(query.after.as_deref().map(|after| ("starting_after", after)));
        page(self, query, &parameters).map_err(|failed| ObjectListError::Provider(failed.to_string()))
    }
}

fn page(stripe: &Stripe, query: &ObjectQuery, parameters: &[(&str, &str)]) -> Result<ObjectPage, Failed> {
    let mode = if query.livemode { Mode::Live } else { Mode::Test };
    let api = Api::new(&stripe.config, &stripe.client, mode)?;
    let list = api.get(path(query.kind).to_owned(), parameters)?.object;
    let found = data(&list)?;
    let last = found.last().and_then(|object| object.get("id")).and_then(Value::as_str);
    let next = last.filter(|_| list.get("has_more") == Some(&Value::Bool(true))).map(str::to_owned);
    Ok(ObjectPage { objects: found.iter().map(|object| api.redacted().value(object.clone())).collect(), next })
}
