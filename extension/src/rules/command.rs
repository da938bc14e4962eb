//! Dispatches commands. Lists each command's required and allowed members, and checks who may give the command.

use super::{
    account, campaign, catalog, connect, instance, listing, metering, purchase, refund, spending, step, token,
};
use crate::catalog::checks::one_of;
use crate::catalog::desk::Desk;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::Object;
use crate::model::records::closed::Closed;
use extension_contract::{ActorKind, FieldErrorCode, Outcome, Refusal};
use serde_json::Value;

/// All commands with the required members of their payloads (for the manifest).
pub(crate) const COMMANDS: [(&str, &[&str]); 32] = [
    ("catalog.load", &[]),
    ("product.create", &["name"]),
    ("product.update", &["id"]),
    ("product.list", &[]),
    ("instance.create", &["name"]),
    ("instance.keep", &["id"]),
    ("instance.suspend", &["id"]),
    ("instance.resume", &["id"]),
    ("instance.retry", &["id"]),
    ("instance.delete", &["id", "confirm"]),
    ("purchase.create", &[]),
    ("subscription.change", &[]),
    ("subscription.cancel", &[]),
    ("step.complete", &["id", "step"]),
    ("step.assign", &["id", "step", "to"]),
    ("step.abandon", &["id", "step"]),
    ("campaign.create", &["name", "template"]),
    ("campaign.send", &["id"]),
    ("campaign.cancel", &["id"]),
    ("mail.subscribe", &[]),
    ("mail.unsubscribe", &[]),
    ("token.issue", &["product"]),
    ("token.redeem", &["id", "sha256"]),
    ("token.revoke", &["id"]),
    ("usage.admit", &["meter"]),
    ("usage.consume", &["key"]),
    ("usage.invoice", &["month"]),
    ("account.close", &[]),
    ("account.connect", &[]),
    ("account.portal", &[]),
    ("account.register", &[]),
    ("purchase.refund", &["id"]),
];

/// Allowed members of commands' payloads. Commands with a product are missing here, because they are checked against
/// the product's type.
const MEMBERS: [(&str, &[&str]); 27] = [
    ("instance.keep", &["id"]),
    ("instance.suspend", &["id"]),
    ("instance.resume", &["id"]),
    ("instance.retry", &["id"]),
    ("instance.delete", &["id", "confirm"]),
    (
        "purchase.create",
        &[
            "plan_id",
            "product_id",
            "plan",
            "product_type",
            "item",
            "interval",
            "quantity",
            "success_url",
            "cancel_url",
            "payment_method",
            "product",
        ],
    ),
    ("subscription.change", &["plan_id", "product_id", "plan", "interval", "quantity"]),
    ("subscription.cancel", &["id", "at_period_end"]),
    ("step.complete", &["id", "step", "outputs"]),
    ("step.assign", &["id", "step", "to"]),
    ("step.abandon", &["id", "step"]),
    ("campaign.create", &["name", "template", "audience", "enrols"]),
    ("campaign.send", &["id", "at"]),
    ("campaign.cancel", &["id"]),
    ("mail.subscribe", &[]),
    ("mail.unsubscribe", &[]),
    ("token.issue", &["product", "name", "ip"]),
    ("token.redeem", &["id", "sha256", "ip"]),
    ("token.revoke", &["id", "ip"]),
    ("usage.admit", &["meter"]),
    ("usage.consume", &["key", "amount", "id"]),
    ("usage.invoice", &["month"]),
    ("account.close", &[]),
    ("account.connect", &["return_url", "refresh_url"]),
    ("account.portal", &["return_url"]),
    ("account.register", &["email", "name"]),
    ("purchase.refund", &["id", "amount", "reason"]),
];

/// Fails if the actor is a user.
pub(super) fn operators_only(desk: &Desk<'_>) -> Ruled<()> {
    match desk.actor.kind {
        ActorKind::User => Err(Refusal::Forbidden("only operators do it".to_owned()).into()),
        _ => Ok(()),
    }
}

/// Fails if the account is the platform.
pub(super) fn not_the_platform(desk: &Desk<'_>) -> Ruled<()> {
    match desk.account.is_platform() {
        true => Err(Refusal::RequirementUnmet("a user or an organization".to_owned()).into()),
        false => Ok(()),
    }
}

