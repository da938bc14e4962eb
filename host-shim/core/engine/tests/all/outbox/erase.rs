//! Tests of the erasure of an account, which the host carries out.

use super::events::{T0, command, lines, user, webhook};
use super::toy::ToyRunner;
use super::{advance, ask, calls, effect, outbox, over, run};
use extension_contract::Event;
use host_engine::outbox::Outbox;
use host_engine::processor::{Business, Processor, replay_log};
use host_engine::view;
use host_provider_api::scripted::Scripted;
use host_store::testing::{Faults, Moment, Then};
use host_store::{EffectState, InboxRow, InboxState, MemoryStore, Read, SqliteStore};
use serde_json::{Value, json};

/// Personal text that an erasure must remove.
const CANARY: &str = "Ann Canary";
const DUE: i64 = T0 + 100;

fn body() -> Value {
    json!({"keys": ["customer:1"], "log": CANARY, "quiet": true})
}

fn mail() -> Value {
    json!({"kind": "mail.send", "key": "m", "payload": {"name": CANARY}, "context": {"name": CANARY}})
}

/// Events of account `a` before its erasure at [`DUE`]: a webhook, commands, a mail, a message to `b`, a timer.
fn story() -> Vec<Event> {
    vec![
        command("c1", "a", T0, json!({"take": ["customer:1"], "log": CANARY})),
        webhook("e1", T0 + 1, body()),
        command(
            "c2",
            "a",
            T0 + 2,
            json!({"ask": [
                mail(),
                {"kind": "account.send", "key": "msg", "to": "user:b", "payload": {"log": CANARY}},
                {"kind": "timer.at", "key": "far", "not_before": T0 + 5_000, "payload": {"log": CANARY}},
                {"kind": "account.erase", "key": "erase", "not_before": DUE},
            ]}),
        ),
        command("c3", "a", T0 + 3, json!({"log": CANARY, "outcome": {"rejected": {"not-found": "it"}}})),
        command("c4", "a", T0 + 4, json!({"log": CANARY, "needs_fact": "later"})),
        command("c5", "b", T0 + 5, json!({"log": CANARY})),
    ]
}

fn accept_story(outbox: &mut Outbox) {
    for event in story() {
        let (at, raw) = (event.received_at, CANARY.as_bytes().to_vec());
        outbox.accept(event, raw).unwrap();
        outbox.run_until_quiet(at).unwrap();
    }
}

fn outbox_with_story() -> (Outbox, Scripted) {
    let (mut outbox, scripted) = outbox();
    accept_story(&mut outbox);
    (outbox, scripted)
}

fn row(outbox: &Outbox, source: &str, id: &str) -> InboxRow {
    let processor = outbox.processor();
    processor.store().event(processor.partition(), source, id).unwrap().unwrap()
}

