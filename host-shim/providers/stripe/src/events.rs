//! Lists Stripe's events, to find events whose webhook deliveries were lost.

use crate::api::Api;
use crate::config::Mode;
use crate::failure::Failed;
use crate::payload::is_id;
use crate::provider::Stripe;
use crate::recovery::pages;
use host_provider_api::{EventList, ListedEvents};

/// Maximum events of a list.
pub const EVENTS_MAX: usize = 10_000;
/// Events per page.
const PAGE: usize = 100;

impl Stripe {
    /// Lists the events since `since_s`, a time in seconds since the epoch, newest first, at most `max` and
    /// [`EVENTS_MAX`]. With a `connected_account`, lists the events of that account. Stripe keeps events for thirty
    /// days.
    ///
    /// # Errors
    ///
    /// Fails if the id of the connected account or the mode's key is invalid, or if a request fails.
    pub fn events_since(
        &self,
        mode: Mode,
        connected_account: Option<&str>,
        since_s: i64,
        max: usize,
    ) -> Result<ListedEvents, Failed> {
        if connected_account.is_some_and(|id| !is_id(id)) {
            return Err(Failed::Payload { member: "connected_account", expected: "an id of Stripe" });
        }
        let api = Api::new(&self.config, &self.client, mode)?.on_behalf_of(connected_account);
        let (max, since) = (max.min(EVENTS_MAX), since_s.to_string());
        let (mut events, mut is_complete) = (Vec::new(), true);
        let whole = pages(&api, "/events", &[("created[gte]", &since)], max.div_ceil(PAGE).max(1), &mut |event| {
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
    fn events_since(
        &self,
        livemode: bool,
        connected_account: Option<&str>,
        since_s: i64,
    ) -> Result<ListedEvents, String> {
        let mode = if livemode { Mode::Live } else { Mode::Test };
        Stripe::events_since(self, mode, connected_account, since_s, EVENTS_MAX).map_err(|failed| failed.to_string())
    }
}
