//! Product events: the platform tells what somebody did to a product. The row that comes of it is judged before it is
//! written: a refused creation stays with its mark, a refused change or deletion leaves the row as it was.

use super::catalog;
use super::instance::{check_room, match_plan, own_body};
use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::catalog::is_reserved;
use crate::catalog::making::{adopt, begin_metadata, take_names};
use crate::catalog::product::{ID_BYTES, normalise};
use crate::derive::standing::standing;
use crate::model::halt::{Halt, Ruled, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::FactKey;
use crate::model::records::instance::{InstanceRecord, InstanceStatus};
use crate::model::records::product::ProductRow;
use crate::model::records::summary::{Contribution, Summary};
use extension_contract::*;
use serde_json::{Value, json};

const UNCHANGED: Outcome = Outcome::Ignored(IgnoreReason::NoChange);

/// Decide a product event. Whatever comes of it, it is noted: an event that is driven again tells nothing new, and newer
/// ones may have come since.
pub(super) fn decide(desk: &mut Desk<'_>, change: &ProductChange) -> Ruled<Outcome> {
    let told = change.after.as_ref().or(change.before.as_ref());
    let Some(told) = told else { return Err(Refusal::Malformed("/data/id".to_owned()).into()) };
    let id = told.id.clone();
    let account = desk.account.owned()?;
    if account == Account::Platform {
        catalog::admin_of_platform(desk)?;
        if is_reserved(&told.values.product_type) {
            return Err(Refusal::Forbidden(format!("{id} is of a type that only a catalog defines")).into());
        }
    } else if desk.catalog.product(&id)?.is_some() {
        return Err(Refusal::Forbidden(id).into());
    }
    let fact = FactKey::ProductEvent(&desk.event_hash()).to_string();
    if desk.account.is_known(&fact)? {
        return Ok(UNCHANGED);
    }
    let created = desk.kind == "product.created";
    let stored = desk.account.fetch::<ProductRow>(&id)?;
    if created && stored.is_some() && Instance::find(desk, &id)?.is_some_and(|instance| instance.record.begun) {
        return noted(desk, fact, Ok(UNCHANGED));
    }
    let before = match (&stored, created) {
        (Some(row), false) => Some(row.values()?),
        _ => change.before.as_ref().map(|row| row.values.clone()),
    };
    let after = write(desk, &id, stored, change.after.as_ref())?;
    let decided = match (account, after) {
        (Account::Platform, Some(after)) => catalog::adopt(desk, &id, &after).map(|()| Outcome::Applied),
        // Who has bought it keeps what it grants; it is no longer on sale.
        (Account::Platform, None) => match &before {
            Some(before) => catalog::forget(desk, &id, before).map(|()| Outcome::Applied),
            None => Ok(UNCHANGED),
        },
        (_, after) => of_account(desk, &id, before, after),
    };
    noted(desk, fact, decided)
}

fn noted(desk: &mut Desk<'_>, fact: String, decided: Ruled<Outcome>) -> Ruled<Outcome> {
    if decided.is_ok() {
        desk.account.record_new_fact(fact);
    }
    decided
}

/// Write what the event tells over what is stored: the metadata member by member, so that what the provisioner keeps
/// there stays unless the event says otherwise. Returns the row as it is now.
fn write(
    desk: &mut Desk<'_>,
    id: &str,
    stored: Option<ProductRow>,
    after: Option<&Product>,
) -> Ruled<Option<ProductValues>> {
    let Some(after) = after else {
        if stored.is_some() {
            desk.account.remove::<ProductRow>(id);
            desk.catalog.write_over(CatalogKey::Product(id.to_owned()), None);
        }
        return Ok(None);
    };
    let mut values = after.values.clone();
    if let Some(stored) = stored {
        values.metadata = overlay(&stored.values()?, &values);
    }
    check(id, &values)?;
    // The catalog's row is written in the form that the catalog gives it.
    if !desk.account.is_platform() {
        desk.account.put(id, ProductRow::from(values.clone()));
    }
    Ok(Some(values))
}

/// A row that no store takes is refused.
fn check(id: &str, values: &ProductValues) -> Ruled<()> {
    if values.metadata.len() > JSON_BYTES_MAX || id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(Refusal::Malformed("/data".to_owned()).into());
    }
    match extension_reader::from_str_small::<Object>(&values.metadata) {
        Ok(_) => Ok(()),
        Err(_) => Err(wrong_field("/metadata", FieldErrorCode::WrongType, "expected an object")),
    }
}

/// The metadata of `after` over that of `stored`; `after`'s own text where one of them is no object.
fn overlay(stored: &ProductValues, after: &ProductValues) -> String {
    let object = |text: &str| extension_reader::from_str_small::<Object>(text);
    match (object(&stored.metadata), object(&after.metadata)) {
        (Ok(mut members), Ok(over)) => {
            members.extend(over);
            Value::Object(members).to_string()
        }
        _ => after.metadata.clone(),
    }
}

