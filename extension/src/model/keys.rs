//! Keys of effects, timers, claims and facts, and the functions that format and parse them.
//!
//! Keys contain ids of other systems, which may have colons and slashes. The parsers therefore find the parts of a key
//! from both ends.

use extension_contract::{CONNECTED_ACCOUNT_CLAIMS, Timestamp};
use std::fmt;

/// The permanent key of an effect: two effects with equal keys are the same effect. `asked_by` identifies the request,
/// usually by the hash of the requesting event's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EffectKey {
    /// A verb on a resource of an instance: `inst_1/compute/ensure`.
    Resource { instance: String, resource: String, verb: String },
    /// The health watch of an instance: `inst_1/watch/changed`.
    Watch { instance: String },
    /// The checkout of a purchase.
    Checkout { purchase: String },
    /// The end of an open checkout whose account was closed.
    ExpireCheckout { session: String },
    /// The creation of the customer that a purchase waits for.
    Customer { purchase: String },
    /// A change of plan, by the requesting event.
    Change { subscription: String, asked_by: String },
    /// A cancellation, by the requesting event.
    Cancel { subscription: String, asked_by: String },
    /// A refund of a second session of a purchase.
    GiveBack { session: String },
    /// A refund of the first invoice of a subscription that the account may not have.
    GiveBackInvoice { invoice: String },
    /// A refund of a purchase that the account may not have.
    GiveBackPurchase { purchase: String },
    /// A refund of the unused rest of a paid year after the account was closed.
    GiveBackRest { subscription: String, currency: String },
    /// The cancellation of a subscription that the account may not have, that a second session of a purchase began,
    /// that duplicates an item, or whose account was closed.
    CancelBeaten { subscription: String },
    /// The creation of a catalog product at the provider.
    SyncProduct { product: String },
    /// The creation of a price at the provider, by amount and interval: `500usd:month`.
    SyncPrice { product: String, amount: String, interval: String },
    /// A fetch of an object. `because` is the time or amount that caused the fetch. `views` is the number of snapshots
    /// of this time if a fetched snapshot is among them and their order is unclear, and otherwise 0.
    Retrieve { object: String, because: i64, views: usize },
    /// The erasure of the stored events and effects of a closed account.
    Erase,
    /// The injection of the object of a thin event as a provider event.
    Told { event: String },
    /// The invoice for a month of usage. `again` is the number of retries after Stripe refused the invoice.
    UsageInvoice { month: String, again: i64 },
    /// The nth message to another account about its share of a sale; `told` is n.
    Share { sale: String, told: i64 },
    /// A request to list a product in the catalog, by the requesting event.
    Listing { product: String, asked_by: String },
    /// The notification of the owner about a listing, by the event that changed it.
    Listed { product: String, asked_by: String },
    /// The creation of a customer without a waiting purchase, by the requesting event.
    AccountCustomer { asked_by: String },
    /// A customer portal session, by the requesting event.
    Portal { asked_by: String },
    /// The creation of the connected account for payouts, by the requesting event.
    Connect { asked_by: String },
    /// The onboarding link of the connected account, by the requesting event.
    ConnectLink { asked_by: String },
    /// The nth payout transfer in a currency.
    Transfer { currency: String, number: i64 },
    /// A refund, by the requesting event.
    RefundAsked { purchase: String, asked_by: String },
    /// A credit for the days that an instance was in `error`; `since` is the time of the failure.
    Credit { instance: String, since: Timestamp },
    /// The comparison of a subscription that had no event until `due`.
    Compare { subscription: String, due: Timestamp },
    /// The nth message with the campaign attributes of the account; `told` is n.
    Member { told: i64 },
    /// A campaign message to an account.
    CampaignMail { campaign: String, account: String },
    /// The creation of a token.
    Token { token: String },
    /// The grant for which a token is redeemed, by the requesting event.
    Redeem { token: String, asked_by: String },
    /// A reaction to a fact.
    Reaction { event: String, run: String, reference: String },
    /// A mail, sent once for each template, recipient and reference.
    Mail { template: String, to: String, reference: String },
    /// A timer.
    Timer(TimerKey),
}

