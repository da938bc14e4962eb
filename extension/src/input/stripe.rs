//! Stripe's objects with the fields that decisions need, for every API version since 2018.
//!
//! The structs are tolerant: absent, null and empty are equal, and unknown fields are skipped. Fields that moved
//! between versions are read in both places. Only the accessors below know these places (`stripe-scenarios.md`, facts
//! 24 to 30).

use crate::model::halt::{Halt, Ruled};
use crate::model::time::from_seconds;
use extension_contract::{Refusal, Timestamp};
use extension_reader::{Key, Raw, Rest};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A text, borrowed if possible.
pub(crate) type Text<'a> = Cow<'a, str>;

/// The body of an event. `T` is the type of the event's object, `P` the type of its `previous_attributes`.
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

/// Parses the body of an event. Fails with `malformed` if the body cannot be parsed.
pub(crate) fn read<'a, T: serde::Deserialize<'a>, P: serde::Deserialize<'a>>(body: &'a [u8]) -> Ruled<Data<T, P>> {
    let malformed = |text: String| Halt::Refused(Refusal::Malformed(text));
    let body: Body<T, P> = extension_reader::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    Ok(body.data)
}

/// Parses a retrieved object.
pub(crate) fn read_retrieved<'a, T: serde::Deserialize<'a>>(object: &'a str) -> Ruled<T> {
    let malformed = |error: extension_reader::Error| Refusal::Malformed(format!("/object{error}"));
    Ok(extension_reader::from_str(object).map_err(malformed)?)
}

/// A thin event, which only refers to its object.
#[derive(serde::Deserialize)]
pub(crate) struct ThinEvent<'a> {
    #[serde(borrow)]
    pub related_object: RelatedObject<'a>,
}

/// The reference to the object of a thin event.
#[derive(serde::Deserialize)]
pub(crate) struct RelatedObject<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    /// Type of the object, for example `invoice`.
    #[serde(borrow, rename = "type")]
    pub object: Text<'a>,
}

/// Parses a thin event.
pub(crate) fn read_thin(body: &[u8]) -> Ruled<ThinEvent<'_>> {
    let malformed = |error: extension_reader::Error| Halt::Refused(Refusal::Malformed(error.to_string()));
    extension_reader::from_slice(body).map_err(malformed)
}

/// Maximum length of an id in bytes. Stripe's ids are far shorter; keys add a prefix and a suffix to an id.
const ID_BYTES: usize = 200;

fn bounded<E: serde::de::Error>(id: Text<'_>) -> Result<Text<'_>, E> {
    if id.len() > ID_BYTES {
        return Err(E::custom(format!("an id of {} bytes, expected at most {ID_BYTES}", id.len())));
    }
    Ok(id)
}

/// Reads the id of the object itself, which must not be empty.
fn id<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    let id = Ref::deserialize(deserializer)?.0;
    if id.is_empty() { Err(serde::de::Error::custom("an empty id")) } else { Ok(id) }
}

/// Reads an id that may be absent or null.
fn optional_id<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text<'a>>, D::Error> {
    Ok(Option::<Ref<'a>>::deserialize(deserializer)?.map(|reference| reference.0))
}

/// The name of a member, in an object of which only the id is read.
struct Member {
    is_id: bool,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemberVisitor;
        impl Visitor<'_> for MemberVisitor {
            type Value = Member;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Member, E> {
                Ok(Member { is_id: name == "id" })
            }
        }
        deserializer.deserialize_identifier(MemberVisitor)
    }
}

/// An id. Stripe sends the id, or an expanded object with the id.
#[derive(Clone, Debug)]
pub(crate) struct Ref<'a>(pub Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Ref<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RefVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for RefVisitor<'a> {
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
        deserializer.deserialize_any(RefVisitor(std::marker::PhantomData))
    }
}

/// Returns the id of an optional reference; `None` if it is absent or empty.
pub(crate) fn id_of<'r>(reference: &'r Option<Ref<'_>>) -> Option<&'r str> {
    reference.as_ref().map(|r| r.0.as_ref()).filter(|id| !id.is_empty())
}

/// A list embedded by Stripe: at most ten entries. `has_more` is true if Stripe has further entries.
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "T: serde::Deserialize<'de>"))]
pub(crate) struct List<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

/// The metadata keys that we write; other keys are ignored.
#[derive(serde::Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Metadata<'a> {
    #[serde(borrow, deserialize_with = "optional_id")]
    pub purchase_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "optional_id")]
    pub user_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "optional_id")]
    pub organization_id: Option<Text<'a>>,
    /// The subscription whose unused time a refund gives back.
    #[serde(borrow, deserialize_with = "optional_id")]
    pub rest_of: Option<Text<'a>>,
    /// The tax within a payment without a checkout, in minor units, as our provider noted it.
    #[serde(borrow, rename = "provisioner_tax", deserialize_with = "optional_id")]
    pub tax: Option<Text<'a>>,
}

