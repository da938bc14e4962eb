//! Which status an instance should have, from where its account stands (requirements M12).

use super::saga::{self, Saga, State};
use super::{Instance, Metadata, all, names};
use crate::catalog::Settings;
use crate::context::{Context, Loaded, Step, Stop, decode, encode, request};
use crate::entitlement::{Standing, UNLIMITED};
use crate::schedule::Wanted;
use crate::time::{DAY_MS, HOUR_MS, plus_days, rfc3339};
use crate::{notice, subscription, template};
use products_contract::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Steps that one event may take an instance through: more than the longest way from archive to running.
const STEPS_MAX: usize = 8;

/// Whether a service may report this change of status (SOL-15): only the end of provisioning.
pub(super) fn may_report(from: &str, to: &str) -> bool {
    from == "provisioning" && matches!(to, "running" | "error")
}

/// Begin anew after everything was undone.
pub(super) fn begin_again(instance: &mut Instance) {
    let saga = &mut instance.saga.value;
    let credit_due = saga.credit_due;
    let failed = saga.failed.clone().filter(|_| credit_due);
    let (watching, generation) = (saga.watching.take(), std::mem::take(&mut saga.generation));
    // Generations go on rising, so that nothing of the first attempt is taken for the second.
    let resources = std::mem::take(&mut saga.resources);
    *saga = Saga { credit_due, failed, watching, generation, resources, ..Saga::default() };
    instance.metadata.remove("error");
    instance.set_status("provisioning");
}

/// End an instance: nothing new begins, what is there is freed.
pub(super) fn end(instance: &mut Instance, final_backup: bool) {
    let anything = !instance.saga.value.compensated();
    instance.saga.value.final_backup = final_backup && anything;
    instance.saga.value.unblock();
    instance.set_status("deleting");
}

/// Suspended because nothing is paid.
const PAYMENT: &str = "payment";
/// Suspended because the plan allows less than is in use.
const OVER_LIMIT: &str = "over_limit";

/// What the account's standing wants of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Desired {
    /// To run.
    Running,
    /// To stand still, since a time.
    Suspended(&'static str, Timestamp),
    /// Nothing is known that it should be otherwise than it is.
    AsItIs,
}

/// Where the account stands, as far as instances need it.
struct View<'a> {
    standing: &'a Standing,
    settings: &'a Settings,
    /// Metadata of the plan in force; empty without one.
    plan: Metadata,
}

/// Bring every instance of the account to where it should be. True if a row changed.
pub(crate) fn reconcile(
    context: &mut Context<'_, '_>,
    standing: &Standing,
    settings: &Settings,
    wanted: &mut Wanted,
) -> Step<bool> {
    let mut changed = false;
    loop {
        let mut of_pass = Wanted::default();
        let pass = pass(context, standing, settings, &mut of_pass)?;
        changed |= pass.changed;
        // One that is gone makes room for another, which was judged without it. Nothing comes back, so this ends.
        if !pass.made_room {
            wanted.add(of_pass);
            return Ok(changed);
        }
    }
}

/// What one pass over the instances did.
#[derive(Default)]
struct Pass {
    /// A row changed.
    changed: bool,
    /// An instance uses up nothing any more.
    made_room: bool,
}

