//! The interface to a local Stripe that runs during a scenario: `at_stripe` steps call its API, and it sends signed
//! webhooks.

use extension_contract::Timestamp;
use host_intake::EndpointSecrets;
use host_intake::headers::Headers;
use host_intake::request::{Endpoints, Request, WebhookReply};
use host_scenario::error::{BadInput, Place};
use host_scenario::model::{AtStripe, Step};
use std::path::Path;

/// A local Stripe. Only [`StripeServer::begin`] and [`StripeServer::advance_to`] advance its clock.
pub trait StripeServer: Send + Sync {
    /// Advances the clock and starts sending webhooks in an API version. Returns the secrets that check their
    /// signatures.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses the webhook endpoint or is unavailable.
    fn begin(&self, version: &str, clock: Timestamp) -> Result<EndpointSecrets, StripeServerError>;

    /// Calls Stripe's API on behalf of a customer or an operator.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses the call, or the call refers to an object that does not exist.
    fn call(&self, call: &AtStripe) -> Result<(), StripeServerError>;

    /// Returns the time of Stripe's next scheduled change; none if no change is due until `until`.
    fn next_due(&self, until: Timestamp) -> Option<Timestamp>;

    /// Advances Stripe's clock and carries out all changes that are due. Does nothing if `to` is in the past.
    fn advance_to(&self, to: Timestamp);

    /// Returns the next delivery; none if all webhooks are delivered or given up.
    ///
    /// # Errors
    ///
    /// Fails if the server is unavailable, or delivers nothing for too long although events are waiting.
    fn next(&self) -> Result<Option<Delivery>, StripeServerError>;
}

/// A webhook request that waits for its response.
pub struct Delivery {
    /// The request path.
    pub path: String,
    /// The headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// Arrival by the machine's clock, in milliseconds since the epoch; signatures use this clock, not the scenario's.
    pub at: Timestamp,
    /// Responds with an HTTP status.
    pub answer: Box<dyn FnOnce(u16) + Send>,
}

impl Delivery {
    /// Passes the request to these endpoints and returns their reply. The caller must pass the reply's status to
    /// [`Delivery::answer`].
    pub fn taken_by(&self, endpoints: &Endpoints) -> WebhookReply {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let (path, body) = (&self.path, self.body.clone());
        endpoints.answer(Request { method: "POST", path, headers: Headers(&headers), body }, self.at)
    }
}

/// An error of a local Stripe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeServerError {
    /// Stripe refused a call.
    #[error("Stripe refused `{call}` with {status}: {message}")]
    Refused {
        /// Method and path.
        call: String,
        /// The HTTP status.
        status: u16,
        /// Stripe's message.
        message: String,
    },
    /// A call refers to the newest object of a kind, but there is none.
    #[error("`{call}` names the newest `{kind}`, but Stripe has none")]
    NoObject {
        /// Method and path.
        call: String,
        /// The kind of object.
        kind: String,
    },
    /// Events are waiting, but none was delivered within the limit.
    #[error(
        "the local Stripe delivered nothing for {patience_s} s, although {waiting} of its events wait for their delivery"
    )]
    Silent {
        /// Number of events, counted from the oldest waiting one.
        waiting: u64,
        /// The limit in seconds: `--patience`.
        patience_s: u64,
    },
    /// The local Stripe has stopped or could not start.
    #[error("the local Stripe failed: {0}")]
    Unavailable(String),
}

/// Returns the error of an `at_stripe` step in a run that has no local Stripe.
pub fn not_here(file: &Path, step: &Step) -> BadInput {
    let expected = "`provisioner replay`, which starts a local Stripe for the scenario";
    BadInput::new(Place::line(file, step.line), "`at_stripe` needs a local Stripe", expected)
}
