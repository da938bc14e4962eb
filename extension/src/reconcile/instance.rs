//! Reconciles one instance: computes its desired status (requirements M12) and moves the actual status towards it.

mod by_hand;
mod contents;
pub(super) mod context;
mod credit;
mod handover;
mod health;
mod plan;
mod resources;
mod running_time;
mod stock;
mod waiting;

use super::schedule::{self, DesiredSchedule};
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::instance::{
    ArchiveMode, Change, Effects, InstanceRecord, InstanceStatus, ResourceStatus, SuspendReason,
};
use crate::model::time::{DELIVERY_DAYS, HOUR_MS, plus_days, rfc3339};
use context::Context;
use extension_contract::Timestamp;
use serde_json::json;

/// Maximum number of status changes per event; more than the longest path, from archived to running.
const STEPS_MAX: usize = 8;

/// The desired state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Desired {
    /// Running.
    Running,
    /// Suspended, with the reason and the time since which it applies.
    Suspended(SuspendReason, Timestamp),
    /// Archived because it is not used.
    Idle,
    /// Unchanged: the desired state is unknown.
    Unchanged,
}

/// Moves an instance as far towards its desired state as is possible now.
pub(super) fn reconcile(desk: &mut Desk<'_>, instance: &mut Instance, context: &Context<'_>) -> Ruled<()> {
    if !instance.record.over.iter().eq(context.room.excess.keys()) {
        instance.record.over = context.room.excess.keys().cloned().collect();
    }
    let fits = !context.room.beyond.contains(&instance.id);
    let by_plan = desired(desk.now, instance, context, fits);
    waiting::revive(desk, instance, context)?;
    plan::update(desk, instance, context)?;
    let metadata = plan::metadata(desk, instance, context)?;
    let given = resources::AccountInputs { plan: &metadata, standing: context.standing };
    for _ in 0..STEPS_MAX {
        let status = instance.status();
        match status {
            Some(InstanceStatus::Provisioning) if !waiting::may_begin(desk, instance, context, fits)? => {}
            _ => {
                // A start counts as use, so an instance that has just started is no longer idle.
                let wanted = apply_hold_and_idle(desk.now, instance, by_plan);
                change_status(desk.now, instance, context, wanted)?;
                if instance.status() == status {
                    let done = resources::advance(desk, instance, &given)?;
                    stock::release_unused(desk, instance);
                    complete_status(desk, instance, context, done)?;
                }
            }
        }
        if instance.status() == status {
            break;
        }
        instance.record.unblock();
    }
    let mut later = DesiredSchedule::default();
    running_time::count(desk, instance, context.standing, &mut later)?;
    if instance.is(InstanceStatus::Terminated) {
        plan::forget_all(instance);
    } else {
        contents::show(instance);
        health::watch(desk, instance)?;
        remind(desk.now, instance, context, apply_hold_and_idle(desk.now, instance, by_plan), &mut later);
        by_hand::remind(desk.now, instance, &mut later);
    }
    contents::show_views(instance);
    if !later.is_open_in(&instance.record.schedule) {
        schedule::apply(&mut desk.account, desk.now, &mut instance.record.schedule, later)?;
    }
    if instance.record.reached != context.reached {
        context.reached.clone_into(&mut instance.record.reached);
    }
    instance.save(&mut desk.account)
}

fn desired(now: Timestamp, instance: &Instance, context: &Context<'_>, fits: bool) -> Desired {
    if let Some(at) = context.standing.closed_at {
        return Desired::Suspended(SuspendReason::Payment, at);
    }
    let over_due = context.room.over_due;
    let by_plan = match &instance.decl.plan {
        Some(link) => {
            let lost = context.standing.lost.get(&link.family);
            match (context.standing.plans.contains_key(&link.family), lost, over_due) {
                (true, _, Some(due)) if !fits && due <= now => Desired::Suspended(SuspendReason::OverLimit, due),
                (true, _, _) => Desired::Running,
                (false, Some(lost), _) => Desired::Suspended(SuspendReason::Payment, lost.at),
                (false, None, _) => Desired::Unchanged,
            }
        }
        // An instance without a plan is suspended only if an entitlement that it consumes was lost.
        None => match (fits, over_due, context.standing.last_lost()) {
            (false, Some(due), _) if due <= now => Desired::Suspended(SuspendReason::OverLimit, due),
            (false, None, Some(lost)) if !instance.decl.consumes.is_empty() => {
                Desired::Suspended(SuspendReason::OverLimit, lost)
            }
            _ => Desired::Running,
        },
    };
    let holds_excess = instance
        .decl
        .provisions
        .iter()
        .filter_map(|decl| decl.quota.as_ref())
        .any(|key| context.room.excess.contains_key(key));
    match (by_plan, context.room.excess.values().min()) {
        (Desired::Running, Some(due)) if *due <= now && holds_excess => {
            Desired::Suspended(SuspendReason::OverLimit, *due)
        }
        _ => by_plan,
    }
}

