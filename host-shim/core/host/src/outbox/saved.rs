//! A point of an outbox's run that it can go back to.

use super::agenda::{Agenda, EffectId};
use super::{Outbox, OutboxError};
use extension_contract::Timestamp;
use host_store::{EffectRow, MemoryStore};
use std::collections::BTreeMap;

/// Where an outbox stood: its store, what was begun, what it waits for.
#[derive(Debug)]
pub struct Saved {
    store: MemoryStore,
    agenda: Agenda,
    called: BTreeMap<(EffectId, u64), EffectRow>,
    clock: Timestamp,
    fire_timers: bool,
}

impl Saved {
    /// The rows as they were.
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }
}

impl Outbox {
    /// The point of now; none over a store that can't be forked. What an open group holds counts as done.
    pub fn save(&self) -> Option<Saved> {
        Some(Saved {
            store: self.processor().store().fork()?,
            agenda: self.agenda.clone(),
            called: self.called.clone(),
            clock: self.clock,
            fire_timers: self.fire_timers,
        })
    }

    /// Go back to a point, or over to that of another outbox with the same business and extension. The point stays, to
    /// be gone back to again.
    pub fn go_to(&mut self, saved: &Saved) -> Result<(), OutboxError> {
        if self.processor().in_group() {
            return Err(OutboxError::GroupOpen);
        }
        self.processor_mut().set_store(Box::new(saved.store.fork()));
        self.agenda = saved.agenda.clone();
        self.called = saved.called.clone();
        self.clock = saved.clock;
        self.fire_timers = saved.fire_timers;
        Ok(())
    }
}