fn pass(context: &mut Context<'_, '_>, standing: &Standing, settings: &Settings, wanted: &mut Wanted) -> Step<Pass> {
    let mut done = Pass::default();
    let instances = all(context)?;
    if instances.is_empty() || context.config("enabled")? == Some(ConfigValue::Boolean(false)) {
        return Ok(done);
    }
    let plan = match &standing.plan {
        Some(plan) => match context.product(&plan.price.product_id)? {
            Some(row) => decode("products", &row.id, &row.values.metadata)?,
            None => Map::new(),
        },
        None => Map::new(),
    };
    let view = View { standing, settings, plan };
    let mut counted: BTreeMap<String, i64> = BTreeMap::new();
    let over_due = over_limit(context, &view, &instances, wanted)?;
    let excess = excess(context, &view, &instances, wanted)?;
    let excess_due = excess.values().min().copied();
    for mut instance in instances {
        let counted_before = instance.counts();
        let fits = count(&instance, standing, &mut counted);
        // A row that nobody took on is counted, and left alone.
        if instance.saga.version == 0 {
            continue;
        }
        let desired = match instance.decl.plan {
            Some(_) => desired(context.now, standing, fits, over_due),
            // No plan pays for it, but what it uses up must be allowed by something.
            None => desired_without_plan(context.now, standing, &instance, fits, over_due),
        };
        let desired = match (desired, excess_due) {
            (Desired::Running, Some(due)) if due <= context.now && instance.holds(excess.keys()) => {
                Desired::Suspended(OVER_LIMIT, due)
            }
            (desired, _) => desired,
        };
        let before = instance.saga.value.clone();
        instance.saga.value.over = excess.keys().cloned().collect();
        drive(context, &mut instance, &view, fits, desired, wanted)?;
        let saga_changed = instance.saga.value != before;
        done.changed |= instance.save(context, &before)? | saga_changed;
        done.made_room |= counted_before && !instance.counts();
    }
    Ok(done)
}

/// Count an instance against what is allowed, oldest first. False if it is beyond.
fn count(instance: &Instance, standing: &Standing, counted: &mut BTreeMap<String, i64>) -> bool {
    let mut fits = true;
    if instance.counts() {
        for (key, amount) in &instance.decl.consumes {
            let sum = counted.entry(key.clone()).or_insert(0);
            *sum = sum.saturating_add(*amount);
            let allowed = standing.allowed(key);
            fits &= allowed == UNLIMITED || *sum <= allowed;
        }
    }
    fits
}

/// More in use than the plan allows: say so, and wait before anything is suspended. Returns the end of the wait.
fn over_limit(
    context: &mut Context<'_, '_>,
    view: &View<'_>,
    instances: &[Instance],
    wanted: &mut Wanted,
) -> Step<Option<Timestamp>> {
    let Some(plan) = &view.standing.plan else { return Ok(None) };
    let mut counted = BTreeMap::new();
    let beyond: Vec<&Instance> =
        instances.iter().filter(|instance| !count(instance, view.standing, &mut counted)).collect();
    if beyond.is_empty() {
        return Ok(None);
    }
    // The wait begins when what allowed more came to its end: the plan before, or an add-on beside it.
    let keys = beyond.iter().flat_map(|instance| instance.decl.consumes.keys());
    let lost = keys.filter_map(|key| view.standing.add_ons_lost.get(key)).max();
    let since = lost.map_or(plan.since, |lost| plan.since.max(*lost));
    let beyond: Vec<&str> = beyond.iter().map(|instance| instance.row.id.as_str()).collect();
    let due = plus_days(since, view.settings.over_limit_days);
    wanted.timer(context.now, format!("over-limit:{due}"), due);
    let values = json!({"plan": plan.price.product_id, "beyond": beyond, "until": rfc3339(due)});
    let reference = format!("{}:{since}", plan.price.id);
    notice::now(context, "over_limit", notice::To::Account, &reference, &values)?;
    Ok(Some(due))
}

/// More held than the plan allows: what holds it refuses writes, and everything is suspended when the wait is over
/// . Returns the end of the wait by entitlement.
fn excess(
    context: &mut Context<'_, '_>,
    view: &View<'_>,
    instances: &[Instance],
    wanted: &mut Wanted,
) -> Step<BTreeMap<String, Timestamp>> {
    let mut found = BTreeMap::new();
    let Some(plan) = &view.standing.plan else { return Ok(found) };
    for (key, (allowed, _)) in &view.standing.allowed {
        let held = super::held(instances, key);
        if *allowed == UNLIMITED || held <= *allowed {
            continue;
        }
        let seen: Loaded<BTreeMap<String, Timestamp>> = context.record("schedule", "excess")?;
        // A measurement says since when; without one the plan became smaller.
        let since = seen.value.get(key).map_or(plan.since, |at| plan.since.max(*at));
        let due = plus_days(since, view.settings.over_limit_days);
        wanted.timer(context.now, format!("over-limit:{due}"), due);
        let values = json!({"plan": plan.price.product_id, "key": key, "used": held, "allowed": allowed,
            "until": rfc3339(due)});
        let reference = format!("{}:{since}:{key}", plan.price.id);
        notice::now(context, "over_limit", notice::To::Account, &reference, &values)?;
        found.insert(key.clone(), due);
    }
    Ok(found)
}