/// All metadata of an object that may have been created by somebody else.
#[derive(Default, Debug)]
pub(crate) struct AllMetadata<'a> {
    pub ours: Metadata<'a>,
    /// All other members whose values are texts.
    pub others: Vec<(Text<'a>, Text<'a>)>,
}

impl<'de: 'a, 'a> Deserialize<'de> for AllMetadata<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetadataVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for MetadataVisitor<'a> {
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
                        // Stripe allows only texts here; other values are ignored.
                        if let Ok(text) = extension_reader::from_str(map.next_value::<Raw<'de>>()?.get()) {
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
                Ok(AllMetadata {
                    ours: Metadata { purchase_id, user_id, organization_id, rest_of: None, tax: None },
                    others,
                })
            }
        }
        deserializer.deserialize_map(MetadataVisitor(std::marker::PhantomData))
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
    /// Returns the price id. Before 2020 there was only `plan`, with the same id.
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
    /// Seconds since the epoch.
    #[serde(default)]
    pub created: Option<i64>,
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
    #[serde(borrow, default)]
    pub trial_settings: Option<TrialSettings<'a>>,
    #[serde(borrow, default)]
    pub default_payment_method: Option<Ref<'a>>,
    #[serde(default)]
    pub current_period_start: Option<i64>,
    #[serde(default)]
    pub current_period_end: Option<i64>,
    #[serde(borrow, default)]
    pub pause_collection: Option<PauseCollection<'a>>,
    #[serde(borrow, default)]
    pub cancellation_details: Option<CancellationDetails<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// What happens when the trial of a subscription ends.
#[derive(serde::Deserialize)]
pub(crate) struct TrialSettings<'a> {
    #[serde(borrow, default)]
    pub end_behavior: Option<TrialEnd<'a>>,
}

/// What happens at the end of a trial, if there is nothing to charge.
#[derive(serde::Deserialize)]
pub(crate) struct TrialEnd<'a> {
    #[serde(borrow, default)]
    pub missing_payment_method: Option<Text<'a>>,
}

impl Subscription<'_> {
    /// Returns true if the subscription has no card of its own, and goes no further than its trial without one. The customer may still have
    /// a default card, which the subscription does not name.
    pub(crate) fn needs_card(&self) -> bool {
        let end = self.trial_settings.as_ref().and_then(|settings| settings.end_behavior.as_ref());
        let without = end.and_then(|end| end.missing_payment_method.as_deref());
        self.default_payment_method.is_none() && matches!(without, Some("cancel" | "pause"))
    }
}

/// A pause of a subscription's collection.
#[derive(serde::Deserialize)]
pub(crate) struct PauseCollection<'a> {
    #[serde(borrow, default)]
    pub behavior: Option<Text<'a>>,
}

/// Why a subscription is cancelled.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct CancellationDetails<'a> {
    /// `None` if the field is absent, `Some(None)` if it is null.
    #[serde(borrow, deserialize_with = "crate::model::records::subscription::given")]
    pub feedback: Option<Option<Text<'a>>>,
    /// `None` if the field is absent, `Some(None)` if it is null.
    #[serde(borrow, deserialize_with = "crate::model::records::subscription::given")]
    pub comment: Option<Option<Text<'a>>>,
}

/// The `previous_attributes` of a subscription update: previous values of the fields that decisions use.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct PreviousSubscription<'a> {
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    pub cancel_at_period_end: Option<bool>,
    /// `None` if the field is absent, `Some(None)` if it is null.
    #[serde(deserialize_with = "crate::model::records::subscription::given")]
    pub cancel_at: Option<Option<i64>>,
    #[serde(borrow)]
    pub items: Option<List<Item<'a>>>,
    pub current_period_start: Option<i64>,
    pub current_period_end: Option<i64>,
    /// `None` if the field is absent, `Some(None)` if it is null.
    #[serde(borrow, deserialize_with = "crate::model::records::subscription::given")]
    pub pause_collection: Option<Option<PauseCollection<'a>>>,
    #[serde(borrow)]
    pub cancellation_details: Option<CancellationDetails<'a>>,
}

/// A phase of a subscription schedule.
#[derive(serde::Deserialize)]
pub(crate) struct Phase<'a> {
    pub start_date: i64,
    pub end_date: i64,
    #[serde(borrow, default)]
    items: Vec<Item<'a>>,
    /// The items before 2020-08-27.
    #[serde(borrow, default)]
    plans: Vec<Item<'a>>,
}

