//! The changes of each API version, newest first. A row contains the version, the kind of object, and either the added
//! members or the removed members with the values that older versions show.
//!
//! Stripe has also added members without a new version. Their rows contain the version from which the sandbox shows
//! them.

use serde_json::{Value, json};

use crate::connect::division;
use crate::model::price::plan_of;
use crate::object::{Object, list};

/// One change of one kind of object.
#[derive(Debug)]
pub struct Change {
    /// The version with the change.
    pub version: &'static str,
    /// The `object` member of the changed objects.
    pub kind: &'static str,
    /// The change.
    pub edit: Edit,
}

/// The change of a kind of object.
#[derive(Debug)]
pub enum Edit {
    /// Added members, as dotted paths; `a[].b` is the member `b` of each object in the list `a`.
    Added(&'static [&'static str]),
    /// Removed members, as dotted paths, with the values that older versions show.
    Removed(&'static [(&'static str, OldValue)]),
}

/// The value that an older version shows for a removed member.
#[derive(Debug)]
pub enum OldValue {
    /// Null.
    Null,
    /// An empty array.
    EmptyList,
    /// The value of this member, which the model still has.
    Kept,
    /// Like `Kept`, but computed from the object.
    KeptAs(fn(&Object) -> Value),
    /// A value computed from the object.
    Of(fn(&Object) -> Value),
    /// A value computed from the object; `None` if this object does not have the member in older versions.
    Maybe(fn(&Object) -> Option<Value>),
}

impl Change {
    /// Returns the members that the model still has, but that the version of the change and newer ones do not show.
    pub fn kept(&self) -> impl Iterator<Item = &'static str> {
        let members = match self.edit {
            Edit::Removed(members) => members,
            Edit::Added(_) => &[],
        };
        let kept = |(_, old): &&(&str, OldValue)| matches!(old, OldValue::Kept | OldValue::KeptAs(_));
        members.iter().filter(kept).map(|(name, _)| *name)
    }
}

const fn added(version: &'static str, kind: &'static str, paths: &'static [&'static str]) -> Change {
    Change { version, kind, edit: Edit::Added(paths) }
}

const fn removed(version: &'static str, kind: &'static str, members: &'static [(&'static str, OldValue)]) -> Change {
    Change { version, kind, edit: Edit::Removed(members) }
}

const Y2026: &str = "2026-07-29";
const CLOVER: &str = "2025-09-30.clover";
/// The version that changed the references among invoices, subscriptions and payments.
pub const BASIL: &str = "2025-03-31.basil";
/// The first version with a release name.
pub const ACACIA: &str = "2024-09-30.acacia";
/// The second of the checked versions.
pub const Y2022: &str = "2022-11-15";

/// The members that the model has but that no version shows unless they are expanded, by kind of object.
pub const HELD_BACK: &[(&str, &[&str])] = &[
    ("billing_portal.configuration", &["features.subscription_update.products"]),
    ("coupon", &["applies_to", "currency_options"]),
    ("invoice", &["application_fee_percent"]),
    ("item", &["tax_rates"]),
    ("price", &["currency_options", "tiers"]),
    ("tax_rate", &["taxability_reason"]),
];

