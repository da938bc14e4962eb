//! The settings of the provider `http`, and how it is opened.

use crate::builder::{OpenError, ProviderBuilder};
use crate::health::{Config, Probe, Reach};
use host_provider_api::ProviderName;
use serde::Deserialize;
use std::sync::Arc;

/// The networks that the provider `http` may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Private networks that probes may reach in addition to the public internet, for example `10.0.0.0/8`.
    pub networks: Vec<String>,
}

impl ProviderBuilder<'_> {
    pub(crate) fn http(&mut self) -> Result<(), OpenError> {
        // The local provider serves its instances on this machine.
        let is_local = self.options.names.contains(&ProviderName::Local);
        let reach = if is_local { Reach::with_this_machine() } else { Reach::public() };
        let reach = reach.and(&self.options.settings.http.networks).map_err(|error| OpenError::Settings {
            name: ProviderName::Http,
            problem: format!("`http.networks` of the provider settings: {error}"),
        })?;
        self.limited(ProviderName::Http, &["probe"], Arc::new(Probe::new(Config { reach, ..Config::default() })));
        Ok(())
    }
}
