//! Which events does a provider keep? A host reads them to find events whose webhook deliveries were lost.

use serde_json::Value;

/// Events that a provider keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedEvents {
    /// The events as a webhook would have, newest first.
    pub events: Vec<Value>,
    /// False if there are older events of the time asked for.
    pub is_complete: bool,
}

/// A provider that lists its events.
pub trait EventList: Send + Sync {
    /// Lists the events of a mode since `since_s`, a time of the provider in seconds since the epoch: those of the own
    /// account, or those of a connected account.
    ///
    /// # Errors
    /// Fails if the provider does not answer; the text has no secrets.
    fn events_since(
        &self,
        livemode: bool,
        connected_account: Option<&str>,
        since_s: i64,
    ) -> Result<ListedEvents, String>;
}
