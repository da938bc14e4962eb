//! Scenarios as bytes for a host.

use end_to_end::world::{fixtures, root};
use host_scenario::model::Scenario;
use host_scenario::prepare::{Case, prepare};
use std::path::Path;

/// A scenario of `fixtures/businesses/solobase/scenarios/stripe`.
pub fn scenario(name: &str) -> Scenario {
    let file = root().join("fixtures/businesses/solobase/scenarios/stripe").join(name);
    Scenario::read(&file).expect("a readable scenario")
}

/// A scenario as bytes in each API version.
pub fn cases(scenario: &Scenario) -> Vec<Case> {
    prepare(scenario, &fixtures().shapes).expect("buildable cases")
}

/// The events of a story in a test, in the newest API version.
pub fn events(steps: &str) -> Vec<Vec<u8>> {
    let text = format!("name: a story\ngiven: {{account: user:A}}\nevents:\n{steps}");
    let scenario = Scenario::parse(Path::new("story.yml"), &text).expect("a readable story");
    let case = cases(&scenario).pop().expect("a case");
    case.deliveries.into_iter().flatten().map(|prepared| prepared.bytes).collect()
}
