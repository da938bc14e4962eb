//! What is a business, prepared for a host that cannot read folders? One JSON document, which [`Bundle::of`] makes where the folder
//! is, and [`Bundle::business`] reads where it is not. All checks of the folder are made before.

use crate::Setup;
use crate::folder::{BusinessDeclarations, CLAUSES};
use extension_contract::{ConfigDecl, ConfigType, Declarations, Event, Timestamp};
use host_engine::catalog;
use host_engine::processor::{Business, Processor};
use host_provider_api::SECRET_PREFIX;
use host_store::{NotState, Permitted, Stored};
use host_yaml::Node;
use host_yaml::bad_input::Mistakes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Returns the keys of the secrets that a setup has in plain text, and not as references. A bundle of it would have these secrets.
/// `extension`: the declarations of the extension, which those of the business extend.
pub fn plain_secrets(setup: &Setup, extension: &Declarations) -> Vec<String> {
    let business = setup.processor_business();
    let is_plain = |decl: &ConfigDecl| {
        let given = business.config.get(&decl.key);
        decl.value_type == ConfigType::Secret && given.is_some_and(|text| !text.starts_with(SECRET_PREFIX))
    };
    let declared = business.own.beside(extension).config;
    declared.into_iter().filter(is_plain).map(|decl| decl.key).collect()
}

/// A business, prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Name of the business.
    pub name: String,
    /// True for real money.
    pub livemode: bool,
    /// Configuration as text, by declared key; secrets are references.
    pub config: BTreeMap<String, String>,
    /// The clauses of `business.yml` for the host.
    pub clauses: Value,
    /// SHA-256 of catalog and configuration, hex.
    pub catalog_hash: String,
    /// Payload of `catalog.load`, as text.
    pub catalog: String,
}

impl Bundle {
    /// Prepares a business.
    pub fn of(setup: &Setup) -> Bundle {
        let (folder, business) = (setup.business(), setup.processor_business());
        let document = folder.lines.json();
        let clause = |name: &&str| Some(((*name).to_owned(), document.get(*name)?.clone()));
        Bundle {
            name: business.name.clone(),
            livemode: business.livemode,
            config: business.config.clone(),
            clauses: Value::Object(CLAUSES.iter().filter_map(clause).collect::<Map<_, _>>()),
            catalog_hash: business.catalog_hash.clone(),
            catalog: folder.catalog.to_string(),
        }
    }

    /// Returns the declarations of the business.
    ///
    /// # Errors
    /// Fails with the mistakes of the clauses, which only another version of this program can have written.
    pub fn own(&self) -> Result<BusinessDeclarations, Mistakes> {
        match Node::from_json(&self.clauses) {
            Some(clauses) => BusinessDeclarations::read(&clauses),
            None => Ok(BusinessDeclarations::default()),
        }
    }

    /// Returns the business of a processor. `own`: the declarations of the business.
    pub fn business(&self, own: &BusinessDeclarations) -> Business {
        Business {
            name: self.name.clone(),
            livemode: self.livemode,
            config: self.config.clone(),
            own: own.for_engine(),
            catalog_hash: self.catalog_hash.clone(),
            permitted: Permitted::default(),
            not_state: NotState::default(),
        }
    }

    /// Returns the event that loads the catalog; none if the last load was accepted with the same catalog and configuration by the
    /// same extension.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn load(&self, processor: &Processor, now: Timestamp) -> Stored<Option<Event>> {
        catalog::next_load(processor, &self.name, &self.catalog, now)
    }
}
