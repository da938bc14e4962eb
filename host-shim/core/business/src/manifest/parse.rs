//! Parses a manifest strictly: an unknown field or name is a mistake, which is reported with its line.

use super::Manifest;
use crate::yaml::bad_input::{BadInput, Mistakes};
use crate::yaml::{Checked, Checker, Entry, Fields, Node};
use extension_contract::{ConfigDecl, ConfigType};
use host_engine::processor::WEBHOOK_OF_STRIPE;
use host_store::{Excluded, NotState, Permission, Permitted, parse_config};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const EVENTS: [&str; 4] = ["product.created", "product.updated", "product.deleted", WEBHOOK_OF_STRIPE];
/// The function of the contract that handles all events.
const HANDLER: &str = "events.handle";
const TYPES: [(&str, ConfigType); 3] =
    [("string", ConfigType::Text), ("integer", ConfigType::Integer), ("boolean", ConfigType::Boolean)];
const PART_MEMBERS: [&str; 4] = ["rows", "member", "only", "because"];
pub(super) const PART: &str = "a list of `{rows: records/COLLECTION, member: PATH, because: REASON}`";

impl Manifest {
    /// Parses the text of a manifest; `file` names it in errors.
    ///
    /// # Errors
    /// Fails with all mistakes.
    pub fn parse(file: &Path, text: &str) -> Result<Manifest, Mistakes> {
        let document = Node::parse(file, text)?;
        Checker::read(|check| {
            let mut fields = check.fields("the manifest", &document)?;
            let name = fields.need("name").and_then(|node| check.filled_text("name", node));
            let config_key = optional_text(check, &mut fields, "config_key");
            let version = optional_text(check, &mut fields, "version");
            let description = optional_text(check, &mut fields, "description");
            let world = fields.optional("world", |node| world(check, node));
            let data_version = fields.optional("data_version", |node| {
                let number = node.json().as_u64().and_then(|number| u32::try_from(number).ok());
                number.ok_or_else(|| check.wrong("data_version", node, "a whole number from 0"))
            });
            let component = optional_text(check, &mut fields, "component");
            let not_state = fields.optional("state", |node| state(check, node));
            let hooks = fields.optional("hooks", |node| unique(check, "hooks", node, |item| hook(check, item)));
            let config =
                fields.optional("config", |node| check.each(check.map("config", node)?, |entry| key(check, entry)));
            let permissions = fields
                .optional("permissions", |node| unique(check, "permissions", node, |item| permission(check, item)));
            let product_types = fields.optional("product_types", |node| names(check, "product_types", node));
            let effects = fields.optional("effects", |node| names(check, "effects", node));
            fields.finish()?;
            let effects = effects?.map(|effects| effects.into_iter().collect::<BTreeSet<String>>());
            let permissions = permissions?.map(|permissions| permissions.into_iter().map(described).collect());
            let hooks = hooks?.map(|hooks| hooks.into_iter().map(|(event, ())| event).collect());
            Ok(Manifest {
                name: name?,
                config_key: config_key?,
                version: version?,
                description: description?,
                world: world?,
                data_version: data_version?,
                component: component?,
                not_state: not_state?.unwrap_or_default(),
                permitted: Permitted { permissions, effects, hooks },
                config: config?,
                product_types: product_types?,
            })
        })
    }
}

fn optional_text(check: &Checker, fields: &mut Fields, name: &'static str) -> Checked<Option<String>> {
    fields.optional(name, |node| check.text(name, node))
}

/// Reads a list whose items have a name, which may occur only once.
fn unique<'n, T>(
    check: &Checker,
    what: &str,
    node: &'n Node,
    mut read: impl FnMut(&'n Node) -> Checked<(String, T)>,
) -> Checked<Vec<(String, T)>> {
    let mut seen = BTreeSet::new();
    check.each(check.list(what, node)?, |item| {
        let (name, value) = read(item)?;
        match seen.insert(name.clone()) {
            true => Ok((name, value)),
            false => Err(check.bad(item.place(), format!("`{what}` has `{name}` twice"), "each name once")),
        }
    })
}

fn names(check: &Checker, what: &str, node: &Node) -> Checked<Vec<String>> {
    let names = unique(check, what, node, |item| Ok((check.filled_text(what, item)?, ())))?;
    Ok(names.into_iter().map(|(name, ())| name).collect())
}

fn world(check: &Checker, node: &Node) -> Checked<String> {
    let text = check.text("world", node)?;
    match super::package_of(&text).is_some_and(|(package, version)| package.contains(':') && !version.is_empty()) {
        true => Ok(text),
        false => Err(check.bad(node.place(), format!("`world: {text}`"), "`NAMESPACE:PACKAGE/WORLD@VERSION`")),
    }
}

