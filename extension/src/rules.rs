//! Decides an event: merges an object of the payment source into the records, or executes a command. Each mechanism has its own
//! file. Only this file, `command` and `commands` name the rules; what several rules do is in `actions`.

mod account;
mod campaign;
mod catalog;
mod command;
pub(crate) mod commands;
mod comparison;
mod connect;
mod correction;
mod customer;
mod customer_result;
mod dispute;
mod event;
mod granting;
mod instance;
mod invoice;
mod leaving;
mod listing;
mod meter_event;
mod metering;
mod payment;
mod price;
mod product_event;
mod purchase;
mod refund;
mod resource_result;
mod session;
mod session_found;
mod share;
mod spending;
mod step;
mod subscription;
mod subscription_schedule;
mod sync_result;
mod thin;
mod timer;
mod token;
mod top_up;
mod trial;
mod unknown_result;
mod usage;
mod usage_pull;

use crate::actions::coupons;
use crate::actions::failed_effect::{tell_operators, unattended_result};
use crate::actions::retrieve::{malformed, read_answer};
use crate::catalog::price::Interval;
use crate::desk::Desk;
use crate::input::actor;
use crate::input::stripe::Text;
use crate::input::{Body, Content, Input};
use crate::model::correlation::Correlation;
use crate::model::halt::{Halt, Ruled, Verdict};
use crate::model::keys::TimerKey;
use crate::model::message::Message;
use crate::model::records::subscription::SubscriptionRow;
use extension_contract::*;
use serde::Deserialize;

/// Decides an event, without reconciliation.
pub(crate) fn decide(desk: &mut Desk<'_>, event: &Event, input: Input<'_>) -> Ruled<Verdict> {
    let is_request = matches!(event.payload, Payload::Command(_) | Payload::Product(_));
    if is_request && !actor::may_act(event, desk.account.owner(), &desk.catalog.settings()?.may) {
        let refusal = Refusal::Forbidden(format!("{} may not act in this account", event.actor.subject));
        return Err(Halt::Refused(refusal));
    }
    match input.content? {
        Content::Payment(Body::Price(_)) if is_connected(event) => Ok(Outcome::Ignored(IgnoreReason::NotOurs).into()),
        Content::Payment(body) => payment(desk, body).map(Verdict::from),
        Content::Product(change) => product_event::decide(desk, change).map(Verdict::from),
        Content::Command(body) => command::decide(desk, &body),
        Content::Fact(body) => event::decide(desk, &body),
        Content::CatalogLoad(payload) => {
            let (all, of_owners) = (commands::kinds(), commands::kinds_of_owners());
            catalog::load(desk, payload, &catalog::Kinds { all, of_owners })
        }
        Content::Usage(batch) => usage::decide(desk, batch).map(Verdict::from),
        Content::Timer(Some(TimerKey::Campaign { campaign: id, due })) => {
            campaign::resume(desk, &id, due).map(Verdict::from)
        }
        Content::Timer(timer) => timer::decide(desk, timer.as_ref()).map(Verdict::from),
        Content::Message(Some(Message::Share(share)), _) => share::decide(desk, &share).map(Verdict::from),
        Content::Message(Some(Message::Listing(listing)), sender) => {
            listing::requested(desk, sender, &listing).map(Verdict::from)
        }
        Content::Message(Some(Message::Listed(listed)), _) => listing::update_status(desk, listed).map(Verdict::from),
        Content::Message(Some(Message::Member(member)), sender) => {
            campaign::member_changed(desk, sender, member).map(Verdict::from)
        }
        Content::Message(Some(Message::Campaign(mail)), _) => campaign::deliver(desk, &mail).map(Verdict::from),
        Content::Message(None, _) => Ok(Outcome::Ignored(IgnoreReason::UnhandledKind).into()),
        Content::EffectResult(report, about) => effect_result(desk, report, about.as_ref()),
    }
}

/// Discards the changes of a refused event, except notices to people and what prevents a repetition.
pub(crate) fn refused(desk: &mut Desk<'_>, event: &Event, refusal: &Refusal) -> Fallible<()> {
    desk.account.keep_what_is_told();
    match event.payload {
        Payload::Product(_) => product_event::refused(desk, refusal),
        _ => Ok(()),
    }
}

/// Returns whether the event is from a connected account, whose prices are not the catalog's even if ids are equal.
fn is_connected(event: &Event) -> bool {
    event.payment.as_ref().is_some_and(|facts| facts.connected_account.is_some())
}

fn payment(desk: &mut Desk<'_>, body: Body<'_>) -> Ruled<Outcome> {
    // An event without an account fails here: it lacks an id that would lead to an account.
    if !matches!(body, Body::Unhandled | Body::Malformed(_)) {
        desk.account.owned()?;
    }
    match body {
        Body::Subscription(object, previous) => subscription::decide(desk, &object, previous.as_ref()),
        Body::SubscriptionSchedule(object) => subscription_schedule::decide(desk, &object),
        Body::Invoice(object) => invoice::decide(desk, &object),
        Body::Session(object) => session::decide(desk, &object),
        Body::Charge(object) => payment::charge(desk, &object),
        Body::Refund(object) => payment::refund(desk, &object),
        Body::Dispute(object) => dispute::decide(desk, &object),
        Body::PaymentIntent(object) => payment::intent(desk, &object),
        Body::InvoicePayment(object) => payment::invoice_payment(desk, &object),
        Body::Customer(object) => customer::decide(desk, &object),
        Body::Price(object) => price::decide(desk, &object),
        Body::ConnectedAccount(object) => connect::updated(desk, &object),
        Body::Transfer(object) => connect::reversed(desk, &object),
        // The business's own payouts do not concern any account.
        Body::Payout(object) => connect::payout_returned(desk, &object),
        Body::CreditNote(object) => payment::credit_note(desk, &object),
        Body::Deauthorized => connect::deauthorized(desk),
        Body::Thin(event) => thin::decide(desk, &event),
        // A change of the payment source's product does not affect its prices.
        Body::Unhandled if desk.kind.starts_with("product.") => Ok(Outcome::Ignored(IgnoreReason::NoChange)),
        Body::Unhandled => Ok(Outcome::Ignored(IgnoreReason::UnhandledKind)),
        Body::Malformed(halt) => Err(halt),
    }
}

