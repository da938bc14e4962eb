//! The extension as it is holds, and every variant there is was judged.

use super::support::{explored, fixture, tale};
use host_explore::{Counts, Kind};
use host_replay::runners::Runners;

#[test]
fn a_story_that_holds_in_every_order_is_played_in_every_order() {
    let story = fixture("solobase/scenarios/requirements/billing-history.yml");
    let tale = tale(&story, &Runners::native());
    let found = explored(&tale, &[Kind::Orders, Kind::Repeats]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let orders = found.counts[&Kind::Orders];
    assert_eq!((orders.variants, orders.broken), (12, 0), "3! orders, with effects held back and carried out in between");
    let Counts { variants, broken, .. } = found.counts[&Kind::Repeats];
    let events = tale.scenario.steps.iter().filter(|step| step.action.event_id().is_some()).count() as u64;
    assert_eq!((variants, broken), (2 * events, 0), "each event once more at once, and at the end");
}

#[test]
fn every_call_of_a_saga_goes_wrong_in_every_way_and_every_write_is_a_crash() {
    let story = fixture("solobase/scenarios/requirements/delete-by-customer.yml");
    let tale = tale(&story, &Runners::native());
    let found = explored(&tale, &[Kind::Failures, Kind::Crashes]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let of = |kind: Kind| found.counts[&kind];
    assert!(of(Kind::Failures).variants >= 60, "{:?}", found.counts);
    assert!(of(Kind::Crashes).variants >= 100, "{:?}", found.counts);
    assert!(of(Kind::Crashes).runs < of(Kind::Crashes).variants, "what comes to the same point is played once");
}
