//! What came back of a request for a resource.

use super::saga::{self, Failed, State};
use super::{Instance, lifecycle};
use crate::context::{Context, Step, decode};
use crate::{notice, settle};
use products_contract::*;
use serde_json::{Map, Value, json};

/// The end of a resource's effect: `INSTANCE/RESOURCE/VERB`. None if the key is of another kind.
pub(crate) fn effect_result(context: &mut Context<'_, '_>, report: &EffectReport) -> Step<Option<Outcome>> {
    let mut parts = report.key.rsplitn(3, '/');
    let (Some(verb), Some(name), Some(id)) = (parts.next(), parts.next(), parts.next()) else { return Ok(None) };
    let Some(row) = context.product(id)? else { return Ok(None) };
    let mut instance = Instance::of(context, row)?;
    let before = instance.saga.value.clone();
    if name == "watch" && verb == "changed" {
        return health(context, instance, report).map(Some);
    }
    let Some(resource) = instance.saga.value.resource(name) else { return Ok(None) };
    let expected = match verb {
        "ensure" => State::Making,
        "change" => State::Changing,
        "backup" => State::BackingUp,
        "restore" => State::Restoring,
        "destroy" => State::Freeing,
        _ => return Ok(None),
    };
    let awaited = resource.generation == report.generation && resource.state == expected;
    match (&report.answer, awaited) {
        (Ok(answer), true) => {
            let outputs: Map<String, Value> = decode("effects", &report.key, answer)?;
            succeeded(context, &mut instance, name, verb, outputs)?;
        }
        (Err(failure), true) => failed(context, &mut instance, name, verb, failure)?,
        // A late success of a step that was given up: it is recorded, and the status decides what becomes of it.
        (Ok(answer), false) if verb == "ensure" && matches!(resource.state, State::Absent) => {
            let outputs: Map<String, Value> = decode("effects", &report.key, answer)?;
            let found = saga::Resource { state: State::Present, outputs, ..resource };
            instance.saga.value.generation.gone.remove(name);
            instance.saga.value.resources.insert(name.to_owned(), found);
        }
        (_, false) => {
            let view = Snapshot { at: context.now, rank: SnapshotRank::Updated, event_id: String::new() };
            return Ok(Some(Outcome::Stale(view)));
        }
    }
    lifecycle::write_resources(&mut instance);
    instance.save(context, &before)?;
    settle::settle(context)?;
    Ok(Some(Outcome::Applied))
}

fn succeeded(
    context: &mut Context<'_, '_>,
    instance: &mut Instance,
    name: &str,
    verb: &str,
    outputs: Map<String, Value>,
) -> Step<()> {
    let decl_name = name.split('@').next().unwrap_or(name);
    let decl = instance.decl.provisions.iter().find(|decl| decl.name == decl_name).cloned();
    let restoring = instance.status() == "restoring";
    let Some(resource) = instance.saga.value.resources.get_mut(name) else { return Ok(()) };
    match verb {
        "ensure" => {
            resource.state = State::Present;
            resource.outputs = outputs;
            resource.suspended = false;
            let has_backup = resource.backup.is_some();
            if let (true, true, Some(decl)) = (restoring, has_backup, decl) {
                saga::restore(context, instance, &decl, name)?;
            }
        }
        "change" => {
            resource.state = State::Present;
            resource.suspended = resource.suspending;
            // How it stands is kept in `suspended`; as an output it would tell which way it came to stand so.
            resource.outputs.extend(outputs.into_iter().filter(|(name, _)| name != "state"));
        }
        // A backup counts when it is verified, and only then may anything be freed.
        "backup" if outputs.get("verified") == Some(&json!(true)) => {
            resource.state = State::Present;
            resource.backup = Some(Value::Object(outputs));
        }
        "backup" => {
            let failure = EffectFailure {
                class: EffectFailureClass::Final,
                code: "not-verified".to_owned(),
                message: "the backup is not verified".to_owned(),
            };
            return failed(context, instance, name, verb, &failure);
        }
        "restore" => {
            resource.state = State::Present;
            resource.backup = None;
        }
        _ => {
            resource.state = State::Absent;
            resource.outputs = Map::new();
            resource.inputs = Map::new();
            resource.suspended = false;
        }
    }
    Ok(())
}