/// All changes that the sandbox can undo.
pub const CHANGES: &[Change] = &[
    added(Y2026, "checkout.session", &["integration_identifier", "managed_payments"]),
    added(
        Y2026,
        "subscription",
        &[
            "billing_schedules",
            "managed_payments",
            "invoice_settings.custom_fields",
            "invoice_settings.description",
            "invoice_settings.footer",
        ],
    ),
    added(Y2026, "invoiceitem", &["quantity_decimal"]),
    added(Y2026, "line_item", &["quantity_decimal", "subtotal"]),
    added(Y2026, "payment_intent", &["managed_payments"]),
    added(Y2026, "charge", &["payment_method_details.card.transaction_link_id"]),
    added(Y2026, "refund", &["customer", "customer_account", "payment_method"]),
    added(Y2026, "dispute", &["payment_method_details.card.network"]),
    added(Y2026, "item", &["adjustable_quantity"]),
    added(CLOVER, "billing_portal.session", &["customer_account"]),
    added(
        CLOVER,
        "billing_portal.configuration",
        &[
            "features.payment_method_update.payment_method_configuration",
            "features.subscription_update.billing_cycle_anchor",
            "features.subscription_update.trial_update_behavior",
            "name",
        ],
    ),
    added(CLOVER, "payment_method", &["customer_account"]),
    added(CLOVER, "billing.credit_balance_summary", &["customer_account"]),
    added(CLOVER, "billing.credit_grant", &["customer_account"]),
    added(CLOVER, "cash_balance", &["customer_account"]),
    added(CLOVER, "confirmation_token", &["payment_method_preview.customer_account"]),
    added(CLOVER, "customer_cash_balance_transaction", &["customer_account"]),
    added(CLOVER, "customer_session", &["customer_account"]),
    added(CLOVER, "identity.verification_session", &["related_customer_account"]),
    added(
        CLOVER,
        "checkout.session",
        &[
            "customer_account",
            "origin_context",
            "collected_information.business_name",
            "collected_information.individual_name",
            "customer_details.business_name",
            "customer_details.individual_name",
        ],
    ),
    added(CLOVER, "subscription", &["billing_mode", "billing_thresholds", "customer_account"]),
    added(CLOVER, "subscription_item", &["billing_thresholds"]),
    added(CLOVER, "invoice", &["customer_account"]),
    added(CLOVER, "invoiceitem", &["customer_account", "net_amount"]),
    added(CLOVER, "payment_intent", &["customer_account", "excluded_payment_method_types"]),
    added(CLOVER, "setup_intent", &["excluded_payment_method_types"]),
    added(CLOVER, "setup_attempt", &["customer_account"]),
    added(CLOVER, "item", &["metadata"]),
    added(CLOVER, "customer_balance_transaction", &["customer_account"]),
    added(CLOVER, "discount", &["customer_account", "source"]),
    removed(CLOVER, "discount", &[("coupon", OldValue::Kept)]),
    added(CLOVER, "promotion_code", &["customer_account", "promotion"]),
    removed(CLOVER, "promotion_code", &[("coupon", OldValue::Kept)]),
    added(BASIL, "billing.credit_grant", &["priority"]),
    added(BASIL, "confirmation_token", &["payment_method_preview.billing_details.tax_id"]),
    added(BASIL, "payment_method_domain", &["klarna"]),
    added(BASIL, "payment_method", &["billing_details.tax_id", "card.regulated_status"]),
    added(
        BASIL,
        "checkout.session",
        &["collected_information", "discounts", "permissions", "wallet_options", "automatic_tax.provider"],
    ),
    removed(BASIL, "checkout.session", &[("shipping_details", OldValue::Of(session_shipping))]),
    added(BASIL, "subscription_item", &["current_period_end", "current_period_start"]),
    removed(BASIL, "subscription_item", &[("billing_thresholds", OldValue::Null)]),
    removed(
        BASIL,
        "subscription",
        &[
            ("billing_thresholds", OldValue::Null),
            ("current_period_end", OldValue::Of(period_end)),
            ("current_period_start", OldValue::Of(period_start)),
            ("discount", OldValue::Kept),
        ],
    ),
    removed(
        BASIL,
        "invoice",
        &[
            ("application_fee_amount", OldValue::KeptAs(division::fee_of_invoice)),
            ("charge", OldValue::Kept),
            ("discount", OldValue::Kept),
            ("paid", OldValue::Of(paid)),
            ("paid_out_of_band", OldValue::KeptAs(|invoice| json!(invoice.is("paid_out_of_band")))),
            ("payment_intent", OldValue::Kept),
            ("quote", OldValue::Null),
            ("subscription", OldValue::Of(invoice_subscription)),
            ("subscription_details", OldValue::Of(subscription_details)),
            ("tax", OldValue::Of(invoice_tax)),
            ("total_tax_amounts", OldValue::Of(|invoice| tax_amounts(invoice, "total_taxes"))),
            ("transfer_data", OldValue::KeptAs(division::transfer_of_invoice)),
        ],
    ),
    added(
        BASIL,
        "invoice",
        &["amount_overpaid", "parent", "total_pretax_credit_amounts", "total_taxes", "automatic_tax.provider"],
    ),
    removed(
        BASIL,
        "invoiceitem",
        &[
            ("plan", OldValue::Of(plan)),
            ("price", OldValue::Kept),
            ("subscription", OldValue::Of(item_subscription)),
            ("unit_amount", OldValue::Of(unit_amount)),
            ("unit_amount_decimal", OldValue::Of(unit_amount_decimal)),
        ],
    ),
    added(BASIL, "invoiceitem", &["parent", "pricing"]),
    removed(
        BASIL,
        "line_item",
        &[
            ("amount_excluding_tax", OldValue::Of(line_excluding_tax)),
            ("invoice_item", OldValue::Maybe(line_invoice_item)),
            ("plan", OldValue::Of(plan)),
            ("price", OldValue::Kept),
            ("proration", OldValue::Of(line_proration)),
            ("proration_details", OldValue::Of(line_proration_details)),
            ("subscription", OldValue::Of(line_subscription)),
            ("subscription_item", OldValue::Maybe(line_subscription_item)),
            ("tax_amounts", OldValue::Of(|line| tax_amounts(line, "taxes"))),
            ("tax_rates", OldValue::KeptAs(|line| json!(line.list_at("tax_rates")))),
            ("type", OldValue::Of(line_type)),
            ("unit_amount_excluding_tax", OldValue::Of(|line| line.at("pricing.unit_amount_decimal").clone())),
        ],
    ),
    added(BASIL, "line_item", &["parent", "pretax_credit_amounts", "pricing", "taxes"]),
    removed(BASIL, "payment_intent", &[("invoice", OldValue::Kept)]),
    added(
        BASIL,
        "charge",
        &[
            "billing_details.tax_id",
            "payment_method_details.card.network_transaction_id",
            "payment_method_details.card.regulated_status",
        ],
    ),
    removed(BASIL, "charge", &[("invoice", OldValue::Kept)]),
    removed(BASIL, "price", &[("recurring.aggregate_usage", OldValue::Null)]),
    removed(BASIL, "plan", &[("aggregate_usage", OldValue::Null)]),
    added(BASIL, "balance_transaction", &["balance_type"]),
    added(BASIL, "customer_balance_transaction", &["checkout_session"]),
    added(ACACIA, "billing_portal.configuration", &["features.subscription_update.schedule_at_period_end"]),
    removed(ACACIA, "billing_portal.configuration", &[("features.subscription_pause", OldValue::Of(no_pause))]),
    added(ACACIA, "identity.verification_report", &["client_reference_id"]),
    added(ACACIA, "identity.verification_session", &["client_reference_id", "related_customer"]),
    added(ACACIA, "payment_method", &["allow_redisplay", "card.display_brand"]),
    added(ACACIA, "product", &["marketing_features", "type"]),
    added(ACACIA, "price", &["recurring.meter", "recurring.trial_period_days"]),
    added(ACACIA, "plan", &["meter"]),
    added(
        ACACIA,
        "checkout.session",
        &[
            "adaptive_pricing",
            "client_secret",
            "payment_method_configuration_details",
            "saved_payment_method_options",
            "ui_mode",
            "automatic_tax.liability",
            "custom_text.after_submit",
            "custom_text.terms_of_service_acceptance",
        ],
    ),
    added(
        ACACIA,
        "subscription",
        &[
            "billing_cycle_anchor_config",
            "discounts",
            "invoice_settings",
            "automatic_tax.disabled_reason",
            "automatic_tax.liability",
        ],
    ),
    added(ACACIA, "discount", &["subscription_item"]),
    added(ACACIA, "subscription_item", &["discounts", "plan"]),
    added(
        ACACIA,
        "invoice",
        &[
            "automatically_finalizes_at",
            "effective_at",
            "issuer",
            "rendering",
            "subscription_details",
            "automatic_tax.disabled_reason",
            "automatic_tax.liability",
        ],
    ),
    removed(ACACIA, "invoice", &[("rendering_options", OldValue::Null)]),
    added(ACACIA, "invoiceitem", &["plan"]),
    added(ACACIA, "line_item", &["invoice", "plan"]),
    added(ACACIA, "payment_intent", &["payment_method_configuration_details"]),
    added(ACACIA, "setup_intent", &["payment_method_configuration_details"]),
    added(
        ACACIA,
        "charge",
        &[
            "payment_method_details.card.amount_authorized",
            "payment_method_details.card.authorization_code",
            "payment_method_details.card.extended_authorization",
            "payment_method_details.card.incremental_authorization",
            "payment_method_details.card.multicapture",
            "payment_method_details.card.overcapture",
        ],
    ),
    added(ACACIA, "refund", &["destination_details"]),
    added(
        ACACIA,
        "dispute",
        &[
            "enhanced_eligibility_types",
            "payment_method_details",
            "evidence.enhanced_evidence",
            "evidence_details.enhanced_eligibility",
        ],
    ),
    added(ACACIA, "test_helpers.test_clock", &["status_details"]),
    added(Y2026, "topup", &["initiated_by"]),
    added(
        Y2026,
        "subscription_schedule",
        &[
            "default_settings.invoice_settings.custom_fields",
            "default_settings.invoice_settings.description",
            "default_settings.invoice_settings.footer",
        ],
    ),
    added(
        CLOVER,
        "subscription_schedule",
        &[
            "billing_mode",
            "customer_account",
            "default_settings.billing_thresholds",
            "phases[].billing_thresholds",
            "phases[].items[].billing_thresholds",
        ],
    ),
    removed(
        BASIL,
        "subscription_schedule",
        &[
            ("default_settings.billing_thresholds", OldValue::Null),
            ("phases[].billing_thresholds", OldValue::Null),
            ("phases[].coupon", OldValue::Null),
            ("phases[].items[].billing_thresholds", OldValue::Null),
        ],
    ),
    added(
        ACACIA,
        "subscription_schedule",
        &[
            "default_settings.automatic_tax.disabled_reason",
            "default_settings.automatic_tax.liability",
            "phases[].discounts",
            "phases[].items[].discounts",
            "phases[].items[].plan",
        ],
    ),
    removed(ACACIA, "subscription_schedule", &[("default_settings.invoice_settings", OldValue::Null)]),
    added(
        Y2022,
        "subscription_schedule",
        &[
            "application",
            "default_settings.automatic_tax",
            "default_settings.description",
            "default_settings.on_behalf_of",
            "phases[].currency",
            "phases[].description",
            "phases[].items[].metadata",
            "phases[].metadata",
            "phases[].on_behalf_of",
            "test_clock",
        ],
    ),
    added(
        Y2026,
        "quote",
        &["invoice_settings.custom_fields", "invoice_settings.description", "invoice_settings.footer"],
    ),
    added(CLOVER, "quote", &["customer_account", "subscription_data.billing_mode"]),
    added(BASIL, "quote", &["automatic_tax.provider"]),
    added(ACACIA, "quote", &["automatic_tax.liability", "invoice_settings.issuer", "subscription_data.metadata"]),
    added(Y2026, "payment_link", &["managed_payments", "payment_method_options"]),
    added(
        ACACIA,
        "payment_link",
        &[
            "application",
            "automatic_tax.liability",
            "custom_text.after_submit",
            "custom_text.terms_of_service_acceptance",
            "inactive_message",
            "restrictions",
            "tax_id_collection.required",
        ],
    ),
    added(Y2026, "credit_note_line_item", &["metadata"]),
    added(CLOVER, "credit_note", &["customer_account"]),
    added(
        BASIL,
        "credit_note",
        &["post_payment_amount", "pre_payment_amount", "pretax_credit_amounts", "refunds", "total_taxes"],
    ),
    removed(
        BASIL,
        "credit_note",
        &[
            ("refund", OldValue::Of(refund_of_note)),
            ("tax_amounts", OldValue::Of(|note| tax_amounts(note, "total_taxes"))),
        ],
    ),
    added(BASIL, "credit_note_line_item", &["pretax_credit_amounts", "taxes"]),
    removed(
        BASIL,
        "credit_note_line_item",
        &[
            ("amount_excluding_tax", OldValue::Of(line_excluding_tax)),
            ("tax_amounts", OldValue::Of(|line| tax_amounts(line, "taxes"))),
            ("unit_amount_excluding_tax", OldValue::Of(|line| line.get("unit_amount_decimal").clone())),
        ],
    ),
    added(ACACIA, "credit_note", &["effective_at"]),
    added(Y2022, "credit_note", &["amount_shipping", "shipping_cost", "subtotal_excluding_tax", "total_excluding_tax"]),
    added(Y2022, "credit_note_line_item", &["amount_excluding_tax", "unit_amount_excluding_tax"]),
    added(BASIL, "card", &["regulated_status"]),
    added(CLOVER, "payout", &["payout_method"]),
    added(ACACIA, "payout", &["application_fee", "application_fee_amount", "trace_id"]),
    added(CLOVER, "tax_id", &["customer_account", "owner.customer_account"]),
    added(ACACIA, "tax_id", &["owner"]),
    added(ACACIA, "tax_rate", &["flat_amount", "jurisdiction_level", "rate_type"]),
    added(Y2022, "payout", &["reconciliation_status"]),
    added(Y2022, "tax_rate", &["effective_percentage", "tax_type"]),
    added(CLOVER, "account", &["settings.invoices.hosted_payment_method_save"]),
    added(BASIL, "account", &["business_profile.minority_owned_business_designation"]),
    added(
        ACACIA,
        "account",
        &[
            "business_profile.annual_revenue",
            "business_profile.estimated_worker_count",
            "settings.bacs_debit_payments.display_name",
            "settings.bacs_debit_payments.service_user_number",
            "settings.invoices",
            "settings.payments.statement_descriptor_prefix_kana",
            "settings.payments.statement_descriptor_prefix_kanji",
        ],
    ),
    added(
        Y2022,
        "account",
        &[
            "controller",
            "future_requirements",
            "requirements.alternatives",
            "settings.card_payments.statement_descriptor_prefix_kana",
            "settings.card_payments.statement_descriptor_prefix_kanji",
        ],
    ),
    added(Y2022, "billing_portal.session", &["flow", "locale"]),
    added(
        Y2022,
        "billing_portal.configuration",
        &["features.subscription_cancel.cancellation_reason", "login_page", "metadata"],
    ),
    added(Y2022, "customer", &["test_clock", "invoice_settings.rendering_options"]),
    added(Y2022, "product", &["default_price", "tax_code"]),
    added(Y2022, "price", &["custom_unit_amount", "tax_behavior"]),
    added(
        Y2022,
        "checkout.session",
        &[
            "after_expiration",
            "automatic_tax",
            "consent",
            "consent_collection",
            "created",
            "currency_conversion",
            "custom_fields",
            "custom_text",
            "customer_creation",
            "expires_at",
            "invoice",
            "invoice_creation",
            "payment_link",
            "payment_method_collection",
            "phone_number_collection",
            "recovered_from",
            "shipping_cost",
            "shipping_details",
            "shipping_options",
        ],
    ),
    removed(Y2022, "checkout.session", &[("shipping", OldValue::Of(session_shipping))]),
    added(
        Y2022,
        "subscription",
        &[
            "application",
            "automatic_tax",
            "cancellation_details",
            "currency",
            "description",
            "on_behalf_of",
            "payment_settings",
            "test_clock",
            "trial_settings",
        ],
    ),
    added(
        Y2022,
        "invoice",
        &[
            "amount_shipping",
            "application",
            "automatic_tax",
            "from_invoice",
            "latest_revision",
            "quote",
            "rendering_options",
            "shipping_cost",
            "shipping_details",
            "subtotal_excluding_tax",
            "test_clock",
            "total_excluding_tax",
            "payment_settings.default_mandate",
        ],
    ),
    added(Y2022, "invoiceitem", &["test_clock"]),
    added(Y2022, "line_item", &["amount_excluding_tax", "proration_details", "unit_amount_excluding_tax"]),
    added(Y2022, "payment_intent", &["amount_details", "automatic_payment_methods", "latest_charge", "processing"]),
    added(Y2022, "setup_intent", &["automatic_payment_methods", "flow_directions"]),
    added(
        Y2022,
        "setup_attempt",
        &[
            "flow_directions",
            "payment_method_details.card.brand",
            "payment_method_details.card.checks",
            "payment_method_details.card.country",
            "payment_method_details.card.exp_month",
            "payment_method_details.card.exp_year",
            "payment_method_details.card.fingerprint",
            "payment_method_details.card.funding",
            "payment_method_details.card.last4",
            "payment_method_details.card.network",
            "payment_method_details.card.wallet",
        ],
    ),
    removed(Y2022, "payment_intent", &[("charges", OldValue::KeptAs(charges))]),
    added(
        Y2022,
        "charge",
        &[
            "failure_balance_transaction",
            "payment_method_details.card.mandate",
            "payment_method_details.card.network_token",
        ],
    ),
    removed(Y2022, "charge", &[("order", OldValue::Null), ("refunds", OldValue::KeptAs(refunds))]),
    added(Y2022, "item", &["amount_discount", "amount_tax"]),
];

