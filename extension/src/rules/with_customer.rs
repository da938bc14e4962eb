//! Creates the Stripe customer before a registration, portal page or checkout, unless the account has one. The customer
//! is requested once; other requests wait for it.

use super::unattended_result;
use crate::catalog::desk::Desk;
use crate::derive::customer::customer;
use crate::input::placement::metadata_naming;
use crate::model::concern::Concern;
use crate::model::effect::request;
use crate::model::halt::{Answer, Ruled, Verdict, internal};
use crate::model::json::{Object, decode};
use crate::model::keys::{ClaimKey, EffectKey};
use crate::model::records::customer::{AwaitsPortal, CustomerRequest};
use crate::model::records::purchase::{AwaitsCustomer, PurchaseRow, Step};
use extension_contract::{Effect, EffectFailure, EffectReport, Outcome, PurchaseStatus, Refusal};
use serde_json::{Value, json};

/// Returns metadata that names the account.
pub(super) fn owner(desk: &Desk<'_>) -> Ruled<Object> {
    let named = metadata_naming(&desk.account.owned()?);
    Ok(named.ok_or_else(|| Refusal::RequirementUnmet("a user or an organization".to_owned()))?)
}

/// Requests the customer with the data of a registration.
pub(super) fn register(desk: &mut Desk<'_>, payload: &Value) -> Ruled<()> {
    let key = EffectKey::AccountCustomer { asked_by: desk.event_hash() };
    match is_customer_requested(desk)? {
        true => Ok(()),
        false => request_customer(desk, &key, payload, &Concern::Registration, None),
    }
}

/// Requests the provider's portal page for the customer.
pub(super) fn open_portal(desk: &mut Desk<'_>, return_url: String) -> Ruled<()> {
    let awaits = AwaitsPortal { reply_to: desk.reply_to.cloned(), return_url };
    if let Some(customer) = customer(desk)? {
        return request_portal(desk, &customer, 0, &awaits);
    }
    if let Some(mut request) = desk.account.fetch::<CustomerRequest>(CustomerRequest::ID)? {
        request.portals.push(awaits);
        desk.account.put(CustomerRequest::ID, request);
        return Ok(());
    }
    request_customer_for_portal(desk, awaits)
}

/// Requests a checkout as soon as its customer exists.
pub(super) fn open_checkout(desk: &mut Desk<'_>, id: &str, payload: &Value) -> Ruled<()> {
    let Some(mut row) = desk.account.fetch::<PurchaseRow>(id)? else { return Ok(()) };
    row.details.awaits_customer = Some(AwaitsCustomer { checkout: payload.clone(), reply_to: desk.reply_to.cloned() });
    desk.account.put(id, row);
    match is_customer_requested(desk)? {
        true => Ok(()),
        false => request_customer_for_checkout(desk, id, payload, desk.reply_to.cloned()),
    }
}

/// Requests a checkout.
pub(super) fn request_checkout(desk: &mut Desk<'_>, id: &str, payload: &Value, reply_to: Option<String>) -> Ruled<()> {
    let about = Concern::Checkout { purchase: id.to_owned() };
    let key = EffectKey::Checkout { purchase: id.to_owned() };
    let effect = request("stripe.checkout.create", &key, payload, Some(&about))?;
    desk.account.ask(Effect { reply_to, ..effect });
    Ok(())
}

/// Handles the result of the customer request. On success, continues all waiting requests. On failure, refuses the
/// request that caused it, and requests the customer again for the next waiting request.
pub(super) fn customer_created(desk: &mut Desk<'_>, concern: &Concern, report: &EffectReport) -> Ruled<Verdict> {
    let mut request = desk.account.fetch::<CustomerRequest>(CustomerRequest::ID)?.unwrap_or_default();
    desk.account.remove::<CustomerRequest>(CustomerRequest::ID);
    let answer = match &report.answer {
        Ok(answer) => decode::<Object>("effects", &report.key, answer)?,
        Err(failure) => return customer_failed(desk, concern, report, failure, request),
    };
    let Some(customer) = answer.get("id").and_then(Value::as_str) else {
        return Err(internal(format!("{}: the result has no id", report.key)));
    };
    desk.account.claim([ClaimKey::Customer(customer)])?;
    if let Concern::CustomerForPortal { return_url } = concern {
        let first = AwaitsPortal { reply_to: desk.reply_to.cloned(), return_url: return_url.clone() };
        request.portals.insert(0, first);
    }
    for (number, awaits) in request.portals.iter().enumerate() {
        request_portal(desk, customer, number, awaits)?;
    }
    for id in waiting_checkouts(desk)? {
        let Some(mut row) = desk.account.fetch::<PurchaseRow>(&id)? else { continue };
        let Some(AwaitsCustomer { mut checkout, reply_to }) = row.details.awaits_customer.take() else { continue };
        checkout["customer"] = json!(customer);
        request_checkout(desk, &id, &checkout, reply_to)?;
        desk.account.put(&id, row);
    }
    Ok(Outcome::Applied.into())
}

