//! Tests when an operator is alerted to a paid session that no account holds.

use super::story_bytes;
use end_to_end::world::{Setup, World};

fn alerts(step: &str) -> Vec<(&'static str, bool)> {
    let mut world = World::start(Setup::default());
    let event = story_bytes::events(step).remove(0);
    let reports = world.deliver(&event).expect("the store has no fault");
    reports.iter().map(|report| (report.result.name(), report.alert)).collect()
}

#[test]
fn operators_hear_at_once_of_a_paid_session_with_our_metadata_and_no_account() {
    let ours = "metadata: {purchase_id: pur_1}";
    let paid = format!("  - {{stripe: checkout.session.completed, set: {{{ours}}}}}\n");
    assert_eq!(alerts(&paid), [("deferred", true)]);
    let unpaid = format!("  - {{stripe: checkout.session.completed, set: {{payment_status: unpaid, {ours}}}}}\n");
    assert_eq!(alerts(&unpaid), [("deferred", false)]);
    let of_others = "  - {stripe: checkout.session.completed, set: {metadata: {}}}\n";
    assert_eq!(alerts(of_others), [("deferred", false)]);
}
