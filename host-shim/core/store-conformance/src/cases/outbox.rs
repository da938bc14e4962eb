//! Cases of the outbox: which effects may begin, and in which order.

use super::Open;
use extension_contract::{Account, Effect, RetryPolicy, Timestamp};
use host_store::testing::samples;
use host_store::{
    Applied, Changes, Conflict, DueQuery, EffectChange, EffectRow, EffectState, ExpectedEffect, ExpectedGenerations,
    Lease, LeaseRequest, Partition, Store, StoreError, TIMER,
};

fn queue(store: &mut dyn Store, account: &str, key: &str, ordering_key: Option<&str>, due_at: Timestamp) {
    let mut effect = samples::effect("mail.send", key);
    effect.ordering_key = ordering_key.map(str::to_owned);
    queue_effect(store, account, effect, due_at);
}

fn queue_effect(store: &mut dyn Store, account: &str, effect: Effect, due_at: Timestamp) {
    let scope = samples::scope(account);
    let mut changes = samples::changes(&scope, "evt_1");
    changes.effects.push(samples::insert(samples::queued(&scope, effect, due_at)));
    store.apply(&changes).expect("applied");
}

fn update(store: &mut dyn Store, account: &str, key: &str, state: EffectState, due_at: Timestamp) {
    let mut changes = samples::changes(&samples::scope(account), "");
    changes.effects.push(samples::update(key, state, 1, due_at));
    store.apply(&changes).expect("applied");
}

fn keys(rows: Result<Vec<EffectRow>, StoreError>) -> Vec<String> {
    rows.expect("read").into_iter().map(|row| row.effect.key).collect()
}

/// Every member of an effect and of its row is stored.
pub fn effects_are_read_as_they_were_requested(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut row = samples::queued(&scope, samples::effect("account.send", "k"), 2000);
    row.effect = Effect {
        to: Some(Account::Organization("O".into())),
        payload: "{\"a\": 1}".into(),
        context: "{\"row\": \"x\"}".into(),
        reply_to: Some("caller".into()),
        ordering_key: Some("order".into()),
        not_before: Some(2000),
        deadline: Some(9000),
        retry: Some(RetryPolicy { delays_ms: vec![100, 5000, 200] }),
        ..row.effect
    };
    let mut second = samples::queued(&scope, samples::effect("account.send", "k"), 2000);
    second.effect.generation = 2;
    second.state = EffectState::Running;
    second.lease.until = Some(3000);
    second.lease.number = 7;
    second.lease.token = Some("job-1".into());
    let mut changes = samples::changes(&scope, "evt_1");
    changes.effects = vec![samples::insert(row.clone()), samples::insert(second.clone())];
    store.apply(&changes).expect("applied");
    row.seq = 1;
    second.seq = 2;
    assert_eq!(store.effect(&scope, "k"), Ok(vec![row.clone(), second]));
    assert_eq!(store.effect(&scope, "other"), Ok(Vec::new()));
    assert_eq!(store.effect(&samples::scope("user:B"), "k"), Ok(Vec::new()));

    let leased = EffectChange::Update {
        key: "k".into(),
        generation: 1,
        state: EffectState::Running,
        attempts: 2,
        due_at: 2500,
        lease: Lease { number: 3, until: Some(4000), token: Some("job-2".into()), owner: None },
    };
    let mut changes = samples::changes(&scope, "");
    changes.effects = vec![leased];
    store.apply(&changes).expect("applied");
    row.state = EffectState::Running;
    (row.attempts, row.due_at, row.lease.until, row.lease.number, row.lease.token) =
        (2, 2500, Some(4000), 3, Some("job-2".into()));
    assert_eq!(store.effect(&scope, "k").expect("read")[0], row);
    let mut changes = samples::changes(&scope, "");
    changes.effects = vec![samples::update("k", EffectState::Finished, 2, 2500)];
    store.apply(&changes).expect("applied");
    row.state = EffectState::Finished;
    (row.lease.until, row.lease.number, row.lease.token) = (None, 0, None);
    assert_eq!(store.effect(&scope, "k").expect("read")[0], row);
}

