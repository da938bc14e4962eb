//! Reads a [`Scenario`] from a YAML file.

use super::{
    Action, At, AtStripe, Budget, Change, CommandStep, Expectations, Given, Holding, Kill, KnownFailure,
    OutcomeExpectation, Patch, ProductStep, RawStep, SECTIONS, Scenario, SectionExpectation, Signature, Step,
    StripeStep, UsageStep, Versions, WebhookStep, answers, read_text, usage,
};
use crate::error::{Mistakes, Place};
use crate::matcher::Matcher;
use crate::tree::{Checked, Checker, Entry, Fields, Node, Tree, read_span, read_time};
use extension_contract::{Account, Actor, ActorKind};
use host_store::fault::Moment;
use serde_json::json;
use std::path::Path;

/// The default clock: 2026-01-01T00:00:00Z, the creation time of the base bodies' objects.
pub(super) const CLOCK_DEFAULT_MS: i64 = 1_767_225_600_000;

const OUTCOMES: [&str; 7] = ["applied", "duplicate", "stale", "ignored", "deferred", "rejected", "failed"];
const STEP_NAMES: &str = "a step with stripe, command, event, product, usage, webhook, raw, same, redrive, at_stripe, advance, until, answers, claims, timers, restart or check";

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// Fails with all mistakes if the text is not a scenario. Each mistake contains the file, the line and the expected
    /// value.
    pub fn parse(file: &Path, text: &str) -> Result<Scenario, Mistakes> {
        let node = Node::parse(file, text)?;
        node.quoted_placeholders()?;
        Checker::read(|check| scenario(check, file, &node))
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// Fails with all mistakes if the file can't be read or is not a scenario.
    pub fn read(file: &Path) -> Result<Scenario, Mistakes> {
        Scenario::parse(file, &read_text(file)?)
    }
}

fn scenario(check: &Checker, file: &Path, node: &Node) -> Checked<Scenario> {
    let mut fields = check.fields("a scenario", node)?;
    let name = fields.need("name").and_then(|node| check.text("name", node));
    let covers = fields.optional("covers", |node| covers(check, node));
    let known_to_fail = fields.optional("known_to_fail", |node| known(check, node));
    let versions = fields.optional("versions", |node| versions(check, node));
    let budget = fields.optional("budget", |node| Budget::read(check, node));
    let (given_node, events) = (fields.take("given"), fields.need("events"));
    let expect = fields.optional("expect", |node| expectations(check, node));
    let finished = fields.finish();
    let given = match (given_node, finished) {
        // The unknown field may be a misspelt `given`.
        (None, Err(noted)) => Err(noted),
        _ => given(check, given_node),
    };
    let steps = events.and_then(|node| match (check.list("events", node)?, &given) {
        ([], _) => Err(check.bad(node.place(), "no event", STEP_NAMES)),
        // Without its account, a step would be reported as wrong.
        (_, Err(noted)) => Err(*noted),
        (list, Ok(given)) => steps(check, list, given),
    });
    finished?;
    Ok(Scenario {
        file: file.to_owned(),
        name: name?,
        covers: covers?.unwrap_or_default(),
        known_to_fail: known_to_fail?,
        versions: versions?,
        budget: budget?,
        given: given?,
        steps: steps?,
        expect: expect?.unwrap_or_default(),
    })
}

fn covers(check: &Checker, node: &Node) -> Checked<Vec<(String, usize)>> {
    let list = check.list("covers", node)?;
    if list.len() > super::COVERS_MAX {
        return Err(check.bad(node.place(), format!("{} ids in `covers`", list.len()), "at most three ids"));
    }
    check.each(list, |entry| Ok((check.text("covers", entry)?, entry.line)))
}

/// Reads the marker `FINDING: reason`.
fn known(check: &Checker, node: &Node) -> Checked<KnownFailure> {
    let text = check.text("known_to_fail", node)?;
    let (finding, reason) = text.split_once(':').unwrap_or((&text, ""));
    let mut id = finding.chars();
    let begins_well = id.next().is_some_and(|letter| letter.is_ascii_uppercase());
    let number = id.as_str();
    let is_id = begins_well && !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    if !is_id || reason.trim().is_empty() {
        let problem = format!("`known_to_fail` is `{text}`");
        return Err(check.bad(node.place(), problem, "the id of a finding and a reason, such as `C1: ends too early`"));
    }
    Ok(KnownFailure { line: node.line, finding: finding.to_owned(), reason: reason.trim().to_owned() })
}

