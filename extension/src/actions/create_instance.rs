//! Creates an instance within the account's plans and entitlements.

use crate::catalog::amount::{self, fits};
use crate::catalog::product::{Proposed, normalise};
use crate::catalog::schema::TypeDecl;
use crate::derive::standing::{AccountStanding, standing};
use crate::derive::upgrade::refusal;
use crate::desk::Desk;
use crate::desk::instance::{Instance, consumed, covered_key};
use crate::desk::making::insert;
use crate::model::halt::{Ruled, wrong_field};
use crate::model::json::Object;
use crate::model::records::summary::Summary;
use extension_contract::*;
use serde_json::{Value, json};

/// Fails if the account lacks the required plan, or if the amounts that the type consumes exceed the entitlements.
/// Ignores the amounts of the instance `except`.
pub(crate) fn check_room(
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

/// Checks and removes the owner in the body: the owner is determined by the session, never by the body.
pub(crate) fn own_body(desk: &Desk<'_>, body: &Object) -> Ruled<Object> {
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
        // Clients of the platform send the initial status; the provisioner decides it.
        if metadata.get("status").and_then(Value::as_str) == Some("provisioning") {
            metadata.remove("status");
        }
    }
    Ok(body)
}

/// Sets the product's plan to the plan in force. Fails if the product names another plan.
pub(crate) fn match_plan(proposed: &mut Proposed, standing: &AccountStanding) -> Ruled<()> {
    let Some(link) = &proposed.decl.plan else { return Ok(()) };
    let Some(plan) = standing.plans.get(&link.family) else { return Ok(()) };
    match proposed.metadata.get(&link.field).and_then(Value::as_str) {
        Some(named) if *named != *plan.product_id => {
            Err(Refusal::RequirementUnmet(format!("{}:{named}", link.family)).into())
        }
        _ => {
            proposed.metadata.insert(link.field.clone(), json!(plan.product_id));
            Ok(())
        }
    }
}

/// Charges the instance to the account's plans while they have capacity, and to the first add-on with capacity after
/// that: only then is the field with `source_of` set.
fn name_sources(desk: &mut Desk<'_>, proposed: &mut Proposed, standing: &AccountStanding) -> Ruled<()> {
    let decl = proposed.decl.clone();
    let wanted = consumed(&decl, &proposed.metadata);
    let named = decl.fields.iter().filter_map(|field| Some((field, field.source_of.as_ref()?)));
    for (field, key) in named {
        let (Some(allowance), Some(amount)) = (standing.allowed.get(key), wanted.get(key)) else { continue };
        let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
        let covered = |source: &str| summary.covered.get(&covered_key(key, source)).copied().unwrap_or(0);
        let add_ons = allowance.add_ons();
        let by_add_ons = add_ons.iter().fold(0i64, |sum, (source, _)| sum.saturating_add(covered(source)));
        let by_plans = summary.consumed.get(key).copied().unwrap_or(0).saturating_sub(by_add_ons);
        if fits(by_plans.saturating_add(*amount), allowance.by_plans) {
            continue;
        }
        let has_room = |(source, allowed): &&(String, i64)| fits(covered(source).saturating_add(*amount), *allowed);
        if let Some((source, _)) = add_ons.iter().find(has_room) {
            proposed.metadata.insert(field.name.clone(), json!(source));
        }
    }
    Ok(())
}

/// Creates an instance as part of another command, and returns its id.
pub(crate) fn create_now(desk: &mut Desk<'_>, body: &Object) -> Ruled<String> {
    let proposed = normalise_provisioned(desk, body)?;
    insert_with_room(desk, proposed)
}

/// Creates an instance that waits for the payment of its purchase and already holds its names. The account's
/// entitlements, with those that it is buying, must have room for it.
pub(crate) fn create_waiting(
    desk: &mut Desk<'_>,
    body: &Object,
    purchase: &str,
    standing: &AccountStanding,
    bought: &[Grant],
) -> Ruled<String> {
    let proposed = normalise_provisioned(desk, body)?;
    let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
    for (key, amount) in consumed(&proposed.decl, &proposed.metadata) {
        let used = summary.consumed.get(&key).copied().unwrap_or(0);
        let grants = bought.iter().filter(|grant| grant.key == key);
        let allowed = grants.fold(standing.allows(&key), |sum, grant| amount::add(sum, grant.amount, 1));
        if !fits(used.saturating_add(amount), allowed) {
            let refused = refusal(desk, standing, &key, used, amount)?;
            return Err(Refusal::QuotaExceeded(QuotaRefusal { allowed, ..refused }).into());
        }
    }
    let seed = desk.event_hash();
    insert(desk, proposed, Some(purchase), &seed)
}

fn normalise_provisioned(desk: &mut Desk<'_>, body: &Object) -> Ruled<Proposed> {
    let proposed = normalise(&desk.catalog, desk.actor.kind, &own_body(desk, body)?, None)?;
    if proposed.decl.catalog || proposed.decl.provisions.is_empty() {
        let (found, expected) = ("", "a type that is provisioned");
        return Err(wrong_field("/product/product_type", FieldErrorCode::NotAllowed, found, expected));
    }
    Ok(proposed)
}

/// Inserts a row if the account's entitlements allow it.
pub(crate) fn insert_with_room(desk: &mut Desk<'_>, mut proposed: Proposed) -> Ruled<String> {
    let standing = standing(desk)?;
    check_room(desk, &proposed.decl, &proposed.metadata, &standing, None)?;
    match_plan(&mut proposed, &standing)?;
    name_sources(desk, &mut proposed, &standing)?;
    let seed = desk.event_hash();
    insert(desk, proposed, None, &seed)
}