/// The key of a timer, by purpose. The key contains the due time, so a timer for another time has another key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimerKey {
    /// The end of a subscription's grace period.
    Grace { subscription: String, due: Timestamp },
    /// The end of the period in which an account may exceed its limits.
    OverLimit { due: Timestamp },
    /// One day after the end of a month, when the month's usage is invoiced.
    UsageInvoice { due: Timestamp },
    /// The end of the hold period of a share.
    Payout { due: Timestamp },
    /// The start of a campaign or of its next batch.
    Campaign { campaign: String, due: Timestamp },
    /// The comparison of subscriptions that had no event until `due`.
    Compare { due: Timestamp },
    /// The erasure of the personal data of a closed account.
    Erase { due: Timestamp },
    /// The expiry of a token.
    Token { due: Timestamp },
    /// The time until which a paid item waits for the plan that it requires.
    Unmet { due: Timestamp },
    /// The time at which an instance has been in `error` long enough for the lost days to be credited.
    Error { instance: String, due: Timestamp },
    /// The archive of a suspended instance.
    Archive { instance: String, due: Timestamp },
    /// The termination of an archived instance.
    Terminate { instance: String, due: Timestamp },
    /// The archive of an idle instance.
    Idle { instance: String, due: Timestamp },
    /// A reminder of a manual task, or its deadline.
    Task { instance: String, due: Timestamp },
    /// The immediate continuation of a reconciliation of more instances than one decision can handle.
    Continue { asked_by: String },
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EffectKey::Resource { instance, resource, verb } => write!(f, "{instance}/{resource}/{verb}"),
            EffectKey::Watch { instance } => write!(f, "{instance}/watch/changed"),
            EffectKey::Checkout { purchase } => write!(f, "checkout:{purchase}"),
            EffectKey::ExpireCheckout { session } => write!(f, "expire-checkout:{session}"),
            EffectKey::Customer { purchase } => write!(f, "customer:{purchase}"),
            EffectKey::Change { subscription, asked_by } => write!(f, "change:{subscription}:{asked_by}"),
            EffectKey::Cancel { subscription, asked_by } => write!(f, "cancel:{subscription}:{asked_by}"),
            EffectKey::GiveBack { session } => write!(f, "give-back:{session}"),
            EffectKey::GiveBackInvoice { invoice } => write!(f, "give-back-invoice:{invoice}"),
            EffectKey::GiveBackPurchase { purchase } => write!(f, "give-back-purchase:{purchase}"),
            EffectKey::GiveBackRest { subscription, currency } => write!(f, "give-back-rest:{subscription}:{currency}"),
            EffectKey::CancelBeaten { subscription } => write!(f, "cancel-beaten:{subscription}"),
            EffectKey::SyncProduct { product } => write!(f, "sync:product:{product}"),
            EffectKey::SyncPrice { product, amount, interval } => write!(f, "sync:price:{product}:{amount}:{interval}"),
            EffectKey::Retrieve { object, because, views: 0 } => write!(f, "retrieve:{object}:{because}"),
            EffectKey::Retrieve { object, because, views } => write!(f, "retrieve:{object}:{because}/{views}"),
            EffectKey::Erase => f.write_str("erase-account"),
            EffectKey::Told { event } => write!(f, "told:{event}"),
            EffectKey::UsageInvoice { month, again: 0 } => write!(f, "usage-invoice:{month}"),
            EffectKey::UsageInvoice { month, again } => write!(f, "usage-invoice:{month}/{again}"),
            EffectKey::Share { sale, told } => write!(f, "share:{sale}:{told}"),
            EffectKey::Listing { product, asked_by } => write!(f, "listing:{product}:{asked_by}"),
            EffectKey::Listed { product, asked_by } => write!(f, "listed:{product}:{asked_by}"),
            EffectKey::AccountCustomer { asked_by } => write!(f, "account-customer:{asked_by}"),
            EffectKey::Portal { asked_by } => write!(f, "portal:{asked_by}"),
            EffectKey::Connect { asked_by } => write!(f, "connect:{asked_by}"),
            EffectKey::ConnectLink { asked_by } => write!(f, "connect-link:{asked_by}"),
            EffectKey::Transfer { currency, number } => write!(f, "transfer:{currency}:{number}"),
            EffectKey::RefundAsked { purchase, asked_by } => write!(f, "refund:{purchase}:{asked_by}"),
            EffectKey::Credit { instance, since } => write!(f, "credit:{instance}:{since}"),
            EffectKey::Compare { subscription, due } => write!(f, "compare:{subscription}:{due}"),
            EffectKey::Member { told } => write!(f, "member:{told}"),
            EffectKey::CampaignMail { campaign, account } => write!(f, "to-member:{campaign}:{account}"),
            EffectKey::Token { token } => write!(f, "token:{token}"),
            EffectKey::Redeem { token, asked_by } => write!(f, "redeem:{token}:{asked_by}"),
            EffectKey::Reaction { event, run, reference } => write!(f, "on:{event}:{run}:{reference}"),
            EffectKey::Mail { template, to, reference } => write!(f, "mail:{template}:{to}:{reference}"),
            EffectKey::Timer(timer) => timer.fmt(f),
        }
    }
}

