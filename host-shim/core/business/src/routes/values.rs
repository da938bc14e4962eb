//! Checks that the values of a request have their types. Values from the path or the query are text; the body is JSON.

use crate::routes::types::{Field, Type, Types};
use crate::routes::wrong::{WrongValues, escaped, pointer_to};
use extension_contract::{Expected, FieldError, FieldErrorCode};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The values of a request, or the fields that are wrong.
pub type Given = Result<Map<String, Value>, WrongValues>;

/// Reads the body: a JSON object with the members `fields`, and no others.
///
/// # Errors
/// Fails with the wrong, missing and unknown members.
pub fn read_body(fields: &[Field], types: &Types, body: Map<String, Value>) -> Given {
    let mut wrong = WrongValues::default();
    check_members(fields, types, &body, "", &mut wrong);
    wrong.or(|| with_defaults(fields, body))
}

/// Reads values that are strings, from a path or a query. Unknown names are refused.
///
/// # Errors
/// Fails with the wrong, missing and unknown values.
pub fn read_texts(fields: &[Field], texts: &[(String, String)]) -> Given {
    let (mut wrong, mut values, mut seen) = (WrongValues::default(), Map::new(), BTreeSet::new());
    for (name, text) in texts {
        let Some(field) = named(fields, name) else {
            wrong.add_unknown(|| pointer_to(name), names(fields));
            continue;
        };
        if !seen.insert(name.as_str()) {
            wrong.add(|| field_error(format!("/{name}"), FieldErrorCode::NotAllowed, "one value"));
            continue;
        }
        match value_of(field.value_type.required(), text) {
            Some(value) => drop(values.insert(name.clone(), value)),
            None => wrong.add(|| field_error(format!("/{name}"), code_of(&field.value_type), field.value_type.shown())),
        }
    }
    for field in fields.iter().filter(|field| is_missing(field) && !seen.contains(field.name.as_str())) {
        wrong.add(|| missing(field, ""));
    }
    wrong.or(|| with_defaults(fields, values))
}

/// Returns the field with a name. The search is linear: a business declares a few dozen fields, however many values a
/// request has.
fn named<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
    fields.iter().find(|field| {
        #[cfg(test)]
        crate::routes::steps::step();
        field.name == name
    })
}

fn names(fields: &[Field]) -> impl Iterator<Item = &str> {
    fields.iter().map(|field| field.name.as_str())
}

fn with_defaults(fields: &[Field], mut values: Map<String, Value>) -> Map<String, Value> {
    values.retain(|_, value| !value.is_null());
    for field in fields {
        if let Some(default) = &field.default {
            values.entry(&field.name).or_insert_with(|| default.clone());
        }
    }
    values
}

fn is_missing(field: &Field) -> bool {
    !field.value_type.is_optional() && field.default.is_none()
}

fn missing(field: &Field, at: &str) -> FieldError {
    field_error(format!("{at}/{}", field.name), FieldErrorCode::Missing, field.value_type.shown())
}

fn field_error(path: String, code: FieldErrorCode, expected: impl Into<Expected>) -> FieldError {
    FieldError::new(path, code, "").expecting(expected)
}

/// Adds the wrong members of an object at a JSON Pointer.
fn check_members(fields: &[Field], types: &Types, object: &Map<String, Value>, at: &str, wrong: &mut WrongValues) {
    for (name, value) in object {
        match named(fields, name) {
            None => wrong.add_unknown(|| format!("{at}/{}", escaped(name)), names(fields)),
            Some(field) if value.is_null() && !is_missing(field) => {}
            Some(field) => check_value(&field.value_type, value, types, &format!("{at}/{name}"), wrong),
        }
    }
    for field in fields.iter().filter(|field| is_missing(field) && !object.contains_key(&field.name)) {
        wrong.add(|| missing(field, at));
    }
}

fn check_value(of: &Type, value: &Value, types: &Types, at: &str, wrong: &mut WrongValues) {
    #[cfg(test)]
    crate::routes::steps::step();
    match (of, value) {
        (Type::Optional(_), Value::Null) => {}
        (Type::Optional(inner), value) => check_value(inner, value, types, at, wrong),
        (Type::List(inner), Value::Array(items)) => {
            for (at_item, item) in items.iter().enumerate() {
                check_value(inner, item, types, &format!("{at}/{at_item}"), wrong);
            }
        }
        (Type::Named(name), Value::Object(object)) => match types.0.get(name) {
            Some(fields) => check_members(fields, types, object, at, wrong),
            None => {
                wrong.add(|| field_error(at.to_owned(), FieldErrorCode::WrongType, name.as_str()));
            }
        },
        (simple, value) if is_simple(simple, value) => {}
        (other, _) => {
            wrong.add(|| field_error(at.to_owned(), code_of(other), other.shown()));
        }
    }
}

