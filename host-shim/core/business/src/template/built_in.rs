//! The mails that a business has without writing them: those that the extension and the server send on their own. A business replaces
//! one with a file of the same name.

/// Declares the built-in mails, in name order.
macro_rules! mails {
    ($($name:literal),* $(,)?) => {
        const MAILS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../built-in/mails/", $name, ".txt"))),)*];
    };
}

mails![
    "account_claim",
    "add_on_ends",
    "address_confirmation",
    "amount_mismatch",
    "archive_soon",
    "campaign_failed",
    "change_expired",
    "change_refused",
    "credit_note",
    "credits_expire",
    "credits_unspent",
    "debt_paid",
    "delayed_payment_failed",
    "difference_corrected",
    "dispute_opened",
    "effect_failed",
    "effect_unanswered",
    "finalization_failed",
    "idle_soon",
    "instance_delayed",
    "instance_ready",
    "instance_recovered",
    "instance_unhealthy",
    "instance_unresolved",
    "listing_waits",
    "measurement_missing",
    "needs_attention",
    "organization_invitation",
    "over_limit",
    "paid_after_departure",
    "paid_but_ended",
    "paid_for_the_same",
    "paid_twice",
    "password_reset",
    "payment_action_required",
    "payment_failed",
    "payout_failed",
    "payout_returned",
    "payouts_restricted",
    "plan_paid_twice",
    "price_change",
    "price_mismatch",
    "provisioning_failed",
    "purchase_recorded_again",
    "purchase_refused",
    "receipt",
    "refund_failed",
    "rest_by_hand",
    "retrieve_unanswered",
    "spending_alert",
    "step_failed",
    "step_overdue",
    "step_reminder",
    "step_waiting",
    "subscription_restored",
    "subscription_suspended",
    "sync_failed",
    "termination_soon",
    "top_up_stopped",
    "transfer_reversed",
    "trial_ended",
    "trial_will_end",
    "usage_alert",
    "usage_unpriced",
    "usage_unread",
    "webhook_disabled",
];

/// Returns the text of a built-in mail, whose first line is the subject; none if there is no such mail.
pub fn built_in(name: &str) -> Option<&'static str> {
    MAILS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns the names of the built-in mails, in order.
pub fn built_in_mails() -> impl Iterator<Item = &'static str> {
    MAILS.iter().map(|(name, _)| *name)
}

/// Returns the text of a mail that has no template: a list of its values.
pub fn without_template() -> &'static str {
    include_str!("../../built-in/mails/without_template.txt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::mail::{MailTemplate, is_name};

    #[test]
    fn every_built_in_mail_is_a_template() {
        for (name, text) in MAILS.iter().chain(&[("without_template", without_template())]) {
            let parsed = MailTemplate::parse(text, None);
            assert!(is_name(name) && parsed.is_ok(), "{name}: {parsed:?}");
        }
        assert!(MAILS.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
        assert_eq!((built_in("receipt").is_some(), built_in("none")), (true, None));
    }
}
