//! Stripe's objects as far as decisions need them, in every API version since 2018: tolerant structs that borrow.
//!
//! A field that moved between versions is read in both places; the accessors below are the only code that knows where
//! (`stripe-scenarios.md`, facts 24 to 30). Absent, null and empty are alike; unknown fields are skipped.

use crate::model::halt::{Halt, Ruled};
use crate::model::time::from_seconds;
use extension_contract::{Refusal, Timestamp};
use extension_reader::{Key, Raw, Rest};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A text that borrows where it can.
pub(crate) type Text<'a> = Cow<'a, str>;

/// The body of an event, with its object already read as what the event's type says it is, and what it says that it
/// changed as far as somebody asks.
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "T: serde::Deserialize<'de>, P: serde::Deserialize<'de>"))]
struct Body<T, P> {
    data: Data<T, P>,
}

/// The event's data.
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "T: serde::Deserialize<'de>, P: serde::Deserialize<'de>"))]
pub(crate) struct Data<T, P> {
    pub object: T,
    #[serde(default = "nothing")]
    pub previous_attributes: Option<P>,
}

fn nothing<P>() -> Option<P> {
    None
}

/// Read the body of an event; what can't be read is malformed, never guessed.
pub(crate) fn read<'a, T: serde::Deserialize<'a>, P: serde::Deserialize<'a>>(body: &'a [u8]) -> Ruled<Data<T, P>> {
    let malformed = |text: String| Halt::Refused(Refusal::Malformed(text));
    let body: Body<T, P> = extension_reader::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    Ok(body.data)
}

/// Read an object that was fetched.
pub(crate) fn read_fetched<'a, T: serde::Deserialize<'a>>(object: &'a str) -> Ruled<T> {
    let malformed = |error: extension_reader::Error| Refusal::Malformed(format!("/object{error}"));
    Ok(extension_reader::from_str(object).map_err(malformed)?)
}

/// An event that only names its object.
#[derive(serde::Deserialize)]
pub(crate) struct ThinEvent<'a> {
    #[serde(borrow)]
    pub related_object: RelatedObject<'a>,
}

/// The object that a thin event names.
#[derive(serde::Deserialize)]
pub(crate) struct RelatedObject<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    /// What it is, for example `invoice`.
    #[serde(borrow, rename = "type")]
    pub object: Text<'a>,
}

/// Read an event that only names its object.
pub(crate) fn read_thin(body: &[u8]) -> Ruled<ThinEvent<'_>> {
    let malformed = |error: extension_reader::Error| Halt::Refused(Refusal::Malformed(error.to_string()));
    extension_reader::from_slice(body).map_err(malformed)
}

/// Longest id in bytes. Stripe's are far shorter; this leaves room for what keys put before and behind one.
const ID_BYTES: usize = 200;

fn bounded<E: serde::de::Error>(id: Text<'_>) -> Result<Text<'_>, E> {
    if id.len() > ID_BYTES {
        return Err(E::custom(format!("an id of {} bytes, expected at most {ID_BYTES}", id.len())));
    }
    Ok(id)
}

/// An id of the object itself.
fn id<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    let id = Ref::deserialize(deserializer)?.0;
    if id.is_empty() { Err(serde::de::Error::custom("an empty id")) } else { Ok(id) }
}

/// An id that may be absent or null.
fn optional_id<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text<'a>>, D::Error> {
    Ok(Option::<Ref<'a>>::deserialize(deserializer)?.map(|reference| reference.0))
}

/// The name of a member of an object that only its id is read of.
struct Member {
    is_id: bool,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Member;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Member, E> {
                Ok(Member { is_id: name == "id" })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

/// An id, or the object itself where the sender expanded it.
#[derive(Clone, Debug)]
pub(crate) struct Ref<'a>(pub Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Ref<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Seen<'a> {
            type Value = Ref<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id or an object with an id")
            }
            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                bounded(Cow::Borrowed(text)).map(Ref)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                bounded(Cow::Owned(text.to_owned())).map(Ref)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while let Some(Member { is_id }) = map.next_key()? {
                    if is_id {
                        let id = bounded(map.next_value::<Cow<'de, str>>()?)?;
                        map.next_key::<Rest>()?;
                        return Ok(Ref(id));
                    }
                    map.next_value::<IgnoredAny>()?;
                }
                Err(serde::de::Error::missing_field("id"))
            }
        }
        deserializer.deserialize_any(Seen(std::marker::PhantomData))
    }
}

