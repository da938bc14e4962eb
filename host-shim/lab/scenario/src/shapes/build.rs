//! Builds a Stripe event from a base body and a step's changes.

use super::places::Rule;
use super::{Shape, Shapes};
use crate::error::{BadInput, Place};
use crate::model::{Change, Patch, StripeStep};
use crate::path::{JsonPath, NewKey};
use crate::tree::{Node, Tree};
use serde_json::{Map, Value, json};
use std::path::Path;

/// An event as Stripe would deliver it.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltEvent {
    /// The body, with Stripe's indentation.
    pub bytes: Vec<u8>,
    /// Stripe's time of the event, in milliseconds since the epoch.
    pub created: i64,
}

/// The times of an event, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct EventTimes {
    /// Stripe's time of the event.
    pub created: i64,
    /// When Stripe created the object.
    pub made: i64,
    /// When the object was paid, if it is an invoice.
    pub paid: i64,
}

impl Shapes {
    /// Builds the event of a step in the step's own API version or, if it has none, in the shape `played`.
    ///
    /// # Errors
    ///
    /// Fails if the API version does not have the base body or a path that the step changes, or if the version does not
    /// allow a value.
    pub fn build(
        &self,
        file: &Path,
        line: usize,
        step: &StripeStep,
        played: &Shape,
        EventTimes { created, made, paid }: EventTimes,
        livemode: bool,
    ) -> Result<BuiltEvent, BadInput> {
        let shape = self.for_event(played, step.version.as_deref());
        let builder = Builder { shape, file, line };
        let base = step.base.as_deref().or_else(|| shape.base_of_type(&step.kind)).unwrap_or_default();
        let mut object = builder.base(base)?;
        let livemode = step.livemode.unwrap_or(livemode);
        for (name, value) in [("livemode", json!(livemode)), ("created", json!(made / 1000))] {
            if let Some(slot) = object.get_mut(name) {
                *slot = value;
            }
        }
        if let Some(paid_at) = object.pointer_mut("/status_transitions/paid_at") {
            *paid_at = json!(paid / 1000);
        }
        builder.patch(base, &mut object, &step.patch)?;
        for (_, patch) in step.version_patches.iter().filter(|(version, _)| *version == shape.version) {
            builder.patch(base, &mut object, patch)?;
        }
        let previous = match step.previous.is_empty() {
            true => None,
            false => Some(builder.previous(base, &object, &step.previous)?),
        };
        let mut event = builder.base("event")?;
        event["id"] = json!(step.id);
        event["type"] = json!(step.kind);
        event["created"] = json!(created / 1000);
        event["livemode"] = json!(livemode);
        event["data"]["object"] = object;
        if let Some(previous) = previous {
            event["data"]["previous_attributes"] = previous;
        }
        if let Some(connected) = &step.connected {
            event["account"] = json!(connected);
        }
        if let Some(key) = &step.request_key {
            event["request"]["id"] = json!("req_1");
            event["request"]["idempotency_key"] = json!(key);
        }
        builder.patch("event", &mut event, &step.envelope)?;
        let bytes = serde_json::to_vec_pretty(&event)
            .map_err(|error| builder.bad(line, error.to_string(), "a body that is JSON"))?;
        Ok(BuiltEvent { bytes, created })
    }
}

struct Builder<'a> {
    shape: &'a Shape,
    file: &'a Path,
    line: usize,
}

