//! Checks a product's metadata against its type, and reports the place of each error.

use super::field::{Field, FieldType, Format, SetBy};
use super::type_decl::TypeDecl;
use crate::catalog::account_name::account_of;
use crate::catalog::amount::UNLIMITED;
use crate::catalog::words::one_of;
use extension_contract::pointer::escaped;
use extension_contract::{ActorKind, Expected, FieldError, FieldErrorCode, Refusal};
use serde_json::{Map, Value};

/// Maximum unknown keys that a refusal names: it is stored, and sent back.
const UNKNOWN_MAX: usize = 20;

/// Maximum bytes of an object, a list or a reference that a customer writes, and of all keys beside the fields together.
const OWN_BYTES_MAX: usize = 16 * 1024;

type Metadata = Map<String, Value>;

/// Checks proposed metadata and returns it with defaults, in stored form. `current` is the stored metadata of a product
/// that changes. On failure, returns all errors.
pub(crate) fn check(
    decl: &TypeDecl,
    by: ActorKind,
    current: Option<&Metadata>,
    proposed: &Metadata,
) -> Result<Metadata, Vec<FieldError>> {
    let mut others = Metadata::new();
    if decl.extras {
        let is_other = |(key, _): &(&String, &Value)| decl.field(key).is_none();
        others.extend(proposed.iter().filter(is_other).map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut out = check_fields(&decl.name, &decl.fields, decl.extras, by, current, proposed)?;
    check_size(by, &Value::Object(others.clone()))
        .map_err(|error| vec![FieldError { path: "/metadata".to_owned(), ..error }])?;
    out.extend(others);
    Ok(out)
}

/// Checks an object against fields and returns the fields with defaults, in stored form. Paths of errors begin with
/// `/metadata`.
fn check_fields(
    name: &str,
    fields: &[Field],
    extras: bool,
    by: ActorKind,
    current: Option<&Metadata>,
    proposed: &Metadata,
) -> Result<Metadata, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut out = Metadata::new();
    if !extras {
        let unknown_keys = proposed.keys().filter(|key| !fields.iter().any(|field| field.name == **key));
        errors.extend(unknown_keys.take(UNKNOWN_MAX).map(|key| unknown(name, fields, by, key)));
    }
    for field in fields {
        let before = current.and_then(|current| current.get(&field.name));
        let given = proposed.get(&field.name).filter(|value| !value.is_null());
        let Some(given) = given else {
            let default = || field.default.as_ref().map(|default| stored_form(field, default));
            match before.cloned().or_else(default) {
                Some(value) => {
                    out.insert(field.name.clone(), value);
                }
                None if field.required => {
                    errors.push(FieldError::new(pointer(&field.name), FieldErrorCode::Missing, "required"));
                }
                None => {}
            }
            continue;
        };
        let value = stored_form(field, given);
        let path = pointer(&field.name);
        if let Err(error) = check_value(field, &value) {
            errors.push(FieldError { path, ..error });
            continue;
        }
        if before != Some(&value)
            && field.field_type != FieldType::String
            && let Err(error) = check_size(by, &value)
        {
            errors.push(FieldError { path, ..error });
            continue;
        }
        if before != Some(&value) && (!may_set(by, field) || (field.immutable && before.is_some())) {
            errors.push(FieldError::new(path, FieldErrorCode::ReadOnly, read_only(by, field)));
            continue;
        }
        out.insert(field.name.clone(), value);
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// Checks reported values against fields. Paths of errors begin with `path`.
pub(crate) fn check_told(
    path: &str,
    name: &str,
    fields: &[Field],
    by: ActorKind,
    values: &Metadata,
) -> Result<Metadata, Refusal> {
    check_fields(name, fields, false, by, None, values).map_err(|errors| {
        let moved = |error: FieldError| FieldError { path: error.path.replacen("/metadata", path, 1), ..error };
        Refusal::Invalid(errors.into_iter().map(moved).collect())
    })
}

/// Checks that a field allows its default value.
pub(crate) fn check_default(field: &Field) -> Result<(), FieldError> {
    field.default.as_ref().map_or(Ok(()), |default| check_value(field, &stored_form(field, default)))
}

/// Checks that a customer does not write much into one place, since each change of the product is answered and told with all of it.
fn check_size(by: ActorKind, value: &Value) -> Result<(), FieldError> {
    match by == ActorKind::User && value.to_string().len() > OWN_BYTES_MAX {
        true => Err(wrong(FieldErrorCode::OutOfRange, format!("at most {OWN_BYTES_MAX} bytes of JSON"))),
        false => Ok(()),
    }
}

fn pointer(key: &str) -> String {
    format!("/metadata/{}", escaped(key))
}

/// Returns the error of a value whose place the caller knows.
fn wrong(code: FieldErrorCode, expected: impl Into<Expected>) -> FieldError {
    FieldError::new("", code, "").expecting(expected)
}

/// Returns the error of an unknown key, with the fields that the actor may set.
fn unknown(name: &str, fields: &[Field], by: ActorKind, key: &str) -> FieldError {
    let fields: Vec<&str> = fields.iter().filter(|f| may_set(by, f)).map(|f| f.name.as_str()).collect();
    let found = format!("{name} has no such field");
    FieldError::new(pointer(key), FieldErrorCode::UnknownField, found).expecting(one_of(&fields)).suggesting(key)
}

fn read_only(by: ActorKind, field: &Field) -> String {
    if may_set(by, field) { "can't be changed once set".into() } else { "set by the platform".into() }
}

fn may_set(by: ActorKind, field: &Field) -> bool {
    match field.set_by {
        SetBy::Owner => true,
        SetBy::Admin => by != ActorKind::User,
        SetBy::Service => matches!(by, ActorKind::Service | ActorKind::Extension | ActorKind::System),
    }
}

fn stored_form(field: &Field, value: &Value) -> Value {
    if let Some(number) = field.in_numbers(value) {
        return number;
    }
    match value {
        Value::String(text) if field.field_type == FieldType::Milli => {
            milli(text).map_or_else(|| value.clone(), Value::from)
        }
        Value::String(text) if field.lowercase => Value::String(text.to_lowercase()),
        Value::String(text) if field.aliases.contains_key(text) => Value::String(field.aliases[text].clone()),
        other => other.clone(),
    }
}

fn check_value(field: &Field, value: &Value) -> Result<(), FieldError> {
    use FieldErrorCode::{BadFormat, NotAllowed, OutOfRange, WrongType};
    let of_type = |expected: &str| Err(wrong(WrongType, expected));
    match (field.field_type, value) {
        (FieldType::Int | FieldType::Money, Value::Number(number)) => {
            let Some(number) = number.as_i64() else { return of_type("a 64-bit whole number") };
            if field.unlimited && number == UNLIMITED {
                return Ok(());
            }
            let least = field.least();
            if least.is_some_and(|least| number < least) || field.max.is_some_and(|most| number > most) {
                return Err(wrong(OutOfRange, range("", least, field.max)));
            }
        }
        (FieldType::Int, _) if field.unlimited => return of_type("a whole number, or `unlimited`"),
        (FieldType::Int | FieldType::Money, _) => return of_type("a whole number"),
        (FieldType::Milli, Value::Number(number)) if number.as_i64().is_some_and(|number| number >= 0) => {}
        (FieldType::Milli, _) => return of_type("thousandths, at least 0, or a text such as `0.5`"),
        (FieldType::String, Value::String(text)) => check_text(field, text)?,
        (FieldType::String, _) => return of_type("a text"),
        (FieldType::Enum, Value::String(text)) if field.reserved.contains(text) || !field.options.contains(text) => {
            return Err(wrong(NotAllowed, one_of(&field.options)).suggesting(text));
        }
        (FieldType::Enum, Value::String(_)) => {}
        (FieldType::Enum, _) => return of_type("a text"),
        (FieldType::Bool, Value::Bool(_)) | (FieldType::Object, Value::Object(_)) => {}
        (FieldType::Bool, _) => return of_type("true or false"),
        (FieldType::Object, _) => return of_type("an object"),
        (FieldType::List, Value::Array(values)) if values.iter().all(Value::is_string) => {}
        (FieldType::List, _) => return of_type("a list of texts"),
        (FieldType::SecretRef, Value::String(text)) if text.len() > "secret:".len() && text.starts_with("secret:") => {}
        (FieldType::SecretRef, Value::String(_)) => return Err(wrong(BadFormat, "secret:NAME")),
        (FieldType::SecretRef, _) => return of_type("a reference to a secret"),
    }
    Ok(())
}

/// Parses decimal text with at most three decimal places to thousandths.
fn milli(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 12) || !digits(places, 3) {
        return None;
    }
    let (whole, places) = (whole.parse::<i64>().ok()?, format!("{places:0<3}").parse::<i64>().ok()?);
    whole.checked_mul(1000)?.checked_add(places)
}

/// Returns the text form of a stored value, with thousandths as a decimal.
pub(crate) fn text_form(field: &Field, value: &Value) -> Option<String> {
    match (field.field_type, value) {
        (_, Value::String(text)) => Some(text.clone()),
        (FieldType::Milli, Value::Number(number)) => {
            let (whole, places) = (number.as_i64()? / 1000, number.as_i64()? % 1000);
            let text = format!("{whole}.{places:03}");
            Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        (_, Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}

fn check_text(field: &Field, text: &str) -> Result<(), FieldError> {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let (least, most) = (field.min_length.map(i64::from), i64::from(field.most_characters()));
    if least.is_some_and(|least| length < least) || length > most {
        return Err(wrong(FieldErrorCode::OutOfRange, range(" characters", least, Some(most))));
    }
    match field.format {
        Some(Format::Label) if !is_label(text) => {
            let expected = "letters a to z, digits and single hyphens between them";
            return Err(wrong(FieldErrorCode::BadFormat, expected));
        }
        Some(Format::DateTime) if !crate::model::time::is_rfc3339(text) => {
            return Err(wrong(FieldErrorCode::BadFormat, "an RFC 3339 date and time"));
        }
        Some(Format::Account) if account_of(text).is_none() => {
            return Err(wrong(FieldErrorCode::BadFormat, "user:ID or organization:ID"));
        }
        _ => {}
    }
    if field.reserved.iter().any(|reserved| reserved == text) {
        let error = FieldError::new("", FieldErrorCode::NotAllowed, "is reserved");
        return Err(error.expecting("another text"));
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    text.split('-')
        .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

fn range(unit: &str, least: Option<i64>, most: Option<i64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}{unit}"),
        (Some(least), None) => format!("at least {least}{unit}"),
        (None, Some(most)) => format!("at most {most}{unit}"),
        (None, None) => "another value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_word_unlimited_is_stored_as_its_number() {
        let unlimited = Field { field_type: FieldType::Int, unlimited: true, min: Some(1), ..Field::default() };
        let stored = stored_form(&unlimited, &json!("unlimited"));
        assert_eq!((&stored, check_value(&unlimited, &stored)), (&json!(-1), Ok(())));
        let validator = |value: Value| check_value(&unlimited, &stored_form(&unlimited, &value)).is_ok();
        assert_eq!(
            [json!(-1), json!(1), json!(0), json!(-2), json!("many")].map(validator),
            [true, true, false, false, false]
        );
        let bounded = Field { unlimited: false, ..unlimited };
        assert_eq!(stored_form(&bounded, &json!("unlimited")), "unlimited", "the field takes numbers only");
    }

    #[test]
    fn a_text_has_a_maximum_length_and_a_customer_writes_no_long_list() {
        let is_allowed = |field: &Field, by, value: Value| {
            let field = Field { name: "about".to_owned(), ..field.clone() };
            let given = Metadata::from_iter([("about".to_owned(), value)]);
            check_fields("site", std::slice::from_ref(&field), false, by, None, &given).is_ok()
        };
        let text = |count: usize| json!("é".repeat(count));
        let (plain, long) = (Field::default(), Field { max_length: Some(10_000), ..Field::default() });
        for by in [ActorKind::User, ActorKind::Admin] {
            assert_eq!([4_096, 4_097].map(|count| is_allowed(&plain, by, text(count))), [true, false]);
            assert_eq!([10_000, 10_001].map(|count| is_allowed(&long, by, text(count))), [true, false]);
        }
        for field_type in [FieldType::List, FieldType::Object, FieldType::SecretRef] {
            let field = Field { field_type, ..Field::default() };
            let value = |count: usize| match field_type {
                FieldType::List => json!(["x".repeat(count)]),
                FieldType::Object => json!({"x": "x".repeat(count)}),
                _ => json!(format!("secret:{}", "x".repeat(count))),
            };
            assert!(is_allowed(&field, ActorKind::User, value(16_000)), "{field_type:?}");
            assert!(!is_allowed(&field, ActorKind::User, value(17_000)), "{field_type:?}");
            assert!(is_allowed(&field, ActorKind::Service, value(17_000)), "the platform's own {field_type:?}");
        }
    }

    #[test]
    fn milli_parses_up_to_three_decimal_places() {
        for (text, expected) in [("0.5", 500), ("16", 16_000), ("0.001", 1), ("1.25", 1_250), ("0", 0)] {
            assert_eq!(milli(text), Some(expected), "{text}");
        }
        for bad in ["", ".5", "1.", "-1", "1.0005", "1,5", "1e3", "9999999999999"] {
            assert_eq!(milli(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn thousandths_survive_a_round_trip_through_text(value in 0i64..1_000_000_000_000) {
            let field = Field { field_type: FieldType::Milli, ..Field::default() };
            let text = text_form(&field, &json!(value)).expect("a number has a text");
            prop_assert_eq!(milli(&text), Some(value));
        }
    }
}
