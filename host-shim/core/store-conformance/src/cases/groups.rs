//! Cases of groups, refusals and conditions.

use super::Open;
use extension_contract::{Reference, Row, RowKey, RowKind, Selection};
use host_store::testing::samples;
use host_store::{
    AccountRow, Applied, Changes, ClaimRow, Conflict, DueQuery, EffectChange, EffectState, Expected, InboxState, Lease,
    NotState, OpenedRows, StoreError, Wait, state_hash,
};

const DONE: Result<Applied, StoreError> = Ok(Applied::Done { seq: None });

/// Returns changes with a row of every kind.
fn one_of_each(n: u32) -> Changes {
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, &format!("evt_{n}"));
    let id = |kind: &str| format!("{kind}_{n}");
    let mut product = samples::write(Row::Product(samples::product(&scope.account, &id("prod"), "instance")));
    product.references = vec![Reference::Row(RowKey::Purchase(id("pur")))];
    product.fingerprint = Some("old".into());
    product.data_version = n;
    changes.rows = vec![
        product,
        samples::write(Row::Purchase(samples::purchase(&id("pur"), Some(&id("cs"))))),
        samples::write(Row::Subscription(samples::subscription(&id("sub")))),
        samples::write(Row::Record(samples::record("things", &id("rec"), "{}"))),
    ];
    changes.facts.insert(format!("paid:in_{n}"));
    changes.claims.insert(format!("shop/test//subdomain:s{n}"), Some(samples::claim(&scope.account)));
    let mut effect = samples::effect("mail.send", &id("mail"));
    effect.ordering_key = Some("mails".into());
    changes.effects.push(samples::insert(samples::queued(&scope, effect, 1000)));
    changes
}

fn claim(n: u32) -> String {
    format!("shop/test//subdomain:s{n}")
}

/// A group is visible to the store's own reads. A rollback discards all of it.
pub fn a_group_is_visible_at_once_and_gone_after_a_rollback(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let partition = samples::partition();
    let product = RowKey::Product("prod_1".into());
    store.begin().expect("no group is open");
    store.apply(&samples::accepted(samples::new_event("evt_1"))).expect("applied");
    assert_eq!(store.event(&partition, "stripe", "evt_1").expect("read").expect("there").seq, 1);
    let mut changes = one_of_each(1);
    changes.inbox = Some(samples::moved(1, samples::progress(InboxState::Done)));
    assert_eq!(store.apply(&changes), DONE);
    assert!(store.load(&scope, std::slice::from_ref(&product)).expect("read")[0].is_some());
    assert_eq!(store.open(&scope, &[], &[]).expect("read").rows.len(), 4);
    assert_eq!(store.account(&scope).map(|it| it.revision), Ok(1));
    assert_eq!(store.inbox(1).expect("read").expect("there").state, InboxState::Done);
    store.rollback().expect("a group is open");

    assert_eq!(store.inbox(1), Ok(None));
    assert_eq!(store.event(&partition, "stripe", "evt_1"), Ok(None));
    assert_eq!(store.load(&scope, &[product]), Ok(vec![None]));
    assert_eq!(store.open(&scope, &[], &[]), Ok(OpenedRows::default()));
    assert_eq!(store.known(&scope, &["paid:in_1".into()]), Ok(vec![false]));
    assert_eq!(store.claims(&[claim(1)]), Ok(vec![None]));
    assert_eq!(store.effects_due(&DueQuery::of(&partition, 9999, 10)), Ok(Vec::new()));
    assert_eq!(store.account(&scope).map(|it| it.data_version), Ok(None));
    assert_eq!(store.account(&scope).map(|it| it.revision), Ok(0));
    assert_eq!(store.scopes(None), Ok(Vec::new()));

    store.begin().expect("no group is open");
    assert_eq!(store.apply(&one_of_each(2)), DONE);
    store.commit().expect("a group is open");
    assert_eq!(store.open(&scope, &[], &["paid:in_2".into()]).expect("read").facts, [true]);
    assert_eq!(store.scopes(None), Ok(vec![scope]));
}