impl Builder<'_> {
    fn bad(&self, line: usize, problem: impl Into<String>, expected: impl Into<String>) -> BadInput {
        BadInput::new(Place::line(self.file, line), problem, expected)
    }

    fn base(&self, name: &str) -> Result<Value, BadInput> {
        self.shape.bodies.get(name).cloned().ok_or_else(|| {
            let problem = format!("no base body `{name}` in {}", self.shape.version);
            self.bad(self.line, problem, format!("a file {}", self.shape.folder.join("NAME.json").display()))
        })
    }

    fn patch(&self, base: &str, body: &mut Value, patch: &Patch) -> Result<(), BadInput> {
        self.set(base, body, &patch.set)?;
        for change in &patch.add {
            let path = self.path(&change.key, change.line)?;
            path.set(body, &value_of(&change.value), NewKey::Any)
                .map_err(|error| self.bad(change.line, format!("{error} to add to"), "a path whose parent exists"))?;
        }
        for (path, line) in &patch.unset {
            self.path(path, *line)?.unset(body).map_err(|error| {
                self.bad(*line, format!("{error} in `{base}` of {}", self.shape.version), "a path that exists")
            })?;
        }
        Ok(())
    }

    /// Applies changes. Lists of objects come first, so that the other changes find the entries of these lists.
    fn set(&self, base: &str, body: &mut Value, changes: &[Change]) -> Result<(), BadInput> {
        let (lists, others): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| matches!(self.rule(base, &change.key), Some(Rule::Items { .. })));
        lists.into_iter().chain(others).try_for_each(|change| self.change(base, body, change))
    }

    fn rule(&self, base: &str, name: &str) -> Option<&Rule> {
        self.shape.places.get(base).and_then(|places| places.get(name))
    }

    fn change(&self, base: &str, body: &mut Value, change: &Change) -> Result<(), BadInput> {
        let in_version = format!("`{base}` of {}", self.shape.version);
        match self.rule(base, &change.key) {
            Some(Rule::Items { list, base: item_base }) => {
                let items = self.items(item_base, change)?;
                list.set(body, &items, NewKey::Known)
                    .map_err(|error| self.bad(change.line, format!("{error} in {in_version}"), "a path that exists"))
            }
            Some(rule) => rule.apply(body, &value_of(&change.value)).map_err(|error| {
                self.bad(
                    change.line,
                    format!("`{}`: {error} in {in_version}", change.key),
                    "a value that places.yml allows",
                )
            }),
            None => {
                let path = self.path(&change.key, change.line)?;
                path.set(body, &value_of(&change.value), NewKey::Known).map_err(|error| {
                    let names: Vec<&str> =
                        self.shape.places.get(base).into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                    let expected = match names.is_empty() {
                        true => "a path that exists, or `add`".to_owned(),
                        false => format!("a path that exists, one of {}, or `add`", names.join(", ")),
                    };
                    self.bad(change.line, format!("{error} in {in_version}"), expected).guessing(&change.key, names)
                })
            }
        }
    }

    /// Builds the objects of a list, each from the base body and the changes of its entry.
    fn items(&self, base: &str, change: &Change) -> Result<Value, BadInput> {
        let Tree::List(entries) = &change.value.value else {
            return Err(self.bad(change.line, format!("`{}` is {}", change.key, change.value.kind()), "a list"));
        };
        entries
            .iter()
            .map(|entry| {
                let Tree::Map(map) = &entry.value else {
                    return Err(self.bad(entry.line, format!("an entry is {}", entry.kind()), "a mapping"));
                };
                let changes: Vec<Change> =
                    map.iter().map(|e| Change { key: e.key.clone(), line: e.line, value: e.value.clone() }).collect();
                let mut item = self.base(base)?;
                self.set(base, &mut item, &changes)?;
                Ok(item)
            })
            .collect()
    }

    /// Returns `data.previous_attributes`: the old values of the changed keys. A changed list is complete.
    fn previous(&self, base: &str, now: &Value, changes: &[Change]) -> Result<Value, BadInput> {
        let mut before = now.clone();
        self.set(base, &mut before, changes)?;
        match old_values(&before, now) {
            Some(previous) => Ok(previous),
            None => {
                let line = changes.first().map_or(self.line, |change| change.line);
                Err(self.bad(line, "`previous` equals the event's values", "values that differ from the event's"))
            }
        }
    }

    fn path(&self, text: &str, line: usize) -> Result<JsonPath, BadInput> {
        text.parse().map_err(|error: crate::path::PathError| {
            self.bad(line, error.to_string(), "a path such as `items.data[0].id`")
        })
    }
}

