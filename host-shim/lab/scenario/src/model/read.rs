//! Reads a [`Scenario`] from a YAML file.

use super::{
    Action, At, AtStripe, Budget, Change, CommandStep, Expectations, Given, Holding, Kill, KnownFailure,
    OutcomeExpectation, Patch, ProductStep, RawStep, SECTIONS, Scenario, SectionExpectation, Signature, Step,
    StripeStep, UsageStep, Versions, WebhookStep, answers, read_text, usage,
};
use crate::error::BadInput;
use crate::matcher::Matcher;
use crate::tree::{Entry, Fields, Node, Reader, Tree};
use extension_contract::{Account, Actor, ActorKind};
use host_store::fault::Moment;
use serde_json::json;
use std::path::Path;

/// The default clock: 2026-01-01T00:00:00Z, the creation time of the base bodies' objects.
pub(super) const CLOCK_DEFAULT_MS: i64 = 1_767_225_600_000;

const OUTCOMES: [&str; 7] = ["applied", "duplicate", "stale", "ignored", "deferred", "rejected", "failed"];
const OUTCOME_NAMES: &str = "applied, duplicate, stale, ignored, deferred, rejected or failed";
const STEP_NAMES: &str = "a step with stripe, command, event, product, usage, webhook, raw, same, redrive, at_stripe, advance, until, answers, claims, timers, restart or check";

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a scenario. The error names the file, the line and the expected value.
    pub fn parse(file: &Path, text: &str) -> Result<Scenario, BadInput> {
        let node = Node::parse(file, text)?;
        if let Some(mistake) = node.unquoted_placeholder() {
            return Err(mistake);
        }
        let reader = Reader { file };
        let mut fields = reader.fields("a scenario", &node)?;
        let name = fields.need("name")?;
        let [ids, known_failure, only, limits, start] =
            ["covers", "known_to_fail", "versions", "budget", "given"].map(|name| fields.take(name));
        let (events, expect) = (fields.need("events")?, fields.take("expect"));
        // A misspelt field is told before its absence is.
        fields.finish()?;
        let name = reader.text("name", name)?;
        let covers = ids.map(|node| covers(reader, node)).transpose()?.unwrap_or_default();
        let known_to_fail = known_failure.map(|node| known(reader, node)).transpose()?;
        let versions = only.map(|node| versions(reader, node)).transpose()?;
        let budget = limits.map(|node| Budget::read(reader, node)).transpose()?;
        let given = given(reader, start)?;
        let steps = steps(reader, reader.list("events", events)?, &given)?;
        let expect = expect.map(|node| expectations(reader, node)).transpose()?.unwrap_or_default();
        if steps.is_empty() {
            return Err(reader.bad(events.line, "no event", STEP_NAMES));
        }
        Ok(Scenario { file: file.to_owned(), name, covers, known_to_fail, versions, budget, given, steps, expect })
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be read or is not a scenario.
    pub fn read(file: &Path) -> Result<Scenario, BadInput> {
        Scenario::parse(file, &read_text(file)?)
    }
}

fn covers(reader: Reader<'_>, node: &Node) -> Result<Vec<(String, usize)>, BadInput> {
    let list = reader.list("covers", node)?;
    if list.len() > super::COVERS_MAX {
        return Err(reader.bad(node.line, format!("{} ids in `covers`", list.len()), "at most three ids"));
    }
    list.iter().map(|entry| Ok((reader.text("covers", entry)?, entry.line))).collect()
}

/// Reads the marker `FINDING: reason`.
fn known(reader: Reader<'_>, node: &Node) -> Result<KnownFailure, BadInput> {
    let text = reader.text("known_to_fail", node)?;
    let (finding, reason) = text.split_once(':').unwrap_or((&text, ""));
    let mut id = finding.chars();
    let begins_well = id.next().is_some_and(|letter| letter.is_ascii_uppercase());
    let number = id.as_str();
    let is_id = begins_well && !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    if !is_id || reason.trim().is_empty() {
        let problem = format!("`known_to_fail` is `{text}`");
        return Err(reader.bad(node.line, problem, "the id of a finding and a reason, such as `C1: ends too early`"));
    }
    Ok(KnownFailure { line: node.line, finding: finding.to_owned(), reason: reason.trim().to_owned() })
}

fn versions(reader: Reader<'_>, node: &Node) -> Result<Versions, BadInput> {
    let mut fields = reader.fields("versions", node)?;
    let only = reader.texts("only", fields.need("only")?)?;
    let because = reader.text("because", fields.need("because")?)?;
    fields.finish()?;
    Ok(Versions { only, because })
}

