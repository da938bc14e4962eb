//! Sends what is due. Each endpoint has a thread while something is due for it, so that a slow one holds up no other.

use crate::webhooks::deliveries::{Attempt, Told};
use crate::webhooks::endpoint::{Endpoint, Maker, Reason};
use crate::webhooks::send::{Failure, Transport};
use crate::webhooks::sign::signature;
use crate::webhooks::tables::{Webhooks, WebhooksError};
use extension_contract::Timestamp;
use host_provider_api::Secrets;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Number of deliveries that a thread reads at a time.
const BATCH: usize = 50;
/// Number of threads for the endpoints of all customers. Those of operators and services have their own threads.
const THREADS_OF_CUSTOMERS: usize = 200;
/// Number of these threads that one maker's endpoints may occupy, so that slow ones hold up no others.
const THREADS_OF_MAKER: usize = 4;
/// Time after which a customer's endpoint yields its thread to others.
const TURN: Duration = Duration::from_secs(10);

/// What the sender needs to know, and whom it notifies.
pub trait Notices: Send + Sync {
    /// Returns the time in milliseconds since the epoch.
    fn now(&self) -> Timestamp;
    /// Returns true if whoever created an endpoint may still have it. Called before each message.
    ///
    /// # Errors
    /// Fails if this cannot be determined now; nothing is sent in that case.
    fn stands(&self, endpoint: &Endpoint) -> Result<bool, WebhooksError>;
    /// An endpoint was disabled, but not by a person.
    fn disabled(&self, endpoint: &Endpoint, reason: Reason);
}

/// Sends what is due.
#[derive(Clone)]
pub struct Sender {
    webhooks: Arc<Webhooks>,
    secrets: Arc<dyn Secrets>,
    /// Name of the scope of the endpoints' secrets.
    scope: String,
    transport: Arc<dyn Transport>,
    notices: Arc<dyn Notices>,
    /// The endpoints that currently have a thread, with their makers.
    busy: Arc<Mutex<BTreeMap<String, Option<Maker>>>>,
}

impl Sender {
    /// Creates a sender; [`Sender::begin`] starts its work.
    pub fn new(
        webhooks: Arc<Webhooks>,
        (secrets, scope): (Arc<dyn Secrets>, String),
        transport: Arc<dyn Transport>,
        notices: Arc<dyn Notices>,
    ) -> Sender {
        Sender { webhooks, secrets, scope, transport, notices, busy: Arc::default() }
    }