/// A change that a unique index refuses has no effect. Other changes of the group stay.
pub fn a_refused_change_leaves_the_rest_of_its_group(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    store.begin().expect("no group is open");
    store.apply(&samples::accepted(samples::new_event("evt_1"))).expect("applied");
    assert_eq!(store.apply(&one_of_each(1)), DONE);
    let before = state_hash(&[&*store], &NotState::default()).expect("hashed");

    let mut refused = one_of_each(2);
    refused.inbox = Some(samples::moved(1, samples::progress(InboxState::Done)));
    refused.rows.push(samples::write(Row::Purchase(samples::purchase("pur_3", Some("cs_1")))));
    assert_eq!(store.apply(&refused), Err(StoreError::Taken("purchase.session".into())));
    assert_eq!(state_hash(&[&*store], &NotState::default()).expect("hashed"), before);
    assert_eq!(store.known(&scope, &["paid:in_2".into()]), Ok(vec![false]));
    assert_eq!(store.effect(&scope, "mail_2"), Ok(Vec::new()));
    assert_eq!(store.account(&scope), Ok(AccountRow { revision: 1, data_version: Some(1) }));
    assert_eq!(
        store.inbox(1).expect("read").expect("there").state,
        InboxState::Pending { not_before: 1000, waits_since: None }
    );

    let mut new = one_of_each(1);
    new.inbox = samples::accepted(samples::new_event("evt_2")).inbox;
    assert_eq!(store.apply(&new), Err(StoreError::Taken("fact".into())));
    assert_eq!(store.event(&samples::partition(), "stripe", "evt_2"), Ok(None));

    assert_eq!(store.apply(&one_of_each(4)), DONE);
    store.commit().expect("a group is open");
    assert_eq!(store.known(&scope, &["paid:in_4".into()]), Ok(vec![true]));
    assert_eq!(store.known(&scope, &["paid:in_1".into()]), Ok(vec![true]));
}

/// Only one group may be open, and only an open group may end.
pub fn groups_do_not_nest(open: Open<'_>) {
    let mut store = open();
    assert!(matches!(store.commit(), Err(StoreError::Misuse(_))));
    assert!(matches!(store.rollback(), Err(StoreError::Misuse(_))));
    store.begin().expect("no group is open");
    assert!(matches!(store.begin(), Err(StoreError::Misuse(_))));
    assert_eq!(store.apply(&one_of_each(1)), DONE);
    store.commit().expect("a group is open");
    assert!(matches!(store.commit(), Err(StoreError::Misuse(_))));
    assert!(matches!(store.rollback(), Err(StoreError::Misuse(_))));
    assert_eq!(store.known(&samples::scope("user:A"), &["paid:in_1".into()]), Ok(vec![true]));
}

