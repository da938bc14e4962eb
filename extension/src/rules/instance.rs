//! Commands about instances: made, changed, tried again and ended by people, as far as the account's standing allows.

use super::catalog;
use super::command::operators_only;
use crate::catalog::desk::Desk;
use crate::catalog::instance::{Instance, consumed};
use crate::catalog::making::{insert, take_names};
use crate::catalog::product::{Proposed, normalise, required_text};
use crate::catalog::schema::{TypeDecl, check};
use crate::derive::standing::{AccountStanding, standing};
use crate::derive::upgrade::refusal;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::records::instance::{InstanceStatus, ResourceState, ResourceStatus};
use crate::model::records::product::ProductRow;
use crate::model::records::summary::Summary;
use extension_contract::*;
use serde_json::{Value, json};

/// Whether a service may report this change of status (SOL-15): only the end of provisioning.
fn may_report(from: &str, to: &str) -> bool {
    from == "provisioning" && matches!(to, "running" | "error")
}

/// Refuse what the account's standing doesn't allow: no plan, or nothing left of what the type consumes.
pub(super) fn check_room(
    desk: &mut Desk<'_>,
    decl: &TypeDecl,
    metadata: &Object,
    standing: &AccountStanding,
    except: Option<&Instance>,
) -> Ruled<()> {
    if let Some(link) = &decl.plan
        && !standing.plans.contains_key(&link.family)
    {
        return Err(Refusal::NoEntitlement(link.family.clone()).into());
    }
    let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
    for (key, amount) in consumed(decl, metadata) {
        let own = except.and_then(|instance| instance.record.adds.consumed.get(&key)).copied().unwrap_or(0);
        let used = summary.consumed.get(&key).copied().unwrap_or(0).saturating_sub(own);
        if !standing.has_room(&key, used.saturating_add(amount)) {
            return Err(Refusal::QuotaExceeded(refusal(desk, standing, &key, used, amount)?).into());
        }
    }
    Ok(())
}

