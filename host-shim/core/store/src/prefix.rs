//! Ranges of ids and keys that start with a prefix, in byte order.

use extension_contract::RowKind;
use std::ops::Bound;

/// Returns the prefix of the keys of a kind.
pub fn kind_prefix(kind: &RowKind) -> String {
    match kind {
        RowKind::Product => "product:".to_owned(),
        RowKind::Price => "price:".to_owned(),
        RowKind::Purchase => "purchase:".to_owned(),
        RowKind::Subscription => "subscription:".to_owned(),
        RowKind::Record(collection) => format!("record:{collection}:"),
    }
}

/// Returns the smallest string that is greater than all strings with a prefix, if any.
pub fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // A range of `char` skips the surrogates, as the byte order of UTF-8 does.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Returns the bounds of a scan of the ids with a prefix that follow `after` in the direction of the scan. The lower
/// bound is inclusive; the upper bound is exclusive, and none if the range has no end.
pub fn scan_bounds(prefix: &str, descending: bool, after: Option<&str>) -> (String, Option<String>) {
    let (from, to) = text_range(prefix, descending, after.map(str::to_owned));
    let from = match from {
        Bound::Included(from) => from,
        // A string followed by a zero byte is the next string in byte order.
        Bound::Excluded(after) => after + "\0",
        Bound::Unbounded => String::new(),
    };
    let to = match to {
        Bound::Included(to) | Bound::Excluded(to) => Some(to),
        Bound::Unbounded => None,
    };
    (from, to)
}

/// Returns the bounds of the strings with a prefix that follow `after` in the direction of a scan.
pub fn text_range(prefix: &str, descending: bool, after: Option<String>) -> (Bound<String>, Bound<String>) {
    let (from, end) = (Bound::Included(prefix.to_owned()), prefix_end(prefix));
    match after {
        Some(after) if descending && end.as_ref().is_none_or(|end| after < *end) => (from, Bound::Excluded(after)),
        Some(after) if !descending && after.as_str() >= prefix => {
            (Bound::Excluded(after), end.map_or(Bound::Unbounded, Bound::Excluded))
        }
        _ => (from, end.map_or(Bound::Unbounded, Bound::Excluded)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn prefix_end_follows_every_text_with_the_prefix(prefix in "[a\u{d7ff}\u{10ffff}]{0,3}", rest in "\\PC{0,3}") {
            let text = format!("{prefix}{rest}");
            prop_assert!(prefix_end(&prefix).is_none_or(|end| text < end && prefix < end));
        }

        #[test]
        fn scan_bounds_include_exactly_the_ids_with_the_prefix_after_the_start(
            prefix in "[ab]{0,2}", id in "[ab\u{10ffff}]{0,4}", after in "[ab]{0,4}", descending: bool
        ) {
            let (from, to) = scan_bounds(&prefix, descending, Some(&after));
            let beyond = if descending { id < after } else { id > after };
            let inside = id >= from && to.is_none_or(|to| id < to);
            prop_assert_eq!(inside, id.starts_with(&prefix) && beyond);
        }
    }
}
