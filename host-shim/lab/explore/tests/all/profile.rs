//! Profiles the hostile guest, a component of another extension that this test builds.

use host_explore::profile::{
    NOT_SEEN, Profile, ProfileOptions, Rounds, START, Spent, flamegraph, human, json, profile,
};
use host_scenario::error::ReplayError;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

/// Two applied commands with a mail each.
const SCENARIO: &str = r#"
name: two applied commands
given: {account: "user:u1"}
events:
  - {command: behave, id: c1, expect: applied}
  - {command: behave, id: c2, expect: applied}
"#;

struct Folder {
    dir: tempfile::TempDir,
    named: PathBuf,
    stripped: PathBuf,
}

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).expect("written");
        file
    };
    write("catalog.yml", b"anything: it is given to the extension\n");
    write("story.yml", SCENARIO.as_bytes());
    let named = write("named.wasm", &component_builder::build_named("hostile-guest").expect("a component"));
    let stripped = write("stripped.wasm", &component_builder::build("hostile-guest").expect("a component"));
    Folder { dir, named, stripped }
});

fn options(component: &Path, against: Option<&Path>, rounds: Rounds) -> ProfileOptions {
    let (component, against) = (component.to_owned(), against.map(Path::to_owned));
    ProfileOptions { component, against, business: None, fixtures: None, rounds, only: Vec::new() }
}

fn profiled(options: &ProfileOptions) -> Result<Profile, ReplayError> {
    let story = FOLDER.dir.path().join("story.yml");
    let mut steps = 0;
    let found = profile(&[story], &mut std::io::empty(), options, &mut |_| steps += 1);
    assert!(found.is_err() || steps > 1, "progress is reported");
    found
}

fn text(profile: &Profile) -> String {
    let mut out = Vec::new();
    human(profile, 10, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn event_kinds_have_exact_fuel_and_functions_have_names() {
    let once = profiled(&options(&FOLDER.named, None, Rounds::Times(1))).expect("a profile");
    let long = profiled(&options(&FOLDER.named, None, Rounds::For(Duration::from_secs(2)))).expect("a profile");
    assert_eq!(once.kinds(), long.kinds(), "per round, for any number of rounds");
    let versions = once.kinds()["behave"].calls / 2;
    assert_eq!(once.kinds()[START].calls, versions, "each case loads the catalog");
    assert!(once.kinds()["behave"].fuel > 0 && once.kinds()["mail.send (result)"].calls > 0, "{:?}", once.kinds());
    assert_eq!((once.rounds, once.inputs, once.exit_code()), (1, 1, 0), "{:?}", once.not_held);
    assert!(long.rounds > 1 && long.component.named);
    let headings: BTreeSet<&String> = long.component.stacks.keys().filter_map(|stack| stack.first()).collect();
    assert_eq!(headings, long.kinds().keys().collect(), "samples exist exactly for the measured kinds");
    let stacks = long.component.stacks_of(&[]);
    let fuel: u64 = stacks.values().sum();
    let of_kinds = long.kinds().iter().filter(|(kind, _)| *kind != START).map(|(_, spent)| spent.fuel).sum::<u64>();
    assert!(fuel.abs_diff(of_kinds) <= stacks.len() as u64, "{fuel} {of_kinds}: only rounding is lost");
    let functions = long.component.functions(&["behave".to_owned()]);
    assert!(functions.iter().any(|function| function.name.contains("hostile_guest")), "{functions:?}");
    assert!(functions.iter().all(|function| function.alone <= function.within));
    let mut svg = Vec::new();
    flamegraph::draw(&stacks, "title", "fuel", &mut svg).expect("drawn");
    assert!(String::from_utf8(svg).expect("UTF-8").contains("<title>behave ("), "the kind is the lowest frame");
}

#[test]
fn a_component_without_function_names_is_reported_with_advice() {
    let found = profiled(&options(&FOLDER.stripped, None, Rounds::For(Duration::from_secs(1)))).expect("a profile");
    assert!(!found.component.named);
    let report = text(&found);
    assert!(report.contains("it has no function names") && report.contains("cargo xtask build --named"), "{report}");
    let names: Vec<String> = found.component.functions(&[]).into_iter().map(|function| function.name).collect();
    assert!(names.iter().any(|name| name.starts_with("function ") || name == NOT_SEEN), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("hostile_guest")), "{names:?}");
}

#[test]
fn two_components_are_compared() {
    let both = options(&FOLDER.named, Some(&FOLDER.stripped), Rounds::Times(2));
    let found = profiled(&both).expect("a profile");
    let difference = found.difference().expect("a difference");
    assert!(difference.kinds.iter().all(|kind| kind.old == kind.new), "the same code: {:?}", difference.kinds);
    let report = text(&found);
    assert!(report.contains("against ") && report.contains("1.000  behave"), "{report}");
    let mut out = Vec::new();
    json(&found, &mut out).expect("written");
    let lines = String::from_utf8(out).expect("UTF-8");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let behave = &lines.iter().find(|line| line["kind"]["name"] == "behave").expect("its line")["kind"];
    assert_eq!((&behave["old"]["fuel"], &behave["old"]["ratio"]), (&behave["fuel"], &json!(1.0)));
    let summary = &lines.last().expect("a summary")["summary"];
    let named = [&summary["component"]["named"], &summary["against"]["named"]];
    assert_eq!((&summary["rounds"], named), (&json!(2), [&json!(true), &json!(false)]));
}

#[test]
fn unusable_components_and_unknown_kinds_are_refused_by_name() {
    let refused = |options: &ProfileOptions| {
        let error = profiled(options).expect_err("refused");
        assert!(error.is_bad_input(), "{error}");
        error.to_string()
    };
    let only = ProfileOptions { only: vec!["behav".to_owned()], ..options(&FOLDER.named, None, Rounds::Times(1)) };
    let report = refused(&only);
    assert!(report.contains("no event of kind `behav` ran; expected one of behave"), "{report}");
    let no_component = FOLDER.dir.path().join("catalog.yml");
    let report = refused(&options(&no_component, None, Rounds::Times(1)));
    assert!(report.contains("catalog.yml: not a component"), "{report}");
    assert!(refused(&options(Path::new("none.wasm"), None, Rounds::Times(1))).contains("none.wasm"));
}

#[test]
fn an_input_that_does_not_hold_is_counted_and_reported() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    write("catalog.yml", "anything: it is given to the extension\n");
    write("story.yml", &SCENARIO.replace("id: c2, expect: applied", "id: c2, expect: rejected"));
    let options = options(&FOLDER.named, None, Rounds::Times(1));
    let found = profile(&[dir.path().to_owned()], &mut std::io::empty(), &options, &mut |_| {}).expect("a profile");
    assert_eq!(found.exit_code(), 1);
    assert!(!found.not_held.is_empty() && text(&found).contains("did not hold"), "{:?}", found.not_held);
    assert_ne!(found.kinds()["behave"], Spent::default());
}