fn versions(check: &Checker, node: &Node) -> Checked<Versions> {
    let mut fields = check.fields("versions", node)?;
    let only = fields.need("only").and_then(|node| check.texts("only", node));
    let because = fields.need("because").and_then(|node| check.text("because", node));
    fields.finish()?;
    Ok(Versions { only: only?, because: because? })
}

fn given(check: &Checker, node: Option<&Node>) -> Checked<Given> {
    let nothing = Node::of(Tree::Map(Vec::new()));
    let mut fields = check.fields("given", node.unwrap_or(&nothing))?;
    let business = fields.optional("business", |node| check.text("business", node));
    let clock = fields.optional("clock", |node| read_time(check, "clock", node));
    let livemode = fields.optional("livemode", |node| check.truth("livemode", node));
    let config = fields.optional("config", |node| config_values(check, node));
    let account = fields.optional("account", |node| self::account(check, node));
    let by = fields.optional("by", |node| {
        // The actor is read only to report a mistake at its line.
        actor(check, Some(node), account.as_ref().ok().and_then(Option::as_ref)).map(|_| node.clone())
    });
    let accounts = fields.optional("accounts", |node| match check.list("accounts", node)? {
        [] => Err(check.bad(node.place(), "no account", "at least one, or no `accounts`: then all take part")),
        list => check.each(list, |node| self::account(check, node)),
    });
    let claims = fields.optional("claims", |node| {
        let claim = |entry: &Entry| Ok((entry.key.clone(), self::account(check, &entry.value)?));
        check.each(check.map("claims", node)?, claim)
    });
    let answers = fields.optional("answers", |node| answers::read(check, node));
    fields.finish()?;
    Ok(Given {
        business: business?,
        clock: clock?.unwrap_or(CLOCK_DEFAULT_MS),
        livemode: livemode?.unwrap_or(false),
        config: config?.unwrap_or_default(),
        account: account?,
        by: by?,
        accounts: accounts?.unwrap_or_default(),
        claims: claims?.unwrap_or_default(),
        answers: answers?.unwrap_or_default(),
    })
}

/// Reads configuration values as text.
fn config_values(check: &Checker, node: &Node) -> Checked<Vec<(String, String)>> {
    check.each(check.map("config", node)?, |entry| {
        let expected = "a text, a whole number or a truth value";
        let value = scalar(&entry.value).ok_or_else(|| check.wrong(&entry.key, &entry.value, expected));
        Ok((entry.key.clone(), value?))
    })
}