/// Applies an operator's hold and the idle limit to the desired state.
fn apply_hold_and_idle(now: Timestamp, instance: &Instance, desired: Desired) -> Desired {
    match (desired, instance.record.held_at) {
        (Desired::Running | Desired::Unchanged, Some(since)) => Desired::Suspended(SuspendReason::Admin, since),
        (Desired::Running, None) if idle_due(instance).is_some_and(|due| due <= now) => Desired::Idle,
        _ => desired,
    }
}

/// Returns when the instance exceeds its idle limit.
fn idle_due(instance: &Instance) -> Option<Timestamp> {
    let idle = instance.decl.lifecycle.as_ref()?.idle.as_ref()?;
    Some(idle.after.after(instance.record.active_at?))
}

/// Returns when an instance that is unpaid since `since` is archived, and when it is terminated.
fn archive_and_end(instance: &Instance, context: &Context<'_>, since: Timestamp) -> (Timestamp, Timestamp) {
    let (lifecycle, settings) = (instance.decl.lifecycle.as_ref(), &context.standing.settings);
    let archive = match lifecycle.and_then(|lifecycle| lifecycle.archive_after) {
        Some(span) => span.after(since),
        None => settings.archive_after.after(since),
    };
    // Nobody can resume the instance after the account was closed, so it is archived at once.
    let archive = context.standing.closed_at.unwrap_or(archive);
    let end = match lifecycle.and_then(|lifecycle| lifecycle.delete_after) {
        Some(span) => span.after(archive),
        None => settings.delete_after.after(archive),
    };
    (archive, end)
}

/// Time after which a deletion is late: timers fire within seconds, unless the host is down.
const LATE_MS: i64 = HOUR_MS;

/// Returns when an archived instance is deleted whose deletion is due at `due`. If this time has passed unnoticed, what happened
/// meanwhile is not known yet, so the deletion waits for the events that the host has missed.
fn deletion(now: Timestamp, instance: &mut Instance, context: &Context<'_>, due: Timestamp) -> Timestamp {
    if context.standing.closed_at.is_some() || due.saturating_add(LATE_MS) > now && instance.record.ends_at.is_none() {
        return due;
    }
    match instance.record.ends_at {
        Some(at) => at,
        None => *instance.record.ends_at.insert(plus_days(now, DELIVERY_DAYS)),
    }
}