/// The id of an optional reference, none where it is absent or empty.
pub(crate) fn id_of<'r>(reference: &'r Option<Ref<'_>>) -> Option<&'r str> {
    reference.as_ref().map(|r| r.0.as_ref()).filter(|id| !id.is_empty())
}

/// A list that Stripe embeds: at most ten entries, then `has_more`.
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "T: serde::Deserialize<'de>"))]
pub(crate) struct List<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

/// The metadata keys that we write; others are not ours to read.
#[derive(serde::Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Metadata<'a> {
    #[serde(borrow, deserialize_with = "optional_id")]
    pub purchase_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "optional_id")]
    pub user_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "optional_id")]
    pub organization_id: Option<Text<'a>>,
}

/// All metadata of an object whose maker may be somebody else.
#[derive(Default, Debug)]
pub(crate) struct AllMetadata<'a> {
    pub ours: Metadata<'a>,
    /// What else is there that is a text.
    pub others: Vec<(Text<'a>, Text<'a>)>,
}

impl<'de: 'a, 'a> Deserialize<'de> for AllMetadata<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Seen<'a> {
            type Value = AllMetadata<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                const OURS: [&str; 3] = ["purchase_id", "user_id", "organization_id"];
                let (mut found, mut seen) = ([None, None, None], [false; 3]);
                let mut others = Vec::new();
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    let Some(place) = key.index_in(&OURS) else {
                        // Stripe has texts alone there; anything else is nobody's.
                        if let Ok(text) = extension_reader::from_str_small(map.next_value::<Raw<'de>>()?.get()) {
                            others.push((key.into_text(), Cow::Owned(text)));
                        }
                        continue;
                    };
                    if std::mem::replace(&mut seen[place], true) {
                        return Err(serde::de::Error::duplicate_field(OURS[place]));
                    }
                    found[place] = map.next_value::<Option<Ref<'de>>>()?.map(|reference| reference.0);
                }
                let [purchase_id, user_id, organization_id] = found;
                Ok(AllMetadata { ours: Metadata { purchase_id, user_id, organization_id }, others })
            }
        }
        deserializer.deserialize_map(Seen(std::marker::PhantomData))
    }
}

/// An item of a subscription.
#[derive(serde::Deserialize)]
pub(crate) struct Item<'a> {
    #[serde(borrow, default)]
    pub id: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub price: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub plan: Option<Ref<'a>>,
    #[serde(default)]
    pub quantity: Option<u32>,
    #[serde(default)]
    pub current_period_start: Option<i64>,
    #[serde(default)]
    pub current_period_end: Option<i64>,
}

impl Item<'_> {
    /// The price; before 2020 only `plan` was there, with the same id.
    pub fn price_id(&self) -> Option<&str> {
        id_of(&self.price).or_else(|| id_of(&self.plan))
    }
}

/// A subscription.
#[derive(serde::Deserialize)]
pub(crate) struct Subscription<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(borrow, default)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub items: Option<List<Item<'a>>>,
    #[serde(borrow, default)]
    pub plan: Option<Ref<'a>>,
    #[serde(default)]
    pub quantity: Option<u32>,
    #[serde(default)]
    pub cancel_at_period_end: Option<bool>,
    #[serde(default)]
    pub cancel_at: Option<i64>,
    #[serde(default)]
    pub ended_at: Option<i64>,
    #[serde(default)]
    pub trial_end: Option<i64>,
    #[serde(default)]
    pub current_period_start: Option<i64>,
    #[serde(default)]
    pub current_period_end: Option<i64>,
    #[serde(borrow, default)]
    pub pause_collection: Option<PauseCollection<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// A pause of a subscription's collection.
