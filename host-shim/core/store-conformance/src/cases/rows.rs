//! Cases of an extension's rows, claims and facts.

use super::Open;
use extension_contract::{
    Account, BillingInterval, CatalogKey, CatalogQuery, CatalogRow, IntervalUnit, LineItem, Listing, Product, Purchase,
    PurchaseStatus, Row, RowKey, RowKind, Selection, SnapshotRank, StoredRow, Subscription, SubscriptionItem,
    SubscriptionStatus,
};
use host_store::testing::samples;
use host_store::{Changes, ClaimRow, Partition, RowWrite, Scope, Store, StoreError};

fn full_product(owner: &Account) -> Product {
    let mut row = samples::product(owner, "prod_2", "subscription_plan");
    row.values.description = "für alle — 全部".into();
    row.values.active = false;
    row.values.price = Some(samples::usd(-5));
    row.values.interval = Some(BillingInterval { unit: IntervalUnit::Day, count: 1 });
    row.values.filters = vec![("filter_numeric_1".into(), "12.5".into()), ("filter_text_1".into(), "é".into())];
    row.values.metadata = "{\"a\" :[1, 2] }".into();
    row.version = 7;
    row
}

fn full_purchase() -> Purchase {
    let mut row = samples::purchase("pur_2", Some("cs_2"));
    row.values.payment_intent_id = Some("pi_2".into());
    row.values.subscription_id = Some("sub_2".into());
    row.values.status = PurchaseStatus::PaidPendingApproval;
    row.values.items = vec![LineItem {
        product_id: "prod_2".into(),
        price_id: None,
        name: "A \"name\"".into(),
        quantity: 3,
        unit_price: samples::usd(i64::MAX),
    }];
    row.values.tax = extension_contract::Money { amount_minor: i64::MIN, currency: "jpy".into() };
    row.values.refunded = samples::usd(1);
    row
}

fn full_subscription() -> Subscription {
    let mut row = samples::subscription("sub_2");
    row.values.status = SubscriptionStatus::IncompleteExpired;
    row.values.items = vec![SubscriptionItem {
        id: "si_1".into(),
        price_id: "price_pro".into(),
        quantity: 2,
        period_start: 1000,
        period_end: 2000,
    }];
    row.values.cancel_at_period_end = true;
    row.values.cancel_at = Some(1);
    row.values.trial_end = Some(2);
    row.values.grace_end = Some(-3);
    row.values.snapshot.rank = SnapshotRank::Retrieved;
    row
}

fn write(store: &mut dyn Store, scope: &Scope, rows: Vec<RowWrite>) {
    store.apply(&Changes { rows, ..samples::changes(scope, "evt_1") }).expect("applied");
}

fn id(stored: &StoredRow) -> String {
    match &stored.row {
        Row::Product(row) => row.id.clone(),
        Row::Price(row) => row.id.clone(),
        Row::Purchase(row) => row.id.clone(),
        Row::Subscription(row) => row.id.clone(),
        Row::Record(row) => row.id.clone(),
    }
}

fn ids(rows: Result<Vec<StoredRow>, StoreError>) -> Vec<String> {
    rows.expect("read").iter().map(id).collect()
}

fn listed(kind: RowKind, prefix: &str, descending: bool, after: Option<&str>) -> Selection {
    Selection::Listed(Listing { kind, prefix: prefix.into(), descending, after: after.map(str::to_owned) })
}

