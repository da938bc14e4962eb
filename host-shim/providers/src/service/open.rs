//! The settings of services, and how their providers are opened.

use crate::builder::{OpenError, ProviderBuilder};
use crate::service::{Config, Service};
use host_provider_api::ProviderName;
use serde::Deserialize;
use std::sync::Arc;

/// One of the business's services that carries out effects.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// The address to which calls are sent: `https`, or `http` on this machine.
    pub url: String,
    /// Reference to the secret of Standard Webhooks, `whsec_` and base64.
    pub secret: String,
    /// The effects, by kind or by resource: `workspace` or `workspace.ensure`.
    pub effects: Vec<String>,
}

impl ProviderBuilder<'_> {
    /// Registers the business's services.
    pub(crate) fn services(&mut self) -> Result<(), OpenError> {
        let problem = |problem: String| OpenError::Settings { name: ProviderName::Service, problem };
        let services = self.options.settings.service.clone();
        if services.is_empty() {
            let expected = "expected `service: [{url: …, secret: …, effects: […]}]` in the file of --provider-settings";
            return Err(problem(expected.to_owned()));
        }
        for settings in services {
            let secret = self.secret(ProviderName::Service, &settings.secret)?;
            let config = Config { url: settings.url, secret };
            let service = Service::new(&config).map_err(|error| problem(error.to_string()))?;
            let effects: Vec<&str> = settings.effects.iter().map(String::as_str).collect();
            self.limited(ProviderName::Service, &effects, Arc::new(service));
        }
        Ok(())
    }
}
