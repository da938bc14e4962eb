//! The host inside the block: its store, its business and its processor.

use crate::info::NAME;
use crate::platform::Platform;
use crate::routes::Failed;
use crate::store::{Batches, SolobaseStore};
use extension_contract::{Declarations, Extension};
use hmac::{Hmac, KeyInit, Mac};
use host_engine::bundle::Bundle;
use host_engine::outbox::Outbox;
use host_engine::processor::Processor;
use host_store::{Store, StoreError};
use host_wasm_runner::native::NativeRunner;
use instance_provisioner::Provisioner;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::any::Any;
use std::sync::Arc;

/// Prefix of the block's configuration keys, as the platform requires.
pub(crate) const CONFIG_PREFIX: &str = "EXTENSIONS__INSTANCE_PROVISIONER__";
/// Key of the prepared business.
pub const BUNDLE: &str = "BUSINESS";
/// Key of the secret that signs Stripe's webhooks.
pub const STRIPE_SECRET: &str = "STRIPE_WEBHOOK_SECRET";
/// Name of the configuration key that contains the service key, with which services call the block.
pub const SERVICE_KEY: &str = "SERVICE_KEY";
/// Key of the secrets of the business's other webhooks: a JSON object keyed by the names of `secret` in `webhooks` of
/// `business.yml`. The block must declare its keys to the platform before it knows its business, so all secrets share one.
pub const WEBHOOK_SECRETS: &str = "WEBHOOK_SECRETS";
/// Minimum length of the service key in bytes.
pub const KEY_BYTES_MIN: usize = 32;
/// The configuration keys, each with its description and the type of its field on the platform's pages. The platform masks a value
/// only if its type is `password`.
pub(crate) const KEYS: [(&str, &str, &str); 4] = [
    (BUNDLE, "The business, as `provisioner bundle` writes it", "textarea"),
    (STRIPE_SECRET, "Signs Stripe's webhooks", "password"),
    (SERVICE_KEY, "Header x-service-key of `provisioner outbox` and of services; at least 32 bytes", "password"),
    (WEBHOOK_SECRETS, "Secrets of the webhooks of `business.yml`: a JSON object, by the names of `secret`", "password"),
];

/// Setting with the numbers that a call needs first.
pub(crate) const STATE: &str = "state";
/// Setting with the prepared business, without its catalog.
pub(crate) const BUSINESS: &str = "business";

/// Setting that is present while data is imported.
pub(crate) const IMPORTING: &str = "importing";

/// Returns the full name of a configuration key.
pub fn key(name: &str) -> String {
    format!("{CONFIG_PREFIX}{name}")
}

/// The facts about platform and tables that `Init` stores for later calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// True if the database service has batches.
    pub(crate) batches: bool,
    /// Version of the block that created the tables and loaded the catalog.
    pub(crate) version: String,
}

/// The reason why the block cannot work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    /// `Init` has not run, or failed.
    #[error("the block is not prepared: its `Init` has not succeeded; the platform's log says why")]
    NotPrepared,
    /// Data is being imported.
    #[error("data is being imported")]
    Importing,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored text is damaged.
    #[error("the block's settings are damaged: {0}")]
    Damaged(String),
}

fn damaged(error: impl std::fmt::Display) -> AppError {
    AppError::Damaged(error.to_string())
}

/// Returns a processor for a business.
pub(crate) fn processor(store: SolobaseStore, bundle: &Bundle) -> Result<Processor, AppError> {
    let runner = Box::new(NativeRunner::known(Box::new(Provisioner), Arc::new(declarations())));
    Processor::new(Box::new(store), runner, bundle.business()).map_err(damaged)
}

/// Returns the declarations of the extension.
pub(crate) fn declarations() -> Declarations {
    Provisioner.declare()
}

/// The host of one call: an outbox with its processor, in an open group whose reads all see one state.
pub(crate) struct App {
    pub(crate) outbox: Outbox,
    pub(crate) bundle: Bundle,
}

/// The settings of the block.
pub(crate) struct Settings {
    pub(crate) batches: Batches,
    pub(crate) bundle: Bundle,
    /// True while data is imported.
    pub(crate) importing: bool,
}

/// Reads the settings.
pub(crate) fn settings(platform: &Platform<'_>) -> Result<Settings, AppError> {
    // The settings say whether there are batches, and reading them needs none.
    let reading = crate::store::open(platform.database.clone(), Batches::Yes);
    let names = [STATE, BUSINESS, IMPORTING];
    let Ok([Some(state), Some(bundle), importing]) =
        reading.backend().settings(&names).map_err(|_| AppError::NotPrepared)?.try_into()
            as Result<[Option<String>; 3], _>
    else {
        return Err(AppError::NotPrepared);
    };
    let state: State = serde_json::from_str(&state).map_err(damaged)?;
    let batches = if state.batches { Batches::Yes } else { Batches::No };
    Ok(Settings { batches, bundle: serde_json::from_str(&bundle).map_err(damaged)?, importing: importing.is_some() })
}

impl App {
    /// Prepares a call.
    pub(crate) fn open(platform: &Platform<'_>) -> Result<App, AppError> {
        let Settings { batches, bundle, importing } = settings(platform)?;
        if importing {
            return Err(AppError::Importing);
        }
        let store = crate::store::open(platform.database.clone(), batches);
        store.backend().recover()?;
        let processor = processor(store, &bundle)?;
        Ok(App { outbox: Outbox::of_worker(processor), bundle })
    }

    pub(crate) fn processor(&mut self) -> &mut Processor {
        self.outbox.processor_mut()
    }

    pub(crate) fn store(&mut self) -> &mut dyn Store {
        self.outbox.processor_mut().store_mut()
    }

    /// Answers a question on one state of the tables: the database service has no snapshots, so if there was a concurrent commit,
    /// the question is asked again.
    pub(crate) fn in_one_state<T>(
        &mut self,
        ask: impl FnOnce(&mut Processor) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.processor().begin_group()?;
        let answer = ask(self.processor());
        let any: &dyn Any = self.processor().store();
        let is_outrun = any.downcast_ref::<SolobaseStore>().map_or(Ok(false), |store| store.backend().is_outrun());
        self.processor().rollback_group()?;
        if is_outrun? { Err(Failed::Outrun) } else { answer }
    }
}

/// Compares a given key with the right one, in a time that does not reveal how much of it is right. No key matches an empty one.
pub(crate) fn is_key(given: &str, right: &str) -> bool {
    // The tags have the same length, whatever the keys.
    let tag = |text: &str| Hmac::<Sha256>::new_from_slice(NAME.as_bytes()).map(|mac| mac.chain_update(text.as_bytes()));
    match (tag(given), tag(right)) {
        (Ok(given), Ok(tag)) => given.verify(&tag.finalize().into_bytes()).is_ok() && !right.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn only_the_whole_key_fits() {
        assert!(is_key("0123456789abcdef", "0123456789abcdef"));
        for (given, right) in [("0123", "0123456789abcdef"), ("", ""), ("", "a"), ("a", ""), ("b", "a")] {
            assert!(!is_key(given, right), "{given} {right}");
        }
    }
}