/// A rollback restores updated rows in every index.
pub fn a_rollback_restores_every_index(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let partition = samples::partition();
    let other = samples::scope("user:B");
    store.apply(&samples::accepted(samples::new_event("evt_1"))).expect("applied");
    let mut first = one_of_each(1);
    let mut parked = samples::progress(InboxState::Parked { since: 1000 });
    parked.waits_for = vec!["claim:k".into()];
    first.inbox = Some(samples::moved(1, parked));
    assert_eq!(store.apply(&first), DONE);
    let named = [Reference::Row(RowKey::Purchase("pur_1".into()))];
    let outdated = Selection::Outdated(RowKind::Product, "new".into());
    let answers = |store: &dyn host_store::Store| {
        (
            state_hash(&[store], &NotState::default()).expect("hashed"),
            store.open(&scope, &named, &["paid:in_1".into()]).expect("read"),
            store.more(&scope, &outdated, 10).expect("read"),
            store.claims(&[claim(1)]).expect("read"),
            store.effects_due(&DueQuery::of(&partition, 1000, 10)).expect("read"),
            store.woken_by(&["claim:k".into()]).expect("read"),
            store.waiting_before(&partition, Wait::Parked, 2000, 10).expect("read"),
        )
    };
    let before = answers(&*store);
    assert_eq!((before.2.len(), before.4.len(), &before.5, &before.6), (1, 1, &vec![1], &vec![1]));

    store.begin().expect("no group is open");
    let mut second = samples::changes(&scope, "evt_2");
    let mut gone = samples::product(&scope.account, "prod_1", "instance");
    gone.deleted = true;
    let mut settled = samples::write(Row::Subscription(samples::subscription("sub_1")));
    settled.live = false;
    settled.data_version = 9;
    second.rows = vec![
        samples::write(Row::Purchase(samples::purchase("pur_1", Some("cs_new")))),
        samples::gone("things", "rec_1"),
        samples::write(Row::Product(gone)),
        settled,
    ];
    second.claims.insert(claim(1), Some(samples::claim(&other.account)));
    second.effects.push(EffectChange::Update {
        key: "mail_1".into(),
        generation: 1,
        state: EffectState::Running,
        attempts: 1,
        due_at: 5000,
        lease: Lease { number: 1, until: Some(6000), token: Some("t".into()), owner: None },
    });
    second.inbox = Some(samples::moved(1, samples::progress(InboxState::Done)));
    assert_eq!(store.apply(&second), DONE);
    assert_ne!(answers(&*store), before);
    assert_eq!(store.woken_by(&["claim:k".into()]), Ok(Vec::new()));
    assert_eq!(store.parked_count(&partition), Ok(0));
    assert_eq!(store.account(&scope).map(|it| it.data_version), Ok(Some(9)));
    store.rollback().expect("a group is open");

    assert_eq!(answers(&*store), before);
    let mut taken = samples::changes(&scope, "evt_3");
    taken.rows = vec![samples::write(Row::Purchase(samples::purchase("pur_2", Some("cs_1"))))];
    assert_eq!(store.apply(&taken), Err(StoreError::Taken("purchase.session".into())));
    assert_eq!(store.effects_running(&partition), Ok(Vec::new()));
    assert_eq!(store.parked_count(&partition), Ok(1));
    assert_eq!(store.account(&scope), Ok(AccountRow { revision: 1, data_version: Some(1) }));
}

/// Changes of rows and expected revisions without a scope are refused.
pub fn changes_need_a_scope(open: Open<'_>) {
    let mut store = open();
    let mut changes = one_of_each(1);
    changes.scope = None;
    assert!(matches!(store.apply(&changes), Err(StoreError::Misuse(_))));
    let expected = Expected { account_revision: Some(0), ..Expected::default() };
    assert!(matches!(store.apply(&Changes { expected, ..Changes::default() }), Err(StoreError::Misuse(_))));
    assert_eq!(store.scopes(None), Ok(Vec::new()));
    assert_eq!(store.apply(&Changes::default()), DONE);
}

/// A change that writes a key twice, writes a row of another key, or deletes a row that is not a record is refused.
pub fn mismatched_rows_are_refused(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let product = samples::write(Row::Product(samples::product(&scope.account, "prod_1", "instance")));
    let mut other_id = product.clone();
    other_id.key = RowKey::Product("prod_2".into());
    let mut other_kind = product.clone();
    other_kind.key = RowKey::Purchase("prod_1".into());
    let mut gone = product.clone();
    gone.row = None;
    let mut other_collection = samples::write(Row::Record(samples::record("things", "r", "{}")));
    other_collection.key = samples::record_key("others", "r");
    for rows in
        [vec![product.clone(), product.clone()], vec![other_id], vec![other_kind], vec![gone], vec![other_collection]]
    {
        let changes = Changes { rows, ..samples::changes(&scope, "evt_1") };
        assert!(matches!(store.apply(&changes), Err(StoreError::Misuse(_))), "{changes:?}");
    }
    assert_eq!(store.scopes(None), Ok(Vec::new()));
}

