//! Which webhooks of other providers does a business accept? The clause `webhooks` of `business.yml`: the signature
//! scheme, and the mapping from bodies to facts of the business.

use super::own::mapping;
use crate::bad_input::{BadInput, Place};
use extension_contract::{ConfigDecl, ConfigType};
use host_intake::webhook::{BodyPath, Encoding, FactOf, Scheme, Template, TemplateError, Webhook};
use host_yaml::{Entry, Node};

/// Name of the clause.
pub(super) const CLAUSE: &str = "webhooks";
/// Clause of the catalog that declares the facts of the business, each with its `fields`.
const FACTS: &str = "events";
/// Built-in endpoint, which cannot be declared.
const TAKEN: &str = "stripe";
/// Maximum number of webhooks of a business.
const WEBHOOKS_MAX: usize = 20;
/// Maximum number of facts of a webhook, and of fields and conditions of a fact.
const ENTRIES_MAX: usize = 50;
const MEMBERS: [&str; 7] = ["scheme", "secret", "header", "prefix", "encoding", "id", "events"];
const FACT_MEMBERS: [&str; 4] = ["when", "event", "account", "fields"];
const SCHEMES: [&str; 2] = ["standard", "hmac"];
const ENCODINGS: [(&str, Encoding); 2] = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
/// Allowed prefixes of an account, so that no body can act for `platform`.
const ACCOUNTS: [&str; 2] = ["user:", "organization:"];

/// A declared webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDecl {
    /// Signature scheme and facts.
    pub webhook: Webhook,
    /// Configuration key of the webhook's secret.
    pub secret: String,
    secret_at: Place,
    /// For each fact, the place of its name and the places of its fields.
    facts_at: Vec<(Place, Vec<Place>)>,
}

impl WebhookDecl {
    /// Returns the JSON Pointer of the entry.
    pub(super) fn pointer(&self) -> String {
        format!("/{CLAUSE}/{}", self.webhook.name)
    }
}

/// Reads the clause; [`mistakes`] checks the names.
pub(super) fn read(clause: &Entry) -> Result<Vec<WebhookDecl>, BadInput> {
    let entries = mapping(clause)?;
    bounded(clause, entries.len(), WEBHOOKS_MAX)?;
    entries.iter().map(webhook).collect()
}

fn bounded(entry: &Entry, count: usize, most: usize) -> Result<(), BadInput> {
    match count > most {
        true => {
            Err(BadInput::new(entry.place(), format!("`{}` has {count} entries", entry.key), format!("at most {most}")))
        }
        false => Ok(()),
    }
}

/// The members of a mapping, after a check for unknown names.
struct Members<'m> {
    of: String,
    place: Place,
    entries: &'m [Entry],
}

impl<'m> Members<'m> {
    fn new(of: String, place: Place, entries: &'m [Entry], known: &[&'static str]) -> Result<Self, BadInput> {
        match entries.iter().find(|entry| !known.contains(&entry.key.as_str())) {
            Some(entry) => {
                let problem = format!("unknown member `{}` of {of}", entry.key);
                let bad = BadInput::new(entry.place(), problem, known.join(", "));
                Err(bad.guessing(&entry.key, known.iter().copied()))
            }
            None => Ok(Members { of, place, entries }),
        }
    }

    fn get(&self, name: &str) -> Option<&'m Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    fn need(&self, name: &str) -> Result<&'m Entry, BadInput> {
        let missing = || BadInput::new(self.place.clone(), format!("{} has no `{name}`", self.of), format!("`{name}`"));
        self.get(name).ok_or_else(missing)
    }

    fn none(&self, names: &[&str], because: &str) -> Result<(), BadInput> {
        match self.entries.iter().find(|entry| names.contains(&entry.key.as_str())) {
            Some(entry) => Err(BadInput::new(
                entry.place(),
                format!("`{}` of {} is not allowed: {because}", entry.key, self.of),
                "no such member",
            )),
            None => Ok(()),
        }
    }
}

fn text(entry: &Entry) -> Result<String, BadInput> {
    let text = entry.value.scalar().filter(|text| !text.is_empty());
    text.ok_or_else(|| BadInput::new(entry.place(), format!("`{}` is {}", entry.key, entry.value.kind()), "a text"))
}

