//! `provisioner explore`: its output and exit codes.

use crate::run::{Ran, in_business, run};

fn explore(args: &[&str], story: &str) -> Ran {
    let story = in_business(story).display().to_string();
    let mut all = vec!["explore", "--native", &story];
    all.extend(args);
    run(&all, b"")
}

#[test]
fn the_variants_of_a_scenario_are_counted_in_a_table_and_in_lines() {
    let story = "solobase/scenarios/requirements/billing-history.yml";
    let human = explore(&["--only", "orders,repeats"], story);
    assert_eq!(human.code, 0, "{}{}", human.stdout, human.stderr);
    assert!(human.stdout.contains("orders") && human.stdout.contains("seed 1"), "{}", human.stdout);
    let json = explore(&["--only", "orders,repeats", "--format", "json"], story);
    let summary = json.summary();
    assert_eq!((json.code, &summary["variants"]["orders"]["variants"]), (0, &12.into()), "{summary}");
    let junit = explore(&["--only", "orders", "--format", "junit"], story);
    assert!(junit.stdout.contains("failures=\"0\""), "{}", junit.stdout);
    let over = explore(&["--budget", "0s", "--format", "json"], story);
    assert_eq!((over.code, &over.summary()["left_out"]), (0, &1.into()), "nothing was begun");
}

#[test]
fn wrong_arguments_of_explore_are_refused() {
    let missing = explore(&[], "no-such.yml");
    assert_eq!((missing.code, missing.stdout.as_str()), (2, ""), "{}", missing.stderr);
    for wrong in [["--only", "order"], ["--budget", "1x"], ["--jobs", "0"]] {
        assert_eq!(explore(&wrong, "full-podcasts").code, 2, "{wrong:?}");
    }
}