fn state(check: &Checker, node: &Node) -> Checked<NotState> {
    let mut state = check.fields("state", node)?;
    let mut parts = |name: &'static str| -> Checked<Option<Vec<Excluded>>> {
        state.optional(name, |node| match check.list(name, node)? {
            [] => Err(check.bad(node.place(), format!("`{name}` is empty"), PART)),
            items => check.each(items, |item| excluded(check, name, item)),
        })
    };
    let (without, catalog) = (parts("without"), parts("catalog"));
    state.finish()?;
    Ok(NotState::parts(without?.unwrap_or_default()).with_catalog(catalog?.unwrap_or_default()))
}

/// Reads a part: the rows, the path of the member and the reason.
fn excluded(check: &Checker, name: &str, item: &Node) -> Checked<Excluded> {
    let json = item.json();
    let text = |name: &str| json.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is_known =
        json.as_object().is_some_and(|members| members.keys().all(|name| PART_MEMBERS.contains(&name.as_str())));
    let part = text("rows").and_then(|rows| Excluded::parse(rows, text("member")));
    let part = part.map(|part| match json.get("only") {
        Some(value) => part.only(value.clone()),
        None => part,
    });
    let part = part.filter(|_| is_known && text("because").is_some());
    part.ok_or_else(|| check.bad(item.place(), format!("`{name}` has `{json}`"), PART))
}

fn hook(check: &Checker, item: &Node) -> Checked<(String, ())> {
    let mut fields = check.fields("a hook", item)?;
    let event = fields.need("event").and_then(|node| check.word("event", node, &EVENTS));
    let handler = fields.need("handler").and_then(|node| check.word("handler", node, &[HANDLER]));
    fields.finish()?;
    handler?;
    Ok((event?.to_owned(), ()))
}

fn permission(check: &Checker, item: &Node) -> Checked<(String, (Permission, String))> {
    let mut fields = check.fields("a permission", item)?;
    let permission = fields.need("name").and_then(|node| {
        let text = check.text("name", node)?;
        let known = Permission::ALL.map(Permission::name);
        let dotted = text.replace(':', ".");
        Permission::ALL.into_iter().find(|permission| permission.name() == dotted).ok_or_else(|| {
            let bad = BadInput::new(node.place(), format!("`name: {text}`"), format!("one of {}", known.join(", ")));
            check.note(bad.guessing(&dotted, known))
        })
    });
    let description = optional_text(check, &mut fields, "description");
    fields.finish()?;
    let permission = permission?;
    Ok((permission.name().to_owned(), (permission, description?.unwrap_or_default())))
}

fn described((_, described): (String, (Permission, String))) -> (Permission, String) {
    described
}

/// Reads one configuration key.
fn key(check: &Checker, entry: &Entry) -> Checked<ConfigDecl> {
    let mut fields = check.fields(format!("`{}`", entry.key), &entry.value)?;
    let value_type = fields.optional("type", |node| {
        let name = check.word("type", node, &TYPES.map(|(known, _)| known))?;
        Ok(BTreeMap::from(TYPES).get(name).copied().unwrap_or(ConfigType::Text))
    });
    let required = fields.optional("required", |node| check.truth("required", node));
    let default = fields.take_entry("default");
    let default_value = default.map(|entry| {
        let expected = "a text, a whole number or a truth value";
        entry.value.scalar().ok_or_else(|| check.wrong("default", &entry.value, expected))
    });
    let env = optional_text(check, &mut fields, "env");
    let secret = fields.optional("secret", |node| check.truth("secret", node));
    let description = optional_text(check, &mut fields, "description");
    fields.finish()?;
    let default_value = default_value.transpose()?;
    let wrong = |problem: String, expected: &str| Err(check.bad(entry.place(), problem, expected));
    let value_type = match (value_type?.unwrap_or(ConfigType::Text), secret?.unwrap_or(false)) {
        (ConfigType::Text, true) => ConfigType::Secret,
        (_, true) => return wrong(format!("`{}` is a secret, and not a text", entry.key), "`type: string`"),
        (value_type, false) => value_type,
    };
    if let Some(text) = &default_value {
        if value_type == ConfigType::Secret {
            return wrong(format!("`{}` is a secret with a default", entry.key), "`env`, or no default");
        }
        if parse_config(&entry.key, value_type, text).is_err() {
            let expected = format!("a value of `type: {}`", super::type_name(value_type));
            return wrong(format!("`default: {text}` of `{}`", entry.key), &expected);
        }
    }
    Ok(ConfigDecl {
        key: entry.key.clone(),
        value_type,
        required: required?.unwrap_or(false),
        default_value,
        env: env?,
        description: description?.unwrap_or_default(),
    })
}
