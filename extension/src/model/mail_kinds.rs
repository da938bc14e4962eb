//! The mails that the extension sends of its own, each as one entry: its template, its recipient and its values. A business's own
//! mails stand in its catalog.

use super::keys::EffectKey;
use super::mail::{self, To};
use extension_contract::{Effect, Fallible};
use serde_json::Value;

/// A mail of the extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mail {
    /// Name of the template.
    pub template: &'static str,
    /// Recipient.
    pub to: To,
    /// Names of the values. A value that does not apply may be missing.
    pub values: &'static [&'static str],
}

impl Mail {
    /// Returns the effect key of the mail, which is also the key of its fact.
    pub fn key(&self, reference: &str) -> EffectKey {
        mail::key(self.template, self.to, reference)
    }

    /// Returns the effect that sends the mail.
    pub fn effect(&self, key: &EffectKey, values: &Value) -> Fallible<Effect> {
        debug_assert!(
            values.as_object().is_some_and(|given| given.keys().all(|name| self.values.contains(&name.as_str()))),
            "{} has other values: {values}",
            self.template,
        );
        mail::mail(key, self.template, self.to, values)
    }

    /// Returns the mail for another recipient.
    pub fn for_recipient(self, to: To) -> Mail {
        Mail { to, ..self }
    }
}

