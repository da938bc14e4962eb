//! Reads the clause `webhooks` of `business.yml`, which declares the webhooks of other services that a business
//! accepts: the signature scheme, and the mapping from bodies to facts of the business.

use crate::yaml::bad_input::{BadInput, Place};
use crate::yaml::{Checked, Checker, Entry, Fields, Node, Noted};
use extension_contract::{ConfigDecl, ConfigType};
use host_intake::webhook::{BodyPath, Encoding, FactOf, Scheme, Template, TemplateError, Webhook};

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
    /// For each fact, the position of its name and the positions of its fields.
    facts_at: Vec<(Place, Vec<Place>)>,
}

/// Reads the clause; [`mistakes`] checks the names.
pub(super) fn read(check: &Checker, clause: &Node) -> Checked<Vec<WebhookDecl>> {
    let entries = check.map(CLAUSE, clause)?;
    check.at_most(CLAUSE, clause.place(), entries.len(), WEBHOOKS_MAX)?;
    check.each(entries, |entry| webhook(check, entry))
}

fn template(check: &Checker, what: &str, node: &Node) -> Checked<Template> {
    Template::parse(&check.filled_text(what, node)?).map_err(|error| no_template(check, what, node, &error))
}

fn no_template(check: &Checker, what: &str, node: &Node, error: &TemplateError) -> Noted {
    let expected = "a text with places of the body in braces, as in user:{user.id}";
    check.bad(node.place(), format!("`{what}`: {error}"), expected)
}

fn webhook(check: &Checker, entry: &Entry) -> Checked<WebhookDecl> {
    let name = &entry.key;
    let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    let begins = name.bytes().next().is_some_and(|c| c.is_ascii_lowercase());
    if !begins || name.len() > 40 || !name.bytes().all(is_name) || name == TAKEN {
        let expected = format!("1 to 40 of a-z, 0-9 and _, a letter first, and not `{TAKEN}`");
        return Err(check.bad(entry.place(), format!("`{name}` is not a valid webhook name"), expected));
    }
    let mut fields = check.fields(format!("`{name}`"), &entry.value)?;
    let secret = fields.need("secret").and_then(|node| Ok((node, check.filled_text("secret", node)?)));
    let scheme = scheme(check, &mut fields);
    let facts = fields.need("events").and_then(|node| {
        let list = node.items().filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| check.wrong("events", node, "a list of facts, at least one"))?;
        check.at_most("events", node.place(), list.len(), ENTRIES_MAX)?;
        check.each::<_, _, Vec<_>>(list, |value| fact(check, name, value))
    });
    fields.finish()?;
    let ((secret_node, secret), (scheme, id)) = (secret?, scheme?);
    let (facts, facts_at) = facts?.into_iter().unzip();
    Ok(WebhookDecl {
        webhook: Webhook { name: name.clone(), scheme, id, facts },
        secret,
        secret_at: secret_node.place().at(&format!("/{CLAUSE}/{name}/secret")),
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

/// Reads the signature scheme, and the template of the delivery's id.
fn scheme(check: &Checker, fields: &mut Fields<'_, '_>) -> Checked<(Scheme, Option<Template>)> {
    let scheme = fields.need("scheme").and_then(|node| check.word("scheme", node, &SCHEMES));
    let [header, prefix, encoding, id] = ["header", "prefix", "encoding", "id"].map(|name| fields.take_entry(name));
    if scheme? == "standard" {
        check.every([header, prefix, encoding, id].into_iter().flatten(), |entry| {
            let problem = format!("`{}` is not allowed: `scheme: standard` fixes it", entry.key);
            Err(check.bad(entry.place(), problem, "no such field"))
        })?;
        return Ok((Scheme::Standard, None));
    }
    let header = match header {
        Some(entry) => header_name(check, &entry.value),
        None => Err(check.bad(fields.place(), "`scheme: hmac` has no `header`", "the field `header`")),
    };
    let prefix = prefix.map(|entry| check.filled_text("prefix", &entry.value)).transpose();
    let encoding = encoding.map(|entry| check.word("encoding", &entry.value, &ENCODINGS.map(|(word, _)| word)));
    let id = id.map(|entry| template(check, "id", &entry.value)).transpose();
    let word = encoding.transpose()?;
    let encoding = ENCODINGS.iter().find(|(known, _)| Some(*known) == word).map_or(Encoding::Hex, |(_, of)| *of);
    Ok((Scheme::Hmac { header: header?, prefix: prefix?.unwrap_or_default(), encoding }, id?))
}

fn header_name(check: &Checker, node: &Node) -> Checked<String> {
    let name = check.filled_text("header", node)?;
    let is_header = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    if name.len() > 100 || !name.bytes().all(is_header) {
        let expected = "letters, digits, - and _, as in X-Hub-Signature-256";
        return Err(check.bad(node.place(), format!("`{name}` is not a valid header name"), expected));
    }
    Ok(name)
}

/// A fact, with the position of its name and the positions of its fields.
type PlacedFact = (FactOf, (Place, Vec<Place>));

fn fact(check: &Checker, webhook: &str, value: &Node) -> Checked<PlacedFact> {
    let mut members = check.fields(format!("a fact of `{webhook}`"), value)?;
    let when = members.optional("when", |node| {
        let conditions = check.map("when", node)?;
        check.at_most("when", node.place(), conditions.len(), ENTRIES_MAX)?;
        check.each(conditions, |condition| {
            let expected = "names with dots between them, as in user.id";
            let place = BodyPath::parse(&condition.key)
                .map_err(|error| check.bad(condition.place(), error.to_string(), expected));
            Ok((place?, check.filled_text(&condition.key, &condition.value)?))
        })
    });
    let event = members.need("event").and_then(|node| Ok((node.place(), check.filled_text("event", node)?)));
    let account = members.need("account").and_then(|node| {
        if !ACCOUNTS.iter().any(|begin| node.scalar().is_some_and(|text| text.starts_with(begin))) {
            let problem = "`account` does not begin with a kind of account";
            return Err(check.bad(node.place(), problem, "user:{…} or organization:{…}"));
        }
        template(check, "account", node)
    });
    let fields = members.optional("fields", |node| {
        let fields = check.map("fields", node)?;
        check.at_most("fields", node.place(), fields.len(), ENTRIES_MAX)?;
        check.each::<_, _, Vec<_>>(fields, |field| {
            Ok(((field.key.clone(), template(check, &field.key, &field.value)?), field.place()))
        })
    });
    members.finish()?;
    let (fields, fields_at) = fields?.unwrap_or_default().into_iter().unzip();
    let (event_at, event) = event?;
    Ok((FactOf { when: when?.unwrap_or_default(), event, account: account?, fields }, (event_at, fields_at)))
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
