//! Extracts the ids from a Stripe object: the claim keys that lead to its account, and the rows that it is about.

use super::stripe::{self, Metadata, id_of};
use crate::model::keys::ClaimKey;
use crate::model::records::dispute::Dispute;
use crate::model::records::invoice::Invoice;
use crate::model::records::payment::Payment;
use crate::model::records::session::Session;
use crate::model::records::subscription::history_of;
use crate::model::records::subscription_schedule::SubscriptionSchedule;
use crate::model::records::{customer::Customer, to_record};
use extension_contract::{CatalogKey, Reference, RowKey};

/// The relevant ids in an object.
#[derive(Default)]
pub(crate) struct Mentions<'a> {
    /// The object's own claim key.
    pub own: Option<ClaimKey<'a>>,
    /// Metadata with at least one of our keys: the metadata of the object, or of the subscription that the object
    /// bills.
    pub metadata: Option<&'a Metadata<'a>>,
    pub subscription: Option<&'a str>,
    pub customer: Option<&'a str>,
    pub payment_intents: Vec<&'a str>,
    pub charges: Vec<&'a str>,
    pub invoice: Option<&'a str>,
    pub prices: Vec<&'a str>,
    /// Further rows that the object is about.
    pub rows: Vec<Reference>,
}

fn ours<'a>(metadata: Option<&'a Metadata<'a>>) -> Option<&'a Metadata<'a>> {
    metadata.filter(|m| m.purchase_id.is_some() || m.user_id.is_some() || m.organization_id.is_some())
}

fn non_empty(id: &str) -> Option<&str> {
    Some(id).filter(|id| !id.is_empty())
}

/// A Stripe object that contains ids.
pub(crate) trait Mentioning {
    /// Returns the ids.
    fn mentions(&self) -> Mentions<'_>;
}