fn desired(now: Timestamp, standing: &Standing, fits: bool, over_due: Option<Timestamp>) -> Desired {
    match (&standing.plan, standing.lost_at, over_due) {
        (Some(_), _, Some(due)) if !fits && due <= now => Desired::Suspended(OVER_LIMIT, due),
        (Some(_), _, _) => Desired::Running,
        (None, Some(lost), _) => Desired::Suspended(PAYMENT, lost),
        (None, None, _) => Desired::AsItIs,
    }
}

/// The same for a type that no plan pays for: it is missed only if something allowed what it uses up and no longer does.
fn desired_without_plan(
    now: Timestamp,
    standing: &Standing,
    instance: &Instance,
    fits: bool,
    over_due: Option<Timestamp>,
) -> Desired {
    match (fits, over_due, standing.lost_at) {
        (false, Some(due), _) if due <= now => Desired::Suspended(OVER_LIMIT, due),
        (false, None, Some(lost)) if !instance.decl.consumes.is_empty() => Desired::Suspended(OVER_LIMIT, lost),
        _ => Desired::Running,
    }
}

/// Take an instance as far as it can go now.
fn drive(
    context: &mut Context<'_, '_>,
    instance: &mut Instance,
    view: &View<'_>,
    fits: bool,
    desired: Desired,
    wanted: &mut Wanted,
) -> Step<()> {
    follow_plan(context, instance, view)?;
    let plan = plan_of(context, instance, view)?;
    for _ in 0..STEPS_MAX {
        let status = instance.status().to_owned();
        match status.as_str() {
            "provisioning" if !may_begin(context, instance, view, fits)? => {}
            "terminated" => return Ok(()),
            _ => {
                redirect(context.now, instance, view, desired);
                if instance.status() == status {
                    let done = saga::advance(context, instance, &plan)?;
                    arrive(context, instance, view, done)?;
                }
            }
        }
        if instance.status() == status {
            break;
        }
        instance.saga.value.unblock();
    }
    write_resources(instance);
    watch(context, instance)?;
    remind(context.now, instance, view, desired, wanted);
    Ok(())
}

/// Change the status where the standing wants another one, and where it is safe to.
fn redirect(now: Timestamp, instance: &mut Instance, view: &View<'_>, desired: Desired) {
    let settings = view.settings;
    let hold = instance.saga.value.hold;
    if let ("suspended", Desired::Suspended(reason, _)) = (instance.status(), desired) {
        instance.metadata.insert("suspend_reason".to_owned(), json!(reason));
    }
    match (instance.status(), desired) {
        // Cancelled on the way: nothing new begins, what was made goes.
        ("provisioning", Desired::Suspended(PAYMENT, _)) if view.standing.all_final => end(instance, false),
        ("running", Desired::Suspended(reason, _)) => {
            instance.metadata.insert("suspend_reason".to_owned(), json!(reason));
            instance.set_status("suspended");
        }
        ("suspended", Desired::Running) => {
            instance.metadata.remove("suspend_reason");
            instance.saga.value.hold = false;
            instance.set_status("running");
        }
        // What is beyond the limit of a plan that is paid for is never archived or deleted.
        ("suspended", Desired::Suspended(PAYMENT, since))
            if !hold && plus_days(since, settings.archive_after_days) <= now =>
        {
            instance.saga.value.before = Some("suspended".to_owned());
            instance.set_status("archiving");
        }
        ("archiving", Desired::Running) if nothing_freed(&instance.saga.value) && !hold => {
            instance.metadata.remove("suspend_reason");
            instance.saga.value.before = None;
            instance.set_status("running");
        }
        ("archived", Desired::Running) if !hold => {
            instance.metadata.remove("suspend_reason");
            instance.saga.value.before = Some("archived".to_owned());
            instance.set_status("restoring");
        }
        ("archived", Desired::Suspended(PAYMENT, since))
            if plus_days(since, settings.archive_after_days + settings.retention_days) <= now =>
        {
            end(instance, false);
        }
        _ => {}
    }
}

