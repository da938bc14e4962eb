//! All decisions of the instance provisioner: which rows an event changes and which effects it enqueues.
//!
//! The library is pure: it has no I/O, clock, randomness or state. For each event, [`Provisioner`] reads the account
//! through [`Imports`] and returns one [`Decision`]. The code contains mechanisms only; a business is data in the
//! catalog.
//!
//! Each layer uses only the layers above it, which `tests/layers.rs` checks:
//!
//! | layer | content |
//! |---|---|
//! | [`model`] | the account with its records, keys, and `merge` |
//! | [`catalog`] | the catalog language, prices, policies and their checks |
//! | [`desk`] | the context of a decision, and an instance during a decision |
//! | [`input`] | parses an event and finds its account |
//! | [`derive`] | computes plans and entitlements from the records |
//! | [`actions`] | what several rules do |
//! | [`rules`] | merges an event's object into the records, or executes a command |
//! | [`reconcile`] | brings the actual state to the desired state |
//! | [`queries`] | answers questions without changing anything |

mod actions;
mod catalog;
mod derive;
mod desk;
#[cfg(test)]
mod effects_document;
mod input;
mod manifest;
mod model;
mod queries;
mod reconcile;
mod rules;

pub use catalog::product::PRODUCT_MEMBERS;
pub use catalog::schema;
pub use model::data_version::{DATA_VERSION, DATA_VERSION_MIN};
pub use rules::commands::table as commands_table;

use catalog::view::Catalog;
use desk::Desk;
use extension_contract::{Account as Owner, *};
use input::Content;
use model::account::Account;
use model::halt::{Answer, Halt, Ruled, Verdict};
use model::keys::TimerKey;
use model::reader::Reader;
use std::rc::Rc;

/// The instance provisioner, an [`Extension`] without state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provisioner;

impl Extension for Provisioner {
    fn declare(&self) -> Declarations {
        manifest::declare()
    }

    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem> {
        // The mode is irrelevant here: it only selects price ids.
        queries::validate(&Catalog::new(Rc::new(Reader::new(host)), false), candidate)
    }

    fn handle(&self, host: &mut dyn Imports, event: &Event) -> Fallible<Decision> {
        let mut input = input::read(event);
        match input::newcomer::place(host, event, &mut input) {
            Ok(()) => {}
            Err(Halt::Failed(failure)) => return Err(failure),
            // Only stored data that cannot be read stops here, and the rule meets it again.
            Err(Halt::Refused(_) | Halt::Ended(_)) => {}
        }
        if event.account.is_none() && !input.placement.can_lead_to_account() {
            return decide_without_account(host, event, input);
        }
        let opened = match host.open(&input.placement, &input.facts)? {
            Opened::Here(here) => *here,
            // The host itself parks, ignores or rejects the event.
            Opened::Elsewhere => {
                if let Some(session) = input.paid_session_of_ours() {
                    let fields = [("session".to_owned(), session.to_owned())];
                    host.log_write(LogLevel::Error, "no account holds this paid checkout session", &fields);
                }
                return Ok(Decision::of(Outcome::Ignored(IgnoreReason::NotOurs)));
            }
        };
        let mut desk = desk(host, event, Some(opened.account));
        let facts: Vec<(String, bool)> = input.facts.iter().cloned().zip(opened.facts).collect();
        desk.catalog.take_in(opened.catalog, &input.placement.names);
        let taken_in = desk.account.take_in(opened.rows, &input.placement.names, &facts);
        let decided = taken_in.and_then(|()| decide(&mut desk, event, input));
        conclude(desk, event, decided)
    }

