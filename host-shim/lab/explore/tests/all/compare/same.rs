//! The same component on both sides has no differences.

use super::support::{by_paths, options};
use host_replay::runners::Runners;
use std::fs;
use test_support::{fixtures, in_business};

#[test]
fn a_component_equals_itself_over_whole_businesses() {
    let folders = ["full-podcasts", "orchestra", "families-and-add-ons"].map(in_business);
    let options = options(host_replay::native::runners(), &[]);
    let found = by_paths(&folders, &options);
    assert_eq!(found.causes, []);
    assert!(!found.differs(&options));
    assert!(found.cases > 60 && found.runs > 400, "{} runs of {} cases", found.runs, found.cases);
    assert_eq!(found.fuel.total().runs, 0, "native runs have no fuel");
}

#[test]
fn only_selects_the_played_api_versions() {
    let mut options = options(host_replay::native::runners(), &[]);
    let folder = [in_business("full-podcasts")];
    let all = by_paths(&folder, &options).cases;
    options.only = vec!["2025-03-31.basil".to_owned()];
    let some = by_paths(&folder, &options).cases;
    assert!(0 < some && some < all, "{some} of {all}");
}

#[test]
fn a_raw_stream_runs_through_both_components() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("log.jsonl");
    let command = |id: &str, label: &str| {
        format!(
            r#"{{"id":"{id}","command":"instance.create","account":"user:ana","timestamp":"2026-01-01T00:00:00Z","actor":{{"kind":"user","id":"ana"}},"payload":{{"name":"A","metadata":{{"label":"{label}"}}}}}}"#
        )
    };
    fs::write(&file, [command("c1", "first-show"), command("c2", "second-show")].join("\n")).expect("written");
    let by = |new: Runners| {
        let mut options = options(new, &[]);
        options.fuel_within = None;
        let (paths, podcasts) = ([file.clone()], in_business("full-podcasts"));
        let sources = host_replay::library::Sources {
            business: Some(podcasts.display().to_string()),
            fixtures: Some(fixtures()),
        };
        let mut library =
            host_replay::library::Library::new(sources, options.old.clone(), &paths).expect("the fixtures");
        host_explore::compare::paths::compare(&mut library, &paths, &options, &mut |_| {}).expect("a comparison")
    };
    let same = by(host_replay::native::runners());
    assert_eq!((&same.causes[..], same.cases), (&[][..], 1));
    assert!(same.runs > 3, "{} runs, with results of effects", same.runs);
    let other = by(super::support::changed(|event, decision| {
        if event.kind == "instance.create" {
            decision.effects.retain(|effect| effect.kind != "bucket.ensure");
        }
    }));
    assert_eq!(super::support::cause_lines(&other)[0], "effects of instance.create: - bucket.ensure");
    assert!(other.causes[0].first.place.to_string().ends_with("log.jsonl, event 1"), "{}", other.causes[0].first.place);
}
