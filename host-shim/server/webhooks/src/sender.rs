//! Sends what is due. Each endpoint has a thread while it has something to get, so that a slow one holds up no other.

use crate::deliveries::{Attempt, Told};
use crate::endpoints::Endpoint;
use crate::send::Transport;
use crate::sign::signature;
use crate::tables::{Webhooks, WebhooksError};
use extension_contract::Timestamp;
use host_provider_api::Secrets;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Number of deliveries that a thread reads at a time.
const BATCH: usize = 50;

/// What the sender tells others.
pub trait Notices: Send + Sync {
    /// Returns the time in milliseconds since the epoch.
    fn now(&self) -> Timestamp;
    /// An endpoint was disabled, since it wants no more or has failed for three days.
    fn disabled(&self, endpoint: &Endpoint);
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
    /// The endpoints that have a thread now.
    busy: Arc<Mutex<BTreeSet<String>>>,
}

impl Sender {
    /// Makes a sender; [`Sender::begin`] starts its work.
    pub fn new(
        webhooks: Arc<Webhooks>,
        (secrets, scope): (Arc<dyn Secrets>, String),
        transport: Arc<dyn Transport>,
        notices: Arc<dyn Notices>,
    ) -> Sender {
        Sender { webhooks, secrets, scope, transport, notices, busy: Arc::default() }
    }

    /// Starts a thread for each endpoint that has something due and no thread.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn begin(&self) -> Result<(), WebhooksError> {
        for endpoint in self.webhooks.with_due(self.notices.now())? {
            let is_new = self.busy().insert(endpoint.id.clone());
            if !is_new {
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

    fn busy(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        // A panic in between leaves a set that is still a set.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true while a thread sends.
    pub fn is_busy(&self) -> bool {
        !self.busy().is_empty()
    }

    /// Sends what is due at an endpoint until nothing is.
    fn work(&self, endpoint: &Endpoint) -> Result<(), WebhooksError> {
        loop {
            // The endpoint may have been changed, disabled or deleted in the meantime.
            let current = self.webhooks.endpoint(&endpoint.id)?;
            let Some(endpoint) = current.filter(|current| current.disabled_at.is_none()) else { return Ok(()) };
            let due = self.webhooks.due(&endpoint.id, self.notices.now(), BATCH)?;
            if due.is_empty() {
                return Ok(());
            }
            for due in due {
                let attempt = self.send(&endpoint, &due.message, &due.body);
                let told = self.webhooks.tell(&endpoint.id, due.seq, &attempt)?;
                if told == Told::Disable {
                    if self.webhooks.disable(&endpoint.id, self.notices.now())? {
                        self.notices.disabled(&endpoint);
                    }
                    return Ok(());
                }
            }
        }
    }

    fn send(&self, endpoint: &Endpoint, id: &str, body: &str) -> Attempt {
        let at = self.notices.now();
        let failed = |error: String| Attempt { at, took_ms: 0, status: None, error: Some(error) };
        let timestamp = at.div_euclid(1_000);
        let old = endpoint.old_secrets.iter().filter(|(_, until)| *until > at).map(|(reference, _)| reference);
        let mut signatures = Vec::new();
        for reference in std::iter::once(&endpoint.secret).chain(old) {
            let secret = match self.secrets.resolve(&self.scope, reference) {
                Ok(secret) => secret,
                Err(error) => return failed(format!("the secret of the endpoint: {error}")),
            };
            match signature(secret.expose(), id, timestamp, body) {
                Ok(signature) => signatures.push(signature),
                Err(error) => return failed(error.to_string()),
            }
        }
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        let sent = self.transport.send(&endpoint.url, &headers, body);
        Attempt { at, took_ms: self.notices.now().saturating_sub(at).max(0), status: sent.status, error: sent.error }
    }
}