/// Every member of every row is stored, with and without optional values, and after a replacement.
pub fn rows_are_read_as_they_were_written(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("organization:O");
    let account = &scope.account;
    let mut once = samples::price("price_b");
    (once.family, once.interval, once.grants, once.active) = (None, None, Vec::new(), true);
    let rows = [
        Row::Product(samples::product(account, "prod_1", "instance")),
        Row::Product(full_product(account)),
        Row::Price(samples::price("price_a")),
        Row::Price(once),
        Row::Purchase(samples::purchase("pur_1", None)),
        Row::Purchase(full_purchase()),
        Row::Subscription(samples::subscription("sub_1")),
        Row::Subscription(full_subscription()),
        Row::Record(samples::record("things", "a/b", "{\"x\": \"y\" }")),
        Row::Record(samples::record("things", "a:b", "{}")),
    ];
    let writes: Vec<RowWrite> =
        (1..).zip(&rows).map(|(n, row)| RowWrite { data_version: n, ..samples::write(row.clone()) }).collect();
    let keys: Vec<RowKey> = writes.iter().map(|write| write.key.clone()).collect();
    let stored: Vec<_> =
        (1..).zip(&rows).map(|(n, row)| Some(StoredRow { data_version: n, row: row.clone() })).collect();
    write(&mut *store, &scope, writes.clone());
    assert_eq!(store.load(&scope, &keys), Ok(stored.clone()));
    write(&mut *store, &scope, writes.iter().rev().cloned().collect());
    assert_eq!(store.load(&scope, &keys), Ok(stored.clone()));
    let mut reversed = keys.clone();
    reversed.push(RowKey::Product("sub_1".into()));
    reversed.reverse();
    let mut answer = store.load(&scope, &reversed).expect("read");
    answer.reverse();
    assert_eq!(answer.pop(), Some(None));
    assert_eq!(answer, stored);

    let mut deleted = full_product(account);
    deleted.deleted = true;
    deleted.values.price = None;
    let replaced = vec![
        samples::write(Row::Product(deleted.clone())),
        samples::gone("things", "a/b"),
        samples::gone("things", "none"),
    ];
    write(&mut *store, &scope, replaced);
    let answer = store.load(&scope, &[RowKey::Product("prod_2".into()), samples::record_key("things", "a/b")]);
    assert_eq!(answer, Ok(vec![Some(StoredRow { data_version: 1, row: Row::Product(deleted) }), None]));
    assert_eq!(store.collections(&scope), Ok(vec!["things".into()]));
    write(&mut *store, &scope, vec![samples::gone("things", "a:b")]);
    assert_eq!(store.collections(&scope), Ok(Vec::new()));
    assert_eq!(store.load(&samples::scope("user:A"), &keys), Ok(vec![None; keys.len()]));
}

/// A scope has no rows of another account, mode or business.
pub fn scopes_do_not_see_each_other(open: Open<'_>) {
    let mut store = open();
    let of = |business: &str, livemode, account: &str| Scope {
        business: business.into(),
        livemode,
        ..samples::scope(account)
    };
    let scopes = [
        of("bakery", false, "user:A"),
        of("shop", false, "organization:A"),
        of("shop", false, "platform"),
        of("shop", false, "user:A"),
        of("shop", true, "user:A"),
    ];
    for (at, scope) in scopes.iter().enumerate().rev() {
        let mut changes = samples::changes(scope, &format!("evt_{at}"));
        let mut product = samples::product(&scope.account, "same", "instance");
        product.version = at as u64 + 1;
        let purchase = samples::purchase("same", Some("cs_same"));
        changes.rows = vec![samples::write(Row::Product(product)), samples::write(Row::Purchase(purchase))];
        changes.facts.insert("same".into());
        store.apply(&changes).expect("applied");
    }
    for (at, scope) in scopes.iter().enumerate() {
        let opened = store.open(scope, &[], &["same".into(), "other".into()]).expect("read");
        let Row::Product(product) = &opened.rows[0].row else { panic!("{opened:?}") };
        assert_eq!((product.version, &product.owner), (at as u64 + 1, &scope.account));
        assert_eq!((opened.rows.len(), opened.facts), (2, vec![true, false]));
        assert_eq!(ids(store.more(scope, &listed(RowKind::Product, "", false, None), 10)), ["same"]);
    }
    let nobody = of("bakery", true, "user:A");
    assert_eq!(store.load(&nobody, &[RowKey::Product("same".into())]), Ok(vec![None]));
    assert_eq!(store.known(&nobody, &["same".into()]), Ok(vec![false]));
    assert_eq!(store.scopes(None), Ok(scopes.to_vec()));
    for scope in &scopes {
        let of_partition = |it: &&Scope| it.partition() == scope.partition();
        let expected: Vec<Scope> = scopes.iter().filter(of_partition).cloned().collect();
        assert_eq!(store.scopes(Some(&scope.partition())), Ok(expected));
    }
}

