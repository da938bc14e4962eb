//! `account.register` and `account.portal`: who an account is at the payment provider, and the provider's own page for it.

use crate::catalog::desk::Desk;
use crate::catalog::product::{return_url, text};
use crate::derive::customer::customer;
use crate::input::placement::metadata_naming;
use crate::model::concern::Concern;
use crate::model::effect::request;
use crate::model::halt::{Answer, Ruled, Verdict, internal, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::{ClaimKey, EffectKey, FactKey};
use crate::model::records::closed::{Closed, Erased};
use products_contract::{Effect, EffectReport, FieldErrorCode, IgnoreReason, Outcome, Refusal};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `account.register`: make a customer, once. That there is none yet holds up nothing: a checkout makes one if it must.
pub(super) fn register(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let fact = FactKey::Registered.to_string();
    if customer(desk)?.is_some() || !desk.account.record_fact(&fact)? {
        return Ok(Outcome::Duplicate(fact).into());
    }
    let payload = json!({"metadata": owner(desk)?, "email": text(body, "email")?, "name": text(body, "name")?});
    let key = EffectKey::AccountCustomer { asked_by: desk.event_hash() };
    desk.account.ask(request("stripe.customer.create", &key, &payload, Some(&Concern::Registration))?);
    Ok(Outcome::Applied.into())
}

/// `account.close`: whoever it was of is gone, which the operators and services that know people tell.
pub(super) fn close(desk: &mut Desk<'_>) -> Ruled<Verdict> {
    owner(desk)?;
    if desk.account.get::<Closed>(Closed::ID)?.is_some() {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    }
    desk.account.put(Closed::ID, Closed { at: desk.now, cancelled: BTreeSet::new(), erased: Erased::default() });
    Ok(Outcome::Applied.into())
}

/// Metadata that names the account.
fn owner(desk: &Desk<'_>) -> Ruled<Object> {
    let named = metadata_naming(&desk.account.owned()?);
    Ok(named.ok_or_else(|| Refusal::RequirementUnmet("a user or an organization".to_owned()))?)
}

/// `account.portal`: a link to the provider's page about the account; who is no customer yet becomes one first.
pub(super) fn portal(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let settings = desk.catalog.settings()?;
    let given = return_url(body, "return_url", &settings.origins)?.or_else(|| settings.success_url.clone());
    let return_url = given.ok_or_else(|| wrong_field("/return_url", FieldErrorCode::Missing, "required"))?;
    match customer(desk)? {
        Some(customer) => link(desk, &customer, &return_url)?,
        None => {
            let key = EffectKey::AccountCustomer { asked_by: desk.event_hash() };
            let about = Concern::CustomerForPortal { return_url };
            let effect = request("stripe.customer.create", &key, &json!({"metadata": owner(desk)?}), Some(&about))?;
            desk.account.ask(Effect { reply_to: desk.reply_to.cloned(), ..effect });
        }
    }
    Ok(Outcome::Applied.into())
}

fn link(desk: &mut Desk<'_>, customer: &str, return_url: &str) -> Ruled<()> {
    let key = EffectKey::Portal { asked_by: desk.event_hash() };
    let payload = json!({"customer": customer, "return_url": return_url});
    let effect = request("stripe.portal.create", &key, &payload, Some(&Concern::Portal))?;
    desk.account.ask(Effect { reply_to: desk.reply_to.cloned(), ..effect });
    Ok(())
}

/// The customer for a portal exists, or could not be made.
pub(super) fn customer_made(desk: &mut Desk<'_>, return_url: &str, report: &EffectReport) -> Ruled<Verdict> {
    let answer = match &report.answer {
        Ok(answer) => answer,
        Err(failure) => {
            let refusal = Refusal::BadTransition(format!("customer {}", failure.code));
            return Ok(Verdict::answered(Answer::Refused(refusal)));
        }
    };
    let answer: Object = decode("effects", &report.key, answer)?;
    let Some(customer) = answer.get("id").and_then(Value::as_str) else {
        return Err(internal(format!("{} answered without an id", report.key)));
    };
    desk.account.claim([ClaimKey::Customer(customer)])?;
    link(desk, customer, return_url)?;
    Ok(Outcome::Applied.into())
}

/// The portal's page exists, or could not be made.
pub(super) fn opened(report: &EffectReport) -> Ruled<Verdict> {
    Ok(Verdict::answered(match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            Answer::Value(encode(&json!({"portal_url": answer.get("url")}))?)
        }
        Err(failure) => Answer::Refused(Refusal::BadTransition(format!("portal {}", failure.code))),
    }))
}
