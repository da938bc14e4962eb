//! `metadata.resources` of an instance: what the resources' outputs say, and the public address.

use super::resources::is_of;
use crate::catalog::instance::Instance;
use crate::catalog::template::Scope;
use crate::model::json::Object;
use crate::model::records::instance::{InstanceStatus, ResourceStatus};
use serde_json::Value;

/// Show what is there.
pub(super) fn show(instance: &mut Instance) {
    let is_running = instance.is(InstanceStatus::Running);
    if instance.decl.provisions.is_empty() || (!instance.record.begun && !is_running) {
        return;
    }
    let mut resources = Object::new();
    let mut present: Vec<(&str, &Object)> = Vec::new();
    for decl in &instance.decl.provisions {
        let entries = instance.record.resources.iter().filter(|(entry, resource)| {
            use ResourceStatus::{BackingUp, Changing, Present, Restoring};
            is_of(entry, &decl.name) && matches!(resource.status, Present | Changing | BackingUp | Restoring)
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
