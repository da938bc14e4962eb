//! Effects: keys, generations and what can still be cancelled.

use super::*;
use crate::changes::{Changes, EffectChange};
use crate::rows::{EffectState, Lease, TIMER};
use products_contract::{Cancellation, Effect, EffectError};

fn mail(generation: u32, payload: &str) -> Effect {
    Effect { generation, payload: payload.into(), ..samples::effect("mail.send", "mail") }
}

fn enqueue(effect: Effect) -> impl FnOnce(&mut Transaction) -> Result<(), EffectError> {
    move |tx| tx.effects_enqueue(&[effect])
}

fn states(story: &Story) -> Vec<(u32, EffectState)> {
    let rows = story.store().effect(&samples::scope("user:A"), "mail").expect("read");
    rows.into_iter().map(|row| (row.effect.generation, row.state)).collect()
}

/// The outbox's part: another state for a generation.
fn set(story: &mut Story, generation: u32, state: EffectState, attempts: u32) {
    let change =
        EffectChange::Update { key: "mail".into(), generation, state, attempts, due_at: 5, lease: Lease::default() };
    let changes = Changes { effects: vec![change], ..samples::changes(&samples::scope("user:A"), "") };
    story.0.as_mut().expect("there").apply(&changes).expect("applied");
}

#[test]
fn the_same_key_and_generation_is_asked_for_once() {
    let mut story = Story::new();
    assert_eq!(story.event("user:A", 1, enqueue(mail(1, "{}"))), Ok(()));
    let waited_for = Effect { reply_to: Some("caller".into()), ..mail(1, "{}") };
    let (answer, trace) = story.run(context("user:A", 2), enqueue(waited_for));
    assert_eq!(answer, Ok(()));
    assert_eq!((trace.effects.len(), trace.effects[0].new), (1, false), "asked for, but not new");
    let reused = Err(EffectError::KeyReused("mail".into()));
    assert_eq!(story.event("user:A", 3, enqueue(mail(1, "{\"to\":\"x\"}"))), reused);
    set(&mut story, 1, EffectState::Finished, 1);
    assert_eq!(story.event("user:A", 4, enqueue(mail(1, "{}"))), Ok(()), "finished is asked for, too");
    assert_eq!(states(&story), [(1, EffectState::Finished)]);
    assert_eq!(story.event("user:B", 5, enqueue(mail(1, "{\"to\":\"x\"}"))), Ok(()), "a key is the account's");
}

#[test]
fn a_newer_generation_replaces_what_has_not_started() {
    let mut story = Story::new();
    for generation in 1..=2 {
        assert_eq!(story.event("user:A", 1, enqueue(mail(generation, "{}"))), Ok(()));
    }
    assert_eq!(states(&story), [(1, EffectState::Cancelled), (2, EffectState::Queued)]);
    let superseded = Err(EffectError::Superseded("mail".into()));
    assert_eq!(story.event("user:A", 2, enqueue(mail(1, "{}"))), superseded);
    set(&mut story, 2, EffectState::Queued, 1);
    assert_eq!(story.event("user:A", 3, enqueue(mail(3, "{}"))), Ok(()));
    assert_eq!(
        states(&story),
        [(1, EffectState::Cancelled), (2, EffectState::Queued), (3, EffectState::Queued)],
        "an attempt was begun: its result will come"
    );
    set(&mut story, 2, EffectState::Finished, 1);
    set(&mut story, 3, EffectState::Finished, 1);
    assert_eq!(story.event("user:A", 4, enqueue(mail(2, "{}"))), superseded, "a finished one is newer as well");
}

#[test]
fn generations_of_one_transaction_replace_each_other_too() {
    let mut story = Story::new();
    story.event("user:A", 1, |tx| {
        tx.effects_enqueue(&[mail(1, "{}"), mail(1, "{}"), mail(2, "{}")]).expect("asked");
        tx.effects_enqueue(&[mail(3, "{}")]).expect("asked");
        assert_eq!(tx.effects_enqueue(&[mail(2, "{}")]), Err(EffectError::Superseded("mail".into())));
    });
    use EffectState::{Cancelled, Queued};
    assert_eq!(states(&story), [(1, Cancelled), (2, Cancelled), (3, Queued)]);
}

