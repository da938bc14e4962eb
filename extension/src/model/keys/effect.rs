//! Keys of effects.

use super::timer::TimerKey;
use extension_contract::Timestamp;

/// An id of another system, which may have colons and slashes. A key has at most one, so that its parts can be told
/// apart.
type Id = String;

keys! {
    /// The permanent key of an effect: two effects with equal keys are the same effect. `asked_by` identifies the request,
    /// usually by the hash of the requesting event's id.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum EffectKey {
        /// A verb on a resource of an instance: `inst_1/compute/ensure`.
        Resource { instance: Id, resource: String, verb: String } = "{instance}/{resource}/{verb}";
        /// The health watch of an instance: `inst_1/watch/changed`.
        Watch { instance: Id } = "{instance}/watch/changed";
        /// The checkout of a purchase.
        Checkout { purchase: Id } = "checkout:{purchase}";
        /// The end of an open checkout whose account was closed.
        ExpireCheckout { session: Id } = "expire-checkout:{session}";
        /// The creation of the customer that a purchase waits for.
        Customer { purchase: Id } = "customer:{purchase}";
        /// A change of plan, by the requesting event.
        Change { subscription: Id, asked_by: String } = "change:{subscription}:{asked_by}";
        /// A cancellation, by the requesting event.
        Cancel { subscription: Id, asked_by: String } = "cancel:{subscription}:{asked_by}";
        /// A refund of a second session of a purchase.
        GiveBack { session: Id } = "give-back:{session}";
        /// A refund of the first invoice of a subscription that the account may not have.
        GiveBackInvoice { invoice: Id } = "give-back-invoice:{invoice}";
        /// A refund of a purchase that the account may not have.
        GiveBackPurchase { purchase: Id } = "give-back-purchase:{purchase}";
        /// A refund of the unused rest of a paid year after the account was closed.
        GiveBackRest { subscription: Id, currency: String } = "give-back-rest:{subscription}:{currency}";
        /// The cancellation of a subscription that the account may not have, that a second session of a purchase began,
        /// that duplicates an item, or whose account was closed.
        CancelBeaten { subscription: Id } = "cancel-beaten:{subscription}";
        /// The creation of a catalog product at the provider.
        SyncProduct { product: Id } = "sync:product:{product}";
        /// The creation of a price at the provider, by amount and interval: `500usd:month`.
        SyncPrice { product: Id, amount: String, interval: String } = "sync:price:{product}:{amount}:{interval}";
        /// A fetch of an object. `because` is the time or amount that caused the fetch. `views` is the number of snapshots
        /// of this time if a fetched snapshot is among them and their order is unclear, and otherwise 0.
        Retrieve { object: Id, because: i64, views: usize } = "retrieve:{object}:{because}/{views}", or "retrieve:{object}:{because}" if *views == 0;
        /// The erasure of the stored events and effects of a closed account.
        Erase = "erase-account";
        /// The injection of the object of a thin event as a provider event.
        Told { event: Id } = "told:{event}";
        /// The invoice for a month of usage. `again` is the number of retries after Stripe refused the invoice.
        UsageInvoice { month: String, again: i64 } = "usage-invoice:{month}/{again}", or "usage-invoice:{month}" if *again == 0;
        /// The nth message to another account about its share of a sale; `told` is n.
        Share { sale: Id, told: i64 } = "share:{sale}:{told}";
        /// A request to list a product in the catalog, by the requesting event.
        Listing { product: Id, asked_by: String } = "listing:{product}:{asked_by}";
        /// The notification of the owner about a listing, by the event that changed it.
        Listed { product: Id, asked_by: String } = "listed:{product}:{asked_by}";
        /// The creation of a customer without a waiting purchase, by the requesting event.
        AccountCustomer { asked_by: String } = "account-customer:{asked_by}";
        /// A customer portal session, by the requesting event.
        Portal { asked_by: String } = "portal:{asked_by}";
        /// The creation of the connected account for payouts, by the requesting event.
        Connect { asked_by: String } = "connect:{asked_by}";
        /// The onboarding link of the connected account, by the requesting event.
        ConnectLink { asked_by: String } = "connect-link:{asked_by}";
        /// The nth payout transfer in a currency.
        Transfer { currency: String, number: i64 } = "transfer:{currency}:{number}";
        /// A refund, by the requesting event.
        RefundAsked { purchase: Id, asked_by: String } = "refund:{purchase}:{asked_by}";
        /// A credit for the days that an instance was in `error`; `since` is the time of the failure.
        Credit { instance: Id, since: Timestamp } = "credit:{instance}:{since}";
        /// The comparison of a subscription that had no event until `due`.
        Compare { subscription: Id, due: Timestamp } = "compare:{subscription}:{due}";
        /// The nth message with the campaign attributes of the account; `told` is n.
        Member { told: i64 } = "member:{told}";
        /// A campaign message to an account.
        CampaignMail { campaign: String, account: Id } = "to-member:{campaign}:{account}";
        /// The creation of a token.
        Token { token: String } = "token:{token}";
        /// The grant for which a token is redeemed, by the requesting event.
        Redeem { token: String, asked_by: String } = "redeem:{token}:{asked_by}";
        /// A reaction to a fact.
        Reaction { event: String, run: String, reference: Id } = "on:{event}:{run}:{reference}";
        /// A mail, sent once for each template, recipient and reference.
        Mail { template: String, to: String, reference: Id } = "mail:{template}:{to}:{reference}";
        /// A timer.
        Timer(timer: TimerKey) = "{timer}";
    }
}

/// Returns the recipient in a mail's key; `None` if the key is not a mail's key.
pub(crate) fn recipient_of(key: &str) -> Option<&str> {
    key.strip_prefix("mail:")?.split(':').nth(1)
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
            let free = parts.iter().filter(|(_, kind)| *kind == "Id").count();
            assert!(free <= 1, "{name}: two parts may have colons");
            let places = between(text);
            assert_eq!(places.len(), parts.len() + 1, "{name}: each part stands once in `{text}`");
            for (part, _) in *parts {
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
        let fetch = |views| EffectKey::Retrieve { object: "sub_1".to_owned(), because: 7, views }.to_string();
        assert_eq!((fetch(0), fetch(2)), ("retrieve:sub_1:7".to_owned(), "retrieve:sub_1:7/2".to_owned()));
    }
}