/// Converts a scenario's value to Stripe's format: an RFC 3339 time becomes seconds.
fn value_of(node: &Node) -> Value {
    match &node.value {
        Tree::Text(text) => match crate::time::parse(text) {
            Some(ms) => json!(ms / 1000),
            None => json!(text),
        },
        Tree::List(list) => list.iter().map(value_of).collect(),
        Tree::Map(map) => Value::Object(map.iter().map(|entry| (entry.key.clone(), value_of(&entry.value))).collect()),
        _ => node.json(),
    }
}

fn old_values(before: &Value, now: &Value) -> Option<Value> {
    match (before, now) {
        _ if before == now => None,
        (Value::Object(before), Value::Object(now)) => {
            let mut changed = Map::new();
            for (key, old) in before {
                let difference = match now.get(key) {
                    Some(new) => old_values(old, new),
                    None => Some(old.clone()),
                };
                changed.extend(difference.map(|value| (key.clone(), value)));
            }
            for key in now.keys().filter(|key| !before.contains_key(*key)) {
                changed.insert(key.clone(), Value::Null);
            }
            Some(Value::Object(changed))
        }
        _ => Some(before.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Scenario};
    use std::path::PathBuf;

    const OLD: &str = "2020-08-27";
    const BASIL: &str = "2025-03-31.basil";

    fn shapes() -> Shapes {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/stripe");
        Shapes::load(&folder).expect("the project's own bodies")
    }

    fn build(version: &str, step: &str) -> Result<Value, BadInput> {
        let file = Path::new("x.yml");
        let scenario = Scenario::parse(file, &format!("name: x\nevents:\n  - {step}\n")).expect("a scenario");
        let Action::Stripe(stripe) = &scenario.steps[0].action else { panic!("a Stripe step") };
        let shapes = shapes();
        let shape = shapes.version(version).expect("a version");
        let times = EventTimes { created: 1_767_225_600_000, made: 1_767_225_000_000, paid: 1_767_225_300_000 };
        let built = shapes.build(file, 3, stripe, shape, times, false)?;
        Ok(serde_json::from_slice(&built.bytes).expect("JSON"))
    }

    fn object(version: &str, step: &str) -> Value {
        build(version, step).expect("it can be built")["data"]["object"].clone()
    }

    #[test]
    fn the_period_of_a_subscription_is_set_at_each_versions_path() {
        let step = "{stripe: customer.subscription.updated, \
            set: {period: [2026-02-01T00:00:00Z, 2026-03-01T00:00:00Z], price: price_x}}";
        let old = object(OLD, step);
        assert_eq!(
            (&old["current_period_start"], &old["current_period_end"]),
            (&json!(1769904000), &json!(1772323200))
        );
        let new = object(BASIL, step);
        assert!(new.get("current_period_start").is_none());
        let item = &new["items"]["data"][0];
        assert_eq!(
            (&item["current_period_start"], &item["current_period_end"]),
            (&json!(1769904000), &json!(1772323200))
        );
        assert_eq!((&item["price"]["id"], &item["plan"]["id"]), (&json!("price_x"), &json!("price_x")));
    }

    #[test]
    fn the_subscription_and_payment_of_an_invoice_are_set_at_each_versions_path() {
        let step = "{stripe: invoice.paid, set: {subscription: sub_2, payment_intent: pi_2, amount: 500, paid: true}}";
        let old = object(OLD, step);
        assert_eq!(
            (&old["subscription"], &old["payment_intent"], &old["paid"]),
            (&json!("sub_2"), &json!("pi_2"), &json!(true))
        );
        let new = object(BASIL, step);
        assert_eq!(new["parent"]["subscription_details"]["subscription"], "sub_2");
        assert_eq!(new["payments"]["data"][0]["payment"]["payment_intent"], "pi_2");
        assert_eq!((&new["amount_paid"], &old["amount_paid"]), (&json!(500), &json!(500)));
        assert!(new.get("subscription").is_none() && new.get("payment_intent").is_none() && new.get("paid").is_none());
    }

    #[test]
    fn items_are_built_from_their_own_base_body() {
        let step = "{stripe: customer.subscription.created, \
            set: {id: sub_9, items: [{id: si_1, price: price_a}, {id: si_2, price: price_b, quantity: 3}]}}";
        for version in [OLD, BASIL] {
            let items = &object(version, step)["items"]["data"];
            assert_eq!(items[1]["price"]["id"], "price_b", "{version}");
            assert_eq!(items[1]["quantity"], 3, "{version}");
            assert_eq!(items[0]["subscription"], "sub_9", "{version}");
        }
    }

    #[test]
    fn previous_attributes_have_the_changed_keys_and_lists_in_full() {
        let step = "{stripe: customer.subscription.updated, set: {status: active}, \
            previous: {status: incomplete, quantity: 4}}";
        let event = build(OLD, step).expect("it can be built");
        let previous = &event["data"]["previous_attributes"];
        assert_eq!(previous["status"], "incomplete");
        assert_eq!(previous["items"]["data"][0]["quantity"], 4);
        assert_eq!(event["data"]["object"]["items"]["data"][0]["quantity"], 1);
        assert!(previous.get("customer").is_none());
        let error =
            build(OLD, "{stripe: customer.subscription.updated, previous: {status: active}}").expect_err("no change");
        assert!(error.problem.contains("previous"), "{error}");
    }

    #[test]
    fn a_path_that_a_version_does_not_have_is_bad_input() {
        let step = "{stripe: customer.subscription.updated, set: {current_period_end: 1}}";
        assert!(build(OLD, step).is_ok());
        let error = build(BASIL, step).expect_err("it is under items");
        assert_eq!(error.place.line, 3);
        assert!(error.to_string().contains("current_period_end") && error.expected.contains("period"), "{error}");
    }

    #[test]
    fn a_patch_for_one_version_is_ignored_in_the_other() {
        let step = "{stripe: customer.subscription.updated, 'set@2020-08-27': {current_period_end: 7}}";
        assert_eq!(object(OLD, step)["current_period_end"], 7);
        assert!(object(BASIL, step).get("current_period_end").is_none());
    }

    #[test]
    fn the_envelope_of_the_event_is_filled() {
        let step = "{stripe: charge.dispute.created, id: evt_9, connected: acct_C, request_key: k, livemode: true, \
            envelope: {set: {pending_webhooks: 3}, unset: [data.object.id]}}";
        let event = build(BASIL, step).expect("it can be built");
        assert_eq!((&event["id"], &event["type"]), (&json!("evt_9"), &json!("charge.dispute.created")));
        assert_eq!((&event["account"], &event["livemode"]), (&json!("acct_C"), &json!(true)));
        assert_eq!((&event["pending_webhooks"], &event["request"]["idempotency_key"]), (&json!(3), &json!("k")));
        assert_eq!(event["created"], 1_767_225_600);
        let dispute = &event["data"]["object"];
        assert_eq!((&dispute["object"], &dispute["created"]), (&json!("dispute"), &json!(1_767_225_000)));
        assert!(event["data"]["object"].get("id").is_none());
    }

    #[test]
    fn every_place_of_every_version_fits_its_own_body() {
        let shapes = shapes();
        for version in shapes.names() {
            let shape = shapes.version(version).expect("a version");
            for (base, places) in &shape.places {
                let body = shape.bodies.get(base).unwrap_or_else(|| panic!("{version} has no body {base}"));
                for (name, rule) in places {
                    for value in probe(rule) {
                        rule.apply(&mut body.clone(), &value)
                            .unwrap_or_else(|e| panic!("{version} {base}.{name}: {e}"));
                    }
                }
            }
        }
    }

    fn probe(rule: &Rule) -> Vec<Value> {
        match rule {
            Rule::When(cases) => cases.iter().map(|(name, _)| json!(name)).collect(),
            Rule::Parts(parts) => vec![parts.iter().map(|_| json!(1)).collect()],
            Rule::Items { .. } => vec![json!([])],
            _ => vec![json!("x")],
        }
    }
}
