//! `GET /api/operator/accounts/ACCOUNT/stripe`: what Stripe has for an account beside the records, and a preview: what a
//! synchronization would change, and the command that brings it about. Nothing is changed.

use super::account;
use crate::extract::{Asked, Named, Operator};
use crate::front::AppState;
use crate::problem::Problem;
use crate::query::read;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use extension_contract::{Payload, Timestamp};
use host::view::{Rows, rows_of};
use host_provider_api::{ObjectKind, ObjectList, ObjectListError, ObjectQuery, ObjectsOf};
use host_store::{InboxRow, NotState, Partition, Read, Scope, Stored};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Maximum objects of a kind of a customer that are compared.
const OBJECTS_MAX: usize = 500;
/// Maximum customers of an account that are compared.
const CUSTOMERS_MAX: usize = 10;
/// Maximum payments whose refunds are fetched.
const REFUNDED_MAX: usize = 50;
/// Maximum waiting events that are searched for the event that mends a difference.
const WAITING_MAX: usize = 1_000;
/// Beginning of the claims of customers.
const CUSTOMER: &str = "stripe-customer:";

/// The query: no members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {}

/// The compared members of an object, by id.
type Side = BTreeMap<String, Map<String, Value>>;

/// What the store has for an account.
struct Recorded {
    customers: Vec<String>,
    /// The compared members of the records, by the name of the kind.
    sides: BTreeMap<&'static str, Side>,
    /// Waiting events by the object that they are about.
    waiting: BTreeMap<String, u64>,
}

/// Answers the request.
pub(crate) async fn get(
    State(app): State<AppState>,
    Operator { hosted, .. }: Operator,
    Named(name): Named<String>,
    Asked(Wanted {}): Asked<Wanted>,
) -> Result<Json<Value>, Problem> {
    let Some(objects) = app.tools(&hosted).and_then(|tools| tools.objects.clone()) else {
        return Err(Problem::not_found("the server has no provider `stripe`"));
    };
    let scope = hosted.site.partition().scope(account(&name)?);
    let of = scope.clone();
    let found = read(&hosted, move |store| match store.revision(&of)? {
        0 => Ok(None),
        _ => Ok(Some(recorded(store, &of)?)),
    })
    .await?;
    let Some(ours) = found else { return Err(Problem::not_found(format!("no account `{name}`"))) };
    if ours.customers.len() > CUSTOMERS_MAX {
        let detail = format!("{} customers, expected at most {CUSTOMERS_MAX}", ours.customers.len());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too-many", detail));
    }
    let (livemode, customers) = (scope.livemode, ours.customers.clone());
    let (theirs, is_complete) = fetch(objects, livemode, customers).await?;
    let at = hosted.site.clock().now();
    let mut answer = beside(&ours, &theirs, at, livemode);
    answer["account"] = json!(name);
    answer["is_complete"] = json!(is_complete);
    Ok(Json(answer))
}

/// Fetches the objects of customers, on a thread that may wait for Stripe.
async fn fetch(
    objects: Arc<dyn ObjectList>,
    livemode: bool,
    customers: Vec<String>,
) -> Result<(BTreeMap<&'static str, Side>, bool), Problem> {
    let fetched = tokio::task::spawn_blocking(move || theirs(&*objects, livemode, &customers)).await;
    let fetched = fetched.map_err(|_| Problem::unavailable("Stripe's objects were not read"))?;
    fetched.map_err(|error: ObjectListError| Problem::new(StatusCode::BAD_GATEWAY, "provider", error.to_string()))
}

/// Reads the records of an account.
fn recorded(store: &dyn Read, scope: &Scope) -> Stored<Recorded> {
    let prefix = format!("{}//{CUSTOMER}", scope.claim_space());
    let held = store.claims_held(scope, &prefix)?;
    let customers = held.iter().filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned)).collect();
    let rows = rows_of(store, scope, &NotState::default())?;
    let waiting = waiting(store, &scope.partition())?;
    Ok(Recorded { customers, sides: our_sides(&rows), waiting })
}

