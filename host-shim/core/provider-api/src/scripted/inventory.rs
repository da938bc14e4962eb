//! The resources that exist in the scripted provider. Only this file creates, changes and deletes them.

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
        let id = call.resource_id();
        let resource = self.resources.entry(id.clone()).or_insert_with(|| Resource {
            id,
            state: "running".to_owned(),
            generation: call.generation,
            outputs,
            settings: Map::new(),
        });
        // The late result of an earlier generation changes nothing.
        if resource.generation <= call.generation {
            resource.generation = call.generation;
            resource.settings.extend(settings(call));
        }
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

    /// Removes a resource, unless a later generation has created it again.
    pub(super) fn destroy(&mut self, call: &Call) {
        let Some(id) = self.find(call) else { return };
        let is_later = self.resources.get(&id).is_some_and(|it| it.generation > call.generation);
        // The requests for a late resource have their own generations.
        if !is_later || id != call.resource_id() {
            self.resources.remove(&id);
        }
    }

    /// Reports whether the resource exists, its state and its outputs. With `adopt`, first takes over a resource that a
    /// person created.
    pub(super) fn observe(&mut self, call: &Call) -> Value {
        let made = call.payload.get("outputs").filter(|_| call.payload.get("adopt") == Some(&json!(true)));
        if let Some(outputs) = made {
            self.resources.remove(&call.resource_id());
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

    /// Finds the resource of a call by its id. Names and other outputs identify nothing: two variants of a resource may have
    /// the same name. A late resource is the one that was created by the creation with its generation, unless something has
    /// replaced or changed it since.
    fn find(&self, call: &Call) -> Option<ResourceId> {
        let own = call.resource_id();
        if self.resources.contains_key(&own) {
            return Some(own);
        }
        let (made_as, generation) = own.made_late_as()?;
        self.resources.get(&made_as).filter(|resource| resource.generation == generation).map(|_| made_as)
    }
}

fn settings(call: &Call) -> Map<String, Value> {
    let mut settings = call.payload.as_object().cloned().unwrap_or_default();
    settings.remove("state");
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call of a function whose name at its provider is always the same.
    fn call(id: &str, verb: &str, generation: u32) -> Call {
        let key = format!("inst_1/{id}/{verb}");
        let (kind, scope) = (format!("function.{verb}"), "b/test/user:u".to_owned());
        let payload = json!({"name": "app", "outputs": {"name": "app"}});
        Call { kind, scope, key, generation, attempt: 1, payload, lease: 1, ..Call::default() }
    }

    fn ids(inventory: &Inventory) -> Vec<(String, u32)> {
        inventory.all().into_iter().map(|resource| (resource.id.id, resource.generation)).collect()
    }

    #[test]
    fn variants_with_one_name_are_two_resources() {
        let (mut inventory, outputs) = (Inventory::default(), json!({"name": "app"}));
        inventory.ensure(&call("compute@lambda", "ensure", 1), outputs.clone());
        inventory.ensure(&call("compute@ecs", "ensure", 1), outputs);
        let both = [("inst_1/compute@ecs".to_owned(), 1), ("inst_1/compute@lambda".to_owned(), 1)];
        assert_eq!(ids(&inventory), both);
        assert_eq!(inventory.change(&call("compute@other", "change", 1)), None, "it does not exist");
        inventory.destroy(&call("compute@lambda", "destroy", 2));
        assert_eq!(ids(&inventory), both[..1]);
    }

    #[test]
    fn a_late_resource_is_destroyed_unless_another_has_taken_its_place() {
        let outputs = || json!({"name": "app"});
        let late = call("compute@late-2", "destroy", 1);
        let mut inventory = Inventory::default();
        inventory.ensure(&call("compute", "ensure", 2), outputs());
        inventory.destroy(&late);
        assert_eq!(ids(&inventory), []);
        // Somebody has replaced it manually, and the provider has adopted the replacement.
        inventory.ensure(&call("compute", "ensure", 3), outputs());
        inventory.ensure(&call("compute", "ensure", 2), outputs());
        inventory.destroy(&late);
        assert_eq!(ids(&inventory), [("inst_1/compute".to_owned(), 3)]);
    }

    #[test]
    fn the_late_result_of_an_earlier_destruction_removes_nothing() {
        let mut inventory = Inventory::default();
        inventory.ensure(&call("compute", "ensure", 3), json!({}));
        inventory.destroy(&call("compute", "destroy", 2));
        assert_eq!(ids(&inventory), [("inst_1/compute".to_owned(), 3)]);
    }
}
