//! Cuts the smallest difference to a scenario that holds with OLD and fails with NEW.

use super::support::{by_paths, changed, options, podcasts, sources};
use extension_contract::{Decision, Outcome, Payload, Refusal};
use host_explore::compare::cut::{Cut, CutError, smallest};
use host_explore::compare::{Comparison, Options};
use host_replay::library::Library;
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use host_scenario::model::{Action, Scenario};
use std::fs;
use std::path::Path;
use test_support::fixtures;

fn cut(comparison: &Comparison, options: &Options, file: &Path) -> Result<Option<Cut>, CutError> {
    let mut library = Library::new(sources(), options.old.clone(), &[]).expect("the fixtures");
    smallest(&mut library, comparison, options, file)
}

/// True if a scenario holds with a component.
fn holds(file: &Path, runners: &Runners) -> bool {
    let options = ReplayOptions { fixtures: Some(fixtures()), ..ReplayOptions::new(runners.clone()) };
    let finished =
        replay(&[file.to_owned()], &mut std::io::empty(), &options, &mut Silent).expect("a playable scenario");
    finished.held()
}

fn proves(comparison: &Comparison, options: &Options) -> Scenario {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("differs.yml");
    let cut = cut(comparison, options, &file).expect("a scenario").expect("a difference");
    fs::write(&file, &cut.text).expect("written");
    assert!(holds(&file, &options.old), "with OLD:\n{}", cut.text);
    assert!(!holds(&file, &options.new), "with NEW:\n{}", cut.text);
    Scenario::read(&file).expect("a scenario")
}

#[test]
fn steps_that_the_difference_does_not_need_are_cut() {
    // Given a component that refuses the second show although the add-on was bought. The later plan does not matter.
    let new = changed(|event, decision| {
        let is_second = matches!(&event.payload, Payload::Command(text) if text.contains("second-show"));
        if event.kind == "instance.create" && is_second && decision.outcome == Outcome::Applied {
            *decision = Decision::of(Outcome::Rejected(Refusal::Malformed("/name".to_owned())));
        }
    });
    let options = options(new, &[]);
    let found = by_paths(&[podcasts("add-on.yml")], &options);
    let scenario = proves(&found, &options);
    // One show is free, so the second show alone is allowed.
    let kinds: Vec<&str> = scenario.steps.iter().filter_map(|step| step.action.event_id()).collect();
    assert_eq!(kinds, ["cmd_3"], "nothing else is needed");
    assert!(scenario.given.claims.is_empty() && scenario.covers.is_empty());
    let step = &scenario.steps[0];
    assert_eq!(step.outcome.as_ref().map(|outcome| outcome.outcome.as_str()), Some("applied"));
    assert!(step.effects.is_some(), "the effects of OLD");
}

#[test]
fn a_step_that_the_difference_needs_is_kept() {
    // Given a component that drops the mail sent when the limit is reached.
    let new = changed(|event, decision| {
        if event.kind == "usage.consume" {
            decision.effects.retain(|effect| !effect.payload.contains("\"percent\":100"));
        }
    });
    let options = options(new, &[]);
    let found = by_paths(&[podcasts("metered-limit.yml")], &options);
    let scenario = proves(&found, &options);
    let commands = scenario.steps.iter().filter(|step| matches!(step.action, Action::Command(_))).count();
    assert_eq!((scenario.steps.len(), commands), (2, 2), "both uses: neither reaches the limit alone");
}

#[test]
fn an_effect_requested_by_an_effect_result_is_expected_at_the_end() {
    let new = changed(|event, decision| {
        if matches!(event.payload, Payload::EffectResult(_)) {
            decision.effects.retain(|effect| !effect.kind.starts_with("function."));
        }
    });
    let options = options(new, &[]);
    let found = by_paths(&[podcasts("show.yml")], &options);
    let scenario = proves(&found, &options);
    assert!(scenario.expect.sections.iter().any(|section| section.section == "effects"));
}

#[test]
fn no_scenario_is_cut_without_a_difference() {
    let options = options(host_replay::native::runners(), &[]);
    let found = by_paths(&[podcasts("plan.yml")], &options);
    assert!(cut(&found, &options, Path::new("x.yml")).expect("no error").is_none());
}
