//! Tests of replies: only a repetition of the same request gets the stored reply.

use super::events::{T0, command, lines};
use super::processor;
use extension_contract::{Account, Event, Refusal, Reply};
use host_engine::processor::Processor;
use serde_json::{Value, json};

fn with_caller(doing: Value) -> Event {
    Event { reply_to: Some("caller".into()), ..command("c1", "a", T0, doing) }
}

fn accept_one(processor: &mut Processor, event: Event) -> (Vec<String>, Option<Reply>) {
    let mut reports = processor.accept(event, Vec::new()).unwrap();
    (lines(&reports), reports.remove(0).reply)
}

fn answer(text: &str) -> Option<Reply> {
    Some(Reply::Answer(text.into()))
}

#[test]
fn a_repeated_command_gets_the_same_reply() {
    let mut processor = processor();
    let doing = json!({"reply": {"answer": "{\"n\":1}"}});
    assert_eq!(
        accept_one(&mut processor, with_caller(doing.clone())),
        (vec!["c1: applied".into()], answer("{\"n\":1}"))
    );
    let again = (vec!["c1: duplicate(c1)".to_owned()], answer("{\"n\":1}"));
    assert_eq!(accept_one(&mut processor, with_caller(doing.clone())), again);
    assert_eq!(processor.told_again(1).unwrap().unwrap().reply, again.1);

    // Without a caller, the command itself gets the reply.
    let plain = || Event { reply_to: None, ..command("c2", "a", T0, doing.clone()) };
    assert_eq!(accept_one(&mut processor, plain()).1, accept_one(&mut processor, plain()).1);
}

#[test]
fn a_repeated_command_gets_the_later_reply() {
    let mut processor = processor();
    let doing = json!({"note": ["asked"]});
    assert_eq!(accept_one(&mut processor, with_caller(doing.clone())).1, None);
    assert_eq!(accept_one(&mut processor, with_caller(doing.clone())).1, None, "there is no reply yet");
    let later = Event { id: "c2".into(), ..with_caller(json!({"reply": {"answer": "{}"}})) };
    assert_eq!(accept_one(&mut processor, later).1, answer("{}"));
    assert_eq!(accept_one(&mut processor, with_caller(doing)).1, answer("{}"));
}

#[test]
fn a_repeated_command_gets_the_same_refusal() {
    let mut processor = processor();
    let refused = Refusal::NotFound("x".into());
    let doing = json!({"outcome": extension_contract::Outcome::Rejected(refused.clone())});
    for _ in 0..2 {
        assert_eq!(accept_one(&mut processor, with_caller(doing.clone())).1, Some(Reply::Refused(refused.clone())));
    }
}

#[test]
fn a_known_id_with_another_content_gets_no_reply() {
    let mut processor = processor();
    let doing = json!({"reply": {"answer": "{}"}});
    accept_one(&mut processor, with_caller(doing.clone()));
    let others = [
        Event { account: Some(Account::User("b".into())), ..with_caller(doing.clone()) },
        Event { kind: "other".into(), ..with_caller(doing.clone()) },
        Event { reply_to: Some("other".into()), ..with_caller(doing.clone()) },
        with_caller(json!({"reply": {"answer": "{}"}, "note": ["other"]})),
        {
            let mut event = with_caller(doing.clone());
            event.actor.subject = "other".into();
            event
        },
    ];
    for other in others {
        assert_eq!(accept_one(&mut processor, other.clone()), (vec!["c1: duplicate(c1)".into()], None), "{other:?}");
    }
    assert_eq!(accept_one(&mut processor, with_caller(doing)).1, answer("{}"));
}
