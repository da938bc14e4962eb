//! A host that runs: one business in one mode, over one store, with an extension, providers and a clock.

use crate::bad_input::BadInput;
use crate::business::BusinessFolder;
use crate::catalog;
use crate::clock::Clock;
use crate::manifest::Manifest;
use crate::outbox::{self, Outbox, OutboxError};
use crate::processor::{Business, Processor, Report};
use extension_contract::{StoreError, Stored};
use host_intake::Decoded;
use host_provider_api::Registry;
use host_store::{ConfigError, MemoryStore, Store};
use host_wasm_runner::runner::Runner;

/// What a host is to do, beside the parts that it is made of. It serves any number of starts.
#[derive(Clone, Debug)]
pub struct Setup {
    folder: BusinessFolder,
    business: Business,
}

impl Setup {
    /// A business in a mode, true for real money, with configuration over its own, and the extension's manifest; without one
    /// all of the extension's rows is state.
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
            not_state: manifest.map(|manifest| manifest.not_state).unwrap_or_default(),
        };
        Setup { folder, business }
    }

    /// The business.
    pub fn business(&self) -> &BusinessFolder {
        &self.folder
    }
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The extension does not take the catalog, or has not what the business says of it: each mistake, at least one.
    #[error("{}", crate::bad_input::lines(.0))]
    Catalog(Vec<BadInput>),
    /// The extension failed when it was given the catalog, which says nothing of the catalog.
    #[error("the extension failed when it was given the catalog of {business}: {reason}")]
    Extension {
        /// Name of the business.
        business: String,
        /// How it failed.
        reason: String,
    },
    /// The configuration is not the one that the extension declares.
    #[error("configuration of {business}: {error}")]
    Config {
        /// Name of the business.
        business: String,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// The store failed, or effects have no end.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        StartError::Outbox(error.into())
    }
}

/// A host that runs: what `replay`, a server and tests all start.
pub struct Host {
    outbox: Outbox,
    clock: Clock,
}

/// A point of a host's run that it can go back to.
#[derive(Debug)]
pub struct Saved {
    outbox: outbox::Saved,
    clock: Clock,
}

impl Saved {
    /// The rows as they were.
    pub fn store(&self) -> &MemoryStore {
        self.outbox.store()
    }
}

impl Host {
    /// The point of now; none over a store that can't be forked. What providers did is theirs to remember.
    pub fn save(&self) -> Option<Saved> {
        Some(Saved { outbox: self.outbox.save()?, clock: self.clock.clone() })
    }

    /// Goes back to a point, or over to that of another host with the same business and extension.
    pub fn go_to(&mut self, saved: &Saved) -> Result<(), OutboxError> {
        self.outbox.go_to(&saved.outbox)?;
        self.clock = saved.clock.clone();
        Ok(())
    }

    /// Starts: brings the catalog in if another one is in force, then recovers what was running when the store was
    /// left. What is due then waits for [`Outbox::begin`] or [`Outbox::run_until_quiet`]. The reports are those of the
    /// catalog.
    pub fn start(
        setup: &Setup,
        store: Box<dyn Store>,
        runner: Box<dyn Runner>,
        registry: Registry,
        mut clock: Clock,
    ) -> Result<(Host, Vec<Report>), StartError> {
        let Setup { folder, business } = setup;
        let mistakes = folder.own.mistakes(runner.declarations(), &folder.lines);
        if !mistakes.is_empty() {
            return Err(StartError::Catalog(mistakes));
        }
        let processor = Processor::new(store, runner, business.clone())
            .map_err(|error| StartError::Config { business: folder.name.clone(), error })?;
        let mut outbox = Outbox::new(processor, registry);
        let now = clock.now();
        // What the store was left with is decided under the catalog of this start.
        let reports = catalog::bring_in(folder, &mut outbox, now)?;
        outbox.recover(now)?;
        Ok((Host { outbox, clock }, reports))
    }

    /// Takes an event in at the clock's time, or refuses it as the intake says; see [`Processor::accept`].
    pub fn accept(&mut self, decoded: Decoded, raw: Vec<u8>) -> Result<Vec<Report>, OutboxError> {
        let Decoded { mut event, refusal, .. } = decoded;
        event.received_at = self.clock.now();
        match refusal {
            Some(refusal) => Ok(self.outbox.processor_mut().accept_refused(event, raw, refusal)?),
            None => self.outbox.accept(event, raw),
        }
    }

    /// Takes events in as [`Host::accept`] does, in their order; see [`Processor::accept_all`]. What each led to: one that
    /// is denied is not stored, and the others go on.
    pub fn accept_all(&mut self, arrived: Vec<(Decoded, Vec<u8>)>) -> Result<Vec<Stored<Vec<Report>>>, OutboxError> {
        let mut led_to = Vec::with_capacity(arrived.len());
        let mut events = Vec::new();
        for (decoded, raw) in arrived {
            let Decoded { mut event, refusal, .. } = decoded;
            event.received_at = self.clock.now();
            let denied = self.processor().check_business(&event).err();
            if refusal.is_none() && denied.is_none() {
                events.push((event, raw));
                continue;
            }
            led_to.extend(self.outbox.accept_all(std::mem::take(&mut events))?.into_iter().map(Ok));
            match (denied, refusal) {
                (Some(denied), _) => led_to.push(Err(denied)),
                (None, Some(refusal)) => {
                    led_to.push(Ok(self.outbox.processor_mut().accept_refused(event, raw, refusal)?));
                }
                (None, None) => {}
            }
        }
        led_to.extend(self.outbox.accept_all(events)?.into_iter().map(Ok));
        Ok(led_to)
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The clock, to be read or told.
    pub fn clock_mut(&mut self) -> &mut Clock {
        &mut self.clock
    }

    /// The outbox, and through it the processor and the store.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The outbox, to carry effects out.
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// The processor.
    pub fn processor(&self) -> &Processor {
        self.outbox.processor()
    }

    /// The processor, for questions and groups.
    pub fn processor_mut(&mut self) -> &mut Processor {
        self.outbox.processor_mut()
    }

    /// The hash of the state.
    pub fn state(&self) -> Stored<String> {
        host_store::state_hash(&[self.processor().store()], self.processor().declared().not_state())
    }

    /// Ends the host; what is left is the store, as after a kill, and the clock, which stands where the outbox had come to.
    pub fn stop(mut self) -> (Box<dyn Store>, Clock) {
        self.clock.advance_to(self.outbox.clock());
        let (processor, _) = self.outbox.into_parts();
        (processor.into_parts().0, self.clock)
    }
}