fn session_shipping(session: &Object) -> Value {
    session.at("collected_information.shipping_details").clone()
}

fn refund_of_note(note: &Object) -> Value {
    note.list_at("refunds").first().map_or(Value::Null, |r| r["refund"].clone())
}

fn period_start(subscription: &Object) -> Value {
    subscription.list_at("items").first().map_or(Value::Null, |i| i["current_period_start"].clone())
}

fn period_end(subscription: &Object) -> Value {
    subscription.list_at("items").first().map_or(Value::Null, |i| i["current_period_end"].clone())
}

fn paid(invoice: &Object) -> Value {
    json!(invoice.text("status") == "paid")
}

fn invoice_subscription(invoice: &Object) -> Value {
    invoice.at("parent.subscription_details.subscription").clone()
}

fn subscription_details(invoice: &Object) -> Value {
    json!({ "metadata": invoice.at("parent.subscription_details.metadata") })
}

fn item_subscription(item: &Object) -> Value {
    item.at("parent.subscription_details.subscription").clone()
}

fn unit_amount_decimal(item: &Object) -> Value {
    item.at("pricing.unit_amount_decimal").clone()
}

fn unit_amount(item: &Object) -> Value {
    let whole = item.text_at("pricing.unit_amount_decimal").and_then(|d| d.parse::<i64>().ok());
    whole.map_or(Value::Null, |n| json!(n))
}

