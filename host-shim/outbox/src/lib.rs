//! From the outbox to providers and back as events.
//!
//! An effect is begun only after that is durable, and its result comes into the inbox in the same group as the outbox
//! row is finished: a crash between the two leaves a running effect, which [`Outbox::recover`] repeats under the same
//! key. Who carries it out holds a lease with a number; a lease that ran out is taken again under a higher one. There
//! is no clock in here, the caller passes the time.
//!
//! The deadline of an effect that waits for the one before it (by ordering key) is judged when its turn comes.

mod agenda;
mod events;
mod outbox;
mod policy;
mod queue;

pub use outbox::{Begun, EFFECTS_MAX, LEASE_MS, Outbox, OutboxError};
pub use policy::{DEFAULT_RETRY, retry_delay_ms};