/// Returns a text, a whole number or a truth value as text.
fn scalar(node: &Node) -> Option<String> {
    match &node.value {
        Tree::Text(text) => Some(text.clone()),
        Tree::Int(number) => Some(number.to_string()),
        Tree::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn account(check: &Checker, node: &Node) -> Checked<Account> {
    let text = check.text("account", node)?;
    account_of(check, node.place(), &text)
}

fn account_of(check: &Checker, place: Place, text: &str) -> Checked<Account> {
    text.parse().map_err(|_| {
        check.bad(place, format!("`{text}` is not an account"), "`platform`, `user:ID` or `organization:ID`")
    })
}

fn steps(check: &Checker, list: &[Node], given: &Given) -> Checked<Vec<Step>> {
    let mut counter = Counter::default();
    let steps: Vec<Step> = check.each(list, |node| step(check, node, given, &mut counter))?;
    let mut seen: Vec<&str> = Vec::new();
    check.every(list.iter().zip(&steps), |(node, step)| match &step.action {
        Action::Same(id) | Action::Redrive(id) if !seen.contains(&id.as_str()) => {
            Err(check.bad(node.place(), format!("no event `{id}` before"), "the id of an event above"))
        }
        action => {
            seen.extend(action.event_id());
            Ok(())
        }
    })?;
    Ok(steps)
}

/// Counters of the steps of each kind, for the ids of events without an id.
#[derive(Default)]
pub(super) struct Counter {
    pub stripe: usize,
    pub command: usize,
    pub fact: usize,
    pub product: usize,
    pub usage: usize,
    pub webhook: usize,
    pub raw: usize,
}

fn step(check: &Checker, node: &Node, given: &Given, counter: &mut Counter) -> Checked<Step> {
    let mut fields = check.fields("a step", node)?;
    let action = action(check, &mut fields, given, counter)?;
    let is_event = action.event_id().is_some();
    let is_webhook = matches!(action, Action::Webhook(_));
    let moves_clock = matches!(action, Action::Advance(_) | Action::Until(_));
    let mut matcher = |is_allowed: bool, name: &'static str| match is_allowed {
        true => fields.optional(name, |node| Matcher::read(check, node)),
        false => Ok(None),
    };
    let [effects, reply, answer] =
        [(is_event, "effects"), (is_event, "reply"), (is_webhook, "answer")].map(|(is, name)| matcher(is, name));
    let (mut outcome, mut budget, mut hold, mut kill) = (Ok(None), Ok(None), Ok(None), Ok(None));
    if is_event {
        outcome = fields.optional("expect", |node| self::outcome(check, node));
        budget = fields.optional("budget", |node| Budget::read(check, node));
        hold = fields.optional("hold", |node| check.truth("hold", node));
    }
    if is_event || moves_clock {
        kill = fields.optional("kill", |node| self::kill(check, node));
    }
    let unchanged =
        fields.take_entry("unchanged").map(|entry| Ok((check.truth("unchanged", &entry.value)?, entry.line)));
    let only = fields.optional("only", |node| check.texts("only", node));
    fields.finish()?;
    Ok(Step {
        line: node.line,
        action,
        only: only?.unwrap_or_default(),
        outcome: outcome?,
        effects: effects?,
        reply: reply?,
        answer: answer?,
        unchanged: unchanged.transpose()?.and_then(|(is_set, line)| is_set.then_some(line)),
        hold: hold?.unwrap_or(false),
        kill: kill?,
        budget: budget?,
    })
}

fn kill(check: &Checker, node: &Node) -> Checked<Kill> {
    let mut fields = check.fields("`kill`", node)?;
    let write = write_number(check, "write", fields.need("write")?)?;
    let after = fields.take("after").map(|node| check.truth("after", node)).transpose()?.unwrap_or(false);
    let again = fields.take("again").map(|node| write_number(check, "again", node)).transpose()?;
    fields.finish()?;
    Ok(Kill { write, moment: if after { Moment::After } else { Moment::Before }, again })
}

fn write_number(check: &Checker, what: &str, node: &Node) -> Checked<u64> {
    let number = node.json().as_u64().filter(|number| *number > 0);
    number
        .ok_or_else(|| check.bad(node.place(), format!("`{what}` is {}", node.kind()), "the number of a write, from 1"))
}

fn action(check: &Checker, fields: &mut Fields<'_, '_>, given: &Given, counter: &mut Counter) -> Checked<Action> {
    if let Some(kind) = fields.take("stripe") {
        counter.stripe += 1;
        return Ok(Action::Stripe(Box::new(stripe(check, kind, fields, counter.stripe)?)));
    }
    if let Some(kind) = fields.take("command") {
        counter.command += 1;
        return Ok(Action::Command(message(check, &COMMAND, kind, fields, given, counter.command)?));
    }
    if let Some(kind) = fields.take("event") {
        counter.fact += 1;
        return Ok(Action::Fact(message(check, &FACT, kind, fields, given, counter.fact)?));
    }
    if let Some(verb) = fields.take("product") {
        counter.product += 1;
        return Ok(Action::Product(product(check, verb, fields, given, counter.product)?));
    }
    if let Some(node) = fields.take("usage") {
        counter.usage += 1;
        return Ok(Action::Usage(measured(check, node, fields, given, counter.usage)?));
    }
    if let Some(name) = fields.take("webhook") {
        counter.webhook += 1;
        return Ok(Action::Webhook(webhook(check, name, fields, counter.webhook)?));
    }
    if let Some(node) = fields.take("raw") {
        counter.raw += 1;
        return Ok(Action::Raw(raw(node, counter.raw)));
    }
    if let Some(id) = fields.take("same") {
        return Ok(Action::Same(check.text("same", id)?));
    }
    if let Some(id) = fields.take("redrive") {
        return Ok(Action::Redrive(check.text("redrive", id)?));
    }
    if let Some(call) = fields.take("at_stripe") {
        return Ok(Action::AtStripe(at_stripe(check, call, fields)?));
    }
    if let Some(span) = fields.take("advance") {
        return Ok(Action::Advance(read_span(check, "advance", span)?));
    }
    if let Some(time) = fields.take("until") {
        return Ok(Action::Until(read_time(check, "until", time)?));
    }
    if let Some(node) = fields.take("answers") {
        return Ok(Action::Answers(answers::read(check, node)?));
    }
    if let Some(node) = fields.take("claims") {
        return Ok(Action::Claims(holdings(check, node)?));
    }
    if let Some(node) = fields.take("timers") {
        return Ok(Action::Timers(check.truth("timers", node)?));
    }
    if let Some(node) = fields.take("restart") {
        return match check.truth("restart", node)? {
            true => Ok(Action::Restart),
            false => Err(check.bad(node.place(), "`restart` is false", "`restart: true`")),
        };
    }
    if let Some(node) = fields.take("check") {
        return Ok(Action::Check(expectations(check, node)?));
    }
    Err(check.bad(fields.place(), "a step without a known action", STEP_NAMES))
}

fn webhook(check: &Checker, name: &Node, fields: &mut Fields<'_, '_>, number: usize) -> Checked<WebhookStep> {
    let name = check.text("webhook", name)?;
    let delivery = fields.take("id").map_or_else(|| Ok(format!("dlv_{number}")), |node| check.text("id", node))?;
    let signature = match fields.take("signature") {
        None => Signature::Good,
        Some(node) => match check.word("signature", node, &["bad", "old", "none"])? {
            "bad" => Signature::Bad,
            "old" => Signature::Old,
            _ => Signature::None,
        },
    };
    let body = fields.need("body")?.json();
    Ok(WebhookStep { id: format!("{name}:{delivery}"), name, delivery, signature, body })
}

fn at_stripe(check: &Checker, node: &Node, fields: &mut Fields<'_, '_>) -> Checked<AtStripe> {
    let text = check.text("at_stripe", node)?;
    let bad = || {
        check.bad(
            node.place(),
            format!("`at_stripe: {text}`"),
            "`POST` or `DELETE`, and a path such as `/v1/customers/{customer}`",
        )
    };
    let (method, path) = text.split_once(' ').ok_or_else(bad)?;
    if !["POST", "DELETE"].contains(&method) || !path.starts_with('/') {
        return Err(bad());
    }
    let mut form = Vec::new();
    if let Some(node) = fields.take("form") {
        form_members(check, "", node, &mut form)?;
    }
    Ok(AtStripe { method: method.to_owned(), path: path.to_owned(), form })
}

/// Reads the members of a form under Stripe's names: `outer[inner]`, `list[0]`.
fn form_members(check: &Checker, name: &str, node: &Node, form: &mut Vec<(String, String)>) -> Checked<()> {
    let within = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}[{key}]") };
    match &node.value {
        Tree::Map(entries) => {
            entries.iter().try_for_each(|entry| form_members(check, &within(&entry.key), &entry.value, form))
        }
        Tree::List(list) if !name.is_empty() => {
            let mut numbered = list.iter().enumerate();
            numbered.try_for_each(|(at, entry)| form_members(check, &within(&at.to_string()), entry, form))
        }
        _ => {
            let expected = "a mapping of texts, whole numbers, truth values, and mappings and lists of them";
            let bad = || check.bad(node.place(), format!("`form` has {}", node.kind()), expected);
            let value = scalar(node).filter(|_| !name.is_empty()).ok_or_else(bad)?;
            form.push((name.to_owned(), value));
            Ok(())
        }
    }
}

