//! Tests of placement: to which account an event belongs.

use super::events::{T0, command, lines, things, user, webhook};
use super::toy::FUEL;
use super::{accept, processor};
use extension_contract::{Account, Outcome, Payload, PaymentFacts, Refusal};
use host_engine::processor::{Disposition, Report, WAIT_MAX_MS};
use host_store::InboxState;
use serde_json::json;

#[test]
fn a_command_runs_in_the_account_that_it_names() {
    let mut processor = processor();
    assert_eq!(accept(&mut processor, vec![command("c1", "a", T0, json!({}))]), ["c1: applied"]);
    assert_eq!(things(processor.store(), "a", "ran/"), ["c1"]);
    assert_eq!(things(processor.store(), "b", "ran/"), [""; 0]);
}

#[test]
fn a_payment_event_goes_to_the_holder_of_its_claim() {
    let mut processor = processor();
    accept(&mut processor, vec![command("c1", "a", T0, json!({"take": ["customer:1"]}))]);
    let reports = processor
        .accept(webhook("e1", T0, json!({"keys": ["subscription:1", "customer:1"]})), b"raw".to_vec())
        .unwrap();
    assert_eq!(lines(&reports), ["e1: applied"]);
    assert_eq!((&reports[0].account, reports[0].fuel), (&Some(user("a")), FUEL));
    let row = processor.store().inbox(reports[0].seq).unwrap().unwrap();
    assert_eq!((row.event.account, row.raw, row.state), (Some(user("a")), b"raw".to_vec(), InboxState::Done));
    let provenance = row.provenance.unwrap();
    assert_eq!((&*provenance.catalog_hash, &*provenance.component_hash, provenance.fuel), ("catalog", "toy", FUEL));
}

#[test]
fn a_claim_wins_over_metadata() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            command("c1", "a", T0, json!({"take": ["customer:1"]})),
            webhook("e1", T0, json!({"keys": ["customer:1"], "account": "user:b"})),
        ],
    );
    assert_eq!(lines, ["c1: applied", "e1: applied"]);
    assert_eq!(things(processor.store(), "a", "ran/"), ["c1", "e1"]);
}

#[test]
fn keys_held_by_two_accounts_are_rejected_as_inconsistent() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            command("c1", "a", T0, json!({"take": ["customer:1"]})),
            command("c2", "b", T0, json!({"take": ["intent:2"]})),
            webhook("e1", T0, json!({"keys": ["customer:1", "session:3", "intent:2"]})),
        ],
    );
    assert_eq!(lines[2], "e1: rejected(inconsistent(customer:1 and intent:2 belong to two accounts))");
    assert_eq!(things(processor.store(), "a", "ran/"), ["c1"]);
    assert_eq!(things(processor.store(), "b", "ran/"), ["c2"]);
}

#[test]
fn metadata_places_only_events_of_our_own_stripe_account() {
    let mut processor = processor();
    let of_ours = webhook("e1", T0, json!({"keys": ["customer:1"], "account": "user:a", "take": ["customer:1"]}));
    let mut of_connected = webhook("e2", T0, json!({"keys": ["customer:2"], "account": "user:a"}));
    of_connected.payment = Some(PaymentFacts { connected_account: Some("acct_9".into()), ..Default::default() });
    let reports = accept(&mut processor, vec![of_ours, of_connected]);
    assert_eq!(reports, ["e1: applied", "e2: deferred(claim(customer:2))"]);
    let placed = processor.accept(webhook("e3", T0, json!({"keys": ["customer:1"]})), Vec::new()).unwrap();
    assert_eq!(placed[0].account, Some(user("a")), "the first event claimed the customer");
}

#[test]
fn a_connected_account_has_claims_of_its_own() {
    let mut processor = processor();
    let mut connected = webhook("e1", T0, json!({"keys": ["customer:1"]}));
    connected.payment = Some(PaymentFacts { connected_account: Some("acct_9".into()), ..Default::default() });
    let lines = accept(&mut processor, vec![command("c1", "a", T0, json!({"take": ["customer:1"]})), connected]);
    assert_eq!(lines[1], "e1: deferred(claim(customer:1))");
}

#[test]
fn an_event_with_only_foreign_prices_waits_for_a_key_without_our_mark() {
    let mut processor = processor();
    let foreign = |id| webhook(id, T0, json!({"keys": ["customer:1"], "mark": "by-prices", "prices": ["price_x"]}));
    let take = command("c1", "a", T0, json!({"take": ["customer:1"]}));
    let lines = accept(&mut processor, vec![foreign("e1"), take, foreign("e2")]);
    assert_eq!(lines, ["e1: deferred(claim(customer:1))", "c1: applied", "later e1: applied", "e2: applied"]);
}

#[test]
fn an_event_with_a_price_of_the_catalog_is_parked_with_our_mark() {
    let mut processor = processor();
    let mut sell = command("c1", "a", T0, json!({"sell": ["price_1"]}));
    sell.account = Some(Account::Platform);
    let sold = json!({"keys": ["customer:1"], "mark": "by-prices", "prices": ["price_x", "price_1"]});
    let unknown = json!({"keys": ["customer:1"], "mark": "unknown"});
    let lines = accept(&mut processor, vec![sell, webhook("e1", T0, sold), webhook("e2", T0, unknown)]);
    assert_eq!(lines[1..], ["e1: deferred(claim(customer:1))", "e2: deferred(claim(customer:1))"]);
    let given_up = processor.expire(T0 + WAIT_MAX_MS + 1).unwrap();
    assert_eq!(super::events::lines(&given_up), ["later e1: rejected(unclaimed)", "later e2: ignored(not-ours)"]);
}

