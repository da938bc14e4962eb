//! Claims: who may take what, when.

use super::*;
use products_contract::ClaimState::{Blocked, Mine, Taken};

fn take(key: &'static str, until: Option<i64>) -> impl Fn(&mut Transaction) -> Vec<products_contract::ClaimState> {
    move |tx| tx.claims_take(&texts(&[key]), until).expect("asked")
}

#[test]
fn a_claim_is_taken_by_one_account_until_it_gives_it_back() {
    let mut story = Story::new();
    assert_eq!(story.event("user:A", 1, take("subdomain:a", None)), [Mine]);
    assert_eq!(story.event("user:A", 2, take("subdomain:a", None)), [Mine]);
    assert_eq!(story.event("user:B", 3, take("subdomain:a", None)), [Taken]);
    let release = |tx: &mut Transaction| tx.claims_release(&texts(&["subdomain:a"]), None);
    story.event("user:B", 4, release).expect("what it does not hold is left alone");
    assert_eq!(story.event("user:B", 5, take("subdomain:a", None)), [Taken]);
    story.event("user:A", 6, release).expect("released");
    assert_eq!(story.event("user:B", 7, take("subdomain:a", None)), [Mine]);
}

#[test]
fn an_expired_claim_is_free_by_the_event_s_time() {
    let mut story = Story::new();
    assert_eq!(story.event("user:A", 1, take("slot:1", Some(10))), [Mine]);
    assert_eq!(story.event("user:B", 9, take("slot:1", None)), [Taken]);
    assert_eq!(story.event("user:A", 10, |tx| tx.claims_mine("slot:")), Ok(Vec::new()));
    assert_eq!(story.event("user:B", 10, take("slot:1", None)), [Mine]);
    assert_eq!(story.event("user:A", 11, take("slot:1", None)), [Taken]);
    assert_eq!(story.event("user:B", 11, |tx| tx.claims_mine("slot:")), Ok(texts(&["slot:1"])));
}

#[test]
fn a_claim_grows_and_never_shrinks_whichever_event_comes_first() {
    let key = "shop/test//slot:1";
    for untils in [[Some(10), Some(20)], [Some(20), Some(10)]] {
        let mut story = Story::new();
        untils.into_iter().for_each(|until| assert_eq!(story.event("user:A", 1, take("slot:1", until)), [Mine]));
        assert_eq!(story.store().claim(key).expect("read").and_then(|row| row.until), Some(20));
    }
    for untils in [[Some(10), None], [None, Some(10)]] {
        let mut story = Story::new();
        untils.into_iter().for_each(|until| assert_eq!(story.event("user:A", 1, take("slot:1", until)), [Mine]));
        assert_eq!(story.store().claim(key).expect("read").expect("there").until, None);
    }
}

#[test]
fn a_released_name_may_be_blocked_for_everybody() {
    let mut story = Story::new();
    story.event("user:A", 1, take("subdomain:a", None));
    story.event("user:A", 2, |tx| tx.claims_release(&texts(&["subdomain:a"]), Some(10))).expect("released");
    assert_eq!(story.event("user:A", 9, take("subdomain:a", None)), [Blocked]);
    assert_eq!(story.event("user:B", 9, take("subdomain:a", None)), [Blocked]);
    assert_eq!(story.event("user:A", 9, |tx| tx.claims_mine("")), Ok(Vec::new()));
    assert_eq!(story.event("user:B", 10, take("subdomain:a", None)), [Mine]);
    story.event("user:B", 20, |tx| tx.claims_release(&texts(&["subdomain:a"]), Some(15))).expect("released");
    assert_eq!(story.store().claim("shop/test//subdomain:a"), Ok(None), "a block that is over is none");
}

#[test]
fn claims_are_taken_all_or_none_and_the_answers_are_traced() {
    let mut story = Story::new();
    story.event("user:A", 1, take("slot:1", None));
    let both = |tx: &mut Transaction| tx.claims_take(&texts(&["slot:0", "slot:1"]), None);
    let (answer, trace) = story.run(context("user:B", 2), both);
    assert_eq!(answer, Ok(vec![Mine, Taken]));
    assert_eq!(trace.claim_answers, "slot:0=mine\nslot:1=taken\n");
    assert_eq!(trace.claims_taken, Vec::<String>::new());
    assert_eq!(story.store().claim("shop/test//slot:0"), Ok(None));
    let (answer, trace) = story.run(context("user:A", 3), both);
    assert_eq!(answer, Ok(vec![Mine, Mine]));
    assert_eq!(trace.claims_taken, texts(&["shop/test//slot:0"]), "only what it did not hold before");
}

#[test]
fn a_connected_account_has_names_of_its_own() {
    let mut story = Story::new();
    let connected = |account, now| Context { connected_account: Some("acct_1".into()), ..context(account, now) };
    story.event("user:A", 1, take("stripe-customer:c", None));
    let (answer, _) = story.run(connected("user:B", 2), take("stripe-customer:c", None));
    assert_eq!(answer, [Mine]);
    let holder = story.store().claim("shop/test/acct_1/stripe-customer:c").expect("read").and_then(|row| row.holder);
    assert_eq!(holder, Some(Account::User("B".into())));
    let (mine, _) = story.run(connected("user:B", 3), |tx| tx.claims_mine("stripe-"));
    assert_eq!(mine, Ok(texts(&["stripe-customer:c"])));
    assert_eq!(story.event("user:B", 4, |tx| tx.claims_mine("stripe-")), Ok(Vec::new()));
}

#[test]
fn an_account_sees_the_claims_of_its_own_transaction() {
    let mut story = Story::new();
    story.event("user:A", 1, |tx| tx.claims_take(&texts(&["slot:1", "slot:2", "other:1"]), None)).expect("taken");
    story.event("user:A", 2, |tx| {
        tx.claims_release(&texts(&["slot:1"]), None).expect("released");
        tx.claims_take(&texts(&["slot:0"]), None).expect("taken");
        tx.claims_take(&texts(&["slot:9"]), Some(2)).expect("taken, over at once");
        assert_eq!(tx.claims_mine("slot:"), Ok(texts(&["slot:0", "slot:2"])));
    });
}
