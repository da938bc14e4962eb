//! Tests of calls outside of the outbox, of leases and of long operations.

use super::events::{T0, command, lines, things, user};
use super::{advance, ask, effect, outbox, result, run};
use extension_contract::EffectFailureClass;
use host_engine::outbox::{LEASE_MS, Outbox};
use host_provider_api::{Call, CallOutcome, MadeSecret, Provider, Reply, Secret, SecretError, Secrets};
use host_store::EffectState;
use serde_json::json;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

const DB: &str = "toys/test/user:a/db@1";

/// Answers each call with the next answer of a list, and records the calls.
struct Listed {
    answers: Mutex<Vec<CallOutcome>>,
    calls: Mutex<Vec<Call>>,
}

fn listed(mut answers: Vec<CallOutcome>) -> Arc<Listed> {
    answers.reverse();
    Arc::new(Listed { answers: Mutex::new(answers), calls: Mutex::default() })
}

impl Provider for Listed {
    fn call(&self, call: &Call) -> CallOutcome {
        self.calls.lock().unwrap().push(call.clone());
        self.answers.lock().unwrap().pop().unwrap()
    }
}

fn done() -> CallOutcome {
    CallOutcome::Done(json!({"id": "db-1"}))
}

fn in_progress(token: &str) -> CallOutcome {
    CallOutcome::InProgress { after_ms: 30_000, token: token.into() }
}

/// A provider whose call blocks until the test releases it.
struct Blocking {
    entered: SyncSender<()>,
    go: Mutex<Receiver<()>>,
}

impl Provider for Blocking {
    fn call(&self, _: &Call) -> CallOutcome {
        self.entered.send(()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        done()
    }
}

#[test]
fn an_event_is_accepted_while_a_provider_blocks_in_its_call() {
    let (mut outbox, _) = outbox();
    let ((entered, has_entered), (go, may_go)) = (sync_channel(1), sync_channel(1));
    outbox.registry_mut().register(&["database"], Arc::new(Blocking { entered, go: Mutex::new(may_go) }));
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}, {"kind": "mail.send", "key": "m"}]));
    let begun = outbox.begin(T0).unwrap();
    let registry = outbox.registry().clone();
    let calling = std::thread::spawn(move || {
        begun.calls.into_iter().map(|call| (call.clone(), registry.call(&call))).collect::<Vec<_>>()
    });
    has_entered.recv().unwrap();
    let reports = outbox.accept(command("c2", "b", T0 + 1, json!({"note": ["meanwhile"]})), Vec::new()).unwrap();
    assert_eq!(lines(&reports), ["c2: applied"]);
    assert_eq!(outbox.begin(T0 + 2).unwrap().moved, 0, "a started effect is not started again");
    assert_eq!(things(outbox.processor().store(), "b", "fact/"), ["meanwhile"]);
    assert_eq!(effect(&outbox, "db")[0].state, EffectState::Running);
    go.send(()).unwrap();
    let ended = outbox.finish(calling.join().unwrap(), T0 + 3).unwrap();
    assert_eq!(lines(&ended), [format!("{DB}: applied"), "toys/test/user:a/m@1: applied".into()]);
}

#[test]
fn a_call_that_is_in_progress_for_ten_minutes_is_one_attempt() {
    let (mut outbox, _) = outbox();
    let answers = (1..=20).map(|poll| in_progress(&format!("job-{poll}"))).chain([done()]).collect();
    let provider = listed(answers);
    outbox.registry_mut().register(&["database"], provider.clone());
    let deadline = T0 + 3_600_000;
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db", "deadline": deadline}]));
    assert_eq!(advance(&mut outbox, T0 + 599_999), [""; 0]);
    let row = effect(&outbox, "db").remove(0);
    assert_eq!(
        (row.state, row.lease.token.as_deref(), row.lease.until),
        (EffectState::Running, Some("job-20"), Some(T0 + 600_000))
    );
    assert_eq!(advance(&mut outbox, T0 + 600_000), [format!("{DB}: applied")]);
    assert_eq!(result(&outbox, DB).attempts, 1);
    let calls = provider.calls.lock().unwrap();
    let tokens: Vec<Option<&str>> = calls.iter().map(|call| call.token.as_deref()).collect();
    assert_eq!((tokens.len(), tokens[0], tokens[1], tokens[20]), (21, None, Some("job-1"), Some("job-20")));
    assert!(calls.iter().all(|call| (call.attempt, call.lease, call.deadline) == (1, 1, Some(deadline))));
}

