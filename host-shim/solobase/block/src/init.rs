//! `Init`: creates the tables, checks the whole configuration, and loads the catalog. All faults are reported at once.

use crate::app::{
    BUNDLE, BUSINESS, IMPORTING, KEY_BYTES_MIN, SERVICE_KEY, STATE, STRIPE_SECRET, State, WEBHOOK_SECRETS, key,
    processor,
};
use crate::platform::Platform;
use crate::routes::{own_key, own_secrets, secrets};
use crate::store::{Batches, SolobaseStore};
use host_engine::bundle::Bundle;
use host_store::{Store, StoreError};

/// Maximum number of attempts in competition with other calls.
const ATTEMPTS_MAX: usize = 8;

/// Handles a lifecycle event. Only `Init` does anything.
///
/// # Errors
/// Fails with the faults, one per line.
pub fn lifecycle(platform: &Platform<'_>, event: &str) -> Result<(), String> {
    if event != "Init" {
        return Ok(());
    }
    let (bundle, faults) = configuration(platform);
    let Some(bundle) = bundle.filter(|_| faults.is_empty()) else { return Err(faults.join("\n")) };
    let batches = crate::store::Platform::make_tables(&*platform.database).map_err(|error| {
        format!(
            "the tables cannot be made: {error}; the block needs `database.ensure_table` and the capability `schema`, or on a \
             platform without it `database.ddl` and the capability `ddl`"
        )
    })?;
    for _ in 0..ATTEMPTS_MAX {
        let mut store = crate::store::open(platform.database.clone(), batches);
        match prepare(platform, &mut store, &bundle) {
            Err(InitError::Store(StoreError::Locked(_))) => {}
            done => return done.map_err(|error| error.to_string()),
        }
    }
    Err("other calls changed the tables all the time".to_owned())
}

/// The reason why the tables cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The business, or its catalog, is not valid.
    #[error("{0}")]
    Refused(String),
}

/// Reads the configuration; returns the business and all faults.
fn configuration(platform: &Platform<'_>) -> (Option<Bundle>, Vec<String>) {
    let mut faults = Vec::new();
    let mut value = |name: &str| match (platform.config)(&key(name)) {
        Ok(value) => value,
        Err(error) => {
            faults.push(format!("{} cannot be read: {error}", key(name)));
            String::new()
        }
    };
    let (bundle, stripe, service, others) =
        (value(BUNDLE), value(STRIPE_SECRET), value(SERVICE_KEY), value(WEBHOOK_SECRETS));
    let mut fault = |name: &str, text: String| faults.push(format!("{}: {text}", key(name)));
    if service.len() < KEY_BYTES_MIN {
        let found = if service.is_empty() { "is not set".to_owned() } else { format!("has {} bytes", service.len()) };
        fault(SERVICE_KEY, format!("{found}; expected at least {KEY_BYTES_MIN} bytes"));
    }
    let parsed = match bundle.is_empty() {
        true => Err("is not set; expected the text that `provisioner bundle` writes".to_owned()),
        false => serde_json::from_str::<Bundle>(&bundle)
            .map_err(|error| format!("is not a business: {error}; expected the text that `provisioner bundle` writes")),
    };
    let bundle = match parsed {
        Ok(bundle) => {
            match stripe.is_empty() {
                true => {
                    fault(STRIPE_SECRET, "is not set; expected the endpoint's secret, for example `whsec_…`".into())
                }
                false => {
                    if let Err(error) = secrets(&stripe, bundle.livemode) {
                        fault(STRIPE_SECRET, error);
                    }
                }
            }
            match own_secrets(&others) {
                Err(text) => fault(WEBHOOK_SECRETS, text),
                Ok(secrets) => {
                    let missing = bundle.webhooks.iter().filter_map(|own| own_key(own, &secrets).err());
                    missing.for_each(|text| fault(WEBHOOK_SECRETS, text));
                }
            }
            Some(bundle)
        }
        Err(text) => {
            fault(BUNDLE, text);
            None
        }
    };
    (bundle, faults)
}

/// Writes the settings and loads the catalog if it has changed. During an import, the catalog is loaded when the import
/// ends.
fn prepare(platform: &Platform<'_>, store: &mut SolobaseStore, bundle: &Bundle) -> Result<(), InitError> {
    let state =
        State { batches: store.backend().batches() == Batches::Yes, version: env!("CARGO_PKG_VERSION").to_owned() };
    let json = |value: Result<String, serde_json::Error>| value.map_err(|error| InitError::Refused(error.to_string()));
    store.begin()?;
    store.backend_mut().set_setting(STATE, &json(serde_json::to_string(&state))?)?;
    let without_catalog = Bundle { catalog: String::new(), ..bundle.clone() };
    store.backend_mut().set_setting(BUSINESS, &json(serde_json::to_string(&without_catalog))?)?;
    let is_importing = store.backend().setting(IMPORTING)?.is_some();
    store.commit()?;
    if is_importing {
        return Ok(());
    }
    load_catalog(platform, crate::store::open(platform.database.clone(), store.backend().batches()), bundle)
}

/// Loads the catalog of a business if it has changed since it was last loaded.
///
/// # Errors
/// Fails if the store fails, or if the extension refuses the catalog.
pub(crate) fn load_catalog(platform: &Platform<'_>, store: SolobaseStore, bundle: &Bundle) -> Result<(), InitError> {
    let mut processor = processor(store, bundle).map_err(|error| InitError::Refused(error.to_string()))?;
    let Some(load) = bundle.load(&processor, platform.now)? else { return Ok(()) };
    let reports = processor.accept(load, Vec::new())?;
    match reports.first() {
        Some(report) if !host_engine::catalog::is_accepted(report) => {
            let reason = report.result.reason().unwrap_or_default();
            Err(InitError::Refused(format!("{}: the extension refuses the catalog: {reason}", key(BUNDLE))))
        }
        _ => Ok(()),
    }
}
