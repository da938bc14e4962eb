use super::support::businesses;
use end_to_end::world::{Setup, business_named};
use extension_contract::Event;
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use host_simulate::report;
use host_simulate::simulate::{Options, SimulateError, Simulated, simulate};
use host_wasm_runner::around::Around;
use serde_json::{Value, json};

/// A small share of a simulation: customers of one business for two months.
fn share(business: &str, seed: u64, jobs: usize) -> Options {
    Options {
        business: business_named(business).clone(),
        runners: Setup::default().runners,
        customers: 20,
        days: 60,
        seed,
        jobs,
        budget: None,
        only: None,
        write: None,
    }
}

fn simulated(options: &Options) -> Simulated {
    simulate(options, &|_| ()).expect("the fixtures' businesses can be simulated")
}

/// Customers of every business live side by side, over faults and crashes, and each day all is as the oracle says.
#[test]
fn each_day_of_a_business_is_as_the_oracle_says() {
    for business in businesses() {
        let Simulated { counts, found, is_cut, .. } = simulated(&share(&business, 1, 2));
        assert_eq!(found, [], "{business}");
        assert!(!is_cut && counts.customers == 20 && counts.days == 20 * 60, "{business}: {counts:?}");
        let lively = [counts.moves, counts.events, counts.decisions, counts.judged];
        assert!(lively.iter().all(|count| *count > 100) && counts.crashes > 0, "{business}: {counts:?}");
    }
}

/// A seed tells the same days again, however many threads there are.
#[test]
fn a_seed_tells_the_same_days_again() {
    let [one, again, other] =
        [(7, 1), (7, 2), (8, 1)].map(|(seed, jobs)| simulated(&share("solobase", seed, jobs)).counts);
    assert_eq!(one, again);
    assert_ne!(one, other);
}

/// An extension that never hears of money that goes back.
fn deaf_to_refunds() -> Runners {
    let inner = Setup::default().runners;
    Runners::new("deaf", move || {
        Ok(Box::new(Around::new(inner.make()?, |inner, imports, event| {
            let tells_of_refunds = event.kind.contains("refund");
            let kind = if tells_of_refunds { "no.such".to_owned() } else { event.kind.clone() };
            inner.handle(imports, &Event { kind, ..event.clone() })
        })))
    })
}

/// A refund that isn't booked is found, and told with what is, what should be, and the line that runs it again; the days of the
/// customer are written down as a scenario that fails with that extension.
#[test]
fn a_refund_that_is_not_booked_is_found_and_written_down() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = Some(folder.path().join("broken"));
    let options = Options { runners: deaf_to_refunds(), customers: 8, days: 120, write, ..share("solobase", 1, 2) };
    let simulated = simulated(&options);
    let cash = simulated.found.iter().find(|found| found.difference.what == "cash").expect("a difference of cash");
    let [should_be, is] =
        [&cash.difference.should_be, &cash.difference.is].map(|minor| minor.parse::<i64>().expect("minor units"));
    assert!(is > should_be, "{cash:?}");
    let mut out = Vec::new();
    report::json(&mut out, &simulated, &options, " --native").expect("a list takes everything");
    let lines: Vec<Value> =
        String::from_utf8(out).expect("UTF-8").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told = lines.iter().find(|line| line["difference"]["account"] == cash.account.as_str()).expect("its line");
    let again = told["difference"]["again"].as_str().expect("a line to run");
    let (only, days) = (cash.customer.expect("the account of a customer"), cash.day + 1);
    assert!(again.ends_with(&format!("--customers 8 --seed 1 --only {only} --days {days} --native")), "{again}");
    let summary = &lines.last().expect("a summary")["summary"];
    assert_eq!((&summary["differences"], &summary["seed"]), (&json!(simulated.found.len()), &json!(1)));

    let file = format!("solobase-1-{}.yml", cash.account.replace(':', "-"));
    let path = simulated.written.iter().find(|path| path.ends_with(&file)).expect("its scenario");
    let plays = |runners: Runners| {
        let options = ReplayOptions::new(runners);
        replay(std::slice::from_ref(path), &mut std::io::empty(), &options, &mut Silent).expect("a scenario")
    };
    assert!(!plays(deaf_to_refunds()).held());
    let right = plays(Setup::default().runners);
    assert!(right.held(), "{:?}", right.cases);
}

/// What can't be simulated is bad input, told by its name and by what is expected.
#[test]
fn a_currency_that_customers_do_not_have_is_refused() {
    let mut options = share("solobase", 1, 1);
    options.business.catalog["business"]["currency"] = json!("eur");
    let error = simulate(&options, &|_| ()).expect_err("no customer pays in euros");
    assert!(matches!(&error, SimulateError::Currency { currency, .. } if currency == "eur"), "{error}");
    assert!(error.is_bad_input() && error.to_string().contains("expected `usd`"), "{error}");
}
