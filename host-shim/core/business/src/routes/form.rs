//! The form of a payload or an answer: values, strings with expressions, and lists made from other lists.

use crate::routes::expression::{Expression, Scope, ValueError};
use crate::routes::types::is_member_name;
use crate::yaml::{Checked, Checker, Node, Tree};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Name of an item of `each` if there is no `as`.
const ITEM: &str = "item";

/// What happens to an expression whose value does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The member is left out of its mapping: in payloads.
    LeftOut,
    /// It becomes null: in answers.
    Null,
}

/// The form of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A value without expressions.
    Fixed(Value),
    /// `{reply.id}`: the value of an expression.
    Value(Expression),
    /// `user:{path.id}`: a string with expressions.
    Text(Vec<Part>),
    /// A list.
    List(Vec<Form>),
    /// A mapping.
    Map(Vec<(String, Form)>),
    /// `{each: "{invoices}", as: invoice, give: …}`: a list with a value for each item of another list.
    Each {
        /// The other list.
        over: Expression,
        /// Name for an item.
        name: String,
        /// The form of each value.
        give: Box<Form>,
    },
}

/// A part of a string.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Literal text.
    Letters(String),
    /// An expression.
    Value(Expression),
}

impl Form {
    /// Reads a form.
    pub(crate) fn read(check: &Checker, node: &Node) -> Checked<Form> {
        match &node.value {
            Tree::Text(text) => Form::of_text(check, node, text),
            Tree::List(items) => Ok(Form::List(check.each(items, |item| Form::read(check, item))?)),
            Tree::Map(entries) if entries.iter().any(|entry| entry.key == "each") => {
                let mut fields = check.fields("`each`", node)?;
                let over = fields.need("each").and_then(|node| read_expression(check, "each", node));
                let name = fields.optional("as", |node| read_name(check, node));
                let give = fields.need("give").and_then(|node| Form::read(check, node));
                fields.finish()?;
                Ok(Form::Each { over: over?, name: name?.unwrap_or_else(|| ITEM.to_owned()), give: give?.into() })
            }
            Tree::Map(entries) => {
                Ok(Form::Map(check.each(entries, |entry| Ok((entry.key.clone(), Form::read(check, &entry.value)?)))?))
            }
            Tree::Float(_) => Err(check.wrong("value", node, "a whole number")),
            _ => Ok(Form::Fixed(node.json())),
        }
    }

    /// Reads a string with expressions. `node` has its position.
    pub(crate) fn text_of(check: &Checker, node: &Node, text: &str) -> Checked<Form> {
        Form::of_text(check, node, text)
    }

    fn of_text(check: &Checker, node: &Node, text: &str) -> Checked<Form> {
        let parts = parts(check, node, text)?;
        Ok(match parts.as_slice() {
            [] => Form::Fixed(Value::from("")),
            [Part::Letters(letters)] => Form::Fixed(Value::from(letters.as_str())),
            [Part::Value(expression)] => Form::Value(expression.clone()),
            _ => Form::Text(parts),
        })
    }

    /// Returns the names that the form's expressions use, without those of items.
    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Form::Fixed(_) => BTreeSet::new(),
            Form::Value(expression) => expression.names(),
            Form::Text(parts) => parts.iter().flat_map(Part::names).collect(),
            Form::List(items) => items.iter().flat_map(Form::names).collect(),
            Form::Map(members) => members.iter().flat_map(|(_, form)| form.names()).collect(),
            Form::Each { over, name, give } => {
                let of_items = give.names().into_iter().filter(|used| used.split('.').next() != Some(name));
                over.names().into_iter().chain(of_items).collect()
            }
        }
    }

    /// Returns the text of the form, with the values of its expressions as `encode` writes them.
    ///
    /// # Errors
    /// Fails if the form is not text, or if a value does not exist.
    pub(crate) fn text_with(&self, scope: &Scope, encode: fn(&str) -> String) -> Result<String, ValueError> {
        let wrong = || ValueError { expression: String::new(), problem: "the form is not text".to_owned() };
        let of_part = |part: &Part| match part {
            Part::Letters(letters) => Ok(letters.clone()),
            Part::Value(expression) => text_of(expression, scope).map(|text| encode(&text)),
        };
        match self {
            Form::Fixed(value) => value.as_str().map(str::to_owned).ok_or_else(wrong),
            Form::Text(parts) => parts.iter().map(of_part).collect(),
            _ => Err(wrong()),
        }
    }

    /// Returns the value of the form; none if it is an expression whose value does not exist.
    ///
    /// # Errors
    /// Fails if an expression does not fit its values, or if a part of a text does not exist.
    pub fn value(&self, scope: &Scope, absent: Absent) -> Result<Option<Value>, ValueError> {
        Ok(Some(match self {
            Form::Fixed(value) => value.clone(),
            Form::Value(expression) => match (expression.value(scope)?, absent) {
                (None, Absent::Null) => Value::Null,
                (None, Absent::LeftOut) => return Ok(None),
                (Some(value), _) => value,
            },
            Form::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Letters(letters) => text.push_str(letters),
                        Part::Value(expression) => text.push_str(&text_of(expression, scope)?),
                    }
                }
                Value::from(text)
            }
            Form::List(items) => list(items.iter().map(|form| form.value(scope, absent)))?,
            Form::Map(members) => {
                let mut object = Map::new();
                for (name, form) in members {
                    if let Some(value) = form.value(scope, absent)? {
                        object.insert(name.clone(), value);
                    }
                }
                Value::Object(object)
            }
            Form::Each { over, name, give } => {
                list(over.items(scope, name)?.iter().map(|scope| give.value(scope, absent)))?
            }
        }))
    }
}

