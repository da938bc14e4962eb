//! Explores a story of an extension other than ours.

use super::support::{explored, tale};
use crate::toy::ToyRunner;
use host_explore::{Law, VariantKind};
use host_replay::runners::Runners;
use std::fs;

const STORY: &str = "name: x
given: {account: user:a}
events:
  - {command: do, payload: {note: [f], ask: [{kind: database.ensure, key: d/ensure, payload: {name: d}}]}}
  - {command: do, payload: {take: [\"subdomain:d\"], ask: [{kind: mail.send, key: m}]}}
";

#[test]
fn a_story_of_another_extension_is_explored_in_all_kinds_of_variants() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("catalog.yml"), "{}\n").expect("written");
    let story = folder.path().join("story.yml");
    fs::write(&story, STORY).expect("written");
    let runners = Runners::new("toy", || Ok(Box::new(ToyRunner::new(1))));
    let tale = tale(&story, &runners);
    let found = explored(
        &tale,
        &[VariantKind::Orders, VariantKind::Repeats, VariantKind::Drops, VariantKind::Failures, VariantKind::Crashes],
    );
    assert!(found.findings.iter().all(|finding| finding.breach.law == Law::Outcome), "{:?}", found.findings);
    assert_eq!(found.counts[&VariantKind::Failures].variants, 12, "two calls in six ways");
    assert!(found.counts[&VariantKind::Crashes].variants > 10, "{:?}", found.counts);
    assert_eq!(found.counts[&VariantKind::Repeats].variants, 4);
}
