use super::support::businesses;
use end_to_end::world::{Setup, business_named};
use host_simulate::simulate::{Options, Simulated, simulate};

/// A small share of a simulation: customers of one business for two months.
fn simulated(business: &str, seed: u64, jobs: usize) -> Simulated {
    let options = Options {
        business: business_named(business).clone(),
        runners: Setup::default().runners,
        customers: 20,
        days: 60,
        seed,
        jobs,
        budget: None,
        write: None,
    };
    simulate(&options, &|_| ()).expect("the fixtures' businesses can be simulated")
}

/// Customers of every business live side by side, over faults and crashes, and each day all is as the oracle says.
#[test]
fn each_day_of_a_business_is_as_the_oracle_says() {
    for business in businesses() {
        let Simulated { counts, found, is_cut, .. } = simulated(&business, 1, 2);
        assert_eq!(found, [], "{business}");
        assert!(!is_cut && counts.customers == 20 && counts.days == 20 * 60, "{business}: {counts:?}");
        let lively = [counts.moves, counts.events, counts.decisions, counts.judged];
        assert!(lively.iter().all(|count| *count > 100) && counts.crashes > 0, "{business}: {counts:?}");
    }
}

/// A seed tells the same days again, however many threads there are.
#[test]
fn a_seed_tells_the_same_days_again() {
    let [one, again, other] = [(7, 1), (7, 2), (8, 1)].map(|(seed, jobs)| simulated("solobase", seed, jobs).counts);
    assert_eq!(one, again);
    assert_ne!(one, other);
}
