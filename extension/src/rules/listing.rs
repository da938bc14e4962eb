//! Products that accounts list in the catalog themselves. The owner's account sends the request as a message; the
//! platform checks it and replies by another message.

use crate::actions::listed::{notify_owner, owner_field, send};
use crate::actions::permission::not_the_platform;
use crate::actions::put_product::{check_intervals, put_one};
use crate::catalog::account_name::text_of;
use crate::catalog::names::WAITS;
use crate::catalog::price::{Interval, PRICES};
use crate::catalog::product::{PRICE_MEMBERS, Proposed, find_type, normalise, required_text};
use crate::catalog::schema::Listing;
use crate::desk::Desk;
use crate::model::halt::{Answer, Halt, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::EffectKey;
use crate::model::mail_kinds;
use crate::model::message::{self, Message};
use crate::model::notice::send_once;
use crate::model::records::listing::{ListingRow, ListingStatus};
use crate::model::records::payouts::{Onboarding, Payouts};
use extension_contract::{Account, ActorKind, FieldErrorCode, Outcome, ProductValues, QuotaRefusal, Refusal};
use serde_json::{Value, json};

/// Maximum number of products that an account lists.
const LISTINGS_MAX: usize = 50;

/// `product.list`: requests that a product of the account be listed in the catalog, or that a listed product be
/// changed.
pub(super) fn list(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    not_the_platform(desk)?;
    let known = body.contains_key("id").then(|| required_text(body, "id")).transpose()?;
    let mut body = body.clone();
    body.remove("id");
    let proposed = normalise_listing(desk, &desk.account.owned()?, known.as_deref(), &mut body)?;
    let id = match known {
        Some(id) => id,
        None => {
            may_list_another(desk)?;
            new_id(desk, &proposed)?
        }
    };
    // A seller must be able to receive payouts (TES-57).
    let payouts = desk.account.get::<Payouts>(Payouts::ID)?;
    if costs(desk, &proposed)? && payouts.is_none_or(|payouts| payouts.onboarding != Onboarding::Enabled) {
        return Err(Refusal::RequirementUnmet("payouts".to_owned()).into());
    }
    let row = ListingRow { name: proposed.values.name, status: ListingStatus::Asked, reason: None, at: desk.now };
    let answer = json!({"product": id, "status": row.status});
    save(desk, &id, row)?;
    let key = EffectKey::Listing { product: id.clone(), asked_by: desk.event_hash() };
    let message = Message::Listing(message::Listing { product: id.clone(), body });
    send(desk, Account::Platform, &id, &key, &message)?;
    Ok(Verdict::answered(Answer::Value(encode(&answer)?)))
}

/// Handles an account's request in the platform's account: lists the product or refuses it, and notifies the account.
pub(super) fn requested(desk: &mut Desk<'_>, sender: &Account, listing: &message::Listing) -> Ruled<Outcome> {
    match put(desk, sender, listing) {
        Ok(()) => Ok(Outcome::Applied),
        Err(Halt::Refused(refusal)) => {
            let name = listing.body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            notify_owner(desk, sender.clone(), &listing.product, name, ListingStatus::Refused, Some(refusal.code()))?;
            Ok(Outcome::Applied)
        }
        Err(other) => Err(other),
    }
}

fn put(desk: &mut Desk<'_>, sender: &Account, listing: &message::Listing) -> Ruled<()> {
    let id = &listing.product;
    let current = desk.catalog.product(id)?;
    let is_told = current.as_ref().is_some_and(|row| row.values.filters.iter().any(|(name, _)| name == WAITS));
    let known = current.map(|_| id.as_str());
    let mut body = listing.body.clone();
    let mut proposed = normalise_listing(desk, sender, known, &mut body)?;
    // Each change waits again, so that nobody approves an outdated version. Taking a listing off sale needs no
    // approval; changing its prices does.
    proposed.waits = proposed.decl.listing == Some(Listing::Approved);
    let waits = proposed.waits && listing.body.get("active") != Some(&json!(false));
    proposed.values.active &= !waits;
    if waits || is_told {
        proposed.values.filters.push((WAITS.to_owned(), "true".to_owned()));
    }
    let values = json!({"product": id, "name": proposed.values.name, "account": text_of(sender)});
    put_one(desk, id, proposed, None)?;
    // One mail until an operator has decided, however often the owner changes the product meanwhile.
    if waits && !is_told {
        let reference = desk.event_hash();
        send_once(&mut desk.account, &mail_kinds::LISTING_WAITS, &reference, &values)?;
    }
    Ok(())
}

/// Stores the listing status that the platform reported to the owner's account.
pub(super) fn update_status(desk: &mut Desk<'_>, listed: message::Listed) -> Ruled<Outcome> {
    let message::Listed { product, name, status, reason } = listed;
    save(desk, &product, ListingRow { name, status, reason, at: desk.now })?;
    Ok(Outcome::Applied)
}

/// Replaces the listing row of a product.
fn save(desk: &mut Desk<'_>, product: &str, row: ListingRow) -> Ruled<()> {
    desk.account.load::<ListingRow>(&[product.to_owned()])?;
    desk.account.put(product, row);
    Ok(())
}

/// Normalises a product that an account wants to list. Fails if its type does not allow listing, if the account does
/// not own it, or if a field may not be set by its owner.
fn normalise_listing(desk: &Desk<'_>, owner: &Account, known: Option<&str>, body: &mut Object) -> Ruled<Proposed> {
    let own = text_of(owner);
    let current = match known {
        Some(id) => Some(desk.catalog.product(id)?.ok_or(Refusal::NotFound(id.to_owned()))?),
        None => None,
    };
    let values = current.as_ref().map(|row| &row.values);
    let metadata = body.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let decl = find_type(&desk.catalog, ActorKind::User, body, &metadata, values)?;
    let Some(field) = owner_field(&decl).filter(|_| decl.listing.is_some()) else {
        let (found, expected) = (format!("products of type {} are the operators'", decl.name), "a type with `listing`");
        return Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, found, expected));
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
    if let Some(row) = &current {
        price_as_in_a_catalog(&row.values, body);
    }
    for (path, written) in [("/prices", body.get(PRICES)), ("/metadata/prices", metadata.get(PRICES))] {
        let prices = written.and_then(Value::as_object).into_iter().flatten();
        if let Some((interval, _)) = prices.into_iter().find(|(_, price)| price.get("id").is_some()) {
            return Err(wrong_field(
                &format!("{path}/{interval}/id"),
                FieldErrorCode::ReadOnly,
                "set by the platform",
                "",
            ));
        }
    }
    let current = known.zip(values);
    let proposed = normalise(&desk.catalog, ActorKind::User, body, current)?;
    check_intervals(&proposed, &desk.catalog.settings()?.currency)?;
    Ok(proposed)
}