/// The point up to which an archive can be taken back.
fn nothing_freed(saga: &Saga) -> bool {
    saga.resources.values().all(|r| matches!(r.state, State::Present | State::Skipped))
}

/// The status has what it wants.
fn arrive(context: &mut Context<'_, '_>, instance: &mut Instance, view: &View<'_>, done: bool) -> Step<()> {
    if !done {
        return Ok(());
    }
    match instance.status() {
        "provisioning" => {
            credit_lost_days(context, instance, view)?;
            instance.saga.value.failed = None;
            instance.set_status("running");
            let values = json!({"instance": instance.row.id, "url": instance.metadata.get("resources")});
            notice::now(context, "instance_ready", notice::To::Account, &instance.row.id.clone(), &values)?;
        }
        "restoring" => {
            instance.saga.value.before = None;
            instance.set_status("running");
        }
        "archiving" => {
            instance.saga.value.before = None;
            instance.set_status("archived");
        }
        "deleting" => {
            instance.set_status("terminated");
            instance.metadata.remove("suspend_reason");
            // A name that never served anybody is free at once.
            let until = instance.saga.value.begun.then(|| plus_days(context.now, view.settings.name_block_days));
            let keys = names(&instance.decl, &instance.metadata);
            if !keys.is_empty() {
                context.host.claims_release(&keys, until);
            }
        }
        "error" if instance.saga.value.retry_wanted => begin_again(instance),
        _ => {}
    }
    Ok(())
}

/// Whether an instance that is being made may go on: its plan is in force, or it is on its way already.
fn may_begin(context: &mut Context<'_, '_>, instance: &mut Instance, view: &View<'_>, fits: bool) -> Step<bool> {
    if instance.saga.value.begun || instance.decl.plan.is_none() {
        return Ok(true);
    }
    let Some(purchase_id) = instance.text("purchase_id").map(str::to_owned) else {
        return Ok(view.standing.plan.is_some() || view.standing.all_final);
    };
    let purchase = context.host.purchase(&purchase_id)?;
    let status = purchase.as_ref().map(|purchase| purchase.values.status);
    match status {
        Some(PurchaseStatus::Pending | PurchaseStatus::RequiresApproval | PurchaseStatus::PaidPendingApproval) => {
            Ok(false)
        }
        // A refund is no cancellation: what is granted all the same may begin.
        Some(PurchaseStatus::Refunded) if view.standing.plan.is_some() && fits => Ok(true),
        // What was given back may still be granted by a subscription that is not known yet.
        Some(PurchaseStatus::Refunded) if waits_for_subscription(view, purchase.as_ref()) => Ok(false),
        Some(PurchaseStatus::Cancelled | PurchaseStatus::Refunded) | None => {
            end(instance, false);
            Ok(true)
        }
        // Paid, but its subscription is not known yet, or gives nothing yet; one that ended before it gave anything
        // ends what waits for it.
        Some(PurchaseStatus::Paid) if view.standing.plan.is_none() => {
            let ended = subscription_ended(view, purchase.as_ref());
            if ended {
                end(instance, false);
            }
            Ok(ended)
        }
        Some(PurchaseStatus::Paid) if !fits => {
            // The check of its making is made again when it is paid for.
            instance.set_status("error");
            instance.metadata.insert("error".to_owned(), json!({"code": "quota-exceeded", "message": "instances"}));
            instance.saga.value.refuse();
            Ok(true)
        }
        Some(PurchaseStatus::Paid) => Ok(true),
    }
}

/// Whether the subscription that a purchase began has ended for good.
fn subscription_ended(view: &View<'_>, purchase: Option<&Purchase>) -> bool {
    let Some(id) = purchase.and_then(|purchase| purchase.values.subscription_id.as_ref()) else { return false };
    let mut views = view.standing.views.iter();
    views.any(|candidate| candidate.row.id == *id && subscription::is_final(candidate.row.values.status))
}

/// Whether a purchase began a subscription that may still give something.
fn waits_for_subscription(view: &View<'_>, purchase: Option<&Purchase>) -> bool {
    purchase.is_some_and(|purchase| purchase.values.subscription_id.is_some()) && !subscription_ended(view, purchase)
}

