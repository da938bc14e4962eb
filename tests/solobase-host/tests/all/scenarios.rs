//! Every scenario of the business `solobase` whose timers are on time plays through the block, over HTTP: webhooks are signed,
//! other events come from a service, and a worker carries out effects with the scenario's provider. Rows, outcomes and effects are
//! those of the component's run.

use crate::player::{Player, bundle_of};
use crate::stand_in::{manifest, repository};
use host_replay::library::{Sources, Story, stories};
use host_replay::play::{PlayOptions, play_and_look};
use host_scenario::model::Action;
use host_store::{Read, Stored};
use solobase_host::database::Period;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Number of threads that play scenarios.
const THREADS: usize = 2;

/// What a run leaves, as texts: the hash of the state, the outcome of each event, and each effect.
#[derive(Debug, PartialEq)]
pub struct Left {
    pub state: String,
    /// The state itself, for messages.
    pub document: String,
    pub outcomes: BTreeMap<String, String>,
    pub effects: BTreeMap<String, String>,
}

impl Left {
    /// Reads what a run has left in a store.
    pub fn of(store: &dyn Read) -> Stored<Left> {
        let not_state = manifest().not_state;
        let state = host_store::state_hash(&[store], &not_state)?;
        let document = format!("{:#}", host_store::state_document(&[store], &not_state)?);
        let (mut outcomes, mut effects) = (BTreeMap::new(), BTreeMap::new());
        for row in store.inbox_after(None, 0, usize::MAX)? {
            let outcome = row.outcome.as_ref().map(|outcome| (outcome.name(), outcome.reason()));
            let account = row.event.account.as_ref().map(ToString::to_string);
            outcomes.insert(
                format!("{} {}", row.event.source, row.event.id),
                format!("{} {outcome:?} {account:?} {}", row.state.name(), row.event.kind),
            );
        }
        for scope in store.scopes(None)? {
            for row in store.effects_of(&scope, 0, usize::MAX)? {
                let effect = &row.effect;
                effects.insert(
                    format!("{} {}@{}", scope.name(), effect.key, effect.generation),
                    format!("{} {} {} {}", row.state.name(), row.attempts, effect.kind, effect.payload),
                );
            }
        }
        Ok(Left { state, document, outcomes, effects })
    }
}

/// Returns the differences between two lists of texts.
fn differences(what: &str, block: &BTreeMap<String, String>, component: &BTreeMap<String, String>) -> Vec<String> {
    let mut keys: Vec<&String> = block.keys().chain(component.keys()).collect();
    keys.sort();
    keys.dedup();
    let differ = keys.into_iter().filter(|key| block.get(*key) != component.get(*key));
    differ.map(|key| format!("{what} {key}: {:?}, {:?} expected", block.get(key), component.get(key))).collect()
}

/// Plays a case through the block on a platform of a period, and in the component; returns the differences.
fn difference(story: &Story, at: usize, period: Period) -> Vec<String> {
    let case = &story.cases[at];
    let options = PlayOptions::new(host_replay::native::runners());
    let mut component = None;
    play_and_look(&story.scenario, case, &story.business, &options, &mut |rig| {
        component = Some(Left::of(rig.store())?);
        Ok(())
    })
    .expect("played");
    let mut component = component.expect("looked at");
    for outcome in component.outcomes.values_mut() {
        // A scenario's events are not signed. One that is signed with the secret of another mode is rejected.
        *outcome = outcome.replace("(\"ignored\", Some(\"wrong-mode\"))", "(\"rejected\", Some(\"mode-mismatch\"))");
    }
    let block = Player::play(story, case, period);
    let mut found = Vec::new();
    if block.state != component.state {
        let differ = block.document.lines().zip(component.document.lines()).find(|(one, other)| one != other);
        found.push(format!("state {}, {} expected: {differ:?}", block.state, component.state));
    }
    found.extend(differences("outcome of", &block.outcomes, &component.outcomes));
    found.extend(differences("effect", &block.effects, &component.effects));
    let name = story.scenario.file.strip_prefix(repository("")).unwrap_or(&story.scenario.file).display().to_string();
    found.into_iter().map(|text| format!("{name} {}: {text}", case.version)).collect()
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn every_scenario_leaves_the_rows_outcomes_and_effects_of_the_component() {
    let fixtures = repository("fixtures");
    let sources = Sources { business: None, fixtures: Some(fixtures.clone()) };
    let only = std::env::var("ONLY_SCENARIO").unwrap_or_default();
    let mut stories = stories(&[fixtures.join("businesses/solobase")], sources, &host_replay::native::runners())
        .expect("valid fixtures");
    stories.retain(|story| story.scenario.file.display().to_string().contains(&only));
    // The block's alarms cannot be held back, so a story whose timers are late has no counterpart on a platform.
    stories.retain(|story| !story.scenario.steps.iter().any(|step| matches!(step.action, Action::Timers(false))));
    let next = AtomicUsize::new(0);
    let differing: Vec<String> = thread::scope(|scope| {
        let play_some = || {
            let mut found = Vec::new();
            while let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
                found.extend(difference(story, story.cases.len() - 1, Period::SinceRewrite));
            }
            found
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(play_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(differing.is_empty(), "{} differences:\n{}", differing.len(), differing.join("\n"));
    assert!(!only.is_empty() || stories.len() > 300, "{} scenarios", stories.len());
}

/// A customer pays, an instance is provisioned, and the subscription ends.
fn a_life() -> Story {
    let fixtures = repository("fixtures");
    let file = fixtures.join("businesses/solobase/scenarios/requirements/cancelled-while-provisioning.yml");
    let sources = Sources { business: None, fixtures: Some(fixtures) };
    stories(&[file], sources, &host_replay::native::runners()).expect("a valid fixture").pop().expect("a story")
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_business_runs_alike_on_a_platform_of_each_period() {
    let story = a_life();
    for period in Period::ALL {
        let differing = difference(&story, story.cases.len() - 1, period);
        assert!(differing.is_empty(), "{period:?}: {}", differing.join("\n"));
    }
}

#[test]
#[ignore = "builds the block: the group `block`"]
fn a_business_goes_on_when_its_platform_is_upgraded() {
    let story = a_life();
    let (case, steps) = (&story.cases[0], story.scenario.steps.len());
    let expected = Player::play(&story, case, Period::SinceRewrite);
    for at in 0..=steps {
        let mut before = Player::start(&bundle_of(&story), story.scenario.given.clock, Period::BeforeRewrite);
        before.prepare(&story);
        before.play_steps(&story, case, 0..at);
        let mut since = before.upgraded(&bundle_of(&story));
        since.play_steps(&story, case, at..steps);
        assert_eq!(since.left(), expected, "after {at} steps");
    }
}
