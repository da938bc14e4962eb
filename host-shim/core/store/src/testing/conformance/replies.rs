//! What callers were answered.

use super::Open;
use crate::changes::Changes;
use crate::scope::Scope;
use crate::testing::samples;
use extension_contract::{Refusal, Reply};

fn answered(scope: &Scope, caller: &str, reply: Reply) -> Changes {
    Changes { reply: Some((caller.to_owned(), reply)), ..samples::changes(scope, "evt_1") }
}

fn answer(n: u32) -> Reply {
    Reply::Answer(format!("{{\"n\":{n}}}"))
}

/// The last answer to each caller of each scope is there, also after a rollback of a later one; no account is another for it.
pub fn the_last_answer_to_a_caller_is_kept(open: Open<'_>) {
    let mut store = open();
    let (scope, other) = (samples::scope("user:A"), samples::scope("user:B"));
    assert_eq!(store.reply(&scope, "c1"), Ok(None));
    let refused = Reply::Refused(Refusal::NotFound("prod_1".into()));
    for (scope, caller, reply) in
        [(&scope, "c1", answer(1)), (&scope, "c2", refused.clone()), (&other, "c1", answer(2))]
    {
        store.apply(&answered(scope, caller, reply)).expect("applied");
    }
    store.apply(&answered(&scope, "c1", answer(3))).expect("applied");
    store.begin().expect("no group is open");
    for (caller, n) in [("c1", 4), ("c1", 5), ("c3", 6)] {
        store.apply(&answered(&scope, caller, answer(n))).expect("applied");
    }
    assert_eq!(store.reply(&scope, "c1"), Ok(Some(answer(5))));
    store.rollback().expect("a group is open");
    assert_eq!(store.reply(&scope, "c1"), Ok(Some(answer(3))));
    assert_eq!(store.reply(&scope, "c2"), Ok(Some(refused)));
    assert_eq!(store.reply(&scope, "c3"), Ok(None));
    assert_eq!(store.reply(&other, "c1"), Ok(Some(answer(2))));
    assert_eq!(store.revision(&scope), Ok(0));
    let nobodys = Changes { scope: None, ..answered(&scope, "c1", answer(7)) };
    store.apply(&nobodys).expect_err("an answer is of a scope");
}

/// An erasure takes the answers of its account, and no others; undone, they are there again.
pub fn answers_are_erased_with_their_account(open: Open<'_>) {
    let mut store = open();
    let (scope, other) = (samples::scope("user:A"), samples::scope("user:B"));
    for scope in [&scope, &other] {
        store.apply(&answered(scope, "c1", answer(1))).expect("applied");
    }
    let erase = Changes { erase: true, ..samples::changes(&scope, "evt_2") };
    store.begin().expect("no group is open");
    store.apply(&erase).expect("applied");
    assert_eq!(store.reply(&scope, "c1"), Ok(None));
    store.rollback().expect("a group is open");
    assert_eq!(store.reply(&scope, "c1"), Ok(Some(answer(1))));
    store.apply(&erase).expect("applied");
    assert_eq!(store.reply(&scope, "c1"), Ok(None));
    assert_eq!(store.reply(&other, "c1"), Ok(Some(answer(1))));
    store.apply(&answered(&scope, "c1", answer(2))).expect("applied");
    assert_eq!(store.reply(&scope, "c1"), Ok(Some(answer(2))), "what is answered since");
}
