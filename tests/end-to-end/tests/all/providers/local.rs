//! Tests that every scenario without scripted answers also holds with the provider `local`: with the same statuses and
//! effects, and with the inventory that the provider itself lists.

use super::machine;
use end_to_end::acting::{failures, found_in, load_stories, played};
use host_replay::library::Story;
use host_scenario::model::Action;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Words that occur only in scenarios that depend on the scripted provider: on its settings and outputs, on manual
/// steps, or on the time of its answers.
const OF_SCRIPTED: [&str; 6] = ["settings:", "outputs:", "step.complete", "token.redeem", "restart", "hold:"];

/// True for a scenario with scripted answers, or with expectations that only the scripted provider meets.
fn is_scripted(story: &Story) -> bool {
    let answers = |action: &Action| matches!(action, Action::Answers(_));
    let text = std::fs::read_to_string(&story.scenario.file).expect("a scenario");
    !story.scenario.given.answers.is_empty()
        || story.scenario.steps.iter().any(|step| answers(&step.action))
        || OF_SCRIPTED.iter().any(|word| text.contains(word))
        || story.scenario.known_to_fail.is_some()
}

#[test]
fn the_scenarios_of_all_businesses_hold_on_this_machine() {
    let folders = test_support::played().into_iter();
    let mut stories: Vec<Story> = folders.flat_map(|folder| load_stories(folder, None)).collect();
    stories.retain(|story| !is_scripted(story));
    let made = AtomicUsize::new(0);
    let found = found_in(&stories, |story| {
        let (world, opened) = machine();
        let found = failures(&played(story, &world, &host_replay::native::runners()));
        made.fetch_add(opened.journal.spans().len(), Ordering::Relaxed);
        found
    });
    assert_eq!(found, [""; 0]);
    let (stories, made) = (stories.len(), made.into_inner());
    assert!(stories > 300 && made > 500, "{stories} stories, {made} effects");
}
