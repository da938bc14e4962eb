//! Copies the plan, quotas and subscription in force into an instance's metadata.

use super::context::Context;
use crate::catalog::template::field_of;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::{Ruled, internal};
use crate::model::json::Object;
use crate::model::records::instance::{Effects, InstanceStatus};
use serde_json::{Value, json};
use std::rc::Rc;

/// Returns whether a plan of the instance's family is in force.
pub(super) fn is_in_force(instance: &Instance, context: &Context<'_>) -> bool {
    instance.decl.plan.as_ref().is_some_and(|link| context.standing.plans.contains_key(&link.family))
}

/// Returns whether every subscription that ever granted the instance's plan has ended permanently.
pub(super) fn is_over(instance: &Instance, context: &Context<'_>) -> bool {
    let lost = instance.decl.plan.as_ref().and_then(|link| context.standing.lost.get(&link.family));
    lost.is_some_and(|lost| lost.is_final)
}

/// Updates plan, quotas and subscription in the metadata. Without a plan, an instance that has begun keeps its last
/// plan and quotas, and a waiting instance has neither.
pub(super) fn update(desk: &mut Desk<'_>, instance: &mut Instance, context: &Context<'_>) -> Ruled<()> {
    let Some(link) = instance.decl.plan.clone().filter(|_| !instance.is(InstanceStatus::Terminated)) else {
        return Ok(());
    };
    let in_force = context.standing.plans.get(&link.family);
    let lost = context.standing.lost.get(&link.family);
    let subscription = match in_force {
        Some(plan) => plan.subscription.as_ref(),
        None => lost.and_then(|lost| lost.subscription.as_ref()),
    };
    if let (Some(id), true) = (subscription, instance.decl.field("stripe_subscription_id").is_some()) {
        instance.set("stripe_subscription_id", json!(id));
    }
    let product_id = match in_force {
        Some(plan) => Some(&plan.product_id),
        None if instance.record.effects == Effects::None => None,
        None => match lost.and_then(|lost| lost.product_id.as_ref()) {
            Some(id) => Some(id),
            None => return Ok(()),
        },
    };
    let Some(product_id) = product_id else {
        forget(instance);
        if subscription.is_none() {
            instance.unset("stripe_subscription_id");
        }
        return Ok(());
    };
    if desk.catalog.product(product_id)?.is_none() {
        return match in_force {
            Some(_) => Err(internal(format!("plan {product_id} is in force but not in the catalog"))),
            None => Ok(()),
        };
    }
    let plan = desk.catalog.metadata(product_id)?;
    instance.set(&link.field, json!(product_id));
    if !link.quotas.is_empty() {
        let named = link
            .quotas
            .iter()
            .filter_map(|(key, field)| Some((key.clone(), plan.get(field_of(field, "plan")?)?.clone())));
        instance.set("quotas", Value::Object(named.collect()));
    }
    Ok(())
}

/// Removes the plan and quotas from an instance that never began.
pub(super) fn forget(instance: &mut Instance) {
    let Some(link) = instance.decl.plan.clone() else { return };
    instance.unset(&link.field);
    if !link.quotas.is_empty() {
        instance.unset("quotas");
    }
}

/// Removes all traces of plans and resources from a terminated instance that never began.
pub(super) fn forget_all(instance: &mut Instance) {
    if instance.record.effects == Effects::None {
        forget(instance);
        instance.unset("resources");
        instance.unset("stripe_subscription_id");
        for resource in instance.record.resources.values_mut() {
            *resource = resource.never_requested();
        }
        // Generations are kept after their entries are removed.
        instance.record.prune();
        instance.record = instance.record.kept().into();
    }
}

/// Returns the metadata of the plan for the instance's resources: the plan in force, else the instance's last plan.
pub(super) fn metadata(desk: &mut Desk<'_>, instance: &Instance, context: &Context<'_>) -> Ruled<Rc<Object>> {
    let Some(link) = &instance.decl.plan else { return Ok(Rc::default()) };
    let in_force = context.standing.plans.get(&link.family).map(|plan| &*plan.product_id);
    match in_force.or_else(|| instance.text(&link.field)) {
        Some(id) => desk.catalog.metadata(id),
        None => Ok(Rc::default()),
    }
}
