//! Starts a host for a business: its folder, mode and configuration, and the load of its catalog.

use crate::folder::BusinessFolder;
use crate::manifest::{Manifest, NotPermitted};
use crate::refused;
use crate::yaml::bad_input::{self, BadInput};
use extension_contract::{Account, Timestamp};
use host_engine::Host;
use host_engine::catalog::{is_accepted, next_load};
use host_engine::clock::Clock;
use host_engine::outbox::{Outbox, OutboxError};
use host_engine::processor::{Business, Processor, Report};
use host_provider_api::Registry;
use host_store::{ConfigError, Partition, Read, Store, StoreError};
use host_wasm_runner::runner::Runner;

/// The setup of a host: its business and configuration. A setup can start any number of hosts.
#[derive(Clone, Debug)]
pub struct Setup {
    folder: BusinessFolder,
    business: Business,
    /// The extension's manifest. The default restricts nothing.
    manifest: Manifest,
    /// Name of the host in leases, if several hosts use one store.
    owner: Option<String>,
}

impl Setup {
    /// Creates a setup: a business, its mode (true for real money), configuration overrides and the extension's
    /// manifest. Without a manifest, the extension is not restricted, and the state contains all members of its rows.
    pub fn new(
        folder: BusinessFolder,
        livemode: bool,
        config: &[(String, String)],
        manifest: Option<Manifest>,
    ) -> Setup {
        let manifest = manifest.unwrap_or_default();
        let business = folder.for_engine(livemode, config, &manifest);
        Setup { folder: folder.filled(config), business, manifest, owner: None }
    }

    /// Sets the name of the host in leases; see [`Outbox::set_owner`].
    #[must_use]
    pub fn owned_by(self, owner: &str) -> Setup {
        Setup { owner: Some(owner.to_owned()), ..self }
    }

    /// Returns the business.
    pub fn business(&self) -> &BusinessFolder {
        &self.folder
    }

    /// Returns the business in the form that a processor uses.
    pub fn processor_business(&self) -> &Business {
        &self.business
    }

    /// Starts a host: loads the catalog unless it is in force, then recovers running effects. Returns the reports of
    /// the catalog's load. Due effects wait for [`Outbox::begin`] or [`Outbox::run_until_quiet`].
    ///
    /// # Errors
    /// Fails if the manifest does not permit the extension, if the catalog or the configuration is wrong, or if the extension or the store fails.
    pub fn start(
        &self,
        store: Box<dyn Store>,
        runner: Box<dyn Runner>,
        registry: Registry,
        mut clock: Clock,
    ) -> Result<(Host, Vec<Report>), StartError> {
        let Setup { folder, business, manifest, owner } = self;
        manifest.check(runner.declarations(), runner.imports())?;
        let mistakes = folder.mistakes(runner.declarations());
        if !mistakes.is_empty() {
            return Err(StartError::Catalog(mistakes));
        }
        let processor = Processor::new(store, runner, business.clone())
            .map_err(|error| StartError::Config { business: folder.name.clone(), error })?;
        let mut outbox = Outbox::new(processor, registry);
        if let Some(owner) = owner {
            outbox.set_owner(owner);
        }
        let now = clock.now();
        // The results of recovered effects are decided with the catalog of this start.
        let reports = load_if_changed(folder, &mut outbox, now)?;
        outbox.recover(now)?;
        Ok((Host::new(outbox, clock), reports))
    }
}

/// The reason why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The extension refuses the catalog, or the business uses a name that is not declared. Contains at least one
    /// mistake.
    #[error("{}", bad_input::lines(.0))]
    Catalog(Vec<BadInput>),
    /// The extension failed while it loaded the catalog; the catalog may be correct.
    #[error("the extension failed while it loaded the catalog of {business}: {reason}")]
    Extension {
        /// Name of the business.
        business: String,
        /// Text of the failure.
        reason: String,
    },
    /// A newer version of the extension has written to the store.
    #[error(
        "the store of {business} was written by a newer version of the extension: data version {found}, and this one reads \
         up to {known}. Start the newer version, or restore a backup from before it"
    )]
    Newer {
        /// Name of the business.
        business: String,
        /// The newest data version in the store.
        found: u32,
        /// The newest data version that the extension reads.
        known: u32,
    },
    /// The extension failed while it loaded the catalog into a store that was last used by another version of it.
    #[error(
        "the extension failed while it loaded the catalog of {business}: {reason}. Another version of the extension has \
         loaded the last catalog, and what a newer one has written may not be readable: start that version, or restore a \
         backup from before it"
    )]
    OtherVersion {
        /// Name of the business.
        business: String,
        /// Text of the failure.
        reason: String,
    },
    /// The configuration does not match the declared configuration keys.
    #[error("configuration of {business}: {error}")]
    Config {
        /// Name of the business.
        business: String,
        /// The mistake.
        error: ConfigError,
    },
    /// The extension's manifest does not permit its component.
    #[error(transparent)]
    NotPermitted(#[from] NotPermitted),
    /// The store failed, or effects request further effects endlessly.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        StartError::Outbox(error.into())
    }
}

/// Loads the catalog unless it is in force, that is, unless the last load was accepted with the same catalog and configuration by the same
/// component. Returns the reports; empty if nothing was loaded.
///
/// # Errors
/// Fails if the extension refuses the catalog or fails, or if the store fails.
pub(crate) fn load_if_changed(
    business: &BusinessFolder,
    outbox: &mut Outbox,
    now: Timestamp,
) -> Result<Vec<Report>, StartError> {
    let processor = outbox.processor();
    check_not_newer(processor.store(), processor.partition(), processor.runner().declarations().data_version)?;
    let component = processor.runner().hash().to_owned();
    let Some(load) = next_load(processor, &business.name, &business.catalog.to_string(), now)? else {
        return Ok(Vec::new());
    };
    let reports = outbox.accept(load.event, Vec::new())?;
    match reports.first() {
        Some(report) if report.result.outcome().is_none() => {
            let (business, reason) = (business.name.clone(), report.result.reason().unwrap_or_default());
            let provenance = load.last.and_then(|row| row.provenance);
            Err(match provenance.is_some_and(|last| last.component_hash != component) {
                true => StartError::OtherVersion { business, reason },
                false => StartError::Extension { business, reason },
            })
        }
        Some(report) if !is_accepted(report) => Err(StartError::Catalog(refused::mistakes(business, report))),
        _ => Ok(reports),
    }
}

/// Fails if a newer version of the extension has written the catalog.
pub(crate) fn check_not_newer(store: &dyn Read, partition: &Partition, known: u32) -> Result<(), StartError> {
    match store.account(&partition.scope(Account::Platform))?.data_version {
        Some(found) if found > known => Err(StartError::Newer { business: partition.business.clone(), found, known }),
        _ => Ok(()),
    }
}