fn given(reader: Reader<'_>, node: Option<&Node>) -> Result<Given, BadInput> {
    let mut given = Given {
        business: None,
        clock: CLOCK_DEFAULT_MS,
        livemode: false,
        config: Vec::new(),
        account: None,
        by: None,
        accounts: Vec::new(),
        claims: Vec::new(),
        answers: Vec::new(),
    };
    let Some(node) = node else { return Ok(given) };
    let mut fields = reader.fields("given", node)?;
    given.business = fields.take("business").map(|n| reader.text("business", n)).transpose()?;
    if let Some(clock) = fields.take("clock") {
        given.clock = reader.time("clock", clock)?;
    }
    if let Some(livemode) = fields.take("livemode") {
        given.livemode = reader.truth("livemode", livemode)?;
    }
    if let Some(config) = fields.take("config") {
        given.config = config_values(reader, config)?;
    }
    given.account = fields.take("account").map(|n| account(reader, n)).transpose()?;
    if let Some(by) = fields.take("by") {
        // Parses the actor only to report a mistake at its line.
        actor(reader, Some(by), given.account.as_ref())?;
        given.by = Some(by.clone());
    }
    if let Some(accounts) = fields.take("accounts") {
        let list = reader.list("accounts", accounts)?;
        if list.is_empty() {
            return Err(reader.bad(accounts.line, "no account", "at least one, or no `accounts`: then all take part"));
        }
        given.accounts = list.iter().map(|node| account(reader, node)).collect::<Result<_, _>>()?;
    }
    if let Some(claims) = fields.take("claims") {
        for entry in reader.map("claims", claims)? {
            given.claims.push((entry.key.clone(), account(reader, &entry.value)?));
        }
    }
    if let Some(node) = fields.take("answers") {
        given.answers = answers::read(reader, node)?;
    }
    fields.finish()?;
    Ok(given)
}

