//! Starts and stops the health watch of an instance: a running instance is watched at its current address.

use crate::catalog::template::Scope;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::records::instance::InstanceStatus;
use extension_contract::Effect;
use serde_json::{Value, json};

/// Starts, changes or stops the health watch.
pub(super) fn watch(desk: &mut Desk<'_>, instance: &mut Instance) -> Ruled<()> {
    let Some(decl) = instance.decl.watch.clone() else { return Ok(()) };
    let key = EffectKey::Watch { instance: instance.id.clone() };
    let url = if instance.is(InstanceStatus::Running) { watched_url(instance, &decl.url) } else { None };
    if url == instance.record.watching {
        return Ok(());
    }
    let Some(url) = url else {
        desk.account.call_off(vec![key.to_string()]);
        instance.record.watching = None;
        if instance.metadata.contains_key("health_status") {
            instance.set("health_status", json!("unknown"));
        }
        return Ok(());
    };
    let generation = instance.record.generation.watch.saturating_add(1);
    let payload = json!({
        "url": url, "every_s": decl.every.seconds(), "fail_after": decl.fail_after, "recover_after": decl.recover_after,
        "health": instance.text("health_status"),
    });
    let about = Correlation::Watch { instance: instance.id.clone() };
    desk.account.ask(Effect { generation, ..request(&key, &payload, Some(&about))? });
    instance.record.watching = Some(url);
    instance.record.generation.watch = generation;
    Ok(())
}

/// Returns the address to watch; `None` if the instance has none.
fn watched_url(instance: &Instance, url: &str) -> Option<String> {
    let resources = instance.metadata.get("resources").and_then(Value::as_object).cloned().unwrap_or_default();
    let scope = Scope::default().object("instance", &instance.metadata).object("resources", &resources);
    match scope.fill(&Value::String(url.to_owned())) {
        Ok(Value::String(url)) => Some(url),
        _ => None,
    }
}