/// Queries for due, running and open effects return only effects of their mode and business.
pub fn outbox_queues_are_of_one_partition(open: Open<'_>) {
    let mut store = open();
    let p = samples::partition();
    let live = Partition { livemode: true, ..p.clone() };
    let bakery = Partition { business: "bakery".into(), ..p.clone() };
    for partition in [&p, &live, &bakery] {
        let scope = partition.scope(Account::User("A".into()));
        let mut changes = samples::changes(&scope, "evt_1");
        let mut running = samples::queued(&scope, samples::effect("mail.send", "running"), 1000);
        running.state = EffectState::Running;
        changes.effects = vec![
            samples::insert(samples::queued(&scope, samples::effect("mail.send", "mail"), 1000)),
            samples::insert(samples::queued(&scope, samples::effect(TIMER, "timer"), 2000)),
            samples::insert(running),
        ];
        store.apply(&changes).expect("applied");
    }
    for partition in [&p, &live, &bakery] {
        let scope = partition.scope(Account::User("A".into()));
        let due = store.effects_due(&DueQuery::of(partition, 9000, 10)).expect("read");
        assert!(due.iter().all(|row| row.scope == scope), "{due:?}");
        assert_eq!(keys(Ok(due)), ["mail", "timer"]);
        assert_eq!(keys(store.effects_running(partition)), ["running"]);
        assert_eq!(keys(store.effects_open_after(partition, 0, usize::MAX)), ["mail", "timer", "running"]);
        assert_eq!(keys(store.effects_open(&scope)), ["mail", "timer", "running"]);
        assert!(keys(store.effects_open(&partition.scope(Account::Platform))).is_empty());
        assert_eq!(store.next_due(partition, 1000), Ok(Some(2000)));
    }
    let mut changes = samples::changes(&live.scope(Account::User("A".into())), "");
    changes.effects = vec![samples::update("mail", EffectState::Finished, 1, 1000)];
    store.apply(&changes).expect("applied");
    assert_eq!(keys(store.effects_due(&DueQuery::of(&p, 1000, 10))), ["mail"]);
    assert!(keys(store.effects_due(&DueQuery::of(&live, 1000, 10))).is_empty());
    let nobody = Partition { business: "nobody".into(), livemode: false };
    assert_eq!((store.next_due(&nobody, 0), store.effects_running(&nobody)), (Ok(None), Ok(Vec::new())));
}

/// Effects of all accounts of a partition are due in order of due time, then of request.
pub fn effects_are_due_in_order_of_time(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "late", None, 3000);
    queue(&mut *store, "user:B", "first", None, 1000);
    queue(&mut *store, "user:A", "second", None, 1000);
    queue(&mut *store, "user:B", "third", None, 2000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 2000, 10))), ["first", "second", "third"]);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 2000, 2))), ["first", "second"]);
    assert!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 999, 10))).is_empty());
    assert_eq!(store.next_due(&samples::partition(), 1000), Ok(Some(2000)));
    assert_eq!(store.next_due(&samples::partition(), 3000), Ok(None));
    update(&mut *store, "user:B", "first", EffectState::Queued, 2500);
    assert_eq!(
        keys(store.effects_due(&DueQuery::of(&samples::partition(), 3000, 10))),
        ["second", "third", "first", "late"]
    );
    update(&mut *store, "user:A", "second", EffectState::Running, 1000);
    update(&mut *store, "user:B", "third", EffectState::Cancelled, 2000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 3000, 10))), ["first", "late"]);
    assert_eq!(
        store.effects_due(&DueQuery::of(&samples::partition(), 3000, 1)).expect("read")[0].scope,
        samples::scope("user:B")
    );
}

/// Due timers are returned like other effects, or omitted if the caller asks for this.
pub fn timers_can_be_left_out(open: Open<'_>) {
    let mut store = open();
    queue_effect(&mut *store, "user:A", samples::effect(TIMER, "timer"), 1000);
    queue(&mut *store, "user:A", "mail", None, 2000);
    queue_effect(&mut *store, "user:A", samples::effect(TIMER, "later"), 1500);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 2000, 10))), ["timer", "later", "mail"]);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 2000, 2))), ["timer", "later"]);
    assert_eq!(
        keys(store.effects_due(&DueQuery { timers: false, ..DueQuery::of(&samples::partition(), 2000, 10) })),
        ["mail"]
    );
    assert_eq!(store.next_due(&samples::partition(), 1000), Ok(Some(1500)));
}

