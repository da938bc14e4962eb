//! A component of another business, played and looked at: the one that misbehaves on request, which is built here.

use host_profile::{NOT_SEEN, Profile, ProfileOptions, Rounds, START, Spent, flamegraph, human, json, profile};
use host_scenario::error::ReplayError;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

/// Given nothing, two commands that are applied, with a mail each.
const SCENARIO: &str = r#"
name: it behaves
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
    let named = write("named.wasm", &component_builder::build_named("hostile-guest").expect("it can be built"));
    let stripped = write("stripped.wasm", &component_builder::build("hostile-guest").expect("it can be built"));
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
    assert!(found.is_err() || steps > 1, "progress is told");
    found
}

fn text(profile: &Profile) -> String {
    let mut out = Vec::new();
    human(profile, 10, &mut out).expect("written");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn the_fuel_of_an_event_kind_is_exact_and_the_functions_have_names() {
    let once = profiled(&options(&FOLDER.named, None, Rounds::Times(1))).expect("a profile");
    let long = profiled(&options(&FOLDER.named, None, Rounds::For(Duration::from_secs(2)))).expect("a profile");
    assert_eq!(once.kinds(), long.kinds(), "of a round, however many there are");
    let versions = once.kinds()["behave"].calls / 2;
    assert_eq!(once.kinds()[START].calls, versions, "each case begins with a catalog");
    assert!(once.kinds()["behave"].fuel > 0 && once.kinds()["mail.send (result)"].calls > 0, "{:?}", once.kinds());
    assert_eq!((once.rounds, once.inputs, once.exit_code()), (1, 1, 0), "{:?}", once.not_held);
    assert!(long.rounds > 1 && long.component.named);
    let headings: BTreeSet<&String> = long.component.stacks.keys().filter_map(|stack| stack.first()).collect();
    assert_eq!(headings, long.kinds().keys().collect(), "a stack is seen for what was measured, and for nothing else");
    let stacks = long.component.stacks_of(&[]);
    let fuel: u64 = stacks.values().sum();
    let of_kinds = long.kinds().iter().filter(|(kind, _)| *kind != START).map(|(_, spent)| spent.fuel).sum::<u64>();
    assert!(fuel.abs_diff(of_kinds) <= stacks.len() as u64, "{fuel} {of_kinds}: nothing is lost but by rounding");
    let functions = long.component.functions(&["behave".to_owned()]);
    assert!(functions.iter().any(|function| function.name.contains("hostile_guest")), "{functions:?}");
    assert!(functions.iter().all(|function| function.alone <= function.within));
    let mut svg = Vec::new();
    flamegraph::draw(&stacks, "title", "fuel", &mut svg).expect("drawn");
    assert!(String::from_utf8(svg).expect("UTF-8").contains("<title>behave ("), "the kind is the lowest frame");
}

#[test]
fn a_component_without_names_is_told_with_what_to_do() {
    let found = profiled(&options(&FOLDER.stripped, None, Rounds::For(Duration::from_secs(1)))).expect("a profile");
    assert!(!found.component.named);
    let told = text(&found);
    assert!(told.contains("it has no names of functions") && told.contains("cargo xtask build --named"), "{told}");
    let names: Vec<String> = found.component.functions(&[]).into_iter().map(|function| function.name).collect();
    assert!(names.iter().any(|name| name.starts_with("function ") || name == NOT_SEEN), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("hostile_guest")), "{names:?}");
}

#[test]
fn two_components_stand_side_by_side() {
    let both = options(&FOLDER.named, Some(&FOLDER.stripped), Rounds::Times(2));
    let found = profiled(&both).expect("a profile");
    let difference = found.difference().expect("there are two");
    assert!(difference.kinds.iter().all(|kind| kind.old == kind.new), "the same code: {:?}", difference.kinds);
    let told = text(&found);
    assert!(told.contains("against ") && told.contains("1.000  behave"), "{told}");
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
fn what_can_not_be_profiled_is_refused_by_name() {
    let refused = |options: &ProfileOptions| {
        let error = profiled(options).expect_err("refused");
        assert!(error.is_bad_input(), "{error}");
        error.to_string()
    };
    let only = ProfileOptions { only: vec!["behav".to_owned()], ..options(&FOLDER.named, None, Rounds::Times(1)) };
    let told = refused(&only);
    assert!(told.contains("no event of kind `behav` ran; expected one of behave"), "{told}");
    let no_component = FOLDER.dir.path().join("catalog.yml");
    let told = refused(&options(&no_component, None, Rounds::Times(1)));
    assert!(told.contains("catalog.yml: not a component"), "{told}");
    assert!(refused(&options(Path::new("none.wasm"), None, Rounds::Times(1))).contains("none.wasm"));
}

#[test]
fn what_does_not_hold_is_counted_and_told() {
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
