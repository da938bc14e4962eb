//! Instances that have not begun: they wait for their plan or purchase, and end or are revived together with it.

use super::context::Context;
use super::{plan, resources};
use crate::catalog::schema::Resource;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::correlation::Verb;
use crate::model::halt::Ruled;
use crate::model::records::instance::{Change, CreationError, Effects, End, Names, ResourceStatus, Stage};
use crate::model::records::purchase::PurchaseRow;
use crate::model::records::subscription::SubscriptionRow;
use extension_contract::PurchaseStatus;

/// Returns whether provisioning may continue: the plan is in force, or provisioning has begun and cannot be undone.
/// Ends the instance if its purchase has failed.
pub(super) fn may_begin(
    desk: &mut Desk<'_>,
    instance: &mut Instance,
    context: &Context<'_>,
    fits: bool,
) -> Ruled<bool> {
    if instance.decl.plan.is_none() {
        return Ok(true);
    }
    let has_plan = plan::is_in_force(instance, context);
    if instance.record.effects != Effects::None && (has_plan || !undo_begin(desk, instance)?) {
        return Ok(true);
    }
    if instance.text("purchase_id").is_none() {
        return Ok(has_plan || plan::is_over(instance, context));
    }
    let purchase = instance.purchase(desk)?;
    let is_ended = ended(desk, purchase.as_ref())?;
    match purchase.as_ref().map(|purchase| purchase.values.status) {
        Some(PurchaseStatus::Pending | PurchaseStatus::RequiresApproval | PurchaseStatus::PaidPendingApproval) => {
            Ok(false)
        }
        // A refund is not a cancellation: if the plan is in force, the instance may begin. The quota is checked again after the
        // payment.
        Some(PurchaseStatus::Paid | PurchaseStatus::Refunded) if has_plan => {
            if !fits {
                refuse(instance, "quota-exceeded", "instances")?;
            }
            Ok(true)
        }
        // A subscription that is not known yet may still grant the plan of a refunded purchase.
        Some(PurchaseStatus::Refunded) if is_ended == Some(false) => Ok(false),
        Some(PurchaseStatus::Cancelled | PurchaseStatus::Refunded) | None => {
            instance.lapse()?;
            Ok(true)
        }
        // Paid, but the purchase's subscription is not known or grants nothing yet. If the subscription has ended, the
        // instance ends.
        Some(PurchaseStatus::Paid) => {
            let over = is_ended == Some(true);
            if over {
                instance.lapse()?;
            }
            Ok(over)
        }
    }
}

/// Cancels the requests that were made under a plan that has been lost since, if none of the requests has begun.
/// Returns true if the instance is back in its waiting state.
fn undo_begin(desk: &mut Desk<'_>, instance: &mut Instance) -> Ruled<bool> {
    if instance.record.effects == Effects::Begun {
        return Ok(false);
    }
    let id = instance.id.clone();
    let decls = &instance.decl.provisions;
    for (name, resource) in &mut instance.record.resources {
        if resource.status == ResourceStatus::Making {
            let decl = decls.iter().find(|decl| decl.has(name));
            let key = resources::key(&id, decl, name, decl.map_or(Verb::Ensure, Resource::first_verb)).to_string();
            if !desk.account.call_off_in_time(key)? {
                instance.record.effects = Effects::Begun;
                return Ok(false);
            }
        }
        *resource = resource.never_requested();
    }
    instance.record.effects = Effects::None;
    instance.record.prune();
    plan::forget(instance);
    instance.unset("resources");
    Ok(true)
}

fn refuse(instance: &mut Instance, code: &str, message: &str) -> Ruled<()> {
    instance.change(Change::Refuse)?;
    instance.fail_with(CreationError { step: None, code: code.to_owned(), message: message.to_owned() });
    Ok(())
}

/// Returns whether the subscription of a purchase has ended permanently; `None` if the purchase has no subscription.
fn ended(desk: &mut Desk<'_>, purchase: Option<&PurchaseRow>) -> Ruled<Option<bool>> {
    let Some(id) = purchase.and_then(|purchase| purchase.values.subscription_id.clone()) else { return Ok(None) };
    Ok(Some(desk.account.get::<SubscriptionRow>(&id)?.is_some_and(|row| row.is_final())))
}

/// Revives a terminated instance that never began, if another session or a late payment pays its purchase after all.
/// The instance takes its names again if they are still free.
pub(super) fn revive(desk: &mut Desk<'_>, instance: &mut Instance, context: &Context<'_>) -> Ruled<()> {
    let has_lapsed = instance.record.state.stage() == Stage::Terminated(End::Lapsed);
    if !has_lapsed || instance.record.effects != Effects::None {
        return Ok(());
    }
    let purchase = instance.purchase(desk)?;
    let is_granted = match purchase.as_ref().map(|purchase| purchase.values.status) {
        Some(PurchaseStatus::Paid) => ended(desk, purchase.as_ref())? != Some(true),
        Some(PurchaseStatus::Refunded) => plan::is_in_force(instance, context),
        _ => false,
    };
    if !is_granted {
        return Ok(());
    }
    instance.begin_again()?;
    let names = instance.names();
    if desk.account.claim_free(&names)?.is_some() {
        return refuse(instance, "name-taken", &names.join(", "));
    }
    instance.record.names = Names::Held;
    Ok(())
}
