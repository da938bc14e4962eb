//! A story in different API versions ends in the same state.

use super::support::{cases, judged, report_failure};
use end_to_end::books::Books;
use end_to_end::compare::difference;
use end_to_end::moves::moves;
use end_to_end::people::checked_story;
use end_to_end::story::VERSIONS;
use end_to_end::world::Setup;
use proptest::prelude::*;
use serde_json::Value;

/// The state without the members that only one API version contains: since basil, a payment names its invoice only
/// after the invoice is paid.
fn in_both_versions(mut document: Value, books: &Books) -> Value {
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

proptest! {
    #![proptest_config(cases(24))]

    /// Property 6: re-shaping. Each version is also checked with the oracle.
    // covers: S79
    #[test]
    fn a_story_in_another_api_version_ends_in_the_same_state(moves in moves(8)) {
        let checked = checked_story("A", &moves);
        let story = &checked.story;
        let end = |version| {
            let world = judged(&Setup::default(), &checked, &story.parts_in(version))?;
            Ok(in_both_versions(world.document(), &story.books))
        };
        let law = VERSIONS.map(end).into_iter().collect::<Result<Vec<Value>, String>>().and_then(|ends| {
            difference(&ends[0], &ends[1]).map_or(Ok(()), |other| Err(format!("the versions differ: {other}")))
        });
        report_failure("versions", &[story], law)?;
    }
}