fn has_canary(row: &InboxRow) -> bool {
    let payload = match &row.event.payload {
        extension_contract::Payload::Payment(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    };
    payload.contains(CANARY) || String::from_utf8_lossy(&row.raw).contains(CANARY)
}

#[test]
fn an_erasure_keeps_outcomes_and_removes_payloads() {
    let (mut outbox, scripted) = outbox_with_story();
    assert!(has_canary(&row(&outbox, "stripe", "e1")) && has_canary(&row(&outbox, "api", "c1")));
    let outcomes = view::outcomes(outbox.processor()).unwrap();
    let made = calls(&scripted);
    assert_eq!(effect(&outbox, "erase")[0].state, EffectState::Queued, "not before its time");

    assert_eq!(advance(&mut outbox, DUE), [""; 0], "no event follows");
    assert_eq!(calls(&scripted), made, "no provider is called");
    let processor = outbox.processor();
    let rows = processor.inbox_after(0, 100).unwrap();
    let of_a = |row: &&InboxRow| row.event.account == Some(user("a"));
    let through: Vec<&InboxRow> = rows.iter().filter(of_a).filter(|row| row.state == InboxState::Done).collect();
    let ids: Vec<&str> = through.iter().map(|row| row.event.id.as_str()).collect();
    assert_eq!(ids, ["c1", "e1", "c2", "toys/test/user:a/m@1", "c3"]);
    assert!(through.iter().all(|row| row.erased && row.raw.is_empty() && !has_canary(row)));
    assert!(through.iter().all(|row| row.provenance.is_some()), "the provenance stays");
    assert_eq!(view::outcomes(processor).unwrap(), outcomes);

    let waits = row(&outbox, "api", "c4");
    assert!(!waits.erased && has_canary(&waits), "a waiting event keeps its payload");
    let message = row(&outbox, "message", "toys/test/user:a/msg@1");
    assert!(has_canary(&message) && has_canary(&row(&outbox, "api", "c5")), "events of another account stay");
    for key in ["m", "msg", "erase"] {
        let row = effect(&outbox, key).remove(0);
        assert_eq!((&*row.effect.payload, &*row.effect.context), ("{}", "{}"), "{key}");
        assert_eq!((row.state, row.erased), (EffectState::Finished, true), "{key}");
    }
    assert!(effect(&outbox, "far")[0].effect.payload.contains(CANARY), "an open effect keeps its payload");
    let shown = view::effects(outbox.processor(), &user("a"), ["m"]).unwrap();
    assert_eq!(shown["m"]["payload"], json!({}));
}

#[test]
fn a_repeated_event_of_an_erased_account_is_a_duplicate() {
    let (mut outbox, scripted) = outbox_with_story();
    advance(&mut outbox, DUE);
    let again = outbox.accept(webhook("e1", T0 + 1, body()), Vec::new()).unwrap();
    assert_eq!((lines(&again), again[0].alert), (vec!["e1: duplicate(e1)".to_owned()], false));
    let mut other = webhook("e1", T0 + 1, body());
    other.payload = extension_contract::Payload::Payment(b"{\"data\":{\"object\":{}}}".to_vec());
    assert!(!outbox.accept(other, Vec::new()).unwrap()[0].alert, "nothing is left to conflict with");

    // The same mail is requested again, but not sent again.
    ask(&mut outbox, "c9", json!([mail()]));
    let made = calls(&scripted);
    assert_eq!((run(&mut outbox, DUE), calls(&scripted)), (Vec::new(), made));
    // After the erasure, a rejected event cannot be decided again.
    let seq = row(&outbox, "api", "c3").seq;
    let redriven = outbox.processor_mut().redrive(seq, DUE).unwrap();
    assert_eq!(lines(&redriven), ["c3: duplicate(c3)"]);
}

#[test]
fn a_second_erasure_also_erases_newer_events() {
    let (mut outbox, _) = outbox_with_story();
    advance(&mut outbox, DUE);
    outbox.accept(command("c6", "a", DUE, json!({"note": ["later"], "log": CANARY})), Vec::new()).unwrap();
    assert_eq!(advance(&mut outbox, T0 + 5_000), ["toys/test/user:a/far@1: applied"]);
    let unerased = |outbox: &Outbox| {
        let rows = outbox.processor().inbox_after(0, 100).unwrap();
        let of_a = rows.into_iter().filter(|row| row.event.account == Some(user("a")) && has_canary(row));
        of_a.map(|row| row.event.id).collect::<Vec<_>>()
    };
    assert_eq!(unerased(&outbox), ["c4", "c6", "toys/test/user:a/far@1"]);
    ask(&mut outbox, "c7", json!([{"kind": "account.erase", "key": "erase", "generation": 2}]));
    assert_eq!(run(&mut outbox, T0 + 5_000), [""; 0]);
    assert_eq!((unerased(&outbox), effect(&outbox, "far")[0].erased), (Vec::new(), true));
}

#[test]
fn an_erasure_has_no_payload_and_cannot_erase_the_catalog() {
    let (mut outbox, _) = outbox();
    let erase = |payload| json!({"ask": [{"kind": "account.erase", "key": "erase", "payload": payload}]});
    let accept = |outbox: &mut Outbox, event| lines(&outbox.accept(event, Vec::new()).unwrap()).remove(0);
    let line = accept(&mut outbox, command("c1", "a", T0, erase(json!({"name": "x"}))));
    assert!(line.contains("account.erase `erase`: payload: an erasure has none, expected `{}`"), "{line}");
    let mut of_catalog = command("c2", "a", T0, erase(json!({})));
    of_catalog.account = Some(extension_contract::Account::Platform);
    let line = accept(&mut outbox, of_catalog);
    assert!(line.contains("the catalog's account is not erased"), "{line}");
    assert_eq!(accept(&mut outbox, command("c3", "a", T0, erase(json!({})))), "c3: applied");
}

#[test]
fn a_log_replay_does_not_compare_an_erased_account() {
    let (mut outbox, _) = outbox_with_story();
    outbox.accept(command("c8", "b", DUE - 1, json!({"note": ["x"]})), Vec::new()).unwrap();
    advance(&mut outbox, DUE);
    let business = Business { name: "toys".into(), ..Business::default() };
    let fresh = || Processor::new(Box::new(MemoryStore::new()), Box::new(ToyRunner::new(1)), business.clone()).unwrap();
    assert_eq!(replay_log(outbox.processor().store(), &mut fresh()).unwrap(), []);
    // The events of account `b` are compared.
    let mut other = fresh();
    other.accept(command("before", "b", T0, json!({"note": ["x"]})), Vec::new()).unwrap();
    let differences = replay_log(outbox.processor().store(), &mut other).unwrap();
    assert_eq!(differences.iter().map(|it| it.event_id.as_str()).collect::<Vec<_>>(), ["c8"]);
}

#[test]
fn no_database_file_contains_erased_text() {
    let folder = tempfile::tempdir().unwrap();
    let is_there = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let canary = CANARY.as_bytes();
        files.into_iter().any(|bytes| bytes.windows(canary.len()).any(|window| window == canary))
    };
    let store = SqliteStore::open(folder.path().join("state.db")).unwrap();
    let mut outbox = over(Box::new(store), &Scripted::new());
    // The effect has no context, since the toy would store it in a row.
    let asks = json!([
        {"kind": "mail.send", "key": "m", "payload": {"name": CANARY}},
        {"kind": "timer.at", "key": "t", "not_before": T0 + 3, "payload": {"log": CANARY}},
    ]);
    let events = vec![
        command("c1", "a", T0, json!({"take": ["customer:1"], "log": CANARY, "ask": asks})),
        webhook("e1", T0 + 1, body()),
        command("c2", "a", T0 + 2, json!({"log": CANARY, "fail": 1})),
        command("c3", "a", T0 + 3, json!({"ask": [{"kind": "account.erase", "key": "erase", "not_before": DUE}]})),
    ];
    for event in events {
        outbox.accept(event, CANARY.as_bytes().to_vec()).unwrap();
    }
    outbox.advance_to(DUE - 1).unwrap();
    // The failed command is retried and applied.
    outbox.processor_mut().retry_due(T0 + 2_000).unwrap();
    assert!(is_there());
    outbox.advance_to(DUE).unwrap();
    assert!(!is_there());
}

