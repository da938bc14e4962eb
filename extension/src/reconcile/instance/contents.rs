//! Writes an instance's `metadata.resources` from the resources' outputs, its public address, and its views, which show
//! the status in the business's words.

use crate::catalog::schema::{PHASE, REFUSED};
use crate::catalog::template::Scope;
use crate::desk::instance::Instance;
use crate::model::json::Object;
use crate::model::records::instance::{Effects, InstanceStatus, ResourceStatus, Stage, is_late};
use serde_json::{Value, json};

/// Writes the outputs of the present resources and the address.
pub(super) fn show(instance: &mut Instance) {
    let is_running = instance.is(InstanceStatus::Running);
    if instance.decl.provisions.is_empty() || (instance.record.effects == Effects::None && !is_running) {
        return;
    }
    let mut resources = Object::new();
    let mut present: Vec<(&str, &Object)> = Vec::new();
    for decl in &instance.decl.provisions {
        let entries = instance.record.resources.iter().filter(|(entry, resource)| {
            use ResourceStatus::{BackingUp, Present, Restoring};
            let is_made = resource.status.is_changing() || matches!(resource.status, Present | BackingUp | Restoring);
            decl.has(entry) && !is_late(entry) && is_made
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
    use InstanceStatus::{Deleting, Error, Provisioning};
    let has_address = !matches!(instance.status(), Some(Provisioning | Error | Deleting));
    if let (Some(rule), true) = (rule, has_address) {
        let mut scope = Scope::default().object("instance", &instance.metadata);
        for (name, outputs) in &present {
            scope = scope.object(name, outputs);
        }
        if let Ok(url) = scope.fill(&Value::String(rule.value.clone())) {
            resources.insert("url".to_owned(), url);
        }
    }
    instance.set("resources", Value::Object(resources));
}

/// Writes the views: the status in the words of the product type.
pub(super) fn show_views(instance: &mut Instance) {
    let decl = instance.decl.clone();
    for (name, words) in &decl.views {
        let is_refused = instance.record.state.stage() == Stage::Refused;
        let status = if is_refused { REFUSED } else { instance.status_text() };
        let word = words.get(status).map_or_else(|| instance.status_text(), String::as_str);
        let shown = if name == PHASE { phase_in_progress(instance).unwrap_or(word) } else { word };
        let shown = json!(shown);
        instance.set(name, shown);
    }
}

/// Returns the word for the first resource or step in progress.
fn phase_in_progress(instance: &Instance) -> Option<&str> {
    if !matches!(instance.status(), Some(InstanceStatus::Provisioning | InstanceStatus::Restoring)) {
        return None;
    }
    instance.decl.provisions.iter().find_map(|decl| {
        let mut entries = instance.record.resources.iter().filter(|(entry, _)| decl.has(entry) && !is_late(entry));
        entries.find_map(|(_, resource)| match resource.status {
            ResourceStatus::ByHand | ResourceStatus::Checking => decl.or_manual.as_ref()?.phase.as_deref(),
            status if status.is_in_flight() => decl.phase.as_deref(),
            _ => None,
        })
    })
}
