//! Dispatches calls to the handlers of their kinds.

use crate::http::Client;
use crate::stripe::api::Api;
use crate::stripe::config::{Config, Mode};
use crate::stripe::failure::Failed;
use crate::stripe::kinds::{
    catalog, checkout, connect, customer, invoice, meter_event, payment, preview, promotion_code, refund, retrieve,
    subscription, transfer,
};
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::Value;

type Handler = fn(&Api<'_>, &Call) -> Result<Value, Failed>;

/// Effect kinds and their handlers.
const HANDLERS: [(&str, Handler); 25] = [
    ("stripe.account.create", connect::create),
    ("stripe.account.link", connect::link),
    ("stripe.checkout.create", checkout::create),
    ("stripe.checkout.expire", checkout::expire),
    ("stripe.credit.create", customer::credit),
    ("stripe.customer.create", customer::create),
    ("stripe.customer.update", customer::update),
    ("stripe.invoice.create", invoice::create),
    ("stripe.invoice.preview", preview::preview),
    ("stripe.meter_event.create", meter_event::create),
    ("stripe.payment.create", payment::create),
    ("stripe.portal.create", customer::portal),
    ("stripe.price.create", catalog::price),
    ("stripe.product.create", catalog::product),
    ("stripe.promotion_code.create", promotion_code::create),
    ("stripe.promotion_code.update", promotion_code::update),
    ("stripe.refund.create", refund::create),
    ("stripe.retrieve", retrieve::retrieve),
    ("stripe.subscription.cancel", subscription::cancel),
    ("stripe.subscription.keep", subscription::keep),
    ("stripe.subscription.pause", subscription::pause),
    ("stripe.subscription.resume", subscription::resume),
    ("stripe.subscription.trial", subscription::trial),
    ("stripe.subscription.update", subscription::update),
    ("stripe.transfer.create", transfer::create),
];

/// The effect kinds of the provider.
pub const KINDS: [&str; HANDLERS.len()] = {
    let mut kinds = [""; HANDLERS.len()];
    let mut at = 0;
    while at < kinds.len() {
        kinds[at] = HANDLERS[at].0;
        at += 1;
    }
    kinds
};

/// Stripe's error code for an idempotency key that was already used with other parameters.
const REUSED_KEY: &str = "idempotency_error";
/// Kinds that are requested again under another key in that case. None of them moves money, and what they create belongs to the account.
const REQUESTED_AGAIN: [&str; 5] = [
    "stripe.account.create",
    "stripe.account.link",
    "stripe.customer.create",
    "stripe.customer.update",
    "stripe.portal.create",
];

/// Carries out `stripe.*` effects. The provider has no state of its own.
pub struct Stripe {
    pub(crate) config: Config,
    pub(crate) client: Client,
}

impl Stripe {
    /// Creates the provider with these settings. The key of a mode is checked at the first call in that mode.
    pub fn new(config: Config) -> Stripe {
        let client = Client::new(&config.url, config.limits);
        Stripe { config, client }
    }

    fn carry_out(&self, handler: Handler, call: &Call) -> CallOutcome {
        let api = match Mode::of(&call.scope).and_then(|mode| Api::new(&self.config, &self.client, mode)) {
            Ok(api) => api,
            Err(failed) => return failed.into(),
        };
        let outcome = match handler(&api, call) {
            // A store that was restored from a backup requested something else under this key before. Look for the objects that those
            // requests created.
            Err(Failed::Error { code, .. }) if code == REUSED_KEY && REQUESTED_AGAIN.contains(&call.kind.as_str()) => {
                handler(&api.keyed_by_parameters(), &Call { lease: call.lease.max(2), ..call.clone() })
            }
            outcome => outcome,
        };
        // Stripe's responses repeat parts of the payload, which may accidentally contain a key.
        api.redacted().outcome(outcome.map_or_else(CallOutcome::from, CallOutcome::Done))
    }
}

impl Provider for Stripe {
    fn call(&self, call: &Call) -> CallOutcome {
        match HANDLERS.iter().find(|(kind, _)| *kind == call.kind) {
            Some((_, handler)) => self.carry_out(*handler, call),
            None => CallOutcome::unsupported(call),
        }
    }
}
