//! Cases of `open`: live rows, named rows, reachable rows, and catalog rows.

use super::Open;
use extension_contract::{CatalogKey, CatalogRow, Product, REFERENCES_MAX, Reference, Row, RowKey};
use host_store::testing::samples;
use host_store::{Changes, OpenedRows, RowWrite, Store};

fn thing(id: &str, live: bool, references: &[Reference]) -> RowWrite {
    let row = Row::Record(samples::record("t", id, "{}"));
    RowWrite { live, references: references.to_vec(), ..samples::write(row) }
}

fn to(id: &str) -> Reference {
    Reference::Row(samples::record_key("t", id))
}

fn write(store: &mut dyn Store, rows: Vec<RowWrite>) {
    store.apply(&Changes { rows, ..samples::changes(&samples::scope("user:A"), "evt_1") }).expect("applied");
}

fn opened(store: &dyn Store, named: &[Reference]) -> OpenedRows {
    store.open(&samples::scope("user:A"), named, &[]).expect("read")
}

/// Returns the ids of the opened rows, in their order.
fn ids(store: &dyn Store, named: &[Reference]) -> Vec<String> {
    let id = |row: Row| match row {
        Row::Product(row) => row.id,
        Row::Price(row) => row.id,
        Row::Purchase(row) => row.id,
        Row::Subscription(row) => row.id,
        Row::Record(row) => row.id,
    };
    opened(store, named).rows.into_iter().map(|stored| id(stored.row)).collect()
}

/// `open` returns only the live rows, in order of their keys. A write may change whether a row is live.
pub fn open_returns_the_live_rows_in_order_of_their_keys(open: Open<'_>) {
    let mut store = open();
    let account = samples::scope("user:A").account;
    assert_eq!(opened(&*store, &[to("a")]), OpenedRows::default());
    let settled = |row: Row| RowWrite { live: false, ..samples::write(row) };
    let mut other = thing("z", true, &[]);
    other.row = Some(Row::Record(samples::record("a", "z", "{}")));
    other.key = samples::record_key("a", "z");
    write(
        &mut *store,
        vec![
            thing("é", true, &[]),
            thing("b", true, &[]),
            other,
            samples::write(Row::Subscription(samples::subscription("sub"))),
            samples::write(Row::Purchase(samples::purchase("pur", None))),
            samples::write(Row::Price(samples::price("price"))),
            samples::write(Row::Product(samples::product(&account, "prod", "instance"))),
            thing("c", false, &[]),
            settled(Row::Subscription(samples::subscription("sub_old"))),
            settled(Row::Purchase(samples::purchase("pur_old", None))),
            settled(Row::Product(samples::product(&account, "prod_old", "instance"))),
        ],
    );
    assert_eq!(ids(&*store, &[]), ["prod", "price", "pur", "sub", "z", "b", "é"]);
    write(&mut *store, vec![thing("b", false, &[]), thing("c", true, &[]), samples::gone("t", "é")]);
    assert_eq!(ids(&*store, &[]), ["prod", "price", "pur", "sub", "z", "c"]);
    let again = opened(&*store, &[to("b"), to("c"), to("none"), to("b")]);
    assert_eq!(again.rows.len(), 7, "each named row once, and no missing ones");
    assert_eq!(again.account_revision, 2);
}

