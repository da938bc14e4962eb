//! From the outbox to providers and back as events.
//!
//! An effect is begun only after that is durable, and its result comes into the inbox in the same group as the outbox
//! row is finished: a crash between the two leaves a running effect, which [`Executor::recover`] repeats under the same
//! key. There is no clock in here, the caller passes the time.
//!
//! The deadline of an effect that waits for the one before it (by ordering key) is judged when its turn comes.

mod events;
mod executor;
mod policy;
mod waiting;

pub use executor::{EFFECTS_MAX, Executor, ExecutorError};
pub use policy::{DEFAULT_RETRY, retry_delay_ms};
