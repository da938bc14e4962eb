//! The cost of an event at the component boundary: host calls, fuel, and the order of rows.

use super::stories;
use end_to_end::hosts::{component, in_wasm};
use end_to_end::moves::{Kind, Move};
use end_to_end::people::story;
use end_to_end::play;
use end_to_end::recorder::{CallRecorder, RecordedCalls};
use end_to_end::story::VERSIONS;
use end_to_end::world::{START_MS, Setup, World, root, solobase};
use extension_contract::{
    Account, Imports, Listing, Opened, PAGE_ROWS_MAX, Placement, Row, RowKey, RowKind, Selection, StoredRow,
};
use host_engine::snapshot::{Access, Context, Snapshot};
use host_replay::runners::Runners;
use host_store::testing::samples;
use host_store::{Changes, Declared, MemoryStore, Partition, RowWrite, SqliteStore, Store};
use host_wasm_runner::wasm::Mode;
use std::sync::Arc;

/// Maximum host calls of an applied `customer.subscription.updated` on the simplest account.
const CALLS_SIMPLEST: usize = 3;
/// Maximum host calls of the same event on an account with a running instance from a checkout.
const CALLS_WITH_INSTANCE: usize = 4;

/// Returns the subscription event of the benchmarks. `updated` changes the price from `prices[0]` to `prices[1]`;
/// `created` starts the subscription.
fn body(kind: &str, step: i64, prices: [&str; 2]) -> Vec<u8> {
    let file = root().join("host-shim/lab/bench/bodies/subscription_updated.json");
    let text = std::fs::read_to_string(file).expect("the body");
    let text = text
        .replace("@E@", &format!("{step:04}"))
        .replace("@N@", "1")
        .replace("@CREATED@", &(START_MS / 1_000 + step).to_string())
        .replace("@PRICE@", prices[1])
        .replace("@PRICE_BEFORE@", prices[0])
        .replace("customer.subscription.updated", &format!("customer.subscription.{kind}"));
    let mut event: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    if let Some(data) = event["data"].as_object_mut().filter(|_| kind == "created") {
        data.remove("previous_attributes");
    }
    event.to_string().into_bytes()
}

fn recording(setup: Setup) -> (World, CallRecorder) {
    let recorder = CallRecorder::default();
    let runners: Runners = recorder.over(setup.runners);
    (World::start(Setup { runners, ..setup }), recorder)
}

/// The host calls of the last applied `customer.subscription.updated`.
fn last_update(world: &World, recorder: &CallRecorder) -> RecordedCalls {
    let update = world.reports.iter().rfind(|report| report.kind == "customer.subscription.updated");
    let report = update.expect("the subscription changed");
    assert_eq!(report.result.name(), "applied");
    let record = recorder.recorded().into_iter().rfind(|record| record.event_id == report.event_id);
    record.expect("recorded calls")
}

/// Returns the host calls of a plan change on an account that has only a subscription.
fn on_the_simplest_account(setup: Setup) -> RecordedCalls {
    let (mut world, recorder) = recording(setup);
    let [hobby, professional] = ["price_xyz789", "price_professional_monthly"];
    for bytes in [body("created", 0, [hobby, hobby]), body("updated", 1, [hobby, professional])] {
        world.deliver(&bytes).expect("the store has no fault");
    }
    last_update(&world, &recorder)
}

