//! Products that provision resources: made, changed and ended by people, and kept where the account's standing wants
//! them.
//!
//! `saga` holds each resource's state and says what to ask for next; `lifecycle` says which status an instance should
//! have; `report` reads what came back. An instance's status is in its product's metadata, its saga in a record.

mod lifecycle;
mod report;
mod saga;

use crate::catalog;
use crate::context::{Context, Handled, Loaded, Step, Stop, decode, encode, short_hash};
use crate::entitlement::{Standing, UNLIMITED};
use crate::product::{self, refuse};
use crate::schema::TypeDecl;
use crate::time::{order, rfc3339};
use crate::{notice, settle};
pub(crate) use lifecycle::reconcile;
use products_contract::*;
pub(crate) use report::effect_result;
pub(crate) use saga::Saga;
use serde_json::{Map, Value, json};
use std::rc::Rc;

type Metadata = Map<String, Value>;

/// An instance being worked on: its row, its type, its metadata and its saga.
pub(crate) struct Instance {
    pub row: Product,
    pub decl: Rc<TypeDecl>,
    pub metadata: Metadata,
    pub saga: Loaded<Saga>,
}

impl Instance {
    /// Load what belongs to a product row.
    pub fn of(context: &mut Context<'_, '_>, row: Product) -> Step<Instance> {
        let decl = context
            .type_named(&row.values.product_type)?
            .ok_or_else(|| Failure::Internal(format!("{} has no type", row.id)))?;
        let mut metadata = decode("products", &row.id, &row.values.metadata)?;
        decl.modernise(&mut metadata);
        let saga = context.record("sagas", &row.id)?;
        Ok(Instance { row, decl, metadata, saga })
    }

    /// Load an instance of this account by its id.
    pub fn load(context: &mut Context<'_, '_>, id: &str) -> Step<Instance> {
        let account = context.account()?;
        match context.product(id)? {
            Some(row) if row.owner == account && !row.deleted => Instance::of(context, row),
            _ => Err(Stop::Refused(Refusal::NotFound(id.to_owned()))),
        }
    }

    /// `metadata.status`.
    pub fn status(&self) -> &str {
        self.metadata.get("status").and_then(Value::as_str).unwrap_or_default()
    }

    /// Set `metadata.status`.
    pub fn set_status(&mut self, status: &str) {
        self.metadata.insert("status".to_owned(), json!(status));
    }

    /// A text of the metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(Value::as_str)
    }

    /// Write row and saga, where they differ from what is stored. True if the row did.
    pub fn save(&mut self, context: &mut Context<'_, '_>, saga_before: &Saga) -> Step<bool> {
        self.saga.value.prune();
        if self.saga.value != *saga_before || self.saga.version == 0 {
            context.save_record("sagas", &self.row.id, &self.saga)?;
            self.saga.version += 1;
        }
        let metadata = encode(&self.metadata)?;
        if metadata == self.row.values.metadata {
            return Ok(false);
        }
        self.row.values.metadata = metadata;
        self.row.version = context.host.product_save(&self.row.id, self.row.version, &self.row.values)?;
        Ok(true)
    }

    /// Whether one of its resources counts against one of these entitlements.
    fn holds<'k>(&self, mut keys: impl Iterator<Item = &'k String>) -> bool {
        keys.any(|key| self.decl.provisions.iter().any(|decl| decl.quota.as_ref() == Some(key)))
    }

    /// Whether it uses up what its type consumes: everything but what is gone or fully undone.
    fn counts(&self) -> bool {
        match self.status() {
            "terminated" => false,
            "error" => !self.saga.value.compensated(),
            _ => true,
        }
    }
}