/// Changes the status towards the desired state if that is safe.
fn change_status(now: Timestamp, instance: &mut Instance, context: &Context<'_>, desired: Desired) -> Ruled<()> {
    use InstanceStatus::{Archived, Archiving, Error, Provisioning, Running, Suspended};
    use SuspendReason::Payment;
    let paused = instance.record.archive == ArchiveMode::Paused;
    let Some(status) = instance.status() else { return Ok(()) };
    if !matches!(desired, Desired::Suspended(Payment, _)) && instance.record.ends_at.is_some() {
        instance.record.ends_at = None;
    }
    if let (Suspended, Desired::Suspended(reason, _)) = (status, desired) {
        instance.suspend_for(reason);
    }
    match (status, desired) {
        // The plan was cancelled during provisioning: no new resources are created, and existing resources are freed.
        (Provisioning, Desired::Suspended(Payment, _)) if is_over(instance, context) => instance.lapse(),
        // Nobody will try again what failed, so that its data need not stay.
        (Error, _) if context.standing.closed_at.is_some() => instance.lapse(),
        (Running, Desired::Suspended(reason, _)) => {
            instance.suspend_for(reason);
            instance.change(Change::Suspend)
        }
        (Running, Desired::Idle) if !paused => instance.change(Change::Archive),
        // A payment counts as use.
        (Suspended, Desired::Running | Desired::Idle) => {
            instance.record.archive = ArchiveMode::Automatic;
            set_running(now, instance)
        }
        // An instance beyond the limit of a paid plan is suspended as over the limit, so it is not archived or deleted
        //
        (Suspended, Desired::Suspended(Payment, since))
            if !paused && archive_and_end(instance, context, since).0 <= now =>
        {
            instance.change(Change::Archive)
        }
        (Archiving, Desired::Running | Desired::Idle)
            if nothing_freed(&instance.record) && !paused && is_paid_again(instance, desired) =>
        {
            set_running(now, instance)
        }
        (Archived, Desired::Running | Desired::Idle) if !paused && is_paid_again(instance, desired) => {
            instance.change(Change::Restore)
        }
        (Archived, Desired::Suspended(Payment, since)) => {
            let due = archive_and_end(instance, context, since).1;
            match deletion(now, instance, context, due) <= now {
                true => instance.lapse(),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Returns whether an instance whose plan is in force is to run: in use, or, since a payment counts as use, after it was unpaid.
fn is_paid_again(instance: &Instance, desired: Desired) -> bool {
    desired == Desired::Running || instance.record.suspend_reason == Some(SuspendReason::Payment)
}

/// Returns whether no payment for the instance is possible any more.
fn is_over(instance: &Instance, context: &Context<'_>) -> bool {
    context.standing.closed_at.is_some() || plan::is_over(instance, context)
}

/// Returns whether no resource has been freed, so that archiving can still be undone.
fn nothing_freed(record: &InstanceRecord) -> bool {
    use ResourceStatus::{Present, Skipped, Unknown};
    record.resources.values().all(|r| matches!(r.status, Present | Unknown | Skipped))
}

/// Completes a transitional status if all its resources are in the desired state.
fn complete_status(desk: &mut Desk<'_>, instance: &mut Instance, context: &Context<'_>, done: bool) -> Ruled<()> {
    if !done {
        return Ok(());
    }
    match instance.status() {
        Some(InstanceStatus::Provisioning) => {
            credit::lost_days(desk, instance, context)?;
            set_running(desk.now, instance)?;
            contents::show(instance);
            let url = instance.metadata.get("resources").and_then(|resources| resources.get("url"));
            let values = json!({"instance": instance.id, "url": url});
            send_once(&mut desk.account, &mail_kinds::INSTANCE_READY, &instance.id, &values)?;
        }
        Some(InstanceStatus::Restoring) => set_running(desk.now, instance)?,
        Some(InstanceStatus::Archiving) => instance.change(Change::CompleteArchive)?,
        Some(InstanceStatus::Deleting) => {
            instance.change(Change::CompleteEnd)?;
            if instance.record.effects == Effects::Requested {
                instance.record.effects = Effects::None;
            }
            // A name that was never used is free at once.
            let blocked = context.standing.settings.name_block.after(desk.now);
            let until = (instance.record.effects == Effects::Begun).then_some(blocked);
            instance.release_names(desk, until);
        }
        Some(InstanceStatus::Error) if instance.begins_again() => instance.begin_again()?,
        _ => {}
    }
    Ok(())
}

/// Sets the status `running`, and starts the idle and measurement times.
fn set_running(now: Timestamp, instance: &mut Instance) -> Ruled<()> {
    if instance.decl.lifecycle.as_ref().is_some_and(|lifecycle| lifecycle.idle.is_some()) {
        instance.record.active_at = instance.record.active_at.max(Some(now));
    }
    if !instance.decl.expects.is_empty() {
        instance.record.running_since = Some(now);
    }
    instance.change(Change::Run)
}

/// Schedules the timers of upcoming status changes and the mails that announce them.
fn remind(now: Timestamp, instance: &Instance, context: &Context<'_>, desired: Desired, later: &mut DesiredSchedule) {
    let id = &instance.id;
    let settings = &context.standing.settings;
    if let (Some(failed_at), None) = (instance.failed_at(), instance.record.lost_since) {
        let due = settings.error_credit_after.after(failed_at);
        later.timer(now, TimerKey::Error { instance: id.clone(), due }, due);
    }
    if let Some(since) = instance.record.running_since.filter(|_| instance.is(InstanceStatus::Running)) {
        for expected in &instance.decl.expects {
            let heard_at = instance.record.measured_at.get(&expected.meter).copied();
            let due = expected.within.after(heard_at.map_or(since, |at| at.max(since)));
            let values = json!({"instance": id, "meter": expected.meter, "heard_at": heard_at.map(rfc3339)});
            later.mail(now, &mail_kinds::MEASUREMENT_MISSING, &format!("{id}:{}:{due}", expected.meter), due, values);
        }
    }
    let mut steps = Vec::new();
    let is_paused = instance.record.archive == ArchiveMode::Paused;
    let is_in_use = desired == Desired::Running && instance.is(InstanceStatus::Running);
    if let Some(due) = idle_due(instance).filter(|_| is_in_use && !is_paused) {
        steps.push((&mail_kinds::IDLE_SOON, TimerKey::Idle { instance: id.clone(), due }, due));
    }
    if let Desired::Suspended(SuspendReason::Payment, since) = desired {
        let (archive, terminate) = archive_and_end(instance, context, since);
        let terminate = instance.record.ends_at.unwrap_or(terminate);
        let is_suspended = instance.is(InstanceStatus::Suspended) && !is_paused;
        if is_suspended {
            steps.push((&mail_kinds::ARCHIVE_SOON, TimerKey::Archive { instance: id.clone(), due: archive }, archive));
        }
        if is_suspended || matches!(instance.status(), Some(InstanceStatus::Archiving | InstanceStatus::Archived)) {
            steps.push((
                &mail_kinds::TERMINATION_SOON,
                TimerKey::Terminate { instance: id.clone(), due: terminate },
                terminate,
            ));
        }
    }
    for (mail, timer, due) in steps {
        later.timer(now, timer, due);
        for delay in &settings.notice {
            let at = delay.before(due);
            let values = json!({"instance": id, "at": rfc3339(due)});
            later.mail(now, mail, &format!("{id}:{due}:{}", delay.key()), at, values);
        }
    }
}