/// Plan, quotas and subscription as they are in force; the last ones stay when none is.
fn follow_plan(context: &mut Context<'_, '_>, instance: &mut Instance, view: &View<'_>) -> Step<()> {
    if instance.status() == "terminated" {
        return Ok(());
    }
    let Some(link) = instance.decl.plan.clone() else { return Ok(()) };
    let subscription = match &view.standing.plan {
        Some(plan) => Some(plan.subscription.clone()),
        None => view.standing.lost_subscription.clone(),
    };
    if let (Some(id), true) = (subscription, instance.decl.field("stripe_subscription_id").is_some()) {
        instance.metadata.insert("stripe_subscription_id".to_owned(), json!(id));
    }
    let Some(plan) = &view.standing.plan else { return Ok(()) };
    if context.product(&plan.price.product_id)?.is_none() {
        return Err(Stop::Failed(Failure::Internal(format!("plan {} is gone", plan.price.product_id))));
    }
    instance.metadata.insert(link.field, json!(plan.price.product_id));
    if !link.quotas.is_empty() {
        let mut quotas = Map::new();
        for (key, field) in &link.quotas {
            if let Some(quota) = view.plan.get(field) {
                quotas.insert(key.clone(), quota.clone());
            }
        }
        instance.metadata.insert("quotas".to_owned(), Value::Object(quotas));
    }
    Ok(())
}

/// The plan that the instance's resources are made by: the one in force, else the last one it had.
fn plan_of(context: &mut Context<'_, '_>, instance: &Instance, view: &View<'_>) -> Step<Metadata> {
    if view.standing.plan.is_some() {
        return Ok(view.plan.clone());
    }
    let named = instance.decl.plan.as_ref().and_then(|link| instance.text(&link.field)).map(str::to_owned);
    match named {
        Some(id) => match context.product(&id)? {
            Some(row) => Ok(decode("products", &row.id, &row.values.metadata)?),
            None => Ok(Map::new()),
        },
        None => Ok(Map::new()),
    }
}

/// `metadata.resources`: what the resources' outputs say, and the public address.
pub(super) fn write_resources(instance: &mut Instance) {
    if instance.decl.provisions.is_empty() || (!instance.saga.value.begun && instance.text("status") != Some("running"))
    {
        return;
    }
    let mut resources = Map::new();
    let mut present: Vec<(&str, &Map<String, Value>)> = Vec::new();
    for decl in &instance.decl.provisions {
        let entries = instance.saga.value.resources.iter().filter(|(entry, resource)| {
            entry.split('@').next() == Some(&decl.name)
                && matches!(resource.state, State::Present | State::Changing | State::BackingUp | State::Restoring)
        });
        for (_, resource) in entries {
            for (key, output) in &decl.outputs {
                if let Some(value) = resource.outputs.get(output) {
                    resources.insert(key.clone(), value.clone());
                }
            }
            present.push((decl.name.as_str(), &resource.outputs));
        }
    }
    let rule = instance.decl.url.iter().find(|rule| present.iter().any(|(name, _)| *name == rule.resource));
    if let (Some(rule), false) = (rule, matches!(instance.status(), "provisioning" | "error" | "deleting")) {
        let mut scope = template::Scope::default().object("metadata", &instance.metadata);
        for (name, outputs) in &present {
            scope = scope.object(name, outputs);
        }
        if let Ok(url) = scope.fill(&Value::String(rule.value.clone())) {
            resources.insert("url".to_owned(), url);
        }
    }
    instance.metadata.insert("resources".to_owned(), Value::Object(resources));
}

