//! A Stripe beside the host while a scenario is played: customers act there, and what it tells of that comes as signed webhooks.

use extension_contract::Timestamp;
use host_intake::EndpointSecrets;
use host_intake::headers::Headers;
use host_intake::request::{Endpoints, Request, WebhookReply};
use host_scenario::error::{BadInput, Place};
use host_scenario::model::{AtStripe, Step};
use std::path::Path;

/// Such a Stripe. Its clock stands still but for [`Beside::advance_to`].
pub trait Beside: Send + Sync {
    /// From here on everything that happens there is told, as an API version has it, and signed with what is given back. Its clock
    /// goes on to a time.
    fn begin(&self, version: &str, clock: Timestamp) -> Result<EndpointSecrets, BesideError>;

    /// Makes a call of its API, as somebody else than the host.
    fn call(&self, call: &AtStripe) -> Result<(), BesideError>;

    /// When something happens there by itself next, until a time.
    fn next_due(&self, until: Timestamp) -> Option<Timestamp>;

    /// Its clock goes on to a time, and everything happens that is due. A time that has passed does nothing.
    fn advance_to(&self, to: Timestamp);

    /// The next delivery; none when everything was delivered, or given up.
    fn next(&self) -> Result<Option<Delivery>, BesideError>;
}

/// A webhook's request that waits for its answer.
pub struct Delivery {
    /// The path that it came to.
    pub path: String,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub body: Vec<u8>,
    /// When it came, by the machine's clock: signatures are of that time, whatever a scenario's clock says.
    pub at: Timestamp,
    /// Answers it with a status.
    pub answer: Box<dyn FnOnce(u16) + Send>,
}

impl Delivery {
    /// What it comes to at these endpoints; [`Delivery::answer`] is then to be told of the status.
    pub fn taken_by(&self, endpoints: &Endpoints) -> WebhookReply {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let (path, body) = (&self.path, self.body.clone());
        endpoints.answer(Request { method: "POST", path, headers: Headers(&headers), body }, self.at)
    }
}

/// Why a Stripe beside a host can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BesideError {
    /// It refuses a call.
    #[error("Stripe refuses `{call}` with {status}: {message}")]
    Refused {
        /// Method and path.
        call: String,
        /// The status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// A call names the newest of something of which there is none.
    #[error("`{call}` names the newest `{kind}`, and there is none at Stripe")]
    Nothing {
        /// Method and path.
        call: String,
        /// The kind of object.
        kind: String,
    },
    /// It is gone, or never came up.
    #[error("the Stripe beside the host: {0}")]
    Gone(String),
}

/// What is wrong with a step where no Stripe is beside the host.
pub fn missing(file: &Path, step: &Step) -> BadInput {
    let expected = "a Stripe beside the host: `host-shim replay --local-stripe`, which plays one scenario";
    BadInput::new(Place::line(file, step.line), "`at_stripe`, and there is no Stripe", expected)
}
