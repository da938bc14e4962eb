//! Lists the events that a provider keeps. A host reads them to find events whose webhook deliveries were lost.

use serde_json::Value;

/// What is asked of a list of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventQuery<'a> {
    /// True for real money.
    pub livemode: bool,
    /// A connected account whose events are listed; none for the own account.
    pub connected_account: Option<&'a str>,
    /// Time of the provider from which events are listed, in seconds since the epoch.
    pub since_s: i64,
    /// The id of an event: only older ones are listed.
    pub before: Option<&'a str>,
}

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
    /// Lists events, newest first, as many as fit into memory well. The list goes on `before` its last event.
    ///
    /// # Errors
    /// Fails if the provider does not answer; the text has no secrets.
    fn events(&self, query: &EventQuery<'_>) -> Result<ListedEvents, String>;
}
