//! Product events: a product was created, changed or deleted at the platform. The new row is checked before it is
//! stored: a refused creation is stored with an error, a refused change or deletion leaves the row unchanged.

use crate::actions::create_instance::{check_room, match_plan, own_body};
use crate::actions::permission::admin_of_platform;
use crate::actions::put_product;
use crate::catalog::names::is_reserved;
use crate::catalog::product::normalise;
use crate::catalog::words::ID_BYTES;
use crate::derive::standing::standing;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::desk::making::{adopt, begin_metadata, take_names};
use crate::model::halt::{Halt, Ruled, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::FactKey;
use crate::model::records::instance::{Effects, InstanceRecord, InstanceStatus, State};
use crate::model::records::product::ProductRow;
use crate::model::records::summary::{Contribution, Summary};
use extension_contract::*;
use serde_json::{Value, json};

const UNCHANGED: Outcome = Outcome::Ignored(IgnoreReason::NoChange);

/// Decides a product event. Records the event, so that a redelivery does not overwrite newer events.
pub(super) fn decide(desk: &mut Desk<'_>, change: &ProductChange) -> Ruled<Outcome> {
    let product = change.after.as_ref().or(change.before.as_ref());
    let Some(product) = product else { return Err(Refusal::Malformed("/data/id".to_owned()).into()) };
    let id = product.id.clone();
    let account = desk.account.owned()?;
    if account == Account::Platform {
        admin_of_platform(desk)?;
        if is_reserved(&product.values.product_type) {
            return Err(Refusal::Forbidden(format!("{id} has a product type that is reserved for the catalog")).into());
        }
    } else if desk.catalog.product(&id)?.is_some() {
        return Err(Refusal::Forbidden(id).into());
    }
    let fact = FactKey::ProductEvent(&desk.event_hash()).to_string();
    if desk.account.is_known(&fact)? {
        return Ok(UNCHANGED);
    }
    let created = desk.kind == "product.created";
    let stored = desk.account.row::<ProductRow>(&id)?;
    if created
        && stored.is_some()
        && Instance::find(desk, &id)?.is_some_and(|instance| instance.record.effects != Effects::None)
    {
        return record_event(desk, fact, Ok(UNCHANGED));
    }
    let before = match (&stored, created) {
        (Some(row), false) => Some(row.values()?),
        _ => change.before.as_ref().map(|row| row.values.clone()),
    };
    let after = write_row(desk, &id, stored, change.after.as_ref())?;
    let decided = match (account, after) {
        (Account::Platform, Some(after)) => put_product::adopt(desk, &id, &after).map(|()| Outcome::Applied),
        // Buyers keep the product's grants, but the product is no longer on sale.
        (Account::Platform, None) => match &before {
            Some(before) => put_product::remove(desk, &id, before).map(|()| Outcome::Applied),
            None => Ok(UNCHANGED),
        },
        (_, after) => decide_for_account(desk, &id, before, after),
    };
    record_event(desk, fact, decided)
}

/// Records a refused event like a decided one. An event that its sender may not send leaves no record.
pub(super) fn refused(desk: &mut Desk<'_>, refusal: &Refusal) -> Fallible<()> {
    if !matches!(refusal, Refusal::Forbidden(_)) {
        let fact = FactKey::ProductEvent(&desk.event_hash()).to_string();
        desk.account.record_fact(&fact)?;
    }
    Ok(())
}

fn record_event(desk: &mut Desk<'_>, fact: String, decided: Ruled<Outcome>) -> Ruled<Outcome> {
    if decided.is_ok() {
        desk.account.record_new_fact(fact);
    }
    decided
}

/// Writes the event's product over the stored row. Metadata is merged by member, so that the provisioner's own members
/// are kept unless the event contains them. Returns the new values.
fn write_row(
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
    // A row of the catalog is written later, in normalised form.
    if !desk.account.is_platform() {
        desk.account.put(id, ProductRow::from(values.clone()));
    }
    Ok(Some(values))
}

/// Fails if the store would not accept the row.
fn check(id: &str, values: &ProductValues) -> Ruled<()> {
    if values.metadata.len() > JSON_BYTES_MAX || id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(Refusal::Malformed("/data".to_owned()).into());
    }
    match extension_reader::from_str::<Object>(&values.metadata) {
        Ok(_) => Ok(()),
        Err(_) => Err(wrong_field("/metadata", FieldErrorCode::WrongType, "", "an object")),
    }
}