/// All accounts of a business and mode read products and prices of the catalog, but no settings.
pub fn the_catalog_is_read_by_key(open: Open<'_>) {
    let mut store = open();
    let platform = samples::scope("platform");
    let plan = samples::product(&platform.account, "plan", "subscription_plan");
    let gone = Product { deleted: true, ..samples::product(&platform.account, "gone", "subscription_plan") };
    let rows = [Row::Product(plan.clone()), Row::Product(gone.clone()), Row::Price(samples::price("price_a"))];
    write(&mut *store, &platform, rows.map(samples::write).to_vec());
    write(&mut *store, &samples::scope("user:A"), vec![samples::write(Row::Price(samples::price("price_own")))]);
    let keys = [
        CatalogKey::Price("price_a".into()),
        CatalogKey::Setting("plan".into()),
        CatalogKey::Product("gone".into()),
        CatalogKey::Product("price_a".into()),
        CatalogKey::Product("plan".into()),
        CatalogKey::Price("price_own".into()),
    ];
    let expected = vec![
        Some(CatalogRow::Price(samples::price("price_a"))),
        None,
        Some(CatalogRow::Product(gone)),
        None,
        Some(CatalogRow::Product(plan)),
        None,
    ];
    assert_eq!(store.catalog_read(&samples::partition(), &keys), Ok(expected));
    let live = Partition { livemode: true, ..samples::partition() };
    assert_eq!(store.catalog_read(&live, &keys), Ok(vec![None; 6]));
}

/// Products are found by pages: all products, by type, or by a name that they refer to. Deleted products are not found.
pub fn products_of_the_catalog_are_found(open: Open<'_>) {
    let mut store = open();
    let platform = samples::scope("platform");
    let p = samples::partition();
    let named = |id: &str, product_type: &str, deleted: bool, names: &[&str]| {
        let row = Product { deleted, ..samples::product(&platform.account, id, product_type) };
        let references = names.iter().map(|name| extension_contract::Reference::Name((*name).into())).collect();
        RowWrite { live: false, references, ..samples::write(Row::Product(row)) }
    };
    let rows = vec![
        named("d", "plan", false, &["grant"]),
        named("a", "plan", false, &["slug-a", "grant"]),
        named("b", "type", false, &["grant", "grant"]),
        named("c", "plan", true, &["grant"]),
    ];
    write(&mut *store, &platform, rows);
    write(&mut *store, &samples::scope("user:A"), vec![named("x", "plan", false, &["grant"])]);
    let find = |store: &dyn Store, query: CatalogQuery, after, limit| -> Vec<String> {
        let found = store.catalog_find(&p, &query, after, limit).expect("read");
        assert!(found.iter().all(|row| row.owner == Account::Platform));
        found.into_iter().map(|row| row.id).collect()
    };
    let name = |name: &str| CatalogQuery::Name(name.into());
    assert_eq!(find(&*store, CatalogQuery::All, None, 10), ["a", "b", "d"]);
    assert_eq!(find(&*store, CatalogQuery::All, Some("a"), 1), ["b"]);
    assert_eq!(find(&*store, CatalogQuery::ProductType("plan".into()), None, 10), ["a", "d"]);
    assert_eq!(find(&*store, CatalogQuery::ProductType("plan".into()), Some("a"), 10), ["d"]);
    assert_eq!(find(&*store, name("grant"), None, 10), ["a", "b", "d"]);
    assert_eq!(find(&*store, name("grant"), None, 2), ["a", "b"]);
    assert_eq!(find(&*store, name("grant"), Some("a"), 10), ["b", "d"]);
    assert_eq!(find(&*store, name("slug-a"), None, 10), ["a"]);
    assert!(find(&*store, name("slug"), None, 10).is_empty());
    write(&mut *store, &platform, vec![named("a", "plan", false, &["slug-b"]), named("d", "plan", true, &["grant"])]);
    assert_eq!(find(&*store, name("grant"), None, 10), ["b"]);
    assert_eq!(find(&*store, name("slug-b"), None, 10), ["a"]);
    assert!(find(&*store, name("slug-a"), None, 10).is_empty());
    write(&mut *store, &platform, vec![named("c", "plan", false, &["grant"])]);
    assert_eq!(find(&*store, name("grant"), None, 10), ["b", "c"]);
}

/// A soft-deleted product is loaded by key and in `rows_all`, but not listed.
pub fn products_are_listed_without_deleted_ones(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let rows = [("a", false), ("b", false), ("c", true), ("d", false)].map(|(id, deleted)| {
        samples::write(Row::Product(Product { deleted, ..samples::product(&scope.account, id, "instance") }))
    });
    write(&mut *store, &scope, rows.to_vec());
    let page =
        |descending, after, limit| ids(store.more(&scope, &listed(RowKind::Product, "", descending, after), limit));
    assert_eq!(page(false, None, 10), ["a", "b", "d"]);
    assert_eq!(page(true, None, 2), ["d", "b"]);
    assert_eq!(page(false, Some("b"), 1), ["d"]);
    assert_eq!(ids(store.rows_all(&scope, &RowKind::Product, Some("a"), 2)), ["b", "c"]);
    assert_eq!(ids(store.rows_all(&scope, &RowKind::Product, None, 10)), ["a", "b", "c", "d"]);
    assert!(store.load(&scope, &[RowKey::Product("c".into())]).expect("read")[0].is_some());
}