/// Returns the first problem of a value; none if it has its type.
pub(crate) fn problem_of(of: &Type, value: &Value, types: &Types, at: &str) -> Option<FieldError> {
    let mut wrong = WrongValues::default();
    check_value(of, value, types, at, &mut wrong);
    wrong.listed().first().cloned()
}

/// An answer that does not have the type that its route declares. The error contains no value, since values are
/// personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at} is {found}; {expected}")]
pub struct AnswerError {
    /// Position in the answer: a JSON Pointer after `answer`.
    pub at: String,
    /// Kind of the value.
    pub found: &'static str,
    /// The expected kind, after the word `expected`.
    pub expected: String,
}

/// Checks that an answer has its type. It may have further members.
///
/// # Errors
/// Fails with the first part of the answer that has a different type.
pub fn check_answer(of: &Type, answer: &Value, types: &Types) -> Result<(), AnswerError> {
    let mut wrong = WrongValues::permitting_unknown();
    check_value(of, answer, types, "", &mut wrong);
    match wrong.listed().first() {
        None => Ok(()),
        Some(error) => {
            let found = answer.pointer(&error.path).map_or("missing", kind);
            Err(AnswerError { at: format!("answer{}", error.path), found, expected: error.message() })
        }
    }
}

/// Returns the kind of a value, with an article.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "another text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn is_simple(of: &Type, value: &Value) -> bool {
    match (of, value) {
        (Type::Json, _) | (Type::Text, Value::String(_)) | (Type::Boolean, Value::Bool(_)) => true,
        (Type::Integer, Value::Number(number)) => number.is_i64(),
        (Type::Time, Value::String(text)) => crate::routes::filters::time_ms(text).is_some(),
        (Type::Date, Value::String(text)) => crate::routes::filters::day(text).is_some(),
        (Type::Words(words), Value::String(text)) => words.contains(text),
        _ => false,
    }
}

/// Parses a string as a value of a type.
fn value_of(of: &Type, text: &str) -> Option<Value> {
    let value = match of {
        Type::Integer => Value::from(text.parse::<i64>().ok()?),
        Type::Boolean => Value::from(text.parse::<bool>().ok()?),
        _ => Value::from(text),
    };
    is_simple(of, &value).then_some(value)
}