#[test]
fn an_effect_in_progress_at_its_deadline_is_polled_until_its_late_success() {
    let (mut outbox, _) = outbox();
    let provider = listed(vec![in_progress("a"), in_progress("b"), in_progress("c"), done()]);
    outbox.registry_mut().register(&["database"], provider.clone());
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db", "deadline": T0 + 45_000}]));
    let late = format!("{DB}/late");
    assert_eq!(advance(&mut outbox, T0 + 200_000), [format!("{DB}: applied"), format!("{late}: applied")]);
    let failure = result(&outbox, DB).answer.unwrap_err();
    assert_eq!((failure.class, &*failure.code), (EffectFailureClass::TimedOut, "deadline"));
    assert!(result(&outbox, &late).answer.is_ok());
    assert_eq!(provider.calls.lock().unwrap().len(), 4);
}

#[test]
fn a_restarted_host_polls_an_effect_that_was_in_progress_at_its_deadline() {
    let (mut outbox, _) = outbox();
    let provider = listed(vec![in_progress("a"), in_progress("b"), in_progress("c"), done()]);
    outbox.registry_mut().register(&["database"], provider.clone());
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db", "deadline": T0 + 45_000}]));
    assert_eq!(advance(&mut outbox, T0 + 45_000), [format!("{DB}: applied")]);
    let restart = |outbox: Outbox, at: i64| {
        let (processor, registry) = outbox.into_parts();
        let mut outbox = Outbox::new(processor, registry);
        outbox.recover(at).unwrap();
        outbox
    };
    let mut outbox = restart(outbox, T0 + 46_000);
    let late = format!("{DB}/late");
    assert_eq!(advance(&mut outbox, T0 + 200_000), [format!("{late}: applied")]);
    let tokens: Vec<_> = provider.calls.lock().unwrap().iter().map(|call| call.token.clone()).collect();
    assert_eq!(tokens, [None, Some("a".to_owned()), Some("b".to_owned()), Some("c".to_owned())]);
    let mut outbox = restart(outbox, T0 + 300_000);
    assert_eq!(advance(&mut outbox, T0 + 900_000), [""; 0], "a finished work is not polled");
    assert_eq!(provider.calls.lock().unwrap().len(), 4);
}

#[test]
fn a_provider_can_set_the_delay_of_a_retry() {
    let (mut outbox, _) = outbox();
    let after = |after_ms| CallOutcome::Retry { after_ms, code: "throttled".into(), message: String::new() };
    outbox.registry_mut().register(&["database"], listed(vec![after(Some(77)), after(None), done()]));
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    run(&mut outbox, T0);
    assert_eq!(outbox.next_time().unwrap(), Some(T0 + 77));
    run(&mut outbox, T0 + 77);
    assert_eq!(outbox.next_time().unwrap(), Some(T0 + 77 + 2_000));
    advance(&mut outbox, T0 + 10_000);
    assert_eq!(result(&outbox, DB).attempts, 3);
}

#[test]
fn an_answer_under_an_expired_lease_is_late() {
    let (mut outbox, _) = outbox();
    outbox.registry_mut().register(&["database"], listed(Vec::new()));
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    let first = outbox.begin(T0).unwrap().calls.remove(0);
    assert_eq!(effect(&outbox, "db")[0].lease.until, Some(T0 + LEASE_MS));
    assert_eq!(outbox.begin(T0 + LEASE_MS - 1).unwrap().moved, 0);
    let now = T0 + LEASE_MS;
    assert_eq!(outbox.next_time().unwrap(), Some(now));
    assert_eq!(outbox.begin(now).unwrap().moved, 1, "the lease has expired");
    assert_eq!(outbox.next_time().unwrap(), Some(now + 1_000), "after the delay of a failed attempt");
    let second = outbox.begin(now + 1_000).unwrap().calls.remove(0);
    assert_eq!((first.attempt, first.lease, second.attempt, second.lease), (1, 1, 2, 2));
    assert_eq!((&first.key, first.generation), (&second.key, second.generation));

    let late = outbox.finish(vec![(first.clone(), done().into())], now + 2_000).unwrap();
    assert_eq!(lines(&late), [format!("{DB}/late: applied")]);
    assert_eq!(effect(&outbox, "db")[0].state, EffectState::Running, "an old lease number ends nothing");
    let ended = outbox.finish(vec![(second, done().into())], now + 3_000).unwrap();
    assert_eq!(lines(&ended), [format!("{DB}: applied")]);
    assert_eq!(outbox.finish(vec![(first, done().into())], now + 4_000).unwrap(), [], "an answer counts once");
}