/// All instances of the account, in order of their making.
pub(crate) fn all(context: &mut Context<'_, '_>) -> Step<Vec<Instance>> {
    let host = &mut *context.host;
    let rows = host.products(false, None)?;
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        // A row of a type that this business doesn't have is nobody's to drive.
        if context.type_named(&row.values.product_type)?.is_some() {
            out.push(Instance::of(context, row)?);
        }
    }
    let made = |instance: &Instance| instance.text("created_at").map(order).map(|(s, f)| (s.to_owned(), f.to_owned()));
    out.sort_by_cached_key(|instance| (made(instance), instance.row.id.clone()));
    Ok(out)
}

/// How much of an entitlement is in use, one instance left out.
pub(crate) fn used(instances: &[Instance], key: &str, except: Option<&str>) -> i64 {
    instances
        .iter()
        .filter(|instance| instance.counts() && Some(instance.row.id.as_str()) != except)
        .filter_map(|instance| instance.decl.consumes.get(key))
        .sum()
}

/// How much is held of what a resource's contents count against, as measured last.
pub(crate) fn held(instances: &[Instance], key: &str) -> i64 {
    let holding = instances.iter().filter(|instance| instance.counts());
    let holding = holding.filter(|instance| instance.decl.provisions.iter().any(|d| d.quota.as_deref() == Some(key)));
    let usage = |instance: &Instance| instance.metadata.get("usage")?.get(key)?.as_i64();
    holding.filter_map(usage).fold(0, i64::saturating_add)
}

/// Refuse what the account's standing doesn't allow: no plan, or nothing left of what the type consumes.
fn check_room(context: &mut Context<'_, '_>, decl: &TypeDecl, standing: &Standing, except: Option<&str>) -> Step<()> {
    if let Some(link) = &decl.plan
        && standing.plan.is_none()
    {
        return Err(Stop::Refused(Refusal::NoEntitlement(link.family.clone())));
    }
    if decl.consumes.is_empty() {
        return Ok(());
    }
    let instances = all(context)?;
    for (key, amount) in &decl.consumes {
        let (allowed, used) = (standing.allowed(key), used(&instances, key, except));
        if allowed != UNLIMITED && used.saturating_add(*amount) > allowed {
            let upgrade = upgrade_for(context, key, used.saturating_add(*amount))?;
            let quota = QuotaRefusal { quota: key.clone(), allowed, used, upgrade };
            return Err(Stop::Refused(Refusal::QuotaExceeded(quota)));
        }
    }
    Ok(())
}

/// The cheapest product on sale that allows an amount.
fn upgrade_for(context: &mut Context<'_, '_>, key: &str, amount: i64) -> Step<Option<String>> {
    let host = &mut *context.host;
    let rows = host.products(true, None)?;
    let mut best: Option<(i64, String)> = None;
    let types = catalog::types(context.host)?;
    for row in rows.iter().filter(|row| row.values.active) {
        let Some(field) = types.iter().find(|t| t.name == row.values.product_type).and_then(|t| t.grants.get(key))
        else {
            continue;
        };
        let Some(price) = &row.values.price else { continue };
        let metadata: Metadata = decode("products", &row.id, &row.values.metadata)?;
        let allows = metadata.get(field).and_then(Value::as_i64).unwrap_or(0);
        if (allows == UNLIMITED || allows >= amount)
            && best.as_ref().is_none_or(|(cheapest, _)| price.amount_minor < *cheapest)
        {
            best = Some((price.amount_minor, row.id.clone()));
        }
    }
    Ok(best.map(|(_, id)| id))
}

/// Take the claims of unique fields. One that is taken or blocked names itself, never its holder.
fn take_names(context: &mut Context<'_, '_>, decl: &TypeDecl, metadata: &Metadata) -> Step<()> {
    let keys = names(decl, metadata);
    if keys.is_empty() {
        return Ok(());
    }
    let states = context.host.claims_take(&keys, None)?;
    match keys.into_iter().zip(states).find(|(_, state)| *state != ClaimState::Mine) {
        None => Ok(()),
        Some((key, _)) => Err(Stop::Refused(Refusal::NameTaken(key))),
    }
}

