//! Expressions in the forms of payloads and answers: `{reply.checkout_url}`. They are minijinja's, and their values keep their
//! types. An expression has a limit of steps, and none of its values is ever a fractional number.

use crate::routes::filters;
use minijinja::value::{ValueKind, merge_maps};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// Maximum number of instructions for one expression.
const STEPS_MAX: u64 = 1_000_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_debug(false);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(STEPS_MAX));
    filters::add(&mut environment);
    environment
});

/// The reason why an expression has no value. It contains no value of the request, since values are personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{{{expression}}}`: {problem}")]
pub struct ValueError {
    /// The expression.
    pub expression: String,
    /// Description of the mistake.
    pub problem: String,
}

/// An expression.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    compiled: Arc<minijinja::Expression<'static, 'static>>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

/// The names that an expression may use, with their values. A clone is cheap.
#[derive(Clone, Debug)]
pub struct Scope(minijinja::Value);

impl Scope {
    /// Creates a scope from some names.
    pub fn new<T: Serialize>(names: impl IntoIterator<Item = (String, T)>) -> Scope {
        Scope(names.into_iter().map(|(name, value)| (name, minijinja::Value::from_serialize(value))).collect())
    }

    /// Adds a name; it hides an earlier entry with the same name.
    #[must_use]
    pub fn with<T: Serialize>(&self, name: &str, value: T) -> Scope {
        self.with_value(name, minijinja::Value::from_serialize(value))
    }

    /// Returns the value of a name as JSON; none if it does not exist.
    pub fn get(&self, name: &str) -> Option<Value> {
        let value = self.0.get_attr(name).ok().filter(|value| !value.is_undefined())?;
        serde_json::to_value(value).ok()
    }

    fn with_value(&self, name: &str, value: minijinja::Value) -> Scope {
        let own: minijinja::Value = [(name.to_owned(), value)].into_iter().collect();
        // If two maps have the same key, the last one takes precedence.
        Scope(merge_maps([self.0.clone(), own]))
    }
}

impl Expression {
    /// Parses an expression, without its braces.
    ///
    /// # Errors
    /// Fails if the string is not an expression, or uses an unknown filter or test.
    pub fn parse(text: &str) -> Result<Expression, ValueError> {
        let wrong = |problem: String| ValueError { expression: text.to_owned(), problem };
        let compiled = ENVIRONMENT
            .compile_expression_owned(text.to_owned())
            .map_err(|error| wrong(error.detail().unwrap_or("it is not an expression").to_owned()))?;
        for name in filter_names(text) {
            let probe = ENVIRONMENT.compile_expression_owned(format!("none | {name}"));
            if probe.is_ok_and(|probe| probe.eval(()).is_err_and(|error| error.kind() == ErrorKind::UnknownFilter)) {
                return Err(wrong(format!("`{name}` is not a filter")));
            }
        }
        if compiled.eval(()).is_err_and(|error| error.kind() == ErrorKind::UnknownTest) {
            return Err(wrong("it has an unknown test".to_owned()));
        }
        Ok(Expression { text: text.into(), compiled: Arc::new(compiled) })
    }