/// The value of a claim that no account may take.
pub(super) const BLOCKED: &str = "blocked";

fn holdings(check: &Checker, node: &Node) -> Checked<Vec<(String, Holding)>> {
    let holding = |entry: &Entry| {
        let holding = match &entry.value.value {
            Tree::Null => Holding::Free,
            Tree::Text(text) if text == BLOCKED => Holding::Blocked,
            _ => Holding::By(account(check, &entry.value)?),
        };
        Ok((entry.key.clone(), holding))
    };
    check.each(check.map("claims", node)?, holding)
}

/// Reads a raw body. A text is the body itself; any other value is converted to JSON.
fn raw(node: &Node, number: usize) -> RawStep {
    let bytes = match &node.value {
        Tree::Text(text) => text.clone().into_bytes(),
        _ => node.json().to_string().into_bytes(),
    };
    let body: Option<serde_json::Value> = serde_json::from_slice(&bytes).ok();
    let id = body.and_then(|body| body["id"].as_str().map(str::to_owned));
    RawStep { id: id.unwrap_or_else(|| format!("raw_{number}")), bytes }
}

fn stripe(check: &Checker, kind: &Node, fields: &mut Fields<'_, '_>, number: usize) -> Checked<StripeStep> {
    let id = fields.take("id").map(|n| check.text("id", n)).transpose()?;
    let text =
        |fields: &mut Fields<'_, '_>, name: &'static str| fields.take(name).map(|n| check.text(name, n)).transpose();
    let mut version_patches: Vec<(String, Patch)> = Vec::new();
    let patch = patch(check, fields)?;
    for (suffix, node) in fields.take_suffixed("set") {
        of_version(&mut version_patches, suffix).set = changes(check, "set", node)?;
    }
    for (suffix, node) in fields.take_suffixed("add") {
        of_version(&mut version_patches, suffix).add = changes(check, "add", node)?;
    }
    for (suffix, node) in fields.take_suffixed("unset") {
        of_version(&mut version_patches, suffix).unset = paths(check, node)?;
    }
    let envelope = match fields.take("envelope") {
        Some(node) => {
            let mut inner = check.fields("envelope", node)?;
            let found = self::patch(check, &mut inner)?;
            inner.finish()?;
            found
        }
        None => Patch::default(),
    };
    Ok(StripeStep {
        kind: check.text("stripe", kind)?,
        id: id.unwrap_or_else(|| format!("evt_{number}")),
        at: match fields.take("at") {
            Some(node) => at(check, node)?,
            None => At::Same,
        },
        base: text(fields, "base")?,
        version: text(fields, "version")?,
        patch,
        version_patches,
        previous: match fields.take("previous") {
            Some(node) => changes(check, "previous", node)?,
            None => Vec::new(),
        },
        connected: text(fields, "connected")?,
        livemode: fields.take("livemode").map(|n| check.truth("livemode", n)).transpose()?,
        request_key: text(fields, "request_key")?,
        envelope,
    })
}

