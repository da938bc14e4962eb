//! The ledger balances, refunds are covered, and the inbox reproduces the ledger.

use super::support::{cash_is_there, judged, moved, report_failure};
use end_to_end::books::Books;
use end_to_end::hosts::{Counts, on_each_kind};
use end_to_end::kept::StoreFiles;
use end_to_end::moves::moves;
use end_to_end::people::checked_story;
use end_to_end::story::VERSIONS;
use end_to_end::world::{Setup, World, solobase};
use host_engine::processor::{Business, Processor, replay_log};
use host_store::Store;
use serde_json::Value;
use std::collections::BTreeMap;

/// Ledger entries by account and fact.
fn ledger(document: &Value) -> BTreeMap<(String, String), Value> {
    let accounts = document["accounts"].as_array().into_iter().flatten();
    accounts
        .flat_map(|rows| {
            let account = rows["account"].as_str().unwrap_or_default().to_owned();
            let entries = rows["records"]["ledger"].as_array().into_iter().flatten();
            entries.map(move |row| {
                ((account.clone(), row["id"].as_str().unwrap_or_default().to_owned()), row["value"].clone())
            })
        })
        .collect()
}

fn balances(entries: &BTreeMap<(String, String), Value>) -> Result<(), String> {
    for ((_, fact), entry) in entries {
        let sum: i64 =
            entry["postings"].as_array().into_iter().flatten().filter_map(|p| p["amount_minor"].as_i64()).sum();
        if sum != 0 || entry["currency"] != "usd" {
            return Err(format!("{fact} does not balance: {entry}"));
        }
    }
    Ok(())
}

/// Checks that refunds of a payment do not exceed the payment.
fn refunds_are_covered(entries: &BTreeMap<(String, String), Value>, books: &Books) -> Result<(), String> {
    let mut left: BTreeMap<&str, i64> = BTreeMap::new();
    for ((_, fact), entry) in entries {
        let Some((_, object)) = fact.split_once(':') else { continue };
        let payment = books.refunds.get(object).map_or(object, String::as_str);
        *left.entry(payment).or_default() += moved(entry, "cash:stripe");
    }
    match left.into_iter().find(|(_, left)| *left < 0) {
        Some((payment, left)) => Err(format!("payment {payment} has {} more refunds than payments", -left)),
        None => Ok(()),
    }
}

/// Checks that the fact of each entry is recorded.
fn facts_are_recorded(world: &World, entries: &BTreeMap<(String, String), Value>) -> Result<(), String> {
    for (account, fact) in entries.keys() {
        let scope = world.processor().scope(account.parse().expect("an account"));
        if world.store().known(&scope, std::slice::from_ref(fact)).expect("readable facts") != [true] {
            return Err(format!("{fact} is not recorded"));
        }
    }
    Ok(())
}

/// Checks that a new host that carries out no effects reaches the same outcomes and ledger from the events of the
/// inbox.
fn the_inbox_reproduces_the_ledger(
    setup: &Setup,
    world: &World,
    entries: &BTreeMap<(String, String), Value>,
) -> Result<(), String> {
    let runner = setup.runners.make().expect("a runner");
    let business = Business { config: solobase().config.clone(), ..world.processor().business().clone() };
    let (_kept, store) = StoreFiles::open(setup.storage);
    let mut fresh = Processor::new(store, runner, business).expect("the same configuration");
    let differences = replay_log(world.store(), &mut fresh).expect("the store has no fault");
    if !differences.is_empty() {
        return Err(format!("the log replays differently: {differences:#?}"));
    }
    let store: &dyn Store = fresh.store();
    let document =
        host_store::state_document(&[store], world.processor().declared().not_state()).expect("a readable state");
    if ledger(&document) != *entries {
        return Err("the log replays to a different ledger".to_owned());
    }
    Ok(())
}

/// Property 7: conservation. Cash also equals the oracle: payments minus refunds.
// covers: S97
#[test]
fn no_money_is_created_or_lost() {
    on_each_kind(file!(), Counts { quick: 24, shipped: 4 }, (moves(9), 0..2usize), |setup, (moves, version)| {
        let checked = checked_story("A", &moves);
        let story = &checked.story;
        let law = judged(setup, &checked, &story.parts_in(VERSIONS[version])).and_then(|world| {
            let document = world.document();
            let entries = ledger(&document);
            balances(&entries)?;
            refunds_are_covered(&entries, &story.books)?;
            cash_is_there(&document, &story.account, &story.books)?;
            facts_are_recorded(&world, &entries)?;
            the_inbox_reproduces_the_ledger(setup, &world, &entries)
        });
        report_failure("conservation", &[story], law)?;
        Ok(())
    });
}
