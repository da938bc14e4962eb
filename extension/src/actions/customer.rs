//! Requests the Stripe customer before a registration, portal page or checkout, unless the account has one. The customer
//! is requested once; other requests wait for it.

use crate::catalog::account_name::metadata_naming;
use crate::derive::customer::customer;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::EffectKey;
use crate::model::records::customer::{AwaitsPortal, CustomerRequest};
use crate::model::records::purchase::{AwaitsCustomer, PurchaseRow};
use extension_contract::{Effect, Refusal};
use serde_json::{Value, json};

/// What a caller learns whose checkout Stripe refused.
pub(crate) const CHECKOUT_NOT_OPENED: &str = "the checkout could not be opened, and nothing was charged";
/// What a caller learns whose portal page Stripe refused.
pub(crate) const PORTAL_NOT_OPENED: &str = "the page with payment methods and receipts could not be opened";

/// Returns metadata that names the account.
pub(crate) fn owner(desk: &Desk<'_>) -> Ruled<Object> {
    let named = metadata_naming(&desk.account.owned()?);
    Ok(named.ok_or_else(|| Refusal::RequirementUnmet("a user or an organization".to_owned()))?)
}

/// Requests the customer with the data of a registration.
pub(crate) fn register(desk: &mut Desk<'_>, payload: &Value) -> Ruled<()> {
    let key = EffectKey::AccountCustomer { asked_by: desk.event_hash() };
    match is_customer_requested(desk)? {
        true => Ok(()),
        false => request_customer(desk, &key, payload, &Correlation::Registration, None),
    }
}

/// Requests Stripe's portal page for the customer.
pub(crate) fn open_portal(desk: &mut Desk<'_>, return_url: String) -> Ruled<()> {
    let awaits = AwaitsPortal { reply_to: desk.reply_to.cloned(), return_url };
    if let Some(customer) = customer(desk)? {
        return request_portal(desk, &customer, 0, &awaits);
    }
    if let Some(mut request) = desk.account.row::<CustomerRequest>(CustomerRequest::ID)? {
        request.portals.push(awaits);
        desk.account.put(CustomerRequest::ID, request);
        return Ok(());
    }
    request_customer_for_portal(desk, awaits)
}

/// Requests a checkout as soon as its customer exists.
pub(crate) fn open_checkout(desk: &mut Desk<'_>, id: &str, payload: &Value) -> Ruled<()> {
    let Some(mut row) = desk.account.row::<PurchaseRow>(id)? else { return Ok(()) };
    row.details.awaits_customer = Some(AwaitsCustomer { checkout: payload.clone(), reply_to: desk.reply_to.cloned() });
    desk.account.put(id, row);
    match is_customer_requested(desk)? {
        true => Ok(()),
        false => request_customer_for_checkout(desk, id, payload, desk.reply_to.cloned()),
    }
}

/// Requests a checkout.
pub(crate) fn request_checkout(desk: &mut Desk<'_>, id: &str, payload: &Value, reply_to: Option<String>) -> Ruled<()> {
    let about = Correlation::Checkout { purchase: id.to_owned() };
    let key = EffectKey::Checkout { purchase: id.to_owned() };
    let effect = request(&key, payload, Some(&about))?;
    desk.account.ask(Effect { reply_to, ..effect });
    Ok(())
}

/// Returns the purchases whose checkout waits for the customer, in the order of their ids.
pub(crate) fn waiting_checkouts(desk: &mut Desk<'_>) -> Ruled<Vec<String>> {
    let all = desk.account.all::<PurchaseRow>()?.into_iter();
    Ok(all.filter(|(_, row)| row.details.awaits_customer.is_some()).map(|(id, _)| id).collect())
}

fn is_customer_requested(desk: &mut Desk<'_>) -> Ruled<bool> {
    Ok(desk.account.row::<CustomerRequest>(CustomerRequest::ID)?.is_some())
}

pub(crate) fn request_customer_for_portal(desk: &mut Desk<'_>, awaits: AwaitsPortal) -> Ruled<()> {
    let key = EffectKey::AccountCustomer { asked_by: desk.event_hash() };
    let payload = json!({"metadata": owner(desk)?});
    let about = Correlation::CustomerForPortal { return_url: awaits.return_url };
    request_customer(desk, &key, &payload, &about, awaits.reply_to)
}

pub(crate) fn request_customer_for_checkout(
    desk: &mut Desk<'_>,
    id: &str,
    checkout: &Value,
    reply_to: Option<String>,
) -> Ruled<()> {
    let key = EffectKey::Customer { purchase: id.to_owned() };
    let about = Correlation::Customer { purchase: id.to_owned() };
    request_customer(desk, &key, &json!({"metadata": checkout["metadata"]}), &about, reply_to)
}

fn request_customer(
    desk: &mut Desk<'_>,
    key: &EffectKey,
    payload: &Value,
    about: &Correlation,
    reply_to: Option<String>,
) -> Ruled<()> {
    let effect = request(key, payload, Some(about))?;
    desk.account.ask(Effect { reply_to, ..effect });
    desk.account.put(CustomerRequest::ID, CustomerRequest { effect: key.to_string(), ..CustomerRequest::default() });
    Ok(())
}

/// Requests Stripe's portal page for a customer. `number` distinguishes several requests of one event.
pub(crate) fn request_portal(desk: &mut Desk<'_>, customer: &str, number: usize, awaits: &AwaitsPortal) -> Ruled<()> {
    let asked_by = desk.event_hash();
    let asked_by = if number == 0 { asked_by } else { format!("{asked_by}-{number}") };
    let payload = json!({"customer": customer, "return_url": awaits.return_url});
    let effect = request(&EffectKey::Portal { asked_by }, &payload, Some(&Correlation::Portal))?;
    desk.account.ask(Effect { reply_to: awaits.reply_to.clone(), ..effect });
    Ok(())
}
