//! Which resources exist in the scripted provider? Only this file creates, changes and deletes them.

use crate::call::Call;
use crate::resource::ResourceId;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An existing resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Scope, kind and id of the resource.
    pub id: ResourceId,
    /// State: `running` after `ensure`, then as set by `change`.
    pub state: String,
    /// Generation of the last `ensure` or `change`.
    pub generation: u32,
    /// Outputs of `ensure`.
    pub outputs: Value,
    /// Members of the payloads of `ensure` and `change`, except `state`; the last value of each name.
    pub settings: Map<String, Value>,
}

#[derive(Clone, Default)]
pub(super) struct Inventory {
    resources: BTreeMap<ResourceId, Resource>,
    /// Newest generation seen, by scope and key.
    generations: BTreeMap<(String, String), u32>,
}

impl Inventory {
    /// Records the call's generation; returns false if a newer generation of the key was called before.
    pub(super) fn admit(&mut self, call: &Call) -> bool {
        let newest = self.generations.entry((call.scope.clone(), call.key.clone())).or_insert(call.generation);
        *newest = (*newest).max(call.generation);
        *newest == call.generation
    }

    pub(super) fn all(&self) -> Vec<Resource> {
        self.resources.values().cloned().collect()
    }

    pub(super) fn ensure(&mut self, call: &Call, outputs: Value) -> Value {
        let id = self.find(call).unwrap_or_else(|| ResourceId::of(call));
        let resource = self.resources.entry(id.clone()).or_insert_with(|| Resource {
            id,
            state: "running".to_owned(),
            generation: call.generation,
            outputs,
            settings: Map::new(),
        });
        resource.generation = call.generation;
        resource.settings.extend(settings(call));
        resource.outputs.clone()
    }

    /// Changes a resource and returns its outputs with its `state`; none if the resource does not exist.
    pub(super) fn change(&mut self, call: &Call) -> Option<Value> {
        let id = self.find(call)?;
        let resource = self.resources.get_mut(&id)?;
        if let Some(state) = call.text("state") {
            resource.state = state.to_owned();
        }
        resource.generation = call.generation;
        resource.settings.extend(settings(call));
        let mut outputs = resource.outputs.clone();
        if let Value::Object(members) = &mut outputs {
            members.insert("state".to_owned(), json!(resource.state));
        }
        Some(outputs)
    }

    pub(super) fn destroy(&mut self, call: &Call) {
        if let Some(id) = self.find(call) {
            self.resources.remove(&id);
        }
    }

    /// Reports whether the resource exists, its state and its outputs. With `adopt`, first takes over a resource that a
    /// person created.
    pub(super) fn observe(&mut self, call: &Call) -> Value {
        let made = call.payload.get("outputs").filter(|_| call.payload.get("adopt") == Some(&json!(true)));
        if let Some(outputs) = made {
            self.resources.remove(&ResourceId::of(call));
            self.ensure(call, outputs.clone());
        }
        match self.find(call).and_then(|id| self.resources.get(&id)) {
            Some(resource) => json!({"exists": true, "state": resource.state, "outputs": resource.outputs}),
            None => json!({"exists": false}),
        }
    }

    /// Applies a call that a provider has carried out; ignores calls that are not about a resource.
    pub(super) fn learn(&mut self, call: &Call, outputs: &Value) {
        if !call.is_resource_call() {
            return;
        }
        match call.verb() {
            "ensure" => drop(self.ensure(call, outputs.clone())),
            "change" => drop(self.change(call)),
            "destroy" => self.destroy(call),
            _ => drop(self.observe(call)),
        }
    }

    /// Finds the resource by the id in the effect's key. Without such a resource, finds a resource of the same scope
    /// and kind with an output (`id`, `arn`, `bucket`, `name`) that equals the member of the same name of the payload or of
    /// the payload's `outputs`.
    fn find(&self, call: &Call) -> Option<ResourceId> {
        let own = ResourceId::of(call);
        if self.resources.contains_key(&own) {
            return Some(own);
        }
        let named = |resource: &Resource| {
            ["id", "arn", "bucket", "name"].iter().any(|name| {
                let output = resource.outputs.get(name).and_then(Value::as_str);
                let told = call.payload.get("outputs").and_then(|outputs| outputs.get(name)).and_then(Value::as_str);
                output.is_some() && (output == call.text(name) || output == told)
            })
        };
        let same_kind = |id: &ResourceId| id.scope == call.scope && id.resource == call.resource();
        self.resources.iter().find(|(id, resource)| same_kind(id) && named(resource)).map(|(id, _)| id.clone())
    }
}

fn settings(call: &Call) -> Map<String, Value> {
    let mut settings = call.payload.as_object().cloned().unwrap_or_default();
    settings.remove("state");
    settings
}
