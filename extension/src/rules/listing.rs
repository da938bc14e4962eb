//! Products that accounts bring into the catalog themselves: asked for in the account that has the share of them, judged
//! where the catalog is, by a message each way.

use super::catalog;
use super::command::not_the_platform;
use crate::catalog::desk::Desk;
use crate::catalog::product::{Proposed, find_type, normalise, required_text};
use crate::catalog::schema::{Listing, TypeDecl};
use crate::catalog::split::{account_of, text_of};
use crate::model::effect::request;
use crate::model::halt::{Answer, Halt, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::EffectKey;
use crate::model::message::{self, Message};
use crate::model::notice::{To, send_once};
use crate::model::records::listing::{ListingRow, ListingStatus};
use crate::model::records::payouts::{Onboarding, Payouts};
use extension_contract::{Account, ActorKind, Effect, FieldErrorCode, Outcome, Refusal};
use serde_json::{Value, json};

/// `product.list`: ask for a product of the account's own in the catalog, or for a change of one that is there.
pub(super) fn list(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    not_the_platform(desk)?;
    let known = body.contains_key("id").then(|| required_text(body, "id")).transpose()?;
    let mut body = body.clone();
    body.remove("id");
    let proposed = judged(desk, &desk.account.owned()?, known.as_deref(), &mut body)?;
    let id = match known {
        Some(id) => id,
        None => new_id(desk, &proposed)?,
    };
    // Whoever sells can be paid (TES-57).
    let payouts = desk.account.get::<Payouts>(Payouts::ID)?;
    if costs(desk, &proposed)? && payouts.is_none_or(|payouts| payouts.onboarding != Onboarding::Enabled) {
        return Err(Refusal::RequirementUnmet("payouts".to_owned()).into());
    }
    let row = ListingRow { name: proposed.values.name, status: ListingStatus::Asked, reason: None, at: desk.now };
    let answer = json!({"product": id, "status": row.status});
    save(desk, &id, row)?;
    let key = EffectKey::Listing { product: id.clone(), asked_by: desk.event_hash() };
    let told = Message::Listing(message::Listing { product: id.clone(), body });
    send(desk, Account::Platform, &id, &key, &told)?;
    Ok(Verdict::answered(Answer::Value(encode(&answer)?)))
}

/// What an account asks for, where the catalog is: put as it says, or refused; the account is told.
pub(super) fn asked(desk: &mut Desk<'_>, sender: &Account, told: &message::Listing) -> Ruled<Outcome> {
    match put(desk, sender, told) {
        Ok(()) => Ok(Outcome::Applied),
        Err(Halt::Refused(refusal)) => {
            let name = told.body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            tell(desk, sender.clone(), &told.product, name, ListingStatus::Refused, Some(refusal.code()))?;
            Ok(Outcome::Applied)
        }
        Err(other) => Err(other),
    }
}

fn put(desk: &mut Desk<'_>, sender: &Account, told: &message::Listing) -> Ruled<()> {
    let id = &told.product;
    let known = desk.catalog.product(id)?.map(|_| id.as_str());
    let mut body = told.body.clone();
    let mut proposed = judged(desk, sender, known, &mut body)?;
    // Each change is told, so that nobody approves what has become another product meanwhile.
    let is_taken_back = told.body.get("active") == Some(&json!(false));
    let waits = proposed.decl.listing == Some(Listing::Approved) && !is_taken_back;
    proposed.values.active &= !waits;
    let values = json!({"product": id, "name": proposed.values.name, "account": text_of(sender)});
    catalog::put_one(desk, id, proposed, None)?;
    if waits {
        let reference = desk.event_hash();
        send_once(&mut desk.account, "listing_waits", To::Admin, &reference, &values)?;
    }
    Ok(())
}

/// What the account that a product belongs to is told of it.
pub(super) fn answered(desk: &mut Desk<'_>, told: message::Listed) -> Ruled<Outcome> {
    let message::Listed { product, name, status, reason } = told;
    save(desk, &product, ListingRow { name, status, reason, at: desk.now })?;
    Ok(Outcome::Applied)
}

/// Keep where a product stands over what was known of it.
fn save(desk: &mut Desk<'_>, product: &str, row: ListingRow) -> Ruled<()> {
    desk.account.load::<ListingRow>(&[product.to_owned()])?;
    desk.account.put(product, row);
    Ok(())
}

/// The account that a product of the catalog belongs to; none where administrators alone list it.
pub(super) fn owner(decl: &TypeDecl, metadata: &Object) -> Option<Account> {
    decl.listing?;
    account_of(metadata.get(owner_field(decl)?)?.as_str()?)
}

/// Tell an account where a product of its own stands.
pub(super) fn tell(
    desk: &mut Desk<'_>,
    to: Account,
    product: &str,
    name: String,
    status: ListingStatus,
    reason: Option<&str>,
) -> Ruled<()> {
    let key = EffectKey::Listed { product: product.to_owned(), asked_by: desk.event_hash() };
    let reason = reason.map(str::to_owned);
    let told = Message::Listed(message::Listed { product: product.to_owned(), name, status, reason });
    send(desk, to, product, &key, &told)
}

/// Messages about one product arrive in their order.
fn send(desk: &mut Desk<'_>, to: Account, product: &str, key: &EffectKey, told: &Message) -> Ruled<()> {
    let effect = request(message::KIND, key, told, None)?;
    desk.account.ask(Effect { to: Some(to), ordering_key: Some(format!("listing:{product}")), ..effect });
    Ok(())
}

/// The field of a type that holds who has the share of a product.
fn owner_field(decl: &TypeDecl) -> Option<&str> {
    decl.split.as_ref()?.field()
}

/// A product as an account may have it in the catalog: of a type that says so, its own, within what its owner may set.
fn judged(desk: &Desk<'_>, owner: &Account, known: Option<&str>, body: &mut Object) -> Ruled<Proposed> {
    let own = text_of(owner);
    let current = match known {
        Some(id) => Some(desk.catalog.product(id)?.ok_or(Refusal::NotFound(id.to_owned()))?),
        None => None,
    };
    let values = current.as_ref().map(|row| &row.values);
    let metadata = body.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let decl = find_type(&desk.catalog, body, &metadata, values)?;
    let Some(field) = owner_field(&decl).filter(|_| decl.listing.is_some()) else {
        let message = format!("products of type {} are the operators': expected a type with `listing`", decl.name);
        return Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, message));
    };
    if let Some(row) = &current {
        let metadata: Object = decode("products", &row.id, &row.values.metadata)?;
        if metadata.get(field).and_then(Value::as_str) != Some(&own) {
            return Err(Refusal::NameTaken(row.id.clone()).into());
        }
    }
    if [metadata.get(field), body.get(field)].into_iter().flatten().any(|named| *named != json!(own)) {
        return Err(Refusal::Forbidden(format!("/metadata/{field} is another account")).into());
    }
    if let Value::Object(metadata) = body.entry("metadata").or_insert_with(|| json!({})) {
        metadata.insert(field.to_owned(), json!(own));
    }
    let current = known.zip(values);
    normalise(&desk.catalog, ActorKind::User, body, current)
}

/// The id of a product that is new: by its telling text, else by the event.
fn new_id(desk: &Desk<'_>, proposed: &Proposed) -> Ruled<String> {
    let slug = proposed.decl.infer_by.as_ref().and_then(|key| proposed.metadata.get(key)).and_then(Value::as_str);
    let id = format!("prod_{}", slug.map_or_else(|| desk.event_hash(), str::to_owned));
    match desk.catalog.product(&id)? {
        None => Ok(id),
        Some(_) => Err(Refusal::NameTaken(id).into()),
    }
}

/// Whether somebody pays for it: at once, at intervals or by use.
fn costs(desk: &Desk<'_>, proposed: &Proposed) -> Ruled<bool> {
    let settings = desk.catalog.settings()?;
    let asks = |field: &str| proposed.metadata.get(field).and_then(Value::as_i64).is_some_and(|micros| micros > 0);
    let by_use = settings.rates.values().filter_map(|rate| rate.seller.as_ref()).any(|seller| asks(&seller.micros));
    let prices = proposed.prices(&settings.currency);
    let price = proposed.values.price.iter().chain(prices.iter().map(|price| &price.amount));
    Ok(by_use || price.into_iter().any(|amount| amount.amount_minor > 0))
}
