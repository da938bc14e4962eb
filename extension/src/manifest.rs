//! What the extension declares: types, collections, kinds, commands, effects and configuration, all from data.

use crate::command::COMMANDS;
use crate::{DATA_VERSION, schema};
use products_contract::*;
use serde_json::{Map, json};

/// Collections of `records`.
const COLLECTIONS: [&str; 7] = ["billing", "invoices", "ledger", "payments", "sagas", "schedule", "sessions"];

/// Stripe events that mean something (requirements 7.3).
const PROVIDER_KINDS: [&str; 41] = [
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
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
    "price.created",
    "price.deleted",
    "price.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
];

/// Ten tries in about an hour and a half: a provider's ordinary outage.
const PATIENT: RetryPolicy = RetryPolicy { max_attempts: 10, first_delay_ms: 5_000, max_delay_ms: 1_800_000 };
/// Five tries in about five minutes: somebody waits for the end.
const PROMPT: RetryPolicy = RetryPolicy { max_attempts: 5, first_delay_ms: 5_000, max_delay_ms: 120_000 };
/// Three tries (requirements M13).
const MAIL: RetryPolicy = RetryPolicy { max_attempts: 3, first_delay_ms: 60_000, max_delay_ms: 600_000 };

/// Effect kinds with the members that their payload and result must have.
const EFFECTS: [(&str, &[&str], &[&str], RetryPolicy); 32] = [
    ("bucket.change", &[], &[], PROMPT),
    ("bucket.destroy", &[], &[], PATIENT),
    ("bucket.ensure", &[], &[], PROMPT),
    ("bucket.observe", &[], &[], PROMPT),
    ("cdn.change", &[], &[], PROMPT),
    ("cdn.destroy", &[], &[], PATIENT),
    ("cdn.ensure", &[], &[], PROMPT),
    ("cdn.observe", &[], &[], PROMPT),
    ("database.backup", &[], &["verified"], PROMPT),
    ("database.change", &[], &[], PROMPT),
    ("database.destroy", &[], &[], PATIENT),
    ("database.ensure", &[], &[], PROMPT),
    ("database.observe", &[], &[], PROMPT),
    ("database.restore", &["backup"], &[], PROMPT),
    ("domain.change", &[], &[], PROMPT),
    ("domain.destroy", &[], &[], PATIENT),
    ("domain.ensure", &[], &[], PROMPT),
    ("domain.observe", &[], &[], PROMPT),
    ("function.change", &[], &[], PROMPT),
    ("function.destroy", &[], &[], PATIENT),
    ("function.ensure", &[], &[], PROMPT),
    ("function.observe", &[], &[], PROMPT),
    ("mail.send", &["template", "to", "values"], &[], MAIL),
    ("probe.watch", &["url", "every_s", "fail_after", "recover_after"], &["health"], PATIENT),
    ("stripe.checkout.create", &["mode", "price", "quantity"], &[], PROMPT),
    ("stripe.credit.create", &["customer", "amount_minor", "currency"], &[], PATIENT),
    ("stripe.price.create", &["stripe_product_id", "unit_amount", "currency"], &["id"], PATIENT),
    ("stripe.product.create", &["name"], &["id"], PATIENT),
    ("stripe.refund.create", &["payment_intent", "reason"], &[], PATIENT),
    ("stripe.retrieve", &["object", "id"], &["date_ms", "object"], PATIENT),
    ("stripe.subscription.cancel", &["subscription", "at_period_end"], &[], PATIENT),
    ("stripe.subscription.update", &["subscription", "item", "price"], &[], PATIENT),
];

/// Key, type, required, default, environment variable, description.
type ConfigRow = (&'static str, ConfigType, bool, Option<&'static str>, Option<&'static str>, &'static str);

/// Configuration.
pub(crate) const CONFIG: [ConfigRow; 12] = [
    ("aws_region", ConfigType::Text, false, Some("us-east-1"), None, "Region of functions and databases"),
    ("b2_key_id", ConfigType::Text, false, None, Some("B2_KEY_ID"), "Key id for buckets"),
    ("b2_app_key", ConfigType::Secret, false, None, Some("B2_APP_KEY"), "Key for buckets"),
    ("shared_rds_endpoint", ConfigType::Text, false, None, Some("SHARED_RDS_ENDPOINT"), "Server of shared databases"),
    ("shared_rds_master_user", ConfigType::Text, false, None, Some("SHARED_RDS_MASTER_USER"), "Its administrator"),
    ("shared_rds_master_pass", ConfigType::Secret, false, None, Some("SHARED_RDS_MASTER_PASS"), "Password of that"),
    (
        "solobase_binary_s3_bucket",
        ConfigType::Text,
        false,
        Some("solobase-lambda-binaries"),
        None,
        "Bucket of the binaries that functions run",
    ),
    ("cloudfront_key_pair_id", ConfigType::Text, false, None, Some("CLOUDFRONT_KEY_PAIR_ID"), "Key pair for URLs"),
    ("cdn_zone_id", ConfigType::Text, false, None, Some("CDN_ZONE_ID"), "Zone of the CDN; without it none is made"),
    ("cdn_certificate_arn", ConfigType::Text, false, None, Some("CDN_CERTIFICATE_ARN"), "Certificate of the CDN"),
    ("enabled", ConfigType::Boolean, false, Some("true"), None, "False: nothing is provisioned"),
    ("stripe_webhook_secret", ConfigType::Secret, false, None, Some("STRIPE_WEBHOOK_SECRET"), "Signs webhooks"),
];

/// The declarations.
pub(crate) fn declare() -> Declarations {
    Declarations {
        name: "instance-provisioner".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_version: DATA_VERSION,
        product_types: schema::built_in()
            .iter()
            .map(|decl| TypeDecl {
                name: decl.name.clone(),
                schema: decl.json_schema().to_string(),
                behaviour: serde_json::to_string(decl).unwrap_or_default(),
            })
            .collect(),
        collections: COLLECTIONS.map(str::to_owned).to_vec(),
        provider_kinds: PROVIDER_KINDS.map(str::to_owned).to_vec(),
        commands: COMMANDS
            .iter()
            .map(|(kind, required)| CommandDecl { kind: (*kind).to_owned(), schema: object_schema(required) })
            .collect(),
        effects: EFFECTS
            .iter()
            .map(|(kind, payload, result, retry)| EffectDecl {
                kind: (*kind).to_owned(),
                payload_schema: object_schema(payload),
                result_schema: object_schema(result),
                retry: *retry,
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

/// Whether a resource of a product type can be asked for this.
pub(crate) fn has_effect(resource: &str, verb: &str) -> bool {
    EFFECTS.iter().any(|(kind, ..)| kind.split_once('.') == Some((resource, verb)))
}

/// JSON Schema of an object that must have these members.
fn object_schema(required: &[&str]) -> String {
    let mut properties = Map::new();
    for name in required {
        properties.insert((*name).to_owned(), json!({}));
    }
    json!({"type": "object", "required": required, "properties": properties}).to_string()
}
