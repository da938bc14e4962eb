//! Writes the steps of a scenario.

use super::super::{
    Action, At, AtStripe, Change, CommandStep, Holding, Kill, Measurement, Patch, ProductStep, RawStep, Scenario,
    Signature, Step, StripeStep, UsageStep, WebhookStep, answers, read,
};
use super::{Entries, Unwritable, expectations, json, outcome, span};
use crate::matcher::Matcher;
use crate::tree::{Checker, Node, Tree};
use extension_contract::{Account, Actor, ActorKind};
use host_store::fault::Moment;

/// Returns each step as a mapping.
pub(super) fn nodes(scenario: &Scenario) -> Result<Vec<Node>, Unwritable> {
    let mut writer = Writer { scenario, counter: read::Counter::default() };
    scenario.steps.iter().map(|step| writer.step(step)).collect()
}

struct Writer<'a> {
    scenario: &'a Scenario,
    /// Counts the steps as the reader does, to know the default ids.
    counter: read::Counter,
}

impl Writer<'_> {
    fn step(&mut self, step: &Step) -> Result<Node, Unwritable> {
        let Step { line: _, action, only, outcome: expected, effects, reply, answer, unchanged, budget, hold, kill } =
            step;
        let mut entries = Entries::default();
        self.action(action, &mut entries)?;
        if !only.is_empty() {
            entries.add("only", Node::list(only.iter().map(Node::text)));
        }
        if let Some(expected) = expected {
            entries.add("expect", outcome(expected)?);
        }
        for (name, matcher) in [("effects", effects), ("reply", reply), ("answer", answer)] {
            let Some(matcher) = matcher else { continue };
            entries.add(name, node(name, matcher)?);
        }
        if unchanged.is_some() {
            entries.add("unchanged", Node::of(Tree::Bool(true)));
        }
        if let Some(budget) = budget {
            entries.add("budget", budget.node());
        }
        if *hold {
            entries.add("hold", Node::of(Tree::Bool(true)));
        }
        if let Some(Kill { write, moment, again }) = kill {
            let mut fields = serde_json::json!({"write": write});
            if *moment == Moment::After {
                fields["after"] = true.into();
            }
            if let Some(again) = again {
                fields["again"] = (*again).into();
            }
            entries.add("kill", json("`kill`", &fields)?);
        }
        Ok(entries.node())
    }

    fn action(&mut self, action: &Action, entries: &mut Entries) -> Result<(), Unwritable> {
        match action {
            Action::Stripe(step) => {
                self.counter.stripe += 1;
                stripe(step, self.counter.stripe, entries)?;
            }
            Action::Command(step) => {
                self.counter.command += 1;
                self.message(&read::COMMAND, step, self.counter.command, entries)?;
            }
            Action::Fact(step) => {
                self.counter.fact += 1;
                self.message(&read::FACT, step, self.counter.fact, entries)?;
            }
            Action::Product(step) => {
                self.counter.product += 1;
                self.product(step, entries)?;
            }
            Action::Usage(step) => {
                self.counter.usage += 1;
                self.usage(step, entries);
            }
            Action::Webhook(step) => {
                self.counter.webhook += 1;
                webhook(step, self.counter.webhook, entries)?;
            }
            Action::Raw(step) => raw(step, entries)?,
            Action::Same(id) => entries.text("same", Some(id)),
            Action::Redrive(id) => entries.text("redrive", Some(id)),
            Action::Advance(ms) => entries.text("advance", Some(span("`advance`", *ms)?)),
            Action::Until(time) => entries.text("until", Some(crate::time::text(*time))),
            Action::Answers(list) => entries.add("answers", answers::node(list)?),
            Action::Claims(claims) => entries.add("claims", holdings(claims)),
            Action::AtStripe(call) => at_stripe(call, entries),
            Action::Timers(fire) => entries.add("timers", Node::of(Tree::Bool(*fire))),
            Action::Restart => entries.add("restart", Node::of(Tree::Bool(true))),
            Action::Check(expect) => entries.add("check", expectations(expect)?),
        }
        Ok(())
    }

    fn message(
        &self,
        form: &read::MessageForm,
        step: &CommandStep,
        number: usize,
        entries: &mut Entries,
    ) -> Result<(), Unwritable> {
        entries.text(form.name, Some(&step.kind));
        id(&step.id, &format!("{}_{number}", form.id), entries);
        entries.text("account", step.account.as_ref().map(Account::to_string));
        let account = step.account.as_ref().or(self.scenario.given.account.as_ref());
        let by_default = if form.by_service { Some(read::service()) } else { self.actor(None, account) };
        self.by(&step.by, by_default.as_ref(), account, entries);
        if step.payload != serde_json::json!({}) {
            entries.add(form.contents, json(form.contents, &step.payload)?);
        }
        Ok(())
    }

    fn product(&self, step: &ProductStep, entries: &mut Entries) -> Result<(), Unwritable> {
        entries.text("product", Some(&step.verb));
        id(&step.id, &format!("prd_{}", self.counter.product), entries);
        let account = self.scenario.given.account.as_ref();
        self.by(&step.by, self.actor(None, account).as_ref(), account, entries);
        entries.add("data", json("data", &step.data)?);
        Ok(())
    }

    fn usage(&self, step: &UsageStep, entries: &mut Entries) {
        let one = match step.batch.as_slice() {
            [one] => measurement(one, &step.id),
            several => {
                let number = |(index, one)| measurement(one, &format!("{}.{}", step.id, index + 1));
                Node::list(several.iter().enumerate().map(number))
            }
        };
        entries.add("usage", one);
        id(&step.id, &format!("use_{}", self.counter.usage), entries);
        entries.text("account", step.account.as_ref().map(Account::to_string));
        let account = step.account.as_ref().or(self.scenario.given.account.as_ref());
        self.by(&step.by, Some(&Actor::system()), account, entries);
    }

    /// Returns the actor that the reader assigns for `by`, or for a step without `by`.
    fn actor(&self, by: Option<&Node>, account: Option<&Account>) -> Option<Actor> {
        read::actor(&Checker::new(), by.or(self.scenario.given.by.as_ref()), account).ok()
    }

    /// Adds `by`, unless it equals the reader's default.
    fn by(&self, by: &Actor, by_default: Option<&Actor>, account: Option<&Account>, entries: &mut Entries) {
        if by_default == Some(by) {
            return;
        }
        let kind = Node::text(match by.kind {
            ActorKind::User => "user",
            ActorKind::Admin => "admin",
            ActorKind::Service => "service",
            ActorKind::Extension => "extension",
            ActorKind::System => "system",
        });
        if self.actor(Some(&kind), account).as_ref() == Some(by) {
            return entries.add("by", kind);
        }
        let mut parts = Entries::default();
        parts.add("kind", kind);
        parts.text("subject", Some(&by.subject).filter(|subject| !subject.is_empty()));
        if !by.roles.is_empty() {
            parts.add("roles", Node::list(by.roles.iter().map(Node::text)));
        }
        entries.add("by", parts.node());
    }
}