/// Writes the one price of a body as `prices`: a product keeps its published prices, and another amount is another price.
fn price_as_in_a_catalog(current: &ProductValues, body: &mut Object) {
    let amount = body.get("price").and_then(Value::as_i64).filter(|amount| *amount > 0);
    let (Some(amount), None) = (amount, body.get(PRICES)) else { return };
    let given = ["interval", "billing_interval"].iter().find_map(|key| body.get(*key)?.as_str().map(str::to_owned));
    let interval = given.unwrap_or_else(|| Interval::of(current.interval).name().to_owned());
    body.retain(|key, _| !PRICE_MEMBERS.contains(&key.as_str()) || key == "currency");
    body.insert(PRICES.to_owned(), json!({interval: {"amount": amount}}));
}

/// Fails if the account lists as many products as it may.
fn may_list_another(desk: &mut Desk<'_>) -> Ruled<()> {
    desk.account.load_whole(ListingRow::COLLECTION)?;
    let listed = desk.account.all::<ListingRow>()?.len();
    if listed < LISTINGS_MAX {
        return Ok(());
    }
    let (allowed, used) = (LISTINGS_MAX as i64, listed as i64);
    Err(Refusal::QuotaExceeded(QuotaRefusal { quota: "listings".to_owned(), allowed, used, upgrade: None }).into())
}

/// Returns the id of a new product, from its slug or the event.
fn new_id(desk: &Desk<'_>, proposed: &Proposed) -> Ruled<String> {
    let slug = proposed.decl.infer_by.as_ref().and_then(|key| proposed.metadata.get(key)).and_then(Value::as_str);
    let id = format!("prod_{}", slug.map_or_else(|| desk.event_hash(), str::to_owned));
    match desk.catalog.product(&id)? {
        None => Ok(id),
        Some(_) => Err(Refusal::NameTaken(id).into()),
    }
}

/// Returns whether the product costs anything: once, recurring or by usage.
fn costs(desk: &Desk<'_>, proposed: &Proposed) -> Ruled<bool> {
    let settings = desk.catalog.settings()?;
    let asks = |field: &str| proposed.metadata.get(field).and_then(Value::as_i64).is_some_and(|micros| micros > 0);
    let by_use = settings.rates.values().filter_map(|rate| rate.seller.as_ref()).any(|seller| asks(seller.field()));
    let prices = proposed.prices(&settings.currency);
    let price = proposed.values.price.iter().chain(prices.iter().map(|price| &price.amount));
    Ok(by_use || price.into_iter().any(|amount| amount.amount_minor > 0))
}
