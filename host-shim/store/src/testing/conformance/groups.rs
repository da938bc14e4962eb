//! Groups, savepoints and refusals.

use super::Open;
use crate::changes::Changes;
use crate::rows::{EffectState, InboxState};
use crate::state::state_hash;
use crate::testing::samples;
use products_contract::{PurchaseKey, StoreError};

/// Fill a change with a row of every kind.
fn one_of_each(n: u32) -> Changes {
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, &format!("evt_{n}"));
    let id = |kind: &str| format!("{kind}_{n}");
    changes.products.insert(id("prod"), samples::product(&scope.account, &id("prod"), "instance"));
    changes.purchases.insert(id("pur"), samples::purchase(&id("pur"), Some(&id("cs"))));
    changes.subscriptions.insert(id("sub"), samples::subscription(&id("sub")));
    let key = products_contract::RecordKey { collection: "things".into(), id: id("rec") };
    changes.records.insert(key, Some(samples::record(&id("rec"), "{}")));
    changes.facts.insert(format!("paid:in_{n}"));
    changes.claims.insert(format!("shop/test//subdomain:s{n}"), Some(samples::claim(&scope.account)));
    let mut effect = samples::effect("mail.send", &id("mail"));
    effect.ordering_key = Some("mails".into());
    changes.effects.push(samples::insert(samples::queued(&scope, effect, 1000)));
    changes.data_version = Some(n);
    changes
}

/// A group is visible to the store's own reads; a rollback throws all of it away.
pub fn a_group_is_visible_at_once_and_gone_after_a_rollback(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    store.begin().expect("no group is open");
    store.accept(&samples::inbox_row("evt_1")).expect("accepted");
    let mut changes = one_of_each(1);
    changes.inbox = Some(samples::inbox_change(1, InboxState::Done));
    store.apply(&changes).expect("applied");
    assert!(store.product(&scope, "prod_1").expect("read").is_some());
    assert_eq!(store.inbox(1).expect("read").expect("there").state, InboxState::Done);
    store.rollback().expect("a group is open");

    assert_eq!(store.inbox(1), Ok(None));
    assert_eq!(store.product(&scope, "prod_1"), Ok(None));
    assert_eq!(store.purchase(&scope, &PurchaseKey::Session("cs_1".into())), Ok(None));
    assert_eq!(store.fact(&scope, "paid:in_1"), Ok(None));
    assert_eq!(store.claim("shop/test//subdomain:s1"), Ok(None));
    assert_eq!(store.claims_held(&scope, ""), Ok(Vec::new()));
    assert_eq!(store.effects_due(9999, true, 10), Ok(Vec::new()));
    assert_eq!(store.data_version(&scope), Ok(None));
    assert_eq!(store.scopes(), Ok(Vec::new()));

    store.begin().expect("no group is open");
    store.apply(&one_of_each(2)).expect("applied");
    store.commit().expect("a group is open");
    assert!(store.product(&scope, "prod_2").expect("read").is_some());
    assert_eq!(store.scopes(), Ok(vec![scope]));
}

/// A change that a unique index refuses leaves nothing behind, and the changes around it stay.
pub fn a_refused_change_leaves_the_rest_of_its_group(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    store.begin().expect("no group is open");
    store.accept(&samples::inbox_row("evt_1")).expect("accepted");
    store.apply(&one_of_each(1)).expect("applied");
    let before = state_hash(&[&*store]).expect("hashed");

    let mut refused = one_of_each(2);
    refused.inbox = Some(samples::inbox_change(1, InboxState::Done));
    refused.purchases.insert("pur_3".into(), samples::purchase("pur_3", Some("cs_1")));
    assert_eq!(store.apply(&refused), Err(StoreError::Taken("purchase.session".into())));
    assert_eq!(state_hash(&[&*store]).expect("hashed"), before);
    assert_eq!(store.fact(&scope, "paid:in_2"), Ok(None));
    assert_eq!(store.effect(&scope, "mail_2"), Ok(Vec::new()));
    assert_eq!(store.data_version(&scope), Ok(Some(1)));
    assert_eq!(store.inbox(1).expect("read").expect("there").state, InboxState::Pending { not_before: 1000 });

    store.apply(&one_of_each(4)).expect("applied");
    store.commit().expect("a group is open");
    assert_eq!(store.fact(&scope, "paid:in_4"), Ok(Some("evt_4".into())));
    assert_eq!(store.fact(&scope, "paid:in_1"), Ok(Some("evt_1".into())));
}