/// Ids are in byte order: upper case, lower case, multi-byte characters. A page may begin after any text.
pub fn rows_are_scanned_in_byte_order_by_pages(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let sorted = ["A", "B", "a", "a/1", "aa", "b", "é", "\u{ffff}", "\u{1f600}"];
    let rows = sorted.iter().rev().flat_map(|id| {
        [Row::Subscription(samples::subscription(id)), Row::Purchase(samples::purchase(id, None))].map(samples::write)
    });
    write(&mut *store, &scope, rows.collect());
    let mut paged: Vec<String> = Vec::new();
    loop {
        let page = ids(store.rows_all(&scope, &RowKind::Subscription, paged.last().map(String::as_str), 2));
        let full = page.len() == 2;
        paged.extend(page);
        if !full {
            break;
        }
    }
    assert_eq!(paged, sorted);
    assert_eq!(ids(store.more(&scope, &listed(RowKind::Purchase, "", false, Some("a")), 3)), sorted[3..6]);
    assert!(ids(store.rows_all(&scope, &RowKind::Price, None, 3)).is_empty());
}

/// A listing returns only ids with the prefix, beyond `after` in its direction.
pub fn rows_are_listed_by_prefix_in_both_directions(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let last = "usd/\u{10ffff}";
    let mut rows: Vec<RowWrite> = ["eur/1", "usd", "usd/1", "usd/10", "usd/2", last, "usd0", "\u{10ffff}"]
        .map(|id| samples::write(Row::Record(samples::record("ledger", id, "{}"))))
        .to_vec();
    rows.push(samples::write(Row::Record(samples::record("ledger2", "usd/1", "{}"))));
    rows.push(samples::write(Row::Subscription(samples::subscription("usd/1"))));
    write(&mut *store, &scope, rows);
    let ledger = || RowKind::Record("ledger".into());
    let page = |prefix: &str, descending, after, limit| {
        ids(store.more(&scope, &listed(ledger(), prefix, descending, after), limit))
    };
    assert_eq!(page("usd/", false, None, 10), ["usd/1", "usd/10", "usd/2", last]);
    assert_eq!(page("usd/", true, None, 10), [last, "usd/2", "usd/10", "usd/1"]);
    assert_eq!(page("usd/", false, Some("usd/1"), 2), ["usd/10", "usd/2"]);
    assert_eq!(page("usd/", true, Some("usd/2"), 10), ["usd/10", "usd/1"]);
    assert_eq!(page("usd/", false, Some("a"), 1), ["usd/1"]);
    assert!(page("usd/", true, Some("a"), 10).is_empty());
    assert!(page("usd/", false, Some("z"), 10).is_empty());
    assert_eq!(page("usd/", true, Some("z"), 1), [last]);
    assert_eq!(page("", true, None, 2), ["\u{10ffff}", "usd0"]);
    assert_eq!(page("\u{10ffff}", false, None, 2), ["\u{10ffff}"]);
    assert!(page("gbp", false, None, 10).is_empty());
    assert_eq!(ids(store.rows_all(&scope, &ledger(), Some("usd0"), 10)), ["\u{10ffff}"]);
    assert_eq!(ids(store.more(&scope, &listed(RowKind::Subscription, "usd", true, None), 9)), ["usd/1"]);
    assert_eq!(store.collections(&scope), Ok(vec!["ledger".into(), "ledger2".into()]));
}