impl fmt::Display for TimerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimerKey::Grace { subscription, due } => write!(f, "grace:{subscription}:{due}"),
            TimerKey::OverLimit { due } => write!(f, "over-limit:{due}"),
            TimerKey::UsageInvoice { due } => write!(f, "close-usage:{due}"),
            TimerKey::Payout { due } => write!(f, "payout:{due}"),
            TimerKey::Campaign { campaign, due } => write!(f, "campaign:{campaign}:{due}"),
            TimerKey::Compare { due } => write!(f, "compare:{due}"),
            TimerKey::Erase { due } => write!(f, "erase:{due}"),
            TimerKey::Token { due } => write!(f, "tokens:{due}"),
            TimerKey::Unmet { due } => write!(f, "unmet:{due}"),
            TimerKey::Error { instance, due } => write!(f, "error:{instance}:{due}"),
            TimerKey::Archive { instance, due } => write!(f, "archive:{instance}:{due}"),
            TimerKey::Terminate { instance, due } => write!(f, "terminate:{instance}:{due}"),
            TimerKey::Idle { instance, due } => write!(f, "idle:{instance}:{due}"),
            TimerKey::Task { instance, due } => write!(f, "task:{instance}:{due}"),
            TimerKey::Continue { asked_by } => write!(f, "continue:{asked_by}"),
        }
    }
}

impl TimerKey {
    /// Parses a key; `None` if the text is not a timer's key.
    pub fn parse(text: &str) -> Option<TimerKey> {
        let (word, rest) = text.split_once(':')?;
        if word == "continue" {
            return Some(TimerKey::Continue { asked_by: rest.to_owned() });
        }
        if word == "close-usage" {
            return Some(TimerKey::UsageInvoice { due: rest.parse().ok()? });
        }
        if word == "payout" {
            return Some(TimerKey::Payout { due: rest.parse().ok()? });
        }
        if word == "compare" {
            return Some(TimerKey::Compare { due: rest.parse().ok()? });
        }
        if word == "erase" {
            return Some(TimerKey::Erase { due: rest.parse().ok()? });
        }
        if word == "tokens" {
            return Some(TimerKey::Token { due: rest.parse().ok()? });
        }
        if word == "unmet" {
            return Some(TimerKey::Unmet { due: rest.parse().ok()? });
        }
        if word == "over-limit" {
            return Some(TimerKey::OverLimit { due: rest.parse().ok()? });
        }
        let (id, due) = rest.rsplit_once(':')?;
        let (id, due) = (id.to_owned(), due.parse().ok()?);
        Some(match word {
            "campaign" => TimerKey::Campaign { campaign: id, due },
            "grace" => TimerKey::Grace { subscription: id, due },
            "error" => TimerKey::Error { instance: id, due },
            "archive" => TimerKey::Archive { instance: id, due },
            "terminate" => TimerKey::Terminate { instance: id, due },
            "idle" => TimerKey::Idle { instance: id, due },
            "task" => TimerKey::Task { instance: id, due },
            _ => return None,
        })
    }