/// In each account, only the first open effect of an ordering key may begin, even if only a later effect is due.
pub fn one_effect_of_an_ordering_key_is_due_at_a_time(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "a1", Some("db"), 2000);
    queue(&mut *store, "user:A", "a2", Some("db"), 1000);
    queue(&mut *store, "user:A", "other", Some("cdn"), 1000);
    queue(&mut *store, "user:B", "b1", Some("db"), 1000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 1000, 10))), ["other", "b1"]);
    assert_eq!(store.next_due(&samples::partition(), 1000), Ok(Some(2000)));
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 2000, 10))), ["other", "b1", "a1"]);
    update(&mut *store, "user:A", "a1", EffectState::Running, 2000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 9000, 10))), ["other", "b1"]);
    update(&mut *store, "user:A", "a1", EffectState::Queued, 5000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 4000, 10))), ["other", "b1"]);
    assert_eq!(store.next_due(&samples::partition(), 4000), Ok(Some(5000)));
    update(&mut *store, "user:A", "a1", EffectState::Finished, 5000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 1000, 10))), ["a2", "other", "b1"]);
    update(&mut *store, "user:A", "a2", EffectState::Cancelled, 1000);
    queue(&mut *store, "user:A", "a3", Some("db"), 1000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 1000, 10))), ["other", "b1", "a3"]);
    queue(&mut *store, "user:A", "a4", Some("db"), 1000);
    queue(&mut *store, "user:A", "a5", Some("db"), 1000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 1000, 10))), ["other", "b1", "a3"]);
    update(&mut *store, "user:A", "a3", EffectState::Finished, 1000);
    assert_eq!(keys(store.effects_due(&DueQuery::of(&samples::partition(), 1000, 10))), ["other", "b1", "a4"]);
}

/// Queued and running effects are listed by account and by partition; running effects also separately, for a starting
/// host.
pub fn open_effects_are_listed_until_they_end(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "a1", None, 5000);
    queue(&mut *store, "user:B", "b1", None, 1000);
    queue(&mut *store, "user:A", "a2", Some("db"), 1000);
    queue(&mut *store, "user:A", "a3", None, 1000);
    update(&mut *store, "user:A", "a2", EffectState::Running, 1000);
    update(&mut *store, "user:A", "a3", EffectState::Finished, 1000);
    assert_eq!(keys(store.effects_open_after(&samples::partition(), 0, usize::MAX)), ["a1", "b1", "a2"]);
    assert_eq!(keys(store.effects_open(&samples::scope("user:A"))), ["a1", "a2"]);
    assert!(keys(store.effects_open(&samples::scope("user:C"))).is_empty());
    assert_eq!(keys(store.effects_running(&samples::partition())), ["a2"]);
    update(&mut *store, "user:A", "a2", EffectState::Queued, 1000);
    assert!(keys(store.effects_running(&samples::partition())).is_empty());
    update(&mut *store, "user:A", "a1", EffectState::Cancelled, 1000);
    assert_eq!(keys(store.effects_open_after(&samples::partition(), 0, usize::MAX)), ["b1", "a2"]);
    assert!(keys(store.effects_awaited(&samples::partition())).is_empty(), "no finished effect has a token");
    let mut changes = samples::changes(&samples::scope("user:A"), "");
    let lease = Lease { number: 1, until: Some(2000), token: Some("job".to_owned()), owner: None };
    let with = |state| EffectChange::Update {
        key: "a3".to_owned(),
        generation: 1,
        state,
        attempts: 1,
        due_at: 1000,
        lease: lease.clone(),
    };
    changes.effects = vec![with(EffectState::Finished)];
    store.apply(&changes).expect("applied");
    assert_eq!(keys(store.effects_awaited(&samples::partition())), ["a3"]);
    let nobody = Partition { business: "nobody".into(), livemode: false };
    assert!(keys(store.effects_awaited(&nobody)).is_empty());
    changes.effects = vec![with(EffectState::Running)];
    store.apply(&changes).expect("applied");
    assert!(keys(store.effects_awaited(&samples::partition())).is_empty(), "a running effect has not ended");
}