fn word<'w>(entry: &Entry, known: &[&'w str]) -> Result<&'w str, BadInput> {
    let text = text(entry)?;
    known.iter().copied().find(|word| *word == text).ok_or_else(|| {
        let bad = BadInput::new(entry.value.place(), format!("`{}: {text}`", entry.key), known.join(", "));
        bad.guessing(&text, known.iter().copied())
    })
}

fn template(entry: &Entry) -> Result<Template, BadInput> {
    Template::parse(&text(entry)?).map_err(|error| no_template(entry, &error))
}

fn no_template(entry: &Entry, error: &TemplateError) -> BadInput {
    let problem = format!("`{}`: {error}", entry.key);
    BadInput::new(entry.value.place(), problem, "a text with places of the body in braces, as in user:{user.id}")
}

fn webhook(entry: &Entry) -> Result<WebhookDecl, BadInput> {
    let name = &entry.key;
    let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let begins = name.bytes().next().is_some_and(|c| c.is_ascii_lowercase());
    if !begins || name.len() > 40 || !name.bytes().all(is_name) || name == TAKEN {
        let expected = format!("1 to 40 of a-z, 0-9 and _, a letter first, and not `{TAKEN}`");
        return Err(BadInput::new(entry.place(), format!("`{name}` is not a valid webhook name"), expected));
    }
    let members = Members::new(format!("`{name}`"), entry.place(), mapping(entry)?, &MEMBERS)?;
    let secret = members.need("secret")?;
    let (scheme, id) = scheme(&members)?;
    let events = members.need("events")?;
    let Some(list) = events.value.items().filter(|list| !list.is_empty()) else {
        let problem = format!("`events` of `{name}` is {}", events.value.kind());
        return Err(BadInput::new(events.place(), problem, "a list of facts, at least one"));
    };
    bounded(events, list.len(), ENTRIES_MAX)?;
    let (mut facts, mut facts_at) = (Vec::new(), Vec::new());
    for value in list {
        let (fact, at) = fact(name, value)?;
        facts.push(fact);
        facts_at.push(at);
    }
    Ok(WebhookDecl {
        webhook: Webhook { name: name.clone(), scheme, id, facts },
        secret: text(secret)?,
        secret_at: secret.value.place().at(&format!("/{CLAUSE}/{name}/secret")),
        facts_at: with_pointers(name, facts_at),
    })
}

fn with_pointers(name: &str, facts: Vec<(Place, Vec<Place>)>) -> Vec<(Place, Vec<Place>)> {
    let at = |(index, (event, fields)): (usize, (Place, Vec<Place>))| {
        let fact = format!("/{CLAUSE}/{name}/events/{index}");
        let fields = fields.into_iter().map(|field| field.at(&format!("{fact}/fields"))).collect();
        (event.at(&format!("{fact}/event")), fields)
    };
    facts.into_iter().enumerate().map(at).collect()
}

fn scheme(members: &Members<'_>) -> Result<(Scheme, Option<Template>), BadInput> {
    let entry = members.need("scheme")?;
    if word(entry, &SCHEMES)? == "standard" {
        members.none(&["header", "prefix", "encoding", "id"], "`scheme: standard` fixes it")?;
        return Ok((Scheme::Standard, None));
    }
    let header = members.need("header")?;
    let name = text(header)?;
    let is_header = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if name.len() > 100 || !name.bytes().all(is_header) {
        let problem = format!("`{name}` is not a valid header name");
        return Err(BadInput::new(
            header.value.place(),
            problem,
            "letters, digits, - and _, as in X-Hub-Signature-256",
        ));
    }
    let prefix = members.get("prefix").map(text).transpose()?.unwrap_or_default();
    let encoding = match members.get("encoding") {
        Some(entry) => {
            let known = ENCODINGS.map(|(word, _)| word);
            let encoding = word(entry, &known)?;
            ENCODINGS.iter().find(|(word, _)| *word == encoding).map_or(Encoding::Hex, |(_, encoding)| *encoding)
        }
        None => Encoding::Hex,
    };
    let id = members.get("id").map(template).transpose()?;
    Ok((Scheme::Hmac { header: name, prefix, encoding }, id))
}

