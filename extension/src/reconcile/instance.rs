//! One instance: which status it should have (requirements M12), and the way there.

mod by_hand;
mod contents;
mod credit;
mod health;
mod plan;
mod resources;
mod waiting;

use super::room::Room;
use super::schedule::{self, DesiredSchedule};
use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::derive::standing::Standing;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::notice::{To, send_once};
use crate::model::records::instance::{InstanceRecord, InstanceStatus, ResourceStatus, SuspendReason};
use crate::model::time::{DAY_MS, HOUR_MS, plus_days, rfc3339};
use products_contract::Timestamp;
use serde_json::json;

/// Steps that one event may take an instance through: more than the longest way from archive to running.
const STEPS_MAX: usize = 8;

/// What an instance is judged by beside itself.
pub(super) struct Circumstances<'v> {
    pub standing: &'v Standing,
    pub room: &'v Room,
    /// Fingerprint of both.
    pub reached: &'v str,
}

/// What the account's standing wants of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Desired {
    /// To run.
    Running,
    /// To stand still, since a time.
    Suspended(SuspendReason, Timestamp),
    /// Nothing is known that it should be otherwise than it is.
    AsItIs,
}

/// Take an instance as far as it can go now.
pub(super) fn reconcile(desk: &mut Desk<'_>, instance: &mut Instance, view: &Circumstances<'_>) -> Ruled<()> {
    if !instance.record.over.iter().eq(view.room.excess.keys()) {
        instance.record.over = view.room.excess.keys().cloned().collect();
    }
    let fits = !view.room.beyond.contains(&instance.id);
    let wanted = desired(desk.now, instance, view, fits);
    waiting::revive(desk, instance, view)?;
    plan::follow(desk, instance, view)?;
    let metadata = plan::metadata(desk, instance, view)?;
    let given = resources::Given { plan: &metadata, standing: view.standing };
    for _ in 0..STEPS_MAX {
        let status = instance.status();
        match status {
            Some(InstanceStatus::Provisioning) if !waiting::may_begin(desk, instance, view, fits)? => {}
            Some(InstanceStatus::Terminated) => break,
            _ => {
                redirect(desk.now, instance, view, wanted);
                if instance.status() == status {
                    let done = resources::advance(desk, instance, &given)?;
                    arrive(desk, instance, view, done)?;
                }
            }
        }
        if instance.status() == status {
            break;
        }
        instance.record.unblock();
    }
    let mut later = DesiredSchedule::default();
    if instance.is(InstanceStatus::Terminated) {
        plan::forget_all(instance);
    } else {
        contents::show(instance);
        health::watch(desk, instance)?;
        remind(desk.now, instance, view, wanted, &mut later);
        by_hand::remind(desk.now, instance, &mut later);
    }
    contents::show_views(instance);
    if !later.is_open_in(&instance.record.schedule) {
        schedule::apply(&mut desk.account, desk.now, &mut instance.record.schedule, later)?;
    }
    if instance.record.reached != view.reached {
        view.reached.clone_into(&mut instance.record.reached);
    }
    instance.save(&mut desk.account)
}