/// Claim keys of a product's unique fields.
fn names(decl: &TypeDecl, metadata: &Metadata) -> Vec<String> {
    let unique = decl.fields.iter().filter(|field| field.unique);
    unique.filter_map(|field| Some(format!("{}:{}", field.name, metadata.get(&field.name)?.as_str()?))).collect()
}

/// Whether this account holds a name for another product of its own.
fn name_in_use(context: &mut Context<'_, '_>, decl: &TypeDecl, metadata: &Metadata, except: Option<&str>) -> Step<()> {
    let wanted = names(decl, metadata);
    for other in all(context)? {
        if Some(other.row.id.as_str()) == except || other.status() == "terminated" {
            continue;
        }
        if let Some(key) = names(&other.decl, &other.metadata).into_iter().find(|key| wanted.contains(key)) {
            return Err(Stop::Refused(Refusal::NameTaken(key)));
        }
    }
    Ok(())
}

/// `product.create` of a product that belongs to an account: check, take the names, write the row, begin.
pub(crate) fn create(context: &mut Context<'_, '_>, body: &Metadata) -> Step<Handled> {
    let mut proposed = product::normalise(context, &own_body(context, body)?, None)?;
    if proposed.decl.catalog {
        catalog::admin_of_platform(context)?;
        return create_in_catalog(context, proposed);
    }
    let row = insert_with_room(context, &mut proposed)?;
    settle::settle(context)?;
    answer(context, &row)
}

/// An instance beside another command's business; its id.
pub(crate) fn create_now(context: &mut Context<'_, '_>, body: &Metadata) -> Step<String> {
    let mut proposed = product::normalise(context, &own_body(context, body)?, None)?;
    if proposed.decl.catalog || proposed.decl.provisions.is_empty() {
        return Err(refuse("/product/product_type", FieldErrorCode::NotAllowed, "expected a type that is provisioned"));
    }
    let row = insert_with_room(context, &mut proposed)?;
    settle::settle(context)?;
    Ok(row)
}

/// Insert a row if the account's standing has room for it.
fn insert_with_room(context: &mut Context<'_, '_>, proposed: &mut product::Proposed) -> Step<String> {
    let standing = settle::standing(context)?;
    check_room(context, &proposed.decl, &standing, None)?;
    match_plan(proposed, &standing)?;
    insert(context, proposed, None)
}

/// A row that waits for its purchase to be paid; its names are held meanwhile.
pub(crate) fn create_waiting(context: &mut Context<'_, '_>, body: &Metadata, purchase: &str) -> Step<String> {
    let mut proposed = product::normalise(context, &own_body(context, body)?, None)?;
    if proposed.decl.catalog || proposed.decl.provisions.is_empty() {
        return Err(refuse("/product/product_type", FieldErrorCode::NotAllowed, "expected a type that is provisioned"));
    }
    insert(context, &mut proposed, Some(purchase))
}

fn create_in_catalog(context: &mut Context<'_, '_>, proposed: product::Proposed) -> Step<Handled> {
    let slug = proposed.decl.infer_by.as_ref().and_then(|key| proposed.metadata.get(key)).and_then(Value::as_str);
    let id = match (&proposed.id, slug) {
        (Some(id), _) => id.clone(),
        (None, Some(slug)) => format!("prod_{slug}"),
        (None, None) => format!("prod_{}", short_hash(&context.event.id)),
    };
    if context.product(&id)?.is_some_and(|row| !row.deleted) {
        return Err(Stop::Refused(Refusal::AlreadyOwned(id)));
    }
    put_in_catalog(context, &id, proposed)
}

/// Put it, and answer at once, or when its price is made at the provider.
fn put_in_catalog(context: &mut Context<'_, '_>, id: &str, proposed: product::Proposed) -> Step<Handled> {
    match catalog::put(context, id, proposed, context.event.reply_to.clone())? {
        true => Ok(Handled { outcome: Outcome::Applied, reply: None }),
        false => answer(context, id),
    }
}