    /// Returns the instance of the timer.
    pub fn instance(&self) -> Option<&str> {
        match self {
            TimerKey::Error { instance, .. }
            | TimerKey::Archive { instance, .. }
            | TimerKey::Terminate { instance, .. }
            | TimerKey::Idle { instance, .. }
            | TimerKey::Task { instance, .. } => Some(instance),
            TimerKey::Grace { .. }
            | TimerKey::OverLimit { .. }
            | TimerKey::UsageInvoice { .. }
            | TimerKey::Payout { .. }
            | TimerKey::Token { .. }
            | TimerKey::Unmet { .. }
            | TimerKey::Compare { .. }
            | TimerKey::Erase { .. }
            | TimerKey::Campaign { .. }
            | TimerKey::Continue { .. } => None,
        }
    }
}

/// Returns the recipient in a mail's key; `None` if the key is not a mail's key.
pub(crate) fn recipient_of(key: &str) -> Option<&str> {
    key.strip_prefix("mail:")?.split(':').nth(1)
}

impl EffectKey {
    /// Parses a key; `None` if the text has no known form.
    #[cfg(test)]
    pub fn parse(text: &str) -> Option<EffectKey> {
        let own = str::to_owned;
        if let Some((word, rest)) = text.split_once(':') {
            let by_event = || rest.rsplit_once(':').map(|(id, by)| (own(id), own(by)));
            match word {
                "checkout" => return Some(EffectKey::Checkout { purchase: own(rest) }),
                "expire-checkout" => return Some(EffectKey::ExpireCheckout { session: own(rest) }),
                "customer" => return Some(EffectKey::Customer { purchase: own(rest) }),
                "told" => return Some(EffectKey::Told { event: own(rest) }),
                "usage-invoice" => {
                    let (month, again) = match rest.split_once('/') {
                        Some((month, again)) => (month, again.parse().ok().filter(|again| *again > 0)?),
                        None => (rest, 0),
                    };
                    return Some(EffectKey::UsageInvoice { month: own(month), again });
                }
                "give-back" => return Some(EffectKey::GiveBack { session: own(rest) }),
                "give-back-invoice" => return Some(EffectKey::GiveBackInvoice { invoice: own(rest) }),
                "give-back-purchase" => return Some(EffectKey::GiveBackPurchase { purchase: own(rest) }),
                "give-back-rest" => {
                    return by_event()
                        .map(|(subscription, currency)| EffectKey::GiveBackRest { subscription, currency });
                }
                "cancel-beaten" => return Some(EffectKey::CancelBeaten { subscription: own(rest) }),
                "refund" => {
                    return by_event().map(|(purchase, asked_by)| EffectKey::RefundAsked { purchase, asked_by });
                }
                "listing" => return by_event().map(|(product, asked_by)| EffectKey::Listing { product, asked_by }),
                "listed" => return by_event().map(|(product, asked_by)| EffectKey::Listed { product, asked_by }),
                "account-customer" => return Some(EffectKey::AccountCustomer { asked_by: own(rest) }),
                "portal" => return Some(EffectKey::Portal { asked_by: own(rest) }),
                "connect" => return Some(EffectKey::Connect { asked_by: own(rest) }),
                "connect-link" => return Some(EffectKey::ConnectLink { asked_by: own(rest) }),
                "share" => {
                    let (sale, told) = rest.rsplit_once(':')?;
                    return Some(EffectKey::Share { sale: own(sale), told: told.parse().ok()? });
                }
                "transfer" => {
                    let (currency, number) = rest.rsplit_once(':')?;
                    return Some(EffectKey::Transfer { currency: own(currency), number: number.parse().ok()? });
                }
                "change" => {
                    return by_event().map(|(subscription, asked_by)| EffectKey::Change { subscription, asked_by });
                }
                "cancel" => {
                    return by_event().map(|(subscription, asked_by)| EffectKey::Cancel { subscription, asked_by });
                }
                "sync" => {
                    if let Some(product) = rest.strip_prefix("product:") {
                        return Some(EffectKey::SyncProduct { product: own(product) });
                    }
                    let mut parts = rest.strip_prefix("price:")?.rsplitn(3, ':');
                    let (interval, amount, product) = (own(parts.next()?), own(parts.next()?), own(parts.next()?));
                    return Some(EffectKey::SyncPrice { product, amount, interval });
                }
                "retrieve" => {
                    let (object, because) = rest.rsplit_once(':')?;
                    let (because, views) = match because.split_once('/') {
                        Some((because, views)) => (because, views.parse().ok().filter(|views| *views > 0)?),
                        None => (because, 0),
                    };
                    return Some(EffectKey::Retrieve { object: own(object), because: because.parse().ok()?, views });
                }
                "credit" => {
                    let (instance, since) = rest.rsplit_once(':')?;
                    return Some(EffectKey::Credit { instance: own(instance), since: since.parse().ok()? });
                }
                "compare" => {
                    if let Some((subscription, due)) = rest.rsplit_once(':') {
                        return Some(EffectKey::Compare { subscription: own(subscription), due: due.parse().ok()? });
                    }
                }
                "member" => return Some(EffectKey::Member { told: rest.parse().ok()? }),
                "to-member" => {
                    let (campaign, account) = rest.split_once(':')?;
                    return Some(EffectKey::CampaignMail { campaign: own(campaign), account: own(account) });
                }
                "token" => return Some(EffectKey::Token { token: own(rest) }),
                "redeem" => return by_event().map(|(token, asked_by)| EffectKey::Redeem { token, asked_by }),
                "on" => {
                    let mut parts = rest.splitn(3, ':');
                    let (event, run, reference) = (own(parts.next()?), own(parts.next()?), own(parts.next()?));
                    return Some(EffectKey::Reaction { event, run, reference });
                }
                "mail" => {
                    let mut parts = rest.splitn(3, ':');
                    let (template, to, reference) = (own(parts.next()?), own(parts.next()?), own(parts.next()?));
                    return Some(EffectKey::Mail { template, to, reference });
                }
                _ => {}
            }
            if let Some(timer) = TimerKey::parse(text) {
                return Some(EffectKey::Timer(timer));
            }
        }
        if text == EffectKey::Erase.to_string() {
            return Some(EffectKey::Erase);
        }
        let mut parts = text.rsplitn(3, '/');
        let (verb, resource, instance) = (own(parts.next()?), own(parts.next()?), own(parts.next()?));
        Some(match (resource.as_str(), verb.as_str()) {
            ("watch", "changed") => EffectKey::Watch { instance },
            _ => EffectKey::Resource { instance, resource, verb },
        })
    }
}