#[derive(serde::Deserialize)]
pub(crate) struct PauseCollection<'a> {
    #[serde(borrow, default)]
    pub behavior: Option<Text<'a>>,
}

/// What an update of a subscription says that it changed: the fields that a decision looks at, as they were.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct PreviousSubscription<'a> {
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    pub cancel_at_period_end: Option<bool>,
    /// Null is not absent.
    #[serde(deserialize_with = "crate::model::records::subscription::given")]
    pub cancel_at: Option<Option<i64>>,
    #[serde(borrow)]
    pub items: Option<List<Item<'a>>>,
    pub current_period_start: Option<i64>,
    pub current_period_end: Option<i64>,
    /// Null is not absent.
    #[serde(borrow, deserialize_with = "crate::model::records::subscription::given")]
    pub pause_collection: Option<Option<PauseCollection<'a>>>,
}

/// A span of time of a schedule.
#[derive(serde::Deserialize)]
pub(crate) struct Phase<'a> {
    pub start_date: i64,
    pub end_date: i64,
    #[serde(borrow, default)]
    items: Vec<Item<'a>>,
    /// Before 2020-08-27.
    #[serde(borrow, default)]
    plans: Vec<Item<'a>>,
}

impl<'a> Phase<'a> {
    /// What it bills.
    pub fn items(&self) -> impl Iterator<Item = &Item<'a>> {
        self.items.iter().chain(&self.plans)
    }
}

/// A schedule of a subscription.
#[derive(serde::Deserialize)]
pub(crate) struct SubscriptionSchedule<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub status: Text<'a>,
    #[serde(borrow, default)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    subscription: Option<Ref<'a>>,
    #[serde(borrow, default)]
    released_subscription: Option<Ref<'a>>,
    #[serde(borrow)]
    pub phases: Vec<Phase<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

impl SubscriptionSchedule<'_> {
    /// The subscription it changes, or was released from.
    pub fn subscription_id(&self) -> Option<&str> {
        id_of(&self.subscription).or_else(|| id_of(&self.released_subscription))
    }
}

/// A line of an invoice.
#[derive(serde::Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(default)]
    pub amount: i64,
    #[serde(borrow, default)]
    price: Option<Ref<'a>>,
    #[serde(borrow, default)]
    plan: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pricing: Option<Pricing<'a>>,
    #[serde(default)]
    proration: Option<bool>,
    #[serde(borrow, default)]
    parent: Option<LineParent<'a>>,
    #[serde(borrow, default)]
    subscription: Option<Ref<'a>>,
}

#[derive(serde::Deserialize)]
struct Pricing<'a> {
    #[serde(borrow, default)]
    price_details: Option<PriceDetails<'a>>,
}

#[derive(serde::Deserialize)]
struct PriceDetails<'a> {
    #[serde(borrow, default)]
    price: Option<Ref<'a>>,
}

#[derive(serde::Deserialize)]
struct LineParent<'a> {
    #[serde(borrow, default)]
    subscription_item_details: Option<ItemDetails<'a>>,
    #[serde(borrow, default)]
    invoice_item_details: Option<ItemDetails<'a>>,
}

#[derive(serde::Deserialize)]
struct ItemDetails<'a> {
    #[serde(default)]
    proration: Option<bool>,
    #[serde(borrow, default)]
    subscription: Option<Ref<'a>>,
}

impl Line<'_> {
    /// The price: `price`, since 2025-03-31.basil `pricing.price_details.price`, before 2020 `plan`.
    pub fn price_id(&self) -> Option<&str> {
        id_of(&self.price)
            .or_else(|| self.pricing.as_ref()?.price_details.as_ref().and_then(|d| id_of(&d.price)))
            .or_else(|| id_of(&self.plan))
    }

    /// Whether the line settles a part of a period.
    pub fn is_proration(&self) -> bool {
        self.proration.or_else(|| self.details()?.proration).unwrap_or(false)
    }

    fn subscription_id(&self) -> Option<&str> {
        id_of(&self.subscription).or_else(|| self.details().and_then(|d| id_of(&d.subscription)))
    }

    /// What stands behind the line since 2025-03-31.basil; a change of plan in the middle of a period is an invoice
    /// item.
    fn details(&self) -> Option<&ItemDetails<'_>> {
        let parent = self.parent.as_ref()?;
        parent.subscription_item_details.as_ref().or(parent.invoice_item_details.as_ref())
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct Transitions {
    pub paid_at: Option<i64>,
}