/// Returns the host calls of a plan change on an account with an instance that was paid in a checkout.
fn with_an_instance(setup: Setup) -> RecordedCalls {
    let (mut world, recorder) = recording(setup);
    let moves = [Move::plain(Kind::Order, 1, 0), Move::plain(Kind::Buy, 0, 0), Move::plain(Kind::ChangePlan, 1, 1)];
    let parts = story("A", &moves).parts_in(VERSIONS[1]);
    let (change, bought) = parts.split_last().expect("a story has parts");
    play::whole(&mut world, bought);
    let scope = world.processor().scope(Account::User("A".to_owned()));
    let products = host_engine::read::products(world.store(), &scope).expect("readable rows");
    let [instance] = &products[..] else { panic!("one instance: {products:?}") };
    assert!(instance.values.metadata.contains(r#""status":"running""#), "{}", instance.values.metadata);
    play::part(&mut world, change).expect("the store has no fault");
    last_update(&world, &recorder)
}

fn assert_at_most(most: usize, name: &str, play: impl Fn(Setup) -> RecordedCalls) {
    let record = play(Setup::default());
    println!("{name}: {} host calls, at most {most}: {}", record.calls.len(), record.calls.join(" "));
    assert_eq!(
        record.calls,
        play(in_wasm(Mode::Reused)).calls,
        "{name}: the component makes the same calls as the library"
    );
    assert!(record.calls.len() <= most, "{name}: {} host calls, {:?}", record.calls.len(), record.calls);
}

#[test]
fn an_update_of_a_subscription_makes_few_host_calls() {
    assert_at_most(CALLS_SIMPLEST, "on the simplest account", on_the_simplest_account);
    assert_at_most(CALLS_WITH_INSTANCE, "with an instance from a checkout", with_an_instance);
}

#[test]
fn fresh_and_reused_instances_take_the_same_fuel() {
    for (index, parts) in stories().iter().enumerate() {
        let fuel = |mode| {
            let (mut world, recorder) = recording(in_wasm(mode));
            play::whole(&mut world, parts);
            recorder.recorded().into_iter().map(|record| (record.event_id, record.fuel)).collect::<Vec<_>>()
        };
        let (fresh, reused) = (fuel(Mode::Fresh), fuel(Mode::Reused));
        assert!(fresh.iter().all(|(_, fuel)| *fuel > 0));
        for (fresh, reused) in fresh.iter().zip(&reused) {
            assert_eq!(fresh, reused, "story {index}");
        }
        assert_eq!(fresh.len(), reused.len(), "story {index}");
    }
}

fn rise<T: Ord>(keys: &[T]) -> bool {
    keys.windows(2).all(|pair| pair[0] < pair[1])
}

#[test]
fn the_component_receives_rows_in_byte_order() {
    let mut longest = 0;
    for (index, parts) in stories().iter().enumerate() {
        let (mut world, recorder) = recording(in_wasm(Mode::Reused));
        play::whole(&mut world, parts);
        for record in recorder.recorded() {
            for keys in &record.lists {
                assert!(rise(keys), "story {index}, {}: {keys:?}", record.event_id);
                longest = longest.max(keys.len());
            }
        }
    }
    assert!(longest > 1, "a list of one row has any order");
}

/// Ids whose byte order differs from alphabetical order and from their order here.
const IDS: [&str; 6] = ["b", "é", "a", "B", "a-1", "ab"];

/// Fills a store with rows of one account: each id as a product, as a subscription, and as a record of two collections.
fn filled(mut store: Box<dyn Store>, partition: &Partition, account: &Account) -> Box<dyn Store> {
    let scope = partition.scope(account.clone());
    let rows = IDS.iter().flat_map(|id| {
        [
            Row::Record(samples::record("notes", id, "{}")),
            Row::Subscription(samples::subscription(id)),
            Row::Record(samples::record("marks", id, "{}")),
            Row::Product(samples::product(account, id, "instance")),
        ]
    });
    let rows: Vec<RowWrite> = rows.map(samples::write).collect();
    store.apply(&Changes { rows, ..samples::changes(&scope, "evt_1") }).expect("written rows");
    store
}

fn keys(rows: Vec<StoredRow>) -> Vec<RowKey> {
    rows.into_iter().map(|stored| stored.row.key()).collect()
}

#[test]
fn open_and_more_return_rows_in_byte_order_from_each_store() {
    let sqlite = SqliteStore::open_in_memory().expect("a database in memory");
    let stores: [(&str, Box<dyn Store>); 2] =
        [("in memory", Box::new(MemoryStore::new())), ("SQLite", Box::new(sqlite))];
    for (name, store) in stores {
        let partition = Partition { business: "solobase".to_owned(), livemode: false };
        let account = Account::User("A".to_owned());
        let declared = Declared::new(&solobase().own.beside(component().declarations()), &solobase().config)
            .expect("the declared configuration");
        let context = Context {
            partition: partition.clone(),
            account: Some(account.clone()),
            connected_account: None,
            event_id: "evt_2".to_owned(),
            now: START_MS,
            access: Access::Account,
            declared: Arc::new(declared),
        };
        let mut snapshot = Snapshot::new(filled(store, &partition, &account), context);
        let Ok(Opened::Here(here)) = snapshot.open(&Placement::known(Vec::new()), &[]) else { panic!("{name}: here") };
        let opened = keys(here.rows);
        assert!(rise(&opened) && opened.len() == 4 * IDS.len(), "{name}: {opened:?}");
        for kind in [RowKind::Product, RowKind::Subscription, RowKind::Record("notes".to_owned())] {
            for descending in [false, true] {
                let listing = Listing { kind: kind.clone(), prefix: String::new(), descending, after: None };
                let rows = snapshot.more(&Selection::Listed(listing), PAGE_ROWS_MAX).expect("readable rows");
                let mut listed = keys(rows);
                if descending {
                    listed.reverse();
                }
                assert!(rise(&listed) && listed.len() == IDS.len(), "{name}, {kind:?}, {descending}: {listed:?}");
            }
        }
    }
}
