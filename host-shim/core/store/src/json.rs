//! The JSON form of rows, events and runs, common to all stores that keep JSON.

use crate::changes::RowWrite;
use crate::error::{StoreError, Stored};
use crate::parse::row_key;
use crate::rows::{EffectState, InboxState, Provenance, Run};
use extension_contract::{
    Actor, Event, Outcome, Payload, PaymentFacts, Price, Product, Purchase, RecordKey, Reference, Row, RowKey,
    StoredRecord, StoredRow, Subscription, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Number of the state of a pending event.
pub const PENDING: i16 = 0;
/// Number of the state of a parked event.
pub const PARKED: i16 = 1;
/// Number of the state of a deferred event.
pub const DEFERRED: i16 = 2;
/// Number of the state of an event with a final outcome.
pub const DONE: i16 = 3;
/// Number of the state of a dead letter.
pub const DEAD: i16 = 4;

/// Kind of a payload with the bytes of the payment source.
const PAYMENT: i16 = 0;
/// Kind of a payload that is a command's JSON.
const COMMAND: i16 = 1;
/// Kind of any other payload, as JSON.
const OTHER: i16 = 2;

/// Returns the error for a row that no store of this project can have written.
pub fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("damaged row: {what}"))
}

/// Returns a value as JSON.
///
/// # Errors
/// Fails with `StoreError::Misuse` if a value has no JSON form.
pub fn to_json(value: &impl Serialize) -> Stored<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Misuse(format!("no JSON: {error}")))
}

/// Parses JSON.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if a row is damaged.
pub fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Stored<T> {
    serde_json::from_str(text).map_err(damaged)
}

/// The content of a row as two JSON texts. Its kind, and the id of a record, are in its key.
pub struct Content<'r> {
    /// All members except the extension's own.
    pub body: String,
    /// The extension's own text: the metadata of a product, purchase or subscription, the terms of a price, the value of a record.
    pub value: &'r str,
}

/// The body of a record.
#[derive(Serialize, Deserialize)]
struct RecordBody {
    version: u64,
}

