//! Filters of expressions, in addition to minijinja's own: times, days, and lists of names with values.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

/// Adds the filters.
pub(crate) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("time", time);
    environment.add_filter("day", day_of);
    environment.add_filter("host", host);
    environment.add_filter("object", object);
    environment.add_filter("of_price", of_price);
    environment.add_filter("of_attribute", of_attribute);
    environment.add_filter("next_day", |text: &str| changed(text, |day| day.checked_add(1.day()).ok()));
    environment.add_filter("first_of_month", |text: &str| changed(text, |day| Some(day.first_of_month())));
}

/// Returns a time, in milliseconds since the epoch, as RFC 3339; no value gives no value.
fn time(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => Ok(Value::from(())),
        _ => {
            let ms = value.as_i64().and_then(|ms| Timestamp::from_millisecond(ms).ok());
            let time = ms.ok_or_else(|| invalid("expected milliseconds"))?;
            Ok(Value::from(time.to_string()))
        }
    }
}

/// Converts a list of names with their values, `[["model", "large"]]`, to a mapping.
fn object(pairs: &Value) -> Result<Value, Error> {
    pairs.try_iter()?.map(|pair| Ok((pair.get_item_by_index(0)?, pair.get_item_by_index(1)?))).collect()
}

/// Returns the rows whose attribute has a value; all rows if no value is given. `attributes` of a row is a mapping, or a
/// list of names with values.
fn of_attribute(rows: &Value, name: &str, wanted: &Value) -> Result<Value, Error> {
    let rows: Vec<Value> = rows.try_iter()?.collect();
    if matches!(wanted.kind(), ValueKind::None | ValueKind::Undefined) {
        return Ok(rows.into());
    }
    let mut found = Vec::new();
    for row in rows {
        let attributes = row.get_attr("attributes")?;
        let attributes = if attributes.kind() == ValueKind::Map { attributes } else { object(&attributes)? };
        if attributes.get_attr(name)? == *wanted {
            found.push(row);
        }
    }
    Ok(found.into())
}

/// Returns the host name of an address, `postgres://user:password@host:5432/name`.
fn host(address: &str) -> Result<String, Error> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let behind_user = authority.rsplit('@').next().unwrap_or_default();
    let host = match behind_user.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => behind_user.split(':').next().unwrap_or_default(),
    };
    match host.is_empty() {
        true => Err(invalid("expected an address")),
        false => Ok(host.to_ascii_lowercase()),
    }
}

/// Returns the offer of a catalog that has a price; nothing if there is none.
fn of_price(offers: &Value, price: &Value) -> Result<Value, Error> {
    for offer in offers.try_iter()? {
        for own in offer.get_attr("prices")?.try_iter()? {
            if own.get_attr("id")? == *price {
                return Ok(offer);
            }
        }
    }
    Ok(Value::UNDEFINED)
}

/// Returns the day of an RFC 3339 time.
fn day_of(text: &str) -> Result<String, Error> {
    let time = text.parse::<Timestamp>().map_err(|_| invalid("expected a time"))?;
    Ok(time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

fn changed(text: &str, change: impl FnOnce(Date) -> Option<Date>) -> Result<String, Error> {
    let changed = day(text).and_then(change).ok_or_else(|| invalid("expected a day"))?;
    Ok(changed.to_string())
}

fn invalid(detail: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// Parses a day, `2026-01-31`.
pub(crate) fn day(text: &str) -> Option<Date> {
    text.parse::<Date>().ok().filter(|day| day.to_string() == text)
}

/// Parses an RFC 3339 time into milliseconds since the epoch.
pub(crate) fn time_ms(text: &str) -> Option<i64> {
    // jiff accepts more than RFC 3339; only that form is allowed.
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}
