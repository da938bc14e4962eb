//! All decisions of the instance provisioner: what an event means, what it changes and what it asks for.
//!
//! Pure: no I/O, no clock, no randomness, no state of its own. An event comes in, its account is opened through
//! [`Imports`], and a [`Decision`] goes out whole. One module a mechanism; a business is data on top of them.
//!
//! Two rules keep the order of provider events from mattering. What a provider says about an object is *merged* into
//! what is stored (a rule that doesn't care which came first), and everything else (who may use what, which instance
//! runs, which timer is set) is *computed* from the merged rows by [`settle`](settle::settle), after every change.

mod actor;
mod catalog;
mod charge;
mod command;
mod context;
mod entitlement;
mod instance;
mod invoice;
mod ledger;
mod manifest;
mod notice;
mod placement;
mod product;
mod product_event;
mod purchase;
mod queries;
mod retrieve;
mod rows;
mod schedule;
pub mod schema;
mod session;
mod settle;
mod stripe;
mod subscription;
mod template;
mod time;
mod usage;

use context::{Context, Handled, Stop};
use products_contract::*;
use rows::Rows;

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
        queries::validate(&mut Rows::new(host, None), candidate)
    }

    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Decision> {
        let placement = placement::of(event);
        let account = if event.account.is_none() && !placement.leads_somewhere() {
            None
        } else {
            match host.open(&placement, &[])? {
                Opened::Here(here) => Some(here.account),
                // The host knows what becomes of it.
                Opened::Elsewhere => return Ok(Decision::of(Outcome::Ignored(IgnoreReason::NotOurs))),
            }
        };
        decide(host, account, event)
    }

    fn catalog(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Offer>, Problem> {
        queries::catalog(&mut opened(host, question)?, question)
    }

    fn entitlements(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Entitlement>, Problem> {
        queries::entitlements(&mut opened(host, question)?, question)
    }

    fn usage(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, Problem> {
        queries::usage(&mut opened(host, question)?, question, start, end)
    }

    fn balances(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Balance>, Problem> {
        queries::balances(&mut opened(host, question)?, question)
    }

    fn list(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, Problem> {
        opened(host, question)?;
        queries::list(host, kind, filter, page)
    }
}

/// The rows of the account that a question is about, for who may look at them.
fn opened<'a>(host: &'a mut dyn Imports, question: &Question) -> Result<Rows<'a>, Problem> {
    if !actor::may_look(&question.actor, &question.account) {
        let text = format!("{} does not look at this account", question.actor.subject);
        return Err(Problem::Refused(Refusal::Forbidden(text)));
    }
    match host.open(&Placement::known(Vec::new()), &[]) {
        Ok(Opened::Here(here)) => Ok(Rows::new(host, Some(here.account))),
        Ok(Opened::Elsewhere) => {
            Err(Problem::Failed(Failure::Internal("a question was asked about no account".to_owned())))
        }
        Err(error) => Err(Problem::Failed(error.into())),
    }
}

/// Decide an event of this account; of nobody, if it names none.
fn decide(host: &mut dyn Imports, account: Option<Account>, event: &Event) -> Fallible<Decision> {
    let nobody = account.is_none();
    let mut rows = Rows::new(host, account);
    let decided = match &event.payload {
        Payload::Command(_) | Payload::Product(_) if !actor::may_act(event, rows.account()) => {
            Err(Stop::Refused(Refusal::Forbidden(format!("{} does not act in this account", event.actor.subject))))
        }
        Payload::Product(change) => product_event::handle(&mut rows, event, change),
        _ => dispatch(&mut Context::new(&mut rows, event)),
    };
    let handled = match decided {
        Ok(handled) => handled,
        Err(Stop::Refused(refusal)) => {
            rows.keep_mails();
            let reply = event.reply_to.as_ref().map(|_| Reply::Refused(refusal.clone()));
            Handled { outcome: Outcome::Rejected(refusal), reply }
        }
        Err(Stop::Ended(outcome)) => Handled { outcome, reply: None },
        // An event of nobody has no rows to be read or written: what it lacks is an id that would place it.
        Err(Stop::Failed(_)) if nobody => {
            let refusal = Refusal::Malformed("/data/object/id".to_owned());
            return Ok(Decision::of(Outcome::Rejected(refusal)));
        }
        Err(Stop::Failed(failure)) => return Err(failure),
    };
    if nobody {
        return Ok(Decision { reply: handled.reply, ..Decision::of(handled.outcome) });
    }
    if let Payload::Product(_) = event.payload {
        rows.note(&product_event::fact(event))?;
    }
    Ok(rows.decision(handled))
}

/// Which mechanism an event belongs to.
fn dispatch(context: &mut Context<'_, '_>) -> context::Step<Handled> {
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
fn stripe_event(context: &mut Context<'_, '_>, body: &[u8]) -> context::Step<Outcome> {
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
        "customer.deleted" => subscription::customer_deleted(context, body),
        "product.created" | "product.updated" | "price.created" | "price.updated" | "price.deleted"
        | "product.deleted" => catalog::provider_event(context, body),
        _ => Ok(Outcome::Ignored(IgnoreReason::UnhandledKind)),
    }
}