    /// Returns the text without braces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the names that the expression uses. The name of a nested member contains dots.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.compiled.undeclared_variables(true).into_iter().collect();
        for (global, _) in ENVIRONMENT.globals() {
            names.remove(global);
        }
        names
    }

    /// Returns the value; none if the expression refers to something that does not exist.
    ///
    /// # Errors
    /// Fails if the expression does not fit the values, takes too many steps, or yields a fractional number.
    pub fn value(&self, scope: &Scope) -> Result<Option<Value>, ValueError> {
        let value = self.evaluated(scope)?;
        if value.is_undefined() {
            return Ok(None);
        }
        let json = serde_json::to_value(&value).map_err(|_| self.wrong("its value cannot be JSON"))?;
        match has_fraction(&json) {
            true => Err(self.wrong("its value has a fraction; expected a whole number")),
            false => Ok(Some(json)),
        }
    }

    /// Returns whether the value counts as true.
    ///
    /// # Errors
    /// Fails like [`Expression::value`].
    pub fn is_true(&self, scope: &Scope) -> Result<bool, ValueError> {
        Ok(self.evaluated(scope)?.is_true())
    }

    /// Returns one scope for each item of the value, which is a list: each has the item under a name. A missing value is an
    /// empty list.
    pub(crate) fn items(&self, scope: &Scope, name: &str) -> Result<Vec<Scope>, ValueError> {
        let value = self.evaluated(scope)?;
        if matches!(value.kind(), ValueKind::Undefined | ValueKind::None) {
            return Ok(Vec::new());
        }
        let items = value.try_iter().map_err(|_| self.wrong("its value is not a list"))?;
        Ok(items.map(|item| scope.with_value(name, item)).collect())
    }

    fn evaluated(&self, scope: &Scope) -> Result<minijinja::Value, ValueError> {
        self.compiled.eval(&scope.0).map_err(|error| match error.kind() {
            ErrorKind::OutOfFuel => self.wrong(format!("it takes more than {STEPS_MAX} steps")),
            kind => self.wrong(kind.to_string()),
        })
    }

    fn wrong(&self, problem: impl Into<String>) -> ValueError {
        ValueError { expression: self.text.to_string(), problem: problem.into() }
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

/// Returns the words after `|`, outside strings.
fn filter_names(text: &str) -> Vec<&str> {
    let (mut names, mut quote) = (Vec::new(), None);
    for (at, c) in text.char_indices() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '|' => {
                let rest = text[at + 1..].trim_start();
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                names.extend(Some(&rest[..end]).filter(|name| !name.is_empty()));
            }
            None => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope(value: Value) -> Scope {
        Scope::new(value.as_object().expect("an object").clone())
    }

    fn value(text: &str, names: Value) -> Result<Option<Value>, String> {
        let value = Expression::parse(text).and_then(|expression| expression.value(&scope(names)));
        value.map_err(|error| error.to_string())
    }

    #[test]
    fn a_later_name_hides_an_earlier_one() {
        let later = scope(json!({"caller": {"id": "ada"}, "now": 1})).with("caller", json!({"account": "user:ada"}));
        let value = |text: &str| Expression::parse(text).expect("an expression").value(&later).expect("a value");
        assert_eq!(value("caller.account"), Some(json!("user:ada")));
        assert_eq!((value("caller.id"), value("now")), (None, Some(json!(1))));
    }

    #[test]
    fn values_keep_their_types() {
        let names = json!({"reply": {"n": 3, "list": [1, 2], "none": null}, "a": "x", "big": i64::MAX});
        for (text, expected) in [
            ("reply.n", Some(json!(3))),
            ("reply.list", Some(json!([1, 2]))),
            ("reply.none", Some(json!(null))),
            ("reply.other.deep", None),
            ("nothing", None),
            ("a ~ '-' ~ reply.n", Some(json!("x-3"))),
            ("reply.n > 2 and a == 'x'", Some(json!(true))),
            ("reply.list | sum", Some(json!(3))),
            ("reply.n // 2", Some(json!(1))),
            ("big", Some(json!(i64::MAX))),
            ("none | time", Some(json!(null))),
            ("1767225600000 | time", Some(json!("2026-01-01T00:00:00Z"))),
            ("'postgres://u:p@DB.example:5432/x?y' | host", Some(json!("db.example"))),
            ("'postgres://u:p@[::1]:5432/x' | host", Some(json!("::1"))),
            ("'db.example' | host", Some(json!("db.example"))),
            ("([['model', 'large']] | object).model", Some(json!("large"))),
            ("'2026-01-31T23:59:59Z' | day", Some(json!("2026-01-31"))),
            ("'2026-12-31' | next_day", Some(json!("2027-01-01"))),
            ("'2026-02-28' | first_of_month", Some(json!("2026-02-01"))),
        ] {
            assert_eq!(value(text, names.clone()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_is_told_without_values() {
        for (text, told) in [
            ("secret /", "unexpected end"),
            ("secret | frobnicate", "`frobnicate` is not a filter"),
            ("[secret] | join('|') | lenght", "`lenght` is not a filter"),
            ("secret is frobnicated", "unknown test"),
            ("7 / 2", "fraction"),
            ("big * big * big * big", ""),
        ] {
            let error = value(text, json!({"secret": "hunter2", "big": i64::MAX})).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn the_names_of_an_expression_have_their_members() {
        let names =
            Expression::parse("body.package ~ (rights.projects.allowed | default(0)) ~ range(2)").expect("one").names();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["body.package", "rights.projects.allowed"]);
    }
}
