//! The built-in facts that a business can react to, each as one entry: its name and its fields.

/// A built-in fact.
pub(crate) struct BuiltInFact {
    /// Name, for example `invoice.paid`.
    pub name: &'static str,
    /// Its fields. All are texts.
    pub fields: &'static [&'static str],
}

/// Declares the facts.
macro_rules! facts {
    ($($(#[doc = $when:literal])* $constant:ident = $name:literal [$($field:literal),*];)*) => {
        $($(#[doc = $when])* pub(crate) const $constant: BuiltInFact = BuiltInFact { name: $name, fields: &[$($field),*] };)*

        /// All built-in facts.
        pub(crate) const BUILT_IN_FACTS: &[BuiltInFact] = &[$($constant),*];

        /// When each fact occurs, in the words of the document.
        #[cfg(test)]
        pub(crate) const WHEN: &[&[&str]] = &[$(&[$($when),*]),*];
    };
}

facts! {
    /// A campaign was sent to its whole audience. The account is `platform`.
    CAMPAIGN_SENT = "campaign.sent" ["campaign"];
    /// The payment of an invoice is booked.
    INVOICE_PAID = "invoice.paid" ["invoice"];
    /// The payment of an invoice has failed for the first time.
    INVOICE_PAYMENT_FAILED = "invoice.payment_failed" ["invoice"];
    /// A one-time payment is booked.
    PAYMENT_SUCCEEDED = "payment.succeeded" ["purchase"];
    /// A subscription has ended for good. `reason` and `comment` are empty if nobody gave them.
    SUBSCRIPTION_CANCELED = "subscription.canceled" ["subscription", "reason", "comment"];
    /// A subscription is to end at a time (`at`). Each time is reported once.
    SUBSCRIPTION_CANCEL_PLANNED = "subscription.cancel_planned" ["subscription", "at", "reason", "comment"];
    /// A subscription is seen for the first time, with any status.
    SUBSCRIPTION_CREATED = "subscription.created" ["subscription"];
    /// Stripe sends a `customer.subscription.updated`.
    SUBSCRIPTION_UPDATED = "subscription.updated" ["subscription"];
    /// A token was issued.
    TOKEN_ISSUED = "token.issued" ["token", "product"];
}
