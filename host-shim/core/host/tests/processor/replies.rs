//! What a caller was answered is told again to whoever asks again, and to nobody else.

use super::events::{T0, command, lines};
use super::processor;
use extension_contract::{Account, Event, Refusal, Reply};
use host::processor::Processor;
use serde_json::{Value, json};

fn asks(doing: Value) -> Event {
    Event { reply_to: Some("caller".into()), ..command("c1", "a", T0, doing) }
}

fn told(processor: &mut Processor, event: Event) -> (Vec<String>, Option<Reply>) {
    let mut reports = processor.accept(event, Vec::new()).unwrap();
    (lines(&reports), reports.remove(0).reply)
}

fn answer(text: &str) -> Option<Reply> {
    Some(Reply::Answer(text.into()))
}

#[test]
fn a_command_that_comes_again_is_answered_as_before() {
    let mut processor = processor();
    let doing = json!({"reply": {"answer": "{\"n\":1}"}});
    assert_eq!(told(&mut processor, asks(doing.clone())), (vec!["c1: applied".into()], answer("{\"n\":1}")));
    let again = (vec!["c1: duplicate(c1)".to_owned()], answer("{\"n\":1}"));
    assert_eq!(told(&mut processor, asks(doing.clone())), again);
    assert_eq!(processor.told_again(1).unwrap().unwrap().reply, again.1);

    // Without a caller of its own, the command is what is answered.
    let plain = || Event { reply_to: None, ..command("c2", "a", T0, doing.clone()) };
    assert_eq!(told(&mut processor, plain()).1, told(&mut processor, plain()).1);
}

#[test]
fn what_was_answered_later_is_what_is_told_again() {
    let mut processor = processor();
    let doing = json!({"note": ["asked"]});
    assert_eq!(told(&mut processor, asks(doing.clone())).1, None);
    assert_eq!(told(&mut processor, asks(doing.clone())).1, None, "it waits on");
    let later = Event { id: "c2".into(), ..asks(json!({"reply": {"answer": "{}"}})) };
    assert_eq!(told(&mut processor, later).1, answer("{}"));
    assert_eq!(told(&mut processor, asks(doing)).1, answer("{}"));
}

#[test]
fn a_refusal_is_told_again() {
    let mut processor = processor();
    let refused = Refusal::NotFound("x".into());
    let doing = json!({"outcome": extension_contract::Outcome::Rejected(refused.clone())});
    for _ in 0..2 {
        assert_eq!(told(&mut processor, asks(doing.clone())).1, Some(Reply::Refused(refused.clone())));
    }
}

#[test]
fn who_says_something_else_under_a_known_id_is_told_nothing() {
    let mut processor = processor();
    let doing = json!({"reply": {"answer": "{}"}});
    told(&mut processor, asks(doing.clone()));
    let others = [
        Event { account: Some(Account::User("b".into())), ..asks(doing.clone()) },
        Event { kind: "other".into(), ..asks(doing.clone()) },
        Event { reply_to: Some("other".into()), ..asks(doing.clone()) },
        asks(json!({"reply": {"answer": "{}"}, "note": ["other"]})),
        {
            let mut event = asks(doing.clone());
            event.actor.subject = "other".into();
            event
        },
    ];
    for other in others {
        assert_eq!(told(&mut processor, other.clone()), (vec!["c1: duplicate(c1)".into()], None), "{other:?}");
    }
    assert_eq!(told(&mut processor, asks(doing)).1, answer("{}"));
}