impl<'a> Phase<'a> {
    /// Returns the items.
    pub fn items(&self) -> impl Iterator<Item = &Item<'a>> {
        self.items.iter().chain(&self.plans)
    }
}

/// A subscription schedule.
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
    /// Returns the subscription that the schedule manages, or from which it was released.
    pub fn subscription_id(&self) -> Option<&str> {
        id_of(&self.subscription).or_else(|| id_of(&self.released_subscription))
    }
}

/// A line of an invoice.
#[derive(serde::Deserialize)]
pub(crate) struct Line<'a> {
    #[serde(default)]
    pub amount: i64,
    #[serde(default)]
    pub quantity: Option<u32>,
    #[serde(borrow, default)]
    price: Option<Ref<'a>>,
    #[serde(borrow, default)]
    plan: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pricing: Option<Pricing<'a>>,
    #[serde(default)]
    proration: Option<bool>,
    #[serde(default)]
    proration_details: Option<ProrationDetails>,
    #[serde(borrow, default)]
    parent: Option<LineParent<'a>>,
    #[serde(borrow, default)]
    subscription: Option<Ref<'a>>,
    #[serde(default)]
    period: Option<LinePeriod>,
}

/// The time that a line pays for, in seconds since the epoch.
#[derive(serde::Deserialize)]
struct LinePeriod {
    #[serde(default)]
    start: Option<i64>,
    #[serde(default)]
    end: Option<i64>,
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
    #[serde(default)]
    proration_details: Option<ProrationDetails>,
    #[serde(borrow, default)]
    subscription: Option<Ref<'a>>,
}

#[derive(serde::Deserialize)]
struct ProrationDetails {
    /// The lines for which a credit gives money back.
    #[serde(default)]
    credited_items: Option<IgnoredAny>,
}

impl Line<'_> {
    /// Returns the price id: `price`, since 2025-03-31.basil `pricing.price_details.price`, before 2020 `plan`.
    pub fn price_id(&self) -> Option<&str> {
        id_of(&self.price)
            .or_else(|| self.pricing.as_ref()?.price_details.as_ref().and_then(|d| id_of(&d.price)))
            .or_else(|| id_of(&self.plan))
    }

    /// Returns whether the line is a proration.
    pub fn is_proration(&self) -> bool {
        self.proration.or_else(|| self.details()?.proration).unwrap_or(false)
    }

    /// Returns whether the line gives money back for the rest of a period. After a full discount, its amount is 0.
    pub fn is_credit(&self) -> bool {
        let details = || self.proration_details.as_ref().or(self.details()?.proration_details.as_ref());
        self.amount < 0 || details().is_some_and(|details| details.credited_items.is_some())
    }

    /// Returns start and end of the time that the line pays for, in seconds since the epoch.
    pub fn period(&self) -> Option<(i64, i64)> {
        let period = self.period.as_ref()?;
        Some((period.start?, period.end?))
    }

    fn subscription_id(&self) -> Option<&str> {
        id_of(&self.subscription).or_else(|| self.details().and_then(|d| id_of(&d.subscription)))
    }

    /// Returns the line's parent details, since 2025-03-31.basil. A change of plan within a period is an invoice item.
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
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    payment: Option<PaymentOf<'a>>,
}

impl InvoicePayment<'_> {
    /// Returns whether the payment pays or may pay the invoice. Stripe cancels the payment of an invoice that is paid
    /// in another way.
    fn counts(&self) -> bool {
        self.status.as_deref() != Some("canceled")
    }
}

#[derive(serde::Deserialize)]
pub(crate) struct PaymentOf<'a> {
    #[serde(borrow, default)]
    pub payment_intent: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub charge: Option<Ref<'a>>,
}

