//! A host: the outbox and the clock of one business in one mode. It accepts events and can be stopped.

use crate::clock::Clock;
use crate::outbox::{self, Outbox, OutboxError};
use crate::processor::{Arrived, Processor, Report};
use host_intake::Decoded;
use host_store::{MemoryStore, Store, Stored};

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
    /// Saves the current state; none if the store cannot be forked. Providers save their own state separately.
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

    /// Creates a host over an outbox.
    pub fn new(outbox: Outbox, clock: Clock) -> Host {
        Host { outbox, clock }
    }

    /// Accepts an event at the clock's time; see [`Processor::accept`].
    ///
    /// # Errors
    /// Fails if the store fails, or with [`StoreError::Misuse`](host_store::StoreError::Misuse) for an event of another business.
    pub fn accept(&mut self, mut decoded: Decoded, raw: Vec<u8>) -> Result<Vec<Report>, OutboxError> {
        decoded.event.received_at = self.clock.now();
        self.outbox.accept(decoded, raw)
    }

    /// Accepts events at the clock's time, or at the time at which they were decided ahead; see [`Processor::accept_all`].
    ///
    /// # Errors
    /// Fails if the store fails.
    pub fn accept_all(&mut self, mut arrived: Vec<Arrived>) -> Result<Vec<Stored<Vec<Report>>>, OutboxError> {
        for one in arrived.iter_mut().filter(|one| one.ahead.is_none()) {
            one.decoded.event.received_at = self.clock.now();
        }
        self.outbox.accept_all(arrived)
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the clock, for reading or for setting it.
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