/// Watch what runs, at the address that it has now; stop watching what doesn't.
fn watch(context: &mut Context<'_, '_>, instance: &mut Instance) -> Step<()> {
    let Some(decl) = instance.decl.watch.clone() else { return Ok(()) };
    let key = format!("{}/watch/changed", instance.row.id);
    let url = if instance.status() == "running" { watched_url(instance, &decl.url) } else { None };
    if url == instance.saga.value.watching {
        return Ok(());
    }
    let Some(url) = url else {
        context.host.effects_cancel(&[key])?;
        instance.saga.value.watching = None;
        if instance.metadata.contains_key("health_status") {
            instance.metadata.insert("health_status".to_owned(), json!("unknown"));
        }
        return Ok(());
    };
    let generation = instance.saga.value.generation.watch.saturating_add(1);
    let payload = json!({
        "url": url, "every_s": decl.every_s, "fail_after": decl.fail_after, "recover_after": decl.recover_after,
        "health": instance.text("health_status"),
    });
    context.host.effects_enqueue(&[Effect { generation, ..request("probe.watch", key, encode(&payload)?) }]);
    instance.saga.value.watching = Some(url);
    instance.saga.value.generation.watch = generation;
    Ok(())
}

/// The address to be watched; none while the instance has none.
fn watched_url(instance: &Instance, url: &str) -> Option<String> {
    let resources = instance.metadata.get("resources").and_then(Value::as_object).cloned().unwrap_or_default();
    let scope = template::Scope::default().object("metadata", &instance.metadata).object("resources", &resources);
    match scope.fill(&Value::String(url.to_owned())) {
        Ok(Value::String(url)) => Some(url),
        _ => None,
    }
}

/// Timers and mails of what will happen unless something is done.
fn remind(now: Timestamp, instance: &Instance, view: &View<'_>, desired: Desired, wanted: &mut Wanted) {
    let id = &instance.row.id;
    let settings = view.settings;
    if let ("error", Some(failed), false) =
        (instance.status(), &instance.saga.value.failed, instance.saga.value.credit_due)
    {
        let due = failed.at.saturating_add(i64::from(settings.error_credit_hours) * HOUR_MS);
        wanted.timer(now, format!("error:{id}:{due}"), due);
    }
    let Desired::Suspended(PAYMENT, since) = desired else { return };
    let archive = plus_days(since, settings.archive_after_days);
    let terminate = plus_days(archive, settings.retention_days);
    let steps: &[(&str, &'static str, Timestamp)] = match instance.status() {
        "suspended" if !instance.saga.value.hold => {
            &[("archive", "archive_soon", archive), ("terminate", "termination_soon", terminate)]
        }
        "archiving" | "archived" => &[("terminate", "termination_soon", terminate)],
        _ => return,
    };
    for (what, template, due) in steps {
        wanted.timer(now, format!("{what}:{id}:{due}"), *due);
        for days in &settings.notice_days {
            let at = due.saturating_sub(i64::from(*days) * DAY_MS);
            let values = json!({"instance": id, "at": rfc3339(*due)});
            wanted.mail(now, template, notice::To::Account, &format!("{id}:{due}:{days}"), at, values);
        }
    }
}

/// Days that a paying customer lost while an instance stood in `error` are credited, pro rata and rounded down.
fn credit_lost_days(context: &mut Context<'_, '_>, instance: &mut Instance, view: &View<'_>) -> Step<()> {
    if !std::mem::take(&mut instance.saga.value.credit_due) {
        return Ok(());
    }
    let (Some(failed), Some(plan)) = (&instance.saga.value.failed, &view.standing.plan) else { return Ok(()) };
    let source = view.standing.views.iter().find(|candidate| candidate.row.id == plan.subscription);
    let item = source.and_then(|s| s.row.values.items.iter().find(|item| item.price_id == plan.price.id));
    let (Some(source), Some(item)) = (source, item) else { return Ok(()) };
    let lost = context.now.saturating_sub(failed.at) / DAY_MS;
    let period = (item.period_end.saturating_sub(item.period_start) / DAY_MS).max(1);
    let amount = plan.price.amount.amount_minor.saturating_mul(lost.min(period)) / period;
    if amount <= 0 {
        return Ok(());
    }
    let payload = json!({
        "customer": source.row.values.customer_id, "amount_minor": amount, "currency": plan.price.amount.currency,
        "reason": "days lost", "instance": instance.row.id,
    });
    context.host.effects_enqueue(&[request(
        "stripe.credit.create",
        format!("credit:{}:{}", instance.row.id, failed.at),
        encode(&payload)?,
    )]);
    Ok(())
}