fn list(values: impl Iterator<Item = Result<Option<Value>, ValueError>>) -> Result<Value, ValueError> {
    values.filter_map(Result::transpose).collect()
}

impl Part {
    fn names(&self) -> BTreeSet<String> {
        match self {
            Part::Letters(_) => BTreeSet::new(),
            Part::Value(expression) => expression.names(),
        }
    }
}

/// Returns the value of an expression as part of a string.
fn text_of(expression: &Expression, scope: &Scope) -> Result<String, ValueError> {
    match expression.value(scope)? {
        Some(Value::String(text)) => Ok(text),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
        _ => {
            let problem = "it has no value that can be a part of a text".to_owned();
            Err(ValueError { expression: expression.text().to_owned(), problem })
        }
    }
}

/// Splits a string into literal text and expressions.
fn parts(check: &Checker, node: &Node, text: &str) -> Checked<Vec<Part>> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((letters, after)) = rest.split_once('{') {
        if !letters.is_empty() {
            parts.push(Part::Letters(letters.to_owned()));
        }
        let Some(end) = closing(after) else {
            return Err(check.bad(
                node.place(),
                format!("`{text}` has a `{{` without its `}}`"),
                "an expression in braces",
            ));
        };
        parts.push(Part::Value(parsed(check, node, &after[..end])?));
        rest = &after[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Letters(rest.to_owned()));
    }
    Ok(parts)
}

/// Returns the position of the brace that closes an expression, outside strings and inner braces.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn parsed(check: &Checker, node: &Node, text: &str) -> Checked<Expression> {
    Expression::parse(text).map_err(|error| {
        let expected = "an expression such as `{reply.checkout_url}`, with filters of minijinja, time, day, next_day, first_of_month, host, object, of_attribute or of_price";
        check.bad(node.place(), error.to_string(), expected)
    })
}

/// Parses a string that is a single expression, `{invoices}`.
pub(crate) fn read_expression(check: &Checker, what: &str, node: &Node) -> Checked<Expression> {
    match Form::read(check, node)? {
        Form::Value(expression) => Ok(expression),
        _ => Err(check.bad(
            node.place(),
            format!("`{what}` is not one expression"),
            "an expression, such as `{invoices}`",
        )),
    }
}

/// Parses a name that expressions may use.
pub(crate) fn read_name(check: &Checker, node: &Node) -> Checked<String> {
    let name = check.text("as", node)?;
    match is_member_name(&name) {
        true => Ok(name),
        false => Err(check.bad(node.place(), format!("`as: {name}`"), "a name of letters, digits and _")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::bad_input::Mistakes;
    use serde_json::json;
    use std::path::Path;

    fn read(text: &str) -> Result<Form, Mistakes> {
        let node = Node::parse(Path::new("routes.yml"), text).expect("valid YAML");
        Checker::read(|check| Form::read(check, &node))
    }

    fn scope() -> Scope {
        let names = json!({"path": {"id": "i1"}, "rows": [{"id": 1, "n": null}, {"id": 2, "n": "x"}], "count": 2});
        Scope::new(names.as_object().expect("an object").clone())
    }

    #[test]
    fn a_form_is_filled_with_values_that_keep_their_types() {
        let form = read(
            "id: \"{path.id}\"\nname: \"user:{path.id}/{count}\"\ncount: \"{count}\"\nmissing: \"{path.other}\"\nfixed: [1, true, a]\n\
             map: \"{{'a': count}}\"\nlist: {each: \"{rows}\", as: row, give: {id: \"{row.id}\", n: \"{row.n}\", at: \"{path.id}\"}}\n",
        )
        .expect("a form");
        let expected = json!({
            "id": "i1", "name": "user:i1/2", "count": 2, "missing": null, "fixed": [1, true, "a"], "map": {"a": 2},
            "list": [{"id": 1, "n": null, "at": "i1"}, {"id": 2, "n": "x", "at": "i1"}],
        });
        assert_eq!(form.value(&scope(), Absent::Null), Ok(Some(expected.clone())));
        let mut without = expected;
        without.as_object_mut().expect("an object").remove("missing");
        assert_eq!(form.value(&scope(), Absent::LeftOut), Ok(Some(without)));
        let names = ["count", "path.id", "path.other", "rows"].map(str::to_owned);
        assert_eq!(form.names(), names.into(), "the names of items are not the form's");
    }

    #[test]
    fn mistakes_of_a_form_are_told_with_their_lines() {
        for (text, line, told) in [
            ("a: 1\nb: \"{path.id\"\n", 2, "without its `}`"),
            ("a: 1\nb: [1.5]\n", 2, "whole number"),
            ("a: \"{path.id | titel}\"\n", 1, "`titel` is not a filter"),
            ("a:\n  each: rows\n  give: 1\n", 2, "an expression, such as"),
            ("a: {each: \"{rows}\", gvie: 1}\n", 1, "`give`"),
        ] {
            let mistake = read(text).expect_err(text).to_string();
            assert!(mistake.starts_with(&format!("routes.yml:{line}")) && mistake.contains(told), "{mistake}");
        }
        let part = read("a: \"x{path.other}\"\n").expect("a form").value(&scope(), Absent::LeftOut);
        assert!(part.expect_err("a part without a value").to_string().contains("path.other"));
    }
}
