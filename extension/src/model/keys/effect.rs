//! Keys of effects.

use super::timer::TimerKey;
use crate::model::effect_kinds::{
    ACCOUNT_CREATE, ACCOUNT_ERASE, ACCOUNT_LINK, ACCOUNT_SEND, CHECKOUT_CREATE, CHECKOUT_EXPIRE, CREDIT_CREATE,
    CUSTOMER_CREATE, CUSTOMER_UPDATE, INVOICE_CREATE, INVOICE_PREVIEW, MAIL_SEND, METER_EVENT_CREATE, PAYMENT_CREATE,
    PAYMENT_EVENT, PORTAL_CREATE, PRICE_CREATE, PROBE_WATCH, PRODUCT_CREATE, PROMOTION_CODE_CREATE,
    PROMOTION_CODE_UPDATE, REFUND_CREATE, RETRIEVE, SECRET_ENSURE, SUBSCRIPTION_CANCEL, SUBSCRIPTION_KEEP,
    SUBSCRIPTION_PAUSE, SUBSCRIPTION_RESUME, SUBSCRIPTION_TRIAL, SUBSCRIPTION_UPDATE, TIMER_AT, TRANSFER_CREATE,
    USAGE_PULL,
};
use crate::model::ids::{InvoiceId, ProductId, SubscriptionId};
use extension_contract::Timestamp;