fn code_of(of: &Type) -> FieldErrorCode {
    match of.required() {
        Type::Words(_) => FieldErrorCode::NotAllowed,
        Type::Time | Type::Date => FieldErrorCode::BadFormat,
        _ => FieldErrorCode::WrongType,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(name: &str, of: &str, default: Option<Value>) -> Field {
        Field { name: name.into(), value_type: Type::parse(of).expect("a type"), about: String::new(), default }
    }

    fn told(given: Given) -> Vec<(String, FieldErrorCode)> {
        given.expect_err("wrong").listed().iter().map(|error| (error.path.clone(), error.code)).collect()
    }

    #[test]
    fn every_wrong_member_of_a_body_is_told() {
        let types =
            Types([("Line".to_owned(), vec![field("id", "string", None), field("count", "integer?", None)])].into());
        let fields = [
            field("package", "small | large", None),
            field("interval", "month | year", Some(json!("month"))),
            field("lines", "Line[]?", None),
            field("at", "time?", None),
        ];
        let body = |value: Value| read_body(&fields, &types, value.as_object().expect("an object").clone());
        let right = body(json!({"package": "small", "lines": [{"id": "a"}], "at": null})).expect("right");
        assert_eq!(Value::Object(right), json!({"package": "small", "interval": "month", "lines": [{"id": "a"}]}));
        let wrong =
            told(body(json!({"interval": 3, "lines": [{"count": "1", "x/y": 1}, 7], "at": "today", "user": "eve"})));
        let expected = [
            ("/at", FieldErrorCode::BadFormat),
            ("/interval", FieldErrorCode::NotAllowed),
            ("/lines/0/count", FieldErrorCode::WrongType),
            ("/lines/0/x~1y", FieldErrorCode::UnknownField),
            ("/lines/0/id", FieldErrorCode::Missing),
            ("/lines/1", FieldErrorCode::WrongType),
            ("/user", FieldErrorCode::UnknownField),
            ("/package", FieldErrorCode::Missing),
        ];
        assert_eq!(wrong, expected.map(|(path, code)| (path.to_owned(), code)));
        assert_eq!(told(body(json!({"package": null}))), [("/package".to_owned(), FieldErrorCode::NotAllowed)]);
        for fraction in [json!(1.5), json!(u64::MAX)] {
            let wrong = body(json!({"package": "small", "lines": [{"id": "a", "count": fraction}]}));
            assert_eq!(told(wrong), [("/lines/0/count".to_owned(), FieldErrorCode::WrongType)]);
        }
    }

    #[test]
    fn an_answer_is_held_to_its_type() {
        let plan = vec![field("id", "string", None), field("price", "integer?", None), field("at", "time", None)];
        let types = Types([("Plan".to_owned(), plan)].into());
        let check = |answer: Value| {
            let of = Type::parse("Plan[]").expect("a type");
            check_answer(&of, &answer, &types).map_err(|error| error.to_string())
        };
        let right = json!({"id": "p", "price": null, "at": "2026-01-01T00:00:00Z", "more": 1});
        assert_eq!(check(json!([right.clone()])), Ok(()));
        for (member, value, told) in [
            ("id", json!(null), "answer/1/id is null; expected a text"),
            ("price", json!("secret"), "answer/1/price is another text; expected a whole number"),
            (
                "at",
                json!("today"),
                "answer/1/at is another text; expected a time as RFC 3339, such as 2026-01-31T12:00:00Z",
            ),
        ] {
            let mut wrong = right.clone();
            wrong[member] = value;
            assert_eq!(check(json!([right.clone(), wrong])), Err(told.to_owned()));
        }
        assert_eq!(
            check(json!([{"id": "p"}])),
            Err("answer/0/at is missing; expected a time as RFC 3339, such as 2026-01-31T12:00:00Z".to_owned())
        );
        assert_eq!(check(json!({})), Err("answer is an object; expected a list".to_owned()));
        let mut long: Map<String, Value> = (0..100).map(|at| (format!("a{at}"), json!(at))).collect();
        long.insert("id".to_owned(), json!("p"));
        let missing = check(json!([long])).expect_err("no time");
        assert!(missing.starts_with("answer/0/at is missing"), "further members hide nothing: {missing}");
    }

    #[test]
    fn texts_of_a_query_get_their_types() {
        let fields =
            [field("limit", "integer", Some(json!(20))), field("day", "date?", None), field("all", "boolean?", None)];
        let texts = |texts: &[(&str, &str)]| {
            let texts: Vec<_> = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            read_texts(&fields, &texts)
        };
        let right = texts(&[("all", "true"), ("day", "2026-02-28")]).expect("right");
        assert_eq!(Value::Object(right), json!({"limit": 20, "all": true, "day": "2026-02-28"}));
        let wrong =
            told(texts(&[("limit", "9x"), ("day", "2026-02-30"), ("colour", "red"), ("all", "true"), ("all", "true")]));
        let paths: Vec<&str> = wrong.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/limit", "/day", "/colour", "/all"]);
    }

    /// Twice as large a request takes at most three times the steps, and the answer does not grow.
    #[test]
    fn twice_the_values_take_at_most_three_times_the_steps() {
        let types = Types([("Line".to_owned(), vec![field("id", "string", None)])].into());
        let fields = [field("a", "string?", None), field("b", "integer?", None), field("lines", "Line[]?", None)];
        let unknown = |count: usize| (0..count).map(|at| (format!("x{at}"), json!(at))).collect::<Map<_, _>>();
        let body = |count: usize| drop(read_body(&fields, &types, unknown(count)));
        let nested = |count: usize| {
            let lines: Vec<Value> = (0..count).map(|at| json!({"id": at, "x": {}})).collect();
            drop(read_body(&fields, &types, json!({"lines": lines}).as_object().expect("an object").clone()));
        };
        let texts = |name: fn(usize) -> String| {
            move |count: usize| (0..count).map(|at| (name(at), "1".to_owned())).collect::<Vec<_>>()
        };
        let (different, same) = (texts(|at| format!("x{at}")), texts(|_| "b".to_owned()));
        let query = |count: usize| drop(read_texts(&fields, &different(count)));
        let repeated = |count: usize| drop(read_texts(&fields, &same(count)));
        let kinds: [(&str, &dyn Fn(usize)); 4] =
            [("body", &body), ("lines", &nested), ("query", &query), ("repeated", &repeated)];
        for (kind, of) in kinds {
            let [once, twice] = [2_000, 4_000].map(|count| crate::routes::steps::counted(|| of(count)));
            assert!(once >= 2_000 && twice <= 3 * once, "{kind}: {once} and {twice} steps");
        }
        let wrong = read_texts(&fields, &different(4_000)).expect_err("unknown names");
        assert_eq!((wrong.listed().len(), wrong.count()), (crate::routes::limits::ERRORS_MAX, 4_000));
    }
}
