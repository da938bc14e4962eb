//! How does a host start, take events and stop? A host has one business in one mode, one store, one extension,
//! providers and a clock.

use crate::bad_input::BadInput;
use crate::business::BusinessFolder;
use crate::catalog;
use crate::clock::Clock;
use crate::manifest::{Manifest, NotPermitted};
use crate::outbox::{self, Outbox, OutboxError};
use crate::processor::{Ahead, Business, NewEvent, Processor, Report};
use host_intake::Decoded;
use host_provider_api::Registry;
use host_store::{ConfigError, MemoryStore, Store, StoreError, Stored};
use host_wasm_runner::runner::Runner;

/// The setup of a host: its business and configuration. A setup can start any number of hosts.
#[derive(Clone, Debug)]
pub struct Setup {
    folder: BusinessFolder,
    business: Business,
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
        let business = Business {
            name: folder.name.clone(),
            livemode,
            config: folder.config_with(config),
            own: folder.own.clone(),
            catalog_hash: folder.hash(config),
            manifest: manifest.unwrap_or_default(),
        };
        Setup { folder: folder.filled(config), business, owner: None }
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

    /// Returns the business as a processor has it.
    pub fn processor_business(&self) -> &Business {
        &self.business
    }
}

/// The reason why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The extension refuses the catalog, or the business uses a name that is not declared. Contains at least one
    /// mistake.
    #[error("{}", crate::bad_input::lines(.0))]
    Catalog(Vec<BadInput>),
    /// The extension failed while it loaded the catalog; the catalog may be correct.
    #[error("the extension failed while it loaded the catalog of {business}: {reason}")]
    Extension {
        /// Name of the business.
        business: String,
        /// Text of the failure.
        reason: String,
    },
    /// A newer version of the extension has written the store.
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
    /// The extension failed while it loaded the catalog into a store that another version of it has used last.
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
    /// The store failed, or effects request effects without end.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        StartError::Outbox(error.into())
    }
}

/// An event that has arrived.
pub struct Arrived {
    /// The decoded event.
    pub decoded: Decoded,
    /// The received bytes.
    pub raw: Vec<u8>,
    /// A decision that was made ahead, at the event's `received_at`; an event without one gets the clock's time.
    pub ahead: Option<Box<Ahead>>,
}

/// A running host.
pub struct Host {
    outbox: Outbox,
    clock: Clock,
}

/// A saved state of a host, for a rollback.
#[derive(Debug)]
pub struct Saved {
    outbox: outbox::Saved,
    clock: Clock,
}

impl Saved {
    /// Returns the saved rows.
    pub fn store(&self) -> &MemoryStore {
        self.outbox.store()
    }
}

impl Host {
    /// Saves the current state; none if the store cannot be forked. Providers save their own state.
    pub fn save(&self) -> Option<Saved> {
        Some(Saved { outbox: self.outbox.save()?, clock: self.clock.clone() })
    }

    /// Restores a saved state, of this host or of another host with the same business and extension.
    ///
    /// # Errors
    /// Fails in an open group.
    pub fn go_to(&mut self, saved: &Saved) -> Result<(), OutboxError> {
        self.outbox.go_to(&saved.outbox)?;
        self.clock = saved.clock.clone();
        Ok(())
    }

    /// Starts a host: loads the catalog unless it is in force, then recovers running effects. Returns the reports of
    /// the catalog's load. Due effects wait for [`Outbox::begin`] or [`Outbox::run_until_quiet`].
    ///
    /// # Errors
    /// Fails if the manifest does not permit the extension, if the catalog or the configuration is wrong, or if the extension or the store fails.
    pub fn start(
        setup: &Setup,
        store: Box<dyn Store>,
        runner: Box<dyn Runner>,
        registry: Registry,
        mut clock: Clock,
    ) -> Result<(Host, Vec<Report>), StartError> {
        let Setup { folder, business, owner } = setup;
        business.manifest.check(runner.declarations(), runner.imports())?;
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
        let reports = catalog::load_if_changed(folder, &mut outbox, now)?;
        outbox.recover(now)?;
        Ok((Host { outbox, clock }, reports))
    }

    /// Accepts an event at the clock's time, or stores the intake's refusal; see [`Processor::accept`].
    ///
    /// # Errors
    /// Fails if the store fails, or with [`StoreError::Misuse`] for an event of another business.
    pub fn accept(&mut self, decoded: Decoded, raw: Vec<u8>) -> Result<Vec<Report>, OutboxError> {
        let Decoded { mut event, refusal, .. } = decoded;
        event.received_at = self.clock.now();
        match refusal {
            Some(refusal) => Ok(self.outbox.processor_mut().accept_refused(event, raw, refusal)?),
            None => self.outbox.accept(event, raw),
        }
    }

    /// Accepts events in order, like [`Host::accept`]; see [`Processor::accept_new`]. Returns one result per event: a
    /// denied event is not stored, and the other events are processed.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn accept_all(&mut self, arrived: Vec<Arrived>) -> Result<Vec<Stored<Vec<Report>>>, OutboxError> {
        let mut results = Vec::with_capacity(arrived.len());
        let mut events = Vec::new();
        for Arrived { decoded, raw, ahead } in arrived {
            let Decoded { mut event, refusal, .. } = decoded;
            if ahead.is_none() {
                event.received_at = self.clock.now();
            }
            let denied = self.processor().check_business(&event).err();
            if refusal.is_none() && denied.is_none() {
                events.push(NewEvent { event, raw, ahead });
                continue;
            }
            results.extend(self.outbox.accept_new(std::mem::take(&mut events))?.into_iter().map(Ok));
            match (denied, refusal) {
                (Some(denied), _) => results.push(Err(denied)),
                (None, Some(refusal)) => {
                    results.push(Ok(self.outbox.processor_mut().accept_refused(event, raw, refusal)?));
                }
                (None, None) => {}
            }
        }
        results.extend(self.outbox.accept_new(events)?.into_iter().map(Ok));
        Ok(results)
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the clock, for reading or setting.
    pub fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// Returns the outbox; it holds the processor and the store.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Returns the outbox, for carrying out effects.
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Returns the processor.
    pub fn processor(&self) -> &Processor {
        self.outbox.processor()
    }

    /// Returns the processor, for questions and groups.
    pub fn processor_mut(&mut self) -> &mut Processor {
        self.outbox.processor_mut()
    }

    /// Returns the hash of the state.
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn state(&self) -> Stored<String> {
        host_store::state_hash(&[self.processor().store()], self.processor().declared().not_state())
    }

    /// Stops the host. Returns the store, in the state in which a killed process would leave it, and the clock,
    /// advanced at least to the outbox's time.
    pub fn stop(mut self) -> (Box<dyn Store>, Clock) {
        self.clock.advance_to(self.outbox.clock());
        let (processor, _) = self.outbox.into_parts();
        (processor.into_parts().0, self.clock)
    }
}
