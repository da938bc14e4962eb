//! The state that the sandbox keeps for its own use: one struct for each kind of object. It is stored next to the
//! members that clients see, and never shown. [`State::put`](crate::state::State::put) refuses an object with the state
//! of another kind.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::object::Object;

/// Whether a value need not be stored.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Declares the structs and the accessors of an object.
macro_rules! own {
    ($(
        $kind:ident($member:ident, $read:ident, $write:ident) of $($name:literal)|+ {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    )*) => {
        $(
            #[doc = concat!("What the sandbox keeps of a", $(" `", $name, "`"),+, " for itself.")]
            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub struct $kind {
                $(
                    $(#[$field_doc])*
                    #[serde(skip_serializing_if = "is_default")]
                    pub $field: $type,
                )*
            }
        )*

        /// The own state of an object, of which only the part for its kind may be set.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Own {
            $(
                #[serde(skip_serializing_if = "Option::is_none")]
                $member: Option<Box<$kind>>,
            )*
        }

        impl Own {
            /// Whether this state belongs to an object of this kind.
            pub fn fits(&self, kind: &str) -> bool {
                $((self.$member.is_none() || matches!(kind, $($name)|+)) &&)* true
            }
        }

        impl Object {
            $(
                #[doc = concat!("Returns what the sandbox keeps of this", $(" `", $name, "`"),+, " for itself.")]
                pub fn $read(&self) -> &$kind {
                    static UNCHANGED: LazyLock<$kind> = LazyLock::new($kind::default);
                    self.own.$member.as_deref().unwrap_or(&UNCHANGED)
                }

                #[doc = concat!("Like `", stringify!($read), "`, for changes.")]
                pub fn $write(&mut self) -> &mut $kind {
                    self.own.$member.get_or_insert_default()
                }
            )*
        }
    };
}

own! {
    Account(account, as_account, as_account_mut) of "account" {
        /// The times at which its capabilities were requested, by their names.
        requested_at: BTreeMap<String, i64>,
        /// The original values of the members that a rejection changed.
        before_rejection: Vec<Value>,
    }

    ActiveEntitlement(active_entitlement, as_active_entitlement, as_active_entitlement_mut) of "entitlements.active_entitlement" {
        /// The customer's id.
        customer: String,
    }

    Alert(alert, as_alert, as_alert_mut) of "billing.alert" {
        /// The number of the request that activated it. An alert is triggered once for each activation.
        activation: u64,
    }

    Charge(charge, as_charge, as_charge_mut) of "charge" {
        /// The ids of its refunds, oldest first.
        refund_ids: Vec<String>,
        /// The id of the invoice that it pays.
        invoice: String,
        /// Whether its dispute is an inquiry, which does not prevent refunds.
        refundable_dispute: bool,
        /// The refunded amount whose share of the transfer was reversed.
        reversed_for: i64,
        /// The refunded amount whose share of the application fee was refunded.
        fee_refunded_for: i64,
    }

    ConfirmationToken(confirmation_token, as_confirmation_token, as_confirmation_token_mut) of "confirmation_token" {
        /// The id of the saved payment method.
        saved: Option<String>,
        /// The payment method that its use creates.
        method: Option<Box<Object>>,
    }

    CreditTransaction(credit_transaction, as_credit_transaction, as_credit_transaction_mut) of "billing.credit_balance_transaction" {
        /// The customer's id.
        customer: String,
    }

    EphemeralKey(ephemeral_key, as_ephemeral_key, as_ephemeral_key_mut) of "ephemeral_key" {
        /// The key.
        secret: String,
        /// The customer's id.
        customer: String,
    }

    Grant(grant, as_grant, as_grant_mut) of "billing.credit_grant" {
        /// The rest of its amount, in minor units.
        left: i64,
    }

    Intent(intent, as_intent, as_intent_mut) of "payment_intent" | "setup_intent" {
        /// The ids of its charges, oldest first.
        charge_ids: Vec<String>,
        /// The id of the invoice that it was created for.
        invoice: String,
        /// The id of the checkout session that it was created for.
        session: String,
        /// The id of the subscription that it was created for.
        subscription: String,
        /// The id of the invoice that it was attached to.
        attached_to: String,
        /// Where the customer returns after 3-D Secure.
        return_url: Option<String>,
        /// Whether the next action is for Stripe's scripts.
        use_stripe_sdk: bool,
        /// The customer's acceptance of a mandate, as given in the request.
        mandate_data: Value,
        /// The id of the mandate in the request.
        mandate: String,
        /// Whether the payment method is saved regardless of `setup_future_usage`.
        keeps_method: bool,
        /// When the bank decides on the debit, in Unix seconds.
        settles_at: Option<i64>,
        /// The amount paid from the customer's cash balance, in minor units.
        funded: i64,
        /// How often the authorized amount was increased.
        increases: i64,
    }

    Invoice(invoice, as_invoice, as_invoice_mut) of "invoice" {
        /// Its discounts, as objects.
        discounts: Vec<Value>,
        /// The id of the payment intent.
        payment_intent: String,
        /// The id of the charge that paid it.
        charge: String,
        /// Whether it was paid out of band.
        paid_out_of_band: bool,
        /// Whether the lines keep the tax rates with which they were paid.
        keeps_rates: bool,
        /// The id of the checkout session whose subscription it begins.
        session: String,
        /// The number of days until it is due.
        days_until_due: Option<i64>,
        /// The application fee in minor units.
        application_fee_amount: Option<i64>,
        /// The application fee in percent of the amount due.
        application_fee_percent: Value,
        /// The account that gets the payment, and its share.
        transfer_data: Value,
    }

    InvoiceItem(invoice_item, as_invoice_item, as_invoice_item_mut) of "invoiceitem" {
        /// Whether it bills the rest of a period after a change.
        debit: bool,
        /// The lines for which it returns money.
        credited: Value,
        /// Whether its amount includes taxes; null if the settings decide it.
        tax_behavior: Value,
    }

    MeterEvent(meter_event, as_meter_event, as_meter_event_mut) of "billing.meter_event" {
        /// The [series](crate::state::Series) of the event.
        series: String,
        /// The time of the event, in Unix seconds.
        at_s: i64,
        /// The value.
        value: i64,
        /// Whether it was cancelled.
        cancelled: bool,
    }

    PaymentLink(payment_link, as_payment_link, as_payment_link_mut) of "payment_link" {
        /// The lines.
        lines: Vec<Value>,
        /// The application fee in percent, as given in the request.
        application_fee_percent: Value,
    }

    PaymentMethod(payment_method, as_payment_method, as_payment_method_mut) of "payment_method" {
        /// The number of the test card or test account.
        number: String,
        /// Whether its 3-D Secure was passed once.
        authenticated: bool,
        /// Whether it was detached and can't be used again.
        detached: bool,
        /// Whether the bank account is verified.
        verified: bool,
        /// The id of the mandate for later payments.
        mandate: String,
        /// The client secret of a source.
        client_secret: String,
        /// The usage of a source, `reusable` or `single_use`.
        usage: String,
        /// The statement descriptor of a source.
        statement_descriptor: Option<String>,
    }

    ProductFeature(product_feature, as_product_feature, as_product_feature_mut) of "product_feature" {
        /// The product's id.
        product: String,
        /// The feature's id.
        feature: String,
    }

    Quote(quote, as_quote, as_quote_mut) of "quote" {
        /// The lines.
        lines: Vec<Value>,
    }

    Schedule(schedule, as_schedule, as_schedule_mut) of "subscription_schedule" {
        /// Whether the event about its end has been emitted.
        expiry_told: bool,
    }

    Session(session, as_session, as_session_mut) of "checkout.session" {
        /// The lines.
        lines: Vec<Value>,
        /// The coupon that is applied.
        coupon: Value,
        /// `subscription_data` of the request.
        subscription_data: Value,
        /// `payment_intent_data` of the request.
        payment_intent_data: Value,
        /// `customer_update` of the request.
        customer_update: Value,
        /// `payment_method_data[allow_redisplay]` of the request.
        redisplay: Option<String>,
        /// The tax rates of lines without their own tax rates.
        default_tax_rates: Vec<Value>,
        /// `tax_exempt` of the customer.
        tax_exempt: String,
        /// The id of the payment intent or setup intent.
        intent: String,
        /// The id of the payment page.
        page: String,
        /// The address that the buyer gave before paying.
        address: Value,
        /// The phone number that the buyer gave.
        phone: Value,
        /// The tax id that the buyer gave.
        tax_id: Value,
        /// The id of the payment method that waits for 3-D Secure.
        waiting_method: String,
    }

    Subscription(subscription, as_subscription, as_subscription_mut) of "subscription" {
        /// The first discount, which older versions embed.
        discount: Value,
        /// When the first of its discounts ends, in Unix seconds.
        discount_ends: Option<i64>,
        /// Whether the event about the end of the trial was emitted.
        trial_notice_sent: bool,
        /// The end of the period for which `invoice.upcoming` was emitted, in Unix seconds.
        upcoming_sent_for: Option<i64>,
        /// When it expires without a first payment, in Unix seconds.
        expires_at: Option<i64>,
        /// Whether it is still being created, so that no event has been emitted yet.
        being_made: bool,
        /// The changed subscription, if the change waits for its payment.
        pending_change: Option<Box<Object>>,
        /// Which usage of its metered items is billed, by the ids of the items.
        usage: BTreeMap<String, ItemUsage>,
        /// The id of the invoice of the pending change.
        pending_invoice: String,
        /// `proration_behavior` of the request that set `cancel_at`.
        cancel_proration: Option<String>,
        /// Whether it waits for the payment with which it resumes.
        resuming: bool,
        /// The start and end of the period with which it resumes, in Unix seconds.
        resume_at: Option<(i64, i64)>,
    }

    Token(token, as_token, as_token_mut) of "token" {
        /// The id of the stored payment method.
        card: String,
    }

    VerificationSession(verification_session, as_verification_session, as_verification_session_mut) of "identity.verification_session" {
        /// Where the customer returns.
        return_url: Option<String>,
        /// The verified data, which is shown only if it is expanded.
        verified_outputs: Value,
    }

    WebhookEndpoint(webhook_endpoint, as_webhook_endpoint, as_webhook_endpoint_mut) of "webhook_endpoint" {
        /// The signing secret.
        secret: String,
        /// The signing secret before the last roll.
        old_secret: String,
        /// When the old secret expires, in Unix seconds.
        old_secret_until: Option<i64>,
        /// Whether it receives the events of connected accounts.
        connect: bool,
        /// Whether it survives a reset.
        kept: bool,
    }
}

/// Which usage of a metered item of a subscription is billed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ItemUsage {
    /// When the item got its price, in Unix seconds. Earlier usage does not count for that price.
    #[serde(skip_serializing_if = "is_default")]
    pub from_s: Option<i64>,
    /// The start of a period in Unix seconds, and the quantity that was invoiced before its end; see
    /// [`threshold`](crate::billing::invoicing::threshold).
    #[serde(skip_serializing_if = "is_default")]
    pub invoiced: Option<(i64, i64)>,
}

