//! Replaces the signing secrets of webhooks while the server runs.

use crate::hosted::{self, HostedError};
use host_api::Front;
use host_business::folder::BusinessFolder;
use host_intake::SecretConfig;
use std::collections::BTreeMap;

/// The secrets of the webhooks of one business.
pub struct NewSecrets {
    /// The business, with the webhooks that it had at the start.
    pub business: BusinessFolder,
    /// The secrets of Stripe's endpoint.
    pub stripe: Vec<SecretConfig>,
    /// The secrets of its other webhooks, by name.
    pub webhooks: BTreeMap<String, String>,
}

/// Replaces secrets of a server. The server does not end before its renewal is dropped.
pub struct Renewal {
    pub(crate) front: Front,
}

impl Renewal {
    /// Replaces the secrets of a business. On an error, the secrets stay as they are.
    ///
    /// # Errors
    /// Fails if the secrets cannot be used.
    pub fn renew(&self, new: NewSecrets) -> Result<(), HostedError> {
        let NewSecrets { business, stripe, webhooks } = new;
        let endpoints = hosted::endpoints(&business, stripe, &webhooks)?;
        if let Some(hosted) = self.front.sites().find(|hosted| hosted.site.partition().business == business.name) {
            hosted.site.set_endpoints(endpoints);
        }
        Ok(())
    }
}
