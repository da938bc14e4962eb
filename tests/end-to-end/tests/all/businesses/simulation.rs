//! Small simulations of every business, and their reports.

use super::support::businesses;
use end_to_end::cases::one_story_in;
use end_to_end::world::{Setup, business_named};
use extension_contract::Event;
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use host_simulate::report;
use host_simulate::simulate::{Found, Options, SimulateError, Simulated, simulate};
use host_wasm_runner::around::Around;
use serde_json::{Value, json};

/// Returns the number of customers of a small simulation: 20, or 10 in a run of the tests that tries a part of all cases.
fn customers() -> usize {
    if one_story_in() == 1 { 20 } else { 10 }
}

/// A small simulation: some customers of one business for two months.
fn share(business: &str, seed: u64, jobs: usize) -> Options {
    Options {
        business: business_named(business).clone(),
        runners: Setup::default().runners,
        customers: customers(),
        days: 60,
        seed,
        jobs,
        budget: None,
        only: None,
        write: None,
    }
}

fn simulated(options: &Options) -> Simulated {
    simulate(options, &|_| ()).expect("a simulation")
}

/// Given faults and crashes, the accounts of all customers equal the oracle on each day.
#[test]
fn every_simulated_day_equals_the_oracle() {
    let mut crashes = 0;
    for business in businesses() {
        let Simulated { counts, found, is_cut, .. } = simulated(&share(&business, 1, 2));
        assert_eq!(found, [], "{business}");
        assert!(
            !is_cut && counts.customers == customers() as u64 && counts.days == counts.customers * 60,
            "{business}: {counts:?}"
        );
        let lively = [counts.moves, counts.events, counts.decisions, counts.judged];
        assert!(lively.iter().all(|count| *count > 100), "{business}: {counts:?}");
        crashes += counts.crashes;
    }
    assert!(crashes > 0, "no host of a business was killed");
}

/// The same seed gives the same days with any number of threads.
#[test]
fn a_seed_repeats_the_same_days() {
    let [one, again, other] =
        [(7, 1), (7, 2), (8, 1)].map(|(seed, jobs)| simulated(&share("solobase", seed, jobs)).counts);
    assert_eq!(one, again);
    assert_ne!(one, other);
}

/// Returns runners of an extension that does not receive the events of refunds.
fn ignoring_refunds() -> Runners {
    let inner = Setup::default().runners;
    Runners::new("deaf", move || {
        Ok(Box::new(Around::new(inner.make()?, |inner, imports, event| {
            let is_refund = event.kind.contains("refund");
            let kind = if is_refund { "no.such".to_owned() } else { event.kind.clone() };
            inner.handle(imports, &Event { kind, ..event.clone() })
        })))
    })
}

/// Given an extension that does not book refunds, the simulation reports the difference with the expected value, the
/// actual value and the command that repeats the simulation. It also writes a scenario that fails with that extension.
#[test]
fn an_unbooked_refund_is_reported_and_written_as_a_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = Some(folder.path().join("broken"));
    let options = Options { runners: ignoring_refunds(), customers: 8, days: 120, write, ..share("solobase", 1, 2) };
    let simulated = simulated(&options);
    let is_of_cash = |found: &&Found| found.difference.what == "cash";
    let cash = simulated.found.iter().find(is_of_cash).expect("a difference of cash");
    let [should_be, is] =
        [&cash.difference.should_be, &cash.difference.is].map(|minor| minor.parse::<i64>().expect("minor units"));
    assert!(is > should_be, "{cash:?}");
    let mut out = Vec::new();
    report::json(&mut out, &simulated, &options, " --native").expect("written");
    let lines: Vec<Value> =
        String::from_utf8(out).expect("UTF-8").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let line = lines.iter().find(|line| line["difference"]["account"] == cash.account.as_str()).expect("its line");
    let again = line["difference"]["again"].as_str().expect("a command");
    let (only, days) = (cash.customer.expect("the account of a customer"), cash.day + 1);
    assert!(again.ends_with(&format!("--customers 8 --seed 1 --only {only} --days {days} --native")), "{again}");
    let summary = &lines.last().expect("a summary")["summary"];
    assert_eq!((&summary["differences"], &summary["seed"]), (&json!(simulated.found.len()), &json!(1)));

    let file = format!("solobase-1-{}.yml", cash.account.replace(':', "-"));
    assert!(simulated.written.iter().any(|path| path.ends_with(&file)), "{file}: {:?}", simulated.written);
    for path in &simulated.written {
        let plays = |runners: Runners| {
            let options = ReplayOptions::new(runners);
            replay(std::slice::from_ref(path), &mut std::io::empty(), &options, &mut Silent).expect("a scenario")
        };
        assert!(!plays(ignoring_refunds()).held(), "{}", path.display());
        let right = plays(Setup::default().runners);
        assert!(right.held(), "{}: {:?}", path.display(), right.cases);
    }
}

/// Given a counter that only a product on sale grants, the usage of accounts without the product is not a difference.
#[test]
fn usage_of_a_counter_that_nothing_grants_is_not_shown() {
    let mut options = Options { customers: 8, ..share("solobase", 3, 2) };
    let catalog = &mut options.business.catalog;
    catalog["meters"]["transfers"] = json!({});
    catalog["entitlements"]["transfers"] = json!({"kind": "counter", "meter": "transfers", "period": "calendar_month"});
    let list = |catalog: &mut Value, name: &str, entry: Value| {
        catalog[name].as_array_mut().expect("a list").push(entry);
    };
    list(
        catalog,
        "product_types",
        json!({"name": "transfer_pack", "catalog": true, "infer_by": "pack", "fields": [{"name": "pack", "type": "string", "required": true}],
            "grants": {"transfers": 100_000}}),
    );
    list(
        catalog,
        "products",
        json!({"id": "prod_transfers", "product_type": "transfer_pack", "name": "Transfers", "prices": {"once": {"amount": 500, "id": "price_transfers"}},
            "metadata": {"pack": "transfers"}}),
    );
    let Simulated { counts, found, .. } = simulated(&options);
    assert_eq!(found, []);
    assert!(counts.judged > 100, "{counts:?}");
}

/// An unsupported currency is bad input. The message names the currency and the expected currency.
#[test]
fn an_unsupported_currency_is_refused() {
    let mut options = share("solobase", 1, 1);
    options.business.catalog["policies"]["currency"] = json!("chf");
    let error = simulate(&options, &|_| ()).expect_err("an unsupported currency");
    assert!(matches!(&error, SimulateError::Currency { currency, .. } if currency == "chf"), "{error}");
    assert!(error.is_bad_input() && error.to_string().contains("expected `usd`"), "{error}");
}
