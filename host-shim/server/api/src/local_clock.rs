//! The local services that share the clock of a server in local mode.

use extension_contract::Timestamp;

/// The local services that share the clock, such as a local Stripe. The methods may block.
pub trait LocalClock: Send + Sync {
    /// Returns the time, at most `until`, at which a service next acts on its own, or none if no service does.
    fn next_due(&self, until: Timestamp) -> Option<Timestamp>;
    /// Advances the services, and waits until their webhooks have been delivered.
    fn advance_to(&self, to: Timestamp);
    /// Saves by how many milliseconds the host's clock is ahead of the system clock, for the next start.
    fn keep_ahead_ms(&self, ahead_ms: i64);
}