fn effect_result(desk: &mut Desk<'_>, report: &EffectReport, about: Option<&Correlation>) -> Ruled<Verdict> {
    if let Some(verdict) = unknown_result::without_decision(desk, report)? {
        return Ok(verdict);
    }
    if let (Err(failure), Some(about)) = (&report.answer, about)
        && about.has_caller()
    {
        tell_operators(desk, report, failure)?;
    }
    let outcome = match about {
        Some(Correlation::Checkout { purchase }) => return purchase::checkout_created(desk, purchase, report),
        Some(Correlation::PlanChange { subscription }) => purchase::changed(desk, subscription, report)?,
        Some(Correlation::Sync { product, interval }) => {
            let interval = interval.as_deref().and_then(Interval::parse);
            return sync_result::decide(desk, product, interval, report);
        }
        Some(Correlation::PromotionCode { code }) => coupons::answered(desk, code, report)?,
        Some(Correlation::Refund { purchase, amount_minor }) => {
            return refund::completed(desk, purchase, *amount_minor, report);
        }
        Some(Correlation::FirstPeriod { subscription, amount_minor }) => {
            return refund::first_period::completed(desk, subscription, *amount_minor, report);
        }
        Some(
            correlation @ (Correlation::Registration
            | Correlation::CustomerForPortal { .. }
            | Correlation::Customer { .. }),
        ) => {
            return customer_result::decide(desk, correlation, report);
        }
        Some(Correlation::Portal) => {
            if let Err(failure) = &report.answer {
                purchase::forget_customer(desk, failure)?;
            }
            return account::portal_created(report);
        }
        Some(Correlation::Preview { change }) => return purchase::previewed(change, report),
        Some(Correlation::Connect) => return connect::account_created(desk, report),
        Some(Correlation::ConnectLink) => return connect::link_created(desk, report),
        Some(Correlation::UsageInvoice { month }) => {
            let outcome = spending::invoiced(desk, month, report)?;
            told_if_refused(desk, report, outcome)?
        }
        Some(Correlation::TopUp { purchase }) => top_up::charged(desk, purchase, report)?,
        Some(Correlation::MeterEvent { day }) => {
            let outcome = meter_event::answered(desk, day, report)?;
            told_if_refused(desk, report, outcome)?
        }
        Some(correlation @ Correlation::UsagePull { .. }) => return usage_pull::pulled(desk, correlation, report),
        Some(Correlation::Transfer { currency }) => connect::transferred(desk, currency, report)?,
        Some(Correlation::Token { token, ip }) => return token::secret_created(desk, token, ip.as_ref(), report),
        Some(Correlation::Redeem { token, expires_at }) => return token::granted(desk, token, *expires_at, report),
        Some(Correlation::Compare { subscription }) => compared(desk, subscription, report)?,
        Some(Correlation::Thin { event, kind }) => thin::retrieved(desk, event, kind, report)?,
        Some(Correlation::SessionOf { subscription }) => session_found::decide(desk, subscription, report)?,
        Some(Correlation::Retrieve { known, .. }) => retrieved(desk, report, known)?,
        Some(Correlation::Resource { instance, resource, verb }) => {
            return resource_result::decide(desk, report, instance, resource, *verb);
        }
        Some(Correlation::Watch { instance }) => resource_result::health(desk, report, instance)?,
        None => unattended_result(desk, report)?,
    };
    Ok(outcome.into())
}

/// Notifies the operators of a refusal. Returns the outcome of the answer otherwise.
fn told_if_refused(desk: &mut Desk<'_>, report: &EffectReport, outcome: Outcome) -> Ruled<Outcome> {
    match report.answer.is_ok() {
        true => Ok(outcome),
        false => unattended_result(desk, report),
    }
}

/// The type of a retrieved object.
#[derive(Deserialize)]
struct ObjectType<'a> {
    #[serde(borrow, default)]
    object: Option<Text<'a>>,
}

/// Handles the result of a retrieval. The retrieved snapshot is newer than the snapshots of the events `known`.
fn retrieved(desk: &mut Desk<'_>, report: &EffectReport, known: &[String]) -> Ruled<Outcome> {
    let Some(answer) = read_answer(desk, report)? else { return unattended_result(desk, report) };
    let object = answer.object.get();
    let kind: ObjectType<'_> = extension_reader::from_str(object).map_err(|error| malformed(report, &error))?;
    match kind.object.as_deref() {
        Some("subscription") => subscription::retrieved(desk, object, answer.date_ms, known),
        Some("invoice") => invoice::retrieved(desk, object, answer.date_ms),
        Some("charge") => payment::retrieved(desk, object),
        other => Err(Refusal::WrongShape(format!("{}: {}", report.key, other.unwrap_or("no object"))).into()),
    }
}

/// Handles a subscription that was retrieved for comparison.
fn compared(desk: &mut Desk<'_>, id: &str, report: &EffectReport) -> Ruled<Outcome> {
    if report.answer.is_err() {
        return unattended_result(desk, report);
    }
    let before = desk.account.get::<SubscriptionRow>(id)?;
    let outcome = retrieved(desk, report, &[])?;
    comparison::record(desk, id, before, report)?;
    Ok(outcome)
}
