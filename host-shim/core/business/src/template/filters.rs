//! The filters of mails, in addition to those of the template language. Numbers and dates are written in the recipient's locale. A
//! value to which a filter does not apply is shown unchanged, so that a mail never has a gap.

use crate::template::locale::Locale;
use crate::template::words::words as words_of;
use minijinja::value::ValueKind;
use minijinja::{Environment, State, Value};
use serde_json::{Value as Json, json};

pub(crate) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("money", money);
    environment.add_filter("number", number);
    environment.add_filter("date", date);
    environment.add_filter("time", time);
    environment.add_filter("words", words);
    environment.add_filter("facts", facts);
    environment.add_filter("product", product);
    environment.add_filter("instance", instance);
}

/// Returns the locale of the mail that is being filled in.
fn locale(state: &State<'_, '_>) -> Locale {
    let tag = state.lookup("mail").and_then(|mail| mail.get_attr("locale").ok());
    tag.as_ref().and_then(Value::as_str).map_or_else(Locale::usual, Locale::tagged)
}

/// `{{ amount_minor | money(currency) }}`: an amount in minor units.
fn money(state: &State<'_, '_>, value: &Value, currency: &Value) -> String {
    match (i64::try_from(value.clone()), currency.as_str()) {
        (Ok(amount), Some(currency)) => locale(state).money(amount, currency),
        _ => value.to_string(),
    }
}

/// `{{ used | number }}`.
fn number(state: &State<'_, '_>, value: &Value) -> String {
    i64::try_from(value.clone()).map_or_else(|_| value.to_string(), |number| locale(state).number(number))
}

/// `{{ at | date }}`: the day of a time.
fn date(state: &State<'_, '_>, value: &Value) -> String {
    value.as_str().and_then(|time| locale(state).date(time)).unwrap_or_else(|| value.to_string())
}

/// `{{ due | time }}`: the day and the minute of a time, in UTC.
fn time(state: &State<'_, '_>, value: &Value) -> String {
    value.as_str().and_then(|time| locale(state).minute(time)).unwrap_or_else(|| value.to_string())
}

/// `{{ key | words }}`: a name as words, or several names.
fn words(value: &Value) -> String {
    match (value.kind(), value.try_iter()) {
        (ValueKind::Seq, Ok(names)) => names.map(|name| words(&name)).collect::<Vec<_>>().join(", "),
        _ => value.as_str().map_or_else(|| value.to_string(), words_of),
    }
}

/// `{{ plan | product }}`: the name of a product in the catalog, or the names of several.
fn product(state: &State<'_, '_>, value: &Value) -> String {
    named(state, "products", value)
}

/// `{{ beyond | instance }}`: the name of an instance, or the names of several. An instance without a known name is shown by its id.
fn instance(state: &State<'_, '_>, value: &Value) -> String {
    named(state, "instances", value)
}

fn named(state: &State<'_, '_>, of: &str, value: &Value) -> String {
    let names = state.lookup("mail").and_then(|mail| mail.get_attr(of).ok());
    let name = |id: &Value| {
        let name = names.as_ref().and_then(|names| names.get_item(id).ok()).filter(|name| !name.is_undefined());
        name.as_ref().unwrap_or(id).to_string()
    };
    match value.kind() {
        ValueKind::Seq => value.try_iter().map(|ids| ids.map(|id| name(&id)).collect::<Vec<_>>().join(", ")),
        _ => Ok(name(value)),
    }
    .unwrap_or_default()
}

/// `{% for fact in details | facts %}- {{ fact.name }}: {{ fact.value }}`: the members of an object, including nested ones. A fact
/// has `name`, `value` and `is_address`.
fn facts(state: &State<'_, '_>, value: &Value) -> Value {
    let mut found = Vec::new();
    let value = serde_json::to_value(value).unwrap_or_default();
    add_facts(locale(state), "", &value, &mut found);
    Value::from_serialize(found)
}

fn add_facts(locale: Locale, name: &str, value: &Json, found: &mut Vec<Json>) {
    if let Json::Object(members) = value {
        let currency = members.get("currency").and_then(Json::as_str);
        for (member, value) in members {
            let is_amount = member.ends_with("_minor");
            let within = match name {
                "" => member.trim_end_matches("_minor").to_owned(),
                _ => format!("{name}_{}", member.trim_end_matches("_minor")),
            };
            match (value.as_i64(), currency) {
                (Some(amount), Some(currency)) if is_amount => {
                    let shown = locale.money(amount, currency);
                    found.push(json!({"name": words_of(&within), "value": shown, "is_address": false}));
                }
                // An amount has its currency next to it.
                _ if member == "currency" && members.keys().any(|name| name.ends_with("_minor")) => {}
                _ => add_facts(locale, &within, value, found),
            }
        }
        return;
    }
    let shown = shown(locale, value);
    if !shown.is_empty() {
        let is_address = shown.starts_with("https://") || shown.starts_with("http://");
        found.push(json!({"name": words_of(name), "value": shown, "is_address": is_address}));
    }
}

/// Returns a value in a readable form.
fn shown(locale: Locale, value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        Json::String(text) => match text.len() >= "2026-01-01T00:00:00Z".len() {
            true => locale.minute(text).unwrap_or_else(|| text.clone()),
            false => text.clone(),
        },
        Json::Number(number) => number.to_string(),
        Json::Array(parts) => {
            let parts: Vec<String> =
                parts.iter().map(|part| shown(locale, part)).filter(|part| !part.is_empty()).collect();
            parts.join(", ")
        }
        Json::Object(members) => {
            let parts: Vec<String> =
                members.iter().map(|(name, value)| format!("{} {}", words_of(name), shown(locale, value))).collect();
            parts.join(", ")
        }
    }
}
