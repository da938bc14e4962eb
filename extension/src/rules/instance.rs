//! Commands on instances: create, change, suspend, resume, retry and delete, within the account's plans and
//! entitlements.

use crate::actions::create_instance::{check_room, insert_with_room, own_body};
use crate::actions::permission::{admin_of_platform, operators_only};
use crate::actions::put_product::put_one;
use crate::catalog::product::{Proposed, normalise, required_text};
use crate::catalog::schema::check;
use crate::derive::standing::standing;
use crate::desk::Desk;
use crate::desk::instance::{Instance, status_in};
use crate::desk::making::take_names;
use crate::model::halt::{Answer, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::records::instance::{
    ArchiveMode, Change, InstanceStatus, Names, ResourceState, ResourceStatus, Stage,
};
use crate::model::records::product::ProductRow;
use extension_contract::*;
use serde_json::Value;

/// Returns whether a service may report this change of status (SOL-15): only the end of provisioning.
fn may_report(from: Option<InstanceStatus>, to: InstanceStatus) -> bool {
    from == Some(InstanceStatus::Provisioning) && matches!(to, InstanceStatus::Running | InstanceStatus::Error)
}

/// `product.create`: checks the product, takes its names, writes the row and begins provisioning.
pub(super) fn create(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let proposed = normalise(&desk.catalog, desk.actor.kind, &own_body(desk, body)?, None)?;
    if proposed.decl.catalog {
        admin_of_platform(desk)?;
        return create_in_catalog(desk, proposed);
    }
    let id = insert_with_room(desk, proposed)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// `instance.create`: creates a product of the only type that there can be, unless the payload names a type.
pub(super) fn create_of_only_type(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let mut body = body.clone();
    if !body.contains_key("type")
        && !body.contains_key("product_type")
        && let Some(name) = only_type(desk)?
    {
        body.insert("product_type".to_owned(), Value::from(name));
    }
    create(desk, &body)
}

/// Returns the catalog's product type whose products belong to accounts, if there is exactly one.
fn only_type(desk: &Desk<'_>) -> Ruled<Option<String>> {
    let mut owned = Vec::new();
    for decl in desk.catalog.types()?.iter().filter(|decl| !decl.catalog) {
        if !desk.catalog.is_withdrawn(&decl.name)? {
            owned.push(decl.name.clone());
        }
    }
    Ok(if owned.len() == 1 { owned.pop() } else { None })
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

/// Puts a product into the catalog. Replies at once, or after its price was created at Stripe.
fn put_in_catalog(desk: &mut Desk<'_>, id: &str, proposed: Proposed) -> Ruled<Verdict> {
    let reply_to = desk.reply_to.cloned();
    Ok(match put_one(desk, id, proposed, reply_to)? {
        true => Outcome::Applied.into(),
        false => Verdict::answered(Answer::Product(id.to_owned())),
    })
}

/// `product.update`: the owner may change names and descriptions; only a service may change status and resources
/// (SOL-15).
pub(super) fn update(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let mut body = body.clone();
    body.remove("id");
    let by = desk.actor.kind;
    if desk.account.is_platform() {
        admin_of_platform(desk)?;
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
    let mut current = match desk.account.get::<ProductRow>(&id)? {
        Some(row) => row.values()?,
        None => return Err(Refusal::NotFound(id).into()),
    };
    // A refused product can be corrected in all fields, because nothing was created for it yet.
    if is_refused(&instance) {
        let mut metadata = Object::clone(&instance.metadata);
        let fields = instance.decl.fields.iter().filter(|field| field.immutable && given.contains_key(&field.name));
        fields.for_each(|field| drop(metadata.remove(&field.name)));
        current.metadata = encode(&metadata)?;
    }
    let proposed = normalise(&desk.catalog, by, &body, Some((&id, &current)))?;
    if let Some(to) = status_in(&proposed.metadata)
        && instance.status() != Some(to)
        && !may_report(instance.status(), to)
    {
        return Err(Refusal::BadTransition(format!("{} to {}", instance.status_text(), to.name())).into());
    }
    instance.values = proposed.values.into();
    instance.metadata = proposed.metadata.into();
    instance.take_report()?;
    instance.save(&mut desk.account)?;
    // Resources reported by a service are kept until they change.
    Ok(Verdict { stands: sets("resources"), ..Verdict::answered(Answer::Product(id)) })
}

/// Returns whether the instance was refused, so that nothing was created for it yet.
fn is_refused(instance: &Instance) -> bool {
    instance.record.state.stage() == Stage::Refused
}

/// `instance.keep`: chooses an instance to keep running when the account has too many; the last choice ranks first
///
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

/// `instance.suspend`: suspends an instance until an operator resumes it. The suspension does not cause an archive or a
/// deletion.
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

/// `instance.resume`: resumes an instance that an operator suspended (only for operators), or restores an instance that
/// was archived as idle (also for its owner).
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

/// `instance.retry`: starts an instance in `error` again, with the checks of a new instance; otherwise retries failed
/// resources.
pub(super) fn retry(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let mut instance = Instance::load(desk, &id)?;
    let is_error = instance.is(InstanceStatus::Error);
    let record = &mut instance.record;
    let is_by_hand = |resource: &ResourceState| resource.status == ResourceStatus::ByHand;
    let waits = record.archive == ArchiveMode::Paused
        || record.resources.values().any(|resource| resource.blocked || is_by_hand(resource));
    if !is_error && !waits {
        return Err(Refusal::BadTransition(instance.status_text().to_owned()).into());
    }
    if !is_error {
        record.archive = ArchiveMode::Automatic;
        record.unblock();
        record.unstick();
        // Resources with a manual task are created automatically again.
        for resource in record.resources.values_mut().filter(|resource| is_by_hand(resource)) {
            let may_exist = resource.task.as_ref().is_some_and(|task| task.may_exist);
            let status = if may_exist { ResourceStatus::Unknown } else { ResourceStatus::Absent };
            *resource = ResourceState { status, ..std::mem::take(resource).gone() };
        }
    } else if !record.is_compensated() {
        // Resources that could not be freed must be freed before the instance starts again.
        record.unblock();
        record.unstick();
        instance.change(Change::AwaitNewBegin)?;
    } else {
        // The metadata of a refused product is unchecked; it must be complete and normalised, because names are
        // compared.
        if is_refused(&instance) {
            let checked = check(&instance.decl, ActorKind::System, None, &instance.metadata);
            instance.metadata = checked.map_err(Refusal::Invalid)?.into();
        }
        let standing = standing(desk)?;
        check_room(desk, &instance.decl, &instance.metadata, &standing, Some(&instance))?;
        take_names(desk, &instance.decl.clone(), &instance.metadata, instance.record.names)?;
        instance.record.names = Names::Held;
        instance.begin_again()?;
    }
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}

/// `instance.delete`: deletes an instance after a last backup, if the owner confirms its name. For an instance
/// that was already deleted, or whose deletion the owner has begun, it replies with the current state (TES-52), because
/// the caller may have missed the first reply.
pub(super) fn delete(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let id = required_text(body, "id")?;
    let confirmed = required_text(body, "confirm")?;
    let mut instance = Instance::load(desk, &id)?;
    let name = instance.decl.id_by.clone().and_then(|key| instance.text(&key).map(str::to_owned));
    if confirmed != instance.values.name && Some(&confirmed) != name.as_ref() {
        return Err(wrong_field(
            "/confirm",
            FieldErrorCode::NotAllowed,
            "",
            "the product's name, or the field in its id",
        ));
    }
    use InstanceStatus::{Archiving, Deleting, Restoring, Terminated};
    if instance.is(Terminated) || (instance.is(Deleting) && instance.record.state.is_end_ordered()) {
        return Ok(Verdict { answer: Answer::Product(id), ..Outcome::Ignored(IgnoreReason::NoChange).into() });
    }
    if matches!(instance.status(), Some(Deleting | Archiving | Restoring)) {
        return Err(Refusal::BadTransition(instance.status_text().to_owned()).into());
    }
    instance.end_by_order()?;
    instance.save(&mut desk.account)?;
    Ok(Verdict::answered(Answer::Product(id)))
}