impl Mentioning for stripe::Subscription<'_> {
    fn mentions(&self) -> Mentions<'_> {
        let items = self.items.iter().flat_map(|list| &list.data);
        Mentions {
            own: non_empty(&self.id).map(ClaimKey::Subscription),
            metadata: ours(self.metadata.as_ref()),
            subscription: non_empty(&self.id),
            customer: id_of(&self.customer),
            prices: items.filter_map(stripe::Item::price_id).chain(id_of(&self.plan)).collect(),
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::SubscriptionSchedule<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions {
            metadata: ours(self.metadata.as_ref()),
            subscription: self.subscription_id(),
            customer: id_of(&self.customer),
            rows: vec![to_record(SubscriptionSchedule::COLLECTION, &self.id)],
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::Invoice<'_> {
    fn mentions(&self) -> Mentions<'_> {
        let payments = self.payments();
        let id = self.id.as_deref().and_then(non_empty);
        Mentions {
            own: id.map(ClaimKey::Invoice),
            metadata: ours(self.metadata.as_ref()).or_else(|| ours(self.subscription_metadata())),
            subscription: self.subscription_id(),
            customer: id_of(&self.customer),
            payment_intents: payments.iter().filter_map(|(intent, _)| *intent).collect(),
            charges: payments.iter().filter_map(|(_, charge)| *charge).collect(),
            invoice: id,
            prices: self.lines.data.iter().filter_map(stripe::Line::price_id).collect(),
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::CreditNote<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions { customer: id_of(&self.customer), invoice: id_of(&self.invoice), ..Mentions::default() }
    }
}

impl Mentioning for stripe::Session<'_> {
    fn mentions(&self) -> Mentions<'_> {
        let lines = self.line_items.iter().flat_map(|list| &list.data);
        Mentions {
            own: non_empty(&self.id).map(ClaimKey::Session),
            metadata: ours(self.ours()),
            subscription: id_of(&self.subscription),
            customer: id_of(&self.customer),
            payment_intents: id_of(&self.payment_intent).into_iter().collect(),
            prices: lines.filter_map(stripe::IdsLine::price_id).collect(),
            rows: vec![to_record(Session::COLLECTION, &self.id)],
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::Charge<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions {
            own: non_empty(&self.id).map(ClaimKey::Charge),
            metadata: ours(self.metadata.as_ref()),
            customer: id_of(&self.customer),
            payment_intents: id_of(&self.payment_intent).into_iter().collect(),
            charges: non_empty(&self.id).into_iter().collect(),
            invoice: id_of(&self.invoice),
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::Refund<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions {
            metadata: ours(self.metadata.as_ref()),
            payment_intents: id_of(&self.payment_intent).into_iter().collect(),
            charges: id_of(&self.charge).into_iter().collect(),
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::Dispute<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions {
            metadata: ours(self.metadata.as_ref()),
            payment_intents: id_of(&self.payment_intent).into_iter().collect(),
            charges: id_of(&self.charge).into_iter().collect(),
            rows: vec![to_record(Dispute::COLLECTION, &self.id)],
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::PaymentIntent<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions {
            own: non_empty(&self.id).map(ClaimKey::PaymentIntent),
            metadata: ours(self.metadata.as_ref()),
            customer: id_of(&self.customer),
            payment_intents: non_empty(&self.id).into_iter().collect(),
            charges: self.charge_id().into_iter().collect(),
            invoice: id_of(&self.invoice),
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::InvoicePaymentObject<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions {
            payment_intents: self.payment.iter().filter_map(|of| id_of(&of.payment_intent)).collect(),
            charges: self.payment.iter().filter_map(|of| id_of(&of.charge)).collect(),
            invoice: id_of(&self.invoice),
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::Customer<'_> {
    fn mentions(&self) -> Mentions<'_> {
        Mentions {
            own: non_empty(&self.id).map(ClaimKey::Customer),
            metadata: ours(self.metadata.as_ref()),
            customer: non_empty(&self.id),
            rows: vec![to_record(Customer::COLLECTION, &self.id)],
            ..Mentions::default()
        }
    }
}

impl Mentioning for stripe::Ids<'_> {
    fn mentions(&self) -> Mentions<'_> {
        let id = self.id.as_deref().and_then(non_empty);
        let own = id.and_then(|id| {
            Some(match self.object.as_deref()? {
                "checkout.session" => ClaimKey::Session(id),
                "subscription" => ClaimKey::Subscription(id),
                "customer" => ClaimKey::Customer(id),
                "payment_intent" => ClaimKey::PaymentIntent(id),
                "charge" => ClaimKey::Charge(id),
                "invoice" => ClaimKey::Invoice(id),
                _ => return None,
            })
        });
        let lines = [&self.items, &self.lines].into_iter().flatten().flat_map(|list| &list.data);
        Mentions {
            own,
            metadata: ours(self.metadata.as_ref()),
            subscription: self.subscription_id(),
            customer: id_of(&self.customer),
            payment_intents: id_of(&self.payment_intent).into_iter().collect(),
            charges: id_of(&self.charge).into_iter().collect(),
            invoice: id_of(&self.invoice),
            prices: lines.filter_map(stripe::IdsLine::price_id).chain(id_of(&self.plan)).collect(),
            ..Mentions::default()
        }
    }
}

/// Maximum number of prices in a placement. The remaining entries of the bulk call are for rows.
const PRICES_MAX: usize = 128;

impl Mentions<'_> {
    /// Returns the claim keys, strongest first: our own ids, then Stripe's.
    pub fn keys(&self) -> Vec<String> {
        let purchase = self.metadata.and_then(|m| m.purchase_id.as_deref()).and_then(non_empty).map(ClaimKey::Purchase);
        let all = purchase
            .into_iter()
            .chain(self.own)
            .chain(self.subscription.map(ClaimKey::Subscription))
            .chain(self.customer.map(ClaimKey::Customer))
            .chain(self.payment_intents.iter().copied().map(ClaimKey::PaymentIntent))
            .chain(self.charges.iter().copied().map(ClaimKey::Charge))
            .chain(self.invoice.map(ClaimKey::Invoice));
        let mut out: Vec<String> = Vec::with_capacity(4);
        for key in all {
            let key = String::from(key);
            if !out.contains(&key) {
                out.push(key);
            }
        }
        out.truncate(extension_contract::BULK_MAX);
        out
    }

    /// Returns references to the rows and prices that the ids name.
    pub fn names(&self) -> Vec<Reference> {
        let mut out = self.rows.clone();
        let purchase = self.metadata.and_then(|m| m.purchase_id.as_deref()).and_then(non_empty);
        out.extend(purchase.map(|id| Reference::Row(RowKey::Purchase(id.to_owned()))));
        if let Some(id) = self.subscription {
            out.extend([Reference::Row(RowKey::Subscription(id.to_owned())), history_of(id)]);
        }
        out.extend(self.invoice.map(|id| to_record(Invoice::COLLECTION, id)));
        let payments = self.payment_intents.iter().chain(&self.charges);
        out.extend(payments.take(extension_contract::REFERENCES_MAX / 2).map(|id| to_record(Payment::COLLECTION, id)));
        let mut prices = self.prices.clone();
        prices.sort();
        prices.dedup();
        let prices = prices.into_iter().take(PRICES_MAX);
        out.extend(prices.map(|id| Reference::Catalog(CatalogKey::Price(id.to_owned()))));
        out
    }
}
