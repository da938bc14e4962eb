//! Every scenario of the fixtures holds with the library, as it does with the component: what a mutant of the library that
//! no other test catches has to come past (`.cargo/mutants.toml`).

use end_to_end::world::root;
use host_replay::line::{Line, StreamLine, Summary};
use host_replay::report::failures;
use host_replay::run::{ReplayOptions, Sink, replay};
use host_replay::runners::Runners;
use std::io;

/// Says nothing.
struct Silent;

impl Sink for Silent {
    fn line(&mut self, _: &Line) -> io::Result<()> {
        Ok(())
    }

    fn stream(&mut self, _: &StreamLine, _: &Summary) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_scenario_of_the_fixtures_holds_with_the_library() {
    let fixtures = root().join("fixtures");
    let options = ReplayOptions {
        business: None,
        fixtures: Some(fixtures.clone()),
        runners: Runners::native(),
        store: None,
        shuffle: None,
        repeat: 1,
        bless: false,
        trace: false,
        until: None,
    };
    let finished = replay(&[fixtures], &mut io::empty(), &options, &mut Silent).expect("the fixtures are right");
    let told: Vec<String> = failures(&finished.cases)
        .iter()
        .map(|told| format!("{}: {}: {}", told.failure.file.display(), told.heading(), told.failure.title))
        .collect();
    assert_eq!(told, [""; 0]);
    assert!(finished.cases.len() > 900, "{} cases", finished.cases.len());
}