fn holdings(claims: &[(String, Holding)]) -> Node {
    let holding = |holding: &Holding| match holding {
        Holding::By(account) => Node::text(account.to_string()),
        Holding::Blocked => Node::text(read::BLOCKED),
        Holding::Free => Node::of(Tree::Null),
    };
    Node::map(claims.iter().map(|(key, state)| (key, holding(state))))
}

fn at_stripe(call: &AtStripe, entries: &mut Entries) {
    entries.text("at_stripe", Some(format!("{} {}", call.method, call.path)));
    if !call.form.is_empty() {
        entries.add("form", Node::map(call.form.iter().map(|(name, value)| (name, Node::text(value.clone())))));
    }
}

fn id(id: &str, by_default: &str, entries: &mut Entries) {
    entries.text("id", Some(id).filter(|id| *id != by_default));
}

fn node(what: &str, matcher: &Matcher) -> Result<Node, Unwritable> {
    matcher.node().ok_or_else(|| Unwritable::Number { what: what.to_owned() })
}

fn stripe(step: &StripeStep, number: usize, entries: &mut Entries) -> Result<(), Unwritable> {
    entries.text("stripe", Some(&step.kind));
    id(&step.id, &format!("evt_{number}"), entries);
    match step.at {
        At::Same => {}
        At::Later(ms) if ms < 0 => {
            entries.text("at", Some(format!("-{}", span("`at`", ms.saturating_neg())?)));
        }
        At::Later(ms) => entries.text("at", Some(format!("+{}", span("`at`", ms)?))),
        At::Time(time) => entries.text("at", Some(crate::time::text(time))),
    }
    entries.text("base", step.base.as_ref());
    patch(&step.patch, "", entries);
    for (version, of_version) in &step.version_patches {
        patch(of_version, &format!("@{version}"), entries);
    }
    if !step.previous.is_empty() {
        entries.add("previous", changes(&step.previous));
    }
    entries.text("version", step.version.as_ref());
    entries.text("connected", step.connected.as_ref());
    if let Some(livemode) = step.livemode {
        entries.add("livemode", Node::of(Tree::Bool(livemode)));
    }
    entries.text("request_key", step.request_key.as_ref());
    let mut envelope = Entries::default();
    patch(&step.envelope, "", &mut envelope);
    if !envelope.0.is_empty() {
        entries.add("envelope", envelope.node());
    }
    Ok(())
}

