//! Tests that a changed catalog reaches accounts without an event of theirs.

use super::support::Serving;
use end_to_end::play::bodies;
use end_to_end::world::{START_MS, command, solobase};
use extension_contract::{Account, Payload};
use host_business::folder::BusinessFolder;
use host_provider_api::scripted::Scripted;
use host_store::{SqliteStore, Store};
use serde_json::{Value, json};
use std::path::Path;

/// Number of accounts with an instance; more than a batch.
const ACCOUNTS: usize = 50;

fn store(folder: &Path) -> Box<dyn Store> {
    Box::new(SqliteStore::open(folder.join("state.db")).expect("a store"))
}

/// The business with another amount of storage in the plan of the tests.
fn with_storage(gigabytes: u64) -> BusinessFolder {
    let mut business = solobase().clone();
    let products = business.catalog["products"].as_array_mut().expect("products");
    let plan = products.iter_mut().find(|product| product["id"] == "prod_hobby").expect("the plan");
    let metadata = if plan["metadata"].is_object() { &mut plan["metadata"] } else { plan };
    metadata["storage_gb"] = json!(gigabytes);
    business
}

/// Pays for a plan and creates an instance, as one customer.
fn buy_and_create(serving: &Serving, account: usize) {
    let paid = format!(
        "name: x\nevents:\n  - {{stripe: customer.subscription.created, id: evt_{account}, set: {{id: sub_{account}, \
         customer: cus_{account}, metadata: {{user_id: u{account}}}, price: price_xyz789}}}}\n"
    );
    assert_eq!(serving.stripe(&bodies(&paid)[0]).status, 200);
    gives(
        serving,
        &format!("user:u{account}"),
        "instance.create",
        &json!({
            "name": "My app", "metadata": {"subdomain": format!("app{account}")},
        }),
    );
}

fn gives(serving: &Serving, account: &str, kind: &str, payload: &Value) {
    let by = (if account == "platform" { "admin" } else { "user" }, account.trim_start_matches("user:"));
    let body = command(&format!("{kind}:{account}"), kind, by, account, payload.clone());
    let event = host_intake::raw::read(body.to_string().into_bytes(), &serving.endpoints.business, START_MS);
    let done = serving.jobs().accept(event.expect("a command"), Vec::new()).and_then(|ticket| ticket.wait());
    assert_eq!(done.expect("stored")[0].result.name(), "applied", "{kind} of {account}");
}

/// Returns the quotas of each instance, once all have `gigabytes` of storage, and asserts that each bucket was changed once.
fn assert_reached(serving: &Serving, gigabytes: u64) {
    let quota = move |host: &host_engine::processor::Processor, account: usize| {
        let scope = host.scope(Account::User(format!("u{account}")));
        let id = format!("inst_app{account}");
        let row = host_engine::read::product(host.store(), &scope, &id).expect("read").expect("an instance");
        let metadata: Value = serde_json::from_str(&row.values.metadata).expect("JSON");
        metadata["quotas"]["storage_gb"].as_u64()
    };
    serving.until("all instances have the storage", move |processor| {
        (0..ACCOUNTS).all(|account| quota(processor, account) == Some(gigabytes))
    });
    serving.settle();
    for account in 0..ACCOUNTS {
        let of_account = format!("user:u{account} inst_app{account}/");
        let called = serving.called();
        let changed = called.iter().filter(|call| call.contains(&of_account) && call.contains("bucket/change"));
        assert_eq!(changed.count(), 1, "{called:?}");
    }
}

#[test]
fn a_raised_allowance_reaches_all_instances_after_a_start_and_is_stored_only_where_it_changes_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    let scripted = Scripted::new();
    let serving = Serving::start(&with_storage(2), store(folder.path()), &scripted);
    (0..ACCOUNTS).for_each(|account| buy_and_create(&serving, account));
    // An account that has nothing.
    gives(&serving, "user:empty", "mail.unsubscribe", &json!({}));
    serving.settle();
    let before = serving.stop();
    let newest = before.processor().store().inbox_newest().expect("read");
    drop(before);

    let serving = Serving::start(&with_storage(20), store(folder.path()), &scripted);
    assert_reached(&serving, 20);
    let host = serving.stop();
    let rows = host.processor().inbox_after(newest, 10_000).expect("read");
    let timers = rows.iter().filter(|row| matches!(row.event.payload, Payload::Timer(_)));
    let accounts: Vec<String> = timers.filter_map(|row| row.event.account.as_ref()).map(Account::to_string).collect();
    assert_eq!(accounts.len(), ACCOUNTS, "one event each: {accounts:?}");
    assert!(!accounts.contains(&"user:empty".to_owned()), "nothing has changed for it");
    let newest = host.processor().store().inbox_newest().expect("read");
    drop(host);

    // The next start finds everything done.
    let serving = Serving::start(&with_storage(20), store(folder.path()), &scripted);
    gives(&serving, "user:empty", "mail.subscribe", &json!({}));
    serving.settle();
    let rows = serving.stop().processor().inbox_after(newest, 10_000).expect("read");
    let kinds: Vec<&str> = rows.iter().map(|row| row.event.kind.as_str()).collect();
    assert_eq!(kinds, ["mail.subscribe"]);
}

#[test]
fn a_catalog_that_a_command_loads_reaches_the_instances_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let serving = Serving::start(&with_storage(2), store(folder.path()), &Scripted::new());
    (0..ACCOUNTS).for_each(|account| buy_and_create(&serving, account));
    serving.settle();
    gives(&serving, "platform", "catalog.load", &with_storage(20).catalog);
    assert_reached(&serving, 20);
    serving.stop();
}
