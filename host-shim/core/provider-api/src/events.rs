//! Lists the events that a provider keeps. A host reads them to find events whose webhook deliveries were lost.

use serde_json::Value;

/// The query of a list of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventQuery<'a> {
    /// True for real money.
    pub livemode: bool,
    /// A connected account whose events are listed; none for the own account.
    pub connected_account: Option<&'a str>,
    /// Time of the provider since which events are listed, in seconds since the epoch.
    pub since_s: i64,
    /// The id of an event: only older ones are listed.
    pub before: Option<&'a str>,
}

/// Events kept by a provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedEvents {
    /// The events as a webhook would deliver them, newest first.
    pub events: Vec<Value>,
    /// False if there are older events in the requested period.
    pub is_complete: bool,
}

/// A provider that lists its events.
pub trait EventList: Send + Sync {
    /// Lists events, newest first, as many as reasonably fit into memory. To continue the list, pass its last event as
    /// `before`.
    ///
    /// # Errors
    /// Fails if the provider does not answer; the message contains no secrets.
    fn events(&self, query: &EventQuery<'_>) -> Result<ListedEvents, String>;
}
