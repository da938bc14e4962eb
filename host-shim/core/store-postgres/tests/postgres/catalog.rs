//! Rows of the catalog are kept by their revision: a handle always sees those of the revision that it reads.

use crate::support::address;
use extension_contract::{Account, CatalogKey, CatalogRow, Reference, Row};
use host_store::testing::samples;
use host_store::{Changes, Read, Store};
use host_store_postgres::PostgresStore;

/// Returns a change of the catalog that gives a product a name.
fn named(name: &str) -> Changes {
    let mut product = samples::product(&Account::Platform, "prod_1", "plan");
    name.clone_into(&mut product.values.name);
    let mut changes = samples::changes(&samples::scope("platform"), "evt_1");
    changes.rows.push(samples::write(Row::Product(product)));
    changes
}

/// Returns the revision of the catalog and the name of the product, as an event of an account sees them.
fn seen(store: &dyn Read) -> (u64, Option<String>) {
    let product = Reference::Catalog(CatalogKey::Product("prod_1".into()));
    let opened = store.open(&samples::scope("user:A"), &[product], &[]).expect("read");
    let mut name = opened.catalog.into_iter().map(|row| match row {
        CatalogRow::Product(product) => product.values.name,
        other => panic!("no product: {other:?}"),
    });
    (opened.catalog_revision, name.next())
}

#[test]
fn a_handle_sees_the_changes_of_others() {
    let settings = address();
    let open = || PostgresStore::open(&settings).expect("opened");
    let (mut first, mut second) = (open(), open());
    assert_eq!(seen(&first), (0, None));
    second.apply(&named("one")).expect("applied");
    assert_eq!((seen(&first), seen(&first)), ((1, Some("one".into())), (1, Some("one".into()))));
    second.apply(&named("two")).expect("applied");
    assert_eq!(seen(&first), (2, Some("two".into())));
    // What is rolled back had a revision that another change gets.
    first.begin().expect("no group");
    first.apply(&named("mine")).expect("applied");
    assert_eq!(seen(&first), (3, Some("mine".into())));
    first.rollback().expect("rolled back");
    second.apply(&named("three")).expect("applied");
    assert_eq!(seen(&first), (3, Some("three".into())));
    let mut reader = first.reader().expect("a reader");
    reader.begin().expect("a snapshot");
    assert_eq!(seen(&*reader), (3, Some("three".into())));
    second.apply(&named("four")).expect("applied");
    assert_eq!(seen(&*reader), (3, Some("three".into())), "a snapshot stays");
    reader.end().expect("a snapshot");
    reader.begin().expect("a snapshot");
    assert_eq!(seen(&*reader), (4, Some("four".into())));
}