/// The revision rises by one with each change of rows, facts or claims, but not with changes of effects or events.
pub fn a_revision_rises_with_rows_facts_and_claims(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let of = |fill: &dyn Fn(&mut Changes)| {
        let mut changes = samples::changes(&scope, "evt_1");
        fill(&mut changes);
        changes
    };
    let rows = of(&|changes| changes.rows.push(samples::write(Row::Subscription(samples::subscription("sub_1")))));
    let facts = of(&|changes| changes.facts = ["paid:in_1".into()].into());
    let claims = of(&|changes| drop(changes.claims.insert(claim(1), None)));
    let effect = samples::queued(&scope, samples::effect("mail.send", "k"), 1000);
    let effects = of(&|changes| changes.effects.push(samples::insert(effect.clone())));
    let update = of(&|changes| changes.effects.push(samples::update("k", EffectState::Running, 1, 0)));
    let all = one_of_each(1);
    for (changes, revision) in [(rows, 1), (facts, 2), (claims, 3), (effects, 3), (update, 3)] {
        assert_eq!(store.apply(&changes), DONE);
        assert_eq!(store.account(&scope).map(|it| it.revision), Ok(revision), "{changes:?}");
    }
    let mut all = all;
    all.facts.clear();
    assert_eq!(store.apply(&all), DONE);
    store.apply(&samples::accepted(samples::new_event("evt_1"))).expect("applied");
    let opened = store.open(&scope, &[], &[]).expect("read");
    assert_eq!((opened.account_revision, opened.catalog_revision), (4, 0));
    assert_eq!(store.account(&samples::scope("user:B")).map(|it| it.revision), Ok(0));
}

/// A wrong account revision, catalog revision or claim, or a known event, is a conflict and changes nothing.
pub fn a_conflict_changes_nothing(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    assert_eq!(store.apply(&one_of_each(1)), DONE);
    let mut catalog = samples::changes(&samples::scope("platform"), "evt_1");
    catalog.rows.push(samples::write(Row::Price(samples::price("price_a"))));
    assert_eq!(store.apply(&catalog), DONE);
    assert_eq!(store.apply(&catalog), DONE);
    let mut known = samples::new_event("evt_known");
    known.progress.state = InboxState::Done;
    assert_eq!(store.apply(&samples::accepted(known.clone())), Ok(Applied::Done { seq: Some(1) }));

    let held = Some(samples::claim(&scope.account));
    let longer = Some(ClaimRow { until: Some(1), ..samples::claim(&scope.account) });
    let stale = [
        Expected { account_revision: Some(0), ..Expected::default() },
        Expected { account_revision: Some(2), ..Expected::default() },
        Expected { catalog_revision: Some(1), ..Expected::default() },
        Expected { claims: vec![(claim(1), None)], ..Expected::default() },
        Expected { claims: vec![(claim(1), longer)], ..Expected::default() },
        Expected { claims: vec![(claim(1), held.clone()), (claim(9), held.clone())], ..Expected::default() },
    ];
    let fresh = Expected {
        account_revision: Some(1),
        catalog_revision: Some(2),
        claims: vec![(claim(1), held), (claim(9), None)],
        ..Expected::default()
    };
    for grouped in [false, true] {
        if grouped {
            store.begin().expect("no group is open");
        }
        let before =
            (state_hash(&[&*store], &NotState::default()), store.account(&scope), store.inbox_after(None, 0, 10));
        for expected in &stale {
            let mut changes = one_of_each(2);
            changes.inbox = samples::accepted(samples::new_event("evt_2")).inbox;
            changes.expected = expected.clone();
            assert_eq!(store.apply(&changes), Ok(Applied::Conflict(Conflict::Read)), "{expected:?}");
        }
        let mut changes = one_of_each(2);
        changes.inbox = samples::accepted(known.clone()).inbox;
        changes.expected = fresh.clone();
        assert_eq!(store.apply(&changes), Ok(Applied::Conflict(Conflict::Event)), "the event is known");
        assert_eq!(
            (state_hash(&[&*store], &NotState::default()), store.account(&scope), store.inbox_after(None, 0, 10)),
            before
        );
        assert_eq!(store.known(&scope, &["paid:in_2".into()]), Ok(vec![false]));
        if grouped {
            store.commit().expect("a group is open");
        }
    }
    let mut changes = one_of_each(2);
    changes.inbox = samples::accepted(samples::new_event("evt_2")).inbox;
    changes.expected = fresh;
    assert_eq!(store.apply(&changes), Ok(Applied::Done { seq: Some(2) }));
    assert_eq!(store.apply(&changes), Ok(Applied::Conflict(Conflict::Read)), "decided at an old revision");
}