/// `open` follows references in both directions from named rows, and only outgoing references from live rows.
pub fn open_follows_references_from_named_and_live_rows(open: Open<'_>) {
    let mut store = open();
    write(
        &mut *store,
        vec![
            thing("live", true, &[to("own")]),
            thing("own", false, &[to("own2")]),
            thing("own2", false, &[]),
            thing("refers-to-live", false, &[to("live")]),
            thing("refers-to-own", false, &[to("own")]),
            thing("refund", false, &[to("charge"), to("charge")]),
            thing("charge", false, &[to("invoice"), to("missing")]),
            thing("invoice", false, &[to("sub")]),
            thing("sub", false, &[to("sub"), to("refund")]),
            thing("sibling", false, &[to("sub")]),
            thing("alone", false, &[]),
        ],
    );
    assert_eq!(ids(&*store, &[]), ["live", "own", "own2"]);
    assert_eq!(ids(&*store, &[to("alone")]), ["alone", "live", "own", "own2"]);
    let around = ["charge", "invoice", "live", "own", "own2", "refund", "sibling", "sub"];
    for named in ["refund", "charge", "invoice", "sub", "sibling"] {
        assert_eq!(ids(&*store, &[to(named)]), around, "from {named}");
    }
    assert_eq!(ids(&*store, &[to("own2")]), ["live", "own", "own2", "refers-to-live", "refers-to-own"]);
    // Only the references of the last write count, and they are deleted with their row.
    write(&mut *store, vec![thing("sibling", false, &[to("alone")]), samples::gone("t", "charge")]);
    assert_eq!(ids(&*store, &[to("alone")]), ["alone", "live", "own", "own2", "sibling"]);
    assert_eq!(ids(&*store, &[to("refund")]), ["invoice", "live", "own", "own2", "refund", "sub"]);
    write(&mut *store, vec![thing("charge", false, &[])]);
    let to_the_new_charge = ["charge", "invoice", "live", "own", "own2", "refund", "sub"];
    assert_eq!(ids(&*store, &[to("charge")]), to_the_new_charge, "old referrers refer to the new row");
}

/// `open` limits the number of rows that are not live. It returns the named rows first, then the rows nearest to them,
/// then the references of live rows.
pub fn open_reaches_a_bounded_number_of_rows(open: Open<'_>) {
    let mut store = open();
    let number = |n: usize| format!("{n:03}");
    let mut rows =
        vec![thing("hub", false, &[]), thing("live-a", true, &[to("l")]), thing("live-b", true, &[to("hub")])];
    rows.push(thing("l", false, &[]));
    rows.extend((0..100).map(|n| thing(&number(n), false, &[to("hub"), to(&format!("far{n}"))])));
    rows.push(thing("far0", false, &[]));
    write(&mut *store, rows);
    let near: Vec<String> = (0..REFERENCES_MAX - 1).map(number).collect();
    let mut expected = near.clone();
    expected.extend(["hub", "live-a", "live-b"].map(str::to_owned));
    assert_eq!(ids(&*store, &[to("hub")]), expected, "referrers in order of their keys, and no rows beyond them");
    let without_named = ids(&*store, &[]);
    assert_eq!(without_named, ["hub", "l", "live-a", "live-b"]);

    let named: Vec<Reference> = (50..100).map(|n| to(&number(n))).collect();
    let mut expected: Vec<String> = (50..50 + REFERENCES_MAX).map(number).collect();
    expected.extend(["live-a", "live-b"].map(str::to_owned));
    assert_eq!(ids(&*store, &named), expected, "named rows in their order");

    let live: Vec<RowWrite> = (0..100).map(|n| thing(&number(n), true, &[])).collect();
    write(&mut *store, live);
    let all = ids(&*store, &[to("hub")]);
    assert_eq!(all.len(), 100 + 2 + 2, "live rows are not counted");
    let mut chain: Vec<RowWrite> =
        (0..50).map(|n| thing(&format!("c{n:02}"), false, &[to(&format!("c{:02}", n + 1))])).collect();
    chain.extend((0..100).map(|n| samples::gone("t", &number(n))));
    write(&mut *store, chain);
    let reached = ids(&*store, &[to("c00")]);
    assert_eq!(reached[..REFERENCES_MAX], (0..REFERENCES_MAX).map(|n| format!("c{n:02}")).collect::<Vec<_>>());
    assert_eq!(reached[REFERENCES_MAX..], ["live-a", "live-b"]);
}