#[test]
fn a_refusal_under_an_old_lease_is_ignored() {
    let (mut outbox, _) = outbox();
    outbox.registry_mut().register(&["database"], listed(Vec::new()));
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    let first = outbox.begin(T0).unwrap().calls.remove(0);
    outbox.begin(T0 + LEASE_MS).unwrap();
    let second = outbox.begin(T0 + LEASE_MS + 1_000).unwrap().calls.remove(0);
    let refused = CallOutcome::refused("gone", "no such job");
    assert_eq!(outbox.finish(vec![(first, refused.into())], T0 + LEASE_MS + 1_000).unwrap(), []);
    outbox.finish(vec![(second, done().into())], T0 + LEASE_MS + 1_000).unwrap();
    assert!(result(&outbox, DB).answer.is_ok());
}

#[test]
fn an_effect_of_a_silent_provider_ends_after_its_attempts() {
    let (mut outbox, _) = outbox();
    outbox.registry_mut().register(&["database"], listed(Vec::new()));
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    let mut called = 0;
    while let Some(next) = outbox.next_time().unwrap().or((called == 0).then_some(T0)) {
        called += outbox.begin(next).unwrap().calls.len();
    }
    let report = result(&outbox, DB);
    let failure = report.answer.unwrap_err();
    assert_eq!((called, report.attempts), (3, 3));
    assert_eq!((failure.class, &*failure.code), (EffectFailureClass::TimedOut, "lost-answer"));
}

const PLAIN: &str = "hunter2-plain";

struct Vault;
impl Secrets for Vault {
    fn resolve(&self, scope: &str, reference: &str) -> Result<Secret, SecretError> {
        match scope == "toys/test/user:a" {
            true => Ok(Secret::new(PLAIN)),
            false => Err(SecretError::Unknown(reference.to_owned())),
        }
    }

    fn make(&self, _: &str, name: &str, _: usize) -> Result<MadeSecret, SecretError> {
        Err(SecretError::Unknown(name.to_owned()))
    }

    fn forget(&self, _: &str, _: &str) -> Result<(), SecretError> {
        Ok(())
    }
}

/// A provider that puts its plain secret into its answers.
struct Leaky;
impl Provider for Leaky {
    fn call(&self, call: &Call) -> CallOutcome {
        let secret = call.secret(call.text("password").unwrap()).unwrap();
        match call.key.as_str() {
            "refused" => CallOutcome::refused("denied", format!("no entry with {}", secret.expose())),
            _ => CallOutcome::Done(json!({"url": format!("postgres://u:{}@host", secret.expose())})),
        }
    }
}

#[test]
fn no_plain_secret_reaches_a_row_or_an_event() {
    let (mut outbox, _) = outbox();
    outbox.registry_mut().register(&["database"], Arc::new(Leaky));
    outbox.registry_mut().set_secrets(Arc::new(Vault));
    let payload = json!({"password": "secret:database/1"});
    let database = |key: &str| json!({"kind": "database.ensure", "key": key, "payload": payload});
    ask(&mut outbox, "c1", json!([database("refused"), database("done")]));
    run(&mut outbox, T0);
    let processor = outbox.processor();
    let inbox = processor.inbox_after(0, 100).unwrap();
    let rows = processor.store().effect(&processor.scope(user("a")), "done").unwrap();
    let text = format!("{inbox:?} {rows:?}");
    assert!(text.contains("no entry with secret:database/1"), "{text}");
    assert!(text.contains("postgres://u:secret:database/1@host") && !text.contains(PLAIN), "{text}");
}

#[test]
fn a_silence_sets_the_end_of_its_lease() {
    let (mut outbox, _) = outbox();
    outbox.registry_mut().register(&["database"], listed(Vec::new()));
    ask(&mut outbox, "c1", json!([{"kind": "database.ensure", "key": "db"}]));
    let call = outbox.begin(T0).unwrap().calls.remove(0);
    let silence = Reply::Silence { lease_ms: Some(500) };
    assert_eq!(outbox.finish(vec![(call, silence)], T0).unwrap(), []);
    assert_eq!(effect(&outbox, "db")[0].lease.until, Some(T0 + 500));
    assert_eq!(outbox.next_time().unwrap(), Some(T0 + 500));
}