/// A duplicate key and generation, or an update of a missing effect, refuses the whole change.
pub fn an_effect_is_inserted_once_and_updated_only_if_it_exists(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    queue(&mut *store, "user:A", "k", None, 1000);
    queue(&mut *store, "user:B", "k", None, 1000);
    let mut twice = samples::changes(&scope, "evt_2");
    twice.facts.insert("paid:in_1".into());
    for key in ["new", "k"] {
        twice.effects.push(samples::insert(samples::queued(&scope, samples::effect("mail.send", key), 1000)));
    }
    assert_eq!(store.apply(&twice), Err(StoreError::Taken("effect.generation".into())));
    let mut missing = samples::changes(&scope, "evt_2");
    missing.facts.insert("paid:in_1".into());
    for key in ["k", "missing"] {
        missing.effects.push(samples::update(key, EffectState::Running, 1, 0));
    }
    assert!(matches!(store.apply(&missing), Err(StoreError::Misuse(_))));
    assert_eq!(store.known(&scope, &["paid:in_1".into()]), Ok(vec![false]));
    assert_eq!(store.effect(&scope, "new"), Ok(Vec::new()));
    assert_eq!(store.effect(&scope, "k").expect("read")[0].state, EffectState::Queued);
    // A refusal leaves no gap in the numbers: the next request is the third.
    queue(&mut *store, "user:A", "third", None, 1000);
    assert_eq!(store.effect(&scope, "third").expect("read")[0].seq, 3);
}

/// Of several refused effects of a change, the first one decides about the error.
pub fn the_first_refused_effect_decides_about_the_error(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    queue(&mut *store, "user:A", "k", None, 1000);
    let insert = |key: &str| samples::insert(samples::queued(&scope, samples::effect("mail.send", key), 1000));
    let update = |key: &str| samples::update(key, EffectState::Running, 1, 0);
    let taken = || Err(StoreError::Taken("effect.generation".into()));
    let missing = |key: &str| Err(StoreError::Misuse(format!("no effect `{key}` of generation 1")));
    for (effects, refused) in [
        (vec![insert("k"), update("missing")], taken()),
        (vec![update("missing"), insert("k")], missing("missing")),
        (vec![insert("new"), update("missing"), insert("new")], missing("missing")),
        (vec![insert("new"), insert("new"), update("missing")], taken()),
        (vec![update("new"), insert("new"), update("other")], missing("new")),
        (vec![insert("new"), update("new"), update("other"), update("missing")], missing("other")),
    ] {
        let changes = Changes { effects, ..samples::changes(&scope, "evt_2") };
        assert_eq!(store.apply(&changes), refused, "{:?}", changes.effects);
    }
}

/// All effects of an account, including ended effects, are listed by pages in order of their requests.
pub fn effects_of_an_account_are_listed_in_every_state(open: Open<'_>) {
    let mut store = open();
    for (account, key) in [("user:A", "b"), ("user:B", "x"), ("user:A", "a"), ("user:A", "c")] {
        queue(&mut *store, account, key, None, 1000);
    }
    update(&mut *store, "user:A", "a", EffectState::Finished, 1000);
    update(&mut *store, "user:A", "c", EffectState::Cancelled, 1000);
    let scope = samples::scope("user:A");
    assert_eq!(keys(store.effects_of(&scope, 0, 10)), ["b", "a", "c"]);
    assert_eq!(keys(store.effects_of(&scope, 0, 2)), ["b", "a"]);
    assert_eq!(keys(store.effects_of(&scope, 3, 2)), ["c"]);
    assert_eq!(keys(store.effects_of(&samples::scope("user:C"), 0, 10)), [""; 0]);
}