fn desired(now: Timestamp, instance: &Instance, view: &Circumstances<'_>, fits: bool) -> Desired {
    let over_due = view.room.over_due;
    let by_plan = match &instance.decl.plan {
        Some(link) => {
            let lost = view.standing.lost.get(&link.family);
            match (view.standing.plans.contains_key(&link.family), lost, over_due) {
                (true, _, Some(due)) if !fits && due <= now => Desired::Suspended(SuspendReason::OverLimit, due),
                (true, _, _) => Desired::Running,
                (false, Some(lost), _) => Desired::Suspended(SuspendReason::Payment, lost.at),
                (false, None, _) => Desired::AsItIs,
            }
        }
        // No plan pays for it; it must stand still only if something allowed what it uses up and no longer does.
        None => match (fits, over_due, view.standing.last_lost()) {
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
        .any(|key| view.room.excess.contains_key(key));
    match (by_plan, view.room.excess.values().min()) {
        (Desired::Running, Some(due)) if *due <= now && holds_excess => {
            Desired::Suspended(SuspendReason::OverLimit, *due)
        }
        _ => by_plan,
    }
}

/// Change the status where the standing wants another one, and where it is safe to.
fn redirect(now: Timestamp, instance: &mut Instance, view: &Circumstances<'_>, desired: Desired) {
    use InstanceStatus::{Archived, Archiving, Provisioning, Restoring, Running, Suspended};
    use SuspendReason::Payment;
    let settings = &view.standing.settings;
    let paused = instance.record.archive_paused;
    let set_reason = |instance: &mut Instance, reason: SuspendReason| {
        instance.set("suspend_reason", json!(reason.name()));
    };
    let Some(status) = instance.status() else { return };
    if let (Suspended, Desired::Suspended(reason, _)) = (status, desired) {
        set_reason(instance, reason);
    }
    match (status, desired) {
        // Cancelled on the way: nothing new begins, what was made goes.
        (Provisioning, Desired::Suspended(Payment, _)) if plan::is_over(instance, view) => instance.end(false),
        (Running, Desired::Suspended(reason, _)) => {
            set_reason(instance, reason);
            instance.set_status(Suspended);
        }
        (Suspended, Desired::Running) => {
            instance.unset("suspend_reason");
            instance.record.archive_paused = false;
            instance.set_status(Running);
        }
        // What is beyond the limit of a plan that is paid for is never archived or deleted.
        (Suspended, Desired::Suspended(Payment, since))
            if !paused && plus_days(since, settings.archive_after_days) <= now =>
        {
            instance.record.before = Some(Suspended);
            instance.set_status(Archiving);
        }
        (Archiving, Desired::Running) if nothing_freed(&instance.record) && !paused => {
            instance.unset("suspend_reason");
            instance.record.before = None;
            instance.set_status(Running);
        }
        (Archived, Desired::Running) if !paused => {
            instance.unset("suspend_reason");
            instance.record.before = Some(Archived);
            instance.set_status(Restoring);
        }
        (Archived, Desired::Suspended(Payment, since))
            if plus_days(since, settings.archive_after_days.saturating_add(settings.retention_days)) <= now =>
        {
            instance.end(false);
        }
        _ => {}
    }
}

/// The point up to which an archive can be taken back.
fn nothing_freed(record: &InstanceRecord) -> bool {
    record.resources.values().all(|r| matches!(r.status, ResourceStatus::Present | ResourceStatus::Skipped))
}

/// The status has what it wants.
fn arrive(desk: &mut Desk<'_>, instance: &mut Instance, view: &Circumstances<'_>, done: bool) -> Ruled<()> {
    if !done {
        return Ok(());
    }
    match instance.status() {
        Some(InstanceStatus::Provisioning) => {
            credit::lost_days(desk, instance, view)?;
            instance.record.failed = None;
            instance.set_status(InstanceStatus::Running);
            contents::show(instance);
            let url = instance.metadata.get("resources").and_then(|resources| resources.get("url"));
            let values = json!({"instance": instance.id, "url": url});
            send_once(&mut desk.account, "instance_ready", To::Account, &instance.id, &values)?;
        }
        Some(InstanceStatus::Restoring) => {
            instance.record.before = None;
            instance.set_status(InstanceStatus::Running);
        }
        Some(InstanceStatus::Archiving) => {
            instance.record.before = None;
            instance.set_status(InstanceStatus::Archived);
        }
        Some(InstanceStatus::Deleting) => {
            instance.set_status(InstanceStatus::Terminated);
            instance.unset("suspend_reason");
            instance.record.begun &= instance.record.reached_world;
            // A name that never served anybody is free at once.
            let blocked = plus_days(desk.now, view.standing.settings.name_block_days);
            let until = instance.record.begun.then_some(blocked);
            let names = instance.names();
            if !names.is_empty() && std::mem::take(&mut instance.record.holds_names) {
                desk.account.release_claims(names, until);
            }
        }
        Some(InstanceStatus::Error) if instance.record.retry_wanted => instance.begin_again(),
        _ => {}
    }
    Ok(())
}

/// Timers and mails of what will happen unless something is done.
fn remind(
    now: Timestamp,
    instance: &Instance,
    view: &Circumstances<'_>,
    desired: Desired,
    later: &mut DesiredSchedule,
) {
    let id = &instance.id;
    let settings = &view.standing.settings;
    if let (Some(InstanceStatus::Error), Some(failed), false) =
        (instance.status(), &instance.record.failed, instance.record.credit_due)
    {
        let due = failed.at.saturating_add(i64::from(settings.error_credit_hours) * HOUR_MS);
        later.timer(now, TimerKey::Error { instance: id.clone(), due }, due);
    }
    let Desired::Suspended(SuspendReason::Payment, since) = desired else { return };
    let archive = plus_days(since, settings.archive_after_days);
    let terminate = plus_days(archive, settings.retention_days);
    let at_archive = ("archive_soon", TimerKey::Archive { instance: id.clone(), due: archive }, archive);
    let at_end = ("termination_soon", TimerKey::Terminate { instance: id.clone(), due: terminate }, terminate);
    let steps = match instance.status() {
        Some(InstanceStatus::Suspended) if !instance.record.archive_paused => vec![at_archive, at_end],
        Some(InstanceStatus::Archiving | InstanceStatus::Archived) => vec![at_end],
        _ => return,
    };
    for (template, timer, due) in steps {
        later.timer(now, timer, due);
        for days in &settings.notice_days {
            let at = due.saturating_sub(i64::from(*days) * DAY_MS);
            let values = json!({"instance": id, "at": rfc3339(due)});
            later.mail(now, template, To::Account, &format!("{id}:{due}:{days}"), at, values);
        }
    }
}
