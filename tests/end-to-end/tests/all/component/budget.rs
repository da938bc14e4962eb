//! A budget in a scenario limits what a component uses for an event.

use end_to_end::hosts::runners;
use end_to_end::world::root;
use host_replay::run::{ReplayOptions, Silent, replay};
use std::{fs, io};

#[test]
fn a_budget_limits_the_use_of_a_component() {
    let business = tempfile::tempdir().expect("a folder");
    let podcasts = root().join("fixtures/catalogs/full-podcasts");
    fs::copy(podcasts.join("catalog.yml"), business.path().join("catalog.yml")).expect("copied");
    let file = business.path().join("plan.yml");
    let played = |budget: &str, bless: bool| {
        let text = fs::read_to_string(podcasts.join("scenarios/plan.yml")).expect("a scenario");
        fs::write(&file, text.replace("\nevents:", &format!("\nbudget: {budget}\nevents:"))).expect("written");
        let options = ReplayOptions { bless, ..ReplayOptions::new(runners()) };
        replay(std::slice::from_ref(&file), &mut io::empty(), &options, &mut Silent).expect("a played scenario")
    };
    assert!(played("{fuel: 100_000_000, memory: 64MiB, host_calls: 1_000}", false).held());
    let small = played("{fuel: 1_000, memory: 64KiB, host_calls: 0}", false);
    let titles: Vec<&str> = small.cases[0].failures.iter().map(|failure| failure.title.as_str()).collect();
    for resource in ["fuel", "memory", "host_calls"] {
        let of = format!("evt_1.budget.{resource}: used ");
        assert!(titles.iter().any(|title| title.starts_with(&of)), "{resource}: {titles:?}");
    }
    let raised = played("{fuel: 1_000, memory: 64KiB, host_calls: 0}", true).raised;
    assert_eq!(raised.len(), 3, "{raised:?}");
    let text = fs::read_to_string(&file).expect("the scenario");
    let options = ReplayOptions::new(runners());
    let again = replay(std::slice::from_ref(&file), &mut io::empty(), &options, &mut Silent).expect("played");
    assert!(again.held(), "the raised budget holds: {text}");
}