/// Returns the events that wait or have failed, by the object that they are about.
fn waiting(store: &dyn Read, partition: &Partition) -> Stored<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let mut look = |row: InboxRow| {
        if let Payload::Provider(bytes) = &row.event.payload {
            let event: Value = serde_json::from_slice(bytes).unwrap_or_default();
            found.extend(event["data"]["object"]["id"].as_str().map(|id| (id.to_owned(), row.seq)));
        }
    };
    store.failed(partition, 0, WAITING_MAX)?.into_iter().for_each(&mut look);
    for seqs in [
        store.parked_before(partition, Timestamp::MAX, WAITING_MAX)?,
        store.deferred_before(partition, Timestamp::MAX, WAITING_MAX)?,
    ] {
        for seq in seqs {
            store.inbox(seq)?.into_iter().for_each(&mut look);
        }
    }
    Ok(found)
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the compared members of the records.
fn our_sides(rows: &Rows) -> BTreeMap<&'static str, Side> {
    let section = |name: &str| rows.sections.get(name).into_iter().flatten();
    let subscriptions = section("subscriptions").map(|(id, row)| {
        let prices = row["items"].as_array().into_iter().flatten();
        let facts = members([
            ("status", row["status"].clone()),
            ("cancel_at_period_end", row["cancel_at_period_end"].clone()),
            ("items", items(prices.map(|item| (&item["price_id"], &item["quantity"])))),
        ]);
        (id.clone(), facts)
    });
    let invoices = section("records/invoices").map(|(id, row)| {
        let facts = members([
            ("status", row["status"].clone()),
            ("currency", row["currency"].clone()),
            ("total", row["total_minor"].clone()),
            ("amount_paid", row["amount_paid_minor"].clone()),
        ]);
        (id.clone(), facts)
    });
    let payments = section("records/payments").filter(|(_, row)| row["charge"].is_string());
    let charges = payments.map(|(_, row)| {
        let refunds = row["refunds"].as_object().into_iter().flatten();
        let back = refunds.filter(|(_, refund)| refund["status"] != "failed");
        let sum = back.filter_map(|(_, refund)| refund["amount_minor"].as_i64()).fold(0, i64::saturating_add);
        let refunded = sum.max(row["charge_refunded_minor"].as_i64().unwrap_or(0));
        (row["charge"].as_str().unwrap_or_default().to_owned(), members([("amount_refunded", json!(refunded))]))
    });
    let refunds = section("records/payments").flat_map(|(_, row)| row["refunds"].as_object().into_iter().flatten());
    let refunds = refunds.map(|(id, refund)| {
        let facts = members([
            ("status", refund["status"].clone()),
            ("amount", refund["amount_minor"].clone()),
            ("currency", refund["currency"].clone()),
        ]);
        (id.clone(), facts)
    });
    [
        (ObjectKind::Subscription.name(), subscriptions.collect()),
        (ObjectKind::Invoice.name(), invoices.collect()),
        (ObjectKind::Charge.name(), charges.collect()),
        (ObjectKind::Refund.name(), refunds.collect()),
    ]
    .into()
}

/// Returns items in an order that both sides have.
fn items<'v>(found: impl Iterator<Item = (&'v Value, &'v Value)>) -> Value {
    let mut items: Vec<Value> = found.map(|(price, quantity)| json!({"price": price, "quantity": quantity})).collect();
    items.sort_by_key(Value::to_string);
    Value::Array(items)
}

