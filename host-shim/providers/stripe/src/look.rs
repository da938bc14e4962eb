//! Looking for what a call may have made before, so that nothing is made twice once Stripe has forgotten its idempotency
//! key: after a day.

use crate::api::Api;
use crate::failure::Failed;
use crate::marks::{KEY, Marks, SCOPE};
use host_provider_api::Call;
use serde_json::Value;

/// Objects on a page, Stripe's limit.
pub(crate) const PAGE: &str = "100";
/// Pages that are looked through, newest first.
const PAGES_MAX: usize = 10;

/// Whether the call may have been carried out before, in an attempt or generation whose end is not known.
pub(crate) fn may_be_done(call: &Call) -> bool {
    call.attempt > 1 || call.lease > 1 || call.generation > 1
}

/// The object that the call made, among the newest thousand of a list.
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

/// The object that the call made, by Stripe's search. Search knows an object a minute after it was made, so it is for what
/// an idempotency key no longer holds.
pub(crate) fn by_search(api: &Api<'_>, marks: &Marks, path: &str) -> Result<Option<Value>, Failed> {
    let query =
        format!("metadata['{KEY}']:'{}' AND metadata['{SCOPE}']:'{}'", quoted(&marks.key), quoted(&marks.scope));
    let found = api.get(format!("{path}/search"), &[("query", &query), ("limit", PAGE)])?.object;
    for object in data(&found)? {
        // What search finds is compared once more: it knows no case of letters.
        if marks.made(object)? {
            return Ok(Some(object.clone()));
        }
    }
    Ok(None)
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

/// Visit a list's objects, newest first, until the visitor has enough, at most so many pages; false if more are left.
pub(crate) fn pages(
    api: &Api<'_>,
    path: &str,
    filter: &[(&str, &str)],
    pages_max: usize,
    visit: &mut dyn FnMut(Value) -> Result<bool, Failed>,
) -> Result<bool, Failed> {
    let mut after: Option<String> = None;
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

fn data(list: &Value) -> Result<&[Value], Failed> {
    let data = list.get("data").and_then(Value::as_array).map(Vec::as_slice);
    data.ok_or(Failed::Unreadable { status: 200, reason: "a list without `data`" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_ends_no_query() {
        assert_eq!(quoted(r"a'b\c"), r"a\'b\\c");
    }
}