/// The body with the owner checked: it comes from the session and never from the body.
fn own_body(context: &Context<'_, '_>, body: &Metadata) -> Step<Metadata> {
    let mut body = body.clone();
    let account = context.account()?;
    let check = |map: &mut Metadata| -> Step<()> {
        for key in ["user_id", "owner"] {
            let named = map.remove(key);
            let own = match (&named, &account) {
                (None | Some(Value::Null), _) => true,
                (Some(Value::String(id)), Account::User(own) | Account::Organization(own)) => id == own,
                _ => false,
            };
            if !own {
                return Err(Stop::Refused(Refusal::Forbidden(format!("/{key} is another account"))));
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
fn match_plan(proposed: &mut product::Proposed, standing: &Standing) -> Step<()> {
    let (Some(link), Some(plan)) = (&proposed.decl.plan, &standing.plan) else { return Ok(()) };
    match proposed.metadata.get(&link.field).and_then(Value::as_str) {
        Some(named) if named != plan.price.product_id => {
            Err(Stop::Refused(Refusal::RequirementUnmet(format!("{}:{named}", link.family))))
        }
        _ => {
            proposed.metadata.insert(link.field.clone(), json!(plan.price.product_id));
            Ok(())
        }
    }
}

fn insert(context: &mut Context<'_, '_>, proposed: &mut product::Proposed, purchase: Option<&str>) -> Step<String> {
    name_in_use(context, &proposed.decl, &proposed.metadata, None)?;
    take_names(context, &proposed.decl, &proposed.metadata)?;
    let by = proposed.decl.id_by.as_ref().and_then(|key| proposed.metadata.get(key)).and_then(Value::as_str);
    let prefix = proposed.decl.id_prefix.as_deref().unwrap_or("prod");
    let mut id = match by {
        Some(name) => format!("{prefix}_{name}"),
        None => format!("{prefix}_{}", short_hash(&context.event.id)),
    };
    // A name that was used before belongs to a row that stays for its history.
    if context.product(&id)?.is_some() {
        id = format!("{id}_{}", short_hash(&context.event.id));
    }
    begin_metadata(context, &proposed.decl, &mut proposed.metadata, purchase)?;
    proposed.values.metadata = encode(&proposed.metadata)?;
    context.host.product_save(&id, 0, &proposed.values)?;
    take_on(context, &id)?;
    Ok(id)
}

/// From here on an instance is ours to drive; a row that somebody else wrote is not before it was accepted (SOL-23).
fn take_on(context: &mut Context<'_, '_>, id: &str) -> Step<()> {
    let saga: Loaded<Saga> = context.record("sagas", id)?;
    if saga.version == 0 {
        context.save_record("sagas", id, &saga)?;
    }
    Ok(())
}

/// What every instance has from its first moment.
fn begin_metadata(
    context: &Context<'_, '_>,
    decl: &TypeDecl,
    metadata: &mut Metadata,
    purchase: Option<&str>,
) -> Step<()> {
    let account = context.account()?;
    let mut set = |key: &str, value: Value| {
        if decl.field(key).is_some() {
            metadata.insert(key.to_owned(), value);
        }
    };
    set("status", json!("provisioning"));
    set("health_status", json!("unknown"));
    set("created_at", json!(rfc3339(context.now)));
    if let Account::User(id) = account {
        set("user_id", json!(id));
    }
    if let Some(purchase) = purchase {
        set("purchase_id", json!(purchase));
    }
    Ok(())
}

fn answer(context: &mut Context<'_, '_>, id: &str) -> Step<Handled> {
    let row = context.product(id)?.ok_or_else(|| Failure::Internal(format!("{id} is gone after it was saved")))?;
    Ok(Handled { outcome: Outcome::Applied, reply: Some(Reply::Answer(crate::queries::product_json(&row)?)) })
}

/// A product event: the row exists already. One that may not be provisioned is marked as an error.
pub(crate) fn product_event(context: &mut Context<'_, '_>, change: &ProductChange) -> Step<Outcome> {
    let unchanged = Ok(Outcome::Ignored(IgnoreReason::NoChange));
    if context.account()? == Account::Platform {
        return match &change.after {
            Some(after) => catalog_event(context, after),
            // Who has bought it keeps what it grants; it is no longer on sale.
            None if change.before.is_some() => Ok(Outcome::Applied),
            None => unchanged,
        };
    }
    let created = change.before.is_none();
    if let Some(before) = &change.before {
        let saga: Loaded<Saga> = context.record("sagas", &before.id)?;
        if saga.version != 0 {
            return others_change(context, before, change.after.as_ref());
        }
    }
    let Some(after) = &change.after else { return unchanged };
    let Some(row) = context.product(&after.id)? else {
        return Err(Stop::Refused(Refusal::NotFound(after.id.clone())));
    };
    let decl = context.type_named(&row.values.product_type)?;
    let Some(decl) = decl.filter(|decl| !decl.provisions.is_empty()) else { return unchanged };
    let metadata: Metadata = decode("products", &row.id, &row.values.metadata)?;
    // Only a new instance that asks for it is provisioned (SOL-23).
    if !created || metadata.get("status").and_then(Value::as_str) != Some("provisioning") {
        return unchanged;
    }
    match accept(context, &row, &decl) {
        Ok(()) => {
            settle::settle(context)?;
            Ok(Outcome::Applied)
        }
        Err(Stop::Refused(refusal)) => {
            mark_refused(context, &row.id, &refusal)?;
            Err(Stop::Refused(refusal))
        }
        Err(other) => Err(other),
    }
}

/// Somebody else changed or deleted a row that is ours to drive. A change that its type does not allow is refused; a
/// deletion ends the instance as its owner's own command would, so that nothing of it is left running.
fn others_change(context: &mut Context<'_, '_>, before: &Product, after: Option<&Product>) -> Step<Outcome> {
    let Some(row) = context.product(&before.id)? else {
        return Err(Stop::Refused(Refusal::NotFound(before.id.clone())));
    };
    let Some(after) = after.filter(|after| !after.deleted) else {
        context.host.product_save(&before.id, row.version, &before.values)?;
        let mut instance = Instance::load(context, &before.id)?;
        let saga = instance.saga.value.clone();
        if !matches!(instance.status(), "deleting" | "terminated") {
            lifecycle::end(&mut instance, true);
        }
        instance.save(context, &saga)?;
        settle::settle(context)?;
        return Ok(Outcome::Applied);
    };
    let mut body = Metadata::new();
    body.insert("product_type".to_owned(), json!(after.values.product_type));
    body.insert("name".to_owned(), json!(after.values.name));
    body.insert("description".to_owned(), json!(after.values.description));
    body.insert("metadata".to_owned(), Value::Object(decode("products", &after.id, &row.values.metadata)?));
    let values = product::normalise(context, &body, Some(before))?.values;
    if row.values != values {
        context.host.product_save(&before.id, row.version, &values)?;
    }
    if values == before.values {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    settle::settle(context)?;
    Ok(Outcome::Applied)
}

/// A plan that the platform made: bring it into the catalog.
fn catalog_event(context: &mut Context<'_, '_>, after: &Product) -> Step<Outcome> {
    let decl =
        catalog::types(context.host)?.into_iter().find(|decl| decl.catalog && decl.name == after.values.product_type);
    if decl.is_none() {
        let message = format!("`{}` is no type of the catalog", after.values.product_type);
        return Err(refuse("/product_type", FieldErrorCode::NotAllowed, message));
    }
    let mut body = Metadata::new();
    body.insert("product_type".to_owned(), json!(after.values.product_type));
    body.insert("name".to_owned(), json!(after.values.name));
    body.insert("description".to_owned(), json!(after.values.description));
    body.insert("active".to_owned(), json!(after.values.active));
    if let Some(price) = &after.values.price {
        body.insert("price".to_owned(), json!({"amount_minor": price.amount_minor, "currency": price.currency}));
    }
    if let Some(interval) = &after.values.interval {
        body.insert("billing_interval".to_owned(), json!(interval.unit));
    }
    body.insert("metadata".to_owned(), Value::Object(decode("products", &after.id, &after.values.metadata)?));
    let proposed = product::normalise(context, &body, None)?;
    catalog::put(context, &after.id, proposed, None)?;
    Ok(Outcome::Applied)
}

/// Check a row that somebody else wrote, as `create` would have, and complete it.
fn accept(context: &mut Context<'_, '_>, row: &Product, decl: &TypeDecl) -> Step<()> {
    if row.id.len() > product::ID_BYTES {
        let message = format!("expected at most {} bytes", product::ID_BYTES);
        return Err(refuse("/id", FieldErrorCode::OutOfRange, message));
    }
    let mut body: Metadata = decode("products", &row.id, &row.values.metadata)?;
    // Whatever the writer put there, these are ours to set.
    for key in ["status", "quotas", "resources", "health_status", "created_at", "error", "usage"] {
        body.remove(key);
    }
    let mut wrapped = Metadata::new();
    wrapped.insert("product_type".to_owned(), json!(decl.name));
    wrapped.insert("name".to_owned(), json!(row.values.name));
    wrapped.insert("metadata".to_owned(), Value::Object(body));
    let mut proposed = product::normalise(context, &own_body(context, &wrapped)?, None)?;
    let standing = settle::standing(context)?;
    check_room(context, decl, &standing, Some(&row.id))?;
    match_plan(&mut proposed, &standing)?;
    name_in_use(context, decl, &proposed.metadata, Some(&row.id))?;
    take_names(context, decl, &proposed.metadata)?;
    begin_metadata(context, decl, &mut proposed.metadata, None)?;
    let values = ProductValues { metadata: encode(&proposed.metadata)?, ..row.values.clone() };
    context.host.product_save(&row.id, row.version, &values)?;
    take_on(context, &row.id)
}

fn mark_refused(context: &mut Context<'_, '_>, id: &str, refusal: &Refusal) -> Step<()> {
    let row = context.product(id)?.ok_or_else(|| Failure::Internal(format!("{id} is gone")))?;
    let mut instance = Instance::of(context, row)?;
    let before = instance.saga.value.clone();
    instance.set_status("error");
    instance.metadata.insert("error".to_owned(), json!({"code": refusal.code(), "message": refusal.detail()}));
    instance.saga.value.refuse();
    instance.save(context, &before)?;
    Ok(())
}

/// `product.update`: names and descriptions by the owner; status and resources by a service alone (SOL-15).
pub(crate) fn update(context: &mut Context<'_, '_>, body: &Metadata) -> Step<Handled> {
    let id = product::required_text(body, "id")?;
    let mut body = body.clone();
    body.remove("id");
    if context.account()? == Account::Platform {
        catalog::admin_of_platform(context)?;
        let current = context.product(&id)?.ok_or(Refusal::NotFound(id.clone()))?;
        let proposed = product::normalise(context, &body, Some(&current))?;
        return put_in_catalog(context, &id, proposed);
    }
    let instance = Instance::load(context, &id)?;
    let service = matches!(context.event.actor.kind, ActorKind::Service | ActorKind::Extension | ActorKind::System);
    let given = body.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let sets = |key: &str| given.contains_key(key) || body.contains_key(key);
    if !service && ["status", "resources", "quotas", "usage"].into_iter().any(sets) {
        return Err(Stop::Refused(Refusal::Forbidden("/metadata/status is set by the provisioner".to_owned())));
    }
    let from = instance.status().to_owned();
    let proposed = product::normalise(context, &body, Some(&instance.row))?;
    let to = proposed.metadata.get("status").and_then(Value::as_str).unwrap_or(&from);
    if to != from && !lifecycle::may_report(&from, to) {
        return Err(Stop::Refused(Refusal::BadTransition(format!("{from} to {to}"))));
    }
    context.host.product_save(&id, instance.row.version, &proposed.values)?;
    // What a service says of resources stands until they change.
    if !sets("resources") {
        settle::settle(context)?;
    }
    answer(context, &id)
}

/// `instance.retry`: from `error`, with the checks of a new one; otherwise a step that failed is tried again.
pub(crate) fn retry(context: &mut Context<'_, '_>, body: &Metadata) -> Step<Handled> {
    let id = product::required_text(body, "id")?;
    let mut instance = Instance::load(context, &id)?;
    let before = instance.saga.value.clone();
    let waits = before.hold || before.resources.values().any(|resource| resource.blocked);
    if waits && instance.status() != "error" {
        instance.saga.value.hold = false;
        instance.saga.value.unblock();
        instance.saga.value.unstick();
        instance.save(context, &before)?;
        settle::settle(context)?;
        return answer(context, &id);
    }
    if instance.status() != "error" {
        return Err(Stop::Refused(Refusal::BadTransition(instance.status().to_owned())));
    }
    if !before.compensated() {
        // What could not be undone is undone first.
        instance.saga.value.unblock();
        instance.saga.value.unstick();
        instance.saga.value.retry_wanted = true;
        instance.save(context, &before)?;
        settle::settle(context)?;
        return answer(context, &id);
    }
    let standing = settle::standing(context)?;
    check_room(context, &instance.decl, &standing, Some(&id))?;
    name_in_use(context, &instance.decl, &instance.metadata, Some(&id))?;
    take_names(context, &instance.decl, &instance.metadata)?;
    lifecycle::begin_again(&mut instance);
    instance.save(context, &before)?;
    settle::settle(context)?;
    answer(context, &id)
}

/// `instance.delete`: by the owner, confirmed by typing the name; a last backup is kept.
pub(crate) fn delete(context: &mut Context<'_, '_>, body: &Metadata) -> Step<Handled> {
    let id = product::required_text(body, "id")?;
    let confirmed = product::required_text(body, "confirm")?;
    let mut instance = Instance::load(context, &id)?;
    let name = instance.decl.id_by.clone().and_then(|key| instance.text(&key).map(str::to_owned));
    if confirmed != instance.row.values.name && Some(&confirmed) != name.as_ref() {
        return Err(refuse("/confirm", FieldErrorCode::NotAllowed, "expected the name of the product"));
    }
    if matches!(instance.status(), "deleting" | "terminated" | "archiving" | "restoring") {
        return Err(Stop::Refused(Refusal::BadTransition(instance.status().to_owned())));
    }
    let before = instance.saga.value.clone();
    lifecycle::end(&mut instance, true);
    instance.save(context, &before)?;
    settle::settle(context)?;
    answer(context, &id)
}

/// A timer that means something to one instance: the hours in `error` are over.
pub(crate) fn timer(context: &mut Context<'_, '_>, key: &str) -> Step<bool> {
    let Some(id) = key.strip_prefix("error:").and_then(|rest| rest.rsplit_once(':')).map(|(id, _)| id) else {
        return Ok(false);
    };
    let Some(row) = context.product(id)? else { return Ok(false) };
    let mut instance = Instance::of(context, row)?;
    if instance.status() != "error" || instance.saga.value.credit_due {
        return Ok(false);
    }
    let before = instance.saga.value.clone();
    instance.saga.value.credit_due = true;
    instance.save(context, &before)?;
    let values = json!({"instance": id, "error": instance.metadata.get("error")});
    notice::now(context, "instance_unresolved", notice::To::Admin, key, &values)?;
    Ok(true)
}
