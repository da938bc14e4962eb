//! Saves and restores the state of an outbox.

use super::agenda::{Agenda, EffectId};
use super::rooms::Rooms;
use super::{Called, Outbox, OutboxError};
use extension_contract::Timestamp;
use host_store::MemoryStore;
use std::collections::{BTreeMap, BTreeSet};

/// A saved state of an outbox: its store, started effects and outstanding calls.
#[derive(Debug)]
pub struct Saved {
    store: MemoryStore,
    agenda: Agenda,
    called: BTreeMap<(EffectId, u64), Called>,
    unsaved: BTreeSet<(EffectId, u64)>,
    rooms: Rooms,
    clock: Timestamp,
    fire_timers: bool,
}

impl Saved {
    /// Returns the saved rows.
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }
}

impl Outbox {
    /// Saves the current state; none if the store cannot be forked. Includes the writes of an open group.
    pub fn save(&self) -> Option<Saved> {
        Some(Saved {
            store: host_store::fork(self.processor().store())?,
            agenda: self.agenda.clone(),
            called: self.called.clone(),
            unsaved: self.unsaved.clone(),
            rooms: self.rooms.clone(),
            clock: self.clock,
            fire_timers: self.fire_timers,
        })
    }

    /// Restores a saved state, of this outbox or of another outbox with the same business and extension. The saved
    /// state stays usable.
    ///
    /// # Errors
    /// Fails in an open group.
    pub fn go_to(&mut self, saved: &Saved) -> Result<(), OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        self.processor_mut().set_store(Box::new(saved.store.fork()));
        self.agenda = saved.agenda.clone();
        self.called = saved.called.clone();
        self.unsaved = saved.unsaved.clone();
        self.rooms = saved.rooms.clone();
        self.clock = saved.clock;
        self.fire_timers = saved.fire_timers;
        Ok(())
    }
}