/// Fetches the compared members of Stripe's objects. Returns false as well if there are more.
fn theirs(
    objects: &dyn ObjectList,
    livemode: bool,
    customers: &[String],
) -> Result<(BTreeMap<&'static str, Side>, bool), ObjectListError> {
    let (mut sides, mut is_complete): (BTreeMap<&'static str, Side>, bool) = (BTreeMap::new(), true);
    let mut refunded = Vec::new();
    for customer in customers {
        for kind in [ObjectKind::Subscription, ObjectKind::Invoice, ObjectKind::Charge] {
            let query = ObjectQuery::first(livemode, kind, ObjectsOf::Customer(customer.clone()));
            let (found, is_whole) = objects.all_objects(&query, OBJECTS_MAX)?;
            is_complete &= is_whole;
            for object in &found {
                let moved =
                    kind != ObjectKind::Charge || object["status"] == "succeeded" && object["captured"] != false;
                if kind == ObjectKind::Charge && object["amount_refunded"].as_i64().unwrap_or(0) > 0 {
                    refunded.extend(object["id"].as_str().map(str::to_owned));
                }
                if let (true, Some(id)) = (moved, object["id"].as_str()) {
                    sides.entry(kind.name()).or_default().insert(id.to_owned(), their_members(kind, object));
                }
            }
        }
    }
    is_complete &= refunded.len() <= REFUNDED_MAX;
    for charge in refunded.into_iter().take(REFUNDED_MAX) {
        let query = ObjectQuery::first(livemode, ObjectKind::Refund, ObjectsOf::Charge(charge));
        let (found, is_whole) = objects.all_objects(&query, OBJECTS_MAX)?;
        is_complete &= is_whole;
        let of_charge = found
            .iter()
            .filter_map(|object| Some((object["id"].as_str()?.to_owned(), their_members(ObjectKind::Refund, object))));
        sides.entry(ObjectKind::Refund.name()).or_default().extend(of_charge);
    }
    Ok((sides, is_complete))
}

fn their_members(kind: ObjectKind, object: &Value) -> Map<String, Value> {
    let of = |name: &str| object[name].clone();
    match kind {
        ObjectKind::Subscription => {
            let list = object["items"]["data"].as_array().into_iter().flatten();
            members([
                ("status", of("status")),
                ("cancel_at_period_end", of("cancel_at_period_end")),
                ("items", items(list.map(|item| (&item["price"]["id"], &item["quantity"])))),
            ])
        }
        ObjectKind::Invoice => members([
            ("status", of("status")),
            ("currency", of("currency")),
            ("total", of("total")),
            ("amount_paid", of("amount_paid")),
        ]),
        ObjectKind::Charge => members([("amount_refunded", of("amount_refunded"))]),
        _ => {
            // A cancelled refund returned its money to us, as a failed one.
            let status = if object["status"] == "canceled" { json!("failed") } else { of("status") };
            members([("status", status), ("amount", of("amount")), ("currency", of("currency"))])
        }
    }
}

/// Puts both sides beside each other: the objects by kind, and the differences with what would change.
fn beside(ours: &Recorded, theirs: &BTreeMap<&'static str, Side>, at: Timestamp, livemode: bool) -> Value {
    let (none, mut objects, mut changes) = (Side::new(), Map::new(), Vec::new());
    for (kind, own) in &ours.sides {
        let other = theirs.get(kind).unwrap_or(&none);
        let ids = own.keys().chain(other.keys().filter(|id| !own.contains_key(*id)));
        let mut rows = Vec::new();
        for id in ids {
            let (ours_of, theirs_of) = (own.get(id), other.get(id));
            rows.push(json!({"id": id, "ours": ours_of, "stripe": theirs_of}));
            if let Some(what) = change(kind, ours_of, theirs_of) {
                let mend = mend(kind, id, &what, ours.waiting.get(id).copied(), at, livemode);
                changes
                    .push(json!({"kind": kind, "id": id, "what": what.name(), "fields": what.fields(), "mend": mend}));
            }
        }
        objects.insert((*kind).to_owned(), Value::Array(rows));
    }
    json!({"customers": ours.customers, "objects": objects, "changes": changes})
}

/// How an object differs.
enum Change {
    OnlyOurs,
    OnlyStripes,
    Fields(Vec<Value>),
}

impl Change {
    fn name(&self) -> &'static str {
        match self {
            Change::OnlyOurs => "only-ours",
            Change::OnlyStripes => "only-stripe",
            Change::Fields(_) => "differs",
        }
    }

    fn fields(&self) -> &[Value] {
        match self {
            Change::Fields(fields) => fields,
            Change::OnlyOurs | Change::OnlyStripes => &[],
        }
    }
}

