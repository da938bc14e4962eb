//! The settings of a LiteLLM proxy, and how its provider is opened.

use crate::builder::{OpenError, ProviderBuilder};
use crate::litellm::{Config, Identify, LiteLlm};
use host_provider_api::ProviderName;
use serde::Deserialize;
use std::sync::Arc;

/// A LiteLLM proxy, whose spend log records the usage of models.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LitellmSettings {
    /// Base URL of the proxy.
    pub url: String,
    /// Reference to an administrator's key.
    #[serde(default = "litellm_key")]
    pub key: String,
    /// The column of the spend log that contains our users.
    #[serde(default)]
    pub users: Identify,
}

fn litellm_key() -> String {
    "secret:env/LITELLM_MASTER_KEY".to_owned()
}

impl ProviderBuilder<'_> {
    pub(crate) fn litellm(&mut self) -> Result<(), OpenError> {
        let name = ProviderName::Litellm;
        let settings = self.options.settings.litellm.clone().ok_or_else(|| OpenError::Settings {
            name,
            problem: "expected `litellm: {url: …}` in the file of --provider-settings".to_owned(),
        })?;
        let config =
            Config { identify: settings.users, ..Config::new(&settings.url, self.secret(name, &settings.key)?) };
        self.limited(name, &["usage.pull"], Arc::new(LiteLlm::new(config)));
        Ok(())
    }
}