#[derive(serde::Deserialize)]
struct InvoiceParent<'a> {
    #[serde(borrow, default)]
    subscription_details: Option<ParentSubscription<'a>>,
}

#[derive(serde::Deserialize)]
struct ParentSubscription<'a> {
    #[serde(borrow, default)]
    subscription: Option<Ref<'a>>,
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
}

#[derive(serde::Deserialize)]
struct InvoicePayment<'a> {
    #[serde(borrow, default)]
    payment: Option<PaymentOf<'a>>,
}

#[derive(serde::Deserialize)]
pub(crate) struct PaymentOf<'a> {
    #[serde(borrow, default)]
    pub payment_intent: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub charge: Option<Ref<'a>>,
}

#[derive(serde::Deserialize)]
struct TotalTax {
    #[serde(default)]
    amount: i64,
}

/// An invoice.
#[derive(serde::Deserialize)]
pub(crate) struct Invoice<'a> {
    #[serde(borrow, default, deserialize_with = "optional_id")]
    pub id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub billing_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
    pub total: i64,
    /// None before 2016.
    #[serde(default)]
    amount_paid: Option<i64>,
    #[serde(default)]
    pub amount_due: i64,
    #[serde(borrow, default)]
    pub number: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub hosted_invoice_url: Option<Text<'a>>,
    #[serde(default)]
    paid_out_of_band: Option<bool>,
    #[serde(borrow, default)]
    payments: Option<List<InvoicePayment<'a>>>,
    /// Until 2025-03-31.basil.
    #[serde(borrow, default)]
    payment_intent: Option<Ref<'a>>,
    /// Until 2025-03-31.basil.
    #[serde(borrow, default)]
    charge: Option<Ref<'a>>,
    #[serde(default)]
    pub status_transitions: Option<Transitions>,
    #[serde(borrow)]
    pub lines: List<Line<'a>>,
    #[serde(default)]
    tax: Option<i64>,
    #[serde(default)]
    total_taxes: Option<Vec<TotalTax>>,
    #[serde(borrow, default)]
    subscription: Option<Ref<'a>>,
    #[serde(borrow, default)]
    parent: Option<InvoiceParent<'a>>,
    #[serde(borrow, default)]
    subscription_details: Option<ParentSubscription<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

impl Invoice<'_> {
    /// What was paid if it is paid, in minor units: before 2016 an invoice was paid as a whole.
    pub fn amount_paid(&self, paid: bool) -> i64 {
        self.amount_paid.unwrap_or(if paid { self.amount_due } else { 0 })
    }

    /// Whether it was paid past the provider: said in so many words, since basil by a list of payments without one.
    pub fn paid_out_of_band(&self, paid: bool) -> bool {
        let nobody_paid = || self.payments.as_ref().is_some_and(|list| list.data.is_empty() && !list.has_more);
        self.paid_out_of_band.unwrap_or_else(|| paid && self.amount_paid.is_some_and(|paid| paid > 0) && nobody_paid())
    }

    /// The subscription it bills: on top, since basil under `parent`, before 2018 only on its lines.
    pub fn subscription_id(&self) -> Option<&str> {
        let parent = self.parent.as_ref().and_then(|p| p.subscription_details.as_ref());
        id_of(&self.subscription)
            .or_else(|| parent.and_then(|d| id_of(&d.subscription)))
            .or_else(|| self.lines.data.iter().find_map(Line::subscription_id))
    }

    /// Payment intent and charge of each payment that it names.
    pub fn payments(&self) -> Vec<(Option<&str>, Option<&str>)> {
        let listed = self.payments.iter().flat_map(|list| &list.data).filter_map(|payment| payment.payment.as_ref());
        let listed = listed.map(|of| (id_of(&of.payment_intent), id_of(&of.charge)));
        let own = (id_of(&self.payment_intent), id_of(&self.charge));
        let mut out: Vec<_> = listed.chain([own]).filter(|(intent, charge)| intent.or(*charge).is_some()).collect();
        out.dedup();
        out
    }

    /// Metadata of the subscription, as the invoice copies it.
    pub fn subscription_metadata(&self) -> Option<&Metadata<'_>> {
        let parent = self.parent.as_ref().and_then(|p| p.subscription_details.as_ref());
        parent.or(self.subscription_details.as_ref()).and_then(|d| d.metadata.as_ref())
    }

    /// Tax contained in the total, in minor units.
    pub fn tax(&self) -> i64 {
        match (&self.tax, &self.total_taxes) {
            (Some(tax), _) => *tax,
            (None, Some(taxes)) => taxes.iter().fold(0, |sum, tax| sum.saturating_add(tax.amount)),
            (None, None) => 0,
        }
    }
}

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct TotalDetails {
    pub amount_discount: Option<i64>,
    pub amount_tax: Option<i64>,
    pub amount_shipping: Option<i64>,
}