/// Returns the metadata of `stored` extended by the metadata of `after`; if one of them is not an object, only the
/// metadata of `after`.
fn overlay(stored: &ProductValues, after: &ProductValues) -> String {
    let object = |text: &str| extension_reader::from_str::<Object>(text);
    match (object(&stored.metadata), object(&after.metadata)) {
        (Ok(mut members), Ok(over)) => {
            members.extend(over);
            Value::Object(members).to_string()
        }
        _ => after.metadata.clone(),
    }
}

/// Decides a product event of an account. A new product that may not be provisioned is marked with an error.
fn decide_for_account(
    desk: &mut Desk<'_>,
    id: &str,
    before: Option<ProductValues>,
    after: Option<ProductValues>,
) -> Ruled<Outcome> {
    let is_ours = desk.account.get::<InstanceRecord>(id)?.is_some_and(|record| !record.state.is_foreign());
    if let (Some(before), true) = (&before, is_ours) {
        return apply_external_change(desk, id, before, after);
    }
    let Some(after) = after else {
        forget_foreign(desk, id)?;
        return Ok(UNCHANGED);
    };
    let Some(mut instance) = Instance::find(desk, id)? else { return Ok(UNCHANGED) };
    instance.take_report()?;
    let is_provisioned = !instance.decl.provisions.is_empty();
    // Only a new instance with status `provisioning` is provisioned (SOL-23). Others count towards quotas but are not
    // managed.
    if !is_provisioned || before.is_some() || !instance.is(InstanceStatus::Provisioning) {
        if instance.is_adopted {
            instance.save(&mut desk.account)?;
        } else if is_provisioned || !instance.decl.consumes.is_empty() {
            if !instance.record.state.is_foreign() {
                instance.record.state = State::foreign();
            }
            if instance.record.made_at == 0 {
                instance.record.made_at = desk.now;
            }
            instance.save(&mut desk.account)?;
        }
        return Ok(UNCHANGED);
    }
    match accept(desk, &instance, &after) {
        Ok(()) => Ok(Outcome::Applied),
        // The row exists at the platform, so it is kept here, with the error.
        Err(Halt::Refused(refusal)) => {
            mark_refused(desk, id, &refusal)?;
            Ok(Outcome::Rejected(refusal))
        }
        Err(other) => Err(other),
    }
}

/// Removes the record of an instance that is not managed here, so that it no longer counts towards quotas.
fn forget_foreign(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let Some(record) = desk.account.row::<InstanceRecord>(id)? else { return Ok(()) };
    let mut summary = desk.account.row::<Summary>(Summary::ID)?.unwrap_or_default();
    summary.replace(&record.adds, &Contribution::default());
    desk.account.put(Summary::ID, summary);
    desk.account.remove::<InstanceRecord>(id);
    Ok(())
}

/// Applies the platform's change or deletion of a managed instance. Fails if its type does not allow the change. A
/// deletion ends the instance like its owner's command, so that no resource keeps running.
fn apply_external_change(
    desk: &mut Desk<'_>,
    id: &str,
    before: &ProductValues,
    after: Option<ProductValues>,
) -> Ruled<Outcome> {
    let Some(after) = after else {
        desk.account.put(id, ProductRow::from(before.clone()));
        let mut instance = Instance::load(desk, id)?;
        if !matches!(instance.status(), Some(InstanceStatus::Deleting | InstanceStatus::Terminated)) {
            instance.end_by_order()?;
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
    let mut instance = Instance::load(desk, id)?;
    instance.take_report()?;
    instance.save(&mut desk.account)?;
    Ok(Outcome::Applied)
}

/// Checks a row written by the platform like `product.create`, and completes it.
fn accept(desk: &mut Desk<'_>, instance: &Instance, values: &ProductValues) -> Ruled<()> {
    let (id, decl) = (instance.id.as_str(), &*instance.decl);
    if id.len() > ID_BYTES {
        let (found, expected) = ("", format!("at most {ID_BYTES} bytes"));
        return Err(wrong_field("/id", FieldErrorCode::OutOfRange, found, expected));
    }
    let mut body: Object = decode("products", id, &values.metadata)?;
    // Only the provisioner sets these fields.
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
    take_names(desk, decl, &proposed.metadata, instance.record.names)?;
    begin_metadata(desk, decl, &mut proposed.metadata, None)?;
    let values = ProductValues { metadata: encode(&proposed.metadata)?, ..values.clone() };
    desk.account.put(id, ProductRow::from(values));
    adopt(desk, id)
}

/// Marks an instance as refused; it can be retried.
fn mark_refused(desk: &mut Desk<'_>, id: &str, refusal: &Refusal) -> Ruled<()> {
    let mut instance = Instance::load(desk, id)?;
    instance.record.state = State::refused();
    instance.fail_with(refusal.into());
    instance.record.made_at = desk.now;
    instance.save(&mut desk.account)
}