fn changes(changes: &[Change]) -> Node {
    Node::map(changes.iter().map(|change| (&change.key, change.value.clone())))
}

fn patch(patch: &Patch, suffix: &str, entries: &mut Entries) {
    for (name, list) in [("set", &patch.set), ("add", &patch.add)] {
        if !list.is_empty() {
            entries.add(format!("{name}{suffix}"), changes(list));
        }
    }
    if !patch.unset.is_empty() {
        entries.add(format!("unset{suffix}"), Node::list(patch.unset.iter().map(|(path, _)| Node::text(path))));
    }
}

fn webhook(step: &WebhookStep, number: usize, entries: &mut Entries) -> Result<(), Unwritable> {
    entries.text("webhook", Some(&step.name));
    id(&step.delivery, &format!("dlv_{number}"), entries);
    entries.text(
        "signature",
        match step.signature {
            Signature::Good => None,
            Signature::Bad => Some("bad"),
            Signature::Old => Some("old"),
            Signature::None => Some("none"),
        },
    );
    entries.add("body", json("body", &step.body)?);
    Ok(())
}

/// Adds a body: as a mapping if the reader restores the same bytes from it, otherwise as text.
fn raw(step: &RawStep, entries: &mut Entries) -> Result<(), Unwritable> {
    let body = serde_json::from_slice::<serde_json::Value>(&step.bytes).ok().filter(serde_json::Value::is_object);
    let node = body.as_ref().and_then(Node::from_json).filter(|node| node.json().to_string().as_bytes() == step.bytes);
    let node = match node {
        Some(node) => node,
        None => match String::from_utf8(step.bytes.clone()) {
            Ok(text) => Node::text(text),
            Err(_) => return Err(Unwritable::Body { id: step.id.clone() }),
        },
    };
    entries.add("raw", node);
    Ok(())
}

fn measurement(one: &Measurement, by_default: &str) -> Node {
    let mut entries = Entries::default();
    entries.text("meter", Some(&one.meter));
    entries.add("quantity", Node::of(Tree::Int(one.quantity)));
    id(&one.id, by_default, &mut entries);
    entries.text("at", one.at.map(crate::time::text));
    for (name, value) in &one.attributes {
        entries.text(name, Some(value));
    }
    entries.node()
}