/// Reads a fact, with the place of its name and the places of its fields.
fn fact(webhook: &str, value: &Node) -> Result<(FactOf, (Place, Vec<Place>)), BadInput> {
    let of = format!("a fact of `{webhook}`");
    let Some(entries) = value.entries() else {
        return Err(BadInput::new(value.place(), format!("{of} is {}", value.kind()), "a mapping"));
    };
    let members = Members::new(of, value.place(), entries, &FACT_MEMBERS)?;
    let mut when = Vec::new();
    if let Some(entry) = members.get("when") {
        let conditions = mapping(entry)?;
        bounded(entry, conditions.len(), ENTRIES_MAX)?;
        for condition in conditions {
            let place = BodyPath::parse(&condition.key).map_err(|error| {
                BadInput::new(condition.place(), error.to_string(), "names with dots between them, as in user.id")
            })?;
            when.push((place, text(condition)?));
        }
    }
    let event = members.need("event")?;
    let account = members.need("account")?;
    if !ACCOUNTS.iter().any(|begin| account.value.scalar().is_some_and(|text| text.starts_with(begin))) {
        let problem = "`account` does not begin with a kind of account";
        return Err(BadInput::new(account.value.place(), problem, "user:{…} or organization:{…}"));
    }
    let (mut fields, mut fields_at) = (Vec::new(), Vec::new());
    if let Some(entry) = members.get("fields") {
        let field_entries = mapping(entry)?;
        bounded(entry, field_entries.len(), ENTRIES_MAX)?;
        for field in field_entries {
            fields.push((field.key.clone(), template(field)?));
            fields_at.push(field.place());
        }
    }
    let fact = FactOf { when, event: text(event)?, account: template(account)?, fields };
    Ok((fact, (event.value.place(), fields_at)))
}

/// Returns the mistakes: secrets that are not in the configuration, facts that are not in the catalog, and unknown or
/// missing fields of facts.
pub(super) fn mistakes(webhooks: &[WebhookDecl], config: &[ConfigDecl], catalog: &Node) -> Vec<BadInput> {
    let facts = catalog.at(&format!("/{FACTS}")).ok().and_then(Node::entries).unwrap_or_default();
    let mut found = Vec::new();
    for own in webhooks {
        let secrets = config.iter().filter(|decl| decl.value_type == ConfigType::Secret).map(|decl| &*decl.key);
        if !secrets.clone().any(|key| key == own.secret) {
            let problem = match config.iter().any(|decl| decl.key == own.secret) {
                true => format!("the configuration key `{}` is not a secret", own.secret),
                false => format!("`{}` is not a configuration key", own.secret),
            };
            let names = secrets.clone().collect::<Vec<_>>().join(", ");
            found.push(BadInput::new(own.secret_at.clone(), problem, names).guessing(&own.secret, secrets));
        }
        for (fact, (event_at, fields_at)) in own.webhook.facts.iter().zip(&own.facts_at) {
            let Some(declared) = facts.iter().find(|entry| entry.key == fact.event) else {
                let names = facts.iter().map(|entry| entry.key.as_str());
                let expected = match facts.is_empty() {
                    true => format!("a fact of `{FACTS}` in the catalog"),
                    false => names.clone().collect::<Vec<_>>().join(", "),
                };
                let problem = format!("`{}` is not a fact of the business", fact.event);
                found.push(BadInput::new(event_at.clone(), problem, expected).guessing(&fact.event, names));
                continue;
            };
            found.extend(of_fields(fact, event_at, fields_at, &declared.value));
        }
    }
    found
}

/// Returns the mistakes in a fact's fields, compared with its declaration.
fn of_fields(fact: &FactOf, event_at: &Place, fields_at: &[Place], declared: &Node) -> Vec<BadInput> {
    let fields = declared.at("/fields").ok().and_then(Node::items).unwrap_or_default();
    let name_of = |field: &Node| field.at("/name").ok().and_then(Node::scalar);
    let names: Vec<String> = fields.iter().filter_map(name_of).collect();
    let mut found = Vec::new();
    for ((name, _), at) in fact.fields.iter().zip(fields_at) {
        if !names.contains(name) {
            let problem = format!("`{name}` is not a field of `{}`", fact.event);
            let expected = if names.is_empty() { "no field".to_owned() } else { names.join(", ") };
            found.push(BadInput::new(at.clone(), problem, expected).guessing(name, names.iter().map(String::as_str)));
        }
    }
    let is_required = |field: &&Node| field.at("/required").is_ok_and(|value| value.json() == true);
    for name in fields.iter().filter(is_required).filter_map(name_of) {
        if !fact.fields.iter().any(|(field, _)| *field == name) {
            let problem = format!("`{}` must have the field `{name}`", fact.event);
            found.push(BadInput::new(event_at.clone(), problem, format!("`{name}` in `fields`")));
        }
    }
    found
}