fn of_version<'p>(patches: &'p mut Vec<(String, Patch)>, version: &str) -> &'p mut Patch {
    let at = match patches.iter().position(|(known, _)| known == version) {
        Some(at) => at,
        None => {
            patches.push((version.to_owned(), Patch::default()));
            patches.len() - 1
        }
    };
    &mut patches[at].1
}

fn patch(check: &Checker, fields: &mut Fields<'_, '_>) -> Checked<Patch> {
    let take = |fields: &mut Fields<'_, '_>, name: &'static str| match fields.take(name) {
        Some(node) => changes(check, name, node),
        None => Ok(Vec::new()),
    };
    Ok(Patch {
        set: take(fields, "set")?,
        add: take(fields, "add")?,
        unset: match fields.take("unset") {
            Some(node) => paths(check, node)?,
            None => Vec::new(),
        },
    })
}

fn changes(check: &Checker, what: &str, node: &Node) -> Checked<Vec<Change>> {
    let change = |entry: &Entry| Change { key: entry.key.clone(), line: entry.line, value: entry.value.clone() };
    Ok(check.map(what, node)?.iter().map(change).collect())
}

fn paths(check: &Checker, node: &Node) -> Checked<Vec<(String, usize)>> {
    check.each(check.list("unset", node)?, |entry| Ok((check.text("unset", entry)?, entry.line)))
}

