//! Builders of subscriptions, their items, invoices, lines, invoice items and invoice payments.

use serde_json::{Value, json};

use crate::model::price::plan_of;
use crate::object::{Object, list};

/// Builds an active subscription without items.
pub fn subscription(id: String, created_s: i64, customer: &Object, currency: &str) -> Object {
    let url = format!("/v1/subscription_items?subscription={id}");
    Object::of(json!({
        "id": id,
        "object": "subscription",
        "application": null,
        "application_fee_percent": null,
        "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
        "billing_cycle_anchor": created_s,
        "billing_cycle_anchor_config": null,
        "billing_mode": { "flexible": { "proration_discounts": "included" }, "type": "flexible" },
        "billing_schedules": [],
        "billing_thresholds": null,
        "cancel_at": null,
        "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": { "comment": null, "feedback": null, "reason": null },
        "collection_method": "charge_automatically",
        "created": created_s,
        "currency": currency,
        "customer": customer.id(),
        "customer_account": null,
        "days_until_due": null,
        "default_payment_method": null,
        "default_source": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "ended_at": null,
        "invoice_settings": {
            "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null, "issuer": { "type": "self" },
        },
        "items": list(&url, Vec::new()),
        "latest_invoice": null,
        "livemode": false,
        "managed_payments": { "enabled": false },
        "metadata": {},
        "next_pending_invoice_item_invoice": null,
        "on_behalf_of": null,
        "pause_collection": null,
        "payment_settings": {
            "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": null,
        "pending_setup_intent": null,
        "pending_update": null,
        "schedule": null,
        "start_date": created_s,
        "status": "active",
        "test_clock": customer.get("test_clock"),
        "transfer_data": null,
        "trial_end": null,
        "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
        "trial_start": null,
    }))
}

/// Builds a subscription item for a price.
pub fn subscription_item(
    id: &str,
    created_s: i64,
    subscription: &str,
    price: &Object,
    quantity: i64,
    period: (i64, i64),
) -> Value {
    let price = price.value();
    let is_metered = price["recurring"]["usage_type"] == "metered";
    let mut item = json!({
        "id": id,
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": created_s,
        "current_period_end": period.1,
        "current_period_start": period.0,
        "discounts": [],
        "metadata": {},
        "plan": plan_of(&price),
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    });
    if let (true, Value::Object(members)) = (is_metered, &mut item) {
        members.remove("quantity");
    }
    item
}

/// The member `automatic_tax` of an invoice without automatic taxes.
pub fn no_automatic_tax() -> Value {
    json!({ "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null })
}

/// Builds a draft invoice of a customer.
pub fn invoice(id: String, created_s: i64, customer: &Object, currency: &str, reason: &str) -> Object {
    let url = format!("/v1/invoices/{id}/lines");
    Object::of(json!({
        "id": id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Local sandbox",
        "account_tax_ids": null,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": null,
        "attempt_count": 0,
        "attempted": false,
        "auto_advance": true,
        "automatic_tax": no_automatic_tax(),
        "automatically_finalizes_at": null,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": created_s,
        "currency": currency,
        "custom_fields": null,
        "customer": customer.id(),
        "customer_account": null,
        "customer_address": customer.get("address"),
        "customer_email": customer.get("email"),
        "customer_name": customer.get("name"),
        "customer_phone": customer.get("phone"),
        "customer_shipping": customer.get("shipping"),
        "customer_tax_exempt": customer.get("tax_exempt"),
        "customer_tax_ids": [],
        "default_payment_method": null,
        "default_source": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": [],
        "due_date": null,
        "effective_at": null,
        "ending_balance": null,
        "footer": null,
        "from_invoice": null,
        "hosted_invoice_url": null,
        "invoice_pdf": null,
        "issuer": { "type": "self" },
        "last_finalization_error": null,
        "latest_revision": null,
        "lines": list(&url, Vec::new()),
        "livemode": false,
        "metadata": {},
        "next_payment_attempt": null,
        "number": null,
        "on_behalf_of": null,
        "parent": null,
        "payment_settings": { "default_mandate": null, "payment_method_options": null, "payment_method_types": null },
        "period_end": created_s,
        "period_start": created_s,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": null,
        "rendering": null,
        "shipping_cost": null,
        "shipping_details": null,
        "starting_balance": 0,
        "statement_descriptor": null,
        "status": "draft",
        "status_transitions": { "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": customer.get("test_clock"),
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": created_s,
    }))
}

/// Builds the member `pricing` of a line or an invoice item.
pub fn pricing(price: &Value, unit_amount_decimal: &Value) -> Value {
    if price.is_null() {
        return json!({ "price_details": null, "type": "price_details", "unit_amount_decimal": unit_amount_decimal });
    }
    json!({
        "price_details": { "price": price["id"], "product": price["product"] },
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    })
}

/// The properties of a new invoice line.
#[derive(Debug, Clone)]
pub struct NewLine {
    /// The amount in minor units.
    pub amount: i64,
    /// The currency's lower-case code.
    pub currency: String,
    /// The description for the customer.
    pub description: String,
    /// The start and end of the billed period, in Unix seconds.
    pub period: (i64, i64),
    /// The price object, or null.
    pub price: Value,
    /// The quantity.
    pub quantity: i64,
    /// The member `parent`, from [`item_parent`] or [`subscription_parent`].
    pub parent: Value,
    /// The metadata.
    pub metadata: Value,
    /// The line's own tax rates, an array of objects.
    pub tax_rates: Value,
    /// The line's own discounts, as objects.
    pub discounts: Vec<Value>,
}

fn ids(discounts: &[Value]) -> Vec<Value> {
    discounts.iter().map(|discount| discount["id"].clone()).collect()
}

/// Builds an invoice line.
pub fn line(id: String, invoice: &str, new: NewLine) -> Value {
    let unit = json!(new.amount.to_string());
    json!({
        "id": id,
        "object": "line_item",
        "amount": new.amount,
        "currency": new.currency,
        "description": new.description,
        "discount_amounts": [],
        "discountable": true,
        "discounts": ids(&new.discounts),
        "invoice": invoice,
        "livemode": false,
        "metadata": new.metadata,
        "parent": new.parent,
        "period": { "start": new.period.0, "end": new.period.1 },
        "pretax_credit_amounts": [],
        "pricing": pricing(&new.price, &unit),
        "quantity": new.quantity,
        "quantity_decimal": new.quantity.to_string(),
        "subtotal": new.amount,
        "taxes": [],
        "price": new.price,
        "tax_rates": new.tax_rates,
    })
}

/// Builds the parent of an invoice item's line. `credited` is the line for which a credit returns money.
pub fn item_parent(item: &str, proration: bool, credited: &Value, subscription: &Value) -> Value {
    json!({
        "invoice_item_details": {
            "invoice_item": item, "proration": proration,
            "proration_details": { "credited_items": credited }, "subscription": subscription,
        },
        "subscription_item_details": null,
        "type": "invoice_item_details",
    })
}

/// Builds the parent of a subscription item's line.
pub fn subscription_parent(subscription: &str, item: &str, proration: bool) -> Value {
    json!({
        "invoice_item_details": null,
        "subscription_item_details": {
            "invoice_item": null, "proration": proration, "proration_details": { "credited_items": null },
            "subscription": subscription, "subscription_item": item,
        },
        "type": "subscription_item_details",
    })
}

/// Builds a pending invoice item.
pub fn invoice_item(id: String, date_s: i64, customer: &Object, new: NewLine) -> Object {
    let unit = json!(new.amount.to_string());
    Object::of(json!({
        "id": id,
        "object": "invoiceitem",
        "amount": new.amount,
        "currency": new.currency,
        "customer": customer.id(),
        "customer_account": null,
        "date": date_s,
        "description": new.description,
        "discountable": true,
        "discounts": ids(&new.discounts),
        "invoice": null,
        "livemode": false,
        "metadata": new.metadata,
        "net_amount": new.amount,
        "parent": null,
        "period": { "start": new.period.0, "end": new.period.1 },
        "pricing": pricing(&new.price, &unit),
        "proration": false,
        "quantity": new.quantity,
        "quantity_decimal": new.quantity.to_string(),
        "tax_rates": new.tax_rates,
        "test_clock": customer.get("test_clock"),
        "price": new.price,
    }))
}

/// Builds the invoice payment, which links an invoice and its payment intent.
pub fn invoice_payment(id: String, created_s: i64, invoice: &Object, intent: &str) -> Object {
    Object::of(json!({
        "id": id,
        "object": "invoice_payment",
        "amount_paid": null,
        "amount_requested": invoice.get("amount_due"),
        "created": created_s,
        "currency": invoice.get("currency"),
        "invoice": invoice.id(),
        "is_default": true,
        "livemode": false,
        "payment": { "payment_intent": intent, "type": "payment_intent" },
        "status": "open",
        "status_transitions": { "canceled_at": null, "paid_at": null },
    }))
    .on_clock_of(invoice)
}

/// Returns the id of the invoice's subscription, empty if there is none.
pub fn subscription_of(invoice: &Object) -> &str {
    invoice.text_at("parent.subscription_details.subscription").unwrap_or_default()
}
