//! Tests webhooks while the store fails, and eight concurrent deliveries of one event.

use super::support::{Delivered, Serving};
use end_to_end::play::bodies;
use end_to_end::world::{START_MS, saas_plugins};
use extension_contract::Payload;
use host_intake::signature::TOLERANCE_S_DEFAULT;
use host_intake::testing::signature;
use host_intake::{EndpointSecrets, Mode, SecretConfig};
use host_provider_api::scripted::Scripted;
use host_store::testing::{Faults, Moment, Then};
use host_store::{InboxRow, MemoryStore, SqliteStore, Store};
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

const SUBSCRIBED: &str = "name: x\nevents:\n  - {stripe: customer.subscription.created, set: {customer: cus_1, \
                          metadata: {user_id: u1}, price: price_editor_m}}\n";

fn subscribed() -> Vec<u8> {
    bodies(SUBSCRIBED).remove(0)
}

/// Returns the HTTP status, and the outcome of the event, or `nothing` if no event was stored.
fn answered(delivered: &Delivered) -> (u16, &'static str) {
    (delivered.status, delivered.reports.first().map_or("nothing", |report| report.result.name()))
}

/// The rows of the inbox.
fn rows(serving: &Serving) -> Vec<InboxRow> {
    serving.jobs().look(|processor| processor.inbox_after(0, 100).expect("read")).expect("a running writer")
}

fn is_there(serving: &Serving) -> bool {
    rows(serving).iter().any(|row| row.event.id == "evt_1")
}

// covers: S16
#[test]
fn a_failed_write_is_answered_503_and_the_retry_is_applied() {
    let body = subscribed();
    // Writes 1 to 3 are begin, event and commit. A failure at a later write does not undo the acknowledged event.
    for (write, is_kept) in [(1, false), (2, false), (3, false), (4, true)] {
        let faults = Faults::new(Box::new(MemoryStore::new()));
        let serving = Serving::start(saas_plugins(), faults.open(), &Scripted::new());
        serving.settle();
        faults.fail_at(write, Moment::Before, Then::Alive);
        let first = answered(&serving.stripe(&body));
        faults.clear();
        match is_kept {
            true => assert_eq!((first, is_there(&serving)), ((200, "applied"), true), "write {write}"),
            false => {
                assert_eq!((first, is_there(&serving)), ((503, "nothing"), false), "write {write}");
                assert_eq!(answered(&serving.stripe(&body)), (200, "applied"), "write {write}");
            }
        }
        assert_eq!(answered(&serving.stripe(&body)), (200, "duplicate"), "write {write}");
        serving.stop();
    }
}

#[test]
fn a_retry_after_a_lost_answer_is_a_duplicate() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let serving = Serving::start(saas_plugins(), faults.open(), &Scripted::new());
    serving.settle();
    faults.fail_reads(true);
    assert_eq!(answered(&serving.stripe(&subscribed())), (503, "nothing"));
    faults.fail_reads(false);
    assert_eq!(answered(&serving.stripe(&subscribed())), (200, "applied"));
    serving.settle();
    // Write 3 is the commit, after begin and event. The commit succeeds, but its answer is lost.
    faults.fail_at(3, Moment::After, Then::Alive);
    let other = bodies(&SUBSCRIBED.replace("created,", "updated, id: evt_2,")).remove(0);
    assert_eq!(answered(&serving.stripe(&other)), (503, "nothing"));
    faults.clear();
    assert_eq!(answered(&serving.stripe(&other)), (200, "duplicate"));
    serving.stop();
}

// covers: PLG-30
#[test]
fn an_unsigned_body_is_only_counted() {
    let serving = Serving::start(saas_plugins(), Box::new(MemoryStore::new()), &Scripted::new());
    serving.settle();
    let kept = || (rows(&serving).len(), serving.called());
    let (body, before) = (subscribed(), kept());
    let mut other = body.clone();
    other.push(b' ');
    let signature = serving.signature(&body);
    for (signature, body, counted) in [
        (Some(signature.as_str()), &other, "mismatch"),
        (Some("t=1,v1=00"), &body, "no-signature"),
        (None, &body, "missing"),
    ] {
        let refused = serving.stripe_signed(signature, body);
        assert_eq!((refused.status, refused.counted), (400, Some(counted)));
        assert!(refused.reports.is_empty() && refused.quarantined.is_none());
        serving.settle();
        assert_eq!(kept(), before, "{counted}");
    }
    assert_eq!(answered(&serving.stripe_signed(Some(&signature), &body)), (200, "applied"));
    serving.stop();
}

// covers: S01, S10
#[test]
fn a_signed_body_is_stored_unchanged_and_its_repetition_has_no_effects() {
    let serving = Serving::start(saas_plugins(), Box::new(MemoryStore::new()), &Scripted::new());
    serving.settle();
    let (body, before) = (subscribed(), rows(&serving).len());
    let signature = serving.signature(&body);
    let first = serving.stripe_signed(Some(&signature), &body);
    assert_eq!(answered(&first), (200, "applied"));
    assert!(first.reports.iter().any(|report| !report.effects.is_empty()), "the event has effects");
    serving.settle();
    let kept = rows(&serving);
    let payloads: Vec<_> =
        kept[before..].iter().filter(|row| row.event.id == "evt_1").map(|row| &row.event.payload).collect();
    assert!(payloads == [&Payload::Payment(body.clone())], "the exact bytes, once");
    let called = serving.called();
    let again = serving.stripe_signed(Some(&signature), &body);
    assert_eq!(answered(&again), (200, "duplicate"));
    assert!(again.reports.iter().all(|report| report.effects.is_empty()), "{:?}", again.reports);
    serving.settle();
    assert_eq!((rows(&serving), serving.called()), (kept, called));
    serving.stop();
}