/// A tax or a discount within an invoice's total.
#[derive(serde::Deserialize)]
struct TotalPart {
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
    /// Paid amount in minor units; absent before 2016.
    #[serde(default)]
    amount_paid: Option<i64>,
    #[serde(default)]
    pub amount_due: i64,
    #[serde(borrow, default)]
    pub collection_method: Option<Text<'a>>,
    #[serde(default)]
    pub due_date: Option<i64>,
    #[serde(borrow, default)]
    pub number: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub hosted_invoice_url: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub invoice_pdf: Option<Text<'a>>,
    #[serde(default)]
    paid_out_of_band: Option<bool>,
    #[serde(borrow, default)]
    payments: Option<List<InvoicePayment<'a>>>,
    /// Present until 2025-03-31.basil.
    #[serde(borrow, default)]
    payment_intent: Option<Ref<'a>>,
    /// Present until 2025-03-31.basil.
    #[serde(borrow, default)]
    charge: Option<Ref<'a>>,
    #[serde(default)]
    pub status_transitions: Option<Transitions>,
    #[serde(borrow)]
    pub lines: List<Line<'a>>,
    #[serde(default)]
    tax: Option<i64>,
    #[serde(default)]
    total_taxes: Option<Vec<TotalPart>>,
    #[serde(default)]
    total_discount_amounts: Option<Vec<TotalPart>>,
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
    /// Returns the paid amount in minor units. Before 2016 a paid invoice was always paid in full.
    pub fn amount_paid(&self, paid: bool) -> i64 {
        self.amount_paid.unwrap_or(if paid { self.amount_due } else { 0 })
    }

    /// Returns whether the invoice was paid outside of Stripe: by an explicit field or, since basil, because none of
    /// its payments counts.
    pub fn paid_out_of_band(&self, paid: bool) -> bool {
        let has_no_payment = || {
            let payments = self.payments.as_ref();
            payments.is_some_and(|list| !list.has_more && !list.data.iter().any(InvoicePayment::counts))
        };
        self.paid_out_of_band
            .unwrap_or_else(|| paid && self.amount_paid.is_some_and(|paid| paid > 0) && has_no_payment())
    }

    /// Returns the subscription that the invoice bills: at the top level, since basil under `parent`, before 2018 only
    /// in the invoice's lines.
    pub fn subscription_id(&self) -> Option<&str> {
        let parent = self.parent.as_ref().and_then(|p| p.subscription_details.as_ref());
        id_of(&self.subscription)
            .or_else(|| parent.and_then(|d| id_of(&d.subscription)))
            .or_else(|| self.lines.data.iter().find_map(Line::subscription_id))
    }

    /// Returns the payment intent and charge of each payment of the invoice.
    pub fn payments(&self) -> Vec<(Option<&str>, Option<&str>)> {
        let listed = self.payments.iter().flat_map(|list| &list.data).filter(|payment| payment.counts());
        let listed = listed.filter_map(|payment| payment.payment.as_ref());
        let listed = listed.map(|of| (id_of(&of.payment_intent), id_of(&of.charge)));
        let own = (id_of(&self.payment_intent), id_of(&self.charge));
        let mut out: Vec<_> = listed.chain([own]).filter(|(intent, charge)| intent.or(*charge).is_some()).collect();
        out.dedup();
        out
    }

    /// Returns the invoice's copy of the subscription's metadata.
    pub fn subscription_metadata(&self) -> Option<&Metadata<'_>> {
        let parent = self.parent.as_ref().and_then(|p| p.subscription_details.as_ref());
        parent.or(self.subscription_details.as_ref()).and_then(|d| d.metadata.as_ref())
    }

    /// Returns the tax contained in the total, in minor units.
    pub fn tax(&self) -> i64 {
        match (&self.tax, &self.total_taxes) {
            (Some(tax), _) => *tax,
            (None, Some(taxes)) => taxes.iter().fold(0, |sum, tax| sum.saturating_add(tax.amount)),
            (None, None) => 0,
        }
    }

    /// Returns the discounts that the total is reduced by, in minor units.
    pub fn discount(&self) -> i64 {
        let all = self.total_discount_amounts.iter().flatten();
        all.fold(0, |sum, discount| sum.saturating_add(discount.amount))
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

/// The customer's details from a checkout.
#[derive(serde::Deserialize)]
pub(crate) struct CustomerDetails<'a> {
    #[serde(borrow, default)]
    pub email: Option<Text<'a>>,
}

impl Session<'_> {
    /// Returns the metadata keys that we write.
    pub fn ours(&self) -> Option<&Metadata<'_>> {
        self.metadata.as_ref().map(|metadata| &metadata.ours)
    }

    /// Returns the customer's e-mail address.
    pub fn email(&self) -> Option<&str> {
        let from_details = || self.customer_details.as_ref()?.email.as_deref();
        self.customer_email.as_deref().or_else(from_details).filter(|email| !email.is_empty())
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
    /// The dispute's withdrawals and reinstatements so far.
    #[serde(borrow, default)]
    pub balance_transactions: Option<Vec<Movement<'a>>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// A balance transaction of our own Stripe account.
#[derive(serde::Deserialize)]
pub(crate) struct Movement<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    /// Fee, in the currency of our payouts.
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

/// A connected account, which receives transfers.
#[derive(serde::Deserialize)]
pub(crate) struct ConnectedAccount<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(default)]
    pub payouts_enabled: bool,
    #[serde(default)]
    pub details_submitted: bool,
    #[serde(borrow, default)]
    capabilities: Option<Capabilities<'a>>,
}

