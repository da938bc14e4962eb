//! The provider: which kind is carried out where.

use crate::api::Api;
use crate::config::{Config, Mode};
use crate::failure::Failed;
use crate::kinds::{catalog, checkout, connect, customer, invoice, refund, retrieve, subscription};
use host_http::Client;
use host_provider_api::{Call, CallOutcome, Provider};
use serde_json::Value;

type CarryOut = fn(&Api<'_>, &Call) -> Result<Value, Failed>;

/// The kinds with what carries them out.
const CARRIED_OUT: [(&str, CarryOut); 15] = [
    ("stripe.account.create", connect::create),
    ("stripe.account.link", connect::link),
    ("stripe.checkout.create", checkout::create),
    ("stripe.checkout.expire", checkout::expire),
    ("stripe.credit.create", customer::credit),
    ("stripe.customer.create", customer::create),
    ("stripe.invoice.create", invoice::create),
    ("stripe.portal.create", customer::portal),
    ("stripe.price.create", catalog::price),
    ("stripe.product.create", catalog::product),
    ("stripe.refund.create", refund::create),
    ("stripe.retrieve", retrieve::retrieve),
    ("stripe.subscription.cancel", subscription::cancel),
    ("stripe.subscription.update", subscription::update),
    ("stripe.transfer.create", connect::transfer),
];

/// The kinds that the provider carries out.
pub const KINDS: [&str; CARRIED_OUT.len()] = {
    let mut kinds = [""; CARRIED_OUT.len()];
    let mut at = 0;
    while at < kinds.len() {
        kinds[at] = CARRIED_OUT[at].0;
        at += 1;
    }
    kinds
};

/// Carries out `stripe.*` effects. It keeps nothing between calls.
pub struct Stripe {
    pub(crate) config: Config,
    pub(crate) client: Client,
}

impl Stripe {
    /// A provider with these settings; keys are looked at with the first call of their mode.
    pub fn new(config: Config) -> Stripe {
        let client = Client::new(&config.url, config.limits);
        Stripe { config, client }
    }

    fn carry_out(&self, carry_out: CarryOut, call: &Call) -> CallOutcome {
        let api = match Mode::of(&call.scope).and_then(|mode| Api::new(&self.config, &self.client, mode)) {
            Ok(api) => api,
            Err(failed) => return failed.into(),
        };
        // Stripe repeats what it was sent: a payload may hold a key by mistake.
        api.redacted().answer(carry_out(&api, call).map_or_else(CallOutcome::from, CallOutcome::Done))
    }
}

impl Provider for Stripe {
    fn call(&self, call: &Call) -> CallOutcome {
        match CARRIED_OUT.iter().find(|(kind, _)| *kind == call.kind) {
            Some((_, carry_out)) => self.carry_out(*carry_out, call),
            None => CallOutcome::unsupported(call),
        }
    }
}