/// The key of a claim: at most one account of a business holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimKey<'a> {
    /// A purchase.
    Purchase(&'a str),
    /// A checkout session.
    Session(&'a str),
    /// A subscription.
    Subscription(&'a str),
    /// A customer.
    Customer(&'a str),
    /// A payment intent.
    PaymentIntent(&'a str),
    /// A charge.
    Charge(&'a str),
    /// An invoice.
    Invoice(&'a str),
    /// A connected account at the provider, which receives payouts.
    ConnectedAccount(&'a str),
    /// A token.
    Token(&'a str),
    /// A value of a unique field, within the field's namespace.
    Name { space: &'a str, value: &'a str },
}

/// Returns the id of the catalog row of a product type. Because of the prefix, a product's id may equal a type's name.
pub(crate) fn type_row_id(name: &str) -> String {
    format!("type:{name}")
}

/// Prefix of the claims of connected accounts, without the colon.
const CONNECTED_ACCOUNT: &str = CONNECTED_ACCOUNT_CLAIMS.split_at(CONNECTED_ACCOUNT_CLAIMS.len() - 1).0;

/// Prefix of the claims of customers.
pub(crate) const CUSTOMER_CLAIMS: &str = "stripe-customer:";

impl ClaimKey<'_> {
    fn parts(&self) -> (&str, &str) {
        match self {
            ClaimKey::Purchase(id) => ("purchase", id),
            ClaimKey::Session(id) => ("stripe-session", id),
            ClaimKey::Subscription(id) => ("stripe-subscription", id),
            ClaimKey::Customer(id) => ("stripe-customer", id),
            ClaimKey::PaymentIntent(id) => ("stripe-payment-intent", id),
            ClaimKey::Charge(id) => ("stripe-charge", id),
            ClaimKey::Invoice(id) => ("stripe-invoice", id),
            ClaimKey::ConnectedAccount(id) => (CONNECTED_ACCOUNT, id),
            ClaimKey::Token(id) => ("token", id),
            ClaimKey::Name { space, value } => (space, value),
        }
    }
}

/// Formats a key such as `stripe-customer:cus_1`, without the slower formatter: most events need several keys.
impl From<ClaimKey<'_>> for String {
    fn from(key: ClaimKey<'_>) -> String {
        let (kind, id) = key.parts();
        let mut out = String::with_capacity(kind.len() + id.len() + 1);
        out.push_str(kind);
        out.push(':');
        out.push_str(id);
        out
    }
}

/// The key of a fact. A fact is recorded once, even if several events report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FactKey<'a> {
    /// An invoice was paid.
    Paid(&'a str),
    /// The object of a thin event was fetched and processed, by the event's id.
    Told(&'a str),
    /// The session of the subscription names no organization.
    OwnSubscription(&'a str),
    /// A session of a purchase was paid.
    PaidSession { purchase: &'a str, payment: &'a str },
    /// The tax in the payment of a purchase's session was booked.
    TaxOfSession { purchase: &'a str, session: &'a str },
    /// A session has already booked the payment of an invoice.
    BookedBySession(&'a str),
    /// The booking of an invoice was reversed, because a session had booked its payment.
    Unbooked(&'a str),
    /// A refund was paid out.
    Refund(&'a str),
    /// A refund failed and its amount returned.
    RefundFailed(&'a str),
    /// A dispute withdrew its amount.
    Dispute(&'a str),
    /// A dispute returned its amount.
    DisputeReturned(&'a str),
    /// A balance transaction of a dispute had a fee.
    DisputeFee(&'a str),
    /// A second session of a purchase was refunded.
    Beaten(&'a str),
    /// The nth change of the spendable credits of a purchase.
    Credits { purchase: &'a str, entry: i64 },
    /// The nth change of the share of a sale.
    Split { sale: &'a str, entry: i64 },
    /// The nth message about a share in a sale of another account was received.
    Earned { sale: &'a str, told: i64 },
    /// The nth transfer in a currency was made.
    Transferred { currency: &'a str, number: i64 },
    /// The account was registered and its customer requested.
    Registered,
    /// A subscription ended permanently.
    Ended(&'a str),
    /// An add-on is not renewed, because its required plan has ended.
    NotRenewed { subscription: &'a str, plan: &'a str },
    /// A customer was deleted at the provider.
    CustomerDeleted(&'a str),
    /// The upcoming end of a trial was reported.
    TrialWillEnd { subscription: &'a str, end: Timestamp },
    /// A measurement was counted.
    Usage { meter: &'a str, id: &'a str },
    /// A product event was processed, by the hash of its id.
    ProductEvent(&'a str),
    /// A reconciliation requested a fetch that no event waits for.
    Asked(&'a str),
    /// A fetch failed permanently, by its generation.
    RetrieveFailed { key: &'a str, generation: u32 },
    /// An event stopped waiting for a fetch that failed several times.
    Unanswered { key: &'a str, failures: u32, event: &'a str },
}

impl fmt::Display for FactKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FactKey::Paid(id) => write!(f, "paid:{id}"),
            FactKey::Told(event) => write!(f, "told:{event}"),
            FactKey::OwnSubscription(id) => write!(f, "own-subscription:{id}"),
            FactKey::PaidSession { purchase, payment } => write!(f, "paid:{purchase}:{payment}"),
            FactKey::TaxOfSession { purchase, session } => write!(f, "tax:{purchase}:{session}"),
            FactKey::BookedBySession(invoice) => write!(f, "booked-by-session:{invoice}"),
            FactKey::Unbooked(invoice) => write!(f, "unbooked:{invoice}"),
            FactKey::Refund(id) => write!(f, "refund:{id}"),
            FactKey::RefundFailed(id) => write!(f, "refund-failed:{id}"),
            FactKey::Dispute(id) => write!(f, "dispute:{id}"),
            FactKey::DisputeReturned(id) => write!(f, "dispute-returned:{id}"),
            FactKey::DisputeFee(movement) => write!(f, "dispute-fee:{movement}"),
            FactKey::Beaten(session) => write!(f, "beaten:{session}"),
            FactKey::Credits { purchase, entry } => write!(f, "credits:{purchase}:{entry}"),
            FactKey::Split { sale, entry } => write!(f, "split:{sale}:{entry}"),
            FactKey::Earned { sale, told } => write!(f, "earned:{sale}:{told}"),
            FactKey::Transferred { currency, number } => write!(f, "transferred:{currency}:{number}"),
            FactKey::Registered => f.write_str("registered"),
            FactKey::Ended(id) => write!(f, "ended:{id}"),
            FactKey::NotRenewed { subscription, plan } => write!(f, "not-renewed:{subscription}:{plan}"),
            FactKey::CustomerDeleted(id) => write!(f, "customer-deleted:{id}"),
            FactKey::TrialWillEnd { subscription, end } => write!(f, "trial-will-end:{subscription}:{end}"),
            FactKey::Usage { meter, id } => write!(f, "usage:{meter}:{id}"),
            FactKey::ProductEvent(hash) => write!(f, "product-event:{hash}"),
            FactKey::Asked(key) => write!(f, "asked:{key}"),
            FactKey::RetrieveFailed { key, generation } => write!(f, "retrieve-failed:{key}:{generation}"),
            FactKey::Unanswered { key, failures, event } => write!(f, "unanswered:{key}:{failures}:{event}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ids of other systems, with separators.
    fn id() -> impl Strategy<Value = String> {
        "[a-z_:/@-]{1,12}"
    }

    /// Names that this library chooses: resources, verbs, hashes, templates.
    fn name() -> impl Strategy<Value = String> {
        "[a-z0-9_@-]{1,8}"
    }

    fn timer() -> impl Strategy<Value = TimerKey> {
        prop_oneof![
            (id(), any::<i64>()).prop_map(|(subscription, due)| TimerKey::Grace { subscription, due }),
            any::<i64>().prop_map(|due| TimerKey::OverLimit { due }),
            any::<i64>().prop_map(|due| TimerKey::UsageInvoice { due }),
            any::<i64>().prop_map(|due| TimerKey::Payout { due }),
            any::<i64>().prop_map(|due| TimerKey::Token { due }),
            any::<i64>().prop_map(|due| TimerKey::Compare { due }),
            any::<i64>().prop_map(|due| TimerKey::Erase { due }),
            (id(), any::<i64>()).prop_map(|(campaign, due)| TimerKey::Campaign { campaign, due }),
            (id(), any::<i64>()).prop_map(|(instance, due)| TimerKey::Error { instance, due }),
            (id(), any::<i64>()).prop_map(|(instance, due)| TimerKey::Archive { instance, due }),
            (id(), any::<i64>()).prop_map(|(instance, due)| TimerKey::Terminate { instance, due }),
            (id(), any::<i64>()).prop_map(|(instance, due)| TimerKey::Idle { instance, due }),
            (id(), any::<i64>()).prop_map(|(instance, due)| TimerKey::Task { instance, due }),
            name().prop_map(|asked_by| TimerKey::Continue { asked_by }),
        ]
    }

    fn key() -> impl Strategy<Value = EffectKey> {
        let plain = "[a-z_]{1,8}";
        prop_oneof![
            (plain, name(), name())
                .prop_filter("the key of a watch", |(_, resource, verb)| (resource.as_str(), verb.as_str())
                    != ("watch", "changed"))
                .prop_map(|(instance, resource, verb)| EffectKey::Resource { instance, resource, verb }),
            plain.prop_map(|instance| EffectKey::Watch { instance }),
            id().prop_map(|purchase| EffectKey::Checkout { purchase }),
            id().prop_map(|session| EffectKey::ExpireCheckout { session }),
            id().prop_map(|purchase| EffectKey::Customer { purchase }),
            (id(), name()).prop_map(|(subscription, asked_by)| EffectKey::Change { subscription, asked_by }),
            (id(), name()).prop_map(|(subscription, asked_by)| EffectKey::Cancel { subscription, asked_by }),
            id().prop_map(|session| EffectKey::GiveBack { session }),
            id().prop_map(|invoice| EffectKey::GiveBackInvoice { invoice }),
            id().prop_map(|purchase| EffectKey::GiveBackPurchase { purchase }),
            (id(), name()).prop_map(|(subscription, currency)| EffectKey::GiveBackRest { subscription, currency }),
            id().prop_map(|subscription| EffectKey::CancelBeaten { subscription }),
            id().prop_map(|product| EffectKey::SyncProduct { product }),
            (id(), name(), name()).prop_map(|(product, amount, interval)| EffectKey::SyncPrice {
                product,
                amount,
                interval
            }),
            (id(), any::<i64>(), any::<u16>()).prop_map(|(object, because, views)| EffectKey::Retrieve {
                object,
                because,
                views: views.into()
            }),
            Just(EffectKey::Erase),
            id().prop_map(|event| EffectKey::Told { event }),
            (name(), 0i64..4).prop_map(|(month, again)| EffectKey::UsageInvoice { month, again }),
            (id(), name()).prop_map(|(purchase, asked_by)| EffectKey::RefundAsked { purchase, asked_by }),
            (id(), any::<i64>()).prop_map(|(sale, told)| EffectKey::Share { sale, told }),
            (id(), name()).prop_map(|(product, asked_by)| EffectKey::Listing { product, asked_by }),
            (id(), name()).prop_map(|(product, asked_by)| EffectKey::Listed { product, asked_by }),
            name().prop_map(|asked_by| EffectKey::AccountCustomer { asked_by }),
            name().prop_map(|asked_by| EffectKey::Portal { asked_by }),
            name().prop_map(|asked_by| EffectKey::Connect { asked_by }),
            name().prop_map(|asked_by| EffectKey::ConnectLink { asked_by }),
            (name(), any::<i64>()).prop_map(|(currency, number)| EffectKey::Transfer { currency, number }),
            (id(), any::<i64>()).prop_map(|(instance, since)| EffectKey::Credit { instance, since }),
            (id(), any::<i64>()).prop_map(|(subscription, due)| EffectKey::Compare { subscription, due }),
            any::<i64>().prop_map(|told| EffectKey::Member { told }),
            (name(), id()).prop_map(|(campaign, account)| EffectKey::CampaignMail { campaign, account }),
            name().prop_map(|token| EffectKey::Token { token }),
            (name(), name()).prop_map(|(token, asked_by)| EffectKey::Redeem { token, asked_by }),
            (name(), name(), id()).prop_map(|(event, run, reference)| EffectKey::Reaction { event, run, reference }),
            (name(), name(), id()).prop_map(|(template, to, reference)| EffectKey::Mail { template, to, reference }),
            timer().prop_map(EffectKey::Timer),
        ]
    }

    proptest! {
        #[test]
        fn a_key_survives_a_round_trip_through_text(key in key()) {
            let text = key.to_string();
            let to = match &key {
                EffectKey::Mail { to, .. } => Some(to.clone()),
                _ => None,
            };
            prop_assert_eq!(recipient_of(&text), to.as_deref());
            prop_assert_eq!(EffectKey::parse(&text), Some(key));
        }
    }
}
