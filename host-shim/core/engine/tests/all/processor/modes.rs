//! Tests of modes and kinds: which events are decided without calling the extension.

use super::events::{T0, webhook};
use super::{accept, business, processor, toy::ToyRunner};
use extension_contract::{Account, Event, PaymentFacts};
use host_engine::processor::{Business, Processor};
use host_store::MemoryStore;
use serde_json::json;

fn of(id: &str, livemode: Option<bool>, secret: Option<&str>, connected: Option<&str>) -> Event {
    let mut event = webhook(id, T0, json!({"account": "platform"}));
    event.livemode = livemode;
    event.payment = Some(PaymentFacts {
        source: "stripe".into(),
        matched_secret: secret.map(str::to_owned),
        connected_account: connected.map(str::to_owned),
        ..PaymentFacts::default()
    });
    event
}

/// S76, Q-84
#[test]
fn an_event_of_the_other_mode_is_recorded_and_ignored() {
    let mut at_test = processor();
    assert_eq!(accept(&mut at_test, vec![of("e1", Some(true), None, None)]), ["e1: ignored(wrong-mode)"]);
    assert_eq!(at_test.inbox_after(0, 10).unwrap().len(), 1);
    assert_eq!(at_test.store().account(&at_test.scope(Account::Platform)).unwrap().revision, 0);
    assert_eq!(at_test.store().scopes(None).unwrap(), []);

    let live = Business { livemode: true, ..business() };
    let mut at_live = Processor::new(Box::new(MemoryStore::new()), Box::new(ToyRunner::new(1)), live).unwrap();
    let test_event_at_live_connect_endpoint = of("e1", Some(false), Some("live/connect"), Some("acct_9"));
    assert_eq!(accept(&mut at_live, vec![test_event_at_live_connect_endpoint]), ["e1: ignored(wrong-mode)"]);
}

/// S09
#[test]
fn an_event_signed_with_a_secret_of_the_other_mode_is_rejected() {
    let mut processor = processor();
    let lines = accept(
        &mut processor,
        vec![
            of("e1", Some(true), Some("test/platform"), None),
            of("e2", Some(false), Some("live/platform"), None),
            of("e3", Some(false), Some("test/platform"), None),
            of("e4", None, Some("live/platform"), None),
        ],
    );
    let expected = ["e1: rejected(mode-mismatch)", "e2: rejected(mode-mismatch)", "e3: applied", "e4: applied"];
    assert_eq!(lines, expected);
}

#[test]
fn an_undeclared_kind_is_ignored_without_a_call() {
    let mut processor = processor();
    let mut other = webhook("e1", T0, json!({"trap": true}));
    other.kind = "thing.else".into();
    let reports = processor.accept(other, Vec::new()).unwrap();
    assert_eq!(super::events::lines(&reports), ["e1: ignored(unhandled-kind)"]);
    assert_eq!(reports[0].fuel, 0);
}

#[test]
fn an_event_without_a_kind_is_passed_to_the_extension() {
    let mut processor = processor();
    let mut without =
        webhook("e1", T0, json!({"account": "platform", "outcome": {"rejected": {"malformed": "/type"}}}));
    without.kind = String::new();
    assert_eq!(accept(&mut processor, vec![without]), ["e1: rejected(malformed(/type))"]);
}
