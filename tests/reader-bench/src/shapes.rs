//! The target types of the benchmark: a small struct, and a struct with the fields that the extension reads.
//!
//! serde_json's native time for the small struct is the unit U of `docs/internals/figures.md`.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

type Text<'a> = Cow<'a, str>;

/// The small target type. serde_json's native time for it is the unit U of `docs/internals/figures.md`.
pub mod unit {
    use super::Text;
    use serde::Deserialize;

    /// A subscription event with few fields.
    #[derive(Deserialize)]
    pub struct Body<'a> {
        #[serde(borrow)]
        id: Text<'a>,
        created: i64,
        data: Data<'a>,
    }

    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        object: Subscription<'a>,
    }

    #[derive(Deserialize)]
    struct Subscription<'a> {
        #[serde(borrow)]
        id: Text<'a>,
        #[serde(borrow)]
        status: Text<'a>,
        items: Items<'a>,
    }

    #[derive(Deserialize)]
    struct Items<'a> {
        #[serde(borrow)]
        data: Vec<Item<'a>>,
    }

    #[derive(Deserialize)]
    struct Item<'a> {
        #[serde(borrow)]
        id: Text<'a>,
    }

    impl Body<'_> {
        /// Returns a checksum of all fields.
        pub fn sum(&self) -> u64 {
            let object = &self.data.object;
            let items: usize = object.items.data.iter().map(|item| item.id.len()).sum();
            self.created as u64 + (self.id.len() + object.id.len() + object.status.len() + items) as u64
        }
    }
}

/// An id. Stripe sends either a string, or an expanded object with a member `id`.
struct Ref<'a>(Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Ref<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RefVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for RefVisitor<'a> {
            type Value = Ref<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id or an object with an id")
            }
            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Ref(Cow::Borrowed(text)))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Ref(Cow::Owned(text.to_owned())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut id = None;
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key == "id" {
                        id = Some(map.next_value::<Cow<'de, str>>()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                id.ok_or_else(|| serde::de::Error::missing_field("id")).map(Ref)
            }
        }
        deserializer.deserialize_any(RefVisitor(std::marker::PhantomData))
    }
}

/// A subscription event with the fields that the extension reads.
#[derive(Deserialize)]
pub struct Event<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Subscription<'a>,
    #[serde(borrow, default)]
    previous_attributes: Option<Previous<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Previous<'a> {
    #[serde(borrow)]
    items: Option<List<Item<'a>>>,
    current_period_end: Option<i64>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    purchase_id: Option<Ref<'a>>,
    #[serde(borrow)]
    user_id: Option<Ref<'a>>,
    #[serde(borrow)]
    organization_id: Option<Ref<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    id: Option<Ref<'a>>,
    #[serde(borrow, default)]
    price: Option<Ref<'a>>,
    #[serde(borrow, default)]
    plan: Option<Ref<'a>>,
    #[serde(default)]
    quantity: Option<u32>,
    #[serde(default)]
    current_period_start: Option<i64>,
    #[serde(default)]
    current_period_end: Option<i64>,
}

#[derive(Deserialize)]
struct Subscription<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    customer: Option<Ref<'a>>,
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    items: Option<List<Item<'a>>>,
    #[serde(borrow, default)]
    plan: Option<Ref<'a>>,
    #[serde(default)]
    quantity: Option<u32>,
    #[serde(default)]
    cancel_at_period_end: Option<bool>,
    #[serde(default)]
    cancel_at: Option<i64>,
    #[serde(default)]
    ended_at: Option<i64>,
    #[serde(default)]
    trial_end: Option<i64>,
    #[serde(default)]
    current_period_start: Option<i64>,
    #[serde(default)]
    current_period_end: Option<i64>,
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
}

fn length(reference: &Option<Ref<'_>>) -> usize {
    reference.as_ref().map_or(0, |reference| reference.0.len())
}

impl Event<'_> {
    /// Returns a checksum of all fields.
    pub fn sum(&self) -> u64 {
        let object = &self.data.object;
        let mut lengths = object.id.len()
            + object.status.as_ref().map_or(0, |status| status.len())
            + length(&object.customer)
            + length(&object.plan)
            + usize::from(object.cancel_at_period_end.unwrap_or(true))
            + self.data.previous_attributes.as_ref().map_or(0, |previous| {
                let items = previous.items.as_ref().map_or(0, |items| items.data.len());
                items + previous.current_period_end.unwrap_or(0) as usize
            });
        if let Some(metadata) = &object.metadata {
            lengths += length(&metadata.purchase_id) + length(&metadata.user_id) + length(&metadata.organization_id);
        }
        let mut numbers = [object.cancel_at, object.ended_at, object.trial_end, object.quantity.map(i64::from)]
            .into_iter()
            .chain([object.current_period_start, object.current_period_end])
            .flatten()
            .sum::<i64>();
        if let Some(items) = &object.items {
            lengths += usize::from(items.has_more);
            for item in &items.data {
                lengths += length(&item.id) + length(&item.price) + length(&item.plan);
                let times = [item.current_period_start, item.current_period_end, item.quantity.map(i64::from)];
                numbers += times.into_iter().flatten().sum::<i64>();
            }
        }
        numbers as u64 + lengths as u64
    }
}