/// `product.create` of a product that belongs to an account: check, take the names, write the row, begin.
pub(super) fn create(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let proposed = normalise(&desk.catalog, desk.actor.kind, &own_body(desk, body)?, None)?;
    if proposed.decl.catalog {
        catalog::admin_of_platform(desk)?;
        return create_in_catalog(desk, proposed);
    }
    let id = insert_with_room(desk, proposed)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// The type of the catalog whose products belong to accounts, where there is one alone.
pub(super) fn only_type(desk: &Desk<'_>) -> Ruled<Option<String>> {
    let types = desk.catalog.types()?;
    let mut owned = types.iter().filter(|decl| !decl.catalog);
    let first = owned.next().map(|decl| decl.name.clone());
    Ok(first.filter(|_| owned.next().is_none()))
}

fn provisioned(desk: &mut Desk<'_>, body: &Object) -> Ruled<Proposed> {
    let proposed = normalise(&desk.catalog, desk.actor.kind, &own_body(desk, body)?, None)?;
    if proposed.decl.catalog || proposed.decl.provisions.is_empty() {
        let message = "expected a type that is provisioned";
        return Err(wrong_field("/product/product_type", FieldErrorCode::NotAllowed, message));
    }
    Ok(proposed)
}

/// An instance beside another command's business; its id.
pub(super) fn create_now(desk: &mut Desk<'_>, body: &Object) -> Ruled<String> {
    let proposed = provisioned(desk, body)?;
    insert_with_room(desk, proposed)
}

/// A row that waits for its purchase to be paid; its names are held meanwhile.
pub(super) fn create_waiting(desk: &mut Desk<'_>, body: &Object, purchase: &str) -> Ruled<String> {
    let proposed = provisioned(desk, body)?;
    let seed = desk.event_hash();
    insert(desk, proposed, Some(purchase), &seed)
}

/// Insert a row if the account's standing has room for it.
fn insert_with_room(desk: &mut Desk<'_>, mut proposed: Proposed) -> Ruled<String> {
    let standing = standing(desk)?;
    check_room(desk, &proposed.decl, &proposed.metadata, &standing, None)?;
    match_plan(&mut proposed, &standing)?;
    let seed = desk.event_hash();
    insert(desk, proposed, None, &seed)
}

fn create_in_catalog(desk: &mut Desk<'_>, proposed: Proposed) -> Ruled<Verdict> {
    let slug = proposed.decl.infer_by.as_ref().and_then(|key| proposed.metadata.get(key)).and_then(Value::as_str);
    let id = match (&proposed.id, slug) {
        (Some(id), _) => id.clone(),
        (None, Some(slug)) => format!("prod_{slug}"),
        (None, None) => format!("prod_{}", desk.event_hash()),
    };
    if desk.catalog.product(&id)?.is_some() {
        return Err(Refusal::AlreadyOwned(id).into());
    }
    put_in_catalog(desk, &id, proposed)
}

/// Put it, and answer at once, or when its price is made at the provider.
fn put_in_catalog(desk: &mut Desk<'_>, id: &str, proposed: Proposed) -> Ruled<Verdict> {
    let reply_to = desk.reply_to.cloned();
    Ok(match catalog::put_one(desk, id, proposed, reply_to)? {
        true => Outcome::Applied.into(),
        false => Verdict::answered(Answer::Product(id.to_owned())),
    })
}

/// The body with the owner checked: it comes from the session and never from the body.
pub(super) fn own_body(desk: &Desk<'_>, body: &Object) -> Ruled<Object> {
    let mut body = body.clone();
    let account = desk.account.owned()?;
    let check = |map: &mut Object| -> Ruled<()> {
        for key in ["user_id", "owner"] {
            let named = map.remove(key);
            let own = match (&named, &account) {
                (None | Some(Value::Null), _) => true,
                (Some(Value::String(id)), Account::User(own) | Account::Organization(own)) => id == own,
                _ => false,
            };
            if !own {
                return Err(Refusal::Forbidden(format!("/{key} is another account")).into());
            }
        }
        Ok(())
    };
    check(&mut body)?;
    if let Some(Value::Object(metadata)) = body.get_mut("metadata") {
        check(metadata)?;
        // Clients of the platform send the first status themselves; the decision to provision is ours.
        if metadata.get("status").and_then(Value::as_str) == Some("provisioning") {
            metadata.remove("status");
        }
    }
    Ok(body)
}

/// The product's plan is the one in force; another one that is named is not paid for.
pub(super) fn match_plan(proposed: &mut Proposed, standing: &AccountStanding) -> Ruled<()> {
    let Some(link) = &proposed.decl.plan else { return Ok(()) };
    let Some(plan) = standing.plans.get(&link.family) else { return Ok(()) };
    match proposed.metadata.get(&link.field).and_then(Value::as_str) {
        Some(named) if named != plan.product_id => {
            Err(Refusal::RequirementUnmet(format!("{}:{named}", link.family)).into())
        }
        _ => {
            proposed.metadata.insert(link.field.clone(), json!(plan.product_id));
            Ok(())
        }
    }
}

/// `product.update`: names and descriptions by the owner; status and resources by a service alone (SOL-15).
pub(super) fn update(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let mut body = body.clone();
    body.remove("id");
    let by = desk.actor.kind;
    if desk.account.is_platform() {
        catalog::admin_of_platform(desk)?;
        let current = desk.catalog.product(&id)?.ok_or(Refusal::NotFound(id.clone()))?;
        let proposed = normalise(&desk.catalog, by, &body, Some((&id, &current.values)))?;
        return put_in_catalog(desk, &id, proposed);
    }
    let mut instance = Instance::load(desk, &id)?;
    let is_service = matches!(by, ActorKind::Service | ActorKind::Extension | ActorKind::System);
    let given = body.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let sets = |key: &str| given.contains_key(key) || body.contains_key(key);
    if !is_service && ["status", "resources", "quotas", "usage"].into_iter().any(sets) {
        return Err(Refusal::Forbidden("/metadata/status is set by the provisioner".to_owned()).into());
    }
    let from = instance.status_text().to_owned();
    let mut current = match desk.account.get::<ProductRow>(&id)? {
        Some(row) => row.values()?,
        None => return Err(Refusal::NotFound(id).into()),
    };
    // What was refused is put right before it is tried again; nothing was made of it yet.
    if instance.record.refused {
        let mut metadata = Object::clone(&instance.metadata);
        let fields = instance.decl.fields.iter().filter(|field| field.immutable && given.contains_key(&field.name));
        fields.for_each(|field| drop(metadata.remove(&field.name)));
        current.metadata = encode(&metadata)?;
    }
    let proposed = normalise(&desk.catalog, by, &body, Some((&id, &current)))?;
    let to = proposed.metadata.get("status").and_then(Value::as_str).unwrap_or(&from);
    if to != from && !may_report(&from, to) {
        return Err(Refusal::BadTransition(format!("{from} to {to}")).into());
    }
    instance.values = proposed.values.into();
    instance.metadata = proposed.metadata.into();
    instance.save(&mut desk.account)?;
    // What a service says of resources stands until they change.
    Ok(Verdict { stands: sets("resources"), ..Verdict::answered(Answer::Product(id)) })
}

/// `instance.keep`: who has more than is allowed chooses what goes on; what was chosen last comes first.
pub(super) fn keep(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let mut instance = Instance::load(desk, &id)?;
    if instance.is(InstanceStatus::Terminated) || instance.is(InstanceStatus::Deleting) {
        return Err(Refusal::BadTransition(instance.status_text().to_owned()).into());
    }
    instance.record.kept_at = Some(desk.now);
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// `instance.suspend`: it stands still until an operator lets it go on; nothing is archived or deleted for that alone.
pub(super) fn suspend(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let mut instance = Instance::load(desk, &id)?;
    use InstanceStatus::{Deleting, Error, Terminated};
    if instance.record.held_at.is_some() || matches!(instance.status(), Some(Deleting | Error | Terminated)) {
        return Err(Refusal::BadTransition(instance.status_text().to_owned()).into());
    }
    instance.record.held_at = Some(desk.now);
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// `instance.resume`: what an operator let stand still goes on, by an operator; what was archived since nobody used it
/// comes back, by its owner as well.
pub(super) fn resume(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let mut instance = Instance::load(desk, &id)?;
    let is_over = matches!(instance.status(), Some(InstanceStatus::Deleting | InstanceStatus::Terminated));
    if instance.record.held_at.is_some() && !is_over {
        operators_only(desk)?;
        instance.record.held_at = None;
    } else if !instance.is(InstanceStatus::Archived) || instance.record.active_at.is_none() {
        return Err(Refusal::BadTransition(instance.status_text().to_owned()).into());
    }
    instance.record.active_at = instance.record.active_at.map(|at| at.max(desk.now));
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// `instance.retry`: from `error`, with the checks of a new one; otherwise a step that failed is tried again.
pub(super) fn retry(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let mut instance = Instance::load(desk, &id)?;
    let is_error = instance.is(InstanceStatus::Error);
    let record = &mut instance.record;
    let is_by_hand = |resource: &ResourceState| resource.status == ResourceStatus::ByHand;
    let waits =
        record.archive_paused || record.resources.values().any(|resource| resource.blocked || is_by_hand(resource));
    if !is_error && !waits {
        return Err(Refusal::BadTransition(instance.status_text().to_owned()).into());
    }
    if !is_error {
        record.archive_paused = false;
        record.unblock();
        record.unstick();
        // What was given to people is the machine's again.
        for resource in record.resources.values_mut().filter(|resource| is_by_hand(resource)) {
            *resource = std::mem::take(resource).gone();
        }
    } else if !record.is_compensated() {
        // What could not be undone is undone first.
        record.unblock();
        record.unstick();
        record.retry_wanted = true;
    } else {
        // It stands as somebody wrote it: it must be whole, and in the form in which names are compared.
        if instance.record.refused {
            let checked = check(&instance.decl, ActorKind::System, None, &instance.metadata);
            instance.metadata = checked.map_err(Refusal::Invalid)?.into();
        }
        let standing = standing(desk)?;
        check_room(desk, &instance.decl, &instance.metadata, &standing, Some(&instance))?;
        take_names(desk, &instance.decl.clone(), &instance.metadata, instance.record.holds_names)?;
        instance.record.holds_names = true;
        instance.begin_again();
    }
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// `instance.delete`: by the owner, confirmed by typing the name; a last backup is kept. What is gone
/// or going is answered as it is (TES-52): who asks again has not heard the first answer.
pub(super) fn delete(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let confirmed = required_text(body, "confirm")?;
    let mut instance = Instance::load(desk, &id)?;
    let name = instance.decl.id_by.clone().and_then(|key| instance.text(&key).map(str::to_owned));
    if confirmed != instance.values.name && Some(&confirmed) != name.as_ref() {
        return Err(wrong_field("/confirm", FieldErrorCode::NotAllowed, "expected the name of the product"));
    }
    use InstanceStatus::{Archiving, Deleting, Restoring, Terminated};
    if instance.is(Terminated) || (instance.is(Deleting) && instance.record.ended_by_owner) {
        return Ok(Verdict { answer: Answer::Product(id), ..Outcome::Ignored(IgnoreReason::NoChange).into() });
    }
    if matches!(instance.status(), Some(Deleting | Archiving | Restoring)) {
        return Err(Refusal::BadTransition(instance.status_text().to_owned()).into());
    }
    instance.record.ended_by_owner = true;
    instance.end(true);
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}
