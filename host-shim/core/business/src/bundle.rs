//! Prepares a business for a host that cannot read folders.

use crate::Setup;
use extension_contract::{ConfigDecl, ConfigType, Declarations};
use host_engine::bundle::{Bundle, OwnWebhook};
use host_provider_api::SECRET_PREFIX;

/// Returns the keys of the secrets that a setup contains in plain text instead of as references. A bundle of it would contain
/// these secrets. `extension`: the declarations of the extension, to which those of the business are added.
pub fn plain_secrets(setup: &Setup, extension: &Declarations) -> Vec<String> {
    let business = setup.processor_business();
    let is_plain = |decl: &ConfigDecl| {
        let given = business.config.get(&decl.key);
        decl.value_type == ConfigType::Secret && given.is_some_and(|text| !text.starts_with(SECRET_PREFIX))
    };
    let declared = business.own.beside(extension).config;
    declared.into_iter().filter(is_plain).map(|decl| decl.key).collect()
}

/// Prepares a business.
pub fn of(setup: &Setup) -> Bundle {
    let (folder, business) = (setup.business(), setup.processor_business());
    let webhooks = folder.own.webhooks.iter();
    Bundle {
        name: business.name.clone(),
        livemode: business.livemode,
        config: business.config.clone(),
        own: business.own.clone(),
        webhooks: webhooks.map(|own| OwnWebhook { webhook: own.webhook.clone(), secret: own.secret.clone() }).collect(),
        catalog_hash: business.catalog_hash.clone(),
        catalog: folder.catalog.to_string(),
    }
}
