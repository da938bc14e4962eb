//! Cases of replies to callers.

use super::Open;
use extension_contract::{Refusal, Reply};
use host_store::testing::samples;
use host_store::{Changes, Scope};

fn reply_to(scope: &Scope, caller: &str, reply: Reply) -> Changes {
    Changes { reply: Some((caller.to_owned(), reply)), ..samples::changes(scope, "evt_1") }
}

fn answer(n: u32) -> Reply {
    Reply::Answer(format!("{{\"n\":{n}}}"))
}

/// The store keeps the last reply to each caller of each scope, also after a rollback. Replies do not raise revisions.
pub fn the_last_reply_to_a_caller_is_kept(open: Open<'_>) {
    let mut store = open();
    let (scope, other) = (samples::scope("user:A"), samples::scope("user:B"));
    assert_eq!(store.reply(&scope, "c1"), Ok(None));
    let refused = Reply::Refused(Refusal::NotFound("prod_1".into()));
    for (scope, caller, reply) in
        [(&scope, "c1", answer(1)), (&scope, "c2", refused.clone()), (&other, "c1", answer(2))]
    {
        store.apply(&reply_to(scope, caller, reply)).expect("applied");
    }
    store.apply(&reply_to(&scope, "c1", answer(3))).expect("applied");
    store.begin().expect("no group is open");
    for (caller, n) in [("c1", 4), ("c1", 5), ("c3", 6)] {
        store.apply(&reply_to(&scope, caller, answer(n))).expect("applied");
    }
    assert_eq!(store.reply(&scope, "c1"), Ok(Some(answer(5))));
    store.rollback().expect("a group is open");
    assert_eq!(store.reply(&scope, "c1"), Ok(Some(answer(3))));
    assert_eq!(store.reply(&scope, "c2"), Ok(Some(refused)));
    assert_eq!(store.reply(&scope, "c3"), Ok(None));
    assert_eq!(store.reply(&other, "c1"), Ok(Some(answer(2))));
    assert_eq!(store.account(&scope).map(|it| it.revision), Ok(0));
    let without_scope = Changes { scope: None, ..reply_to(&scope, "c1", answer(7)) };
    store.apply(&without_scope).expect_err("a reply needs a scope");
}

/// An erasure deletes only the replies of its account. A rollback restores them.
pub fn replies_are_erased_with_their_account(open: Open<'_>) {
    let mut store = open();
    let (scope, other) = (samples::scope("user:A"), samples::scope("user:B"));
    for scope in [&scope, &other] {
        store.apply(&reply_to(scope, "c1", answer(1))).expect("applied");
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
    store.apply(&reply_to(&scope, "c1", answer(2))).expect("applied");
    assert_eq!(store.reply(&scope, "c1"), Ok(Some(answer(2))), "a reply after the erasure");
}
