use super::support::{cases, played, told};
use end_to_end::books::Books;
use end_to_end::moves::moves;
use end_to_end::people::story;
use end_to_end::story::VERSIONS;
use end_to_end::world::{Setup, World, solobase};
use host::processor::{Business, Processor, replay_log};
use host_store::{MemoryStore, Store};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Ledger entries by account of the business and fact.
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

/// What an entry moves into one account of the ledger, in minor units.
fn moved(entry: &Value, into: &str) -> i64 {
    let postings = entry["postings"].as_array().into_iter().flatten();
    postings.filter(|posting| posting["account"] == into).filter_map(|p| p["amount_minor"].as_i64()).sum()
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

/// Of no payment more goes back than came in.
fn refunds_are_covered(entries: &BTreeMap<(String, String), Value>, books: &Books) -> Result<(), String> {
    let mut left: BTreeMap<&str, i64> = BTreeMap::new();
    for ((_, fact), entry) in entries {
        let Some((_, object)) = fact.split_once(':') else { continue };
        let payment = books.refunds.get(object).map_or(object, String::as_str);
        *left.entry(payment).or_default() += moved(entry, "cash:stripe");
    }
    match left.into_iter().find(|(_, left)| *left < 0) {
        Some((payment, left)) => Err(format!("payment {payment} gave back {} more than it brought", -left)),
        None => Ok(()),
    }
}

/// What the ledger says that Stripe holds for us is what Stripe says.
fn cash_is_there(entries: &BTreeMap<(String, String), Value>, books: &Books) -> Result<(), String> {
    let ours: i64 = entries.values().map(|entry| moved(entry, "cash:stripe")).sum();
    match ours == books.takings {
        true => Ok(()),
        false => Err(format!("Stripe took {}, the ledger has {ours}", books.takings)),
    }
}

/// Each entry's fact names an event that came in.
fn facts_name_events(world: &World, entries: &BTreeMap<(String, String), Value>) -> Result<(), String> {
    let rows = world.store().inbox_after(0, 100_000).expect("the inbox can be read");
    let ids: BTreeSet<String> = rows.into_iter().map(|row| row.event.id).collect();
    for (account, fact) in entries.keys() {
        let scope = world.processor().scope(account.parse().expect("an account"));
        match world.store().fact(&scope, fact).expect("facts can be read") {
            Some(event) if ids.contains(&event) => {}
            other => return Err(format!("{fact} names {other:?}, which is no event of the inbox")),
        }
    }
    Ok(())
}

/// The inbox, fed to a fresh host that carries nothing out, gives the same outcomes and the same ledger.
fn the_inbox_tells_all(world: &World, entries: &BTreeMap<(String, String), Value>) -> Result<(), String> {
    let runner = Setup::default().runners.make().expect("the library can be run");
    let business = Business { config: solobase().config.clone(), ..world.processor().business().clone() };
    let mut fresh = Processor::new(Box::new(MemoryStore::new()), runner, business).expect("the same configuration");
    let differences = replay_log(world.store(), &mut fresh).expect("the store has no fault");
    if !differences.is_empty() {
        return Err(format!("the log replays otherwise: {differences:#?}"));
    }
    let store: &dyn Store = fresh.store();
    let document =
        host_store::state_document(&[store], world.processor().declared().not_state()).expect("the state can be read");
    if ledger(&document) != *entries {
        return Err("the log replays to another ledger".to_owned());
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(24))]

    /// Property 7: conservation.
    // covers: S97
    #[test]
    fn no_money_is_made_or_lost(moves in moves(9), version in 0..2usize) {
        let story = story("A", &moves);
        let world = played(&story.told_in(VERSIONS[version]));
        let entries = ledger(&world.document());
        let law = balances(&entries)
            .and_then(|()| refunds_are_covered(&entries, &story.books))
            .and_then(|()| cash_is_there(&entries, &story.books))
            .and_then(|()| facts_name_events(&world, &entries))
            .and_then(|()| the_inbox_tells_all(&world, &entries));
        told("conservation", &[&story], law)?;
    }
}
