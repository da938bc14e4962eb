//! `places.yml`: maps the names that a scenario sets to paths of an API version's bodies.

use crate::error::Mistakes;
use crate::path::{JsonPath, NewKey, PathError};
use crate::tree::{Checked, Checker, Entry, Node, Tree};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The placeholder of the value in a template.
const VALUE: &str = "$value";

/// A rule that puts a named value into a body.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// Applies all of these rules. The list is empty if the version has no place for the value.
    All(Vec<Rule>),
    /// Sets this path.
    Path(JsonPath),
    /// Splits the value into named parts; each part has its own rule.
    Parts(Vec<(String, Rule)>),
    /// Sets the path `add`, whose last key may be new, to a template that contains the value.
    Template { add: JsonPath, value: Value },
    /// Sets fixed values. The text of the named value selects them.
    When(Vec<(String, Vec<(JsonPath, Value)>)>),
    /// Sets a list of objects, each built from a base body.
    Items { list: JsonPath, base: String },
}

/// Reads `places.yml`: the rules by name of the body and name of the value.
pub(super) fn read(file: &Path, text: &str) -> Result<BTreeMap<String, BTreeMap<String, Rule>>, Mistakes> {
    let node = Node::parse(file, text)?;
    Checker::read(|check| {
        check.each(check.map("places", &node)?, |body| {
            let place = |place: &Entry| Ok((place.key.clone(), rule(check, &place.value)?));
            Ok((body.key.clone(), check.each(check.map("a body's places", &body.value)?, place)?))
        })
    })
}

fn rule(check: &Checker, node: &Node) -> Checked<Rule> {
    match &node.value {
        Tree::Text(_) => Ok(Rule::Path(path(check, node)?)),
        Tree::List(list) => Ok(Rule::All(list.iter().map(|n| rule(check, n)).collect::<Result<_, _>>()?)),
        _ => {
            let mut fields = check.fields("a place", node)?;
            let found = if let Some(parts) = fields.take("parts") {
                let parts = check.map("parts", parts)?;
                Rule::Parts(
                    parts.iter().map(|p| Ok((p.key.clone(), rule(check, &p.value)?))).collect::<Result<_, _>>()?,
                )
            } else if let Some(add) = fields.take("add") {
                Rule::Template { add: path(check, add)?, value: fields.need("value")?.json() }
            } else if let Some(cases) = fields.take("when") {
                let mut found = Vec::new();
                for case in check.map("when", cases)? {
                    let mut sets = Vec::new();
                    for set in check.map("when", &case.value)? {
                        let path =
                            set.key.parse().map_err(|e: PathError| check.bad(set.place(), e.to_string(), "a path"))?;
                        sets.push((path, set.value.json()));
                    }
                    found.push((case.key.clone(), sets));
                }
                Rule::When(found)
            } else if let Some(list) = fields.take("list") {
                Rule::Items { list: path(check, list)?, base: check.text("base", fields.need("base")?)? }
            } else {
                return Err(check.bad(
                    node.place(),
                    "a place without a rule",
                    "a path, a list, or parts, add, when or list",
                ));
            };
            fields.finish()?;
            Ok(found)
        }
    }
}

fn path(check: &Checker, node: &Node) -> Checked<JsonPath> {
    let text = check.text("a path", node)?;
    text.parse()
        .map_err(|error: PathError| check.bad(node.place(), error.to_string(), "a path such as `items.data[0].id`"))
}

/// An error of setting a named value.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("no part `{0}`")]
    NoPart(String),
    #[error("`{0}` is not one of the values {1}")]
    NoCase(String, String),
    #[error("not a mapping of {0}")]
    NotParts(String),
}

impl Rule {
    /// Puts a value into a body. For [`Rule::Items`], the value must be the complete list: the caller has the base
    /// bodies to build it.
    pub(super) fn apply(&self, body: &mut Value, value: &Value) -> Result<(), PlaceError> {
        match self {
            Rule::All(rules) => rules.iter().try_for_each(|rule| rule.apply(body, value)),
            Rule::Path(path) => Ok(path.set(body, value, NewKey::Known)?),
            Rule::Parts(parts) => apply_parts(parts, body, value),
            Rule::Template { add, value: template } => Ok(add.set(body, &fill(template, value), NewKey::Any)?),
            Rule::When(cases) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let names = || cases.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                let (_, sets) = cases
                    .iter()
                    .find(|(name, _)| *name == text)
                    .ok_or_else(|| PlaceError::NoCase(text.clone(), names()))?;
                sets.iter().try_for_each(|(path, value)| Ok(path.set(body, value, NewKey::Known)?))
            }
            Rule::Items { list, .. } => Ok(list.set(body, value, NewKey::Known)?),
        }
    }
}

/// Applies the rules of the parts to `{start: …, end: …}`, or `[start, end]` in the order of the parts.
fn apply_parts(parts: &[(String, Rule)], body: &mut Value, value: &Value) -> Result<(), PlaceError> {
    let names = || parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    match value {
        Value::Object(map) => map.iter().try_for_each(|(name, value)| {
            let (_, rule) =
                parts.iter().find(|(part, _)| part == name).ok_or_else(|| PlaceError::NoPart(name.clone()))?;
            rule.apply(body, value)
        }),
        Value::Array(list) if list.len() == parts.len() => {
            parts.iter().zip(list).try_for_each(|((_, rule), value)| rule.apply(body, value))
        }
        Value::Null => parts.iter().try_for_each(|(_, rule)| rule.apply(body, value)),
        _ => Err(PlaceError::NotParts(names())),
    }
}

fn fill(template: &Value, value: &Value) -> Value {
    match template {
        Value::String(text) if text == VALUE => value.clone(),
        Value::Array(list) => list.iter().map(|entry| fill(entry, value)).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(key, entry)| (key.clone(), fill(entry, value))).collect()),
        other => other.clone(),
    }
}