/// Rows of a kind with another fingerprint are returned least recently written first, then by id.
pub fn outdated_rows_come_least_recently_written_first(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let product = |id: &str, fingerprint: Option<&str>, deleted| {
        let row = Product { deleted, ..samples::product(&scope.account, id, "instance") };
        RowWrite { fingerprint: fingerprint.map(str::to_owned), live: false, ..samples::write(Row::Product(row)) }
    };
    let thing = |collection: &str, id: &str| {
        let row = Row::Record(samples::record(collection, id, "{}"));
        RowWrite { fingerprint: Some("x".into()), ..samples::write(row) }
    };
    write(&mut *store, &scope, vec![product("c", Some("m"), false), product("b", Some("z"), false)]);
    write(&mut *store, &scope, vec![product("a", Some("a"), false), product("plain", None, false)]);
    write(&mut *store, &scope, vec![product("new", Some("n"), false), product("gone", Some("m"), true)]);
    write(&mut *store, &scope, vec![thing("things", "t"), thing("others", "o")]);
    let outdated = |store: &dyn Store, kind: RowKind, fingerprint: &str, limit| {
        ids(store.more(&scope, &Selection::Outdated(kind, fingerprint.into()), limit))
    };
    assert_eq!(outdated(&*store, RowKind::Product, "n", 10), ["b", "c", "a"]);
    assert_eq!(outdated(&*store, RowKind::Product, "n", 2), ["b", "c"]);
    assert_eq!(outdated(&*store, RowKind::Record("things".into()), "y", 10), ["t"]);
    assert!(outdated(&*store, RowKind::Record("things".into()), "x", 10).is_empty());
    assert!(outdated(&*store, RowKind::Subscription, "n", 10).is_empty());
    // Rows that are rewritten with the current fingerprint, with another fingerprint, and without a fingerprint.
    write(&mut *store, &scope, vec![product("b", Some("n"), false)]);
    write(&mut *store, &scope, vec![product("c", Some("o"), false)]);
    assert_eq!(outdated(&*store, RowKind::Product, "n", 10), ["a", "c"]);
    write(&mut *store, &scope, vec![product("a", None, false)]);
    assert_eq!(outdated(&*store, RowKind::Product, "n", 10), ["c"]);
}

