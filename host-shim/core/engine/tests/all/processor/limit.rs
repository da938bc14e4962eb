//! Tests of the limit on the open effects of an account that commands of customers have asked for.

use super::events::{T0, command, lines, webhook};
use super::processor;
use extension_contract::{Actor, ActorKind, Event};
use host_engine::processor::{OPEN_EFFECTS_MAX, Processor};
use host_store::{EffectChange, EffectState};
use serde_json::{Value, json};

fn ask(key: &str) -> Value {
    json!({"ask": [{"kind": "mail.send", "key": key}]})
}

/// Creates the command of a person or an operator.
fn by(kind: ActorKind, id: &str, account: &str, story: Value) -> Event {
    Event { actor: Actor { kind, subject: account.into(), roles: Vec::new() }, ..command(id, account, T0, story) }
}

fn play(processor: &mut Processor, event: Event) -> Vec<String> {
    lines(&processor.accept(event, Vec::new()).unwrap())
}

/// Returns a processor in which commands of the customer `a` have asked for as many effects as may be open.
fn full() -> Processor {
    let mut processor = processor();
    for number in 0..OPEN_EFFECTS_MAX {
        let asked = by(ActorKind::User, &format!("c{number}"), "a", ask(&format!("m{number}")));
        assert_eq!(play(&mut processor, asked), [format!("c{number}: applied")]);
    }
    processor
}

/// Ends an effect of the account `a`.
fn end(processor: &mut Processor, key: &str) {
    let row = processor.store().effect(&processor.scope(super::events::user("a")), key).unwrap().remove(0);
    let update = EffectChange::Update {
        key: key.to_owned(),
        generation: 1,
        state: EffectState::Finished,
        attempts: 1,
        due_at: row.due_at,
        lease: row.lease,
    };
    let changes = host_store::Changes { scope: Some(row.scope), effects: vec![update], ..Default::default() };
    processor.store_mut().apply(&changes).unwrap();
}

const REFUSED: &str = "rejected(quota-exceeded(open-effects 100/100))";

#[test]
fn a_customer_with_too_many_open_effects_asks_for_no_further_one() {
    let mut processor = full();
    assert_eq!(play(&mut processor, by(ActorKind::User, "more", "a", ask("more"))), [format!("more: {REFUSED}")]);
    let rows = processor.store().effect(&processor.scope(super::events::user("a")), "more").unwrap();
    assert_eq!(rows, [], "nothing of the decision is stored");
    let quiet = by(ActorKind::User, "other", "a", json!({"note": ["fact"]}));
    assert_eq!(play(&mut processor, quiet), ["other: applied"], "it asks for no effect");
    let timer = json!({"ask": [{"kind": "timer.at", "key": "t", "not_before": T0 + 1}]});
    assert_eq!(play(&mut processor, by(ActorKind::User, "timer", "a", timer)), ["timer: applied"]);
    assert_eq!(play(&mut processor, by(ActorKind::User, "b", "b", ask("m"))), ["b: applied"], "another account");
}

#[test]
fn operators_and_events_of_stripe_ask_for_effects_of_an_account_in_any_case() {
    let mut processor = full();
    assert_eq!(play(&mut processor, by(ActorKind::Admin, "op", "a", ask("of operator"))), ["op: applied"]);
    let event = webhook("evt_1", T0, json!({"account": "user:a", "ask": [{"kind": "mail.send", "key": "of stripe"}]}));
    assert_eq!(play(&mut processor, event), ["evt_1: applied"]);
}

#[test]
fn effects_that_others_have_asked_for_do_not_count() {
    let mut processor = processor();
    for number in 0..=OPEN_EFFECTS_MAX {
        let asked = by(ActorKind::Admin, &format!("op{number}"), "a", ask(&format!("m{number}")));
        assert_eq!(play(&mut processor, asked), [format!("op{number}: applied")]);
    }
    assert_eq!(play(&mut processor, by(ActorKind::User, "c", "a", ask("own"))), ["c: applied"]);
}

#[test]
fn a_refused_command_is_sent_again_under_its_id_when_an_effect_has_ended() {
    let mut processor = full();
    let more = by(ActorKind::User, "more", "a", ask("more"));
    assert_eq!(play(&mut processor, more.clone()), [format!("more: {REFUSED}")]);
    assert_eq!(play(&mut processor, more.clone()), [format!("later more: {REFUSED}")]);
    end(&mut processor, "m7");
    assert_eq!(play(&mut processor, more.clone()), ["later more: applied"]);
    assert_eq!(play(&mut processor, more), ["more: duplicate(more)"]);
}