#[derive(serde::Deserialize)]
struct Capabilities<'a> {
    #[serde(borrow, default)]
    transfers: Option<Text<'a>>,
}

impl ConnectedAccount<'_> {
    /// Returns whether Stripe accepts transfers to the account. If the object does not contain the capability, it is
    /// assumed.
    pub fn takes_transfers(&self) -> bool {
        let capability = self.capabilities.as_ref().and_then(|all| all.transfers.as_deref());
        capability.is_none_or(|state| state == "active")
    }
}

/// A transfer to a connected account.
#[derive(serde::Deserialize)]
pub(crate) struct Transfer<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    /// Sum of what was taken back, in minor units.
    #[serde(default)]
    pub amount_reversed: i64,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub destination: Option<Ref<'a>>,
}

/// A payout of a connected account to its bank.
#[derive(serde::Deserialize)]
pub(crate) struct Payout<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(default)]
    pub amount: i64,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub failure_code: Option<Text<'a>>,
}

/// A credit note for an invoice.
#[derive(serde::Deserialize)]
pub(crate) struct CreditNote<'a> {
    #[serde(borrow, deserialize_with = "id")]
    pub id: Text<'a>,
    #[serde(borrow, default)]
    pub customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub invoice: Option<Ref<'a>>,
    #[serde(borrow, default)]
    pub currency: Option<Text<'a>>,
    pub total: i64,
    /// The part that was credited after the payment; absent in old versions.
    #[serde(default)]
    post_payment_amount: Option<i64>,
    /// The part that is refunded, before 2025.
    #[serde(borrow, default)]
    refund: Option<Ref<'a>>,
    #[serde(default)]
    refunds: Option<Vec<IgnoredRefund>>,
}

#[derive(serde::Deserialize)]
struct IgnoredRefund {}

impl CreditNote<'_> {
    /// Returns the amount that went back without a refund, in minor units.
    pub fn unrefunded_minor(&self) -> i64 {
        let is_refunded = self.refund.is_some() || self.refunds.as_ref().is_some_and(|refunds| !refunds.is_empty());
        if is_refunded { 0 } else { self.post_payment_amount.unwrap_or(self.total) }
    }
}

/// The billing interval of a price.
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
    pub payment_method_details: Option<MethodDetails<'a>>,
    #[serde(borrow, default)]
    pub receipt_url: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub metadata: Option<Metadata<'a>>,
}

/// How a charge was paid.
#[derive(serde::Deserialize)]
pub(crate) struct MethodDetails<'a> {
    #[serde(borrow, default)]
    pub card: Option<CardDetails<'a>>,
}

/// The members of a card that are read.
#[derive(serde::Deserialize)]
pub(crate) struct CardDetails<'a> {
    #[serde(borrow, default)]
    pub brand: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub last4: Option<Text<'a>>,
    #[serde(default)]
    pub exp_month: Option<u32>,
    #[serde(default)]
    pub exp_year: Option<u32>,
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
    /// Returns the charge that settled the intent: `latest_charge` or, before 2022-11-15, the first charge of an
    /// embedded list, which Stripe sorts newest first.
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

/// A line or item with the fields needed for the placement.
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
    /// Returns the price id, in any version.
    pub fn price_id(&self) -> Option<&str> {
        id_of(&self.price)
            .or_else(|| self.pricing.as_ref()?.price_details.as_ref().and_then(|d| id_of(&d.price)))
            .or_else(|| id_of(&self.plan))
    }
}

/// Any object with the fields needed for the placement: for event kinds that are not handled, and for objects that do
/// not have the type of their event kind.
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
    /// Returns the subscription that the object belongs to.
    pub fn subscription_id(&self) -> Option<&str> {
        let parent = self.parent.as_ref().and_then(|p| p.subscription_details.as_ref());
        id_of(&self.subscription).or_else(|| parent.and_then(|d| id_of(&d.subscription)))
    }
}

/// Converts a time from seconds to milliseconds. Fails with `malformed` if it is out of range.
pub(crate) fn time(seconds: Option<i64>, pointer: &str) -> Ruled<Option<Timestamp>> {
    match seconds {
        None => Ok(None),
        Some(seconds) => match from_seconds(seconds) {
            Some(at) => Ok(Some(at)),
            None => Err(Halt::Refused(Refusal::Malformed(pointer.to_owned()))),
        },
    }
}