/// A checkout session.
#[derive(serde::Deserialize)]
pub(crate) struct Session<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(borrow, default)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub mode: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub payment_status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
    #[serde(default)]
    pub amount_subtotal: Option<i64>,
    #[serde(default)]
    pub amount_total: Option<i64>,
    #[serde(default)]
    pub total_details: Option<TotalDetails>,
    #[serde(borrow, default)]
    pub line_items: Option<List<IdsLine<'a>>>,
    #[serde(borrow, default)]
    pub subscription: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub payment_intent: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub customer_email: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub customer_details: Option<CustomerDetails<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<AllMetadata<'a>>,
}

/// Who went through a checkout.
#[derive(serde::Deserialize)]
pub(crate) struct CustomerDetails<'a> {
    #[serde(borrow, default)]
    pub email: Option<Text<'a>>,
}

impl Session<'_> {
    /// The metadata keys that we write.
    pub fn ours(&self) -> Option<&Metadata<'_>> {
        self.metadata.as_ref().map(|metadata| &metadata.ours)
    }

    /// The address of who went through it.
    pub fn email(&self) -> Option<&str> {
        let told = || self.customer_details.as_ref()?.email.as_deref();
        self.customer_email.as_deref().or_else(told).filter(|email| !email.is_empty())
    }
}

/// A refund.
#[derive(serde::Deserialize)]
pub(crate) struct Refund<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    pub amount: i64,
    #[serde(borrow)]
    pub currency: Text<'a>,
    #[serde(borrow, default)]
    pub status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub charge: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub payment_intent: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// A dispute.
#[derive(serde::Deserialize)]
pub(crate) struct Dispute<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    pub amount: i64,
    #[serde(borrow)]
    pub currency: Text<'a>,
    #[serde(borrow, default)]
    pub status: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub charge: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub payment_intent: Option<Ref<'a>>,
    /// What it took and gave back so far.
    #[serde(borrow, default)]
    pub balance_transactions: Option<Vec<Movement<'a>>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// A movement of our money at the provider.
#[derive(serde::Deserialize)]
pub(crate) struct Movement<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    /// In the currency that is paid out to us.
    #[serde(default)]
    pub fee: i64,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
}

/// A payment of an invoice, since 2025-05-28.
#[derive(serde::Deserialize)]
pub(crate) struct InvoicePaymentObject<'a> {
    #[serde(borrow)]
    pub id: Ref<'a>,
    #[serde(borrow, default)]
    pub invoice: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub payment: Option<PaymentOf<'a>>,
}

/// A price.
#[derive(serde::Deserialize)]
pub(crate) struct Price<'a> {
    #[serde(borrow)]
    pub id: Ref<'a>,
    #[serde(default)]
    pub unit_amount: Option<i64>,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
    #[serde(default)]
    pub active: Option<bool>,
    #[serde(borrow, default)]
    pub recurring: Option<Recurring<'a>>,
}