/// Returns true if the account is erased and the effect has ended; asserts that either both or neither are true.
fn is_erased(store: &dyn Read, scope: &host_store::Scope) -> bool {
    let ended = store.effect(scope, "erase").unwrap()[0].state == EffectState::Finished;
    let rows = store.inbox_after(None, 0, 100).unwrap();
    let through = rows.iter().filter(|row| row.event.account.as_ref() == Some(&scope.account));
    for row in through.filter(|row| row.state == InboxState::Done) {
        assert_eq!((row.erased, has_canary(row)), (ended, !ended), "{row:?}");
    }
    assert_eq!(store.effect(scope, "m").unwrap()[0].effect.payload.contains(CANARY), !ended);
    ended
}

#[test]
fn an_erasure_is_atomic_in_a_crash() {
    let mut seen = Vec::new();
    for write in 1.. {
        let mut struck = false;
        for moment in [Moment::Before, Moment::After] {
            let faults = Faults::new(Box::new(MemoryStore::new()));
            let scripted = Scripted::new();
            let mut outbox = over(faults.open(), &scripted);
            accept_story(&mut outbox);
            let scope = outbox.processor().scope(user("a"));
            faults.fail_at(write, moment, Then::Dead);
            let ended = outbox.advance_to(DUE);
            assert_eq!(ended.is_err(), faults.struck());
            struck |= faults.struck();
            faults.clear();
            let mut outbox = over(faults.open(), &scripted);
            seen.push(is_erased(outbox.processor().store(), &scope));
            outbox.recover(DUE).unwrap();
            outbox.advance_to(DUE).unwrap();
            assert!(is_erased(outbox.processor().store(), &scope), "write {write} {moment:?}");
        }
        if !struck {
            break;
        }
    }
    assert!(seen.contains(&true) && seen.contains(&false) && seen.len() >= 6, "{seen:?}");
}
