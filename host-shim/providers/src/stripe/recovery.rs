//! Finds the object that an earlier attempt of a call created. This prevents a second object after Stripe has forgotten
//! the idempotency key, which it does after a day.

use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::{KEY, Marks, SCOPE};
use host_provider_api::Call;
use serde_json::Value;

/// Objects per page, Stripe's limit.
pub(crate) const PAGE: &str = "100";
/// Maximum number of list pages that are searched for an object. The first page has the newest objects.
pub(crate) const PAGES_MAX: usize = 10;

/// Returns true if an earlier attempt or generation of the call may have taken effect.
pub(crate) fn may_be_done(call: &Call) -> bool {
    call.attempt > 1 || call.lease > 1 || call.generation > 1
}

/// Finds the call's object among the newest 1000 objects of a list.
pub(crate) fn in_list(
    api: &Api<'_>,
    marks: &Marks,
    path: &str,
    filter: &[(&str, &str)],
) -> Result<Option<Value>, Failed> {
    let mut found = None;
    pages(api, path, filter, PAGES_MAX, &mut |object| {
        if marks.made(&object)? {
            found = Some(object);
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}

/// Finds the call's object with Stripe's search. Stripe indexes an object about a minute after its creation; until
/// then, only the idempotency key prevents a second object.
pub(crate) fn by_search(api: &Api<'_>, marks: &Marks, path: &str) -> Result<Option<Value>, Failed> {
    let query =
        format!("metadata['{KEY}']:'{}' AND metadata['{SCOPE}']:'{}'", quoted(&marks.key), quoted(&marks.scope));
    let found = api.get(format!("{path}/search"), &[("query", &query), ("limit", PAGE)])?.object;
    for object in data(&found)? {
        // The search ignores case, so the marks of its results are compared.
        if marks.made(object)? {
            return Ok(Some(object.clone()));
        }
    }
    Ok(None)
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// Calls `visit` for the objects of a list, newest first, until it returns false or `pages_max` pages have been read.
/// Returns false if the list has more pages.
pub(crate) fn pages(
    api: &Api<'_>,
    path: &str,
    filter: &[(&str, &str)],
    pages_max: usize,
    visit: &mut dyn FnMut(Value) -> Result<bool, Failed>,
) -> Result<bool, Failed> {
    pages_after(api, path, filter, None, pages_max, visit)
}

/// Like [`pages`], but begins after an object of the list.
pub(crate) fn pages_after(
    api: &Api<'_>,
    path: &str,
    filter: &[(&str, &str)],
    after: Option<&str>,
    pages_max: usize,
    visit: &mut dyn FnMut(Value) -> Result<bool, Failed>,
) -> Result<bool, Failed> {
    let mut after = after.map(str::to_owned);
    for _ in 0..pages_max {
        let mut query = vec![("limit", PAGE)];
        query.extend_from_slice(filter);
        query.extend(after.as_deref().map(|after| ("starting_after", after)));
        let page = api.get(path.to_owned(), &query)?.object;
        let objects = data(&page)?;
        let last = objects.last().and_then(|object| object.get("id")).and_then(Value::as_str);
        let next = last.filter(|_| page.get("has_more") == Some(&Value::Bool(true))).map(str::to_owned);
        for object in objects {
            if !visit(object.clone())? {
                return Ok(true);
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(true),
        }
    }
    Ok(false)
}

/// Returns the objects of a list.
pub(crate) fn data(list: &Value) -> Result<&[Value], Failed> {
    let data = list.get("data").and_then(Value::as_array).map(Vec::as_slice);
    data.ok_or(Failed::Unreadable { status: 200, reason: "a list without `data`" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_queries_are_escaped() {
        assert_eq!(quoted(r"a'b\c"), r"a\'b\\c");
    }
}
