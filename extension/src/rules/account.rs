//! `account.register`, `account.portal` and `account.close`: the account's customer at the payment provider, the
//! provider's portal page, and the closing of an account.

use crate::actions::customer::{self, owner};
use crate::actions::listed::unlist_all;
use crate::catalog::desk::Desk;
use crate::catalog::product::{return_url, text};
use crate::derive::customer::customer as known_customer;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::FactKey;
use crate::model::records::closed::{Closed, Erased};
use extension_contract::{EffectReport, FieldErrorCode, IgnoreReason, Outcome, Refusal};
use serde_json::json;
use std::collections::BTreeSet;

/// `account.register`: creates the customer, once. A checkout need not wait for the customer: the checkout creates a
/// customer if required.
pub(super) fn register(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let fact = FactKey::Registered.to_string();
    if known_customer(desk)?.is_some() || !desk.account.record_fact(&fact)? {
        return Ok(Outcome::Duplicate(fact).into());
    }
    let payload = json!({"metadata": owner(desk)?, "email": text(body, "email")?, "name": text(body, "name")?});
    customer::register(desk, &payload)?;
    Ok(Outcome::Applied.into())
}

/// `account.close`: marks the account as closed, and takes its products off sale. Operators and services request this when the account's owner has left.
pub(super) fn close(desk: &mut Desk<'_>) -> Ruled<Verdict> {
    owner(desk)?;
    if desk.account.get::<Closed>(Closed::ID)?.is_some() {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    }
    let (cancelled, expired) = (BTreeSet::new(), BTreeSet::new());
    desk.account.put(Closed::ID, Closed { at: desk.now, cancelled, expired, erased: Erased::default() });
    unlist_all(desk)?;
    Ok(Outcome::Applied.into())
}

/// `account.portal`: requests a link to the provider's portal page. Creates the customer first if there is none.
pub(super) fn portal(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let settings = desk.catalog.settings()?;
    let given = return_url(body, "return_url", &settings.origins)?.or_else(|| settings.success_url.clone());
    let return_url = given.ok_or_else(|| wrong_field("/return_url", FieldErrorCode::Missing, "required"))?;
    customer::open_portal(desk, return_url)?;
    Ok(Outcome::Applied.into())
}

/// Handles the result of the portal request.
pub(super) fn portal_created(report: &EffectReport) -> Ruled<Verdict> {
    Ok(Verdict::answered(match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            Answer::Value(encode(&json!({"portal_url": answer.get("url")}))?)
        }
        Err(failure) => Answer::Refused(Refusal::BadTransition(format!("portal {}", failure.code))),
    }))
}