    /// Starts a thread for each endpoint that has something due and no thread yet.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn begin(&self) -> Result<(), WebhooksError> {
        for endpoint in self.webhooks.with_due(self.notices.now())? {
            if !self.takes_thread(&endpoint) {
                continue;
            }
            let (sender, id) = (self.clone(), endpoint.id.clone());
            let started = thread::Builder::new().name("webhook".to_owned()).spawn(move || {
                if let Err(error) = sender.work(&endpoint) {
                    tracing::error!(%error, endpoint = endpoint.id, "a webhook was not sent");
                }
                sender.busy().remove(&endpoint.id);
            });
            if let Err(error) = started {
                tracing::error!(%error, "a thread for webhooks cannot be started");
                self.busy().remove(&id);
            }
        }
        Ok(())
    }

    /// Reserves a thread for an endpoint. Returns false if it already has one, or if none is available now.
    fn takes_thread(&self, endpoint: &Endpoint) -> bool {
        let mut busy = self.busy();
        if busy.contains_key(&endpoint.id) {
            return false;
        }
        if let Some(maker) = endpoint.maker.as_ref().filter(|maker| maker.is_customer) {
            let (mut of_customers, mut of_maker) = (0, 0);
            for other in busy.values().flatten().filter(|other| other.is_customer) {
                of_customers += 1;
                of_maker += usize::from(other == maker);
            }
            if of_customers >= THREADS_OF_CUSTOMERS || of_maker >= THREADS_OF_MAKER {
                return false;
            }
        }
        busy.insert(endpoint.id.clone(), endpoint.maker.clone());
        true
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Maker>>> {
        // A panic in between still leaves a valid map.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true while a thread sends.
    pub fn is_busy(&self) -> bool {
        !self.busy().is_empty()
    }

    /// Disables the endpoints whose maker may no longer have them, and those for which more than `waiting_max` messages are waiting.
    ///
    /// # Errors
    /// Fails if the tables cannot be read or written.
    pub fn check(&self, waiting_max: usize) -> Result<(), WebhooksError> {
        for endpoint in self.webhooks.endpoints(None)?.iter().filter(|endpoint| endpoint.disabled_at.is_none()) {
            match self.notices.stands(endpoint) {
                Ok(true) => {}
                Ok(false) => self.disable(endpoint, Reason::Maker)?,
                // It gets no messages in the meantime.
                Err(error) => tracing::error!(%error, endpoint = endpoint.id, "the maker of an endpoint is not known"),
            }
        }
        for endpoint in self.webhooks.overfull(waiting_max)? {
            self.disable(&endpoint, Reason::Waiting)?;
        }
        Ok(())
    }

    fn disable(&self, endpoint: &Endpoint, reason: Reason) -> Result<(), WebhooksError> {
        if self.webhooks.disable(&endpoint.id, reason, self.notices.now())? {
            self.notices.disabled(endpoint, reason);
        }
        Ok(())
    }

    /// Returns the current state of an endpoint, or none if it no longer gets messages. Since the last message it may have been
    /// changed, disabled or deleted, its maker may have lost the right to it, and another host may have taken over sending.
    fn current(&self, id: &str) -> Result<Option<Endpoint>, WebhooksError> {
        if !self.webhooks.leads()? {
            return Ok(None);
        }
        let current = self.webhooks.endpoint(id)?;
        let Some(endpoint) = current.filter(|current| current.disabled_at.is_none()) else { return Ok(None) };
        if self.notices.stands(&endpoint)? {
            return Ok(Some(endpoint));
        }
        self.disable(&endpoint, Reason::Maker)?;
        Ok(None)
    }

    /// Sends what is due at an endpoint, until nothing is due or others want the thread.
    fn work(&self, endpoint: &Endpoint) -> Result<(), WebhooksError> {
        let begun = Instant::now();
        let has_turn = || endpoint.maker.as_ref().is_none_or(|maker| !maker.is_customer) || begun.elapsed() < TURN;
        while has_turn() {
            let due = self.webhooks.due(&endpoint.id, self.notices.now(), BATCH)?;
            if due.is_empty() {
                return Ok(());
            }
            for due in due {
                let Some(endpoint) = self.current(&endpoint.id)?.filter(|_| has_turn()) else { return Ok(()) };
                let attempt = self.send(&endpoint, &due.message, &due.body);
                if let Told::Disable(reason) = self.webhooks.tell(&endpoint.id, due.seq, &attempt)? {
                    return self.disable(&endpoint, reason);
                }
            }
        }
        Ok(())
    }

    fn send(&self, endpoint: &Endpoint, id: &str, body: &str) -> Attempt {
        let at = self.notices.now();
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, endpoint = endpoint.id, "a message to a webhook endpoint was not signed");
            Attempt { at, took_ms: 0, status: None, error: Some(Failure::NotSigned.name().to_owned()) }
        };
        let timestamp = at.div_euclid(1_000);
        let old = endpoint.old_secrets.iter().filter(|(_, until)| *until > at).map(|(reference, _)| reference);
        let mut signatures = Vec::new();
        for reference in std::iter::once(&endpoint.secret).chain(old) {
            let secret = match self.secrets.resolve(&self.scope, reference) {
                Ok(secret) => secret,
                Err(error) => return failed(&error),
            };
            match signature(secret.expose(), id, timestamp, body) {
                Ok(signature) => signatures.push(signature),
                Err(error) => return failed(&error),
            }
        }
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        let sent = self.transport.send(&endpoint.url, &headers, body);
        let (took_ms, error) =
            (self.notices.now().saturating_sub(at).max(0), sent.error.map(|error| error.name().to_owned()));
        Attempt { at, took_ms, status: sent.status, error }
    }
}
