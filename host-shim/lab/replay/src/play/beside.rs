//! What a Stripe beside the host tells it: each delivery goes the whole way of a request.

use super::Player;
use crate::beside::{Beside, BesideError, missing};
use extension_contract::Timestamp;
use host_intake::request::{Endpoints, Taken};
use host_scenario::error::{BadInput, Place, ReplayError};
use host_scenario::model::{AtStripe, Step};
use std::sync::Arc;

/// The Stripe, and the endpoint that it sends to.
pub(super) struct Told {
    stripe: Arc<dyn Beside>,
    endpoints: Endpoints,
}

impl Told {
    /// From here on it tells what happens, as an API version has it.
    pub fn begin(
        stripe: Arc<dyn Beside>,
        business: &str,
        version: &str,
        clock: Timestamp,
    ) -> Result<Told, ReplayError> {
        let secrets = stripe.begin(version, clock).map_err(gone)?;
        let endpoints = Endpoints { business: business.to_owned(), stripe: Some(secrets), webhooks: Vec::new() };
        Ok(Told { stripe, endpoints })
    }
}

fn gone(error: BesideError) -> ReplayError {
    ReplayError::Host(error.to_string())
}

impl Player<'_> {
    /// Somebody acts at Stripe.
    pub(super) fn at_stripe(&mut self, step: &Step, call: &AtStripe) -> Result<(), ReplayError> {
        let Some(told) = &self.told else { return Err(missing(&self.scenario.file, step).into()) };
        match told.stripe.call(call) {
            Ok(()) => Ok(()),
            Err(BesideError::Gone(why)) => Err(gone(BesideError::Gone(why))),
            Err(error) => {
                let place = Place::line(&self.scenario.file, step.line);
                Err(BadInput::new(place, error.to_string(), "a call that Stripe takes").into())
            }
        }
    }

    /// Time passes on both sides, and what happens at Stripe on the way is told at its time.
    pub(super) fn time_at_stripe(&mut self, until: Timestamp) -> Result<(), ReplayError> {
        let mut passed = None;
        while let Some(due) = self.told.as_ref().and_then(|told| told.stripe.next_due(until)) {
            // What is due and doesn't go away when its time comes is not waited for again.
            if passed.is_some_and(|passed| due <= passed) {
                break;
            }
            passed = Some(due);
            let reports = self.host.advance_to(due.max(self.host.clock()))?;
            self.following(&reports)?;
            self.hear()?;
        }
        Ok(())
    }

    /// Takes in what Stripe tells until it has nothing more to tell. An event is answered when it is stored; what it leads to
    /// comes after that, as with a server.
    pub(super) fn hear(&mut self) -> Result<(), ReplayError> {
        loop {
            let Some(told) = &self.told else { return Ok(()) };
            let clock = self.host.clock();
            told.stripe.advance_to(clock);
            let Some(delivery) = told.stripe.next().map_err(gone)? else { return Ok(()) };
            let answer = delivery.taken_by(&told.endpoints);
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