impl Own {
    /// Returns the members that only older versions show.
    pub(crate) fn older_members(&self) -> Vec<(&'static str, Value)> {
        if let Some(invoice) = &self.invoice {
            return vec![
                ("application_fee_amount", json!(invoice.application_fee_amount)),
                ("application_fee_percent", invoice.application_fee_percent.clone()),
                ("charge", id_or_null(&invoice.charge)),
                ("discount", invoice.discounts.first().cloned().unwrap_or_default()),
                ("paid_out_of_band", json!(invoice.paid_out_of_band)),
                ("payment_intent", id_or_null(&invoice.payment_intent)),
                ("transfer_data", invoice.transfer_data.clone()),
            ];
        }
        let invoice = self.intent.as_ref().map(|own| &own.invoice).or(self.charge.as_ref().map(|own| &own.invoice));
        let discount = self.subscription.as_ref().map(|own| own.discount.clone());
        let invoice = invoice.filter(|id| !id.is_empty()).map(|id| ("invoice", json!(id)));
        invoice.into_iter().chain(discount.map(|discount| ("discount", discount))).collect()
    }
}

/// Returns an id as JSON; null for an empty id.
fn id_or_null(id: &str) -> Value {
    if id.is_empty() { Value::Null } else { json!(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_of_one_kind_and_has_no_unknown_fields() {
        let mut object = Object::of(json!({ "id": "in_1", "object": "invoice" }));
        object.as_invoice_mut().payment_intent = "pi_1".to_owned();
        assert!(object.own.fits("invoice") && !object.own.fits("charge"));
        let stored = serde_json::to_string(&object).unwrap();
        assert_eq!(serde_json::from_str::<Object>(&stored).unwrap(), object);
        let misspelt = stored.replace("payment_intent", "payment_intend");
        assert!(serde_json::from_str::<Object>(&misspelt).is_err());
    }
}