/// Fails if the account was closed.
pub(super) fn not_closed(desk: &mut Desk<'_>) -> Ruled<()> {
    match desk.account.get_here::<Closed>(Closed::ID)? {
        Some(_) => Err(Refusal::RequirementUnmet("account_closed".to_owned()).into()),
        None => Ok(()),
    }
}

/// Fails if the payload has an unknown member. If the member were ignored, the caller would assume that it had an
/// effect.
fn check_members(kind: &str, body: &Object) -> Ruled<()> {
    let Some((_, members)) = MEMBERS.iter().find(|(command, _)| *command == kind) else { return Ok(()) };
    match body.keys().find(|key| !members.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let message = format!("expected {}", one_of(members));
            Err(wrong_field(&format!("/{key}"), FieldErrorCode::UnknownField, message))
        }
    }
}

/// Commands for operators and services only, independent of roles.
const OPERATOR_COMMANDS: [&str; 5] =
    ["account.close", "instance.suspend", "step.abandon", "step.assign", "usage.invoice"];

/// Commands that are allowed in a closed account.
const ALLOWED_WHEN_CLOSED: [&str; 9] = [
    "account.close",
    "instance.delete",
    "mail.unsubscribe",
    "purchase.refund",
    "step.abandon",
    "step.assign",
    "step.complete",
    "subscription.cancel",
    "usage.invoice",
];

/// Commands without anything to reply. Their caller gets an empty object, so that it does not wait for a later reply.
const NOTHING_TO_REPLY: [&str; 7] = [
    "account.close",
    "account.register",
    "campaign.cancel",
    "mail.subscribe",
    "mail.unsubscribe",
    "token.revoke",
    "usage.invoice",
];

/// Decides a command.
pub(super) fn decide(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let mut verdict = carry_out(desk, body)?;
    let has_ended = !matches!(verdict.outcome, Outcome::Deferred(_));
    if has_ended && matches!(verdict.answer, Answer::None) && NOTHING_TO_REPLY.contains(&desk.kind) {
        verdict.answer = Answer::Value("{}".to_owned());
    }
    Ok(verdict)
}

fn carry_out(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let kind = desk.kind;
    if OPERATOR_COMMANDS.contains(&kind) {
        operators_only(desk)?;
    }
    if kind.starts_with("campaign.") {
        catalog::admin_of_platform(desk)?;
    }
    check_members(kind, body)?;
    if !ALLOWED_WHEN_CLOSED.contains(&kind) {
        not_closed(desk)?;
    }
    match kind {
        "product.create" => instance::create(desk, body),
        "instance.create" => {
            let mut body = body.clone();
            if !body.contains_key("type")
                && !body.contains_key("product_type")
                && let Some(name) = instance::only_type(desk)?
            {
                body.insert("product_type".to_owned(), Value::from(name));
            }
            instance::create(desk, &body)
        }
        "product.update" => instance::update(desk, body),
        "product.list" => listing::list(desk, body),
        "instance.keep" => instance::keep(desk, body),
        "instance.suspend" => instance::suspend(desk, body),
        "instance.resume" => instance::resume(desk, body),
        "instance.retry" => instance::retry(desk, body),
        "instance.delete" => instance::delete(desk, body),
        "step.complete" => step::complete(desk, body),
        "step.assign" => step::assign(desk, body),
        "step.abandon" => step::abandon(desk, body),
        "purchase.create" => purchase::create(desk, body),
        "subscription.change" => purchase::change_plan(desk, body),
        "subscription.cancel" => purchase::cancel(desk, body),
        "campaign.create" => campaign::create(desk, body),
        "campaign.send" => campaign::send(desk, body),
        "campaign.cancel" => campaign::cancel(desk, body),
        "mail.subscribe" => campaign::subscribe(desk, true),
        "mail.unsubscribe" => campaign::subscribe(desk, false),
        "token.issue" => token::issue(desk, body),
        "token.redeem" => token::redeem(desk, body),
        "token.revoke" => token::revoke(desk, body),
        "usage.admit" => spending::admit(desk, body),
        "usage.invoice" => spending::invoice_again(desk, body),
        "purchase.refund" => refund::refund(desk, body),
        "account.close" => account::close(desk),
        "account.portal" => account::portal(desk, body),
        "account.register" => account::register(desk, body),
        "account.connect" => connect::connect(desk, body),
        "usage.consume" => metering::consume(desk, body),
        _ => Err(Refusal::NotFound(format!("command {kind}")).into()),
    }
}