fn at(check: &Checker, node: &Node) -> Checked<At> {
    let text = check.text("at", node)?;
    let span = |rest: &str| {
        crate::time::parse_span(rest)
            .ok_or_else(|| check.bad(node.place(), format!("`at: {text}` is not a time"), "RFC 3339, or +5s, -1h, +7d"))
    };
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => Ok(At::Later(span(rest)?)),
        (_, Some(rest)) => Ok(At::Later(-span(rest)?)),
        _ => read_time(check, "at", node).map(At::Time),
    }
}

/// The format of a command or a fact.
pub(super) struct MessageForm {
    pub name: &'static str,
    what: &'static str,
    pub contents: &'static str,
    /// Prefix of the default ids.
    pub id: &'static str,
    /// True if the default actor is a service.
    pub by_service: bool,
}

pub(super) const COMMAND: MessageForm =
    MessageForm { name: "command", what: "a command", contents: "payload", id: "cmd", by_service: false };
pub(super) const FACT: MessageForm =
    MessageForm { name: "event", what: "a fact", contents: "data", id: "fct", by_service: true };

fn message(
    check: &Checker,
    form: &MessageForm,
    kind: &Node,
    fields: &mut Fields<'_, '_>,
    given: &Given,
    number: usize,
) -> Checked<CommandStep> {
    let account = fields.take("account").map(|n| account(check, n)).transpose()?;
    let of_account = account.as_ref().or(given.account.as_ref());
    if of_account.is_none() {
        let problem = format!("{} without account", form.what);
        return Err(check.bad(kind.place(), problem, "`account`, here or in `given`"));
    }
    let by = match (fields.take("by"), form.by_service) {
        (None, true) => service(),
        (by, _) => actor(check, by.or(given.by.as_ref()), of_account)?,
    };
    Ok(CommandStep {
        kind: check.text(form.name, kind)?,
        id: match fields.take("id") {
            Some(node) => check.text("id", node)?,
            None => format!("{}_{number}", form.id),
        },
        by,
        payload: fields.take(form.contents).map_or_else(|| json!({}), Node::json),
        account,
    })
}

/// Returns the default actor of a fact.
pub(super) fn service() -> Actor {
    Actor { kind: ActorKind::Service, subject: "service".to_owned(), roles: Vec::new() }
}

fn product(
    check: &Checker,
    verb: &Node,
    fields: &mut Fields<'_, '_>,
    given: &Given,
    number: usize,
) -> Checked<ProductStep> {
    let verb = check.word("product", verb, &["created", "updated", "deleted"])?.to_owned();
    Ok(ProductStep {
        verb,
        id: match fields.take("id") {
            Some(node) => check.text("id", node)?,
            None => format!("prd_{number}"),
        },
        by: actor(check, fields.take("by").or(given.by.as_ref()), given.account.as_ref())?,
        data: fields.need("data")?.json(),
    })
}

fn measured(
    check: &Checker,
    node: &Node,
    fields: &mut Fields<'_, '_>,
    given: &Given,
    number: usize,
) -> Checked<UsageStep> {
    let account = fields.take("account").map(|n| account(check, n)).transpose()?;
    let of_account = account.as_ref().or(given.account.as_ref());
    if of_account.is_none() {
        return Err(check.bad(node.place(), "measurements without account", "`account`, here or in `given`"));
    }
    let id = fields.take("id").map_or_else(|| Ok(format!("use_{number}")), |node| check.text("id", node))?;
    let by = match fields.take("by") {
        Some(by) => actor(check, Some(by), of_account)?,
        None => Actor::system(),
    };
    Ok(UsageStep { batch: usage::read(check, node, &id)?, id, by, account })
}

