//! Builds the manifest from tables: the extension's collections, event kinds, commands, effects and configuration.

use crate::catalog::declared::CONFIG;
use crate::input::THIN;
use crate::model::DATA_VERSION;
use crate::model::effect_kinds::EFFECTS;
use crate::model::tables::COLLECTIONS;
use crate::rules::commands::{COMMANDS, Command};
use extension_contract::*;
use serde_json::{Map, json};

/// Kinds of Stripe events that the extension handles.
const PAYMENT_KINDS: [&str; 59] = [
    "account.application.deauthorized",
    "account.updated",
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
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "credit_note.created",
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
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.overpaid",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.upcoming",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "payout.failed",
    "price.created",
    "price.deleted",
    "price.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "subscription_schedule.aborted",
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.created",
    "subscription_schedule.expiring",
    "subscription_schedule.released",
    "subscription_schedule.updated",
    "transfer.reversed",
];

/// Returns the manifest.
pub(crate) fn declare() -> Declarations {
    Declarations {
        name: "instance-provisioner".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_version: DATA_VERSION,
        // A catalog defines the product types.
        product_types: Vec::new(),
        collections: collections(),
        payment_kinds: PAYMENT_KINDS.iter().flat_map(|kind| [(*kind).to_owned(), format!("{THIN}{kind}")]).collect(),
        commands: COMMANDS
            .iter()
            .map(|it| CommandDecl { kind: it.kind.to_owned(), schema: command_schema(it) })
            .collect(),
        effects: EFFECTS
            .iter()
            .map(|it| EffectDecl {
                kind: it.kind.to_owned(),
                payload_schema: object_schema(it.payload),
                result_schema: object_schema(it.result),
                retry: RetryPolicy { delays_ms: it.retry.to_vec() },
            })
            .collect(),
        config: CONFIG
            .iter()
            .map(|(key, value_type, required, default, env, description)| ConfigDecl {
                key: (*key).to_owned(),
                value_type: *value_type,
                required: *required,
                default_value: default.map(str::to_owned),
                env: env.map(str::to_owned),
                description: (*description).to_owned(),
            })
            .collect(),
    }
}

/// Returns the collections of `records`, in alphabetical order.
fn collections() -> Vec<String> {
    let mut collections: Vec<String> = COLLECTIONS.iter().map(|name| (*name).to_owned()).collect();
    collections.sort();
    collections
}

/// Returns the JSON Schema of a command's payload. If it knows all members, a host refuses others before it stores the command.
fn command_schema(command: &Command) -> String {
    let Some(members) = command.all_members() else { return object_schema(command.required) };
    let mut properties = Map::new();
    for name in members {
        properties.insert((*name).to_owned(), json!({}));
    }
    let required = command.required;
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false}).to_string()
}

/// Returns the JSON Schema of an object that must have these members.
fn object_schema(required: &[&str]) -> String {
    let mut properties = Map::new();
    for name in required {
        properties.insert((*name).to_owned(), json!({}));
    }
    json!({"type": "object", "required": required, "properties": properties}).to_string()
}