    fn catalog(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Offer>, Problem> {
        queries::run(host, question, "catalog", queries::catalog)
    }

    fn entitlements(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Entitlement>, Problem> {
        queries::run(host, question, "entitlements", queries::entitlements)
    }

    fn usage(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, Problem> {
        queries::run(host, question, "usage", |desk| queries::usage(desk, start, end))
    }

    fn balances(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Balance>, Problem> {
        queries::run(host, question, "balances", queries::balances)
    }

    fn list(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, Problem> {
        queries::list(host, question, kind, filter, page)
    }
}

/// Creates the desk: the context in which an event is decided.
fn desk<'d>(host: &'d mut dyn Imports, event: &'d Event, owner: Option<Owner>) -> Desk<'d> {
    let reader = Rc::new(Reader::new(host));
    Desk {
        account: Account::new(reader.clone(), owner),
        catalog: Catalog::new(reader, event.livemode == Some(true)),
        now: event.received_at,
        provider_time: event.provider.as_ref().and_then(|facts| facts.time).unwrap_or(event.received_at),
        business: &event.business,
        event_id: &event.id,
        kind: &event.kind,
        actor: &event.actor,
        provider: event.provider.as_ref(),
        reply_to: event.reply_to.as_ref(),
    }
}

/// Decides an event without an account. The rules cannot read or write rows.
fn decide_without_account(host: &mut dyn Imports, event: &Event, input: input::Input<'_>) -> Fallible<Decision> {
    let mut desk = desk(host, event, None);
    let outcome = match rules::decide(&mut desk, event, input) {
        Ok(verdict) => verdict.outcome,
        Err(Halt::Refused(refusal)) => Outcome::Rejected(refusal),
        Err(Halt::Ended(outcome)) => outcome,
        // The missing part is an id that would lead to an account.
        Err(Halt::Failed(_)) => Outcome::Rejected(Refusal::Malformed("/data/object/id".to_owned())),
    };
    Ok(Decision::of(outcome))
}

/// Applies the event's rule, then all stages of the reconciliation.
fn decide(desk: &mut Desk<'_>, event: &Event, input: input::Input<'_>) -> Ruled<Verdict> {
    let is_timer = matches!(input.content, Ok(Content::Timer(_)));
    let is_continuation = matches!(input.content, Ok(Content::Timer(Some(TimerKey::Continue { .. }))));
    let mut verdict = rules::decide(desk, event, input)?;
    if verdict.stands
        || desk.account.is_platform()
        || matches!(verdict.outcome, Outcome::Rejected(_) | Outcome::Deferred(_))
    {
        return Ok(verdict);
    }
    if !is_timer && !desk.account.is_touched() {
        return Ok(verdict);
    }
    let desired = reconcile::stages(desk, is_continuation)?;
    if is_too_old_for_mail(desk)? {
        desk.account.hold_back_mails();
    }
    let changed = !is_timer || desk.account.is_changed()?;
    reconcile::apply_schedule(desk, desired)?;
    if !changed {
        verdict.outcome = Outcome::Ignored(IgnoreReason::NoChange);
    }
    Ok(verdict)
}

/// Returns whether the provider's event is too old for a mail about it to be useful.
fn is_too_old_for_mail(desk: &Desk<'_>) -> Ruled<bool> {
    Ok(desk.provider_time < desk.now && desk.catalog.settings()?.mail_within.after(desk.provider_time) < desk.now)
}

/// Converts the result of the rules and the changed account into a decision.
fn conclude(mut desk: Desk<'_>, event: &Event, decided: Ruled<Verdict>) -> Fallible<Decision> {
    let waits = event.reply_to.is_some();
    match decided {
        Ok(Verdict { outcome, answer, .. }) => {
            let reply = match answer {
                Answer::None => None,
                Answer::Value(value) => Some(Reply::Answer(value)),
                Answer::Refused(refusal) => Some(Reply::Refused(refusal)),
                Answer::Product(id) => Some(Reply::Answer(queries::product_answer(&mut desk, &id)?)),
            };
            desk.account.into_decision(outcome, reply)
        }
        Err(Halt::Ended(outcome)) => desk.account.into_decision(outcome, None),
        Err(Halt::Refused(refusal)) => {
            desk.account.keep_what_is_told();
            let reply = waits.then(|| Reply::Refused(refusal.clone()));
            let is_forbidden = matches!(refusal, Refusal::Forbidden(_));
            if let (Payload::Product(_), false) = (&event.payload, is_forbidden) {
                let fact = model::keys::FactKey::ProductEvent(&desk.event_hash()).to_string();
                if let Ok(false) = desk.account.is_known(&fact) {
                    desk.account.record_new_fact(fact);
                }
            }
            desk.account.into_decision(Outcome::Rejected(refusal), reply)
        }
        Err(Halt::Failed(failure)) => Err(failure),
    }
}
