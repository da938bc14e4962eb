//! Every scenario of the fixtures holds with the library, as it does with the component: what a mutant of the library that
//! no other test catches has to come past (`.cargo/mutants.toml`).

use end_to_end::world::root;
use host_replay::report::failures;
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use std::io;

#[test]
fn every_scenario_of_the_fixtures_holds_with_the_library() {
    let fixtures = root().join("fixtures");
    let options = ReplayOptions { fixtures: Some(fixtures.clone()), ..ReplayOptions::new(Runners::native()) };
    let finished = replay(&[fixtures], &mut io::empty(), &options, &mut Silent).expect("the fixtures are right");
    let told: Vec<String> = failures(&finished.cases)
        .iter()
        .map(|told| format!("{}: {}: {}", told.failure.file.display(), told.heading(), told.failure.title))
        .collect();
    assert_eq!(told, [""; 0]);
    assert!(finished.cases.len() > 900, "{} cases", finished.cases.len());
}