// covers: S04
#[test]
fn during_a_rotation_events_signed_with_the_old_or_the_new_secret_are_applied() {
    let (old, new) = ("whsec_old", "whsec_new");
    let secret = |secret: &str| SecretConfig {
        name: secret.trim_start_matches("whsec_").to_owned(),
        mode: Mode::Test,
        connect: None,
        secret: secret.to_owned(),
    };
    let body = subscribed();
    let signed = |secrets: &[&str]| {
        let signatures = secrets.iter().map(|secret| format!(",v1={}", signature(secret, START_MS / 1000, &body)));
        format!("t={}{}", START_MS / 1000, signatures.collect::<String>())
    };
    for (configured, header, expected) in [
        (vec![old, new], signed(&[old, new]), (200, "applied")),
        (vec![old, new], signed(&[new, old]), (200, "applied")),
        (vec![old, new], signed(&[new]), (200, "applied")),
        (vec![old], signed(&[old, new]), (200, "applied")),
        (vec![new], signed(&[old, new]), (200, "applied")),
        (vec![old], signed(&[new]), (400, "nothing")),
        (vec!["whsec_other"], signed(&[old, new]), (400, "nothing")),
    ] {
        let mut serving = Serving::start(saas_plugins(), Box::new(MemoryStore::new()), &Scripted::new());
        serving.settle();
        let secrets = configured.iter().map(|text| secret(text)).collect();
        serving.endpoints.stripe = Some(EndpointSecrets::new(secrets, TOLERANCE_S_DEFAULT).expect("secrets"));
        assert_eq!(answered(&serving.stripe_signed(Some(&header), &body)), expected, "{configured:?} {header}");
        assert_eq!(is_there(&serving), expected.0 == 200, "{configured:?} {header}");
        serving.stop();
    }
}

// covers: S12
#[test]
fn a_signed_body_that_is_no_json_is_answered_400_and_quarantined() {
    let serving = Serving::start(saas_plugins(), Box::new(MemoryStore::new()), &Scripted::new());
    serving.settle();
    let before = (rows(&serving), serving.called());
    for body in
        [&b""[..], b"{", b"[]", b"\xEF\xBB\xBF{}", b"{\"id\":\"\xff\"}", b"{\"id\":\"\\ud800\"}", b"{\"id\":\"\0\"}"]
    {
        let refused = serving.stripe(body);
        assert_eq!(answered(&refused), (400, "nothing"), "{}", body.escape_ascii());
        let aside = refused.quarantined.expect("quarantined bytes");
        assert_eq!((&*aside.bytes, aside.sha256.len()), (body, 64), "{}", body.escape_ascii());
        // The bytes of an unsigned body are not stored.
        let unsigned = serving.stripe_signed(Some("t=1,v1=00"), body);
        assert!(unsigned.status == 400 && unsigned.quarantined.is_none(), "{}", body.escape_ascii());
    }
    serving.settle();
    assert_eq!((rows(&serving), serving.called()), before);
    serving.stop();
}

// covers: S18
#[test]
fn eight_concurrent_deliveries_of_one_event_are_applied_once() {
    const TIMES: usize = 8;
    let body = subscribed();
    for hosts in [1, 2] {
        for _ in 0..3 {
            let folder = tempfile::tempdir().expect("a folder");
            let open =
                || -> Box<dyn Store> { Box::new(SqliteStore::open(folder.path().join("state.db")).expect("a store")) };
            let scripted = Scripted::new();
            let serving: Vec<Serving> = (0..hosts).map(|_| Serving::start(saas_plugins(), open(), &scripted)).collect();
            serving.iter().for_each(Serving::settle);
            let before: Vec<String> = serving.iter().flat_map(Serving::called).collect();
            let together = Barrier::new(TIMES);
            let delivered: Vec<Delivered> = thread::scope(|scope| {
                let send = |number: usize| {
                    let (host, body, together) = (&serving[number % hosts], &body, &together);
                    scope.spawn(move || {
                        together.wait();
                        host.stripe(body)
                    })
                };
                let sending: Vec<_> = (0..TIMES).map(send).collect();
                sending.into_iter().map(|sending| sending.join().expect("answered")).collect()
            });
            serving.iter().for_each(Serving::settle);
            let mut answers: Vec<_> = delivered.iter().map(answered).collect();
            answers.sort_unstable();
            let mut expected = vec![(200, "duplicate"); TIMES - 1];
            expected.insert(0, (200, "applied"));
            assert_eq!(answers, expected, "{hosts} hosts");

            let asked: Vec<&str> = delivered
                .iter()
                .flat_map(|delivered| &delivered.reports)
                .flat_map(|report| &report.effects)
                .map(|effect| effect.key.as_str())
                .collect();
            assert!(!asked.is_empty());
            assert_eq!(asked.len(), asked.iter().collect::<BTreeSet<_>>().len(), "{hosts} hosts requested {asked:?}");
            let mut called: Vec<String> = serving.iter().flat_map(Serving::called).collect();
            before.iter().for_each(|call| called.retain(|other| other != call));
            // Two hosts may call a provider for the same effect, under the same key.
            let once: BTreeSet<&String> = called.iter().collect();
            assert!(!once.is_empty() && (hosts > 1 || once.len() == called.len()), "{hosts} hosts called {called:?}");
            let of_account = |call: &&&String| asked.iter().any(|key| call.contains(&format!(" {key}@")));
            assert!(once.iter().all(|call| of_account(&call)), "{once:?}, requested {asked:?}");
            serving.into_iter().for_each(|serving| drop(serving.stop()));
        }
    }
}
