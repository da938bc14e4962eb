//! One event being decided: typed access to the rows of its account, and the ways in which a decision may end early.

use crate::rows::Rows;
use products_contract::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Why a decision ended before its last line.
pub(crate) enum Stop {
    /// It may not be done.
    Refused(Refusal),
    /// There is an outcome already.
    Ended(Outcome),
    /// It could not be completed and must roll back.
    Failed(Failure),
}

/// A step of a decision.
pub(crate) type Step<T> = Result<T, Stop>;

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Failed(Failure::Store(error))
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

/// What a rule comes to, beside what it wrote.
pub(crate) struct Handled {
    /// Outcome.
    pub outcome: Outcome,
    /// To the caller; none: it waits on, or gets the refusal of `rejected`.
    pub reply: Option<Reply>,
}

/// A row of the extension's own collections, decoded, with the version that a save must name.
pub(crate) struct Loaded<T> {
    /// The value.
    pub value: T,
    /// 0 where there is no row yet.
    pub version: RowVersion,
}

/// The event being decided and the rows that it is decided by.
pub(crate) struct Context<'c, 'a> {
    /// The account's rows.
    pub host: &'c mut Rows<'a>,
    /// The event.
    pub event: &'c Event,
    /// The time of all that the event causes, in milliseconds since the epoch.
    pub now: Timestamp,
    settings: Option<crate::catalog::Settings>,
    types: Option<Vec<crate::schema::TypeDecl>>,
    named: BTreeMap<String, Option<Rc<crate::schema::TypeDecl>>>,
}

impl<'c, 'a> Context<'c, 'a> {
    /// Begin to decide an event.
    pub fn new(host: &'c mut Rows<'a>, event: &'c Event) -> Self {
        Context { host, now: event.received_at, event, settings: None, types: None, named: BTreeMap::new() }
    }

    /// The provider's time of the event; the time of arrival where the provider names none.
    pub fn provider_time(&self) -> Timestamp {
        self.event.provider.as_ref().and_then(|facts| facts.time).unwrap_or(self.now)
    }

    /// The account whose event it is. What names nobody can't be decided any further.
    pub fn account(&self) -> Step<Account> {
        self.host.account().cloned().ok_or_else(|| Stop::Refused(Refusal::Malformed("/data/object/id".to_owned())))
    }

    /// The policies of the business, with defaults where no catalog is loaded.
    pub fn settings(&mut self) -> Step<crate::catalog::Settings> {
        if let Some(settings) = &self.settings {
            return Ok(settings.clone());
        }
        let settings = crate::catalog::load_settings(self.host)?;
        self.settings = Some(settings.clone());
        Ok(settings)
    }

    /// Decide by these policies and types from here on, whatever is stored: a catalog is checked whole before it is.
    pub fn decide_by(&mut self, settings: crate::catalog::Settings, types: Vec<crate::schema::TypeDecl>) {
        self.settings = Some(settings);
        self.types = Some(types);
    }

    /// One product type, read once an event.
    pub fn type_named(&mut self, name: &str) -> Step<Option<Rc<crate::schema::TypeDecl>>> {
        if let Some(known) = self.named.get(name) {
            return Ok(known.clone());
        }
        let decl = crate::catalog::type_named(self.host, name)?.map(Rc::new);
        self.named.insert(name.to_owned(), decl.clone());
        Ok(decl)
    }

    /// All product types.
    pub fn types(&mut self) -> Step<Vec<crate::schema::TypeDecl>> {
        match &self.types {
            Some(types) => Ok(types.clone()),
            None => Ok(crate::catalog::types(self.host)?),
        }
    }

    /// Load one record; its default where there is none.
    pub fn record<T: DeserializeOwned + Default>(&mut self, collection: &str, id: &str) -> Step<Loaded<T>> {
        load_record(self.host, collection, id).map_err(Stop::from)
    }

    /// Save one record.
    pub fn save_record<T: Serialize>(&mut self, collection: &str, id: &str, loaded: &Loaded<T>) -> Step<()> {
        self.host.record_save(collection, id, loaded.version, encode(&loaded.value)?)?;
        Ok(())
    }

    /// Note a fact; true if it is new.
    pub fn note(&mut self, fact: &str) -> Step<bool> {
        Ok(self.host.note(fact)?)
    }

    /// Take claims that only this account may hold; a taken one contradicts the event's placing.
    pub fn claim(&mut self, keys: &[String]) -> Step<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let states = self.host.claims_take(keys, None)?;
        for (key, state) in keys.iter().zip(states) {
            if state != ClaimState::Mine {
                return Err(Stop::Refused(Refusal::Inconsistent(key.clone())));
            }
        }
        Ok(())
    }

    /// One product of the account or the catalog.
    pub fn product(&mut self, id: &str) -> Step<Option<Product>> {
        Ok(self.host.products_load(&[id.to_owned()])?.into_iter().next().flatten())
    }

    /// One value of the configuration as text; none where it is not set.
    pub fn config(&mut self, key: &str) -> Step<Option<ConfigValue>> {
        Ok(self.host.setting(key)?)
    }
}

/// Load one record; its default where there is none.
pub(crate) fn load_record<T: DeserializeOwned + Default>(
    host: &mut Rows<'_>,
    collection: &str,
    id: &str,
) -> Fallible<Loaded<T>> {
    match host.records_load(collection, &[id.to_owned()])?.into_iter().next().flatten() {
        None => Ok(Loaded { value: T::default(), version: 0 }),
        Some(row) => Ok(Loaded { value: decode(collection, &row.id, &row.value)?, version: row.version }),
    }
}

/// Decode a stored JSON text; what was stored by us and can't be read is damaged data.
pub(crate) fn decode<T: DeserializeOwned>(collection: &str, id: &str, text: &str) -> Fallible<T> {
    serde_json::from_str(text).map_err(|error| Failure::Internal(format!("{collection}/{id} can't be read: {error}")))
}

/// Encode a value as JSON text.
pub(crate) fn encode<T: Serialize>(value: &T) -> Fallible<String> {
    serde_json::to_string(value).map_err(|error| Failure::Internal(format!("can't encode: {error}")))
}

/// An effect that may begin at once and that nobody waits for, as most are; the others change what differs.
pub(crate) fn request(kind: &str, key: String, payload: String) -> Effect {
    Effect {
        kind: kind.to_owned(),
        to: None,
        key,
        generation: 1,
        payload,
        context: "{}".to_owned(),
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    }
}

/// A host that answers a list with fewer entries than asked breaks the contract.
pub(crate) fn short_answer(call: &str) -> Failure {
    Failure::Internal(format!("{call} answered with fewer entries than asked"))
}

/// Sixteen hexadecimal digits that derive from a text: ids without a counter.
pub(crate) fn short_hash(text: &str) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    let digest = Sha256::digest(text.as_bytes());
    let mut out = String::with_capacity(16);
    for byte in digest.iter().take(8) {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}