fn plan(owner: &Object) -> Value {
    plan_of(owner.get("price"))
}

fn line_invoice_item(line: &Object) -> Option<Value> {
    let items = ["parent.invoice_item_details.invoice_item", "parent.subscription_item_details.invoice_item"];
    items.into_iter().map(|path| line.at(path)).find(|id| !id.is_null()).cloned()
}

fn line_subscription_item(line: &Object) -> Option<Value> {
    let id = line.at("parent.subscription_item_details.subscription_item");
    (!id.is_null()).then(|| id.clone())
}

fn line_proration(line: &Object) -> Value {
    let item = line.at("parent.invoice_item_details.proration");
    let subscription = line.at("parent.subscription_item_details.proration");
    json!(item == &json!(true) || subscription == &json!(true))
}

fn line_proration_details(line: &Object) -> Value {
    json!({ "credited_items": line.at("parent.invoice_item_details.proration_details.credited_items") })
}

fn line_subscription(line: &Object) -> Value {
    let of_item = line.at("parent.subscription_item_details.subscription");
    if of_item.is_null() { line.at("parent.invoice_item_details.subscription").clone() } else { of_item.clone() }
}

/// Returns the taxes of an invoice or a line in the shape before [`BASIL`].
fn tax_amounts(owner: &Object, member: &str) -> Value {
    let old = |tax: &Value| {
        let reason = &tax["taxability_reason"];
        json!({
            "amount": tax["amount"],
            "inclusive": tax["tax_behavior"] == "inclusive",
            "tax_rate": tax["tax_rate_details"]["tax_rate"],
            "taxability_reason": if reason == "not_available" { &Value::Null } else { reason },
            "taxable_amount": tax["taxable_amount"],
        })
    };
    owner.list_at(member).iter().map(old).collect()
}

