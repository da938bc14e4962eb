//! Lists objects, newest first, in pages with cursors, filtered by member and by `created`.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, SIGNED_AMOUNT, opt};
use crate::state::{Newest, State};

/// The parameter `limit`.
pub const LIMIT: Field = opt("limit", ParamKind::Int(1, 100));
/// The parameter `starting_after`.
pub const AFTER: Field = opt("starting_after", ParamKind::Text);
/// The parameter `ending_before`.
pub const BEFORE: Field = opt("ending_before", ParamKind::Text);
/// Bounds of a time in Unix seconds, such as `created[gte]`. A single time, such as `created=1793491200`, is refused.
pub const TIMES: ParamKind = ParamKind::Map(&[
    opt("gt", ParamKind::Time),
    opt("gte", ParamKind::Time),
    opt("lt", ParamKind::Time),
    opt("lte", ParamKind::Time),
]);
/// Bounds of an amount, such as `amount[gte]`. A single amount is refused.
pub const NUMBERS: ParamKind = ParamKind::Map(&[
    opt("gt", SIGNED_AMOUNT),
    opt("gte", SIGNED_AMOUNT),
    opt("lt", SIGNED_AMOUNT),
    opt("lte", SIGNED_AMOUNT),
]);
/// The parameter `created`, see [`TIMES`].
pub const CREATED: Field = opt("created", TIMES);

/// Returns a page of the objects of `all`, in their order. Reads only as many objects as the page needs.
///
/// # Errors
/// See [`page_of`].
pub fn page(args: &Args, url: &str, all: impl Iterator<Item = Arc<Object>>) -> Result<Value, ApiError> {
    page_of(args, url, all, |o| o.id(), |o| o.value())
}

/// Returns a page of the items of `all`: `id` gives the id of an item, `show` its JSON.
///
/// # Errors
/// Both cursors are given, or the cursor is not in the list.
pub fn page_of<T>(
    args: &Args,
    url: &str,
    mut all: impl Iterator<Item = T>,
    id: impl Fn(&T) -> &str,
    show: impl Fn(&T) -> Value,
) -> Result<Value, ApiError> {
    let limit = usize::try_from(args.int("limit").unwrap_or(10)).unwrap_or(10);
    let (after, before) = (args.text("starting_after"), args.text("ending_before"));
    if after.is_some() && before.is_some() {
        let message = "You may only specify one of these parameters: starting_after, ending_before.";
        return Err(ApiError::invalid(message).about("starting_after"));
    }
    let (members, has_more): (Vec<T>, bool) = if let Some(cursor) = before {
        let mut last = VecDeque::new();
        let mut dropped = false;
        loop {
            let one = all.next().ok_or_else(|| ApiError::no_such("object", cursor, "ending_before"))?;
            if id(&one) == cursor {
                break (last.into_iter().collect(), dropped);
            }
            last.push_back(one);
            if last.len() > limit {
                last.pop_front();
                dropped = true;
            }
        }
    } else {
        if let Some(cursor) = after {
            all.find(|one| id(one) == cursor).ok_or_else(|| ApiError::no_such("object", cursor, "starting_after"))?;
        }
        let members = all.by_ref().take(limit).collect();
        (members, all.next().is_some())
    };
    let data: Vec<Value> = members.iter().map(show).collect();
    Ok(json!({ "object": "list", "url": url, "has_more": has_more, "data": data }))
}

/// Iterates over the objects of a kind, newest first. Starts at the object of `starting_after` if the request has this
/// parameter.
pub fn newest<'s>(st: &'s State, args: &Args, kind: &str, customer: Option<&str>) -> Newest<'s> {
    st.newest_from(kind, customer, args.text("starting_after"))
}

/// Whether a creation time is within the bounds of `created`.
pub fn in_created(args: &Args, created: i64) -> bool {
    in_times(args, "created", created)
}

/// Whether a time in Unix seconds, or an amount, is within the bounds of the parameter `name`.
pub fn in_times(args: &Args, name: &str, created: i64) -> bool {
    let bounds = args.map(name);
    bounds.int("gt").is_none_or(|t| created > t)
        && bounds.int("gte").is_none_or(|t| created >= t)
        && bounds.int("lt").is_none_or(|t| created < t)
        && bounds.int("lte").is_none_or(|t| created <= t)
}

/// Returns a page of the objects of a kind, filtered by customer, by `created` and by `members`: each of these members
/// must equal the parameter of the same name, if the request has it.
///
/// # Errors
/// See [`page_of`].
pub fn list(st: &State, kind: &str, url: &str, args: &Args, members: &[&str]) -> Result<Value, ApiError> {
    list_that(st, kind, url, args, members, |_| true)
}

/// Like [`list`], but only for the objects that also pass `fits`.
///
/// # Errors
/// See [`page_of`].
pub fn list_that(
    st: &State,
    kind: &str,
    url: &str,
    args: &Args,
    members: &[&str],
    fits: impl Fn(&Object) -> bool,
) -> Result<Value, ApiError> {
    let wanted: Vec<(&str, &Value)> = members.iter().filter_map(|m| args.given(m).map(|v| (*m, v))).collect();
    let is_wanted =
        |o: &Arc<Object>| in_created(args, o.int("created")) && wanted.iter().all(|(m, v)| o.get(m) == *v) && fits(o);
    page(args, url, newest(st, args, kind, args.text("customer")).filter(is_wanted))
}