/// Within one change only the final values must be unique.
pub fn purchases_may_exchange_their_unique_ids(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let purchase = |id: &str, session: &str| samples::write(Row::Purchase(samples::purchase(id, Some(session))));
    write(&mut *store, &scope, vec![purchase("a", "cs_1"), purchase("b", "cs_2")]);
    write(&mut *store, &scope, vec![purchase("a", "cs_2"), purchase("b", "cs_1")]);
    let rows = store.rows_all(&scope, &RowKind::Purchase, None, 10).expect("read");
    let sessions: Vec<_> = rows
        .iter()
        .map(|stored| match &stored.row {
            Row::Purchase(row) => row.values.session_id.as_deref(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sessions, [Some("cs_2"), Some("cs_1")]);
    let taken = Changes { rows: vec![purchase("c", "cs_1")], ..samples::changes(&scope, "evt_2") };
    assert_eq!(store.apply(&taken), Err(StoreError::Taken("purchase.session".into())));
    write(&mut *store, &scope, vec![purchase("b", "cs_3"), purchase("c", "cs_1")]);
}

/// A refused change has no effect, and the error names the index.
pub fn a_taken_unique_id_refuses_the_whole_change(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let purchase = |row: Purchase| samples::write(Row::Purchase(row));
    write(&mut *store, &scope, vec![purchase(full_purchase())]);
    let mut with_intent = samples::purchase("pur_3", None);
    with_intent.values.payment_intent_id = Some("pi_2".into());
    let session = |id: &str, session: &str| purchase(samples::purchase(id, Some(session)));
    for (mut rows, index) in [
        (vec![session("pur_1", "cs_1"), session("pur_3", "cs_2")], "purchase.session"),
        (vec![purchase(with_intent)], "purchase.payment-intent"),
        (vec![session("pur_4", "cs_4"), session("pur_5", "cs_4")], "purchase.session"),
    ] {
        rows.insert(0, samples::write(Row::Product(samples::product(&scope.account, "prod_1", "instance"))));
        rows.push(samples::write(Row::Subscription(samples::subscription("sub_1"))));
        let mut changes = Changes { rows, ..samples::changes(&scope, "evt_2") };
        changes.facts.insert("paid:in_1".into());
        assert_eq!(store.apply(&changes), Err(StoreError::Taken(index.into())));
        let opened = store.open(&scope, &[], &["paid:in_1".into()]).expect("read");
        assert_eq!((opened.rows.len(), opened.facts, opened.account_revision), (1, vec![false], 1));
    }
    write(&mut *store, &samples::scope("user:B"), vec![purchase(full_purchase())]);
}

/// A fact keeps the id of the event that recorded it first.
pub fn facts_are_noted_once(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let mut changes = samples::changes(&scope, "evt_1");
    changes.facts.insert("paid:in_1".into());
    store.apply(&changes).expect("applied");
    changes.event_id = "evt_2".into();
    changes.facts.insert("refund:re_1".into());
    assert_eq!(store.apply(&changes), Err(StoreError::Taken("fact".into())));
    assert_eq!(store.known(&scope, &["paid:in_1".into()]), Ok(vec![true]));
    assert_eq!(store.known(&scope, &["refund:re_1".into()]), Ok(vec![false]));
    let facts = ["refund:re_1", "paid:in_1", "paid:in_1"].map(str::to_owned);
    assert_eq!(store.known(&scope, &facts), Ok(vec![false, true, true]));
    assert_eq!(store.known(&scope, &[]), Ok(Vec::new()));
}

/// Claims are read by full key, by holder and by partition.
pub fn claims_are_held_until_they_are_released(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let other = samples::scope("user:B");
    let key = |rest: &str| format!("shop/test//{rest}");
    let mut changes = samples::changes(&scope, "evt_1");
    let until = ClaimRow { until: Some(5000), ..samples::claim(&scope.account) };
    changes.claims.insert(key("subdomain:b"), Some(until.clone()));
    changes.claims.insert(key("subdomain:a"), Some(samples::claim(&scope.account)));
    changes.claims.insert(key("stripe-customer:c"), Some(samples::claim(&scope.account)));
    store.apply(&changes).expect("applied");
    let live = Scope { livemode: true, ..scope.clone() };
    let mut changes = samples::changes(&live, "evt_2");
    changes.claims.insert("shop/live//subdomain:a".into(), Some(samples::claim(&scope.account)));
    store.apply(&changes).expect("applied");
    let keys = [key("subdomain:z"), key("subdomain:b"), "shop/live//subdomain:a".into()];
    assert_eq!(store.claims(&keys), Ok(vec![None, Some(until), Some(samples::claim(&scope.account))]));

    let mut changes = samples::changes(&other, "evt_3");
    changes.claims.insert(key("subdomain:a"), Some(samples::claim(&other.account)));
    changes.claims.insert(key("subdomain:b"), None);
    let block = ClaimRow { holder: None, until: None, blocked_until: Some(9000) };
    changes.claims.insert(key("stripe-customer:c"), Some(block.clone()));
    store.apply(&changes).expect("applied");
    let keys = [key("subdomain:b"), key("stripe-customer:c")];
    assert_eq!(store.claims(&keys), Ok(vec![None, Some(block)]));
    let after = |prefix: &str, after: Option<&str>, limit| {
        let found = store.claims_after(prefix, after, limit).expect("read");
        found.into_iter().map(|(key, row)| (key, row.holder)).collect::<Vec<_>>()
    };
    let in_live = ("shop/live//subdomain:a".to_owned(), Some(scope.account.clone()));
    let in_test = [(key("stripe-customer:c"), None), (key("subdomain:a"), Some(other.account.clone()))];
    assert_eq!(after("shop/live/", None, 9), std::slice::from_ref(&in_live));
    assert_eq!(after("shop/test//s", None, 9), in_test, "in order");
    assert_eq!(after("sho/", None, 9), [], "of another business");
    assert_eq!(after("shop/test//subdomain:", None, 9), in_test[1..]);
    assert_eq!(after("shop/test//s", None, 1), in_test[..1]);
    assert_eq!(after("shop/test//s", Some(&in_test[0].0), 9), in_test[1..]);
    assert_eq!(after("shop/test//s", Some("shop/test//t"), 9), [], "after the last key");
    assert_eq!(after("", None, 0), []);
    assert_eq!(after("", None, usize::MAX), [in_live, in_test[0].clone(), in_test[1].clone()]);
}

/// An account has the newest data version of all its writes; a new account has none.
pub fn an_account_remembers_its_newest_data_version(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    assert_eq!(store.account(&scope).map(|it| it.data_version), Ok(None));
    let mut changes = samples::changes(&scope, "evt_1");
    changes.facts.insert("f".into());
    store.apply(&changes).expect("applied");
    assert_eq!(store.account(&scope).map(|it| it.data_version), Ok(None));
    let row = |id: &str, data_version| RowWrite {
        data_version,
        ..samples::write(Row::Product(samples::product(&scope.account, id, "instance")))
    };
    for (rows, newest) in [(vec![row("a", 1)], 1), (vec![row("b", 3), row("c", 2)], 3), (vec![row("b", 1)], 3)] {
        write(&mut *store, &scope, rows);
        assert_eq!(store.account(&scope).map(|it| it.data_version), Ok(Some(newest)));
    }
    assert_eq!(store.account(&samples::scope("user:B")).map(|it| it.data_version), Ok(None));
}
