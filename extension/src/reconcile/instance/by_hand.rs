//! Manual tasks: notifies a person, schedules reminders, and reports overdue tasks (ORC-35, ORC-36).

use super::super::schedule::DesiredSchedule;
use crate::catalog::schema::{ByHand, Doer, FieldType, Reminder};
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::mail::To;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::instance::{ResourceStatus, Task};
use crate::model::time::{DAY_MS, rfc3339};
use extension_contract::Timestamp;
use serde_json::{Value, json};

/// Code of a manual task for a resource whose configuration is missing.
pub(super) const NOT_CONFIGURED: &str = "not-configured";

/// Returns the recipient of mails about a task.
fn recipient(task: &ByHand) -> To {
    match task.by {
        Doer::Admin => To::Admin,
        Doer::Owner => To::Account,
    }
}

/// Opens a task and notifies its person, unless this has already happened. Marks an overdue task.
pub(super) fn open_task(desk: &mut Desk<'_>, instance: &mut Instance, decl: &ByHand, name: &str) -> Ruled<()> {
    let known = instance.record.resources.get(name).and_then(|resource| resource.task.as_deref());
    let mut task = known.cloned().unwrap_or_default();
    if task.opened_at.is_none() {
        let purchase = instance.purchase(desk)?;
        let paid_at =
            purchase.and_then(|purchase| purchase.details.counts.as_ref().and_then(|session| session.paid_at));
        let since = paid_at.unwrap_or(desk.now);
        task.opened_at = Some(desk.now);
        task.since = Some(since);
        task.due = decl.sla.map(|sla| sla.after(since));
        let reference = format!("{}:{name}:{}", instance.id, desk.now);
        let mut values = values(instance, name, &task);
        values["asks"] = decl.asks.iter().map(|field| json!(field.name)).collect();
        values["how"] = json!(decl.how);
        values["details"] = details(instance);
        send_once(&mut desk.account, &mail_kinds::STEP_WAITING.for_recipient(recipient(decl)), &reference, &values)?;
    }
    task.is_overdue |= task.due.is_some_and(|due| due <= desk.now);
    if known != Some(&task)
        && let Some(resource) = instance.record.resources.get_mut(name)
    {
        resource.task = Some(task.into());
    }
    Ok(())
}

/// Returns the common values of all mails about a task.
fn values(instance: &Instance, name: &str, task: &Task) -> Value {
    json!({
        "instance": instance.id, "step": name, "code": task.code, "due": task.due.map(rfc3339),
        "assigned_to": task.assigned_to,
    })
}

/// Returns the instance's metadata for the person: without secrets and without fields that we write ourselves.
fn details(instance: &Instance) -> Value {
    let is_shown = |name: &str| match instance.decl.field(name) {
        Some(field) => !matches!(field.field_type, FieldType::SecretRef | FieldType::Object),
        None => instance.decl.extras,
    };
    let shown = instance.metadata.iter().filter(|(name, _)| is_shown(name));
    let mut out: crate::model::json::Object = shown.map(|(name, value)| (name.clone(), value.clone())).collect();
    out.insert("name".to_owned(), json!(instance.values.name));
    Value::Object(out)
}

/// Schedules reminders and overdue mails of open tasks. Only the next daily reminder is scheduled; its timer schedules
/// the following one.
pub(super) fn remind(now: Timestamp, instance: &Instance, later: &mut DesiredSchedule) {
    for decl in &instance.decl.provisions {
        let Some(by_hand) = &decl.or_manual else { continue };
        let open = instance.record.resources.iter().filter(|(entry, resource)| {
            decl.has(entry) && matches!(resource.status, ResourceStatus::ByHand | ResourceStatus::Checking)
        });
        for (name, task) in open.filter_map(|(name, resource)| Some((name, resource.task.as_deref()?))) {
            let Some(since) = task.since else { continue };
            let values = values(instance, name, task);
            for at in times(by_hand, since, now).chain(task.due) {
                let is_late = task.due.is_some_and(|due| due <= at);
                let mail = if is_late { mail_kinds::STEP_OVERDUE } else { mail_kinds::STEP_REMINDER };
                let reference = format!("{}:{name}:{at}", instance.id);
                later.mail(now, &mail.for_recipient(recipient(by_hand)), &reference, at, values.clone());
                later.timer(now, TimerKey::Task { instance: instance.id.clone(), due: at }, at);
            }
            if let Some(due) = task.due {
                let reference = format!("{}:{name}:{due}", instance.id);
                later.mail(now, &mail_kinds::INSTANCE_DELAYED, &reference, due, values);
            }
        }
    }
}

/// Returns the times of the single reminders, and of the next daily reminder.
fn times(decl: &ByHand, since: Timestamp, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let single = move |reminder: &Reminder| match reminder {
        Reminder::After(span) => Some(span.after(since)),
        Reminder::Daily => None,
    };
    let last = decl.remind.iter().filter_map(single).max().unwrap_or(since);
    let next_day = last.saturating_add(DAY_MS.saturating_mul(now.saturating_sub(last).max(0) / DAY_MS + 1));
    let daily = decl.remind.contains(&Reminder::Daily).then_some(next_day);
    decl.remind.iter().filter_map(single).chain(daily)
}
