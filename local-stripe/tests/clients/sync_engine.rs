//! Tests stripe-sync-engine: its backfills and its webhook handler, each with its own database.

use std::process::Command;
use std::time::Duration;

use counterparts::Postgres;
use local_stripe::server::Options;
use serde_json::{Value, json};

use crate::sink::Sink;
use crate::{account, call, install, left_out, runtime, start, succeeds};

const LIMIT: Duration = Duration::from_secs(240);

/// The event types of the sandbox that the engine's handler supports. For any other type, the handler throws an error.
/// It also claims to support `invoice.upcoming`, but fails because this event's invoice has no id.
const HANDLED: &[&str] = &[
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.completed",
    "checkout.session.expired",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.sent",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "payment_method.detached",
    "payment_method.updated",
    "plan.created",
    "plan.deleted",
    "plan.updated",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "radar.early_fraud_warning.created",
    "radar.early_fraud_warning.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "review.closed",
    "review.opened",
    "subscription_schedule.aborted",
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.created",
    "subscription_schedule.expiring",
    "subscription_schedule.released",
    "subscription_schedule.updated",
];

#[test]
fn sync_engine() {
    if left_out("sync-engine") {
        return;
    }
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let (node, postgres) = (counterparts::stripe_node(), Postgres::start());
    let server = start(&runtime, Options::default());
    let sink = runtime.block_on(Sink::start(&[]));
    let wanted = HANDLED.iter().map(|e| ("enabled_events[]", *e));
    let form: Vec<(&str, &str)> =
        [("url", sink.url.as_str()), ("api_version", "2020-08-27")].into_iter().chain(wanted).collect();
    let secret = call(&server, "POST", "/v1/webhook_endpoints", &form)["secret"].as_str().unwrap().to_owned();
    account::play(&server);
    let events = account::events(&server);
    let sent = events.iter().filter(|e| HANDLED.iter().any(|kind| e["type"] == *kind)).count();
    let deliveries = runtime.block_on(sink.wait_for(sent));
    let kept: Vec<Value> = deliveries.iter().map(|d| json!({ "body": d.body, "signature": d.signature })).collect();
    let file = folder.path().join("deliveries.json");
    std::fs::write(&file, Value::Array(kept).to_string()).unwrap();
    let mut command = Command::new("node");
    command.env("NODE_CLIENTS", node).arg(install::clients().join("sync-engine.mjs")).arg(server.url());
    command.args([postgres.database("backfill"), postgres.database("webhooks")]).arg(file).arg(secret);
    let out = succeeds(&mut command, LIMIT);
    print!("{out}");
    assert!(out.contains("17 backfills") && out.contains("webhooks processed, nothing lost"), "{out}");
}
