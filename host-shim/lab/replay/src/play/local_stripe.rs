//! Runs `at_stripe` steps and receives the local Stripe's webhooks through the host's usual endpoint.

use super::Player;
use crate::local_stripe::{StripeServer, StripeServerError, not_here};
use extension_contract::Timestamp;
use host_intake::request::{Endpoints, Taken};
use host_scenario::error::{BadInput, Place, ReplayError};
use host_scenario::model::{AtStripe, Step};
use std::sync::Arc;

/// A local Stripe, with the endpoints that receive its webhooks.
pub(super) struct StripeConnection {
    stripe: Arc<dyn StripeServer>,
    endpoints: Endpoints,
}

impl StripeConnection {
    /// Starts the webhooks of the local Stripe in an API version.
    pub fn begin(
        stripe: Arc<dyn StripeServer>,
        business: &str,
        version: &str,
        clock: Timestamp,
    ) -> Result<StripeConnection, ReplayError> {
        let secrets = stripe.begin(version, clock).map_err(host_error)?;
        let endpoints = Endpoints { business: business.to_owned(), stripe: Some(secrets), webhooks: Vec::new() };
        Ok(StripeConnection { stripe, endpoints })
    }
}

fn host_error(error: StripeServerError) -> ReplayError {
    ReplayError::Host(error.to_string())
}

impl Player<'_> {
    /// Calls Stripe's API for an `at_stripe` step.
    pub(super) fn at_stripe(&mut self, step: &Step, call: &AtStripe) -> Result<(), ReplayError> {
        let Some(connection) = &self.stripe else { return Err(not_here(&self.scenario.file, step).into()) };
        match connection.stripe.call(call) {
            Ok(()) => Ok(()),
            Err(StripeServerError::Unavailable(why)) => Err(host_error(StripeServerError::Unavailable(why))),
            Err(error) => {
                let place = Place::line(&self.scenario.file, step.line);
                Err(BadInput::new(place, error.to_string(), "a call that Stripe accepts").into())
            }
        }
    }

    /// Advances the clocks of the host and Stripe to each scheduled change at Stripe until `until`, and receives the
    /// webhooks of each change.
    pub(super) fn time_at_stripe(&mut self, until: Timestamp) -> Result<(), ReplayError> {
        let mut passed = None;
        while let Some(due) = self.stripe.as_ref().and_then(|connection| connection.stripe.next_due(until)) {
            // Leave the loop if a change stays due after its time; otherwise, the loop would be endless.
            if passed.is_some_and(|passed| due <= passed) {
                break;
            }
            passed = Some(due);
            let reports = self.host.advance_to(due.max(self.host.clock()))?;
            self.following(&reports)?;
            self.receive_webhooks()?;
        }
        Ok(())
    }

    /// Receives webhooks until Stripe has no more. Like a server, the host responds once it has stored the event, and
    /// runs the effects afterwards.
    pub(super) fn receive_webhooks(&mut self) -> Result<(), ReplayError> {
        loop {
            let Some(connection) = &self.stripe else { return Ok(()) };
            let clock = self.host.clock();
            connection.stripe.advance_to(clock);
            let Some(delivery) = connection.stripe.next().map_err(host_error)? else { return Ok(()) };
            let answer = delivery.taken_by(&connection.endpoints);
            let not_taken = match answer.taken {
                Taken::Event(decoded, _) => {
                    let delivered = self.host.accept(*decoded, clock)?;
                    (delivery.answer)(answer.status);
                    self.first(&delivered.first)?;
                    self.following(&delivered.following)?;
                    let reports = self.host.settle()?;
                    self.following(&reports)?;
                    continue;
                }
                Taken::Nothing(why) => why,
                Taken::Quarantined(_) => "no event",
            };
            (delivery.answer)(answer.status);
            self.failures.delivery(answer.status, not_taken);
        }
    }
}
