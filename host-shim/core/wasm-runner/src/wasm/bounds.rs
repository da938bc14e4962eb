//! Checks the values that a component passes to the host: the size of import arguments and the validity of results.
//!
//! The host uses the results of exports unchanged, so they are checked here: ids and keys have 1 to 255 bytes, strings
//! and JSON have at most 256 KiB, and JSON is valid.

use crate::bindings as wire;
use crate::runner::RunError;
use extension_contract::{
    BULK_MAX, Decision, DeferReason, Failure, ID_BYTES_MAX, ImportError, JSON_BYTES_MAX, Outcome, Problem,
    ProductValues, Refusal, Reply,
};
use serde::de::IgnoredAny;

/// The approximate size of a value on the host's heap.
pub(super) trait Weight {
    /// Returns the number of bytes.
    fn weight(&self) -> usize;
}

impl Weight for String {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl<T: Weight> Weight for Option<T> {
    fn weight(&self) -> usize {
        self.as_ref().map_or(0, Weight::weight)
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn weight(&self) -> usize {
        self.iter().map(|entry| size_of::<T>() + entry.weight()).sum()
    }
}

impl<A: Weight, B: Weight> Weight for (A, B) {
    fn weight(&self) -> usize {
        self.0.weight() + self.1.weight()
    }
}

/// Implements `Weight` for a record: the weight is the sum of the weights of its fields.
macro_rules! weigh {
    ($($name:ident { $($field:ident),* })*) => {
        $(impl Weight for wire::$name {
            fn weight(&self) -> usize {
                0 $(+ self.$field.weight())*
            }
        })*
    };
}

weigh! {
    RecordKey { collection, id }
    Placement { keys, account, names }
    Listing { kind, prefix, after }
    Outdated { kind, fingerprint }
}

impl Weight for wire::Account {
    fn weight(&self) -> usize {
        match self {
            wire::Account::Platform => 0,
            wire::Account::User(id) | wire::Account::Organization(id) => id.len(),
        }
    }
}

impl Weight for wire::RowKey {
    fn weight(&self) -> usize {
        match self {
            wire::RowKey::Product(id)
            | wire::RowKey::Price(id)
            | wire::RowKey::Purchase(id)
            | wire::RowKey::Subscription(id) => id.len(),
            wire::RowKey::Record(key) => key.weight(),
        }
    }
}

impl Weight for wire::RowKind {
    fn weight(&self) -> usize {
        match self {
            wire::RowKind::Record(collection) => collection.len(),
            _ => 0,
        }
    }
}

impl Weight for wire::CatalogKey {
    fn weight(&self) -> usize {
        let (wire::CatalogKey::Product(id) | wire::CatalogKey::Price(id) | wire::CatalogKey::Setting(id)) = self;
        id.len()
    }
}

impl Weight for wire::Reference {
    fn weight(&self) -> usize {
        match self {
            wire::Reference::Row(key) => key.weight(),
            wire::Reference::Catalog(key) => key.weight(),
            wire::Reference::Name(name) => name.len(),
        }
    }
}

impl Weight for wire::Selection {
    fn weight(&self) -> usize {
        match self {
            wire::Selection::Listed(listing) => listing.weight(),
            wire::Selection::Outdated(outdated) => outdated.weight(),
        }
    }
}

impl Weight for wire::CatalogQuery {
    fn weight(&self) -> usize {
        match self {
            wire::CatalogQuery::All => 0,
            wire::CatalogQuery::ProductType(text) | wire::CatalogQuery::Name(text) => text.len(),
        }
    }
}

/// The result of a check.
type Checked = Result<(), RunError>;

fn id(what: &str, id: &str) -> Checked {
    if id.is_empty() {
        return Err(RunError::BadValue { what: what.to_owned(), problem: "it is empty".to_owned() });
    }
    text(what, id, ID_BYTES_MAX)
}

fn text(what: &str, text: &str, limit: usize) -> Checked {
    if text.len() > limit {
        return Err(RunError::ValueTooLarge { what: what.to_owned(), limit_bytes: limit as u64 });
    }
    Ok(())
}

fn json(what: &str, value: &str) -> Checked {
    text(what, value, JSON_BYTES_MAX)?;
    match serde_json::from_str::<IgnoredAny>(value) {
        Ok(_) => Ok(()),
        Err(error) => Err(RunError::BadValue { what: what.to_owned(), problem: format!("not JSON: {error}") }),
    }
}

/// Checks the strings of a decision. Its rows, claims and effects are checked at the commit. Decisions of components
/// are checked automatically; the caller of an untrusted library must call this function.
///
/// # Errors
/// Fails with [`RunError::ValueTooLarge`] or [`RunError::BadValue`], with the name of the value.
pub fn decision(decision: &Decision) -> Result<(), RunError> {
    match &decision.outcome {
        Outcome::Applied | Outcome::Ignored(_) => {}
        Outcome::Duplicate(fact) => id("outcome duplicate", fact)?,
        Outcome::Stale(snapshot) => text("outcome stale", &snapshot.event_id, ID_BYTES_MAX)?,
        Outcome::Deferred(DeferReason::Claim(keys)) => {
            if !(1..=BULK_MAX).contains(&keys.len()) {
                let problem = format!("{} entries, expected 1 to {BULK_MAX}", keys.len());
                return Err(RunError::BadValue { what: "outcome deferred".to_owned(), problem });
            }
            for key in keys {
                id("outcome deferred", key)?;
            }
        }
        Outcome::Deferred(DeferReason::Fact(key) | DeferReason::Effect(key)) => id("outcome deferred", key)?,
        Outcome::Rejected(reason) => refusal(reason)?,
    }
    match &decision.reply {
        None => Ok(()),
        Some(Reply::Answer(value)) => json("reply", value),
        Some(Reply::Refused(reason)) => refusal(reason),
    }
}

fn refusal(refusal: &Refusal) -> Checked {
    text("refusal", &refusal.detail(), JSON_BYTES_MAX)
}

/// Checks a result of `validate`.
pub(super) fn product_values(values: &ProductValues) -> Checked {
    id("product type", &values.product_type)?;
    text("product name", &values.name, JSON_BYTES_MAX)?;
    text("product description", &values.description, JSON_BYTES_MAX)?;
    json("product metadata", &values.metadata)
}

/// Checks the reason why a question has no answer.
pub(super) fn problem(problem: &Problem) -> Checked {
    match problem {
        Problem::Refused(reason) => refusal(reason),
        Problem::Failed(reason) => failure(reason),
    }
}

/// Checks a failure.
pub(super) fn failure(failure: &Failure) -> Checked {
    match failure {
        Failure::Internal(reason) => text("failure", reason, JSON_BYTES_MAX),
        Failure::Store(ImportError::Conflict(_)) => Ok(()),
        Failure::Store(error) => text("failure", &error.to_string(), JSON_BYTES_MAX),
    }
}
