//! `account.register`, `account.portal`, `account.confirm`, `account.notify` and `account.close`: the account's
//! customer at Stripe, the link to Stripe's portal page, the owner's address, mails to it, and the closing of an
//! account.

use crate::actions::customer::{self, owner};
use crate::actions::listed::unlist_all;
use crate::actions::top_up::turn_off;
use crate::catalog::product::{line, required_text};
use crate::catalog::return_address;
use crate::derive::customer::customer as known_customer;
use crate::desk::Desk;
use crate::model::effect::request;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::{ClaimKey, EffectKey, FactKey};
use crate::model::notice::send_with_secrets;
use crate::model::records::closed::Closed;
use crate::model::records::operator_grants::OperatorGrants;
use crate::model::records::top_up::TopUp;
use extension_contract::{
    ADDRESS_CLAIMS, ActorKind, EffectReport, FieldErrorCode, IgnoreReason, Outcome, Refusal, address_hash,
};
use serde_json::{Value, json};

/// `account.register`: creates the customer, once. A checkout need not wait for the customer: the checkout creates a
/// customer if required.
pub(super) fn register(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let fact = FactKey::Registered.to_string();
    if known_customer(desk)?.is_some() || !desk.account.record_fact(&fact)? {
        return Ok(Outcome::Duplicate(fact).into());
    }
    let payload = json!({"metadata": owner(desk)?, "email": line(body, "email")?, "name": line(body, "name")?});
    customer::register(desk, &payload)?;
    Ok(Outcome::Applied.into())
}

/// `account.close`: marks the account as closed, and takes its products off sale. Operators and services request this when the account's owner has left.
pub(super) fn close(desk: &mut Desk<'_>) -> Ruled<Verdict> {
    owner(desk)?;
    if desk.account.get::<Closed>(Closed::ID)?.is_some() {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    }
    desk.account.put(Closed::ID, Closed { at: desk.now, ..Closed::default() });
    // A later checkout of the address is another account's.
    let addresses = desk.account.claims_mine(ADDRESS_CLAIMS)?;
    if !addresses.is_empty() {
        desk.account.release_claims(addresses, None);
    }
    unlist_all(desk)?;
    // If the account is opened again, it may be somebody else's.
    if let Some(mut row) = desk.account.row::<TopUp>(TopUp::ID)? {
        turn_off(desk, &mut row)?;
        desk.account.put(TopUp::ID, row);
    }
    desk.account.remove::<OperatorGrants>(OperatorGrants::ID);
    Ok(Outcome::Applied.into())
}

/// `account.portal`: requests a link to Stripe's portal page. Creates the customer first if there is none.
pub(super) fn portal(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let settings = desk.catalog.settings()?;
    let return_url = return_address::given(body, "return_url", &settings.origins)?;
    customer::open_portal(desk, return_url.unwrap_or_else(|| settings.return_url.clone()))?;
    Ok(Outcome::Applied.into())
}

/// `account.confirm`: claims the hash of an address, in place of an earlier one. The claim places later checkouts that
/// name no account (`from_checkout`). After a change, the account gives up the earlier address also if another account
/// has the new one, and the customer at Stripe gets the new address.
pub(super) fn confirm(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    owner(desk)?;
    let email = required_text(body, "email")?;
    let key = String::from(ClaimKey::Address(&address_hash(&email)));
    let mut held = desk.account.claims_mine(ADDRESS_CLAIMS)?;
    if held.contains(&key) {
        return Ok(Outcome::Duplicate(key).into());
    }
    // An account with another address always gives up the earlier one.
    if let Some(taken) = desk.account.claim_free(&[key])?
        && held.is_empty()
    {
        return Err(Refusal::NameTaken(taken).into());
    }
    if !held.is_empty() {
        desk.account.release_claims(std::mem::take(&mut held), None);
        // Stripe's own mails go to the address of today, too.
        if let Some(customer) = known_customer(desk)? {
            let key = EffectKey::CustomerAddress { asked_by: desk.event_hash() };
            desk.account.ask(request(&key, &json!({"customer": customer, "email": email}), None)?);
        }
    }
    Ok(Outcome::Applied.into())
}

/// `account.notify`: sends a mail to an address. Each command sends one mail. A secret, such as a link that logs
/// somebody in, is for the recipient only, so only the host itself puts secrets into mails.
pub(super) fn notify(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let (template, to) = (required_text(body, "template")?, required_text(body, "to")?);
    let members = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(Object::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(wrong_field(&format!("/{name}"), FieldErrorCode::WrongType, "", "an object")),
    };
    let (values, secrets) = (members("values")?, members("secrets")?);
    if !secrets.is_empty() && desk.actor.kind != ActorKind::System {
        let (found, expected) = ("", "no secrets: only the server itself mails them");
        return Err(wrong_field("/secrets", FieldErrorCode::NotAllowed, found, expected));
    }
    let is_reference = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("secret:"));
    if let Some((name, _)) = secrets.iter().find(|(_, value)| !is_reference(value)) {
        let (found, expected) = ("", "a reference to a secret: `secret:NAME`");
        return Err(wrong_field(&format!("/secrets/{name}"), FieldErrorCode::BadFormat, found, expected));
    }
    let reference = desk.event_hash();
    send_with_secrets(&mut desk.account, &template, &to, &reference, &values, &secrets)?;
    Ok(Outcome::Applied.into())
}

/// Handles the result of the portal request.
pub(super) fn portal_created(report: &EffectReport) -> Ruled<Verdict> {
    Ok(Verdict::answered(match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            Answer::Value(encode(&json!({"portal_url": answer.get("url")}))?)
        }
        Err(_) => Answer::not_done(customer::PORTAL_NOT_OPENED),
    }))
}
