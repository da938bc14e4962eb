//! Lists: newest first, pages by cursor, filters by member and by `created`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, Field, Kind, opt};
use crate::state::State;

/// `limit`.
pub const LIMIT: Field = opt("limit", Kind::Int(1, 100));
/// `starting_after`.
pub const AFTER: Field = opt("starting_after", Kind::Text);
/// `ending_before`.
pub const BEFORE: Field = opt("ending_before", Kind::Text);
/// `created`: bounds; a plain time is given as `created[gte]` and `created[lte]`.
pub const CREATED: Field = opt(
    "created",
    Kind::Map(&[opt("gt", Kind::Time), opt("gte", Kind::Time), opt("lt", Kind::Time), opt("lte", Kind::Time)]),
);

/// A page of ready objects, in the order they come.
pub fn page(args: &Args, url: &str, all: &[Arc<Object>]) -> Result<Value, ApiError> {
    page_of(args, url, all, |o| o.id(), |o| o.value())
}

/// A page of anything that has an id.
pub fn page_of<T>(
    args: &Args,
    url: &str,
    all: &[T],
    id: impl Fn(&T) -> &str,
    show: impl Fn(&T) -> Value,
) -> Result<Value, ApiError> {
    let limit = usize::try_from(args.int("limit").unwrap_or(10)).unwrap_or(10);
    let position = |param: &str| match args.text(param) {
        None => Ok(None),
        Some(cursor) => match all.iter().position(|o| id(o) == cursor) {
            Some(position) => Ok(Some(position)),
            None => Err(ApiError::no_such("object", cursor, param)),
        },
    };
    let (after, before) = (position("starting_after")?, position("ending_before")?);
    if after.is_some() && before.is_some() {
        let message = "You may only specify one of these parameters: starting_after, ending_before.";
        return Err(ApiError::invalid(message).about("starting_after"));
    }
    let (from, to) = match (after, before) {
        (Some(position), _) => (position + 1, (position + 1 + limit).min(all.len())),
        (None, Some(position)) => (position.saturating_sub(limit), position),
        (None, None) => (0, limit.min(all.len())),
    };
    let has_more = if before.is_some() { from > 0 } else { to < all.len() };
    let data: Vec<Value> = all[from.min(to)..to].iter().map(show).collect();
    Ok(json!({ "object": "list", "url": url, "has_more": has_more, "data": data, "_page": true }))
}

/// Whether an object is within `created`.
pub fn in_created(args: &Args, created: i64) -> bool {
    let bounds = args.map("created");
    bounds.int("gt").is_none_or(|t| created > t)
        && bounds.int("gte").is_none_or(|t| created >= t)
        && bounds.int("lt").is_none_or(|t| created < t)
        && bounds.int("lte").is_none_or(|t| created <= t)
}

/// The usual list: a kind, only a customer's if asked, members equal to the parameters of the same name.
pub fn list(st: &State, kind: &str, url: &str, args: &Args, members: &[&str]) -> Result<Value, ApiError> {
    let wanted: Vec<(&str, &Value)> = members.iter().filter_map(|m| args.given(m).map(|v| (*m, v))).collect();
    let fits = |o: &&Arc<Object>| in_created(args, o.int("created")) && wanted.iter().all(|(m, v)| o.get(m) == *v);
    let all: Vec<Arc<Object>> = st.newest(kind, args.text("customer")).filter(fits).cloned().collect();
    page(args, url, &all)
}
