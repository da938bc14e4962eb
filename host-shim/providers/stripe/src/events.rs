//! Events of Stripe that may not have come by webhook.

use crate::api::Api;
use crate::config::Mode;
use crate::failure::Failed;
use crate::look::pages;
use crate::payload::is_id;
use crate::provider::Stripe;
use serde_json::Value;

/// Events that are read at most.
pub const EVENTS_MAX: usize = 10_000;
/// Events on a page.
const PAGE: usize = 100;

/// What Stripe told of.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// The events as Stripe writes them, newest first.
    pub events: Vec<Value>,
    /// False if older ones were left out for being more than were asked for.
    pub is_complete: bool,
}

impl Stripe {
    /// The events since a time in seconds since the epoch, newest first, `max` at most and never more than [`EVENTS_MAX`];
    /// those of a connected account if one is named. Stripe keeps events for thirty days.
    pub fn events_since(
        &self,
        mode: Mode,
        connected_account: Option<&str>,
        since_s: i64,
        max: usize,
    ) -> Result<Events, Failed> {
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
        Ok(Events { events, is_complete: is_complete && whole })
    }
}