fn change(kind: &str, ours: Option<&Map<String, Value>>, theirs: Option<&Map<String, Value>>) -> Option<Change> {
    match (ours, theirs) {
        // Stripe forgets a draft that is deleted.
        (Some(ours), None) if kind == "invoice" && ours["status"] == "draft" => None,
        (Some(_), None) => Some(Change::OnlyOurs),
        (None, Some(_)) => Some(Change::OnlyStripes),
        (Some(ours), Some(theirs)) => {
            let differing = ours.iter().filter(|(name, value)| theirs.get(*name) != Some(value));
            let field = |(name, from): (&String, &Value)| json!({"field": name, "from": from, "to": theirs.get(name)});
            let fields: Vec<Value> = differing.map(field).collect();
            (!fields.is_empty()).then_some(Change::Fields(fields))
        }
        (None, None) => None,
    }
}

/// Returns the command that brings the record to Stripe's state; none if only a person can decide.
fn mend(kind: &str, id: &str, what: &Change, waiting: Option<u64>, at: Timestamp, livemode: bool) -> Value {
    if let Some(seq) = waiting {
        let reason = "the event that reports it is stored and has not been applied";
        return json!({"command": format!("POST /api/operator/events/{seq}/redrive"), "reason": reason});
    }
    if matches!(what, Change::OnlyOurs) {
        let reason = "Stripe has no such object of this customer with this key: look at the key, or correct it by hand";
        return json!({"command": null, "reason": reason});
    }
    if kind == ObjectKind::Charge.name() && matches!(what, Change::OnlyStripes) {
        let reason =
            "the next sweep brings its event, if Stripe still has it; otherwise `host-shim verify` says what to do";
        return json!({"command": null, "reason": reason});
    }
    let flag = if livemode { " --live" } else { "" };
    let (path, at_s) = (format!("{kind}s"), at.div_euclid(1_000));
    json!({
        "command": format!("stripe {path} update {id} -d \"metadata[checked]={at_s}\"{flag}"),
        "reason": "a change at Stripe makes it send the object's state, which the record then takes",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn differences_have_the_fields_that_would_change_and_a_command() {
        let side = |id: &str, value: Value| -> Side { [(id.to_owned(), facts(value))].into() };
        let ours = Recorded {
            customers: vec!["cus_1".to_owned()],
            sides: [
                ("subscription", side("sub_1", json!({"status": "active", "items": []}))),
                ("invoice", side("in_1", json!({"status": "open"}))),
                ("refund", Side::new()),
            ]
            .into(),
            waiting: [("re_1".to_owned(), 7)].into(),
        };
        let theirs = [
            ("subscription", side("sub_1", json!({"status": "canceled", "items": []}))),
            ("refund", side("re_1", json!({"status": "succeeded"}))),
        ]
        .into();
        let answer = beside(&ours, &theirs, 5_000, false);
        let changes = answer["changes"].as_array().expect("a list");
        let of = |kind: &str| changes.iter().find(|change| change["kind"] == kind).expect("a change");
        assert_eq!(of("subscription")["fields"], json!([{"field": "status", "from": "active", "to": "canceled"}]));
        let update = "stripe subscriptions update sub_1 -d \"metadata[checked]=5\"";
        assert_eq!(of("subscription")["mend"]["command"], update);
        assert_eq!(of("refund")["mend"]["command"], "POST /api/operator/events/7/redrive");
        assert_eq!((&of("invoice")["what"], &of("invoice")["mend"]["command"]), (&json!("only-ours"), &Value::Null));
        assert_eq!(answer["objects"]["subscription"][0]["stripe"]["status"], "canceled");
    }

    #[test]
    fn a_deleted_draft_is_no_difference_and_items_have_no_order() {
        assert!(change("invoice", Some(&facts(json!({"status": "draft"}))), None).is_none());
        let (a, b, one) = (json!("price_a"), json!("price_b"), json!(1));
        assert_eq!(items([(&a, &one), (&b, &one)].into_iter()), items([(&b, &one), (&a, &one)].into_iter()));
    }
}
