//! Explores the extension as it is: no law breaks, and the number of variants is as computed.

use super::support::{explored, tale};
use host_explore::{Counts, VariantKind};
use test_support::in_business;

#[test]
fn orders_and_repeats_of_a_story_are_complete() {
    let story = in_business("solobase/scenarios/requirements/billing-history.yml");
    let tale = tale(&story, &host_replay::native::runners());
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
    let tale =
        tale(&in_business("solobase/scenarios/requirements/delete-by-customer.yml"), &host_replay::native::runners());
    let found = explored(&tale, &[VariantKind::Failures]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(found.counts[&VariantKind::Failures].variants, 72, "twelve calls in six ways");
}

#[test]
fn a_crash_at_every_write_and_at_every_write_of_the_restart_ends_as_the_written_story() {
    let tale =
        tale(&in_business("solobase/scenarios/requirements/subscribe-hobby.yml"), &host_replay::native::runners());
    let found = explored(&tale, &[VariantKind::Crashes]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let Counts { variants, runs, .. } = found.counts[&VariantKind::Crashes];
    assert!(variants >= 50, "{variants} crashes");
    assert!(runs < variants, "runs that reach the same point are played once");
}

#[test]
fn credits_that_are_paid_after_the_month_of_their_use_was_closed_break_no_law() {
    let story = r#"name: credits are paid and used, and the month ends
given: {account: "user:ana", answers: {"checkout:*": {ok: {session_id: cs_1}}}}
events:
  - {command: purchase.create, id: buy, payload: {product_type: credit_pack, item: 1000}}
  - {stripe: checkout.session.completed, set: {id: cs_1, mode: payment, subscription: null, payment_intent: pi_1,
     payment_status: paid, metadata: {purchase_id: pur_e8197b20f8e71e42}, amount_subtotal: 1000, amount_total: 1000}}
  - {usage: {meter: transcription, quantity: 300, language: en}}
  - advance: 40d
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("late.yml");
    std::fs::write(&file, story).expect("written");
    std::fs::copy(in_business("full-podcasts/catalog.yml"), folder.path().join("catalog.yml")).expect("copied");
    let found = explored(&tale(&file, &host_replay::native::runners()), &[VariantKind::Drops]);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(found.counts[&VariantKind::Drops].variants, 1, "the payment is lost, and arrives 40 days later");
}
