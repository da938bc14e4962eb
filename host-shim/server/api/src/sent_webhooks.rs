//! The webhooks that a site sends: the database of its endpoints, and where their secrets are kept.

use crate::problem::Problem;
use crate::webhooks::{Endpoint, Webhooks, WebhooksError, new_secret};
use extension_contract::Account;
use host_identity::random;
use host_provider_api::Secrets;
use host_store::Partition;
use std::sync::Arc;

/// The webhooks of a site.
pub struct SiteWebhooks {
    /// The database of endpoints and messages.
    pub webhooks: Arc<Webhooks>,
    /// Keeps the secrets of endpoints.
    pub secrets: Arc<dyn Secrets>,
    /// True for a server that may send to its own machine.
    pub is_local: bool,
}

impl SiteWebhooks {
    /// Returns the name of the scope of the endpoints' secrets.
    pub fn scope(partition: &Partition) -> String {
        format!("{}/webhooks", partition.name())
    }

    /// Creates a secret; returns it and its reference.
    pub(crate) fn secret(&self, partition: &Partition) -> Result<(String, String), Problem> {
        let unavailable = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a secret of an endpoint was not made");
            Problem::unavailable("the secret cannot be kept")
        };
        let secret = new_secret().map_err(|error| unavailable(&error))?;
        let name = random("whk_").map_err(|error| unavailable(&error))?;
        let made = self.secrets.put(&SiteWebhooks::scope(partition), &name, &secret);
        Ok((secret, made.map_err(|error| unavailable(&error))?.reference))
    }

    /// Returns a secret.
    pub(crate) fn resolve(&self, partition: &Partition, reference: &str) -> Result<String, Problem> {
        let found = self.secrets.resolve(&SiteWebhooks::scope(partition), reference);
        let found = found.map_err(|error| {
            tracing::error!(%error, "a secret of an endpoint cannot be read");
            Problem::unavailable("the secret cannot be read")
        })?;
        Ok(found.expose().to_owned())
    }

    /// Deletes the endpoints of an account, with their secrets.
    pub(crate) fn delete_endpoints_of(&self, partition: &Partition, account: &Account) -> Result<(), WebhooksError> {
        for endpoint in self.webhooks.delete_endpoints_of(account)? {
            self.forget_secrets(partition, endpoint);
        }
        Ok(())
    }

    /// Deletes the secrets of an endpoint that was deleted.
    pub(crate) fn forget_secrets(&self, partition: &Partition, endpoint: Endpoint) {
        let old = endpoint.old_secrets.into_iter().map(|(reference, _)| reference);
        for reference in std::iter::once(endpoint.secret).chain(old) {
            self.forget(partition, &reference);
        }
    }

    /// Deletes a secret. If that fails, the secret stays but is unused.
    pub(crate) fn forget(&self, partition: &Partition, reference: &str) {
        if let Err(error) = self.secrets.forget(&SiteWebhooks::scope(partition), reference) {
            tracing::error!(%error, "a secret of an endpoint was not deleted");
        }
    }
}

impl From<WebhooksError> for Problem {
    fn from(error: WebhooksError) -> Self {
        tracing::error!(%error, "webhooks");
        Problem::unavailable("webhooks cannot be read")
    }
}
