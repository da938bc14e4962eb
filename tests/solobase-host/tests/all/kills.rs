//! The guest is killed at each call of a service, before the call and after it. The caller sends its request again, as Stripe, a
//! worker and a client do; rows, outcomes and effects are then those of an undisturbed run.

use crate::player::Player;
use crate::stand_in::repository;
use host_replay::library::{Sources, stories};
use solobase_host::database::Period;

/// A customer pays, an instance is provisioned, and the subscription ends. A step is retried.
const STORIES: [&str; 2] = ["requirements/cancelled-while-provisioning.yml", "requirements/restart-between.yml"];

/// Plays the stories with all kills; returns their number.
fn kills(names: &[&str], period: Period) -> usize {
    let fixtures = repository("fixtures");
    let files: Vec<_> = names.iter().map(|file| fixtures.join("businesses/solobase/scenarios").join(file)).collect();
    let sources = Sources { business: None, fixtures: Some(fixtures) };
    let stories = stories(&files, sources, &host_replay::native::runners()).expect("valid fixtures");
    assert_eq!(stories.len(), names.len());
    stories.iter().map(|story| Player::play_killing(story, &story.cases[0], period)).sum()
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_kill_at_any_call_changes_nothing_with_batches() {
    let kills = kills(&STORIES, Period::SinceRewrite);
    assert!(kills > 500, "{kills}");
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_kill_at_any_call_changes_nothing_with_intents() {
    let kills = kills(&STORIES[1..], Period::BeforeRewrite);
    assert!(kills > 300, "{kills}");
}