/// Returns the sum of an invoice's taxes, or null if no tax rate applies.
fn invoice_tax(invoice: &Object) -> Value {
    let taxes = invoice.list_at("total_taxes");
    let sum: i64 = taxes.iter().filter_map(|tax| tax["amount"].as_i64()).sum();
    if taxes.is_empty() { Value::Null } else { json!(sum) }
}

fn line_excluding_tax(line: &Object) -> Value {
    let included = line.list_at("taxes").iter().filter(|tax| tax["tax_behavior"] == "inclusive");
    json!(line.int("amount") - included.filter_map(|tax| tax["amount"].as_i64()).sum::<i64>())
}

/// Returns the type of a line before [`BASIL`], where each proration was an invoice item, including that of a first
/// period that ends at the anchor.
fn line_type(line: &Object) -> Value {
    let is_item = line.at("parent.type") == "invoice_item_details" || line_proration(line) == true;
    json!(if is_item { "invoiceitem" } else { "subscription" })
}

fn charges(intent: &Object) -> Value {
    let url = format!("/v1/charges?payment_intent={}", intent.id());
    list(&url, intent.get("charges").as_array().cloned().unwrap_or_default())
}

fn refunds(charge: &Object) -> Value {
    let url = format!("/v1/charges/{}/refunds", charge.id());
    list(&url, charge.get("refunds").as_array().cloned().unwrap_or_default())
}

fn no_pause(_: &Object) -> Value {
    json!({ "enabled": false })
}