/// Declares the keys of effects: each entry has also the kind of its effect.
macro_rules! effect_keys {
    (
        $(#[$about:meta])*
        $visible:vis enum $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $key:ident $(($only:ident: $only_type:ty))? $({ $($part:ident: $part_type:ty),* })? = $text:literal
                $(, or $short:literal if $is_short:expr)?, asks $kind:ident;
            )*
        }
    ) => {
        keys! {
            $(#[$about])*
            $visible enum $name {
                $(
                    $(#[doc = $doc])*
                    $key $(($only: $only_type))? $({ $($part: $part_type),* })? = $text $(, or $short if $is_short)?;
                )*
            }
        }

        impl $name {
            /// Returns the kind of the effect.
            pub fn kind(&self) -> &str {
                #[allow(unused_variables, reason = "most kinds are not part of the key")]
                match self {
                    $($name::$key $(($only))? $({ $($part),* })? => $kind,)*
                }
            }

            /// For each key: its text, the name of its kind, and the words of the document.
            #[cfg(test)]
            pub const DOCUMENTED: &'static [(&'static str, &'static str, &'static [&'static str])] =
                &[$(($text, stringify!($kind), &[$($doc),*])),*];
        }
    };
}

/// An id of another system, which may have colons and slashes, like the ids with types of their own. A key has at most one, so that
/// its parts can be told apart.
type Id = String;

effect_keys! {
    /// The permanent key of an effect: two effects with equal keys are the same effect. `asked_by` identifies the request,
    /// usually by the hash of the requesting event's id.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum EffectKey {
        /// A verb on a resource of an instance: `inst_1/compute/ensure`. With a variant, `resource` is `NAME@VALUE`.
        /// `NAME@late-N` is a resource that turned up after someone had already made a replacement by hand.
        Resource { kind: String, instance: Id, resource: String, verb: String } = "{instance}/{resource}/{verb}", asks kind;
        /// The health watch of an instance: `inst_1/watch/changed`.
        Watch { instance: Id } = "{instance}/watch/changed", asks PROBE_WATCH;
        /// The checkout of a purchase.
        Checkout { purchase: Id } = "checkout:{purchase}", asks CHECKOUT_CREATE;
        /// The payment of an automatic top-up.
        TopUp { purchase: Id } = "top-up:{purchase}", asks PAYMENT_CREATE;
        /// The end of an open checkout whose account was closed.
        ExpireCheckout { session: Id } = "expire-checkout:{session}", asks CHECKOUT_EXPIRE;
        /// The creation of the customer that a purchase waits for.
        Customer { purchase: Id } = "customer:{purchase}", asks CUSTOMER_CREATE;
        /// A change of plan, by the requesting event.
        Change { subscription: SubscriptionId, asked_by: String } = "change:{subscription}:{asked_by}", asks SUBSCRIPTION_UPDATE;
        /// The change to the price of today at a renewal (`price_moves`).
        Move { subscription: SubscriptionId, renewal: Timestamp } = "move:{subscription}:{renewal}", asks SUBSCRIPTION_UPDATE;
        /// A cancellation, by the requesting event.
        Cancel { subscription: SubscriptionId, asked_by: String } = "cancel:{subscription}:{asked_by}", asks SUBSCRIPTION_CANCEL;
        /// A request that takes a planned end and a planned change back, by the requesting event.
        Keep { subscription: SubscriptionId, asked_by: String } = "keep:{subscription}:{asked_by}", asks SUBSCRIPTION_KEEP;
        /// A pause of a subscription, by the requesting event.
        Pause { subscription: SubscriptionId, asked_by: String } = "pause:{subscription}:{asked_by}", asks SUBSCRIPTION_PAUSE;
        /// The end of a pause, by the requesting command, or by the time of its end in milliseconds.
        Resume { subscription: SubscriptionId, asked_by: String } = "resume:{subscription}:{asked_by}", asks SUBSCRIPTION_RESUME;
        /// A change of a trial's end, by the requesting event.
        Trial { subscription: SubscriptionId, asked_by: String } = "trial:{subscription}:{asked_by}", asks SUBSCRIPTION_TRIAL;
        /// A refund of a second session of a purchase.
        RefundSession { session: Id } = "refund-session:{session}", asks REFUND_CREATE;
        /// A refund of an invoice of a subscription that the account may not have.
        RefundInvoice { invoice: InvoiceId } = "refund-invoice:{invoice}", asks REFUND_CREATE;
        /// A refund of a purchase that the account may not have.
        RefundPurchase { purchase: Id } = "refund-purchase:{purchase}", asks REFUND_CREATE;
        /// A refund of the unused rest of a paid year after the account was closed. `again` is the number of earlier requests.
        RefundRest { subscription: SubscriptionId, currency: String, again: i64 } = "refund-rest:{subscription}:{currency}/{again}", or "refund-rest:{subscription}:{currency}" if *again == 0, asks REFUND_CREATE;
        /// The cancellation of a subscription that the account may not have, that a second session of a purchase began,
        /// that duplicates an item, or whose account was closed.
        CancelRefused { subscription: SubscriptionId } = "cancel-refused:{subscription}", asks SUBSCRIPTION_CANCEL;
        /// The creation of a catalog product at Stripe.
        SyncProduct { product: ProductId } = "sync:product:{product}", asks PRODUCT_CREATE;
        /// The creation of a price at Stripe, by amount and interval: `500usd:month`.
        SyncPrice { product: ProductId, amount: String, interval: String } = "sync:price:{product}:{amount}:{interval}", asks PRICE_CREATE;
        /// The creation of the promotion code of a coupon, by the requesting event.
        CreateCode { code: String, asked_by: String } = "create-code:{code}:{asked_by}", asks PROMOTION_CODE_CREATE;
        /// The deactivation of the promotion code of a coupon, by the requesting event.
        DeactivateCode { code: String, asked_by: String } = "deactivate-code:{code}:{asked_by}", asks PROMOTION_CODE_UPDATE;
        /// A retrieval of an object. `because` is the time or amount that caused the retrieval. `views` is the number of snapshots
        /// of this time if a retrieved snapshot is among them and their order is unclear, and otherwise 0.
        Retrieve { object: Id, because: i64, views: usize } = "retrieve:{object}:{because}/{views}", or "retrieve:{object}:{because}" if *views == 0, asks RETRIEVE;
        /// The erasure of the stored events and effects of a closed account.
        Erase = "erase-account", asks ACCOUNT_ERASE;
        /// The injection of the object of a thin event as a Stripe event.
        Told { event: Id } = "told:{event}", asks PAYMENT_EVENT;
        /// The invoice for a month of usage. `again` is the number of retries after Stripe refused the invoice.
        UsageInvoice { month: String, again: i64 } = "usage-invoice:{month}/{again}", or "usage-invoice:{month}" if *again == 0, asks INVOICE_CREATE;
        /// A report of a meter's quantity of a day. `again` is the number of answered reports of the day before.
        MeterEvent { meter: String, day: String, again: i64 } = "meter-event:{meter}:{day}/{again}", or "meter-event:{meter}:{day}" if *again == 0, asks METER_EVENT_CREATE;
        /// A page of the nth pull of the account's usage.
        UsagePull { number: i64, page: i64 } = "usage-pull:{number}/{page}", asks USAGE_PULL;
        /// The nth message to another account about its share of a sale; `told` is n.
        Share { sale: Id, told: i64 } = "share:{sale}:{told}", asks ACCOUNT_SEND;
        /// A request to list a product in the catalog, by the requesting event.
        Listing { product: Id, asked_by: String } = "listing:{product}:{asked_by}", asks ACCOUNT_SEND;
        /// The notification of the owner about a listing, by the event that changed it.
        Listed { product: Id, asked_by: String } = "listed:{product}:{asked_by}", asks ACCOUNT_SEND;
        /// The creation of a customer without a waiting purchase, by the requesting event.
        AccountCustomer { asked_by: String } = "account-customer:{asked_by}", asks CUSTOMER_CREATE;
        /// A change of the customer's address, by the requesting event.
        CustomerAddress { asked_by: String } = "customer-address:{asked_by}", asks CUSTOMER_UPDATE;
        /// A customer portal session, by the requesting event.
        Portal { asked_by: String } = "portal:{asked_by}", asks PORTAL_CREATE;
        /// A preview of a change of plan, by the requesting event.
        Preview { asked_by: String } = "preview:{asked_by}", asks INVOICE_PREVIEW;
        /// The creation of the connected account for payouts, by the requesting event.
        Connect { asked_by: String } = "connect:{asked_by}", asks ACCOUNT_CREATE;
        /// The onboarding link of the connected account, by the requesting event.
        ConnectLink { asked_by: String } = "connect-link:{asked_by}", asks ACCOUNT_LINK;
        /// The nth payout transfer in a currency.
        Transfer { currency: String, number: i64 } = "transfer:{currency}:{number}", asks TRANSFER_CREATE;
        /// A refund, by the requesting event.
        RefundAsked { purchase: Id, asked_by: String } = "refund:{purchase}:{asked_by}", asks REFUND_CREATE;
        /// A credit for the days that an instance was in `error`; `since` is the time of the failure.
        Credit { instance: Id, since: Timestamp } = "credit:{instance}:{since}", asks CREDIT_CREATE;
        /// The comparison of a subscription that had no event until `due`.
        Compare { subscription: SubscriptionId, due: Timestamp } = "compare:{subscription}:{due}", asks RETRIEVE;
        /// The nth message with the campaign attributes of the account; `told` is n.
        Member { told: i64 } = "member:{told}", asks ACCOUNT_SEND;
        /// A campaign message to an account.
        CampaignMail { campaign: String, account: Id } = "to-member:{campaign}:{account}", asks ACCOUNT_SEND;
        /// The creation of a token.
        Token { token: String } = "token:{token}", asks SECRET_ENSURE;
        /// The grant for which a token is redeemed, by the requesting event.
        Redeem { kind: String, token: String, asked_by: String } = "redeem:{token}:{asked_by}", asks kind;
        /// A reaction to a fact; `event` is the name of the fact.
        Reaction { event: String, run: String, reference: Id } = "on:{event}:{run}:{reference}", asks run;
        /// A mail, sent once for each template, recipient and reference.
        Mail { template: String, to: String, reference: Id } = "mail:{template}:{to}:{reference}", asks MAIL_SEND;
        /// A timer.
        Timer(timer: TimerKey) = "{timer}", asks TIMER_AT;
    }
}

/// Returns the recipient in a mail's key; `None` if the key is not a mail's key.
pub(crate) fn recipient_of(key: &str) -> Option<&str> {
    key.strip_prefix("mail:")?.split(':').nth(1)
}

/// Returns the word with which the key of an effect begins, such as `keep`.
pub(crate) fn word_of(key: &str) -> &str {
    key.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Returns the texts between the places of a key's text, the first and the last included.
    fn between(text: &str) -> Vec<&str> {
        let mut rest = text;
        let mut out = Vec::new();
        while let Some((before, after)) = rest.split_once('{') {
            out.push(before);
            rest = after.split_once('}').expect("a closed place").1;
        }
        out.push(rest);
        out
    }

    #[test]
    fn the_parts_of_a_key_can_be_told_apart() {
        for (name, text, parts) in EffectKey::ENTRIES {
            let parts: Vec<_> = parts.iter().filter(|(part, _)| *part != "kind").collect();
            let free = parts.iter().filter(|(_, kind)| kind.ends_with("Id")).count();
            assert!(free <= 1, "{name}: two parts may have colons");
            let places = between(text);
            assert_eq!(places.len(), parts.len() + 1, "{name}: each part stands once in `{text}`");
            for (part, _) in &parts {
                assert_eq!(text.matches(&format!("{{{part}}}")).count(), 1, "{name}: `{part}`");
            }
            let inner = places.get(1..places.len() - 1).unwrap_or_default();
            assert!(inner.iter().all(|text| !text.is_empty()), "{name}: `{text}`");
        }
    }

    #[test]
    fn no_two_kinds_of_keys_begin_alike() {
        // A key of a resource begins with the id of its instance and has two slashes; the parts of others have none or one.
        let begin = |text: &'static str| text.split('{').next().expect("a text").to_owned();
        let texts = EffectKey::ENTRIES.iter().map(|(_, text, _)| *text);
        let begins: Vec<String> = texts.filter(|text| !text.starts_with('{')).map(begin).collect();
        let different: BTreeSet<&String> = begins.iter().collect();
        assert_eq!(different.len(), begins.len(), "{begins:?}");
        for one in &begins {
            let other = begins.iter().find(|other| *other != one && one.starts_with(other.as_str()));
            assert_eq!(other, None, "`{one}` begins like another key");
        }
    }

    #[test]
    fn a_mails_key_tells_its_recipient() {
        let mail =
            EffectKey::Mail { template: "receipt".to_owned(), to: "admin".to_owned(), reference: "in:1/2".to_owned() };
        assert_eq!(mail.to_string(), "mail:receipt:admin:in:1/2");
        assert_eq!(recipient_of(&mail.to_string()), Some("admin"));
        let other = EffectKey::Checkout { purchase: "mail:receipt:admin".to_owned() };
        assert_eq!(recipient_of(&other.to_string()), None);
    }

    #[test]
    fn a_repetition_has_its_number_in_the_key() {
        let month = |again| EffectKey::UsageInvoice { month: "2026-01".to_owned(), again }.to_string();
        assert_eq!((month(0), month(2)), ("usage-invoice:2026-01".to_owned(), "usage-invoice:2026-01/2".to_owned()));
        let retrieve = |views| EffectKey::Retrieve { object: "sub_1".to_owned(), because: 7, views }.to_string();
        assert_eq!((retrieve(0), retrieve(2)), ("retrieve:sub_1:7".to_owned(), "retrieve:sub_1:7/2".to_owned()));
    }
}