#[test]
fn an_operator_hears_at_once_of_a_parked_event_about_which_the_extension_logs_an_error() {
    let mut processor = processor();
    let alerts = |reports: &[Report]| reports.iter().map(|report| report.alert).collect::<Vec<_>>();
    let quiet = webhook("e1", T0, json!({"keys": ["customer:1"], "mark": "ours"}));
    assert_eq!(alerts(&processor.accept(quiet, Vec::new()).unwrap()), [false]);
    let loud = webhook("e2", T0, json!({"keys": ["customer:1"], "mark": "ours", "log": "a paid session"}));
    let reports = processor.accept(loud, Vec::new()).unwrap();
    assert_eq!((lines(&reports), alerts(&reports)), (vec!["e2: deferred(claim(customer:1))".into()], vec![true]));
    // The account that takes the event reports it as usual.
    let taken = processor.accept(command("c1", "a", T0, json!({"take": ["customer:1"]})), Vec::new()).unwrap();
    assert_eq!(alerts(&taken), [false, false, false]);
}

#[test]
fn the_extension_can_place_an_event_in_the_platform_account() {
    let mut processor = processor();
    let of_catalog = webhook("e1", T0, json!({"account": "platform"}));
    let reports = processor.accept(of_catalog, Vec::new()).unwrap();
    assert_eq!((lines(&reports), &reports[0].account), (vec!["e1: applied".into()], &Some(Account::Platform)));
}

#[test]
fn an_event_without_a_valid_key_is_rejected_and_changes_nothing() {
    let mut processor = processor();
    let reports = processor.accept(webhook("e1", T0, json!({"note": ["f"], "take": ["name:x"]})), Vec::new()).unwrap();
    assert_eq!(lines(&reports), ["e1: rejected(malformed(/data/object/id))"]);
    assert_eq!((&reports[0].account, reports[0].alert), (&None, true));
    assert_eq!(processor.store().scopes(None).unwrap(), []);
    assert_eq!(processor.store().claims(&["toys/test//name:x".into()]).unwrap(), [None]);
}

/// A3
#[test]
fn an_invalid_account_name_is_rejected_and_is_not_the_platform() {
    let mut processor = processor();
    let longest = "u".repeat(255);
    for (n, id) in [&*"u".repeat(256), "a\0b", "a\nb"].into_iter().enumerate() {
        let named = json!({"keys": ["customer:1"], "account": format!("user:{id}"), "take": ["customer:1"]});
        let mut event = webhook(&format!("e{n}"), T0, json!({}));
        event.payload = Payload::Payment(named.to_string().into_bytes());
        let reports = processor.accept(event, Vec::new()).unwrap();
        let refusal = Refusal::Malformed("/data/object/metadata".into());
        assert_eq!(reports[0].result, Disposition::Outcome(Outcome::Rejected(refusal)), "{id:?}");
        assert_eq!((&reports[0].account, reports[0].alert), (&None, true));
    }
    assert_eq!(processor.store().scopes(None).unwrap(), []);
    let lines = accept(&mut processor, vec![webhook("e9", T0, json!({"account": format!("user:{longest}")}))]);
    assert_eq!(lines, ["e9: applied"]);
}

#[test]
fn an_unreadable_body_is_passed_to_the_extension() {
    let mut processor = processor();
    let mut broken = webhook("e1", T0, json!({}));
    broken.payload = Payload::Payment(vec![0xff, b'{']);
    let reports = processor.accept(broken, Vec::new()).unwrap();
    assert_eq!(lines(&reports), ["e1: rejected(malformed)"]);
    assert!(reports[0].alert, "the event has no caller");
}

#[test]
fn a_repeated_id_is_a_duplicate_without_a_call() {
    let mut processor = processor();
    let events = || vec![command("c1", "a", T0, json!({"note": ["f"]}))];
    assert_eq!(accept(&mut processor, events()), ["c1: applied"]);
    let again = processor.accept(events().remove(0), Vec::new()).unwrap();
    assert_eq!(lines(&again), ["c1: duplicate(c1)"]);
    assert_eq!((again[0].seq, again[0].fuel, again[0].effects.len()), (1, 0, 0));
    assert_eq!(processor.inbox_after(0, 10).unwrap().len(), 1);
}

#[test]
fn the_same_id_of_another_source_is_another_event() {
    let mut processor = processor();
    let mut other = command("c1", "a", T0, json!({}));
    other.source = "elsewhere".into();
    let lines = accept(&mut processor, vec![command("c1", "a", T0, json!({})), other]);
    assert_eq!(lines, ["c1: applied", "c1: applied"]);
}

#[test]
fn an_event_that_fails_before_its_placement_is_retried_unplaced() {
    let mut processor = processor();
    let reports =
        processor.accept(webhook("e1", T0, json!({"fail_early": 1, "account": "user:a"})), Vec::new()).unwrap();
    assert!(matches!(reports[0].result, Disposition::Failed(_)), "{reports:?}");
    assert_eq!(reports[0].account, None);
    assert_eq!(super::retry(&mut processor, T0 + 1_000), ["later e1: applied"]);
}

#[test]
fn a_rejection_with_a_caller_is_a_reply_and_not_an_alert() {
    let mut processor = processor();
    let refused = command("c1", "a", T0, json!({"outcome": {"rejected": {"already-owned": "plan"}}}));
    let reports = processor.accept(refused, Vec::new()).unwrap();
    let refusal = Refusal::AlreadyOwned("plan".into());
    assert_eq!(reports[0].reply, Some(extension_contract::Reply::Refused(refusal)));
    assert!(!reports[0].alert);
}