/// The pages of the open effects have every open effect once, in order of the requests, whatever its state and due time.
pub fn open_effects_of_all_accounts_are_listed_by_pages(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "late", None, 9000);
    queue(&mut *store, "user:B", "ended", None, 1000);
    queue_effect(&mut *store, "user:B", samples::effect(TIMER, "timer"), 500);
    queue(&mut *store, "user:A", "running", None, 1000);
    queue(&mut *store, "user:C", "soon", Some("db"), 100);
    queue(&mut *store, "user:C", "second", Some("db"), 50);
    update(&mut *store, "user:B", "ended", EffectState::Finished, 1000);
    update(&mut *store, "user:A", "running", EffectState::Running, 1000);
    let partition = samples::partition();
    let all = ["late", "timer", "running", "soon", "second"];
    assert_eq!(keys(store.effects_open_after(&partition, 0, 10)), all);
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let page = store.effects_open_after(&partition, after, 2).expect("read");
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        after = last.seq;
        paged.extend(page.into_iter().map(|row| row.effect.key));
    }
    assert_eq!(paged, all);
    assert_eq!(keys(store.effects_open_after(&partition, 0, usize::MAX)), all);
    assert!(keys(store.effects_open_after(&partition, 0, 0)).is_empty());
    let live = Partition { livemode: !partition.livemode, ..partition };
    assert!(keys(store.effects_open_after(&live, 0, 10)).is_empty(), "the other mode has none");
}

/// An effect is found by its number, with everything that a query by key returns, also after its end.
pub fn an_effect_is_read_by_its_number_in_every_state(open: Open<'_>) {
    let mut store = open();
    queue(&mut *store, "user:A", "a", None, 1000);
    queue(&mut *store, "user:B", "b", Some("db"), 2000);
    for state in [EffectState::Running, EffectState::Queued, EffectState::Finished] {
        update(&mut *store, "user:B", "b", state, 1000);
        let by_key = store.effect(&samples::scope("user:B"), "b").expect("read").pop();
        assert!(by_key.as_ref().is_some_and(|row| row.state == state));
        assert_eq!(store.effect_at(2), Ok(by_key));
    }
    assert_eq!(store.effect_at(1).expect("read").map(|row| row.effect.key), Some("a".to_owned()));
    for unknown in [0, 3, u64::MAX] {
        assert_eq!(store.effect_at(unknown), Ok(None), "{unknown}");
    }
}

/// A change under a lost lease, or of an effect that another host began or ended, is a conflict and changes nothing.
pub fn a_lost_lease_or_another_state_of_an_effect_is_a_conflict(open: Open<'_>) {
    use EffectState::{Cancelled, Finished, Queued, Running};
    let mut store = open();
    let scope = samples::scope("user:A");
    let expected = |key: &str, state, lease| ExpectedEffect { key: key.into(), generation: 1, state, lease };
    let change = |expected: Vec<ExpectedEffect>, state, number| {
        let mut changes = samples::changes(&scope, "evt_1");
        let lease = Lease { number, ..Lease::default() };
        changes.effects =
            vec![EffectChange::Update { key: "k".into(), generation: 1, state, attempts: 1, due_at: 0, lease }];
        changes.expected.effects = expected;
        changes
    };
    let lost = Ok(Applied::Conflict(Conflict::Effect));
    assert_eq!(store.apply(&change(vec![expected("k", Queued, 0)], Running, 1)), lost, "the scope is new");
    queue(&mut *store, "user:A", "k", None, 0);
    queue(&mut *store, "user:A", "other", None, 0);
    for wrong in [expected("k", Running, 0), expected("k", Queued, 1), expected("none", Queued, 0)] {
        assert_eq!(store.apply(&change(vec![wrong], Running, 1)), lost);
    }
    let second = ExpectedEffect { generation: 2, ..expected("k", Queued, 0) };
    assert_eq!(store.apply(&change(vec![second], Running, 1)), lost, "there is no second generation");
    let both = || vec![expected("other", Queued, 0), expected("k", Queued, 0)];
    assert_eq!(store.apply(&change(both(), Running, 1)), Ok(Applied::Done { seq: None }));
    assert_eq!(store.apply(&change(both(), Running, 1)), lost, "the other host has begun it");
    assert_eq!(store.apply(&change(vec![expected("k", Running, 1)], Running, 2)), Ok(Applied::Done { seq: None }));
    let ended = |lease, state| change(vec![expected("k", Running, lease)], state, lease);
    assert_eq!(store.apply(&ended(1, Finished)), lost, "another host holds the lease");
    assert_eq!(store.apply(&ended(2, Finished)), Ok(Applied::Done { seq: None }));
    assert_eq!(store.apply(&ended(2, Cancelled)), lost, "the effect has ended");
    let row = store.effect(&scope, "k").expect("read").remove(0);
    assert_eq!((row.state, row.lease.number), (Finished, 2));
    let mut without_scope = change(vec![expected("k", Finished, 2)], Finished, 2);
    (without_scope.scope, without_scope.effects) = (None, Vec::new());
    assert!(matches!(store.apply(&without_scope), Err(StoreError::Misuse(_))));
}

