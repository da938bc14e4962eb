//! Substitutes configuration values in the catalog before the extension receives it. A string that consists of
//! `${config.KEY}` is replaced by the value with the type of the key; within a longer string, the value is inserted as text.
//!
//! `{config.KEY}` without `$` is a different placeholder, which the extension fills in when it creates a resource.

use super::POLICIES;
use super::features::CLAUSES;
use crate::yaml::bad_input::{BadInput, Mistakes};
use crate::yaml::{Checker, Node, Tree};
use extension_contract::{ConfigDecl, ConfigType};
use std::collections::BTreeMap;

/// Start of a placeholder.
const BEGIN: &str = "${config.";
/// End of a placeholder.
const END: char = '}';

/// Returns the keys that the strings of the catalog use.
pub(super) fn named(document: &Node) -> Vec<String> {
    let mut found = Vec::new();
    each_text(document, &mut |_, text| found.extend(keys(text).map(str::to_owned)));
    found
}

/// Returns the keys that the catalog uses only in placeholders, and not for the extension. `filled` is the document without
/// placeholders.
pub(super) fn only_filled_in(document: &Node, filled: &Node) -> Vec<String> {
    let mut keys = named(document);
    each_text(filled, &mut |_, text| keys.retain(|key| !names(text, key)));
    keys
}

/// Returns true if a string refers to a key for the extension: `config.KEY`, alone or in braces.
pub(super) fn names(text: &str, key: &str) -> bool {
    let name = format!("config.{key}");
    text == name || text.contains(&format!("{{{name}}}"))
}

/// Checks that each placeholder in the catalog refers to a key that has a value.
///
/// # Errors
/// Fails with all placeholders without such a key.
pub(super) fn check(document: &Node, config: &[ConfigDecl], given: &BTreeMap<String, String>) -> Result<(), Mistakes> {
    Checker::read(|check| {
        each_text(document, &mut |node, text| {
            for bad in keys(text).filter_map(|key| mistake_of(node, key, config, given)) {
                check.note(bad);
            }
        });
        Ok(())
    })
}

fn mistake_of(node: &Node, key: &str, config: &[ConfigDecl], given: &BTreeMap<String, String>) -> Option<BadInput> {
    let of_texts = || config.iter().filter(|decl| decl.value_type != ConfigType::Secret).map(|decl| decl.key.as_str());
    let Some(decl) = config.iter().find(|decl| decl.key == key) else {
        let expected = match config.is_empty() {
            true => "a key of `config` in business.yml".to_owned(),
            false => of_texts().collect::<Vec<_>>().join(", "),
        };
        let problem = format!("`{key}` is not a configuration key of the business");
        return Some(BadInput::new(node.place(), problem, expected).guessing(key, of_texts()));
    };
    if decl.value_type == ConfigType::Secret {
        let problem = format!("`{key}` is a secret, and the catalog is stored");
        return Some(BadInput::new(node.place(), problem, "a key that is not a secret"));
    }
    if decl.default_value.is_none() && !given.contains_key(key) {
        let problem = format!("`{key}` has no value");
        return Some(BadInput::new(node.place(), problem, "a `default` of the key, or a value in config.yml"));
    }
    None
}

/// Returns whether a clause may contain placeholders: the policies and the clauses of the catalog.
fn has_placeholders(clause: &str) -> bool {
    clause == POLICIES || !CLAUSES.contains(&clause)
}

/// Replaces the placeholders in the catalog. A value that does not have the type of its key stays a string; a host refuses it
/// when it starts.
pub(super) fn fill(document: &Node, config: &[ConfigDecl], given: &BTreeMap<String, String>) -> Node {
    let value = |key: &str| {
        let decl = config.iter().find(|decl| decl.key == key)?;
        Some((given.get(key).or(decl.default_value.as_ref())?.as_str(), decl.value_type))
    };
    let mut document = document.clone();
    if let Tree::Map(clauses) = &mut document.value {
        for clause in clauses.iter_mut().filter(|clause| has_placeholders(&clause.key)) {
            fill_in(&mut clause.value, &value);
        }
    }
    document
}

fn fill_in<'v>(node: &mut Node, value: &impl Fn(&str) -> Option<(&'v str, ConfigType)>) {
    match &mut node.value {
        Tree::List(list) => list.iter_mut().for_each(|item| fill_in(item, value)),
        Tree::Map(map) => map.iter_mut().for_each(|entry| fill_in(&mut entry.value, value)),
        Tree::Text(text) if text.contains(BEGIN) => {
            let whole = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).and_then(value);
            node.value = match whole {
                Some((text, value_type)) => typed(text, value_type),
                None => Tree::Text(replaced(text, value)),
            };
        }
        Tree::Text(_) | Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => {}
    }
}

fn typed(text: &str, value_type: ConfigType) -> Tree {
    let value = match value_type {
        ConfigType::Integer => text.parse().ok().map(Tree::Int),
        ConfigType::Boolean => text.parse().ok().map(Tree::Bool),
        ConfigType::Text | ConfigType::Secret => None,
    };
    value.unwrap_or_else(|| Tree::Text(text.to_owned()))
}

fn replaced<'v>(text: &str, value: &impl Fn(&str) -> Option<(&'v str, ConfigType)>) -> String {
    let mut filled = text.to_owned();
    for key in keys(text) {
        if let Some((value, _)) = value(key) {
            filled = filled.replace(&format!("{BEGIN}{key}{END}"), value);
        }
    }
    filled
}

/// Returns the keys in a string, in order.
fn keys(text: &str) -> impl Iterator<Item = &str> {
    text.split(BEGIN).skip(1).map(|rest| rest.split_once(END).map_or(rest, |(key, _)| key))
}

/// Calls `see` with each string in the catalog's clauses.
fn each_text(document: &Node, see: &mut impl FnMut(&Node, &str)) {
    let clauses = document.entries().unwrap_or_default();
    for clause in clauses.iter().filter(|clause| has_placeholders(&clause.key)) {
        each_text_in(&clause.value, see);
    }
}

fn each_text_in(node: &Node, see: &mut impl FnMut(&Node, &str)) {
    match &node.value {
        Tree::Text(text) => see(node, text),
        Tree::List(list) => list.iter().for_each(|item| each_text_in(item, see)),
        Tree::Map(map) => map.iter().for_each(|entry| each_text_in(&entry.value, see)),
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => {}
    }
}
