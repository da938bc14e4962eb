//! Lists Stripe events, to find those whose webhook deliveries were lost.

use crate::stripe::api::Api;
use crate::stripe::config::Mode;
use crate::stripe::failure::Failed;
use crate::stripe::payload::is_id;
use crate::stripe::provider::Stripe;
use crate::stripe::recovery::pages_after;
use host_provider_api::{EventList, EventQuery, ListedEvents};

/// Maximum number of events in a list: about 30 MB in memory. Longer lists are read in parts.
pub const EVENTS_MAX: usize = 2_000;
/// Events per page.
const PAGE: usize = 100;

impl Stripe {
    /// Lists events, newest first: at most `max`, and no more than [`EVENTS_MAX`]. Stripe keeps events for thirty days.
    ///
    /// # Errors
    ///
    /// Fails if an id or the mode's key is invalid, or if a request fails.
    pub fn events(&self, query: &EventQuery<'_>, max: usize) -> Result<ListedEvents, Failed> {
        let EventQuery { livemode, connected_account, since_s, before } = *query;
        if connected_account.is_some_and(|id| !is_id(id)) {
            return Err(Failed::Payload { member: "connected_account", expected: "an id of Stripe" });
        }
        if before.is_some_and(|id| !is_id(id)) {
            return Err(Failed::Payload { member: "before", expected: "an id of Stripe" });
        }
        let mode = if livemode { Mode::Live } else { Mode::Test };
        let api = Api::new(&self.config, &self.client, mode)?.on_behalf_of(connected_account);
        let (max, since) = (max.min(EVENTS_MAX), since_s.to_string());
        let (mut events, mut is_complete) = (Vec::new(), true);
        let (filter, pages_max) = ([("created[gte]", since.as_str())], max.div_ceil(PAGE).max(1));
        let whole = pages_after(&api, "/events", &filter, before, pages_max, &mut |event| {
            is_complete = events.len() < max;
            if is_complete {
                events.push(api.redacted().value(event));
            }
            Ok(is_complete)
        })?;
        Ok(ListedEvents { events, is_complete: is_complete && whole })
    }
}

impl EventList for Stripe {
    fn events(&self, query: &EventQuery<'_>) -> Result<ListedEvents, String> {
        Stripe::events(self, query, EVENTS_MAX).map_err(|failed| failed.to_string())
    }
}