/// Chosen effects are leased in the chosen order, and only once; a rollback ends the leases.
pub fn chosen_effects_are_leased_once(open: Open<'_>) {
    let mut store = open();
    let partition = samples::partition();
    fn of<'a>(partition: &'a Partition, owner: &'a str, now: i64, chosen: &'a [u64]) -> LeaseRequest<'a> {
        LeaseRequest { partition, owner, now, until: 9000, chosen }
    }
    assert_eq!(store.lease(&of(&partition, "a", 2000, &[1])), Ok(Vec::new()), "the partition is new");
    queue(&mut *store, "user:A", "late", None, 3000);
    queue(&mut *store, "user:B", "second", Some("db"), 1500);
    queue(&mut *store, "user:A", "first", Some("db"), 1000);
    let due = store.effects_due(&DueQuery::of(&partition, 3000, 10)).expect("read");
    let [first, second, late] = [0, 1, 2].map(|at: usize| due[at].seq);
    assert_eq!(keys(Ok(due)), ["first", "second", "late"]);
    store.begin().expect("begun");
    assert_eq!(keys(store.lease(&of(&partition, "a", 2000, &[second, first]))), ["second", "first"]);
    store.rollback().expect("rolled back");
    let leased = store.lease(&of(&partition, "a", 2000, &[first])).expect("leased");
    let held = Lease { number: 1, until: Some(9000), token: None, owner: Some("a".to_owned()) };
    assert_eq!((leased[0].state, leased[0].attempts, &leased[0].lease), (EffectState::Running, 1, &held));
    assert_eq!(store.effect(&samples::scope("user:A"), "first"), Ok(leased), "the row is as it was returned");
    let live = Partition { livemode: true, ..partition.clone() };
    assert!(keys(store.lease(&of(&live, "b", 9000, &[second]))).is_empty());
    assert_eq!(
        keys(store.lease(&of(&partition, "b", 2000, &[first, second, late]))),
        ["second"],
        "the others are not due"
    );
    assert_eq!(keys(store.effects_running(&partition)), ["second", "first"]);
    update(&mut *store, "user:B", "second", EffectState::Finished, 1500);
    assert_eq!(keys(store.lease(&of(&partition, "b", 4000, &[late, second, 99]))), ["late"], "one has ended");
}

/// An effect whose provider has no room waits, and holds up neither later effects nor timers. After its deadline it needs no room.
pub fn effects_of_a_busy_provider_are_passed_over(open: Open<'_>) {
    let (mut store, partition) = (open(), samples::partition());
    for (kind, key, deadline) in [
        ("bucket.ensure", "slow", None),
        ("bucket.ensure", "too late", Some(2000)),
        ("mail.send", "mail", None),
        (TIMER, "timer", None),
        ("secret.ensure", "secret", None),
    ] {
        queue_effect(&mut *store, "user:A", Effect { deadline, ..samples::effect(kind, key) }, 1000);
    }
    let busy = ["bucket.ensure".to_owned(), "secret.ensure".to_owned()];
    let due =
        |now, busy, turns| keys(store.effects_due(&DueQuery { busy, turns, ..DueQuery::of(&partition, now, 10) }));
    assert_eq!(due(1999, &[], None), ["slow", "too late", "mail", "timer", "secret"]);
    for turns in [None, Some(2)] {
        let sorted = |mut keys: Vec<String>| {
            keys.sort();
            keys
        };
        assert_eq!(sorted(due(1999, &busy, turns)), ["mail", "timer"], "{turns:?}");
        assert_eq!(sorted(due(2000, &busy, turns)), ["mail", "timer", "too late"], "{turns:?}");
    }
}