/// An account that is paid to.
#[derive(serde::Deserialize)]
pub(crate) struct ConnectedAccount<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(default)]
    pub payouts_enabled: bool,
    #[serde(default)]
    pub details_submitted: bool,
}

/// How often a price is charged.
#[derive(serde::Deserialize)]
pub(crate) struct Recurring<'a> {
    #[serde(borrow, default)]
    pub interval: Option<Text<'a>>,
    #[serde(default)]
    pub interval_count: Option<u32>,
}

/// A charge.
#[derive(serde::Deserialize)]
pub(crate) struct Charge<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    pub amount: i64,
    #[serde(default)]
    pub amount_refunded: i64,
    #[serde(borrow, default)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub payment_intent: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub invoice: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub refunds: Option<List<Refund<'a>>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// A payment intent.
#[derive(serde::Deserialize)]
pub(crate) struct PaymentIntent<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(default)]
    pub amount_received: i64,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub latest_charge: Option<Ref<'a>>,
    #[serde(borrow, default)]
    charges: Option<List<Ref<'a>>>,
    #[serde(borrow, default)]
    pub invoice: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

impl PaymentIntent<'_> {
    /// The charge that settled it; before 2022-11-15 the last of an embedded list, newest first.
    pub fn charge_id(&self) -> Option<&str> {
        id_of(&self.latest_charge).or_else(|| self.charges.as_ref()?.data.first().map(|charge| charge.0.as_ref()))
    }
}

/// A customer.
#[derive(serde::Deserialize)]
pub(crate) struct Customer<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// A line or item, as far as placing needs it.
#[derive(serde::Deserialize)]
pub(crate) struct IdsLine<'a> {
    #[serde(borrow, default)]
    price: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pricing: Option<Pricing<'a>>,
    #[serde(borrow, default)]
    plan: Option<Ref<'a>>,
}

impl IdsLine<'_> {
    /// The price, wherever the version keeps it.
    pub fn price_id(&self) -> Option<&str> {
        id_of(&self.price)
            .or_else(|| self.pricing.as_ref()?.price_details.as_ref().and_then(|d| id_of(&d.price)))
            .or_else(|| id_of(&self.plan))
    }
}

/// Any object, as far as placing needs it: for kinds that are not handled, and for objects that can't be read as what
/// their kind says.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct Ids<'a> {
    #[serde(borrow, deserialize_with = "optional_id")]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub object: Option<Text<'a>>,
    #[serde(borrow)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow)]
    pub payment_intent: Option<Ref<'a>>,
    #[serde(borrow)]
    pub charge: Option<Ref<'a>>,
    #[serde(borrow)]
    pub invoice: Option<Ref<'a>>,
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub items: Option<List<IdsLine<'a>>>,
    #[serde(borrow)]
    pub lines: Option<List<IdsLine<'a>>>,
    #[serde(borrow)]
    pub plan: Option<Ref<'a>>,
    #[serde(borrow)]
    pub subscription: Option<Ref<'a>>,
    #[serde(borrow)]
    parent: Option<InvoiceParent<'a>>,
}

impl Ids<'_> {
    /// The subscription it belongs to.
    pub fn subscription_id(&self) -> Option<&str> {
        let parent = self.parent.as_ref().and_then(|p| p.subscription_details.as_ref());
        id_of(&self.subscription).or_else(|| parent.and_then(|d| id_of(&d.subscription)))
    }
}

/// A time in whole seconds as milliseconds; out of range is malformed.
pub(crate) fn time(seconds: Option<i64>, pointer: &str) -> Ruled<Option<Timestamp>> {
    match seconds {
        None => Ok(None),
        Some(seconds) => match from_seconds(seconds) {
            Some(at) => Ok(Some(at)),
            None => Err(Halt::Refused(Refusal::Malformed(pointer.to_owned()))),
        },
    }
}
