//! Explores the extension as it is: no law breaks, and the number of variants is as computed.

use super::support::{explored, fixture, tale};
use host_explore::{Counts, VariantKind};

#[test]
fn orders_and_repeats_of_a_story_are_complete() {
    let story = fixture("solobase/scenarios/requirements/billing-history.yml");
    let tale = tale(&story, &host_native::runners());
    let found = explored(&tale, &[VariantKind::Orders, VariantKind::Repeats]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let orders = found.counts[&VariantKind::Orders];
    assert_eq!(
        (orders.variants, orders.broken),
        (12, 0),
        "3! orders, with effects held back and carried out in between"
    );
    let Counts { variants, broken, .. } = found.counts[&VariantKind::Repeats];
    let events = tale.scenario.steps.iter().filter(|step| step.action.event_id().is_some()).count() as u64;
    assert_eq!((variants, broken), (2 * events, 0), "each event once more at once, and at the end");
}

#[test]
fn every_call_of_a_saga_fails_in_every_way() {
    let tale = tale(&fixture("solobase/scenarios/requirements/delete-by-customer.yml"), &host_native::runners());
    let found = explored(&tale, &[VariantKind::Failures]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(found.counts[&VariantKind::Failures].variants, 72, "twelve calls in six ways");
}

#[test]
fn a_crash_at_every_write_and_at_every_write_of_the_restart_ends_as_the_written_story() {
    let tale = tale(&fixture("solobase/scenarios/requirements/subscribe-hobby.yml"), &host_native::runners());
    let found = explored(&tale, &[VariantKind::Crashes]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let Counts { variants, runs, .. } = found.counts[&VariantKind::Crashes];
    assert!(variants >= 50, "{variants} crashes");
    assert!(runs < variants, "runs that reach the same point are played once");
}