fn customer_failed(
    desk: &mut Desk<'_>,
    concern: &Concern,
    report: &EffectReport,
    failure: &EffectFailure,
    mut request: CustomerRequest,
) -> Ruled<Verdict> {
    if let Concern::Customer { purchase } = concern
        && let Some(mut row) = desk.account.fetch::<PurchaseRow>(purchase)?
        && row.details.awaits_customer.take().is_some()
    {
        row.values.status = PurchaseStatus::Cancelled;
        row.details.step = Step::Failed;
        row.details.error = Some(json!({"code": failure.code}));
        desk.account.put(purchase, row);
    }
    let next = waiting_checkouts(desk)?.into_iter().next();
    if !request.portals.is_empty() {
        let awaits = request.portals.remove(0);
        request_customer_for_portal(desk, awaits)?;
        desk.account.put(CustomerRequest::ID, request);
    } else if let Some(id) = next
        && let Some(row) = desk.account.fetch::<PurchaseRow>(&id)?
        && let Some(AwaitsCustomer { checkout, reply_to }) = row.details.awaits_customer
    {
        request_customer_for_checkout(desk, &id, &checkout, reply_to)?;
    }
    Ok(match concern {
        Concern::Registration => unattended_result(desk, report)?.into(),
        _ => Verdict::answered(Answer::Refused(Refusal::BadTransition(format!("customer {}", failure.code)))),
    })
}

/// Returns the purchases whose checkout waits for the customer, in the order of their ids.
fn waiting_checkouts(desk: &mut Desk<'_>) -> Ruled<Vec<String>> {
    let all = desk.account.all::<PurchaseRow>()?.into_iter();
    Ok(all.filter(|(_, row)| row.details.awaits_customer.is_some()).map(|(id, _)| id).collect())
}

fn is_customer_requested(desk: &mut Desk<'_>) -> Ruled<bool> {
    Ok(desk.account.fetch::<CustomerRequest>(CustomerRequest::ID)?.is_some())
}

fn request_customer_for_portal(desk: &mut Desk<'_>, awaits: AwaitsPortal) -> Ruled<()> {
    let key = EffectKey::AccountCustomer { asked_by: desk.event_hash() };
    let payload = json!({"metadata": owner(desk)?});
    let about = Concern::CustomerForPortal { return_url: awaits.return_url };
    request_customer(desk, &key, &payload, &about, awaits.reply_to)
}

fn request_customer_for_checkout(
    desk: &mut Desk<'_>,
    id: &str,
    checkout: &Value,
    reply_to: Option<String>,
) -> Ruled<()> {
    let key = EffectKey::Customer { purchase: id.to_owned() };
    let about = Concern::Customer { purchase: id.to_owned() };
    request_customer(desk, &key, &json!({"metadata": checkout["metadata"]}), &about, reply_to)
}

fn request_customer(
    desk: &mut Desk<'_>,
    key: &EffectKey,
    payload: &Value,
    about: &Concern,
    reply_to: Option<String>,
) -> Ruled<()> {
    let effect = request("stripe.customer.create", key, payload, Some(about))?;
    desk.account.ask(Effect { reply_to, ..effect });
    desk.account.put(CustomerRequest::ID, CustomerRequest::default());
    Ok(())
}

/// Requests the provider's portal page for a customer. `number` distinguishes several requests of one event.
fn request_portal(desk: &mut Desk<'_>, customer: &str, number: usize, awaits: &AwaitsPortal) -> Ruled<()> {
    let asked_by = desk.event_hash();
    let asked_by = if number == 0 { asked_by } else { format!("{asked_by}-{number}") };
    let payload = json!({"customer": customer, "return_url": awaits.return_url});
    let effect = request("stripe.portal.create", &EffectKey::Portal { asked_by }, &payload, Some(&Concern::Portal))?;
    desk.account.ask(Effect { reply_to: awaits.reply_to.clone(), ..effect });
    Ok(())
}