/// `open` returns a soft-deleted product only if it is named or referred to, not as a live row or a referrer.
pub fn open_returns_deleted_products_only_if_named_or_referred_to(open: Open<'_>) {
    let mut store = open();
    let account = samples::scope("user:A").account;
    let product = |deleted, references: &[Reference]| {
        let row = Product { deleted, ..samples::product(&account, "gone", "instance") };
        RowWrite { references: references.to_vec(), ..samples::write(Row::Product(row)) }
    };
    let gone = Reference::Row(RowKey::Product("gone".into()));
    write(
        &mut *store,
        vec![product(true, &[to("a")]), thing("a", false, &[]), thing("b", false, std::slice::from_ref(&gone))],
    );
    assert!(ids(&*store, &[]).is_empty());
    assert_eq!(ids(&*store, &[to("a")]), ["a"]);
    assert_eq!(ids(&*store, &[to("b")]), ["gone", "a", "b"]);
    assert_eq!(ids(&*store, &[gone]), ["gone", "a", "b"]);
    write(&mut *store, vec![product(false, &[to("a")])]);
    assert_eq!(ids(&*store, &[to("a")]), ["gone", "a", "b"]);
    assert_eq!(ids(&*store, &[]), ["gone", "a"]);
}

/// `open` returns the catalog rows of all references, each once, in order of their keys, without settings.
pub fn open_returns_the_named_catalog_rows(open: Open<'_>) {
    let mut store = open();
    let platform = samples::scope("platform");
    let plan = |id: &str| samples::product(&platform.account, id, "plan");
    let rows = [
        Row::Product(plan("p1")),
        Row::Product(Product { deleted: true, ..plan("p2") }),
        Row::Product(plan("p3")),
        Row::Price(samples::price("m1")),
        Row::Price(samples::price("m2")),
    ];
    let rows = rows.map(|row| RowWrite { live: false, ..samples::write(row) }).to_vec();
    store.apply(&Changes { rows, ..samples::changes(&platform, "evt_1") }).expect("applied");
    let product = |id: &str| Reference::Catalog(CatalogKey::Product(id.into()));
    let price = |id: &str| Reference::Catalog(CatalogKey::Price(id.into()));
    let named = [price("m2"), product("missing"), Reference::Catalog(CatalogKey::Setting("p3".into()))];
    let p1 = CatalogRow::Product(plan("p1"));
    let p2 = CatalogRow::Product(Product { deleted: true, ..plan("p2") });
    let (m1, m2) = (CatalogRow::Price(samples::price("m1")), CatalogRow::Price(samples::price("m2")));
    let before = opened(&*store, &named);
    assert_eq!((before.catalog, before.catalog_revision, before.account_revision), (vec![m2.clone()], 1, 0));
    write(
        &mut *store,
        vec![
            thing("live", true, &[price("m1"), product("p1"), price("m2"), Reference::Name("p3".into())]),
            thing("far", false, &[product("p2"), price("m1"), to("live")]),
        ],
    );
    assert_eq!(opened(&*store, &named).catalog, [p1.clone(), m1.clone(), m2.clone()]);
    assert_eq!(opened(&*store, &[to("live")]).catalog, [p1, p2, m1, m2]);
    let other_mode = host_store::Scope { livemode: true, ..samples::scope("user:A") };
    assert_eq!(store.open(&other_mode, &named, &[]), Ok(OpenedRows::default()));
}

/// `open` returns for each fact, in order, whether it is known, also for a new account.
pub fn open_returns_whether_facts_are_known(open: Open<'_>) {
    let mut store = open();
    let scope = samples::scope("user:A");
    let facts = ["b", "a", "b"].map(str::to_owned);
    assert_eq!(store.open(&scope, &[], &facts).expect("read").facts, [false, false, false]);
    let mut changes = samples::changes(&scope, "evt_1");
    changes.facts.insert("b".into());
    store.apply(&changes).expect("applied");
    assert_eq!(store.open(&scope, &[], &facts).expect("read").facts, [true, false, true]);
}
