//! `cargo xtask keywords`: counts the words that a founder has to know. A word is the name of a member in the schemas of a business's
//! files.

use anyhow::{Context, Result};
use component_builder::workspace_root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// The files of a business that have a schema.
const FILES: [&str; 4] = ["catalog", "business", "routes", "tables"];
/// The clauses of the core level.
const CORE: [&str; 10] =
    ["features", "plans", "addons", "packs", "instances", "coupons", "currency", "tax", "tax_ids", "codes"];
/// Definitions of the full level that may be used in place of a core-level value.
const FULL: [&str; 5] = ["#/$defs/price", "#/$defs/amount", "#/$defs/trial", "#/$defs/pause", "#/$defs/coupon"];
/// Maximum number of words of the core level.
pub const CORE_MAX: usize = 40;

/// Count the words of the language in which a business is written: of the core level, and of each file.
#[derive(clap::Args)]
pub struct Options {}

/// Runs the command.
///
/// # Errors
///
/// Fails if a schema cannot be read.
pub fn run(_: &Options) -> Result<()> {
    let core = core_words()?;
    println!("{:<10}{:>4}  {}", "core", core.len(), core.into_iter().collect::<Vec<_>>().join(" "));
    let mut all = BTreeSet::new();
    for file in FILES {
        let mut words = BTreeSet::new();
        collect(&schema(file)?, &mut words);
        println!("{file:<10}{:>4}", words.len());
        all.extend(words);
    }
    println!("{:<10}{:>4}", "all", all.len());
    Ok(())
}

/// Returns the words of the core level.
///
/// # Errors
///
/// Fails if the schema cannot be read.
pub fn core_words() -> Result<BTreeSet<String>> {
    let schema = schema(FILES[0])?;
    let mut words: BTreeSet<String> = CORE.map(str::to_owned).into();
    let mut pending: Vec<Value> = CORE.iter().map(|clause| schema["properties"][clause].clone()).collect();
    let mut seen = BTreeSet::new();
    while let Some(next) = pending.pop() {
        let mut references = BTreeSet::new();
        collect(&next, &mut words);
        references_in(&next, &mut references);
        for reference in references {
            if !FULL.contains(&reference.as_str()) && seen.insert(reference.clone()) {
                let of = schema.pointer(reference.trim_start_matches('#')).context(reference)?;
                pending.push(of.clone());
            }
        }
    }
    Ok(words)
}

fn schema(file: &str) -> Result<Value> {
    let path = workspace_root().join(format!("docs/schemas/{file}.json"));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// Collects the names of members.
fn collect(schema: &Value, words: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            words.extend(
                map.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()),
            );
            map.values().for_each(|value| collect(value, words));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, words)),
        _ => {}
    }
}

fn references_in(schema: &Value, references: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references_in(value, references));
        }
        Value::Array(list) => list.iter().for_each(|value| references_in(value, references)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_level_has_few_words() {
        let words = core_words().expect("the schema");
        assert!(words.len() <= CORE_MAX, "{} words: {words:?}", words.len());
        assert!(
            ["plans", "trial", "at_least", "within", "month"].iter().all(|word| words.contains(*word)),
            "{words:?}"
        );
    }
}