pub(super) fn actor(check: &Checker, node: Option<&Node>, account: Option<&Account>) -> Checked<Actor> {
    let Some(node) = node else {
        let subject = match account {
            Some(Account::User(id)) => id.clone(),
            Some(Account::Platform) => {
                return Ok(Actor { kind: ActorKind::Admin, subject: "admin".to_owned(), roles: Vec::new() });
            }
            // The default actor has all rights. A scenario about roles specifies its actor.
            Some(Account::Organization(_)) => {
                let (subject, roles) = ("member".to_owned(), vec!["owner".to_owned()]);
                return Ok(Actor { kind: ActorKind::User, subject, roles });
            }
            None => String::new(),
        };
        return Ok(Actor { kind: ActorKind::User, subject, roles: Vec::new() });
    };
    let kind_of = |node: &Node| {
        Ok(match check.word("by", node, &["user", "admin", "service", "extension", "system"])? {
            "user" => ActorKind::User,
            "admin" => ActorKind::Admin,
            "service" => ActorKind::Service,
            "extension" => ActorKind::Extension,
            _ => ActorKind::System,
        })
    };
    if matches!(node.value, Tree::Text(_)) {
        let kind = kind_of(node)?;
        let subject = match (kind, account) {
            (ActorKind::User, Some(Account::User(id))) => id.clone(),
            (ActorKind::System, _) => String::new(),
            _ => check.text("by", node)?,
        };
        return Ok(Actor { kind, subject, roles: Vec::new() });
    }
    let mut fields = check.fields("by", node)?;
    let kind = kind_of(fields.need("kind")?)?;
    let subject = fields.take("subject").map(|n| check.text("subject", n)).transpose()?.unwrap_or_default();
    let roles = fields.take("roles").map(|n| check.texts("roles", n)).transpose()?.unwrap_or_default();
    fields.finish()?;
    Ok(Actor { kind, subject, roles })
}

fn outcome(check: &Checker, node: &Node) -> Checked<OutcomeExpectation> {
    let word = |what, node: &Node| check.word(what, node, &OUTCOMES).map(str::to_owned);
    if matches!(node.value, Tree::Text(_)) {
        return Ok(OutcomeExpectation {
            line: node.line,
            outcome: word("expect", node)?,
            reason: None,
            quota: None,
            account: None,
            then: None,
        });
    }
    let mut fields = check.fields("expect", node)?;
    let outcome = fields.need("outcome").and_then(|node| word("outcome", node));
    let [reason, quota, account] =
        ["reason", "quota", "account"].map(|name| fields.optional(name, |node| Matcher::read(check, node)));
    let then = fields.optional("then", |node| word("then", node));
    fields.finish()?;
    Ok(OutcomeExpectation {
        line: node.line,
        outcome: outcome?,
        reason: reason?,
        quota: quota?,
        account: account?,
        then: then?,
    })
}

fn expectations(check: &Checker, node: &Node) -> Checked<Expectations> {
    let mut fields = check.fields("expect", node)?;
    let mut found = Expectations::default();
    let own = sections(check, &mut fields, None, &mut found);
    let accounts = fields.optional("accounts", |node| {
        check.every(check.map("accounts", node)?, |entry| {
            let account = account_of(check, entry.place(), &entry.key)?;
            let mut inner = check.fields("accounts", &entry.value)?;
            let sections = sections(check, &mut inner, Some(&account), &mut found);
            inner.finish().and(sections)
        })
    });
    let snapshot = fields.optional("snapshot", |node| match check.text("snapshot", node)?.as_str() {
        "full" => Ok(node.line),
        _ => Err(check.bad(node.place(), "an unknown kind of snapshot", "`snapshot: full`")),
    });
    fields.finish()?;
    own?;
    accounts?;
    found.snapshot = snapshot?;
    Ok(found)
}

fn sections(
    check: &Checker,
    fields: &mut Fields<'_, '_>,
    account: Option<&Account>,
    found: &mut Expectations,
) -> Checked<()> {
    let of_account = |section: &&str| account.is_none() || !super::COMMON_SECTIONS.contains(section);
    check.every(SECTIONS.iter().copied().filter(of_account), |section| {
        if let Some(node) = fields.take(section) {
            let matcher = short_forms(section, Matcher::read(check, node)?);
            found.sections.push(SectionExpectation { account: account.cloned(), section, matcher });
        }
        Ok(())
    })
}

/// Expands plain values. A plain value stands for the main member of a row: an entitlement's `allowed`, a claim's
/// `holder`, etc.
fn short_forms(section: &str, matcher: Matcher) -> Matcher {
    let main = match section {
        "entitlements" => "allowed",
        "claims" => "holder",
        "balances" => "available",
        "effects" => "state",
        "outcomes" => "outcome",
        "inventory" => "state",
        _ => return matcher,
    };
    matcher.map_members(&|inner| if inner.is_literal() { Matcher::member(main, inner) } else { inner })
}
