//! Reads Stripe: lists of objects, lists of events, and single objects.

use crate::error::VerifyError;
use crate::facts::Kind;
use crate::theirs::{self, Theirs};
use extension_contract::{Account, Timestamp};
use host_provider_api::{Call, CallOutcome, EventList, EventQuery, ObjectList, Registry, Reply};
use host_store::Partition;
use serde_json::{Value, json};
use std::sync::Arc;

/// How long Stripe keeps events, in seconds.
const KEPT_S: i64 = 30 * 86_400;
/// Maximum number of events that are searched for those of a difference.
const EVENTS_MAX: usize = 10_000;

/// Reads Stripe. A clone reads the same Stripe account.
#[derive(Clone)]
pub struct StripeAccess {
    /// Lists objects.
    pub objects: Arc<dyn ObjectList>,
    /// Lists events.
    pub events: Arc<dyn EventList>,
    /// The providers, for `stripe.retrieve`, which only reads.
    pub registry: Registry,
}

/// An object that was fetched by its id.
pub(crate) enum Fetched {
    Object(Box<Theirs>),
    /// Stripe has no such object.
    Nothing,
    /// It has moved no money, so a store need not have it.
    NotCompared,
}

impl StripeAccess {
    /// Fetches an object by its id at Stripe; a payment is fetched by its charge.
    pub(crate) fn fetch(&self, partition: &Partition, kind: Kind, id: &str) -> Result<Fetched, VerifyError> {
        let failed = |problem: String| VerifyError::Fetch { kind, id: id.to_owned(), problem };
        let call = Call {
            kind: "stripe.retrieve".to_owned(),
            scope: format!("{}/{}", partition.name(), Account::Platform),
            key: format!("verify:{id}"),
            generation: 1,
            attempt: 1,
            lease: 1,
            payload: json!({"object": kind.listed().name(), "id": id}),
            secrets: self.registry.secret_access(),
            ..Call::default()
        };
        match self.registry.call(&call) {
            Reply::Answer(CallOutcome::Done(outputs)) => {
                let read = theirs::read(kind, &outputs["object"])?;
                Ok(read.map_or(Fetched::NotCompared, |theirs| Fetched::Object(Box::new(theirs))))
            }
            Reply::Answer(CallOutcome::Refused { code, .. }) if code == "resource_missing" => Ok(Fetched::Nothing),
            Reply::Answer(CallOutcome::Refused { code, message } | CallOutcome::Retry { code, message, .. }) => {
                Err(failed(format!("{code}: {message}")))
            }
            Reply::Answer(CallOutcome::InProgress { .. }) | Reply::Silence { .. } => {
                Err(failed("no answer".to_owned()))
            }
        }
    }

    /// Lists the events that Stripe still has, newest first, at most [`EVENTS_MAX`] and the rest of the last list.
    pub(crate) fn events(&self, partition: &Partition, now: Timestamp) -> Result<Vec<Value>, VerifyError> {
        let (livemode, since_s) = (partition.livemode, now.div_euclid(1_000).saturating_sub(KEPT_S));
        let mut events: Vec<Value> = Vec::new();
        loop {
            let before = events.last().and_then(|event| event["id"].as_str());
            let query = EventQuery { livemode, connected_account: None, since_s, before };
            let listed = self.events.events(&query).map_err(VerifyError::Events)?;
            let is_last = listed.is_complete || listed.events.is_empty();
            events.extend(listed.events);
            if is_last || events.len() >= EVENTS_MAX {
                return Ok(events);
            }
        }
    }
}
