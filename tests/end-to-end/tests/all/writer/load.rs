//! Tests a hundred accounts that create an instance at the same time.

use super::support::Serving;
use end_to_end::play::bodies;
use end_to_end::world::{START_MS, solobase};
use extension_contract::Account;
use host_provider_api::scripted::Scripted;
use host_store::SqliteStore;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;

const ACCOUNTS: usize = 100;
/// Number of concurrent callers.
const CALLERS: usize = 10;

fn create(account: usize) -> Vec<u8> {
    json!({
        "id": format!("create_{account}"), "command": "instance.create", "account": format!("user:u{account}"),
        "actor": {"kind": "user", "id": format!("u{account}")},
        "payload": {"name": "My app", "metadata": {"subdomain": format!("app{account}")}},
    })
    .to_string()
    .into_bytes()
}

/// Pays for a plan and creates an instance, as one customer.
fn buy_and_create(serving: &Serving, account: usize) {
    let paid = format!(
        "name: x\nevents:\n  - {{stripe: customer.subscription.created, id: evt_{account}, set: {{id: sub_{account}, \
         customer: cus_{account}, metadata: {{user_id: u{account}}}, price: price_xyz789}}}}\n"
    );
    let paid = serving.stripe(&bodies(&paid)[0]);
    assert_eq!((paid.status, paid.reports[0].result.name()), (200, "applied"), "{account}: {paid:?}");
    let command = host_intake::raw::read(create(account), &serving.endpoints.business, START_MS).expect("a command");
    let created = serving.jobs().accept(command, Vec::new()).and_then(|ticket| ticket.wait()).expect("stored");
    assert_eq!(created[0].result.name(), "applied", "{account}: {created:?}");
}

// covers: SOL-62
#[test]
fn a_hundred_concurrent_instances_run_and_no_effect_is_carried_out_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Box::new(SqliteStore::open(folder.path().join("state.db")).expect("a store"));
    let scripted = Scripted::new();
    let serving = Serving::start(solobase(), store, &scripted);
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            let serving = &serving;
            scope.spawn(move || {
                (0..ACCOUNTS).filter(|account| account % CALLERS == caller).for_each(|it| buy_and_create(serving, it));
            });
        }
    });
    serving.settle();

    let called = serving.called();
    let once: BTreeSet<&String> = called.iter().collect();
    assert_eq!(once.len(), called.len(), "each effect is carried out once");
    let host = serving.stop();
    let processor = host.processor();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for account in 0..ACCOUNTS {
        let scope = processor.scope(Account::User(format!("u{account}")));
        let instances: Vec<_> = host_engine::read::products(processor.store(), &scope)
            .expect("read")
            .into_iter()
            .filter(|product| product.id.starts_with("inst_"))
            .collect();
        assert_eq!(instances.len(), 1, "u{account} has one instance");
        let metadata: Value = serde_json::from_str(&instances[0].values.metadata).expect("JSON");
        assert_eq!((&*instances[0].id, &metadata["status"]), (&*format!("inst_app{account}"), &json!("running")));
        for call in called.iter().filter(|call| call.contains(&format!("user:u{account} "))) {
            let key = call.rsplit(' ').next().unwrap_or_default();
            *kinds.entry(key.replace(&format!("app{account}"), "")).or_default() += 1;
        }
    }
    // Every account has the same complete saga.
    assert!(kinds.len() > 3 && kinds.values().all(|count| *count == ACCOUNTS), "{kinds:?}");
    let running = scripted.inventory().into_iter().filter(|resource| resource.id.id.contains("inst_app")).count();
    assert_eq!(running % ACCOUNTS, 0, "{running} resources");
    assert!(running >= 3 * ACCOUNTS, "{running} resources");
}
