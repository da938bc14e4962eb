//! Reads the clause `types`, and the fields of a query or a body: a type for each name.

use crate::routes::types::{Field, Types, is_member_name, is_type_name, read_type};
use crate::routes::values::problem_of;
use crate::yaml::{Checked, Checker, Entry, Node};
use std::collections::BTreeMap;

impl Types {
    /// Reads the clause `types`.
    pub(crate) fn read(check: &Checker, clause: &Node) -> Checked<Types> {
        let read: BTreeMap<String, Vec<Field>> = check.each(check.map("types", clause)?, |entry| {
            let name = match is_type_name(&entry.key) {
                true => Ok(entry.key.clone()),
                false => {
                    let problem = format!("`{}` cannot be the name of a type", entry.key);
                    Err(check.bad(entry.place(), problem, "letters and digits, the first an upper-case letter"))
                }
            };
            let fields = read_fields(check, &entry.key, &entry.value);
            Ok((name?, fields?))
        })?;
        Ok(Types(read))
    }
}

/// Reads fields: a type for each name, or a mapping with `type` and more.
pub(crate) fn read_fields(check: &Checker, of: &str, node: &Node) -> Checked<Vec<Field>> {
    check.each(check.map(of, node)?, |entry| read_field(check, entry))
}

fn read_field(check: &Checker, entry: &Entry) -> Checked<Field> {
    if !is_member_name(&entry.key) {
        let problem = format!("`{}` cannot be the name of a member", entry.key);
        return Err(check.bad(entry.place(), problem, "letters, digits and _"));
    }
    let name = entry.key.clone();
    if entry.value.entries().is_none() {
        let value_type = read_type(check, &name, &entry.value)?;
        return Ok(Field { name, value_type, about: String::new(), default: None });
    }
    let mut fields = check.fields(format!("`{name}`"), &entry.value)?;
    let value_type = fields.need("type").and_then(|node| read_type(check, "type", node));
    let about = fields.optional("about", |node| check.filled_text("about", node));
    let default = fields.take("default");
    fields.finish()?;
    let value_type = value_type?;
    let default = match default {
        None => None,
        Some(node) => {
            let value = node.json();
            if problem_of(&value_type, &value, &Types::default(), "").is_some() {
                return Err(check.wrong("default", node, value_type.shown()));
            }
            Some(value)
        }
    };
    Ok(Field { name, value_type, about: about?.unwrap_or_default(), default })
}