fn failed(
    context: &mut Context<'_, '_>,
    instance: &mut Instance,
    name: &str,
    verb: &str,
    failure: &EffectFailure,
) -> Step<()> {
    let status = instance.status().to_owned();
    let at = context.now;
    let id = instance.row.id.clone();
    let Some(resource) = instance.saga.value.resources.get_mut(name) else { return Ok(()) };
    // What was refused does not exist; of anything else nobody knows, so it is undone as if it did.
    let refused = failure.class == EffectFailureClass::Final;
    resource.state = match verb {
        "ensure" if refused => State::Absent,
        "destroy" => State::Stuck,
        _ => State::Present,
    };
    let step = format!("{name}/{verb}");
    let values = json!({"instance": id, "step": step, "code": failure.code});
    let reference = format!("{id}:{step}:{}", resource.generation);
    match (status.as_str(), verb) {
        ("provisioning", "ensure") => {
            instance.saga.value.failed = Some(Failed { step: step.clone(), code: failure.code.clone(), at });
            instance.set_status("error");
            let error = json!({"step": step, "code": failure.code, "message": failure.message});
            instance.metadata.insert("error".to_owned(), error);
            notice::now(context, "provisioning_failed", notice::To::Account, &reference, &values)?;
        }
        // The state before: what was made anew is freed again, its backup is still there.
        ("restoring", "ensure" | "restore") => {
            instance.saga.value.hold = true;
            instance.set_status("archiving");
        }
        ("archiving", "backup") => {
            instance.saga.value.hold = true;
            let back = instance.saga.value.before.take().unwrap_or_else(|| "suspended".to_owned());
            instance.set_status(&back);
        }
        _ => {
            if let Some(resource) = instance.saga.value.resources.get_mut(name) {
                resource.blocked = true;
            }
        }
    }
    notice::now(context, "step_failed", notice::To::Admin, &reference, &values)
}

/// The health watch comes back only when health changes; then it is asked for anew.
fn health(context: &mut Context<'_, '_>, mut instance: Instance, report: &EffectReport) -> Step<Outcome> {
    let stale = Outcome::Stale(Snapshot { at: context.now, rank: SnapshotRank::Updated, event_id: String::new() });
    if instance.saga.value.watching.is_none() || instance.saga.value.generation.watch != report.generation {
        return Ok(stale);
    }
    let before = instance.saga.value.clone();
    // A watch that failed, or that tells nothing new, is not asked for again before address or status change.
    if let Err(failure) = &report.answer {
        let values = json!({"effect": report.key, "kind": context.event.kind, "code": failure.code});
        let reference = format!("{}:{}", report.key, report.generation);
        notice::now(context, "effect_failed", notice::To::Admin, &reference, &values)?;
        return Ok(Outcome::Applied);
    }
    if let Ok(answer) = &report.answer {
        let answer: Map<String, Value> = decode("effects", &report.key, answer)?;
        let health = answer.get("health").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        if ["healthy", "unhealthy"].contains(&health.as_str()) && instance.text("health_status") != Some(&health) {
            instance.saga.value.watching = None;
            instance.metadata.insert("health_status".to_owned(), json!(health));
            let values = json!({"instance": instance.row.id, "health": health});
            let reference = format!("{}:{}", report.key, report.generation);
            if health == "unhealthy" {
                notice::now(context, "instance_unhealthy", notice::To::Account, &reference, &values)?;
                notice::now(context, "instance_unhealthy", notice::To::Admin, &reference, &values)?;
            } else {
                notice::now(context, "instance_recovered", notice::To::Account, &reference, &values)?;
            }
        }
    }
    instance.save(context, &before)?;
    settle::settle(context)?;
    Ok(Outcome::Applied)
}