/// Reads configuration values as text.
fn config_values(reader: Reader<'_>, node: &Node) -> Result<Vec<(String, String)>, BadInput> {
    let mut found = Vec::new();
    for entry in reader.map("config", node)? {
        let bad = || {
            let problem = format!("`{}` is {}", entry.key, entry.value.kind());
            reader.bad(entry.line, problem, "a text, a whole number or a truth value")
        };
        found.push((entry.key.clone(), scalar(&entry.value).ok_or_else(bad)?));
    }
    Ok(found)
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

fn account(reader: Reader<'_>, node: &Node) -> Result<Account, BadInput> {
    let text = reader.text("account", node)?;
    account_of(reader, node.line, &text)
}

fn account_of(reader: Reader<'_>, line: usize, text: &str) -> Result<Account, BadInput> {
    text.parse()
        .map_err(|_| reader.bad(line, format!("`{text}` is no account"), "`platform`, `user:ID` or `organization:ID`"))
}

fn steps(reader: Reader<'_>, list: &[Node], given: &Given) -> Result<Vec<Step>, BadInput> {
    let mut steps = Vec::with_capacity(list.len());
    let mut counter = Counter::default();
    for node in list {
        steps.push(step(reader, node, given, &mut counter)?);
    }
    let mut seen: Vec<&str> = Vec::new();
    for step in &steps {
        match &step.action {
            Action::Same(id) | Action::Redrive(id) if !seen.contains(&id.as_str()) => {
                return Err(reader.bad(step.line, format!("no event `{id}` before"), "the id of an event above"));
            }
            action => seen.extend(action.event_id()),
        }
    }
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

fn step(reader: Reader<'_>, node: &Node, given: &Given, counter: &mut Counter) -> Result<Step, BadInput> {
    let mut fields = reader.fields("a step", node)?;
    let action = action(reader, &mut fields, given, counter)?;
    let is_event = action.event_id().is_some();
    let mut step = Step {
        line: node.line,
        action,
        only: Vec::new(),
        outcome: None,
        effects: None,
        reply: None,
        answer: None,
        unchanged: None,
        hold: false,
        kill: None,
        budget: None,
    };
    if is_event {
        step.outcome = fields.take("expect").map(|n| outcome(reader, n)).transpose()?;
        step.effects = fields.take("effects").map(|n| Matcher::read(reader, n)).transpose()?;
        step.reply = fields.take("reply").map(|n| Matcher::read(reader, n)).transpose()?;
        step.budget = fields.take("budget").map(|n| Budget::read(reader, n)).transpose()?;
    }
    if matches!(step.action, Action::Webhook(_)) {
        step.answer = fields.take("answer").map(|n| Matcher::read(reader, n)).transpose()?;
    }
    if is_event && let Some(node) = fields.take("hold") {
        step.hold = reader.truth("hold", node)?;
    }
    if is_event || matches!(step.action, Action::Advance(_) | Action::Until(_)) {
        step.kill = fields.take("kill").map(|node| kill(reader, node)).transpose()?;
    }
    if let Some(entry) = fields.take_entry("unchanged") {
        step.unchanged = reader.truth("unchanged", &entry.value)?.then_some(entry.line);
    }
    if let Some(node) = fields.take("only") {
        step.only = reader.texts("only", node)?;
    }
    fields.finish()?;
    Ok(step)
}

fn kill(reader: Reader<'_>, node: &Node) -> Result<Kill, BadInput> {
    let mut fields = reader.fields("`kill`", node)?;
    let write = write_number(reader, "write", fields.need("write")?)?;
    let after = fields.take("after").map(|node| reader.truth("after", node)).transpose()?.unwrap_or(false);
    let again = fields.take("again").map(|node| write_number(reader, "again", node)).transpose()?;
    fields.finish()?;
    Ok(Kill { write, moment: if after { Moment::After } else { Moment::Before }, again })
}

fn write_number(reader: Reader<'_>, what: &str, node: &Node) -> Result<u64, BadInput> {
    let number = node.json().as_u64().filter(|number| *number > 0);
    number.ok_or_else(|| reader.bad(node.line, format!("`{what}` is {}", node.kind()), "the number of a write, from 1"))
}

fn action(
    reader: Reader<'_>,
    fields: &mut Fields<'_, '_>,
    given: &Given,
    counter: &mut Counter,
) -> Result<Action, BadInput> {
    if let Some(kind) = fields.take("stripe") {
        counter.stripe += 1;
        return Ok(Action::Stripe(Box::new(stripe(reader, kind, fields, counter.stripe)?)));
    }
    if let Some(kind) = fields.take("command") {
        counter.command += 1;
        return Ok(Action::Command(message(reader, &COMMAND, kind, fields, given, counter.command)?));
    }
    if let Some(kind) = fields.take("event") {
        counter.fact += 1;
        return Ok(Action::Fact(message(reader, &FACT, kind, fields, given, counter.fact)?));
    }
    if let Some(verb) = fields.take("product") {
        counter.product += 1;
        return Ok(Action::Product(product(reader, verb, fields, given, counter.product)?));
    }
    if let Some(node) = fields.take("usage") {
        counter.usage += 1;
        return Ok(Action::Usage(measured(reader, node, fields, given, counter.usage)?));
    }
    if let Some(name) = fields.take("webhook") {
        counter.webhook += 1;
        return Ok(Action::Webhook(webhook(reader, name, fields, counter.webhook)?));
    }
    if let Some(node) = fields.take("raw") {
        counter.raw += 1;
        return Ok(Action::Raw(raw(node, counter.raw)));
    }
    if let Some(id) = fields.take("same") {
        return Ok(Action::Same(reader.text("same", id)?));
    }
    if let Some(id) = fields.take("redrive") {
        return Ok(Action::Redrive(reader.text("redrive", id)?));
    }
    if let Some(call) = fields.take("at_stripe") {
        return Ok(Action::AtStripe(at_stripe(reader, call, fields)?));
    }
    if let Some(span) = fields.take("advance") {
        return Ok(Action::Advance(reader.span("advance", span)?));
    }
    if let Some(time) = fields.take("until") {
        return Ok(Action::Until(reader.time("until", time)?));
    }
    if let Some(node) = fields.take("answers") {
        return Ok(Action::Answers(answers::read(reader, node)?));
    }
    if let Some(node) = fields.take("claims") {
        return Ok(Action::Claims(holdings(reader, node)?));
    }
    if let Some(node) = fields.take("timers") {
        return Ok(Action::Timers(reader.truth("timers", node)?));
    }
    if let Some(node) = fields.take("restart") {
        return match reader.truth("restart", node)? {
            true => Ok(Action::Restart),
            false => Err(reader.bad(node.line, "`restart` is false", "`restart: true`")),
        };
    }
    if let Some(node) = fields.take("check") {
        return Ok(Action::Check(expectations(reader, node)?));
    }
    Err(reader.bad(fields.line, "a step without a known action", STEP_NAMES))
}

fn webhook(
    reader: Reader<'_>,
    name: &Node,
    fields: &mut Fields<'_, '_>,
    number: usize,
) -> Result<WebhookStep, BadInput> {
    let name = reader.text("webhook", name)?;
    let delivery = fields.take("id").map_or_else(|| Ok(format!("dlv_{number}")), |node| reader.text("id", node))?;
    let signature = match fields.take("signature") {
        None => Signature::Good,
        Some(node) => match reader.text("signature", node)?.as_str() {
            "bad" => Signature::Bad,
            "old" => Signature::Old,
            "none" => Signature::None,
            other => return Err(reader.bad(node.line, format!("`signature: {other}`"), "bad, old or none")),
        },
    };
    let body = fields.need("body")?.json();
    Ok(WebhookStep { id: format!("{name}:{delivery}"), name, delivery, signature, body })
}

fn at_stripe(reader: Reader<'_>, node: &Node, fields: &mut Fields<'_, '_>) -> Result<AtStripe, BadInput> {
    let text = reader.text("at_stripe", node)?;
    let bad = || {
        reader.bad(
            node.line,
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
        form_members(reader, "", node, &mut form)?;
    }
    Ok(AtStripe { method: method.to_owned(), path: path.to_owned(), form })
}

/// Reads the members of a form under Stripe's names: `outer[inner]`, `list[0]`.
fn form_members(reader: Reader<'_>, name: &str, node: &Node, form: &mut Vec<(String, String)>) -> Result<(), BadInput> {
    let within = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}[{key}]") };
    match &node.value {
        Tree::Map(entries) => {
            entries.iter().try_for_each(|entry| form_members(reader, &within(&entry.key), &entry.value, form))
        }
        Tree::List(list) if !name.is_empty() => {
            let mut numbered = list.iter().enumerate();
            numbered.try_for_each(|(at, entry)| form_members(reader, &within(&at.to_string()), entry, form))
        }
        _ => {
            let expected = "a mapping of texts, whole numbers, truth values, and mappings and lists of them";
            let bad = || reader.bad(node.line, format!("`form` has {}", node.kind()), expected);
            let value = scalar(node).filter(|_| !name.is_empty()).ok_or_else(bad)?;
            form.push((name.to_owned(), value));
            Ok(())
        }
    }
}

/// The value of a claim that no account may take.
pub(super) const BLOCKED: &str = "blocked";

fn holdings(reader: Reader<'_>, node: &Node) -> Result<Vec<(String, Holding)>, BadInput> {
    let holding = |entry: &Entry| {
        let holding = match &entry.value.value {
            Tree::Null => Holding::Free,
            Tree::Text(text) if text == BLOCKED => Holding::Blocked,
            _ => Holding::By(account(reader, &entry.value)?),
        };
        Ok((entry.key.clone(), holding))
    };
    reader.map("claims", node)?.iter().map(holding).collect()
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

fn stripe(reader: Reader<'_>, kind: &Node, fields: &mut Fields<'_, '_>, number: usize) -> Result<StripeStep, BadInput> {
    let id = fields.take("id").map(|n| reader.text("id", n)).transpose()?;
    let text =
        |fields: &mut Fields<'_, '_>, name: &'static str| fields.take(name).map(|n| reader.text(name, n)).transpose();
    let mut version_patches: Vec<(String, Patch)> = Vec::new();
    let patch = patch(reader, fields)?;
    for (suffix, node) in fields.take_suffixed("set") {
        of_version(&mut version_patches, suffix).set = changes(reader, "set", node)?;
    }
    for (suffix, node) in fields.take_suffixed("add") {
        of_version(&mut version_patches, suffix).add = changes(reader, "add", node)?;
    }
    for (suffix, node) in fields.take_suffixed("unset") {
        of_version(&mut version_patches, suffix).unset = paths(reader, node)?;
    }
    let envelope = match fields.take("envelope") {
        Some(node) => {
            let mut inner = reader.fields("envelope", node)?;
            let found = self::patch(reader, &mut inner)?;
            inner.finish()?;
            found
        }
        None => Patch::default(),
    };
    Ok(StripeStep {
        kind: reader.text("stripe", kind)?,
        id: id.unwrap_or_else(|| format!("evt_{number}")),
        at: match fields.take("at") {
            Some(node) => at(reader, node)?,
            None => At::Same,
        },
        base: text(fields, "base")?,
        version: text(fields, "version")?,
        patch,
        version_patches,
        previous: match fields.take("previous") {
            Some(node) => changes(reader, "previous", node)?,
            None => Vec::new(),
        },
        connected: text(fields, "connected")?,
        livemode: fields.take("livemode").map(|n| reader.truth("livemode", n)).transpose()?,
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

fn patch(reader: Reader<'_>, fields: &mut Fields<'_, '_>) -> Result<Patch, BadInput> {
    let take = |fields: &mut Fields<'_, '_>, name: &'static str| match fields.take(name) {
        Some(node) => changes(reader, name, node),
        None => Ok(Vec::new()),
    };
    Ok(Patch {
        set: take(fields, "set")?,
        add: take(fields, "add")?,
        unset: match fields.take("unset") {
            Some(node) => paths(reader, node)?,
            None => Vec::new(),
        },
    })
}

fn changes(reader: Reader<'_>, what: &str, node: &Node) -> Result<Vec<Change>, BadInput> {
    let change = |entry: &Entry| Change { key: entry.key.clone(), line: entry.line, value: entry.value.clone() };
    Ok(reader.map(what, node)?.iter().map(change).collect())
}

fn paths(reader: Reader<'_>, node: &Node) -> Result<Vec<(String, usize)>, BadInput> {
    reader.list("unset", node)?.iter().map(|entry| Ok((reader.text("unset", entry)?, entry.line))).collect()
}

fn at(reader: Reader<'_>, node: &Node) -> Result<At, BadInput> {
    let text = reader.text("at", node)?;
    let span = |rest: &str| {
        crate::time::parse_span(rest)
            .ok_or_else(|| reader.bad(node.line, format!("`at: {text}` is no time"), "RFC 3339, or +5s, -1h, +7d"))
    };
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => Ok(At::Later(span(rest)?)),
        (_, Some(rest)) => Ok(At::Later(-span(rest)?)),
        _ => reader.time("at", node).map(At::Time),
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
    reader: Reader<'_>,
    form: &MessageForm,
    kind: &Node,
    fields: &mut Fields<'_, '_>,
    given: &Given,
    number: usize,
) -> Result<CommandStep, BadInput> {
    let account = fields.take("account").map(|n| account(reader, n)).transpose()?;
    let of_account = account.as_ref().or(given.account.as_ref());
    if of_account.is_none() {
        let problem = format!("{} without account", form.what);
        return Err(reader.bad(kind.line, problem, "`account`, here or in `given`"));
    }
    let by = match (fields.take("by"), form.by_service) {
        (None, true) => service(),
        (by, _) => actor(reader, by.or(given.by.as_ref()), of_account)?,
    };
    Ok(CommandStep {
        kind: reader.text(form.name, kind)?,
        id: match fields.take("id") {
            Some(node) => reader.text("id", node)?,
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
    reader: Reader<'_>,
    verb: &Node,
    fields: &mut Fields<'_, '_>,
    given: &Given,
    number: usize,
) -> Result<ProductStep, BadInput> {
    let text = reader.text("product", verb)?;
    if !["created", "updated", "deleted"].contains(&text.as_str()) {
        return Err(reader.bad(verb.line, format!("`product: {text}`"), "created, updated or deleted"));
    }
    Ok(ProductStep {
        verb: text,
        id: match fields.take("id") {
            Some(node) => reader.text("id", node)?,
            None => format!("prd_{number}"),
        },
        by: actor(reader, fields.take("by").or(given.by.as_ref()), given.account.as_ref())?,
        data: fields.need("data")?.json(),
    })
}

fn measured(
    reader: Reader<'_>,
    node: &Node,
    fields: &mut Fields<'_, '_>,
    given: &Given,
    number: usize,
) -> Result<UsageStep, BadInput> {
    let account = fields.take("account").map(|n| account(reader, n)).transpose()?;
    let of_account = account.as_ref().or(given.account.as_ref());
    if of_account.is_none() {
        return Err(reader.bad(node.line, "measurements without account", "`account`, here or in `given`"));
    }
    let id = fields.take("id").map_or_else(|| Ok(format!("use_{number}")), |node| reader.text("id", node))?;
    let by = match fields.take("by") {
        Some(by) => actor(reader, Some(by), of_account)?,
        None => Actor::system(),
    };
    Ok(UsageStep { batch: usage::read(reader, node, &id)?, id, by, account })
}

pub(super) fn actor(reader: Reader<'_>, node: Option<&Node>, account: Option<&Account>) -> Result<Actor, BadInput> {
    let Some(node) = node else {
        let subject = match account {
            Some(Account::User(id)) => id.clone(),
            Some(Account::Platform) => {
                return Ok(Actor { kind: ActorKind::Admin, subject: "admin".to_owned(), roles: Vec::new() });
            }
            // The default actor has all rights. A scenario about roles names its actor.
            Some(Account::Organization(_)) => {
                let (subject, roles) = ("member".to_owned(), vec!["owner".to_owned()]);
                return Ok(Actor { kind: ActorKind::User, subject, roles });
            }
            None => String::new(),
        };
        return Ok(Actor { kind: ActorKind::User, subject, roles: Vec::new() });
    };
    let kind_of = |node: &Node| {
        Ok(match reader.text("by", node)?.as_str() {
            "user" => ActorKind::User,
            "admin" => ActorKind::Admin,
            "service" => ActorKind::Service,
            "extension" => ActorKind::Extension,
            "system" => ActorKind::System,
            other => {
                let problem = format!("`{other}` is no kind of actor");
                return Err(reader.bad(node.line, problem, "user, admin, service, extension or system"));
            }
        })
    };
    if matches!(node.value, Tree::Text(_)) {
        let kind = kind_of(node)?;
        let subject = match (kind, account) {
            (ActorKind::User, Some(Account::User(id))) => id.clone(),
            (ActorKind::System, _) => String::new(),
            _ => reader.text("by", node)?,
        };
        return Ok(Actor { kind, subject, roles: Vec::new() });
    }
    let mut fields = reader.fields("by", node)?;
    let kind = kind_of(fields.need("kind")?)?;
    let subject = fields.take("subject").map(|n| reader.text("subject", n)).transpose()?.unwrap_or_default();
    let roles = fields.take("roles").map(|n| reader.texts("roles", n)).transpose()?.unwrap_or_default();
    fields.finish()?;
    Ok(Actor { kind, subject, roles })
}

fn outcome(reader: Reader<'_>, node: &Node) -> Result<OutcomeExpectation, BadInput> {
    let name = |node: &Node| {
        let text = reader.text("outcome", node)?;
        match OUTCOMES.contains(&text.as_str()) {
            true => Ok(text),
            false => {
                let bad = reader.bad(node.line, format!("`{text}` is no outcome"), OUTCOME_NAMES);
                Err(bad.guessing(&text, OUTCOMES))
            }
        }
    };
    if matches!(node.value, Tree::Text(_)) {
        return Ok(OutcomeExpectation {
            line: node.line,
            outcome: name(node)?,
            reason: None,
            quota: None,
            account: None,
            then: None,
        });
    }
    let mut fields = reader.fields("expect", node)?;
    let expectation = OutcomeExpectation {
        line: node.line,
        outcome: name(fields.need("outcome")?)?,
        reason: fields.take("reason").map(|n| Matcher::read(reader, n)).transpose()?,
        quota: fields.take("quota").map(|n| Matcher::read(reader, n)).transpose()?,
        account: fields.take("account").map(|n| Matcher::read(reader, n)).transpose()?,
        then: fields.take("then").map(name).transpose()?,
    };
    fields.finish()?;
    Ok(expectation)
}

fn expectations(reader: Reader<'_>, node: &Node) -> Result<Expectations, BadInput> {
    let mut fields = reader.fields("expect", node)?;
    let mut found = Expectations::default();
    sections(reader, &mut fields, None, &mut found)?;
    if let Some(node) = fields.take("accounts") {
        for entry in reader.map("accounts", node)? {
            let account = account_of(reader, entry.line, &entry.key)?;
            let mut inner = reader.fields("accounts", &entry.value)?;
            sections(reader, &mut inner, Some(&account), &mut found)?;
            inner.finish()?;
        }
    }
    if let Some(node) = fields.take("snapshot") {
        if reader.text("snapshot", node)? != "full" {
            return Err(reader.bad(node.line, "an unknown kind of snapshot", "`snapshot: full`"));
        }
        found.snapshot = Some(node.line);
    }
    fields.finish()?;
    Ok(found)
}

fn sections(
    reader: Reader<'_>,
    fields: &mut Fields<'_, '_>,
    account: Option<&Account>,
    found: &mut Expectations,
) -> Result<(), BadInput> {
    for section in SECTIONS {
        if account.is_some() && super::COMMON_SECTIONS.contains(&section) {
            continue;
        }
        if let Some(node) = fields.take(section) {
            let matcher = short_forms(section, Matcher::read(reader, node)?);
            found.sections.push(SectionExpectation { account: account.cloned(), section, matcher });
        }
    }
    Ok(())
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