/// One group at a time, and an end only for one that began.
pub fn groups_do_not_nest(open: Open<'_>) {
    let mut store = open();
    assert!(matches!(store.commit(), Err(StoreError::Unavailable(_))));
    assert!(matches!(store.rollback(), Err(StoreError::Unavailable(_))));
    store.begin().expect("no group is open");
    assert!(matches!(store.begin(), Err(StoreError::Unavailable(_))));
    store.apply(&one_of_each(1)).expect("applied");
    store.commit().expect("a group is open");
    assert!(matches!(store.commit(), Err(StoreError::Unavailable(_))));
    assert!(matches!(store.rollback(), Err(StoreError::Unavailable(_))));
    assert_eq!(store.fact(&samples::scope("user:A"), "paid:in_1"), Ok(Some("evt_1".into())));
}

/// What a group changed of rows that were there is as before after a rollback, in every index.
pub fn a_rollback_restores_every_index(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let other = samples::scope("user:B");
    store.accept(&samples::inbox_row("evt_1")).expect("accepted");
    let mut first = one_of_each(1);
    let mut parked = samples::inbox_change(1, InboxState::Parked);
    parked.waits_for = vec!["claim:k".into()];
    first.inbox = Some(parked);
    store.apply(&first).expect("applied");
    let before = state_hash(&[&*store]).expect("hashed");

    store.begin().expect("no group is open");
    let mut second = samples::changes(&scope, "evt_2");
    second.purchases.insert("pur_1".into(), samples::purchase("pur_1", Some("cs_new")));
    second.claims.insert("shop/test//subdomain:s1".into(), Some(samples::claim(&other.account)));
    let key = products_contract::RecordKey { collection: "things".into(), id: "rec_1".into() };
    second.records.insert(key, None);
    let mut gone = samples::product(&scope.account, "prod_1", "instance");
    gone.deleted = true;
    second.products.insert("prod_1".into(), gone);
    second.effects.push(crate::EffectChange::Update {
        key: "mail_1".into(),
        generation: 1,
        state: EffectState::Running,
        attempts: 1,
        due_at: 5000,
        lease: crate::Lease { number: 1, until: Some(6000), token: Some("job-1".into()) },
    });
    second.data_version = Some(9);
    second.inbox = Some(samples::inbox_change(1, InboxState::Done));
    store.apply(&second).expect("applied");
    assert_eq!(store.woken_by(&["claim:k".into()]), Ok(Vec::new()));
    assert_eq!(store.claims_held(&other, ""), Ok(vec!["shop/test//subdomain:s1".into()]));
    store.rollback().expect("a group is open");

    assert_eq!(state_hash(&[&*store]).expect("hashed"), before);
    assert!(store.purchase(&scope, &PurchaseKey::Session("cs_1".into())).expect("read").is_some());
    assert_eq!(store.purchase(&scope, &PurchaseKey::Session("cs_new".into())), Ok(None));
    assert_eq!(store.claims_held(&other, ""), Ok(Vec::new()));
    assert_eq!(store.claims_held(&scope, ""), Ok(vec!["shop/test//subdomain:s1".into()]));
    assert_eq!(store.effects_running(), Ok(Vec::new()));
    assert_eq!(store.effects_due(1000, true, 10).expect("read").len(), 1);
    assert_eq!(store.woken_by(&["claim:k".into()]), Ok(vec![1]));
    assert_eq!(store.parked_count(), Ok(1));
    assert_eq!(store.data_version(&scope), Ok(Some(1)));
}

/// Rows without a scope belong to nobody.
pub fn changes_need_a_scope(open: Open<'_>) {
    let mut store = open();
    let mut changes = one_of_each(1);
    changes.scope = None;
    assert!(matches!(store.apply(&changes), Err(StoreError::Unavailable(_))));
    assert_eq!(store.scopes(), Ok(Vec::new()));
    store.apply(&Changes::default()).expect("nothing to apply");
}