#[test]
fn a_bulk_of_effects_is_asked_for_whole_or_not_at_all() {
    let mut story = Story::new();
    let (_, trace) = story.run(context("user:A", 1), |tx| {
        let unknown = [mail(1, "{}"), samples::effect("rocket.launch", "r")];
        assert_eq!(tx.effects_enqueue(&unknown), Err(EffectError::UnknownKind("rocket.launch".into())));
        let reused = [mail(1, "{}"), mail(1, "{\"a\":1}")];
        assert_eq!(tx.effects_enqueue(&reused), Err(EffectError::KeyReused("mail".into())));
        let backwards = [mail(2, "{}"), mail(1, "{}")];
        assert_eq!(tx.effects_enqueue(&backwards), Err(EffectError::Superseded("mail".into())));
    });
    assert_eq!(states(&story), []);
    assert_eq!(trace.effects, []);
}

#[test]
fn a_timer_has_a_time_and_a_message_a_receiver() {
    let mut story = Story::new();
    let timer = |generation| Effect { not_before: Some(50), generation, ..samples::effect(TIMER, "mail") };
    let to = Some(Account::Organization("O".into()));
    let invalid = [
        Effect { not_before: None, ..timer(1) },
        samples::effect("account.send", "m"),
        Effect { to: to.clone(), ..mail(1, "{}") },
        mail(1, "{"),
        Effect { retry: Some(RetryPolicy { max_attempts: 0, ..RETRY }), ..mail(1, "{}") },
    ];
    for effect in invalid {
        let answer = story.event("user:A", 1, enqueue(effect.clone()));
        assert!(matches!(answer, Err(EffectError::Invalid(_))), "{effect:?}: {answer:?}");
    }
    assert_eq!(story.event("user:A", 2, enqueue(timer(1))), Ok(()));
    let message = Effect { to, ..samples::effect("account.send", "m") };
    assert_eq!(story.event("user:A", 2, enqueue(message)), Ok(()));
    let due: Vec<i64> = story.store().effects_due(99, true, 9).expect("read").iter().map(|row| row.due_at).collect();
    assert_eq!(due, [2, 50], "at once is the event's time");
    set(&mut story, 1, EffectState::Finished, 1);
    assert_eq!(story.event("user:A", 60, enqueue(timer(1))), Ok(()), "it fired: nothing to do");
    let again = Effect { not_before: Some(90), ..timer(1) };
    assert_eq!(story.event("user:A", 61, enqueue(again.clone())), Err(EffectError::KeyReused("mail".into())));
    assert_eq!(story.event("user:A", 62, enqueue(Effect { generation: 2, ..again })), Ok(()));
    assert_eq!(states(&story), [(1, EffectState::Finished), (2, EffectState::Queued)]);
}

#[test]
fn an_effect_can_be_cancelled_until_it_starts() {
    let mut story = Story::new();
    let cancel = |tx: &mut Transaction| tx.effects_cancel(&texts(&["mail"])).expect("asked");
    assert_eq!(story.event("user:A", 1, cancel), [Cancellation::Unknown]);
    story.event("user:A", 2, enqueue(mail(1, "{}"))).expect("asked");
    assert_eq!(story.event("user:B", 3, cancel), [Cancellation::Unknown], "another account's");
    assert_eq!(story.event("user:A", 4, cancel), [Cancellation::Cancelled]);
    assert_eq!(states(&story), [(1, EffectState::Cancelled)]);
    assert_eq!(story.event("user:A", 5, cancel), [Cancellation::Unknown]);
    story.event("user:A", 6, enqueue(mail(2, "{}"))).expect("asked");
    set(&mut story, 2, EffectState::Running, 1);
    assert_eq!(story.event("user:A", 7, cancel), [Cancellation::Started]);
    set(&mut story, 2, EffectState::Queued, 1);
    assert_eq!(story.event("user:A", 8, cancel), [Cancellation::Started], "it waits for its next attempt");
    set(&mut story, 2, EffectState::Finished, 1);
    assert_eq!(story.event("user:A", 9, cancel), [Cancellation::Unknown]);
    story.event("user:A", 10, |tx| {
        tx.effects_enqueue(&[mail(3, "{}")]).expect("asked");
        assert_eq!(tx.effects_cancel(&texts(&["mail"])), Ok(vec![Cancellation::Cancelled]), "of the same event");
        assert_eq!(tx.effects_cancel(&texts(&["mail"])), Ok(vec![Cancellation::Unknown]));
    });
    assert!(story.store().effects_open(None).expect("read").is_empty());
}

#[test]
fn the_retry_policy_is_the_declared_one() {
    let declared = context("user:A", 1).declared;
    assert_eq!(declared.retry("mail.send"), Some(RETRY));
    assert_eq!(declared.retry(TIMER), None);
}