/// In turn by account: an account with many effects does not hold up the first ones of others. What needs no call comes first.
pub fn effects_are_due_in_turn_by_account(open: Open<'_>) {
    let (mut store, partition) = (open(), samples::partition());
    for number in 1..=30 {
        queue(&mut *store, "user:A", &format!("a{number}"), None, 1000);
    }
    queue_effect(&mut *store, "user:A", samples::effect("bucket.ensure", "bucket"), 1500);
    queue(&mut *store, "user:B", "b1", None, 1600);
    queue(&mut *store, "user:B", "b2", None, 1700);
    queue(&mut *store, "user:C", "of db", Some("db"), 1650);
    queue(&mut *store, "user:C", "waits for db", Some("db"), 1650);
    queue_effect(&mut *store, "user:C", samples::effect(TIMER, "timer"), 1900);
    let overdue = Effect { deadline: Some(1800), ..samples::effect("mail.send", "overdue") };
    queue_effect(&mut *store, "user:A", overdue, 1000);
    queue(&mut *store, "user:B", "later", None, 2001);
    let due = |turns, limit| keys(store.effects_due(&DueQuery { turns, ..DueQuery::of(&partition, 2000, limit) }));
    let first = ["overdue", "timer", "a1", "bucket", "b1", "of db"];
    assert_eq!(due(Some(1), 99), first);
    assert_eq!(due(Some(3), 99), [&first[..], &["a2", "b2", "a3"]].concat());
    assert_eq!(due(Some(3), 5), first[..5]);
    assert_eq!(due(Some(3), 1), ["overdue"]);
    assert_eq!(due(None, 99)[..3], ["a1", "a2", "a3"], "without turns, the oldest comes first");
    let no_timers = DueQuery { timers: false, turns: Some(1), ..DueQuery::of(&partition, 2000, 2) };
    assert_eq!(keys(store.effects_due(&no_timers)), ["overdue", "a1"]);
}

/// A change is a conflict if an effect that it depends on has another generation, state or lease, or none.
pub fn another_generation_state_or_lease_is_a_conflict(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let depends = |rows: &[EffectRow]| {
        let mut changes = samples::changes(&scope, "evt_9");
        changes.expected.generations = vec![ExpectedGenerations::of("k", rows)];
        changes
    };
    let applied = Ok(Applied::Done { seq: None });
    let lost = Ok(Applied::Conflict(Conflict::Effect));
    let none = depends(&[]);
    assert_eq!(store.apply(&none), applied, "the scope is new");
    queue(&mut *store, "user:A", "other", None, 1000);
    assert_eq!(store.apply(&none), applied);
    queue(&mut *store, "user:A", "k", None, 1000);
    assert_eq!(store.apply(&none), lost, "the effect was requested meanwhile");
    let first = depends(&store.effect(&scope, "k").expect("read"));
    assert_eq!(store.apply(&first), applied);
    update(&mut *store, "user:A", "k", EffectState::Finished, 1000);
    assert_eq!(store.apply(&first), lost, "it has ended meanwhile");
    let ended = depends(&store.effect(&scope, "k").expect("read"));
    let next = Effect { generation: 2, ..samples::effect("mail.send", "k") };
    queue_effect(&mut *store, "user:A", next, 1000);
    assert_eq!(store.apply(&ended), lost, "it has a second generation");
    let mut rows = store.effect(&scope, "k").expect("read");
    assert_eq!(store.apply(&depends(&rows)), applied);
    rows[1].lease.number += 1;
    assert_eq!(store.apply(&depends(&rows)), lost, "another lease");
    let without_scope = Changes { scope: None, ..none };
    assert!(matches!(store.apply(&without_scope), Err(StoreError::Misuse(_))));
}