/// Declares the mails.
macro_rules! mails {
    ($($(#[doc = $when:literal])* $name:ident = $template:literal to $to:ident [$($value:literal),*];)*) => {
        $($(#[doc = $when])* pub(crate) const $name: Mail = Mail { template: $template, to: To::$to, values: &[$($value),*] };)*

        /// All mails, each with the words of the document.
        #[cfg(test)]
        pub(crate) const ALL: &[(Mail, &[&str])] = &[$(($name, &[$($when),*]),)*];
    };
}

mails! {
    /// An add-on is not renewed, because its plan has ended for good.
    ADD_ON_ENDS = "add_on_ends" to Account ["subscription", "products", "plan"];
    /// A payment has another amount or currency than was agreed.
    AMOUNT_MISMATCH = "amount_mismatch" to Admin
        ["purchase", "session", "payment", "expected_minor", "actual_minor", "currency"];
    /// A suspended instance will be archived, at each time of the policy `notice` before.
    ARCHIVE_SOON = "archive_soon" to Account ["instance", "at"];
    /// A campaign could not be sent, because its template or the clause `campaigns` is gone.
    CAMPAIGN_FAILED = "campaign_failed" to Admin ["campaign", "name", "template"];
    /// A change of plan expired unpaid.
    CHANGE_EXPIRED = "change_expired" to Account ["subscription", "at"];
    /// A provider refused a change of an instance, so the fields have their former values again.
    CHANGE_REFUSED = "change_refused" to Account ["instance", "fields", "code"];
    /// A paid invoice was credited by a credit note that no refund goes with: to the customer's balance, or outside of Stripe.
    CREDIT_NOTE = "credit_note" to Admin ["credit_note", "invoice", "amount_minor", "currency"];
    /// Credits end soon, seven days before.
    CREDITS_EXPIRE = "credits_expire" to Account ["expires_at"];
    /// A closed account has paid for credits that it has not spent.
    CREDITS_UNSPENT = "credits_unspent" to Admin ["purchase", "amount_minor", "currency"];
    /// A customer has paid an invoice of a subscription that Stripe still keeps `unpaid` a day later.
    DEBT_PAID = "debt_paid" to Admin ["subscription", "paid_at"];
    /// A delayed payment of a checkout failed.
    DELAYED_PAYMENT_FAILED = "delayed_payment_failed" to Account ["session", "purchase"];
    /// The comparison with Stripe (`compare_after`) found and corrected a difference.
    DIFFERENCE_CORRECTED = "difference_corrected" to Admin ["subscription", "before", "after"];
    /// A customer disputes a payment.
    DISPUTE_OPENED = "dispute_opened" to Admin ["dispute", "payment", "amount_minor", "currency"];
    /// An effect failed for good. For requests of customers, at most once a day for each account and kind.
    EFFECT_FAILED = "effect_failed" to Admin ["effect", "kind", "code", "message"];
    /// An effect has had no result for a day. It is requested again.
    EFFECT_UNANSWERED = "effect_unanswered" to Admin ["effect", "kind"];
    /// Stripe could not finalize an invoice.
    FINALIZATION_FAILED = "finalization_failed" to Admin ["invoice", "subscription", "customer"];
    /// An unused instance will be archived (`lifecycle.idle`), at each time of the policy `notice` before.
    IDLE_SOON = "idle_soon" to Account ["instance", "at"];
    /// A person has not done a step of an instance in time (`sla`).
    INSTANCE_DELAYED = "instance_delayed" to Account ["instance", "step", "code", "due", "assigned_to"];
    /// An instance is running for the first time.
    INSTANCE_READY = "instance_ready" to Account ["instance", "url"];
    /// An unhealthy instance is healthy again (`watch`).
    INSTANCE_RECOVERED = "instance_recovered" to Account ["instance", "health"];
    /// An instance is unhealthy (`watch`).
    INSTANCE_UNHEALTHY = "instance_unhealthy" to Account ["instance", "health"];
    /// Like `instance_unhealthy`, for the operators.
    INSTANCE_UNHEALTHY_FOR_OPERATORS = "instance_unhealthy" to Admin ["instance", "health"];
    /// An instance has the status `error` for longer than the policy `error_credit_after`.
    INSTANCE_UNRESOLVED = "instance_unresolved" to Admin ["instance", "error"];
    /// A listed product waits for an operator's approval.
    LISTING_WAITS = "listing_waits" to Admin ["product", "name", "account"];
    /// A running instance has had no measurement of a meter in `expects` for its time.
    MEASUREMENT_MISSING = "measurement_missing" to Admin ["instance", "meter", "heard_at"];
    /// A paid checkout could not create its instance (`from_checkout`).
    NEEDS_ATTENTION = "needs_attention" to Admin ["instance", "code", "detail", "given"];
    /// More is in use than the plan allows: instances (`beyond`), or the contents of resources (`key`, `used`, `allowed`).
    OVER_LIMIT = "over_limit" to Account ["plan", "until", "beyond", "key", "used", "allowed"];
    /// A closed account paid.
    PAID_AFTER_DEPARTURE = "paid_after_departure" to Admin
        ["purchase", "invoice", "subscription", "amount_paid_minor", "currency"];
    /// A purchase was paid whose subscription had ended.
    PAID_BUT_ENDED = "paid_but_ended" to Admin ["purchase", "subscription", "total_minor"];
    /// Two add-ons of an account grant the same, because one was changed to the other's product. Only one counts.
    PAID_FOR_THE_SAME = "paid_for_the_same" to Admin ["subscription", "beside", "product"];
    /// A purchase was paid twice; the second payment is refunded.
    PAID_TWICE = "paid_twice" to Admin ["purchase", "session", "subscription", "refunded"];
    /// The bank wants the customer to confirm a payment.
    PAYMENT_ACTION_REQUIRED = "payment_action_required" to Account ["invoice", "hosted_invoice_url"];
    /// A subscription is `past_due`, at each time of the policy `dunning` after the failed payment.
    PAYMENT_FAILED = "payment_failed" to Account
        ["subscription", "grace_end", "plan", "owed_minor", "currency", "hosted_invoice_url"];
    /// A payout to a creator failed.
    PAYOUT_FAILED = "payout_failed" to Admin ["effect", "code", "amount_minor", "currency"];
    /// The bank of a creator sent a payout of the connected account back.
    PAYOUT_RETURNED = "payout_returned" to Account ["payout", "amount_minor", "currency", "code"];
    /// Stripe restricts the payouts of a creator's connected account.
    PAYOUTS_RESTRICTED = "payouts_restricted" to Account ["account"];
    /// An account has two paid plans of one family.
    PLAN_PAID_TWICE = "plan_paid_twice" to Admin ["subscription", "beside", "family"];
    /// The price of a plan changes for a customer on a former price (`price_moves`), with the notice of the clause.
    PRICE_CHANGE = "price_change" to Account
        ["subscription", "plan", "from_minor", "to_minor", "currency", "interval", "quantity", "at"];
    /// A price at Stripe has another amount than the catalog.
    PRICE_MISMATCH = "price_mismatch" to Admin ["price", "catalog_minor", "stripe_minor"];
    /// An instance could not be created.
    PROVISIONING_FAILED = "provisioning_failed" to Account ["instance", "step", "code"];
    /// A checkout was completed whose purchase is not in the store, for example after an older backup was restored. The purchase
    /// is recorded again.
    PURCHASE_RECORDED_AGAIN = "purchase_recorded_again" to Admin
        ["purchase", "session", "products", "amount_minor", "currency"];
    /// A purchase that the account may not have was ended and refunded.
    PURCHASE_REFUSED = "purchase_refused" to Account ["purchase", "subscription", "products", "because"];
    /// An invoice (`invoice`) or a one-time purchase (`purchase`) was paid.
    RECEIPT = "receipt" to Account
        ["invoice", "number", "purchase", "products", "period_start", "period_end", "amount_paid_minor", "tax_minor",
         "discount_minor", "currency", "hosted_invoice_url"];
    /// A refund failed.
    REFUND_FAILED = "refund_failed" to Admin ["refund", "payment", "amount_minor", "currency"];
    /// A closed account, or the owner of an add-on that ended with its plan, has paid outside of Stripe for the rest of a period,
    /// which a person gives back.
    REST_BY_HAND = "rest_by_hand" to Admin ["subscription", "amount_minor", "currency"];
    /// Stripe does not tell an object that an event needs.
    RETRIEVE_UNANSWERED = "retrieve_unanswered" to Admin ["question", "asked"];
    /// What a month's usage adds to its invoice has reached a percentage of `invoice.alerts`, of the limit or of the account's own cap.
    SPENDING_ALERT = "spending_alert" to Account
        ["month", "percent", "spent_minor", "limit_minor", "currency", "is_cap", "ends_at"];
    /// An operation on a resource failed for good.
    STEP_FAILED = "step_failed" to Admin ["instance", "step", "code"];
    /// A person has not done a step in time (`sla`). With `by: owner` it goes to the account.
    STEP_OVERDUE = "step_overdue" to Admin ["instance", "step", "code", "due", "assigned_to"];
    /// A step still waits for a person (`remind`). With `by: owner` it goes to the account.
    STEP_REMINDER = "step_reminder" to Admin ["instance", "step", "code", "due", "assigned_to"];
    /// A step waits for a person. With `by: owner` it goes to the account.
    STEP_WAITING = "step_waiting" to Admin
        ["instance", "step", "code", "due", "assigned_to", "asks", "how", "details"];
    /// A subscription that was suspended for lack of payment is paid again.
    SUBSCRIPTION_RESTORED = "subscription_restored" to Account ["subscription", "plan", "suspended_at"];
    /// A subscription grants nothing any longer, because its invoice was not paid in time.
    SUBSCRIPTION_SUSPENDED = "subscription_suspended" to Account
        ["subscription", "plan", "suspended_at", "owed_minor", "currency", "hosted_invoice_url"];
    /// A product or price could not be created at Stripe.
    SYNC_FAILED = "sync_failed" to Admin ["product", "code"];
    /// An archived instance will be deleted, at each time of the policy `notice` before.
    TERMINATION_SOON = "termination_soon" to Account ["instance", "at"];
    /// An automatic top-up was turned off: the card was declined (`because` is `declined`), the payment failed for another reason
    /// (`failed`), the product is not sold any more on the terms that were agreed (`repriced`), or credits were refunded or disputed
    /// (`returned`).
    TOP_UP_STOPPED = "top_up_stopped" to Account ["product", "amount_minor", "currency", "because"];
    /// A transfer to a creator was taken back at Stripe. The amount is owed again, and is sent again with the next share.
    TRANSFER_REVERSED = "transfer_reversed" to Admin ["transfer", "amount_minor", "currency"];
    /// A trial has ended without a payment: the subscription had no card, or there was none.
    TRIAL_ENDED = "trial_ended" to Account ["subscription", "plan", "trial_end", "then"];
    /// A trial ends soon. Without `subscription` it began with the sign-up, and nothing is charged after it.
    TRIAL_WILL_END = "trial_will_end" to Account ["subscription", "plan", "trial_end", "needs_card"];
    /// A counter has reached a percentage of `alerts`.
    USAGE_ALERT = "usage_alert" to Account ["key", "percent", "used", "allowed", "resets_at", "priced"];
    /// The log of the usage source has requests without a price (`rates`). They are counted once there is one.
    USAGE_UNPRICED = "usage_unpriced" to Admin ["meter", "by", "value"];
    /// The log of the usage source could not be read. It is read again at the next regular time.
    USAGE_UNREAD = "usage_unread" to Admin ["counted_until", "code"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mails_stand_in_the_order_of_their_names_and_each_says_when_it_is_sent() {
        assert!(ALL.windows(2).all(|pair| pair[0].0.template <= pair[1].0.template));
        for (mail, when) in ALL {
            assert!(!when.is_empty() && !mail.values.is_empty(), "{}", mail.template);
        }
    }
}
