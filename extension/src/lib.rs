//! All decisions of the instance provisioner: what an event means, what it changes and what it asks for.
//!
//! Pure: no I/O, no clock, no randomness, no state of its own. An event comes in, rows are read and written through
//! [`Imports`], effects are asked for by key. One module a mechanism; a business is data on top of them.
//!
//! Two rules keep the order of provider events from mattering. What a provider says about an object is *merged* into
//! what is stored (a rule that doesn't care which came first), and everything else (who may use what, which instance
//! runs, which timer is set) is *computed* from the merged rows by [`settle`](settle::settle), after every change.

mod catalog;
mod charge;
mod command;
mod context;
mod correlate;
mod entitlement;
mod instance;
mod invoice;
mod ledger;
mod manifest;
mod notice;
mod product;
mod purchase;
mod queries;
mod schedule;
pub mod schema;
mod session;
mod settle;
mod stripe;
mod subscription;
mod template;
mod time;
mod usage;

use context::{Context, Stop};
use products_contract::*;

/// Version of the rows that this library writes.
pub const DATA_VERSION: u32 = 1;

/// The instance provisioner.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provisioner;

impl Extension for Provisioner {
    fn declare(&self) -> Declarations {
        manifest::declare()
    }

    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem> {
        queries::validate(host, candidate)
    }

    fn correlate(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Placement> {
        correlate::correlate(host, event)
    }

    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Handled> {
        let mut context = Context::new(host, event);
        match dispatch(&mut context) {
            Ok(handled) => Ok(handled),
            Err(Stop::Refused(refusal)) => {
                let reply = event.reply_to.as_ref().map(|_| Reply::Refused(refusal.clone()));
                Ok(Handled { outcome: Outcome::Rejected(refusal), reply })
            }
            Err(Stop::Ended(outcome)) => Ok(Handled { outcome, reply: None }),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn migrate(&self, _host: &mut dyn Imports, from: u32, _at: Timestamp) -> Fallible<()> {
        // Version 1 is the first: there is nothing older that could be brought up.
        Err(Failure::Internal(format!("no migration from data version {from}: the oldest is {DATA_VERSION}")))
    }

    fn catalog(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Offer>, Problem> {
        queries::catalog(host, question)
    }

    fn entitlements(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Entitlement>, Problem> {
        queries::entitlements(host, question)
    }

    fn usage(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, Problem> {
        queries::usage(host, question, start, end)
    }

    fn balances(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Balance>, Problem> {
        queries::balances(host, question)
    }
}

/// Which mechanism an event belongs to.
fn dispatch(context: &mut Context<'_>) -> context::Step<Handled> {
    match &context.event.payload {
        Payload::Provider(body) => stripe_event(context, body).map(plain),
        Payload::Product(change) => instance::product_event(context, change).map(plain),
        Payload::Command(payload) => command::handle(context, payload),
        Payload::Usage(batch) => usage::record(context, batch).map(plain),
        Payload::Timer(delivery) => settle::timer(context, delivery).map(plain),
        // Nothing in this version sends messages between accounts, so nothing can arrive.
        Payload::Message(_) => Ok(plain(Outcome::Ignored(IgnoreReason::UnhandledKind))),
        Payload::EffectResult(report) => command::effect_result(context, report),
    }
}

fn plain(outcome: Outcome) -> Handled {
    Handled { outcome, reply: None }
}

/// The effect of a Stripe event (requirements 7.3).
fn stripe_event(context: &mut Context<'_>, body: &[u8]) -> context::Step<Outcome> {
    match context.event.kind.as_str() {
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.deleted"
        | "customer.subscription.paused"
        | "customer.subscription.resumed"
        | "customer.subscription.pending_update_applied"
        | "customer.subscription.pending_update_expired" => subscription::event(context, body),
        "customer.subscription.trial_will_end" => subscription::trial_will_end(context, body),
        kind if kind.starts_with("invoice.") => invoice::event(context, body),
        "invoice_payment.paid" => charge::invoice_payment_event(context, body),
        kind if kind.starts_with("checkout.session.") => session::event(context, body),
        kind if kind.starts_with("charge.refund.") || kind.starts_with("refund.") => {
            charge::refund_event(context, body)
        }
        kind if kind.starts_with("charge.") => charge::event(context, body),
        kind if kind.starts_with("payment_intent.") => charge::payment_intent_event(context, body),
        "customer.created" | "customer.updated" => subscription::customer(context, body),
        "product.created" | "product.updated" | "price.created" | "price.updated" | "price.deleted"
        | "product.deleted" => catalog::provider_event(context, body),
        _ => Ok(Outcome::Ignored(IgnoreReason::UnhandledKind)),
    }
}
