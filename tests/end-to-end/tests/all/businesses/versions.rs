//! Stories of every business in different API versions end in the same state.

use super::support::{of_every_business, played, report_failure, settled};
use end_to_end::books::Books;
use end_to_end::compare::difference;
use end_to_end::story::VERSIONS;
use end_to_end::traders::checked_story;
use serde_json::Value;

/// The state without the members that only one API version contains: since basil, a payment names its invoice only
/// after the invoice is paid.
fn in_both_versions(document: Value, books: &Books) -> Value {
    let mut document = settled(document);
    for rows in document["accounts"].as_array_mut().into_iter().flatten() {
        let payments = rows.pointer_mut("/records/payments").and_then(Value::as_array_mut);
        for payment in payments.into_iter().flatten().filter_map(|row| row["value"].as_object_mut()) {
            if !payment.get("invoice").and_then(Value::as_str).is_some_and(|invoice| books.paid.contains(invoice)) {
                payment.remove("invoice");
            }
        }
    }
    document
}

/// Property 6: re-shaping.
#[test]
fn a_story_in_another_api_version_ends_in_the_same_state() {
    of_every_business(file!(), 6, 10, |catalog, moves, _, _| {
        let story = checked_story(catalog, "A", moves).story;
        let end =
            |version| in_both_versions(played(&story.business, &story.parts_in(version)).document(), &story.books);
        let [old, new] = VERSIONS.map(end);
        let law = difference(&old, &new).map_or(Ok(()), |difference| Err(format!("the versions differ: {difference}")));
        report_failure("versions", &story, law)
    });
}
