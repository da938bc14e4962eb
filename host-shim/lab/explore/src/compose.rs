//! Adds steps to a story: Stripe events, commands and raw events, each at its own time.

use crate::plan::Act;
use crate::tale::Tale;
use extension_contract::{Account, Actor, ActorKind, Timestamp};
use host_scenario::error::ReplayError;
use host_scenario::model::{Action, At, Change, CommandStep, Patch, RawStep, Scenario, Step, StripeStep};
use host_scenario::prepare::prepare;
use host_scenario::shapes::Shapes;
use host_scenario::tree::Node;
use serde_json::{Value, json};
use std::sync::Arc;

/// A story with further steps after its own. A plan can place them anywhere.
pub(crate) struct Composer {
    tale: Tale,
    scenario: Scenario,
    shapes: Shapes,
}

impl Composer {
    pub fn of(tale: &Tale) -> Result<Composer, ReplayError> {
        let shapes = Shapes::built_in()?;
        Ok(Composer { tale: tale.clone(), scenario: (*tale.scenario).clone(), shapes })
    }

    /// The story with the added steps.
    pub fn tale(self) -> Tale {
        Tale { scenario: Arc::new(self.scenario), ..self.tale }
    }

    /// Adds a Stripe event with some values, given under the names that scenarios use.
    pub fn stripe(&mut self, kind: &str, set: &Value, at: Timestamp) -> Result<Act, ReplayError> {
        let change = |(key, value): (&String, &Value)| {
            Node::from_json(value).map(|value| Change { key: key.clone(), line: 0, value })
        };
        let set = set.as_object().into_iter().flatten().filter_map(change).collect();
        let step = StripeStep {
            kind: kind.to_owned(),
            id: self.id(),
            at: At::Time(at),
            base: kind.starts_with("customer.subscription.").then(|| "subscription".to_owned()),
            version: None,
            patch: Patch { set, ..Patch::default() },
            version_patches: Vec::new(),
            previous: Vec::new(),
            connected: None,
            livemode: None,
            request_key: None,
            envelope: Patch::default(),
        };
        self.add(Action::Stripe(Box::new(step)), at)
    }

    /// Adds a Stripe event about an object of a kind that has no base body.
    pub fn raw(
        &mut self,
        kind: &str,
        connected: Option<&str>,
        object: Value,
        at: Timestamp,
    ) -> Result<Act, ReplayError> {
        let id = self.id();
        let mut event = json!({
            "id": id, "object": "event", "type": kind, "api_version": self.tale.case.version, "created": at / 1000,
            "livemode": self.scenario.given.livemode, "data": {"object": object},
        });
        if let Some(connected) = connected {
            event["account"] = json!(connected);
        }
        self.add(Action::Raw(RawStep { id, bytes: event.to_string().into_bytes() }), at)
    }

    /// Adds a command that the server sends for the story's account, or that an operator sends for another account.
    pub fn command(
        &mut self,
        kind: &str,
        account: Option<Account>,
        payload: Value,
        at: Timestamp,
    ) -> Result<Act, ReplayError> {
        let id = self.id();
        let actor = if account.is_some() { ActorKind::Admin } else { ActorKind::Service };
        let by = Actor { kind: actor, subject: "explore".to_owned(), roles: Vec::new() };
        self.add(Action::Command(CommandStep { kind: kind.to_owned(), id, account, by, payload }), at)
    }

    fn id(&self) -> String {
        format!("evt_explored_{}", self.scenario.steps.len() - self.tale.scenario.steps.len() + 1)
    }

    fn add(&mut self, action: Action, at: Timestamp) -> Result<Act, ReplayError> {
        let mut alone = self.scenario.clone();
        (alone.steps, alone.versions, alone.given.clock) = (vec![Step::new(action.clone())], None, at);
        let cases = prepare(&alone, &self.shapes)?;
        // A step without Stripe bodies is the same in all versions.
        let of_version = cases.iter().find(|case| case.version == self.tale.case.version).or(cases.first());
        let delivery = of_version.and_then(|case| case.deliveries.first().cloned().flatten());
        self.scenario.steps.push(Step::new(action));
        let case = &mut self.tale.case;
        case.deliveries.push(delivery);
        case.clocks.push(at);
        case.happens.push(true);
        Ok(Act::at(self.scenario.steps.len() - 1, at))
    }
}
