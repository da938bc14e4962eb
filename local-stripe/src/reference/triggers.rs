//! The supported triggers of the Stripe CLI, and the reasons why the others are not supported. The client tests compare
//! both tables with the CLI's list.

/// The triggers whose events arrive in the client tests.
pub const TRIGGERS: &[&str] = &[
    "account.updated",
    "balance.available",
    "billing_portal.configuration.created",
    "billing_portal.configuration.updated",
    "billing_portal.session.created",
    "cash_balance.funds_available",
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "coupon.created",
    "coupon.deleted",
    "coupon.updated",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "customer.created",
    "customer.deleted",
    "customer.discount.created",
    "customer.discount.deleted",
    "customer.discount.updated",
    "customer.source.created",
    "customer.source.updated",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "customer.updated",
    "customer_cash_balance_transaction.created",
    "identity.verification_session.canceled",
    "identity.verification_session.created",
    "identity.verification_session.redacted",
    "invoice.created",
    "invoice.deleted",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.sent",
    "invoice.updated",
    "invoice.voided",
    "invoiceitem.created",
    "invoiceitem.deleted",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_link.created",
    "payment_link.updated",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "payout.created",
    "payout.updated",
    "plan.created",
    "plan.deleted",
    "plan.updated",
    "price.created",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "promotion_code.created",
    "promotion_code.updated",
    "quote.accepted",
    "quote.canceled",
    "quote.created",
    "quote.finalized",
    "setup_intent.canceled",
    "setup_intent.created",
    "setup_intent.requires_action",
    "setup_intent.setup_failed",
    "setup_intent.succeeded",
    "subscription.payment_failed",
    "subscription.payment_succeeded",
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.created",
    "subscription_schedule.released",
    "subscription_schedule.updated",
    "tax_rate.created",
    "tax_rate.updated",
    "test_helpers.test_clock.advancing",
    "test_helpers.test_clock.created",
    "test_helpers.test_clock.deleted",
    "test_helpers.test_clock.ready",
    "topup.created",
];

/// The unsupported triggers, each group with its reason.
pub const OTHER_TRIGGERS: &[(&str, &[&str])] = &[
    (
        "The CLI's account is not onboarded, so nothing can be transferred to it",
        &["transfer.created", "transfer.reversed", "transfer.updated"],
    ),
    ("Connected accounts have no applications to deauthorize", &["account.application.deauthorized"]),
    (
        "The bank decides days later, when the sandbox's clock reaches that time",
        &["checkout.session.async_payment_failed", "checkout.session.async_payment_succeeded"],
    ),
    (
        "The CLI asks for `jp_bank_account`, which Stripe's libraries do not list as a type of bank transfer",
        &["payment_intent.partially_funded"],
    ),
    (
        "Issuing is not simulated",
        &[
            "issuing_authorization.request",
            "issuing_authorization.request.eu",
            "issuing_authorization.request.gb",
            "issuing_card.created",
            "issuing_card.created.eu",
            "issuing_card.created.gb",
            "issuing_cardholder.created",
            "issuing_cardholder.created.eu",
            "issuing_cardholder.created.gb",
            "issuing_transaction.created",
            "issuing_transaction.purchase_details_receipt_updated",
            "issuing_transaction.updated",
        ],
    ),
    ("Reports are not simulated", &["reporting.report_run.succeeded"]),
    (
        "The CLI cancels a schedule that hasn't begun, which is `canceled` here; `aborted` follows failed payments",
        &["subscription_schedule.aborted"],
    ),
    (
        "The CLI stops 9 days before the schedule's end; `expiring` comes 7 days before",
        &["subscription_schedule.expiring"],
    ),
    (
        "Meter events in the API of version 2 are not simulated",
        &["v1.billing.meter.error_report_triggered", "v1.billing.meter.no_meter_found"],
    ),
];

/// Returns the event type of a trigger. `subscription.payment_*` triggers `invoice.payment_*`, and some triggers have a
/// region as suffix.
pub fn event_of(trigger: &str) -> String {
    let plain = trigger.strip_suffix(".eu").or(trigger.strip_suffix(".gb")).unwrap_or(trigger);
    plain.replacen("subscription.payment_", "invoice.payment_", usize::from(plain.starts_with("subscription.payment_")))
}

/// Returns the section about the triggers as Markdown.
pub(super) fn markdown() -> String {
    let names = |triggers: &[&str]| triggers.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
    let rows: Vec<String> =
        OTHER_TRIGGERS.iter().map(|(why, triggers)| format!("| {why} | {} |", names(triggers))).collect();
    format!(
        "These {} are supported and tested: {}.\n\n| reason | unsupported triggers |\n|---|---|\n{}",
        TRIGGERS.len(),
        names(TRIGGERS),
        rows.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triggers_event_type_may_have_another_name() {
        assert_eq!(event_of("subscription.payment_failed"), "invoice.payment_failed");
        assert_eq!(event_of("issuing_card.created.eu"), "issuing_card.created");
        assert_eq!(event_of("customer.subscription.created"), "customer.subscription.created");
    }
}