/// A product of an account: the row exists already. One that may not be provisioned is marked as an error.
fn of_account(
    desk: &mut Desk<'_>,
    id: &str,
    before: Option<ProductValues>,
    after: Option<ProductValues>,
) -> Ruled<Outcome> {
    let is_ours = desk.account.get::<InstanceRecord>(id)?.is_some_and(|record| !record.foreign);
    if let (Some(before), true) = (&before, is_ours) {
        return others_change(desk, id, before, after);
    }
    let Some(after) = after else {
        forget_foreign(desk, id)?;
        return Ok(UNCHANGED);
    };
    let Some(mut instance) = Instance::find(desk, id)? else { return Ok(UNCHANGED) };
    let is_provisioned = !instance.decl.provisions.is_empty();
    // Only a new instance that asks for it is provisioned (SOL-23); another one counts, and is left alone.
    if !is_provisioned || before.is_some() || !instance.is(InstanceStatus::Provisioning) {
        if !instance.is_adopted && (is_provisioned || !instance.decl.consumes.is_empty()) {
            instance.record.foreign = true;
            if instance.record.made_at == 0 {
                instance.record.made_at = desk.now;
            }
            instance.save(&mut desk.account)?;
        }
        return Ok(UNCHANGED);
    }
    match accept(desk, &instance, &after) {
        Ok(()) => Ok(Outcome::Applied),
        // The row exists at the platform: it stays here, with the mark that says why nothing was made for it.
        Err(Halt::Refused(refusal)) => {
            mark_refused(desk, id, &refusal)?;
            Ok(Outcome::Rejected(refusal))
        }
        Err(other) => Err(other),
    }
}

/// A row that somebody else kept here is gone: it counts no longer.
fn forget_foreign(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(record) = desk.account.fetch::<InstanceRecord>(id)? else { return Ok(()) };
    let mut summary = desk.account.fetch::<Summary>(Summary::ID)?.unwrap_or_default();
    summary.replace(&record.adds, &Contribution::default());
    desk.account.put(Summary::ID, summary);
    desk.account.remove::<InstanceRecord>(id);
    Ok(())
}

/// Somebody else changed or deleted a row that is ours to drive. A change that its type does not allow is refused; a
/// deletion ends the instance as its owner's own command would, so that nothing of it is left running.
fn others_change(
    desk: &mut Desk<'_>,
    id: &str,
    before: &ProductValues,
    after: Option<ProductValues>,
) -> Ruled<Outcome> {
    let Some(after) = after else {
        desk.account.put(id, ProductRow::from(before.clone()));
        let mut instance = Instance::load(desk, id)?;
        if !matches!(instance.status(), Some(InstanceStatus::Deleting | InstanceStatus::Terminated)) {
            instance.record.ended_by_owner = true;
            instance.end(true);
        }
        instance.save(&mut desk.account)?;
        return Ok(Outcome::Applied);
    };
    let mut body = Object::new();
    body.insert("product_type".to_owned(), json!(after.product_type));
    body.insert("name".to_owned(), json!(after.name));
    body.insert("description".to_owned(), json!(after.description));
    body.insert("metadata".to_owned(), Value::Object(decode("products", id, &after.metadata)?));
    let values = normalise(&desk.catalog, desk.actor.kind, &body, Some((id, before)))?.values;
    desk.account.put(id, ProductRow::from(values.clone()));
    if values == *before {
        return Ok(UNCHANGED);
    }
    Instance::load(desk, id)?.save(&mut desk.account)?;
    Ok(Outcome::Applied)
}

/// Check a row that somebody else wrote, as `create` would have, and complete it.
fn accept(desk: &mut Desk<'_>, instance: &Instance, values: &ProductValues) -> Ruled<()> {
    let (id, decl) = (instance.id.as_str(), &*instance.decl);
    if id.len() > ID_BYTES {
        let message = format!("expected at most {ID_BYTES} bytes");
        return Err(wrong_field("/id", FieldErrorCode::OutOfRange, message));
    }
    let mut body: Object = decode("products", id, &values.metadata)?;
    // Whatever the writer put there, these are ours to set.
    for key in ["status", "quotas", "resources", "health_status", "created_at", "error", "usage"] {
        body.remove(key);
    }
    let mut wrapped = Object::new();
    wrapped.insert("product_type".to_owned(), json!(decl.name));
    wrapped.insert("name".to_owned(), json!(values.name));
    wrapped.insert("metadata".to_owned(), Value::Object(body));
    let mut proposed = normalise(&desk.catalog, desk.actor.kind, &own_body(desk, &wrapped)?, None)?;
    let standing = standing(desk)?;
    check_room(desk, decl, &instance.metadata, &standing, Some(instance))?;
    match_plan(&mut proposed, &standing)?;
    take_names(desk, decl, &proposed.metadata, instance.record.holds_names)?;
    begin_metadata(desk, decl, &mut proposed.metadata, None)?;
    let values = ProductValues { metadata: encode(&proposed.metadata)?, ..values.clone() };
    desk.account.put(id, ProductRow::from(values));
    adopt(desk, id)
}

/// Mark a row that may not be provisioned: it can be tried again.
fn mark_refused(desk: &mut Desk<'_>, id: &str, refusal: &Refusal) -> Ruled<()> {
    let mut instance = Instance::load(desk, id)?;
    instance.set_status(InstanceStatus::Error);
    instance.set("error", json!({"code": refusal.code(), "message": refusal.detail()}));
    instance.record.refused = true;
    instance.record.made_at = desk.now;
    instance.save(&mut desk.account)
}
