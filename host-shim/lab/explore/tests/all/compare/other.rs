//! Compares components of an extension other than ours.

use super::support::{cause_lines, changed_of};
use crate::toy::ToyRunner;
use host_explore::compare::cut::smallest;
use host_explore::compare::{Options, paths};
use host_replay::library::{Library, Sources};
use host_replay::runners::Runners;
use host_scenario::model::Scenario;
use std::fs;

const STORY: &str = "name: x\ngiven: {account: user:a}\nevents:\n  - {command: do, payload: {note: [f]}, expect: applied}\n  \
    - {command: do, payload: {ask: [{kind: mail.send, key: m}]}, expect: applied}\n  - {command: do, payload: {note: [g]}}\n";

#[test]
fn a_difference_of_another_extension_is_reported_and_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("catalog.yml"), "{}\n").expect("written");
    let story = folder.path().join("story.yml");
    fs::write(&story, STORY).expect("written");
    let toy = || Runners::new("toy", || Ok(Box::new(ToyRunner::new(1))));
    let other = changed_of(toy(), |_, decision| decision.effects.retain(|effect| effect.kind != "mail.send"));
    let paths = [story];
    let by = |new: Runners| {
        let options = Options::new(toy(), new);
        let mut library = Library::new(Sources::default(), toy(), &paths).expect("fixtures");
        let found = paths::compare(&mut library, &paths, &options, &mut |_| {}).expect("a comparison");
        let cut = smallest(&mut library, &found, &options, &folder.path().join("differs.yml"));
        (found, cut.expect("no error"))
    };
    let (same, nothing) = by(toy());
    assert_eq!((&same.causes[..], nothing.is_none()), (&[][..], true));
    assert!(same.fuel.total().old > 0, "the toy reports fuel");
    let (found, cut) = by(other);
    assert_eq!(cause_lines(&found)[0], "effects of do: - mail.send");
    let cut = cut.expect("a scenario");
    let scenario = Scenario::parse(&folder.path().join("differs.yml"), &cut.text).expect("a scenario");
    let ids: Vec<&str> = scenario.steps.iter().filter_map(|step| step.action.event_id()).collect();
    assert_eq!(ids, ["cmd_2"], "{}", cut.text);
}