impl<'r> Content<'r> {
    /// Returns the content of a row.
    ///
    /// # Errors
    /// Fails with `StoreError::Misuse` if a row has no JSON form.
    pub fn of(row: &'r Row) -> Stored<Content<'r>> {
        /// Returns the JSON of a row without the text.
        fn without<T: Clone + Serialize>(row: &T, text: impl Fn(&mut T) -> &mut String) -> Stored<String> {
            let mut row = row.clone();
            text(&mut row).clear();
            to_json(&row)
        }
        let body = match row {
            Row::Product(row) => without(row, |row| &mut row.values.metadata)?,
            Row::Price(row) => without(row, |row| &mut row.terms)?,
            Row::Purchase(row) => without(row, |row| &mut row.values.metadata)?,
            Row::Subscription(row) => without(row, |row| &mut row.values.metadata)?,
            Row::Record(row) => to_json(&RecordBody { version: row.version })?,
        };
        Ok(Content { body, value: Self::text_of(row) })
    }

    /// Returns the extension's own text.
    pub fn text_of(row: &'r Row) -> &'r str {
        match row {
            Row::Product(row) => &row.values.metadata,
            Row::Price(row) => &row.terms,
            Row::Purchase(row) => &row.values.metadata,
            Row::Subscription(row) => &row.values.metadata,
            Row::Record(row) => &row.value,
        }
    }
}

/// Returns a row from the text of its key and its content.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if a row is damaged.
pub fn row_of(key: &str, body: &str, value: String) -> Stored<Row> {
    Ok(match row_key(key).ok_or_else(|| damaged(key))? {
        RowKey::Product(_) => {
            let mut row: Product = from_json(body)?;
            row.values.metadata = value;
            Row::Product(row)
        }
        RowKey::Price(_) => Row::Price(Price { terms: value, ..from_json(body)? }),
        RowKey::Purchase(_) => {
            let mut row: Purchase = from_json(body)?;
            row.values.metadata = value;
            Row::Purchase(row)
        }
        RowKey::Subscription(_) => {
            let mut row: Subscription = from_json(body)?;
            row.values.metadata = value;
            Row::Subscription(row)
        }
        RowKey::Record(RecordKey { collection, id }) => {
            let RecordBody { version } = from_json(body)?;
            Row::Record(StoredRecord { collection, id, value, version })
        }
    })
}

/// Returns a stored row from the text of its key, its version and its content.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if a row is damaged.
pub fn stored(key: &str, data_version: i64, body: &str, value: String) -> Stored<StoredRow> {
    Ok(StoredRow { data_version: u32::try_from(data_version).map_err(damaged)?, row: row_of(key, body, value)? })
}

/// Returns the texts of the references by which a row is found, without duplicates. Nobody searches for the rows that refer to the
/// catalog.
pub fn targets(references: &[Reference]) -> BTreeSet<String> {
    let found_by = references.iter().filter(|reference| !matches!(reference, Reference::Catalog(_)));
    found_by.map(ToString::to_string).collect()
}

/// The columns of a row that follow from its content and its references.
pub struct RowParts<'a> {
    /// False for a soft-deleted product and for a deleted record.
    pub shown: bool,
    /// Texts of the references by which the row is found, without duplicates.
    pub targets: BTreeSet<String>,
    /// Type of a product.
    pub product_type: Option<&'a str>,
    /// Checkout session of a purchase.
    pub session_id: Option<&'a str>,
    /// Payment intent of a purchase.
    pub payment_intent_id: Option<&'a str>,
}

impl<'a> RowParts<'a> {
    /// Returns the columns of a written row.
    pub fn of(write: &'a RowWrite) -> RowParts<'a> {
        let RowWrite { row, references, .. } = write;
        let shown = match row {
            Some(Row::Product(product)) => !product.deleted,
            Some(_) => true,
            None => false,
        };
        let (product, purchase) = match row {
            Some(Row::Product(product)) => (Some(product), None),
            Some(Row::Purchase(purchase)) => (None, Some(purchase)),
            _ => (None, None),
        };
        RowParts {
            shown,
            targets: if shown { targets(references) } else { BTreeSet::new() },
            product_type: product.map(|row| row.values.product_type.as_str()),
            session_id: purchase.and_then(|row| row.values.session_id.as_deref()),
            payment_intent_id: purchase.and_then(|row| row.values.payment_intent_id.as_deref()),
        }
    }
}

/// The members of an event that no query condition needs.
#[derive(Serialize, Deserialize)]
pub struct Envelope<'a> {
    /// The mode given in the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub livemode: Option<bool>,
    /// Number of the delivery.
    pub attempt: u32,
    /// Actor.
    pub actor: Cow<'a, Actor>,
    /// Caller of a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Cow<'a, str>>,
    /// Facts of the payment source about the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<Cow<'a, PaymentFacts>>,
}

impl<'a> Envelope<'a> {
    /// Returns the members of an event.
    pub fn of(event: &'a Event) -> Envelope<'a> {
        Envelope {
            livemode: event.livemode,
            attempt: event.attempt,
            actor: Cow::Borrowed(&event.actor),
            reply_to: event.reply_to.as_deref().map(Cow::Borrowed),
            payment: event.payment.as_ref().map(Cow::Borrowed),
        }
    }
}

/// A run.
#[derive(Serialize, Deserialize)]
pub struct RunJson<'a> {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Cow<'a, Outcome>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_hash: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component_hash: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_answers: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effects_hash: Option<Cow<'a, str>>,
}

impl<'a> RunJson<'a> {
    /// Returns the form of a run.
    pub fn of(run: &'a Run) -> RunJson<'a> {
        let provenance = run.provenance.as_ref();
        RunJson {
            at: run.at,
            outcome: run.outcome.as_ref().map(Cow::Borrowed),
            error: run.error.as_deref().map(Cow::Borrowed),
            catalog_hash: provenance.map(|it| Cow::Borrowed(&*it.catalog_hash)),
            component_hash: provenance.map(|it| Cow::Borrowed(&*it.component_hash)),
            claim_answers: provenance.map(|it| Cow::Borrowed(&*it.claim_answers)),
            fuel: provenance.map(|it| it.fuel),
            effects_hash: provenance.map(|it| Cow::Borrowed(&*it.effects_hash)),
        }
    }

    /// Returns the run.
    pub fn into_run(self) -> Run {
        let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).unwrap_or_default();
        Run {
            at: self.at,
            outcome: self.outcome.map(Cow::into_owned),
            error: self.error.map(Cow::into_owned),
            provenance: self.catalog_hash.map(|catalog_hash| Provenance {
                catalog_hash: catalog_hash.into_owned(),
                component_hash: text(self.component_hash),
                claim_answers: text(self.claim_answers),
                fuel: self.fuel.unwrap_or_default(),
                effects_hash: text(self.effects_hash),
            }),
        }
    }
}

/// Returns a state, its time, and the start of an interrupted wait as columns.
pub fn state_columns(state: &InboxState) -> (i16, Timestamp, Option<Timestamp>) {
    match state {
        InboxState::Pending { not_before, waits_since } => (PENDING, *not_before, *waits_since),
        InboxState::Parked { since } => (PARKED, *since, None),
        InboxState::Deferred { since } => (DEFERRED, *since, None),
        InboxState::Done => (DONE, 0, None),
        InboxState::Dead => (DEAD, 0, None),
    }
}

/// Returns a state from its columns.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if a row is damaged.
pub fn state_of(state: i16, at: Timestamp, waits_since: Option<Timestamp>) -> Stored<InboxState> {
    Ok(match state {
        PENDING => InboxState::Pending { not_before: at, waits_since },
        PARKED => InboxState::Parked { since: at },
        DEFERRED => InboxState::Deferred { since: at },
        DONE => InboxState::Done,
        DEAD => InboxState::Dead,
        other => return Err(damaged(other)),
    })
}

/// Returns the number of an effect's state.
pub fn state_number(state: EffectState) -> i16 {
    match state {
        EffectState::Queued => 0,
        EffectState::Running => 1,
        EffectState::Finished => 2,
        EffectState::Cancelled => 3,
    }
}

/// Returns an effect's state by its number.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if a row is damaged.
pub fn effect_state(number: i16) -> Stored<EffectState> {
    Ok(match number {
        0 => EffectState::Queued,
        1 => EffectState::Running,
        2 => EffectState::Finished,
        3 => EffectState::Cancelled,
        other => return Err(damaged(other)),
    })
}

/// Returns the kind and the bytes of a payload.
///
/// # Errors
/// Fails with `StoreError::Misuse` if a payload has no JSON form.
pub fn payload_columns(payload: &Payload) -> Stored<(i16, Cow<'_, [u8]>)> {
    Ok(match payload {
        Payload::Payment(bytes) => (PAYMENT, Cow::Borrowed(bytes)),
        Payload::Command(json) => (COMMAND, Cow::Borrowed(json.as_bytes())),
        other => (OTHER, Cow::Owned(to_json(other)?.into_bytes())),
    })
}

/// Returns a payload from its kind and its bytes.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if a row is damaged.
pub fn payload_of(kind: i16, bytes: Vec<u8>) -> Stored<Payload> {
    Ok(match kind {
        PAYMENT => Payload::Payment(bytes),
        COMMAND => Payload::Command(String::from_utf8(bytes).map_err(damaged)?),
        _ => serde_json::from_slice(&bytes).map_err(damaged)?,
    })
}
